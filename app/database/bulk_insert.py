"""Bulk insert of new records in one transaction: COPY on PostgreSQL, multi-row INSERT on SQLite."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import Dialect
from sqlmodel import Session, SQLModel

from app.database.driver_errors import DriverErrors
from app.database.question_keys import question_key
from app.database.row_encoding import CHANGE_COLUMNS, STAMP_COLUMNS, EncodedRow, RowEncoder, value_encoder
from app.database.sql import batch_values
from app.database.tables import (
    QUESTION_COLUMNS,
    Change,
    ClaimVersion,
    Clock,
    ImportedRow,
    Version,
    columns_of,
    table_of,
)
from app.database.transaction import KIND_BY_TABLE, WriteTransaction

MAX_BUFFERED_CHANGES = 5_000
"""Maximum number of buffered changes before a flush, so that memory does not grow with the size of a write."""

CLAIM_POSITION = CHANGE_COLUMNS.index("claim")

MAX_STATEMENT_PARAMETERS = 10_000
"""Maximum number of parameters of one statement. The limit of SQLite is 32,766."""


class BulkInsert:
    """Inserts new records in a write transaction. Call `finish` after the last record.

    It does not check whether a record exists. The caller has checked that while the transaction held the clock lock.
    """

    def __init__(self, transaction: WriteTransaction, dialect: Dialect) -> None:
        self.transaction = transaction
        self._postgresql = dialect.name == "postgresql"
        change_columns = columns_of(Change)
        encode_at = value_encoder(change_columns.at, dialect)
        self._encoded_at = transaction.at if encode_at is None else encode_at(transaction.at)
        self._changes: list[tuple[Any, ...]] = []
        self._questions: dict[Any, int] = {}
        """The keys of the questions of the claims that the buffered changes belong to, by the id of the claim."""
        self._rows: dict[type[SQLModel], tuple[list[str], list[EncodedRow]]] = {}

    def add_change(self, table: type[Version], key: str, claim: str | None = None, question: int | None = None) -> None:
        """Record the creation of a record under the next `seq`.

        `question` is the key of the question of a new claim; those of other claims are looked up.
        """
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
        if claim is not None and question is not None:
            self._questions[claim] = question
        self._changes.append(entry)

    def add_row(self, encoder: RowEncoder, values: EncodedRow) -> None:
        """Insert a row under the `seq` of the latest change."""
        if encoder.table not in self._rows:
            self._rows[encoder.table] = ([*encoder.column_names, *STAMP_COLUMNS], [])
        self._rows[encoder.table][1].append([*values, 1, self.transaction.seq, self._encoded_at])

    def add_imported_row(
        self, series: str, key: str, fingerprint: str, recorded_fingerprint: str, claim: str, vintage: str
    ) -> None:
        """Insert an `ImportedRow` under the `seq` of the latest change."""
        if ImportedRow not in self._rows:
            self._rows[ImportedRow] = (["series", "key", "print", "written", "claim", "vintage", "seq"], [])
        row = [series, key, fingerprint, recorded_fingerprint, claim, vintage, self.transaction.seq]
        self._rows[ImportedRow][1].append(row)

    def flush(self) -> None:
        """Insert the buffered rows: changes first, because versions have a foreign key to them."""
        session = self.transaction.session
        self._look_up_questions(session)
        changes = [(*entry, self._questions.get(entry[CLAIM_POSITION])) for entry in self._changes]
        self._insert_rows(session, Change, CHANGE_COLUMNS, changes)
        self._changes.clear()
        self._questions.clear()
        for table, (names, rows) in self._rows.items():
            self._insert_rows(session, table, names, rows)
            rows.clear()

    def _look_up_questions(self, session: Session) -> None:
        """Find the questions of the claims that the buffered changes belong to and that are not new ones."""
        claim = columns_of(ClaimVersion)
        names = [claim[name] for name in QUESTION_COLUMNS]
        ids = {entry[CLAIM_POSITION] for entry in self._changes} - self._questions.keys() - {None}
        for batch in batch_values(ids):
            statement = select(claim.id, *names).where(claim.id.in_(batch), claim.until_seq.is_(None))
            self._questions |= {id_: question_key(*question) for id_, *question in session.execute(statement)}

    def finish(self) -> None:
        """Flush the buffer and update the clock."""
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
        # With one row per statement, the triggers of full-text search take longer than the inserts.
        row_placeholders = f"({', '.join('?' * len(names))})"
        insert = f'INSERT INTO "{name}" ({columns}) VALUES '  # noqa: S608 - names from the models
        rows_per_statement = MAX_STATEMENT_PARAMETERS // len(names)
        for start in range(0, len(rows), rows_per_statement):
            batch = rows[start : start + rows_per_statement]
            values = tuple(chain.from_iterable(batch))
            connection.exec_driver_sql(insert + ", ".join([row_placeholders] * len(batch)), values)
