"""Newer and older files of a file series: rows are matched by key, and changes are recorded or reported."""

import json
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from app.database.tables import ImportedRow, columns_of
from app.enums import Outcome
from app.imports.mappings.load import parse_mapping
from app.imports.mappings.mapper import MappingRowMapper
from app.imports.mappings.native import NativeRowMapper
from app.imports.pipeline.prepare import ImportRequest, import_attempts
from app.imports.pipeline.publish import publish_if_unchanged
from app.imports.pipeline.result import ImportRefused, ImportResult
from app.imports.pipeline.run import run_import
from app.imports.readers.options import MappingRefused
from app.imports.row_keys import is_erased_key
from tests.examples import make_citation_body, make_claim_body, read_latest_seq, submit_claim
from tests.imports.import_helpers import (
    DAILY_MAPPING,
    format_csv,
    import_daily,
    import_native,
    native_row,
    nonzero_counts,
)
from tests.registers import Register

JUNE = {"2025-06-10": (10, 30), "2025-06-11": (11, 33)}
FIRST, SECOND, THIRD = "asof-2025-06-12.json", "asof-2025-07-01.json", "asof-2025-08-01.json"


def claims(register: Register, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = register.get(f"/v1/claims?limit=1000&category=killed{query}").json()["data"]
    return found


def kinds_since(register: Register, seq: int) -> list[str]:
    return [change["kind"] for change in register.get(f"/v1/changes?after={seq}").json()["data"]]


def test_the_same_file_again_changes_nothing(desk: Register, tmp_path: Path) -> None:
    first = import_daily(desk, tmp_path / FIRST, JUNE)
    assert nonzero_counts(first) == {"rows": 2, "new": 4}
    before = read_latest_seq(desk)
    again = import_daily(desk, tmp_path / FIRST, JUNE)
    assert nonzero_counts(again) == {"rows": 2, "unchanged": 4}
    assert not again.published
    assert read_latest_seq(desk) == before


def test_a_changed_figure_is_a_claim_of_its_own_that_supersedes(desk: Register, tmp_path: Path) -> None:
    import_daily(desk, tmp_path / FIRST, JUNE, "supersede")
    [_, old] = claims(desk, "&sort=date")
    result = import_daily(desk, tmp_path / SECOND, JUNE | {"2025-06-11": (12, 33)}, "supersede")
    assert nonzero_counts(result) == {"rows": 2, "changed": 1, "unchanged": 3}
    new = next(each for each in claims(desk) if each["date"] == "2025-07-01")
    assert (new["figure"]["value"], new["period"]) == (12, old["period"])
    relations = desk.get(f"{new['links']['self']}/relations").json()["data"]
    superseded = [each for each in relations if each["type"] == "supersedes"]
    assert [each["to_claim"] for each in superseded] == [old["id"]]
    assert "asof-2025-07-01.json, line 2 gives 12" in superseded[0]["note"]
    old = desk.get(old["links"]["self"]).json()
    assert (old["revision"], old["superseded_by"], old["superseded_on"]) == (1, new["id"], "2025-07-01")
    assert [each["id"] for each in claims(desk, "&superseded=true")] == [old["id"]]
    known = {each["figure"]["value"] for each in claims(desk, "&known_on=2025-06-30")}
    assert known == {10, 11}


def test_a_row_about_another_period_supersedes_nothing(desk: Register, tmp_path: Path) -> None:
    import_daily(desk, tmp_path / FIRST, JUNE, "supersede")
    mapping = DAILY_MAPPING.replace("ON_CHANGE", "supersede").replace('"2022-02-24"', '"2022-02-25"')
    file = tmp_path / SECOND
    file.write_text((tmp_path / FIRST).read_text("utf-8"), encoding="utf-8")
    request = ImportRequest([file], MappingRowMapper("daily", parse_mapping(mapping, "daily")))
    assert nonzero_counts(run_import(desk.database, request, "desk")) == {"rows": 2, "changed": 4}
    made = claims(desk)
    assert {claim["period"]["start"] for claim in made} == {"2022-02-24", "2022-02-25"}
    assert {claim["superseded_by"] for claim in made} == {None}
    relations = [row for claim in made for row in desk.get(f"{claim['links']['self']}/relations").json()["data"]]
    assert {row["type"] for row in relations} == {"part_of"}


def test_a_mapping_cannot_let_unlike_claims_supersede_each_other(desk: Register, tmp_path: Path) -> None:
    mapping = DAILY_MAPPING.replace("ON_CHANGE", "supersede").replace('"part_of"', '"supersedes"')
    file = tmp_path / SECOND
    file.write_text(json.dumps([{"day": "2025-06-10", "dead": 10, "all": 30}]), encoding="utf-8")
    request = ImportRequest([file], MappingRowMapper("daily", parse_mapping(mapping, "daily")))
    with pytest.raises(ImportRefused, match="differ in category"):
        run_import(desk.database, request, "desk")


def test_a_slip_in_the_transcription_is_a_repair_with_its_reason(desk: Register, tmp_path: Path) -> None:
    import_daily(desk, tmp_path / FIRST, JUNE, "fix")
    result = import_daily(desk, tmp_path / SECOND, JUNE | {"2025-06-11": (12, 33)}, "fix")
    assert nonzero_counts(result) == {"rows": 2, "changed": 1, "unchanged": 3}
    assert "repair recorded claims" in result.editor_actions
    made = next(each for each in claims(desk) if each["date"] == "2025-06-11")
    assert (made["figure"]["value"], made["revision"]) == (12, 2)
    last = desk.get(made["links"]["revisions"]).json()["data"][-1]
    assert last["event"] == "transcription_fix"
    assert "gives 12" in last["reason"]
    before = read_latest_seq(desk)
    again = import_daily(desk, tmp_path / SECOND, JUNE | {"2025-06-11": (12, 33)}, "fix")
    assert nonzero_counts(again) == {"rows": 2, "unchanged": 4}
    assert read_latest_seq(desk) == before


def test_where_the_mapping_only_reports_a_changed_figure_is_told_and_left(desk: Register, tmp_path: Path) -> None:
    import_daily(desk, tmp_path / FIRST, JUNE)
    before = read_latest_seq(desk)
    result = import_daily(desk, tmp_path / SECOND, JUNE | {"2025-06-11": (12, 33)})
    assert nonzero_counts(result) == {"rows": 2, "differs": 1, "unchanged": 3}
    assert "asof-2025-07-01.json, line 2" in result.statistics.examples[Outcome.differs][0]
    assert kinds_since(desk, before) == ["import"]


@pytest.mark.parametrize("on_change", ["supersede", "fix"])
def test_an_older_file_that_arrives_again_or_late_changes_nothing(
    on_change: str, desk: Register, tmp_path: Path
) -> None:
    import_daily(desk, tmp_path / FIRST, JUNE, on_change)
    import_daily(desk, tmp_path / THIRD, JUNE | {"2025-06-11": (13, 33), "2025-07-30": (20, 60)}, on_change)
    before = read_latest_seq(desk)
    again = import_daily(desk, tmp_path / FIRST, JUNE, on_change)
    assert nonzero_counts(again) == {"rows": 2, "older": 1, "unchanged": 3}
    late = import_daily(desk, tmp_path / SECOND, JUNE | {"2025-06-11": (12, 33)}, on_change)
    assert nonzero_counts(late) == {"rows": 2, "older": 1, "unchanged": 3}
    assert read_latest_seq(desk) == before


def test_rows_that_a_newer_file_lacks_are_told_and_kept(desk: Register, tmp_path: Path) -> None:
    import_daily(desk, tmp_path / FIRST, JUNE)
    result = import_daily(desk, tmp_path / SECOND, {"2025-06-11": (11, 33)})
    assert nonzero_counts(result) == {"rows": 1, "unchanged": 2, "vanished": 2}
    assert "2025-06-10|all" in result.statistics.examples["vanished"][0]
    assert len(claims(desk)) == 2


@pytest.mark.parametrize("event", ["retraction", "takedown"])
def test_a_row_whose_claim_is_gone_is_told_and_not_recorded_again(event: str, desk: Register, tmp_path: Path) -> None:
    import_daily(desk, tmp_path / FIRST, JUNE, "supersede")
    [gone, _] = claims(desk, "&sort=date")
    body = {"reason": "It was wrong."} | ({"retracted_on": "2025-06-30"} if event == "retraction" else {})
    assert desk.write("POST", f"{gone['links']['self']}/{event}", body, **{"If-Match": "*"}).status_code == 200
    before = read_latest_seq(desk)
    for name, dead in ((FIRST, 10), (SECOND, 17)):
        result = import_daily(desk, tmp_path / name, JUNE | {"2025-06-10": (dead, 30)}, "supersede")
        outcome = "retracted" if event == "retraction" else "removed"
        assert nonzero_counts(result) == {"rows": 2, outcome: 1, "unchanged": 3}
    assert kinds_since(desk, before) == ["import"]
    with desk.database.read() as session:
        keys = session.execute(select(columns_of(ImportedRow).key)).scalars().all()
    assert len(keys) == 4
    assert sum(is_erased_key(key) for key in keys) == (event == "takedown")


def test_a_claim_that_an_editor_repaired_is_not_turned_back(desk: Register, tmp_path: Path) -> None:
    import_daily(desk, tmp_path / FIRST, JUNE, "fix")
    [made, _] = claims(desk, "&sort=date")
    body = {"event": "transcription_fix", "reason": "Checked.", "changes": {"figure": {"as_printed": "9", "value": 9}}}
    desk.write("PATCH", made["links"]["self"], body, **{"If-Match": "*"})
    before = read_latest_seq(desk)
    assert nonzero_counts(import_daily(desk, tmp_path / FIRST, JUNE, "fix")) == {"rows": 2, "unchanged": 3, "older": 1}
    assert read_latest_seq(desk) == before
    later = import_daily(desk, tmp_path / SECOND, JUNE | {"2025-06-10": (8, 30)}, "fix")
    assert nonzero_counts(later) == {"rows": 2, "unchanged": 3, "older": 1}


def test_a_file_of_another_day_moves_the_rows_on_to_its_day(desk: Register, tmp_path: Path) -> None:
    import_daily(desk, tmp_path / FIRST, JUNE, "supersede")
    before = read_latest_seq(desk)
    assert nonzero_counts(import_daily(desk, tmp_path / THIRD, JUNE, "supersede")) == {"rows": 2, "unchanged": 4}
    assert kinds_since(desk, before) == ["import"]
    late = import_daily(desk, tmp_path / SECOND, JUNE | {"2025-06-11": (12, 33)}, "supersede")
    assert nonzero_counts(late) == {"rows": 2, "unchanged": 3, "older": 1}


@pytest.mark.parametrize("on_change", ["supersede", "fix"])
def test_a_source_that_goes_back_to_its_first_figure_is_followed(
    on_change: str, desk: Register, tmp_path: Path
) -> None:
    import_daily(desk, tmp_path / FIRST, JUNE, on_change)
    import_daily(desk, tmp_path / SECOND, JUNE | {"2025-06-11": (12, 33)}, on_change)
    back = import_daily(desk, tmp_path / THIRD, JUNE, on_change)
    assert nonzero_counts(back) == {"rows": 2, "unchanged": 3, "changed": 1}
    newest = max((each for each in claims(desk) if each["period"]["end"] == "2025-06-11"), key=lambda c: c["date"])
    assert newest["figure"]["value"] == 11
    before = read_latest_seq(desk)
    assert nonzero_counts(import_daily(desk, tmp_path / THIRD, JUNE, on_change)) == {"rows": 2, "unchanged": 4}
    assert read_latest_seq(desk) == before


def test_files_of_several_days_are_not_imported_in_one_run(desk: Register, tmp_path: Path) -> None:
    for name, dead in ((FIRST, 11), (SECOND, 12)):
        (tmp_path / name).write_text(f'[{{"day": "2025-06-11", "dead": {dead}, "all": 33}}]', encoding="utf-8")
    plan = MappingRowMapper("daily", parse_mapping(DAILY_MAPPING.replace("ON_CHANGE", "supersede"), "daily"))
    with pytest.raises(MappingRefused, match="the oldest first"):
        run_import(desk.database, ImportRequest([tmp_path / FIRST, tmp_path / SECOND], plan), "desk")
    assert claims(desk) == []


def test_a_file_from_the_future_is_refused(desk: Register, tmp_path: Path) -> None:
    with pytest.raises(MappingRefused, match="which is in the future"):
        import_daily(desk, tmp_path / "asof-2099-01-01.json", JUNE, "supersede")


def test_a_restatement_that_somebody_posted_is_not_recorded_twice(desk: Register, tmp_path: Path) -> None:
    import_daily(desk, tmp_path / FIRST, JUNE, "supersede")
    body = {"figure": {"as_printed": "12", "value": 12}, "date": "2025-07-01", "modality": "count"}
    posted = submit_claim(
        desk, make_claim_body(**body, period={"edtf": "2022-02-24/2025-06-11", "aggregation": "cumulative"})
    )
    result = import_daily(desk, tmp_path / SECOND, JUNE | {"2025-06-11": (12, 33)}, "supersede")
    assert nonzero_counts(result)["rows"] == 2
    assert [each["id"] for each in claims(desk) if each["figure"]["value"] == 12] == [posted["id"]]
    assert (
        nonzero_counts(import_daily(desk, tmp_path / SECOND, JUNE | {"2025-06-11": (12, 33)}, "supersede"))["unchanged"]
        == 4
    )


def test_two_rows_that_change_to_one_figure_do_not_break_the_import(desk: Register, tmp_path: Path) -> None:
    same = DAILY_MAPPING.replace("ON_CHANGE", "fix").replace('[{ column = "day" }]', '[{ column = "row" }]')
    plan = MappingRowMapper("daily", parse_mapping(same, "daily"))
    for name, rows in (
        (FIRST, [{"row": "a", "day": "2025-06-11", "dead": 1, "all": 3}]),
        (
            SECOND,
            [
                {"row": "b", "day": "2025-06-11", "dead": 2, "all": 3},
                {"row": "a", "day": "2025-06-11", "dead": 2, "all": 3},
            ],
        ),
    ):
        (tmp_path / name).write_text(json.dumps(rows), encoding="utf-8")
        run_import(desk.database, ImportRequest([tmp_path / name], plan), "desk")
    assert [each["figure"]["value"] for each in claims(desk, "&sort=value")] == [1, 2]


def test_a_claim_that_stood_before_becomes_a_row_of_the_series(desk: Register, tmp_path: Path) -> None:
    body = {"figure": {"as_printed": "10", "value": 10}, "date": "2025-06-10", "modality": "count"}
    period = {"edtf": "2022-02-24/2025-06-10", "aggregation": "cumulative"}
    stood = submit_claim(desk, make_claim_body(**body, period=period))
    assert nonzero_counts(import_daily(desk, tmp_path / FIRST, JUNE, "fix")) == {"rows": 2, "new": 3, "cited": 1}
    import_daily(desk, tmp_path / SECOND, JUNE | {"2025-06-10": (8, 30)}, "fix")
    now = desk.get(stood["links"]["self"]).json()
    assert (now["figure"]["value"], now["revision"], len(now["citations"])) == (8, 2, 2)


def test_two_rows_with_one_key_are_told_apart_only_if_an_earlier_import_did(desk: Register, tmp_path: Path) -> None:
    file = tmp_path / FIRST
    import_daily(desk, file, JUNE)
    rows = json.loads(file.read_text(encoding="utf-8"))
    twice = [*rows, {"day": "2025-06-11", "dead": 99, "all": 300}]
    with pytest.raises(ImportRefused, match=r"line 2 and .*line 3 have the same key `2025-06-11.dead`"):
        _again(desk, file, twice)
    # Releases until 0.18 numbered such rows in the order of the file. They are recognized by what they state.
    other = {"day": "2025-06-12", "dead": 99, "all": 300}
    _again(desk, file, [*rows, other])
    imported = columns_of(ImportedRow)
    with desk.database.write_engine.begin() as connection:
        for name in ("dead", "all"):
            changed = update(ImportedRow).where(imported.key == f"2025-06-12|{name}")
            connection.execute(changed.values(key=f"2025-06-11|{name} (2)"))
    for some in ([*rows, other], [other, *rows]):
        file.write_text(json.dumps(some), encoding="utf-8")
        days = 'map = { "2025-06-10" = "2025-06-10", "2025-06-11" = "2025-06-11", "2025-06-12" = "2025-06-11" }'
        mapping = DAILY_MAPPING.replace('key = [{ column = "day" }]', f'key = [{{ column = "day", {days} }}]')
        mapping = mapping.replace("ON_CHANGE", "report")
        plan = MappingRowMapper("daily", parse_mapping(mapping, "daily"))
        result = run_import(desk.database, ImportRequest([file], plan), "desk")
        assert nonzero_counts(result) == {"rows": 3, "unchanged": 6}


def _again(register: Register, file: Path, rows: list[dict[str, Any]]) -> ImportResult:
    file.write_text(json.dumps(rows), encoding="utf-8")
    plan = MappingRowMapper("daily", parse_mapping(DAILY_MAPPING.replace("ON_CHANGE", "report"), "daily"))
    return run_import(register.database, ImportRequest([file], plan), "desk")


def test_what_others_record_while_an_import_reads_is_not_recorded_twice(desk: Register, tmp_path: Path) -> None:
    file = tmp_path / "claims.csv"
    file.write_text(format_csv(native_row(), native_row(2)), encoding="utf-8", newline="")
    attempt_count = 0
    with closing(import_attempts(desk.database, ImportRequest([file], NativeRowMapper()), "desk")) as attempts:
        for prepared in attempts:
            attempt_count += 1
            if attempt_count == 1:
                submit_claim(desk, make_claim_body())
            if publish_if_unchanged(desk.database, prepared):
                break
    assert attempt_count == 2
    assert nonzero_counts(prepared.result) == {"rows": 2, "new": 1, "unchanged": 1}
    assert len(claims(desk)) == 2


def test_unrelated_writes_while_an_import_reads_do_not_make_it_start_over(desk: Register, tmp_path: Path) -> None:
    file = tmp_path / "claims.csv"
    file.write_text(format_csv(native_row(), native_row(2)), encoding="utf-8", newline="")
    elsewhere = [make_citation_body("https://example.org/elsewhere")]
    with closing(import_attempts(desk.database, ImportRequest([file], NativeRowMapper()), "desk")) as attempts:
        prepared = next(attempts)
        submit_claim(desk, make_claim_body(figure={"as_printed": "77", "value": 77}, citations=elsewhere))
        assert publish_if_unchanged(desk.database, prepared)
    seqs = [change["seq"] for change in desk.get("/v1/changes?limit=1000").json()["data"]]
    assert seqs == list(range(1, seqs[-1] + 1))


def test_two_imports_of_one_file_at_once_make_each_claim_once(desk: Register, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def go(name: str) -> None:
        try:
            import_native(desk, tmp_path / name, *(native_row(number) for number in range(1, 300)))
        except BaseException as wrong:  # noqa: BLE001 - reported below
            failures.append(wrong)

    threads = [threading.Thread(target=go, args=(name,)) for name in ("a.csv", "b.csv")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(claims(desk)) == 299


def test_rows_refused_after_they_came_in_are_left_out_with_all_that_is_said_of_them(
    desk: Register, tmp_path: Path
) -> None:
    days = {f"2025-06-{day:02}": (100 + day, 300 + day) for day in range(1, 13)} | {"2025-06-08": (50, 308)}
    with pytest.raises(ImportRefused, match="nothing is imported"):
        import_daily(desk, tmp_path / FIRST, days, strict=True)
    result = import_daily(desk, tmp_path / FIRST, days, strict=True, keep_going=True)
    assert nonzero_counts(result) == {"rows": 12, "rows_refused": 2, "new": 20}
    assert {each["date"] for each in claims(desk)}.isdisjoint({"2025-06-07", "2025-06-08"})
    relations = [change for change in desk.get("/v1/changes?limit=1000").json()["data"] if change["kind"] == "relation"]
    assert len(relations) == 10


def test_only_so_many_rows_are_read_as_asked_for(desk: Register, tmp_path: Path) -> None:
    import_daily(desk, tmp_path / FIRST, JUNE)
    assert nonzero_counts(import_daily(desk, tmp_path / SECOND, JUNE, limit=1)) == {"rows": 1, "unchanged": 2}


def test_a_restatement_that_was_taken_down_is_not_brought_back_or_cited(desk: Register, tmp_path: Path) -> None:
    import_daily(desk, tmp_path / FIRST, JUNE, "supersede")
    body = {"figure": {"as_printed": "12", "value": 12}, "date": "2025-07-01", "modality": "count"}
    posted = submit_claim(
        desk, make_claim_body(**body, period={"edtf": "2022-02-24/2025-06-11", "aggregation": "cumulative"})
    )
    desk.write("POST", f"{posted['links']['self']}/takedown", {"reason": "A court said so."})
    result = import_daily(desk, tmp_path / SECOND, JUNE | {"2025-06-11": (12, 33)}, "supersede")
    assert nonzero_counts(result) == {"rows": 2, "unchanged": 3, "removed": 1}
    assert 12 not in {each["figure"]["value"] for each in claims(desk)}
