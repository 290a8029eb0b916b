"""SQL of the search for claims: index scans and filter-driven lookups.

A statement is built and compiled once for each shape of a query (filters, number of values, order). `planner.py`
chooses the statements that a query runs.
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
    case,
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
    newest_grade,
    sort_value,
)
from app.claims.search.full_text import build_word_lookups
from app.claims.search.index_lookup import CLAIM, Columns, IndexLookup, look_up_claims, visible_claims
from app.database.snapshot import AS_OF, EPOCH, Snapshot
from app.database.sql import OrderedJoin, compile_statement, with_index
from app.database.tables import QUESTION_COLUMNS, AssessmentVersion, table_of
from app.database.types import BIG_INTEGER
from app.enums import Status

ASSESSMENT = table_of(AssessmentVersion)

MAX_INDEX_RANGES = 8
"""Maximum number of ranges of an index that one statement scans."""

MAX_CACHED_SHAPES, MAX_CACHED_STATEMENTS = 100, 20
"""Maximum number of cached shapes, and of cached statements of each shape."""

SORT_INDEXES = {"date": "ix_claim_date", "recorded": "ix_claim_recorded", "value": "ix_claim_magnitude"}
"""The index of each order: on the sort column, then the id."""

DATE_INDEX_COLUMNS = {
    **dict.fromkeys(("source", "source_kind", "interest"), "source"),
    **{column: column for column in QUESTION_COLUMNS},
}
"""Filter → the first column of the index by date that it can use."""

ASSESSMENT_FILTERS = ("confidence", "confidence_min", "reliability", "credibility")
"""Filters by the newest assessment, whose indices find only current ones."""

GRADES = ("level", "reliability", "credibility")
"""Columns of the newest assessment."""

DATE_FILTERS = ("date_from", "date_to", "known_on")
"""Filters that only bound the date, and so the range of a scan by date."""

ROWS: ColumnElement[int] = literal_column("{rows}")
SCAN_ROWS: ColumnElement[int] = literal_column("{scan_rows}")
"""Maximum number of rows that a statement returns, and that it scans: constants, because PostgreSQL plans by them."""

RangePrefix = tuple[tuple[str, str], ...]
"""A range of an index: its first columns, each with the parameter that it equals."""

ConditionBuilder = Callable[[Columns], ColumnElement[bool]]


class IndexOption(NamedTuple):
    """An index whose first columns are the columns of some filters."""

    index_name: str
    filters: tuple[str, ...]
    """The filters that choose its ranges."""
    satisfied_filters: tuple[str, ...]
    """Those of them that every claim in the ranges satisfies."""
    range_prefixes: tuple[RangePrefix, ...]


class IndexScan(NamedTuple):
    """A scan of one or more ranges of an index. Equal scans have equal statements."""

    index_name: str
    column: str
    range_prefixes: tuple[RangePrefix, ...]
    satisfied_filters: tuple[str, ...]
    """Filters that every claim in the ranges satisfies."""
    has_value: bool
    """Whether it reads the claims with a value in `column`, or those without one."""
    start: str | None
    has_end: bool


class SearchShape:
    """The SQL of all queries with the same filters and order, compiled on first use."""

    def __init__(
        self, dialect: str, sort: Sort, filter_shapes: Sequence[tuple[str, Hashable, int]], *, past: bool
    ) -> None:
        """`filter_shapes` has the name, shape and number of values of each filter that is set."""
        self.dialect = dialect
        self.past = past
        self.descending = sort.value.startswith("-")
        self.sort_name = sort.value.removeprefix("-")
        parameters: dict[str, list[BindParameter[Any]]] = {
            name: [bindparam(f"{name}_{i}") for i in range(count)] for name, _, count in filter_shapes
        }
        filters = {name: shape for name, shape, _ in filter_shapes}
        self._snapshot = Snapshot(0, EPOCH, as_of=AS_OF if past else None)  # type: ignore[arg-type] # a parameter
        self.conditions = {
            name: self._build_condition(name, parameters[name], shape) for name, shape in filters.items()
        }
        lookups = {name: FILTERS[name].index_lookups(parameters[name], shape) for name, shape in filters.items()}
        self.index_lookups = {
            name: list(statements)
            for name, statements in lookups.items()
            if statements is not None and not (past and name in ASSESSMENT_FILTERS)
        }
        self.is_empty = [] in self.index_lookups.values()
        """Whether a filter can match no claim."""
        if "q" in self.index_lookups:
            shape: Any = filters["q"]
            by_word = build_word_lookups(parameters["q"], shape[1], postgresql=shape[0])
            del self.index_lookups["q"]
            self.index_lookups |= {f"q {i}": statements for i, statements in enumerate(by_word)}
        if any(name in filters for name in DATE_FILTERS):
            bounds = [CLAIM.c.date >= parameters["date_from"][0]] if "date_from" in filters else []
            bounds += (
                [CLAIM.c.date <= bindparam("latest_date")] if "date_to" in filters or "known_on" in filters else []
            )
            self.index_lookups["date_range"] = [look_up_claims("ix_claim_date", *bounds)]
        if past:
            self.index_lookups["recorded_as_of"] = [look_up_claims("ix_claim_recorded", CLAIM.c.seq <= AS_OF)]
        self._known_on = parameters["known_on"][0] if "known_on" in parameters else None
        self._hides_removed = "status" not in filters
        self.extra_lookups = [_look_up_replaced()] if past else []
        if not self._hides_removed and Status.removed.value in filters["status"][0]:  # type: ignore[index] # the shape of `status`
            self.extra_lookups.append(look_up_status(Status.removed.value))
        used = {name: list(visitors.iterate(condition(CLAIM.c))) for name, condition in self.conditions.items()}
        self.compares_columns_only = not self.extra_lookups and not any(
            isinstance(element, Select) for elements in used.values() for element in elements
        )
        self._used_columns = {
            name: {element.name for element in elements if isinstance(element, Column) and element.table is CLAIM}
            for name, elements in used.items()
        }
        self.date_indexes = self._find_date_indexes(filters, parameters)
        self.date_filters = [name for name in DATE_FILTERS if name in filters]
        # Of the claims with a date up to a moment, only some had been said by then.
        is_moment = bool(filters.get("known_on"))
        self.satisfied_date_filters = tuple(
            name for name in self.date_filters if not (is_moment and name == "known_on")
        )
        """Filters that every claim in a range of dates satisfies."""
        self._texts: BoundedCache[Hashable, str] = BoundedCache(MAX_CACHED_STATEMENTS)
        self._statements: BoundedCache[Hashable, str] = BoundedCache(MAX_CACHED_STATEMENTS)

    def _build_condition(self, name: str, parameters: list[BindParameter[Any]], shape: Hashable) -> ConditionBuilder:
        return lambda columns: FILTERS[name].condition(columns, parameters, self._snapshot, shape)

    def _find_date_indexes(
        self, filters: dict[str, Any], parameters: dict[str, list[BindParameter[Any]]]
    ) -> "list[IndexOption]":
        """Return the indexes by date whose first columns are those of a filter."""
        topic_index = self._find_topic_index(filters, parameters)
        options = [] if topic_index is None else [topic_index]
        for name, column in DATE_INDEX_COLUMNS.items():
            has_few_values = name in filters and 0 < len(parameters[name]) <= MAX_INDEX_RANGES
            if has_few_values and not (topic_index and column in QUESTION_COLUMNS):
                prefixes = tuple(_range_prefix({column: parameter}) for parameter in parameters[name])
                options.append(IndexOption(f"ix_claim_{column}_date", (name,), (name,), prefixes))
        return options

    def _find_topic_index(
        self, filters: dict[str, Any], parameters: dict[str, list[BindParameter[Any]]]
    ) -> "IndexOption | None":
        """Return the topic index, if the filters name few combinations of category, subject and place."""
        if "topic" in filters and len(filters["topic"]) == 1:
            keys = build_topic_keys(parameters["topic"], filters["topic"])
            names: tuple[str, ...] = ("topic",)
            satisfied = () if any(filters["topic"][0][len(QUESTION_COLUMNS) :]) else names
        elif all(column in filters for column in QUESTION_COLUMNS):
            keys = [
                dict(zip(QUESTION_COLUMNS, combination, strict=True))
                for combination in product(*(parameters[column] for column in QUESTION_COLUMNS))
            ]
            names = satisfied = QUESTION_COLUMNS
        else:
            return None
        if len(keys) > MAX_INDEX_RANGES:
            return None
        return IndexOption("ix_claim_topic_date", names, satisfied, tuple(map(_range_prefix, keys)))

    def get_statement(self, rows: int, scan_rows: int, build: Callable[..., Select[Any]], *arguments: Hashable) -> str:
        """Return a statement as the driver expects it. It is compiled once for all values of `rows` and `scan_rows`."""
        key = (rows, scan_rows, build.__name__, *arguments)
        statement = self._statements.get(key)
        if statement is None:
            text = self._texts.get(key[2:])
            if text is None:
                text = compile_statement(build(*arguments), self.dialect)
                self._texts.store(key[2:], text)
            statement = text.replace("{rows}", str(rows)).replace("{scan_rows}", str(scan_rows))
            self._statements.store(key, statement)
        return statement

    # Index scans ------------------------------------------------------------------------------------------------

    def build_scan(self, scan: "IndexScan") -> Select[Any]:
        """Select the first claims of some index ranges; a row with version NULL stands for a range that was cut off."""
        remaining = [name for name in self.conditions if name not in scan.satisfied_filters]
        used = {"version", "id", scan.column, *(("source", "date") if self.sort_name == "source" else ())}
        used |= {"seq"} if self.past else set()
        used = used.union(*(self._used_columns[name] for name in remaining))
        needs_union = len(scan.range_prefixes) > 1 or bool(self.extra_lookups)
        parts: list[Select[Any]] = []
        for prefix in scan.range_prefixes:
            entries = self._select_range(scan, prefix, [CLAIM.c[name] for name in sorted(used)])
            if not (remaining or self.past):
                claim = entries.limit(ROWS).subquery("claim")
                parts.append(select(*self._columns(claim.c, raw=needs_union)))
                continue
            claim = entries.limit(SCAN_ROWS).subquery("claim")
            conditions = [self.conditions[name](claim.c) for name in remaining]
            conditions += [claim.c.seq <= AS_OF] if self.past else []
            parts.append(select(*self._columns(claim.c, raw=needs_union)).where(*conditions).limit(ROWS))
            if needs_union:
                claim = entries.limit(1).offset(SCAN_ROWS).subquery("claim")
                _, id_, value = self._columns(claim.c, raw=True)
                parts.append(select(cast(null(), BIG_INTEGER).label("version"), id_, value))
        if not needs_union:
            return parts[0]
        if self.extra_lookups:
            parts.append(self._select_extra_rows(scan))
        rows = union_all(*(select(part.subquery("part")) for part in parts)).subquery("page")
        order = self._order(rows.c.value, rows.c.id) if scan.has_value else self._order(rows.c.id)
        return select(rows.c.version, self._output_id(rows.c.id), rows.c.value).order_by(*order).limit(ROWS)

    def build_truncation_check(self, scan: "IndexScan") -> Select[Any]:
        """Select a row if a scan of one range has more rows than its row limit."""
        return self._select_range(scan, scan.range_prefixes[0], [CLAIM.c.id]).limit(1).offset(SCAN_ROWS)

    def _select_range(self, scan: "IndexScan", prefix: RangePrefix, columns: Sequence[Column[Any]]) -> Select[Any]:
        """Select the entries of one range of an index, in the order of the scan."""
        statement = with_index(select(*columns), CLAIM, scan.index_name)
        equal = [CLAIM.c[name] == bindparam(parameter) for name, parameter in prefix]
        # Even where the column is NULL in all rows, PostgreSQL needs it here to see that the index has this order.
        order = self._order(CLAIM.c[scan.column], CLAIM.c.id)
        return statement.where(*equal, *visible_claims(CLAIM.c), *self._build_bounds(scan)).order_by(*order)

    def _build_bounds(self, scan: "IndexScan") -> list[ColumnElement[bool]]:
        """Return the conditions that bound the range of the scan."""
        column = CLAIM.c[scan.column]
        if not scan.has_value:
            after_cursor = [self._is_after(CLAIM.c.id, bindparam("cursor_id"))] if scan.start else []
            return [column.is_(None), *after_cursor]
        bounds: list[ColumnElement[bool]] = [column.is_not(None)]
        if scan.start == "cursor":
            bounds.append(self._is_after_cursor(column, CLAIM.c.id))
        elif scan.start == "bound":
            bounds.append(column <= bindparam("start") if self.descending else column >= bindparam("start"))
        if scan.has_end:
            bounds.append(column >= bindparam("end") if self.descending else column <= bindparam("end"))
        return bounds

    def _select_extra_rows(self, scan: "IndexScan") -> Select[Any]:
        """Select the matching claims that are not in the index of the scan."""
        claim, columns = self._join_by_version(self.extra_lookups)
        column = columns[scan.column]
        where = [*self._all_conditions(columns), column.is_not(None) if scan.has_value else column.is_(None)]
        if len(scan.range_prefixes) == 1:
            where += [columns[name] == bindparam(parameter) for name, parameter in scan.range_prefixes[0]]
        if scan.start == "cursor" and scan.has_value:
            where.append(self._is_after_cursor(column, columns.id))
        elif scan.start == "cursor":
            where.append(self._is_after(columns.id, bindparam("cursor_id")))
        order = (self._sort_value(columns), columns.id) if scan.has_value else (columns.id,)
        statement = select(*self._columns(columns, raw=True)).select_from(claim)
        return statement.where(*where).order_by(*self._order(*order)).limit(ROWS)

    def _sort_value(self, columns: Columns) -> ColumnElement[Any]:
        return sort_value(columns, self.sort_name, self._snapshot, descending=self.descending)

    def _is_after(self, value: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[bool]:
        """Return the condition that `value` comes after `other` in the order."""
        return value < other if self.descending else value > other

    def _is_after_cursor(self, column: ColumnElement[Any], id_: Column[Any]) -> ColumnElement[bool]:
        value, key = bindparam("cursor_value", type_=column.type), bindparam("cursor_id", type_=id_.type)
        return self._is_after(tuple_(column, id_), tuple_(value, key))

    def _order(self, *values: ColumnElement[Any]) -> list[ColumnElement[Any]]:
        return [value.desc() if self.descending else value.asc() for value in values]

    def _columns(self, columns: Columns, *, raw: bool) -> tuple[ColumnElement[Any], ...]:
        id_ = columns.id if raw else self._output_id(columns.id)
        return columns.version.label("version"), id_.label("id"), self._sort_value(columns).label("value")

    def _output_id(self, id_: ColumnElement[Any]) -> ColumnElement[Any]:
        return cast(id_, Text) if self.dialect == "postgresql" else id_

    def _all_conditions(self, columns: Columns) -> list[ColumnElement[bool]]:
        not_removed = [columns.status != Status.removed] if self._hides_removed else []
        return [
            self._snapshot.contains_alias(columns),
            *not_removed,
            *(condition(columns) for condition in self.conditions.values()),
        ]

    # Scans by confidence level -----------------------------------------------------------------------------------

    def build_level_scan(self, has_level: bool, has_cursor: bool) -> Select[Any]:  # noqa: FBT001 - positional, as in the cache key
        """Select the first matching claims whose newest assessment has the parameter `scanned_level`, or has no level.

        At most `SCAN_ROWS` entries of the index are read.
        """
        entries = self._select_level_entries(has_level, has_cursor).limit(SCAN_ROWS).subquery("driven")
        claim, columns = self._join_claims(entries, CLAIM.c.id == entries.c.claim)
        is_newest = (
            newest_grade(columns, "version", self._snapshot) == entries.c.version
            if has_level
            else newest_grade(columns, "level", self._snapshot).is_(None)
        )
        output = (columns.version.label("version"), self._output_id(columns.id).label("id"), null().label("value"))
        return select(*output).select_from(claim).where(is_newest, *self._all_conditions(columns)).limit(ROWS)

    def build_level_truncation_check(self, has_level: bool, has_cursor: bool) -> Select[Any]:  # noqa: FBT001 - as above
        """Select a row if a scan by level has more entries than its row limit."""
        return self._select_level_entries(has_level, has_cursor).limit(1).offset(SCAN_ROWS)

    def _select_level_entries(self, has_level: bool, has_cursor: bool) -> Select[Any]:  # noqa: FBT001 - as above
        """Select the assessments with a level, or all claims, in the order of the ids of the claims."""
        table, id_ = (ASSESSMENT, ASSESSMENT.c.claim) if has_level else (CLAIM, CLAIM.c.id)
        index = "ix_assessment_level" if has_level else "ix_claim_id_seq" if self.past else "uq_claim_standing"
        statement = with_index(select(id_.label("claim"), table.c.version), table, index)
        where = [table.c.level == bindparam("scanned_level")] if has_level else [self._snapshot.contains_alias(table.c)]
        where += [self._is_after(id_, bindparam("cursor_id", type_=id_.type))] if has_cursor else []
        # A claim with several assessments has one entry for each; only that of the newest one is used.
        return statement.where(*where).order_by(*self._order(id_))

    # Lookups and counts -----------------------------------------------------------------------------------------

    def build_lookup(self, name: str, cursor: str) -> Select[Any]:
        """Select the first claims of an index lookup that match the other filters.

        `cursor` is `with_value` or `without_value` for a cursor on a claim with or without a sort value, or empty.
        """
        claim, columns = self._join_by_version([*self.index_lookups[name], *self.extra_lookups])
        where, value = self._all_conditions(columns), self._sort_value(columns)
        statement = select(*self._columns(columns, raw=False)).select_from(claim)
        if self.sort_name == "confidence":  # its value is a subquery, which each occurrence executes, and never NULL
            where += [self._is_after_cursor(value, columns.id)] if cursor else []
            return statement.where(*where).order_by(*self._order(value, columns.id)).limit(ROWS)
        if cursor:
            after_id = self._is_after(columns.id, bindparam("cursor_id"))
            if cursor == "with_value":
                cursor_value = bindparam("cursor_value", type_=value.type)
                where.append(
                    or_(self._is_after(value, cursor_value), (value == cursor_value) & after_id, value.is_(None))
                )
            else:
                where.append(value.is_(None) & after_id)
        return statement.where(*where).order_by(value.is_(None), *self._order(value, columns.id)).limit(ROWS)

    def build_lookup_values(self, name: str, *names: str) -> Select[Any]:
        """Select some columns of the claims of an index lookup that match the other filters."""
        lookups = [*self.index_lookups[name], *self.extra_lookups]
        claim, columns = self._join_by_version(lookups, frozenset(names))
        values = [self._counted_value(columns, name).label(name) for name in names]
        return select(*values).select_from(claim).where(*self._all_conditions(columns))

    def build_value_counts(self, name: str) -> Select[Any]:
        """Count the matching claims by the values of a column, without an index lookup."""
        values = select(self._counted_value(CLAIM.c, name).label("value")).where(*self._all_conditions(CLAIM.c))
        value = values.subquery("counted").c.value
        return select(value, func.count()).group_by(value)

    def _counted_value(self, columns: Columns, name: str) -> ColumnElement[Any]:
        if name in GRADES:
            return newest_grade(columns, name, self._snapshot)
        column: ColumnElement[Any] = columns[name]
        if name == "status" and self._known_on is not None:
            # As known on a day before its retraction, a claim is asserted.
            return case((columns.retracted_on > self._known_on, Status.asserted.value), else_=cast(column, Text))
        return column

    def build_index_count(self, name: str) -> Select[Any]:
        """Count the index rows of a lookup, up to `ROWS`."""
        one: ColumnElement[int] = literal_column("1").label("one")
        counts = [
            select(one).select_from(lookup.index_rows.subquery("index_rows")) for lookup in self.index_lookups[name]
        ]
        all_rows = (union_all(*counts) if len(counts) > 1 else counts[0]).subquery("all_rows")
        return select(func.count()).select_from(select(all_rows.c.one).limit(ROWS).subquery("counted"))

    def _join_by_version(
        self, lookups: Sequence[IndexLookup], names: frozenset[str] = frozenset()
    ) -> tuple[Join, Columns]:
        """Join the versions of index lookups with their claims by primary key; return the join and the columns."""
        versions = [lookup.versions for lookup in lookups]
        statement = union(*versions) if len(versions) > 1 else versions[0]
        if self.dialect == "sqlite":
            entries = statement.subquery("driven")
            return self._join_claims(entries, CLAIM.c.version == entries.c.version)
        driven = statement.cte("driven").prefix_with("MATERIALIZED")
        return self._join_claims(driven, CLAIM.c.version == driven.c.version, names)

    def _join_claims(
        self, driven: FromClause, on: ColumnElement[bool], names: frozenset[str] = frozenset()
    ) -> tuple[Join, Columns]:
        """Join `driven` with the claims of its rows, in its order; return the join and the columns of the claims."""
        if self.dialect == "sqlite":
            return OrderedJoin(driven, CLAIM, on), CLAIM.c
        # OFFSET is an optimization fence: without it PostgreSQL merges the subqueries and chooses another plan.
        used = {"version", "id", "seq", "until_seq", "status", *SORT_COLUMNS.values(), "source"}
        used |= {"retracted_on", *names.intersection(CLAIM.c.keys())} if names else set()
        columns = [CLAIM.c[name] for name in sorted(used.union(*self._used_columns.values()))]
        claim = select(*columns).where(on).offset(0).lateral("claim")
        return driven.join(claim, true()), claim.c


def _look_up_replaced() -> IndexLookup:
    """Return a lookup of the versions that were replaced after the requested state."""
    until = CLAIM.c.until_seq
    statement = with_index(select(CLAIM.c.version), CLAIM, "ix_claim_past").where(until > AS_OF, until.is_not(None))
    return IndexLookup(statement, statement)


def _range_prefix(key: dict[str, BindParameter[Any]]) -> RangePrefix:
    return tuple((column, parameter.key) for column, parameter in key.items())


_cached_shapes: BoundedCache[Hashable, SearchShape] = BoundedCache(MAX_CACHED_SHAPES)


def get_search_shape(
    dialect: str, sort: Sort, filter_shapes: tuple[tuple[str, Hashable, int], ...], *, past: bool
) -> SearchShape:
    """Return the cached shape of queries with these filters; each has a name, a shape and a number of values."""
    key = (dialect, sort, filter_shapes, past)
    search_shape = _cached_shapes.get(key)
    if search_shape is None:
        search_shape = SearchShape(dialect, sort, filter_shapes, past=past)
        _cached_shapes.store(key, search_shape)
    return search_shape
