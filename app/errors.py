"""Errors with a stable code and an HTTP status. They may be raised anywhere."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field
from pydantic_core import ErrorDetails


class Fault(BaseModel):
    """One error in a request."""

    pointer: str = Field(
        description="The location of the error: a JSON pointer into the body, or a parameter.",
        examples=["#/figure/lower"],
    )
    location: str = Field(
        description="The part of the request: `body`, `query`, `path` or `header`.", examples=["body"]
    )
    detail: str = Field(
        description="The error, and the value that was expected.",
        examples=["`lower` is above `upper`; expected lower <= upper"],
    )
    hint: str | None = Field(description="How to correct the request.", examples=["did you mean `killed`?"])


class Problem(Exception):
    """An unexpected error of the server. The log has the details under the request id."""

    status = 500
    code = "internal_error"
    title = "Internal server error"

    def __init__(
        self,
        detail: str,
        *,
        hint: str | None = None,
        errors: Sequence[Fault] = (),
        headers: dict[str, str] | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.errors = list(errors)
        self.headers = headers or {}
        self.more = more or {}
        self.error_count: int | None = None
        """The number of all errors, if not all of them are in `errors`."""


class InvalidRequest(Problem):
    """The body or a parameter does not match its schema or a rule. `errors` lists each error."""

    status, code, title = 422, "invalid_request", "The request is not valid"


class FigureDiffersFromWording(InvalidRequest):
    """The numbers of a figure, or a verbatim quote, say something else than its wording."""

    status, code, title = 422, "figure_differs_from_wording", "The figure differs from its wording"


class UnreadWording(Problem):
    """The wording could mean two things, or has words that are not understood. `reason` says which."""

    status, code, title = 422, "unread_wording", "The wording cannot be read"


class UnknownParameter(Problem):
    """The request has a query parameter that this address does not support."""

    status, code, title = 422, "unknown_parameter", "Unknown query parameter"


class QueryTooBroad(Problem):
    """The query would read too many rows, or its response would be too large. `hint` says what to add."""

    status, code, title = 422, "query_too_broad", "The query is too broad"


class UnknownSlug(Problem):
    """The request refers to a slug or id that does not exist."""

    status, code, title = 422, "unknown_slug", "Unknown slug or id"


class InvalidCursor(Problem):
    """The cursor is not valid for this list and sort order."""

    status, code, title = 422, "invalid_cursor", "The cursor is not valid for this list"


class BadRequest(Problem):
    """The request violates the protocol: it has no `Host`, or more than one, or cannot be parsed."""

    status, code, title = 400, "bad_request", "The request is malformed"


class Unauthorized(Problem):
    """The request has no API key, or one that is not valid."""

    status, code, title = 401, "unauthorized", "An API key is required"


class Forbidden(Problem):
    """The role of the API key does not allow this request."""

    status, code, title = 403, "forbidden", "The API key does not have the required role"


class TooManyRows(Problem):
    """The list has more rows than a sheet of a workbook holds. CSV and Parquet have no limit."""

    status, code, title = 422, "too_many_rows", "The list has too many rows for this format"


class RangeNotSatisfiable(Problem):
    """The header `Range` is malformed, or begins after the end of the file. `Content-Range` has its size."""

    status, code, title = 416, "range_not_satisfiable", "The range cannot be served"


class NotFound(Problem):
    """The resource does not exist."""

    status, code, title = 404, "not_found", "Not found"


class NotSaidYet(Problem):
    """The claim had not been said by the day or moment in `known_on`."""

    status, code, title = 404, "not_said_yet", "The claim had not been said yet"


class DateUnknown(Problem):
    """The date of the claim is not known, so a read with `known_on` leaves it out."""

    status, code, title = 404, "date_unknown", "The date of the claim is not known"


class MethodNotAllowed(Problem):
    """The address does not support the HTTP method."""

    status, code, title = 405, "method_not_allowed", "This address does not support the method"


class NotAcceptable(Problem):
    """The address does not serve any of the requested formats."""

    status, code, title = 406, "not_acceptable", "The requested format is not available"


class DuplicateClaim(Problem):
    """The register already has a claim with the same statement."""

    status, code, title = 409, "duplicate_claim", "This claim is already in the register"


class DuplicateRecord(Problem):
    """The register already has the same citation, relation or assessment."""

    status, code, title = 409, "duplicate_record", "This is already in the register"


class EditionAmbiguous(Problem):
    """Several recorded editions of the address match. `editions` lists them."""

    status, code, title = 409, "edition_ambiguous", "The address has several editions"


class DocumentDiffers(Problem):
    """The document is recorded with other values, or without a value that was sent. `document` is the recorded one."""

    status, code, title = 409, "document_differs", "The document is recorded otherwise"


class InUse(Problem):
    """The change would alter the meaning of recorded claims."""

    status, code, title = 409, "in_use", "The change would alter the meaning of recorded claims"


class EventImpossible(Problem):
    """The current status of the claim does not allow this change."""

    status, code, title = 409, "event_impossible", "The current status does not allow this change"


class SupersessionCircle(Problem):
    """The relation would let claims supersede each other in a circle."""

    status, code, title = 409, "supersession_circle", "The claims would supersede each other"


class RelationContradicts(Problem):
    """The same source, or the editors, asserted the opposite relation between these claims."""

    status, code, title = 409, "relation_contradicts", "The relation contradicts a recorded one"


class KeyInFlight(Problem):
    """A request with the same Idempotency-Key is still being processed. Send it again later, with the same key."""

    status, code, title = 409, "key_in_flight", "The request is still being processed"


class PreconditionFailed(Problem):
    """A condition failed: `If-Match` does not name the current state, or `If-None-Match` does. Nothing was written."""

    status, code, title = 412, "stale_revision", "The resource has changed since it was read"


class PreconditionRequired(Problem):
    """A change needs `If-Match` with the ETag of the revision that it replaces."""

    status, code, title = 428, "if_match_required", "If-Match is required"


class TooManyRequests(Problem):
    """The client has sent too many requests, or too many wrong API keys. `Retry-After` says when to go on."""

    status, code, title = 429, "too_many_requests", "Too many requests"


class KeyReused(Problem):
    """The Idempotency-Key was used before for a different request."""

    status, code, title = 422, "key_reused", "The Idempotency-Key belongs to another request"


class AlreadyCreated(Problem):
    """The request was answered before with a secret that is not stored. `created` is the address of the key."""

    status, code, title = 409, "already_created", "The key was created by an earlier request"


class FileNotRead(Problem):
    """The file is damaged, has an unexpected format, or is not safe to read."""

    status, code, title = 422, "file_refused", "The file cannot be read"


class MappingNotRead(Problem):
    """The mapping has errors, or does not match the file."""

    status, code, title = 422, "mapping_refused", "The mapping cannot be used"


class RowsRefused(Problem):
    """The import has rows that violate a rule, so it recorded nothing."""

    status, code, title = 422, "rows_refused", "Rows are refused, so nothing was imported"


class Removed(Problem):
    """The record was taken down. For a claim, the body has its tombstone."""

    status, code, title = 410, "removed", "The record was taken down"


class TooLarge(Problem):
    """The body exceeds the size limit of the server."""

    status, code, title = 413, "content_too_large", "The request is too large"


class RequestTimeout(Problem):
    """The request did not arrive in time: its headers took too long, or its body stopped."""

    status, code, title = 408, "request_timeout", "The request did not arrive in time"


class AddressTooLong(Problem):
    """The address, with its parameters, exceeds the size limit of the server."""

    status, code, title = 414, "address_too_long", "The address is too long"


class UnsupportedMediaType(Problem):
    """The address does not accept the media type or the content coding of the body."""

    status, code, title = 415, "unsupported_media_type", "The media type of the body is not supported"


class MethodNotImplemented(Problem):
    """The server does not know the HTTP method."""

    status, code, title = 501, "method_not_implemented", "The server does not know the method"


class FormatNotImplemented(Problem):
    """The service does not have this format. oEmbed prescribes the status."""

    status, code, title = 501, "format_not_implemented", "The server does not have this format"


class Unavailable(Problem):
    """The database is unavailable or overloaded, or temporary files cannot be written. Try again later."""

    status, code, title = 503, "unavailable", "The service is unavailable at the moment"


class StorageFull(Unavailable):
    """The disk of the database, or of temporary files, is full: nothing was recorded. Reads work."""

    status, code, title = 503, "storage_full", "The disk is full"


class LeaseLost(Unavailable):
    """This process could not renew its lease, so that it may serve what was taken down: it answers no reads."""

    status, code, title = 503, "lease_lost", "The lease of this process has ended"


class LeaseLimit(Problem):
    """As many mirrors hold leases as a register has."""

    status, code, title = 409, "lease_limit", "No more leases can be held"


class HistoryForked(Problem):
    """The register was restored to an earlier state. Changes after `forked_at` are not those that the client knows."""

    status, code, title = 409, "history_forked", "The history of the register forked"


class OutcomeUnknown(Problem):
    """The write was sent to the database, which has not confirmed it in time. It may be recorded, or not."""

    status, code, title = 503, "outcome_unknown", "It is not known whether the write was recorded"


class BackupFailed(Exception):
    """A backup cannot be written or restored."""


class CopyFailed(Exception):
    """A register cannot be copied to a database."""


class MirrorFailed(Exception):
    """A register cannot be mirrored."""


class PurgeFailed(Exception):
    """A shared cache does not do what a purger asks for."""


class SnapshotFailed(Exception):
    """A snapshot for analysts cannot be written."""


def known_problems() -> dict[str, type[Problem]]:
    """Return every problem class by its code."""
    classes: list[type[Problem]] = [Problem, *Problem.__subclasses__()]
    classes += [*InvalidRequest.__subclasses__(), *Unavailable.__subclasses__()]
    return {problem.code: problem for problem in classes}


MAX_QUOTED_CHARACTERS = 100
"""Maximum length of a name or value of the request in a message."""


def shorten(text: str, limit: int = MAX_QUOTED_CHARACTERS) -> str:
    """Return `text`, or its first `limit` characters with an ellipsis if it is longer."""
    return text if len(text) <= limit else text[:limit] + "…"


MIN_SIMILARITY = 0.7
"""The least similarity of a word and what it may mean, from 0 to 1: `nope` and `nato` have 0.5."""

_SEPARATORS = re.compile(r"[-_.\s]+")


def find_nearest(word: str, candidates: Iterable[str], count: int = 1) -> list[str]:
    """Return the candidates that a misspelt word may mean, the most similar first; none if no candidate is near.

    Case aside, a candidate is near if few of its letters differ. It is also near if it alone shares its first half with
    the word, or has the word as its first or last part: `kursk` is near `kursk-oblast`.
    """
    if not word or len(word) > MAX_QUOTED_CHARACTERS:
        return []
    folded_word = word.casefold()
    by_folded = {candidate.casefold(): candidate for candidate in reversed(list(candidates))}
    folded = list(reversed(by_folded))
    if similar := difflib.get_close_matches(folded_word, folded, count, MIN_SIMILARITY):
        return [by_folded[each] for each in similar]
    alike = [each for each in folded if _begins_alike(folded_word, each)]
    return [by_folded[alike[0]]] if len(alike) == 1 else []


def _begins_alike(word: str, candidate: str) -> bool:
    """Return whether the words share their first half, or the candidate has the word as its first or last part."""
    half = max(len(word), len(candidate)) // 2 + 1
    if word[:half] == candidate[:half]:
        return True
    parts = _SEPARATORS.split(candidate)
    return word in (parts[0], parts[-1])


def suggest_nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Return a hint with the candidate most similar to `word`, or None if no candidate is near."""
    nearest = find_nearest(word, candidates)
    return f"did you mean `{nearest[0]}`?" if nearest else None


def validation_message(error: Mapping[str, object]) -> str:
    """Return the message of a Pydantic error, without the prefix that Pydantic gives to those of our validators."""
    return str(error["msg"]).removeprefix("Value error, ")


def validation_location(error: ErrorDetails) -> str:
    """Return the location of a Pydantic error as the end of a JSON pointer: `figure/lower`."""
    return "/".join(str(step) for step in error["loc"])


def field_fault(pointer: str, detail: str, *, hint: str | None = None, location: str = "body") -> Fault:
    """Return a `Fault` at `pointer`, such as `figure/lower`."""
    return Fault(pointer=f"#/{pointer}", location=location, detail=detail, hint=hint)


def invalid_field(pointer: str, detail: str, *, hint: str | None = None, location: str = "body") -> InvalidRequest:
    """Return the problem for one invalid field."""
    return InvalidRequest(detail, hint=hint, errors=[field_fault(pointer, detail, hint=hint, location=location)])


def raise_if_any(faults: Sequence[Fault]) -> None:
    """Raise `InvalidRequest` with all faults, the first as its detail, if there are any."""
    if faults:
        raise InvalidRequest(faults[0].detail, hint=faults[0].hint, errors=faults)
