"""Finds the latest changes of claims for a feed: those of a topic by the index of changes by question.

The statements read the newest rows of each question of the topic and compare their claims with its scope. An import is
one group: the search continues before it, whatever it wrote. So the cost depends on the length of the feed, and not on
the number of claims.

A question can have many changes that are not of the topic, because of its `since` or `aggregation`. After
`MAX_COMPARED_CHANGES` of them, the changes are looked up by the claims of the topic instead.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, Final

import orjson
from sqlalchemy import ClauseElement, and_, bindparam, func, select, union_all
from sqlmodel import Session

from app.changes.topics import TopicScope, select_claims_of_topic
from app.database.snapshot import Snapshot
from app.database.sql import InList, OrderedJoin, fetch_rows
from app.database.tables import Change, ClaimVersion, ImportStep, ImportVersion, table_of
from app.database.transaction import to_utc
from app.database.types import BIG_INTEGER
from app.topics.candidates import parse_stored_date

QUESTIONS_PER_STATEMENT: Final = 64
MAX_COMPARED_CHANGES: Final = 2_000
MAX_ROWS_PER_STATEMENT: Final = 800
MAX_COUNTED_CHANGES: Final = 400
"""So many of the newest changes of an import are counted for a topic."""

_CHANGE: Final = table_of(Change)
_CLAIM: Final = table_of(ClaimVersion)
_IMPORT: Final = table_of(ImportVersion)
_STEP: Final = table_of(ImportStep)
_SCOPE_COLUMNS: Final = ("category", "subject", "place", "aggregation", "period", "period_start", "status")


@dataclass(frozen=True, slots=True)
class ClaimChange:
    """A change of a claim, or of its citations, assessments and relations."""

    seq: int
    at: datetime
    kind: str
    action: str
    claim: str
    actor: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class ImportedChanges:
    """What one import changed: all of it that belongs to the feed."""

    seq: int
    id: str
    at: datetime
    actor: str
    mapping: str
    files: Sequence[Mapping[str, Any]]
    totals: Mapping[str, int]
    """The counts of the whole import."""
    last_seq: int
    """The newest of the changes that belong to the feed."""
    is_whole: bool = True
    """Whether these are all changes of the import. A long one is published in steps, between which others write."""


LatestChange = ClaimChange | ImportedChanges


class ChangeSearch:
    """Finds changes of the claims of a topic, or of all claims, in the current state of a snapshot."""

    def __init__(self, session: Session, snapshot: Snapshot, scope: TopicScope | None) -> None:
        self._session = session
        self._snapshot = snapshot
        self._scope = scope
        self._keys = [] if scope is None else scope.question_keys

    def find_latest(self, limit: int, after: int = 0) -> list[LatestChange]:
        """Return the latest changes after the `seq` `after`, newest first; those of one import as one."""
        return list(islice(self._iterate(limit, after), limit))

    def count_kinds(self, imported: ImportedChanges) -> tuple[Counter[tuple[str, str]], bool]:
        """Return how many changes of each kind and action an import made, and whether these are all of them."""
        after = imported.seq if imported.is_whole else imported.seq - 1
        seqs = self._find_seqs(imported.last_seq + 1, MAX_COUNTED_CHANGES + 1, after=after)
        rows = self._load_changes(seqs[:MAX_COUNTED_CHANGES])
        is_complete = imported.is_whole and len(seqs) <= MAX_COUNTED_CHANGES
        return Counter((row.kind, row.action) for row in rows), is_complete

    def _iterate(self, limit: int, after: int) -> Iterator[LatestChange]:
        before, wanted, compared = self._snapshot.seq + 1, limit + 1, 0
        found_imports: set[str] = set()
        while seqs := self._find_seqs(before, wanted, after=after, by_claim=compared > MAX_COMPARED_CHANGES):
            rows = self._load_changes(seqs)
            imports = self._load_imports(rows)
            before = seqs[-1]
            bound = self._snapshot.seq
            for row in rows:
                if row.seq > bound:  # the import that was the latest change includes it
                    continue
                imported = imports.get((row.at, row.actor))
                if imported is None or imported.seq > row.seq:
                    yield row
                else:
                    if imported.id not in found_imports:
                        yield imported
                    found_imports.add(imported.id)
                    bound = imported.seq
            before = min(before, bound)
            if len(seqs) < wanted:
                return
            compared += len(seqs) - len(rows)
            wanted = min(2 * wanted, MAX_ROWS_PER_STATEMENT)

    def _find_seqs(self, before: int, rows: int, *, after: int = 0, by_claim: bool = False) -> list[int]:
        """Return the newest changes between two `seq`, newest first; not all of them have claims of the topic."""
        parameters = {"before": before, "after": after, "rows": rows}
        if self._scope is None:
            return [seq for (seq,) in fetch_rows(self._session, select_latest_of_claims(), parameters)]
        if by_claim:
            change = _CHANGE.c
            ids = select_claims_of_topic(self._scope, self._snapshot)
            statement = select(change.seq).where(change.claim.in_(ids), change.seq < before, change.seq > after)
            return list(self._session.execute(statement.order_by(change.seq.desc()).limit(rows)).scalars())
        found: list[int] = []
        for start in range(0, len(self._keys), QUESTIONS_PER_STATEMENT):
            keys = self._keys[start : start + QUESTIONS_PER_STATEMENT]
            width = 1 << (len(keys) - 1).bit_length()  # so that there are few statements
            questions = {f"question_{n}": keys[n] if n < len(keys) else None for n in range(width)}
            rows_of_keys = fetch_rows(self._session, select_by_question(width), parameters | questions)
            found += [seq for (seq,) in rows_of_keys]
        return sorted(found, reverse=True)[:rows]

    def _load_changes(self, seqs: Sequence[int]) -> list[ClaimChange]:
        """Return those of the changes whose claims are of the topic, newest first."""
        rows = fetch_rows(self._session, select_changes(), {"seqs": list(seqs)}) if seqs else []
        changes = []
        for seq, at, kind, action, claim, actor, reason, *columns in rows:
            fields = dict(zip(_SCOPE_COLUMNS, columns, strict=True))
            fields["period_start"] = parse_stored_date(fields["period_start"])
            if self._scope is None or self._scope.contains(fields):
                changes.append(ClaimChange(seq, to_utc(at), kind, action, str(claim), actor, reason))
        return sorted(changes, key=lambda change: -change.seq)

    def _load_imports(self, rows: Sequence[ClaimChange]) -> dict[tuple[datetime, str], ImportedChanges]:
        """Return the imports that made some of the changes, by the time and actor of their transaction."""
        newest: dict[tuple[datetime, str], int] = {}
        for row in rows:
            newest.setdefault((row.at, row.actor), row.seq)
        if not newest:
            return {}
        found = fetch_rows(self._session, select_imports(), {"seqs": list(newest.values())})
        imports = {}
        for last_seq, seq, id_, at, actor, mapping, *documents in found:
            files, counts = (orjson.loads(each) if isinstance(each, str) else each for each in documents)
            imported = ImportedChanges(seq, str(id_), to_utc(at), actor, mapping, files, counts, last_seq)
            imports[imported.at, actor] = imported
        return imports | self._load_steps(rows)

    def _load_steps(self, rows: Sequence[ClaimChange]) -> dict[tuple[datetime, str], ImportedChanges]:
        """Return the long imports that made some of the changes, each with its steps that no other write separates."""
        imports: dict[tuple[datetime, str], ImportedChanges] = {}
        steps: dict[str, list[tuple[int, int]]] = {}
        newest: dict[tuple[datetime, str], int] = {}
        for row in rows:
            newest.setdefault((row.at, row.actor), row.seq)
        found = fetch_rows(self._session, select_steps(), {"seqs": list(newest.values())})
        for last_seq, at, first_seq, id_, actor, mapping, *documents in found:
            id_ = str(id_)  # noqa: PLW2901 - a UUID of the driver
            if id_ not in steps:
                ranges = fetch_rows(self._session, select_ranges(), {"import_id": id_})
                steps[id_] = [(first, last) for first, last in ranges]
            begin = first_seq
            for first, last in reversed(steps[id_]):
                if last == begin - 1:
                    begin = first
            files, counts = (orjson.loads(each) if isinstance(each, str) else each for each in documents)
            imported = ImportedChanges(begin, id_, to_utc(at), actor, mapping, files, counts, last_seq, is_whole=False)
            imports[imported.at, actor] = imported
        return imports


@cache
def select_by_question(questions: int) -> ClauseElement:
    """Return the statement of the newest changes of some questions; each of them is a range of one index."""
    change = _CHANGE.c
    is_between = and_(change.seq < bindparam("before"), change.seq > bindparam("after"))
    branches = [
        select(change.seq)
        .where(change.question == bindparam(f"question_{n}", type_=BIG_INTEGER), is_between)
        .order_by(change.seq.desc())
        .limit(bindparam("rows"))
        .subquery(f"of_{n}")
        for n in range(questions)
    ]
    if questions == 1:
        return select(branches[0].c.seq).order_by(branches[0].c.seq.desc())
    newest = union_all(*(select(branch.c.seq) for branch in branches)).subquery("newest")
    return select(newest.c.seq).order_by(newest.c.seq.desc()).limit(bindparam("rows"))


@cache
def select_latest_of_claims() -> ClauseElement:
    """Return the statement of the newest changes of all claims."""
    change = _CHANGE.c
    is_between = and_(change.seq < bindparam("before"), change.seq > bindparam("after"))
    statement = select(change.seq).where(change.claim.is_not(None), is_between)
    return statement.order_by(change.seq.desc()).limit(bindparam("rows"))


@cache
def select_changes() -> ClauseElement:
    """Return the statement of some changes, with what decides the topics of their claims."""
    change, claim = _CHANGE.c, _CLAIM.c
    columns = (change.seq, change.at, change.kind, change.action, change.claim, change.actor, change.reason)
    joined = OrderedJoin(_CHANGE, _CLAIM, and_(claim.id == change.claim, claim.until_seq.is_(None)))
    statement = select(*columns, *(claim[name] for name in _SCOPE_COLUMNS)).select_from(joined)
    return statement.where(InList(change.seq, "seqs"))


@cache
def select_steps() -> ClauseElement:
    """Return the statement of the long imports that made some changes, with the step of each change."""
    change, imported, step, earlier = _CHANGE.c, _IMPORT.c, _STEP.c, _STEP.alias("earlier").c
    latest = select(func.max(earlier.first_seq)).where(earlier.first_seq <= change.seq)
    of_step = and_(step.first_seq == latest.correlate(_CHANGE).scalar_subquery(), step.last_seq >= change.seq)
    is_current = and_(imported.id == step.import_id, imported.until_seq.is_(None))
    joined = OrderedJoin(OrderedJoin(_CHANGE, _STEP, of_step), _IMPORT, is_current)
    columns = [change.seq, change.at, step.first_seq, imported.id]
    columns += [imported[name] for name in ("actor", "mapping", "files", "counts")]
    return select(*columns).select_from(joined).where(InList(change.seq, "seqs"))


@cache
def select_ranges() -> ClauseElement:
    """Return the statement of the first and last change of each step of an import, in order."""
    step = _STEP.c
    is_own = step.import_id == bindparam("import_id", type_=step.import_id.type)
    return select(step.first_seq, step.last_seq).where(is_own).order_by(step.first_seq)


@cache
def select_imports() -> ClauseElement:
    """Return the statement of the imports that made some changes. The first change of an import is its own."""
    change, imported, earlier = _CHANGE.c, _IMPORT.c, _IMPORT.alias("earlier").c
    latest = select(func.max(earlier.seq)).where(earlier.seq <= change.seq).correlate(_CHANGE).scalar_subquery()
    joined = OrderedJoin(_CHANGE, _IMPORT, imported.seq == latest)
    columns = [imported[name] for name in ("seq", "id", "recorded_at", "actor", "mapping", "files", "counts")]
    is_same_transaction = (imported.recorded_at == change.at, imported.actor == change.actor)
    statement = select(change.seq, *columns).select_from(joined)
    return statement.where(InList(change.seq, "seqs"), *is_same_transaction)
