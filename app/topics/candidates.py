"""Which claims of a question its side-by-side needs, and how many there are, without a look at each of them.

The rules show of every standpoint (`app/standpoints.py`) only the claims of the latest period end and date. An index
keeps the claims that stand by question, standpoint and recency; here it is read from standpoint to standpoint, and of
each only the end: a few steps for each standpoint, however many claims there are. What is found is what the rules need
and little more; they decide.

For a past state of the register there is no such index, so that all claims of the question are read, in the database.
A statement depends only on the shape of a question, and is built and compiled once for each.
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
from app.claims.series_key import (
    FUTURE_PERIOD_SUFFIX,
    OPEN_PERIOD_SUFFIX,
    PERIOD_END_FACTOR,
    RETRACTED_SUFFIX,
    WITHOUT_FIGURE_SUFFIX,
    encode_day,
)
from app.comparison.figure import PrintedFigure, normalize_number
from app.comparison.period import parse_period
from app.comparison.question import Question
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
"""What the rules need of a claim."""

CLAIM = table_of(ClaimVersion).alias("c")
_CURRENT_VERSION = is_version_at(CLAIM.c, None)

MAX_CACHED_SHAPES = 200
"""So many shapes of questions are kept of each statement."""

MAX_CACHED_CANDIDATES = 8_000
"""So many claims are kept as statements, in about a kilobyte each."""

SqlParameters = dict[str, Any]


@dataclass(frozen=True, slots=True)
class QuestionShape:
    """What the statements about a question depend on beside their values: how many categories, and what is given."""

    categories: int
    subject: bool
    place: bool
    aggregation: bool
    since: bool
    past: bool
    known_on: bool

    @classmethod
    def of(cls, question: Question, categories: Sequence[str], view: Snapshot) -> "QuestionShape":
        """Return the shape of a question about these categories in a snapshot."""
        return cls(
            len(categories),
            question.subject is not None,
            question.place is not None,
            question.aggregation is not None,
            question.since is not None,
            view.as_of is not None,
            view.known_on is not None,
        )

    def category_marks(self) -> list[BindParameter[Any]]:
        """A parameter for each category."""
        return [bindparam(f"category_{n}") for n in range(self.categories)]

    def match(self, *categories: BindParameter[Any]) -> ColumnElement[bool]:
        """A claim belongs to the question, in one of these categories, whenever its period starts (see `starts`)."""
        given: list[BindParameter[Any] | None] = [
            bindparam(name) if getattr(self, name) else None for name in ("subject", "place", "aggregation")
        ]
        return match_topic(CLAIM.c, categories, *given)

    def starts(self) -> list[ColumnElement[bool]]:
        """The period starts on the asked day, or in a month or year that has it and is known no closer."""
        if not self.since:
            return []
        days: list[BindParameter[Any]] = [bindparam(name) for name in ("since", "since_month", "since_year")]
        since = [days[0], *(bindparam(name) for name in ("in_month", "in_year"))]
        # What the index of standpoints knows comes first. `IS TRUE` keeps other indices away, that would lead astray.
        return [CLAIM.c.period_start.in_(days).is_(literal_column("TRUE")), starts_on(CLAIM.c, *since)]

    def said(self) -> list[ColumnElement[bool]]:
        """Only what had been said by the asked day."""
        day = CLAIM.c.recency % PERIOD_END_FACTOR
        return [day.between(1, bindparam("said", type_=BIG_INTEGER))] if self.known_on else []


@dataclass(frozen=True, slots=True)
class Candidate:
    """A claim that may be a position: its version, what the rules say about, and whether it is set apart from them."""

    version: int
    id: str
    status: str
    retracted_on: date | None
    kind: str
    statement: Statement


@dataclass(frozen=True, slots=True)
class ClaimCounts:
    """How many claims there are, of how many sources, and from when to when they were said."""

    claims: int
    sources: int
    first_date: date | None
    last_date: date | None


class CandidateCache:
    """Candidates by version, as one state of the reference data describes them."""

    def __init__(self) -> None:
        self._reference_data: ReferenceData | None = None
        self._by_version: BoundedCache[int, Candidate] = BoundedCache(MAX_CACHED_CANDIDATES)

    def get(self, versions: Iterable[int], words: ReferenceData) -> dict[int, Candidate]:
        """Return those of `versions` that are in the cache. Other reference data than the last empty it."""
        if self._reference_data is not words:
            self._reference_data, self._by_version = words, BoundedCache(MAX_CACHED_CANDIDATES)
        by_version = self._by_version
        return {version: found for version in versions if (found := by_version.get(version)) is not None}

    def store(self, candidates: Mapping[int, Candidate], words: ReferenceData) -> None:
        """Add candidates, unless the reference data are no longer those that they were built with."""
        by_version = self._by_version
        if self._reference_data is words:
            for version, candidate in candidates.items():
                by_version.store(version, candidate)


CANDIDATES = CacheKey("candidates", lambda _database: CandidateCache())


def expand_categories(question: Question, words: ReferenceData, *, narrower: bool) -> tuple[str, ...]:
    """Return the category of a question, with `narrower` also its narrower categories, in order."""
    return tuple(sorted(words.descendants("category", question.category))) if narrower else (question.category,)


def load_candidates(
    session: Session,
    question: Question,
    categories: Sequence[str],
    view: Snapshot,
    words: ReferenceData,
    *,
    apart: bool = True,
) -> list[Candidate]:
    """Every claim that may be a position, and a few more that turn out to be none.

    With `apart` also those that are shown apart: taken back by their sources, or without a figure.
    """
    # Nothing is taken back on a day after the last change, so it only still stands where a clock was set back.
    apart = apart or view.today < view.at.date()
    shape = QuestionShape.of(question, categories, view)
    statement = _select_past(shape) if shape.past else _select_latest(shape, apart=apart)
    versions = [version for (version,) in fetch_rows(session, statement, bind_question(question, categories, view))]
    # A version never changes, so that it is taken apart once as long as its words mean the same.
    database: Database | None = session.info.get("database")
    cache = None if database is None or view.as_of is not None else database.caches[CANDIDATES]
    known = {} if cache is None else cache.get(versions, words)
    missing = [version for version in versions if version not in known]
    if missing:
        rows = fetch_rows(session, _SELECT_STATEMENTS, {"versions": missing})
        loaded = {row[0]: _build_candidate(row, words) for row in rows}
        if cache is not None:
            cache.store(loaded, words)
        known |= loaded
    return [known[version] for version in versions]


_SELECT_STATEMENTS = select(*(CLAIM.c[name] for name in STATEMENT_COLUMNS)).where(InList(CLAIM.c.version, "versions"))


def count_claims(session: Session, question: Question, categories: Sequence[str], view: Snapshot) -> ClaimCounts:
    """Count the claims of a question that were not taken down."""
    shape = QuestionShape.of(question, categories, view)
    parameters = bind_question(question, categories, view)
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
        sources=len({line.partition(" ")[0] for line, count in counts if count}),
        first_date=min(days, default=None),
        last_date=max(days, default=None),
    )


_SAID = func.nullif(CLAIM.c.recency % PERIOD_END_FACTOR, 0)
"""The day on which a claim was said, as a number; none where it is not known."""


@lru_cache(MAX_CACHED_SHAPES)
def _count_past(shape: QuestionShape) -> Select[Any]:
    counted = select(CLAIM.c.source, func.count(), func.min(_SAID), func.max(_SAID))
    return counted.where(*_past_conditions(shape)).group_by(CLAIM.c.source)


@lru_cache(MAX_CACHED_SHAPES)
def _select_per_series(shape: QuestionShape, wanted: str) -> Select[Any]:
    """Something of the claims of each standpoint that the index tells; one after the other, nothing is sorted."""
    p = _series(shape)
    found = select({"count": func.count(), "min": func.min(_SAID), "max": func.max(_SAID)}[wanted]).select_from(CLAIM)
    found = found.where(*_is_current_of(p), *shape.said(), *shape.starts())
    return select(p.c.standpoint, found.scalar_subquery()).where(p.c.standpoint.is_not(None), *_counts_so(shape, p))


@lru_cache(MAX_CACHED_SHAPES)
def _select_date_range(shape: QuestionShape) -> Select[Any]:
    """The first and the last date in each category: the two ends of an index."""
    given = (_CURRENT_VERSION, CLAIM.c.status != Status.removed)
    return select(
        *(
            select(end(CLAIM.c.date)).where(*given, shape.match(category)).scalar_subquery()
            for category in shape.category_marks()
            for end in (func.min, func.max)
        )
    )


def day_of_number(number: int) -> date:
    """The day that eight digits stand for."""
    return date(number // 10_000, number // 100 % 100, number % 100)


@lru_cache(MAX_CACHED_SHAPES)
def _select_latest(shape: QuestionShape, *, apart: bool) -> ClauseElement:
    """Of each standpoint the claims of the greatest recency; and every claim that is set apart."""
    p = series = _series(shape)
    early = []
    if shape.known_on:
        # Nobody can have said later what ended before; only those about days to come are looked through from the end.
        latest = case(
            (p.c.standpoint.like(f"% {OPEN_PERIOD_SUFFIX}%"), bindparam("said_open", type_=BIG_INTEGER)),
            (p.c.standpoint.like(f"% {FUTURE_PERIOD_SUFFIX}%"), PERIOD_END_FACTOR * PERIOD_END_FACTOR),
            else_=bindparam("said_ended", type_=BIG_INTEGER),
        )
        early = [*shape.said(), CLAIM.c.recency < latest]
    head = select(func.max(CLAIM.c.recency)).where(*_is_current_of(p), *early, *shape.starts())
    is_position = (p.c.standpoint.is_not(None), ~_is_no_position(p))
    found = select(p, head.scalar_subquery().label("head")).where(*is_position, *_counts_so(shape, p))
    p = found.cte("heads").prefix_with("MATERIALIZED")
    latest_claims = select(CLAIM.c.version).select_from(OrderedJoin(p, CLAIM))
    latest_claims = latest_claims.where(*_is_current_of(p), CLAIM.c.recency == p.c.head, *shape.starts())
    if not apart:
        return latest_claims
    set_apart = (
        select(CLAIM.c.version)
        .select_from(OrderedJoin(series, CLAIM))
        .where(
            _is_no_position(series),
            *_is_current_of(series),
            *shape.said(),
            *shape.starts(),
            *_counts_so(shape, series),
        )
    )
    return union_all(latest_claims, set_apart)


def _is_no_position(p: FromClause) -> ColumnElement[bool]:
    return or_(*(p.c.standpoint.like(f"% {suffix}") for suffix in (RETRACTED_SUFFIX, WITHOUT_FIGURE_SUFFIX)))


def _is_current_of(p: FromClause, *names: str) -> list[ColumnElement[bool]]:
    """A version stands, and has these columns (none: all that tell a series) in common with `p`."""
    names = names or ("category", "subject", "place", "standpoint")
    return [_CURRENT_VERSION, *(CLAIM.c[name] == p.c[name] for name in names)]


def _counts_so(shape: QuestionShape, p: FromClause) -> list[ColumnElement[bool]]:
    return [p.c.standpoint.like(bindparam("counted_so"))] if shape.aggregation else []


@lru_cache(MAX_CACHED_SHAPES)
def _select_past(shape: QuestionShape) -> Select[Any]:
    """The same of a past state: every claim of the question is looked at."""
    of = (CLAIM.c.category, CLAIM.c.subject, CLAIM.c.place, CLAIM.c.standpoint)
    rank = func.rank().over(partition_by=of, order_by=CLAIM.c.recency.desc()).label("place_in_line")
    p = select(CLAIM.c.version, CLAIM.c.standpoint, rank).where(*_past_conditions(shape)).subquery("p")
    return select(p.c.version).where(or_(p.c.place_in_line == 1, _is_no_position(p)))


def _past_conditions(shape: QuestionShape) -> list[ColumnElement[bool]]:
    """The conditions under which a version is a claim of the question in a past state."""
    held = (CLAIM.c.seq > 0, is_version_at(CLAIM.c, AS_OF), CLAIM.c.recency.is_not(None))
    return [shape.match(*shape.category_marks()), *held, *shape.starts(), *shape.said()]


def _series(shape: QuestionShape) -> CTE:
    """Every category, subject, place and standpoint of the question: from each the index leads to the next."""
    categories: Values = values(column("category", SLUG_TEXT), name="given")
    level = categories.data([(cast(mark, SLUG_TEXT),) for mark in shape.category_marks()]).cte("categories")
    known = ["category"]
    for name in ("subject", "place", "standpoint"):
        if getattr(shape, name, False):
            level = select(level, cast(bindparam(name), SLUG_TEXT).label(name)).cte(f"{name}s")
        else:
            level = _next_level(level, known, name)
        known.append(name)
    return level


def _next_level(level: CTE, known: Sequence[str], name: str) -> CTE:
    """Each row of a level with every value that the next column has there: the least, and then always the next."""

    def extend(p: FromClause, *after: ColumnElement[bool]) -> Select[Any]:
        least = select(func.min(CLAIM.c[name])).where(*_is_current_of(p, *known), *after)
        return select(*(p.c[each] for each in known), least.scalar_subquery().label(name))

    found = extend(level).where(level.c[known[-1]].is_not(None)).cte(f"{name}s", recursive=True)
    return found.union_all(extend(found, CLAIM.c[name] > found.c[name]).where(found.c[name].is_not(None)))


def bind_question(question: Question, categories: Sequence[str], view: Snapshot) -> SqlParameters:
    """Everything that the statements about a question name."""
    found: SqlParameters = {f"category_{n}": slug for n, slug in enumerate(categories)}
    found |= {"subject": question.subject, "place": question.place, "aggregation": question.aggregation}
    said = encode_day(view.known_on)
    found |= {
        "as_of": view.as_of,
        "known_on": view.known_on,
        "said": said,
        "said_open": said + 1,
        "said_ended": (said + 1) * PERIOD_END_FACTOR,
    }
    found["counted_so"] = f"% {question.aggregation}%"
    if question.since is not None:
        day = question.since
        found |= {"since": day, "since_month": day.replace(day=1), "since_year": day.replace(month=1, day=1)}
        found |= dict(zip(("in_month", "in_year"), partial_date_patterns(day), strict=True))
    return found


def fetch_rows(session: Session, statement: ClauseElement, parameters: Mapping[str, Any]) -> list[Any]:
    """The rows of a statement that is kept, as the driver gives them.

    Raises `QueryTooBroad` where it takes more than a reader's statement may.
    """
    try:
        return fetch_driver_rows(session, statement, parameters)
    except DBAPIError as error:
        if not is_budget_exceeded(error):
            raise
        detail = "Too many claims would have to be looked at to answer this."
        raise QueryTooBroad(detail, hint="name a `subject` and a `place`, and ask for the present state") from error


def _build_candidate(row: Sequence[Any], words: ReferenceData) -> Candidate:
    # fmt: off
    (
        version, id_, status, retracted_on, kind, source, category, subject, place,
        proposition, modality, derivation, value, lower, upper, coverage, out_of,
        lower_inclusive, upper_inclusive, approximate, relative_to,
        period, aggregation, said, includes, excludes,
    ) = row
    # fmt: on
    known = words.hierarchy.categories.get(category)
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
        words.position_holders.get(source, source),
        category,
        subject,
        place,
        known.unit if known else "",
        proposition,
        modality,
        derivation,
        figure,
        parse_period(period),
        aggregation,
        parse_stored_date(said),
        _parse_stored_slugs(includes),
        _parse_stored_slugs(excludes),
    )
    return Candidate(version, statement.id, status, parse_stored_date(retracted_on), kind, statement)


_NO_SLUGS: Final = frozenset[str]()


def parse_stored_date(day: date | str | None) -> date | None:
    """SQLite keeps days as text."""
    return date.fromisoformat(day) if isinstance(day, str) else day


def _parse_stored_slugs(words: str | list[str]) -> frozenset[str]:
    """SQLite keeps lists as text."""
    if words in ("[]", []):
        return _NO_SLUGS
    return frozenset(orjson.loads(words) if isinstance(words, str) else words)
