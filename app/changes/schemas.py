"""Request and response models of the change log."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from app.changes.position import POSITION_PATTERN, Position
from app.http.pagination import PageQuery
from app.http.schema_types import Output, Slug, UtcTime

KIND_DESCRIPTION = "Only changes of these kinds of records."
TOPIC_DESCRIPTION = "Only changes that concern these topics: of their claims, or of the topics themselves."


class ChangeKind(StrEnum):
    """The kinds of records in the change log."""

    source = "source"
    document = "document"
    category = "category"
    subject = "subject"
    place = "place"
    topic = "topic"
    claim = "claim"
    citation = "citation"
    assessment = "assessment"
    relation = "relation"
    import_ = "import"


class ChangeRow(Output):
    """One change of the register. All changes together reproduce the register."""

    seq: int = Field(description="The sequence number of the change: gapless and strictly increasing.", examples=[1234])
    at: UtcTime = Field(
        description="The time of the change; never before that of the previous change.",
        examples=["2026-11-20T10:00:00Z"],
    )
    kind: ChangeKind = Field(description="The kind of record.", examples=["claim"])
    id: str = Field(description="The id or slug of the record.", examples=["01a1f640-bc00-7528-9916-436a9224d91e"])
    action: str = Field(
        description="The event: `created`, `changed`, `withdrawal`, `marked` or `unmarked` (of a citation), or that of "
        "a claim or document.",
        examples=["transcription_fix"],
    )
    revision: int = Field(description="The revision of the record after the change.", examples=[2])
    claim: str | None = Field(
        description="The claim that the record belongs to, if any.", examples=["01a1f640-bc00-7528-9916-436a9224d91e"]
    )
    actor: str = Field(description="The name of the API key that made the change.", examples=["desk"])
    reason: str | None = Field(
        description="The reason for the change; erased by a takedown.", examples=["A slip of a digit."]
    )
    topics: list[str] = Field(
        description="The topics that the claim belongs to, by slug; of a change of a topic, the topic itself.",
        examples=[["russian-casualties"]],
    )
    data: dict[str, Any] | None = Field(
        description="The record after the change, with the fields of a request, or with `shape=served` as a GET serves "
        "it; null after a takedown.",
        examples=[{"slug": "csis", "name": "Center for Strategic and International Studies"}],
    )


class ChangeShape(StrEnum):
    """The shape of a list of changes."""

    envelope = "envelope"
    array = "array"
    served = "served"


class TransactionMessage(Output):
    """The changes of one transaction, as a message of a stream with `shape=served`."""

    seq: int = Field(description="The `seq` of the last change.", examples=[1234])
    at: UtcTime = Field(description="The time of the transaction.", examples=["2026-11-20T10:00:00Z"])
    more: bool = Field(description="Whether the next message has further changes of the transaction.", examples=[False])
    changes: list[ChangeRow] = Field(description="The changes, in order.")


class ChangeQuery(PageQuery):
    """The page of changes to return."""

    after: Position = Field(
        default=0,
        description="Only changes after this `seq`, or `EPOCH:SEQ`: the last one that the client has.",
        examples=[1],
    )
    kind: list[ChangeKind] = Field(default_factory=list, description=KIND_DESCRIPTION, examples=[["claim"]])
    topic: list[Slug] = Field(default_factory=list, description=TOPIC_DESCRIPTION, examples=[["russian-casualties"]])
    cursor: str | None = Field(
        default=None,
        pattern=POSITION_PATTERN,
        description="The `meta.next_cursor` of the previous page. It overrides `after`.",
        examples=["1"],
    )
