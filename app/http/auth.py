"""Authentication by API key, and authorization of writes by role. Reads need no key."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from app.database.api_keys import Actor, get_cached_actor, load_actor
from app.database.engine import Database
from app.enums import Role
from app.errors import Forbidden, Unauthorized

bearer_scheme = HTTPBearer(
    auto_error=False, scheme_name="key", description="An API key, as `Authorization: Bearer cc_…`."
)
header_scheme = APIKeyHeader(
    name="X-API-Key",
    auto_error=False,
    scheme_name="key_header",
    description="The same key, for tools that cannot send a bearer token.",
)


CHALLENGE = 'Bearer realm="counterclaim"'
"""The challenge of a 401 (RFC 6750, section 3)."""


def _require_role(role: Role) -> Callable[..., Awaitable[Actor]]:
    async def authorize(
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer_scheme)],
        header_key: Annotated[str | None, Security(header_scheme)],
    ) -> Actor:
        key = credentials.credentials if credentials else header_key
        challenge = {"WWW-Authenticate": CHALLENGE}
        if not key:
            hint = "send `Authorization: Bearer KEY`; `counterclaim key create` creates one"
            raise Unauthorized("Writing needs an API key.", hint=hint, headers=challenge)
        database: Database = request.app.state.database
        actor = get_cached_actor(database, key) or await run_in_threadpool(load_actor, database, key)
        if actor is None:
            challenge = {"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token"'}
            raise Unauthorized("The API key is unknown, revoked or expired.", headers=challenge)
        if not actor.has_role(role):
            raise Forbidden(f"This needs the role {role}; the key `{actor.name}` has {actor.role}.")
        return actor

    authorize.role = role  # type: ignore[attr-defined] # by which a route finds its check
    return authorize


require_contributor = _require_role(Role.contributor)

Contributor = Annotated[Actor, Depends(require_contributor)]
"""An actor who may add claims, citations and documents."""


async def authenticate(request: Request, check: Callable[..., Awaitable[Actor]]) -> Actor:
    """Return the actor of a request without dependency injection. Raises `Unauthorized` or `Forbidden`.

    `check` is the check of a role, such as `require_contributor`.
    """
    return await check(request, await bearer_scheme(request), await header_scheme(request))


Editor = Annotated[Actor, Depends(_require_role(Role.editor))]
"""An actor who may also edit sources, vocabularies and topics, and change and assess claims."""

Admin = Annotated[Actor, Depends(_require_role(Role.admin))]
"""An actor who may also take claims down."""
