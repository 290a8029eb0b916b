"""Fills in the sheet of the starter register in LibreOffice Calc, and imports what Calc saves: `make calc`.

Needs `soffice` and the package `uno` of the system's Python (on Debian: libreoffice-calc and python3-uno).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

import openpyxl
from click.testing import CliRunner

from app.cli import main as command
from app.database.engine import Database
from app.database.read_session import read_session
from app.imports.sheet import csv_sheet, read_content
from app.imports.workbook import write_template
from app.settings import read_settings

FIRST_ROW = 4
"""The row below the examples, counted from 0."""

SHARED = {"category": "Killed", "subject": "Russian forces", "place": "russia-ukraine-war"}
ROWS = [
    SHARED
    | {"source": "Meduza", "as_printed": "1,351", "period": "2022-02-24/2022-03-25", "aggregation": "cumulative"}
    | {"modality": "count", "date": "1 Dec 2024", "document_title": "=Title", "document_url": "https://example.org/a"},
    SHARED
    | {"source": "MEDUZA", "as_printed": "over 300", "period": "2024-06", "aggregation": "within"}
    | {"modality": "estimate", "date": "2024-07-03", "document_title": "B", "document_url": "https://example.org/b"},
    SHARED
    | {"source": "meduza", "as_printed": "400", "period": "since 15 April 2023", "aggregation": "cumulative"}
    | {"modality": "estimate", "date": "Dec 3, 2024", "document_title": "C", "document_url": "https://example.org/c"},
]


def run(*arguments: str) -> str:
    """Return the output of `counterclaim`."""
    done = CliRunner().invoke(command, arguments)
    return done.stdout + done.stderr


def type_rows(python: str, source: Path, name: str, rows: list[dict[str, str]], first_row: int) -> list[Path]:
    """Return the files that Calc saves after these rows were typed."""
    saved = [source.with_name(f"{name}.{suffix}") for suffix in ("xlsx", "csv")]
    arguments = [python, str(Path(__file__).with_name("calc_typing.py")), str(source), *map(str, saved), str(first_row)]
    subprocess.run(arguments, input=json.dumps(rows), text=True, check=True, timeout=180)
    return saved


def show(path: Path) -> None:
    """Print what Calc saved in the columns where it matters."""
    sheet = openpyxl.load_workbook(path).worksheets[0]
    names = [cell.value for cell in sheet[1]]
    for row in sheet.iter_rows(min_row=FIRST_ROW + 1, values_only=True):
        cells = dict(zip(names, row))
        print("   ", {name: cells[name] for name in ("as_printed", "period", "date", "document_title")})
    print(f"    lists: {sum(rule.type == 'list' for rule in sheet.data_validations.dataValidation)}")


def main() -> None:
    """Try the XLSX and the CSV sheet, and the sheet of refused rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="/usr/bin/python3", help="the Python with the package uno")
    python = parser.parse_args().python
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        os.environ["DATABASE_URL"] = f"sqlite:///{folder / 'register.db'}"
        print(run("migrate") + run("starter"))
        database = Database(read_settings())
        with read_session(database) as read:
            content = read_content(read, read.snapshot())
        database.close()
        workbook = BytesIO()
        write_template(workbook, "Counterclaim", content)
        for suffix, data in (("xlsx", workbook.getvalue()), ("csv", csv_sheet(content))):
            template = folder / f"template.{suffix}"
            template.write_bytes(data)
            saved = type_rows(python, template, f"from-{suffix}", ROWS, FIRST_ROW)
            show(saved[0])
            for path in saved:
                print(run("import", str(path), "--dry-run"))
        wrong = [ROWS[0] | {"source": "Meduzza"}]
        [refused, _] = type_rows(python, folder / "template.xlsx", "wrong", wrong, FIRST_ROW)
        print(run("import", str(refused), "--report", str(folder / "refused.xlsx")))
        [corrected, _] = type_rows(python, folder / "refused.xlsx", "corrected", [{"source": "Meduza"}], 1)
        print(run("import", str(corrected)))


if __name__ == "__main__":
    sys.exit(main())
