"""A topic over time: its claims by source and date, each page walked along an index from where the last one ended."""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, bindparam, case, select, tuple_, union_all
from sqlmodel import Session

from app.claims.search.filters import Sort, keyset_order_of
from app.comparison.question import Question
from app.database.keyset import read_cursor, write_cursor
from app.database.snapshot import AS_OF, Snapshot, is_version_at
from app.enums import Status
from app.http.pagination import DEFAULT_LIMIT
from app.topics.candidates import (
    CLAIM,
    MAX_CACHED_SHAPES,
    QuestionShape,
    bind_question,
    fetch_rows,
    parse_stored_date,
)

TIMELINE_ORDER = keyset_order_of(Sort.by_source)
"""The same order as of `/v1/claims?sort=source`: a cursor of one leads on in the other."""

UNDATED_CURSOR_DATE = "9999-12-31"
"""Stands in cursors for the date of an undated claim: those come last within their source."""

LOWEST_ID = "00000000-0000-0000-0000-000000000000"
"""An id before every other."""


def fetch_timeline_page(
    session: Session,
    question: Question,
    categories: Sequence[str],
    view: Snapshot,
    limit: int | None,
    cursor: str | None,
) -> tuple[list[int], list[str], str | None]:
    """The versions and ids of the next claims by source, date (unknown last) and id, and the cursor behind them."""
    limit = limit or DEFAULT_LIMIT
    _, text, id_ = read_cursor(TIMELINE_ORDER, cursor)
    source, _, said = (text or f" {UNDATED_CURSOR_DATE}").rpartition(" ")
    after = {"source": source, "after": date.fromisoformat(said), "id": id_ or LOWEST_ID, "most": limit + 1}
    # Behind a dated claim there may be any undated one of the same source.
    after["undated_id"] = after["id"] if said == UNDATED_CURSOR_DATE else LOWEST_ID
    shape = QuestionShape.of(question, categories, view)
    rows = fetch_rows(session, _select_page(shape), bind_question(question, categories, view) | after)
    versions, ids = [row[0] for row in rows[:limit]], [str(row[3]) for row in rows[:limit]]
    if len(rows) <= limit:
        return versions, ids, None
    _, source, day, id_ = rows[limit - 1]
    return (
        versions,
        ids,
        write_cursor(TIMELINE_ORDER, f"{source} {parse_stored_date(day) or UNDATED_CURSOR_DATE}", str(id_)),
    )


@lru_cache(MAX_CACHED_SHAPES)
def _select_page(shape: QuestionShape) -> Select[Any]:
    """The first rows of each category, dated and undated, and of all these the first."""
    # `seq`: see `ix_claim_timeline`
    holds = (is_version_at(CLAIM.c, AS_OF if shape.past else None), CLAIM.c.seq > 0, CLAIM.c.status != Status.removed)
    until = [CLAIM.c.date <= bindparam("known_on")] if shape.known_on else []
    streams = []
    for category in shape.category_marks():
        mine = (shape.match(category), *holds, *shape.starts())
        dated = _select_after({"source": CLAIM.c.source, "after": CLAIM.c.date, "id": CLAIM.c.id})
        streams.append(dated.where(CLAIM.c.date.is_not(None), *until, *mine))
        if not shape.known_on:
            undated = _select_after({"source": CLAIM.c.source, "undated_id": CLAIM.c.id})
            streams.append(undated.where(CLAIM.c.date.is_(None), *mine))
    found = union_all(*(select(stream.subquery(f"s{n}")) for n, stream in enumerate(streams))).subquery("found")
    order = (found.c.source, case((found.c.date.is_(None), 1), else_=0), found.c.date, found.c.id)
    return select(found).order_by(*order).limit(bindparam("most"))


def _select_after(keys: dict[str, Column[Any]]) -> Select[Any]:
    """Claims in the order of some columns, from behind the parameters that they are given with."""
    ends: list[ColumnElement[Any]] = [bindparam(name, type_=key.type) for name, key in keys.items()]
    found = select(CLAIM.c.version, CLAIM.c.source, CLAIM.c.date, CLAIM.c.id)
    return found.where(tuple_(*keys.values()) > tuple_(*ends)).order_by(*keys.values()).limit(bindparam("most"))
