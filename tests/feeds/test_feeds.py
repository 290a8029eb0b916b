"""Feeds say in words what happened and what was before, and a feed parser can read them."""

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
import pytest
from sqlalchemy import select

from app.database.question_keys import question_key
from app.database.snapshot import open_snapshot
from app.database.tables import Change, ClaimVersion, columns_of
from app.feeds import latest_changes
from app.feeds.entry_cache import FEED_ENTRIES
from app.references.queries import describe_claims, read_citable_claim
from app.vocabulary.reference_data import get_reference_data
from tests.examples import (
    make_citation_body,
    make_claim_body,
    make_topic_body,
    record_example_vocabulary,
    submit_claim,
)
from tests.imports.import_helpers import format_csv, native_row, post_file
from tests.registers import Register

ANY_REVISION = {"If-Match": "*"}
TOPIC_FEED = "/v1/topics/dead/feed.json"


@pytest.fixture
def topic_register(register: Register) -> Register:
    """A register with a topic `dead` and its vocabulary."""
    record_example_vocabulary(register)
    assert register.write("PUT", "/v1/topics/dead", make_topic_body()).status_code == 201
    return register


def make_claim(register: Register, printed: str, **changes: Any) -> dict[str, Any]:
    number = int(printed.replace(",", ""))
    figure = {"as_printed": printed, "value": number}
    return submit_claim(register, make_claim_body(figure=figure, **changes))


def send(register: Register, path: str, body: Any, method: str = "POST") -> Any:
    answer = register.write(method, path, body, **ANY_REVISION)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def read_items(register: Register, path: str = TOPIC_FEED) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = register.get(path).json()["items"]
    return items


@pytest.mark.parametrize("address", ["/v1/feed", "/v1/topics/dead/feed"])
def test_feed_readers_read_both_formats(topic_register: Register, address: str) -> None:
    claims = [make_claim(topic_register, f"1,{number}") for number in range(100, 160)]
    topic_register.client.app.use_base_url("https://news.example/claims")  # type: ignore[attr-defined]
    answer = topic_register.get(f"{address}.atom")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/atom+xml; charset=utf-8")
    feed = feedparser.parse(answer.content)
    assert not feed.bozo, feed.get("bozo_exception")
    assert feed.version == "atom10"
    assert feed.feed.title.startswith("Counterclaim: ")
    page = "https://news.example/claims" + ("/topics/dead" if "topics" in address else "/")
    assert feed.feed.link == page
    assert len(feed.entries) == len({entry.id for entry in feed.entries}) == 50
    for entry, claim in zip(feed.entries, claims[::-1], strict=False):
        assert entry.title.startswith("New: ")
        assert entry.summary.endswith((".", ")"))
        assert entry.updated_parsed
        assert entry.author == "admin-key"
        assert entry.link == f"https://news.example/claims/claims/{claim['id']}"
    answer = topic_register.get(f"{address}.json")
    assert answer.headers["content-type"] == "application/feed+json"
    found: dict[str, Any] = answer.json()
    assert found["version"] == "https://jsonfeed.org/version/1.1"
    assert (found["home_page_url"], found["feed_url"]) == (page, f"https://news.example/claims{address}.json")
    for item, entry in zip(found["items"], feed.entries, strict=True):
        assert (item["id"], item["url"], item["title"], item["content_text"]) == (
            entry.id,
            entry.link,
            entry.title,
            entry.summary,
        )
        assert item["date_modified"] == item["date_published"] == entry.updated
    assert topic_register.get(f"{address}.json", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_an_import_is_one_entry_of_each_feed(shared_starter_register: Register) -> None:
    [whole] = read_items(shared_starter_register, "/v1/feed.json")
    assert whole["title"] == "Imported: 174 new claims"
    assert whole["content_text"].startswith("starter-desk imported claims-article.toml, ")
    assert whole["url"] == "/"
    topics = {}
    for slug in ("russian-killed", "russian-casualties-2024"):
        [topics[slug]] = read_items(shared_starter_register, f"/v1/topics/{slug}/feed.json")
        assert topics[slug]["url"] == f"/topics/{slug}"
        assert " in all." in topics[slug]["content_text"]
    assert len({whole["id"], *(item["id"] for item in topics.values())}) == 3


def test_every_change_of_a_claim_has_its_question(topic_register: Register) -> None:
    register = topic_register
    older = make_claim(register, "5,080")
    rows = [native_row(number) for number in (11, 12)]
    # The first row has a further citation for a claim that is recorded already.
    known = native_row(5080, as_printed="5,080", document_url="https://example.org/again", document_title="Again")
    assert post_file(register, format_csv(known, *rows), "text/csv").status_code == 201
    send(register, f"/v1/claims/{older['id']}/assessments", {"level": "low", "rationale": "A guess."})
    change, claim = columns_of(Change), columns_of(ClaimVersion)
    with register.database.read() as session:
        statement = select(change.question, claim.category, claim.subject, claim.place).join(
            ClaimVersion, (claim.id == change.claim) & claim.until_seq.is_(None)
        )
        questions = session.execute(statement).all()
        assert len(questions) >= 5
        assert all(key == question_key(*question) for key, *question in questions)
        assert not session.execute(select(change.seq).where(change.claim.is_(None), change.question.is_not(None))).all()
    titles = [item["title"] for item in read_items(register)]
    assert titles[1].startswith("Imported: ")
    assert len(titles) == 3


def test_single_changes_keep_their_ids_and_follow_the_import(starter_register: Register) -> None:
    register = starter_register
    [imported] = read_items(register, "/v1/topics/russian-killed/feed.json")
    claim = register.get("/v1/topics/russian-killed/claims?limit=1").json()["data"][0]
    send(register, f"/v1/claims/{claim['id']}/assessments", {"level": "low", "rationale": "A guess."})
    seq = register.get("/v1/changes?after=690").json()["data"][0]["seq"]
    assert seq == 691
    first, second = read_items(register, "/v1/topics/russian-killed/feed.json")
    assert second == imported
    # Readers know this id: it is derived from the path of the change.
    root = ET.fromstring(register.get("/v1/feed.atom").content)  # noqa: S314 - from the service itself
    ids = [each.text for each in root.iter("{http://www.w3.org/2005/Atom}id")]
    assert ids[1] == first["id"]
    assert register.get("/v1/topics/russian-equipment-lost/feed.json").status_code in (200, 404)


def test_a_correction_says_what_was_before(topic_register: Register) -> None:
    claim = make_claim(topic_register, "777,123")
    path = f"/v1/claims/{claim['id']}"
    figure = {"as_printed": "777,321", "value": 777321}
    body = {"event": "transcription_fix", "reason": "Two digits were swapped.", "changes": {"figure": figure}}
    send(topic_register, path, body, "PATCH")
    corrected, new = read_items(topic_register)
    assert corrected["title"].startswith("Corrected: 777,123 → 777,321, two digits were swapped. ")
    assert corrected["content_text"].endswith("(Corrected: Two digits were swapped.)")
    assert corrected["url"] == f"/claims/{claim['id']}"
    assert new["title"].startswith("New: ")
    changes: dict[str, Any] = {"date": "2025-07-09"}
    send(topic_register, path, {"event": "relay_correction", "reason": "As printed.", "changes": changes}, "PATCH")
    title = read_items(topic_register)[0]["title"]
    assert title.startswith("Report corrected: date ")
    assert " → 9 July 2025, as printed. " in title
    changes = {"note": "The page gives it twice."}
    send(topic_register, path, {"event": "transcription_fix", "reason": "x" * 200, "changes": changes}, "PATCH")
    assert read_items(topic_register)[0]["title"].startswith("Corrected: note. ")


def test_a_correction_that_moves_a_claim_moves_its_entries(topic_register: Register) -> None:
    claim = make_claim(topic_register, "1,234")
    assert topic_register.write("PUT", "/v1/places/harbour", {"name": "The harbour"}).status_code == 201
    body = make_topic_body(title="How many in the harbour?", place="harbour")
    assert topic_register.write("PUT", "/v1/topics/harbour", body).status_code == 201
    assert [len(read_items(topic_register, f"/v1/topics/{slug}/feed.json")) for slug in ("dead", "harbour")] == [1, 0]
    change = {"event": "transcription_fix", "reason": "Misread.", "changes": {"place": "harbour"}}
    send(topic_register, f"/v1/claims/{claim['id']}", change, "PATCH")
    assert read_items(topic_register) == []
    titles = [item["title"] for item in read_items(topic_register, "/v1/topics/harbour/feed.json")]
    assert titles[0].startswith("Corrected: place ")
    assert " → The harbour, misread. " in titles[0]
    assert titles[1].startswith("New: ")


def test_relations_assessments_and_citations_are_told_in_words(topic_register: Register) -> None:
    sources = {"csis": "CSIS", "economist": "The Economist"}
    for slug, name in sources.items():
        body = {"name": name, "kind": "media", "interest": "independent"}
        if slug == "economist":
            body["in_text"] = "the Economist"
        assert topic_register.write("PUT", f"/v1/sources/{slug}", body).status_code == 201
    one = make_claim(topic_register, "5,080", source="csis")
    other = make_claim(topic_register, "5,143", source="economist", modality="count")
    path = f"/v1/claims/{one['id']}"
    told = []

    def expect(start: str) -> None:
        items = read_items(topic_register)
        told.append(items[0]["title"])
        assert items[0]["title"].startswith(start), items[0]["title"]
        assert items[0]["content_text"].endswith((".", ")"))

    relation = send(topic_register, f"{path}/relations", {"type": "based_on", "claim": other["id"]})
    expect("CSIS now rests on the Economist's count of 5,143: CSIS, ")
    send(topic_register, f"/v1/relations/{relation['id']}/withdrawal", {"reason": "Misread."})
    expect("No longer on record: CSIS rests on the Economist's count of 5,143: ")
    send(topic_register, f"{path}/relations", {"type": "disputes", "source": "economist"})
    expect("CSIS now disputes figures from the Economist: ")
    send(topic_register, f"{path}/assessments", {"level": "high", "rationale": "Sound."})
    expect("Assessed, confidence high: ")
    assessment = {"level": "low", "reliability": "C", "credibility": "3", "rationale": "A guess."}
    given = send(topic_register, f"{path}/assessments", assessment)
    expect("Assessed, confidence low and C3, before confidence high: ")
    assert "admin-key: A guess." in read_items(topic_register)[0]["content_text"]
    send(topic_register, f"/v1/assessments/{given['id']}/withdrawal", {"reason": "Misread."})
    expect("Assessment withdrawn, confidence low and C3: ")
    citation = make_citation_body("https://example.org/again")
    citation["document"] |= {"title": "Losses again", "publisher": "economist"}
    citation |= {"fidelity": "paraphrase", "quote": None}
    cited = send(topic_register, f"{path}/citations", citation)
    expect("Also published by the Economist: ")
    citation = next(each for each in cited["citations"] if each["document"]["title"] == "Losses again")
    for leading, start in ((True, "Leading citation chosen, "), (False, "Leading citation no longer chosen, ")):
        mark = {"leading": leading, "reason": "Closer to the source."}
        send(topic_register, f"/v1/citations/{citation['id']}", mark, "PATCH")
        expect(f"{start}the Economist: ")
    assert len(set(told)) == len(told)


def test_a_retraction_and_a_takedown_show_in_the_feed(starter_register: Register) -> None:
    claim = starter_register.get("/v1/topics/russian-casualties/claims?date_to=2025-06-12&limit=1").json()["data"][0]
    address = f"/v1/claims/{claim['id']}"
    body = {"reason": "Taken back <b>.", "retracted_on": "2025-07-01"}
    assert starter_register.write("POST", f"{address}/retraction", body, **{"If-Match": '"1"'}).status_code == 200
    feed = "/v1/topics/russian-casualties/feed"
    newest = starter_register.get(f"{feed}.json").json()["items"][0]
    assert newest["title"].startswith("Retracted on 1 July 2025: ")
    assert "Taken" in newest["content_text"]
    entry = feedparser.parse(starter_register.get(f"{feed}.atom").content)
    assert not entry.bozo
    assert entry.entries[0].title == newest["title"]
    assert starter_register.write("POST", f"{address}/takedown", {"reason": "An order."}).status_code == 200
    items = starter_register.get(f"{feed}.json").json()["items"]
    assert items[0]["title"] == "Taken down: a claim"
    mine = [item for item in items if item["url"].endswith(claim["id"])]
    assert [item["title"] for item in mine] == ["Taken down: a claim", "Retracted: a claim"]
    assert {item["content_text"] for item in mine} == {
        "This claim was taken down. (Taken down: An order.)",
        "This claim was taken down.",
    }


def test_the_texts_of_many_claims_are_those_of_single_ones(shared_starter_register: Register) -> None:
    with shared_starter_register.database.read() as session:
        snapshot = open_snapshot(session)
        names = get_reference_data(session, snapshot).read_names(session, snapshot)
        ids = [claim["id"] for claim in shared_starter_register.get("/v1/claims?limit=1000").json()["data"]]
        described = describe_claims(session, ids, snapshot, names)
        for id_ in ids:
            assert described[id_].text == read_citable_claim(session, id_, snapshot).text, id_


def iterate_writes(register: Register) -> Iterator[str]:
    """Make one change after the other, each of which changes what entries say."""
    older = make_claim(register, "5,080")
    yield "a claim"
    newer = make_claim(register, "5,143", date="2025-08-01")
    path = f"/v1/claims/{newer['id']}"
    relation = send(register, f"{path}/relations", {"type": "supersedes", "claim": older["id"]})
    yield "a supersession"
    fix = {"event": "transcription_fix", "reason": "A slip."}
    changes = {"figure": {"as_printed": "5,413", "value": 5413}}
    send(register, path, fix | {"changes": changes}, "PATCH")
    yield "a correction of the newer claim"
    send(register, f"/v1/relations/{relation['id']}/withdrawal", {"reason": "Misread."})
    yield "a withdrawal"
    document = newer["citations"][0]["document"]["id"]
    send(register, f"/v1/documents/{document}", fix | {"changes": {"title": "Another title"}}, "PATCH")
    yield "a document"
    source = register.get(f"/v1/sources/{newer['source']['slug']}").json()
    body = {name: source[name] for name in ("kind", "interest")} | {"name": "Another name"}
    send(register, f"/v1/sources/{newer['source']['slug']}", body, "PUT")
    yield "a source"
    send(register, f"{path}/retraction", {"reason": "Taken back.", "retracted_on": "2025-09-01"})
    yield "a retraction"
    send(register, f"{path}/takedown", {"reason": "An order."})
    yield "a takedown"


def test_no_entry_is_older_than_the_register(topic_register: Register) -> None:
    for change in iterate_writes(topic_register):
        for path in ("/v1/feed.json", TOPIC_FEED):
            served = read_items(topic_register, path)
            topic_register.database.caches.remove(FEED_ENTRIES)
            assert read_items(topic_register, f"{path}?_=anew") == served, change


def test_a_change_of_another_topic_does_not_drop_the_feed(topic_register: Register) -> None:
    make_claim(topic_register, "5,080")
    assert topic_register.write("PUT", "/v1/places/harbour", {"name": "The harbour"}).status_code == 201
    cached = topic_register.client.app.state.invalidator.response_cache  # type: ignore[attr-defined]
    first = read_items(topic_register)
    hits = cached.hits
    make_claim(topic_register, "1,234", place="harbour")
    assert read_items(topic_register) == first
    assert cached.hits == hits + 1
    make_claim(topic_register, "5,081")
    assert len(read_items(topic_register)) == 2


def test_a_topic_with_a_first_day_has_its_own_changes_only(
    topic_register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = make_topic_body(title="Since 2020?", since="2020-01-01", aggregation="within")
    assert topic_register.write("PUT", "/v1/topics/since", body).status_code == 201
    wanted = {"edtf": "2020-01-01/2020-12-31", "aggregation": "within"}
    mine = make_claim(topic_register, "2,020", period=wanted, date="2025-06-12")
    for number in range(100, 160):
        make_claim(topic_register, f"3,{number}")
    path = "/v1/topics/since/feed.json"
    assert [item["url"] for item in read_items(topic_register, path)] == [f"/claims/{mine['id']}"]
    monkeypatch.setattr(latest_changes, "MAX_COMPARED_CHANGES", 10)  # then the claims are looked up first
    assert [item["url"] for item in read_items(topic_register, f"{path}?_=1")] == [f"/claims/{mine['id']}"]


def test_there_is_no_feed_of_a_topic_that_is_not_there(shared_starter_register: Register) -> None:
    answer = shared_starter_register.get("/v1/topics/russian-casualtie/feed.atom")
    assert (answer.status_code, answer.json()["hint"]) == (404, "did you mean `russian-casualties`?")
