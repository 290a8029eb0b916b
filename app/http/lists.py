"""Which format of an answer is wanted, decided here alone, and how a list is served in it."""

from asyncio import sleep
from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from app.cache.etags import digest
from app.cache.scope import CacheScope
from app.errors import NotAcceptable, invalid_field, suggest_nearest
from app.http.negotiation import FILE_FORMATS, JSON_MEDIA_TYPE, MEDIA_TYPES, SUFFIXES, Format, choose_format, join_words
from app.http.pagination import DEFAULT_LIMIT, MAX_LIMIT, Meta, Page, PageLinks, PageQuery
from app.http.responses import SHARED_CACHE_CONTROL, cacheable_response, is_not_modified, json_bytes, json_response
from app.http.schema_types import Output
from app.http.serializers import FileWriter, FlatColumn, RowLayout, flatten_rows

FILE_PAGE_ROWS = 2_000
"""So many rows of a long file are read at once, and held in memory."""

FILE_CHUNK_BYTES = 2**18
"""So many bytes of it are compressed and sent at once; other clients are answered in between."""


class Shape(StrEnum):
    """How a JSON list is wrapped."""

    envelope = "envelope"
    array = "array"


T = TypeVar("T", bound=Output)
Q = TypeVar("Q", bound=PageQuery)
PageLoader = Callable[[Q], Page]
"""Reads one page, in a short session of its own."""


class ListResponse:
    """The answer that a client wants: by suffix, else `format`, else `Accept`."""

    def __init__(
        self,
        request: Request,
        format: Annotated[  # noqa: A002 - the contract's word
            Format | None, Query(description="The format, where the address has no suffix.", examples=["csv"])
        ] = None,
        shape: Annotated[
            Shape,
            Query(
                description="`array` sends JSON rows without the envelope, as pandas likes them.", examples=["array"]
            ),
        ] = Shape.envelope,
        fields: Annotated[
            str | None,
            Query(
                max_length=1000,
                description="Only these columns, by their CSV names and in this order; JSON rows become flat.",
                examples=["date,source,value,lower,upper"],
            ),
        ] = None,
        bom: Annotated[  # noqa: FBT002 - a query parameter
            bool, Query(description="Begin a CSV file with a byte order mark, for Excel.", examples=[True])
        ] = False,
    ) -> None:
        self.request = request
        self.shape = shape
        self.fields = fields
        self.bom = bom
        self.format = choose_format(request, format)
        self.file = FILE_FORMATS.get(self.format)

    def send(
        self, find: PageLoader[Q], query: Q, columns: Sequence[FlatColumn], flat_as: Sequence[FlatColumn] = ()
    ) -> Response:
        """A list: one page of JSON, or every row as a file, read page by page with a session each.

        `fields` chooses among `columns`; without it rows are nested, or as flat as `flat_as`. A flat format has the
        columns of `flat_as`, or all of them.
        """
        shown = self._output_columns(columns, flat_as)
        if self.file is not None:
            return self._send_file(self.file, find, query, shown)
        found = find(query.model_copy(update={"limit": query.limit or DEFAULT_LIMIT}))
        basis = found.cache_scope or CacheScope(found.seq)
        rows: Sequence[Any] = flatten_rows(found.rows, shown)
        if found.json_rows is not None:
            rows = [orjson.Fragment(text) for text in found.json_rows]
        if self.shape is Shape.array:
            return cacheable_response(
                self.request, json_bytes(rows), JSON_MEDIA_TYPE, headers=self._link_header(found), basis=basis
            )
        meta: dict[str, Any] = {"count": len(rows), "next_cursor": found.next_cursor, "seq": found.seq}
        if found.total is not None:
            meta["total"] = found.total
        links = {"self": self._self_url(), "next": self._next_url(found)}
        body = json_bytes({"data": rows, "meta": meta, "links": links})
        return cacheable_response(self.request, body, JSON_MEDIA_TYPE, headers=self._link_header(found), basis=basis)

    def layout(self, columns: Sequence[FlatColumn], flat_as: Sequence[FlatColumn] = ()) -> RowLayout:
        """How a row of `rows` is to be written, for a database that does so."""
        shown = self._output_columns(columns, flat_as)
        return RowLayout.from_columns(shown, csv=self.format is Format.csv, file=self.file is not None)

    def send_document(
        self, card: dict[str, Any], rows: list[dict[str, Any]], columns: Sequence[FlatColumn], basis: CacheScope
    ) -> Response:
        """A resource that is more than a list: its object as JSON, the rows in it as a file."""
        if self.file is None:
            return json_response(self.request, card, basis=basis)
        shown = self._output_columns(columns)
        body = self._file_start(self.file, shown) + self.file.write_rows(rows, shown)
        return cacheable_response(self.request, body, self.file.media_type, headers=self._file_headers(), basis=basis)

    def _send_file(self, file: FileWriter, find: PageLoader[Q], query: Q, columns: Sequence[FlatColumn]) -> Response:
        """A file of all rows (or of `limit`). The first page is read before the status is sent."""
        wanted = query.limit
        first = find(query.model_copy(update={"limit": min(wanted or MAX_LIMIT, MAX_LIMIT)}))
        begun = self._file_start(file, columns) + _file_lines(file, first, columns)
        headers = self._file_headers()
        if wanted or first.next_cursor is None:
            basis = first.cache_scope or CacheScope(first.seq)
            return cacheable_response(
                self.request, begun, file.media_type, headers=headers | self._link_header(first), basis=basis
            )
        # One address has a file in several formats, by `Accept`: each needs an ETag of its own.
        asked = (file.media_type, self.request.url.path, self.request.url.query)
        etag = f'"{first.seq}-{digest(*(part.encode() for part in asked))}"'
        headers |= {"ETag": etag, "Cache-Control": SHARED_CACHE_CONTROL, "Vary": "Accept"}
        if is_not_modified(self.request, etag):
            return Response(status_code=304, headers=headers)

        def read_on(cursor: str) -> tuple[str | None, bytes]:
            state = {"recorded_as_of": f"seq:{first.seq}"}
            page = find(query.model_copy(update={"limit": FILE_PAGE_ROWS, "cursor": cursor, **state}))
            return page.next_cursor, _file_lines(file, page, columns)

        async def pieces() -> AsyncIterator[bytes]:
            cursor, lines = first.next_cursor, begun
            while lines:
                for start in range(0, len(lines), FILE_CHUNK_BYTES):
                    yield lines[start : start + FILE_CHUNK_BYTES]
                    await sleep(0)  # a client that takes all that it is sent would hold up the others
                cursor, lines = await run_in_threadpool(read_on, cursor) if cursor else (None, b"")

        return StreamingResponse(pieces(), media_type=file.media_type, headers=headers)

    def _output_columns(
        self, columns: Sequence[FlatColumn], flat_as: Sequence[FlatColumn] = ()
    ) -> Sequence[FlatColumn]:
        """The columns of the rows that are sent; none where they stay nested."""
        if self.fields:
            return self._requested_columns(columns)
        return flat_as or (columns if self.file is not None and self.file.is_flat else ())

    def _requested_columns(self, columns: Sequence[FlatColumn]) -> Sequence[FlatColumn]:
        by_name = {column.name: column for column in columns}
        names = [name.strip() for name in (self.fields or "").split(",")]
        for name in names:
            if name not in by_name:
                raise invalid_field(
                    "fields", f"There is no column `{name}`.", hint=suggest_nearest(name, by_name), location="query"
                )
        return [by_name[name] for name in names]

    def _self_url(self) -> str:
        query = self.request.url.query
        return self.request.url.path + (f"?{query}" if query else "")

    def _next_url(self, found: Page) -> str | None:
        """The address of the next page. A cursor needs no quoting."""
        if found.next_cursor is None:
            return None
        kept = [part for part in self.request.url.query.split("&") if part and not part.startswith("cursor=")]
        return f"{self.request.url.path}?{'&'.join([*kept, f'cursor={found.next_cursor}'])}"

    def _link_header(self, found: Page) -> dict[str, str]:
        following = self._next_url(found)
        return {"Link": f'<{following}>; rel="next"'} if following else {}

    def _file_start(self, file: FileWriter, columns: Sequence[FlatColumn]) -> bytes:
        """The beginning of a file."""
        return (file.byte_order_mark if self.bom else b"") + file.write_header(columns)

    def _file_headers(self) -> dict[str, str]:
        parts = [part for part in self.request.url.path.split("/") if part not in {"", "v1"}]
        suffix = f".{self.format.value}"
        return {"Content-Disposition": f'inline; filename="{"-".join(parts).removesuffix(suffix)}{suffix}"'}


def _file_lines(file: FileWriter, found: Page, columns: Sequence[FlatColumn]) -> bytes:
    return file.write_rows(found.rows, columns) if found.lines is None else found.lines


def _check_suffix(
    suffix: Annotated[
        str, Path(description=f"The format: {join_words((f'`{each}`' for each in SUFFIXES), 'or')}.", examples=["csv"])
    ],
) -> None:
    """Declare the suffix of an address, which `ListResponse` reads, and refuse one that is no format."""
    if suffix not in SUFFIXES:
        raise NotAcceptable(f"There is no format `{suffix}`.", hint=f"the formats are {join_words(SUFFIXES, 'and')}")


async def get_list_response(want: Annotated[ListResponse, Depends()]) -> ListResponse:
    """Return the list response of a request."""
    return want


ListResponseDep = Annotated[ListResponse, Depends(get_list_response)]
"""The wanted answer, in a route's signature."""


OPTION_PARSERS: dict[str, Callable[[str], Any]] = {
    "format": Format,
    "shape": Shape,
    "fields": str,
    "bom": {"true": True}.__getitem__,
}
"""The query parameters of `ListResponse` for the fast path. A value that raises is left to FastAPI."""


class Listing(Output, Generic[T]):
    """A page of a list."""

    data: list[T] = Field(description="The rows of this page.")
    meta: Meta = Field(description="What the page says of itself; with `total=true` also `total`.")
    links: PageLinks = Field(description="Where this page and the next one are.")


def list_route(
    router: APIRouter, path: str, model: type[Output], summary: str, *, pages: bool = True
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Serve `model` at `path` (in pages, or as it is) and, as a file, at `path` with a suffix (`/claims.csv`)."""
    shown = Listing[model] if pages else model  # type: ignore[valid-type]
    as_file: dict[str, Any] = {MEDIA_TYPES[kind]: {"schema": {"type": "string"}} for kind in FILE_FORMATS}

    def register(route: Callable[..., Response]) -> Callable[..., Response]:
        name = route.__name__
        answers: dict[int | str, dict[str, Any]] = {
            200: {"model": shown, "content": as_file, "description": "As JSON, or as a file."}
        }
        router.get(path, summary=summary, operation_id=name, responses=answers)(route)
        router.get(
            path + ".{suffix}",
            summary=f"{summary}, as a file",
            operation_id=f"{name}_file",
            dependencies=[Depends(_check_suffix)],
            responses=answers,
        )(route)
        return route

    return register
