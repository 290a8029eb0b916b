"""Deprecated operations and parameters: declared with the route, announced by headers and in the OpenAPI document."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Send

from app.http.addresses import whole_address

MIN_LIFETIME: Final = timedelta(days=365)
"""How long something deprecated works at least: docs/stability.md promises it."""

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Deprecation:
    """The deprecation of an operation, or of one of its query parameters."""

    since: date
    sunset: date
    """The first day on which it may be gone."""
    instead: str
    """What to use instead, as a sentence."""
    parameter: str = ""

    def __post_init__(self) -> None:
        """Raise `ValueError` for a shorter life than the promised one."""
        if self.sunset - self.since < MIN_LIFETIME:
            raise ValueError(f"something deprecated works for at least {MIN_LIFETIME.days} days")

    @property
    def note(self) -> str:
        """The sentence in the documentation."""
        return f"Deprecated since {self.since}, works until {self.sunset} at least. {self.instead}"


def deprecated(*, since: date, sunset: date, instead: str, parameter: str = "") -> Callable[[Endpoint], Endpoint]:
    """Mark an endpoint, or one of its query parameters, as deprecated. Stands below the decorator of the route."""
    deprecation = Deprecation(since, sunset, instead, parameter)

    def declare(endpoint: Endpoint) -> Endpoint:
        endpoint.deprecations = (*deprecations_of(endpoint), deprecation)  # type: ignore[attr-defined]
        return endpoint

    return declare


def deprecations_of(endpoint: Callable[..., Any]) -> tuple[Deprecation, ...]:
    """Return what is deprecated of an endpoint."""
    found: tuple[Deprecation, ...] = getattr(endpoint, "deprecations", ())
    return found


def announce(deprecations: Sequence[Deprecation], query_string: bytes, send: Send) -> Send:
    """Return `send` with the headers of what a request uses: `Deprecation` (RFC 9745) and `Sunset` (RFC 8594)."""
    names = {name for name, _ in parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)}
    used = [each for each in deprecations if not each.parameter or each.parameter in names]
    if not used:
        return send
    since = _midnight(min(each.since for each in used))
    sunset = _midnight(min(each.sunset for each in used))

    async def send_announced(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message.get("headers", ())))
            headers["Deprecation"] = f"@{int(since.timestamp())}"
            headers["Sunset"] = format_datetime(sunset, usegmt=True)
            headers.append("Link", f'<{whole_address("/docs")}>; rel="deprecation"; type="text/html"')
            message = {**message, "headers": headers.raw}
        await send(message)

    return send_announced


def mark_deprecated(document: dict[str, Any], routes: Iterable[BaseRoute]) -> None:
    """Mark the deprecated operations and parameters of an OpenAPI document, in place."""
    for operation, deprecation in _deprecated_operations(document, routes):
        if not deprecation.parameter:
            _mark(operation, deprecation)
        for parameter in operation.get("parameters", []):
            if (parameter["name"], parameter["in"]) == (deprecation.parameter, "query"):
                _mark(parameter, deprecation)


def _deprecated_operations(
    document: dict[str, Any], routes: Iterable[BaseRoute]
) -> Iterable[tuple[dict[str, Any], Deprecation]]:
    for route in routes:
        if isinstance(route, Route) and route.path in document["paths"]:
            for method, operation in document["paths"][route.path].items():
                if method.upper() in (route.methods or ()):
                    yield from ((operation, deprecation) for deprecation in deprecations_of(route.endpoint))


def _mark(described: dict[str, Any], deprecation: Deprecation) -> None:
    described["deprecated"] = True
    described["description"] = f"{described.get('description', '')} {deprecation.note}".strip()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
