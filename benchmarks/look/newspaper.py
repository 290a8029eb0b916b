"""A page of another site, on a port of its own, that embeds cards in each way that the service offers."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

TEMPLATE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>A newspaper</title>
<link rel="icon" href="data:,"><style>body {{ margin: 1rem; font-family: serif }}</style></head>
<body><main><h1>An article with cards</h1>
<h2>As an element</h2>{element}<h2>A claim as an element</h2>{claim_element}<h2>As a frame</h2>{frame}</main></body></html>
"""


@contextmanager
def serve_newspaper(service: str, topic: str, claim: str, frame: str) -> Iterator[str]:
    """Serve the page; return its address.

    Args:
        service: The address of the service.
        topic: The slug of a topic.
        claim: The id of a claim.
        frame: The HTML of a frame, as oEmbed gives it.
    """
    script = f'<script type="module" src="{service}/embed.js"></script>'
    page = TEMPLATE.format(
        element=f'{script}<counterclaim-topic slug="{topic}"></counterclaim-topic>',
        claim_element=f'<counterclaim-claim claim="{claim}"></counterclaim-claim>',
        frame=frame,
    ).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name in the base class
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_details: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
