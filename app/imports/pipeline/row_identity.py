"""Recognizes the rows of a file series in later files: by what they state, wherever they stand, else by their key.

The key of a row is declared by the mapping. Elements of a list without a key of their own share that of their row. They
are numbered (`…|dead`, `…|dead (2)`), and a number stays with an element as long as the element is recognized.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from sqlalchemy import select
from sqlmodel import Session

from app.database.snapshot import Snapshot
from app.database.tables import ImportedRow, table_of
from app.enums import Status
from app.imports.pipeline.candidates import Candidate, ClaimColumns, statement_fingerprint, with_key
from app.imports.pipeline.matching import load_claim_columns, load_previous_rows
from app.imports.pipeline.reconciliation import PreviousRow
from app.imports.pipeline.staging import RowOccurrence, StagingFile, shorten_fingerprint
from app.imports.readers.options import MappingRefused
from app.imports.row_keys import is_erased_key
from app.imports.stop_check import StopCheck, never_stop

MAX_REPEATED_KEYS = 10_000
"""Maximum number of rows that are refused because another row of the file has their key."""

ROWS_PER_FETCH = 10_000

ELEMENT_COLUMNS = (
    *("source", "category", "subject", "place", "proposition", "modality", "aggregation", "per", "unit"),
    *("period", "relative_to", "includes", "excludes"),
)
"""The columns that distinguish an element without a key from the others of its list."""


ColumnsFunction = Callable[[ClaimColumns], object]
"""Returns what a claim is about, from its columns."""


@dataclass(slots=True)
class IdentifiedRows:
    """The rows of a batch with the keys under which the register knows them."""

    candidates: list[Candidate | None]
    """In the order of the batch, with their keys; None for a row that is refused."""
    previous_rows: dict[str, list[PreviousRow]]
    """Key → the rows with this key in earlier imports that are about the same as the row of this file."""
    moved_keys: set[str] = field(default_factory=set)
    """The keys of rows that are now about something else."""
    claim_columns: dict[str, ClaimColumns] = field(default_factory=dict)
    """The columns of the last claim of each row that states something else now."""
    restated_keys: set[str] = field(default_factory=set)
    """The keys of rows that state the same as before, on another day."""
    refusals: dict[int, list[str]] = field(default_factory=dict)
    """Number of a row → the reasons for refusing it."""


class RowIdentifier:
    """Determines the keys of the rows of one import."""

    def __init__(self, staging: StagingFile, series: str, check: StopCheck = never_stop) -> None:
        self._staging = staging
        self._series = series
        self._check = check
        self._has_previous_rows: bool | None = None
        self._are_statements_staged = False
        self._repeated_rows = 0

    def identify(self, session: Session, snapshot: Snapshot, candidates: Sequence[Candidate]) -> IdentifiedRows:
        """Return the rows of a batch with their keys. Raises `MappingRefused` if far too many rows share their key."""
        keys = [candidate.validated.key for candidate in candidates if candidate.validated.key]
        if self._has_previous_rows is None:
            imported = table_of(ImportedRow).c
            statement = select(imported.key).where(imported.series == self._series).limit(1)
            self._has_previous_rows = session.execute(statement).first() is not None
        batch = _Batch(list(candidates), self._staging.row_occurrences(keys))
        if self._has_previous_rows:
            batch.previous_rows = load_previous_rows(session, snapshot, keys, self._series, self._check)
            self._load_numbered_rows(session, snapshot, batch)
        batch.match_own_statements()
        if self._has_previous_rows:
            self._match_statements_elsewhere(session, snapshot, batch)
            self._load_claim_columns(session, snapshot, batch)
            batch.match_elements()
        batch.refuse_repeated_keys()
        self._repeated_rows += len(batch.refusals)
        if self._repeated_rows > MAX_REPEATED_KEYS:
            raise MappingRefused(f"More than {MAX_REPEATED_KEYS:,} rows have the key of another row: {batch.example()}")
        batch.assign_rest()
        self._staging.add_declared_keys(batch.declared_keys)
        return batch.result()

    def _load_numbered_rows(self, session: Session, snapshot: Snapshot, batch: "_Batch") -> None:
        """Load the rows that earlier imports numbered, for the keys that can have several."""
        numbers, families = 2, {key: len(indexes) + 1 for key, indexes in batch.families().items()}
        while families:
            last_number = max(families.values()) * 2
            names = {numbered_key(key, number): key for key in families for number in range(numbers, last_number + 1)}
            found = load_previous_rows(session, snapshot, list(names), self._series, self._check)
            batch.previous_rows |= found
            for name in found:
                batch.members.setdefault(names[name], [names[name]]).append(name)
            families = {key: last_number for key in families if numbered_key(key, last_number) in found}
            numbers = last_number + 1

    def _match_statements_elsewhere(self, session: Session, snapshot: Snapshot, batch: "_Batch") -> None:
        """Match the rows that state what an earlier row with another key stated last."""
        wanted = {batch.candidates[index].row_fingerprint: index for index in batch.unmatched()}
        if not wanted:
            return
        self._stage_statements(session)
        found = self._staging.keys_of_statements(wanted)
        keys = {key for each in found.values() for key in each}
        free = keys - batch.taken - self._staging.find_keys(keys)
        rows = load_previous_rows(session, snapshot, sorted(free), self._series, self._check)
        for fingerprint, each in found.items():
            for key in each:
                if key in rows and key not in batch.taken and rows[key][-1].fingerprint == fingerprint:
                    batch.previous_rows[key] = rows[key]
                    batch.match(wanted[fingerprint], key)
                    batch.stated.add(wanted[fingerprint])
                    break

    def _stage_statements(self, session: Session) -> None:
        """Copy what each row of the series stated last into the staging file, once for an import."""
        if self._are_statements_staged:
            return
        row = table_of(ImportedRow).c
        statement = (
            select(row.key, row.print).where(row.series == self._series).order_by(row.key, row.vintage, row.seq)
        ).execution_options(yield_per=ROWS_PER_FETCH)
        last: tuple[str, str] | None = None
        for rows in session.execute(statement).partitions():
            self._check()
            statements: list[tuple[str, str]] = []
            for key, fingerprint in rows:
                if last is not None and last[0] != key:
                    statements.append(last)
                last = (key, fingerprint)
            self._staging.add_statements(each for each in statements if not is_erased_key(each[0]))
        self._staging.add_statements([last] if last is not None and not is_erased_key(last[0]) else [])
        self._are_statements_staged = True

    def _load_claim_columns(self, session: Session, snapshot: Snapshot, batch: "_Batch") -> None:
        """Load the claims of the earlier rows that no row of the batch repeats."""
        bases = {batch.base(index) for index in batch.unmatched()}
        free = [key for base in bases for key in batch.family(base) if key not in batch.taken]
        ids = [rows[-1].claim.id for key in free if (rows := batch.previous_rows.get(key))]
        batch.claim_columns.update(load_claim_columns(session, snapshot, ids, self._check))


@dataclass(slots=True)
class _Batch:
    """The rows of one batch while their keys are determined."""

    candidates: list[Candidate]
    occurrences: dict[str, list[RowOccurrence]]
    """Declared key → the rows of earlier batches that have it."""
    previous_rows: dict[str, list[PreviousRow]] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    """Declared key → it, and the numbered keys that earlier imports derived from it."""
    claim_columns: dict[str, ClaimColumns] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    keys: dict[int, str] = field(default_factory=dict)
    """Index of a row → its key, for the rows that are matched."""
    repeats: set[int] = field(default_factory=set)
    """The rows that state the same as another row with their key."""
    stated: set[int] = field(default_factory=set)
    """The rows that state what an earlier row stated last."""
    refusals: dict[int, list[str]] = field(default_factory=dict)
    declared_keys: list[tuple[str, str, int, str, int, str, bool]] = field(default_factory=list)
    """For rows with another key than the declared one: both, row, file, line, fingerprint, whether it is new."""
    _families: dict[str, list[int]] | None = None

    def __post_init__(self) -> None:
        self.taken |= {occurrence.key for rows in self.occurrences.values() for occurrence in rows}

    def base(self, index: int) -> str:
        """Return the declared key of a row."""
        return self.candidates[index].validated.key or ""

    def family(self, key: str) -> list[str]:
        return self.members.get(key, [key])

    def families(self) -> dict[str, list[int]]:
        """Return the rows of each key that several rows have, or that belongs to a list whose elements have none."""
        if self._families is None:
            counts = Counter(candidate.validated.key for candidate in self.candidates)
            self._families = {}
            for index, candidate in enumerate(self.candidates):
                key = candidate.validated.key
                if key and (
                    candidate.validated.draft.is_element_without_key or counts[key] > 1 or key in self.occurrences
                ):
                    self._families.setdefault(key, []).append(index)
        return self._families

    def unmatched(self) -> list[int]:
        """Return the rows without a key of their own yet."""
        return [
            index
            for index, candidate in enumerate(self.candidates)
            if candidate.validated.key and index not in self.keys and index not in self.repeats
        ]

    def match(self, index: int, key: str) -> None:
        self.keys[index] = key
        self.taken.add(key)

    def match_own_statements(self) -> None:
        """Match the rows that state what the last row with their key stated."""
        for index in self.unmatched():
            fingerprint = self.candidates[index].row_fingerprint
            for key in self.family(self.base(index)):
                rows = self.previous_rows.get(key)
                if rows and key not in self.taken and rows[-1].fingerprint == fingerprint:
                    self.match(index, key)
                    self.stated.add(index)
                    break

    def match_elements(self) -> None:
        """Match the elements without a key: by what they state but its day, by what it is about, by its place."""
        for columns in (statement_fingerprint, _element_columns, _claim_about, _erased_about):
            for base, indexes in self.families().items():
                rows = self._open_elements(indexes, columns)
                keys = self._open_keys(base, columns) if rows else {}
                for about, each in rows.items():
                    # Several about the same cannot be distinguished, unless they state the same.
                    same = keys.get(about, [])
                    if len(each) == len(same) == 1 or columns is statement_fingerprint:
                        for index, key in zip(each, same, strict=False):
                            self.match(index, key)

    def _open_elements(self, indexes: Sequence[int], columns: ColumnsFunction) -> dict[object, list[int]]:
        """Return the elements without a key that are not matched, by what they are about."""
        rows: dict[object, list[int]] = {}
        for index in indexes:
            validated = self.candidates[index].validated
            if index not in self.keys and validated.draft.is_element_without_key:
                rows.setdefault(columns(validated.validated_claim.state), []).append(index)
        return rows

    def _open_keys(self, base: str, columns: ColumnsFunction) -> dict[object, list[str]]:
        """Return the keys of earlier elements that are not matched, by what their claims are about."""
        keys: dict[object, list[str]] = {}
        for key in self.family(base):
            rows = self.previous_rows.get(key)
            if not rows or key in self.taken:
                continue
            recorded = self.claim_columns.get(rows[-1].claim.id)
            is_erased = rows[-1].claim.status is Status.removed
            if recorded is not None and is_erased is (columns is _erased_about):
                keys.setdefault(columns(recorded), []).append(key)
        return keys

    def refuse_repeated_keys(self) -> None:
        """Refuse the rows whose declared key another row has, unless both state the same."""
        for base, indexes in self.families().items():
            earlier = self.occurrences.get(base, [])
            if not self._is_one_list(indexes) or earlier:
                self._find_repeats(indexes, earlier)
                self._refuse_family(base, [index for index in indexes if index not in self.repeats], earlier)

    def _is_one_list(self, indexes: Sequence[int]) -> bool:
        """Return whether rows with one key are the elements of one list that declares no key for them."""
        drafts = [self.candidates[index].validated for index in indexes]
        return drafts[0].draft.is_element_without_key and len({each.row_number for each in drafts}) == 1

    def _find_repeats(self, indexes: Sequence[int], earlier: Sequence[RowOccurrence]) -> None:
        """Find the rows that state the same as another row with their key."""
        first: set[str] = set()
        for index in indexes:
            candidate = self.candidates[index]
            fingerprints = set(map(shorten_fingerprint, (candidate.row_fingerprint, *candidate.fingerprints)))
            is_repeated = candidate.row_fingerprint in first or any(row.fingerprint in fingerprints for row in earlier)
            if index not in self.keys and is_repeated:
                self.repeats.add(index)
            first.add(candidate.row_fingerprint)

    def _refuse_family(self, base: str, indexes: Sequence[int], earlier: Sequence[RowOccurrence]) -> None:
        """Refuse the rows with one key that state what no earlier import has."""
        places = {index: self._place(index) for index in indexes}
        is_refused = False
        for index in indexes:
            validated = self.candidates[index].validated
            others = [f"{row.file}, line {row.line}" for row in earlier] + [
                places[other]
                for other in indexes
                if other != index and not (validated.draft.is_element_without_key and self._is_one_list([index, other]))
            ]
            if others and index not in self.keys:
                is_refused = True
                self._refuse(validated.row_number, base, others[0], places[index])
        for row in earlier if is_refused else ():
            if row.is_new:
                self._refuse(row.row_number, base, f"{row.file}, line {row.line}", places[indexes[-1]])

    def _refuse(self, row_number: int, key: str, one: str, other: str) -> None:
        reason = (
            f"{one} and {other} have the same key `{key}`, so a later file could not tell them apart: name the columns "
            "that do in `vintage.key`, or in `key` beside `over`."
        )
        self.refusals.setdefault(row_number, []).append(reason)

    def _place(self, index: int) -> str:
        validated = self.candidates[index].validated
        element = f", element {validated.draft.element}" if validated.draft.element else ""
        return f"{validated.row.file}, line {validated.row.line}{element}"

    def example(self) -> str:
        """Return one of the reasons for which rows are refused."""
        return next((reason for reasons in self.refusals.values() for reason in reasons), "")

    def assign_rest(self) -> None:
        """Give the other rows their declared key, or the first number that no row has."""
        for index in self.unmatched():
            base = self.base(index)
            used = self.taken | set(self.members.get(base, ()))
            is_list = self.candidates[index].validated.draft.is_element_without_key
            is_free = base not in self.taken and not (is_list and base in self.previous_rows)
            key = base if is_free else next(key for key in map(_number_from(base), count(2)) if key not in used)
            self.match(index, key)
        for index, key in self.keys.items():
            validated = self.candidates[index].validated
            if key != self.base(index) or validated.draft.is_element_without_key:
                row, fingerprint = validated.row, self.candidates[index].fingerprint
                self.declared_keys.append(
                    (
                        *(self.base(index), key, validated.row_number),
                        *(row.file, row.line, fingerprint, index not in self.stated),
                    )
                )

    def result(self) -> IdentifiedRows:
        identified = IdentifiedRows([], {}, claim_columns=self.claim_columns, refusals=self.refusals)
        for index, candidate in enumerate(self.candidates):
            key = self.keys.get(index)
            if candidate.validated.row_number in self.refusals:
                identified.candidates.append(None)
                continue
            identified.candidates.append(with_key(candidate, key) if key != candidate.validated.key else candidate)
            if key is not None and (rows := self.previous_rows.get(key)):
                self._add_history(identified, candidate, key, rows)
        return identified

    def _add_history(
        self, identified: IdentifiedRows, candidate: Candidate, key: str, rows: Sequence[PreviousRow]
    ) -> None:
        state = candidate.validated.validated_claim.state
        same = [row for row in rows if row.is_about(state)]
        identified.previous_rows[key] = list(same or rows)
        if not same:
            identified.moved_keys.add(key)
            return
        recorded = self.claim_columns.get(same[-1].claim.id)
        if (
            recorded is not None
            and same[-1].fingerprint != candidate.row_fingerprint
            and statement_fingerprint(recorded) == statement_fingerprint(state)
        ):
            identified.restated_keys.add(key)


def numbered_key(key: str, number: int) -> str:
    """Return the key of the element of a list with this number."""
    return f"{key} ({number})"


def _number_from(key: str) -> Callable[[int], str]:
    return lambda number: numbered_key(key, number)


def _element_columns(columns: ClaimColumns) -> object:
    return tuple(str(columns[name]) for name in ELEMENT_COLUMNS)


def _claim_about(columns: ClaimColumns) -> object:
    return tuple(str(columns[name]) for name in PreviousRow.ABOUT)


def _erased_about(columns: ClaimColumns) -> object:
    return tuple(str(columns[name]) for name in PreviousRow.ERASED_ABOUT)
