"""How many microseconds each step of a response from the cache takes: run by `benchmarks.peer_pairs`, part `steps`."""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from app.http import cache_middleware
from app.main import create_app
from app.server import configure_server_logging
from app.settings import read_settings

CALLS = 300
PATH, QUERY = "/v1/claims", b"category=category-0&limit=50"


def make_scope() -> dict[str, Any]:
    """Return a request for a page."""
    return {
        "type": "http", "http_version": "1.1", "method": "GET", "path": PATH, "raw_path": PATH.encode(),
        "query_string": QUERY, "headers": [(b"host", b"127.0.0.1"), (b"accept", b"*/*")], "scheme": "http",
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "root_path": "", "state": {},
    }  # fmt: skip


async def main(rounds: int) -> None:
    """Print the least time of each step, in microseconds of CPU."""
    settings = read_settings()
    configure_server_logging(settings)
    app = create_app(settings)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:  # noqa: ANN401 - a message of ASGI
        sent.append(message)

    async with app.router.lifespan_context(app):
        await app(make_scope(), receive, send)
        middleware, scope = app.cache_middleware, make_scope()
        headers = cache_middleware._read_request_headers(scope["headers"])  # noqa: SLF001
        key = (PATH, QUERY, "*/*")
        cached = middleware.invalidator.response_cache.get(key)
        assert cached is not None  # noqa: S101 - it was asked for
        steps: dict[str, Callable[[], object]] = {
            "all of it, with one poll for all requests of an iteration": lambda: app.find_response(scope),
            "the headers of the request": lambda: cache_middleware._read_request_headers(scope["headers"]),  # noqa: SLF001
            "whether it may be cached": lambda: middleware._may_be_cached(scope, headers),  # noqa: SLF001
            "a poll of SQLite, once an iteration of the loop": middleware.invalidator.poll,
            "the cached response": lambda: middleware.invalidator.response_cache.get(key),
            "the limits": lambda: middleware.access.admit_at_once(scope, 1),
            "the line of the log": lambda: middleware._log_hit(scope, 200, headers),  # noqa: SLF001
            "the headers of this response alone": lambda: cache_middleware.header_lines(
                middleware._own_headers(cached, headers)  # noqa: SLF001
            ),
        }
        found = {}
        for name, step in steps.items():
            took = []
            for _ in range(rounds):
                began = time.process_time()
                for _ in range(CALLS):
                    step()
                took.append((time.process_time() - began) / CALLS * 1e6)
                await asyncio.sleep(0)  # writes the log
            found[name] = round(min(took), 2)
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
