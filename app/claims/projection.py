"""Claims as text that the database puts together: the fast way to what the schema `Claim` says.

The schema is walked, and each of its fields becomes an expression of SQL, once for JSON and once for a cell of CSV. A
row then comes out of the database as the very bytes that are sent. `cards` in `app/claims/queries.py` is the slow way
to the same bytes, and tests hold the two against each other on both databases.

Two databases speak here: `?` and `%s`, dates as texts and as dates, times with and without a zone. Everything in which
they differ is in `Sqlite` and `Postgresql`, and nothing else is.
"""

# ruff: noqa: S608 - statements are made of our own names

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple, get_origin

from pydantic import BaseModel

from app.changes.clock import View
from app.claims.schemas import Claim
from app.formats import inner_type
from app.reading import Reading
from app.rows import NESTED, Layout

TABLES = {
    "": "claim",
    "figure": "claim",
    "period": "claim",
    "source": "source",
    "confidence": "assessment",
    "citations": "citation",
    "citations.document": "document",
}
"""The table that the fields of each part of a claim are read from."""

ADDRESS = "'/v1/claims/' || claim.id"
ELSEWHERE = {
    "figure.unit": "category.unit",
    "period.edtf": "claim.period",
    "period.start": "claim.period_start",
    "period.end": "claim.period_end",
    "source.slug": "claim.source",
    "citations.document.publisher_name": "publisher.name",
    "recorded_until": "NULL",  # a state does not know when it will end
    "links.self": ADDRESS,
    "links.revisions": f"{ADDRESS} || '/revisions'",
    "links.citation": f"{ADDRESS} || '/citation'",
    "links.relations": f"{ADDRESS} || '/relations'",
    "links.assessments": f"{ADDRESS} || '/assessments'",
}
"""Fields that are not the column of their own name."""

MOST_COLUMNS = 90
"""A function takes 100 arguments on PostgreSQL, 127 on SQLite."""

GUARDED = "=+-@\t\r"
"""What a cell must not begin with: a spreadsheet would run it."""


class Tongue:
    """How a database says the text of a value. Each method takes an expression, and gives one that is never NULL."""

    mark: str
    """Where the one parameter of a statement goes."""

    asked: str
    """The versions that are asked for, in their order, as a table with `value` and `key`."""

    def quoted(self, x: str) -> str:
        """A text as JSON."""
        raise NotImplementedError

    def digits(self, x: str) -> str:
        """A number as Python writes it."""
        raise NotImplementedError

    def time(self, x: str, *, exact: bool) -> str:
        """A time in UTC with `Z`, to the second, or as exact as it is."""
        raise NotImplementedError

    def text(self, x: str) -> str:
        """Anything as text; NULL stays NULL."""
        raise NotImplementedError

    def listed(self, x: str) -> str:
        """A list of slugs with semicolons between them."""
        raise NotImplementedError

    def joined(self, text: str, order: str, tables: str) -> str:
        """The texts of all rows of `tables`, with commas between them."""
        raise NotImplementedError

    def any_of(self, x: str, characters: str) -> str:
        """Whether a text has any of these characters."""
        raise NotImplementedError

    def json(self, kind: Any, x: str) -> str:  # noqa: ANN401 - types are values here
        """A value of a Python type as JSON."""
        if x == "NULL":
            return "'null'"
        if kind is datetime:
            return f"""coalesce('"' || {self.time(x, exact=True)} || '"', 'null')"""
        if kind is date or _is(kind, Enum):
            return f"""coalesce('"' || {self.text(x)} || '"', 'null')"""
        if kind is bool:
            return f"CASE WHEN {x} THEN 'true' WHEN NOT {x} THEN 'false' ELSE 'null' END"
        if kind is float:
            return self._json_number(x)
        return f"coalesce({self.text(x)}, 'null')" if kind in (int, list) else self.quoted(x)

    def _json_number(self, x: str) -> str:
        """A number as orjson writes it: below 0.0001 with another exponent than Python, or none where it is -5."""
        digits = self.digits(x)
        bare = f"replace(replace(replace({digits}, 'e-05', ''), '.', ''), '-', '')"
        written = f"CASE WHEN {x} < 0 THEN '-' ELSE '' END || '0.0000' || {bare}"
        within = f"abs({x}) < 0.0001 AND abs({x}) >= 0.00001"
        return f"coalesce(CASE WHEN {within} THEN {written} ELSE replace({digits}, 'e-0', 'e-') END, 'null')"

    def cell(self, kind: Any, x: str) -> str:  # noqa: ANN401 - as above
        """A value of a Python type as a cell of CSV; see `app.rows.cell`."""
        if kind is datetime:
            return f"coalesce({self.time(x, exact=False)}, '')"
        if kind is bool:
            return f"CASE WHEN {x} THEN 'true' WHEN NOT {x} THEN 'false' ELSE '' END"
        if kind is float:
            return f"coalesce({self.digits(x)}, '')"
        if kind is list:
            return f"coalesce({self.listed(x)}, '')"
        text = f"coalesce({self.text(x)}, '')"
        if kind in (date, int) or _is(kind, Enum):
            return text
        guarded = f"CASE WHEN {self.any_of(f'substr({text}, 1, 1)', GUARDED)} THEN '''' || {text} ELSE {text} END"
        return (
            f"CASE WHEN {self.any_of(text, chr(10) + chr(13) + ',' + chr(34))} "
            f"THEN '\"' || replace({guarded}, '\"', '\"\"') || '\"' ELSE {guarded} END"
        )


class Sqlite(Tongue):
    """SQLite keeps days, times and lists as text, and numbers as they come."""

    mark = "?"
    asked = "json_each(?) AS asked CROSS JOIN claim ON claim.version = asked.value"

    def quoted(self, x: str) -> str:
        """`json_quote` makes NULL `null`."""
        return f"json_quote({x})"

    def digits(self, x: str) -> str:
        """Whole numbers without a point; `%!.15g` writes as many digits as a figure can have."""
        return (
            f"CASE WHEN {x} = CAST({x} AS INTEGER) THEN CAST(CAST({x} AS INTEGER) AS TEXT) "
            f"WHEN {x} IS NOT NULL THEN replace(format('%!.15g', {x}), '.0e', 'e') END"
        )

    def time(self, x: str, *, exact: bool) -> str:
        """Kept as `2026-11-20 10:00:00.000000`."""
        fraction = f"|| CASE WHEN substr({x}, 21) = '000000' THEN '' ELSE substr({x}, 20) END " if exact else ""
        return f"substr({x}, 1, 10) || 'T' || substr({x}, 12, 8) {fraction}|| 'Z'"

    def text(self, x: str) -> str:
        """Text already, or made one where it is put together."""
        return x

    def listed(self, x: str) -> str:
        """Kept as compact JSON."""
        return f"""replace(replace(replace(replace({x}, '["', ''), '"]', ''), '","', ';'), '[]', '')"""

    def joined(self, text: str, order: str, tables: str) -> str:
        """The rows of the inner SELECT come in its order."""
        return f"(SELECT group_concat(one, ',') FROM (SELECT {text} AS one FROM {tables} ORDER BY {order}))"

    def any_of(self, x: str, characters: str) -> str:
        """GLOB knows sets of characters; a `-` is itself at the end of one."""
        return f"{x} GLOB '*[{''.join(sorted(characters, key='-'.__eq__))}]*'"


class Postgresql(Tongue):
    """PostgreSQL has a type for everything."""

    mark = "$1"
    asked = "unnest($1::bigint[]) WITH ORDINALITY AS asked(value, key) JOIN claim ON claim.version = asked.value"

    def quoted(self, x: str) -> str:
        """`to_json` leaves NULL as it is."""
        return f"coalesce(to_json(({x})::text)::text, 'null')"

    def digits(self, x: str) -> str:
        """The shortest digits that mean the same double."""
        return f"CASE WHEN {x} = trunc({x}) THEN {x}::bigint::text ELSE {x}::text END"

    def time(self, x: str, *, exact: bool) -> str:
        """In UTC, whatever the server's time zone is."""
        utc = f"{x} AT TIME ZONE 'UTC'"
        fraction = f"|| replace(to_char({utc}, '.US'), '.000000', '') " if exact else ""
        return f"""to_char({utc}, 'YYYY-MM-DD"T"HH24:MI:SS') {fraction}|| 'Z'"""

    def text(self, x: str) -> str:
        """A cast."""
        return f"({x})::text"

    def listed(self, x: str) -> str:
        """Kept as the JSON that was given."""
        return Sqlite.listed(self, f"{x}::text")  # type: ignore[arg-type] # the same words of SQL

    def joined(self, text: str, order: str, tables: str) -> str:
        """An aggregate with an order of its own."""
        return f"(SELECT string_agg({text}, ',' ORDER BY {order}) FROM {tables})"

    def any_of(self, x: str, characters: str) -> str:
        """Without them it would be as long as before."""
        return f"translate({x}, '{characters}', '') <> {x}"


TONGUES: dict[str, Tongue] = {"sqlite": Sqlite(), "postgresql": Postgresql()}


class Written(NamedTuple):
    """A claim as text, and the day of its retraction, which `known_on` may undo."""

    text: str
    retracted_on: str | date | None
    """As the driver has it."""


def write_claims(reading: Reading, versions: Sequence[int], view: View, layout: Layout = NESTED) -> list[Written]:
    """The claims of these versions, none of which was taken down, each written in `layout`, in the same order."""
    tongue = TONGUES[reading.dialect]
    statement = _statement(reading.dialect, view.as_of, view.known_on, layout, tongue.asked, ", claim.retracted_on")
    asked = list(versions) if reading.dialect == "postgresql" else f"[{','.join(map(str, versions))}]"
    return [Written(*row) for row in reading.prepared(f"{statement} ORDER BY asked.key", asked)]


def write_claim(reading: Reading, id_: str, view: View) -> tuple[str, int] | None:
    """A claim as JSON, and its revision; none for one that is not there, or was taken down."""
    statement = _statement(reading.dialect, view.as_of, view.known_on, NESTED, "claim", ", claim.revision")
    mark = TONGUES[reading.dialect].mark
    rows = reading.prepared(
        f"{statement} WHERE claim.id = {mark} AND claim.status <> 'removed' AND {_holds('claim', view.as_of)}", id_
    )
    return rows[0] if rows else None


@lru_cache(maxsize=500)
def _statement(dialect: str, as_of: int | None, known_on: date | None, layout: Layout, tables: str, beside: str) -> str:
    writer = _Writer(TONGUES[dialect], as_of, known_on)
    written = writer.row(layout)
    joins = [
        f"LEFT JOIN source ON source.slug = claim.source AND {writer.holds('source')}",
        f"LEFT JOIN category ON category.slug = claim.category AND {writer.holds('category')}",
        f"LEFT JOIN assessment ON assessment.version = ({writer.newest_assessment()})",
    ]
    if layout.columns:
        joins += [
            f"LEFT JOIN citation ON citation.version = ({writer.first_citation()})",
            *writer.of_citation(),
        ]
    return " ".join([f"SELECT {written}{beside} FROM {tables}", *joins])


def _holds(alias: str, as_of: int | None) -> str:
    """The condition under which a version is in the view; `View.holds` in words of SQL. Both are whole numbers."""
    if as_of is None:
        return f"{alias}.until_seq IS NULL"
    return f"({alias}.seq <= {as_of} AND ({alias}.until_seq IS NULL OR {alias}.until_seq > {as_of}))"


class _Writer:
    """Puts the expression for one row together."""

    def __init__(self, tongue: Tongue, as_of: int | None, known_on: date | None) -> None:
        self.tongue = tongue
        self.as_of = as_of
        self.known_on = known_on

    def holds(self, alias: str) -> str:
        return _holds(alias, self.as_of)

    def row(self, layout: Layout) -> str:
        """A row in a layout."""
        if not layout.columns:
            return self.object(Claim)
        if layout.csv:
            cells = [self.leaf(path, self.tongue.cell) for _name, path in layout.columns]
            if len(cells) == 1:  # a line with one empty cell would be no line
                cells = [f"coalesce(nullif({cells[0]}, ''), '\"\"')"]
            return _put_together(",".join(["%s"] * len(cells)), cells)
        values = [self.leaf(path, self.tongue.json) for _name, path in layout.columns]
        keys = ",".join(f'"{name}":%s' for name, _path in layout.columns)
        return _put_together(f"{{{keys}}}", values)

    def leaf(self, path: Sequence[str], write: Callable[[Any, str], str]) -> str:
        """The value at `path`."""
        model: Any = Claim
        for step in path:
            info = model.model_fields[step]
            model = inner_type(info.annotation)
        return write(list if get_origin(info.annotation) is list else model, self.expression(tuple(path)))

    def object(self, model: type[BaseModel], path: tuple[str, ...] = ()) -> str:
        """An object of the schema, with all that is nested in it."""
        keys, values = [], []
        for name, info in model.model_fields.items():
            inner, here = inner_type(info.annotation), (*path, name)
            many = get_origin(info.annotation) is list
            if not _is(inner, BaseModel):
                value = self.tongue.json(list if many else inner, self.expression(here))
            elif many:
                # Citations: the one part of which there are several.
                tables = " ".join(["citation", *self.of_citation()])
                standing = f"{tables} WHERE citation.claim = claim.id AND {self.holds('citation')}"
                listed = self.tongue.joined(self.object(inner, here), "citation.id", standing)
                value = f"'[' || coalesce({listed}, '') || ']'"
            elif name == "confidence":
                value = f"CASE WHEN assessment.version IS NULL THEN 'null' ELSE {self.object(inner, here)} END"
            else:
                value = self.object(inner, here)
            keys.append(f'"{name}":%s')
            values.append(value)
        return _put_together("{" + ",".join(keys) + "}", values)

    def expression(self, path: tuple[str, ...]) -> str:
        """Where the value at `path` is read."""
        dotted = ".".join(path)
        found = ELSEWHERE.get(dotted) or f"{TABLES['.'.join(path[:-1])]}.{path[-1]}"
        if self.known_on is not None and dotted in ("status", "retracted_on"):
            # Before the day of its retraction a claim stands, for whoever asks what was known then.
            other = "'asserted'" if dotted == "status" else "NULL"
            return f"CASE WHEN claim.retracted_on > '{self.known_on.isoformat()}' THEN {other} ELSE {found} END"
        return found

    def of_citation(self) -> list[str]:
        """What belongs to a citation."""
        return [
            f"LEFT JOIN document ON document.id = citation.document AND {self.holds('document')}",
            f"LEFT JOIN source AS publisher ON publisher.slug = document.publisher AND {self.holds('publisher')}",
        ]

    def newest_assessment(self) -> str:
        return (
            "SELECT newest.version FROM assessment AS newest WHERE newest.claim = claim.id "
            f"AND NOT newest.withdrawn AND {self.holds('newest')} "
            "ORDER BY newest.assessed_on DESC, newest.id DESC LIMIT 1"
        )

    def first_citation(self) -> str:
        return (
            "SELECT first.version FROM citation AS first WHERE first.claim = claim.id "
            f"AND {self.holds('first')} ORDER BY first.id LIMIT 1"
        )


def _put_together(pattern: str, values: Iterable[str]) -> str:
    """`pattern` with each `%s` in it replaced by a value; both databases have this function."""
    return f"format('{pattern}', {', '.join(values)})"


def _is(kind: Any, base: type) -> bool:  # noqa: ANN401 - types are values here
    return isinstance(kind, type) and issubclass(kind, base)
