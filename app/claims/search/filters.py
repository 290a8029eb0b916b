"""The filters of claims: each is declared once, as URL parameter, OpenAPI text, WHERE condition and index lookups.

Conditions contain bound parameters instead of values, so that SQL is compiled once for all queries of the same shape.
`sql.py` combines the conditions.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import Enum, StrEnum
from functools import cached_property
from itertools import product
from typing import Annotated, Any

from pydantic import BaseModel, Field
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    ScalarSelect,
    String,
    and_,
    case,
    cast,
    func,
    or_,
    select,
    type_coerce,
)
from sqlmodel import Session

from app.claims.known_on import was_said_by
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
from app.claims.search.question_scope import NARROWABLE, expand_question, match_scope, partial_date_patterns
from app.claims.supersession import is_superseded
from app.comparison.hierarchy import Hierarchy
from app.database.keyset import Order
from app.database.read_session import ReadSession
from app.database.snapshot import EPOCH, Snapshot
from app.database.sql import with_index
from app.database.tables import (
    COMMON_VALUES,
    AssessmentVersion,
    Change,
    CitationVersion,
    ClaimVersion,
    RelationVersion,
    columns_of,
    table_of,
)
from app.database.types import ID_PATTERN
from app.enums import (
    Aggregation,
    Credibility,
    FigureKind,
    Interest,
    Level,
    Modality,
    Proposition,
    RelationType,
    Reliability,
    SourceKind,
    Status,
)
from app.errors import InvalidRequest, UnknownSlug, field_fault, suggest_nearest
from app.http.pagination import PageQuery
from app.http.schema_types import Day, DayOrMoment, Slug, UtcTime
from app.sources.documents import find_recorded_ids
from app.sources.queries import SOURCE
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.reference_data import ReferenceData, get_reference_data
from app.vocabulary.slug_records import RecordType

claim = columns_of(ClaimVersion)

CURRENT_SNAPSHOT = Snapshot(0, EPOCH)
"""A snapshot of the current state, for statements that are built once."""

SORT_COLUMNS = {"date": "date", "recorded": "seq", "value": "magnitude"}
"""The column of each order except that by source."""

UNDATED_SORT_DATE = date(9999, 12, 31)
"""The date by which undated claims are sorted in the order by source."""

CONFIDENCE_RANKS = {Level.low.value: 1, Level.moderate.value: 2, Level.high.value: 3}
"""The order of the confidence levels."""

LAST_RANKS = {True: 0, False: 4}
"""The rank of claims without a level, which come last: whether the order is descending → the rank."""


class Sort(StrEnum):
    """The sort orders of claims. Claims without a value to sort by come last."""

    newest = "-date"
    oldest = "date"
    newest_recorded = "-recorded"
    oldest_recorded = "recorded"
    smallest = "value"
    largest = "-value"
    by_source = "source"
    least_confident = "confidence"
    most_confident = "-confidence"


class ConfidenceFilter(StrEnum):
    """The confidence levels, and `unassessed` for claims without an assessment."""

    high = "high"
    moderate = "moderate"
    low = "low"
    unassessed = "unassessed"


class FilterContext:
    """The context of a filter: the snapshot, its vocabularies, the database dialect and the value of `narrower`.

    For a topic `narrower` may also be the fields that include what lies below them.
    """

    def __init__(
        self, source: ReadSession | Session, snapshot: Snapshot, *, narrower: bool | frozenset[str] | None = None
    ) -> None:
        self.snapshot = snapshot
        self.narrower = narrower
        self.is_postgresql = (
            source.dialect if isinstance(source, ReadSession) else source.get_bind().dialect.name
        ) != "sqlite"
        self._reader = source

    @cached_property
    def reference_data(self) -> ReferenceData:
        """Return the vocabularies of the snapshot."""
        return get_reference_data(self._reader, self.snapshot)

    @property
    def hierarchy(self) -> Hierarchy:
        """Return the hierarchies of the snapshot."""
        return self.reference_data.hierarchy

    def check_slugs(self, name: str, kind: str, slugs: Sequence[str]) -> None:
        """Raise `UnknownSlug`, with the nearest slug as a hint, if a slug does not exist."""
        known_slugs = self.reference_data.slugs[kind]
        if known_slugs.issuperset(slugs):
            return
        slug = min(set(slugs) - known_slugs)
        detail = f"There is no {kind} `{slug}`."
        hint = suggest_nearest(slug, sorted(known_slugs))
        raise UnknownSlug(detail, hint=hint, errors=[field_fault(name, detail, hint=hint, location="query")])

    def check_documents(self, name: str, ids: Sequence[str]) -> None:
        """Raise `UnknownSlug` if a document does not exist. One that was taken down does."""
        session = self._reader.session if isinstance(self._reader, ReadSession) else self._reader
        known_ids = find_recorded_ids(session, {id_ for id_ in ids if ID_PATTERN.fullmatch(id_)}, self.snapshot)
        for id_ in ids:
            if id_ not in known_ids:
                detail, hint = f"There is no document `{id_}`.", "GET /v1/documents lists them"
                raise UnknownSlug(detail, hint=hint, errors=[field_fault(name, detail, hint=hint, location="query")])


FilterBinding = tuple[Hashable, Sequence[Any]]
"""The shape of a filter, which its SQL depends on, and its values, which become bound parameters."""


@dataclass(frozen=True, slots=True)
class Filter:
    """The implementation of the filter that it annotates.

    `bind` splits the value of a query into a shape and bound values. `condition` returns the condition on the columns
    of a claim. `index_lookups` returns lookups that together find all matching claims, and perhaps others; None if no
    index can find them.
    """

    condition: Callable[[Columns, BoundParameters, Snapshot, Any], ColumnElement[bool]]
    bind: Callable[[FilterContext, Any], FilterBinding] = lambda _context, value: (None, (value,))
    index_lookups: Callable[[BoundParameters, Any], Sequence[IndexLookup] | None] = lambda _parameters, _shape: None


def _bind_distinct(_context: FilterContext, values: Sequence[Any]) -> FilterBinding:
    distinct = list(dict.fromkeys(values))
    return len(distinct), distinct


def _slug_filter(column: str, kind: RecordType) -> Filter:
    """Return the filter by slugs; with `narrower` it includes their descendants."""

    def bind(context: FilterContext, slugs: Sequence[str]) -> FilterBinding:
        context.check_slugs(column, kind.name, slugs)
        if context.narrower and column != "source":
            descendants = context.reference_data.descendants
            slugs = [descendant for slug in slugs for descendant in sorted(descendants(column, slug))]
        return _bind_distinct(context, slugs)

    return Filter(
        lambda columns, parameters, _snapshot, _shape: match_any(columns, column, parameters),
        bind,
        lambda parameters, _shape: [look_up_slugs(column, parameters)],
    )


def _source_filter(attribute: str) -> Filter:
    """Return the filter by the `kind` or `interest` of the source: sources are few, so it becomes a list of slugs."""

    def bind(context: FilterContext, members: Sequence[Enum]) -> FilterBinding:
        values = {member.value for member in members}
        sources = context.reference_data.sources
        slugs = sorted(slug for slug, source in sources.items() if getattr(source, attribute) in values)
        return len(slugs), slugs

    return Filter(
        lambda columns, parameters, _snapshot, _shape: match_any(columns, "source", parameters),
        bind,
        lambda parameters, _shape: [look_up_slugs("source", parameters)] if parameters else [],
    )


def _enum_filter(column: str) -> Filter:
    """Return the filter by an enumeration. Only rare values have an index."""
    common = COMMON_VALUES[column]

    def bind(_context: FilterContext, members: Sequence[Any]) -> FilterBinding:
        values = list(dict.fromkeys(member.value for member in members))
        return (len(values), set(common).isdisjoint(values)), values

    def look_up(parameters: BoundParameters, shape: tuple[int, bool]) -> Sequence[IndexLookup] | None:
        rare = CLAIM.c[column].not_in(common) if len(common) > 1 else CLAIM.c[column] != common[0]
        return (
            [look_up_claims(f"ix_claim_{column}", match_any(CLAIM.c, column, parameters), rare)] if shape[1] else None
        )

    return Filter(lambda columns, parameters, _snapshot, _shape: match_any(columns, column, parameters), bind, look_up)


def _assessment_filter(column: str) -> Filter:
    """Return the filter by a column of the newest assessment that was not withdrawn."""

    def condition(
        columns: Columns, parameters: BoundParameters, snapshot: Snapshot, _shape: int
    ) -> ColumnElement[bool]:
        return newest_grade(columns, column, snapshot).in_(parameters)

    return Filter(condition, _bind_distinct, lambda parameters, _shape: [_look_up_assessments(column, parameters)])


def newest_grade(columns: Columns, column: str, snapshot: Snapshot) -> ScalarSelect[Any]:
    """Return a column of the newest assessment of a claim that was not withdrawn."""
    newest = table_of(AssessmentVersion).alias("newest")
    return (
        select(newest.c[column])
        .where(newest.c.claim == columns.id, newest.c.withdrawn.is_(False), snapshot.contains_alias(newest.c))
        .order_by(newest.c.assessed_on.desc(), newest.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _look_up_assessments(column: str, parameters: BoundParameters) -> IndexLookup:
    assessment = table_of(AssessmentVersion)
    conditions = (match_any(assessment.c, column, parameters), assessment.c.until_seq.is_(None))
    return look_up_claims_by_id(assessment, assessment.c.claim, *conditions, index=f"ix_assessment_{column}")


def _confidence_filter() -> Filter:
    level = _assessment_filter("level")

    def bind(_context: FilterContext, members: Sequence[ConfidenceFilter]) -> FilterBinding:
        levels = list(dict.fromkeys(member.value for member in members if member is not ConfidenceFilter.unassessed))
        return (len(levels), ConfidenceFilter.unassessed in members), levels

    def condition(
        columns: Columns, parameters: BoundParameters, snapshot: Snapshot, shape: tuple[int, bool]
    ) -> ColumnElement[bool]:
        clauses = [level.condition(columns, parameters, snapshot, None)] if parameters else []
        if shape[1]:
            assessment = table_of(AssessmentVersion)
            is_current = and_(assessment.c.withdrawn.is_(False), snapshot.contains(AssessmentVersion))
            clauses.append(~build_exists(assessment, assessment.c.claim == columns.id, is_current))
        return or_(*clauses)

    return Filter(
        condition, bind, lambda parameters, shape: None if shape[1] else [_look_up_assessments("level", parameters)]
    )


def _confidence_min_filter() -> Filter:
    """Return the filter by the lowest confidence level. Unassessed claims have none."""

    def bind(_context: FilterContext, lowest: Level) -> FilterBinding:
        levels = [level for level, rank in CONFIDENCE_RANKS.items() if rank >= CONFIDENCE_RANKS[lowest.value]]
        return len(levels), levels

    return replace(_assessment_filter("level"), bind=bind)


def _status_filter() -> Filter:
    """Return the filter by status. As known on a day before its retraction, a claim is asserted."""

    def bind(context: FilterContext, members: Sequence[Status]) -> FilterBinding:
        day = context.snapshot.known_on
        statuses = tuple(sorted({member.value for member in members}))
        return (statuses, day is not None), [] if day is None else [day]

    def condition(
        columns: Columns, parameters: BoundParameters, _snapshot: Snapshot, shape: tuple[tuple[str, ...], bool]
    ) -> ColumnElement[bool]:
        has_status: ColumnElement[bool] = columns.status.in_(shape[0])
        if not parameters:
            return has_status
        retracted_later = and_(columns.status == Status.retracted, columns.retracted_on > parameters[0])
        had_status = and_(has_status, or_(columns.retracted_on.is_(None), ~retracted_later))
        return or_(had_status, retracted_later) if Status.asserted.value in shape[0] else had_status

    def look_up(_parameters: BoundParameters, shape: tuple[tuple[str, ...], bool]) -> Sequence[IndexLookup] | None:
        return None if Status.asserted.value in shape[0] else [look_up_status(*shape[0])]

    return Filter(condition, bind, look_up)


def look_up_status(*statuses: str) -> IndexLookup:
    """Return a lookup of the current claims with one of these statuses, none of which is `asserted`."""
    status = CLAIM.c.status
    statement = with_index(select(CLAIM.c.version), CLAIM, "ix_claim_status").where(
        # The last condition lets the query use the partial index.
        status.in_(statuses),
        CLAIM.c.until_seq.is_(None),
        status != Status.asserted,
    )
    return IndexLookup(statement, statement)


def _document_filter() -> Filter:
    citation = table_of(CitationVersion)

    def bind(context: FilterContext, ids: Sequence[str]) -> FilterBinding:
        context.check_documents("document", ids)
        return _bind_distinct(context, ids)

    def condition(
        columns: Columns, parameters: BoundParameters, snapshot: Snapshot, _shape: int
    ) -> ColumnElement[bool]:
        conditions = (citation.c.claim == columns.id, citation.c.document.in_(parameters))
        return build_exists(citation, *conditions, snapshot.contains(CitationVersion))

    def look_up(parameters: BoundParameters, _shape: int) -> Sequence[IndexLookup]:
        has_document = match_any(citation.c, "document", parameters)
        index = "ix_citation_document_seq"
        return [look_up_claims_by_id(citation, citation.c.claim, has_document, index=index)]

    return Filter(condition, bind, look_up)


TopicShapes = tuple[tuple[int, int, int, int, bool], ...]
"""For each topic the number of its categories, subjects, places and aggregations, and whether it has a first day."""


def _topic_filter() -> Filter:
    def bind(context: FilterContext, slugs: Sequence[str]) -> FilterBinding:
        context.check_slugs("topic", "topic", slugs)
        topic_shapes: list[tuple[int, ...]] = []
        values: list[Any] = []
        for slug in sorted(set(slugs)):
            topic = context.reference_data.topics[slug]
            narrower = topic["narrower"]
            if isinstance(context.narrower, frozenset):
                narrower = context.narrower
            elif context.narrower is not None:
                narrower = NARROWABLE if context.narrower else ()
            scope = expand_question(topic, context.reference_data, narrower)
            lists = (scope.categories, scope.subjects, scope.places, scope.aggregations)
            topic_shapes.append((*map(len, lists), scope.since is not None))
            values += [value for each in lists for value in each]
            values += [] if scope.since is None else [scope.since, *partial_date_patterns(scope.since)]
        return tuple(topic_shapes), values

    def condition(
        columns: Columns, parameters: BoundParameters, _snapshot: Snapshot, shape: TopicShapes
    ) -> ColumnElement[bool]:
        return or_(*(match_scope(columns, *topic) for topic in _group_by_topic(parameters, shape)))

    def look_up(parameters: BoundParameters, shape: TopicShapes) -> Sequence[IndexLookup]:
        return [
            look_up_claims("ix_claim_topic_date", *(CLAIM.c[column] == value for column, value in key.items()))
            for key in build_topic_keys(parameters, shape)
        ]

    return Filter(condition, bind, look_up)


def _group_by_topic(parameters: Sequence[Any], topic_shapes: TopicShapes) -> list[list[list[Any]]]:
    """Return the bound parameters of each topic: categories, subjects, places, aggregations, and the first day."""
    topics, rest = [], list(parameters)
    for *counts, has_since in topic_shapes:
        lists = []
        for count in (*counts, SINCE_PARAMETERS if has_since else 0):
            lists.append(rest[:count])
            rest = rest[count:]
        topics.append(lists)
    return topics


SINCE_PARAMETERS = 1 + len(partial_date_patterns(date.max))
"""The number of parameters of a first day: the day and its patterns."""


def build_topic_keys(parameters: BoundParameters, topic_shapes: TopicShapes) -> list[dict[str, BindParameter[Any]]]:
    """Return column → bound parameter for each category, subject and place of each topic."""
    return [
        dict(zip(NARROWABLE, key, strict=True))
        for topic in _group_by_topic(parameters, topic_shapes)
        for key in product(*topic[: len(NARROWABLE)])
    ]


def _updated_since_filter() -> Filter:
    """Return the filter by changes of the claim, its citations, assessments and relations up to the requested state.

    A change of a relation `supersedes` also changes the claim that it leads to.
    """
    change, relation = table_of(Change), table_of(RelationVersion)

    def is_in_range(seq: ColumnElement[int], parameters: BoundParameters) -> tuple[ColumnElement[bool], ...]:
        since, last_seq = parameters
        first_seq = select(change.c.seq).where(change.c.at >= since).order_by(change.c.at, change.c.seq).limit(1)
        return seq >= first_seq.correlate(None).scalar_subquery(), seq <= last_seq

    def condition(
        columns: Columns, parameters: BoundParameters, _snapshot: Snapshot, _shape: None
    ) -> ColumnElement[bool]:
        entry, supersession = change.alias("entry"), relation.alias("supersession")
        return or_(
            build_exists(entry, entry.c.claim == columns.id, *is_in_range(entry.c.seq, parameters)),
            build_exists(
                supersession,
                supersession.c.to_claim == columns.id,
                supersession.c.type == RelationType.supersedes,
                *is_in_range(supersession.c.seq, parameters),
            ),
        )

    def look_up(parameters: BoundParameters, _shape: None) -> Sequence[IndexLookup]:
        supersedes = relation.c.type == RelationType.supersedes
        return [
            look_up_claims_by_id(change, change.c.claim, *is_in_range(change.c.seq, parameters)),
            look_up_claims_by_id(relation, relation.c.to_claim, supersedes, *is_in_range(relation.c.seq, parameters)),
        ]

    return Filter(condition, lambda context, since: (None, (since, context.snapshot.seq)), look_up)


def _period_filter(column: str, *, first: bool) -> Filter:
    """Return the filter by an end of the period. An open end matches every day."""

    def condition(
        columns: Columns, parameters: BoundParameters, _snapshot: Snapshot, _shape: None
    ) -> ColumnElement[bool]:
        return or_(_is_within(columns[column], parameters[0], first=first), columns[column].is_(None))

    def look_up(parameters: BoundParameters, _shape: None) -> Sequence[IndexLookup]:
        alternatives = (_is_within(CLAIM.c[column], parameters[0], first=first), CLAIM.c[column].is_(None))
        return [look_up_claims(f"ix_claim_{column}", condition) for condition in alternatives]

    return Filter(condition, index_lookups=look_up)


def _is_within(column: ColumnElement[Any], limit: BindParameter[Any], *, first: bool) -> ColumnElement[bool]:
    return column >= limit if first else column <= limit


def _interval_filter(column: str, *, first: bool) -> Filter:
    """Return the filter by an end of the figure's interval. An open end matches every number."""

    def condition(
        columns: Columns, parameters: BoundParameters, _snapshot: Snapshot, _shape: None
    ) -> ColumnElement[bool]:
        is_within = or_(_is_within(columns[column], parameters[0], first=first), columns[column].is_(None))
        return and_(is_within, columns.magnitude.is_not(None))

    def look_up(parameters: BoundParameters, _shape: None) -> Sequence[IndexLookup]:
        # `magnitude` lies in the interval. A partial index holds the figures whose interval extends beyond it.
        end, magnitude = CLAIM.c[column], CLAIM.c.magnitude
        beyond = end > magnitude if first else end < magnitude
        extends_beyond = (or_(end.is_(None), beyond), magnitude.is_not(None))
        return [
            look_up_claims("ix_claim_magnitude", _is_within(magnitude, parameters[0], first=first)),
            look_up_claims(f"ix_claim_{column}", _is_within(end, parameters[0], first=first), *extends_beyond),
            look_up_claims(f"ix_claim_{column}", end.is_(None), *extends_beyond),
        ]

    return Filter(condition, index_lookups=look_up)


def _date_filter(*, first: bool) -> Filter:
    """Return the filter by the first or last date. `SearchShape` has one index lookup for both ends."""
    return Filter(lambda columns, parameters, _snapshot, _shape: _is_within(columns.date, parameters[0], first=first))


def _undated_filter() -> Filter:
    """Return the filter by whether the day of a claim is unknown."""

    def condition(
        columns: Columns,
        _parameters: BoundParameters,
        _snapshot: Snapshot,
        shape: bool,  # noqa: FBT001 - the value of the parameter
    ) -> ColumnElement[bool]:
        is_undated: ColumnElement[bool] = columns.date.is_(None)
        return is_undated if shape else ~is_undated

    def look_up(_parameters: BoundParameters, shape: bool) -> Sequence[IndexLookup] | None:  # noqa: FBT001 - as above
        return [look_up_claims("ix_claim_date", CLAIM.c.date.is_(None))] if shape else None

    return Filter(condition, lambda _context, undated: (undated, ()), look_up)


def _known_on_filter() -> Filter:
    """Return the filter by what had been said by a day or a moment. The shape is whether it is a moment."""

    def condition(
        columns: Columns,
        parameters: BoundParameters,
        _snapshot: Snapshot,
        _shape: bool,  # noqa: FBT001 - part of the shape
    ) -> ColumnElement[bool]:
        return was_said_by(columns, parameters[0], parameters[1] if len(parameters) > 1 else None)

    return Filter(condition, lambda context, _value: (context.snapshot.known_at is not None, _known_on(context)))


def _known_on(context: FilterContext) -> list[date | datetime]:
    """Return the day, and the moment if there is one, to which `known_on` limits the snapshot."""
    return [limit for limit in (context.snapshot.known_on, context.snapshot.known_at) if limit is not None]


def _superseded_filter() -> Filter:
    """Return the filter by whether a later claim of the same source replaced a claim, as of `known_on`."""

    def bind(context: FilterContext, superseded: bool) -> FilterBinding:  # noqa: FBT001 - the value of the parameter
        return superseded, _known_on(context)

    def condition(
        columns: Columns,
        parameters: BoundParameters,
        snapshot: Snapshot,
        shape: bool,  # noqa: FBT001 - the value of the parameter
    ) -> ColumnElement[bool]:
        replaced = is_superseded(columns, snapshot, *parameters)
        return replaced if shape else ~replaced

    def look_up(_parameters: BoundParameters, shape: bool) -> Sequence[IndexLookup] | None:  # noqa: FBT001 - as above
        relation = table_of(RelationVersion)
        supersedes = (relation.c.type == RelationType.supersedes, relation.c.until_seq.is_(None))
        index = "ix_relation_supersedes"
        return [look_up_claims_by_id(relation, relation.c.to_claim, *supersedes, index=index)] if shape else None

    return Filter(condition, bind, look_up)


def _full_text_filter() -> Filter:
    def bind(context: FilterContext, text: str) -> FilterBinding:
        word_counts, values = resolve_search_words(text, context.reference_data)
        return (context.is_postgresql, word_counts), values

    return Filter(
        lambda columns, parameters, snapshot, shape: build_words_condition(
            columns, parameters, snapshot, shape[1], postgresql=shape[0]
        ),
        bind,
        # One word is enough to find the claims. `SearchShape` has a lookup for each word.
        lambda parameters, shape: build_word_lookups(parameters, shape[1], postgresql=shape[0])[0],
    )


class ClaimFilters(BaseModel):
    """The filters of a search for claims. They are joined by AND, the values of one filter by OR."""

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
        description="Whether categories, subjects and places include their descendants. A topic includes the narrower "
        "categories of its own unless this is `false`.",
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
    confidence_min: Annotated[Level | None, _confidence_min_filter()] = Field(
        default=None,
        description="Claims whose latest assessment has this confidence level or a higher one: `low`, `moderate`, "
        "`high`. Unassessed claims are left out.",
        examples=["moderate"],
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
    undated: Annotated[bool | None, _undated_filter()] = Field(
        default=None,
        description="`true`: only claims of which no day is known. `false`: only claims with a day.",
        examples=[True],
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
        description="Claims whose figure can be this number or more, including figures without an upper bound.",
        examples=[100000],
    )
    value_max: Annotated[float | None, _interval_filter("low", first=False)] = Field(
        default=None,
        allow_inf_nan=False,
        description="Claims whose figure can be this number or less, including figures without a lower bound.",
        examples=[500000],
    )
    status: Annotated[list[Status], _status_filter()] = Field(
        default=[], description="The status of the claim. By default all except `removed`.", examples=[["asserted"]]
    )
    document: Annotated[list[Annotated[str, Field(max_length=80)]], _document_filter()] = Field(
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
        "and place; accents and case are ignored.",
        examples=["mediazona named"],
    )
    updated_since: Annotated[UtcTime | None, _updated_since_filter()] = Field(
        default=None,
        description="Claims recorded or changed at this time or later. Changes of citations, assessments and "
        "supersessions count too.",
        examples=["2026-11-20T10:00:00Z"],
    )
    known_on: Annotated[DayOrMoment | None, _known_on_filter()] = Field(
        default=None,
        description="Only what had been said by this day or moment: claims, retractions and supersessions. Undated "
        "claims are left out. With a moment, claims without one count from the next day (UTC) on.",
        examples=["2025-06-12"],
    )
    superseded: Annotated[bool | None, _superseded_filter()] = Field(
        default=None,
        description="`true`: only claims that a later claim of their source replaced. `false`: all others.",
        examples=[False],
    )


class ClaimQuery(ClaimFilters, PageQuery):
    """The filters, order and page of a search for claims."""

    sort: Sort = Field(default=Sort.newest, description="The sort order. Unknown values come last.", examples=["-date"])


FILTERS: dict[str, Filter] = {
    name: item for name, info in ClaimFilters.model_fields.items() for item in info.metadata if isinstance(item, Filter)
}
"""The filters by name."""


def keyset_order_of(sort: Sort) -> Order:
    """Return the keyset order of `sort`."""
    descending = sort.value.startswith("-")
    value = sort_value(claim, sort.value.removeprefix("-"), descending=descending)
    return Order(sort.value, claim.id, value, descending=descending)


def sort_value(
    columns: Columns, name: str, snapshot: Snapshot = CURRENT_SNAPSHOT, *, descending: bool = False
) -> ColumnElement[Any]:
    """Return the expression that an order sorts by; `name` is the order without its direction."""
    if name == "confidence":
        ranks = case(CONFIDENCE_RANKS, value=newest_grade(columns, "level", snapshot), else_=LAST_RANKS[descending])
        return type_coerce(ranks, Integer)
    if name == "source":
        # One text, because a keyset has one sort value. Undated claims come last within their source.
        by_source: ColumnElement[Any] = (
            columns.source + " " + func.coalesce(cast(columns.date, String), UNDATED_SORT_DATE.isoformat())
        )
        return by_source
    column: ColumnElement[Any] = columns[SORT_COLUMNS[name]]
    return column


def check_ranges(query: ClaimFilters) -> None:
    """Raise `InvalidRequest` if a range ends before it begins."""
    for low, high in (("date_from", "date_to"), ("period_from", "period_to"), ("value_min", "value_max")):
        first, last = getattr(query, low), getattr(query, high)
        if first is not None and last is not None and first > last:
            detail = f"`{low}` is greater than `{high}`."
            raise InvalidRequest(detail, hint="exchange them", errors=[field_fault(low, detail, location="query")])
