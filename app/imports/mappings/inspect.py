"""A first look at an unknown file: what its columns hold, and from that a draft of a mapping to start from."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from app.imports.mappings.fields import GetterFactory, UnreadableValue
from app.imports.mappings.figures import parse_figure, parse_number
from app.imports.mappings.schema import Mapping
from app.imports.readers.options import FileFormat, FileOptions, FileRefused, FileReport
from app.imports.readers.reader import FileReader

MAX_INSPECTED_ROWS = 20_000
"""Rows that are looked at."""

MAX_COMPARED_ROWS = 2_000
"""Rows whose values are kept, to see what tells them apart."""

MAX_INSPECTED_MEMBERS = 50
"""Members of an object that are looked at, to see whether they are rows."""

MAX_LABEL_VALUES = 12
"""A text column with no more values than these is a label, and they are listed."""

MIN_KIND_SHARE = 0.9
"""The share of a column's values that must be of a kind for the column to be of it."""

MIN_COMMON_FIELD_SHARE = 0.5
"""The share of fields that objects must have in common to be rows."""

DAY_FORMATS = (
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%Y%m%d",
    "%d.%m.%y",
    "%d-%b-%y",
    "%d %B %Y",
    "%d %b %Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S.%fZ",
)
MONTH_FORMATS = ("%B %Y", "%b %Y", "%m/%Y", "%m.%Y")
EDTF_FORMAT = "EDTF"
"""Days, months and years in one column, as EDTF writes them: nothing has to be done to them."""

EDTF_PATTERN = re.compile(r"(19|20)[0-9]{2}(-(0[1-9]|1[0-2])(-[0-3][0-9])?)?")
DATE_LIKE_PATTERN = re.compile(r"([0-9]{1,4}|[A-Za-z]{3,9})[-./ ]([0-9]{1,4}|[A-Za-z]{3,9})([-./, ].*)?|[0-9]{8}")
FRACTION_PATTERN = re.compile(r"[0-9]+\.[0-9]+")
MONTH_OR_FRACTION_PATTERN = re.compile(r"[0-9]{1,2}\.[0-9]{4}")
"""What is nearly always a fraction, but can be a month, too."""

MIN_DATE_CHARACTERS, MAX_DATE_CHARACTERS = 6, 30
MAX_ROWS_PATH_CHARACTERS = 300
"""Characters of a path to rows that is proposed."""

PLAUSIBLE_YEARS = range(1700, 2101)
DECIMAL_COMMA_PATTERN = re.compile(r"[0-9],[0-9]")
NON_FIGURE_NAME_PATTERN = re.compile(
    r"(?i:(.*[_. ])?(id|ids|index|idx|no|nr|num|rank|row|code|year|month|week|day|days|hour|hours|quarter|lat|lon|lng"
    r"|latitude|longitude|zip|fips|iso|page|version))|[a-z]+I[Dd]s?"
)
"""Names of columns that hold numbers which are no figures."""


@dataclass(slots=True)
class ColumnProfile:
    """What was seen of one column."""

    name: str
    path: str | None = None
    """The JMESPath to it, where it is nested."""
    list_path: str | None = None
    """The list whose members it belongs to, where it does."""
    is_list: bool = False
    """Whether it is a list, and no single value."""
    filled_count: int = 0
    number_count: int = 0
    wording_count: int = 0
    decimal_comma_count: int = 0
    """Values that are figures only if a comma is their decimal sign."""
    smallest: float | None = None
    largest: float | None = None
    examples: list[str] = field(default_factory=list)
    values: Counter[str] = field(default_factory=Counter)
    dates: Counter[str] = field(default_factory=Counter)

    def add_value(self, text: str) -> None:
        """Look at one value."""
        self.filled_count += 1
        if len(self.values) <= MAX_LABEL_VALUES or text in self.values:
            self.values[text] += 1
        if len(self.examples) < 3 and text not in self.examples:  # noqa: PLR2004 - enough to see what it is
            self.examples.append(text)
        self.dates.update(matching_date_formats(text))
        kind, value = classify_text(text)
        if kind == "comma":
            self.decimal_comma_count += 1
        elif kind == "worded":
            self.wording_count += 1
        elif value is not None:
            self.number_count += 1
            self.smallest = value if self.smallest is None else min(self.smallest, value)
            self.largest = value if self.largest is None else max(self.largest, value)

    @property
    def date_formats(self) -> list[str]:
        """The formats that nearly all its values have: two, where day and month cannot be told apart."""
        often = self.dates.most_common()
        return [name for name, times in often if times == often[0][1] and times >= MIN_KIND_SHARE * self.filled_count]

    @property
    def date_format(self) -> str | None:
        """The format of its dates, if it holds dates; `???` where there are two."""
        found = self.date_formats
        if not found or (found == ["%Y%m%d"] and NON_FIGURE_NAME_PATTERN.fullmatch(self.name)):
            return None
        if EDTF_FORMAT in found:
            return "%Y-%m-%d" if "%Y-%m-%d" in found else None if self._is_number() else EDTF_FORMAT
        return found[0] if len(found) == 1 else "???"

    @property
    def kind(self) -> str:
        """`list`, `date`, `number`, `label` or `text`."""
        if self.is_list:
            return "list"
        if self.date_format:
            return "date"
        if self._is_number():
            return "number"
        return "label" if 0 < len(self.values) <= MAX_LABEL_VALUES else "text"

    @property
    def is_figure(self) -> bool:
        """Whether its numbers count something, by its name."""
        return self.kind == "number" and not NON_FIGURE_NAME_PATTERN.fullmatch(self.name)

    def _is_number(self) -> bool:
        return (
            self.filled_count > 0
            and self.number_count + self.wording_count + self.decimal_comma_count >= MIN_KIND_SHARE * self.filled_count
        )


@dataclass(slots=True)
class FileProfile:
    """What was seen of a file."""

    path: Path
    report: FileReport
    options: FileOptions
    row_count: int = 0
    columns: dict[str, ColumnProfile] = field(default_factory=dict)
    compared_rows: list[dict[str, str]] = field(default_factory=list)
    """The values of the first rows, by column."""

    def columns_of_kind(self, *kinds: str) -> list[ColumnProfile]:
        """The columns of a kind, in the file's order."""
        return [column for column in self.columns.values() if column.kind in kinds and column.list_path is None]


def profile_file(path: Path) -> FileProfile:
    """Look at the first rows of a file. Raises `FileRefused`."""
    options = _detect_options(path)
    fields = GetterFactory(Mapping.model_fields["missing"].default)
    reading = FileReader([path], options)
    columns: dict[str, ColumnProfile] = {}
    compared: list[dict[str, str]] = []
    rows = 0
    with closing(iter(reading)) as found:  # type: ignore[type-var] # a generator
        for row in islice(found, MAX_INSPECTED_ROWS):
            rows += 1
            kept: dict[str, str] = {}
            for leaf, value in iterate_values(row.data):
                column = columns.setdefault(leaf.name, leaf)
                if not column.is_list and (text := fields.to_text(value)) is not None:
                    column.add_value(text)
                    kept.setdefault(column.name, text)
                elif column.is_list and value:
                    column.filled_count += 1
            if rows <= MAX_COMPARED_ROWS:
                compared.append(kept)
    if not reading.files:
        raise FileRefused("holds no rows", file=path.name)
    return FileProfile(path, reading.files[0], options, rows, columns, compared)


def iterate_values(
    data: dict[str, Any], name: str = "", path: str = "", depth: int = 0
) -> Iterator[tuple[ColumnProfile, Any]]:
    """The single values of a row, those in nested objects by their path, those in lists of objects by the list."""
    for key, value in data.items():
        inner_name, inner_path = f"{name}{key}", f"{path}{_path_step(key)}"
        if isinstance(value, dict) and value:
            yield from iterate_values(value, f"{inner_name}.", f"{inner_path}.", depth + 1)
        elif isinstance(value, list):
            yield ColumnProfile(inner_name, inner_path, is_list=True), value
            for member in value[:MAX_INSPECTED_MEMBERS]:
                for inner, given in member.items() if isinstance(member, dict) else ():
                    if not isinstance(given, dict | list):
                        yield ColumnProfile(f"{inner_name}[].{inner}", inner, list_path=inner_path), given
        else:
            yield ColumnProfile(inner_name, inner_path if depth else None), value if value != {} else None


def _path_step(key: str) -> str:
    """A name as JMESPath writes it."""
    return key if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) else orjson.dumps(key).decode()


def _detect_options(path: Path) -> FileOptions:
    """How a file is read: where the rows of a JSON or YAML document are."""
    reading = FileReader([path], FileOptions(keyed="\x01"))
    try:
        with closing(iter(reading)) as found:  # type: ignore[type-var] # a generator
            members = [row.data for row in islice(found, MAX_INSPECTED_MEMBERS)]
    except FileRefused:
        return FileOptions()  # a list, or what cannot be read: the reading itself will tell
    if not reading.files or reading.files[0].format not in {FileFormat.json, FileFormat.yaml}:
        return FileOptions()
    keys = [str(member.pop("\x01", "")) for member in members]
    if _are_rows(keys, members):
        return FileOptions(keyed=_choose_key_column(keys, members))
    for key, member in zip(keys, members, strict=True):
        for name, value in member.items():
            place = key if member.keys() == {"value"} else f"{key}.{name}"
            if (
                isinstance(value, list)
                and value
                and all(isinstance(each, dict) for each in value)
                and len(place) < MAX_ROWS_PATH_CHARACTERS
            ):
                return FileOptions(rows=place)
    return FileOptions()


def _are_rows(keys: list[str], members: list[dict[str, Any]]) -> bool:
    """Whether the members of an object are rows: dates name them, or they have the same fields."""
    if keys and sum("%Y-%m-%d" in matching_date_formats(key) for key in keys) >= MIN_KIND_SHARE * len(keys):
        return True
    objects = [frozenset(member) for member in members if member.keys() != {"value"}]
    if len(objects) < 2 or len(objects) < MIN_COMMON_FIELD_SHARE * len(members):  # noqa: PLR2004 - one alone is like none
        return False
    return len(frozenset.intersection(*objects)) >= MIN_COMMON_FIELD_SHARE * max(map(len, objects))


def _choose_key_column(keys: list[str], members: list[dict[str, Any]]) -> str:
    """A name for the column that takes the keys, which no row has already."""
    wanted = "date" if all("%Y-%m-%d" in matching_date_formats(key) for key in keys) else "key"
    while any(wanted in member for member in members):
        wanted += "_"
    return wanted


@lru_cache(maxsize=100_000)
def matching_date_formats(text: str) -> tuple[str, ...]:
    """Every format in which `text` is a date of our times."""
    found = [EDTF_FORMAT] if EDTF_PATTERN.fullmatch(text) else []
    if FRACTION_PATTERN.fullmatch(text) and not MONTH_OR_FRACTION_PATTERN.fullmatch(text):
        return ()
    if MIN_DATE_CHARACTERS <= len(text) <= MAX_DATE_CHARACTERS and DATE_LIKE_PATTERN.fullmatch(text):
        found += [format_ for format_ in (*DAY_FORMATS, *MONTH_FORMATS) if _is_date(text, format_)]
    return tuple(found)


def _is_date(text: str, format_: str) -> bool:
    if format_ == "%Y%m%d" and not re.fullmatch("[0-9]{8}", text):
        return False
    try:
        return datetime.strptime(text, format_).year in PLAUSIBLE_YEARS  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return False


@lru_cache(maxsize=100_000)
def classify_text(text: str) -> tuple[str, float | None]:
    """Whether `text` is a `number` and which, `worded`, a figure with a decimal `comma`, or `text`."""
    try:
        return "number", float(parse_number(text))
    except UnreadableValue:
        pass
    for kind, decimal in (("worded", "."), ("comma", ",")):
        if kind == "comma" and not DECIMAL_COMMA_PATTERN.search(text):
            break
        try:
            parse_figure(text, decimal)
        except UnreadableValue:
            continue
        return kind, None
    return "text", None


def find_first_day(look: FileProfile, column: str, dates: ColumnProfile) -> date | None:
    """The date that is day 1, where nearly all rows of a column count the days."""
    ones: Counter[date] = Counter()
    for row in look.compared_rows:
        try:
            day = date.fromisoformat(row[dates.name])
            ones[date.fromordinal(day.toordinal() - int(row[column]) + 1)] += 1
        except (KeyError, ValueError, OverflowError):
            continue
    first, times = ones.most_common(1)[0] if ones else (None, 0)
    return first if times >= MIN_KIND_SHARE * len(look.compared_rows) and times > 1 else None
