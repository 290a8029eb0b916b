"""Factories of claim responses for the tests of sentences."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from app.sentences.phrases import SourceDetails
from app.sentences.sentence import ClaimNames

SOURCES = {
    source.slug: source
    for source in (
        SourceDetails("csis", "Center for Strategic and International Studies", "think_tank"),
        SourceDetails("gs", "General Staff of the Armed Forces of Ukraine", "military"),
        SourceDetails("mediazona", "Mediazona and BBC Russian, count of named dead", "research"),
        SourceDetails("soldier", "A Russian soldier who fought at Vovchansk", "witness", anonymous=True),
        SourceDetails("officials", "US officials, not named", "government", anonymous=True),
        SourceDetails("putin", "Vladimir Putin, President of Russia", "government"),
        SourceDetails("peskov", "Dmitry Peskov, Kremlin spokesman", "government"),
        SourceDetails("white-house", "White House (National Security Council)", "government"),
        SourceDetails("kofman", "Michael Kofman, military analyst", "individual"),
        SourceDetails("hrmmu", "Human Rights Monitoring Mission", "intergovernmental"),
        SourceDetails("ocha", "Office for the Coordination of Humanitarian Affairs (OCHA)", "intergovernmental"),
        SourceDetails("ki", "The Kyiv Independent", "media"),
        SourceDetails("reuters", "Reuters", "media"),
        SourceDetails("ap", "Associated Press", "media"),
        SourceDetails("lee", "Lee Seong-kweun, member of the National Assembly", "individual"),
        SourceDetails("data", "2022 Ukraine Russia War Dataset (Petro Ivaniuk)", "dataset"),
        SourceDetails("economist", "The Economist", "media"),
        SourceDetails(
            "spokesman", "Jane Doe", "individual", speaks_for=SourceDetails("mod", "Ministry of Defence", "government")
        ),
    )
}
SUBJECTS = {
    "russian-forces": "Russian forces",
    "ukrainian-forces": "Ukrainian forces",
    "wagner-group": "Wagner Group",
    "dpr-lpr-forces": "Donetsk and Luhansk units",
    "unit": "A Russian unit at Vovchansk",
    "gazans": "Residents of Gaza",
    "india": "People in India",
    "earth": "Earth",
}
PLACES = {
    "war": "Russia–Ukraine war (all fronts)",
    "gaza": "Gaza Strip",
    "kursk": "Kursk Oblast",
    "vovchansk": "Vovchansk",
    "world": "World",
}
CATEGORIES: dict[str, tuple[tuple[str, ...] | None, str]] = {
    "Killed": ((), "persons"),
    "Wounded": ((), "persons"),
    "Missing": ((), "persons"),
    "Survived": ((), "persons"),
    "Injured": ((), "persons"),
    "Forcibly displaced": ((), "persons"),
    "Casualties": (("Killed", "Wounded"), "persons"),
    "Losses": (None, "persons"),
    "Losses (not defined)": (None, "persons"),
    "Irrecoverable losses (not defined)": (None, "persons"),
    "Tanks lost": ((), "vehicles"),
    "Tanks destroyed": ((), "vehicles"),
    "Excess deaths": ((), "persons"),
    "Temperature anomaly": ((), "°C"),
    "Food aid": (None, "tonnes"),
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
        "publisher_name": SOURCES[publisher].name if publisher else None,
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
    made["figure"] = {**made["figure"], "unit": CATEGORIES[made["category"]][1]}
    return made


def make_names(made: Mapping[str, Any], disputed: tuple[str, ...] = ()) -> ClaimNames:
    """Return the names of the records that a claim refers to."""
    return ClaimNames(made["category"], CATEGORIES[made["category"]][0], SUBJECTS, PLACES, SOURCES, disputed)
