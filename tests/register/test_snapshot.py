"""Snapshots for analysts: Parquet files whose counts are those of the API."""

import hashlib
import io
import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.errors import SnapshotFailed
from app.register.package import PACKAGE_TABLES, read_state
from app.register.snapshot import write_snapshot
from tests.examples import make_unique_claim_body, record_example_vocabulary, submit_claim
from tests.register.test_operation import take_down
from tests.registers import Register

CURRENT = "until_seq IS NULL AND status = 'asserted'"


def write(register: Register, target: str) -> list[str]:
    return list(write_snapshot(register.database, read_state(register.database, "The register", "CC0-1.0"), target))


def run(register: Register, target: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setenv("DATABASE_URL", register.settings.database_url)
    return CliRunner().invoke(main, ["snapshot", target])


@pytest.fixture
def written_register(starter_register: Register) -> Register:
    """The starter register with a retraction, a takedown and an import-free claim of each status."""
    record_example_vocabulary(starter_register)
    retracted, removed, kept = (submit_claim(starter_register, make_unique_claim_body()) for _ in range(3))
    body = {"reason": "A slip.", "retracted_on": "2026-11-01"}
    answer = starter_register.write("POST", f"/v1/claims/{retracted['id']}/retraction", body, **{"If-Match": "*"})
    assert answer.status_code == 200
    take_down(starter_register, f"/v1/claims/{removed['id']}")
    body = {"level": "low", "rationale": "A guess.", "assessor": "Desk"}
    answer = starter_register.write("POST", f"/v1/claims/{kept['id']}/assessments", body, **{"If-Match": "*"})
    assert answer.status_code == 201
    return starter_register


def count(register: Register, query: str) -> int:
    found: int = register.get(f"/v1/claims?limit=1&total=true&{query}").json()["meta"]["total"]
    return found


def test_counts_of_the_files_are_those_of_the_api(written_register: Register, tmp_path: Path) -> None:
    assert write(written_register, str(tmp_path / "snapshot")) == [
        *(f"{table.name}.parquet" for table in PACKAGE_TABLES),
        "datapackage.json",
    ]
    with duckdb.connect() as connection:
        connection.execute(f"SET file_search_path = '{tmp_path / 'snapshot'}'")

        def ask(sql: str) -> list[Any]:
            return connection.execute(sql).fetchall()

        questions = 0
        for column, parameter in (
            ("category", "category"),
            ("source", "source"),
            ("subject", "subject"),
            ("place", "place"),
            ("modality", "modality"),
            ("aggregation", "aggregation"),
            ("proposition", "proposition"),
        ):
            sql = f"SELECT {column}, count(*) FROM 'claim.parquet' WHERE {CURRENT} AND {column} IS NOT NULL GROUP BY 1"  # noqa: S608
            for value, expected in ask(sql):
                assert count(written_register, f"{parameter}={value}&status=asserted") == expected, (column, value)
                questions += 1
        assert questions >= 50
        ((changes,),) = ask("SELECT count(*) FROM 'change.parquet'")
        assert changes == written_register.get("/v1/register").json()["seq"]
        # Types, not texts: a day can be compared, and a time has its zone.
        types = {name: kind for name, kind, *_ in ask("DESCRIBE SELECT * FROM 'claim.parquet'")}
        assert types["recorded_at"] == "TIMESTAMP WITH TIME ZONE"
        assert types["value"] in ("BIGINT", "DOUBLE")
        assert ask("SELECT count(*) FROM 'claim.parquet' WHERE status = 'removed' AND fingerprint <> ''") == [(0,)]


def test_the_descriptor_describes_the_files(written_register: Register, tmp_path: Path) -> None:
    write(written_register, str(tmp_path))
    descriptor = json.loads((tmp_path / "datapackage.json").read_text())
    assert descriptor["counterclaim"]["seq"] == written_register.get("/v1/register").json()["seq"]
    assert descriptor["licenses"][0]["name"] == "CC0-1.0"
    assert len(descriptor["resources"]) == len(PACKAGE_TABLES)
    for resource in descriptor["resources"]:
        content = (tmp_path / resource["path"]).read_bytes()
        assert resource["bytes"] == len(content)
        assert resource["hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        with duckdb.connect() as connection:
            names = connection.execute(f"DESCRIBE FROM '{tmp_path / resource['path']}'").fetchall()
        assert [name for name, *_ in names] == [field["name"] for field in resource["schema"]["fields"]]


def test_the_command_writes_a_snapshot_again(
    written_register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        result = run(written_register, str(tmp_path / "new" / "folder"), monkeypatch)
        assert (result.exit_code, result.stderr) == (0, "")
        assert re.search(r"at seq \d+ is complete\.$", result.stdout.strip())
    assert (tmp_path / "new" / "folder" / "claim.parquet").exists()


@pytest.mark.parametrize("target", ["ftp://host/folder", "s3://", "{file}", "{file}/below", "s3://bucket?x=\0"])
def test_a_target_that_cannot_be_written_is_named(
    starter_register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    (tmp_path / "file").write_text("a file")
    result = run(starter_register, target.replace("{file}", str(tmp_path / "file")), monkeypatch)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1


def test_what_was_taken_down_meanwhile_is_in_no_snapshot(written_register: Register, tmp_path: Path) -> None:
    claim = submit_claim(written_register, make_unique_claim_body())
    write(written_register, str(tmp_path))
    files = write_snapshot(written_register.database, read_state(written_register.database, "x", None), str(tmp_path))
    next(files)
    take_down(written_register, f"/v1/claims/{claim['id']}")
    with pytest.raises(SnapshotFailed, match="Write the snapshot again"):
        list(files)
    assert list(tmp_path.iterdir()) == []


class S3Handler(BaseHTTPRequestHandler):
    """As much of S3 as an upload needs: objects, and uploads in parts."""

    protocol_version = "HTTP/1.1"
    objects: dict[str, bytes]
    parts: dict[str, dict[int, bytes]]

    def log_message(self, *_arguments: Any) -> None:
        """Log nothing."""

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", headers.pop("length", str(len(body))))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self.read_chunks(self.rfile)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return self.read_chunks(io.BytesIO(body)) if "aws-chunked" in self.headers.get("Content-Encoding", "") else body

    def read_chunks(self, file: Any) -> bytes:
        """Return the bytes of lines like `SIZE;chunk-signature=…`, each followed by a chunk."""
        chunks = []
        while size := int(file.readline().partition(b";")[0], 16):
            chunks.append(file.read(size))
            file.readline()
        while file.readline().strip():  # trailers
            pass
        return b"".join(chunks)

    def do_HEAD(self) -> None:
        key = self.path.partition("?")[0]
        if key in self.objects:
            self.answer(200, length=str(len(self.objects[key])))
        else:
            self.answer(200 if key.count("/") == 1 else 404)

    def do_GET(self) -> None:
        self.answer(200, b"<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated></ListBucketResult>")

    def do_PUT(self) -> None:
        key, _, query = self.path.partition("?")
        body = self.read_body()
        if (part := re.search(r"partNumber=(\d+)", query)) is not None:
            self.parts.setdefault(key, {})[int(part[1])] = body
        else:
            self.objects[key] = body
        self.answer(200, ETag='"x"')

    def do_POST(self) -> None:
        key, _, query = self.path.partition("?")
        self.read_body()
        if query.startswith("uploads"):
            self.answer(200, b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
        else:
            self.objects[key] = b"".join(body for _, body in sorted(self.parts.pop(key).items()))
            self.answer(200, b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")

    def do_DELETE(self) -> None:
        self.objects.pop(self.path.partition("?")[0], None)
        self.answer(204)


@pytest.fixture
def s3_server() -> Iterator[tuple[int, dict[str, bytes]]]:
    handler = type("Handler", (S3Handler,), {"objects": {}, "parts": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, handler.objects  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


def test_a_snapshot_on_s3_has_the_same_files(
    written_register: Register,
    s3_server: tuple[int, dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port, objects = s3_server
    write(written_register, str(tmp_path))
    for name, value in (("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y"), ("AWS_EC2_METADATA_DISABLED", "1")):
        monkeypatch.setenv(name, value)
    written = write(written_register, f"s3://bucket/register?scheme=http&endpoint_override=127.0.0.1:{port}&region=x")
    for path in written:
        assert objects[f"/bucket/register/{path}"] == (tmp_path / path).read_bytes(), path
