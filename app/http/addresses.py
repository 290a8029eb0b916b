"""Addresses of this service: whole ones under the base URL of the application, paths without one.

`COUNTERCLAIM_BASE_URL` is the base URL, with a path prefix if the service is published under one. Every address in a
response is built by `whole_address`, and nothing else knows the base URL.

The base URL is a context variable, because rows, problems and SQL are built where no request is at hand, and tests run
several applications in one process. `CounterclaimApp` sets it for each request. Threads that anyio starts inherit it,
and `GroupCommitter` runs each write in the context of its request. Addresses are whole only in responses: what is
stored contains paths (`relative_links`), so that a register can move.
"""

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

from starlette.routing import BaseRoute
from starlette.types import Scope

_base_url: ContextVar[str] = ContextVar("base_url", default="")


def set_base_url(url: str) -> None:
    """Set the base URL of the addresses that the current context builds: without a final slash, or empty."""
    _base_url.set(url)


def base_url() -> str:
    """Return the base URL without a final slash; empty if addresses are paths."""
    return _base_url.get()


def base_path() -> str:
    """Return the path of the base URL without a final slash, such as `/claims`; empty if it has none."""
    return urlsplit(base_url()).path


def base_origin() -> str:
    """Return the scheme, host and port of the base URL; empty if there is none."""
    url = base_url()
    return url.removesuffix(urlsplit(url).path)


def whole_address(path: str) -> str:
    """Return the address of `path`, which begins with a slash: under the base URL if there is one, else the path."""
    return _base_url.get() + path


def relative_path(address: str) -> str:
    """Return the path of an address of `whole_address`."""
    return address.removeprefix(base_url())


def relative_links(document: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a response document with paths instead of whole addresses in its `links`, at any depth."""
    return _map_links(document, relative_path) if base_url() else document


def whole_links(document: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a document of `relative_links` with whole addresses again."""
    return _map_links(document, whole_address) if base_url() else document


def _map_links(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - any JSON value
    """Return `value` with each address in an object `links` changed."""
    if isinstance(value, list):
        return [_map_links(each, change) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: {key: change(address) if isinstance(address, str) else address for key, address in each.items()}
        if name == "links" and isinstance(each, dict)
        else _map_links(each, change)
        for name, each in value.items()
    }


class PathPrefix:
    """The path of the base URL, which a reverse proxy may leave in the paths of requests or remove."""

    def __init__(self, prefix: str, routes: Iterable[BaseRoute]) -> None:
        """Hold the prefix, such as `/claims`, and the first segments of the paths of the application."""
        all_routes = list(routes)
        self._prefix = prefix
        self._first_segments = find_first_segments(all_routes)
        self._is_own_path = any(getattr(route, "path", "") == prefix for route in all_routes)

    def remove_from(self, scope: Scope) -> Scope:
        """Return a request without the prefix in its path.

        A path is left as it is unless an address of this service follows the prefix: with the prefix `/claims`, a
        proxy that removes it sends `/claims/ID` for the page of a claim.
        """
        prefix = self._prefix
        if scope["type"] != "http" or not scope["path"].startswith(prefix):
            return scope
        path = scope["path"].removeprefix(prefix)
        if path == "" and not self._is_own_path:
            path = "/"
        if not path.startswith("/") or path.split("/")[1] not in self._first_segments:
            return scope
        return {**scope, "path": path, "raw_path": (scope.get("raw_path") or b"").removeprefix(prefix.encode()) or b"/"}


def find_first_segments(routes: Iterable[BaseRoute]) -> frozenset[str]:
    """Return the first segment of each path of an application: `v1`, `docs`, and an empty one for `/`."""
    return frozenset(path.split("/")[1] for route in routes if (path := getattr(route, "path", "")))
