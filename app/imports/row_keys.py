"""Keys of imported rows whose claim was taken down."""

import hashlib

ERASED_KEY_PREFIX = "removed:"
END_OF_ERASED_KEYS = "removed;"
"""The first text after all those with the prefix, in the order of bytes."""


def erased_row_key(key: str) -> str:
    """Return the key under which a row is recognized after its claim was taken down: a hash, since keys are words."""
    return key if is_erased_key(key) else ERASED_KEY_PREFIX + hashlib.sha256(key.encode()).hexdigest()


def is_erased_key(key: str) -> bool:
    """Return whether a key is that of a row whose claim was taken down."""
    return key.startswith(ERASED_KEY_PREFIX)
