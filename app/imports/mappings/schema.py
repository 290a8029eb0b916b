"""The schema of mappings, which declare how the rows of a file become claims. See docs/mappings.md."""

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


def _value_tag(expression: object) -> str:
    return "=pick" if isinstance(expression, dict | Pick) else "=text"


def _date_as_text(value: object) -> object:
    """Convert a TOML date to text: `2022-02-24` has the same meaning with and without quotes."""
    return value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value


JmesPath = Annotated[str, _validated_by(compile_path)]
Template = Annotated[str, BeforeValidator(_date_as_text), _validated_by(parse_template)]
DateFormat = Annotated[str, _validated_by(parse_date_format)]
ValueExpression = Annotated[
    "Annotated[Template, Tag('=text')] | Annotated[Pick, Tag('=pick')]", Discriminator(_value_tag)
]
"""A constant (with `{column}` in it, a template), or a table that picks a value from the row."""

DecimalSign = Annotated[
    "Annotated[Literal['.', ','], Tag('=text')] | Annotated[Pick, Tag('=pick')]", Discriminator(_value_tag)
]
Bound = Annotated[
    "Annotated[Literal['at_least', 'at_most'], Tag('=text')] | Annotated[Pick, Tag('=pick')]",
    Discriminator(_value_tag),
]
Flag = Annotated["Annotated[bool, Tag('=text')] | Annotated[Pick, Tag('=pick')]", Discriminator(_value_tag)]
PositiveNumber = Annotated[
    "Annotated[float, Field(gt=0), Tag('=text')] | Annotated[Pick, Tag('=pick')]", Discriminator(_value_tag)
]
"""A constant, or a table that picks it from the row."""


class Pick(Input):
    """A value from the row, and its transformations in this order. An empty result means that there is no value."""

    model_config = ConfigDict(str_strip_whitespace=False)  # a space can be a separator

    column: str | None = Field(
        default=None,
        description="The column, by its exact name; `_file`, `_line` and `_vintage` are the position of the row and "
        "the date of its file.",
        examples=["report_date"],
    )
    path: JmesPath | None = Field(
        default=None, description="A JMESPath into a nested row.", examples=["verified.killed_cum"]
    )
    text: Template | None = Field(
        default=None,
        description="A template; `{column}` is replaced by the value of the column.",
        examples=["Report of {date}"],
    )
    first: list[ValueExpression] | None = Field(
        default=None, description="The first of these that has a value.", examples=[[{"column": "killed"}]]
    )
    after: str | None = Field(default=None, description="Keep only the text after this text.", examples=["_asof_"])
    before: str | None = Field(default=None, description="Keep only the text before this text.", examples=["_"])
    map: dict[str, str] | None = Field(
        default=None,
        description="The replacement of each value. A value that is not listed is refused, unless `otherwise` is set.",
        examples=[{"mohtel": "gaza-health-ministry"}],
    )
    otherwise: str | None = Field(
        default=None,
        description="The value if there is none, or none that is listed; empty: no value.",
        examples=["unknown"],
    )
    written: Literal["date", "period"] | None = Field(
        default=None,
        description="Convert a date (`1 Dec 2024`, `Nov 2024`) or a period (`since 15 April 2023`, `Apr–Jun 2024`) as "
        "people write it to EDTF. What can mean two days is refused.",
        examples=["period"],
    )
    date: DateFormat | None = Field(
        default=None,
        description="The format of a date, in the directives of strptime. The result is YYYY-MM-DD, or YYYY-MM or YYYY "
        "if the format has no day or no month.",
        examples=["%d.%m.%Y"],
    )
    slug: bool = Field(
        default=False,
        description="Convert the text to a slug: lower-case letters, digits and hyphens.",
        examples=[True],
    )

    @model_validator(mode="after")
    def _check_origin(self) -> "Pick":
        origins = [name for name in ("column", "path", "text", "first") if getattr(self, name) is not None]
        if len(origins) != 1:
            raise ValueError("expected one of `column`, `path`, `text` and `first`")
        return self


class Condition(Input):
    """A condition on a row."""

    column: str | None = Field(default=None, description="The column that is tested.", examples=["flash_source"])
    path: JmesPath | None = Field(
        default=None, description="A JMESPath, instead of a column.", examples=["verified.killed"]
    )
    among: list[str] | None = Field(default=None, description="The value is one of these.", examples=[["fill"]])
    contains: str | None = Field(default=None, description="The value contains this text.", examples=["of which"])
    empty: bool | None = Field(default=None, description="Whether the value is empty or absent.", examples=[True])

    @model_validator(mode="after")
    def _check_test(self) -> "Condition":
        if (self.column is None) == (self.path is None):
            raise ValueError("expected either `column` or `path`")
        if sum(test is not None for test in (self.among, self.contains, self.empty)) != 1:
            raise ValueError("expected one of `among`, `contains` and `empty`")
        return self


class Skip(Condition):
    """Rows without claims, and the reason."""

    reason: str = Field(
        description="The reason; the report counts the rows.", examples=["carried forward, not reported"]
    )


class FigureMap(Input):
    """The columns of the figure. By default it is in the column with the claim's name."""

    printed: ValueExpression | None = Field(
        default=None,
        description="The figure as it is printed: a number, or words such as `7,000`, `4 – 5` or `over 300`; "
        "if the proposition has no figure, its wording.",
        examples=[{"column": "personnel"}],
    )
    qualifier: Pick | None = Field(
        default=None,
        description="A second column that qualifies the number; the texts of its `map` contain `{}`.",
        examples=[{"column": "personnel*", "map": {"about": "about {}", "more": "more than {}"}}],
    )
    decimal: DecimalSign | None = Field(
        default=None,
        description="The decimal sign; the other sign separates thousands. Without it and without `language`, a number "
        "that can be read in two ways, such as `1.200`, is refused.",
        examples=[","],
    )
    language: ValueExpression | None = Field(
        default=None,
        description="The language in which the figure is printed (BCP 47), which says its decimal sign and its words.",
        examples=["de"],
    )
    scale: PositiveNumber | None = Field(
        default=None, description="The value of one printed unit (`1000`: in thousands).", examples=[1000]
    )
    bound: Bound | None = Field(
        default=None,
        description="A plain number is a lower or an upper bound: `at_least` or `at_most`.",
        examples=["at_least", {"column": "qualifier", "map": {"up to": "at_most"}, "otherwise": ""}],
    )
    approximate: Flag = Field(
        default=False, description="A plain number is approximate: `true` or `false`.", examples=[True]
    )
    margin: ValueExpression | None = Field(
        default=None,
        description="The margin of error that the source states: the figure is printed as `number ± margin`.",
        examples=[{"column": "margin"}],
    )
    value: ValueExpression | None = Field(
        default=None, description="The number, or the best estimate of a range.", examples=[{"column": "est"}]
    )
    lower: ValueExpression | None = Field(
        default=None, description="The lower bound.", examples=[{"column": "ci95_low"}]
    )
    upper: ValueExpression | None = Field(
        default=None, description="The upper bound.", examples=[{"column": "ci95_high"}]
    )
    coverage: PositiveNumber | None = Field(
        default=None,
        description="The stated probability of the range: a share such as `0.95`; from a row also `95%` or `95`.",
        examples=[0.95],
    )
    out_of: ValueExpression | None = Field(
        default=None, description="The whole of a share.", examples=[{"column": "strength"}]
    )
    relative_to: ValueExpression | None = Field(
        default=None, description="The base of a relative figure.", examples=["2015/2019"]
    )
    unit: ValueExpression | None = Field(
        default=None,
        description="The unit, if the unit of the category is a dimension, or `percent` for a change and `times` for a "
        "ratio.",
        examples=["USD"],
    )
    wording_differs: ValueExpression | None = Field(
        default=None,
        description="Why the numbers are not those of the wording. `scale` and `bound` say it themselves.",
        examples=["The list has only confirmed names, so its number is a lower bound."],
    )

    @model_validator(mode="after")
    def _check_margin(self) -> "FigureMap":
        if self.margin is not None and (self.value or self.lower or self.upper or self.qualifier):
            raise ValueError("`margin` goes with `printed`, not with `value`, `lower`, `upper` or `qualifier`")
        return self


class PeriodMap(Input):
    """The period of the figure: `edtf`, `on` one day, `start` and `end`, or the `hours` before the end of a day."""

    edtf: ValueExpression | None = Field(
        default=None, description="The period in EDTF.", examples=[{"column": "period"}]
    )
    on: ValueExpression | None = Field(default=None, description="One day.", examples=[{"column": "day"}])
    start: ValueExpression | None = Field(default=None, description="Its first day.", examples=["2022-02-24"])
    end: ValueExpression | None = Field(default=None, description="Its last day.", examples=[{"column": "date"}])
    hours: ValueExpression | None = Field(
        default=None, description="Its length in hours, up to the end of its last day.", examples=[{"column": "hours"}]
    )
    aggregation: ValueExpression = Field(
        default="cumulative", description="`cumulative`, `within`, `snapshot` or `rate`.", examples=["within"]
    )
    per: ValueExpression | None = Field(
        default=None,
        description="The unit of time of a rate: `hour`, `day`, `week`, `month` or `year`; required for a rate.",
        examples=["day"],
    )


class DocumentMap(Input):
    """The document in which the claim can be read.

    A page that is overwritten has several editions: `url`, `published_on` and `archive_url` tell them apart.
    """

    title: ValueExpression = Field(
        description="Its title. A row without one cites an edition that is recorded.", examples=["Losses on {date}"]
    )
    url: ValueExpression | None = Field(default=None, description="Its address.", examples=[{"column": "sourceUri"}])
    publisher: ValueExpression | None = Field(
        default=None, description="The source that published the document, by slug.", examples=["ua-mod"]
    )
    published_on: ValueExpression | None = Field(
        default=None, description="The day of publication.", examples=[{"column": "date"}]
    )
    language: ValueExpression | None = Field(default=None, description="Its language (BCP 47).", examples=["uk"])
    archive_url: ValueExpression | None = Field(
        default=None, description="The address of an archived copy.", examples=[{"column": "archive"}]
    )
    terms: ValueExpression | None = Field(default=None, description="Its licence.", examples=["CC BY 4.0"])


class CitationMap(Input):
    """A citation of the claim."""

    document: DocumentMap = Field(description="The document in which the claim can be read.")
    role: ValueExpression | None = Field(
        default=None, description="`original` or `relay`; derived if omitted.", examples=["relay"]
    )
    via: list[ValueExpression] = Field(
        default=[],
        description="The sources between the claimant and the document, starting after the claimant.",
        examples=[["ap"]],
    )
    fidelity: ValueExpression = Field(
        default="paraphrase",
        description="How faithfully the document repeats the claimant's statement.",
        examples=["verbatim"],
    )
    quote: ValueExpression | None = Field(
        default=None, description="The passage of the document, verbatim.", examples=[{"column": "quote"}]
    )
    quote_language: ValueExpression | None = Field(
        default=None, description="The language of the quote (BCP 47).", examples=["en"]
    )
    translation: ValueExpression | None = Field(
        default=None, description="The quote in English.", examples=[{"column": "en"}]
    )
    locator: ValueExpression | None = Field(
        default=None, description="The location in the document, such as a page or paragraph.", examples=["row {date}"]
    )
    gap: ValueExpression | None = Field(
        default=None,
        description="The link of the citation chain that could not be checked.",
        examples=["The report itself was not seen."],
    )


class ConfidenceMap(Input):
    """A first assessment of the claim. Needs the role editor."""

    level: ValueExpression | None = Field(default=None, description="The level of confidence.", examples=["low"])
    reliability: ValueExpression | None = Field(
        default=None, description="Admiralty grade of the source, A–F.", examples=["C"]
    )
    credibility: ValueExpression | None = Field(
        default=None, description="Admiralty grade of the information, 1–6.", examples=["3"]
    )
    stated: ValueExpression | None = Field(
        default=None, description="The confidence that the source itself states.", examples=[{"column": "hedge"}]
    )
    assessor: ValueExpression | None = Field(
        default=None, description="The person or team that assessed the claim.", examples=["desk"]
    )
    assessed_on: ValueExpression | None = Field(
        default=None, description="The day of the assessment. Default: today.", examples=["2026-11-20"]
    )
    rationale: ValueExpression = Field(
        description="The reason.", examples=["A party to the war counts the other side's losses."]
    )


class ClaimMap(Input):
    """One claim of a row. `[claim]` has the defaults of all claims."""

    over: JmesPath | None = Field(
        default=None,
        description="A JMESPath to a list in the row: one claim for each element, whose fields are columns too.",
        examples=["regions"],
    )
    key: list[ValueExpression] = Field(
        default=[],
        description="The values that identify an element of `over` in every file, beside the key of its row. Without "
        "them an element is recognized by what it states.",
        examples=[[{"column": "name"}]],
    )
    only: list[Condition] = Field(default=[], description="The claim is created only if all of these are true.")
    unless: list[Condition] = Field(default=[], description="The claim is not created if one of these is true.")
    category: ValueExpression = Field(description="The category: what is counted.", examples=["killed"])
    subject: ValueExpression = Field(description="The people or organisation counted.", examples=["russian-forces"])
    place: ValueExpression = Field(description="The place.", examples=["russia-ukraine-war"])
    source: ValueExpression = Field(
        description="The source that made the claim, by slug.",
        examples=[{"column": "claimant", "map": {"UK": "uk-mod"}}],
    )
    proposition: ValueExpression = Field(
        default="quantity", description="The kind of statement.", examples=["quantity"]
    )
    modality: ValueExpression = Field(
        default="estimate",
        description="How the source presents the statement: counted, estimated, expected or alleged.",
        examples=["count"],
    )
    derivation: ValueExpression = Field(
        default="unknown",
        description="The basis of the figure: the source's own work, or other sources.",
        examples=["own"],
    )
    figure: FigureMap = Field(default=FigureMap(), description="The figure.")
    period: PeriodMap = Field(description="The period that the figure covers.")
    date: ValueExpression | None = Field(
        default=None, description="The day of the statement.", examples=[{"column": "date"}]
    )
    date_edtf: ValueExpression | None = Field(
        default=None,
        description="The day of the statement in EDTF, if only the month or year is known.",
        examples=["2022-03"],
    )
    said_at: ValueExpression | None = Field(
        default=None,
        description="The moment at which it was said, with offset (RFC 3339); `date` is then its day.",
        examples=["{day}T{time}:00+03:00"],
    )
    includes: list[ValueExpression] = Field(
        default=[], description="Subjects that the source states it includes.", examples=[["wagner-group"]]
    )
    excludes: list[ValueExpression] = Field(
        default=[], description="Subjects that the source states it excludes.", examples=[["pow"]]
    )
    note: ValueExpression | None = Field(default=None, description="A note for readers.", examples=[{"column": "note"}])
    citation: CitationMap = Field(description="The citation of the claim.")
    confidence: ConfidenceMap | None = Field(default=None, description="A first assessment of the claim.")

    @model_validator(mode="after")
    def _check_key(self) -> "ClaimMap":
        if self.key and self.over is None:
            raise ValueError("key: identifies the elements of `over`; the key of a row is `vintage.key`")
        return self


class RelationMap(Input):
    """A relation between two claims of one row."""

    claim: str = Field(description="The claim that has the relation, by its name in this mapping.", examples=["killed"])
    type: RelationType = Field(description="The type of the relation.", examples=["part_of"])
    to: str = Field(description="The other claim, by its name.", examples=["casualties"])


class VintageMap(Input):
    """How the rows of a newer file are matched, and how a changed figure is recorded."""

    key: list[ValueExpression] = Field(
        min_length=1, description="The values that identify a row in every file.", examples=[[{"column": "date"}]]
    )
    on_change: Literal["supersede", "fix", "report"] = Field(
        default="report",
        description="How a changed figure is recorded: as a new claim that supersedes the old one, as a correction of "
        "the record, or not at all (it is reported).",
        examples=["supersede"],
    )
    date: ValueExpression | None = Field(
        default=None,
        description="The date of the file: its rows are as of that day, and an older file changes nothing.",
        examples=[{"column": "_file", "after": "asof_", "before": "_"}],
    )
    complete: bool = Field(
        default=True,
        description="Whether every file has all rows, so that a missing row is reported as vanished.",
        examples=[False],
    )


class DayCheck(Input):
    """A column that counts days, checked against the date."""

    column: str = Field(description="The column with the day number.", examples=["day"])
    date: ValueExpression = Field(description="The date of the row.", examples=[{"column": "date"}])
    first: Day = Field(description="The date that is day 1.", examples=["2022-02-24"])
    skip: bool = Field(
        default=False, description="Skip a row whose day number does not match its date.", examples=[True]
    )


class SubjectTextMap(Input):
    """How a new subject reads in a sentence."""

    group: ValueExpression = Field(description="The subject as a whole.", examples=["people in {country}"])
    people: ValueExpression | None = Field(
        default=None, description="Its people, as they are counted, in the plural.", examples=["people in {country}"]
    )


class CategoryTextMap(Input):
    """How a new category reads in a sentence."""

    form: ValueExpression = Field(description="The form of the sentence.", examples=["there"])
    noun: ValueExpression | None = Field(default=None, description="What is counted.", examples=["{measure}"])
    past: ValueExpression | None = Field(default=None, description="What happened.", examples=["were {measure}"])
    future: ValueExpression | None = Field(default=None, description="What will happen.", examples=["will be hurt"])
    part: ValueExpression | None = Field(default=None, description="The words of a share.", examples=["{measure}"])
    note: ValueExpression | None = Field(default=None, description="What a reader needs to know.", examples=["by name"])


class NewRecord(Input):
    """A source, category, subject or place that each row names, recorded if it does not exist yet."""

    kind: Literal["source", "category", "subject", "place"] = Field(
        description="The type of the record.", examples=["place"]
    )
    over: JmesPath | None = Field(
        default=None,
        description="A JMESPath to a list in the row: one record for each element, whose fields are columns too.",
        examples=["regions"],
    )
    slug: ValueExpression = Field(description="Its slug.", examples=[{"column": "country", "slug": True}])
    fields: dict[str, ValueExpression | bool | list[ValueExpression] | SubjectTextMap | CategoryTextMap] = Field(
        description="Its other fields, as in the tables `sources`, `categories`, `subjects` and `places`.",
        examples=[{"name": "{country}", "parents": ["world"]}],
    )


class Mapping(Input):
    """How the rows of one kind of file become claims."""

    title: str = Field(
        description="The content of the file, in a sentence.", examples=["Russian personnel losses, daily"]
    )
    description: str | None = Field(
        default=None, description="Notes on the file.", examples=["Cumulative since 2022-02-24."]
    )
    series: Slug | None = Field(
        default=None,
        description="The name of a series of files: rows of all files with this name are matched by their keys.",
        examples=["general-staff-personnel"],
    )
    file: FileOptions = Field(default=FileOptions(), description="How the file is read.")
    missing: list[str] = Field(
        default=["", "NA", "N/A", "n/a", "null", "-", "–"],
        description="Cells that mean that there is no value.",
        examples=[["", "NA"]],
    )
    vintage: VintageMap | None = Field(
        default=None, description="How the rows of newer files of the series are matched."
    )
    columns: dict[Annotated[str, Field(pattern=r"^[^_{}]")], ValueExpression] = Field(
        default={},
        description="Further columns, each derived from those of the row and those before it.",
        examples=[{"in_country": "in {country}"}],
    )
    optional: list[str] = Field(
        default=[],
        description="Columns and paths that a file may lack. Any other column that no file has is refused.",
        examples=[["POW"]],
    )
    skip: list[Skip] = Field(default=[], description="Rows without claims.")
    labels: list[str] = Field(
        default=[], description="Columns with labels, which should not contain numbers.", examples=[["type"]]
    )
    days: list[DayCheck] = Field(default=[], description="Columns that count days, which are checked.")
    claim: dict[str, Any] = Field(default={}, description="The defaults of all claims.")
    claims: dict[str, ClaimMap] = Field(min_length=1, description="The claims of a row, by name.")
    relations: list[RelationMap] = Field(default=[], description="Relations between the claims of one row.")
    sources: dict[Slug, SourceInput] = Field(default={}, description="Sources, recorded if they do not exist yet.")
    categories: dict[Slug, CategoryInput] = Field(
        default={},
        description='Categories, recorded if they do not exist yet; `components = "unstated"` if not stated.',
    )
    subjects: dict[Slug, SubjectInput] = Field(default={}, description="Subjects, likewise.")
    places: dict[Slug, PlaceInput] = Field(default={}, description="Places, likewise.")
    new: list[NewRecord] = Field(default=[], description="Sources, categories, subjects and places that the rows name.")
    include: list[str] = Field(
        default=[],
        max_length=10,
        description="Mappings whose sources, categories, subjects and places are taken, too: shipped ones by name; on "
        "the command line also files, by their path from this one.",
        examples=[["general-staff-a-personnel"]],
    )

    @model_validator(mode="before")
    @classmethod
    def _inherit_claims(cls, tables: Any) -> Any:  # noqa: ANN401 - any content of a file
        """Merge `[claim]` into every claim, and replace `unstated` by None, which TOML cannot express."""
        if not isinstance(tables, dict):
            return tables
        if isinstance(categories := tables.get("categories"), dict):
            tables = {**tables, "categories": {slug: resolve_unstated(table) for slug, table in categories.items()}}
        shared, claims = tables.get("claim", {}), tables.get("claims")
        if not isinstance(shared, dict) or not isinstance(claims, dict):
            return tables
        return {**tables, "claims": {name: inherit_claim(shared, own) for name, own in claims.items()}}

    @model_validator(mode="after")
    def _check_names(self) -> "Mapping":
        for relation in self.relations:
            for name in (relation.claim, relation.to):
                if relation.claim == relation.to:
                    raise ValueError(f"relations: `{name}` has no relation to itself")
                if name not in self.claims:
                    raise ValueError(f"relations: there is no claim `{name}` in this mapping")
        if self.vintage is not None and self.series is None:
            raise ValueError("vintage: needs `series`, because rows are matched within a series of files")
        return self


Pick.model_rebuild()
