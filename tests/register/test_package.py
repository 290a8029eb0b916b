"""The data package of the register: complete, with checksums, and restored with all ids, numbers and times."""

import csv
import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select

from app.cli import main
from app.database.tables import ApiKey, ClaimVersion, columns_of
from app.enums import Modality
from app.imports.readers.options import FileRefused
from app.register.package import PACKAGE_TABLES, field_type, format_value
from app.register.restore import _parse_cell, is_package, restore_package
from tests.examples import make_unique_claim_body, record_example_vocabulary, submit_claim
from tests.registers import DatabaseCopies, Register, make_settings, open_database, serve


def open_package(content: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(content))


def export(register: Register) -> Any:
    answer = register.get("/v1/export")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    return answer


def restore(content: bytes, folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    """Restore a package by the command line."""
    path = folder / "register.zip"
    path.write_bytes(content)
    monkeypatch.setenv("DATABASE_URL", url)
    return CliRunner().invoke(main, ["import", str(path)])


@pytest.fixture
def written_register(starter_register: Register) -> Register:
    """A register with a correction, a retraction, a relation, an assessment, a takedown and odd texts."""
    record_example_vocabulary(starter_register)
    first = submit_claim(starter_register, make_unique_claim_body(note='\'=1+1\r\n"a",b'))
    second = submit_claim(starter_register, make_unique_claim_body(note="-x"))
    third = submit_claim(starter_register, make_unique_claim_body(note="Will be taken down."))
    for path, body in (
        (f"/v1/claims/{first['id']}/retraction", {"reason": "A slip.", "retracted_on": "2026-11-01"}),
        (f"/v1/claims/{second['id']}/assessments", {"level": "low", "rationale": "A guess.", "assessor": "Desk"}),
        (f"/v1/claims/{third['id']}/takedown", {"reason": "By order of a court."}),
    ):
        answer = starter_register.write("POST", path, body, **{"If-Match": "*"})
        assert answer.status_code in (200, 201), answer.text
    return starter_register


def test_a_restored_register_has_the_same_package_records_and_numbers(
    written_register: Register,
    make_database: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = export(written_register).content
    url = make_database("empty")
    result = restore(content, tmp_path, url, monkeypatch)
    assert result.exit_code == 0, result.output
    assert "changes" in result.output
    database = open_database(make_settings(url))
    with serve(make_settings(url), database, {}) as copy:
        assert export(copy).content == content
        for path in ("/v1/claims.ndjson", "/v1/changes.ndjson", "/v1/topics.ndjson", "/v1/register"):
            assert copy.get(path).content == written_register.get(path).content, path
        past = {"recorded_as_of": "seq:600"}
        assert copy.get("/v1/claims.csv", params=past).text == written_register.get("/v1/claims.csv", params=past).text
        found = {"q": "mediazona"}
        assert copy.get("/v1/claims", params=found).json() == written_register.get("/v1/claims", params=found).json()
        feed = "/v1/topics/russian-casualties/feed.json"
        assert copy.get(feed).json() == written_register.get(feed).json()
        with database.read() as session:
            assert session.execute(select(func.count()).select_from(ApiKey)).scalar_one() == 0
    refused = restore(content, tmp_path, url, monkeypatch)
    assert refused.exit_code == 1
    assert "The register is not empty." in refused.output
    database.close()


def test_a_package_describes_its_files_and_has_their_checksums(shared_starter_register: Register) -> None:
    answer = export(shared_starter_register)
    assert answer.headers["content-disposition"].startswith('attachment; filename="counterclaim-register-20')
    archive = open_package(answer.content)
    descriptor = orjson.loads(archive.read("datapackage.json"))
    register = shared_starter_register.get("/v1/register").json()
    assert (descriptor["id"], descriptor["counterclaim"]["seq"]) == (register["id"], register["seq"])
    assert {each["path"] for each in descriptor["resources"]} == {*archive.namelist()} - {"datapackage.json"}
    for resource in descriptor["resources"]:
        data = archive.read(resource["path"])
        assert resource["bytes"] == len(data)
        assert resource["hash"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
        header = data.decode().partition("\r\n")[0].split(",")
        assert header == [field["name"] for field in resource["schema"]["fields"]]
        rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
        for field in resource["schema"]["fields"]:
            if "constraints" in field:
                assert {row[field["name"]] for row in rows} <= {*field["constraints"]["enum"], ""}, field
    fields = {each["name"]: each["schema"]["fields"] for each in descriptor["resources"]}["claim"]
    [modality] = [field for field in fields if field["name"] == "modality"]
    assert modality["constraints"] == {"enum": [each.value for each in Modality]}
    again = shared_starter_register.get("/v1/export", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    part = shared_starter_register.get("/v1/export", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"PK\x03\x04")


def test_hashes_of_what_was_taken_down_and_keys_stay_behind(written_register: Register) -> None:
    archive = open_package(export(written_register).content)
    rows = list(csv.DictReader(io.TextIOWrapper(archive.open("data/claim.csv"), newline="")))
    removed = [row for row in rows if row["status"] == "removed"]
    assert removed
    assert {row["fingerprint"] for row in removed} == {""}
    assert {table.name for table in PACKAGE_TABLES}.isdisjoint({"api_key", "stored_answer", "erased_key"})
    text = b"".join(archive.read(name) for name in archive.namelist())
    assert b"Will be taken down." not in text
    assert b"cc_" not in text


def test_a_damaged_package_restores_nothing(
    shared_starter_register: Register, make_database: Callable[[str], str], tmp_path: Path
) -> None:
    source, path = open_package(export(shared_starter_register).content), tmp_path / "register.zip"
    database = open_database(make_settings(make_database("empty")))
    for name, old, new, message in (
        ("data/claim.csv", b"estimate", b"count", "differs from its checksum"),
        ("data/source.csv", b"slug", b"slag", "other columns"),
        ("datapackage.json", b'"format": 1', b'"format": 99', "another release"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            for each in source.namelist():
                data = source.read(each)
                archive.writestr(each, data.replace(old, new, 1) if each == name else data)
        assert is_package(path)
        with pytest.raises(FileRefused, match=message):
            restore_package(database, path)
        with database.read() as session:
            assert session.execute(select(func.count()).select_from(ClaimVersion)).scalar_one() == 0
    database.close()


@pytest.mark.parametrize("text", ["=1", "'", "'=1", "''", "-", "@x", "\tx", "a\r\nb", 'a"b', "Україна", "x'"])
def test_texts_are_inert_and_read_back(text: str) -> None:
    cell = format_value(text)
    assert cell[0] not in "=+-@\t\r"
    assert _parse_cell(columns_of(ClaimVersion).note, cell) == text


def test_types_of_fields() -> None:
    columns = columns_of(ClaimVersion)
    names = ("value", "revision", "date", "recorded_at", "approximate", "includes", "id", "status", "note", "seq")
    assert [field_type(columns[name]) for name in names] == [
        "number",
        "integer",
        "date",
        "datetime",
        "boolean",
        "any",
        "string",
        "string",
        "string",
        "integer",
    ]


def test_a_register_moves_from_either_database_to_the_other(
    written_register: Register, postgresql_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = export(written_register).content
    server = postgresql_address if written_register.database.dialect == "sqlite" else None
    url = DatabaseCopies(tmp_path, server).create_template("empty")
    assert restore(content, tmp_path, url, monkeypatch).exit_code == 0
    database = open_database(make_settings(url))
    with serve(make_settings(url), database, {}) as copy:
        assert export(copy).content == content
    database.close()
