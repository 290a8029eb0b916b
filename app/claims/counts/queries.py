"""Counts of the claims that match filters, by dimension: from the stored counts, or by an index lookup of claims."""

from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ClauseElement, Select, bindparam, select

from app.claims.counts.keys import UNASSESSED, UNKNOWN, choose_stored, has_field, read_field
from app.claims.counts.stored import SELECT_STATE, CountChange, count_fields, read_count_changes
from app.claims.search.filters import CONFIDENCE_RANKS, FILTERS, ClaimFilters, ClaimQuery, FilterContext, check_ranges
from app.claims.search.planner import fetch_counted_values
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.database.sql import InList, compile_cached, encode_list
from app.database.tables import ClaimCount, table_of
from app.enums import Status
from app.vocabulary.reference_data import ReferenceData, get_reference_data

MAX_CHANGES_SINCE = 20_000
"""Maximum number of changes between the state of the stored counts and that of a request: they are read one by one."""

MAX_LISTED_KEYS = 1_000
"""Maximum number of keys that a query of the stored counts lists. With more of them it reads all counts of the pair."""

MAX_SCANNED_CLAIMS = 150_000
"""Maximum number of claims of a register in which a query without a selective filter reads all of them."""

COUNT = table_of(ClaimCount)


class Dimension(StrEnum):
    """What claims are counted by."""

    source = "source"
    source_kind = "source_kind"
    interest = "interest"
    category = "category"
    subject = "subject"
    place = "place"
    proposition = "proposition"
    modality = "modality"
    aggregation = "aggregation"
    kind = "kind"
    status = "status"
    confidence = "confidence"
    reliability = "reliability"
    credibility = "credibility"
    year = "year"


COUNTED_FIELDS: Final = {
    Dimension.source_kind: "source",
    Dimension.interest: "source",
    Dimension.confidence: "level",
}
"""The field that a dimension is counted by, where it has another name."""

LOOKUP_COLUMNS: Final = {"year": "date"}
"""The column of a field, where it has another name."""

Counts = dict[Dimension, Counter[str | None]]
"""Dimension → value → number of claims; None is an unknown value."""

Test = Callable[[str], bool]


@dataclass(slots=True)
class _Conditions:
    """The conditions on the counted fields of a claim that its filters amount to."""

    tests: dict[str, list[Test]] = field(default_factory=dict)

    def add(self, name: str, test: Test) -> None:
        self.tests.setdefault(name, []).append(test)

    def match(self, fields: Mapping[str, str]) -> bool:
        return all(test(fields[name]) for name, tests in self.tests.items() for test in tests)

    def match_key(self, code: str, key: str) -> bool:
        """Return whether a key fulfils the conditions on its fields."""
        return all(
            test(read_field(code, key, name))
            for name, tests in self.tests.items()
            if has_field(code, name)
            for test in tests
        )


def count_claims(read: ReadSession, query: ClaimFilters, dimensions: Sequence[Dimension], snapshot: Snapshot) -> Counts:
    """Return the numbers of the claims that match every filter, for each dimension apart.

    Raises:
        UnknownSlug: A filter names a slug that does not exist.
        QueryTooBroad: Neither the stored counts nor a bounded number of claims answer the query.
    """
    check_ranges(query)
    return _count(read, query, dimensions, snapshot)


def count_matching(read: ReadSession, query: ClaimFilters, snapshot: Snapshot) -> int:
    """Return the number of the claims that match every filter. Raises what `count_claims` raises."""
    check_ranges(query)
    if query.superseded is False:
        either = query.model_copy(update={"superseded": None})
        superseded = query.model_copy(update={"superseded": True})
        return count_matching(read, either, snapshot) - count_matching(read, superseded, snapshot)
    conditions = _build_conditions(FilterContext(read, snapshot, narrower=query.narrower), query)
    name = _choose_total_field(conditions)
    return _count_fields(read, query, [name], snapshot)[name].total()


def _choose_total_field(conditions: _Conditions | None) -> str:
    """Return the field by which claims are counted whose number is wanted: one that a filter is about, if possible."""
    names = [] if conditions is None else [name for name in conditions.tests if name not in ("month", "status")]
    return names[0] if names else "level" if conditions and "status" in conditions.tests else "kind"


def _count(read: ReadSession, query: ClaimFilters, dimensions: Sequence[Dimension], snapshot: Snapshot) -> Counts:
    if query.superseded is False:
        # Few claims are superseded: count all, and take those off.
        counts = _count(read, query.model_copy(update={"superseded": None}), dimensions, snapshot)
        superseded = _count(read, query.model_copy(update={"superseded": True}), dimensions, snapshot)
        for dimension in dimensions:
            counts[dimension].subtract(superseded[dimension])
        return counts
    fields = list(dict.fromkeys(COUNTED_FIELDS.get(dimension, dimension.value) for dimension in dimensions))
    by_field = _count_fields(read, query, fields, snapshot)
    reference_data = get_reference_data(read, snapshot)
    return {
        dimension: _translate(dimension, by_field[COUNTED_FIELDS.get(dimension, dimension.value)], reference_data)
        for dimension in dimensions
    }


def _translate(dimension: Dimension, counts: Counter[str], reference_data: ReferenceData) -> Counter[str | None]:
    """Return the counts by the values of a dimension, from those by the values of its field."""
    found: Counter[str | None] = Counter()
    for value, number in counts.items():
        known: str | None = None if value in (UNKNOWN, UNASSESSED) else value
        if dimension in (Dimension.source_kind, Dimension.interest):
            source = reference_data.sources.get(value)
            known = None if source is None else source.kind if dimension is Dimension.source_kind else source.interest
        found[known] += number
    return found


def _count_fields(
    read: ReadSession, query: ClaimFilters, fields: Sequence[str], snapshot: Snapshot
) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {name: Counter() for name in fields}
    context = FilterContext(read, snapshot, narrower=query.narrower)
    conditions = _build_conditions(context, query)
    stored = None if conditions is None else _open_stored(read, snapshot)
    if conditions is None or stored is None:
        _count_by_lookup(read, query, counts, fields, snapshot)
        return counts
    months, rests = _split_dates(query, snapshot)
    if months is not None:
        first, last = months
        conditions.add("month", lambda month: month != UNKNOWN and first <= month <= last)
    elif rests:
        _count_by_lookup(read, query, counts, fields, snapshot)
        return counts
    required = frozenset(conditions.tests)
    is_status_then_known = query.known_on is not None
    direct = [
        name for name in fields if choose_stored(required | {name}) and not (is_status_then_known and name == "status")
    ]
    for name in direct:
        stored.count(conditions, name, counts[name])
    for rest in rests:
        _count_by_lookup(read, rest, counts, direct, snapshot)
    _count_by_lookup(read, query, counts, [name for name in fields if name not in direct], snapshot)
    return counts


# The stored counts -------------------------------------------------------------------------------------------------


class _StoredCounts:
    """The stored counts, and what changed between their state and that of the snapshot."""

    def __init__(self, read: ReadSession, changes: Sequence[CountChange], sign: int) -> None:
        self._read = read
        self._changes = [(sign * change.sign, count_fields(change.row)) for change in changes]

    def count(self, conditions: _Conditions, name: str, counts: Counter[str]) -> None:
        """Add the numbers of the claims that fulfil the conditions, by the field `name`."""
        code = choose_stored(frozenset({*conditions.tests, name}))
        assert code is not None  # noqa: S101 - the caller has chosen the fields
        for first, second, number in self._fetch(code, conditions):
            if len(code) == 1 or has_field(code[0], name):
                counts[read_field(code[0], first, name)] += number
            else:
                counts[read_field(code[1], second, name)] += number
        for number, fields in self._changes:
            if conditions.match(fields):
                counts[fields[name]] += number

    def _fetch(self, code: str, conditions: _Conditions) -> list[tuple[str, str, int]]:
        """Return the stored counts of a key, or of a pair of keys, that fulfil the conditions."""
        if len(code) == 1:
            return [row for row in self._fetch_key(code) if conditions.match_key(code, row[0])]
        limited = [key for key in code if any(has_field(key, name) for name in conditions.tests)]
        matching = {
            key: [row[0] for row in self._fetch_key(key) if conditions.match_key(key, row[0])] for key in limited
        }
        column = ""
        listed: list[str] = []
        if limited:
            key = min(limited, key=lambda each: len(matching[each]))
            if len(matching[key]) <= MAX_LISTED_KEYS:
                column, listed = ("first" if key == code[0] else "second"), matching[key]
        rows = self._run(_select_pair(column), {"pair": code, "keys": encode_list(listed, self._read.dialect)})
        allowed = {key: set(keys) for key, keys in matching.items()}
        return [
            row
            for row in rows
            if (code[0] not in allowed or row[0] in allowed[code[0]])
            and (code[1] not in allowed or row[1] in allowed[code[1]])
        ]

    def _fetch_key(self, code: str) -> list[tuple[str, str, int]]:
        return self._run(_SELECT_PAIRS[""], {"pair": code})

    def _run(self, statement: ClauseElement, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        return self._read.fetch_rows(compile_cached(statement, self._read.dialect), parameters)


def _build_pair_statement(column: str) -> Select[Any]:
    statement = select(COUNT.c.first, COUNT.c.second, COUNT.c.claims).where(COUNT.c.pair == bindparam("pair"))
    return statement.where(InList(COUNT.c[column], "keys")) if column else statement


_SELECT_PAIRS: Final = {column: _build_pair_statement(column) for column in ("", "first", "second")}


def _select_pair(column: str) -> Select[Any]:
    return _SELECT_PAIRS[column]


def _open_stored(read: ReadSession, snapshot: Snapshot) -> _StoredCounts | None:
    """Return the stored counts of a snapshot; None if too much changed between their state and it."""

    def fetch_rows(statement: ClauseElement, parameters: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
        return read.fetch_rows(compile_cached(statement, read.dialect), parameters)

    rows = fetch_rows(SELECT_STATE, {})
    if not rows or abs(rows[0][0] - snapshot.seq) > MAX_CHANGES_SINCE:
        return None
    state = rows[0][0]
    if state == snapshot.seq:
        return _StoredCounts(read, [], 1)
    changes = read_count_changes(fetch_rows, min(state, snapshot.seq), max(state, snapshot.seq))
    return _StoredCounts(read, changes, 1 if state < snapshot.seq else -1)


# The filters -------------------------------------------------------------------------------------------------------

FIELDS_OF_FILTERS: Final = {
    **{name: name for name in ("category", "subject", "place", "source")},
    **dict.fromkeys(("source_kind", "interest"), "source"),
    **{name: name for name in ("proposition", "modality", "aggregation", "kind")},
    **{name: name for name in ("reliability", "credibility", "status")},
    "confidence": "level",
}
"""Filters by lists of values → the counted field."""

DATE_FILTERS: Final = ("date_from", "date_to", "known_on")


def _build_conditions(context: FilterContext, query: ClaimFilters) -> _Conditions | None:
    """Return the conditions of the filters except those by date; None if they are not all conditions on the fields."""
    conditions = _Conditions()
    for name in FILTERS:
        value = getattr(query, name)
        if value in (None, []) or name in DATE_FILTERS:
            continue
        if name in FIELDS_OF_FILTERS:
            values = _list_values(context, name, value)
            if name == "status" and (Status.removed in value or query.known_on is not None):
                return None
            conditions.add(FIELDS_OF_FILTERS[name], values.__contains__)
        elif name == "confidence_min":
            levels = {level for level, rank in CONFIDENCE_RANKS.items() if rank >= CONFIDENCE_RANKS[value.value]}
            conditions.add("level", levels.__contains__)
        elif name == "undated":
            conditions.add("year", lambda year, undated=value: (year == UNKNOWN) == undated)  # type: ignore[misc] # the default is bound
        elif name != "topic" or not _add_topic(conditions, context, value):
            return None
    return conditions


def _list_values(context: FilterContext, name: str, value: Any) -> frozenset[str]:  # noqa: ANN401 - the value of a filter
    if name in ("confidence", "status"):
        return frozenset(member.value for member in value)
    return frozenset(map(str, FILTERS[name].bind(context, value)[1]))


def _add_topic(conditions: _Conditions, context: FilterContext, slugs: Sequence[str]) -> bool:
    """Add the conditions of one topic without a first day of its periods. Return False for other topics."""
    shape, values = FILTERS["topic"].bind(context, slugs)
    if not isinstance(shape, tuple) or len(shape) != 1 or shape[0][-1]:
        return False
    rest = list(values)
    for name, count in zip(("category", "subject", "place", "aggregation"), shape[0][:-1], strict=True):
        if count:
            conditions.add(name, frozenset(map(str, rest[:count])).__contains__)
        rest = rest[count:]
    return True


def _split_dates(query: ClaimFilters, snapshot: Snapshot) -> tuple[tuple[str, str] | None, list[ClaimFilters]]:
    """Return the whole months of a range of dates, and queries for the days before and after them.

    Without a range there are no months. Without a whole month there is one query, for the range.
    """
    start, ends = query.date_from, [day for day in (query.date_to, snapshot.known_on) if day is not None]
    end = min(ends) if ends else None
    if start is None and end is None:
        return None, []
    if end is not None and snapshot.known_at is not None:
        # Near a moment, the zones of the statements decide which of them count.
        end = min(end, snapshot.known_on - timedelta(days=2)) if snapshot.known_on else end
    first = date.min if start is None else start if start.day == 1 else _next_month(start)
    last = date.max if end is None else end if _is_last_day(end) else end.replace(day=1) - timedelta(days=1)
    if first > last:
        return None, [query]
    rests = []
    if start is not None and start < first:
        rests.append(query.model_copy(update={"date_to": first - timedelta(days=1)}))
    if end is not None and (last < end or snapshot.known_at is not None):
        rests.append(query.model_copy(update={"date_from": last + timedelta(days=1)}))
    return (first.isoformat()[:7], last.isoformat()[:7]), rests


def _is_last_day(day: date) -> bool:
    return day.day == monthrange(day.year, day.month)[1]


def _next_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


# The claims of an index lookup -------------------------------------------------------------------------------------


def _as_query(query: ClaimFilters) -> ClaimQuery:
    values = {name: getattr(query, name) for name in ClaimFilters.model_fields}
    return ClaimQuery.model_construct(**values)


def _count_by_lookup(
    read: ReadSession, query: ClaimFilters, counts: dict[str, Counter[str]], fields: Sequence[str], snapshot: Snapshot
) -> None:
    """Add the numbers of the claims that the planner finds, by each field."""
    if not fields:
        return
    columns = [LOOKUP_COLUMNS.get(name, name) for name in fields]
    parameters = {"pair": "y"}
    rows = read.fetch_rows(compile_cached(_SELECT_PAIRS[""], read.dialect), parameters)
    may_scan = sum(number for *_, number in rows) <= MAX_SCANNED_CLAIMS
    found = fetch_counted_values(read, _as_query(query), snapshot, columns, may_scan=may_scan)
    for name, values in zip(fields, found, strict=True):
        for value, number in values.items():
            text = str(value) if value else UNKNOWN
            counts[name][text[:4] if name == "year" and value else text] += number
