"""Import results as JSON: the report of a request, and the columns of the import record."""

from datetime import date
from typing import Any

from app.enums import LeftOutReason
from app.http.addresses import whole_address
from app.imports.pipeline.result import ImportResult
from app.imports.quality.anomalies import Anomaly
from app.imports.readers.options import FileReport
from app.imports.schemas import Counts

MAX_REPORTED_ANOMALIES = 200
"""Maximum number of anomalies that are listed in a report and recorded; further ones are only counted."""


def import_columns(result: ImportResult, actor: str, vintage: date | None) -> dict[str, Any]:
    """Return the columns of the import record."""
    return {
        "id": result.id,
        "actor": actor,
        "mapping": result.mapping,
        "series": result.series,
        "vintage": vintage,
        **_shared_fields(result),
    }


def report_document(result: ImportResult, *, recorded: bool) -> dict[str, Any]:
    """Return the report of a request, with the id of the import if it is recorded."""
    shared = _shared_fields(result)
    statistics = result.statistics
    return {
        "id": result.id if recorded else None,
        "mapping": result.mapping,
        "series": result.series,
        "dry_run": result.dry_run,
        "files": shared["files"],
        "counts": shared["counts"],
        "skipped": dict(statistics.skipped),
        "without_claim": dict(statistics.without_claim),
        "differing_texts": dict(sorted(statistics.differing_texts.items())),
        "unread_columns": statistics.unread_columns,
        "missing_columns": statistics.missing_columns,
        "ignored": dict(sorted(statistics.ignored.items())),
        "examples": {
            **({"new": statistics.sentences} if statistics.sentences else {}),
            **{outcome: list(examples) for outcome, examples in statistics.examples.items()},
        },
        "smell_counts": shared["smell_counts"],
        "smells": shared["smells"],
        "left_out": dict(sorted(result.left_out.items())),
        "refused": [{"file": file, "line": line, "reasons": reasons} for file, line, reasons in result.refused],
        "links": {"self": whole_address(f"/v1/imports/{result.id}")} if recorded else None,
    }


def report_lines(result: ImportResult, *, recorded: bool) -> list[tuple[str, Any, str]]:
    """Return the result as lines of a sheet: a name, a value, and what it means."""
    counts = result.counts()
    state = "The import is recorded." if recorded else "Nothing is recorded."
    lines: list[tuple[str, Any, str]] = [("import", result.id if recorded else None, state)]
    lines += [(name, counts[name], Counts.model_fields[name].description or "") for name in Counts.model_fields]
    lines += [(f"skipped: {reason}", number, "") for reason, number in result.statistics.skipped.items()]
    lines += [(f"no claim: {reason}", number, "") for reason, number in result.statistics.without_claim.items()]
    lines += [("column that nothing reads", None, name) for name in result.statistics.unread_columns]
    lines += [("missing column", None, text) for text in result.statistics.missing_columns]
    lines += [(anomaly.kind.value, None, anomaly.detail) for anomaly in result.statistics.anomalies[:100]]
    return lines


def _shared_fields(result: ImportResult) -> dict[str, Any]:
    """Return the fields that a report and an import record share."""
    return {
        "files": [_file_document(report) for report in result.files],
        "counts": result.counts(),
        "smell_counts": dict(sorted(result.statistics.anomaly_counts.items())),
        "smells": [_anomaly_document(anomaly) for anomaly in result.statistics.anomalies[:MAX_REPORTED_ANOMALIES]],
    }


def left_out_lines(result: ImportResult) -> list[tuple[str, int, str]]:
    """Return how many claims were left out while the import was published, for each reason, with what it means."""
    return [(reason, number, LeftOutReason(reason).definition) for reason, number in sorted(result.left_out.items())]


def _file_document(report: FileReport) -> dict[str, Any]:
    return {
        "name": report.name,
        "sha256": report.sha256,
        "bytes": report.bytes,
        "rows": report.rows,
        "format": report.format.value,
        "encoding": report.encoding,
        "delimiter": report.delimiter,
        "columns": list(report.columns) or None,
    }


def _anomaly_document(anomaly: Anomaly) -> dict[str, Any]:
    rows = [{"file": location.file, "line": location.line} for location in anomaly.locations]
    return {"kind": anomaly.kind.value, "rows": rows, "detail": anomaly.detail}
