"""List responses: a page of JSON, or a file of all rows, and the routes that serve them."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import quote, unquote_plus

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from app import __version__
from app.cache.etags import digest
from app.cache.scope import CacheScope
from app.database.engine import Database
from app.database.takedowns import read_change_time, read_latest_takedown
from app.errors import NotAcceptable, QueryTooBroad, TooManyRows, invalid_field, suggest_nearest
from app.http.addresses import whole_address
from app.http.file_copies import FILE_COPIES, copy_name
from app.http.file_response import FileChanged, LongFileResponse
from app.http.list_columns import ListName, declare_list
from app.http.negotiation import FILE_FORMATS, JSON_MEDIA_TYPE, MEDIA_TYPES, SUFFIXES, Format, choose_format, join_words
from app.http.offload import conditions_of, offloaded, requests_file
from app.http.pagination import DEFAULT_LIMIT, MAX_LIMIT, Meta, Page, PageLinks, PageQuery
from app.http.parameters import is_ignored
from app.http.responses import (
    SHARED_CACHE_CONTROL,
    VARY,
    cacheable_response,
    check_read_conditions,
    is_not_modified,
    json_bytes,
    json_response,
    key_headers,
)
from app.http.schema_types import Output
from app.http.serializers import (
    FileContext,
    FileEncoder,
    FileWriter,
    FlatColumn,
    LinkRow,
    RowForm,
    RowLayout,
    flatten_rows,
    read_cells,
)
from app.settings import Settings

FILE_PAGE_ROWS = 2_000
"""Number of rows of a long file that are read, and held in memory, at once."""

MAX_NAME_LENGTH = 120
"""Maximum length of the name of a file, without the day and the suffix."""

UNSAFE_NAME_CHARACTERS = re.compile(r"[^A-Za-z0-9._]+")
"""Characters that do not belong into the name of a file on some system, and hyphens."""

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


FormatParameter = Annotated[
    Format | None, Query(description="The format, if the address has no suffix.", examples=["csv"])
]
FieldsParameter = Annotated[
    str | None,
    Query(
        max_length=1000,
        description="Only these columns, by CSV name and in this order. JSON rows become flat.",
        examples=["date,source,value,lower,upper"],
    ),
]
ShapeParameter = Annotated[
    Shape,
    Query(
        description="`array` returns the JSON rows without the envelope, for tools such as pandas.", examples=["array"]
    ),
]
BomParameter = Annotated[
    bool, Query(description="Whether a CSV file starts with a byte order mark, for Excel.", examples=[True])
]


class ListResponse:
    """The response of a list route: holds the options of the request and builds the response."""

    def __init__(
        self,
        request: Request,
        format: FormatParameter = None,  # noqa: A002 - the name of the parameter
        shape: ShapeParameter = Shape.envelope,
        fields: FieldsParameter = None,
        bom: BomParameter = False,  # noqa: FBT002 - a query parameter
    ) -> None:
        self.request = request
        self.shape = shape
        self.fields = fields
        self.bom = bom
        self.format = choose_format(request, format)
        self.file = FILE_FORMATS.get(self.format)
        self._link: LinkRow | None = None

    def send(
        self,
        find: PageLoader[Q],
        query: Q,
        columns: Sequence[FlatColumn],
        flat_as: Sequence[FlatColumn] = (),
        link: LinkRow | None = None,
    ) -> Response:
        """Return a list: one page of JSON, or a file of all rows, read page by page in separate sessions.

        Args:
            find: Reads a page.
            query: The page and filters of the request.
            columns: The columns that `fields` can select, which are also those of a flat file.
            flat_as: The default columns of a list whose rows are always flat; empty for nested rows.
            link: Returns a row as an object of linked data; without it the list has no JSON-LD.
        """
        self._link = link
        output_columns = self._output_columns(columns, flat_as)
        if self.file is not None:
            return self._send_file(self.file, find, query, output_columns)
        page = find(query if query.limit else query.model_copy(update={"limit": DEFAULT_LIMIT}))
        next_url = self._next_url(page)
        link_header = _link_header(next_url)
        cache_scope = page.cache_scope or CacheScope(page.seq)
        rows: Sequence[Any] = flatten_rows(page.rows, output_columns)
        if page.json_rows is not None:
            rows = [orjson.Fragment(text) for text in page.json_rows]
        if self.shape is Shape.array:
            return cacheable_response(
                self.request,
                json_bytes(rows),
                JSON_MEDIA_TYPE,
                headers=link_header,
                cache_scope=cache_scope,
            )
        meta: dict[str, Any] = {"count": len(rows), "next_cursor": page.next_cursor, "seq": page.seq}
        if page.total is not None:
            meta["total"] = page.total
        links = {"self": self.self_url, "next": next_url}
        body = json_bytes({"data": rows, "meta": meta, "links": links})
        return cacheable_response(self.request, body, JSON_MEDIA_TYPE, headers=link_header, cache_scope=cache_scope)

    def layout(self, columns: Sequence[FlatColumn], flat_as: Sequence[FlatColumn] = ()) -> RowLayout:
        """Return the layout of the rows, for a database that renders them."""
        output_columns = self._output_columns(columns, flat_as)
        is_csv = self.file is not None and self.file.row_form is RowForm.csv
        return RowLayout.from_columns(output_columns, csv=is_csv, file=self.file is not None)

    def send_document(
        self,
        document: dict[str, Any],
        rows: list[dict[str, Any]],
        columns: Sequence[FlatColumn],
        seq: int,
        cache_scope: CacheScope,
        link: LinkRow | None = None,
        *,
        has_rows: bool = False,
    ) -> Response:
        """Return a resource other than a list: `document` as JSON, or `rows` as a file or a bare array.

        `seq` is the state of the register that was read.

        Raises `InvalidRequest` for `fields` of JSON, because they have no effect on such a resource, unless it
        `has_rows` to which they apply.
        """
        self._link = link
        if self.fields and self.file is None and self.shape is Shape.envelope and not has_rows:
            detail = "`fields` has no effect here: the response is not a list."
            raise invalid_field("fields", detail, hint="leave it out, or add `shape=array`", location="query")
        if self.file is None and self.shape is Shape.array:
            flat = flatten_rows(rows, self._output_columns(columns))
            return cacheable_response(self.request, json_bytes(flat), JSON_MEDIA_TYPE, cache_scope=cache_scope)
        if self.file is None:
            return json_response(self.request, document, cache_scope=cache_scope)
        self._check_link()
        output_columns = self._output_columns(columns)
        encoder = self._new_encoder(self.file, output_columns, seq)
        page = Page(rows, seq)
        body = encoder.start() + _encode(encoder, self.file, page, output_columns) + encoder.finish()
        headers = self._file_headers(seq)
        return cacheable_response(
            self.request, body, self.file.media_type, headers=headers, cache_scope=cache_scope, serves_ranges=True
        )

    def _check_link(self) -> None:
        """Raise `NotAcceptable` for linked data of a list that has none."""
        if self.format is Format.jsonld and self._link is None:
            hint = f"the formats are {join_words(PLAIN_SUFFIXES, 'and')}"
            raise NotAcceptable("This list has no JSON-LD.", hint=hint)

    @property
    def needs_rows(self) -> bool:
        """Whether the response of a resource other than a list contains its rows."""
        return self.file is not None or self.shape is Shape.array

    def _send_file(self, file: FileWriter, find: PageLoader[Q], query: Q, columns: Sequence[FlatColumn]) -> Response:
        """Return a file of all rows, or of `limit` rows. The first page is read before the status is sent."""
        first = find(query.model_copy(update={"limit": min(query.limit or MAX_LIMIT, MAX_LIMIT)}))
        headers = self._file_headers(first.seq)
        self._check_link()
        if query.limit or first.next_cursor is None:
            encoder = self._new_encoder(file, columns, first.seq)
            body = encoder.start() + _encode(encoder, file, first, columns) + encoder.finish()
            return cacheable_response(
                self.request,
                body,
                file.media_type,
                headers=headers | _link_header(self._next_url(first)),
                cache_scope=first.cache_scope or CacheScope(first.seq),
                serves_ranges=True,
            )
        if file.max_rows is not None and first.seq > file.max_rows:  # a list has at most one row for each change
            _check_row_count(file.max_rows, find, query, first.seq)
        database: Database = self.request.app.state.database
        takedown = read_latest_takedown(database)
        name = self._copy_name(file, database, first.seq, takedown)
        headers |= {"ETag": f'"{name}"', "Cache-Control": SHARED_CACHE_CONTROL, "Vary": VARY}
        headers |= key_headers(first.cache_scope or CacheScope(first.seq))
        check_read_conditions(self.request, headers["ETag"])
        if is_not_modified(self.request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        state = {"recorded_as_of": f"seq:{first.seq}"}
        pages = [first]

        def render() -> Iterator[bytes]:
            """Yield the file. All pages show the state of the first one."""
            encoder = self._new_encoder(file, columns, first.seq)
            page = pages.pop() if pages else find(query.model_copy(update={"limit": MAX_LIMIT, **state}))
            chunk = encoder.start() + _encode(encoder, file, page, columns)
            while True:
                if read_latest_takedown(database) != takedown:
                    raise FileChanged("Something was taken down while the file was sent.")
                yield chunk
                if page.next_cursor is None:
                    break
                update = {"limit": FILE_PAGE_ROWS, "cursor": page.next_cursor, **state}
                page = find(query.model_copy(update=update))
                chunk = _encode(encoder, file, page, columns)
            yield encoder.finish()

        copies = database.caches[FILE_COPIES]
        return LongFileResponse(self.request, copies, copy_name(name, takedown), render, file.media_type, headers)

    def _copy_name(self, file: FileWriter, database: Database, seq: int, takedown: int) -> str:
        """Return the name of a long file: the same for the same bytes, in every process.

        One URL serves several formats, selected by `Accept`, and each representation needs its own ETag. Rows contain
        whole addresses, so it depends on the base URL too.
        """
        settings: Settings = self.request.app.state.settings
        parts = (
            __version__,
            file.media_type,
            self._state_address(seq),
            settings.title,
            settings.terms,
            read_change_time(database, seq),
            str(takedown),
        )
        return f"{seq}-{digest(*(part.encode() for part in parts))}"

    def _new_encoder(self, file: FileWriter, columns: Sequence[FlatColumn], seq: int) -> FileEncoder:
        settings: Settings = self.request.app.state.settings
        terms = settings.terms or None
        return file.new_encoder(
            FileContext(columns, self._state_address(seq), settings.title, terms, bom=self.bom, link=self._link)
        )

    def _output_columns(
        self, columns: Sequence[FlatColumn], flat_as: Sequence[FlatColumn] = ()
    ) -> Sequence[FlatColumn]:
        """Return the columns of the response; none if its rows are nested."""
        if self.format is Format.jsonld:
            if self.fields:
                detail = "`fields` has no effect on linked data."
                raise invalid_field("fields", detail, hint="leave it out, or ask for another format", location="query")
            return ()
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
        query = self._quoted_query
        return self._address + (f"?{query}" if query else "")

    @cached_property
    def _address(self) -> str:
        """The address of the list, without the query string."""
        return whole_address(quote(self.request.scope["path"], safe=URL_CHARACTERS))

    @cached_property
    def _quoted_query(self) -> str:
        """The query string. Characters that a client should have encoded could end a link in a header."""
        return quote(self.request.scope["query_string"].decode(), safe=URL_CHARACTERS + "%?")

    def _next_url(self, page: Page) -> str | None:
        """Return the URL of the next page. A cursor needs no percent-encoding."""
        if page.next_cursor is None:
            return None
        parameters = [part for part in self._quoted_query.split("&") if part and not part.startswith("cursor=")]
        return f"{self._address}?{'&'.join([*parameters, f'cursor={page.next_cursor}'])}"

    def _file_headers(self, seq: int) -> dict[str, str]:
        """Return the headers of a file: its name, and its address in the state `seq`, which never changes."""
        return {
            "Content-Disposition": f'inline; filename="{self._file_name()}"',
            "Content-Location": self._state_address(seq),
        }

    def _state_address(self, seq: int) -> str:
        """Return the address of the file in the state `seq`, with the suffix of its format."""
        suffix = f".{self.format.value}"
        path = self._address.removesuffix(suffix) + suffix
        left_out = ("recorded_as_of", "format")
        parameters = [part for name, part in self._parameters() if name not in left_out]
        return f"{path}?{'&'.join([*parameters, f'recorded_as_of=seq:{seq}'])}"

    def _parameters(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each parameter that has an effect, and the parameter as it was sent."""
        for part in self._quoted_query.split("&"):
            name, _, value = part.partition("=")
            if value and not is_ignored(unquote_plus(name)):
                yield unquote_plus(name), part

    def _file_name(self) -> str:
        """Return a name with the filters and the day: `counterclaim-claims-category-killed-2026-11-30.csv`."""
        suffix = f".{self.format.value}"
        parts = [part for part in self.request.url.path.removesuffix(suffix).split("/") if part not in {"", "v1"}]
        day = datetime.now(UTC).date().isoformat()
        for name, part in self._parameters():
            value = unquote_plus(part.partition("=")[2])
            if name == "recorded_as_of":
                day = value
            elif name not in OPTION_PARSERS and name not in ("cursor", "limit", "total"):
                parts += [name, value]
        words = (UNSAFE_NAME_CHARACTERS.sub("-", part).strip("-.") for part in parts)
        name = "-".join(("counterclaim", *filter(None, words)))[:MAX_NAME_LENGTH].rstrip("-.")
        return f"{name}-{UNSAFE_NAME_CHARACTERS.sub('-', day)[:40]}{suffix}"


def _link_header(next_url: str | None) -> dict[str, str]:
    return {"Link": f'<{next_url}>; rel="next"'} if next_url else {}


def _encode(encoder: FileEncoder, file: FileWriter, page: Page, columns: Sequence[FlatColumn]) -> bytes:
    """Return the rows of a page in a file format."""
    if file.row_form is not RowForm.cells:
        return encoder.encode(page.rows if page.lines is None else page.lines)
    if page.lines is not None:
        return encoder.encode(read_cells(page.lines, columns))
    return encoder.encode([[column.value(row) for column in columns] for row in page.rows])


def _check_row_count(max_rows: int, find: PageLoader[Q], query: Q, seq: int) -> None:
    """Raise `TooManyRows` if a list has more rows than a format holds, or too many to be counted."""
    try:
        counted = find(query.model_copy(update={"limit": 1, "total": True, "recorded_as_of": f"seq:{seq}"}))
    except QueryTooBroad:
        detail = f"There are too many rows to count, and a sheet holds {max_rows:,}."
    else:
        if (counted.total or 0) <= max_rows:
            return
        detail = f"The list has {counted.total:,} rows, and a sheet holds {max_rows:,}."
    raise TooManyRows(detail, hint="ask for .csv or .parquet, or add a filter")


PLAIN_SUFFIXES = [suffix for suffix in SUFFIXES if suffix != Format.jsonld]
"""The suffixes of lists without linked data."""


def _suffix_check(suffixes: Sequence[str]) -> Callable[[str], None]:
    """Return the dependency that declares the suffix of a path, which `ListResponse` reads."""

    def check_suffix(
        suffix: Annotated[
            str,
            Path(
                description=f"The format: {join_words((f'`{each}`' for each in suffixes), 'or')}.",
                examples=["csv"],
                json_schema_extra={"enum": list(suffixes)},
            ),
        ],
    ) -> None:
        """Raise `NotAcceptable` for an unknown format."""
        if suffix not in suffixes:
            hint = f"the formats are {join_words(suffixes, 'and')}"
            raise NotAcceptable(f"There is no format `{suffix}`.", hint=hint)

    return check_suffix


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


def _describe_format(format_: Format) -> dict[str, Any]:
    """Return the description of a file in the OpenAPI document."""
    if format_ is Format.jsonld:
        return {"schema": {"type": "object", "additionalProperties": True}}
    if format_ in (Format.csv, Format.ndjson):
        return {"schema": {"type": "string"}}
    return {"schema": {"type": "string", "format": "binary"}, "example": "…"}


def list_route(
    router: APIRouter,
    path: str,
    model: type[Output],
    summary: str,
    name: ListName,
    columns: Sequence[FlatColumn],
    *,
    key: Sequence[str] = (),
    pages: bool = True,
    linked: bool = False,
    row: type[Output] | None = None,
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Register a route of `model` rows at `path`, and for files at `path` with a suffix, such as `/claims.csv`.

    Args:
        router: The router of the feature.
        path: The path without a suffix.
        model: The response model of a row, or of the whole response if it has no pages.
        summary: The OpenAPI summary.
        name: The name of the list in `/v1/columns`.
        columns: The columns of its files.
        key: The columns that identify a row of a file.
        pages: Whether the JSON response is a page of a list.
        row: The response model of a row of files and of a bare array, if the JSON response is no page of a list.
        linked: Whether the list has linked data, that `ListResponse.send` renders with `link`.
    """
    declare_list(name, columns, key)
    response_model: Any = Listing[model] if pages else model  # type: ignore[valid-type]
    if row is not None:
        response_model = response_model | list[row]  # type: ignore[valid-type]
    formats = [each for each in FILE_FORMATS if linked or each is not Format.jsonld]
    file_content: dict[str, Any] = {MEDIA_TYPES[each]: _describe_format(each) for each in formats}
    check_suffix = _suffix_check(SUFFIXES if linked else PLAIN_SUFFIXES)

    def register(route: Callable[..., Response]) -> Callable[..., Response]:
        operation = route.__name__
        responses: dict[int | str, dict[str, Any]] = {
            200: {"model": response_model, "content": file_content, "description": "The rows as JSON, or as a file."}
        }
        offloaded(*conditions_of(route), requests_file)(route)
        router.get(path, summary=summary, operation_id=operation, responses=responses)(route)
        router.get(
            path + ".{suffix}",
            summary=f"{summary}, as a file",
            operation_id=f"{operation}_file",
            dependencies=[Depends(check_suffix)],
            responses=responses,
        )(route)
        return route

    return register
