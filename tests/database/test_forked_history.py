"""After a standby of PostgreSQL was promoted, the first write begins an epoch, and old sequence numbers are refused."""

from typing import Any

import pytest
from sqlalchemy import text

from app.database.lost_commits import LOCK_CLOCK
from app.database.transaction import write_transaction
from app.sources.queries import put_source
from app.sources.schemas import SourceInput
from tests.examples import assert_problem, make_source_body
from tests.registers import Register

pytestmark = pytest.mark.parametrize("database_copies", ["postgresql"], indirect=True)


def promote(monkeypatch: pytest.MonkeyPatch, timeline: str) -> None:
    """Let the server be on another timeline, as after the promotion of a standby."""
    changed = LOCK_CLOCK.replace("substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)", f"'{timeline}'")
    assert changed != LOCK_CLOCK
    monkeypatch.setattr("app.database.transaction.LOCK_CLOCK", changed)


def post(register: Register, title: str) -> Any:
    answer = register.write("POST", "/v1/documents", {"title": title})
    assert answer.status_code == 201
    return answer


def read_epochs(register: Register) -> list[tuple[Any, ...]]:
    with register.database.read() as session:
        return [tuple(row) for row in session.execute(text("SELECT number, forked_seq FROM epoch ORDER BY number"))]


def test_the_first_write_on_another_timeline_begins_an_epoch(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [post(register, title).headers["x-register-epoch"] for title in ("a", "b")] == ["1", "1"]
    promote(monkeypatch, "0000000A")
    for title in ("c", "d"):
        assert post(register, title).headers["x-register-epoch"] == "2"
    assert read_epochs(register) == [(1, 0), (2, 2)]
    old = {"X-Register-Epoch": "1"}
    problem = assert_problem(register.get("/v1/changes?after=3", headers=old), 409, "history_forked")
    assert (problem["forked_at"], problem["epoch"]) == (2, 2)
    assert register.get("/v1/changes?after=2", headers=old).status_code == 200


def test_the_first_timeline_is_no_fork(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    promote(monkeypatch, "0000000A")
    assert post(register, "a").headers["x-register-epoch"] == "1"
    assert read_epochs(register) == [(1, 0)]


def test_a_fork_that_another_process_has_met_is_noticed(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    for title in ("a", "b"):
        post(register, title)
    assert register.get("/v1/documents").headers["x-register-epoch"] == "1"
    promote(monkeypatch, "0000000B")
    with write_transaction(register.database, "another process") as transaction:
        put_source(transaction, "source", SourceInput.model_validate(make_source_body()))
    monkeypatch.setattr("app.cache.invalidation.POLL_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr("app.database.epochs.RECENT_SECONDS", 0.0)
    first = register.get("/v1/documents?limit=9", headers={"X-Register-Epoch": "1", "X-Register-Seq": "3"})
    assert_problem(first, 409, "history_forked")  # though this process has not looked at the clock since
    answer = register.get("/v1/sources/source")
    assert answer.status_code == 200
    assert (answer.headers["x-register-seq"], answer.headers["x-register-epoch"]) == ("3", "2")
    cached = register.get("/v1/documents")
    assert (cached.headers["x-register-seq"], cached.headers["x-register-epoch"]) == ("3", "2")
    old = {"X-Register-Epoch": "1", "X-Register-Seq": "3"}
    assert_problem(register.get("/v1/documents", headers=old), 409, "history_forked")


def test_the_process_that_meets_a_fork_forgets_what_it_has_cached(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert register.write("PUT", "/v1/sources/source", make_source_body()).status_code == 201
    cache = register.client.app.state.invalidator.response_cache  # type: ignore[attr-defined] # a Starlette
    for _ in range(2):
        assert register.get("/v1/sources/source").status_code == 200
    hits = cache.hits
    post(register, "a")
    assert register.get("/v1/sources/source").status_code == 200
    assert cache.hits == hits + 1  # a document does not change it
    promote(monkeypatch, "0000000B")
    post(register, "b")
    assert register.get("/v1/sources/source").status_code == 200
    assert cache.hits == hits + 1
