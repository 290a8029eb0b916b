"""Compares the columns of the files of an import with those that the mapping reads and those of the last file."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlmodel import Session

from app.database.tables import ImportVersion, columns_of
from app.enums import SmellKind
from app.imports.mappings.columns import MAX_LISTED_COLUMNS, ColumnUse
from app.imports.pipeline.process_rows import RowProcessor
from app.imports.pipeline.row_mapping import RowMapper
from app.imports.quality.anomalies import Anomaly, RowLocation
from app.imports.readers.options import FileReport, FileRow, MappingRefused

MAX_UNREAD_COLUMNS = 100
"""Maximum number of columns that a report names because nothing reads them."""


class ColumnCheck:
    """Collects the columns of all rows of an import, and refuses a mapping that names other ones."""

    def __init__(self, mapper: RowMapper, *, is_only_file: bool) -> None:
        self._usage = mapper.columns
        self._is_only_file = is_only_file
        self._is_table = True
        self._file: str | None = None

    def add_rows(self, rows: Sequence[FileRow], first_file: str) -> None:
        """Add the columns of a batch. Raises `MappingRefused` for the first row of the only file, if it is a table."""
        usage = self._usage
        if usage is None:
            return
        for row in rows:
            if not row.is_table:
                self._is_table = False
                usage.add_columns(row.data.keys())
            elif row.file != self._file:
                usage.add_columns(row.data.keys())
                # A folder or an archive has names of its own for the files in it, which can have other columns.
                if self._file is None and self._is_only_file and row.file == first_file:
                    self._refuse(usage.find_missing(is_table=True))
                self._file = row.file

    def finish(self, processor: RowProcessor, files: Sequence[FileReport], *, is_whole: bool) -> None:
        """Add what is missing and unread to the statistics. Raises `MappingRefused`.

        A nested file may lack what some rows have. It is refused only if it gave no claim, or if a name is nearly that
        of a column that nothing reads.
        """
        usage, statistics = self._usage, processor.statistics
        if usage is None:
            return
        for report in files:
            if report.header and not report.rows:
                usage.add_columns(dict.fromkeys(report.header).keys())
        if not usage.row_columns:
            return
        missing = usage.find_missing(is_table=self._is_table)
        has_claims = bool(processor.staging.outcome_counts()) or statistics.refused > 0
        if self._is_table or (is_whole and not has_claims and statistics.without_claim):
            self._refuse(missing)
        self._refuse([use for use in missing if usage.is_typo(use)])
        statistics.missing_columns = usage.describe(missing)[:MAX_UNREAD_COLUMNS]
        statistics.unread_columns = usage.find_unread()[:MAX_UNREAD_COLUMNS]
        if is_whole and processor.mapper.file_series_options is not None:
            for report in files:
                report.columns = tuple(usage.row_columns)
            with processor.database.read() as session:
                self._compare_with_last_file(session, processor, files[0].name)

    def _refuse(self, missing: Sequence[ColumnUse]) -> None:
        if missing and self._usage is not None:
            lines = self._usage.describe(missing)
            more = len(lines) - MAX_LISTED_COLUMNS
            lines[MAX_LISTED_COLUMNS:] = [f"… and {more} more"] if more > 0 else []
            hint = "A column that a file may lack is listed in `optional` of the mapping."
            raise MappingRefused("\n".join([*lines, hint]))

    def _compare_with_last_file(self, session: Session, processor: RowProcessor, file: str) -> None:
        """Add an anomaly if the last import of the series had other columns."""
        options, imported, usage = processor.mapper.file_series_options, columns_of(ImportVersion), self._usage
        if options is None or usage is None:
            return
        statement = (
            select(imported.files, imported.vintage)
            .where(imported.series == options.series, imported.until_seq.is_(None))
            .order_by(imported.id.desc())
            .limit(1)
        )
        last = session.execute(statement).first()
        vintage = processor.validator.vintage
        if last is None or (vintage is not None and last.vintage is not None and vintage < last.vintage):
            return
        columns = {column for each in last.files for column in each.get("columns") or ()}
        if not columns:
            return  # recorded before columns were
        gained = [column for column in usage.row_columns if column not in columns]
        lost = sorted(columns - usage.row_columns.keys())
        for names, what in (
            (gained, "has columns that the last one did not have"),
            (lost, "lacks columns of the last"),
        ):
            if names:
                shown = ", ".join(f"`{name}`" for name in names[:MAX_LISTED_COLUMNS])
                detail = f"The file of the series {options.series} {what}: {shown}."
                location = RowLocation(file, 1)
                processor.statistics.add_anomaly(Anomaly(SmellKind.columns_differ, (location,), detail))
