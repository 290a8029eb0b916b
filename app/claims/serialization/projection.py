"""JSON projection: SQL that renders claims as JSON or CSV in the database, as the schema `Claim` describes them.

Each field of the schema becomes an SQL expression, one for JSON and one for a CSV cell. The database returns each claim
as the bytes of the response; in a CSV export from PostgreSQL, COPY adds the quotes (`export.py`).
`build_claim_responses` in `rows.py` is the slower implementation of the same representation; tests compare the two on
both databases.

The databases differ in placeholders and in the types of dates, times, booleans and lists. These differences are in
`SqliteRenderer`, `PostgresRenderer` and, for exports, `PostgresCopyRenderer`.
"""

# ruff: noqa: S608 - statements are built from constant names

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, get_origin

import sqlalchemy as sa
from pydantic import BaseModel

from app.claims.leading import leading_order
from app.claims.schemas import Claim
from app.claims.supersession import load_successors
from app.comparison.supersession import Successor
from app.database.engine import Database
from app.database.read_session import LATEST_SEQ, ReadSession, fetch_current
from app.database.snapshot import AS_OF, Snapshot, is_version_at
from app.database.sql import compile_statement
from app.http.addresses import base_url
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

BASE_URL_MARK = ":base_url"
CLAIM_URL_SQL = f"'{BASE_URL_MARK}/v1/claims/' || claim.id"
FIELD_EXPRESSIONS = {
    "figure.unit": "coalesce(claim.unit, category.unit)",
    "period.edtf": "claim.period",
    "period.start": "claim.period_start",
    "period.end": "claim.period_end",
    "source.slug": "claim.source",
    "citations.document.publisher_name": "publisher.name",
    "citations.leading": "(lead.version IS NULL OR lead.version = citation.version)",
    "recorded_until": "NULL",  # the versions in a snapshot are not yet replaced
    "superseded_by": "successor.claim",
    "superseded_on": "successor.superseded_on",
    "links.self": CLAIM_URL_SQL,
    "links.revisions": f"{CLAIM_URL_SQL} || '/revisions'",
    "links.citation": f"{CLAIM_URL_SQL} || '/citation'",
    "links.relations": f"{CLAIM_URL_SQL} || '/relations'",
    "links.assessments": f"{CLAIM_URL_SQL} || '/assessments'",
    "links.page": f"'{BASE_URL_MARK}/claims/' || claim.id",
}
"""SQL of the fields that are not a column of the same name."""

IS_LEADING = FIELD_EXPRESSIONS["citations.leading"]
LEAD_OF_CLAIM, LEAD_OF_CITATION = "lead.claim = claim.id", "lead.claim = citation.claim"

COLUMN_PATTERN = re.compile(r"\b([a-z]+)\.([a-z_]+)")
"""A column of a table in an SQL expression."""
SUCCESSOR_FIELDS = ("superseded_by", "superseded_on")
"""Fields of the claim that replaced a claim. They are NULL without a join, because few claims are superseded."""

MAX_SQL_COLUMNS = 63
"""Maximum number of columns: functions take 100 arguments on PostgreSQL and 127 on SQLite, and a column needs two."""

SLUG_AND_ID_FIELDS = {"id", "slug", "category", "subject", "place", "publisher", "import_id", "superseded_by"}
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

    def json_member(self, x: str, name: str) -> str:
        """Return the expression of a text in a JSON object; NULL if there is none."""

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

    joins_lead_in_array: bool = False
    """Whether the array of citations contains the join with the leading citation."""

    def lead_join(self, tables: str, is_current: str, several: str, order: str) -> str:
        """Return the join with the leading citation `lead` of a claim that has several; without them it is NULL.

        Args:
            tables: The citation, its document and its publisher.
            is_current: The condition that a citation is in the snapshot.
            several: The expression of a value if a claim has several citations, else of NULL.
            order: The order that puts the leading citation first.
        """

    def citation_join(self, _columns: Iterable[str], is_current: str) -> str:
        """Return the join with the leading citation of a claim, after the join with `lead`."""
        return f"LEFT JOIN citation ON citation.claim = claim.id AND {is_current} AND {IS_LEADING}"

    def citation_array(self, object_: str, tables: str, is_current: str) -> tuple[str, str]:
        """Return the expression of the citations of a claim as a JSON array, and the join that it needs."""

    def record_join(self, table: str, is_current: str) -> str:
        """Return the join with the source or the category of a claim."""
        return f"LEFT JOIN {table} ON {table}.slug = claim.{table} AND {is_current}"

    def document_join(self, is_current: str) -> str:
        """Return the join with the document of a citation."""
        return f"LEFT JOIN document ON document.id = citation.document AND {is_current}"

    def successor_join(self) -> str:
        """Return the join with the successors of claims. `:successors` is replaced by a list of rows."""
        columns = "column1 AS superseded, column2 AS claim, column3 AS superseded_on"
        return f"LEFT JOIN (SELECT {columns} FROM (VALUES :successors) AS v) AS successor ON {self.is_successor}"

    is_successor: str = "successor.superseded = claim.id"
    """The condition of the join with the successors."""


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

    def json_member(self, x: str, name: str) -> str:
        """Return a call of `json_extract`."""
        return f"json_extract({x}, '$.{name}')"

    def csv_line(self, cells: Sequence[str]) -> str:
        """Return the cells joined by commas; NULL is an empty cell, which is quoted if it is the only one."""
        line = f"format('{','.join(['%s'] * len(cells))}', {', '.join(cells)})"
        return line if len(cells) > 1 else f"coalesce(nullif({line}, ''), '\"\"')"

    def number(self, x: str) -> str:
        """Return the digits of a number; whole numbers may also be stored as doubles."""
        return self._number(x, self._digits(x))

    def _number(self, x: str, fraction: str) -> str:
        is_whole = f"{x} = CAST({x} AS INTEGER)"
        whole = _whole_number(x, "CAST({} AS INTEGER)")
        return f"CASE WHEN {is_whole} THEN {whole} WHEN {x} IS NOT NULL THEN {fraction} END"

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

    def lead_join(self, tables: str, is_current: str, several: str, order: str) -> str:
        """Return a join by version, which a subquery selects for claims with several citations."""
        first = f"SELECT citation.version FROM {tables} WHERE citation.claim = claim.id AND {is_current}"
        version = f"CASE WHEN {several} THEN ({first} ORDER BY {order} LIMIT 1) END"
        return f"LEFT JOIN citation AS lead ON lead.version = {version}"

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
    is_successor: str = "successor.superseded::uuid = claim.id"

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
            fraction = _as_json_number(f"{x}::text", x)
            digits = f"CASE WHEN {x} = trunc({x}) THEN ({self._whole(x)})::text ELSE {fraction} END"
            return f"coalesce({digits}, 'null')"
        return f"coalesce(({x})::text, 'null')" if kind in (int, list) else f"coalesce(to_json({x})::text, 'null')"

    def json_object(self, members: Sequence[tuple[str, str]]) -> str:
        """Return a call of `format`."""
        pattern = ",".join(f'"{name}":%s' for name, _ in members)
        return f"format('{{{pattern}}}', {', '.join(value for _, value in members)})"

    def json_member(self, x: str, name: str) -> str:
        """Return the operator for a member as text."""
        return f"({x} ->> '{name}')"

    def csv_line(self, cells: Sequence[str]) -> str:
        """Return the cells as columns of the statement; COPY writes the line."""
        return ", ".join(cells)

    def number(self, x: str) -> str:
        """Return the shortest digits that identify the double."""
        return f"CASE WHEN {x} = trunc({x}) THEN ({self._whole(x)})::text ELSE {x}::text END"

    def _whole(self, x: str) -> str:
        return _whole_number(x, "({})::bigint")

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

    def lead_join(self, tables: str, is_current: str, several: str, order: str) -> str:
        """Return a lateral join, evaluated once for each claim."""
        first = f"SELECT citation.version FROM {tables} WHERE {several} IS NOT NULL AND citation.claim = claim.id"
        return f"LEFT JOIN LATERAL ({first} AND {is_current} ORDER BY {order} LIMIT 1) AS lead ON true"

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

    joins_lead_in_array: bool = True

    def lead_join(self, tables: str, is_current: str, several: str, order: str) -> str:
        """Return a join with the leading citations of all requested claims that have several."""
        has_several = several.replace("claim.id", "citation.claim")
        condition = f"citation.claim = ANY(':ids'::uuid[]) AND {is_current} AND {has_several} IS NOT NULL"
        first = f"SELECT DISTINCT ON (citation.claim) citation.claim, citation.version FROM {tables} WHERE {condition}"
        return f"LEFT JOIN ({first} ORDER BY citation.claim, {order}) AS lead ON {LEAD_OF_CLAIM}"

    def citation_join(self, columns: Iterable[str], is_current: str) -> str:
        """Return a join with the citations of all requested claims."""
        condition = f"citation.claim = ANY(':ids'::uuid[]) AND {is_current}"
        citations = f"SELECT {', '.join(columns)} FROM citation WHERE {condition} OFFSET 0"
        return f"LEFT JOIN ({citations}) AS citation ON citation.claim = claim.id AND {IS_LEADING}"

    def citation_array(self, object_: str, tables: str, is_current: str) -> tuple[str, str]:
        """Return a join with the arrays of all requested claims."""
        array = f"string_agg({object_}, ',' ORDER BY citation.id) AS elements"
        condition = f"citation.claim = ANY(':ids'::uuid[]) AND {is_current} GROUP BY citation.claim"
        arrays = f"SELECT citation.claim, {array} FROM {tables} WHERE {condition}"
        return (
            "'[' || coalesce(citations.elements, '') || ']'",
            f"LEFT JOIN ({arrays}) AS citations ON citations.claim = claim.id",
        )

    def record_join(self, table: str, is_current: str) -> str:
        """Return a lateral join, whose rows PostgreSQL remembers by the slug."""
        record = f"SELECT * FROM {table} WHERE {table}.slug = claim.{table} AND {is_current} OFFSET 0"
        return f"LEFT JOIN LATERAL ({record}) AS {table} ON true"

    def document_join(self, is_current: str) -> str:
        """Return a lateral join, evaluated once for each citation."""
        document = f"SELECT * FROM document WHERE document.id = citation.document AND {is_current} OFFSET 0"
        return f"LEFT JOIN LATERAL ({document}) AS document ON true"


RENDERERS: dict[str, SqlRenderer] = {
    "sqlite": SqliteRenderer(),
    "postgresql": PostgresRenderer(),
    "copying": PostgresCopyRenderer(),
}


def _whole_number(x: str, integer: str) -> str:
    """Return the expression of a whole double as an integer with 15 significant digits, then zeros.

    The exact value of a large double has other digits: that of 999999999999999000 is 999999999999998976.
    """
    cases = [f"WHEN abs({x}) < 1e15 THEN {integer.format(x)}"]
    for zeros in (1, 2, 3):
        rounded = integer.format(f"round({x} / 1e{zeros})")
        cases.append(f"WHEN abs({x}) < 1e{15 + zeros} THEN {rounded} * {10**zeros}")
    return f"CASE {' '.join(cases)} END"


def _as_json_number(digits: str, x: str) -> str:
    """Return the expression of a fraction as orjson prints it: e-05 as a decimal, no leading zero in exponents."""
    significand = f"replace(replace(replace({digits}, 'e-05', ''), '.', ''), '-', '')"
    decimal = f"CASE WHEN {x} < 0 THEN '-' ELSE '' END || '0.0000' || {significand}"
    is_decimal = f"abs({x}) < 0.0001 AND abs({x}) >= 0.00001"
    return f"CASE WHEN {is_decimal} THEN {decimal} ELSE replace({digits}, 'e-0', 'e-') END"


class RenderedClaim(NamedTuple):
    """A claim as text, and what decides whether the text depends on `known_on` and on other claims."""

    text: str
    retracted_on: str | date | None
    """In the type of the driver: text on SQLite."""
    superseded: str | None
    """The id of the claim if a relation `supersedes` leads to it."""
    lead: int | None
    """The version of the leading citation if the text depends on which of several leads."""


def render_claims(
    reading: ReadSession, versions: Sequence[int], snapshot: Snapshot, layout: RowLayout = NESTED_LAYOUT
) -> list[RenderedClaim]:
    """Return the claims of these versions in `layout`, in the same order. None of them may be a tombstone."""
    superseded = _superseded_id(is_past=snapshot.as_of is not None) if shows_successor(layout) else "NULL"
    extra_columns = f", claim.retracted_on, {superseded}, {'lead.version' if shows_leading(layout) else 'NULL'}"
    statement = build_select(reading.dialect, snapshot, layout, extra_columns)
    claims = [RenderedClaim(*row) for row in reading.fetch_prepared(statement, _bind_versions(reading, versions))]
    ids = [str(claim.superseded) for claim in claims if claim.superseded is not None]
    successors = load_successors(reading.session, ids, snapshot) if ids else {}
    if successors:
        positions = [i for i, claim in enumerate(claims) if str(claim.superseded) in successors]
        statement = build_select(reading.dialect, snapshot, layout, extra_columns, successors)
        parameter = _bind_versions(reading, [versions[i] for i in positions])
        for i, row in zip(positions, reading.fetch_prepared(statement, parameter, prepare=False), strict=True):
            claims[i] = RenderedClaim(*row)
    return claims


def render_claim(reading: ReadSession, id_: str, snapshot: Snapshot) -> tuple[str, int, date | None, str | None] | None:
    """Return a claim as JSON, its revision, date and moment, or None if it does not exist or was taken down."""
    rows = reading.fetch_prepared(_select_claim(reading.dialect, snapshot, with_successors=False), id_)
    if not rows:
        return None
    text, revision, day, said_at, superseded = rows[0]
    if superseded is not None and (successors := load_successors(reading.session, [id_], snapshot)):
        statement = _add_successors(_select_claim(reading.dialect, snapshot, with_successors=True), successors)
        ((text, *_),) = reading.fetch_prepared(statement, id_, prepare=False)
    return text, revision, date.fromisoformat(day) if isinstance(day, str) else day, said_at


def _select_claim(dialect: str, snapshot: Snapshot, *, with_successors: bool) -> str:
    """Return the statement of a claim as JSON, with its revision, date, moment, and its id if it was superseded."""
    is_past = snapshot.as_of is not None
    extra_columns = f", claim.revision, claim.date, claim.said_at, {_superseded_id(is_past=is_past)}"
    arguments = (NESTED_LAYOUT, "claim", extra_columns)
    end = _is_requested_claim(dialect, is_past=is_past)
    return _build_statement(dialect, snapshot, *arguments, with_successors=with_successors, end=end)


def render_current_claim(database: Database, id_: str) -> tuple[str, int, int] | None:
    """Return the current state of a claim as JSON, its revision, and the `seq` of the register, by one statement.

    None: `render_claim` has to be asked. The claim does not exist, was taken down, or is superseded.
    """
    rows = fetch_current(database, _select_current_claim(database.dialect, base_url()), id_)
    if not rows:
        return None
    text, revision, superseded, seq = rows[0]
    return (text, revision, seq) if superseded is None else None


@lru_cache(maxsize=8)
def _select_current_claim(dialect: str, base: str) -> str:
    columns = f", claim.revision, {_superseded_id(is_past=False)}, {LATEST_SEQ}"
    end = _is_requested_claim(dialect, is_past=False)
    return _build_template(
        dialect,
        NESTED_LAYOUT,
        "claim",
        columns,
        end,
        is_past=False,
        has_limit=False,
        with_successors=False,
        base=base,
    )


def _is_requested_claim(dialect: str, *, is_past: bool) -> str:
    """Return the WHERE clause of a statement for the claim whose id is the parameter."""
    placeholder = RENDERERS[dialect].placeholder
    return f" WHERE claim.id = {placeholder} AND claim.status <> 'removed' AND {_contains('claim', is_past=is_past)}"


def shows_successor(layout: RowLayout) -> bool:
    """Return whether a layout shows which claim replaced a claim."""
    return not layout.columns or any(path[0] in SUCCESSOR_FIELDS for _name, path in layout.columns)


def shows_leading(layout: RowLayout) -> bool:
    """Return whether a layout shows which citation of a claim leads, or only the leading one."""
    return not layout.columns or any(path[0] == "citations" for _name, path in layout.columns)


def build_select(
    dialect: str,
    snapshot: Snapshot,
    layout: RowLayout,
    extra_columns: str = "",
    successors: Mapping[str, Successor] | None = None,
) -> str:
    """Return the statement that selects each requested claim as a row in `layout`, and then `extra_columns`.

    `successors` are those of the requested claims. Without them, the statement shows no successor.
    """
    renderer = RENDERERS[dialect]
    statement = _build_statement(
        dialect,
        snapshot,
        layout,
        renderer.requested_claims,
        extra_columns,
        with_successors=bool(successors),
        end=renderer.order_by,
    )
    return _add_successors(statement, successors) if successors else statement


def _add_successors(statement: str, successors: Mapping[str, Successor]) -> str:
    """Return a statement with the rows of the join with the successors: ids and days, which need no escaping."""
    rows = [
        f"('{superseded}', '{successor.claim}', "
        + (f"'{successor.superseded_on.isoformat()}')" if successor.superseded_on else "NULL)")
        for superseded, successor in successors.items()
    ]
    return statement.replace(":successors", ", ".join(rows))


def _bind_versions(reading: ReadSession, versions: Sequence[int]) -> list[int] | str:
    return list(versions) if reading.dialect == "postgresql" else f"[{','.join(map(str, versions))}]"


def _superseded_id(*, is_past: bool) -> str:
    """Return the expression of the id of the claim if a relation `supersedes` leads to it, else of NULL."""
    return (
        "(SELECT relation.to_claim FROM relation WHERE relation.to_claim = claim.id AND relation.type = 'supersedes' "
        f"AND NOT relation.withdrawn AND {_contains('relation', is_past=is_past)} LIMIT 1)"
    )


def _build_statement(
    dialect: str,
    snapshot: Snapshot,
    layout: RowLayout,
    tables: str,
    extra_columns: str,
    *,
    with_successors: bool,
    end: str = "",
) -> str:
    """Return the statement that selects claims in a layout, with the state and the day of the snapshot filled in."""
    is_past, has_limit = snapshot.as_of is not None, snapshot.known_on is not None
    template = _build_template(
        dialect,
        layout,
        tables,
        extra_columns,
        end,
        is_past=is_past,
        has_limit=has_limit,
        with_successors=with_successors,
        base=base_url(),
    )
    if snapshot.known_on is not None:
        template = template.replace(KNOWN_ON_MARK, f"'{snapshot.known_on.isoformat()}'")
    return template if snapshot.as_of is None else template.replace(AS_OF_MARK, str(snapshot.as_of))


@lru_cache(maxsize=500)
def _build_template(
    dialect: str,
    layout: RowLayout,
    tables: str,
    extra_columns: str,
    end: str,
    *,
    is_past: bool,
    has_limit: bool,
    with_successors: bool,
    base: str,
) -> str:
    """Return a statement with marks instead of the state and the day. Building it takes longer than running it."""
    builder = _StatementBuilder(
        RENDERERS[dialect],
        is_past=is_past,
        has_limit=has_limit,
        with_successors=with_successors,
        interests=layout.interests,
    )
    row = builder.row_expression(layout)  # before `joins`, because it collects the columns that they need
    statement = " ".join([f"SELECT {row}{extra_columns} FROM {tables}", *builder.joins()]) + end
    return statement.replace(BASE_URL_MARK, base)  # the settings allow no character in it that has to be escaped


AS_OF_MARK = f":{AS_OF.key}"
KNOWN_ON_MARK = ":known_on"


@lru_cache
def _contains(alias: str, *, is_past: bool) -> str:
    """Return the SQL condition that a version is in the snapshot, the same text on both databases."""
    columns = sa.table(alias, sa.column("seq"), sa.column("until_seq")).c
    return f"({compile_statement(is_version_at(columns, AS_OF if is_past else None), 'sqlite')})"


class _StatementBuilder:
    """Builder of the expression of a row, and then of the joins that it needs."""

    def __init__(
        self,
        renderer: SqlRenderer,
        *,
        is_past: bool,
        has_limit: bool,
        with_successors: bool,
        interests: tuple[tuple[str, str], ...],
    ) -> None:
        self.renderer = renderer
        self.with_successors = with_successors
        self.is_past = is_past
        self.has_limit = has_limit
        self.interests = interests
        self._used_columns: dict[str, set[str]] = defaultdict(set)
        """Table → the columns that the row contains."""
        self._extra_joins: list[str] = []

    def contains(self, alias: str) -> str:
        return _contains(alias, is_past=self.is_past)

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
        if self.renderer.joins_lead_in_array:
            tables = f"{tables} {self.lead_join().replace(LEAD_OF_CLAIM, LEAD_OF_CITATION)}"
            self._used_columns.pop("lead", None)
        value, join = self.renderer.citation_array(citation, tables, self.contains("citation"))
        self._extra_joins.append(join)
        for table in ("citation", "document", "publisher"):
            self._used_columns.pop(table, None)
        return value

    def column_expression(self, path: tuple[str, ...]) -> str:
        """Return the expression of the column at `path`."""
        dotted = ".".join(path)
        if dotted == "figure.relative_to_kind":
            return self.base_kind_expression()
        if dotted == "figure.display":
            return self.display_expression()
        if dotted in SUCCESSOR_FIELDS and not self.with_successors:
            return "NULL"
        expression = FIELD_EXPRESSIONS.get(dotted) or f"{PART_TABLES['.'.join(path[:-1])]}.{path[-1]}"
        for table, column in COLUMN_PATTERN.findall(expression):
            self._used_columns[table].add(column)
        if self.has_limit and dotted in ("status", "retracted_on"):
            # As known on a day before its retraction, a claim is asserted.
            earlier_value = "'asserted'" if dotted == "status" else "NULL"
            retracted_later = f"claim.retracted_on > {KNOWN_ON_MARK}"
            return f"CASE WHEN {retracted_later} THEN {earlier_value} ELSE {expression} END"
        if dotted == "source.interest" and self.interests:
            self._used_columns["claim"].add("source")
            cases = " ".join(f"WHEN '{source}' THEN '{interest}'" for source, interest in self.interests)
            return f"CASE claim.source {cases} ELSE {expression} END"
        return expression

    def base_kind_expression(self) -> str:
        """Return what `relative_to` is: see `normalize_relative_to` in `app/comparison/relative_base.py`."""
        is_base = f"base.slug = claim.relative_to AND {self.contains('base')}"
        found = " ".join(
            f"WHEN EXISTS (SELECT 1 FROM {kind} AS base WHERE {is_base}) THEN '{kind}'"
            for kind in ("subject", "category")
        )
        return (
            "CASE WHEN claim.relative_to IS NULL THEN NULL WHEN claim.relative_period IS NOT NULL THEN 'period' "
            f"{found} ELSE 'words' END"
        )

    def display_expression(self) -> str:
        """Return the display of a figure with the name of the record that it is relative to, see `rows.py`."""
        named = (
            f"replace(claim.display, '(relative to ' || claim.relative_to || ')', '(relative to ' || "
            f"coalesce({self.base_name_expression()}, claim.relative_to) || ')')"
        )
        is_given = "claim.relative_to IS NOT NULL AND claim.relative_period IS NULL"
        return f"CASE WHEN {is_given} THEN {named} ELSE claim.display END"

    def base_name_expression(self) -> str:
        """Return the name of the subject or category that a figure is relative to, in the words of `name_base`."""
        member = self.renderer.json_member
        is_people = f"{member('base.in_text', 'form')} = 'people'"
        words = {
            "subject": member("base.in_text", "group"),
            "category": (
                f"CASE WHEN {is_people} THEN {member('base.in_text', 'part')} ELSE {member('base.in_text', 'noun')} END"
            ),
        }
        is_base = f"base.slug = claim.relative_to AND {self.contains('base')}"
        return ", ".join(
            f"(SELECT coalesce({name}, base.name) FROM {kind} AS base WHERE {is_base})" for kind, name in words.items()
        )

    def joins(self) -> list[str]:
        """Return the joins with the tables that the row reads, and no others."""
        joins = [
            self.renderer.record_join(table, self.contains(table))
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
        is_flat = bool(citation_joins) or "citation" in self._used_columns
        if is_flat or "lead" in self._used_columns:
            joins.append(self.lead_join())
        if is_flat:
            qualified_columns = _qualify_columns("citation", self._used_columns["citation"] | {"document", "version"})
            joins += [self.renderer.citation_join(qualified_columns, self.contains("citation")), *citation_joins]
        if "successor" in self._used_columns:
            joins.append(self.renderer.successor_join())
        return joins + self._extra_joins

    def lead_join(self) -> str:
        """Return the join with the leading citation `lead` of a claim that has several."""
        tables = " ".join(["citation", *self.document_joins()])
        is_other = f"other.claim = claim.id AND {self.contains('other')}"
        several = f"(SELECT 1 FROM citation AS other WHERE {is_other} LIMIT 1 OFFSET 1)"
        order = leading_order(KNOWN_ON_MARK if self.has_limit else None)
        return self.renderer.lead_join(tables, self.contains("citation"), several, order)

    def document_joins(self) -> tuple[str, str]:
        """Return the joins with the document of a citation and its publisher."""
        publisher = (
            f"LEFT JOIN source AS publisher ON publisher.slug = document.publisher AND {self.contains('publisher')}"
        )
        return self.renderer.document_join(self.contains("document")), publisher

    def citation_joins(self) -> list[str]:
        """Return the joins with the document of a citation and its publisher, if the row reads them."""
        document, publisher = self.document_joins()
        needs_publisher = "publisher" in self._used_columns
        needs_document = needs_publisher or "document" in self._used_columns
        return [document] * needs_document + [publisher] * needs_publisher


def _qualify_columns(table: str, columns: set[str]) -> list[str]:
    return [f"{table}.{column}" for column in sorted(columns | {"claim"})]


def _is_subclass(kind: Any, base: type) -> bool:  # noqa: ANN401 - types are values here
    return isinstance(kind, type) and issubclass(kind, base)
