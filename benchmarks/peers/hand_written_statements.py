"""The statements of the hand-written peer: one for each read, whose rows are JSON."""

import os

URL, BASE = os.environ["DATABASE_URL"], os.environ["PEER_BASE_URL"]
LITE = URL.startswith("sqlite")
OBJECT, ARRAY = ("json_object", "json_group_array") if LITE else ("json_build_object", "json_agg")


def obj(table: str, names: str, **more: str) -> str:
    members = {name: f"{table}.{name}" for name in names.split()} | more
    return f"{OBJECT}({', '.join(f'^{name}^, {value}' for name, value in members.items())})".replace("^", "'")


def each(names: str, lite: str) -> dict[str, str]:
    return {name: lite.replace("@", f"claim.{name}") if LITE else f"claim.{name}" for name in names.split()}


FACTS = each("value lower upper", "iif(@ = CAST(@ AS INT), CAST(@ AS INT), @)") | {
    "unit": "coalesce(claim.unit, category.unit)"
}
FLAGS = each(
    "approximate lower_inclusive upper_inclusive", "CASE @ WHEN 1 THEN json('true') WHEN 0 THEN json('false') END"
)
SELF, LATER = f"'{BASE}/v1/claims/' || claim.id", {"superseded_by": "successor.id", "superseded_on": "successor.date"}
URLS = {name: f"{SELF} || '/{name}'" for name in ("revisions", "citation", "relations", "assessments")}
DOCUMENT = obj(
    "document",
    "id title publisher url archive_url published_on language terms content_sha256",
    publisher_name="publisher.name",
)
CITED = obj(
    "citation", "id role fidelity quote quote_language translation locator gap withdrawn_on", document=DOCUMENT,
    via="json(citation.via)" if LITE else "citation.via", leading="json('true')" if LITE else "true",
)  # fmt: skip
DOCUMENTS = """FROM citation LEFT JOIN document ON document.id = citation.document AND document.until_seq IS NULL
    LEFT JOIN source AS publisher ON publisher.slug = document.publisher AND publisher.until_seq IS NULL
    WHERE citation.claim = claim.id AND citation.until_seq IS NULL"""
RATED = obj("assessment", "level reliability credibility stated assessor assessed_on rationale")
BOTH = "id status category subject place modality date date_edtf "
CLAIM = obj(
    "claim", BOTH + "revision proposition derivation said_at note retracted_on import_id seq", **LATER,
    figure=obj("claim", "as_printed language kind coverage out_of relative_to display wording_differs", **FLAGS, **FACTS,
               relative_to_kind="NULL"), citations=f"(SELECT coalesce({ARRAY}({CITED}), '[]') {DOCUMENTS})",
    period=obj("claim", "aggregation per", edtf="claim.period", start="claim.period_start", end="claim.period_end"),
    source=obj("source", "slug name short_name kind interest terms"), **each("includes excludes", "json(@)"),
    confidence=f"CASE WHEN assessment.id IS NOT NULL THEN {RATED} END", **each("recorded_at", "replace(@, ' ', 'T') || 'Z'"),
    links=obj("", "", self=SELF, page=f"'{BASE}/claims/' || claim.id", **URLS), recorded_until="NULL",
)  # fmt: skip
JOINS = """LEFT JOIN source ON source.slug = claim.source AND source.until_seq IS NULL
    LEFT JOIN category ON category.slug = claim.category AND category.until_seq IS NULL LEFT JOIN assessment ON
    assessment.version = (SELECT a.version FROM assessment AS a WHERE a.claim = claim.id AND NOT a.withdrawn
        AND a.until_seq IS NULL ORDER BY a.assessed_on DESC, a.id DESC LIMIT 1) LEFT JOIN relation ON relation.to_claim
    = claim.id AND relation.type = 'supersedes' AND relation.until_seq IS NULL AND NOT relation.withdrawn
    LEFT JOIN claim AS successor ON successor.until_seq IS NULL AND successor.id = CASE WHEN relation.claim IS NOT NULL THEN
        (WITH RECURSIVE later(id, steps) AS (SELECT relation.claim, 0 UNION ALL SELECT next.claim, steps + 1 FROM later
        JOIN relation AS next ON next.to_claim = later.id AND next.type = 'supersedes' AND next.until_seq IS NULL AND NOT
        next.withdrawn) SELECT later.id FROM later ORDER BY steps DESC LIMIT 1) END"""
CURRENT = "claim.until_seq IS NULL AND claim.status <> 'removed'"
TEXT = "" if LITE else "::text"
ROW = obj(
    "claim", BOTH + "kind as_printed period_start period_end source aggregation", **FACTS, **LATER, url=SELF,
    source_name="source.name", source_interest="source.interest", confidence="assessment.level",
    approximate=FLAGS["approximate"], document_url=f"(SELECT document.url {DOCUMENTS} LIMIT 1)",
)  # fmt: skip
TOPIC = f"""FROM topic JOIN claim ON claim.category IN (SELECT slug FROM category WHERE until_seq IS NULL AND topic.category
    IN (slug, parent)) AND claim.subject = topic.subject AND claim.place = topic.place AND (topic.aggregation IS NULL
    OR (topic.aggregation IN ('cumulative', 'within')) = (claim.aggregation IN ('cumulative', 'within'))) WHERE topic.slug = ? AND topic.until_seq IS NULL AND {CURRENT} AND claim.date <= ?"""
READ = f"SELECT {CLAIM}{TEXT} FROM claim {JOINS} WHERE claim.id = ? AND {CURRENT}"
LIST = f"SELECT {CLAIM}{TEXT}, claim.date, claim.id, (SELECT seq FROM clock) FROM claim {JOINS} WHERE {CURRENT}"
ORDER = "ORDER BY claim.source, claim.date, claim.id"
TIMELINE = f"""SELECT {ROW}{TEXT}, claim.source || ' ' || claim.date, claim.id, (SELECT seq FROM clock) FROM (SELECT
    claim.version {TOPIC} AND claim.seq > 0 AND (claim.source, claim.date, claim.id) > (?, ?, ?) {ORDER} LIMIT ?) AS page
    JOIN claim ON claim.version = page.version {JOINS} {ORDER}"""
SIDES = f"""SELECT {CLAIM}{TEXT} FROM (SELECT claim.version, row_number() OVER (PARTITION BY claim.category,
    claim.standpoint ORDER BY claim.recency DESC, claim.id) AS rank {TOPIC} AND claim.status <>
    'retracted' AND claim.kind NOT IN ('none', 'vague')) AS latest
    JOIN claim ON claim.version = latest.version {JOINS} WHERE latest.rank = 1"""
