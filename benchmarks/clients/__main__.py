"""Reads files of the service with pandas, Polars, DuckDB, pyarrow, readers of workbooks, Frictionless and LibreOffice.

`make clients` runs it. It prints a table of the program, the line that was run and what was seen, and with `--save` writes
it to docs/clients.md. A line that fails, or sees something else, ends the command with status 1.
"""

import argparse
import csv
import datetime as dt
import io
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.look.service import Service

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "clients.md"
MANY = 2_500
"""Number of imported claims: more than a page, so that files are copied to disk."""

SOFFICE_TIMEOUT_SECONDS = 240

Check = tuple[str, str, Callable[[], str]]


def many_claims() -> bytes:
    """Return a claims file with one claim for each of many days."""
    written = io.StringIO()
    one = {
        "category": "killed",
        "subject": "russian-forces",
        "place": "russia-ukraine-war",
        "modality": "estimate",
        "aggregation": "within",
        "source": "csis",
        "document_title": "A report",
        "document_url": "https://example.org/report",
        "note": "=1+1",
    }
    writer = csv.DictWriter(written, [*one, "as_printed", "value", "period", "date"], lineterminator="\r\n")
    writer.writeheader()
    for number in range(MANY):
        day = (dt.date(2018, 1, 1) + dt.timedelta(number)).isoformat()
        text = str(20_000 + number)
        writer.writerow({**one, "value": text, "as_printed": text, "period": day, "date": day})
    return written.getvalue().encode()


class Clients:
    """The checks, each of one program on one file."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.address = f"{service.address}/v1"
        self.folder = folder
        with urllib.request.urlopen(f"{self.address}/claims.csv") as answer:
            self.rows = list(csv.DictReader(io.TextIOWrapper(answer, "utf-8", newline="")))
            self.fixed = answer.headers["Content-Location"].partition("recorded_as_of=")[2]
        self.count = len(self.rows)
        self.total = sum(float(row["value"]) for row in self.rows if row["value"])

    def checks(self) -> list[Check]:
        """Return the program, the line and the check of each, in the order of the table."""
        a, fixed = self.address, self.fixed
        lines: list[tuple[str, str]] = [
            ("pandas", f"pandas.read_csv('{a}/claims.csv', parse_dates=['date'])"),
            ("pandas", f"pandas.read_json('{a}/claims.ndjson?fields=id,value', lines=True)"),
            ("pandas", f"pandas.read_json('{a}/claims?shape=array&limit=50&fields=id,value')"),
            ("pandas", f"pandas.read_parquet('{a}/claims.parquet')"),
            ("pandas", f"pandas.read_excel('{a}/claims.xlsx', engine='calamine')"),
            ("Polars", f"polars.read_csv('{a}/claims.csv', infer_schema_length=None, try_parse_dates=True)"),
            ("Polars", f"polars.read_ndjson('{a}/claims.ndjson?fields=id,value', infer_schema_length=None)"),
            ("Polars", f"polars.scan_parquet('{a}/claims.parquet?recorded_as_of={fixed}').collect()"),
            (
                "Polars",
                f"polars.scan_csv('{a}/claims.csv?recorded_as_of={fixed}', infer_schema_length=None, try_parse_dates=True).collect()",
            ),
        ]
        found: list[Check] = [(tool, line, lambda line=line: self._frame(line)) for tool, line in lines]
        for suffix in ("parquet", "csv"):
            line = f"SELECT count(*), sum(value) FROM 'claims.{suffix}'"
            found.append(("DuckDB", line, lambda suffix=suffix: self._duckdb(suffix)))
        arrow = f"pyarrow.parquet.read_table(io.BytesIO(urlopen('{a}/claims.parquet').read()))"
        found += [
            ("pyarrow", arrow, self._pyarrow),
            ("openpyxl", f"openpyxl.load_workbook(…'{a}/claims.xlsx', read_only=True)", self._openpyxl),
            ("python-calamine", f"CalamineWorkbook.from_filelike(…'{a}/claims.xlsx')", self._calamine),
            ("rdflib", f"Graph().parse('{a}/topics.jsonld')", self._rdflib),
            ("Frictionless", "frictionless validate counterclaim-register.zip", self._frictionless),
            ("LibreOffice Calc", "soffice --headless --convert-to csv claims.csv", lambda: self._calc("csv")),
            ("LibreOffice Calc", "soffice --headless --convert-to csv claims.xlsx", lambda: self._calc("xlsx")),
        ]
        return found

    def _frame(self, line: str) -> str:
        import pandas  # noqa: F401
        import polars  # noqa: F401

        frame = eval(line)  # noqa: S307 - a line of this module, which is printed as it was run
        rows = len(frame)
        expected = 50 if "limit=50" in line else self.count
        assert rows == expected, f"{rows} rows instead of {expected}"
        if expected == self.count:
            assert float(frame["value"].sum()) == self.total, "another sum"
        kinds = {name: str(frame[name].dtype) for name in ("date", "value", "approximate") if name in frame.columns}
        return f"{rows} rows; " + ", ".join(f"`{name}`: {kind}" for name, kind in kinds.items())

    def _duckdb(self, suffix: str) -> str:
        """Query a file by its address if DuckDB has its extension for that, which is a download; else on disk."""
        import duckdb

        connection, place = duckdb.connect(), f"{self.address}/claims.{suffix}?recorded_as_of={self.fixed}"
        has_httpfs = _has_httpfs(connection)
        if not has_httpfs:
            place = str(self.folder / f"duck.{suffix}")
            Path(place).write_bytes(self._download(f"claims.{suffix}"))
        reader = "read_parquet" if suffix == "parquet" else "read_csv"
        statement = f"SELECT count(*), sum(value), any_value(typeof(date)) FROM {reader}('{place}')"
        count, total, kind = connection.execute(statement).fetchone() or (0, 0, "")
        assert (count, total) == (self.count, self.total), (count, total)
        how = "by its address" if has_httpfs else "downloaded first, since the extension httpfs cannot be had here"
        return f"{count} rows, the same sum; `date`: {kind}; {how}"

    def _download(self, name: str) -> bytes:
        with urllib.request.urlopen(f"{self.address}/{name}") as answer:
            content: bytes = answer.read()
        return content

    def _pyarrow(self) -> str:
        import pyarrow.parquet as pq

        file = pq.ParquetFile(io.BytesIO(self._download("claims.parquet")))
        assert file.metadata.num_rows == self.count
        types = {name: str(file.schema_arrow.field(name).type) for name in ("date", "value", "recorded_at", "includes")}
        return f"{self.count} rows; " + ", ".join(f"`{name}`: {kind}" for name, kind in types.items())

    def _openpyxl(self) -> str:
        import openpyxl

        workbook = openpyxl.load_workbook(io.BytesIO(self._download("claims.xlsx")), read_only=True)
        header, *rows = workbook["Rows"].iter_rows(values_only=True)
        assert len(rows) == self.count, len(rows)
        day, value = (_first(row[header.index(name)] for row in rows) for name in ("date", "value"))
        return f"{len(rows)} rows; `date`: {type(day).__name__}, `value`: {type(value).__name__}; {workbook.sheetnames}"

    def _calamine(self) -> str:
        from python_calamine import CalamineWorkbook

        workbook = CalamineWorkbook.from_filelike(io.BytesIO(self._download("claims.xlsx")))
        header, *rows = workbook.get_sheet_by_name("Rows").to_python()
        assert len(rows) == self.count, len(rows)
        day, value = (_first(row[header.index(name)] for row in rows) for name in ("date", "value"))
        return f"{len(rows)} rows; `date`: {type(day).__name__}, `value`: {type(value).__name__}"

    def _rdflib(self) -> str:
        import rdflib

        graph = rdflib.Graph().parse(data=self._download("topics.jsonld"), format="json-ld", publicID=self.address)
        kinds = [str(kind) for kind in graph.objects(None, rdflib.RDF.type)]
        assert kinds.count("https://schema.org/Question") == 32, kinds
        return f"{len(graph)} triples, 32 of type `Question`"

    def _frictionless(self) -> str:
        package = self.folder / "counterclaim-register.zip"
        package.write_bytes(self._download("export"))
        with zipfile.ZipFile(package) as archive:
            archive.extractall(self.folder / "package")
        from frictionless import validate

        report = validate(str(self.folder / "package" / "datapackage.json"))
        assert report.valid, report.flatten(["rowNumber", "fieldNumber", "type", "note"])[:5]
        claims = self.folder / "package" / "data" / "claim.csv"
        claims.write_bytes(claims.read_bytes().replace(b"estimate", b"allegation", 1))
        assert not validate(str(self.folder / "package" / "datapackage.json")).valid, "a changed file is valid"
        return f"valid: {len(report.tasks)} tables; not valid after one word of a file was changed"

    def _calc(self, suffix: str) -> str:
        soffice = shutil.which("soffice")
        if soffice is None:
            return "not run: LibreOffice is not installed"
        source = self.folder / f"claims.{suffix}"
        source.write_bytes(self._download(f"claims.{suffix}"))
        out = self.folder / f"calc-{suffix}"
        profile = f"-env:UserInstallation=file://{self.folder}/profile"
        read = ["--infilter=CSV:44,34,UTF8,1,,0,false,true"] if suffix == "csv" else []
        write = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,1"
        command = [soffice, profile, "--headless", *read, "--convert-to", write, "--outdir", str(out), str(source)]
        subprocess.run(command, check=True, capture_output=True, timeout=SOFFICE_TIMEOUT_SECONDS)
        (written,) = out.glob("claims*.csv")
        with written.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == self.count, len(rows)
        differing = {
            name
            for row, known in zip(rows, self.rows, strict=True)
            for name in row
            if not _is_same(row[name], known[name])
        }
        return f"{len(rows)} rows; " + (
            f"differs in {sorted(differing)}" if differing else "every cell as in the CSV file"
        )


def _first(values: Iterable[Any]) -> Any:
    """Return the first value of a cell that is not empty."""
    return next(value for value in values if value not in (None, ""))


def _is_same(read: str, known: str) -> bool:
    """Return whether a cell is the same. Calc writes truth values in capitals, and moments with a space."""
    if read == known or read == known.removeprefix("'"):
        return True
    if read.lower() == known or read.replace(" ", "T") + "Z" == known:
        return True
    try:
        return float(read) == float(known)
    except ValueError:
        return False


def _has_httpfs(connection: Any) -> bool:
    import duckdb

    try:
        connection.execute("INSTALL httpfs; LOAD httpfs")
    except duckdb.Error:
        return False
    return True


def main() -> None:
    """Run all checks, and print the table."""
    parser = argparse.ArgumentParser(prog="make clients")
    parser.add_argument("--server", required=True, help="the Python of the service")
    parser.add_argument("--save", action="store_true", help="write the table to docs/clients.md")
    parser.add_argument("--only", default="", help="only the programs with this in their name")
    options = parser.parse_args()
    rows, failed = [], False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["COUNTERCLAIM_FILES_DIR"] = str(folder)
        with Service(options.server, folder, "clients", starter=True) as service:
            service.send_file("/v1/imports", many_claims(), "text/csv")
            for tool, line, check in Clients(service, folder).checks():
                if options.only.lower() not in tool.lower():
                    continue
                try:
                    seen = check()
                except Exception as error:  # noqa: BLE001 - shown in the table
                    seen, failed = f"**failed**: {type(error).__name__}: {error}"[:300], True
                shown = line.replace(service.address, "http://127.0.0.1:8000")
                rows.append((f"{tool} {_version(tool)}".strip(), shown, seen))
                print(*rows[-1], sep=" · ", flush=True)
    if options.save:
        _save(rows)
    sys.exit(failed)


def _version(tool: str) -> str:
    if tool == "LibreOffice Calc":
        soffice = shutil.which("soffice")
        if soffice is None:
            return ""
        shown = subprocess.run([soffice, "--version"], capture_output=True, text=True, check=False).stdout.split()
        return shown[1] if len(shown) > 1 else ""
    return version(tool.lower())


def _save(rows: list[tuple[str, str, str]]) -> None:
    start, end = "<!-- clients -->", "<!-- /clients -->"
    text = PAGE.read_text(encoding="utf-8")
    lines = ["| program | line | what was seen |", "| --- | --- | --- |"]
    lines += [f"| {tool} | `{line}` | {seen.replace('|', chr(92) + '|')} |" for tool, line, seen in rows]
    table = "\n".join([start, f"Run on {dt.datetime.now(dt.UTC):%Y-%m-%d}.", "", *lines, end])
    before, _, rest = text.partition(start)
    PAGE.write_text(before + table + rest.partition(end)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
