"""Noticing that the register moved on, whoever wrote: another thread, another process, another machine.

SQLite says so itself (`PRAGMA data_version`, in microseconds), so it is asked before every answer from memory and
nothing lags. PostgreSQL is asked at most once in `LAG` seconds, and whenever this process wrote.
"""

import time
from dataclasses import dataclass
from typing import Any

from app.cache.responses import Changed, Memory
from app.database.engine import BUSY_SECONDS, Database
from app.database.read_session import reading
from app.errors import Unavailable

LAG = 0.3
"""Seconds that an answer from memory may lie behind what another process wrote to PostgreSQL."""

MOST_CHANGES = 200
"""After more changes than this nothing is looked at one by one: everything is forgotten."""

NEW = ("claim", "citation", "assessment")
ALONE = ("document", "import")
FIELDS = ("category", "subject", "place", "source", "kind", "modality", "aggregation")
LEVEL = (
    "COALESCE((SELECT a.level FROM assessment a WHERE a.claim = claim.id AND a.until_seq IS NULL AND NOT a.withdrawn"
    " ORDER BY a.assessed_on DESC, a.id DESC LIMIT 1), 'unassessed')"
)


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen: the register at `seq`, and what changed since the memory's state (none: too much to tell)."""

    seq: int
    changes: list[Changed] | None
    began: float
    written: int
    version: int | None
    day: int


class Watch:
    """Moves a memory on to the present state of the register."""

    def __init__(self, database: Database, memory: Memory) -> None:
        self.memory = memory
        self.instant = database.dialect == "sqlite"
        """Whether looking takes no longer than an answer from memory: then it is done in place, each time."""
        self._database = database
        self._connection: Any = None
        self._last = Look(0, None, -LAG, 0, None, 0)

    def fresh(self) -> bool:
        """Whether the memory may answer without another look."""
        last = self._last
        return time.monotonic() - last.began < LAG and self._database.seen == last.written

    def look(self) -> Look | None:
        """See what changed; none where nothing did. Raises what the database raises. Runs in any thread."""
        # Taken before the look: what is written during it is seen by the next.
        began, written, day = time.monotonic(), self._database.seen, int(time.time() // 86_400)
        version = self._data_version() if self.instant else None
        if self.instant and version == self._last.version and day == self._last.day:
            return None
        known = self.memory.seq
        with self._database.reader.connect() as connection:
            run = connection.exec_driver_sql
            seq = run("SELECT seq FROM clock").scalar_one()
            # Ages are counted to the day, and a retraction begins with one.
            few = day == self._last.day and known <= seq <= known + MOST_CHANGES
            changes = _changes(known, seq, run) if few else None
        return Look(seq, changes, began, written, version, day)

    def move_on(self, look: Look | None) -> None:
        """Forget what a look has shown to be untrue. Only ever called in the event loop."""
        if look is None:
            return
        if look.seq < self.memory.seq:  # a register that went back is another one
            self._database.beside.clear()
        if look.changes is None:
            self.memory.clear()
            self.memory.seq = look.seq
        else:
            self.memory.advance(look.seq, look.changes)
        self._last = look

    def settle(self) -> None:
        """Come back when no process of the service answers with a state before this process's last write any more.

        Raises `Unavailable` where a replica does not follow.
        """
        if self.instant:
            return
        written, deadline = self._database.seen, time.monotonic() + BUSY_SECONDS
        while self._database.shown < written:
            if time.monotonic() > deadline:
                detail = "It is recorded, but the replica that readers are answered from does not follow."
                raise Unavailable(detail, hint="send it again", headers={"Retry-After": "2"})
            with reading(self._database) as read:
                read.view()
            time.sleep(0.02)
        time.sleep(LAG)

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _data_version(self) -> int:
        """A number that is another one after any other connection has committed."""
        if self._connection is None:
            self._connection = self._database.reader.raw_connection()
            self._connection.detach()
        version: int = self._connection.dbapi_connection.execute("PRAGMA data_version").fetchone()[0]
        return version


def _changes(after: int, last: int, run: Any) -> list[Changed]:  # noqa: ANN401 - as above
    if after == last:
        return []
    # Whole numbers, so that the statement is the same text for both drivers.
    between = f"WHERE change.seq > {int(after)} AND change.seq <= {int(last)}"
    rows = run(f"SELECT seq, kind, revision, CAST(claim AS VARCHAR(36)) FROM change {between} ORDER BY seq").all()  # noqa: S608
    claims = run(
        f"SELECT CAST(claim.id AS VARCHAR(36)), {', '.join(f'claim.{name}' for name in FIELDS)}, {LEVEL} "  # noqa: S608
        f"FROM change JOIN claim ON claim.id = change.claim AND claim.until_seq IS NULL {between}"
    ).all()
    fields = {row[0]: dict(zip(("id", *FIELDS, "level"), row, strict=True)) for row in claims}
    return [_changed(seq, kind, revision, fields.get(claim)) for seq, kind, revision, claim in rows]


def _changed(seq: int, kind: str, revision: int, claim: dict[str, str] | None) -> Changed:
    if claim is None or kind not in NEW or revision != 1:
        return Changed(seq, alone=kind in ALONE and revision == 1)
    if kind == "assessment":  # it was on another level before
        claim = {name: value for name, value in claim.items() if name != "level"}
    return Changed(seq, claim=claim)
