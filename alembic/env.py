"""Runs the migrations, each in a transaction of its own, on both databases."""

from contextlib import closing
from typing import Any, Literal

from sqlalchemy import Connection

from alembic import context
from app.database.engine import Database
from app.database.tables import SQLModel
from app.database.types import Id, SearchWords, UtcDateTime
from app.settings import read_settings


def plain_type(kind: str, item: Any, context: Any) -> str | Literal[False]:
    """Write our own column types into a migration as what they are today, so that it never changes with them."""
    if kind == "type" and isinstance(item, Id):
        context.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")'
    if kind == "type" and isinstance(item, SearchWords):
        context.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.Text().with_variant(postgresql.ARRAY(sa.Text()), "postgresql")'
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def run(connection: Connection) -> None:
    """Migrate. SQLite rebuilds a table to alter it: with foreign keys on, that would delete its children."""
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        _foreign_keys(connection, "OFF")
    # SQLite searches words through tables of its own (FTS5), where PostgreSQL has an index.
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=sqlite,
        transactional_ddl=True,
        transaction_per_migration=True,
        compare_server_default=True,
        autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
        render_item=plain_type,
        include_object=lambda _object, name, *_about: not (sqlite and "_words" in str(name)),
    )
    with context.begin_transaction():
        context.run_migrations()
    if sqlite:
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        connection.rollback()
        if broken:
            raise RuntimeError(f"the migration left rows without what they refer to: {broken[:5]}")
        _foreign_keys(connection, "ON")


def _foreign_keys(connection: Connection, state: str) -> None:
    # Past SQLAlchemy, which would begin a transaction first: inside of one, SQLite ignores the pragma without a word.
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA foreign_keys={state}")


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with closing(Database(read_settings())) as database, database.write_engine.connect() as opened:
        run(opened)
