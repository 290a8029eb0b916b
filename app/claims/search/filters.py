"""The filters of claims: each is declared once, as URL parameter, OpenAPI text, WHERE condition and index lookups.

A condition is made of parameters, not of values, so that the SQL of a query is compiled once for all of its shape.
`sql.py` puts the conditions together.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum, StrEnum
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    String,
    and_,
    cast,
    false,
    func,
    or_,
    select,
)
from sqlmodel import Session

from app.claims.search.full_text import (
    build_exists,
    build_word_lookups,
    build_words_condition,
    resolve_search_words,
)
from app.claims.search.index_lookup import (
    CLAIM,
    BoundParameters,
    Columns,
    IndexLookup,
    look_up_claims,
    look_up_claims_by_id,
    look_up_slugs,
    match_any,
)
from app.comparison.hierarchy import Hierarchy
from app.database.keyset import Order
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.database.sql import with_index
from app.database.tables import (
    COMMON_VALUES,
    AssessmentVersion,
    Change,
    CitationVersion,
    ClaimVersion,
    columns_of,
    table_of,
)
from app.database.types import ID_PATTERN
from app.enums import (
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
from app.errors import InvalidRequest, UnknownSlug, field_fault, suggest_nearest
from app.http.pagination import PageQuery
from app.http.schema_types import Day, Slug, UtcTime
from app.sources.queries import SOURCE
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.reference_data import ReferenceData, get_reference_data
from app.vocabulary.slug_records import RecordType

claim = columns_of(ClaimVersion)

SORT_COLUMNS = {"date": "date", "recorded": "seq", "value": "magnitude"}
"""The column of each order but that by source."""

UNDATED_SORT_DATE = date(9999, 12, 31)
"""Where undated claims stand in the order by source."""


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


class FilterContext:
    """What a filter can look at besides its own value: the view and its vocabularies, and two parts of the query."""

    def __init__(self, source: ReadSession | Session, view: Snapshot, *, narrower: bool | None = None) -> None:
        self.snapshot = view
        self.narrower = narrower
        self.is_postgresql = (
            source.dialect if isinstance(source, ReadSession) else source.get_bind().dialect.name
        ) != "sqlite"
        self._reader = source

    @cached_property
    def reference_data(self) -> ReferenceData:
        """The vocabularies of the view."""
        return get_reference_data(self._reader, self.snapshot)

    @property
    def hierarchy(self) -> Hierarchy:
        """The hierarchies of the view."""
        return self.reference_data.hierarchy

    def check_slugs(self, name: str, kind: str, wanted: Sequence[str]) -> None:
        """Raise `UnknownSlug` for slugs that do not exist, with the nearest one."""
        known = self.reference_data.slugs[kind]
        if known.issuperset(wanted):
            return
        slug = min(set(wanted) - known)
        detail = f"There is no {kind} `{slug}`."
        hint = suggest_nearest(slug, sorted(known))
        raise UnknownSlug(detail, hint=hint, errors=[field_fault(name, detail, hint=hint, location="query")])


FilterBinding = tuple[Hashable, Sequence[Any]]
"""What a filter is asked: the form that its SQL depends on, and the values that it does not."""


@dataclass(frozen=True, slots=True)
class Filter:
    """How the filter that it annotates is asked for.

    `bind` takes the value of a query apart; `condition` is what holds for a claim with these columns; `index_lookups`
    find all such claims (perhaps more) together; none where there is no index to find them by.
    """

    condition: Callable[[Columns, BoundParameters, Snapshot, Any], ColumnElement[bool]]
    bind: Callable[[FilterContext, Any], FilterBinding] = lambda _asking, value: (None, (value,))
    index_lookups: Callable[[BoundParameters, Any], Sequence[IndexLookup] | None] = lambda _marks, _form: None


def _bind_distinct(_asking: FilterContext, wanted: Sequence[Any]) -> FilterBinding:
    values = list(dict.fromkeys(wanted))
    return len(values), values


def _slug_filter(column: str, kind: RecordType) -> Filter:
    """The claims with one of these slugs, or with what lies below them."""

    def bind(asking: FilterContext, wanted: Sequence[str]) -> FilterBinding:
        asking.check_slugs(column, kind.name, wanted)
        if asking.narrower and column != "source":
            wanted = [below for slug in wanted for below in sorted(asking.reference_data.descendants(column, slug))]
        return _bind_distinct(asking, wanted)

    return Filter(
        lambda columns, marks, _view, _form: match_any(columns, column, marks),
        bind,
        lambda marks, _form: [look_up_slugs(column, marks)],
    )


def _source_filter(part: str) -> Filter:
    """The claims of sources of a `kind` or an `interest`: few enough to be named."""

    def bind(asking: FilterContext, wanted: Sequence[Enum]) -> FilterBinding:
        words = {each.value for each in wanted}
        found = sorted(slug for slug, said in asking.reference_data.sources.items() if getattr(said, part) in words)
        return len(found), found

    return Filter(
        lambda columns, marks, _view, _form: match_any(columns, "source", marks),
        bind,
        lambda marks, _form: [look_up_slugs("source", marks)] if marks else [],
    )


def _enum_filter(column: str) -> Filter:
    """The claims with one of these words; only the rarer ones are worth an index."""
    common = COMMON_VALUES[column]

    def bind(_asking: FilterContext, wanted: Sequence[Any]) -> FilterBinding:
        values = list(dict.fromkeys(each.value for each in wanted))
        return (len(values), set(common).isdisjoint(values)), values

    def look_up(marks: BoundParameters, form: tuple[int, bool]) -> Sequence[IndexLookup] | None:
        rare = CLAIM.c[column].not_in(common) if len(common) > 1 else CLAIM.c[column] != common[0]
        return [look_up_claims(f"ix_claim_{column}", match_any(CLAIM.c, column, marks), rare)] if form[1] else None

    return Filter(lambda columns, marks, _view, _form: match_any(columns, column, marks), bind, look_up)


def _assessment_filter(column: str) -> Filter:
    """The newest assessment that was not withdrawn has one of these words."""

    def condition(columns: Columns, marks: BoundParameters, view: Snapshot, _form: int) -> ColumnElement[bool]:
        newest = table_of(AssessmentVersion).alias("newest")
        latest = (
            select(newest.c[column])
            .where(newest.c.claim == columns.id, newest.c.withdrawn.is_(False), view.contains_alias(newest.c))
            .order_by(newest.c.assessed_on.desc(), newest.c.id.desc())
            .limit(1)
            .scalar_subquery()
        )
        return latest.in_(marks)

    return Filter(condition, _bind_distinct, lambda marks, _form: [_look_up_assessed(column, marks)])


def _look_up_assessed(column: str, marks: BoundParameters) -> IndexLookup:
    assessment = table_of(AssessmentVersion)
    stands = (match_any(assessment.c, column, marks), assessment.c.until_seq.is_(None))
    return look_up_claims_by_id(assessment, assessment.c.claim, *stands, index=f"ix_assessment_{column}")


def _confidence_filter() -> Filter:
    level = _assessment_filter("level")

    def bind(_asking: FilterContext, wanted: Sequence[ConfidenceFilter]) -> FilterBinding:
        levels = list(dict.fromkeys(each.value for each in wanted if each is not ConfidenceFilter.unassessed))
        return (len(levels), ConfidenceFilter.unassessed in wanted), levels

    def condition(
        columns: Columns, marks: BoundParameters, view: Snapshot, form: tuple[int, bool]
    ) -> ColumnElement[bool]:
        clauses = [level.condition(columns, marks, view, None)] if marks else []
        if form[1]:
            assessment = table_of(AssessmentVersion)
            stands = and_(assessment.c.withdrawn.is_(False), view.contains(AssessmentVersion))
            clauses.append(~build_exists(assessment, assessment.c.claim == columns.id, stands))
        return or_(*clauses)

    return Filter(condition, bind, lambda marks, form: None if form[1] else [_look_up_assessed("level", marks)])


def _status_filter() -> Filter:
    """A retraction counts from its day on: before it, the claim stands."""

    def bind(asking: FilterContext, wanted: Sequence[Status]) -> FilterBinding:
        day = asking.snapshot.known_on
        words = tuple(sorted({each.value for each in wanted}))
        return (words, day is not None), [] if day is None else [day]

    def condition(
        columns: Columns, marks: BoundParameters, _view: Snapshot, form: tuple[tuple[str, ...], bool]
    ) -> ColumnElement[bool]:
        said: ColumnElement[bool] = columns.status.in_(form[0])
        if not marks:
            return said
        later = and_(columns.status == Status.retracted, columns.retracted_on > marks[0])
        standing = and_(said, or_(columns.retracted_on.is_(None), ~later))
        return or_(standing, later) if Status.asserted.value in form[0] else standing

    def look_up(_marks: BoundParameters, form: tuple[tuple[str, ...], bool]) -> Sequence[IndexLookup] | None:
        return None if Status.asserted.value in form[0] else [look_up_status(*form[0])]

    return Filter(condition, bind, look_up)


def look_up_status(*words: str) -> IndexLookup:
    """The claims that stand with one of these words, none of which is `asserted`."""
    status = CLAIM.c.status
    found = with_index(select(CLAIM.c.version), CLAIM, "ix_claim_status").where(
        status.in_(words), CLAIM.c.until_seq.is_(None), status != Status.asserted
    )
    return IndexLookup(found, found)


def _document_filter() -> Filter:
    citation = table_of(CitationVersion)

    def bind(asking: FilterContext, wanted: Sequence[str]) -> FilterBinding:
        return _bind_distinct(asking, [id_ for id_ in wanted if ID_PATTERN.fullmatch(id_)])

    def condition(columns: Columns, marks: BoundParameters, view: Snapshot, _form: int) -> ColumnElement[bool]:
        if not marks:
            return false()
        cites = (citation.c.claim == columns.id, citation.c.document.in_(marks))
        return build_exists(citation, *cites, view.contains(CitationVersion))

    def look_up(marks: BoundParameters, _form: int) -> Sequence[IndexLookup]:
        cited = match_any(citation.c, "document", marks)
        index = "ix_citation_document_seq"
        return [look_up_claims_by_id(citation, citation.c.claim, cited, index=index)] if marks else []

    return Filter(condition, bind, look_up)


TopicShapes = tuple[tuple[int, bool, bool], ...]
"""For each topic how many categories it has, whether an aggregation, whether a first day."""


def _topic_filter() -> Filter:
    def bind(asking: FilterContext, wanted: Sequence[str]) -> FilterBinding:
        asking.check_slugs("topic", "topic", wanted)
        form, values = [], []
        for slug in sorted(set(wanted)):
            topic = asking.reference_data.topics[slug]
            inside = {topic["category"]}
            categories = sorted(
                inside if asking.narrower is False else asking.reference_data.descendants("category", *inside)
            )
            aggregation, since = topic["aggregation"], topic["since"]
            form.append((len(categories), aggregation is not None, since is not None))
            values += [*categories, topic["subject"], topic["place"]]
            values += [] if aggregation is None else [aggregation]
            values += [] if since is None else [since, *partial_date_patterns(since)]
        return tuple(form), values

    def condition(columns: Columns, marks: BoundParameters, _view: Snapshot, form: TopicShapes) -> ColumnElement[bool]:
        return or_(*(_match_bound_topic(columns, some, *shape) for some, shape in _group_by_topic(marks, form)))

    def look_up(marks: BoundParameters, form: TopicShapes) -> Sequence[IndexLookup]:
        return [
            look_up_claims("ix_claim_topic_date", *(CLAIM.c[column] == mark for column, mark in asked.items()))
            for asked in build_topic_keys(marks, form)
        ]

    return Filter(condition, bind, look_up)


def _group_by_topic(marks: Sequence[Any], form: TopicShapes) -> list[tuple[list[Any], tuple[int, bool, bool]]]:
    """The marks of each topic, with its shape."""
    found, at = [], 0
    for shape in form:
        count = shape[0] + 2 + shape[1] + 3 * shape[2]
        found.append((list(marks[at : at + count]), shape))
        at += count
    return found


def build_topic_keys(marks: BoundParameters, form: TopicShapes) -> list[dict[str, BindParameter[Any]]]:
    """Column → mark, for every category with the subject and place of its topic."""
    return [
        {"category": category, "subject": some[shape[0]], "place": some[shape[0] + 1]}
        for some, shape in _group_by_topic(marks, form)
        for category in some[: shape[0]]
    ]


def _match_bound_topic(
    columns: Columns,
    marks: list[Any],
    categories: int,
    has_aggregation: bool,  # noqa: FBT001 - a shape
    has_since: bool,  # noqa: FBT001 - a shape
) -> ColumnElement[bool]:
    subject, place, *rest = marks[categories:]
    return match_topic(
        columns,
        marks[:categories],
        subject=subject,
        place=place,
        aggregation=rest.pop(0) if has_aggregation else None,
        since=rest if has_since else (),
    )


def match_topic(
    columns: Columns,
    categories: Sequence[object],
    subject: object = None,
    place: object = None,
    aggregation: object = None,
    *,
    since: Sequence[object] = (),
) -> ColumnElement[bool]:
    """A claim belongs to a topic. Each field is a value or a parameter; one that is not given asks for any.

    `since` is a day and its `partial_date_patterns`.
    """
    fields = {"subject": subject, "place": place, "aggregation": aggregation}
    clauses = [match_any(columns, "category", categories)]
    clauses += [columns[name] == value for name, value in fields.items() if value is not None]
    return and_(*clauses, *([starts_on(columns, *since)] if since else []))


def starts_on(columns: Columns, day: Any, *patterns: Any) -> ColumnElement[bool]:  # noqa: ANN401 - a value or a parameter
    """The period starts on `day`, or in a month or year that has it and is known no closer."""
    return or_(columns.period_start == day, *(columns.period.like(pattern) for pattern in patterns))


def partial_date_patterns(day: date) -> list[str]:
    """How the period begins where only the month, or the year, is known."""
    return [f"{day.isoformat()[:7]}/%", f"{day.isoformat()[:4]}/%"]


def _updated_since_filter() -> Filter:
    """Changed themselves, or through a citation, an assessment or a relation, by the state that is asked for."""
    change = table_of(Change)

    def is_after(seq: ColumnElement[int], marks: BoundParameters) -> tuple[ColumnElement[bool], ...]:
        since, head = marks
        begins = select(change.c.seq).where(change.c.at >= since).order_by(change.c.at, change.c.seq).limit(1)
        return seq >= begins.correlate(None).scalar_subquery(), seq <= head

    def condition(columns: Columns, marks: BoundParameters, _view: Snapshot, _form: None) -> ColumnElement[bool]:
        told = change.alias("told")
        return build_exists(told, told.c.claim == columns.id, *is_after(told.c.seq, marks))

    def look_up(marks: BoundParameters, _form: None) -> Sequence[IndexLookup]:
        return [look_up_claims_by_id(change, change.c.claim, *is_after(change.c.seq, marks))]

    return Filter(condition, lambda asking, since: (None, (since, asking.snapshot.seq)), look_up)


def _period_filter(column: str, *, first: bool) -> Filter:
    """The period reaches, or begins by, a day; an open end does."""

    def condition(columns: Columns, marks: BoundParameters, _view: Snapshot, _form: None) -> ColumnElement[bool]:
        return or_(_reaches(columns[column], marks[0], first=first), columns[column].is_(None))

    def look_up(marks: BoundParameters, _form: None) -> Sequence[IndexLookup]:
        either = (_reaches(CLAIM.c[column], marks[0], first=first), CLAIM.c[column].is_(None))
        return [look_up_claims(f"ix_claim_{column}", each) for each in either]

    return Filter(condition, index_lookups=look_up)


def _reaches(end: ColumnElement[Any], mark: BindParameter[Any], *, first: bool) -> ColumnElement[bool]:
    return end >= mark if first else end <= mark


def _interval_filter(column: str, *, first: bool) -> Filter:
    """The interval of the figure reaches a number; an open end does."""

    def condition(columns: Columns, marks: BoundParameters, _view: Snapshot, _form: None) -> ColumnElement[bool]:
        meets = or_(_reaches(columns[column], marks[0], first=first), columns[column].is_(None))
        return and_(meets, columns.magnitude.is_not(None))

    def look_up(marks: BoundParameters, _form: None) -> Sequence[IndexLookup]:
        # The number that a figure is sorted by lies within it: what else reaches further is in an index of its own.
        end, magnitude = CLAIM.c[column], CLAIM.c.magnitude
        beyond = end > magnitude if first else end < magnitude
        further = (or_(end.is_(None), beyond), magnitude.is_not(None))
        return [
            look_up_claims("ix_claim_magnitude", _reaches(magnitude, marks[0], first=first)),
            look_up_claims(f"ix_claim_{column}", _reaches(end, marks[0], first=first), *further),
            look_up_claims(f"ix_claim_{column}", end.is_(None), *further),
        ]

    return Filter(condition, index_lookups=look_up)


def _date_filter(*, first: bool) -> Filter:
    """Said from, or until, a day. `SearchShape` looks up both ends of such a range at once."""
    return Filter(lambda columns, marks, _view, _form: _reaches(columns.date, marks[0], first=first))


def _full_text_filter() -> Filter:
    def bind(asking: FilterContext, question: str) -> FilterBinding:
        form, values = resolve_search_words(question, asking.reference_data)
        return (asking.is_postgresql, form), values

    return Filter(
        lambda columns, marks, view, form: build_words_condition(columns, marks, view, form[1], postgresql=form[0]),
        bind,
        # Any one of the words is enough to find the claims: `SearchShape` has a lookup for each.
        lambda marks, form: build_word_lookups(marks, form[1], postgresql=form[0])[0],
    )


class ClaimQuery(PageQuery):
    """Which claims, in which order. Filters are joined by AND, the values of one filter by OR."""

    category: Annotated[list[Slug], _slug_filter("category", CATEGORY)] = Field(
        default=[], description="The category: what is counted.", examples=[["casualties"]]
    )
    subject: Annotated[list[Slug], _slug_filter("subject", SUBJECT)] = Field(
        default=[], description="The subject: the people or organisation counted.", examples=[["russian-forces"]]
    )
    place: Annotated[list[Slug], _slug_filter("place", PLACE)] = Field(
        default=[], description="The place.", examples=[["kursk-oblast"]]
    )
    narrower: bool | None = Field(
        default=None,
        description="Whether categories, subjects and places also take what lies below them. A topic takes the "
        "categories within its own unless this is `false`.",
        examples=[True],
    )
    source: Annotated[list[Slug], _slug_filter("source", SOURCE)] = Field(
        default=[], description="The source of the claim.", examples=[["csis"]]
    )
    source_kind: Annotated[list[SourceKind], _source_filter("kind")] = Field(
        default=[], description="The kind of source.", examples=[["think_tank"]]
    )
    interest: Annotated[list[Interest], _source_filter("interest")] = Field(
        default=[],
        description="The interest of the source: whether it is a party to the dispute.",
        examples=[["independent"]],
    )
    proposition: Annotated[list[Proposition], _enum_filter("proposition")] = Field(
        default=[], description="The kind of statement that the claim makes.", examples=[["quantity"]]
    )
    modality: Annotated[list[Modality], _enum_filter("modality")] = Field(
        default=[], description="The modality: count, estimate, forecast or allegation.", examples=[["estimate"]]
    )
    aggregation: Annotated[list[Aggregation], _enum_filter("aggregation")] = Field(
        default=[], description="The aggregation: how the figure relates to its period.", examples=[["cumulative"]]
    )
    kind: Annotated[list[FigureKind], _enum_filter("kind")] = Field(
        default=[], description="The kind of figure, for example a lower bound or a range.", examples=[["lower_bound"]]
    )
    confidence: Annotated[list[ConfidenceFilter], _confidence_filter()] = Field(
        default=[], description="The confidence level of the latest assessment, or `unassessed`.", examples=[["low"]]
    )
    reliability: Annotated[list[Reliability], _assessment_filter("reliability")] = Field(
        default=[],
        description="The reliability grade of the source. `F` means that it cannot be judged.",
        examples=[["C"]],
    )
    credibility: Annotated[list[Credibility], _assessment_filter("credibility")] = Field(
        default=[],
        description="The credibility grade of the figure. `6` means that it cannot be judged.",
        examples=[["3"]],
    )
    date_from: Annotated[Day | None, _date_filter(first=True)] = Field(
        default=None, description="Claims made on this day or later.", examples=["2025-01-01"]
    )
    date_to: Annotated[Day | None, _date_filter(first=False)] = Field(
        default=None, description="Claims made on this day or earlier.", examples=["2025-06-30"]
    )
    period_from: Annotated[Day | None, _period_filter("period_end", first=True)] = Field(
        default=None, description="Claims whose period ends on this day or later.", examples=["2025-01-01"]
    )
    period_to: Annotated[Day | None, _period_filter("period_start", first=False)] = Field(
        default=None, description="Claims whose period begins on this day or earlier.", examples=["2025-06-30"]
    )
    value_min: Annotated[float | None, _interval_filter("high", first=True)] = Field(
        default=None,
        allow_inf_nan=False,
        description="Claims whose figure can be this number or more. An open upper end can.",
        examples=[100000],
    )
    value_max: Annotated[float | None, _interval_filter("low", first=False)] = Field(
        default=None,
        allow_inf_nan=False,
        description="Claims whose figure can be this number or less. An open lower end can.",
        examples=[500000],
    )
    status: Annotated[list[Status], _status_filter()] = Field(
        default=[], description="The status of the claim. By default all except `removed`.", examples=[["asserted"]]
    )
    document: Annotated[list[str], _document_filter()] = Field(
        default=[],
        description="Claims that are cited from this document.",
        examples=[["01a1f640-bc00-7643-9830-d0c28b0cfb0d"]],
    )
    topic: Annotated[list[Slug], _topic_filter()] = Field(
        default=[], description="Claims that belong to this topic.", examples=[["russian-casualties"]]
    )
    q: Annotated[str | None, _full_text_filter()] = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="All these words in wording, quote, translation, note or the names of source, category, subject "
        "and place; accents and case do not matter.",
        examples=["mediazona named"],
    )
    updated_since: Annotated[UtcTime | None, _updated_since_filter()] = Field(
        default=None,
        description="Claims recorded or changed at this time or later. Changes of citations and assessments count too.",
        examples=["2026-11-20T10:00:00Z"],
    )
    known_on: Annotated[Day | None, _date_filter(first=False)] = Field(
        default=None, description="Only claims made by this day. Undated claims are left out.", examples=["2025-06-12"]
    )
    sort: Sort = Field(default=Sort.newest, description="The sort order. Unknown values come last.", examples=["-date"])


FILTERS: dict[str, Filter] = {
    name: found
    for name, info in ClaimQuery.model_fields.items()
    for found in info.metadata
    if isinstance(found, Filter)
}
"""Every filter by its name."""


def keyset_order_of(sort: Sort) -> Order:
    """How `sort` is read from an index."""
    return Order(
        sort.value, claim.id, sort_value(claim, sort.value.removeprefix("-")), descending=sort.value.startswith("-")
    )


def sort_value(columns: Columns, name: str) -> ColumnElement[Any]:
    """What an order sorts by; `name` is that of the order without its direction."""
    if name == "source":
        # One text, so that one keyset goes through both. Undated claims come last within their source.
        by_source: ColumnElement[Any] = (
            columns.source + " " + func.coalesce(cast(columns.date, String), UNDATED_SORT_DATE.isoformat())
        )
        return by_source
    column: ColumnElement[Any] = columns[SORT_COLUMNS[name]]
    return column


def check_ranges(query: ClaimQuery) -> None:
    """Raise `InvalidRequest` for a range that ends before it begins."""
    for low, high in (("date_from", "date_to"), ("period_from", "period_to"), ("value_min", "value_max")):
        first, last = getattr(query, low), getattr(query, high)
        if first is not None and last is not None and first > last:
            detail = f"`{low}` lies behind `{high}`."
            raise InvalidRequest(detail, hint="exchange them", errors=[field_fault(low, detail, location="query")])
