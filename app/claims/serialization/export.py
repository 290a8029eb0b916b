"""Claims as the lines of a file, many at once."""

from collections.abc import Sequence

from app.claims.serialization.projection import selecting, write_claims
from app.database.read_session import Reading
from app.database.snapshot import View
from app.http.serializers import CSV, NDJSON, Layout

AS_CSV = "FORMAT csv"
AS_IT_IS = r"FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02'"
"""How PostgreSQL sends JSON a line each: nothing in it has to be quoted, for JSON has no control characters."""

ALONE = {b"\n": b'""\n', b'"\\."\n': b"\\.\n"}
"""Cells that are written otherwise where they are alone on their line: an empty one, and the end of a COPY."""


def write_lines(reading: Reading, versions: Sequence[int], ids: Sequence[str], view: View, layout: Layout) -> bytes:
    """The claims of these versions and ids, none of which was taken down, as lines in `layout`, in the same order."""
    if reading.dialect == "postgresql":
        return _copied(reading, versions, ids, view, layout)
    end = (CSV if layout.csv else NDJSON).end
    return "".join([each.text + end for each in write_claims(reading, versions, view, layout)]).encode()


def _copied(reading: Reading, versions: Sequence[int], ids: Sequence[str], view: View, layout: Layout) -> bytes:
    statement = selecting("copying", view, layout)
    statement = statement.replace(":versions", f"{{{','.join(map(str, versions))}}}")
    statement = statement.replace(":ids", f"{{{','.join(ids)}}}")
    if not layout.csv:
        return b"".join(reading.copied(f"COPY ({statement}) TO STDOUT ({AS_IT_IS})"))
    lines = reading.copied(f"COPY ({statement}) TO STDOUT ({AS_CSV})")
    if len(layout.columns) == 1:
        lines = [ALONE.get(line, line) for line in lines]
    ends = CSV.end.encode()
    return b"".join([line[:-1] + ends for line in lines])
