"""Which format a list is sent in: by suffix, else `format`, else `Accept`."""

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
"""What each format is called in `Accept`; the first is served to a client that does not mind."""


def choose_format(request: Request, asked: Format | None) -> Format:
    """Return the format of a response. Raises `NotAcceptable`."""
    suffix = request.path_params.get("suffix")
    if suffix is not None:
        return Format(suffix) if suffix in SUFFIXES else Format.json
    if asked is not None:
        return asked
    return _negotiate(",".join(request.headers.getlist("accept")) or "*/*")


def _negotiate(accept: str) -> Format:
    """The best of our formats by `Accept` (RFC 9110, 12.5.1): JSON where the client does not mind."""
    best: tuple[float, Format] | None = None
    for kind, media_type in MEDIA_TYPES.items():
        quality = _accept_quality(accept, media_type)
        if quality > 0 and (best is None or quality > best[0]):
            best = (quality, kind)
    if best is None:
        raise NotAcceptable(
            f"This address serves {join_words(MEDIA_TYPES.values(), 'and')}.",
            hint="leave `Accept` out, or add a suffix like .csv",
        )
    return best[1]


def _accept_quality(accept: str, media_type: str) -> float:
    any_like_it = media_type.partition("/")[0] + "/*"
    found, closeness = 0.0, -1
    for part in accept.split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        close = {media_type: 2, any_like_it: 1, "*/*": 0}.get(name.lower(), -1)
        if close > closeness:
            closeness = close
            weights = [p[2:] for p in parameters if p.lower().startswith("q=")]
            try:
                found = float(weights[0]) if weights else 1.0
            except ValueError:
                found = 0.0
    return found


def join_words(words: Iterable[str], last: str) -> str:
    """`a, b and c`."""
    *others, end = words
    return f"{', '.join(others)} {last} {end}"
