"""Request and response models of categories, subjects and places."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from app.enums import TextForm
from app.http.schema_types import Input, LongText, Output, RunningText, ShortText, Slug, UtcTime


class SelfLink(Output):
    """Links of a resource."""

    self: str = Field(description="The address of the resource.", examples=["/v1/categories/killed"])


class VersionFields(Output):
    """The version fields of every record.

    Pydantic puts the fields of the last base class first: list `VersionFields` first, so that its fields come last.
    """

    revision: int = Field(description="The version number of the record, from 1.", examples=[1])
    recorded_at: UtcTime = Field(description="When this version was recorded.", examples=["2026-11-20T10:00:00Z"])
    seq: int = Field(description="The `seq` of the change that created this version.", examples=[17])
    links: SelfLink = Field(description="Links of the record.")


_TEXT_FIELDS: dict[str, dict[str, Any]] = {
    "form": {"description": "How the sentence is built.", "examples": ["people"]},
    "noun": {
        "description": "What is counted, in the plural. The form `people` needs it only in ratios.",
        "examples": ["casualties"],
    },
    "past": {"description": "The verb of a count or an estimate.", "examples": ["had been killed"]},
    "future": {"description": "The verb of a forecast.", "examples": ["would be killed"]},
    "part": {"description": "The participle behind what is counted.", "examples": ["killed"]},
    "note": {
        "description": "What is added in brackets, in place of the components.",
        "examples": ["whether that includes the wounded was not said"],
    },
    "group": {"description": "The subject as a whole.", "examples": ["Russian forces"]},
    "people": {
        "description": "Its people, as they are counted, in the plural.",
        "examples": ["members of Russian forces"],
    },
}


class CategoryTextInput(Input):
    """How a category reads in a sentence. `past` is for `people` and `things`, `noun` for all forms but `people`."""

    form: TextForm = Field(**_TEXT_FIELDS["form"])
    noun: RunningText | None = Field(default=None, **_TEXT_FIELDS["noun"])
    past: RunningText | None = Field(default=None, **_TEXT_FIELDS["past"])
    future: RunningText | None = Field(default=None, **_TEXT_FIELDS["future"])
    part: RunningText | None = Field(default=None, **_TEXT_FIELDS["part"])
    note: RunningText | None = Field(default=None, **_TEXT_FIELDS["note"])

    @model_validator(mode="after")
    def _require_words_of_form(self) -> Self:
        required = {TextForm.people: ("past",), TextForm.things: ("noun", "past")}.get(self.form, ("noun",))
        missing = [name for name in required if getattr(self, name) is None]
        if missing:
            message = "The form `{form}` needs {fields}"
            fields = {"form": self.form.value, "fields": " and ".join(f"`{name}`" for name in missing)}
            raise PydanticCustomError("text_form", message, fields)
        return self


class CategoryText(Output):
    """How a category reads in a sentence."""

    form: TextForm = Field(**_TEXT_FIELDS["form"])
    noun: str | None = Field(**_TEXT_FIELDS["noun"])
    past: str | None = Field(**_TEXT_FIELDS["past"])
    future: str | None = Field(**_TEXT_FIELDS["future"])
    part: str | None = Field(**_TEXT_FIELDS["part"])
    note: str | None = Field(**_TEXT_FIELDS["note"])


class SubjectTextInput(Input):
    """How a subject reads in a sentence."""

    group: RunningText = Field(**_TEXT_FIELDS["group"])
    people: RunningText | None = Field(default=None, **_TEXT_FIELDS["people"])


class SubjectText(Output):
    """How a subject reads in a sentence."""

    group: str = Field(**_TEXT_FIELDS["group"])
    people: str | None = Field(**_TEXT_FIELDS["people"])


class CategoryInput(Input):
    """A category: what is counted, and in which unit."""

    name: ShortText = Field(description="The name of the category.", examples=["Killed"])
    definition: LongText = Field(
        description="The exact definition of what is counted.", examples=["People who died through the fighting."]
    )
    unit: Annotated[ShortText, Field(max_length=40)] = Field(
        description="The unit of the figures. A dimension (`currency`, `area`, `length`, `mass`) means that each claim "
        "names its own unit.",
        examples=["persons"],
    )
    components: list[Slug] | None = Field(
        default=[],
        max_length=50,
        description="The categories that it adds up; empty if it is not a sum; null if sources do not state them.",
        examples=[["killed", "wounded"]],
    )
    parent: Slug | None = Field(default=None, description="The broader category, by slug.", examples=["killed"])
    non_decreasing: bool = Field(description="Whether a running total of this category can only grow.", examples=[True])
    additive: bool | None = Field(
        default=None,
        description="Whether parts add up to the whole and none can be below zero. Default: the value of "
        "`non_decreasing`, which implies it.",
        examples=[True],
    )
    fractional: bool = Field(
        default=False,
        description="Whether figures may have a fraction although the unit is counted whole, like deaths by a model. "
        "Shares, measures, currencies, rates and ratios may have one anyway.",
        examples=[False],
    )
    in_text: CategoryTextInput | None = Field(
        default=None, description="How the category reads in a sentence; without it, sentences name the category."
    )

    @model_validator(mode="after")
    def _complete_additive(self) -> Self:
        if self.additive is None:
            self.additive = self.non_decreasing
        elif self.non_decreasing and not self.additive:
            raise PydanticCustomError(
                "additive", "A category whose totals can only grow is additive: leave `additive` out"
            )
        return self


class _Category(Output):
    slug: str = Field(description="The slug of the category.", examples=["casualties"])
    name: str = Field(description="The name of the category.", examples=["Casualties"])
    definition: str = Field(
        description="The exact definition of what is counted.", examples=["Killed and wounded together."]
    )
    unit: str = Field(
        description="The unit of the figures, or a dimension: then each claim has its own unit.", examples=["persons"]
    )
    components: list[str] | None = Field(
        description="The categories that it adds up; itself if it is not a sum; null if sources do not state them.",
        examples=[["killed", "wounded"]],
    )
    parent: str | None = Field(description="The broader category, by slug.", examples=["killed"])
    non_decreasing: bool = Field(description="Whether a running total of this category can only grow.", examples=[True])
    additive: bool = Field(description="Whether parts add up to the whole and none can be below zero.", examples=[True])
    fractional: bool = Field(
        description="Whether figures may have a fraction although the unit is counted whole.", examples=[False]
    )
    in_text: CategoryText | None = Field(description="How the category reads in a sentence.")


class Category(VersionFields, _Category):
    """A category: what is counted, and in which unit."""


class SubjectInput(Input):
    """A subject: the people or organisation counted."""

    name: ShortText = Field(description="The name of the subject.", examples=["Russian forces"])
    definition: LongText | None = Field(
        default=None,
        description="The people who belong to the subject.",
        examples=["Everyone who fights under Russian command."],
    )
    parents: list[Slug] = Field(
        default=[],
        max_length=50,
        description="The subjects that it is part of, by slug.",
        examples=[["russian-forces"]],
    )
    in_text: SubjectTextInput | None = Field(
        default=None, description="How the subject reads in a sentence; without it, sentences name the subject."
    )


class _Subject(Output):
    slug: str = Field(description="The slug of the subject.", examples=["wagner-group"])
    name: str = Field(description="The name of the subject.", examples=["Wagner Group"])
    definition: str | None = Field(
        description="The people who belong to the subject.", examples=["The private military company."]
    )
    parents: list[str] = Field(description="The subjects that it is part of, by slug.", examples=[["russian-forces"]])
    in_text: SubjectText | None = Field(description="How the subject reads in a sentence.")


class Subject(VersionFields, _Subject):
    """A subject: the people or organisation counted."""


class PlaceInput(Input):
    """A place, within one or more larger places."""

    name: ShortText = Field(description="The name of the place.", examples=["Kursk Oblast"])
    definition: LongText | None = Field(
        default=None,
        description="The area that the place covers.",
        examples=["The Russian region on the border with Ukraine."],
    )
    parents: list[Slug] = Field(
        default=[],
        max_length=50,
        description="The larger places that contain it, by slug.",
        examples=[["russia"]],
    )
    in_text: RunningText | None = Field(
        default=None,
        description="How the place reads in a sentence, with its preposition; without it, sentences name the place.",
        examples=["in the Gaza Strip"],
    )


class _Place(Output):
    slug: str = Field(description="The slug of the place.", examples=["kursk-oblast"])
    name: str = Field(description="The name of the place.", examples=["Kursk Oblast"])
    definition: str | None = Field(
        description="The area that the place covers.", examples=["The Russian region on the border with Ukraine."]
    )
    parents: list[str] = Field(
        description="The larger places that contain it, by slug.", examples=[["russia", "russia-ukraine-war"]]
    )
    in_text: str | None = Field(
        description="How the place reads in a sentence, with its preposition.", examples=["in the Gaza Strip"]
    )


class Place(VersionFields, _Place):
    """A place, within one or more larger places."""


class TermRow(Output):
    """One value of an enumeration."""

    key: str = Field(description="The enumeration and the value.", examples=["modality/estimate"])
    enumeration: str = Field(description="The name of the enumeration.", examples=["modality"])
    word: str = Field(description="The value, as used in JSON, CSV and filters.", examples=["estimate"])
    definition: str = Field(description="The meaning of the value.", examples=["Estimated or assessed."])


class ColumnRow(Output):
    """One column of the files of a list."""

    name: str = Field(description="The name of the column.", examples=["period_start"])
    type: str = Field(
        description="The type: `string`, `number`, `integer`, `boolean`, `date` or `datetime`.", examples=["date"]
    )
    description: str = Field(
        description="The meaning of the column. An empty cell means unknown.", examples=["First day of the period."]
    )
    path: str = Field(description="The path of the same value in the JSON of a row.", examples=["period.start"])
    example: Any = Field(description="An example value.", examples=["2022-02-24"])
    values: list[str] = Field(
        description="The values of an enumeration. Empty for another type.", examples=[["approximate", "exact"]]
    )
