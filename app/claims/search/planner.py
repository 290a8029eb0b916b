"""Query planner for pages of claims: chooses a statement that reads a bounded number of rows.

Both databases misestimate the selectivity of filters under a LIMIT, so the planner chooses between three plans:

- **index scan**: read the index that has the requested order (within a source, category, subject or place where the
  query names one), up to a maximum number of rows; most pages are full long before that;
- **filter-driven lookup**: fetch all claims of the most selective filter, apply the other filters, and sort;
- **refusal**: raise `QueryTooBroad` with the filters to add.

`sql.py` builds the statement of each plan.
"""

import time
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

from app.cache.bounded import BoundedCache
from app.claims.known_on import latest_known_date
from app.claims.search.filters import (
    CONFIDENCE_RANKS,
    FILTERS,
    LAST_RANKS,
    SORT_COLUMNS,
    UNDATED_SORT_DATE,
    ClaimQuery,
    FilterContext,
    Sort,
    check_ranges,
    keyset_order_of,
)
from app.claims.search.sql import SORT_INDEXES, IndexScan, RangePrefix, get_search_shape
from app.database.cache_registry import CacheKey
from app.database.keyset import Order, read_cursor, write_cursor
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.errors import QueryTooBroad
from app.http.pagination import DEFAULT_LIMIT

SHORT_SCAN_ROWS_PER_RESULT = 5
"""Maximum number of rows that the first scan reads for each row of the page."""

LONG_SCAN_ROWS = 50_000
MAX_LOOKUP_CLAIMS, MAX_FALLBACK_LOOKUP_CLAIMS = 25_600, 102_400
"""Maximum number of claims of a lookup; the second applies after a long scan that did not fill the page."""

COUNT_LIMITS = (100, 400, 1_600, 6_400, MAX_LOOKUP_CLAIMS, MAX_FALLBACK_LOOKUP_CLAIMS)
"""Limits to which the claims of each filter are counted, in turn, until one count is complete."""

FULL_TEXT_COUNT_LIMITS = (100, 6_400, MAX_LOOKUP_CLAIMS, MAX_FALLBACK_LOOKUP_CLAIMS)
"""The same limits for a full-text index of PostgreSQL, which reads all matching entries at each of them."""

MAX_CACHED_COUNTS, COUNT_CACHE_SECONDS = 2_000, 60.0
"""Maximum number and age of cached counts. They only influence the choice of the plan."""

KEYSET_ORDERS: dict[Sort, Order] = {sort: keyset_order_of(sort) for sort in Sort}

CONFIDENCE_SORTS = (Sort.least_confident, Sort.most_confident)

EARLIEST_DATE = date.min
"""The date of a source cursor that precedes every claim of the source."""

SortedRow = tuple[Any, ...]
"""Version, id and sort value."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A page of claims: their versions (the primary keys) and ids in order, and the cursor of the next page."""

    versions: list[int]
    ids: list[str]
    next_cursor: str | None


def find_page(reading: ReadSession, query: ClaimQuery, snapshot: Snapshot) -> SearchResult:
    """Return one page of the claims that match every filter.

    Raises:
        UnknownSlug: A filter names a slug that does not exist.
        QueryTooBroad: Every plan would read too many rows.
    """
    check_ranges(query)
    if snapshot.as_of is not None and snapshot.as_of == snapshot.latest_seq:
        snapshot = replace(snapshot, as_of=None)  # the current state: an export reads as of its first page
    order = KEYSET_ORDERS[query.sort]
    search = _ClaimSearch(reading, query, snapshot, order)
    rows = search.find_rows()
    page = rows[: search.limit]
    more = len(rows) > len(page)
    cursor = write_cursor(order, page[-1][2], page[-1][1]) if more else None
    return SearchResult([row[0] for row in page], [row[1] for row in page], cursor)


def fetch_counted_values(
    reading: ReadSession, query: ClaimQuery, snapshot: Snapshot, columns: Sequence[str], *, may_scan: bool
) -> list[Counter[Any]]:
    """Return for each of some columns how many of the claims that match every filter have each value.

    `level`, `reliability` and `credibility` are those of the newest assessment. `may_scan` says whether all claims may
    be read if no filter is selective.
    """
    if snapshot.as_of is not None and snapshot.as_of == snapshot.latest_seq:
        snapshot = replace(snapshot, as_of=None)
    return _ClaimSearch(reading, query, snapshot, KEYSET_ORDERS[query.sort]).count_values(columns, may_scan=may_scan)


def build_too_broad_error(query: ClaimQuery) -> QueryTooBroad:
    """Return the error for a query that would read too many claims, with the filters to add."""
    used = {name for name in FILTERS if getattr(query, name) not in (None, [])}
    missing = [f"`{name}`" for name in ("source", "topic", "category") if name not in used]
    dates = [] if {"date_from", "date_to"} <= used else ["a short `date_from`–`date_to`"]
    sort = [] if query.sort in (Sort.newest, Sort.oldest) else ["`sort=-date`"]
    return QueryTooBroad(
        "This query would have to read too many claims.",
        hint=f"add {' or '.join([*missing, *dates, *sort]) or 'another filter'}",
    )


class _ScanIncomplete(Exception):
    """A scan reached its row limit before the page was full."""

    def __init__(self, row_count: int) -> None:
        super().__init__(row_count)
        self.row_count = row_count


class _ClaimSearch:
    """The search for one page of a query."""

    def __init__(self, reading: ReadSession, query: ClaimQuery, snapshot: Snapshot, order: Order) -> None:
        self.reading = reading
        self._counts = reading.database.caches[CLAIM_COUNTS]
        self.query = query
        self.snapshot = snapshot
        self.limit = query.limit or DEFAULT_LIMIT
        self.sort = query.sort
        self.is_sqlite = reading.dialect == "sqlite"
        context = FilterContext(reading, snapshot, narrower=query.narrower)
        filter_shapes: list[tuple[str, Hashable, int]] = []
        self.values: dict[str, Sequence[Any]] = {}
        self.parameters: dict[str, Any] = {}
        fields = query.__dict__  # faster than getattr on a Pydantic model
        for name, filter_ in FILTERS.items():
            value = fields[name]
            if value is None or value == []:
                continue
            shape, values = filter_.bind(context, value)
            values = [self._to_driver_value(item) for item in values]
            filter_shapes.append((name, shape, len(values)))
            self.values[name] = values
            for i, item in enumerate(values):
                self.parameters[f"{name}_{i}"] = item
        if snapshot.as_of is not None:
            self.parameters["as_of"] = snapshot.as_of
        end_dates = [day for day in (query.date_to, latest_known_date(snapshot)) if day is not None]
        self.latest_date = min(end_dates) if end_dates else None
        if end_dates or query.date_from:
            self.parameters["latest_date"] = self._to_driver_value(self.latest_date)
            self.values["date_range"] = (query.date_from, self.latest_date)
        self.context = context
        self.shape = get_search_shape(reading.dialect, self.sort, tuple(filter_shapes), past=snapshot.as_of is not None)
        self.cursor_has_value, self.cursor_value, self.cursor_id = read_cursor(order, query.cursor)
        if self.cursor_id is not None:
            self.parameters |= {"cursor_value": self._to_driver_value(self.cursor_value), "cursor_id": self.cursor_id}

    def _to_driver_value(self, value: Any) -> Any:  # noqa: ANN401 - the type depends on the filter
        """Return a value in the type that the driver expects."""
        if isinstance(value, Enum):
            return value.value
        if self.is_sqlite and isinstance(value, date):
            if isinstance(value, datetime):
                return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
            return value.isoformat()
        return value

    def find_rows(self) -> list[SortedRow]:
        """Return the rows of the page, and one more if there is a next page."""
        if self.shape.is_empty:
            return []
        short_scan_rows = SHORT_SCAN_ROWS_PER_RESULT * (self.limit + 1)
        lookups = self.shape.index_lookups
        if self.sort is Sort.by_source:
            lookup_name = self._find_most_selective(MAX_LOOKUP_CLAIMS) if lookups else None
            return self._scan_sources(LONG_SCAN_ROWS) if lookup_name is None else self._run_lookup(lookup_name)
        if self.sort in CONFIDENCE_SORTS:
            lookup_name = self._find_most_selective(MAX_LOOKUP_CLAIMS) if lookups else None
            return self._scan_levels(short_scan_rows) if lookup_name is None else self._run_lookup(lookup_name)
        for name in lookups:
            if (count := self._get_cached_count(name)) is not None and count < 2 * short_scan_rows:
                return self._run_lookup(name)
        scans = self._plan_scans()
        row_count = self._get_cached_scan_count()
        if row_count is None:
            try:
                return self._run_scans(scans, short_scan_rows)
            except _ScanIncomplete as error:
                row_count = error.row_count
                expires_at = time.monotonic() + COUNT_CACHE_SECONDS
                self._counts.store(self._scan_key(), (row_count, 0, expires_at))
        return self._scan_further(scans, short_scan_rows * (self.limit + 1) / (row_count + 0.5))

    def _scan_further(self, scans: list[IndexScan], expected_rows: float) -> list[SortedRow]:
        """Return the rows of the page after a first scan that did not fill it.

        `expected_rows` is the number of rows that a scan has to read, extrapolated from the first one.
        """
        lookup_name, scan_rows = self._find_most_selective(MAX_LOOKUP_CLAIMS), LONG_SCAN_ROWS
        if lookup_name is not None:
            # Scan up to twice the expected rows, unless the lookup reads fewer.
            if expected_rows > 1.5 * (self._get_cached_count(lookup_name) or 0):
                return self._run_lookup(lookup_name)
            scan_rows = _round_down(min(LONG_SCAN_ROWS, int(2 * expected_rows)))
        try:
            return self._run_scans(scans, scan_rows)
        except _ScanIncomplete:
            lookup_name = lookup_name or self._find_most_selective(MAX_FALLBACK_LOOKUP_CLAIMS)
            if lookup_name is not None:
                return self._run_lookup(lookup_name)
            raise build_too_broad_error(self.query) from None

    def _get_cached_scan_count(self) -> int | None:
        """Return the cached number of rows that a first scan of the same query found, if it did not fill the page."""
        row_count, _, expires_at = self._counts.get(self._scan_key()) or (0, 0, 0.0)
        return row_count if expires_at > time.monotonic() else None

    def count_values(self, columns: Sequence[str], *, may_scan: bool) -> list[Counter[Any]]:
        """Return the number of matching claims by value, for each column."""
        if self.shape.is_empty:
            return [Counter() for _ in columns]
        lookup_name = self._find_most_selective(MAX_FALLBACK_LOOKUP_CLAIMS if may_scan else MAX_LOOKUP_CLAIMS)
        if lookup_name is not None:
            text = self.shape.get_statement(0, 0, self.shape.build_lookup_values, lookup_name, *columns)
            rows = self.reading.fetch_rows(text, self.parameters, custom_plan=True)
            return [Counter(values) for values in zip(*rows, strict=True)] if rows else [Counter() for _ in columns]
        if not may_scan:
            raise build_too_broad_error(self.query)
        counts = []
        for column in columns:
            text = self.shape.get_statement(0, 0, self.shape.build_value_counts, column)
            counts.append(Counter(dict(self.reading.fetch_rows(text, self.parameters, custom_plan=True))))
        return counts

    # Choice of the plan -----------------------------------------------------------------------------------------

    def _get_cached_count(self, name: str) -> int | None:
        """Return the cached number of claims of an index lookup, if their count is complete."""
        cached = self._counts.get(self._count_key(name))
        return cached[0] if cached is not None and cached[0] < cached[1] and cached[2] > time.monotonic() else None

    def _count_key(self, name: str) -> Hashable:
        return name, *self.values.get(name.partition(" ")[0], ()), self.snapshot.as_of

    def _scan_key(self) -> Hashable:
        return "scan", self.sort, *((name, *values) for name, values in self.values.items()), self.snapshot.as_of

    def _find_most_selective(self, max_claims: int) -> str | None:
        """Return the index lookup with the fewest claims, or None if each has more than `max_claims`."""
        now = time.monotonic()
        for limit in COUNT_LIMITS:
            if limit > max_claims:
                break
            best: tuple[int, str] | None = None
            for name in sorted(self.shape.index_lookups, key=self._is_costly_to_count):
                if self._is_costly_to_count(name) and (best is not None or limit not in FULL_TEXT_COUNT_LIMITS):
                    continue
                key = self._count_key(name)
                cached = self._counts.get(key)
                if cached is None or cached[2] < now or cached[1] <= min(cached[0], limit - 1):
                    text = self.shape.get_statement(limit, 0, self.shape.build_index_count, name)
                    count = self.reading.fetch_rows(text, self.parameters, custom_plan=True)[0][0]
                    cached = (count, limit, now + COUNT_CACHE_SECONDS)
                    self._counts.store(key, cached)
                if cached[0] < min(cached[1], limit) and (best is None or cached[0] < best[0]):
                    best = cached[0], name
            if best is not None:
                return best[1]
        return None

    def _is_costly_to_count(self, name: str) -> bool:
        """Return whether a limit does not make the count cheaper: PostgreSQL reads all matches of a full-text index."""
        return name.startswith("q ") and not self.is_sqlite

    def _plan_scans(self) -> list[IndexScan]:
        """Return the scans in the requested order: first the claims with a sort value, then those without one."""
        shape = self.shape
        column, index = SORT_COLUMNS[shape.sort_name], SORT_INDEXES[shape.sort_name]
        prefixes: tuple[RangePrefix, ...] = ((),)
        satisfied: tuple[str, ...] = ()
        if column == "date":
            index, prefixes, satisfied = self._choose_date_index()
        lower, upper = self._find_sort_bounds(column)
        first, last = (upper, lower) if shape.descending else (lower, upper)
        scans = []
        start: str | None = None
        if self.cursor_has_value:
            if self.cursor_id is not None and (first is None or self._is_cursor_past(first)):
                start = "cursor"
            elif first is not None:
                start = "bound"
                self.parameters["start"] = self._to_driver_value(first)
            if last is not None:
                self.parameters["end"] = self._to_driver_value(last)
            bounded = shape.satisfied_date_filters if column == "date" else ()
            if not (column == "date" and self.query.undated):
                scans.append(IndexScan(index, column, prefixes, satisfied + bounded, True, start, last is not None))
        if not (column == "date" and (shape.date_filters or self.query.undated is False)):
            start = "cursor" if self.cursor_id is not None and not self.cursor_has_value else None
            scans.append(IndexScan(index, column, prefixes, satisfied, False, start, False))
        return scans

    def _is_cursor_past(self, first: Any) -> bool:  # noqa: ANN401 - a bound of the sorted column
        """Return whether the cursor is at or past the start of the range."""
        return bool(self.cursor_value <= first if self.shape.descending else self.cursor_value >= first)

    def _find_sort_bounds(self, column: str) -> tuple[Any, Any]:
        """Return the lowest and highest sort value that can match."""
        query, snapshot = self.query, self.snapshot
        if column == "seq":
            return None, snapshot.as_of
        if column != "date":
            return None, None
        days = [] if self.latest_date is None else [self.latest_date]
        if snapshot.as_of is not None:
            days.append(snapshot.at.date())  # a claim cannot be recorded before its date
        return query.date_from, min(days) if days else None

    def _choose_date_index(self) -> tuple[str, tuple[RangePrefix, ...], tuple[str, ...]]:
        """Return the index of a scan by date, the prefixes of its ranges, and the filters that they satisfy."""
        options = self.shape.date_indexes
        if not options:
            return "ix_claim_date", ((),), ()
        best = options[0]
        if len(options) > 1:
            lookup_name = self._find_most_selective(MAX_LOOKUP_CLAIMS)
            best = next((option for option in options if lookup_name in option.filters), best)
        return best.index_name, best.range_prefixes, best.satisfied_filters

    # Execution --------------------------------------------------------------------------------------------------

    def _run_lookup(self, name: str) -> list[SortedRow]:
        cursor = "" if self.cursor_id is None else "with_value" if self.cursor_has_value else "without_value"
        return self._run_statement(0, self.shape.build_lookup, name, cursor)

    def _run_scans(self, scans: list[IndexScan], scan_rows: int) -> list[SortedRow]:
        """Return the rows of the scans, in order. Raises `_ScanIncomplete` if one reaches its row limit."""
        rows: list[SortedRow] = []
        for scan in scans:
            try:
                rows += self._run_scan(scan, scan_rows, self.limit + 1 - len(rows))
            except _ScanIncomplete as error:
                raise _ScanIncomplete(len(rows) + error.row_count) from None
            if len(rows) > self.limit:
                break
        return rows

    def _run_scan(self, scan: IndexScan, scan_rows: int, max_rows: int) -> list[SortedRow]:
        rows = self._run_statement(scan_rows, self.shape.build_scan, scan)[:max_rows]
        if any(row[0] is None for row in rows):
            raise _ScanIncomplete(sum(row[0] is not None for row in rows))
        if (
            len(rows) < max_rows
            and len(scan.range_prefixes) == 1
            and not self.shape.extra_lookups
            and self._is_truncated(scan, scan_rows)
        ):
            raise _ScanIncomplete(len(rows))
        return rows

    def _is_truncated(self, scan: IndexScan, scan_rows: int) -> bool:
        """Return whether a scan of one index range ended at its row limit."""
        if not self.shape.conditions.keys() - set(scan.satisfied_filters):
            return False
        return bool(self._run_statement(scan_rows, self.shape.build_truncation_check, scan))

    def _scan_levels(self, short_scan_rows: int) -> list[SortedRow]:
        """Return the rows of the page level by level, the claims without a level last."""
        first_rank = self.cursor_value
        rows: list[SortedRow] = []
        for rank, level in self._list_levels():
            if first_rank is not None and (rank > first_rank if self.shape.descending else rank < first_rank):
                continue
            self.parameters["scanned_level"] = level
            arguments = (level is not None, rank == first_rank)
            needed = self.limit + 1 - len(rows)
            for scan_rows in (short_scan_rows, LONG_SCAN_ROWS):
                found = self._run_statement(scan_rows, self.shape.build_level_scan, *arguments)[:needed]
                check = self.shape.build_level_truncation_check
                if len(found) == needed or not self._run_statement(scan_rows, check, *arguments):
                    break
            else:
                raise build_too_broad_error(self.query)
            rows += [(version, id_, rank) for version, id_, _ in found]
            if len(rows) > self.limit:
                break
        return rows

    def _list_levels(self) -> list[tuple[int, str | None]]:
        """Return the levels that can match, in order, with their ranks; None stands for no level."""
        levels: list[tuple[int, str | None]] = [(rank, level) for level, rank in CONFIDENCE_RANKS.items()]
        levels.append((LAST_RANKS[self.shape.descending], None))
        names, lowest = self.query.confidence, self.query.confidence_min
        if lowest is not None:
            levels = [item for item in levels if item[1] and item[0] >= CONFIDENCE_RANKS[lowest.value]]
        if names:
            levels = [item for item in levels if (item[1] or "unassessed") in names]
        return sorted(levels, key=lambda item: item[0], reverse=self.shape.descending)

    def _scan_sources(self, scan_rows: int) -> list[SortedRow]:
        """Return the rows of the page source by source, the undated claims of each source last."""
        first_source, day = self._split_source_cursor()
        sources = {"", *self.context.reference_data.sources}
        for name in ("source", "source_kind", "interest"):
            if name in self.values:
                sources &= set(self.values[name])
        rows: list[SortedRow] = []
        remaining = (slug for slug in sources if slug > first_source or (slug == first_source and day is not None))
        for source in sorted(remaining):
            self.parameters["scanned_source"] = source
            for scan in self._plan_source_scans(day if source == first_source else None):
                try:
                    rows += self._run_scan(scan, scan_rows, self.limit + 1 - len(rows))
                except _ScanIncomplete:
                    raise build_too_broad_error(self.query) from None
                if len(rows) > self.limit:
                    return rows
        return rows

    def _split_source_cursor(self) -> tuple[str, date | None]:
        """Return the source and date of the cursor; the date is None for a cursor after the last claim of a source."""
        if self.cursor_id is None:
            return "", EARLIEST_DATE
        source, _, day = str(self.cursor_value).rpartition(" ")
        try:
            return source, date.fromisoformat(day)
        except ValueError:
            return str(self.cursor_value), None

    def _plan_source_scans(self, day: date | None) -> list[IndexScan]:
        """Return the scans of the claims of one source, from the cursor on if `day` is the date of the cursor."""
        scan = IndexScan("ix_claim_source_date", "date", ((("source", "scanned_source"),),), (), False, None, False)
        day = None if day == EARLIEST_DATE else day
        bounded = self.shape.satisfied_date_filters
        lower, upper = self._find_sort_bounds("date")
        scans = []
        if day != UNDATED_SORT_DATE and not self.query.undated:
            start = None
            if day is not None and (lower is None or day >= lower):
                start = "cursor"
                self.parameters["cursor_value"] = self._to_driver_value(day)
            elif lower is not None:
                start = "bound"
                self.parameters["start"] = self._to_driver_value(lower)
            if upper is not None:
                self.parameters["end"] = self._to_driver_value(upper)
            scans.append(
                scan._replace(satisfied_filters=bounded, has_value=True, start=start, has_end=upper is not None)
            )
        if not self.shape.date_filters and self.query.undated is not False:
            scans.append(scan._replace(start="cursor" if day == UNDATED_SORT_DATE else None))
        return scans

    def _run_statement(self, scan_rows: int, build: Any, *arguments: Any) -> list[SortedRow]:  # noqa: ANN401 - a method of `SearchShape`
        # The best plan of a scan that only compares columns does not depend on the parameters. Others are planned anew.
        custom_plan = not scan_rows or not self.shape.compares_columns_only
        text = self.shape.get_statement(self.limit + 1, scan_rows, build, *arguments)
        return self.reading.fetch_rows(text, self.parameters, custom_plan=custom_plan)


def _round_down(number: int) -> int:
    """Return `number` rounded down to three significant bits, so that few different statements are compiled."""
    step = 1 << max(0, number.bit_length() - 3)
    return number // step * step


CLAIM_COUNTS: CacheKey[BoundedCache[Hashable, tuple[int, int, float]]] = CacheKey(
    "claim_counts", lambda _database: BoundedCache(MAX_CACHED_COUNTS)
)
"""Filter and values → number of claims, limit of the count, and expiry time.

Also holds the row counts of queries whose first scan did not fill the page.
"""
