"""The SQL of a page of claims: an index that is walked, or the claims of one filter that are looked up one by one.

It is put together once for each form of a question (which filters, how many values, which order) and kept as text, with
marks for the values. Which way a question goes is chosen in `finding.py`.
"""

# ruff: noqa: S608 - the statements are made of our own words; what is asked for are marks in them

import re
from collections.abc import Hashable, Sequence
from itertools import product
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, bindparam, literal_column, select
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql import visitors

from app.cache.bounded import BoundedCache
from app.claims.search.filters import FILTERS, Sort, build_topic_keys
from app.claims.search.full_text import build_countable_lookup, build_word_lookups
from app.database.snapshot import EPOCH, Snapshot
from app.database.tables import QUESTION_COLUMNS, ClaimVersion, table_of
from app.database.types import BIG_INTEGER
from app.enums import Status

MAX_INDEX_RANGES = 8
"""So many ranges of an index are walked side by side."""

MAX_CACHED_SHAPES, MAX_CACHED_STATEMENTS = 1_000, 50
"""So many forms are remembered, and statements of each."""

VISIBLE_CLAIMS = "claim.until_seq IS NULL AND claim.status <> 'removed'"
REMOVED_CLAIMS = (
    "SELECT claim.version FROM claim /*ix_claim_status*/ WHERE claim.status = 'removed'"
    " AND claim.until_seq IS NULL AND claim.status <> 'asserted'"
)
REPLACED_CLAIMS = (
    "SELECT claim.version FROM claim /*ix_claim_past*/ WHERE claim.until_seq > :as_of AND claim.until_seq IS NOT NULL"
)

SORT_INDEXES = {
    "date": ("date", "ix_claim_date"),
    "recorded": ("seq", "ix_claim_recorded"),
    "value": ("magnitude", "ix_claim_magnitude"),
}
"""What each order walks: the column, and the index that holds it with the id behind."""

DATE_INDEX_COLUMNS = {
    **dict.fromkeys(("source", "source_kind", "interest"), "source"),
    **{word: word for word in QUESTION_COLUMNS},
}
"""Filters that name words which an index by date begins with, and the column of the words."""

DATE_FILTERS = ("date_from", "date_to", "known_on")
"""Filters that only bound the date: a walk by date begins and ends there."""

DIALECTS = {"sqlite": SQLiteDialect_pysqlite(paramstyle="named"), "postgresql": PGDialect_psycopg()}  # type: ignore[no-untyped-call] # SQLAlchemy's own


class IndexOption(NamedTuple):
    """An index whose first columns are what some filters name."""

    index_name: str
    filters: tuple[str, ...]
    """The filters."""
    satisfied_filters: tuple[str, ...]
    """Those of them that hold for every claim in its branches."""
    range_prefixes: tuple[str, ...]


class IndexScan(NamedTuple):
    """One way through an index. Equal ones have equal statements."""

    index_name: str
    column: str
    range_prefixes: tuple[str, ...]
    satisfied_filters: tuple[str, ...]
    """Filters that the ranges of the walk fulfil."""
    has_value: bool
    """Whether through the claims with a value, or through those without."""
    start: str | None
    has_end: bool


class SearchShape:
    """What all questions with the same filters and order have in common: their SQL, written when it is first needed."""

    def __init__(self, dialect: str, sort: Sort, forms: Sequence[tuple[str, Hashable, int]], *, past: bool) -> None:
        """`forms` has for each filter that is set its name, its form and how many values it has."""
        self.dialect = dialect
        self.past = past
        self.descending = sort.value.startswith("-")
        self.sort_name = sort.value.removeprefix("-")
        names = {name: [f"{name}_{i}" for i in range(count)] for name, _, count in forms}
        asked = {name: form for name, form, _ in forms}
        view = Snapshot(0, EPOCH, as_of=bindparam("as_of", type_=BIG_INTEGER) if past else None)  # type: ignore[arg-type] # a mark
        self.conditions = {
            name: self._compile_condition(
                FILTERS[name].condition([bindparam(each) for each in names[name]], view, form)
            )
            for name, form in asked.items()
        }
        reached = {name: FILTERS[name].index_lookup(names[name], form) for name, form in asked.items()}
        self.index_lookups = {
            name: list(found)
            for name, found in reached.items()
            if found is not None and not (past and name in ("confidence", "reliability", "credibility"))
        }
        self.is_empty = [] in self.index_lookups.values()
        """Whether a filter names nothing that there is."""
        if "q" in self.index_lookups:
            form: Any = asked["q"]
            by_word = build_word_lookups(names["q"], form[1], postgresql=form[0])
            del self.index_lookups["q"]
            self.index_lookups |= {f"q {i}": each for i, each in enumerate(by_word)}
        if any(name in asked for name in DATE_FILTERS):
            bounds = [f"claim.date >= :{names['date_from'][0]}"] if "date_from" in asked else []
            bounds += ["claim.date <= :said_by"] if "date_to" in asked or "known_on" in asked else []
            within = " AND ".join(bounds)
            self.index_lookups["said"] = [
                f"SELECT claim.version FROM claim /*ix_claim_date*/ WHERE {within} AND {VISIBLE_CLAIMS}"
            ]
        if past:
            self.index_lookups["recorded_as_of"] = [
                f"SELECT claim.version FROM claim /*ix_claim_recorded*/ WHERE claim.seq <= :as_of AND {VISIBLE_CLAIMS}"
            ]
        hidden = "status" not in asked
        self.extra_lookups = [REPLACED_CLAIMS] if past else []
        if not hidden and Status.removed.value in asked["status"][0]:  # type: ignore[index] # the form of `status`
            self.extra_lookups.append(REMOVED_CLAIMS)
        self.compares_columns_only = not self.extra_lookups and not any(
            "SELECT" in text for text, _ in self.conditions.values()
        )
        self._base_conditions = [self._compile_condition(view.contains(ClaimVersion))[0]] + [
            "claim.status <> 'removed'"
        ] * hidden
        self.date_indexes = self._find_date_indexes(asked, names)
        self.date_filters = [name for name in DATE_FILTERS if name in asked]
        self.id_expression = "id::text" if dialect == "postgresql" else "id"
        day = "claim.date::text" if dialect == "postgresql" else "claim.date"
        by_source = f"claim.source || ' ' || COALESCE({day}, '9999-12-31')"
        self.sort_by = by_source if self.sort_name == "source" else f"claim.{SORT_INDEXES[self.sort_name][0]}"
        self._statements: BoundedCache[Hashable, str] = BoundedCache(MAX_CACHED_STATEMENTS)

    def _find_date_indexes(self, asked: dict[str, Any], names: dict[str, list[str]]) -> "list[IndexOption]":
        """The indices by date that begin with what some of the filters name."""
        questions = self._find_topic_index(asked, names)
        found = [] if questions is None else [questions]
        for name, column in DATE_INDEX_COLUMNS.items():
            few = name in asked and 0 < len(names[name]) <= MAX_INDEX_RANGES
            if few and not (questions and column in QUESTION_COLUMNS):
                branches = [f"claim.{column} = :{each}" for each in names[name]]
                found.append(IndexOption(f"ix_claim_{column}_date", (name,), (name,), tuple(branches)))
        return found

    def _find_topic_index(self, asked: dict[str, Any], names: dict[str, list[str]]) -> "IndexOption | None":
        """The filters that together name few questions."""
        if "topic" in asked and len(asked["topic"]) == 1:
            found = build_topic_keys(names["topic"], asked["topic"])
            of: tuple[str, ...] = ("topic",)
            holding = () if any(asked["topic"][0][1:]) else of
        elif all(part in asked for part in QUESTION_COLUMNS):
            found = [
                dict(zip(QUESTION_COLUMNS, some, strict=True))
                for some in product(*(names[part] for part in QUESTION_COLUMNS))
            ]
            of = holding = QUESTION_COLUMNS
        else:
            return None
        if len(found) > MAX_INDEX_RANGES:
            return None
        return IndexOption("ix_claim_topic_date", of, holding, tuple(_build_equalities(each) for each in found))

    def _compile_condition(self, clause: ColumnElement[bool]) -> tuple[str, frozenset[str]]:
        """A condition as text, and the columns of the claim in it."""
        table = table_of(ClaimVersion)
        written = select(literal_column("1")).select_from(table).where(clause).compile(dialect=DIALECTS[self.dialect])
        text = str(written)
        for name, value in written.params.items():
            if isinstance(value, int):  # SQLAlchemy says LIMIT 1 OFFSET 0 on SQLite
                text = re.sub(rf":{name}\b|%\({name}\)s", str(value), text)
            elif value is not None:
                raise AssertionError(f"a value, not a mark, in {text}")
        columns = {
            element.name
            for element in visitors.iterate(clause)
            if isinstance(element, Column) and element.table is table
        }
        return f"({text.split('WHERE ', 1)[1]})", frozenset(columns)

    def _to_driver_syntax(self, text: str) -> str:
        """Our own words in those of the driver."""
        if self.dialect == "sqlite":
            return re.sub(r"/\*(\w+)\*/", r"INDEXED BY \1", text)
        return re.sub(r"(?<![:\w]):(\w+)", r"%(\1)s", text)

    def get_statement(self, most: int, width: int, write: Any, *arguments: Any) -> str:  # noqa: ANN401 - what writes it
        """A statement of this form, written once. How many rows it wants is said in it: PostgreSQL plans by that."""
        key = (most, width, write.__name__, *arguments)
        found = self._statements.get(key)
        if found is None:
            written = write(*arguments).replace(":most", str(most)).replace(":width", str(width))
            found = self._to_driver_syntax(written)
            self._statements.store(key, found)
        return found

    # A walk -----------------------------------------------------------------------------------------------------

    def build_scan(self, walk: "IndexScan") -> str:
        """The first claims of some branches of an index; with marks where a branch was not looked at any further."""
        column, index = walk.column, walk.index_name
        direction = "DESC" if self.descending else "ASC"
        conditions, order = self._build_range(walk), self._build_order(walk)
        left = [text for name, (text, _) in self.conditions.items() if name not in walk.satisfied_filters]
        used = {"version", "id", column, *(("source", "date") if self.sort_name == "source" else ())}
        for name, (_, columns) in self.conditions.items():
            used |= columns if name not in walk.satisfied_filters else set()
        if self.past:
            left.append("claim.seq <= :as_of")
            used.add("seq")
        taken = ", ".join(f"claim.{each}" for each in sorted(used))
        several = len(walk.range_prefixes) > 1 or bool(self.extra_lookups)
        written = []
        for prefix in walk.range_prefixes:
            where = " AND ".join([prefix, *conditions] if prefix else conditions)
            inside = f"SELECT {taken} FROM claim /*{index}*/ WHERE {where} ORDER BY {order} LIMIT "
            shown = self._build_columns(raw=several)
            if left:
                written.append(f"SELECT {shown} FROM ({inside}:width) AS claim WHERE {' AND '.join(left)} LIMIT :most")
            else:
                written.append(f"SELECT {shown} FROM ({inside}:most) AS claim")
            if left and several:
                mark = self._build_columns(raw=True, version="CAST(NULL AS BIGINT)")
                written.append(f"SELECT {mark} FROM ({inside}1 OFFSET :width) AS claim")
        if not several:
            return written[0]
        if self.extra_lookups:
            written.append(self._build_extra_rows(walk))
        union = " UNION ALL ".join(f"SELECT * FROM ({each}) AS branch" for each in written)
        outside = f"value {direction}, id {direction}" if walk.has_value else f"id {direction}"
        return f"SELECT version, {self.id_expression}, value FROM ({union}) AS found ORDER BY {outside} LIMIT :most"

    def build_truncation_check(self, walk: "IndexScan") -> str:
        """Whether a walk of one branch has more rows than were looked at."""
        where = " AND ".join([*filter(None, walk.range_prefixes), *self._build_range(walk)])
        inside = f"SELECT claim.id FROM claim /*{walk.index_name}*/ WHERE {where} ORDER BY {self._build_order(walk)}"
        return f"{inside} LIMIT 1 OFFSET :width"

    def _build_order(self, walk: "IndexScan") -> str:
        # Where all of them are NULL, the column changes nothing: PostgreSQL sees only so that an index has the order.
        direction = "DESC" if self.descending else "ASC"
        return f"claim.{walk.column} {direction}, claim.id {direction}"

    def _build_range(self, walk: "IndexScan") -> list[str]:
        """The conditions that the index of the walk answers, beside the beginning of a branch."""
        sign, end = ("<", ">=") if self.descending else (">", "<=")
        column = f"claim.{walk.column}"
        if not walk.has_value:
            behind = [f"claim.id {sign} :cursor_id"] if walk.start else []
            return [VISIBLE_CLAIMS, f"{column} IS NULL", *behind]
        found = [VISIBLE_CLAIMS, f"{column} IS NOT NULL"]
        if walk.start == "cursor":
            found.append(f"({column}, claim.id) {sign} (:cursor_value, :cursor_id)")
        elif walk.start == "bound":
            found.append(f"{column} {sign}= :start")
        if walk.has_end:
            found.append(f"{column} {end} :end")
        return found

    def _build_columns(self, *, raw: bool, version: str = "claim.version") -> str:
        return f"{version} AS version, claim.{'id' if raw else self.id_expression} AS id, {self.sort_by} AS value"

    def _build_extra_rows(self, walk: "IndexScan") -> str:
        """The claims that the index of the walk does not hold, looked at one by one."""
        known = "IS NOT NULL" if walk.has_value else "IS NULL"
        where = [*self._all_conditions(), f"claim.{walk.column} {known}"]
        if len(walk.range_prefixes) == 1 and walk.range_prefixes[0]:
            where.append(walk.range_prefixes[0])
        if walk.start == "cursor":
            where.append(self._build_cursor_condition(walk.column, known=walk.has_value))
        direction = "DESC" if self.descending else "ASC"
        order = f"value {direction}, id {direction}" if walk.has_value else f"id {direction}"
        looked_up = self._join_by_version(self.extra_lookups, self._build_columns(raw=True))
        return f"{looked_up} WHERE {' AND '.join(where)} ORDER BY {order} LIMIT :most"

    def _all_conditions(self) -> list[str]:
        return [*self._base_conditions, *(text for text, _ in self.conditions.values())]

    def _build_cursor_condition(self, column: str, *, known: bool) -> str:
        sign = "<" if self.descending else ">"
        if not known:
            return f"claim.{column} IS NULL AND claim.id {sign} :cursor_id"
        return f"(claim.{column}, claim.id) {sign} (:cursor_value, :cursor_id)"

    # A drive, and counts ----------------------------------------------------------------------------------------

    def build_lookup(self, name: str, cursor: str) -> str:
        """All claims of one filter, the other filters, and the first of what is left; `cursor` is where it stands."""
        sign, direction = ("<", "DESC") if self.descending else (">", "ASC")
        where = self._all_conditions()
        if cursor == "known":
            behind = (
                f"{self.sort_by} {sign} :cursor_value OR "
                f"({self.sort_by} = :cursor_value AND claim.id {sign} :cursor_id)"
            )
            where.append(f"({behind} OR {self.sort_by} IS NULL)")
        elif cursor == "unknown":
            where.append(f"({self.sort_by} IS NULL AND claim.id {sign} :cursor_id)")
        order = f"ORDER BY {self.sort_by} IS NULL, {self.sort_by} {direction}, claim.id {direction} LIMIT :most"
        return f"{self._join_lookup(name, self._build_columns(raw=False))} WHERE {' AND '.join(where)} {order}"

    def build_lookup_count(self, name: str) -> str:
        """How many claims match, if those of one filter are looked at."""
        return f"{self._join_lookup(name, 'count(*)')} WHERE {' AND '.join(self._all_conditions())}"

    def build_count(self) -> str:
        """How many claims match, however many have to be looked at."""
        only = "" if self.conditions or self.past else "/*ix_claim_recorded*/ "
        return f"SELECT count(*) FROM claim {only}WHERE {' AND '.join(self._all_conditions())}"

    def build_index_count(self, name: str) -> str:
        """How many claims the index of a filter leads to, counted to `:most`."""
        counts = " UNION ALL ".join(
            f"SELECT 1 AS one FROM ({build_countable_lookup(each)}) AS way" for each in self.index_lookups[name]
        )
        return f"SELECT count(*) FROM (SELECT one FROM ({counts}) AS ways LIMIT :most) AS counted"

    def _join_lookup(self, name: str, columns: str) -> str:
        return self._join_by_version([*self.index_lookups[name], *self.extra_lookups], columns)

    def _join_by_version(self, statements: Sequence[str], columns: str) -> str:
        """Claims whose versions are known, one by one and by nothing but their primary key."""
        found = " UNION ".join(statements)
        if self.dialect == "sqlite":
            return f"SELECT {columns} FROM ({found}) AS driven CROSS JOIN claim ON claim.version = driven.version"
        # OFFSET is a fence: PostgreSQL would look for another way to the same claims.
        claim = "LATERAL (SELECT * FROM claim WHERE claim.version = driven.version OFFSET 0) AS claim"
        return f"WITH driven AS MATERIALIZED ({found}) SELECT {columns} FROM driven CROSS JOIN {claim}"


def _build_equalities(asked: dict[str, str]) -> str:
    return " AND ".join(f"claim.{column} = :{name}" for column, name in asked.items())


_cached_shapes: BoundedCache[Hashable, SearchShape] = BoundedCache(MAX_CACHED_SHAPES)


def get_search_shape(
    dialect: str, sort: Sort, forms: tuple[tuple[str, Hashable, int], ...], *, past: bool
) -> SearchShape:
    """The form of questions with these filters: name, form and number of values of each."""
    key = (dialect, sort, forms, past)
    found = _cached_shapes.get(key)
    if found is None:
        found = SearchShape(dialect, sort, forms, past=past)
        _cached_shapes.store(key, found)
    return found
