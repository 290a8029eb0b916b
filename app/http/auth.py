"""Authentication by API key, and authorization of writes by role. Reads need no key, unless the register is closed."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from app.database.api_keys import Actor
from app.enums import Role
from app.errors import Forbidden, Problem, Unauthorized
from app.http.access import CHALLENGE, AccessControl, unknown_key

bearer_scheme = HTTPBearer(
    auto_error=False, scheme_name="key", description="An API key, as `Authorization: Bearer cc_…`."
)
header_scheme = APIKeyHeader(
    name="X-API-Key",
    auto_error=False,
    scheme_name="key_header",
    description="The same key, for tools that cannot send a bearer token.",
)


KEY_PROBLEM = "key_problem"
"""Name in the state of a request of the problem with its key: the key is not looked up again."""


async def _find_actor(request: Request, key: str) -> Actor:
    state = request.scope.setdefault("state", {})
    if KEY_PROBLEM in state:
        raise state[KEY_PROBLEM]
    access: AccessControl = request.app.state.access
    try:
        actor = await access.find_actor(request.scope, key)
        if actor is None:
            raise unknown_key()
    except Problem as problem:
        state[KEY_PROBLEM] = problem
        raise
    return actor


def _require_role(role: Role) -> Callable[..., Awaitable[Actor]]:
    async def authorize(
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer_scheme)],
        header_key: Annotated[str | None, Security(header_scheme)],
    ) -> Actor:
        key = credentials.credentials if credentials else header_key
        if not key:
            hint = "send `Authorization: Bearer KEY`; `counterclaim key create` creates one"
            raise Unauthorized("Writing needs an API key.", hint=hint, headers={"WWW-Authenticate": CHALLENGE})
        actor = await _find_actor(request, key)
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

Mirror = Annotated[Actor, Depends(_require_role(Role.mirror))]
"""An actor who may hold leases, and nothing else that needs a key."""

Admin = Annotated[Actor, Depends(_require_role(Role.admin))]
"""An actor who may also take claims down."""
