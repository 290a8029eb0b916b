"""Schemas of API keys."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.database.api_keys import MAX_NAME_CHARACTERS
from app.enums import Role
from app.http.schema_types import Input, Moment, Output

NAME_DESCRIPTION = (
    "The name of the key. It is public: the change log and the feeds name it as the actor of each change. Several keys "
    "may have one name."
)
KeyName = Annotated[
    str, Field(description=NAME_DESCRIPTION, min_length=1, max_length=MAX_NAME_CHARACTERS, examples=["desk"])
]


class KeyInput(Input):
    """A new API key."""

    name: KeyName
    role: Role = Field(default=Role.contributor, description="What the key may do.", examples=[Role.contributor])
    expires_at: Moment | None = Field(
        default=None,
        description="The moment from which the key is refused; null: never.",
        examples=["2027-12-31T00:00:00Z"],
    )


class Key(Output):
    """An API key, without the key itself, of which only a hash is stored."""

    id: str = Field(description="The id of the key.", examples=["0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60"])
    name: str = Field(description="The name of the key, which is public.", examples=["desk"])
    role: Role = Field(description="What the key may do.", examples=[Role.contributor])
    created_at: datetime = Field(description="When it was created.", examples=["2026-11-20T10:00:00Z"])
    expires_at: datetime | None = Field(
        description="The moment from which it is refused; null: never.", examples=["2027-12-31T00:00:00Z"]
    )
    last_used_at: datetime | None = Field(
        description="When it wrote last, to the hour; null: never since this is recorded.",
        examples=["2026-11-21T09:00:00Z"],
    )
    revoked_at: datetime | None = Field(description="When it was revoked; null: it was not.", examples=[None])


class NewKey(Key):
    """A new API key, with the key itself. It cannot be read again."""

    key: str = Field(description="The key. It cannot be read again.", examples=["cc_…"])


class KeyList(Output):
    """All API keys, oldest first."""

    data: list[Key] = Field(description="The keys, revoked and expired ones included.")
