"""What the starter register answers to every operation: the examples of the OpenAPI document.

`python -m tests.contract.examples` writes app/examples/answers.json anew (`make openapi` calls it).
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

from app.http.openapi import EXAMPLES_DIRECTORY
from app.http.responses import json_bytes
from app.starter.load import starter_id
from tests.registers import Copies, Register, opened

JSON = "application/json"
CSV = "text/csv"
NDJSON = "application/x-ndjson"
PROBLEM = "application/problem+json"
METHODS = ("get", "put", "post", "patch", "delete")
RECORDED = "2026-11-20T10:00:00Z"

# Where the example of a path parameter would give an answer too long to read.
ADDRESSES = {
    "read_topic": "/v1/topics/russian-casualties-2024",
    "read_topic_side_by_side": "/v1/topics/russian-casualties-2024/side-by-side?known_on=2025-06-12",
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
    "list_topics": "/v1/topics?limit=1&cursor=WyJzbHVnIiwicnVzc2lhbi1jYXN1YWx0aWVzIiwicnVzc2lhbi1jYXN1YWx0aWVzIl0",
    "list_relations": "/v1/claims/{id}/relations",
}
CLAIM = starter_id("gs-2025-06-12")
A_PROBLEM = "/v1/claims?catgory=killed"

RETRACTION = {"reason": "Said to have been a slip.", "retracted_on": "2025-07-01"}
BEFORE: dict[str, list[tuple[str, str, Any]]] = {
    "post_reinstatement": [("POST", "/v1/claims/{id}/retraction", RETRACTION)],
}
"""What has to happen first, so that the example of a writing operation can be accepted."""
WITHDRAWN = {"post_relation_withdrawal": "relations", "post_assessment_withdrawal": "assessments"}
"""What has an id that is another one on every machine: the first one of the example claim is taken."""


@contextmanager
def starter_register(copies: Copies) -> Iterator[Register]:
    """A copy of the starter register, to read and to write in."""
    yield from opened(copies.make("starter"))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation of the document: method, path, and what it says."""
    for path, item in document["paths"].items():
        yield from ((method, path, item[method]) for method in METHODS if method in item)


def address(path: str, operation: dict[str, Any], *, suffix: str = "csv") -> str:
    """The path of an operation, with the examples of its path parameters."""
    values = {each["name"]: example_of(each) for each in operation.get("parameters", []) if each["in"] == "path"} | {
        "suffix": suffix
    }
    return path.format(**values)


def example_of(parameter: dict[str, Any]) -> Any:
    """The first example of a parameter."""
    return parameter["example"] if "example" in parameter else parameter["schema"]["examples"][0]


def body_of(operation: dict[str, Any]) -> dict[str, Any]:
    """The example of an operation's body, as the client takes it; none where it takes none."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        if "example" in content and media_type == JSON:
            return {"json": content["example"]}
        if "example" in content:
            return {"content": content["example"], "headers": {"Content-Type": media_type}}
    return {"json": None}


def send(register: Register, method: str, path: str, operation: dict[str, Any]) -> Any:
    """Send the example of a writing operation, after what has to happen first."""
    name = operation["operationId"]
    asked = address(path, operation)
    for verb, before, body in BEFORE.get(name, []):
        answer = register.write(verb, address(before, operation), body, **{"If-Match": "*"})
        assert answer.status_code in (200, 201), answer.text
    if name in WITHDRAWN:
        rows = register.get(f"/v1/claims/{CLAIM}/{WITHDRAWN[name]}").json()["data"]
        asked = path.format(id=rows[0]["id"])
    body = body_of(operation)
    headers = register.keys["admin"] | body.pop("headers", {}) | ({"If-Match": "*"} if "{id}" in path else {})
    return register.request(method.upper(), asked, headers=headers, **body)


def settled(value: Any, ids: dict[str, str]) -> Any:
    """`value` with the same times and made-up ids on every run; what the starter files name keeps its own id."""
    match value:
        case dict():
            return {
                key: RECORDED if key in ("recorded_at", "at") and each else settled(each, ids)
                for key, each in value.items()
            }
        case list():
            return [settled(each, ids) for each in value]
        case str():
            return re.sub(
                r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", lambda m: _id(m[0], ids), value
            )
        case _:
            return value


def _id(found: str, ids: dict[str, str]) -> str:
    if found[:14] == starter_id("")[:14]:  # the milliseconds of the starter desk's day
        return found
    return ids.setdefault(found, starter_id(f"example/{len(ids)}"))


def answers(copies: Copies, document: dict[str, Any]) -> dict[str, Any]:
    """Operation id → media type → what the starter register answers."""
    found: dict[str, Any] = {}
    with starter_register(copies) as register:
        problem = register.get(A_PROBLEM, headers={"X-Request-ID": "0197b0c27d3e7cc19f0a2b6c"})
        found["problem"] = {PROBLEM: problem.json()}
        for method, path, operation in operations(document):
            name = operation["operationId"]
            if method == "get" and not name.endswith("_file") and JSON in operation["responses"]["200"]["content"]:
                asked = ADDRESSES.get(name, path if "data" not in _fields(document, operation) else f"{path}?limit=1")
                answer = register.get(address(asked, operation))
                assert answer.status_code == 200, (asked, answer.text)
                found[name] = {JSON: settled(answer.json(), {})}
                for media_type in [each for each in FILES if each in operation["responses"]["200"]["content"]]:
                    answer = register.get(address(asked, operation), headers={"Accept": media_type})
                    assert answer.status_code == 200, (asked, answer.text)
                    found[name][media_type] = FILES[media_type](answer.text)
    for method, path, operation in operations(document):
        if method != "get":
            with starter_register(copies) as register:
                answer = send(register, method, path, operation)
                assert answer.status_code in (200, 201), (path, answer.text)
                found[operation["operationId"]] = {JSON: settled(answer.json(), {})}
    return found


def _settled_csv(file: str) -> str:
    return str(settled(re.sub(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", RECORDED, file), {}))


def _settled_ndjson(file: str) -> str:
    ids: dict[str, str] = {}
    return "".join(json_bytes(settled(orjson.loads(line), ids)).decode() + "\n" for line in file.split("\n") if line)


FILES: dict[str, Callable[[str], str]] = {CSV: _settled_csv, NDJSON: _settled_ndjson}
"""Media type → what makes a file the same on every run."""


def _fields(document: dict[str, Any], operation: dict[str, Any]) -> set[str]:
    schema = operation["responses"]["200"]["content"][JSON]["schema"]
    name = schema.get("$ref", "").rpartition("/")[2]
    return set(document["components"]["schemas"].get(name, {}).get("properties", ()))


def text(copies: Copies) -> str:
    """The file of the answers, as it has to stand in app/examples/."""
    with starter_register(copies) as register:
        document = register.get("/openapi.json").json()
    return json.dumps(answers(copies, document), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the file anew."""
    with tempfile.TemporaryDirectory() as folder:
        written = text(Copies(Path(folder), None))
    (EXAMPLES_DIRECTORY / "answers.json").write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
