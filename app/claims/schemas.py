"""The claim as it is served and as it is given: fields, meanings and examples are declared here and nowhere else."""

import datetime as dt
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, create_model
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from app.enums import (
    Aggregation,
    CitationRole,
    Credibility,
    Derivation,
    Fidelity,
    FigureKind,
    Independence,
    Interest,
    Level,
    Modality,
    Proposition,
    RelationScope,
    RelationType,
    Reliability,
    SourceKind,
    Status,
)
from app.http.schema_types import Day, Input, Language, LongText, Output, ShortText, Slug, UtcTime
from app.sources.schemas import DocumentCard, DocumentInput
from app.vocabulary.schemas import SelfLink

EXAMPLE_ID = "01a1f640-bc00-7528-9916-436a9224d91e"
EXAMPLE_IMPORT_ID = "01a1f640-bc00-7942-b648-86578d874731"
Number = int | float


def _unwrap_source(value: Any) -> Any:  # noqa: ANN401 - whatever was sent
    """A source may be given as it is served: an object with its slug."""
    return value["slug"] if isinstance(value, dict) and "slug" in value else value


def _wrap_document_id(value: Any) -> Any:  # noqa: ANN401 - whatever was sent
    """A recorded document may be given by its id alone."""
    return {"id": value} if isinstance(value, str) else value


def _require_number(value: Any) -> Any:  # noqa: ANN401 - whatever was sent
    """Refuse text and booleans here, where one fault is found, and not once for each type that a number can have."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("number", "Expected a number")
    return value


SourceSlug = Annotated[Slug, BeforeValidator(_unwrap_source)]
InputNumber = Annotated[int | float, BeforeValidator(_require_number)]


class Figure(Output):
    """What was printed, and the numbers that it says. Nothing is added: no width, no midpoint, no error bar."""

    as_printed: str = Field(description="The words of the figure, verbatim.", examples=["surpassed one million"])
    kind: FigureKind = Field(description="Its shape, derived from its numbers.", examples=["lower_bound"])
    value: Number | None = Field(description="The number itself, or the best estimate inside a range.", examples=[1351])
    lower: Number | None = Field(description="The lower end.", examples=[1000000])
    upper: Number | None = Field(description="The upper end.", examples=[250000])
    lower_inclusive: bool | None = Field(description="False: more than `lower`. Null without one.", examples=[False])
    upper_inclusive: bool | None = Field(description="False: less than `upper`. Null without one.", examples=[True])
    approximate: bool = Field(description="Whether it was said to be about right.", examples=[False])
    coverage: Number | None = Field(
        description="The probability with which the range is said to hold.", examples=[0.95]
    )
    out_of: Number | None = Field(description="The whole, where the figure is a share or a ratio.", examples=[100])
    relative_to: str | None = Field(
        description="The base, where the figure is relative to one.", examples=["ukrainian-forces"]
    )
    unit: str = Field(description="What one unit is: the category's.", examples=["persons"])


class Period(Output):
    """What the figure covers."""

    edtf: str = Field(description="The period in EDTF, levels 0–1.", examples=["2022-02-24/2025-06-12"])
    start: dt.date | None = Field(
        description="The first day it can mean; null where it is not known.", examples=["2022-02-24"]
    )
    end: dt.date | None = Field(description="The last day it can mean; null where it is open.", examples=["2025-06-12"])
    aggregation: Aggregation = Field(description="How the figure relates to the period.", examples=["cumulative"])


class ClaimSource(Output):
    """Who said it."""

    slug: str = Field(description="Its key.", examples=["ua-general-staff"])
    name: str = Field(description="Its name.", examples=["General Staff of the Armed Forces of Ukraine"])
    kind: SourceKind = Field(description="What it is.", examples=["military"])
    interest: Interest = Field(description="Where it stands in the dispute.", examples=["party"])


class Confidence(Output):
    """The newest assessment. The two Admiralty grades stand apart, and nothing is computed from them."""

    level: Level | None = Field(description="An editor's word.", examples=["low"])
    reliability: Reliability | None = Field(description="Of the source, A–F; F: cannot be judged.", examples=["C"])
    credibility: Credibility | None = Field(description="Of the figure, 1–6; 6: cannot be judged.", examples=["3"])
    stated: str | None = Field(description="The source's own hedge.", examples=["likely"])
    assessor: str = Field(description="Who assessed it.", examples=["starter-desk"])
    assessed_on: dt.date = Field(description="When.", examples=["2026-11-20"])
    rationale: str = Field(description="Why.", examples=["A party to the war counts the other side's losses."])


class Citation(Output):
    """A claim's appearance in a document."""

    id: str = Field(description="Its id.", examples=[EXAMPLE_ID])
    document: DocumentCard = Field(description="Where it can be read.")
    role: CitationRole = Field(
        description="Whether the claimant published it, or somebody relays it.", examples=["relay"]
    )
    via: list[str] = Field(description="The sources in between, from the claimant on.", examples=[["ap"]])
    fidelity: Fidelity = Field(description="How faithfully it repeats what was said.", examples=["paraphrase"])
    quote: str | None = Field(description="The words as they stand there.", examples=["surpassed one million"])
    quote_language: str | None = Field(description="Their language (BCP 47).", examples=["en"])
    translation: str | None = Field(description="The words in English.", examples=["about 12,000 dead"])
    locator: str | None = Field(description="Where in the document.", examples=["paragraph 1"])
    gap: str | None = Field(
        description="Which link of the chain was not seen.", examples=["The report itself was not seen."]
    )
    withdrawn_on: dt.date | None = Field(description="When the outlet took its report back.", examples=["2025-07-01"])


class ClaimLinks(Output):
    """Where to go from a claim."""

    self: str = Field(description="The claim.", examples=[f"/v1/claims/{EXAMPLE_ID}"])
    revisions: str = Field(description="Its history.", examples=[f"/v1/claims/{EXAMPLE_ID}/revisions"])
    citation: str = Field(
        description="It in words that can be printed.", examples=[f"/v1/claims/{EXAMPLE_ID}/citation"]
    )
    relations: str = Field(
        description="How it stands to other claims.", examples=[f"/v1/claims/{EXAMPLE_ID}/relations"]
    )
    assessments: str = Field(description="How it was assessed.", examples=[f"/v1/claims/{EXAMPLE_ID}/assessments"])


class Claim(Output):
    """One source's statement of one figure, or of one proposition without a figure, made on one date."""

    id: str = Field(description="Its id (UUIDv7).", examples=[EXAMPLE_ID])
    revision: int = Field(description="The state of our record of it, from 1.", examples=[1])
    status: Status = Field(description="Whether it stands.", examples=["asserted"])
    category: str = Field(description="What is counted.", examples=["casualties"])
    subject: str = Field(description="Whose.", examples=["russian-forces"])
    place: str = Field(description="Where.", examples=["russia-ukraine-war"])
    proposition: Proposition = Field(description="What kind of statement it is.", examples=["quantity"])
    modality: Modality = Field(description="How the source holds it.", examples=["estimate"])
    derivation: Derivation = Field(description="What it rests on.", examples=["own"])
    figure: Figure = Field(description="The figure.")
    period: Period = Field(description="What the figure covers.")
    date: dt.date | None = Field(
        description="The day on which the source said it, at the latest; null where nobody knows.",
        examples=["2025-06-12"],
    )
    date_edtf: str | None = Field(description="The same as far as it is known, in EDTF.", examples=["2025-06"])
    source: ClaimSource = Field(description="Who said it.")
    confidence: Confidence | None = Field(description="The newest assessment; null where nobody assessed it.")
    includes: list[str] = Field(description="Subjects that the source says it counts.", examples=[["wagner-group"]])
    excludes: list[str] = Field(
        description="Subjects that the source says it leaves out.", examples=[["prisoners-of-war"]]
    )
    citations: list[Citation] = Field(description="Where it can be read, the first recorded first.")
    note: str | None = Field(description="What a reader should know.", examples=["The page is undated."])
    retracted_on: dt.date | None = Field(description="When its source took it back.", examples=["2025-07-01"])
    import_id: str | None = Field(
        description="The import that brought it; null where somebody recorded it by itself.",
        examples=[EXAMPLE_IMPORT_ID],
    )
    recorded_at: UtcTime = Field(description="When this revision was recorded.", examples=["2026-11-20T10:00:00Z"])
    recorded_until: UtcTime | None = Field(description="When the next one was.", examples=["2026-11-21T10:00:00Z"])
    seq: int = Field(description="The change that made this revision.", examples=[17])
    links: ClaimLinks = Field(description="Where to go from here.")


class FigureInput(Input):
    """What was printed, and the numbers that it says."""

    as_printed: ShortText = Field(description="The words of the figure, verbatim.", examples=["surpassed one million"])
    value: InputNumber | None = Field(
        default=None, description="The number, or the source's best estimate.", examples=[1351]
    )
    lower: InputNumber | None = Field(default=None, description="The lower end.", examples=[1000000])
    upper: InputNumber | None = Field(default=None, description="The upper end.", examples=[250000])
    lower_inclusive: bool | None = Field(default=None, description="False: more than `lower`.", examples=[False])
    upper_inclusive: bool | None = Field(default=None, description="False: less than `upper`.", examples=[True])
    approximate: bool = Field(default=False, description="Whether it was said to be about right.", examples=[True])
    coverage: InputNumber | None = Field(
        default=None, description="The probability with which the range is said to hold.", examples=[0.95]
    )
    out_of: InputNumber | None = Field(default=None, description="The whole of a share or ratio.", examples=[100])
    relative_to: ShortText | None = Field(
        default=None, description="The base of a relative figure.", examples=["ukrainian-forces"]
    )
    kind: FigureKind | None = Field(
        default=None, description="Need not be given; if it is, it must fit the numbers.", examples=["lower_bound"]
    )
    unit: ShortText | None = Field(
        default=None, description="Need not be given; if it is, it must be the category's.", examples=["persons"]
    )


class PeriodInput(Input):
    """What the figure covers."""

    edtf: Annotated[str, Field(max_length=80)] = Field(
        description="The period in EDTF, levels 0–1.", examples=["2022-02-24/2025-06-12"]
    )
    aggregation: Aggregation = Field(description="How the figure relates to the period.", examples=["cumulative"])


class CitedDocument(DocumentInput):
    """A recorded document by its id, or a document as for `POST /v1/documents`."""

    id: Annotated[str, Field(max_length=80)] | None = Field(
        default=None, description="The id of a recorded document; nothing else is needed then.", examples=[EXAMPLE_ID]
    )
    title: ShortText | None = Field(  # type: ignore[assignment] # an id needs no title beside it
        default=None, description="Its title; required without an id.", examples=["The cost of the war"]
    )


class CitationInput(Input):
    """A claim's appearance in a document."""

    document: Annotated[CitedDocument, BeforeValidator(_wrap_document_id)] = Field(
        description="A recorded document by its id, or the document itself; of one address there is one document.",
        examples=[{"url": "https://example.org/report", "title": "The report", "publisher": "csis"}],
    )
    role: CitationRole | None = Field(
        default=None,
        description="If not given: `original` where the claimant is the publisher, else `relay`.",
        examples=["relay"],
    )
    via: list[Slug] = Field(
        default_factory=list,
        max_length=20,
        description="The sources in between, from the claimant on.",
        examples=[["ap"]],
    )
    fidelity: Fidelity = Field(
        default=Fidelity.paraphrase, description="How faithfully it repeats what was said.", examples=["verbatim"]
    )
    quote: LongText | None = Field(
        default=None, description="The words as they stand there.", examples=["over 950,000"]
    )
    quote_language: Language | None = Field(default=None, description="Their language (BCP 47).", examples=["en"])
    translation: LongText | None = Field(
        default=None, description="The words in English.", examples=["about 12,000 dead"]
    )
    locator: ShortText | None = Field(default=None, description="Where in the document.", examples=["paragraph 1"])
    gap: LongText | None = Field(
        default=None, description="Which link of the chain was not seen.", examples=["The report itself was not seen."]
    )
    withdrawn_on: Day | None = Field(
        default=None, description="When the outlet took its report back.", examples=["2025-07-01"]
    )


class AssessmentInput(Input):
    """How far somebody would trust a claim, and why."""

    level: Level | None = Field(default=None, description="An editor's word.", examples=["low"])
    reliability: Reliability | None = Field(default=None, description="Of the source, A–F.", examples=["C"])
    credibility: Credibility | None = Field(default=None, description="Of the figure, 1–6.", examples=["3"])
    stated: ShortText | None = Field(default=None, description="The source's own hedge.", examples=["likely"])
    assessor: Annotated[ShortText, Field(max_length=80)] | None = Field(
        default=None, description="Who assessed it; the key's name if not given.", examples=["desk"]
    )
    assessed_on: Day | None = Field(default=None, description="When; today if not given.", examples=["2026-11-20"])
    rationale: LongText = Field(description="Why.", examples=["A party to the war counts the other side's losses."])


class ClaimInput(Input):
    """What one source said: one figure, or one proposition without a figure."""

    category: Slug = Field(description="What is counted.", examples=["casualties"])
    subject: Slug = Field(description="Whose.", examples=["russian-forces"])
    place: Slug = Field(description="Where.", examples=["russia-ukraine-war"])
    proposition: Proposition = Field(
        default=Proposition.quantity, description="What kind of statement it is.", examples=["quantity"]
    )
    modality: Modality = Field(description="How the source holds it.", examples=["estimate"])
    derivation: Derivation = Field(default=Derivation.unknown, description="What it rests on.", examples=["own"])
    figure: FigureInput = Field(description="The figure.")
    period: PeriodInput = Field(description="What the figure covers.")
    date: Day | None = Field(default=None, description="The day on which the source said it.", examples=["2025-06-12"])
    date_edtf: Annotated[str, Field(max_length=40)] | None = Field(
        default=None, description="The same in EDTF, where only a month or year is known.", examples=["2025-06"]
    )
    source: SourceSlug = Field(description="Who said it.", examples=["csis"])
    includes: list[Slug] = Field(
        default_factory=list,
        max_length=50,
        description="Subjects that the source says it counts.",
        examples=[["wagner-group"]],
    )
    excludes: list[Slug] = Field(
        default_factory=list,
        max_length=50,
        description="Subjects that the source says it leaves out.",
        examples=[["dpr-lpr-militias"]],
    )
    citations: list[CitationInput] = Field(
        min_length=1, max_length=100, description="Where it can be read: at least one place."
    )
    note: LongText | None = Field(
        default=None, description="What a reader should know.", examples=["The page is undated."]
    )
    confidence: AssessmentInput | None = Field(
        default=None, description="A first assessment; needs the role editor. Left out: nobody assessed it."
    )


class Assessment(Confidence):
    """How far somebody would trust a claim, and why. Old ones stay."""

    id: str = Field(description="Its id.", examples=[EXAMPLE_ID])
    claim: str = Field(description="The claim.", examples=[EXAMPLE_ID])
    withdrawn: bool = Field(description="Whether its assessor took it back.", examples=[False])
    recorded_at: UtcTime = Field(description="When this state was recorded.", examples=["2026-11-20T10:00:00Z"])
    seq: int = Field(description="The change that made it.", examples=[18])


class Relation(Output):
    """How a claim stands to another claim or to a source, as somebody asserted it."""

    id: str = Field(description="Its id.", examples=[EXAMPLE_ID])
    type: RelationType = Field(description="How it stands.", examples=["based_on"])
    claim: str = Field(description="The claim that stands so.", examples=[EXAMPLE_ID])
    to_claim: str | None = Field(description="To which claim.", examples=[EXAMPLE_ID])
    to_source: str | None = Field(description="To which source, where its claim is not known.", examples=["us-dod"])
    asserted_by: str = Field(description="The source that says so, or `editors`.", examples=["editors"])
    scope: RelationScope | None = Field(description="What it is about.", examples=["level"])
    independence: Independence | None = Field(
        description="Whether their grounds are separate.", examples=["shared_basis"]
    )
    document: str | None = Field(description="Where that can be read, by id.", examples=[EXAMPLE_ID])
    quote: str | None = Field(description="The words that say so.", examples=["corroborate these numbers"])
    note: str | None = Field(description="What a reader should know.", examples=["Which figure is meant is not said."])
    withdrawn: bool = Field(description="Whether it was taken back.", examples=[False])
    recorded_at: UtcTime = Field(description="When this state was recorded.", examples=["2026-11-20T10:00:00Z"])
    seq: int = Field(description="The change that made it.", examples=[19])


class RelationInput(Input):
    """How a claim stands to another claim, or to a source whose claim is not known."""

    type: RelationType = Field(description="How it stands.", examples=["based_on"])
    claim: str | None = Field(default=None, description="To which claim, by id.", examples=[EXAMPLE_ID])
    source: Slug | None = Field(
        default=None, description="To which source, where its claim is not known.", examples=["us-dod"]
    )
    asserted_by: Slug = Field(
        default="editors", description="The source that says so, or `editors`.", examples=["editors"]
    )
    scope: RelationScope | None = Field(default=None, description="What it is about.", examples=["level"])
    independence: Independence | None = Field(
        default=None, description="Whether their grounds are separate.", examples=["unknown"]
    )
    document: str | None = Field(default=None, description="Where that can be read, by id.", examples=[EXAMPLE_ID])
    quote: LongText | None = Field(
        default=None, description="The words that say so.", examples=["corroborate these numbers"]
    )
    note: LongText | None = Field(
        default=None, description="What a reader should know.", examples=["Which figure is not said."]
    )


class CitationChange(CitationInput):
    """A citation of the claim by its id, with all its fields; without an id it is added."""

    id: Annotated[str, Field(max_length=36)] | None = Field(
        default=None, description="The citation that is replaced.", examples=[EXAMPLE_ID]
    )


def _make_optional(name: str, info: FieldInfo) -> Any:  # noqa: ANN401 - a type is a value here
    """A field of a claim that a change may leave out."""
    annotation: Any = list[CitationChange] if name == "citations" else info.annotation
    field = Field(default=None, description=info.description, examples=info.examples)
    kept = Annotated[(annotation, *info.metadata)] if info.metadata else annotation
    return kept | None, field


_CHANGEABLE_FIELDS: dict[str, Any] = {
    name: _make_optional(name, info) for name, info in ClaimInput.model_fields.items() if name != "confidence"
}

ClaimChanges: Any = create_model(
    "ClaimChanges",
    __base__=Input,
    __doc__="The fields that change, each as for a new claim; nested objects and lists are replaced whole.",
    **_CHANGEABLE_FIELDS,
)


class RepairEvent(StrEnum):
    """Why our record of a claim is repaired."""

    transcription_fix = "transcription_fix"
    relay_correction = "relay_correction"


class ReasonInput(Input):
    """Why something is done."""

    reason: LongText = Field(description="Why. It is kept for good.", examples=["Checked against the printed page."])


class ChangeInput(ReasonInput):
    """A repair of our record: `transcription_fix` for our slip, `relay_correction` for one that the outlet mended."""

    event: RepairEvent = Field(description="What happened.", examples=["transcription_fix"])
    changes: ClaimChanges = Field(
        description="The fields that change, each as for a new claim.",
        examples=[{"figure": {"as_printed": "1,351", "value": 1351}}],
    )


class RetractionInput(ReasonInput):
    """The source took its claim back."""

    retracted_on: Day = Field(description="On which day.", examples=["2025-07-01"])


class FieldChange(Output):
    """One field that changed."""

    field: str = Field(description="Which, by its path.", examples=["figure.value"])
    before: Any = Field(description="What it was.", examples=[1531])
    after: Any = Field(description="What it became.", examples=[1351])


class Revision(Claim):
    """A claim as one revision showed it, and how that revision came about."""

    event: str = Field(description="What made it.", examples=["transcription_fix"])
    reason: str | None = Field(description="Why; the first revision needs no reason.", examples=["A slip of a digit."])
    actor: str = Field(description="Who made it, by the name of the key.", examples=["desk"])
    changes: list[FieldChange] = Field(description="What changed against the revision before, field by field.")


class Tombstone(Output):
    """What is left of a claim that was taken down."""

    id: str = Field(description="Its id.", examples=[EXAMPLE_ID])
    status: Status = Field(description="`removed`.", examples=["removed"])
    category: str = Field(description="What was counted.", examples=["casualties"])
    subject: str = Field(description="Whose.", examples=["russian-forces"])
    place: str = Field(description="Where.", examples=["russia-ukraine-war"])
    recorded_at: UtcTime = Field(description="When it was taken down.", examples=["2026-11-20T10:00:00Z"])
    seq: int = Field(description="The change that took it down.", examples=[99])
    links: SelfLink = Field(description="Its address.")
