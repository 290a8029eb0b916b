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

TRUSTED = 0.5
"""Seconds for which a key is not looked up again: so long it may outlive its revocation by another process."""

MOST_TRUSTED = 10_000

RANK = {Role.contributor: 1, Role.editor: 2, Role.admin: 3}

bearer = HTTPBearer(auto_error=False, scheme_name="key", description="An API key, as `Authorization: Bearer cc_…`.")
header = APIKeyHeader(
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

    def may(self, role: Role) -> bool:
        """Whether this one may do what `role` may."""
        return RANK[self.role] >= RANK[role]


def create_key(session: Session, name: str, role: Role) -> str:
    """Make a key called `name`. The key itself is returned once and kept nowhere; its hash is."""
    key = f"cc_{secrets.token_urlsafe(32)}"
    session.add(ApiKey(id=str(uuid7()), name=name, role=role, digest=_digest(key), created_at=datetime.now(UTC)))
    return key


def list_keys(session: Session) -> list[ApiKey]:
    """Every key there is or was, oldest first."""
    return list(session.execute(select(ApiKey).order_by(ApiKey.created_at)).scalars())  # type: ignore[arg-type]


def revoke_key(session: Session, name: str) -> int:
    """Revoke the keys called `name`: how many still stood."""
    stands = (ApiKey.name == name) & ApiKey.revoked_at.is_(None)  # type: ignore[union-attr]
    event.listen(session, "after_commit", lambda _: _trusted.clear())
    result = session.execute(update(ApiKey).where(stands).values(revoked_at=datetime.now(UTC)))
    return int(result.rowcount)  # type: ignore[attr-defined]


def _digest(key: str) -> str:
    # 256 random bits cannot be guessed, so one fast hash is enough, and comparing hashes in an index leaks nothing.
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


_trusted: dict[tuple[Database, str], tuple[float, Actor]] = {}


async def _actor(database: Database, key: str) -> Actor | None:
    """Who has this key. One that was good is taken for good as long as `TRUSTED`, without another look."""
    digest = _digest(key)
    began = time.monotonic()
    since, actor = _trusted.get((database, digest), (0.0, None))
    if actor is not None and began - since < TRUSTED:
        return actor
    actor = await run_in_threadpool(_look_up, database, digest)
    if len(_trusted) >= MOST_TRUSTED:
        _trusted.clear()
    if actor is None:
        _trusted.pop((database, digest), None)
    else:
        _trusted[database, digest] = began, actor
    return actor


def _look_up(database: Database, digest: str) -> Actor | None:
    with database.read() as session:
        columns = columns_of(ApiKey)
        wanted = select(columns.id, columns.name, columns.role)
        row = session.execute(wanted.where(columns.digest == digest, columns.revoked_at.is_(None))).first()
    return Actor(row.id, row.name, row.role) if row else None


def _at_least(role: Role) -> Callable[..., Awaitable[Actor]]:
    async def allowed(
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
        plain: Annotated[str | None, Security(header)],
    ) -> Actor:
        key = credentials.credentials if credentials else plain
        challenge = {"WWW-Authenticate": "Bearer"}
        if not key:
            hint = "send `Authorization: Bearer KEY`; `counterclaim key create` makes one"
            raise Unauthorized("Writing needs an API key.", hint=hint, headers=challenge)
        actor = await _actor(request.app.state.database, key)
        if actor is None:
            raise Unauthorized("The key is not known, or was revoked.", headers=challenge)
        if not actor.may(role):
            raise Forbidden(f"This needs the role {role}; the key `{actor.name}` has {actor.role}.")
        return actor

    return allowed


contributor = _at_least(Role.contributor)

Contributor = Annotated[Actor, Depends(contributor)]
"""Whoever may add claims, citations and documents."""


async def contributor_of(request: Request) -> Actor:
    """The same without FastAPI. Raises `Unauthorized` or `Forbidden`."""
    return await contributor(request, await bearer(request), await header(request))


Editor = Annotated[Actor, Depends(_at_least(Role.editor))]
"""Whoever may also keep sources, vocabularies and topics, and change and assess claims."""

Admin = Annotated[Actor, Depends(_at_least(Role.admin))]
"""Whoever may also take claims down."""
