"""Request and response models of counts."""

from pydantic import Field, create_model

from app.claims.counts.queries import Dimension
from app.claims.search.filters import ClaimFilters
from app.http.pagination import AsOf
from app.http.schema_types import Output

MAX_BY_CHARACTERS = 300


class CountsQuery(ClaimFilters):
    """The filters of the counted claims, and the dimensions."""

    by: str = Field(
        min_length=1,
        max_length=MAX_BY_CHARACTERS,
        description="What to count by, separated by commas: "
        + ", ".join(f"`{dimension}`" for dimension in Dimension)
        + ". `year` is that of `date`.",
        examples=["source,year,confidence"],
    )
    recorded_as_of: AsOf = None


class ValueCount(Output):
    """The number of claims with one value of a dimension."""

    value: str | int | None = Field(
        description="The value, as the filter of the same name takes it; a year is a number. Null: unknown, as the "
        "year of undated claims and the confidence of unassessed ones.",
        examples=["csis"],
    )
    name: str | None = Field(
        description="The name of a source, category, subject or place; null for other values.",
        examples=["Center for Strategic and International Studies (CSIS)"],
    )
    count: int = Field(description="The number of claims.", examples=[12])


class CountRow(ValueCount):
    """The number of claims with one value of a dimension, as a row of a file."""

    dimension: Dimension = Field(description="What was counted by.", examples=["source"])


ValueCounts = create_model(
    "ValueCounts",
    __base__=Output,
    __doc__="The counts of each requested dimension, apart: they are not crossed.",
    **{  # type: ignore[call-overload] # one field for each dimension
        dimension.value: (
            list[ValueCount],
            Field(default=None, description=f"The claims by `{dimension}`, the most frequent value first."),
        )
        for dimension in Dimension
    },
)


class CountsMeta(Output):
    """What was counted."""

    total: int = Field(description="The number of all matching claims. Each dimension adds up to it.", examples=[680])
    seq: int = Field(description="The sequence number of the register state that was read.", examples=[1234])


class CountsLinks(Output):
    """Links of the counts."""

    self: str = Field(description="The address of the counts.", examples=["/v1/claims/counts?by=year"])


class ClaimCounts(Output):
    """The numbers of the claims that match the filters, by value of each dimension."""

    data: ValueCounts = Field(description="The counts by dimension.")
    meta: CountsMeta = Field(description="What was counted.")
    links: CountsLinks = Field(description="Links of the counts.")
