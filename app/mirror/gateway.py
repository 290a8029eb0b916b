"""Which requests a mirror answers, and which it sends to its origin.

Writes, requests about keys and leases, and reads of a state that the mirror has not reached are answered with a 307 to
the origin. A mirror forwards nothing itself: it would see the API keys of other people.
"""

from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Scope, Send
from uuid_utils import uuid7

from app.http.cache_middleware import SEQ_HEADER
from app.http.consistency import MAX_DIGITS, NAMED_STATES
from app.http.middleware import CONTENT_POLICY, STANDARD_HEADERS
from app.mirror.follower import Follower

WRITE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})

ORIGIN_PATHS = ("/v1/keys", "/v1/leases")
"""The paths whose reads only the origin answers."""

OFFLINE_HEADER = b"x-register-offline-since"

EPOCH_HEADER = "x-register-epoch"


class MirrorGateway:
    """Decides for each request of a mirror whether it is answered. It stands for the lease of the process, too."""

    def __init__(self, follower: Follower, public_url: str, *, serves_offline: bool) -> None:
        """Send to `public_url` what the mirror does not answer. It goes on without its origin if `serves_offline`."""
        self.follower = follower
        self._public_url = public_url
        self._serves_offline = serves_offline

    def is_held(self) -> bool:
        """Return whether the mirror may answer at this moment."""
        return not self.follower.is_forked and (self._serves_offline or self.follower.is_held())

    def close(self) -> None:
        """Follow no more."""
        self.follower.close()

    def offline_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the header of every answer while the origin cannot be reached: since when."""
        if not self._serves_offline or self.follower.is_held():
            return []
        since = self.follower.contact_at.isoformat(timespec="seconds").replace("+00:00", "Z")
        return [(OFFLINE_HEADER, since.encode())]

    def mark(self, send: Send) -> Send:
        """Return `send`, which adds `X-Register-Offline-Since` while the origin cannot be reached."""
        if not self._serves_offline:
            return send

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self.offline_headers()]}
            await send(message)

        return send_marked

    def find_redirect(self, scope: Scope) -> Response | None:
        """Return the redirect of a request that the origin answers, or None."""
        path: str = scope["path"]
        is_of_origin = scope["method"] in WRITE_METHODS or path.startswith(ORIGIN_PATHS)
        if not is_of_origin and not self._is_ahead(scope):
            return None
        raw: bytes = scope.get("raw_path") or path.encode("ascii", "ignore")
        query: bytes = scope["query_string"]
        location = raw.partition(b"?")[0] + (b"?" + query if query else b"")
        response = Response(status_code=307)
        response.raw_headers += [
            (b"location", self._public_url.encode() + location),
            (b"cache-control", b"no-store"),
            (b"x-request-id", uuid7().hex.encode()),
            *STANDARD_HEADERS,
            CONTENT_POLICY,
        ]
        return response

    def _is_ahead(self, scope: Scope) -> bool:
        """Return whether a request names a state that the mirror has not reached."""
        position = self.follower.position
        headers = Headers(scope=scope)
        epoch = headers.get(EPOCH_HEADER, "")
        if epoch.isdecimal() and len(epoch) <= MAX_DIGITS and int(epoch) > position.epoch:
            return True
        named = [headers.get(SEQ_HEADER.decode(), "")]
        if b"=" in scope["query_string"]:
            names = (*NAMED_STATES, "seq")
            parameters = parse_qsl(scope["query_string"].decode("latin-1"))
            named += [value.removeprefix("seq:") for name, value in parameters if name in names]
        return any(_is_beyond(value, position.epoch, position.seq) for value in named)


def _is_beyond(text: str, epoch: int, seq: int) -> bool:
    """Return whether a `SEQ` or `EPOCH:SEQ` is beyond a position. Anything else is not."""
    named, _, number = text.rpartition(":")
    if not all(part.isdecimal() and len(part) <= MAX_DIGITS for part in (named or "1", number)):
        return False
    return int(named or 1) > epoch or int(number) > seq
