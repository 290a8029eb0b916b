"""JSON projection: SQL that renders claims as JSON or CSV in the database, as the schema `Claim` describes them.

Each field of the schema becomes an SQL expression, one for JSON and one for a CSV cell. The database returns each claim
as the bytes of the response; in a CSV export from PostgreSQL, COPY adds the quotes (`export.py`).
`build_claim_responses` in `rows.py` is the slower implementation of the same representation; tests compare the two on
both databases.

What differs between the databases is in `sql_renderers.py`.
"""

# ruff: noqa: S608 - statements are built from constant names

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple, get_origin

import sqlalchemy as sa
from pydantic import BaseModel

from app.claims.leading import leading_order
from app.claims.schemas import Claim
from app.claims.serialization.sql_renderers import (
    IS_LEADING,
    LEAD_OF_CITATION,
    LEAD_OF_CLAIM,
    RENDERERS,
    SqlRenderer,
    is_subclass,
)
from app.claims.supersession import load_successors
from app.comparison.supersession import Successor
from app.database.engine import Database
from app.database.read_session import LATEST_SEQ, ReadSession, fetch_current
from app.database.snapshot import AS_OF, Snapshot, is_version_at
from app.database.sql import compile_statement
from app.http.addresses import base_url
from app.http.csv_columns import inner_type
from app.http.serializers import NESTED_LAYOUT, RowLayout

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
    "citations.leading": IS_LEADING,
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

COLUMN_PATTERN = re.compile(r"\b([a-z]+)\.([a-z_]+)")
"""A column of a table in an SQL expression."""
SUCCESSOR_FIELDS = ("superseded_by", "superseded_on")
"""Fields of the claim that replaced a claim. They are NULL without a join, because few claims are superseded."""

MAX_SQL_COLUMNS = 63
"""Maximum number of columns: functions take 100 arguments on PostgreSQL and 127 on SQLite, and a column needs two."""

SLUG_AND_ID_FIELDS = {"id", "slug", "category", "subject", "place", "publisher", "import_id", "superseded_by"}
"""Fields with a slug or an id, which needs no escaping."""


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
            if not is_subclass(inner, BaseModel):
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
