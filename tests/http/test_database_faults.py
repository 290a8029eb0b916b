"""A fault of the database is a 503 that says so, within the deadline, and never the fault of the client."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from app.database.engine import Database
from app.database.faults import DatabaseFault, classify
from app.database.read_session import ReadSession, read_session
from app.database.transaction import WriteTransaction
from app.http import openapi
from app.main import CounterclaimApp
from tests.examples import assert_problem, make_source_body
from tests.http.test_health import exclusive_lock
from tests.registers import Register, create_keys, make_settings, serve


@pytest.fixture
def hasty_register(make_database: Callable[[str], str]) -> Iterator[Register]:
    """A register whose requests have a short deadline, which suffices for each on a slow machine."""
    url = make_database("empty")
    settings = make_settings(url).model_copy(update={"deadline": 2.5})
    database = Database(settings)
    with serve(settings, database, create_keys(url)) as register:
        app = register.client.app
        assert isinstance(app, CounterclaimApp)
        before, app.cache_middleware.deadline_seconds = app.cache_middleware.deadline_seconds, 2.5
        yield register
        app.cache_middleware.deadline_seconds = before
    database.close()


def put(register: Register, slug: str, **headers: str) -> Any:
    return register.write("PUT", f"/v1/sources/{slug}", make_source_body(), **headers)


def post(register: Register, title: str, **headers: str) -> Any:
    return register.write("POST", "/v1/documents", {"title": title}, **headers)


def test_a_locked_table_is_a_503(hasty_register: Register) -> None:
    assert hasty_register.get("/v1/claims").status_code == 200
    with exclusive_lock(hasty_register.database, hasty_register):
        answer = hasty_register.get("/v1/claims?limit=7")
        assert assert_problem(answer, 503, "unavailable")["reason"] == "locked"
        assert answer.headers["retry-after"]
        assert hasty_register.get("/health/live").status_code == 200
        for headers in ({}, {"Idempotency-Key": "one"}):
            answer = put(hasty_register, "one", **headers)
            assert assert_problem(answer, 503, "unavailable")["detail"]
            assert answer.headers["retry-after"]
        # No other request has this key, so it is not told to be in flight.
        assert_problem(post(hasty_register, "one", **{"Idempotency-Key": "one"}), 503, "unavailable")
    assert hasty_register.get("/v1/claims?limit=7").status_code == 200
    assert put(hasty_register, "one").status_code == 201


def test_a_full_pool_is_a_503(hasty_register: Register) -> None:
    assert hasty_register.get("/v1/claims").status_code == 200
    with ExitStack() as held:
        pool: Any = hasty_register.database.read_engine.pool
        for _ in range(pool.size() - pool.checkedout()):
            held.enter_context(hasty_register.database.read_engine.connect())
        answer = hasty_register.get("/v1/claims?limit=7", headers={"Idempotency-Key": "x"})
        assert assert_problem(answer, 503, "unavailable")["reason"] == "pool"
        assert answer.headers["retry-after"]
    assert hasty_register.get("/v1/claims?limit=7").status_code == 200


def test_a_read_only_postgresql_answers_reads_and_refuses_writes(hasty_register: Register) -> None:
    database = hasty_register.database
    if database.dialect == "sqlite":
        pytest.skip("see the tests of the container")
    assert put(hasty_register, "one").status_code == 201
    with database.write() as session:
        session.execute(text(f"ALTER DATABASE {database.url.database} SET default_transaction_read_only = on"))
    database.close()
    answer = put(hasty_register, "two")
    assert assert_problem(answer, 503, "unavailable")["reason"] == "read_only"
    assert answer.headers["retry-after"]
    assert hasty_register.get("/v1/sources/one").status_code == 200
    assert hasty_register.get("/v1/sources").json()["meta"]["count"] == 1


@pytest.mark.parametrize(("path", "module"), [("/docs", "app.pages.docs"), ("/openapi.json", "app.http.openapi")])
def test_documentation_that_takes_long_has_no_deadline(
    hasty_register: Register, monkeypatch: pytest.MonkeyPatch, path: str, module: str
) -> None:
    seconds = 1.2 * cast("CounterclaimApp", hasty_register.client.app).cache_middleware.deadline_seconds
    build = openapi.openapi_document

    def build_slowly(app: FastAPI) -> Any:
        time.sleep(seconds)
        return build(app)

    monkeypatch.setattr(f"{module}.openapi_document", build_slowly)
    assert hasty_register.get(path).status_code == 200


def test_tables_that_are_gone_are_a_503(hasty_register: Register) -> None:
    with hasty_register.database.write() as session:
        session.execute(text("ALTER TABLE source RENAME TO source_before"))
    assert assert_problem(hasty_register.get("/v1/sources"), 503, "unavailable")["reason"] == "schema"


def test_a_commit_that_is_not_confirmed_is_unknown_and_recorded_once(
    hasty_register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirm, commit = threading.Event(), WriteTransaction.commit
    assert post(hasty_register, "before").status_code == 201

    def hang(transaction: WriteTransaction) -> None:
        confirm.wait(60)
        commit(transaction)

    monkeypatch.setattr(WriteTransaction, "commit", hang)
    key = {"Idempotency-Key": "one"}
    answer = post(hasty_register, "unknown", **key)
    problem = assert_problem(answer, 503, "outcome_unknown")
    assert "same Idempotency-Key" in problem["hint"]
    assert answer.headers["retry-after"]
    # The thread that waits for the commit does not hold up the others: they are told that they are not recorded.
    monkeypatch.setattr(WriteTransaction, "commit", commit)
    refused = post(hasty_register, "refused")
    assert refused.status_code == 503
    assert refused.json()["code"] == "unavailable"
    confirm.set()
    assert post(hasty_register, "after").status_code == 201
    again = post(hasty_register, "unknown", **key)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    titles = [each["title"] for each in hasty_register.get("/v1/documents").json()["data"]]
    assert sorted(titles) == ["after", "before", "unknown"]


class ServerStopped(psycopg.errors.DiskFull):
    """What PostgreSQL says when its write-ahead log cannot be written: it stops, and the commit may be in the log."""

    diag: Any = SimpleNamespace(severity_nonlocalized="PANIC")


@pytest.mark.parametrize("is_told", [False, True], ids=["connection lost", "server stops"])
def test_a_commit_in_which_the_connection_is_lost_is_recorded_once(
    hasty_register: Register, monkeypatch: pytest.MonkeyPatch, *, is_told: bool
) -> None:
    """A full disk of the write-ahead log stops PostgreSQL in a commit, which then may be recorded."""
    database, commit = hasty_register.database, WriteTransaction.commit
    assert post(hasty_register, "before").status_code == 201

    def lose_answer(transaction: WriteTransaction) -> None:
        driver: Any = transaction.session.connection().connection.driver_connection
        commit(transaction)
        if database.dialect == "sqlite":
            error: Exception = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC  # type: ignore[attr-defined] # as of the driver
            driver.execute("BEGIN IMMEDIATE")
            driver.close()
        else:
            driver.execute("SELECT 1")
            end_connection(hasty_register, driver.info.backend_pid)
            error = ServerStopped("No space left") if is_told else psycopg.OperationalError("server closed")
        raise OperationalError("COMMIT", None, error)

    monkeypatch.setattr(WriteTransaction, "commit", lose_answer)
    key = {"Idempotency-Key": "one"}
    answer = post(hasty_register, "unknown", **key)
    if database.dialect == "sqlite":
        assert_problem(answer, 503, "outcome_unknown")
        database.write_engine.dispose()
    else:  # PostgreSQL was asked whether it is recorded
        assert answer.status_code == 201
    monkeypatch.setattr(WriteTransaction, "commit", commit)
    again = post(hasty_register, "unknown", **key)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    titles = [each["title"] for each in hasty_register.get("/v1/documents").json()["data"]]
    assert sorted(titles) == ["before", "unknown"]


def test_a_write_that_is_late_before_its_commit_is_not_recorded(
    hasty_register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, begin = threading.Event(), WriteTransaction.begin_write

    def hang(transaction: WriteTransaction, actor: str) -> None:
        go_on.wait(60)
        begin(transaction, actor)

    monkeypatch.setattr(WriteTransaction, "begin_write", hang)
    problem = assert_problem(post(hasty_register, "late"), 503, "unavailable")
    assert "Nothing was recorded" in problem["detail"]
    monkeypatch.setattr(WriteTransaction, "begin_write", begin)
    go_on.set()
    assert post(hasty_register, "after").status_code == 201
    titles = [each["title"] for each in hasty_register.get("/v1/documents").json()["data"]]
    assert titles == ["after"]


def test_a_read_that_hangs_is_answered_at_the_deadline(
    hasty_register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    thaw, note_read = threading.Event(), Database.note_read
    messages: list[Any] = []

    def hang(database: Database, seq: int) -> None:
        if database is hasty_register.database:
            messages.append(seq)
            assert thaw.wait(60)
        note_read(database, seq)

    monkeypatch.setattr(Database, "note_read", hang)
    app = hasty_register.client.app
    timer = threading.Timer(5.0, thaw.set)  # the client of the tests waits for the application, which waits for this
    timer.start()
    answer = hasty_register.get("/v1/topics")
    timer.cancel()
    assert messages
    assert assert_problem(answer, 503, "unavailable")["reason"] == "late"
    assert answer.headers["retry-after"]
    assert answer.headers["access-control-allow-origin"] == "*"
    assert app is not None


def end_connection(register: Register, pid: int) -> None:
    """End a connection to PostgreSQL from the side of the server."""
    with register.database.write() as session:
        session.execute(text(f"SELECT pg_terminate_backend({pid}, 5000)"))


@pytest.mark.parametrize("is_open", [False, True])
def test_a_connection_that_is_lost_is_no_error_of_ours(hasty_register: Register, *, is_open: bool) -> None:
    """The commit of a read, and an error that libpq makes without SQLSTATE, are errors of the database, too."""
    database = hasty_register.database
    if database.dialect == "sqlite":
        pytest.skip("a file has no connection that can be lost")

    def lose_connection() -> None:
        with read_session(database) as read:
            ((pid,),) = read.fetch_rows("SELECT pg_backend_pid()")
            if is_open:
                end_connection(hasty_register, pid)
            else:
                read.driver.commit()
                end_connection(hasty_register, pid)
                read.snapshot()

    with pytest.raises(DBAPIError) as raised:
        lose_connection()
    assert classify(raised.value) is DatabaseFault.away
    assert hasty_register.get("/v1/claims?limit=7").status_code == 200


def test_an_error_of_the_driver_is_a_503(hasty_register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some statements are executed without SQLAlchemy."""
    error: Exception = psycopg.errors.LockNotAvailable("canceling statement due to lock timeout")
    if hasty_register.database.dialect == "sqlite":
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY

    def refuse(_: Database) -> Any:
        raise error

    assert hasty_register.get("/v1/claims").status_code == 200
    monkeypatch.setattr(Database, "connect_for_reads", refuse)
    answer = hasty_register.get("/v1/claims?limit=7")
    assert assert_problem(answer, 503, "unavailable")["reason"] == "locked"


def test_a_full_disk_refuses_writes_and_the_service_is_not_ready(
    hasty_register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, commit = hasty_register.database, WriteTransaction.commit
    assert post(hasty_register, "before").status_code == 201

    def fill(transaction: WriteTransaction) -> None:
        if database.dialect == "sqlite":
            ((pages,),) = transaction.session.execute(text("PRAGMA page_count"))
            transaction.session.execute(text(f"PRAGMA max_page_count = {pages}"))
            transaction.session.execute(text("CREATE TABLE filling AS SELECT randomblob(1000000)"))
        else:
            raise OperationalError("COMMIT", None, psycopg.errors.DiskFull("could not extend file"))

    monkeypatch.setattr(WriteTransaction, "commit", fill)
    answer = post(hasty_register, "refused")
    assert assert_problem(answer, 503, "storage_full")["reason"] == "full"
    problem = assert_problem(hasty_register.get("/health/ready"), 503, "unavailable")
    assert [each["reason"] for each in problem["reasons"]] == ["full"]
    assert (problem["reads"], problem["writes"]) == (True, False)
    assert hasty_register.get("/v1/documents").json()["meta"]["count"] == 1
    monkeypatch.setattr(WriteTransaction, "commit", commit)
    database.write_engine.dispose()
    assert post(hasty_register, "after").status_code == 201
    assert hasty_register.get("/health/ready").status_code == 200


def test_one_read_notices_that_all_connections_are_lost(hasty_register: Register) -> None:
    database = hasty_register.database
    if database.dialect == "sqlite":
        pytest.skip("a file has no connection that can be lost")
    lost = database.read_engine.pool
    with ExitStack() as held:
        for _ in range(3):
            held.enter_context(database.read_engine.connect()).exec_driver_sql("SELECT 1")
    with database.write() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    path = "/v1/claims?limit=7&value_min="
    answers = [hasty_register.get(f"{path}{number}") for number in range(4)]
    # The poll of the response cache has noticed it before the first read.
    assert [answer.status_code for answer in answers] == [200] * 4
    lost.dispose()


def test_a_single_statement_that_is_cut_off_is_a_503(
    starter_register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    if starter_register.database.dialect == "sqlite":
        pytest.skip("a file has no connection that can be cut off")
    claim = starter_register.get("/v1/claims?limit=1").json()["data"][0]["id"]

    def cut_off(reading: ReadSession, *_arguments: object, **_options: object) -> None:
        reading.driver.pgconn.send_query(b"SELECT pg_sleep(0.2)")  # the connection still waits for the answer
        error = psycopg.errors.ConnectionTimeout("no answer")
        raise DBAPIError.instance("SELECT", None, error, psycopg.Error, dialect=reading.database.read_engine.dialect)

    with monkeypatch.context() as faulty:
        faulty.setattr(ReadSession, "fetch_prepared", cut_off)
        assert_problem(starter_register.get(f"/v1/claims/{claim}"), 503, "unavailable")
    assert starter_register.get(f"/v1/claims/{claim}?").status_code == 200
