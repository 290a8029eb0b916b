"""Base classes of request and response models, and types of their fields."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, StringConstraints
from pydantic_core import PydanticCustomError

SLUG_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"


class Input(BaseModel):
    """A request body. Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Output(BaseModel):
    """A response. Every field is present; null means unknown or not applicable."""

    model_config = ConfigDict(frozen=True)


def _refuse_nul(text: str) -> str:
    """Reject NUL characters, which PostgreSQL cannot store."""
    if "\0" in text:
        raise PydanticCustomError("text_nul", "Contains a NUL character, which cannot be stored")
    return text


def _refuse_other_dates(value: Any) -> Any:  # noqa: ANN401 - unvalidated input
    """Accept only days like 2025-06-12. Pydantic by itself also accepts numbers, times and other formats."""
    if isinstance(value, str):
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            raise PydanticCustomError("date_format", "Expected a day like 2025-06-12")
    elif value is not None and not isinstance(value, date):
        raise PydanticCustomError("date_format", "Expected a day like 2025-06-12, as text")
    return value


def _to_utc(value: datetime) -> datetime:
    try:
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time_range", "Expected a time in the years 0001 to 9999, in UTC") from None


def _format_utc(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN, max_length=80)]
"""A natural key: lowercase letters, digits and single hyphens."""

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(_refuse_nul)]
"""A name or a title, of at most 300 characters."""

LongText = Annotated[str, StringConstraints(min_length=1, max_length=5_000), AfterValidator(_refuse_nul)]
"""A quote, a note or a rationale, of at most 5,000 characters."""

WebAddress = Annotated[
    str, StringConstraints(pattern=r"^https?://[^\s/]+[^\s]*$", max_length=2_000), AfterValidator(_refuse_nul)
]
"""An HTTP or HTTPS URL."""


def _normalize_state(text: str) -> str:
    """Return `seq:N` unchanged, and a time in UTC; a time without a zone is taken as UTC."""
    if re.fullmatch(r"seq:[0-9]{1,18}", text):
        return text
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise PydanticCustomError("state", "Expected a time like 2026-11-20T12:00:00Z, or seq:1234") from None


RegisterState = Annotated[str, StringConstraints(max_length=40), AfterValidator(_normalize_state)]
"""A state of the register: a time or `seq:N`."""

Language = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$", max_length=35)]
"""A language tag (BCP 47)."""

Day = Annotated[date, BeforeValidator(_refuse_other_dates)]
"""A day as YYYY-MM-DD."""

UtcTime = Annotated[datetime, AfterValidator(_to_utc), PlainSerializer(_format_utc, return_type=str, when_used="json")]
"""A time in UTC, serialized with `Z`. A time without a zone is taken as UTC."""
