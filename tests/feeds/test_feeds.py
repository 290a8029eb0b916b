"""Feeds describe changes in sentences, and a feed parser can read them."""

from typing import Any

import feedparser
import pytest

from tests.registers import Register


@pytest.mark.parametrize("address", ["/v1/feed.atom", "/v1/topics/russian-casualties/feed.atom"])
def test_a_feed_reader_reads_the_atom_feed(shared_starter_register: Register, address: str) -> None:
    answer = shared_starter_register.get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/atom+xml; charset=utf-8")
    feed = feedparser.parse(answer.content)
    assert not feed.bozo, feed.get("bozo_exception")
    assert feed.version == "atom10"
    assert feed.feed.title.startswith("Counterclaim: ")
    assert len(feed.entries) == 50
    assert len({entry.id for entry in feed.entries}) == 50
    for entry in feed.entries:
        assert entry.title
        assert entry.summary.endswith((".", ")"))
        assert entry.updated_parsed
        assert entry.author == "starter-desk"


@pytest.mark.parametrize("address", ["/v1/feed.json", "/v1/topics/russian-killed/feed.json"])
def test_the_json_feed_is_one(shared_starter_register: Register, address: str) -> None:
    answer = shared_starter_register.get(address)
    assert answer.headers["content-type"] == "application/feed+json"
    feed: dict[str, Any] = answer.json()
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["feed_url"].endswith(address)
    assert all(set(item) >= {"id", "url", "title", "content_text", "date_modified"} for item in feed["items"])
    assert shared_starter_register.get(address, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_a_retraction_and_a_takedown_show_in_the_feed(starter_register: Register) -> None:
    claim = starter_register.get("/v1/topics/russian-casualties/claims?date_to=2025-06-12&limit=1").json()["data"][0]
    address = f"/v1/claims/{claim['id']}"
    body = {"reason": "Taken back <b>.", "retracted_on": "2025-07-01"}
    assert starter_register.write("POST", f"{address}/retraction", body, **{"If-Match": '"1"'}).status_code == 200
    feed = "/v1/topics/russian-casualties/feed"
    newest = starter_register.get(f"{feed}.json").json()["items"][0]
    assert newest["title"].startswith("Retracted: ")
    assert "Taken" in newest["content_text"]
    entry = feedparser.parse(starter_register.get(f"{feed}.atom").content)
    assert not entry.bozo
    assert entry.entries[0].title.startswith("Retracted: ")
    assert starter_register.write("POST", f"{address}/takedown", {"reason": "An order."}).status_code == 200
    items = starter_register.get(f"{feed}.json").json()["items"]
    assert items[0]["title"] == "Taken down: a claim"
    mine = [item for item in items if item["url"].endswith(claim["id"])]
    assert {item["content_text"] for item in mine} == {
        "This claim was taken down. (Taken down: An order.)",
        "This claim was taken down.",
    }


def test_there_is_no_feed_of_a_topic_that_is_not_there(shared_starter_register: Register) -> None:
    answer = shared_starter_register.get("/v1/topics/russian-casualtie/feed.atom")
    assert (answer.status_code, answer.json()["hint"]) == (404, "did you mean `russian-casualties`?")
