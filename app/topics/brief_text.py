"""A brief as text and as rows of a file: Markdown and plain text of a limited width, and flat rows."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from app.enums import Interest
from app.sentences.dates import describe_date, describe_known_on, format_day
from app.sentences.overview import shorten_titles
from app.sentences.phrases import capitalize_first

LINE_WIDTH = 110
"""No line is longer than this many characters, unless a single word is."""
MAX_LINES = 60
"""A brief with the usual limits has no more lines: it shows less until it fits."""


@dataclass(frozen=True, slots=True)
class Detail:
    """How many older positions of a group, pairs and totals a text shows."""

    older: int
    pairs: int
    totals: int


DETAILS = (Detail(12, 5, 3), Detail(8, 4, 3), Detail(5, 3, 2), Detail(3, 2, 1), Detail(2, 1, 0), Detail(1, 1, 0))
"""From the most to the least detailed text."""
UNLIMITED = Detail(1_000, 1_000, 1_000)

INTEREST_WORDS: Mapping[str, str] = {
    Interest.party: "a party to the dispute",
    Interest.aligned: "aligned with a party",
    Interest.independent: "independent",
    Interest.unknown: "interest not known",
}

BriefObject = Mapping[str, Any]


def render_brief(brief: BriefObject, *, is_markdown: bool, fits_screen: bool) -> str:
    """Return a brief (a response object) as Markdown or as plain text.

    With `fits_screen` it has at most `MAX_LINES` lines, as long as the groups are not too many.
    """
    lines: list[str] = []
    for detail in DETAILS if fits_screen else (UNLIMITED,):
        lines = list(_Writer(detail, is_markdown=is_markdown).write(brief))
        if len(lines) <= MAX_LINES:
            break
    return "\n".join(lines) + "\n"


class _Writer:
    """Writes the lines of a brief."""

    def __init__(self, detail: Detail, *, is_markdown: bool) -> None:
        self._detail = detail
        self._is_markdown = is_markdown

    def write(self, brief: BriefObject) -> Iterator[str]:
        """Return the lines of a brief."""
        yield from self._heading(brief["topic"]["title"] or brief["topic"]["category"], 1)
        yield from self._paragraph(f"{' '.join(brief['lead'])} {_describe_state(brief)}")
        groups = brief["groups"]
        titles = map(capitalize_first, shorten_titles([group["title"] for group in groups]))
        single = []
        for number, (group, title) in enumerate(zip(groups, titles, strict=True)):
            if number and not group["earlier"] and len(group["current"]) == 1:
                single.append((title, group["current"][0]))
            else:
                yield from self._group(group, title)
        if single:
            yield from self._section("Counted apart, one figure each")
            for title, position in single:
                yield from self._item(f"{title}: {_describe_briefly(position)}")
        yield from self._pairs(brief)
        yield from self._totals(brief)
        yield from self._notes(brief)

    def _heading(self, text: str, level: int) -> Iterator[str]:
        mark = f"{'#' * level} " if self._is_markdown else ""
        yield from textwrap.wrap(mark + self._text(text), LINE_WIDTH)

    def _section(self, text: str) -> Iterator[str]:
        yield ""
        yield from self._heading(text, 2)

    def _paragraph(self, text: str, bullet: str = "") -> Iterator[str]:
        yield from textwrap.wrap(
            bullet + self._text(text),
            LINE_WIDTH,
            subsequent_indent=" " * len(bullet),
            break_long_words=False,
            break_on_hyphens=False,
        )

    def _item(self, text: str) -> Iterator[str]:
        return self._paragraph(text, "- ")

    def _text(self, text: str) -> str:
        return _escape(text) if self._is_markdown else text

    def _group(self, group: BriefObject, title: str) -> Iterator[str]:
        unit = find_common_unit(group)
        sources = "1 source" if group["sources"] == 1 else f"{group['sources']} sources"
        yield from self._section(f"{title} ({unit + ', ' if unit else ''}{sources})")
        for position in group["current"]:
            yield from self._item(_describe_position(position, unit))
        if group["earlier"]:
            shown = group["earlier"][: self._detail.older]
            others = len(group["earlier"]) - len(shown) + group["left_out"]
            older = [_describe_briefly(position, unit) for position in shown]
            yield from self._item(f"Older: {'; '.join([*older, f'{others} more'] if others else older)}")

    def _pairs(self, brief: BriefObject) -> Iterator[str]:
        shown = brief["look"][: self._detail.pairs]
        if not shown:
            return
        yield from self._section("Pairs that deserve a look")
        for pair in shown:
            yield from self._item(pair["why"])
        if others := len(brief["look"]) - len(shown) + brief["look_left_out"]:
            yield from self._item("1 more pair." if others == 1 else f"{others} more pairs.")

    def _totals(self, brief: BriefObject) -> Iterator[str]:
        positions = {
            position["claim"]: position
            for group in brief["groups"]
            for position in (*group["current"], *group["earlier"])
        }
        shown = brief["on_same_end"][: self._detail.totals]
        if shown:
            yield from self._section("Totals for the day on which an estimate ends")
        for entry in shown:
            figures = [positions[entry["claim"]], *entry["totals"]]
            text = "; ".join(f"{each['figure']['display']} ({_name(each)})" for each in figures)
            yield from self._item(f"{format_day(entry['effective_end'])}: {text}")

    def _notes(self, brief: BriefObject) -> Iterator[str]:
        notes = [
            f"{count} {'claim' if count == 1 else 'claims'} {words}"
            for count, words in (
                (brief["without_number"], "without a number"),
                (brief["retracted"], "retracted by the source"),
                (sum(brief["left_out"].values()), "on the same category, subject and place left out"),
            )
            if count
        ]
        if notes:
            yield ""
            yield from self._paragraph(f"Also on record: {'; '.join(notes)}.")


def find_common_unit(group: BriefObject) -> str:
    """Return the unit with which all figures of a group end, so that its heading can name it; else an empty text."""
    unit = str(group["unit"]).replace("-", " ")
    displays = [position["figure"]["display"] for position in (*group["current"], *group["earlier"])]
    return unit if all(display.endswith(f" {unit}") for display in displays) else ""


def _describe_position(position: BriefObject, unit: str) -> str:
    source, confidence, document = position["source"], position["confidence"], position["document"]
    parts = [
        position["figure"]["display"].removesuffix(f" {unit}"),
        f"{_name(position)} ({INTEREST_WORDS[source.interest]})",
        describe_end(position),
        f"{position['age']} old" if position["age"] else "",
        f"confidence {confidence}" if confidence else "confidence not assessed",
        f"read in: {document['title']}" if document else "",
    ]
    return ", ".join(part for part in parts if part)


def _describe_briefly(position: BriefObject, unit: str = "") -> str:
    parts = [_name(position), describe_end(position)]
    figure = position["figure"]["display"].removesuffix(f" {unit}")
    return f"{figure} ({', '.join(part for part in parts if part)})"


def _describe_state(brief: BriefObject) -> str:
    known_on = brief["known_on"]
    parts = [f"As known on {describe_known_on(known_on)}." if known_on else ""]
    if (ends_by := brief["ends_by"]) is not None:
        parts.append(f"Only figures that end by {format_day(ends_by)}.")
    if (tolerance := brief["tolerance"]) is not None:
        parts.append(f"Approximate figures may differ by {tolerance * 100:g}%.")
    parts.append(f"State of the register: {brief['seq']}.")
    return " ".join(part for part in parts if part)


def describe_end(position: BriefObject) -> str:
    """Return the end of the period of a position in words: "up to 12 June 2025"; empty for a figure about a period."""
    if position["effective_end"] is None:
        return "the end of its period is not known"
    period = position["period"]
    if period["aggregation"] in {"within", "rate"}:
        return ""
    day = describe_last_day(position)
    if period["aggregation"] == "snapshot":
        return f"{'on' if day == format_day(position['effective_end']) else 'as of'} {day}"
    return f"up to {day}"


def describe_last_day(position: BriefObject) -> str:
    """Return the last day that a position covers, as precisely as it is known: "12 June 2025", "March 2025"."""
    end: date = position["effective_end"]
    last = position["period"]["edtf"].rpartition("/")[2]
    is_partial = len(last) < len("2025-06-12") and last.startswith(str(end.year))
    return describe_date(last).text if is_partial else format_day(end)


def _name(position: BriefObject) -> str:
    source = position["source"]
    return str(source.short_name or source.name)


def _escape(text: str) -> str:
    """Escape the characters that begin a markup of Markdown (CommonMark, section 2.4) or HTML."""
    for character in "\\`*_[]<":
        text = text.replace(character, f"\\{character}")
    return text


def brief_rows(brief: BriefObject) -> list[dict[str, Any]]:
    """Return the shown positions of a brief as flat rows."""
    return [
        _row(group, position, is_current=name == "current")
        for group in brief["groups"]
        for name in ("current", "earlier")
        for position in group[name]
    ]


def _row(group: BriefObject, position: BriefObject, *, is_current: bool) -> dict[str, Any]:
    source, document, figure = position["source"], position["document"] or {}, position["figure"]
    return {
        "group": group["title"],
        "is_on_question": group["is_on_question"],
        "is_current": is_current,
        "id": position["claim"],
        "source": source.slug,
        "source_name": source.name,
        "source_short_name": source.short_name,
        "source_interest": source.interest,
        **{name: position[name] for name in ("category", "modality", "effective_end", "age_days", "date")},
        **{name: figure[name] for name in ("display", "as_printed", "value", "lower", "upper", "approximate")},
        **{name: figure[name] for name in ("unit", "kind")},
        "period": position["period"]["edtf"],
        "confidence": position["confidence"],
        "document_title": document.get("title"),
        "document_url": document.get("url"),
        "url": position["links"]["claim"],
    }
