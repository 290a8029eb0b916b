"""Every answer has the headers of security, whatever its status is and whichever layer wrote it."""

import sqlite3
from typing import Any

import psycopg
import pytest

from app.database.engine import Database
from app.errors import RequestTimeout
from app.http.middleware import MAX_ADDRESS_BYTES
from tests.examples import make_claim_body, read_latest_seq
from tests.http.connections import Connection, exchange, request
from tests.registers import Register

REQUIRED = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "access-control-allow-origin": "*"}
POLICY = "content-security-policy"
CSV = "/v1/claims.csv?limit=2"
CLAIM = "/v1/claims/0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60"
JSON_TYPE = {"Content-Type": "application/json"}


def assert_secure(headers: list[tuple[str, str]], what: str) -> None:
    found = [(name.lower(), value) for name, value in headers]
    for name, expected in REQUIRED.items():
        assert [value for each, value in found if each == name] == [expected], (what, name)
    policies = [value for name, value in found if name == POLICY]
    assert len(policies) == 1, what
    assert "default-src" in policies[0], what
    assert [name for name, _ in found if name == "x-request-id"] == ["x-request-id"], what


def test_answers_of_every_status_have_them(starter_register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    register = starter_register
    admin = register.keys["admin"]
    claim = register.get("/v1/claims?limit=1").json()["data"][0]
    own = f"/v1/claims/{claim['id']}"
    etag = register.get(own).headers["etag"]
    document = {"title": "A title"}
    answers = [
        register.get(own),
        register.get(own, headers={"If-None-Match": etag}),
        register.head(own),
        register.options(own),
        register.get(CSV, headers={"Range": "bytes=0-9"}),
        register.get(CSV, headers={"Range": "bytes=999999999-"}),
        register.get("/v1/claims/", follow_redirects=False),
        register.get("/health/live", headers=[("Host", "a"), ("Host", "b")]),
        register.post("/v1/documents", json=document),
        register.post("/v1/documents", json=document, headers=register.keys["contributor"]),
        register.write("PUT", "/v1/sources/new", {}, role="contributor"),
        register.get(CLAIM),
        register.get("/nothing"),
        register.delete(own),
        register.get(own, headers={"Accept": "image/png"}),
        register.write("POST", "/v1/claims", make_claim_body(category="nothing")),
        register.write("PATCH", own, {"event": "transcription_fix", "reason": "x", "changes": {"note": "x"}}),
        register.write(
            "PATCH", own, {"event": "transcription_fix", "reason": "x", "changes": {}}, **{"If-Match": '"9"'}
        ),
        register.post("/v1/claims", content=b"x" * 2_000_000, headers=admin | JSON_TYPE),
        register.post("/v1/claims", content=b"x", headers=admin | {"Content-Type": "text/html"}),
        register.get("/v1/claims?" + "x" * MAX_ADDRESS_BYTES),
        register.get("/v1/claims?limit=0"),
        register.get("/v1/claims?nothing=1"),
        register.request("BREW", own),
    ]
    answers += [register.get("/v1/keys", headers={"X-API-Key": "cc_wrong"}) for _ in range(25)]
    taken = register.write("POST", f"{own}/takedown", {"reason": "court_order"})
    answers += [taken, register.get(own)]

    def fail(_: Database) -> Any:
        raise error

    monkeypatch.setattr(Database, "connect_for_reads", fail)
    error: Exception = RuntimeError("unexpected")
    answers.append(register.get("/v1/claims?limit=3"))
    error = psycopg.OperationalError("server closed the connection")
    if register.database.dialect == "sqlite":
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    answers.append(register.get("/v1/claims?limit=4"))
    for answer in answers:
        assert_secure(answer.headers.multi_items(), f"{answer.request.method} {answer.status_code}")
    statuses = {answer.status_code for answer in answers}
    expected = {200, 201, 204, 206, 304, 400, 401, 403, 404, 405, 412, 413, 414, 415, 416, 422, 428, 429, 500, 501, 503}
    assert statuses >= expected, (expected - statuses, sorted(statuses))


RAW = {
    "no request": b"nonsense\r\n\r\n",
    "a control character in a header": b"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\x00\r\n\r\n",
    "two lengths": b"POST /v1/claims HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "an unknown method": b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
    "an address of 70,000 characters": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "no host": b"GET /v1/claims HTTP/1.1\r\n\r\n",
    "a version that does not exist": b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
    "a chunk without a size": b"POST /v1/claims HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a cached answer": request("/v1/sources?limit=1"),
    "a 304 from the cache": request("/v1/sources?limit=1", If_None_Match="*"),
}


def headers_of(received: bytes) -> list[tuple[str, str]]:
    head = received.partition(b"\r\n\r\n")[0].decode("latin-1")
    lines = [line.partition(": ") for line in head.split("\r\n")[1:]]
    return [(name, value) for name, _, value in lines]


def test_answers_that_the_protocol_writes_have_them(register: Register) -> None:
    exchange(register, RAW["a cached answer"])
    statuses = set()
    for name, sent in RAW.items():
        received = send_raw(register, sent)
        assert received.startswith(b"HTTP/1.1 "), (name, received[:99])
        statuses.add(int(received[9:12]))
        assert_secure(headers_of(received), f"{name}: {received[:30]!r}")
    assert statuses >= {200, 304, 400, 414, 501}
    before = read_latest_seq(register)

    async def time_out() -> bytes:
        connection = Connection(register, finds_responses=True)
        connection.protocol.data_received(b"POST /v1/documents HTTP/1.1\r\n")
        connection.protocol._send_problem(RequestTimeout("The headers did not arrive in time."))
        return b"".join(connection.transport.written)

    client: Any = register.client
    received = client.portal.call(time_out)
    assert received.startswith(b"HTTP/1.1 408 ")
    assert_secure(headers_of(received), "408")
    assert read_latest_seq(register) == before


def send_raw(register: Register, sent: bytes) -> bytes:
    """Send bytes over a connection of its own; return what came back, also if they are no request."""

    async def send() -> bytes:
        connection = Connection(register, finds_responses=True)
        connection.protocol.data_received(sent)
        if not connection.transport.written:
            await connection.wait_for_response()
        return b"".join(connection.transport.written)

    client: Any = register.client
    return client.portal.call(send)  # type: ignore[no-any-return] # as `send`
