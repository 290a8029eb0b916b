"""Validation of claims: all rules that go beyond the schema, checked before anything is recorded."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date
from operator import attrgetter
from typing import Any

import orjson

from app.claims.lookups import CategoryFields, RecordFields, ReferenceLookup
from app.claims.rules import (
    RULE_FIELDS,
    WORDING_RULES,
    Breach,
    RuledClaim,
    VerbatimQuote,
    find_breaches,
    find_quote_breach,
    wording_context,
)
from app.claims.schemas import AssessmentInput, CitationInput, CitedDocument, ClaimInput
from app.claims.serialization.input_fields import CLAIM_PLAIN_FIELDS, FIGURE_NUMBER_FIELDS, FIGURE_PLAIN_FIELDS
from app.comparison.figure import (
    NUMERIC_PROPOSITIONS,
    InvalidFigure,
    PrintedFigure,
    format_canonical_number,
    interval_of,
    kind_of,
    magnitude_of,
    validate_figure,
)
from app.comparison.period import EdtfPeriod, InvalidPeriod, date_from_edtf, parse_period
from app.comparison.relative_base import base_period
from app.comparison.units import (
    PERCENT,
    RELATIVE_CHANGE_UNITS,
    TIMES,
    as_dimension,
    canonical_unit,
    dimension_of,
    suggest_unit,
)
from app.comparison.wording import find_relative_wording
from app.comparison.wordings.agreement import check_unit
from app.comparison.wordings.reader import read_wording
from app.comparison.wordings.reading import Reading, UnreadableWording, WordingContext
from app.database.types import ID_PATTERN
from app.enums import Aggregation, CitationRole, Fidelity, FigureKind, Proposition, Status
from app.errors import (
    DocumentDiffers,
    EditionAmbiguous,
    Fault,
    FigureDiffersFromWording,
    InvalidRequest,
    field_fault,
)
from app.http.schema_types import parse_moment
from app.sentences.figures import build_display
from app.sources.documents import require_no_difference, resolve_edition
from app.sources.editions import edition_key, is_other_edition
from app.sources.queries import SOURCE
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.slug_records import RecordType

_OTHER_FIGURE_FIELDS = {"kind", "unit", "language", "wording_differs", "display"}
"""The fields of a figure in a request that are no part of a `PrintedFigure`."""


@dataclass(slots=True)
class FaultCollector:
    """Collects the faults of a payload, so that all of them are reported at once. Pointers start at `base_pointer`."""

    base_pointer: str = ""
    faults: list[Fault] = field(default_factory=list)
    wording_faults: int = 0
    conflicts: list["DocumentConflict"] = field(default_factory=list)
    """Citations of documents that are recorded otherwise, or of which it is not clear which edition they are."""

    def add(self, pointer: str, detail: str, hint: str | None = None) -> None:
        """Add a fault at `pointer`."""
        self.faults.append(field_fault(self.base_pointer + pointer, detail, hint=hint or None))

    def add_breaches(self, breaches: Iterable[Breach]) -> None:
        """Add a fault for each broken rule."""
        for breach in breaches:
            self.add(breach.pointer, breach.detail, breach.hint)
            self.wording_faults += breach.rule in WORDING_RULES

    def raise_any(self) -> None:
        """Raise `InvalidRequest` if there is a fault, or `FigureDiffersFromWording` if that is all.

        Without a fault, raise the problem of a document, if there is one.
        """
        if self.faults:
            first = self.faults[0]
            is_wording = self.wording_faults == len(self.faults)
            problem = FigureDiffersFromWording if is_wording else InvalidRequest
            raise problem(f"{first.pointer}: {first.detail}", hint=first.hint, errors=self.faults)
        if self.conflicts:
            raise self.conflicts[0].problem


@dataclass(frozen=True, slots=True)
class DocumentConflict:
    """A cited document that cannot be one of the `candidates` without loss, or could be several, and the problem."""

    candidates: Sequence[RecordFields]
    problem: DocumentDiffers | EditionAmbiguous


@dataclass(frozen=True, slots=True)
class ValidatedClaim:
    """A valid claim: its columns, and the recorded document of each citation, or None for a new document."""

    state: dict[str, Any]
    documents: list[RecordFields | None]
    conflicts: dict[int, DocumentConflict] = field(default_factory=dict)
    """The conflicts of documents by the index of the citation, if the lookup defers them."""


def validate_claim(
    references: ReferenceLookup,
    payload: ClaimInput,
    base_pointer: str = "",
    changed_fields: Collection[str] | None = None,
    *,
    has_unstated_decimal: bool = False,
) -> ValidatedClaim:
    """Validate a claim by all rules. Raises `InvalidRequest` with all faults, with pointers below `base_pointer`.

    A correction is checked by the rules of `app/claims/rules.py` that depend on `changed_fields`. A new claim is
    checked by all of them, unless the same statement is already recorded. `has_unstated_decimal`: the numbers were read
    from the wording without a stated decimal sign, so that they do not confirm what its separators mean.
    """
    faults = FaultCollector(base_pointer)
    category = references.find_category(payload.category)
    if changed_fields is None or "figure" in changed_fields:
        payload = complete_figure(payload, category, faults)
    is_unread = bool(faults.faults)
    unit = _resolve_unit(references, payload, faults)
    figure = _validate_figure(payload, payload.figure.unit or (category.unit if category else None), faults)
    period = _validate_period(payload, faults)
    _check_slugs(references, payload, faults)
    if changed_fields is None or {"subject", "includes", "excludes"}.intersection(changed_fields):
        _check_scope(payload, faults)
    documents: list[RecordFields | None] = []
    conflicts: dict[int, DocumentConflict] = {}
    for i, citation in enumerate(payload.citations):
        documents.append(validate_citation(references, citation, payload.source, f"citations/{i}/", faults))
        if faults.conflicts and references.defers_document_conflicts:
            conflicts[i] = faults.conflicts.pop()
    statement_date = _resolve_date(references, payload, documents, faults)
    earliest_day = earliest_statement_day(statement_date, payload.date_edtf, payload.said_at)
    if changed_fields is None or "citations" in changed_fields:
        _check_citations(payload, documents, earliest_day, faults)
    if payload.confidence is not None:
        check_assessment_day(payload.confidence, earliest_day, "confidence/", faults)
    breaches = _find_breaches(
        references, payload, figure, unit, period, statement_date, changed_fields, has_unstated_decimal
    )
    if is_unread:
        breaches = [breach for breach in breaches if breach.rule not in WORDING_RULES]
    if faults.faults:
        faults.add_breaches(breaches)
    faults.raise_any()
    assert figure is not None  # noqa: S101 - otherwise there is a fault
    assert period is not None  # noqa: S101 - otherwise there is a fault
    state = {
        **{name: getattr(payload, name) for name in CLAIM_PLAIN_FIELDS},
        **_build_figure_columns(figure, payload.proposition),
        "language": payload.figure.language,
        "wording_differs": payload.figure.wording_differs,
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
    served_unit = unit or (category.unit if category else None)
    aggregation, per = payload.period.aggregation.value, payload.period.per
    state["display"] = build_display(figure, payload.proposition.value, served_unit, aggregation, per)
    fingerprint = compute_fingerprint(state)
    if breaches and not (changed_fields is None and references.has_statement(fingerprint)):
        faults.add_breaches(breaches)
        faults.raise_any()
    return ValidatedClaim(state | {"fingerprint": fingerprint}, documents, conflicts)


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
    if unit in _own_units(payload.proposition, category.unit):
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


def complete_figure(payload: ClaimInput, category: CategoryFields | None, faults: FaultCollector) -> ClaimInput:
    """Return a claim with the numbers that its wording states, if it has none. Collect a fault if that is not read.

    Of a claim with numbers, what the wording says of them is completed: whether they are approximate, and inclusive.
    """
    given = payload.figure
    if payload.proposition.value not in NUMERIC_PROPOSITIONS or category is None:
        return payload
    if given.value is not None and given.as_printed.isdigit():
        return payload
    unit = given.unit or (None if as_dimension(category.unit) else category.unit)
    context = wording_context(given.language, unit, payload.category, is_fractional=category.fractional)
    if given.value is not None or given.lower is not None or given.upper is not None:
        return _complete_qualifiers(payload, context)
    try:
        reading = read_wording(given.as_printed, context)
        check_unit(reading, _reading_context(context, payload, reading))
        _check_share(payload, reading, unit)
    except UnreadableWording as error:
        is_vague = given.kind is FigureKind.vague and not any(character.isdigit() for character in given.as_printed)
        if not is_vague:
            hint = error.hint or "give the numbers of the figure"
            faults.add(
                "figure/as_printed", f"The numbers are left out, and the wording is not read: {error.detail}", hint
            )
        return payload
    figure = reading.figure
    if not figure.has_number:
        return payload
    numbers = ("value", "lower", "upper", "lower_inclusive", "upper_inclusive", "out_of", "coverage")
    read = {name: getattr(figure, name) for name in numbers if getattr(given, name) is None}
    read["approximate"] = figure.approximate or given.approximate
    if given.unit is None and _is_own_unit(payload, reading, category):
        read["unit"] = reading.unit
    if given.relative_to is None and payload.proposition is not Proposition.quantity:
        read["relative_to"] = figure.relative_to
    return payload.model_copy(update={"figure": given.model_copy(update=read)})


def _check_share(payload: ClaimInput, reading: Reading, unit: str | None) -> None:
    """Raise `UnreadableWording` for "one in five" as a quantity in percent, which would be 1%."""
    if unit == PERCENT and payload.proposition is Proposition.quantity and reading.proposition == "ratio":
        detail = f"`{payload.figure.as_printed}` is a share, not a number of {unit}."
        raise UnreadableWording("share", detail, 'give the number in percent, or `"proposition": "ratio"`')


def _complete_qualifiers(payload: ClaimInput, context: WordingContext) -> ClaimInput:
    """Return a claim with what its wording says of its numbers, where the request does not say it."""
    given = payload.figure
    unsent = {
        name
        for name, number in (("lower_inclusive", given.lower), ("upper_inclusive", given.upper))
        if number is not None and getattr(given, name) is None
    }
    if "approximate" not in given.model_fields_set:
        unsent.add("approximate")
    if not unsent or given.wording_differs is not None:
        return payload
    try:
        read = read_wording(given.as_printed, context)
    except UnreadableWording:
        return payload
    numbers = ("value", "lower", "upper")
    if read.is_round or any(getattr(read.figure, name) != getattr(given, name) for name in numbers):
        return payload
    completed = {name: value for name in unsent if (value := getattr(read.figure, name)) is not None}
    return payload.model_copy(update={"figure": given.model_copy(update=completed)}) if completed else payload


def _reading_context(context: WordingContext, payload: ClaimInput, reading: Reading) -> WordingContext:
    """Return the unit that a wording is checked against: not that of the category for a rate, ratio or change."""
    is_rate = reading.per is not None and reading.per == payload.period.per
    is_relative = reading.proposition != "quantity" and reading.proposition == payload.proposition.value
    return replace(context, unit=None) if is_rate or is_relative else context


def _is_own_unit(payload: ClaimInput, reading: Reading, category: CategoryFields) -> bool:
    """Return whether the unit that a wording names is that of the claim itself."""
    if reading.unit is None or reading.unit == category.unit:
        return False
    dimension = as_dimension(category.unit)
    return reading.unit in _own_units(payload.proposition, category.unit) or (
        dimension is not None and dimension_of(reading.unit) == dimension
    )


def _own_units(proposition: Proposition, category_unit: str) -> frozenset[str]:
    """Return the units that a change or a ratio can have instead of that of its category.

    A change of what is in percent is relative ("5% higher") or in percentage points ("5 points higher").
    """
    if proposition is Proposition.change:
        return RELATIVE_CHANGE_UNITS if category_unit == PERCENT else frozenset({PERCENT})
    return frozenset({TIMES}) if proposition is Proposition.ratio else frozenset()


def _validate_figure(payload: ClaimInput, unit: str | None, faults: FaultCollector) -> PrintedFigure | None:
    printed = payload.figure.model_dump(exclude=_OTHER_FIGURE_FIELDS)
    try:
        figure = validate_figure(PrintedFigure(**printed), payload.proposition.value, unit)
    except InvalidFigure as error:
        faults.add(f"figure/{error.field}", str(error), error.hint)
        return None
    kind = kind_of(figure, payload.proposition.value)
    if payload.figure.kind is not None and payload.figure.kind.value != kind:
        faults.add("figure/kind", f"By its numbers, the kind is `{kind}`.", "leave `kind` out")
    if (
        payload.proposition is Proposition.change
        and unit not in RELATIVE_CHANGE_UNITS
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
    recorded = _find_recorded_document(references, document, base_pointer, faults)
    if document.publisher:
        faults.faults += references.find_faults(
            SOURCE, [(f"{faults.base_pointer}{base_pointer}document/publisher", document.publisher)]
        )
    if payload.via:
        publisher = document.publisher if recorded is None else recorded["publisher"]
        _check_chain(payload.via, claimant, publisher, base_pointer, faults)
    return recorded


document_fields: Callable[[CitedDocument], tuple[Any, ...]] = attrgetter(*CitedDocument.model_fields)
"""Returns the fields of a cited document as a tuple."""


def _find_recorded_document(
    references: ReferenceLookup, document: CitedDocument, base_pointer: str, faults: FaultCollector
) -> RecordFields | None:
    """Return the recorded document with the id or else of the edition of a payload, or None; collect its faults."""
    fields = document_fields(document)
    if (resolved := references.resolved_documents.get(fields)) is not None:
        return resolved
    given = document.model_dump()
    if document.id is not None:
        recorded = references.find_document(document.id) if ID_PATTERN.fullmatch(document.id) else None
        # The id of a document of another register may be that of another document here.
        if recorded is not None and not (references.accepts_document_ids and is_other_edition(recorded, given)):
            try:
                require_no_difference(recorded, given)
            except DocumentDiffers as problem:
                faults.conflicts.append(DocumentConflict([recorded], problem))
            return recorded
        if not (references.accepts_document_ids and document.title is not None and ID_PATTERN.fullmatch(document.id)):
            hint = "leave `id` out for a new document" if document.title is not None else None
            faults.add(f"{base_pointer}document/id", f"There is no document `{document.id}`.", hint)
            return None
    candidates = references.find_editions(given)
    try:
        recorded = resolve_edition(candidates, given)
    except (DocumentDiffers, EditionAmbiguous) as problem:
        faults.conflicts.append(DocumentConflict(candidates, problem))
        return candidates[0] if len(candidates) == 1 else None
    if recorded is None and document.title is None:
        faults.add(f"{base_pointer}document/title", "A document that is not recorded yet needs a title.")
    if recorded is not None and edition_key(recorded) == edition_key(given):
        references.resolved_documents[fields] = recorded
    return recorded


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
    span = _parse_statement_date(payload.date_edtf, faults)
    if span is None:
        return None
    if span.earliest_start is not None and span.earliest_start > today:
        faults.add("date_edtf", f"`{payload.date_edtf}` is in the future.")
    if payload.date is None:
        return date_from_edtf(payload.date_edtf, not_after)
    if not _includes(span, payload.date):
        faults.add("date", f"`{payload.date}` is not within `{payload.date_edtf}`.")
    return payload.date


def _parse_statement_date(edtf: str, faults: FaultCollector) -> EdtfPeriod | None:
    """Parse the day of a statement in EDTF: a date, or an interval such as `2024-12-31/..`, not before that day."""
    try:
        return parse_period(edtf)
    except InvalidPeriod as error:
        faults.add("date_edtf", str(error), error.hint)
        return None


def _includes(period: EdtfPeriod, day: date) -> bool:
    first, last = period.earliest_start, period.latest_end
    return (first is None or first <= day) and (last is None or day <= last)


def _resolve_moment(references: ReferenceLookup, payload: ClaimInput, said_at: str, faults: FaultCollector) -> date:
    """Return the day of a moment at its own offset. Collect a fault if the date of the claim is another day."""
    moment = parse_moment(said_at)
    day = moment.date()
    if moment > references.now:
        faults.add("said_at", f"`{said_at}` is in the future.")
    if payload.date is not None and payload.date != day:
        faults.add("date", f"`{payload.date}` is not the day of `said_at`, which is {day}.", "leave `date` out")
    if payload.date_edtf is not None:
        span = _parse_statement_date(payload.date_edtf, faults)
        if span is not None and not _includes(span, day):
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
    has_unstated_decimal: bool,  # noqa: FBT001 - an argument of `validate_claim`
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
            is_fractional=category.fractional,
            category=payload.category,
            language=payload.figure.language,
            wording_differs=payload.figure.wording_differs,
            quotes=verbatim_quotes(payload.citations, payload.figure.language),
            confirms_separators=not has_unstated_decimal,
        )
    )
    if changed_fields is None:
        return breaches
    return [breach for breach in breaches if not RULE_FIELDS[breach.rule].isdisjoint(changed_fields)]


def check_quote(claim: Mapping[str, Any], payload: CitationInput, faults: FaultCollector) -> None:
    """Collect a fault if a citation of a recorded claim has a verbatim quote that differs from its figure."""
    figure, quotes = claim["figure"], verbatim_quotes([payload], claim["figure"]["language"])
    if not quotes or figure["wording_differs"] is not None or claim["proposition"] not in NUMERIC_PROPOSITIONS:
        return
    printed = PrintedFigure(**{name: figure[name] for name in (*FIGURE_PLAIN_FIELDS, *FIGURE_NUMBER_FIELDS)})
    context = wording_context(figure["language"], figure["unit"], claim["category"], is_fractional=True)
    if (breach := find_quote_breach(replace(quotes[0], pointer="quote"), printed, context)) is not None:
        faults.add_breaches([breach])


def verbatim_quotes(citations: Sequence[CitationInput], language: str | None) -> tuple[VerbatimQuote, ...]:
    """Return the quotes of citations that give them as verbatim. `language` is that of the figure."""
    return tuple(
        VerbatimQuote(f"citations/{i}/quote", citation.quote, citation.quote_language or language)
        for i, citation in enumerate(citations)
        if citation.fidelity is Fidelity.verbatim and citation.quote is not None
    )


def earliest_statement_day(statement_date: date | None, date_edtf: str | None, said_at: str | None) -> date | None:
    """Return the earliest day that the date of a claim can mean, or None if it is unknown."""
    if date_edtf is None or said_at is not None:
        return statement_date
    try:
        return parse_period(date_edtf).earliest_start or statement_date
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
        "marked": False,
    }
