"""The change log as it is served."""

from typing import Any

from pydantic import Field

from app.http.pagination import PageQuery
from app.http.schema_types import Output, UtcTime


class ChangeRow(Output):
    """One change of the register. Who follows them from the first holds exactly the register."""

    seq: int = Field(description="Its number: gapless, strictly growing.", examples=[1234])
    at: UtcTime = Field(
        description="When it was recorded; never before the change before it.", examples=["2026-11-20T10:00:00Z"]
    )
    kind: str = Field(description="What changed.", examples=["claim"])
    id: str = Field(description="Its id or slug.", examples=["01a1f640-bc00-7528-9916-436a9224d91e"])
    action: str = Field(
        description="`created`, `changed`, `withdrawal`, or the event of a claim.", examples=["transcription_fix"]
    )
    revision: int = Field(description="The revision that it made.", examples=[2])
    claim: str | None = Field(
        description="The claim that it touches.", examples=["01a1f640-bc00-7528-9916-436a9224d91e"]
    )
    actor: str = Field(description="Who made it, by the name of the key.", examples=["desk"])
    reason: str | None = Field(description="Why; lost in a takedown.", examples=["A slip of a digit."])
    data: dict[str, Any] | None = Field(
        description="The record as it stands after it, as it could be given again; null after a takedown.",
        examples=[{"slug": "csis", "name": "Center for Strategic and International Studies"}],
    )


class ChangeQuery(PageQuery):
    """Which changes."""

    after: int = Field(
        default=0,
        ge=0,
        le=2**62,
        description="Only changes after this `seq`: the last one that you hold.",
        examples=[1200],
    )
    cursor: str | None = Field(
        default=None,
        pattern=r"^\d{1,18}$",
        description="The same as `after`, from `meta.next_cursor`.",
        examples=["1250"],
    )
