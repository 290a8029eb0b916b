"""Claims as they are written: every rule of the contract is checked before the first row is."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson
from sqlalchemy import select
from uuid_utils import uuid7

from app.changes.clock import Log
from app.claims.figure import Figure, FigureFault, canonical_number, checked, interval, kind_of, magnitude
from app.claims.given import FIGURE, NUMBERS
from app.claims.period import Period, PeriodFault, date_from_edtf, parse_date, parse_period
from app.claims.schemas import AssessmentInput, CitationInput, CitedDocument, ClaimInput, RelationInput
from app.claims.wording import parse_wording
from app.problems import DuplicateClaim, Fault, InvalidRequest, fault
from app.shapes import ID_PATTERN
from app.sources.queries import SOURCE, document_at, document_cards, document_faults, holders, record_document
from app.sources.schemas import DocumentInput
from app.tables import (
    AssessmentVersion,
    CategoryVersion,
    CitationVersion,
    ClaimVersion,
    RelationVersion,
    columns_of,
)
from app.vocabulary.kinds import CATEGORY, PLACE, SUBJECT
from app.vocabulary.slugged import Slugged, unknown_slugs
from app.vocabulary.terms import CitationRole, FigureKind, Proposition, Status

EDITORS = "editors"
"""Who asserts a relation that no source asserts."""


@dataclass(slots=True)
class Faults:
    """What was found wrong so far, with pointers below `at`: everything is reported at once."""

    at: str = ""
    found: list[Fault] = field(default_factory=list)

    def add(self, pointer: str, detail: str, hint: str | None = None) -> None:
        """Note what is wrong at `pointer`."""
        self.found.append(fault(self.at + pointer, detail, hint=hint or None))

    def raise_any(self) -> None:
        """Raise `InvalidRequest` if anything was wrong."""
        if self.found:
            first = self.found[0]
            raise InvalidRequest(f"{first.pointer}: {first.detail}", hint=first.hint, errors=self.found)


@dataclass(frozen=True, slots=True)
class Checked:
    """A claim that keeps every rule: its columns, and for each citation the recorded document that it names by id."""

    state: dict[str, Any]
    documents: list[dict[str, Any] | None]


def check_claim(log: Log, given: ClaimInput, at: str = "") -> Checked:
    """Check every rule of the contract. Raises `InvalidRequest` with every fault, its pointers below `at`."""
    faults = Faults(at)
    figure = _figure(log, given, faults)
    period = _period(given, faults)
    _check_slugs(log, given, faults)
    documents = [
        _check_citation(log, cited, given.source, f"citations/{i}/", faults) for i, cited in enumerate(given.citations)
    ]
    said_on = _said_on(log, given, documents, faults)
    faults.raise_any()
    assert figure is not None  # noqa: S101 - there is a fault without one
    assert period is not None  # noqa: S101 - there is a fault without one
    state = {
        **_plain_fields(given),
        **_figure_fields(figure, given.proposition),
        "period": period.edtf,
        "period_start": period.first,
        "period_end": period.last,
        "aggregation": given.period.aggregation,
        "date": said_on,
        "date_edtf": given.date_edtf or (said_on.isoformat() if said_on else None),
        "status": Status.asserted,
        "retracted_on": None,
    }
    return Checked(state | {"fingerprint": fingerprint(state)}, documents)


def record_claim(log: Log, given: ClaimInput, id_: str | None = None) -> str:
    """Record a new claim with its citations, and its first assessment if one is given; return its id.

    Raises `InvalidRequest` with every fault, or `DuplicateClaim` with the claim that stands.
    """
    checked = check_claim(log, given)
    refuse_duplicate(log, checked.state["fingerprint"])
    id_ = id_ or str(uuid7())
    # The documents come first in the log, so that whoever follows it knows them before the claim that cites them.
    states = [
        citation_state(log, cited, id_, given.source, known)
        for cited, known in zip(given.citations, checked.documents, strict=True)
    ]
    log.record(ClaimVersion, id_, checked.state, action="created", claim=id_)
    for state in states:
        log.put(CitationVersion, str(uuid7()), state)
    if given.confidence is not None:
        record_assessment(log, id_, given.confidence)
    return id_


def record_citation(log: Log, claim: Mapping[str, Any], given: CitationInput) -> str:
    """Add a citation to a claim: the tenth outlet that repeats a figure is no tenth claim."""
    faults = Faults()
    known = _check_citation(log, given, claim["source"]["slug"], "", faults)
    faults.raise_any()
    state = citation_state(log, given, claim["id"], claim["source"]["slug"], known)
    id_ = str(uuid7())
    log.record(CitationVersion, id_, state, action="created", claim=claim["id"])
    return id_


def record_assessment(log: Log, claim: str, given: AssessmentInput) -> str:
    """Add an assessment; the ones before it stay."""
    id_ = str(uuid7())
    state = {
        **{name: getattr(given, name) for name in ("level", "reliability", "credibility", "stated", "rationale")},
        "claim": claim,
        "assessor": given.assessor or log.actor,
        "assessed_on": given.assessed_on or log.at.date(),
        "withdrawn": False,
    }
    log.record(AssessmentVersion, id_, state, action="created", claim=claim)
    return id_


def record_relation(log: Log, claim: str, given: RelationInput) -> str:
    """Add a relation from `claim`. Raises `InvalidRequest` where it has no end, or two, or ends where it began."""
    faults = Faults()
    if (given.claim is None) == (given.source is None):
        faults.add("claim", "Expected either `claim` or `source`.")
    if given.claim == claim:
        faults.add("claim", "A claim has no relation to itself.")
    elif given.claim is not None and not _stands(log, given.claim):
        faults.add("claim", f"There is no claim `{given.claim}`.")
    used = [("source", given.source)] if given.source else []
    used += [("asserted_by", given.asserted_by)] if given.asserted_by != EDITORS else []
    faults.found += unknown_slugs(log, SOURCE, used)
    if given.document is not None and not document_cards(log.session, [given.document], log.view):
        faults.add("document", f"There is no document `{given.document}`.")
    faults.raise_any()
    id_ = str(uuid7())
    shared = ("type", "asserted_by", "scope", "independence", "document", "quote", "note")
    state = {name: getattr(given, name) for name in shared}
    state |= {"claim": claim, "to_claim": given.claim, "to_source": given.source, "withdrawn": False}
    log.record(RelationVersion, id_, state, action="created", claim=claim)
    return id_


def fingerprint(state: Mapping[str, Any]) -> str:
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
        [None if number is None else canonical_number(number) for number in numbers],
        [state["lower_inclusive"], state["upper_inclusive"], state["approximate"], state["relative_to"]],
        state["period"],
        sorted(state["includes"]),
        sorted(state["excludes"]),
        state["date"],
        None if has_number else " ".join(state["as_printed"].casefold().split()),
    ]
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()


def _figure(log: Log, given: ClaimInput, faults: Faults) -> Figure | None:
    printed = given.figure.model_dump(exclude={"kind", "unit"})
    try:
        figure = checked(Figure(**printed), given.proposition.value)
    except FigureFault as wrong:
        faults.add(f"figure/{wrong.field}", str(wrong), wrong.hint)
        return None
    kind = kind_of(figure, given.proposition.value)
    if given.figure.kind is not None and given.figure.kind.value != kind:
        faults.add("figure/kind", f"These numbers make it `{kind}`.", "leave `kind` out")
    if kind == FigureKind.vague and (read := parse_wording(figure.as_printed)) is not None and read.has_number:
        numbers = {name: getattr(read, name) for name in ("value", "lower", "upper") if getattr(read, name) is not None}
        hint = ", ".join(f'"{name}": {number}' for name, number in numbers.items())
        faults.add("figure", f"`{figure.as_printed}` says a number, and none is given.", f"did you mean {hint}?")
    if given.figure.unit is not None:
        category = columns_of(CategoryVersion)
        stands = select(category.unit).where(category.slug == given.category, log.view.holds(CategoryVersion))
        unit = log.session.execute(stands).scalar()
        if unit is not None and unit != given.figure.unit:
            faults.add("figure/unit", f"The unit of `{given.category}` is `{unit}`.", "leave `unit` out")
    return figure


def _period(given: ClaimInput, faults: Faults) -> Period | None:
    try:
        return parse_period(given.period.edtf)
    except PeriodFault as wrong:
        faults.add("period/edtf", str(wrong), wrong.hint)
        return None


def _check_slugs(log: Log, given: ClaimInput, faults: Faults) -> None:
    counted = [
        (f"{name}/{i}", slug) for name in ("includes", "excludes") for i, slug in enumerate(getattr(given, name))
    ]
    wanted: list[tuple[Slugged, list[tuple[str, str]]]] = [
        (CATEGORY, [("category", given.category)]),
        (SUBJECT, [("subject", given.subject), *counted]),
        (PLACE, [("place", given.place)]),
        (SOURCE, [("source", given.source)]),
    ]
    for kind, used in wanted:
        faults.found += unknown_slugs(log, kind, [(faults.at + pointer, slug) for pointer, slug in used])
    for i, slug in enumerate(given.includes):
        if slug in given.excludes:
            faults.add(f"includes/{i}", f"`{slug}` is also excluded.")


def _check_citation(log: Log, given: CitationInput, claimant: str, at: str, faults: Faults) -> dict[str, Any] | None:
    """Note what is wrong with a citation; return the recorded document that it names by id, if it names one."""
    faults.found += unknown_slugs(log, SOURCE, [(f"{faults.at}{at}via/{i}", slug) for i, slug in enumerate(given.via)])
    document = given.document
    known = None
    if document.id is not None and ID_PATTERN.fullmatch(document.id):
        known = document_cards(log.session, [document.id], log.view).get(document.id)
    if known is None:
        if document.id is not None and (document.title is None or not ID_PATTERN.fullmatch(document.id)):
            faults.add(f"{at}document/id", f"There is no document `{document.id}`.")
        elif document.title is None:
            faults.add(f"{at}document/title", "A document that is not recorded yet needs a title.")
        faults.found += document_faults(log, document, f"{faults.at}{at}document/")
    _check_chain(given.via, claimant, _publisher(log, document, known) if given.via else None, at, faults)
    return known


def _publisher(log: Log, document: CitedDocument, known: Mapping[str, Any] | None) -> str | None:
    """Who published a document: of one address there is one, whatever is said of it now."""
    if known is None and document.url is not None and (stands := document_at(log, document.url)) is not None:
        known = document_cards(log.session, [stands], log.view)[stands]
    publisher: str | None = document.publisher if known is None else known["publisher"]
    return publisher


def _check_chain(via: Sequence[str], claimant: str, publisher: str | None, at: str, faults: Faults) -> None:
    """Note a link that is an end of its chain, or stands in it twice."""
    for i, slug in enumerate(via):
        if slug == claimant:
            faults.add(f"{at}via/{i}", f"`{slug}` is the claimant; `via` names the sources in between.")
        elif slug == publisher:
            faults.add(f"{at}via/{i}", f"`{slug}` published the document; `via` names the sources in between.")
        elif slug in via[:i]:
            faults.add(f"{at}via/{i}", f"`{slug}` stands in this chain already.")


def _said_on(log: Log, given: ClaimInput, documents: list[dict[str, Any] | None], faults: Faults) -> date | None:
    """The day on which it was said: the last that it can be, so that nothing counts as known too early."""
    if given.date is not None and given.date > log.at.date():
        faults.add("date", f"`{given.date}` has not come yet.")
    if given.date_edtf is None:
        return given.date
    published = [
        known["published_on"] if known else cited.document.published_on
        for known, cited in zip(documents, given.citations, strict=True)
    ]
    not_after = min([log.at.date(), *(day for day in published if day is not None)])
    try:
        span = parse_date(given.date_edtf)
        day = date_from_edtf(given.date_edtf, not_after)
    except PeriodFault as wrong:
        faults.add("date_edtf", str(wrong), wrong.hint)
        return None
    if span.earliest is not None and span.earliest > log.at.date():
        faults.add("date_edtf", f"`{given.date_edtf}` has not come yet.")
    if given.date is None:
        return day
    if (span.earliest and given.date < span.earliest) or (span.latest and given.date > span.latest):
        faults.add("date", f"`{given.date}` does not lie in `{given.date_edtf}`.")
    return given.date


def _plain_fields(given: ClaimInput) -> dict[str, Any]:
    same = (
        "category",
        "subject",
        "place",
        "proposition",
        "modality",
        "derivation",
        "includes",
        "excludes",
        "note",
        "source",
    )
    return {name: getattr(given, name) for name in same}


def _figure_fields(figure: Figure, proposition: Proposition) -> dict[str, Any]:
    ends = interval(figure)
    return {name: getattr(figure, name) for name in (*FIGURE, *NUMBERS)} | {
        "kind": FigureKind(kind_of(figure, proposition.value)),
        "low": ends.lower if ends else None,
        "high": ends.upper if ends else None,
        "magnitude": magnitude(figure),
    }


def citation_state(
    log: Log, given: CitationInput, claim: str, claimant: str, known: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The columns of a citation; its document is recorded if it is not yet."""
    same = ("via", "fidelity", "quote", "quote_language", "translation", "locator", "gap", "withdrawn_on")
    document = _document_id(log, given.document, known)
    role = given.role
    if role is None:
        publisher = document_cards(log.session, [document], log.view)[document]["publisher"]
        held = holders(log.session, log.view)
        own = publisher is not None and held.get(publisher, publisher) == held.get(claimant, claimant)
        role = CitationRole.original if own else CitationRole.relay
    return {name: getattr(given, name) for name in same} | {"claim": claim, "document": document, "role": role}


def _document_id(log: Log, given: CitedDocument, known: Mapping[str, Any] | None) -> str:
    if known is not None:
        return str(known["id"])
    document = DocumentInput(**given.model_dump(exclude={"id"}))
    return record_document(log, document, given.id if given.id and ID_PATTERN.fullmatch(given.id) else None)[0]


def refuse_duplicate(log: Log, print_: str) -> None:
    """Raise `DuplicateClaim` where a claim with this fingerprint stands, or stood and was taken down."""
    columns = columns_of(ClaimVersion)
    stands = select(columns.id, columns.status).where(columns.fingerprint == print_, log.view.holds(ClaimVersion))
    found = log.session.execute(stands).first()
    if found is not None and found.status == Status.removed:
        raise DuplicateClaim("The same statement was taken down.", more={"claim": found.id})
    if found is not None:
        address = f"/v1/claims/{found.id}"
        raise DuplicateClaim(
            f"The same statement stands as {address}.",
            hint=f"if another outlet repeats it, add a citation: POST {address}/citations",
            headers={"Link": f'<{address}>; rel="duplicate"'},
            more={"claim": found.id, "links": {"claim": address}},
        )


def _stands(log: Log, claim: str) -> bool:
    if not ID_PATTERN.fullmatch(claim):
        return False
    columns = columns_of(ClaimVersion)
    stands = select(columns.version).where(columns.id == claim, log.view.holds(ClaimVersion))
    return log.session.execute(stands.where(columns.status != Status.removed)).first() is not None
