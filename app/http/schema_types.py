"""Base classes of request and response models, and types of their fields."""

import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Annotated, Any, ClassVar, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core import PydanticCustomError

from app.http.language_tags import is_language_tag
from app.terms import EXPECTED_TERMS, MAX_TERMS_CHARACTERS, InvalidTerms, normalize_terms

DAY_OR_MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[Tt](\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?)([Zz]|[+ -]\d{2}:\d{2}))?", re.ASCII
)
DAY_PATTERN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME_PATTERN = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]"
    r"(?P<clock>[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)(?P<offset>[Zz]|[+ -][0-9]{2}:[0-9]{2})?"
)
"""A time of RFC 3339. The offset may be missing; its `+` may arrive decoded, as a space."""

SLUG_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"

REFUSED_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\r(?!\n)")
"""Control characters (C0 and C1, except tab and line ends), and characters that override the direction of text.

The marks U+200C to U+200F and U+061C are accepted, since Arabic, Hebrew and Persian texts need them.
"""

RECORDED = {"recorded": True}
"""The context for the validation of recorded fields: rules that are newer than the record do not apply to its texts."""


def is_recorded(info: ValidationInfo) -> bool:
    """Return whether the validated values are recorded already."""
    return bool(info.context and info.context.get("recorded"))


MAX_CHECKED_CHARACTERS = 20_000
"""No field takes a longer text, which is refused for its length."""


def check_text(text: str) -> str:
    """Return `text`. Raise `PydanticCustomError` for one of `REFUSED_CHARACTERS`."""
    if text.isprintable():  # none of them is, and this takes a tenth of the time
        return text
    if (match := REFUSED_CHARACTERS.search(text, 0, MAX_CHECKED_CHARACTERS)) is None:
        return text
    name = f"U+{ord(match[0]):04X}"
    if match[0] >= "\u2000":
        raise PydanticCustomError(
            "text_direction", "Contains {name}, which overrides the direction of text", {"name": name}
        )
    raise PydanticCustomError("text_control", "Contains the control character {name}", {"name": name})


class Input(BaseModel):
    """A request body. Unknown fields are errors.

    Every text is checked by `check_text`, and a boolean or a number must have that type in JSON too.
    """

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    _scalar_types: ClassVar[dict[str, type]] = {}
    """The fields that are booleans or numbers."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_options: Any) -> None:  # noqa: ANN401 - those of a class statement
        """Find the fields that are booleans or numbers."""
        types = {name: scalar_type(info.annotation) for name, info in cls.model_fields.items()}
        cls._scalar_types = {name: type_ for name, type_ in types.items() if type_ in (bool, int, float)}

    @field_validator("*", mode="before")
    @classmethod
    def _check_value(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - unvalidated input
        """Check texts, and accept a boolean or a number only as such."""
        expected = cls._scalar_types.get(info.field_name or "")
        if expected is not None and value is not None:
            if expected is bool and not isinstance(value, bool):
                raise PydanticCustomError("boolean", "Expected true or false")
            if expected is not bool and (isinstance(value, bool | str) or (expected is int and type(value) is not int)):
                raise PydanticCustomError(
                    "number", "Expected a whole number" if expected is int else "Expected a number"
                )
            return value
        if isinstance(value, str):
            # The search comes first, and not in a function: most texts of an import go no further.
            is_accepted = REFUSED_CHARACTERS.search(value, 0, MAX_CHECKED_CHARACTERS) is None or is_recorded(info)
            return value if is_accepted else check_text(value)
        if isinstance(value, list) and not is_recorded(info):
            return [check_text(item) if isinstance(item, str) else item for item in value]
        return value


@cache
def input_field_names() -> frozenset[str]:
    """Return the names of all fields of all request bodies."""
    models: list[type[BaseModel]] = [Input]
    names: set[str] = set()
    while models:
        model = models.pop()
        models += model.__subclasses__()
        names |= set(model.model_fields)
    return frozenset(names)


def scalar_type(annotation: Any) -> Any:  # noqa: ANN401 - a type
    """Return the type inside `X | None` and `Annotated[X, …]`; `float` for `int | float`; else the annotation."""
    if get_origin(annotation) is Annotated:
        return scalar_type(get_args(annotation)[0])
    arguments = [argument for argument in get_args(annotation) if argument is not type(None)]
    if get_origin(annotation) in (list, dict, set, frozenset, tuple) or not arguments:
        return annotation
    inner = {scalar_type(argument) for argument in arguments}
    return float if inner == {int, float} else inner.pop() if len(inner) == 1 else annotation


class Output(BaseModel):
    """A response. Every field is present; null means unknown or not applicable."""

    model_config = ConfigDict(frozen=True)


def _refuse_other_dates(value: Any) -> Any:  # noqa: ANN401 - unvalidated input
    """Accept only days like 2025-06-12. Pydantic by itself also accepts numbers, times and other formats."""
    if isinstance(value, str):
        if not DAY_PATTERN.fullmatch(value):
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

ShortText = Annotated[str, StringConstraints(min_length=1, max_length=300)]
"""A name or a title, of at most 300 characters."""

LongText = Annotated[str, StringConstraints(min_length=1, max_length=5_000)]
"""A quote, a note or a rationale, of at most 5,000 characters."""

LINE_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that break lines or change the direction of the text around them."""


def _refuse_control_characters(text: str) -> str:
    if LINE_CHARACTERS.search(text):
        raise PydanticCustomError("control_character", "Expected words on one line, without control characters")
    return text


RunningText = Annotated[
    str, StringConstraints(min_length=1, max_length=200), AfterValidator(_refuse_control_characters)
]
"""Words inside a sentence, of at most 200 characters."""


def _normalize_address(text: str, info: ValidationInfo) -> str:
    """Return a URL that a client can open, with its host in lower case and without the default port of its scheme."""
    return text if is_recorded(info) else _normalize_url(text)


@lru_cache(maxsize=1_024)
def _normalize_url(text: str) -> str:
    """Return a URL as `_normalize_address` does. The rows of an import cite few addresses, each of them often."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise PydanticCustomError("url", "The URL has no valid host or port") from None
    if "@" in url.netloc:
        raise PydanticCustomError("url", "A URL has no user name or password")
    host = url.hostname or ""
    if port == 0 or not _is_host(host, is_bracketed="[" in url.netloc):
        raise PydanticCustomError("url", "The URL has no valid host or port")
    default_port = {"http": 80, "https": 443}[url.scheme]
    authority = f"[{host}]" if ":" in host else host
    authority += "" if port in (None, default_port) else f":{port}"
    return f"{url.scheme}://{authority}{text[text.index('//') + 2 + len(url.netloc) :]}"


FORBIDDEN_HOST_CHARACTERS = re.compile(r"[\s\x00-\x20\x7f\"#%/:<>?@\[\\\]^`{|}]")
MAX_HOST_CHARACTERS, MAX_LABEL_CHARACTERS = 253, 63


def _is_host(host: str, *, is_bracketed: bool) -> bool:
    """Return whether `host` is an IPv6 or IPv4 address or a name with valid labels, as in the URL standard."""
    try:
        if is_bracketed:
            IPv6Address(host)
            return True
        labels = host.removesuffix(".").split(".")
        if labels[-1].isascii() and labels[-1].isdigit():
            IPv4Address(host.removesuffix("."))
            return True
    except AddressValueError:
        return False
    return (
        len(host) <= MAX_HOST_CHARACTERS
        and all(0 < len(label) <= MAX_LABEL_CHARACTERS for label in labels)
        and not FORBIDDEN_HOST_CHARACTERS.search(host)
    )


WebAddress = Annotated[
    str, StringConstraints(pattern=r"^https?://[^\s/]+[^\s]*$", max_length=2_000), AfterValidator(_normalize_address)
]
"""An HTTP or HTTPS URL."""


def _normalize_terms(text: str, info: ValidationInfo) -> str:
    if is_recorded(info):
        return text
    try:
        return normalize_terms(text)
    except InvalidTerms as error:
        raise PydanticCustomError("terms", EXPECTED_TERMS, {"hint": error.hint} if error.hint else None) from None


Terms = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_TERMS_CHARACTERS), AfterValidator(_normalize_terms)
]
"""Terms of use: an SPDX identifier or an address."""


def _refuse_other_times(value: Any) -> Any:  # noqa: ANN401 - unvalidated input
    """Accept only times of RFC 3339. Pydantic by itself also accepts Unix times and other formats."""
    if value is None or isinstance(value, datetime):
        return value
    if isinstance(value, str) and (match := TIME_PATTERN.fullmatch(value)):
        return f"{match['day']}T{match['clock']}{(match['offset'] or 'Z').replace(' ', '+').upper()}"
    raise PydanticCustomError("time", "Expected a time like 2026-11-20T10:00:00Z")


def _normalize_state(text: str) -> str:
    """Return `seq:N` unchanged, and a time in UTC; a time without a zone is taken as UTC."""
    if re.fullmatch(r"seq:[0-9]{1,18}", text):
        return text
    try:
        moment = datetime.fromisoformat(text if DAY_PATTERN.fullmatch(text) else _refuse_other_times(text))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError, PydanticCustomError):
        raise PydanticCustomError("state", "Expected a time like 2026-11-20T12:00:00Z, or seq:1234") from None


RegisterState = Annotated[str, StringConstraints(max_length=40), AfterValidator(_normalize_state)]
"""A state of the register: a time or `seq:N`."""


def _refuse_other_languages(text: str, info: ValidationInfo) -> str:
    if not is_recorded(info) and not is_language_tag(text):
        raise PydanticCustomError("language", "Expected a language tag (BCP 47) like `uk` or `sr-Latn`")
    return text


Language = Annotated[str, StringConstraints(max_length=35), AfterValidator(_refuse_other_languages)]
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

UtcTime = Annotated[
    datetime,
    BeforeValidator(_refuse_other_times),
    AfterValidator(_to_utc),
    PlainSerializer(_format_utc, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A time in UTC, serialized with `Z`. A time without a zone is taken as UTC."""


def _refuse_future_day(day: date, info: ValidationInfo) -> date:
    if day > datetime.now(UTC).date() and not is_recorded(info):
        raise PydanticCustomError("future", "Expected a day that is not in the future")
    return day


def _refuse_future_time(moment: datetime, info: ValidationInfo) -> datetime:
    if moment > datetime.now(UTC) + CLOCK_TOLERANCE and not is_recorded(info):
        raise PydanticCustomError("future", "Expected a time that is not in the future")
    return moment


CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far the clock of a client may be ahead."""

PastDay = Annotated[Day, AfterValidator(_refuse_future_day)]
"""A day on which something happened: not after today."""

PastTime = Annotated[UtcTime, AfterValidator(_refuse_future_time)]
"""A time at which something happened: not in the future."""
