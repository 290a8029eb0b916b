"""Request and response models of topics and side-by-sides."""

import datetime as dt

from pydantic import Field, field_validator

from app.claims.schemas import EXAMPLE_ID, Claim, Number, Relation
from app.enums import (
    Aggregation,
    Derivation,
    FigureKind,
    Interest,
    Level,
    Modality,
    Narrower,
    Reason,
    SourceKind,
    Status,
    Verdict,
)
from app.http.schema_types import Day, Input, LongText, Output, ShortText, Slug, UtcTime
from app.vocabulary.schemas import SelfLink, VersionFields


class TopicInput(Input):
    """A topic: a question that people ask. Its fields select its claims; no claim is assigned by hand."""

    title: ShortText = Field(
        description="The question in words.",
        examples=["How many Russian soldiers have been killed or wounded since February 2022?"],
    )
    description: LongText | None = Field(
        default=None, description="A note for readers.", examples=["Kyiv counts both."]
    )
    category: Slug = Field(description="The category: what is counted.", examples=["casualties"])
    subject: Slug = Field(description="The people or organisation counted.", examples=["russian-forces"])
    place: Slug = Field(description="The place.", examples=["russia-ukraine-war"])
    aggregation: Aggregation | None = Field(
        default=None, description="How the figures relate to their periods. Default: any.", examples=["cumulative"]
    )
    since: Day | None = Field(
        default=None, description="The first day of the periods. Default: any.", examples=["2022-02-24"]
    )
    tolerance: float | None = Field(
        default=None,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="The default relative tolerance of approximate figures, such as 0.01.",
        examples=[0.01],
    )
    interests: dict[Slug, Interest] = Field(
        default={},
        max_length=1_000,
        description="The interest of sources in this dispute, by slug, where it is not their usual one.",
        examples=[{"uk-mod": "aligned"}],
    )
    narrower: list[Narrower] = Field(
        default=[Narrower.category],
        description="The fields whose narrower values belong to the topic too; empty for none. Default: `category`.",
        examples=[["category", "place"]],
    )

    @field_validator("narrower")
    @classmethod
    def _sort_narrower(cls, fields: list[Narrower]) -> list[Narrower]:
        """Return the distinct fields in the order of the enumeration, so that the same topic is always equal."""
        return [field for field in Narrower if field in fields]


class TopicLinks(SelfLink):
    """Links of a topic."""

    claims: str = Field(description="The claims of the topic.", examples=["/v1/topics/russian-casualties/claims"])
    side_by_side: str = Field(
        description="The positions of the sources, compared.", examples=["/v1/topics/russian-casualties/side-by-side"]
    )
    timeline: str = Field(
        description="The figures of the topic over time.", examples=["/v1/topics/russian-casualties/timeline"]
    )
    brief: str = Field(description="The topic on one screen.", examples=["/v1/topics/russian-casualties/brief"])
    chart: str = Field(
        description="The positions of the sources as a picture.", examples=["/v1/topics/russian-casualties/chart.svg"]
    )
    page: str = Field(description="The topic as a page for people.", examples=["/topics/russian-casualties"])


class LeftOut(Output):
    """A position that is excluded from the spread."""

    claim: str = Field(description="The id of the claim.", examples=[EXAMPLE_ID])
    reasons: list[Reason] = Field(description="The reasons for the exclusion.", examples=[["components_differ"]])


class SpreadNumbers(Output):
    """The range of the figures of one group of positions. No mean, median or best value is computed."""

    lower: Number | None = Field(description="The smallest number that a source states.", examples=[950000])
    upper: Number | None = Field(description="The largest number that a source states.", examples=[1000340])
    ratio: float | None = Field(
        description="`upper` divided by `lower`; null unless both are positive and two sources state figures.",
        examples=[1.052989],
    )
    unit: str | None = Field(
        description="The unit of both numbers; null for shares, as of ratios.", examples=["persons"]
    )
    sources: int = Field(description="The number of sources.", examples=[3])
    open_lower: bool = Field(description="Whether a figure has no known lower bound.", examples=[False])
    open_upper: bool = Field(description="Whether a figure has no known upper bound.", examples=[True])


class Spread(SpreadNumbers):
    """The range of the figures of the group of positions that answers exactly this question.

    It is the group with the category, subject and place of the question that has the most sources.
    """

    left_out: list[LeftOut] = Field(description="The positions that are excluded from the spread.")


class SpreadSummary(SpreadNumbers):
    """The range of the figures of the group of positions that answers exactly this question."""

    left_out: dict[Reason, int] = Field(
        description="The number of positions that are excluded from the spread, by reason.",
        examples=[{"components_differ": 4, "dates_differ": 2}],
    )


class _Topic(Output):
    slug: str = Field(description="The slug of the topic.", examples=["russian-casualties"])
    title: str = Field(
        description="The question in words.", examples=["How many Russian soldiers have been killed or wounded?"]
    )
    description: str | None = Field(description="A note for readers.", examples=["Kyiv counts both."])
    category: str = Field(description="The category: what is counted.", examples=["casualties"])
    subject: str = Field(description="The people or organisation counted.", examples=["russian-forces"])
    place: str = Field(description="The place.", examples=["russia-ukraine-war"])
    aggregation: Aggregation | None = Field(
        description="How the figures relate to their periods.", examples=["cumulative"]
    )
    since: dt.date | None = Field(description="The first day of the periods.", examples=["2022-02-24"])
    tolerance: float | None = Field(
        description="The default relative tolerance of approximate figures.", examples=[0.01]
    )
    interests: dict[str, Interest] = Field(
        description="The interest of sources in this dispute, by slug, where it is not their usual one.",
        examples=[{"uk-mod": "aligned"}],
    )
    narrower: list[Narrower] = Field(
        description="The fields whose narrower values belong to the topic too.", examples=[["category", "place"]]
    )
    claims: int = Field(description="The number of claims of the topic.", examples=[42])
    sources: int = Field(description="The number of sources of these claims.", examples=[12])
    first_date: dt.date | None = Field(description="The date of the earliest claim.", examples=["2022-03-23"])
    last_date: dt.date | None = Field(description="The date of the latest claim.", examples=["2025-06-12"])
    spread: SpreadSummary = Field(description="The range of the figures as of today.")
    newest: list[str] = Field(
        description="The figures that the spread counts, in words with their sources, the newest first; at most three.",
        examples=[["about 1,207,910 persons (Ukraine's General Staff, up to 31 December 2025)"]],
    )
    verdicts: dict[Verdict, int] = Field(
        description="The number of pairs of positions by verdict, as of today.",
        examples=[{"agree": 1, "contradict": 2}],
    )
    changed_seq: int = Field(
        description="The latest change of the topic, or of a claim on its category, subject and place.", examples=[680]
    )


class Topic(VersionFields, _Topic):
    """A topic: a question that people ask, with counts and the spread of its figures."""

    links: TopicLinks = Field(description="Links of the topic.")


class TimelineRow(Output):
    """A claim as a flat row for charts over time, with the names of the CSV columns."""

    id: str = Field(description="The id of the claim.", examples=[EXAMPLE_ID])
    status: Status = Field(description="Whether the claim is current or retracted.", examples=["asserted"])
    category: str = Field(description="The category: what is counted.", examples=["casualties"])
    value: Number | None = Field(description="The number.", examples=[1000340])
    lower: Number | None = Field(description="The lower bound.", examples=[950000])
    upper: Number | None = Field(description="The upper bound.", examples=[250000])
    approximate: bool = Field(description="Whether the source calls the figure approximate.", examples=[True])
    unit: str = Field(description="The unit of the figure.", examples=["persons"])
    kind: FigureKind = Field(description="The form of the figure.", examples=["approximate"])
    as_printed: str = Field(description="The printed wording of the figure, verbatim.", examples=["about 1,000,340"])
    period_start: dt.date | None = Field(description="First day of the period.", examples=["2022-02-24"])
    period_end: dt.date | None = Field(description="Last day of the period.", examples=["2025-06-12"])
    date: dt.date | None = Field(description="The day of the statement.", examples=["2025-06-12"])
    source: str = Field(description="The source that made the claim, by slug.", examples=["ua-general-staff"])
    source_name: str = Field(
        description="The source that made the claim, by name.",
        examples=["General Staff of the Armed Forces of Ukraine"],
    )
    confidence: Level | None = Field(description="The confidence level of the latest assessment.", examples=["low"])
    document_url: str | None = Field(
        description="The URL of the document in which the claim can be read.", examples=["https://example.org/report"]
    )
    url: str = Field(description="The address of the claim.", examples=[f"/v1/claims/{EXAMPLE_ID}"])
    superseded_by: str | None = Field(
        description="The claim of the same source that replaced this one, by id.", examples=[EXAMPLE_ID]
    )
    superseded_on: dt.date | None = Field(
        description="The date of the claim that replaced this one.", examples=["2018-01-05"]
    )
    subject: str = Field(description="The people or organisation counted.", examples=["russian-forces"])
    place: str = Field(description="The place.", examples=["russia-ukraine-war"])
    modality: Modality = Field(
        description="The modality: count, estimate, forecast or allegation.", examples=["estimate"]
    )
    aggregation: Aggregation = Field(description="How the figure relates to its period.", examples=["cumulative"])
    source_interest: Interest = Field(
        description="The position of the source towards the parties of the dispute.", examples=["party"]
    )
    date_edtf: str | None = Field(
        description="The date of the statement in EDTF, where the day is not known.", examples=["2025-06"]
    )


APPENDED_TIMELINE_COLUMNS = ("subject", "place", "modality", "aggregation", "source_interest", "date_edtf")
"""Columns of a timeline that were added later: they come last."""


class Interval(Output):
    """The interval of values that a figure allows. A null bound is unknown."""

    lower: Number | None = Field(description="The lower bound.", examples=[950000])
    upper: Number | None = Field(description="The upper bound.", examples=[1000000])
    lower_inclusive: bool = Field(description="Whether the interval includes its lower bound.", examples=[False])
    upper_inclusive: bool = Field(description="Whether the interval includes its upper bound.", examples=[True])


class PositionSource(Output):
    """The source that holds a position. A claim of a minister is a position of the ministry."""

    slug: str = Field(description="The slug of the source.", examples=["ru-mod"])
    name: str = Field(description="The name of the source.", examples=["Russian Ministry of Defence"])
    short_name: str | None = Field(
        description="A short name for tables and charts; null if there is none.", examples=["Russia's MoD"]
    )
    kind: SourceKind = Field(description="The kind of source.", examples=["government"])
    interest: Interest = Field(
        description="The position of the source towards the parties of the dispute.", examples=["party"]
    )


class Root(Output):
    """An origin of a figure: the end of a chain of relations."""

    source: str = Field(description="The source at the end of the chain.", examples=["ua-general-staff"])
    claim: str | None = Field(
        description="The claim at the end of the chain; null if only the source is known.", examples=[EXAMPLE_ID]
    )
    derivation: Derivation = Field(description="Whether the figure is the source's own work.", examples=["own"])
    path: list[str] = Field(description="The claims of the chain, starting with the position.", examples=[[EXAMPLE_ID]])


class Position(Output):
    """The position of a source on the question: its latest comparable claim."""

    source: PositionSource = Field(description="The source that holds the position.")
    claim: Claim = Field(description="The claim that states the position.")
    wordings: list[str] = Field(
        description="The claims that are wordings of the same statement, by id, this one first.",
        examples=[[EXAMPLE_ID]],
    )
    interval: Interval | None = Field(description="The interval of the figure under the tolerance.")
    effective_end: dt.date | None = Field(
        description="The earliest possible last day that the figure covers, no later than the day on which it was "
        "stated; null if unknown.",
        examples=["2025-06-12"],
    )
    age_days: int | None = Field(
        description="Days from `effective_end` to `known_on`, or to today without it.", examples=[995]
    )
    roots: list[Root] = Field(description="The origins of the figure.")


class Pair(Output):
    """A comparison of two positions."""

    a: str = Field(description="The claim of the first position, by id.", examples=[EXAMPLE_ID])
    b: str = Field(description="The claim of the second position, by id.", examples=[EXAMPLE_ID])
    verdict: Verdict = Field(description="The result of the comparison.", examples=["no_conflict"])
    reasons: list[Reason] = Field(description="All reasons that apply.", examples=[["dates_differ"]])
    ratio: float | None = Field(
        description="The ratio of the larger to the smaller of the two nearest bounds.", examples=[1.00034]
    )
    gap: Number | None = Field(
        description="The distance between the two nearest bounds, in the unit of the larger figure.", examples=[340]
    )
    above: str | None = Field(
        description="The claim with the larger figure, by id, if the figures have no number in common.",
        examples=[EXAMPLE_ID],
    )
    why: str | None = Field(
        description="One sentence that says why; null unless the request has `why=true`.",
        examples=["A (100 persons) and B (100 persons) agree: one figure lies within the other."],
    )


class ComparedPair(Pair):
    """A comparison of any two claims."""

    why: str = Field(
        description="One sentence that says why.",
        examples=["A (100 persons) and B (100 persons) agree: one figure lies within the other."],
    )
    known_on: dt.date | UtcTime | None = Field(
        description="The requested day or moment: only what had been said by then counts. Null: no limit.",
        examples=["2025-06-12"],
    )
    recorded_as_of: str | None = Field(
        description="The requested state of the register; null: the current state.", examples=["seq:680"]
    )
    seq: int = Field(description="The sequence number of the register state that was read.", examples=[1234])
    tolerance: float | None = Field(
        description="The relative tolerance that was applied to approximate figures.", examples=[0.01]
    )


class IndependentOrigins(Output):
    """The number of independent origins of the positions."""

    at_least: int = Field(description="The number of sources whose figures are their own work.", examples=[3])
    at_most: int = Field(description="The same, including sources of unknown basis.", examples=[5])


class Related(Output):
    """Relations of the positions, and claims without a figure."""

    relations: list[Relation] = Field(
        description="The relations of the positions to other claims, with who asserts them."
    )
    claims: list[Claim] = Field(description="Claims on the same question without a number.")


class Asked(Output):
    """The topic or filters of a side-by-side."""

    slug: str | None = Field(
        description="The slug of the topic; null for a side-by-side by filters.", examples=["russian-casualties"]
    )
    title: str | None = Field(
        description="The question in words.", examples=["How many Russian soldiers have been killed or wounded?"]
    )
    category: str = Field(description="The category: what is counted.", examples=["casualties"])
    subject: str | None = Field(
        description="The people or organisation counted; null: any.", examples=["russian-forces"]
    )
    place: str | None = Field(description="The place; null: any.", examples=["russia-ukraine-war"])
    aggregation: Aggregation | None = Field(
        description="How the figures relate to their periods.", examples=["cumulative"]
    )
    since: dt.date | None = Field(description="The first day of the periods.", examples=["2022-02-24"])


class ComparedQuestion(Output):
    """The question of a comparison, the state that was read, and the options."""

    topic: Asked = Field(description="The topic or filters of the request.")
    known_on: dt.date | UtcTime | None = Field(
        description="The requested day or moment: only what had been said by then counts. Null: no limit.",
        examples=["2025-06-12"],
    )
    recorded_as_of: str | None = Field(
        description="The requested state of the register; null: the current state.", examples=["seq:680"]
    )
    seq: int = Field(description="The sequence number of the register state that was read.", examples=[1234])
    tolerance: float | None = Field(
        description="The relative tolerance that was applied to approximate figures.", examples=[0.01]
    )
    window: int = Field(
        description="Figures count as current whose period ends within this many days of the latest one.",
        examples=[31],
    )
    narrower: list[Narrower] = Field(
        description="The fields of the question that include what lies below them.", examples=[["category"]]
    )
    ends_by: dt.date | None = Field(
        description="Only figures whose period ends by this day; null: any.", examples=["2025-06-12"]
    )


class SideBySide(ComparedQuestion):
    """The positions of all sources on one question, compared in pairs. The service picks no winner."""

    positions: list[Position] = Field(description="The positions, ordered by lower bound, then source.")
    pairs: list[Pair] | None = Field(
        description="The comparison of each pair; null for more than 40 positions: use `against` then."
    )
    verdicts: dict[Verdict, int] = Field(
        description="The number of pairs of positions by verdict. All pairs are counted, even if they are not listed.",
        examples=[{"agree": 1, "contradict": 2}],
    )
    spread: Spread = Field(description="The range of the figures on exactly this question.")
    independent_origins: IndependentOrigins = Field(description="The number of independent origins.")
    related: Related = Field(description="Relations of the positions, and claims without a figure.")
    retracted: list[Claim] = Field(description="Claims that their sources retracted.")
    left_out: dict[Reason, int] = Field(
        description="The number of claims on the same category, subject and place that are left out, by reason.",
        examples=[{"aggregation_differs": 3, "superseded": 1}],
    )
