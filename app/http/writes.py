"""Writes over HTTP: transactions, `If-Match`, and stored responses for `Idempotency-Key`."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from anyio import from_thread
from fastapi import Depends, Header, Request
from sqlalchemy import and_, delete, insert, select
from sqlmodel import Session
from starlette.responses import Response

from app.database.api_keys import Actor
from app.database.engine import Database
from app.database.group_commit import GROUP_COMMITTER
from app.database.tables import StoredAnswer, columns_of
from app.database.transaction import WriteTransaction
from app.errors import KeyReused, PreconditionFailed, PreconditionRequired, Removed
from app.http.idempotency import IdempotencyKey
from app.http.negotiation import JSON_MEDIA_TYPE
from app.http.problems import problem_response
from app.http.responses import cacheable_response, json_bytes

STORED_RESPONSE_LIFETIME = timedelta(hours=24)
"""The period for which a response is stored for its Idempotency-Key."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The result of a write: the current record, whether it is new, and the claim that it belongs to."""

    document: dict[str, Any]
    created: bool = False
    claim: str | None = None
    location: str | None = None


class WriteRequest:
    """A write request: runs the write in a transaction and builds the response."""

    def __init__(self, request: Request, digest: str, key: str | None, if_match: str | None = None) -> None:
        """Hold the options of `request`, whose body has the hash `digest`."""
        self.request = request
        self.database: Database = request.app.state.database
        self.body_digest = digest
        self.key = key
        self.if_match = if_match

    def __call__(self, actor: Actor, operation: Callable[[WriteTransaction], WriteResult]) -> Response:
        """Run `write` from a route that runs in a thread."""
        return from_thread.run(self.write, actor, operation)

    async def write(self, actor: Actor, operation: Callable[[WriteTransaction], WriteResult]) -> Response:
        """Run `operation` in a transaction and return its response, or the stored response of the same request."""

        def run(transaction: WriteTransaction) -> Response:
            stored = self.find_stored_response(transaction.session, transaction.at, actor)
            return self.respond(transaction, actor, operation(transaction)) if stored is None else stored

        return await self.database.caches[GROUP_COMMITTER].write(actor.name, run)

    def check_match(self, document: dict[str, Any], *, required: bool = True) -> None:
        """Raise unless If-Match names the revision of `document` (RFC 9110, section 13.1.1).

        Only the part of a tag before `-` is compared.
        """
        if self.if_match is None:
            if not required:
                return
            raise PreconditionRequired(
                "The request needs `If-Match` with the revision that it changes.",
                hint=f'send `If-Match: "{document["revision"]}"`, if that is the revision that you read',
            )
        tags = [tag.strip().removeprefix("W/").strip('"').partition("-")[0] for tag in self.if_match.split(",")]
        if tags == ["*"] or str(document["revision"]) in tags:
            return
        raise PreconditionFailed(
            f"The current revision is {document['revision']}; it differs from `If-Match`.",
            hint="read the record again, and check whether your change still applies",
            headers={"ETag": f'"{document["revision"]}-"'},
            more={"revision": document["revision"], "current": document},
        )

    def build_response(self, result: WriteResult) -> Response:
        """Return the response to a write with this result."""
        headers = {"Location": result.location or result.document["links"]["self"]} if result.created else {}
        tag = f"{result.document['revision']}-" if "revision" in result.document else ""
        status = 201 if result.created else 200
        return cacheable_response(
            self.request, json_bytes(result.document), JSON_MEDIA_TYPE, tag=tag, status=status, headers=headers
        )

    def respond(self, transaction: WriteTransaction, actor: Actor, result: WriteResult) -> Response:
        """Build the response to a write, and store it for the Idempotency-Key in the transaction of the write."""
        response = self.build_response(result)
        self.store_response(transaction, actor, result, response)
        return response

    def find_stored_response(self, session: Session, at: datetime, actor: Actor) -> Response | None:
        """Return the response stored for the key in the 24 hours before `at`, or None."""
        if self.key is None:
            return None
        is_fresh = columns_of(StoredAnswer).at >= at - STORED_RESPONSE_LIFETIME
        stored = (
            session.execute(select(*columns_of(StoredAnswer)).where(self._matches_request(actor), is_fresh))
            .mappings()
            .first()
        )
        if stored is None:
            return None
        if stored["digest"] != self.body_digest:
            raise KeyReused(
                "This Idempotency-Key was used for another request.", hint="use a new key for a new request"
            )
        if stored["body"] is None:
            return problem_response(
                self.request, Removed("The claim that this request created or changed was taken down.")
            )
        headers = {**stored["headers"], "Idempotency-Replayed": "true"}
        return Response(stored["body"], status_code=stored["status"], media_type=JSON_MEDIA_TYPE, headers=headers)

    def store_response(
        self, transaction: WriteTransaction, actor: Actor, result: WriteResult, response: Response
    ) -> None:
        """Store the response for the key, if there is one, and delete the stored responses that have expired."""
        if self.key is None:
            return
        transaction.session.execute(
            delete(StoredAnswer).where(columns_of(StoredAnswer).at < transaction.at - STORED_RESPONSE_LIFETIME)
        )
        headers = {name: response.headers[name] for name in ("etag", "location") if name in response.headers}
        transaction.session.execute(
            insert(StoredAnswer).values(
                actor=actor.id,
                path=self.request.url.path,
                key=self.key,
                digest=self.body_digest,
                at=transaction.at,
                status=response.status_code,
                headers=headers,
                body=bytes(response.body),
                claim=result.claim,
            )
        )

    def _matches_request(self, actor: Actor) -> Any:  # noqa: ANN401 - an SQL expression
        columns = columns_of(StoredAnswer)
        return and_(columns.actor == actor.id, columns.path == self.request.url.path, columns.key == self.key)


async def get_write_request(
    request: Request,
    key: IdempotencyKey,
    if_match: Annotated[
        str | None,
        Header(
            description='The revision to change, as in the ETag: `"3"`.',
            examples=['"3"'],
            max_length=255,
        ),
    ] = None,
) -> WriteRequest:
    """Return the write request of a route."""
    return create_write_request(request, await request.body(), key, if_match)


def create_write_request(request: Request, body: bytes, key: str | None, if_match: str | None = None) -> WriteRequest:
    """Return the write request of a request whose body has been read."""
    return WriteRequest(request, hashlib.sha256(body).hexdigest(), key, if_match)


WriteRequestDep = Annotated[WriteRequest, Depends(get_write_request)]
"""The write request, as a dependency of a route."""
