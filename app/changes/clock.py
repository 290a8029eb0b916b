"""The register's clock: every write takes the next `seq`, and every version is valid from one `seq` until another."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, or_, select, update
from sqlmodel import Session

from app.db import Database
from app.problems import InvalidRequest, invalid
from app.tables import SEARCHED, VERSIONED, Change, Clock, Version, columns_of, table_of
from app.words import words_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of `seq` 0, before anything was recorded."""


@dataclass(frozen=True, slots=True)
class View:
    """A state of the register: as it stands (`as_of` is none) or as it stood at `as_of`.

    `seq` is the last change in it, `at` that change's time, `known_on` the day by which a claim must have been said,
    `today` the day that ages are counted to: the one asked for, else the day of the view.
    """

    seq: int
    at: datetime
    as_of: int | None = None
    known_on: date | None = None

    @property
    def today(self) -> date:
        """The day for which the answer is given. A past view has its own day, so that its answer stays the same."""
        if self.known_on:
            return self.known_on
        return datetime.now(UTC).date() if self.as_of is None else self.at.date()

    def holds(self, table: type[Version]) -> ColumnElement[bool]:
        """The condition under which a version of `table` is in this view."""
        return self.among(columns_of(table))

    def among(self, columns: Any) -> ColumnElement[bool]:  # noqa: ANN401 - SQLModel does not type its columns
        """The same for the columns of an alias."""
        if self.as_of is None:
            stands: ColumnElement[bool] = columns.until_seq.is_(None)
            return stands
        return and_(columns.seq <= self.as_of, or_(columns.until_seq.is_(None), columns.until_seq > self.as_of))


def view_of(session: Session, as_of: str | None = None, *, known_on: date | None = None) -> View:
    """The register as it stands, or as it stood at `as_of`: a time, or `seq:N`.

    Pins the session's picture of the database. Raises `InvalidRequest` for a state that is not reached yet.
    """
    head, at = session.execute(select(Clock.seq, Clock.at)).one()  # type: ignore[call-overload]
    if database := session.info.get("database"):
        database.saw(head)
    if as_of is None:
        return View(seq=head, at=at, known_on=known_on)
    if as_of.startswith("seq:"):
        seq = int(as_of.removeprefix("seq:"))
        if seq > head:
            raise _not_reached(f"The register stands at seq {head}; `{as_of}` is not reached yet.")
        last = Change.seq == seq
    else:
        moment = datetime.fromisoformat(as_of)
        if moment > datetime.now(UTC):
            raise _not_reached(f"`{as_of}` has not come yet.")
        last = Change.at <= moment
    stood = select(Change.seq, Change.at).where(last).order_by(Change.seq.desc()).limit(1)  # type: ignore[call-overload, attr-defined]
    seq, at = session.execute(stood).first() or (0, EPOCH)
    return View(seq=seq, at=at, as_of=seq, known_on=known_on)


def _not_reached(detail: str) -> InvalidRequest:
    return invalid("recorded_as_of", detail, hint="leave it out for the present state", location="query")


class Log:
    """The pen of one writing transaction: it holds the clock, so `seq` has no gaps and no two writers share one."""

    def __init__(self, session: Session, actor: str) -> None:
        self.session = session
        self.actor = actor
        # PostgreSQL: the row lock makes writers queue here, before they read what they are about to change.
        # SQLite: BEGIN IMMEDIATE has already done so.
        row = session.execute(select(Clock.seq, Clock.at).with_for_update()).one()  # type: ignore[call-overload]
        self.seq: int = row.seq
        # The clock of the machine may be set back; the register's never is.
        self.at = max(row.at, datetime.now(UTC))

    @property
    def view(self) -> View:
        """The register as it stands inside this transaction."""
        return View(seq=self.seq, at=self.at)

    def record(
        self,
        table: type[Version],
        key: str,
        state: Mapping[str, Any],
        *,
        action: str,
        claim: str | None = None,
        reason: str | None = None,
    ) -> int:
        """Take the next `seq` and make `state` the standing version of `key`; return its revision."""
        revision = self._revision(table, key) + 1
        self._tick(KINDS[table], key, action, revision, claim, reason)
        self.put(table, key, state, revision)
        return revision

    def put(self, table: type[Version], key: str, state: Mapping[str, Any], revision: int | None = None) -> None:
        """Make `state` the standing version of `key` under the entry recorded last: a claim carries its citations."""
        revision = revision or self._revision(table, key) + 1
        if revision > 1:
            self.close(table, key)
        stamped = {**state, table.key_name: key, "revision": revision, "seq": self.seq, "recorded_at": self.at}
        if table in SEARCHED:
            stamped["words"] = words_of(*(state[name] for name in SEARCHED[table]))
        self.session.execute(insert(table_of(table)).values(stamped))

    def close(self, table: type[Version], key: str) -> None:
        """End the standing version of `key` with the entry recorded last."""
        closed = {"until_seq": self.seq, "recorded_until": self.at}
        self.session.execute(update(table_of(table)).where(*self._stands(table, key)).values(closed))

    def _stands(self, table: type[Version], key: str) -> tuple[ColumnElement[bool], ...]:
        columns = columns_of(table)
        return columns[table.key_name] == key, columns.until_seq.is_(None)

    def _revision(self, table: type[Version], key: str) -> int:
        """The revision of `key` that stands, 0 if there is none."""
        stood = select(columns_of(table).revision).where(*self._stands(table, key))
        return self.session.execute(stood).scalar() or 0

    def _tick(self, kind: str, key: str, action: str, revision: int, claim: str | None, reason: str | None) -> None:
        self.seq += 1
        self.session.execute(
            insert(table_of(Change)).values(
                seq=self.seq,
                at=self.at,
                kind=kind,
                key=key,
                action=action,
                revision=revision,
                claim=claim,
                actor=self.actor,
                reason=reason,
            )
        )
        self.session.execute(update(table_of(Clock)).values(seq=self.seq, at=self.at))


@contextmanager
def writing(database: Database, actor: str) -> Iterator[Log]:
    """A writing transaction with its log: everything in the block is recorded, or nothing is."""
    with database.write() as session:
        log = Log(session, actor)
        yield log
    database.seen = max(database.seen, log.seq)


KINDS: dict[type[Version], str] = {table: kind for kind, table in VERSIONED.items()}
