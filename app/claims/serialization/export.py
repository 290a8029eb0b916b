"""Renders claims as lines of a file, many at once."""

from collections.abc import Sequence

from app.claims.serialization.projection import build_select, render_claims, shows_successor
from app.claims.supersession import load_successors
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.http.serializers import CSV, NDJSON, RowLayout

COPY_CSV_OPTIONS = "FORMAT csv"
COPY_RAW_OPTIONS = r"FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02'"
"""COPY options for one line of JSON per row. JSON escapes control characters, so nothing has to be quoted."""

SINGLE_COLUMN_LINES = {b"\n": b'""\n', b'"\\."\n': b"\\.\n"}
"""Lines that COPY renders differently in a file of one column: the empty cell, and the end-of-data marker."""


def render_lines(
    reading: ReadSession, versions: Sequence[int], ids: Sequence[str], snapshot: Snapshot, layout: RowLayout
) -> bytes:
    """Return claims as lines in `layout`, in the order of `versions`. None of them may be a tombstone."""
    if reading.dialect == "postgresql":
        return _copy_lines(reading, versions, ids, snapshot, layout)
    row_end = (CSV if layout.is_csv else NDJSON).row_end
    return "".join([claim.text + row_end for claim in render_claims(reading, versions, snapshot, layout)]).encode()


def _copy_lines(
    reading: ReadSession, versions: Sequence[int], ids: Sequence[str], snapshot: Snapshot, layout: RowLayout
) -> bytes:
    successors = load_successors(reading.session, ids, snapshot) if shows_successor(layout) else {}
    statement = build_select("copying", snapshot, layout, successors=successors)
    statement = statement.replace(":versions", f"{{{','.join(map(str, versions))}}}")
    statement = statement.replace(":ids", f"{{{','.join(ids)}}}")
    if not layout.is_csv:
        return b"".join(reading.copy_out(f"COPY ({statement}) TO STDOUT ({COPY_RAW_OPTIONS})"))
    lines = reading.copy_out(f"COPY ({statement}) TO STDOUT ({COPY_CSV_OPTIONS})")
    if len(layout.columns) == 1:
        lines = [SINGLE_COLUMN_LINES.get(line, line) for line in lines]
    row_end = CSV.row_end.encode()
    return b"".join([line[:-1] + row_end for line in lines])
