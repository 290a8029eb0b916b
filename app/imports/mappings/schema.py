"""The language of mappings: how the rows of a file become claims. Declared, never programmed; docs/mappings.md."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from app.enums import RelationType
from app.http.schema_types import Day, Input, Slug
from app.imports.mappings.expressions import compile_path, parse_date_format, parse_template
from app.imports.mappings.inheritance import inherit_claim, resolve_unstated
from app.imports.readers.options import FileOptions
from app.sources.schemas import SourceInput
from app.vocabulary.schemas import CategoryInput, PlaceInput, SubjectInput


def _validated_by(read: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        read(text)
        return text

    return AfterValidator(check)


def _value_tag(given: object) -> str:
    return "=pick" if isinstance(given, dict | Pick) else "=text"


def _date_as_text(given: object) -> object:
    """A date of TOML's own as text: `2022-02-24` means the same with and without quotes."""
    return given.isoformat() if isinstance(given, date) and not isinstance(given, datetime) else given


JmesPath = Annotated[str, _validated_by(compile_path)]
Template = Annotated[str, BeforeValidator(_date_as_text), _validated_by(parse_template)]
DateFormat = Annotated[str, _validated_by(parse_date_format)]
ValueExpression = Annotated[
    "Annotated[Template, Tag('=text')] | Annotated[Pick, Tag('=pick')]", Discriminator(_value_tag)
]
"""A constant (with `{column}` in it, a template), or a table that picks a value from the row."""


class Pick(Input):
    """A value picked from the row, and what is done to it, in this order. An empty result means: not given."""

    model_config = ConfigDict(str_strip_whitespace=False)  # a blank can be what parts two things

    column: str | None = Field(
        default=None,
        description="The column, by its exact name; `_file`, `_line` and `_vintage` are where the row stands, and the "
        "day of its file.",
        examples=["report_date"],
    )
    path: JmesPath | None = Field(
        default=None, description="A JMESPath into a nested row.", examples=["verified.killed_cum"]
    )
    text: Template | None = Field(
        default=None, description="A template; `{column}` stands for a column.", examples=["Report of {date}"]
    )
    first: list[ValueExpression] | None = Field(
        default=None, description="The first of these that gives something.", examples=[[{"column": "killed"}]]
    )
    after: str | None = Field(default=None, description="Only what follows this text.", examples=["_asof_"])
    before: str | None = Field(default=None, description="Only what stands before this text.", examples=["_"])
    map: dict[str, str] | None = Field(
        default=None,
        description="What each value stands for. A value that is not listed is refused, unless `otherwise` is given.",
        examples=[{"mohtel": "gaza-health-ministry"}],
    )
    otherwise: str | None = Field(
        default=None,
        description="What stands where there is no value, or none that is listed; empty: nothing.",
        examples=["unknown"],
    )
    date: DateFormat | None = Field(
        default=None,
        description="The format of a date, in the letters of strptime; it becomes YYYY-MM-DD, or YYYY-MM or YYYY where "
        "the format has no day or no month.",
        examples=["%d.%m.%Y"],
    )
    slug: bool = Field(default=False, description="Make it a slug: small letters, digits and hyphens.", examples=[True])

    @model_validator(mode="after")
    def _check_origin(self) -> "Pick":
        origins = [name for name in ("column", "path", "text", "first") if getattr(self, name) is not None]
        if len(origins) != 1:
            raise ValueError("expected one of `column`, `path`, `text` and `first`")
        return self


class Condition(Input):
    """Something that is true of a row, or not."""

    column: str | None = Field(default=None, description="The column that is looked at.", examples=["flash_source"])
    path: JmesPath | None = Field(default=None, description="Or a JMESPath.", examples=["verified.killed"])
    among: list[str] | None = Field(default=None, description="It is one of these.", examples=[["fill"]])
    contains: str | None = Field(default=None, description="It contains this text.", examples=["of which"])
    empty: bool | None = Field(default=None, description="Whether it is empty or absent.", examples=[True])

    @model_validator(mode="after")
    def _check_test(self) -> "Condition":
        if (self.column is None) == (self.path is None):
            raise ValueError("expected either `column` or `path`")
        if sum(test is not None for test in (self.among, self.contains, self.empty)) != 1:
            raise ValueError("expected one of `among`, `contains` and `empty`")
        return self


class Skip(Condition):
    """Rows that hold no claim, and why."""

    reason: str = Field(description="Why; the report counts it.", examples=["carried forward, not reported"])


class FigureMap(Input):
    """Where the figure stands. Without any of these, in the column that has the claim's name."""

    printed: ValueExpression | None = Field(
        default=None,
        description="The figure as it is printed: a number, or words such as `7,000`, `4 – 5` or `over 300`; "
        "where the proposition has no figure, its words as they stand.",
        examples=[{"column": "personnel"}],
    )
    qualifier: Pick | None = Field(
        default=None,
        description="A second column that says how the number is meant; its `map` gives wordings with `{}` in them.",
        examples=[{"column": "personnel*", "map": {"about": "about {}", "more": "more than {}"}}],
    )
    decimal: Literal[".", ","] = Field(
        default=".", description="The decimal sign; with `,` the points are thousands.", examples=[","]
    )
    scale: float | None = Field(
        default=None, gt=0, description="What one printed unit stands for (`1000`: in thousands).", examples=[1000]
    )
    bound: Literal["at_least", "at_most"] | None = Field(
        default=None, description="A plain number is only a floor, or a ceiling.", examples=["at_least"]
    )
    approximate: bool = Field(default=False, description="A plain number is about right.", examples=[True])
    value: ValueExpression | None = Field(
        default=None, description="The number itself, or the best estimate.", examples=[{"column": "est"}]
    )
    lower: ValueExpression | None = Field(default=None, description="The lower end.", examples=[{"column": "ci95_low"}])
    upper: ValueExpression | None = Field(
        default=None, description="The upper end.", examples=[{"column": "ci95_high"}]
    )
    coverage: float | None = Field(
        default=None, description="The probability with which the range is said to hold.", examples=[0.95]
    )
    out_of: ValueExpression | None = Field(
        default=None, description="The whole of a share.", examples=[{"column": "strength"}]
    )
    relative_to: ValueExpression | None = Field(
        default=None, description="The base of a relative figure.", examples=["2015-2019"]
    )


class PeriodMap(Input):
    """What the figure covers: `edtf`, or `on` one day, or `start` and `end`, or the `hours` before the end of a day."""

    edtf: ValueExpression | None = Field(
        default=None, description="The period in EDTF.", examples=[{"column": "period"}]
    )
    on: ValueExpression | None = Field(default=None, description="One day.", examples=[{"column": "day"}])
    start: ValueExpression | None = Field(default=None, description="Its first day.", examples=["2022-02-24"])
    end: ValueExpression | None = Field(default=None, description="Its last day.", examples=[{"column": "date"}])
    hours: ValueExpression | None = Field(
        default=None, description="How many hours it has, to the end of its last day.", examples=[{"column": "hours"}]
    )
    aggregation: ValueExpression = Field(
        default="cumulative", description="`cumulative`, `within`, `snapshot` or `rate`.", examples=["within"]
    )


class DocumentMap(Input):
    """Where it can be read. Of one address there is one document."""

    title: ValueExpression = Field(description="Its title.", examples=["Losses on {date}"])
    url: ValueExpression | None = Field(default=None, description="Its address.", examples=[{"column": "sourceUri"}])
    publisher: ValueExpression | None = Field(
        default=None, description="The source that published it.", examples=["ua-mod"]
    )
    published_on: ValueExpression | None = Field(
        default=None, description="On which day.", examples=[{"column": "date"}]
    )
    language: ValueExpression | None = Field(default=None, description="Its language (BCP 47).", examples=["uk"])
    archive_url: ValueExpression | None = Field(
        default=None, description="A lasting copy.", examples=[{"column": "archive"}]
    )
    terms: ValueExpression | None = Field(default=None, description="Its licence.", examples=["CC BY 4.0"])


class CitationMap(Input):
    """A citation of the claim."""

    document: DocumentMap = Field(description="Where it can be read.")
    role: ValueExpression | None = Field(
        default=None, description="`original` or `relay`; worked out if not given.", examples=["relay"]
    )
    via: list[ValueExpression] = Field(default=[], description="The sources in between.", examples=[["ap"]])
    fidelity: ValueExpression = Field(
        default="paraphrase", description="How faithfully it repeats it.", examples=["verbatim"]
    )
    quote: ValueExpression | None = Field(
        default=None, description="The words as they stand there.", examples=[{"column": "quote"}]
    )
    quote_language: ValueExpression | None = Field(default=None, description="Their language.", examples=["en"])
    translation: ValueExpression | None = Field(
        default=None, description="The words in English.", examples=[{"column": "en"}]
    )
    locator: ValueExpression | None = Field(default=None, description="Where in the document.", examples=["row {date}"])
    gap: ValueExpression | None = Field(
        default=None, description="Which link of the chain was not seen.", examples=["The report itself was not seen."]
    )


class ConfidenceMap(Input):
    """A first assessment of the claim. Needs the role editor."""

    level: ValueExpression | None = Field(default=None, description="An editor's word.", examples=["low"])
    reliability: ValueExpression | None = Field(default=None, description="Of the source, A–F.", examples=["C"])
    credibility: ValueExpression | None = Field(default=None, description="Of the figure, 1–6.", examples=["3"])
    stated: ValueExpression | None = Field(
        default=None, description="The source's own hedge.", examples=[{"column": "hedge"}]
    )
    assessor: ValueExpression | None = Field(default=None, description="Who assessed it.", examples=["desk"])
    assessed_on: ValueExpression | None = Field(
        default=None, description="When; today if not given.", examples=["2026-11-20"]
    )
    rationale: ValueExpression = Field(
        description="Why.", examples=["A party to the war counts the other side's losses."]
    )


class ClaimMap(Input):
    """One claim of a row. What `[claim]` says holds for every claim that does not say otherwise."""

    over: JmesPath | None = Field(
        default=None,
        description="A JMESPath to a list in the row: one claim for each of its objects, whose fields are columns too.",
        examples=["regions"],
    )
    only: list[Condition] = Field(default=[], description="Made only where all of these hold.")
    unless: list[Condition] = Field(default=[], description="Not made where one of these holds.")
    category: ValueExpression = Field(description="What is counted.", examples=["killed"])
    subject: ValueExpression = Field(description="Whose.", examples=["russian-forces"])
    place: ValueExpression = Field(description="Where.", examples=["russia-ukraine-war"])
    source: ValueExpression = Field(
        description="Who said it.", examples=[{"column": "claimant", "map": {"UK": "uk-mod"}}]
    )
    proposition: ValueExpression = Field(
        default="quantity", description="What kind of statement it is.", examples=["quantity"]
    )
    modality: ValueExpression = Field(default="estimate", description="How the source holds it.", examples=["count"])
    derivation: ValueExpression = Field(default="unknown", description="What it rests on.", examples=["own"])
    figure: FigureMap = Field(default=FigureMap(), description="The figure.")
    period: PeriodMap = Field(description="What the figure covers.")
    date: ValueExpression | None = Field(
        default=None, description="The day on which it was said.", examples=[{"column": "date"}]
    )
    date_edtf: ValueExpression | None = Field(
        default=None, description="The same in EDTF, where only a month is known.", examples=["2022-03"]
    )
    includes: list[ValueExpression] = Field(
        default=[], description="Subjects that it says it counts.", examples=[["wagner-group"]]
    )
    excludes: list[ValueExpression] = Field(
        default=[], description="Subjects that it says it leaves out.", examples=[["pow"]]
    )
    note: ValueExpression | None = Field(
        default=None, description="What a reader should know.", examples=[{"column": "note"}]
    )
    citation: CitationMap = Field(description="Where it can be read.")
    confidence: ConfidenceMap | None = Field(default=None, description="A first assessment of it.")


class RelationMap(Input):
    """How two claims of one row stand to each other."""

    claim: str = Field(description="The claim that stands so, by its name in this mapping.", examples=["killed"])
    type: RelationType = Field(description="How.", examples=["part_of"])
    to: str = Field(description="To which claim, by its name.", examples=["casualties"])


class VintageMap(Input):
    """How the rows of a newer file are known again, and what a changed figure becomes."""

    key: list[ValueExpression] = Field(
        min_length=1, description="What a row is known again by.", examples=[[{"column": "date"}]]
    )
    on_change: Literal["supersede", "fix", "report"] = Field(
        default="report",
        description="A changed figure is a new claim that supersedes the old one, a repair of our record, or reported.",
        examples=["supersede"],
    )
    date: ValueExpression | None = Field(
        default=None,
        description="The day of the file: its rows say what they say on that day, and an older file changes nothing.",
        examples=[{"column": "_file", "after": "asof_", "before": "_"}],
    )
    complete: bool = Field(
        default=True,
        description="Whether a file holds all rows, so that one that is missing has vanished.",
        examples=[False],
    )


class DayCheck(Input):
    """A column that counts days, checked against the date."""

    column: str = Field(description="The column that counts.", examples=["day"])
    date: ValueExpression = Field(description="The date of the row.", examples=[{"column": "date"}])
    first: Day = Field(description="The date that is day 1.", examples=["2022-02-24"])
    skip: bool = Field(
        default=False, description="Skip a row whose number counts to another day, besides telling.", examples=[True]
    )


class NewRecord(Input):
    """A source, subject or place that each row names, recorded if it is not there yet."""

    kind: Literal["source", "subject", "place"] = Field(description="What it is.", examples=["place"])
    slug: ValueExpression = Field(description="Its slug.", examples=[{"column": "country", "slug": True}])
    fields: dict[str, ValueExpression | bool | list[ValueExpression]] = Field(
        description="Its other fields, as in the tables `sources`, `subjects` and `places`.",
        examples=[{"name": "{country}", "parents": ["world"]}],
    )


class Mapping(Input):
    """How the rows of one kind of file become claims."""

    title: str = Field(description="What the file is, in a sentence.", examples=["Russian personnel losses, daily"])
    description: str | None = Field(
        default=None, description="What a reader should know of it.", examples=["Cumulative since 2022-02-24."]
    )
    series: Slug | None = Field(
        default=None,
        description="A name for the series: rows of all files under one name are known again by their keys.",
        examples=["general-staff-personnel"],
    )
    file: FileOptions = Field(default=FileOptions(), description="How the file is read.")
    missing: list[str] = Field(
        default=["", "NA", "N/A", "n/a", "null", "-", "–"],
        description="Cells that mean: not given.",
        examples=[["", "NA"]],
    )
    vintage: VintageMap | None = Field(default=None, description="How newer files of the series are told apart.")
    skip: list[Skip] = Field(default=[], description="Rows that hold no claim.")
    labels: list[str] = Field(
        default=[], description="Columns with labels, in which a number would be out of place.", examples=[["type"]]
    )
    days: list[DayCheck] = Field(default=[], description="Columns that count days, to be checked.")
    claim: dict[str, Any] = Field(default={}, description="What holds for every claim that does not say otherwise.")
    claims: dict[str, ClaimMap] = Field(min_length=1, description="The claims of a row, by name.")
    relations: list[RelationMap] = Field(default=[], description="Relations between the claims of one row.")
    sources: dict[Slug, SourceInput] = Field(default={}, description="Sources, recorded if they are not there yet.")
    categories: dict[Slug, CategoryInput] = Field(
        default={}, description='Categories, likewise; `components = "unstated"` where the source does not say them.'
    )
    subjects: dict[Slug, SubjectInput] = Field(default={}, description="Subjects, likewise.")
    places: dict[Slug, PlaceInput] = Field(default={}, description="Places, likewise.")
    new: list[NewRecord] = Field(default=[], description="Sources, subjects and places that the rows name.")

    @model_validator(mode="before")
    @classmethod
    def _inherit_claims(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        """Give every claim what `[claim]` says, and `unstated` its meaning: TOML has no null."""
        if not isinstance(given, dict):
            return given
        if isinstance(categories := given.get("categories"), dict):
            given = {**given, "categories": {slug: resolve_unstated(table) for slug, table in categories.items()}}
        shared, claims = given.get("claim", {}), given.get("claims")
        if not isinstance(shared, dict) or not isinstance(claims, dict):
            return given
        return {**given, "claims": {name: inherit_claim(shared, own) for name, own in claims.items()}}

    @model_validator(mode="after")
    def _check_names(self) -> "Mapping":
        for relation in self.relations:
            for name in (relation.claim, relation.to):
                if relation.claim == relation.to:
                    raise ValueError(f"relations: `{name}` has no relation to itself")
                if name not in self.claims:
                    raise ValueError(f"relations: there is no claim `{name}` in this mapping")
        if self.vintage is not None and self.series is None:
            raise ValueError("vintage: rows are known again within a `series`, which has no name here")
        return self


Pick.model_rebuild()
