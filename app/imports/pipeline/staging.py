"""Where an import waits until it is published: a private file that vanishes with the process."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson

from app.enums import Outcome

VALUES_PER_QUERY = 500
"""Values in one question to a database: far below every limit, and enough to make the way there cheap."""

STAGING_SCHEMA = """
CREATE TABLE claim (
    n INTEGER PRIMARY KEY, row INTEGER, file TEXT, line INTEGER, outcome TEXT, print BLOB, claim TEXT, key TEXT,
    series INTEGER, day TEXT, value REAL, body BLOB
);
CREATE INDEX claim_print ON claim (print) WHERE print IS NOT NULL;
CREATE INDEX claim_key ON claim (key) WHERE key IS NOT NULL;
CREATE TABLE document (n INTEGER PRIMARY KEY, id TEXT UNIQUE, address TEXT UNIQUE, body BLOB);
CREATE TABLE relation (n INTEGER PRIMARY KEY, claim TEXT, type TEXT, other TEXT, note TEXT);
CREATE TABLE series (n INTEGER PRIMARY KEY, name TEXT UNIQUE, running INTEGER);
CREATE TABLE refused (row INTEGER PRIMARY KEY, file TEXT, line INTEGER, reasons BLOB);
"""


@dataclass(slots=True)
class StagedClaim:
    """One claim of a row, ready to be written or known to stand already.

    `row` is the row's number in the import; `claim` the claim's id, or that of the one that stands; `print` the
    fingerprint that this claim has when all is written (none where the row is only reported); `body` what is written.
    """

    row_number: int
    file: str
    line: int
    outcome: Outcome
    fingerprint: str | None
    claim: str
    key: str | None
    series_number: int
    day: str | None
    value: float | None
    body: dict[str, Any]


class StagingFile:
    """The waiting room of one import. Its memory is bounded, whatever the size of the file."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-8000", "locking_mode=EXCLUSIVE"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(STAGING_SCHEMA)
        self._db.execute("BEGIN")
        self._series_numbers: dict[str, int] = {}
        self._has_claim_index = False

    def close(self) -> None:
        """Let go of everything."""
        self._db.close()

    def add_claims(self, staged: Iterable[StagedClaim]) -> None:
        """Take in the claims of some rows."""
        self._db.executemany(
            "INSERT INTO claim (row, file, line, outcome, print, claim, key, series, day, value, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    each.row_number,
                    each.file,
                    each.line,
                    each.outcome.value,
                    None if each.fingerprint is None else _shorten_fingerprint(each.fingerprint),
                    each.claim,
                    each.key,
                    each.series_number,
                    each.day,
                    each.value,
                    orjson.dumps(each.body),
                )
                for each in staged
            ),
        )

    def add_document(self, id_: str, address: str, body: dict[str, Any]) -> None:
        """Take in a document that the claims cite. Of one address there is one."""
        values = (id_, address, orjson.dumps(body))
        self._db.execute("INSERT INTO document (id, address, body) VALUES (?, ?, ?)", values)

    def documents_by_address(self, addresses: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Address → the document that waits here."""
        found: dict[str, dict[str, Any]] = {}
        for some in batch_values(addresses):
            rows = self._db.execute(f"SELECT address, body FROM document WHERE address IN ({_marks(some)})", some)  # noqa: S608
            found |= {address: orjson.loads(body) for address, body in rows}
        return found

    def add_relation(self, claim: str, type_: str, other: str, note: str | None = None) -> None:
        """Take in a relation between two claims."""
        self._db.execute(
            "INSERT INTO relation (claim, type, other, note) VALUES (?, ?, ?, ?)", (claim, type_, other, note)
        )

    def series_number(self, name: str, *, running: bool) -> int:
        """The number of a series of figures; new ones get the next."""
        if name not in self._series_numbers:
            if len(self._series_numbers) >= 20_000:  # noqa: PLR2004 - so many names are some megabytes
                self._series_numbers.clear()
            self._db.execute("INSERT OR IGNORE INTO series (name, running) VALUES (?, ?)", (name, running))
            self._series_numbers[name] = self._db.execute("SELECT n FROM series WHERE name = ?", (name,)).fetchone()[0]
        return self._series_numbers[name]

    def refuse(self, row: int, file: str, line: int, reasons: Sequence[str]) -> None:
        """Note that a row is refused, and why."""
        self._db.execute("INSERT INTO refused VALUES (?, ?, ?, ?)", (row, file, line, orjson.dumps(list(reasons))))

    def refused_rows(self) -> Iterator[tuple[str, int, list[str]]]:
        """The refused rows and why, in reading order."""
        for file, line, reasons in self._db.execute("SELECT file, line, reasons FROM refused ORDER BY row"):
            yield file, line, orjson.loads(reasons)

    def refusal_reasons(self, row: int) -> list[str] | None:
        """The reasons for which a row was refused, if it was."""
        found = self._db.execute("SELECT reasons FROM refused WHERE row = ?", (row,)).fetchone()
        return None if found is None else orjson.loads(found[0])

    def claims_by_fingerprint(self, prints: Iterable[str]) -> dict[str, str]:
        """Fingerprint → the claim that has it, or will: it waits here, or stands and was met by a row."""
        found: dict[str, str] = {}
        for some in batch_values(prints):
            by_short = {_shorten_fingerprint(print_): print_ for print_ in some}
            wanted = f"SELECT print, claim FROM claim WHERE print IN ({_marks(some)})"  # noqa: S608
            found |= {by_short[short]: claim for short, claim in self._db.execute(wanted, list(by_short))}
        return found

    def find_claim_ids(self, ids: Iterable[str]) -> set[str]:
        """Those of `ids` that some claim here has, or concerns."""
        found: set[str] = set()
        for some in batch_values(ids):
            if not self._has_claim_index:
                self._db.execute("CREATE INDEX claim_claim ON claim (claim)")
                self._has_claim_index = True
            rows = self._db.execute(f"SELECT claim FROM claim WHERE claim IN ({_marks(some)})", some)  # noqa: S608
            found |= {claim for (claim,) in rows}
        return found

    def has_document(self, id_: str) -> bool:
        """Whether a document with this id waits here."""
        return self._db.execute("SELECT 1 FROM document WHERE id = ?", (id_,)).fetchone() is not None

    def has_writes(self) -> bool:
        """Whether anything is to be written."""
        return self._db.execute("SELECT 1 FROM claim WHERE body <> x'7b7d' LIMIT 1").fetchone() is not None

    def find_keys(self, keys: Iterable[str]) -> set[str]:
        """Those of `keys` that some row here has."""
        found: set[str] = set()
        for some in batch_values(keys):
            rows = self._db.execute(f"SELECT key FROM claim WHERE key IN ({_marks(some)})", some)  # noqa: S608
            found |= {key for (key,) in rows}
        return found

    def documents(self) -> Iterator[dict[str, Any]]:
        """The documents to be recorded."""
        for (body,) in self._db.execute("SELECT body FROM document ORDER BY n"):
            yield orjson.loads(body)

    def pending_writes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Claim and what is to be written of it, in reading order."""
        for claim, body in self._db.execute("SELECT claim, body FROM claim WHERE body <> x'7b7d' ORDER BY n"):
            yield claim, orjson.loads(body)

    def cited_documents(self, print_: str) -> set[str]:
        """The documents in which the rows here cite the claim that says this."""
        found = set()
        for (body,) in self._db.execute("SELECT body FROM claim WHERE print = ?", (_shorten_fingerprint(print_),)):
            found |= {document for _, document, _ in orjson.loads(body).get("citations", [])}
        return found

    def relations(self) -> Iterator[tuple[str, str, str, str | None]]:
        """The relations to be recorded."""
        yield from self._db.execute("SELECT claim, type, other, note FROM relation ORDER BY n")

    def series_points(self) -> Iterator[tuple[int, int, str, int, str, float]]:
        """Every dated number of each claim once, series by series and day by day.

        As (series, row, file, line, day, value).
        """
        rows = self._db.execute(
            "SELECT series, day, claim, row, file, line, value FROM claim"
            " WHERE day IS NOT NULL AND value IS NOT NULL ORDER BY series, day, n"
        )
        current, claims = (0, ""), set[str]()
        for series, day, claim, row, file, line, value in rows:
            if (series, day) != current:
                current, claims = (series, day), set()
            if claim not in claims:
                claims.add(claim)
                yield series, row, file, line, day, value

    def read_series(self, n: int) -> tuple[str, bool]:
        """The name of a series, and whether it is a running total."""
        name, running = self._db.execute("SELECT name, running FROM series WHERE n = ?", (n,)).fetchone()
        return name, bool(running)

    def has_relations(self) -> bool:
        """Whether claims will be related to each other."""
        return self._db.execute("SELECT 1 FROM relation LIMIT 1").fetchone() is not None

    def outcome_counts(self) -> dict[str, int]:
        """Outcome → how many claims."""
        return dict(self._db.execute("SELECT outcome, count(*) FROM claim GROUP BY outcome").fetchall())


def batch_values(values: Iterable[str]) -> Iterator[list[str]]:
    """The `values`, some at a time, each once among these."""
    rest = iter(values)
    while some := list(islice(rest, VALUES_PER_QUERY)):
        yield list(dict.fromkeys(some))


def _marks(some: Sequence[str]) -> str:
    return ", ".join("?" * len(some))


def _shorten_fingerprint(print_: str) -> bytes:
    """Half of a fingerprint: 128 bits tell apart as many claims as a file can hold, and keep the index small."""
    return bytes.fromhex(print_[:32])
