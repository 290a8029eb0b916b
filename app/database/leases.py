"""Leases: a takedown is answered when no holder of a lease serves what was taken down.

A holder is whoever keeps copies of what it has read: a process of the service, a purger of a shared cache, a mirror. It
may serve them while it holds its lease, which it renews several times in its length. A renewal succeeds only if the
holder has acknowledged the latest takedown: that it has forgotten every copy from before, and will not read an earlier
state again. A takedown therefore waits until every lease has acknowledged it or has ended, at most one length.

The row of a lease ends by the clock of the database. Its holder measures the length by its own monotonic clock, from
before it sent the renewal, and needs no clock in common with anybody.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, or_, select, text, update
from sqlmodel import Session

from app.database.engine import Database
from app.database.tables import TAKEDOWN_CHANGE, Change, Clock, EpochStart, Lease, LeaseServer, columns_of, table_of
from app.database.types import ID_PATTERN
from app.enums import LeaseKind
from app.errors import LeaseLimit, Unavailable

MARGIN_SECONDS = 1.0
"""For how long the row of a lease stands after its holder has stopped to rely on it: clocks do not run at one speed."""

MAX_REMOTE_LEASES = 32
"""The number of leases that mirrors may hold at the same time: a takedown waits for each."""

POLL_SECONDS = 0.05
"""The time between two looks at the leases that a takedown waits for."""

KEPT_SECONDS = 3600.0
"""For how long the row of a lease that has ended is kept, so that its holder can renew it."""

SELECT_SERVER = text(
    "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
    " || ' ' || extract(epoch FROM pg_postmaster_start_time())"
)
"""What tells a server of PostgreSQL from the same one after a restart, and from a standby that was promoted."""


@dataclass(frozen=True, slots=True, order=True)
class LogPosition:
    """A change of the register, or 0 for none, in an epoch."""

    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class RegisterHead:
    """The latest change of the register, and the latest takedown."""

    latest: LogPosition
    takedown: LogPosition


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease, and for how many seconds. `name` is shown to operators; `key` is the id of its API key."""

    id: str
    kind: LeaseKind
    name: str
    seconds: float
    key: str | None = None


_LATEST_TAKEDOWN = select(columns_of(Change).seq).where(TAKEDOWN_CHANGE).order_by(columns_of(Change).seq.desc())
_SELECT_HEAD = select(
    columns_of(Clock).seq,
    select(func.max(columns_of(EpochStart).number)).scalar_subquery(),
    func.coalesce(_LATEST_TAKEDOWN.limit(1).scalar_subquery(), 0),
)


def read_head(session: Session) -> RegisterHead:
    """Return the latest change and the latest takedown. The session has to read the primary database."""
    seq, epoch, takedown = session.execute(_SELECT_HEAD).one()
    return RegisterHead(LogPosition(epoch, seq), LogPosition(epoch, takedown))


def read_waiting_takedowns(session: Session, acknowledged: LogPosition, limit: int) -> list[int]:
    """Return the first takedowns that a holder has not acknowledged, oldest first; after a fork, all of them."""
    head, change = read_head(session), columns_of(Change)
    after = acknowledged.seq if acknowledged.epoch == head.latest.epoch else 0
    statement = select(change.seq).where(TAKEDOWN_CHANGE, change.seq > after).order_by(change.seq).limit(limit)
    return list(session.execute(statement).scalars())


def renew_lease(session: Session, holder: Holder, acknowledged: LogPosition) -> bool:
    """Renew the lease of a holder, or create it, in a session that writes; return whether it was renewed.

    It is not while a takedown waits for its acknowledgement: then only the acknowledgement is recorded. The holder may
    rely on the lease only if `read_head`, in a transaction that begins after the commit, still finds no other takedown.

    Args:
        session: A session that writes to the primary database. Commit it at once.
        holder: The holder.
        acknowledged: The latest takedown that the holder acknowledges; with seq 0, that it has kept nothing.

    Raises:
        LeaseLimit: As many mirrors hold leases as may.
    """
    head = read_head(session)
    acknowledged = min(acknowledged, head.latest)  # a number from beyond a fork would count for what comes later
    is_current = acknowledged >= head.takedown
    now = read_time(session)
    _note_server(session, now)
    lease = columns_of(Lease)
    values: dict[str, Any] = {"epoch": acknowledged.epoch, "acknowledged": acknowledged.seq}
    if is_current:
        expires_at = now + timedelta(seconds=holder.seconds + MARGIN_SECONDS)
        values |= {"renewed_at": now, "expires_at": expires_at, "seconds": holder.seconds}
    is_own = lease.id == holder.id
    if session.execute(update(Lease).where(is_own).values(values).returning(lease.id)).first() is not None:
        return is_current
    if holder.kind is LeaseKind.mirror:
        _check_limit(session, now)
    session.execute(delete(table_of(Lease)).where(lease.expires_at < now - timedelta(seconds=KEPT_SECONDS)))
    about = {"id": holder.id, "kind": holder.kind, "holder": holder.name, "key": holder.key, "seconds": holder.seconds}
    session.execute(insert(table_of(Lease)).values(about | {"renewed_at": now, "expires_at": now} | values))
    return is_current


def _check_limit(session: Session, now: datetime) -> None:
    lease = columns_of(Lease)
    session.execute(select(columns_of(Clock).seq).with_for_update())  # one after the other
    may_be_renewed = lease.key.is_not(None) & (lease.renewed_at > now - timedelta(seconds=KEPT_SECONDS))
    is_counted = (lease.kind == LeaseKind.mirror) & or_(may_be_renewed, lease.expires_at > now)
    if session.execute(select(func.count()).where(is_counted)).scalar_one() >= MAX_REMOTE_LEASES:
        raise LeaseLimit(
            f"{MAX_REMOTE_LEASES} mirrors hold leases, which is the limit of a register.",
            hint="an operator lists them with `counterclaim lease list`, and ends one with `counterclaim lease revoke`",
        )


def has_lease(session: Session, id_: str, key: str) -> bool:
    """Return whether there is a lease with an id that an API key has created, and that was not revoked."""
    lease = columns_of(Lease)
    return session.execute(select(lease.id).where(lease.id == id_, lease.key == key)).first() is not None


def revoke_lease(session: Session, id_: str) -> Lease | None:
    """Let the lease of a mirror not be renewed any more, and return it; None if there is no such lease.

    Takedowns wait for it until it has ended. One of a process of the service stays as it is.
    """
    if not ID_PATTERN.fullmatch(id_):
        return None
    lease: Lease | None = session.execute(select(Lease).where(columns_of(Lease).id == id_)).scalar()
    if lease is not None and lease.kind is LeaseKind.mirror:
        lease.key = None
    return lease


def end_lease(session: Session, id_: str) -> bool:
    """Remove a lease whose holder has stopped to serve; return whether there was one."""
    lease = columns_of(Lease)
    return session.execute(delete(Lease).where(lease.id == id_).returning(lease.id)).first() is not None


def list_leases(session: Session, *, at: datetime | None = None) -> Sequence[Lease]:
    """Return the leases, oldest renewal first; with `at` only those that have not ended then."""
    lease = columns_of(Lease)
    statement = select(Lease).order_by(lease.renewed_at, lease.id)
    return session.execute(statement if at is None else statement.where(lease.expires_at > at)).scalars().all()


def read_time(session: Session) -> datetime:
    """Return the time of the clock of the database. SQLite has that of this machine."""
    if session.connection().dialect.name == "sqlite":
        return datetime.now(UTC)
    now: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
    return now


def wait_for_acknowledgements(database: Database, lease_seconds: float) -> None:
    """Block until each lease has ended, or its holder has acknowledged the latest takedown.

    The rows of leases can be missing after a standby of PostgreSQL was promoted, and the clock of a server wrong after
    it was restarted: this waits then until any lease from before has ended.

    Args:
        database: The database, to which the takedown is committed.
        lease_seconds: The length of the leases of this service, for holders whose rows are missing.

    Raises:
        Unavailable: A standby was promoted meanwhile, which may lack the takedown.
    """
    with database.read_primary() as session:
        takedown = read_head(session).takedown
    longest = lease_seconds + MARGIN_SECONDS
    started_at = time.monotonic()
    server_seconds = _seconds_on_server(database)
    while True:
        with database.read_primary() as session:
            epoch = read_head(session).latest.epoch
            leases = session.execute(_select_unacknowledged(takedown, read_time(session))).all()
        if epoch != takedown.epoch:
            detail = "A standby was promoted while the takedown waited. It may lack the takedown."
            raise Unavailable(detail, hint="send the request again", headers={"Retry-After": "1"})
        waited = time.monotonic() - started_at
        longest = max([longest, *(seconds + MARGIN_SECONDS for (seconds,) in leases)])
        if waited > longest or (not leases and waited + server_seconds > longest):
            return
        time.sleep(POLL_SECONDS)


def _select_unacknowledged(takedown: LogPosition, now: datetime) -> Select[float]:
    lease = columns_of(Lease)
    is_unacknowledged: ColumnElement[bool] = or_(
        lease.epoch < takedown.epoch, and_(lease.epoch == takedown.epoch, lease.acknowledged < takedown.seq)
    )
    return select(lease.seconds).where(lease.expires_at > now, is_unacknowledged)


def _seconds_on_server(database: Database) -> float:
    """Return for how long leases have been renewed on the server of the primary database; infinity: always."""
    if database.dialect == "sqlite":
        return float("inf")
    with database.write() as session:
        now = read_time(session)
        _note_server(session, now)
        since = session.execute(select(columns_of(LeaseServer).since)).scalar()
    return float("inf") if since is None else (now - since).total_seconds()


def _note_server(session: Session, now: datetime) -> None:
    """Record since when leases have been renewed on this server of PostgreSQL, if it is not the one of before."""
    if session.connection().dialect.name == "sqlite":
        return
    server = session.execute(SELECT_SERVER).scalar_one()
    known = columns_of(LeaseServer)
    recorded = session.execute(select(known.server)).scalar()
    if recorded is None:
        statement = "INSERT INTO lease_server (id, server) VALUES (1, :server) ON CONFLICT DO NOTHING"
        session.execute(text(statement), {"server": server})
    elif recorded != server:
        is_other = known.server != server
        session.execute(update(table_of(LeaseServer)).where(is_other).values(server=server, since=now))
