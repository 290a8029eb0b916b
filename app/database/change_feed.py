"""The change feed: the only reader of the change log for the caches of a process.

A cache is valid at one `seq`. To advance to a later `seq`, it reads the changes in between and evicts the entries that
they affect. A `ChangeEntry` describes the claim as of the change, so it is the same in all later snapshots. It is
therefore read once and shared by all caches and by readers of different snapshots.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from sqlalchemy import bindparam, case, select
from sqlmodel import Session

from app.database.cache_registry import CacheKey
from app.database.engine import Database
from app.database.read_session import ReadSession
from app.database.tables import VOCABULARY_CHANGE, Change, Version, columns_of, table_of
from app.database.transaction import WriteTransaction

MAX_BUFFERED_CHANGES = 1_000
"""Maximum number of changes in memory. Earlier changes are read from the database again."""

FetchRows = Callable[[str], Sequence[Sequence[Any]]]


@dataclass(frozen=True, slots=True)
class ChangeEntry:
    """A change and the claim that it belongs to."""

    seq: int
    kind: str
    revision: int
    claim: str | None
    claim_version: int | None
    """The version of the claim that was current immediately after the change."""
    fields: Mapping[str, Any] | None
    """The declared fields of that version; None if the change belongs to no claim."""
    previous_fields: Mapping[str, str] | None
    """The declared columns of the version that the change replaced; None if it replaced none."""


@dataclass(frozen=True, slots=True)
class ChangeFields:
    """The fields of the record `change.claim` that caches need to process a change.

    `columns` are columns of `table`. `expressions` are SQL expressions by name; their aliases are `record` for the
    record and `change` for the change.
    """

    table: type[Version]
    columns: Sequence[str]
    expressions: Mapping[str, str]


_declared_fields: list[ChangeFields] = []


def declare_change_fields(fields: ChangeFields) -> None:
    """Declare the claim fields of a `ChangeEntry`. Call it once, when the claims package is imported."""
    _declared_fields[:] = [fields]


class ChangeFeed:
    """A buffer of the latest changes of a database: all changes after `_first_seq`, without gaps."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._first_seq = 0
        self._entries: list[ChangeEntry] = []

    def read(self, fetch_rows: FetchRows, after: int, until: int) -> Sequence[ChangeEntry]:
        """Return the changes after `after` up to `until`, from the buffer where possible."""
        with self._lock:
            first, last = self._first_seq, self._first_seq + len(self._entries)
            if first <= after and until <= last:
                return self._entries[after - first : until - first]
            buffered = self._entries[after - first :] if first <= after < last else []
        start = after + len(buffered)
        entries = _read_changes(fetch_rows, start, until)
        if len(entries) == until - start:  # the buffer is indexed by seq, so it must have no gaps
            self._append(start, entries)
        return [*buffered, *entries]

    def _append(self, after: int, entries: Sequence[ChangeEntry]) -> None:
        with self._lock:
            last = self._first_seq + len(self._entries)
            if after > last:
                self._first_seq, self._entries = after, list(entries)
            elif after >= self._first_seq:
                self._entries += entries[last - after :]
            excess = len(self._entries) - MAX_BUFFERED_CHANGES
            if excess > 0:
                del self._entries[:excess]
                self._first_seq += excess


CHANGE_FEED = CacheKey("change_feed", lambda _database: ChangeFeed())


def changes_since(source: ReadSession | Session, after: int, until: int, limit: int) -> Sequence[ChangeEntry] | None:
    """Return the changes after `after` up to `until`, oldest first.

    Args:
        source: A read transaction that sees at least `until`.
        after: The `seq` at which the cache of the caller is valid.
        until: The `seq` to which the caller advances its cache.
        limit: The maximum number of changes that the caller processes individually.

    Returns:
        The changes, or None if there are more than `limit` or `until` is before `after`.
    """
    if not 0 <= until - after <= limit:
        return None
    if after == until:
        return ()
    database: Database = source.database if isinstance(source, ReadSession) else source.info["database"]
    return database.caches[CHANGE_FEED].read(_fetcher(source), after, until)


def read_last_vocabulary_change(session: Session, until: int) -> int:
    """Return the `seq` of the latest vocabulary change up to `until`, or 0 if there is none. It has a partial index."""
    seq = columns_of(Change).seq
    last = select(seq).where(VOCABULARY_CHANGE, seq <= until).order_by(seq.desc()).limit(1)
    return session.execute(last).scalar() or 0


_CHANGE = table_of(Change).c
_SELECT_CHANGED_KINDS = (
    select(_CHANGE.kind, case((_CHANGE.revision > 1, 1), else_=0)).distinct().where(_CHANGE.seq > bindparam("after"))
)


def read_changed_kinds(transaction: WriteTransaction, after: int) -> set[tuple[str, bool]]:
    """Return the kinds of records that changed after `after`, and whether a record existed before.

    Changes of `transaction` itself are included.
    """
    rows = transaction.fetch_rows(_SELECT_CHANGED_KINDS, {"after": after})
    return {(kind, bool(is_revised)) for kind, is_revised in rows}


def _fetcher(source: ReadSession | Session) -> FetchRows:
    if isinstance(source, ReadSession):
        return source.fetch_rows
    return lambda statement: source.connection().exec_driver_sql(statement).all()


def _read_changes(fetch_rows: FetchRows, after: int, until: int) -> list[ChangeEntry]:
    declared = _declared_fields[0]
    table = table_of(declared.table).name
    names = [*declared.columns, *declared.expressions]
    current_columns = [*(f"record.{column}" for column in declared.columns), *declared.expressions.values()]
    previous_columns = [f"previous.{column}" for column in declared.columns]
    # The integers are part of the text because the two drivers have different placeholders.
    rows = fetch_rows(
        "SELECT change.seq, change.kind, change.revision, CAST(change.claim AS VARCHAR(36)), "  # noqa: S608
        f"record.version, previous.version, {', '.join([*current_columns, *previous_columns])} FROM change "
        f"LEFT JOIN {table} AS record ON record.id = change.claim AND record.seq <= change.seq "
        "AND (record.until_seq IS NULL OR record.until_seq > change.seq) "
        f"LEFT JOIN {table} AS previous ON previous.id = change.claim AND previous.until_seq = change.seq "
        f"WHERE change.seq > {int(after)} AND change.seq <= {int(until)} ORDER BY change.seq"
    )
    return [
        ChangeEntry(
            seq,
            kind,
            revision,
            claim,
            version,
            None if version is None else {"id": claim, **dict(zip(names, values, strict=False))},
            None if previous is None else dict(zip(declared.columns, values[len(names) :], strict=True)),
        )
        for seq, kind, revision, claim, version, previous, *values in rows
    ]
