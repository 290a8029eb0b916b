"""An import over HTTP, from the upload to the answer; loaded when the first one comes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import Request
from starlette.responses import Response

from app.database.transaction import WriteTransaction, write_transaction
from app.enums import Role
from app.errors import FileNotRead, Forbidden, MappingNotRead, RowsRefused, field_fault
from app.http.auth import Actor
from app.http.problems import MAX_REPORTED_FAULTS
from app.http.writes import WriteRequest, WriteResult
from app.imports.mappings.mapper import MappedPlan
from app.imports.mappings.native import NativePlan
from app.imports.mappings.schema import load_mapping, read_mapping
from app.imports.pipeline.row_mapping import Plan
from app.imports.pipeline.run import Hooks, ImportRefused, Result, RunRequest, run_import, summary
from app.imports.readers.options import FileRefused, MappingRefused
from app.imports.readers.reader import Limits
from app.imports.schemas import ImportQuery
from app.imports.uploads import Upload

UNPACKED = 10
"""A packed upload may hold so many times what an upload may have."""


def receive(request: Request, actor: Actor, upload: Upload, query: ImportQuery, writer: WriteRequest) -> Response:
    """Import what was uploaded, or answer what the same request was answered before."""
    return _answered_before(request, actor, writer) or _imported(request, actor, upload, query, writer)


def _imported(request: Request, actor: Actor, upload: Upload, query: ImportQuery, writer: WriteRequest) -> Response:
    """Run the import, and answer in the transaction that publishes it."""
    settings = request.app.state.settings
    answers: list[Response] = []

    def allow(result: Result) -> None:
        if result.needs_editor and not actor.has_role(Role.editor):
            more = f", and {len(result.needs_editor) - 1} more" if len(result.needs_editor) > 1 else ""
            raise Forbidden(f"This import has to {result.needs_editor[0]}{more}; that needs the role editor.")

    def begin(log: WriteTransaction) -> None:
        # The same request may have been answered while this one was reading.
        if (before := writer.find_stored_response(log, actor)) is not None:
            raise _Answered(before)

    def done(log: WriteTransaction, result: Result) -> None:
        made = WriteResult(_report(result, recorded=True), created=True)
        answers.append(writer.build_response(made))
        writer.store_response(log, actor, made, answers[-1])

    try:
        with _as_problems():
            run = RunRequest(
                upload.paths,
                _plan(upload, query.mapping),
                names=upload.names,
                dry_run=query.dry_run,
                keep_going=query.keep_going,
                strict=query.strict,
                vintage=query.vintage,
                limits=Limits(unpacked=settings.max_import_bytes * UNPACKED),
            )
            result = run_import(request.app.state.database, run, actor.name, Hooks(allow, begin, done))
    except _Answered as before:
        return before.response
    if result.published:
        return answers[-1]
    return _answered_before(request, actor, writer) or writer.build_response(
        WriteResult(_report(result, recorded=False))
    )


@contextmanager
def _as_problems() -> Iterator[None]:
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
        report = _report(wrong.result, recorded=False)
        hint = "correct the rows, or send `keep_going=true` to import the others"
        raise RowsRefused(str(wrong), hint=hint, errors=rows[:MAX_REPORTED_FAULTS], more={"report": report}) from None


class _Answered(Exception):
    """The same request was answered before."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def _answered_before(request: Request, actor: Actor, writer: WriteRequest) -> Response | None:
    """What the request with this Idempotency-Key was answered before, if there is a key and it was."""
    if writer.key is None:
        return None
    with write_transaction(request.app.state.database, actor.name) as log:
        return writer.find_stored_response(log, actor)


def _plan(upload: Upload, name: str | None) -> Plan:
    if upload.mapping is not None:
        return MappedPlan("own", read_mapping(upload.mapping, "mapping"))
    if name is not None:
        return MappedPlan(name, load_mapping(name))
    return NativePlan()


def _report(result: Result, *, recorded: bool) -> dict[str, Any]:
    id_ = result.id if recorded else None
    return summary(result) | {"id": id_, "links": {"self": f"/v1/imports/{id_}"} if id_ else None}
