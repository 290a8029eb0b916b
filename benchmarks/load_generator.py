"""The load generator, in a process of its own: keep-alive connections that send one request after another.

It knows nothing of HTTP but where an answer ends, so that it is lighter than whatever it loads. The requests are bytes
in a side file; `cycle` asks them again from the beginning, otherwise each is asked once only.
"""

import errno
import gc
import json
import marshal
import os
import select
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

ANSWER_TIMEOUT_SECONDS = 60.0
"""Seconds after which an answer is no longer waited for. Every peer gives up by itself long before."""
BUFFER_BYTES = 1 << 19
MIN_PROBES = 3


@dataclass(frozen=True)
class LoadPlan:
    """How to load: where, with how many connections, for how long, at most how often.

    `at_least` requests are sent however long they take, and their number is a multiple of `multiple`: a mixture is
    asked in whole rounds. An error that says `refusal` tells that the server gave up by itself: it counts as an answer.
    """

    port: int
    requests: str
    connections: int = 16
    seconds: float = 2.0
    most: int = 1_000_000
    at_least: int = 1
    multiple: int = 1
    cycle: bool = False
    refusal: str = ""
    core: int | None = None


@dataclass
class LoadResult:
    """What came of it. Times are in seconds, `busy` is the share of its core that the generator itself needed.

    `asked` counts also what was asked before the load itself, `refused` the answers of a server that gave up.
    """

    asked: int = 0
    done: int = 0
    refused: int = 0
    seconds: float = 0.0
    received: int = 0
    connections: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    p50: float = 0.0
    p99: float = 0.0
    longest: float = 0.0
    busy: float = 0.0
    first_failure: str = ""

    def add_answer(self, answered: "_Connection", plan: LoadPlan) -> None:
        """Count an answer."""
        self.received += answered.received_bytes
        status = answered.status.decode()
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status[0] not in "23":
            text = bytes(answered.buffer[: min(answered.received_bytes, 2000)])
            if plan.refusal and plan.refusal.encode() in text:
                self.refused += 1
            else:
                self.first_failure = self.first_failure or f"{text[:900]!r}"

    def summarize(self, took: list[float], seconds: float, cpu: float) -> None:
        """Sum up how long the answers took."""
        took.sort()
        self.done, self.seconds, self.busy = len(took), seconds, cpu / seconds
        self.p50, self.p99, self.longest = took[len(took) // 2], took[int(len(took) * 0.99)], took[-1]


class _Connection:
    """One keep-alive connection and the answer that it waits for."""

    __slots__ = ("started_at", "received_bytes", "needed", "buffer", "socket", "status", "tail", "view")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray(BUFFER_BYTES)
        self.view = memoryview(self.buffer)
        self.started_at = 0.0
        self.received_bytes = 0
        self.needed = 0
        """Bytes of the whole answer; 0: not known yet, -1: it ends with an empty chunk."""
        self.status = b""
        self.tail = b""

    def send(self, request: bytes) -> None:
        """Send the next request."""
        self.started_at = time.perf_counter()
        self.received_bytes = self.needed = 0
        self.socket.send(request)

    def receive(self) -> bool:
        """Take what has come; whether the answer is complete."""
        if self.needed == 0:
            taken = self.socket.recv_into(self.view[self.received_bytes :])
            self.received_bytes += taken
            end = self.buffer.find(b"\r\n\r\n", 0, self.received_bytes)
            if end >= 0:
                self._find_end(end)
        else:
            taken = self.socket.recv_into(self.view)
            self.received_bytes += taken
        if not taken:
            raise ConnectionError("the server hung up")
        if self.needed == -1:
            self.tail = (self.tail + self.buffer[max(0, taken - 5) : taken])[-5:]
            return self.tail == b"0\r\n\r\n"
        return 0 < self.needed <= self.received_bytes

    def _find_end(self, end: int) -> None:
        room = self.buffer
        self.status = bytes(room[9:12])
        at = room.find(b"\r\ncontent-length: ", 0, end)
        if at < 0:
            at = room[:end].lower().find(b"\r\ncontent-length: ")
        if at >= 0:
            self.needed = end + 4 + int(room[at + 18 : room.find(b"\r\n", at + 18)])
        elif b"\r\ntransfer-encoding: chunked" in room[:end].lower():
            self.needed, self.tail = -1, b""
        else:  # 304 and 204 have no body
            self.needed = end + 4


def run_load(plan: LoadPlan) -> LoadResult:
    """Load as `plan` says. The first few are asked alone, to find out how many at once make sense.

    Where those few (of a mixture: its first whole round) take all the time that there is, they are all that is asked.
    """
    requests: list[bytes] = marshal.loads(Path(plan.requests).read_bytes())  # noqa: S302 - our own side file
    outcome = LoadResult()
    first = _Connection(plan.port)
    cpu, took = time.process_time(), list[float]()
    for probe in requests[: max(MIN_PROBES, plan.multiple)]:
        first.send(probe)
        while not first.receive():
            pass
        took.append(time.perf_counter() - first.started_at)
        outcome.add_answer(first, plan)
        if plan.multiple == 1 and sum(took) > plan.seconds:
            break
    outcome.asked = len(took)
    if sum(took) > plan.seconds:
        outcome.connections = 1
        outcome.summarize(took, sum(took), time.process_time() - cpu)
        return outcome
    # Sixteen queries of two seconds each on one core say no more than two of them, and take sixteen times as long.
    most = max(1, min(plan.connections, int(max(1.0, plan.seconds / 2) / (sum(took) / len(took)))))
    outcome = LoadResult(asked=len(took), connections=most, first_failure=outcome.first_failure)
    queue = requests if plan.cycle else requests[len(took) :]
    connections = [first, *(_Connection(plan.port) for _ in range(most - 1))]
    gc.collect()
    gc.disable()
    _send_all(plan, queue, connections, outcome)
    outcome.asked += outcome.done
    return outcome


def _send_all(  # noqa: C901, PLR0912, PLR0915 - one tight loop
    plan: LoadPlan, queue: list[bytes], connections: list[_Connection], outcome: LoadResult
) -> None:
    took: list[float] = []
    waiting = {each.socket.fileno(): each for each in connections}
    poll = select.epoll()
    for number, each in waiting.items():
        each.socket.setblocking(False)
        poll.register(number, select.EPOLLIN)
    length = len(queue)
    most = min(plan.most, len(queue) if not plan.cycle else plan.most)
    most -= most % plan.multiple if most >= plan.multiple else 0
    cpu, began = time.process_time(), time.perf_counter()
    until = began + plan.seconds
    sent = done = 0
    issuing = True
    now = began
    for each in connections:
        if sent < most:
            each.send(queue[sent % length])
            sent += 1
        else:
            poll.unregister(each.socket.fileno())
    while done < sent:
        events = poll.poll(ANSWER_TIMEOUT_SECONDS)
        if not events:
            raise TimeoutError(f"no answer for {ANSWER_TIMEOUT_SECONDS:.0f} seconds")
        for number, _ in events:
            each = waiting[number]
            try:
                if not each.receive():
                    continue
            except OSError as fault:
                if fault.errno in {errno.EAGAIN, errno.EWOULDBLOCK}:
                    continue
                raise
            now = time.perf_counter()
            took.append(now - each.started_at)
            done += 1
            outcome.add_answer(each, plan)
            if issuing:
                whole = sent >= plan.at_least and sent % plan.multiple == 0
                issuing = sent < most and not (now >= until and whole)
            if issuing:
                each.send(queue[sent % length])
                sent += 1
            else:  # the server will hang up when it has been idle for long
                poll.unregister(number)
    outcome.summarize(took, now - began, time.process_time() - cpu)


if __name__ == "__main__":
    given = LoadPlan(**json.loads(sys.argv[1]))
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    print(json.dumps(asdict(run_load(given))))  # noqa: T201
