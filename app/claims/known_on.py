"""The condition of `known_on` in SQL: what had been said by a day or a moment."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case

from app.database.snapshot import Snapshot
from app.database.sql import MomentOf


def was_said_by(columns: Any, day: ColumnElement[Any], moment: ColumnElement[Any] | None) -> ColumnElement[bool]:  # noqa: ANN401 - of a table or a subquery
    """Return the condition that a claim had been said by `known_on`, as `KnowledgeLimit.includes` says.

    Args:
        columns: The columns of a claim.
        day: The parameter for `Snapshot.known_on`, the last day that counts whole.
        moment: The parameter for `Snapshot.known_at`, or None if `known_on` is a day.
    """
    by_day: ColumnElement[bool] = columns.date <= day
    if moment is None:
        return by_day
    return case((columns.said_at.is_(None), by_day), else_=MomentOf(columns.said_at) <= MomentOf(moment))


def latest_known_date(snapshot: Snapshot) -> date | None:
    """Return the latest date that a claim known in the snapshot can have; None if there is no limit.

    By a moment, it can already be the next day where a claim was said.
    """
    if snapshot.known_at is None:
        return snapshot.known_on
    day = snapshot.known_at.date()
    return day if day == date.max else day + timedelta(days=1)
