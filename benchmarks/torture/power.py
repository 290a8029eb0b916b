"""Cut the power of an SQLite register a thousand times, on recordings of what the service wrote and synced.

The service runs with `disk.c` preloaded, under four writers. Each acknowledgement is noted in the same recording. From
it, `disk_states.py` draws what the files may hold after a loss of power at any moment: all that was acknowledged before
must then be in the register, which SQLite opens as after any crash.
"""

import shutil
import sqlite3
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.operate.service import Service
from benchmarks.torture.code_copies import Edit, environment_of, faulty_copy
from benchmarks.torture.disk_states import POLICIES, Disk, read_recording
from benchmarks.torture.preload import create_preload
from benchmarks.torture.servers import new_service, temporary_folder
from benchmarks.torture.writes import Journal, Writers

WRITERS = 4
EVERY_CHECK = 100
"""Of so many states, one is read by `counterclaim check`."""


def record_writes(
    service: Service, acknowledged: int, preload_folder: Path, *, stops: bool = True
) -> tuple[dict[str, bytes], Path, Journal]:
    """Let clients write until so many writes are acknowledged, and stop the service, unless it goes on.

    Returns:
        The files before, the recording, and the journal of the clients.
    """
    path = Path(service.url.removeprefix("sqlite:///"))
    preload = create_preload(preload_folder, path.parent)
    files = {str(each): each.read_bytes() for each in path.parent.iterdir() if not each.name.endswith("-shm")}
    service.settings |= preload.environment
    service.start()
    journal = Journal(service, on_acknowledgement=preload.note)
    writers = Writers(journal, WRITERS)
    writers.start()
    if not writers.wait_for(acknowledged, 300):
        journal.faults.append("no more writes were acknowledged")
    writers.stop()
    if stops:
        service.stop()
    return files, preload.log, journal


def cut_power(
    folder: str,
    files: dict[str, bytes],
    recording: Path,
    cuts: int,
    work: Path,
    *,
    seed: int = 1,
    ignores_syncs: bool = False,
) -> dict[str, Any]:
    """Open the register in the states after so many losses of power.

    Half of them come right after an acknowledgement, the others at any moment. If syncs are ignored, the disk is one
    that does nothing when it is asked to: acknowledged writes must then be lost.
    """
    random = Random(seed)
    operations = [each for each in read_recording(recording) if not (ignores_syncs and each.kind in "FS")]
    notes = [number for number, operation in enumerate(operations) if operation.kind == "N"]
    first = notes[0]
    moments = sorted(
        random.choice(notes) if each % 2 else random.randrange(first, len(operations)) for each in range(cuts)
    )
    disk = Disk(folder, files)
    acknowledged: list[str] = []
    position = 0
    found: Counter[str] = Counter()
    lost_by_policy: Counter[str] = Counter()
    faults: list[str] = []
    for number, moment in enumerate(moments):
        while position <= moment:
            operation = operations[position]
            disk.play(operation)
            if operation.kind == "N":
                acknowledged.append(operation.path)
            position += 1
        policy = POLICIES[number % len(POLICIES)]
        state = disk.draw_state(random, policy)
        lost, fault = examine(state, set(acknowledged), work, check=number % EVERY_CHECK == EVERY_CHECK - 1)
        found["cuts"] += 1
        found["cuts that lost"] += bool(lost)
        found["lost"] += lost
        if lost:
            lost_by_policy[policy] += 1
        if fault:
            faults.append(f"cut {number}, {policy}: {fault}")
    kinds = Counter(operation.kind for operation in operations)
    return {
        **{name: found[name] for name in ("cuts", "cuts that lost", "lost")},
        "cuts that lost, by what the disk kept": dict(lost_by_policy),
        "recorded": {"writes": kinds["W"], "syncs": kinds["S"], "truncations": kinds["T"]},
        "faults": faults[:20],
    }


def examine(state: dict[str, bytes], acknowledged: set[str], work: Path, *, check: bool = False) -> tuple[int, str]:
    """Open a state; return how many acknowledged writes it lacks, and what else is wrong with it."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    name = next(Path(path).name for path in state if path.endswith(".db"))
    for path, content in state.items():
        (work / Path(path).name).write_bytes(content)
    try:
        with closing(sqlite3.connect(work / name)) as connection:
            (verdict,) = connection.execute("PRAGMA quick_check").fetchone()
            count, latest, clock = connection.execute(
                "SELECT count(*), max(seq), (SELECT seq FROM clock) FROM change"
            ).fetchone()
            names = {f"document {title}" for (title,) in connection.execute("SELECT title FROM document")}
            names |= {f"claim {value}" for (value,) in connection.execute("SELECT CAST(value AS INTEGER) FROM claim")}
    except sqlite3.Error as error:
        return len(acknowledged), f"cannot be read: {error}"
    fault = "" if verdict == "ok" else f"quick_check: {verdict}"
    if not count == latest == clock:
        fault = f"{count} changes up to seq {latest}, the clock is at {clock}"
    if check and not fault:
        try:
            Service(f"sqlite:///{work / name}", work).command("check")
        except RuntimeError as error:
            fault = str(error)
    return len(acknowledged - names), fault


NORMAL = Edit("app/database/engine.py", '"synchronous=FULL"', '"synchronous=NORMAL"')
"""What lets a commit return before its rows are on the disk: the test must notice."""


def run(cuts: int, acknowledged: int, *, synchronous: str = "FULL") -> dict[str, Any]:
    """Cut the power of a service on a new register.

    Args:
        cuts: How often.
        acknowledged: How many writes are acknowledged in the recording.
        synchronous: `FULL`, as the service is, or `NORMAL`, with which acknowledged writes must be lost.
    """
    with ExitStack() as stack:
        service = stack.enter_context(new_service("sqlite", Service))
        folder = stack.enter_context(temporary_folder())
        if synchronous == "NORMAL":
            service.settings |= environment_of(stack.enter_context(faulty_copy(NORMAL)))
        files, recording, journal = record_writes(service, acknowledged, folder)
        path = Path(service.url.removeprefix("sqlite:///"))
        found = cut_power(str(path.parent), files, recording, cuts, folder / "state")
    faults = [*found["faults"], *journal.faults]
    if synchronous == "NORMAL":
        faults = [] if found["lost"] else ["nothing was lost with synchronous=NORMAL, so that the test proves nothing"]
    elif found["lost"]:
        faults.append(f"{found['lost']} acknowledged writes lost")
    result = {"database": "sqlite", "synchronous": synchronous, "acknowledged": len(journal.acknowledged), **found}
    return {**result, "faults": faults}
