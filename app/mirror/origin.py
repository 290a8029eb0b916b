"""The register that a mirror copies, over HTTP."""

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import orjson

from app import __version__
from app.database.leases import LogPosition
from app.errors import MirrorFailed

SILENCE_SECONDS = 10.0
"""How long the origin may send nothing."""

CHUNK_BYTES = 2**18

MAX_ANSWER_BYTES = 10_000_000
"""The longest answer that is read into memory."""


LEASE_REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT)


class OriginUnreachable(Exception):
    """The origin does not answer, or answers with an error that passes."""


class OriginForked(Exception):
    """The origin does not have the latest change of the mirror any more."""


@dataclass(frozen=True, slots=True)
class OriginDescription:
    """What a mirror has to know of its origin to answer with the same bytes."""

    address: str
    register: str
    base_url: str
    title: str
    terms: str

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Return what an earlier start has stored, if anything."""
        try:
            return cls(**orjson.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def store(self, path: Path) -> None:
        """Write the description to a file, for a start while the origin cannot be reached."""
        temporary = path.with_name(f"{path.name}.new")
        temporary.write_bytes(orjson.dumps(asdict(self)))
        temporary.replace(path)


@dataclass(frozen=True, slots=True)
class LeaseAnswer:
    """The answer to the renewal of a lease."""

    id: str
    held: bool
    seconds: float


class Origin:
    """The origin of a mirror. Requests share one connection, so that one thread at a time may send one."""

    def __init__(self, address: str, key: str = "") -> None:
        """Connect to the register at `address`, with an API key of the role `mirror` for leases."""
        parts = urlsplit(address.rstrip("/"))
        self.address = address.rstrip("/")
        self._host = parts.netloc
        self._path = parts.path
        self._connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._key = key
        self._connection: HTTPConnection | None = None

    def describe(self) -> OriginDescription:
        """Return what the register says about itself. Raises `MirrorFailed` if it cannot be mirrored."""
        with closing(self._get("/v1/register")) as answer:
            if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise MirrorFailed(
                    "The register is not public: a mirror knows no keys, and would serve it to everybody."
                )
            if answer.status != HTTPStatus.OK:
                raise MirrorFailed(f"{self.address}/v1/register answers {answer.status}: no register of this release.")
            body = _read_json(answer)
        with closing(self._get("/openapi.json")) as answer:
            release = _read_json(answer).get("info", {}).get("version")
        if release != __version__:
            detail = f"The register runs the release {release}, this is {__version__}: answers would differ."
            raise MirrorFailed(f"{detail} Install that release.")
        links_self = body["links"]["self"]
        base_url = "" if links_self.startswith("/") else links_self.removesuffix("/v1/register")
        return OriginDescription(self.address, body["id"], base_url, body["title"], body["terms"] or "")

    def fetch_changes(self, path: Path, position: LogPosition | None) -> bool:
        """Write what changed after `position`, or the whole package, to `path`; return whether there was something.

        Raises:
            OriginForked: The register does not have that change.
            OriginUnreachable: There is no answer now.
        """
        address, headers = "/v1/export", {}
        if position is not None:
            address += "?" + urlencode({"after": f"{position.epoch}:{position.seq}"})
            headers = {"X-Register-Seq": str(position.seq), "X-Register-Epoch": str(position.epoch)}
        with closing(self._get(address, headers)) as answer:
            if answer.status == HTTPStatus.NO_CONTENT:
                answer.read()
                return False
            if answer.status in (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY) and position is not None:
                answer.read(MAX_ANSWER_BYTES)
                raise OriginForked
            if answer.status != HTTPStatus.OK:
                raise OriginUnreachable(f"{self.address}{address} answers {answer.status}")
            with path.open("wb") as file:
                try:
                    while chunk := answer.read(CHUNK_BYTES):
                        file.write(chunk)
                except (OSError, HTTPException) as error:
                    self._connection = None
                    raise OriginUnreachable(str(error)) from None
        return True

    def renew_lease(self, lease: str | None, acknowledged: LogPosition) -> LeaseAnswer | None:
        """Renew a lease, or create one; return None if it was revoked. Raises `MirrorFailed` if the key may not."""
        body = {"id": lease, "epoch": acknowledged.epoch, "acknowledged": acknowledged.seq}
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        with closing(self._request("POST", "/v1/leases", orjson.dumps(body), headers)) as answer:
            found = _read_json(answer)
            if answer.status == HTTPStatus.NOT_FOUND and lease is not None:
                return None
            if answer.status != HTTPStatus.OK:
                detail = f"{self.address}/v1/leases answers {answer.status}: {found.get('detail', '')}"
                raise (MirrorFailed if answer.status in LEASE_REFUSALS else OriginUnreachable)(detail)
            return LeaseAnswer(found["id"], found["held"], found["seconds"])

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _get(self, path: str, headers: Mapping[str, str] | None = None) -> HTTPResponse:
        return self._request("GET", path, None, headers or {})

    def _request(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> HTTPResponse:
        """Return the answer to a request, whose body is read next. A lost connection is opened again once."""
        for is_last in (self._connection is None, True):
            if self._connection is None:
                self._connection = self._connect(self._host, timeout=SILENCE_SECONDS)
            try:
                sent = {"User-Agent": f"counterclaim-mirror/{__version__}", **headers}
                self._connection.request(method, self._path + path, body, sent)
                return self._connection.getresponse()
            except (OSError, HTTPException) as error:
                self.close()
                if is_last:
                    raise OriginUnreachable(f"{self.address} cannot be reached: {error}") from None
        raise AssertionError


def _read_json(answer: HTTPResponse) -> dict[str, Any]:
    try:
        found = orjson.loads(answer.read(MAX_ANSWER_BYTES))
    except (OSError, HTTPException, ValueError) as error:
        raise OriginUnreachable(f"the answer cannot be read: {error}") from None
    return found if isinstance(found, dict) else {}


def description_path(file: Path) -> Path:
    """Return where the description of the origin is stored, beside the file of a mirror."""
    return file.with_name(f"{file.name}.origin.json")


def package_path(file: Path) -> Path:
    """Return where packages are stored while they are read."""
    return file.with_name(f"{file.name}.{os.getpid()}.zip")
