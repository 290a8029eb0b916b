"""The staging file of an import: a private SQLite database that is deleted with its connection."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from app.database.sql import batch_values
from app.enums import Outcome
from app.imports.stop_check import StopCheck, never_stop
from app.sources.editions import address_of

MAX_CACHED_TIME_SERIES = 20_000
"""Maximum number of time series whose numbers are cached."""

STEPS_BETWEEN_CHECKS = 100_000
"""The steps of SQLite's virtual machine between two checks: some milliseconds."""

STAGING_SCHEMA = """
CREATE TABLE claim (
    n INTEGER PRIMARY KEY, row INTEGER, file TEXT, line INTEGER, outcome TEXT, fingerprint BLOB, claim TEXT, key TEXT,
    time_series INTEGER, day TEXT, moment TEXT, value REAL, start TEXT, writes BLOB
);
CREATE INDEX claim_fingerprint ON claim (fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX claim_key ON claim (key) WHERE key IS NOT NULL;
CREATE TABLE document (
    n INTEGER PRIMARY KEY, id TEXT UNIQUE, key TEXT UNIQUE, address TEXT, day TEXT, columns BLOB, after INTEGER
);
CREATE INDEX document_address ON document (address, day);
CREATE TABLE relation (n INTEGER PRIMARY KEY, claim TEXT, type TEXT, other TEXT, note TEXT, after INTEGER);
CREATE TABLE time_series (n INTEGER PRIMARY KEY, name TEXT UNIQUE, running INTEGER);
CREATE TABLE declared_key (base TEXT, key TEXT, row INTEGER, file TEXT, line INTEGER, fingerprint BLOB, is_new INTEGER);
CREATE INDEX declared_key_base ON declared_key (base);
CREATE TABLE statement (key TEXT, print BLOB);
CREATE INDEX statement_print ON statement (print);
CREATE TABLE refused (row INTEGER PRIMARY KEY, file TEXT, line INTEGER, reasons BLOB);
"""


@dataclass(slots=True)
class StagedClaim:
    """A claim of a row, with the rows to write for it."""

    row_number: int
    file: str
    line: int
    outcome: Outcome
    fingerprint: str | None
    """The fingerprint that the claim has after the import; None where the row is only reported."""
    claim: str
    """The id of the claim that is written, or of the existing one that it matches."""
    key: str | None
    time_series_number: int
    day: str | None
    moment: str | None
    """The moment of the statement in UTC, if it is known."""
    value: float | None
    start: str | None
    """The first day of the period, unless the figure is a running total."""
    writes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RowOccurrence:
    """A staged row with the declared key of a later one."""

    key: str
    """The key under which it is recognized."""
    row_number: int
    file: str
    line: int
    fingerprint: bytes | None
    """The shortened fingerprint of its claim."""
    is_new: bool
    """Whether no earlier import recorded what it states."""


NEW_STATEMENTS = frozenset({Outcome.new, Outcome.changed, Outcome.differs})
"""The outcomes of rows that state what no earlier row of their series states."""


class StagingFile:
    """The staged rows, documents, relations and refusals of one import. Memory use does not depend on the file size."""

    def __init__(self, check: StopCheck = never_stop) -> None:
        """Create the file. `check` is also called during long statements, until `finish_preparing`."""
        self._check = check
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-8000", "locking_mode=EXCLUSIVE"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(STAGING_SCHEMA)
        self._db.execute("BEGIN")
        self._db.set_progress_handler(self._is_stopped, STEPS_BETWEEN_CHECKS)
        self._time_series_numbers: dict[str, int] = {}
        self._has_claim_index = False
        self._has_declared_keys = False
        self._claims = 0
        """The number of staged claims, which is the `n` of the last one."""

    def _is_stopped(self) -> bool:
        """Return whether the check ends the import. SQLite then interrupts the statement."""
        try:
            self._check()
        except Exception:  # noqa: BLE001 - the caller of the statement calls the check again
            return True
        return False

    def finish_preparing(self) -> None:
        """Let all further statements finish: the import is published."""
        self._db.set_progress_handler(None, 0)

    def close(self) -> None:
        """Close and delete the file."""
        self._db.close()

    def add_claims(self, claims: Iterable[StagedClaim]) -> None:
        """Add the claims of some rows."""
        added = self._db.executemany(
            "INSERT INTO claim"
            " (row, file, line, outcome, fingerprint, claim, key, time_series, day, moment, value, start, writes)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    staged.row_number,
                    staged.file,
                    staged.line,
                    staged.outcome.value,
                    None if staged.fingerprint is None else shorten_fingerprint(staged.fingerprint),
                    staged.claim,
                    staged.key,
                    staged.time_series_number,
                    staged.day,
                    staged.moment,
                    staged.value,
                    staged.start,
                    orjson.dumps(staged.writes),
                )
                for staged in claims
            ),
        )
        self._claims += added.rowcount

    def add_document(self, id_: str, key: str, columns: dict[str, Any]) -> None:
        """Add a document that the claims cite. Its key is unique: see `document_key`."""
        day = columns["published_on"]
        encoded_day = None if day is None else str(day)
        values = (id_, key, address_of(columns), encoded_day, orjson.dumps(columns), self._claims)
        names = "id, key, address, day, columns, after"
        self._db.execute(f"INSERT INTO document ({names}) VALUES (?, ?, ?, ?, ?, ?)", values)  # noqa: S608

    def documents_by_key(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the staged documents that have these keys, by key."""
        documents: dict[str, dict[str, Any]] = {}
        for batch in batch_values(keys):
            query = f"SELECT key, columns FROM document WHERE key IN ({_marks(batch)})"  # noqa: S608
            documents |= {key: _read_document(columns) for key, columns in self._db.execute(query, batch)}
        return documents

    def documents_by_address(
        self, addresses: Iterable[str], days: Collection[date] | None = None
    ) -> list[dict[str, Any]]:
        """Return the staged documents at these addresses, or those of these days."""
        documents: list[dict[str, Any]] = []
        dates = sorted(day.isoformat() for day in days or ())
        condition = "" if days is None else f" AND day IN ({_marks(dates)})"
        for batch in batch_values(addresses):
            query = f"SELECT columns FROM document WHERE address IN ({_marks(batch)}){condition}"  # noqa: S608
            documents += [_read_document(columns) for (columns,) in self._db.execute(query, [*batch, *dates])]
        return documents

    def add_relation(self, claim: str, type_: str, other: str, note: str | None = None) -> None:
        """Add a relation between two claims."""
        self._db.execute(
            "INSERT INTO relation (claim, type, other, note, after) VALUES (?, ?, ?, ?, ?)",
            (claim, type_, other, note, self._claims),
        )

    def time_series_number(self, name: str, *, running: bool) -> int:
        """Return the number of a time series; a new one gets the next number."""
        if name not in self._time_series_numbers:
            if len(self._time_series_numbers) >= MAX_CACHED_TIME_SERIES:
                self._time_series_numbers.clear()
            self._db.execute("INSERT OR IGNORE INTO time_series (name, running) VALUES (?, ?)", (name, running))
            self._time_series_numbers[name] = self._db.execute(
                "SELECT n FROM time_series WHERE name = ?", (name,)
            ).fetchone()[0]
        return self._time_series_numbers[name]

    def add_refused_row(self, row: int, file: str, line: int, reasons: Sequence[str]) -> None:
        """Add a refused row with its reasons."""
        self._db.execute("INSERT INTO refused VALUES (?, ?, ?, ?)", (row, file, line, orjson.dumps(list(reasons))))

    def refused_rows(self) -> Iterator[tuple[str, int, list[str]]]:
        """Yield file, line and reasons of the refused rows, in reading order."""
        for file, line, reasons in self._db.execute("SELECT file, line, reasons FROM refused ORDER BY row"):
            yield file, line, orjson.loads(reasons)

    def refusal_reasons(self, row: int) -> list[str] | None:
        """Return the reasons for which a row was refused, or None if it was not."""
        found = self._db.execute("SELECT reasons FROM refused WHERE row = ?", (row,)).fetchone()
        return None if found is None else orjson.loads(found[0])

    def claims_by_fingerprint(self, fingerprints: Iterable[str]) -> dict[str, str]:
        """Return the claims with these fingerprints, by fingerprint: staged, or existing and matched by a row."""
        claims: dict[str, str] = {}
        for batch in batch_values(fingerprints):
            by_short = {shorten_fingerprint(fingerprint): fingerprint for fingerprint in batch}
            query = f"SELECT fingerprint, claim FROM claim WHERE fingerprint IN ({_marks(batch)})"  # noqa: S608
            claims |= {by_short[short]: claim for short, claim in self._db.execute(query, list(by_short))}
        return claims

    def find_claim_ids(self, ids: Iterable[str]) -> set[str]:
        """Return those of `ids` that a claim of the import has, or that a row matches."""
        found: set[str] = set()
        for batch in batch_values(ids):
            if not self._has_claim_index:
                self._db.execute("CREATE INDEX claim_claim ON claim (claim)")
                self._has_claim_index = True
            query = f"SELECT claim FROM claim WHERE claim IN ({_marks(batch)})"  # noqa: S608
            found |= {claim for (claim,) in self._db.execute(query, batch)}
        return found

    def has_document(self, id_: str) -> bool:
        """Return whether a document with this id is staged."""
        return self._db.execute("SELECT 1 FROM document WHERE id = ?", (id_,)).fetchone() is not None

    def has_writes(self) -> bool:
        """Return whether there are rows to write."""
        return self._db.execute("SELECT 1 FROM claim WHERE writes <> x'7b7d' LIMIT 1").fetchone() is not None

    def find_keys(self, keys: Iterable[str]) -> set[str]:
        """Return those of `keys` that a row of the import has."""
        found: set[str] = set()
        for batch in batch_values(keys):
            query = f"SELECT key FROM claim WHERE key IN ({_marks(batch)})"  # noqa: S608
            found |= {key for (key,) in self._db.execute(query, batch)}
        return found

    def add_declared_keys(self, rows: Iterable[tuple[str, str, int, str, int, str, bool]]) -> None:
        """Add rows with a declared key other than theirs: both keys, row, file, line, fingerprint, `is_new`."""
        values = [(*row[:5], shorten_fingerprint(row[5]), row[6]) for row in rows]
        if values:
            self._has_declared_keys = True
            self._db.executemany("INSERT INTO declared_key VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def row_occurrences(self, keys: Collection[str]) -> dict[str, list[RowOccurrence]]:
        """Return the staged rows that have these declared keys, by key."""
        found: dict[str, list[RowOccurrence]] = {}
        for batch in batch_values(keys):
            query = f"SELECT key, row, file, line, fingerprint, outcome FROM claim WHERE key IN ({_marks(batch)})"  # noqa: S608
            for key, row, file, line, fingerprint, outcome in self._db.execute(query, batch):
                occurrence = RowOccurrence(key, row, file, line, fingerprint, Outcome(outcome) in NEW_STATEMENTS)
                found.setdefault(key, []).append(occurrence)
        return self._correct_declared_keys(keys, found) if self._has_declared_keys else found

    def _correct_declared_keys(
        self, keys: Collection[str], found: dict[str, list[RowOccurrence]]
    ) -> dict[str, list[RowOccurrence]]:
        """Return the occurrences by declared key, for rows that are recognized under another one."""
        others: set[tuple[str, int]] = set()
        declared: dict[str, list[RowOccurrence]] = {}
        for batch in batch_values(keys):
            query = f"SELECT key, row FROM declared_key WHERE key IN ({_marks(batch)})"  # noqa: S608
            others |= set(self._db.execute(query, batch))
            query = f"SELECT * FROM declared_key WHERE base IN ({_marks(batch)})"  # noqa: S608
            for base, key, row, file, line, fingerprint, is_new in self._db.execute(query, batch):
                declared.setdefault(base, []).append(RowOccurrence(key, row, file, line, fingerprint, bool(is_new)))
        for key, rows in found.items():
            declared[key] = [each for each in rows if (key, each.row_number) not in others] + declared.get(key, [])
        return {key: rows for key, rows in declared.items() if rows}

    def add_statements(self, rows: Iterable[tuple[str, str]]) -> None:
        """Add the keys of rows of earlier imports with the fingerprints of what they state."""
        values = ((key, shorten_fingerprint(fingerprint)) for key, fingerprint in rows)
        self._db.executemany("INSERT INTO statement VALUES (?, ?)", values)

    def keys_of_statements(self, fingerprints: Iterable[str]) -> dict[str, list[str]]:
        """Return the keys of earlier rows that state the same, by fingerprint."""
        keys: dict[str, list[str]] = {}
        for batch in batch_values(fingerprints):
            by_short = {shorten_fingerprint(fingerprint): fingerprint for fingerprint in batch}
            query = f"SELECT print, key FROM statement WHERE print IN ({_marks(batch)}) ORDER BY rowid"  # noqa: S608
            for short, key in self._db.execute(query, list(by_short)):
                keys.setdefault(by_short[short], []).append(key)
        return keys

    def documents(self) -> Iterator[dict[str, Any]]:
        """Yield the documents to be recorded."""
        for (columns,) in self._db.execute("SELECT columns FROM document ORDER BY n"):
            yield _read_document(columns)

    def pending_writes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each claim that has rows to write, with these rows, in reading order."""
        for claim, writes in self._db.execute("SELECT claim, writes FROM claim WHERE writes <> x'7b7d' ORDER BY n"):
            yield claim, orjson.loads(writes)

    def has_more_writes(self, claims: int) -> bool:
        """Return whether there are rows to write for more than this number of claims."""
        query = "SELECT count(*) FROM (SELECT 1 FROM claim WHERE writes <> x'7b7d' LIMIT ?)"
        return bool(self._db.execute(query, (claims + 1,)).fetchone()[0] > claims)

    def encoded_parts(self, max_claims: int, max_bytes: int) -> Iterator[bytes]:
        """Yield what is to be recorded, in reading order, as parts that `ImportPart` can read.

        A document is in the part of the first batch of rows that cites it, and a relation follows both of its claims.
        """
        documents = self._db.execute("SELECT after, columns FROM document ORDER BY n")
        relations = self._db.execute("SELECT after, claim, type, other, note FROM relation ORDER BY n")
        next_document, next_relation = documents.fetchone(), relations.fetchone()
        claims: list[bytes] = []
        size, last = 0, 0

        def take_part(last: int | None) -> bytes:
            nonlocal next_document, next_relation
            taken_documents, taken_relations = [], []
            while next_document is not None and (last is None or next_document[0] < last):
                taken_documents.append(next_document[1])
                next_document = documents.fetchone()
            while next_relation is not None and (last is None or next_relation[0] <= last):
                taken_relations.append(orjson.dumps(next_relation[1:]))
                next_relation = relations.fetchone()
            lists = (taken_documents, claims, taken_relations)
            return b"[" + b",".join(b"[" + b",".join(each) + b"]" for each in lists) + b"]"

        query = "SELECT n, row, outcome, fingerprint, claim, writes FROM claim WHERE writes <> x'7b7d' ORDER BY n"
        for last, row, outcome, fingerprint, claim, writes in self._db.execute(query):
            head = orjson.dumps([row, outcome, None if fingerprint is None else fingerprint.hex(), claim])
            claims.append(head[:-1] + b"," + writes + b"]")
            size += len(writes)
            if len(claims) >= max_claims or size >= max_bytes:
                yield take_part(last)
                claims, size = [], 0
        yield take_part(None)

    def cited_documents(self, fingerprint: str) -> set[str]:
        """Return the documents in which the import cites the claim with this fingerprint."""
        found: set[str] = set()
        query = "SELECT writes FROM claim WHERE fingerprint = ?"
        for (writes,) in self._db.execute(query, (shorten_fingerprint(fingerprint),)):
            found |= {document for _, document, _ in orjson.loads(writes).get("citations", [])}
        return found

    def relations(self) -> Iterator[tuple[str, str, str, str | None]]:
        """Yield claim, type, other claim and note of the relations to be recorded."""
        yield from self._db.execute("SELECT claim, type, other, note FROM relation ORDER BY n")

    def time_series_points(self) -> Iterator[tuple[int, int, str, int, str, str | None, float, str | None]]:
        """Yield the dated numbers by series, day, moment and start, each with its row, file, line and value.

        The number of a claim is yielded once for each day, even if several rows contain it.
        """
        rows = self._db.execute(
            "SELECT time_series, day, moment, claim, row, file, line, value, start FROM claim"
            " WHERE day IS NOT NULL AND value IS NOT NULL ORDER BY time_series, day, moment, start, n"
        )
        current, claims = (0, ""), set[str]()
        for series, day, moment, claim, row, file, line, value, start in rows:
            if (series, day) != current:
                current, claims = (series, day), set()
            if claim not in claims:
                claims.add(claim)
                yield series, row, file, line, day, moment, value, start

    def read_time_series(self, number: int) -> tuple[str, bool]:
        """Return the name of a time series, and whether it is a running total."""
        name, running = self._db.execute("SELECT name, running FROM time_series WHERE n = ?", (number,)).fetchone()
        return name, bool(running)

    def has_relations(self) -> bool:
        """Return whether relations between claims are to be recorded."""
        return self._db.execute("SELECT 1 FROM relation LIMIT 1").fetchone() is not None

    def outcome_counts(self) -> dict[str, int]:
        """Return the number of claims by outcome."""
        return dict(self._db.execute("SELECT outcome, count(*) FROM claim GROUP BY outcome").fetchall())


def _read_document(columns: bytes) -> dict[str, Any]:
    """Return a staged document. JSON has no days."""
    document: dict[str, Any] = orjson.loads(columns)
    day = document["published_on"]
    return document | {"published_on": None if day is None else date.fromisoformat(day)}


def _marks(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))


def shorten_fingerprint(fingerprint: str) -> bytes:
    """Return half of a fingerprint: 128 bits distinguish the claims of any file, and keep the index small."""
    return bytes.fromhex(fingerprint[:32])
