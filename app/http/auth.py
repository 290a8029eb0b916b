"""API keys and roles: who may write. Reading needs no key."""

import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import event, select, update
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from uuid_utils import uuid7

from app.database.engine import Database
from app.database.tables import ApiKey, columns_of
from app.enums import Role
from app.errors import Forbidden, Unauthorized

KEY_CACHE_SECONDS = 0.5
"""Seconds for which a key is not looked up again: so long it may outlive its revocation by another process."""

MAX_CACHED_KEYS = 10_000

ROLE_RANK = {Role.contributor: 1, Role.editor: 2, Role.admin: 3}

bearer_scheme = HTTPBearer(
    auto_error=False, scheme_name="key", description="An API key, as `Authorization: Bearer cc_…`."
)
header_scheme = APIKeyHeader(
    name="X-API-Key",
    auto_error=False,
    scheme_name="key_header",
    description="The same key, for tools that cannot send a bearer token.",
)


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
    """Make a key called `name`. The key itself is returned once and kept nowhere; its hash is."""
    key = f"cc_{secrets.token_urlsafe(32)}"
    session.add(ApiKey(id=str(uuid7()), name=name, role=role, digest=_hash_key(key), created_at=datetime.now(UTC)))
    return key


def list_keys(session: Session) -> list[ApiKey]:
    """Every key there is or was, oldest first."""
    return list(session.execute(select(ApiKey).order_by(ApiKey.created_at)).scalars())  # type: ignore[arg-type]


def revoke_key(session: Session, name: str) -> int:
    """Revoke the keys called `name`: how many still stood."""
    stands = (ApiKey.name == name) & ApiKey.revoked_at.is_(None)  # type: ignore[union-attr]
    event.listen(session, "after_commit", lambda _: _cached_actors.clear())
    result = session.execute(update(ApiKey).where(stands).values(revoked_at=datetime.now(UTC)))
    return int(result.rowcount)  # type: ignore[attr-defined]


def _hash_key(key: str) -> str:
    # 256 random bits cannot be guessed, so one fast hash is enough, and comparing hashes in an index leaks nothing.
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


_cached_actors: dict[tuple[Database, str], tuple[float, Actor]] = {}


async def _find_actor(database: Database, key: str) -> Actor | None:
    """Who has this key. One that was good is taken for good as long as `KEY_CACHE_SECONDS`, without another look."""
    digest = _hash_key(key)
    began = time.monotonic()
    since, actor = _cached_actors.get((database, digest), (0.0, None))
    if actor is not None and began - since < KEY_CACHE_SECONDS:
        return actor
    actor = await run_in_threadpool(_load_actor, database, digest)
    if len(_cached_actors) >= MAX_CACHED_KEYS:
        _cached_actors.clear()
    if actor is None:
        _cached_actors.pop((database, digest), None)
    else:
        _cached_actors[database, digest] = began, actor
    return actor


def _load_actor(database: Database, digest: str) -> Actor | None:
    with database.read() as session:
        columns = columns_of(ApiKey)
        wanted = select(columns.id, columns.name, columns.role)
        row = session.execute(wanted.where(columns.digest == digest, columns.revoked_at.is_(None))).first()
    return Actor(row.id, row.name, row.role) if row else None


def _require_role(role: Role) -> Callable[..., Awaitable[Actor]]:
    async def allowed(
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer_scheme)],
        plain: Annotated[str | None, Security(header_scheme)],
    ) -> Actor:
        key = credentials.credentials if credentials else plain
        challenge = {"WWW-Authenticate": "Bearer"}
        if not key:
            hint = "send `Authorization: Bearer KEY`; `counterclaim key create` makes one"
            raise Unauthorized("Writing needs an API key.", hint=hint, headers=challenge)
        actor = await _find_actor(request.app.state.database, key)
        if actor is None:
            raise Unauthorized("The key is not known, or was revoked.", headers=challenge)
        if not actor.has_role(role):
            raise Forbidden(f"This needs the role {role}; the key `{actor.name}` has {actor.role}.")
        return actor

    return allowed


require_contributor = _require_role(Role.contributor)

Contributor = Annotated[Actor, Depends(require_contributor)]
"""Whoever may add claims, citations and documents."""


async def authenticate_contributor(request: Request) -> Actor:
    """The same without FastAPI. Raises `Unauthorized` or `Forbidden`."""
    return await require_contributor(request, await bearer_scheme(request), await header_scheme(request))


Editor = Annotated[Actor, Depends(_require_role(Role.editor))]
"""Whoever may also keep sources, vocabularies and topics, and change and assess claims."""

Admin = Annotated[Actor, Depends(_require_role(Role.admin))]
"""Whoever may also take claims down."""
