"""The statement that renders a page of a file on PostgreSQL looks up all ids at once, not again for every claim."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.claims.serialization.csv_columns import CLAIM_COLUMNS
from app.claims.serialization.export import render_lines
from app.database.engine import Database
from app.database.read_session import ReadSession, read_session
from app.http.serializers import NESTED_LAYOUT, RowLayout
from tests.plans.synthetic_register import fill_register
from tests.registers import DatabaseCopies, make_settings

CLAIMS, ROWS = 10_000, 2_000


@pytest.fixture(scope="module")
def filled(database_copies: DatabaseCopies) -> Iterator[Database]:
    url = database_copies.create_copy("empty")
    if not url.startswith("postgresql"):
        pytest.skip("SQLite looks up each claim by itself")
    fill_register(url, CLAIMS)
    database = Database(make_settings(url))
    yield database
    database.close()


@pytest.mark.parametrize("as_of", [None, "seq"])
@pytest.mark.parametrize(
    "layout", [RowLayout.from_columns(CLAIM_COLUMNS, csv=True, file=True), NESTED_LAYOUT], ids=["csv", "ndjson"]
)
def test_no_list_of_ids_is_searched_for_every_claim(
    filled: Database, layout: RowLayout, as_of: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []

    def copy_nothing(_reading: ReadSession, statement: str) -> list[bytes]:
        statements.append(statement)
        return []

    monkeypatch.setattr(ReadSession, "copy_out", copy_nothing)
    with read_session(filled) as reading:
        latest = reading.snapshot().latest_seq
        rows = reading.fetch_rows("SELECT version, id::text FROM claim WHERE until_seq IS NULL LIMIT %s", [ROWS])
        snapshot = reading.snapshot(as_of and f"seq:{latest}")
        render_lines(reading, [version for version, _ in rows], [id_ for _, id_ in rows], snapshot, layout)
        (statement,) = statements
        query = re.fullmatch(r"COPY \((.*)\) TO STDOUT \(.*\)", statement, re.DOTALL)
        assert query
        explained = reading.driver.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query[1]}")
        (((plan,),),) = explained.fetchall()
    searches = [node for node in _nodes(plan["Plan"]) if "ANY" in node.get("Index Cond", node.get("Filter", ""))]
    assert searches
    assert {node["Actual Loops"] for node in searches} == {1}


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)
