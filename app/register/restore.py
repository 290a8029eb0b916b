"""Restores a register from its data package, with all ids, sequence numbers and times."""

import csv
import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, cast

import orjson
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Integer,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.sql.sqltypes import Enum as SqlEnum
from sqlmodel import Session

from app.claims.counts.stored import rebuild_counts, remove_counted_claims, update_counts
from app.database.engine import Database
from app.database.question_keys import question_key
from app.database.sql import batch_values
from app.database.tables import (
    QUESTION_COLUMNS,
    SEARCHABLE_COLUMNS,
    VERSION_TABLES,
    AssessmentVersion,
    Change,
    CitationVersion,
    ClaimVersion,
    Clock,
    EpochStart,
    ImportedRow,
    ImportStep,
    RegisterIdentity,
    RelationVersion,
    columns_of,
    table_of,
)
from app.database.text_folding import search_words
from app.database.transaction import WriteTransaction, write_transaction
from app.enums import Status
from app.imports.readers.options import FileRefused
from app.register.package import DESCRIPTOR, FORMAT_VERSION, GUARD, PACKAGE_TABLES, PackageTable

BATCH_ROWS = 1_000

MAX_DESCRIPTOR_BYTES = 10_000_000

MAX_CELL_CHARACTERS = 10_000_000

SEARCHABLE = {table_of(table): names for table, names in SEARCHABLE_COLUMNS.items()}


def is_package(path: Path) -> bool:
    """Return whether a file is a data package of a register."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return DESCRIPTOR in archive.namelist() and "counterclaim" in _read_descriptor(archive)


def read_package_state(path: Path) -> tuple[str, int, int | None]:
    """Return the id of the register in a package, its latest change, and for a delta the change that it follows."""
    with zipfile.ZipFile(path) as archive:
        descriptor = _read_descriptor(archive)
    about = descriptor["counterclaim"]
    return descriptor["id"], about["seq"], about.get("after")


def replace_register(database: Database, path: Path) -> None:
    """Replace everything in a register of SQLite by a whole data package, in one transaction."""
    with zipfile.ZipFile(path) as archive, write_transaction(database, "mirror") as transaction:
        descriptor = _read_descriptor(archive)
        _check_format(descriptor, path)
        session = transaction.session
        session.execute(text("PRAGMA defer_foreign_keys = ON"))
        for table in PACKAGE_TABLES:
            session.execute(delete(table.table))
        _restore_tables(session, archive, descriptor, path)
        _restore_questions(session)
        session.execute(update(table_of(RegisterIdentity)).values(register_id=descriptor["id"]))
        transaction.follow(*_read_end(session, descriptor, path))
        rebuild_counts(transaction)


def apply_delta(database: Database, path: Path) -> None:
    """Apply a delta of the data package to a register of SQLite that has the state before, in one transaction."""
    with zipfile.ZipFile(path) as archive, write_transaction(database, "mirror") as transaction:
        descriptor = _read_descriptor(archive)
        _check_format(descriptor, path)
        about, session = descriptor["counterclaim"], transaction.session
        if about["after"] != transaction.seq:
            raise FileRefused(f"The delta follows seq {about['after']}, not {transaction.seq}.", file=path.name)
        session.execute(text("PRAGMA defer_foreign_keys = ON"))
        if about["erased"]["claims"]:
            _delete_records_of_claims(transaction, about["erased"]["claims"])
        claims = _apply_tables(session, archive, descriptor, path)
        _restore_questions_of(session, claims)
        _restore_epochs(session, about)
        transaction.follow(*_read_end(session, descriptor, path))


def _delete_records_of_claims(transaction: WriteTransaction, claims: list[str]) -> None:
    """Delete what belongs to claims that were taken down; their versions are replaced."""
    for batch in batch_values(claims):
        remove_counted_claims(transaction, batch)
        for table in (CitationVersion, AssessmentVersion, RelationVersion, ImportedRow):
            transaction.session.execute(delete(table).where(columns_of(table).claim.in_(batch)))


def _apply_tables(session: Session, archive: zipfile.ZipFile, descriptor: dict[str, Any], path: Path) -> set[str]:
    """Replace the records in a delta. Return the ids of its claims."""
    claims: set[str] = set()
    for table in _restored_tables():
        kind = VERSION_TABLES.get(table.name)
        batches = _read_batches(archive, descriptor, table, path)
        if kind is None:
            for batch in batches:
                _upsert(session, table, batch)
            continue
        rows = list(chain.from_iterable(batches))  # all versions of a record are replaced at once
        keys = {row[kind.key_name] for row in rows}
        for names in batch_values(keys):
            session.execute(delete(table.table).where(table.table.c[kind.key_name].in_(names)))
        if rows:
            session.execute(insert(table.table), rows)
        if kind is ClaimVersion:
            claims = keys
    return claims


def _upsert(session: Session, table: PackageTable, rows: list[dict[str, Any]]) -> None:
    statement = sqlite_insert(table.table)
    others = {name: statement.excluded[name] for name in rows[0] if not table.table.c[name].primary_key}
    session.execute(statement.on_conflict_do_update(index_elements=table.key, set_=others), rows)


def restore_package(database: Database, path: Path) -> dict[str, int]:
    """Fill an empty register from a data package: all of it or nothing. Return the number of rows of each table.

    Raises:
        FileRefused: The register is not empty, or the package is damaged or of another release.
    """
    with zipfile.ZipFile(path) as archive, database.write() as session:
        descriptor = _read_descriptor(archive)
        _check_target(session, descriptor, path)
        counts = _restore_tables(session, archive, descriptor, path)
        _restore_questions(session)
        _restore_clock(session, descriptor, path)
        if database.dialect == "postgresql":
            _restore_sequences(session)
    with write_transaction(database, "restore") as transaction:
        update_counts(transaction)
    return counts


def _read_descriptor(archive: zipfile.ZipFile) -> dict[str, Any]:
    with archive.open(DESCRIPTOR) as file:
        return cast("dict[str, Any]", orjson.loads(file.read(MAX_DESCRIPTOR_BYTES)))


def _check_format(descriptor: dict[str, Any], path: Path) -> None:
    if descriptor["counterclaim"]["format"] != FORMAT_VERSION:
        raise FileRefused("The package is of another release.", file=path.name, hint="restore it with that release")


def _check_target(session: Session, descriptor: dict[str, Any], path: Path) -> None:
    _check_format(descriptor, path)
    if "after" in descriptor["counterclaim"]:
        hint = "read /v1/export without `after`"
        raise FileRefused("The package has only a part of a register.", file=path.name, hint=hint)
    if session.execute(select(func.count()).select_from(table_of(Change))).scalar_one():
        hint = "restore it into a new database, after `counterclaim migrate`"
        raise FileRefused("The register is not empty.", file=path.name, hint=hint)


def _restored_tables() -> list[PackageTable]:
    """Return the tables with the change log first: the others refer to it."""
    return sorted(PACKAGE_TABLES, key=lambda each: each.table is not table_of(Change))


def _restore_tables(
    session: Session, archive: zipfile.ZipFile, descriptor: dict[str, Any], path: Path
) -> dict[str, int]:
    """Insert all rows of a package. Return the number of rows of each table."""
    counts = Counter[str]()
    for table in _restored_tables():
        counts[table.name] = 0
        for batch in _read_batches(archive, descriptor, table, path):
            session.connection().execute(insert(table.table), batch)
            counts[table.name] += len(batch)
    _restore_epochs(session, descriptor["counterclaim"])
    return counts


def _read_batches(
    archive: zipfile.ZipFile, descriptor: dict[str, Any], table: PackageTable, path: Path
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a table of a package. Raises `FileRefused` at the end if they differ from the checksum."""
    expected = next((each["hash"] for each in descriptor["resources"] if each["path"] == table.path), None)
    if expected is None or table.path not in archive.namelist():
        raise FileRefused(f"The package has no {table.path}.", file=path.name)
    with archive.open(table.path) as member:
        stream = _HashingStream(member)
        rows = _read_rows(stream, table, path)
        while batch := list(islice(rows, BATCH_ROWS)):
            yield batch
        if stream.digest() != expected.removeprefix("sha256:"):
            raise FileRefused(f"{table.path} differs from its checksum.", file=path.name)


def _restore_epochs(session: Session, about: dict[str, Any]) -> None:
    """Replace the epochs, and add the steps of long imports. Packages of earlier releases have neither."""
    if "epochs" in about:
        session.execute(delete(table_of(EpochStart)))
        epochs = [
            {"number": each["number"], "forked_seq": each["forked_at"], "at": datetime.fromisoformat(each["at"])}
            for each in about["epochs"]
        ]
        session.execute(insert(table_of(EpochStart)), epochs)
    if "after" not in about:
        session.execute(delete(table_of(ImportStep)))
    if about.get("steps"):
        session.execute(insert(table_of(ImportStep)), about["steps"])


def _read_rows(stream: "_HashingStream", table: PackageTable, path: Path) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    reader = csv.reader(io.TextIOWrapper(cast("Any", stream), "utf-8", newline=""))
    header = next(reader, [])
    columns = table.columns
    if header != [column.name for column in columns]:
        raise FileRefused(f"{table.path} has other columns than this release.", file=path.name)
    searchable = SEARCHABLE.get(table.table)
    for number, cells in enumerate(reader, 2):
        try:
            row = {column.name: _parse_cell(column, cell) for column, cell in zip(columns, cells, strict=True)}
        except (ValueError, KeyError) as error:
            raise FileRefused(f"{table.path}: {error}.", file=path.name, line=number) from None
        if searchable is not None:
            row["words"] = search_words(*(row[name] for name in searchable))
        elif "words" in table.table.columns:
            row["words"] = []
        if row.get("status") == Status.removed and row.get("until_seq") is None and "fingerprint" in row:
            # The package does not have it, but current claims have different ones.
            row["fingerprint"] = hashlib.sha256(f"removed {row['id']}".encode()).hexdigest()
        yield row


def _parse_cell(column: Column[Any], cell: str) -> Any:  # noqa: ANN401 - by the type of the column
    """Return the value that `format_value` wrote as this cell."""
    if not cell:
        return None if column.nullable else ""
    kind = getattr(column.type, "impl_instance", column.type)
    match kind:
        case JSON():
            return orjson.loads(cell)
        case Boolean():
            return {"true": True, "false": False}[cell]
        case Float():
            return float(cell)
        case Integer():
            return int(cell)
        case DateTime():
            return datetime.fromisoformat(cell)
        case Date():
            return date.fromisoformat(cell)
    value = cell.removeprefix(GUARD)
    enumeration = kind.enum_class if isinstance(kind, SqlEnum) else None
    return value if enumeration is None else enumeration(value)


def _restore_questions(session: Session) -> None:
    """Compute the question of each change, as `app/database/question_keys.py` defines it."""
    claim, change = columns_of(ClaimVersion), columns_of(Change)
    columns = [claim[name] for name in QUESTION_COLUMNS]
    is_current = claim.until_seq.is_(None)
    for question in session.execute(select(*columns).where(is_current).distinct()).all():
        is_equal = [column == value for column, value in zip(columns, question, strict=True)]
        claims = select(claim.id).where(is_current, *is_equal)
        session.execute(
            update(table_of(Change)).where(change.claim.in_(claims)).values(question=question_key(*question))
        )


def _restore_questions_of(session: Session, claims: Iterable[str]) -> None:
    """Compute the question of each change of some claims, as `_restore_questions` does."""
    claim, change = columns_of(ClaimVersion), table_of(Change)
    columns = [claim[name] for name in QUESTION_COLUMNS]
    for batch in batch_values(claims):
        statement = select(claim.id, *columns).where(claim.id.in_(batch), claim.until_seq.is_(None))
        questions = [
            {"of_claim": id_, "new_question": question_key(*question)} for id_, *question in session.execute(statement)
        ]
        if questions:
            is_own = change.c.claim == bindparam("of_claim", type_=change.c.claim.type)
            session.connection().execute(
                change.update().where(is_own).values(question=bindparam("new_question")), questions
            )


def _read_end(session: Session, descriptor: dict[str, Any], path: Path) -> tuple[int, datetime]:
    """Return the latest restored change and its time. Raises `FileRefused` if it is not that of the package."""
    change = columns_of(Change)
    seq, at = session.execute(select(change.seq, change.at).order_by(change.seq.desc()).limit(1)).first() or (0, None)
    if seq != descriptor["counterclaim"]["seq"]:
        raise FileRefused("The package lacks changes.", file=path.name)
    return seq, at or datetime.fromisoformat(descriptor["created"])


def _restore_clock(session: Session, descriptor: dict[str, Any], path: Path) -> None:
    seq, at = _read_end(session, descriptor, path)
    if seq:
        session.execute(update(table_of(Clock)).values(seq=seq, at=at))
    session.execute(update(table_of(RegisterIdentity)).values(register_id=descriptor["id"]))


def _restore_sequences(session: Session) -> None:
    """Let PostgreSQL number new versions after the restored ones."""
    for kind in VERSION_TABLES:
        largest = f"(SELECT coalesce(max(version), 0) + 1 FROM {kind})"  # noqa: S608 - a constant
        session.execute(text(f"SELECT setval(pg_get_serial_sequence('{kind}', 'version'), {largest}, false)"))


class _HashingStream(io.RawIOBase):
    """A stream that computes the hash of what is read from it."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer
        data = self._source.read(len(buffer))
        self._hash.update(data)
        buffer[: len(data)] = data
        return len(data)

    def digest(self) -> str:
        return self._hash.hexdigest()
