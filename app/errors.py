"""Errors with a stable code and an HTTP status. They may be raised anywhere."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field
from pydantic_core import ErrorDetails


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    pointer: str = Field(
        description="Where: a JSON pointer into the body, or a parameter.",
        examples=["#/figure/lower"],
    )
    location: str = Field(description="`body`, `query`, `path` or `header`.", examples=["body"])
    detail: str = Field(
        description="What is wrong, and what was expected.",
        examples=["`lower` is above `upper`; expected lower <= upper"],
    )
    hint: str | None = Field(description="What would work.", examples=["did you mean `killed`?"])


class Problem(Exception):
    """A failure that its caller is told about. Subclasses state the fact, with a status and a code for good."""

    status = 500
    code = "internal_error"
    title = "The server made a mistake"

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


class InvalidRequest(Problem):
    """Something in the request is not what it must be."""

    status, code, title = 422, "invalid_request", "The request is not valid"


class UnknownParameter(Problem):
    """A query parameter that this address does not have."""

    status, code, title = 422, "unknown_parameter", "There is no such parameter"


class QueryTooBroad(Problem):
    """A question that cannot be answered within the budget of one statement."""

    status, code, title = 422, "query_too_broad", "The question is too broad"


class UnknownSlug(Problem):
    """A slug or id that nothing has."""

    status, code, title = 422, "unknown_slug", "There is no such name"


class InvalidCursor(Problem):
    """A cursor that this list did not give out."""

    status, code, title = 422, "invalid_cursor", "The cursor is not one of this list"


class Unauthorized(Problem):
    """No key, or one that is not valid."""

    status, code, title = 401, "unauthorized", "An API key is needed"


class Forbidden(Problem):
    """The key may not do this."""

    status, code, title = 403, "forbidden", "This key may not do that"


class NotFound(Problem):
    """Nothing is there."""

    status, code, title = 404, "not_found", "There is nothing here"


class MethodNotAllowed(Problem):
    """The address has no such method."""

    status, code, title = 405, "method_not_allowed", "This address does not take that method"


class NotAcceptable(Problem):
    """No format that the client takes."""

    status, code, title = 406, "not_acceptable", "There is no such format"


class DuplicateClaim(Problem):
    """The same statement is already in the register."""

    status, code, title = 409, "duplicate_claim", "This claim is already in the register"


class InUse(Problem):
    """A change that would alter the meaning of what is already recorded."""

    status, code, title = 409, "in_use", "This would change what recorded claims mean"


class EventImpossible(Problem):
    """The claim is not in a state that this can follow."""

    status, code, title = 409, "event_impossible", "This cannot follow the present state"


class KeyInFlight(Problem):
    """The same Idempotency-Key is being worked on."""

    status, code, title = 409, "key_in_flight", "The same request is still in flight"


class PreconditionFailed(Problem):
    """The revision that was meant is not the one that stands."""

    status, code, title = 412, "stale_revision", "It has changed since it was read"


class PreconditionRequired(Problem):
    """A change that does not say which revision it changes."""

    status, code, title = 428, "if_match_required", "A change needs If-Match"


class KeyReused(Problem):
    """An Idempotency-Key with another body."""

    status, code, title = 422, "key_reused", "This Idempotency-Key belongs to another request"


class FileNotRead(Problem):
    """A file that is not what it should be, or not safe to read."""

    status, code, title = 422, "file_refused", "The file cannot be read"


class MappingNotRead(Problem):
    """A mapping that cannot be used."""

    status, code, title = 422, "mapping_refused", "The mapping cannot be used"


class RowsRefused(Problem):
    """An import with rows that break a rule."""

    status, code, title = 422, "rows_refused", "Rows are refused, so nothing was imported"


class Removed(Problem):
    """It was taken down."""

    status, code, title = 410, "removed", "This was taken down"


class TooLarge(Problem):
    """The body is larger than this server reads."""

    status, code, title = 413, "content_too_large", "The request is too large"


class UnsupportedMediaType(Problem):
    """The body is not of a type that this address reads."""

    status, code, title = 415, "unsupported_media_type", "The body is not of a type that is read here"


class Unavailable(Problem):
    """The database does not answer now."""

    status, code, title = 503, "unavailable", "The register cannot be reached right now"


def known_problems() -> dict[str, type[Problem]]:
    """Every kind of problem by its code."""
    kinds: list[type[Problem]] = [Problem, *Problem.__subclasses__()]
    return {kind.code: kind for kind in kinds}


def suggest_nearest(word: str, known: Iterable[str]) -> str | None:
    """A hint with the known word that is most like `word`, if any is."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean `{found[0]}`?" if found else None


def validation_message(error: Mapping[str, object]) -> str:
    """Return the message of a Pydantic error, without the prefix that Pydantic gives to those of our validators."""
    return str(error["msg"]).removeprefix("Value error, ")


def validation_location(error: ErrorDetails) -> str:
    """Return the location of a Pydantic error as the end of a JSON pointer: `figure/lower`."""
    return "/".join(str(step) for step in error["loc"])


def field_fault(pointer: str, detail: str, *, hint: str | None = None, location: str = "body") -> Fault:
    """A `Fault` at `pointer` (`figure/lower`)."""
    return Fault(pointer=f"#/{pointer}", location=location, detail=detail, hint=hint)


def invalid_field(pointer: str, detail: str, *, hint: str | None = None, location: str = "body") -> InvalidRequest:
    """The problem of one wrong field."""
    return InvalidRequest(detail, hint=hint, errors=[field_fault(pointer, detail, hint=hint, location=location)])
