"""The stored state of long imports that are being published: who publishes them, and whether that process is alive.

Only the owner of an import publishes it. It renews its lease with every transaction, and each transaction checks the
owner while it holds the clock lock. A process may therefore take over an import whose lease has expired.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, insert, select, update
from sqlmodel import Session

from app.database.engine import Database
from app.database.tables import ImportPart, ImportStep, PublishingImport, columns_of, table_of
from app.database.transaction import write_transaction

LEASE_SECONDS = 10.0
"""How long a process may be silent before another one takes over its import."""

PARTS_PER_DELETE = 100

NO_LEASE = datetime.fromtimestamp(0, UTC)

_STATE, _PART = columns_of(PublishingImport), columns_of(ImportPart)


def new_owner() -> str:
    """Return what identifies one attempt to publish, in this process or another one."""
    return uuid4().hex


def find_begun_imports(session: Session, series: str | None = None, *, other_than: str | None = None) -> list[str]:
    """Return the imports of which a part is published: all of them, or those of a series."""
    statement = select(_STATE.import_id).where(_STATE.is_begun.is_(True))
    if series is not None:
        statement = statement.where(_STATE.series == series)
    if other_than is not None:
        statement = statement.where(_STATE.import_id != other_than)
    return list(session.execute(statement).scalars())


def find_import_of_key(session: Session, actor: str, path: str, key: str) -> str | None:
    """Return the begun import whose response is to be stored for an Idempotency-Key, or None."""
    statement = select(_STATE.import_id, _STATE.answer).where(_STATE.is_begun.is_(True), _STATE.actor == actor)
    for import_id, answer in session.execute(statement):
        if answer is not None and (answer["path"], answer["key"]) == (path, key):
            return str(import_id)
    return None


def find_stale_imports(session: Session) -> list[str]:
    """Return the imports whose owner has not renewed its lease in time, oldest first."""
    statement = select(_STATE.import_id).where(_STATE.alive_at < _latest_expired()).order_by(_STATE.import_id)
    return list(session.execute(statement).scalars())


def read_final_step(session: Session, import_id: str) -> dict[str, int] | None:
    """Return what was left out of an import that is finished; None if it is not, or was discarded."""
    step = columns_of(ImportStep)
    statement = select(step.left_out).where(step.import_id == import_id, step.is_final.is_(True))
    found: dict[str, int] | None = session.execute(statement).scalar()
    return found


def add_state(database: Database, state: dict[str, Any]) -> None:
    """Store the state of an import whose parts are about to be stored."""
    with database.write() as session:
        session.execute(insert(PublishingImport).values(**state, alive_at=datetime.now(UTC)))


def add_parts(database: Database, import_id: str, owner: str, parts: Sequence[tuple[int, bytes]]) -> bool:
    """Store parts, and renew the lease; return False if another process has taken the import over."""
    rows = [{"import_id": import_id, "number": number, "content": content} for number, content in parts]
    with database.write() as session:
        if not _renew(session, import_id, owner):
            return False
        session.execute(insert(table_of(ImportPart)), rows)
    return True


def renew_lease(database: Database, import_id: str, owner: str) -> None:
    """Note that the owner is alive, while it waits for another import."""
    with database.write() as session:
        _renew(session, import_id, owner)


def release_lease(database: Database, import_id: str, owner: str) -> None:
    """Let any process take over the import at once."""
    with database.write() as session:
        is_own = (_STATE.import_id == import_id, _STATE.owner == owner)
        session.execute(update(PublishingImport).where(*is_own).values(alive_at=NO_LEASE))


def take_over(database: Database, import_id: str) -> dict[str, Any] | None:
    """Become the owner of an import whose lease has expired, and return its state; None if another process has it."""
    owner = new_owner()
    with write_transaction(database, "import") as transaction:
        state = load_state(transaction.session, import_id)
        if state is None or state["alive_at"] >= _latest_expired():
            return None
        _set_owner(transaction.session, import_id, owner)
    return {**state, "owner": owner}


def load_state(session: Session, import_id: str) -> dict[str, Any] | None:
    """Return the state of an import that is being published, or None."""
    row = session.execute(select(*_STATE).where(_STATE.import_id == import_id)).mappings().first()
    return None if row is None else {str(name): value for name, value in row.items()}


def delete_state(session: Session, import_id: str) -> None:
    """Delete the state of an import, and the parts that are left."""
    session.execute(delete(ImportPart).where(_PART.import_id == import_id))
    session.execute(delete(PublishingImport).where(_STATE.import_id == import_id))


def discard_parts(database: Database, import_id: str, owner: str) -> None:
    """Delete the stored parts of an import of which nothing was recorded, in short transactions.

    They lock the clock: a transaction of the import whose answer was lost has then ended, and is recorded or not.
    """
    while True:
        with write_transaction(database, "import") as transaction:
            session = transaction.session
            state = load_state(session, import_id)
            if state is None or state["owner"] != owner or state["is_begun"]:
                return
            some = select(_PART.number).where(_PART.import_id == import_id).order_by(_PART.number)
            numbers = session.execute(some.limit(PARTS_PER_DELETE)).scalars().all()
            if not numbers:
                delete_state(session, import_id)
                return
            session.execute(delete(ImportPart).where(_PART.import_id == import_id, _PART.number.in_(numbers)))
            _renew(session, import_id, owner)


def _renew(session: Session, import_id: str, owner: str) -> bool:
    """Renew the lease, and return whether it is still that of `owner`."""
    is_own = (_STATE.import_id == import_id, _STATE.owner == owner)
    renewed: Any = session.execute(update(PublishingImport).where(*is_own).values(alive_at=datetime.now(UTC)))
    return bool(renewed.rowcount)


def _set_owner(session: Session, import_id: str, owner: str) -> None:
    values = {"owner": owner, "alive_at": datetime.now(UTC)}
    session.execute(update(PublishingImport).where(_STATE.import_id == import_id).values(values))


def _latest_expired() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=LEASE_SECONDS)
