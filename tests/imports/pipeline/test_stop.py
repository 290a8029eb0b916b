"""An import can be stopped wherever it is before it publishes: the check comes often."""

import gc
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from app.imports.mappings.native import NativeRowMapper
from app.imports.pipeline.prepare import ImportRequest, prepare_import
from app.imports.pipeline.staging import StagingFile
from app.imports.readers.options import FileRefused
from tests.examples import record_example_vocabulary
from tests.imports.import_helpers import format_csv, native_row
from tests.recorded_rows import record_once
from tests.registers import Register

MAX_CPU_SECONDS_BETWEEN_CHECKS = 0.3


class StopRequested(Exception):
    """The process is ending."""


def write_long_csv(folder: Path) -> tuple[Path, NativeRowMapper]:
    file = folder / "claims.csv"
    rows = (native_row(number, note="x" * 200) for number in range(1, 1_201))
    file.write_text(format_csv(*rows), encoding="utf-8", newline="")
    return file, NativeRowMapper()


def write_file_without_rows(folder: Path) -> tuple[Path, NativeRowMapper]:
    """A JSON file of which much is read before its rows."""
    file = folder / "claims.json"
    file.write_text(json.dumps({"unused": [{"n": number} for number in range(100_000)], "rows": []}), encoding="utf-8")
    return file, NativeRowMapper()


@pytest.fixture
def desk(register: Register, tmp_path: Path) -> Iterator[Register]:
    """A register with vocabulary, in a process that has already loaded what an import needs."""
    record_once(register, record_example_vocabulary)
    file = tmp_path / "first.csv"
    file.write_text(format_csv(native_row(1)), encoding="utf-8", newline="")
    with prepare_import(register.database, ImportRequest([file], NativeRowMapper()), "desk"):
        pass
    gc.collect()
    gc.disable()  # in a long run it visits the objects of all tests, in whichever thread it happens to start
    yield register
    gc.enable()


@pytest.mark.parametrize("write", [write_long_csv, write_file_without_rows])
def test_the_check_comes_often(
    desk: Register, tmp_path: Path, write: Callable[[Path], tuple[Path, NativeRowMapper]]
) -> None:
    file, mapper = write(tmp_path)
    times = [time.thread_time()]
    request = ImportRequest([file], mapper, check=lambda: times.append(time.thread_time()))
    try:
        with prepare_import(desk.database, request, "desk"):
            times.append(time.thread_time())
    except FileRefused:
        times.append(time.thread_time())
    gaps = [after - before for before, after in pairwise(times)]
    assert len(gaps) > 5
    assert max(gaps) < MAX_CPU_SECONDS_BETWEEN_CHECKS


class Countdown:
    """A check that raises after some calls."""

    def __init__(self, calls: int = 1_000_000) -> None:
        self.calls, self.left = 0, calls

    def __call__(self) -> None:
        self.calls += 1
        self.left -= 1
        if self.left < 0:
            raise StopRequested


def test_an_import_stops_at_any_check(desk: Register, tmp_path: Path) -> None:
    file = tmp_path / "claims.csv"
    file.write_text(format_csv(*(native_row(number) for number in range(1, 6))), encoding="utf-8", newline="")

    def prepare(check: Countdown) -> None:
        with prepare_import(desk.database, ImportRequest([file], NativeRowMapper(), check=check), "desk"):
            pass

    whole = Countdown()
    prepare(whole)
    assert whole.calls > 5 * 6
    for calls in range(whole.calls):
        with pytest.raises(StopRequested):
            prepare(Countdown(calls))


def test_a_long_statement_of_the_staging_file_is_interrupted_until_the_import_publishes() -> None:
    is_stopping = False

    def check() -> None:
        if is_stopping:
            raise StopRequested

    counting = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT count(*) FROM n"
    staging = StagingFile(check)
    staging._db.execute(counting).fetchone()
    is_stopping = True
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        staging._db.execute(counting).fetchone()
    staging.finish_preparing()
    assert staging._db.execute(counting).fetchone() == (200_000,)
    staging.close()
