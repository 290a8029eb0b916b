"""A server process with a new starter register, for benchmarks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.postgresql import database_server
from tests.history.servers import ServerProcess, find_free_port
from tests.registers import DatabaseCopies, Keys, create_keys


@contextmanager
def serve_starter_register(dialect: str, folder: Path) -> Iterator[tuple[ServerProcess, Keys]]:
    """Serve a new starter register, and yield the server with the headers of the keys."""
    with database_server(dialect) as address:
        copies = DatabaseCopies(folder, address)
        copies.create_template("empty")
        url = copies.create_copy("starter")
        keys = create_keys(url)
        server = ServerProcess(url, find_free_port())
        server.start()
        try:
            yield server, keys
        finally:
            server.stop()
            copies.close()
