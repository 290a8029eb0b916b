"""Schemas of leases."""

from typing import Annotated

from pydantic import Field

from app.database.types import ID_PATTERN
from app.http.schema_types import Input, Output

MAX_NUMBER = 10**18 - 1


class LeaseInput(Input):
    """A lease to create or renew, and what its holder has forgotten."""

    id: Annotated[str, Field(pattern=f"^{ID_PATTERN.pattern}$")] | None = Field(
        default=None,
        description="The id of the lease that is renewed; null: a new one.",
        examples=["0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60"],
    )
    epoch: int = Field(default=1, ge=1, le=10**9 - 1, description="The epoch of `acknowledged`.", examples=[1])
    acknowledged: int = Field(
        default=0,
        ge=0,
        le=MAX_NUMBER,
        description="Everything that was taken down up to this `seq` is forgotten, and cannot be served again.",
        examples=[680],
    )


class HeldLease(Output):
    """A lease: the right to serve what was read from the register."""

    id: str = Field(description="The id of the lease.", examples=["0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60"])
    held: bool = Field(
        description="Whether it was renewed: not while `takedowns` wait for their acknowledgement.", examples=[True]
    )
    seconds: float = Field(
        description="How long it lasts, by a clock that is never set, from before the request was sent.",
        examples=[30.0],
    )
    epoch: int = Field(description="The epoch of the register.", examples=[1])
    seq: int = Field(description="The latest change of the register.", examples=[1234])
    takedowns: list[int] = Field(
        description="The `seq`s of takedowns that wait for the acknowledgement, oldest first, at most 1,000.",
        examples=[[]],
    )
