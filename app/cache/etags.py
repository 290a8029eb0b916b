"""Answers that a client may keep: strong ETags, 304 where it still has the same bytes (RFC 9110, 8.8 and 13.1)."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.responses import Response

SHARED = "public, max-age=0, s-maxage=1"
"""Every client asks again whether its copy still holds; a cache that many share may answer for a second by itself."""

About = Mapping[str, frozenset[str]]
"""Which claims an answer speaks of: those that have one of these words in each of these fields of theirs.

The fields are `id`, `category`, `subject`, `place`, `source`, `kind`, `modality`, `aggregation`, and as `level` that of
the newest assessment. No field: every claim.
"""


@dataclass(frozen=True, slots=True)
class Basis:
    """What an answer rests on: the state that was read, and the claims that it speaks of (none: any change counts).

    `keys` are the names under which a cache in front of the service can forget it again (`Surrogate-Key`).
    """

    seq: int
    about: About | None = None
    keys: tuple[str, ...] = ()


def of_claim(seq: int, id_: str) -> Basis:
    """The basis of an answer about one claim, read at `seq`."""
    return Basis(seq, {"id": frozenset({id_})}, (f"claim-{id_}",))


def of_record(seq: int, key: str) -> Basis:
    """The basis of an answer that no claim changes, about the record that a cache should know as `key`."""
    return Basis(seq, {"id": frozenset()}, (key,))


def of_topic(seq: int, topic: Mapping[str, Any]) -> Basis:
    """The basis of an answer about a topic, or any question with a subject and a place."""
    about = {name: frozenset({topic[name]}) for name in ("subject", "place") if topic.get(name)}
    return Basis(seq, about, (f"topic-{topic['slug']}",) if topic.get("slug") else ())


def digest(*parts: bytes) -> str:
    """A short name for exactly these bytes."""
    summed = hashlib.sha256()
    for part in parts:
        summed.update(part)
    return summed.hexdigest()[:24]


ENCODED = re.compile(r'-(?:zstd|br|gzip)"$')
"""How the ETag of a compressed answer differs from that of the same answer as it is."""


def matches(asked: str, etag: str) -> bool:
    """Whether `If-None-Match` names `etag`, in whatever encoding (weak comparison, as RFC 9110 asks for GET)."""
    return asked.strip() == "*" or etag in {
        ENCODED.sub('"', tag.strip().removeprefix("W/")) for tag in asked.split(",")
    }


def still_has(request: Request, etag: str) -> bool:
    """Whether the client says that it holds the answer called `etag`."""
    asked = request.headers.get("if-none-match")
    return asked is not None and matches(asked, etag)


def answer(
    request: Request,
    body: bytes,
    media_type: str,
    *,
    tag: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    basis: Basis | None = None,
) -> Response:
    """`body` with its ETag (beginning with `tag`). With a `basis` it may be kept and sent again: see `app/front.py`.

    The front door makes it a 304 for a client that has these bytes already.
    """
    etag = f'"{tag}{digest(media_type.encode(), body)}"'
    kept = {"ETag": etag, "Cache-Control": SHARED if basis else "no-cache", "Vary": "Accept", **(headers or {})}
    if basis is not None:
        request.state.basis = basis
        if basis.keys:
            kept["Surrogate-Key"] = " ".join(basis.keys)
    return Response(body, status_code=status, media_type=media_type, headers=kept)
