"""Profiles the columns of an unknown file, as the basis of a draft mapping."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import orjson

from app.http.schema_types import REFUSED_CHARACTERS
from app.imports.mappings.fields import GetterFactory, UnreadableValue
from app.imports.mappings.figures import parse_figure, parse_number
from app.imports.mappings.schema import Mapping
from app.imports.mappings.shapes import Unpivot, find_unpivot
from app.imports.readers.delimited import DELIMITERS
from app.imports.readers.options import FileFormat, FileOptions, FileRefused, FileReport, FileRow
from app.imports.readers.reader import FileReader

MAX_INSPECTED_ROWS = 20_000
"""Maximum number of rows that are read."""

MAX_COMPARED_ROWS = 2_000
"""Maximum number of rows whose values are stored, to find the columns that distinguish them."""

MAX_INSPECTED_MEMBERS = 50
"""Maximum number of members of an object that are read to decide whether they are rows."""

MAX_LABEL_VALUES = 12
"""A text column with at most this number of different values is a label."""

MAX_STORED_VALUES = 60
"""Maximum number of different values of a column that are stored, for a `map` to records."""

MIN_TOTAL_POINTS = 8
"""Minimum number of dated figures for a column that never falls to be a running total."""

MAX_FALL_SHARE = 0.25
"""Maximum share of changes downwards of a running total: some are corrected."""

MAX_FALL = 0.15
"""Maximum fall of a running total, as a share of it."""

MAX_HEADER_SEARCH = 50
"""Maximum number of lines in which the column names of a table are searched."""

YEAR_NAMES = frozenset(
    ["year", "years", "yr", "jahr", "année", "annee", "an", "año", "ano", "anno", "rok", "год", "рік", "година", "jaar"]
)
YEAR_PATTERN = re.compile(r"(19|20)[0-9]{2}")
TOTAL_WORDS = frozenset(["cum", "cumul", "cumulative", "cumulated", "kumulativ", "kumuliert", "cumulé", "cumulatif"])

MIN_KIND_SHARE = 0.9
"""Minimum share of values of one kind for a column to have that kind."""

MIN_COMMON_FIELD_SHARE = 0.5
"""Minimum share of common fields for objects to count as rows."""

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
    "%m/%d/%y",
    "%d/%m/%y",
    "%d-%b-%Y",
    "%d %B %Y",
    "%d %b %Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S.%fZ",
)
MOMENT_FORMATS = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z")
"""Moments with an offset: their day is the day at that offset."""

MONTH_FORMATS = ("%B %Y", "%b %Y", "%m/%Y", "%m.%Y")
EDTF_FORMAT = "EDTF"
"""Days, months and years in one column, in EDTF: no conversion is needed."""

EDTF_PATTERN = re.compile(r"(19|20)[0-9]{2}(-(0[1-9]|1[0-2])(-[0-3][0-9])?)?")
DATE_LIKE_PATTERN = re.compile(r"([0-9]{1,4}|[A-Za-z]{3,9})[-./ ]([0-9]{1,4}|[A-Za-z]{3,9})([-./, ].*)?|[0-9]{8}")
FRACTION_PATTERN = re.compile(r"[0-9]+\.[0-9]+")
MONTH_OR_FRACTION_PATTERN = re.compile(r"[0-9]{1,2}\.[0-9]{4}")
"""Text that is nearly always a fraction but can be a month."""

MIN_DATE_CHARACTERS, MAX_DATE_CHARACTERS = 6, 30
MAX_ROWS_PATH_CHARACTERS = 300
"""Maximum length of a proposed path to the rows."""

PLAUSIBLE_YEARS = range(1700, 2101)
MAX_YEAR = 2100
DECIMAL_COMMA_PATTERN = re.compile(r"[0-9],[0-9]")
NON_FIGURE_NAME_PATTERN = re.compile(
    r"(?i:(.*[_. ])?(id|ids|index|idx|no|nr|num|rank|row|code|year|month|week|day|days|hour|hours|quarter|lat|lon|long"
    r"|lng|latitude|longitude|zip|fips|iso|page|version))|[a-z]+I[Dd]s?"
)
"""Names of columns whose numbers are not figures."""


@dataclass(slots=True)
class ColumnProfile:
    """The profile of one column."""

    name: str
    path: str | None = None
    """Its JMESPath, if it is nested."""
    list_path: str | None = None
    """The list to whose members it belongs, if any."""
    is_list: bool = False
    """Whether it is a list."""
    filled_count: int = 0
    number_count: int = 0
    wording_count: int = 0
    decimal_comma_count: int = 0
    """Values that are figures only if a comma is their decimal sign."""
    decimal_point_count: int = 0
    """Values that are figures only if a point is their decimal sign."""
    ambiguous_count: int = 0
    """Values that are two different figures with a point and with a comma as their decimal sign."""
    smallest: float | None = None
    largest: float | None = None
    examples: list[str] = field(default_factory=list)
    values: Counter[str] = field(default_factory=Counter)
    dates: Counter[str] = field(default_factory=Counter)
    dates_rows: bool = False
    """Whether it has years, and no other column has dates."""
    is_group: bool = False
    """Whether it has the names of columns that are groups."""
    is_unpivoted: bool = False
    """Whether it has the values of columns that became rows."""

    def add_value(self, text: str) -> None:
        """Add one value to the profile."""
        self.filled_count += 1
        if len(self.values) <= MAX_STORED_VALUES or text in self.values:
            self.values[text] += 1
        if len(self.examples) < 3 and text not in self.examples:  # noqa: PLR2004 - enough examples
            self.examples.append(text)
        self.dates.update(matching_date_formats(text))
        kind, value = classify_text(text)
        if value is not None or kind in {"worded", "comma"}:
            signs = find_decimal_signs(text)
            self.decimal_point_count += signs == "."
            self.ambiguous_count += signs == ".,"
        if kind == "comma":
            self.decimal_comma_count += 1
        elif kind == "worded":
            self.wording_count += 1
        elif value is not None:
            self.number_count += 1
            self.smallest = value if self.smallest is None else min(self.smallest, value)
            self.largest = value if self.largest is None else max(self.largest, value)

    @property
    def readable_count(self) -> int:
        """Return the number of values that are read as figures."""
        return self.number_count + self.wording_count + self.decimal_comma_count

    @property
    def is_year(self) -> bool:
        """Return whether the values are years: by the name, or because they are nearly consecutive."""
        if not self.filled_count or self.number_count < self.filled_count or not self.values:
            return False
        if not all(YEAR_PATTERN.fullmatch(value) for value in self.values):
            return False
        if any(word in YEAR_NAMES for word in split_name(self.name)):
            return True
        years = sorted(map(int, self.values))
        return len(years) > 2 and years[-1] - years[0] <= 2 * (len(years) - 1) and years[-1] <= MAX_YEAR  # noqa: PLR2004

    @property
    def date_formats(self) -> list[str]:
        """Return the date formats of nearly all values; two if day and month cannot be distinguished."""
        by_frequency = self.dates.most_common()
        return [
            name
            for name, times in by_frequency
            if times == by_frequency[0][1] and times >= MIN_KIND_SHARE * self.filled_count
        ]

    @property
    def date_format(self) -> str | None:
        """Return the date format of a column with dates; `???` if there are two."""
        if self.dates_rows:
            return EDTF_FORMAT
        formats = self.date_formats
        if not formats or (formats == ["%Y%m%d"] and NON_FIGURE_NAME_PATTERN.fullmatch(self.name)):
            return None
        if EDTF_FORMAT in formats:
            return "%Y-%m-%d" if "%Y-%m-%d" in formats else None if self._is_number() else EDTF_FORMAT
        return formats[0] if len(formats) == 1 else "???"

    @property
    def kind(self) -> str:
        """Return `list`, `date`, `number`, `label` or `text`."""
        if self.is_list:
            return "list"
        if self.is_group:
            return "label"
        if self.date_format:
            return "date"
        if self._is_number():
            return "number"
        return "label" if 0 < len(self.values) <= MAX_LABEL_VALUES else "text"

    @property
    def is_figure(self) -> bool:
        """Return whether its numbers are figures, judging by its name."""
        return self.kind == "number" and not NON_FIGURE_NAME_PATTERN.fullmatch(self.name) and not self.is_year

    def _is_number(self) -> bool:
        least = MIN_KIND_SHARE / 2 if self.is_unpivoted else MIN_KIND_SHARE
        return self.filled_count > 0 and self.readable_count >= least * self.filled_count


@dataclass(slots=True)
class FileProfile:
    """The profile of a file."""

    path: Path
    report: FileReport
    options: FileOptions
    row_count: int = 0
    columns: dict[str, ColumnProfile] = field(default_factory=dict)
    compared_rows: list[dict[str, str]] = field(default_factory=list)
    """The values of the first rows, by column."""
    unpivot: Unpivot | None = None
    """The columns that become rows, if a query of the draft does that."""
    sheets: tuple[str, ...] = ()
    """The sheets of a workbook."""
    file_names: tuple[str, ...] = ()
    """The names of the first files of a folder or an archive."""

    def columns_of_kind(self, *kinds: str) -> list[ColumnProfile]:
        """Return the columns of some kinds, in the order of the file."""
        return [column for column in self.columns.values() if column.kind in kinds and column.list_path is None]


def split_name(name: str) -> list[str]:
    """Return the words of a column's name in lower case: `ci95_low` has two, `reportDate` too."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[^\w]+|_+", spaced.lower()) if word]


def profile_file(path: Path, options: FileOptions | None = None) -> FileProfile:
    """Profile the first rows of a file. Raises `FileRefused`.

    Args:
        path: A file, a folder or an archive.
        options: How it is read, as the `[file]` table of a mapping says. By default it is detected.
    """
    is_detected = options is None or options == FileOptions()
    chosen = _detect_options(path) if options is None or is_detected else options
    try:
        profile = _profile_rows(path, chosen, None)
        if is_detected and len(profile.columns) == 1 and profile.report.format is FileFormat.csv:
            profile = _profile_below_title(path, chosen) or profile
    except FileRefused:
        below = _profile_below_title(path, chosen) if is_detected else None
        if below is None and is_detected and (query := _name_columns_query(path, chosen)) is not None:
            hint = f"inspect it with a mapping that has `[file]`, `header_row = 0` and `sql = {json.dumps(query)}`"
            raise FileRefused("has its column names in several rows", file=path.name, hint=hint) from None
        if below is None:
            raise
        profile = below
    chosen = profile.options
    if chosen.sql is None:
        plain = [column for column in profile.columns.values() if column.path is None and column.list_path is None]
        numeric = [column.name for column in plain if column.kind == "number"]
        unpivot = find_unpivot([column.name for column in plain], numeric)
        if unpivot is not None:
            rows = profile.row_count
            profile = _profile_rows(path, chosen, unpivot)
            profile.row_count = rows
    profile.sheets = _list_sheets(path) if profile.report.format is FileFormat.xlsx else ()
    return profile


def _profile_rows(path: Path, options: FileOptions, unpivot: Unpivot | None) -> FileProfile:
    fields = GetterFactory(Mapping.model_fields["missing"].default)
    reader = FileReader([path], options)
    columns: dict[str, ColumnProfile] = {}
    compared: list[dict[str, str]] = []
    names: dict[str, None] = {}
    rows = 0
    with closing(iter(reader)) as file_rows:  # type: ignore[type-var] # a generator
        first_rows: Iterable[FileRow] = islice(file_rows, MAX_INSPECTED_ROWS)
        for row in first_rows if unpivot is None else islice(unpivot.apply(first_rows), MAX_INSPECTED_ROWS):
            rows += 1
            if len(names) < MAX_INSPECTED_MEMBERS:
                names[row.file] = None
            row_values = _add_row(columns, row, fields)
            if rows <= MAX_COMPARED_ROWS:
                compared.append(row_values)
    if not reader.files:
        raise FileRefused("contains no rows", file=path.name)
    if unpivot is not None and unpivot.value in columns:
        columns[unpivot.value].is_unpivoted = True
    if unpivot is not None and unpivot.kind == "group" and unpivot.name in columns:
        columns[unpivot.name].is_group = True
    if unpivot is not None and unpivot.kind == "year" and unpivot.name in columns:
        columns[unpivot.name].dates_rows = True
    elif not any(column.date_format for column in columns.values()):
        for column in columns.values():
            column.dates_rows = column.is_year
    return FileProfile(path, reader.files[0], options, rows, columns, compared, unpivot, file_names=tuple(names))


def _profile_below_title(path: Path, options: FileOptions) -> FileProfile | None:
    """Return the profile of a table whose column names are further down; None if there is no such table."""
    for delimiter in (None, *DELIMITERS):
        header_row = _find_header_row(path, options.model_copy(update={"header_row": 0, "delimiter": delimiter}))
        if header_row is None:
            continue
        for chosen in (None, delimiter):
            try:
                below = options.model_copy(update={"header_row": header_row, "delimiter": chosen})
                profile = _profile_rows(path, below, None)
            except FileRefused:
                continue
            if len(profile.columns) > 1:
                return profile
    return None


def _add_row(columns: dict[str, ColumnProfile], row: FileRow, fields: GetterFactory) -> dict[str, str]:
    """Add the values of a row to the profiles of its columns, and return them as text."""
    row_values: dict[str, str] = {}
    for leaf, value in iterate_values(row.data):
        if REFUSED_CHARACTERS.search(leaf.name):
            continue  # a mapping cannot name the column
        column = columns.setdefault(leaf.name, leaf)
        if not column.is_list and (text := fields.to_text(value)) is not None:
            column.add_value(text)
            row_values.setdefault(column.name, text)
        elif column.is_list and value:
            column.filled_count += 1
    return row_values


def _find_header_row(path: Path, options: FileOptions) -> int | None:
    """Return the line of the column names of a table below a title: the first line as wide as most lines, in words."""
    reader = FileReader([path], options)
    try:
        with closing(iter(reader)) as file_rows:  # type: ignore[type-var] # a generator
            rows = list(islice(file_rows, MAX_HEADER_SEARCH))
    except FileRefused:
        return None
    if not reader.files or reader.files[0].format not in {FileFormat.csv, FileFormat.tsv, FileFormat.xlsx}:
        return None
    widths = Counter(len(row.data) for row in rows if len(row.data) > 1)
    width = widths.most_common(1)[0][0] if widths else 0
    for row in rows:
        cells = [str(value).strip() for value in row.data.values() if value is not None]
        is_complete = len(cells) == len(set(cells)) == len(row.data) >= max(width, 2) and all(cells)
        if is_complete and not _is_data(cells, len(row.data)):
            return row.line if row.line > 1 else None
    return None


def _is_data(cells: Sequence[str], width: int) -> bool:
    """Return whether the cells of a row are figures rather than names of columns, which can be years."""
    numbers = [cell for cell in cells if classify_text(cell)[0] == "number"]
    others = [cell for cell in numbers if not YEAR_PATTERN.fullmatch(cell)]
    return bool(cells and cells[0] in numbers) or 2 * len(others) > width - 1


def _name_columns_query(path: Path, options: FileOptions) -> str | None:
    """Return the query that names columns whose names are in several rows, such as a year above "men"; else None."""
    reader = FileReader([path], options.model_copy(update={"header_row": 0}))
    try:
        with closing(iter(reader)) as file_rows:  # type: ignore[type-var] # a generator
            rows = list(islice(file_rows, MAX_HEADER_SEARCH))
    except FileRefused:
        return None
    names: list[list[str]] = []
    for row in rows:
        cells = ["" if value is None else str(value).strip() for value in row.data.values()]
        filled = [cell for cell in cells if cell]
        if _is_data(filled, len(cells)):
            width = max(len(each.data) for each in rows)
            return _write_query(names, width, row.line) if len(names) > 1 else None
        if len(filled) > 1:
            names.append(cells)
    return None


def _write_query(names: list[list[str]], width: int, first_line: int) -> str | None:
    """Return the query for these rows of names above the first row of figures; None if they do not name each column."""
    names = [cells + [""] * (width - len(cells)) for cells in names]
    for cells in names[:-1]:
        for position in range(1, len(cells)):
            cells[position] = cells[position] or cells[position - 1]  # merged cells
    joined = [" ".join(dict.fromkeys(filter(None, parts))) for parts in zip(*names, strict=True)]
    if not all(joined) or len(set(joined)) < len(joined):
        return None
    quoted = (name.replace('"', '""') for name in joined)
    columns = ", ".join(f'c{number} AS "{name}"' for number, name in enumerate(quoted, 1))
    return f"SELECT {columns} FROM rows WHERE _line >= {first_line}"  # noqa: S608 - a query for a mapping


def _list_sheets(path: Path) -> tuple[str, ...]:
    """Return the names of the sheets of a workbook; none if it is packed."""
    from openpyxl import load_workbook  # noqa: PLC0415 - slow to import

    try:
        book = load_workbook(path, read_only=True, keep_links=False)
    except Exception:  # noqa: BLE001 - the file was read before: it is packed
        return ()
    with closing(book):
        return tuple(str(name) for name in book.sheetnames)


def find_running_totals(profile: FileProfile, dates: ColumnProfile, labels: Iterable[ColumnProfile]) -> set[str]:
    """Return the columns whose figures never fall within a series: running totals.

    Args:
        profile: The profile of the file.
        dates: The column of days, months or years.
        labels: The columns that tell the series apart.
    """
    series: dict[tuple[str | None, ...], list[tuple[str, dict[str, str]]]] = {}
    for row in profile.compared_rows:
        if (day := sortable_date(row.get(dates.name), dates.date_format)) is not None:
            series.setdefault(tuple(row.get(label.name) for label in labels), []).append((day, row))
    totals: set[str] = set()
    for column in profile.columns.values():
        if not column.is_figure or column.list_path is not None:
            continue
        points = rises = falls = drops = 0
        for rows in series.values():
            numbers = [_number_of(row, column) for _, row in sorted(rows, key=lambda each: each[0])]
            values = [number for number in numbers if number is not None]
            points += len(values)
            rises += sum(after > before for before, after in pairwise(values))
            falls += sum(after < before for before, after in pairwise(values))
            drops += sum(after < before * (1 - MAX_FALL) for before, after in pairwise(values))
        has_word = any(word in TOTAL_WORDS for word in split_name(column.name))
        is_rising = rises > 0 and not drops and falls <= MAX_FALL_SHARE * (rises + falls)
        if is_rising and (points >= MIN_TOTAL_POINTS or has_word):
            totals.add(column.name)
    return totals


def _number_of(row: dict[str, str], column: ColumnProfile) -> float | None:
    text = row.get(column.name)
    return None if text is None else classify_text(text)[1]


def sortable_date(text: str | None, format_: str | None) -> str | None:
    """Return a date in a form that sorts, or None."""
    if text is None or format_ in {None, "???"}:
        return None
    if format_ == EDTF_FORMAT:
        return text
    try:
        return datetime.strptime(text, format_ or "").date().isoformat()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None


def iterate_values(
    data: dict[str, Any], name: str = "", path: str = "", depth: int = 0
) -> Iterator[tuple[ColumnProfile, Any]]:
    """Yield the values of a row with their columns: nested ones by path, those in lists of objects by list."""
    for key, value in data.items():
        inner_name, inner_path = f"{name}{key}", f"{path}{_path_step(key)}"
        if isinstance(value, dict) and value:
            yield from iterate_values(value, f"{inner_name}.", f"{inner_path}.", depth + 1)
        elif isinstance(value, list):
            yield ColumnProfile(inner_name, inner_path, is_list=True), value
            for member in value[:MAX_INSPECTED_MEMBERS]:
                for inner, inner_value in member.items() if isinstance(member, dict) else ():
                    if not isinstance(inner_value, dict | list):
                        yield ColumnProfile(f"{inner_name}[].{inner}", inner, list_path=inner_path), inner_value
        else:
            yield ColumnProfile(inner_name, inner_path if depth else None), value if value != {} else None


def _path_step(key: str) -> str:
    """Return a name as a step of a JMESPath."""
    return key if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key) else orjson.dumps(key).decode()


_MEMBER_KEY = "key of the member"
"""The column with the keys of the members of a document, while it is not known which name is free."""


def _detect_options(path: Path) -> FileOptions:
    """Detect where the rows of a JSON or YAML document are."""
    reader = FileReader([path], FileOptions(keyed=_MEMBER_KEY))
    try:
        with closing(iter(reader)) as file_rows:  # type: ignore[type-var] # a generator
            members = [row.data for row in islice(file_rows, MAX_INSPECTED_MEMBERS)]
    except FileRefused:
        return FileOptions()  # a list, or unreadable, which the reader reports later
    if not reader.files or reader.files[0].format not in {FileFormat.json, FileFormat.yaml}:
        return FileOptions()
    keys = [str(member.pop(_MEMBER_KEY, "")) for member in members]
    if _are_rows(keys, members):
        return FileOptions(keyed=_choose_key_column(keys, members))
    for key, member in zip(keys, members, strict=True):
        for name, value in member.items():
            rows_path = key if member.keys() == {"value"} else f"{key}.{name}"
            if (
                isinstance(value, list)
                and value
                and all(isinstance(item, dict) for item in value)
                and len(rows_path) < MAX_ROWS_PATH_CHARACTERS
            ):
                return FileOptions(rows=rows_path)
    return FileOptions()


def _are_rows(keys: list[str], members: list[dict[str, Any]]) -> bool:
    """Return whether the members of an object are rows: their keys are dates, or they have the same fields."""
    if keys and sum("%Y-%m-%d" in matching_date_formats(key) for key in keys) >= MIN_KIND_SHARE * len(keys):
        return True
    objects = [frozenset(member) for member in members if member.keys() != {"value"}]
    if len(objects) < 2 or len(objects) < MIN_COMMON_FIELD_SHARE * len(members):  # noqa: PLR2004 - one cannot be compared
        return False
    return len(frozenset.intersection(*objects)) >= MIN_COMMON_FIELD_SHARE * max(map(len, objects))


def _choose_key_column(keys: list[str], members: list[dict[str, Any]]) -> str:
    """Return a name for the column of keys that no row has."""
    name = "date" if all("%Y-%m-%d" in matching_date_formats(key) for key in keys) else "key"
    while any(name in member for member in members):
        name += "_"
    return name


@lru_cache(maxsize=100_000)
def matching_date_formats(text: str) -> tuple[str, ...]:
    """Return every format in which `text` is a date in a plausible year."""
    formats = [EDTF_FORMAT] if EDTF_PATTERN.fullmatch(text) else []
    if FRACTION_PATTERN.fullmatch(text) and not MONTH_OR_FRACTION_PATTERN.fullmatch(text):
        return ()
    if MIN_DATE_CHARACTERS <= len(text) <= MAX_DATE_CHARACTERS and DATE_LIKE_PATTERN.fullmatch(text):
        moments = () if text.endswith("Z") else MOMENT_FORMATS
        formats += [format_ for format_ in (*DAY_FORMATS, *MONTH_FORMATS, *moments) if _is_date(text, format_)]
    return tuple(formats)


def _is_date(text: str, format_: str) -> bool:
    if format_ == "%Y%m%d" and not re.fullmatch("[0-9]{8}", text):
        return False
    try:
        return datetime.strptime(text, format_).year in PLAUSIBLE_YEARS  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return False


@lru_cache(maxsize=100_000)
def classify_text(text: str) -> tuple[str, float | None]:
    """Classify `text`: a `number` with its value, a `worded` figure, one with a decimal `comma`, or `text`."""
    if find_decimal_signs(text) == ",":
        return "comma", None
    try:
        return "number", float(parse_number(text))
    except UnreadableValue:
        pass
    try:
        parse_figure(text, ".")
    except UnreadableValue:
        return "text", None
    return "worded", None


@lru_cache(maxsize=100_000)
def find_decimal_signs(text: str) -> str:
    """Return the decimal signs with which a number can be read, or an empty text if they make no difference."""
    if not DECIMAL_COMMA_PATTERN.search(text) and "." not in text:
        return ""
    numbers: dict[str, Any] = {}
    for sign in ".,":
        try:
            numbers[sign] = replace(parse_figure(text, sign), as_printed="-")
        except UnreadableValue:
            continue
    if len(numbers) == 2 and numbers["."] == numbers[","]:  # noqa: PLR2004 - one for each sign
        return ""
    return "".join(numbers)


def find_first_day(profile: FileProfile, column: str, dates: ColumnProfile) -> date | None:
    """Return the date of day 1, if nearly all rows of a column count days."""
    ones: Counter[date] = Counter()
    for row in profile.compared_rows:
        try:
            day = date.fromisoformat(row[dates.name])
            ones[date.fromordinal(day.toordinal() - int(row[column]) + 1)] += 1
        except (KeyError, ValueError, OverflowError):
            continue
    first, times = ones.most_common(1)[0] if ones else (None, 0)
    return first if times >= MIN_KIND_SHARE * len(profile.compared_rows) and times > 1 else None
