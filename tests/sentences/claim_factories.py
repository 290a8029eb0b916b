"""Factories of claim responses for the tests of sentences."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from app.sentences.claim_names import ClaimNames
from app.sentences.phrases import CategoryDetails, PlaceDetails, SourceDetails, SubjectDetails

SOURCES = {
    source.slug: source
    for source in (
        SourceDetails("csis", "Center for Strategic and International Studies", "think_tank", in_text="CSIS"),
        SourceDetails(
            "gs",
            "General Staff of the Armed Forces of Ukraine",
            "military",
            in_text="the General Staff of the Armed Forces of Ukraine",
        ),
        SourceDetails(
            "mediazona",
            "Mediazona and BBC Russian, count of named dead",
            "research",
            in_text="Mediazona and BBC Russian",
        ),
        SourceDetails(
            "soldier",
            "A Russian soldier who fought at Vovchansk",
            "witness",
            anonymous=True,
            in_text="a Russian soldier who fought at Vovchansk, not named here",
        ),
        SourceDetails(
            "officials",
            "US officials, not named",
            "government",
            anonymous=True,
            in_text="US officials whom the press did not name",
        ),
        SourceDetails("putin", "Vladimir Putin, President of Russia", "government"),
        SourceDetails("peskov", "Dmitry Peskov, Kremlin spokesman", "government"),
        SourceDetails(
            "white-house", "White House (National Security Council)", "government", in_text="the White House"
        ),
        SourceDetails("kofman", "Michael Kofman, military analyst", "individual"),
        SourceDetails(
            "hrmmu",
            "Human Rights Monitoring Mission",
            "intergovernmental",
            in_text="the Human Rights Monitoring Mission",
        ),
        SourceDetails(
            "ocha",
            "Office for the Coordination of Humanitarian Affairs (OCHA)",
            "intergovernmental",
        ),
        SourceDetails("ki", "The Kyiv Independent", "media", in_text="the Kyiv Independent"),
        SourceDetails("reuters", "Reuters", "media"),
        SourceDetails("ap", "Associated Press", "media", in_text="the Associated Press"),
        SourceDetails("lee", "Lee Seong-kweun, member of the National Assembly", "individual"),
        SourceDetails(
            "data",
            "2022 Ukraine Russia War Dataset (Petro Ivaniuk)",
            "dataset",
            in_text="the 2022 Ukraine Russia War Dataset (Petro Ivaniuk)",
        ),
        SourceDetails("economist", "The Economist", "media", in_text="the Economist"),
        SourceDetails(
            "spokesman",
            "Jane Doe",
            "individual",
            speaks_for=SourceDetails("mod", "Ministry of Defence", "government", in_text="the Ministry of Defence"),
        ),
    )
}
SUBJECTS = {
    slug: SubjectDetails(name, group, people)
    for slug, name, group, people in (
        ("russian-forces", "Russian forces", "Russian forces", "members of Russian forces"),
        ("ukrainian-forces", "Ukrainian forces", "Ukrainian forces", "members of Ukrainian forces"),
        ("wagner-group", "Wagner Group", "the Wagner Group", "members of the Wagner Group"),
        ("dpr-lpr-forces", "Donetsk and Luhansk units", "Donetsk and Luhansk units", None),
        (
            "unit",
            "A Russian unit at Vovchansk",
            "a Russian unit at Vovchansk",
            "members of a Russian unit at Vovchansk",
        ),
        ("gazans", "Residents of Gaza", "residents of Gaza", "residents of Gaza"),
        ("india", "People in India", "people in India", "people in India"),
        ("earth", "Earth", "Earth", "persons among Earth"),
    )
}
PLACES = {
    "war": PlaceDetails("Russia–Ukraine war (all fronts)", "in Ukraine"),
    "gaza": PlaceDetails("Gaza Strip", "in the Gaza Strip"),
    "kursk": PlaceDetails("Kursk Oblast", "in Kursk Oblast"),
    "vovchansk": PlaceDetails("Vovchansk", "in Vovchansk"),
    "world": PlaceDetails("World", "worldwide"),
}


def people_category(name: str, words: str) -> CategoryDetails:
    """Return a category of people: "had been killed"."""
    return CategoryDetails(name, "people", past=f"had been {words}", future=f"would be {words}", part=words)


KILLED, WOUNDED = people_category("Killed", "killed"), people_category("Wounded", "wounded")
WOUNDED_UNSTATED = "whether that includes the wounded was not said"
CATEGORIES: dict[str, tuple[CategoryDetails, str]] = {
    category.name: (category, unit)
    for category, unit in (
        (KILLED, "persons"),
        (WOUNDED, "persons"),
        (CategoryDetails("Missing", "people", None, "had gone missing", "would go missing", "missing"), "persons"),
        (CategoryDetails("Survived", "people", None, "had survived", "would survive", "who had survived"), "persons"),
        (people_category("Injured", "injured"), "persons"),
        (people_category("Forcibly displaced", "forcibly displaced"), "persons"),
        (CategoryDetails("Casualties", "suffered", "casualties", components=(KILLED, WOUNDED)), "persons"),
        (CategoryDetails("Losses", "suffered", "losses", components=None), "persons"),
        (
            CategoryDetails("Losses (not defined)", "suffered", "losses", note=WOUNDED_UNSTATED, components=None),
            "persons",
        ),
        (
            CategoryDetails("Irrecoverable losses (not defined)", "suffered", "irrecoverable losses", components=None),
            "persons",
        ),
        (CategoryDetails("Tanks lost", "lost", "tanks"), "vehicles"),
        (
            CategoryDetails(
                "Tanks destroyed", "things", "tanks", "had been destroyed", "would be destroyed", "destroyed"
            ),
            "vehicles",
        ),
        (CategoryDetails("Excess deaths", "there", "excess deaths"), "persons"),
        (CategoryDetails("Temperature anomaly"), "°C"),
        (CategoryDetails("Food aid", components=None), "tonnes"),
    )
}
EMPTY_FIGURE = dict.fromkeys(("value", "lower", "upper", "lower_inclusive", "upper_inclusive", "coverage", "out_of"))


def make_figure(as_printed: str, **numbers: Any) -> dict[str, Any]:
    """Return a figure with its inclusive flags set, like the register does."""
    made = {**EMPTY_FIGURE, "approximate": False, "relative_to": None, "unit": "persons", "kind": "plain", **numbers}
    for end in ("lower", "upper"):
        if made[end] is not None and made[f"{end}_inclusive"] is None:
            made[f"{end}_inclusive"] = True
    return {"as_printed": as_printed, **made}


def make_citation(publisher: str | None = "ki", **more: Any) -> dict[str, Any]:
    """Return a citation of a document of `publisher`."""
    document = {
        "id": "01a1f640-bc00-7000-8000-000000000001",
        "title": "The report",
        "publisher": publisher,
        "publisher_name": None if publisher is None or publisher not in SOURCES else SOURCES[publisher].name,
        "url": "https://example.org/report",
        "archive_url": None,
        "published_on": None,
        "language": "en",
        **more.pop("document", {}),
    }
    plain: dict[str, Any] = {
        "leading": True,
        "role": "relay",
        "via": [],
        "fidelity": "paraphrase",
        "gap": None,
        "withdrawn_on": None,
        "quote": None,
    }
    return {"document": document, **plain, **more}


def make_claim(told: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a claim; by default over 950,000 casualties."""
    made = {
        "id": "01a1f640-bc00-7528-9916-436a9224d91e",
        "revision": 1,
        "status": "asserted",
        "category": "Casualties",
        "subject": "russian-forces",
        "place": "war",
        "proposition": "quantity",
        "modality": "estimate",
        "figure": make_figure("over 950,000", lower=950000, lower_inclusive=False),
        "edtf": "2022-02-24/2025-06-03",
        "aggregation": "cumulative",
        "per": None,
        "date": date(2025, 6, 3),
        "date_edtf": None,
        "source": "csis",
        "confidence": None,
        "includes": [],
        "excludes": [],
        "citations": [make_citation()],
        "note": None,
        "retracted_on": None,
        "recorded_at": datetime(2026, 11, 20, 10, tzinfo=UTC),
        **(told or {}),
        **more,
    }
    told_period = {name: made.pop(name) for name in ("edtf", "aggregation", "per")}
    made["period"] = {**told_period, "start": None, "end": None}
    made["source"] = {"slug": made["source"], "name": SOURCES[made["source"]].name, "kind": "unknown"}
    unit = made.pop("unit", None) or CATEGORIES[made["category"]][1]
    made["figure"] = {**made["figure"], "unit": unit}
    return made


def make_names(made: Mapping[str, Any], disputed: tuple[str, ...] = (), **more: Any) -> ClaimNames:
    """Return the names of the records that a claim refers to."""
    return ClaimNames(CATEGORIES[made["category"]][0], SUBJECTS, PLACES, SOURCES, disputed, **more)
