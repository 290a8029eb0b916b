"""The `Idempotency-Key` header."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Annotated

from fastapi import Depends, Header

from app.database.cache_registry import CacheKey
from app.database.faults import DatabaseFault, classify
from app.errors import KeyInFlight, invalid_field

MAX_KEY_CHARACTERS = 255
"""The maximum length of an Idempotency-Key."""


STORED_PATH_PREFIX = "sha256:"


def stored_path(path: str) -> str:
    """Return what is stored of the path of a request: a hash, since the path may contain a name that is taken down."""
    if path.startswith(STORED_PATH_PREFIX):
        return path
    return STORED_PATH_PREFIX + hashlib.sha256(path.encode()).hexdigest()


def is_valid_idempotency_key(key: str) -> bool:
    """Return whether `key` is a valid Idempotency-Key."""
    return 0 < len(key) <= MAX_KEY_CHARACTERS and key.isascii() and key.isprintable()


async def _idempotency_key(
    idempotency_key: Annotated[
        str | None,
        Header(
            description="A unique key for this request. If it is repeated within 24 hours, it gets the first response.",
            examples=["2f1d0c5e-import-17"],
            max_length=MAX_KEY_CHARACTERS,
        ),
    ] = None,
) -> str | None:
    if idempotency_key is not None and not is_valid_idempotency_key(idempotency_key):
        raise invalid_field(
            "Idempotency-Key", f"Expected 1 to {MAX_KEY_CHARACTERS} printable ASCII characters.", location="header"
        )
    return idempotency_key


IdempotencyKey = Annotated[str | None, Depends(_idempotency_key)]
"""The validated `Idempotency-Key` of a request."""


class KeysInFlight:
    """The requests with an Idempotency-Key that this process is working at."""

    def __init__(self, _database: object) -> None:
        self._holders: dict[tuple[str, ...], list[object]] = {}
        self._lock = Lock()

    @contextmanager
    def hold(self, actor: str, path: str, key: str | None) -> Iterator[None]:
        """Note that a request with a key is being processed.

        Raises:
            KeyInFlight: The request waited in vain for a lock, and an earlier one with the same key is not finished.
        """
        if key is None:
            yield
            return
        holder, name = object(), (actor, path, key)
        with self._lock:
            holders = self._holders.setdefault(name, [])
            holders.append(holder)
        try:
            yield
        except Exception as error:
            if classify(error) is DatabaseFault.locked and holders[0] is not holder:
                detail = "A request with the same Idempotency-Key is still being processed."
                hint = "send the same request again with the same key"
                raise KeyInFlight(detail, hint=hint, headers={"Retry-After": "2"}) from error
            raise
        finally:
            with self._lock:
                holders.remove(holder)
                if not holders:
                    del self._holders[name]


KEYS_IN_FLIGHT = CacheKey("keys in flight", KeysInFlight, keep_on_reset=True)
"""The keys in flight of a database; they are those of one process."""
