"""The address of a client, also behind trusted proxies."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.types import Scope

from app.settings import parse_networks

MAX_HOPS = 20
"""How many addresses of `X-Forwarded-For` are read, from its end."""

MAX_CACHED_ADDRESSES = 4_096
MAX_ADDRESS_CHARACTERS = 80

IPV6_PREFIX_BYTES = 8
"""The part of an IPv6 address that identifies a client: a subscriber has at least a /64."""


class ClientAddresses:
    """Finds out from which address requests come. `X-Forwarded-For` counts only if a trusted proxy sends it."""

    def __init__(self, trusted_proxies: str) -> None:
        """Trust the addresses and networks in a list."""
        self._trusted = parse_networks(trusted_proxies)
        self._is_trusted = lru_cache(MAX_CACHED_ADDRESSES)(self._find_trusted)

    def identify(self, scope: Scope) -> bytes:
        """Return what identifies a client: an IPv4 address, or the /64 of an IPv6 address."""
        client = scope.get("client")
        host: str = client[0] if client else ""
        if self._trusted and self._is_trusted(host):
            host = self._find_forwarded(scope, host)
        return identify_host(host)

    def _find_forwarded(self, scope: Scope, proxy: str) -> str:
        """Return the last address in `X-Forwarded-For` that is not a trusted proxy.

        Each proxy appends the address from which it was called, so what stands before that may be forged. If an
        address cannot be read, the proxy that sent it counts as the client.
        """
        values = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        host = proxy
        for part in reversed(b",".join(values).decode("latin-1").split(",")[-MAX_HOPS:]):
            forwarded = _without_port(part.strip())
            if _parse(forwarded) is None:
                return host
            host = forwarded
            if not self._is_trusted(host):
                return host
        return host

    def _find_trusted(self, host: str) -> bool:
        address = _parse(host)
        return address is not None and any(address in network for network in self._trusted)


@lru_cache(MAX_CACHED_ADDRESSES)
def identify_host(host: str) -> bytes:
    """Return what identifies the client at `host`."""
    address = _parse(host)
    if address is None:
        return host[:MAX_ADDRESS_CHARACTERS].encode("utf-8", "replace")
    return address.packed if isinstance(address, IPv4Address) else address.packed[:IPV6_PREFIX_BYTES]


def _parse(host: str) -> IPv4Address | IPv6Address | None:
    """Return an address; an IPv4 address that is mapped into IPv6 as such; None for any other text."""
    if len(host) > MAX_ADDRESS_CHARACTERS:
        return None
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _without_port(text: str) -> str:
    """Return the address in `192.0.2.1:80`, `[2001:db8::1]:80` or `[2001:db8::1]`; any other text as it is."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
