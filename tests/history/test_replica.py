"""A client reads its own writes even if the replica lags."""

import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import make_url
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite as sqlite_dialect

from app.database.api_keys import create_key, revoke_key
from app.database.primary_watch import PrimaryWatch
from app.enums import Role
from app.main import create_app
from app.settings import Settings
from tests.registers import DatabaseCopies


@dataclass
class Lagging:
    """A register with a replica that lags."""

    client: TestClient
    key: dict[str, str]
    primary: Path
    replica: Path

    @property
    def database(self) -> Any:
        return self.client.app.state.database  # type: ignore[attr-defined]

    def put(self, slug: str) -> Any:
        body = {"name": "The institute", "kind": "think_tank", "interest": "independent"}
        written = self.client.put(f"/v1/sources/{slug}", json=body, headers=self.key)
        assert written.status_code == 201
        return written

    def catch_up(self) -> None:
        """Let the replica have everything."""
        for engine in (self.database.read_engine, self.database.primary_read_engine, self.database.write_engine):
            engine.dispose()
        with sqlite3.connect(self.primary) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        shutil.copyfile(self.primary, self.replica)


def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.01)


def read_metric(client: TestClient, name: str) -> float:
    found = re.search(rf"^{name}(?:{{.*}})? (\S+)$", client.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return float(found[1])


@pytest.fixture
def lagging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lagging]:
    """A register with a replica that never receives anything by itself: a file that the test copies."""
    monkeypatch.setattr("app.database.primary_watch.INTERVAL_SECONDS", 0.01)
    url = DatabaseCopies(tmp_path, None).create_template("empty")
    primary, replica = Path(url.removeprefix("sqlite:///")), tmp_path / "replica.db"
    settings = Settings(DATABASE_URL=url, DATABASE_READ_URL=f"sqlite:///{replica}", most_lag=0.3)  # type: ignore[call-arg] # aliases
    app = create_app(settings)
    with app.state.database.write() as session:
        key = {"Authorization": f"Bearer {create_key(session, 'desk', Role.admin)}"}
    app.state.database.write_engine.dispose()  # closing the last connection writes the log into the file
    shutil.copyfile(primary, replica)
    with TestClient(app) as client:
        client.get("/v1/sources")
        yield Lagging(client, key, primary, replica)


def test_a_client_reads_its_own_writes_though_the_replica_lacks_them(lagging: Lagging) -> None:
    lagging.database.primary_watch.most_lag = 3600.0
    written = lagging.put("institute")
    assert written.headers["x-register-seq"] == "1"
    stale = lagging.client.get("/v1/sources/institute")
    # The header names the state that was read, not the one that this process has written.
    assert (stale.status_code, stale.headers["x-register-seq"]) == (404, "0")
    mine = {"X-Register-Seq": written.headers["x-register-seq"]}
    own = lagging.client.get("/v1/sources/institute", headers=mine)
    assert (own.status_code, own.headers["x-register-seq"]) == (200, "1")
    # What was read is read again, also without the header.
    assert lagging.client.get("/v1/sources/institute?seq=0").status_code == 200
    lagging.catch_up()
    assert lagging.client.get("/v1/sources/institute", headers=mine).status_code == 200
    assert lagging.client.get("/v1/documents").status_code == 200
    assert lagging.database.replica.is_used


def test_a_state_that_no_database_has_is_waited_for_and_refused(
    lagging: Lagging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.http.consistency.MAX_WAIT_SECONDS", 0.1)
    answer = lagging.client.get("/v1/sources", headers={"X-Register-Seq": "5"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert lagging.database.replica.is_used


def test_a_state_that_is_too_old_is_not_served(lagging: Lagging) -> None:
    lagging.put("institute")
    watch = lagging.database.primary_watch
    wait_until(lambda: watch.required_seq() == 1)
    answer = lagging.client.get("/v1/sources/institute")
    assert (answer.status_code, answer.headers["x-register-seq"]) == (200, "1")
    ready = lagging.client.get("/health/ready")
    assert ready.status_code == 200
    assert "The read replica lacks changes of the last" in ready.json()["warnings"][-1]
    assert read_metric(lagging.client, "counterclaim_replica_lag_seconds") > 0.3
    lagging.catch_up()
    assert lagging.client.get("/v1/sources?limit=9").json()["meta"]["count"] == 1
    assert lagging.database.replica.is_used
    assert lagging.client.get("/health/ready").json()["warnings"] == []
    assert read_metric(lagging.client, "counterclaim_replica_lag_seconds") == 0


def test_an_old_state_is_served_while_the_primary_is_away(lagging: Lagging, monkeypatch: pytest.MonkeyPatch) -> None:
    lagging.put("institute")
    watch = lagging.database.primary_watch
    wait_until(lambda: watch.required_seq() == 1)
    monkeypatch.setattr("app.database.primary_watch.AWAY_SECONDS", -1.0)
    assert lagging.client.get("/v1/sources").json()["meta"]["count"] == 0


def test_a_connection_that_was_lost_does_not_take_the_replica_out_of_use(lagging: Lagging) -> None:
    with lagging.database.read_engine.connect() as connection:
        connection.connection.driver_connection.close()
    assert lagging.client.get("/v1/documents").status_code == 200
    assert lagging.database.replica.is_used


def test_the_age_of_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("app.database.primary_watch.time", SimpleNamespace(monotonic=lambda: now[0]))
    watch = PrimaryWatch(sqlite_dialect(), make_url("sqlite:///nothing.db"), most_lag=1.0)
    watch.close()  # no thread
    for at, seq in ((100.0, 5), (100.2, 5), (100.4, 7), (101.0, 9)):
        now[0] = at
        watch.note(seq)
    now[0] = 101.1
    assert watch.sees_primary
    assert (watch.required_seq(), watch.lag_seconds(9)) == (5, 0.0)
    assert watch.lag_seconds(7) == pytest.approx(0.1)
    now[0] = 101.5
    assert watch.required_seq() == 7
    assert watch.lag_seconds(5) == pytest.approx(1.1)
    now[0] = 103.5
    assert (watch.required_seq(), watch.sees_primary) == (9, False)
    watch.note(6)  # a standby that was behind is the primary now
    assert (watch.required_seq(), watch.lag_seconds(6)) == (0, 0.0)


def test_a_key_that_was_revoked_is_refused_though_the_replica_still_has_it(tmp_path: Path) -> None:
    url = DatabaseCopies(tmp_path, None).create_template("empty")
    primary, replica = Path(url.removeprefix("sqlite:///")), tmp_path / "replica.db"
    app = create_app(Settings(DATABASE_URL=url))  # type: ignore[call-arg] # named by its alias
    with app.state.database.write() as session:
        key = {"Authorization": f"Bearer {create_key(session, 'desk', Role.admin)}"}
    app.state.database.close()
    shutil.copyfile(primary, replica)
    settings = Settings(DATABASE_URL=url, DATABASE_READ_URL=f"sqlite:///{replica}")  # type: ignore[call-arg] # aliases
    app = create_app(settings)
    with TestClient(app) as client:
        assert client.post("/v1/documents", json={"title": "x"}, headers=key).status_code == 201
        assert revoke_key(app.state.database, "desk") == 1
        assert client.post("/v1/documents", json={"title": "y"}, headers=key).status_code == 401


def test_reads_go_to_the_primary_while_the_replica_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = DatabaseCopies(tmp_path, None).create_template("empty")
    primary, replica = Path(url.removeprefix("sqlite:///")), tmp_path / "replicas" / "replica.db"
    replica.parent.mkdir()
    shutil.copyfile(primary, replica)
    away = replica.parent.with_name("away")
    settings = Settings(DATABASE_URL=url, DATABASE_READ_URL=f"sqlite:///{replica}")  # type: ignore[call-arg] # aliases
    app = create_app(settings)
    database = app.state.database
    with database.write() as session:
        key = {"Authorization": f"Bearer {create_key(session, 'desk', Role.admin)}"}
    monkeypatch.setattr("app.database.engine.REPLICA_RETRY_SECONDS", 0.0)
    with TestClient(app) as client:
        assert client.get("/health/ready").json()["warnings"] == []
        app.state.invalidator.close()
        database.read_engine.dispose()
        replica.parent.rename(away)
        assert client.post("/v1/documents", json={"title": "x"}, headers=key).status_code == 201
        assert len(client.get("/v1/documents").json()["data"]) == 1
        ready = client.get("/health/ready")
        assert ready.status_code == 200
        assert "The read replica: The database file replica.db does not exist." in ready.json()["warnings"]
        # Up again, but behind what was read: reads never go back.
        away.rename(replica.parent)
        assert len(client.get("/v1/documents?limit=9").json()["data"]) == 1
        database.close()
        shutil.copyfile(primary, replica)
        assert len(client.get("/v1/documents?limit=8").json()["data"]) == 1
        assert database.replica.is_used


def test_reads_go_on_while_the_primary_is_down(tmp_path: Path) -> None:
    url = DatabaseCopies(tmp_path, None).create_template("empty")
    primary, replica = Path(url.removeprefix("sqlite:///")), tmp_path / "replica.db"
    moved = tmp_path / "primaries"
    moved.mkdir()
    shutil.copyfile(primary, replica)
    primary = primary.rename(moved / "primary.db")
    settings = Settings(DATABASE_URL=f"sqlite:///{primary}", DATABASE_READ_URL=f"sqlite:///{replica}")  # type: ignore[call-arg] # aliases
    app = create_app(settings)
    with app.state.database.write() as session:
        key = {"Authorization": f"Bearer {create_key(session, 'desk', Role.admin)}"}
    with TestClient(app) as client:
        app.state.database.write_engine.dispose()
        app.state.database.primary_read_engine.dispose()
        moved.rename(tmp_path / "away")
        assert client.get("/v1/documents").json()["data"] == []
        answer = client.post("/v1/documents", json={"title": "x"}, headers=key)
        assert (answer.status_code, answer.json()["reason"]) == (503, "away")
        problem = client.get("/health/ready").json()
        assert (problem["status"], problem["reads"], problem["writes"]) == (503, True, False)
        assert "Writes are refused, reads work." in problem["detail"]
