"""Snapshots: the state of the register that a read sees."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, or_, select
from sqlmodel import Session

from app.comparison.supersession import KnowledgeLimit
from app.database.tables import Change, Clock, Version, columns_of
from app.database.types import BIG_INTEGER
from app.errors import InvalidRequest, invalid_field

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of `seq` 0, before the first change."""

AS_OF = bindparam("as_of", type_=BIG_INTEGER)
"""The parameter for the requested past state, in statements that are compiled once."""


def is_version_at(columns: Any, as_of: int | BindParameter[int] | None) -> ColumnElement[bool]:  # noqa: ANN401 - of a table or a subquery
    """Return the condition that a version is valid at `as_of`, or is current if `as_of` is None."""
    is_current: ColumnElement[bool] = columns.until_seq.is_(None)
    return is_current if as_of is None else and_(columns.seq <= as_of, or_(is_current, columns.until_seq > as_of))


def contains_version(table: type[Version], *, past: bool) -> ColumnElement[bool]:
    """Return the condition that a version of `table` is in the snapshot of the parameter `AS_OF`, or is current.

    Statements with it are built once; to build one takes longer than to execute it.
    """
    return is_version_at(columns_of(table), AS_OF if past else None)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state of the register: the current one (`as_of` is None) or the one at `as_of`.

    `seq` is the latest change in the snapshot and `at` the time of that change. `known_on` limits the
    query to what had been said by that day, `known_at` by that moment: `known_on` is then the last day before it, and
    what has no moment of its own counts up to that day.
    """

    seq: int
    at: datetime
    as_of: int | None = None
    known_on: date | None = None
    latest_seq: int = 0
    """The latest change of the register when the snapshot was opened, even if the snapshot is a past state."""
    known_at: datetime | None = None

    @property
    def is_past(self) -> bool:
        """Return whether this is a requested past state, see `contains_version`."""
        return self.as_of is not None

    @property
    def knowledge_limit(self) -> KnowledgeLimit | None:
        """Return the requested `known_on`, or None if there is no limit."""
        return None if self.known_on is None else KnowledgeLimit(self.known_on, self.known_at)

    @property
    def known_on_text(self) -> str | None:
        """Return the requested `known_on` as it appears in responses: a day or a moment; None if there is no limit."""
        if self.known_at is not None:
            return self.known_at.isoformat().replace("+00:00", "Z")
        return None if self.known_on is None else self.known_on.isoformat()

    @property
    def today(self) -> date:
        """Return the day to which ages are counted: that of `known_on`, or the day of the snapshot.

        For a past snapshot that is the day of its latest change, so that the response does not change over time.
        """
        if self.known_at is not None:
            return self.known_at.date()
        if self.known_on is not None:
            return self.known_on
        return datetime.now(UTC).date() if self.as_of is None else self.at.date()

    @property
    def last_known_day(self) -> date:
        """Return the last day that counts whole: that of `known_on`, the day before a moment, or `today`.

        What has no moment, such as a retraction, is known from its day on.
        """
        return self.today if self.known_on is None else self.known_on

    def contains(self, table: type[Version]) -> ColumnElement[bool]:
        """Return the condition that a version of `table` is in this snapshot."""
        return self.contains_alias(columns_of(table))

    def contains_alias(self, columns: Any) -> ColumnElement[bool]:  # noqa: ANN401 - SQLModel does not type its columns
        """Return the condition that a version is in this snapshot, for the columns of an alias."""
        return is_version_at(columns, self.as_of)


def open_snapshot(session: Session, as_of: str | None = None, *, known_on: date | datetime | None = None) -> Snapshot:
    """Open the current snapshot, or the snapshot at `as_of`: a time, or `seq:N`. `known_on` is a day or a moment.

    Reads the clock first, which fixes the database snapshot of the transaction.

    Raises:
        InvalidRequest: `as_of` is in the future.
    """
    latest_seq, at = session.execute(select(Clock.seq, Clock.at)).one()  # type: ignore[call-overload]
    if database := session.info.get("database"):
        database.note_read(latest_seq)
    if as_of is None:
        return build_snapshot(latest_seq, at, latest_seq, known_on=known_on)
    change = columns_of(Change)
    if as_of.startswith("seq:"):
        seq = int(as_of.removeprefix("seq:"))
        if seq > latest_seq:
            raise _future_state(f"The register is at seq {latest_seq}; `{as_of}` is in the future.")
        condition = change.seq == seq
    else:
        moment = datetime.fromisoformat(as_of)
        if moment > datetime.now(UTC):
            raise _future_state(f"`{as_of}` is in the future.")
        condition = change.at <= moment
    latest_change = (
        select(change.seq, change.at).where(condition).order_by(change.at.desc(), change.seq.desc()).limit(1)
    )
    seq, at = session.execute(latest_change).first() or (0, EPOCH)
    return build_snapshot(seq, at, latest_seq, as_of=seq, known_on=known_on)


def build_snapshot(
    seq: int, at: datetime, latest_seq: int, *, as_of: int | None = None, known_on: date | datetime | None = None
) -> Snapshot:
    """Return the snapshot of a state of the register, limited to what had been said by `known_on`."""
    if known_on is None:
        return Snapshot(seq, at, as_of, None, latest_seq)
    limit = KnowledgeLimit.at(known_on)
    return Snapshot(seq, at, as_of, limit.day, latest_seq, limit.moment)


def _future_state(detail: str) -> InvalidRequest:
    return invalid_field("recorded_as_of", detail, hint="omit it for the current state", location="query")
