"""Every response has a request id, `X-Register-Seq` and CORS headers, and the docs load nothing from other hosts."""

import logging
import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from app.http.middleware import EXPOSED_HEADERS
from app.main import create_app
from tests.examples import assert_problem, read_latest_seq, record_example_vocabulary
from tests.registers import Register

ANSWERS = [
    ("GET", "/v1/claims?limit=1", 200),
    ("GET", "/v1/claims.csv?limit=1", 200),
    ("GET", "/v1/nothing", 404),
    ("GET", "/v1/claims/x", 404),
    ("GET", "/v1/claims?limt=1", 422),
    ("GET", "/v1/claims.pdf", 406),
    ("PUT", "/v1/claims", 405),
    ("POST", "/v1/claims", 415),
    ("GET", "/health/live", 200),
    ("GET", "/health/ready", 200),
    ("GET", "/docs", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/docs/assets/nothing.js", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_every_answer_names_the_request_the_state_and_who_may_read_it(
    shared_starter_register: Register, method: str, path: str, status: int
) -> None:
    answer = shared_starter_register.request(
        method, path, headers={"Origin": "https://newsroom.example", "X-Request-ID": "desk-1.a_b"}
    )
    assert answer.status_code == status
    assert answer.headers["x-request-id"] == "desk-1.a_b"
    assert int(answer.headers["x-register-seq"]) == read_latest_seq(shared_starter_register)
    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed == set(EXPOSED_HEADERS) >= {"ETag", "Link", "X-Register-Seq", "X-Request-ID", "Retry-After"}
    if status >= 400:
        problem = assert_problem(answer, status)
        assert problem["request_id"] == "desk-1.a_b"
        assert problem["type"] == f"/problems/{problem['code']}"


@pytest.mark.parametrize("asked", ["", "a b", "x" * 81, "a\tb", "<script>", 'a"b', "ü"])
def test_a_request_id_that_could_forge_something_is_replaced(shared_starter_register: Register, asked: str) -> None:
    answer = shared_starter_register.get("/health/live", headers={b"X-Request-ID": asked.encode("latin-1")})
    made = answer.headers["x-request-id"]
    assert made != asked
    assert re.fullmatch(r"[0-9a-f]{32}", made)
    assert shared_starter_register.get("/health/live").headers["x-request-id"] != made


def test_a_browser_may_ask_beforehand(shared_starter_register: Register) -> None:
    asked = {"Origin": "https://newsroom.example", "Access-Control-Request-Method": "GET"}
    answer = shared_starter_register.options("/v1/claims", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "GET" in answer.headers["access-control-allow-methods"]


def test_the_clock_moves_with_the_write_that_answers(register: Register) -> None:
    record_example_vocabulary(register)
    before = read_latest_seq(register)
    answer = register.write("POST", "/v1/documents", {"title": "x"})
    assert int(answer.headers["x-register-seq"]) == before + 1 == answer.json()["seq"]
    refused = register.write("POST", "/v1/documents", {"title": ""})
    assert int(refused.headers["x-register-seq"]) == before + 1


@pytest.mark.parametrize("path", ["/v1/claims", "/v1/claims/0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60", "/v1/sources/csis"])
def test_nothing_is_deleted_and_the_way_to_take_a_claim_back_is_shown(
    shared_starter_register: Register, path: str
) -> None:
    answer = shared_starter_register.delete(path)
    problem = assert_problem(answer, 405, "method_not_allowed")
    assert "retraction" in problem["hint"]
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize(
    "path", ["/v1/claims/", "/v1/topics/russian-casualties/", "/docs/", "/v1//claims", "/v1", "/V1/claims"]
)
def test_no_address_leads_to_the_host_that_a_client_names(shared_starter_register: Register, path: str) -> None:
    answer = shared_starter_register.get(path, headers={"Host": "evil.example"}, follow_redirects=False)
    problem = assert_problem(answer, 404)
    assert "evil.example" not in str(answer.headers) + answer.text
    if path.endswith("/"):
        assert problem["hint"] == "remove the trailing slash"


def test_the_front_door_leads_to_the_docs(shared_starter_register: Register) -> None:
    answer = shared_starter_register.get("/", headers={"Host": "evil.example"}, follow_redirects=False)
    assert "evil.example" not in str(answer.headers) + answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/v1/claims",
        "/v1/topics/russian-casualties/side-by-side",
        "/v1/topics/russian-casualties/timeline.csv",
        "/v1/columns.csv",
        "/docs",
        "/openapi.json",
        "/health/ready",
        "/docs/assets/swagger-ui.css",
    ],
)
def test_whatever_can_be_read_answers_head(shared_starter_register: Register, path: str) -> None:
    get, head = shared_starter_register.get(path), shared_starter_register.head(path)
    assert (head.status_code, head.content) == (get.status_code, b"") == (200, b"")
    assert head.headers.get("content-type") == get.headers.get("content-type")
    assert head.headers.get("content-length") == get.headers.get("content-length")


@pytest.mark.parametrize("path", ["/v1/nothing", "/v1/claims/x", "/v1/claims?limit=0"])
def test_head_of_what_fails_has_the_status_and_no_body(shared_starter_register: Register, path: str) -> None:
    get, head = shared_starter_register.get(path), shared_starter_register.head(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-type"] == "application/problem+json"


def test_a_mistake_of_ours_is_a_problem_that_tells_nothing_of_the_inside(
    register: Register, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(register.settings)

    def fail() -> None:
        raise RuntimeError("password=hunter2")

    app.add_api_route("/broken", fail)
    with TestClient(app, raise_server_exceptions=False) as client, caplog.at_level(logging.ERROR):
        answer = client.get("/broken", headers={"Origin": "https://newsroom.example"})
        assert client.get("/health/live").status_code == 200
    problem = assert_problem(answer, 500, "internal_error")
    assert "hunter2" not in answer.text
    assert "RuntimeError" not in answer.text
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-register-seq"]
    assert problem["request_id"] in [getattr(record, "request_id", None) for record in caplog.records]


def test_health_says_whether_it_lives_and_whether_it_can_serve(register: Register) -> None:
    live, ready = register.get("/health/live"), register.get("/health/ready")
    assert live.json() == {"status": "ok"}
    assert ready.json() == {"status": "ok", "seq": 0, "warnings": []}
    assert {live.headers["cache-control"], ready.headers["cache-control"]} <= {"no-cache", "no-store"}


def addresses(html: str) -> list[str]:
    return re.findall(r"""(?:src|href|url|action)\s*[=:(]\s*["']?([^"'\s>)]+)""", html)


def test_the_docs_load_nothing_from_another_host(shared_starter_register: Register) -> None:
    for path in ("/docs", "/docs/reference", "/docs/guides/feed-grafana"):
        html = re.sub(r"<code>.*?</code>|data-origin=\S+", "", shared_starter_register.get(path).text, flags=re.DOTALL)
        found = addresses(html)
        assert found
        for address in {each.partition("#")[0] for each in found} - {""}:
            assert address.startswith(("/", "data:")), address
            assert not address.startswith("//")
            assert shared_starter_register.get(address.replace("&amp;", "&")).status_code == 200, address
        assert not re.search(r"https?://|//cdn|@import", html)


def test_a_line_of_the_log_cannot_be_forged(
    shared_starter_register: Register, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="counterclaim"):
        for path in (
            "/v1/claims%0a2026-11-20 INFO GET /v1/claims 200",
            "/v1/%0d%0aINFO forged",
            "/v1/%1b[31mred",
            "/v1/%e2%80%a8line",
            "/v1/%c2%85next",
        ):
            shared_starter_register.get(path)
    lines = [record.getMessage() for record in caplog.records if record.name == "counterclaim"]
    assert len(lines) == 5
    for line in lines:
        assert len(line.splitlines()) == 1
        assert line.isprintable()


def test_a_line_of_the_log_says_what_was_asked_and_how_it_ended(
    shared_starter_register: Register, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="counterclaim"):
        answer = shared_starter_register.get("/v1/sources/csis?v=logged", headers={"Authorization": "Bearer cc_secret"})
        shared_starter_register.head("/v1/nothing", headers={"X-Request-ID": "mine"})
    first, second = [record.getMessage() for record in caplog.records if record.name == "counterclaim"]
    assert re.fullmatch(rf"GET /v1/sources/csis 200 [\d.]+ms id={answer.headers['x-request-id']}", first)
    assert second.startswith("HEAD /v1/nothing 404 ")
    assert second.endswith("id=mine")
    assert "secret" not in first


def test_a_response_from_the_cache_has_a_line_of_the_log_too(
    shared_starter_register: Register, caplog: pytest.LogCaptureFixture
) -> None:
    path = "/v1/sources/csis?v=cached"
    etag = shared_starter_register.get(path).headers["etag"]
    with caplog.at_level(logging.INFO, logger="counterclaim"):
        hit = shared_starter_register.get(path)
        held = shared_starter_register.get(path, headers={"If-None-Match": etag, "X-Request-ID": "mine"})
    assert (hit.status_code, held.status_code) == (200, 304)
    records = [record for record in caplog.records if record.name == "counterclaim"]
    assert [record.getMessage() for record in records] == [
        f"GET /v1/sources/csis 200 from the response cache id={hit.headers['x-request-id']}",
        "GET /v1/sources/csis 304 from the response cache id=mine",
    ]
    assert [vars(record)["status"] for record in records] == [200, 304]


@pytest.mark.parametrize("length", ["1000001", "9" * 18])
def test_a_body_that_says_it_is_too_large_is_not_read(shared_starter_register: Register, length: str) -> None:
    def nothing() -> Iterator[bytes]:
        yield from pytest.fail("the body was read")

    headers = {"Content-Length": length, "Content-Type": "application/json", "Origin": "https://newsroom.example"}
    answer = shared_starter_register.post("/v1/claims", content=nothing(), headers=headers)
    assert_problem(answer, 413, "content_too_large")
    assert answer.headers["access-control-allow-origin"] == "*"
