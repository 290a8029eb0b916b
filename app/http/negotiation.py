"""Content negotiation: the format of a list by suffix, else `format`, else `Accept`."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from fastapi import Request

from app.errors import NotAcceptable
from app.http.accept import parse_quality_values
from app.http.headers import read_list_header
from app.http.linked_data import JSON_LD
from app.http.parquet import INSTALL_HINT, PARQUET, is_available
from app.http.serializers import CSV, NDJSON, FileWriter
from app.http.xlsx import XLSX

JSON_MEDIA_TYPE = "application/json"


class Format(StrEnum):
    """The formats of every list."""

    json = "json"
    csv = "csv"
    ndjson = "ndjson"
    xlsx = "xlsx"
    parquet = "parquet"
    jsonld = "jsonld"


SUFFIXES = [kind.value for kind in Format]


FILE_FORMATS: dict[Format, FileWriter] = {
    Format.csv: CSV,
    Format.ndjson: NDJSON,
    Format.xlsx: XLSX,
    Format.parquet: PARQUET,
    Format.jsonld: JSON_LD,
}
"""The formats in which a list is a file of all its rows."""


MEDIA_TYPES = {Format.json: JSON_MEDIA_TYPE} | {
    kind: file.media_type.partition(";")[0] for kind, file in FILE_FORMATS.items()
}
"""The media type of each format. The first is the default for a client without a preference."""


F = TypeVar("F", bound=StrEnum)


def choose_format(request: Request, requested: Format | None) -> Format:
    """Return the format of a list. Raises `NotAcceptable`, also if what writes the format is not installed."""
    chosen = choose_among(request, requested, MEDIA_TYPES)
    if chosen is Format.parquet and not is_available():
        raise NotAcceptable("This server cannot write Parquet: pyarrow is not installed.", hint=INSTALL_HINT)
    return chosen


def choose_among(request: Request, requested: F | None, media_types: Mapping[F, str]) -> F:
    """Return the format of a response, of those that have a media type. Raises `NotAcceptable`.

    The first format is the default for a client without a preference.
    """
    suffix = request.path_params.get("suffix")
    if suffix is not None:
        default = next(iter(media_types))
        return next((kind for kind in media_types if kind.value == suffix), default)
    if requested is not None:
        return requested
    return _negotiate(read_list_header(request.headers, "accept") or "", media_types)


def _negotiate(accept: str, media_types: Mapping[F, str]) -> F:
    """Return the preferred format by `Accept` (RFC 9110, section 12.5.1); the first if the client has no preference."""
    qualities = parse_quality_values(accept) or {"*/*": 1.0}  # an empty list is no preference

    def quality(kind: F) -> float:
        """Return the quality value of the most specific range that includes the media type; 0 if there is none."""
        media_type = media_types[kind]
        ranges = (media_type, media_type.partition("/")[0] + "/*", "*/*")
        return next((qualities[media_range] for media_range in ranges if media_range in qualities), 0.0)

    preferred = max(media_types, key=quality)
    if quality(preferred) <= 0:
        raise NotAcceptable(
            f"This address serves {join_words(media_types.values(), 'and')}.",
            hint="omit `Accept`, or add a suffix such as .csv",
        )
    return preferred


PATHS_FOR_PROGRAMS = ("/v1", "/health", "/metrics", "/oembed", "/openapi.json", "/problems")
"""The beginnings of the paths that are not pages: their errors are always problems."""


def is_page_path(path: str) -> bool:
    """Return whether a path is one of a page for people."""
    return not any(path == start or path.startswith(f"{start}/") for start in PATHS_FOR_PROGRAMS)


def prefers_html(request: Request) -> bool:
    """Return whether a client would rather have HTML than JSON: a browser says so, most programs do not."""
    qualities = parse_quality_values(read_list_header(request.headers, "accept") or "")
    others = max(qualities.get("*/*", 0), qualities.get("application/*", 0))
    return qualities.get("text/html", 0) > qualities.get(JSON_MEDIA_TYPE, others)


def join_words(words: Iterable[str], conjunction: str) -> str:
    """Return the words as an enumeration: `a, b and c`."""
    *others, last = words
    return f"{', '.join(others)} {conjunction} {last}"
