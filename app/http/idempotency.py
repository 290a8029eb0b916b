"""The `Idempotency-Key` header."""

import hashlib
from typing import Annotated

from fastapi import Depends, Header

from app.errors import invalid_field

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
