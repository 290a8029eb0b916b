"""The responses of the starter register to every operation: the examples of the OpenAPI document.

`python -m tests.contract.examples` rewrites app/http/examples/answers.json and docs/topic.svg (`make openapi` runs it).
"""

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson

from app.http.openapi import EXAMPLES_DIRECTORY, build_document
from app.http.responses import json_bytes
from app.main import DESCRIBED_ROUTES
from app.starter.load import starter_id
from tests.registers import DatabaseCopies, Register, open_register, role_for

JSON_MEDIA_TYPE = "application/json"
CSV_MEDIA_TYPE = "text/csv"
NDJSON_MEDIA_TYPE = "application/x-ndjson"
JSON_LD_MEDIA_TYPE = "application/ld+json"
PROBLEM_MEDIA_TYPE = "application/problem+json"
SVG_MEDIA_TYPE = "image/svg+xml"
METHODS = ("get", "put", "post", "patch", "delete")
TIME_FIELDS = ("recorded_at", "updated_at", "at", "created_at", "last_used_at", "revoked_at", "prov:generatedAtTime")
FIXED_TIME = "2026-11-20T10:00:00Z"

LAST_OPERATIONS = (
    "post_reinstatement",
    "post_retraction",
    "post_takedown",
    "post_document_takedown",
    "post_source_takedown",
    "post_lease",
)
"""Operations whose examples follow all others on one register. A takedown would wait until a lease ends."""

# The paths for operations whose response to the parameter examples is too long.
COMPARED_CLAIM_IDS = ("01a1f640-bc00-7fe1-8aaf-3de79d8fb7ee", "01a1f640-bc00-7ca1-8b60-821cb18e96a1")
"""The British and the Ukrainian figure for 2024."""

EXAMPLE_PATHS = {
    "read_topic": "/v1/topics/russian-casualties-2024",
    "read_topic_side_by_side": "/v1/topics/vovchansk-june-2024/side-by-side?known_on=2025-06-12",
    "read_brief": "/v1/topics/vovchansk-june-2024/brief?known_on=2025-06-12",
    "read_chart_svg": "/v1/topics/vovchansk-june-2024/chart.svg?known_on=2025-06-12&theme=light",
    "read_chart_vega_lite": "/v1/topics/vovchansk-june-2024/chart.vl.json?known_on=2025-06-12",
    "compare_claims": f"/v1/compare?a={COMPARED_CLAIM_IDS[0]}&b={COMPARED_CLAIM_IDS[1]}",
    "read_side_by_side": "/v1/side-by-side?"
    + urlencode(
        {
            "known_on": "2025-06-12",
            "category": "casualties",
            "subject": "russian-forces",
            "place": "russia-ukraine-war",
            "aggregation": "within",
            "since": "2024-01-01",
        }
    ),
    "read_wording": "/v1/reading?" + urlencode({"as_printed": "surpassed one million", "language": "en"}),
    "list_keys": "/v1/keys",
    "list_topics": "/v1/topics?limit=1&cursor=WyJzbHVnIiwicnVzc2lhbi1jYXN1YWx0aWVzIiwicnVzc2lhbi1jYXN1YWx0aWVzIl0",
    "list_claim_counts": "/v1/claims/counts?by=source,year&category=casualties&date_from=2025-01-01",
    "list_relations": "/v1/claims/{id}/relations",
    "suggest_names": "/v1/suggest?q=mediaz&limit=2",
}
EXAMPLE_CLAIM_ID = starter_id("gs-2025-06-12")
PROBLEM_PATH = "/v1/claims?catgory=killed"

RETRACTION_BODY = {"reason": "Said to have been a slip.", "retracted_on": "2025-07-01"}
SHOWN_CHARACTERS = 200
"""So much of a picture is in the document: it is not read there."""
PREPARATORY_REQUESTS: dict[str, list[tuple[str, str, Any]]] = {
    "post_reinstatement": [("POST", "/v1/claims/{id}/retraction", RETRACTION_BODY)],
}
"""The requests that are sent before the example of an operation, so that it is accepted."""
WITHDRAWAL_LISTS = {"post_relation_withdrawal": "relations", "post_assessment_withdrawal": "assessments"}
"""Operations on records with random ids, and the list from which the first record is taken."""


@contextmanager
def open_starter_register(copies: DatabaseCopies) -> Iterator[Register]:
    """Open a copy of the starter register."""
    yield from open_register(copies.create_copy("starter"))


def iterate_operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield every operation of the document with its method and path, with what it refers to but schemas."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                operation = _resolve(item[method], document)
                for parameter in operation.get("parameters", []):
                    parameter.setdefault("required", False)
                yield method, path, operation


def _resolve(value: Any, document: dict[str, Any]) -> Any:
    """Return a part of the document with its references to other components than schemas replaced."""
    if isinstance(value, list):
        return [_resolve(each, document) for each in value]
    if not isinstance(value, dict):
        return value
    kind, _, name = value.get("$ref", "").removeprefix("#/components/").partition("/")
    if name and kind != "schemas":
        return _resolve(document["components"][kind][name], document)
    resolved = {key: _resolve(each, document) for key, each in value.items()}
    if "examples" in value and "schema" in value:
        [example] = resolved.pop("examples").values()
        resolved["example"] = example["value"]
    return resolved


def suffixes_of(operation: dict[str, Any]) -> list[str]:
    """Return the suffixes with which an operation answers with a file."""
    return re.findall(r"`(\.\w+)`", operation["description"].partition("As a file:")[2])


def path_of(path: str, operation: dict[str, Any]) -> str:
    """Return the path of an operation, with the examples of its path parameters."""
    values = {each["name"]: first_example(each) for each in operation.get("parameters", []) if each["in"] == "path"}
    return path.format(**values)


def first_example(parameter: dict[str, Any]) -> Any:
    """Return the first example of a parameter."""
    return parameter["example"] if "example" in parameter else parameter["schema"]["examples"][0]


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    """Return the example body of an operation as arguments of the client; empty if it has no body."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        if "example" in content and media_type == JSON_MEDIA_TYPE:
            return {"json": content["example"]}
        if "example" in content:
            return {"content": content["example"], "headers": {"Content-Type": media_type}}
    return {"json": None}


def send_example(
    register: Register, method: str, path: str, operation: dict[str, Any], key: dict[str, str] | None = None
) -> Any:
    """Send the example of a writing operation with the headers of a key, after its preparatory requests.

    Without `key`, it is that of an admin, or of a mirror if only that may send it.
    """
    name = operation["operationId"]
    asked = path_of(path, operation)
    for verb, before, body in PREPARATORY_REQUESTS.get(name, []) if key is None else []:
        answer = register.write(verb, path_of(before, operation), body, **{"If-Match": "*"})
        assert answer.status_code in (200, 201), answer.text
    if name in WITHDRAWAL_LISTS:
        rows = register.get(f"/v1/claims/{EXAMPLE_CLAIM_ID}/{WITHDRAWAL_LISTS[name]}").json()["data"]
        asked = path.format(id=rows[0]["id"])
    if name == "post_key_revocation":
        asked = path.format(id=first_key_id(register))
    body = body_of(operation)
    key = register.keys[role_for(path)] if key is None else key
    headers = key | body.pop("headers", {}) | ({"If-Match": "*"} if "{id}" in path else {})
    return register.request(method.upper(), asked, headers=headers, **body)


def order_of(operation: dict[str, Any]) -> int:
    """Return a number by which the operations of one register are sorted, so that each example succeeds."""
    name = operation["operationId"]
    return LAST_OPERATIONS.index(name) + 1 if name in LAST_OPERATIONS else 0


def first_key_id(register: Register) -> str:
    """Return the id of the oldest API key, which is that of a contributor."""
    keys: list[dict[str, Any]] = register.get("/v1/keys", headers=register.keys["admin"]).json()["data"]
    return str(keys[0]["id"])


def normalize_answer(value: Any, ids: dict[str, str]) -> Any:
    """Return `value` with times and random ids replaced, so that every run has the same result."""
    match value:
        case dict():
            return {
                key: FIXED_TIME if key in TIME_FIELDS and each else normalize_answer(each, ids)
                for key, each in value.items()
            }
        case list():
            return [normalize_answer(each, ids) for each in value]
        case str():
            value = re.sub(r"^cc_[A-Za-z0-9_-]{43}$", "cc_…", value)
            return re.sub(
                r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}",
                lambda m: _normalize_id(m[0], ids),
                value,
            )
        case _:
            return value


def _normalize_id(found: str, ids: dict[str, str]) -> str:
    if found[:14] == starter_id("")[:14]:  # the timestamp in the ids of the starter records
        return found
    return ids.setdefault(found, starter_id(f"example/{len(ids)}"))


def collect_answers(copies: DatabaseCopies, document: dict[str, Any]) -> dict[str, Any]:
    """Return operation id → media type → response of the starter register."""
    found: dict[str, Any] = {}
    with open_starter_register(copies) as register:
        problem = register.get(PROBLEM_PATH, headers={"X-Request-ID": "0197b0c27d3e7cc19f0a2b6c"})
        found["problem"] = {PROBLEM_MEDIA_TYPE: problem.json()}
        for method, path, operation in iterate_operations(document):
            name = operation["operationId"]
            if not path.startswith(("/v1/", "/health/")):
                continue  # it says itself how its answer looks
            if method == "get" and JSON_MEDIA_TYPE in operation["responses"]["200"]["content"]:
                asked = EXAMPLE_PATHS.get(
                    name, path if "data" not in _schema_fields(document, operation) else f"{path}?limit=1"
                )
                is_key = path.startswith("/v1/keys")
                asked = path.format(id=first_key_id(register)) if name == "read_key" else path_of(asked, operation)
                answer = register.get(asked, headers=register.keys["admin"] if is_key else {})
                assert answer.status_code == 200, (asked, answer.text)
                found[name] = {JSON_MEDIA_TYPE: normalize_answer(answer.json(), {})}
                for media_type in [
                    each for each in FILE_NORMALIZERS if each in operation["responses"]["200"]["content"]
                ]:
                    answer = register.get(asked, headers={"Accept": media_type})
                    assert answer.status_code == 200, (asked, answer.text)
                    found[name][media_type] = FILE_NORMALIZERS[media_type](answer.text)
                if any(parameter["name"] == "fields" for parameter in operation.get("parameters", [])):
                    answer = register.get(asked, headers={"Accept": CSV_MEDIA_TYPE})
                    found[name]["columns"] = answer.text.partition("\r\n")[0].split(",")
            elif name == "read_claim_linked_data":
                answer = register.get(path_of(path, operation))
                assert answer.status_code == 200, answer.text
                node = {key: each for key, each in answer.json().items() if not isinstance(each, dict | list)}
                found[name] = {JSON_LD_MEDIA_TYPE: normalize_answer(node, {})}
            elif method == "get" and SVG_MEDIA_TYPE in operation["responses"]["200"]["content"]:
                answer = register.get(path_of(EXAMPLE_PATHS[name], operation))
                assert answer.status_code == 200, answer.text
                found[name] = {SVG_MEDIA_TYPE: answer.text[:SHOWN_CHARACTERS] + "…"}
    for method, path, operation in iterate_operations(document):
        if method != "get":
            with open_starter_register(copies) as register:
                answer = send_example(register, method, path, operation)
                assert answer.status_code in (200, 201), (path, answer.text)
                found[operation["operationId"]] = {JSON_MEDIA_TYPE: normalize_answer(answer.json(), {})}
    return found


def _normalize_csv(file: str) -> str:
    return str(normalize_answer(re.sub(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", FIXED_TIME, file), {}))


def _normalize_ndjson(file: str) -> str:
    ids: dict[str, str] = {}
    return "".join(
        json_bytes(normalize_answer(orjson.loads(line), ids)).decode() + "\n" for line in file.split("\n") if line
    )


FILE_NORMALIZERS: dict[str, Callable[[str], str]] = {
    CSV_MEDIA_TYPE: _normalize_csv,
    NDJSON_MEDIA_TYPE: _normalize_ndjson,
    "text/markdown": str,
    "text/plain": str,
}
"""Media type → the function that makes a response deterministic."""


def _schema_fields(document: dict[str, Any], operation: dict[str, Any]) -> set[str]:
    schema = operation["responses"]["200"]["content"][JSON_MEDIA_TYPE]["schema"]
    schema = schema.get("anyOf", [schema])[0]  # a list may also be a bare array
    name = schema.get("$ref", "").rpartition("/")[2]
    return set(document["components"]["schemas"].get(name, {}).get("properties", ()))


def render_answers(copies: DatabaseCopies) -> str:
    """Return the content of app/http/examples/answers.json."""
    answers = collect_answers(copies, build_document(DESCRIBED_ROUTES))
    return json.dumps(answers, indent=1, ensure_ascii=False) + "\n"


CHART_PATH = "/v1/topics/ukrainian-casualties-and-missing/chart.svg?known_on=2026-02-28&theme=light"
CHART_FILE = Path(__file__).parents[2] / "docs" / "topic.svg"
"""The picture in the README, and where it comes from."""


def draw_chart(copies: DatabaseCopies) -> str:
    """Return the content of docs/topic.svg."""
    with open_starter_register(copies) as register:
        return str(register.get(CHART_PATH).text)


def main() -> None:
    """Rewrite the files."""
    with tempfile.TemporaryDirectory() as folder:
        copies = DatabaseCopies(Path(folder), None)
        written, chart = render_answers(copies), draw_chart(copies)
    (EXAMPLES_DIRECTORY / "answers.json").write_text(written, encoding="utf-8")
    CHART_FILE.write_text(chart, encoding="utf-8")


if __name__ == "__main__":
    main()
