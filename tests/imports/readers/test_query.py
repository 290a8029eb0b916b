"""The query of a mapping: what it can read, and that it reaches nothing else."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.imports.readers import query
from app.imports.readers.options import FileOptions, FileRefused, MappingRefused, ReadLimits
from app.imports.readers.query import QueryLimits
from app.imports.readers.query_process import QueryRefused, check_query, open_connection, plain_value
from app.imports.readers.reader import FileReader
from tests.imports.readers.file_helpers import make_workbook, read_rows, write_file

DAYS = "Province,Country,2026-03-01,2026-03-02\n,Atlantis,1,3\nNorth,Utopia,0,\n"
Connection = tuple[Any, set[str]]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Connection:
    """A database as the process has it."""
    rows = write_file(tmp_path_factory.mktemp("rows"), "rows.ndjson", '{"f": "a.csv", "l": 2, "c0": "x"}\n')
    request = {
        "columns": ["name"],
        "files": {"a.csv": ["name"]},
        "rows": str(rows),
        "row_bytes": 1000,
        "memory_bytes": 100_000_000,
    }
    return open_connection(request)


@pytest.mark.parametrize(
    "attack",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT (SELECT content FROM read_text('/etc/passwd'))",
        "SELECT * FROM rows, LATERAL (SELECT * FROM read_blob('/etc/passwd'))",
        "WITH x AS (FROM read_json('/etc/passwd')) SELECT 1",
        "FROM '/etc/passwd'",
        "FROM 'https://example.org/a.csv'",
        "FROM glob('/*')",
        "FROM query('SELECT 1')",
        "FROM query_table('rows')",
        "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
        "FROM duckdb_settings()",
        "FROM pragma_database_list",
        "FROM information_schema.tables",
        "FROM sqlite_master",
        "FROM main.rows, pg_catalog.pg_settings",
        "COPY rows TO '/tmp/x.csv'",
        "COPY (SELECT 1) TO '/tmp/x.parquet'",
        "EXPORT DATABASE '/tmp/x'",
        "ATTACH '/tmp/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "PRAGMA database_list",
        "SET threads = 64",
        "RESET memory_limit",
        "SET VARIABLE x = 1",
        "CALL pragma_version()",
        "CREATE TABLE x AS SELECT 1",
        "CREATE SECRET (TYPE http)",
        "DELETE FROM rows",
        "EXPLAIN SELECT 1",
        "DESCRIBE rows",
        "SHOW TABLES",
        "SELECT 1; SELECT 2",
        "SELECT getenv('HOME') FROM rows",
        "SELECT current_setting('memory_limit')",
        "SELECT random() FROM rows",
        "FROM rows ORDER BY random()",
        "SELECT uuid()",
        "SELECT now()",
        "SELECT current_date",
        "SELECT sleep_ms(100000)",
        "SELECT write_log('x')",
        "FROM rows TABLESAMPLE 1 ROWS",
        "FROM rows USING SAMPLE 10%",
        "SELECT 1" + " + 1" * 50_000,
        "SELECT " + "(" * 3_000 + "1" + ")" * 3_000,
        "",
        "-- nothing",
        "SELECT",
        "nonsense \ud7ff",
    ],
)
def test_a_query_reaches_nothing_but_the_rows(connection: Connection, attack: str) -> None:
    database, tables = connection
    if "getenv" in attack:  # there is no such function
        with pytest.raises(Exception, match="getenv"):
            database.execute(attack)
        return
    with pytest.raises(QueryRefused) as refused:
        check_query(database, attack, tables)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY rows TO '/tmp/x.csv'",
        "ATTACH '/tmp/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET threads = 64",
        "SET memory_limit = '100GB'",
        "SET enable_external_access = true",
        "FROM attack",  # a variable of Python
    ],
)
def test_the_database_itself_refuses_what_the_check_would_miss(connection: Connection, statement: str) -> None:
    attack = [1]  # noqa: F841 - DuckDB can read variables
    with pytest.raises(Exception, match=r"(?i)disabled|locked|does not exist|permission"):
        connection[0].execute(statement)


@pytest.mark.parametrize(
    ("value", "plain"),
    [(None, None), ("1,2", "1,2"), (2, 2), (2**70, str(2**70)), (2.0, 2), (2.5, 2.5), ((1, [2.0]), [1, [2]])],
)
def test_values_of_a_result_are_those_of_json(value: Any, plain: Any) -> None:
    assert plain_value(value, "x") == plain


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"x"])
def test_values_that_json_lacks_are_refused(value: Any) -> None:
    with pytest.raises(QueryRefused, match="The column `x`"):
        plain_value(value, "x")


def test_columns_become_rows_in_order_with_their_place(tmp_path: Path) -> None:
    path = write_file(tmp_path, "days.csv", DAYS)
    rows = read_rows(path, sql="UNPIVOT rows ON COLUMNS('^20') INTO NAME day VALUE dead")
    assert [(row.file, row.line, *row.data.values()) for row in rows] == [
        ("days.csv", 2, None, "Atlantis", "2026-03-01", "1"),
        ("days.csv", 2, None, "Atlantis", "2026-03-02", "3"),
        ("days.csv", 3, "North", "Utopia", "2026-03-01", "0"),
    ]


def test_files_are_joined_by_their_names(tmp_path: Path) -> None:
    losses = write_file(tmp_path, "losses.json", '[{"id": 1, "dead": 3, "list": ["x"]}, {"id": 2, "dead": 4.5}]')
    places = write_file(tmp_path, "places.csv", "ID,name\n2,B\n1,A\n")
    sql = "SELECT l.* EXCLUDE (list), p.name, list FROM 'losses.json' l JOIN 'places.csv' p ON l.id = p.ID"
    rows = list(FileReader([losses, places], FileOptions(sql=sql + " ORDER BY p.name DESC")))
    assert [(row.line, row.data) for row in rows] == [
        (2, {"id": "2", "dead": "4.5", "name": "B", "list": None}),
        (1, {"id": "1", "dead": "3", "name": "A", "list": '["x"]'}),
    ]


def test_a_sheet_without_a_header_is_read_by_position(tmp_path: Path) -> None:
    sheet = make_workbook([["Losses as of", "3 March"], [None], ["day", "dead"], ["2026-03-01", 5], ["Source: x"]])
    path = write_file(tmp_path, "a.xlsx", sheet)
    sql = "SELECT _line, c1 AS day, c2 AS dead, (SELECT c2 FROM rows WHERE _line = 1) AS said FROM rows WHERE _line > 3"
    rows = read_rows(path, header_row=0, sql=f"{sql} AND c2 IS NOT NULL")
    assert [(row.line, row.data) for row in rows] == [(4, {"day": "2026-03-01", "dead": "5", "said": "3 March"})]


@pytest.mark.parametrize(
    ("sql", "limits", "message", "hint"),
    [
        (
            "WITH RECURSIVE a AS (SELECT 1 x UNION ALL SELECT x + 1 FROM a) SELECT max(x) FROM a",
            QueryLimits(cpu_seconds=1),
            "more than 1 seconds of CPU time",
            "CPU_SECONDS",
        ),
        (
            "SELECT string_agg(repeat('x', 1000000)) FROM range(1000000)",
            QueryLimits(memory_bytes=100_000_000),
            "more than 100,000,000 bytes of memory",
            "MEMORY_BYTES",
        ),
        ("FROM range(1000)", QueryLimits(rows=10), "more than 10 rows", "SQL_ROWS"),
        ("SELECT repeat('x', 1000) FROM range(1000)", QueryLimits(bytes=10_000), "more than 10,000 bytes", "SQL_BYTES"),
        ("SELECT day FROM rows", QueryLimits(), 'Referenced column "day" not found', ""),
        ("SELECT 1 AS a, 2 AS a", QueryLimits(), "two columns named “a”", "name the columns"),
    ],
)
def test_a_query_ends_at_its_limits(
    tmp_path: Path, sql: str, limits: QueryLimits, message: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "secret")
    path = write_file(tmp_path, "days.csv", DAYS)
    with pytest.raises(FileRefused, match=message) as refused:
        list(FileReader([path], FileOptions(sql=sql), query_limits=limits))
    assert hint in (refused.value.hint or "")
    assert len(str(refused.value)) < 700


def test_an_import_that_is_stopped_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_file(tmp_path, "days.csv", DAYS)
    started: list[subprocess.Popen[bytes]] = []
    original = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(original(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)

    def stop() -> None:
        if started:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(FileReader([path], FileOptions(sql="SELECT max(a.range) FROM range(99999999) a"), check=stop))
    assert [process.poll() is None for process in started] == [False]


def test_without_the_extra_it_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "find_spec", lambda _name: None)
    path = write_file(tmp_path, "days.csv", DAYS)
    with pytest.raises(MappingRefused, match=r"needs DuckDB: pip install 'counterclaim\[sql\]'"):
        list(FileReader([path], FileOptions(sql="FROM rows"), limits=ReadLimits()))
