"""Rows taken in: each becomes drafts, each draft is checked by every rule, compared with the register, and staged."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from pydantic import ValidationError
from sqlmodel import Session

from app.claims.lookups import RecordFields, ReferenceLookup
from app.claims.schemas import CitationInput, ClaimInput
from app.claims.validation import ValidatedClaim, find_retraction_fault, validate_claim
from app.database.engine import Database
from app.database.snapshot import Snapshot, open_snapshot
from app.enums import Outcome, Status
from app.errors import InvalidRequest, invalid_field
from app.http.schema_types import Input
from app.imports.pipeline.matching import ExistingRecords, describe_series, find_other_transcriptions, load_existing
from app.imports.pipeline.reconciliation import Outcome
from app.imports.pipeline.result import ImportStatistics
from app.imports.pipeline.row_mapping import ClaimDraft, MappedRow, RowMapper
from app.imports.pipeline.row_resolver import RowResolver, ValidatedDraft
from app.imports.pipeline.staging import StagedClaim, StagingFile
from app.imports.quality.anomalies import Anomaly, RowLocation, find_figure_anomalies, transcription_anomaly
from app.imports.readers.options import FileRow, MappingRefused
from app.sources.documents import load_documents_by_title
from app.vocabulary.slug_records import RecordType

MAX_REASONS_PER_ROW = 20
"""So many reasons are told for one row."""

MAX_REASON_CHARACTERS = 400
"""Characters of one of them."""

NumberedRow = tuple[int, FileRow]
"""A row and its number in the whole import: two rows can stand in one line of two files with one name."""

RecordInput = tuple[RecordType, str, Input]


class RowProcessor:
    """Takes in the rows of one import, some at a time, each time in a short session of its own.

    `refused` names rows that an earlier reading of the same files has found out about: what smells in a series is only
    seen when all of it was read.
    """

    def __init__(
        self,
        database: Database,
        plan: RowMapper,
        stage: StagingFile,
        desk: RowResolver,
        *,
        strict: bool,
        vintage: date | None = None,
        refused: Mapping[int, Sequence[str]] | None = None,
    ) -> None:
        self.database = database
        self.mapper = plan
        self.staging = stage
        self.resolver = desk
        self.strict = strict
        self.statistics = ImportStatistics()
        self.seq: int | None = None
        """The state of the register that everything was compared with, at the earliest."""
        self.records: dict[tuple[str, str], RecordInput] = {}
        self.late_refusals: dict[int, list[str]] = {}
        """Rows to be refused for what was seen only after they came in."""
        self.vintage: date | None = vintage
        """The day of the files, where they have one."""
        self._requested_vintage = vintage
        self._rows_to_refuse = refused or {}
        self._lookup: ReferenceLookup | None = None
        self._current_file: str | None = None
        self._key_repeats: Counter[str] = Counter()

    def process_batch(self, rows: Sequence[NumberedRow]) -> None:
        """Take in some rows. Raises `MappingRefused` for files that do not go together."""
        self.statistics.rows += len(rows)
        self.resolver.begin_batch()
        drafted = [(n, row, self._map_row(row)) for n, row in rows if not self._refuse_if_known(n, row)]
        with self.database.read() as session:
            view = open_snapshot(session)
            self.seq = view.seq if self.seq is None else min(self.seq, view.seq)
            known = self._open_lookup(session, view)
            ready, relations = self._validate_rows(known, drafted)
            self._resolve_documents(session, view, known, ready)
            self._make_keys_unique(ready)
            register = self._load_existing(session, view, ready)
            staged = [made for each in ready if (made := self._resolve_draft(known, each, register)) is not None]
            self._check_transcriptions(session, view, ready)
        self.staging.add_claims(staged)
        for one, type_, other in relations:
            if (
                (one.writes_claim or other.writes_claim)
                and one.is_current
                and other.is_current
                and one.claim != other.claim
            ):
                self.staging.add_relation(one.claim, type_, other.claim)

    def refuse(self, n: int, place: FileRow | RowLocation, reasons: Sequence[str]) -> None:
        """Refuse a row, with all claims that it gives."""
        more = len(reasons) - MAX_REASONS_PER_ROW
        told = [*reasons[:MAX_REASONS_PER_ROW], *([f"… and {more:,} more"] if more > 0 else [])]
        self.statistics.refused += 1
        self.staging.refuse(n, place.file, place.line, told)
        self.statistics.add_example(Outcome.refused, f"{place.file}, line {place.line}: {told[0]}")

    def _refuse_if_known(self, n: int, row: FileRow) -> bool:
        reasons = self._rows_to_refuse.get(n)
        if reasons is not None:
            self.refuse(n, row, reasons)
        return reasons is not None

    def _map_row(self, row: FileRow) -> MappedRow:
        if row.file != self._current_file:
            day = self._requested_vintage or self.mapper.vintage_of(row.file)
            if self._current_file is not None and self.mapper.series_options is not None and day != self.vintage:
                told = "is of another day than the file before it: import them one by one, the oldest first."
                raise MappingRefused(f"{row.file} {told}")
            self._current_file, self.vintage = row.file, day
        return self.mapper.map_row(row, self.vintage)

    def _open_lookup(self, session: Session, view: Snapshot) -> ReferenceLookup:
        if self._lookup is None:
            self._lookup = ReferenceLookup(session, view)
            self._announce_records(self._lookup, self.mapper.records)
        self._lookup.session, self._lookup.snapshot = session, view
        if self.vintage is not None and self.vintage > self._lookup.today:
            raise MappingRefused(f"{self._current_file} is said to be of {self.vintage}, which has not come yet.")
        return self._lookup

    def _announce_records(self, known: ReferenceLookup, records: Iterable[RecordInput]) -> None:
        """Take as recorded what will be, where it is not yet."""
        for kind, slug, given in records:
            if (kind.name, slug) not in self.records and not known.has_slug(kind, slug):
                known.add_pending(kind, slug, given.model_dump())
                self.records[kind.name, slug] = (kind, slug, given)

    def find_missing_references(self) -> list[str]:
        """What the new sources, categories, subjects and places refer to that is not there."""
        missing = []
        for kind, slug, given in self.records.values() if self._lookup else ():
            for name, target in kind.references.items():
                value = getattr(given, name)
                others = value if isinstance(value, list) else [value] if value else []
                missing += [
                    f"The {kind.name} `{slug}` refers to `{other}`, which is not there."
                    for other in others
                    if other != slug and not self._has_record(target or kind, other)
                ]
        return missing

    def _has_record(self, kind: RecordType, slug: str) -> bool:
        if (kind.name, slug) in self.records or self._lookup is None:
            return True
        with self.database.read() as session:
            self._lookup.session, self._lookup.snapshot = session, open_snapshot(session)
            return self._lookup.has_slug(kind, slug)

    def _validate_rows(
        self, known: ReferenceLookup, drafted: Iterable[tuple[int, FileRow, MappedRow]]
    ) -> tuple[list[ValidatedDraft], list[tuple[ValidatedDraft, str, ValidatedDraft]]]:
        """The drafts that keep every rule, and the relations between them."""
        parsed = [(n, row, made, self._parse_drafts(made)) for n, row, made in drafted]
        cited = (cite.document.url for _, _, _, inputs in parsed for given in inputs for cite in given.citations)
        addresses = {url for url in cited if url}
        known.load_documents_by_url(addresses)
        for card in self.staging.documents_by_address(addresses).values():
            known.add_pending_document(card)
        ready: list[ValidatedDraft] = []
        relations: list[tuple[ValidatedDraft, str, ValidatedDraft]] = []
        for n, row, made, inputs in parsed:
            for smell in made.anomalies:
                self.statistics.add_anomaly(smell)
            if made.skip_reason:
                self.statistics.skipped[made.skip_reason] += 1
                continue
            if (mine := self._validate_row(known, n, row, made, inputs)) is not None:
                ready += mine
                relations += [(mine[one], type_, mine[other]) for one, type_, other in made.relations]
        return ready, relations

    def _validate_row(
        self, known: ReferenceLookup, n: int, row: FileRow, made: MappedRow, inputs: Sequence[ClaimInput]
    ) -> list[ValidatedDraft] | None:
        """The drafts of one row, all of them right; None where the row is refused."""
        mine: list[ValidatedDraft] = []
        reasons = list(made.faults)
        new = [record for record in made.records if not known.has_slug(record[0], record[1])]
        for kind, slug, given in new:
            known.add_pending(kind, slug, given.model_dump())
        for draft, given in zip(made.drafts, inputs, strict=False):
            try:
                checked = _validate_draft(known, draft, given)
            except InvalidRequest as wrong:
                reasons += [_format_reason(draft, fault.pointer, fault.detail, fault.hint) for fault in wrong.errors]
                continue
            mine.append(ValidatedDraft(n, row, draft, given, checked))
        smells = [smell for each in mine for smell in _figure_anomalies_of(each)]
        for smell in smells:
            self.statistics.add_anomaly(smell)
        if self.strict:
            reasons += [smell.detail for smell in (*made.anomalies, *smells)]
        if reasons:
            for kind, slug, _given in new:
                known.discard_pending(kind, slug)
            self.refuse(n, row, reasons)
            return None
        for kind, slug, given in new:
            self.records[kind.name, slug] = (kind, slug, given)
        return mine

    @staticmethod
    def _parse_drafts(made: MappedRow) -> list[ClaimInput]:
        inputs = []
        for draft in made.drafts:
            try:
                inputs.append(ClaimInput.model_validate(draft.claim_input))
            except ValidationError as wrong:
                for error in wrong.errors():
                    where = "/".join(str(step) for step in error["loc"])
                    made.faults.append(_format_reason(draft, where, error["msg"].removeprefix("Value error, "), None))
        return [] if made.faults else inputs

    def _resolve_documents(
        self, session: Session, view: Snapshot, known: ReferenceLookup, ready: Sequence[ValidatedDraft]
    ) -> None:
        """Find the document of every citation, or think of a new one: of one address, or name, there is one."""
        nameless = {
            cite.document.title
            for each in ready
            for cite, recorded in zip(each.claim_input.citations, each.validated_claim.documents, strict=True)
            if recorded is None and cite.document.url is None and cite.document.title
        }
        named = load_documents_by_title(session, nameless, view) if nameless else {}
        for each in ready:
            for cite, recorded in zip(each.claim_input.citations, each.validated_claim.documents, strict=True):
                each.documents.append(recorded or self._resolve_document(known, cite, named))

    def _resolve_document(
        self, known: ReferenceLookup, cite: CitationInput, named: Mapping[tuple[str, str | None], RecordFields]
    ) -> RecordFields:
        given = cite.document
        if given.url is not None and (card := known.find_document_by_url(given.url)) is not None:
            return card
        if given.url is None and (card := named.get((given.title or "", given.publisher))):
            return card
        card = self.resolver.new_document(known, given)
        known.add_pending_document(card)
        return card

    def _make_keys_unique(self, ready: Sequence[ValidatedDraft]) -> None:
        """Two rows of one file with one key are two rows: the second is known again as such."""
        taken = self.staging.find_keys(each.draft.key for each in ready if each.draft.key)
        for each in ready:
            if (key := each.draft.key) is None:
                continue
            own = key
            while own in taken:
                self._key_repeats[key] += 1
                own = f"{key} ({self._key_repeats[key] + 1})"
            each.draft.key = own
            taken.add(own)

    def _load_existing(self, session: Session, view: Snapshot, ready: Sequence[ValidatedDraft]) -> ExistingRecords:
        for each in ready:
            self.resolver.derive_states(each, self.mapper.series_options, self.vintage)
        prints = [print_ for each in ready for print_ in each.fingerprints]
        ids = [each.draft.id for each in ready if each.draft.id]
        keys = [each.draft.key for each in ready if each.draft.key]
        register = load_existing(session, view, prints, ids, keys, self.mapper.series_options)
        register.pending_claims = self.staging.claims_by_fingerprint(prints)
        register.pending_ids = self.staging.find_claim_ids(ids)
        return register

    def _resolve_draft(
        self, known: ReferenceLookup, each: ValidatedDraft, register: ExistingRecords
    ) -> StagedClaim | None:
        made = self.resolver.resolve(known, each, register, self.mapper.series_options, self.vintage)
        if isinstance(made, str):
            self.refuse(each.row_number, each.row, [made])
            return None
        if made.outcome is not Outcome.new:
            self.statistics.add_example(made.outcome, f"{_describe_location(each.row)}: {_describe_claim(each)}")
        return made

    def _check_transcriptions(self, session: Session, view: Snapshot, ready: Sequence[ValidatedDraft]) -> None:
        """One source cannot have said two figures of one thing on one day: one of the two transcriptions slipped."""
        fresh = [each for each in ready if each.is_new and each.state["magnitude"] is not None and each.state["date"]]
        states = [each.state for each in fresh]
        for index, claim, figure in find_other_transcriptions(session, view, states):
            each, state = fresh[index], states[index]
            place = RowLocation(each.row.file, each.row.line)
            smell = transcription_anomaly(
                describe_series(state), state["date"], state["magnitude"], figure, (place,), f"claim {claim}"
            )
            self.statistics.add_anomaly(smell)
            if self.strict:
                self.late_refusals.setdefault(each.row_number, []).append(smell.detail)


def _validate_draft(known: ReferenceLookup, draft: ClaimDraft, given: ClaimInput) -> ValidatedClaim:
    """The claim, checked, with its retraction. Raises `InvalidRequest`."""
    checked = validate_claim(known, given)
    if draft.retracted_on:
        if wrong := find_retraction_fault(checked.state["date"], draft.retracted_on, known.today):
            raise invalid_field("retracted_on", wrong)
        checked.state.update(status=Status.retracted, retracted_on=draft.retracted_on)
    return checked


def _figure_anomalies_of(each: ValidatedDraft) -> Iterable[Anomaly]:
    state = each.validated_claim.state
    if state["lower"] is None and state["upper"] is None:
        return ()
    place = RowLocation(each.row.file, each.row.line)
    return find_figure_anomalies(place, state["category"], state["value"], state["lower"], state["upper"])


def _format_reason(draft: ClaimDraft, where: str, detail: str, hint: str | None) -> str:
    where = where.removeprefix("#/")
    said = f"{draft.name}: " if draft.name else ""
    return _truncate(f"{said}{where}: {detail}" + (f" ({hint})" if hint else ""))


def _truncate(reason: str) -> str:
    """A reason, cut where it quotes too much."""
    return reason if len(reason) <= MAX_REASON_CHARACTERS else reason[:MAX_REASON_CHARACTERS] + "…"


def _describe_location(row: FileRow) -> str:
    return f"{row.file}, line {row.line}"


def _describe_claim(each: ValidatedDraft) -> str:
    given = each.claim_input
    return f"{given.source}: {given.figure.as_printed} {given.category} ({given.period.edtf})"[:MAX_REASON_CHARACTERS]
