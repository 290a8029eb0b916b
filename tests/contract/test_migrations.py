"""The migrations create exactly the tables of the code, can be reverted, and are atomic."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree

import pytest
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, inspect, text
from sqlmodel import SQLModel

from alembic import command
from app.database.engine import Database, SchemaStale, alembic_config
from app.database.tables import VERSION_TABLES, table_of
from app.starter.load import load_starter
from tests.registers import make_settings

ROOT = Path(__file__).parents[2]

BROKEN = '''"""A migration that fails half-way."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "broken", "{head}"


def upgrade() -> None:
    op.create_table("half_done", sa.Column("id", sa.Integer, primary_key=True))
    with op.batch_alter_table("source") as table:
        table.add_column(sa.Column("half_done", sa.Text))
    op.execute("DELETE FROM citation")
    raise RuntimeError("half-way")


def downgrade() -> None:
    op.drop_table("half_done")
'''

WIDER = '''"""A migration that rebuilds tables which others refer to."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "wider", "{head}"


def upgrade() -> None:
    recreate = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    for name in ("change", "source", "claim"):
        with op.batch_alter_table(name, recreate=recreate) as table:
            table.add_column(sa.Column("remark", sa.Text))


def downgrade() -> None:
    for name in ("change", "source", "claim"):
        with op.batch_alter_table(name) as table:
            table.drop_column("remark")
'''


@pytest.fixture
def database(make_database: Callable[[str], str]) -> Iterator[Database]:
    """A register with rows in every table."""
    opened = Database(make_settings(make_database("starter")))
    yield opened
    opened.close()


@contextmanager
def migrating(database: Database, config: Config | None = None) -> Iterator[Config]:
    config = config or alembic_config()
    with database.write_engine.connect() as connection:
        config.attributes["connection"] = connection
        yield config


def rows(database: Database) -> dict[str, int]:
    with database.read_engine.connect() as connection:
        return {name: _count(connection, name) for name in ("change", *VERSION_TABLES)}


def _count(connection: Connection, name: str) -> int:
    return int(connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one())  # noqa: S608 - our own names


def tables(database: Database) -> set[str]:
    """Return the tables, without those of SQLite's full-text search."""
    with database.read_engine.connect() as connection:
        return set(inspect(connection).get_table_names())


def with_another(folder: Path, name: str, migration: str) -> Config:
    """Return an Alembic configuration with a copy of the migrations and one more migration."""
    copytree(ROOT / "alembic", folder / "alembic")
    head = max(path.stem.split("_")[0] for path in (ROOT / "alembic" / "versions").glob("*.py"))
    written = migration.replace("{head}", head)
    (folder / "alembic" / "versions" / f"9999_{name}.py").write_text(written, encoding="utf-8")
    config = alembic_config()
    config.set_main_option("script_location", str(folder / "alembic"))
    return config


def test_the_tables_of_the_code_are_those_of_the_migrations(database: Database) -> None:
    with migrating(database) as config:
        command.check(config)


def test_a_constraint_that_drifted_is_seen(database: Database) -> None:
    table = table_of(VERSION_TABLES["claim"])
    drifted = next(each for each in table.constraints if str(each.name) == "ck_claim_bounds")
    table.constraints.remove(drifted)
    try:
        with migrating(database) as config, pytest.raises(CommandError, match="ck_claim_bounds"):
            command.check(config)
    finally:
        table.constraints.add(drifted)


def test_migrations_go_down_and_up_again_over_a_register_with_rows(database: Database) -> None:
    assert all(rows(database).values())
    with migrating(database) as config:
        command.downgrade(config, "base")
    assert not tables(database) & set(SQLModel.metadata.tables)
    with pytest.raises(SchemaStale, match="counterclaim migrate"):
        database.check_schema()
    with migrating(database) as config:
        command.upgrade(config, "head")
        command.check(config)
    database.check_schema()
    assert load_starter(database) > 100
    assert tables(database) >= set(SQLModel.metadata.tables)


def test_altering_a_table_that_others_refer_to_keeps_every_row(database: Database, tmp_path: Path) -> None:
    before = rows(database)
    with migrating(database, with_another(tmp_path, "wider", WIDER)) as config:
        command.upgrade(config, "head")
    assert rows(database) == before
    with migrating(database, config):
        command.downgrade(config, "-1")
    assert rows(database) == before
    with migrating(database) as config:
        command.check(config)


def test_a_failed_migration_leaves_nothing_behind(database: Database, tmp_path: Path) -> None:
    before = rows(database)
    config = with_another(tmp_path, "broken", BROKEN)
    with migrating(database, config), pytest.raises(RuntimeError, match="half-way"):
        command.upgrade(config, "head")
    assert "half_done" not in tables(database)
    assert rows(database) == before
    database.check_schema()
    with migrating(database) as config:
        command.check(config)
