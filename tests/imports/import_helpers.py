"""Small files to import, and helpers that upload them."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from app.imports.mappings.load import parse_mapping
from app.imports.mappings.mapper import MappingRowMapper
from app.imports.mappings.native import NativeRowMapper
from app.imports.pipeline.prepare import ImportRequest
from app.imports.pipeline.result import ImportResult
from app.imports.pipeline.run import run_import
from tests.registers import Register

NATIVE_ROW = {
    "category": "killed",
    "subject": "army",
    "place": "war",
    "modality": "estimate",
    "as_printed": "1,351",
    "value": "1351",
    "period": "2022-02-24/2025-06-12",
    "aggregation": "cumulative",
    "date": "2025-06-12",
    "source": "ministry",
    "document_title": "The report",
    "document_url": "https://example.org/report",
    "publisher": "paper",
}

DAILY_MAPPING = """
title = "Losses of the army, as the ministry reports them every day"
series = "daily"

[vintage]
key = [{ column = "day" }]
on_change = "ON_CHANGE"
date = { column = "_file", after = "asof-", before = "." }

[claim]
subject = "army"
place = "war"
source = "ministry"
modality = "count"
date = { column = "day" }
period = { start = "2022-02-24", end = { column = "day" } }
citation.document = { title = "The table", url = "https://example.org/table", publisher = "paper" }

[claims.dead]
category = "killed"

[claims.all]
category = "casualties"

[[relations]]
claim = "dead"
type = "part_of"
to = "all"
"""


def native_row(number: int = 1351, **more: str) -> dict[str, str]:
    return NATIVE_ROW | {"as_printed": f"{number:,}", "value": str(number)} | more


def format_csv(*rows: dict[str, Any]) -> str:
    written = io.StringIO()
    writer = csv.DictWriter(written, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def post_file(
    register: Register, content: str | bytes, kind: str = "text/csv", role: str = "editor", /, **query: Any
) -> Any:
    """POST a file as the body."""
    headers = register.keys[role] | {"Content-Type": kind}
    return register.post("/v1/imports", content=content, headers=headers, params=query)


def post_form(register: Register, name: str, content: str, mapping: str, role: str = "editor", **query: Any) -> Any:
    """POST a file and a mapping as a form."""
    files = {"file": (name, content), "mapping": ("mapping.toml", mapping)}
    return register.post("/v1/imports", files=files, headers=register.keys[role], params=query)


def import_daily(
    register: Register, file: Path, days: dict[str, tuple[int, int]], on_change: str = "report", **how: Any
) -> ImportResult:
    """Import daily numbers of dead and casualties with `DAILY_MAPPING`."""
    rows = [{"day": day, "dead": dead, "all": all_} for day, (dead, all_) in days.items()]
    file.write_text(json.dumps(rows), encoding="utf-8")
    plan = MappingRowMapper("daily", parse_mapping(DAILY_MAPPING.replace("ON_CHANGE", on_change), "daily"))
    return run_import(register.database, ImportRequest([file], plan, **how), "desk")


def import_native(register: Register, file: Path, *rows: dict[str, Any], **how: Any) -> ImportResult:
    """Import a claims file."""
    file.write_text(format_csv(*rows), encoding="utf-8", newline="")
    return run_import(register.database, ImportRequest([file], NativeRowMapper(), **how), "desk")


def nonzero_counts(result: ImportResult) -> dict[str, int]:
    """Return the nonzero counts of a result."""
    return {name: number for name, number in result.counts().items() if number}


def numbers(answer: Any) -> dict[str, int]:
    """Return the counts of an import that are not zero."""
    return {name: number for name, number in answer.json()["counts"].items() if number}


def reasons(answer: Any) -> list[str]:
    """Return the reasons for refusing the rows of an import."""
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "rows_refused"
    return [error["detail"] for error in answer.json()["errors"]]
