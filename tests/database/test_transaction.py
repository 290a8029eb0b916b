"""The clock of the register: sequence numbers have no gaps, times never decrease, and every record uses it."""

import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from app.claims.create import record_claim
from app.claims.schemas import ClaimInput
from app.database.engine import Database, SchemaStale
from app.database.snapshot import open_snapshot
from app.database.tables import VERSION_TABLES, Change, Clock, columns_of
from app.database.transaction import WriteTransaction, write_transaction
from app.main import create_app
from app.sources.queries import put_source
from app.sources.schemas import SourceInput
from tests.examples import (
    make_source_body,
    make_unique_claim_body,
    read_all_rows,
    read_latest_seq,
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register, make_settings, open_register


class Undone(Exception):
    """An exception that rolls a transaction back."""


def roll_back(*, when: bool) -> None:
    if when:
        raise Undone


def changes(database: Database) -> list[Any]:
    columns = columns_of(Change)
    with database.read() as session:
        return list(session.execute(select(*columns).order_by(columns.seq)))


def assert_sound(database: Database) -> None:
    """Check all invariants of the clock in all tables."""
    log = changes(database)
    assert [entry.seq for entry in log] == list(range(1, len(log) + 1))
    assert all(before.at <= after.at for before, after in pairwise(log))
    with database.read() as session:
        view = open_snapshot(session)
        assert view.seq == len(log)
        at = {entry.seq: entry.at for entry in log}
        for table in VERSION_TABLES.values():
            columns = columns_of(table)
            kept = defaultdict(list)
            for row in session.execute(select(*columns).order_by(columns.seq, columns.version)).mappings():
                kept[row[table.key_name]].append(row)
            for rows in kept.values():
                assert [row["revision"] for row in rows] == list(range(1, len(rows) + 1))
                assert [row["until_seq"] for row in rows] == [*(row["seq"] for row in rows[1:]), None]
                for row in rows:
                    assert row["recorded_at"] == at[row["seq"]]
                    assert row["recorded_until"] == (at[row["until_seq"]] if row["until_seq"] else None)
                    assert row["until_seq"] is None or row["seq"] < row["until_seq"]


def test_the_starter_register_is_sound(shared_starter_register: Register) -> None:
    assert_sound(shared_starter_register.database)


def run_in_threads(jobs: list[Callable[[], None]]) -> list[BaseException]:
    failed: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - passed to the test
            failed.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return failed


def test_four_writers_share_one_clock_without_gaps(register: Register) -> None:
    record_example_vocabulary(register)
    written: list[int] = []

    def write(worker: int) -> None:
        for turn in range(6):
            try:
                with write_transaction(register.database, f"writer-{worker}") as log:
                    put_source(log, f"s{worker}-{turn}", SourceInput(**make_source_body(f"{worker} {turn}")))
                    put_source(log, "shared", SourceInput(**make_source_body(f"{worker} {turn}")))
                    record_claim(log, ClaimInput(**make_unique_claim_body(note=f"{worker}")))
                    roll_back(when=turn % 3 == 1)
                    seq = log.seq
                written.append(seq)
            except Undone:
                pass

    failed = run_in_threads([lambda worker=worker: write(worker) for worker in range(4)])  # type: ignore[misc]
    assert failed == []
    assert len(written) == len(set(written)) == 16
    assert_sound(register.database)
    assert len(read_all_rows(register, "/v1/claims")) == 16
    slugs = {row["slug"] for row in read_all_rows(register, "/v1/sources")}
    assert not {f"s{worker}-{turn}" for worker in range(4) for turn in (1, 4)} & slugs
    assert register.get("/v1/sources/shared").json()["revision"] == 16


def test_of_the_same_claim_sent_at_once_one_is_recorded(register: Register) -> None:
    record_example_vocabulary(register)
    body = make_unique_claim_body()
    statuses: list[int] = []
    failed = run_in_threads(
        [lambda: statuses.append(register.write("POST", "/v1/claims", body).status_code) for _ in range(6)]
    )
    assert failed == []
    assert sorted(statuses) == [201, 409, 409, 409, 409, 409]
    assert len(read_all_rows(register, "/v1/claims")) == 1
    assert_sound(register.database)


def test_the_registers_time_never_falls_when_the_machines_does(register: Register) -> None:
    record_example_vocabulary(register)
    # The state after the system clock, which was an hour ahead, has been set back.
    ahead = datetime.now(UTC) + timedelta(hours=1)
    with register.database.write() as session:
        session.execute(update(Clock).values(at=ahead))
    made = submit_claim(register, make_unique_claim_body())
    assert datetime.fromisoformat(made["recorded_at"]) == ahead
    with register.database.write() as session:
        assert WriteTransaction(session.connection(), "me").at == ahead
    log = changes(register.database)
    assert all(before.at <= after.at for before, after in pairwise(log))


def test_a_write_that_fails_half_way_leaves_nothing(register: Register) -> None:
    record_example_vocabulary(register)
    before = read_latest_seq(register)

    def half() -> None:
        with write_transaction(register.database, "me") as log:
            put_source(log, "half", SourceInput(**make_source_body("Half")))
            put_source(log, "paper", SourceInput(**make_source_body("Renamed")))
            raise Undone

    with pytest.raises(Undone):
        half()
    assert read_latest_seq(register) == before
    assert register.get("/v1/sources/half").status_code == 404
    assert register.get("/v1/sources/paper").json()["revision"] == 1
    assert_sound(register.database)


def test_a_reader_sees_one_unmoving_picture(register: Register) -> None:
    record_example_vocabulary(register)
    claim_columns = columns_of(VERSION_TABLES["claim"])
    with register.database.read() as session:
        view = open_snapshot(session)
        submit_claim(register, make_unique_claim_body())
        register.write("PUT", "/v1/sources/paper", make_source_body("Renamed"))
        again = open_snapshot(session)
        assert (again.seq, again.at) == (view.seq, view.at)
        assert session.execute(select(claim_columns.id)).all() == []
        columns = columns_of(VERSION_TABLES["source"])
        name = select(columns.name).where(columns.slug == "paper", view.contains(VERSION_TABLES["source"]))
        assert session.execute(name).scalars().all() == ["The paper"]
    assert read_latest_seq(register) == view.seq + 3  # a document, a claim, a source


def test_a_reading_session_cannot_write(register: Register) -> None:
    with register.database.read() as session, pytest.raises(DBAPIError, match=r"read-?only"):
        session.execute(update(Clock).values(seq=99))
    assert read_latest_seq(register) == 0


def test_any_past_state_can_be_read_for_good(register: Register) -> None:
    record_example_vocabulary(register)
    states: dict[str, Any] = {}
    for number in range(4):
        submit_claim(register, make_unique_claim_body())
        register.write("PUT", "/v1/sources/ministry", make_source_body(f"Name {number}", kind="government"))
        at = f"seq:{read_latest_seq(register)}"
        states[at] = register.get("/v1/claims", params={"recorded_as_of": at}).json()["data"]
        now = register.get("/v1/claims").json()["data"]
        assert [row["id"] for row in states[at]] == [row["id"] for row in now]
    for at, rows in states.items():
        assert register.get("/v1/claims", params={"recorded_as_of": at}).json()["data"] == rows
    assert len({len(rows) for rows in states.values()}) == 4


def test_a_stale_schema_refuses_to_start_and_says_what_repairs_it(make_database: Callable[[str], str]) -> None:
    url = make_database("empty")
    database = Database(make_settings(url))
    database.check_schema()
    for statement, words in (
        ("UPDATE alembic_version SET version_num = 'x999'", "is at migration x999"),
        ("DELETE FROM alembic_version", "has no tables yet, .* Run `counterclaim migrate`"),
    ):
        with database.write() as session:
            session.execute(text(statement))
        with pytest.raises(SchemaStale, match=words):
            database.check_schema()
    database.close()
    app = create_app(make_settings(url))
    with pytest.raises(SchemaStale), _started(app):
        pass
    app.state.database.close()


def _started(app: Any) -> Any:
    from fastapi.testclient import TestClient  # noqa: PLC0415 - used only here

    return TestClient(app)


def test_a_register_that_goes_stale_is_not_ready(make_database: Callable[[str], str]) -> None:
    for register in open_register(make_database("empty")):
        with register.database.write() as session:
            session.execute(text("DELETE FROM alembic_version"))
        assert register.get("/health/live").status_code == 200
        answer = register.get("/health/ready")
        assert answer.status_code == 503
        assert "counterclaim migrate" in answer.json()["detail"]
