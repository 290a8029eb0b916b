"""Response models of the register."""

from pydantic import Field

from app.http.schema_types import Output, UtcTime
from app.vocabulary.schemas import SelfLink


class RegisterCounts(Output):
    """The number of current records of each kind."""

    topics: int = Field(description="The number of topics.", examples=[32])
    claims: int = Field(description="The number of claims, without those that were taken down.", examples=[174])
    sources: int = Field(description="The number of sources.", examples=[91])
    documents: int = Field(description="The number of documents, without those that were taken down.", examples=[110])
    categories: int = Field(description="The number of categories.", examples=[33])
    subjects: int = Field(description="The number of subjects.", examples=[18])
    places: int = Field(description="The number of places.", examples=[9])


class RegisterLinks(SelfLink):
    """Links of the register."""

    topics: str = Field(description="The topics.", examples=["/v1/topics"])
    claims: str = Field(description="The claims.", examples=["/v1/claims"])
    changes: str = Field(description="The change log.", examples=["/v1/changes"])
    docs: str = Field(description="The documentation of the API.", examples=["/docs"])


class RegisterDescription(Output):
    """The register: its id, title, terms and counts."""

    id: str = Field(description="The permanent id of the register.", examples=["0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60"])
    title: str = Field(description="The title of the register.", examples=["Counterclaim"])
    terms: str | None = Field(
        description="The terms under which its data may be used: an SPDX identifier or an address; null if the "
        "operator has stated none.",
        examples=["CC-BY-4.0"],
    )
    seq: int = Field(description="The sequence number of the latest change.", examples=[1234])
    updated_at: UtcTime = Field(description="The time of the latest change.", examples=["2026-11-20T10:00:00Z"])
    counts: RegisterCounts = Field(description="The number of current records of each kind.")
    links: RegisterLinks = Field(description="Links of the register.")
