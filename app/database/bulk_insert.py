"""Many new records in one transaction: stamped like any other write, and handed to the driver in its fastest form."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.engine import Dialect
from sqlmodel import Session, SQLModel

from app.database.driver_errors import DriverErrors
from app.database.row_encoding import STAMP_COLUMNS, EncodedRow, RowEncoder, value_encoder
from app.database.tables import Change, Clock, ImportedRow, Version, columns_of, table_of
from app.database.transaction import KIND_BY_TABLE, WriteTransaction

MAX_BUFFERED_CHANGES = 5_000
"""So many changes are handed over at once: memory does not grow with the size of a write."""

MAX_STATEMENT_PARAMETERS = 10_000
"""So many values in one statement; SQLite takes 32,766."""


class BulkInsert:
    """The pen of a writing transaction for records that are all new. Call `finish` when everything is said.

    Nothing here looks whether a record stands already: whoever calls has done that, under the log's lock.
    """

    def __init__(self, log: WriteTransaction, dialect: Dialect) -> None:
        self.transaction = log
        self._postgresql = dialect.name == "postgresql"
        change = [(column.name, value_encoder(column, dialect)) for column in columns_of(Change)]
        self._change_columns = [name for name, _ in change]
        at = dict(change)["at"]
        self._encoded_at = at(log.at) if at is not None else log.at
        self._changes: list[tuple[Any, ...]] = []
        self._rows: dict[type[SQLModel], tuple[list[str], list[EncodedRow]]] = {}

    def add_change(self, table: type[Version], key: str, claim: str | None = None) -> None:
        """Take the next `seq` for a new record."""
        if len(self._changes) >= MAX_BUFFERED_CHANGES:
            self.flush()
        self.transaction.seq += 1
        entry = (
            self.transaction.seq,
            self._encoded_at,
            KIND_BY_TABLE[table],
            key,
            "created",
            1,
            claim,
            self.transaction.actor,
            None,
        )
        self._changes.append(entry)

    def add_row(self, form: RowEncoder, values: EncodedRow) -> None:
        """Write a row under the `seq` taken last."""
        if form.table not in self._rows:
            self._rows[form.table] = ([*form.column_names, *STAMP_COLUMNS], [])
        self._rows[form.table][1].append([*values, 1, self.transaction.seq, self._encoded_at])

    def add_imported_row(self, series: str, key: str, print_: str, written: str, claim: str, vintage: str) -> None:
        """Note what a row of an imported series said."""
        if ImportedRow not in self._rows:
            self._rows[ImportedRow] = (["series", "key", "print", "written", "claim", "vintage", "seq"], [])
        self._rows[ImportedRow][1].append([series, key, print_, written, claim, vintage, self.transaction.seq])

    def flush(self) -> None:
        """Hand over what is waiting, changes first: the versions refer to them."""
        session = self.transaction.session
        self._insert_rows(session, Change, self._change_columns, self._changes)
        self._changes.clear()
        for table, (names, rows) in self._rows.items():
            self._insert_rows(session, table, names, rows)
            rows.clear()

    def finish(self) -> None:
        """Hand over the rest and set the clock."""
        self.flush()
        self.transaction.session.execute(
            update(table_of(Clock)).values(seq=self.transaction.seq, at=self.transaction.at)
        )

    def _insert_rows(
        self, session: Session, table: type[SQLModel], names: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> None:
        if not rows:
            return
        name = table_of(table).name
        columns = ", ".join(f'"{column}"' for column in names)
        connection = session.connection()
        if self._postgresql:
            driver: Any = connection.connection.driver_connection
            statement = f'COPY "{name}" ({columns}) FROM STDIN'
            with DriverErrors(connection.dialect, statement), driver.cursor() as cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
            return
        # Many rows in each statement: one by one, the triggers of full-text search take longer than the rows.
        marks = f"({', '.join('?' * len(names))})"
        insert = f'INSERT INTO "{name}" ({columns}) VALUES '  # noqa: S608 - our own names
        together = MAX_STATEMENT_PARAMETERS // len(names)
        for start in range(0, len(rows), together):
            some = rows[start : start + together]
            values = tuple(value for row in some for value in row)
            connection.exec_driver_sql(insert + ", ".join([marks] * len(some)), values)
