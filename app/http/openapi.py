"""The OpenAPI document, and the descriptions of problem types."""

import re
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, FastAPI, Request
from fastapi import Path as PathParameter
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response
from starlette.routing import BaseRoute

from app import __version__
from app.errors import NotFound, known_problems, suggest_nearest
from app.http.addresses import base_url, find_first_segments
from app.http.deadline import disable_deadline
from app.http.deprecation import mark_deprecated
from app.http.negotiation import JSON_MEDIA_TYPE
from app.http.openapi_components import FLAT_ROW, FLAT_ROW_REFERENCE, describe_files, move_to_components, name_pages
from app.http.problems import PROBLEM_MEDIA_TYPE, ProblemDetail
from app.http.responses import cacheable_response, json_bytes

DESCRIPTION = """
A register of **sourced claims**: contested figures, each with its source, date, documents, exact definition and
confidence. Claims of different sources are shown side by side. Nothing is merged, averaged or picked.

Start with [the topics](/v1/topics), compare the sources of one topic
[side by side](/v1/topics/russian-casualties/side-by-side), or open
[its claims as a CSV file](/v1/topics/russian-casualties/claims.csv) in a spreadsheet. Reading needs no API key.
Every list is also available as CSV, NDJSON, Excel workbook and Parquet, with the suffixes `.csv`, `.ndjson`, `.xlsx`
and `.parquet`, and most as JSON-LD (`.jsonld`). Errors are problem details (RFC 9457) with a hint.
"""

TAGS = [
    {
        "name": "topics",
        "description": "See what the sources say on a question: the positions side by side, on one screen, over time.",
    },
    {"name": "charts", "description": "Put a chart into an article: pictures, cards, and links that become cards."},
    {"name": "claims", "description": "Find and count claims: under many filters, one with its history, as files."},
    {"name": "citations", "description": "Cite a figure: a printable sentence, a reference, the value of one cell."},
    {"name": "sources", "description": "Look up who says it: the sources, and the documents where it can be read."},
    {"name": "vocabulary", "description": "Look up what a word means: categories, subjects, places, columns, values."},
    {"name": "changes", "description": "Follow a topic: the change log as pages, as a stream and as feeds."},
    {"name": "register", "description": "Take the whole register with you: the export, and where everything is found."},
    {"name": "imports", "description": "Load your own data: claims files, and files of other shapes by a mapping."},
    {"name": "writing", "description": "Record and correct claims: also sources, documents, vocabularies and topics."},
    {"name": "takedowns", "description": "Take something down: claims, documents and sources, also from the history."},
    {"name": "leases", "description": "Keep a copy elsewhere: leases, for which takedowns wait."},
    {"name": "keys", "description": "Manage API keys: for administrators."},
    {"name": "pages", "description": "Open the pages for people."},
    {"name": "operation", "description": "Watch the service: health checks and metrics."},
]
"""The tasks by which operations are grouped, in the order of the documentation."""

CONTACT = "Those who run this register"
"""The contact. Its address, the page that says whose register it is, must be a whole one: a path is not valid."""

WRITING_TAG = "writing"
OWN_WRITES = frozenset({"imports", "takedowns", "leases"})
"""The tags whose writes stay with them."""

PACKAGE = Path(__file__).parents[1]
DOCUMENT_NAME = "openapi.json"
"""The file of the document: in `docs` in the source tree, in `app/description` in a wheel."""

EXAMPLES_DIRECTORY = PACKAGE / "http" / "examples"
"""`bodies.json` has a request body for each input schema, `answers.json` responses of the starter register.

`make openapi` writes `answers.json`.
"""


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of an application, with whole addresses if it has a base URL."""
    if not app.openapi_schema:
        document = load_document()
        if url := base_url():
            document = {**_make_addresses_whole(document, app), "servers": [{"url": url}]}
            document["info"]["contact"]["url"] = f"{url}/about"
        app.openapi_schema = document
    return app.openapi_schema


@cache
def load_document() -> dict[str, Any]:
    """Return the document that `make openapi` has written, with paths as addresses. To build it takes a second."""
    packaged = PACKAGE / "description" / DOCUMENT_NAME
    path = packaged if packaged.is_file() else PACKAGE.parent / "docs" / DOCUMENT_NAME
    document: dict[str, Any] = orjson.loads(path.read_bytes())
    return document


def build_document(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """Return the document of routes, with paths as addresses.

    All errors are the `default` response with one problem schema, in place of FastAPI's 422 responses.
    """
    document = get_openapi(
        title="Counterclaim",
        version=__version__,
        summary="Contested numbers, side by side.",
        description=DESCRIPTION,
        routes=routes,
        tags=TAGS,
        license_info={"name": "MIT", "identifier": "MIT"},
    )
    document["info"]["contact"] = {"name": CONTACT}
    document = name_pages(document)
    document["servers"] = [{"url": "/", "description": "The service that this document is from."}]
    describe_files(document)
    mark_deprecated(document, routes)
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schema = ProblemDetail.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs"))
    schemas["ProblemDetail"] = schema
    schemas["FlatRow"] = FLAT_ROW
    bodies, answers = (
        orjson.loads((EXAMPLES_DIRECTORY / name).read_bytes()) for name in ("bodies.json", "answers.json")
    )
    problem = {
        "headers": PROBLEM_HEADERS,
        "description": "The errors of the request with their locations, and how to correct them.",
        "content": {
            PROBLEM_MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/ProblemDetail"},
                "example": answers.get("problem", {}).get(PROBLEM_MEDIA_TYPE),
            }
        },
    }
    for path in document["paths"].values():
        for method, operation in path.items():
            operation["tags"] = _choose_tags(method, operation["tags"])
            operation["responses"].pop("422", None)
            _remove_seq_header(operation)
            for parameter in operation.get("parameters", []):
                _simplify_parameter(parameter)
            _describe_shapes(operation, schemas)
            _add_headers(operation)
            _add_examples(operation, schemas, bodies, answers)
            operation["responses"] |= {"4XX": problem, "default": problem}
            # A generated client without a key can then call what needs none.
            operation.setdefault("security", [])
    document = deepcopy(document)  # it contains headers and schemas of modules
    move_to_components(document)
    return document


def _choose_tags(method: str, tags: list[str]) -> list[str]:
    """Return the one task that an operation belongs to: its own tag comes after that of its router."""
    return [WRITING_TAG] if method != "get" and not OWN_WRITES.intersection(tags) else tags[-1:]


def _make_addresses_whole(document: dict[str, Any], app: FastAPI) -> dict[str, Any]:
    """Return the document with whole addresses in its texts and examples. Paths are relative to `servers`."""
    segments = "|".join(re.escape(segment) for segment in find_first_segments(app.router.routes) if segment)
    address = re.compile(rf"(?<![\w./:#~}}-])(?=/(?:{segments})(?![\w-]|\.\w))")

    def convert(value: Any) -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(value, str):
            return address.sub(base_url(), value)
        if isinstance(value, list):
            return [convert(each) for each in value]
        return {name: convert(each) for name, each in value.items()} if isinstance(value, dict) else value

    converted: dict[str, Any] = convert(document)
    return converted


TOMBSTONES = {"Claim": "Tombstone", "Revision": "RemovedRevision"}
"""The schema of the rows that may be tombstones → the schema of a tombstone."""

SUCCESS_HEADERS: dict[str, Any] = {
    "ETag": {"description": "The tag of the representation.", "schema": {"type": "string"}},
}
PROBLEM_HEADERS: dict[str, Any] = {
    "X-Register-Seq": {
        "description": "The latest change of the state that was read, also on every other response.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "X-Request-ID": {
        "description": "The id of the request, also on every other response.",
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "After how many seconds to try again.", "schema": {"type": "integer"}},
    "RateLimit": {
        "description": "If there is a rate limit, also on every other response: the remaining requests and the seconds "
        'until they are counted anew, such as `"address";r=0;t=40`.',
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "If there is a rate limit: the requests in a number of seconds, such as "
        '`"address";q=6000;w=60`.',
        "schema": {"type": "string"},
    },
}
LINK_HEADER = {"description": 'The next page: `<…>; rel="next"`.', "schema": {"type": "string"}}
LOCATION_HEADER = {"description": "The address of the new record.", "schema": {"type": "string"}}


def _describe_shapes(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Describe the JSON of a list with `fields`, with `shape=array`, and with records that were taken down."""
    names = {parameter["name"] for parameter in operation.get("parameters", [])}
    content = operation["responses"].get("200", {}).get("content", {}).get(JSON_MEDIA_TYPE)
    if "shape" not in names or content is None:
        return
    if "anyOf" in content["schema"]:  # a resource that is not a list, or an array of its rows
        document, array = content["schema"]["anyOf"]
        rows = {"anyOf": [array["items"], FLAT_ROW_REFERENCE]}
        content["schema"] = {"anyOf": [document, {"type": "array", "items": rows}]}
        return
    name = content["schema"].get("$ref", "").rpartition("/")[2]
    if "items" not in schemas.get(name, {}).get("properties", {}).get("data", {}):
        operation["parameters"] = [each for each in operation["parameters"] if each["name"] != "shape"]
        return
    rows = schemas[name]["properties"]["data"]
    if "anyOf" not in rows["items"]:
        tombstone = TOMBSTONES.get(rows["items"]["$ref"].rpartition("/")[2])
        tombstones = [{"$ref": f"#/components/schemas/{tombstone}"}] if tombstone else []
        rows["items"] = {"anyOf": [rows["items"], *tombstones, FLAT_ROW_REFERENCE]}
    content["schema"] = {"anyOf": [content["schema"], {"type": "array", "items": rows["items"]}]}


def _add_headers(operation: dict[str, Any]) -> None:
    """Declare the headers of the responses."""
    for status, response in operation["responses"].items():
        headers = dict(SUCCESS_HEADERS)
        if status == "201":
            headers["Location"] = LOCATION_HEADER
        if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", [])):
            headers["Link"] = LINK_HEADER
        response["headers"] = headers


def _remove_seq_header(operation: dict[str, Any]) -> None:
    """Remove the header that the parameter `seq` describes too."""
    parameters = operation.get("parameters", [])
    operation["parameters"] = [each for each in parameters if each["name"] != "x-register-seq"]


def _simplify_parameter(parameter: dict[str, Any]) -> None:
    """Remove `null` from the schema of a parameter, and give a required one an example for Swagger UI."""
    schema = parameter["schema"]
    alternatives = [alternative for alternative in schema.get("anyOf", []) if alternative != {"type": "null"}]
    if len(alternatives) == 1:
        del schema["anyOf"]
        parameter["schema"] = schema | alternatives[0]
    elif alternatives:
        schema["anyOf"] = alternatives
    if parameter["required"]:
        parameter["example"] = schema["examples"][0]


def _add_examples(
    operation: dict[str, Any], schemas: dict[str, Any], bodies: dict[str, Any], answers: dict[str, Any]
) -> None:
    """Add examples to an operation: a valid request body, and responses of the starter register."""
    if example := bodies.get(operation["operationId"]):
        # In one line: a generator of R clients puts it into a comment.
        operation["requestBody"]["content"]["application/x-ndjson"]["example"] = example
    elif body := operation.get("requestBody"):
        json_content = body["content"][JSON_MEDIA_TYPE]
        name = json_content["schema"].get("$ref", "").rpartition("/")[2]
        json_content["example"] = bodies.get(name) or _minimal_example(schemas[name], schemas)
    response_examples = answers.get(operation["operationId"], {})
    _replace_list_examples(operation.get("parameters", []), response_examples)
    for response in operation["responses"].values():
        for media_type, content in response.get("content", {}).items():
            # FastAPI describes the events of a stream with a keyword of OpenAPI 3.2, which 3.1 does not allow.
            if content.pop("itemSchema", None):
                content["schema"] = {"type": "string"}
            if media_type in response_examples:
                content["example"] = response_examples[media_type]


def _replace_list_examples(parameters: list[dict[str, Any]], response_examples: dict[str, Any]) -> None:
    """Replace the shared examples of `fields` and `cursor` with values that are valid for this list."""
    schemas = {parameter["name"]: parameter["schema"] for parameter in parameters if parameter["in"] == "query"}
    columns = response_examples.get("columns", [])
    if "fields" in schemas and columns and not {*schemas["fields"]["examples"][0].split(",")} <= {*columns}:
        schemas["fields"]["examples"] = [",".join(columns[:3])]
    page = response_examples.get(JSON_MEDIA_TYPE)
    if "cursor" in schemas and isinstance(page, dict) and (cursor := page.get("meta", {}).get("next_cursor")):
        schemas["cursor"]["examples"] = [cursor]


def _minimal_example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Return the smallest valid body of a schema: its required fields with their examples."""
    if reference := schema.get("$ref"):
        return _minimal_example(schemas[reference.rpartition("/")[2]], schemas)
    if examples := schema.get("examples"):
        return examples[0]
    required = schema.get("required", ())
    return {name: _minimal_example(schema["properties"][name], schemas) for name in required}


router = APIRouter()


@router.get(
    "/openapi.json",
    operation_id="read_openapi",
    summary="Read this document",
    tags=["register"],
    response_class=Response,
    responses={200: {"content": {JSON_MEDIA_TYPE: {"schema": {"type": "object"}, "example": {"openapi": "3.1.0"}}}}},
)
def read_openapi(request: Request) -> Response:
    """Return the OpenAPI document of the service."""
    disable_deadline(request.scope)  # it waits for no database
    return cacheable_response(request, json_bytes(openapi_document(request.app)), JSON_MEDIA_TYPE)


PROBLEM_EXAMPLE = {"code": "not_found", "status": 404, "title": "Not found", "meaning": NotFound.__doc__}


# RFC 9457 recommends that the `type` of a problem resolves to its description.
@router.get(
    "/problems/{code}",
    operation_id="read_problem",
    summary="Read what a problem means",
    tags=["vocabulary"],
    response_class=Response,
    responses={200: {"content": {JSON_MEDIA_TYPE: {"schema": {"type": "object"}, "example": PROBLEM_EXAMPLE}}}},
)
def read_problem(
    code: Annotated[str, PathParameter(description="The code of the problem.", examples=["not_found"])],
    request: Request,
) -> Response:
    """Return the status and the meaning of a kind of problem, by its code."""
    problem = known_problems().get(code)
    if problem is None:
        raise NotFound(f"There is no problem `{code}`.", hint=suggest_nearest(code, known_problems()))
    document = {"code": problem.code, "status": problem.status, "title": problem.title, "meaning": problem.__doc__}
    return cacheable_response(request, json_bytes(document), JSON_MEDIA_TYPE)
