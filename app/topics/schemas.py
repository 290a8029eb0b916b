"""Topics, and the answer of a side-by-side."""

import datetime as dt

from pydantic import Field

from app.claims.schemas import EXAMPLE_ID, Claim, Number, Relation
from app.enums import (
    Aggregation,
    Derivation,
    FigureKind,
    Interest,
    Level,
    Reason,
    SourceKind,
    Status,
    Verdict,
)
from app.http.schema_types import Day, Input, LongText, Output, ShortText, Slug
from app.vocabulary.schemas import SelfLink, VersionFields


class TopicInput(Input):
    """A question that people ask. Its claims are found by these fields, never listed by hand."""

    title: ShortText = Field(
        description="The question in words.",
        examples=["How many Russian soldiers have been killed or wounded since February 2022?"],
    )
    description: LongText | None = Field(
        default=None, description="What a reader should know.", examples=["Kyiv counts both."]
    )
    category: Slug = Field(description="What is counted.", examples=["casualties"])
    subject: Slug = Field(description="Whose.", examples=["russian-forces"])
    place: Slug = Field(description="Where.", examples=["russia-ukraine-war"])
    aggregation: Aggregation | None = Field(
        default=None, description="How the figures relate to their periods; any if not given.", examples=["cumulative"]
    )
    since: Day | None = Field(
        default=None, description="The first day of the periods; any if not given.", examples=["2022-02-24"]
    )
    tolerance: float | None = Field(
        default=None,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="The share by which approximate figures are widened unless a reader says otherwise.",
        examples=[0.01],
    )


class TopicLinks(SelfLink):
    """Where to go from a topic."""

    claims: str = Field(description="All its claims.", examples=["/v1/topics/russian-casualties/claims"])
    side_by_side: str = Field(description="Its positions.", examples=["/v1/topics/russian-casualties/side-by-side"])
    timeline: str = Field(description="Its figures over time.", examples=["/v1/topics/russian-casualties/timeline"])


class LeftOut(Output):
    """A position that the spread does not count."""

    claim: str = Field(description="Its claim.", examples=[EXAMPLE_ID])
    reasons: list[Reason] = Field(description="Why.", examples=[["components_differ"]])


class Spread(Output):
    """How far apart the figures on exactly this question lie. No mean, no median, no best value."""

    lower: Number | None = Field(description="The smallest number that a source states.", examples=[950000])
    upper: Number | None = Field(description="The largest number that a source states.", examples=[1000340])
    ratio: float | None = Field(description="Upper to lower; null unless both are positive.", examples=[1.052989])
    sources: int = Field(description="How many sources.", examples=[3])
    open_lower: bool = Field(description="Whether a figure has no known lower end.", examples=[False])
    open_upper: bool = Field(description="Whether a figure has no known upper end.", examples=[True])
    left_out: list[LeftOut] = Field(description="The positions that do not count here.")


class _Topic(Output):
    slug: str = Field(description="Its key.", examples=["russian-casualties"])
    title: str = Field(
        description="The question in words.", examples=["How many Russian soldiers have been killed or wounded?"]
    )
    description: str | None = Field(description="What a reader should know.", examples=["Kyiv counts both."])
    category: str = Field(description="What is counted.", examples=["casualties"])
    subject: str = Field(description="Whose.", examples=["russian-forces"])
    place: str = Field(description="Where.", examples=["russia-ukraine-war"])
    aggregation: Aggregation | None = Field(
        description="How the figures relate to their periods.", examples=["cumulative"]
    )
    since: dt.date | None = Field(description="The first day of the periods.", examples=["2022-02-24"])
    tolerance: float | None = Field(description="Its default tolerance.", examples=[0.01])
    claims: int = Field(description="How many claims belong to it.", examples=[42])
    sources: int = Field(description="How many sources make them.", examples=[12])
    first_date: dt.date | None = Field(description="When the first was said.", examples=["2022-03-23"])
    last_date: dt.date | None = Field(description="When the last was said.", examples=["2025-06-12"])
    spread: Spread = Field(description="How far apart its figures lie today.")
    verdicts: dict[Verdict, int] = Field(
        description="How many pairs of positions there are of each verdict today.",
        examples=[{"agree": 1, "contradict": 2}],
    )


class Topic(VersionFields, _Topic):
    """A question that people ask, and how its figures stand."""

    links: TopicLinks = Field(description="Where to go from here.")


class TimelineRow(Output):
    """A claim as a chart over time draws it: flat, under the names of the CSV columns."""

    id: str = Field(description="The claim.", examples=[EXAMPLE_ID])
    status: Status = Field(description="Whether it stands.", examples=["asserted"])
    category: str = Field(description="What is counted.", examples=["casualties"])
    value: Number | None = Field(description="The number.", examples=[1000340])
    lower: Number | None = Field(description="The lower end.", examples=[950000])
    upper: Number | None = Field(description="The upper end.", examples=[250000])
    approximate: bool = Field(description="Whether it is only about right.", examples=[True])
    unit: str = Field(description="What one unit is.", examples=["persons"])
    kind: FigureKind = Field(description="The shape of the figure.", examples=["approximate"])
    as_printed: str = Field(description="The words of the figure.", examples=["about 1,000,340"])
    period_start: dt.date | None = Field(description="First day of the period.", examples=["2022-02-24"])
    period_end: dt.date | None = Field(description="Last day of the period.", examples=["2025-06-12"])
    date: dt.date | None = Field(description="When it was said.", examples=["2025-06-12"])
    source: str = Field(description="Who said it, by slug.", examples=["ua-general-staff"])
    source_name: str = Field(
        description="Who said it, by name.", examples=["General Staff of the Armed Forces of Ukraine"]
    )
    confidence: Level | None = Field(description="The level of the newest assessment.", examples=["low"])
    document_url: str | None = Field(description="Where it can be read.", examples=["https://example.org/report"])
    url: str = Field(description="The claim's address.", examples=[f"/v1/claims/{EXAMPLE_ID}"])


class Interval(Output):
    """What a figure allows: null ends are not known."""

    lower: Number | None = Field(description="The lower end.", examples=[950000])
    upper: Number | None = Field(description="The upper end.", examples=[1000000])
    lower_inclusive: bool = Field(description="Whether the lower end itself is allowed.", examples=[False])
    upper_inclusive: bool = Field(description="Whether the upper end itself is allowed.", examples=[True])


class PositionSource(Output):
    """Whose position it is: a minister's claim is his ministry's position."""

    slug: str = Field(description="Its key.", examples=["ru-mod"])
    name: str = Field(description="Its name.", examples=["Russian Ministry of Defence"])
    kind: SourceKind = Field(description="What it is.", examples=["government"])
    interest: Interest = Field(description="Where it stands in the dispute.", examples=["party"])


class Root(Output):
    """Where the figure comes from in the end."""

    source: str = Field(description="The source at the end of the chain.", examples=["ua-general-staff"])
    claim: str | None = Field(description="Its claim; null where only the source is known.", examples=[EXAMPLE_ID])
    derivation: Derivation = Field(description="Whether it counted for itself.", examples=["own"])
    path: list[str] = Field(description="The claims that lead there, from the position on.", examples=[[EXAMPLE_ID]])


class Position(Output):
    """Where a source stands on the question."""

    source: PositionSource = Field(description="Whose position it is.")
    claim: Claim = Field(description="The claim that is its position.")
    interval: Interval | None = Field(description="What the figure allows under the tolerance; null for a vague one.")
    age_days: int | None = Field(description="Days from the figure to the asked day.", examples=[995])
    roots: list[Root] = Field(description="What the figure rests on in the end.")


class Pair(Output):
    """Two positions beside each other."""

    a: str = Field(description="The claim of one position.", examples=[EXAMPLE_ID])
    b: str = Field(description="The claim of the other.", examples=[EXAMPLE_ID])
    verdict: Verdict = Field(description="How they stand to each other.", examples=["no_conflict"])
    reasons: list[Reason] = Field(description="Why: every reason that applies.", examples=[["dates_differ"]])
    ratio: float | None = Field(description="The larger to the smaller of the nearest numbers.", examples=[1.00034])
    gap: Number | None = Field(description="The distance of the nearest numbers.", examples=[340])


class IndependentOrigins(Output):
    """How many separate origins the positions have in the end."""

    at_least: int = Field(description="Sources that counted or assessed for themselves.", examples=[3])
    at_most: int = Field(description="Those, and the ones of which nobody knows.", examples=[5])


class Related(Output):
    """What else was said about it."""

    relations: list[Relation] = Field(description="How the positions stand to other claims, as somebody asserted it.")
    claims: list[Claim] = Field(description="Claims of the same question without a figure.")


class Asked(Output):
    """What was asked."""

    slug: str | None = Field(
        description="The topic; null for a question of one's own.", examples=["russian-casualties"]
    )
    title: str | None = Field(
        description="The question in words.", examples=["How many Russian soldiers have been killed or wounded?"]
    )
    category: str = Field(description="What is counted.", examples=["casualties"])
    subject: str | None = Field(description="Whose; null: anyone's.", examples=["russian-forces"])
    place: str | None = Field(description="Where; null: anywhere.", examples=["russia-ukraine-war"])
    aggregation: Aggregation | None = Field(
        description="How the figures relate to their periods.", examples=["cumulative"]
    )
    since: dt.date | None = Field(description="The first day of the periods.", examples=["2022-02-24"])


class SideBySide(Output):
    """Every source's position on one question, and how each stands to the others. The service picks no winner."""

    topic: Asked = Field(description="What was asked.")
    known_on: dt.date = Field(description="The day for which the answer holds.", examples=["2025-06-12"])
    recorded_as_of: str | None = Field(
        description="The state of the register that was asked for; null: the present.", examples=["seq:1234"]
    )
    seq: int = Field(description="The state of the register that was read.", examples=[1234])
    tolerance: float | None = Field(description="The share by which approximate figures were widened.", examples=[0.01])
    window: int = Field(
        description="How many days before the newest a figure may end to count in the spread.", examples=[31]
    )
    positions: list[Position] = Field(description="The positions, by lower end, then source.")
    pairs: list[Pair] | None = Field(
        description="Every two positions; null beyond 40 positions: then ask with `against`."
    )
    spread: Spread = Field(description="How far apart the figures on exactly this question lie.")
    independent_origins: IndependentOrigins = Field(description="How many separate origins there are in the end.")
    related: Related = Field(description="What else was said about it.")
    retracted: list[Claim] = Field(description="Claims that their sources took back.")
