"""The sheet to fill in: what it contains, and what becomes of it, for claims of any domain."""

import csv
import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from app.claims.serialization.csv_columns import CSV_COLUMN_PATHS
from app.database.transaction import write_transaction
from app.http.spreadsheet import XLSX_MEDIA_TYPE
from app.imports.mappings.native import REQUIRED_COLUMNS, SKIP_COLUMN
from app.imports.sheet import SHEET_COLUMNS, describe_period_plainly
from app.sources.queries import put_source
from app.sources.schemas import SourceInput
from app.vocabulary.records import put_category, put_place, put_subject
from app.vocabulary.schemas import CategoryInput, PlaceInput, SubjectInput
from tests.imports.import_helpers import format_csv, numbers, post_file
from tests.recorded_rows import record_once
from tests.registers import Register
from tests.test_cli import run_refused, run_successfully

NAMES = [column.name for column in SHEET_COLUMNS]

FLOOD = {
    "source": "Civil Protection",
    "category": "Dead",
    "subject": "Residents",
    "place": "Valley of the Åre",
    "as_printed": "at least 135",
    "period": "14–15 July 2021",
    "aggregation": "within",
    "modality": "count",
    "date": "1 Dec 2021",
    "document_title": "Final report",
    "document_url": "https://example.org/flood",
}
PROTEST = {
    "source": "interior-ministry",
    "category": "Protesters",
    "subject": "Residents",
    "place": "belgrade",
    "as_printed": "107,000",
    "period": "15 March 2025",
    "aggregation": "snapshot",
    "modality": "estimate",
    "date": "2025-03-15",
    "document_title": "=HYPERLINK(1)",
    "quote": "107,000",
    "fidelity": "verbatim",
}


@pytest.fixture
def desk(register: Register) -> Register:
    """A register of floods and protests."""
    record_once(register, _record_vocabulary)
    return register


def _record_vocabulary(register: Register) -> None:
    with write_transaction(register.database, "desk") as log:
        for slug, name, grows in (("dead", "Dead", True), ("protesters", "Protesters", False)):
            put_category(
                log, slug, CategoryInput(name=name, definition="Counted.", unit="persons", non_decreasing=grows)
            )
        put_subject(log, "residents", SubjectInput(name="Residents"))
        for slug, name in (("are-valley", "Valley of the Åre"), ("belgrade", "Belgrade"), ("belgrade-2", "BELGRADE")):
            put_place(log, slug, PlaceInput(name=name))
        for slug, name in (("civil-protection", "Civil Protection"), ("interior-ministry", "=Ministry")):
            put_source(log, slug, SourceInput(name=name, kind="government", interest="independent"))


def filled_in(template: bytes, *rows: dict[str, str]) -> bytes:
    """Return the sheet with rows below the examples."""
    book = openpyxl.load_workbook(io.BytesIO(template))
    sheet = book.active
    for row in rows:
        sheet.append([row.get(name) for name in NAMES])
        for cell in sheet[sheet.max_row]:
            cell.data_type = "s" if cell.value else "n"  # the columns are formatted as text: no cell is a formula
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def sheet_rows(content: bytes, sheet: str = "Claims") -> list[dict[str, Any]]:
    rows = openpyxl.load_workbook(io.BytesIO(content))[sheet].iter_rows(values_only=True)
    names = [str(name) for name in next(rows)]
    return [dict(zip(names, row, strict=True)) for row in rows]


def count_claims(register: Register) -> int:
    return int(register.get("/v1/claims?total=true").json()["meta"]["total"])


def test_the_sheet_has_the_columns_that_a_claim_needs_with_explanations() -> None:
    assert set(NAMES) <= {*CSV_COLUMN_PATHS, SKIP_COLUMN}
    assert {column.name for column in SHEET_COLUMNS if column.is_needed} == {*REQUIRED_COLUMNS, "document_title"}
    assert all(0 < len(column.explanation) <= 255 for column in SHEET_COLUMNS)


def test_the_sheet_offers_the_records_of_the_register(shared_starter_register: Register) -> None:
    answer = shared_starter_register.get("/v1/imports/template.xlsx")
    assert answer.headers["content-type"] == XLSX_MEDIA_TYPE
    assert answer.headers["content-disposition"] == 'attachment; filename="claims-template.xlsx"'
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert book.sheetnames == ["Claims", "Columns", "Lists"]
    lists = sheet_rows(answer.content, "Lists")
    sources = shared_starter_register.get("/v1/sources?limit=1000").json()["data"]
    listed = {row["source: meaning"]: row["source"] for row in lists if row["source"]}
    assert listed.keys() == {source["slug"] for source in sources}
    assert listed["mediazona-bbc"] == "Mediazona and BBC Russian, count of named dead"
    assert [row["modality"] for row in lists if row["modality"]] == ["count", "estimate", "forecast", "allegation"]
    offered = {str(rule.sqref): rule.formula1 for rule in book["Claims"].data_validations.dataValidation}
    assert offered["B3:B1048576"] == f"Lists!$A$2:$A${len(sources) + 1}"
    assert offered["I3:I1048576"] == "Lists!$K$2:$K$5"
    assert {row["column"] for row in sheet_rows(answer.content, "Columns")} >= set(NAMES)
    again = shared_starter_register.get("/v1/imports/template.xlsx", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
def test_the_examples_are_claims_of_the_register_and_are_skipped(
    suffix: str, shared_starter_register: Register
) -> None:
    answer = shared_starter_register.get(f"/v1/imports/template.{suffix}")
    media_type = {"xlsx": XLSX_MEDIA_TYPE, "csv": "text/csv"}[suffix]
    imported = post_file(shared_starter_register, answer.content, media_type, "contributor")
    assert imported.status_code == 200, imported.text
    assert numbers(imported) == {"rows": 3, "rows_skipped": 3}
    if suffix == "csv":
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [row["skip"] for row in rows] == ["explanation", "example", "example"]
        unmarked = format_csv(*[row | {"skip": ""} for row in rows[1:]])
        imported = post_file(shared_starter_register, unmarked, media_type, "contributor", dry_run=True)
        assert numbers(imported) == {"rows": 2, "unchanged": 2}


def test_both_templates_have_the_same_rows(shared_starter_register: Register) -> None:
    bytes_of = shared_starter_register.get("/v1/imports/template.xlsx").content
    text = shared_starter_register.get("/v1/imports/template.csv?bom=true").content.decode("utf-8-sig")
    for row, cells in zip(sheet_rows(bytes_of), csv.DictReader(io.StringIO(text)), strict=True):
        assert {name: str(value or "").removesuffix(" 00:00:00") for name, value in row.items()} == cells


def test_an_empty_register_has_a_sheet_too(register: Register) -> None:
    content = register.get("/v1/imports/template.xlsx").content
    assert [row["source"] for row in sheet_rows(content)[1:]] == ["The name of a source"] * 2
    assert numbers(post_file(register, content, XLSX_MEDIA_TYPE, "contributor")) == {"rows": 3, "rows_skipped": 3}


def test_a_sheet_that_is_filled_in_becomes_claims(desk: Register) -> None:
    template = desk.get("/v1/imports/template.xlsx").content
    # A name that two records have, and that no writer can mean, is offered as the slug.
    assert [row["place"] for row in sheet_rows(template, "Lists")][:3] == [
        "belgrade",
        "belgrade-2",
        "Valley of the Åre",
    ]
    answer = post_file(desk, filled_in(template, FLOOD, PROTEST), XLSX_MEDIA_TYPE, "contributor")
    assert answer.status_code == 201, answer.text
    assert numbers(answer) == {"rows": 5, "rows_skipped": 3, "new": 2}
    dead, crowd = sorted(desk.get("/v1/claims").json()["data"], key=lambda claim: claim["category"])
    assert (dead["figure"]["lower"], dead["period"]["edtf"], dead["date"]) == (
        135,
        "2021-07-14/2021-07-15",
        "2021-12-01",
    )
    assert (crowd["figure"]["value"], crowd["source"]["name"]) == (107000, "=Ministry")
    assert crowd["citations"][0]["document"]["title"] == "=HYPERLINK(1)"
    examples = sheet_rows(desk.get("/v1/imports/template.xlsx").content)[1:]
    assert {row["as_printed"] for row in examples} == {"at least 135", "107,000"}


def test_refused_rows_come_back_as_the_sheet_with_the_reasons(desk: Register) -> None:
    wrong = FLOOD | {"source": "Civil Protectoin", "document_url": "https://example.org/2"}
    sheet = filled_in(desk.get("/v1/imports/template.xlsx").content, PROTEST, wrong)
    answer = post_file(desk, sheet, XLSX_MEDIA_TYPE, "contributor", report="xlsx")
    assert (answer.status_code, answer.headers["content-type"]) == (422, XLSX_MEDIA_TYPE)
    assert count_claims(desk) == 0
    [row] = sheet_rows(answer.content)
    reason = "source: There is no source `Civil Protectoin`. (did you mean `Civil Protection` (`civil-protection`)?)"
    assert (row["import_reason"], row["import_line"]) == (reason, "upload.xlsx:6")
    assert {name: row[name] for name in FLOOD} == wrong | {"document_url": "https://example.org/2"}
    kept = post_file(desk, sheet, XLSX_MEDIA_TYPE, "contributor", report="xlsx", keep_going=True)
    assert kept.status_code == 201
    report = {line["result"]: line["number"] for line in sheet_rows(kept.content, "Report")}
    assert (report["import"], report["new"], report["rows_refused"]) == (
        kept.headers["location"].rpartition("/")[2],
        1,
        1,
    )
    book = openpyxl.load_workbook(io.BytesIO(kept.content))
    assert "Lists!$A$2:$A$3" in {rule.formula1 for rule in book["Claims"].data_validations.dataValidation}
    for cell in book["Claims"][2]:
        if cell.value == "Civil Protectoin":
            cell.value = "civil protection"
    corrected = io.BytesIO()
    book.save(corrected)
    assert numbers(post_file(desk, corrected.getvalue(), XLSX_MEDIA_TYPE, "contributor")) == {"rows": 1, "new": 1}


def test_a_report_is_a_workbook_whatever_came_of_the_import(desk: Register) -> None:
    rows = format_csv(FLOOD)
    answer = post_file(desk, rows, "text/csv", "contributor", report="xlsx", dry_run=True)
    assert answer.status_code == 200
    assert sheet_rows(answer.content) == []
    lines = {line["result"]: line["number"] for line in sheet_rows(answer.content, "Report")}
    assert (lines["import"], lines["rows"], lines["new"]) == (None, 1, 1)
    unlike = [{"a": 1, "b": "=1"}, {"a": [2], "c": "x" * 40_000}]
    lines_of_json = "".join(f"{row}\n".replace("'", '"') for row in unlike)
    answer = post_file(desk, lines_of_json, "application/x-ndjson", "contributor", report="xlsx")
    assert answer.status_code == 422
    first, second = sheet_rows(answer.content)
    assert (first["a"], first["b"]) == (1, "=1")
    assert second["a"] == "[2]"
    assert second["import_reason"].endswith("This sheet has no column for c.")


def test_a_repeated_request_gets_the_same_workbook_until_a_takedown(desk: Register) -> None:
    headers = desk.keys["contributor"] | {"Content-Type": "text/csv", "Idempotency-Key": "sheet-1"}
    how: dict[str, Any] = {
        "content": format_csv(FLOOD, FLOOD | {"date": "03/04/2021"}),
        "headers": headers,
        "params": {"report": "xlsx", "keep_going": "true"},
    }
    first = desk.post("/v1/imports", **how)
    assert first.status_code == 201
    again = desk.post("/v1/imports", **how)
    assert again.headers["idempotency-replayed"] == "true"
    assert (again.content, again.headers["content-type"]) == (first.content, XLSX_MEDIA_TYPE)
    [claim] = desk.get("/v1/claims").json()["data"]
    assert desk.write("POST", f"/v1/claims/{claim['id']}/takedown", {"reason": "A name."}).status_code == 200
    assert desk.post("/v1/imports", **how).status_code == 410


def test_the_command_imports_a_sheet_and_writes_one_of_the_refused_rows(desk: Register, tmp_path: Path) -> None:
    url = desk.settings.database_url
    file = tmp_path / "sheet.xlsx"
    template = desk.get("/v1/imports/template.xlsx").content
    file.write_bytes(filled_in(template, FLOOD, PROTEST | {"period": "Dec-24"}))
    told = run_refused("import", str(file), "--report", str(tmp_path / "report.xlsx"), url=url)
    assert "Nothing is imported" in told
    [row] = sheet_rows((tmp_path / "report.xlsx").read_bytes())
    assert row["import_reason"].startswith("`period` is `Dec-24`: 24 can be a day and a year.")
    told = run_successfully("import", str(file), "--keep-going", url=url)
    assert "1 claims new" in told
    assert f"The refused rows are in {tmp_path / 'sheet-refused.xlsx'}" in told
    assert sheet_rows((tmp_path / "sheet-refused.xlsx").read_bytes()) == [row]


@pytest.mark.parametrize(
    ("edtf", "words"),
    [
        ("2022-02-24/2025-06-12", "24 February 2022 – 12 June 2025"),
        ("2023-04-15/..", "since 15 April 2023"),
        ("2024-06", "June 2024"),
        ("2024-06~", "2024-06~"),
        ("../2024", "../2024"),
        ("2024-21", "2024-21"),
    ],
)
def test_a_period_is_written_in_words_only_if_they_are_read_as_the_same(edtf: str, words: str) -> None:
    assert describe_period_plainly(edtf) == words
