"""One import from first to last: read, staged, looked over, and published at once, or not at all."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from uuid_utils import uuid7

from app.database.engine import Database
from app.database.snapshot import open_snapshot
from app.database.tables import ImportedRow, table_of
from app.database.transaction import WriteTransaction
from app.enums import Outcome
from app.errors import Unavailable
from app.imports.pipeline.process_rows import ImportStatistics, NumberedRow, RowProcessor
from app.imports.pipeline.publish import RegisterChanged, publish
from app.imports.pipeline.row_mapping import RowMapper
from app.imports.pipeline.row_resolver import RowResolver
from app.imports.pipeline.staging import StagingFile, batch_values
from app.imports.quality.anomalies import Anomaly, RowLocation, SeriesPoint
from app.imports.quality.series import find_series_anomalies
from app.imports.readers.options import FileReport, FileRow, MappingRefused, ReadLimits
from app.imports.readers.reader import FileReader

MAX_BATCH_ROWS = 1_000
"""Rows that are taken in together, in one short session."""

MAX_BATCH_BYTES = 4_000_000
"""Bytes of a file after which no more rows are taken in with them."""

MAX_ATTEMPTS = 5
"""So often an import starts over because others recorded meanwhile what it brings."""

DEFAULT_GC_THRESHOLDS = gc.get_threshold()
IMPORT_GC_THRESHOLDS = (100_000, 50, 100)
"""How many objects are made before Python looks for circles of them, usually and while rows are read."""

MAX_REPORTED_ANOMALIES = 200
"""Smells that are kept with the import; the others are counted."""

ProgressCallback = Callable[[int, int], None]
"""Told how many bytes of how many are read."""


@dataclass(slots=True)
class ImportRequest:
    """What is to be imported, and how."""

    paths: Sequence[Path]
    mapper: RowMapper
    names: Sequence[str] | None = None
    dry_run: bool = False
    keep_going: bool = False
    strict: bool = False
    limit: int | None = None
    vintage: date | None = None
    limits: ReadLimits = field(default_factory=ReadLimits)
    progress: ProgressCallback = lambda _done, _all: None


@dataclass(slots=True)
class ImportResult:
    """What came of an import."""

    id: str
    mapping: str
    series: str | None
    dry_run: bool
    published: bool
    files: list[FileReport]
    statistics: ImportStatistics
    refused: list[tuple[str, int, list[str]]]
    """The first refused rows and their reasons; `tally.refused` counts them all."""
    editor_actions: list[str]
    """What only an editor may do of all this."""
    has_changes: bool
    """Whether there is anything to record."""

    def counts(self) -> dict[str, int]:
        """Every number of it: rows, and claims by what became of them."""
        outcomes = {
            outcome.value: self.statistics.claims[outcome] for outcome in Outcome if outcome is not Outcome.refused
        }
        return {
            "rows": self.statistics.rows,
            "rows_skipped": sum(self.statistics.skipped.values()),
            "rows_refused": self.statistics.refused,
            **outcomes,
            "vanished": self.statistics.vanished,
        }


MAX_REPORTED_REFUSALS = 100
"""Refused rows that are told one by one."""

Allow = Callable[[ImportResult], None]
"""Asked before anything is published; raises where the actor may not."""


Begin = Callable[[WriteTransaction], None]
"""Called first in the transaction that publishes; raises where nothing may be written."""

Done = Callable[[WriteTransaction, ImportResult], None]
"""Called last in it."""


class ImportRefused(Exception):
    """Rows were refused, so nothing was recorded."""

    def __init__(self, result: ImportResult) -> None:
        first = result.refused[0] if result.refused else ("", 0, ["nothing was read"])
        where = f"{first[0]}, line {first[1]}" if first[0] else "the files"
        super().__init__(
            f"{result.statistics.refused} rows are refused, so nothing is imported. {where}: {first[2][0]}"
        )
        self.result = result


@dataclass(frozen=True, slots=True)
class Hooks:
    """What whoever imports has to say in the course of it."""

    allow: Allow = lambda _result: None
    begin: Begin = lambda _log: None
    done: Done = lambda _log, _result: None
    each_refused: Callable[[FileRow, list[str]], None] | None = None
    """Handed every refused row, after a run that kept going."""


def run_import(database: Database, request: ImportRequest, actor: str, hooks: Hooks | None = None) -> ImportResult:
    """Import files. Raises `FileRefused`, `MappingRefused`, or `ImportRefused` where rows are, unless `keep_going`."""
    hooks = hooks or Hooks()
    # Every row makes many small objects and no circles of them: looking for circles took a third of the time.
    gc.set_threshold(*IMPORT_GC_THRESHOLDS)
    try:
        for _ in range(MAX_ATTEMPTS):
            with suppress(RegisterChanged):
                return _attempt_import(database, request, actor, hooks)
    finally:
        gc.set_threshold(*DEFAULT_GC_THRESHOLDS)
    raise Unavailable("Others keep recording what this import brings.", hint="try again", headers={"Retry-After": "10"})


def _attempt_import(database: Database, request: ImportRequest, actor: str, hooks: Hooks) -> ImportResult:
    id_ = str(uuid7())
    with closing(StagingFile()) as stage:
        intake, reading = _stage_rows(database, request, stage, id_, actor, {})
        if not intake.late_refusals:
            return _publish_staged(database, request, actor, hooks, intake, reading, id_)
        late, tally = intake.late_refusals, intake.statistics
    # What smells only beside its neighbours is known now: read again without those rows.
    with closing(StagingFile()) as stage:
        again, reading = _stage_rows(database, request, stage, id_, actor, late)
        again.statistics.anomalies, again.statistics.anomaly_counts = tally.anomalies, tally.anomaly_counts
        return _publish_staged(database, request, actor, hooks, again, reading, id_)


def _stage_rows(
    database: Database,
    request: ImportRequest,
    stage: StagingFile,
    id_: str,
    actor: str,
    refused: Mapping[int, Sequence[str]],
) -> tuple[RowProcessor, FileReader]:
    """Read everything into the stage."""
    desk = RowResolver(database, stage, id_, actor)
    intake = RowProcessor(
        database, request.mapper, stage, desk, strict=request.strict, vintage=request.vintage, refused=refused
    )
    reading = _open_reader(request)
    rows = _number_rows(reading, request.limit)
    while some := _next_batch(rows, reading):
        intake.process_batch(some)
        request.progress(reading.bytes_done, reading.bytes_total)
    _check_series(intake, strict=request.strict and not refused)
    if missing := intake.find_missing_references():
        raise MappingRefused(missing[0])
    if request.limit is None and not intake.statistics.refused:
        _count_vanished(database, intake)
    intake.statistics.claims.update(stage.outcome_counts())
    if refused:
        intake.late_refusals.clear()
    return intake, reading


def _publish_staged(
    database: Database,
    request: ImportRequest,
    actor: str,
    hooks: Hooks,
    intake: RowProcessor,
    reading: FileReader,
    id_: str,
) -> ImportResult:
    """Publish what is staged, if it may be, and tell what came of it."""
    stage, tally, vintages = intake.staging, intake.statistics, request.mapper.series_options
    refused = list(islice(stage.refused_rows(), MAX_REPORTED_REFUSALS))
    series = vintages.series if vintages else None
    needed = _find_editor_actions(intake)
    result = ImportResult(
        id_,
        request.mapper.name,
        series,
        request.dry_run,
        False,
        reading.files,
        tally,
        refused,
        needed,
        stage.has_writes(),
    )
    hooks.allow(result)
    if tally.refused and not (request.keep_going or request.dry_run):
        raise ImportRefused(result)
    if result.has_changes and not request.dry_run:
        card = _import_columns(result, actor, intake.vintage)
        publish(database, intake, card, actor, hooks.begin, lambda log: hooks.done(log, result))
        result.published = True
    if hooks.each_refused is not None and tally.refused:
        for n, row in _number_rows(_open_reader(request), request.limit):
            if (reasons := stage.refusal_reasons(n)) is not None:
                hooks.each_refused(row, reasons)
    return result


def _open_reader(request: ImportRequest) -> FileReader:
    return FileReader(request.paths, request.mapper.options, names=request.names, limits=request.limits)


def _number_rows(reading: FileReader, limit: int | None) -> Iterator[NumberedRow]:
    return islice(enumerate(reading), limit)


def _next_batch(rows: Iterator[NumberedRow], reading: FileReader) -> list[NumberedRow]:
    """The next rows that are taken in together: as many as are cheap to hold."""
    some: list[NumberedRow] = []
    began = reading.bytes_unpacked
    for each in rows:
        some.append(each)
        if len(some) >= MAX_BATCH_ROWS or reading.bytes_unpacked - began > MAX_BATCH_BYTES:
            break
    return some


def _import_columns(result: ImportResult, actor: str, vintage: date | None) -> dict[str, Any]:
    """The record of an import, as its table keeps it."""
    return {
        "id": result.id,
        "actor": actor,
        "mapping": result.mapping,
        "series": result.series,
        "vintage": vintage,
        "files": [file_document(report) for report in result.files],
        "counts": result.counts(),
        "smell_counts": dict(sorted(result.statistics.anomaly_counts.items())),
        "smells": [anomaly_document(smell) for smell in result.statistics.anomalies[:MAX_REPORTED_ANOMALIES]],
    }


def file_document(report: FileReport) -> dict[str, Any]:
    """A file, as an import shows it."""
    return {
        "name": report.name,
        "sha256": report.sha256,
        "bytes": report.bytes,
        "rows": report.rows,
        "format": report.format.value,
        "encoding": report.encoding,
        "delimiter": report.delimiter,
    }


def anomaly_document(smell: Anomaly) -> dict[str, Any]:
    """A smell, as an import shows it."""
    rows = [{"file": place.file, "line": place.line} for place in smell.locations]
    return {"kind": smell.kind.value, "rows": rows, "detail": smell.detail}


def _check_series(intake: RowProcessor, *, strict: bool) -> None:
    """Look over every series of figures, day by day; with `strict`, note the rows that smell."""
    for series, rows in groupby(intake.staging.series_points(), key=itemgetter(0)):
        name, running = intake.staging.read_series(series)
        numbers: dict[RowLocation, list[int]] = {}
        points = _iterate_points(rows, numbers if strict else None)
        for smell in find_series_anomalies(name, points, running=running):
            intake.statistics.add_anomaly(smell)
            for n in (n for place in smell.locations for n in numbers.get(place, ())):
                intake.late_refusals.setdefault(n, []).append(smell.detail)


def _iterate_points(
    rows: Iterator[tuple[int, int, str, int, str, float]], numbers: dict[RowLocation, list[int]] | None
) -> Iterator[SeriesPoint]:
    """The points of one series; `numbers` learns which rows stand where."""
    for _, n, file, line, day, value in rows:
        place = RowLocation(file, line)
        if numbers is not None:
            numbers.setdefault(place, []).append(n)
        yield SeriesPoint(place, date.fromisoformat(day), value)


def _count_vanished(database: Database, intake: RowProcessor) -> None:
    """Count the rows of the series that an earlier file had and this one lacks. They stay as they are."""
    vintages = intake.mapper.series_options
    if vintages is None or not vintages.holds_every_row:
        return
    row = table_of(ImportedRow).c
    with database.read() as session:
        open_snapshot(session)
        newest = session.execute(select(func.max(row.vintage)).where(row.series == vintages.series)).scalar()
        if newest is not None and intake.vintage is not None and intake.vintage < newest:
            return  # what an older file lacks was not there yet
        stood = select(row.key).where(row.series == vintages.series).distinct().order_by(row.key)
        for some in batch_values(session.execute(stood).scalars()):
            here = intake.staging.find_keys(some)
            for key in some:
                if key not in here:
                    intake.statistics.vanished += 1
                    intake.statistics.add_example("vanished", f"{vintages.series}: the row {key}")


def _find_editor_actions(intake: RowProcessor) -> list[str]:
    """What an import does that needs the role editor."""
    needed = [f"record the {kind.name} `{slug}`" for kind, slug, _ in intake.records.values()]
    if intake.resolver.repairs:
        needed.append("repair recorded claims")
    if intake.resolver.assessments:
        needed.append("assess claims")
    if intake.resolver.retractions:
        needed.append("record retractions")
    if intake.staging.has_relations():
        needed.append("relate claims to each other")
    return needed


def import_summary(result: ImportResult) -> dict[str, Any]:
    """A result, as the API and the command line tell it."""
    return {
        "id": result.id if result.published else None,
        "mapping": result.mapping,
        "series": result.series,
        "dry_run": result.dry_run,
        "files": [file_document(report) for report in result.files],
        "counts": result.counts(),
        "skipped": dict(result.statistics.skipped),
        "examples": {name: list(examples) for name, examples in result.statistics.examples.items()},
        "smell_counts": dict(sorted(result.statistics.anomaly_counts.items())),
        "smells": [anomaly_document(smell) for smell in result.statistics.anomalies[:MAX_REPORTED_ANOMALIES]],
        "refused": [{"file": file, "line": line, "reasons": reasons} for file, line, reasons in result.refused],
    }
