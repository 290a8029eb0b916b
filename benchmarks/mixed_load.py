"""The load of a register that is read a lot: hot reads, cold ones, and now and then something large.

The kinds of requests and their shares are `SHARES`. A cold request has an address that was not requested before.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count
from typing import Any
from urllib.parse import urlencode

from benchmarks.servers import Server, ServerFailed

HOT, COLD, DERIVED, RENDERED = "hot", "cold", "derived", "rendered"
SHARES = {HOT: 0.70, COLD: 0.25, DERIVED: 0.04, RENDERED: 0.01}
"""Hot reads; cold pages and claims; side-by-sides, feeds and files; charts and workbooks."""

ENCODINGS = ("", "gzip", "br", "zstd")
LIMITS = (10, 20, 50, 100)
TIMEOUT_SECONDS = 60
MAX_TRIES = 10
LARGE_REGISTER = 50_000
"""From this number of claims on, files have the claims of a few days only."""


@dataclass
class RegisterNames:
    """What addresses are made of."""

    claims: Sequence[str]
    topics: Sequence[str]
    sources: Sequence[str]
    categories: Sequence[str]
    places: Sequence[str]
    days: Sequence[str]
    """Days on which claims were said."""
    is_large: bool

    @classmethod
    def read(cls, server: Server, claims: Sequence[str], total: int) -> "RegisterNames":
        """Read the names from a server."""
        names = {
            kind: [each["slug"] for each in _read_patiently(server, f"/v1/{kind}?limit=100")]
            for kind in ("topics", "sources", "categories", "places")
        }
        days = {each["date"] for each in _read_patiently(server, "/v1/claims?limit=500") if each["date"]}
        days |= {each["date"] for each in _read_patiently(server, "/v1/claims?limit=500&sort=date") if each["date"]}
        return cls(claims=claims, **names, days=sorted(days), is_large=total >= LARGE_REGISTER)


def _read_patiently(server: Server, path: str) -> Any:  # noqa: ANN401 - a list of records
    """Return the records of a list. The first reads of a large register, whose file is on the disk, can come too late."""
    for _ in range(MAX_TRIES):
        with suppress(ServerFailed):
            return server.json(path)["data"]
    return server.json(path)["data"]


class MixedLoad:
    """Makes addresses; the same ones each time for the same seed, but for the order of threads."""

    def __init__(self, names: RegisterNames, seed: int = 1, shares: Mapping[str, float] = SHARES) -> None:
        self.names = names
        self._shares = shares
        self._chance = random.Random(seed)  # noqa: S311 - it has to be the same every time
        self._numbers = count()
        self._lock = threading.Lock()
        self._makers: dict[str, Callable[[], str]] = {
            HOT: self._hot,
            COLD: self._cold,
            DERIVED: self._derived,
            RENDERED: self._rendered,
        }
        topics, claims = names.topics, names.claims
        self._hot_paths = [
            "/",
            "/v1/register",
            "/v1/topics?limit=100",
            "/v1/claims?limit=50",
            *(f"/topics/{slug}" for slug in topics[:5]),
            *(f"/v1/topics/{slug}/brief" for slug in topics[:5]),
            *(f"/v1/topics/{slug}/claims?limit=50" for slug in topics[:5]),
            *(f"/v1/claims/{id_}" for id_ in claims[:10]),
            *(f"/claims/{id_}" for id_ in claims[:5]),
            *(f"/v1/claims?source={slug}&limit=50" for slug in names.sources[:5]),
        ]

    def next(self) -> tuple[str, str, str]:
        """Return the kind, the path and the encoding of the next request."""
        with self._lock:
            (kind,) = self._chance.choices([*self._shares], [*self._shares.values()])
            return kind, self._makers[kind](), self._chance.choice(ENCODINGS)

    def _hot(self) -> str:
        return self._chance.choice(self._hot_paths)

    def _cold(self) -> str:
        chance, names = self._chance, self.names
        number = next(self._numbers)
        claim = chance.choice(names.claims)
        match number % 10:
            case 0:
                return f"/claims/{claim}?_={number}"
            case 1:
                return f"/claims?{self._filters(number)}"
            case 2:
                return f"/sources/{chance.choice(names.sources)}?_={number}"
            case 3 | 4 | 5:
                end = chance.choice(("", "", "", "/revisions", "/citation.txt", "/relations"))
                return f"/v1/claims/{claim}{end}?_={number}"
            case _:
                return f"/v1/claims?limit={chance.choice(LIMITS)}&{self._filters(number)}"

    def _derived(self) -> str:
        chance, number = self._chance, next(self._numbers)
        topic, day = chance.choice(self.names.topics), chance.choice(self.names.days)
        match number % 4:
            case 0 | 1:
                return f"/v1/topics/{topic}/side-by-side?known_on={day}&_={number}"
            case 2:
                scope = chance.choice(("", f"/topics/{topic}"))
                return f"/v1{scope}/feed.{chance.choice(('atom', 'json'))}?_={number}"
            case _:
                return f"/v1/claims.{chance.choice(('csv', 'ndjson', 'csv'))}?{self._file_filters(number)}"

    def _rendered(self) -> str:
        chance, number = self._chance, next(self._numbers)
        topic = chance.choice(self.names.topics)
        if number % 2:
            return f"/v1/claims.xlsx?{self._file_filters(number)}"
        end = chance.choice(("chart.svg", "chart.png", "chart.vl.json"))
        return f"/v1/topics/{topic}/{end}?_={number}"

    def _filters(self, number: int) -> str:
        """Return some filters as people combine them, as a query string that no request had before."""
        chance, names = self._chance, self.names
        values: dict[str, Any] = {}
        possible: Mapping[str, Sequence[Any]] = {
            "source": names.sources,
            "category": names.categories,
            "place": names.places,
            "topic": names.topics,
            "modality": ("count", "estimate"),
            "aggregation": ("cumulative", "within"),
            "date_from": names.days,
            "date_to": names.days,
            "kind": ("range", "lower_bound", "approximate"),
            "sort": ("date", "-date", "-recorded", "-value"),
        }
        for name in chance.sample([*possible], chance.randrange(4)):
            values[name] = chance.choice(possible[name])
        if "date_from" in values and "date_to" in values:
            values["date_from"], values["date_to"] = sorted((values["date_from"], values["date_to"]))
        return urlencode({**values, "_": number})

    def _file_filters(self, number: int) -> str:
        chance, names = self._chance, self.names
        values = {"source": chance.choice(names.sources[1:] or names.sources)}
        if names.is_large:
            first = chance.randrange(len(names.days))
            values |= {"date_from": names.days[first], "date_to": names.days[min(first + 5, len(names.days) - 1)]}
        return urlencode({**values, "_": number})


@dataclass
class LoadRun:
    """Threads that send the requests of a load, until there were `requests` or `seconds` have passed."""

    port: int
    load: MixedLoad
    requests: int
    seconds: float
    connections: int = 12
    done: Counter[str] = field(default_factory=Counter)
    """The number of answered requests by kind."""
    failures: Counter[str] = field(default_factory=Counter)
    """The number of failures by status or exception, with the shape of the path."""
    seconds_by_kind: Counter[str] = field(default_factory=Counter)
    """How long the answers took together, by kind and the end of the path."""
    _threads: list[threading.Thread] = field(default_factory=list)
    _left: Any = None

    def start(self) -> None:
        """Start the threads."""
        self._left = iter(range(self.requests))
        self._until = time.monotonic() + self.seconds
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(self.connections)]
        for thread in self._threads:
            thread.start()

    def is_running(self) -> bool:
        """Return whether requests are still sent."""
        return any(thread.is_alive() for thread in self._threads)

    @property
    def total(self) -> int:
        """The number of answered requests."""
        return sum(self.done.values())

    def _take(self) -> bool:
        with self._lock:
            return time.monotonic() < self._until and next(self._left, None) is not None

    def _run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        while self._take():
            kind, path, encoding = self.load.next()
            started = time.monotonic()
            try:
                connection.request("GET", path, headers={"Accept-Encoding": encoding} if encoding else {})
                answer = connection.getresponse()
                answer.read()
                outcome = "" if answer.status == 200 else str(answer.status)  # noqa: PLR2004
            except (OSError, HTTPException) as error:
                outcome = type(error).__name__
                with suppress(OSError):
                    connection.close()
                connection = HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
            with self._lock:
                self.done[kind] += 1
                self.seconds_by_kind[kind] += time.monotonic() - started
                if outcome:
                    self.failures[f"{outcome} {path.split('?')[0]}"] += 1
        connection.close()
