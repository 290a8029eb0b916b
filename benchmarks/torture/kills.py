"""Kill the process group of the service again and again while clients write."""

import time
from random import Random
from typing import Any

from benchmarks.torture.servers import ForkedService, new_service
from benchmarks.torture.writes import Journal, Writers, list_faults

WRITERS = 4
MAX_WRITES_BETWEEN = 12
MAX_DELAY_SECONDS = 0.03
EVERY_SEVERAL_WORKERS = 10
"""Of so many starts, one is with two workers."""


def kill_repeatedly(service: ForkedService, kills: int, seed: int = 1) -> dict[str, Any]:
    """Kill a service so often under writers that repeat; return the counts of `Journal.verify`.

    A kill comes a random time after a random number of acknowledged writes, so that it meets requests in every state.
    """
    random = Random(seed)
    journal = Journal(service)
    writers = Writers(journal, WRITERS, seed)
    service.start()
    writers.start()
    try:
        for kill in range(kills):
            wanted = len(journal.acknowledged) + random.randrange(1, MAX_WRITES_BETWEEN)
            if not writers.wait_for(wanted):
                journal.faults.append(f"no more writes were acknowledged before kill {kill + 1}")
                break
            time.sleep(random.uniform(0, MAX_DELAY_SECONDS))
            service.kill()
            service.workers = 2 if kill % EVERY_SEVERAL_WORKERS == EVERY_SEVERAL_WORKERS - 1 else 1
            service.start()
    finally:
        writers.stop()
    return {"kills": kills, **journal.verify()}


def run(dialect: str, kills: int) -> dict[str, Any]:
    """Kill a service on a new register; also let `counterclaim check` read everything."""
    with new_service(dialect) as service:
        assert isinstance(service, ForkedService)  # noqa: S101
        before = service.command("check").splitlines()
        found = kill_repeatedly(service, kills)
        service.stop()
        after = service.command("check").splitlines()
        found["check"] = after[-1]
        if after != before:
            found["faults"].append(f"counterclaim check: {after[:5]}, before {before[:5]}")
    return {"database": dialect, **found, "faults": list_faults(found)}
