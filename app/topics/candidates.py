"""Loads the claims of a question that may be positions, and counts its claims, without reading all of them.

A position is among the claims of a series (`app/comparison/series_key.py`) with the latest period end and date. One
index orders the current claims by question, series key and recency. The statements skip from one series key to the
next and read only the end of each series, so that their cost depends on the number of series and not on that of
claims. The result may contain a few claims that are not positions; the rules in `app/comparison` decide.

There is no such index for past states of the register: there the database reads all claims of the question. A
statement depends only on the shape of a question, and is built and compiled once per shape.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Final

import orjson
from sqlalchemy import (
    CTE,
    BindParameter,
    ClauseElement,
    ColumnElement,
    FromClause,
    Select,
    Values,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    or_,
    select,
    union_all,
    values,
)
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from app.cache.bounded import BoundedCache
from app.claims.search.filters import match_topic, partial_date_patterns, starts_on
from app.comparison.figure import PrintedFigure, normalize_number
from app.comparison.period import parse_period
from app.comparison.question import Question
from app.comparison.series_key import (
    FUTURE_PERIOD_SUFFIX,
    OPEN_PERIOD_SUFFIX,
    PERIOD_END_FACTOR,
    RETRACTED_SUFFIX,
    WITHOUT_FIGURE_SUFFIX,
    encode_day,
)
from app.comparison.verdicts import Statement
from app.database.cache_registry import CacheKey
from app.database.engine import Database
from app.database.query_budget import is_budget_exceeded
from app.database.snapshot import AS_OF, Snapshot, is_version_at
from app.database.sql import InList, OrderedJoin
from app.database.sql import fetch_rows as fetch_driver_rows
from app.database.tables import ClaimVersion, table_of
from app.database.types import BIG_INTEGER, SLUG_TEXT
from app.enums import Status
from app.errors import QueryTooBroad
from app.vocabulary.reference_data import ReferenceData

STATEMENT_COLUMNS = (
    *("version", "id", "status", "retracted_on", "kind", "source", "category", "subject", "place"),
    *("proposition", "modality", "derivation", "value", "lower", "upper", "coverage", "out_of"),
    *("lower_inclusive", "upper_inclusive", "approximate", "relative_to"),
    *("period", "aggregation", "date", "includes", "excludes"),
)
"""The columns from which a `Statement` is built."""

CLAIM = table_of(ClaimVersion).alias("c")
_CURRENT_VERSION = is_version_at(CLAIM.c, None)

MAX_CACHED_SHAPES = 200
"""Maximum number of cached shapes of each statement."""

MAX_CACHED_CANDIDATES = 8_000
"""Maximum number of cached candidates. Each takes about a kilobyte."""

SqlParameters = dict[str, Any]


@dataclass(frozen=True, slots=True)
class QuestionShape:
    """What the SQL of a question depends on: the number of categories, and which other parameters are not None."""

    categories: int
    subject: bool
    place: bool
    aggregation: bool
    since: bool
    past: bool
    known_on: bool

    @classmethod
    def of(cls, question: Question, categories: Sequence[str], snapshot: Snapshot) -> "QuestionShape":
        """Return the shape of a question about these categories in a snapshot."""
        return cls(
            len(categories),
            question.subject is not None,
            question.place is not None,
            question.aggregation is not None,
            question.since is not None,
            snapshot.as_of is not None,
            snapshot.known_on is not None,
        )

    def category_parameters(self) -> list[BindParameter[Any]]:
        """Return a parameter for each category."""
        return [bindparam(f"category_{n}") for n in range(self.categories)]

    def match(self, *categories: BindParameter[Any]) -> ColumnElement[bool]:
        """Return the condition of the question on a claim in one of these categories, except that of `starts`."""
        parameters: list[BindParameter[Any] | None] = [
            bindparam(name) if getattr(self, name) else None for name in ("subject", "place", "aggregation")
        ]
        return match_topic(CLAIM.c, categories, *parameters)

    def starts(self) -> list[ColumnElement[bool]]:
        """Return the condition that the period starts on `since`, or in its month or year if no day is known."""
        if not self.since:
            return []
        days: list[BindParameter[Any]] = [bindparam(name) for name in ("since", "since_month", "since_year")]
        since = [days[0], *(bindparam(name) for name in ("in_month", "in_year"))]
        # The condition on an indexed column comes first. `IS TRUE` keeps the planner from choosing a worse index.
        return [CLAIM.c.period_start.in_(days).is_(literal_column("TRUE")), starts_on(CLAIM.c, *since)]

    def is_known(self) -> list[ColumnElement[bool]]:
        """Return the condition that a claim was made by `known_on`."""
        day = CLAIM.c.recency % PERIOD_END_FACTOR
        return [day.between(1, bindparam("known_on_number", type_=BIG_INTEGER))] if self.known_on else []


@dataclass(frozen=True, slots=True)
class Candidate:
    """A claim that may be a position: its version, its status, the kind of its figure, and its statement."""

    version: int
    id: str
    status: str
    retracted_on: date | None
    kind: str
    statement: Statement


@dataclass(frozen=True, slots=True)
class ClaimCounts:
    """The number of claims and of their sources, and the dates of the first and the last claim."""

    claims: int
    sources: int
    first_date: date | None
    last_date: date | None


class CandidateCache:
    """A cache of candidates by version. It is valid for one state of the reference data."""

    def __init__(self) -> None:
        self._reference_data: ReferenceData | None = None
        self._by_version: BoundedCache[int, Candidate] = BoundedCache(MAX_CACHED_CANDIDATES)

    def get(self, versions: Iterable[int], reference_data: ReferenceData) -> dict[int, Candidate]:
        """Return the cached candidates among `versions`. Changed reference data clear the cache."""
        if self._reference_data is not reference_data:
            self._reference_data, self._by_version = reference_data, BoundedCache(MAX_CACHED_CANDIDATES)
        by_version = self._by_version
        return {version: candidate for version in versions if (candidate := by_version.get(version)) is not None}

    def store(self, candidates: Mapping[int, Candidate], reference_data: ReferenceData) -> None:
        """Add candidates, unless the reference data have changed since they were built."""
        by_version = self._by_version
        if self._reference_data is reference_data:
            for version, candidate in candidates.items():
                by_version.store(version, candidate)


CANDIDATES = CacheKey("candidates", lambda _database: CandidateCache())


def expand_categories(question: Question, reference_data: ReferenceData, *, narrower: bool) -> tuple[str, ...]:
    """Return the category of a question, with `narrower` also its narrower categories, in order."""
    if not narrower:
        return (question.category,)
    return tuple(sorted(reference_data.descendants("category", question.category)))


def load_candidates(
    session: Session,
    question: Question,
    categories: Sequence[str],
    snapshot: Snapshot,
    reference_data: ReferenceData,
    *,
    include_non_positions: bool = True,
) -> list[Candidate]:
    """Return the claims that may be positions.

    With `include_non_positions`, also return those that the response lists separately: claims that their sources
    retracted, and claims without a figure.
    """
    # A retraction is not dated later than its change, so a retracted claim is a position only if a clock was set back.
    include_non_positions = include_non_positions or snapshot.today < snapshot.at.date()
    shape = QuestionShape.of(question, categories, snapshot)
    if shape.past:
        statement: ClauseElement = _select_past(shape)
    else:
        statement = _select_latest(shape, include_non_positions=include_non_positions)
    versions = [version for (version,) in fetch_rows(session, statement, bind_question(question, categories, snapshot))]
    # A version never changes: its candidate is valid as long as the reference data do not change.
    database: Database | None = session.info.get("database")
    cache = None if database is None or snapshot.as_of is not None else database.caches[CANDIDATES]
    candidates = {} if cache is None else cache.get(versions, reference_data)
    missing = [version for version in versions if version not in candidates]
    if missing:
        rows = fetch_rows(session, _SELECT_STATEMENTS, {"versions": missing})
        loaded = {row[0]: _build_candidate(row, reference_data) for row in rows}
        if cache is not None:
            cache.store(loaded, reference_data)
        candidates |= loaded
    return [candidates[version] for version in versions]


_SELECT_STATEMENTS = select(*(CLAIM.c[name] for name in STATEMENT_COLUMNS)).where(InList(CLAIM.c.version, "versions"))


def count_claims(session: Session, question: Question, categories: Sequence[str], snapshot: Snapshot) -> ClaimCounts:
    """Count the claims of a question, without removed ones."""
    shape = QuestionShape.of(question, categories, snapshot)
    parameters = bind_question(question, categories, snapshot)
    if shape.past:
        rows = fetch_rows(session, _count_past(shape), parameters)
        counts = [(source, count) for source, count, _, _ in rows]
        days = [day_of_number(day) for _, _, *ends in rows for day in ends if day]
    else:
        counts = fetch_rows(session, _select_per_series(shape, "count"), parameters)
        if not (shape.aggregation or shape.since or shape.known_on):
            ends = fetch_rows(session, _select_date_range(shape), parameters)[0]
            days = [day for end in ends if (day := parse_stored_date(end))]
        else:
            statements = [_select_per_series(shape, end) for end in ("min", "max")]
            days = [day_of_number(day) for end in statements for _, day in fetch_rows(session, end, parameters) if day]
    return ClaimCounts(
        claims=sum(count for _, count in counts),
        sources=len({series_key.partition(" ")[0] for series_key, count in counts if count}),
        first_date=min(days, default=None),
        last_date=max(days, default=None),
    )


_DATE_NUMBER = func.nullif(CLAIM.c.recency % PERIOD_END_FACTOR, 0)
"""The date of a claim as a number of eight digits; NULL if it is unknown."""


@lru_cache(MAX_CACHED_SHAPES)
def _count_past(shape: QuestionShape) -> Select[Any]:
    """Return the statement of the claim count and the first and last date by source in a past state."""
    counts = select(CLAIM.c.source, func.count(), func.min(_DATE_NUMBER), func.max(_DATE_NUMBER))
    return counts.where(*_past_conditions(shape)).group_by(CLAIM.c.source)


@lru_cache(MAX_CACHED_SHAPES)
def _select_per_series(shape: QuestionShape, aggregate: str) -> Select[Any]:
    """Return the statement of an aggregate (`count`, `min` or `max`) of each series, read from the index unsorted."""
    p = _series(shape)
    value = select(
        {"count": func.count(), "min": func.min(_DATE_NUMBER), "max": func.max(_DATE_NUMBER)}[aggregate]
    ).select_from(CLAIM)
    value = value.where(*_is_current_of(p), *shape.is_known(), *shape.starts())
    return select(p.c.standpoint, value.scalar_subquery()).where(
        p.c.standpoint.is_not(None), *_has_aggregation(shape, p)
    )


@lru_cache(MAX_CACHED_SHAPES)
def _select_date_range(shape: QuestionShape) -> Select[Any]:
    """Return the statement of the first and the last date in each category, from the two ends of an index."""
    conditions = (_CURRENT_VERSION, CLAIM.c.status != Status.removed)
    return select(
        *(
            select(end(CLAIM.c.date)).where(*conditions, shape.match(category)).scalar_subquery()
            for category in shape.category_parameters()
            for end in (func.min, func.max)
        )
    )


def day_of_number(number: int) -> date:
    """Return the date of a number of eight digits, such as 20240630."""
    return date(number // 10_000, number // 100 % 100, number % 100)


@lru_cache(MAX_CACHED_SHAPES)
def _select_latest(shape: QuestionShape, *, include_non_positions: bool) -> ClauseElement:
    """Return the statement that selects the claims of the greatest recency of each series, and other listed claims."""
    p = series = _series(shape)
    is_early = []
    if shape.known_on:
        # A claim made by `known_on` about a period that had ended has a recency below a limit. Only series about future
        # periods are scanned from their end.
        latest = case(
            (p.c.standpoint.like(f"% {OPEN_PERIOD_SUFFIX}%"), bindparam("open_recency_limit", type_=BIG_INTEGER)),
            (p.c.standpoint.like(f"% {FUTURE_PERIOD_SUFFIX}%"), PERIOD_END_FACTOR * PERIOD_END_FACTOR),
            else_=bindparam("ended_recency_limit", type_=BIG_INTEGER),
        )
        is_early = [*shape.is_known(), CLAIM.c.recency < latest]
    head = select(func.max(CLAIM.c.recency)).where(*_is_current_of(p), *is_early, *shape.starts())
    is_position = (p.c.standpoint.is_not(None), ~_is_no_position(p))
    heads = select(p, head.scalar_subquery().label("head")).where(*is_position, *_has_aggregation(shape, p))
    p = heads.cte("heads").prefix_with("MATERIALIZED")
    latest_claims = select(CLAIM.c.version).select_from(OrderedJoin(p, CLAIM))
    latest_claims = latest_claims.where(*_is_current_of(p), CLAIM.c.recency == p.c.head, *shape.starts())
    if not include_non_positions:
        return latest_claims
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
    return union_all(latest_claims, non_positions)


def _is_no_position(p: FromClause) -> ColumnElement[bool]:
    return or_(*(p.c.standpoint.like(f"% {suffix}") for suffix in (RETRACTED_SUFFIX, WITHOUT_FIGURE_SUFFIX)))


def _is_current_of(p: FromClause, *names: str) -> list[ColumnElement[bool]]:
    """Return the condition that a version is current and equals `p` in these columns. Default: those of a series."""
    names = names or ("category", "subject", "place", "standpoint")
    return [_CURRENT_VERSION, *(CLAIM.c[name] == p.c[name] for name in names)]


def _has_aggregation(shape: QuestionShape, p: FromClause) -> list[ColumnElement[bool]]:
    return [p.c.standpoint.like(bindparam("aggregation_pattern"))] if shape.aggregation else []


@lru_cache(MAX_CACHED_SHAPES)
def _select_past(shape: QuestionShape) -> Select[Any]:
    """Return the statement of `_select_latest` for a past state. It reads every claim of the question."""
    series = (CLAIM.c.category, CLAIM.c.subject, CLAIM.c.place, CLAIM.c.standpoint)
    rank = func.rank().over(partition_by=series, order_by=CLAIM.c.recency.desc()).label("recency_rank")
    p = select(CLAIM.c.version, CLAIM.c.standpoint, rank).where(*_past_conditions(shape)).subquery("p")
    return select(p.c.version).where(or_(p.c.recency_rank == 1, _is_no_position(p)))


def _past_conditions(shape: QuestionShape) -> list[ColumnElement[bool]]:
    """Return the conditions that a version is a claim of the question in a past state."""
    is_visible = (CLAIM.c.seq > 0, is_version_at(CLAIM.c, AS_OF), CLAIM.c.recency.is_not(None))
    return [shape.match(*shape.category_parameters()), *is_visible, *shape.starts(), *shape.is_known()]


def _series(shape: QuestionShape) -> CTE:
    """Return the series of the question: category, subject, place and series key, each found by a skip scan."""
    categories: Values = values(column("category", SLUG_TEXT), name="category_values")
    level = categories.data([(cast(mark, SLUG_TEXT),) for mark in shape.category_parameters()]).cte("categories")
    names = ["category"]
    for name in ("subject", "place", "standpoint"):
        if getattr(shape, name, False):
            level = select(level, cast(bindparam(name), SLUG_TEXT).label(name)).cte(f"{name}s")
        else:
            level = _next_level(level, names, name)
        names.append(name)
    return level


def _next_level(level: CTE, names: Sequence[str], name: str) -> CTE:
    """Extend each row of a level by each distinct value of the next column, from the smallest value upwards."""

    def extend(p: FromClause, *after: ColumnElement[bool]) -> Select[Any]:
        least = select(func.min(CLAIM.c[name])).where(*_is_current_of(p, *names), *after)
        return select(*(p.c[column_name] for column_name in names), least.scalar_subquery().label(name))

    rows = extend(level).where(level.c[names[-1]].is_not(None)).cte(f"{name}s", recursive=True)
    return rows.union_all(extend(rows, CLAIM.c[name] > rows.c[name]).where(rows.c[name].is_not(None)))


def bind_question(question: Question, categories: Sequence[str], snapshot: Snapshot) -> SqlParameters:
    """Return the parameters of the statements about a question."""
    parameters: SqlParameters = {f"category_{n}": slug for n, slug in enumerate(categories)}
    parameters |= {"subject": question.subject, "place": question.place, "aggregation": question.aggregation}
    day_number = encode_day(snapshot.known_on)
    parameters |= {
        "as_of": snapshot.as_of,
        "known_on": snapshot.known_on,
        "known_on_number": day_number,
        "open_recency_limit": day_number + 1,
        "ended_recency_limit": (day_number + 1) * PERIOD_END_FACTOR,
    }
    parameters["aggregation_pattern"] = f"% {question.aggregation}%"
    if question.since is not None:
        day = question.since
        parameters |= {"since": day, "since_month": day.replace(day=1), "since_year": day.replace(month=1, day=1)}
        parameters |= dict(zip(("in_month", "in_year"), partial_date_patterns(day), strict=True))
    return parameters


def fetch_rows(session: Session, statement: ClauseElement, parameters: Mapping[str, Any]) -> list[Any]:
    """Return the driver rows of a statement that is compiled once.

    Raises `QueryTooBroad` if the statement exceeds the query budget.
    """
    try:
        return fetch_driver_rows(session, statement, parameters)
    except DBAPIError as error:
        if not is_budget_exceeded(error):
            raise
        detail = "This comparison would have to read too many claims."
        raise QueryTooBroad(detail, hint="set `subject` and `place`, and omit `recorded_as_of`") from error


def _build_candidate(row: Sequence[Any], reference_data: ReferenceData) -> Candidate:
    # fmt: off
    (
        version, id_, status, retracted_on, kind, source, category, subject, place,
        proposition, modality, derivation, value, lower, upper, coverage, out_of,
        lower_inclusive, upper_inclusive, approximate, relative_to,
        period, aggregation, day, includes, excludes,
    ) = row
    # fmt: on
    category_node = reference_data.hierarchy.categories.get(category)
    figure = PrintedFigure(
        "",
        None if value is None else normalize_number(value),
        None if lower is None else normalize_number(lower),
        None if upper is None else normalize_number(upper),
        None if lower_inclusive is None else bool(lower_inclusive),
        None if upper_inclusive is None else bool(upper_inclusive),
        bool(approximate),
        coverage,
        None if out_of is None else normalize_number(out_of),
        relative_to,
    )
    statement = Statement(
        str(id_),
        reference_data.position_holders.get(source, source),
        category,
        subject,
        place,
        category_node.unit if category_node else "",
        proposition,
        modality,
        derivation,
        figure,
        parse_period(period),
        aggregation,
        parse_stored_date(day),
        _parse_stored_slugs(includes),
        _parse_stored_slugs(excludes),
    )
    return Candidate(version, statement.id, status, parse_stored_date(retracted_on), kind, statement)


_NO_SLUGS: Final = frozenset[str]()


def parse_stored_date(day: date | str | None) -> date | None:
    """Return the date of a driver value; SQLite stores dates as text."""
    return date.fromisoformat(day) if isinstance(day, str) else day


def _parse_stored_slugs(slugs: str | list[str]) -> frozenset[str]:
    """Return the slugs of a driver value; SQLite stores lists as text."""
    if slugs in ("[]", []):
        return _NO_SLUGS
    return frozenset(orjson.loads(slugs) if isinstance(slugs, str) else slugs)
