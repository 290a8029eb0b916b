"""Parquet files: typed columns, encoded by dictionaries, in row groups of bounded size.

They are written by pyarrow, which is an extra (`counterclaim[parquet]`) and imported with the first file: it has
170 MB and takes a second to import.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from importlib.util import find_spec
from typing import Any

from app.http.serializers import FileContext, FileWriter, FlatColumn, RowForm, json_text

ROW_GROUP_ROWS = 20_000
"""The number of rows that are held in memory and written together, as columns."""

INSTALL_HINT = "pip install 'counterclaim[parquet]', or ask for .csv or .ndjson"


def is_available() -> bool:
    """Return whether pyarrow is installed."""
    return find_spec("pyarrow") is not None


def _as_date(value: Any) -> date:  # noqa: ANN401 - a date or its text
    return value if isinstance(value, date) else date.fromisoformat(value)


def _as_moment(value: Any) -> datetime:  # noqa: ANN401 - a time or its text
    return (value if isinstance(value, datetime) else datetime.fromisoformat(value)).astimezone(UTC)


def _as_text(value: Any) -> str:  # noqa: ANN401 - text, or a nested value
    text = json_text(value) if isinstance(value, dict) else str(value)
    # Parquet stores UTF-8, which has no surrogates.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _as_texts(values: Any) -> list[str]:  # noqa: ANN401 - a list
    return [_as_text(value) for value in values]


CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "string": _as_text,
    "integer": int,
    "number": float,
    "boolean": bool,
    "date": _as_date,
    "datetime": _as_moment,
    "object": _as_text,
    "any": _as_text,
}
"""How values become those of an Arrow column, by the type of the column."""


class ParquetEncoder:
    """Encoder of a Parquet file. The description of each column stands in the metadata of its field."""

    def __init__(self, context: FileContext) -> None:
        import pyarrow as pa  # noqa: PLC0415 - see above
        import pyarrow.parquet as pq  # noqa: PLC0415

        self._arrow = pa
        self._conversions = [_as_texts if column.is_list else CONVERSIONS[column.type] for column in context.columns]
        self._schema = pa.schema(
            [
                pa.field(column.name, self._type_of(column), metadata={"description": column.description})
                for column in context.columns
            ],
            metadata={"register": context.title, "terms": context.terms or "", "address": context.address},
        )
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd", use_dictionary=True)
        self._batches: list[Any] = []
        self._row_count = 0

    def start(self) -> bytes:
        """Return the first bytes of the file."""
        return self._sink.take()

    def encode(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """Hold rows back until they fill a row group, and return the bytes of complete row groups."""
        pa = self._arrow
        columns = zip(*rows, strict=True) if rows else ([] for _ in self._conversions)
        arrays = [
            pa.array([None if value is None else convert(value) for value in values], type=field.type)
            for values, convert, field in zip(columns, self._conversions, self._schema, strict=True)
        ]
        self._batches.append(pa.RecordBatch.from_arrays(arrays, schema=self._schema))
        self._row_count += len(rows)
        return self._write_row_group() if self._row_count >= ROW_GROUP_ROWS else b""

    def finish(self) -> bytes:
        """Return the last row group, and the end of the file."""
        last = self._write_row_group() if self._row_count else b""
        self._writer.close()
        return last + self._sink.take()

    def _write_row_group(self) -> bytes:
        table = self._arrow.Table.from_batches(self._batches, self._schema)
        self._writer.write_table(table, row_group_size=len(table))
        self._batches, self._row_count = [], 0
        return self._sink.take()

    def _type_of(self, column: FlatColumn) -> Any:  # noqa: ANN401 - pyarrow has no types
        pa = self._arrow
        if column.is_list:
            return pa.list_(pa.string())
        types = {
            "integer": pa.int64(),
            "number": pa.float64(),
            "boolean": pa.bool_(),
            "date": pa.date32(),
            "datetime": pa.timestamp("us", tz="UTC"),
        }
        return types.get(column.type, pa.string())


class _Sink:
    """A file that pyarrow writes, of which the new bytes are taken each time."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> int:  # noqa: ANN401 - a buffer
        """Keep the bytes."""
        self._chunks.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: nothing is buffered elsewhere."""

    def close(self) -> None:
        """Mark the file as closed."""
        self.closed = True

    def take(self) -> bytes:
        """Return the bytes since the last call."""
        taken, self._chunks = b"".join(self._chunks), []
        return taken


PARQUET = FileWriter(media_type="application/vnd.apache.parquet", row_form=RowForm.cells, new_encoder=ParquetEncoder)
