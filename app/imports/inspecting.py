"""A first look at an unknown file: what its columns hold, as a commented draft of a mapping to start from."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from app.imports.fields import Fields, Unread, slugged
from app.imports.figures import number, worded
from app.imports.files import FileOptions, Reading
from app.imports.mapping import Mapping

LOOKED_AT = 20_000
"""Rows that are looked at."""

MOST_VALUES = 12
"""A text column with no more values than these is a label, and they are listed."""

MOST = 0.9
"""The share of a column's values that must be of a kind for the column to be of it."""

DATE_FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y%m%d", "%d-%b-%y", "%B %d, %Y")
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(slots=True)
class Seen:
    """What was seen of one column."""

    name: str
    nested: bool
    filled: int = 0
    numbers: int = 0
    worded: int = 0
    smallest: float | None = None
    largest: float | None = None
    examples: list[str] = field(default_factory=list)
    values: Counter[str] = field(default_factory=Counter)
    dates: Counter[str] = field(default_factory=Counter)

    def note(self, text: str) -> None:
        """Look at one value."""
        self.filled += 1
        if len(self.values) <= MOST_VALUES or text in self.values:
            self.values[text] += 1
        if len(self.examples) < 3 and text not in self.examples:  # noqa: PLR2004 - enough to see what it is
            self.examples.append(text)
        for format_ in DATE_FORMATS:
            if _is_date(text, format_):
                self.dates[format_] += 1
        try:
            value = float(number(text))
        except Unread:
            self.worded += _is_worded(text)
            return
        self.numbers += 1
        self.smallest = value if self.smallest is None else min(self.smallest, value)
        self.largest = value if self.largest is None else max(self.largest, value)

    @property
    def date_format(self) -> str | None:
        """The format of its dates, if it holds dates."""
        format_, times = self.dates.most_common(1)[0] if self.dates else ("", 0)
        return format_ if times >= MOST * self.filled else None

    @property
    def kind(self) -> str:
        """`date`, `number`, `label` or `text`."""
        if self.date_format and not (self.date_format == "%Y%m%d" and self.numbers and self.smallest != self.largest):
            return "date"
        if self.numbers + self.worded >= MOST * self.filled and self.filled:
            return "number"
        return "label" if 0 < len(self.values) <= MOST_VALUES else "text"

    @property
    def pick(self) -> str:
        """How a mapping names it."""
        return f"{{ path = {_quoted(self.name)} }}" if self.nested else f"{{ column = {_quoted(self.name)} }}"


def draft_mapping(path: Path) -> str:
    """A draft of a mapping for the file, with what was seen as comments. Raises `FileRefused`."""
    reading = Reading([path], FileOptions())
    missing = Mapping.model_fields["missing"].default
    fields = Fields(missing)
    seen: dict[str, Seen] = {}
    rows = 0
    for row in islice(reading, LOOKED_AT):
        rows += 1
        for name, value, nested in _leaves(row.data):
            column = seen.setdefault(name, Seen(name, nested))
            if (text := fields.text(value)) is not None:
                column.note(text)
    report = reading.files[0]
    how = " ".join(part for part in (report.format.value, report.encoding, report.delimiter) if part)
    lines = [
        f"# {path.name}: {rows:,} rows looked at ({how}). Everything marked with ??? is yours to decide.",
        *(f"#   {_described(column)}" for column in seen.values()),
        "",
    ]
    return "\n".join([*lines, *_body(path, list(seen.values()))]) + "\n"


def _leaves(data: dict[str, Any], above: str = "") -> list[tuple[str, Any, bool]]:
    """The single values of a row, those in nested objects by their path."""
    found: list[tuple[str, Any, bool]] = []
    for name, value in data.items():
        step = name if (BARE_KEY.fullmatch(name) and "-" not in name) or not above else _quoted(name)
        if isinstance(value, dict):
            step = step if BARE_KEY.fullmatch(step) and "-" not in step else _quoted(name)
            found += _leaves(value, f"{above}{step}.")
        elif isinstance(value, list):
            found.append((f"{above}{step}", orjson.dumps(value).decode()[:60], True))
        else:
            found.append((f"{above}{step}", value, bool(above)))
    return found


def _described(column: Seen) -> str:
    told = f"{column.name}: {column.filled:,} filled, {column.kind}"
    if column.kind == "number" and column.smallest is not None:
        told += f", {column.smallest:g} to {column.largest:g}"
        if column.worded:
            told += f", {column.worded:,} in words"
    if column.kind == "label":
        told += ": " + ", ".join(f"{value} ({times:,})" for value, times in column.values.most_common(MOST_VALUES))
    elif column.examples:
        told += ", such as " + " · ".join(column.examples)
    return "".join(c if c.isprintable() else " " for c in told)[:300]


def _body(path: Path, columns: list[Seen]) -> list[str]:
    dates = [column for column in columns if column.kind == "date"]
    labels = [column for column in columns if column.kind == "label"]
    numbers = [column for column in columns if column.kind == "number"]
    day = _dated(dates[0]) if dates else '"???"'
    name = path.name.split(".")[0]
    lines = [
        'title = "???"  # what the file is, in a sentence',
        f"series = {_quoted(slugged(name) or 'series')}",
        "",
        "[vintage]",
        f"key = [{', '.join([day, *(label.pick for label in labels)])}]  # what a row is known again by",
        'on_change = "report"  # or "supersede" (needs a `date` of the file), or "fix"',
        "",
        "[claim]",
        'category = "???"  # what is counted',
        'subject = "???"  # whose',
        'place = "???"',
    ]
    claimant = f"  # or from a column: {labels[0].pick}, with a `map` to slugs" if labels else ""
    lines += [
        f'source = "???"{claimant}',
        'modality = "estimate"  # count, estimate, forecast or allegation',
        'derivation = "unknown"  # own, derived or unknown',
        f"date = {day}  # the day on which it was said",
        "",
        "[claim.period]",
        f"on = {day}  # or `start` and `end`, or `edtf`, or `hours` before an `end`",
        'aggregation = "within"  # cumulative, within, snapshot or rate',
        "",
        "[claim.citation.document]",
        'title = "???"',
        'url = "https://???"',
        "",
    ]
    for column in numbers:
        key = column.name if BARE_KEY.fullmatch(column.name) else _quoted(column.name)
        lines += [f"[claims.{key}]", 'category = "???"']
        lines += [f"figure.printed = {column.pick}"] if column.nested else []
        lines.append("")
    return lines[:-1]


def _dated(column: Seen) -> str:
    if column.date_format == "%Y-%m-%d":
        return column.pick
    return column.pick.replace(" }", f', date = "{column.date_format}" }}')


def _quoted(text: str) -> str:
    """`text` as a TOML string (or a JMESPath name): JSON's form is both."""
    return orjson.dumps(text).decode()


def _is_date(text: str, format_: str) -> bool:
    try:
        datetime.strptime(text, format_)  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return False
    return True


def _is_worded(text: str) -> bool:
    try:
        worded(text)
    except Unread:
        return False
    return True
