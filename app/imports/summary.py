"""The summary of an import on the terminal."""

import click

from app.enums import Outcome
from app.imports.pipeline.result import ImportResult, ImportStatistics
from app.imports.readers.options import FileReport
from app.imports.report import left_out_lines

MAX_SHOWN_EXAMPLES = 3
"""Examples of each outcome and anomaly in the summary."""


def print_summary(result: ImportResult) -> None:
    """Print what was read, the number of rows and claims by outcome, and whether they are recorded."""
    counts, statistics = result.counts(), result.statistics
    for report in result.files:
        click.echo(f"{report.name}: {report.rows:,} rows ({_describe_format(report)}), sha256 {report.sha256[:12]}…")
    _print_rows_without_claims(statistics)
    if statistics.refused:
        _print_outcome(
            "rows refused",
            statistics.refused,
            Outcome.refused.definition,
            statistics.examples.get(Outcome.refused, []),
        )
    for outcome in Outcome:
        if outcome is not Outcome.refused and counts[outcome.value]:
            _print_outcome(
                f"claims {outcome.value}",
                counts[outcome.value],
                outcome.definition,
                statistics.examples.get(outcome, []),
            )
    if result.dry_run:
        _print_sentences(statistics)
    if statistics.vanished:
        definition = "Rows of earlier files that this file does not have. Their claims are unchanged."
        _print_outcome("rows vanished", statistics.vanished, definition, statistics.examples.get("vanished", []))
    _print_anomalies(statistics)
    _print_state(result)


def _print_state(result: ImportResult) -> None:
    if result.dry_run:
        click.echo("A dry run: nothing was recorded.")
    elif result.published:
        for reason, number, definition in left_out_lines(result):
            _print_outcome(f"claims left out ({reason})", number, definition, [])
        if result.left_out:
            click.echo("Import the file again to record what was left out.")
        click.echo(f"Recorded as import {result.id}.")
    elif not result.has_changes:
        click.echo("Nothing new: the register is unchanged.")


def _print_rows_without_claims(statistics: ImportStatistics) -> None:
    for reason, number in statistics.skipped.most_common():
        click.echo(f"  {number:>9,} rows skipped: {reason}")
    for reason, number in statistics.without_claim.most_common():
        click.echo(f"  {number:>9,} rows made no claim: {reason}")
    for name, number in statistics.differing_texts.most_common():
        click.echo(f"  {number:>9,} claims have another `{name}` than their rows; they stay as they are")
    if statistics.unread_columns:
        click.echo(f"  Columns that nothing reads: {', '.join(statistics.unread_columns)}")
    for sentence in statistics.missing_columns:
        click.echo(f"  {sentence}")


def _print_sentences(statistics: ImportStatistics) -> None:
    if statistics.sentences:
        click.echo("The first new claims of each kind, as they will be printed:")
        for sentence in statistics.sentences:
            click.echo(f"            {sentence}")


def _print_anomalies(statistics: ImportStatistics) -> None:
    if statistics.anomaly_counts:
        click.echo("Data-quality warnings; the data are recorded as they are:")
    for kind, number in statistics.anomaly_counts.most_common():
        click.echo(f"  {number:>9,} {kind}")
        examples = [anomaly for anomaly in statistics.anomalies if anomaly.kind.value == kind]
        for anomaly in examples[:MAX_SHOWN_EXAMPLES]:
            rows = ", ".join(f"{location.file}:{location.line}" for location in anomaly.locations[:MAX_SHOWN_EXAMPLES])
            click.echo(f"            {anomaly.detail} ({rows})")


def _print_outcome(label: str, number: int, definition: str, examples: list[str]) -> None:
    click.echo(f"  {number:>9,} {label}: {definition}")
    for example in examples[:MAX_SHOWN_EXAMPLES]:
        click.echo(f"            {example}")


def _describe_format(report: FileReport) -> str:
    """Return the format of a file with its encoding and delimiter, where it has them."""
    delimiter = {None: None, "\t": "tab"}.get(report.delimiter, f"delimiter {report.delimiter}")
    return ", ".join(part for part in (report.format.value, report.encoding, delimiter) if part)
