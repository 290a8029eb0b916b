"""The OpenAPI document, Swagger UI from local files, and the descriptions of problem types."""

import re
from collections.abc import Sequence
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles

from app import __version__
from app.errors import NotFound, known_problems, suggest_nearest
from app.http.addresses import base_origin, base_url, find_first_segments, whole_address
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
    {"name": "topics", "description": "The questions that people ask, and the positions of the sources side by side."},
    {"name": "claims", "description": "Claims with their source, date, documents, assessments and relations."},
    {
        "name": "sources",
        "description": "The sources that make or relay claims, and the documents in which claims can be read.",
    },
    {"name": "vocabulary", "description": "Categories, subjects, places, and the enumerations of the API."},
    {"name": "takedowns", "description": "Erasure of claims, documents and sources, also from the history."},
    {"name": "imports", "description": "Imports of claims files, and of other files by a mapping."},
    {"name": "changes", "description": "The change log as pages, as a stream and as feeds."},
    {"name": "operation", "description": "Health checks and metrics."},
]

EXAMPLES_DIRECTORY = Path(__file__).parent / "examples"
"""`bodies.json` has a request body for each input schema, `answers.json` responses of the starter register.

`make openapi` writes `answers.json`.
"""


DOCS_POLICY = (
    "default-src {origin}; script-src {origin} 'unsafe-inline'; style-src {origin} 'unsafe-inline'; "
    "img-src {origin} data:"
)
"""The content security policy of Swagger UI, whose page has an inline script.

The origins are that of the page and that of the base URL. They differ where the service is opened by another name.
"""


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of an application, with whole addresses if it has a base URL."""
    if not app.openapi_schema:
        document = app.state.api_description.document
        if url := base_url():
            document = {**_make_addresses_whole(document, app), "servers": [{"url": url}]}
        app.openapi_schema = document
    return app.openapi_schema


class ApiDescription:
    """The OpenAPI document of a list of routes. All applications of a process have it in common."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self.routes = routes

    @cached_property
    def document(self) -> dict[str, Any]:
        """The document with paths as addresses, which is built when it is first read: that takes about a second."""
        return _build_document(self.routes)


def _build_document(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """Return the document of routes.

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
        for operation in path.values():
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
    move_to_components(document)
    return document


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

RESPONSE_HEADERS: dict[str, Any] = {
    "X-Register-Seq": {
        "description": "The latest change that the server knows.",
        "schema": {"type": "integer", "minimum": 0},
    },
}
SUCCESS_HEADERS: dict[str, Any] = RESPONSE_HEADERS | {
    "ETag": {"description": "The tag of the representation.", "schema": {"type": "string"}},
}
PROBLEM_HEADERS: dict[str, Any] = RESPONSE_HEADERS | {
    "X-Request-ID": {
        "description": "The id of the request, also on every other response.",
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "After how many seconds to try again.", "schema": {"type": "integer"}},
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


def add_documentation_routes(app: FastAPI) -> None:
    """Serve `/openapi.json`, `/docs` and `/problems/{code}`."""

    def read_openapi(request: Request) -> Response:
        return cacheable_response(request, json_bytes(build_openapi(app)), JSON_MEDIA_TYPE)

    def show_docs() -> Response:
        page = get_swagger_ui_html(
            openapi_url=whole_address("/openapi.json"),
            title="Counterclaim",
            swagger_js_url=whole_address("/docs/assets/swagger-ui-bundle.js"),
            swagger_css_url=whole_address("/docs/assets/swagger-ui.css"),
            swagger_favicon_url=whole_address("/docs/assets/favicon-32x32.png"),
            swagger_ui_parameters={"docExpansion": "list", "defaultModelsExpandDepth": -1, "tryItOutEnabled": True},
        )
        # FastAPI's page names no language and has no landmark, which programs that read pages aloud need.
        page.body = bytes(page.body).replace(b"<html>", b'<html lang="en">').replace(b"<div id", b'<div role="main" id')
        page.headers["Content-Length"] = str(len(page.body))
        page.headers["Content-Security-Policy"] = DOCS_POLICY.format(origin=f"'self' {base_origin()}".rstrip())
        return page

    def read_problem(code: str, request: Request) -> Response:
        problem = known_problems().get(code)
        if problem is None:
            raise NotFound(f"There is no problem `{code}`.", hint=suggest_nearest(code, known_problems()))
        document = {"code": problem.code, "status": problem.status, "title": problem.title, "meaning": problem.__doc__}
        return cacheable_response(request, json_bytes(document), JSON_MEDIA_TYPE)

    # RFC 9457 recommends that the `type` of a problem resolves to its description.
    app.add_api_route("/problems/{code}", read_problem, include_in_schema=False)
    app.add_api_route("/openapi.json", read_openapi, include_in_schema=False)
    app.add_api_route("/docs", show_docs, include_in_schema=False)
    # Serve the files of Swagger UI from a package; FastAPI's default page loads them from another host.
    app.mount("/docs/assets", StaticFiles(directory=str(files("fastapi_swagger") / "resources")))
