"""Stores uploaded files in a temporary folder, so that memory use does not depend on their size."""

import errno
import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from app.errors import StorageFull, Unavailable, UnsupportedMediaType, invalid_field
from app.http.schema_types import REFUSED_CHARACTERS
from app.http.spreadsheet import XLSX_MEDIA_TYPE

FILE_NAME_OF_MEDIA_TYPE = {
    "text/csv": "upload.csv",
    "text/tab-separated-values": "upload.tsv",
    "application/x-ndjson": "upload.ndjson",
    "application/jsonl": "upload.ndjson",
    "application/json": "upload.json",
    "application/yaml": "upload.yaml",
    XLSX_MEDIA_TYPE: "upload.xlsx",
    "application/zip": "upload.zip",
    "application/gzip": "upload.gz",
}
"""Media type of a body that is the file itself → the default name of the file."""

MULTIPART_MEDIA_TYPE = "multipart/form-data"
MAX_FILES = 100
MAX_NAME_CHARACTERS = 200
MAX_MAPPING_BYTES = 200_000

STORAGE_ERRORS = {errno.EACCES, errno.EDQUOT, errno.EIO, errno.ENOENT, errno.ENOSPC, errno.EROFS}
FULL_DISK_ERRORS = {errno.EDQUOT, errno.ENOSPC}
SQLITE_STORAGE_ERRORS = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
"""Primary result codes (https://sqlite.org/rescode.html)."""


@contextmanager
def temporary_storage() -> Iterator[None]:
    """Raise `Unavailable` if a temporary file cannot be created, or its disk is full."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        if isinstance(error, OSError):
            is_storage_error, reason = error.errno in STORAGE_ERRORS, error.strerror
            is_full = error.errno in FULL_DISK_ERRORS
        else:
            code = error.sqlite_errorcode & 0xFF
            is_storage_error, reason = code in SQLITE_STORAGE_ERRORS, str(error)
            is_full = code == sqlite3.SQLITE_FULL
        if not is_storage_error:
            raise
        raise (StorageFull if is_full else Unavailable)(
            f"The import cannot write its temporary files: {reason}.",
            hint="set TMPDIR to a writable directory with enough free space, then try again",
            headers={"Retry-After": "60"},
        ) from error


class Upload:
    """The files of a request with their names, and its mapping if it has one. `close` deletes the files."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="counterclaim-import-")
        self.paths: list[Path] = []
        self.names: list[str] = []
        self.mapping: str | None = None
        self._digest = hashlib.sha256()

    def close(self) -> None:
        """Delete the files."""
        self._folder.cleanup()

    @property
    def digest(self) -> str:
        """The hash of a request, which is compared with that of an earlier request with the same Idempotency-Key."""
        return self._digest.hexdigest()

    def add_to_digest(self, text: str) -> None:
        """Add `text` to the digest."""
        self._digest.update(text.encode() + b"\0")

    @contextmanager
    def add_file(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """Add a file. The context manager returns a function that appends to it."""
        if REFUSED_CHARACTERS.search(name) or len(name) > MAX_NAME_CHARACTERS:
            raise invalid_field(
                "name", f"The name of a file has at most {MAX_NAME_CHARACTERS} characters, and no control characters."
            )
        path = Path(self._folder.name) / f"{len(self.paths)}"
        self.paths.append(path)
        self.names.append(Path(name).name or "upload")
        self.add_to_digest(name)
        with path.open("wb") as file:

            def write_part(part: bytes) -> None:
                self._digest.update(part)
                file.write(part)

            yield write_part


async def _receive_upload(request: Request) -> Upload:
    with temporary_storage():
        upload = Upload()
        try:
            await _read_body(request, upload)
        except BaseException:
            upload.close()
            raise
        return upload


async def _read_body(request: Request, upload: Upload) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    upload.add_to_digest(request.url.query)
    if media_type == MULTIPART_MEDIA_TYPE:
        await _read_form(request, upload)
    elif media_type in FILE_NAME_OF_MEDIA_TYPE:
        with upload.add_file(request.query_params.get("name") or FILE_NAME_OF_MEDIA_TYPE[media_type]) as write_part:
            async for part in request.stream():
                write_part(part)
    else:
        supported = ", ".join([*FILE_NAME_OF_MEDIA_TYPE, MULTIPART_MEDIA_TYPE])
        raise UnsupportedMediaType(
            f"The media type `{media_type or 'missing'}` is not supported; expected one of {supported}."
        )


async def _read_form(request: Request, upload: Upload) -> None:
    try:
        async with request.form(max_files=MAX_FILES, max_fields=10, max_part_size=MAX_MAPPING_BYTES) as form:
            await _read_parts(form, upload)
    except HTTPException as error:
        if error.status_code != HTTPStatus.BAD_REQUEST:
            raise
        raise invalid_field("", f"The form cannot be read: {error.detail}") from None


async def _read_parts(form: FormData, upload: Upload) -> None:
    for name, value in form.multi_items():
        if name == "mapping":
            content = await value.read(MAX_MAPPING_BYTES + 1) if isinstance(value, UploadFile) else value.encode()
            if len(content) > MAX_MAPPING_BYTES:
                raise invalid_field("mapping", f"A mapping has at most {MAX_MAPPING_BYTES:,} bytes.")
            upload.mapping = _decode_mapping(content)
            upload.add_to_digest(upload.mapping)
        elif name == "file" and isinstance(value, UploadFile):
            with upload.add_file(value.filename or "upload") as write_part:
                while part := await value.read(1 << 20):
                    write_part(part)
        else:
            raise invalid_field(
                name, "Expected the parts `file` (one or more) and `mapping`.", hint="curl -F file=@data.csv"
            )
    if not upload.paths:
        raise invalid_field("file", "The form has no file.", hint="curl -F file=@data.csv -F mapping=@mapping.toml")


def _decode_mapping(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise invalid_field("mapping", "A mapping is TOML in UTF-8.") from None


UploadedFiles = Annotated[Upload, Depends(_receive_upload)]
"""The files of a request. In a route's signature it follows the actor, so that only authorized uploads are stored."""
