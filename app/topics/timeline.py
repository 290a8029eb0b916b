"""A topic over time: its claims by source and date, each page walked along an index from where the last one ended."""

# ruff: noqa: S608 - statements are made of our own names

from datetime import date

from sqlmodel import Session

from app.claims.search.filters import Sort, keyset_order_of
from app.database.keyset import read_cursor, write_cursor
from app.database.snapshot import Snapshot
from app.http.pagination import DEFAULT_LIMIT
from app.topics.candidates import (
    Asked,
    bind_question,
    fetch_rows,
    parse_stored_date,
    since_condition,
    version_condition,
)

TIMELINE_ORDER = keyset_order_of(Sort.by_source)
"""The same order as of `/v1/claims?sort=source`: a cursor of one leads on in the other."""

UNDATED_CURSOR_DATE = "9999-12-31"
"""Stands in cursors for the date of an undated claim: those come last within their source."""

LOWEST_ID = "00000000-0000-0000-0000-000000000000"
"""An id before every other."""


def fetch_timeline_page(
    session: Session, asked: Asked, view: Snapshot, limit: int | None, cursor: str | None
) -> tuple[list[int], list[str], str | None]:
    """The versions and ids of the next claims by source, date (unknown last) and id, and the cursor behind them."""
    limit = limit or DEFAULT_LIMIT
    _, text, id_ = read_cursor(TIMELINE_ORDER, cursor)
    source, _, said = (text or f" {UNDATED_CURSOR_DATE}").rpartition(" ")
    after = {"source": source, "after": date.fromisoformat(said), "id": id_ or LOWEST_ID, "most": limit + 1}
    # Behind a dated claim there may be any undated one of the same source.
    after["undated_id"] = after["id"] if said == UNDATED_CURSOR_DATE else LOWEST_ID
    rows = fetch_rows(session, _page_statement(asked, view), bind_question(asked, view) | after)
    versions, ids = [row[0] for row in rows[:limit]], [str(row[3]) for row in rows[:limit]]
    if len(rows) <= limit:
        return versions, ids, None
    _, source, day, id_ = rows[limit - 1]
    return (
        versions,
        ids,
        write_cursor(TIMELINE_ORDER, f"{source} {parse_stored_date(day) or UNDATED_CURSOR_DATE}", str(id_)),
    )


def _page_statement(asked: Asked, view: Snapshot) -> str:
    """The first rows of each category, dated and undated, and of all these the first."""
    holds = version_condition(view)
    holds += " AND c.seq > 0 AND c.status <> 'removed'" + since_condition(asked)  # `seq`: see `ix_claim_timeline`
    holds += "" if asked.aggregation is None else " AND c.aggregation = :aggregation"
    dated = "c.date IS NOT NULL AND (c.source, c.date, c.id) > (:source, :after, :id)"
    if view.known_on is not None:
        dated += " AND c.date <= :known_on"
    streams = []
    for n in range(len(asked.categories)):
        mine = f"c.category = :category_{n} AND c.subject = :subject AND c.place = :place AND {holds}"
        streams.append(_series_statement(f"{dated} AND {mine}", "c.source, c.date, c.id"))
        if view.known_on is None:
            undated = "c.date IS NULL AND (c.source, c.id) > (:source, :undated_id)"
            streams.append(_series_statement(f"{undated} AND {mine}", "c.source, c.id"))
    together = " UNION ALL ".join(f"SELECT * FROM ({stream}) s{n}" for n, stream in enumerate(streams))
    ordered = "ORDER BY source, CASE WHEN date IS NULL THEN 1 ELSE 0 END, date, id"
    return f"SELECT version, source, date, id FROM ({together}) found {ordered} LIMIT :most"


def _series_statement(where: str, order: str) -> str:
    return f"SELECT c.version, c.source, c.date, c.id FROM claim c WHERE {where} ORDER BY {order} LIMIT :most"
