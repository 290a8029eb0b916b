"""Every query plan returns the same page as a scan of all claims, on both databases."""

import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from app.claims.counts.queries import count_matching
from app.claims.search import planner
from app.claims.search.filters import ClaimQuery, Sort
from app.claims.search.planner import CLAIM_COUNTS, SearchResult, find_page
from app.claims.supersession import build_supersession_claim
from app.comparison.supersession import KnowledgeLimit, find_successors
from app.database.engine import Database
from app.database.read_session import ReadSession, read_session
from app.vocabulary.reference_data import get_reference_data
from tests.plans.filter_cases import FILTER_CASES
from tests.plans.synthetic_register import fill_register
from tests.registers import DatabaseCopies, make_settings

CLAIMS = 3_000
QUESTIONS = int(os.environ.get("TEST_STEPS", "60"))
MAX_PAGES = 40
RANKS = {"low": 1, "moderate": 2, "high": 3}
VALUE = {"date": "date", "recorded": "seq", "value": "magnitude"}

Row = dict[str, Any]
UNASSESSED: Row = {"level": "unassessed", "reliability": None, "credibility": None}


@pytest.fixture(scope="module")
def database(database_copies: DatabaseCopies) -> Iterator[Database]:
    url = database_copies.create_copy("empty")
    fill_register(url, CLAIMS)
    made = Database(make_settings(url))
    yield made
    made.close()


@pytest.fixture(scope="module")
def claims(database: Database) -> list[Row]:
    with read_session(database) as found:
        return read_versions(found)


def read_versions(found: ReadSession) -> list[Row]:
    """Return every version of every claim, with the fields that filters use."""
    session = found.session

    def rows(statement: str) -> list[Row]:
        return [
            {k: v if v is None else _plain(k, v) for k, v in row.items()}
            for row in session.execute(text(statement)).mappings()
        ]

    claims = rows("SELECT * FROM claim")
    sources = {row["slug"]: row for row in rows("SELECT slug, kind, interest FROM source")}
    for name, table in (("citations", "citation"), ("assessments", "assessment"), ("changes", "change")):
        by_claim: dict[str, list[Row]] = {}
        for row in rows(f"SELECT * FROM {table}"):  # noqa: S608 - constant names
            by_claim.setdefault(row["claim"], []).append(row)
        for claim in claims:
            claim[name] = by_claim.get(claim["id"], [])
    relations = rows("SELECT * FROM relation WHERE type = 'supersedes'")
    for claim in claims:
        claim["supersessions"] = relations
        claim["said_by"] = sources.get(claim["source"], {"kind": None, "interest": None})
    return claims


def _plain(name: str, value: Any) -> Any:
    if name == "words":
        return value.split() if isinstance(value, str) else value
    if name in ("at", "recorded_at"):
        return str(value)[:19]
    return value if isinstance(value, int | float | list) else str(value)


def search_without_index(claims: list[Row], query: ClaimQuery, known: Any, as_of: int | None) -> list[Row]:
    """Return the matching claims in order, by testing each claim."""
    hierarchies = ("category", "subject", "place")
    inside = {
        kind: {
            below
            for slug in getattr(query, kind) or ()
            for below in (known.descendants(kind, slug) if query.narrower else {slug})
        }
        for kind in hierarchies
    }

    def stands(row: Row) -> bool:
        if as_of is None:
            return row["until_seq"] is None
        return row["seq"] <= as_of and (row["until_seq"] is None or row["until_seq"] > as_of)

    asked_claims = [] if query.superseded is None else [row for row in claims if stands(row)]
    standing_claims = {row["id"]: build_supersession_claim(row, known.position_holders) for row in asked_claims}
    edges = [
        (row["claim"], row["to_claim"]) for row in claims[0]["supersessions"] if stands(row) and not row["withdrawn"]
    ]
    limit = None if query.known_on is None else KnowledgeLimit.at(query.known_on)
    successors = find_successors(edges, standing_claims, limit) if query.superseded is not None else {}

    def assessed(row: Row) -> Row:
        standing = [each for each in row["assessments"] if not each["withdrawn"] and stands(each)]
        return max(standing, key=lambda each: (each["assessed_on"], each["id"]), default=UNASSESSED)

    def cited(row: Row) -> list[Row]:
        return [each for each in row["citations"] if stands(each)]

    tests: dict[str, Callable[[Row, Any], bool]] = {
        "source_kind": lambda row, wanted: row["said_by"]["kind"] in wanted,
        "interest": lambda row, wanted: row["said_by"]["interest"] in wanted,
        "confidence": lambda row, wanted: assessed(row)["level"] in wanted,
        "confidence_min": lambda row, lowest: RANKS.get(assessed(row)["level"], 0) >= RANKS[lowest],
        "reliability": lambda row, wanted: assessed(row)["reliability"] in wanted,
        "credibility": lambda row, wanted: assessed(row)["credibility"] in wanted,
        "date_from": lambda row, day: row["date"] is not None and row["date"] >= str(day),
        "date_to": lambda row, day: row["date"] is not None and row["date"] <= str(day),
        "undated": lambda row, wanted: (row["date"] is None) == wanted,
        "known_on": lambda row, day: row["date"] is not None and row["date"] <= str(day),
        "period_from": lambda row, day: row["period_end"] is None or row["period_end"] >= str(day),
        "period_to": lambda row, day: row["period_start"] is None or row["period_start"] <= str(day),
        "value_min": lambda row, n: row["magnitude"] is not None and (row["high"] is None or row["high"] >= n),
        "value_max": lambda row, n: row["magnitude"] is not None and (row["low"] is None or row["low"] <= n),
        "superseded": lambda row, wanted: (row["id"] in successors) == wanted,
        "document": lambda row, wanted: any(each["document"] in wanted for each in cited(row)),
        "updated_since": lambda row, at: any(
            each["at"] >= str(at)[:19] and each["seq"] <= (as_of or 10**9) for each in row["changes"]
        ),
        "status": lambda row, wanted: _status(row, query) in wanted,
        "topic": lambda row, wanted: any(_belongs(row, known.topics[slug], known, query) for slug in wanted),
        "q": lambda row, words: all(
            word in row["words"]
            or any(word in each["words"] for each in cited(row))
            or any(word in known.name_words[kind].get(row[kind], ()) for kind in known.name_words)
            for word in words.split()
        ),
    }
    for name in hierarchies:
        tests[name] = lambda row, _wanted, name=name: row[name] in inside[name]  # type: ignore[misc]
    for name in ("source", "proposition", "modality", "aggregation", "kind"):
        tests[name] = lambda row, wanted, name=name: row[name] in wanted  # type: ignore[misc]
    asked = {name: getattr(query, name) for name in ClaimQuery.model_fields if name in tests}
    given = {name: value for name, value in asked.items() if value not in (None, [])}

    def matches(row: Row) -> bool:
        hidden = not query.status and row["status"] == "removed"
        return stands(row) and not hidden and all(tests[name](row, value) for name, value in given.items())

    found = [row for row in claims if matches(row)]
    name = query.sort.value.removeprefix("-")
    if name == "source":
        return sorted(found, key=lambda row: (row["source"] + " " + (row["date"] or "9999-12-31"), row["id"]))
    if name == "confidence":
        back = query.sort is Sort.most_confident
        last = 0 if back else len(RANKS) + 1
        return sorted(found, key=lambda row: (RANKS.get(assessed(row)["level"], last), row["id"]), reverse=back)
    column, back = VALUE[name], query.sort.value.startswith("-")
    known_ones = sorted((r for r in found if r[column] is not None), key=lambda r: (r[column], r["id"]), reverse=back)
    return known_ones + sorted((r for r in found if r[column] is None), key=lambda r: str(r["id"]), reverse=back)


def _status(row: Row, query: ClaimQuery) -> str:
    later = query.known_on is not None and row["retracted_on"] is not None and row["retracted_on"] > str(query.known_on)
    return "asserted" if later else str(row["status"])


def _belongs(row: Row, topic: Any, known: Any, query: ClaimQuery) -> bool:
    kinds = ("category", "subject", "place")
    narrower = {None: topic["narrower"], True: kinds, False: ()}[query.narrower]
    inside = all(
        row[kind] in (known.descendants(kind, topic[kind]) if kind in narrower else {topic[kind]}) for kind in kinds
    )
    since = topic["since"] and str(topic["since"])
    partial = row["aggregation"] == "cumulative" and row["period"].partition("/")[0] in {str(since)[:7], str(since)[:4]}
    starts = not since or row["period_start"] == since or partial
    totals = {"cumulative", "within"}
    aggregations = totals if topic["aggregation"] in totals else {topic["aggregation"]}
    return inside and starts and (topic["aggregation"] is None or row["aggregation"] in aggregations)


def read_pages(database: Database, query: ClaimQuery, as_of: int | None) -> tuple[list[int], int]:
    """Return the versions on every page of a query, each read separately, and their number as it is counted."""
    versions: list[int] = []
    page: SearchResult | None = None
    total = 0
    while page is None or page.next_cursor:
        asked = query.model_copy(update={"cursor": page.next_cursor if page else None})
        with read_session(database, generic_plan=True) as found:
            view = found.snapshot(None if as_of is None else f"seq:{as_of}", known_on=query.known_on)
            page = find_page(found, asked, view)
            total = count_matching(found, query, view)
        assert len(page.versions) <= (query.limit or 0)
        versions += page.versions
    return versions, total


@pytest.mark.parametrize(("short", "few"), [(5, 25_600), (1, 60), (1, 0)], ids=["as served", "driven", "walked"])
def test_a_page_is_what_a_plain_look_at_every_claim_finds(
    database: Database, claims: list[Row], monkeypatch: pytest.MonkeyPatch, short: int, few: int
) -> None:
    monkeypatch.setattr(planner, "SHORT_SCAN_ROWS_PER_RESULT", short)
    monkeypatch.setattr(planner, "MAX_LOOKUP_CLAIMS", few)
    for name in ("COUNT_LIMITS", "FULL_TEXT_COUNT_LIMITS"):
        monkeypatch.setattr(planner, name, (20, few) if few else ())
    chance = random.Random(few)  # noqa: S311 - deterministic
    with read_session(database, generic_plan=True) as found:
        vocabularies = {
            as_of: get_reference_data(found, found.snapshot(None if as_of is None else f"seq:{as_of}"))
            for as_of in STATES
        }
    document = next(iter(claims[5]["citations"]))["document"]
    for _ in range(QUESTIONS // 3):
        one, other = chance.sample([*FILTER_CASES, {"document": [document]}], 2)
        asked = one | (other if chance.random() < 0.7 else {})
        if any(low in asked and high in asked and asked[low] > asked[high] for low, high in RANGES):
            continue
        as_of = chance.choice(STATES)
        limit = chance.choice((2 if few else 40, 7, 50, 1000))
        query = ClaimQuery(**asked, sort=chance.choice(list(Sort)), limit=limit)
        database.caches.remove(CLAIM_COUNTS)
        expected = [row["version"] for row in search_without_index(claims, query, vocabularies[as_of], as_of)]
        # More pages of a long result are more of the same.
        query = query.model_copy(update={"limit": max(limit, len(expected) // MAX_PAGES)})
        versions, total = read_pages(database, query, as_of)
        assert versions == expected, (asked, query.sort, as_of)
        assert total == len(expected)


STATES = (None, None, 700, 2_500, 4_500)
RANGES = (("date_from", "date_to"), ("period_from", "period_to"), ("value_min", "value_max"))
