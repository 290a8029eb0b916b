"""HTTP routes of API keys."""

from typing import Annotated, Any

from fastapi import Path, Request
from starlette.responses import Response

from app.database.api_keys import create_key, find_key, find_key_of, list_keys, revoke_key_by_id
from app.database.tables import ApiKey
from app.database.transaction import WriteTransaction
from app.errors import NotFound, shorten
from app.http.addresses import whole_address
from app.http.auth import Admin
from app.http.dependencies import Db
from app.http.responses import check_write_conditions, json_response
from app.http.routing import api_router
from app.http.schema_types import parse_moment
from app.http.writes import WriteRequestDep, WriteResult
from app.keys.schemas import Key, KeyInput, KeyList, NewKey

router = api_router("keys")

PRIVATE = {"Cache-Control": "private, no-store"}

KeyId = Annotated[
    str, Path(alias="id", description="The id of the key.", examples=["0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60"])
]


def _describe(key: ApiKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in Key.model_fields}


def _respond(request: Request, body: dict[str, Any]) -> Response:
    response = json_response(request, body)
    response.headers.update(PRIVATE)
    return response


@router.get("/keys", summary="List API keys", operation_id="list_keys", responses={200: {"model": KeyList}})
def get_keys(request: Request, db: Db, admin: Admin) -> Response:
    """Return all API keys, oldest first, without the keys themselves."""
    del admin
    with db.read_primary() as session:
        return _respond(request, {"data": [_describe(key) for key in list_keys(session)]})


@router.get("/keys/{id}", summary="Read an API key", operation_id="read_key", responses={200: {"model": Key}})
def get_key(key_id: KeyId, request: Request, db: Db, admin: Admin) -> Response:
    """Return one API key, without the key itself."""
    del admin
    with db.read_primary() as session:
        key = find_key(session, key_id)
        if key is None:
            raise NotFound(f"There is no API key `{shorten(key_id)}`.")
        return _respond(request, _describe(key))


@router.post(
    "/keys",
    summary="Create an API key",
    operation_id="post_key",
    status_code=201,
    responses={201: {"model": NewKey, "description": "The new key. It cannot be read again."}},
)
def post_key(payload: KeyInput, admin: Admin, write: WriteRequestDep) -> Response:
    """Create an API key. The response is the only one that contains it, and is never stored.

    A repetition with the same `Idempotency-Key` creates no other key: it is a 409 `already_created` with the address of
    the key. If the first response was lost, revoke that key, and create another one.

    To rotate a key, create another one with the same name, and revoke the old one by its id: retries with an
    `Idempotency-Key` of the old key get the first answer with the new one, too.
    """
    expires_at = None if payload.expires_at is None else parse_moment(payload.expires_at)

    def create(transaction: WriteTransaction) -> WriteResult:
        session = transaction.session
        key = create_key(session, payload.name, payload.role, expires_at=expires_at)
        session.flush()
        body = _describe(find_key_of(session, key)) | {"key": key}
        return WriteResult(body, created=True, location=whole_address(f"/v1/keys/{body['id']}"), is_secret=True)

    response = write(admin, create)
    response.headers.update(PRIVATE)
    return response


@router.post(
    "/keys/{id}/revocation",
    summary="Revoke an API key",
    operation_id="post_key_revocation",
    responses={200: {"model": Key}},
)
def post_key_revocation(key_id: KeyId, request: Request, db: Db, admin: Admin) -> Response:
    """Revoke one API key. Every process refuses it within a second. A key that is revoked stays so."""
    del admin
    check_write_conditions(request, exists=True)
    key = revoke_key_by_id(db, key_id)
    if key is None:
        raise NotFound(f"There is no API key `{shorten(key_id)}`.")
    return _respond(request, _describe(key))
