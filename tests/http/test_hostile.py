"""Invalid requests to all addresses: none is a 500, and every error is a problem response."""

import itertools
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.examples import iterate_operations, suffixes_of
from tests.examples import make_claim_body, make_topic_body, read_latest_seq
from tests.registers import Register
from tests.strategies import CHARACTERS

SEGMENTS = [
    "%00",
    "a%00b",
    "%ff%fe",
    "%ed%a0%80",
    "..",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%2F",
    "%5c",
    ".csv",
    "x.csv.csv",
    "null",
    "-1",
    "9" * 40,
    "a" * 3_000,
    "%F0%9F%92%A3",
    "%E2%80%AE",
    "'%20OR%201=1--",
    "%27%3B%20DROP%20TABLE%20claim%3B--",
    "{id}",
    "%7B%7B7*7%7D%7D",
    "<script>",
    "%0d%0aSet-Cookie:a=b",
    "NaN",
    "0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60",
    "0197B0C2-7D3E-7CC1-9F0A-2B6C1D4E5F60",
    "{0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60}",
]
VALUES = [
    "",
    "%00",
    "a%00b",
    "%ff",
    "%ed%a0%80",
    "%u0041",
    "%",
    "-1",
    "0",
    "1e400",
    "-1e400",
    "NaN",
    "Infinity",
    "9223372036854775808",
    "9" * 400,
    "1" * 5_000,
    "0x10",
    "１２",
    "null",
    "[]",
    "{}",
    "true",
    "0000-00-00",
    "0001-01-01",
    "9999-12-31",
    "2025-02-29",
    "9999-12-31T23:59:59.999999-14:00",
    "0001-01-01T00:00:00%2B14:00",
    "9999-12-31T23:59:60Z",
    "seq:0",
    "seq:999999999999999999",
    "seq:-1",
    "a" * 3_000,
    "%27%20OR%201=1--",
    "%25%25%25",
    "_____",
    "%22%20NEAR%20(*",
    "AND%20OR%20NOT",
    "%E2%80%AE%F0%9F%92%A3",
    "../../etc/passwd",
    "%0d%0aX:1",
    "W10",
    "russian-casualties",
    "csis",
]
BODIES: list[bytes] = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"{}",
    b"0",
    b'"x"',
    b"NaN",
    b"1e400",
    b"9" * 5_000,
    b"[" * 50_000,
    b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    b'{"name": "\\ud800"}',
    b'{"title": "\\u0000"}',
    b'{"\\ud800": 1}',
    b"\xff\xfe",
    b'{"title": "x", "title": "y", "kind": {}}',
    b'{"title": {"$gt": ""}}',
    b'{"__proto__": {}}',
    json.dumps(make_claim_body()).encode(),
    json.dumps(make_topic_body(tolerance=1e308)).encode(),
    b'{"name": "' + b"x" * 300_000 + b'"}',
]
KINDS = ["application/json", "text/plain", "application/json; charset=utf-7", "", "\xff"]


def assert_no_mistake(answer: Any, what: str) -> None:
    assert answer.status_code < 500 or answer.status_code == 501, f"{what}: {answer.status_code} {answer.text[:300]}"
    assert answer.headers["x-request-id"]
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", what
        problem = answer.json()
        assert problem["status"] == answer.status_code, what
        assert problem["code"], what


@pytest.fixture(scope="module")
def routes(shared_starter_register: Register) -> list[tuple[str, str, list[str]]]:
    """Method, path and query parameters of every operation of the OpenAPI document."""
    document = shared_starter_register.get("/openapi.json").json()
    found = [
        (
            method.upper(),
            path + suffix,
            [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"],
        )
        for method, path, operation in iterate_operations(document)
        for suffix in ("", *([".{suffix}"] if suffixes_of(operation) else []))
        if "stream" not in path
    ]
    assert len(found) > 40
    return found


REAL = {"slug": "russian-casualties", "suffix": "csv", "n": "1"}


def fill_path(path: str, segment: str | None, id_: str) -> str:
    """Return `path` with every parameter replaced by `segment` or by an existing value."""
    while "{" in path:
        name = path[path.index("{") + 1 : path.index("}")]
        path = path.replace("{" + name + "}", segment if segment is not None else REAL.get(name, id_), 1)
        if segment is not None and "{" in segment:
            break
    return path


@pytest.fixture(scope="module")
def id_(shared_starter_register: Register) -> str:
    return str(shared_starter_register.get("/v1/claims?limit=1").json()["data"][0]["id"])


def test_no_path_breaks_a_read(
    shared_starter_register: Register, routes: list[tuple[str, str, list[str]]], id_: str
) -> None:
    for method, path, _ in routes:
        if method == "GET" and "{" in path:
            for segment in SEGMENTS if path.count("/") < 4 else SEGMENTS[:8]:
                address = fill_path(path, segment, id_)
                assert_no_mistake(shared_starter_register.get(address, follow_redirects=False), address)


def test_no_parameter_breaks_a_read(
    shared_starter_register: Register, routes: list[tuple[str, str, list[str]]], id_: str
) -> None:
    """Each parameter gets other values on each route, so that all values occur without testing every pair."""
    values = itertools.cycle(VALUES)
    for method, path, names in routes:
        if method != "GET":
            continue
        for name in names:
            whole = path in ("/v1/claims", "/v1/side-by-side")
            for value in itertools.islice(values, 11 if whole else 1):
                base = "category=killed&" if path == "/v1/side-by-side" and name != "category" else ""
                address = f"{fill_path(path, None, id_)}?{base}{name}={value}"
                assert_no_mistake(shared_starter_register.get(address), address)


def test_no_body_breaks_a_write(starter_register: Register, routes: list[tuple[str, str, list[str]]]) -> None:
    id_ = starter_register.get("/v1/claims?limit=1").json()["data"][0]["id"]
    for method, path, _ in routes:
        if method in ("POST", "PUT", "PATCH"):
            for body in BODIES:
                headers = {"Content-Type": "application/json", "If-Match": '"1"', **starter_register.keys["admin"]}
                answer = starter_register.request(method, fill_path(path, None, id_), content=body, headers=headers)
                assert_no_mistake(answer, f"{method} {path} {body[:60]!r}")


def test_no_header_breaks_an_answer(shared_starter_register: Register) -> None:
    before = read_latest_seq(shared_starter_register)
    values = [b"", b"\xff\xfe", "ключ".encode(), b"x" * 5_000, b"*", b'"', b"W/", b";;;,,,q=", b"q=1;q=", b"-1"]
    names = ["Accept", "If-None-Match", "If-Match", "Idempotency-Key", "Authorization", "X-API-Key", "Range", "Origin"]
    names += ["X-Request-ID", "X-Register-Seq", "Host", "Accept-Encoding", "Content-Type", "If-Modified-Since"]
    for name, value in itertools.product(names, values):
        sent = {name.encode(): value}
        for path in ("/v1/claims.csv?limit=1", "/v1/sources/csis"):
            assert_no_mistake(shared_starter_register.get(path, headers=sent), f"{path} {sent}")
        assert_no_mistake(shared_starter_register.post("/v1/documents", content=b"{}", headers=sent), f"POST {sent}")
    for kind in KINDS:
        headers = {b"Content-Type": kind.encode("latin-1"), b"Authorization": b"Bearer \xff"}
        assert_no_mistake(shared_starter_register.post("/v1/documents", content=b"{}", headers=headers), kind)
    assert read_latest_seq(shared_starter_register) == before


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"])
def test_no_method_breaks_an_address(
    shared_starter_register: Register, routes: list[tuple[str, str, list[str]]], method: str
) -> None:
    for path in sorted({path for _, path, _ in routes} | {"/docs", "/openapi.json", "/", "/docs/assets/x", "/nothing"}):
        answer = shared_starter_register.request(method, fill_path(path, "x", "x"), follow_redirects=False)
        assert_no_mistake(answer, f"{method} {path}")


@pytest.mark.parametrize(
    "address",
    [
        "/docs/assets/%00",
        "/docs/assets/..%2f..%2fapp%2fmain.py",
        "/docs/assets/" + "a" * 300,
        "/docs/assets/",
        "/docs/assets",
        "/%00",
        "/" + "a/" * 1_000,
        "/v1/claims?" + "&".join(f"x{number}=1" for number in range(2_000)),
        "/v1/claims?" + "&".join(f"source=s{number}" for number in range(1_500)),
        "/v1/claims?" + "&".join("source=csis" for _ in range(1_500)),
        "/v1/claims?document=" + "&document=".join(["0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60"] * 500),
        "/v1/claims?&&&===&=",
        "/v1/claims?;",
        "/v1/claims?%00=1",
        "/v1/claims?%ff=1",
        "/v1/claims?fields=" + "," * 900,
        "/v1/claims?fields=" + ",".join(["note"] * 190),
    ],
    ids=lambda address: address[:40],
)
def test_no_address_breaks_the_service(shared_starter_register: Register, address: str) -> None:
    assert_no_mistake(shared_starter_register.get(address, follow_redirects=False), address[:80])


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARACTERS, max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(CHARACTERS, max_size=10), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(field=st.sampled_from([*make_claim_body(), "includes", "note", "confidence", "date_edtf"]), value=JSON)
def test_no_value_of_any_field_breaks_a_claim(shared_starter_register: Register, field: str, value: Any) -> None:
    """The requests name a category that does not exist, so that none of them is recorded."""
    body = make_claim_body(category="nothing") | {field: value}
    if field == "category":
        body["subject"] = "nothing"
    before = read_latest_seq(shared_starter_register)
    answer = shared_starter_register.write("POST", "/v1/claims", body)
    assert_no_mistake(answer, str(body))
    assert answer.status_code == 422
    assert read_latest_seq(shared_starter_register) == before


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(["q", "category", "cursor", "known_on", "updated_since", "value_min", "fields", "document"]),
    value=st.text(CHARACTERS, max_size=40),
)
def test_no_text_breaks_a_filter(shared_starter_register: Register, name: str, value: str) -> None:
    address = f"/v1/claims?limit=1&{name}={quote(value, errors='replace')}"
    assert_no_mistake(shared_starter_register.get(address), address)
