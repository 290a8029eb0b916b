"""A test gets a database as if it were new."""

from pathlib import Path

import psycopg
import pytest

from tests.examples import make_claim_body, record_example_vocabulary, submit_claim
from tests.registers import DatabaseCopies, open_register, read_state


@pytest.fixture
def postgresql(postgresql_address: str, tmp_path: Path) -> DatabaseCopies:
    made = DatabaseCopies(tmp_path, postgresql_address)
    made.create_template("empty", None)
    return made


def test_a_returned_database_is_lent_again_as_if_it_were_new(postgresql: DatabaseCopies) -> None:
    with psycopg.connect(postgresql.create_copy("empty")) as connection:
        new = read_state(connection)
    with postgresql.lend_empty() as url:
        for register in open_register(url):
            record_example_vocabulary(register)
            submit_claim(register, make_claim_body())
        with psycopg.connect(url) as connection:
            written = read_state(connection)
    assert written.rows["clock"] != new.rows["clock"]
    assert written.sequences != new.sequences
    with postgresql.lend_empty() as again, psycopg.connect(again) as connection:
        assert again == url
        assert read_state(connection) == new


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE another (id int)", "ALTER TABLE claim ALTER note SET NOT NULL", "DROP INDEX ix_change_at"],
)
def test_a_database_whose_schema_was_changed_is_not_lent_again(postgresql: DatabaseCopies, statement: str) -> None:
    with postgresql.lend_empty() as url, psycopg.connect(url) as connection:
        connection.execute(statement)
    with postgresql.lend_empty() as other:
        assert other != url
