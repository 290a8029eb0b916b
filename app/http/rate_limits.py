"""Rate limits: how many requests a client may send, by API key or by address, and how many wrong keys.

The headers are those of draft-ietf-httpapi-ratelimit-headers: structured fields with the parameters `q`, `w`, `r`
and `t`.
"""

from functools import lru_cache, partial
from math import ceil
from typing import NamedTuple

from starlette.types import Scope

from app.errors import TooManyRequests
from app.http.client_address import ClientAddresses
from app.http.counter_table import CounterTable, counter_key, shared_file
from app.settings import Settings

WINDOW_SECONDS = 60

MAX_WRONG_KEYS = 20
"""How many wrong keys an address may send in a window, before no key of it is looked up."""

KNOWN_KEY_SECONDS = 3_600
"""How long a key that was valid is known: it is looked up even if its address has sent too many wrong ones."""

MAX_CACHED_COUNTERS = 4_096
"""How many clients of a limit have the key of their counter cached."""

Header = tuple[bytes, bytes]


class LimitPolicy:
    """A limit: its name in the headers and the requests in a window (0: no limit)."""

    def __init__(self, name: str, quota: int) -> None:
        self.name = name
        self.quota = quota
        self.kind = name.encode()
        """The kind of its counters."""
        self.description = f'"{name}";q={quota};w={WINDOW_SECONDS}'.encode()
        """The value of `RateLimit-Policy`."""
        self.state_format = b'"%b";r=%%d;t=%%d' % self.kind
        self.lines_format = b"ratelimit-policy: %b\r\nratelimit: %b\r\n" % (self.description, self.state_format)
        self.find_counter = lru_cache(MAX_CACHED_COUNTERS)(partial(counter_key, self.kind))
        """Returns the key of the counter of a client."""


class Allowance(NamedTuple):
    """What a client may still send under a limit."""

    policy: LimitPolicy
    counter: int
    """The key of the counter of the client."""
    remaining: int
    seconds_left: int
    is_allowed: bool

    @property
    def lines(self) -> bytes:
        """The lines of the headers that tell the client."""
        return self.policy.lines_format % (self.remaining, self.seconds_left)

    def headers(self) -> list[Header]:
        """Return the headers that tell the client."""
        policy = self.policy
        state = policy.state_format % (self.remaining, self.seconds_left)
        return [(b"ratelimit-policy", policy.description), (b"ratelimit", state)]


class RateLimiter:
    """The counters of all clients, and the limits."""

    def __init__(self, settings: Settings, table: CounterTable | None = None) -> None:
        """Use the limits in the settings. The table is that of the machine, unless it is given."""
        self.by_address = LimitPolicy("address", settings.rate_limit)
        self.by_key = LimitPolicy("key", settings.key_rate_limit)
        self.wrong_keys = LimitPolicy("wrong-keys", MAX_WRONG_KEYS)
        self.table = table or CounterTable(shared_file())
        self.has_limits = bool(self.by_address.quota or self.by_key.quota)
        """Whether requests are counted."""
        self._addresses = ClientAddresses(settings.trusted_proxies)

    def identify(self, scope: Scope) -> bytes:
        """Return what identifies the client of a request: its address, or network."""
        return self._addresses.identify(scope)

    def take(self, scope: Scope, key_digest: str | None = None, amount: int = 1) -> Allowance | None:
        """Count a request, and return what its client may still send; None if there is no limit for it.

        Args:
            scope: The request.
            key_digest: The digest of its API key, if that is known to be valid.
            amount: 1, or 0 for a request that does not count.
        """
        policy = self.by_address if key_digest is None else self.by_key
        if not policy.quota:
            return None
        name = self.identify(scope) if key_digest is None else key_digest.encode()
        return self._take(policy, policy.find_counter(name), amount)

    def give_back(self, allowance: Allowance) -> Allowance:
        """Do not count a request after all."""
        return self._take(allowance.policy, allowance.counter, -1)

    def _take(self, policy: LimitPolicy, counter: int, amount: int) -> Allowance:
        value, seconds_left, is_counted = self.table.add(counter, WINDOW_SECONDS, policy.quota, amount)
        return Allowance(policy, counter, policy.quota - value, ceil(seconds_left), is_counted)

    def take_wrong_key(self, scope: Scope, amount: int = 1) -> None:
        """Count a key of an address as wrong. Raises `TooManyRequests` if it has sent too many.

        A key is counted before it is looked up, and taken back (-1) if it is valid, so that requests at the same time
        are not all looked up.
        """
        counter = self.wrong_keys.find_counter(self.identify(scope))
        allowance = self._take(self.wrong_keys, counter, amount)
        if not allowance.is_allowed:
            raise too_many_requests(allowance, "This address has sent too many wrong API keys.")

    def is_known_key(self, digest: str) -> bool:
        """Return whether a key was valid on this machine a short time ago."""
        return self.table.read(counter_key(b"known-key", digest.encode())) > 0

    def note_key(self, digest: str, *, is_valid: bool) -> None:
        """Note that a key was found to be valid, or is no longer."""
        self.table.add(counter_key(b"known-key", digest.encode()), KNOWN_KEY_SECONDS, 1, 1 if is_valid else -1)


def too_many_requests(allowance: Allowance, detail: str | None = None) -> TooManyRequests:
    """Return the problem of a client that has used up a limit."""
    seconds = max(1, allowance.seconds_left)
    whose = "this API key" if allowance.policy.name == "key" else "this address"
    detail = detail or f"The limit for {whose} is {allowance.policy.quota:,} requests in {WINDOW_SECONDS} seconds."
    headers = {name.decode(): value.decode() for name, value in allowance.headers()}
    hint = f"send the next request in {seconds} seconds; a request with `If-None-Match` that gets a 304 does not count"
    if allowance.policy.name == "wrong-keys":
        hint = f"check the key, and send the next request in {seconds} seconds"
    return TooManyRequests(detail, hint=hint, headers={"Retry-After": str(seconds), **headers})
