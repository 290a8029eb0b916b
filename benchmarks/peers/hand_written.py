"""The hand-written peer: Starlette and one prepared statement a read, on the database and the indices of the service."""

import base64
import contextlib
import hashlib
import sqlite3
from collections.abc import AsyncIterator, Sequence
from typing import Any

import orjson
import psycopg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.peers.hand_written_statements import BASE, LIST, LITE, READ, URL

FILTERS, LAST_DAY = ("category", "subject", "place", "source"), "9999-12-31"
FIRST_ID, LAST_ID = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"
Rows = Sequence[tuple[Any, ...]]


@contextlib.asynccontextmanager
async def connect(app: Starlette) -> AsyncIterator[None]:
    if LITE:
        app.state.connection = sqlite3.connect(URL.removeprefix("sqlite:///"), isolation_level=None)
        app.state.connection.executescript("PRAGMA mmap_size=2000000000; PRAGMA synchronous=FULL")
    else:
        url, options = (
            URL.replace("+psycopg", ""),
            "-c enable_seqscan=off -c enable_sort=off -c jit=off -c timezone=UTC",
        )
        options += " -c plan_cache_mode=force_generic_plan"
        app.state.connection = await psycopg.AsyncConnection.connect(url, autocommit=True, options=options)
    yield


async def fetch(request: Request, statement: str, *parameters: object) -> Rows:
    if LITE:
        return request.app.state.connection.execute(statement, parameters).fetchall()
    cursor = await request.app.state.connection.execute(statement.replace("?", "%s"), parameters, prepare=True)
    return await cursor.fetchall()


def send(text: str, status: int = 200) -> Response:
    body = text.encode()
    return Response(body, status, {"etag": f'"{hashlib.sha256(body).hexdigest()[:24]}"'}, "application/json")


def read_cursor(request: Request, *first: str) -> Sequence[Any]:
    cursor = request.query_params.get("cursor")
    return orjson.loads(base64.urlsafe_b64decode(cursor + "=="))[1:] if cursor else first


async def send_page(request: Request, rows: Rows, limit: int, sort: str) -> Response:
    page, here = rows[:limit], f"{BASE}{request.url.path}?{request.url.query}"
    seq = page[0][3] if page else (await fetch(request, "SELECT seq FROM clock"))[0][0]
    meta, links = {"count": len(page), "next_cursor": None, "seq": seq}, {"self": here, "next": None}
    if len(rows) > limit:
        place = base64.urlsafe_b64encode(orjson.dumps([sort, str(page[-1][1]), str(page[-1][2])])).rstrip(b"=").decode()
        meta["next_cursor"], links["next"] = place, f"{here.partition('&cursor=')[0]}&cursor={place}"
    tail = orjson.dumps({"meta": meta, "links": links}).decode()[1:]
    return send(f'{{"data":[{",".join(row[0] for row in page)}],{tail}')


async def read_claim(request: Request) -> Response:
    rows = await fetch(request, READ, request.path_params["id"])
    return send(rows[0][0]) if rows else Response(status_code=404)


async def list_claims(request: Request) -> Response:
    limit, (day, id_) = int(request.query_params.get("limit", 50)), read_cursor(request, LAST_DAY, LAST_ID)
    values = [request.query_params[name] for name in FILTERS if name in request.query_params]
    statement = LIST + "".join(f" AND claim.{name} = ?" for name in FILTERS if name in request.query_params)
    dated = f"{statement} AND (claim.date, claim.id) < (?, ?) ORDER BY claim.date DESC, claim.id DESC LIMIT ?"
    rows = list(await fetch(request, dated, *values, day, id_, limit + 1)) if day else []
    if len(rows) <= limit:
        undated = f"{statement} AND claim.date IS NULL AND claim.id < ? ORDER BY claim.id DESC LIMIT ?"
        rows += await fetch(request, undated, *values, LAST_ID if day else id_, limit + 1 - len(rows))
    return await send_page(request, rows, limit, "-date")


ROUTES = [Route("/v1/claims/{id}", read_claim), Route("/v1/claims", list_claims)]
