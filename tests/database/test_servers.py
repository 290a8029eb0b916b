"""An address with several servers of PostgreSQL: silent ones are left out, and a replica that is silent is given up."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from app.database import servers
from app.database.engine import Database
from app.database.server_connection import autocommit_connection, server_connection
from tests.postgresql_proxy import PostgresqlProxy, postgresql_proxy
from tests.registers import Register, create_keys, make_settings, open_database, serve

HOSTS = {"host": "a,b,c", "port": "1,2,3", "dbname": "register"}


class Servers:
    """Servers that take, refuse or ignore connections."""

    loaded_dbapi = psycopg

    def __init__(self) -> None:
        self.now = 100.0
        self.standbys: set[str] = set()
        self.refusing: set[str] = set()
        self.silent: set[str] = set()
        self.attempts: list[str] = []

    def connect(self, **options: Any) -> str:
        host = options["host"]
        assert {"a": "1", "b": "2", "c": "3"}[host] == options["port"]
        self.attempts.append(host)
        if host in self.silent:
            self.now += options["connect_timeout"]
            raise psycopg.errors.ConnectionTimeout("timeout expired")
        wanted = options["target_session_attrs"]
        is_wanted = {"any": True, "standby": host in self.standbys, "read-write": host not in self.standbys}[wanted]
        if host in self.refusing or not is_wanted:
            raise psycopg.OperationalError("no")
        return str(host)

    def ask(self, wanted: str) -> tuple[str, list[str]]:
        """Return the server of a connection, and those that were tried."""
        self.attempts.clear()
        options = HOSTS | {"target_session_attrs": wanted, "connect_timeout": servers.CONNECT_SECONDS}
        return servers.connect(self, [], options), list(self.attempts)  # type: ignore[arg-type] # a dialect


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Servers:
    found = Servers()
    for name in ("_silent_until", "_answered_last"):
        monkeypatch.setattr(servers, name, {})
    monkeypatch.setattr(servers, "time", SimpleNamespace(monotonic=lambda: found.now))
    return found


def test_the_server_that_answered_last_is_asked_first(asked: Servers) -> None:
    asked.standbys = {"a", "b"}
    assert asked.ask("read-write") == ("c", ["a", "b", "c"])
    assert asked.ask("read-write") == ("c", ["c"])
    asked.standbys = {"a", "c"}
    assert asked.ask("read-write") == ("b", ["c", "a", "b"])


def test_a_silent_server_is_left_out_for_a_while(asked: Servers) -> None:
    asked.silent, asked.refusing = {"a"}, {"b"}
    assert asked.ask("read-write") == ("c", ["a", "b", "c"])
    asked.refusing = {"b", "c"}
    with pytest.raises(psycopg.OperationalError):
        asked.ask("read-write")
    assert asked.attempts == ["c", "b"]
    asked.silent = set()
    asked.now += servers.LEFT_OUT_SECONDS
    assert asked.ask("read-write") == ("a", ["c", "a"])


def test_if_all_are_silent_all_are_asked(asked: Servers) -> None:
    asked.silent = {"a", "b", "c"}
    for _ in range(2):
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            asked.ask("read-write")
        assert asked.attempts == ["a", "b", "c"]
        asked.now = 106.0


def test_a_standby_is_preferred_and_a_silent_one_is_not_asked_twice(asked: Servers) -> None:
    asked.standbys = {"b"}
    assert asked.ask("prefer-standby") == ("b", ["a", "b"])
    asked.silent = {"b"}
    assert asked.ask("prefer-standby") == ("a", ["b", "a", "c", "a"])


def test_one_server_is_asked_as_ever() -> None:
    options = {"host": "db", "port": "5432", "target_session_attrs": "prefer-standby"}
    dialect = SimpleNamespace(connect=lambda *arguments, **options: (arguments, options))
    assert servers.connect(dialect, ["x"], options) == (("x",), options)  # type: ignore[arg-type] # a dialect


def test_which_addresses_have_several_servers() -> None:
    several = make_url("postgresql://u@/d?host=a:1&host=b:2&target_session_attrs=prefer-standby")
    assert (servers.has_several(several), servers.prefers_standby(several)) == (True, True)
    writes = several.update_query_dict({"target_session_attrs": "read-write"})
    assert (servers.has_several(writes), servers.prefers_standby(writes)) == (True, False)
    one = make_url("postgresql://u@a:1/d?target_session_attrs=prefer-standby")
    assert (servers.has_several(one), servers.prefers_standby(one)) == (False, False)


def test_programs_of_postgresql_get_all_servers_and_no_password() -> None:
    url = make_url("postgresql+psycopg://u:secret@/d?host=a:1&host=b:2&target_session_attrs=read-write")
    address = servers.address_for_programs(url.get_dialect()(), url)
    expected = {"host": "a,b", "port": "1,2", "user": "u", "dbname": "d", "target_session_attrs": "read-write"}
    assert psycopg.conninfo.conninfo_to_dict(address) == expected
    one = make_url("postgresql+psycopg://u:secret@a:1/d")
    assert servers.address_for_programs(one.get_dialect()(), one) == "postgresql://u@a:1/d"


@pytest.fixture
def replicated(
    make_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Register, PostgresqlProxy]]:
    """A register whose replica is its own database behind a proxy."""
    monkeypatch.setattr("app.database.engine.REPLICA_HANG_SECONDS", 0.2)
    url = make_database("starter")
    keys = create_keys(url)
    with postgresql_proxy(url) as (proxy, replica_url):
        settings = make_settings(url).model_copy(update={"database_read_url": replica_url, "deadline": 20.0})
        database = open_database(settings)
        with serve(settings, database, keys) as register:
            yield register, proxy
        database.close()


@pytest.mark.parametrize("database_copies", ["postgresql"], indirect=True)
def test_a_read_does_not_wait_for_a_replica_that_is_silent(replicated: tuple[Register, PostgresqlProxy]) -> None:
    register, proxy = replicated
    assert register.get("/v1/claims?limit=1").status_code == 200
    assert replica_of(register.database).is_used
    proxy.is_silent = True
    assert register.get("/v1/claims?limit=2").json()["meta"]["count"] == 2
    assert not replica_of(register.database).is_used


@pytest.mark.parametrize("database_copies", ["postgresql"], indirect=True)
def test_reads_that_have_begun_on_a_silent_replica_are_ended(replicated: tuple[Register, PostgresqlProxy]) -> None:
    register, proxy = replicated
    database = register.database
    with database.connect_for_reads() as connection:
        assert replica_of(database).is_used
        driver: Any = connection.connection.driver_connection
        database.connect_for_reads().close()  # opens a second connection
        proxy.is_silent = True
        database.connect_for_reads().close()  # another request, which finds that it is silent
        with pytest.raises(psycopg.OperationalError):
            driver.execute("SELECT 1")  # would wait for ever


@pytest.mark.parametrize("database_copies", ["postgresql"], indirect=True)
def test_a_write_does_not_wait_for_a_primary_server_that_is_silent(
    make_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "SILENT_SECONDS", 0.2)
    url = make_database("starter")
    keys = create_keys(url)
    with postgresql_proxy(url) as (proxy, first):
        folders = [str(make_url(each).query["host"]) for each in (first, url)]
        several = make_url(url).set(query={"host": folders}).render_as_string(hide_password=False)
        settings = make_settings(several)
        database = open_database(settings)
        with serve(settings, database, keys) as register:
            assert register.write("POST", "/v1/documents", {"title": "first"}).status_code == 201
            proxy.is_silent = True
            # The pools for writes and for the check of keys both have a connection to it.
            assert register.write("POST", "/v1/documents", {"title": "second"}, role="editor").status_code == 201
            assert register.get("/health/ready").status_code == 200
        database.close()


@pytest.mark.parametrize("database_copies", ["postgresql"], indirect=True)
def test_a_check_ends_though_the_server_is_silent(
    replicated: tuple[Register, PostgresqlProxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.database.server_connection.ANSWER_SECONDS", 0.1)
    register, proxy = replicated
    dialect, url = register.database.read_engine.dialect, register.database.replica_url
    assert url is not None

    def check_once() -> None:
        with server_connection(dialect, url, {}, 0.2) as driver:
            proxy.is_silent = True
            driver.execute("SELECT 1")

    def check_again_and_again() -> None:
        with autocommit_connection(dialect, url) as fetch_value:
            assert fetch_value("SELECT 1") == b"1"
            proxy.is_silent = True
            fetch_value("SELECT 1")

    with pytest.raises(DBAPIError):
        check_once()
    proxy.is_silent = False
    with pytest.raises(DBAPIError, match="timeout expired"):
        check_again_and_again()


def replica_of(database: Database) -> Any:
    assert database.replica is not None
    return database.replica
