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
from app.cache.scope import Basis
from app.errors import NotAcceptable, invalid, nearest
from app.http.negotiation import FILES, JSON, MEDIA_TYPES, SUFFIXES, Format, _chosen, _listed
from app.http.pagination import DEFAULT_LIMIT, MAX_LIMIT, Found, Meta, PageLinks, PageQuery
from app.http.responses import SHARED, answer, json_bytes, one, still_has
from app.http.schema_types import Output
from app.http.serializers import Column, FileFormat, Layout, laid_out

FILE_PAGE = 2_000
"""So many rows of a long file are read at once, and held in memory."""

PIECE = 2**18
"""So many bytes of it are compressed and sent at once; other clients are answered in between."""


class Shape(StrEnum):
    """How a JSON list is wrapped."""

    envelope = "envelope"
    array = "array"


T = TypeVar("T", bound=Output)
Q = TypeVar("Q", bound=PageQuery)
Find = Callable[[Q], Found]
"""Reads one page, in a short session of its own."""


class Want:
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
        self.format = _chosen(request, format)
        self.file = FILES.get(self.format)

    def rows(self, find: Find[Q], query: Q, columns: Sequence[Column], flat_as: Sequence[Column] = ()) -> Response:
        """A list: one page of JSON, or every row as a file, read page by page with a session each.

        `fields` chooses among `columns`; without it rows are nested, or as flat as `flat_as`. A flat format has the
        columns of `flat_as`, or all of them.
        """
        shown = self._shown(columns, flat_as)
        if self.file is not None:
            return self._file(self.file, find, query, shown)
        found = find(query.model_copy(update={"limit": query.limit or DEFAULT_LIMIT}))
        basis = found.basis or Basis(found.seq)
        rows: Sequence[Any] = laid_out(found.rows, shown)
        if found.written is not None:
            rows = [orjson.Fragment(text) for text in found.written]
        if self.shape is Shape.array:
            return answer(self.request, json_bytes(rows), JSON, headers=self._link(found), basis=basis)
        meta: dict[str, Any] = {"count": len(rows), "next_cursor": found.next_cursor, "seq": found.seq}
        if found.total is not None:
            meta["total"] = found.total
        links = {"self": self._self(), "next": self._next(found)}
        body = json_bytes({"data": rows, "meta": meta, "links": links})
        return answer(self.request, body, JSON, headers=self._link(found), basis=basis)

    def layout(self, columns: Sequence[Column], flat_as: Sequence[Column] = ()) -> Layout:
        """How a row of `rows` is to be written, for a database that does so."""
        shown = self._shown(columns, flat_as)
        return Layout.of(shown, csv=self.format is Format.csv, file=self.file is not None)

    def document(
        self, card: dict[str, Any], rows: list[dict[str, Any]], columns: Sequence[Column], basis: Basis
    ) -> Response:
        """A resource that is more than a list: its object as JSON, the rows in it as a file."""
        if self.file is None:
            return one(self.request, card, basis=basis)
        shown = self._shown(columns)
        body = self._begun(self.file, shown) + self.file.lines(rows, shown)
        return answer(self.request, body, self.file.media_type, headers=self._as_file(), basis=basis)

    def _file(self, file: FileFormat, find: Find[Q], query: Q, columns: Sequence[Column]) -> Response:
        """A file of all rows (or of `limit`). The first page is read before the status is sent."""
        wanted = query.limit
        first = find(query.model_copy(update={"limit": min(wanted or MAX_LIMIT, MAX_LIMIT)}))
        begun = self._begun(file, columns) + _lines(file, first, columns)
        headers = self._as_file()
        if wanted or first.next_cursor is None:
            basis = first.basis or Basis(first.seq)
            return answer(self.request, begun, file.media_type, headers=headers | self._link(first), basis=basis)
        # One address has a file in several formats, by `Accept`: each needs an ETag of its own.
        asked = (file.media_type, self.request.url.path, self.request.url.query)
        etag = f'"{first.seq}-{digest(*(part.encode() for part in asked))}"'
        headers |= {"ETag": etag, "Cache-Control": SHARED, "Vary": "Accept"}
        if still_has(self.request, etag):
            return Response(status_code=304, headers=headers)

        def read_on(cursor: str) -> tuple[str | None, bytes]:
            state = {"recorded_as_of": f"seq:{first.seq}"}
            page = find(query.model_copy(update={"limit": FILE_PAGE, "cursor": cursor, **state}))
            return page.next_cursor, _lines(file, page, columns)

        async def pieces() -> AsyncIterator[bytes]:
            cursor, lines = first.next_cursor, begun
            while lines:
                for start in range(0, len(lines), PIECE):
                    yield lines[start : start + PIECE]
                    await sleep(0)  # a client that takes all that it is sent would hold up the others
                cursor, lines = await run_in_threadpool(read_on, cursor) if cursor else (None, b"")

        return StreamingResponse(pieces(), media_type=file.media_type, headers=headers)

    def _shown(self, columns: Sequence[Column], flat_as: Sequence[Column] = ()) -> Sequence[Column]:
        """The columns of the rows that are sent; none where they stay nested."""
        if self.fields:
            return self._columns(columns)
        return flat_as or (columns if self.file is not None and self.file.flat else ())

    def _columns(self, columns: Sequence[Column]) -> Sequence[Column]:
        by_name = {column.name: column for column in columns}
        names = [name.strip() for name in (self.fields or "").split(",")]
        for name in names:
            if name not in by_name:
                raise invalid("fields", f"There is no column `{name}`.", hint=nearest(name, by_name), location="query")
        return [by_name[name] for name in names]

    def _self(self) -> str:
        query = self.request.url.query
        return self.request.url.path + (f"?{query}" if query else "")

    def _next(self, found: Found) -> str | None:
        """The address of the next page. A cursor needs no quoting."""
        if found.next_cursor is None:
            return None
        kept = [part for part in self.request.url.query.split("&") if part and not part.startswith("cursor=")]
        return f"{self.request.url.path}?{'&'.join([*kept, f'cursor={found.next_cursor}'])}"

    def _link(self, found: Found) -> dict[str, str]:
        following = self._next(found)
        return {"Link": f'<{following}>; rel="next"'} if following else {}

    def _begun(self, file: FileFormat, columns: Sequence[Column]) -> bytes:
        """The beginning of a file."""
        return (file.mark if self.bom else b"") + file.head(columns)

    def _as_file(self) -> dict[str, str]:
        parts = [part for part in self.request.url.path.split("/") if part not in {"", "v1"}]
        suffix = f".{self.format.value}"
        return {"Content-Disposition": f'inline; filename="{"-".join(parts).removesuffix(suffix)}{suffix}"'}


def _lines(file: FileFormat, found: Found, columns: Sequence[Column]) -> bytes:
    return file.lines(found.rows, columns) if found.lines is None else found.lines


def _suffix(
    suffix: Annotated[
        str, Path(description=f"The format: {_listed((f'`{each}`' for each in SUFFIXES), 'or')}.", examples=["csv"])
    ],
) -> None:
    """Declare the suffix of an address, which `Want` reads, and refuse one that is no format."""
    if suffix not in SUFFIXES:
        raise NotAcceptable(f"There is no format `{suffix}`.", hint=f"the formats are {_listed(SUFFIXES, 'and')}")


async def list_response_of(want: Annotated[Want, Depends()]) -> Want:
    """Return the list response of a request."""
    return want


Wanted = Annotated[Want, Depends(list_response_of)]
"""The wanted answer, in a route's signature."""


OPTION_PARSERS: dict[str, Callable[[str], Any]] = {
    "format": Format,
    "shape": Shape,
    "fields": str,
    "bom": {"true": True}.__getitem__,
}
"""The query parameters of `Want` and how the fast path reads them; a ValueError or KeyError is left to FastAPI."""


class Listing(Output, Generic[T]):
    """A page of a list."""

    data: list[T] = Field(description="The rows of this page.")
    meta: Meta = Field(description="What the page says of itself; with `total=true` also `total`.")
    links: PageLinks = Field(description="Where this page and the next one are.")


def listing(
    router: APIRouter, path: str, model: type[Output], summary: str, *, pages: bool = True
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Serve `model` at `path` (in pages, or as it is) and, as a file, at `path` with a suffix (`/claims.csv`)."""
    shown = Listing[model] if pages else model  # type: ignore[valid-type]
    as_file: dict[str, Any] = {MEDIA_TYPES[kind]: {"schema": {"type": "string"}} for kind in FILES}

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
            dependencies=[Depends(_suffix)],
            responses=answers,
        )(route)
        return route

    return register
