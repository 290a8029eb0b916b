"""Crawlers learn what they may read, and the whole addresses of all topics."""

import re
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree as ET

import pytest

from app.pages import crawlers
from tests.examples import assert_problem, make_topic_body, record_example_vocabulary
from tests.registers import Register

BASE = "https://news.example/claims"
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


def locations(register: Register, path: str) -> tuple[str, list[str]]:
    answer = register.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/xml"), answer.text
    root = ET.fromstring(answer.content)  # noqa: S314 - from the service itself
    return root.tag.removeprefix(SITEMAP), [each.text or "" for each in root.iter(f"{SITEMAP}loc")]


@pytest.fixture
def based(register: Register) -> Register:
    """A register with two topics, under a base URL with a path."""
    record_example_vocabulary(register)
    for slug in ("second", "first"):
        assert register.write("PUT", f"/v1/topics/{slug}", make_topic_body()).status_code == 201
    register.client.app.use_base_url(BASE)  # type: ignore[attr-defined]
    return register


def test_crawlers_may_read_pages_but_not_the_change_log(based: Register) -> None:
    answer = based.get("/robots.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    rules = RobotFileParser()
    rules.parse(answer.text.splitlines())
    assert rules.site_maps() == [f"{BASE}/sitemap.xml"]
    for path, is_allowed in (
        ("/", True),
        ("/topics/first", True),
        ("/v1/topics/first", True),
        ("/v1/changes", False),
        ("/v1/changes/stream", False),
        ("/metrics", False),
    ):
        assert rules.can_fetch("*", BASE + path) == is_allowed, path


def test_the_sitemap_has_the_whole_addresses_of_all_topics(based: Register) -> None:
    addresses = [f"{BASE}/topics/first", f"{BASE}/topics/second"]
    assert locations(based, "/sitemap.xml") == ("urlset", addresses)
    for address in addresses:
        assert based.get(address.removeprefix(BASE)).status_code == 200
    assert_problem(based.get("/sitemap-1.xml"), 404, "not_found")
    etag = based.get("/sitemap.xml").headers["etag"]
    assert based.get("/sitemap.xml", headers={"If-None-Match": etag}).status_code == 304


def test_a_long_sitemap_is_split(based: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    assert based.write("PUT", "/v1/topics/third", make_topic_body()).status_code == 201
    monkeypatch.setattr(crawlers, "MAX_SITEMAP_ADDRESSES", 2)
    parts = [f"{BASE}/sitemap-{number}.xml" for number in (1, 2)]
    assert locations(based, "/sitemap.xml") == ("sitemapindex", parts)
    found = [locations(based, part.removeprefix(BASE))[1] for part in parts]
    assert found == [[f"{BASE}/topics/first", f"{BASE}/topics/second"], [f"{BASE}/topics/third"]]
    assert_problem(based.get("/sitemap-3.xml"), 404, "not_found")


def test_without_a_base_url_there_is_no_sitemap(shared_starter_register: Register) -> None:
    assert "Sitemap" not in shared_starter_register.get("/robots.txt").text
    assert (
        "COUNTERCLAIM_BASE_URL" in assert_problem(shared_starter_register.get("/sitemap.xml"), 404, "not_found")["hint"]
    )


def test_the_catalog_of_the_api_names_whole_addresses_that_answer(based: Register) -> None:
    answer = based.get("/.well-known/api-catalog")
    assert (
        answer.headers["content-type"] == 'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"'
    )
    [entry] = answer.json()["linkset"]
    assert entry.pop("anchor") == f"{BASE}/v1"
    assert set(entry) == {"service-desc", "service-doc", "status"}
    for target in (target for targets in entry.values() for target in targets):
        found = based.get(target["href"].removeprefix(BASE))
        assert found.status_code == 200
        assert target["type"] != "text/html" or found.headers["content-type"].startswith("text/html")
    head = based.request("HEAD", "/.well-known/api-catalog")
    assert head.headers["link"] == f'<{BASE}/.well-known/api-catalog>; rel="api-catalog"'


def test_every_address_of_the_guide_for_language_models_answers(starter_register: Register) -> None:
    text = starter_register.get("/llms.txt").text
    assert text.startswith("# ")
    addresses = re.findall(r"\]\(([^)]*)\)", text)
    assert len(addresses) >= 8
    for address in addresses:
        assert starter_register.get(address).status_code == 200, address
