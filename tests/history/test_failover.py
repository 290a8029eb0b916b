"""A standby of PostgreSQL is promoted after the primary server was killed: the service follows by itself."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import Dialect

from app.database.server_connection import server_connection
from app.database.servers import address_for_programs
from benchmarks.operate.postgresql import Cluster
from tests.examples import assert_problem
from tests.registers import Register, create_keys, make_settings, migrate, open_database, serve

NO_SYNC = {"fsync": "off", "synchronous_commit": "local"}


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Cluster, Cluster]]:
    """A primary server with a migrated register, and a standby that follows it asynchronously."""
    with TemporaryDirectory(prefix="failover-") as path:
        folder = Path(path)
        folder.chmod(0o755)
        (folder / "runtime").mkdir(mode=0o700)  # the package with PostgreSQL warns without one
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder / "runtime"))
        primary, standby = Cluster(folder, "primary", settings=NO_SYNC), Cluster(folder, "standby")
        try:
            primary.create()
            primary.start()
            migrate(primary.url())
            standby.create_standby(primary)
            standby.start()
            yield primary, standby
        finally:
            standby.remove()
            primary.remove()


def wait_for_standby(primary: Cluster) -> None:
    """Wait until the standby has everything."""
    statement = "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()"
    while primary.execute(statement) != [(1,)]:
        pass


def write(register: Register, title: str) -> dict[str, str]:
    answer = register.write("POST", "/v1/documents", {"title": title}, **{"Idempotency-Key": title})
    assert answer.status_code == 201, answer.text
    return {"X-Register-Seq": answer.headers["x-register-seq"], "X-Register-Epoch": answer.headers["x-register-epoch"]}


def test_the_service_follows_a_promotion_and_tells_what_is_lost(
    servers: tuple[Cluster, Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    primary, standby = servers
    keys = create_keys(primary.url())
    hosts = f"host=127.0.0.1:{primary.port}&host=127.0.0.1:{standby.port}"
    address = f"postgresql://postgres@/postgres?{hosts}&target_session_attrs="
    update = {"database_read_url": f"{address}prefer-standby", "most_lag": 3600.0}
    settings = make_settings(f"{address}read-write").model_copy(update=update)
    database = open_database(settings)
    with serve(settings, database, keys) as register:
        kept = write(register, "kept")
        wait_for_standby(primary)
        standby.change_setting("primary_conninfo", "")
        while primary.execute("SELECT 1 FROM pg_stat_replication"):
            pass
        lost = write(register, "lost")

        primary.kill()
        assert register.get("/v1/documents?limit=9").json()["meta"]["count"] == 1
        refused = register.write("POST", "/v1/documents", {"title": "refused"})
        assert assert_problem(refused, 503, "unavailable")["reason"] == "away"

        standby.execute("SELECT pg_promote()")
        assert write(register, "lost")["X-Register-Epoch"] == "2"  # the same key again: it is recorded now
        problem = assert_problem(register.get("/v1/documents?limit=8", headers=lost), 409, "history_forked")
        assert problem["forked_at"] == int(kept["X-Register-Seq"])
        assert register.get("/v1/documents?limit=7", headers=kept).status_code == 200
        titles = [each["title"] for each in register.get("/v1/documents?limit=6").json()["data"]]
        assert sorted(titles) == ["kept", "lost"]

        with psycopg.connect(address_for_programs(database.write_engine.dialect, database.url)) as connection:
            assert connection.info.port == standby.port

        # The promoted server is read, as it was a standby. Another one is looked for.
        monkeypatch.setattr("app.database.engine.STANDBY_SEARCH_SECONDS", 0.0)
        searched: list[str] = []

        def search(dialect: Dialect, url: URL, *rest: Any) -> AbstractContextManager[Any]:
            searched.append(str(url.query["target_session_attrs"]))
            return server_connection(dialect, url, *rest)

        monkeypatch.setattr("app.database.engine.server_connection", search)
        assert register.get("/v1/documents?limit=5").status_code == 200
        while not searched:
            assert register.get("/v1/documents?limit=4").status_code == 200
        assert searched[0] == "standby"
    database.close()
