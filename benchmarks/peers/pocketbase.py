"""PocketBase over the same rows in its own tables: collections with relations and the indexes that the filters need."""

import json
import shutil
import sqlite3
import subprocess
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.postgresql import CACHE_FOLDER
from benchmarks.servers import Server, find_peer_program
from benchmarks.workload import (
    PAGE_LIMIT,
    SORT_COLUMNS,
    Filters,
    PagePosition,
    PageShape,
    topic_filters,
)

EXPAND = "source,citations_via_claim.document,assessments_via_claim"
FIELDS: dict[str, dict[str, str]] = {
    "sources": dict.fromkeys(("name", "kind", "interest"), "text"),
    "documents": dict.fromkeys(
        (*("title", "publisher", "publisher_name", "url", "archive_url", "published_on", "language"),), "text"
    ),
    "claims": {
        **dict.fromkeys(
            (
                *("status", "category", "subject", "place", "proposition", "modality", "derivation", "as_printed"),
                *("kind", "relative_to", "period", "period_start", "period_end", "aggregation", "date", "date_edtf"),
                *("note", "retracted_on", "import_id", "recorded_at", "unit", "confidence"),
            ),
            "text",
        ),
        **dict.fromkeys(("revision", "seq", "low", "high", "magnitude"), "number"),
        # Only a JSON field can be null.
        **dict.fromkeys(
            (
                *("value", "lower", "upper", "coverage", "out_of", "includes", "excludes"),
                *("lower_inclusive", "upper_inclusive"),
            ),
            "json",
        ),
        "approximate": "bool",
        "source": "sources",
    },
    "citations": {
        **dict.fromkeys(
            ("role", "fidelity", "quote", "quote_language", "translation", "locator", "gap", "withdrawn_on"), "text"
        ),
        "via": "json",
        "claim": "claims",
        "document": "documents",
    },
    "assessments": {
        **dict.fromkeys(
            ("level", "reliability", "credibility", "stated", "assessor", "assessed_on", "rationale"), "text"
        ),
        "claim": "claims",
    },
}
"""Collection → its fields and their types; the name of a collection is a relation to it."""

INDICES = {
    "claims": ("date, id", "magnitude, id", "seq, id", "category, subject, place, date, id", "source, date, id"),
    "citations": ("claim", "document"),
    "assessments": ("claim",),
}

SELECTS = {
    "sources": "SELECT {columns}, slug AS id FROM register.source WHERE until_seq IS NULL",
    "documents": (
        "SELECT {columns}, id FROM (SELECT d.*, s.name AS publisher_name FROM register.document d"
        " LEFT JOIN register.source s ON s.slug = d.publisher AND s.until_seq IS NULL WHERE d.until_seq IS NULL)"
    ),
    "claims": (
        "SELECT {columns}, id FROM (SELECT c.*, g.unit, coalesce((SELECT a.level FROM register.assessment a"
        " WHERE a.claim = c.id AND a.until_seq IS NULL AND NOT a.withdrawn ORDER BY a.assessed_on DESC, a.id DESC"
        " LIMIT 1), 'unassessed') AS confidence FROM register.claim c LEFT JOIN register.category g"
        " ON g.slug = c.category AND g.until_seq IS NULL WHERE c.until_seq IS NULL AND c.status <> 'removed')"
    ),
    "citations": "SELECT {columns}, id FROM register.citation WHERE until_seq IS NULL",
    "assessments": "SELECT {columns}, id FROM register.assessment WHERE until_seq IS NULL AND NOT withdrawn",
}


def is_installed() -> bool:
    """Whether it is installed."""
    return find_peer_program("pocketbase") is not None


def create_server(url: str) -> Server:
    """PocketBase over what the register at `url` holds; its own copy is made once and kept."""
    register = Path(url.removeprefix("sqlite:///"))
    folder = CACHE_FOLDER / "registers" / register.stem.replace("bench_", "pocketbase_")
    if not folder.exists():
        making = CACHE_FOLDER / "work" / "pocketbase"
        shutil.rmtree(making, ignore_errors=True)
        _create_data(register, making)
        making.rename(folder)
    command = [
        *(str(find_peer_program("pocketbase")), "serve", "--http", "127.0.0.1:{port}", "--hooksWatch=false"),
        *("--dir", str(folder / "data"), "--migrationsDir", str(folder / "migrations")),
    ]
    return Server("pocketbase", command, {"GOMAXPROCS": "1"}, "/api/health")


def _create_data(register: Path, folder: Path) -> None:
    migrations = folder / "migrations"
    migrations.mkdir(parents=True)
    saved = ["const made = {}"]
    for collection, fields in FIELDS.items():
        shown = ", ".join(_field_definition(name, kind) for name, kind in fields.items())
        saved.append(
            f'made.{collection} = new Collection({{type: "base", name: "{collection}", listRule: "", viewRule: "",'
            f" fields: [{shown}]}}); app.save(made.{collection})"
        )
    saved.append("const settings = app.settings(); settings.logs.maxDays = 0; app.save(settings)")
    _run_migration(folder, "1700000000_collections.js", saved)
    _copy_rows(register, folder / "data" / "data.db")
    indexed = []
    for collection, columns in INDICES.items():
        names = [f"CREATE INDEX {collection}_{n} ON {collection} ({each})" for n, each in enumerate(columns)]
        found = f'app.findCollectionByNameOrId("{collection}")'
        indexed.append(f"{{ const c = {found}; c.indexes = {json.dumps(names)}; app.save(c) }}")
    _run_migration(folder, "1700000001_indices.js", indexed)
    with sqlite3.connect(folder / "data" / "data.db") as connection:
        connection.execute("ANALYZE")
    connection.close()


def _run_migration(folder: Path, name: str, lines: list[str]) -> None:
    body = ";\n".join(lines)
    (folder / "migrations" / name).write_text(f"migrate((app) => {{\n{body}\n}}, (app) => {{}})\n")
    command = [
        *(str(find_peer_program("pocketbase")), "migrate", "up"),
        *("--dir", str(folder / "data"), "--migrationsDir", str(folder / "migrations")),
    ]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own command


def _field_definition(name: str, kind: str) -> str:
    if kind in FIELDS:
        return f'{{type: "relation", name: "{name}", collectionId: made.{kind}.id, maxSelect: 1}}'
    return json.dumps({"type": kind, "name": name, **({"max": 100_000} if kind == "text" else {})})


def _copy_rows(register: Path, file: Path) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute(f"ATTACH 'file:{register}?mode=ro' AS register")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -400000")
    connection.execute("BEGIN")
    for collection, fields in FIELDS.items():
        names = ", ".join(f'"{name}"' for name in (*fields, "id"))
        columns = ", ".join(_column_sql(name, kind) for name, kind in fields.items())
        statement = SELECTS[collection].format(columns=columns)
        connection.execute(f'INSERT INTO main."{collection}" ({names}) {statement}')
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _column_sql(name: str, kind: str) -> str:
    if kind == "json":
        if name.endswith("_inclusive"):
            return f"CASE {name} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"
        return f'"{name}"'
    empty = "0" if kind in {"number", "bool"} else "''"
    return f'coalesce("{name}", {empty})'


def page_path(shape: PageShape, filters: Filters, place: PagePosition) -> str:
    """The address of a page: from the place on, without a count, as somebody would who minds the speed."""
    plain = topic_filters(filters["topic"]) if "topic" in filters else filters
    column = SORT_COLUMNS[shape.sort]
    at = f"'{place.value}'" if column == "date" else str(place.value)
    conditions = [_condition(name, value) for name, value in plain.items()]
    conditions.append(f"({column} < {at} || ({column} = {at} && id < '{place.id}'))")
    if column == "date":
        conditions.append(f"date <= {at}")
    asked = {
        "filter": " && ".join(conditions),
        "sort": f"-{column},-id",
        "perPage": str(PAGE_LIMIT),
        "skipTotal": "1",
        "expand": EXPAND,
    }
    return f"/api/collections/claims/records?{urlencode(asked)}"


def _condition(name: str, value: str) -> str:
    match name:
        case "category" if value == "category-0":
            return "(category = 'category-0' || category = 'category-1' || category = 'category-2')"
        case "date_from":
            return f"date >= '{value}'"
        case "date_to":
            return f"(date <= '{value}' && date != '')"
        case "period_from":
            return f"(period_end >= '{value}' || period_end = '')"
        case "period_to":
            return f"period_start <= '{value}'"
        case "value_min":
            return f"high >= {value}"
        case "value_max":
            return f"low <= {value}"
        case "source_kind":
            return f"source.kind = '{value}'"
        case _:
            return f"{name} = '{value}'"


def claim_path(id_: str) -> str:
    """The address of one claim."""
    return f"/api/collections/claims/records/{id_}?expand={EXPAND}"
