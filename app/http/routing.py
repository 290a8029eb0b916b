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
    """Return the routes with the fast ones first, short paths before long ones: Starlette tries one after the other."""

    def position(route: BaseRoute) -> tuple[bool, bool, int]:
        if isinstance(route, FastRoute) and route.has_fast_path:
            return False, "suffix" in route.param_convertors, route.path.count("/")
        return True, False, 0

    return sorted(routes, key=position)
