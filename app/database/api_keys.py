"""API keys: create, list, revoke and authenticate them."""

import hashlib
import secrets
import time
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock

from cachetools import TLRUCache
from sqlalchemy import select, update
from sqlmodel import Session
from uuid_utils import uuid7

from app.database.cache_registry import CacheKey
from app.database.engine import Database
from app.database.tables import ApiKey, columns_of, table_of
from app.database.types import ID_PATTERN
from app.enums import Role
from app.errors import invalid_field

KEY_CACHE_SECONDS = 0.5
"""Lifetime of a cached key. A key that another process revokes stays valid here for at most this long."""

MAX_CACHED_KEYS = 10_000

MAX_NAME_CHARACTERS = 80

LAST_USE_PRECISION = timedelta(hours=1)
"""How old the recorded last use of a key becomes before it is recorded again."""

ROLE_RANK = {Role.mirror: 0, Role.contributor: 1, Role.editor: 2, Role.admin: 3}


@dataclass(frozen=True, slots=True)
class Actor:
    """The holder of an API key: the id, the name and the role of the key."""

    id: str
    name: str
    role: Role
    last_used_at: datetime | None = None

    def has_role(self, role: Role) -> bool:
        """Return whether the actor has the permissions of `role`."""
        if role is Role.mirror:
            return self.role is role  # no other role includes it
        return ROLE_RANK[self.role] >= ROLE_RANK[role]


def create_key(session: Session, name: str, role: Role, *, expires_at: datetime | None = None) -> str:
    """Create a key called `name` and return it. Only its hash is stored.

    Raises:
        InvalidRequest: The name cannot be printed, or the key would have expired already.
    """
    check_key_name(name)
    now = datetime.now(UTC)
    if expires_at is not None and expires_at <= now:
        raise invalid_field("expires_at", "The moment has passed; expected a later one.")
    key = f"cc_{secrets.token_urlsafe(32)}"
    session.add(
        ApiKey(id=str(uuid7()), name=name, role=role, digest=hash_key(key), created_at=now, expires_at=expires_at)
    )
    return key


def check_key_name(name: str) -> None:
    """Raise `InvalidRequest` unless a name can be printed: in the change log, in feeds, and in a line of the log."""
    is_printable = name.isprintable() and name == name.strip() and unicodedata.is_normalized("NFC", name)
    if not (is_printable and 0 < len(name) <= MAX_NAME_CHARACTERS):
        detail = f"Expected 1 to {MAX_NAME_CHARACTERS} printable characters (NFC), without spaces at the ends."
        raise invalid_field("name", detail)


def find_key(session: Session, id_: str) -> ApiKey | None:
    """Return the key with an id, or None."""
    if not ID_PATTERN.fullmatch(id_):
        return None  # PostgreSQL refuses to compare it
    key: ApiKey | None = session.execute(select(ApiKey).where(columns_of(ApiKey).id == id_)).scalar()
    return key


def find_key_of(session: Session, secret: str) -> ApiKey:
    """Return the key that is `secret`, which has just been created."""
    key: ApiKey = session.execute(select(ApiKey).where(columns_of(ApiKey).digest == hash_key(secret))).scalar_one()
    return key


def revoke_key_by_id(database: Database, id_: str) -> ApiKey | None:
    """Revoke one key and return it; None if there is no such key. One that is revoked stays as it is."""
    with database.write() as session:
        key = find_key(session, id_)
        if key is not None and key.revoked_at is None:
            key.revoked_at = datetime.now(UTC)
        session.flush()
    database.caches[ACTORS].clear()
    return key


def note_key_use(session: Session, actor: Actor, at: datetime) -> None:
    """Record that a key was used, at most once an hour."""
    if actor.last_used_at is not None and at - actor.last_used_at < LAST_USE_PRECISION:
        return
    table = table_of(ApiKey)
    session.execute(update(table).where(table.c.id == actor.id).values(last_used_at=at))


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
    return database.caches[ACTORS].get(hash_key(key))


def load_actor(database: Database, key: str) -> Actor | None:
    """Read the actor of a key from the database; return None if it does not exist, was revoked, or has expired."""
    digest, looked_up_at = hash_key(key), time.monotonic()
    columns = columns_of(ApiKey)
    is_valid = (columns.digest == digest) & columns.revoked_at.is_(None)
    is_valid &= columns.expires_at.is_(None) | (columns.expires_at > datetime.now(UTC))
    with database.read_primary() as session:  # a replica that lags would accept a key that was revoked
        row = session.execute(
            select(columns.id, columns.name, columns.role, columns.last_used_at).where(is_valid)
        ).first()
    actor = Actor(*row) if row else None
    database.caches[ACTORS].store(digest, actor, looked_up_at)
    return actor


def hash_key(key: str) -> str:
    """Return the hash by which a key is stored and cached."""
    # A key has 256 random bits, so a fast hash without salt resists guessing, and an index lookup by hash is not a
    # timing leak.
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
