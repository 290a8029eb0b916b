"""Sources and documents, as they are given and as they are served."""

from datetime import date

from pydantic import Field

from app.enums import Interest, SourceKind
from app.http.schema_types import Day, Input, Language, LongText, Output, ShortText, Slug, UtcTime, WebAddress
from app.vocabulary.schemas import SelfLink, VersionFields


class SourceInput(Input):
    """Who makes or relays claims."""

    name: ShortText = Field(description="Its name.", examples=["Center for Strategic and International Studies"])
    kind: SourceKind = Field(description="What it is.", examples=["think_tank"])
    interest: Interest = Field(description="Where it stands in the dispute.", examples=["independent"])
    speaks_for: Slug | None = Field(
        default=None, description="The source that it speaks for: both hold one position.", examples=["ru-mod"]
    )
    anonymous: bool = Field(default=False, description="Whether nobody names it.", examples=[False])
    description: LongText | None = Field(
        default=None,
        description="Who it is; all there is of an anonymous one.",
        examples=["A research institute in Washington."],
    )
    url: WebAddress | None = Field(default=None, description="Its own site.", examples=["https://www.csis.org"])


class _Source(Output):
    slug: str = Field(description="Its key.", examples=["csis"])
    name: str = Field(description="Its name.", examples=["Center for Strategic and International Studies"])
    kind: SourceKind = Field(description="What it is.", examples=["think_tank"])
    interest: Interest = Field(description="Where it stands in the dispute.", examples=["independent"])
    speaks_for: str | None = Field(description="The source that it speaks for.", examples=["ru-mod"])
    anonymous: bool = Field(description="Whether nobody names it.", examples=[False])
    description: str | None = Field(description="Who it is.", examples=["A research institute in Washington."])
    url: str | None = Field(description="Its own site.", examples=["https://www.csis.org"])


class Source(VersionFields, _Source):
    """Who makes or relays claims."""


class DocumentInput(Input):
    """Where a claim can be read."""

    url: WebAddress | None = Field(
        default=None, description="Its address; null for print.", examples=["https://kyivindependent.com/mediazona/"]
    )
    title: ShortText = Field(description="Its title.", examples=["Mediazona confirms 24,470 dead"])
    publisher: Slug | None = Field(
        default=None, description="The source that published it, by slug.", examples=["kyiv-independent"]
    )
    published_on: Day | None = Field(default=None, description="The day of publication.", examples=["2025-06-04"])
    language: Language | None = Field(default=None, description="Its language (BCP 47).", examples=["en"])
    archive_url: WebAddress | None = Field(
        default=None,
        description="A copy in an archive.",
        examples=["https://web.archive.org/web/2025/https://example.org/"],
    )
    content_sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="The SHA-256 of what was read, in hex.",
        examples=["9f86d081884c7d65" * 4],
    )
    retrieved_at: UtcTime | None = Field(
        default=None, description="When it was read.", examples=["2026-11-20T09:00:00Z"]
    )
    terms: ShortText | None = Field(default=None, description="Its licence or terms of use.", examples=["CC BY 4.0"])


class DocumentCard(Output):
    """A document, as a citation shows it."""

    id: str = Field(description="Its id.", examples=["01a1f640-bc00-7643-9830-d0c28b0cfb0d"])
    title: str = Field(description="Its title.", examples=["Mediazona confirms 24,470 dead"])
    publisher: str | None = Field(description="Who published it, by slug.", examples=["kyiv-independent"])
    publisher_name: str | None = Field(description="Who published it, by name.", examples=["The Kyiv Independent"])
    url: str | None = Field(description="Its address.", examples=["https://kyivindependent.com/mediazona/"])
    archive_url: str | None = Field(
        description="A copy in an archive.", examples=["https://web.archive.org/web/2025/https://example.org/"]
    )
    published_on: date | None = Field(description="The day of publication.", examples=["2025-06-04"])
    language: str | None = Field(description="Its language (BCP 47).", examples=["en"])


class Document(DocumentCard):
    """Where claims can be read."""

    content_sha256: str | None = Field(description="The SHA-256 of what was read.", examples=["9f86d081884c7d65" * 4])
    retrieved_at: UtcTime | None = Field(description="When it was read.", examples=["2026-11-20T09:00:00Z"])
    terms: str | None = Field(description="Its licence or terms of use.", examples=["CC BY 4.0"])
    revision: int = Field(description="The number of this version of the record, from 1.", examples=[1])
    recorded_at: UtcTime = Field(description="When this version was recorded.", examples=["2026-11-20T10:00:00Z"])
    seq: int = Field(description="The change that made this version.", examples=[17])
    links: SelfLink = Field(description="Where to go from here.")
