"""The migrations create exactly the tables of the code, can be reverted, and are atomic."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from alembic.config import Config
from alembic.util.exc import CommandError
from click.testing import CliRunner
from sqlalchemy import Connection, MetaData, Table, insert, inspect, select, text
from sqlmodel import SQLModel
from uuid_utils import uuid7

from alembic import command
from app.claims.lifecycle import revise
from app.claims.schemas import ChangeInput
from app.claims.search.filters import ClaimQuery
from app.claims.search.planner import find_page
from app.claims.validation import compute_fingerprint
from app.cli import _migrate, main
from app.database.engine import Database, SchemaStale, alembic_config
from app.database.migration_lock import migration_lock
from app.database.read_session import read_session
from app.database.tables import VERSION_TABLES, table_of
from app.database.transaction import write_transaction
from app.enums import Per
from app.sources.documents import record_document
from app.sources.editions import edition_key
from app.sources.schemas import DocumentInput
from app.starter.load import load_starter, starter_id
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


def test_migrations_are_frozen() -> None:
    """A migration that a database has seen never changes: its number would say what is not there.

    A new one is added with `sha256sum [0-9]*.py` in alembic/versions.
    """
    listed = (Path(__file__).parent / "migrations.sha256").read_text(encoding="ascii").splitlines()
    files = sorted((ROOT / "alembic" / "versions").glob("[0-9]*.py"))
    assert [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in files] == listed


def test_several_migrations_at_once_wait_for_one_another(
    make_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_database("empty")
    monkeypatch.setenv("DATABASE_URL", url)
    database = Database(make_settings(url))
    with migration_lock(database):
        waiting = ThreadPoolExecutor(2)
        results = [waiting.submit(_migrate, make_settings(url)) for _ in range(2)]
        assert wait(results, timeout=1.0).done == set()
        assert database.newer_schema() is None
    assert [each.result(timeout=60) for each in results] == [None, None]
    waiting.shutdown()
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9998'"))
    refused = CliRunner().invoke(main, ["migrate"])
    assert refused.exit_code == 1
    assert "migrated by a newer release: start that release" in refused.output
    database.close()


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


RATE_IDS = {key: starter_id(key) for key in ("uk-2024-08-rate", "uk-2024-09-rate", "uk-2024-10-rate")}


def _read_claims(database: Database) -> dict[str, dict[str, Any]]:
    table = table_of(VERSION_TABLES["claim"])
    with database.read_engine.connect() as connection:
        return {row["id"]: dict(row) for row in connection.execute(table.select()).mappings()}


def _downgraded(database: Database) -> None:
    with migrating(database) as config:
        command.downgrade(config, "0005")


def _upgraded(database: Database) -> None:
    with migrating(database) as config:
        command.upgrade(config, "head")
        command.check(config)


def test_rates_get_a_unit_of_time_where_their_wording_says_so(database: Database) -> None:
    before = _read_claims(database)
    _downgraded(database)
    with database.write_engine.begin() as connection:
        # What the imports of the claim had stored, and a wording that states another unit of time.
        old = connection.execute(
            text("SELECT fingerprint FROM claim WHERE id = :id"), {"id": RATE_IDS["uk-2024-09-rate"]}
        ).scalar_one()
        row = {"print": old, "id": RATE_IDS["uk-2024-09-rate"], "seq": 1}
        connection.execute(
            text(
                "INSERT INTO imported_row (series, key, print, written, claim, vintage, seq)"
                " VALUES ('rates', 'one', :print, :print, :id, '2024-10-07', :seq)"
            ),
            row,
        )
        connection.execute(
            text("UPDATE claim SET as_printed = '1,500 a week, daily' WHERE id = :id"),
            {"id": RATE_IDS["uk-2024-10-rate"]},
        )
    _upgraded(database)
    after = _read_claims(database)
    # The quote of one says "killed daily"; of the others, only a note says that they are of a day.
    assert {key: after[id_]["per"] for key, id_ in RATE_IDS.items()} == {
        "uk-2024-08-rate": None,
        "uk-2024-09-rate": Per.day,
        "uk-2024-10-rate": None,
    }
    assert {row["fingerprint"] for row in after.values()} == {compute_fingerprint(row) for row in after.values()}
    assert {id_ for id_ in after if after[id_]["fingerprint"] != before[id_]["fingerprint"]} == {
        RATE_IDS["uk-2024-08-rate"],
        RATE_IDS["uk-2024-10-rate"],
    }
    with database.read_engine.connect() as connection:
        (imported,) = connection.execute(text("SELECT print, written FROM imported_row")).all()
    assert set(imported) == {after[RATE_IDS["uk-2024-09-rate"]]["fingerprint"]}
    assert set(imported) != {old}


def test_a_migration_to_new_fields_keeps_every_other_value(database: Database) -> None:
    before = _read_claims(database)
    counts = rows(database)
    _downgraded(database)
    _upgraded(database)
    after = _read_claims(database)
    assert rows(database) == counts
    rates = set(RATE_IDS.values())
    # The schema before cannot hold why a wording differs. `display` is filled again.
    kept = [name for name in before[next(iter(rates))] if name != "wording_differs"]
    assert {id_: [row[name] for name in kept] for id_, row in after.items() if id_ not in rates} == {
        id_: [row[name] for name in kept] for id_, row in before.items() if id_ not in rates
    }
    with database.read_engine.connect() as connection:
        assert not connection.execute(text("SELECT 1 FROM category WHERE additive <> non_decreasing")).all()
        topics = connection.execute(table_of(VERSION_TABLES["topic"]).select()).mappings().all()
    assert all((topic["interests"], topic["narrower"]) == ({}, ["category"]) for topic in topics)


def test_bases_that_are_periods_are_recognised(database: Database) -> None:
    id_ = RATE_IDS["uk-2024-08-rate"]
    _downgraded(database)
    with database.write_engine.begin() as connection:
        connection.execute(text("UPDATE claim SET relative_to = '1951–1980' WHERE id = :id"), {"id": id_})
    _upgraded(database)
    periods = {claim: row["relative_period"] for claim, row in _read_claims(database).items() if row["relative_period"]}
    assert periods == {id_: "1951/1980"}


def test_words_are_found_after_the_table_of_claims_was_rebuilt(database: Database) -> None:
    _downgraded(database)
    _upgraded(database)
    with write_transaction(database, "desk") as transaction:
        revise(
            transaction,
            RATE_IDS["uk-2024-08-rate"],
            ChangeInput(event="transcription_fix", reason="More words.", changes={"note": "quagga"}),
        )
    with read_session(database) as reading:
        page = find_page(reading, ClaimQuery(q="quagga"), reading.snapshot())
        assert page.ids == [RATE_IDS["uk-2024-08-rate"]]


def test_claims_that_the_older_schema_cannot_hold_stop_the_downgrade(database: Database) -> None:
    with database.write_engine.begin() as connection:
        connection.execute(
            text("UPDATE claim SET proposition = 'change' WHERE id = :id"), {"id": RATE_IDS["uk-2024-08-rate"]}
        )
    with migrating(database) as config, pytest.raises(RuntimeError, match="`change`"):
        command.downgrade(config, "0005")
    # Each migration is a transaction: those after 0006 were undone.
    _upgraded(database)
    database.check_schema()


def _migrated(database: Database, revision: str) -> None:
    with migrating(database) as config:
        command.downgrade(config, revision)


def _read_documents(database: Database) -> list[dict[str, Any]]:
    table = table_of(VERSION_TABLES["document"])
    with database.read_engine.connect() as connection:
        return [dict(row) for row in connection.execute(table.select().order_by(table.c.version)).mappings()]


def test_documents_get_the_keys_of_their_editions(database: Database) -> None:
    with write_transaction(database, "desk") as transaction:
        title, archive = {"title": "A page"}, {"archive_url": "https://archive.example/1"}
        for number, parts in enumerate(({}, {"published_on": "2025-06-01"}, archive)):
            url = f"https://example.org/{number}"
            record_document(transaction, DocumentInput.model_validate({**title, **parts, "url": url}))
        printed, _ = record_document(transaction, DocumentInput.model_validate(title))
    before, counts = _read_documents(database), rows(database)
    assert [row["edition"] for row in before] == [edition_key(row) for row in before]
    assert [row["id"] for row in before if row["edition"] is None] == [printed]
    _migrated(database, "0008")
    _upgraded(database)
    assert _read_documents(database) == before
    assert rows(database) == counts
    table = table_of(VERSION_TABLES["citation"])
    with database.read_engine.connect() as connection:
        assert not any(connection.execute(select(table.c.marked)).scalars())


def test_documents_whose_addresses_are_one_stay_as_they_are(database: Database) -> None:
    _migrated(database, "0013")
    with database.write_engine.begin() as connection:
        document = Table("document", MetaData(), autoload_with=connection)
        row = dict(connection.execute(select(document).where(document.c.url.is_not(None)).limit(1)).mappings().one())
        del row["version"]
        for page in ("/a#one", "/a#two", "/b", "/b#three", "/c#four"):
            url = f"https://example.org{page}"
            state = row | {"id": str(uuid7()), "url": url, "title": "A page", "published_on": None, "archive_url": None}
            key = edition_key({**state, "address": url})  # as before 0014
            connection.execute(insert(document).values({**state, "edition": key}))
    _upgraded(database)
    documents = {row["url"]: row for row in _read_documents(database) if "//example.org/" in str(row["url"])}
    assert {url: row["address"] for url, row in documents.items()} == {
        "https://example.org/a#one": "https://example.org/a",
        "https://example.org/a#two": "https://example.org/a#two",
        "https://example.org/b": "https://example.org/b",
        "https://example.org/b#three": "https://example.org/b#three",
        "https://example.org/c#four": "https://example.org/c",
    }
    changed = [row for url, row in documents.items() if url.endswith(("#one", "#four"))]
    assert [row["edition"] for row in changed] == [edition_key(row) for row in changed]


def test_editions_of_one_address_stop_the_downgrade(database: Database) -> None:
    with write_transaction(database, "desk") as transaction:
        for day in (1, 2):
            body = {"title": "Daily", "url": "https://example.org/daily", "published_on": f"2025-06-0{day}"}
            record_document(transaction, DocumentInput.model_validate(body))
    counts = rows(database)
    with migrating(database) as config, pytest.raises(RuntimeError, match="several documents of one address"):
        command.downgrade(config, "0008")
    assert rows(database) == counts
    _upgraded(database)
