"""Runs the query of a mapping over the rows of its files, in a process of its own that is ended at its limits."""

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from time import monotonic
from typing import IO, Any, Final

import orjson

from app.comparison.figure import normalize_number
from app.imports.readers import query_process
from app.imports.readers.options import FileRefused, FileRow, MappingRefused, ReadLimits, is_blank, quote_text
from app.imports.stop_check import StopCheck
from app.settings import Settings

INSTALL_HINT: Final = "pip install 'counterclaim[sql]'"
POLL_SECONDS: Final = 0.2
WALL_SECONDS_PER_CPU_SECOND: Final = 10
"""How much longer than its CPU time a query may take, on a busy machine."""

READ_BYTES: Final = 1 << 16
MAX_TABLES: Final = 1_000
"""Maximum number of files that are tables of their own."""

LARGEST_ROW: Final = 4
"""How much longer a row can be as JSON than in its file."""


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """Whether mappings may have queries, and the limits of one."""

    is_allowed: bool = True
    memory_bytes: int = 1_000_000_000
    cpu_seconds: int = 60
    rows: int = 5_000_000
    """The number of rows of the result."""
    bytes: int = 1_000_000_000
    """The size of the result."""


def query_limits(settings: Settings, *, is_allowed: bool) -> QueryLimits:
    """Return the limits of queries that the settings state."""
    return QueryLimits(
        is_allowed=is_allowed,
        memory_bytes=settings.import_sql_memory_bytes,
        cpu_seconds=settings.import_sql_cpu_seconds,
        rows=settings.import_sql_rows,
        bytes=settings.import_sql_bytes,
    )


def check_query_allowed(limits: QueryLimits) -> None:
    """Raise `MappingRefused` if this process does not run queries."""
    if not limits.is_allowed:
        raise MappingRefused(
            "The mapping has a query (`sql`), and this server runs none. "
            "Import the file on the command line, or set COUNTERCLAIM_IMPORT_SQL=true on the server."
        )
    if find_spec("duckdb") is None:
        raise MappingRefused(f"The mapping has a query (`sql`), which needs DuckDB: {INSTALL_HINT}.")


def query_rows(
    rows: Iterable[FileRow], query: str, limits: QueryLimits, read_limits: ReadLimits, check: StopCheck
) -> Iterator[FileRow]:
    """Yield the rows of the result of a query, in its order.

    `_file` and `_line` of the result are the position of a row. Without them it is the first file, and the number of
    the row in the result.

    Raises:
        FileRefused: The query is invalid, asks for something that is not allowed, or reaches a limit.
        MappingRefused: This process does not run queries.
    """
    check_query_allowed(limits)
    with TemporaryDirectory(prefix="counterclaim-query-") as folder:
        table = _InputTable(Path(folder) / "rows.ndjson")
        table.write(rows)
        if not table.files:
            return
        request = {
            "query": query,
            "columns": table.names,
            "files": dict(list(table.files.items())[:MAX_TABLES]),
            "rows": str(table.path),
            "row_bytes": read_limits.row_bytes * LARGEST_ROW,
            "memory_bytes": limits.memory_bytes,
            "memory_hint": "COUNTERCLAIM_IMPORT_SQL_MEMORY_BYTES is the limit",
            "cpu_seconds": limits.cpu_seconds,
        }
        with closing(_run_process(request, Path(folder), next(iter(table.files)), limits, check)) as lines:
            yield from _read_result(lines, list(table.files), limits)


class _InputTable:
    """The rows that a query reads, as a file with one JSON object per line. All values are text.

    DuckDB does not distinguish case: of two columns of a file whose names differ in case only, the second is numbered.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names: list[str] = []
        """The names of the columns."""
        self.files: dict[str, list[str]] = {}
        """The columns of each file, by its name."""
        self._numbers: dict[str, int] = {}
        """The number of each column, by its name in lower case."""

    def write(self, rows: Iterable[FileRow]) -> None:
        """Write the rows."""
        with self.path.open("wb") as file:
            fields_of: dict[str, dict[str, str]] = {}
            for row in rows:
                fields = fields_of.setdefault(row.file, {})
                record: dict[str, Any] = {"f": row.file, "l": row.line}
                for name, value in row.data.items():
                    field = fields.get(name) or self._add_column(row.file, name, fields)
                    if not is_blank(value):
                        record[field] = value if isinstance(value, str) else _as_text(value)
                if not fields and row.file not in self.files:
                    self.files[row.file] = []
                file.write(orjson.dumps(record))
                file.write(b"\n")

    def _add_column(self, file: str, name: str, fields: dict[str, str]) -> str:
        """Return the field of a column of a file."""
        taken, plain = frozenset(fields.values()), name.replace("\0", "") or "column"
        shown, count = plain, 1
        while f"c{self._numbers.get(shown.lower(), -1)}" in taken or shown.lower() in {"_file", "_line"}:
            count += 1
            shown = f"{plain}_{count}"
        number = self._numbers.setdefault(shown.lower(), len(self.names))
        if number == len(self.names):
            self.names.append(shown)
        fields[name] = f"c{number}"
        self.files.setdefault(file, []).append(self.names[number])
        return fields[name]


def _as_text(value: Any) -> str:  # noqa: ANN401 - any value of a file
    """Return a number, a boolean, a list or an object as text: JSON for the last two."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(normalize_number(value))
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def _run_process(
    request: dict[str, Any], folder: Path, name: str, limits: QueryLimits, check: StopCheck
) -> Generator[bytes]:
    """Yield the lines that the process writes. Raises `FileRefused` at its limits, and if it ends without a result."""
    with TemporaryFile(dir=folder) as given:
        given.write(orjson.dumps(request))
        given.seek(0)
        process = subprocess.Popen(  # noqa: S603 - our own program
            # -I: neither the environment nor the current folder changes what is imported.
            [sys.executable, "-I", query_process.__file__],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={},
            start_new_session=True,
        )
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        yield from _read_lines(process.stdout, name, limits, check)
        process.wait(POLL_SECONDS * 50)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _kill(process)
        process.stdout.close()
    if process.returncode == -signal.SIGXCPU:
        raise FileRefused(
            f"the query takes more than {limits.cpu_seconds:,} seconds of CPU time",
            file=name,
            hint="COUNTERCLAIM_IMPORT_SQL_CPU_SECONDS is the limit",
        )
    if process.returncode:
        raise FileRefused(
            f"the query ended DuckDB (exit status {process.returncode}): it is too deep, or needs too much memory",
            file=name,
        )


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read_lines(output: IO[bytes], name: str, limits: QueryLimits, check: StopCheck) -> Iterator[bytes]:
    """Yield each line of a pipe. Raises `FileRefused` for too many bytes and after too long a time without any."""
    rest = bytearray()
    size = 0
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        last = monotonic()
        while True:
            check()
            if not selector.select(POLL_SECONDS):
                if monotonic() - last > limits.cpu_seconds * WALL_SECONDS_PER_CPU_SECOND:
                    raise FileRefused("the query takes too long", file=name)
                continue
            data = os.read(output.fileno(), READ_BYTES)
            if not data:
                return
            size += len(data)
            if size > limits.bytes:
                raise FileRefused(
                    f"the result of the query has more than {limits.bytes:,} bytes",
                    file=name,
                    hint="COUNTERCLAIM_IMPORT_SQL_BYTES is the limit",
                )
            rest += data
            if b"\n" in data:
                *lines, rest = rest.split(b"\n")
                yield from map(bytes, lines)
            last = monotonic()


def _read_result(lines: Iterator[bytes], files: list[str], limits: QueryLimits) -> Iterator[FileRow]:
    """Yield the rows of a result. Raises `FileRefused` for an error."""
    name = files[0]
    known = set(files)
    columns: list[str] | None = None
    is_done, number = False, 0
    for line in lines:
        answer = orjson.loads(line)
        if isinstance(answer, dict):
            if "error" in answer:
                raise FileRefused(f"the query of `[file] sql`: {answer['error']}", file=name, hint=answer["hint"])
            is_done = True
        elif columns is None:
            columns = _check_columns(answer, name)
        else:
            number += 1
            if number > limits.rows:
                raise FileRefused(
                    f"the result of the query has more than {limits.rows:,} rows",
                    file=name,
                    hint="COUNTERCLAIM_IMPORT_SQL_ROWS is the limit",
                )
            yield _make_row(columns, answer, known, name, number)
    if not is_done:
        raise FileRefused("the query ended without a result", file=name)


def _check_columns(names: list[str], file: str) -> list[str]:
    """Return the names of the columns of a result. Raises `FileRefused` for one that occurs twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen and name not in {"_file", "_line"}:
            raise FileRefused(
                f"the result of the query has two columns named {quote_text(name)}",
                file=file,
                hint="name the columns that you select, each with a name of its own",
            )
        seen.add(name)
    return names


def _make_row(columns: list[str], values: list[Any], files: set[str], file: str, number: int) -> FileRow:
    data: dict[str, Any] = {}
    for name, value in zip(columns, values, strict=True):
        if name not in data:  # of two columns `_file` or `_line` the first counts
            data[name] = value
    own_file, line = data.pop("_file", None), data.pop("_line", None)
    if own_file not in files:
        own_file = file
    if isinstance(line, str) and line.isdigit() and len(line) < 10:  # noqa: PLR2004 - a number of a line
        line = int(line)
    return FileRow(
        own_file, line if isinstance(line, int) and not isinstance(line, bool) and line > 0 else number, data
    )
