"""The number of rows that a query reads does not grow with the register. The tests count rows, not time.

The rule: rows read <= 20 x (rows of the page + claims that the best index for one of the filters leads to).

The register holds 60,000 claims, and the limits of the planner are scaled down with it, so that it chooses the same
plans as for a million. `make plans` runs the same queries over a million claims.
"""

import os
import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from typing import Any

import orjson
import pytest
from psycopg import ClientCursor

from app.claims.search import planner
from app.claims.search.filters import FILTERS, ClaimQuery, Sort
from app.claims.search.planner import CLAIM_COUNTS, KEYSET_ORDERS, find_page
from app.database.engine import Database
from app.database.keyset import write_cursor
from app.database.read_session import ReadSession, read_session
from app.errors import QueryTooBroad
from tests.examples import assert_problem
from tests.plans.filter_cases import FILTER_CASES, NARROW_FILTERS
from tests.plans.synthetic_register import fill_register
from tests.registers import Register, make_settings, open_register

MILLION = 1_000_000
"""The register size for which the limits of the planner are set."""
CLAIMS = int(os.environ.get("TEST_CLAIMS", "60000"))
LIMIT = 50
PAIRS = 200
MIDDLE: dict[str, Any] = {
    "date": date(2023, 9, 1),
    "recorded": CLAIMS * 4 // 5,
    "value": 400.0,
    "source": "source-0 2023-09-01",
    "confidence": 2,
}
"""A cursor in the middle of the list, for each sort column."""
ID = "01800000-0000-7000-8000-000000000000"
LATER_FILTERS = {"confidence_min", "undated"}
"""Filters whose pairs come last, so that the pairs of the others stay the same."""
BROAD = {"confidence": "unassessed", "reliability": "C", "category": "category-0"}
"""Frequent values that no claim combines: an unassessed claim has no reliability."""


class Counter:
    """Counts the rows that statements read."""

    def __init__(self) -> None:
        self.rows = 0
        self.steps = 0

    @contextmanager
    def on(self, found: ReadSession) -> Iterator[None]:
        """Count the rows of one transaction."""
        plain = found.fetch_rows
        found.fetch_rows = self._sqlite(found, plain) if found.dialect == "sqlite" else self._postgresql(found, plain)  # type: ignore[method-assign]
        yield

    def _sqlite(self, found: ReadSession, plain: Callable[..., Any]) -> Callable[..., Any]:
        """Add a call of a counting function before the other conditions on a table.

        It counts each row that a loop reads from an index. Rows that it misses increase the steps of the virtual
        machine of SQLite, some dozens per row, which are compared at the end.
        """

        def seen(_key: Any) -> int:
            self.rows += 1
            return 1

        def tick() -> int:
            self.steps += 100
            return 0

        found.driver.create_function("seen", 1, seen)
        found.driver.set_progress_handler(tick, 100)
        tables = "claim|assessment|citation|change|claim_words|citation_words"
        loop = re.compile(rf"FROM ({tables})\b((?: INDEXED BY \w+)?(?: CROSS JOIN [^()]*?)?)\s+WHERE ")
        looked_up = re.compile(r"(AS driven CROSS JOIN claim ON claim\.version = driven\.version WHERE )")

        def counting(statement: str, parameters: Any = (), **how: Any) -> Any:
            keys = {"change": "seq", "claim_words": "rowid", "citation_words": "rowid"}
            said = loop.sub(
                lambda m: f"FROM {m[1]}{m[2]} WHERE seen({m[1]}.{keys.get(m[1], 'version')}) AND ", statement
            )
            return plain(looked_up.sub(r"\1seen(claim.version) AND ", said), parameters, **how)

        return counting

    def _postgresql(self, found: ReadSession, plain: Callable[..., Any]) -> Callable[..., Any]:
        def counting(statement: str, parameters: Any = (), **how: Any) -> Any:
            if how.get("custom_plan"):
                told = plain(f"{EXPLAIN} {statement}", parameters, **how)
            else:
                told = _explained(found, statement, parameters)
            plan = orjson.loads(told[0][0]) if isinstance(told[0][0], str) else told[0][0]
            self.rows += _scanned(plan[0]["Plan"])
            return plain(statement, parameters, **how)

        return counting


EXPLAIN = "EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF)"


def _explained(found: ReadSession, statement: str, parameters: Any) -> list[Any]:
    """Return the generic plan of PostgreSQL; EXPLAIN alone would plan for the values."""
    names: list[str] = []

    def numbered(mark: re.Match[str]) -> str:
        if mark[1] not in names:
            names.append(mark[1])
        return f"${names.index(mark[1]) + 1}"

    with_numbers = re.sub(r"%\((\w+)\)s", numbered, statement).replace("%%", "%")
    values = f"({', '.join(['%s'] * len(names))})" if names else ""
    cursor = ClientCursor(found.driver)
    cursor.execute(f"PREPARE counted AS {with_numbers}".replace("%", "%%"), {})
    told = cursor.execute(f"{EXPLAIN} EXECUTE counted{values}", [parameters[name] for name in names]).fetchall()
    cursor.execute("DEALLOCATE counted")
    return told


def _scanned(node: dict[str, Any]) -> int:
    """Return the number of rows that a node and its children read from tables and indices."""
    rows = sum(_scanned(each) for each in node.get("Plans", ()))
    if "Relation Name" in node:
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        rows += round((node["Actual Rows"] + removed) * node["Actual Loops"])
    return rows


def list_queries() -> Iterator[tuple[dict[str, Any], Sort, bool]]:
    """Yield every filter with every sort, and pairs of filters, for the first page and one in the middle."""
    chance = random.Random(5)  # noqa: S311 - deterministic
    sorts = list(Sort)
    for n, case in enumerate(FILTER_CASES):
        for sort in sorts:
            yield case, sort, False
        yield case, sorts[n % len(sorts)], True
    single = [case for case in FILTER_CASES if case and not case.keys() & LATER_FILTERS]
    for _ in range(PAIRS):
        one, other = chance.sample(single, 2)
        if not one.keys() & other.keys() and not _ends_before(one | other):
            yield one | other, chance.choice(sorts[:-2]), chance.random() < 0.3
    later = [case for case in FILTER_CASES if case.keys() & LATER_FILTERS]
    for n in range(PAIRS // 4):
        yield later[n % len(later)] | chance.choice(single), chance.choice(sorts), chance.random() < 0.3
    for _ in range(PAIRS // 4):
        yield chance.choice(single), chance.choice(sorts[-2:]), chance.random() < 0.3


def _ends_before(asked: dict[str, Any]) -> bool:
    ranges = (("date_from", "date_to"), ("period_from", "period_to"), ("value_min", "value_max"))
    return any(low in asked and high in asked and asked[low] > asked[high] for low, high in ranges)


def count_best_lookup(database: Database) -> int:
    """Return the smallest number of claims of an index lookup for the filters; all claims if there is none."""
    counted = [count for count, end, _ in database.caches[CLAIM_COUNTS].values() if count < end]
    return min(counted, default=CLAIMS)


def find_breaches(database: Database) -> tuple[list[str], int]:
    """Return the queries that break the rule, and the number of refused queries."""
    wrong, refused = [], 0
    prepared: set[Any] = set()
    for asked, sort, deep in list_queries():
        database.caches.remove(CLAIM_COUNTS)
        cursor = write_cursor(KEYSET_ORDERS[sort], MIDDLE[sort.value.removeprefix("-")], ID) if deep else None
        query = ClaimQuery(**asked, sort=sort, cursor=cursor, limit=LIMIT)
        counter = Counter()
        with read_session(database, generic_plan=True) as found:
            view = found.snapshot(known_on=query.known_on)
            if query.known_on not in prepared:  # the reference data are cached from now on
                find_page(found, ClaimQuery(limit=1, known_on=query.known_on, q="nowhere"), view)
                prepared.add(query.known_on)
            database.caches.remove(CLAIM_COUNTS)
            try:
                with counter.on(found):
                    find_page(found, query, view)
            except QueryTooBroad:
                refused += 1
        allowed = 20 * (LIMIT + count_best_lookup(database))
        if counter.rows > allowed:
            wrong.append(f"{asked} {sort.value} {'deep' if deep else ''}: {counter.rows} rows, {allowed} allowed")
        if counter.steps > 250 * (counter.rows + 200):
            wrong.append(f"{asked} {sort.value}: {counter.steps} steps, but only {counter.rows} rows were counted")
    return wrong, refused


def test_every_filter_has_its_cases() -> None:
    asked = [name for case in FILTER_CASES for name in case]
    assert set(FILTERS) - NARROW_FILTERS <= set(asked)
    assert all(asked.count(name) >= 2 for name in set(FILTERS) - NARROW_FILTERS), "a common value, and a rare one"


@pytest.fixture
def scaled_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scale the limits of the planner to the size of this register."""

    def smaller(rows: int) -> int:
        return max(rows * min(CLAIMS, MILLION) // MILLION, 2 * LIMIT)

    for name in ("LONG_SCAN_ROWS", "MAX_LOOKUP_CLAIMS", "MAX_FALLBACK_LOOKUP_CLAIMS"):
        monkeypatch.setattr(planner, name, smaller(getattr(planner, name)))
    for name in ("COUNT_LIMITS", "FULL_TEXT_COUNT_LIMITS"):
        monkeypatch.setattr(planner, name, tuple(map(smaller, getattr(planner, name))))


@pytest.mark.usefixtures("scaled_limits")
def test_no_question_looks_at_many_more_rows_than_it_needs(make_database: Callable[[str], str]) -> None:
    url = make_database("empty")
    fill_register(url, CLAIMS)
    database = Database(make_settings(url))
    wrong, refused = find_breaches(database)
    database.close()
    assert not wrong, "\n".join(wrong)
    assert refused <= 5
    for register in open_register(url):
        _too_broad(register)


def _too_broad(register: Register) -> None:
    """A refused query gets a hint and does not delay others."""
    with ThreadPoolExecutor(4) as pool:
        broad = [pool.submit(register.get, "/v1/claims", params=BROAD | {"limit": 40 + n}) for n in range(3)]
        quick = [register.get("/v1/claims", params={"source": "source-3", "limit": n}).status_code for n in (1, 2, 3)]
        problems = [assert_problem(each.result(), 422, "query_too_broad") for each in broad]
    assert quick == [200, 200, 200]
    assert "`source`" in problems[0]["hint"]
    assert "`category`" not in problems[0]["hint"]
    assert register.get("/v1/claims.csv", params={"limit": 1000}).status_code == 200
