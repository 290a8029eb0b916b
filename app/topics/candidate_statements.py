"""SQL of the claims of a question that may be positions, and of the counts of its claims.

One index orders the current claims by question, series key and recency. The statements skip from one series key to the
next and read only the end of each series, so that their cost depends on the number of series and not on that of
claims. There is no such index for past states of the register: there the database reads all claims of the question.

A statement depends only on the shape of a question, and is built and compiled once per shape. That takes longer than to
execute it, so a list of values is one parameter, or as many as the next power of two.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from itertools import product
from typing import Any, Final

from sqlalchemy import (
    CTE,
    BindParameter,
    ClauseElement,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)

from app.claims.known_on import latest_known_date, was_said_by
from app.claims.search.filters import SINCE_PARAMETERS
from app.claims.search.index_lookup import match_any
from app.claims.search.question_scope import NARROWABLE, QuestionScope, match_scope, partial_date_patterns, starts_on
from app.comparison.series_key import (
    FORECAST_MARK,
    PERIOD_END_FACTOR,
    RETRACTED_SUFFIX,
    WITHOUT_NUMBER_SUFFIX,
    aggregation_pattern,
    encode_day,
)
from app.database.snapshot import AS_OF, Snapshot, is_version_at
from app.database.sql import InList, OrderedJoin, list_rows
from app.database.tables import ClaimVersion, table_of
from app.database.types import BIG_INTEGER, SLUG_TEXT
from app.enums import Status

STATEMENT_COLUMNS = (
    *("version", "id", "status", "retracted_on", "source", "category", "subject", "place"),
    *("proposition", "modality", "derivation", "value", "lower", "upper", "coverage", "out_of"),
    *("lower_inclusive", "upper_inclusive", "approximate", "relative_to", "as_printed", "unit"),
    *("period", "aggregation", "per", "date", "date_edtf", "said_at", "includes", "excludes", "fingerprint"),
)
"""The columns from which a `Statement` is built."""

CLAIM = table_of(ClaimVersion).alias("c")

_CURRENT_VERSION = is_version_at(CLAIM.c, None)

MAX_CACHED_SHAPES = 40
"""Maximum number of cached shapes of each statement. Each takes about thirty kilobytes."""

QUESTION_FIELDS: Final = (*NARROWABLE, "aggregation")
"""The fields of a question that can have several values."""

SqlParameters = dict[str, Any]


@dataclass(frozen=True, slots=True)
class QuestionShape:
    """What the SQL of a question depends on: the number of values of each field, and which limits it has.

    No subjects or places means any. Most statements take all values of a field as one parameter, and are built for
    `without_counts`, the others for `rounded`, so that there are few statements.
    """

    counts: tuple[int, ...]
    """The number of values of each of `QUESTION_FIELDS`."""
    since: bool
    past: bool
    known_on: bool
    moment: bool
    """Whether `known_on` is a moment."""
    ends_by: bool = False

    @classmethod
    def of(cls, scope: QuestionScope, snapshot: Snapshot, ends_by: date | None = None) -> "QuestionShape":
        """Return the shape of a question in a snapshot."""
        return cls(
            tuple(map(len, _list_values(scope).values())),
            scope.since is not None,
            snapshot.as_of is not None,
            snapshot.known_on is not None,
            snapshot.known_at is not None,
            ends_by is not None,
        )

    @property
    def rounded(self) -> "QuestionShape":
        """The shape of statements with a parameter for each value: the numbers are rounded up to a power of two."""
        return replace(self, counts=tuple(map(_round_up, self.counts)))

    @property
    def without_counts(self) -> "QuestionShape":
        """The shape of statements with one parameter for all values of a field: it has some, or none."""
        return replace(self, counts=tuple(min(count, 1) for count in self.counts))

    def has_values(self, name: str) -> bool:
        """Return whether the question names values of a field, such as `category`."""
        return self.counts[QUESTION_FIELDS.index(name)] > 0

    def parameters(self, name: str) -> list[BindParameter[Any]]:
        """Return a parameter for each value of a field."""
        return [bindparam(f"{name}_{n}") for n in range(self.counts[QUESTION_FIELDS.index(name)])]

    def match(self) -> ColumnElement[bool]:
        """Return the condition of the question on a claim, except that of `starts`."""
        return match_scope(CLAIM.c, *map(self.parameters, QUESTION_FIELDS))

    def list_keys(self) -> list[dict[str, BindParameter[Any]]]:
        """Return each combination of category, subject and place; without those of which any belong."""
        named = list(filter(self.has_values, NARROWABLE))
        return [dict(zip(named, key, strict=True)) for key in product(*map(self.parameters, named))]

    def starts(self) -> list[ColumnElement[bool]]:
        """Return the condition that the period may start on `since`."""
        if not self.since:
            return []
        days: list[BindParameter[Any]] = [bindparam(name) for name in ("since", "since_month", "since_year")]
        since = [days[0], *(bindparam(f"since_pattern_{n}") for n in range(SINCE_PARAMETERS - 1))]
        # The condition on an indexed column comes first. `IS TRUE` keeps the planner from choosing a worse index.
        return [CLAIM.c.period_start.in_(days).is_(literal_column("TRUE")), starts_on(CLAIM.c, *since)]

    def is_known(self) -> list[ColumnElement[bool]]:
        """Return the condition that a claim was made by `known_on`; for a day, from the index of series alone."""
        if self.moment:
            return [self.was_said()]
        day = CLAIM.c.recency % PERIOD_END_FACTOR
        return [day.between(1, bindparam("known_on_number", type_=BIG_INTEGER))] if self.known_on else []

    def was_said(self) -> ColumnElement[bool]:
        """Return the condition that a claim had been said by `known_on`."""
        return was_said_by(CLAIM.c, bindparam("known_on"), bindparam("known_at", type_=Text) if self.moment else None)

    def is_ended(self) -> list[ColumnElement[bool]]:
        """Return the condition that the period has ended by `ends_by`, as far as the recency tells."""
        limit = bindparam("ends_by_limit", type_=BIG_INTEGER)
        return [CLAIM.c.recency < limit, CLAIM.c.recency >= PERIOD_END_FACTOR] if self.ends_by else []


@lru_cache(MAX_CACHED_SHAPES)
def select_series_count(shape: QuestionShape) -> Select[Any]:
    """Return the statement that counts the series of a question, up to `max_series`."""
    return select(func.count()).select_from(_bounded_levels(shape)[-1])


@lru_cache(MAX_CACHED_SHAPES)
def select_version_count(shape: QuestionShape) -> Select[Any]:
    """Return the statement that counts the versions of claims on the questions of a scope, up to `max_rows`."""
    one: Select[Any] = select(literal_column("1").label("one")).select_from(CLAIM).where(CLAIM.c.seq > 0)
    keys = (match_any(CLAIM.c, name, shape.parameters(name)) for name in filter(shape.has_values, NARROWABLE))
    return select(func.count()).select_from(one.where(*keys).limit(bindparam("max_rows")).subquery("versions"))


SELECT_STATEMENTS = select(*(CLAIM.c[name] for name in STATEMENT_COLUMNS)).where(InList(CLAIM.c.version, "versions"))


@lru_cache(MAX_CACHED_SHAPES)
def select_start_counts(shape: QuestionShape) -> Select[Any]:
    """Return the statement that counts the claims of each series, and those that may start on `since`."""
    p = _series(shape)
    claims = select(func.count()).select_from(CLAIM).where(*_is_current_of(p), *shape.is_known())
    columns = (p.c.standpoint, claims.scalar_subquery(), claims.where(*shape.starts()).scalar_subquery())
    return select(*columns).where(p.c.standpoint.is_not(None))


@lru_cache(MAX_CACHED_SHAPES)
def select_undated_count(shape: QuestionShape) -> Select[Any]:
    """Return the statement that counts the claims of a question without a date."""
    is_visible = is_version_at(CLAIM.c, AS_OF if shape.past else None)
    conditions = (CLAIM.c.date.is_(None), CLAIM.c.status != Status.removed, is_visible, *shape.starts())
    return select(func.count()).select_from(CLAIM).where(shape.match(), *conditions)


_DATE_NUMBER = func.nullif(CLAIM.c.recency % PERIOD_END_FACTOR, 0)
"""The date of a claim as a number of eight digits; NULL if it is unknown."""


@lru_cache(MAX_CACHED_SHAPES)
def select_past_counts(shape: QuestionShape) -> Select[Any]:
    """Return the statement of the claim count and the first and last date by source in a past state."""
    counts = select(CLAIM.c.source, func.count(), func.min(_DATE_NUMBER), func.max(_DATE_NUMBER))
    return counts.where(*_past_conditions(shape)).group_by(CLAIM.c.source)


@lru_cache(MAX_CACHED_SHAPES)
def select_per_series(shape: QuestionShape, *, has_dates: bool = False) -> Select[Any]:
    """Return the statement that counts the claims of each series, read from the index unsorted.

    With `has_dates`, a row has the number, the first and the last date in one text: a series is read once, and a
    subquery has one column. An unknown date is 0.
    """
    p = _series(shape)
    value: ColumnElement[Any] = func.count()
    if has_dates:
        ends = (func.coalesce(end(_DATE_NUMBER), 0) for end in (func.min, func.max))
        first, last = (cast(end, Text) for end in ends)
        value = cast(value, Text) + " " + first + " " + last
    claims = select(value).select_from(CLAIM).where(*_is_current_of(p), *shape.is_known(), *shape.starts())
    is_asked = (p.c.standpoint.is_not(None), *_has_aggregation(shape, p))
    return select(p.c.standpoint, claims.scalar_subquery()).where(*is_asked)


@lru_cache(MAX_CACHED_SHAPES)
def select_date_ranges(shape: QuestionShape) -> Select[Any]:
    """Return the statement of the first and the last date of each category, subject and place, from an index."""
    names = list(filter(shape.has_values, NARROWABLE))
    values = {name: _list_asked(name) for name in names}
    is_visible = (_CURRENT_VERSION, CLAIM.c.status != Status.removed)
    keys = (CLAIM.c[name] == values[name].c[name] for name in names)
    claims = select(CLAIM.c.date).where(*is_visible, *keys)
    ends = (claims.with_only_columns(end(CLAIM.c.date)) for end in (func.min, func.max))
    return select(*(end.correlate(*values.values()).scalar_subquery() for end in ends)).select_from(*values.values())


@lru_cache(MAX_CACHED_SHAPES)
def select_latest(shape: QuestionShape, *, include_non_positions: bool) -> ClauseElement:
    """Return the statement that selects the claims of the greatest recency of each series, and other listed claims."""
    levels = _bounded_levels(shape)
    p = series = levels[-1]
    is_early: list[ColumnElement[bool]] = []
    if shape.known_on:
        # A claim made by `known_on` has a recency below a limit. Only series of forecasts are scanned from their end.
        latest = case(
            (p.c.standpoint.like(f"% {FORECAST_MARK}%"), PERIOD_END_FACTOR * PERIOD_END_FACTOR),
            else_=bindparam("known_recency_limit", type_=BIG_INTEGER),
        )
        is_early = [*shape.is_known(), CLAIM.c.recency < latest]
    is_early = [*is_early, *shape.is_ended()]
    head = select(func.max(CLAIM.c.recency)).where(*_is_current_of(p), *is_early, *shape.starts())
    is_position = (p.c.standpoint.is_not(None), ~_is_no_position(p))
    heads = select(p, head.scalar_subquery().label("head")).where(*is_position, *_has_aggregation(shape, p))
    p = heads.cte("heads").prefix_with("MATERIALIZED")
    latest_claims = select(CLAIM.c.version).select_from(OrderedJoin(p, CLAIM))
    # Claims of one day have one recency, and some of them may have been made after a moment.
    is_known = shape.is_known() if shape.moment else []
    latest_claims = latest_claims.where(*_is_current_of(p), CLAIM.c.recency == p.c.head, *is_known, *shape.starts())
    counts = [select(-func.count()).select_from(level) for level in levels]
    if not include_non_positions:
        return union_all(latest_claims, *counts)
    non_positions = (
        select(CLAIM.c.version)
        .select_from(OrderedJoin(series, CLAIM))
        .where(
            _is_no_position(series),
            *_is_current_of(series),
            *shape.is_known(),
            *shape.starts(),
            *_has_aggregation(shape, series),
        )
    )
    return union_all(latest_claims, non_positions, *counts)


def _is_no_position(p: FromClause) -> ColumnElement[bool]:
    return or_(*(p.c.standpoint.like(f"% {suffix}") for suffix in (RETRACTED_SUFFIX, WITHOUT_NUMBER_SUFFIX)))


def _is_current_of(p: FromClause, *names: str) -> list[ColumnElement[bool]]:
    """Return the condition that a version is current and equals `p` in these columns. Default: those of a series."""
    names = names or ("category", "subject", "place", "standpoint")
    return [_CURRENT_VERSION, *(CLAIM.c[name] == p.c[name] for name in names)]


def _has_aggregation(shape: QuestionShape, p: FromClause) -> list[ColumnElement[bool]]:
    return [p.c.standpoint.like(bindparam("aggregation_pattern"))] if shape.has_values("aggregation") else []


@lru_cache(MAX_CACHED_SHAPES)
def select_earlier(shape: QuestionShape) -> Select[Any]:
    """Return the statement that selects the claims before a version in its series, latest first."""
    last = CLAIM.alias("last")
    names = (*NARROWABLE, "standpoint")
    is_same_series = [CLAIM.c[name] == last.c[name] for name in names]
    is_visible = is_version_at(CLAIM.c, AS_OF if shape.past else None)
    is_in_question = (*shape.is_known(), *shape.starts(), *shape.is_ended())
    claims = select(CLAIM.c.version).select_from(OrderedJoin(last, CLAIM))
    claims = claims.where(last.c.version == bindparam("version"), *is_same_series, is_visible, *is_in_question)
    claims = claims.where(CLAIM.c.recency < last.c.recency)
    return claims.order_by(CLAIM.c.recency.desc(), CLAIM.c.version).limit(bindparam("max_rows"))


@lru_cache(MAX_CACHED_SHAPES)
def select_tied(shape: QuestionShape) -> Select[Any]:
    """Return the statement that selects the claims of the series of a version that have its recency."""
    last = CLAIM.alias("last")
    names = (*NARROWABLE, "standpoint", "recency")
    is_tied = [CLAIM.c[name] == last.c[name] for name in names]
    is_visible = is_version_at(CLAIM.c, AS_OF if shape.past else None)
    claims = select(CLAIM.c.version).select_from(OrderedJoin(last, CLAIM))
    return claims.where(last.c.version == bindparam("version"), *is_tied, is_visible, *shape.is_known())


@lru_cache(MAX_CACHED_SHAPES)
def select_ending_on(shape: QuestionShape) -> Select[Any]:
    """Return the statement that selects the claims of the series of some versions whose period ends on one day."""
    last = CLAIM.alias("last")
    is_same_series = [CLAIM.c[name] == last.c[name] for name in (*NARROWABLE, "standpoint")]
    claims = select(CLAIM.c.version).select_from(OrderedJoin(last, CLAIM))
    claims = claims.where(InList(last.c.version, "versions"), *is_same_series, _CURRENT_VERSION)
    ends = (bindparam("least", type_=BIG_INTEGER), bindparam("limit", type_=BIG_INTEGER))
    is_ending = (CLAIM.c.recency >= ends[0], CLAIM.c.recency < ends[1])
    return claims.where(*is_ending, *shape.is_known(), *shape.starts())


@lru_cache(MAX_CACHED_SHAPES)
def select_past_ending_on(shape: QuestionShape) -> Select[Any]:
    """Return the statement of `select_ending_on` for a past state. It reads every claim of the question."""
    is_ending = InList(CLAIM.c.recency // PERIOD_END_FACTOR, "ends")
    return select(CLAIM.c.version).where(*_past_conditions(shape), is_ending)


@lru_cache(MAX_CACHED_SHAPES)
def select_past(shape: QuestionShape) -> Select[Any]:
    """Return the statement of `select_latest` for a past state. It reads every claim of the question."""
    series = (CLAIM.c.category, CLAIM.c.subject, CLAIM.c.place, CLAIM.c.standpoint)
    is_ended = and_(true(), *shape.is_ended())
    recency = case((is_ended, CLAIM.c.recency), else_=-1)
    rank = func.rank().over(partition_by=series, order_by=recency.desc()).label("recency_rank")
    columns = (CLAIM.c.version, CLAIM.c.standpoint, recency.label("recency"), rank)
    p = select(*columns).where(*_past_conditions(shape)).subquery("p")
    is_latest = and_(p.c.recency_rank == 1, p.c.recency >= 0)
    return select(p.c.version).where(or_(is_latest, _is_no_position(p)))


def _past_conditions(shape: QuestionShape) -> list[ColumnElement[bool]]:
    """Return the conditions that a version is a claim of the question in a past state."""
    is_visible = (CLAIM.c.seq > 0, is_version_at(CLAIM.c, AS_OF), CLAIM.c.recency.is_not(None))
    return [shape.match(), *is_visible, *shape.starts(), *shape.is_known()]


def _series(shape: QuestionShape) -> CTE:
    """Return the series of the question: category, subject, place and series key, each found by a skip scan."""
    return _build_levels(shape)[-1]


def _bounded_levels(shape: QuestionShape) -> list[CTE]:
    """Return the levels of `_series` that are found by a skip scan, each with at most `max_series` rows."""
    return _build_levels(shape, bindparam("max_series", type_=BIG_INTEGER))


def _build_levels(shape: QuestionShape, max_rows: BindParameter[int] | None = None) -> list[CTE]:
    """Return the rows of category and subject, of these and place, and of these and series key.

    Those whose values the question names are not among them. With `max_rows`, so many rows of each level are read, and
    none of them is NULL.
    """
    level: CTE | None = None
    levels: list[CTE] = []
    names: list[str] = []
    for name in (*NARROWABLE, "standpoint"):
        if name in NARROWABLE and shape.has_values(name):
            rows = _list_asked(name)
            level = rows if level is None else select(level, rows.c[name]).cte(f"{name}s")
        elif level is not None:
            level = _next_level(level, names, name)
            if max_rows is not None:
                found = select(level).where(level.c[name].is_not(None)).limit(max_rows)
                level = found.cte(f"some_{name}s").prefix_with("MATERIALIZED")
            levels.append(level)
        names.append(name)
    if level is None:
        message = "a question has a category"
        raise ValueError(message)
    return levels


def _list_asked(name: str) -> CTE:
    """Return the values that a question names of a field."""
    value = list_rows(f"all_{name}").c.value
    return select(cast(value, SLUG_TEXT).label(name)).cte(f"asked_{name}")


def _next_level(level: CTE, names: Sequence[str], name: str) -> CTE:
    """Extend each row of a level by each distinct value of the next column, from the smallest value upwards."""

    def extend(p: FromClause, *after: ColumnElement[bool]) -> Select[Any]:
        least = select(func.min(CLAIM.c[name])).where(*_is_current_of(p, *names), *after)
        return select(*(p.c[column_name] for column_name in names), least.scalar_subquery().label(name))

    rows = extend(level).where(level.c[names[-1]].is_not(None)).cte(f"{name}s", recursive=True)
    return rows.union_all(extend(rows, CLAIM.c[name] > rows.c[name]).where(rows.c[name].is_not(None)))


def _list_values(scope: QuestionScope) -> dict[str, tuple[str, ...]]:
    """Return the values of each of `QUESTION_FIELDS`."""
    values = (scope.categories, scope.subjects, scope.places, scope.aggregations)
    return dict(zip(QUESTION_FIELDS, values, strict=True))


def _round_up(count: int) -> int:
    """Return the least power of two that is not less than a number, or 0."""
    return 1 << (count - 1).bit_length() if count else 0


def bind_question(scope: QuestionScope, snapshot: Snapshot, ends_by: date | None = None) -> SqlParameters:
    """Return the parameters of the statements about a question."""
    parameters: SqlParameters = {}
    for name, values in _list_values(scope).items():
        parameters[f"all_{name}"] = list(values)
        padded = [*values, *values[-1:] * (_round_up(len(values)) - len(values))]
        parameters |= {f"{name}_{n}": value for n, value in enumerate(padded)}
    parameters |= bind_state(snapshot) | {"ends_by_limit": (encode_day(ends_by) + 1) * PERIOD_END_FACTOR}
    if scope.aggregations:
        parameters["aggregation_pattern"] = aggregation_pattern(scope.aggregations[0])
    if scope.since is not None:
        day = scope.since
        parameters |= {"since": day, "since_month": day.replace(day=1), "since_year": day.replace(month=1, day=1)}
        parameters |= {f"since_pattern_{n}": pattern for n, pattern in enumerate(partial_date_patterns(day))}
    return parameters


def bind_state(snapshot: Snapshot) -> SqlParameters:
    """Return the parameters for the state of the register and `known_on`."""
    return {
        "as_of": snapshot.as_of,
        "known_on": snapshot.known_on,
        "known_on_number": encode_day(snapshot.known_on),
        "known_at": None if snapshot.known_at is None else snapshot.known_at.isoformat(),
        "known_recency_limit": (encode_day(latest_known_date(snapshot)) + 1) * PERIOD_END_FACTOR,
    }
