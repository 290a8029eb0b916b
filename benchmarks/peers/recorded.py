"""The bare peer: uvicorn as the service starts it, and an application that sends recorded responses."""

import marshal
import os
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import uvicorn

Message = MutableMapping[str, Any]
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Replay:
    """Sends for each address what the service had sent."""

    def __init__(self, path: Path) -> None:
        recorded: dict[str, Answer] = marshal.loads(path.read_bytes())  # noqa: S302 - our own side file
        self.answers = {
            address.encode(): (
                {"type": "http.response.start", "status": status, "headers": headers},
                {"type": "http.response.body", "body": body},
            )
            for address, (status, headers, body) in recorded.items()
        }

    async def __call__(
        self,
        scope: Message,
        _receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        start, body = self.answers[scope["raw_path"] + b"?" + scope["query_string"]]
        await send(start)
        await send(body)


def main() -> None:
    """Serve the answers that BARE_ANSWERS names on the port BARE_PORT."""
    listening = socket.create_server(("127.0.0.1", int(os.environ["BARE_PORT"])), backlog=2048)
    app = Replay(Path(os.environ["BARE_ANSWERS"]))
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
