"""Claims as they are written: checked first, and then recorded with their citations."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from uuid_utils import uuid7

from app.changes.clock import Log
from app.claims.checking import Faults, check_citation, check_claim, citation_columns
from app.claims.known import Card, Known
from app.claims.schemas import AssessmentInput, CitationInput, CitedDocument, ClaimInput, RelationInput
from app.problems import DuplicateClaim
from app.shapes import ID_PATTERN
from app.sources.queries import SOURCE, document_cards, record_document
from app.sources.schemas import DocumentInput
from app.tables import AssessmentVersion, CitationVersion, ClaimVersion, RelationVersion, columns_of
from app.vocabulary.terms import Status

EDITORS = "editors"
"""Who asserts a relation that no source asserts."""


def record_claim(log: Log, given: ClaimInput, id_: str | None = None, import_id: str | None = None) -> str:
    """Record a new claim with its citations, and its first assessment if one is given; return its id.

    Raises `InvalidRequest` with every fault, or `DuplicateClaim` with the claim that stands.
    """
    known = Known(log.session, log.view)
    checked = check_claim(known, given)
    refuse_duplicate(log, checked.state["fingerprint"])
    id_ = id_ or str(uuid7())
    # The documents come first in the log, so that whoever follows it knows them before the claim that cites them.
    states = [
        citation_state(log, known, cited, id_, given.source, recorded)
        for cited, recorded in zip(given.citations, checked.documents, strict=True)
    ]
    log.record(ClaimVersion, id_, {**checked.state, "import_id": import_id}, action="created", claim=id_)
    for state in states:
        log.put(CitationVersion, str(uuid7()), state)
    if given.confidence is not None:
        record_assessment(log, id_, given.confidence)
    return id_


def record_citation(log: Log, claim: Mapping[str, Any], given: CitationInput) -> str:
    """Add a citation to a claim: the tenth outlet that repeats a figure is no tenth claim."""
    faults = Faults()
    known = Known(log.session, log.view)
    recorded = check_citation(known, given, claim["source"]["slug"], "", faults)
    faults.raise_any()
    state = citation_state(log, known, given, claim["id"], claim["source"]["slug"], recorded)
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
    known = Known(log.session, log.view)
    faults.found += known.faults(SOURCE, used)
    if given.document is not None and known.document(given.document) is None:
        faults.add("document", f"There is no document `{given.document}`.")
    faults.raise_any()
    id_ = str(uuid7())
    shared = ("type", "asserted_by", "scope", "independence", "document", "quote", "note")
    state = {name: getattr(given, name) for name in shared}
    state |= {"claim": claim, "to_claim": given.claim, "to_source": given.source, "withdrawn": False}
    log.record(RelationVersion, id_, state, action="created", claim=claim)
    return id_


def citation_state(
    log: Log, known: Known, given: CitationInput, claim: str, claimant: str, recorded: Card | None
) -> dict[str, Any]:
    """The columns of a citation; its document is recorded if it is not yet."""
    if recorded is None:
        recorded = _record_cited(log, given.document)
    return citation_columns(known, given, claim, claimant, recorded)


def _record_cited(log: Log, given: CitedDocument) -> Card:
    document = DocumentInput(**given.model_dump(exclude={"id"}))
    id_ = record_document(log, document, given.id if given.id and ID_PATTERN.fullmatch(given.id) else None)[0]
    return document_cards(log.session, [id_], log.view)[id_]


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
