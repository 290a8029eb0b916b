"""API keys: create, list and revoke them, and find the one that a request was sent with."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock

from cachetools import TLRUCache
from sqlalchemy import select, update
from sqlmodel import Session
from uuid_utils import uuid7

from app.database.cache_registry import CacheKey
from app.database.engine import Database
from app.database.tables import ApiKey, columns_of
from app.enums import Role

KEY_CACHE_SECONDS = 0.5
"""Seconds for which a key is not looked up again: so long it may outlive its revocation by another process."""

MAX_CACHED_KEYS = 10_000

ROLE_RANK = {Role.contributor: 1, Role.editor: 2, Role.admin: 3}


@dataclass(frozen=True, slots=True)
class Actor:
    """Who writes: the id and name of the key, and its role."""

    id: str
    name: str
    role: Role

    def has_role(self, role: Role) -> bool:
        """Whether this one may do what `role` may."""
        return ROLE_RANK[self.role] >= ROLE_RANK[role]


def create_key(session: Session, name: str, role: Role) -> str:
    """Create a key called `name` and return it. It is not stored, only its hash."""
    key = f"cc_{secrets.token_urlsafe(32)}"
    session.add(ApiKey(id=str(uuid7()), name=name, role=role, digest=_hash_key(key), created_at=datetime.now(UTC)))
    return key


def list_keys(session: Session) -> list[ApiKey]:
    """Return every key, revoked ones included, oldest first."""
    return list(session.execute(select(ApiKey).order_by(ApiKey.created_at)).scalars())  # type: ignore[arg-type]


def revoke_key(database: Database, name: str) -> int:
    """Revoke the keys called `name` at once; return how many were valid."""
    stands = (ApiKey.name == name) & ApiKey.revoked_at.is_(None)  # type: ignore[union-attr]
    with database.write() as session:
        result = session.execute(update(ApiKey).where(stands).values(revoked_at=datetime.now(UTC)))
    database.caches[ACTORS].clear()
    return int(result.rowcount)


@dataclass(frozen=True, slots=True)
class _CachedActor:
    actor: Actor
    looked_up_at: float


def _expires_at(_digest: str, cached: _CachedActor, _now: float) -> float:
    return cached.looked_up_at + KEY_CACHE_SECONDS


class ActorCache:
    """The actors of the valid keys that were looked up in the last `KEY_CACHE_SECONDS`, by the hash of the key."""

    def __init__(self) -> None:
        self._actors: TLRUCache[str, _CachedActor] = TLRUCache(MAX_CACHED_KEYS, ttu=_expires_at)
        self._lock = Lock()

    def get(self, digest: str) -> Actor | None:
        """Return the actor of a key that was valid a moment ago."""
        with self._lock:
            found = self._actors.get(digest)
        return None if found is None else found.actor

    def store(self, digest: str, actor: Actor | None, looked_up_at: float) -> None:
        """Set the actor of a key as it was at `looked_up_at`; None: the key is not valid."""
        with self._lock:
            if actor is None:
                self._actors.pop(digest, None)
            else:
                self._actors[digest] = _CachedActor(actor, looked_up_at)

    def clear(self) -> None:
        """Evict every key."""
        with self._lock:
            self._actors.clear()


ACTORS = CacheKey("actors", lambda _database: ActorCache())


def get_cached_actor(database: Database, key: str) -> Actor | None:
    """Return who has this key if that was looked up a moment ago. Reads nothing."""
    return database.caches[ACTORS].get(_hash_key(key))


def load_actor(database: Database, key: str) -> Actor | None:
    """Return who has this key, or None if there is no such key or it was revoked."""
    digest, looked_up_at = _hash_key(key), time.monotonic()
    columns = columns_of(ApiKey)
    valid = (columns.digest == digest) & columns.revoked_at.is_(None)
    with database.read() as session:
        row = session.execute(select(columns.id, columns.name, columns.role).where(valid)).first()
    actor = Actor(row.id, row.name, row.role) if row else None
    database.caches[ACTORS].store(digest, actor, looked_up_at)
    return actor


def _hash_key(key: str) -> str:
    # 256 random bits cannot be guessed, so one fast hash is enough, and comparing hashes in an index leaks nothing.
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
