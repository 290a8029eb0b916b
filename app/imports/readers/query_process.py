"""The process that runs the query of a mapping with DuckDB, and ends with it. It imports nothing of this package.

It gets one JSON object on standard input: `query`, `columns` (the names of the columns, in order), `files` (the columns
of each file), `rows` (the path of a file with one JSON object per line), `row_bytes`, `memory_bytes`, `memory_hint` and
`cpu_seconds`. It writes JSON lines to standard output: the names of the columns of the result, each row as a list, and
`{"done": true}`, or instead of it `{"error": …, "hint": …}`.
"""

import json
import math
import resource
import signal
import sys
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

BASE_MEMORY_BYTES = 1_000_000_000
"""Address space that Python and DuckDB reserve for themselves, in bytes."""

ROWS_PER_FETCH = 1_000
MAX_NODES = 100_000
"""Maximum number of nodes of a parsed query."""

MAX_MESSAGE_CHARACTERS = 500
MAX_SAFE_INTEGER = 2**63

TABLE_FUNCTIONS = frozenset({"generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "unnest"})
"""The functions that are allowed as tables. None of them reads anything but its arguments."""

CLOCK_NAMES = frozenset({
    "ago", "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp", "today", "user",
})  # fmt: skip
"""Names of values that depend on the time of the import, some of which are written like columns."""

ONE_SELECT = "A query has to be one SELECT, FROM, VALUES or UNPIVOT statement."
PIVOT_HINT = "write the values of a PIVOT out: SELECT * FROM rows PIVOT (sum(n) FOR kind IN ('a', 'b'))"


class QueryRefused(Exception):
    """The query asks for something that is not allowed."""

    def __init__(self, detail: str, hint: str | None = None) -> None:
        super().__init__(detail)
        self.hint = hint


def main() -> None:
    """Run the query of standard input."""
    request = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (request["cpu_seconds"], request["cpu_seconds"] + 1))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        for line in _run(request):
            sys.stdout.write(json.dumps(line, ensure_ascii=False, allow_nan=False))
            sys.stdout.write("\n")
        sys.stdout.flush()
    except QueryRefused as error:
        _fail(str(error), error.hint)
    except MemoryError:
        _fail_for_memory(request)
    except RecursionError:
        _fail("The query is nested too deeply.")
    except Exception as error:  # noqa: BLE001 - whatever DuckDB raises is the answer to the query
        if any(words in str(error).lower() for words in ("out of memory", "bad_alloc", "bad allocation")):
            _fail_for_memory(request)
        _fail(_first_paragraph(str(error)))


def _fail_for_memory(request: dict[str, Any]) -> None:
    _fail(f"The query needs more than {request['memory_bytes']:,} bytes of memory.", request["memory_hint"])


def _fail(detail: str, hint: str | None = None) -> None:
    sys.stdout.write(json.dumps({"error": detail, "hint": hint}) + "\n")
    sys.stdout.flush()
    sys.exit(0)


def _first_paragraph(message: str) -> str:
    """Return a message of DuckDB in one line, without its drawing of the place."""
    lines: list[str] = []
    for line in message.splitlines():
        if line.startswith("LINE ") or (lines and not line.strip()):
            break
        lines.append(line.strip())
    return " ".join(lines)[:MAX_MESSAGE_CHARACTERS]


def _run(request: dict[str, Any]) -> Iterator[Any]:
    """Yield the lines of the answer."""
    connection, tables = open_connection(request)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    limit = request["memory_bytes"] + BASE_MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    check_query(connection, request["query"], tables)
    result = connection.execute(request["query"])
    names = [column[0] for column in result.description or ()]
    yield names
    while rows := result.fetchmany(ROWS_PER_FETCH):
        for row in rows:
            yield [plain_value(value, name) for value, name in zip(row, names, strict=True)]
    yield {"done": True}


def open_connection(request: dict[str, Any]) -> tuple[Any, set[str]]:
    """Return a database with the rows and access to nothing else, and the names of its tables in lower case."""
    import duckdb  # noqa: PLC0415 - after the limits of the process

    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": 1,  # the order of rows is then the same each time
            "memory_limit": f"{request['memory_bytes']}B",
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET python_enable_replacements = false")
    tables = _load_rows(connection, request)
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection, tables


def _load_rows(connection: Any, request: dict[str, Any]) -> set[str]:  # noqa: ANN401 - of DuckDB
    """Create the table `rows` and a view for each file. Returns their names in lower case."""
    fields = {"f": "VARCHAR", "l": "BIGINT"} | {f"c{number}": "VARCHAR" for number in range(len(request["columns"]))}
    structure = ", ".join(f"{name}: '{kind}'" for name, kind in fields.items())
    names = ["_file", "_line", *request["columns"]]
    columns = ", ".join(f"{field} AS {_quote(name)}" for field, name in zip(fields, names, strict=True))
    connection.execute(
        f"CREATE TABLE rows AS SELECT {columns} FROM read_json(?, format = 'newline_delimited', "  # noqa: S608 - quoted
        f"columns = {{{structure}}}, maximum_object_size = {request['row_bytes']}, compression = 'none')",
        [request["rows"]],
    )
    tables = {"rows"}
    for name, own in request["files"].items():
        if name.lower() in tables:
            continue
        selected = ", ".join(map(_quote, ["_file", "_line", *own]))
        file = name.replace("'", "''")
        connection.execute(f"CREATE VIEW {_quote(name)} AS SELECT {selected} FROM rows WHERE _file = '{file}'")  # noqa: S608 - quoted
        tables.add(name.lower())
    return tables


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def check_query(connection: Any, query: str, tables: set[str]) -> None:  # noqa: ANN401 - of DuckDB
    """Raise `QueryRefused` for a query that reads anything but the rows, or does not always give the same rows."""
    text = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchone()[0]
    parsed = json.loads(text)
    if parsed["error"]:
        message = parsed.get("error_message") or ""
        raise (
            QueryRefused(ONE_SELECT, PIVOT_HINT)
            if "Only SELECT" in message
            else QueryRefused(_first_paragraph(message))
        )
    if len(parsed["statements"]) != 1:
        raise QueryRefused(ONE_SELECT)
    unstable = {
        name
        for (name,) in connection.execute(
            "SELECT function_name FROM duckdb_functions() GROUP BY ALL "
            "HAVING bool_and(coalesce(stability, 'CONSISTENT') <> 'CONSISTENT')"
        ).fetchall()
    }
    nodes = list(_nodes(parsed["statements"]))
    known = tables | {str(entry["key"]).lower() for node in nodes for entry in node.get("cte_map", {}).get("map", ())}
    for node in nodes:
        _check_node(node, known, unstable | CLOCK_NAMES)


def _nodes(tree: Any) -> Iterable[dict[str, Any]]:  # noqa: ANN401 - any JSON
    """Yield every object of a parsed query. Raises `QueryRefused` if there are too many."""
    waiting, count = [tree], 0
    while waiting:
        node = waiting.pop()
        count += 1
        if count > MAX_NODES:
            raise QueryRefused("The query is too long.")
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _check_node(node: dict[str, Any], tables: set[str], unstable: set[str]) -> None:
    kind = node.get("type")
    if node.get("sample"):
        raise QueryRefused("A sample is not the same each time.", "leave TABLESAMPLE out")
    if kind == "SHOW_REF":
        raise QueryRefused(ONE_SELECT)
    if kind == "BASE_TABLE":
        name = str(node.get("table_name", ""))
        if name.lower() not in tables or node.get("schema_name") or node.get("catalog_name"):
            shown = ", ".join(f"`{table}`" for table in sorted(tables)[:10])
            raise QueryRefused(f"There is no table `{name[:100]}`.", f"a query reads {shown}")
    if kind == "TABLE_FUNCTION":
        name = str(node["function"].get("function_name", "")).lower()
        if name not in TABLE_FUNCTIONS:
            allowed = ", ".join(sorted(TABLE_FUNCTIONS))
            raise QueryRefused(f"A query cannot read `{name[:100]}(…)`.", f"the functions with rows are {allowed}")
    name = str(node.get("function_name", "")).lower()
    if node.get("class") == "COLUMN_REF":
        names = node.get("column_names", ())
        name = str(names[0]).lower() if len(names) == 1 and str(names[0]).lower() in CLOCK_NAMES else ""
    if name in unstable and kind != "TABLE_FUNCTION" and name not in TABLE_FUNCTIONS:
        detail = f"`{name[:100]}` does not depend on the rows alone, so an import would not be the same each time."
        raise QueryRefused(detail)


def plain_value(value: Any, name: str) -> Any:  # noqa: ANN401, C901 - any value of DuckDB, one case for each
    """Return a value as JSON has it: text, a number, a boolean, a list or an object. Raises `QueryRefused`."""
    match value:
        case None | str() | bool():
            return value
        case int():
            return value if -MAX_SAFE_INTEGER <= value < MAX_SAFE_INTEGER else str(value)
        case Decimal() if value == value.to_integral_value():
            return plain_value(int(value), name)
        case float() | Decimal():
            if not math.isfinite(value):
                raise QueryRefused(f"The column `{name[:100]}` has a number that is not finite.")
            number = float(value)
            return int(number) if number.is_integer() and abs(number) < MAX_SAFE_INTEGER else number
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case date() | time():
            return value.isoformat()
        case list() | tuple():
            return [plain_value(item, name) for item in value]
        case dict():
            return {str(key): plain_value(item, name) for key, item in value.items()}
        case bytes() | bytearray() | memoryview():
            raise QueryRefused(f"The column `{name[:100]}` has bytes, not text.", "decode() converts them")
        case _:
            return str(value)


if __name__ == "__main__":
    main()
