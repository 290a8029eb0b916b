"""Many new records in one transaction: stamped like any other write, and handed to the driver in its fastest form."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import Session, SQLModel

from app.database.row_encoding import STAMPS, Form, Values, processor
from app.database.tables import Change, Clock, ImportedRow, Version, columns_of, table_of
from app.database.transaction import KINDS, Log

AT_ONCE = 5_000
"""So many changes are handed over at once: memory does not grow with the size of a write."""

MARKS = 10_000
"""So many values in one statement; SQLite takes 32,766."""


class Bulk:
    """The pen of a writing transaction for records that are all new. Call `close` when everything is said.

    Nothing here looks whether a record stands already: whoever calls has done that, under the log's lock.
    """

    def __init__(self, log: Log, dialect: Dialect) -> None:
        self.log = log
        self._postgresql = dialect.name == "postgresql"
        change = [(column.name, processor(column, dialect)) for column in columns_of(Change)]
        self._change_names = [name for name, _ in change]
        at = dict(change)["at"]
        self._at = at(log.at) if at is not None else log.at
        self._changes: list[tuple[Any, ...]] = []
        self._rows: dict[type[SQLModel], tuple[list[str], list[Values]]] = {}

    def tick(self, table: type[Version], key: str, claim: str | None = None) -> None:
        """Take the next `seq` for a new record."""
        if len(self._changes) >= AT_ONCE:
            self.flush()
        self.log.seq += 1
        entry = (self.log.seq, self._at, KINDS[table], key, "created", 1, claim, self.log.actor, None)
        self._changes.append(entry)

    def put(self, form: Form, values: Values) -> None:
        """Write a row under the `seq` taken last."""
        if form.table not in self._rows:
            self._rows[form.table] = ([*form.names, *STAMPS], [])
        self._rows[form.table][1].append([*values, 1, self.log.seq, self._at])

    def remember(self, series: str, key: str, print_: str, written: str, claim: str, vintage: str) -> None:
        """Note what a row of an imported series said."""
        if ImportedRow not in self._rows:
            self._rows[ImportedRow] = (["series", "key", "print", "written", "claim", "vintage", "seq"], [])
        self._rows[ImportedRow][1].append([series, key, print_, written, claim, vintage, self.log.seq])

    def flush(self) -> None:
        """Hand over what is waiting, changes first: the versions refer to them."""
        session = self.log.session
        self._load(session, Change, self._change_names, self._changes)
        self._changes.clear()
        for table, (names, rows) in self._rows.items():
            self._load(session, table, names, rows)
            rows.clear()

    def close(self) -> None:
        """Hand over the rest and set the clock."""
        self.flush()
        self.log.session.execute(update(table_of(Clock)).values(seq=self.log.seq, at=self.log.at))

    def _load(
        self, session: Session, table: type[SQLModel], names: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        if not rows:
            return
        name = table_of(table).name
        columns = ", ".join(f'"{column}"' for column in names)
        connection = session.connection()
        if self._postgresql:
            _copy(connection.connection.driver_connection, f'COPY "{name}" ({columns}) FROM STDIN', rows)
            return
        # Many rows in each statement: one by one, the triggers of full-text search take longer than the rows.
        marks = f"({', '.join('?' * len(names))})"
        insert = f'INSERT INTO "{name}" ({columns}) VALUES '  # noqa: S608 - our own names
        together = MARKS // len(names)
        for start in range(0, len(rows), together):
            some = rows[start : start + together]
            values = tuple(value for row in some for value in row)
            connection.exec_driver_sql(insert + ", ".join([marks] * len(some)), values)


def _copy(driver: Any, statement: str, rows: Sequence[Sequence[Any]]) -> None:  # noqa: ANN401 - psycopg's connection
    """Hand rows to PostgreSQL. Its faults are raised as SQLAlchemy raises those of any other statement."""
    import psycopg  # noqa: PLC0415 - SQLite does without

    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as wrong:
        kind = IntegrityError if isinstance(wrong, psycopg.IntegrityError) else OperationalError
        raise kind(statement, None, wrong) from wrong
