"""API keys: create, list, revoke and authenticate them."""

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
"""Lifetime of a cached key. A key that another process revokes stays valid here for at most this long."""

MAX_CACHED_KEYS = 10_000

ROLE_RANK = {Role.contributor: 1, Role.editor: 2, Role.admin: 3}


@dataclass(frozen=True, slots=True)
class Actor:
    """The holder of an API key: the id, the name and the role of the key."""

    id: str
    name: str
    role: Role

    def has_role(self, role: Role) -> bool:
        """Return whether the actor has the permissions of `role`."""
        return ROLE_RANK[self.role] >= ROLE_RANK[role]


def create_key(session: Session, name: str, role: Role) -> str:
    """Create a key called `name` and return it. Only its hash is stored."""
    key = f"cc_{secrets.token_urlsafe(32)}"
    session.add(ApiKey(id=str(uuid7()), name=name, role=role, digest=_hash_key(key), created_at=datetime.now(UTC)))
    return key


def list_keys(session: Session) -> list[ApiKey]:
    """Return all keys, including revoked ones, oldest first."""
    return list(session.execute(select(ApiKey).order_by(ApiKey.created_at)).scalars())  # type: ignore[arg-type]


def revoke_key(database: Database, name: str) -> int:
    """Revoke the keys called `name` and return how many of them were valid."""
    is_valid = (ApiKey.name == name) & ApiKey.revoked_at.is_(None)  # type: ignore[union-attr]
    with database.write() as session:
        result = session.execute(update(ApiKey).where(is_valid).values(revoked_at=datetime.now(UTC)))
    database.caches[ACTORS].clear()
    return int(result.rowcount)


@dataclass(frozen=True, slots=True)
class _CachedActor:
    actor: Actor
    looked_up_at: float


def _expires_at(_digest: str, cached: _CachedActor, _now: float) -> float:
    return cached.looked_up_at + KEY_CACHE_SECONDS


class ActorCache:
    """A cache of the actors of valid keys by the hash of the key. Entries expire after `KEY_CACHE_SECONDS`."""

    def __init__(self) -> None:
        self._actors: TLRUCache[str, _CachedActor] = TLRUCache(MAX_CACHED_KEYS, ttu=_expires_at)
        self._lock = Lock()

    def get(self, digest: str) -> Actor | None:
        """Return the cached actor of a key, or None on a miss."""
        with self._lock:
            entry = self._actors.get(digest)
        return None if entry is None else entry.actor

    def store(self, digest: str, actor: Actor | None, looked_up_at: float) -> None:
        """Cache the actor of a key that was looked up at `looked_up_at`, or evict the key if it is not valid (None)."""
        with self._lock:
            if actor is None:
                self._actors.pop(digest, None)
            else:
                self._actors[digest] = _CachedActor(actor, looked_up_at)

    def clear(self) -> None:
        """Evict all keys."""
        with self._lock:
            self._actors.clear()


ACTORS = CacheKey("actors", lambda _database: ActorCache())


def get_cached_actor(database: Database, key: str) -> Actor | None:
    """Return the actor of a key from the cache, or None on a miss. Does not read the database."""
    return database.caches[ACTORS].get(_hash_key(key))


def load_actor(database: Database, key: str) -> Actor | None:
    """Read the actor of a key from the database; return None if the key does not exist or was revoked."""
    digest, looked_up_at = _hash_key(key), time.monotonic()
    columns = columns_of(ApiKey)
    is_valid = (columns.digest == digest) & columns.revoked_at.is_(None)
    with database.read_primary() as session:  # a replica that lags would accept a key that was revoked
        row = session.execute(select(columns.id, columns.name, columns.role).where(is_valid)).first()
    actor = Actor(row.id, row.name, row.role) if row else None
    database.caches[ACTORS].store(digest, actor, looked_up_at)
    return actor


def _hash_key(key: str) -> str:
    # A key has 256 random bits, so a fast hash without salt resists guessing, and an index lookup by hash is not a
    # timing leak.
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
