"""Restores a register from its data package, with all ids, sequence numbers and times."""

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any, cast

import orjson
from sqlalchemy import JSON, Boolean, Column, Date, DateTime, Float, Integer, func, insert, select, text, update
from sqlalchemy.sql.sqltypes import Enum as SqlEnum
from sqlmodel import Session

from app.claims.counts.stored import update_counts
from app.database.engine import Database
from app.database.question_keys import question_key
from app.database.tables import (
    QUESTION_COLUMNS,
    SEARCHABLE_COLUMNS,
    VERSION_TABLES,
    Change,
    ClaimVersion,
    Clock,
    RegisterIdentity,
    columns_of,
    table_of,
)
from app.database.text_folding import search_words
from app.database.transaction import write_transaction
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


def restore_package(database: Database, path: Path) -> dict[str, int]:
    """Fill an empty register from a data package: all of it or nothing. Return the number of rows of each table.

    Raises:
        FileRefused: The register is not empty, or the package is damaged or of another release.
    """
    counts = {}
    with zipfile.ZipFile(path) as archive, database.write() as session:
        descriptor = _read_descriptor(archive)
        _check_target(session, descriptor, path)
        resources = {resource["path"]: resource for resource in descriptor["resources"]}
        tables = sorted(PACKAGE_TABLES, key=lambda each: each.table is not table_of(Change))  # the others refer to it
        for table in tables:
            if table.path not in resources or table.path not in archive.namelist():
                raise FileRefused(f"The package has no {table.path}.", file=path.name)
            counts[table.name] = _restore_table(session, archive, table, resources[table.path]["hash"], path)
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


def _check_target(session: Session, descriptor: dict[str, Any], path: Path) -> None:
    if descriptor["counterclaim"]["format"] != FORMAT_VERSION:
        raise FileRefused("The package is of another release.", file=path.name, hint="restore it with that release")
    if session.execute(select(func.count()).select_from(table_of(Change))).scalar_one():
        hint = "restore it into a new database, after `counterclaim migrate`"
        raise FileRefused("The register is not empty.", file=path.name, hint=hint)


def _restore_table(session: Session, archive: zipfile.ZipFile, table: PackageTable, expected: str, path: Path) -> int:
    count, batch = 0, []
    with archive.open(table.path) as member:
        stream = _HashingStream(member)
        for row in _read_rows(stream, table, path):
            batch.append(row)
            count += 1
            if len(batch) >= BATCH_ROWS:
                session.connection().execute(insert(table.table), batch)
                batch = []
        if batch:
            session.connection().execute(insert(table.table), batch)
        if stream.digest() != expected.removeprefix("sha256:"):
            raise FileRefused(f"{table.path} differs from its checksum.", file=path.name)
    return count


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


def _restore_clock(session: Session, descriptor: dict[str, Any], path: Path) -> None:
    change = columns_of(Change)
    seq, at = session.execute(select(change.seq, change.at).order_by(change.seq.desc()).limit(1)).first() or (0, None)
    if seq != descriptor["counterclaim"]["seq"]:
        raise FileRefused("The package lacks changes.", file=path.name)
    if at is not None:
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
