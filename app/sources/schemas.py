"""Request and response models of sources and documents."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from app.enums import Interest, SourceKind, Status
from app.http.pagination import PageQuery
from app.http.schema_types import (
    Day,
    Input,
    Language,
    LongText,
    Output,
    PastTime,
    RunningText,
    ShortText,
    Slug,
    Terms,
    UtcTime,
    WebAddress,
)
from app.vocabulary.schemas import SelfLink, VersionFields
from app.vocabulary.suggestions import SearchText


class SourceInput(Input):
    """A source: a person, organisation or data set that makes or relays claims."""

    name: ShortText = Field(
        description="The name of the source.", examples=["Center for Strategic and International Studies"]
    )
    kind: SourceKind = Field(description="The kind of source.", examples=["think_tank"])
    interest: Interest = Field(
        description="The position of the source towards the parties of the dispute.", examples=["independent"]
    )
    speaks_for: Slug | None = Field(
        default=None,
        description="The source that this source speaks for, by slug. Both share one position.",
        examples=["ru-mod"],
    )
    anonymous: bool = Field(default=False, description="Whether the source is not named.", examples=[False])
    description: LongText | None = Field(
        default=None,
        description="A description of the source; the only identification of an anonymous source.",
        examples=["A research institute in Washington."],
    )
    url: WebAddress | None = Field(
        default=None, description="The website of the source.", examples=["https://www.csis.org"]
    )
    short_name: Annotated[RunningText, Field(max_length=80)] | None = Field(
        default=None, description="A short name for tables and charts.", examples=["CSIS"]
    )
    in_text: RunningText | None = Field(
        default=None,
        description="How the source reads in a sentence, with its article; without it, sentences give its name.",
        examples=["the CIA"],
    )
    terms: Terms | None = Field(
        default=None,
        description="The terms under which its statements may be used: an identifier of the SPDX License List, or the "
        "address of the terms. A document may have others.",
        examples=["OGL-UK-3.0"],
    )


class _Source(Output):
    slug: str = Field(description="The slug of the source.", examples=["csis"])
    name: str = Field(
        description="The name of the source.", examples=["Center for Strategic and International Studies"]
    )
    kind: SourceKind = Field(description="The kind of source.", examples=["think_tank"])
    interest: Interest = Field(
        description="The position of the source towards the parties of the dispute.", examples=["independent"]
    )
    speaks_for: str | None = Field(description="The source that this source speaks for, by slug.", examples=["ru-mod"])
    anonymous: bool = Field(description="Whether the source is not named.", examples=[False])
    description: str | None = Field(
        description="A description of the source.", examples=["A research institute in Washington."]
    )
    url: str | None = Field(description="The website of the source.", examples=["https://www.csis.org"])
    short_name: str | None = Field(description="A short name for tables and charts.", examples=["CSIS"])
    in_text: str | None = Field(
        description="How the source reads in a sentence, with its article.", examples=["the CIA"]
    )
    terms: str | None = Field(
        description="The terms under which its statements may be used: an SPDX identifier or an address.",
        examples=["OGL-UK-3.0"],
    )


class Source(VersionFields, _Source):
    """A source: a person, organisation or data set that makes or relays claims."""


class DocumentInput(Input):
    """A document in which claims can be read."""

    url: WebAddress | None = Field(
        default=None,
        description="The URL of the document; null for print.",
        examples=["https://kyivindependent.com/mediazona/"],
    )
    title: ShortText = Field(description="The title of the document.", examples=["Mediazona confirms 24,470 dead"])
    publisher: Slug | None = Field(
        default=None, description="The source that published the document, by slug.", examples=["kyiv-independent"]
    )
    published_on: Day | None = Field(default=None, description="The day of publication.", examples=["2025-06-04"])
    language: Language | None = Field(
        default=None, description="The language of the document (BCP 47).", examples=["en"]
    )
    archive_url: WebAddress | None = Field(
        default=None,
        description="The URL of an archived copy.",
        examples=["https://web.archive.org/web/2025/https://example.org/"],
    )
    content_sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="The SHA-256 of the retrieved content, in hexadecimal.",
        examples=["9f86d081884c7d65" * 4],
    )
    retrieved_at: PastTime | None = Field(
        default=None, description="The time at which the content was retrieved.", examples=["2026-11-20T09:00:00Z"]
    )
    terms: ShortText | None = Field(default=None, description="The licence or terms of use.", examples=["CC BY 4.0"])


class DocumentCard(Output):
    """The document of a citation."""

    id: str = Field(description="The id of the document.", examples=["01a1f640-bc00-7643-9830-d0c28b0cfb0d"])
    title: str = Field(description="The title of the document.", examples=["Mediazona confirms 24,470 dead"])
    publisher: str | None = Field(
        description="The source that published the document, by slug.", examples=["kyiv-independent"]
    )
    publisher_name: str | None = Field(
        description="The source that published the document, by name.", examples=["The Kyiv Independent"]
    )
    url: str | None = Field(
        description="The URL of the document; null for print.", examples=["https://kyivindependent.com/mediazona/"]
    )
    archive_url: str | None = Field(
        description="The URL of an archived copy.", examples=["https://web.archive.org/web/2025/https://example.org/"]
    )
    published_on: date | None = Field(description="The day of publication.", examples=["2025-06-04"])
    language: str | None = Field(description="The language of the document (BCP 47).", examples=["en"])


class DocumentSummary(DocumentCard):
    """The document of a citation, with the terms under which its words may be used."""

    terms: str | None = Field(description="The licence or terms of use.", examples=["CC BY 4.0"])
    content_sha256: str | None = Field(
        description="The SHA-256 of the retrieved content, in hexadecimal.", examples=["9f86d081884c7d65" * 4]
    )


class Document(DocumentCard):
    """A document in which claims can be read."""

    content_sha256: str | None = Field(
        description="The SHA-256 of the retrieved content, in hexadecimal.", examples=["9f86d081884c7d65" * 4]
    )
    retrieved_at: UtcTime | None = Field(
        description="The time at which the content was retrieved.", examples=["2026-11-20T09:00:00Z"]
    )
    terms: str | None = Field(description="The licence or terms of use.", examples=["CC BY 4.0"])
    revision: int = Field(description="The version number of the record, from 1.", examples=[1])
    recorded_at: UtcTime = Field(description="When this version was recorded.", examples=["2026-11-20T10:00:00Z"])
    seq: int = Field(description="The `seq` of the change that created this version.", examples=[17])
    links: SelfLink = Field(description="Links of the document.")


class DocumentTombstone(Output):
    """What is left of a document that was taken down."""

    id: str = Field(description="The id of the document.", examples=["01a1f640-bc00-7643-9830-d0c28b0cfb0d"])
    revision: int = Field(description="The version number of the record.", examples=[2])
    recorded_at: UtcTime = Field(description="The time of the takedown.", examples=["2026-11-20T10:00:00Z"])
    seq: int = Field(description="The sequence number of the takedown.", examples=[99])
    status: Status = Field(description="`removed`.", examples=["removed"])
    links: SelfLink = Field(description="Links of the document.")


class SourcesQuery(PageQuery):
    """The page of sources to return."""

    q: SearchText | None = Field(
        default=None,
        description="Only sources whose name or short name has words that begin with each word of `q`; accents and "
        "case are ignored.",
        examples=["mediaz"],
    )


class DocumentQuery(PageQuery):
    """The page of documents to return."""

    url: WebAddress | None = Field(
        default=None,
        description="Only the documents at this address: each edition of the page.",
        examples=["https://kyivindependent.com/mediazona/"],
    )


class RepairEvent(StrEnum):
    """The kind of a correction of a recorded claim or document."""

    transcription_fix = "transcription_fix"
    relay_correction = "relay_correction"


class ReasonInput(Input):
    """The reason for a change."""

    reason: LongText = Field(
        description="The reason for the change. It is stored permanently.",
        examples=["Checked against the printed page."],
    )


class DocumentChanges(DocumentInput):
    """The fields to change, each as for a new document."""

    title: ShortText | None = Field(  # type: ignore[assignment] # optional here: a title that is not sent is unchanged
        default=None, description="The title of the document.", examples=["Mediazona confirms 24,470 dead"]
    )


class DocumentChangeInput(ReasonInput):
    """A correction: `transcription_fix` for an error of the register, `relay_correction` for one of the publisher."""

    event: RepairEvent = Field(description="The kind of correction.", examples=["transcription_fix"])
    changes: DocumentChanges = Field(
        description="The fields to change, each as for a new document.",
        examples=[{"title": "Mediazona confirms 24,470 dead"}],
    )


class FieldChange(Output):
    """A changed field of a record."""

    field: str = Field(description="The path of the field.", examples=["figure.value"])
    before: Any = Field(description="The value before the change.", examples=[1531])
    after: Any = Field(description="The value after the change.", examples=[1351])


class DocumentRevision(Document):
    """One revision of a document, and the event that created it."""

    recorded_until: UtcTime | None = Field(
        description="The time at which the next revision was recorded.", examples=["2026-11-21T10:00:00Z"]
    )
    event: str = Field(description="The event that created the revision.", examples=["transcription_fix"])
    reason: str | None = Field(
        description="The reason for the change; null for the first revision.", examples=["A slip in the title."]
    )
    actor: str = Field(description="The name of the API key that made the change.", examples=["desk"])
    changes: list[FieldChange] = Field(description="The changes since the previous revision, field by field.")
