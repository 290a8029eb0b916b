"""Counts of claims are those of the rows of the list: from stored counts and by lookups, on both databases."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from app.claims.counts import queries
from app.claims.counts.queries import Dimension, count_claims
from app.claims.counts.stored import read_count_changes, sum_changes, update_counts
from app.claims.search.filters import ClaimFilters, ClaimQuery
from app.claims.search.planner import find_page
from app.database import transaction
from app.database.engine import Database
from app.database.read_session import ReadSession, read_session
from app.database.snapshot import Snapshot
from app.database.sql import compile_cached
from app.database.tables import AssessmentVersion, ClaimCount, ClaimVersion, SourceVersion, table_of
from app.database.transaction import write_transaction
from tests.examples import (
    assert_problem,
    make_unique_claim_body,
    read_all_rows,
    record_example_vocabulary,
    submit_claim,
)
from tests.plans.filter_cases import FILTER_CASES
from tests.plans.synthetic_register import fill_register
from tests.registers import DatabaseCopies, Register, make_settings

CLAIMS, QUESTIONS = 800, 30
STATES = (None, None, 700, 1_200)

Row = dict[str, Any]


@pytest.fixture(scope="module")
def database(database_copies: DatabaseCopies) -> Iterator[Database]:
    url = database_copies.create_copy("empty")
    fill_register(url, CLAIMS)
    made = Database(make_settings(url))
    yield made
    made.close()


@pytest.fixture(scope="module")
def records(database: Database) -> dict[str, list[Row]]:
    """The rows of some tables, all versions."""
    with read_session(database) as found:
        return {
            name: [dict(row) for row in found.session.execute(select(table_of(table))).mappings()]
            for name, table in (("claim", ClaimVersion), ("assessment", AssessmentVersion), ("source", SourceVersion))
        }


def values_of(row: Row, source: Row, assessments: list[Row], as_of: int | None) -> dict[str, Any]:
    """Return the value of each dimension of a version of a claim."""
    grades = [each for each in assessments if is_visible(each, as_of)]
    newest = max(grades, key=lambda each: (each["assessed_on"], each["id"]), default={})
    return {
        **{dimension: row.get(dimension) for dimension in Dimension},
        **{name: newest.get(name) for name in ("reliability", "credibility")},
        "confidence": newest.get("level"),
        "source_kind": source["kind"],
        "interest": source["interest"],
        "year": row["date"] and str(row["date"])[:4],
    }


def is_visible(row: Row, as_of: int | None) -> bool:
    if row.get("withdrawn"):
        return False
    if as_of is None:
        return row["until_seq"] is None
    return bool(row["seq"] <= as_of and (row["until_seq"] is None or row["until_seq"] > as_of))


def matching_versions(found: ReadSession, asked: dict[str, Any], view: Snapshot) -> list[int]:
    query = ClaimQuery(**asked, limit=1000)
    versions: list[int] = []
    while True:
        page = find_page(found, query, view)
        versions += page.versions
        if page.next_cursor is None:
            return versions
        query = query.model_copy(update={"cursor": page.next_cursor})


class CachedValues(dict[tuple[int | None, int], Row]):
    """The values of claims by state and version."""

    def __init__(self, records: dict[str, list[Row]]) -> None:
        super().__init__()
        self.claims = {row["version"]: row for row in records["claim"]}
        self.sources = {row["slug"]: row for row in records["source"]}
        self.assessments: defaultdict[str, list[Row]] = defaultdict(list)
        for row in records["assessment"]:
            self.assessments[row["claim"]].append(row)

    def __missing__(self, key: tuple[int | None, int]) -> Row:
        as_of, version = key
        row = self.claims[version]
        self[key] = values_of(row, self.sources[row["source"]], self.assessments[row["id"]], as_of)
        return self[key]


@pytest.mark.parametrize("max_changes", [20_000, -1], ids=["stored", "by lookup"])
def test_counts_are_those_of_the_rows(
    database: Database, records: dict[str, list[Row]], monkeypatch: pytest.MonkeyPatch, max_changes: int
) -> None:
    cached_values = CachedValues(records)
    monkeypatch.setattr(queries, "MAX_CHANGES_SINCE", max_changes)
    chance = random.Random(max_changes)  # noqa: S311 - deterministic
    single = [case for case in FILTER_CASES if case.get("status") in (None, ["asserted"], ["retracted"])]
    combined = [one | other for one, other in (chance.sample(single, 2) for _ in range(QUESTIONS))]
    for asked in [*single, *combined]:
        ends = (("date_from", "date_to"), ("period_from", "period_to"), ("value_min", "value_max"))
        if any(low in asked and high in asked and asked[low] > asked[high] for low, high in ends):
            continue
        dimensions = chance.sample(list(Dimension), 4)
        as_of = chance.choice(STATES)
        with read_session(database) as found:
            view = found.snapshot(None if as_of is None else f"seq:{as_of}", known_on=ClaimFilters(**asked).known_on)
            rows = [cached_values[as_of, version] for version in matching_versions(found, asked, view)]
            counts = count_claims(found, ClaimFilters(**asked), dimensions, view)
        for dimension in dimensions:
            expected = Counter(None if row[dimension] is None else str(row[dimension]) for row in rows)
            if asked.get("known_on") and dimension is Dimension.status:
                continue  # a later retraction is not known yet: tested below
            assert +counts[dimension] == expected, (asked, as_of, dimension)


def test_a_claim_is_asserted_until_its_retraction_is_known(database: Database, records: dict[str, list[Row]]) -> None:
    day = date(2024, 6, 1)
    said = [row for row in records["claim"] if row["until_seq"] is None and row["date"] and row["date"] <= day]
    visible = [row for row in said if row["status"] != "removed"]
    retracted = sum(row["status"] == "retracted" and row["retracted_on"] <= day for row in visible)
    later = sum(row["status"] == "retracted" and row["retracted_on"] > day for row in visible)
    assert retracted
    assert later
    with read_session(database) as found:
        query = ClaimFilters(known_on=day.isoformat())
        counts = count_claims(found, query, [Dimension.status], found.snapshot(known_on=query.known_on))
    assert counts[Dimension.status] == {"asserted": len(visible) - retracted, "retracted": retracted}


def stored_counts(database: Database) -> Counter[tuple[str, str, str]]:
    columns = table_of(ClaimCount).c
    with read_session(database) as found:
        rows = found.session.execute(select(columns.pair, columns.first, columns.second, columns.claims)).all()
    return Counter({(pair, first, second): number for pair, first, second, number in rows})


def counts_from_the_start(database: Database) -> Counter[tuple[str, str, str]]:
    """Return the counts of the current state, of which nothing was stored before."""
    with read_session(database) as found:

        def fetch(statement: Any, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
            return found.fetch_rows(compile_cached(statement, found.dialect), parameters)

        return sum_changes(read_count_changes(fetch, 0, found.snapshot().seq))


def count_by(register: Register, dimension: str, **asked: Any) -> dict[Any, int]:
    body = register.get("/v1/claims/counts", params={"by": dimension, **asked}).json()
    assert body["meta"]["total"] == sum(row["count"] for row in body["data"][dimension])
    return {row["value"]: row["count"] for row in body["data"][dimension]}


@pytest.mark.parametrize("interval", [1, 1_000], ids=["stored at each write", "stored later"])
def test_counts_follow_every_write(register: Register, monkeypatch: pytest.MonkeyPatch, interval: int) -> None:
    monkeypatch.setattr(transaction, "_commit_steps", [(interval, update_counts)])
    record_example_vocabulary(register)
    claims = [submit_claim(register, make_unique_claim_body()) for _ in range(3)]
    source = claims[0]["source"]["slug"]
    assert count_by(register, "source") == {source: 3}
    assert count_by(register, "confidence") == {None: 3}
    path = f"/v1/claims/{claims[0]['id']}"
    assessment = {"level": "low", "rationale": "One source.", "assessed_on": "2026-01-01"}
    assert register.write("POST", f"{path}/assessments", assessment).status_code == 201
    assert count_by(register, "confidence") == {"low": 1, None: 2}
    later = assessment | {"level": "high", "assessed_on": "2026-02-01"}
    assert register.write("POST", f"{path}/assessments", later).status_code == 201
    assert count_by(register, "confidence") == {"high": 1, None: 2}
    assert count_by(register, "confidence", confidence_min="moderate") == {"high": 1}
    retraction = {"reason": "A slip.", "retracted_on": "2025-07-01"}
    assert register.write("POST", f"{path}/retraction", retraction, **{"If-Match": '"1-"'}).status_code == 200
    assert count_by(register, "status") == {"asserted": 2, "retracted": 1}
    changes = {"event": "transcription_fix", "reason": "The day.", "changes": {"date": "2023-05-01"}}
    revised = register.write("PATCH", f"/v1/claims/{claims[1]['id']}", changes, **{"If-Match": '"1-"'})
    assert revised.status_code == 200, revised.text
    years = Counter(int(row["date"][:4]) for row in read_all_rows(register, "/v1/claims"))
    assert count_by(register, "year") == years
    seq = register.get("/v1/claims").json()["meta"]["seq"]
    assert register.write("POST", f"{path}/takedown", {"reason": "An order."}).status_code == 200
    assert count_by(register, "status") == {"asserted": 2}
    assert count_by(register, "status", recorded_as_of=f"seq:{seq}") == {"asserted": 2}
    assert register.write("POST", f"/v1/sources/{source}/takedown", {"reason": "An order."}).status_code == 200
    assert count_by(register, "source") == {"removed-1": 2}
    with write_transaction(register.database, "test") as log:
        update_counts(log)
    assert stored_counts(register.database) == counts_from_the_start(register.database)
    assert not [key for key in stored_counts(register.database) if source in key]


def test_counts_of_the_starter_register(shared_starter_register: Register) -> None:
    rows = read_all_rows(shared_starter_register, "/v1/claims", 1000)
    body = shared_starter_register.get("/v1/claims/counts?by=source,year,confidence").json()
    assert list(body["data"]) == ["source", "year", "confidence"]
    assert body["meta"]["total"] == len(rows)
    names = {row["source"]["slug"]: row["source"]["name"] for row in rows}
    by_source = Counter(row["source"]["slug"] for row in rows)
    assert {row["value"]: row["count"] for row in body["data"]["source"]} == by_source
    assert all(row["name"] == names[row["value"]] for row in body["data"]["source"])
    numbers = [row["count"] for row in body["data"]["source"]]
    assert numbers == sorted(numbers, reverse=True)
    years = [row["value"] for row in body["data"]["year"]]
    assert years == sorted(year for year in years if year is not None) + [None] * (None in years)
    lines = shared_starter_register.get("/v1/claims/counts.csv?by=year,source&source=csis").text.splitlines()
    assert lines[0] == "dimension,value,name,count"
    assert lines[-1].startswith("source,csis,Center for Strategic")
    first = shared_starter_register.get("/v1/claims/counts.ndjson?by=source").text.splitlines()[0]
    assert '"dimension":"source"' in first


def test_counts_are_revalidated_like_lists(shared_starter_register: Register) -> None:
    answer = shared_starter_register.get("/v1/claims/counts?by=year&known_on=2025-06-12")
    again = shared_starter_register.get(
        "/v1/claims/counts?by=year&known_on=2025-06-12", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304
    assert answer.headers["Surrogate-Key"] == "register claims"


def test_an_unknown_dimension_is_refused_with_the_right_ones(shared_starter_register: Register) -> None:
    problem = assert_problem(shared_starter_register.get("/v1/claims/counts?by=source,yaer"), 422, "invalid_request")
    assert problem["errors"][0]["pointer"] == "#/by"
    assert "`year`" in problem["hint"]
    assert "source_kind" in problem["hint"]
    assert_problem(shared_starter_register.get("/v1/claims/counts"), 422, "invalid_request")
    assert_problem(shared_starter_register.get("/v1/claims/counts?by=year&limit=5"), 422, "unknown_parameter")
