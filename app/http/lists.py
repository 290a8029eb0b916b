"""List responses: a page of JSON, or a file in CSV or NDJSON, and the routes that serve them."""

from asyncio import sleep
from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from app.cache.etags import digest
from app.cache.scope import CacheScope
from app.errors import NotAcceptable, invalid_field, suggest_nearest
from app.http.addresses import whole_address
from app.http.negotiation import FILE_FORMATS, JSON_MEDIA_TYPE, MEDIA_TYPES, SUFFIXES, Format, choose_format, join_words
from app.http.pagination import DEFAULT_LIMIT, MAX_LIMIT, Meta, Page, PageLinks, PageQuery
from app.http.responses import (
    SHARED_CACHE_CONTROL,
    VARY,
    cacheable_response,
    check_read_conditions,
    is_not_modified,
    json_bytes,
    json_response,
)
from app.http.schema_types import Output
from app.http.serializers import FileWriter, FlatColumn, RowLayout, flatten_rows

FILE_PAGE_ROWS = 2_000
"""Number of rows of a long file that are read, and held in memory, at once."""

FILE_CHUNK_BYTES = 2**18
"""Size of the chunks in which a long file is compressed and sent. The event loop serves other clients in between."""


URL_CHARACTERS = "/!$&'()*+,;=:@-._~"
"""Characters of a path that need no percent-encoding (RFC 3986, section 3.3), besides letters and digits."""


class Shape(StrEnum):
    """The shape of a JSON list: in an envelope, or a bare array."""

    envelope = "envelope"
    array = "array"


T = TypeVar("T", bound=Output)
Q = TypeVar("Q", bound=PageQuery)
PageLoader = Callable[[Q], Page]
"""Reads one page, in its own short session."""


class ListResponse:
    """The response of a list route: holds the options of the request and builds the response."""

    def __init__(
        self,
        request: Request,
        format: Annotated[  # noqa: A002 - the name of the parameter
            Format | None, Query(description="The format, if the address has no suffix.", examples=["csv"])
        ] = None,
        shape: Annotated[
            Shape,
            Query(
                description="`array` returns the JSON rows without the envelope, for tools such as pandas.",
                examples=["array"],
            ),
        ] = Shape.envelope,
        fields: Annotated[
            str | None,
            Query(
                max_length=1000,
                description="Only these columns, by CSV name and in this order. JSON rows become flat.",
                examples=["date,source,value,lower,upper"],
            ),
        ] = None,
        bom: Annotated[  # noqa: FBT002 - a query parameter
            bool, Query(description="Whether a CSV file starts with a byte order mark, for Excel.", examples=[True])
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
        """Return a list: one page of JSON, or a file of all rows, read page by page in separate sessions.

        Args:
            find: Reads a page.
            query: The page and filters of the request.
            columns: The columns that `fields` can select, which are also those of a flat file.
            flat_as: The default columns of a list whose rows are always flat; empty for nested rows.
        """
        output_columns = self._output_columns(columns, flat_as)
        if self.file is not None:
            return self._send_file(self.file, find, query, output_columns)
        page = find(query.model_copy(update={"limit": query.limit or DEFAULT_LIMIT}))
        cache_scope = page.cache_scope or CacheScope(page.seq)
        rows: Sequence[Any] = flatten_rows(page.rows, output_columns)
        if page.json_rows is not None:
            rows = [orjson.Fragment(text) for text in page.json_rows]
        if self.shape is Shape.array:
            return cacheable_response(
                self.request,
                json_bytes(rows),
                JSON_MEDIA_TYPE,
                headers=self._link_header(page),
                cache_scope=cache_scope,
            )
        meta: dict[str, Any] = {"count": len(rows), "next_cursor": page.next_cursor, "seq": page.seq}
        if page.total is not None:
            meta["total"] = page.total
        links = {"self": self.self_url, "next": self._next_url(page)}
        body = json_bytes({"data": rows, "meta": meta, "links": links})
        return cacheable_response(
            self.request, body, JSON_MEDIA_TYPE, headers=self._link_header(page), cache_scope=cache_scope
        )

    def layout(self, columns: Sequence[FlatColumn], flat_as: Sequence[FlatColumn] = ()) -> RowLayout:
        """Return the layout of the rows, for a database that renders them."""
        output_columns = self._output_columns(columns, flat_as)
        return RowLayout.from_columns(output_columns, csv=self.format is Format.csv, file=self.file is not None)

    def send_document(
        self,
        document: dict[str, Any],
        rows: list[dict[str, Any]],
        columns: Sequence[FlatColumn],
        cache_scope: CacheScope,
        *,
        has_rows: bool = False,
    ) -> Response:
        """Return a resource other than a list: `document` as JSON, or `rows` as a file.

        Raises `InvalidRequest` for `shape`, and for `fields` of JSON unless it `has_rows` to which they apply, because
        they have no effect on such a resource.
        """
        if self.shape is Shape.array or (self.fields and self.file is None and not has_rows):
            name = "shape" if self.shape is Shape.array else "fields"
            detail = f"`{name}` has no effect here: the response is not a list."
            raise invalid_field(name, detail, hint="leave it out", location="query")
        if self.file is None:
            return json_response(self.request, document, cache_scope=cache_scope)
        output_columns = self._output_columns(columns)
        body = self._file_start(self.file, output_columns) + self.file.write_rows(rows, output_columns)
        return cacheable_response(
            self.request, body, self.file.media_type, headers=self._file_headers(), cache_scope=cache_scope
        )

    def _send_file(self, file: FileWriter, find: PageLoader[Q], query: Q, columns: Sequence[FlatColumn]) -> Response:
        """Return a file of all rows, or of `limit` rows. The first page is read before the status is sent."""
        limit = query.limit
        first = find(query.model_copy(update={"limit": min(limit or MAX_LIMIT, MAX_LIMIT)}))
        first_lines = self._file_start(file, columns) + _file_lines(file, first, columns)
        headers = self._file_headers()
        if limit or first.next_cursor is None:
            cache_scope = first.cache_scope or CacheScope(first.seq)
            return cacheable_response(
                self.request,
                first_lines,
                file.media_type,
                headers=headers | self._link_header(first),
                cache_scope=cache_scope,
            )
        # One URL serves several formats, selected by `Accept`, and each representation needs its own ETag. Rows contain
        # whole addresses, so it depends on the base URL too.
        request_key = (file.media_type, whole_address(self.request.url.path), self.request.url.query)
        etag = f'"{first.seq}-{digest(*(part.encode() for part in request_key))}"'
        headers |= {"ETag": etag, "Cache-Control": SHARED_CACHE_CONTROL, "Vary": VARY}
        check_read_conditions(self.request, etag)
        if is_not_modified(self.request, etag):
            return Response(status_code=304, headers=headers)

        def read_next_page(cursor: str) -> tuple[str | None, bytes]:
            state = {"recorded_as_of": f"seq:{first.seq}"}
            page = find(query.model_copy(update={"limit": FILE_PAGE_ROWS, "cursor": cursor, **state}))
            return page.next_cursor, _file_lines(file, page, columns)

        async def stream_chunks() -> AsyncIterator[bytes]:
            cursor, lines = first.next_cursor, first_lines
            while lines:
                for start in range(0, len(lines), FILE_CHUNK_BYTES):
                    yield lines[start : start + FILE_CHUNK_BYTES]
                    await sleep(0)  # let the event loop serve other clients, even if this client reads fast
                cursor, lines = await run_in_threadpool(read_next_page, cursor) if cursor else (None, b"")

        return StreamingResponse(stream_chunks(), media_type=file.media_type, headers=headers)

    def _output_columns(
        self, columns: Sequence[FlatColumn], flat_as: Sequence[FlatColumn] = ()
    ) -> Sequence[FlatColumn]:
        """Return the columns of the response; none if its rows are nested."""
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

    @property
    def self_url(self) -> str:
        """The address of the request."""
        query = self._quoted_query()
        return self._address() + (f"?{query}" if query else "")

    def _address(self) -> str:
        """Return the address of the list, without the query string."""
        return whole_address(quote(self.request.url.path, safe=URL_CHARACTERS))

    def _quoted_query(self) -> str:
        """Return the query string. Characters that a client should have encoded could end a link in a header."""
        return quote(self.request.url.query, safe=URL_CHARACTERS + "%?")

    def _next_url(self, page: Page) -> str | None:
        """Return the URL of the next page. A cursor needs no percent-encoding."""
        if page.next_cursor is None:
            return None
        parameters = [part for part in self._quoted_query().split("&") if part and not part.startswith("cursor=")]
        return f"{self._address()}?{'&'.join([*parameters, f'cursor={page.next_cursor}'])}"

    def _link_header(self, page: Page) -> dict[str, str]:
        next_url = self._next_url(page)
        return {"Link": f'<{next_url}>; rel="next"'} if next_url else {}

    def _file_start(self, file: FileWriter, columns: Sequence[FlatColumn]) -> bytes:
        """Return the byte order mark, if requested, and the header of a file."""
        return (file.byte_order_mark if self.bom else b"") + file.write_header(columns)

    def _file_headers(self) -> dict[str, str]:
        parts = [part for part in self.request.url.path.split("/") if part not in {"", "v1"}]
        suffix = f".{self.format.value}"
        return {"Content-Disposition": f'inline; filename="{"-".join(parts).removesuffix(suffix)}{suffix}"'}


def _file_lines(file: FileWriter, page: Page, columns: Sequence[FlatColumn]) -> bytes:
    return file.write_rows(page.rows, columns) if page.lines is None else page.lines


def _check_suffix(
    suffix: Annotated[
        str,
        Path(
            description=f"The format: {join_words((f'`{suffix}`' for suffix in SUFFIXES), 'or')}.",
            examples=["csv"],
            json_schema_extra={"enum": list(SUFFIXES)},
        ),
    ],
) -> None:
    """Declare the suffix of a path, which `ListResponse` reads. Raises `NotAcceptable` for an unknown format."""
    if suffix not in SUFFIXES:
        raise NotAcceptable(f"There is no format `{suffix}`.", hint=f"the formats are {join_words(SUFFIXES, 'and')}")


async def get_list_response(listing: Annotated[ListResponse, Depends()]) -> ListResponse:
    """Return the list response of a request."""
    return listing


ListResponseDep = Annotated[ListResponse, Depends(get_list_response)]
"""The list response, as a dependency of a route."""


OPTION_PARSERS: dict[str, Callable[[str], Any]] = {
    "format": Format,
    "shape": Shape,
    "fields": str,
    "bom": {"true": True}.__getitem__,
}
"""Parsers of the query parameters of `ListResponse`, for the fast path. FastAPI handles values that raise."""


class Listing(Output, Generic[T]):
    """A page of a list."""

    data: list[T] = Field(description="The rows of this page.")
    meta: Meta = Field(description="Metadata of the page; with `total=true` also `total`.")
    links: PageLinks = Field(description="Links to this page and the next one.")


def list_route(
    router: APIRouter, path: str, model: type[Output], summary: str, *, pages: bool = True
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Register a route of `model` rows at `path`, and for files at `path` with a suffix, such as `/claims.csv`.

    Args:
        router: The router of the feature.
        path: The path without a suffix.
        model: The response model of a row, or of the whole response if it has no pages.
        summary: The OpenAPI summary.
        pages: Whether the JSON response is a page of a list.
    """
    response_model = Listing[model] if pages else model  # type: ignore[valid-type]
    file_content: dict[str, Any] = {MEDIA_TYPES[format_]: {"schema": {"type": "string"}} for format_ in FILE_FORMATS}

    def register(route: Callable[..., Response]) -> Callable[..., Response]:
        name = route.__name__
        responses: dict[int | str, dict[str, Any]] = {
            200: {"model": response_model, "content": file_content, "description": "The rows as JSON, or as a file."}
        }
        router.get(path, summary=summary, operation_id=name, responses=responses)(route)
        router.get(
            path + ".{suffix}",
            summary=f"{summary}, as a file",
            operation_id=f"{name}_file",
            dependencies=[Depends(_check_suffix)],
            responses=responses,
        )(route)
        return route

    return register
