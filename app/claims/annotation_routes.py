"""Relations and assessments over HTTP."""

from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from app.claims.annotations import load_assessments, load_relations, read_assessment, read_relation
from app.claims.create import record_assessment, record_relation
from app.claims.lifecycle import withdraw
from app.claims.queries import read_claim
from app.claims.routes import ClaimId
from app.claims.schemas import Assessment, AssessmentInput, ReasonInput, Relation, RelationInput
from app.database.snapshot import open_snapshot
from app.database.tables import AssessmentVersion, RelationVersion
from app.database.transaction import WriteTransaction
from app.http.auth import Editor
from app.http.csv_columns import columns_of_model
from app.http.dependencies import Db
from app.http.lists import ListResponseDep, list_route
from app.http.pagination import Page, PageQuery, paginate_list
from app.http.routing import api_router
from app.http.writes import WriteRequestDep, WriteResult

router = api_router("claims")

RecordId = Annotated[str, Path(alias="id", description="Its id.", examples=["01a1f640-bc00-7528-9916-436a9224d91e"])]


@list_route(router, "/claims/{id}/relations", Relation, "List the relations of a claim")
def list_relations(claim: ClaimId, query: Annotated[PageQuery, Query()], db: Db, want: ListResponseDep) -> Response:
    """How it stands to other claims and they to it, each with who asserts it."""

    def find(page: PageQuery) -> Page:
        with db.read() as session:
            view = open_snapshot(session, page.recorded_as_of)
            read_claim(session, claim, view)
            return paginate_list(load_relations(session, [claim], view), page, view.seq)

    return want.send(find, query, columns_of_model(Relation))


@router.post(
    "/claims/{id}/relations",
    summary="Relate a claim",
    operation_id="post_relation",
    status_code=201,
    responses={201: {"model": Relation, "description": "It is recorded."}},
)
def post_relation(claim: ClaimId, given: RelationInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Say how it stands to another claim, or to a source, and who asserts that."""

    def relate(log: WriteTransaction) -> WriteResult:
        read_claim(log.session, claim, log.snapshot)
        card = read_relation(log.session, record_relation(log, claim, given), log.snapshot)
        return WriteResult(card, created=True, claim=claim, location=f"/v1/claims/{claim}/relations")

    return write(editor, relate)


@router.post(
    "/relations/{id}/withdrawal",
    summary="Withdraw a relation",
    operation_id="post_relation_withdrawal",
    responses={200: {"model": Relation, "description": "The relation, withdrawn."}},
)
def withdraw_relation(relation: RecordId, given: ReasonInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Take a relation back. It stays in the history and counts no more."""

    def take_back(log: WriteTransaction) -> WriteResult:
        claim = read_relation(log.session, relation, log.snapshot)["claim"]
        withdraw(log, RelationVersion, relation, given.reason)
        return WriteResult(read_relation(log.session, relation, log.snapshot), claim=claim)

    return write(editor, take_back)


@list_route(router, "/claims/{id}/assessments", Assessment, "List the assessments of a claim")
def list_assessments(claim: ClaimId, query: Annotated[PageQuery, Query()], db: Db, want: ListResponseDep) -> Response:
    """How it was assessed, the newest first. Nothing is averaged; the newest one shows on the claim."""

    def find(page: PageQuery) -> Page:
        with db.read() as session:
            view = open_snapshot(session, page.recorded_as_of)
            read_claim(session, claim, view)
            return paginate_list(load_assessments(session, claim, view), page, view.seq)

    return want.send(find, query, columns_of_model(Assessment))


@router.post(
    "/claims/{id}/assessments",
    summary="Assess a claim",
    operation_id="post_assessment",
    status_code=201,
    responses={201: {"model": Assessment, "description": "It is recorded."}},
)
def post_assessment(claim: ClaimId, given: AssessmentInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Say how far you would trust it, and why. The assessments before it stay; the newest one shows."""

    def assess(log: WriteTransaction) -> WriteResult:
        read_claim(log.session, claim, log.snapshot)
        card = read_assessment(log.session, record_assessment(log, claim, given), log.snapshot)
        return WriteResult(card, created=True, claim=claim, location=f"/v1/claims/{claim}/assessments")

    return write(editor, assess)


@router.post(
    "/assessments/{id}/withdrawal",
    summary="Withdraw an assessment",
    operation_id="post_assessment_withdrawal",
    responses={200: {"model": Assessment, "description": "The assessment, withdrawn."}},
)
def withdraw_assessment(assessment: RecordId, given: ReasonInput, write: WriteRequestDep, editor: Editor) -> Response:
    """Take an assessment back. It stays in the history; the one before it shows again."""

    def take_back(log: WriteTransaction) -> WriteResult:
        claim = read_assessment(log.session, assessment, log.snapshot)["claim"]
        withdraw(log, AssessmentVersion, assessment, given.reason)
        return WriteResult(read_assessment(log.session, assessment, log.snapshot), claim=claim)

    return write(editor, take_back)
