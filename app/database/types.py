"""Column types with the same semantics on SQLite and PostgreSQL."""

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
"""A 64-bit integer. SQLite generates primary keys only for columns of type INTEGER, which has 64 bits there."""

DOUBLE = Float(53)
"""A double, which stores decimal numbers of up to 15 significant digits without loss."""

SLUG_TEXT = String(80).with_variant(postgresql.VARCHAR(80, collation="C"), "postgresql")
"""A natural key. It has collation C on PostgreSQL, because SQLite and the cursors sort by bytes."""

ROW_KEY_TEXT = String(300).with_variant(postgresql.VARCHAR(300, collation="C"), "postgresql")
"""The key of a row of an imported file, by which a later import recognizes it."""

SERIES_KEY_TEXT = String(180).with_variant(postgresql.VARCHAR(180, collation="C"), "postgresql")
"""A series key: the text that identifies the comparable claims of one source."""

COUNT_KEY_TEXT = String(300).with_variant(postgresql.VARCHAR(300, collation="C"), "postgresql")
"""A key by which claims are counted: up to three slugs, or some members of enumerations."""

EDTF_TEXT = String(40)
EDTF_PERIOD_TEXT = String(85)
UNIT_TEXT = String(40)
JSON_VALUE = JSON(none_as_null=True)
"""A small JSON value, such as an ordered list of slugs."""


class Id(TypeDecorator[str]):
    """A UUID, as text in Python: type UUID on PostgreSQL, 36 characters on SQLite. UUIDv7 sorts by time on both."""

    impl = String(36)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return UUID on PostgreSQL and VARCHAR on SQLite."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID(as_uuid=False))
        return dialect.type_descriptor(String(36))


class SearchWords(TypeDecorator[list[str]]):
    """The words of a row for full-text search: an array on PostgreSQL (GIN index), a text on SQLite (FTS5)."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return TEXT[] on PostgreSQL and TEXT on SQLite."""
        return dialect.type_descriptor(postgresql.ARRAY(Text()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> Any:  # noqa: ANN401 - depends on the dialect
        """Return the list on PostgreSQL, and the words joined by spaces on SQLite."""
        return value if value is None or dialect.name == "postgresql" else " ".join(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> list[str] | None:  # noqa: ANN401 - depends on the dialect
        """Return the words as a list."""
        words: list[str] | None = value if value is None or dialect.name == "postgresql" else value.split()
        return words


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC with microseconds. SQLite stores no time zone, so times are converted to UTC before a write."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time in UTC. Raise `ValueError` if it has no time zone, because it would be ambiguous."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time in UTC, independent of the time zone of the server."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def enum_type(values: type[Enum], name: str) -> SqlEnum:
    """Return a column type that stores enumeration values as text.

    SQLAlchemy and the database (constraint `name`) reject other values.
    """
    return SqlEnum(
        values,
        name=name,
        native_enum=False,
        create_constraint=True,
        validate_strings=True,
        length=24,
        values_callable=lambda members: [member.value for member in members],
    )


ID_PATTERN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
