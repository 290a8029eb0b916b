"""The shipped mappings for the war in Ukraine, on the real files with their known errors."""

import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from app.database.engine import Database
from app.imports.mappings.load import load_shipped_mapping, shipped_mappings
from app.imports.mappings.mapper import MappingRowMapper, encode_url
from app.imports.pipeline.prepare import ImportRequest
from app.imports.pipeline.result import ImportRefused, ImportResult
from app.imports.pipeline.run import run_import
from app.imports.readers.reader import FileReader
from tests.registers import Register

MAPPINGS = ["facts", "general-staff-a-equipment", "general-staff-a-personnel", "general-staff-b", "oryx-totals"]


def plan_for(name: str, *claims: str) -> MappingRowMapper:
    """Return the row mapper of a built-in mapping, optionally with only some of its claims."""
    mapping = load_shipped_mapping(name)
    kept = {claim: given for claim, given in mapping.claims.items() if not claims or claim in claims}
    return MappingRowMapper(name, mapping.model_copy(update={"claims": kept}))


def import_file(database: Database, path: Path, plan: MappingRowMapper | str, **how: Any) -> ImportResult:
    plan = plan_for(plan) if isinstance(plan, str) else plan
    return run_import(database, ImportRequest([path], plan, **how), "desk")


def outcomes(result: ImportResult) -> dict[str, int]:
    return {name: number for name, number in result.counts().items() if number and name != "rows"}


def anomaly_details(result: ImportResult, kind: str) -> list[str]:
    return [smell.detail for smell in result.statistics.anomalies if smell.kind.value == kind]


def map_claims(name: str, path: Path) -> list[dict[str, Any]]:
    """Yield every claim that a mapping creates from a file, without validation."""
    plan = plan_for(name)
    made = [plan.map_row(row) for row in FileReader([path], plan.options)]
    assert [fault for each in made for fault in each.faults] == []
    return [draft.claim_input for each in made for draft in each.drafts]


@pytest.mark.parametrize("name", MAPPINGS)
def test_each_is_an_example_to_start_from(name: str) -> None:
    text = shipped_mappings()[name].read_text("utf-8")
    assert text.startswith("#:schema ../../../docs/mapping.schema.json\n")
    assert tomllib.loads(text)["description"].count("\n") >= 4
    assert "\n# " in text
    MappingRowMapper(name, load_shipped_mapping(name))


def test_what_is_declared_agrees_between_the_mappings() -> None:
    declared: dict[str, Any] = {}
    for name in MAPPINGS:
        for slug, category in load_shipped_mapping(name).categories.items():
            assert declared.setdefault(slug, category) == category, slug
    assert declared["special-equipment-lost"].components is None


def test_three_vintages_one_after_another(starter_register: Register, shared_data: Path) -> None:
    folder = shared_data / "general-staff-a"
    oldest = folder / "vintages" / "personnel_asof_2022-10-01_6c85c825.json"
    name = "general-staff-a-personnel"

    assert outcomes(import_file(starter_register.database, oldest, name)) == {"new": 272, "unchanged": 5}

    second = import_file(
        starter_register.database, folder / "vintages" / "personnel_asof_2025-01-01_4d628ed3.json", name
    )
    assert outcomes(second) == {"rows_skipped": 1, "new": 817, "changed": 1, "unchanged": 281}
    [told] = anomaly_details(second, "day_contradicts_date")
    assert told.startswith("Day 1,043 in day is 2025-01-01")
    assert told.endswith("but the row is dated 2024-01-01, which is day 677.")
    asked = {"category": "casualties", "source": "ua-general-staff", "date_from": "2022-04-02", "date_to": "2022-04-02"}
    [claim] = starter_register.get("/v1/claims", params=asked).json()["data"]
    assert (claim["figure"]["value"], claim["revision"], claim["date"]) == (17800, 2, "2022-04-02")
    revisions = starter_register.get(f"/v1/claims/{claim['id']}/revisions").json()["data"]
    assert sorted(each["figure"]["value"] for each in revisions) == [17700, 17800]

    newest = import_file(starter_register.database, folder / "personnel.json", name, vintage=date(2025, 12, 31))
    assert outcomes(newest) == {"new": 361, "unchanged": 1103}

    again = import_file(starter_register.database, oldest, name)
    assert outcomes(again) == {"unchanged": 276, "older": 1}
    assert not again.has_changes


def test_both_transcriptions_are_the_same_claims_but_for_seven_days(
    starter_register: Register, shared_data: Path
) -> None:
    """One of the seven, 2023-01-12, is a starter claim; both figures are kept."""
    a = import_file(
        starter_register.database, shared_data / "general-staff-a" / "personnel.json", "general-staff-a-personnel"
    )
    assert outcomes(a) == {"new": 1450, "unchanged": 14}

    plan = plan_for("general-staff-b", "personnel")
    b = import_file(starter_register.database, shared_data / "general-staff-b" / "losses.json", plan)
    assert outcomes(b) == {"new": 6, "cited": 1197, "unchanged": 12}
    told = anomaly_details(b, "transcriptions_differ")
    days = ["2022-02-27", "2024-10-07", "2024-11-03", "2025-10-27", "2025-10-28", "2025-11-05"]
    assert sorted(detail.split(",")[0].removeprefix("For ") for detail in told) == days
    assert any("1,145,670 here and 1,146,570" in detail and "two digits swapped" in detail for detail in told)

    position = "/v1/topics/russian-casualties/side-by-side?known_on=2024-10-07"
    pairs = starter_register.get(position).json()["pairs"]
    # Both transcriptions are of a total that grows, and were stated on the day on which it ends.
    assert ["same_day"] in [pair["reasons"] for pair in pairs if pair["verdict"] == "undetermined"]

    again = import_file(starter_register.database, shared_data / "general-staff-b" / "losses.json", plan)
    assert outcomes(again) == {"unchanged": 1215}
    assert not again.has_changes


def test_absent_is_not_zero_and_lines_that_merge_are_three_categories(shared_data: Path) -> None:
    made = map_claims("general-staff-a-equipment", shared_data / "general-staff-a" / "equipment.json")
    days: dict[str, list[str]] = {}
    for each in made:
        days.setdefault(each["category"], []).append(each["date"])
    whole = ("2022-02-25", "2025-12-31", 1406)
    spans = {category: (min(dates), max(dates), len(dates)) for category, dates in days.items()}
    assert spans == {
        "aircraft-lost": whole,
        "helicopters-lost": whole,
        "tanks-lost": whole,
        "armoured-vehicles-lost": whole,
        "artillery-lost": whole,
        "multiple-rocket-launchers-lost": whole,
        "ships-lost": whole,
        "drones-lost": ("2022-02-26", "2025-12-31", 1405),
        "air-defence-systems-lost": ("2022-02-28", "2025-12-31", 1403),
        "motor-vehicles-lost": ("2022-02-25", "2022-04-30", 65),
        "fuel-tankers-lost": ("2022-02-25", "2022-04-30", 65),
        "motor-vehicles-and-fuel-tankers-lost": ("2022-05-01", "2025-12-31", 1341),
        "missiles-shot-down": ("2022-05-01", "2025-12-31", 1341),
        "ballistic-missile-launchers-lost": ("2022-03-26", "2022-04-30", 36),
        "special-equipment-lost": ("2022-03-16", "2025-12-31", 1387),
        "submarines-lost": ("2023-09-14", "2025-12-31", 840),
    }
    assert not any(each["figure"]["value"] == 0 for each in made)


def test_the_first_hundred_reports_in_both_transcriptions(
    starter_register: Register, shared_data: Path, tmp_path: Path
) -> None:
    a = shared_data / "general-staff-a" / "equipment.json"
    name = "general-staff-a-equipment"
    rows = json.loads(a.read_text("utf-8"))[:100]
    figures = sum(isinstance(value, int) and value > 0 and name != "day" for row in rows for name, value in row.items())
    assert outcomes(import_file(starter_register.database, a, name, limit=100)) == {"new": figures}
    again = import_file(starter_register.database, a, name, limit=100)
    assert outcomes(again) == {"unchanged": figures}
    assert not again.has_changes

    # The rows of the other file are in descending order.
    others = json.loads((shared_data / "general-staff-b" / "losses.json").read_text("utf-8"))
    early = [row for row in others if row["date"] <= "2022-05-31"]
    path = tmp_path / "losses.json"
    path.write_text(json.dumps(early), "utf-8")
    b = import_file(starter_register.database, path, "general-staff-b")
    told = anomaly_details(b, "transcriptions_differ")
    assert len(told) == 7
    assert any("2022-02-27, tanks-lost" in detail and "146 here and 150" in detail for detail in told)
    assert any("2022-04-04, drones-lost" in detail and "92 here and 91" in detail for detail in told)
    assert any("2022-02-27, motor-vehicles-lost" in detail and "30 here and 130" in detail for detail in told)
    # Also new are the personnel figures except that of 10 March, which is a starter claim, and one air defence
    # system where the other data set has 0. Null values create no claim.
    figures = sum(isinstance(value, int) for row in early for value in row.values())
    new = 7 + (len(early) - 1) + 1
    assert outcomes(b) == {"new": new, "cited": figures - new - 1, "unchanged": 1}


def test_a_total_that_falls_is_told(starter_register: Register, shared_data: Path) -> None:
    plan = plan_for("general-staff-a-equipment", "tank", "aircraft")
    result = import_file(
        starter_register.database, shared_data / "general-staff-a" / "equipment.json", plan, dry_run=True
    )
    assert outcomes(result) == {"new": 2 * 1406 - 3, "unchanged": 3}
    assert not result.published
    told = anomaly_details(result, "total_falls")
    assert any("falls from 3,799 (2023-05-27) to 3,797 (2023-05-28)" in detail for detail in told)
    assert any("falls from 316" in detail for detail in told)
    assert any(
        "jumps by 41 from 372 (2025-06-02) to 413 (2025-06-03)" in each for each in anomaly_details(result, "jump")
    )


def test_three_files_of_oryx_are_one_series(starter_register: Register, shared_data: Path) -> None:
    folder = shared_data / "oryx"
    kept = import_file(starter_register.database, folder / "daily_count.csv", "oryx-totals")
    assert outcomes(kept) == {"rows_skipped": 2, "new": 1474, "cited": 5}
    assert kept.statistics.anomaly_counts["number_in_label"] == 201
    assert "14057" in anomaly_details(kept, "number_in_label")[0]

    read = import_file(starter_register.database, folder / "derived_snapshots_from_git.csv", "oryx-totals", limit=1500)
    assert outcomes(read) == {"rows_skipped": 66, "new": 1650, "cited": 76}
    assert any(
        "falls from 922 (" in detail and "to 906 (2022-07-08)" in detail
        for detail in anomaly_details(read, "total_falls")
    )

    with pytest.raises(ImportRefused, match="has no period"):
        import_file(starter_register.database, folder / "totals_by_type.csv", "oryx-totals")
    newest = import_file(
        starter_register.database, folder / "totals_by_type.csv", "oryx-totals", vintage=date(2025, 7, 19)
    )
    assert newest.counts()["new"] + newest.counts()["cited"] + newest.counts()["unchanged"] == 60

    for name, how in (("daily_count.csv", {}), ("totals_by_type.csv", {"vintage": date(2025, 7, 19)})):
        again = import_file(starter_register.database, folder / name, "oryx-totals", **how)
        assert set(outcomes(again)) <= {"rows_skipped", "unchanged"}
        assert not again.has_changes

    asked = "/v1/topics/russian-tanks-lost-since-2022/side-by-side?known_on=2025-07-19"
    places = {
        (claim["source"]["slug"], claim["category"]): claim["figure"]
        for claim in (each["claim"] for each in starter_register.get(asked).json()["positions"])
    }
    assert places["oryx", "tanks-lost"]["lower"] == 4074
    assert ("ua-general-staff", "tanks-lost") in places


def test_labels_are_read_without_their_numbers_and_line_ends(shared_data: Path) -> None:
    made = map_claims("oryx-totals", shared_data / "oryx" / "derived_snapshots_from_git.csv")
    by_category = {each["category"] for each in made}
    assert {"equipment-lost-without-drones-and-trucks", "surface-to-air-missile-systems-lost"} <= by_category
    assert {each["subject"] for each in made} == {"russian-forces", "ukrainian-forces"}
    assert not any(each["date"] == "2022-02-23" or each["figure"]["lower"] == 0 for each in made)


def test_the_table_of_facts_gives_the_starter_claims(starter_register: Register, shared_data: Path) -> None:
    """docs/facts-compared.md describes the differences."""
    result = import_file(starter_register.database, shared_data / "facts.csv", "facts")
    assert outcomes(result) == {"new": 2, "unchanged": 108}
    again = import_file(starter_register.database, shared_data / "facts.csv", "facts")
    assert outcomes(again) == {"unchanged": 110}
    assert not again.has_changes
    [austin] = starter_register.get("/v1/claims", params={"source": "lloyd-austin"}).json()["data"]
    assert austin["figure"]["as_printed"] == "more than 700000"
    [us] = [
        claim
        for claim in starter_register.get("/v1/claims", params={"source": "us-officials-unnamed"}).json()["data"]
        if claim["figure"]["value"] == 600000
    ]
    assert us["citations"][0]["gap"].startswith("page undated; as_of inferred")


def test_an_address_has_one_spelling() -> None:
    sent = "https://www.mil.gov.ua/news/%E2%80%93-x/?a=1&b=%20#c"
    assert encode_url(sent) == sent
    assert encode_url("https://www.mil.gov.ua/news/–-x/?a=1&b=%20#c") == sent
