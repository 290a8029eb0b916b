"""Validation of claims: all rules that go beyond the schema, checked before anything is recorded."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from typing import Any

import orjson

from app.claims.lookups import RecordFields, ReferenceLookup
from app.claims.rules import RULE_FIELDS, Breach, RuledClaim, find_breaches
from app.claims.schemas import AssessmentInput, CitationInput, CitedDocument, ClaimInput
from app.claims.serialization.input_fields import CLAIM_PLAIN_FIELDS, FIGURE_NUMBER_FIELDS, FIGURE_PLAIN_FIELDS
from app.comparison.figure import (
    InvalidFigure,
    PrintedFigure,
    format_canonical_number,
    interval_of,
    kind_of,
    magnitude_of,
    validate_figure,
)
from app.comparison.period import EdtfPeriod, InvalidPeriod, date_from_edtf, parse_date, parse_period
from app.comparison.relative_base import base_period
from app.comparison.units import PERCENT, TIMES, as_dimension, canonical_unit, dimension_of, suggest_unit
from app.comparison.wording import find_relative_wording, parse_wording
from app.database.types import ID_PATTERN
from app.enums import Aggregation, CitationRole, FigureKind, Proposition, Status
from app.errors import Fault, InvalidRequest, field_fault
from app.http.schema_types import parse_moment
from app.sources.queries import SOURCE
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.slug_records import RecordType


@dataclass(slots=True)
class FaultCollector:
    """Collects the faults of a payload, so that all of them are reported at once. Pointers start at `base_pointer`."""

    base_pointer: str = ""
    faults: list[Fault] = field(default_factory=list)

    def add(self, pointer: str, detail: str, hint: str | None = None) -> None:
        """Add a fault at `pointer`."""
        self.faults.append(field_fault(self.base_pointer + pointer, detail, hint=hint or None))

    def add_breaches(self, breaches: Iterable[Breach]) -> None:
        """Add a fault for each broken rule."""
        for breach in breaches:
            self.add(breach.pointer, breach.detail, breach.hint)

    def raise_any(self) -> None:
        """Raise `InvalidRequest` if there is a fault."""
        if self.faults:
            first = self.faults[0]
            raise InvalidRequest(f"{first.pointer}: {first.detail}", hint=first.hint, errors=self.faults)


@dataclass(frozen=True, slots=True)
class ValidatedClaim:
    """A valid claim: its columns, and the recorded document of each citation, or None for a new document."""

    state: dict[str, Any]
    documents: list[RecordFields | None]


def validate_claim(
    references: ReferenceLookup,
    payload: ClaimInput,
    base_pointer: str = "",
    changed_fields: Collection[str] | None = None,
) -> ValidatedClaim:
    """Validate a claim by all rules. Raises `InvalidRequest` with all faults, with pointers below `base_pointer`.

    A correction is checked by the rules of `app/claims/rules.py` that depend on `changed_fields`. A new claim is
    checked by all of them, unless the same statement is already recorded.
    """
    faults = FaultCollector(base_pointer)
    unit = _resolve_unit(references, payload, faults)
    category = references.find_category(payload.category)
    figure = _validate_figure(payload, payload.figure.unit or (category.unit if category else None), faults)
    period = _validate_period(payload, faults)
    _check_slugs(references, payload, faults)
    if changed_fields is None or {"subject", "includes", "excludes"}.intersection(changed_fields):
        _check_scope(payload, faults)
    documents = [
        validate_citation(references, citation, payload.source, f"citations/{i}/", faults)
        for i, citation in enumerate(payload.citations)
    ]
    statement_date = _resolve_date(references, payload, documents, faults)
    earliest_day = earliest_statement_day(statement_date, payload.date_edtf, payload.said_at)
    if changed_fields is None or "citations" in changed_fields:
        _check_citations(payload, documents, earliest_day, faults)
    if payload.confidence is not None:
        check_assessment_day(payload.confidence, earliest_day, "confidence/", faults)
    breaches = _find_breaches(references, payload, figure, unit, period, statement_date, changed_fields)
    if faults.faults:
        faults.add_breaches(breaches)
    faults.raise_any()
    assert figure is not None  # noqa: S101 - otherwise there is a fault
    assert period is not None  # noqa: S101 - otherwise there is a fault
    state = {
        **{name: getattr(payload, name) for name in CLAIM_PLAIN_FIELDS},
        **_build_figure_columns(figure, payload.proposition),
        "period": period.edtf,
        "period_start": period.earliest_start,
        "period_end": period.latest_end,
        "aggregation": payload.period.aggregation,
        "per": payload.period.per,
        "unit": unit,
        "date": statement_date,
        "date_edtf": payload.date_edtf or (statement_date.isoformat() if statement_date else None),
        "status": Status.asserted,
        "retracted_on": None,
    }
    fingerprint = compute_fingerprint(state)
    if breaches and not (changed_fields is None and references.has_statement(fingerprint)):
        faults.add_breaches(breaches)
        faults.raise_any()
    return ValidatedClaim(state | {"fingerprint": fingerprint}, documents)


def _check_scope(payload: ClaimInput, faults: FaultCollector) -> None:
    """Collect a fault for each subject that is included or excluded twice, and for the subject of the claim itself."""
    for name in ("includes", "excludes"):
        slugs: list[str] = getattr(payload, name)
        for i, slug in enumerate(slugs):
            if slug in slugs[:i]:
                faults.add(f"{name}/{i}", f"`{slug}` occurs twice in `{name}`.", "name it once")
            elif slug == payload.subject:
                faults.add(f"{name}/{i}", f"`{slug}` is the subject of the claim.", "leave it out")


def _check_citations(
    payload: ClaimInput, documents: Sequence[RecordFields | None], earliest_day: date | None, faults: FaultCollector
) -> None:
    """Collect a fault for each citation that is given twice, and for each day of withdrawal that is too early."""
    seen: dict[tuple[Any, ...], int] = {}
    for i, (citation, recorded) in enumerate(zip(payload.citations, documents, strict=True)):
        check_withdrawal_day(citation, recorded, earliest_day, f"citations/{i}/", faults)
        document = citation.document
        address = recorded["id"] if recorded else document.url or (document.title, document.publisher)
        first = seen.setdefault((address, citation.quote, citation.locator), i)
        if first != i:
            faults.add(
                f"citations/{i}", f"This is the same document and passage as in citation {first}.", "send it once"
            )


def check_withdrawal_day(
    citation: CitationInput,
    recorded: RecordFields | None,
    earliest_day: date | None,
    base_pointer: str,
    faults: FaultCollector,
) -> None:
    """Collect a fault if a report was withdrawn before it was published, or before the claim was made."""
    day = citation.withdrawn_on
    published_on = recorded["published_on"] if recorded else citation.document.published_on
    if day is not None and published_on is not None and day < published_on:
        faults.add(f"{base_pointer}withdrawn_on", f"The document was published later, on {published_on}.")
    elif day is not None and earliest_day is not None and day < earliest_day:
        faults.add(f"{base_pointer}withdrawn_on", f"The claim was made later, on {earliest_day}.")


def check_assessment_day(
    assessment: AssessmentInput, earliest_day: date | None, base_pointer: str, faults: FaultCollector
) -> None:
    """Collect a fault if an assessment is dated before the claim was made."""
    day = assessment.assessed_on
    if day is not None and earliest_day is not None and day < earliest_day:
        faults.add(f"{base_pointer}assessed_on", f"The claim was made later, on {earliest_day}.")


def find_retraction_fault(statement_date: date | None, retracted_on: date, today: date) -> str | None:
    """Return the error in the day of a retraction, or None."""
    if statement_date is not None and retracted_on < statement_date:
        return f"The retraction is before the claim, which was made on {statement_date}."
    return f"{retracted_on} is in the future." if retracted_on > today else None


def compute_fingerprint(state: Mapping[str, Any]) -> str:
    """Return the fingerprint of a claim: two claims with the same fingerprint are the same statement.

    It depends on the numbers, not on their printed wording. The wording counts only if there are no numbers. Fields
    that were added later count only if they are set, so that older fingerprints stay the same.
    """
    numbers = [state[name] for name in ("value", "lower", "upper", "out_of", "coverage")]
    has_number = state["magnitude"] is not None
    parts = [
        *(
            str(state[name])
            for name in ("category", "subject", "place", "proposition", "modality", "aggregation", "source")
        ),
        [None if number is None else format_canonical_number(number) for number in numbers],
        [state["lower_inclusive"], state["upper_inclusive"], state["approximate"], state["relative_to"]],
        state["period"],
        sorted(state["includes"]),
        sorted(state["excludes"]),
        state["date"],
        None if has_number else " ".join(state["as_printed"].casefold().split()),
    ]
    later_fields = {
        "per": None if state["per"] is None else str(state["per"]),
        "said_at": None if state["said_at"] is None else parse_moment(state["said_at"]).astimezone(UTC).isoformat(),
        "unit": None if state["unit"] is None else canonical_unit(state["unit"]),
    }
    if any(value is not None for value in later_fields.values()):
        parts.append({name: value for name, value in later_fields.items() if value is not None})
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()


def _resolve_unit(references: ReferenceLookup, payload: ClaimInput, faults: FaultCollector) -> str | None:
    """Return the unit of a figure if it is not that of the category, else None."""
    unit, category = payload.figure.unit, references.find_category(payload.category)
    if unit is None or category is None:
        return None
    dimension = as_dimension(category.unit)
    if unit == category.unit and dimension is None:
        return None
    own_unit = {Proposition.change: PERCENT, Proposition.ratio: TIMES}.get(payload.proposition)
    if unit == own_unit:
        return unit
    if dimension is not None:
        if dimension_of(unit) != dimension:
            faults.add("figure/unit", f"`{unit}` is not a unit of {dimension}.", suggest_unit(dimension, unit))
        return unit
    hint = {
        PERCENT: "a change in percent has the proposition `change`",
        TIMES: 'a ratio like "four times" has the proposition `ratio`',
    }.get(unit, "leave `unit` out")
    faults.add("figure/unit", f"The unit of `{payload.category}` is `{category.unit}`.", hint)
    return None


def _validate_figure(payload: ClaimInput, unit: str | None, faults: FaultCollector) -> PrintedFigure | None:
    printed = payload.figure.model_dump(exclude={"kind", "unit"})
    try:
        figure = validate_figure(PrintedFigure(**printed), payload.proposition.value, unit)
    except InvalidFigure as error:
        faults.add(f"figure/{error.field}", str(error), error.hint)
        return None
    kind = kind_of(figure, payload.proposition.value)
    if payload.figure.kind is not None and payload.figure.kind.value != kind:
        faults.add("figure/kind", f"By its numbers, the kind is `{kind}`.", "leave `kind` out")
    if kind == FigureKind.vague and (parsed := parse_wording(figure.as_printed)) is not None and parsed.has_number:
        numbers = {name: getattr(parsed, name) for name in ("value", "lower", "upper")}
        hint = ", ".join(f'"{name}": {number}' for name, number in numbers.items() if number is not None)
        faults.add("figure", f"`{figure.as_printed}` states a number, but no number is given.", f"did you mean {hint}?")
    if (
        payload.proposition is Proposition.change
        and unit != PERCENT
        and find_relative_wording(figure.as_printed) == PERCENT
    ):
        detail = f"`{figure.as_printed}` is a change in percent."
        faults.add("figure/unit", detail, f'give `"unit": "{PERCENT}"`')
    return figure


def _validate_period(payload: ClaimInput, faults: FaultCollector) -> EdtfPeriod | None:
    if payload.period.per is not None and payload.period.aggregation is not Aggregation.rate:
        detail = f"Only a rate has a unit of time; the aggregation is `{payload.period.aggregation}`."
        faults.add("period/per", detail, "leave `per` out")
    try:
        return parse_period(payload.period.edtf)
    except InvalidPeriod as error:
        faults.add("period/edtf", str(error), error.hint)
        return None


def _check_slugs(references: ReferenceLookup, payload: ClaimInput, faults: FaultCollector) -> None:
    if not (payload.includes or payload.excludes) and references.has_cached_slugs(
        payload.category, payload.subject, payload.place, payload.source
    ):
        return
    scope_slugs = [
        (f"{name}/{i}", slug) for name in ("includes", "excludes") for i, slug in enumerate(getattr(payload, name))
    ]
    slugs_by_type: list[tuple[RecordType, list[tuple[str, str]]]] = [
        (CATEGORY, [("category", payload.category)]),
        (SUBJECT, [("subject", payload.subject), *scope_slugs]),
        (PLACE, [("place", payload.place)]),
        (SOURCE, [("source", payload.source)]),
    ]
    for record_type, slugs in slugs_by_type:
        faults.faults += references.find_faults(
            record_type, [(faults.base_pointer + pointer, slug) for pointer, slug in slugs]
        )
    for i, slug in enumerate(payload.includes):
        if slug in payload.excludes:
            faults.add(f"includes/{i}", f"`{slug}` is also excluded.")


def validate_citation(
    references: ReferenceLookup, payload: CitationInput, claimant: str, base_pointer: str, faults: FaultCollector
) -> RecordFields | None:
    """Validate a citation and collect its faults. Return its document if that is recorded already."""
    faults.faults += references.find_faults(
        SOURCE, [(f"{faults.base_pointer}{base_pointer}via/{i}", slug) for i, slug in enumerate(payload.via)]
    )
    document = payload.document
    recorded = _find_recorded_document(references, document)
    if document.id is not None and (
        not ID_PATTERN.fullmatch(document.id) or (recorded is None and document.title is None)
    ):
        faults.add(f"{base_pointer}document/id", f"There is no document `{document.id}`.")
    elif recorded is None and document.title is None:
        faults.add(f"{base_pointer}document/title", "A document that is not recorded yet needs a title.")
    if document.publisher:
        faults.faults += references.find_faults(
            SOURCE, [(f"{faults.base_pointer}{base_pointer}document/publisher", document.publisher)]
        )
    if payload.via:
        publisher = document.publisher if recorded is None else recorded["publisher"]
        _check_chain(payload.via, claimant, publisher, base_pointer, faults)
    return recorded


def _find_recorded_document(references: ReferenceLookup, document: CitedDocument) -> RecordFields | None:
    """Return the recorded document with the id or else the URL of a payload, or None."""
    if document.id and ID_PATTERN.fullmatch(document.id) and (recorded := references.find_document(document.id)):
        return recorded
    return references.find_document_by_url(document.url) if document.url is not None else None


def _check_chain(
    via: Sequence[str], claimant: str, publisher: str | None, base_pointer: str, faults: FaultCollector
) -> None:
    """Collect a fault for each source of `via` that is an end of the chain or occurs twice."""
    for i, slug in enumerate(via):
        if slug == claimant:
            faults.add(
                f"{base_pointer}via/{i}",
                f"`{slug}` is the claimant; `via` lists the sources between claimant and document.",
            )
        elif slug == publisher:
            faults.add(
                f"{base_pointer}via/{i}",
                f"`{slug}` published the document; `via` lists the sources between claimant and document.",
            )
        elif slug in via[:i]:
            faults.add(f"{base_pointer}via/{i}", f"`{slug}` occurs twice in `via`.")


def _resolve_date(
    references: ReferenceLookup, payload: ClaimInput, documents: Sequence[RecordFields | None], faults: FaultCollector
) -> date | None:
    """Return the day of the statement: the latest possible day, so that `known_on` never shows a claim too early."""
    today = references.today
    if payload.said_at is not None:
        return _resolve_moment(references, payload, payload.said_at, faults)
    if payload.date is not None and payload.date > today:
        faults.add("date", f"`{payload.date}` is in the future.")
    if payload.date_edtf is None:
        return payload.date
    published = [
        recorded["published_on"] if recorded else citation.document.published_on
        for recorded, citation in zip(documents, payload.citations, strict=True)
    ]
    not_after = min([today, *(day for day in published if day is not None)])
    try:
        span = parse_date(payload.date_edtf)
        day = date_from_edtf(payload.date_edtf, not_after)
    except InvalidPeriod as error:
        faults.add("date_edtf", str(error), error.hint)
        return None
    if span.earliest is not None and span.earliest > today:
        faults.add("date_edtf", f"`{payload.date_edtf}` is in the future.")
    if payload.date is None:
        return day
    if (span.earliest and payload.date < span.earliest) or (span.latest and payload.date > span.latest):
        faults.add("date", f"`{payload.date}` is not within `{payload.date_edtf}`.")
    return payload.date


def _resolve_moment(references: ReferenceLookup, payload: ClaimInput, said_at: str, faults: FaultCollector) -> date:
    """Return the day of a moment at its own offset. Collect a fault if the date of the claim is another day."""
    moment = parse_moment(said_at)
    day = moment.date()
    if moment > references.now:
        faults.add("said_at", f"`{said_at}` is in the future.")
    if payload.date is not None and payload.date != day:
        faults.add("date", f"`{payload.date}` is not the day of `said_at`, which is {day}.", "leave `date` out")
    if payload.date_edtf is not None:
        try:
            span = parse_date(payload.date_edtf)
        except InvalidPeriod as error:
            faults.add("date_edtf", str(error), error.hint)
        else:
            if not span.earliest <= day <= span.latest:
                detail = f"`{payload.date_edtf}` is not the day of `said_at`, which is {day}."
                faults.add("date_edtf", detail, "leave `date_edtf` out")
    return day


def _find_breaches(
    references: ReferenceLookup,
    payload: ClaimInput,
    figure: PrintedFigure | None,
    unit: str | None,
    period: EdtfPeriod | None,
    statement_date: date | None,
    changed_fields: Collection[str] | None,
) -> list[Breach]:
    """Return the broken rules that were added later; of a correction, those that depend on `changed_fields`."""
    category = references.find_category(payload.category)
    if figure is None or period is None or category is None:
        return []
    breaches = find_breaches(
        RuledClaim(
            category_unit=category.unit,
            is_non_decreasing=category.non_decreasing,
            proposition=payload.proposition.value,
            modality=payload.modality.value,
            figure=figure,
            unit=unit or payload.figure.unit,
            period=period,
            aggregation=payload.period.aggregation.value,
            per=payload.period.per,
            date=statement_date,
            earliest_date=earliest_statement_day(statement_date, payload.date_edtf, payload.said_at),
            recorded_on=references.today,
        )
    )
    if changed_fields is None:
        return breaches
    return [breach for breach in breaches if not RULE_FIELDS[breach.rule].isdisjoint(changed_fields)]


def earliest_statement_day(statement_date: date | None, date_edtf: str | None, said_at: str | None) -> date | None:
    """Return the earliest day that the date of a claim can mean, or None if it is unknown."""
    if date_edtf is None or said_at is not None:
        return statement_date
    try:
        return parse_date(date_edtf).earliest
    except InvalidPeriod:
        return statement_date


def _build_figure_columns(figure: PrintedFigure, proposition: Proposition) -> dict[str, Any]:
    interval = interval_of(figure)
    return {name: getattr(figure, name) for name in (*FIGURE_PLAIN_FIELDS, *FIGURE_NUMBER_FIELDS)} | {
        "relative_period": None if figure.relative_to is None else base_period(figure.relative_to),
        "kind": FigureKind(kind_of(figure, proposition.value)),
        "low": interval.lower if interval else None,
        "high": interval.upper if interval else None,
        "magnitude": magnitude_of(figure),
    }


def build_citation_columns(
    references: ReferenceLookup, payload: CitationInput, claim: str, claimant: str, document: RecordFields
) -> dict[str, Any]:
    """Return the columns of a citation of `document`, which may still have to be recorded."""
    copied_fields = ("via", "fidelity", "quote", "quote_language", "translation", "locator", "gap", "withdrawn_on")
    role = payload.role
    if role is None:
        publisher = document["publisher"]
        is_own_publication = publisher is not None and (
            references.find_position_holder(publisher) == references.find_position_holder(claimant)
        )
        role = CitationRole.original if is_own_publication else CitationRole.relay
    return {name: getattr(payload, name) for name in copied_fields} | {
        "claim": claim,
        "document": document["id"],
        "role": role,
    }
