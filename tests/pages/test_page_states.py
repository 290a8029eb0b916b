"""Pages of a past state: what they leave out, what they say about it, and the links that keep it."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.pages.test_pages import BROWSER, CLAIM, Elements, document_of, show
from tests.registers import Register

STATE = {"known_on": ["2025-06-12"], "recorded_as_of": ["seq:690"]}
QUERY = "known_on=2025-06-12&recorded_as_of=seq:690"
RECORD = re.compile(r"/(claims|topics|sources|documents|v1/claims|v1/topics|embed/topics)\b")
KINDS = ("home", "topic", "claim", "claims", "source", "document")


def address_of(register: Register, kind: str) -> str:
    return {
        "home": "/?q=ki",
        "topic": "/topics/russian-killed",
        "claim": f"/claims/{CLAIM}",
        "claims": "/claims?subject=russian-forces",
        "source": "/sources/csis",
        "document": document_of(register),
    }[kind]


def with_state(address: str, query: str = QUERY) -> str:
    return f"{address}{'&' if '?' in address else '?'}{query}"


def claims_of(text: str) -> set[str]:
    return set(re.findall(r'class="figure"><a href="/claims/([0-9a-f-]+)', text))


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_says_its_state_and_its_links_keep_it(shared_starter_register: Register, kind: str) -> None:
    address = address_of(shared_starter_register, kind)
    text = show(shared_starter_register, with_state(address))
    assert "Only what had been said by 12 June 2025." in text
    assert re.search("The register (as it stood after|up to) its change 690", text)
    page = Elements(text)
    links = [attributes["href"] or "" for tag, attributes in page.found if tag == "a" and "href" in attributes]
    records = [link for link in links if RECORD.match(link) and unescape(link) != address]
    assert records
    for link in records:
        assert parse_qs(urlsplit(link).query).items() >= STATE.items(), link
    for tag, attributes in page.found:
        if tag == "link" and attributes.get("rel") == "alternate" and "feed" not in (attributes["href"] or ""):
            assert "690" in (attributes["href"] or ""), attributes
    assert "Only what had been said" not in show(shared_starter_register, address)


@pytest.mark.parametrize("kind", ["source", "document", "claims"])
def test_a_page_lists_the_claims_of_its_state(shared_starter_register: Register, kind: str) -> None:
    address = address_of(shared_starter_register, kind)
    path, parameters = {
        "source": ("source", "csis"),
        "document": ("document", address.rpartition("/")[2]),
        "claims": ("subject", "russian-forces"),
    }[kind]
    for query in ("known_on=2025-06-12", "recorded_as_of=seq:200", "known_on=2020-01-01"):
        if kind == "document" and query.startswith("recorded"):
            continue  # recorded later
        answer = shared_starter_register.get(f"/v1/claims?{path}={parameters}&narrower=true&limit=50&{query}")
        expected = {claim["id"] for claim in answer.json()["data"]}
        assert claims_of(show(shared_starter_register, with_state(address, query))) == expected


def test_a_claim_page_knows_nothing_that_was_said_later(starter_register: Register) -> None:
    register = starter_register
    answer = register.write(
        "POST",
        f"/v1/claims/{CLAIM}/retraction",
        {"reason": "The ministry took it back.", "retracted_on": "2026-01-15"},
        **{"If-Match": '"1"'},
    )
    assert answer.status_code == 200, answer.text
    assert "The ministry took it back." in show(register, f"/claims/{CLAIM}")
    before = show(register, f"/claims/{CLAIM}?known_on=2026-01-14")
    assert "The ministry took it back." not in before
    assert "Retracted" not in before
    said = register.get(f"/v1/claims/{CLAIM}").json()["date"]
    assert register.get(f"/claims/{CLAIM}?known_on={said}", headers=BROWSER).status_code == 200
    assert register.get(f"/claims/{CLAIM}?known_on=2000-01-01", headers=BROWSER).status_code == 404
    assert register.get(f"/claims/{CLAIM}?recorded_as_of=seq:1", headers=BROWSER).status_code == 404
    assert register.get("/sources/csis?recorded_as_of=tomorrow", headers=BROWSER).status_code == 422


def test_relations_to_later_claims_are_not_shown(starter_register: Register) -> None:
    """A relation is known with its document, but the claim that it leads to may have been said later."""
    register = starter_register
    claims = register.get("/v1/claims?source=csis&sort=date&limit=1000").json()["data"]
    dated = [claim for claim in claims if claim["date"]]
    early, late = dated[0], dated[-1]
    assert early["date"] < late["date"]
    relation = {"type": "disputes", "claim": late["id"], "note": "An editor's note."}
    answer = register.write("POST", f"/v1/claims/{early['id']}/relations", relation)
    assert answer.status_code == 201, answer.text
    assert f'href="/claims/{late["id"]}"' in show(register, f"/claims/{early['id']}")
    text = show(register, f"/claims/{early['id']}?known_on={early['date']}")
    assert late["id"] not in text
    assert "This claim disputes a claim" in text


def test_a_relation_to_a_source_names_it(starter_register: Register) -> None:
    relation = {"type": "based_on", "source": "ua-general-staff"}
    answer = starter_register.write("POST", f"/v1/claims/{CLAIM}/relations", relation)
    assert answer.status_code == 201, answer.text
    text = unescape(show(starter_register, f"/claims/{CLAIM}"))
    assert "This claim is based on Ukraine's General Staff" in text


@pytest.mark.parametrize(
    ("search", "link"),
    [
        ("killed", "/claims?category=killed"),
        ("russian forces", "/claims?subject=russian-forces"),
        ("kursk", "/claims?place=kursk-oblast"),
        ("csis", "/sources/csis"),
    ],
)
def test_each_name_that_a_search_finds_leads_to_its_claims(
    shared_starter_register: Register, search: str, link: str
) -> None:
    text = show(shared_starter_register, f"/?q={search}")
    found = re.findall(r"<li>(.*?) <small>", text.partition('class="found"')[2], re.DOTALL)
    assert found
    assert all(row.startswith("<a href=") for row in found)
    assert f'<a href="{link}"' in text
    assert claims_of(show(shared_starter_register, link))
    suggested = shared_starter_register.get(f"/v1/suggest?q={search}&limit=50").json()["data"]
    assert link in {row["links"]["page"] for row in suggested}


def test_a_link_with_a_state_becomes_the_card_of_that_state(shared_starter_register: Register) -> None:
    url = f"/topics/russian-killed?{QUERY}"
    body = shared_starter_register.get("/oembed", params={"url": url}).json()
    assert 'src="/embed/topics/russian-killed?known_on=2025-06-12&amp;recorded_as_of=seq%3A690"' in body["html"]
    assert "known_on=2025-06-12" in body["thumbnail_url"]
    for wrong in ("known_on=x", "recorded_as_of=seq:99999"):
        answer = shared_starter_register.get("/oembed", params={"url": f"/topics/russian-killed?{wrong}"})
        assert answer.status_code == 422
    answer = shared_starter_register.get("/sources/csis.json?" + QUERY, follow_redirects=False)
    assert answer.headers["location"] == "/v1/sources/csis?recorded_as_of=seq%3A690"


def test_the_history_of_a_claim_names_records(starter_register: Register) -> None:
    change = {"category": "killed", "includes": ["wagner-group"]}
    known = {row["slug"] for row in starter_register.get("/v1/subjects?limit=1000").json()["data"]}
    if "wagner-group" not in known:
        change["includes"] = ["north-korean-forces"]
    body = {"event": "transcription_fix", "reason": "Read again.", "changes": change}
    answer = starter_register.write("PATCH", f"/v1/claims/{CLAIM}", body, **{"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    diff = unescape(show(starter_register, f"/claims/{CLAIM}")).partition('class="diff"')[2].partition("</section>")[0]
    names = {row["slug"]: row["name"] for row in starter_register.get("/v1/categories?limit=1000").json()["data"]}
    assert f"<ins>{names['killed']}</ins>" in diff
    assert "-forces" not in diff
    assert "wagner-" not in diff


def test_the_timeline_has_an_alternative_that_says_how_the_sources_moved(shared_starter_register: Register) -> None:
    picture = shared_starter_register.get("/v1/topics/north-korean-killed/chart.svg?view=timeline").text
    description = unescape(re.findall(r"<desc[^>]*>(.*?)</desc>", picture)[0])
    assert description == (
        "6 figures of 3 sources over time, from 19 December 2024 to 2 September 2025. Killed, since November 2024: "
        "6 figures of 3 sources. South Korea's National Intelligence Service: first at least 100 persons, up to "
        "19 December 2024; last about 2,000 persons, up to 2 September 2025. Reports that the text does not name: at "
        "least 300 persons, up to June 2025. Western officials, not named: about 1,000 persons, up to January 2025."
    )
    page = Elements(show(shared_starter_register, "/topics/north-korean-killed"))
    alternatives = [attributes["alt"] or "" for tag, attributes in page.found if tag == "img"]
    assert len(alternatives) == 2
    assert "How many North Korean soldiers have been killed fighting for Russia?" in alternatives[1]
