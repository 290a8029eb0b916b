"""Claims as the lines of a file, many at once."""

from collections.abc import Sequence

from app.claims.serialization.projection import build_select, render_claims
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.http.serializers import CSV, NDJSON, RowLayout

COPY_CSV_OPTIONS = "FORMAT csv"
COPY_RAW_OPTIONS = r"FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02'"
"""How PostgreSQL sends JSON a line each: nothing in it has to be quoted, for JSON has no control characters."""

SINGLE_COLUMN_LINES = {b"\n": b'""\n', b'"\\."\n': b"\\.\n"}
"""Cells that are written otherwise where they are alone on their line: an empty one, and the end of a COPY."""


def render_lines(
    reading: ReadSession, versions: Sequence[int], ids: Sequence[str], view: Snapshot, layout: RowLayout
) -> bytes:
    """The claims of these versions and ids, none of which was taken down, as lines in `layout`, in the same order."""
    if reading.dialect == "postgresql":
        return _copy_lines(reading, versions, ids, view, layout)
    end = (CSV if layout.is_csv else NDJSON).row_end
    return "".join([each.text + end for each in render_claims(reading, versions, view, layout)]).encode()


def _copy_lines(
    reading: ReadSession, versions: Sequence[int], ids: Sequence[str], view: Snapshot, layout: RowLayout
) -> bytes:
    statement = build_select("copying", view, layout)
    statement = statement.replace(":versions", f"{{{','.join(map(str, versions))}}}")
    statement = statement.replace(":ids", f"{{{','.join(ids)}}}")
    if not layout.is_csv:
        return b"".join(reading.copy_out(f"COPY ({statement}) TO STDOUT ({COPY_RAW_OPTIONS})"))
    lines = reading.copy_out(f"COPY ({statement}) TO STDOUT ({COPY_CSV_OPTIONS})")
    if len(layout.columns) == 1:
        lines = [SINGLE_COLUMN_LINES.get(line, line) for line in lines]
    ends = CSV.row_end.encode()
    return b"".join([line[:-1] + ends for line in lines])
