"""The shipped mappings for Gaza, the pandemic and the named dead, on the real files with their known errors."""

import csv
import json
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.enums import SmellKind
from app.imports.mappings.load import load_shipped_mapping, shipped_mappings
from app.imports.mappings.mapper import MappingRowMapper
from app.imports.pipeline.prepare import ImportRequest
from app.imports.pipeline.result import ImportRefused, ImportResult
from app.imports.pipeline.row_mapping import ClaimDraft, MappedRow
from app.imports.pipeline.run import run_import
from app.imports.readers.options import FileRow
from app.imports.readers.reader import FileReader
from tests.registers import Register

NAMES = [
    "covid-monthly",
    "covid-weekly",
    "covid-world-model",
    "gaza-casualties",
    "gaza-infrastructure",
    "gaza-west-bank",
    "named-dead-russia",
    "named-dead-totals",
    "named-dead-ukraine",
    "named-dead-ukraine-raw",
]
GAZA = "gaza/casualties_daily.json"
GAZA_2024_01 = "gaza/vintages/casualties_daily_asof_2024-01-15_46a91e7e.json"
GAZA_2024_02 = "gaza/vintages/casualties_daily_asof_2024-02-01_17877d77.json"
GAZA_2025_11 = "gaza/vintages/casualties_daily_asof_2025-11-01_f3d76138.json"
WEST_BANK = "gaza/west_bank_daily.json"
INFRASTRUCTURE = "gaza/infrastructure-damaged.json"
MONTHLY = "covid/all_monthly_excess_deaths.csv"
WEEKLY = "covid/all_weekly_excess_deaths.csv"
WORLD = "covid/economist_world_model_TRIMMED_11rows.csv"
RUSSIA_09 = "named-dead/russia_daily_2025-09-01.json"
RUSSIA_11 = "named-dead/russia_daily_2025-11-08.json"
RAW_09 = "named-dead/ukraine_daily-raw_2025-09-01.json"
RAW_11 = "named-dead/ukraine_daily-raw_2025-11-08.json"
DEDUPLICATED = "named-dead/ukraine_daily-deduplicated_2025-11-08.json"
TOTALS = "named-dead/casualty-totals.json"


def load_mapper(name: str) -> MappingRowMapper:
    return MappingRowMapper(name, load_shipped_mapping(name))


def map_rows(name: str, path: Path) -> Iterator[tuple[FileRow, MappedRow]]:
    """Yield every row of a file with its mapped drafts, without a register."""
    made = load_mapper(name)
    for row in FileReader([path], made.options):
        yield row, made.map_row(row)


@cache
def map_claims(name: str, path: Path) -> tuple[list[tuple[FileRow, ClaimDraft]], Counter[str]]:
    """Return the claims that a mapping creates from a file, and the number of skipped rows by reason."""
    claims, skipped = [], Counter[str]()
    for row, made in map_rows(name, path):
        assert made.faults == []
        if made.skip_reason:
            skipped[made.skip_reason] += 1
        claims += [(row, draft) for draft in made.drafts]
    return claims, skipped


def by_name(claims: list[tuple[FileRow, ClaimDraft]]) -> Counter[str]:
    return Counter(draft.name for _, draft in claims)


def import_files(register: Register, name: str, *paths: Path, **options: Any) -> ImportResult:
    return run_import(register.database, ImportRequest(paths, load_mapper(name), **options), "tests")


def outcomes(result: ImportResult) -> dict[str, int]:
    """Return the nonzero counts of a result, except those of rows."""
    return {what: number for what, number in result.counts().items() if number and what != "rows"}


def anomaly_details(result: ImportResult, kind: SmellKind) -> list[str]:
    return [smell.detail for smell in result.statistics.anomalies if smell.kind is kind]


def falls_sentence(series: str, figures: str) -> str:
    return f"The running total of {series}, cumulative since 2023-10-07 (count) falls from {figures}."


def claims_of(register: Register, **asked: Any) -> list[dict[str, Any]]:
    answer = register.get("/v1/claims", params={"limit": 1000, **asked})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def seq_of(register: Register) -> str:
    seq: str = register.get("/v1/claims", params={"limit": 1}).headers["X-Register-Seq"]
    return seq


def copy_rows(path: Path, folder: Path, *wanted: str) -> Path:
    """Write a CSV file with only the rows that begin with one of `wanted`."""
    head, *lines = path.read_text("utf-8").splitlines(keepends=True)
    made = folder / path.name
    made.write_text(head + "".join(line for line in lines if line.startswith(wanted)), "utf-8")
    return made


# --- The files of the mappings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_mapping_loads_and_says_what_a_reader_must_know(name: str) -> None:
    text = shipped_mappings()[name].read_text("utf-8")
    mapping = load_shipped_mapping(name)
    assert text.startswith("#:schema ../../../docs/mapping.schema.json\n")
    assert mapping.description
    assert len(mapping.description) > 300
    assert max(len(line) for line in mapping.description.splitlines()) <= 120
    # A mapping declares all records that it needs, so that it works in an empty register, as in the tests below.
    assert mapping.sources
    assert MappingRowMapper(name, mapping).records


def test_what_several_mappings_and_the_starter_declare_is_the_same() -> None:
    folder = Path(__file__).parents[3] / "app" / "starter"
    for kind in ("sources", "categories", "subjects", "places"):
        starter = tomllib.loads((folder / f"{kind}.toml").read_text("utf-8"))
        known: dict[str, Any] = {}
        for name in NAMES:
            declared = tomllib.loads(shipped_mappings()[name].read_text("utf-8")).get(kind, {})
            for slug, given in declared.items():
                assert known.setdefault(slug, given) == given, f"{name}: {slug}"
        for slug, given in known.items():
            other = dict(starter.get(slug, given))
            assert {**other, "description": None, "url": None} == {**given, "description": None, "url": None}, slug


# --- Gaza: casualties -------------------------------------------------------------------------------------------------


def test_gaza_every_claim_of_the_whole_file(shared_data: Path) -> None:
    claims, skipped = map_claims("gaza-casualties", shared_data / GAZA)
    assert skipped == {"no report of that day, so that nobody claims what stands in the row": 28}
    assert Counter(draft.claim_input["source"] for _, draft in claims) == {
        "gaza-health-ministry": 6297,
        "gaza-media-office": 162,
    }
    counted = by_name(claims)
    assert counted["killed_women_cum"] == 130
    assert counted["massacres_cum"] == 97
    assert {name: counted[name] for name in counted if name.startswith("killed_") and not name.endswith("_cum")} == {
        "killed_truce_new": 453,
        "killed_recovered": 257,
        "killed_succumbed": 66,
        "killed_committee": 38,
    }


def test_gaza_what_the_publisher_fills_in_is_nobodys_claim(shared_data: Path) -> None:
    made = load_mapper("gaza-casualties")
    filled = load_mapper("gaza-infrastructure")
    for row in FileReader([shared_data / GAZA], made.options):
        other = {name: 987_654 if name.startswith("ext_") else value for name, value in row.data.items()}
        assert made.map_row(FileRow(row.file, row.line, other)) == made.map_row(row)
        if row.data["report_source"] == "missing":
            assert made.map_row(row).drafts == []
    for row in FileReader([shared_data / INFRASTRUCTURE], filled.options):
        other = {
            name: value
            if isinstance(value, str)
            else {inner: 987_654 if inner.startswith("ext_") else number for inner, number in value.items()}
            for name, value in row.data.items()
        }
        assert filled.map_row(FileRow(row.file, row.line, other)) == filled.map_row(row)


def test_gaza_a_total_is_claimed_on_a_day_without_a_report_only_where_something_was_added(shared_data: Path) -> None:
    claims, _ = map_claims("gaza-casualties", shared_data / GAZA)
    silent = [(row.data["report_date"], draft.name) for row, draft in claims if row.data["report_period"] == 0]
    assert [each for each in silent if each[1] in {"killed_cum", "injured_cum"}] == [
        ("2025-10-30", "killed_cum"),
        ("2025-12-19", "injured_cum"),
    ]
    # Other figures of such a day are imported: the parts of the total that were published rarely.
    assert ("2024-10-25", "killed_women_cum") in silent
    assert not {"killed", "injured", "killed_recovered", "famine_cum"} & {name for _, name in silent}


def test_gaza_what_a_report_adds_is_no_count_of_who_died_in_its_hours(shared_data: Path) -> None:
    claims, _ = map_claims("gaza-casualties", shared_data / GAZA)
    added = {draft.name: draft.claim_input for row, draft in claims if row.data["report_date"] == "2025-01-11"}
    assert added["killed"]["category"] == "deaths-added"
    assert added["killed"]["figure"]["value"] == 531
    assert added["killed"]["period"] == {"edtf": "2025-01-10/2025-01-11", "aggregation": "within"}  # 48 hours
    assert added["killed_committee"]["category"] == "deaths-added-by-committee"
    assert added["killed_committee"]["figure"]["value"] == 499
    made = load_mapper("gaza-casualties")
    (row,) = (row for row in FileReader([shared_data / GAZA], made.options) if row.data["report_date"] == "2025-01-11")
    both = made.map_row(row)
    assert {(both.drafts[a].name, type_, both.drafts[b].name) for a, type_, b in both.relations} == {
        ("killed_truce_new", "part_of", "killed"),
        ("killed_committee", "part_of", "killed"),
    }


def test_gaza_history_is_restated_and_nothing_is_lost(register: Register, shared_data: Path) -> None:
    first = import_files(register, "gaza-casualties", shared_data / GAZA_2024_01)
    assert outcomes(first) == {"rows_skipped": 10, "new": 369}
    second = import_files(register, "gaza-casualties", shared_data / GAZA_2024_02)
    # Between the two files, the source of three days changed to the Media Office, or was removed.
    assert outcomes(second) == {"rows_skipped": 12, "new": 312, "unchanged": 360, "vanished": 9}
    assert anomaly_details(second, SmellKind.total_falls) == [
        falls_sentence(
            "killed of women-in-gaza in gaza-strip by gaza-health-ministry", "1,000 (2023-10-19) to 967 (2023-10-21)"
        ),
        falls_sentence(
            "killed of children-in-gaza in gaza-strip by gaza-health-ministry",
            "4,327 (2023-11-07) to 4,324 (2023-11-08)",
        ),
    ]
    third = import_files(register, "gaza-casualties", shared_data / GAZA_2025_11, limit=140)
    assert outcomes(third) == {"rows_skipped": 12, "new": 138, "changed": 31, "unchanged": 640}

    on_the_day = {"category": "killed", "subject": "people-in-gaza", "date_to": "2023-10-07", "place": "gaza-strip"}
    assert [claim["figure"]["value"] for claim in claims_of(register, **on_the_day)] == [198]
    (restated,) = [
        claim
        for claim in claims_of(register, category="killed", subject="people-in-gaza", date_from="2025-11-01")
        if claim["period"]["end"] == "2023-10-07"
    ]
    assert (restated["figure"]["value"], restated["date"], restated["source"]["slug"]) == (
        232,
        "2025-11-01",
        "gaza-health-ministry",
    )
    (relation,) = register.get(f"/v1/claims/{restated['id']}/relations").json()["data"]
    assert (relation["type"], relation["note"]) == (
        "supersedes",
        f"{Path(GAZA_2025_11).name}, line 1 gives 232; an earlier file gave 198.",
    )
    assert relation["to_claim"] == claims_of(register, **on_the_day)[0]["id"]

    stands = seq_of(register)
    assert outcomes(import_files(register, "gaza-casualties", shared_data / GAZA_2025_11, limit=140)) == {
        "rows_skipped": 12,
        "unchanged": 809,
    }
    older = import_files(register, "gaza-casualties", shared_data / GAZA_2024_01)
    assert outcomes(older) == {"rows_skipped": 10, "unchanged": 343, "older": 26}
    assert not older.published
    assert seq_of(register) == stands


# --- Gaza: West Bank and buildings ------------------------------------------------------------------------------------


def test_west_bank_what_is_carried_forward_is_no_claim(shared_data: Path) -> None:
    claims, skipped = map_claims("gaza-west-bank", shared_data / WEST_BANK)
    assert skipped == {}
    verified = [(row, draft) for row, draft in claims if draft.name.startswith("verified_")]
    flash = [(row, draft) for row, draft in claims if not draft.name.startswith("verified_")]
    assert {row.data["flash_source"] for row, _ in flash} == {"un"}
    assert by_name(flash)["killed_cum"] == 256
    assert by_name(verified)["verified_killed_cum"] == 402
    assert (len(verified), len(flash)) == (3158, 2039)
    # It was published after the day it is about, at an unknown date. Without a date it never counts as known too early.
    assert {draft.claim_input.get("date") for _, draft in verified} == {None}
    assert {draft.claim_input["category"] for _, draft in verified} == {"killed-verified", "wounded-verified"}


def test_west_bank_verified_and_flash_stand_beside_each_other(register: Register, shared_data: Path) -> None:
    result = import_files(register, "gaza-west-bank", shared_data / WEST_BANK, limit=30)
    assert outcomes(result) == {"new": 471}
    asked = {"category": "killed", "subject": "people-in-west-bank", "place": "west-bank"}
    answer = register.get("/v1/side-by-side", params={**asked, "aggregation": "cumulative"}).json()
    claims = [position["claim"] for position in answer["positions"]]
    sides = {claim["category"]: claim for claim in claims if claim["period"]["aggregation"] == "cumulative"}
    assert {name: (side["figure"]["value"], side["period"]["end"]) for name, side in sides.items()} == {
        "killed": (141, "2023-11-05"),
        "killed-verified": (151, "2023-11-05"),
    }
    # More deaths were verified for that day than were reported on it, at an unknown hour: the day was not over.
    totals = {side["id"] for side in sides.values()}
    pairs = [pair for pair in answer["pairs"] if {pair["a"], pair["b"]} == totals]
    assert [(pair["verdict"], pair["reasons"]) for pair in pairs] == [
        ("no_conflict", ["part_of_whole", "dates_differ"])
    ]
    assert outcomes(import_files(register, "gaza-west-bank", shared_data / WEST_BANK, limit=30)) == {"unchanged": 471}


def test_buildings_only_what_was_reported(register: Register, shared_data: Path) -> None:
    result = import_files(register, "gaza-infrastructure", shared_data / INFRASTRUCTURE)
    assert outcomes(result) == {"rows_skipped": 616, "new": 631}
    assert anomaly_details(result, SmellKind.total_falls) == [
        falls_sentence(
            "mosques-damaged of people-in-gaza in gaza-strip by gaza-media-office",
            "326 (2024-05-13) to 200 (2024-05-18)",
        )
    ]
    again = import_files(register, "gaza-infrastructure", shared_data / INFRASTRUCTURE)
    assert outcomes(again) == {"rows_skipped": 616, "unchanged": 631}
    assert not again.published


# --- The pandemic -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "file", "rows", "negative"),
    [("covid-weekly", WEEKLY, 11_615, 2971), ("covid-monthly", MONTHLY, 3357, 1155)],
)
def test_excess_deaths_below_zero_are_kept(name: str, file: str, rows: int, negative: int, shared_data: Path) -> None:
    claims, skipped = map_claims(name, shared_data / file)
    assert (skipped, by_name(claims)) == ({}, {"covid_deaths": rows, "excess_deaths": rows})
    values = [draft.claim_input["figure"]["value"] for _, draft in claims if draft.name == "excess_deaths"]
    assert sum(value < 0 for value in values) == negative
    with (shared_data / file).open(encoding="utf-8", newline="") as opened:
        assert values == [float(row["excess_deaths"]) for row in csv.DictReader(opened)]
    assert {draft.claim_input["period"]["aggregation"] for _, draft in claims} == {"within"}
    assert {draft.claim_input["source"] == "the-economist" for _, draft in claims if draft.name == "covid_deaths"} == {
        False
    }


def test_the_pandemic_in_countries_that_the_register_knows_and_in_new_ones(
    starter_register: Register, shared_data: Path, tmp_path: Path
) -> None:
    file = copy_rows(shared_data / MONTHLY, tmp_path, '"Albania"', '"Russia"', '"Ukraine"')
    before = starter_register.get("/v1/places/russia").json()
    result = import_files(starter_register, "covid-monthly", file)
    rows = result.counts()["rows"]
    assert outcomes(result) == {"new": 2 * rows}
    assert starter_register.get("/v1/places/russia").json() == before
    assert starter_register.get("/v1/places/albania").json()["parents"] == ["world"]
    assert starter_register.get("/v1/subjects/people-in-albania").json()["parents"] == ["world-population"]
    assert starter_register.get("/v1/sources/health-authorities-of-albania").json()["kind"] == "government"
    (model, official) = sorted(
        claims_of(starter_register, place="albania", period_to="2020-01-31"), key=lambda claim: str(claim["category"])
    )[::-1]
    assert (model["category"], model["source"]["slug"]) == ("excess-deaths", "the-economist")
    assert (model["figure"]["as_printed"], model["figure"]["value"]) == ("-195.375289636937", -195.375289636937)
    assert (model["date"], model["period"]["edtf"]) == (None, "2020-01-01/2020-01-31")
    assert (official["figure"]["value"], official["source"]["slug"]) == (0, "health-authorities-of-albania")
    again = import_files(starter_register, "covid-monthly", file)
    assert outcomes(again) == {"unchanged": 2 * rows}


def test_rows_of_regions_are_refused_instead_of_taken_for_their_country(
    register: Register, shared_data: Path, tmp_path: Path
) -> None:
    file = copy_rows(shared_data / MONTHLY, tmp_path, '"Albania"')
    text = file.read_text("utf-8").replace('"Albania","Albania","0",2020-02', '"Albania","Tirana","11",2020-02')
    file.write_text(text, "utf-8")
    with pytest.raises(ImportRefused, match="`11` is not listed in the `map` of the mapping"):
        import_files(register, "covid-monthly", file)


def test_the_world_by_the_model_has_its_range(starter_register: Register, shared_data: Path) -> None:
    result = import_files(starter_register, "covid-world-model", shared_data / WORLD)
    # One of the rows is a starter claim, with the same numbers, period and document.
    assert outcomes(result) == {"new": 32, "unchanged": 1}
    assert result.statistics.anomaly_counts == {}
    claims = {
        claim["category"]: claim
        for claim in claims_of(starter_register, place="world", period_to="2020-01-06")
        if claim["period"]["end"] == "2020-01-06"
    }
    figure = claims["excess-deaths"]["figure"]
    assert (figure["value"], figure["lower"], figure["upper"], figure["coverage"]) == (
        4283.97,
        -21657.86,
        8656.11,
        0.95,
    )
    assert claims["observed-excess-deaths"]["figure"]["value"] == -14125.15
    assert claims["covid-deaths"]["source"]["slug"] == "national-health-authorities"
    assert {claim["date"] for claim in claims.values()} == {None}
    assert outcomes(import_files(starter_register, "covid-world-model", shared_data / WORLD)) == {"unchanged": 33}


def test_an_upper_bound_that_is_a_copy_of_the_estimate_is_told(
    register: Register, shared_data: Path, tmp_path: Path
) -> None:
    # The error that the README describes is not in these eleven rows, so the test adds it to one of them.
    file = tmp_path / Path(WORLD).name
    file.write_text((shared_data / WORLD).read_text("utf-8").replace("1504743.93", "1325946.47"), "utf-8")
    result = import_files(register, "covid-world-model", file)
    assert anomaly_details(result, SmellKind.bound_equals_estimate) == [
        "The upper bound of excess-deaths equals the estimate, 1,325,946.47."
    ]
    assert outcomes(result) == {"new": 33}


# --- Named dead -------------------------------------------------------------------------------------------------------


def test_named_dead_of_a_day_go_up_and_down(register: Register, shared_data: Path) -> None:
    first = import_files(register, "named-dead-russia", shared_data / RUSSIA_09)
    assert outcomes(first) == {"new": 1176}
    second = import_files(register, "named-dead-russia", shared_data / RUSSIA_11)
    assert outcomes(second) == {"new": 142, "changed": 265, "unchanged": 861, "vanished": 50}
    assert second.statistics.examples["vanished"][0] == "named-dead-russia: the row 2022-03-19|deaths"
    earlier, later = (json.loads((shared_data / file).read_text()) for file in (RUSSIA_09, RUSSIA_11))
    fell = sum(later[day]["deaths"] < earlier[day]["deaths"] for day in earlier.keys() & later.keys())
    assert fell + second.statistics.vanished == 85 + 50 == 135

    days = claims_of(register, category="killed", period_from="2022-02-24", period_to="2022-02-24")
    assert {(claim["figure"]["lower"], claim["figure"]["kind"], claim["date"]) for claim in days} == {
        (68, "lower_bound", "2025-09-01"),
        (124, "lower_bound", "2025-11-08"),
    }
    assert {"Where the names come from is not certain" in claim["citations"][0]["gap"] for claim in days} == {True}

    stands = seq_of(register)
    again = import_files(register, "named-dead-russia", shared_data / RUSSIA_11)
    assert outcomes(again) == {"unchanged": 1268, "vanished": 50}
    older = import_files(register, "named-dead-russia", shared_data / RUSSIA_09)
    assert {name: outcomes(older)[name] for name in ("unchanged", "older")} == {"unchanged": 911, "older": 265}
    assert (again.published, older.published, seq_of(register)) == (False, False, stands)


def test_entries_with_duplicates_are_no_persons(register: Register, shared_data: Path) -> None:
    assert outcomes(import_files(register, "named-dead-ukraine-raw", shared_data / RAW_09, limit=50)) == {"new": 150}
    raw = import_files(register, "named-dead-ukraine-raw", shared_data / RAW_11, limit=50)
    assert outcomes(raw) == {"changed": 135, "unchanged": 15}
    deduplicated = import_files(register, "named-dead-ukraine", shared_data / DEDUPLICATED, limit=50)
    assert outcomes(deduplicated) == {"new": 150}  # the same numbers, but different claims
    before = claims_of(register, period_from="2022-02-23", period_to="2022-02-23", date_from="2025-11-08")
    entries = [claim for claim in before if claim["figure"]["unit"] == "entries"]
    assert {(claim["category"], claim["figure"]["value"]) for claim in entries} == {
        ("entries-dead", 230),
        ("entries-missing", 894),
        ("entries-dead-or-missing", 1124),
    }
    assert all("the day before the invasion" in claim["note"] for claim in entries)
    again = import_files(register, "named-dead-ukraine", shared_data / DEDUPLICATED, limit=50)
    assert (outcomes(again), again.published) == ({"unchanged": 150}, False)


def test_named_dead_the_whole_files(shared_data: Path) -> None:
    persons, skipped = map_claims("named-dead-ukraine", shared_data / DEDUPLICATED)
    assert (skipped, by_name(persons)) == ({}, {"deaths": 1347, "missing": 1347, "total": 1347})
    assert {draft.claim_input["figure"].get("lower_inclusive") for _, draft in persons if draft.name == "deaths"} == {
        True
    }
    entries, _ = map_claims("named-dead-ukraine-raw", shared_data / RAW_11)
    assert by_name(entries) == {"deaths": 1351, "missing": 1351, "total": 1351}
    # Each mapping refuses the file of the other.
    assert map_claims("named-dead-ukraine", shared_data / RAW_11)[0] == []
    assert map_claims("named-dead-ukraine-raw", shared_data / DEDUPLICATED)[0] == []
    assert load_mapper("named-dead-ukraine").vintage_of(Path(DEDUPLICATED).name) == date(2025, 11, 8)
    assert load_mapper("named-dead-ukraine-raw").vintage_of("daily-raw_2025-09-01.json") == date(2025, 9, 1)


def test_totals_of_the_named_dead(register: Register, shared_data: Path) -> None:
    result = import_files(register, "named-dead-totals", shared_data / TOTALS)
    assert outcomes(result) == {"rows_skipped": 1, "new": 4}
    found = {
        (claim["category"], claim["subject"], claim["figure"]["as_printed"], claim["period"]["edtf"], claim["date"])
        for claim in claims_of(register)
    }
    day = ("2022-02-24/2025-11-08", "2025-11-08")
    assert found == {
        ("killed", "russian-forces", "122670", *day),
        ("entries-dead", "ukrainian-forces", "77321", *day),
        ("entries-missing", "ukrainian-forces", "77242", *day),
        ("entries-dead-or-missing", "ukrainian-forces", "154563", *day),
    }
    again = import_files(register, "named-dead-totals", shared_data / TOTALS)
    assert (outcomes(again), again.published) == ({"rows_skipped": 1, "unchanged": 4}, False)
