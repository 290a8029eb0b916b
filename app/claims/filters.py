"""The filters of claims: each is declared once, as URL parameter, OpenAPI text and WHERE clause."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import ColumnElement, String, and_, cast, exists, func, or_, select
from sqlmodel import Session

from app.changes.clock import View
from app.claims.scheme import Scheme
from app.claims.search import search
from app.paging import Order, PageQuery
from app.problems import InvalidRequest, UnknownSlug, fault, nearest
from app.shapes import ID_PATTERN, Day, Slug, UtcTime
from app.sources.queries import SOURCE
from app.tables import (
    AssessmentVersion,
    Change,
    CitationVersion,
    ClaimVersion,
    SourceVersion,
    TopicVersion,
    columns_of,
    table_of,
)
from app.topics.kinds import TOPIC
from app.vocabulary.kinds import CATEGORY, PLACE, SUBJECT, scheme
from app.vocabulary.slugged import Slugged, absent, slugs
from app.vocabulary.terms import (
    Aggregation,
    Credibility,
    FigureKind,
    Interest,
    Modality,
    Proposition,
    Reliability,
    SourceKind,
    Status,
)

claim = columns_of(ClaimVersion)


class Sort(StrEnum):
    """The orders of claims. Unknown values come last in each."""

    newest = "-date"
    oldest = "date"
    newest_recorded = "-recorded"
    oldest_recorded = "recorded"
    smallest = "value"
    largest = "-value"
    by_source = "source"


class ConfidenceFilter(StrEnum):
    """Levels of confidence, and the absence of any assessment."""

    high = "high"
    moderate = "moderate"
    low = "low"
    unassessed = "unassessed"


class Asking:
    """What a filter can look at besides its own value: the session, the view, the hierarchies, the whole query."""

    def __init__(self, session: Session, view: View, *, narrower: bool | None = None) -> None:
        self.session = session
        self.view = view
        self.narrower = narrower

    @cached_property
    def scheme(self) -> Scheme:
        """The hierarchies of the view."""
        return scheme(self.session, self.view)

    def check(self, name: str, kind: Slugged, wanted: list[str]) -> None:
        """Raise `UnknownSlug` for slugs that do not exist, with the nearest one."""
        for slug in sorted(absent(self.session, kind, wanted, self.view)):
            detail = f"There is no {kind.name} `{slug}`."
            hint = nearest(slug, slugs(self.session, kind, self.view))
            raise UnknownSlug(detail, hint=hint, errors=[fault(name, detail, hint=hint, location="query")])


Clause = Callable[[Asking, Any], ColumnElement[bool]]


class Where:
    """The WHERE clause of the filter that it annotates."""

    def __init__(self, clause: Clause) -> None:
        self.clause = clause


def _equals(column: str) -> Where:
    return Where(lambda _asking, values: claim[column].in_(values))


def _category(asking: Asking, wanted: list[str]) -> ColumnElement[bool]:
    asking.check("category", CATEGORY, wanted)
    below = {slug for each in wanted for slug in asking.scheme.narrower_categories(each)} if asking.narrower else wanted
    return claim.category.in_(below)


def _subject(asking: Asking, wanted: list[str]) -> ColumnElement[bool]:
    asking.check("subject", SUBJECT, wanted)
    below = {slug for each in wanted for slug in asking.scheme.narrower_subjects(each)} if asking.narrower else wanted
    return claim.subject.in_(below)


def _place(asking: Asking, wanted: list[str]) -> ColumnElement[bool]:
    asking.check("place", PLACE, wanted)
    below = {slug for each in wanted for slug in asking.scheme.narrower_places(each)} if asking.narrower else wanted
    return claim.place.in_(below)


def _source(asking: Asking, wanted: list[str]) -> ColumnElement[bool]:
    asking.check("source", SOURCE, wanted)
    return claim.source.in_(wanted)


def _of_source(column: str) -> Where:
    def clause(asking: Asking, wanted: list[str]) -> ColumnElement[bool]:
        source = columns_of(SourceVersion)
        return claim.source.in_(select(source.slug).where(source[column].in_(wanted), asking.view.holds(SourceVersion)))

    return Where(clause)


def _assessed(asking: Asking, column: str, wanted: list[str]) -> ColumnElement[bool]:
    """The newest assessment that was not withdrawn has one of these words."""
    newest = table_of(AssessmentVersion).alias("newest")
    latest = (
        select(newest.c.version)
        .where(newest.c.claim == claim.id, newest.c.withdrawn.is_(False), asking.view.among(newest.c))
        .order_by(newest.c.assessed_on.desc(), newest.c.id.desc())
        .limit(1)
        .correlate(table_of(ClaimVersion))
        .scalar_subquery()
    )
    assessment = columns_of(AssessmentVersion)
    return exists().where(assessment.version == latest, assessment[column].in_(wanted))


def _confidence(asking: Asking, wanted: list[ConfidenceFilter]) -> ColumnElement[bool]:
    levels = [each.value for each in wanted if each is not ConfidenceFilter.unassessed]
    clauses = [_assessed(asking, "level", levels)] if levels else []
    if ConfidenceFilter.unassessed in wanted:
        assessment = columns_of(AssessmentVersion)
        stands = and_(assessment.withdrawn.is_(False), asking.view.holds(AssessmentVersion))
        clauses.append(~exists().where(assessment.claim == claim.id, stands))
    return or_(*clauses)


def _status(asking: Asking, wanted: list[Status]) -> ColumnElement[bool]:
    """A retraction counts from its day on: before it, the claim stands."""
    day = asking.view.known_on
    if day is None:
        return claim.status.in_(wanted)
    later = and_(claim.status == Status.retracted, claim.retracted_on > day)
    clauses = [and_(claim.status == each, ~later) for each in wanted]
    return or_(*clauses, *([later] if Status.asserted in wanted else []))


def _document(asking: Asking, wanted: list[str]) -> ColumnElement[bool]:
    citation = columns_of(CitationVersion)
    cited = [id_ for id_ in wanted if ID_PATTERN.fullmatch(id_)]
    return exists().where(citation.claim == claim.id, citation.document.in_(cited), asking.view.holds(CitationVersion))


def _topic(asking: Asking, wanted: list[str]) -> ColumnElement[bool]:
    asking.check("topic", TOPIC, wanted)
    columns = columns_of(TopicVersion)
    found = asking.session.execute(
        select(*columns).where(columns.slug.in_(wanted), asking.view.holds(TopicVersion))
    ).mappings()
    return or_(*(topic_clause(asking.scheme, topic, narrower=asking.narrower is not False) for topic in found))


def topic_clause(scheme: Scheme, topic: Any, *, narrower: bool = True) -> ColumnElement[bool]:  # noqa: ANN401 - a row
    """The claims of a topic: those that have its fields, in its category or one within it."""
    categories = scheme.narrower_categories(topic["category"]) if narrower else {topic["category"]}
    clauses = [
        claim.category.in_(sorted(categories)),
        claim.subject == topic["subject"],
        claim.place == topic["place"],
    ]
    if topic["aggregation"] is not None:
        clauses.append(claim.aggregation == topic["aggregation"])
    if topic["since"] is not None:
        clauses.append(starts_on(topic["since"]))
    return and_(*clauses)


def starts_on(day: date) -> ColumnElement[bool]:
    """The period starts on `day`, or in a month or year that has it and is known no closer."""
    coarser = [claim.period.like(f"{prefix}/%") for prefix in (day.isoformat()[:7], day.isoformat()[:4])]
    return or_(claim.period_start == day, *coarser)


def _updated_since(asking: Asking, since: datetime) -> ColumnElement[bool]:
    """Changed themselves, or through a citation, an assessment or a relation, by the state that is asked for."""
    change = columns_of(Change)
    known = (change.at >= since, change.seq <= asking.view.seq, change.claim.is_not(None))
    return claim.id.in_(select(change.claim).where(*known))


class ClaimQuery(PageQuery):
    """Which claims, in which order. Filters are joined by AND, the values of one filter by OR."""

    category: Annotated[list[Slug], Where(_category)] = Field(
        default=[], description="What is counted.", examples=[["casualties"]]
    )
    subject: Annotated[list[Slug], Where(_subject)] = Field(
        default=[], description="Whose.", examples=[["russian-forces"]]
    )
    place: Annotated[list[Slug], Where(_place)] = Field(default=[], description="Where.", examples=[["kursk-oblast"]])
    narrower: bool | None = Field(
        default=None,
        description="Whether categories, subjects and places also take what lies below them. A topic takes the "
        "categories within its own unless this is `false`.",
        examples=[True],
    )
    source: Annotated[list[Slug], Where(_source)] = Field(default=[], description="Who said it.", examples=[["csis"]])
    source_kind: Annotated[list[SourceKind], _of_source("kind")] = Field(
        default=[], description="What the source is.", examples=[["think_tank"]]
    )
    interest: Annotated[list[Interest], _of_source("interest")] = Field(
        default=[], description="Where the source stands in the dispute.", examples=[["independent"]]
    )
    proposition: Annotated[list[Proposition], _equals("proposition")] = Field(
        default=[], description="The kind of statement.", examples=[["quantity"]]
    )
    modality: Annotated[list[Modality], _equals("modality")] = Field(
        default=[], description="How the source holds it.", examples=[["estimate"]]
    )
    aggregation: Annotated[list[Aggregation], _equals("aggregation")] = Field(
        default=[], description="How the figure relates to its period.", examples=[["cumulative"]]
    )
    kind: Annotated[list[FigureKind], _equals("kind")] = Field(
        default=[], description="The shape of the figure.", examples=[["lower_bound"]]
    )
    confidence: Annotated[list[ConfidenceFilter], Where(_confidence)] = Field(
        default=[], description="The level of the newest assessment, or `unassessed`.", examples=[["low"]]
    )
    reliability: Annotated[
        list[Reliability], Where(lambda asking, wanted: _assessed(asking, "reliability", wanted))
    ] = Field(default=[], description="The grade of the source; F: cannot be judged.", examples=[["C"]])
    credibility: Annotated[
        list[Credibility], Where(lambda asking, wanted: _assessed(asking, "credibility", wanted))
    ] = Field(default=[], description="The grade of the figure; 6: cannot be judged.", examples=[["3"]])
    date_from: Annotated[Day | None, Where(lambda _asking, day: claim.date >= day)] = Field(
        default=None, description="Said on this day or later.", examples=["2025-01-01"]
    )
    date_to: Annotated[Day | None, Where(lambda _asking, day: claim.date <= day)] = Field(
        default=None, description="Said on this day or earlier.", examples=["2025-06-30"]
    )
    period_from: Annotated[
        Day | None, Where(lambda _asking, day: or_(claim.period_end >= day, claim.period_end.is_(None)))
    ] = Field(default=None, description="The period reaches this day or a later one.", examples=["2025-01-01"])
    period_to: Annotated[
        Day | None, Where(lambda _asking, day: or_(claim.period_start <= day, claim.period_start.is_(None)))
    ] = Field(default=None, description="The period begins on this day or an earlier one.", examples=["2025-06-30"])
    value_min: Annotated[
        float | None,
        Where(lambda _asking, n: and_(or_(claim.high >= n, claim.high.is_(None)), claim.magnitude.is_not(None))),
    ] = Field(
        default=None,
        allow_inf_nan=False,
        description="The figure can be this or more (an open end can).",
        examples=[100000],
    )
    value_max: Annotated[
        float | None,
        Where(lambda _asking, n: and_(or_(claim.low <= n, claim.low.is_(None)), claim.magnitude.is_not(None))),
    ] = Field(
        default=None,
        allow_inf_nan=False,
        description="The figure can be this or less (an open end can).",
        examples=[500000],
    )
    status: Annotated[list[Status], Where(_status)] = Field(
        default=[], description="Whether it stands; all but `removed` if not given.", examples=[["asserted"]]
    )
    document: Annotated[list[str], Where(_document)] = Field(
        default=[], description="Can be read in this document.", examples=[["01a1f640-bc00-7643-9830-d0c28b0cfb0d"]]
    )
    topic: Annotated[list[Slug], Where(_topic)] = Field(
        default=[], description="Belongs to this topic.", examples=[["russian-casualties"]]
    )
    q: Annotated[str | None, Where(lambda asking, words: search(asking.session, asking.view, words))] = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="All these words in wording, quote, translation, note or the names of source, category, subject "
        "and place; accents and case do not matter.",
        examples=["mediazona named"],
    )
    updated_since: Annotated[UtcTime | None, Where(_updated_since)] = Field(
        default=None,
        description="Recorded or changed at this time or later, its citations and assessments included.",
        examples=["2026-11-20T10:00:00Z"],
    )
    known_on: Annotated[Day | None, Where(lambda _asking, day: claim.date <= day)] = Field(
        default=None, description="Only what had been said by this day; undated claims never.", examples=["2025-06-12"]
    )
    sort: Sort = Field(default=Sort.newest, description="The order; unknown values come last.", examples=["-date"])


def clauses(query: ClaimQuery, asking: Asking) -> Iterator[ColumnElement[bool]]:
    """The conditions of every filter that is set."""
    yield asking.view.holds(ClaimVersion)
    if not query.status:
        yield claim.status != Status.removed
    for name, info in ClaimQuery.model_fields.items():
        value = getattr(query, name)
        if value not in (None, []):
            yield from (found.clause(asking, value) for found in info.metadata if isinstance(found, Where))


def order_of(sort: Sort) -> Order:
    """How `sort` is read from an index."""
    # By source, then date: one text, so that one keyset walks both. Undated claims come last within their source.
    by_source = claim.source + " " + func.coalesce(cast(claim.date, String), "9999-12-31")
    columns = {"date": claim.date, "recorded": claim.seq, "value": claim.magnitude, "source": by_source}
    column = columns[sort.value.removeprefix("-")]
    return Order(sort.value, claim.id, column, descending=sort.value.startswith("-"))


def check_ranges(query: ClaimQuery) -> None:
    """Raise `InvalidRequest` for a range that ends before it begins."""
    for low, high in (("date_from", "date_to"), ("period_from", "period_to"), ("value_min", "value_max")):
        first, last = getattr(query, low), getattr(query, high)
        if first is not None and last is not None and first > last:
            detail = f"`{low}` lies behind `{high}`."
            raise InvalidRequest(detail, hint="exchange them", errors=[fault(low, detail, location="query")])
