"""Positions: the latest comparable claim of each source, and the comparison of positions in pairs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import combinations

from app.comparison.comparability import has_same_base
from app.comparison.effective_period import TOTALS, grain_of
from app.comparison.figure import Number, NumberInterval, PrintedFigure, absolute, interval_of
from app.comparison.hierarchy import Hierarchy
from app.comparison.measure import measure
from app.comparison.rounding import significant_step
from app.comparison.statement import Statement
from app.comparison.verdicts import (
    PairComparison,
    compare_for_one_end,
    compare_statements,
    sort_reasons,
)
from app.enums import Reason, Verdict

PositionKey = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """The position of a source: its latest claim of a series, and the ids of all claims that are wordings of it.

    `wordings` includes the claim itself.
    """

    statement: Statement
    wordings: tuple[str, ...]

    @property
    def id(self) -> str:
        """The id of the claim that states the position."""
        return self.statement.id


def position_key_of(statement: Statement) -> PositionKey:
    """Return what makes claims of one source separate positions: a source has one position per key."""
    if statement.aggregation == "cumulative":
        period: object = statement.effective.start
    elif statement.aggregation == "snapshot":
        period = None
    else:
        period = grain_of(statement.period, statement.aggregation, statement.effective)
    return (
        *(statement.source, statement.proposition, statement.category, statement.subject, statement.place),
        *(statement.includes, statement.excludes, statement.modality, statement.aggregation, period, statement.per),
        *(statement.dimension, statement.base, statement.figure.out_of is None),
    )


def find_positions(statements: Iterable[Statement]) -> tuple[Position, ...]:
    """Return the positions of the sources, ordered by lower bound (unknown first), source and id.

    The position of a key is the claim with the latest earliest possible end, then the latest date, then the latest
    moment. Claims that tie are one position if they are wordings of one statement, and else all are positions. Claims
    without a number are no positions.
    """
    groups: dict[PositionKey, list[Statement]] = {}
    for statement in statements:
        if statement.figure.has_number:
            groups.setdefault(position_key_of(statement), []).append(statement)
    positions = [position for group in groups.values() for position in _select_latest(group)]
    return tuple(sorted(positions, key=lambda position: position_sort_key(position.statement)))


def find_wordings(replaced: Iterable[Statement], others: Iterable[Statement]) -> set[str]:
    """Return the ids of those of `others` that are wordings of a statement of which another wording was replaced."""
    by_key: dict[PositionKey, list[Statement]] = {}
    for statement in replaced:
        if statement.figure.has_number:
            by_key.setdefault(position_key_of(statement), []).append(statement)
    if not by_key:
        return set()
    return {
        other.id
        for other in others
        for statement in by_key.get(position_key_of(other), ())
        if other.id != statement.id
        and other.figure.has_number
        and is_same_statement(statement, other)
        and _find_uttered([statement, other]) is not None
    }


def compare_pairs(
    positions: Sequence[Statement], hierarchy: Hierarchy, tolerance: float | None = None
) -> tuple[PairComparison, ...]:
    """Compare each pair of positions, in their order. `tolerance` is that of `compare_statements`."""
    return tuple(compare_pair(a, b, hierarchy, tolerance) for a, b in combinations(positions, 2))


def compare_pair(a: Statement, b: Statement, hierarchy: Hierarchy, tolerance: float | None = None) -> PairComparison:
    """Compare two claims: by the rules of one statement if one source made both about one period on one day."""
    if a.source == b.source and is_same_statement(a, b):
        return _compare_within_source(a, b, hierarchy, tolerance)
    return compare_statements(a, b, hierarchy, tolerance)


def is_same_statement(a: Statement, b: Statement) -> bool:
    """Return whether one source made both claims about one period on one day, at no moments known to differ.

    Shares of two wholes ("12 of the 100", "20 of the 200") are two statements.
    """
    return (
        position_key_of(a) == position_key_of(b)
        and has_same_base(a, b)
        and (a.effective.start, a.effective.end, a.date) == (b.effective.start, b.effective.end, b.date)
        and (a.said_at is None or b.said_at is None or a.said_at == b.said_at)
    )


def _compare_within_source(a: Statement, b: Statement, hierarchy: Hierarchy, tolerance: float | None) -> PairComparison:
    """Compare two claims of one source about one period on one day."""
    pair = compare_for_one_end(a, b, tolerance)
    if Reason.vague in pair.reasons:
        return pair
    if pair.verdict in {Verdict.agree, Verdict.no_conflict}:
        return replace(pair, reasons=sort_reasons({*pair.reasons, Reason.one_source}))
    grows = hierarchy.is_non_decreasing(a.category) and a.aggregation in TOTALS and a.proposition == "quantity"
    if grows and a.effective.ends_when_said:
        verdict, reason = Verdict.undetermined, Reason.same_day
    elif a.figure.approximate or b.figure.approximate:
        verdict, reason = Verdict.undetermined, Reason.approximate
    else:
        verdict, reason = Verdict.contradict, Reason.transcription_conflict
    notes = {Reason.probabilistic, Reason.unit_converted} & set(pair.reasons)
    return replace(pair, verdict=verdict, reasons=sort_reasons({reason} | notes))


def age_days(statement: Statement, day: date) -> int | None:
    """Return the days from the earliest possible effective end of a claim to `day`; None if it is unknown."""
    end = statement.effective.earliest_end
    return None if end is None else (day - end).days


Recency = tuple[int, int]


def recency_of(statement: Statement) -> Recency:
    """Return the earliest possible end and the date as ordinals; 0, before every day, if unknown."""
    end, statement_date = statement.effective.earliest_end, statement.date
    return end.toordinal() if end else 0, statement_date.toordinal() if statement_date else 0


def _select_latest(group: list[Statement]) -> list[Position]:
    latest = max(recency_of(statement) for statement in group)
    tied = [statement for statement in group if recency_of(statement) == latest]
    moments = [statement.said_at for statement in tied if statement.said_at is not None]
    if moments:
        latest_moment = max(moments)
        tied = [statement for statement in tied if statement.said_at in {None, latest_moment}]
    by_period: dict[object, list[Statement]] = {}
    for statement in tied:
        whole = None if statement.proposition == "ratio" else statement.figure.out_of
        by_period.setdefault((statement.effective.start, statement.effective.end, whole), []).append(statement)
    return [position for statements in by_period.values() for position in _merge_wordings(statements)]


def _merge_wordings(tied: list[Statement]) -> list[Position]:
    """Return one position for the wordings of one statement, else a position for each claim."""
    uttered = _find_uttered(tied) if len(tied) > 1 else None
    if uttered is not None:
        others = sorted(statement.id for statement in tied if statement is not uttered)
        return [Position(uttered, (uttered.id, *others))]
    return [Position(statement, (statement.id,)) for statement in tied]


def _find_uttered(tied: Sequence[Statement]) -> Statement | None:
    """Return the claim with the number that all others round; None if they are not wordings of one statement.

    It is the only plain number, or else the approximate one with the most digits.
    """
    lone = [statement for statement in tied if _is_lone_value(statement.figure)]
    candidates = [statement for statement in lone if not statement.figure.approximate]
    if not candidates:
        finest = min((_step(statement) for statement in lone), default=None)
        candidates = [statement for statement in lone if _step(statement) == finest]
    numbers = {_number_of(statement) for statement in candidates}
    if len(numbers) != 1:
        return None
    uttered = min(candidates, key=lambda statement: (statement.fingerprint, statement.id))
    number = numbers.pop()
    return uttered if all(_is_rounded_form(statement, number) for statement in tied) else None


def _is_lone_value(figure: PrintedFigure) -> bool:
    return figure.value is not None and figure.lower is None and figure.upper is None


def _number_of(statement: Statement) -> Number:
    """Return the only number of a figure, in the base unit."""
    measured = measure(statement)
    if measured is None:
        message = "the figure has no number"
        raise ValueError(message)
    interval = measured.interval
    number = interval.lower if interval.lower is not None else interval.upper
    return 0 if number is None else number


def _step(statement: Statement) -> Number:
    """Return the step to which the printed number of a figure may be rounded, in the base unit."""
    figure, measured = statement.figure, measure(statement)
    number = next((each for each in (figure.value, figure.lower, figure.upper) if each is not None), 0)
    return significant_step(number) * (measured.scale if measured else 1)


def _is_rounded_form(statement: Statement, number: Number) -> bool:
    """Return whether a figure is `number`, rounded to its printed digits; a bound is rounded down or up."""
    figure = statement.figure
    printed = _number_of(statement)
    if printed == number and (_is_lone_value(figure) or _is_open_bound(figure)):
        return True
    distance, step = absolute(number - printed), _step(statement)
    if _is_lone_value(figure):
        return figure.approximate and distance * 2 <= step
    if not _is_open_bound(figure):
        return False
    is_on_its_side = printed < number if figure.lower is not None else printed > number
    return is_on_its_side and distance < step


def _is_open_bound(figure: PrintedFigure) -> bool:
    return figure.value is None and (figure.lower is None) != (figure.upper is None)


def position_sort_key(statement: Statement) -> tuple[bool, Number, str, bool, Number, str, str]:
    """Return the sort key of a position: by lower bound (unknown first), then by source.

    Several positions of one source with the same lower bound are ordered by approximation, width and fingerprint.
    """
    interval = stated_interval(statement)
    has_lower, lower = interval.lower is not None, interval.lower or 0
    is_approximate = statement.figure.approximate
    return (*(has_lower, lower, statement.source, is_approximate, interval.width, statement.fingerprint, statement.id),)


def stated_interval(statement: Statement) -> NumberInterval:
    """Return the stated interval of a figure; both bounds are unknown for a vague figure."""
    return interval_of(statement.figure) or NumberInterval(None, None)
