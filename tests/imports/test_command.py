"""`counterclaim import`: its output, the files that it writes, and the register after a kill."""

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from app.database.engine import Database
from app.imports.mappings.native import NativeRowMapper
from app.imports.pipeline.prepare import ImportRequest
from app.imports.pipeline.run import run_import
from app.imports.readers.options import FileOptions
from app.imports.readers.reader import FileReader
from tests import forkserver
from tests.examples import make_claim_body, record_example_vocabulary
from tests.imports.import_helpers import DAILY_MAPPING, format_csv, native_row
from tests.registers import Register, make_settings, open_register
from tests.test_cli import ROOT, START_SECONDS, environment, run, run_refused, run_successfully, wait_until

MANY = 3_000


@pytest.fixture
def url(make_database: Callable[[str], str]) -> str:
    """The address of a register with the vocabulary of the rows."""
    made = make_database("empty")
    for register in open_register(made):
        record_example_vocabulary(register)
    return made


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened_ = Database(make_settings(url))
    yield opened_
    opened_.close()


def rows_in(database: Database, table: str) -> int:
    with database.read_engine.connect() as connection:
        return int(connection.execute(text(f'SELECT count(*) FROM "{table}"')).scalar_one())  # noqa: S608 - our names


def write_text(path: Path, content: str) -> str:
    path.write_text(content, encoding="utf-8", newline="")
    return str(path)


def test_an_import_tells_what_came_of_it_and_again_that_nothing_is_new(url: str, tmp_path: Path) -> None:
    file = write_text(tmp_path / "losses.csv", format_csv(native_row(1), native_row(2)))
    told = run_successfully("import", file, url=url)
    assert "losses.csv: 2 rows (csv, utf-8, delimiter ,)" in told
    assert "2 claims new" in told
    assert "Recorded as import" in told
    assert "Nothing new: the register is unchanged." in run_successfully("import", file, url=url)


def test_a_dry_run_records_nothing(url: str, database: Database, tmp_path: Path) -> None:
    file = write_text(tmp_path / "losses.csv", format_csv(native_row(1), native_row(2)))
    assert "A dry run: nothing was recorded." in run_successfully("import", file, "--dry-run", url=url)
    assert rows_in(database, "claim") == 0


def test_standard_input_is_a_file_of_any_format(url: str, tmp_path: Path) -> None:
    told = run_successfully(
        "import", "-", url=url, folder=tmp_path, standard_input=format_csv(native_row(1), native_row(2))
    )
    assert "stdin: 2 rows (csv, utf-8, delimiter ,)" in told
    assert "2 claims new" in told
    packed = gzip.compress(json.dumps(make_claim_body()).encode())
    assert "stdin: 1 rows (json, utf-8)" in run_successfully("import", "-", "--dry-run", url=url, standard_input=packed)
    rows = format_csv(native_row(3), native_row(4, category="kiled"))
    told = run_successfully("import", "-", "--keep-going", url=url, folder=tmp_path, standard_input=rows)
    assert "The refused rows are in stdin-refused.csv" in told
    assert "once" in run_refused("import", "-", "-", url=url, standard_input="")
    told = run_successfully("import", "--inspect", "-", standard_input="day,dead\n2022-03-02,1")
    assert told.startswith("# stdin: 1 rows inspected (csv utf-8 ,).")


def test_an_address_is_answered_with_the_command_that_imports_it(tmp_path: Path) -> None:
    told = run_refused("import", "https://example.org/a.csv?x=1&y=2", "-m", "my map.toml", "--dry-run", folder=tmp_path)
    assert told.splitlines() == [
        "Error: An import does not download files. Run:",
        "curl -fL 'https://example.org/a.csv?x=1&y=2' | counterclaim import - --mapping 'my map.toml' --dry-run",
    ]


@pytest.mark.parametrize("format_", ["csv", "ndjson"])
def test_refused_rows_can_be_corrected_and_imported_again(
    format_: str, url: str, database: Database, tmp_path: Path
) -> None:
    lines = [make_claim_body(), make_claim_body(category="kiled"), make_claim_body(date="soon")]
    file = write_text(tmp_path / "losses.ndjson", "".join(json.dumps(line) + "\n" for line in lines))
    if format_ == "csv":
        rows = [
            native_row(1, note=""),
            native_row(2, category="kiled", note=""),
            native_row(3, value="three", note='"a",\nb'),
        ]
        file = write_text(tmp_path / "losses.csv", format_csv(*rows))
    told = run_refused("import", file, url=url)
    assert "Nothing is imported" in told
    assert rows_in(database, "claim") == 0
    done = run("import", file, "--keep-going", url=url)
    assert done.returncode == 0, done.stderr
    again = tmp_path / f"losses-refused.{format_}"
    assert str(again) in done.stdout
    assert rows_in(database, "claim") == 1
    left = again.read_text(encoding="utf-8")
    assert "did you mean `killed`?" in left
    mended = left.replace("kiled", "killed").replace("three", "3").replace("soon", "2025-06-11")
    if format_ == "ndjson":
        mended = mended.replace("1351", "1352", 1).replace("1,351", "1,352", 1)
    write_text(again, mended)
    assert "2 claims new" in run_successfully("import", str(again), url=url)
    assert rows_in(database, "claim") == 3


def test_a_mapping_comes_from_a_file_or_by_the_name_of_a_shipped_one(url: str, tmp_path: Path) -> None:
    mapping = write_text(tmp_path / "daily.toml", DAILY_MAPPING.replace("ON_CHANGE", "report"))
    file = write_text(tmp_path / "days.json", '[{"day": "2025-06-11", "dead": 10, "all": 30}]')
    assert "2 claims new" in run_successfully("import", file, "-m", mapping, url=url)
    assert "general-staff-a-personnel" in run_refused("import", file, "-m", "general-staff", url=url)
    assert "cannot be read" in run_refused("import", file, "-m", "absent.toml", url=url)


def test_inspecting_a_file_writes_a_draft_to_start_from(tmp_path: Path) -> None:
    file = write_text(tmp_path / "days.csv", "day;dead\r\n11.06.2025;1 200\r\n12.06.2025;1 300\r\n")
    told = run_successfully("import", "--inspect", file)
    assert "%d.%m.%Y" in told
    assert "[claims.dead]" in told


def test_files_that_cannot_be_read_get_a_line_and_no_traceback(url: str, tmp_path: Path) -> None:
    assert "absent.csv" in run_refused("import", "absent.csv", url=url)
    broken = write_text(tmp_path / "broken.csv", 'a,b\r\n"1,2\r\n')
    assert "never closed" in run_refused("import", broken, url=url)


def stop_during_start(sign: signal.Signals, url: str, file: str) -> str:
    """Stop a command while it imports its modules; return its errors."""
    with subprocess.Popen(
        [sys.executable, "-m", "app", "import", file],
        env=environment(url),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        time.sleep(0.5)
        process.send_signal(sign)
        return process.communicate(timeout=60)[1]


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_an_import_that_is_stopped_leaves_nothing_and_can_be_run_again(
    sign: signal.Signals, url: str, database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    file = write_text(folder / "many.csv", format_csv(*(native_row(number) for number in range(1, MANY + 1))))
    assert "Traceback" not in stop_during_start(sign, url, file)
    for wait in (0.1, 0.4, 0.8):
        err = tmp_path / f"errors-{wait}"
        process = forkserver.start(["import", file], environment(url), ROOT, tmp_path / "out", err)
        wait_until(err.exists)
        time.sleep(wait)
        with suppress(ProcessLookupError):  # it may have ended before: then its exit status is 0
            os.kill(int(process.pid or 0), sign)
        process.join(START_SECONDS)
        assert process.exitcode in (0, -sign)
        assert "Traceback" not in err.read_text(encoding="utf-8")
        assert rows_in(database, "claim") in (0, MANY)
    run_successfully("import", file, url=url)
    assert rows_in(database, "claim") == MANY
    with database.read_engine.connect() as connection:
        last, count = connection.execute(text("SELECT max(seq), count(*) FROM change")).one()
        assert last == count
        assert connection.execute(text("SELECT seq FROM clock")).scalar_one() == last
    assert list(folder.iterdir()) == [folder / "many.csv"]


def test_readers_are_served_meanwhile_and_never_see_half(register: Register, tmp_path: Path) -> None:
    record_example_vocabulary(register)
    file = tmp_path / "many.csv"
    write_text(file, format_csv(*(native_row(number) for number in range(1, MANY + 1))))
    finished = threading.Event()
    failures: list[BaseException] = []

    def import_() -> None:
        try:
            run_import(register.database, ImportRequest([file], NativeRowMapper()), "desk")
        except BaseException as wrong:  # noqa: BLE001 - reported below
            failures.append(wrong)
        finished.set()

    thread = threading.Thread(target=import_)
    thread.start()
    counts = []
    while not finished.is_set():
        page = register.get("/v1/claims?limit=1&total=true").json()
        cited = register.get("/v1/changes?after=15&limit=1&total=true").json()["meta"]["total"]
        counts.append((page["meta"]["total"], cited > 0))
    thread.join()
    assert not failures
    assert {count for count, _ in counts} <= {0, MANY}
    assert counts
    assert register.get("/v1/claims?limit=1&total=true").json()["meta"]["total"] == MANY


def test_a_refused_csv_reads_back_as_the_rows_it_was_made_of(tmp_path: Path) -> None:
    rows = [native_row(1, note="=1+1"), native_row(2, note='"quoted", and\nbroken')]
    path = tmp_path / "a.csv"
    write_text(path, format_csv(*rows))
    read = [each.data for each in FileReader([path], FileOptions())]
    assert read == list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
