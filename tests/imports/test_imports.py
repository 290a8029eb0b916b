"""Imports over HTTP: all rows or none, with their actor, and a file that is imported twice changes nothing."""

import csv
import io
import json
from typing import Any

import pytest

from tests.examples import (
    make_claim_body,
    make_unique_claim_body,
    read_latest_seq,
    submit_claim,
)
from tests.imports.import_helpers import (
    DAILY_MAPPING,
    format_csv,
    native_row,
    numbers,
    post_file,
    post_form,
    reasons,
)
from tests.registers import Register

KINDS = {"csv": "text/csv", "ndjson": "application/x-ndjson"}


def rows_of(register: Register, path: str) -> list[dict[str, Any]]:
    more = "&" if "?" in path else "?"
    found: list[dict[str, Any]] = register.get(f"{path}{more}limit=1000").json()["data"]
    return found


def test_every_claim_tells_which_import_brought_it_and_the_import_who_and_from_what(desk: Register) -> None:
    before = read_latest_seq(desk)
    answer = post_file(
        desk, format_csv(native_row(1), native_row(2), native_row(3)), "text/csv", "contributor", name="losses.csv"
    )
    assert answer.status_code == 201, answer.text
    report = answer.json()
    assert numbers(answer) == {"rows": 3, "new": 3}
    assert answer.headers["location"] == report["links"]["self"] == f"/v1/imports/{report['id']}"
    assert {claim["import_id"] for claim in rows_of(desk, "/v1/claims")} == {report["id"]}
    shown = desk.get(report["links"]["self"]).json()
    assert shown["actor"] == "contributor-key"
    assert [(file["name"], file["rows"], file["format"]) for file in shown["files"]] == [("losses.csv", 3, "csv")]
    assert shown["counts"] == report["counts"]
    assert rows_of(desk, "/v1/imports") == [shown]
    changes = desk.get("/v1/changes", params={"after": before}).json()["data"]
    assert [change["seq"] for change in changes] == list(range(before + 1, before + 6))
    assert [change["kind"] for change in changes] == ["import", "document", "claim", "claim", "claim"]
    assert changes[0]["id"] == report["id"]
    assert {change["actor"] for change in changes} == {"contributor-key"}
    assert read_latest_seq(desk) == before + 5


def test_an_imported_claim_is_the_claim_that_a_post_would_have_made(desk: Register) -> None:
    body = make_claim_body(note="The page is undated.", includes=["militia"])
    post_file(desk, json.dumps(body), KINDS["ndjson"])
    [imported] = rows_of(desk, "/v1/claims")
    answer = desk.write("POST", "/v1/claims", body)
    assert answer.status_code == 409
    assert answer.json()["claim"] == imported["id"]
    assert imported["citations"][0]["document"]["publisher"] == "paper"
    assert rows_of(desk, "/v1/claims?q=undated") == [imported]
    assert desk.get(f"{imported['links']['self']}/revisions").json()["data"][0]["event"] == "created"


@pytest.mark.parametrize("format_", KINDS)
def test_what_is_exported_and_imported_into_the_same_register_changes_nothing(
    format_: str, starter_register: Register
) -> None:
    before = read_latest_seq(starter_register)
    exported = starter_register.get(f"/v1/claims.{format_}").content
    answer = post_file(starter_register, exported, KINDS[format_], "contributor")
    assert answer.status_code == 200, answer.text
    assert answer.json()["id"] is None
    assert numbers(answer) == {"rows": 174, "unchanged": 174}
    assert read_latest_seq(starter_register) == before
    assert rows_of(starter_register, "/v1/imports")[0]["mapping"] == "starter"


WORDS = ("short_name", "in_text")


def test_ndjson_brings_a_claim_whole_into_another_register(starter_register: Register, desk: Register) -> None:
    for kind, fields in (
        (
            "categories",
            ("name", "definition", "unit", "components", "parent", "non_decreasing", "fractional", "in_text"),
        ),
        ("subjects", ("name", "definition", "parents", "in_text")),
        ("places", ("name", "definition", "parents", "in_text")),
        ("sources", ("name", "kind", "interest", "speaks_for", "anonymous", "description", "url", *WORDS)),
    ):
        waiting = rows_of(starter_register, f"/v1/{kind}")
        while waiting:  # what refers to another comes after it
            refused = []
            for each in waiting:
                body = {name: each[name] for name in fields}
                if desk.write("PUT", f"/v1/{kind}/{each['slug']}", body).status_code not in (200, 201):
                    refused.append(each)
            assert len(refused) < len(waiting), refused
            waiting = refused
    answer = post_file(desk, starter_register.get("/v1/claims.ndjson").content, KINDS["ndjson"])
    assert numbers(answer) == {"rows": 174, "new": 174}, answer.text
    stamps = ("recorded_at", "seq", "import_id")

    def whole(register: Register) -> dict[str, Any]:
        found = {}
        for each in rows_of(register, "/v1/claims"):
            for cite in each["citations"]:
                del cite["id"]
            each["citations"].sort(key=lambda cite: json.dumps(cite, sort_keys=True))
            found[each["id"]] = {name: value for name, value in each.items() if name not in stamps}
        return found

    assert whole(desk) == whole(starter_register)


def test_a_retracted_claim_comes_over_as_retracted(desk: Register) -> None:
    body = make_claim_body() | {"status": "retracted", "retracted_on": "2025-06-20"}
    assert numbers(post_file(desk, json.dumps(body), KINDS["ndjson"])) == {"rows": 1, "new": 1}
    [made] = rows_of(desk, "/v1/claims")
    assert (made["status"], made["retracted_on"]) == ("retracted", "2025-06-20")


def test_a_file_brings_what_a_printed_row_must_say_into_another_register(desk: Register) -> None:
    row = native_row(
        as_printed="rund 1.400",
        language="de",
        value="1351",
        wording_differs="The table beneath has the exact number.",
        document_published_on="2025-06-13",
        withdrawn_on="2025-06-20",
        status="retracted",
        retracted_on="2025-06-21",
    )
    assert numbers(post_file(desk, format_csv(row))) == {"rows": 1, "new": 1}
    assert numbers(post_file(desk, format_csv(row))) == {"rows": 1, "retracted": 1}
    [claim] = rows_of(desk, "/v1/claims")
    assert (claim["figure"]["language"], claim["figure"]["wording_differs"]) == ("de", row["wording_differs"])
    assert claim["citations"][0]["document"]["published_on"] == "2025-06-13"
    assert (claim["citations"][0]["withdrawn_on"], claim["retracted_on"]) == ("2025-06-20", "2025-06-21")
    [exported] = csv.DictReader(io.StringIO(desk.get("/v1/claims.csv").text))
    shown = ("language", "wording_differs", "document_published_on", "withdrawn_on", "retracted_on")
    assert [exported[name] for name in shown] == [row[name] for name in shown]


def test_one_wrong_row_keeps_the_whole_file_out(desk: Register) -> None:
    before = read_latest_seq(desk)
    answer = post_file(
        desk,
        format_csv(
            native_row(1), native_row(2, category="kiled"), native_row(3, value="x"), native_row(4, date="2199-01-01")
        ),
    )
    told = reasons(answer)
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"#/upload.csv/{line}" for line in (3, 4, 5)]
    assert "did you mean `killed`?" in told[0]
    assert "`x` is not a number" in told[1]
    assert "is in the future" in told[2]
    assert answer.json()["report"]["counts"]["rows_refused"] == 3
    assert read_latest_seq(desk) == before
    assert rows_of(desk, "/v1/documents") == []


def test_the_good_rows_are_imported_where_that_is_asked_for(desk: Register) -> None:
    answer = post_file(desk, format_csv(native_row(1), native_row(2, category="kiled"), native_row(3)), keep_going=True)
    assert answer.status_code == 201
    assert numbers(answer) == {"rows": 3, "rows_refused": 1, "new": 2}
    assert [(row["line"], len(row["reasons"])) for row in answer.json()["refused"]] == [(3, 1)]


def test_a_dry_run_tells_the_same_and_records_nothing(desk: Register) -> None:
    submit_claim(desk, make_claim_body())
    before = read_latest_seq(desk)
    file = format_csv(native_row(), native_row(5), native_row(6, document_url="https://example.org/other"))
    tried = post_file(desk, file, dry_run=True)
    assert tried.status_code == 200
    assert read_latest_seq(desk) == before
    done = post_file(desk, file)
    assert tried.json()["counts"] == done.json()["counts"]
    assert tried.json() | {"id": None, "links": None, "dry_run": False} == done.json() | {"id": None, "links": None}


def test_a_claim_that_stands_gets_one_more_citation_and_is_no_second_claim(desk: Register) -> None:
    made = submit_claim(desk, make_claim_body())
    answer = post_file(desk, format_csv(native_row(document_url="https://example.org/other", document_title="Another")))
    assert numbers(answer) == {"rows": 1, "cited": 1}
    [now] = rows_of(desk, "/v1/claims")
    assert now["id"] == made["id"]
    assert now["revision"] == 1
    assert [cite["document"]["title"] for cite in now["citations"]] == ["The report", "Another"]


def test_a_figure_that_two_rows_of_a_file_print_is_one_claim_with_two_citations(desk: Register) -> None:
    again = native_row(document_url="https://example.org/other", document_title="Another")
    answer = post_file(desk, format_csv(native_row(), again, native_row(as_printed="1351"), native_row()))
    assert answer.status_code == 201
    [made] = rows_of(desk, "/v1/claims")
    assert len(made["citations"]) == 2
    assert post_file(desk, format_csv(native_row(), again)).status_code == 200


def test_what_was_taken_down_or_retracted_is_not_brought_back(desk: Register) -> None:
    gone, back = submit_claim(desk, make_claim_body()), submit_claim(desk, make_unique_claim_body())
    file = desk.get("/v1/claims.csv").content
    assert desk.write("POST", f"{gone['links']['self']}/takedown", {"reason": "A court said so."}).status_code == 200
    body = {"reason": "It was wrong.", "retracted_on": "2025-07-01"}
    desk.write("POST", f"{back['links']['self']}/retraction", body, **{"If-Match": "*"})
    before = read_latest_seq(desk)
    answer = post_file(desk, file)
    assert numbers(answer) == {"rows": 2, "removed": 1, "older": 1}
    assert read_latest_seq(desk) == before
    assert desk.get(gone["links"]["self"]).status_code == 410


def test_a_file_that_was_exported_before_a_repair_does_not_undo_it(desk: Register) -> None:
    made = submit_claim(desk, make_claim_body())
    file = desk.get("/v1/claims.csv").content
    change = {"figure": {"as_printed": "1,531", "value": 1531}}
    body = {"event": "transcription_fix", "reason": "A slip.", "changes": change}
    assert desk.write("PATCH", made["links"]["self"], body, **{"If-Match": "*"}).status_code == 200
    before = read_latest_seq(desk)
    assert numbers(post_file(desk, file)) == {"rows": 1, "older": 1}
    assert read_latest_seq(desk) == before


def test_a_request_with_a_key_is_answered_the_same_again(desk: Register) -> None:
    headers = desk.keys["editor"] | {"Content-Type": "text/csv", "Idempotency-Key": "import-1"}
    first = desk.post("/v1/imports", content=format_csv(native_row()), headers=headers)
    again = desk.post("/v1/imports", content=format_csv(native_row()), headers=headers)
    other = desk.post("/v1/imports", content=format_csv(native_row(7)), headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (DAILY_ROWS := '[{"day": "2025-06-11", "dead": 10, "all": 30}]', "relations"),
        (json.dumps(make_claim_body(confidence={"level": "low", "rationale": "A party."})), "assess"),
    ],
)
def test_what_only_an_editor_may_do_needs_one(content: str, kind: str, desk: Register) -> None:
    before = read_latest_seq(desk)
    answers = {}
    for role in ("contributor", "editor"):
        if kind == "relations":
            answers[role] = post_form(desk, "a.json", content, DAILY_MAPPING.replace("ON_CHANGE", "report"), role)
        else:
            answers[role] = post_file(desk, content, KINDS["ndjson"], role)
        if role == "contributor":
            assert answers[role].status_code == 403, answers[role].text
            assert "needs the role editor" in answers[role].json()["detail"]
            assert read_latest_seq(desk) == before
    assert answers["editor"].status_code == 201


def test_a_mapping_of_ones_own_comes_with_the_file(desk: Register) -> None:
    mapping = DAILY_MAPPING.replace("ON_CHANGE", "report")
    answer = post_form(desk, "days.json", DAILY_ROWS, mapping)
    assert answer.status_code == 201, answer.text
    assert (answer.json()["mapping"], answer.json()["series"]) == ("own", "daily")
    assert numbers(answer) == {"rows": 1, "new": 2}
    dead, all_ = (rows_of(desk, f"/v1/claims?category={name}")[0] for name in ("killed", "casualties"))
    [relation] = rows_of(desk, f"{dead['links']['self']}/relations")
    assert (relation["type"], relation["to_claim"]) == ("part_of", all_["id"])
    assert post_form(desk, "days.json", DAILY_ROWS, mapping).status_code == 200


@pytest.mark.parametrize(
    ("content", "kind", "status", "code", "told"),
    [
        ("a,b\r\n1,2\r\n", "text/csv", 422, "rows_refused", "There is no column `a`"),
        ("", "text/csv", 422, "file_refused", "empty"),
        ('a,b\r\n"1,2\r\n', "text/csv", 422, "file_refused", "never closed"),
        (b"a,b\r\n1,\x002\r\n", "text/csv", 422, "file_refused", "NUL"),
        ("PK\x03\x04broken", "application/zip", 422, "file_refused", "zip"),
        ("{}", "text/html", 415, "unsupported_media_type", "text/csv"),
        ("[1]", "application/x-ndjson", 422, "file_refused", "object"),
        ('{"figure": 3}', "application/x-ndjson", 422, "rows_refused", "figure"),
        ('{"category": {"$gt": 1}, "citations": 1}', "application/x-ndjson", 422, "rows_refused", "category"),
        ('{"figure": {}, "colour": 3}', "application/x-ndjson", 422, "rows_refused", "no field `colour`"),
        ('{"figure": {}, "id": "x"}', "application/x-ndjson", 422, "rows_refused", "not the id of a claim"),
    ],
)
def test_bad_files_get_a_clear_answer_and_leave_nothing(
    content: str, kind: str, status: int, code: str, told: str, desk: Register
) -> None:
    before = read_latest_seq(desk)
    answer = post_file(desk, content, kind)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert told in json.dumps(answer.json()), answer.text
    assert read_latest_seq(desk) == before


def test_a_wrong_mapping_gets_a_clear_answer(desk: Register) -> None:
    answer = post_file(desk, format_csv(native_row()), mapping="general-staf")
    assert (answer.status_code, answer.json()["code"]) == (422, "mapping_refused")
    assert "general-staff-a-personnel" in answer.json()["detail"]
    for mapping, told in (("title = ", "not TOML"), ('title = "x"', "claims"), ("\ud800", "")):
        answer = post_form(desk, "a.csv", "x\r\n1\r\n", mapping.encode("utf-8", "surrogatepass"))  # type: ignore[arg-type]
        assert answer.status_code == 422, answer.text
        assert told in answer.json()["detail"]


def test_a_form_without_a_file_and_parts_that_are_not_known_are_refused(desk: Register) -> None:
    for parts in ({"mapping": ("m.toml", DAILY_MAPPING)}, {"data": ("a.csv", "x")}):
        answer = desk.post("/v1/imports", files=parts, headers=desk.keys["editor"])
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    answer = desk.post(
        "/v1/imports", content=b"x", headers=desk.keys["editor"] | {"Content-Type": "multipart/form-data"}
    )
    assert answer.status_code == 422


def test_nobody_without_a_key_imports(desk: Register) -> None:
    answer = desk.post("/v1/imports", content=format_csv(native_row()), headers={"Content-Type": "text/csv"})
    assert answer.status_code == 401


def test_an_import_is_not_there_before_it_was_published(desk: Register) -> None:
    submit_claim(desk, make_unique_claim_body())
    before = read_latest_seq(desk)
    made = post_file(desk, format_csv(native_row(1), native_row(2))).json()
    assert len(rows_of(desk, f"/v1/claims?recorded_as_of=seq:{before}")) == 1
    assert rows_of(desk, f"/v1/imports?recorded_as_of=seq:{before}") == []
    assert desk.get(made["links"]["self"], params={"recorded_as_of": f"seq:{before}"}).status_code == 404
    assert len(rows_of(desk, f"/v1/claims?recorded_as_of=seq:{read_latest_seq(desk)}")) == 3


def test_rows_that_smell_are_told_and_refused_only_where_that_is_asked_for(desk: Register) -> None:
    days = [(f"2025-06-{day:02}", 1000 + 10 * day) for day in range(1, 12)]
    days[6] = (days[6][0], 990)
    rows = [native_row(number, date=day, period=f"2022-02-24/{day}") for day, number in days]
    strict = post_file(desk, format_csv(*rows), strict=True)
    assert any("falls" in reason for reason in reasons(strict))
    answer = post_file(desk, format_csv(*rows))
    assert answer.json()["smell_counts"] == {"total_falls": 1}
    [smell] = answer.json()["smells"]
    assert [each["line"] for each in smell["rows"]] == [7, 8]
    assert "1,060" in smell["detail"]
    assert "990" in smell["detail"]
    half = [native_row(int(r["value"]) + 100_000, date=r["date"], period=r["period"], source="institute") for r in rows]
    kept = post_file(desk, format_csv(*half), strict=True, keep_going=True)
    assert numbers(kept) == {"rows": 11, "rows_refused": 2, "new": 9}, kept.text


def test_two_transcriptions_of_one_statement_are_reported(desk: Register) -> None:
    submit_claim(desk, make_claim_body(figure={"as_printed": "113,990", "value": 113990}))
    answer = post_file(desk, format_csv(native_row(113390, document_url="https://example.org/other")))
    assert answer.json()["smell_counts"] == {"transcriptions_differ": 1}
    assert "one digit" in answer.json()["smells"][0]["detail"]


def test_what_was_taken_down_is_cited_by_no_row_of_a_file(desk: Register) -> None:
    gone = submit_claim(desk, make_claim_body())
    desk.write("POST", f"{gone['links']['self']}/takedown", {"reason": "A court said so."})
    twice = [native_row(quote="A SECRET", document_url=f"https://example.org/{n}") for n in range(2)]
    answer = post_file(desk, format_csv(*twice, native_row(7, quote="")), "text/csv", "contributor")
    assert numbers(answer) == {"rows": 3, "removed": 2, "new": 1}
    assert "SECRET" not in desk.get("/v1/changes?limit=1000").text


def test_a_claim_that_stands_gets_every_citation_of_a_file(desk: Register) -> None:
    submit_claim(desk, make_claim_body())
    other = native_row(document_url="https://example.org/other", document_title="Another")
    assert numbers(post_file(desk, format_csv(native_row(), other))) == {"rows": 2, "unchanged": 1, "cited": 1}
    assert len(rows_of(desk, "/v1/claims")[0]["citations"]) == 2


def test_a_refused_row_does_not_take_a_claim_from_another_row(desk: Register) -> None:
    days = [(f"2025-06-{day:02}", 1000 + 10 * day) for day in range(1, 12)]
    days[6] = (days[6][0], 990)
    rows = [native_row(number, date=day, period=f"2022-02-24/{day}") for day, number in days]
    again = rows[6] | {"document_url": "https://example.org/other", "document_title": "Another"}
    answer = post_file(desk, format_csv(*rows, again), strict=True, keep_going=True)
    assert answer.status_code == 201, answer.text
    found = rows_of(desk, "/v1/claims")
    assert len({each["id"] for each in found}) == len(found) == answer.json()["counts"]["new"]
    changes = desk.get("/v1/changes?limit=1000").json()["data"]
    claims = {change["id"] for change in changes if change["kind"] == "claim"}
    assert {change["claim"] for change in changes if change["kind"] == "citation"} <= claims
    cited = {each["citations"][0]["document"]["id"] for each in found}
    assert {change["id"] for change in changes if change["kind"] == "document"} == cited


def test_two_files_of_one_name_are_two_files(desk: Register) -> None:
    files = [
        ("file", ("x.csv", format_csv(native_row(1), native_row(2, category="kiled")))),
        ("file", ("x.csv", format_csv(native_row(3), native_row(4)))),
    ]
    answer = desk.post("/v1/imports?keep_going=true", files=files, headers=desk.keys["editor"])
    assert numbers(answer) == {"rows": 4, "rows_refused": 1, "new": 3}


def test_an_id_that_is_given_twice_refuses_the_second_row(desk: Register) -> None:
    id_ = "01a207c2-3ce8-7152-9d19-dd309d4cc699"
    told = reasons(post_file(desk, format_csv(native_row(1, id=id_), native_row(2, id=id_))))
    assert "belongs to another claim" in told[0]
    assert post_file(desk, format_csv(native_row(1, id=id_), native_row(1, id=id_))).status_code == 201
    documents = [
        make_claim_body(citations=[{"document": {"id": id_, "title": "T", "url": f"https://e.org/{n}"}}])
        for n in (1, 2)
    ]
    documents[1]["figure"] = {"as_printed": "9", "value": 9}
    answer = post_file(desk, "".join(json.dumps(each) + "\n" for each in documents), KINDS["ndjson"])
    assert answer.status_code == 201, answer.text


def test_an_id_that_stands_for_another_statement_is_told(desk: Register) -> None:
    stood = submit_claim(desk, make_claim_body())
    before = read_latest_seq(desk)
    assert numbers(post_file(desk, format_csv(native_row(7, id=stood["id"])))) == {"rows": 1, "differs": 1}
    assert read_latest_seq(desk) == before


def test_a_sheet_of_claims_is_read_like_a_file_of_them(desk: Register) -> None:
    body = [{**native_row(), "value": 1351, "note": None, "approximate": False}]
    assert numbers(post_file(desk, json.dumps(body), "application/json")) == {"rows": 1, "new": 1}
    assert numbers(post_file(desk, format_csv(native_row()), name="CLAIMS.CSV")) == {"rows": 1, "unchanged": 1}


def test_a_retraction_comes_with_its_day_and_from_an_editor(desk: Register) -> None:
    body = make_claim_body() | {"status": "retracted", "retracted_on": "2025-06-20"}
    assert post_file(desk, json.dumps(body), KINDS["ndjson"], "contributor").status_code == 403
    for wrong in ("2099-01-01", "2025-01-01"):
        assert (
            "retracted_on" in reasons(post_file(desk, json.dumps(body | {"retracted_on": wrong}), KINDS["ndjson"]))[0]
        )
    assert "has no day of the retraction" in reasons(post_file(desk, format_csv(native_row(status="retracted"))))[0]


def test_who_imports_is_who_assessed_where_nobody_is_named(desk: Register) -> None:
    body = make_claim_body(confidence={"level": "low", "rationale": "A party to the war."})
    assert post_file(desk, json.dumps(body), KINDS["ndjson"]).status_code == 201
    assert rows_of(desk, "/v1/claims")[0]["confidence"]["assessor"] == "editor-key"


def test_a_mapping_that_is_too_long_is_refused_and_not_cut(desk: Register) -> None:
    mapping = DAILY_MAPPING.replace("ON_CHANGE", "report") + "# " + "x" * 300_000 + "\nbroken"
    answer = post_form(desk, "a.json", DAILY_ROWS, mapping)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert post_form(desk, "a.json", DAILY_ROWS, f"{'a.' * 5000}b = 1").json()["code"] == "mapping_refused"


def test_reasons_are_told_in_a_bounded_answer(desk: Register) -> None:
    wide = make_claim_body(citations=[{"document": {"title": "x" * 900, "publisher": "y" * 70_000}} for _ in range(99)])
    answer = post_file(desk, json.dumps(wide), KINDS["ndjson"])
    assert answer.status_code == 422
    assert len(answer.content) < 60_000


def test_a_document_without_an_address_is_known_again_by_title_and_publisher(desk: Register) -> None:
    rows = [native_row(number, document_url="", document_title="The book") for number in range(1, 4)]
    assert numbers(post_file(desk, format_csv(*rows))) == {"rows": 3, "new": 3}
    assert [document["title"] for document in rows_of(desk, "/v1/documents")] == ["The book"]
    more = [
        *rows,
        native_row(9, document_url="", document_title="The book"),
        native_row(1, document_url="", document_title="Other"),
    ]
    assert numbers(post_file(desk, format_csv(*more))) == {"rows": 5, "new": 1, "cited": 1, "unchanged": 3}
    assert len(rows_of(desk, "/v1/documents")) == 2


def test_ids_of_documents_that_two_addresses_share_are_given_once(desk: Register) -> None:
    id_ = "01a207c2-3ce8-7152-9d19-dd309d4cc699"
    cites = [{"document": {"id": id_, "title": "T", "url": f"https://example.org/{n}"}} for n in range(3)]
    lines = [make_unique_claim_body(citations=[cite]) for cite in cites]
    answer = post_file(desk, "".join(json.dumps(line) + "\n" for line in lines), KINDS["ndjson"])
    assert numbers(answer) == {"rows": 3, "new": 3}, answer.text
    assert len({document["id"] for document in rows_of(desk, "/v1/documents")}) == 3
