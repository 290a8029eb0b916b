"""The commands `counterclaim import` and `counterclaim import --inspect`."""

import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from app.database.engine import Database
from app.database.read_session import read_session
from app.imports.mappings.load import load_row_mapper, parse_file_options, parse_row_mapper
from app.imports.mappings.propose import draft_mapping, find_nothing
from app.imports.mappings.roles import RecordFinder
from app.imports.pipeline.prepare import ImportRequest, PreparedImport, ProgressCallback, import_attempts
from app.imports.pipeline.publish_parts import finish_interrupted_imports, publish_prepared
from app.imports.pipeline.publishing_state import find_begun_imports
from app.imports.pipeline.result import ImportRefused, ImportResult
from app.imports.pipeline.row_mapping import RowMapper
from app.imports.readers.options import FileFormat, FileOptions, FileRefused, MappingRefused
from app.imports.readers.query import query_limits
from app.imports.refused_rows import RefusedRowWriter
from app.imports.report import report_lines
from app.imports.sheet import read_lists
from app.imports.summary import print_summary
from app.imports.workbook import write_refused_rows
from app.settings import read_settings
from app.vocabulary.reference_data import get_reference_data

STANDARD_INPUT = "-"
STANDARD_INPUT_NAME = "stdin"
"""The name of standard input in reports. It has no ending, so that the format is detected from the content."""

ADDRESS_PREFIXES = ("http://", "https://", "ftp://")


def refuse_addresses(files: Sequence[str], context: click.Context) -> None:
    """Raise `click.ClickException` if a file is a web address, with the command that imports it."""
    addresses = [file for file in files if file.lower().startswith(ADDRESS_PREFIXES)]
    if addresses:
        options = "".join(f" {option}" for option in _given_options(context))
        commands = [f"curl -fL {shlex.quote(file)} | counterclaim import -{options}" for file in addresses]
        raise click.ClickException("An import does not download files. Run:\n" + "\n".join(commands))


def _given_options(context: click.Context) -> Iterator[str]:
    """Yield the options of a command line."""
    for parameter in context.command.params:
        name = parameter.name or ""
        if (
            isinstance(parameter, click.Option)
            and context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        ):
            yield parameter.opts[0]
            if not parameter.is_flag:
                value = context.params[name]
                yield shlex.quote(f"{value:%Y-%m-%d}" if isinstance(value, datetime) else str(value))


@contextmanager
def stored_files(files: Sequence[str]) -> Iterator[tuple[list[Path], list[str]]]:
    """Yield the paths of files with the names that are shown for them. Standard input is copied to a temporary file."""
    if files.count(STANDARD_INPUT) > 1:
        raise click.ClickException("Standard input can be imported only once.")
    paths, names = [], []
    with ExitStack() as stack:
        for file in files:
            path = Path(file)
            if file == STANDARD_INPUT:
                folder = stack.enter_context(TemporaryDirectory(prefix="counterclaim-import-"))
                path = Path(folder) / STANDARD_INPUT_NAME
                with path.open("wb") as copy:
                    shutil.copyfileobj(sys.stdin.buffer, copy)
            paths.append(path)
            names.append(path.name or path.resolve().name)
        yield paths, names


def import_files(
    database: Database,
    files: tuple[str, ...],
    mapping: str | None,
    actor: str,
    *,
    dry_run: bool,
    keep_going: bool,
    strict: bool,
    report: Path | None,
    limit: int | None,
    vintage: datetime | None,
) -> None:
    """Import `files` and print a summary. Raises `click.ClickException` if nothing is imported."""
    mapper = create_row_mapper(mapping)
    beside = Path(STANDARD_INPUT_NAME if files[0] == STANDARD_INPUT else files[0])
    with (
        stored_files(files) as (paths, names),
        closing(RefusedRowWriter(beside)) as refused,
        _progress_bar() as progress,
    ):
        request = ImportRequest(
            paths,
            mapper,
            names=names,
            dry_run=dry_run,
            keep_going=keep_going,
            strict=strict,
            limit=limit,
            vintage=vintage.date() if vintage else None,
            query_limits=query_limits(read_settings(), is_allowed=True),
            progress=progress,
        )
        if not dry_run:
            finish_interrupted_imports(database)
        try:
            result = _run_import(database, request, actor, refused, report)
        except ImportRefused as error:
            progress(1, 1)
            print_summary(error.result)
            if report is not None:
                click.echo(f"The refused rows are in {report}: correct them there, and import that file.")
            raise click.ClickException(
                "Nothing is imported. Correct the rows, or import the others with --keep-going."
            ) from None
        refused.close()
    print_summary(result)
    for path in refused.paths:
        click.echo(f"The refused rows are in {path}: correct them there, and import that file.")


def _run_import(
    database: Database, request: ImportRequest, actor: str, refused: RefusedRowWriter, report: Path | None
) -> ImportResult:
    """Import files, and write the rows that are left out to files of their own, or to `report`."""
    with closing(import_attempts(database, request, actor)) as attempts:
        for prepared in attempts:
            if prepared.is_refused and report is not None:
                _write_workbook(database, prepared, report)
            prepared.check_refusals()
            if _publish(database, prepared):
                _write_refused_rows(database, prepared, refused, report)
                return prepared.result
    raise AssertionError("import_attempts raises")  # pragma: no cover


def _publish(database: Database, prepared: PreparedImport) -> bool:
    """Publish an import; say so if it is interrupted when a part of it is recorded."""
    try:
        return publish_prepared(database, prepared)
    except KeyboardInterrupt:
        with database.read_primary() as session:
            is_begun = prepared.result.id in find_begun_imports(session)
        if is_begun:
            click.echo(
                f"A part of the import {prepared.result.id} is published. The service, or the next "
                "`counterclaim import`, goes on with it."
            )
        raise


def _write_refused_rows(
    database: Database, prepared: PreparedImport, refused: RefusedRowWriter, report: Path | None
) -> None:
    """Write the refused rows of an import that left them out: those of spreadsheets as a spreadsheet."""
    if not prepared.result.statistics.refused:
        return
    is_sheet = all(file.format is FileFormat.xlsx for file in prepared.result.files)
    if report is not None:
        _write_workbook(database, prepared, report)
        refused.paths.append(report)
    elif prepared.request.dry_run:
        return
    elif is_sheet:
        path = refused.unused_path("xlsx")
        if prepared.has_writes or not refused.has_earlier_file("xlsx"):
            _write_workbook(database, prepared, path)
        else:
            refused.paths.remove(path)
    else:
        for row, reasons in prepared.refused_rows():
            refused.write(row, reasons)


def _write_workbook(database: Database, prepared: PreparedImport, path: Path) -> None:
    with read_session(database) as read:
        lists = read_lists(read, read.snapshot())
    lines = report_lines(prepared.result, recorded=prepared.is_published)
    with path.open("wb") as file:
        write_refused_rows(file, path.stem, prepared.refused_rows(), lists, lines)


def create_row_mapper(mapping: str | None) -> RowMapper:
    """Return the row mapper for the path of a mapping, the name of a shipped one, or None for the native format."""
    if mapping is None:
        return load_row_mapper(None)
    path = Path(mapping)
    if path.suffix == ".toml" or path.exists():
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise MappingRefused(f"The mapping {mapping} cannot be read: {error}.") from None
        return parse_row_mapper(text, path.stem, path.name, path.parent)
    return load_row_mapper(mapping)


def inspect_file(file: str, mapping: str | None = None) -> None:
    """Print a commented draft of a mapping for an unknown file.

    The `[file]` table of `mapping`, which may be a part of a mapping, says how the file is read. Values that name
    records of the register get their slugs, if the database can be read.
    """
    options = _read_file_options(mapping) if mapping is not None else None
    with stored_files([file]) as (paths, names):
        click.echo(draft_mapping(paths[0], options, _load_record_finder(), names[0]), nl=False)


def _read_file_options(mapping: str) -> FileOptions:
    """Return the `[file]` table of a mapping or of a part of one. Raises `MappingRefused`."""
    path = Path(mapping)
    if not path.exists() and path.suffix != ".toml":
        return load_row_mapper(mapping).options
    try:
        return parse_file_options(path.read_text("utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise MappingRefused(f"The mapping {mapping} cannot be read: {error}.") from None


def _load_record_finder() -> RecordFinder:
    """Return the function that finds a record by its name; it finds none without a database of the current schema."""
    try:
        with closing(Database(read_settings())) as database:
            database.check_schema()
            with read_session(database) as read:
                snapshot = read.snapshot()
                index = get_reference_data(read, snapshot).read_name_index(read.session, snapshot)
    except Exception:  # noqa: BLE001 - a draft needs no database
        return find_nothing

    def find_record(kind: str, text: str) -> str | None:
        slugs = index.find_named(kind, text)
        return slugs[0] if len(slugs) == 1 else None

    return find_record


@contextmanager
def _progress_bar() -> Iterator[ProgressCallback]:
    """Show a progress bar if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    with click.progressbar(length=1000, label="Reading", file=sys.stderr) as bar:

        def show_progress(bytes_done: int, bytes_total: int) -> None:
            bar.update(max(0, min(1000, 1000 * bytes_done // max(bytes_total, 1)) - bar.pos))

        yield show_progress


__all__ = ["FileRefused", "import_files", "inspect_file", "refuse_addresses"]
