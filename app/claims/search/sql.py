"""The SQL of a page of claims: an index that is scanned, or the claims of one filter that are looked up one by one.

It is built and compiled once for each shape of a query (which filters, how many values, which order). Which statement
a query runs is chosen in `planner.py`.
"""

from collections.abc import Callable, Hashable, Sequence
from itertools import product
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    FromClause,
    Join,
    Select,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    tuple_,
    union,
    union_all,
)
from sqlalchemy.sql import visitors

from app.cache.bounded import BoundedCache
from app.claims.search.filters import (
    FILTERS,
    SORT_COLUMNS,
    Sort,
    build_topic_keys,
    look_up_status,
    sort_value,
)
from app.claims.search.full_text import build_word_lookups
from app.claims.search.index_lookup import CLAIM, Columns, IndexLookup, look_up_claims, visible_claims
from app.database.snapshot import AS_OF, EPOCH, Snapshot
from app.database.sql import OrderedJoin, compile_statement, with_index
from app.database.tables import QUESTION_COLUMNS
from app.database.types import BIG_INTEGER
from app.enums import Status

MAX_INDEX_RANGES = 8
"""So many ranges of an index are scanned side by side."""

MAX_CACHED_SHAPES, MAX_CACHED_STATEMENTS = 1_000, 50
"""So many shapes are cached, and statements of each."""

SORT_INDEXES = {"date": "ix_claim_date", "recorded": "ix_claim_recorded", "value": "ix_claim_magnitude"}
"""The index of each order: it holds the column that is sorted by with the id behind."""

DATE_INDEX_COLUMNS = {
    **dict.fromkeys(("source", "source_kind", "interest"), "source"),
    **{word: word for word in QUESTION_COLUMNS},
}
"""Filters that name words which an index by date begins with, and the column of the words."""

DATE_FILTERS = ("date_from", "date_to", "known_on")
"""Filters that only bound the date: a scan by date begins and ends there."""

ROWS: ColumnElement[int] = literal_column("{rows}")
WIDTH: ColumnElement[int] = literal_column("{width}")
"""How many rows a statement wants, and how many it looks at. PostgreSQL plans by both, so they become constants."""

RangePrefix = tuple[tuple[str, str], ...]
"""A range of an index: the first columns, and the parameter that each of them equals."""

ConditionBuilder = Callable[[Columns], ColumnElement[bool]]


class IndexOption(NamedTuple):
    """An index whose first columns are what some filters name."""

    index_name: str
    filters: tuple[str, ...]
    """The filters."""
    satisfied_filters: tuple[str, ...]
    """Those of them that hold for every claim in its branches."""
    range_prefixes: tuple[RangePrefix, ...]


class IndexScan(NamedTuple):
    """One way through an index. Equal ones have equal statements."""

    index_name: str
    column: str
    range_prefixes: tuple[RangePrefix, ...]
    satisfied_filters: tuple[str, ...]
    """Filters that the ranges of the walk fulfil."""
    has_value: bool
    """Whether through the claims with a value, or through those without."""
    start: str | None
    has_end: bool


class SearchShape:
    """What all queries with the same filters and order have in common: their SQL, compiled when it is first needed."""

    def __init__(self, dialect: str, sort: Sort, forms: Sequence[tuple[str, Hashable, int]], *, past: bool) -> None:
        """`forms` has for each filter that is set its name, its form and how many values it has."""
        self.dialect = dialect
        self.past = past
        self.descending = sort.value.startswith("-")
        self.sort_name = sort.value.removeprefix("-")
        marks: dict[str, list[BindParameter[Any]]] = {
            name: [bindparam(f"{name}_{i}") for i in range(count)] for name, _, count in forms
        }
        asked = {name: form for name, form, _ in forms}
        self._snapshot = Snapshot(0, EPOCH, as_of=AS_OF if past else None)  # type: ignore[arg-type] # a parameter
        self.conditions = {name: self._build_condition(name, marks[name], form) for name, form in asked.items()}
        lookups = {name: FILTERS[name].index_lookups(marks[name], form) for name, form in asked.items()}
        self.index_lookups = {
            name: list(found)
            for name, found in lookups.items()
            if found is not None and not (past and name in ("confidence", "reliability", "credibility"))
        }
        self.is_empty = [] in self.index_lookups.values()
        """Whether a filter names nothing that there is."""
        if "q" in self.index_lookups:
            form: Any = asked["q"]
            by_word = build_word_lookups(marks["q"], form[1], postgresql=form[0])
            del self.index_lookups["q"]
            self.index_lookups |= {f"q {i}": each for i, each in enumerate(by_word)}
        if any(name in asked for name in DATE_FILTERS):
            bounds = [CLAIM.c.date >= marks["date_from"][0]] if "date_from" in asked else []
            bounds += [CLAIM.c.date <= bindparam("said_by")] if "date_to" in asked or "known_on" in asked else []
            self.index_lookups["said"] = [look_up_claims("ix_claim_date", *bounds)]
        if past:
            self.index_lookups["recorded_as_of"] = [look_up_claims("ix_claim_recorded", CLAIM.c.seq <= AS_OF)]
        self._hides_removed = "status" not in asked
        self.extra_lookups = [_look_up_replaced()] if past else []
        if not self._hides_removed and Status.removed.value in asked["status"][0]:  # type: ignore[index] # the form of `status`
            self.extra_lookups.append(look_up_status(Status.removed.value))
        used = {name: list(visitors.iterate(condition(CLAIM.c))) for name, condition in self.conditions.items()}
        self.compares_columns_only = not self.extra_lookups and not any(
            isinstance(element, Select) for elements in used.values() for element in elements
        )
        self._used_columns = {
            name: {element.name for element in elements if isinstance(element, Column) and element.table is CLAIM}
            for name, elements in used.items()
        }
        self.date_indexes = self._find_date_indexes(asked, marks)
        self.date_filters = [name for name in DATE_FILTERS if name in asked]
        self._texts: BoundedCache[Hashable, str] = BoundedCache(MAX_CACHED_STATEMENTS)
        self._statements: BoundedCache[Hashable, str] = BoundedCache(MAX_CACHED_STATEMENTS)

    def _build_condition(self, name: str, marks: list[BindParameter[Any]], form: Hashable) -> ConditionBuilder:
        return lambda columns: FILTERS[name].condition(columns, marks, self._snapshot, form)

    def _find_date_indexes(
        self, asked: dict[str, Any], marks: dict[str, list[BindParameter[Any]]]
    ) -> "list[IndexOption]":
        """The indices by date that begin with what some of the filters name."""
        questions = self._find_topic_index(asked, marks)
        found = [] if questions is None else [questions]
        for name, column in DATE_INDEX_COLUMNS.items():
            few = name in asked and 0 < len(marks[name]) <= MAX_INDEX_RANGES
            if few and not (questions and column in QUESTION_COLUMNS):
                prefixes = tuple(_prefix({column: each}) for each in marks[name])
                found.append(IndexOption(f"ix_claim_{column}_date", (name,), (name,), prefixes))
        return found

    def _find_topic_index(
        self, asked: dict[str, Any], marks: dict[str, list[BindParameter[Any]]]
    ) -> "IndexOption | None":
        """The filters that together name few questions."""
        if "topic" in asked and len(asked["topic"]) == 1:
            found = build_topic_keys(marks["topic"], asked["topic"])
            of: tuple[str, ...] = ("topic",)
            holding = () if any(asked["topic"][0][1:]) else of
        elif all(part in asked for part in QUESTION_COLUMNS):
            found = [
                dict(zip(QUESTION_COLUMNS, some, strict=True))
                for some in product(*(marks[part] for part in QUESTION_COLUMNS))
            ]
            of = holding = QUESTION_COLUMNS
        else:
            return None
        if len(found) > MAX_INDEX_RANGES:
            return None
        return IndexOption("ix_claim_topic_date", of, holding, tuple(map(_prefix, found)))

    def get_statement(self, rows: int, width: int, build: Callable[..., Select[Any]], *arguments: Hashable) -> str:
        """A statement of this shape, as the driver takes it; compiled once, whatever its `rows` and `width` are."""
        key = (rows, width, build.__name__, *arguments)
        found = self._statements.get(key)
        if found is None:
            text = self._texts.get(key[2:])
            if text is None:
                text = compile_statement(build(*arguments), self.dialect)
                self._texts.store(key[2:], text)
            found = text.replace("{rows}", str(rows)).replace("{width}", str(width))
            self._statements.store(key, found)
        return found

    # Index scans ------------------------------------------------------------------------------------------------

    def build_scan(self, scan: "IndexScan") -> Select[Any]:
        """The first claims of some ranges of an index; with a row of NULL where a range was not read any further."""
        left = [name for name in self.conditions if name not in scan.satisfied_filters]
        used = {"version", "id", scan.column, *(("source", "date") if self.sort_name == "source" else ())}
        used |= {"seq"} if self.past else set()
        used = used.union(*(self._used_columns[name] for name in left))
        several = len(scan.range_prefixes) > 1 or bool(self.extra_lookups)
        found: list[Select[Any]] = []
        for prefix in scan.range_prefixes:
            entries = self._select_range(scan, prefix, [CLAIM.c[name] for name in sorted(used)])
            if not (left or self.past):
                claim = entries.limit(ROWS).subquery("claim")
                found.append(select(*self._columns(claim.c, raw=several)))
                continue
            claim = entries.limit(WIDTH).subquery("claim")
            conditions = [self.conditions[name](claim.c) for name in left]
            conditions += [claim.c.seq <= AS_OF] if self.past else []
            found.append(select(*self._columns(claim.c, raw=several)).where(*conditions).limit(ROWS))
            if several:
                claim = entries.limit(1).offset(WIDTH).subquery("claim")
                _, id_, value = self._columns(claim.c, raw=True)
                found.append(select(cast(null(), BIG_INTEGER).label("version"), id_, value))
        if not several:
            return found[0]
        if self.extra_lookups:
            found.append(self._select_extra_rows(scan))
        rows = union_all(*(select(each.subquery("part")) for each in found)).subquery("found")
        order = self._order(rows.c.value, rows.c.id) if scan.has_value else self._order(rows.c.id)
        return select(rows.c.version, self._printed_id(rows.c.id), rows.c.value).order_by(*order).limit(ROWS)

    def build_truncation_check(self, scan: "IndexScan") -> Select[Any]:
        """Whether a scan of one range has more rows than were looked at."""
        return self._select_range(scan, scan.range_prefixes[0], [CLAIM.c.id]).limit(1).offset(WIDTH)

    def _select_range(self, scan: "IndexScan", prefix: RangePrefix, columns: Sequence[Column[Any]]) -> Select[Any]:
        """The entries of one range of an index, in the order of the scan."""
        found = with_index(select(*columns), CLAIM, scan.index_name)
        equal = [CLAIM.c[name] == bindparam(mark) for name, mark in prefix]
        # Where all of them are NULL, the column changes nothing: PostgreSQL sees only so that an index has the order.
        order = self._order(CLAIM.c[scan.column], CLAIM.c.id)
        return found.where(*equal, *visible_claims(CLAIM.c), *self._build_bounds(scan)).order_by(*order)

    def _build_bounds(self, scan: "IndexScan") -> list[ColumnElement[bool]]:
        """Where the scan begins and ends."""
        column = CLAIM.c[scan.column]
        if not scan.has_value:
            behind = [self._is_behind(CLAIM.c.id, bindparam("cursor_id"))] if scan.start else []
            return [column.is_(None), *behind]
        found: list[ColumnElement[bool]] = [column.is_not(None)]
        if scan.start == "cursor":
            found.append(self._is_behind_cursor(column, CLAIM.c.id))
        elif scan.start == "bound":
            found.append(column <= bindparam("start") if self.descending else column >= bindparam("start"))
        if scan.has_end:
            found.append(column >= bindparam("end") if self.descending else column <= bindparam("end"))
        return found

    def _select_extra_rows(self, scan: "IndexScan") -> Select[Any]:
        """The claims that the index of the scan does not hold, looked at one by one."""
        claim, columns = self._join_by_version(self.extra_lookups)
        column = columns[scan.column]
        where = [*self._all_conditions(columns), column.is_not(None) if scan.has_value else column.is_(None)]
        if len(scan.range_prefixes) == 1:
            where += [columns[name] == bindparam(mark) for name, mark in scan.range_prefixes[0]]
        if scan.start == "cursor" and scan.has_value:
            where.append(self._is_behind_cursor(column, columns.id))
        elif scan.start == "cursor":
            where.append(self._is_behind(columns.id, bindparam("cursor_id")))
        order = (sort_value(columns, self.sort_name), columns.id) if scan.has_value else (columns.id,)
        found = select(*self._columns(columns, raw=True)).select_from(claim)
        return found.where(*where).order_by(*self._order(*order)).limit(ROWS)

    def _is_behind(self, value: ColumnElement[Any], mark: ColumnElement[Any]) -> ColumnElement[bool]:
        """The value comes later in the order."""
        return value < mark if self.descending else value > mark

    def _is_behind_cursor(self, column: Column[Any], id_: Column[Any]) -> ColumnElement[bool]:
        value, key = bindparam("cursor_value", type_=column.type), bindparam("cursor_id", type_=id_.type)
        return self._is_behind(tuple_(column, id_), tuple_(value, key))

    def _order(self, *values: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        return [each.desc() if self.descending else each.asc() for each in values]

    def _columns(self, columns: Columns, *, raw: bool) -> tuple[ColumnElement[Any], ...]:
        id_ = columns.id if raw else self._printed_id(columns.id)
        return columns.version.label("version"), id_.label("id"), sort_value(columns, self.sort_name).label("value")

    def _printed_id(self, id_: ColumnElement[Any]) -> ColumnElement[Any]:
        return cast(id_, Text) if self.dialect == "postgresql" else id_

    def _all_conditions(self, columns: Columns) -> list[ColumnElement[bool]]:
        hidden = [columns.status != Status.removed] if self._hides_removed else []
        return [
            self._snapshot.contains_alias(columns),
            *hidden,
            *(condition(columns) for condition in self.conditions.values()),
        ]

    # Lookups, and counts ----------------------------------------------------------------------------------------

    def build_lookup(self, name: str, cursor: str) -> Select[Any]:
        """All claims of one filter, the other filters, and the first of what is left; `cursor` is where it stands."""
        claim, columns = self._join_by_version([*self.index_lookups[name], *self.extra_lookups])
        where, value = self._all_conditions(columns), sort_value(columns, self.sort_name)
        if cursor:
            after_id = self._is_behind(columns.id, bindparam("cursor_id"))
            if cursor == "known":
                mark = bindparam("cursor_value", type_=value.type)
                where.append(or_(self._is_behind(value, mark), (value == mark) & after_id, value.is_(None)))
            else:
                where.append(value.is_(None) & after_id)
        found = select(*self._columns(columns, raw=False)).select_from(claim).where(*where)
        return found.order_by(value.is_(None), *self._order(value, columns.id)).limit(ROWS)

    def build_lookup_count(self, name: str) -> Select[Any]:
        """How many claims match, if those of one filter are looked at."""
        claim, columns = self._join_by_version([*self.index_lookups[name], *self.extra_lookups])
        return select(func.count()).select_from(claim).where(*self._all_conditions(columns))

    def build_count(self) -> Select[Any]:
        """How many claims match, however many have to be looked at."""
        found = select(func.count()).select_from(CLAIM).where(*self._all_conditions(CLAIM.c))
        return found if self.conditions or self.past else with_index(found, CLAIM, "ix_claim_recorded")

    def build_index_count(self, name: str) -> Select[Any]:
        """How many claims the index of a filter leads to, counted to `ROWS`."""
        one: ColumnElement[int] = literal_column("1").label("one")
        counts = [select(one).select_from(each.index_rows.subquery("way")) for each in self.index_lookups[name]]
        together = union_all(*counts).subquery("ways") if len(counts) > 1 else counts[0].subquery("ways")
        return select(func.count()).select_from(select(together.c.one).limit(ROWS).subquery("counted"))

    def _join_by_version(self, lookups: Sequence[IndexLookup]) -> tuple[Join, Columns]:
        """The claims that were found, read one by one and by nothing but their primary key, and their columns."""
        versions = [each.versions for each in lookups]
        found = union(*versions) if len(versions) > 1 else versions[0]
        if self.dialect == "sqlite":
            driven: FromClause = found.subquery("driven")
            return OrderedJoin(driven, CLAIM, CLAIM.c.version == driven.c.version), CLAIM.c
        # OFFSET is a fence: PostgreSQL would look for another way to the same claims.
        driven = found.cte("driven").prefix_with("MATERIALIZED")
        used = {"version", "id", "seq", "until_seq", "status", *SORT_COLUMNS.values(), "source"}
        columns = [CLAIM.c[name] for name in sorted(used.union(*self._used_columns.values()))]
        claim = select(*columns).where(CLAIM.c.version == driven.c.version).offset(0).lateral("claim")
        return driven.join(claim, true()), claim.c


def _look_up_replaced() -> IndexLookup:
    """The versions that were replaced after the state that is asked for."""
    until = CLAIM.c.until_seq
    found = with_index(select(CLAIM.c.version), CLAIM, "ix_claim_past").where(until > AS_OF, until.is_not(None))
    return IndexLookup(found, found)


def _prefix(asked: dict[str, BindParameter[Any]]) -> RangePrefix:
    return tuple((column, mark.key) for column, mark in asked.items())


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
