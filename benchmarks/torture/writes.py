"""Clients that write with an Idempotency-Key and repeat what was not acknowledged, and what the register then holds."""

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.operate.service import Answer, Service

ROOT = Path(__file__).parents[2]
RETRY_SECONDS = 0.02
REPEATED_SHARE = 0.125
"""How many acknowledged writes are sent once more: they must get the same answer."""

CREATED = 201


def example_claim() -> dict[str, Any]:
    """Return the claim of the OpenAPI document, which the vocabulary of the starter claims allows."""
    document = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
    body = document["paths"]["/v1/claims"]["post"]["requestBody"]["content"]["application/json"]["example"]
    return {**body, "figure": {}}


@dataclass(frozen=True, slots=True)
class Write:
    """A write: a claim of one figure, or a document of one title, which name it in the register."""

    number: int
    key: str

    @property
    def is_claim(self) -> bool:
        """Whether it is a claim."""
        return self.number % 2 == 0

    @property
    def name(self) -> str:
        """Return what identifies the record."""
        return f"claim {self.number}" if self.is_claim else f"document {self.key}"

    @property
    def path(self) -> str:
        """Return the path of the request."""
        return "/v1/claims" if self.is_claim else "/v1/documents"

    def body(self, claim: dict[str, Any]) -> dict[str, Any]:
        """Return the body of the request."""
        if not self.is_claim:
            return {"title": self.key}
        return claim | {"figure": {"as_printed": str(self.number), "value": self.number}}


def is_retried(answer: Answer) -> bool:
    """Return whether a client sends the same again: no answer, `key_in_flight`, and what passes by itself."""
    return answer.status in {0, 503} or (answer.status == 409 and answer.reason.startswith("key_in_flight"))  # noqa: PLR2004


def name_of_change(change: dict[str, Any]) -> str | None:
    """Return the name of the write that made a change, see `Write.name`."""
    if change["kind"] == "claim":
        return f"claim {change['data']['figure']['value']}"
    return f"document {change['data']['title']}" if change["kind"] == "document" else None


@dataclass
class Journal:
    """The writes of all clients, with their answers."""

    service: Service
    prefix: str = "torture"
    acknowledged: dict[str, str] = field(default_factory=dict)
    """The names of acknowledged writes, and the ids that were told."""
    refused: set[str] = field(default_factory=set)
    unknown: dict[str, Write] = field(default_factory=dict)
    """Writes whose latest answer does not say whether they are recorded."""
    answers: Counter[str] = field(default_factory=Counter)
    answers_by_name: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    faults: list[str] = field(default_factory=list)
    on_acknowledgement: Callable[[str], None] = lambda _name: None
    claim: dict[str, Any] = field(default_factory=example_claim)
    numbers: Iterable[int] = field(default_factory=lambda: count(50_000_000))

    def next_write(self) -> Write:
        """Return a new write."""
        number = next(self.numbers)  # type: ignore[call-overload] # an iterator
        return Write(number, f"{self.prefix}-{number}")

    def send(self, write: Write) -> Answer:
        """Send a write, and note the answer."""
        answer = self.service.request(
            "POST", write.path, write.body(self.claim), headers={"Idempotency-Key": write.key}
        )
        self.answers[answer.label] += 1
        self.answers_by_name[write.name].append(answer.label)
        if answer.status == CREATED:
            before = self.acknowledged.setdefault(write.name, answer.body["id"])
            if before != answer.body["id"]:
                self.faults.append(f"{write.name} was {before}, and then {answer.body['id']}")
            self.unknown.pop(write.name, None)
            self.refused.discard(write.name)
            self.on_acknowledgement(write.name)
        elif is_retried(answer):
            is_unknown = answer.status in {0, 409} or answer.reason.startswith("outcome_unknown")
            if is_unknown and write.name not in self.acknowledged:
                self.unknown[write.name] = write
                self.refused.discard(write.name)
            elif write.name not in self.unknown and write.name not in self.acknowledged:
                self.refused.add(write.name)
        else:
            self.faults.append(f"{write.name} was answered {answer.label}")
        return answer

    def settle(self) -> None:
        """Repeat the writes whose outcome is not known."""
        for write in list(self.unknown.values()):
            self.send(write)

    def verify(self) -> dict[str, Any]:
        """Compare the answers with the log of the register; return counts, with the faults."""
        changes: list[dict[str, Any]] = []
        while True:
            answer = self.service.request("GET", f"/v1/changes?limit=1000&after={len(changes)}")
            if not answer.is_success:
                raise RuntimeError(f"the log cannot be read: {answer.label}")
            if not answer.body["data"]:
                break
            changes += answer.body["data"]
        seqs = [change["seq"] for change in changes]
        ids = {change["id"]: name_of_change(change) for change in changes if name_of_change(change)}
        recorded = Counter(name for name in ids.values() if name)
        wrong = [name for name in self.refused if recorded[name]]
        wrong += [name for name, id_ in self.acknowledged.items() if ids.get(id_) != name]
        self.faults += [f"{name} was answered {', '.join(self.answers_by_name[name])}" for name in wrong[:10]]
        return {
            "acknowledged": len(self.acknowledged),
            "lost": sum(ids.get(id_) != name for name, id_ in self.acknowledged.items()),
            "doubled": sum(recorded[name] > 1 for name in {*self.acknowledged, *self.unknown, *self.refused}),
            "recorded although refused": sum(recorded[name] > 0 for name in self.refused),
            "gaps": sum(one != other for one, other in zip(seqs, range(1, len(seqs) + 1), strict=True)),
            "answers": dict(self.answers.most_common()),
            "faults": self.faults,
        }


FAULT_COUNTS = ("lost", "doubled", "recorded although refused", "gaps")


def list_faults(found: dict[str, Any]) -> list[str]:
    """Return what is wrong in the result of `Journal.verify`."""
    return [f"{found[name]} {name}" for name in FAULT_COUNTS if found.get(name)] + list(found["faults"])


class Writers:
    """Threads that write one record after the other, and repeat each until it is acknowledged."""

    def __init__(self, journal: Journal, number: int = 4, seed: int = 1, *, repeats_refused: bool = True) -> None:
        """Prepare the threads.

        Args:
            journal: What notes the answers.
            number: The number of threads.
            seed: The seed of their pauses.
            repeats_refused: Whether they repeat a write that was refused, and not recorded.
        """
        self.journal = journal
        self._repeats_refused = repeats_refused
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(Random(seed + each),)) for each in range(number)]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def _run(self, random: Random) -> None:
        journal = self.journal
        while not self._stop.is_set():
            with self._lock:
                write = journal.next_write()
            while is_retried(journal.send(write)):
                self._stop.wait(RETRY_SECONDS * (1 + random.random()))
                if not self._repeats_refused and write.name in journal.refused:
                    break
            if write.name in journal.acknowledged and random.random() < REPEATED_SHARE:
                journal.send(write)

    def wait_for(self, acknowledged: int, seconds: float = 120.0) -> bool:
        """Wait until so many writes are acknowledged; return whether they are."""
        pause = threading.Event()
        for _ in range(int(seconds / 0.002)):
            if len(self.journal.acknowledged) >= acknowledged:
                return True
            if not any(thread.is_alive() for thread in self._threads):
                return False
            pause.wait(0.002)
        return False

    def stop(self) -> None:
        """Stop the threads after the writes that they are sending. The service must answer."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
