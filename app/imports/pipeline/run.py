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
from app.errors import Unavailable
from app.imports.pipeline.process_rows import Intake, Numbered, Tally
from app.imports.pipeline.publish import Moved, publish
from app.imports.pipeline.reconciliation import Outcome
from app.imports.pipeline.row_mapping import Plan
from app.imports.pipeline.row_resolver import Desk
from app.imports.pipeline.staging import Stage, batches
from app.imports.quality.anomalies import Place, Point, Smell
from app.imports.quality.series import series_smells
from app.imports.readers.options import MappingRefused
from app.imports.readers.reader import FileReport, Limits, Reading, Row

AT_ONCE = 1_000
"""Rows that are taken in together, in one short session."""

BYTES_AT_ONCE = 4_000_000
"""Bytes of a file after which no more rows are taken in with them."""

TRIES = 5
"""So often an import starts over because others recorded meanwhile what it brings."""

USUALLY = gc.get_threshold()
SELDOM = (100_000, 50, 100)
"""How many objects are made before Python looks for circles of them, usually and while rows are read."""

KEPT_SMELLS = 200
"""Smells that are kept with the import; the others are counted."""

Progress = Callable[[int, int], None]
"""Told how many bytes of how many are read."""


@dataclass(slots=True)
class RunRequest:
    """What is to be imported, and how."""

    paths: Sequence[Path]
    plan: Plan
    names: Sequence[str] | None = None
    dry_run: bool = False
    keep_going: bool = False
    strict: bool = False
    limit: int | None = None
    vintage: date | None = None
    limits: Limits = field(default_factory=Limits)
    progress: Progress = lambda _done, _all: None


@dataclass(slots=True)
class Result:
    """What came of an import."""

    id: str
    mapping: str
    series: str | None
    dry_run: bool
    published: bool
    files: list[FileReport]
    tally: Tally
    refused: list[tuple[str, int, list[str]]]
    """The first refused rows and their reasons; `tally.refused` counts them all."""
    needs_editor: list[str]
    """What only an editor may do of all this."""
    changes: bool
    """Whether there is anything to record."""

    def counts(self) -> dict[str, int]:
        """Every number of it: rows, and claims by what became of them."""
        outcomes = {outcome.value: self.tally.claims[outcome] for outcome in Outcome if outcome is not Outcome.refused}
        return {
            "rows": self.tally.rows,
            "rows_skipped": sum(self.tally.skipped.values()),
            "rows_refused": self.tally.refused,
            **outcomes,
            "vanished": self.tally.vanished,
        }


MOST_REFUSED = 100
"""Refused rows that are told one by one."""

Allow = Callable[[Result], None]
"""Asked before anything is published; raises where the actor may not."""


Begin = Callable[[WriteTransaction], None]
"""Called first in the transaction that publishes; raises where nothing may be written."""

Done = Callable[[WriteTransaction, Result], None]
"""Called last in it."""


class ImportRefused(Exception):
    """Rows were refused, so nothing was recorded."""

    def __init__(self, result: Result) -> None:
        first = result.refused[0] if result.refused else ("", 0, ["nothing was read"])
        where = f"{first[0]}, line {first[1]}" if first[0] else "the files"
        super().__init__(f"{result.tally.refused} rows are refused, so nothing is imported. {where}: {first[2][0]}")
        self.result = result


@dataclass(frozen=True, slots=True)
class Hooks:
    """What whoever imports has to say in the course of it."""

    allow: Allow = lambda _result: None
    begin: Begin = lambda _log: None
    done: Done = lambda _log, _result: None
    each_refused: Callable[[Row, list[str]], None] | None = None
    """Handed every refused row, after a run that kept going."""


def run_import(database: Database, request: RunRequest, actor: str, hooks: Hooks | None = None) -> Result:
    """Import files. Raises `FileRefused`, `MappingRefused`, or `ImportRefused` where rows are, unless `keep_going`."""
    hooks = hooks or Hooks()
    # Every row makes many small objects and no circles of them: looking for circles took a third of the time.
    gc.set_threshold(*SELDOM)
    try:
        for _ in range(TRIES):
            with suppress(Moved):
                return _run(database, request, actor, hooks)
    finally:
        gc.set_threshold(*USUALLY)
    raise Unavailable("Others keep recording what this import brings.", hint="try again", headers={"Retry-After": "10"})


def _run(database: Database, request: RunRequest, actor: str, hooks: Hooks) -> Result:
    id_ = str(uuid7())
    with closing(Stage()) as stage:
        intake, reading = _take_in(database, request, stage, id_, actor, {})
        if not intake.late:
            return _finish(database, request, actor, hooks, intake, reading, id_)
        late, tally = intake.late, intake.tally
    # What smells only beside its neighbours is known now: read again without those rows.
    with closing(Stage()) as stage:
        again, reading = _take_in(database, request, stage, id_, actor, late)
        again.tally.smells, again.tally.smell_counts = tally.smells, tally.smell_counts
        return _finish(database, request, actor, hooks, again, reading, id_)


def _take_in(
    database: Database, request: RunRequest, stage: Stage, id_: str, actor: str, refused: Mapping[int, Sequence[str]]
) -> tuple[Intake, Reading]:
    """Read everything into the stage."""
    desk = Desk(database, stage, id_, actor)
    intake = Intake(
        database, request.plan, stage, desk, strict=request.strict, vintage=request.vintage, refused=refused
    )
    reading = _reading(request)
    rows = _numbered(reading, request.limit)
    while some := _some(rows, reading):
        intake.take(some)
        request.progress(reading.bytes_done, reading.bytes_total)
    _smell_series(intake, strict=request.strict and not refused)
    if missing := intake.unresolved():
        raise MappingRefused(missing[0])
    if request.limit is None and not intake.tally.refused:
        _look_for_vanished(database, intake)
    intake.tally.claims.update(stage.counts())
    if refused:
        intake.late.clear()
    return intake, reading


def _finish(
    database: Database, request: RunRequest, actor: str, hooks: Hooks, intake: Intake, reading: Reading, id_: str
) -> Result:
    """Publish what is staged, if it may be, and tell what came of it."""
    stage, tally, vintages = intake.stage, intake.tally, request.plan.vintages
    refused = list(islice(stage.refused(), MOST_REFUSED))
    series = vintages.series if vintages else None
    needed = _needs_editor(intake)
    result = Result(
        id_, request.plan.name, series, request.dry_run, False, reading.files, tally, refused, needed, stage.writes()
    )
    hooks.allow(result)
    if tally.refused and not (request.keep_going or request.dry_run):
        raise ImportRefused(result)
    if result.changes and not request.dry_run:
        card = _card(result, actor, intake.vintage)
        publish(database, intake, card, actor, hooks.begin, lambda log: hooks.done(log, result))
        result.published = True
    if hooks.each_refused is not None and tally.refused:
        for n, row in _numbered(_reading(request), request.limit):
            if (reasons := stage.is_refused(n)) is not None:
                hooks.each_refused(row, reasons)
    return result


def _reading(request: RunRequest) -> Reading:
    return Reading(request.paths, request.plan.options, names=request.names, limits=request.limits)


def _numbered(reading: Reading, limit: int | None) -> Iterator[Numbered]:
    return islice(enumerate(reading), limit)


def _some(rows: Iterator[Numbered], reading: Reading) -> list[Numbered]:
    """The next rows that are taken in together: as many as are cheap to hold."""
    some: list[Numbered] = []
    began = reading.bytes_unpacked
    for each in rows:
        some.append(each)
        if len(some) >= AT_ONCE or reading.bytes_unpacked - began > BYTES_AT_ONCE:
            break
    return some


def _card(result: Result, actor: str, vintage: date | None) -> dict[str, Any]:
    """The record of an import, as its table keeps it."""
    return {
        "id": result.id,
        "actor": actor,
        "mapping": result.mapping,
        "series": result.series,
        "vintage": vintage,
        "files": [file_card(report) for report in result.files],
        "counts": result.counts(),
        "smell_counts": dict(sorted(result.tally.smell_counts.items())),
        "smells": [smell_card(smell) for smell in result.tally.smells[:KEPT_SMELLS]],
    }


def file_card(report: FileReport) -> dict[str, Any]:
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


def smell_card(smell: Smell) -> dict[str, Any]:
    """A smell, as an import shows it."""
    rows = [{"file": place.file, "line": place.line} for place in smell.places]
    return {"kind": smell.kind.value, "rows": rows, "detail": smell.detail}


def _smell_series(intake: Intake, *, strict: bool) -> None:
    """Look over every series of figures, day by day; with `strict`, note the rows that smell."""
    for series, rows in groupby(intake.stage.points(), key=itemgetter(0)):
        name, running = intake.stage.series_name(series)
        numbers: dict[Place, list[int]] = {}
        points = _points(rows, numbers if strict else None)
        for smell in series_smells(name, points, running=running):
            intake.tally.smell(smell)
            for n in (n for place in smell.places for n in numbers.get(place, ())):
                intake.late.setdefault(n, []).append(smell.detail)


def _points(
    rows: Iterator[tuple[int, int, str, int, str, float]], numbers: dict[Place, list[int]] | None
) -> Iterator[Point]:
    """The points of one series; `numbers` learns which rows stand where."""
    for _, n, file, line, day, value in rows:
        place = Place(file, line)
        if numbers is not None:
            numbers.setdefault(place, []).append(n)
        yield Point(place, date.fromisoformat(day), value)


def _look_for_vanished(database: Database, intake: Intake) -> None:
    """Count the rows of the series that an earlier file had and this one lacks. They stay as they are."""
    vintages = intake.plan.vintages
    if vintages is None or not vintages.complete:
        return
    row = table_of(ImportedRow).c
    with database.read() as session:
        open_snapshot(session)
        newest = session.execute(select(func.max(row.vintage)).where(row.series == vintages.series)).scalar()
        if newest is not None and intake.vintage is not None and intake.vintage < newest:
            return  # what an older file lacks was not there yet
        stood = select(row.key).where(row.series == vintages.series).distinct().order_by(row.key)
        for some in batches(session.execute(stood).scalars()):
            here = intake.stage.keys_among(some)
            for key in some:
                if key not in here:
                    intake.tally.vanished += 1
                    intake.tally.note("vanished", f"{vintages.series}: the row {key}")


def _needs_editor(intake: Intake) -> list[str]:
    """What an import does that needs the role editor."""
    needed = [f"record the {kind.name} `{slug}`" for kind, slug, _ in intake.records.values()]
    if intake.desk.repairs:
        needed.append("repair recorded claims")
    if intake.desk.assessments:
        needed.append("assess claims")
    if intake.desk.retractions:
        needed.append("record retractions")
    if intake.stage.has_relations():
        needed.append("relate claims to each other")
    return needed


def summary(result: Result) -> dict[str, Any]:
    """A result, as the API and the command line tell it."""
    return {
        "id": result.id if result.published else None,
        "mapping": result.mapping,
        "series": result.series,
        "dry_run": result.dry_run,
        "files": [file_card(report) for report in result.files],
        "counts": result.counts(),
        "skipped": dict(result.tally.skipped),
        "examples": {name: list(examples) for name, examples in result.tally.examples.items()},
        "smell_counts": dict(sorted(result.tally.smell_counts.items())),
        "smells": [smell_card(smell) for smell in result.tally.smells[:KEPT_SMELLS]],
        "refused": [{"file": file, "line": line, "reasons": reasons} for file, line, reasons in result.refused],
    }
