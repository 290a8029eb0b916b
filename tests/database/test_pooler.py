"""Behind PgBouncer in transaction mode everything works as on a direct connection.

Where PgBouncer is not installed, its tests are skipped (`apt-get install pgbouncer`).
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from psycopg.pq import PipelineStatus
from sqlalchemy import make_url, text

from app.database.engine import Database
from app.database.migration_lock import MigrationNeedsDirectConnection, migration_lock
from app.database.probe import probe
from app.database.read_session import read_session
from app.database.server_settings import BEGIN_STATEMENT
from app.database.transaction import write_transaction
from tests.examples import read_latest_seq
from tests.postgresql_proxy import SOCKET_NAME, postgresql_proxy
from tests.registers import Keys, Register, create_keys, make_settings, open_database, serve

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")

pytestmark = pytest.mark.parametrize("database_copies", ["postgresql"], indirect=True)
needs_pgbouncer = pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")

CONFIGURATION = """
[databases]
* = host={server} user={user}
[pgbouncer]
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 200
auth_type = any
listen_addr =
listen_port = 5432
unix_socket_dir = {folder}
logfile = {folder}/log
pidfile = {folder}/pid
"""

PATHS = [
    "/v1/claims?limit=20",
    "/v1/claims?q=casualties&limit=5",
    "/v1/claims?category=casualties&total=true",
    "/v1/topics?limit=10",
    "/v1/sources",
    "/v1/documents?limit=5",
    "/v1/categories",
    "/v1/changes?limit=20",
    "/v1/claims.csv",
    "/v1/feed.atom",
]


@contextmanager
def pgbouncer(url: str, pool_size: int) -> Iterator[str]:
    """Run PgBouncer in front of the server of a database, and return the URL of the database through it."""
    assert PGBOUNCER is not None
    with tempfile.TemporaryDirectory(prefix="pool-") as name, postgresql_proxy(url) as (_, proxied):
        folder, server = Path(name), str(make_url(proxied).query["host"])
        user = make_url(url).username or "postgres"
        (folder / "ini").write_text(
            CONFIGURATION.format(server=server, user=user, pool_size=pool_size, folder=folder), encoding="utf-8"
        )
        as_user = []
        if os.geteuid() == 0:  # PgBouncer does not run as root
            as_user = ["-u", "nobody"]
            for path in (folder, Path(server), Path(server) / SOCKET_NAME):
                path.chmod(0o777)
        process = subprocess.Popen([PGBOUNCER, *as_user, "-q", str(folder / "ini")])
        try:
            while not (folder / SOCKET_NAME).exists():
                assert process.poll() is None
                time.sleep(0.01)
            yield make_url(url).set(query={"host": name}).render_as_string(hide_password=False)
        finally:
            process.terminate()
            process.wait()


@contextmanager
def open_service(url: str, keys: Keys, **changes: Any) -> Iterator[Register]:
    settings = make_settings(url).model_copy(update=changes)
    database = open_database(settings)
    with serve(settings, database, keys) as register:
        yield register
    database.close()


@dataclass
class Services:
    """Two services behind a pooler, and one with a direct connection."""

    pooled: list[Register]
    direct: Register


@pytest.fixture(params=[1, 5])
def services(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> Iterator[Services]:
    url = make_database("starter")
    keys = create_keys(url)
    with pgbouncer(url, request.param) as pooled_url, ExitStack() as stack:
        pooled = [stack.enter_context(open_service(pooled_url, keys)) for _ in range(2)]
        yield Services(pooled, stack.enter_context(open_service(url, keys)))


@needs_pgbouncer
def test_two_services_answer_as_one_with_a_direct_connection(services: Services) -> None:
    def write(number: int) -> Any:
        register = services.pooled[number % 2]
        return register.write("POST", "/v1/documents", {"title": f"document {number}"})

    def read(number: int) -> Any:
        return services.pooled[number % 2].get(PATHS[number // 2 % len(PATHS)])

    with ThreadPoolExecutor(8) as pool:
        written = pool.map(write, range(24))
        answers = list(chain(pool.map(read, range(80)), written))
    assert {each.status_code for each in answers} == {200, 201}, [each.text for each in answers if each.is_error]
    seq = read_latest_seq(services.direct)
    for path in PATHS:
        expected = services.direct.get(path, headers={"X-Register-Seq": str(seq)})
        for register in services.pooled:
            answer = register.get(path, headers={"X-Register-Seq": str(seq)})
            assert answer.content == expected.content, path
            assert answer.headers["etag"] == expected.headers["etag"]
    for register in services.pooled:
        assert register.get("/health/ready").status_code == 200
        assert probe(register.database).reasons == []


def read_setting(database: Database, name: str) -> str:
    with read_session(database) as read:
        [(value,)] = read.fetch_rows(f"SHOW {name}")
    return str(value)


@needs_pgbouncer
def test_every_transaction_has_its_settings_and_no_statement_is_prepared(services: Services) -> None:
    database = services.pooled[0].database
    for name in ("enable_seqscan", "statement_timeout", "lock_timeout", "transaction_isolation"):
        assert read_setting(database, name) == read_setting(services.direct.database, name)
    with database.read() as session:
        assert session.execute(text("SHOW jit")).scalar() == "off"
        assert session.execute(text("SHOW transaction_read_only")).scalar() == "on"
    for _ in range(8):
        assert services.pooled[0].get("/v1/claims").status_code == 200
        assert services.direct.get("/v1/claims").status_code == 200
    assert count_prepared(services.pooled[0].database) == 0
    assert count_prepared(services.direct.database) > 0
    with write_transaction(database, "desk") as transaction, transaction._pipeline():
        assert transaction._driver.pgconn.pipeline_status == PipelineStatus.OFF
    # The connection to the server is as it was for others that use the pooler.
    with database.write_engine.connect() as connection:
        assert connection.info[BEGIN_STATEMENT].startswith("BEGIN; SET LOCAL lock_timeout")
        driver: Any = connection.connection.driver_connection
        assert driver.pgconn.exec_(b"SHOW lock_timeout").get_value(0, 0) == b"0"


def count_prepared(database: Database) -> int:
    """Return how many statements the connections of the pool for reads have prepared."""
    with read_session(database) as read:
        [(count,)] = read.fetch_rows("SELECT count(*) FROM pg_prepared_statements WHERE statement ~ 'claim'")
    return int(count)


@needs_pgbouncer
def test_migrations_need_a_direct_connection(services: Services) -> None:
    with pytest.raises(MigrationNeedsDirectConnection), migration_lock(services.pooled[0].database):
        pass
    with migration_lock(services.direct.database):
        pass


@needs_pgbouncer
def test_statements_are_prepared_if_the_pooler_keeps_them(make_database: Callable[[str], str]) -> None:
    url = make_database("empty")
    with (
        pgbouncer(url, 5) as pooled_url,
        open_service(pooled_url, create_keys(url), prepared="always") as register,
        register.database.read_engine.connect() as connection,
    ):
        driver: Any = connection.connection.driver_connection
        assert BEGIN_STATEMENT in connection.info
        assert driver.prepare_threshold is not None


def test_transactions_of_an_indirect_connection_begin_with_their_settings(
    make_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same without PgBouncer: the process of the server is taken for another one."""
    url = make_database("starter")
    keys = create_keys(url)
    monkeypatch.setattr("app.database.server_settings.is_direct", lambda _driver: False)
    with open_service(url, keys) as register:
        answers = [register.get(path) for path in PATHS for _ in range(6)]
        answers.append(register.write("POST", "/v1/documents", {"title": "A document"}))
        assert {each.status_code for each in answers} == {200, 201}
        for name, value in (("enable_seqscan", "off"), ("transaction_isolation", "repeatable read")):
            assert read_setting(register.database, name) == value
        assert count_prepared(register.database) == 0
