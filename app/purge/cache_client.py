"""The requests to a shared cache that purge it, as docs/examples/varnish.vcl answers them."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from app.database.lease_keeper import read_clock
from app.database.leases import LogPosition
from app.errors import PurgeFailed

TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class CacheAnswer:
    """What a cache answers: the state that it was purged up to before the request, and its clock.

    `clock` is its time in seconds since 1970, `received_at` the time of `read_clock` at which it is at least that late.
    """

    known: str
    clock: float
    received_at: float


def format_known(position: LogPosition) -> str:
    """Return a position as the cache states it."""
    return f"{position.epoch}:{position.seq}"


class CacheClient:
    """A connection to a shared cache, which is opened again when it has failed."""

    def __init__(self, url: str) -> None:
        """Raise `PurgeFailed` if `url` is not an address of a server."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise PurgeFailed(f"--to {url}: {error}.") from None
        if parts.scheme not in {"http", "https"} or not host or parts.path.strip("/") or parts.query or parts.username:
            raise PurgeFailed(f"--to {url}: expected an address such as http://127.0.0.1:6081.")
        self.url = url
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(host, port, timeout=TIMEOUT_SECONDS)

    def read_state(self) -> CacheAnswer:
        """Return the state of the cache, without a change of it. Raises `PurgeFailed` as `purge` does."""
        return self._send({})

    def purge(self, position: LogPosition, keys: Sequence[str], until: float) -> CacheAnswer:
        """Purge the responses with one of `keys`, and tell that everything up to `position` is purged then.

        Args:
            position: The latest change that the purge includes.
            keys: The keys; none if only the position or the time changes.
            until: The time by the clock of the cache until which it may rely on purges; 0: no longer.

        Raises:
            PurgeFailed: The cache is not reached, or refuses.
        """
        headers = {
            "X-Purge-Epoch": str(position.epoch),
            "X-Purge-Seq": str(position.seq),
            "X-Purge-Until": f"{until:.3f}",
        }
        return self._send(headers | ({"X-Purge-Keys": " ".join(keys)} if keys else {}))

    def _send(self, headers: dict[str, str]) -> CacheAnswer:
        try:
            self._connection.request("PURGE", "/", headers=headers)
            response = self._connection.getresponse()
            response.read()
        except (OSError, HTTPException) as error:
            self.close()
            raise PurgeFailed(f"The cache at {self.url} does not answer: {error}.") from error
        received_at = read_clock()
        if response.status != HTTPStatus.OK:
            self.close()
            hint = "its configuration has to let this address purge (see docs/examples/varnish.vcl)"
            raise PurgeFailed(f"The cache at {self.url} answers {response.status} to PURGE: {hint}.")
        try:
            clock = float(response.headers["X-Purge-Clock"])
        except (TypeError, ValueError):
            self.close()
            detail = "does not tell its clock: it needs the configuration in docs/examples/varnish.vcl"
            raise PurgeFailed(f"The cache at {self.url} {detail}.") from None
        return CacheAnswer(response.headers.get("X-Purge-Known", ""), clock, received_at)

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        self._connection.close()
