"""The rules of a claim: everything that the contract asks of one is checked before the first row is written."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson

from app.claims.lookups import RecordFields, ReferenceLookup
from app.claims.schemas import CitationInput, CitedDocument, ClaimInput
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
from app.comparison.wording import parse_wording
from app.database.types import ID_PATTERN
from app.enums import CitationRole, FigureKind, Proposition, Status
from app.errors import Fault, InvalidRequest, field_fault
from app.sources.queries import SOURCE
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.slug_records import RecordType


@dataclass(slots=True)
class FaultCollector:
    """What was found wrong so far, with pointers below `at`: everything is reported at once."""

    base_pointer: str = ""
    faults: list[Fault] = field(default_factory=list)

    def add(self, pointer: str, detail: str, hint: str | None = None) -> None:
        """Note what is wrong at `pointer`."""
        self.faults.append(field_fault(self.base_pointer + pointer, detail, hint=hint or None))

    def raise_any(self) -> None:
        """Raise `InvalidRequest` if anything was wrong."""
        if self.faults:
            first = self.faults[0]
            raise InvalidRequest(f"{first.pointer}: {first.detail}", hint=first.hint, errors=self.faults)


@dataclass(frozen=True, slots=True)
class ValidatedClaim:
    """A claim that keeps every rule: its columns, and for each citation the recorded document that it names, if any."""

    state: dict[str, Any]
    documents: list[RecordFields | None]


def validate_claim(known: ReferenceLookup, given: ClaimInput, at: str = "") -> ValidatedClaim:
    """Check every rule of the contract. Raises `InvalidRequest` with every fault, its pointers below `at`."""
    faults = FaultCollector(at)
    figure = _validate_figure(known, given, faults)
    period = _validate_period(given, faults)
    _check_slugs(known, given, faults)
    documents = [
        validate_citation(known, cited, given.source, f"citations/{i}/", faults)
        for i, cited in enumerate(given.citations)
    ]
    said_on = _resolve_date(known, given, documents, faults)
    faults.raise_any()
    assert figure is not None  # noqa: S101 - there is a fault without one
    assert period is not None  # noqa: S101 - there is a fault without one
    state = {
        **{name: getattr(given, name) for name in CLAIM_PLAIN_FIELDS},
        **_build_figure_columns(figure, given.proposition),
        "period": period.edtf,
        "period_start": period.earliest_start,
        "period_end": period.latest_end,
        "aggregation": given.period.aggregation,
        "date": said_on,
        "date_edtf": given.date_edtf or (said_on.isoformat() if said_on else None),
        "status": Status.asserted,
        "retracted_on": None,
    }
    return ValidatedClaim(state | {"fingerprint": compute_fingerprint(state)}, documents)


def find_retraction_fault(said_on: date | None, retracted_on: date, today: date) -> str | None:
    """What is wrong with the day on which a source is said to have taken its claim back, if anything is."""
    if said_on is not None and retracted_on < said_on:
        return f"The claim was made on {said_on}, after that day."
    return f"{retracted_on} has not come yet." if retracted_on > today else None


def compute_fingerprint(state: Mapping[str, Any]) -> str:
    """What makes a claim that claim: two records with one fingerprint are the same statement.

    Numbers count as numbers, however they were printed; the words count only where there are no numbers.
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
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()


def _validate_figure(known: ReferenceLookup, given: ClaimInput, faults: FaultCollector) -> PrintedFigure | None:
    printed = given.figure.model_dump(exclude={"kind", "unit"})
    try:
        figure = validate_figure(PrintedFigure(**printed), given.proposition.value)
    except InvalidFigure as wrong:
        faults.add(f"figure/{wrong.field}", str(wrong), wrong.hint)
        return None
    kind = kind_of(figure, given.proposition.value)
    if given.figure.kind is not None and given.figure.kind.value != kind:
        faults.add("figure/kind", f"These numbers make it `{kind}`.", "leave `kind` out")
    if kind == FigureKind.vague and (read := parse_wording(figure.as_printed)) is not None and read.has_number:
        numbers = {name: getattr(read, name) for name in ("value", "lower", "upper") if getattr(read, name) is not None}
        hint = ", ".join(f'"{name}": {number}' for name, number in numbers.items())
        faults.add("figure", f"`{figure.as_printed}` says a number, and none is given.", f"did you mean {hint}?")
    if given.figure.unit is not None and (unit := known.find_unit(given.category)) not in {None, given.figure.unit}:
        faults.add("figure/unit", f"The unit of `{given.category}` is `{unit}`.", "leave `unit` out")
    return figure


def _validate_period(given: ClaimInput, faults: FaultCollector) -> EdtfPeriod | None:
    try:
        return parse_period(given.period.edtf)
    except InvalidPeriod as wrong:
        faults.add("period/edtf", str(wrong), wrong.hint)
        return None


def _check_slugs(known: ReferenceLookup, given: ClaimInput, faults: FaultCollector) -> None:
    if not (given.includes or given.excludes) and known.has_cached_slugs(
        given.category, given.subject, given.place, given.source
    ):
        return
    counted = [
        (f"{name}/{i}", slug) for name in ("includes", "excludes") for i, slug in enumerate(getattr(given, name))
    ]
    wanted: list[tuple[RecordType, list[tuple[str, str]]]] = [
        (CATEGORY, [("category", given.category)]),
        (SUBJECT, [("subject", given.subject), *counted]),
        (PLACE, [("place", given.place)]),
        (SOURCE, [("source", given.source)]),
    ]
    for kind, used in wanted:
        faults.faults += known.find_faults(kind, [(faults.base_pointer + pointer, slug) for pointer, slug in used])
    for i, slug in enumerate(given.includes):
        if slug in given.excludes:
            faults.add(f"includes/{i}", f"`{slug}` is also excluded.")


def validate_citation(
    known: ReferenceLookup, given: CitationInput, claimant: str, at: str, faults: FaultCollector
) -> RecordFields | None:
    """Note what is wrong with a citation; return the recorded document that it names, if there is one yet."""
    faults.faults += known.find_faults(
        SOURCE, [(f"{faults.base_pointer}{at}via/{i}", slug) for i, slug in enumerate(given.via)]
    )
    document = given.document
    recorded = _find_recorded_document(known, document)
    if document.id is not None and (
        not ID_PATTERN.fullmatch(document.id) or (recorded is None and document.title is None)
    ):
        faults.add(f"{at}document/id", f"There is no document `{document.id}`.")
    elif recorded is None and document.title is None:
        faults.add(f"{at}document/title", "A document that is not recorded yet needs a title.")
    if document.publisher:
        faults.faults += known.find_faults(
            SOURCE, [(f"{faults.base_pointer}{at}document/publisher", document.publisher)]
        )
    if given.via:
        publisher = document.publisher if recorded is None else recorded["publisher"]
        _check_chain(given.via, claimant, publisher, at, faults)
    return recorded


def _find_recorded_document(known: ReferenceLookup, document: CitedDocument) -> RecordFields | None:
    """The document that is meant: of one address there is one, whatever is said of it now."""
    if document.id is not None and ID_PATTERN.fullmatch(document.id) and (card := known.find_document(document.id)):
        return card
    return known.find_document_by_url(document.url) if document.url is not None else None


def _check_chain(via: Sequence[str], claimant: str, publisher: str | None, at: str, faults: FaultCollector) -> None:
    """Note a link that is an end of its chain, or stands in it twice."""
    for i, slug in enumerate(via):
        if slug == claimant:
            faults.add(f"{at}via/{i}", f"`{slug}` is the claimant; `via` names the sources in between.")
        elif slug == publisher:
            faults.add(f"{at}via/{i}", f"`{slug}` published the document; `via` names the sources in between.")
        elif slug in via[:i]:
            faults.add(f"{at}via/{i}", f"`{slug}` stands in this chain already.")


def _resolve_date(
    known: ReferenceLookup, given: ClaimInput, documents: Sequence[RecordFields | None], faults: FaultCollector
) -> date | None:
    """The day on which it was said: the last that it can be, so that nothing counts as known too early."""
    today = known.today
    if given.date is not None and given.date > today:
        faults.add("date", f"`{given.date}` has not come yet.")
    if given.date_edtf is None:
        return given.date
    published = [
        recorded["published_on"] if recorded else cited.document.published_on
        for recorded, cited in zip(documents, given.citations, strict=True)
    ]
    not_after = min([today, *(day for day in published if day is not None)])
    try:
        span = parse_date(given.date_edtf)
        day = date_from_edtf(given.date_edtf, not_after)
    except InvalidPeriod as wrong:
        faults.add("date_edtf", str(wrong), wrong.hint)
        return None
    if span.earliest is not None and span.earliest > today:
        faults.add("date_edtf", f"`{given.date_edtf}` has not come yet.")
    if given.date is None:
        return day
    if (span.earliest and given.date < span.earliest) or (span.latest and given.date > span.latest):
        faults.add("date", f"`{given.date}` does not lie in `{given.date_edtf}`.")
    return given.date


def _build_figure_columns(figure: PrintedFigure, proposition: Proposition) -> dict[str, Any]:
    ends = interval_of(figure)
    return {name: getattr(figure, name) for name in (*FIGURE_PLAIN_FIELDS, *FIGURE_NUMBER_FIELDS)} | {
        "kind": FigureKind(kind_of(figure, proposition.value)),
        "low": ends.lower if ends else None,
        "high": ends.upper if ends else None,
        "magnitude": magnitude_of(figure),
    }


def build_citation_columns(
    known: ReferenceLookup, given: CitationInput, claim: str, claimant: str, document: RecordFields
) -> dict[str, Any]:
    """The columns of a citation in `document`, a recorded one or one that will be."""
    same = ("via", "fidelity", "quote", "quote_language", "translation", "locator", "gap", "withdrawn_on")
    role = given.role
    if role is None:
        publisher = document["publisher"]
        own = publisher is not None and known.find_position_holder(publisher) == known.find_position_holder(claimant)
        role = CitationRole.original if own else CitationRole.relay
    return {name: getattr(given, name) for name in same} | {"claim": claim, "document": document["id"], "role": role}
