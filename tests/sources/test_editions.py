"""Editions of a page: several documents at one address, over HTTP and in imports."""

import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from uuid_utils import uuid7

from app.database.tables import DocumentVersion
from app.database.transaction import write_transaction
from app.imports.mappings.native import NativeRowMapper
from app.imports.pipeline.prepare import ImportRequest, prepare_import
from app.imports.pipeline.publish import publish_if_unchanged
from app.sources.documents import document_columns, record_document
from app.sources.editions import choose_edition, edition_key, find_differences, has_parts_of
from app.sources.schemas import DocumentInput
from tests.examples import (
    assert_problem,
    make_citation_body,
    make_claim_body,
    make_unique_claim_body,
    read_all_rows,
    read_latest_seq,
    record_example_vocabulary,
    submit_claim,
)
from tests.imports.import_helpers import format_csv, native_row, numbers, post_file, post_form, reasons
from tests.registers import Register

URL = "https://health.example/today"


def make_page(day: int | None = None, title: str | None = "Situation", archive: int | None = None) -> dict[str, Any]:
    """Return the page of a day of March, as given with a claim."""
    fields = {
        "url": URL,
        "title": title,
        "published_on": None if day is None else f"2025-03-{day:02}",
        "archive_url": None if archive is None else f"https://archive.example/{archive}",
    }
    return {name: value for name, value in fields.items() if value is not None}


def complete_document(given: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(DocumentInput.model_fields) | given


MATCHES: list[tuple[list[dict[str, Any]], dict[str, Any], int | str | None]] = [
    ([make_page(1)], make_page(1), 0),
    ([make_page(1)], make_page(2), None),
    ([make_page(1)], make_page(), 0),
    ([make_page(1)], {"url": URL}, 0),
    ([make_page(1)], make_page(1, None), 0),
    ([make_page(1)], make_page(1, "Other"), 0),
    ([make_page(1)], make_page(None, "Other"), None),
    ([make_page()], make_page(1), None),
    ([make_page()], make_page(None, "Other"), None),
    ([make_page()], make_page(), 0),
    ([make_page(1, archive=1)], make_page(1), 0),
    ([make_page(1, archive=1)], make_page(1, archive=2), None),
    ([make_page(1)], make_page(1, archive=2), None),
    ([make_page(1, archive=1), make_page(1, archive=2)], make_page(1), "ambiguous"),
    ([make_page(1, archive=1), make_page(1)], make_page(1), 1),
    ([make_page(1), make_page(2)], {"url": URL}, "ambiguous"),
    ([make_page(1), make_page(2)], make_page(), "ambiguous"),
    ([make_page(1), make_page(2, "Other")], make_page(None, "Other"), 1),
    ([make_page(1), make_page(2), make_page()], make_page(), 2),
    ([make_page(None, "A"), make_page(None, "B")], make_page(None, "B"), 1),
    ([make_page(None, "A"), make_page(None, "B")], {"url": URL}, "ambiguous"),
    ([make_page(1, archive=1), make_page(2, archive=2)], make_page(None, archive=2), 1),
]


@pytest.mark.parametrize(("recorded", "given", "found"), MATCHES)
def test_the_edition_that_is_given(
    recorded: list[dict[str, Any]], given: dict[str, Any], found: int | str | None
) -> None:
    editions = [
        complete_document(edition)
        for edition in recorded
        if has_parts_of(complete_document(edition), complete_document(given))
    ]
    chosen = choose_edition(editions, complete_document(given))
    if found == "ambiguous":
        assert len(editions) > 1
        assert chosen is None
    elif found is None:
        assert editions == []
    else:
        assert chosen == complete_document(recorded[int(found)])


def test_keys_tell_editions_apart() -> None:
    editions = [
        make_page(1),
        make_page(2),
        make_page(),
        make_page(None, "Other"),
        make_page(1, archive=1),
        make_page(None, archive=1),
    ]
    assert len({edition_key(complete_document(edition)) for edition in editions}) == len(editions)
    assert edition_key(complete_document(make_page(1))) == edition_key(complete_document(make_page(1, "Other")))
    assert edition_key(complete_document({"title": "In print"})) is None
    assert find_differences(complete_document(make_page(1)), complete_document(make_page(1, "Other", 1))) == [
        "archive_url",
        "title",
    ]


def post_document(desk: Register, body: dict[str, Any]) -> Any:
    return desk.write("POST", "/v1/documents", body, role="contributor")


def cite_document(desk: Register, document: dict[str, Any]) -> dict[str, Any]:
    made = submit_claim(desk, make_unique_claim_body(citations=[{"document": document}]))
    card: dict[str, Any] = desk.get(made["links"]["self"]).json()["citations"][0]["document"]
    assert card == made["citations"][0]["document"]
    return card


def test_each_claim_shows_the_edition_that_was_given_with_it(desk: Register) -> None:
    given = [
        make_page(1, "A", 1),
        make_page(2, "B", 2),
        make_page(3, "C"),
        make_page(None, "D", 4),
        make_page(None, "E"),
        make_page(None, "F"),
    ]
    shown = [cite_document(desk, each) for each in given]
    for each, card in zip(given, shown, strict=True):
        assert {name: card[name] for name in ("title", "published_on", "archive_url")} == {
            name: each.get(name) for name in ("title", "published_on", "archive_url")
        }
    listed = read_all_rows(desk, "/v1/documents", url=URL)
    assert [document["id"] for document in listed] == [card["id"] for card in shown]
    assert read_all_rows(desk, "/v1/documents", url="https://health.example/") == []
    assert [cite_document(desk, each)["id"] for each in given] == [card["id"] for card in shown]
    assert [post_document(desk, each).json()["id"] for each in given] == [card["id"] for card in shown]


def test_an_address_alone_is_its_only_edition_or_is_ambiguous(desk: Register) -> None:
    first = post_document(desk, make_page(1)).json()
    assert cite_document(desk, {"url": URL})["id"] == first["id"]
    second = post_document(desk, make_page(2)).json()
    before = read_latest_seq(desk)
    body = make_unique_claim_body(citations=[{"document": {"url": URL}}])
    problem = assert_problem(desk.write("POST", "/v1/claims", body), 409, "edition_ambiguous")
    assert {edition["id"] for edition in problem["editions"]} == {first["id"], second["id"]}
    claim = read_all_rows(desk, "/v1/claims")[0]
    path = f"{claim['links']['self']}/citations"
    assert_problem(desk.write("POST", path, {"document": {"url": URL}}), 409, "edition_ambiguous")
    assert_problem(post_document(desk, make_page()), 409, "edition_ambiguous")
    assert read_latest_seq(desk) == before
    assert desk.write("POST", path, {"document": make_page(2, None)}).status_code == 201
    for day in range(3, 28):
        assert post_document(desk, make_page(day)).status_code == 201
    problem = assert_problem(desk.write("POST", path, {"document": {"url": URL}}), 409, "edition_ambiguous")
    assert len(problem["editions"]) == 20


SPELLINGS = (f"{URL}#tolls", f"{URL}?utm_source=feed", "https://HEALTH.example:443/x/../today", f"{URL}?fbclid=1#top")


def test_other_spellings_of_an_address_are_the_same_page(desk: Register) -> None:
    first = post_document(desk, make_page(1) | {"url": f"{URL}#summary"}).json()
    assert first["url"] == f"{URL}#summary"
    for url in (URL, *SPELLINGS):
        answer = post_document(desk, make_page(1) | {"url": url})
        assert (answer.status_code, answer.json()["id"]) == (200, first["id"])
        assert cite_document(desk, {"url": url})["url"] == f"{URL}#summary"
        assert [each["id"] for each in read_all_rows(desk, "/v1/documents", url=url)] == [first["id"]]
    for url in (URL.replace("https", "http"), f"{URL}/", f"{URL}?page=2", f"{URL}#/tolls"):
        assert post_document(desk, make_page(1) | {"url": url}).status_code == 201
    assert_problem(post_document(desk, make_page(1) | {"url": SPELLINGS[0], "language": "uk"}), 409, "document_differs")


def test_rows_with_other_spellings_of_an_address_cite_one_document(desk: Register) -> None:
    rows = [native_row(number, document_url=url) for number, url in enumerate((URL, *SPELLINGS), start=1)]
    assert numbers(post_file(desk, format_csv(*rows))) == {"rows": 5, "new": 5}
    [document] = read_all_rows(desk, "/v1/documents")
    assert document["url"] == URL
    assert numbers(post_file(desk, format_csv(*reversed(rows)))) == {"rows": 5, "unchanged": 5}


def test_a_corrected_document_is_found_by_other_spellings_of_its_old_address(desk: Register) -> None:
    first = post_document(desk, make_page(1)).json()
    change = {"event": "transcription_fix", "reason": "The page moved.", "changes": {"url": "https://health.example/b"}}
    path = f"/v1/documents/{first['id']}"
    etag = {"If-Match": desk.get(path).headers["etag"]}
    assert desk.write("PATCH", path, change, **etag).status_code == 200
    assert cite_document(desk, make_page(1) | {"url": "https://health.example/b#x"})["id"] == first["id"]
    assert desk.write("POST", f"{path}/takedown", {"reason": "Court order."}, role="admin").status_code == 200
    for url in (*SPELLINGS, "https://health.example/b#y"):
        assert_problem(post_document(desk, make_page(1) | {"url": url}), 409, "document_differs")


def test_what_differs_from_the_record_is_told_and_never_dropped(desk: Register) -> None:
    recorded = post_document(desk, make_page(1) | {"publisher": "paper", "language": "en"}).json()
    before = read_latest_seq(desk)
    for more in ({"title": "T2"}, {"publisher": "ministry"}, {"language": "uk"}, {"terms": "CC BY 4.0"}):
        problem = assert_problem(post_document(desk, make_page(1) | more), 409, "document_differs")
        assert problem["document"]["id"] == recorded["id"]
        assert problem["differs"] == list(more)
        for document in (make_page(1) | more, {"id": recorded["id"], **more}):
            body = make_unique_claim_body(citations=[{"document": document}])
            assert_problem(desk.write("POST", "/v1/claims", body), 409, "document_differs")
    assert read_latest_seq(desk) == before
    same = {name: recorded[name] for name in ("id", "url", "title", "publisher", "published_on")}
    assert cite_document(desk, same)["id"] == recorded["id"]


def test_an_unknown_id_is_told_even_beside_a_title(desk: Register) -> None:
    document = {"id": "00000000-0000-0000-0000-000000000000", "title": "x"}
    problem = assert_problem(desk.write("POST", "/v1/claims", make_claim_body(citations=[{"document": document}])), 422)
    assert problem["errors"][0]["pointer"] == "#/citations/0/document/id"
    claim = submit_claim(desk, make_claim_body())
    assert_problem(desk.write("POST", f"{claim['links']['self']}/citations", {"document": document}), 422)


MAPPING = """
title = "Daily toll"

[claim]
category = "killed"
subject = "army"
place = "war"
source = "ministry"
modality = "count"
date = { column = "day" }
period = { end = { column = "day" }, start = "2024-02-24", aggregation = "cumulative" }
citation.document = { title = { column = "title" }, url = { column = "url" }, archive_url = { column = "archive_url" } }

[claims.dead]
figure = { printed = { column = "dead" } }
"""
ROWS = [
    ["2025-03-01", "300", URL, "Situation on 1 March", "https://archive.example/20250301/today"],
    ["2025-03-02", "310", URL, "Situation on 2 March", "https://archive.example/20250302/today"],
    ["2025-03-03", "312", URL, "Situation on 3 March", ""],
    ["2025-03-04", "320", URL, "Situation on 4 March", "https://archive.example/20250304/today"],
]


def daily_file(*rows: list[str]) -> str:
    lines = [["day", "dead", "url", "title", "archive_url"], *(rows or ROWS)]
    return "".join(",".join(line) + "\n" for line in lines)


def test_a_page_that_is_overwritten_daily_is_imported_with_its_editions(desk: Register) -> None:
    answer = post_form(desk, "toll.csv", daily_file(), MAPPING)
    assert numbers(answer) == {"rows": 4, "new": 4}, answer.text
    claims = {claim["date"]: claim for claim in read_all_rows(desk, "/v1/claims")}
    for day, _, url, title, archive in ROWS:
        document = claims[day]["citations"][0]["document"]
        assert (document["url"], document["title"], document["archive_url"]) == (url, title, archive or None)
    before = read_latest_seq(desk)
    assert numbers(post_form(desk, "toll.csv", daily_file(), MAPPING)) == {"rows": 4, "unchanged": 4}
    own = desk.get("/v1/claims.csv").content
    assert numbers(post_file(desk, own)) == {"rows": 4, "unchanged": 4}
    lines = desk.get("/v1/claims.ndjson").content
    assert numbers(post_file(desk, lines, "application/x-ndjson")) == {"rows": 4, "unchanged": 4}
    assert read_latest_seq(desk) == before


def test_rows_that_do_not_say_which_edition_are_refused_with_their_lines(desk: Register) -> None:
    alone, more = ["2025-03-05", "330", URL, "", ""], ["2025-03-06", "331", URL, "", ""]
    assert numbers(post_form(desk, "toll.csv", daily_file(ROWS[0], alone), MAPPING)) == {"rows": 2, "new": 2}
    assert len(read_all_rows(desk, "/v1/documents")) == 1
    refused = post_form(desk, "toll.csv", daily_file(ROWS[1], alone, more), MAPPING).json()["report"]["refused"]
    assert [row["line"] for row in refused] == [4]
    assert "has 2 editions" in refused[0]["reasons"][0]
    other = ["2025-03-07", "332", URL, "Another title", ROWS[0][4]]
    told = reasons(post_form(desk, "toll.csv", daily_file(other), MAPPING))
    assert "differs in `title`" in told[0]


def test_a_file_with_one_edition_twice_and_other_fields_is_refused(desk: Register) -> None:
    rows = [native_row(1), native_row(2, document_title="The report", publisher="ministry")]
    told = reasons(post_file(desk, format_csv(*rows)))
    assert "differs in `publisher`" in told[0]


def test_exported_claims_of_one_page_with_one_title_change_nothing(desk: Register) -> None:
    for day in (1, 2, 3):
        cite_document(desk, make_page(day))
    before = read_latest_seq(desk)
    for suffix, kind in (("csv", "text/csv"), ("ndjson", "application/x-ndjson")):
        answer = post_file(desk, desk.get(f"/v1/claims.{suffix}").content, kind)
        assert numbers(answer) == {"rows": 3, "unchanged": 3}, answer.text
    assert read_latest_seq(desk) == before
    row = next(csv.DictReader(desk.get("/v1/claims.csv").text.splitlines()))
    new = {**row, "id": "", "as_printed": "77", "value": "77", "url": ""}
    assert numbers(post_file(desk, format_csv(new))) == {"rows": 1, "new": 1}  # its column says the day of the edition
    assert len(read_all_rows(desk, "/v1/documents", url=URL)) == 3
    del new["document_published_on"]
    new |= {"as_printed": "78", "value": "78"}
    told = reasons(post_file(desk, format_csv(new)))
    assert "has 3 editions" in told[0]


def test_the_case_of_many_editions_of_one_address(desk: Register, shared_data: Path) -> None:
    case = shared_data.parent / "cases" / "imports" / "one-url-many-editions.csv"
    if not case.is_file():
        pytest.skip(f"there is no case at {case}")
    file = case.read_text()
    mapping = MAPPING.replace("{ title =", '{ published_on = { column = "day" }, title =')
    assert numbers(post_form(desk, "toll.csv", file, mapping)) == {"rows": 3, "new": 3}
    given = {row["day"]: row for row in csv.DictReader(file.splitlines())}
    for claim in read_all_rows(desk, "/v1/claims"):
        document, row = claim["citations"][0]["document"], given[claim["date"]]
        assert [document[name] for name in ("url", "title", "archive_url", "published_on")] == [
            row[name] for name in ("url", "title", "archive_url", "day")
        ]


def test_writers_that_race_for_one_edition_record_one_document(desk: Register) -> None:
    def write(_number: int) -> tuple[str, bool]:
        with write_transaction(desk.database, "desk") as transaction:
            return record_document(transaction, DocumentInput.model_validate(make_page(1)))

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(write, range(8)))
    assert len({id_ for id_, _ in results}) == 1
    assert [is_new for _, is_new in results].count(True) == 1
    assert len(read_all_rows(desk, "/v1/documents")) == 1


def test_the_database_refuses_a_second_document_of_an_edition(desk: Register) -> None:
    columns = document_columns(DocumentInput.model_validate(make_page(1)))
    post_document(desk, make_page(1))
    with pytest.raises(IntegrityError), write_transaction(desk.database, "desk") as transaction:
        transaction.record(DocumentVersion, str(uuid7()), columns, action="created", is_new_key=True)
    assert len(read_all_rows(desk, "/v1/documents")) == 1


def test_an_import_is_prepared_again_if_its_edition_was_recorded_meanwhile(desk: Register, tmp_path: Path) -> None:
    file = tmp_path / "claims.csv"
    file.write_bytes(format_csv(native_row()).encode())
    request = ImportRequest([file], NativeRowMapper())
    same = {"url": native_row()["document_url"], "title": "The report", "publisher": "paper"}
    for given, is_published in ((same, False), (make_page(2), True)):
        with prepare_import(desk.database, request, "desk") as prepared:
            assert post_document(desk, given).status_code == 201
            assert publish_if_unchanged(desk.database, prepared) is is_published
    [claim] = read_all_rows(desk, "/v1/claims")
    [document] = read_all_rows(desk, "/v1/documents", url=same["url"])
    assert claim["citations"][0]["document"]["id"] == document["id"]


PARTS: list[dict[str, Any]] = [
    {},
    {"publisher": "paper"},
    {"published_on": "2025-06-12"},
    {"archive_url": "https://archive.example/1"},
    {"publisher": "paper", "published_on": "2025-06-12", "archive_url": "https://archive.example/1"},
]


def test_a_document_without_an_address_is_one_document_through_every_door(register: Register) -> None:
    record_example_vocabulary(register)
    for parts in PARTS:
        document = {"title": "A letter", **parts}
        first = submit_claim(register, make_unique_claim_body(citations=[{"document": document}]))
        id_ = first["citations"][0]["document"]["id"]
        again = register.write("POST", "/v1/documents", document)
        assert (again.status_code, again.json()["id"]) == (200, id_)
        second = submit_claim(register, make_unique_claim_body(citations=[{"document": document}]))
        assert second["citations"][0]["document"]["id"] == id_
        other = submit_claim(register, make_unique_claim_body(citations=[make_citation_body()]))
        address = f"{other['links']['self']}/citations"
        assert register.write("POST", address, {"document": document}).status_code == 201
        assert_problem(register.write("POST", address, {"document": document}), 409, "duplicate_record")
        differing = {**document, "language": "en"}
        assert_problem(register.write("POST", "/v1/documents", differing), 409, "document_differs")
        cite_document = make_unique_claim_body(citations=[{"document": differing}])
        assert_problem(register.write("POST", "/v1/claims", cite_document), 409, "document_differs")
    assert register.get("/v1/documents").json()["meta"]["count"] == len(PARTS) + 1


def test_a_document_without_an_address_that_was_taken_down_is_not_recorded_again(register: Register) -> None:
    record_example_vocabulary(register)
    other = submit_claim(register, make_unique_claim_body(citations=[make_citation_body()]))
    for parts in PARTS:
        document = {"title": "A letter", **parts}
        id_ = register.write("POST", "/v1/documents", document).json()["id"]
        assert register.write("POST", f"/v1/documents/{id_}/takedown", {"reason": "x"}).status_code == 200
        claim = make_unique_claim_body(citations=[{"document": document}])
        citation = f"{other['links']['self']}/citations"
        for path, body in (("/v1/documents", document), ("/v1/claims", claim), (citation, {"document": document})):
            assert_problem(register.write("POST", path, body), 409, "document_differs")
