"""The responses that a shared cache may store, of every route that the application registers."""

import json
import re
from collections.abc import Iterator
from typing import Any

from fastapi.routing import APIRoute

from tests.contract.examples import EXAMPLE_PATHS, first_example, path_of, suffixes_of
from tests.http.operations import OPERATIONS
from tests.registers import Register

MORE_PATHS = (
    "/v1/claims?category=killed",
    "/v1/claims?source=mediazona&narrower=true",
    "/v1/claims?confidence=low",
    "/v1/claims?topic=russian-casualties",
    "/v1/claims?known_on=2025-06-12",
    "/v1/claims/counts?by=source,year&category=casualties",
    "/v1/topics/russian-casualties/claims?narrower=place",
    "/v1/topics/vovchansk-june-2024/side-by-side?narrower=subject,place",
    "/v1/topics/russian-casualties/brief.txt",
    "/v1/side-by-side?category=killed&subject=russian-forces&place=russia-ukraine-war",
    "/v1/sources/not-yet",
    "/topics/not-yet",
    "/oembed?url=/topics/russian-casualties&format=xml",
)
"""Paths with parameters that change which records a response depends on, and of records that do not exist yet."""

UNSTORED_PATHS = {"/v1/changes/stream"}
"""Routes whose responses do not end."""

STATE_TEXT = re.compile("state [0-9,]+ of the register|The register up to its change [^.]+")


def list_paths(register: Register) -> list[str]:
    """Return a path of every route that answers GET, with the examples of its parameters, and some with more."""
    documented = {path: operation for method, path, operation in OPERATIONS if method == "get"}
    app: Any = register.client.app
    routes = [each for each in app.routes if isinstance(each, APIRoute) and "GET" in (each.methods or ())]
    paths = [path for each in routes if each.path not in UNSTORED_PATHS for path in _paths_of(each.path, documented)]
    return list(dict.fromkeys((*paths, *MORE_PATHS)))


def _paths_of(path: str, documented: dict[str, Any]) -> Iterator[str]:
    operation = documented.get(path)
    if operation is None:
        yield re.sub("{[^}]*}", "1", path)
        return
    parameters = operation.get("parameters", [])
    needed = [
        f"{each['name']}={first_example(each)}" for each in parameters if each["required"] and each["in"] == "query"
    ]
    query = "?" + "&".join(needed) if needed else ""
    yield path_of(path, operation) + query
    if path.startswith("/v1/") and ".csv" in suffixes_of(operation):
        yield path_of(path, operation) + ".csv" + query
    if operation["operationId"] in EXAMPLE_PATHS:
        yield path_of(EXAMPLE_PATHS[operation["operationId"]], operation)


def is_storable(response: Any) -> bool:
    """Return whether a shared cache may store a response."""
    control = response.headers.get("cache-control", "")
    return "s-maxage" in control or ("public" in control and "max-age" in control)


def comparable_body(response: Any) -> Any:
    """Return the body without what may differ in a response that is still true: a `seq` and the id of the request.

    Nothing of a picture of pixels: the same picture is compared as SVG.
    """
    media_type = response.headers.get("content-type", "").partition(";")[0]
    text = "" if media_type == "image/png" else STATE_TEXT.sub("", response.text)
    return _without_state(json.loads(text)) if media_type.endswith(("/json", "+json")) else text


def _without_state(value: Any) -> Any:
    match value:
        case dict():
            ignored = {"meta", "seq", "request_id"}
            return {name: _without_state(each) for name, each in value.items() if name not in ignored}
        case list():
            return [_without_state(each) for each in value]
    return value
