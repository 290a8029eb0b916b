"""Names are found by the beginnings of their words, in any script and without accents, and in a stated order."""

from itertools import pairwise
from typing import Any

import pytest

from app.vocabulary.name_index import NamedRecord, NameIndex, split_search_words
from tests.examples import (
    assert_problem,
    make_source_body,
    make_topic_body,
    read_latest_seq,
    record_example_vocabulary,
)
from tests.registers import Register


def suggest_names(register: Register, text: str, **parameters: Any) -> list[tuple[str, str]]:
    answer = register.get("/v1/suggest", params={"q": text, **parameters})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["meta"]["count"] == len(body["data"])
    return [(row["kind"], row["slug"]) for row in body["data"]]


def slugs(register: Register, path: str, **parameters: Any) -> list[str]:
    answer = register.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return [row["slug"] for row in answer.json()["data"]]


@pytest.fixture
def named_register(register: Register) -> Register:
    """A register with sources in several scripts, two topics, a place and a subject."""
    record_example_vocabulary(register)
    names = {
        "lodz": ("Urząd Miasta Łodzi", "UMŁ"),
        "sejourne": ("Stéphane Séjourné", None),
        "general-staff": ("Генеральний штаб України", "Генштаб"),
        "gaza-ministry": ("وزارة الصحة", None),
        "harbour": ("Harbour Board", None),
        "board": ("Board", None),
        "board-of-trade": ("Board of Trade", None),
    }
    for slug, (name, short_name) in names.items():
        body = make_source_body(name=name, short_name=short_name)
        assert register.write("PUT", f"/v1/sources/{slug}", body).status_code == 201
    assert register.write("PUT", "/v1/places/board-island", {"name": "Board Island"}).status_code == 201
    assert register.write("PUT", "/v1/subjects/crew", {"name": "Crew of the Board"}).status_code == 201
    assert register.write("PUT", "/v1/topics/board", make_topic_body(title="Board members lost?")).status_code == 201
    on_island = make_topic_body(title="How many drowned?", place="board-island")
    assert register.write("PUT", "/v1/topics/drowned", on_island).status_code == 201
    return register


def test_names_are_found_by_any_word_in_any_script_without_accents(named_register: Register) -> None:
    for text, slug in (
        ("lodz", "lodz"),
        ("ŁÓDŹ", "lodz"),
        ("uml", "lodz"),
        ("sejour", "sejourne"),
        ("SÉJOURNÉ steph", "sejourne"),
        ("генер укр", "general-staff"),
        ("генштаб", "general-staff"),
        ("الصحة", "gaza-ministry"),
    ):
        assert suggest_names(named_register, text) == [("source", slug)], text
    assert suggest_names(named_register, "ejourne") == []
    assert suggest_names(named_register, "harbour trade") == []


def test_an_exact_name_comes_first_then_names_that_begin_with_it_then_later_words(named_register: Register) -> None:
    expected = [
        ("source", "board"),
        ("topic", "board"),
        ("source", "board-of-trade"),
        ("place", "board-island"),
        ("source", "harbour"),
        ("subject", "crew"),
    ]
    assert suggest_names(named_register, "board") == expected
    assert suggest_names(named_register, "board", limit=3) == expected[:3]
    assert suggest_names(named_register, "Board of t") == [("source", "board-of-trade"), ("subject", "crew")]


def test_a_row_names_the_record_and_where_it_is(named_register: Register) -> None:
    rows = named_register.get("/v1/suggest?q=uml").json()["data"]
    assert rows == [
        {
            "kind": "source",
            "slug": "lodz",
            "name": "Urząd Miasta Łodzi",
            "short_name": "UMŁ",
            "links": {"self": "/v1/sources/lodz", "page": "/sources/lodz"},
        }
    ]
    [place] = named_register.get("/v1/suggest?q=island").json()["data"]
    assert place["links"] == {"self": "/v1/places/board-island", "page": "/claims?place=board-island"}
    for row in named_register.get("/v1/suggest?q=board").json()["data"]:
        for address in filter(None, row["links"].values()):
            assert named_register.get(address).status_code == 200, address


@pytest.mark.parametrize(
    "query", ["", "q=", "q=%20", "q=%21%3F", "q=%00", f"q={'a' * 201}", "q=a&limit=51", "q=a&limit=0"]
)
def test_a_search_needs_a_word_and_is_bounded(shared_starter_register: Register, query: str) -> None:
    problem = assert_problem(shared_starter_register.get(f"/v1/suggest?{query}"), 422, "invalid_request")
    assert problem["errors"][0]["location"] == "query"
    for path in ("/v1/topics", "/v1/sources"):
        if query.startswith("q=%") or len(query) > 200:
            assert_problem(shared_starter_register.get(f"{path}?{query}"), 422, "invalid_request")


def test_a_renamed_source_is_found_by_its_new_name_only(named_register: Register) -> None:
    assert suggest_names(named_register, "harbour") == [("source", "harbour")]
    seq = read_latest_seq(named_register)
    body = make_source_body(name="Port Authority")
    assert named_register.write("PUT", "/v1/sources/harbour", body).status_code == 200
    assert suggest_names(named_register, "harbour") == []
    assert suggest_names(named_register, "port") == [("source", "harbour")]
    assert slugs(named_register, "/v1/sources", q="harbour") == []
    assert slugs(named_register, "/v1/sources", q="harbour", recorded_as_of=f"seq:{seq}") == ["harbour"]


def test_a_source_that_was_taken_down_is_not_found(named_register: Register) -> None:
    body = {"reason": "An order."}
    assert named_register.write("POST", "/v1/sources/sejourne/takedown", body).status_code == 200
    assert suggest_names(named_register, "sejourne") == []


def test_sources_and_topics_are_filtered_page_by_page(named_register: Register) -> None:
    assert slugs(named_register, "/v1/sources", q="board") == ["board", "board-of-trade", "harbour"]
    # The name of its place finds a topic, beside the title.
    assert slugs(named_register, "/v1/topics", q="board") == ["board", "drowned"]
    assert slugs(named_register, "/v1/topics", q="drown island") == ["drowned"]
    assert slugs(named_register, "/v1/topics", q="drown members") == []
    read, address = [], "/v1/sources?q=board&limit=1&total=true"
    while address:
        page = named_register.get(address).json()
        assert page["meta"]["total"] == 3
        read += [row["slug"] for row in page["data"]]
        address = page["links"]["next"]
    assert read == ["board", "board-of-trade", "harbour"]
    lines = named_register.get("/v1/sources.csv?q=board&fields=slug").text.splitlines()
    assert lines == ["slug", "board", "board-of-trade", "harbour"]


def test_the_search_of_the_first_page_shows_questions_and_names(named_register: Register) -> None:
    page = named_register.get("/", params={"q": "board"}).text
    for expected in (
        "Board members lost?",
        "How many drowned?",
        'href="/sources/harbour"',
        'href="/claims?place=board-island"',
    ):
        assert expected in page
    for nothing in ("???", "zzz"):
        assert "Nothing on record has these words" in named_register.get("/", params={"q": nothing}).text
    assert "Board members lost?" in named_register.get("/?q=").text


def test_the_index_finds_what_a_plain_search_finds() -> None:
    words = ("Alfa", "Alba", "Beta", "Bet", "Gamma", "Ál", "Be Ta")
    records = [
        NamedRecord(kind, f"{kind}-{number}", f"{first} {second}", third if number % 2 else None)
        for kind in ("source", "topic", "place")
        for number, (first, (second, third)) in enumerate((first, pair) for first in words for pair in pairwise(words))
    ]
    index = NameIndex(records)

    def rank(record: NamedRecord, wanted: tuple[str, ...]) -> int | None:
        names = [split_search_words(name) for name in (record.name, record.short_name) if name]
        if not all(any(word.startswith(each) for name in names for word in name) for each in wanted):
            return None
        if wanted in names:
            return 0
        begins = (name[: len(wanted) - 1] == wanted[:-1] and name[len(wanted) - 1 :][:1] for name in names)
        return 1 if any(rest and rest[0].startswith(wanted[-1]) for rest in begins) else 2

    for text in ("a", "al", "alfa", "be ta", "bet", "gamma al", "b a", "ál", "x", "beta beta"):
        wanted = split_search_words(text)
        ranked = [(rank(record, wanted), ("topic", "source", "place").index(record.kind), record) for record in records]
        kept = [row for row in ranked if row[0] is not None]
        expected = sorted(kept, key=lambda row: (row[0], row[1], row[2].name.casefold(), row[2].slug))
        assert index.suggest(text, 1000) == [record for _, _, record in expected], text
        assert index.suggest(text, 7) == [record for _, _, record in expected][:7], text
