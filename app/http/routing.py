"""Routers of `/v1`: the checks of every route, and the order of routes."""

from collections.abc import Iterable

from fastapi import APIRouter, Depends
from starlette.routing import BaseRoute

from app.http.consistency import wait_for_seq
from app.http.fast_route import FastRoute
from app.http.parameters import check_media_type, check_parameters


def api_router(tag: str) -> APIRouter:
    """Return a router for one part of `/v1`. The application includes its routes, since nested routers are slower."""
    checks = [Depends(check_parameters), Depends(check_media_type), Depends(wait_for_seq)]
    return APIRouter(prefix="/v1", tags=[tag], dependencies=checks, route_class=FastRoute)


def in_matching_order(routes: Iterable[BaseRoute]) -> list[BaseRoute]:
    """Return the routes with the fast ones first, short paths before long ones: Starlette tries one after the other.

    A file comes before the records in the same folder, whose ids would match its name.
    """
    routes = list(routes)
    folders = {folder for route in routes if isinstance(route, FastRoute) for folder in _folders_of_records(route.path)}

    def position(route: BaseRoute) -> tuple[bool, bool, int]:
        if isinstance(route, FastRoute) and route.has_fast_path:
            is_late = "suffix" in route.param_convertors and route.path.rpartition("/")[0] not in folders
            return False, is_late, route.path.count("/")
        return True, False, 0

    return sorted(routes, key=position)


def _folders_of_records(path: str) -> list[str]:
    """Return the folder of a path that ends with a parameter."""
    folder, _, name = path.rpartition("/")
    return [folder] if name.startswith("{") and name.endswith("}") else []
