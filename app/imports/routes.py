"""Imports over HTTP: files in, reports out, and the list of what was imported."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.auth import Actor, Contributor
from app.changes.clock import Log, view_of, writing
from app.db import Db
from app.formats import Wanted, column, columns_of_model, listing, one
from app.imports.files import Limits
from app.imports.job import Hooks, ImportRefused, Result, RunRequest, run_import, summary
from app.imports.kinds import FileRefused, MappingRefused
from app.imports.mapped import MappedPlan
from app.imports.mapping import load_mapping, read_mapping
from app.imports.native import NativePlan
from app.imports.plan import Plan
from app.imports.queries import find_imports, read_import
from app.imports.schemas import ID, Counts, Import, ImportReport
from app.imports.uploads import FORM, RAW, Upload, Uploaded
from app.paging import AsOf, Found, PageQuery
from app.problems import MOST_FAULTS, FileNotRead, Forbidden, MappingNotRead, RowsRefused, fault
from app.shapes import Day
from app.vocabulary.terms import Role
from app.writing import IdempotencyKey, Made, Writer

router = APIRouter(tags=["imports"])
COLUMNS = [
    *columns_of_model(Import),
    *(column(Import, name, f"counts.{name}") for name in Counts.model_fields),
    column(Import, "url", "links.self"),
]
UNPACKED = 10
"""A packed upload may hold so many times what an upload may have."""

BODIES: dict[str, Any] = {
    **{media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in RAW},
    FORM: {
        "schema": {
            "type": "object",
            "required": ["file"],
            "properties": {
                "file": {
                    "type": "array",
                    "items": {"type": "string", "format": "binary"},
                    "description": "The files.",
                },
                "mapping": {"type": "string", "description": "A mapping of your own, in TOML."},
            },
        }
    },
}


class ImportQuery(BaseModel):
    """How a file is imported."""

    mapping: str | None = Field(
        default=None,
        max_length=80,
        description="A mapping that comes with the service, by name; without one, the register's own CSV or NDJSON.",
        examples=["general-staff-a-personnel"],
    )
    dry_run: bool = Field(default=False, description="Tell what would come of it; record nothing.", examples=[True])
    keep_going: bool = Field(
        default=False, description="Import the good rows although others are refused.", examples=[True]
    )
    strict: bool = Field(default=False, description="Refuse rows that smell.", examples=[True])
    vintage: Day | None = Field(
        default=None, description="The day of the file, if its name does not say it.", examples=["2025-01-01"]
    )
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="The file's name, where the body is the file itself; its ending says the format.",
        examples=["personnel.json"],
    )


@router.post(
    "/imports",
    summary="Import a file",
    operation_id="post_import",
    openapi_extra={"requestBody": {"required": True, "content": BODIES}},
    responses={
        200: {"model": ImportReport, "description": "Nothing was recorded: a dry run, or nothing is new."},
        201: {"model": ImportReport, "description": "It is recorded."},
    },
)
def post_import(
    request: Request,
    contributor: Contributor,
    uploaded: Uploaded,
    query: Annotated[ImportQuery, Query()],
    key: IdempotencyKey,
) -> Response:
    """Turn the rows of a file into claims, all or none: a claims file as it was exported, or any file by a mapping.

    New claims need the role contributor; what repairs, assesses or relates claims, or adds vocabulary, needs editor.
    """
    with closing(uploaded):
        writer = Writer(request, uploaded.digest, key)
        if (before := _answered_before(request, contributor, writer)) is not None:
            return before
        return _imported(request, contributor, uploaded, query, writer)


@listing(router, "/imports", Import, "List imports")
def list_imports(query: Annotated[PageQuery, Query()], db: Db, want: Wanted) -> Response:
    """Every import that changed the register, the newest first: who, when, from which files, and what came of it."""

    def find(page: PageQuery) -> Found:
        with db.read() as session:
            return find_imports(session, page, view_of(session, page.recorded_as_of))

    return want.rows(find, query, COLUMNS)


@router.get("/imports/{id}", summary="Read an import", operation_id="read_import", responses={200: {"model": Import}})
def get_import(
    id: Annotated[str, Path(description="Its id, as a claim's `import_id` names it.", examples=[ID])],  # noqa: A002 - its name in the address
    request: Request,
    db: Db,
    recorded_as_of: AsOf = None,
) -> Response:
    """Who imported what and when, what became of every row, and what smelled."""
    with db.read() as session:
        card = read_import(session, id, view_of(session, recorded_as_of))
    return one(request, card)


def _imported(request: Request, actor: Actor, upload: Upload, query: ImportQuery, writer: Writer) -> Response:
    """Run the import, and answer in the transaction that publishes it."""
    settings = request.app.state.settings
    answers: list[Response] = []

    def allow(result: Result) -> None:
        if result.needs_editor and not actor.may(Role.editor):
            more = f", and {len(result.needs_editor) - 1} more" if len(result.needs_editor) > 1 else ""
            raise Forbidden(f"This import has to {result.needs_editor[0]}{more}; that needs the role editor.")

    def begin(log: Log) -> None:
        # The same request may have been answered while this one was reading.
        if (before := writer.before(log, actor)) is not None:
            raise _Answered(before)

    def done(log: Log, result: Result) -> None:
        made = Made(_report(result, recorded=True), created=True)
        answers.append(writer.answer(made))
        writer.keep(log, actor, made, answers[-1])

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
    return _answered_before(request, actor, writer) or writer.answer(Made(_report(result, recorded=False)))


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
        rows = [fault(f"{file}/{line}", reason) for file, line, reasons in wrong.result.refused for reason in reasons]
        report = _report(wrong.result, recorded=False)
        hint = "correct the rows, or send `keep_going=true` to import the others"
        raise RowsRefused(str(wrong), hint=hint, errors=rows[:MOST_FAULTS], more={"report": report}) from None


class _Answered(Exception):
    """The same request was answered before."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def _answered_before(request: Request, actor: Actor, writer: Writer) -> Response | None:
    """What the request with this Idempotency-Key was answered before, if there is a key and it was."""
    if writer.key is None:
        return None
    with writing(request.app.state.database, actor.name) as log:
        return writer.before(log, actor)


def _plan(upload: Upload, name: str | None) -> Plan:
    if upload.mapping is not None:
        return MappedPlan("own", read_mapping(upload.mapping, "mapping"))
    if name is not None:
        return MappedPlan(name, load_mapping(name))
    return NativePlan()


def _report(result: Result, *, recorded: bool) -> dict[str, Any]:
    id_ = result.id if recorded else None
    return summary(result) | {"id": id_, "links": {"self": f"/v1/imports/{id_}"} if id_ else None}
