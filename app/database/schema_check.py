"""Comparison of the real tables, columns and indices of a database with those of this release.

A migration number says what was run, not what is there: an interrupted restore, a hand that dropped an index, or an
edited migration leave a number that is right and a schema that is not.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import SQLModel

from app.database.tables import table_of  # noqa: F401 - the tables are declared there

Rows = Sequence[Sequence[Any]]

SQLITE_COLUMNS = (
    "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS c WHERE m.type = 'table' "
    "AND m.sql NOT LIKE 'CREATE VIRTUAL%'"
)
SQLITE_INDICES = (
    "SELECT i.name, c.name FROM sqlite_master AS i, pragma_index_xinfo(i.name) AS c "
    "WHERE i.type = 'index' AND c.key ORDER BY c.seqno"
)
SQLITE_TABLES_OF_WORDS = ("claim_words", "citation_words")

POSTGRESQL_COLUMNS = (
    "SELECT t.relname, a.attname FROM pg_class AS t JOIN pg_attribute AS a ON a.attrelid = t.oid "
    "WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
)
POSTGRESQL_INDICES = (
    "SELECT i.relname, a.attname FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid "
    "JOIN pg_attribute AS a ON a.attrelid = i.oid WHERE i.relnamespace = current_schema()::regnamespace "
    "AND x.indisvalid AND a.attnum <= x.indnkeyatts ORDER BY a.attnum"
)


def find_schema_differences(fetch: Callable[[str], Rows], dialect: str) -> list[str]:
    """Return what a database lacks of the schema of this release, in a few words each.

    Args:
        fetch: Executes a statement and returns its rows.
        dialect: The name of the database: `sqlite` or `postgresql`.
    """
    is_sqlite = dialect == "sqlite"
    columns = _group(fetch(SQLITE_COLUMNS if is_sqlite else POSTGRESQL_COLUMNS))
    indices = _group(fetch(SQLITE_INDICES if is_sqlite else POSTGRESQL_INDICES))
    differences = []
    for table in SQLModel.metadata.sorted_tables:
        if table.name not in columns:
            differences.append(f"no table {table.name}")
            continue
        differences += [
            f"no column {table.name}.{name}" for name in set(table.columns.keys()) - set(columns[table.name])
        ]
        differences += [
            f"another column {table.name}.{name}" for name in set(columns[table.name]) - set(table.columns.keys())
        ]
        for index in table.indexes:
            differences += _compare_index(index, indices, dialect)
        if not is_sqlite:  # SQLite does not keep the names
            unique = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
            differences += [f"no constraint {each.name}" for each in unique if str(each.name) not in indices]
    if is_sqlite:
        found = {name for (name,) in fetch("SELECT name FROM sqlite_master WHERE type = 'table'")}
        differences += [f"no table {name}" for name in SQLITE_TABLES_OF_WORDS if name not in found]
    return sorted(differences)


def _compare_index(index: Index, indices: dict[str, list[str]], dialect: str) -> list[str]:
    name = str(index.name)
    if index.dialect_options["postgresql"]["using"] and dialect == "sqlite":
        return []
    if name not in indices:
        return [f"no index {name}"]
    expected = [column.name for column in index.columns]
    is_plain = len(expected) == len(index.expressions)
    return [f"index {name} on other columns"] if is_plain and indices[name] != expected else []


def _group(rows: Rows) -> dict[str, list[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, part in rows:
        groups[name].append(part)
    return groups
