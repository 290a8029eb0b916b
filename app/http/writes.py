"""Writes over HTTP: transactions, `If-Match`, and stored responses for `Idempotency-Key`."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import orjson
from anyio import from_thread
from fastapi import Depends, Header, Request
from sqlalchemy import and_, delete, insert, select
from sqlmodel import Session
from starlette.responses import Response

from app.cache.etags import ANY_TAG, build_etag, etag_matches, strong_tags
from app.database.api_keys import Actor, note_key_use
from app.database.engine import Database
from app.database.group_commit import GROUP_COMMITTER
from app.database.tables import StoredAnswer, columns_of
from app.database.transaction import WriteTransaction
from app.errors import AlreadyCreated, KeyReused, OutcomeUnknown, PreconditionFailed, PreconditionRequired, Removed
from app.http.addresses import base_url, relative_links, relative_path, whole_address, whole_links
from app.http.deadline import write_expiry
from app.http.headers import read_list_header
from app.http.idempotency import IdempotencyKey, stored_path
from app.http.keys_in_flight import KEYS_IN_FLIGHT
from app.http.negotiation import JSON_MEDIA_TYPE
from app.http.problems import problem_response
from app.http.responses import cacheable_response, json_bytes

STORED_FILE_HEADERS = ("content-type", "content-disposition")
"""The headers that are stored with a response that is a file. A response in JSON needs neither."""

STORED_RESPONSE_LIFETIME = timedelta(hours=24)
"""The period for which a response is stored for its Idempotency-Key."""

MAX_KEY_WAIT_SECONDS = 4.0
"""How long a request without a deadline waits for another one with the same Idempotency-Key."""


@dataclass(frozen=True, slots=True)
class ResponseFile:
    """A file that is the response to a write."""

    content: bytes
    media_type: str
    name: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers with which a browser saves the file under its name."""
        return {"Content-Disposition": f'attachment; filename="{self.name}"'}


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The result of a write: the current record, whether it is new, and the claim that it belongs to."""

    document: dict[str, Any]
    created: bool = False
    claim: str | None = None
    location: str | None = None
    file: ResponseFile | None = None
    """The response, if it is not the record in JSON."""
    is_secret: bool = False
    """Whether the response contains a secret. Only the address is stored, and a repetition is refused with it."""


@dataclass(frozen=True, slots=True)
class WriteConditions:
    """The conditions of a write: its `If-Match` and `If-None-Match`."""

    if_match: str | None = None
    if_none_match: str | None = None

    @classmethod
    def from_request(cls, request: Request) -> "WriteConditions":
        """Return the conditions of a request."""
        return cls(read_list_header(request.headers, "if-match"), read_list_header(request.headers, "if-none-match"))

    @property
    def digest_suffix(self) -> bytes:
        """The part of the digest of a request by which a repetition with other conditions is another request."""
        if self.if_match is None and self.if_none_match is None:
            return b""
        return f"\0if-match: {self.if_match}\0if-none-match: {self.if_none_match}".encode("utf-8", "replace")


class WriteRequest:
    """A write request: runs the write in a transaction and builds the response."""

    def __init__(self, request: Request, digest: str, key: str | None) -> None:
        """Hold the options of `request`; `digest` is that of its body, query and conditions."""
        self.request = request
        self.database: Database = request.app.state.database
        self.digest = digest
        self.key = key
        self.conditions = WriteConditions.from_request(request)
        self._has_checked_match = False
        self._location: str | None = None
        """The address of the record, once the write has run."""

    def __call__(self, actor: Actor, operation: Callable[[WriteTransaction], WriteResult]) -> Response:
        """Run `write` from a route that runs in a thread."""
        return from_thread.run(self.write, actor, operation)

    async def write(self, actor: Actor, operation: Callable[[WriteTransaction], WriteResult]) -> Response:
        """Run `operation` in a transaction and return its response, or the stored response of the same request.

        An operation that changes a record calls `check_match`. One that does not call it adds to a collection, whose
        conditions are checked here.
        """

        def run(transaction: WriteTransaction) -> Response:
            stored = self.find_stored_response(transaction.session, transaction.at, actor)
            if stored is not None:
                return stored
            self._has_checked_match = False
            result = operation(transaction)
            if not self._has_checked_match:
                self.check_collection()
            self._location = result.location or result.document.get("links", {}).get("self")
            return self.respond(transaction, actor, result)

        expires_at = write_expiry(self.request.scope)
        committer = self.database.caches[GROUP_COMMITTER]
        if self.key is None:
            try:
                return await committer.write(actor.name, run, expires_at)
            except OutcomeUnknown as unknown:
                raise self._name_record(unknown) from unknown
        position = await self._acquire_key(actor)
        try:
            return await committer.write(actor.name, run, expires_at)
        finally:
            self.database.caches[KEYS_IN_FLIGHT].release(position)

    def _name_record(self, unknown: OutcomeUnknown) -> OutcomeUnknown:
        """Return the problem of a write without a key, with the address where the client can look."""
        if self._location is None:
            return unknown
        hint = "read the address in `Location`: it shows whether the write was recorded; if not, send the request again"
        return OutcomeUnknown(unknown.detail, hint=hint, headers={**unknown.headers, "Location": self._location})

    async def _acquire_key(self, actor: Actor) -> int:
        """Wait until no other request has the key of this one. Raises `KeyInFlight`."""
        expires_at = write_expiry(self.request.scope)
        if expires_at is None:
            expires_at = asyncio.get_running_loop().time() + MAX_KEY_WAIT_SECONDS
        name = (actor.name, stored_path(self.request.url.path), self.key or "")
        return await self.database.caches[KEYS_IN_FLIGHT].acquire(name, expires_at)

    @contextmanager
    def hold_key(self, actor: Actor) -> Iterator[None]:
        """Let no other request have the key of this one in the block, in a route that runs in a thread.

        `write` does so by itself. Without a key there is nothing to hold.
        """
        if self.key is None:
            yield
            return
        position = from_thread.run(self._acquire_key, actor)
        try:
            yield
        finally:
            self.database.caches[KEYS_IN_FLIGHT].release(position)

    def check_match(self, document: dict[str, Any] | None, *, required: bool = True, by_revision: bool = True) -> None:
        """Raise unless the conditions of the request hold for `document`, the current record (RFC 9110, section 13.1).

        Args:
            document: The record; None if there is none yet.
            required: Whether the request needs `If-Match`.
            by_revision: Whether only the revision is compared, the part of a tag before `-`: other parts of the
                representation, such as the citations of a claim, may have changed.
        """
        self._has_checked_match = True
        if_match = self.conditions.if_match
        if document is None:
            if if_match is not None:
                raise PreconditionFailed("There is no such record yet.", hint="leave `If-Match` out to create it")
            return
        if if_match is None and required:
            raise PreconditionRequired(
                "The request needs `If-Match` with the revision that it changes.",
                hint=f'send `If-Match: "{document["revision"]}"`, if that is the revision that you read',
            )
        etag = build_etag(JSON_MEDIA_TYPE, json_bytes(document), f"{document['revision']}-")
        if if_match is not None and not _matches(if_match, document, etag, by_revision=by_revision):
            raise PreconditionFailed(
                f"The current revision is {document['revision']}; it differs from `If-Match`.",
                hint=_mismatch_hint(if_match),
                headers={"ETag": etag},
                more={"revision": document["revision"], "current": document},
            )
        if_none_match = self.conditions.if_none_match
        if if_none_match is not None and etag_matches(if_none_match, etag):
            raise PreconditionFailed(
                "The record exists, and `If-None-Match` says that it must not.",
                hint="leave `If-None-Match` out to change it",
                headers={"ETag": etag},
                more={"revision": document["revision"], "current": document},
            )

    def check_collection(self) -> None:
        """Raise if the conditions of a request that adds to a collection do not hold: it exists, and has no tag."""
        if_match, if_none_match = self.conditions.if_match, self.conditions.if_none_match
        if if_match is not None and if_match.strip() != ANY_TAG:
            raise PreconditionFailed("The address has no state that `If-Match` could name.", hint="leave it out")
        if if_none_match is not None and if_none_match.strip() == ANY_TAG:
            raise PreconditionFailed("The address exists, and `If-None-Match` says that it must not.")

    def build_response(self, result: WriteResult) -> Response:
        """Return the response to a write with this result."""
        headers = {"Location": result.location or result.document["links"]["self"]} if result.created else {}
        tag = _etag_prefix(result.document)
        status = 201 if result.created else 200
        if (file := result.file) is not None:
            return cacheable_response(
                self.request, file.content, file.media_type, tag=tag, status=status, headers=headers | file.headers
            )
        return cacheable_response(
            self.request, json_bytes(result.document), JSON_MEDIA_TYPE, tag=tag, status=status, headers=headers
        )

    def respond(self, transaction: WriteTransaction, actor: Actor, result: WriteResult) -> Response:
        """Build the response to a write, and store it for the Idempotency-Key in the transaction of the write."""
        note_key_use(transaction.session, actor, transaction.at)
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
        if stored["digest"] != self.digest:
            raise KeyReused(
                "This Idempotency-Key was used for another request.", hint="use a new key for a new request"
            )
        if stored["status"] == AlreadyCreated.status:
            raise AlreadyCreated(
                "This request was answered, and its response is not stored, because it contained a secret.",
                hint="revoke the key that it created, whose address is `created`, and create another one",
                more={"created": whole_address(stored["headers"]["location"])},
            )
        if stored["body"] is None:
            return problem_response(self.request, Removed("A takedown erased the response to this request."))
        body, headers = stored["body"], {**stored["headers"], "Idempotency-Replayed": "true"}
        media_type = headers.pop("content-type", JSON_MEDIA_TYPE)
        if base_url() and media_type == JSON_MEDIA_TYPE:
            document = whole_links(orjson.loads(body))
            body = json_bytes(document)
            headers["etag"] = build_etag(JSON_MEDIA_TYPE, body, _etag_prefix(document))
        if base_url() and "location" in headers:
            headers["location"] = whole_address(headers["location"])
        return Response(body, status_code=stored["status"], media_type=media_type, headers=headers)

    def store_response(
        self, transaction: WriteTransaction, actor: Actor, result: WriteResult, response: Response
    ) -> None:
        """Store the response for the key, if there is one, and delete the stored responses that have expired."""
        described = self.describe_response(actor, result, response)
        if described is not None:
            insert_stored_response(transaction, described)

    def describe_response(self, actor: Actor, result: WriteResult, response: Response) -> dict[str, Any] | None:
        """Return the columns of the stored response for the key, without the time; None if there is no key.

        It is stored with paths, so that a repetition gets the addresses of the base URL that is set by then.
        """
        if self.key is None:
            return None
        names = ("etag", "location") if result.file is None else ("etag", "location", *STORED_FILE_HEADERS)
        headers = {name: response.headers[name] for name in names if name in response.headers}
        body = bytes(response.body)
        if base_url() and result.file is None:
            body = json_bytes(relative_links(result.document))
            headers["etag"] = build_etag(JSON_MEDIA_TYPE, body, _etag_prefix(result.document))
        if base_url() and "location" in headers:
            headers["location"] = relative_path(headers["location"])
        status = response.status_code
        if result.is_secret:
            status, headers, body = AlreadyCreated.status, {"location": headers["location"]}, b""
        return {
            "actor": actor.name,
            "path": stored_path(self.request.url.path),
            "key": self.key,
            "digest": self.digest,
            "status": status,
            "headers": headers,
            "body": body,
            "claim": result.claim,
        }

    def _matches_request(self, actor: Actor) -> Any:  # noqa: ANN401 - an SQL expression
        columns, path = columns_of(StoredAnswer), self.request.url.path
        # Earlier releases stored the path as it is.
        is_same_path = columns.path.in_([stored_path(path), path])
        return and_(columns.actor == actor.name, is_same_path, columns.key == self.key)


def insert_stored_response(transaction: WriteTransaction, described: Mapping[str, Any]) -> None:
    """Store a response (see `WriteRequest.describe_response`), and delete the stored responses that have expired."""
    transaction.session.execute(
        delete(StoredAnswer).where(columns_of(StoredAnswer).at < transaction.at - STORED_RESPONSE_LIFETIME)
    )
    transaction.session.execute(insert(StoredAnswer).values(**described, at=transaction.at))


def add_to_stored_response(described: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a described response with other values of some fields of its document. A file stays as it is."""
    if described["body"] is None or "content-type" in described["headers"]:
        return dict(described)
    document = orjson.loads(described["body"]) | fields
    body = json_bytes(document)
    headers = {**described["headers"], "etag": build_etag(JSON_MEDIA_TYPE, body, _etag_prefix(document))}
    return {**described, "headers": headers, "body": body}


def _etag_prefix(document: dict[str, Any]) -> str:
    """Return the beginning of the ETag of a record: its revision, if it has one."""
    return f"{document['revision']}-" if "revision" in document else ""


def _matches(if_match: str, document: dict[str, Any], etag: str, *, by_revision: bool) -> bool:
    if if_match.strip() == ANY_TAG:
        return True
    tags = strong_tags(if_match)
    if by_revision:
        return str(document["revision"]) in {tag.partition("-")[0] for tag in tags}
    return etag[1:-1] in tags


def _mismatch_hint(if_match: str) -> str:
    """Return what to do about an `If-Match` that does not match."""
    if "W/" in if_match:
        return "a weak tag never matches: a proxy that compresses makes tags weak; read the record without compression"
    if '"' not in if_match:
        return 'a tag is in quotes, as in the `ETag` of the record: `If-Match: "3"`'
    return "read the record again, and check whether your change still applies"


IfMatch = Annotated[
    str | None,
    Header(description='The revision to change, as in the ETag: `"3"`.', examples=['"3"'], max_length=255),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        description="`*`: only if there is no such record yet. If there is one, nothing is written (412).",
        examples=['"x"'],
        max_length=255,
    ),
]


async def get_write_request(
    request: Request, key: IdempotencyKey, if_match: IfMatch = None, if_none_match: IfNoneMatch = None
) -> WriteRequest:
    """Return the write request of a route."""
    del if_match, if_none_match  # declared for the OpenAPI document; all lines of the headers are read
    return create_write_request(request, await request.body(), key)


def create_write_request(request: Request, body: bytes, key: str | None) -> WriteRequest:
    """Return the write request of a request whose body has been read."""
    suffix = WriteConditions.from_request(request).digest_suffix
    if request.url.query:
        suffix += b"\0?" + request.url.query.encode("utf-8", "replace")
    return WriteRequest(request, hashlib.sha256(body + suffix).hexdigest(), key)


WriteRequestDep = Annotated[WriteRequest, Depends(get_write_request)]
"""The write request, as a dependency of a route."""
