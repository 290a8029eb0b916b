"""Base classes of request and response models, and types of their fields."""

import re
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, StringConstraints
from pydantic_core import PydanticCustomError

DAY_OR_MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[Tt](\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?)([Zz]|[+ -]\d{2}:\d{2}))?", re.ASCII
)
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


def _parse_day_or_moment(value: Any) -> Any:  # noqa: ANN401 - unvalidated input
    """Return a day, or a moment with its offset (RFC 3339). The `+` of an offset may arrive decoded, as a space."""
    if not isinstance(value, str):
        return value
    if match := DAY_OR_MOMENT.fullmatch(value):
        day, clock, offset = match.groups()
        with suppress(ValueError):
            if clock is None:
                return date.fromisoformat(day)
            return _to_utc(datetime.fromisoformat(f"{day}T{clock}{offset.upper().replace(' ', '+')}"))
    raise PydanticCustomError("day_or_moment", "Expected a day like 2025-06-12, or a moment like 2025-06-12T18:00:00Z")


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

CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that break lines or change the direction of the text around them."""


def _refuse_control_characters(text: str) -> str:
    if CONTROL_CHARACTERS.search(text):
        raise PydanticCustomError("control_character", "Expected words on one line, without control characters")
    return text


RunningText = Annotated[
    str, StringConstraints(min_length=1, max_length=200), AfterValidator(_refuse_control_characters)
]
"""Words inside a sentence, of at most 200 characters."""

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

MOMENT_PATTERN = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])"
)
"""A time of RFC 3339 with seconds. No place has an offset of more than 14 hours, and SQLite reads no larger one."""


def _refuse_other_moments(text: str) -> str:
    """Accept only moments of RFC 3339 that exist, within the years of a date in UTC."""
    if MOMENT_PATTERN.fullmatch(text):
        try:
            parse_moment(text)
        except (ValueError, OverflowError):
            pass
        else:
            return text
    raise PydanticCustomError("moment", "Expected a time with seconds and offset, like 2025-06-12T18:30:00+03:00")


def parse_moment(text: str) -> datetime:
    """Return a moment of RFC 3339 as a time with its offset. Raises `ValueError` or `OverflowError`."""
    moment = datetime.fromisoformat(text.upper())
    moment.astimezone(UTC)
    return moment


Moment = Annotated[str, StringConstraints(max_length=40), AfterValidator(_refuse_other_moments)]
"""A time with its offset from UTC (RFC 3339, section 5.6), kept as given."""
DayOrMoment = Annotated[date | datetime, BeforeValidator(_parse_day_or_moment)]
"""A day as YYYY-MM-DD, or a moment with its offset (RFC 3339)."""

UtcTime = Annotated[datetime, AfterValidator(_to_utc), PlainSerializer(_format_utc, return_type=str, when_used="json")]
"""A time in UTC, serialized with `Z`. A time without a zone is taken as UTC."""
