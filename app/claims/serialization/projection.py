"""JSON projection: SQL that renders claims as JSON or CSV in the database, as the schema `Claim` describes them.

Each field of the schema becomes an SQL expression, one for JSON and one for a CSV cell. The database returns each claim
as the bytes of the response; in a CSV export from PostgreSQL, COPY adds the quotes (`export.py`).
`build_claim_responses` in `rows.py` is the slower implementation of the same representation; tests compare the two on
both databases.

The databases differ in placeholders and in the types of dates, times, booleans and lists. These differences are in
`SqliteRenderer`, `PostgresRenderer` and, for exports, `PostgresCopyRenderer`.
"""

# ruff: noqa: S608 - statements are built from constant names

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, get_origin

import sqlalchemy as sa
from pydantic import BaseModel

from app.claims.schemas import Claim
from app.database.read_session import ReadSession
from app.database.snapshot import AS_OF, Snapshot, is_version_at
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
"""The table with the fields of each part of a claim."""

CLAIM_URL_SQL = "'/v1/claims/' || claim.id"
FIELD_EXPRESSIONS = {
    "figure.unit": "category.unit",
    "period.edtf": "claim.period",
    "period.start": "claim.period_start",
    "period.end": "claim.period_end",
    "source.slug": "claim.source",
    "citations.document.publisher_name": "publisher.name",
    "recorded_until": "NULL",  # the versions in a snapshot are not yet replaced
    "links.self": CLAIM_URL_SQL,
    "links.revisions": f"{CLAIM_URL_SQL} || '/revisions'",
    "links.citation": f"{CLAIM_URL_SQL} || '/citation'",
    "links.relations": f"{CLAIM_URL_SQL} || '/relations'",
    "links.assessments": f"{CLAIM_URL_SQL} || '/assessments'",
}
"""SQL of the fields that are not a column of the same name."""

MAX_SQL_COLUMNS = 60
"""Maximum number of columns: functions take 100 arguments on PostgreSQL and 127 on SQLite, and a column needs two."""

SLUG_AND_ID_FIELDS = {"id", "slug", "category", "subject", "place", "publisher", "import_id"}
"""Fields with a slug or an id, which needs no escaping."""


class SqlRenderer(Protocol):
    """SQL dialect of the projection. Its methods take SQL expressions and return one."""

    placeholder: str
    """The placeholder of the only parameter of a statement."""

    requested_claims: str
    """FROM clause: the requested versions as a table with `value` and `key` (their position), and their claims."""

    order_by: str
    """ORDER BY clause that keeps the claims in that order."""

    null: str
    """The expression of a null value in a JSON object."""

    def json_value(self, kind: Any, x: str, *, is_key: bool) -> str:  # noqa: ANN401 - types are values here
        """Return the expression of a value in a JSON object, as `json_object` expects it."""

    def json_object(self, members: Sequence[tuple[str, str]]) -> str:
        """Return the expression of a JSON object with these members."""

    def csv_cell(self, kind: Any, x: str, *, is_key: bool) -> str:  # noqa: ANN401 - as above
        """Return the expression of a value as a CSV cell, equal to the cell that `app.http.serializers` writes."""
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
        """Return the expression of a CSV line with these cells."""

    def number(self, x: str) -> str:
        """Return the expression of a number as Python prints it, but whole numbers without a fraction."""

    def time(self, x: str, *, exact: bool) -> str:
        """Return the expression of a time in UTC with `Z`, to the second, or with its microseconds if `exact`."""

    def csv_list(self, x: str) -> str:
        """Return the expression of a list of slugs, stored as compact JSON, with semicolons between them."""
        return f"CASE WHEN {x} <> '[]' THEN replace(substr({x}, 3, length({x}) - 4), '\",\"', ';') END"

    def csv_text(self, x: str) -> str:
        """Return the expression of a text cell, with `'` before a leading formula character."""

    def first_row_join(self, table: str, _columns: Iterable[str], is_current: str, order: str) -> str:
        """Return the join with the first row of a claim in a table, by `order`, that satisfies `is_current`."""

    def citation_array(self, object_: str, tables: str, is_current: str) -> tuple[str, str]:
        """Return the expression of the citations of a claim as a JSON array, and the join that it needs."""

    def document_join(self, is_current: str) -> str:
        """Return the join with the document of a citation."""
        return f"LEFT JOIN document ON document.id = citation.document AND {is_current}"


class SqliteRenderer(SqlRenderer):
    """SQL of SQLite, which stores dates, times and lists as text. `json_object` does not quote the result of `json`."""

    placeholder = "?"
    requested_claims = "json_each(?) AS requested CROSS JOIN claim ON claim.version = requested.value"
    order_by = ""  # SQLite scans the left table of a CROSS JOIN in order; sorting would copy every row
    null = "NULL"

    def json_value(self, kind: Any, x: str, *, is_key: bool) -> str:  # noqa: ANN401, ARG002 - as in `SqlRenderer`
        """Return the expression of a value; `json_object` itself encodes texts and integers."""
        if kind is datetime:
            return self.time(x, exact=True)
        if kind is bool:
            return f"CASE WHEN {x} THEN json('true') WHEN NOT {x} THEN json('false') END"
        if kind is list:
            return f"CASE WHEN {x} = '[]' THEN json_array() ELSE json({x}) END"
        if kind is float:
            return self._number(x, f"json({_as_json_number(self._digits(x), x)})")
        return x

    def json_object(self, members: Sequence[tuple[str, str]]) -> str:
        """Return a call of `json_object`."""
        arguments = ", ".join(f"'{name}', {value}" for name, value in members)
        return f"json_object({arguments})"

    def csv_line(self, cells: Sequence[str]) -> str:
        """Return the cells joined by commas; NULL is an empty cell, which is quoted if it is the only one."""
        line = f"format('{','.join(['%s'] * len(cells))}', {', '.join(cells)})"
        return line if len(cells) > 1 else f"coalesce(nullif({line}, ''), '\"\"')"

    def number(self, x: str) -> str:
        """Return the digits of a number; whole numbers may also be stored as doubles."""
        return self._number(x, self._digits(x))

    def _number(self, x: str, fraction: str) -> str:
        whole = f"CAST({x} AS INTEGER)"
        return f"CASE WHEN {x} = {whole} THEN {whole} WHEN {x} IS NOT NULL THEN {fraction} END"

    def _digits(self, x: str) -> str:
        """Return the expression of up to 15 significant digits, the precision of figures."""
        return f"replace(format('%!.15g', {x}), '.0e', 'e')"

    def time(self, x: str, *, exact: bool) -> str:
        """Convert a time that is stored as `2026-11-20 10:00:00.000000`."""
        fraction = f"|| CASE WHEN substr({x}, 21) = '000000' THEN '' ELSE substr({x}, 20) END " if exact else ""
        return f"substr({x}, 1, 10) || 'T' || substr({x}, 12, 8) {fraction}|| 'Z'"

    def csv_text(self, x: str) -> str:
        """Return the expression of a quoted text cell.

        The comparison with `A` is a fast check, because all of `FORMULA_PREFIXES` sort before letters. In a GLOB set,
        `-` is a literal only at the end.
        """
        characters = "".join(sorted(FORMULA_PREFIXES, key="-".__eq__))
        guarded = f"CASE WHEN {x} < 'A' AND {x} GLOB '[{characters}]*' THEN '''' || {x} ELSE {x} END"
        quoted = f"'\"' || replace({guarded}, '\"', '\"\"') || '\"'"
        return f"CASE WHEN {x} GLOB '*[\",\n\r]*' THEN {quoted} ELSE {guarded} END"

    def first_row_join(self, table: str, _columns: Iterable[str], is_current: str, order: str) -> str:
        """Return a join by version, which a correlated subquery selects."""
        first = f"SELECT {table}.version FROM {table} WHERE {table}.claim = claim.id AND {is_current}"
        return f"LEFT JOIN {table} ON {table}.version = ({first} ORDER BY {order} LIMIT 1)"

    def citation_array(self, object_: str, tables: str, is_current: str) -> tuple[str, str]:
        """Return a correlated subquery in the order of the index.

        Sorting in a subquery would turn the JSON objects into texts, which `json_group_array` quotes.
        """
        source = tables.replace("citation", "citation INDEXED BY ix_citation_claim_id", 1)
        return (
            f"(SELECT json_group_array({object_}) FROM {source} WHERE citation.claim = claim.id AND {is_current})",
            "",
        )


class PostgresRenderer(SqlRenderer):
    """SQL of PostgreSQL. It builds JSON with `format`, which is faster than the JSON functions.

    CSV cells are not quoted, because COPY quotes them.
    """

    placeholder = "$1"
    requested_claims = (
        "unnest($1::bigint[]) WITH ORDINALITY AS requested(value, key) JOIN claim ON claim.version = requested.value"
    )
    order_by = " ORDER BY requested.key"
    null = "'null'"

    def json_value(self, kind: Any, x: str, *, is_key: bool) -> str:  # noqa: ANN401 - as in `SqlRenderer`
        """Return the expression of the JSON text of a value. It is never NULL, which `format` would leave out."""
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

    def json_object(self, members: Sequence[tuple[str, str]]) -> str:
        """Return a call of `format`."""
        pattern = ",".join(f'"{name}":%s' for name, _ in members)
        return f"format('{{{pattern}}}', {', '.join(value for _, value in members)})"

    def csv_line(self, cells: Sequence[str]) -> str:
        """Return the cells as columns of the statement; COPY writes the line."""
        return ", ".join(cells)

    def number(self, x: str) -> str:
        """Return the shortest digits that identify the double."""
        return f"CASE WHEN {x} = trunc({x}) THEN {x}::bigint::text ELSE {x}::text END"

    def time(self, x: str, *, exact: bool) -> str:
        """Convert a time to UTC, independently of the time zone of the server."""
        utc = f"{x} AT TIME ZONE 'UTC'"
        fraction = f"|| replace(to_char({utc}, '.US'), '.000000', '') " if exact else ""
        return f"""to_char({utc}, 'YYYY-MM-DD"T"HH24:MI:SS') {fraction}|| 'Z'"""

    def csv_list(self, x: str) -> str:
        """Convert a list that is stored as `json`, which keeps the compact text."""
        return super().csv_list(f"{x}::text")

    def csv_text(self, x: str) -> str:
        """Return the expression of a text cell. An empty text becomes NULL, because COPY quotes empty texts."""
        guarded = ", ".join(str(ord(character)) for character in FORMULA_PREFIXES)
        return f"CASE WHEN ascii({x}) IN (0, {guarded}) THEN nullif('''' || {x}, '''') ELSE {x} END"

    def first_row_join(self, table: str, columns: Iterable[str], is_current: str, order: str) -> str:
        """Return a lateral join, evaluated once for each claim."""
        first = f"SELECT {', '.join(columns)} FROM {table} WHERE {table}.claim = claim.id AND {is_current}"
        return f"LEFT JOIN LATERAL ({first} ORDER BY {order} LIMIT 1) AS {table} ON true"

    def citation_array(self, object_: str, tables: str, is_current: str) -> tuple[str, str]:
        """Return a correlated subquery with an ordered aggregate."""
        select_array = f"SELECT string_agg({object_}, ',' ORDER BY citation.id) FROM {tables}"
        return f"'[' || coalesce(({select_array} WHERE citation.claim = claim.id AND {is_current}), '') || ']'", ""


class PostgresCopyRenderer(PostgresRenderer):
    """SQL of PostgreSQL for exports: citations and assessments of all claims are joined as sets.

    `:versions` and `:ids` are replaced by lists, because COPY takes no parameters. OFFSET is an optimization fence:
    without it PostgreSQL reads whole tables for each page of the export instead of looking up rows by key.
    """

    requested_claims = (
        "unnest(':versions'::bigint[]) WITH ORDINALITY AS requested(value, key) "
        "CROSS JOIN LATERAL (SELECT * FROM claim WHERE claim.version = requested.value OFFSET 0) AS claim"
    )

    def first_row_join(self, table: str, columns: Iterable[str], is_current: str, order: str) -> str:
        """Return a join with the first rows of all requested claims."""
        first = f"SELECT DISTINCT ON ({table}.claim) {', '.join(columns)} FROM {table}"
        condition = f"{table}.claim = ANY(':ids'::uuid[]) AND {is_current} ORDER BY {table}.claim, {order}"
        return f"LEFT JOIN ({first} WHERE {condition}) AS {table} ON {table}.claim = claim.id"

    def citation_array(self, object_: str, tables: str, is_current: str) -> tuple[str, str]:
        """Return a join with the arrays of all requested claims."""
        array = f"string_agg({object_}, ',' ORDER BY citation.id) AS elements"
        condition = f"citation.claim = ANY(':ids'::uuid[]) AND {is_current} GROUP BY citation.claim"
        arrays = f"SELECT citation.claim, {array} FROM {tables} WHERE {condition}"
        return (
            "'[' || coalesce(citations.elements, '') || ']'",
            f"LEFT JOIN ({arrays}) AS citations ON citations.claim = claim.id",
        )

    def document_join(self, is_current: str) -> str:
        """Return a lateral join, evaluated once for each citation."""
        document = f"SELECT * FROM document WHERE document.id = citation.document AND {is_current} OFFSET 0"
        return f"LEFT JOIN LATERAL ({document}) AS document ON true"


RENDERERS: dict[str, SqlRenderer] = {
    "sqlite": SqliteRenderer(),
    "postgresql": PostgresRenderer(),
    "copying": PostgresCopyRenderer(),
}


def _as_json_number(digits: str, x: str) -> str:
    """Return the expression of a fraction as orjson prints it: e-05 as a decimal, no leading zero in exponents."""
    significand = f"replace(replace(replace({digits}, 'e-05', ''), '.', ''), '-', '')"
    decimal = f"CASE WHEN {x} < 0 THEN '-' ELSE '' END || '0.0000' || {significand}"
    is_decimal = f"abs({x}) < 0.0001 AND abs({x}) >= 0.00001"
    return f"CASE WHEN {is_decimal} THEN {decimal} ELSE replace({digits}, 'e-0', 'e-') END"


class RenderedClaim(NamedTuple):
    """A claim as text, and the date of its retraction, on which the text depends where `known_on` is set."""

    text: str
    retracted_on: str | date | None
    """In the type of the driver: text on SQLite."""


def render_claims(
    reading: ReadSession, versions: Sequence[int], snapshot: Snapshot, layout: RowLayout = NESTED_LAYOUT
) -> list[RenderedClaim]:
    """Return the claims of these versions in `layout`, in the same order. None of them may be a tombstone."""
    statement = build_select(reading.dialect, snapshot, layout, ", claim.retracted_on")
    parameter = list(versions) if reading.dialect == "postgresql" else f"[{','.join(map(str, versions))}]"
    return [RenderedClaim(*row) for row in reading.fetch_prepared(statement, parameter)]


def render_claim(reading: ReadSession, id_: str, snapshot: Snapshot) -> tuple[str, int] | None:
    """Return a claim as JSON and its revision, or None if it does not exist or was taken down."""
    statement = _build_statement(
        reading.dialect, snapshot.as_of, snapshot.known_on, NESTED_LAYOUT, "claim", ", claim.revision"
    )
    placeholder = RENDERERS[reading.dialect].placeholder
    is_in_snapshot = _contains("claim", snapshot.as_of)
    rows = reading.fetch_prepared(
        f"{statement} WHERE claim.id = {placeholder} AND claim.status <> 'removed' AND {is_in_snapshot}",
        id_,
    )
    return rows[0] if rows else None


def build_select(dialect: str, snapshot: Snapshot, layout: RowLayout, extra_columns: str = "") -> str:
    """Return the statement that selects each requested claim as a row in `layout`, and then `extra_columns`."""
    renderer = RENDERERS[dialect]
    tables = renderer.requested_claims
    return (
        _build_statement(dialect, snapshot.as_of, snapshot.known_on, layout, tables, extra_columns) + renderer.order_by
    )


@lru_cache(maxsize=500)
def _build_statement(
    dialect: str, as_of: int | None, known_on: date | None, layout: RowLayout, tables: str, extra_columns: str
) -> str:
    builder = _StatementBuilder(RENDERERS[dialect], as_of, known_on)
    row = builder.row_expression(layout)  # before `joins`, because it collects the columns that they need
    return " ".join([f"SELECT {row}{extra_columns} FROM {tables}", *builder.joins()])


def _contains(alias: str, as_of: int | None) -> str:
    """Return the SQL condition that a version is in the snapshot at `as_of`, the same text on both databases."""
    if as_of is None:
        return _compile_visibility(alias, is_past=False)
    return _compile_visibility(alias, is_past=True).replace(f":{AS_OF.key}", str(as_of))


@lru_cache
def _compile_visibility(alias: str, *, is_past: bool) -> str:
    columns = sa.table(alias, sa.column("seq"), sa.column("until_seq")).c
    return f"({compile_statement(is_version_at(columns, AS_OF if is_past else None), 'sqlite')})"


class _StatementBuilder:
    """Builder of the expression of a row, and then of the joins that it needs."""

    def __init__(self, renderer: SqlRenderer, as_of: int | None, known_on: date | None) -> None:
        self.renderer = renderer
        self.as_of = as_of
        self.known_on = known_on
        self._used_columns: dict[str, set[str]] = defaultdict(set)
        """Table → the columns that the row contains."""
        self._extra_joins: list[str] = []

    def contains(self, alias: str) -> str:
        return _contains(alias, self.as_of)

    def row_expression(self, layout: RowLayout) -> str:
        """Return the expression of a row in a layout."""
        if not layout.columns:
            return self.object_expression(Claim)
        if layout.is_csv:
            return self.renderer.csv_line(
                [self.value_expression(path, self.renderer.csv_cell) for _name, path in layout.columns]
            )
        return self.renderer.json_object(
            [(name, self.value_expression(path, self.renderer.json_value)) for name, path in layout.columns]
        )

    def value_expression(self, path: Sequence[str], render: Callable[..., str]) -> str:
        """Return the expression of the value at `path`, rendered by `render`."""
        model: Any = Claim
        for step in path:
            info = model.model_fields[step]
            model = inner_type(info.annotation)
        kind = list if get_origin(info.annotation) is list else model
        is_key = kind is str and (path[-1] in SLUG_AND_ID_FIELDS or path[0] == "links")
        return render(kind, self.column_expression(tuple(path)), is_key=is_key)

    def object_expression(self, model: type[BaseModel], path: tuple[str, ...] = ()) -> str:
        """Return the expression of an object of the schema with its nested objects."""
        members = []
        for name, info in model.model_fields.items():
            inner, field_path = inner_type(info.annotation), (*path, name)
            if not _is_subclass(inner, BaseModel):
                value = self.value_expression(field_path, self.renderer.json_value)
            elif get_origin(info.annotation) is list:
                value = self.citations_expression(inner, field_path)
            else:
                value = self.object_expression(inner, field_path)
                if name == "confidence":
                    self._used_columns["assessment"].add("version")
                    value = f"CASE WHEN assessment.version IS NULL THEN {self.renderer.null} ELSE {value} END"
            members.append((name, value))
        return self.renderer.json_object(members)

    def citations_expression(self, model: type[BaseModel], path: tuple[str, ...]) -> str:
        """Return the expression of the citations of a claim."""
        citation = self.object_expression(model, path)
        tables = " ".join(["citation", *self.citation_joins()])
        value, join = self.renderer.citation_array(citation, tables, self.contains("citation"))
        self._extra_joins.append(join)
        for table in ("citation", "document", "publisher"):
            self._used_columns.pop(table, None)
        return value

    def column_expression(self, path: tuple[str, ...]) -> str:
        """Return the expression of the column at `path`."""
        dotted = ".".join(path)
        expression = FIELD_EXPRESSIONS.get(dotted) or f"{PART_TABLES['.'.join(path[:-1])]}.{path[-1]}"
        table, _, column = expression.partition(".")
        self._used_columns[table].add(column)
        if self.known_on is not None and dotted in ("status", "retracted_on"):
            # As known on a day before its retraction, a claim is asserted.
            earlier_value = "'asserted'" if dotted == "status" else "NULL"
            retracted_later = f"claim.retracted_on > '{self.known_on.isoformat()}'"
            return f"CASE WHEN {retracted_later} THEN {earlier_value} ELSE {expression} END"
        return expression

    def joins(self) -> list[str]:
        """Return the joins with the tables that the row reads, and no others."""
        joins = [
            f"LEFT JOIN {table} ON {table}.slug = claim.{table} AND {self.contains(table)}"
            for table in ("source", "category")
            if table in self._used_columns
        ]
        if columns := self._used_columns.get("assessment"):
            is_current = f"NOT assessment.withdrawn AND {self.contains('assessment')}"
            order = "assessment.assessed_on DESC, assessment.id DESC"
            joins.append(
                self.renderer.first_row_join("assessment", _qualify_columns("assessment", columns), is_current, order)
            )
        citation_joins = self.citation_joins()
        if citation_joins or "citation" in self._used_columns:
            qualified_columns = _qualify_columns("citation", self._used_columns["citation"] | {"document"})
            joins += [
                self.renderer.first_row_join("citation", qualified_columns, self.contains("citation"), "citation.id"),
                *citation_joins,
            ]
        return joins + self._extra_joins

    def citation_joins(self) -> list[str]:
        """Return the joins with the document of a citation and its publisher, if the row reads them."""
        publisher = (
            f"LEFT JOIN source AS publisher ON publisher.slug = document.publisher AND {self.contains('publisher')}"
        )
        document = self.renderer.document_join(self.contains("document"))
        needs_publisher = "publisher" in self._used_columns
        needs_document = needs_publisher or "document" in self._used_columns
        return [document] * needs_document + [publisher] * needs_publisher


def _qualify_columns(table: str, columns: set[str]) -> list[str]:
    return [f"{table}.{column}" for column in sorted(columns | {"claim"})]


def _is_subclass(kind: Any, base: type) -> bool:  # noqa: ANN401 - types are values here
    return isinstance(kind, type) and issubclass(kind, base)
