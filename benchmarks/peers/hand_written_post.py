"""The hand-written peer's POST: one Pydantic model, and the INSERTs of the same rows in one durable transaction."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from hashlib import blake2b, sha256
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uuid_utils import uuid7

from benchmarks.peers.hand_written import fetch, send
from benchmarks.peers.hand_written_statements import LITE, READ

FOUND = """SELECT (SELECT unit FROM category WHERE slug = ? AND until_seq IS NULL), (SELECT slug FROM subject WHERE slug = ?
    AND until_seq IS NULL), (SELECT slug FROM place WHERE slug = ? AND until_seq IS NULL), (SELECT slug FROM source WHERE
    slug = ? AND until_seq IS NULL), (SELECT id FROM document WHERE address = ? AND until_seq IS NULL LIMIT 1)"""
WORD, LOCK = re.compile(r"\w+"), asyncio.Lock()


class Input(BaseModel, extra="forbid"):
    """A claim with a plain figure and one citation, as `workload.new_claims` makes them; objects stay dictionaries."""

    category: str
    subject: str
    place: str
    modality: str
    source: str
    figure: dict[str, str | float]
    period: dict[str, str]
    date: date
    note: str | None = None
    citations: list[dict[str, Any]]


def words(*texts: str | None) -> str | list[str]:
    found = sorted({word for text in texts if text for word in WORD.findall(text.lower())})
    return " ".join(found) if LITE else found


@asynccontextmanager
async def transaction(connection: Any) -> AsyncIterator[None]:
    if not LITE:
        async with LOCK, connection.transaction():
            yield
        return
    connection.execute("BEGIN IMMEDIATE")
    with connection:  # commits, or rolls back
        yield


async def insert(connection: Any, rows: list[tuple[str, dict[str, Any]]]) -> None:
    statements = [
        (f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
        for table, row in rows
    ]
    if LITE:
        for statement, values in statements:
            connection.execute(statement, values)
        return
    async with connection.pipeline():
        for statement, values in statements:
            await connection.execute(statement.replace("?", "%s"), values, prepare=True)


async def post_claim(request: Request) -> Response:
    given, connection = Input.model_validate_json(await request.body()), request.app.state.connection
    cited, names = (
        given.citations[0],
        {name: getattr(given, name) for name in ("category", "subject", "place", "source")},
    )
    url, quote, (start, _, end) = cited["document"]["url"], cited["quote"], given.period["edtf"].partition("/")
    now, (claim, document, citation) = datetime.now(UTC), (str(uuid7()) for _ in range(3))
    at = now.strftime("%Y-%m-%d %H:%M:%S.%f") if LITE else now
    async with transaction(connection):
        ((unit, *others, known),) = await fetch(request, FOUND, *names.values(), url)
        if unit is None or None in others:
            return Response(status_code=422)
        clock = "UPDATE clock SET seq = seq + ?, at = ? RETURNING seq"
        ((seq,),) = await fetch(request, clock, 1 if known else 2, at)
        version = {"revision": 1, "seq": seq, "recorded_at": at}
        change = {"seq": seq, "at": at, "action": "created", "revision": 1, "actor": "benchmark"}
        question = int.from_bytes(
            blake2b("|".join(names.values()).encode(), digest_size=8).digest(), "big", signed=True
        )
        rows = [("change", {**change, "kind": "claim", "key": claim, "claim": claim, "question": question})]
        if not known:
            rows += [("change", {**change, "seq": seq - 1, "kind": "document", "key": document})]
            edition = {"address": url, "edition": sha256(url.encode()).hexdigest()}
            rows += [("document", {**version, "seq": seq - 1, "id": document, **cited["document"], **edition})]
        value, printed = float(given.figure["value"]), given.figure["as_printed"]
        figure = {"as_printed": printed, "display": f"{value:,.0f} {unit}", "kind": "plain", "approximate": False}
        figure |= dict.fromkeys(("value", "low", "high", "magnitude"), value)
        period = {
            "period": given.period["edtf"],
            "period_start": start,
            "period_end": end or start,
            "date": given.date.isoformat(),
        }
        series = f"{given.source} total-{given.period['aggregation']} {given.modality} week"
        derived = {
            "standpoint": series,
            "recency": int(f"{end}{given.date}".replace("-", "")),
            "words": words(printed, given.note),
        }
        plain = {
            "status": "asserted",
            "proposition": "quantity",
            "derivation": "unknown",
            "includes": "[]",
            "excludes": "[]",
        }
        digest = sha256(f"{series}|{names}|{period}|{printed}".encode()).hexdigest()
        said = {
            "modality": given.modality,
            "aggregation": given.period["aggregation"],
            "date_edtf": period["date"],
            "note": given.note,
        }
        rows += [
            (
                "claim",
                {
                    **version,
                    "id": claim,
                    **names,
                    **figure,
                    **period,
                    **derived,
                    **plain,
                    **said,
                    "fingerprint": digest,
                },
            )
        ]
        source = {
            "id": citation,
            "claim": claim,
            "document": known or document,
            "role": "relay",
            "via": "[]",
            "marked": False,
        }
        rows += [
            ("citation", {**version, **source, "fidelity": cited["fidelity"], "quote": quote, "words": words(quote)})
        ]
        await insert(connection, rows)
        ((body,),) = await fetch(request, READ, claim)
    return send(body, 201)


ROUTES = [Route("/v1/claims", post_claim, methods=["POST"])]
