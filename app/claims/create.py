"""Records claims with their citations, assessments and relations."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NoReturn

from sqlalchemy import and_, or_, select
from uuid_utils import uuid7

from app.claims.counts.stored import UPDATE_INTERVAL, update_counts
from app.claims.lookups import CachedReferenceLookup, RecordFields, ReferenceLookup
from app.claims.queries import read_claim
from app.claims.schemas import AssessmentInput, CitationInput, CitedDocument, ClaimInput, RelationInput
from app.claims.serialization.input_fields import FIGURE_NUMBER_FIELDS
from app.claims.serialization.rows import add_leading, build_claim_response
from app.claims.supersession import load_chain, load_supersession_claims
from app.claims.validation import (
    FaultCollector,
    build_citation_columns,
    check_assessment_day,
    check_quote,
    check_withdrawal_day,
    earliest_statement_day,
    validate_citation,
    validate_claim,
)
from app.comparison.supersession import find_mismatches, would_form_circle
from app.database.tables import (
    AssessmentVersion,
    CitationVersion,
    ClaimVersion,
    DocumentVersion,
    RelationVersion,
    Version,
    columns_of,
)
from app.database.transaction import WriteTransaction, declare_commit_step
from app.database.types import ID_PATTERN
from app.enums import RelationType, Status
from app.errors import DuplicateClaim, DuplicateRecord, RelationContradicts, SupersessionCircle
from app.http.addresses import whole_address
from app.sentences.phrases import join_with_and
from app.sources.documents import DOCUMENT_INPUT_FIELDS, DOCUMENT_SUMMARY_FIELDS, refuse_removed, resolve_edition
from app.sources.queries import SOURCE

EDITORS = "editors"
"""The value of `asserted_by` for relations that the editors assert."""

declare_commit_step(update_counts, UPDATE_INTERVAL)


def record_claim(
    transaction: WriteTransaction,
    payload: ClaimInput,
    id_: str | None = None,
    import_id: str | None = None,
    citation_ids: Sequence[str] | None = None,
    marked: int | None = None,
) -> dict[str, Any]:
    """Record a new claim with its citations and optional first assessment, and return its response object.

    `citation_ids` are the ids of its citations, if they are not new ones. `marked` is the index of the citation that is
    marked as the leading one.

    Raises `InvalidRequest` with all faults, or `DuplicateClaim` with the id of the recorded claim.
    """
    references = CachedReferenceLookup.for_transaction(transaction)
    validated = validate_claim(references, payload)
    refuse_duplicate(transaction, validated.state["fingerprint"])
    is_new_id, id_ = id_ is None, id_ or str(uuid7())
    # Documents come first in the change log, so that a client that follows it has them before the claim cites them.
    documents = [
        recorded or _record_cited_document(transaction, references, citation.document)
        for citation, recorded in zip(payload.citations, validated.documents, strict=True)
    ]
    state = {**validated.state, "import_id": import_id}
    transaction.record(ClaimVersion, id_, state, action="created", claim=id_, is_new_key=is_new_id)
    seq, citations = transaction.seq, []
    for i, (citation, document) in enumerate(zip(payload.citations, documents, strict=True)):
        columns = build_citation_columns(references, citation, id_, payload.source, document) | {"marked": i == marked}
        card = {name: document[name] for name in DOCUMENT_SUMMARY_FIELDS}
        citation_id = str(uuid7()) if citation_ids is None else citation_ids[i]
        citations.append({**columns, "id": citation_id, "document": card})
        transaction.add_version(CitationVersion, citations[-1]["id"], columns, revision=1)
    if payload.confidence is not None:
        record_assessment(transaction, id_, payload.confidence)
    references.add_recorded_claim(state["fingerprint"], id_)
    if payload.confidence is not None:
        return read_claim(transaction.session, id_, transaction.snapshot)
    return _build_new_claim_response(
        references, {**state, "id": id_, "revision": 1, "seq": seq, "recorded_at": transaction.at}, citations
    )


def _build_new_claim_response(
    references: ReferenceLookup, state: Mapping[str, Any], citations: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the response object of a new claim without a read."""
    source = {f"source_{name}": value for name, value in references.find_source(state["source"]).items()}
    numbers = {name: None if state[name] is None else float(state[name]) for name in FIGURE_NUMBER_FIELDS}
    category = references.find_category(state["category"])
    unit = state["unit"] or (category.unit if category else None)
    kind = references.find_base_kind(state["relative_to"])
    row = {**state, **source, **numbers, "served_unit": unit, "relative_to_kind": kind}
    row["base_name"] = references.find_base_name(state["relative_to"])
    publishers = [citation["document"]["publisher"] for citation in citations]
    marked = next((citation["id"] for citation in citations if citation["marked"]), None)
    # The leading one of several citations depends on who published them; of one citation it does not.
    kinds = [
        None if len(citations) == 1 or publisher is None else references.find_source(publisher)["kind"]
        for publisher in publishers
    ]
    return build_claim_response(
        row, add_leading(citations, kinds, marked, references.snapshot), None, references.snapshot
    )


def record_citation(transaction: WriteTransaction, claim: Mapping[str, Any], payload: CitationInput) -> str:
    """Record a citation of a claim, and return its id. An outlet that repeats a figure makes no claim of its own."""
    faults = FaultCollector()
    references = ReferenceLookup(transaction.session, transaction.snapshot)
    recorded = validate_citation(references, payload, claim["source"]["slug"], "", faults)
    check_withdrawal_day(payload, recorded, _earliest_day(claim), "", faults)
    check_quote(claim, payload, faults)
    faults.raise_any()
    if recorded is not None:
        _refuse_duplicate_citation(claim, recorded, payload)
    state = prepare_citation_columns(transaction, references, payload, claim["id"], claim["source"]["slug"], recorded)
    id_ = str(uuid7())
    transaction.record(CitationVersion, id_, state, action="created", claim=claim["id"])
    return id_


def _earliest_day(claim: Mapping[str, Any]) -> date | None:
    """Return the earliest day on which a claim can have been made, from its response object or its columns."""
    return earliest_statement_day(claim["date"], claim["date_edtf"], claim["said_at"])


def _refuse_duplicate_citation(claim: Mapping[str, Any], document: RecordFields, payload: CitationInput) -> None:
    """Raise `DuplicateRecord` if the claim is cited from the same passage of the document already."""
    for citation in claim["citations"]:
        passage = (citation["document"]["id"], citation["quote"], citation["locator"])
        if passage == (document["id"], payload.quote, payload.locator):
            raise _duplicate(
                "citation",
                citation["id"],
                claim["links"]["self"],
                hint="to correct the citation, send PATCH with `citations`",
            )


def _duplicate(kind: str, id_: str, address: str, *, hint: str) -> DuplicateRecord:
    """Return the problem for a record that stands, with a link to the address where it can be read."""
    return DuplicateRecord(
        f"The same {kind} is recorded as {id_}, see {address}.",
        hint=hint,
        headers={"Link": f'<{address}>; rel="related"'},
        more={kind: id_, "links": {kind: address}},
    )


def _find_same(transaction: WriteTransaction, table: type[Version], state: Mapping[str, Any]) -> str | None:
    """Return the id of a current record with the same values that is not withdrawn, or None."""
    columns = columns_of(table)
    statement = select(columns.id).where(
        transaction.snapshot.contains(table),
        columns.withdrawn.is_(False),
        *(columns[name].is_(None) if value is None else columns[name] == value for name, value in state.items()),
    )
    row = transaction.session.execute(statement.limit(1)).first()
    return None if row is None else str(row[0])


def assess_claim(transaction: WriteTransaction, claim: Mapping[str, Any], payload: AssessmentInput) -> str:
    """Record an assessment of a recorded claim, and return its id.

    Raises `InvalidRequest` for an assessment before the claim, and `DuplicateRecord` for one that is recorded already.
    """
    faults = FaultCollector()
    check_assessment_day(payload, _earliest_day(claim), "", faults)
    faults.raise_any()
    if same := _find_same(transaction, AssessmentVersion, _assessment_state(transaction, claim["id"], payload)):
        address = f"{claim['links']['self']}/assessments"
        raise _duplicate("assessment", same, address, hint="withdraw it first, or send what differs")
    return record_assessment(transaction, claim["id"], payload)


def record_assessment(transaction: WriteTransaction, claim: str, payload: AssessmentInput) -> str:
    """Record an assessment of a claim, and return its id. Earlier assessments stay unchanged."""
    id_ = str(uuid7())
    state = _assessment_state(transaction, claim, payload)
    transaction.record(AssessmentVersion, id_, state, action="created", claim=claim)
    return id_


def _assessment_state(transaction: WriteTransaction, claim: str, payload: AssessmentInput) -> dict[str, Any]:
    return {
        **{name: getattr(payload, name) for name in ("level", "reliability", "credibility", "stated", "rationale")},
        "claim": claim,
        "assessor": payload.assessor or transaction.actor,
        "assessed_on": payload.assessed_on or transaction.at.date(),
        "withdrawn": False,
    }


def record_relation(transaction: WriteTransaction, claim: str, payload: RelationInput) -> str:
    """Record a relation from `claim`, and return its id.

    Raises:
        InvalidRequest: It has not exactly one target, which exists and is not the claim itself; or the claim cannot
            supersede its target.
        DuplicateRecord: The same relation is recorded already.
        SupersessionCircle: The target supersedes the claim already, directly or through others.
        RelationContradicts: The same source, or the editors, asserted the opposite already.
    """
    faults = FaultCollector()
    if (payload.claim is None) == (payload.source is None):
        faults.add("claim", "Expected either `claim` or `source`.")
    if payload.claim == claim:
        faults.add("claim", "A claim has no relation to itself.")
    elif payload.claim is not None and not _is_current_claim(transaction, payload.claim):
        faults.add("claim", f"There is no claim `{payload.claim}`.")
    slugs = [("source", payload.source)] if payload.source else []
    slugs += [("asserted_by", payload.asserted_by)] if payload.asserted_by != EDITORS else []
    references = ReferenceLookup(transaction.session, transaction.snapshot)
    faults.faults += references.find_faults(SOURCE, slugs)
    if payload.source is not None and payload.source == _source_of(transaction, claim):
        faults.add("source", f"`{payload.source}` is the source of the claim itself.", "name another source or a claim")
    if payload.document is not None and references.find_document(payload.document) is None:
        faults.add("document", f"There is no document `{payload.document}`.")
    if payload.type is RelationType.supersedes:
        check_supersession(transaction, claim, payload, faults)
    faults.raise_any()
    id_ = str(uuid7())
    identity = {name: getattr(payload, name) for name in ("type", "asserted_by", "scope", "document", "quote")}
    identity |= {"claim": claim, "to_claim": payload.claim, "to_source": payload.source}
    if same := _find_same(transaction, RelationVersion, identity):
        address = whole_address(f"/v1/claims/{claim}/relations")
        raise _duplicate("relation", same, address, hint="to change it, withdraw it first")
    refuse_contradiction(transaction, claim, payload)
    state = identity | {"independence": payload.independence, "note": payload.note, "withdrawn": False}
    transaction.record(RelationVersion, id_, state, action="created", claim=claim)
    return id_


OPPOSITE_RELATIONS: Final = {
    RelationType.corroborates: RelationType.disputes,
    RelationType.disputes: RelationType.corroborates,
}


def refuse_contradiction(transaction: WriteTransaction, claim: str, payload: RelationInput) -> None:
    """Raise `RelationContradicts` if the same source, or the editors, asserted the opposite of a relation.

    One corroborates and disputes another only in different scopes, and is not part of its own part. What different
    sources assert may contradict each other.
    """
    columns = columns_of(RelationVersion)
    asserted = select(columns.id, columns.claim, columns.to_claim).where(
        transaction.snapshot.contains(RelationVersion),
        columns.withdrawn.is_(False),
        columns.asserted_by == payload.asserted_by,
    )
    if opposite := OPPOSITE_RELATIONS.get(payload.type):
        is_between = and_(
            columns.claim == claim,
            columns.to_claim.is_not_distinct_from(payload.claim),
            columns.to_source.is_not_distinct_from(payload.source),
        )
        if payload.claim is not None:  # the statement is the same in both directions
            is_between = or_(is_between, and_(columns.claim == payload.claim, columns.to_claim == claim))
        statement = asserted.where(
            columns.type == opposite, columns.scope.is_not_distinct_from(payload.scope), is_between
        )
        if found := transaction.session.execute(statement.limit(1)).first():
            _raise_contradiction(found, f"asserts `{opposite}` in the same scope")
    elif payload.type is RelationType.part_of and payload.claim is not None:
        pending, visited = [payload.claim], {payload.claim}
        while pending:
            statement = asserted.where(columns.type == RelationType.part_of, columns.claim.in_(pending))
            wholes = {row.to_claim: row for row in transaction.session.execute(statement) if row.to_claim}
            if claim in wholes:
                _raise_contradiction(
                    wholes[claim], "makes the other claim a part of this one, directly or through others"
                )
            pending = list(wholes.keys() - visited)
            visited.update(pending)


def _raise_contradiction(relation: Any, what: str) -> NoReturn:  # noqa: ANN401 - a row
    address = whole_address(f"/v1/claims/{relation.claim}/relations")
    raise RelationContradicts(
        f"The relation {relation.id} of {address} {what}.",
        hint="withdraw that relation first",
        headers={"Link": f'<{address}>; rel="related"'},
        more={"relation": relation.id, "links": {"relations": address}},
    )


def check_supersession(
    transaction: WriteTransaction, claim: str, payload: RelationInput, faults: FaultCollector
) -> None:
    """Collect the faults of a relation `supersedes`. Raises `SupersessionCircle`."""
    if payload.source is not None:
        faults.add("source", "A claim supersedes another claim, not a source.", "name the `claim`")
    if payload.claim is None or faults.faults:
        return
    claims = load_supersession_claims(transaction.session, [claim, payload.claim], transaction.snapshot)
    if mismatches := find_mismatches(claims[claim], claims[payload.claim]):
        faults.add(
            "claim",
            f"Both claims must have the same {join_with_and(mismatches)}: a claim supersedes one of the same source, "
            "category, subject, place, proposition, aggregation and period.",
            "a figure for another period is a claim of its own, which needs no relation",
        )
        return
    chain = load_chain(transaction.session, [claim], transaction.snapshot)
    if would_form_circle(claim, payload.claim, chain.relations):
        detail = f"The claim `{payload.claim}` supersedes this claim already, directly or through others."
        raise SupersessionCircle(detail, hint="withdraw that relation first")


def prepare_citation_columns(
    transaction: WriteTransaction,
    references: ReferenceLookup,
    payload: CitationInput,
    claim: str,
    claimant: str,
    recorded: RecordFields | None,
) -> dict[str, Any]:
    """Return the columns of a citation, and record its document if `recorded` is None."""
    return build_citation_columns(
        references,
        payload,
        claim,
        claimant,
        recorded or _record_cited_document(transaction, references, payload.document),
    )


def _record_cited_document(
    transaction: WriteTransaction, references: ReferenceLookup, payload: CitedDocument
) -> RecordFields:
    """Record the document of a citation, unless an earlier citation recorded the same edition. Return it."""
    state = {name: getattr(payload, name) for name in DOCUMENT_INPUT_FIELDS}
    if recorded := resolve_edition(references.find_editions(state), state):
        return recorded
    refuse_removed(transaction, state)
    id_ = str(uuid7())
    transaction.record(DocumentVersion, id_, state, action="created", is_new_key=True)
    publisher = None if payload.publisher is None else references.find_source(payload.publisher)["name"]
    document = {**state, "id": id_, "publisher_name": publisher, "revision": 1}
    references.add_pending_document(document)
    return document


def refuse_duplicate(transaction: WriteTransaction, fingerprint: str) -> None:
    """Raise `DuplicateClaim` if there is a claim with this fingerprint, or one that was taken down."""
    duplicate = CachedReferenceLookup.for_transaction(transaction).find_duplicate(fingerprint)
    if duplicate is None:
        return
    id_, status = duplicate
    if status == Status.removed:
        raise DuplicateClaim("The same statement was taken down.", more={"claim": id_})
    address = whole_address(f"/v1/claims/{id_}")
    raise DuplicateClaim(
        f"The same statement is recorded as {address}.",
        hint=f"if another outlet repeats it, add a citation: POST {address}/citations",
        headers={"Link": f'<{address}>; rel="related"'},
        more={"claim": id_, "links": {"claim": address}},
    )


def _source_of(transaction: WriteTransaction, claim: str) -> str | None:
    columns = columns_of(ClaimVersion)
    statement = select(columns.source).where(columns.id == claim, transaction.snapshot.contains(ClaimVersion))
    return transaction.session.execute(statement).scalar()


def _is_current_claim(transaction: WriteTransaction, claim: str) -> bool:
    if not ID_PATTERN.fullmatch(claim):
        return False
    columns = columns_of(ClaimVersion)
    statement = select(columns.version).where(
        columns.id == claim, columns.status != Status.removed, transaction.snapshot.contains(ClaimVersion)
    )
    return transaction.session.execute(statement).first() is not None
