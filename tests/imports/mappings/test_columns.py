"""Columns that a mapping names and no file has, and columns that nothing reads."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.imports.mappings.expressions import path_columns
from app.imports.mappings.load import parse_mapping
from app.imports.mappings.mapper import MappingRowMapper
from app.imports.pipeline.prepare import ImportRequest
from app.imports.pipeline.result import ImportResult
from app.imports.pipeline.run import run_import
from app.imports.readers.options import MappingRefused
from tests.imports.import_helpers import nonzero_counts, post_form
from tests.registers import Register

MAPPING = """
title = "The dead by place"
HEAD
[claims.dead]
category = "killed"
subject = "army"
place = { column = "place", slug = true }
source = "ministry"
period = { on = { column = "day" }, aggregation = "within" }
citation.document = { title = "The table", url = "https://example.org/table" }
FIGURE

[places.a]
name = "A"

[places.b]
name = "B"
"""
BOUNDS = 'figure = { lower = { column = "Estimate1 (low)" }, upper = { column = "Estimate1 (high)" } }'
SERIES = 'series = "dead"\n[vintage]\nkey = [{ column = "day" }, { column = "place" }]'


def mapping_with(figure: str = "", head: str = "") -> str:
    return MAPPING.replace("HEAD", head).replace("FIGURE", figure)


def import_text(register: Register, file: Path, text: str, mapping: str, **how: Any) -> ImportResult:
    file.write_text(text, encoding="utf-8")
    mapper = MappingRowMapper("dead", parse_mapping(mapping, "dead"))
    return run_import(register.database, ImportRequest([file], mapper, **how), "desk")


def test_the_case_of_a_typing_error_in_a_bound(desk: Register, shared_data: Path) -> None:
    file = shared_data.parent / "cases" / "imports" / "bounds.csv"
    text = file.read_text(encoding="utf-8")
    typo = mapping_with(BOUNDS.replace("Estimate1 (low)", "Estimate1 (low"))
    for query in ({}, {"keep_going": "true"}, {"dry_run": "true"}):
        answer = post_form(desk, "bounds.csv", text, typo, **query)
        assert (answer.status_code, answer.json()["code"]) == (422, "mapping_refused")
        assert "No row has the column `Estimate1 (low`, which `claims.dead.figure.lower` names" in answer.text
        assert "did you mean `Estimate1 (low)`" in answer.text
    good = post_form(desk, "bounds.csv", text, mapping_with(BOUNDS))
    assert good.json()["unread_columns"] == ["seen by nobody"]
    ranges = {(claim["figure"]["lower"], claim["figure"]["upper"]) for claim in desk.get("/v1/claims").json()["data"]}
    assert ranges == {(200, 750), (0, 2)}


@pytest.mark.parametrize(
    ("part", "location"),
    [
        ('figure.printed = "{died}"', "claims.dead.figure.printed"),
        ('figure.printed = { first = [{ column = "died" }, { column = "deceased" }] }', "claims.dead.figure.printed"),
        ('figure.printed = { column = "dead" }\nonly = [{ column = "kind", empty = false }]', "claims.dead.only"),
        ('figure.printed = { path = "to_number(died)" }', "claims.dead.figure.printed"),
        ("", "claims.dead"),
    ],
)
def test_every_part_of_a_mapping_is_compared_with_the_header(
    part: str, location: str, desk: Register, tmp_path: Path
) -> None:
    header = "day,place,dead" if part else "day,place,deaths"
    with pytest.raises(MappingRefused, match=f"which `{location}` names"):
        import_text(desk, tmp_path / "a.csv", f"{header}\n2026-03-01,A,3\n", mapping_with(part))
    with pytest.raises(MappingRefused, match=f"which `{location}` names"):
        import_text(desk, tmp_path / "a.csv", f"{header}\n", mapping_with(part))


def test_one_of_several_files_or_alternatives_is_enough(desk: Register, tmp_path: Path) -> None:
    either = mapping_with('figure.printed = { first = [{ column = "died" }, { column = "dead" }] }')
    (tmp_path / "b.csv").write_text("day,place,died\n2026-03-01,B,4\n", encoding="utf-8")
    (tmp_path / "a.csv").write_text("day,place,dead\n2026-03-01,A,3\n", encoding="utf-8")
    own = mapping_with().partition("[claims.dead]")[2].partition("[places.a]")[0]
    for mapping in (either, mapping_with("[claims.died]\n" + own)):
        mapper = MappingRowMapper("dead", parse_mapping(mapping, "dead"))
        paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
        result = run_import(desk.database, ImportRequest(paths, mapper, dry_run=True), "desk")
        assert nonzero_counts(result) == {"rows": 2, "new": 2}
    optional = mapping_with('note = { column = "note" }', 'optional = ["note"]')
    told = import_text(desk, tmp_path / "a.csv", "day,place,dead\n2026-03-01,A,3\n", optional)
    assert nonzero_counts(told) == {"rows": 1, "new": 1}


def test_a_nested_file_says_which_paths_were_never_met(desk: Register, tmp_path: Path) -> None:
    row = {"day": "2026-03-01", "place": "A", "sure": {"dead": 3}, "seen": 1}
    mapping = mapping_with('figure.printed = { path = "sure.dead" }\nnote = { path = "sure.remark" }')
    result = import_text(desk, tmp_path / "a.json", json.dumps([row]), mapping)
    assert nonzero_counts(result) == {"rows": 1, "new": 1}
    [told] = result.statistics.missing_columns
    assert told.startswith("No row has the path `sure.remark`, which `claims.dead.note` names")
    assert result.statistics.unread_columns == ["seen"]
    with pytest.raises(MappingRefused, match=r"No row has the path `sure.died`"):
        import_text(desk, tmp_path / "a.json", json.dumps([row]), mapping.replace("sure.dead", "sure.died"))


def test_nearly_the_name_of_an_unread_column_is_refused_in_a_nested_file(desk: Register, tmp_path: Path) -> None:
    rows = json.dumps([{"day": "2026-03-01", "place": "A", "dead_low": 3, "dead_high": 5}])
    typo = mapping_with('figure = { lower = { column = "dead_lo" }, upper = { column = "dead_high" } }')
    with pytest.raises(MappingRefused, match=r"the column `dead_lo`.*did you mean `dead_low`"):
        import_text(desk, tmp_path / "a.json", rows, typo)


def test_columns_that_a_series_gains_and_loses_are_told_once(desk: Register, tmp_path: Path) -> None:
    mapping = mapping_with(head=SERIES)
    told = [
        [(str(anomaly.kind), anomaly.detail) for anomaly in result.statistics.anomalies]
        for result in (
            import_text(desk, tmp_path / "a.csv", f"{header}\n2026-03-0{day},A,{day},7\n", mapping)
            for day, header in ((1, "day,place,dead,hurt"), (2, "day,place,dead,robots"), (3, "day,place,dead,robots"))
        )
    ]
    assert told == [
        [],
        [
            ("columns_differ", "The file of the series dead has columns that the last one did not have: `robots`."),
            ("columns_differ", "The file of the series dead lacks columns of the last: `hurt`."),
        ],
        [],
    ]


def test_rows_without_a_claim_are_counted_with_the_reason(desk: Register, tmp_path: Path) -> None:
    mapping = mapping_with('unless = [{ column = "place", among = ["B"] }]')
    text = "day,place,dead\n2026-03-01,A,\n2026-03-02,A,-\n2026-03-03,B,4\n2026-03-04,A,5\n"
    result = import_text(desk, tmp_path / "a.csv", text, mapping)
    assert nonzero_counts(result) == {"rows": 4, "new": 1}
    reasons = {"no figure for dead": 2, "excluded by `only` or `unless` of dead": 1}
    assert dict(result.statistics.without_claim) == reasons


@pytest.mark.parametrize(
    ("path", "columns"),
    [
        ("a", {"a"}),
        ("a.b.c", {"a"}),
        ("a[0].b", {"a"}),
        ("a[?b > `1`].c", {"a"}),
        ("a[*].b | [0]", {"a"}),
        ("@.a", {"a"}),
        ("@ | a", {"a"}),
        ("[a, b.c]", {"a", "b"}),
        ("{x: a, y: b}", {"a", "b"}),
        ("sum([a, to_number(b)])", {"a", "b"}),
        ("a || b && !c", {"a", "b", "c"}),
        ("sort_by(a, &b)", {"a"}),
        ("`1`", set()),
    ],
)
def test_a_path_reads_the_columns_at_its_beginning(path: str, columns: set[str]) -> None:
    assert path_columns(path) == columns
