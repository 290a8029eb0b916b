"""Rows and elements of lists are recognized in later files by what they state, else by their key."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from app.imports.mappings.load import parse_mapping
from app.imports.mappings.mapper import MappingRowMapper
from app.imports.pipeline.prepare import ImportRequest
from app.imports.pipeline.result import ImportRefused, ImportResult
from app.imports.pipeline.run import run_import
from app.imports.readers.options import MappingRefused
from tests.examples import read_latest_seq
from tests.imports.import_helpers import nonzero_counts
from tests.registers import Register

MAPPING = """
title = "The dead by place"
series = "places"

[vintage]
key = KEY
on_change = "ON_CHANGE"

[claim]
subject = "army"
source = "ministry"
modality = "count"
period = { on = { column = "day" }, aggregation = "within" }
citation.document = { title = "The table", url = "https://example.org/table" }

[claims.dead]
category = "killed"
place = { column = "PLACE", slug = true }

[[new]]
kind = "place"
slug = { column = "place", slug = true }
fields = { name = "Place {place}" }
"""
LIST = """
over = "places"
figure.printed = { column = "dead" }
"""
PLACES = "\n".join(f'[places.{slug}]\nname = "Place {slug}"' for slug in "abcd")
POLICIES = pytest.mark.parametrize("on_change", ["supersede", "fix", "report"])
DAY = "2026-03-01"


@pytest.fixture
def cases(shared_data: Path) -> Path:
    folder = shared_data.parent / "cases" / "imports"
    if not folder.is_dir():
        pytest.skip(f"the shared cases are not at {folder}")
    return folder


def row_mapping(on_change: str = "report", key: str = '[{ column = "day" }, { column = "place" }]') -> str:
    return MAPPING.replace("KEY", key).replace("ON_CHANGE", on_change).replace("PLACE", "place")


def list_mapping(on_change: str = "report", element_key: str = "", date: str = "") -> str:
    mapping = MAPPING.partition("[[new]]")[0].replace("KEY", '[{ column = "day" }]').replace("ON_CHANGE", on_change)
    element = f"key = {element_key}\n" if element_key else ""
    return mapping.replace("PLACE", "name") + LIST + element + date + PLACES


def import_file(register: Register, file: Path, mapping: str, **how: Any) -> ImportResult:
    mapper = MappingRowMapper("places", parse_mapping(mapping, "places"))
    return run_import(register.database, ImportRequest([file], mapper, **how), "desk")


def import_list(register: Register, file: Path, mapping: str, *elements: dict[str, Any], **row: Any) -> ImportResult:
    file.write_text(json.dumps([{"day": DAY, "places": elements, **row}]), encoding="utf-8")
    return import_file(register, file, mapping)


def import_rows(register: Register, file: Path, mapping: str, *rows: str, **how: Any) -> ImportResult:
    file.write_text("\n".join(["day,place,dead", *rows]) + "\n", encoding="utf-8")
    return import_file(register, file, mapping, **how)


def element(name: str, dead: int) -> dict[str, Any]:
    return {"name": name, "dead": dead}


def figures(register: Register) -> list[tuple[str, int, int]]:
    """Return place, number and revision of the claims that are not superseded."""
    data = register.get("/v1/claims?limit=1000").json()["data"]
    return sorted((c["place"], c["figure"]["value"], c["revision"]) for c in data if not c["superseded_by"])


@POLICIES
@pytest.mark.parametrize("element_key", ["", '[{ column = "name" }]'])
def test_the_case_of_lists_in_another_order(on_change: str, element_key: str, desk: Register, cases: Path) -> None:
    mapping = list_mapping(on_change, element_key)
    first = import_file(desk, cases / "list-1.json", mapping)
    assert nonzero_counts(first) == {"rows": 1, "new": 3}
    before, seq = figures(desk), read_latest_seq(desk)
    second = import_file(desk, cases / "list-2-same-figures-other-order.json", mapping)
    assert nonzero_counts(second) == {"rows": 1, "unchanged": 3}
    assert (figures(desk), read_latest_seq(desk)) == (before, seq)
    third = import_file(desk, cases / "list-3-one-changed-one-gone-one-new.json", mapping)
    outcome = "differs" if on_change == "report" else "changed"
    assert nonzero_counts(third) == {"rows": 1, "new": 1, outcome: 1, "unchanged": 1, "vanished": 1}
    assert "2026-03-01|" in third.statistics.examples["vanished"][0]
    revised = ("a", 300, 1) if on_change == "report" else ("a", 301, 2 if on_change == "fix" else 1)
    assert figures(desk) == [revised, ("b", 20, 1), ("c", 1, 1), ("d", 5, 1)]
    seq = read_latest_seq(desk)
    again = import_file(desk, cases / "list-3-one-changed-one-gone-one-new.json", mapping)
    expected = {"rows": 1, "unchanged": 3, "vanished": 1}
    if on_change == "report":
        expected |= {"unchanged": 2, "differs": 1}
    assert nonzero_counts(again) == expected
    assert read_latest_seq(desk) == seq


@POLICIES
def test_elements_without_a_key_that_only_move_are_unchanged(on_change: str, desk: Register, tmp_path: Path) -> None:
    file, mapping = tmp_path / "list.json", list_mapping(on_change)
    every = [element(name, dead) for name, dead in (("A", 3), ("B", 3), ("C", 7), ("D", 7))]
    import_list(desk, file, mapping, *every)
    seq = read_latest_seq(desk)
    for some in ([*reversed(every)], [every[2], every[0], every[3], every[1]]):
        assert nonzero_counts(import_list(desk, file, mapping, *some)) == {"rows": 1, "unchanged": 4}
    assert nonzero_counts(import_list(desk, file, mapping, every[3])) == {"rows": 1, "unchanged": 1, "vanished": 3}
    assert read_latest_seq(desk) == seq


@pytest.mark.parametrize("on_change", ["supersede", "fix"])
def test_elements_that_swap_their_figures_keep_their_places(on_change: str, desk: Register, tmp_path: Path) -> None:
    file, mapping = tmp_path / "list.json", list_mapping(on_change)
    import_list(desk, file, mapping, element("A", 3), element("B", 5))
    swapped = import_list(desk, file, mapping, element("A", 5), element("B", 3))
    assert nonzero_counts(swapped) == {"rows": 1, "changed": 2}
    assert [claim[:2] for claim in figures(desk)] == [("a", 5), ("b", 3)]
    again = import_list(desk, file, mapping, element("B", 3), element("A", 5))
    assert nonzero_counts(again) == {"rows": 1, "unchanged": 2}


def test_an_element_that_was_taken_down_is_not_recorded_again(desk: Register, tmp_path: Path) -> None:
    file, mapping = tmp_path / "list.json", list_mapping("supersede")
    import_list(desk, file, mapping, element("A", 3), element("B", 5))
    [claim] = desk.get("/v1/claims?place=b").json()["data"]
    gone = desk.write("POST", f"{claim['links']['self']}/takedown", {"reason": "A court."}, **{"If-Match": "*"})
    assert gone.status_code == 200
    for dead in (5, 6):
        again = import_list(desk, file, mapping, element("B", dead), element("A", 3))
        assert nonzero_counts(again) == {"rows": 1, "unchanged": 1, "removed": 1}


def test_a_key_of_elements_needs_a_list() -> None:
    with pytest.raises(MappingRefused, match=r"key: identifies the elements of `over`"):
        parse_mapping(row_mapping().replace("[[new]]", 'key = ["x"]\n[[new]]'), "places")


def test_elements_with_one_key_are_refused_with_both_positions(desk: Register, tmp_path: Path) -> None:
    mapping = list_mapping("fix", '[{ column = "kind" }]')
    with pytest.raises(
        ImportRefused, match=r"line 1, element \d and list.json, line 1, element \d have the same key"
    ) as e:
        import_list(
            desk,
            tmp_path / "list.json",
            mapping,
            *(element(name, 1) | {"kind": kind} for name, kind in (("A", "x"), ("B", "y"), ("C", "x"))),
        )
    assert e.value.result.statistics.refused == 1


def test_an_empty_key_names_its_column(desk: Register, tmp_path: Path) -> None:
    for mapping, told in (
        (list_mapping("fix", '[{ column = "kind" }]'), "The row has no key. The column `kind` is empty."),
        (list_mapping().replace('key = [{ column = "day" }]', 'key = ["{year}"]'), "The template `{year}` is empty"),
    ):
        with pytest.raises(ImportRefused) as refused:
            import_list(desk, tmp_path / "list.json", mapping, element("A", 1))
        assert told in refused.value.result.refused[0][2][0]


def test_the_case_of_a_key_that_is_not_unique(desk: Register, cases: Path) -> None:
    file = cases / "key-not-unique.csv"
    with pytest.raises(ImportRefused) as refused:
        import_file(desk, file, row_mapping(key='[{ column = "day" }]'))
    told = refused.value.result.refused
    assert [line for _, line, _ in told] == [2, 3, 4, 5]
    assert all("key-not-unique.csv, line 2" in told[i][2][0] and "line 3" in told[i][2][0] for i in (0, 1))
    assert "have the same key `2026-03-02|dead`" in told[2][2][0]
    assert nonzero_counts(import_file(desk, file, row_mapping())) == {"rows": 4, "new": 4}


def test_a_key_that_repeats_far_apart_is_refused_on_both_rows(
    desk: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.imports.pipeline.prepare.MAX_BATCH_ROWS", 2)
    mapping = row_mapping(key='[{ column = "place" }]')
    rows = [f"{DAY},A,1", f"{DAY},B,2", f"{DAY},C,3", f"{DAY},D,4", "2026-03-02,A,5"]
    kept = import_rows(desk, tmp_path / "rows.csv", mapping, *rows, keep_going=True)
    assert nonzero_counts(kept) == {"rows": 5, "new": 3, "rows_refused": 2}
    assert [(line, "line 2 and rows.csv, line 6" in reasons[0]) for _, line, reasons in kept.refused] == [
        (2, True),
        (6, True),
    ]


def test_a_row_that_is_twice_in_a_file_is_one_claim(
    desk: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.imports.pipeline.prepare.MAX_BATCH_ROWS", 2)
    file, rows = tmp_path / "rows.csv", [f"{DAY},A,1", f"{DAY},A,1", f"{DAY},B,2", f"{DAY},A,1"]
    first = import_rows(desk, file, row_mapping("supersede"), *rows)
    assert nonzero_counts(first) == {"rows": 4, "new": 2, "unchanged": 2}
    again = import_rows(desk, file, row_mapping("supersede"), *rows)
    assert nonzero_counts(again) == {"rows": 4, "unchanged": 4}


def test_too_many_repeated_keys_refuse_the_mapping(
    desk: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.imports.pipeline.row_identity.MAX_REPEATED_KEYS", 3)
    rows = [f"2026-03-0{day},A,{day}" for day in range(1, 8)]
    with pytest.raises(MappingRefused, match=r"More than 3 rows have the key of another row: rows.csv, line 3 and"):
        import_rows(desk, tmp_path / "rows.csv", row_mapping(key='["A"]'), *rows)


@pytest.mark.parametrize("on_change", ["supersede", "fix"])
@pytest.mark.parametrize(
    ("column", "value", "beside"),
    [
        ("place", '"b"', {"place": "b"}),
        ("subject", '"militia"', {"subject": "militia"}),
        ("source", '"agency"', {}),
        ("category", '"wounded"', {"category": "wounded"}),
        ("period", '{ on = "2026-02-28", aggregation = "within" }', {}),
    ],
)
def test_no_change_moves_a_claim_to_something_else(
    column: str, value: str, beside: dict[str, str], on_change: str, desk: Register, tmp_path: Path
) -> None:
    file, mapping = tmp_path / "rows.csv", row_mapping(on_change, '[{ column = "day" }]') + PLACES
    import_rows(desk, file, mapping, f"{DAY},A,1")
    [old] = desk.get("/v1/claims").json()["data"]
    before, _, after = mapping.partition(f"{column} =")
    other = f"{before}{column} = {value}\n{after.partition(chr(10))[2]}"
    moved = import_rows(desk, file, other, f"{DAY},A,2")
    assert nonzero_counts(moved) == {"rows": 1, "changed": 1}
    assert desk.get(old["links"]["self"]).json() == old
    [new] = [claim for claim in desk.get("/v1/claims").json()["data"] if claim["id"] != old["id"]]
    assert {name: new[name] for name in beside} == beside
    assert new["figure"]["value"] == 2
    assert desk.get(f"{new['links']['self']}/relations").json()["data"] == []
    seq = read_latest_seq(desk)
    assert nonzero_counts(import_rows(desk, file, other, f"{DAY},A,2")) == {"rows": 1, "unchanged": 1}
    assert read_latest_seq(desk) == seq


@POLICIES
def test_rows_whose_key_is_their_number_are_known_by_what_they_state(
    on_change: str, desk: Register, tmp_path: Path
) -> None:
    file, mapping = tmp_path / "rows.csv", row_mapping(on_change, '[{ column = "_line" }]')
    rows = [f"{DAY},A,1", f"{DAY},B,2", f"{DAY},C,3"]
    import_rows(desk, file, mapping, *rows)
    seq = read_latest_seq(desk)
    for order in ((2, 0, 1), (2, 1, 0), (0, 1, 2)):
        again = import_rows(desk, file, mapping, *(rows[i] for i in order))
        assert nonzero_counts(again) == {"rows": 3, "unchanged": 3}
    assert read_latest_seq(desk) == seq
    more = import_rows(desk, file, mapping, f"{DAY},D,9", *rows)
    assert nonzero_counts(more) == {"rows": 4, "new": 1, "unchanged": 3}
    assert nonzero_counts(import_rows(desk, file, mapping, f"{DAY},D,9", *rows)) == {"rows": 4, "unchanged": 4}


@POLICIES
@pytest.mark.parametrize("in_list", [True, False])
def test_another_day_of_the_report_is_no_change(
    *, in_list: bool, on_change: str, desk: Register, tmp_path: Path
) -> None:
    if in_list:
        mapping = list_mapping(on_change, date='date = { column = "said" }\n')
        results = [
            import_list(desk, tmp_path / "list.json", mapping, element("A", 3), element("B", 5), said=said)
            for said in ("2026-03-05", "2026-03-09")
        ]
    else:
        mapping = row_mapping(on_change) + PLACES
        results = [
            import_rows(
                desk, tmp_path / "a.csv", mapping.replace("[claims.dead]", f'[claims.dead]\ndate = "{said}"'),
                *(f"{DAY},A,3", f"{DAY},B,5"),
            )
            for said in ("2026-03-05", "2026-03-09")
        ]  # fmt: skip
    assert [nonzero_counts(result)[name] for result, name in zip(results, ("new", "unchanged"), strict=True)] == [2, 2]
    assert not results[1].published
    data = desk.get("/v1/claims").json()["data"]
    assert {claim["date"] for claim in data} == {"2026-03-05"}


def test_the_reason_of_a_change_says_what_the_earlier_file_gave(desk: Register, tmp_path: Path) -> None:
    file, mapping = tmp_path / "rows.csv", row_mapping("fix")
    import_rows(desk, file, mapping, f"{DAY},A,3")
    import_rows(desk, file, mapping, f"{DAY},A,4")
    import_rows(desk, file, mapping.replace('"within"', '"snapshot"'), f"{DAY},A,4")
    [claim] = desk.get("/v1/claims").json()["data"]
    revisions = desk.get(claim["links"]["revisions"]).json()["data"]
    assert [each["reason"] for each in revisions if each["reason"]] == [
        "rows.csv, line 2 gives 4; an earlier file gave 3.",
        "rows.csv, line 2 gives 4 for 2026-03-01; an earlier file gave another period.",
    ]


TEXTS = """
note = { column = "remark" }
derivation = { column = "basis" }
citation.quote = { column = "quote" }
citation.locator = "row {_line}"
"""


def import_texts(register: Register, file: Path, on_change: str, **texts: str) -> ImportResult:
    row = {"day": DAY, "place": "A", "dead": "1200", "remark": "-", "basis": "own", "quote": "-"} | texts
    file.write_text(f"{','.join(row)}\n" + ",".join(f'"{text}"' for text in row.values()), encoding="utf-8")
    return import_file(register, file, row_mapping(on_change).replace("[[new]]", f"{TEXTS}\n[[new]]"))


@POLICIES
def test_what_differs_beside_the_figure_is_corrected_or_counted(on_change: str, desk: Register, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    import_texts(desk, file, on_change)
    other = {"dead": "1,200", "remark": "Revised.", "basis": "derived", "quote": "1200 dead"}
    result = import_texts(desk, file, on_change, **other)
    [claim] = desk.get("/v1/claims").json()["data"]
    if on_change == "fix":
        assert nonzero_counts(result) == {"rows": 1, "changed": 1}
        assert (claim["figure"]["as_printed"], claim["note"], claim["derivation"]) == ("1,200", "Revised.", "derived")
        assert dict(result.statistics.differing_texts) == {"citations.quote": 1}
    else:
        assert nonzero_counts(result) == {"rows": 1, "unchanged": 1}
        assert (claim["figure"]["as_printed"], claim["note"], claim["revision"]) == ("1200", None, 1)
        names = ("figure.as_printed", "note", "derivation", "citations.quote")
        assert dict(result.statistics.differing_texts) == dict.fromkeys(names, 1)
    seq = read_latest_seq(desk)
    again = import_texts(desk, file, on_change, **other)
    assert nonzero_counts(again) == {"rows": 1, "unchanged": 1}
    assert read_latest_seq(desk) == seq


def test_a_note_that_an_editor_wrote_is_kept(desk: Register, tmp_path: Path) -> None:
    import_texts(desk, tmp_path / "rows.csv", "fix", remark="First.")
    [claim] = desk.get("/v1/claims").json()["data"]
    body = {"event": "transcription_fix", "reason": "Checked.", "changes": {"note": "By the desk."}}
    assert desk.write("PATCH", claim["links"]["self"], body, **{"If-Match": "*"}).status_code == 200
    result = import_texts(desk, tmp_path / "rows.csv", "fix", remark="First.")
    assert nonzero_counts(result) == {"rows": 1, "unchanged": 1}
    assert dict(result.statistics.differing_texts) == {"note": 1}


def test_a_date_can_say_what_is_sure(desk: Register, tmp_path: Path) -> None:
    mapping = row_mapping("supersede").replace("[claims.dead]", '[claims.dead]\ndate_edtf = "{day}/{_vintage}"')
    file = tmp_path / "rows.csv"
    import_rows(desk, file, mapping, f"{DAY},A,3", vintage=date(2026, 3, 20))
    [claim] = desk.get("/v1/claims?known_on=2026-03-20").json()["data"]
    assert (claim["date"], claim["date_edtf"]) == ("2026-03-20", "2026-03-01/2026-03-20")
    assert desk.get("/v1/claims?known_on=2026-03-19").json()["data"] == []
    seq = read_latest_seq(desk)
    later = import_rows(desk, file, mapping, f"{DAY},A,3", vintage=date(2026, 4, 20))
    assert nonzero_counts(later) == {"rows": 1, "unchanged": 1}
    assert [change["kind"] for change in desk.get(f"/v1/changes?after={seq}").json()["data"]] == ["import"]
    revised = import_rows(desk, file, mapping, f"{DAY},A,4", vintage=date(2026, 5, 20))
    assert nonzero_counts(revised) == {"rows": 1, "changed": 1}


def test_texts_of_claims_that_others_recorded_and_of_older_files_correct_nothing(
    desk: Register, tmp_path: Path
) -> None:
    file, mapping = tmp_path / "rows.csv", row_mapping("fix").replace("[[new]]", f"{TEXTS}\n[[new]]")
    other_series = mapping.replace('series = "places"', 'series = "others"')
    head = "day,place,dead,remark,basis,quote"
    file.write_text(f"{head}\n{DAY},A,1200,First.,own,-\n", encoding="utf-8")
    import_file(desk, file, other_series, vintage=date(2026, 3, 20))
    file.write_text(f"{head}\n{DAY},A,1200,Second.,own,-\n", encoding="utf-8")
    for _ in range(2):
        result = import_file(desk, file, mapping, vintage=date(2026, 3, 20))
        assert nonzero_counts(result) == {"rows": 1, "unchanged": 1}
    result = import_file(desk, file, other_series, vintage=date(2026, 3, 10))
    assert nonzero_counts(result) == {"rows": 1, "unchanged": 1}
    [claim] = desk.get("/v1/claims").json()["data"]
    assert (claim["note"], claim["revision"]) == ("First.", 1)
    result = import_file(desk, file, other_series, vintage=date(2026, 3, 30))
    assert nonzero_counts(result) == {"rows": 1, "changed": 1}
