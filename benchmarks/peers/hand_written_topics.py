"""The hand-written peer's timeline of a topic, and its positions: the latest claim of each series."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.peers.hand_written import FIRST_ID, LAST_DAY, fetch, read_cursor, send, send_page
from benchmarks.peers.hand_written_statements import SIDES, TIMELINE


async def timeline(request: Request) -> Response:
    limit, (place, id_) = int(request.query_params.get("limit", 50)), read_cursor(request, " 0001-01-01", FIRST_ID)
    parameters = (request.path_params["slug"], request.query_params.get("known_on", LAST_DAY), *place.split(" "), id_)
    return await send_page(request, await fetch(request, TIMELINE, *parameters, limit + 1), limit, "source")


async def side_by_side(request: Request) -> Response:
    slug, day = request.path_params["slug"], request.query_params.get("known_on", LAST_DAY)
    positions = ",".join(f'{{"claim":{row[0]}}}' for row in await fetch(request, SIDES, slug, day))
    return send(f'{{"topic":"{slug}","positions":[{positions}]}}')


ROUTES = [Route("/v1/topics/{slug}/timeline", timeline), Route("/v1/topics/{slug}/side-by-side", side_by_side)]
