"""The OpenAPI document is complete and matches the responses."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry

from app.http.openapi import EXAMPLES_DIRECTORY
from app.http.openapi_components import SUFFIX, referred_schema
from app.main import CounterclaimApp
from tests.contract.examples import (
    CHART_FILE,
    JSON_LD_MEDIA_TYPE,
    JSON_MEDIA_TYPE,
    PROBLEM_MEDIA_TYPE,
    body_of,
    draw_chart,
    first_example,
    iterate_operations,
    order_of,
    path_of,
    render_answers,
    send_example,
    suffixes_of,
)
from tests.contract.openapi_document import render_document as document_text
from tests.registers import DatabaseCopies, Register

ROOT = Path(__file__).parents[2]
DOCUMENT: dict[str, Any] = orjson.loads((ROOT / "docs" / "openapi.json").read_bytes())
"""The committed document, which is the one that is served: to build it takes longer than to read it."""
OPERATIONS = [(f"{method} {path}", path, operation) for method, path, operation in iterate_operations(DOCUMENT)]
NAMED = {name: (path, operation) for name, path, operation in OPERATIONS}
KEY_READS = [name for name in NAMED if name.startswith("get /v1/keys")]
"""Reads that need a key: that of an administrator."""
READS = [name for name in NAMED if name.startswith("get ") and name not in KEY_READS]
WRITES = [name for name in NAMED if not name.startswith("get ")]
STREAM = "text/event-stream"
LINKED_RECORD = "read_claim_linked_data"
"""The operation with the example of linked data: it is the same in lists, which would double the document."""
TEMPLATE = "/v1/imports/template.csv"
MAX_BYTES = 300_000
AGAIN = "the contract changed: run `make openapi`, and read the difference before you commit it"


@pytest.fixture(scope="module")
def sqlite_copies(tmp_path_factory: pytest.TempPathFactory) -> DatabaseCopies:
    return DatabaseCopies(tmp_path_factory.mktemp("examples"), None)


def test_the_committed_document_is_the_one_that_is_served(shared_starter_register: Register) -> None:
    committed = (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")
    assert shared_starter_register.get("/openapi.json").json() == orjson.loads(committed)


def test_the_committed_document_is_that_of_the_routes() -> None:
    committed = (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")
    assert committed == document_text(), AGAIN
    assert committed == document_text(), "the same a second time"


def test_the_examples_are_what_the_starter_register_answers(sqlite_copies: DatabaseCopies) -> None:
    assert (EXAMPLES_DIRECTORY / "answers.json").read_text(encoding="utf-8") == render_answers(sqlite_copies), AGAIN


@pytest.fixture
def _crawled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find the anchors of the schemas of OpenAPI once: the validator does so for each reference of a document."""
    crawl = Registry.crawl
    crawled: dict[int, tuple[Registry[Any], Registry[Any]]] = {}

    def crawl_once(registry: Registry[Any]) -> Registry[Any]:
        if id(registry) not in crawled:
            crawled[id(registry)] = (registry, crawl(registry))
        return crawled[id(registry)][1]

    monkeypatch.setattr(Registry, "crawl", crawl_once)


@pytest.mark.usefixtures("_crawled_once")
def test_the_document_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_no_error_is_described_in_another_way_than_as_a_problem() -> None:
    assert {"ProblemDetail", "Fault"} <= DOCUMENT["components"]["schemas"].keys()
    assert not {"HTTPValidationError", "ValidationError"} & DOCUMENT["components"]["schemas"].keys()


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(ids)) == len(ids)


def test_every_operation_says_what_it_does() -> None:
    known = {tag["name"] for tag in DOCUMENT["tags"]}
    for name, (_path, operation) in NAMED.items():
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
        assert set(operation["tags"]) <= known, name
        assert operation["responses"]["default"]["content"][PROBLEM_MEDIA_TYPE]["example"]["code"], name


def test_reading_needs_no_key() -> None:
    assert [name for name in READS if NAMED[name][1]["security"] != []] == []


def test_writing_needs_a_key(shared_starter_register: Register) -> None:
    for name in (*WRITES, *KEY_READS):
        path, operation = NAMED[name]
        assert operation["security"], name
        method = name.partition(" ")[0].upper()
        answer = shared_starter_register.request(method, path_of(path, operation), **body_of(operation))
        assert answer.status_code == 401, name
        assert answer.json()["code"] == "unauthorized"


def test_every_parameter_has_a_meaning_and_an_example() -> None:
    for name, (_path, operation) in NAMED.items():
        for parameter in operation.get("parameters", []):
            assert parameter["description"], (name, parameter["name"])
            assert first_example(parameter) is not None, (name, parameter["name"])
            assert {"type": "null"} not in parameter["schema"].get("anyOf", []), (name, parameter["name"])


def example_of(content: dict[str, Any]) -> Any:
    """Return the example of a response: its own, that of its schema, or for a list one with that of its rows."""
    if "example" in content:
        return content["example"]
    schema = DOCUMENT["components"]["schemas"].get(referred_schema(content), {})
    if rows := referred_schema({"schema": schema.get("properties", {}).get("data", {}).get("items", {})}):
        return [merged_example(rows)]
    return merged_example(referred_schema(content))


def merged_example(name: str) -> Any:
    """Return the example of a schema, with those of the fields that it adds to another one."""
    schema = DOCUMENT["components"]["schemas"].get(name, {})
    if "allOf" not in schema or "examples" in schema:
        return schema.get("examples", [None])[0]
    base, own = schema["allOf"]
    return merged_example(base["$ref"].rpartition("/")[2]) | {
        field: info.get("examples", [None])[0] for field, info in own["properties"].items()
    }


def shown_fields() -> set[tuple[str, str]]:
    """Return the fields, by schema and name, of which an example of a whole record shows a value."""
    schemas, shown = DOCUMENT["components"]["schemas"], set()

    def walk(info: dict[str, Any], value: Any, name: str) -> None:
        for part in (info, *info.get("anyOf", ()), *info.get("allOf", ())):
            if "$ref" in part:
                inner = part["$ref"].rpartition("/")[2]
                walk(schemas[inner], value, inner)
            for each in value if isinstance(value, list) and "items" in part else ():
                walk(part["items"], each, name)
            for field, nested in part.get("properties", {}).items() if isinstance(value, dict) else ():
                if value.get(field) not in (None, [], {}):
                    shown.add((name, field))
                    walk(nested, value[field], name)

    for name, schema in schemas.items():
        for example in schema.get("examples", ()):
            walk(schema, example, name)
    return shown


def referenced_schemas(info: dict[str, Any]) -> list[dict[str, Any]]:
    """The schemas that a field refers to, directly, in a list or as one of several."""
    several = info.get("anyOf", [])
    items = [kind["items"] for kind in (info, *several) if "items" in kind]
    kinds = [info, *several, *items, *(kind for each in items for kind in each.get("anyOf", []))]
    return [DOCUMENT["components"]["schemas"][each["$ref"].rpartition("/")[2]] for each in kinds if "$ref" in each]


def test_every_field_has_a_meaning_and_an_example() -> None:
    bare, shown = [], shown_fields()
    for name, schema in DOCUMENT["components"]["schemas"].items():
        own = {field: info for part in schema.get("allOf", ()) for field, info in part.get("properties", {}).items()}
        for field, info in {**own, **schema.get("properties", {})}.items():
            nested = [each for each in referenced_schemas(info) if "properties" in each or "allOf" in each]
            # Pydantic omits the description of a nested object if it equals that of its schema.
            if not (info.get("description") or any(each.get("description") for each in nested)):
                bare.append(f"{name}.{field} has no description")
            if not (info.get("examples") or nested or (name, field) in shown):
                bare.append(f"{name}.{field} has no example")
    assert not bare


def test_the_picture_of_the_first_page_is_what_the_service_draws(sqlite_copies: DatabaseCopies) -> None:
    assert CHART_FILE.read_text(encoding="utf-8") == draw_chart(sqlite_copies), AGAIN


def test_every_answer_has_an_example() -> None:
    for name, (_path, operation) in NAMED.items():
        for status in {"200", "201"} & operation["responses"].keys():
            for media_type, content in operation["responses"][status]["content"].items():
                is_linked_list = media_type == JSON_LD_MEDIA_TYPE and operation["operationId"] != LINKED_RECORD
                has_none = is_linked_list or media_type == STREAM
                assert example_of(content) is not None or has_none, f"{name}, {media_type}: {AGAIN}"


def test_every_example_of_an_address_can_be_read(shared_starter_register: Register) -> None:
    for name in READS:
        path, operation = NAMED[name]
        if STREAM in operation["responses"]["200"]["content"]:
            continue  # it never ends
        needed = {
            each["name"]: first_example(each)
            for each in operation.get("parameters", [])
            if each["in"] == "query" and each.get("required")
        }
        for suffix in ("", *suffixes_of(operation)):
            answer = shared_starter_register.get(path_of(path, operation) + suffix, params=needed)
            assert answer.status_code == 200, f"{name}{suffix}: {answer.text}"


def form_value(parameter: dict[str, Any]) -> Any:
    """Return what the form of the reference has in the field of a parameter: an example, a default, or nothing."""
    if parameter["required"]:
        return first_example(parameter)
    default = parameter["schema"].get("default")
    return str(default).lower() if isinstance(default, bool) else default


@pytest.mark.parametrize("name", READS)
def test_the_prefilled_form_of_a_read_is_answered(shared_starter_register: Register, name: str) -> None:
    path, operation = NAMED[name]
    if STREAM in operation["responses"]["200"]["content"]:
        return  # it never ends
    values = {each["name"]: form_value(each) for each in operation.get("parameters", ()) if each["in"] == "query"}
    sent = {parameter: value for parameter, value in values.items() if value is not None}
    answer = shared_starter_register.get(path_of(path, operation), params=sent)
    assert answer.status_code == 200, f"{sent}: {answer.text}"


UNDOCUMENTED_PATHS = {
    "/{kind}/{name}.json": "redirects to the record, which is documented",
    "/about.json": "redirects to the register",
    "/index.json": "redirects to the register",
    "/favicon.ico": "redirects to the icon",
    "/static/{name}": "a file of a page, whose address has its digest",
    "/docs/assets": "a file of the reference",
    "/robots.txt": "a file for crawlers, by its standard",
    "/sitemap.xml": "a file for crawlers, by its standard",
    "/sitemap-{part:int}.xml": "a file for crawlers, by its standard",
    "/v1/topics/{slug}/chart": "refuses every request",
    "/v1/topics/{slug}/chart.{suffix}": "refuses every request",
    "/docs/guides/{name}.md": "the guide as Markdown, which the text of the guide names",
}
"""The paths that the document leaves out, and why."""


def test_every_route_is_documented_or_left_out_for_a_reason(shared_starter_register: Register) -> None:
    documented = {(method, path) for path, item in DOCUMENT["paths"].items() for method in item}
    left_out = set()
    app = shared_starter_register.client.app
    assert isinstance(app, CounterclaimApp)
    for route in app.router.routes:
        path = str(getattr(route, "path", ""))
        if path.endswith("/{name}.json"):
            path = "/{kind}/{name}.json"
        for method in sorted(getattr(route, "methods", None) or {"GET"}):
            if (method.lower(), path.removesuffix(SUFFIX)) not in documented and method != "HEAD":
                left_out.add(path)
    assert left_out == UNDOCUMENTED_PATHS.keys()


def test_the_document_names_each_list_once_and_is_small() -> None:
    assert [path for path in DOCUMENT["paths"] if "{suffix}" in path or path.endswith(".csv")] == [TEMPLATE]
    assert len(orjson.dumps(DOCUMENT)) < MAX_BYTES
    parameters = DOCUMENT["components"]["parameters"]
    assert all(name == each["name"] or name.startswith(f"{each['name']}_") for name, each in parameters.items())


def test_every_example_of_a_body_is_accepted(starter_register: Register) -> None:
    for name in sorted(WRITES, key=lambda each: order_of(NAMED[each][1])):
        method, path = name.split(" ")
        operation = NAMED[name][1]
        answer = send_example(starter_register, method, path, operation)
        assert str(answer.status_code) in {"200", "201"} & operation["responses"].keys(), f"{name}: {answer.text}"
        shown = example_of(operation["responses"][str(answer.status_code)]["content"][JSON_MEDIA_TYPE])
        assert answer.json().keys() == shown.keys(), name
