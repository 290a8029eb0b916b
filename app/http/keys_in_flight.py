"""The Idempotency-Keys of requests that are being processed by the workers of this machine.

A request whose key is in use waits for the other one, whose response it then gets. A process knows its own requests.
Those of other workers hold a lock of one byte of the shared file, which the system releases if a worker is killed.
On another machine the same key is not noticed here; the database then lets one of both write, and the other one gets
the stored response.
"""

import asyncio
import hashlib
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, lockf
from threading import Lock

from app.database.cache_registry import CacheKey
from app.database.group_commit import EXPIRY_SECONDS
from app.errors import KeyInFlight
from app.http.counter_table import TABLE_BYTES, SharedFile, shared_file

POLL_SECONDS = 0.02
"""How often a request looks whether the key is free."""

POSITIONS = 2**62 - TABLE_BYTES
"""The number of bytes behind the table that can be locked; the file need not have them."""


class KeysInFlight:
    """The keys that requests hold."""

    def __init__(self, file: SharedFile | None) -> None:
        """Hold keys for the workers that share `file`, or in this process alone."""
        self._descriptor = None if file is None else file.descriptor
        self._positions: set[int] = set()
        self._lock = Lock()

    async def acquire(self, name: tuple[str, ...], expires_at: float) -> int:
        """Wait until no other request holds a key, and hold it. Returns its position, which `release` needs.

        Args:
            name: The actor, the path and the key.
            expires_at: The deadline of the request, in the time of the event loop.

        Raises:
            KeyInFlight: Another request still holds the key shortly before the deadline.
        """
        digest = hashlib.blake2b("\0".join(name).encode("utf-8", "replace"), digest_size=8).digest()
        position = TABLE_BYTES + int.from_bytes(digest, "little") % POSITIONS
        loop = asyncio.get_running_loop()
        while not self._try(position):
            if loop.time() + POLL_SECONDS > expires_at - EXPIRY_SECONDS:
                raise KeyInFlight(
                    "A request with this Idempotency-Key is still being processed.",
                    hint="send the same request again with the same key",
                    headers={"Retry-After": "2"},
                )
            await asyncio.sleep(POLL_SECONDS)
        return position

    def _try(self, position: int) -> bool:
        with self._lock:
            if position in self._positions:
                return False
            if self._descriptor is not None:
                try:
                    lockf(self._descriptor, LOCK_EX | LOCK_NB, 1, position)
                except BlockingIOError:
                    return False
            self._positions.add(position)
            return True

    def release(self, position: int) -> None:
        """Hold a key no longer. May be called in any thread."""
        with self._lock:
            self._positions.discard(position)
            if self._descriptor is not None:
                lockf(self._descriptor, LOCK_UN, 1, position)


KEYS_IN_FLIGHT = CacheKey("keys_in_flight", lambda _database: KeysInFlight(shared_file()), keep_on_reset=True)
"""The keys in flight of a database."""
