"""One sentence about two figures: who states which, the verdict, and its reasons."""

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final

from app.comparison.effective_period import TOTALS
from app.comparison.figure import PrintedFigure, is_near_bound
from app.comparison.period import possible_end_days
from app.comparison.statement import Statement
from app.comparison.verdicts import PairComparison
from app.enums import Reason, Verdict
from app.sentences.dates import describe_date, describe_period, format_day
from app.sentences.figures import build_display, describe_difference, describe_rate
from app.sentences.phrases import RecordNames, capitalize_first, join_with_and

_VERDICT_PHRASES: Final = {
    Verdict.agree: "agree",
    Verdict.no_conflict: "do not conflict",
    Verdict.contradict: "contradict each other",
    Verdict.undetermined: "do not suffice to decide",
    Verdict.not_comparable: "cannot be compared",
}
MONTHS_IN_YEAR: Final = 12
_AGREEMENTS: Final = {Reason.one_utterance, Reason.rounded}
"""The reasons that say themselves why two figures agree."""


def explain_pair(a: Statement, b: Statement, pair: PairComparison, names: RecordNames) -> str:
    """Return one sentence about two statements that says why they have this verdict."""
    parties = [
        f"{names.name_source(statement.source)} ({_describe_statement(statement, other, names)})"
        for statement, other in ((a, b), (b, a))
    ]
    clauses = [_explain_reason(reason, a, b, pair, names) for reason in pair.reasons]
    if pair.verdict is Verdict.agree and not _AGREEMENTS & set(pair.reasons):
        clauses.insert(0, "one figure lies within the other")
    return capitalize_first(f"{parties[0]} and {parties[1]} {_VERDICT_PHRASES[pair.verdict]}: {'; '.join(clauses)}.")


def _describe_statement(statement: Statement, other: Statement, names: RecordNames) -> str:
    """Return the figure of a statement with its unit and its days, and in what else it differs from the other.

    For example "up to 250,000 persons (Injured) up to 3 June 2025".
    """
    base = names.name_base(statement.figure.relative_to)
    figure = build_display(
        statement.figure, statement.proposition, statement.unit, statement.aggregation, statement.per, base
    )
    is_relative = statement.proposition == "change" or (
        statement.proposition == "ratio" and statement.figure.out_of is None
    )
    own = [
        name(getattr(statement, field_name))
        for field_name, name in (
            ("category", names.name_category),
            ("subject", names.name_subject),
            ("place", names.name_place),
        )
        if getattr(statement, field_name) != getattr(other, field_name)
    ]
    if base and not is_relative:
        own.append(f"relative to {base}")
    if (statement.includes, statement.excludes) != (other.includes, other.excludes):
        own += _describe_scope("including", statement.includes, names)
        own += _describe_scope("not counting", statement.excludes, names)
    differences = f" ({', '.join(own)})" if own else ""
    forecast = " as a forecast" if statement.is_forecast else ""
    days = _describe_days(statement, other) + _describe_hour(statement, other)
    separator = "," if is_relative and days else ""  # from the base: 20% more than in 2022, in 2023
    return f"{figure}{differences}{forecast}{separator}{days}"


def _describe_scope(words: str, subjects: Iterable[str], names: RecordNames) -> list[str]:
    """Return the groups that a source includes or leaves out, in words; empty if it names none."""
    groups = [names.name_subject(slug) for slug in sorted(subjects)]
    return [f"{words} {join_with_and(groups)}"] if groups else []


def _describe_days(statement: Statement, other: Statement) -> str:
    """Return the period of a figure for a whole period, or the end of another one.

    A period that runs on is printed up to the day on which the figure was said: "in 2026 up to 2 September 2026". A
    running total has its start, too, if that of the other differs.
    """
    period, end = statement.period, _describe_end(statement)
    if statement.aggregation == "cumulative":
        if not end or statement.effective.start == other.effective.start or other.aggregation == "snapshot":
            return end
        return f"{end} (since when was not said)" if period.start is None else f"{_describe_start(statement)}{end}"
    if statement.aggregation == "snapshot" or period.start is None:
        return end
    begin = period.edtf.partition("/")[0]
    runs_on = period.end is None or statement.effective.end != _whole_period_end(statement)
    if period.end is None:
        return f" from {describe_date(begin).text}{end}"
    return f" {describe_period(period.edtf, statement.aggregation, None)}{end if runs_on else ''}"


def _describe_start(statement: Statement) -> str:
    """Return the start of a running total in words; empty if only its period as a whole is known, such as a year."""
    begin, separator, _ = statement.period.edtf.partition("/")
    return f" from {describe_date(begin).text}" if separator else ""


def _whole_period_end(statement: Statement) -> tuple[int, int]:
    first, last = possible_end_days(statement.period, statement.aggregation)
    return first.toordinal(), last.toordinal()


def _describe_end(statement: Statement) -> str:
    """Return the end of a period in words, as precisely as it is known; empty if it is unknown."""
    first, last = statement.effective.earliest_end, statement.effective.latest_end
    if first is None or last is None:
        return ""
    preposition = "on" if statement.aggregation == "snapshot" else "up to"
    if first == last:
        return f" {preposition} {format_day(first)}"
    if (name := _name_month_or_year(first, last)) is not None:
        return f" {preposition} a day in {name}"
    return f" {preposition} a day from {format_day(first)} to {format_day(last)}"


def _name_month_or_year(first: date, last: date) -> str | None:
    """Return the name of the month or the year that begins and ends on these days; None for any other days."""
    is_last_of_month = last.day == monthrange(last.year, last.month)[1]
    if first.day != 1 or not is_last_of_month or first.year != last.year:
        return None
    if first.month == last.month:
        return describe_date(first.isoformat()[:7]).text
    return describe_date(first.isoformat()[:4]).text if (first.month, last.month) == (1, MONTHS_IN_YEAR) else None


def _describe_hour(statement: Statement, other: Statement) -> str:
    """Return the hour at which a figure was said, if its period ends then, and that of the other on about that day."""
    said_at, moment = statement.said_at, statement.effective.moment
    day, other_day = statement.effective.latest_end, other.effective.latest_end
    if statement.aggregation not in TOTALS or said_at is None or moment is None or moment.utc is None:
        return ""
    is_close = day is not None and other_day is not None and abs(day - other_day) <= timedelta(days=1)
    return f", {said_at:%H:%M} {_describe_offset(said_at)}" if is_close else ""


def _describe_offset(moment: datetime) -> str:
    """Return the offset of a moment as UTC, UTC+2 or UTC+5:30."""
    minutes = int((moment.utcoffset() or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    if not minutes:
        return "UTC"
    return f"UTC{'-' if minutes < 0 else '+'}{hours}{f':{rest:02}' if rest else ''}"


def _explain_reason(reason: Reason, a: Statement, b: Statement, pair: PairComparison, names: RecordNames) -> str:
    """Return the clause for one reason."""
    if reason in {Reason.disjoint, Reason.falls, Reason.transcription_conflict, Reason.same_day}:
        return _with_difference(_decapitalize(reason.definition), a, b, pair, names)
    if reason is Reason.part_of_whole and pair.verdict is Verdict.contradict:
        clause = "one counts a part of what the other counts, and is larger"
        return _with_difference(clause, a, b, pair, names)
    return _decapitalize(reason.definition)


def _with_difference(clause: str, a: Statement, b: Statement, pair: PairComparison, names: RecordNames) -> str:
    """Return a clause with the distance between the figures, if they have one."""
    if pair.above is None or not pair.gap:
        return clause
    above, below = (a, b) if pair.above == a.id else (b, a)
    source = names.name_source(above.source)
    if above.proposition == "ratio":
        return clause if a.source == b.source else f"{clause}; the figure of {source} is larger"
    difference = describe_difference(pair.gap, above.unit, describe_rate(above.aggregation, above.per))
    if any(_has_width(statement.figure) for statement in (a, b)):
        difference = f"at least {difference.removeprefix('about ')}"
    elif a.figure.approximate or b.figure.approximate:
        difference = f"about {difference.removeprefix('about ')}"
    if a.source == b.source:
        return f"{clause}; they differ by {difference}"
    figure = below.figure
    has_negative = any(number is not None and number < 0 for number in (figure.value, figure.lower, figure.upper))
    if above.proposition == "change" or has_negative:
        return f"{clause}; the figure of {source} is {difference} higher"
    return f"{clause}; {source} states {difference} more"


def _has_width(figure: PrintedFigure) -> bool:
    """Return whether a figure allows several numbers, so that it differs from another by at least the gap.

    "Nearly 950,000" allows only numbers close to its bound.
    """
    return not is_near_bound(figure) and figure.lower != figure.upper


def _decapitalize(text: str) -> str:
    first, _, _ = text.partition(". ")
    return first[:1].lower() + first[1:].rstrip(".")
