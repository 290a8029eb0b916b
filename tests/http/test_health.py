"""Health tells the truth about the database, quickly, and needs neither the database nor a thread to be alive."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError

from app.database import probe as probe_module
from app.database.damage import DamageRecord
from app.database.engine import Database, SchemaStale
from app.database.faults import DatabaseFault
from app.database.probe import Reason, ServerState, combine, probe, probe_server
from app.database.quick_check import NightlyCheck, seconds_until_night
from app.database.server_connection import server_connection
from tests.examples import assert_problem
from tests.registers import Register, make_settings, open_register


def refuse(*_: Any, **__: Any) -> Any:
    raise OperationalError("SELECT 1", {}, Exception("connection refused"))


def reasons(register: Register) -> dict[str, str]:
    """Return why the service is not ready: the sentence of each reason."""
    problem = assert_problem(register.get("/health/ready"), 503, "unavailable")
    return {each["reason"]: each["detail"] for each in problem["reasons"]}


@pytest.fixture
def starter_database(make_database: Callable[[str], str]) -> Iterator[Database]:
    """A database of its own, which the test may damage."""
    database = Database(make_settings(make_database("starter")))
    yield database
    database.close()
    database.damage.clear()


@contextmanager
def exclusive_lock(database: Database, register: Register | None = None) -> Iterator[None]:
    """Lock all tables for other connections, as a migration or a restore does."""
    if database.dialect == "sqlite":
        database.close()
        if register is not None:
            register.client.app.state.invalidator.close()  # type: ignore[attr-defined] # a Starlette
        with closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            yield
        return
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE clock, claim IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.mark.parametrize("path", ["/health/live", "/metrics"])
def test_a_process_lives_without_database_and_threads(
    register: Register, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(register.client.app.state.invalidator, "poll", refuse)  # type: ignore[attr-defined] # a Starlette
    monkeypatch.setattr(register.client.app.state.invalidator, "is_fresh", lambda: False)  # type: ignore[attr-defined]
    monkeypatch.setattr(register.database.read_engine, "connect", refuse)
    monkeypatch.setattr("anyio.to_thread.run_sync", refuse)
    answer = register.get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] in {"no-cache", "no-store"}
    assert register.head(path).status_code == 200


def test_a_database_that_hangs_is_said_in_time(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    thaw = threading.Event()
    calls = []

    def hang(database: Database, *, is_replica: bool) -> Any:
        calls.append(database)
        thaw.wait(60)
        return probe_server(database, is_replica=is_replica)

    monkeypatch.setattr("app.http.health.READY_SECONDS", 0.1)
    monkeypatch.setattr("app.http.health.probe_server", hang)
    for _ in range(3):
        assert "does not answer" in reasons(register)["frozen"]
    assert len(calls) == 1, "one check hangs, not one for each probe"
    assert register.get("/health/live").status_code == 200
    monkeypatch.setattr("app.http.health.READY_SECONDS", 60)
    thaw.set()
    assert register.get("/health/ready").status_code == 200


def test_a_database_that_is_away_is_said(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = "sqlite:////nowhere/counterclaim.db" if register.database.dialect == "sqlite" else None
    url = make_url(missing or "postgresql+psycopg://desk@127.0.0.1:9/none")
    monkeypatch.setattr(register.database, "url", url)
    assert set(reasons(register)) == {"away"}


def test_a_lock_is_said(starter_database: Database) -> None:
    with exclusive_lock(starter_database):
        result = probe(starter_database)
        assert [each.fault.value for each in result.reasons] == ["locked"]
        assert not result.reads
    assert probe(starter_database).reasons == []


def test_a_clock_that_differs_from_the_change_log_is_damage(register: Register) -> None:
    try:
        with register.database.write() as session:
            session.execute(text("UPDATE clock SET seq = seq + 3"))
        assert "the change log ends at 0" in reasons(register)["damaged"]
        with register.database.write() as session:
            session.execute(text("UPDATE clock SET seq = seq - 3"))
        assert "counterclaim check" in reasons(register)["damaged"], "until it was checked"
    finally:
        register.database.damage.clear()
    assert register.get("/health/ready").status_code == 200


@pytest.mark.parametrize(
    ("statement", "missing"),
    [
        ("DROP INDEX ix_claim_kind", "no index ix_claim_kind"),
        ("ALTER TABLE source DROP COLUMN terms", "no column source.terms"),
        ("ALTER TABLE source ADD COLUMN remark TEXT", "another column source.remark"),
        ("DROP TABLE imported_row", "no table imported_row"),
    ],
)
def test_a_schema_is_compared_by_what_is_there(starter_database: Database, statement: str, missing: str) -> None:
    starter_database.check_schema()
    with starter_database.write() as session:
        session.execute(text(statement))
    with pytest.raises(SchemaStale, match=missing):
        starter_database.check_schema()
    (reason,) = probe(starter_database).reasons
    assert (reason.fault.value, missing in reason.detail) == ("schema", True)


def test_a_read_only_postgresql_is_not_ready_for_writes(starter_database: Database) -> None:
    if starter_database.dialect == "sqlite":
        pytest.skip("see the tests of the container")
    name = starter_database.url.database
    with starter_database.write() as session:
        session.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    result = probe(starter_database)
    assert [each.fault.value for each in result.reasons] == ["read_only"]
    assert (result.reads, result.writes) == (True, False)


def test_postgresql_without_checksums_is_a_warning(register: Register) -> None:
    warnings = register.get("/health/ready").json()["warnings"]
    with register.database.read() as session:
        is_postgresql = register.database.dialect == "postgresql"
        has_checksums = is_postgresql and session.execute(text("SHOW data_checksums")).scalar() == "on"
    assert any("checksums" in each for each in warnings) == (is_postgresql and not has_checksums)


def overwrite_pages(path: Path, *, step: int = 2) -> None:
    """Overwrite every `step`th page after the first one."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size, count = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count"))
    with path.open("r+b") as file:
        for page in range(1, count, step):
            file.seek(page * size)
            file.write(b"\xa5" * size)


def test_a_damaged_file_is_named_until_it_was_checked(make_database: Callable[[str], str]) -> None:
    url = make_database("starter")
    if not url.startswith("sqlite"):
        pytest.skip("the files of PostgreSQL are not ours to overwrite")
    path = Path(url.removeprefix("sqlite:///"))
    for register in open_register(url):
        assert register.get("/health/ready").status_code == 200
        register.database.close()
        overwrite_pages(path)
        problem = assert_problem(register.get("/v1/claims?limit=100&sort=value"), 503, "unavailable")
        assert problem["reason"] == "damaged"
        assert f"The database file {path.name} is damaged" in problem["detail"]
        assert "counterclaim check" in problem["hint"]
        assert path.name in reasons(register)["damaged"]
        register.database.damage.clear()
        assert path.name in reasons(register)["damaged"], "the check of the health meets it, too"
        register.database.damage.clear()


def test_the_nightly_check_records_damage(make_database: Callable[[str], str]) -> None:
    url = make_database("starter")
    if not url.startswith("sqlite"):
        pytest.skip("only for files")
    path = Path(url.removeprefix("sqlite:///"))
    record = DamageRecord(str(path), is_file=True)
    check_now(NightlyCheck(str(path), record))
    assert record.read() is None
    overwrite_pages(path, step=7)
    check_now(NightlyCheck(str(path), record))
    assert f"The database file {path.name} is damaged" in str(record.read())
    record.clear()
    assert record.read() is None


def starts(check: NightlyCheck) -> bool:
    check.poll()
    return check._child is not None


def check_now(check: NightlyCheck) -> None:
    check._next_at = 0.0
    assert starts(check)
    while check._child is not None:
        time.sleep(0.01)
        check.poll()


def test_a_supervisor_checks_the_file_without_waiting(make_database: Callable[[str], str]) -> None:
    url = make_database("empty")
    if not url.startswith("sqlite"):
        pytest.skip("only for files")
    path = Path(url.removeprefix("sqlite:///"))
    record = DamageRecord(str(path), is_file=True)
    overwrite_pages(path, step=7)
    check = NightlyCheck(str(path), record)
    assert not starts(check), "it is not due yet"
    check_now(check)
    assert f"The database file {path.name} is damaged" in str(record.read())
    assert not starts(check), "the next one is at night"
    record.clear()


def test_the_nightly_check_is_at_night() -> None:
    from datetime import datetime  # noqa: PLC0415 - used only here

    assert seconds_until_night(datetime.fromisoformat("2026-11-20T02:00:00+00:00")) == 3600
    assert seconds_until_night(datetime.fromisoformat("2026-11-20T04:00:00+00:00")) == 23 * 3600


def test_a_write_during_the_check_is_no_damage(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock and the change log are read in one snapshot, though by two statements."""
    titles = iter(range(10))

    class Driver:
        """A connection that sees another one write after it has read the clock."""

        def __init__(self, driver: Any) -> None:
            self._driver = driver

        def execute(self, statement: str, *parameters: Any) -> Any:
            cursor = self._driver.execute(statement, *parameters)
            if statement == "SELECT seq FROM clock":
                body = {"title": f"written meanwhile {next(titles)}"}
                assert register.write("POST", "/v1/documents", body).status_code == 201
            return cursor

    @contextmanager
    def connect(dialect: Any, url: Any, settings: Any) -> Iterator[Any]:
        with open_connection(dialect, url, settings) as driver:
            yield Driver(driver)

    open_connection = server_connection
    monkeypatch.setattr(probe_module, "server_connection", connect)
    result = probe(register.database)
    assert result.reasons == []
    assert next(titles) == 1
    assert register.database.damage.read() is None


FROZEN = ServerState(reasons=[Reason(DatabaseFault.frozen, "The database does not answer.")])


@pytest.mark.parametrize(
    ("primary", "replica", "expected"),
    [
        (ServerState(7), ServerState(5), ([], True, True)),
        (ServerState(7), FROZEN, ([], True, True)),
        (FROZEN, ServerState(5), (["frozen"], True, False)),
        (FROZEN, FROZEN, (["frozen", "frozen"], False, False)),
        (FROZEN, None, (["frozen"], False, False)),
    ],
)
def test_what_the_states_of_primary_and_replica_mean(
    register: Register, primary: ServerState, replica: ServerState | None, expected: tuple[Any, ...]
) -> None:
    result = combine(register.database, primary, replica)
    assert ([each.fault.value for each in result.reasons], result.reads, result.writes) == expected
    assert bool(result.warnings) == (replica is FROZEN and primary is not FROZEN)


def test_a_primary_that_hangs_does_not_hide_the_replica(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    thaw = threading.Event()

    def hang(database: Database, *, is_replica: bool) -> ServerState:
        if not is_replica:
            thaw.wait(60)
        return probe_server(database, is_replica=is_replica)

    monkeypatch.setattr("app.http.health.READY_SECONDS", 3)
    monkeypatch.setattr("app.http.health.probe_server", hang)
    monkeypatch.setattr(register.database, "replica_url", register.database.url)
    problem = assert_problem(register.get("/health/ready"), 503, "unavailable")
    thaw.set()
    assert [each["reason"] for each in problem["reasons"]] == ["frozen"]
    assert (problem["reads"], problem["writes"]) == (True, False)


def test_a_disk_without_space_is_full(starter_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    if starter_database.dialect == "postgresql":
        pytest.skip("the disk of PostgreSQL is that of another machine")
    monkeypatch.setattr(probe_module, "MIN_FREE_BYTES", 2**80)
    result = probe(starter_database)
    assert [each.fault.value for each in result.reasons] == ["full"]
    assert (result.reads, result.writes) == (True, False)
