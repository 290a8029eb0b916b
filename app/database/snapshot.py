"""A snapshot: the state of the register that a read sees."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, or_, select
from sqlmodel import Session

from app.database.tables import Change, Clock, Version, columns_of
from app.database.types import BIG_INTEGER
from app.errors import InvalidRequest, invalid_field

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of `seq` 0, before anything was recorded."""

AS_OF = bindparam("as_of", type_=BIG_INTEGER)
"""The past state that is asked for, in statements that are compiled once."""


def is_version_at(columns: Any, as_of: int | BindParameter[int] | None) -> ColumnElement[bool]:  # noqa: ANN401 - of a table or a subquery
    """The condition under which a version is in a state of the register: the present one where `as_of` is none."""
    stands: ColumnElement[bool] = columns.until_seq.is_(None)
    return stands if as_of is None else and_(columns.seq <= as_of, or_(stands, columns.until_seq > as_of))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state of the register: as it stands (`as_of` is none) or as it stood at `as_of`.

    `seq` is the last change in it, `at` that change's time, `known_on` the day by which a claim must have been said,
    `today` the day that ages are counted to: the one asked for, else the day of the view.
    """

    seq: int
    at: datetime
    as_of: int | None = None
    known_on: date | None = None
    latest_seq: int = 0
    """The last change of the register when this was read, whatever state was asked for."""

    @property
    def today(self) -> date:
        """The day for which the answer is given. A past view has its own day, so that its answer stays the same."""
        if self.known_on:
            return self.known_on
        return datetime.now(UTC).date() if self.as_of is None else self.at.date()

    def contains(self, table: type[Version]) -> ColumnElement[bool]:
        """The condition under which a version of `table` is in this view."""
        return self.contains_alias(columns_of(table))

    def contains_alias(self, columns: Any) -> ColumnElement[bool]:  # noqa: ANN401 - SQLModel does not type its columns
        """The same for the columns of an alias."""
        return is_version_at(columns, self.as_of)


def open_snapshot(session: Session, as_of: str | None = None, *, known_on: date | None = None) -> Snapshot:
    """The register as it stands, or as it stood at `as_of`: a time, or `seq:N`.

    Pins the session's picture of the database. Raises `InvalidRequest` for a state that is not reached yet.
    """
    head, at = session.execute(select(Clock.seq, Clock.at)).one()  # type: ignore[call-overload]
    if database := session.info.get("database"):
        database.note_read(head)
    if as_of is None:
        return Snapshot(seq=head, at=at, known_on=known_on, latest_seq=head)
    if as_of.startswith("seq:"):
        seq = int(as_of.removeprefix("seq:"))
        if seq > head:
            raise _state_not_reached(f"The register stands at seq {head}; `{as_of}` is not reached yet.")
        last = Change.seq == seq
    else:
        moment = datetime.fromisoformat(as_of)
        if moment > datetime.now(UTC):
            raise _state_not_reached(f"`{as_of}` has not come yet.")
        last = Change.at <= moment
    stood = select(Change.seq, Change.at).where(last).order_by(Change.at.desc(), Change.seq.desc()).limit(1)  # type: ignore[call-overload, attr-defined]
    seq, at = session.execute(stood).first() or (0, EPOCH)
    return Snapshot(seq=seq, at=at, as_of=seq, known_on=known_on, latest_seq=head)


def _state_not_reached(detail: str) -> InvalidRequest:
    return invalid_field("recorded_as_of", detail, hint="leave it out for the present state", location="query")
