"""Claims as the lines of a file, many at once."""

from collections.abc import Sequence

from app.claims.serialization.projection import selecting, write_claims
from app.database.read_session import ReadSession
from app.database.snapshot import Snapshot
from app.http.serializers import CSV, NDJSON, RowLayout

AS_CSV = "FORMAT csv"
AS_IT_IS = r"FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02'"
"""How PostgreSQL sends JSON a line each: nothing in it has to be quoted, for JSON has no control characters."""

ALONE = {b"\n": b'""\n', b'"\\."\n': b"\\.\n"}
"""Cells that are written otherwise where they are alone on their line: an empty one, and the end of a COPY."""


def write_lines(
    reading: ReadSession, versions: Sequence[int], ids: Sequence[str], view: Snapshot, layout: RowLayout
) -> bytes:
    """The claims of these versions and ids, none of which was taken down, as lines in `layout`, in the same order."""
    if reading.dialect == "postgresql":
        return _copied(reading, versions, ids, view, layout)
    end = (CSV if layout.is_csv else NDJSON).row_end
    return "".join([each.text + end for each in write_claims(reading, versions, view, layout)]).encode()


def _copied(
    reading: ReadSession, versions: Sequence[int], ids: Sequence[str], view: Snapshot, layout: RowLayout
) -> bytes:
    statement = selecting("copying", view, layout)
    statement = statement.replace(":versions", f"{{{','.join(map(str, versions))}}}")
    statement = statement.replace(":ids", f"{{{','.join(ids)}}}")
    if not layout.is_csv:
        return b"".join(reading.copy_out(f"COPY ({statement}) TO STDOUT ({AS_IT_IS})"))
    lines = reading.copy_out(f"COPY ({statement}) TO STDOUT ({AS_CSV})")
    if len(layout.columns) == 1:
        lines = [ALONE.get(line, line) for line in lines]
    ends = CSV.row_end.encode()
    return b"".join([line[:-1] + ends for line in lines])
