"""What registers of other subjects print over HTTP, with and without words of their records."""

import re
from typing import Any

import pytest

from tests.examples import assert_problem
from tests.registers import Register
from tests.topics.domains import Domain, between, value

WORDS: dict[str, dict[str, Any]] = {
    "places/western-sea": {"in_text": "in the western sea"},
    "places/northern-ireland": {"in_text": "in Northern Ireland"},
    "places/coast": {"name": "Coast of Nordland", "in_text": "off the coast of Nordland"},
    "subjects/travellers": {"in_text": {"group": "travellers", "people": "travellers"}},
    "subjects/farms": {"in_text": {"group": "farms"}},
    "categories/drowned": {
        "unit": "persons",
        "in_text": {"form": "people", "past": "had drowned", "future": "would drown", "part": "drowned"},
    },
    "categories/damage": {"unit": "currency", "in_text": {"form": "suffered", "noun": "damage"}},
    "categories/income-lost": {"unit": "currency", "in_text": {"form": "lost", "noun": "income"}},
    "categories/burnt-area": {"unit": "area", "in_text": {"form": "there", "noun": "burnt land"}},
    "categories/crops-destroyed": {"unit": "tonnes", "in_text": {"form": "lost", "noun": "crops"}},
    "categories/livestock-lost": {"unit": "animals", "in_text": {"form": "lost", "noun": "farm animals"}},
    "categories/injured": {
        "unit": "persons",
        "in_text": {"form": "people", "past": "had been injured", "future": "would be injured", "part": "injured"},
    },
    "categories/unemployment": {"unit": "percent"},
}
NAMES = {"western-sea": "western sea", "northern-ireland": "Northern Ireland"}
AGENCY = {"kind": "ngo", "interest": "independent"}
SAID: dict[str, Any] = {"date": "2024-01-06"}
DROWNED: dict[str, Any] = {"category": "drowned", "subject": "travellers", "place": "western-sea"}
FARMS: dict[str, Any] = {"subject": "farms", "place": "northern-ireland"}


@pytest.fixture(params=[True, False], ids=["words", "names"])
def domain(request: pytest.FixtureRequest, register: Register) -> Domain:
    domain = Domain(register)
    domain.put_agencies()
    for path, fields in WORDS.items():
        collection, slug = path.split("/")
        shown = fields if request.param else {name: text for name, text in fields.items() if name != "in_text"}
        domain.put(collection, slug, **({"name": NAMES[slug]} if slug in NAMES else {}), **shown)
    if request.param:
        domain.put("sources", "agency-a", name="Agency A (Office of Figures)", in_text="Agency A", **AGENCY)
    else:
        domain.put("sources", "agency-a", name="Agency A", **AGENCY)
    return domain


def sentence(domain: Domain, claim: str, **parameters: str) -> str:
    answer = domain.register.get(f"/v1/claims/{claim}/citation.txt", params=parameters)
    assert answer.status_code == 200, answer.text
    return str(answer.text).strip()


def cell(domain: Domain, claim: str) -> str:
    return str(domain.register.get(f"/v1/claims/{claim}/figure.txt").text)


def has_words(domain: Domain) -> bool:
    return domain.register.get("/v1/places/western-sea").json()["in_text"] is not None


def test_every_claim_is_printed_with_its_unit_and_its_names(domain: Domain) -> None:
    rows: list[tuple[dict[str, Any], str, str, str, str, str]] = [
        (
            {"category": "income-lost", "figure": {"lower": 3_000_000, "lower_inclusive": False, "unit": "USD"}},
            "over 3 million",
            "that farms had lost over US$3 million in income in Northern Ireland in 2023",
            "estimated over US$3 million in 2023 (Income lost; Farms; Northern Ireland; said on 6 January 2024)",
            "over US$3 million",
            "over US$3 million",
        ),
        (
            {"category": "damage", "figure": {"value": 33_000_000_000, "unit": "UAH"}},
            "33 billion",
            "that farms had suffered UAH 33 billion in damage in Northern Ireland in 2023",
            "estimated UAH 33 billion in 2023 (Damage; Farms; Northern Ireland; said on 6 January 2024)",
            "UAH 33 billion",
            "UAH 33 billion",
        ),
        (
            {"category": "burnt-area", "figure": {"value": 2471, "unit": "acres"}, "modality": "count"},
            "2,471 acres",
            "a figure of 2,471 acres of burnt land in Northern Ireland in 2023 (Farms)",
            "gave a figure of 2,471 acres in 2023 (Burnt area; Farms; Northern Ireland; said on 6 January 2024)",
            "2,471 acres",
            "2,471 acres",
        ),
        (
            {"category": "livestock-lost", "figure": value(1200), "modality": "count"},
            "1,200",
            "a count of 1,200 farm animals lost by farms in Northern Ireland in 2023",
            "gave a count of 1,200 animals in 2023 (Livestock lost; Farms; Northern Ireland; said on 6 January 2024)",
            "1,200",
            "1,200 animals",
        ),
        (
            {"category": "crops-destroyed", "figure": value(2000)},
            "2,000 t",
            "that farms had lost 2,000 tonnes of crops in Northern Ireland in 2023",
            "estimated 2,000 tonnes in 2023 (Crops destroyed; Farms; Northern Ireland; said on 6 January 2024)",
            "2,000 tonnes",
            "2,000 tonnes",
        ),
        (
            {**DROWNED, "figure": value(1), "modality": "count"},
            "1",
            "a count of 1 traveller drowned in the western sea in 2023",
            "gave a count of 1 person in 2023 (Drowned; Travellers; western sea; said on 6 January 2024)",
            "1",
            "1 person",
        ),
        (
            {**DROWNED, "place": "coast", "figure": between(200, 200)},
            "CC",
            "that 200 travellers had drowned off the coast of Nordland in 2023",
            "estimated 200 persons in 2023 (Drowned; Travellers; Coast of Nordland; said on 6 January 2024)",
            "200",
            "200 persons",
        ),
        (
            {**DROWNED, "figure": value(262, approximate=True), "aggregation": "rate", "period": {"per": "month"}},
            "about 262",
            "that about 262 travellers a month had drowned in the western sea in 2023",
            "estimated about 262 persons a month in 2023 (Drowned; Travellers; western sea; said on 6 January 2024)",
            "about 262 a month",
            "about 262 persons a month",
        ),
        (
            {**DROWNED, "category": "injured", "figure": value(1, out_of=5), "proposition": "ratio"},
            "one in five",
            "that 1 in 5 travellers had been injured in the western sea in 2023",
            "estimated 1 in 5 persons in 2023 (Injured; Travellers; western sea; said on 6 January 2024)",
            "1 in 5",
            "1 in 5 persons",
        ),
        (
            {"category": "unemployment", "figure": value(2.1, out_of=100)},
            "2.1% of 100",
            "estimated 2.1% in Northern Ireland in 2023 (Unemployment; Farms; said on 6 January 2024)",
            "estimated 2.1% in 2023 (Unemployment; Farms; Northern Ireland; said on 6 January 2024)",
            "2.1%",
            "2.1%",
        ),
        (
            {
                "category": "damage",
                "figure": {"value": 20, "unit": "percent", "relative_to": "2022"},
                "proposition": "change",
            },
            "20% more than in 2022",
            "of damage among farms in Northern Ireland in 2023: “20% more than in 2022”",
            "said on 6 January 2024 of Damage (Farms; Northern Ireland) in 2023: “20% more than in 2022”",
            "20% more than in 2022",
            "20% more than in 2022",
        ),
        (
            {
                "category": "burnt-area",
                "figure": {"value": 4, "unit": "times", "relative_to": "2006/2024"},
                "proposition": "ratio",
            },
            "four times the 2006–2024 average",
            "of burnt land in Northern Ireland in 2023 (Farms): “four times the 2006–2024 average”",
            "of Burnt area (Farms; Northern Ireland) in 2023: “four times the 2006–2024 average”",
            "four times the 2006–2024 average",
            "four times the 2006–2024 average",
        ),
        (
            {**DROWNED, "figure": value(1200), "modality": "forecast"},
            "1,200",
            "forecast on 6 January 2024 that 1,200 travellers would drown in the western sea in 2026",
            "forecast 1,200 persons in 2026 (Drowned; Travellers; western sea; said on 6 January 2024)",
            "1,200 (forecast)",
            "1,200 persons",
        ),
        (
            {**DROWNED, "date": "2023-09-02", "figure": value(1200)},
            "1,200",
            "that 1,200 travellers had drowned in the western sea in 2023 up to 2 September 2023",
            "estimated 1,200 persons in 2023 up to 2 September 2023 (Drowned; Travellers; western sea)",
            "1,200 (up to 2 September 2023)",
            "1,200 persons",
        ),
    ]
    for fields, printed, told, plain, in_cell, display in rows:
        edtf = "2026" if fields.get("modality") == "forecast" else "2023"
        claim = domain.say("a", printed, edtf, **{**FARMS, **SAID, **fields, "figure": dict(fields["figure"])})
        text = sentence(domain, claim)
        assert text.startswith("Agency A "), text
        assert (told if has_words(domain) else plain) in text
        assert cell(domain, claim) == in_cell
        body = domain.register.get(f"/v1/claims/{claim}").json()
        assert (body["figure"]["display"], body["source"]["short_name"]) == (display, None)
        short = domain.register.get(f"/v1/claims/{claim}/citation").json()["short"]
        assert re.search(r"[nN]orthern Ireland|western sea|Nordland", short), short
        assert re.search(r" in (?:2023|2026)", short), short


def test_a_sentence_names_what_it_rests_on(domain: Domain) -> None:
    first = domain.say("a", "3,140", "2023", **DROWNED, **SAID)
    half = domain.say("x", "half as many as A", "2023", derivation="derived", figure=value(1570), **DROWNED, **SAID)
    assert sentence(domain, half).endswith(" This is based on figures from others.")
    relation = {"type": "based_on", "claim": first, "asserted_by": "editors"}
    answer = domain.register.write("POST", f"/v1/claims/{half}/relations", relation)
    assert answer.status_code == 201, answer.text
    assert sentence(domain, half).endswith(" This is based on a figure from Agency A.")
    assert cell(domain, half) == "1,570 (based on Agency A)"
    withdrawal = f"/v1/relations/{answer.json()['id']}/withdrawal"
    assert domain.register.write("POST", withdrawal, {"reason": "A mistake."}).status_code in {200, 201}
    assert "Agency A" not in sentence(domain, half)


def test_a_replaced_figure_says_so(domain: Domain) -> None:
    old = domain.say("a", "5,080", "2016", **{**DROWNED, "date": "2017-01-06"})
    new = domain.say("a", "5,143", "2016", **{**DROWNED, "date": "2018-01-05"})
    relation = {"type": "supersedes", "claim": old, "asserted_by": "editors"}
    assert domain.register.write("POST", f"/v1/claims/{new}/relations", relation).status_code == 201
    assert sentence(domain, old).endswith(" Agency A later gave 5,143 (5 January 2018).")
    assert cell(domain, old) == "5,080 (superseded)"
    problem = domain.register.get(f"/v1/claims/{new}/citation", params={"known_on": "2017-06-01"})
    assert_problem(problem, 404, "not_said_yet")
    titles = [item["title"] for item in domain.register.get("/v1/feed.json").json()["items"]]
    assert any(title.startswith("Superseded 5,080 → 5,143: Agency A, 5 January 2018: 5,143 ") for title in titles)
    assert all("western sea" in title for title in titles)


def test_a_pair_is_explained_in_the_words_of_its_records(domain: Domain) -> None:
    one = domain.say(
        "a", "10 billion", "2023", category="damage", figure={"value": 10**10, "unit": "EUR"}, **FARMS, **SAID
    )
    other = domain.say(
        "b", "12 billion", "2023", category="damage", figure={"value": 12 * 10**9, "unit": "EUR"}, **FARMS, **SAID
    )
    end = "in 2023"
    assert domain.compare(one, other)["why"] == (
        f"Agency A (€10 billion {end}) and Agency b (€12 billion {end}) contradict each other: the figures for the "
        "same end have no number in common; Agency b states €2 billion more."
    )
    whole = domain.say("b", "3,000", "2023", **DROWNED, **SAID)
    part = domain.say("a", "2,000", "2023", **{**DROWNED, "category": "injured"}, **SAID)
    assert "(Injured)" in domain.compare(whole, part)["why"]


def test_pairs_of_changes_and_rates_are_explained_with_their_units(domain: Domain) -> None:
    asked: dict[str, Any] = {"category": "unemployment", **FARMS, **SAID}
    changes = [
        domain.say(
            source, printed, "2023", figure={"value": number, "relative_to": base}, proposition="change", **asked
        )
        for source, printed, number, base in (
            ("a", "40 percent more than in 2022", 40, "2022"),
            ("b", "31 per cent more than in 2022", 31, "2022"),
            ("x", "9 percent more than the travellers", 9, "travellers"),
        )
    ]
    assert domain.compare(changes[0], changes[1])["why"] == (
        "Agency A (40% more than in 2022, in 2023) and Agency b (31% more than in 2022, in 2023) contradict each "
        "other: the figures for the same end have no number in common; the figure of Agency A is 9 percentage points "
        "higher."
    )
    assert "(9% more than the travellers, in 2023)" in domain.compare(changes[0], changes[2])["why"]
    rates = [
        domain.say(source, printed, "2023", "rate", period={"per": "day"}, **DROWNED, **SAID)
        for source, printed in (("a", "8.5"), ("b", "9"))
    ]
    assert domain.compare(rates[0], rates[1])["why"].endswith("; Agency b states 0.5 persons a day more.")


def test_a_change_of_an_amount_is_among_nobody(domain: Domain) -> None:
    figure = {"value": 12, "unit": "percent", "relative_to": "2022"}
    change: dict[str, Any] = {"category": "burnt-area", "proposition": "change", "figure": figure}
    told = sentence(domain, domain.say("a", "12% more than in 2022", "2023", **change, **FARMS, **SAID))
    words = "burnt land in Northern Ireland in 2023 (Farms)"
    assert (words if has_words(domain) else "Burnt area (Farms; Northern Ireland) in 2023") in told


def test_a_figure_for_each_hundred_thousand_may_have_a_fraction(domain: Domain) -> None:
    domain.put("categories", "drowned-per-100000", name="Drowned of each 100,000", unit="persons-per-100000")
    drowned: dict[str, Any] = DROWNED | {"category": "drowned-per-100000"} | SAID
    claim = domain.say("a", "3.4", "2023", **drowned)
    assert cell(domain, claim) == "3.4 persons per 100,000"
    assert "a figure of 3.4" in sentence(domain, claim) or "estimated 3.4 persons per 100,000" in sentence(
        domain, claim
    )


def test_protesters_are_told_as_the_contract_says(register: Register) -> None:
    domain = Domain(register)
    domain.put_agencies()
    domain.put("sources", "agency-a", name="The Interior Ministry", **AGENCY)
    domain.put("categories", "protesters", unit="protesters")
    domain.put("subjects", "protest", name="protest of 15 March 2025 in Belgrade")
    domain.put("places", "belgrade", name="Belgrade")
    crowd = {"category": "protesters", "subject": "protest", "place": "belgrade", "date": "2025-03-15"}
    claim = domain.say("a", "107,000", "2025-03-15", "snapshot", **crowd)
    told = "The Interior Ministry estimated 107,000 protesters on 15 March 2025 (protest of 15 March 2025 in Belgrade)"
    assert sentence(domain, claim).startswith(told)
    vague = domain.say("b", "few hundred thousand", "2025-03-15", "snapshot", figure={"value": None}, **crowd)
    assert "estimated few hundred thousand protesters on 15 March 2025" in sentence(domain, vague)
