"""The processing of rows, batch by batch: map, validate, match, resolve, stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date

from sqlmodel import Session

from app.claims.lookups import ReferenceLookup
from app.claims.supersession import build_supersession_claim, load_supersession_claims
from app.comparison.supersession import SupersessionClaim, find_mismatches
from app.database.engine import Database
from app.database.snapshot import Snapshot, open_snapshot
from app.enums import Aggregation, Outcome, RelationType, Status
from app.http.schema_types import parse_moment
from app.imports.mappings.differences import find_ignored_fields
from app.imports.pipeline.candidates import Candidate, ResolvedClaim, ValidatedDraft, make_candidate
from app.imports.pipeline.encoders import RowEncoders
from app.imports.pipeline.matching import (
    ExistingRecords,
    describe_time_series,
    load_compared_claims,
    load_existing,
    load_series_imports,
)
from app.imports.pipeline.pending import PendingDocuments, PendingImport
from app.imports.pipeline.result import ImportStatistics
from app.imports.pipeline.row_identity import IdentifiedRows, RowIdentifier
from app.imports.pipeline.row_mapping import RowMapper
from app.imports.pipeline.row_resolver import RowResolver
from app.imports.pipeline.sentences import SentenceSample
from app.imports.pipeline.staging import StagedClaim, StagingFile
from app.imports.pipeline.transcriptions import find_transcription_anomalies
from app.imports.pipeline.validate_rows import MAX_REASON_CHARACTERS, DraftRelation, NumberedRow, RowValidator
from app.imports.stop_check import StopCheck, checked, never_stop

COUNTED_OUTCOMES = frozenset({Outcome.new, Outcome.changed, Outcome.cited, Outcome.unchanged})
"""The outcomes of rows whose fields that are not taken are reported."""


@dataclass(slots=True)
class EditorWork:
    """Counts of the changes of an import that need the role editor."""

    repairs: int = 0
    assessments: int = 0
    retractions: int = 0
    marks: int = 0

    def add(self, resolved: ResolvedClaim) -> None:
        """Count the changes of a claim."""
        state = resolved.candidate.validated.validated_claim.state
        self.repairs += "repair" in resolved.writes
        self.assessments += "assessment" in resolved.writes
        self.marks += "marked" in resolved.writes
        self.retractions += resolved.writes_claim and state["retracted_on"] is not None


class RowProcessor:
    """Processes the rows of one import, each batch in a separate read session."""

    def __init__(
        self,
        database: Database,
        mapper: RowMapper,
        staging: StagingFile,
        import_id: str,
        actor: str,
        *,
        strict: bool,
        vintage: date | None = None,
        refusals: Mapping[int, Sequence[str]] | None = None,
        check: StopCheck = never_stop,
    ) -> None:
        """Begin an import; `refusals` are rows to be refused, by number, with the reasons."""
        self._check = check
        self.database = database
        self.mapper = mapper
        self.staging = staging
        self.statistics = ImportStatistics()
        self.validator = RowValidator(
            mapper, staging, self.statistics, strict=strict, vintage=vintage, refusals=refusals, check=check
        )
        self.encoders = RowEncoders.for_database(database)
        self.editor_work = EditorWork()
        self.snapshot_seq: int | None = None
        """The earliest state of the register that rows were compared with."""
        self.late_refusals: dict[int, list[str]] = {}
        """Rows to be refused for anomalies that were found after they were staged."""
        self._sample = SentenceSample()
        self._resolver = RowResolver(self.encoders, import_id, actor, mapper.file_series_options)
        self._series_imports: frozenset[str] | None = None
        self._strict = strict
        options = mapper.file_series_options
        self._identifier = RowIdentifier(staging, options.series, check) if options is not None else None

    def process_batch(self, rows: Sequence[NumberedRow]) -> None:
        """Process a batch of rows. Raises `MappingRefused` for files with different dates."""
        self.statistics.rows += len(rows)
        mapped = self.validator.map_rows(rows)
        with self.database.read() as session:
            snapshot = open_snapshot(session)
            self.snapshot_seq = snapshot.seq if self.snapshot_seq is None else min(self.snapshot_seq, snapshot.seq)
            lookup = self.validator.open_lookup(session, snapshot)
            documents = PendingDocuments(self.staging, self.encoders.document)
            validated, relations = self.validator.validate_rows(lookup, mapped, documents)
            resolved = self._resolve_drafts(session, snapshot, lookup, validated, documents)
            self._check_transcriptions(session, snapshot, resolved)
            resolved = self._drop_unlike_supersessions(session, snapshot, lookup, resolved)
            self._check_declared_supersessions(lookup, resolved, relations)
        self._stage(resolved, relations)

    def write_sentences(self) -> None:
        """Add the sentences of the first new claims of each kind to the statistics."""
        if self.snapshot_seq is None:
            return
        with self.database.read() as session:
            lookup = self.validator.open_lookup(session, open_snapshot(session))
            self.statistics.sentences = self._sample.write(session, lookup, self.validator.records.values())

    def _resolve_drafts(
        self,
        session: Session,
        snapshot: Snapshot,
        lookup: ReferenceLookup,
        drafts: Sequence[ValidatedDraft],
        documents: PendingDocuments,
    ) -> list[ResolvedClaim | None]:
        """Compare drafts with the register and with earlier rows; None for a draft whose row is refused."""
        vintage, options = self.validator.vintage, self.mapper.file_series_options
        made = [make_candidate(validated, options, vintage) for validated in checked(drafts, self._check)]
        identified = self._identify(session, snapshot, made)
        candidates = [candidate for candidate in identified.candidates if candidate is not None]
        fingerprints = [fingerprint for candidate in candidates for fingerprint in candidate.fingerprints]
        claim_ids = [validated.draft.id for validated in drafts if validated.draft.id]
        rows = identified.previous_rows
        existing = load_existing(session, snapshot, fingerprints, claim_ids, rows, self._check)
        existing.moved_keys, existing.restated_keys = identified.moved_keys, identified.restated_keys
        existing.columns = identified.claim_columns
        if options is not None and options.on_change == "fix" and self._series_imports is None:
            self._series_imports = load_series_imports(session, options.series)
        existing.series_imports = self._series_imports or frozenset()
        if any(validated.draft.stated is not None for validated in drafts):
            load_compared_claims(session, snapshot, existing, self._check)
        pending = PendingImport.for_batch(self.staging, documents, fingerprints, claim_ids)
        resolved: list[ResolvedClaim | None] = []
        for candidate in checked(identified.candidates, self._check):
            if candidate is None:
                resolved.append(None)
                continue
            claim = self._resolver.resolve(lookup, candidate, existing, pending, vintage)
            if isinstance(claim, str):
                self.validator.refuse(candidate.validated.row_number, candidate.validated.row, [claim])
                resolved.append(None)
            else:
                resolved.append(claim)
                self._count_ignored(lookup, claim, existing)
        return resolved

    def _identify(self, session: Session, snapshot: Snapshot, candidates: list[Candidate]) -> IdentifiedRows:
        """Return the candidates with the keys under which the register knows their rows."""
        if self._identifier is None:
            return IdentifiedRows(list(candidates), {})
        identified = self._identifier.identify(session, snapshot, candidates)
        for row_number, reasons in identified.refusals.items():
            self.late_refusals.setdefault(row_number, []).extend(reasons)
        return identified

    def _count_ignored(self, lookup: ReferenceLookup, resolved: ResolvedClaim, existing: ExistingRecords) -> None:
        """Count what a row of the service's own format states and is not taken; differences have an outcome."""
        validated = resolved.candidate.validated
        draft, claim_input = validated.draft, validated.claim_input
        if draft.stated is None or resolved.outcome not in COUNTED_OUTCOMES:
            return
        recorded = existing.responses.get(resolved.claim)
        if recorded is None and not resolved.writes_claim:
            return  # an earlier row of the file states the claim
        source = lookup.find_source(claim_input.source)
        state = resolved.candidate.state
        period = {"start": state["period_start"], "end": state["period_end"]}
        ignored = find_ignored_fields(draft.stated, draft.register_fields, claim_input, source, period, recorded)
        if draft.id not in (None, resolved.claim):
            ignored.append("id")
        self.statistics.ignored.update(ignored)

    def _check_transcriptions(
        self, session: Session, snapshot: Snapshot, resolved: Sequence[ResolvedClaim | None]
    ) -> None:
        """Add the anomalies of new claims whose statement is recorded with another figure."""
        new_claims = [claim for claim in resolved if claim is not None and claim.is_new]
        for claim, anomaly in find_transcription_anomalies(session, snapshot, new_claims, self._check):
            self.statistics.add_anomaly(anomaly)
            if self._strict:
                row_number = claim.candidate.validated.row_number
                self.late_refusals.setdefault(row_number, []).append(anomaly.detail)

    def _drop_unlike_supersessions(
        self,
        session: Session,
        snapshot: Snapshot,
        lookup: ReferenceLookup,
        resolved: Sequence[ResolvedClaim | None],
    ) -> list[ResolvedClaim | None]:
        """Let a changed row supersede its earlier claim only if both are about the same, as every supersession is."""
        ids = {claim.supersedes[0] for claim in resolved if claim is not None and claim.supersedes is not None}
        if not ids:
            return list(resolved)
        earlier = load_supersession_claims(session, sorted(ids), snapshot)
        return [
            replace(claim, supersedes=None)
            if claim is not None
            and claim.supersedes is not None
            and find_mismatches(_build_supersession_claim(claim, lookup), earlier[claim.supersedes[0]])
            else claim
            for claim in resolved
        ]

    def _check_declared_supersessions(
        self,
        lookup: ReferenceLookup,
        resolved: Sequence[ResolvedClaim | None],
        relations: Sequence[DraftRelation],
    ) -> None:
        """Refuse rows whose mapping declares that a claim supersedes another one that is not about the same."""
        for index, type_, other_index in relations:
            first, second = resolved[index], resolved[other_index]
            if type_ != RelationType.supersedes or first is None or second is None:
                continue
            claims = [_build_supersession_claim(claim, lookup) for claim in (first, second)]
            if mismatches := find_mismatches(*claims):
                detail = f"A claim of this row cannot supersede the other one: they differ in {', '.join(mismatches)}."
                self.late_refusals.setdefault(first.candidate.validated.row_number, []).append(detail)

    def _stage(self, resolved: Sequence[ResolvedClaim | None], relations: Sequence[DraftRelation]) -> None:
        """Stage the claims of a batch and their relations, and count them."""
        claims = [claim for claim in resolved if claim is not None]
        self._sample.add(claims)
        for claim in claims:
            self.editor_work.add(claim)
            self.statistics.differing_texts.update(claim.differing_texts)
            if not claim.is_new:
                self.statistics.add_example(claim.outcome, _describe_claim(claim))
        self.staging.add_claims(self._staged_claim(claim) for claim in checked(claims, self._check))
        for claim in claims:
            if claim.supersedes is not None:
                other, note = claim.supersedes
                self.staging.add_relation(claim.claim, "supersedes", other, note)
        for index, type_, other_index in relations:
            first, second = resolved[index], resolved[other_index]
            if first is None or second is None:
                continue
            is_written = first.writes_claim or second.writes_claim
            if is_written and first.is_current and second.is_current and first.claim != second.claim:
                self.staging.add_relation(first.claim, type_, second.claim)

    def _staged_claim(self, resolved: ResolvedClaim) -> StagedClaim:
        validated = resolved.candidate.validated
        state = validated.validated_claim.state
        is_running_total = state["aggregation"] == Aggregation.cumulative
        return StagedClaim(
            row_number=validated.row_number,
            file=validated.row.file,
            line=validated.row.line,
            outcome=resolved.outcome,
            fingerprint=resolved.fingerprint,
            claim=resolved.claim,
            key=validated.key,
            time_series_number=self.staging.time_series_number(describe_time_series(state), running=is_running_total),
            day=state["period_end"].isoformat() if state["period_end"] else None,
            moment=parse_moment(state["said_at"]).astimezone(UTC).isoformat() if state["said_at"] else None,
            value=state["magnitude"],
            start=None if is_running_total or state["period_start"] is None else state["period_start"].isoformat(),
            writes=resolved.writes,
        )


def _build_supersession_claim(claim: ResolvedClaim, lookup: ReferenceLookup) -> SupersessionClaim:
    facts = {**claim.candidate.state, "id": claim.claim, "status": Status.asserted, "retracted_on": None}
    return build_supersession_claim(facts, lookup.position_holders)


def _describe_claim(resolved: ResolvedClaim) -> str:
    """Return the location of a row and its claim in a few words, and the fields that differ from the recorded claim."""
    validated = resolved.candidate.validated
    claim = validated.claim_input
    summary = f"{claim.source}: {claim.figure.as_printed} {claim.category} ({claim.period.edtf})"
    differences = ", ".join(f"`{path}`" for path in resolved.differences)
    summary = summary[:MAX_REASON_CHARACTERS] + (f"; differs in {differences}" if differences else "")
    return f"{validated.row.file}, line {validated.row.line}: {summary}"
