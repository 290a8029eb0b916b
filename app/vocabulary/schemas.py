"""Categories, subjects and places, as they are given and as they are served."""

from typing import Annotated, Any

from pydantic import Field

from app.http.schema_types import Input, LongText, Output, ShortText, Slug, UtcTime

WRITTEN = "Free text, at most 5,000 characters."


class SelfLink(Output):
    """Where the resource is."""

    self: str = Field(description="Its own address.", examples=["/v1/categories/killed"])


class VersionFields(Output):
    """What the register says of every record. Named before the record's own fields, it comes behind them."""

    revision: int = Field(description="The number of this version of the record, from 1.", examples=[1])
    recorded_at: UtcTime = Field(description="When this version was recorded.", examples=["2026-11-20T10:00:00Z"])
    seq: int = Field(description="The change that made this version.", examples=[17])
    links: SelfLink = Field(description="Where to go from here.")


class CategoryInput(Input):
    """What is counted."""

    name: ShortText = Field(description="Its name in words.", examples=["Killed"])
    definition: LongText = Field(
        description="What exactly is counted.", examples=["People who died through the fighting."]
    )
    unit: Annotated[ShortText, Field(max_length=40)] = Field(
        description="What one unit of the figure is.", examples=["persons"]
    )
    components: list[Slug] | None = Field(
        default=[],
        max_length=50,
        description="What a sum adds up; empty: it stands for itself; null: the source does not say.",
        examples=[["killed", "wounded"]],
    )
    parent: Slug | None = Field(default=None, description="The category that it lies below.", examples=["killed"])
    non_decreasing: bool = Field(description="Whether a running total of it can only grow.", examples=[True])


class _Category(Output):
    slug: str = Field(description="Its key.", examples=["casualties"])
    name: str = Field(description="Its name in words.", examples=["Casualties"])
    definition: str = Field(description="What exactly is counted.", examples=["Killed and wounded together."])
    unit: str = Field(description="What one unit of the figure is.", examples=["persons"])
    components: list[str] | None = Field(
        description="What it adds up: itself alone if it is no sum; null where nobody says.",
        examples=[["killed", "wounded"]],
    )
    parent: str | None = Field(description="The category that it lies below.", examples=["killed"])
    non_decreasing: bool = Field(description="Whether a running total of it can only grow.", examples=[True])


class Category(VersionFields, _Category):
    """What is counted."""


class SubjectInput(Input):
    """Whose: the people or forces that are counted."""

    name: ShortText = Field(description="Its name in words.", examples=["Russian forces"])
    definition: LongText | None = Field(
        default=None, description="Who belongs to it.", examples=["Everyone who fights under Russian command."]
    )
    parents: list[Slug] = Field(
        default=[], max_length=50, description="What it is a part of.", examples=[["russian-forces"]]
    )


class _Subject(Output):
    slug: str = Field(description="Its key.", examples=["wagner-group"])
    name: str = Field(description="Its name in words.", examples=["Wagner Group"])
    definition: str | None = Field(description="Who belongs to it.", examples=["The private military company."])
    parents: list[str] = Field(description="What it is a part of.", examples=[["russian-forces"]])


class Subject(VersionFields, _Subject):
    """Whose: the people or forces that are counted."""


class PlaceInput(Input):
    """Where."""

    name: ShortText = Field(description="Its name in words.", examples=["Kursk Oblast"])
    definition: LongText | None = Field(
        default=None, description="What it covers.", examples=["The Russian region on the border with Ukraine."]
    )
    parents: list[Slug] = Field(
        default=[],
        max_length=50,
        description="The places that it lies in; several are possible.",
        examples=[["russia"]],
    )


class _Place(Output):
    slug: str = Field(description="Its key.", examples=["kursk-oblast"])
    name: str = Field(description="Its name in words.", examples=["Kursk Oblast"])
    definition: str | None = Field(
        description="What it covers.", examples=["The Russian region on the border with Ukraine."]
    )
    parents: list[str] = Field(description="The places that it lies in.", examples=[["russia", "russia-ukraine-war"]])


class Place(VersionFields, _Place):
    """Where."""


class TermRow(Output):
    """One word of an enumeration."""

    key: str = Field(description="Enumeration and word.", examples=["modality/estimate"])
    enumeration: str = Field(description="The enumeration, by the name of its field.", examples=["modality"])
    word: str = Field(description="The word, as it stands in JSON, CSV and filters.", examples=["estimate"])
    definition: str = Field(description="What it means.", examples=["Estimated or assessed."])


class ColumnRow(Output):
    """One column of the claims files, in the terms of a Table Schema (Frictionless Data)."""

    name: str = Field(description="The column's name.", examples=["period_start"])
    type: str = Field(description="`string`, `number`, `integer`, `boolean`, `date` or `datetime`.", examples=["date"])
    description: str = Field(description="What it holds; empty means unknown.", examples=["First day of the period."])
    path: str = Field(description="Where the same value is in the JSON claim.", examples=["period.start"])
    example: Any = Field(description="A value that it can have.", examples=["2022-02-24"])
