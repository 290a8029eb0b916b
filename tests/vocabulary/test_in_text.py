"""How a record reads in a sentence belongs to the record: versioned, validated, and settable by every import."""

import csv
import io
from typing import Any

import pytest

from app.database.tables import SourceVersion
from app.starter.load import load_starter
from tests.examples import assert_problem
from tests.registers import Register
from tests.topics.domains import Domain

PEOPLE = {"form": "people", "past": "had drowned", "future": "would drown", "part": "drowned"}
SUBJECT = {"group": "travellers", "people": "people on the way"}
NAMED = {"kind": "media", "interest": "independent"}
RECORDS: list[tuple[str, dict[str, Any], Any]] = [
    ("sources/cia", {"name": "Central Intelligence Agency", **NAMED}, "the CIA"),
    ("places/sea", {"name": "The sea"}, "at sea"),
    ("subjects/travellers", {"name": "Travellers"}, SUBJECT),
    ("categories/drowned", {"name": "Drowned", "definition": "x", "unit": "persons", "non_decreasing": True}, PEOPLE),
]
FULL = {
    "subjects/travellers": SUBJECT,
    "categories/drowned": {**dict.fromkeys(("form", "noun", "past", "future", "part", "note")), **PEOPLE},
}


def put(register: Register, path: str, fields: dict[str, Any], status: int = 200) -> dict[str, Any]:
    answer = register.write("PUT", f"/v1/{path}", fields)
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.parametrize(("path", "fields", "words"), RECORDS, ids=[path for path, _, _ in RECORDS])
def test_words_belong_to_the_record(register: Register, path: str, fields: dict[str, Any], words: Any) -> None:
    stored = FULL.get(path, words)
    plain = put(register, path, fields, 201)
    assert plain["in_text"] is None
    changed = put(register, path, {**fields, "in_text": words})
    assert (changed["in_text"], changed["revision"]) == (stored, 2)
    assert put(register, path, {**fields, "in_text": words})["seq"] == changed["seq"]
    assert register.get(f"/v1/{path}").json()["in_text"] == stored
    before = register.get(f"/v1/{path}", params={"recorded_as_of": f"seq:{plain['seq']}"}).json()
    assert (before["in_text"], before["revision"]) == (None, 1)
    listed = register.get(f"/v1/{path.partition('/')[0]}").json()["data"]
    assert [row["in_text"] for row in listed] == [stored]
    assert put(register, path, fields)["in_text"] is None


@pytest.mark.parametrize(
    ("path", "words", "pointer"),
    [
        ("sources/cia", "x" * 201, "in_text"),
        ("sources/cia", "", "in_text"),
        ("sources/cia", "the\nCIA", "in_text"),
        ("sources/cia", "the \u202eCIA", "in_text"),
        ("sources/cia", {"group": "the CIA"}, "in_text"),
        ("places/sea", "at\u0000sea", "in_text"),
        ("places/sea", ["at sea"], "in_text"),
        ("subjects/travellers", "travellers", "in_text"),
        ("subjects/travellers", {"people": "travellers"}, "in_text/group"),
        ("subjects/travellers", {**SUBJECT, "one": "traveller"}, "in_text/one"),
        ("subjects/travellers", {**SUBJECT, "people": "a\tb"}, "in_text/people"),
        ("categories/drowned", {**PEOPLE, "form": "persons"}, "in_text/form"),
        ("categories/drowned", {"past": "had drowned"}, "in_text/form"),
        ("categories/drowned", {"form": "people", "part": "drowned"}, "in_text"),
        ("categories/drowned", {"form": "things", "noun": "boats"}, "in_text"),
        ("categories/drowned", {"form": "there"}, "in_text"),
        ("categories/drowned", {"form": "lost", "noun": "x" * 201}, "in_text/noun"),
    ],
)
def test_words_that_fit_no_sentence_are_refused(register: Register, path: str, words: Any, pointer: str) -> None:
    fields = next(fields for other, fields, _ in RECORDS if other == path)
    answer = register.write("PUT", f"/v1/{path}", {**fields, "in_text": words})
    assert assert_problem(answer, 422)["errors"][0]["pointer"] == f"#/{pointer}"


def test_a_short_name_is_part_of_every_claim(register: Register) -> None:
    domain = Domain(register)
    domain.put_agencies()
    for path, fields, words in RECORDS:
        put(register, path, {**fields, "in_text": words}, 201)
    said = {"category": "drowned", "subject": "travellers", "place": "sea", "date": "2024-01-06"}
    claim = domain.say("a", "300", "2023", **said)
    assert register.get(f"/v1/claims/{claim}").json()["source"]["short_name"] is None
    agency = {"name": "Agency a", "kind": "ngo", "interest": "independent", "short_name": "A", "in_text": "agency A"}
    put(register, "sources/agency-a", agency)
    assert register.get(f"/v1/claims/{claim}").json()["source"]["short_name"] == "A"
    assert register.get("/v1/claims").json()["data"][0]["source"]["short_name"] == "A"
    [row] = csv.DictReader(io.StringIO(register.get("/v1/claims.csv").text))
    assert (row["display"], row["source_short_name"]) == ("300 persons", "A")
    columns = register.get("/v1/sources.csv").text.split("\r\n")[0]
    assert columns.endswith(",short_name,in_text,terms")
    told = "Agency A estimated on 6 January 2024 that 300 people on the way had drowned at sea in 2023"
    assert register.get(f"/v1/claims/{claim}/citation.txt").text.startswith(told)
    assert register.get(f"/v1/claims/{claim}/citation").json()["short"].startswith("A, 6 January 2024: 300 people")
    answer = register.write("PUT", "/v1/sources/agency-a", {**agency, "short_name": "x" * 81})
    assert assert_problem(answer, 422)["errors"][0]["pointer"] == "#/short_name"
    topic = {"title": "Drowned", "category": "drowned", "subject": "travellers", "place": "sea"}
    put(register, "topics/drowned", topic, 201)
    position = register.get("/v1/topics/drowned/side-by-side").json()["positions"][0]
    assert position["source"]["short_name"] == "A"


def test_a_display_is_derived_whatever_is_sent(register: Register) -> None:
    domain = Domain(register)
    domain.put_agencies()
    for path, fields, _ in RECORDS:
        put(register, path, fields, 201)
    said = {"category": "drowned", "subject": "travellers", "place": "sea", "date": "2024-01-06"}
    claim = domain.say("a", "300", "2023", figure={"value": 300, "display": "nothing at all"}, **said)
    shown = register.get(f"/v1/claims/{claim}").json()
    assert shown["figure"]["display"] == "300 persons"
    lines = register.get("/v1/claims.ndjson").text
    assert '"display":"300 persons"' in lines
    key = register.keys["admin"]
    for name, content in (("claims.ndjson", lines), ("claims.csv", register.get("/v1/claims.csv").text)):
        files = {"file": (name, io.BytesIO(content.encode()))}
        report = register.client.post("/v1/imports", files=files, headers=key).json()
        assert (report["counts"]["unchanged"], report["counts"]["rows_refused"]) == (1, 0), report
    change = {"event": "transcription_fix", "reason": "x", "changes": {"figure": {"as_printed": "310", "value": 310}}}
    headers = {"If-Match": "*"}
    fixed = register.write("PATCH", f"/v1/claims/{claim}", change, **headers)
    assert fixed.json()["figure"]["display"] == "310 persons"
    state = {"recorded_as_of": f"seq:{shown['seq']}"}
    assert register.get(f"/v1/claims/{claim}", params=state).json()["figure"]["display"] == "300 persons"
    assert register.write("POST", f"/v1/claims/{claim}/takedown", {"reason": "x"}).status_code == 200
    with register.database.read() as session:
        assert "310" not in str(session.connection().exec_driver_sql("SELECT display FROM claim").fetchall())


def test_the_starter_updates_only_what_nobody_changed(starter_register: Register) -> None:
    register = starter_register
    edited = register.get("/v1/sources/csis").json()
    fields = {name: edited[name] for name in ("kind", "interest", "url")}
    put(register, "sources/csis", {**fields, "name": "CSIS, Washington"})
    with register.database.write_engine.begin() as connection:  # as recorded by the starter before this version
        words = {"in_text": None, "short_name": None}
        table = SourceVersion.__table__  # type: ignore[attr-defined] # of SQLModel
        connection.execute(table.update().where(table.c.slug == "cia", table.c.until_seq.is_(None)).values(words))
    assert register.get("/v1/sources/cia").json()["in_text"] is None
    assert load_starter(register.database) == 0
    assert register.get("/v1/sources/cia").json()["in_text"] == "the CIA"
    assert register.get("/v1/sources/csis").json()["name"] == "CSIS, Washington"
    seq = register.get("/v1/sources/cia").json()["seq"]
    assert load_starter(register.database) == 0
    assert register.get("/v1/changes", params={"after": str(seq)}).json()["data"] == []
