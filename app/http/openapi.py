"""The OpenAPI document, and the pages that show it without a request to any other host."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from app import __version__
from app.errors import NotFound, known_problems, suggest_nearest
from app.http.negotiation import JSON_MEDIA_TYPE
from app.http.problems import PROBLEM_MEDIA_TYPE, ProblemDetail
from app.http.responses import cacheable_response, json_bytes

DESCRIPTION = """
A register of **sourced claims**: figures that sources contradict each other on, kept side by side with who said it,
when, where it can be read, what exactly it counts and how far it can be trusted. Nothing is merged, averaged or picked.

Start with [the questions](/v1/topics), look at one of them
[side by side](/v1/topics/russian-casualties/side-by-side), or take
[its claims as a file](/v1/topics/russian-casualties/claims.csv) into a spreadsheet. Reading needs no key.
Every list is also served as CSV and NDJSON, under the suffixes `.csv` and `.ndjson`. Errors are problem details
(RFC 9457) with a hint.
"""

TAGS = [
    {"name": "topics", "description": "The questions that people ask, and what sources answer, side by side."},
    {"name": "claims", "description": "Who said what, when, where it can be read, and how far it can be trusted."},
    {"name": "sources", "description": "Who makes or relays claims, and the documents they are read in."},
    {"name": "vocabulary", "description": "Categories, subjects, places, and the words of the contract."},
    {"name": "imports", "description": "Files of claims, and of any other shape, taken in by a mapping."},
    {"name": "changes", "description": "What changed, in order: to follow, to mirror, to subscribe to."},
    {"name": "operation", "description": "How the service is."},
]

EXAMPLES_DIRECTORY = Path(__file__).parent / "examples"
"""`bodies.json` holds a request for each input schema, `answers.json` what the starter register answers: the file is
written by `make openapi`."""


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI 3.1 document: one problem schema for all errors, and no error that cannot happen."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(
        title="Counterclaim",
        version=__version__,
        summary="Contested numbers, side by side.",
        description=DESCRIPTION,
        routes=app.state.documented_routes,
        tags=TAGS,
        license_info={"name": "MIT", "identifier": "MIT"},
    )
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schema = ProblemDetail.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs"))
    schemas["ProblemDetail"] = schema
    bodies, answers = (
        orjson.loads((EXAMPLES_DIRECTORY / name).read_bytes()) for name in ("bodies.json", "answers.json")
    )
    problem = {
        "description": "What is wrong, where, and what would work.",
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
            for parameter in operation.get("parameters", []):
                _simplify_parameter(parameter)
            _add_examples(operation, schemas, bodies, answers)
            operation["responses"]["default"] = problem
    app.openapi_schema = document
    return document


def _simplify_parameter(parameter: dict[str, Any]) -> None:
    """A parameter is there or not, and never null; what has to be there is filled in when somebody tries it."""
    schema = parameter["schema"]
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        parameter["schema"] = schema | kinds[0]
    if parameter["required"]:
        parameter["example"] = schema["examples"][0]


def _add_examples(
    operation: dict[str, Any], schemas: dict[str, Any], bodies: dict[str, Any], answers: dict[str, Any]
) -> None:
    """Put real examples into an operation: a body that the starter register takes, and what it answers."""
    if example := bodies.get(operation["operationId"]):
        operation["requestBody"]["content"]["text/csv"]["example"] = example
    elif body := operation.get("requestBody"):
        given = body["content"][JSON_MEDIA_TYPE]
        name = given["schema"].get("$ref", "").rpartition("/")[2]
        given["example"] = bodies.get(name) or _minimal_example(schemas[name], schemas)
    answered = answers.get(operation["operationId"].removesuffix("_file"), {})
    for response in operation["responses"].values():
        for media_type, content in response.get("content", {}).items():
            # FastAPI describes the events of a stream in a word of OpenAPI 3.2, which a 3.1 document may not have.
            if content.pop("itemSchema", None):
                content["schema"] = {"type": "string"}
            if media_type in answered:
                content["example"] = answered[media_type]


def _minimal_example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever JSON can say
    """The smallest body that a schema takes: its required fields, each with its own example."""
    if reference := schema.get("$ref"):
        return _minimal_example(schemas[reference.rpartition("/")[2]], schemas)
    if examples := schema.get("examples"):
        return examples[0]
    required = schema.get("required", ())
    return {name: _minimal_example(schema["properties"][name], schemas) for name in required}


def add_documentation_routes(app: FastAPI) -> None:
    """Serve `/openapi.json` and `/docs`."""

    def read_openapi(request: Request) -> Response:
        return cacheable_response(request, json_bytes(build_openapi(app)), JSON_MEDIA_TYPE)

    def show_docs() -> Response:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="Counterclaim",
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="/docs/assets/favicon-32x32.png",
            swagger_ui_parameters={"docExpansion": "list", "defaultModelsExpandDepth": -1, "tryItOutEnabled": True},
        )

    def go_to_docs() -> Response:
        return RedirectResponse("/docs")

    def read_problem(code: str, request: Request) -> Response:
        kind = known_problems().get(code)
        if kind is None:
            raise NotFound(f"There is no problem `{code}`.", hint=suggest_nearest(code, known_problems()))
        told = {"code": kind.code, "status": kind.status, "title": kind.title, "meaning": kind.__doc__}
        return cacheable_response(request, json_bytes(told), JSON_MEDIA_TYPE)

    # The `type` of a problem is an address, and addresses should lead somewhere.
    app.add_api_route("/problems/{code}", read_problem, include_in_schema=False)
    app.add_api_route("/openapi.json", read_openapi, include_in_schema=False)
    app.add_api_route("/docs", show_docs, include_in_schema=False)
    app.add_api_route("/", go_to_docs, include_in_schema=False)
    # The files of Swagger UI come with a package: FastAPI's own page would load them from another host.
    app.mount("/docs/assets", StaticFiles(directory=str(files("fastapi_swagger") / "resources")))
