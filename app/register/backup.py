"""Backups of a register: `counterclaim backup` and `counterclaim restore`.

A backup is a copy of the file of SQLite, or an archive of `pg_dump`. Its name begins with the id of the register, and
contains the time and the latest change. Backups contain the hashes of API keys, so that only their owner may read them.
"""

import fcntl
import os
import re
import shutil
import sqlite3
import struct
import subprocess
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from sqlalchemy import create_engine, inspect, select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, SQLModel

from app.database.engine import Database, SchemaStale, alembic_config, expected_migration, migration_numbers
from app.database.epochs import Epoch, begin_epoch, forget_timeline, read_epochs
from app.database.quick_check import run_quick_check
from app.database.servers import address_for_programs
from app.database.tables import (
    Change,
    Clock,
    EpochStart,
    ErasedKey,
    RegisterIdentity,
    SourceVersion,
    columns_of,
    table_of,
)
from app.database.transaction import write_transaction
from app.errors import BackupFailed, Problem
from app.settings import Settings
from app.sources.queries import slug_digest
from app.takedown.claims import take_down_claims
from app.takedown.documents import take_down_documents
from app.takedown.files import erase_files
from app.takedown.sources import take_down_source

SUFFIXES = {"sqlite": ".db", "postgresql": ".dump"}

BACKUP_NAME = re.compile(r"counterclaim-[0-9a-f]{12}-\d{8}T\d{6}Z-seq\d+\.(db|dump)")

SQLITE_SHARED_LOCK = (0x40000002, 510)
"""The bytes of a file that every connection of SQLite in write-ahead mode locks (`SHARED_FIRST` in its os_unix.c)."""


@dataclass(frozen=True, slots=True)
class RegisterMark:
    """Which register a database contains, up to which change, and in which epoch."""

    id: str
    seq: int
    epoch: int


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What a restore has done."""

    mark: RegisterMark
    epoch: Epoch | None
    """The new epoch; None if the register had no later change than the backup."""
    takedowns: int
    """How many takedowns after the backup were repeated."""
    previous: Path | None
    """Where the file that was replaced is now."""


def read_mark(session: Session) -> RegisterMark:
    """Return the id of a register, its latest change and its epoch."""
    id_ = session.execute(select(columns_of(RegisterIdentity).register_id)).scalar_one()
    seq = session.execute(select(columns_of(Clock).seq)).scalar_one()
    has_epochs = inspect(session.connection()).has_table(table_of(EpochStart).name)  # not in older backups
    return RegisterMark(str(id_), seq, read_epochs(session)[-1].number if has_epochs else 1)


def back_up(database: Database, folder: Path, keep: int | None = None) -> Path:
    """Write a backup into `folder` while the register is served, and return its path.

    Args:
        database: The database.
        folder: The folder, which is created if it does not exist.
        keep: How many backups of this register stay; the oldest others are removed. None: all.

    Raises:
        BackupFailed: It cannot be written, or the copy is damaged.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f".counterclaim-{os.getpid()}.part"
        unfinished.unlink(missing_ok=True)
        try:
            mark = _copy_sqlite(database, unfinished) if database.dialect == "sqlite" else _dump(database, unfinished)
            path = folder / _backup_name(mark, SUFFIXES[database.dialect])
            unfinished.rename(path)
            _sync_folder(folder)
        finally:
            unfinished.unlink(missing_ok=True)
        if keep is not None:
            _remove_oldest(folder, path, keep)
    except OSError as error:
        raise BackupFailed(f"The backup cannot be written to {folder}: {error.strerror or error}.") from None
    return path


def _backup_name(mark: RegisterMark, suffix: str) -> str:
    digits = mark.id.replace("-", "")[-12:]
    return f"counterclaim-{digits}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-seq{mark.seq}{suffix}"


def _copy_sqlite(database: Database, target: Path) -> RegisterMark:
    """Copy a file that is in use: `VACUUM INTO` sees one state of it, and writers go on."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # SQLite fills an empty file
    with closing(sqlite3.connect(str(database.url.database), timeout=60, isolation_level=None)) as connection:
        connection.execute("VACUUM INTO ?", [str(target)])
    if (damage := run_quick_check(str(target))) is not None:
        raise BackupFailed(f"The copy is damaged: {damage}.")
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    return _read_file_mark(target)


def _read_file_mark(path: Path) -> RegisterMark:
    """Return the mark of a file of SQLite. Raises `BackupFailed` if it is no register."""
    try:
        engine = create_engine(f"sqlite:///{path}")
        with Session(engine) as session:
            return read_mark(session)
    except SQLAlchemyError as error:
        raise BackupFailed(f"{path.name} is no register: {str(error).splitlines()[0]}.") from None
    finally:
        engine.dispose()


def _dump(database: Database, target: Path) -> RegisterMark:
    with database.connect_primary() as connection:
        snapshot = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
        mark = read_mark(Session(connection))
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _run(database, "pg_dump", ["--format=custom", f"--snapshot={snapshot}", f"--file={target}"])
    _run(database, "pg_restore", ["--list", str(target)], connects=False)
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    return mark


def _run(
    database: Database,
    program: str,
    arguments: Sequence[str],
    *,
    connects: bool = True,
    source: IO[bytes] | None = None,
    output: IO[bytes] | None = None,
) -> str:
    """Run a program of PostgreSQL, and return its output unless it is written to `output`.

    The password is passed in the environment, where `ps` does not show it.
    """
    found = shutil.which(program)
    if found is None:
        raise BackupFailed(f"{program} is not installed, or not in PATH: it comes with the client of PostgreSQL.")
    url, environment = database.url, dict(os.environ)
    if connects:
        if url.password is not None:
            environment["PGPASSWORD"] = str(url.password)
        address = address_for_programs(database.write_engine.dialect, url)
        arguments = [f"--dbname={address}", *arguments]
    done = subprocess.run(  # noqa: S603 - a program of PostgreSQL
        [found, *arguments],
        env=environment,
        stdin=source or subprocess.DEVNULL,
        stdout=output or subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        told = done.stderr.decode("utf-8", "replace").splitlines()
        lines = [line for line in told if line.strip()] or [f"exit status {done.returncode}"]
        raise BackupFailed(f"{program} failed: {lines[0]}")
    return (done.stdout or b"").decode("utf-8", "replace")


def _remove_oldest(folder: Path, latest: Path, keep: int) -> None:
    prefix = latest.name[: latest.name.index("-", len("counterclaim-")) + 1]
    own = sorted(each for each in folder.iterdir() if BACKUP_NAME.fullmatch(each.name) and each.name.startswith(prefix))
    for path in own[: max(0, len(own) - max(keep, 1))]:
        path.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def restore(settings: Settings, backup: Path) -> RestoreResult:
    """Replace the register by a backup, migrate and check it, and repeat the takedowns since then.

    Raises:
        BackupFailed: Somebody serves the database, or the backup is damaged, of a newer release, or no backup. Nothing
            is changed then.
    """
    if not backup.is_file():
        raise BackupFailed(f"{backup} is not a file.")
    database = Database(settings)
    try:
        if database.dialect == "sqlite":
            return _restore_file(database, backup)
        return _restore_dump(database, backup)
    finally:
        database.close()


def _restore_file(database: Database, backup: Path) -> RestoreResult:
    target = Path(str(database.url.database)).absolute()
    with suppress(FileNotFoundError):
        if backup.samefile(target):
            raise BackupFailed("The backup is the database itself.")
    if (damage := run_quick_check(str(backup))) is not None:
        raise BackupFailed(f"{backup.name} is damaged: {damage}.")
    mark = _read_file_mark(backup)
    with closing(sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        _refuse_newer(backup, connection.execute(SELECT_MIGRATION).fetchone()[0])
    _refuse_served_file(target)
    unfinished = target.with_name(f"{target.name}-restore")
    for suffix in ("", "-wal", "-shm"):
        unfinished.with_name(unfinished.name + suffix).unlink(missing_ok=True)
    try:
        shutil.copyfile(backup, unfinished)
        unfinished.chmod(0o600)
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        _migrate_file(unfinished)
        previous = _set_aside(target)
        unfinished.rename(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise BackupFailed(f"{target} cannot be replaced: {error.strerror or error}.") from None
    finally:
        for suffix in ("", "-wal", "-shm"):
            unfinished.with_name(unfinished.name + suffix).unlink(missing_ok=True)
    taken, newer = _read_takedowns(previous, mark)
    return _finish(database, mark, newer, taken, previous)


SELECT_MIGRATION = "SELECT version_num FROM alembic_version"


def _refuse_newer(backup: Path, migration: str) -> None:
    """Raise `BackupFailed` if a backup was written by a newer release."""
    if migration not in migration_numbers():
        raise BackupFailed(
            f"{backup.name} is at migration {migration}, which this release does not have. It was written by a newer "
            "release: restore it with that release."
        )


def _migrate_file(path: Path) -> None:
    """Migrate the copy of a backup before it replaces the register. All its changes are then in the file."""
    copy = Database(Settings(database_url=f"sqlite:///{path}", database_read_url=""))
    try:
        _migrate(copy)
    finally:
        copy.close()
    with closing(sqlite3.connect(str(path))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _migrate(database: Database) -> None:
    """Migrate a backup of an older release."""
    from alembic import command  # noqa: PLC0415 - slow to import

    with database.write_engine.connect() as connection:
        if connection.exec_driver_sql(SELECT_MIGRATION).scalar() != expected_migration():
            connection.rollback()
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    try:
        database.check_schema()
    except SchemaStale as stale:
        raise BackupFailed(f"The backup cannot be migrated. {stale}") from None


def _refuse_served_file(path: Path) -> None:
    """Raise `BackupFailed` if a connection of SQLite has the file open, in any process."""
    if not path.exists():
        return
    start, length = SQLITE_SHARED_LOCK
    with path.open("rb+") as file:
        lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
        # A lock of the open file, which this process does not share with its other connections, where there are such.
        command = getattr(fcntl, "F_OFD_GETLK", fcntl.F_GETLK)
        found = struct.unpack("hhqqi4x", fcntl.fcntl(file, command, lock))
    if found[0] != fcntl.F_UNLCK:
        raise BackupFailed(f"The process {found[4]} has {path} open. Stop the service before you restore.")


def _set_aside(target: Path) -> Path | None:
    """Rename the file that is replaced, with its write-ahead log, and return its new path."""
    if not target.exists():
        for suffix in ("-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        return None
    # With all changes in one file, a crash between the renames below loses none of them.
    with suppress(sqlite3.Error), closing(sqlite3.connect(str(target))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    previous = target.with_name(f"{target.name}-before-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            target.with_name(target.name + suffix).rename(previous.with_name(previous.name + suffix))
    return previous


@dataclass(frozen=True, slots=True)
class Takedown:
    """A takedown of a register, by which it is repeated in another one."""

    kind: str
    key: str
    reason: str
    digest: str | None = None
    """The hash of the slug of a source, which the takedown erased."""


def _read_takedowns(previous: Path | None, mark: RegisterMark) -> tuple[list[Takedown], RegisterMark | None]:
    """Return the takedowns after the backup, and the mark of the newer register, if it can be read."""
    if previous is None:
        return [], None
    try:
        engine = create_engine(f"sqlite:///{previous}")
        with Session(engine) as session:
            newer = read_mark(session)
            return (find_takedowns(session, mark.seq) if newer.id == mark.id else []), newer
    except (SQLAlchemyError, ValueError):  # the register that is replaced may be damaged
        return [], None
    finally:
        engine.dispose()


def find_takedowns(session: Session, after: int) -> list[Takedown]:
    """Return the takedowns of a register after a change."""
    change, erased = columns_of(Change), columns_of(ErasedKey)
    digests = {row.record: row.digest for row in session.execute(select(erased.digest, erased.record))}
    rows = session.execute(
        select(change.kind, change.key, change.reason)
        .where(change.action == "takedown", change.seq > after)
        .order_by(change.seq)
    )
    return [Takedown(row.kind, row.key, row.reason or "", digests.get(row.key)) for row in rows]


def repeat_takedowns(database: Database, takedowns: Sequence[Takedown]) -> int:
    """Repeat takedowns in a register that was restored; return how many of them were necessary."""
    repeated = 0
    for takedown in takedowns:
        try:
            with write_transaction(database, "restore") as transaction:
                before = transaction.seq
                reason = takedown.reason or "Taken down after the backup."
                if takedown.kind == "claim":
                    take_down_claims(transaction, [takedown.key], reason)
                elif takedown.kind == "document":
                    take_down_documents(transaction, [takedown.key], reason)
                elif takedown.kind == "source" and takedown.digest is not None:
                    _repeat_source(transaction, takedown.digest, reason)
                repeated += transaction.seq > before
        except Problem:  # it was not recorded yet, or was taken down with another record
            continue
    if repeated:
        erase_files(database)
    return repeated


def _repeat_source(transaction: Any, digest: str, reason: str) -> None:  # noqa: ANN401 - a write transaction
    columns = columns_of(SourceVersion)
    slugs = transaction.session.execute(select(columns.slug).where(columns.until_seq.is_(None))).scalars().all()
    for slug in slugs:
        if slug_digest(slug) == digest:
            take_down_source(transaction, slug, reason, claims=False)


def _finish(
    database: Database,
    mark: RegisterMark,
    newer: RegisterMark | None,
    takedowns: Sequence[Takedown],
    previous: Path | None,
) -> RestoreResult:
    """Begin a new epoch unless the register had no later change, and repeat takedowns."""
    epoch = None
    with database.write() as session:
        forget_timeline(session)
        if newer != mark:
            epoch = begin_epoch(session, after=newer.epoch if newer is not None and newer.id == mark.id else 0)
    repeated = repeat_takedowns(database, takedowns)
    database.damage.clear()
    return RestoreResult(mark, epoch, repeated, previous)


def _restore_dump(database: Database, backup: Path) -> RestoreResult:
    listed = _run(database, "pg_restore", ["--list", str(backup)], connects=False)
    migration = ["--data-only", "--table=alembic_version", "--file=-", str(backup)]
    found = re.search(
        r"^COPY .*alembic_version .*\n(\S+)$", _run(database, "pg_restore", migration, connects=False), re.MULTILINE
    )
    _refuse_newer(backup, found[1] if found else "(none)")
    takedowns, newer, mark = [], None, _mark_of_name(backup)
    with database.connect_primary() as connection:
        others = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        ).scalar_one()
        if others:
            raise BackupFailed(f"{others} other connections use the database. Stop the service before you restore.")
        has_register = connection.exec_driver_sql("SELECT to_regclass('register') IS NOT NULL").scalar_one()
        if has_register:
            session = Session(connection)
            newer = read_mark(session)
            if mark is not None and newer.id.replace("-", "").endswith(mark[0]):
                takedowns = find_takedowns(session, mark[1])
    database.close()
    _replace_tables(database, backup, listed)
    _migrate(database)
    with database.read_primary() as session:
        restored = read_mark(session)
    return _finish(database, restored, newer, takedowns, None)


def _replace_tables(database: Database, backup: Path, listed: str) -> None:
    """Replace the tables by those of a dump, in one transaction: if it fails, nothing is changed.

    Tables that later migrations create are dropped, because the dump would leave them.
    """
    options = ["--clean", "--if-exists", "--no-owner"]
    dumped = re.findall(r"^\d+; \d+ \d+ TABLE \S+ (\S+) ", listed, re.MULTILINE)
    later = sorted(set(SQLModel.metadata.tables) - set(dumped))
    if not later:
        _run(database, "pg_restore", [*options, "--single-transaction", str(backup)])
        return
    with TemporaryFile() as script:
        _run(database, "pg_restore", [*options, "--file=-", str(backup)], connects=False, output=script)
        script.seek(0)
        dropped = f"DROP TABLE IF EXISTS {', '.join(later)} CASCADE"
        arguments = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction"]
        _run(database, "psql", [*arguments, f"--command={dropped}", "--file=-"], source=script)


def _mark_of_name(backup: Path) -> tuple[str, int] | None:
    """Return the end of the id of the register, and the latest change, from the name of a backup."""
    found = re.fullmatch(r"counterclaim-([0-9a-f]{12})-\d{8}T\d{6}Z-seq(\d+)\.dump", backup.name)
    return None if found is None else (found[1], int(found[2]))
