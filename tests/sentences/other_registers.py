"""Claims of registers about crowds, fires, weather, polls, jobs, dams, votes, money and animals, for sentences.

All names and figures are invented. Each record has words for running text, which a test can leave out.
"""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from app.sentences.claim_names import ClaimNames
from app.sentences.phrases import CategoryDetails, PlaceDetails, SourceDetails, SubjectDetails
from app.sentences.sentence import write_claim_text
from tests.sentences.claim_factories import make_citation, make_figure

SENTENCES_FILE = Path(__file__).parent / "other_sentences.txt"

SOURCES = {
    "ministry": SourceDetails("ministry", "Interior Ministry", "government", in_text="the Interior Ministry"),
    "police": SourceDetails("police", "Metropolitan Police", "government", in_text="the Metropolitan Police"),
    "organisers": SourceDetails("organisers", "Students in Blockade", "ngo", in_text="the organisers"),
    "archive": SourceDetails("archive", "Archive of Public Gatherings", "research", in_text="a research group"),
    "fire": SourceDetails("fire", "State Fire Agency (Cal Fire)", "government", in_text="Cal Fire"),
    "weather": SourceDetails("weather", "National Weather Service", "government", in_text="the weather service"),
    "harvard": SourceDetails("harvard", "Harvard (NEJM)", "research"),
    "pollster": SourceDetails("pollster", "Respondents in the US (rv, I)", "research"),
    "bureau": SourceDetails("bureau", "Bureau of Labour", "government", in_text="the labour bureau"),
    "bank": SourceDetails("bank", "World Reconstruction Bank (WRB)", "intergovernmental"),
    "union": SourceDetails("union", "Farmers' Union", "ngo", in_text="the farmers' union"),
    "commission": SourceDetails("commission", "Electoral Commission", "government", in_text="the election commission"),
    "candidate": SourceDetails("candidate", "Jane Doe, candidate of the opposition", "individual"),
    "paper": SourceDetails("paper", "Daily Paper", "media", in_text="the Daily Paper"),
    "reef": SourceDetails("reef", "Terrestrial Ecoregions, mangrove biome", "dataset"),
}
PLACES = {
    "belgrade": PlaceDetails("Belgrade", "in Belgrade"),
    "protest": PlaceDetails("protest of 15 March 2025 in Belgrade"),
    "northern-ireland": PlaceDetails("Northern Ireland", "in Northern Ireland"),
    "western-sahara": PlaceDetails("Western Sahara", "in Western Sahara"),
    "western-sea": PlaceDetails("western sea", "in the western sea"),
    "uk": PlaceDetails("United Kingdom", "in the United Kingdom"),
    "coast": PlaceDetails("Coast of Nordland", "off the coast of Nordland"),
    "county": PlaceDetails("Butte County", "in Butte County"),
    "country": PlaceDetails("Ruritania", "in Ruritania"),
    "earth": PlaceDetails("Earth", "worldwide"),
}
SUBJECTS = {
    "marchers": SubjectDetails("Marchers", "the marchers", "marchers"),
    "land": SubjectDetails("Land", "the land"),
    "residents": SubjectDetails("Residents", "residents", "residents"),
    "sea": SubjectDetails("Oceans", "the oceans"),
    "voters": SubjectDetails("Voters", "voters", "voters"),
    "workers": SubjectDetails("People of working age", "people of working age", "people of working age"),
    "women": SubjectDetails("Women", "women", "women"),
    "farms": SubjectDetails("Farms", "farms"),
    "economy": SubjectDetails("Economy", "the economy"),
    "state": SubjectDetails("State budget", "the state"),
    "travellers": SubjectDetails("Travellers", "travellers", "travellers"),
    "children": SubjectDetails("Children", "children", "children"),
    "rivers": SubjectDetails("Rivers", "rivers"),
    "air": SubjectDetails("Air at the surface", "the air at the surface"),
}


def _people(name: str, past: str, future: str, part: str) -> CategoryDetails:
    return CategoryDetails(name, "people", None, past, future, part)


_DEAD = _people("Dead", "had died", "would die", "dead")
_MISSING = _people("Missing", "had gone missing", "would go missing", "missing")
CATEGORIES = {
    "protesters": (CategoryDetails("Protesters", "there", "protesters"), "protesters"),
    "attendance": (_people("Attendance", "had taken part", "would take part", "who had taken part"), "persons"),
    "burnt": (CategoryDetails("Burnt area", "there", "burnt land"), "area"),
    "homes": (
        CategoryDetails("Homes destroyed", "things", "homes", "had been destroyed", "would be destroyed", "destroyed"),
        "homes",
    ),
    "warming": (CategoryDetails("Warming", "suffered", "warming"), "degrees-celsius"),
    "rainfall": (CategoryDetails("Rainfall", "there", "rain"), "length"),
    "approval": (CategoryDetails("Approval"), "percent"),
    "unemployment": (_people("Unemployment", "had been unemployed", "would be unemployed", "unemployed"), "percent"),
    "jobs": (CategoryDetails("Jobs lost", "lost", "jobs"), "jobs"),
    "dams": (
        CategoryDetails("Dams removed", "things", "dams", "had been removed", "would be removed", "removed"),
        "dams",
    ),
    "votes": (CategoryDetails("Votes", "there", "votes cast"), "votes"),
    "damage": (CategoryDetails("Damage", "suffered", "damage"), "currency"),
    "income": (CategoryDetails("Income lost", "lost", "income"), "currency"),
    "crops": (CategoryDetails("Crops destroyed", "lost", "crops"), "tonnes"),
    "livestock": (CategoryDetails("Livestock lost", "lost", "farm animals"), "animals"),
    "drowned": (_people("Drowned", "had drowned", "would drown", "drowned"), "persons"),
    "dead": (_DEAD, "persons"),
    "dead-missing": (
        CategoryDetails("Dead and missing", "there", "cases", components=(_DEAD, _MISSING)),
        "persons",
    ),
    "carbon": (CategoryDetails("Carbon of wildfires captured"), "tonnes"),
    "sea-level": (CategoryDetails("Sea-level rise", "there", "sea-level rise"), "length"),
}


def tell_claim(
    category: str,
    subject: str,
    place: str,
    source: str,
    printed: str,
    numbers: dict[str, Any],
    edtf: str,
    said: date | None,
    **more: Any,
) -> dict[str, Any]:
    """Return a claim of one of the registers."""
    period = {"edtf": edtf, "aggregation": more.pop("aggregation", "within"), "per": more.pop("per", None)}
    unit = more.pop("unit", CATEGORIES[category][1])
    plain: dict[str, Any] = {
        "status": "asserted",
        "proposition": "quantity",
        "modality": "estimate",
        "derivation": "own",
        "date": said,
        "date_edtf": None if said is None else said.isoformat(),
        "confidence": None,
        "includes": [],
        "excludes": [],
        "citations": [make_citation("paper")],
        "retracted_on": None,
    }
    figure = {**make_figure(printed, **numbers), "unit": unit}
    return {
        **plain,
        "category": category,
        "subject": subject,
        "place": place,
        "source": {"slug": source},
        "figure": figure,
        "period": period,
        **more,
    }


def name_records(claim: dict[str, Any], *, with_words: bool, **more: Any) -> ClaimNames:
    """Return the names of the records of a claim, with or without their words in running text."""
    categories = {slug: category for slug, (category, _) in CATEGORIES.items()}
    subjects, places, sources = SUBJECTS, PLACES, SOURCES
    if not with_words:
        components = {slug: category.components for slug, category in categories.items()}
        categories = {
            slug: CategoryDetails(
                category.name,
                components=None
                if (parts := components[slug]) is None
                else tuple(CategoryDetails(part.name) for part in parts),
            )
            for slug, category in categories.items()
        }
        subjects = {slug: SubjectDetails(subject.name) for slug, subject in SUBJECTS.items()}
        places = {slug: PlaceDetails(place.name) for slug, place in PLACES.items()}
        sources = {slug: replace(source, in_text=None) for slug, source in SOURCES.items()}
    return ClaimNames(categories[claim["category"]], subjects, places, sources, categories=categories, **more)


def tell_all() -> list[str]:
    """Return for each claim its sentence with and without words of its records, the cell and the display."""
    lines = []
    for claim in CLAIMS:
        told = write_claim_text(claim, name_records(claim, with_words=True))
        plain = write_claim_text(claim, name_records(claim, with_words=False))
        lines += [told.sentence, plain.sentence, plain.short_form, told.figure, ""]
    return lines


CLAIMS = [
    tell_claim(
        "protesters", "marchers", "protest", "ministry", "107,000", {"value": 107_000}, "2025-03-15", date(2025, 3, 15)
    ),
    tell_claim(
        "protesters",
        "marchers",
        "protest",
        "archive",
        "275,000–325,000",
        {"lower": 275_000, "upper": 325_000},
        "2025-03-15",
        date(2025, 3, 16),
        aggregation="snapshot",
    ),
    tell_claim(
        "attendance",
        "marchers",
        "belgrade",
        "organisers",
        "up to 800,000",
        {"upper": 800_000},
        "2025-03-15",
        date(2025, 3, 15),
        modality="allegation",
    ),
    tell_claim(
        "attendance",
        "marchers",
        "belgrade",
        "organisers",
        "a few hundred thousand",
        {},
        "2025-03-15",
        date(2025, 3, 15),
    ),
    tell_claim(
        "attendance",
        "marchers",
        "belgrade",
        "police",
        "1",
        {"value": 1},
        "2025-03-15",
        date(2025, 3, 16),
        modality="count",
    ),
    tell_claim(
        "burnt",
        "land",
        "county",
        "fire",
        "1,000 hectares",
        {"value": 1000},
        "2018-11-08",
        date(2018, 11, 8),
        unit="hectares",
    ),
    tell_claim(
        "burnt",
        "land",
        "county",
        "fire",
        "2,471 acres",
        {"value": 2471},
        "2018-11-08",
        date(2018, 11, 9),
        unit="acres",
        modality="count",
    ),
    tell_claim(
        "burnt",
        "land",
        "county",
        "fire",
        "over 1 million acres",
        {"lower": 1_000_000, "lower_inclusive": False},
        "2018",
        date(2018, 11, 9),
        unit="acres",
        aggregation="cumulative",
    ),
    tell_claim(
        "homes",
        "residents",
        "county",
        "fire",
        "18,804",
        {"value": 18_804},
        "2018-11-08/2018-11-25",
        date(2018, 11, 25),
        modality="count",
        aggregation="cumulative",
    ),
    tell_claim(
        "warming",
        "air",
        "earth",
        "weather",
        "1.48 °C (1.4–1.6)",
        {"value": 1.48, "lower": 1.4, "upper": 1.6, "coverage": 0.95, "relative_to": "1850/1900"},
        "2023",
        date(2024, 1, 9),
    ),
    tell_claim(
        "warming",
        "air",
        "earth",
        "weather",
        "about 2.7 degrees",
        {"value": 2.7, "approximate": True, "relative_to": "1850/1900"},
        "2100",
        date(2024, 1, 9),
        modality="forecast",
        aggregation="snapshot",
    ),
    tell_claim(
        "rainfall",
        "land",
        "county",
        "weather",
        "3.3 mm a year",
        {"value": 3.3},
        "2024",
        date(2025, 1, 9),
        unit="millimeter",
        aggregation="rate",
        per="year",
    ),
    tell_claim(
        "sea-level",
        "sea",
        "coast",
        "harvard",
        "3.3 mm",
        {"value": 3.3},
        "1993/2023",
        date(2024, 2, 1),
        unit="mm",
        aggregation="rate",
        per="year",
    ),
    tell_claim("approval", "voters", "uk", "pollster", "52 percent", {"value": 52}, "2024-05", date(2024, 6, 1)),
    tell_claim(
        "approval",
        "voters",
        "uk",
        "pollster",
        "2.1%",
        {"value": 2.1, "out_of": 100},
        "2024-05",
        date(2024, 6, 1),
        modality="count",
    ),
    tell_claim(
        "approval",
        "voters",
        "uk",
        "pollster",
        "about 40% of 1,200",
        {"value": 40, "approximate": True, "out_of": 1200},
        "2024-05",
        None,
    ),
    tell_claim(
        "unemployment",
        "workers",
        "northern-ireland",
        "bureau",
        "9%",
        {"value": 9},
        "2024-05-01",
        date(2024, 5, 1),
        aggregation="snapshot",
    ),
    tell_claim(
        "unemployment",
        "workers",
        "northern-ireland",
        "bureau",
        "1 in 5",
        {"value": 1, "out_of": 5},
        "2024-05-01",
        date(2024, 6, 1),
        aggregation="snapshot",
        proposition="ratio",
    ),
    tell_claim(
        "unemployment",
        "women",
        "northern-ireland",
        "bureau",
        "up 2.5%",
        {"value": 2.5, "relative_to": "2023"},
        "2024-05",
        date(2024, 6, 1),
        proposition="change",
    ),
    tell_claim("jobs", "economy", "country", "bureau", "1,200", {"value": 1200}, "2024-03", date(2024, 4, 1)),
    tell_claim(
        "jobs",
        "economy",
        "country",
        "union",
        "at least 20 000",
        {"lower": 20_000},
        "2024",
        date(2024, 9, 2),
        modality="allegation",
    ),
    tell_claim(
        "dams",
        "rivers",
        "western-sea",
        "reef",
        "1,951",
        {"value": 1951},
        "1912/2022",
        date(2023, 2, 1),
        aggregation="cumulative",
        modality="count",
    ),
    tell_claim("dams", "rivers", "western-sea", "reef", "1", {"value": 1}, "2022", date(2023, 2, 1), modality="count"),
    tell_claim(
        "votes",
        "voters",
        "western-sahara",
        "commission",
        "81,282,916",
        {"value": 81_282_916},
        "2020-11-03",
        date(2020, 12, 1),
        modality="count",
    ),
    tell_claim(
        "votes",
        "voters",
        "western-sahara",
        "candidate",
        "millions",
        {},
        "2020-11-03",
        date(2020, 12, 1),
        modality="allegation",
    ),
    tell_claim(
        "votes",
        "voters",
        "western-sahara",
        "candidate",
        "no fraud",
        {},
        "2020-11-03",
        date(2020, 12, 1),
        proposition="denial",
    ),
    tell_claim(
        "damage",
        "economy",
        "country",
        "bank",
        "US$14.9 billion",
        {"value": 14_900_000_000},
        "2023-06-06/2023-06-20",
        date(2023, 10, 1),
        unit="USD",
    ),
    tell_claim(
        "damage",
        "economy",
        "country",
        "bank",
        "10–12 milliards",
        {"lower": 10_000_000_000, "upper": 12_000_000_000},
        "2024",
        date(2024, 9, 2),
        unit="EUR",
    ),
    tell_claim(
        "damage",
        "state",
        "country",
        "bank",
        "33 billion",
        {"value": 33_000_000_000},
        "2024",
        date(2025, 1, 2),
        unit="UAH",
        modality="count",
    ),
    tell_claim("damage", "state", "country", "bank", "several billion", {}, "2024", date(2025, 1, 2), unit="USD"),
    tell_claim(
        "income",
        "farms",
        "country",
        "union",
        "over 3 million",
        {"lower": 3_000_000, "lower_inclusive": False},
        "2024",
        date(2025, 1, 2),
        unit="USD",
    ),
    tell_claim(
        "income",
        "farms",
        "country",
        "union",
        "20% more than in 2022",
        {"value": 20, "relative_to": "2022"},
        "2023",
        date(2024, 1, 2),
        unit="percent",
        proposition="change",
    ),
    tell_claim(
        "income",
        "farms",
        "country",
        "union",
        "20 % de moins qu'en 2022",
        {"value": -20, "relative_to": "2022"},
        "2023",
        date(2024, 1, 2),
        unit="percent",
        proposition="change",
    ),
    tell_claim(
        "crops", "farms", "country", "union", "2,000 t", {"value": 2000}, "2024", date(2025, 1, 2), modality="count"
    ),
    tell_claim("livestock", "farms", "country", "union", "1,200", {"value": 1200}, "2024", date(2025, 1, 2)),
    tell_claim("livestock", "farms", "country", "union", "1", {"value": 1}, "2024", date(2025, 1, 2), modality="count"),
    tell_claim(
        "livestock",
        "farms",
        "country",
        "union",
        "12 of the 100",
        {"value": 12, "out_of": 100},
        "2024",
        date(2025, 1, 2),
        modality="count",
    ),
    tell_claim("drowned", "travellers", "western-sea", "bank", "3,140", {"value": 3140}, "2023", date(2024, 1, 6)),
    tell_claim(
        "drowned",
        "children",
        "western-sea",
        "bank",
        "about 262 a month",
        {"value": 262, "approximate": True},
        "2023",
        date(2024, 1, 6),
        aggregation="rate",
        per="month",
    ),
    tell_claim(
        "drowned",
        "children",
        "western-sea",
        "bank",
        "8.6 an hour",
        {"value": 8.6},
        "2023",
        date(2024, 1, 6),
        aggregation="rate",
        per="hour",
        modality="count",
    ),
    tell_claim(
        "drowned", "travellers", "western-sea", "bank", "200", {"lower": 200, "upper": 200}, "2023", date(2024, 1, 6)
    ),
    tell_claim(
        "drowned",
        "travellers",
        "western-sea",
        "bank",
        "1,200",
        {"value": 1200},
        "2026/2027",
        date(2024, 1, 6),
        modality="forecast",
    ),
    tell_claim(
        "drowned",
        "travellers",
        "coast",
        "candidate",
        "one to five",
        {"value": 1, "out_of": 5, "relative_to": "children"},
        "2023",
        date(2024, 1, 6),
        proposition="ratio",
    ),
    tell_claim(
        "dead-missing",
        "travellers",
        "western-sea",
        "bank",
        "just over 300",
        {"lower": 300, "lower_inclusive": False, "approximate": True},
        "2023",
        date(2024, 1, 6),
    ),
    tell_claim(
        "dead-missing",
        "travellers",
        "western-sea",
        "bank",
        "3,140",
        {"value": 3140},
        "2023-01/2023-06",
        date(2023, 7, 6),
        modality="count",
        includes=["children"],
    ),
    tell_claim("carbon", "land", "country", "harvard", "1,200", {"value": 1200}, "2024", date(2025, 1, 2)),
    tell_claim(
        "burnt",
        "land",
        "country",
        "fire",
        "four times the 2006–2024 average",
        {"value": 4, "relative_to": "2006/2024"},
        "2025",
        date(2026, 1, 2),
        unit="times",
        proposition="ratio",
    ),
    tell_claim(
        "burnt",
        "land",
        "country",
        "fire",
        "vierfach",
        {"value": 4, "relative_to": "2006/2024"},
        "2025",
        date(2026, 1, 2),
        unit="times",
        proposition="ratio",
    ),
    tell_claim(
        "rainfall",
        "land",
        "county",
        "weather",
        "the wettest month was May",
        {},
        "2024-05",
        date(2025, 1, 2),
        proposition="peak_period",
    ),
    tell_claim("rainfall", "land", "county", "weather", "rising", {}, "2024", date(2025, 1, 2), proposition="trend"),
    tell_claim(
        "dead",
        "travellers",
        "western-sea",
        "bank",
        "3,140",
        {"value": 3140},
        "2023",
        date(2023, 9, 2),
        status="retracted",
        retracted_on=date(2024, 2, 1),
    ),
]

if __name__ == "__main__":
    SENTENCES_FILE.write_text("\n".join(tell_all()), encoding="utf-8")
