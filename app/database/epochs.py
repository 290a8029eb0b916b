"""Epochs: a register whose history forked has a new epoch, to which its sequence numbers from then on belong.

History forks where a backup is restored, or a standby is promoted that had not received everything. Numbers after the
fork are then used again. A request with a number and an earlier epoch gets a 409. The first write on a promoted standby
begins an epoch (see `WriteTransaction`), a restore does so itself.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, insert, select, update
from sqlmodel import Session

from app.database.cache_registry import CacheKey
from app.database.engine import Database
from app.database.tables import Clock, EpochStart, columns_of, table_of
from app.errors import HistoryForked

RECENT_SECONDS = 0.3
"""How old the epochs may be with which that of a client is compared."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch: its number, and the last change that it has in common with the one before."""

    number: int
    forked_seq: int
    at: datetime


def read_epochs(session: Session) -> list[Epoch]:
    """Return all epochs, oldest first."""
    columns = columns_of(EpochStart)
    rows = session.execute(select(columns.number, columns.forked_seq, columns.at).order_by(columns.number)).all()
    return [Epoch(*row) for row in rows]


def latest_epoch(session: Session) -> int:
    """Return the number of the latest epoch."""
    number: int = session.execute(select(func.max(columns_of(EpochStart).number))).scalar_one()
    return number


def begin_epoch(session: Session, after: int = 0) -> Epoch:
    """Begin a new epoch after the latest change. Processes that serve the register have to be started again.

    Args:
        session: A session that writes.
        after: An epoch that clients may know, although this database does not.
    """
    seq: int = session.execute(select(columns_of(Clock).seq)).scalar_one()
    epoch = Epoch(max(latest_epoch(session), after) + 1, seq, datetime.now(UTC))
    session.execute(insert(table_of(EpochStart)).values(number=epoch.number, forked_seq=epoch.forked_seq, at=epoch.at))
    return epoch


def find_fork(epochs: Sequence[Epoch], number: int, seq: int) -> Epoch | None:
    """Return the fork before a change that a client knows, or None if the register still has that change.

    Args:
        epochs: All epochs of the register.
        number: The epoch of the client.
        seq: The change.
    """
    later = [epoch for epoch in epochs if epoch.number > number and epoch.forked_seq < seq]
    return min(later, key=lambda epoch: epoch.forked_seq, default=None)


def history_forked(fork: Epoch, epoch: int | None, seq: int, latest: int) -> HistoryForked:
    """Return the problem of a request that names a change which was lost in a fork. `epoch` is its epoch, if named."""
    change = f"change {seq}" if epoch is None else f"change {seq} of epoch {epoch}"
    return HistoryForked(
        f"The history of the register forked after seq {fork.forked_seq}. It does not have {change}.",
        hint=f"forget what you read after seq {fork.forked_seq}, and go on from there in the latest epoch",
        more={"forked_at": fork.forked_seq, "epoch": latest},
    )


def forget_timeline(session: Session) -> None:
    """Forget on which server the register was written: it was copied to another one, or restored there."""
    session.execute(update(table_of(EpochStart)).values(timeline=None))


class EpochList:
    """The epochs of a register."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._epochs: list[Epoch] = []
        self._read_at = 0.0

    def read_recent(self) -> list[Epoch]:
        """Return all epochs of `RECENT_SECONDS` ago: another process may have met a fork that this one has not yet.

        A file of SQLite is restored only while no process serves it.
        """
        if self._database.dialect == "postgresql" and time.monotonic() - self._read_at > RECENT_SECONDS:
            self._read_at = time.monotonic()
            self.reload()
        return self.read()

    def read(self) -> list[Epoch]:
        """Return all epochs, oldest first. Reads the database the first time."""
        if not self._epochs:
            self.reload()
        return self._epochs

    def load(self, session: Session) -> None:
        """Read the epochs with an open session."""
        self._epochs = read_epochs(session)

    def replace(self, epochs: list[Epoch]) -> None:
        """Hold all epochs, the last of which has just begun."""
        self._epochs = epochs

    @property
    def is_loaded(self) -> bool:
        """Return whether the epochs were read."""
        return bool(self._epochs)

    @property
    def latest(self) -> int:
        """Return the number of the latest epoch, without reading the database. The start of the service reads it."""
        return self._epochs[-1].number if self._epochs else 1

    def reload(self) -> None:
        """Read the epochs again: the register went back to an earlier state."""
        with self._database.read() as session:
            self._epochs = read_epochs(session)


EPOCHS = CacheKey("epochs", EpochList, keep_on_reset=True)
