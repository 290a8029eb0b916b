"""Checks of every request: the parameters of the query and the path, and the media type of the body."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, get_origin
from urllib.parse import unquote_plus

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.datastructures import QueryParams

from app.errors import (
    Fault,
    Problem,
    UnknownParameter,
    UnsupportedMediaType,
    field_fault,
    invalid_field,
    raise_if_any,
    shorten,
    suggest_nearest,
)
from app.http.schema_types import scalar_type

IGNORED_PARAMETERS = ("v", "_", "t", "cb", "fbclid", "gclid")
"""Cache-busting and tracking parameters that other software appends to links, besides those with the prefix `utm_`."""

MAX_PARAMETERS = 500
"""Maximum number of parameters in a query string, repeated ones among them."""

MAX_LISTED = 20
"""Maximum number of unknown parameters that an error lists."""

MAX_HINTS = 3
"""Maximum number of unknown parameters for which a hint is computed: each takes half a millisecond."""

FORMS: dict[type, tuple[re.Pattern[str], str]] = {
    bool: (re.compile("true|false"), "`true` or `false`"),
    int: (re.compile("-?(0|[1-9][0-9]*)"), "a whole number in digits"),
    float: (re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"), "a number like 0.5"),
}
"""The form of values by the type of a parameter. Pydantic also accepts `yes`, `1.0` for a whole number, and others."""

EMPTY_PARAMETER = re.compile(rb"(?:^|&)[^=&]+=?(?=&|$)")


def is_ignored(name: str) -> bool:
    """Return whether a query parameter is for cache busting or tracking."""
    return name in IGNORED_PARAMETERS or name.startswith("utm_")


@dataclass(frozen=True, slots=True)
class RouteParameter:
    """A parameter of a route: whether it may repeat, and the type that gives its values their form, if any."""

    is_list: bool
    type: type | None

    def has_form(self, value: str) -> bool:
        """Return whether a value has the form of the type."""
        return self.type is None or FORMS[self.type][0].fullmatch(value) is not None


_parameters_by_route: dict[int, dict[str, RouteParameter]] = {}


async def check_parameters(request: Request) -> None:
    """Check the parameters of the query and the path.

    Raises:
        UnknownParameter: The route has no such parameter.
        InvalidRequest: A parameter is repeated, its value has not the form of its type, or there are too many.
    """
    route: APIRoute = request.scope["route"]
    if request.path_params:
        _check_path_parameters(request, route)
    count = request.scope["query_string"].count(b"&") + 1
    if count <= MAX_PARAMETERS and not request.query_params:
        return
    declared = route_parameters(route)
    unknown: list[str] = []
    faults: list[Fault] = []
    for name, values in _group_values(request).items():
        parameter = declared.get(name)
        if parameter is None:
            if not is_ignored(name):
                unknown.append(name)
        elif not parameter.is_list and len(values) > 1:
            faults.append(
                field_fault(name, f"`{name}` takes one value, but {len(values)} were sent.", location="query")
            )
        elif not all(map(parameter.has_form, values)):
            faults.append(_form_fault(name, parameter, "query"))
    if unknown:
        unknown_faults = [
            _unknown_fault(name, declared, with_hint=i < MAX_HINTS) for i, name in enumerate(unknown[:MAX_LISTED])
        ]
        problem: Problem = UnknownParameter(
            unknown_faults[0].detail, hint=unknown_faults[0].hint, errors=unknown_faults
        )
        problem.error_count = len(unknown) if count <= MAX_PARAMETERS else count - MAX_PARAMETERS + len(unknown)
        raise problem
    if count > MAX_PARAMETERS:
        detail = f"The query has {count:,} parameters; expected at most {MAX_PARAMETERS}."
        raise invalid_field("", detail, location="query")
    raise_if_any(faults)


def _group_values(request: Request) -> dict[str, list[str]]:
    """Return the values of the first `MAX_PARAMETERS` parameters by name."""
    query_string: bytes = request.scope["query_string"]
    parameters = request.query_params if query_string.count(b"&") < MAX_PARAMETERS else _first_parameters(query_string)
    values: dict[str, list[str]] = {}
    for name, value in parameters.multi_items():
        values.setdefault(name, []).append(value)
    return values


def _first_parameters(query_string: bytes) -> QueryParams:
    return QueryParams(b"&".join(query_string.split(b"&", MAX_PARAMETERS)[:MAX_PARAMETERS]))


def _unknown_fault(name: str, declared: Collection[str], *, with_hint: bool) -> Fault:
    name, hint = shorten(name), None
    if with_hint:
        expected = f"expected one of {', '.join(declared)}" if declared else "leave it out"
        hint = suggest_nearest(name, declared) or expected
    return field_fault(name, f"There is no parameter `{name}` here.", hint=hint, location="query")


def _form_fault(name: str, parameter: RouteParameter, location: str) -> Fault:
    assert parameter.type is not None  # noqa: S101 - a parameter without a type has no form
    return field_fault(name, f"Expected {FORMS[parameter.type][1]}.", location=location)


def _check_path_parameters(request: Request, route: APIRoute) -> None:
    for field in route.dependant.path_params:
        parameter = _parameter_of(field.field_info.annotation)
        if not parameter.has_form(str(request.path_params[field.alias])):
            raise_if_any([_form_fault(field.alias, parameter, "path")])


def drop_empty_parameters(route: APIRoute, query_string: bytes) -> bytes:
    """Return a query string without the parameters of the route that have no value: they count as not given.

    HTML forms send the name of every field, also of one that is left empty.
    """
    if not query_string or query_string.count(b"&") >= MAX_PARAMETERS or EMPTY_PARAMETER.search(query_string) is None:
        return query_string
    declared = route_parameters(route)
    parts = query_string.split(b"&")
    return b"&".join(
        part
        for part in parts
        if EMPTY_PARAMETER.fullmatch(part) is None or unquote_plus(part.rstrip(b"=").decode("latin-1")) not in declared
    )


def is_json_type(content_type: str) -> bool:
    """Return whether a `Content-Type` is that of JSON."""
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


async def check_media_type(request: Request) -> None:
    """Raise `UnsupportedMediaType` for an encoded body, and unless it is declared as JSON.

    Routes with other media types check theirs themselves.
    """
    if request.method not in ("POST", "PUT", "PATCH"):
        return
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", ""):
        raise UnsupportedMediaType(
            f"The body has the content coding `{shorten(coding)}`, which is not supported.",
            hint="send the body without `Content-Encoding`",
            headers={"Accept-Encoding": "identity"},
        )
    route: APIRoute = request.scope["route"]
    if route.openapi_extra or not route.dependant.body_params:
        return
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not is_json_type(media_type):
        raise UnsupportedMediaType(
            f"The body must be JSON; its `Content-Type` is {f'`{shorten(media_type)}`' if media_type else 'missing'}.",
            hint="send `Content-Type: application/json`",
        )


def route_parameters(route: APIRoute) -> dict[str, RouteParameter]:
    """Return the query parameters of a route."""
    parameters = _parameters_by_route.get(id(route))
    if parameters is None:
        parameters = _parameters_by_route[id(route)] = _dependant_parameters(route.dependant)
    return parameters


def _dependant_parameters(dependant: Dependant) -> dict[str, RouteParameter]:
    parameters: dict[str, RouteParameter] = {}
    for parameter in dependant.query_params:
        model: Any = parameter.field_info.annotation
        fields = getattr(model, "model_fields", None)
        if fields is None:
            parameters[parameter.alias] = _parameter_of(model)
        else:
            parameters |= {name: _parameter_of(info.annotation) for name, info in fields.items()}
    for dependency in dependant.dependencies:
        parameters |= _dependant_parameters(dependency)
    return parameters


def _parameter_of(annotation: Any) -> RouteParameter:  # noqa: ANN401 - a type
    type_ = scalar_type(annotation)
    return RouteParameter(get_origin(annotation) is list, type_ if type_ in FORMS else None)
