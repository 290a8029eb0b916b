"""HTTP route of the counts of claims."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from app.claims.counts.queries import Counts, Dimension, count_claims
from app.claims.counts.schemas import ClaimCounts, CountRow, CountsQuery
from app.claims.queries import cache_scope_of_filters
from app.database.read_session import ReadSession, read_session
from app.database.snapshot import Snapshot
from app.errors import invalid_field, suggest_nearest
from app.http.csv_columns import columns_of_model
from app.http.dependencies import Db
from app.http.fast_route import fast_path
from app.http.list_columns import ListName
from app.http.lists import ListResponseDep, list_route
from app.http.routing import api_router
from app.vocabulary.reference_data import get_reference_data

router = api_router("claims")

COUNT_COLUMNS = [
    replace(column, type="any") if column.name == "value" else column  # a text, or the number of a year
    for column in columns_of_model(CountRow)
]
COUNT_COLUMNS.sort(key=lambda column: column.name != "dimension")


@list_route(
    router,
    "/claims/counts",
    ClaimCounts,
    "Count claims",
    ListName.counts,
    COUNT_COLUMNS,
    pages=False,
    row=CountRow,
)
@fast_path()
def list_claim_counts(query: Annotated[CountsQuery, Query()], db: Db, listing: ListResponseDep) -> Response:
    """Return the numbers of the claims that match every filter, by the values of each dimension in `by`.

    The dimensions are counted apart, not crossed. As a file: one row for each value of each dimension.
    """
    dimensions = _read_dimensions(query.by)
    with read_session(db) as read:
        snapshot = read.snapshot(query.recorded_as_of, known_on=query.known_on)
        counts = count_claims(read, query, dimensions, snapshot)
        rows = _build_rows(read, counts, snapshot)
    data: dict[str, list[dict[str, Any]]] = {dimension.value: [] for dimension in dimensions}
    for row in rows:
        data[row["dimension"]].append({name: row[name] for name in ("value", "name", "count")})
    total = sum(row["count"] for row in data[dimensions[0].value])
    meta = {"total": total, "seq": snapshot.seq}
    document = {"data": data, "meta": meta, "links": {"self": listing.self_url}}
    return listing.send_document(document, rows, COUNT_COLUMNS, snapshot.seq, cache_scope_of_filters(query, snapshot))


def _read_dimensions(text: str) -> list[Dimension]:
    """Return the dimensions of `by`. Raises `InvalidRequest` for an unknown one."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in Dimension.__members__:
            expected = f"expected some of {', '.join(Dimension)}"
            hint = suggest_nearest(name, list(Dimension.__members__))
            detail = f"There is no dimension `{name}`."
            raise invalid_field("by", detail, hint=f"{hint} {expected}" if hint else expected, location="query")
    return [Dimension(name) for name in dict.fromkeys(names)]


def _build_rows(read: ReadSession, counts: Counts, snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return one row for each value of each dimension: the most frequent first, years in order, unknown values last."""
    rows = []
    for dimension, by_value in counts.items():
        names = _read_names(read, dimension, snapshot)
        is_year = dimension is Dimension.year
        found = [(value, number) for value, number in by_value.items() if number]
        found.sort(key=lambda item: (item[0] is None, 0 if is_year else -item[1], item[0] or ""))
        for value, number in found:
            shown: str | int | None = int(value) if is_year and value is not None else value
            name = names.get(value) if value is not None else None
            rows.append({"dimension": dimension.value, "value": shown, "name": name, "count": number})
    return rows


def _read_names(read: ReadSession, dimension: Dimension, snapshot: Snapshot) -> dict[str, str]:
    """Return the names of the records that are the values of a dimension."""
    reference_data = get_reference_data(read, snapshot)
    if dimension is Dimension.source:
        return {slug: source.name for slug, source in reference_data.sources.items()}
    if dimension not in (Dimension.category, Dimension.subject, Dimension.place):
        return {}
    names = reference_data.read_names(read.session, snapshot)
    if dimension is Dimension.category:
        return {slug: category.name for slug, category in names.categories.items()}
    records = names.subjects if dimension is Dimension.subject else names.places
    return {slug: record.name for slug, record in records.items()}
