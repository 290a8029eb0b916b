"""Content negotiation: the format of a list by suffix, else `format`, else `Accept`."""

from collections.abc import Iterable
from enum import StrEnum

from fastapi import Request

from app.errors import NotAcceptable
from app.http.serializers import CSV, NDJSON, FileWriter

JSON_MEDIA_TYPE = "application/json"


class Format(StrEnum):
    """The formats of every list."""

    json = "json"
    csv = "csv"
    ndjson = "ndjson"


SUFFIXES = [kind.value for kind in Format]


FILE_FORMATS: dict[Format, FileWriter] = {Format.csv: CSV, Format.ndjson: NDJSON}
"""The formats in which a list is a file of all its rows."""


MEDIA_TYPES = {Format.json: JSON_MEDIA_TYPE} | {
    kind: file.media_type.partition(";")[0] for kind, file in FILE_FORMATS.items()
}
"""The media type of each format. The first is the default for a client without a preference."""


def choose_format(request: Request, requested: Format | None) -> Format:
    """Return the format of a response. Raises `NotAcceptable`."""
    suffix = request.path_params.get("suffix")
    if suffix is not None:
        return Format(suffix) if suffix in SUFFIXES else Format.json
    if requested is not None:
        return requested
    return _negotiate(",".join(request.headers.getlist("accept")) or "*/*")


def _negotiate(accept: str) -> Format:
    """Return the preferred format by `Accept` (RFC 9110, section 12.5.1); JSON if the client has no preference."""
    best: tuple[float, Format] | None = None
    for kind, media_type in MEDIA_TYPES.items():
        quality = _accept_quality(accept, media_type)
        if quality > 0 and (best is None or quality > best[0]):
            best = (quality, kind)
    if best is None:
        raise NotAcceptable(
            f"This address serves {join_words(MEDIA_TYPES.values(), 'and')}.",
            hint="omit `Accept`, or add a suffix such as .csv",
        )
    return best[1]


def _accept_quality(accept: str, media_type: str) -> float:
    """Return the quality value of a media type by the most specific range of `Accept`; 0 if not acceptable."""
    type_range = media_type.partition("/")[0] + "/*"
    quality, best_specificity = 0.0, -1
    for part in accept.split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        specificity = {media_type: 2, type_range: 1, "*/*": 0}.get(media_range.lower(), -1)
        if specificity > best_specificity:
            best_specificity = specificity
            weights = [parameter[2:] for parameter in parameters if parameter.lower().startswith("q=")]
            try:
                quality = float(weights[0]) if weights else 1.0
            except ValueError:
                quality = 0.0
    return quality


def join_words(words: Iterable[str], conjunction: str) -> str:
    """Return the words as an enumeration: `a, b and c`."""
    *others, last = words
    return f"{', '.join(others)} {conjunction} {last}"
