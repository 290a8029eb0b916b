"""Imports over HTTP, from the upload to the response. The module is loaded with the first import."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from io import BytesIO
from typing import Final

from fastapi import Request
from starlette.responses import Response

from app.database.api_keys import Actor, note_key_use
from app.database.engine import Database
from app.database.faults import classify
from app.database.read_session import read_session
from app.database.transaction import WriteTransaction
from app.enums import Role
from app.errors import FileNotRead, Forbidden, MappingNotRead, RowsRefused, Unavailable, field_fault
from app.http.idempotency import stored_path
from app.http.problems import MAX_REPORTED_FAULTS, database_problem
from app.http.shutdown import Shutdown
from app.http.spreadsheet import XLSX_MEDIA_TYPE
from app.http.writes import ResponseFile, WriteRequest, WriteResult
from app.imports.mappings.load import load_row_mapper, parse_row_mapper
from app.imports.pipeline.prepare import ImportRequest, PreparedImport, import_attempts
from app.imports.pipeline.publish import RegisterChanged, publish_import, publishing_transaction
from app.imports.pipeline.publish_parts import is_long, publish_in_parts, unfinished_problem, wait_for_import
from app.imports.pipeline.publishing_state import find_import_of_key
from app.imports.pipeline.result import ImportRefused, ImportResult
from app.imports.readers.options import FileRefused, MappingRefused, ReadLimits
from app.imports.readers.query import query_limits
from app.imports.report import report_document, report_lines
from app.imports.schemas import ImportQuery, ReportFormat
from app.imports.sheet import read_lists
from app.imports.uploads import Upload, temporary_storage
from app.imports.workbook import write_refused_rows
from app.settings import Settings

REFUSED_ROWS_NAME: Final = "refused-rows.xlsx"

MAX_UNPACKED_RATIO = 10
"""Maximum unpacked size of an upload, as a multiple of the maximum upload size."""


def import_upload(request: Request, actor: Actor, upload: Upload, query: ImportQuery, write: WriteRequest) -> Response:
    """Import an upload, or return the stored response to an earlier request with the same Idempotency-Key.

    Another request with the same key is waited for. The key is looked up before the upload is read, and again in the
    transaction that publishes, or at the end if nothing is recorded. The response is stored in the transaction that
    publishes.
    """
    with write.hold_key(actor):
        return _import_once(request, actor, upload, query, write)


def _import_once(request: Request, actor: Actor, upload: Upload, query: ImportQuery, write: WriteRequest) -> Response:
    database: Database = request.app.state.database
    _wait_for_interrupted(database, request, actor, write)
    if (stored := _find_stored_response(database, actor, write)) is not None:
        return stored
    write.check_collection()
    with (
        _translate_errors(),
        temporary_storage(),
        _stop_on_interrupt(request),
        closing(import_attempts(database, _import_request(request, upload, query), actor.name)) as attempts,
    ):
        for prepared in attempts:
            authorize(prepared.result, actor)
            file = _write_report(database, request, prepared) if query.report is ReportFormat.xlsx else None
            if file is not None and prepared.is_refused:
                return Response(file.content, RowsRefused.status, headers=file.headers, media_type=file.media_type)
            prepared.check_refusals()
            if not prepared.has_writes:
                return _find_stored_response(database, actor, write) or write.build_response(
                    WriteResult(report_document(prepared.result, recorded=False), file=file)
                )
            if is_long(prepared):
                with suppress(RegisterChanged), _protect(request):
                    return _publish_long(database, request, actor, prepared, write, file)
                continue
            with (
                suppress(RegisterChanged),
                _protect(request),
                publishing_transaction(database, actor.name) as transaction,
            ):
                stored = write.find_stored_response(transaction.session, transaction.at, actor)
                if stored is not None:
                    return stored
                publish_import(transaction, prepared)
                report = report_document(prepared.result, recorded=True)
                return write.respond(transaction, actor, WriteResult(report, created=True, file=file))
    raise AssertionError("import_attempts raises")  # pragma: no cover


def _publish_long(
    database: Database,
    request: Request,
    actor: Actor,
    prepared: PreparedImport,
    write: WriteRequest,
    file: ResponseFile | None,
) -> Response:
    """Publish an import in several transactions. The response is stored with the last one, whoever makes it.

    Raises:
        RegisterChanged: A record that the import depends on was changed; nothing is recorded.
        Unavailable: The process ends, or the database fails. Another process finishes the import if a part is recorded.
    """
    shutdown: Shutdown = request.app.state.shutdown
    result = WriteResult(report_document(prepared.result, recorded=True), created=True, file=file)

    def begin(transaction: WriteTransaction) -> None:
        stored = write.find_stored_response(transaction.session, transaction.at, actor)
        if stored is not None:
            raise _Answered(stored)
        note_key_use(transaction.session, actor, transaction.at)

    def check() -> None:
        if shutdown.is_stopping:
            problem = unfinished_problem(prepared.result.id, "The server is stopping while the import is published.")
            problem.headers["Connection"] = "close"
            raise problem

    described = write.describe_response(actor, result, write.build_response(result))
    try:
        publish_in_parts(database, prepared, check=check, answer=described, begin=begin)
    except _Answered as answered:
        return answered.response
    except Unavailable as problem:
        cause = problem.__cause__
        if cause is not None and (fault := classify(cause)) is not None:
            database_problem(database, fault, cause)  # it logs and notes the fault
            problem.more = {"reason": fault.value}
        raise
    report = report_document(prepared.result, recorded=True)
    return write.build_response(WriteResult(report, created=True, file=file))


class _Answered(Exception):
    """Another request with the same Idempotency-Key was answered meanwhile."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def _write_report(database: Database, request: Request, prepared: PreparedImport) -> ResponseFile:
    """Return the workbook with the refused rows of an import, and its counts."""
    with read_session(database) as read:
        lists = read_lists(read, read.snapshot())
    content = BytesIO()
    title = request.app.state.settings.title
    write_refused_rows(
        content, title, prepared.refused_rows(), lists, report_lines(prepared.result, recorded=prepared.is_published)
    )
    return ResponseFile(content.getvalue(), XLSX_MEDIA_TYPE, REFUSED_ROWS_NAME)


@contextmanager
def _stop_on_interrupt(request: Request) -> Iterator[None]:
    """Raise `Unavailable` for a statement that was interrupted because the process is ending."""
    shutdown: Shutdown = request.app.state.shutdown
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            shutdown.check()
        raise


@contextmanager
def _protect(request: Request) -> Iterator[None]:
    """Let the block finish even if the process is ending. Raises `Unavailable` if it is ending already."""
    shutdown: Shutdown = request.app.state.shutdown
    with shutdown.protect():
        request.state.is_protected = True
        yield


def authorize(result: ImportResult, actor: Actor) -> None:
    """Raise `Forbidden` if the import needs the role editor and the actor lacks it."""
    if result.editor_actions and not actor.has_role(Role.editor):
        more = f", and {len(result.editor_actions) - 1} more" if len(result.editor_actions) > 1 else ""
        raise Forbidden(f"This import has to {result.editor_actions[0]}{more}; that needs the role editor.")


def _import_request(request: Request, upload: Upload, query: ImportQuery) -> ImportRequest:
    if upload.mapping is not None:
        mapper = parse_row_mapper(upload.mapping, "own", "mapping")
    else:
        mapper = load_row_mapper(query.mapping)
    settings: Settings = request.app.state.settings
    max_bytes = settings.max_import_bytes
    shutdown: Shutdown = request.app.state.shutdown
    return ImportRequest(
        upload.paths,
        mapper,
        names=upload.names,
        dry_run=query.dry_run,
        keep_going=query.keep_going,
        strict=query.strict,
        vintage=query.vintage,
        limits=ReadLimits(unpacked_bytes=max_bytes * MAX_UNPACKED_RATIO),
        query_limits=query_limits(settings, is_allowed=settings.import_sql),
        check=shutdown.check,
    )


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise the errors of an import as problems."""
    try:
        yield
    except FileRefused as error:
        raise FileNotRead(str(error), hint=error.hint) from None
    except MappingRefused as error:
        raise MappingNotRead(str(error), hint="docs/mappings.md describes them") from None
    except ImportRefused as error:
        faults = [
            field_fault(f"{file}/{line}", reason) for file, line, reasons in error.result.refused for reason in reasons
        ]
        report = report_document(error.result, recorded=False)
        hint = "correct the rows, or send `keep_going=true` to import the others"
        raise RowsRefused(str(error), hint=hint, errors=faults[:MAX_REPORTED_FAULTS], more={"report": report}) from None


def _wait_for_interrupted(database: Database, request: Request, actor: Actor, write: WriteRequest) -> None:
    """Wait for the import of an earlier request with the same Idempotency-Key, whose process has ended."""
    if write.key is None:
        return
    shutdown: Shutdown = request.app.state.shutdown
    with database.read_primary() as session:
        import_id = find_import_of_key(session, actor.name, stored_path(request.url.path), write.key)
    if import_id is not None:
        wait_for_import(database, import_id, shutdown.check)


def _find_stored_response(database: Database, actor: Actor, write: WriteRequest) -> Response | None:
    """Return the stored response to the request's Idempotency-Key, if there is one."""
    if write.key is None:
        return None
    with database.read() as session:
        return write.find_stored_response(session, datetime.now(UTC), actor)
