"""The `Idempotency-Key` header."""

from typing import Annotated

from fastapi import Depends, Header

from app.errors import invalid

LONGEST = 255
"""The most characters of an Idempotency-Key."""


def is_name(key: str) -> bool:
    """Whether a request can be named so."""
    return 0 < len(key) <= LONGEST and key.isascii() and key.isprintable()


async def _idempotency_key(
    idempotency_key: Annotated[
        str | None,
        Header(
            description="A name of your own for this request: sent again within 24 hours, it gets the first answer.",
            examples=["2f1d0c5e-import-17"],
            max_length=LONGEST,
        ),
    ] = None,
) -> str | None:
    if idempotency_key is not None and not is_name(idempotency_key):
        raise invalid("Idempotency-Key", f"Expected 1 to {LONGEST} printable ASCII characters.", location="header")
    return idempotency_key


IdempotencyKey = Annotated[str | None, Depends(_idempotency_key)]
"""The name that a client gave its request, checked."""
