"""Claims as text that the database puts together: the fast way to what the schema `Claim` says.

The schema is walked, and each of its fields becomes an expression of SQL, once for JSON and once for a cell of CSV. A
row of JSON then comes out of the database as the very bytes that are sent, and only the quotes of CSV are left to what
writes the file (`app/claims/exporting.py`). `cards` in `app/claims/queries.py` is the slow way to the same bytes, and
tests hold the two against each other on both databases.

Two databases speak here: `?` and `%s`, dates as texts and as dates, times with and without a zone. Everything in which
they differ is in `Sqlite` and `Postgresql` (and, for many claims at once, in `Copying`), and nothing else is.
"""

# ruff: noqa: S608 - statements are made of our own names

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple, get_origin

import sqlalchemy as sa
from pydantic import BaseModel

from app.claims.schemas import Claim
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot, is_version_at
from app.database.sql import compile_statement
from app.http.csv_columns import inner_type
from app.http.serializers import FORMULA_PREFIXES, NESTED_LAYOUT, RowLayout

PART_TABLES = {
    "": "claim",
    "figure": "claim",
    "period": "claim",
    "source": "source",
    "confidence": "assessment",
    "citations": "citation",
    "citations.document": "document",
}
"""The table that the fields of each part of a claim are read from."""

CLAIM_URL_SQL = "'/v1/claims/' || claim.id"
FIELD_EXPRESSIONS = {
    "figure.unit": "category.unit",
    "period.edtf": "claim.period",
    "period.start": "claim.period_start",
    "period.end": "claim.period_end",
    "source.slug": "claim.source",
    "citations.document.publisher_name": "publisher.name",
    "recorded_until": "NULL",  # a state does not know when it will end
    "links.self": CLAIM_URL_SQL,
    "links.revisions": f"{CLAIM_URL_SQL} || '/revisions'",
    "links.citation": f"{CLAIM_URL_SQL} || '/citation'",
    "links.relations": f"{CLAIM_URL_SQL} || '/relations'",
    "links.assessments": f"{CLAIM_URL_SQL} || '/assessments'",
}
"""Fields that are not the column of their own name."""

MAX_SQL_COLUMNS = 60
"""A function takes 100 arguments on PostgreSQL and 127 on SQLite, where an object of JSON needs two for each column."""

SLUG_AND_ID_FIELDS = {"id", "slug", "category", "subject", "place", "publisher", "import_id"}
"""Fields whose text, wherever they stand, is a slug or an id: there is nothing in it to be guarded or escaped."""


class SqlRenderer:
    """How a database says the text of a value. Each method takes expressions, and gives one."""

    placeholder: str
    """Where the one parameter of a statement goes."""

    requested_claims: str
    """The versions that are asked for, in their order, as a table with `value` and `key`, and their claims."""

    order_by: str
    """What keeps the claims in that order."""

    null: str
    """What is null in an object."""

    def json(self, kind: Any, x: str, *, is_key: bool) -> str:  # noqa: ANN401 - types are values here
        """A value of a Python type, as `object` takes it."""
        raise NotImplementedError

    def object(self, members: Sequence[tuple[str, str]]) -> str:
        """An object of JSON with these members."""
        raise NotImplementedError

    def csv_cell(self, kind: Any, x: str, *, is_key: bool) -> str:  # noqa: ANN401 - as above
        """A value of a Python type as a cell of CSV; see `app.rows.cell`."""
        if kind is datetime:
            return self.time(x, exact=False)
        if kind is bool:
            return f"CASE WHEN {x} THEN 'true' WHEN NOT {x} THEN 'false' END"
        if kind is float:
            return self.number(x)
        if kind is list:
            return self.csv_list(x)
        return x if is_key or kind in (date, int) or _is_subclass(kind, Enum) else self.csv_text(x)

    def csv_line(self, cells: Sequence[str]) -> str:
        """Cells, one behind the other."""
        raise NotImplementedError

    def number(self, x: str) -> str:
        """A number as Python has it: whole ones without a fraction."""
        raise NotImplementedError

    def time(self, x: str, *, exact: bool) -> str:
        """A time in UTC with `Z`, to the second, or as exact as it is."""
        raise NotImplementedError

    def csv_list(self, x: str) -> str:
        """A list of slugs with semicolons between them."""
        raise NotImplementedError

    def csv_text(self, x: str) -> str:
        """A text as a cell, with `'` before what must not begin one."""
        raise NotImplementedError

    def first_row_join(self, table: str, _columns: Iterable[str], standing: str, order: str) -> str:
        """A join with the first row of a table, by `order`, that belongs to the claim and is `standing`."""
        raise NotImplementedError

    def citation_array(self, object_: str, tables: str, standing: str) -> tuple[str, str]:
        """The citations of a claim as an array of JSON, and the join that it needs."""
        raise NotImplementedError

    def document_join(self, standing: str) -> str:
        """A join with the document of a citation."""
        return f"LEFT JOIN document ON document.id = citation.document AND {standing}"


class SqliteRenderer(SqlRenderer):
    """SQLite keeps days, times and lists as text, and numbers as they come. What it calls JSON it does not quote."""

    placeholder = "?"
    requested_claims = "json_each(?) AS asked CROSS JOIN claim ON claim.version = asked.value"
    order_by = ""  # the table on the left of a CROSS JOIN is read from beginning to end; sorting would copy every row
    null = "NULL"

    def json(self, kind: Any, x: str, *, is_key: bool) -> str:  # noqa: ANN401, ARG002 - as in `Tongue`
        """Text and whole numbers are left to `json_object`."""
        if kind is datetime:
            return self.time(x, exact=True)
        if kind is bool:
            return f"CASE WHEN {x} THEN json('true') WHEN NOT {x} THEN json('false') END"
        if kind is list:
            return f"CASE WHEN {x} = '[]' THEN json_array() ELSE json({x}) END"
        if kind is float:
            return self._number(x, f"json({_as_json_number(self._digits(x), x)})")
        return x

    def object(self, members: Sequence[tuple[str, str]]) -> str:
        """It writes texts, numbers and what is JSON already."""
        written = ", ".join(f"'{name}', {value}" for name, value in members)
        return f"json_object({written})"

    def csv_line(self, cells: Sequence[str]) -> str:
        """NULL is nothing; but a line with one empty cell would be no line."""
        line = f"format('{','.join(['%s'] * len(cells))}', {', '.join(cells)})"
        return line if len(cells) > 1 else f"coalesce(nullif({line}, ''), '\"\"')"

    def number(self, x: str) -> str:
        """Whole ones are kept as doubles, too."""
        return self._number(x, self._digits(x))

    def _number(self, x: str, fraction: str) -> str:
        whole = f"CAST({x} AS INTEGER)"
        return f"CASE WHEN {x} = {whole} THEN {whole} WHEN {x} IS NOT NULL THEN {fraction} END"

    def _digits(self, x: str) -> str:
        """As many as a figure can have."""
        return f"replace(format('%!.15g', {x}), '.0e', 'e')"

    def time(self, x: str, *, exact: bool) -> str:
        """Kept as `2026-11-20 10:00:00.000000`."""
        fraction = f"|| CASE WHEN substr({x}, 21) = '000000' THEN '' ELSE substr({x}, 20) END " if exact else ""
        return f"substr({x}, 1, 10) || 'T' || substr({x}, 12, 8) {fraction}|| 'Z'"

    def csv_list(self, x: str) -> str:
        """Kept as compact JSON."""
        return f"CASE WHEN {x} <> '[]' THEN replace(substr({x}, 3, length({x}) - 4), '\",\"', ';') END"

    def csv_text(self, x: str) -> str:
        """In GLOB, a `-` at the end of a set stands for itself. All of `FORMULA_PREFIXES` sort before letters."""
        characters = "".join(sorted(FORMULA_PREFIXES, key="-".__eq__))
        guarded = f"CASE WHEN {x} < 'A' AND {x} GLOB '[{characters}]*' THEN '''' || {x} ELSE {x} END"
        quoted = f"'\"' || replace({guarded}, '\"', '\"\"') || '\"'"
        return f"CASE WHEN {x} GLOB '*[\",\n\r]*' THEN {quoted} ELSE {guarded} END"

    def first_row_join(self, table: str, _columns: Iterable[str], standing: str, order: str) -> str:
        """By its version."""
        first = f"SELECT {table}.version FROM {table} WHERE {table}.claim = claim.id AND {standing}"
        return f"LEFT JOIN {table} ON {table}.version = ({first} ORDER BY {order} LIMIT 1)"

    def citation_array(self, object_: str, tables: str, standing: str) -> tuple[str, str]:
        """The index leads to them in their order; a sorted table of objects would make texts of them."""
        found = tables.replace("citation", "citation INDEXED BY ix_citation_claim_id", 1)
        return f"(SELECT json_group_array({object_}) FROM {found} WHERE citation.claim = claim.id AND {standing})", ""


class PostgresRenderer(SqlRenderer):
    """PostgreSQL has a type for everything, and puts texts together faster than its own JSON.

    What it says of CSV is for COPY, which writes the quotes.
    """

    placeholder = "$1"
    requested_claims = (
        "unnest($1::bigint[]) WITH ORDINALITY AS asked(value, key) JOIN claim ON claim.version = asked.value"
    )
    order_by = " ORDER BY asked.key"
    null = "'null'"

    def json(self, kind: Any, x: str, *, is_key: bool) -> str:  # noqa: ANN401 - as in `Tongue`
        """Never NULL."""
        if x == "NULL":
            return self.null
        if kind is datetime:
            return f"""coalesce('"' || {self.time(x, exact=True)} || '"', 'null')"""
        if is_key or kind is date or _is_subclass(kind, Enum):
            return f"""coalesce('"' || ({x})::text || '"', 'null')"""
        if kind is bool:
            return f"CASE WHEN {x} THEN 'true' WHEN NOT {x} THEN 'false' ELSE 'null' END"
        if kind is float:
            digits = f"CASE WHEN {x} = trunc({x}) THEN {x}::bigint::text ELSE {_as_json_number(f'{x}::text', x)} END"
            return f"coalesce({digits}, 'null')"
        return f"coalesce(({x})::text, 'null')" if kind in (int, list) else f"coalesce(to_json({x})::text, 'null')"

    def object(self, members: Sequence[tuple[str, str]]) -> str:
        """Its text."""
        pattern = ",".join(f'"{name}":%s' for name, _ in members)
        return f"format('{{{pattern}}}', {', '.join(value for _, value in members)})"

    def csv_line(self, cells: Sequence[str]) -> str:
        """As many columns."""
        return ", ".join(cells)

    def number(self, x: str) -> str:
        """The shortest digits that mean the same double."""
        return f"CASE WHEN {x} = trunc({x}) THEN {x}::bigint::text ELSE {x}::text END"

    def time(self, x: str, *, exact: bool) -> str:
        """In UTC, whatever the server's time zone is."""
        utc = f"{x} AT TIME ZONE 'UTC'"
        fraction = f"|| replace(to_char({utc}, '.US'), '.000000', '') " if exact else ""
        return f"""to_char({utc}, 'YYYY-MM-DD"T"HH24:MI:SS') {fraction}|| 'Z'"""

    def csv_list(self, x: str) -> str:
        """Kept as the JSON that was given."""
        return SqliteRenderer.csv_list(self, f"{x}::text")  # type: ignore[arg-type] # the same words of SQL

    def csv_text(self, x: str) -> str:
        """An empty text has no first character."""
        guarded = ", ".join(str(ord(character)) for character in FORMULA_PREFIXES)
        return f"CASE WHEN ascii({x}) IN (0, {guarded}) THEN nullif('''' || {x}, '''') ELSE {x} END"

    def first_row_join(self, table: str, columns: Iterable[str], standing: str, order: str) -> str:
        """Looked up once for each claim."""
        first = f"SELECT {', '.join(columns)} FROM {table} WHERE {table}.claim = claim.id AND {standing}"
        return f"LEFT JOIN LATERAL ({first} ORDER BY {order} LIMIT 1) AS {table} ON true"

    def citation_array(self, object_: str, tables: str, standing: str) -> tuple[str, str]:
        """An aggregate with an order of its own."""
        listed = f"SELECT string_agg({object_}, ',' ORDER BY citation.id) FROM {tables}"
        return f"'[' || coalesce(({listed} WHERE citation.claim = claim.id AND {standing}), '') || ']'", ""


class PostgresCopyRenderer(PostgresRenderer):
    """PostgreSQL for many claims at once: what belongs to them is found in one go and joined as sets.

    `:versions` and `:ids` stand for lists in the statement itself, for COPY takes no parameters: it is planned for as
    many as there are. OFFSET is a fence: claims and documents are looked up one by one, for PostgreSQL would sooner
    read all that there are, as often as a file has pages.
    """

    requested_claims = (
        "unnest(':versions'::bigint[]) WITH ORDINALITY AS asked(value, key) "
        "CROSS JOIN LATERAL (SELECT * FROM claim WHERE claim.version = asked.value OFFSET 0) AS claim"
    )

    def first_row_join(self, table: str, columns: Iterable[str], standing: str, order: str) -> str:
        """Of all claims that are asked for."""
        first = f"SELECT DISTINCT ON ({table}.claim) {', '.join(columns)} FROM {table}"
        chosen = f"{table}.claim = ANY(':ids'::uuid[]) AND {standing} ORDER BY {table}.claim, {order}"
        return f"LEFT JOIN ({first} WHERE {chosen}) AS {table} ON {table}.claim = claim.id"

    def citation_array(self, object_: str, tables: str, standing: str) -> tuple[str, str]:
        """Of all claims that are asked for."""
        listed = f"string_agg({object_}, ',' ORDER BY citation.id) AS written"
        chosen = f"citation.claim = ANY(':ids'::uuid[]) AND {standing} GROUP BY citation.claim"
        cited = f"SELECT citation.claim, {listed} FROM {tables} WHERE {chosen}"
        return (
            "'[' || coalesce(cited.written, '') || ']'",
            f"LEFT JOIN ({cited}) AS cited ON cited.claim = claim.id",
        )

    def document_join(self, standing: str) -> str:
        """One by one."""
        found = f"SELECT * FROM document WHERE document.id = citation.document AND {standing} OFFSET 0"
        return f"LEFT JOIN LATERAL ({found}) AS document ON true"


RENDERERS: dict[str, SqlRenderer] = {
    "sqlite": SqliteRenderer(),
    "postgresql": PostgresRenderer(),
    "copying": PostgresCopyRenderer(),
}


def _as_json_number(digits: str, x: str) -> str:
    """The digits of a fraction as orjson has them: below 0.0001 with another exponent than Python, or none for -5."""
    bare = f"replace(replace(replace({digits}, 'e-05', ''), '.', ''), '-', '')"
    written = f"CASE WHEN {x} < 0 THEN '-' ELSE '' END || '0.0000' || {bare}"
    within = f"abs({x}) < 0.0001 AND abs({x}) >= 0.00001"
    return f"CASE WHEN {within} THEN {written} ELSE replace({digits}, 'e-0', 'e-') END"


class RenderedClaim(NamedTuple):
    """A claim as JSON, and the day of its retraction, which `known_on` may undo."""

    text: str
    retracted_on: str | date | None
    """As the driver has it."""


def render_claims(
    reading: ReadSession, versions: Sequence[int], view: Snapshot, layout: RowLayout = NESTED_LAYOUT
) -> list[RenderedClaim]:
    """The claims of these versions, none of which was taken down, each as JSON in `layout`, in the same order."""
    statement = build_select(reading.dialect, view, layout, ", claim.retracted_on")
    asked = list(versions) if reading.dialect == "postgresql" else f"[{','.join(map(str, versions))}]"
    return [RenderedClaim(*row) for row in reading.fetch_prepared(statement, asked)]


def render_claim(reading: ReadSession, id_: str, view: Snapshot) -> tuple[str, int] | None:
    """A claim as JSON, and its revision; none for one that is not there, or was taken down."""
    statement = _build_statement(reading.dialect, view.as_of, view.known_on, NESTED_LAYOUT, "claim", ", claim.revision")
    mark = RENDERERS[reading.dialect].placeholder
    rows = reading.fetch_prepared(
        f"{statement} WHERE claim.id = {mark} AND claim.status <> 'removed' AND {_contains('claim', view.as_of)}", id_
    )
    return rows[0] if rows else None


def build_select(tongue: str, view: Snapshot, layout: RowLayout, beside: str = "") -> str:
    """The statement that writes the claims that are asked for, a line each, with what is wanted `beside`."""
    says = RENDERERS[tongue]
    return _build_statement(tongue, view.as_of, view.known_on, layout, says.requested_claims, beside) + says.order_by


@lru_cache(maxsize=500)
def _build_statement(
    tongue: str, as_of: int | None, known_on: date | None, layout: RowLayout, tables: str, beside: str
) -> str:
    writer = _StatementBuilder(RENDERERS[tongue], as_of, known_on)
    written = writer.row_expression(layout)
    return " ".join([f"SELECT {written}{beside} FROM {tables}", *writer.joins()])


def _contains(alias: str, as_of: int | None) -> str:
    """The condition under which a version is in the view, as text: the same on both databases."""
    columns = sa.table(alias, sa.column("seq"), sa.column("until_seq")).c
    return f"({compile_statement(is_version_at(columns, as_of), 'sqlite')})"


class _StatementBuilder:
    """Puts the expression for one row together, and then the joins that it needs."""

    def __init__(self, tongue: SqlRenderer, as_of: int | None, known_on: date | None) -> None:
        self.renderer = tongue
        self.as_of = as_of
        self.known_on = known_on
        self._used_columns: dict[str, set[str]] = defaultdict(set)
        """Table → the columns that the row is made of."""
        self._extra_joins: list[str] = []

    def contains(self, alias: str) -> str:
        return _contains(alias, self.as_of)

    def row_expression(self, layout: RowLayout) -> str:
        """A row in a layout."""
        if not layout.columns:
            return self.object(Claim)
        if layout.is_csv:
            return self.renderer.csv_line(
                [self.value_expression(path, self.renderer.csv_cell) for _name, path in layout.columns]
            )
        return self.renderer.object(
            [(name, self.value_expression(path, self.renderer.json)) for name, path in layout.columns]
        )

    def value_expression(self, path: Sequence[str], write: Callable[..., str]) -> str:
        """The value at `path`."""
        model: Any = Claim
        for step in path:
            info = model.model_fields[step]
            model = inner_type(info.annotation)
        kind = list if get_origin(info.annotation) is list else model
        is_key = kind is str and (path[-1] in SLUG_AND_ID_FIELDS or path[0] == "links")
        return write(kind, self.column_expression(tuple(path)), is_key=is_key)

    def object(self, model: type[BaseModel], path: tuple[str, ...] = ()) -> str:
        """An object of the schema, with all that is nested in it."""
        members = []
        for name, info in model.model_fields.items():
            inner, here = inner_type(info.annotation), (*path, name)
            if not _is_subclass(inner, BaseModel):
                value = self.value_expression(here, self.renderer.json)
            elif get_origin(info.annotation) is list:
                value = self.citations_expression(inner, here)
            else:
                value = self.object(inner, here)
                if name == "confidence":
                    self._used_columns["assessment"].add("version")
                    value = f"CASE WHEN assessment.version IS NULL THEN {self.renderer.null} ELSE {value} END"
            members.append((name, value))
        return self.renderer.object(members)

    def citations_expression(self, model: type[BaseModel], path: tuple[str, ...]) -> str:
        """The one part of a claim of which there are several."""
        written = self.object(model, path)
        tables = " ".join(["citation", *self.citation_joins()])
        value, join = self.renderer.citation_array(written, tables, self.contains("citation"))
        self._extra_joins.append(join)
        for table in ("citation", "document", "publisher"):
            self._used_columns.pop(table, None)
        return value

    def column_expression(self, path: tuple[str, ...]) -> str:
        """Where the value at `path` is read."""
        dotted = ".".join(path)
        found = FIELD_EXPRESSIONS.get(dotted) or f"{PART_TABLES['.'.join(path[:-1])]}.{path[-1]}"
        table, _, column = found.partition(".")
        self._used_columns[table].add(column)
        if self.known_on is not None and dotted in ("status", "retracted_on"):
            # Before the day of its retraction a claim stands, for whoever asks what was known then.
            other = "'asserted'" if dotted == "status" else "NULL"
            return f"CASE WHEN claim.retracted_on > '{self.known_on.isoformat()}' THEN {other} ELSE {found} END"
        return found

    def joins(self) -> list[str]:
        """The joins with those tables, and no others, that something is read from."""
        found = [
            f"LEFT JOIN {table} ON {table}.slug = claim.{table} AND {self.contains(table)}"
            for table in ("source", "category")
            if table in self._used_columns
        ]
        if columns := self._used_columns.get("assessment"):
            standing = f"NOT assessment.withdrawn AND {self.contains('assessment')}"
            order = "assessment.assessed_on DESC, assessment.id DESC"
            found.append(
                self.renderer.first_row_join("assessment", _qualify_columns("assessment", columns), standing, order)
            )
        of_citation = self.citation_joins()
        if of_citation or "citation" in self._used_columns:
            named = _qualify_columns("citation", self._used_columns["citation"] | {"document"})
            found += [
                self.renderer.first_row_join("citation", named, self.contains("citation"), "citation.id"),
                *of_citation,
            ]
        return found + self._extra_joins

    def citation_joins(self) -> list[str]:
        """The joins with what belongs to a citation, as far as something is read from it."""
        publisher = (
            f"LEFT JOIN source AS publisher ON publisher.slug = document.publisher AND {self.contains('publisher')}"
        )
        document = self.renderer.document_join(self.contains("document"))
        named = "publisher" in self._used_columns
        return [document] * (named or "document" in self._used_columns) + [publisher] * named


def _qualify_columns(table: str, columns: set[str]) -> list[str]:
    return [f"{table}.{column}" for column in sorted(columns | {"claim"})]


def _is_subclass(kind: Any, base: type) -> bool:  # noqa: ANN401 - types are values here
    return isinstance(kind, type) and issubclass(kind, base)
