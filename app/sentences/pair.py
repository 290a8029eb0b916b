"""One sentence about two figures: who states which, the verdict, and its reasons."""

from typing import Final

from app.comparison.period import possible_end_days
from app.comparison.statement import Statement
from app.comparison.verdicts import PairComparison
from app.enums import Reason, Verdict
from app.sentences.dates import describe_date, describe_period, format_day
from app.sentences.figures import build_display, describe_number
from app.sentences.phrases import RecordNames, capitalize_first

_VERDICT_PHRASES: Final = {
    Verdict.agree: "agree",
    Verdict.no_conflict: "do not conflict",
    Verdict.contradict: "contradict each other",
    Verdict.undetermined: "do not suffice to decide",
    Verdict.not_comparable: "cannot be compared",
}


def explain_pair(a: Statement, b: Statement, pair: PairComparison, names: RecordNames) -> str:
    """Return one sentence about two statements that says why they have this verdict."""
    parties = [
        f"{names.name_source(statement.source)} ({_describe_statement(statement, other, names)})"
        for statement, other in ((a, b), (b, a))
    ]
    clauses = [clause for reason in pair.reasons if (clause := _explain_reason(reason, a, b, pair, names))]
    if not clauses:
        clauses = ["one figure lies within the other"]
    return capitalize_first(f"{parties[0]} and {parties[1]} {_VERDICT_PHRASES[pair.verdict]}: {'; '.join(clauses)}.")


def _describe_statement(statement: Statement, other: Statement, names: RecordNames) -> str:
    """Return the figure of a statement with its unit and its days, and in what else it differs from the other.

    For example "up to 250,000 persons (Injured) up to 3 June 2025".
    """
    figure = build_display(
        statement.figure, statement.proposition, statement.unit, statement.aggregation, statement.per
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
    differences = f" ({', '.join(own)})" if own else ""
    forecast = " as a forecast" if statement.is_forecast else ""
    return f"{figure}{differences}{forecast}{_describe_days(statement)}"


def _describe_days(statement: Statement) -> str:
    """Return the period of a figure for a whole period, or the end of another one.

    A period that runs on is printed up to the day on which the figure was said: "in 2026 up to 2 September 2026".
    """
    period, end = statement.period, _describe_end(statement)
    if statement.aggregation not in {"within", "rate"} or period.start is None:
        return end
    begin = period.edtf.partition("/")[0]
    runs_on = period.end is None or statement.effective.end != _whole_period_end(statement)
    if period.end is None:
        return f" from {describe_date(begin).text}{end}"
    return f" {describe_period(period.edtf, statement.aggregation, None)}{end if runs_on else ''}"


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
    return f" {preposition} a day from {format_day(first)} to {format_day(last)}"


def _explain_reason(reason: Reason, a: Statement, b: Statement, pair: PairComparison, names: RecordNames) -> str:
    """Return the clause for one reason."""
    if reason in {Reason.disjoint, Reason.falls, Reason.transcription_conflict, Reason.same_day}:
        return _with_gap(_decapitalize(reason.definition), a, b, pair, names)
    if reason is Reason.part_of_whole and pair.verdict is Verdict.contradict:
        clause = "one counts a part of what the other counts, and is larger"
        return _with_gap(clause, a, b, pair, names)
    return _decapitalize(reason.definition)


def _with_gap(clause: str, a: Statement, b: Statement, pair: PairComparison, names: RecordNames) -> str:
    """Return a clause with the distance between the figures, if they have one."""
    if pair.above is None or not pair.gap:
        return clause
    above = a if pair.above == a.id else b
    gap = describe_number(pair.gap, None if above.proposition == "ratio" else above.unit)
    return f"{clause}; {names.name_source(above.source)} states {gap} more"


def _decapitalize(text: str) -> str:
    first, _, _ = text.partition(". ")
    return first[:1].lower() + first[1:].rstrip(".")
