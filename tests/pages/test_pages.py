"""The pages for people: what they show, how they behave in a browser, and what stored text cannot do to them."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import pytest
from justhtml import JustHTML

from app.pages.templates import FOLDER
from tests.registers import Register
from tests.topics.domains import Domain

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
CLAIM = "01a1f640-bc00-7f0a-bfa6-3126d5c046d9"
PAGES = (
    "/",
    "/?q=killed",
    "/claims?category=killed&place=kursk-oblast",
    f"/claims/{CLAIM}?known_on=2025-06-12&recorded_as_of=seq:690",
    "/sources/csis?known_on=2025-06-12",
    "/about",
    "/topics/russian-casualties",
    "/topics/russian-casualties?known_on=2025-06-12&tolerance=0.01&confidence=high&source=csis&claims_q=over",
    "/topics/russian-casualties-heaviest-months",
    "/topics/india-pandemic-deaths",
    f"/claims/{CLAIM}",
    "/sources/csis",
    "/sources/ru-mod",
    "/embed/topics/russian-casualties",
    f"/embed/claims/{CLAIM}",
)
MAX_CARD_BYTES = 30_000
MAX_SCRIPT_BYTES = 10_000
MAX_EMBED_SCRIPT_BYTES = 5_000


class Elements(HTMLParser):
    """The elements of a page, each with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def links(self) -> Iterator[str]:
        for tag, attributes in self.found:
            for name in ("href", "src", "action"):
                value = attributes.get(name)
                if value is not None and tag != "base":
                    yield value


def show(register: Register, address: str, status: int = 200) -> str:
    answer = register.get(address, headers=BROWSER, follow_redirects=False)
    assert answer.status_code == status, (address, answer.text)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return str(answer.text)


def document_of(register: Register) -> str:
    claim = register.get(f"/v1/claims/{CLAIM}").json()
    return f"/documents/{claim['citations'][0]['document']['id']}"


@pytest.mark.parametrize("address", [*PAGES, "document", "/nothing"])
def test_every_page_is_valid_and_loads_nothing_from_elsewhere(shared_starter_register: Register, address: str) -> None:
    path = document_of(shared_starter_register) if address == "document" else address
    text = show(shared_starter_register, path, 404 if address == "/nothing" else 200)
    JustHTML(text, strict=True)
    elements = Elements(text)
    headings = [tag for tag, _ in elements.found if re.fullmatch("h[1-6]", tag)]
    assert headings.count("h1") == 1
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in elements.found:
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        if tag in {"script", "img", "iframe", "link"} and attributes.get("rel") not in {"canonical", "alternate"}:
            address_loaded = attributes.get("src") or attributes.get("href") or ""
            assert address_loaded.startswith("/"), address_loaded


_alive: set[tuple[str, str]] = set()
"""The links of each register that have been followed already."""


@pytest.mark.parametrize("address", PAGES)
def test_the_links_of_a_page_are_alive(shared_starter_register: Register, address: str) -> None:
    own = {link.partition("#")[0] for link in Elements(show(shared_starter_register, address)).links()}
    checked = [link for link in sorted(own) if link.startswith("/") and "chart." not in link]
    assert checked
    for link in checked:
        key = shared_starter_register.settings.database_url, link
        if key in _alive:
            continue
        answer = shared_starter_register.get(link, headers=BROWSER)
        assert answer.status_code == 200, (address, link, answer.text[:200])
        _alive.add(key)


def test_only_cards_can_be_framed_and_nothing_runs_inline(shared_starter_register: Register) -> None:
    for address in PAGES:
        policy = shared_starter_register.get(address, headers=BROWSER).headers["content-security-policy"]
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self';")
        assert policy.endswith("frame-ancestors *" if address.startswith("/embed") else "frame-ancestors 'none'")


def test_a_topic_page_says_what_stands_before_everything_else(shared_starter_register: Register) -> None:
    text = show(shared_starter_register, "/topics/russian-casualties?known_on=2025-06-12")
    lead = text.index("the newest figures are about 1 million persons (UK Ministry of Defence, up to 12 June 2025)")
    order = [
        lead,
        text.index('name="known_on" value="2025-06-12"'),
        text.index('id="figures"'),
        text.index('id="look"'),
        text.index('id="moved"'),
        text.index('id="claims"'),
        text.index('id="take"'),
    ]
    assert order == sorted(order)
    assert "cannot both be true" in text.lower()
    assert "<code>contradict</code>" in text
    assert "2025-12-31" not in text.partition('id="claims"')[0]  # said later


def test_the_first_page_lists_the_questions_and_searches_them(shared_starter_register: Register) -> None:
    text = show(shared_starter_register, "/")
    topics = shared_starter_register.get("/v1/topics?limit=1000").json()["data"]
    for topic in topics:
        assert f'href="/topics/{topic["slug"]}"' in text
    contradicting = [topic for topic in topics if topic["verdicts"]["contradict"]]
    others = [topic for topic in topics if not topic["verdicts"]["contradict"]]
    positions = {topic["slug"]: text.index(f'href="/topics/{topic["slug"]}"') for topic in topics}
    assert max(positions[topic["slug"]] for topic in contradicting) < min(positions[topic["slug"]] for topic in others)
    found = show(shared_starter_register, "/?q=North+Korean+killed")
    assert 'href="/topics/north-korean-killed"' in found
    assert 'href="/topics/ukrainian-killed"' not in found
    assert "Nothing on record has these words" in show(shared_starter_register, "/?q=zzzzzz")


def test_the_first_page_keeps_the_hedges_and_names_the_sources(shared_starter_register: Register) -> None:
    text = show(shared_starter_register, "/")
    for topic in shared_starter_register.get("/v1/topics?limit=1000").json()["data"]:
        assert len(topic["newest"]) == min(topic["spread"]["sources"], 3)
        for figure in topic["newest"]:
            assert figure.replace("'", "&#39;") in text
    assert "Newest: about 1,207,910 persons (Ukraine&#39;s General Staff, up to 31 December 2025)." in text


def test_whose_side_a_source_is_on_depends_on_the_question(starter_register: Register) -> None:
    address = "/v1/topics/north-korean-killed"
    topic = starter_register.get(address).json()
    names = ("title", "description", "category", "subject", "place", "aggregation", "since", "tolerance", "narrower")
    body = {name: topic[name] for name in names} | {"interests": {"nis-korea": "independent"}}
    answer = starter_register.write("PUT", address, body, **{"If-Match": starter_register.get(address).headers["etag"]})
    assert answer.status_code == 200, answer.text
    before, _, claims = show(starter_register, "/topics/north-korean-killed").partition('id="claims"')
    for part in (before, claims):
        row = part.partition('href="/sources/nis-korea"')[2].partition("</th>")[0]
        assert "independent" in row
    assert "aligned with a party" in show(starter_register, "/sources/nis-korea")


def test_a_past_state_stays_in_forms_and_files(shared_starter_register: Register) -> None:
    text = show(shared_starter_register, "/topics/russian-killed?recorded_as_of=seq:690&known_on=2025-06-12")
    assert text.count('<input type="hidden" name="recorded_as_of" value="seq:690">') == 3  # with the search
    assert "/v1/topics/russian-killed/claims.csv?known_on=2025-06-12&amp;recorded_as_of=seq%3A690" in text


def test_an_empty_register_says_what_to_do_next(register: Register) -> None:
    text = show(register, "/")
    assert "This register has no questions yet" in text
    assert "counterclaim starter" in text
    JustHTML(text, strict=True)


def test_claims_are_paged_and_filtered(shared_starter_register: Register) -> None:
    address = "/topics/russian-casualties-and-missing"
    first = show(shared_starter_register, address)
    claims = re.compile(r'<td role="cell" data-label="Figure" class="figure"><a href="/claims/([0-9a-f-]+)"')

    def listed(text: str) -> list[str]:
        return claims.findall(text.partition('id="claims"')[2])

    assert len(listed(first)) == 50
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following
    second = show(shared_starter_register, following[1].replace("&amp;", "&").partition("#")[0])
    assert listed(second)
    assert not set(listed(first)) & set(listed(second))
    filtered = show(shared_starter_register, f"{address}?source=csis&confidence=")
    rows = shared_starter_register.get("/v1/claims?topic=russian-casualties-and-missing&source=csis").json()["data"]
    assert listed(filtered) == [row["id"] for row in rows]
    assert 'value="csis" selected' in filtered


def test_a_claim_page_has_its_sentence_chain_history_and_formulas(starter_register: Register) -> None:
    answer = starter_register.write(
        "PATCH",
        f"/v1/claims/{CLAIM}",
        {"event": "transcription_fix", "reason": "A digit.", "changes": {"note": "Checked again."}},
        **{"If-Match": '"1"'},
    )
    assert answer.status_code == 200, answer.text
    citation = starter_register.get(f"/v1/claims/{CLAIM}/citation").json()
    text = show(starter_register, f"/claims/{CLAIM}")
    assert citation["sentence"].replace('"', "&#34;") in text
    assert re.search(r"UK Ministry of Defence</span>.*?→.*?HuffPost UK</span>.*?→", text)
    assert "Reason: A digit." in text
    assert "<ins>Checked again.</ins>" in text
    assert f"=WEBSERVICE(&#34;/v1/claims/{CLAIM}/figure.txt&#34;)" in text


def test_addresses_with_a_suffix_lead_to_the_record(shared_starter_register: Register) -> None:
    for page, record in (
        ("/topics/russian-casualties.json?known_on=2025-06-12", "/v1/topics/russian-casualties?known_on=2025-06-12"),
        (f"/claims/{CLAIM}.json", f"/v1/claims/{CLAIM}"),
        ("/sources/csis.json", "/v1/sources/csis"),
        ("/about.json", "/v1/register"),
        ("/index.json", "/v1/register"),
    ):
        answer = shared_starter_register.get(page, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (308, record)
        assert shared_starter_register.get(record).status_code == 200
    for accept in (BROWSER["Accept"], "*/*"):
        answer = shared_starter_register.get("/topics/russian-casualties.xml", headers={"Accept": accept})
        assert answer.status_code == 404
        assert "only suffix of a page is .json" in answer.text


def test_an_error_is_a_page_only_where_a_page_is_asked_for(shared_starter_register: Register) -> None:
    for address, accept, media_type in (
        ("/topics/nothing", BROWSER["Accept"], "text/html; charset=utf-8"),
        ("/topics/nothing", "*/*", "application/problem+json"),
        ("/topics/nothing", "application/json", "application/problem+json"),
        ("/topics/nothing", "text/html;q=0.1, application/json", "application/problem+json"),
        ("/v1/topics/nothing", BROWSER["Accept"], "application/problem+json"),
        ("/health/nothing", BROWSER["Accept"], "application/problem+json"),
        ("/oembed?url=nothing", BROWSER["Accept"], "application/problem+json"),
    ):
        answer = shared_starter_register.get(address, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (404, media_type), address
    text = show(shared_starter_register, "/topics/russian-casualties?known_on=yesterday", 422)
    assert "known_on" in text
    for ignored in ("?utm_source=x", "?anything=at&all=1"):
        show(shared_starter_register, f"/topics/russian-casualties{ignored}")


def test_files_of_pages_are_held_for_good(shared_starter_register: Register) -> None:
    elements = Elements(show(shared_starter_register, "/"))
    loaded = [link for link in elements.links() if link.startswith("/static/")]
    assert len(loaded) == 3
    for link in loaded:
        answer = shared_starter_register.get(link)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    for link in ("/static/pages.0000000000000000.css", "/static/pages.css", "/static/..%2froutes.py", "/static/x"):
        assert shared_starter_register.get(link).status_code == 404
    assert (FOLDER / "static" / "pages.js").stat().st_size < MAX_SCRIPT_BYTES


def test_a_card_is_small_and_an_element_shows_it(shared_starter_register: Register) -> None:
    for address in ("/embed/topics/russian-casualties", f"/embed/claims/{CLAIM}"):
        assert len(show(shared_starter_register, address).encode()) < MAX_CARD_BYTES
    text = show(shared_starter_register, "/embed/topics/russian-casualties?theme=dark&known_on=2025-06-12")
    assert 'data-theme="dark"' in text
    assert "as known on 12 June 2025" in text
    script = shared_starter_register.get("/embed.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["access-control-allow-origin"] == "*"
    assert len(script.content) < MAX_EMBED_SCRIPT_BYTES
    assert shared_starter_register.get("/embed/topics/nothing").status_code == 404


def test_oembed_describes_the_card_of_a_page(shared_starter_register: Register) -> None:
    page = show(shared_starter_register, "/topics/russian-casualties")
    addresses = [
        attributes["href"] or ""
        for tag, attributes in Elements(page).found
        if tag == "link" and (attributes.get("type") or "").endswith("+oembed")
    ]
    assert len(addresses) == 2
    answer = shared_starter_register.get(addresses[0])
    body: dict[str, Any] = answer.json()
    assert (body["version"], body["type"]) == ("1.0", "rich")
    assert body["title"] == "How many Russian soldiers have been killed or wounded since February 2022?"
    assert 'src="/embed/topics/russian-casualties"' in body["html"]
    assert body["html"].startswith('<blockquote class="wp-embedded-content"><a href="/topics/russian-casualties">')
    assert (body["thumbnail_width"], body["thumbnail_height"]) == (1200, 630)
    xml = shared_starter_register.get(addresses[1])
    assert xml.headers["content-type"] == "text/xml; charset=utf-8"
    assert "<type>rich</type>" in xml.text
    small = shared_starter_register.get("/oembed", params={"url": f"/claims/{CLAIM}", "maxwidth": "300"}).json()
    assert (small["width"], "thumbnail_url" in small) == (300, False)
    for parameters, status in (
        ({"url": "/sources/csis"}, 404),
        ({"url": "/topics/nothing"}, 404),
        ({"url": "/topics/russian-casualties", "format": "yaml"}, 501),
        ({"url": "/topics/russian-casualties", "maxwidth": "0"}, 422),
        ({}, 422),
    ):
        assert shared_starter_register.get("/oembed", params=parameters).status_code == status


def test_the_head_of_a_table_has_the_unit(shared_starter_register: Register) -> None:
    text = show(shared_starter_register, "/topics/russian-casualties")
    assert ">Figure <small>persons</small></th>" in text
    table = text.partition("<tbody")[2].partition("</tbody>")[0]
    assert ">about 1,207,910</a>" in table
    card = show(shared_starter_register, "/embed/topics/russian-casualties")
    assert "<caption>Killed and wounded, since 24 February 2022, persons. Lighter: more than 31 days older" in card
    assert "<td>about 1,207,910 <small>" in card


def test_tables_of_claims_say_what_is_counted(shared_starter_register: Register) -> None:
    source = show(shared_starter_register, "/sources/csis")
    assert "<bdi>Russian forces</bdi>" in source
    assert "<bdi>Ukrainian forces</bdi>" in source
    topic = show(shared_starter_register, "/topics/russian-casualties").partition('id="claims"')[2]
    assert "<bdi>Casualties</bdi>" in topic
    assert "<bdi>Killed</bdi>" in topic
    assert "<bdi>Russian forces</bdi>" not in topic
    document = show(shared_starter_register, document_of(shared_starter_register))
    assert "Words in this document" in document
    assert ">Read in<" not in document


def test_a_name_in_an_error_is_marked(shared_starter_register: Register) -> None:
    assert "There is no topic <code>nothing</code>." in show(shared_starter_register, "/topics/nothing", 404)


def test_the_card_of_a_question_without_a_figure_shows_no_group_as_the_answer(
    shared_starter_register: Register,
) -> None:
    card = show(shared_starter_register, "/embed/topics/world-pandemic-deaths")
    assert "<table" not in card
    assert "No source has stated a number on exactly this question." in card
    for figure in ("5.42 million persons", "14.9 million persons", "17,728,243.81 persons"):
        assert figure in card


def test_a_page_reads_from_left_to_right_whatever_a_title_is(register: Register) -> None:
    domain = Domain(register)
    domain.put_agencies()
    domain.put("places", "harbour")
    domain.put("subjects", "boats")
    domain.put("categories", "counted", unit="boats")
    domain.put("topics", "question", category="counted", subject="boats", place="harbour", title="ب" * 9)
    for address in ("/topics/question", "/embed/topics/question"):
        elements = Elements(show(register, address)).found
        assert [attributes.get("dir") for tag, attributes in elements if tag in {"html", "body", "main"}] == [None] * 3
        assert [attributes.get("dir") for tag, attributes in elements if tag == "h1"] == ["auto"]


def test_words_without_a_number_are_told(register: Register) -> None:
    domain = Domain(register)
    domain.put_agencies()
    domain.put("places", "harbour")
    domain.put("subjects", "boats")
    domain.put("categories", "counted", unit="boats")
    domain.put("topics", "question", category="counted", subject="boats", place="harbour", title="How many boats?")
    counted = {"category": "counted", "subject": "boats", "place": "harbour", "date": "2024-02-01"}
    domain.say("a", "dozens", "2023", figure={"kind": "vague"}, **counted)
    for address in ("/topics/question", "/embed/topics/question"):
        text = show(register, address)
        assert "No source has stated a number on this question." in text
        assert "1 claim has words without a number." in text


HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"


def test_no_stored_text_becomes_markup(register: Register) -> None:
    domain = Domain(register)
    for slug in ("a", "x"):
        domain.put("sources", f"agency-{slug}", kind="ngo", interest="independent", description=HOSTILE)
    domain.put("places", "harbour", in_text=HOSTILE)
    domain.put("subjects", "boats")
    domain.put("categories", "counted", unit="boats", definition=HOSTILE)
    title = HOSTILE + "ب" * 200
    domain.put("topics", "question", category="counted", subject="boats", place="harbour", title=title)
    claim = domain.say(
        "a", "12", "2023", category="counted", subject="boats", place="harbour", date="2024-02-01", note=HOSTILE
    )
    register.write("PUT", "/v1/sources/agency-a", {"name": HOSTILE, "kind": "ngo", "interest": "independent"})
    record = register.get(f"/v1/claims/{claim}").json()
    document = record["citations"][0]["document"]["id"]
    addresses = ["/", f"/?q={HOSTILE}", "/topics/question", f"/claims/{claim}", "/sources/agency-a"]
    addresses += [f"/documents/{document}", "/embed/topics/question", f"/embed/claims/{claim}", f"/{HOSTILE}"]
    for address in addresses:
        answer = register.get(address, headers=BROWSER)
        assert answer.status_code in {200, 404}, address
        JustHTML(answer.text, strict=True)
        elements = Elements(answer.text).found
        assert not any(name.startswith("on") for _, attributes in elements for name in attributes), address
        for tag, attributes in elements:
            if tag == "script":
                assert (attributes.get("src") or "").startswith("/static/"), address
            if tag == "img":
                assert (attributes.get("src") or "").startswith("/v1/topics/"), address
            link = attributes.get("href")
            assert link is None or urlsplit(link).scheme in {"", "http", "https"}, (address, link)


def test_a_write_drops_only_the_pages_that_show_it(starter_register: Register) -> None:
    topic = starter_register.get("/v1/topics/north-korean-killed").json()
    shown = ["/topics/north-korean-killed", "/sources/csis", "/"]
    others = ["/topics/ukrainian-killed", "/sources/uk-mod", "/embed/topics/ukrainian-killed"]
    tags = {address: starter_register.get(address, headers=BROWSER).headers["etag"] for address in [*shown, *others]}
    body = {
        **{name: topic[name] for name in ("category", "subject", "place")},
        "source": "csis",
        "modality": "estimate",
        "figure": {"as_printed": "about 1,234", "value": 1234, "approximate": True},
        "period": {"edtf": "2024-11/2025-10", "aggregation": "cumulative"},
        "date": "2025-10-31",
        "citations": [{"document": {"url": "https://example.org/1234", "title": "A page"}}],
    }
    answer = starter_register.write("POST", "/v1/claims", body)
    assert answer.status_code == 201, answer.text
    for address, tag in tags.items():
        status = starter_register.get(address, headers=BROWSER | {"If-None-Match": tag}).status_code
        assert status == (200 if address in shown else 304), address
    assert "about 1,234" in show(starter_register, shown[0])


def test_a_retraction_shows_on_the_page(starter_register: Register) -> None:
    brief = starter_register.get("/v1/topics/north-korean-killed/brief").json()
    claim = brief["groups"][0]["current"][0]["claim"]
    body = {"reason": "A slip.", "retracted_on": "2026-01-05"}
    show(starter_register, "/topics/north-korean-killed")
    answer = starter_register.write("POST", f"/v1/claims/{claim}/retraction", body, **{"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    assert "retracted on 5 January 2026" in show(starter_register, "/topics/north-korean-killed")
