"""The data package of the register: all tables with their history, as CSV files in a ZIP archive (Frictionless).

It contains what the API serves to everyone, in the form of the tables. API keys, stored responses, and hashes of what
was taken down stay behind. The bytes depend only on the register, so that a copy of it has the same package.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from enum import Enum
from functools import cached_property
from typing import Any

import orjson
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Float,
    Integer,
    Select,
    Table,
    case,
    exists,
    literal,
    null,
    select,
    tuple_,
)
from sqlalchemy import Enum as SqlEnum
from sqlmodel import Session

from app.database.engine import Database
from app.database.epochs import Epoch, read_epochs
from app.database.read_session import read_session
from app.database.snapshot import open_snapshot
from app.database.tables import (
    VERSION_TABLES,
    Change,
    ClaimVersion,
    ImportedRow,
    ImportStep,
    RegisterIdentity,
    columns_of,
    table_of,
)
from app.enums import Status
from app.errors import Unavailable
from app.http.serializers import FORMULA_PREFIXES
from app.http.zip_stream import ZipStream
from app.terms import terms_address

FORMAT_VERSION = 1
"""The version of the tables in a package. It rises when a table of the database changes."""

PAGE_ROWS = 2_000
"""Number of rows that are read, and held in memory, at once."""

DESCRIPTOR = "datapackage.json"

GUARD = "'"
"""Precedes a text that a spreadsheet would run as a formula, or that begins with this character itself."""

GUARDED_CHARACTERS = (*FORMULA_PREFIXES, GUARD)

DERIVED_COLUMNS = {"words", "question"}
"""Columns that follow from the others, and that a copy of the register computes itself."""

TITLES = {
    "change": "The change log: one row for each change, in order.",
    "imported_row": "The rows of imported files that became claims, by which a later import recognizes them.",
} | {kind: f"The versions of each {kind}; the current ones have no `until_seq`." for kind in VERSION_TABLES}


@dataclass(frozen=True)
class PackageTable:
    """A table in a package."""

    name: str
    table: Table

    @cached_property
    def columns(self) -> list[Column[Any]]:
        """The columns of the file."""
        return [column for column in self.table.columns if column.name not in DERIVED_COLUMNS]

    @property
    def path(self) -> str:
        """The path of the file in the archive."""
        return f"data/{self.name}.csv"

    @cached_property
    def key(self) -> list[Column[Any]]:
        """The columns that identify a row, by which the file is sorted."""
        return list(self.table.primary_key.columns)


PACKAGE_TABLES = [
    PackageTable("imported_row", table_of(ImportedRow)),  # first: see `_write_table`
    PackageTable("change", table_of(Change)),
    *(PackageTable(kind, table_of(table)) for kind, table in VERSION_TABLES.items()),
]


Rows = Sequence[Any]
"""Rows of a table with the columns of its file."""


@dataclass(frozen=True, slots=True)
class RegisterState:
    """What a package says about the register besides its tables."""

    id: str
    seq: int
    at: datetime
    title: str
    terms: str | None
    epochs: Sequence[Epoch]
    steps: Sequence[dict[str, Any]]
    """The transactions that published long imports, in their order."""


@dataclass(frozen=True, slots=True)
class Erased:
    """The ids of the claims and documents that were taken down. What belongs to the claims is deleted."""

    claims: Sequence[str]
    documents: Sequence[str]

    @property
    def is_any(self) -> bool:
        """Whether anything was taken down."""
        return bool(self.claims or self.documents)


def read_register_id(database: Database) -> str:
    """Return the permanent id of the register."""
    with read_session(database) as read:
        found: str = read.session.execute(select(columns_of(RegisterIdentity).register_id)).scalar_one()
    return found


def read_state(database: Database, title: str, terms: str | None) -> RegisterState:
    """Return what a package of the latest state says about the register."""
    with database.read() as session:
        snapshot = open_snapshot(session)
        return describe_state(session, snapshot.seq, snapshot.at, title, terms)


def describe_state(
    session: Session, seq: int, at: datetime, title: str, terms: str | None, after: int = 0
) -> RegisterState:
    """Return what a package of the state `seq` says about the register, or a delta that follows `after`."""
    register_id: str = session.execute(select(columns_of(RegisterIdentity).register_id)).scalar_one()
    step = table_of(ImportStep)
    statement = (
        select(step).where(step.c.last_seq > after, step.c.last_seq <= seq).order_by(step.c.first_seq, step.c.import_id)
    )
    steps = [dict(row) for row in session.execute(statement).mappings()]
    return RegisterState(register_id, seq, at, title, terms, read_epochs(session), steps)


def write_package(database: Database, state: RegisterState) -> Iterator[bytes]:
    """Yield the package of a register in the state `state.seq`, which must be the latest one at the start.

    Raises:
        Unavailable: An import replaced rows of the state meanwhile.
    """
    pages = ((table, read_pages(database, table, state.seq)) for table in PACKAGE_TABLES)
    yield from write_archive(state, pages)


def write_archive(
    state: RegisterState,
    tables: Iterable[tuple[PackageTable, Iterable[Rows]]],
    delta: tuple[int, Erased] | None = None,
) -> Iterator[bytes]:
    """Yield a package with the rows of each table; a `delta` has only what changed after a `seq`."""
    archive = ZipStream(zip64=True)
    resources = []
    for table, pages in tables:
        digest, size = hashlib.sha256(), 0
        yield archive.begin(table.path)
        for chunk in _write_table(table, pages):
            digest.update(chunk)
            size += len(chunk)
            yield archive.write(chunk)
        yield archive.end()
        resources.append(_csv_resource(table, digest.hexdigest(), size))
    yield archive.add(DESCRIPTOR, build_descriptor(state, resources, GUARD_NOTE, delta)) + archive.finish()


GUARD_NOTE = " A text that begins with one of = + - @ ' or a tab has a ' before it."


def build_descriptor(
    state: RegisterState, resources: list[dict[str, Any]], note: str = "", delta: tuple[int, Erased] | None = None
) -> bytes:
    """Return the descriptor of a package with these resources; `note` completes its description.

    A `delta` has only what changed after a `seq`, and names what was erased.
    """
    descriptor = {
        "profile": "tabular-data-package",
        "name": "counterclaim-register",
        "id": state.id,
        "title": state.title,
        "description": "All records of the register with their history. Version rows are valid from `seq` to "
        f"`until_seq` (exclusive).{note}",
        **({"licenses": [_license(state.terms)]} if state.terms else {}),
        "created": _format_time(state.at),
        "counterclaim": {
            "format": FORMAT_VERSION,
            "seq": state.seq,
            **({} if delta is None else {"after": delta[0], "erased": asdict(delta[1])}),
            "epochs": [
                {"number": each.number, "forked_at": each.forked_seq, "at": _format_time(each.at)}
                for each in state.epochs
            ],
            **({"steps": list(state.steps)} if state.steps else {}),
        },
        "resources": resources,
    }
    return orjson.dumps(descriptor, option=orjson.OPT_INDENT_2) + b"\n"


def _license(terms: str) -> dict[str, str]:
    """Return the terms as a licence of a data package: an SPDX identifier and its page, or an address."""
    address = terms_address(terms)
    if terms == address:
        return {"name": "terms", "path": terms}
    return {"name": terms, **({"path": address} if address else {})}


def _csv_resource(table: PackageTable, digest: str, size: int) -> dict[str, Any]:
    csv_format = {
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "dialect": {"lineTerminator": "\r\n"},
    }
    return describe_resource(table, table.path, csv_format, digest, size)


def describe_resource(
    table: PackageTable, path: str, file_format: dict[str, Any], digest: str, size: int
) -> dict[str, Any]:
    """Return the description of the file of a table, with its SHA-256 digest and its size in bytes."""
    return {
        "profile": "tabular-data-resource",
        "name": table.name.replace("_", "-"),
        "title": TITLES[table.name],
        "path": path,
        **file_format,
        "bytes": size,
        "hash": f"sha256:{digest}",
        "schema": {
            "fields": [_field(column) for column in table.columns],
            "primaryKey": [column.name for column in table.key],
        },
    }


def _field(column: Column[Any]) -> dict[str, Any]:
    field: dict[str, Any] = {"name": column.name, "type": field_type(column)}
    if field["type"] == "datetime":
        field["format"] = "any"
    if isinstance(column.type, SqlEnum):
        field["constraints"] = {"enum": list(column.type.enums)}
    return field


def field_type(column: Column[Any]) -> str:
    """Return the type of a column in Table Schema."""
    kinds = ((Boolean, "boolean"), (Float, "number"), (Integer, "integer"), (Date, "date"), (DateTime, "datetime"))
    if isinstance(column.type, JSON):
        return "any"
    implementation = getattr(column.type, "impl_instance", column.type)
    return next((name for kind, name in kinds if isinstance(implementation, kind)), "string")


def _write_table(table: PackageTable, pages: Iterable[Rows]) -> Iterator[bytes]:
    """Yield the CSV file of a table."""
    yield format_lines([[column.name for column in table.columns]])
    for rows in pages:
        yield format_lines([format_value(value) for value in row] for row in rows)


def read_pages(database: Database, table: PackageTable, seq: int) -> Iterator[Rows]:
    """Yield the rows of a table in the state `seq`, in the order of its key, at most `PAGE_ROWS` at once.

    Rows are never changed, with three exceptions: a version is closed, which can be undone here; a takedown erases
    content, after which no package of before it is served; and an import marks the rows that it found again.

    Raises:
        Unavailable: An import replaced rows of the state meanwhile.
    """
    after: Sequence[Any] | None = None
    while True:
        with read_session(database) as read:
            statement = select_rows(table, seq).limit(PAGE_ROWS)
            if after is not None:
                bound = [literal(value, column.type) for value, column in zip(after, table.key, strict=True)]
                statement = statement.where(tuple_(*table.key) > tuple_(*bound))
            rows = read.session.execute(statement).all()
        if rows:
            yield rows
        if len(rows) < PAGE_ROWS:
            break
        names = [column.name for column in table.columns]
        after = [rows[-1][names.index(column.name)] for column in table.key]
    if table.table is table_of(ImportedRow):
        changed = select(literal(1)).where(columns_of(ImportedRow).seq > seq).limit(1)
        with read_session(database) as read:
            if read.session.execute(changed).first() is not None:
                raise Unavailable("An import changed the register meanwhile.", hint="send the request again")


def select_rows(table: PackageTable, seq: int) -> Select[Any]:
    """Select the rows of a table in the state `seq`, in the order of their key."""
    columns = table.table.c
    is_closed = columns.until_seq <= seq if "until_seq" in columns else None
    selected: list[Any] = []
    for column in table.columns:
        if column.name in ("until_seq", "recorded_until") and is_closed is not None:
            selected.append(case((is_closed, column), else_=null()).label(column.name))
        elif column.name == "fingerprint":
            # That of a claim that was taken down would tell whoever guesses the claim that it is the one.
            is_removed = columns.status == Status.removed
            selected.append(case((is_removed, literal("")), else_=column).label(column.name))
        else:
            selected.append(column)
    conditions: list[ColumnElement[bool]] = [columns.seq <= seq]
    if table.table is table_of(ImportedRow):
        claim = columns_of(ClaimVersion)
        removed = exists().where(claim.id == columns.claim, claim.until_seq.is_(None), claim.status == Status.removed)
        conditions.append(~removed)
    return select(*selected).where(*conditions).order_by(*table.key)


def format_lines(rows: Iterable[Iterable[str]]) -> bytes:
    """Return rows as lines of CSV."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue().encode()


def format_value(value: Any) -> str:  # noqa: ANN401 - one case for each type of column
    """Return a value of a row as a cell, from which `app/register/restore.py` reads the same value."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return _format_time(value)
        case date():
            return value.isoformat()
        case int() | float():
            return repr(value)
        case list() | dict():
            return orjson.dumps(value).decode()
        case _:
            text = str(value.value if isinstance(value, Enum) else value)
            return GUARD + text if text.startswith(GUARDED_CHARACTERS) else text


def _format_time(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
