"""Restarts a server under load with open streams, and reports how long each restart takes.

    python -m benchmarks.restarts --restarts 20 --streams 50

Every write that was acknowledged must be in the change log afterwards, and no client may see a reset connection.
"""

import argparse
import os
import signal
import socket
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.examples import make_unique_claim_body
from tests.history.servers import ServerGroup, run_servers
from tests.registers import DatabaseCopies

CLIENTS = 8


def open_stream(port: int) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", port), timeout=10)
    stream.sendall(b"GET /v1/changes/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
    while b"id: " not in stream.recv(65536):
        pass
    return stream


def restart(fleet: ServerGroup, streams: int) -> tuple[float, int, int]:
    """Restart the server once; return its seconds, the acknowledged writes, and the connections that were reset."""
    server = fleet.servers[0]
    opened = [open_stream(server.port) for _ in range(streams)]
    acknowledged, reset = [0], [0]
    ended = False

    def work() -> None:
        while not ended:
            try:
                reply = fleet.write("POST", "/v1/claims", make_unique_claim_body())
                acknowledged[0] += reply.status == 201
            except ConnectionRefusedError:
                return
            except OSError:
                reset[0] += 1
                return
            finally:
                fleet.close_connection()

    with ThreadPoolExecutor(CLIENTS) as pool:
        for _ in range(CLIENTS):
            pool.submit(work)
        time.sleep(1)
        process, server.process = server.process, None
        assert process is not None
        started = time.monotonic()
        os.kill(int(process.pid or 0), signal.SIGTERM)
        process.join(60)
        seconds = time.monotonic() - started
        ended = True
    for stream in opened:
        stream.close()
    process.close()
    server.start()
    return seconds, acknowledged[0], reset[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--streams", type=int, default=50)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copies = DatabaseCopies(Path(folder), None)
        copies.create_template("empty", None)
        with run_servers(copies, 1) as fleet:
            results = [restart(fleet, given.streams) for _ in range(given.restarts)]
            claims = sum(change["kind"] == "claim" for change in fleet.read_all_changes())
    seconds = [result[0] for result in results]
    print(f"{given.restarts} restarts with {given.streams} streams: {min(seconds):.2f} to {max(seconds):.2f} s")
    print(f"{sum(result[1] for result in results)} acknowledged writes, {claims} in the change log")
    print(f"{sum(result[2] for result in results)} connections reset")


if __name__ == "__main__":
    main()
