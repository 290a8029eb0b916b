"""Recognizes tables in another shape than one claim per cell: columns that are days, months, years or groups."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from app.imports.readers.options import FileRow

MIN_PERIOD_COLUMNS = 2
"""Minimum number of columns that are periods or groups for a table to be unpivoted."""

MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
YEAR = r"(?:19|20)[0-9]{2}"
DAY_NUMBER = r"[0-9]{1,2}"


@dataclass(frozen=True, slots=True)
class ColumnForm:
    """A form of column names, each of which is a period or a group."""

    pattern: str
    """A regular expression that Python and DuckDB read alike."""
    name: str
    """The name of the column that gets the names."""
    kind: str
    """`day`, `month`, `year` or `group`."""


FORMS = (
    ColumnForm(rf"{YEAR}-[0-9]{{2}}-[0-9]{{2}}", "day", "day"),
    ColumnForm(rf"{DAY_NUMBER}[./-]{DAY_NUMBER}[./-](?:[0-9]{{2}}|{YEAR})", "day", "day"),
    ColumnForm(rf"{YEAR}/[0-9]{{2}}/[0-9]{{2}}|(?:19|20)[0-9]{{6}}", "day", "day"),
    ColumnForm(rf"{DAY_NUMBER}[ -]{MONTH}[ -](?:{YEAR}|[0-9]{{2}})|{MONTH} {DAY_NUMBER},? {YEAR}", "day", "day"),
    ColumnForm(rf"{YEAR}-[0-9]{{2}}", "month", "month"),
    ColumnForm(rf"{MONTH}[ -]{YEAR}|[0-9]{{2}}[./]{YEAR}", "month", "month"),
    ColumnForm(YEAR, "year", "year"),
    ColumnForm(
        r"(?:aged? |ages )?[0-9]{1,3}(?: ?[-–] ?| to )[0-9]{1,3}(?: years)?|[0-9]{1,3}(?: ?\+| and (?:over|older))"
        r"(?: years)?|(?:under|below|over|<|>|≤|≥) ?[0-9]{1,3}",
        "part",
        "group",
    ),
    ColumnForm(
        r"(?i:fe)?(?i:male)s?|(?i:men|women|boys|girls|children|adults|elderly|civilians|soldiers|combatants)",
        "part",
        "group",
    ),
)
PREFIXED_YEAR = re.compile(rf"(.*?[^0-9])??({YEAR})([^0-9].*)?")


@dataclass(frozen=True, slots=True)
class Unpivot:
    """Columns that are to become rows."""

    columns: tuple[str, ...]
    pattern: str
    """The regular expression of their names, for `COLUMNS('…')`."""
    name: str
    kind: str
    value: str
    has_text: bool = False
    """Whether the names have more than the year."""

    @property
    def query(self) -> str:
        """The query that makes them rows."""
        pattern = self.pattern.replace("'", "''")
        query = f"UNPIVOT rows ON COLUMNS('{pattern}') INTO NAME {_quote(self.name)} VALUE {_quote(self.value)}"
        if not self.has_text:
            return query
        year = f"regexp_extract({_quote(self.name)}, '{YEAR}') AS {_quote(self.name)}"
        return f"SELECT * REPLACE ({year}) FROM ({query})"  # noqa: S608 - a query for a mapping

    def apply(self, rows: Iterable[FileRow]) -> Iterable[FileRow]:
        """Yield the rows as the query does."""
        names = frozenset(self.columns)
        for row in rows:
            rest = {name: value for name, value in row.data.items() if name not in names}
            for name in self.columns:
                value: Any = row.data.get(name)
                if value is not None and str(value).strip():
                    shown = PREFIXED_YEAR.fullmatch(name)[2] if self.has_text else name  # type: ignore[index] # it does
                    yield FileRow(row.file, row.line, {**rest, self.name: shown, self.value: value})


def find_unpivot(columns: Sequence[str], numeric: Sequence[str]) -> Unpivot | None:
    """Return the columns that are days, months, years or groups, if a table has several.

    Args:
        columns: The names of all columns.
        numeric: The names of those with numbers, in the order of the file. Others with names of the same form become
            rows, too, as in the query: cells like `1,190*` or `n/a` are no reason to leave a year out.
    """
    for form in FORMS:
        found = [name for name in numeric if re.fullmatch(form.pattern, name.strip())]
        if len(found) >= MIN_PERIOD_COLUMNS:
            name, value = _unused(form.name, columns), _unused("figure", columns)
            like = tuple(name for name in columns if name in found or re.fullmatch(form.pattern, name))
            return Unpivot(like, f"^(?:{form.pattern})$", name, form.kind, value)
    around: dict[tuple[str, str], list[str]] = {}
    for name in numeric:
        if (match := PREFIXED_YEAR.fullmatch(name)) is not None:
            after, before = ((match[part] or "").replace(match[2], "\0") for part in (1, 3))
            around.setdefault((after, before), []).append(name)
    for (after, before), names in around.items():
        if len(names) >= MIN_PERIOD_COLUMNS and (after or before):
            pattern = "^" + YEAR.join(map(re.escape, f"{after}\0{before}".split("\0"))) + "$"
            name, value = _unused("year", columns), _unused("figure", columns)
            return Unpivot(tuple(names), pattern, name, "year", value, has_text=True)
    return None


def _unused(name: str, columns: Sequence[str]) -> str:
    lower = {column.lower() for column in columns}
    while name in lower:
        name += "_"
    return name


def _quote(name: str) -> str:
    return name if re.fullmatch("[a-z_]+", name) else '"' + name.replace('"', '""') + '"'
