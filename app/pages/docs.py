"""The documentation for people who explore the API: tasks with what to copy, guides, and the reference (Swagger UI).

It is made from the OpenAPI document and from the guides in docs/guides/, and loads nothing from other hosts.
"""

import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi import Path as PathParameter
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from app.errors import NotFound, suggest_nearest
from app.http.addresses import base_url, whole_address
from app.http.deadline import disable_deadline
from app.http.openapi import openapi_document
from app.http.responses import cacheable_response
from app.pages.code_samples import PROGRAMS, Read, describe_read, write_samples
from app.pages.markdown import render_markdown
from app.pages.policy import PAGE_MEDIA_TYPE, page_policy
from app.pages.templates import render

router = APIRouter(tags=["pages"])

LOCAL_ORIGIN: Final = "http://127.0.0.1:8000"
"""The origin in the commands of the guides, and in those of a service without a base URL."""

MARKDOWN_MEDIA_TYPE: Final = "text/markdown; charset=utf-8"
PACKAGE: Final = Path(__file__).parents[1]

_PATH_IN_TEXT: Final = re.compile(r"`((?:GET|POST|PUT|PATCH) )?/(?=\w)")

MAIN_READS: Final = {
    "list_topics": "sort=-disagreement&limit=10",
    "read_topic": "",
    "read_topic_side_by_side": "known_on=2025-06-12&tolerance=0.01",
    "read_brief": "known_on=2025-06-12",
    "read_timeline": "",
    "list_topic_claims": "known_on=2025-06-12",
    "compare_claims": "",
    "read_chart_svg": "theme=light",
    "read_chart_png": "view=timeline&width=720",
    "read_chart_vega_lite": "",
    "list_claims": "category=casualties&known_on=2025-06-12&sort=-value&limit=20",
    "list_claim_counts": "by=source,year&category=casualties",
    "read_claim": "",
    "list_revisions": "",
    "read_citation": "",
    "read_citation_text_file": "",
    "read_citation_bibtex_file": "",
    "read_figure_file": "",
    "list_sources": "q=ministry",
    "list_documents": "limit=10",
    "suggest_names": "q=mediaz",
    "list_columns": "",
    "list_vocabulary": "",
    "list_changes": "after=0&limit=100",
    "read_register_atom": "",
    "read_topic_json_feed": "",
    "read_register": "",
    "export_register": "",
}
"""The reads that the page shows with what to copy, and the query of each."""


def guides_folder() -> Path:
    """Return the folder of the guides: `app/guides` in a wheel, `docs/guides` in the source tree."""
    packaged = PACKAGE / "guides"
    return packaged if packaged.is_dir() else PACKAGE.parent / "docs" / "guides"


@cache
def load_guides() -> dict[str, tuple[str, str]]:
    """Return the title and the text of each guide by name, in the order of their titles."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in guides_folder().glob("*.md")}
    found = {name: (text.partition("\n")[0].removeprefix("# "), text) for name, text in texts.items()}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _html(summary: str) -> dict[str, Any]:
    content = {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>\u2026"}}
    return {
        "summary": summary,
        "response_class": Response,
        "responses": {200: {"description": "The page.", "content": content}},
    }


@router.get("/docs", operation_id="show_docs", **_html("Show the documentation"))
def show_docs(request: Request) -> Response:
    """Show what can be done, by task, with commands and formulas to copy."""
    disable_deadline(request.scope)  # it waits for no database, and the first time takes seconds on a slow machine
    document = openapi_document(request.app)
    context = {
        "path": "/docs",
        "description": "What can be done with this API, by task, with commands and formulas to copy.",
        "tasks": [_describe_task(tag, document) for tag in document["tags"]],
        "guides": [(name, title) for name, (title, _text) in load_guides().items()],
        "programs": PROGRAMS,
        "placeholder_origin": "" if base_url() else LOCAL_ORIGIN,
    }
    return _page(request, "docs.html", context)


@router.get("/docs/reference", operation_id="show_reference", **_html("Show the reference"))
def show_reference(request: Request) -> Response:
    """Show every operation with its parameters, and a form that sends it (Swagger UI)."""
    context = {
        "path": "/docs/reference",
        "description": "Every operation of this API with its parameters, and a form that sends it.",
        "openapi": whole_address("/openapi.json"),
    }
    return _page(request, "docs_reference.html", context, sends_requests=True)


@router.get("/docs/guides/{name}.md", include_in_schema=False)
def read_guide_text(name: str, request: Request) -> Response:
    """Return a guide as Markdown."""
    text = _with_own_addresses(_find_guide(name)[1])
    return cacheable_response(request, text.encode(), MARKDOWN_MEDIA_TYPE)


@router.get("/docs/guides/{name}", operation_id="show_guide", **_html("Show a guide"))
def show_guide(
    name: Annotated[str, PathParameter(description="The name of the guide.", examples=["follow-a-topic"])],
    request: Request,
) -> Response:
    """Show the guide to a task. With the suffix `.md` it is Markdown."""
    title, text = _find_guide(name)
    context = {
        "path": f"/docs/guides/{name}",
        "description": f"A guide to one task: {title}.",
        "title": title,
        "html": render_markdown(_with_own_addresses(text), _link_from_guide),
        "placeholder_origin": "" if base_url() else LOCAL_ORIGIN,
    }
    return _page(request, "docs_guide.html", context)


def _find_guide(name: str) -> tuple[str, str]:
    guides = load_guides()
    if name not in guides:
        raise NotFound("There is no such guide.", hint=suggest_nearest(name, guides))
    return guides[name]


def _with_own_addresses(text: str) -> str:
    """Return the text of a guide with the addresses of this service, if it has a base URL."""
    if not base_url():
        return text
    text = text.replace(LOCAL_ORIGIN, base_url())
    return _PATH_IN_TEXT.sub(lambda match: f"`{match[1] or ''}{base_url()}/", text)


def _link_from_guide(target: str) -> str:
    """Return the address of a page that a guide links to: another guide, or a part of this service."""
    if re.fullmatch(r"[a-z-]+\.md", target):
        return whole_address(f"/docs/guides/{target.removesuffix('.md')}")
    return target.replace(base_url() or LOCAL_ORIGIN, base_url(), 1) if target.startswith("http") else target


def _page(request: Request, template: str, context: dict[str, Any], *, sends_requests: bool = False) -> Response:
    headers = {"Content-Security-Policy": page_policy(sends_requests=sends_requests)}
    return cacheable_response(request, render(template, search=None, **context), PAGE_MEDIA_TYPE, headers=headers)


def _describe_task(tag: dict[str, str], document: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of the operations with a tag."""
    operations = [
        _describe_operation(method, path, operation, document)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if operation["tags"] == [tag["name"]]
    ]
    return {"name": tag["name"], "description": tag["description"], "operations": operations}


def _describe_operation(method: str, path: str, operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    read = build_main_read(path, operation, document) if operation["operationId"] in MAIN_READS else None
    return {
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "name": operation["operationId"],
        "read": read,
        "samples": write_samples(read) if read else [],
    }


def build_main_read(path: str, operation: dict[str, Any], document: dict[str, Any]) -> Read:
    """Return a main read with the examples of its path and its required parameters."""
    parameters = [_resolve(each, document) for each in operation.get("parameters", ())]
    values = {each["name"]: each.get("example") or each["schema"].get("examples", [""])[0] for each in parameters}
    needed = [f"{each['name']}={values[each['name']]}" for each in parameters if _is_needed(each)]
    query = MAIN_READS[operation["operationId"]] or "&".join(needed)
    return describe_read(operation, path, path.format(**values), query, base_url() or LOCAL_ORIGIN)


def _is_needed(parameter: dict[str, Any]) -> bool:
    return parameter["in"] == "query" and bool(parameter.get("required"))


def _resolve(parameter: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    reference: str = parameter.get("$ref", "")
    found: dict[str, Any] = (
        document["components"]["parameters"][reference.rpartition("/")[2]] if reference else parameter
    )
    return found


def mount_reference_files(app: FastAPI) -> None:
    """Serve the files of Swagger UI from a package: it is usually loaded from another host."""
    app.mount("/docs/assets", StaticFiles(directory=str(files("fastapi_swagger") / "resources")))
