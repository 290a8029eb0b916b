"""The write-ahead log of SQLite stays small, also while reads overlap."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from app.database import write_log
from app.database.engine import Database
from tests.registers import make_settings

LIMIT_BYTES = 200_000
ROUNDS = 30
ROW_BYTES = 50_000


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database with a table, whose log is truncated early."""
    monkeypatch.setattr(write_log, "MAX_LOG_BYTES", LIMIT_BYTES)
    monkeypatch.setattr(write_log, "RETRY_BYTES", 0)
    database = Database(make_settings(f"sqlite:///{tmp_path / 'register.db'}"))
    with database.write() as session:
        session.connection().exec_driver_sql("CREATE TABLE note (text BLOB)")
    yield database
    database.close()


def log_size(database: Database) -> int:
    assert database.write_log is not None
    return database.write_log.size_bytes


def write(database: Database) -> None:
    with database.write() as session:
        session.connection().exec_driver_sql("INSERT INTO note VALUES (randomblob(?))", (ROW_BYTES,))


@contextmanager
def overlapping_reads(database: Database) -> Iterator[None]:
    """Two readers, each of which ends a read only after the other one has begun its next: somebody always reads."""
    stop = Event()
    began = (Event(), Event())
    ready = Event()

    def read(own: Event, other: Event) -> None:
        while not stop.is_set():
            with database.read() as session:
                session.connection().exec_driver_sql("SELECT count(*) FROM note").all()
                own.set()
                while not other.wait(0.01) and not stop.is_set():
                    pass
                other.clear()
                ready.set()

    threads = [Thread(target=read, args=pair) for pair in (began, began[::-1])]
    for thread in threads:
        thread.start()
    ready.wait()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_the_log_is_begun_anew_while_reads_overlap(database: Database) -> None:
    sizes = []
    with overlapping_reads(database):
        for _ in range(ROUNDS):
            write(database)
            sizes.append(log_size(database))
    assert max(sizes) < LIMIT_BYTES + 4 * ROW_BYTES
    assert 0 in sizes, "it was truncated"


def test_a_long_read_is_waited_for_by_no_reader_and_the_log_shrinks_afterwards(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_log, "READER_WAIT_SECONDS", 0.001)
    with database.read() as long:
        assert long.connection().exec_driver_sql("SELECT count(*) FROM note").scalar() == 0
        for _ in range(ROUNDS):
            write(database)
        assert log_size(database) > ROUNDS * ROW_BYTES, "the old state is still read"
        with database.read() as other:
            assert other.connection().exec_driver_sql("SELECT count(*) FROM note").scalar() == ROUNDS
        assert database.write_log is not None
        database.write_log.truncate_if_large()
        assert long.connection().exec_driver_sql("SELECT count(*) FROM note").scalar() == 0
    database.write_log.truncate_if_large()
    assert log_size(database) > ROUNDS * ROW_BYTES, "each attempt holds up writers, so that the next one is later"
    monkeypatch.setattr(write_log, "BLOCKED_SECONDS", 0.0)
    database.write_log.truncate_if_large()
    assert log_size(database) == 0
    with database.read() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM note").scalar() == ROUNDS


def test_the_timeout_of_the_writer_is_as_before(database: Database) -> None:
    def busy_timeout() -> int:
        with database.write() as session:
            return int(session.connection().exec_driver_sql("PRAGMA busy_timeout").scalar() or 0)

    before = busy_timeout()
    for _ in range(ROUNDS):
        write(database)
    assert log_size(database) < LIMIT_BYTES
    assert busy_timeout() == before == database.timeouts.lock * 1000


def test_an_error_of_the_checkpoint_does_not_fail_the_write(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert database.write_log is not None

    class Broken:
        def execute(self, _statement: str) -> None:
            raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(write_log.WriteLog, "size_bytes", LIMIT_BYTES)
    database.write_log.on_checkin(Broken(), None)
    database.write_log.on_checkin(None, None)
