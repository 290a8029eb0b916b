"""The service works under the constraints of docker-compose.yml."""

import csv
import gzip
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from os import chown
from pathlib import Path
from shutil import copyfile
from typing import Any

import httpx2
import openpyxl
import pytest

from app.database.engine import Database
from app.enums import Role
from tests.contract.container import COMPOSE, START_SECONDS, Container, dockerfile, reason_to_skip
from tests.contract.examples import iterate_operations, order_of, send_example
from tests.contract.wheels import built_wheel
from tests.examples import assert_problem
from tests.imports.import_helpers import DAILY_MAPPING, format_csv, native_row, post_file, post_form
from tests.registers import DatabaseCopies, Register, create_keys, make_settings

pytestmark = pytest.mark.skipif(reason_to_skip() is not None, reason=str(reason_to_skip()))

STARTER_SLUGS = {
    "army": "russian-forces",
    "war": "russia-ukraine-war",
    "ministry": "ua-general-staff",
    "paper": "ua-mod",
}
"""Slugs in the import test files → slugs of the starter vocabulary."""

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
LONG_TEXT = "Counted by the ministry. " * 199
MANY = 120
"""Number of rows with two long texts that exceed the memory buffer of a form and a disk of one megabyte."""
VERY_MANY = 1_050
"""Number of rows with two long texts that exceed the memory of an import."""


@pytest.fixture(scope="module")
def installed() -> Path:
    """A folder with the wheel, in place of the image."""
    return built_wheel().installed


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def api(request: pytest.FixtureRequest, installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """The service `api` before its first start, with PostgreSQL, or with SQLite in its volume."""
    folder = tmp_path_factory.mktemp("container")
    if request.param == "sqlite":
        return Container("api", installed, folder, None)
    url = DatabaseCopies(folder, request.getfixturevalue("postgresql_address"))._create_database(None)
    migrate = Container("migrate", installed, folder, url)
    assert migrate.run(*COMPOSE["services"]["migrate"]["command"]) == "The schema is up to date.\n"
    return Container("api", installed, folder, url)


@pytest.fixture(scope="module")
def register(api: Container) -> Iterator[Register]:
    """The register that the service creates at its first start."""
    with api.serving(), client_of(api) as register:
        yield register


def http(api: Container) -> httpx2.Client:
    return httpx2.Client(base_url=f"http://127.0.0.1:{api.port}", timeout=START_SECONDS)


@contextmanager
def client_of(api: Container) -> Iterator[Register]:
    """A client of the running service, with a key created by the command in its log."""
    [line] = [line for line in api.log.read_text().splitlines() if "docker compose exec api" in line]
    *command, _role = line.partition("docker compose exec api ")[2].replace("NAME", "desk").split()
    key = api.run(*command, Role.admin.value).strip()
    keys = {role.value: {"Authorization": f"Bearer {key}"} for role in Role}
    keys["mirror"] = {"Authorization": f"Bearer {api.run(*command, Role.mirror.value).strip()}"}
    settings = make_settings(api.outside_url)
    with http(api) as client:
        yield Register(settings, Database(settings), client, keys)  # type: ignore[arg-type] # asked like a TestClient


def starter_row(number: int, **more: str) -> dict[str, str]:
    """Return a row of a claims file with the vocabulary of the starter claims."""
    return {name: STARTER_SLUGS.get(value, value) for name, value in native_row(number, **more).items()}


def rows(first: int, count: int, text: str = "") -> bytes:
    return format_csv(*(starter_row(number, note=text, quote=text) for number in range(first, first + count))).encode()


def assert_imported(answer: Any, count: int) -> None:
    assert answer.status_code == 201, answer.text
    assert answer.json()["counts"]["new"] == count


def test_the_first_start_shows_the_starter_claims(api: Container, register: Register) -> None:
    assert len(register.get("/v1/claims.csv").text.splitlines()) == 175
    assert "174 starter claims loaded." in api.log.read_text()
    assert "WARNING" not in api.log.read_text()


def test_it_is_ready_and_the_check_of_the_image_says_so(api: Container, register: Register) -> None:
    assert register.get("/health/ready").status_code == 200
    assert "/health/ready" in dockerfile("HEALTHCHECK")
    api.check()


def test_every_writing_operation_works(register: Register) -> None:
    document = register.get("/openapi.json").json()
    writing = [each for each in iterate_operations(document) if each[0] != "get"]
    assert len(writing) >= 17
    # A revoked key is that of the test.
    writing = [each for each in writing if not each[1].endswith("/revocation")]
    for method, path, operation in sorted(writing, key=lambda each: order_of(each[2])):
        answer = send_example(register, method, path, operation)
        assert answer.status_code in (200, 201), f"{method} {path}: {answer.text}"


def test_files_of_every_kind_are_imported(register: Register) -> None:
    assert_imported(post_file(register, rows(2_000_000, 2)), 2)
    assert_imported(post_file(register, gzip.compress(rows(2_000_010, 2)), "application/gzip"), 2)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("claims.csv", rows(2_000_020, 2))
    assert_imported(post_file(register, packed.getvalue(), "application/zip"), 2)
    book, sheet = openpyxl.Workbook(), io.BytesIO()
    for line in csv.reader(io.StringIO(rows(2_000_030, 2).decode())):
        book.active.append(line)
    book.save(sheet)
    assert_imported(post_file(register, sheet.getvalue(), XLSX), 2)
    mapping = DAILY_MAPPING.replace("ON_CHANGE", "report")
    for ours, theirs in STARTER_SLUGS.items():
        mapping = mapping.replace(f'"{ours}"', f'"{theirs}"')
    table = '[{"day": "2025-06-20", "dead": 2000040, "all": 2000041}]'
    assert_imported(post_form(register, "daily.json", table, mapping), 2)


def test_a_form_that_does_not_fit_into_memory_is_imported(register: Register) -> None:
    files = {"file": ("claims.csv", rows(3_000_000, MANY, LONG_TEXT))}
    answer = register.post("/v1/imports", files=files, headers=register.keys["editor"], params={"dry_run": True})
    assert answer.status_code == 200, answer.text
    assert answer.json()["counts"]["new"] == MANY


def test_a_restart_keeps_everything_and_loads_nothing_again(api: Container, register: Register) -> None:
    before = register.get("/health/ready").json()["seq"]
    again = replace(api)
    with again.serving(), http(again) as client:
        assert client.get("/health/ready").json()["seq"] == before
    assert "0 starter claims loaded." in again.log.read_text()
    assert "docker compose exec" not in again.log.read_text(), "there is a key already"


@pytest.fixture(scope="module")
def alone(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """The service on SQLite, with a migrated register and `COUNTERCLAIM_STARTER=false` in the environment."""
    folder = tmp_path_factory.mktemp("alone")
    container = Container("api", installed, folder, None, variables={"COUNTERCLAIM_STARTER": "false"})
    url = DatabaseCopies(folder, None).create_template("empty")
    keys = create_keys(url)
    container.headers |= keys[Role.editor.value]
    volume = container.make_volume()
    file = volume / container.outside_url.rpartition("/")[2]
    copyfile(url.removeprefix("sqlite:///"), file)
    chown(file, container.uid, container.uid)
    return container


@pytest.fixture(scope="module")
def without_temporary_directory(alone: Container) -> Iterator[Container]:
    """The running service without a temporary directory."""
    with replace(alone, changes={"tmpfs": []}).serving() as without:
        yield without


def test_without_a_temporary_directory_it_reads_and_says_what_is_missing(
    without_temporary_directory: Container,
) -> None:
    without = without_temporary_directory
    with http(without) as client:
        assert client.get("/v1/claims").json()["data"] == [], "the starter claims are left out"
        said = assert_problem(client.get("/health/ready"), 503, "unavailable")["detail"]
        assert "temporary" in said
        assert "TMPDIR" in said
        headers = without.headers | {"Content-Type": "text/csv"}
        answer = client.post("/v1/imports", content=rows(4_000_000, 1), headers=headers)
        assert "temporary" in assert_problem(answer, 503, "unavailable")["detail"]
        assert answer.headers["retry-after"]
    assert "TMPDIR" in without.log.read_text()


def test_a_volume_that_cannot_be_written_is_said(alone: Container, without_temporary_directory: Container) -> None:
    # Another process has the file open: otherwise SQLite cannot read it in write-ahead mode.
    assert without_temporary_directory.folder == alone.folder
    closed = replace(alone, read_only_volume=True)
    with closed.serving(), http(closed) as client:
        said = assert_problem(client.get("/health/ready"), 503, "unavailable")["detail"]
        assert "/data/counterclaim.db cannot be written" in said


def test_a_temporary_directory_that_is_full_is_said(alone: Container) -> None:
    tmpfs = ["/tmp:size=1m,mode=1777"]  # noqa: S108 - a mount
    small = replace(alone, changes={"tmpfs": tmpfs}, variables={})
    headers = alone.headers
    with small.serving(), http(small) as client:
        assert client.get("/health/ready").status_code == 200
        content = rows(5_000_000, MANY, LONG_TEXT)
        packed = gzip.compress(rows(5_000_000, VERY_MANY, LONG_TEXT))  # which is small, unlike its rows
        sent_in: list[dict[str, Any]] = [
            {"content": content, "headers": headers | {"Content-Type": "text/csv"}},
            {"content": packed, "headers": headers | {"Content-Type": "application/gzip"}},
            {"files": {"file": ("claims.csv", content)}, "headers": headers},
        ]
        for sent in sent_in:
            answer = client.post("/v1/imports", **sent)
            assert "temporary" in assert_problem(answer, 503, "storage_full")["detail"]
        assert_imported(
            client.post("/v1/imports", content=rows(5_000_000, 1), headers=headers | {"Content-Type": "text/csv"}), 1
        )
