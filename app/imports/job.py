"""One import from first to last: read, staged, looked over, and published at once, or not at all."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from uuid_utils import uuid7

from app.changes.clock import Log, view_of
from app.db import Database
from app.imports.files import FileReport, Limits, Reading, Row
from app.imports.intake import Intake, Tally
from app.imports.outcomes import Outcome
from app.imports.plan import Plan
from app.imports.publishing import Moved, publish
from app.imports.series import series_smells
from app.imports.smells import Place, Point, Smell
from app.imports.staging import Stage, batches
from app.problems import Unavailable
from app.tables import ImportedRow, table_of

AT_ONCE = 1_000
"""Rows that are taken in together, in one short session."""

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

    @property
    def changes(self) -> bool:
        """Whether the import records anything."""
        counts = self.tally.claims
        written = any(counts[outcome] for outcome in (Outcome.new, Outcome.cited, Outcome.changed))
        return written or self.tally.remembered > 0

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


Done = Callable[[Log, Result], None]


class ImportRefused(Exception):
    """Rows were refused, so nothing was recorded."""

    def __init__(self, result: Result) -> None:
        first = result.refused[0] if result.refused else ("", 0, ["nothing was read"])
        where = f"{first[0]}, line {first[1]}" if first[0] else "the files"
        super().__init__(f"{result.tally.refused} rows are refused, so nothing is imported. {where}: {first[2][0]}")
        self.result = result


def run_import(
    database: Database,
    request: RunRequest,
    actor: str,
    *,
    allow: Allow = lambda _result: None,
    done: Done = lambda _log, _result: None,
    each_refused: Callable[[Row, list[str]], None] | None = None,
) -> Result:
    """Import files. Raises `FileRefused`, or `ImportRefused` where rows are and `keep_going` is not asked for.

    `allow` may raise before anything is written; `done` is called in the transaction that publishes, as its last
    act; `each_refused` is handed every refused row after a run that kept going.
    """
    for _ in range(TRIES):
        stage = Stage()
        # Every row makes many small objects and no circles of them: looking for circles took a third of the time.
        gc.set_threshold(*SELDOM)
        try:
            return _run(database, request, actor, stage, allow, done, each_refused)
        except Moved:
            continue
        finally:
            gc.set_threshold(*USUALLY)
            stage.close()
    raise Unavailable("Others keep recording what this import brings.", hint="try again", headers={"Retry-After": "10"})


def _run(
    database: Database,
    request: RunRequest,
    actor: str,
    stage: Stage,
    allow: Allow,
    done: Done,
    each_refused: Callable[[Row, list[str]], None] | None,
) -> Result:
    id_ = str(uuid7())
    intake = Intake(database, request.plan, stage, id_, strict=request.strict)
    intake.given_vintage = request.vintage
    reading = _reading(request)
    rows = islice(reading, request.limit) if request.limit else iter(reading)
    while some := list(islice(rows, AT_ONCE)):
        intake.take(some)
        request.progress(reading.bytes_done, reading.bytes_total)
    _smell_series(intake)
    stage.drop_refused()
    tally = intake.tally
    tally.claims.update(stage.counts())
    if request.limit is None:
        _look_for_vanished(database, intake)
    vintages = request.plan.vintages
    series = vintages.series if vintages else None
    refused = list(islice(stage.refused(), MOST_REFUSED))
    needed = _needs_editor(intake)
    result = Result(id_, request.plan.name, series, request.dry_run, False, reading.files, tally, refused, needed)
    allow(result)
    if tally.refused and not (request.keep_going or request.dry_run):
        raise ImportRefused(result)
    if result.changes and not request.dry_run:
        publish(database, intake, _card(result, actor, request), actor, lambda log: done(log, result))
        result.published = True
    if each_refused is not None and tally.refused:
        for row in _reading(request):
            if (reasons := stage.is_refused(row.file, row.line)) is not None:
                each_refused(row, reasons)
    return result


def _reading(request: RunRequest) -> Reading:
    return Reading(request.paths, request.plan.options, names=request.names, limits=request.limits)


def _card(result: Result, actor: str, request: RunRequest) -> dict[str, Any]:
    """The record of an import, as its table keeps it."""
    days = {day for report in result.files if (day := request.vintage or request.plan.vintage(report.name))}
    return {
        "id": result.id,
        "actor": actor,
        "mapping": result.mapping,
        "series": result.series,
        "vintage": max(days, default=None),
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


def _smell_series(intake: Intake) -> None:
    """Look over every series of figures, day by day."""
    names = intake.stage.series_names()
    refused: list[Smell] = []
    for series, rows in groupby(intake.stage.points(), key=itemgetter(0)):
        name, running = names[series]
        points = (Point(Place(file, line), date.fromisoformat(day), value) for _, file, line, day, value in rows)
        for smell in series_smells(name, points, running=running):
            intake.tally.smell(smell)
            if intake.strict:
                refused.append(smell)
    for smell in refused:
        for place in smell.places:
            intake.refuse(place, [smell.detail])


def _look_for_vanished(database: Database, intake: Intake) -> None:
    """Count the rows of the series that an earlier file had and this one lacks. They stay as they are."""
    vintages = intake.plan.vintages
    if vintages is None or not vintages.complete:
        return
    row = table_of(ImportedRow).c
    with database.read() as session:
        view_of(session)
        newest = session.execute(select(func.max(row.vintage)).where(row.series == vintages.series)).scalar()
        if newest is not None and intake.oldest_vintage is not None and intake.oldest_vintage < newest:
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
    if intake.repairs:
        needed.append("repair recorded claims")
    if intake.assessments:
        needed.append("assess claims")
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
