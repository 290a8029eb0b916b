"""The timeline of a topic: pages of its claims by source and date, read by index scans from the cursor."""

from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Select, bindparam, case, select, tuple_, union_all
from sqlmodel import Session

from app.claims.search.filters import Sort, keyset_order_of
from app.claims.search.index_lookup import match_any
from app.claims.search.question_scope import QuestionScope
from app.database.keyset import read_cursor, write_cursor
from app.database.snapshot import AS_OF, Snapshot, is_version_at
from app.database.sql import fetch_rows
from app.enums import Status
from app.http.pagination import DEFAULT_LIMIT
from app.topics.candidate_statements import CLAIM, MAX_CACHED_SHAPES, QuestionShape, bind_question
from app.topics.candidates import parse_stored_date, too_broad_error

TIMELINE_ORDER = keyset_order_of(Sort.by_source)
"""The same order as that of `/v1/claims?sort=source`, so that both lists accept the cursors of each other."""

UNDATED_CURSOR_DATE = "9999-12-31"
"""The date of undated claims in cursors. They come last within their source."""

MAX_QUESTIONS = 200
"""Maximum number of questions of a timeline. Each has two parts of the statement, and SQLite has a limit for these."""

LOWEST_ID = "00000000-0000-0000-0000-000000000000"
"""An id that sorts before all others."""


def fetch_timeline_page(
    session: Session,
    scope: QuestionScope,
    snapshot: Snapshot,
    limit: int | None,
    cursor: str | None,
) -> tuple[list[int], list[str], str | None]:
    """Return the versions and ids of a page of claims by source, date (unknown last) and id, and the next cursor."""
    limit = limit or DEFAULT_LIMIT
    rows = fetch_timeline_rows(session, scope, snapshot, limit + 1, cursor)
    versions, ids = [row.version for row in rows[:limit]], [row.id for row in rows[:limit]]
    if len(rows) <= limit:
        return versions, ids, None
    last = rows[limit - 1]
    return versions, ids, write_cursor(TIMELINE_ORDER, f"{last.source} {last.day or UNDATED_CURSOR_DATE}", last.id)


class TimelineEntry(NamedTuple):
    """A claim of a timeline."""

    version: int
    source: str
    day: date | None
    id: str


def fetch_timeline_rows(
    session: Session, scope: QuestionScope, snapshot: Snapshot, max_rows: int, cursor: str | None = None
) -> list[TimelineEntry]:
    """Return at most `max_rows` claims by source, date (unknown last) and id, after the cursor.

    Raises `QueryTooBroad` if the topic has too many questions.
    """
    _, text, id_ = read_cursor(TIMELINE_ORDER, cursor)
    source, _, day_text = (text or f" {UNDATED_CURSOR_DATE}").rpartition(" ")
    after = {"source": source, "after": date.fromisoformat(day_text), "id": id_ or LOWEST_ID, "max_rows": max_rows}
    # After a dated claim, all undated claims of the same source follow.
    after["undated_id"] = after["id"] if day_text == UNDATED_CURSOR_DATE else LOWEST_ID
    if len(scope.keys) > MAX_QUESTIONS:
        raise too_broad_error(scope, f"It has more than {MAX_QUESTIONS} combinations of category, subject and place.")
    shape = QuestionShape.of(scope, snapshot)
    rows = fetch_rows(session, _select_page(shape), bind_question(scope, snapshot) | after)
    return [TimelineEntry(version, source, parse_stored_date(day), str(id_)) for version, source, day, id_ in rows]


@lru_cache(MAX_CACHED_SHAPES)
def _select_page(shape: QuestionShape) -> Select[Any]:
    """Return the statement of a page: the first rows of each index range, dated and undated, merged in order."""
    # `ix_claim_timeline` needs the condition on `seq`.
    is_visible = (
        is_version_at(CLAIM.c, AS_OF if shape.past else None),
        CLAIM.c.seq > 0,
        CLAIM.c.status != Status.removed,
    )
    is_known = [shape.was_said()] if shape.known_on else []
    parts = []
    aggregations = shape.parameters("aggregation")
    is_in_class = [match_any(CLAIM.c, "aggregation", aggregations)] if aggregations else []
    for key in shape.list_keys():
        belongs = (*(CLAIM.c[name] == value for name, value in key.items()), *is_in_class, *is_visible, *shape.starts())
        dated = _select_after({"source": CLAIM.c.source, "after": CLAIM.c.date, "id": CLAIM.c.id})
        parts.append(dated.where(CLAIM.c.date.is_not(None), *is_known, *belongs))
        if not shape.known_on:
            undated = _select_after({"source": CLAIM.c.source, "undated_id": CLAIM.c.id})
            parts.append(undated.where(CLAIM.c.date.is_(None), *belongs))
    claims = union_all(*(select(part.subquery(f"s{n}")) for n, part in enumerate(parts))).subquery("claims")
    order = (claims.c.source, case((claims.c.date.is_(None), 1), else_=0), claims.c.date, claims.c.id)
    return select(claims).order_by(*order).limit(bindparam("max_rows"))


def _select_after(keys: dict[str, Column[Any]]) -> Select[Any]:
    """Select claims in the order of some columns, after the values of the parameters with these names."""
    ends: list[ColumnElement[Any]] = [bindparam(name, type_=key.type) for name, key in keys.items()]
    claims = select(CLAIM.c.version, CLAIM.c.source, CLAIM.c.date, CLAIM.c.id)
    return claims.where(tuple_(*keys.values()) > tuple_(*ends)).order_by(*keys.values()).limit(bindparam("max_rows"))
