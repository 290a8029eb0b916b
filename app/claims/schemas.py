"""Request and response models of claims. Fields, descriptions and examples are declared only here."""

import datetime as dt
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
    Per,
    Proposition,
    RelationScope,
    RelationType,
    RelativeToKind,
    Reliability,
    SourceKind,
    Status,
)
from app.http.schema_types import Day, Input, Language, LongText, Moment, Output, PastDay, ShortText, Slug, UtcTime
from app.sources.schemas import DocumentInput, DocumentSummary, FieldChange, ReasonInput, RepairEvent
from app.vocabulary.schemas import SelfLink

EXAMPLE_ID = "01a1f640-bc00-7528-9916-436a9224d91e"
EXAMPLE_IMPORT_ID = "01a1f640-bc00-7942-b648-86578d874731"
Number = int | float


def _unwrap_source(value: Any) -> Any:  # noqa: ANN401 - unvalidated input
    """Return the slug of a source. A payload may give the slug, or the object of a response."""
    return value["slug"] if isinstance(value, dict) and "slug" in value else value


def _wrap_document_id(value: Any) -> Any:  # noqa: ANN401 - unvalidated input
    """Return a document object. A payload may give only the id of a recorded document."""
    return {"id": value} if isinstance(value, str) else value


def _require_number(value: Any) -> Any:  # noqa: ANN401 - unvalidated input
    """Reject text and booleans before the union `int | float`, which would report an error for each member."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("number", "Expected a number")
    return value


SourceSlug = Annotated[Slug, BeforeValidator(_unwrap_source)]
InputNumber = Annotated[int | float, BeforeValidator(_require_number)]


class Figure(Output):
    """The printed wording of a figure and its numbers. No error margin or midpoint is added."""

    as_printed: str = Field(
        description="The printed wording of the figure, verbatim.", examples=["surpassed one million"]
    )
    language: str | None = Field(
        description="The language in which it was printed (BCP 47); null if it is not stated.", examples=["en"]
    )
    kind: FigureKind = Field(description="The form of the figure, derived from its numbers.", examples=["lower_bound"])
    value: Number | None = Field(description="The number, or the best estimate within a range.", examples=[1351])
    lower: Number | None = Field(description="The lower bound.", examples=[1000000])
    upper: Number | None = Field(description="The upper bound.", examples=[250000])
    lower_inclusive: bool | None = Field(
        description="False: more than `lower`. Null if there is no `lower`.", examples=[False]
    )
    upper_inclusive: bool | None = Field(
        description="False: less than `upper`. Null if there is no `upper`.", examples=[True]
    )
    approximate: bool = Field(description="Whether the source calls the figure approximate.", examples=[False])
    coverage: Number | None = Field(
        description="The stated probability that the range holds, from 0 to 1.", examples=[0.95]
    )
    out_of: Number | None = Field(description="The whole, if the figure is a share or a ratio.", examples=[100])
    relative_to: str | None = Field(
        description="What the figure is relative to, if anything: a period, a subject, a category, or other words.",
        examples=["ukrainian-forces"],
    )
    relative_to_kind: RelativeToKind | None = Field(
        description="What `relative_to` is read as: first as a period, then as a subject, then as a category.",
        examples=["subject"],
    )
    unit: str = Field(
        description="The unit of the figure: its own, or that of the category. "
        "`percent` for a change in percent, `times` for a ratio that is one number.",
        examples=["persons"],
    )
    display: str = Field(
        description="The figure in English, with its hedge and its unit.", examples=["over 1 million persons"]
    )
    wording_differs: str | None = Field(
        description="Why the numbers are not those of the wording; null if they are, or if the wording is not read.",
        examples=["The list has only confirmed names, so the number is a lower bound."],
    )


class Period(Output):
    """The period that a figure covers."""

    edtf: str = Field(description="The period in EDTF, levels 0–1.", examples=["2022-02-24/2025-06-12"])
    start: dt.date | None = Field(
        description="The earliest possible first day; null if unknown.", examples=["2022-02-24"]
    )
    end: dt.date | None = Field(
        description="The latest possible last day; null if the period is open.", examples=["2025-06-12"]
    )
    aggregation: Aggregation = Field(description="How the figure relates to the period.", examples=["cumulative"])
    per: Per | None = Field(
        description="The unit of time of a rate, as its source states it. Null for other figures, and for rates that "
        "were recorded before it was required.",
        examples=["day"],
    )


class ClaimSource(Output):
    """The source that made a claim."""

    slug: str = Field(description="The slug of the source.", examples=["ua-general-staff"])
    name: str = Field(description="The name of the source.", examples=["General Staff of the Armed Forces of Ukraine"])
    short_name: str | None = Field(
        description="A short name for tables and charts; null if there is none.", examples=["Ukraine's General Staff"]
    )
    kind: SourceKind = Field(description="The kind of source.", examples=["military"])
    interest: Interest = Field(
        description="The position of the source towards the parties of the dispute.", examples=["party"]
    )
    terms: str | None = Field(
        description="The terms under which the statements of the source may be used: an SPDX identifier or an address.",
        examples=["OGL-UK-3.0"],
    )


class Confidence(Output):
    """The latest assessment of a claim. The two Admiralty grades are independent; nothing is computed from them."""

    level: Level | None = Field(description="The confidence of an editor in the claim.", examples=["low"])
    reliability: Reliability | None = Field(
        description="Admiralty grade of the source, A–F; F: cannot be judged.", examples=["C"]
    )
    credibility: Credibility | None = Field(
        description="Admiralty grade of the information, 1–6; 6: cannot be judged.", examples=["3"]
    )
    stated: str | None = Field(description="The confidence that the source itself states.", examples=["likely"])
    assessor: str = Field(description="The person or team that assessed the claim.", examples=["starter-desk"])
    assessed_on: dt.date = Field(description="The day of the assessment.", examples=["2026-11-20"])
    rationale: str = Field(
        description="The reason for the assessment.", examples=["A party to the war counts the other side's losses."]
    )


class Citation(Output):
    """A citation: a document in which a claim can be read."""

    id: str = Field(description="The id of the citation.", examples=[EXAMPLE_ID])
    document: DocumentSummary = Field(description="The document in which the claim can be read.")
    leading: bool = Field(
        description="Whether sentences and files with one row per claim use this citation: the one that an editor "
        "marked, else by role, fidelity, kind of publisher and day of publication.",
        examples=[True],
    )
    role: CitationRole = Field(
        description="Whether the claimant published the document, or another source relays the claim.",
        examples=["relay"],
    )
    via: list[str] = Field(
        description="The sources between the claimant and the document, starting after the claimant.", examples=[["ap"]]
    )
    fidelity: Fidelity = Field(
        description="How faithfully the document repeats the claimant's statement.", examples=["paraphrase"]
    )
    quote: str | None = Field(description="The passage of the document, verbatim.", examples=["surpassed one million"])
    quote_language: str | None = Field(description="The language of the quote (BCP 47).", examples=["en"])
    translation: str | None = Field(description="The quote in English.", examples=["about 12,000 dead"])
    locator: str | None = Field(
        description="The location in the document, such as a page or paragraph.", examples=["paragraph 1"]
    )
    gap: str | None = Field(
        description="The link of the citation chain that could not be checked.",
        examples=["The report itself was not seen."],
    )
    withdrawn_on: dt.date | None = Field(
        description="The day on which the publisher withdrew its report.", examples=["2025-07-01"]
    )


class ClaimLinks(Output):
    """Links of a claim."""

    self: str = Field(description="The claim.", examples=[f"/v1/claims/{EXAMPLE_ID}"])
    revisions: str = Field(description="The revisions of the claim.", examples=[f"/v1/claims/{EXAMPLE_ID}/revisions"])
    citation: str = Field(
        description="The claim as a printable sentence and as references.",
        examples=[f"/v1/claims/{EXAMPLE_ID}/citation"],
    )
    relations: str = Field(
        description="Relations from and to the claim.", examples=[f"/v1/claims/{EXAMPLE_ID}/relations"]
    )
    assessments: str = Field(
        description="The assessments of the claim.", examples=[f"/v1/claims/{EXAMPLE_ID}/assessments"]
    )
    page: str = Field(description="The claim as a page for people.", examples=[f"/claims/{EXAMPLE_ID}"])


class Claim(Output):
    """One source's statement of one figure, or of one proposition without a figure, made on one date."""

    id: str = Field(description="The id of the claim (UUIDv7).", examples=[EXAMPLE_ID])
    revision: int = Field(description="The revision number of the record, from 1.", examples=[1])
    status: Status = Field(description="Whether the claim is current, retracted or removed.", examples=["asserted"])
    category: str = Field(description="The category: what is counted.", examples=["casualties"])
    subject: str = Field(description="The people or organisation counted.", examples=["russian-forces"])
    place: str = Field(description="The place.", examples=["russia-ukraine-war"])
    proposition: Proposition = Field(description="The kind of statement.", examples=["quantity"])
    modality: Modality = Field(
        description="How the source presents the statement: counted, estimated, expected or alleged.",
        examples=["estimate"],
    )
    derivation: Derivation = Field(
        description="The basis of the figure: the source's own work, or other sources.", examples=["own"]
    )
    figure: Figure = Field(description="The figure.")
    period: Period = Field(description="The period that the figure covers.")
    date: dt.date | None = Field(
        description="The day of the statement, at the latest; null if unknown.",
        examples=["2025-06-12"],
    )
    date_edtf: str | None = Field(
        description="The day of the statement in EDTF, as precisely as it is known.", examples=["2025-06"]
    )
    said_at: str | None = Field(
        description="The moment of the statement, with its offset from UTC (RFC 3339); null if unknown. "
        "`date` is its day at that offset.",
        examples=["2025-06-12T18:30:00+03:00"],
    )
    source: ClaimSource = Field(description="The source that made the claim.")
    confidence: Confidence | None = Field(description="The latest assessment; null if there is none.")
    includes: list[str] = Field(description="Subjects that the source states it includes.", examples=[["wagner-group"]])
    excludes: list[str] = Field(
        description="Subjects that the source states it excludes.", examples=[["prisoners-of-war"]]
    )
    citations: list[Citation] = Field(
        description="The documents in which the claim can be read, in the order of recording."
    )
    note: str | None = Field(description="A note for readers.", examples=["The page is undated."])
    retracted_on: dt.date | None = Field(
        description="The day on which the source retracted the claim.", examples=["2025-07-01"]
    )
    superseded_by: str | None = Field(
        description="The claim of the same source that replaced this one, by id: of several, the newest that stands.",
        examples=[EXAMPLE_ID],
    )
    superseded_on: dt.date | None = Field(
        description="The date of the claim that replaced this one; null if there is none or its date is unknown.",
        examples=["2018-01-05"],
    )
    import_id: str | None = Field(
        description="The import that recorded the claim; null if it was recorded individually.",
        examples=[EXAMPLE_IMPORT_ID],
    )
    recorded_at: UtcTime = Field(
        description="The time at which this revision was recorded.", examples=["2026-11-20T10:00:00Z"]
    )
    recorded_until: UtcTime | None = Field(
        description="The time at which the next revision was recorded.", examples=["2026-11-21T10:00:00Z"]
    )
    seq: int = Field(description="The sequence number of the change that created this revision.", examples=[17])
    links: ClaimLinks = Field(description="Links of the claim.")


class FigureInput(Input):
    """The printed wording of a figure and its numbers."""

    as_printed: ShortText = Field(
        description="The printed wording of the figure, verbatim. Where the service can read it, the numbers can be "
        "left out, and may not say something else; `/v1/reading` shows what it reads.",
        examples=["surpassed one million"],
    )
    language: Language | None = Field(
        default=None,
        description="The language in which it was printed (BCP 47): it says what a point and a comma in a number mean.",
        examples=["en"],
    )
    value: InputNumber | None = Field(
        default=None, description="The number, or the source's best estimate.", examples=[1351]
    )
    lower: InputNumber | None = Field(default=None, description="The lower bound.", examples=[1000000])
    upper: InputNumber | None = Field(default=None, description="The upper bound.", examples=[250000])
    lower_inclusive: bool | None = Field(default=None, description="False: more than `lower`.", examples=[False])
    upper_inclusive: bool | None = Field(default=None, description="False: less than `upper`.", examples=[True])
    approximate: bool = Field(
        default=False, description="Whether the source calls the figure approximate.", examples=[True]
    )
    coverage: InputNumber | None = Field(
        default=None, description="The stated probability that the range holds, from 0 to 1.", examples=[0.95]
    )
    out_of: InputNumber | None = Field(
        default=None, description="The whole, if the figure is a share or a ratio.", examples=[100]
    )
    relative_to: ShortText | None = Field(
        default=None,
        description="What the figure is relative to, if anything: a period in EDTF, a subject or a category by slug, "
        "or other words. Required for a change, and for a ratio in `times`.",
        examples=["ukrainian-forces"],
    )
    kind: FigureKind | None = Field(
        default=None, description="Optional. If given, it must match the numbers.", examples=["lower_bound"]
    )
    unit: Annotated[ShortText, Field(max_length=40)] | None = Field(
        default=None,
        description="The unit of the figure. Required if the unit of the category is a dimension (`currency`, `area`, "
        "`length`, `mass`): an ISO 4217 code, or a unit such as `hectares`, `millimeter` or `tonnes`. Otherwise it is "
        "that of the category, except `percent` for a change and `times` for a ratio without `out_of`.",
        examples=["persons"],
    )
    display: Annotated[str, Field(max_length=1_000)] | None = Field(
        default=None, description="Ignored: the register derives it.", examples=["over 1 million persons"]
    )
    wording_differs: ShortText | None = Field(
        default=None,
        description="Why the numbers are not those of the wording. It is stored, served and printed in the sentence.",
        examples=["The list has only confirmed names, so the number is a lower bound."],
    )


class PeriodInput(Input):
    """The period that a figure covers."""

    edtf: Annotated[str, Field(max_length=80)] = Field(
        description="The period in EDTF, levels 0–1.", examples=["2022-02-24/2025-06-12"]
    )
    aggregation: Aggregation = Field(description="How the figure relates to the period.", examples=["cumulative"])
    per: Per | None = Field(
        default=None,
        description="The unit of time of a rate, as its source states it; required for a rate, and only for a rate.",
        examples=["day"],
    )


class CitedDocument(DocumentInput):
    """A recorded document by its id or address, or a new document as for `POST /v1/documents`."""

    id: Annotated[str, Field(max_length=80)] | None = Field(
        default=None, description="The id of a recorded document; it needs no other field.", examples=[EXAMPLE_ID]
    )
    title: ShortText | None = Field(  # type: ignore[assignment] # optional here: a document with an id needs no title
        default=None,
        description="The title of the document; required for a document that is not recorded.",
        examples=["The cost of the war"],
    )


class CitationInput(Input):
    """A citation: a document in which a claim can be read."""

    document: Annotated[CitedDocument, BeforeValidator(_wrap_document_id)] = Field(
        description="A recorded document by its id, an edition of a recorded page by its URL, or a new document. An "
        "edition is told by `url`, `published_on` and `archive_url`.",
        examples=[{"url": "https://example.org/report", "title": "The report", "publisher": "csis"}],
    )
    role: CitationRole | None = Field(
        default=None,
        description="Default: `original` if the claimant is the publisher, else `relay`.",
        examples=["relay"],
    )
    via: list[Slug] = Field(
        default_factory=list,
        max_length=20,
        description="The sources between the claimant and the document, starting after the claimant.",
        examples=[["ap"]],
    )
    fidelity: Fidelity = Field(
        default=Fidelity.paraphrase,
        description="How faithfully the document repeats the claimant's statement.",
        examples=["verbatim"],
    )
    quote: LongText | None = Field(
        default=None, description="The passage of the document, verbatim.", examples=["over 950,000"]
    )
    quote_language: Language | None = Field(
        default=None, description="The language of the quote (BCP 47).", examples=["en"]
    )
    translation: LongText | None = Field(
        default=None, description="The quote in English.", examples=["about 12,000 dead"]
    )
    locator: ShortText | None = Field(
        default=None, description="The location in the document, such as a page or paragraph.", examples=["paragraph 1"]
    )
    gap: LongText | None = Field(
        default=None,
        description="The link of the citation chain that could not be checked.",
        examples=["The report itself was not seen."],
    )
    withdrawn_on: PastDay | None = Field(
        default=None, description="The day on which the publisher withdrew its report.", examples=["2025-07-01"]
    )


class AssessmentInput(Input):
    """An assessment of a claim: how far an editor trusts it, and why."""

    level: Level | None = Field(default=None, description="The confidence of an editor in the claim.", examples=["low"])
    reliability: Reliability | None = Field(
        default=None, description="Admiralty grade of the source, A–F.", examples=["C"]
    )
    credibility: Credibility | None = Field(
        default=None, description="Admiralty grade of the information, 1–6.", examples=["3"]
    )
    stated: ShortText | None = Field(
        default=None, description="The confidence that the source itself states.", examples=["likely"]
    )
    assessor: Annotated[ShortText, Field(max_length=80)] | None = Field(
        default=None,
        description="The person or team that assessed the claim. Default: the name of the API key.",
        examples=["desk"],
    )
    assessed_on: PastDay | None = Field(
        default=None, description="The day of the assessment. Default: today.", examples=["2026-11-20"]
    )
    rationale: LongText = Field(
        description="The reason for the assessment.", examples=["A party to the war counts the other side's losses."]
    )


class ClaimInput(Input):
    """A new claim: one source's statement of one figure, or of one proposition without a figure."""

    category: Slug = Field(description="The category: what is counted.", examples=["casualties"])
    subject: Slug = Field(description="The people or organisation counted.", examples=["russian-forces"])
    place: Slug = Field(description="The place.", examples=["russia-ukraine-war"])
    proposition: Proposition = Field(
        default=Proposition.quantity, description="The kind of statement.", examples=["quantity"]
    )
    modality: Modality = Field(
        description="How the source presents the statement: counted, estimated, expected or alleged.",
        examples=["estimate"],
    )
    derivation: Derivation = Field(
        default=Derivation.unknown,
        description="The basis of the figure: the source's own work, or other sources.",
        examples=["own"],
    )
    figure: FigureInput = Field(description="The figure.")
    period: PeriodInput = Field(description="The period that the figure covers.")
    date: Day | None = Field(default=None, description="The day of the statement.", examples=["2025-06-12"])
    date_edtf: Annotated[str, Field(max_length=40)] | None = Field(
        default=None,
        description="The day of the statement in EDTF, if only the month or year, or an interval, is known: "
        "`2024-12-31/..` is not before 31 December 2024.",
        examples=["2025-06"],
    )
    said_at: Moment | None = Field(
        default=None,
        description="The moment of the statement, with its offset from UTC (RFC 3339), if it is known. `date` is its "
        "day at that offset, and can be left out.",
        examples=["2025-06-12T18:30:00+03:00"],
    )
    source: SourceSlug = Field(description="The source that made the claim, by slug.", examples=["csis"])
    includes: list[Slug] = Field(
        default_factory=list,
        max_length=50,
        description="Subjects that the source states it includes.",
        examples=[["wagner-group"]],
    )
    excludes: list[Slug] = Field(
        default_factory=list,
        max_length=50,
        description="Subjects that the source states it excludes.",
        examples=[["dpr-lpr-militias"]],
    )
    citations: list[CitationInput] = Field(
        min_length=1, max_length=100, description="The documents in which the claim can be read; at least one."
    )
    note: LongText | None = Field(default=None, description="A note for readers.", examples=["The page is undated."])
    confidence: AssessmentInput | None = Field(
        default=None, description="The first assessment; needs the role editor. Optional."
    )


class Assessment(Confidence):
    """An assessment of a claim. A new assessment does not replace older ones."""

    id: str = Field(description="The id of the assessment.", examples=[EXAMPLE_ID])
    claim: str = Field(description="The id of the assessed claim.", examples=[EXAMPLE_ID])
    withdrawn: bool = Field(description="Whether the assessment was withdrawn.", examples=[False])
    recorded_at: UtcTime = Field(description="When this version was recorded.", examples=["2026-11-20T10:00:00Z"])
    seq: int = Field(description="The `seq` of the change that created this version.", examples=[18])


class Relation(Output):
    """A relation of a claim to another claim or to a source, and who asserts it."""

    id: str = Field(description="The id of the relation.", examples=[EXAMPLE_ID])
    type: RelationType = Field(description="The type of the relation.", examples=["based_on"])
    claim: str = Field(description="The claim that the relation starts from, by id.", examples=[EXAMPLE_ID])
    to_claim: str | None = Field(description="The related claim, by id.", examples=[EXAMPLE_ID])
    to_source: str | None = Field(
        description="The related source, by slug, if its claim is not known.", examples=["us-dod"]
    )
    asserted_by: str = Field(description="The source that asserts the relation, or `editors`.", examples=["editors"])
    scope: RelationScope | None = Field(
        description="The aspect of the claim that the relation refers to.", examples=["level"]
    )
    independence: Independence | None = Field(
        description="Whether both claims have separate evidence.", examples=["shared_basis"]
    )
    document: str | None = Field(description="The document that states the relation, by id.", examples=[EXAMPLE_ID])
    quote: str | None = Field(
        description="The passage that states the relation, verbatim.", examples=["corroborate these numbers"]
    )
    note: str | None = Field(description="A note for readers.", examples=["Which figure is meant is not said."])
    withdrawn: bool = Field(description="Whether the relation was withdrawn.", examples=[False])
    recorded_at: UtcTime = Field(description="When this version was recorded.", examples=["2026-11-20T10:00:00Z"])
    seq: int = Field(description="The `seq` of the change that created this version.", examples=[19])


class RelationInput(Input):
    """A relation of a claim to another claim, or to a source whose claim is not known."""

    type: RelationType = Field(description="The type of the relation.", examples=["based_on"])
    claim: Annotated[str, Field(max_length=80)] | None = Field(
        default=None, description="The related claim, by id.", examples=[EXAMPLE_ID]
    )
    source: Slug | None = Field(
        default=None, description="The related source, by slug, if its claim is not known.", examples=["us-dod"]
    )
    asserted_by: Slug = Field(
        default="editors", description="The source that asserts the relation, or `editors`.", examples=["editors"]
    )
    scope: RelationScope | None = Field(
        default=None, description="The aspect of the claim that the relation refers to.", examples=["level"]
    )
    independence: Independence | None = Field(
        default=None, description="Whether both claims have separate evidence.", examples=["unknown"]
    )
    document: Annotated[str, Field(max_length=80)] | None = Field(
        default=None, description="The document that states the relation, by id.", examples=[EXAMPLE_ID]
    )
    quote: LongText | None = Field(
        default=None,
        description="The passage that states the relation, verbatim.",
        examples=["corroborate these numbers"],
    )
    note: LongText | None = Field(
        default=None, description="A note for readers.", examples=["Which figure is not said."]
    )


class CitationChange(CitationInput):
    """A citation in a change of a claim: it replaces the citation with this id; without an id it is added."""

    id: Annotated[str, Field(max_length=36)] | None = Field(
        default=None, description="The id of the citation to replace.", examples=[EXAMPLE_ID]
    )


def _make_optional(name: str, info: FieldInfo) -> Any:  # noqa: ANN401 - returns a type
    """Return the optional form of a field of a claim, for a change."""
    annotation: Any = list[CitationChange] if name == "citations" else info.annotation
    field = Field(default=None, description=info.description, examples=info.examples)
    constrained = Annotated[(annotation, *info.metadata)] if info.metadata else annotation
    return constrained | None, field


_CHANGEABLE_FIELDS: dict[str, Any] = {
    name: _make_optional(name, info) for name, info in ClaimInput.model_fields.items() if name != "confidence"
}

ClaimChanges: Any = create_model(
    "ClaimChanges",
    __base__=Input,
    __doc__="The fields to change, each as for a new claim. A nested object or list replaces the old one completely.",
    **_CHANGEABLE_FIELDS,
)


class ChangeInput(ReasonInput):
    """A correction: `transcription_fix` for an error of the register, `relay_correction` for one of the publisher."""

    event: RepairEvent = Field(description="The kind of correction.", examples=["transcription_fix"])
    changes: ClaimChanges = Field(
        description="The fields to change, each as for a new claim.",
        examples=[{"figure": {"as_printed": "1,351", "value": 1351}}],
    )


class CitationMarkInput(Input):
    """Whether a citation is marked as the leading one of its claim."""

    leading: bool = Field(
        description="True marks this citation, and removes the mark from another one of the claim; false removes it.",
        examples=[True],
    )
    reason: LongText | None = Field(
        default=None, description="The reason, for the change log.", examples=["The agency's own report."]
    )


class RetractionInput(ReasonInput):
    """A retraction of a claim by its source."""

    retracted_on: Day = Field(description="The day of the retraction.", examples=["2025-07-01"])


class RevisionEvent(Output):
    """The event that created a revision of a claim."""

    event: str = Field(description="The event that created the revision.", examples=["transcription_fix"])
    reason: str | None = Field(
        description="The reason for the change; null for the first revision.", examples=["A slip of a digit."]
    )
    actor: str = Field(description="The name of the API key that made the change.", examples=["desk"])
    changes: list[FieldChange] = Field(description="The changes since the previous revision, field by field.")


class Revision(RevisionEvent, Claim):
    """One revision of a claim, and the event that created it."""


class Tombstone(Output):
    """The remainder of a claim that was taken down."""

    id: str = Field(description="The id of the claim.", examples=[EXAMPLE_ID])
    revision: int = Field(description="The version number of the record.", examples=[2])
    status: Status = Field(description="`removed`.", examples=["removed"])
    category: str = Field(description="The category: what was counted.", examples=["casualties"])
    subject: str = Field(description="The people or organisation counted.", examples=["russian-forces"])
    place: str = Field(description="The place.", examples=["russia-ukraine-war"])
    recorded_at: UtcTime = Field(description="The time of the takedown.", examples=["2026-11-20T10:00:00Z"])
    seq: int = Field(description="The sequence number of the takedown.", examples=[99])
    links: SelfLink = Field(description="Links of the tombstone.")


class RemovedRevision(RevisionEvent, Tombstone):
    """One revision of a claim that was taken down."""

    recorded_until: UtcTime | None = Field(
        description="The time at which the next revision was recorded.", examples=["2026-11-21T10:00:00Z"]
    )
