"""The colours and fonts of a chart as a style sheet, for each theme."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Final

from app.charts.description import Theme

FONT_FAMILY: Final = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", Arial, sans-serif'
SERIES_COLORS: Final = 8
"""The number of colours of named series."""


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a theme. Text has a contrast of at least 4.5 to 1 on `paper`, and marks one of 3 to 1."""

    ink: str
    muted: str
    paper: str
    line: str
    accent: str
    older: str
    series: tuple[str, ...]
    """Distinguishable by colour-blind readers too (after Okabe and Ito, 2008), and each with its name beside it."""


PALETTES: Final[Mapping[Theme, Palette]] = {
    Theme.light: Palette(
        ink="#1a1a1a",
        muted="#595959",
        paper="#ffffff",
        line="#dddddd",
        accent="#0b5394",
        older="#767676",
        series=("#0b5394", "#b34700", "#007a5a", "#a3447a", "#7a6200", "#2f76a8", "#5b3a8c", "#4d4d4d"),
    ),
    Theme.dark: Palette(
        ink="#f0f0ee",
        muted="#b0b0ae",
        paper="#16191d",
        line="#3a3f45",
        accent="#7db8f0",
        older="#8e9297",
        series=("#7db8f0", "#f0a060", "#4fc7a0", "#e59ac4", "#d9c55a", "#56b4e9", "#b9a0e6", "#c8c8c8"),
    ),
}

_SHARED: Final = f"""
.cc-chart text{{font-family:{FONT_FAMILY};font-size:12px}}
.cc-chart .cc-title{{font-size:18px;font-weight:700}}
.cc-chart .cc-heading{{font-size:13px;font-weight:700}}
.cc-chart .cc-small{{font-size:11px}}
.cc-chart .cc-number{{font-size:10px;font-weight:700}}
.cc-chart .cc-halo{{paint-order:stroke;stroke-width:5px;stroke-linejoin:round}}
.cc-chart .cc-end{{text-anchor:end}}
.cc-chart .cc-middle{{text-anchor:middle}}
.cc-chart .cc-thin,.cc-chart .cc-bold,.cc-chart .cc-dashed,.cc-chart .cc-dotted{{fill:none}}
.cc-chart .cc-thin{{stroke-width:1px}}
.cc-chart .cc-bold{{stroke-width:2px}}
.cc-chart .cc-dashed{{stroke-width:2px;stroke-dasharray:5 3}}
.cc-chart .cc-dotted{{stroke-width:1px;stroke-dasharray:1 3}}
"""
FONT_SIZES: Final[Mapping[str, int]] = {"title": 18, "heading": 13, "text": 12, "small": 11, "number": 10}


def _write_colors(palette: Palette) -> str:
    colors = {
        "ink": palette.ink,
        "muted": palette.muted,
        "paper": palette.paper,
        "line": palette.line,
        "accent": palette.accent,
        "older": palette.older,
        **{f"s{number}": color for number, color in enumerate(palette.series)},
    }
    return "\n".join(
        f".cc-chart .f-{name}{{fill:{color}}}"
        f".cc-chart .s-{name}{{stroke:{color}}}"
        f".cc-chart .g-{name}{{stop-color:{color}}}"
        for name, color in colors.items()
    )


@cache
def style_of(theme: Theme) -> str:
    """Return the style sheet of a theme. A page that has a chart inside it includes it in its own."""
    light, dark = (_write_colors(PALETTES[each]) for each in (Theme.light, Theme.dark))
    match theme:
        case Theme.light:
            return f"{_SHARED}{light}\n"
        case Theme.dark:
            return f"{_SHARED}{dark}\n"
        case Theme.auto:
            return f"{_SHARED}{light}\n@media (prefers-color-scheme:dark){{\n{dark}\n}}\n"


@cache
def content_policy_of(theme: Theme) -> str:
    """Return the content security policy of a chart as a document: only its own style applies."""
    digest = b64encode(sha256(style_of(theme).encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; sandbox"
