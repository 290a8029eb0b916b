"""Claims as they are written: checked first, and then recorded with their citations."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from uuid_utils import uuid7

from app.claims.lookups import CachedReferenceLookup, RecordFields, ReferenceLookup
from app.claims.queries import read_claim
from app.claims.schemas import AssessmentInput, CitationInput, CitedDocument, ClaimInput, RelationInput
from app.claims.serialization.input_fields import FIGURE_NUMBER_FIELDS
from app.claims.serialization.rows import CITATION_COLUMNS, build_claim_response
from app.claims.validation import FaultCollector, build_citation_columns, validate_citation, validate_claim
from app.database.tables import (
    AssessmentVersion,
    CitationVersion,
    ClaimVersion,
    DocumentVersion,
    RelationVersion,
    columns_of,
)
from app.database.transaction import WriteTransaction
from app.database.types import ID_PATTERN
from app.enums import Status
from app.errors import DuplicateClaim
from app.sources.documents import DOCUMENT_CARD_FIELDS, DOCUMENT_INPUT_FIELDS
from app.sources.queries import SOURCE

CITATION_RESPONSE_FIELDS = ("id", "document", *(name for name in CITATION_COLUMNS if name != "id"))
"""What a citation shows, in order."""

EDITORS = "editors"
"""Who asserts a relation that no source asserts."""


def record_claim(
    log: WriteTransaction, given: ClaimInput, id_: str | None = None, import_id: str | None = None
) -> dict[str, Any]:
    """Record a new claim with its citations, and its first assessment if one is given; return it as it is served.

    Raises `InvalidRequest` with every fault, or `DuplicateClaim` with the claim that stands.
    """
    known = CachedReferenceLookup.for_transaction(log)
    checked = validate_claim(known, given)
    refuse_duplicate(log, checked.state["fingerprint"])
    fresh, id_ = id_ is None, id_ or str(uuid7())
    # The documents come first in the log, so that whoever follows it knows them before the claim that cites them.
    documents = [
        recorded or _record_cited_document(log, known, cited.document)
        for cited, recorded in zip(given.citations, checked.documents, strict=True)
    ]
    state = {**checked.state, "import_id": import_id}
    log.record(ClaimVersion, id_, state, action="created", claim=id_, fresh=fresh)
    seq, citations = log.seq, []
    for cited, document in zip(given.citations, documents, strict=True):
        columns = build_citation_columns(known, cited, id_, given.source, document)
        citations.append({**columns, "id": str(uuid7()), "document": document})
        log.add_version(CitationVersion, citations[-1]["id"], columns, revision=1)
    if given.confidence is not None:
        record_assessment(log, id_, given.confidence)
    known.add_recorded_claim(state["fingerprint"], id_)
    if given.confidence is not None:
        return read_claim(log.session, id_, log.snapshot)
    return _build_new_claim_response(
        known, {**state, "id": id_, "revision": 1, "seq": seq, "recorded_at": log.at}, citations
    )


def _build_new_claim_response(
    known: ReferenceLookup, state: Mapping[str, Any], citations: list[dict[str, Any]]
) -> dict[str, Any]:
    """What reading a new claim would show, without reading it."""
    source = {f"source_{name}": value for name, value in known.find_source(state["source"]).items()}
    numbers = {name: None if state[name] is None else float(state[name]) for name in FIGURE_NUMBER_FIELDS}
    row = {**state, **source, **numbers, "unit": known.find_unit(state["category"])}
    shown = [{name: cited[name] for name in CITATION_RESPONSE_FIELDS} for cited in citations]
    return build_claim_response(row, shown, None, known.snapshot)


def record_citation(log: WriteTransaction, claim: Mapping[str, Any], given: CitationInput) -> str:
    """Add a citation to a claim: the tenth outlet that repeats a figure is no tenth claim."""
    faults = FaultCollector()
    known = ReferenceLookup(log.session, log.snapshot)
    recorded = validate_citation(known, given, claim["source"]["slug"], "", faults)
    faults.raise_any()
    state = prepare_citation_columns(log, known, given, claim["id"], claim["source"]["slug"], recorded)
    id_ = str(uuid7())
    log.record(CitationVersion, id_, state, action="created", claim=claim["id"])
    return id_


def record_assessment(log: WriteTransaction, claim: str, given: AssessmentInput) -> str:
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


def record_relation(log: WriteTransaction, claim: str, given: RelationInput) -> str:
    """Add a relation from `claim`. Raises `InvalidRequest` where it has no end, or two, or ends where it began."""
    faults = FaultCollector()
    if (given.claim is None) == (given.source is None):
        faults.add("claim", "Expected either `claim` or `source`.")
    if given.claim == claim:
        faults.add("claim", "A claim has no relation to itself.")
    elif given.claim is not None and not _is_current_claim(log, given.claim):
        faults.add("claim", f"There is no claim `{given.claim}`.")
    used = [("source", given.source)] if given.source else []
    used += [("asserted_by", given.asserted_by)] if given.asserted_by != EDITORS else []
    known = ReferenceLookup(log.session, log.snapshot)
    faults.faults += known.find_faults(SOURCE, used)
    if given.document is not None and known.find_document(given.document) is None:
        faults.add("document", f"There is no document `{given.document}`.")
    faults.raise_any()
    id_ = str(uuid7())
    shared = ("type", "asserted_by", "scope", "independence", "document", "quote", "note")
    state = {name: getattr(given, name) for name in shared}
    state |= {"claim": claim, "to_claim": given.claim, "to_source": given.source, "withdrawn": False}
    log.record(RelationVersion, id_, state, action="created", claim=claim)
    return id_


def prepare_citation_columns(
    log: WriteTransaction,
    known: ReferenceLookup,
    given: CitationInput,
    claim: str,
    claimant: str,
    recorded: RecordFields | None,
) -> dict[str, Any]:
    """The columns of a citation; its document is recorded if it is not yet."""
    return build_citation_columns(
        known, given, claim, claimant, recorded or _record_cited_document(log, known, given.document)
    )


def _record_cited_document(log: WriteTransaction, known: ReferenceLookup, given: CitedDocument) -> RecordFields:
    """Record the document of a citation, unless the claim has cited it already: of one address there is one."""
    if given.url is not None and (found := known.find_document_by_url(given.url)):
        return found
    id_ = str(uuid7()) if given.id is None else given.id
    state = {name: getattr(given, name) for name in DOCUMENT_INPUT_FIELDS}
    log.record(DocumentVersion, id_, state, action="created", fresh=given.id is None)
    publisher = None if given.publisher is None else known.find_source(given.publisher)["name"]
    shown = {**state, "id": id_, "publisher_name": publisher}
    card = {name: shown[name] for name in DOCUMENT_CARD_FIELDS}
    known.add_pending_document(card)
    return card


def refuse_duplicate(log: WriteTransaction, print_: str) -> None:
    """Raise `DuplicateClaim` where a claim with this fingerprint stands, or stood and was taken down."""
    found = CachedReferenceLookup.for_transaction(log).find_duplicate(print_)
    if found is None:
        return
    id_, status = found
    if status == Status.removed:
        raise DuplicateClaim("The same statement was taken down.", more={"claim": id_})
    address = f"/v1/claims/{id_}"
    raise DuplicateClaim(
        f"The same statement stands as {address}.",
        hint=f"if another outlet repeats it, add a citation: POST {address}/citations",
        headers={"Link": f'<{address}>; rel="duplicate"'},
        more={"claim": id_, "links": {"claim": address}},
    )


def _is_current_claim(log: WriteTransaction, claim: str) -> bool:
    if not ID_PATTERN.fullmatch(claim):
        return False
    columns = columns_of(ClaimVersion)
    stands = select(columns.version).where(columns.id == claim, log.snapshot.contains(ClaimVersion))
    return log.session.execute(stands.where(columns.status != Status.removed)).first() is not None
