"""Rows taken in: each becomes drafts, each draft is checked by every rule, compared with the register, and staged."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from pydantic import ValidationError
from sqlmodel import Session

from app.claims.lookups import RecordFields, ReferenceLookup
from app.claims.schemas import CitationInput, ClaimInput
from app.claims.validation import ValidatedClaim, find_retraction_fault, validate_claim
from app.database.engine import Database
from app.database.snapshot import Snapshot, open_snapshot
from app.enums import Status
from app.errors import InvalidRequest, invalid_field
from app.http.schema_types import Input
from app.imports.pipeline.matching import Recorded, look_up, other_transcriptions, series_name
from app.imports.pipeline.reconciliation import Outcome
from app.imports.pipeline.row_mapping import Draft, Drafted, Plan
from app.imports.pipeline.row_resolver import Desk, Ready
from app.imports.pipeline.staging import Stage, Staged
from app.imports.quality.anomalies import Place, Smell, differing_transcriptions, figure_smells
from app.imports.readers.options import MappingRefused
from app.imports.readers.reader import Row
from app.sources.documents import load_documents_by_title
from app.vocabulary.slug_records import RecordType

EXAMPLES = 5
"""So many examples of each outcome are kept for the summary."""

MOST_SMELLS = 1_000
"""So many smells are kept with their words; the others are counted."""

MOST_REASONS = 20
"""So many reasons are told for one row."""

LONGEST_REASON = 400
"""Characters of one of them."""

Numbered = tuple[int, Row]
"""A row and its number in the whole import: two rows can stand in one line of two files with one name."""

Record = tuple[RecordType, str, Input]


@dataclass(slots=True)
class Tally:
    """What came of the rows so far, in numbers and with a few examples of each."""

    rows: int = 0
    refused: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    claims: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    smell_counts: Counter[str] = field(default_factory=Counter)
    smells: list[Smell] = field(default_factory=list)
    vanished: int = 0

    def note(self, outcome: str, example: str) -> None:
        """Keep an example, if there are not enough yet."""
        if len(kept := self.examples.setdefault(outcome, [])) < EXAMPLES:
            kept.append(example)

    def smell(self, smell: Smell) -> None:
        """Count a smell, and keep it if there are not too many."""
        self.smell_counts[smell.kind.value] += 1
        if len(self.smells) < MOST_SMELLS:
            self.smells.append(smell)


class Intake:
    """Takes in the rows of one import, some at a time, each time in a short session of its own.

    `refused` names rows that an earlier reading of the same files has found out about: what smells in a series is only
    seen when all of it was read.
    """

    def __init__(
        self,
        database: Database,
        plan: Plan,
        stage: Stage,
        desk: Desk,
        *,
        strict: bool,
        vintage: date | None = None,
        refused: Mapping[int, Sequence[str]] | None = None,
    ) -> None:
        self.database = database
        self.plan = plan
        self.stage = stage
        self.desk = desk
        self.strict = strict
        self.tally = Tally()
        self.seq: int | None = None
        """The state of the register that everything was compared with, at the earliest."""
        self.records: dict[tuple[str, str], Record] = {}
        self.late: dict[int, list[str]] = {}
        """Rows to be refused for what was seen only after they came in."""
        self.vintage: date | None = vintage
        """The day of the files, where they have one."""
        self._given_vintage = vintage
        self._refused = refused or {}
        self._known: ReferenceLookup | None = None
        self._file: str | None = None
        self._repeats: Counter[str] = Counter()

    def take(self, rows: Sequence[Numbered]) -> None:
        """Take in some rows. Raises `MappingRefused` for files that do not go together."""
        self.tally.rows += len(rows)
        self.desk.begin()
        drafted = [(n, row, self._draft(row)) for n, row in rows if not self._is_refused(n, row)]
        with self.database.read() as session:
            view = open_snapshot(session)
            self.seq = view.seq if self.seq is None else min(self.seq, view.seq)
            known = self._open(session, view)
            ready, relations = self._check(known, drafted)
            self._settle_documents(session, view, known, ready)
            self._keep_keys_apart(ready)
            register = self._look_up(session, view, ready)
            staged = [made for each in ready if (made := self._decided(known, each, register)) is not None]
            self._smell_transcriptions(session, view, ready)
        self.stage.add(staged)
        for one, type_, other in relations:
            if (one.fresh or other.fresh) and one.stands and other.stands and one.claim != other.claim:
                self.stage.relate(one.claim, type_, other.claim)

    def refuse(self, n: int, place: Row | Place, reasons: Sequence[str]) -> None:
        """Refuse a row, with all claims that it gives."""
        more = len(reasons) - MOST_REASONS
        told = [*reasons[:MOST_REASONS], *([f"… and {more:,} more"] if more > 0 else [])]
        self.tally.refused += 1
        self.stage.refuse(n, place.file, place.line, told)
        self.tally.note(Outcome.refused, f"{place.file}, line {place.line}: {told[0]}")

    def _is_refused(self, n: int, row: Row) -> bool:
        reasons = self._refused.get(n)
        if reasons is not None:
            self.refuse(n, row, reasons)
        return reasons is not None

    def _draft(self, row: Row) -> Drafted:
        if row.file != self._file:
            day = self._given_vintage or self.plan.vintage(row.file)
            if self._file is not None and self.plan.vintages is not None and day != self.vintage:
                told = "is of another day than the file before it: import them one by one, the oldest first."
                raise MappingRefused(f"{row.file} {told}")
            self._file, self.vintage = row.file, day
        return self.plan.draft(row, self.vintage)

    def _open(self, session: Session, view: Snapshot) -> ReferenceLookup:
        if self._known is None:
            self._known = ReferenceLookup(session, view)
            self._promise(self._known, self.plan.records)
        self._known.session, self._known.snapshot = session, view
        if self.vintage is not None and self.vintage > self._known.today:
            raise MappingRefused(f"{self._file} is said to be of {self.vintage}, which has not come yet.")
        return self._known

    def _promise(self, known: ReferenceLookup, records: Iterable[Record]) -> None:
        """Take as recorded what will be, where it is not yet."""
        for kind, slug, given in records:
            if (kind.name, slug) not in self.records and not known.has_slug(kind, slug):
                known.add_pending(kind, slug, given.model_dump())
                self.records[kind.name, slug] = (kind, slug, given)

    def unresolved(self) -> list[str]:
        """What the new sources, categories, subjects and places refer to that is not there."""
        missing = []
        for kind, slug, given in self.records.values() if self._known else ():
            for name, target in kind.references.items():
                value = getattr(given, name)
                others = value if isinstance(value, list) else [value] if value else []
                missing += [
                    f"The {kind.name} `{slug}` refers to `{other}`, which is not there."
                    for other in others
                    if other != slug and not self._known_has(target or kind, other)
                ]
        return missing

    def _known_has(self, kind: RecordType, slug: str) -> bool:
        if (kind.name, slug) in self.records or self._known is None:
            return True
        with self.database.read() as session:
            self._known.session, self._known.snapshot = session, open_snapshot(session)
            return self._known.has_slug(kind, slug)

    def _check(
        self, known: ReferenceLookup, drafted: Iterable[tuple[int, Row, Drafted]]
    ) -> tuple[list[Ready], list[tuple[Ready, str, Ready]]]:
        """The drafts that keep every rule, and the relations between them."""
        parsed = [(n, row, made, self._parse(made)) for n, row, made in drafted]
        cited = (cite.document.url for _, _, _, inputs in parsed for given in inputs for cite in given.citations)
        addresses = {url for url in cited if url}
        known.load_documents_by_url(addresses)
        for card in self.stage.documents_at(addresses).values():
            known.add_pending_document(card)
        ready: list[Ready] = []
        relations: list[tuple[Ready, str, Ready]] = []
        for n, row, made, inputs in parsed:
            for smell in made.smells:
                self.tally.smell(smell)
            if made.skipped:
                self.tally.skipped[made.skipped] += 1
                continue
            if (mine := self._checked(known, n, row, made, inputs)) is not None:
                ready += mine
                relations += [(mine[one], type_, mine[other]) for one, type_, other in made.relations]
        return ready, relations

    def _checked(
        self, known: ReferenceLookup, n: int, row: Row, made: Drafted, inputs: Sequence[ClaimInput]
    ) -> list[Ready] | None:
        """The drafts of one row, all of them right; None where the row is refused."""
        mine: list[Ready] = []
        reasons = list(made.faults)
        new = [record for record in made.records if not known.has_slug(record[0], record[1])]
        for kind, slug, given in new:
            known.add_pending(kind, slug, given.model_dump())
        for draft, given in zip(made.drafts, inputs, strict=False):
            try:
                checked = _by_every_rule(known, draft, given)
            except InvalidRequest as wrong:
                reasons += [_reason(draft, fault.pointer, fault.detail, fault.hint) for fault in wrong.errors]
                continue
            mine.append(Ready(n, row, draft, given, checked))
        smells = [smell for each in mine for smell in _figure_smells(each)]
        for smell in smells:
            self.tally.smell(smell)
        if self.strict:
            reasons += [smell.detail for smell in (*made.smells, *smells)]
        if reasons:
            for kind, slug, _given in new:
                known.discard_pending(kind, slug)
            self.refuse(n, row, reasons)
            return None
        for kind, slug, given in new:
            self.records[kind.name, slug] = (kind, slug, given)
        return mine

    @staticmethod
    def _parse(made: Drafted) -> list[ClaimInput]:
        inputs = []
        for draft in made.drafts:
            try:
                inputs.append(ClaimInput.model_validate(draft.given))
            except ValidationError as wrong:
                for error in wrong.errors():
                    where = "/".join(str(step) for step in error["loc"])
                    made.faults.append(_reason(draft, where, error["msg"].removeprefix("Value error, "), None))
        return [] if made.faults else inputs

    def _settle_documents(
        self, session: Session, view: Snapshot, known: ReferenceLookup, ready: Sequence[Ready]
    ) -> None:
        """Find the document of every citation, or think of a new one: of one address, or name, there is one."""
        nameless = {
            cite.document.title
            for each in ready
            for cite, recorded in zip(each.given.citations, each.checked.documents, strict=True)
            if recorded is None and cite.document.url is None and cite.document.title
        }
        named = load_documents_by_title(session, nameless, view) if nameless else {}
        for each in ready:
            for cite, recorded in zip(each.given.citations, each.checked.documents, strict=True):
                each.documents.append(recorded or self._document(known, cite, named))

    def _document(
        self, known: ReferenceLookup, cite: CitationInput, named: Mapping[tuple[str, str | None], RecordFields]
    ) -> RecordFields:
        given = cite.document
        if given.url is not None and (card := known.find_document_by_url(given.url)) is not None:
            return card
        if given.url is None and (card := named.get((given.title or "", given.publisher))):
            return card
        card = self.desk.new_document(known, given)
        known.add_pending_document(card)
        return card

    def _keep_keys_apart(self, ready: Sequence[Ready]) -> None:
        """Two rows of one file with one key are two rows: the second is known again as such."""
        taken = self.stage.keys_among(each.draft.key for each in ready if each.draft.key)
        for each in ready:
            if (key := each.draft.key) is None:
                continue
            own = key
            while own in taken:
                self._repeats[key] += 1
                own = f"{key} ({self._repeats[key] + 1})"
            each.draft.key = own
            taken.add(own)

    def _look_up(self, session: Session, view: Snapshot, ready: Sequence[Ready]) -> Recorded:
        for each in ready:
            self.desk.settle(each, self.plan.vintages, self.vintage)
        prints = [print_ for each in ready for print_ in each.prints]
        ids = [each.draft.id for each in ready if each.draft.id]
        keys = [each.draft.key for each in ready if each.draft.key]
        register = look_up(session, view, prints, ids, keys, self.plan.vintages)
        register.waiting = self.stage.staged_prints(prints)
        register.ids = self.stage.ids_among(ids)
        return register

    def _decided(self, known: ReferenceLookup, each: Ready, register: Recorded) -> Staged | None:
        made = self.desk.decide(known, each, register, self.plan.vintages, self.vintage)
        if isinstance(made, str):
            self.refuse(each.n, each.row, [made])
            return None
        if made.outcome is not Outcome.new:
            self.tally.note(made.outcome, f"{_where(each.row)}: {_spoken(each)}")
        return made

    def _smell_transcriptions(self, session: Session, view: Snapshot, ready: Sequence[Ready]) -> None:
        """One source cannot have said two figures of one thing on one day: one of the two transcriptions slipped."""
        fresh = [each for each in ready if each.new and each.state["magnitude"] is not None and each.state["date"]]
        states = [each.state for each in fresh]
        for index, claim, figure in other_transcriptions(session, view, states):
            each, state = fresh[index], states[index]
            place = Place(each.row.file, each.row.line)
            smell = differing_transcriptions(
                series_name(state), state["date"], state["magnitude"], figure, (place,), f"claim {claim}"
            )
            self.tally.smell(smell)
            if self.strict:
                self.late.setdefault(each.n, []).append(smell.detail)


def _by_every_rule(known: ReferenceLookup, draft: Draft, given: ClaimInput) -> ValidatedClaim:
    """The claim, checked, with its retraction. Raises `InvalidRequest`."""
    checked = validate_claim(known, given)
    if draft.retracted_on:
        if wrong := find_retraction_fault(checked.state["date"], draft.retracted_on, known.today):
            raise invalid_field("retracted_on", wrong)
        checked.state.update(status=Status.retracted, retracted_on=draft.retracted_on)
    return checked


def _figure_smells(each: Ready) -> Iterable[Smell]:
    state = each.checked.state
    if state["lower"] is None and state["upper"] is None:
        return ()
    place = Place(each.row.file, each.row.line)
    return figure_smells(place, state["category"], state["value"], state["lower"], state["upper"])


def _reason(draft: Draft, where: str, detail: str, hint: str | None) -> str:
    where = where.removeprefix("#/")
    said = f"{draft.name}: " if draft.name else ""
    return _cut(f"{said}{where}: {detail}" + (f" ({hint})" if hint else ""))


def _cut(reason: str) -> str:
    """A reason, cut where it quotes too much."""
    return reason if len(reason) <= LONGEST_REASON else reason[:LONGEST_REASON] + "…"


def _where(row: Row) -> str:
    return f"{row.file}, line {row.line}"


def _spoken(each: Ready) -> str:
    given = each.given
    return f"{given.source}: {given.figure.as_printed} {given.category} ({given.period.edtf})"[:LONGEST_REASON]
