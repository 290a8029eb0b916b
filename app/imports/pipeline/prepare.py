"""The preparation of an import: files are read, mapped, validated, compared with the register and staged."""

import gc
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path

from sqlalchemy import func, select
from uuid_utils import uuid7

from app.database.engine import Database
from app.database.snapshot import open_snapshot
from app.database.sql import batch_values
from app.database.tables import ImportedRow, table_of
from app.errors import Unavailable
from app.imports.mappings.fields import UnreadableValue
from app.imports.pipeline.column_check import ColumnCheck
from app.imports.pipeline.encoders import RowEncoders
from app.imports.pipeline.process_rows import RowProcessor
from app.imports.pipeline.result import ImportRefused, ImportResult
from app.imports.pipeline.row_mapping import RowMapper
from app.imports.pipeline.staging import StagingFile
from app.imports.pipeline.validate_rows import NumberedRow, RecordInput
from app.imports.quality.anomalies import Anomaly, RowLocation, TimeSeriesPoint
from app.imports.quality.grouping import group_anomalies
from app.imports.quality.time_series import find_time_series_anomalies
from app.imports.readers.options import FileRefused, FileRow, MappingRefused, ReadLimits
from app.imports.readers.query import QueryLimits
from app.imports.readers.reader import FileReader
from app.imports.row_keys import is_erased_key
from app.imports.stop_check import StopCheck, checked, never_stop

MAX_BATCH_ROWS = 1_000
"""Maximum number of rows that are processed in one read session."""

MAX_BATCH_BYTES = 4_000_000
"""Number of bytes read after which a batch takes no further rows."""

MAX_ATTEMPTS = 5
"""Maximum number of attempts of an import that conflicts with concurrent writes."""

MAX_REPORTED_REFUSALS = 100
"""Maximum number of refused rows that are listed with their reasons; further ones are only counted."""

DEFAULT_GC_THRESHOLDS = gc.get_threshold()
IMPORT_GC_THRESHOLDS = (100_000, 50, 100)
"""Allocations before the garbage collector runs, by generation, while an import runs."""

ProgressCallback = Callable[[int, int], None]
"""Called with the bytes that are read and the bytes of all files."""


@dataclass(slots=True)
class ImportRequest:
    """The files and options of an import."""

    paths: Sequence[Path]
    mapper: RowMapper
    names: Sequence[str] | None = None
    dry_run: bool = False
    keep_going: bool = False
    strict: bool = False
    limit: int | None = None
    vintage: date | None = None
    limits: ReadLimits = field(default_factory=ReadLimits)
    query_limits: QueryLimits = field(default_factory=QueryLimits)
    progress: ProgressCallback = lambda _done, _all: None
    check: StopCheck = never_stop


@dataclass(frozen=True, slots=True)
class PreparedImport:
    """A staged import: its result so far, and what publishing it has to write. Valid while its staging file is open."""

    request: ImportRequest
    actor: str
    result: ImportResult
    staging: StagingFile
    encoders: RowEncoders
    records: Sequence[RecordInput]
    """Sources, categories, subjects and places to be recorded before the claims."""
    repairs: int
    """The number of corrections of recorded claims."""
    series: str | None
    vintage: date | None
    """The date of the files, if they have one."""
    snapshot_seq: int | None
    """The earliest state of the register that the rows were compared with; None if there was no row."""

    @property
    def has_repairs(self) -> bool:
        """Whether recorded claims are corrected."""
        return self.repairs > 0

    @property
    def has_writes(self) -> bool:
        """Whether publishing it would record anything; never on a dry run."""
        return self.result.has_changes and not self.request.dry_run

    @property
    def is_refused(self) -> bool:
        """Whether rows are refused and the request does not accept that."""
        return self.result.statistics.refused > 0 and not (self.request.keep_going or self.request.dry_run)

    @property
    def is_published(self) -> bool:
        """Whether it is published: it has something to record, and no row prevents that."""
        return self.has_writes and not self.is_refused

    def check_refusals(self) -> None:
        """Raise `ImportRefused` if rows are refused and the request does not accept that."""
        if self.is_refused:
            raise ImportRefused(self.result)

    def refused_rows(self) -> Iterator[tuple[FileRow, list[str]]]:
        """Read the files again and yield the refused rows with their reasons."""
        if not self.result.statistics.refused:
            return
        for row_number, row in _number_rows(_open_reader(self.request), self.request.limit):
            if (reasons := self.staging.refusal_reasons(row_number)) is not None:
                yield row, reasons


def import_attempts(database: Database, request: ImportRequest, actor: str) -> Generator[PreparedImport]:
    """Prepare the import anew up to `MAX_ATTEMPTS` times; the caller leaves the loop when it is done.

    Use it with `contextlib.closing`: an exception in the caller's loop would otherwise keep the staging file open and
    the garbage collector's thresholds changed.

    Raises:
        FileRefused: A file cannot be read.
        MappingRefused: The mapping does not fit the files.
        Unavailable: The caller asked for more than `MAX_ATTEMPTS` attempts.
    """
    from app.imports.pipeline.publish_parts import wait_for_series  # noqa: PLC0415 - it imports this module

    options = request.mapper.file_series_options
    with infrequent_garbage_collection():
        for _ in range(MAX_ATTEMPTS):
            request.check()
            if options is not None and not request.dry_run:
                wait_for_series(database, options.series, request.check)
            with prepare_import(database, request, actor) as prepared:
                yield prepared
    raise Unavailable(
        "Concurrent writes keep changing the records that this import depends on.",
        hint="try again",
        headers={"Retry-After": "10"},
    )


@contextmanager
def infrequent_garbage_collection() -> Iterator[None]:
    """Let the garbage collector run less often.

    An import allocates many small objects and no cycles; searching for them took a third of its time. The thresholds
    apply to the whole process: in a serving process, requests run with them as well until the import ends.
    """
    gc.set_threshold(*IMPORT_GC_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*DEFAULT_GC_THRESHOLDS)


@contextmanager
def prepare_import(database: Database, request: ImportRequest, actor: str) -> Iterator[PreparedImport]:
    """Read, map, validate, match, resolve and stage the rows. Raises `FileRefused`, `MappingRefused`."""
    import_id = str(uuid7())
    with closing(StagingFile(request.check)) as staging:
        processor, reader = _stage_rows(database, request, staging, import_id, actor, {})
        if not processor.late_refusals:
            yield _prepared_import(request, actor, processor, reader, import_id)
            return
        late_refusals, statistics = processor.late_refusals, processor.statistics
    # A time series can be checked only when it is complete: read the files again without the rows that have anomalies.
    with closing(StagingFile(request.check)) as staging:
        processor, reader = _stage_rows(database, request, staging, import_id, actor, late_refusals)
        processor.statistics.anomalies = statistics.anomalies
        processor.statistics.anomaly_counts = statistics.anomaly_counts
        yield _prepared_import(request, actor, processor, reader, import_id)


def _stage_rows(
    database: Database,
    request: ImportRequest,
    staging: StagingFile,
    import_id: str,
    actor: str,
    refusals: Mapping[int, Sequence[str]],
) -> tuple[RowProcessor, FileReader]:
    """Read all files into the staging file; rows in `refusals` are refused for these reasons."""
    processor = RowProcessor(
        database,
        request.mapper,
        staging,
        import_id,
        actor,
        strict=request.strict,
        vintage=request.vintage,
        refusals=refusals,
        check=request.check,
    )
    reader = _open_reader(request)
    rows = _number_rows(reader, request.limit)
    columns = ColumnCheck(request.mapper, is_only_file=len(request.paths) == 1)
    while batch := _next_batch(rows, reader):
        columns.add_rows([row for _, row in batch if row.fault is None], reader.files[0].name if reader.files else "")
        processor.process_batch(batch)
        request.progress(reader.bytes_done, reader.bytes_total)
    _check_headers(request, reader)
    columns.finish(processor, reader.files, is_whole=request.limit is None)
    _check_time_series(processor, request.check, strict=request.strict and not refusals)
    if missing := processor.validator.find_missing_references(database):
        raise MappingRefused(missing[0])
    processor.write_sentences()
    if request.limit is None and not processor.statistics.refused:
        _count_vanished(database, processor, request.check)
    processor.statistics.claims.update(staging.outcome_counts())
    if refusals:
        processor.late_refusals.clear()
    return processor, reader


def _prepared_import(
    request: ImportRequest, actor: str, processor: RowProcessor, reader: FileReader, import_id: str
) -> PreparedImport:
    staging = processor.staging
    file_series_options = request.mapper.file_series_options
    result = ImportResult(
        id=import_id,
        mapping=request.mapper.name,
        series=file_series_options.series if file_series_options else None,
        dry_run=request.dry_run,
        published=False,
        files=reader.files,
        statistics=processor.statistics,
        refused=list(islice(staging.refused_rows(), MAX_REPORTED_REFUSALS)),
        editor_actions=_find_editor_actions(processor),
        has_changes=staging.has_writes(),
    )
    return PreparedImport(
        request=request,
        actor=actor,
        result=result,
        staging=staging,
        encoders=processor.encoders,
        records=list(processor.validator.records.values()),
        repairs=processor.editor_work.repairs,
        series=result.series,
        vintage=processor.validator.vintage,
        snapshot_seq=processor.snapshot_seq,
    )


def _check_headers(request: ImportRequest, reader: FileReader) -> None:
    """Raise `FileRefused` for a file without rows whose column names the mapper does not know."""
    for report in reader.files:
        if report.header and not report.rows:
            try:
                request.mapper.check_header(report.header)
            except UnreadableValue as error:
                raise FileRefused(f"has no rows. {error}", file=report.name, hint=error.hint or None) from None


def _open_reader(request: ImportRequest) -> FileReader:
    return FileReader(
        request.paths,
        request.mapper.options,
        names=request.names,
        limits=request.limits,
        keeps_going=request.keep_going,
        query_limits=request.query_limits,
        check=request.check,
    )


def _number_rows(reader: FileReader, limit: int | None) -> Iterator[NumberedRow]:
    return islice(enumerate(reader), limit)


def _next_batch(rows: Iterator[NumberedRow], reader: FileReader) -> list[NumberedRow]:
    """Return the next rows, up to `MAX_BATCH_ROWS` and about `MAX_BATCH_BYTES`."""
    batch: list[NumberedRow] = []
    bytes_before = reader.bytes_unpacked
    for numbered_row in rows:
        batch.append(numbered_row)
        if len(batch) >= MAX_BATCH_ROWS or reader.bytes_unpacked - bytes_before > MAX_BATCH_BYTES:
            break
    return batch


def _check_time_series(processor: RowProcessor, check: StopCheck, *, strict: bool) -> None:
    """Add the anomalies of every time series; with `strict`, refuse their rows."""
    found: list[Anomaly] = []
    points_of_all = checked(processor.staging.time_series_points(), check)
    for number, points in groupby(points_of_all, key=itemgetter(0)):
        name, running = processor.staging.read_time_series(number)
        row_numbers: dict[RowLocation, list[int]] = {}
        time_series_points = _iterate_points(points, row_numbers if strict else None)
        for anomaly in find_time_series_anomalies(name, time_series_points, running=running):
            found.append(anomaly)
            for location in anomaly.locations:
                for row_number in row_numbers.get(location, ()):
                    processor.late_refusals.setdefault(row_number, []).append(anomaly.detail)
    for anomaly in group_anomalies(found):
        processor.statistics.add_anomaly(anomaly)


def _iterate_points(
    points: Iterator[tuple[int, int, str, int, str, str | None, float, str | None]],
    row_numbers: dict[RowLocation, list[int]] | None,
) -> Iterator[TimeSeriesPoint]:
    """Yield the points of one time series, and add the row numbers at each location to `row_numbers`."""
    for _, row_number, file, line, day, moment, value, start in points:
        location = RowLocation(file, line)
        if row_numbers is not None:
            row_numbers.setdefault(location, []).append(row_number)
        first_day = None if start is None else date.fromisoformat(start)
        yield TimeSeriesPoint(location, date.fromisoformat(day), value, moment, first_day)


def _count_vanished(database: Database, processor: RowProcessor, check: StopCheck) -> None:
    """Count the rows that an earlier file of the file series has and this one lacks. Their claims are not changed."""
    options = processor.mapper.file_series_options
    if options is None or not options.holds_every_row:
        return
    row = table_of(ImportedRow).c
    with database.read() as session:
        open_snapshot(session)
        latest = session.execute(select(func.max(row.vintage)).where(row.series == options.series)).scalar()
        vintage = processor.validator.vintage
        if latest is not None and vintage is not None and vintage < latest:
            return  # an older file arrives late: rows that it lacks may have appeared after it
        recorded_keys = select(row.key).where(row.series == options.series).distinct().order_by(row.key)
        for keys in checked(batch_values(session.execute(recorded_keys).scalars()), check):
            present = processor.staging.find_keys(keys)
            for key in keys:
                if key not in present and not is_erased_key(key):
                    processor.statistics.vanished += 1
                    processor.statistics.add_example("vanished", f"{options.series}: the row {key}")


def _find_editor_actions(processor: RowProcessor) -> list[str]:
    """Return the changes of the import that need the role editor."""
    actions = [
        f"record the {record_type.name} `{slug}`" for record_type, slug, _ in processor.validator.records.values()
    ]
    if processor.editor_work.repairs:
        actions.append("repair recorded claims")
    if processor.editor_work.assessments:
        actions.append("assess claims")
    if processor.editor_work.marks:
        actions.append("mark leading citations")
    if processor.editor_work.retractions:
        actions.append("record retractions")
    if processor.staging.has_relations():
        actions.append("relate claims to each other")
    return actions
