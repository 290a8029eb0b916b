"""A client reads its own writes even if the replica lags."""

import shutil
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.database.api_keys import create_key, revoke_key
from app.enums import Role
from app.main import create_app
from app.settings import Settings
from tests.registers import DatabaseCopies


def test_a_client_waits_for_its_own_writes_on_a_replica(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A file that the test copies is a replica with a controlled lag.
    url = DatabaseCopies(tmp_path, None).create_template("empty")
    primary, replica = Path(url.removeprefix("sqlite:///")), tmp_path / "replica.db"
    shutil.copyfile(primary, replica)
    settings = Settings(DATABASE_URL=url, DATABASE_READ_URL=f"sqlite:///{replica}")  # type: ignore[call-arg] # aliases
    app = create_app(settings)
    with app.state.database.write() as session:
        key = {"Authorization": f"Bearer {create_key(session, 'desk', Role.admin)}"}
    app.state.database.write_engine.dispose()  # closing the last connection writes the log into the file
    shutil.copyfile(primary, replica)
    monkeypatch.setattr("app.http.consistency.MAX_WAIT_SECONDS", 0.1)
    with TestClient(app) as client:
        body = {"name": "The institute", "kind": "think_tank", "interest": "independent"}
        made = client.put("/v1/sources/institute", json=body, headers=key)
        assert made.status_code == 201
        mine = {"X-Register-Seq": made.headers["x-register-seq"]}
        assert client.get("/v1/sources/institute").status_code == 404
        behind = client.get("/v1/sources/institute", headers=mine)
        assert (behind.status_code, behind.headers["retry-after"]) == (503, "1")
        app.state.database.close()
        shutil.copyfile(primary, replica)
        assert client.get("/v1/sources/institute", headers=mine).status_code == 200


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
        assert not database.replica.was_down


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
