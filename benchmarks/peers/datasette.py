"""Datasette over the same SQLite file, tuned: immutable, no facets, no counts, every shape as a canned query."""

import json
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.postgresql import CACHE_FOLDER
from benchmarks.servers import Server, find_peer_program
from benchmarks.workload import (
    PAGE_LIMIT,
    SHAPES,
    SORT_COLUMNS,
    Filters,
    PagePosition,
    PageShape,
    sql_condition,
    topic_filters,
)

CLAIM_SQL = """SELECT c.*, s.name AS source_name, s.kind AS source_kind, s.interest AS source_interest, g.unit,
  (SELECT json_group_array(json_object('id', i.id, 'role', i.role, 'via', json(i.via), 'fidelity', i.fidelity,
     'quote', i.quote, 'quote_language', i.quote_language, 'translation', i.translation, 'locator', i.locator,
     'gap', i.gap, 'withdrawn_on', i.withdrawn_on, 'document_id', d.id, 'title', d.title, 'publisher', d.publisher,
     'publisher_name', p.name, 'url', d.url, 'archive_url', d.archive_url, 'published_on', d.published_on,
     'language', d.language))
   FROM citation i JOIN document d ON d.id = i.document AND d.until_seq IS NULL
   LEFT JOIN source p ON p.slug = d.publisher AND p.until_seq IS NULL
   WHERE i.claim = c.id AND i.until_seq IS NULL) AS citations,
  (SELECT json_object('level', a.level, 'reliability', a.reliability, 'credibility', a.credibility,
     'stated', a.stated, 'assessor', a.assessor, 'assessed_on', a.assessed_on, 'rationale', a.rationale)
   FROM assessment a WHERE a.claim = c.id AND a.until_seq IS NULL AND NOT a.withdrawn
   ORDER BY a.assessed_on DESC, a.id DESC LIMIT 1) AS confidence
FROM claim c
LEFT JOIN source s ON s.slug = c.source AND s.until_seq IS NULL
LEFT JOIN category g ON g.slug = c.category AND g.until_seq IS NULL
WHERE c.until_seq IS NULL"""


def is_installed() -> bool:
    """Whether it is installed."""
    return find_peer_program("datasette") is not None


def create_server(url: str) -> Server:
    """Datasette over the register at `url`."""
    folder = CACHE_FOLDER / "work" / "datasette"
    folder.mkdir(exist_ok=True)
    file = folder / "register.db"
    file.unlink(missing_ok=True)
    file.hardlink_to(Path(url.removeprefix("sqlite:///")))
    queries = {_query_name(shape): {"sql": _page_sql(shape)} for shape in SHAPES}
    queries["claim"] = {"sql": f"{CLAIM_SQL} AND c.id = :id"}
    metadata = folder / "metadata.json"
    metadata.write_text(json.dumps({"databases": {"register": {"queries": queries}}}))
    settings = {
        "sql_time_limit_ms": "10000",
        "default_facet_size": "1",
        "suggest_facets": "off",
        "allow_facet": "off",
        "num_sql_threads": "3",
        "default_cache_ttl": "0",
    }
    command = [str(find_peer_program("datasette")), "serve", "-i", str(file), "-m", str(metadata), "-p", "{port}"]
    for name, value in settings.items():
        command += ["--setting", name, value]
    return Server("datasette", command, {}, "/-/versions.json", refusal="SQL query took too long")


def page_path(shape: PageShape, filters: Filters, place: PagePosition) -> str:
    """The address of a page: from the place on, by keyset, as somebody would who minds the speed."""
    more = {"at": str(place.value), "last": place.id, "_shape": "array"}
    return f"/register/{_query_name(shape)}.json?{urlencode({**_expand_topic(filters), **more})}"


def claim_path(id_: str) -> str:
    """The address of one claim."""
    return f"/register/claim.json?id={id_}&_shape=array"


def _query_name(shape: PageShape) -> str:
    return "page-" + "".join(letter if letter.isalnum() else "-" for letter in shape.name)


def _page_sql(shape: PageShape) -> str:
    column = SORT_COLUMNS[shape.sort]
    at = ":at" if column == "date" else "CAST(:at AS REAL)"
    names = _expand_topic(shape.filters[0])
    where = [sql_condition(name) for name in names] + [f"(c.{column}, c.id) < ({at}, :last)", "c.status <> 'removed'"]
    return f"{CLAIM_SQL} AND {' AND '.join(where)} ORDER BY c.{column} DESC, c.id DESC LIMIT {PAGE_LIMIT}"


def _expand_topic(filters: Filters) -> dict[str, str]:
    """A topic is asked for by what it asks for."""
    if "topic" not in filters:
        return dict(filters)
    asked = topic_filters(filters["topic"])
    return {"within": asked.pop("category"), **asked}
