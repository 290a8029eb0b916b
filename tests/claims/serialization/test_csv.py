"""The CSV contract: the format of every claims file, byte for byte."""

import csv
import io
import re
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import insert, select
from uuid_utils import uuid7

from app.database.tables import ClaimVersion, columns_of
from tests.examples import (
    assert_problem,
    make_category_body,
    make_citation_body,
    make_claim_body,
    make_figure_body,
    make_unique_claim_body,
    read_all_rows,
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register

HEADER = [
    "id",
    "revision",
    "status",
    "category",
    "subject",
    "place",
    "proposition",
    "modality",
    "value",
    "lower",
    "upper",
    "lower_inclusive",
    "upper_inclusive",
    "approximate",
    "out_of",
    "unit",
    "kind",
    "as_printed",
    "period_start",
    "period_end",
    "period",
    "aggregation",
    "date",
    "source",
    "source_name",
    "source_kind",
    "source_interest",
    "confidence",
    "reliability",
    "credibility",
    "document_title",
    "publisher",
    "document_url",
    "archive_url",
    "quote",
    "recorded_at",
    "url",
    "date_edtf",
    "coverage",
    "relative_to",
    "derivation",
    "includes",
    "excludes",
    "fidelity",
    "gap",
    "stated",
    "note",
    "per",
    "said_at",
    "superseded_by",
    "superseded_on",
    "display",
    "source_short_name",
    "language",
    "wording_differs",
    "document_published_on",
    "withdrawn_on",
    "retracted_on",
    "source_terms",
    "document_terms",
    "document_sha256",
]
NUMBER = re.compile(r"-?\d+(\.\d*[1-9])?")
CSV_TYPE = "text/csv; charset=utf-8"


def parse_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture(scope="module")
def file(shared_starter_register: Register) -> Any:
    answer = shared_starter_register.get("/v1/claims.csv")
    assert answer.status_code == 200
    return answer


def test_the_columns_stand_in_the_order_of_the_contract(shared_starter_register: Register, file: Any) -> None:
    assert next(csv.reader([file.text.split("\r\n", 1)[0]])) == HEADER
    assert [row["name"] for row in read_all_rows(shared_starter_register, "/v1/columns")] == HEADER


def test_a_file_is_utf_8_with_crlf_and_without_a_byte_order_mark(file: Any) -> None:
    assert file.headers["content-type"] == CSV_TYPE
    assert not file.content.startswith(b"\xef\xbb\xbf")
    text = file.content.decode("utf-8")
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    today = datetime.now(UTC).date().isoformat()
    assert file.headers["content-disposition"] == f'inline; filename="counterclaim-claims-{today}.csv"'


def test_excel_gets_its_byte_order_mark_when_it_asks(shared_starter_register: Register, file: Any) -> None:
    answer = shared_starter_register.get("/v1/claims.csv", params={"bom": "true"})
    assert answer.content == b"\xef\xbb\xbf" + file.content
    assert answer.headers["etag"] != file.headers["etag"]


def test_the_header_is_there_without_any_row(register: Register) -> None:
    assert register.get("/v1/claims.csv").text == ",".join(HEADER) + "\r\n"
    for path in ("sources", "documents", "categories", "subjects", "places", "topics"):
        text = register.get(f"/v1/{path}.csv").text
        assert text.count("\r\n") == 1
        assert "," in text


def test_a_file_has_every_row_once_with_its_leading_citation(shared_starter_register: Register, file: Any) -> None:
    claims = read_all_rows(shared_starter_register, "/v1/claims")
    rows = parse_csv(file.text)
    assert [row["id"] for row in rows] == [each["id"] for each in claims]
    for row, each in zip(rows, claims, strict=True):
        [document] = [citation["document"] for citation in each["citations"] if citation["leading"]]
        assert row["document_title"].removeprefix("'") == document["title"]
        assert row["document_url"] == (document["url"] or "")
        assert row["as_printed"].removeprefix("'") == each["figure"]["as_printed"]
        assert row["period"] == each["period"]["edtf"]
        assert row["confidence"] == ((each["confidence"] or {}).get("level") or "")
        assert row["includes"] == ";".join(each["includes"])
        assert row["url"] == each["links"]["self"]


def test_every_cell_is_written_as_the_contract_says(file: Any) -> None:
    rows = parse_csv(file.text)
    for row in rows:
        for name in ("value", "lower", "upper", "out_of", "coverage"):
            assert row[name] == "" or NUMBER.fullmatch(row[name]), (name, row[name])
        for name in ("lower_inclusive", "upper_inclusive", "approximate"):
            assert row[name] in ("", "true", "false")
        for name in ("date", "period_start", "period_end"):
            assert re.fullmatch(r"(\d{4}-\d{2}-\d{2})?", row[name])
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", row["recorded_at"])
        assert not {"null", "None", "nan", "NaN", "NULL"} & set(row.values())
    for name in ("value", "lower", "upper", "reliability", "gap", "quote", "archive_url"):
        assert any(row[name] == "" for row in rows), f"{name} is never unknown"


def test_pandas_reads_numbers_as_numbers_and_dates_as_dates(file: Any) -> None:
    frame = pd.read_csv(io.StringIO(file.text), parse_dates=["date", "recorded_at"])
    assert list(frame.columns) == HEADER
    for name in ("revision", "value", "lower", "upper", "out_of"):
        assert pd.api.types.is_numeric_dtype(frame[name]), name
    assert frame["value"].max() >= 1_000_340
    assert pd.api.types.is_datetime64_any_dtype(frame["date"])
    assert str(frame["recorded_at"].dt.tz) == "UTC"
    assert frame["approximate"].dtype == bool


def test_text_that_a_spreadsheet_would_run_is_guarded(register: Register) -> None:
    record_example_vocabulary(register)
    for first in "=+-@":
        formula = f'{first}HYPERLINK("https://evil.example","{first}1")'
        body = make_unique_claim_body(
            note=formula,
            citations=[make_citation_body(f"https://example.org/{ord(first)}", quote=formula, gap=formula)],
            confidence={"level": "low", "stated": formula, "rationale": "Said so."},
        )
        body["figure"]["as_printed"] = formula
        body["citations"][0]["document"]["title"] = formula
        made = submit_claim(register, body)
        assert made["note"] == formula
        row = parse_csv(register.get("/v1/claims.csv", params={"sort": "-recorded", "limit": 1}).text)[0]
        for name in ("note", "quote", "gap", "stated", "as_printed", "document_title"):
            assert row[name] == "'" + formula
        documents = parse_csv(register.get("/v1/documents.csv").text)
        assert documents[-1]["title"] == "'" + formula


def record_fractional_category(register: Register) -> None:
    record_example_vocabulary(register)
    category = make_category_body("Balance", non_decreasing=False, fractional=True)
    assert register.write("PUT", "/v1/categories/balance", category).status_code == 201


def test_a_negative_number_stays_a_number(register: Register) -> None:
    record_fractional_category(register)
    submit_claim(register, make_claim_body(category="balance", figure=make_figure_body("-5.5", value=-5.5)))
    submit_claim(register, make_claim_body(category="balance", figure=make_figure_body("-1,000", value=-1000.0)))
    rows = parse_csv(register.get("/v1/claims.csv", params={"sort": "value"}).text)
    assert [(row["value"], row["as_printed"]) for row in rows] == [("-1000", "'-1,000"), ("-5.5", "'-5.5")]


def test_a_whole_number_has_no_decimal_point_in_either_format(register: Register) -> None:
    record_fractional_category(register)
    for number, text in ((10**15, "1000000000000000"), (-0.0, "0"), (0.1, "0.1"), (2.5e5, "250000"), (7.0, "7")):
        made = submit_claim(
            register, make_claim_body(category="balance", figure=make_figure_body("so many", value=number))
        )
        newest = {"sort": "-recorded", "limit": 1}
        assert parse_csv(register.get("/v1/claims.csv", params=newest).text)[0]["value"] == text
        assert f'"value":{text},' in register.get(made["links"]["self"]).text


def test_text_of_any_script_with_quotes_and_line_breaks_survives(register: Register) -> None:
    record_example_vocabulary(register)
    note = 'Втрати — "більше",\r\nніж 1 000;\nякось так 🇺🇦'
    submit_claim(register, make_unique_claim_body(note=note, citations=[make_citation_body(quote=note)]))
    row = parse_csv(register.get("/v1/claims.csv").text)[0]
    assert (row["note"], row["quote"]) == (note, note)
    frame = pd.read_csv(io.StringIO(register.get("/v1/claims.csv").text))
    assert len(frame) == 1


def test_a_claim_is_one_row_however_often_it_is_cited(register: Register) -> None:
    record_example_vocabulary(register)
    cited = [make_citation_body(f"https://example.org/{i}", quote=f"quote {i}") for i in range(3)]
    made = submit_claim(register, make_unique_claim_body(citations=cited))
    more = {"document": {"title": "Late", "url": "https://example.org/late"}, "quote": "late"}
    assert register.write("POST", f"/v1/claims/{made['id']}/citations", more).status_code == 201
    rows = parse_csv(register.get("/v1/claims.csv").text)
    assert [(row["document_url"], row["quote"]) for row in rows] == [("https://example.org/0", "quote 0")]


FORMATS = [
    ("/v1/claims.csv", None, None, "csv"),
    ("/v1/claims.csv", "json", "application/json", "csv"),
    ("/v1/claims.json", "csv", "text/csv", "json"),
    ("/v1/claims", "csv", "application/json", "csv"),
    ("/v1/claims", "json", "text/csv", "json"),
    ("/v1/claims", None, "text/csv", "csv"),
    ("/v1/claims", None, "TEXT/CSV", "csv"),
    ("/v1/claims", None, "text/*", "csv"),
    ("/v1/claims", None, "application/*", "json"),
    ("/v1/claims", None, "*/*", "json"),
    ("/v1/claims", None, "", "json"),
    ("/v1/claims", None, "text/html,application/xhtml+xml,*/*;q=0.8", "json"),
    ("/v1/claims", None, "text/csv, application/json", "json"),
    ("/v1/claims", None, "text/csv, application/json;q=0.9", "csv"),
    ("/v1/claims", None, "text/csv;q=0.5, application/json;q=0.4", "csv"),
    ("/v1/claims", None, "application/json;q=0, */*;q=0.1", "csv"),
    ("/v1/claims", None, "text/csv;Q=0.2, application/json;q=0.7", "json"),
    ("/v1/claims", None, "text/csv; header=present; q=1, */*; q=0.1", "csv"),
    ("/v1/topics/russian-casualties/claims.csv", None, None, "csv"),
    ("/v1/topics/russian-casualties/timeline", None, "text/csv", "csv"),
    ("/v1/sources", "csv", None, "csv"),
    ("/v1/vocabulary.csv", None, None, "csv"),
    ("/v1/columns.csv", None, None, "csv"),
    ("/v1/topics.csv", None, None, "csv"),
]


@pytest.mark.parametrize(("path", "asked", "accept", "wanted"), FORMATS)
def test_the_suffix_goes_before_the_parameter_and_that_before_the_header(
    shared_starter_register: Register, path: str, asked: str | None, accept: str | None, wanted: str
) -> None:
    answer = shared_starter_register.get(
        path,
        params={"format": asked} if asked else {},
        headers={"Accept": accept} if accept is not None else {},
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == (CSV_TYPE if wanted == "csv" else "application/json")
    assert "Accept" in answer.headers["vary"].split(", ")


@pytest.mark.parametrize(
    "accept",
    ["text/html", "image/*", "application/json;q=0, text/csv;q=0", "*/*;q=0", "text/csv;q=never", "nonsense"],
)
def test_a_client_that_takes_no_format_of_ours_is_told(shared_starter_register: Register, accept: str) -> None:
    problem = assert_problem(
        shared_starter_register.get("/v1/claims", headers={"Accept": accept}), 406, "not_acceptable"
    )
    assert problem["hint"]


@pytest.mark.parametrize("path", ["/v1/claims.pdf", "/v1/sources.txt", "/v1/topics/russian-casualties/claims.doc"])
def test_a_suffix_that_is_no_format_is_refused(shared_starter_register: Register, path: str) -> None:
    assert_problem(shared_starter_register.get(path), 406, "not_acceptable")


def test_fields_choose_columns_in_their_order(shared_starter_register: Register) -> None:
    text = shared_starter_register.get("/v1/claims.csv", params={"fields": "value, source,date", "limit": 3}).text
    assert text.split("\r\n")[0] == "value,source,date"
    assert len(text.split("\r\n")) == 5
    flat = shared_starter_register.get("/v1/claims", params={"fields": "value,source,period_end", "limit": 3}).json()
    nested = shared_starter_register.get("/v1/claims", params={"limit": 3}).json()
    assert flat["data"] == [
        {"value": row["figure"]["value"], "source": row["source"]["slug"], "period_end": row["period"]["end"]}
        for row in nested["data"]
    ]
    for fields in ("valeu", "value,", "value,figure.value"):
        problem = assert_problem(shared_starter_register.get("/v1/claims.csv", params={"fields": fields}), 422)
        assert problem["errors"][0]["pointer"] == "#/fields"
    problem = assert_problem(shared_starter_register.get("/v1/claims", params={"fields": "valeu"}), 422)
    assert problem["hint"] == "did you mean `value`?"


def test_an_array_has_the_rows_and_nothing_around_them(shared_starter_register: Register) -> None:
    asked = {"limit": 4, "sort": "value"}
    array = shared_starter_register.get("/v1/claims", params={**asked, "shape": "array"})
    envelope = shared_starter_register.get("/v1/claims", params=asked)
    assert array.json() == envelope.json()["data"]
    assert 'rel="next"' in array.headers["link"]
    frame = pd.DataFrame(
        shared_starter_register.get("/v1/claims", params={**asked, "shape": "array", "fields": "id,value"}).json()
    )
    assert list(frame.columns) == ["id", "value"]


ADDRESSES = [
    "/v1/claims",
    "/v1/claims.csv",
    "/v1/claims.csv?limit=2",
    "/v1/claims?shape=array&fields=id",
    "/v1/subjects",
    "/v1/topics/north-korean-killed",
    "/v1/topics/russian-casualties/side-by-side",
    "/v1/topics/russian-casualties/timeline.csv",
    "/v1/sources/csis",
    "/v1/documents",
    "/v1/vocabulary",
    "/openapi.json",
    "/health/live",
]


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_client_that_has_the_bytes_gets_304(shared_starter_register: Register, path: str) -> None:
    answer = shared_starter_register.get(path)
    etag = answer.headers["etag"]
    assert re.fullmatch(r'"[^"]+"', etag)
    for held in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = shared_starter_register.get(path, headers={"If-None-Match": held})
        assert again.status_code == 304, held
        assert again.content == b""
        assert again.headers["etag"] == etag
        assert again.headers["vary"] == answer.headers["vary"]
        assert again.headers["x-register-seq"] == answer.headers["x-register-seq"]
    for other in ('"other"', etag.strip('"'), ""):
        assert shared_starter_register.get(path, headers={"If-None-Match": other}).status_code == 200
    assert shared_starter_register.head(path, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("path", ADDRESSES)
def test_head_has_the_headers_of_get_and_no_body(shared_starter_register: Register, path: str) -> None:
    get, head = shared_starter_register.get(path), shared_starter_register.head(path)
    assert (head.status_code, head.content) == (200, b"")
    changing = {"x-request-id", "date"}
    assert {k: v for k, v in head.headers.items() if k not in changing} == {
        k: v for k, v in get.headers.items() if k not in changing
    }


def test_an_etag_changes_with_the_register_and_with_the_format(register: Register) -> None:
    record_example_vocabulary(register)
    made = submit_claim(register, make_unique_claim_body())
    tags = {path: register.get(path).headers["etag"] for path in ("/v1/claims", "/v1/claims.csv")}
    assert len(set(tags.values())) == 2
    assert register.get(made["links"]["self"]).headers["etag"].startswith('"1-')
    submit_claim(register, make_unique_claim_body())
    for path, tag in tags.items():
        assert register.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_a_large_file_has_every_row_of_one_state(register: Register) -> None:
    record_example_vocabulary(register)
    made = submit_claim(register, make_claim_body(figure=make_figure_body("0", value=0), date=None))
    columns = columns_of(ClaimVersion)
    with register.database.write() as session:
        row = session.execute(select(*columns).where(columns.id == made["id"])).mappings().one()
        same = {name: value for name, value in row.items() if name != "version"}
        session.execute(
            insert(ClaimVersion),
            [
                {**same, "id": str(uuid7()), "fingerprint": str(number), "value": number, "magnitude": number}
                for number in range(1, 1_205)
            ],
        )
    answer = register.get("/v1/claims.csv", params={"sort": "value", "fields": "value"})
    assert answer.text == "value\r\n" + "".join(f"{number}\r\n" for number in range(1_205))
    etag = answer.headers["etag"]
    asked: dict[str, Any] = {"params": {"sort": "value", "fields": "value"}, "headers": {"If-None-Match": etag}}
    assert register.get("/v1/claims.csv", **asked).status_code == 304
    head = register.head("/v1/claims.csv", params={"sort": "value", "fields": "value"})
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", etag)
    submit_claim(register, make_unique_claim_body())
    assert register.get("/v1/claims.csv", **asked).status_code == 200
    assert len(parse_csv(register.get("/v1/claims.csv", params={"limit": 10}).text)) == 10
