"""Statements of SQLAlchemy Core are compiled once, for the driver, on both databases."""

from datetime import date

import pytest
from sqlalchemy import bindparam, column, select, table

from app.database.engine import Database
from app.database.sql import (
    InList,
    OrderedJoin,
    compile_cached,
    compile_statement,
    fetch_rows,
    list_rows,
    with_index,
)
from app.database.tables import ClaimVersion, Clock, table_of
from app.enums import Status
from tests.registers import DatabaseCopies, make_settings

CLAIM = table_of(ClaimVersion)
ONE, OTHER = (table(name, column("id")) for name in ("one", "other"))


def test_a_value_is_part_of_the_text_and_a_parameter_stays_one() -> None:
    asked = select(CLAIM.c.id).where(
        CLAIM.c.status != Status.removed, CLAIM.c.period.like("2024/%"), CLAIM.c.date >= bindparam("from")
    )
    assert compile_statement(asked.limit(2), "sqlite") == (
        "SELECT claim.id FROM claim WHERE claim.status != 'removed' AND claim.period LIKE '2024/%' "
        "AND claim.date >= :from LIMIT 2"
    )
    assert compile_statement(asked.limit(2), "postgresql") == (
        "SELECT claim.id FROM claim WHERE claim.status != 'removed' AND claim.period LIKE '2024/%%' "
        "AND claim.date >= %(from)s::DATE LIMIT 2"
    )


def test_lists_are_written_out() -> None:
    several = CLAIM.c.source.in_([bindparam("a"), bindparam("b")])
    constant = CLAIM.c.status.in_(["asserted", "retracted"])
    assert compile_statement(select(CLAIM.c.id).where(several, constant), "sqlite").endswith(
        "WHERE claim.source IN (:a, :b) AND claim.status IN ('asserted', 'retracted')"
    )


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("sqlite", "claim.version IN (SELECT anon_1.value FROM json_each(:some) AS anon_1) AND claim.seq > 0"),
        ("postgresql", "claim.version = ANY (%(some)s::BIGINT[]) AND claim.seq > 0"),
    ],
)
def test_a_long_list_is_one_parameter(dialect: str, expected: str) -> None:
    asked = select(CLAIM.c.id).where(InList(CLAIM.c.version, "some"), CLAIM.c.seq > 0)
    assert compile_statement(asked, dialect).partition(" WHERE ")[2] == expected


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("sqlite", "SELECT one.id FROM one INDEXED BY ix_one CROSS JOIN other ON one.id = other.id"),
        ("postgresql", "SELECT one.id FROM one JOIN other ON one.id = other.id"),
    ],
)
def test_only_sqlite_is_told_the_index_and_the_order_of_a_join(dialect: str, expected: str) -> None:
    joined = OrderedJoin(ONE, OTHER, ONE.c.id == OTHER.c.id)
    asked = with_index(select(ONE.c.id).select_from(joined), ONE, "ix_one")
    assert compile_statement(asked, dialect) == expected


def test_a_statement_that_is_kept_is_compiled_once() -> None:
    asked = select(ONE.c.id)
    assert compile_cached(asked, "sqlite") is compile_cached(asked, "sqlite")


def test_rows_are_read_with_parameters_of_python(database_copies: DatabaseCopies) -> None:
    database = Database(make_settings(database_copies.create_copy("starter")))
    asked = select(CLAIM.c.version).where(CLAIM.c.date <= bindparam("day"))
    seq = select(Clock.seq).where(table_of(Clock).c.seq % 1 == bindparam("rest"))  # type: ignore[call-overload] # a column
    with database.read() as session:
        some, all_ = (len(fetch_rows(session, asked, {"day": date(year, 1, 1)})) for year in (2024, 2100))
        assert 0 < some < all_
        versions = [version for (version,) in fetch_rows(session, asked, {"day": date(2024, 1, 1)})]
        listed = select(CLAIM.c.version).where(InList(CLAIM.c.version, "some"))
        assert sorted(fetch_rows(session, listed, {"some": versions})) == sorted((each,) for each in versions)
        assert len(fetch_rows(session, seq, {"rest": 0})) == 1
        texts = list_rows("texts").c.value
        others = select(texts).where(texts != bindparam("left_out"))
        assert sorted(fetch_rows(session, others, {"texts": ["a", "b", "c"], "left_out": "b"})) == [("a",), ("c",)]
        assert fetch_rows(session, others, {"texts": [], "left_out": "b"}) == []
    database.close()
