"""`counterclaim import`: files into claims, with a summary that a data editor can read."""

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import click
import orjson

from app.database.engine import Database
from app.enums import Outcome
from app.imports.mappings.mapper import MappingRowMapper
from app.imports.mappings.native import REFUSED_COLUMNS, REFUSED_FIELD, NativeRowMapper
from app.imports.mappings.propose import draft_mapping
from app.imports.mappings.schema import load_shipped_mapping, parse_mapping
from app.imports.pipeline.process_rows import ImportStatistics
from app.imports.pipeline.row_mapping import RowMapper
from app.imports.pipeline.run import Hooks, ImportRefused, ImportRequest, ImportResult, run_import
from app.imports.readers.options import FileRefused, FileRow, MappingRefused

MAX_SHOWN_EXAMPLES = 3
"""Examples of each kind in the summary."""


def import_files(
    database: Database,
    files: tuple[Path, ...],
    mapping: str | None,
    actor: str,
    *,
    dry_run: bool,
    keep_going: bool,
    strict: bool,
    limit: int | None,
    vintage: datetime | None,
) -> None:
    """Import `files` and tell what came of it. Raises `click.ClickException` where nothing was imported."""
    plan = create_row_mapper(mapping)
    with ExitStack() as stack:
        refused = RefusedRowWriter(files[0])
        stack.callback(refused.close)
        progress = stack.enter_context(_progress_bar())
        request = ImportRequest(
            files,
            plan,
            dry_run=dry_run,
            keep_going=keep_going,
            strict=strict,
            limit=limit,
            vintage=vintage.date() if vintage else None,
            progress=progress,
        )
        try:
            hooks = Hooks(each_refused=refused.write) if keep_going and not dry_run else Hooks()
            result = run_import(database, request, actor, hooks)
        except ImportRefused as wrong:
            progress(1, 1)
            print_summary(wrong.result)
            raise click.ClickException(
                "Nothing is imported. Correct the rows, or import the others with --keep-going."
            ) from None
    print_summary(result)
    for path in refused.paths:
        click.echo(f"The refused rows are in {path}: correct them there, and import that file.")


def create_row_mapper(mapping: str | None) -> RowMapper:
    """The plan for a mapping: a file, the name of a shipped one, or none for the register's own shape."""
    if mapping is None:
        return NativeRowMapper()
    path = Path(mapping)
    if path.suffix == ".toml" or path.exists():
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as wrong:
            raise MappingRefused(f"The mapping {mapping} cannot be read: {wrong}.") from None
        return MappingRowMapper(path.stem, parse_mapping(text, path.name))
    return MappingRowMapper(mapping, load_shipped_mapping(mapping))


def inspect_file(path: Path) -> None:
    """Print a commented draft of a mapping for an unknown file."""
    click.echo(draft_mapping(path), nl=False)


@contextmanager
def _progress_bar() -> Iterator[Any]:
    """A bar on the terminal; nothing where nobody looks."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    with click.progressbar(length=1000, label="Reading", file=sys.stderr) as bar:

        def show(done: int, all_: int) -> None:
            bar.update(max(0, min(1000, 1000 * done // max(all_, 1)) - bar.pos))

        yield show


class RefusedRowWriter:
    """The rows that were refused, with their reasons, in files of the shape in which they can be imported again.

    Rows of cells go to CSV, one file for each set of columns; rows of anything else to NDJSON. No file is overwritten.
    """

    def __init__(self, beside: Path) -> None:
        self.paths: list[Path] = []
        self._input_path = beside
        self._files = ExitStack()
        self._writers: dict[tuple[str, ...], Callable[[dict[str, Any]], object]] = {}

    def close(self) -> None:
        """All rows are there."""
        self._files.close()

    def write(self, row: FileRow, reasons: list[str]) -> None:
        """Add a row."""
        data = {name: value for name, value in row.data.items() if name not in (*REFUSED_COLUMNS, REFUSED_FIELD)}
        if all(isinstance(value, str) for value in data.values()):
            line = {**data, "import_line": f"{row.file}:{row.line}", "import_reason": " | ".join(reasons)}
            shape = tuple(line)
        else:
            line = {**data, REFUSED_FIELD: {"file": row.file, "line": row.line, "reasons": reasons}}
            shape = ()
        if shape not in self._writers:
            self._writers[shape] = self._open_writer(shape)
        self._writers[shape](line)

    def _open_writer(self, columns: tuple[str, ...]) -> Callable[[dict[str, Any]], object]:
        file = self._files.enter_context(
            self._unused_path("csv" if columns else "ndjson").open("w", encoding="utf-8", newline="")
        )
        if columns:
            writer = csv.DictWriter(file, columns, lineterminator="\r\n")
            writer.writeheader()
            return writer.writerow
        return lambda line: file.write(orjson.dumps(line, option=orjson.OPT_NON_STR_KEYS).decode() + "\n")

    def _unused_path(self, suffix: str) -> Path:
        """A name that no file has yet."""
        name = self._input_path.name.split(".")[0]
        for number in count(1):
            path = self._input_path.with_name(f"{name}-refused{f'-{number}' if number > 1 else ''}.{suffix}")
            if not path.exists():
                break
        self.paths.append(path)
        return path


def print_summary(result: ImportResult) -> None:
    """Print what came of an import."""
    counts, tally = result.counts(), result.statistics
    for report in result.files:
        how = ", ".join(
            part for part in (report.format.value, report.encoding, _delimiter_name(report.delimiter)) if part
        )
        click.echo(f"{report.name}: {report.rows:,} rows ({how}), sha256 {report.sha256[:12]}…")
    for reason, number in tally.skipped.most_common():
        click.echo(f"  {number:>9,} rows skipped: {reason}")
    if tally.refused:
        _print_outcome(
            "rows refused", tally.refused, Outcome.refused.definition, tally.examples.get(Outcome.refused, [])
        )
    for outcome in Outcome:
        if outcome is not Outcome.refused and counts[outcome.value]:
            _print_outcome(
                f"claims {outcome.value}", counts[outcome.value], outcome.definition, tally.examples.get(outcome, [])
            )
    if tally.vanished:
        told = "Rows of earlier files that this one lacks. They stay as they are."
        _print_outcome("rows vanished", tally.vanished, told, tally.examples.get("vanished", []))
    _print_anomalies(tally)
    if result.dry_run:
        click.echo("A dry run: nothing was recorded.")
    elif result.published:
        click.echo(f"Recorded as import {result.id}.")
    elif not tally.refused:
        click.echo("Nothing new: the register stays as it is.")


def _print_anomalies(tally: ImportStatistics) -> None:
    if tally.anomaly_counts:
        click.echo("What smells, and was left as it is:")
    for kind, number in tally.anomaly_counts.most_common():
        click.echo(f"  {number:>9,} {kind}")
        of_kind = [smell for smell in tally.anomalies if smell.kind.value == kind]
        for smell in of_kind[:MAX_SHOWN_EXAMPLES]:
            rows = ", ".join(f"{place.file}:{place.line}" for place in smell.locations[:MAX_SHOWN_EXAMPLES])
            click.echo(f"            {smell.detail} ({rows})")


def _print_outcome(what: str, number: int, definition: str, examples: list[str]) -> None:
    click.echo(f"  {number:>9,} {what}: {definition}")
    for example in examples[:MAX_SHOWN_EXAMPLES]:
        click.echo(f"            {example}")


def _delimiter_name(mark: str | None) -> str | None:
    return {None: None, "\t": "tab"}.get(mark, f"delimiter {mark}")


__all__ = ["FileRefused", "import_files", "inspect_file"]
