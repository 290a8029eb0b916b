"""Which requests are answered: those with the API key that a closed register needs, and within the rate limits."""

import asyncio
import base64
import binascii
from contextlib import suppress

from fastapi.security.utils import get_authorization_scheme_param
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State
from starlette.types import Scope

from app.database.api_keys import Actor, get_cached_actor, hash_key, load_actor
from app.database.engine import Database
from app.errors import Problem, Unauthorized
from app.http.problems import DATABASE_ERRORS
from app.http.rate_limits import Allowance, RateLimiter, too_many_requests
from app.settings import Settings

OPEN_PATHS = frozenset({"/health/live", "/health/ready"})
"""Paths that need no key and have no limit, so that a monitoring system always has an answer."""

UNLIMITED_PATHS = OPEN_PATHS | {"/metrics"}
"""Paths whose requests are not counted. Their responses are not cached, so that no database is polled for them."""

CHALLENGE = 'Bearer realm="counterclaim"'
"""The challenge of a 401 (RFC 6750, section 3)."""

BROWSER_CHALLENGE = f'{CHALLENGE}, Basic realm="counterclaim", charset="UTF-8"'
"""The challenge of a closed register: a browser asks for a name, which is ignored, and a password, which is the key."""


class AccessControl:
    """Decides which requests are answered."""

    def __init__(self, settings: Settings, state: State) -> None:
        """Apply the settings to requests of the application that has `state`."""
        self.limiter = RateLimiter(settings)
        self.needs_key = not settings.public_reads
        """Whether reading needs an API key."""
        self.is_needed = self.needs_key or self.limiter.has_limits
        """Whether reads are checked or counted at all."""
        self._state = state
        self._lookups: dict[tuple[str, bytes], asyncio.Task[Actor | None]] = {}

    def admit_at_once(self, scope: Scope, amount: int) -> Allowance | bool:
        """Return what the client of a read may still send; True without a limit.

        False: the request is refused, or a key has to be looked up first, see `admit`.
        """
        key = read_key(scope, accepts_password=self.needs_key)
        digest = None
        if key is not None or self.needs_key:
            if key is None or (self.needs_key and get_cached_actor(self.database, key) is None):
                return False
            digest = hash_key(key)
            if not self.needs_key and not self.limiter.is_known_key(digest):
                return False
        allowance = self.limiter.take(scope, digest, amount)
        return True if allowance is None else allowance.is_allowed and allowance

    async def admit(self, scope: Scope, seconds: float) -> Allowance | None:
        """Return what the client of a request may still send; None without a limit.

        Args:
            scope: The request.
            seconds: How long the lookup of a key may take.

        Raises:
            TimeoutError: The database has not answered in time.
            Unauthorized: The register is closed, and the request has no valid key.
            TooManyRequests: The client has used up a limit.
        """
        path = scope["path"]
        if path in OPEN_PATHS:
            return None
        key = read_key(scope, accepts_password=self.needs_key and _is_read(scope))
        digest = None
        if self.needs_key and scope["method"] != "OPTIONS":
            async with asyncio.timeout(seconds):
                await self._require_key(scope, key)
            digest = hash_key(key or "")
        elif key is not None and path not in UNLIMITED_PATHS:
            with suppress(Problem, TimeoutError, *DATABASE_ERRORS):  # reading needs no key
                async with asyncio.timeout(seconds):
                    digest = await self._find_known_digest(scope, key)
        if path in UNLIMITED_PATHS:
            return None
        allowance = self.limiter.take(scope, digest)
        if allowance is not None and not allowance.is_allowed:
            raise too_many_requests(allowance)
        return allowance

    async def may_read(self, scope: Scope) -> bool:
        """Return whether the client of a stream may read on: in a closed register, whether its key is still valid."""
        if not self.needs_key:
            return True
        key = read_key(scope, accepts_password=True)
        try:
            return key is not None and await self.find_actor(scope, key) is not None
        except Problem:  # too many wrong keys
            return False
        except DATABASE_ERRORS:  # it is not known
            return True

    async def _require_key(self, scope: Scope, key: str | None) -> None:
        challenge = BROWSER_CHALLENGE if _is_read(scope) else CHALLENGE
        if key is None:
            hint = "send `Authorization: Bearer KEY`, or in a browser the key as the password"
            raise Unauthorized("This register needs an API key.", hint=hint, headers={"WWW-Authenticate": challenge})
        if await self.find_actor(scope, key) is None:
            raise unknown_key(challenge)

    async def _find_known_digest(self, scope: Scope, key: str) -> str | None:
        """Return the digest of a key if it is valid."""
        digest = hash_key(key)
        is_valid = self.limiter.is_known_key(digest) or await self.find_actor(scope, key) is not None
        return digest if is_valid else None

    async def find_actor(self, scope: Scope, key: str) -> Actor | None:
        """Return the holder of a key, None if the key is not valid.

        Requests at the same time share one lookup. Each of them counts if the key is wrong.

        Raises:
            TooManyRequests: The address has sent too many wrong keys. This one was not looked up.
        """
        actor = get_cached_actor(self.database, key)
        if actor is not None:
            return actor
        digest = hash_key(key)
        lookup_key = (digest, self.limiter.identify(scope))
        lookup = self._lookups.get(lookup_key)
        if lookup is not None:
            actor = await asyncio.shield(lookup)
            if actor is None:
                self.limiter.take_wrong_key(scope)
            return actor
        is_known = self.limiter.is_known_key(digest)
        if not is_known:
            self.limiter.take_wrong_key(scope)
        lookup = self._lookups[lookup_key] = asyncio.create_task(self._look_up(scope, key, digest, is_known=is_known))
        lookup.add_done_callback(lambda done: self._end_lookup(lookup_key, done))
        return await asyncio.shield(lookup)

    async def _look_up(self, scope: Scope, key: str, digest: str, *, is_known: bool) -> Actor | None:
        try:
            actor = await run_in_threadpool(load_actor, self.database, key)
        except BaseException:
            if not is_known:
                self.limiter.take_wrong_key(scope, -1)
            raise
        if is_known and actor is None:  # it has been revoked
            self.limiter.note_key(digest, is_valid=False)
            self.limiter.take_wrong_key(scope)
        elif not is_known and actor is not None:
            self.limiter.note_key(digest, is_valid=True)
            self.limiter.take_wrong_key(scope, -1)
        return actor

    def _end_lookup(self, lookup_key: tuple[str, bytes], lookup: "asyncio.Task[Actor | None]") -> None:
        self._lookups.pop(lookup_key, None)
        if not lookup.cancelled():
            lookup.exception()  # the requests that waited may have ended

    @property
    def database(self) -> Database:
        """The database of the application, which has the keys."""
        database: Database = self._state.database
        return database


def unknown_key(challenge: str = CHALLENGE) -> Unauthorized:
    """Return the problem of a request with a key that is not valid."""
    challenge = challenge.replace(CHALLENGE, f'{CHALLENGE}, error="invalid_token"')
    return Unauthorized("The API key is unknown, revoked or expired.", headers={"WWW-Authenticate": challenge})


def _is_read(scope: Scope) -> bool:
    return scope["method"] in ("GET", "HEAD")


def read_key(scope: Scope, *, accepts_password: bool = False) -> str | None:
    """Return the API key in the headers of a request; None without one.

    With `accepts_password`, the key may also be the password of Basic authentication, which browsers and feed readers
    ask for.
    """
    authorization = api_key = None
    for name, value in scope["headers"]:
        if name == b"authorization" and authorization is None:
            authorization = value.decode("latin-1")
        elif name == b"x-api-key" and api_key is None:
            api_key = value.decode("latin-1")
    if authorization is not None:
        scheme, credentials = get_authorization_scheme_param(authorization)
        if credentials and scheme.lower() == "bearer":
            return credentials
        if credentials and accepts_password and scheme.lower() == "basic":
            return _read_password(credentials) or api_key or None
    return api_key or None


def _read_password(credentials: str) -> str:
    """Return the password of Basic authentication (RFC 7617); an empty one if it cannot be read."""
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
