"""Bodies and parameters have the types of the OpenAPI document, on every route that the application registers."""

from collections.abc import Iterator
from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest

from app.http.language_tags import is_language_tag
from tests.contract.examples import body_of, first_example
from tests.examples import assert_problem, make_claim_body, read_latest_seq, record_example_vocabulary, submit_claim
from tests.http.operations import READS, SCHEMAS, WRITES
from tests.registers import Register, role_for

CONDITION = {"If-Match": "*"}


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without its reference and without null."""
    while "$ref" in schema or "anyOf" in schema:
        if "$ref" in schema:
            schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
        else:
            found = [each for each in schema["anyOf"] if each != {"type": "null"}]
            schema = {"type": "number"} if {"type": "number"} in found else found[0]
    if isinstance(schema.get("type"), list):
        return {**schema, "type": next(each for each in schema["type"] if each != "null")}
    return schema


def iterate_fields(schema: dict[str, Any], path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield the path and the schema of every scalar of a body."""
    schema = resolve(schema)
    if "properties" in schema:
        for name, info in schema["properties"].items():
            yield from iterate_fields(info, (*path, name))
    elif schema.get("type") == "array":
        yield from iterate_fields(schema["items"], (*path, 0))
    else:
        yield path, schema


def set_field(body: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Return a copy of `body` with `value` at `path`; objects and lists on the way are created."""
    body = deepcopy(body)
    place: Any = body
    for step, following in pairwise(path):
        empty: Any = [] if isinstance(following, int) else {}
        if isinstance(step, int):
            if not place:
                place.append(empty)
            elif not isinstance(place[step], dict | list):
                place[step] = empty
        elif not isinstance(place.get(step), dict | list):
            place[step] = empty
        place = place[step]
    if isinstance(path[-1], int):
        place[:] = [value]
    else:
        place[path[-1]] = value
    return body


def body_fields() -> Iterator[tuple[str, str, dict[str, Any], Any, dict[str, Any]]]:
    for method, path, operation in WRITES:
        body = body_of(operation)["json"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        for field, info in iterate_fields(schema):
            yield method, path, body, field, info


FIELDS = list(body_fields())


def assert_refused_at(answer: Any, field: tuple[str | int, ...], what: object) -> None:
    problem = assert_problem(answer, 422)
    pointers = [each["pointer"] for each in problem["errors"]]
    wanted = "#/" + "/".join(map(str, field))
    # A fault of a list may be that of the list as a whole.
    assert any(wanted.startswith(pointer) and pointer != "#" for pointer in pointers), (what, problem)


def test_no_text_has_control_characters_or_overrides_of_direction(shared_starter_register: Register) -> None:
    before = read_latest_seq(shared_starter_register)
    characters = ["\x00", "\x1b", "\x08", "\r", "\x7f", "\x85", "\x9b", "\u202a", "\u202e", "\u2066", "\u2069"]
    count = 0
    for method, path, body, field, info in FIELDS:
        if info.get("type") != "string":
            continue
        character = characters[count % len(characters)]
        count += 1
        sent = set_field(body, field, f"a{character}b")
        answer = shared_starter_register.write(method, path, sent, **CONDITION)
        assert_refused_at(answer, field, (method, path, field, character))
    assert count > 80
    assert read_latest_seq(shared_starter_register) == before


def test_marks_that_scripts_need_are_kept(register: Register) -> None:
    record_example_vocabulary(register)
    for text in ("نیم\u200cفاصله", "a\u200db", "\u200fעברית\u200e", "\u061cعربي", "two\nlines\r\nand a\ttab"):
        made = submit_claim(register, make_claim_body(note=text, date=None, place="front", figure=figure_of(text)))
        assert made["note"] == text


def figure_of(text: str) -> dict[str, Any]:
    return {"as_printed": f"{len(text)},000", "value": len(text) * 1000}


def test_what_is_recorded_stays_when_another_field_is_corrected(register: Register) -> None:
    record_example_vocabulary(register)
    made = submit_claim(register, make_claim_body(note="plain"))
    with register.database.write_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE claim SET note = 'a\x1bb'")
        connection.exec_driver_sql("UPDATE citation SET quote_language = 'zz-zzzz', withdrawn_on = '9999-12-31'")
    body = {"event": "transcription_fix", "reason": "A slip.", "changes": {"derivation": "own"}}
    answer = register.write("PATCH", made["links"]["self"], body, **{"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["note"], answer.json()["derivation"]) == ("a\x1bb", "own")
    body["changes"] = {"note": "a\x1bc"}
    assert_problem(register.write("PATCH", made["links"]["self"], body, **{"If-Match": '"2"'}), 422)


LAX: dict[str, list[Any]] = {
    "boolean": ["yes", "true", 1, 0, 1.0],
    "integer": ["1", 1.0, True],
    "number": ["1", True],
    "string": [1, True],
}
"""Values of other types that Pydantic converts by itself."""


def test_no_value_of_another_type_is_converted(shared_starter_register: Register) -> None:
    before = read_latest_seq(shared_starter_register)
    for method, path, body, field, info in FIELDS:
        values = list(LAX.get(info.get("type", ""), ["1"]))
        if info.get("format") in ("date-time", "date"):
            values += [1718150400, "1718150400", "0.5", "2025-06-12T10", "٢٠٢٥-٠٦-١٢"]
        for value in values:
            if field[-1] in ("document", "source") or "enum" in info:
                continue
            sent = set_field(body, field, value)
            answer = shared_starter_register.write(method, path, sent, **CONDITION)
            assert answer.status_code == 422, (method, path, field, value, answer.text)
    assert read_latest_seq(shared_starter_register) == before


@pytest.mark.parametrize("value", ["zz", "", ",", "a\0", "💣", "l" * 900_000, "0197B0C2-7D3E-7CC1-9F0A-2B6C1D4E5F60"])
def test_an_identifier_is_checked_wherever_one_is_taken(shared_starter_register: Register, value: str) -> None:
    before = read_latest_seq(shared_starter_register)
    for method, path, body, field, info in FIELDS:
        if info.get("type") == "string" and field[-1] in ("id", "claim", "document", "import_id"):
            sent = set_field(body, field, value)
            answer = shared_starter_register.write(method, path, sent, **CONDITION)
            assert_problem(answer, 422)
            assert len(answer.content) < 16_000
    assert read_latest_seq(shared_starter_register) == before


def test_a_relation_to_a_malformed_document_is_refused(register: Register) -> None:
    record_example_vocabulary(register)
    first, second = submit_claim(register, make_claim_body()), submit_claim(register, make_claim_body(place="front"))
    for value in ("zz", "", ",", "💣"):
        body = {"type": "corroborates", "claim": second["id"], "document": value}
        answer = register.write("POST", f"{first['links']['self']}/relations", body)
        problem = assert_problem(answer, 422)
        assert problem["errors"][0]["pointer"] == "#/document"


FORMS = {
    "boolean": ["yes", "1", "on", "True", "t"],
    "integer": ["1.0", "+1", "%201", "1_0", "%D9%A1", "%EF%BC%91", "01", "0x1", "1e1"],
    "number": ["+1", "%201", "1_0", "%D9%A1", "nan", "inf", ".5", "1."],
}


def parameter_types(parameter: dict[str, Any]) -> set[str]:
    schema = parameter["schema"]
    return {each.get("type", "") for each in [schema, *schema.get("anyOf", [])]} - {"null"}


def test_no_parameter_takes_another_form_of_its_type(shared_starter_register: Register) -> None:
    checked = 0
    for path, operation in READS:
        parameters = operation.get("parameters", [])
        required = {p["name"]: first_example(p) for p in parameters if p["in"] == "query" and p["required"]}
        for parameter in parameters:
            forms = [form for type_ in parameter_types(parameter) for form in FORMS.get(type_, [])]
            if parameter["in"] != "query" or parameter_types(parameter) - set(FORMS):
                continue
            for form in forms:
                query = "&".join(f"{n}={v}" for n, v in required.items() if n != parameter["name"])
                address = f"{path}?{query}&{parameter['name']}={form}".replace("?&", "?")
                problem = assert_problem(shared_starter_register.get(address), 422)
                assert problem["errors"][0]["pointer"] == f"#/{parameter['name']}", address
                checked += 1
    assert checked > 100


@pytest.mark.parametrize("name", ["updated_since", "recorded_as_of", "known_on"])
@pytest.mark.parametrize("value", ["0.5", "1718150400", "2026-W48", "20261120", "2026-11-20T10", "٢٠٢٥-٠٦-١٢"])
def test_a_time_has_the_form_of_rfc_3339(shared_starter_register: Register, name: str, value: str) -> None:
    assert_problem(shared_starter_register.get("/v1/claims", params={name: value}), 422)


def test_a_time_may_be_in_lower_case(shared_starter_register: Register) -> None:
    for name in ("updated_since", "recorded_as_of"):
        answer = shared_starter_register.get("/v1/claims", params={name: "2026-11-30t00:00:00z", "limit": 1})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("number", ["1.0", "+1", "%201", "%D9%A1", "01"])
def test_a_revision_in_an_address_is_a_plain_number(shared_starter_register: Register, number: str) -> None:
    id_ = "01a1f640-bc00-7528-9916-436a9224d91e"
    assert shared_starter_register.get(f"/v1/claims/{id_}/revisions/1").status_code == 200
    assert_problem(shared_starter_register.get(f"/v1/claims/{id_}/revisions/{number}"), 422)


def test_a_cursor_or_header_has_only_ascii_digits(shared_starter_register: Register) -> None:
    for path, operation in READS:
        for parameter in operation.get("parameters", []):
            pattern = str(parameter["schema"])
            assert "\\d" not in pattern, (path, parameter["name"])
    assert_problem(shared_starter_register.get("/v1/changes?cursor=%D9%A5"), 422)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"name": "a", "name": "b"}', "#/name"),
        (b'{"name": "a", "x": {"y": [{"k": 1, "k": 1}]}}', "#/x/y/0/k"),
    ],
)
def test_a_key_that_is_sent_twice_is_refused(shared_starter_register: Register, body: bytes, pointer: str) -> None:
    for method, path, _operation in WRITES:
        headers = shared_starter_register.keys[role_for(path)] | CONDITION | {"Content-Type": "application/json"}
        answer = shared_starter_register.request(method, path, content=body, headers=headers)
        problem = assert_problem(answer, 422, "invalid_request")
        assert problem["errors"][0]["pointer"] == pointer


def test_an_empty_parameter_is_one_that_is_not_given(shared_starter_register: Register) -> None:
    for path, operation in READS:
        if "stream" in path:
            continue
        parameters = [p for p in operation.get("parameters", []) if p["in"] == "query"]
        required = "&".join(f"{p['name']}={first_example(p)}" for p in parameters if p["required"])
        empty = "&".join(f"{p['name']}=" for p in parameters if not p["required"])
        plain = shared_starter_register.get(f"{path}?{required}")
        form = shared_starter_register.get(f"{path}?{required}&{empty}")
        assert (form.status_code, form.headers.get("etag")) == (plain.status_code, plain.headers.get("etag")), path
        assert plain.status_code == 200
    assert_problem(shared_starter_register.get("/v1/claims?catgory="), 422, "unknown_parameter")
    assert shared_starter_register.get("/v1/claims?category=&category=killed&limit=1").status_code == 200


OPENABLE = {
    "https://ex.org": "https://ex.org",
    "https://EX.org:443/Path?Q#f": "https://ex.org/Path?Q#f",
    "http://ex.org:8080/a": "http://ex.org:8080/a",
    "http://[::1]/x": "http://[::1]/x",
    "https://пример.рф/страница": "https://пример.рф/страница",
    "https://mastodon.example/@name": "https://mastodon.example/@name",
    "http://192.0.2.1/": "http://192.0.2.1/",
    "https://ex_a.org./": "https://ex_a.org./",
}
NOT_OPENABLE = [
    *("http://[::1", "https://?", "https://#", "https://ex.org:99999/", "https://user:pw@ex.org/", "https://:80/"),
    *("https://ex..org/", "https://.", "http://256.1.1.1/", "https://ex.org:0/", "https://ex.org:a/", "http://[zz]/"),
    *("https://a<b>.org/", "https://%00.org/", "https://" + "a" * 64 + ".org", "https://ex.org\\a", "http://1.2.3/"),
]


@pytest.mark.parametrize("address", NOT_OPENABLE)
def test_an_address_that_nothing_can_open_is_refused(shared_starter_register: Register, address: str) -> None:
    for method, path, body, field, _info in FIELDS:
        if str(field[-1]).endswith("url"):
            answer = shared_starter_register.write(method, path, set_field(body, field, address), **CONDITION)
            assert_refused_at(answer, field, (method, path, field))


def test_an_address_is_recorded_in_one_form(register: Register) -> None:
    for given, kept in OPENABLE.items():
        made = register.write("POST", "/v1/documents", {"title": "x", "url": given}).json()
        assert made["url"] == kept
        assert register.write("POST", "/v1/documents", {"title": "x", "url": given}).status_code == 200


TAGS = "uk en-GB zh-Hant-TW de-u-co-phonebk x-private en-a-bbb sl-rozaj-biske i-klingon es-419 de-CH-1901 zh-yue und"
NO_TAGS = "en-ab-cd zz-zzzz abc-1234567 en- -en en_US english de-1901-1901 en-a-bbb-a-ccc a en-x qaa-zzzzz"


def test_language_tags_are_those_of_bcp_47(register: Register) -> None:
    for tag in TAGS.split():
        assert is_language_tag(tag), tag
        assert is_language_tag(tag.upper()), tag
    for tag in NO_TAGS.split():
        assert not is_language_tag(tag), tag
    for tag, status in (("de-u-co-phonebk", 201), ("zz-zzzz", 422)):
        assert register.write("POST", "/v1/documents", {"title": "x", "language": tag}).status_code == status
