"""The validation of rows: each is mapped to drafts of claims, and each draft is checked against every rule."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from pydantic import ValidationError
from sqlmodel import Session

from app.claims.lookups import ReferenceLookup
from app.claims.schemas import ClaimInput
from app.claims.validation import ValidatedClaim, find_retraction_fault, validate_claim
from app.database.engine import Database
from app.database.snapshot import Snapshot, open_snapshot
from app.enums import Outcome, Status
from app.errors import (
    DocumentDiffers,
    EditionAmbiguous,
    Fault,
    InvalidRequest,
    invalid_field,
    validation_location,
    validation_message,
)
from app.http.schema_types import Input
from app.imports.pipeline.candidates import ValidatedDraft
from app.imports.pipeline.pending import PendingDocuments
from app.imports.pipeline.result import ImportStatistics
from app.imports.pipeline.row_mapping import ClaimDraft, MappedRow, RowMapper
from app.imports.pipeline.staging import StagingFile
from app.imports.quality.anomalies import Anomaly, RowLocation, find_figure_anomalies
from app.imports.readers.options import FileRow, MappingRefused
from app.imports.stop_check import StopCheck, checked, never_stop
from app.sources.queries import SOURCE
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.slug_records import RecordType

NAMED_FIELDS: Mapping[str, RecordType] = {
    "source": SOURCE,
    "category": CATEGORY,
    "subject": SUBJECT,
    "place": PLACE,
}
"""The fields of a claim that can have a name instead of a slug."""

MAX_REASONS_PER_ROW = 20
"""Maximum number of reasons for one refused row; further ones are only counted."""

MAX_REASON_CHARACTERS = 400
"""Maximum length of a reason."""

NumberedRow = tuple[int, FileRow]
"""A row and its number in the import. File and line are not unique, because two files can have the same name."""

RecordInput = tuple[RecordType, str, Input]

DraftRelation = tuple[int, str, int]
"""Index of the draft that has the relation, type, index of the related draft."""


class RowValidator:
    """Maps the rows of one import to drafts, and refuses the rows that break a rule.

    Args of the constructor:
        refusals: The reasons for refusing rows before they are mapped, by row number, from an earlier pass over the
            same files. Anomalies in a time series are found only at the end of a pass.
    """

    def __init__(
        self,
        mapper: RowMapper,
        staging: StagingFile,
        statistics: ImportStatistics,
        *,
        strict: bool,
        vintage: date | None = None,
        refusals: Mapping[int, Sequence[str]] | None = None,
        check: StopCheck = never_stop,
    ) -> None:
        self._check = check
        self.mapper = mapper
        self.staging = staging
        self.statistics = statistics
        self.strict = strict
        self.records: dict[tuple[str, str], RecordInput] = {}
        """Sources, categories, subjects and places to be recorded before the claims."""
        self.vintage: date | None = vintage
        """The date of the files, if they have one."""
        self._requested_vintage = vintage
        self._refusals = refusals or {}
        self._lookup: ReferenceLookup | None = None
        self._current_file: str | None = None

    def map_rows(self, rows: Sequence[NumberedRow]) -> list[tuple[int, FileRow, MappedRow]]:
        """Map a batch of rows. Raises `MappingRefused` for files of a file series with different dates."""
        return [
            (row_number, row, self._map_row(row))
            for row_number, row in checked(rows, self._check)
            if not self._refuse_if_requested(row_number, row)
        ]

    def open_lookup(self, session: Session, snapshot: Snapshot) -> ReferenceLookup:
        """Return the lookup of recorded references and of those that the import will record."""
        if self._lookup is None:
            self._lookup = ReferenceLookup(session, snapshot)
            # A row of a claim that cites the document already loses nothing; and exported rows have the ids of theirs.
            self._lookup.defers_document_conflicts = self._lookup.accepts_document_ids = True
            self._add_declared_records(self._lookup)
        self._lookup.session, self._lookup.snapshot = session, snapshot
        if self.vintage is not None and self.vintage > self._lookup.today:
            raise MappingRefused(f"{self._current_file} is dated {self.vintage}, which is in the future.")
        return self._lookup

    def validate_rows(
        self,
        lookup: ReferenceLookup,
        mapped_rows: Iterable[tuple[int, FileRow, MappedRow]],
        documents: PendingDocuments,
    ) -> tuple[list[ValidatedDraft], list[DraftRelation]]:
        """Return the drafts that satisfy every rule, and the relations between them; refuse the other rows.

        The documents of a row are known to the rows after it.
        """
        parsed = [
            (row_number, row, mapped, _parse_drafts(lookup, mapped, self._check))
            for row_number, row, mapped in mapped_rows
        ]
        documents.load(lookup, [claim_input for _, _, _, inputs in parsed for claim_input in inputs])
        validated: list[ValidatedDraft] = []
        relations: list[DraftRelation] = []
        for row_number, row, mapped, inputs in parsed:
            for anomaly in mapped.anomalies:
                self.statistics.add_anomaly(anomaly)
            if mapped.skip_reason:
                self.statistics.skipped[mapped.skip_reason] += 1
                continue
            if not mapped.drafts and not mapped.faults:
                self.statistics.without_claim["; ".join(mapped.empty_reasons) or "no claim"] += 1
            drafts = self._validate_row(lookup, row_number, row, mapped, inputs, documents)
            if drafts is not None:
                first = len(validated)
                validated += drafts
                relations += [(first + index, type_, first + other) for index, type_, other in mapped.relations]
        return validated, relations

    def refuse(self, row_number: int, location: FileRow | RowLocation, reasons: Sequence[str]) -> None:
        """Refuse a row with all its claims."""
        excess = len(reasons) - MAX_REASONS_PER_ROW
        kept = [*reasons[:MAX_REASONS_PER_ROW], *([f"… and {excess:,} more"] if excess > 0 else [])]
        self.statistics.refused += 1
        self.staging.add_refused_row(row_number, location.file, location.line, kept)
        self.statistics.add_example(Outcome.refused, f"{location.file}, line {location.line}: {kept[0]}")

    def find_missing_references(self, database: Database) -> list[str]:
        """Describe the references of the pending records to records that do not exist."""
        missing = []
        for record_type, slug, record in self.records.values() if self._lookup else ():
            for name, target in record_type.references.items():
                value = getattr(record, name)
                others = value if isinstance(value, list) else [value] if value else []
                missing += [
                    f"The {record_type.name} `{slug}` refers to `{other}`, which does not exist."
                    for other in others
                    if other != slug and not self._has_record(database, target or record_type, other)
                ]
        return missing

    def _refuse_if_requested(self, row_number: int, row: FileRow) -> bool:
        reasons = self._refusals.get(row_number) or ([row.fault] if row.fault is not None else None)
        if reasons is not None:
            self.refuse(row_number, row, reasons)
        return reasons is not None

    def _map_row(self, row: FileRow) -> MappedRow:
        if row.file != self._current_file:
            vintage = self._requested_vintage or self.mapper.vintage_of(row.file)
            if (
                self._current_file is not None
                and self.mapper.file_series_options is not None
                and vintage != self.vintage
            ):
                message = "has another date than the previous file: import the files one by one, the oldest first."
                raise MappingRefused(f"{row.file} {message}")
            self._current_file, self.vintage = row.file, vintage
        return self.mapper.map_row(row, self.vintage)

    def _add_declared_records(self, lookup: ReferenceLookup) -> None:
        """Add the records that the mapping declares and that do not exist yet."""
        for record_type, slug, record in self.mapper.records:
            if (record_type.name, slug) not in self.records and not lookup.has_slug(record_type, slug):
                lookup.add_pending(record_type, slug, record.model_dump())
                self.records[record_type.name, slug] = (record_type, slug, record)

    def _has_record(self, database: Database, record_type: RecordType, slug: str) -> bool:
        if (record_type.name, slug) in self.records or self._lookup is None:
            return True
        with database.read() as session:
            self._lookup.session, self._lookup.snapshot = session, open_snapshot(session)
            return self._lookup.has_slug(record_type, slug)

    def _validate_row(
        self,
        lookup: ReferenceLookup,
        row_number: int,
        row: FileRow,
        mapped: MappedRow,
        inputs: Sequence[ClaimInput],
        documents: PendingDocuments,
    ) -> list[ValidatedDraft] | None:
        """Return the drafts of one row, or None if the row is refused."""
        validated: list[ValidatedDraft] = []
        reasons = list(mapped.faults)
        new_records = [record for record in mapped.records if not lookup.has_slug(record[0], record[1])]
        for record_type, slug, record in new_records:
            lookup.add_pending(record_type, slug, record.model_dump())
        for draft, claim_input in zip(checked(mapped.drafts, self._check), inputs, strict=False):
            try:
                validated_claim = _validate_draft(lookup, draft, claim_input)
            except InvalidRequest as error:
                reasons += [_format_reason(draft, fault.pointer, fault.detail, fault.hint) for fault in error.errors]
                continue
            validated.append(ValidatedDraft(row_number, row, draft, claim_input, validated_claim, draft.key))
        anomalies = [anomaly for draft in validated for anomaly in _figure_anomalies_of(draft)]
        for anomaly in anomalies:
            self.statistics.add_anomaly(anomaly)
        if self.strict:
            reasons += [anomaly.detail for anomaly in (*mapped.anomalies, *anomalies)]
        if not reasons:
            validated, reasons = _resolve_documents(lookup, validated, documents)
        if reasons:
            for record_type, slug, _record in new_records:
                lookup.discard_pending(record_type, slug)
            self.refuse(row_number, row, reasons)
            return None
        for record_type, slug, record in new_records:
            self.records[record_type.name, slug] = (record_type, slug, record)
        return validated


def _parse_drafts(lookup: ReferenceLookup, mapped: MappedRow, check: StopCheck) -> list[ClaimInput]:
    """Return the drafts of a row as claims. If any is invalid, add its errors to the row's faults and return none."""
    inputs = []
    for draft in checked(mapped.drafts, check):
        if draft.has_names:
            mapped.faults += _resolve_names(lookup, draft)
        try:
            inputs.append(ClaimInput.model_validate(draft.claim_input))
        except ValidationError as invalid:
            mapped.faults += [
                _format_reason(draft, validation_location(error), validation_message(error), None)
                for error in invalid.errors()
                if validation_location(error) not in draft.unresolved
            ]
    return [] if mapped.faults else inputs


def _resolve_names(lookup: ReferenceLookup, draft: ClaimDraft) -> list[str]:
    """Replace the names of a draft by slugs, and return the reasons for those that cannot be replaced."""
    fields = draft.claim_input
    document = fields["citations"][0]["document"]
    faults: list[Fault] = []

    def resolve(kind: RecordType, pointer: str, text: str) -> str:
        found = lookup.resolve_name(kind, pointer, text)
        if isinstance(found, str):
            return found
        faults.append(found)
        draft.unresolved.add(pointer)
        return text

    for name, kind in NAMED_FIELDS.items():
        if name in fields:
            fields[name] = resolve(kind, name, fields[name])
    for name in ("includes", "excludes"):
        if name in fields:
            fields[name] = [resolve(SUBJECT, f"{name}/{i}", text) for i, text in enumerate(fields[name])]
    if "publisher" in document:
        document["publisher"] = resolve(SOURCE, "citations/0/document/publisher", document["publisher"])
    return [_format_reason(draft, fault.pointer, fault.detail, fault.hint) for fault in faults]


def _validate_draft(lookup: ReferenceLookup, draft: ClaimDraft, claim_input: ClaimInput) -> ValidatedClaim:
    """Validate a claim together with its retraction. Raises `InvalidRequest`."""
    validated_claim = validate_claim(lookup, claim_input, has_unstated_decimal=draft.has_unstated_decimal)
    if draft.retracted_on:
        if fault := find_retraction_fault(validated_claim.state["date"], draft.retracted_on, lookup.today):
            raise invalid_field("retracted_on", fault)
        validated_claim.state.update(status=Status.retracted, retracted_on=draft.retracted_on)
    return validated_claim


def _resolve_documents(
    lookup: ReferenceLookup, drafts: Sequence[ValidatedDraft], documents: PendingDocuments
) -> tuple[list[ValidatedDraft], list[str]]:
    """Return the drafts of a row with the documents of their citations, and the reasons for refusing the row."""
    resolved, reasons = [], []
    for validated in drafts:
        claim, cited = validated.validated_claim, []
        for i, (citation, recorded) in enumerate(zip(validated.claim_input.citations, claim.documents, strict=True)):
            if (conflict := claim.conflicts.get(i)) is not None:
                cited.append(conflict.candidates[0])
                continue
            try:
                cited.append(recorded or documents.resolve(lookup, citation.document))
            except (DocumentDiffers, EditionAmbiguous) as problem:
                pointer = f"citations/{i}/document"
                reasons.append(_format_reason(validated.draft, pointer, problem.detail, problem.hint))
        resolved.append(replace(validated, documents=tuple(cited)))
    return resolved, reasons


def _figure_anomalies_of(validated: ValidatedDraft) -> Iterable[Anomaly]:
    state = validated.validated_claim.state
    if state["lower"] is None and state["upper"] is None:
        return ()
    location = RowLocation(validated.row.file, validated.row.line)
    return find_figure_anomalies(location, state["category"], state["value"], state["lower"], state["upper"])


def _format_reason(draft: ClaimDraft, pointer: str, detail: str, hint: str | None) -> str:
    """Return a reason for refusing a row, of limited length."""
    claim = f"{draft.name}: " if draft.name else ""
    reason = f"{claim}{pointer.removeprefix('#/')}: {detail}" + (f" ({hint})" if hint else "")
    return reason if len(reason) <= MAX_REASON_CHARACTERS else reason[:MAX_REASON_CHARACTERS] + "…"
