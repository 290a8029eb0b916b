"""An import over HTTP, from the upload to the answer; loaded when the first one comes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import Request
from starlette.responses import Response

from app.database.api_keys import Actor
from app.database.transaction import WriteTransaction, write_transaction
from app.enums import Role
from app.errors import FileNotRead, Forbidden, MappingNotRead, RowsRefused, field_fault
from app.http.problems import MAX_REPORTED_FAULTS
from app.http.writes import WriteRequest, WriteResult
from app.imports.mappings.mapper import MappingRowMapper
from app.imports.mappings.native import NativeRowMapper
from app.imports.mappings.schema import load_shipped_mapping, parse_mapping
from app.imports.pipeline.row_mapping import RowMapper
from app.imports.pipeline.run import Hooks, ImportRefused, ImportRequest, ImportResult, import_summary, run_import
from app.imports.readers.options import FileRefused, MappingRefused, ReadLimits
from app.imports.schemas import ImportQuery
from app.imports.uploads import Upload, temporary_storage

MAX_UNPACKED_RATIO = 10
"""A packed upload may hold so many times what an upload may have."""


def import_upload(request: Request, actor: Actor, upload: Upload, query: ImportQuery, writer: WriteRequest) -> Response:
    """Import what was uploaded, or answer what the same request was answered before."""
    return _find_earlier_response(request, actor, writer) or _run_import(request, actor, upload, query, writer)


def _run_import(request: Request, actor: Actor, upload: Upload, query: ImportQuery, writer: WriteRequest) -> Response:
    """Run the import, and answer in the transaction that publishes it."""
    settings = request.app.state.settings
    answers: list[Response] = []

    def allow(result: ImportResult) -> None:
        if result.editor_actions and not actor.has_role(Role.editor):
            more = f", and {len(result.editor_actions) - 1} more" if len(result.editor_actions) > 1 else ""
            raise Forbidden(f"This import has to {result.editor_actions[0]}{more}; that needs the role editor.")

    def begin(log: WriteTransaction) -> None:
        # The same request may have been answered while this one was reading.
        if (before := writer.find_stored_response(log, actor)) is not None:
            raise _Answered(before)

    def done(log: WriteTransaction, result: ImportResult) -> None:
        made = WriteResult(_report_document(result, recorded=True), created=True)
        answers.append(writer.build_response(made))
        writer.store_response(log, actor, made, answers[-1])

    try:
        with _translate_errors(), temporary_storage():
            run = ImportRequest(
                upload.paths,
                _create_row_mapper(upload, query.mapping),
                names=upload.names,
                dry_run=query.dry_run,
                keep_going=query.keep_going,
                strict=query.strict,
                vintage=query.vintage,
                limits=ReadLimits(unpacked=settings.max_import_bytes * MAX_UNPACKED_RATIO),
            )
            result = run_import(request.app.state.database, run, actor.name, Hooks(allow, begin, done))
    except _Answered as before:
        return before.response
    if result.published:
        return answers[-1]
    return _find_earlier_response(request, actor, writer) or writer.build_response(
        WriteResult(_report_document(result, recorded=False))
    )


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Answer what keeps a file out as a problem."""
    try:
        yield
    except FileRefused as wrong:
        raise FileNotRead(str(wrong), hint=wrong.hint) from None
    except MappingRefused as wrong:
        raise MappingNotRead(str(wrong), hint="docs/mappings.md describes them") from None
    except ImportRefused as wrong:
        rows = [
            field_fault(f"{file}/{line}", reason) for file, line, reasons in wrong.result.refused for reason in reasons
        ]
        report = _report_document(wrong.result, recorded=False)
        hint = "correct the rows, or send `keep_going=true` to import the others"
        raise RowsRefused(str(wrong), hint=hint, errors=rows[:MAX_REPORTED_FAULTS], more={"report": report}) from None


class _Answered(Exception):
    """The same request was answered before."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def _find_earlier_response(request: Request, actor: Actor, writer: WriteRequest) -> Response | None:
    """What the request with this Idempotency-Key was answered before, if there is a key and it was."""
    if writer.key is None:
        return None
    with write_transaction(request.app.state.database, actor.name) as log:
        return writer.find_stored_response(log, actor)


def _create_row_mapper(upload: Upload, name: str | None) -> RowMapper:
    if upload.mapping is not None:
        return MappingRowMapper("own", parse_mapping(upload.mapping, "mapping"))
    if name is not None:
        return MappingRowMapper(name, load_shipped_mapping(name))
    return NativeRowMapper()


def _report_document(result: ImportResult, *, recorded: bool) -> dict[str, Any]:
    id_ = result.id if recorded else None
    return import_summary(result) | {"id": id_, "links": {"self": f"/v1/imports/{id_}"} if id_ else None}
