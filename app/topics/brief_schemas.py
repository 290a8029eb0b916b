"""Response models of briefs."""

import datetime as dt

from pydantic import Field

from app.claims.schemas import EXAMPLE_ID, Figure, Number, Period
from app.enums import FigureKind, Interest, Level, Modality, Proposition, Reason, Verdict
from app.http.schema_types import Output
from app.sources.schemas import DocumentSummary
from app.topics.schemas import ComparedQuestion, Pair, PositionSource, SpreadNumbers


class BriefLinks(Output):
    """Links of a position in a brief."""

    claim: str = Field(description="The claim.", examples=[f"/v1/claims/{EXAMPLE_ID}"])
    citation: str = Field(
        description="The claim as a printable sentence and as references.",
        examples=[f"/v1/claims/{EXAMPLE_ID}/citation"],
    )
    page: str = Field(description="The claim as a page for people.", examples=[f"/claims/{EXAMPLE_ID}"])


class BriefPosition(Output):
    """The position of a source in a brief."""

    claim: str = Field(description="The claim that states the position, by id.", examples=[EXAMPLE_ID])
    source: PositionSource = Field(description="The source that holds the position.")
    category: str = Field(description="The category: what is counted.", examples=["casualties"])
    proposition: Proposition = Field(description="What kind of statement it is.", examples=["quantity"])
    modality: Modality = Field(description="How the source presents the statement.", examples=["estimate"])
    figure: Figure = Field(description="The figure.")
    date: dt.date | None = Field(description="The day of the statement.", examples=["2025-06-12"])
    date_edtf: str | None = Field(
        description="The day of the statement in EDTF, as precisely as it is known.", examples=["2025-06"]
    )
    period: Period = Field(description="The period that the figure covers.")
    effective_end: dt.date | None = Field(
        description="The earliest possible last day that the figure covers, no later than the day on which it was "
        "stated; null if unknown.",
        examples=["2025-06-12"],
    )
    age_days: int | None = Field(
        description="Days from `effective_end` to `known_on`, or to today without it.", examples=[995]
    )
    age: str = Field(description="The age in words; empty if it is unknown.", examples=["2 years"])
    confidence: Level | None = Field(description="The confidence level of the latest assessment.", examples=["low"])
    document: DocumentSummary | None = Field(description="The document of the leading citation.")
    links: BriefLinks = Field(description="Links of the position.")


class BriefGroup(Output):
    """Positions that count the same thing from the same start, the newest first."""

    title: str = Field(
        description="What the figures count, in words.", examples=["killed and wounded, since 24 February 2022"]
    )
    is_on_question: bool = Field(
        description="Whether the figures have exactly the category, subject and place of the question.", examples=[True]
    )
    unit: str = Field(description="The unit of the newest figure.", examples=["persons"])
    current: list[BriefPosition] = Field(
        description="The positions whose period ends within `window` days of the newest one."
    )
    earlier: list[BriefPosition] = Field(description="The other positions.")
    left_out: int = Field(description="The number of positions of the group that are not shown.", examples=[2])
    sources: int = Field(description="The number of sources of the group.", examples=[14])
    spread: SpreadNumbers = Field(description="The range of the current figures that can be compared.")
    verdicts: dict[Verdict, int] = Field(
        description="The number of pairs of positions of the group by verdict.",
        examples=[{"agree": 1, "contradict": 2}],
    )
    beside: Pair | None = Field(
        description="How the newest figure of the group relates to the newest one of the first group; null for that."
    )


class SameEnd(Output):
    """An estimate, and the running totals of other sources that end on its day."""

    claim: str = Field(description="The estimate, by claim id.", examples=[EXAMPLE_ID])
    effective_end: dt.date = Field(description="The day on which all of them end.", examples=["2025-06-03"])
    totals: list[BriefPosition] = Field(description="The running totals. They need not be positions.")


class Brief(ComparedQuestion):
    """A topic on one screen: like figures together, the newest first, and the pairs that deserve a look."""

    lead: list[str] = Field(
        description="What stands, in two to five sentences: the newest figures, what contradicts, what counts "
        "something else.",
        examples=[["Killed, since November 2024: the newest figure is about 2,000 persons (NIS, up to 2 May 2025)."]],
    )
    groups: list[BriefGroup] = Field(
        description="The positions in groups, those on exactly the question first, then by number of sources."
    )
    verdicts: dict[Verdict, int] = Field(
        description="The number of all pairs of positions by verdict.", examples=[{"agree": 1, "contradict": 2}]
    )
    look: list[Pair] = Field(
        description="The pairs that deserve a look, the worst first: contradictions, conflicting transcriptions, what "
        "only a tolerance would decide, parts above their whole."
    )
    look_left_out: int = Field(description="The number of such pairs that are not shown.", examples=[6])
    on_same_end: list[SameEnd] = Field(
        description="For each shown estimate, the running totals of other sources that end on its day, if any."
    )
    without_number: int = Field(description="The number of claims that state no number.", examples=[2])
    retracted: int = Field(description="The number of claims that their sources retracted.", examples=[1])
    left_out: dict[Reason, int] = Field(
        description="The number of claims on the same category, subject and place that are left out, by reason.",
        examples=[{"aggregation_differs": 3, "superseded": 1}],
    )


class BriefRow(Output):
    """A position of a brief as a flat row."""

    group: str = Field(
        description="What the figure counts, in words.", examples=["killed and wounded, since 24 February 2022"]
    )
    is_on_question: bool = Field(
        description="Whether the figure has exactly the category, subject and place of the question.", examples=[True]
    )
    is_current: bool = Field(
        description="Whether the period ends within `window` days of the newest one of the group.", examples=[True]
    )
    id: str = Field(description="The id of the claim.", examples=[EXAMPLE_ID])
    source: str = Field(description="The source that holds the position, by slug.", examples=["ua-general-staff"])
    source_name: str = Field(
        description="The source that holds the position, by name.",
        examples=["General Staff of the Armed Forces of Ukraine"],
    )
    source_short_name: str | None = Field(
        description="The short name of the source.", examples=["Ukraine's General Staff"]
    )
    source_interest: Interest = Field(
        description="The position of the source towards the parties of the dispute.", examples=["party"]
    )
    category: str = Field(description="The category: what is counted.", examples=["casualties"])
    modality: Modality = Field(description="How the source presents the statement.", examples=["estimate"])
    display: str = Field(
        description="The figure in English, with its hedge and its unit.", examples=["over 1 million persons"]
    )
    as_printed: str = Field(description="The printed wording of the figure, verbatim.", examples=["about 1,000,340"])
    value: Number | None = Field(description="The number.", examples=[1000340])
    lower: Number | None = Field(description="The lower bound.", examples=[950000])
    upper: Number | None = Field(description="The upper bound.", examples=[250000])
    approximate: bool = Field(description="Whether the source calls the figure approximate.", examples=[True])
    unit: str = Field(description="The unit of the figure.", examples=["persons"])
    kind: FigureKind = Field(description="The form of the figure.", examples=["approximate"])
    period: str = Field(description="The period in EDTF, levels 0–1.", examples=["2022-02-24/2025-06-12"])
    effective_end: dt.date | None = Field(
        description="The earliest possible last day that the figure covers.", examples=["2025-06-12"]
    )
    age_days: int | None = Field(
        description="Days from `effective_end` to `known_on`, or to today without it.", examples=[995]
    )
    date: dt.date | None = Field(description="The day of the statement.", examples=["2025-06-12"])
    confidence: Level | None = Field(description="The confidence level of the latest assessment.", examples=["low"])
    document_title: str | None = Field(
        description="The title of the document in which the claim can be read.", examples=["Casualty update"]
    )
    document_url: str | None = Field(
        description="The URL of the document in which the claim can be read.", examples=["https://example.org/report"]
    )
    url: str = Field(description="The address of the claim.", examples=[f"/v1/claims/{EXAMPLE_ID}"])
