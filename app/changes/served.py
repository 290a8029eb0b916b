"""Changes with their records as a GET serves them, in the state right after each change."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from orjson import loads
from sqlalchemy import select

from app.claims.annotations import read_assessment, read_relation
from app.claims.serialization.projection import render_claims
from app.claims.serialization.rows import load_citations
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.database.tables import ClaimVersion, columns_of
from app.enums import Status
from app.errors import NotFound, Removed
from app.sources.documents import read_document
from app.sources.queries import SOURCE
from app.topics.queries import read_topic
from app.vocabulary.records import CATEGORY, PLACE, SUBJECT
from app.vocabulary.slug_records import find_record

RECORD_TYPES: Final = {each.name: each for each in (SOURCE, CATEGORY, SUBJECT, PLACE)}


def serve_records(read: ReadSession, rows: Sequence[dict[str, Any]], latest_seq: int) -> list[dict[str, Any]]:
    """Return changes with `data` as a GET serves the record with `recorded_as_of` of the change.

    A citation is that in its claim; an import has no address of its own and stays as it is. What was taken down is
    None.
    """
    claims = _find_claim_versions(read, [row["seq"] for row in rows if row["kind"] == "claim"])
    return [row | {"data": _serve(read, row, claims, latest_seq)} for row in rows]


def _find_claim_versions(read: ReadSession, seqs: Sequence[int]) -> dict[int, int]:
    """Return the versions of the claims that changed at some `seq`, without those that were taken down."""
    claim = columns_of(ClaimVersion)
    statement = select(claim.seq, claim.version).where(claim.seq.in_(seqs), claim.status != Status.removed)
    return {row.seq: row.version for row in read.session.execute(statement)}


def _serve(read: ReadSession, row: dict[str, Any], claims: dict[int, int], latest_seq: int) -> Any:  # noqa: ANN401 - any record
    kind, key, seq, at = row["kind"], row["id"], row["seq"], row["at"]
    if kind == "claim":
        return _serve_claim(read, claims.get(seq), _snapshot_at(seq, at, latest_seq))
    if row["data"] is None or kind == "import":
        return row["data"]
    session, snapshot = read.session, _snapshot_at(seq, at, latest_seq)
    try:
        if kind in RECORD_TYPES:
            return find_record(session, RECORD_TYPES[kind], key, snapshot)
        if kind == "citation":
            citations = load_citations(session, [row["claim"]], snapshot)[row["claim"]]
            return next((citation for citation in citations if citation["id"] == key), None)
        readers: dict[str, Any] = {
            "topic": read_topic,
            "document": read_document,
            "assessment": read_assessment,
            "relation": read_relation,
        }
        return readers[kind](session, key, snapshot)
    except (NotFound, Removed):
        return None


def _serve_claim(read: ReadSession, version: int | None, snapshot: Snapshot) -> Any:  # noqa: ANN401 - a JSON object
    return None if version is None else loads(render_claims(read, [version], snapshot)[0].text)


def _snapshot_at(seq: int, at: datetime, latest_seq: int) -> Snapshot:
    return Snapshot(seq, at, as_of=seq, latest_seq=latest_seq)
