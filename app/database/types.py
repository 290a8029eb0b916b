"""Column types that mean the same on SQLite and on PostgreSQL."""

import re
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Float, Integer, String, Text
from sqlalchemy import Enum as SqlEnum
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

BIG_INTEGER = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits on both; SQLite counts up a primary key only when the column is called INTEGER."""

DOUBLE = Float(53)
"""A double: whole numbers and decimals of up to 15 significant digits are kept exactly."""

SLUG_TEXT = String(80).with_variant(postgresql.VARCHAR(80, collation="C"), "postgresql")
"""A natural key. PostgreSQL would sort it by the rules of a language; SQLite and the cursors sort by bytes."""

ROW_KEY_TEXT = String(300).with_variant(postgresql.VARCHAR(300, collation="C"), "postgresql")
"""What a row of an imported file is known again by."""

SERIES_KEY_TEXT = String(180).with_variant(postgresql.VARCHAR(180, collation="C"), "postgresql")
"""What a source says in one way, in words."""

EDTF_TEXT = String(40)
JSON_VALUE = JSON(none_as_null=True)
"""A short list of slugs, kept in the order in which it was given; or another small value of JSON."""


class Id(TypeDecorator[str]):
    """A UUID as text in Python, native on PostgreSQL, 36 characters on SQLite: both sort by time."""

    impl = String(36)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """PostgreSQL has a type of its own for this."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID(as_uuid=False))
        return dialect.type_descriptor(String(36))


class SearchWords(TypeDecorator[list[str]]):
    """The words that a row is found by: an array on PostgreSQL (with a GIN index), a text on SQLite (with FTS5)."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """PostgreSQL has arrays."""
        return dialect.type_descriptor(postgresql.ARRAY(Text()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> Any:  # noqa: ANN401 - per database
        """A list, or one text."""
        return value if value is None or dialect.name == "postgresql" else " ".join(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> list[str] | None:  # noqa: ANN401 - per database
        """A list again."""
        found: list[str] | None = value if value is None or dialect.name == "postgresql" else value.split()
        return found


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC, to the microsecond. SQLite keeps no zone, so only UTC is ever handed to it."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone: it would mean something else on each machine."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Always in UTC, whatever the server's time zone is."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def enum_type(terms: type[Enum], name: str) -> SqlEnum:
    """A closed list of words: stored by value, checked by SQLAlchemy and by the database (constraint `name`)."""
    return SqlEnum(
        terms,
        name=name,
        native_enum=False,
        create_constraint=True,
        validate_strings=True,
        length=24,
        values_callable=lambda members: [member.value for member in members],
    )


ID_PATTERN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
