"""Renders a chart as PNG, with the fonts of the package."""

import re
from threading import Lock
from typing import Final

from app.charts.text import FONT_FILES, load_metrics
from app.errors import Unavailable

DENSITY: Final = 2
"""Pixels of the picture for each pixel of the chart, in each direction."""

MAX_PIXELS: Final = 16_000_000
"""A long chart has a lower density, so that a picture takes at most 64 megabytes of memory while it is drawn."""

MAX_WAIT_SECONDS: Final = 2.0
"""How long a picture waits for the one that is being drawn."""

_drawing: Final = Lock()
"""One picture is drawn at a time, so that several do not take their memory at once. Each needs a whole core anyway."""

_SIZE: Final = re.compile(r'<svg [^>]*? width="([0-9]+)" height="([0-9]+)"')
_TEXT: Final = re.compile(r">([^<]+)<")


def render_png(svg: str) -> bytes:
    """Return an SVG document of this package as PNG.

    The fonts of the machine are used only for characters that those of the package do not have.

    Raises:
        Unavailable: Other pictures have been drawn for too long.
    """
    import resvg_py  # noqa: PLC0415 - most processes never draw a picture

    match = _SIZE.search(svg)
    assert match is not None  # noqa: S101 - every chart has a size
    width, height = int(match[1]), int(match[2])
    density = min(DENSITY, (MAX_PIXELS / (width * height)) ** 0.5)
    has_all = load_metrics().has_all("".join(_TEXT.findall(svg)))
    if not _drawing.acquire(timeout=MAX_WAIT_SECONDS):
        detail = "Other pictures are being drawn."
        raise Unavailable(detail, hint="send the request again, or ask for the SVG", headers={"Retry-After": "2"})
    try:
        return bytes(
            resvg_py.svg_to_bytes(
                svg_string=svg,
                skip_system_fonts=has_all,
                font_files=[str(path) for path in FONT_FILES.values()],
                sans_serif_family="DejaVu Sans",
                zoom=density,
            )
        )
    finally:
        _drawing.release()
