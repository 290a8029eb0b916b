"""Many new records in one transaction: stamped like any other write, and handed to the driver in its fastest form."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.engine import Dialect
from sqlmodel import Session, SQLModel

from app.changes.clock import KINDS, Log
from app.tables import SEARCHED, Change, Clock, ImportedRow, Version, columns_of, table_of
from app.words import words_of

STAMPS = ("revision", "seq", "recorded_at")
LATER = ("version", "until_seq", "recorded_until")
"""Columns that the database fills, or that are empty as long as a version stands."""

AT_ONCE = 5_000
"""So many changes are handed over at once: memory does not grow with the size of a write."""

Values = list[Any]
"""The values of a row as the driver takes them, nothing in them but what JSON can say."""


class Form:
    """How the rows of one versioned table are written: its columns, and each value as the driver takes it."""

    def __init__(self, table: type[Version], dialect: Dialect) -> None:
        self.table = table
        columns = [column for column in columns_of(table) if column.name not in (*STAMPS, *LATER)]
        self.names = [column.name for column in columns]
        self._processors = [(column.name, column.type.bind_processor(dialect)) for column in columns]
        self._searched = SEARCHED.get(table)

    def values(self, state: Mapping[str, Any]) -> Values:
        """The row of a state, which names every column."""
        if self._searched is not None:
            state = {**state, "words": words_of(*(state[name] for name in self._searched))}
        return [state[name] if process is None else process(state[name]) for name, process in self._processors]


class Bulk:
    """The pen of a writing transaction for records that are all new. Call `close` when everything is said.

    Nothing here looks whether a record stands already: whoever calls has done that, under the log's lock.
    """

    def __init__(self, log: Log, dialect: Dialect) -> None:
        self.log = log
        self._postgresql = dialect.name == "postgresql"
        change = [(column.name, column.type.bind_processor(dialect)) for column in columns_of(Change)]
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

    def remember(self, series: str, key: str, print_: str, claim: str, vintage: str) -> None:
        """Note what a row of an imported series said."""
        if ImportedRow not in self._rows:
            self._rows[ImportedRow] = (["series", "key", "print", "claim", "vintage", "seq"], [])
        self._rows[ImportedRow][1].append([series, key, print_, claim, vintage, self.log.seq])

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
        self, session: Session, table: type[SQLModel], names: Sequence[str], rows: Iterable[Sequence[Any]]
    ) -> None:
        if not rows:
            return
        name = table_of(table).name
        columns = ", ".join(f'"{column}"' for column in names)
        driver: Any = session.connection().connection.driver_connection
        if self._postgresql:
            with driver.cursor() as cursor, cursor.copy(f'COPY "{name}" ({columns}) FROM STDIN') as copy:
                for row in rows:
                    copy.write_row(row)
            return
        marks = ", ".join("?" * len(names))
        driver.executemany(f'INSERT INTO "{name}" ({columns}) VALUES ({marks})', rows)  # noqa: S608 - our own names
