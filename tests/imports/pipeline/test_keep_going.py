"""With `keep_going`, an import goes on past a line or a file that cannot be read."""

import json
import shutil
from pathlib import Path

import pytest

from app.imports.mappings.load import parse_mapping
from app.imports.mappings.mapper import MappingRowMapper
from app.imports.pipeline.prepare import ImportRequest, import_attempts
from app.imports.pipeline.result import ImportResult
from app.imports.pipeline.run import run_import
from app.imports.readers.options import FileRefused
from tests.imports.import_helpers import nonzero_counts
from tests.registers import Register

MAPPING = """
title = "The dead by day"
[claims.dead]
category = "killed"
subject = "army"
place = "war"
source = "ministry"
period = { on = { column = "day" }, aggregation = "within" }
citation.document = { title = "The table", url = "https://example.org/table" }
"""


def request_for(*paths: Path, keep_going: bool = True) -> ImportRequest:
    mapper = MappingRowMapper("dead", parse_mapping(MAPPING, "dead"))
    return ImportRequest(paths, mapper, keep_going=keep_going)


def import_files(register: Register, *paths: Path, keep_going: bool = True) -> ImportResult:
    return run_import(register.database, request_for(*paths, keep_going=keep_going), "desk")


def test_the_case_of_a_ragged_line(desk: Register, shared_data: Path) -> None:
    file = shared_data.parent / "cases" / "imports" / "ragged.csv"
    with pytest.raises(FileRefused, match="expected 2 cells, found 3"):
        import_files(desk, file, keep_going=False)
    for outcome in ("new", "unchanged"):
        result = import_files(desk, file)
        assert nonzero_counts(result) == {"rows": 3, "rows_refused": 1, outcome: 2}
        [(name, line, reasons)] = result.refused
        assert (name, line) == ("ragged.csv", 3)
        assert reasons[0].startswith("expected 2 cells, found 3")
    attempts = import_attempts(desk.database, request_for(file), "desk")
    [refused] = [row for row, _ in next(attempts).refused_rows()]
    assert refused.data == {"day": "2026-03-02", "dead": "2", "column 3": "3"}
    attempts.close()


@pytest.mark.parametrize("in_folder", [True, False])
def test_the_case_of_a_broken_file_beside_a_good_one(
    *, in_folder: bool, desk: Register, shared_data: Path, tmp_path: Path
) -> None:
    cases = shared_data.parent / "cases" / "imports"
    paths = [cases / "tab-in-it.yaml", cases / "good.yaml"]
    if in_folder:
        for path in paths:
            shutil.copy(path, tmp_path)
        paths = [tmp_path]
    result = import_files(desk, *paths)
    assert nonzero_counts(result) == {"rows": 2, "rows_refused": 1, "new": 1}
    [(name, line, reasons)] = result.refused
    assert name.endswith("tab-in-it.yaml")
    assert line == 2
    assert "is not YAML" in reasons[0]
    assert reasons[0].endswith("the rest of the file was not read")
    with pytest.raises(FileRefused, match="is not YAML"):
        import_files(desk, cases / "tab-in-it.yaml")
    with pytest.raises(FileRefused, match="is not YAML"):
        import_files(desk, *paths, keep_going=False)


def test_a_line_that_is_not_json_is_one_refused_row(desk: Register, tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    lines = [json.dumps({"day": f"2026-03-0{day}", "dead": day}) for day in (1, 2, 3)]
    file.write_text("\n".join([lines[0], '{"day": ', "[1]", *lines[1:]]), encoding="utf-8")
    result = import_files(desk, file)
    assert nonzero_counts(result) == {"rows": 5, "rows_refused": 2, "new": 3}
    assert [line for _, line, _ in result.refused] == [2, 3]


def test_a_second_header_ends_the_file(desk: Register, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("day,dead\n2026-03-01,1\ndead,day\n2,2026-03-02\n", encoding="utf-8")
    result = import_files(desk, file)
    assert nonzero_counts(result) == {"rows": 2, "rows_refused": 1, "new": 1}
    assert "the header changes here" in result.refused[0][2][0]
