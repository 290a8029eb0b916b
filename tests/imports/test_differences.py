"""A row of the service's own format that says something else than the register is never reported as unchanged."""

import csv
import io
import json
from typing import Any

import pytest

from app.claims.schemas import AssessmentInput, FigureInput, PeriodInput
from tests.examples import (
    make_citation_body,
    make_claim_body,
    make_unique_claim_body,
    record_example_vocabulary,
    submit_claim,
)
from tests.imports.import_helpers import format_csv, native_row, post_file, reasons
from tests.registers import Register

NDJSON = "application/x-ndjson"


@pytest.fixture
def desk(register: Register) -> Register:
    record_example_vocabulary(register)
    body = make_claim_body(note="first", citations=[make_citation_body(quote="1,351 killed")])
    claim = submit_claim(register, body)
    assessment = {"level": "low", "rationale": "A party."}
    assert register.write("POST", f"{claim['links']['self']}/assessments", assessment).status_code == 201
    return register


def numbers(answer: Any) -> dict[str, int]:
    assert answer.status_code == 200, answer.text
    return {name: number for name, number in answer.json()["counts"].items() if number}


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"note": "second"}, "note"),
    ({"note": None}, "note"),
    ({"derivation": "own"}, "derivation"),
    ({"figure": {"as_printed": "1 351"}}, "figure.as_printed"),
    ({"figure": {"language": "en"}}, "figure.language"),
    ({"figure": {"wording_differs": "It is a sum."}}, "figure.wording_differs"),
    ({"period": {"start": "2022-02-25"}}, "period.start"),
    ({"period": {"end": "2025-06-11"}}, "period.end"),
    ({"source": {"short_name": "Ministry"}}, "source.short_name"),
    ({"source": {"terms": "CC0-1.0"}}, "source.terms"),
    ({"confidence": {"level": "high"}}, "confidence.level"),
    ({"confidence": {"rationale": "x"}}, "confidence.rationale"),
    ({"confidence": {"stated": "likely"}}, "confidence.stated"),
    ({"status": "retracted", "retracted_on": "2025-07-01"}, "status"),
    ({"source": {"name": "Another name"}}, "source.name"),
    ({"superseded_by": "01a1f640-bc00-7528-9916-436a9224d91e"}, "superseded_by"),
    ({"citations": {"quote": "another quote"}}, "citations.quote"),
    ({"citations": {"fidelity": "verbatim"}}, "citations.fidelity"),
    ({"citations": {"gap": "Not seen."}}, "citations.gap"),
    ({"citations": {"withdrawn_on": "2025-07-01"}}, "citations.withdrawn_on"),
]


def change_row(row: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    row = dict(row)
    for name, value in changes.items():
        if name == "citations":
            row[name] = [row[name][0] | value]
        else:
            row[name] = row[name] | value if isinstance(value, dict) else value
    return row


def test_a_changed_field_is_named_and_not_lost(desk: Register) -> None:
    exported = desk.get("/v1/claims.ndjson").json()
    assert numbers(post_file(desk, json.dumps(exported), NDJSON)) == {"rows": 1, "unchanged": 1}
    for changes, path in CHANGES:
        answer = post_file(desk, json.dumps(change_row(exported, changes)), NDJSON)
        assert numbers(answer) == {"rows": 1, "differs": 1}, (changes, answer.text)
        assert f"`{path}`" in answer.json()["examples"]["differs"][0], changes
    assert desk.get("/v1/claims.ndjson").json() == exported


def test_a_row_without_an_id_is_compared_by_what_it_states(desk: Register) -> None:
    exported = desk.get("/v1/claims.ndjson").json()
    nameless = {name: value for name, value in exported.items() if name != "id"}
    assert numbers(post_file(desk, json.dumps(nameless), NDJSON)) == {"rows": 1, "unchanged": 1}
    for changes in ({"note": "second"}, {"status": "retracted", "retracted_on": "2025-07-01"}):
        answer = post_file(desk, json.dumps(change_row(nameless, changes)), NDJSON)
        assert numbers(answer) == {"rows": 1, "differs": 1}
    wording = change_row(nameless, {"figure": {"as_printed": "1 351"}, "note": None})
    assert numbers(post_file(desk, json.dumps(wording), NDJSON)) == {"rows": 1, "unchanged": 1}


def test_a_changed_cell_of_a_claims_file_is_named(desk: Register) -> None:
    text = desk.get("/v1/claims.csv").text
    assert numbers(post_file(desk, text, "text/csv")) == {"rows": 1, "unchanged": 1}
    (cells,) = csv.DictReader(io.StringIO(text))
    cases = {"note": "second", "confidence": "high", "derivation": "own", "as_printed": "1351", "source_kind": "media"}
    cases |= {"period_start": "2022-02-25", "period_end": "2025-06-11", "source_short_name": "Ministry"}
    cases |= {"language": "en", "wording_differs": "It is a sum.", "source_terms": "CC0-1.0"}
    cases |= {"quote": "other", "fidelity": "verbatim", "stated": "likely", "reliability": "A", "status": "retracted"}
    for column, value in cases.items():
        file = io.StringIO()
        writer = csv.DictWriter(file, cells)
        writer.writeheader()
        writer.writerow(cells | {column: value})
        answer = post_file(desk, file.getvalue(), "text/csv")
        assert numbers(answer) == {"rows": 1, "differs": 1}, (column, answer.text)


def test_every_field_of_a_new_claim_is_compared_by_content_or_as_stated(desk: Register) -> None:
    """A field that a row can set and that nothing compares would be reported as unchanged, and lost."""
    exported = desk.get("/v1/claims.ndjson").json()
    samples = {"string": "zz", "number": 3, "integer": 3, "boolean": True, "array": ["agency"]}
    for owner, model in (("figure", FigureInput), ("period", PeriodInput), ("confidence", AssessmentInput)):
        for name, info in model.model_json_schema()["properties"].items():
            if name == "display":  # another release, or another name of a record, prints another one
                continue
            types = {each.get("type") for each in [info, *info.get("anyOf", [])]}
            for value in (sample for type_, sample in samples.items() if type_ in types):
                row = change_row(exported, {owner: {name: value}})
                if row != exported:
                    answer = post_file(desk, json.dumps(row), NDJSON, dry_run=True)
                    is_told = answer.status_code == 422 or "unchanged" not in numbers(answer)
                    assert is_told, (owner, name, value)


def test_another_leading_citation_is_told(desk: Register) -> None:
    citations = [make_citation_body(), make_citation_body("https://example.org/other", role="relay")]
    submit_claim(desk, make_unique_claim_body(citations=citations))
    row = json.loads(desk.get("/v1/claims.ndjson?sort=-recorded").text.splitlines()[0])
    assert numbers(post_file(desk, json.dumps(row), NDJSON)) == {"rows": 1, "unchanged": 1}
    for citation in row["citations"]:
        citation["leading"] = not citation["leading"]
    answer = post_file(desk, json.dumps(row), NDJSON)
    assert numbers(answer) == {"rows": 1, "differs": 1}
    assert "`citations.leading`" in answer.json()["examples"]["differs"][0]
    added = make_citation_body("https://example.org/third", fidelity="verbatim", quote=row["figure"]["as_printed"])
    assert desk.write("POST", f"{row['links']['self']}/citations", added).status_code == 201
    assert numbers(post_file(desk, json.dumps(row), NDJSON)) == {"rows": 1, "unchanged": 1}


def test_a_row_of_an_earlier_revision_is_older(desk: Register) -> None:
    exported = desk.get("/v1/claims.ndjson").json()
    body = {"event": "transcription_fix", "reason": "A slip.", "changes": {"note": "corrected"}}
    address = exported["links"]["self"]
    assert desk.write("PATCH", address, body, **{"If-Match": '"1"'}).status_code == 200
    assert numbers(post_file(desk, json.dumps(exported), NDJSON)) == {"rows": 1, "older": 1}


@pytest.mark.parametrize(
    "changes", [{"status": "zzz"}, {"status": 1}, {"status": ""}, {"retracted_on": "2025-07-01"}, {"status": "removed"}]
)
def test_a_wrong_status_is_refused(desk: Register, changes: dict[str, Any]) -> None:
    exported = desk.get("/v1/claims.ndjson").json()
    answer = post_file(desk, json.dumps(exported | changes), NDJSON)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "rows_refused"


def test_what_a_row_says_and_is_not_taken_is_named_in_the_report(desk: Register) -> None:
    exported = json.loads(desk.get("/v1/claims.ndjson").text)
    same = post_file(desk, json.dumps(exported), NDJSON)
    assert numbers(same) == {"rows": 1, "unchanged": 1}
    assert same.json()["ignored"] == {}
    assert post_file(desk, desk.get("/v1/claims.csv").text).json()["ignored"] == {}
    other = {"seq": 99_999, "recorded_at": "2001-02-03T04:05:06Z"}
    assert post_file(desk, json.dumps(exported | other), NDJSON).json()["ignored"] == {"recorded_at": 1, "seq": 1}
    known_otherwise = {**exported, "id": "01a1f640-bc00-7528-9916-436a9224d91e"}
    assert post_file(desk, json.dumps(known_otherwise), NDJSON).json()["ignored"] == {"id": 1}
    new = change_row(exported, {"figure": {"as_printed": "1,352", "value": 1352}, **other})
    new |= {
        "id": None,
        "source": exported["source"] | {"name": "Another name"},
        "superseded_by": exported["id"],
        "superseded_on": "2025-07-01",
        "citations": [{**new["citations"][0], "quote": None}],
    }
    answer = post_file(desk, json.dumps(new), NDJSON, dry_run=True)
    assert numbers(answer) == {"rows": 1, "new": 1}, answer.json()["refused"]
    ignored = {"recorded_at": 1, "seq": 1, "source.name": 1, "superseded_by": 1, "superseded_on": 1}
    assert answer.json()["ignored"] == ignored


def test_a_new_row_of_a_claims_file_names_the_columns_that_are_not_taken(desk: Register) -> None:
    row = native_row(77) | {"confidence": "high", "reliability": "A", "seq": "5"}
    assert "no column `seq`" in reasons(post_file(desk, format_csv(row)))[0]
    del row["seq"]
    answer = post_file(desk, format_csv(row | {"recorded_at": "2001-02-03T04:05:06Z"}))
    assert answer.status_code == 201, answer.text
    assert answer.json()["ignored"] == {"confidence.level": 1, "confidence.reliability": 1, "recorded_at": 1}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"figure": {"valeu": 5}}, "figure.valeu"),
        ({"period": {"unit": "day"}}, "period.unit"),
        ({"confidence": {"grade": "A"}}, "confidence.grade"),
        ({"citations": {"page": 5}}, "citations.page"),
        ({"sequence": 5}, "sequence"),
    ],
)
def test_a_field_that_no_claim_has_is_refused_and_not_dropped(
    desk: Register, changes: dict[str, Any], field: str
) -> None:
    exported = json.loads(desk.get("/v1/claims.ndjson").text)
    answer = post_file(desk, json.dumps(change_row(exported, changes)), NDJSON)
    assert f"There is no field `{field}`" in reasons(answer)[0]
