"""The SQL of values and joins of claims on each database, of which the projection (`projection.py`) consists.

The databases differ in placeholders and in the types of dates, times, booleans and lists.
"""

# ruff: noqa: S608 - statements are built from constant names

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any, Protocol

from app.http.serializers import FORMULA_PREFIXES

IS_LEADING = "(lead.version IS NULL OR lead.version = citation.version)"
"""Whether a citation is the leading one of its claim, with `lead` joined."""

LEAD_OF_CLAIM, LEAD_OF_CITATION = "lead.claim = claim.id", "lead.claim = citation.claim"


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
        return x if is_key or kind in (date, int) or is_subclass(kind, Enum) else self.csv_text(x)

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
        if is_key or kind is date or is_subclass(kind, Enum):
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


def is_subclass(kind: Any, base: type) -> bool:  # noqa: ANN401 - types are values here
    """Return whether the type of a field is a subclass of `base`; it may also be an alias such as `list[str]`."""
    return isinstance(kind, type) and issubclass(kind, base)
