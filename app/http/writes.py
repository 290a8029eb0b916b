"""Every write over HTTP passes here: one transaction, one answer, and the same answer for the same Idempotency-Key."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from anyio import from_thread
from fastapi import Depends, Header, Request
from sqlalchemy import and_, delete, insert, select, update
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

STORED_ANSWER_LIFETIME = timedelta(hours=24)
"""How long an answer is kept for its Idempotency-Key."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a write made: the record as it stands now, whether it is new, and the claim that it belongs to."""

    document: dict[str, Any]
    created: bool = False
    claim: str | None = None
    location: str | None = None


class WriteRequest:
    """The pen of one request."""

    def __init__(self, request: Request, digest: str, key: str | None, if_match: str | None = None) -> None:
        """`digest` tells one body from another."""
        self.request = request
        self.database: Database = request.app.state.database
        self.body_digest = digest
        self.key = key
        self.if_match = if_match

    def __call__(self, actor: Actor, act: Callable[[WriteTransaction], WriteResult]) -> Response:
        """`write` for a route that runs in a thread."""
        return from_thread.run(self.write, actor, act)

    async def write(self, actor: Actor, act: Callable[[WriteTransaction], WriteResult]) -> Response:
        """Run `act` in a transaction and answer with what it made, or with what the same request made before."""

        def run(log: WriteTransaction) -> Response:
            if (before := self.find_stored_response(log.session, log.at, actor)) is not None:
                return before
            return self.respond(log, actor, act(log))

        return await self.database.caches[GROUP_COMMITTER].write(actor.name, run)

    def check_match(self, card: dict[str, Any], *, required: bool = True) -> None:
        """Raise unless If-Match names the revision of `card` (RFC 9110, 13.1.1; only the part before `-` counts)."""
        if self.if_match is None:
            if not required:
                return
            raise PreconditionRequired(
                "A change must say which revision it changes.",
                hint=f'send `If-Match: "{card["revision"]}"`, the revision that you have read',
            )
        tags = [tag.strip().removeprefix("W/").strip('"').partition("-")[0] for tag in self.if_match.split(",")]
        if tags == ["*"] or str(card["revision"]) in tags:
            return
        raise PreconditionFailed(
            f"The revision that stands is {card['revision']}; somebody changed it since you read it.",
            hint="read it again, and decide whether your change still holds",
            headers={"ETag": f'"{card["revision"]}-"'},
            more={"revision": card["revision"], "current": card},
        )

    def build_response(self, made: WriteResult) -> Response:
        """What a write is answered that made this."""
        headers = {"Location": made.location or made.document["links"]["self"]} if made.created else {}
        tag = f"{made.document['revision']}-" if "revision" in made.document else ""
        status = 201 if made.created else 200
        return cacheable_response(
            self.request, json_bytes(made.document), JSON_MEDIA_TYPE, tag=tag, status=status, headers=headers
        )

    def respond(self, log: WriteTransaction, actor: Actor, made: WriteResult) -> Response:
        """Build the response to a write, and store it for the Idempotency-Key in the transaction of the write."""
        response = self.build_response(made)
        self.store_response(log, actor, made, response)
        return response

    def find_stored_response(self, session: Session, at: datetime, actor: Actor) -> Response | None:
        """Return the response that this key got in the 24 hours before `at`, if there is a key and it got one."""
        if self.key is None:
            return None
        is_fresh = columns_of(StoredAnswer).at >= at - STORED_ANSWER_LIFETIME
        found = (
            session.execute(select(*columns_of(StoredAnswer)).where(self._matches_request(actor), is_fresh))
            .mappings()
            .first()
        )
        if found is None:
            return None
        if found["digest"] != self.body_digest:
            raise KeyReused(
                "This Idempotency-Key was used for another request.", hint="use a new key for a new request"
            )
        if found["body"] is None:
            return problem_response(self.request, Removed("What this request made was taken down."))
        headers = {**found["headers"], "Idempotency-Replayed": "true"}
        return Response(found["body"], status_code=found["status"], media_type=JSON_MEDIA_TYPE, headers=headers)

    def store_response(self, log: WriteTransaction, actor: Actor, made: WriteResult, response: Response) -> None:
        """Store the response for the key, if there is one, and delete the stored responses that have expired."""
        if self.key is None:
            return
        log.session.execute(delete(StoredAnswer).where(columns_of(StoredAnswer).at < log.at - STORED_ANSWER_LIFETIME))
        kept = {name: response.headers[name] for name in ("etag", "location") if name in response.headers}
        log.session.execute(
            insert(StoredAnswer).values(
                actor=actor.id,
                path=self.request.url.path,
                key=self.key,
                digest=self.body_digest,
                at=log.at,
                status=response.status_code,
                headers=kept,
                body=bytes(response.body),
                claim=made.claim,
            )
        )

    def _matches_request(self, actor: Actor) -> Any:  # noqa: ANN401 - a clause
        columns = columns_of(StoredAnswer)
        return and_(columns.actor == actor.id, columns.path == self.request.url.path, columns.key == self.key)


def clear_stored_bodies(log: WriteTransaction, claim: str) -> None:
    """Stored answers that show a claim lose their bodies when it is taken down."""
    log.session.execute(update(StoredAnswer).where(columns_of(StoredAnswer).claim == claim).values(body=None))


async def get_write_request(
    request: Request,
    key: IdempotencyKey,
    if_match: Annotated[
        str | None,
        Header(
            description='The revision that is changed, as in the ETag: `"3"`.',
            examples=['"3"'],
            max_length=255,
        ),
    ] = None,
) -> WriteRequest:
    """The write request of a route."""
    return create_write_request(request, await request.body(), key, if_match)


def create_write_request(request: Request, body: bytes, key: str | None, if_match: str | None = None) -> WriteRequest:
    """The pen of a request whose body was read."""
    return WriteRequest(request, hashlib.sha256(body).hexdigest(), key, if_match)


WriteRequestDep = Annotated[WriteRequest, Depends(get_write_request)]
"""The pen, in a writing route's signature."""
