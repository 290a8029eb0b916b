"""Keys of questions: an index of the change log by the question that the claim of a change answers.

A question is a category, a subject and a place. Its key is a hash of 64 bits, so that the index stays small. Two
questions may share a key: a reader compares the claims themselves, too.
"""

import hashlib
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, bindparam, select

from app.database.tables import QUESTION_COLUMNS, ClaimVersion, columns_of

_claim = columns_of(ClaimVersion)

SELECT_QUESTION: Select[Any] = select(*(_claim[name] for name in QUESTION_COLUMNS)).where(
    _claim.id == bindparam("claim"), _claim.until_seq.is_(None)
)
"""The question of a claim, by its id."""


@lru_cache(maxsize=10_000)
def question_key(category: str, subject: str, place: str) -> int:
    """Return the key of a question: the first 64 bits of a hash, as a signed integer."""
    digest = hashlib.blake2b(f"{category}\0{subject}\0{place}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
