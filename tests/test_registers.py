"""A test gets a register as if it were new."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from tests.examples import make_claim_body, read_latest_seq, record_example_vocabulary, submit_claim
from tests.registers import DatabaseCopies, Register, read_state


@pytest.fixture
def copies(database_copies: DatabaseCopies) -> Iterator[DatabaseCopies]:
    made = DatabaseCopies(database_copies.folder, database_copies.server)
    database_copies.create_copy("starter")
    made.templates |= {kind: database_copies.templates[kind] for kind in ("empty", "starter")}
    yield made
    made.close()


def read_content(register: Register) -> Any:
    """Return all rows, all sequences and the schema."""
    url = make_url(register.settings.database_url)
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(url.database))) as connection:
            return list(connection.iterdump())
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        return read_state(connection)


@pytest.mark.parametrize("kind", ["empty", "starter"])
def test_a_returned_database_is_lent_again_as_if_it_were_new(copies: DatabaseCopies, kind: str) -> None:
    with copies.lend(kind) as register:
        new = read_content(register)
        url, seq = register.settings.database_url, read_latest_seq(register)
        record_example_vocabulary(register)
        claim = submit_claim(register, make_claim_body())
        assert read_content(register) != new
    with copies.lend(kind) as register:
        assert register.settings.database_url == url
        assert read_content(register) == new
        assert read_latest_seq(register) == seq
        assert register.get(f"/v1/claims/{claim['id']}").status_code == 404


def test_a_database_that_was_only_read_is_lent_again(copies: DatabaseCopies) -> None:
    with copies.lend("empty") as register:
        assert register.get("/v1/claims").status_code == 200
        url = register.settings.database_url
    with copies.lend("empty") as register:
        assert register.settings.database_url == url


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE another (id int)", "ALTER TABLE claim RENAME note TO remark", "DROP INDEX ix_change_at"],
)
def test_a_database_whose_schema_was_changed_is_not_lent_again(copies: DatabaseCopies, statement: str) -> None:
    with copies.lend("empty") as register:
        new, url = read_content(register), register.settings.database_url
        with register.database.write_engine.begin() as connection:
            connection.exec_driver_sql(statement)
    with copies.lend("empty") as register:
        assert read_content(register) == new
        if copies.server is not None:
            assert register.settings.database_url != url


def test_a_database_with_an_open_transaction_is_not_lent_again(copies: DatabaseCopies) -> None:
    with copies.lend("empty") as register:
        url = register.settings.database_url
        connection = register.database.write_engine.connect()
        connection.exec_driver_sql("UPDATE clock SET seq = 5")
    with copies.lend("empty") as register:
        assert register.settings.database_url != url
    connection.invalidate()
    connection.close()


@pytest.fixture
def registers(copies: DatabaseCopies) -> Iterator[list[Register]]:
    with copies.lend("empty") as one, copies.lend("empty") as other:
        yield [one, other]


def test_two_registers_at_once_are_two_databases_and_two_applications(registers: list[Register]) -> None:
    one, other = registers
    record_example_vocabulary(one)
    submit_claim(one, make_claim_body())
    assert len(one.get("/v1/claims").json()["data"]) == 1
    assert other.get("/v1/claims").json()["data"] == []
    assert one.client.app is not other.client.app


def test_the_vocabulary_is_inserted_as_it_was_recorded(copies: DatabaseCopies) -> None:
    answers = []
    for _ in range(2):
        with copies.lend("empty") as register:
            record_example_vocabulary(register)
            claim = submit_claim(register, make_claim_body())
            vocabulary = [
                register.get(f"/v1/{name}").json() for name in ("categories", "subjects", "places", "sources")
            ]
            changes = register.get("/v1/changes?limit=100").json()["data"]
            assert {change["at"] for change in changes[:15]} == {changes[0]["at"]}
            answers.append(
                (
                    register.get("/health/ready").json()["seq"],
                    [
                        [{k: v for k, v in row.items() if k != "recorded_at"} for row in rows["data"]]
                        for rows in vocabulary
                    ],
                    [{k: v for k, v in change.items() if k != "at"} for change in changes[:15]],
                    claim["revision"],
                )
            )
    assert answers[0] == answers[1]
