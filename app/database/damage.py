"""The record of damage: a file that says what is damaged, for all processes that serve the database.

It is written when a request, or the check at the start and every night, meets a damaged page. From then on the service
is not ready, until `counterclaim check` has read everything without a fault and removes the file.
"""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

SUFFIX = "-damaged"
MAX_CHARACTERS = 2_000


class DamageRecord:
    """The record of damage of one database: beside the file of SQLite, for PostgreSQL in the temporary directory."""

    def __init__(self, address: str, *, is_file: bool) -> None:
        """Find the record of the database at `address`: the path of a file, or a URL without a password."""
        name = Path(address).name if is_file else f"counterclaim-{hashlib.sha256(address.encode()).hexdigest()[:16]}"
        folder = Path(address).parent if is_file else _temporary_folder()
        self.path = None if folder is None else folder / f"{name}{SUFFIX}"
        self._unwritten: str | None = None
        """What could not be written to the file; it holds for this process only."""

    def write(self, detail: str) -> None:
        """Record what is damaged."""
        text = detail[:MAX_CHARACTERS]
        if self.path is not None:
            with suppress(OSError):
                descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
                with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - of a descriptor
                    file.write(text)
                return
        self._unwritten = text

    def read(self) -> str | None:
        """Return what is damaged, or None."""
        if self._unwritten is not None or self.path is None:
            return self._unwritten
        try:
            return self.path.read_text("utf-8") or "The database is damaged."
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"The record of damage {self.path} cannot be read: {error.strerror}."

    def clear(self) -> None:
        """Remove the record: the database was checked."""
        self._unwritten = None
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def _temporary_folder() -> Path | None:
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        return None
