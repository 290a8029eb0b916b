"""Many idle streams: the CPU time of the server while nothing happens, and the time until all of them have an event.

python -m benchmarks.streams --streams 1000 --seconds 60 --databases "sqlite postgresql"
"""

import argparse
import json
import os
import selectors
import socket
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.starter_server import serve_starter_register
from tests.history.servers import ServerProcess
from tests.registers import Keys

RESULTS = Path(__file__).parent / "results"
EVENTS = 5
MAX_EVENT_SECONDS = 30.0


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--databases", default="sqlite postgresql")
    given = parser.parse_args()
    found = {}
    for dialect in given.databases.split():
        with TemporaryDirectory() as folder, serve_starter_register(dialect, Path(folder)) as (server, keys):
            found[dialect] = measure(server, keys, given.streams, given.seconds)
        print(dialect, json.dumps(found[dialect]), flush=True)
    names = "-".join(found)
    (RESULTS / f"streams-{names}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def measure(server: ServerProcess, keys: Keys, count: int, seconds: float) -> dict[str, Any]:
    """Open streams, leave them idle for some seconds, and then record some sources."""
    with selectors.DefaultSelector() as selector:
        streams = [open_stream(server.port) for _ in range(count)]
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
        receive(selector, b"id: ", count)
        assert server.process is not None
        before = cpu_seconds(server.process.pid)
        time.sleep(seconds)
        idle = cpu_seconds(server.process.pid) - before
        delays = []
        for number in range(EVENTS):
            drain(selector)
            body = {"name": f"Source {number}", "kind": "media", "interest": "independent"}
            reply = server.request("PUT", f"/v1/sources/measured-{number}", body, keys["admin"])
            assert reply.status == 201, reply.body  # noqa: PLR2004 - created
            started = time.monotonic()
            receive(selector, b"event: change", count)
            delays.append(time.monotonic() - started)
        for stream in streams:
            stream.close()
    return {
        "streams": count,
        "idle_cores": round(idle / seconds, 4),
        "event_seconds": {"median": round(statistics.median(delays), 2), "most": round(max(delays), 2)},
    }


def open_stream(port: int) -> socket.socket:
    """Open a stream, of which the head has not been read yet."""
    stream = socket.create_connection(("127.0.0.1", port))
    stream.sendall(b"GET /v1/changes/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    stream.setblocking(False)
    return stream


def receive(selector: selectors.BaseSelector, text: bytes, count: int) -> None:
    """Read until `text` has come on `count` streams. Raises `TimeoutError`."""
    received: dict[int, bytes] = {}
    missing, deadline = count, time.monotonic() + MAX_EVENT_SECONDS
    while missing:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{missing} of {count} streams did not receive {text!r}")
        for key, _ in selector.select(1.0):
            stream: Any = key.fileobj
            before = received.get(key.fd, b"")
            after = received[key.fd] = before + stream.recv(65_536)
            missing -= text in after and text not in before


def drain(selector: selectors.BaseSelector) -> None:
    """Read what has come."""
    while ready := selector.select(0.0):
        for key, _ in ready:
            stream: Any = key.fileobj
            stream.recv(65_536)


def cpu_seconds(pid: int | None) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
