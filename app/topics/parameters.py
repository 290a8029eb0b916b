"""Query parameters of topics and comparisons."""

import math
from collections.abc import Collection
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field, PlainValidator, WithJsonSchema, create_model
from pydantic_core import PydanticCustomError

from app.claims.search.filters import ClaimFilters
from app.claims.search.question_scope import NARROWABLE
from app.comparison.question import DEFAULT_WINDOW_DAYS, ComparisonOptions
from app.enums import Aggregation
from app.http.pagination import AsOf, KnownOn, PageQuery
from app.http.schema_types import Day, Slug
from app.topics.brief import DEFAULT_PAIRS, DEFAULT_POSITIONS, MAX_PAIRS, MAX_POSITIONS
from app.vocabulary.suggestions import SearchText


def _read_narrower(text: Any) -> frozenset[str] | None:  # noqa: ANN401 - unvalidated input
    """Return the named fields: all for `true`, none for `false`."""
    if text is None or isinstance(text, frozenset):
        return text
    names = {"true": frozenset(NARROWABLE), "false": frozenset[str]()}.get(text, frozenset(str(text).split(",")))
    if not names <= set(NARROWABLE):
        raise PydanticCustomError("narrower", "Expected `true`, `false`, or a list such as `category,place`")
    return names


NO_TOLERANCE = 0.0
"""The tolerance that stands for `none`."""


def _read_tolerance(text: Any) -> float | None:  # noqa: ANN401 - unvalidated input
    """Return the tolerance, `NO_TOLERANCE` for `none`."""
    if text is None or text == "none":
        return text and NO_TOLERANCE
    try:
        tolerance = float(text)
    except (TypeError, ValueError):
        tolerance = math.nan
    if not 0 < tolerance <= 1:
        raise PydanticCustomError("tolerance", "Expected a share above 0 and up to 1, or `none`")
    return tolerance


TOLERANCE_SCHEMA = {
    "anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, {"type": "string", "const": "none"}],
    "examples": [0.01],
}
NARROWER_SCHEMA = {"type": "string", "maxLength": 40, "examples": ["category,place"]}
NarrowerParameter = Annotated[Any, PlainValidator(_read_narrower), WithJsonSchema(NARROWER_SCHEMA)]
ToleranceParameter = Annotated[Any, PlainValidator(_read_tolerance), WithJsonSchema(TOLERANCE_SCHEMA)]


TOLERANCE_FIELD = Field(
    default=None,
    description="The relative tolerance of approximate figures, such as 0.01, or `none`. "
    "Default: that of the topic, else none.",
    examples=["0.01"],
)


class ComparedStateQuery(BaseModel):
    """The state of the register that is compared, and the tolerance."""

    known_on: KnownOn = None
    recorded_as_of: AsOf = None
    tolerance: ToleranceParameter = TOLERANCE_FIELD


class ComparisonQuery(ComparedStateQuery):
    """Parameters of a comparison of positions."""

    window: int = Field(
        default=DEFAULT_WINDOW_DAYS,
        ge=0,
        le=36_500,
        description="The spread counts figures whose period ends within this many days of the latest one.",
        examples=[31],
    )
    narrower: NarrowerParameter = Field(
        default=None,
        description="The fields that include what lies below them, as parts: `category`, `subject`, `place`, separated "
        "by commas; `true`: all three, `false`: none. Default: those of the topic, else `category`.",
        examples=["category,place"],
    )
    ends_by: Day | None = Field(
        default=None,
        description="For each source, the latest figure whose period ends by this day.",
        examples=["2025-06-12"],
    )


class Listed(StrEnum):
    """Whether a part of a response is listed."""

    all = "all"
    none = "none"


class CompareQuery(ComparisonQuery):
    """Parameters of a side-by-side."""

    against: Slug | None = Field(
        default=None,
        description="List only the pairs of this source, by slug.",
        examples=["ua-general-staff"],
    )
    why: bool = Field(default=False, description="Whether each pair has a sentence that says why.", examples=[True])
    pairs: Listed = Field(
        default=Listed.all,
        description="`none` leaves the pairs out: `pairs` is null. `verdicts` counts them all the same.",
        examples=["none"],
    )
    citations: Listed = Field(
        default=Listed.all,
        description="`none` leaves the citations of the claims out: their lists are empty.",
        examples=["none"],
    )


class BriefQuery(ComparisonQuery):
    """Parameters of a brief."""

    positions: int = Field(
        default=DEFAULT_POSITIONS,
        ge=1,
        le=MAX_POSITIONS,
        description="Show at most this many positions of each group, the newest first.",
        examples=[12],
    )
    pairs: int = Field(
        default=DEFAULT_PAIRS,
        ge=0,
        le=MAX_PAIRS,
        description="Show at most this many pairs that deserve a look, the worst first.",
        examples=[10],
    )


class SideBySideQuery(CompareQuery):
    """A side-by-side without a topic, by its own filters."""

    category: Slug = Field(description="The category: what is counted.", examples=["casualties"])
    subject: Slug | None = Field(
        default=None, description="The people or organisation counted. Default: any.", examples=["russian-forces"]
    )
    place: Slug | None = Field(default=None, description="The place. Default: any.", examples=["russia-ukraine-war"])
    aggregation: Aggregation | None = Field(
        default=None, description="How the figures relate to their periods. Default: any.", examples=["cumulative"]
    )
    since: Day | None = Field(
        default=None, description="The first day of the periods. Default: any.", examples=["2022-02-24"]
    )


class TopicSort(StrEnum):
    """The sort orders of topics. Topics with an equal value come by slug."""

    by_slug = "slug"
    by_title = "title"
    most_disagreement = "-disagreement"
    least_disagreement = "disagreement"
    most_claims = "-claims"
    fewest_claims = "claims"
    last_changed = "-changed"
    first_changed = "changed"


class TopicsQuery(PageQuery):
    """The page of a list of topics, and the day for which they are summarized."""

    known_on: KnownOn = None
    sort: TopicSort = Field(
        default=TopicSort.by_slug,
        description="The sort order: by slug, title, number of pairs that contradict each other (`-disagreement`: most "
        "first), number of claims, or latest change.",
        examples=["-disagreement"],
    )
    q: SearchText | None = Field(
        default=None,
        description="Only topics of which each word of `q` begins a word of the title, or of the name of the category, "
        "subject or place; accents and case are ignored.",
        examples=["casualt"],
    )


TIMELINE_FILTERS: Final = (
    *("source", "source_kind", "proposition", "modality", "aggregation", "kind"),
    *("confidence", "confidence_min", "reliability", "credibility", "status", "superseded"),
    *("date_from", "date_to", "undated", "period_from", "period_to", "value_min", "value_max", "q"),
)
"""The filters of claims that a timeline has, too."""

_FILTER_FIELDS: dict[str, Any] = {
    name: (ClaimFilters.model_fields[name].annotation, ClaimFilters.model_fields[name]) for name in TIMELINE_FILTERS
}
_TimelineFilters: Any = create_model("_TimelineFilters", __base__=PageQuery, **_FILTER_FIELDS)


class TimelineQuery(_TimelineFilters):
    """Filters and page of a timeline."""

    known_on: KnownOn = None
    narrower: NarrowerParameter = Field(
        default=None,
        description="The fields that include what lies below them: `category`, `subject`, `place`, separated by "
        "commas; `true`: all three, `false`: none. Default: those of the topic.",
        examples=["false"],
    )

    @property
    def filters(self) -> dict[str, Any]:
        """The filters of claims that are set."""
        values = {name: getattr(self, name) for name in TIMELINE_FILTERS}
        return {name: value for name, value in values.items() if value not in (None, [])}


ClaimId = Annotated[str, Field(max_length=80)]


class ClaimPairQuery(BaseModel):
    """Parameters of the comparison of two claims."""

    a: ClaimId = Field(description="The first claim, by id.", examples=["01a1f640-bc00-7fe1-8aaf-3de79d8fb7ee"])
    b: ClaimId = Field(description="The second claim, by id.", examples=["01a1f640-bc00-7ca1-8b60-821cb18e96a1"])
    known_on: KnownOn = None
    recorded_as_of: AsOf = None
    tolerance: ToleranceParameter = TOLERANCE_FIELD


def build_options(
    query: ComparisonQuery, topic_tolerance: float | None = None, topic_narrower: Collection[str] = ("category",)
) -> ComparisonOptions:
    """Return the options of a comparison: those of the request, else those of the topic."""
    options = ComparisonOptions(
        tolerance=choose_tolerance(query.tolerance, topic_tolerance),
        window=query.window,
        narrower=frozenset(topic_narrower) if query.narrower is None else query.narrower,
        ends_by=query.ends_by,
    )
    return replace(options, against=query.against, why=query.why) if isinstance(query, CompareQuery) else options


def choose_tolerance(requested: float | None, default: float | None = None) -> float | None:
    """Return the requested tolerance, else the default; None for `NO_TOLERANCE`."""
    return default if requested is None else requested or None
