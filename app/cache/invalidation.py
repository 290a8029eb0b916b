"""Noticing that the register moved on, whoever wrote: another thread, another process, another machine.

SQLite says so itself (`PRAGMA data_version`, in microseconds), so it is asked before every answer from memory and
nothing lags. PostgreSQL is asked at most once in `POLL_INTERVAL_SECONDS` seconds, and whenever this process wrote.
"""

import time
from dataclasses import dataclass
from typing import Any

from app.cache.responses import ChangeImpact, ResponseCache
from app.database.engine import LOCK_TIMEOUT_SECONDS, Database
from app.database.read_session import read_session
from app.errors import Unavailable

POLL_INTERVAL_SECONDS = 0.3
"""Seconds that an answer from memory may lie behind what another process wrote to PostgreSQL."""

MAX_CHANGES_PER_POLL = 200
"""After more changes than this nothing is looked at one by one: everything is forgotten."""

CLAIM_RECORD_KINDS = ("claim", "citation", "assessment")
STANDALONE_KINDS = ("document", "import")
SCOPE_FIELDS = ("category", "subject", "place", "source", "kind", "modality", "aggregation")
LATEST_LEVEL_SQL = (
    "COALESCE((SELECT a.level FROM assessment a WHERE a.claim = claim.id AND a.until_seq IS NULL AND NOT a.withdrawn"
    " ORDER BY a.assessed_on DESC, a.id DESC LIMIT 1), 'unassessed')"
)


@dataclass(frozen=True, slots=True)
class PollResult:
    """What was seen: the register at `seq`, and what changed since the memory's state (none: too much to tell)."""

    seq: int
    changes: list[ChangeImpact] | None
    started_at: float
    latest_seq: int
    data_version: int | None
    day: int


class CacheInvalidator:
    """Moves a memory on to the present state of the register."""

    def __init__(self, database: Database, memory: ResponseCache) -> None:
        self.response_cache = memory
        self.polls_every_request = database.dialect == "sqlite"
        """Whether looking takes no longer than an answer from memory: then it is done in place, each time."""
        self._database = database
        self._connection: Any = None
        self._last_poll = PollResult(0, None, -POLL_INTERVAL_SECONDS, 0, None, 0)

    def is_fresh(self) -> bool:
        """Whether the memory may answer without another look."""
        last = self._last_poll
        return (
            time.monotonic() - last.started_at < POLL_INTERVAL_SECONDS and self._database.latest_seq == last.latest_seq
        )

    def poll(self) -> PollResult | None:
        """See what changed; none where nothing did. Raises what the database raises. Runs in any thread."""
        # Taken before the look: what is written during it is seen by the next.
        began, written, day = time.monotonic(), self._database.latest_seq, int(time.time() // 86_400)
        version = self._data_version() if self.polls_every_request else None
        if self.polls_every_request and version == self._last_poll.data_version and day == self._last_poll.day:
            return None
        known = self.response_cache.seq
        with self._database.read_engine.connect() as connection:
            run = connection.exec_driver_sql
            seq = run("SELECT seq FROM clock").scalar_one()
            # Ages are counted to the day, and a retraction begins with one.
            few = day == self._last_poll.day and known <= seq <= known + MAX_CHANGES_PER_POLL
            changes = _read_changes(known, seq, run) if few else None
        return PollResult(seq, changes, began, written, version, day)

    def apply(self, look: PollResult | None) -> None:
        """Forget what a look has shown to be untrue. Only ever called in the event loop."""
        if look is None:
            return
        if look.seq < self.response_cache.seq:  # a register that went back is another one
            self._database.caches.clear()
        if look.changes is None:
            self.response_cache.clear()
            self.response_cache.seq = look.seq
        else:
            self.response_cache.advance(look.seq, look.changes)
        self._last_poll = look

    def wait_until_visible(self) -> None:
        """Come back when no process of the service answers with a state before this process's last write any more.

        Raises `Unavailable` where a replica does not follow.
        """
        if self.polls_every_request:
            return
        written, deadline = self._database.latest_seq, time.monotonic() + LOCK_TIMEOUT_SECONDS
        while self._database.latest_read_seq < written:
            if time.monotonic() > deadline:
                detail = "It is recorded, but the replica that readers are answered from does not follow."
                raise Unavailable(detail, hint="send it again", headers={"Retry-After": "2"})
            with read_session(self._database) as read:
                read.snapshot()
            time.sleep(0.02)
        time.sleep(POLL_INTERVAL_SECONDS)

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _data_version(self) -> int:
        """A number that is another one after any other connection has committed."""
        if self._connection is None:
            self._connection = self._database.read_engine.raw_connection()
            self._connection.detach()
        version: int = self._connection.dbapi_connection.execute("PRAGMA data_version").fetchone()[0]
        return version


def _read_changes(after: int, last: int, run: Any) -> list[ChangeImpact]:  # noqa: ANN401 - as above
    if after == last:
        return []
    # Whole numbers, so that the statement is the same text for both drivers.
    between = f"WHERE change.seq > {int(after)} AND change.seq <= {int(last)}"
    rows = run(f"SELECT seq, kind, revision, CAST(claim AS VARCHAR(36)) FROM change {between} ORDER BY seq").all()  # noqa: S608
    columns = ", ".join(f"claim.{name}" for name in SCOPE_FIELDS)
    claims = run(
        f"SELECT CAST(claim.id AS VARCHAR(36)), {columns}, {LATEST_LEVEL_SQL} "  # noqa: S608
        f"FROM change JOIN claim ON claim.id = change.claim AND claim.until_seq IS NULL {between}"
    ).all()
    fields = {row[0]: dict(zip(("id", *SCOPE_FIELDS, "level"), row, strict=True)) for row in claims}
    return [_describe_change(seq, kind, revision, fields.get(claim)) for seq, kind, revision, claim in rows]


def _describe_change(seq: int, kind: str, revision: int, claim: dict[str, str] | None) -> ChangeImpact:
    if claim is None or kind not in CLAIM_RECORD_KINDS or revision != 1:
        return ChangeImpact(seq, affects_no_claim=kind in STANDALONE_KINDS and revision == 1)
    if kind == "assessment":  # it was on another level before
        claim = {name: value for name, value in claim.items() if name != "level"}
    return ChangeImpact(seq, claim_fields=claim)
