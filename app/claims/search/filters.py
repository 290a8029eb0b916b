"""The filters of claims: each is declared once, as URL parameter, OpenAPI text, WHERE clause, and how it is reached.

A clause is made of marks, not of values, so that the SQL of a question is written once for all questions of its shape.
`finding.py` puts the clauses together.
"""

# ruff: noqa: S608 - the statements are made of our own words; what is asked for are marks in them

from collections.abc import Callable, Hashable, Mapping, Sequence
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
    literal_column,
    or_,
    select,
)
from sqlmodel import Session

from app.claims.search.full_text import (
    build_exists,
    build_joined_lookup,
    build_slug_lookup,
    build_word_lookups,
    build_words_condition,
    resolve_search_words,
)
from app.comparison.hierarchy import Hierarchy
from app.database.keyset import Order
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.database.tables import (
    HIGH_ABOVE_MAGNITUDE,
    LOW_BELOW_MAGNITUDE,
    RARE_VALUES,
    VISIBLE_CLAIM,
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


BoundParameters = Sequence[BindParameter[Any]]
"""The values of a filter in its clause, to be filled in later."""

ParameterNames = Sequence[str]
"""The same in the statements that reach its claims, as `:name`."""

FilterBinding = tuple[Hashable, Sequence[Any]]
"""What a filter is asked: the form that its SQL depends on, and the values that it does not."""


@dataclass(frozen=True, slots=True)
class Filter:
    """How the filter that it annotates is asked for.

    `ask` takes the value of a query apart; `clause` is the condition in the WHERE clause, which looks at one claim;
    `reach` gives the statements that find the versions of all such claims (perhaps more) from an index, several of
    which are joined; none where there is no such index. A comment `/*name*/` behind a table names its index.
    """

    condition: Callable[[BoundParameters, Snapshot, Any], ColumnElement[bool]]
    bind: Callable[[FilterContext, Any], FilterBinding] = lambda _asking, value: (None, (value,))
    index_lookup: Callable[[ParameterNames, Any], Sequence[str] | None] = lambda _names, _form: None


def _build_index_lookup(index: str, condition: str) -> str:
    """The statement that finds claims that are shown by an index over nothing else."""
    shown = " AND ".join(f"claim.{part}" for part in VISIBLE_CLAIM.split(" AND "))
    return f"SELECT claim.version FROM claim /*{index}*/ WHERE {condition} AND {shown}"


def _build_equality(names: ParameterNames) -> str:
    return f"= :{names[0]}" if len(names) == 1 else f"IN ({', '.join(f':{name}' for name in names)})"


def column_in(column: str, marks: BoundParameters) -> ColumnElement[bool]:
    """The column has one of the values. A single one is compared, so that an index goes on behind it."""
    if not marks:
        return false()
    return claim[column] == marks[0] if len(marks) == 1 else claim[column].in_(marks)


def _bind_distinct(_asking: FilterContext, wanted: Sequence[Any]) -> FilterBinding:
    values = list(dict.fromkeys(wanted))
    return len(values), values


def _slug_filter(column: str, kind: RecordType) -> Filter:
    """The claims with one of these slugs, or with what lies below them."""

    def ask(asking: FilterContext, wanted: Sequence[str]) -> FilterBinding:
        asking.check_slugs(column, kind.name, wanted)
        if asking.narrower and column != "source":
            wanted = [below for slug in wanted for below in sorted(asking.reference_data.descendants(column, slug))]
        return _bind_distinct(asking, wanted)

    return Filter(
        lambda marks, _view, _form: column_in(column, marks),
        ask,
        lambda names, _form: [build_slug_lookup(column, names)],
    )


def _source_filter(part: str) -> Filter:
    """The claims of sources of a `kind` or an `interest`: few enough to be named."""

    def ask(asking: FilterContext, wanted: Sequence[Enum]) -> FilterBinding:
        words = {each.value for each in wanted}
        found = sorted(slug for slug, said in asking.reference_data.sources.items() if getattr(said, part) in words)
        return len(found), found

    return Filter(
        lambda marks, _view, _form: column_in("source", marks),
        ask,
        lambda names, _form: [build_slug_lookup("source", names)] if names else [],
    )


def _enum_filter(column: str) -> Filter:
    """The claims with one of these words; only the rarer ones are worth an index."""
    rare = RARE_VALUES[column]
    common = set(rare.split("'")[1::2])

    def ask(_asking: FilterContext, wanted: Sequence[Any]) -> FilterBinding:
        values = list(dict.fromkeys(each.value for each in wanted))
        return (len(values), common.isdisjoint(values)), values

    def reach(names: ParameterNames, form: tuple[int, bool]) -> Sequence[str] | None:
        return (
            [_build_index_lookup(f"ix_claim_{column}", f"claim.{column} {_build_equality(names)} AND claim.{rare}")]
            if form[1]
            else None
        )

    return Filter(lambda marks, _view, _form: column_in(column, marks), ask, reach)


def _assessment_filter(column: str) -> Filter:
    """The newest assessment that was not withdrawn has one of these words."""

    def clause(marks: BoundParameters, view: Snapshot, _form: int) -> ColumnElement[bool]:
        newest = table_of(AssessmentVersion).alias("newest")
        latest = (
            select(newest.c[column])
            .where(newest.c.claim == claim.id, newest.c.withdrawn.is_(False), view.contains_alias(newest.c))
            .order_by(newest.c.assessed_on.desc(), newest.c.id.desc())
            .limit(literal_column("1"))
            .correlate(table_of(ClaimVersion))
            .scalar_subquery()
        )
        return latest.in_(marks)

    return Filter(clause, _bind_distinct, lambda names, _form: [_build_assessment_lookup(column, names)])


def _build_assessment_lookup(column: str, names: ParameterNames) -> str:
    own = f"assessment.{column} {_build_equality(names)} AND assessment.until_seq IS NULL"
    return build_joined_lookup(f"assessment /*ix_assessment_{column}*/", own, "assessment.claim")


def _confidence_filter() -> Filter:
    level = _assessment_filter("level")

    def ask(_asking: FilterContext, wanted: Sequence[ConfidenceFilter]) -> FilterBinding:
        levels = list(dict.fromkeys(each.value for each in wanted if each is not ConfidenceFilter.unassessed))
        return (len(levels), ConfidenceFilter.unassessed in wanted), levels

    def clause(marks: BoundParameters, view: Snapshot, form: tuple[int, bool]) -> ColumnElement[bool]:
        clauses = [level.condition(marks, view, None)] if marks else []
        if form[1]:
            assessment = columns_of(AssessmentVersion)
            stands = and_(assessment.withdrawn.is_(False), view.contains(AssessmentVersion))
            clauses.append(~build_exists(AssessmentVersion, assessment.claim == claim.id, stands))
        return or_(*clauses)

    return Filter(clause, ask, lambda names, form: None if form[1] else [_build_assessment_lookup("level", names)])


def _status_filter() -> Filter:
    """A retraction counts from its day on: before it, the claim stands."""

    def ask(asking: FilterContext, wanted: Sequence[Status]) -> FilterBinding:
        day = asking.snapshot.known_on
        words = tuple(sorted({each.value for each in wanted}))
        return (words, day is not None), [] if day is None else [day]

    def clause(marks: BoundParameters, _view: Snapshot, form: tuple[tuple[str, ...], bool]) -> ColumnElement[bool]:
        said = claim.status.in_([_status_literal(word) for word in form[0]])
        if not marks:
            return said
        later = and_(claim.status == _status_literal(Status.retracted.value), claim.retracted_on > marks[0])
        standing = and_(said, or_(claim.retracted_on.is_(None), ~later))
        return or_(standing, later) if Status.asserted.value in form[0] else standing

    def reach(_names: ParameterNames, form: tuple[tuple[str, ...], bool]) -> Sequence[str] | None:
        if Status.asserted.value in form[0]:
            return None
        words = ", ".join(f"'{word}'" for word in form[0])
        found = f"SELECT claim.version FROM claim /*ix_claim_status*/ WHERE claim.status IN ({words})"
        return [f"{found} AND claim.until_seq IS NULL AND claim.status <> 'asserted'"]

    return Filter(clause, ask, reach)


def _status_literal(word: str) -> ColumnElement[str]:
    return literal_column(f"'{word}'")


def _document_filter() -> Filter:
    def ask(_asking: FilterContext, wanted: Sequence[str]) -> FilterBinding:
        return _bind_distinct(_asking, [id_ for id_ in wanted if ID_PATTERN.fullmatch(id_)])

    def clause(marks: BoundParameters, view: Snapshot, _form: int) -> ColumnElement[bool]:
        citation = columns_of(CitationVersion)
        if not marks:
            return false()
        cites = (citation.claim == claim.id, citation.document.in_(marks))
        return build_exists(CitationVersion, *cites, view.contains(CitationVersion))

    def reach(names: ParameterNames, _form: int) -> Sequence[str]:
        cited = "citation /*ix_citation_document_seq*/"
        return (
            [build_joined_lookup(cited, f"citation.document {_build_equality(names)}", "citation.claim")]
            if names
            else []
        )

    return Filter(clause, ask, reach)


TopicShapes = tuple[tuple[int, bool, bool], ...]
"""For each topic how many categories it has, whether an aggregation, whether a first day."""


def _topic_filter() -> Filter:
    def ask(asking: FilterContext, wanted: Sequence[str]) -> FilterBinding:
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
            values += [] if since is None else [since, *_partial_date_patterns(since)]
        return tuple(form), values

    def clause(marks: BoundParameters, _view: Snapshot, form: TopicShapes) -> ColumnElement[bool]:
        return or_(*(_match_topic(some, *shape) for some, shape in group_by_topic(marks, form)))

    def reach(names: ParameterNames, form: TopicShapes) -> Sequence[str]:
        return [
            _build_index_lookup(
                "ix_claim_topic_date", " AND ".join(f"claim.{column} = :{name}" for column, name in asked.items())
            )
            for asked in build_topic_keys(names, form)
        ]

    return Filter(clause, ask, reach)


def group_by_topic(marks: Sequence[Any], form: TopicShapes) -> list[tuple[list[Any], tuple[int, bool, bool]]]:
    """The marks of each topic, with its shape."""
    found, at = [], 0
    for shape in form:
        count = shape[0] + 2 + shape[1] + 3 * shape[2]
        found.append((list(marks[at : at + count]), shape))
        at += count
    return found


def build_topic_keys(names: ParameterNames, form: TopicShapes) -> list[dict[str, str]]:
    """Column → name, for every category with the subject and place of its topic."""
    return [
        {"category": category, "subject": some[shape[0]], "place": some[shape[0] + 1]}
        for some, shape in group_by_topic(names, form)
        for category in some[: shape[0]]
    ]


def _match_topic(marks: list[Any], categories: int, has_aggregation: bool, has_since: bool) -> ColumnElement[bool]:  # noqa: FBT001 - a shape
    rest = iter(marks[categories:])
    clauses = [column_in("category", marks[:categories]), claim.subject == next(rest), claim.place == next(rest)]
    if has_aggregation:
        clauses.append(claim.aggregation == next(rest))
    if has_since:
        clauses.append(or_(claim.period_start == next(rest), *(claim.period.like(prefix) for prefix in rest)))
    return and_(*clauses)


def build_topic_condition(scheme: Hierarchy, topic: Mapping[str, Any], *, narrower: bool = True) -> ColumnElement[bool]:
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
        clauses.append(build_start_condition(topic["since"]))
    return and_(*clauses)


def build_start_condition(day: date) -> ColumnElement[bool]:
    """The period starts on `day`, or in a month or year that has it and is known no closer."""
    return or_(claim.period_start == day, *(claim.period.like(prefix) for prefix in _partial_date_patterns(day)))


def _partial_date_patterns(day: date) -> list[str]:
    """How the period begins where only the month, or the year, is known."""
    return [f"{day.isoformat()[:7]}/%", f"{day.isoformat()[:4]}/%"]


def _updated_since_filter() -> Filter:
    """Changed themselves, or through a citation, an assessment or a relation, by the state that is asked for."""
    change = columns_of(Change)
    first = "(SELECT change.seq FROM change WHERE change.at >= :{} ORDER BY change.at, change.seq LIMIT 1)"

    def clause(marks: BoundParameters, _view: Snapshot, _form: None) -> ColumnElement[bool]:
        since, head = marks
        begins = select(change.seq).where(change.at >= since).order_by(change.at, change.seq).limit(literal_column("1"))
        told = table_of(Change).alias("told")
        known = (told.c.claim == claim.id, told.c.seq >= begins.scalar_subquery(), told.c.seq <= head)
        return build_exists(told, *known)

    def reach(names: ParameterNames, _form: None) -> Sequence[str]:
        since, head = names
        told = f"change.seq >= {first.format(since)} AND change.seq <= :{head}"
        return [build_joined_lookup("change", told, "change.claim")]

    return Filter(clause, lambda asking, since: (None, (since, asking.snapshot.seq)), reach)


def _period_filter(column: str, *, first: bool) -> Filter:
    """The period reaches, or begins by, a day; an open end does."""

    def clause(marks: BoundParameters, _view: Snapshot, _form: None) -> ColumnElement[bool]:
        meets = claim[column] >= marks[0] if first else claim[column] <= marks[0]
        return or_(meets, claim[column].is_(None))

    def reach(names: ParameterNames, _form: None) -> Sequence[str]:
        sign = ">=" if first else "<="
        index = f"ix_claim_{column}"
        return [
            _build_index_lookup(index, f"claim.{column} {sign} :{names[0]}"),
            _build_index_lookup(index, f"claim.{column} IS NULL"),
        ]

    return Filter(clause, index_lookup=reach)


def _interval_filter(column: str, wide: str, *, first: bool) -> Filter:
    """The interval of the figure reaches a number; an open end does."""

    def clause(marks: BoundParameters, _view: Snapshot, _form: None) -> ColumnElement[bool]:
        meets = claim[column] >= marks[0] if first else claim[column] <= marks[0]
        return and_(or_(meets, claim[column].is_(None)), claim.magnitude.is_not(None))

    def reach(names: ParameterNames, _form: None) -> Sequence[str]:
        sign, n = ">=" if first else "<=", names[0]
        index = f"ix_claim_{column}"
        # The number that a figure is sorted by lies within it: what else reaches further is in an index of its own.
        further = wide.replace(column, f"claim.{column}").replace("magnitude", "claim.magnitude")
        return [
            _build_index_lookup("ix_claim_magnitude", f"claim.magnitude {sign} :{n}"),
            _build_index_lookup(index, f"claim.{column} {sign} :{n} AND {further}"),
            _build_index_lookup(index, f"claim.{column} IS NULL AND {further}"),
        ]

    return Filter(clause, index_lookup=reach)


def _date_filter(*, first: bool) -> Filter:
    """Said from, or until, a day. `finding.py` reaches both ends of such a range at once."""
    return Filter(lambda marks, _view, _form: claim.date >= marks[0] if first else claim.date <= marks[0])


def _full_text_filter() -> Filter:
    def ask(asking: FilterContext, question: str) -> FilterBinding:
        form, values = resolve_search_words(question, asking.reference_data)
        return (asking.is_postgresql, form), values

    return Filter(
        lambda marks, view, form: build_words_condition(marks, view, form[1], postgresql=form[0]),
        ask,
        # Any one of the words is enough to find the claims: `finding.py` takes the rarest.
        lambda names, form: build_word_lookups(names, form[1], postgresql=form[0])[0],
    )


class ClaimQuery(PageQuery):
    """Which claims, in which order. Filters are joined by AND, the values of one filter by OR."""

    category: Annotated[list[Slug], _slug_filter("category", CATEGORY)] = Field(
        default=[], description="What is counted.", examples=[["casualties"]]
    )
    subject: Annotated[list[Slug], _slug_filter("subject", SUBJECT)] = Field(
        default=[], description="Whose.", examples=[["russian-forces"]]
    )
    place: Annotated[list[Slug], _slug_filter("place", PLACE)] = Field(
        default=[], description="Where.", examples=[["kursk-oblast"]]
    )
    narrower: bool | None = Field(
        default=None,
        description="Whether categories, subjects and places also take what lies below them. A topic takes the "
        "categories within its own unless this is `false`.",
        examples=[True],
    )
    source: Annotated[list[Slug], _slug_filter("source", SOURCE)] = Field(
        default=[], description="Who said it.", examples=[["csis"]]
    )
    source_kind: Annotated[list[SourceKind], _source_filter("kind")] = Field(
        default=[], description="What the source is.", examples=[["think_tank"]]
    )
    interest: Annotated[list[Interest], _source_filter("interest")] = Field(
        default=[], description="Where the source stands in the dispute.", examples=[["independent"]]
    )
    proposition: Annotated[list[Proposition], _enum_filter("proposition")] = Field(
        default=[], description="The kind of statement.", examples=[["quantity"]]
    )
    modality: Annotated[list[Modality], _enum_filter("modality")] = Field(
        default=[], description="How the source holds it.", examples=[["estimate"]]
    )
    aggregation: Annotated[list[Aggregation], _enum_filter("aggregation")] = Field(
        default=[], description="How the figure relates to its period.", examples=[["cumulative"]]
    )
    kind: Annotated[list[FigureKind], _enum_filter("kind")] = Field(
        default=[], description="The shape of the figure.", examples=[["lower_bound"]]
    )
    confidence: Annotated[list[ConfidenceFilter], _confidence_filter()] = Field(
        default=[], description="The level of the newest assessment, or `unassessed`.", examples=[["low"]]
    )
    reliability: Annotated[list[Reliability], _assessment_filter("reliability")] = Field(
        default=[], description="The grade of the source; F: cannot be judged.", examples=[["C"]]
    )
    credibility: Annotated[list[Credibility], _assessment_filter("credibility")] = Field(
        default=[], description="The grade of the figure; 6: cannot be judged.", examples=[["3"]]
    )
    date_from: Annotated[Day | None, _date_filter(first=True)] = Field(
        default=None, description="Said on this day or later.", examples=["2025-01-01"]
    )
    date_to: Annotated[Day | None, _date_filter(first=False)] = Field(
        default=None, description="Said on this day or earlier.", examples=["2025-06-30"]
    )
    period_from: Annotated[Day | None, _period_filter("period_end", first=True)] = Field(
        default=None, description="The period reaches this day or a later one.", examples=["2025-01-01"]
    )
    period_to: Annotated[Day | None, _period_filter("period_start", first=False)] = Field(
        default=None, description="The period begins on this day or an earlier one.", examples=["2025-06-30"]
    )
    value_min: Annotated[float | None, _interval_filter("high", HIGH_ABOVE_MAGNITUDE, first=True)] = Field(
        default=None,
        allow_inf_nan=False,
        description="The figure can be this or more (an open end can).",
        examples=[100000],
    )
    value_max: Annotated[float | None, _interval_filter("low", LOW_BELOW_MAGNITUDE, first=False)] = Field(
        default=None,
        allow_inf_nan=False,
        description="The figure can be this or less (an open end can).",
        examples=[500000],
    )
    status: Annotated[list[Status], _status_filter()] = Field(
        default=[], description="Whether it stands; all but `removed` if not given.", examples=[["asserted"]]
    )
    document: Annotated[list[str], _document_filter()] = Field(
        default=[], description="Can be read in this document.", examples=[["01a1f640-bc00-7643-9830-d0c28b0cfb0d"]]
    )
    topic: Annotated[list[Slug], _topic_filter()] = Field(
        default=[], description="Belongs to this topic.", examples=[["russian-casualties"]]
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
        description="Recorded or changed at this time or later, its citations and assessments included.",
        examples=["2026-11-20T10:00:00Z"],
    )
    known_on: Annotated[Day | None, _date_filter(first=False)] = Field(
        default=None, description="Only what had been said by this day; undated claims never.", examples=["2025-06-12"]
    )
    sort: Sort = Field(default=Sort.newest, description="The order; unknown values come last.", examples=["-date"])


FILTERS: dict[str, Filter] = {
    name: found
    for name, info in ClaimQuery.model_fields.items()
    for found in info.metadata
    if isinstance(found, Filter)
}
"""Every filter by its name."""


def keyset_order_of(sort: Sort) -> Order:
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
            raise InvalidRequest(detail, hint="exchange them", errors=[field_fault(low, detail, location="query")])
