"""The made-up register that `benchmarks.pair` compares two versions on, filled by what every version understands.

Vocabularies, sources and topics are PUT by HTTP, claims are a CSV file for `counterclaim import`.
"""

import csv
import datetime as dt
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FIRST_DAY = dt.date(2021, 1, 1)
DAYS = 1_500
"""Claims are said within so many days."""
SOURCES = [f"source-{n}" for n in range(500)]
BUSY_SOURCES = SOURCES[:60]
"""These make most of the claims."""
CATEGORIES = [f"category-{n}" for n in range(30)]
SUBJECTS = [f"subject-{n}" for n in range(20)]
PLACES = [f"place-{n}" for n in range(40)]
TOPICS = 30
WIDE_TOPIC, SMALL_TOPIC = "topic-0", "topic-1"
"""A topic on which each of the 500 sources has a position, and one like those of the starter claims."""
SMALL_SOURCES, SMALL_REPORTS = 15, 30
WORDS = (
    "bridge convoy crossing depot district harbour hospital market northern officials overnight quarter railway "
    "regional reservoir shelling southern station village western"
).split()
KINDS = ("government", "media", "ngo", "military", "think_tank")
INTERESTS = ("party", "aligned", "independent")
COLUMNS = (
    "category subject place source as_printed value lower upper lower_inclusive approximate modality period "
    "aggregation date document_title document_url publisher quote fidelity note"
).split()


@dataclass(frozen=True)
class Question:
    """What claims and a topic speak of."""

    category: str
    subject: str
    place: str


QUESTIONS = [Question(CATEGORIES[n % 30], SUBJECTS[n * 7 % 20], PLACES[n * 11 % 40]) for n in range(120)]
"""The first is that of the wide topic, the second that of the small one, and so on for each topic."""


def day(number: int) -> str:
    """Return the day with this number, as it is written."""
    return (FIRST_DAY + dt.timedelta(days=number)).isoformat()


def vocabulary() -> Iterator[tuple[str, str]]:
    """Yield the path and the body of every PUT, in an order in which each finds what it refers to."""
    for n, slug in enumerate(CATEGORIES):
        unit = {"unit": "persons", "non_decreasing": True}
        yield f"/v1/categories/{slug}", json.dumps({"name": f"Category {n}", "definition": f"Counted as {n}.", **unit})
    for n, slug in enumerate(SUBJECTS):
        yield f"/v1/subjects/{slug}", json.dumps({"name": f"Subject {n}"})
    for n, slug in enumerate(PLACES):
        parents = {"parents": [PLACES[n // 10]]} if n >= 10 else {}  # noqa: PLR2004 - four places hold the others
        yield f"/v1/places/{slug}", json.dumps({"name": f"Place {n}", **parents})
    for n, slug in enumerate(SOURCES):
        words = {"kind": KINDS[n % len(KINDS)], "interest": INTERESTS[n % len(INTERESTS)]}
        yield f"/v1/sources/{slug}", json.dumps({"name": f"Source {n}", **words})
    for n in range(TOPICS):
        asked = {**vars(QUESTIONS[n]), "aggregation": "cumulative", "since": FIRST_DAY.isoformat()}
        yield f"/v1/topics/topic-{n}", json.dumps({"title": f"How many are there by question {n}?", **asked})


def write_claims(path: Path, count: int) -> None:
    """Write a claims file with so many rows; the same on every run."""
    chance = random.Random("claims")  # noqa: S311 - it has to be the same every time
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for number, (question, source, on) in enumerate(_reports(count)):
            writer.writerow(_row(question, source, on, number, chance))


def _reports(count: int) -> Iterator[tuple[Question, str, int]]:
    """Yield who speaks of what on which day: the wide topic, the small one, then all other questions in turn."""
    for source in SOURCES:
        for on in (300, 1_400):
            yield QUESTIONS[0], source, on
    for report in range(SMALL_REPORTS):
        for n in range(SMALL_SOURCES):
            yield QUESTIONS[1], SOURCES[n], 200 + 40 * report + n
    others = count - 2 * len(SOURCES) - SMALL_REPORTS * SMALL_SOURCES
    for n in range(others):
        question = 2 + n % (len(QUESTIONS) - 2)
        turn = n // (len(QUESTIONS) - 2)
        yield (
            QUESTIONS[question],
            BUSY_SOURCES[(question * 13 + turn % 8) % len(BUSY_SOURCES)],
            20 + (turn * 37 + question) % (DAYS - 60),
        )


def _row(question: Question, source: str, on: int, number: int, chance: random.Random) -> dict[str, str]:
    said = day(on + 1)
    figure = _figure(1_000 + 40 * on + number % 40 + SOURCES.index(source) * 3, chance)
    words = " ".join(chance.sample(WORDS, 4))
    document = number % 4_000
    row = {
        **vars(question),
        **figure,
        "source": source,
        "modality": chance.choice(("estimate", "estimate", "count")),
        "period": f"{FIRST_DAY}/{day(on)}",
        "aggregation": "cumulative",
        "date": said,
        "document_title": f"Report {document} on losses and damage",
        "document_url": f"https://example.org/reports/{document}",
        "publisher": SOURCES[document % len(SOURCES)],
        "quote": f"The report says {figure['as_printed']} near the {words}.",
        "fidelity": "verbatim",
    }
    if number % 10 == 0:
        row["note"] = f"The page gives the figure twice, {words}."
    return row


def _figure(number: int, chance: random.Random) -> dict[str, str]:
    """Return a figure: seven of ten are plain."""
    match chance.choices(("plain", "approximate", "range", "lower"), (70, 10, 10, 10))[0]:
        case "approximate":
            return {"as_printed": f"about {number:,}", "value": f"{number}", "approximate": "true"}
        case "range":
            upper = number + number // 10 + 1
            return {"as_printed": f"{number:,} to {upper:,}", "lower": f"{number}", "upper": f"{upper}"}
        case "lower":
            return {"as_printed": f"more than {number:,}", "lower": f"{number}", "lower_inclusive": "false"}
        case _:
            return {"as_printed": f"{number:,}", "value": f"{number}"}
