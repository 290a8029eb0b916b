"""Finding a page of claims: which rows it has, in which order, with a bounded number of rows looked at.

No database is trusted to guess well how many claims a filter lets through when only the first few are wanted. There are
three ways, each of which reads rows in one known manner:

- **walk** the index that has the order which is asked for (within a source or a question where one is given), and look
  at no more than a given number of rows; most pages are full long before;
- **drive** from the index of the filter with the fewest claims: fetch them all, look at the other filters, sort;
- or refuse, as `query_too_broad`, with what to add.

The SQL of each way is in `sql.py`; a question costs a look at its filters and the statement itself.
"""

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any

from sqlalchemy.exc import DBAPIError

from app.cache.bounded import BoundedCache
from app.claims.search.filters import (
    FILTERS,
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
from app.database.query_budget import is_budget_exceeded
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.errors import QueryTooBroad
from app.http.pagination import DEFAULT_LIMIT

SHORT_SCAN_ROWS_PER_RESULT = 5
"""The first walk looks at so many rows for each row that is wanted."""

LONG_SCAN_ROWS = 50_000
MAX_LOOKUP_CLAIMS, MAX_FALLBACK_LOOKUP_CLAIMS = 25_600, 102_400
"""So many claims are driven from at once; so many where a long walk has not found enough either."""

COUNT_LIMITS = (100, 400, 1_600, 6_400, MAX_LOOKUP_CLAIMS, MAX_FALLBACK_LOOKUP_CLAIMS)
"""How far the claims of a filter are counted, all filters a little further each time, until one has an end."""

FULL_TEXT_COUNT_LIMITS = (100, 6_400, MAX_LOOKUP_CLAIMS, MAX_FALLBACK_LOOKUP_CLAIMS)
"""The rounds of a full-text index of PostgreSQL, which looks up all that it has each time."""

MAX_CACHED_COUNTS, COUNT_CACHE_SECONDS = 20_000, 60.0
"""So many counts are remembered, for so many seconds: they only choose the way."""

KEYSET_ORDERS: dict[Sort, Order] = {sort: keyset_order_of(sort) for sort in Sort}

EARLIEST_DATE = date.min
"""The day of a cursor by source that stands before every claim of it."""

SortedRow = tuple[Any, ...]
"""Version, id, and the value that it is sorted by."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One page of claims: their versions (the primary keys) and ids in order, and where the next page begins."""

    versions: list[int]
    ids: list[str]
    next_cursor: str | None
    total: int | None


def find_page(reading: ReadSession, query: ClaimQuery, view: Snapshot) -> SearchResult:
    """The claims that match every filter. Raises a problem for slugs that do not exist, or `QueryTooBroad`."""
    check_ranges(query)
    if view.as_of is not None and view.as_of == view.latest_seq:
        view = replace(view, as_of=None)  # the present: a file is read as of its first page
    order = KEYSET_ORDERS[query.sort]
    question = _ClaimSearch(reading, query, view, order)
    try:
        total = question.count() if query.total else None
        rows = question.find_rows()
    except DBAPIError as error:
        if is_budget_exceeded(error):
            raise build_too_broad_error(query) from error
        raise
    page = rows[: question.limit]
    more = len(rows) > len(page)
    cursor = write_cursor(order, page[-1][2], page[-1][1]) if more else None
    return SearchResult([row[0] for row in page], [row[1] for row in page], cursor, total)


def build_too_broad_error(query: ClaimQuery) -> QueryTooBroad:
    """The refusal of a question that would have to look at too many claims, with what to add."""
    given = {name for name in FILTERS if getattr(query, name) not in (None, [])}
    missing = [f"`{name}`" for name in ("source", "topic", "category") if name not in given]
    dates = [] if {"date_from", "date_to"} <= given else ["a short `date_from`–`date_to`"]
    sort = [] if query.sort in (Sort.newest, Sort.oldest) else ["`sort=-date`"]
    return QueryTooBroad(
        "Too many claims would have to be looked at to answer this.",
        hint=f"add {' or '.join([*missing, *dates, *sort]) or 'another filter'}",
    )


class _ScanIncomplete(Exception):
    """A walk ended before the page was full."""

    def __init__(self, found: int) -> None:
        super().__init__(found)
        self.row_count = found


class _ClaimSearch:
    """One query on its way to its page."""

    def __init__(self, reading: ReadSession, query: ClaimQuery, view: Snapshot, order: Order) -> None:
        self.reading = reading
        self._counts = reading.database.caches[CLAIM_COUNTS]
        self.query = query
        self.snapshot = view
        self.limit = query.limit or DEFAULT_LIMIT
        self.sort = query.sort
        self.is_sqlite = reading.dialect == "sqlite"
        asking = FilterContext(reading, view, narrower=query.narrower)
        forms: list[tuple[str, Hashable, int]] = []
        self.values: dict[str, Sequence[Any]] = {}
        self.parameters: dict[str, Any] = {}
        given = query.__dict__
        for name, where in FILTERS.items():
            value = given[name]
            if value is None or value == []:
                continue
            form, values = where.bind(asking, value)
            values = [self._to_driver_value(each) for each in values]
            forms.append((name, form, len(values)))
            self.values[name] = values
            for i, each in enumerate(values):
                self.parameters[f"{name}_{i}"] = each
        if view.as_of is not None:
            self.parameters["as_of"] = view.as_of
        by = [day for day in (query.date_to, query.known_on) if day is not None]
        self.latest_date = min(by) if by else None
        if by or query.date_from:
            self.parameters["said_by"] = self._to_driver_value(self.latest_date)
            self.values["said"] = (query.date_from, self.latest_date)
        self.context = asking
        self.shape = get_search_shape(reading.dialect, self.sort, tuple(forms), past=view.as_of is not None)
        self.cursor_has_value, self.cursor_value, self.cursor_id = read_cursor(order, query.cursor)
        if self.cursor_id is not None:
            self.parameters |= {"cursor_value": self._to_driver_value(self.cursor_value), "cursor_id": self.cursor_id}

    def _to_driver_value(self, value: Any) -> Any:  # noqa: ANN401 - whatever a filter takes
        """A value as the driver takes it."""
        if isinstance(value, Enum):
            return value.value
        if self.is_sqlite and isinstance(value, date):
            if isinstance(value, datetime):
                return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
            return value.isoformat()
        return value

    def find_rows(self) -> list[SortedRow]:
        """The rows of the page, and one more if there is a next one."""
        if self.shape.is_empty:
            return []
        short = SHORT_SCAN_ROWS_PER_RESULT * (self.limit + 1)
        reaches = self.shape.index_lookups
        if self.sort is Sort.by_source:
            few = self._find_most_selective(MAX_LOOKUP_CLAIMS) if reaches else None
            return self._scan_sources(LONG_SCAN_ROWS) if few is None else self._run_lookup(few)
        for name in reaches:
            if (number := self._get_cached_count(name)) is not None and number < 2 * short:
                return self._run_lookup(name)
        walks = self._plan_scans()
        found = self._get_cached_scan_count()
        if found is None:
            try:
                return self._run_scans(walks, short)
            except _ScanIncomplete as walked:
                found = walked.row_count
                until = time.monotonic() + COUNT_CACHE_SECONDS
                self._counts.store(self._scan_key(), (found, 0, until))
        return self._scan_further(walks, short * (self.limit + 1) / (found + 0.5))

    def _scan_further(self, walks: list[IndexScan], expected: float) -> list[SortedRow]:
        """The same where a first walk was too short: it lets expect that so many rows have to be looked at."""
        few, width = self._find_most_selective(MAX_LOOKUP_CLAIMS), LONG_SCAN_ROWS
        if few is not None:
            # As far as that and as far again, if it is less than to look at all claims of one filter.
            if expected > 1.5 * (self._get_cached_count(few) or 0):
                return self._run_lookup(few)
            width = _round_down(min(LONG_SCAN_ROWS, int(2 * expected)))
        try:
            return self._run_scans(walks, width)
        except _ScanIncomplete:
            if few is not None or (few := self._find_most_selective(MAX_FALLBACK_LOOKUP_CLAIMS)) is not None:
                return self._run_lookup(few)
            raise build_too_broad_error(self.query) from None

    def _get_cached_scan_count(self) -> int | None:
        """How many claims a first walk for the same question found a short while ago, if they were too few."""
        found, _, until = self._counts.get(self._scan_key()) or (0, 0, 0.0)
        return found if until > time.monotonic() else None

    def count(self) -> int:
        """How many claims match."""
        if self.shape.is_empty:
            return 0
        few = self._find_most_selective(MAX_LOOKUP_CLAIMS)
        if few is None:
            text = self.shape.get_statement(0, 0, self.shape.build_count)
        else:
            text = self.shape.get_statement(0, 0, self.shape.build_lookup_count, few)
        found: int = self.reading.fetch_rows(text, self.parameters, custom_plan=True)[0][0]
        return found

    # Which way --------------------------------------------------------------------------------------------------

    def _get_cached_count(self, name: str) -> int | None:
        """How many claims a filter leads to, if that was counted to its end a short while ago."""
        found = self._counts.get(self._count_key(name))
        return found[0] if found is not None and found[0] < found[1] and found[2] > time.monotonic() else None

    def _count_key(self, name: str) -> Hashable:
        return name, *self.values.get(name.partition(" ")[0], ()), self.snapshot.as_of

    def _scan_key(self) -> Hashable:
        return "walk", self.sort, *((name, *values) for name, values in self.values.items()), self.snapshot.as_of

    def _find_most_selective(self, most: int) -> str | None:
        """The filter that leads to the fewest claims; none where each leads to more than `most`."""
        now = time.monotonic()
        for end in COUNT_LIMITS:
            if end > most:
                break
            best: tuple[int, str] | None = None
            for name in sorted(self.shape.index_lookups, key=self._is_costly_to_count):
                if self._is_costly_to_count(name) and (best is not None or end not in FULL_TEXT_COUNT_LIMITS):
                    continue
                key = self._count_key(name)
                found = self._counts.get(key)
                if found is None or found[2] < now or found[1] <= min(found[0], end - 1):
                    text = self.shape.get_statement(end, 0, self.shape.build_index_count, name)
                    number = self.reading.fetch_rows(text, self.parameters, custom_plan=True)[0][0]
                    found = (number, end, now + COUNT_CACHE_SECONDS)
                    self._counts.store(key, found)
                if found[0] < min(found[1], end) and (best is None or found[0] < best[0]):
                    best = found[0], name
            if best is not None:
                return best[1]
        return None

    def _is_costly_to_count(self, name: str) -> bool:
        """Whether counting costs the same however far: a full-text index of PostgreSQL gives all that it has."""
        return name.startswith("q ") and not self.is_sqlite

    def _plan_scans(self) -> list[IndexScan]:
        """The walks of the order that is asked for: through claims with a value, and then through those without."""
        form = self.shape
        column, index = SORT_COLUMNS[form.sort_name], SORT_INDEXES[form.sort_name]
        prefixes: tuple[RangePrefix, ...] = ((),)
        absorbed: tuple[str, ...] = ()
        if column == "date":
            index, prefixes, absorbed = self._choose_date_index()
        lower, upper = self._find_sort_bounds(column)
        first, last = (upper, lower) if form.descending else (lower, upper)
        found = []
        start: str | None = None
        if self.cursor_has_value:
            if self.cursor_id is not None and (first is None or self._is_cursor_past(first)):
                start = "cursor"
            elif first is not None:
                start = "bound"
                self.parameters["start"] = self._to_driver_value(first)
            if last is not None:
                self.parameters["end"] = self._to_driver_value(last)
            bounded = tuple(form.date_filters) if column == "date" else ()
            found.append(IndexScan(index, column, prefixes, absorbed + bounded, True, start, last is not None))
        if not (column == "date" and form.date_filters):
            behind = "cursor" if self.cursor_id is not None and not self.cursor_has_value else None
            found.append(IndexScan(index, column, prefixes, absorbed, False, behind, False))
        return found

    def _is_cursor_past(self, first: Any) -> bool:  # noqa: ANN401 - a bound of the sorted column
        """Whether the cursor lies behind where the walk would begin."""
        return bool(self.cursor_value <= first if self.shape.descending else self.cursor_value >= first)

    def _find_sort_bounds(self, column: str) -> tuple[Any, Any]:
        """Between which values the walk can stay."""
        query, view = self.query, self.snapshot
        if column == "seq":
            return None, view.as_of
        if column != "date":
            return None, None
        days = [] if self.latest_date is None else [self.latest_date]
        if view.as_of is not None:
            days.append(view.at.date())  # nothing is recorded before it was said
        return query.date_from, min(days) if days else None

    def _choose_date_index(self) -> tuple[str, tuple[RangePrefix, ...], tuple[str, ...]]:
        """The index that a walk by date takes, the beginnings of its ranges, and the filters that they fulfil."""
        ways = self.shape.date_indexes
        if not ways:
            return "ix_claim_date", ((),), ()
        best = ways[0]
        if len(ways) > 1:
            few = self._find_most_selective(MAX_LOOKUP_CLAIMS)
            best = next((way for way in ways if few in way.filters), best)
        return best.index_name, best.range_prefixes, best.satisfied_filters

    # The ways ---------------------------------------------------------------------------------------------------

    def _run_lookup(self, name: str) -> list[SortedRow]:
        cursor = "" if self.cursor_id is None else "known" if self.cursor_has_value else "unknown"
        return self._run_statement(0, self.shape.build_lookup, name, cursor)

    def _run_scans(self, walks: list[IndexScan], width: int) -> list[SortedRow]:
        """The rows of the walks, one after the other. Raises `_Incomplete`."""
        rows: list[SortedRow] = []
        for walk in walks:
            try:
                rows += self._run_scan(walk, width, self.limit + 1 - len(rows))
            except _ScanIncomplete as walked:
                raise _ScanIncomplete(len(rows) + walked.row_count) from None
            if len(rows) > self.limit:
                break
        return rows

    def _run_scan(self, walk: IndexScan, width: int, most: int) -> list[SortedRow]:
        rows = self._run_statement(width, self.shape.build_scan, walk)[:most]
        if any(row[0] is None for row in rows):
            raise _ScanIncomplete(sum(row[0] is not None for row in rows))
        if (
            len(rows) < most
            and len(walk.range_prefixes) == 1
            and not self.shape.extra_lookups
            and self._is_truncated(walk, width)
        ):
            raise _ScanIncomplete(len(rows))
        return rows

    def _is_truncated(self, walk: IndexScan, width: int) -> bool:
        """Whether a walk of one branch that found too little was ended by its width."""
        if not self.shape.conditions.keys() - set(walk.satisfied_filters):
            return False
        return bool(self._run_statement(width, self.shape.build_truncation_check, walk))

    def _scan_sources(self, width: int) -> list[SortedRow]:
        """The claims source by source, the undated ones of each at its end."""
        begin, day = self._split_source_cursor()
        asked = {"", *self.context.reference_data.sources}
        for name in ("source", "source_kind", "interest"):
            if name in self.values:
                asked &= set(self.values[name])
        rows: list[SortedRow] = []
        for source in sorted(each for each in asked if each > begin or (each == begin and day is not None)):
            self.parameters["walked_source"] = source
            for walk in self._plan_source_scans(day if source == begin else None):
                try:
                    rows += self._run_scan(walk, width, self.limit + 1 - len(rows))
                except _ScanIncomplete:
                    raise build_too_broad_error(self.query) from None
                if len(rows) > self.limit:
                    return rows
        return rows

    def _split_source_cursor(self) -> tuple[str, date | None]:
        """The source and the day that the cursor stands at; no day where it stands behind a source."""
        if self.cursor_id is None:
            return "", EARLIEST_DATE
        source, _, day = str(self.cursor_value).rpartition(" ")
        try:
            return source, date.fromisoformat(day)
        except ValueError:
            return str(self.cursor_value), None

    def _plan_source_scans(self, day: date | None) -> list[IndexScan]:
        """The walks through the claims of one source, from the cursor on if that stands at a `day` of it."""
        walk = IndexScan("ix_claim_source_date", "date", ((("source", "walked_source"),),), (), False, None, False)
        day = None if day == EARLIEST_DATE else day
        bounded = tuple(self.shape.date_filters)
        lower, upper = self._find_sort_bounds("date")
        found = []
        if day != UNDATED_SORT_DATE:
            start = None
            if day is not None and (lower is None or day >= lower):
                start = "cursor"
                self.parameters["cursor_value"] = self._to_driver_value(day)
            elif lower is not None:
                start = "bound"
                self.parameters["start"] = self._to_driver_value(lower)
            if upper is not None:
                self.parameters["end"] = self._to_driver_value(upper)
            found.append(
                walk._replace(satisfied_filters=bounded, has_value=True, start=start, has_end=upper is not None)
            )
        if not bounded:
            found.append(walk._replace(start="cursor" if day == UNDATED_SORT_DATE else None))
        return found

    def _run_statement(self, width: int, write: Any, *arguments: Any) -> list[SortedRow]:  # noqa: ANN401 - a method of `Form`
        # A walk that compares columns is the same whatever is asked for; what looks elsewhere is not.
        custom_plan = not width or not self.shape.compares_columns_only
        text = self.shape.get_statement(self.limit + 1, width, write, *arguments)
        return self.reading.fetch_rows(text, self.parameters, custom_plan=custom_plan)


def _round_down(number: int) -> int:
    """A little less, so that there are few different ones."""
    step = 1 << max(0, number.bit_length() - 3)
    return number // step * step


CLAIM_COUNTS: CacheKey[BoundedCache[Hashable, tuple[int, int, float]]] = CacheKey(
    "claim_counts", lambda _database: BoundedCache(MAX_CACHED_COUNTS)
)
"""Filter and values → how many claims, counted to how many at most, and until when that is believed.

Also of whole questions, whose first walk was too short.
"""
