"""With a base URL, every address in a response is whole and lies under it; nothing of it is stored."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from xml.etree import ElementTree as ET

import orjson
import pytest
from sqlmodel import SQLModel

from app.http.addresses import PathPrefix, find_first_segments
from app.main import CounterclaimApp
from app.starter.load import starter_id
from tests.contract.examples import iterate_operations, order_of, path_of, send_example, suffixes_of
from tests.registers import DatabaseCopies, Register, open_register

BASE = "https://news.example/claims"
"""A base URL whose path is also the beginning of paths of the service."""
OTHER_BASE = "http://register.example:8080"
CLAIM = starter_id("gs-2025-06-12")
STREAM = "text/event-stream"
UNCHECKED_PATHS = {"/robots.txt", "/metrics"}
"""Paths whose response contains paths by its format, or routes."""


@contextmanager
def serve_under(url: str, base: str) -> Iterator[Register]:
    """Serve a database under a base URL."""
    yield from open_register(url, base)


@pytest.fixture(scope="module")
def based_register(database_copies: DatabaseCopies) -> Iterator[Register]:
    """The starter register under `BASE`, which tests do not write to."""
    yield from open_register(database_copies.create_copy("starter"), BASE)


def app_of(register: Register) -> CounterclaimApp:
    app = register.client.app
    assert isinstance(app, CounterclaimApp)
    return app


def change_base(register: Register, base: str) -> None:
    """Serve the register as after a restart with another base URL."""
    app = app_of(register)
    app.use_base_url(base)
    register.database.caches.reset()
    app.state.invalidator.close()
    app.use_database(register.database)


def find_relative_addresses(register: Register, text: str) -> list[str]:
    """Return the addresses of the service in a text that are paths, each with what follows it."""
    return compile_path_pattern(app_of(register)).findall(text)


@cache
def compile_path_pattern(app: CounterclaimApp) -> re.Pattern[str]:
    segments = "|".join(map(re.escape, find_first_segments(app.router.routes) - {""}))
    return re.compile(rf"(?<![\w.:/#}}~-])/(?:{segments})(?![\w-]|\.\w).{{0,60}}")


def find_links(value: Any) -> Iterator[str]:
    """Yield the addresses in JSON that are there by their names."""
    if isinstance(value, list):
        for each in value:
            yield from find_links(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name == "links" and each is not None:
                yield from (address for address in each.values() if address is not None)
            elif name == "type" and {"title", "status", "code"} <= value.keys():
                yield each
            else:
                yield from find_links(each)


def check_response(register: Register, asked: str, answer: Any, *, status: tuple[int, ...] = (200, 201)) -> None:
    """Assert that all addresses of the service in a response are whole and lie under `BASE`."""
    assert answer.status_code in status, f"{asked}: {answer.text}"
    texts = [answer.text, *(f"{name}: {value}" for name, value in answer.headers.items())]
    if is_document := asked == "/openapi.json":
        document = answer.json()  # its paths are relative to `servers`
        texts[0] = orjson.dumps(document | {"paths": list(document.pop("paths").values())}).decode()
    for text in texts:
        assert find_relative_addresses(register, text) == [], asked
        assert "testserver" not in text, asked
    for name in ("location", "content-location"):
        assert answer.headers.get(name, BASE).startswith(BASE), asked
    for target in re.findall(r"<([^>]*)>", answer.headers.get("link", "")):
        assert target.startswith(f"{BASE}/"), asked
    if not is_document and re.search("[/+]json", answer.headers.get("content-type", "")):
        for address in find_links(answer.json()):
            assert address.startswith(f"{BASE}/"), asked


def operations(register: Register) -> list[tuple[str, str, dict[str, Any]]]:
    document = register.get("/openapi.json").json()
    return [each for each in iterate_operations(document) if STREAM not in str(each[2]["responses"].get("200"))]


def test_every_address_of_every_read_is_whole(based_register: Register) -> None:
    asked = []
    for method, path, operation in operations(based_register):
        if method != "get" or operation["security"] != []:
            continue
        parameters = operation.get("parameters", [])
        needed = {
            each["name"]: each.get("example", each["schema"].get("examples", [None])[0])
            for each in parameters
            if each["in"] == "query" and each.get("required")
        }
        for suffix in ("", *suffixes_of(operation)):
            address = path_of(path, operation) + suffix
            if address in UNCHECKED_PATHS:
                continue
            limit = {"limit": 2} if any(each["name"] == "cursor" for each in parameters) else {}
            check_response(based_register, address, based_register.get(address, params=needed | limit))
            asked.append(address)
        problem = based_register.get(path_of(path, operation), params=needed | {"no_parameter": "1"})
        if problem.status_code != 200:
            check_response(based_register, path, problem, status=(404, 422))
            assert problem.json()["type"].startswith(f"{BASE}/problems/")
    assert "/v1/topics/russian-casualties/claims.csv" in asked


def test_every_address_of_every_write_is_whole(make_database: Callable[[str], str]) -> None:
    with serve_under(make_database("starter"), BASE) as register:
        writes = [each for each in operations(register) if each[0] != "get"]
        for method, path, operation in sorted(writes, key=lambda each: order_of(each[2])):
            answer = send_example(register, method, path, operation)
            check_response(register, f"{method} {path}", answer)
            if "links" in answer.json():
                assert answer.json()["links"]["self"].startswith(f"{BASE}/v1/")


def test_every_other_route_has_whole_addresses(based_register: Register) -> None:
    routes = app_of(based_register).router.routes
    paths = [getattr(route, "path", "") for route in routes if "GET" in (getattr(route, "methods", None) or ())]
    plain = [path for path in paths if path and "{" not in path and not path.startswith("/v1/")]
    assert {"/", "/docs", "/openapi.json", "/health/ready"} <= {*plain}
    for path in plain:
        if path not in UNCHECKED_PATHS:
            needed = {"url": f"{BASE}/topics/russian-casualties"} if path == "/oembed" else {}
            answer = based_register.get(path, params=needed, follow_redirects=False)
            check_response(based_register, path, answer, status=(200, 307, 308))


def test_the_documentation_works_under_the_base_url(based_register: Register) -> None:
    page = based_register.get("/docs")
    shown = re.findall(r"<code>([^<]*)</code>", page.text)
    assert not any("127.0.0.1" in each for each in shown)
    assert sum(BASE in each for each in shown) > 100
    page = based_register.get("/docs/reference")
    addresses = re.findall(r'(?:src|href|data-openapi)="([^"]*)"', page.text)
    assert f"{BASE}/docs/assets/swagger-ui-bundle.js" in addresses
    for address in addresses:
        assert address.startswith(BASE)
        assert based_register.get(address.removeprefix(BASE)).status_code == 200
    assert "script-src 'self' https://news.example;" in page.headers["content-security-policy"]
    document = based_register.get("/openapi.json").json()
    assert [server["url"] for server in document["servers"]] == [BASE]
    assert f"[the topics]({BASE}/v1/topics)" in document["info"]["description"]
    assert "/v1/claims" in document["paths"]
    assert based_register.get("/robots.txt").text.splitlines()[1] == "Disallow: /claims/v1/changes"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/claims?catgory=killed", 422),
        ("GET", "/v1/claims/no-such-claim", 404),
        ("GET", "/nothing", 404),
        ("OPTIONS", "/nothing", 404),
        ("DELETE", f"/v1/claims/{CLAIM}", 405),
        ("POST", "/v1/claims", 415),
        ("PUT", "/v1/topics/russian-casualties", 415),
        ("BREW", "/v1/claims", 501),
        ("GET", "/v1/topics/russian-casualties/claims?topic=x", 422),
    ],
)
def test_a_problem_names_whole_addresses(based_register: Register, method: str, path: str, status: int) -> None:
    answer = based_register.request(method, path)
    check_response(based_register, path, answer, status=(status,))
    assert based_register.get(answer.json()["type"].removeprefix(BASE)).json()["code"] == answer.json()["code"]


def test_a_conflict_links_to_the_record_that_stands(make_database: Callable[[str], str]) -> None:
    with serve_under(make_database("starter"), BASE) as register:
        [post] = [each for each in operations(register) if each[2]["operationId"] == "post_claim"]
        first, again = (send_example(register, *post) for _ in range(2))
        assert again.status_code == 409
        check_response(register, "POST /v1/claims", again, status=(409,))
        assert again.json()["links"]["claim"] == first.headers["location"] == first.json()["links"]["self"]


def test_a_request_is_served_with_the_prefix_and_without(based_register: Register) -> None:
    for path in ("/v1/topics?limit=1", f"/v1/claims/{CLAIM}", "/v1/claims.csv?limit=3", "/docs", "/health/live"):
        plain, prefixed = based_register.get(path), based_register.get(f"/claims{path}")
        assert (plain.status_code, prefixed.status_code) == (200, 200), path
        assert plain.content == prefixed.content, path
        assert plain.headers.get("etag") == prefixed.headers.get("etag"), path
    page = based_register.get("/claims/v1/claims?limit=1").json()
    assert based_register.get(page["links"]["next"].removeprefix("https://news.example")).status_code == 200
    assert based_register.get("/claims/docs/assets/swagger-ui.css").status_code == 200
    # `/claims` alone is the page of that name, as a proxy that removes the prefix sends it.
    for prefixed, plain in (
        ("/claims/", "/"),
        ("/claims/claims", "/claims"),
        (f"/claims/claims/{CLAIM}", f"/claims/{CLAIM}"),
    ):
        assert based_register.get(prefixed).content == based_register.get(plain).content, prefixed
    for path in ("/claimsv1/topics", "/claims/claims/v1/topics"):
        assert based_register.get(path).status_code == 404, path


@pytest.mark.parametrize(
    ("prefix", "path", "expected"),
    [
        ("/desk/claims", "/desk/claims/v1/topics", "/v1/topics"),
        ("/desk/claims", "/desk/claims", "/"),
        ("/desk/claims", "/desk/claims/", "/"),
        ("/desk/claims", "/v1/topics", "/v1/topics"),
        ("/desk/claims", "/desk/v1/topics", "/desk/v1/topics"),
        ("/desk/claims", "/desk/claims/nothing", "/desk/claims/nothing"),
        ("/docs", "/docs", "/docs"),
        ("/docs", "/docs/docs", "/docs"),
        ("/docs", "/docs/assets/swagger-ui.css", "/docs/assets/swagger-ui.css"),
    ],
)
def test_the_prefix_is_removed_where_an_address_of_the_service_follows(
    shared_starter_register: Register, prefix: str, path: str, expected: str
) -> None:
    remover = PathPrefix(prefix, app_of(shared_starter_register).router.routes)
    scope = {"type": "http", "path": path, "raw_path": path.encode()}
    changed = remover.remove_from(scope)
    assert (changed["path"], changed["raw_path"]) == (expected, expected.encode())


def test_without_a_base_url_addresses_are_paths(shared_starter_register: Register) -> None:
    page = shared_starter_register.get("/v1/claims?limit=1")
    assert page.json()["data"][0]["links"]["self"].startswith("/v1/claims/")
    assert page.headers["link"].startswith("</v1/claims?")
    assert shared_starter_register.get("/claims/v1/claims").status_code == 404
    servers = shared_starter_register.get("/openapi.json").json()["servers"]
    assert [server["url"] for server in servers] == ["/"]


def test_files_have_whole_addresses(based_register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.http.lists.MAX_LIMIT", 20)  # a file of several pages
    for path in ("/v1/claims.csv", "/v1/claims.csv?fields=url", "/v1/topics/russian-casualties/timeline.csv"):
        rows = [*csv.DictReader(io.StringIO(based_register.get(path).text))]
        assert len(rows) > 20
        assert all(row["url"].startswith(f"{BASE}/v1/claims/") for row in rows), path
    flat = based_register.get("/v1/claims?fields=id,url&limit=2").json()["data"]
    assert [row["url"] for row in flat] == [f"{BASE}/v1/claims/{row['id']}" for row in flat]
    for line in based_register.get("/v1/claims.ndjson").text.splitlines():
        claim = orjson.loads(line)
        assert claim["links"]["revisions"] == f"{BASE}/v1/claims/{claim['id']}/revisions"


def test_feeds_and_citations_have_whole_addresses(based_register: Register) -> None:
    atom = ET.fromstring(based_register.get("/v1/feed.atom").content)  # noqa: S314 - from the service itself
    links = [link.attrib["href"] for link in atom.iter("{http://www.w3.org/2005/Atom}link")]
    assert len(links) >= 3
    assert all(link.startswith(f"{BASE}/") for link in links)
    feed = based_register.get("/v1/feed.json").json()
    # Those of single claims: tests/feeds.
    assert [item["url"] for item in feed["items"]] == [f"{BASE}/"]
    assert feed["home_page_url"] == f"{BASE}/"
    assert feed["feed_url"] == f"{BASE}/v1/feed.json"
    assert based_register.get("/claims/v1/feed.json").json()["feed_url"] == feed["feed_url"]
    permanent = based_register.get(f"/v1/claims/{CLAIM}/citation").json()["links"]["permanent"]
    assert based_register.get(f"/v1/claims/{CLAIM}/citation.csl.json").json()[-1]["URL"] == permanent
    assert permanent.startswith(f"{BASE}/v1/claims/{CLAIM}/citation?")


def test_ids_of_feeds_do_not_depend_on_the_base_url(make_database: Callable[[str], str]) -> None:
    with serve_under(make_database("starter"), BASE) as register:
        ids = [item["id"] for item in register.get("/v1/feed.json").json()["items"]]
        change_base(register, OTHER_BASE)
        assert [item["id"] for item in register.get("/v1/feed.json").json()["items"]] == ids


def test_etags_differ_between_base_urls(make_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    paths = ("/v1/claims?limit=5", f"/v1/claims/{CLAIM}", "/v1/claims.csv", "/v1/claims.ndjson?limit=3", "/v1/topics")
    monkeypatch.setattr("app.http.lists.MAX_LIMIT", 20)
    with serve_under(make_database("starter"), BASE) as register:
        tags = {path: register.get(path).headers["etag"] for path in paths}
        change_base(register, OTHER_BASE)
        for path in paths:
            answer = register.get(path, headers={"If-None-Match": tags[path]})
            assert answer.status_code == 200, path
            assert BASE not in answer.text, path
            assert OTHER_BASE in answer.text, path


def test_a_repetition_gets_the_addresses_of_today_and_no_base_url_is_stored(
    make_database: Callable[[str], str],
) -> None:
    with serve_under(make_database("starter"), BASE) as register:
        headers = {"If-Match": '"1"', "Idempotency-Key": "a key"}
        body = {"reason": "Said to have been a slip.", "retracted_on": "2025-07-01"}
        assessment = {"level": "low", "rationale": "No method is given."}

        def send() -> list[Any]:
            retracted = register.write("POST", f"/v1/claims/{CLAIM}/retraction", body, **headers)
            assessed = register.write(
                "POST", f"/v1/claims/{CLAIM}/assessments", assessment, **{"Idempotency-Key": "another"}
            )
            return [retracted, assessed]

        first = send()
        assert [answer.status_code for answer in first] == [200, 201]
        for base in (BASE, OTHER_BASE, "", BASE):
            change_base(register, base)
            retracted, assessed = again = send()
            assert all(answer.headers["idempotency-replayed"] == "true" for answer in again)
            assert retracted.json()["links"]["self"] == f"{base}/v1/claims/{CLAIM}"
            assert assessed.headers["location"] == f"{base}/v1/claims/{CLAIM}/assessments"
            assert (retracted.headers["etag"] == first[0].headers["etag"]) is (base == BASE)
            if base == BASE:
                assert [answer.content for answer in again] == [answer.content for answer in first]
            assert register.get(f"/v1/claims/{CLAIM}").headers["etag"].startswith('"2-')
        with register.database.write_engine.connect() as connection:
            for table in SQLModel.metadata.sorted_tables:
                assert "news.example" not in str(connection.execute(table.select()).all()), table.name


@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
def test_an_export_changes_nothing_after_a_move(make_database: Callable[[str], str], suffix: str) -> None:
    with serve_under(make_database("starter"), BASE) as register:
        answer = register.get(f"/v1/claims.{suffix}")
        change_base(register, OTHER_BASE)
        media_type = {"Content-Type": answer.headers["content-type"]}
        done = register.post("/v1/imports", content=answer.content, headers=register.keys["editor"] | media_type)
        assert (done.status_code, done.json()["links"]) == (200, None), done.text
        assert done.json()["counts"]["unchanged"] > 100


def test_a_write_of_another_application_in_one_process_has_its_own_addresses(
    make_database: Callable[[str], str], starter_register: Register
) -> None:
    body = {"level": "low", "rationale": "No method is given."}
    with serve_under(make_database("starter"), BASE) as register:
        for each, base in ((register, BASE), (starter_register, ""), (register, BASE)):
            reason = {"rationale": f"No method is given, {base or 'here'}."}
            answer = each.write("POST", f"/v1/claims/{CLAIM}/assessments", body | reason)
            if answer.status_code == 409:
                assert answer.json()["links"]["assessment"] == f"{base}/v1/claims/{CLAIM}/assessments"
            else:
                assert answer.headers["location"] == f"{base}/v1/claims/{CLAIM}/assessments"
