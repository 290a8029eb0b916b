"""A synthetic register for import benchmarks: vocabularies, sources and claims files."""

import csv
import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.claims.serialization.csv_columns import CSV_COLUMN_PATHS
from app.database.engine import Database
from app.database.transaction import write_transaction
from app.enums import Interest, Role, SourceKind
from app.database.api_keys import create_key
from app.sources.queries import put_source
from app.sources.schemas import SourceInput
from app.vocabulary.records import put_category, put_place, put_subject
from app.vocabulary.schemas import CategoryInput, PlaceInput, SubjectInput

CATEGORIES = [f"category-{n}" for n in range(50)]
SUBJECTS = [f"subject-{n}" for n in range(20)]
PLACES = [f"place-{n}" for n in range(100)]
SOURCES = [f"source-{n}" for n in range(300)]
FIRST_DAY = dt.date(2021, 1, 1)
DAYS = 1_500
DOCUMENTS = 10_000
LARGE_SOURCE_SHARE = 0.6
"""The share of all claims that the first source makes: a daily bulletin."""
SMALL_SERIES_DAYS = 30
"""On so many days each series of the other sources has a figure."""
NOTE_WORDS = (
    "shelling reported near the crossing while officials confirmed that several units were lost or damaged".split()
)
QUOTE = "«За уточненими даними» {figure}, the bulletin of {day} said: {words}."


@dataclass(frozen=True, slots=True)
class _Series:
    """Figures of one source about one thing."""

    source: str
    category: str
    subject: str
    place: str
    aggregation: str
    start: int
    """What it begins with."""
    step: int
    days: range


def fill_vocabulary(database: Database) -> str:
    """Record the words and sources that the files use; return a key that may write."""
    with write_transaction(database, "benchmark") as log:
        for slug in CATEGORIES:
            given = CategoryInput(
                name=slug, definition="Counted for a benchmark.", unit="persons", non_decreasing=False
            )
            put_category(log, slug, given)
        for slug in SUBJECTS:
            put_subject(log, slug, SubjectInput(name=slug))
        for slug in PLACES:
            put_place(log, slug, PlaceInput(name=slug))
        for slug in SOURCES:
            put_source(log, slug, SourceInput(name=slug, kind=SourceKind.media, interest=Interest.unknown))
    with database.write() as session:
        return create_key(session, "benchmark", Role.editor)


def write_claims(path: Path, rows: int, seed: int = 1) -> None:
    """A CSV of `rows` different claims in the columns of a claims file, day by day, as a register grows.

    Another `seed` gives other claims, so that one file can be imported after another.
    """
    chance = random.Random(seed)
    series = list(_create_series(rows, chance))
    chance.shuffle(series)
    by_day: list[list[_Series]] = [[] for _ in range(DAYS)]
    for each in series:
        for day in each.days:
            by_day[day].append(each)
    documents = max(1, min(DOCUMENTS, rows // 10))
    written = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(CSV_COLUMN_PATHS), restval="", lineterminator="\r\n")
        table.writeheader()
        for day, reporting in enumerate(by_day):
            for each in reporting:
                if written == rows:
                    return
                table.writerow(_claim_row(each, day, documents, chance))
                written += 1
    if written < rows:
        raise ValueError(f"{written} rows made of {rows}")


def _create_series(rows: int, chance: random.Random) -> Iterator[_Series]:
    """So many series that there are enough figures, no two about the same."""
    made = 0
    taken: set[tuple[str, ...]] = set()
    while made < rows:
        large = made < LARGE_SOURCE_SHARE * rows
        source = SOURCES[0] if large else chance.choice(SOURCES[1:])
        about = (chance.choice(CATEGORIES), chance.choice(SUBJECTS), chance.choice(PLACES))
        if (source, *about) in taken:
            continue
        taken.add((source, *about))
        aggregation = chance.choice(("cumulative", "within") if large else ("cumulative", "within", "snapshot"))
        first = 0 if large else chance.randrange(DAYS - SMALL_SERIES_DAYS)
        days = range(DAYS) if large and rows >= DAYS * 10 else range(first, first + SMALL_SERIES_DAYS)
        made += len(days)
        yield _Series(source, *about, aggregation, chance.randint(10, 50_000), chance.randint(3, 400), days)


def _claim_row(series: _Series, day: int, documents: int, chance: random.Random) -> dict[str, str]:
    on = FIRST_DAY + dt.timedelta(days=day)
    if series.aggregation == "cumulative":
        number = series.start + series.step * (day - series.days[0]) + chance.randrange(series.step)
        period = f"{FIRST_DAY}/{on}"
    else:
        number = series.step * 10 + chance.randrange(series.step)
        period = f"{on}"
    row = {
        "category": series.category,
        "subject": series.subject,
        "place": series.place,
        "proposition": "quantity",
        "modality": chance.choice(("estimate", "estimate", "estimate", "count")),
        "derivation": chance.choice(("own", "unknown")),
        "period": period,
        "aggregation": series.aggregation,
        "source": series.source,
        **_figure_columns(number, chance),
        **_document_columns(series, day, documents),
    }
    said = on + dt.timedelta(days=chance.randrange(3))
    if chance.random() < 0.05:
        row["date_edtf"] = f"{said:%Y-%m}"
    else:
        row["date"] = row["date_edtf"] = said.isoformat()
    if chance.random() < 0.3:
        words = " ".join(chance.choice(NOTE_WORDS) for _ in range(8))
        row |= {"quote": QUOTE.format(figure=row["as_printed"], day=on, words=words), "fidelity": "verbatim"}
    else:
        row["fidelity"] = "paraphrase"
    if chance.random() < 0.1:
        row["note"] = f"The page gives the figure twice, {chance.choice(NOTE_WORDS)} and {chance.choice(NOTE_WORDS)}."
    if chance.random() < 0.03:
        row["excludes"] = chance.choice([each for each in SUBJECTS[:10] if each != series.subject])
    if chance.random() < 0.03:
        row["includes"] = ";".join(each for each in SUBJECTS[10:12] if each != series.subject)
    return row


def _figure_columns(number: int, chance: random.Random) -> dict[str, str]:
    """Numbers and their wording: four of five are plain."""
    match chance.choices(("plain", "approximate", "range", "lower_bound", "vague"), (80, 8, 5, 5, 2))[0]:
        case "plain":
            return {"value": f"{number}", "as_printed": f"{number:,}", "kind": "plain", "approximate": "false"}
        case "approximate":
            return {
                "value": f"{number}",
                "as_printed": f"about {number:,}",
                "kind": "approximate",
                "approximate": "true",
            }
        case "range":
            upper = number + number // 10 + 1
            return {
                "lower": f"{number}",
                "upper": f"{upper}",
                "lower_inclusive": "true",
                "upper_inclusive": "true",
                "as_printed": f"between {number:,} and {upper:,}",
                "kind": "range",
            }
        case "lower_bound":
            return {
                "lower": f"{number}",
                "lower_inclusive": "false",
                "as_printed": f"more than {number:,}",
                "kind": "lower_bound",
            }
        case _:
            return {"as_printed": "dozens more", "kind": "vague"}


def _document_columns(series: _Series, day: int, documents: int) -> dict[str, str]:
    """Where it was read: the large source has a bulletin a day, the others share what the press printed."""
    bulletins = min(DAYS, documents // 6 or 1)
    if series.source == SOURCES[0]:
        n = day % bulletins
        publisher = series.source
    else:
        n = bulletins + (int(series.source.removeprefix("source-")) * 37 + day * 7) % (documents - bulletins)
        publisher = SOURCES[1 + n % (len(SOURCES) - 1)]
    found = {
        "document_title": f"Report {n} of the press on losses and damage",
        "document_url": f"https://example.org/reports/{n}",
        "publisher": publisher,
    }
    if n % 4 == 0:
        found["archive_url"] = f"https://web.archive.org/web/2025/https://example.org/reports/{n}"
    return found
