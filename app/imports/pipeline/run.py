"""Runs an import in a separate transaction, for callers that store no response with it."""

from contextlib import closing

from app.database.engine import Database
from app.imports.pipeline.prepare import ImportRequest, import_attempts
from app.imports.pipeline.publish_parts import publish_prepared
from app.imports.pipeline.result import ImportResult


def run_import(database: Database, request: ImportRequest, actor: str) -> ImportResult:
    """Import files in a separate transaction.

    Raises:
        FileRefused: A file cannot be read.
        MappingRefused: The mapping does not fit the files.
        ImportRefused: Rows are refused, and the request does not accept that.
        Unavailable: Every attempt conflicted with concurrent writes.
    """
    with closing(import_attempts(database, request, actor)) as attempts:
        for prepared in attempts:
            prepared.check_refusals()
            if publish_prepared(database, prepared):
                return prepared.result
    raise AssertionError("import_attempts raises")  # pragma: no cover
