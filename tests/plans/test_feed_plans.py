"""The latest changes of a topic are found by the index of changes by question, whatever the size of the register."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from sqlalchemy import ClauseElement
from sqlmodel import Session

from app.database.engine import Database
from app.database.question_keys import question_key
from app.database.snapshot import open_snapshot
from app.database.sql import compile_cached
from app.feeds import latest_changes
from app.feeds.latest_changes import (
    ChangeSearch,
    select_by_question,
    select_changes,
    select_imports,
    select_latest_of_claims,
)
from app.feeds.queries import read_feed
from tests.plans.synthetic_register import fill_register, make_questions
from tests.registers import make_settings

CLAIMS = 10_000
RANGE = {"before": 10**9, "after": 0, "rows": 51}


def explain(session: Session, statement: ClauseElement, parameters: dict[str, Any]) -> str:
    """Return the plan of a statement, one step a line."""
    connection = session.connection()
    dialect = connection.dialect.name
    text = compile_cached(statement, dialect)
    if dialect == "sqlite":
        encoded = {
            name: orjson.dumps(value).decode() if isinstance(value, list) else value
            for name, value in parameters.items()
        }
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", encoded).all()
        return "\n".join(row[3] for row in rows)
    return "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {text}", parameters).all())


@pytest.fixture
def filled(make_database: Callable[[str], str]) -> Database:
    url = make_database("empty")
    fill_register(url, CLAIMS)
    return Database(make_settings(url))


def test_every_statement_of_a_feed_reads_an_index(filled: Database) -> None:
    keys = [question_key(*question) for question in zip(*make_questions(), strict=True)]
    several = {f"question_{n}": key for n, key in enumerate(keys[:8])}
    with filled.read() as session:
        seqs = list(range(10_000, 10_051))
        plans = [
            explain(session, select_by_question(1), {"question_0": keys[0], **RANGE}),
            explain(session, select_by_question(8), {**several, **RANGE}),
        ]
        for plan in plans:
            assert "ix_change_question" in plan, plan
        plans.append(explain(session, select_latest_of_claims(), RANGE))
        plans += [explain(session, statement(), {"seqs": seqs}) for statement in (select_changes, select_imports)]
        for plan in plans:
            # The first step of a walk along the primary key of SQLite is a scan that ends at the limit.
            for step in plan.splitlines():
                assert "Seq Scan on change" not in step, plan
                assert "Seq Scan on claim" not in step, plan
                assert not step.startswith(("SCAN claim", "SCAN change")), plan
    filled.close()


def test_the_rows_that_a_feed_reads_do_not_grow_with_its_topic(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[int] = []
    load_changes = ChangeSearch._load_changes

    def count(search: ChangeSearch, seqs: Any) -> Any:
        loaded.append(len(seqs))
        return load_changes(search, seqs)

    monkeypatch.setattr(ChangeSearch, "_load_changes", count)
    monkeypatch.setattr(latest_changes, "MAX_COMPARED_CHANGES", 10**9)
    with filled.read() as session:
        for topic in (None, "topic-0", "topic-1", "topic-12"):
            loaded.clear()
            feed, _scope = read_feed(session, open_snapshot(session), topic)
            assert 0 < len(feed.entries) <= 50
            if topic in (None, "topic-0"):
                assert sum(loaded) == 51
            assert sum(loaded) <= CLAIMS // 10, topic
    filled.close()
