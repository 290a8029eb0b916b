"""The three forms of a chart show the same, for the starter topics and for questions that are hard to draw."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.charts.description import Theme
from app.charts.style import content_policy_of
from tests.charts.readers import (
    SVG,
    Drawn,
    figures_of_svg,
    figures_of_vega,
    parse_svg,
    read_chart,
    squeeze,
    texts_of_svg,
)
from tests.charts.registers import TOPICS, record_charts
from tests.registers import DatabaseCopies, Register, open_register
from tests.topics.domains import Domain

STARTER_TOPICS = (
    *("russian-casualties", "russian-killed", "north-korean-casualties", "russian-tanks-lost-since-2022"),
    *("india-pandemic-deaths", "irrecoverable-loss-ratio", "russian-casualties-per-day"),
    "russian-casualties-heaviest-months",
)
VIEWS = ("side-by-side", "timeline")


@pytest.fixture(scope="module")
def charts(database_copies: DatabaseCopies) -> Iterator[Domain]:
    """A register with the questions that are hard to draw. Tests must not write to it."""
    for register in open_register(database_copies.create_copy("empty")):
        yield record_charts(register)


def assert_forms_agree(register: Register, topic: str, view: str) -> list[Drawn]:
    root = parse_svg(read_chart(register, topic, view=view).text)
    spec = read_chart(register, topic, "vl.json", view=view).json()
    figures = figures_of_vega(spec)
    drawn = figures_of_svg(root)
    assert drawn == figures, topic
    texts = texts_of_svg(root)
    stated = [spec["title"]["text"], *spec["title"]["subtitle"]]
    if view == "side-by-side":
        rows = spec["data"]["values"]
        stated += [row[name] for row in rows for name in ("heading", "figure", "source", "time")]
        stated += [bracket["why"] for bracket in spec["usermeta"]["brackets"]]
    for text in stated:
        is_cut = "very" in text  # the name of a source that is cut, with an ellipsis
        assert is_cut or squeeze(text) in texts or _is_wrapped(text, texts), (topic, text)
    for view_spec in spec["vconcat"]:
        axis = view_spec.get("encoding", {}).get("x" if view == "side-by-side" else "y", {})
        if axis.get("axis", {}).get("title"):
            assert squeeze(axis["axis"]["title"]) in texts
    description = root.find(f"{SVG}desc")
    assert description is not None
    assert spec["description"].startswith(description.text or "")
    return figures


def _is_wrapped(text: str, texts: str) -> bool:
    """Return whether all words of a text are there: other columns may stand between its lines."""
    return all(squeeze(word) in texts for word in text.split())


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("topic", STARTER_TOPICS)
def test_the_forms_show_the_same_of_a_starter_topic(shared_starter_register: Register, topic: str, view: str) -> None:
    assert_forms_agree(shared_starter_register, topic, view)


@pytest.mark.parametrize("view", VIEWS)
def test_the_forms_show_the_same_of_what_is_hard_to_draw(charts: Domain, view: str) -> None:
    for topic in TOPICS:
        assert_forms_agree(charts.register, topic, view)


def test_a_chart_has_every_position_of_the_brief_in_its_order(shared_starter_register: Register) -> None:
    for topic in STARTER_TOPICS:
        brief = shared_starter_register.get(f"/v1/topics/{topic}/brief", params={"positions": 500, "pairs": 100}).json()
        positions = [each for group in brief["groups"] for name in ("current", "earlier") for each in group[name]]
        drawn = figures_of_svg(parse_svg(read_chart(shared_starter_register, topic).text))
        assert [each.claim for each in drawn if each.mark != "words"] == [each["claim"] for each in positions]
        assert sum(each.mark == "words" for each in drawn) == brief["without_number"]


def test_brackets_join_the_contradictions_of_the_brief(shared_starter_register: Register, charts: Domain) -> None:
    for register, topics in ((shared_starter_register, STARTER_TOPICS), (charts.register, TOPICS)):
        for topic in topics:
            brief = register.get(f"/v1/topics/{topic}/brief", params={"positions": 500, "pairs": 100}).json()
            stated = [(pair["a"], pair["b"], pair["why"]) for pair in brief["look"] if pair["verdict"] == "contradict"]
            spec = read_chart(register, topic, "vl.json").json()
            brackets = [(each["a"], each["b"], each["why"]) for each in spec["usermeta"]["brackets"]]
            assert brackets == stated[:10]
            root = parse_svg(read_chart(register, topic, width=1200).text)
            drawn = [
                (each.get("data-a"), each.get("data-b")) for each in root.iter(f"{SVG}g") if each.get("data-bracket")
            ]
            assert drawn == [bracket[:2] for bracket in brackets]


def test_a_chart_is_a_picture_with_a_text_alternative_and_a_policy(shared_starter_register: Register) -> None:
    answer = read_chart(shared_starter_register, "russian-casualties", known_on="2025-06-12")
    root = parse_svg(answer.text)
    assert root.attrib["role"] == "img"
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert root.attrib["aria-labelledby"].split() == [title.get("id"), description.get("id")]
    assert title.text == "How many Russian soldiers have been killed or wounded since February 2022?"
    brief = shared_starter_register.get("/v1/topics/russian-casualties/brief?known_on=2025-06-12").json()
    assert description.text == " ".join(brief["lead"])
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["content-security-policy"] == content_policy_of(Theme.auto)
    assert "url(http" not in answer.text
    assert "known on 12 June 2025" in answer.text


def test_a_timeline_shows_what_became_of_a_figure(charts: Domain) -> None:
    rows = read_chart(charts.register, "restated", "vl.json", view="timeline").json()["data"]["values"]
    status = {row["text"].partition(" persons")[0]: row["status"] for row in rows}
    assert status["5,080"] == "restated"
    assert status["9,999"] == "retracted"
    assert {each for name, each in status.items() if name not in {"5,080", "9,999"}} == {"stated"}
    replaced = next(row for row in rows if row["status"] == "restated")
    newer = next(row for row in rows if row["claim"] == replaced["replaced_by"])
    assert newer["value"] == 5143
    early = read_chart(charts.register, "restated", "vl.json", view="timeline", known_on="2023-04-30").json()["data"][
        "values"
    ]
    assert {(row["value"], row["status"]) for row in early} == {(5080, "stated"), (4000, "stated")}


def test_a_timeline_names_at_most_eight_sources(shared_starter_register: Register) -> None:
    rows = read_chart(shared_starter_register, "russian-casualties", "vl.json", view="timeline").json()["data"][
        "values"
    ]
    for panel in {row["panel"] for row in rows}:
        sources = {(row["source"], row["is_named"]) for row in rows if row["panel"] == panel}
        assert sum(is_named for _, is_named in sources) == min(8, len(sources))


def test_a_timeline_takes_no_parameters_of_a_comparison(shared_starter_register: Register) -> None:
    for name, given in (("tolerance", "0.1"), ("window", "9"), ("ends_by", "2025-01-01")):
        answer = shared_starter_register.get(f"/v1/topics/russian-killed/chart.svg?view=timeline&{name}={given}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == f"#/{name}"


@pytest.mark.parametrize("suffix", ["chart.csv", "chart.vl", "chart"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(shared_starter_register: Register, suffix: str) -> None:
    answer = shared_starter_register.get(f"/v1/topics/russian-killed/{suffix}")
    assert answer.status_code == 406
    assert answer.json()["hint"] == "the formats are svg, png and vl.json"


def test_a_topic_links_to_its_chart(shared_starter_register: Register) -> None:
    links = shared_starter_register.get("/v1/topics/russian-killed").json()["links"]
    assert shared_starter_register.get(links["chart"]).headers["content-type"] == "image/svg+xml"


def test_a_chart_is_cached_until_a_claim_of_the_topic_changes(register: Register) -> None:
    domain = Domain(register)
    domain.put_agencies()
    for slug in ("country", "abroad"):
        domain.put("places", slug)
    domain.put("subjects", "people")
    domain.put("categories", "crowd", unit="persons")
    domain.put("topics", "crowd", category="crowd", subject="people", place="country")
    claim: dict[str, Any] = {"category": "crowd", "subject": "people", "date": "2025-01-10"}
    domain.say("a", "100", "2024", place="country", **claim)
    cache = register.app.state.invalidator.response_cache

    def hits(suffix: str, view: str) -> tuple[str, int]:
        before = cache.hits
        answer = read_chart(register, "crowd", suffix, view=view)
        return answer.headers["etag"], cache.hits - before

    numbers = iter(range(200, 300))
    for suffix in ("svg", "png", "vl.json"):
        for view in VIEWS:
            first, _ = hits(suffix, view)
            assert hits(suffix, view) == (first, 1)
            domain.say("b", str(next(numbers)), "2023", place="abroad", **claim)
            assert hits(suffix, view) == (first, 1), "a claim of another place"
            domain.say("b", str(next(numbers)), "2024", place="country", **claim)
            changed, hit = hits(suffix, view)
            assert changed != first
            assert hit == 0
