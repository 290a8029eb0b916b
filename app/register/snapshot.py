"""Snapshots for analysts: the tables of the register as Parquet files with `datapackage.json`, in a folder or on S3.

The tables are those of the data package (`app/register/package.py`), with types instead of texts: DuckDB, pandas and
others read them without a server. pyarrow writes them, which is an extra (`counterclaim[parquet]`).
"""

import hashlib
from collections.abc import Iterator
from enum import Enum
from typing import Any

import orjson
from sqlalchemy import JSON

from app.database.engine import Database
from app.database.takedowns import read_latest_takedown_of_primary
from app.errors import SnapshotFailed
from app.http.parquet import CONVERSIONS, ROW_GROUP_ROWS
from app.register.package import (
    DESCRIPTOR,
    PACKAGE_TABLES,
    PackageTable,
    RegisterState,
    build_descriptor,
    describe_resource,
    field_type,
    read_pages,
)

PARQUET_FORMAT = {"format": "parquet", "mediatype": "application/vnd.apache.parquet"}


def write_snapshot(database: Database, state: RegisterState, target: str) -> Iterator[str]:
    """Write a snapshot of the register in the state `state.seq`, and yield the path of each file when it is written.

    The descriptor is written last, so that a folder that has one is complete. One that is there is removed first.

    Args:
        database: The database.
        state: The latest state of the register.
        target: A folder, or `s3://BUCKET/PREFIX`, optionally with `?endpoint_override=HOST:PORT&scheme=http`.

    Raises:
        SnapshotFailed: `target` cannot be written, or something was taken down meanwhile.
    """
    from pyarrow import fs  # noqa: PLC0415 - an extra

    try:
        system, folder = _open_target(target)
        system.create_dir(folder, recursive=True)
        descriptor = f"{folder}/{DESCRIPTOR}"
        if system.get_file_info(descriptor).type is not fs.FileType.NotFound:
            system.delete_file(descriptor)
        resources = []
        for table in PACKAGE_TABLES:
            path = f"{table.name}.parquet"
            digest, size = _write_table(database, table, state.seq, system, f"{folder}/{path}")
            resources.append(describe_resource(table, path, PARQUET_FORMAT, digest, size))
            yield path
        if read_latest_takedown_of_primary(database) > state.seq:
            for table in PACKAGE_TABLES:
                system.delete_file(f"{folder}/{table.name}.parquet")
            raise SnapshotFailed("Something was taken down meanwhile. Write the snapshot again.")
        with system.open_output_stream(descriptor) as file:
            file.write(build_descriptor(state, resources))
        yield DESCRIPTOR
    except (OSError, ValueError) as error:
        raise SnapshotFailed(f"{target}: {str(error).splitlines()[0]}") from error


def _open_target(target: str) -> tuple[Any, str]:
    """Return the file system of an address or a folder, and the path in it."""
    from pyarrow import fs  # noqa: PLC0415 - an extra

    if "://" in target:
        system, folder = fs.FileSystem.from_uri(target)
        return system, folder.rstrip("/")
    return fs.LocalFileSystem(), target.rstrip("/") or "/"


def _write_table(database: Database, table: PackageTable, seq: int, system: Any, path: str) -> tuple[str, int]:  # noqa: ANN401 - pyarrow has no types
    """Write the file of a table; return its SHA-256 digest and its size in bytes."""
    import pyarrow as pa  # noqa: PLC0415 - an extra
    import pyarrow.parquet as pq  # noqa: PLC0415

    types = [field_type(column) for column in table.columns]
    fields = [pa.field(column.name, _arrow_type(type_)) for column, type_ in zip(table.columns, types, strict=True)]
    schema = pa.schema(fields)
    is_json = [isinstance(column.type, JSON) for column in table.columns]
    with system.open_output_stream(path) as stream:
        sink = _HashedStream(stream)
        with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
            batches: list[Any] = []
            count = 0
            for rows in read_pages(database, table, seq):
                values = zip(*rows, strict=True)
                arrays = [
                    pa.array([_convert(value, type_, json) for value in column], type=field.type)
                    for column, type_, json, field in zip(values, types, is_json, schema, strict=True)
                ]
                batches.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
                count += len(rows)
                if count >= ROW_GROUP_ROWS:
                    writer.write_table(pa.Table.from_batches(batches, schema), row_group_size=count)
                    batches, count = [], 0
            if count:
                writer.write_table(pa.Table.from_batches(batches, schema), row_group_size=count)
    return sink.digest.hexdigest(), sink.size


def _convert(value: Any, type_: str, is_json: bool) -> Any:  # noqa: ANN401, FBT001 - a value of any column
    if value is None:
        return None
    if is_json:
        return orjson.dumps(value).decode()
    return CONVERSIONS[type_](value.value if isinstance(value, Enum) else value)


def _arrow_type(type_: str) -> Any:  # noqa: ANN401 - pyarrow has no types
    import pyarrow as pa  # noqa: PLC0415 - an extra

    types = {
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "datetime": pa.timestamp("us", tz="UTC"),
    }
    return types.get(type_, pa.string())


class _HashedStream:
    """A stream that pyarrow writes, with the digest and the number of the bytes."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 - pyarrow has no types
        self._stream = stream
        self.digest = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: Any) -> int:  # noqa: ANN401 - a buffer
        """Write bytes."""
        self._stream.write(data)
        self.digest.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: the stream is flushed when it is closed."""

    def close(self) -> None:
        """Mark the stream as closed. Its owner closes it."""
        self.closed = True
