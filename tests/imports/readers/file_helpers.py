"""Helpers that create and read files in the tests of readers."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openpyxl

from app.imports.readers.options import FileOptions, FileRefused, FileRow, ReadLimits
from app.imports.readers.reader import FileReader


def write_file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read_rows(path: Path, *, limits: ReadLimits | None = None, **options: Any) -> list[FileRow]:
    return list(FileReader([path], FileOptions(**options), limits=limits or ReadLimits()))


def read_data(path: Path, **options: Any) -> list[dict[str, Any]]:
    return [row.data for row in read_rows(path, **options)]


def read_refusal(path: Path, *, limits: ReadLimits | None = None, **options: Any) -> FileRefused:
    """Return the `FileRefused` for `path`. Raises `AssertionError` if the file is read."""
    try:
        rows = read_rows(path, limits=limits, **options)
    except FileRefused as refused:
        return refused
    raise AssertionError(f"{len(rows)} rows were read: {rows[:3]}")


def make_zip(members: Mapping[str, str | bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return written.getvalue()


def make_workbook(rows: list[list[Any]], *, title: str = "Losses") -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def replace_part(book: bytes, name: str, content: str | bytes) -> bytes:
    """Return `book` with one part added or replaced."""
    parts: dict[str, str | bytes] = {}
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        parts = {entry: archive.read(entry) for entry in archive.namelist()}
    return make_zip(parts | {name: content})
