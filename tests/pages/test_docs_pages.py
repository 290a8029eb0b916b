"""The documentation page, its samples, the guides and the reference: complete, linked, and what is copied works."""

import re
import shlex
import urllib.request
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.pages.code_samples import PROGRAMS, Read, ResponseKind, write_samples
from app.pages.docs import LOCAL_ORIGIN, MAIN_READS, build_main_read, guides_folder, load_guides
from tests.registers import Register

ROOT = Path(__file__).parents[2]
DOCUMENT: dict[str, Any] = orjson.loads((ROOT / "docs" / "openapi.json").read_bytes())
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
READS: dict[str, Read] = {
    name: build_main_read(path, operation, DOCUMENT)
    for name, (_method, path, operation) in OPERATIONS.items()
    if name in MAIN_READS
}
ADDRESS = re.compile(rf"{re.escape(LOCAL_ORIGIN)}[^\"']+")
CONTENT_TYPES = {
    ResponseKind.json: ("application/json", "application/linkset+json", "application/feed+json"),
    ResponseKind.table: ("text/csv",),
    ResponseKind.text: ("text/", "application/"),
    ResponseKind.image: ("image/",),
    ResponseKind.archive: ("application/zip",),
}
GUIDES = load_guides()


def test_the_main_reads_are_operations() -> None:
    assert READS.keys() == MAIN_READS.keys()


def test_the_page_has_each_operation_once_and_by_task(shared_starter_register: Register) -> None:
    page = shared_starter_register.get("/docs").text
    for name, (_method, _path, operation) in OPERATIONS.items():
        assert page.count(f'<li id="{name}">') == 1, name
        assert f'#/{operation["tags"][0]}/{name}"' in page
    headings = re.findall(r'<h2 id="(\w+)">', page)
    assert headings[2:] == [tag["name"] for tag in DOCUMENT["tags"]]
    assert "<script>" not in page
    assert " style=" not in page


def test_what_stands_on_the_page_are_the_samples(shared_starter_register: Register) -> None:
    page = unescape(shared_starter_register.get("/docs").text)
    for read in READS.values():
        for program, sample in write_samples(read):
            assert f'<dt>{program}</dt><dd><pre tabindex="0"><code>{sample}</code></pre></dd>' in page


@pytest.mark.parametrize("name", MAIN_READS)
def test_every_sample_names_an_address_that_answers(shared_starter_register: Register, name: str) -> None:
    read = READS[name]
    samples = dict(write_samples(read))
    assert set(PROGRAMS) - samples.keys() <= {"Google Sheets"}
    addresses = {address for sample in samples.values() for address in ADDRESS.findall(sample)}
    assert addresses == {read.address, *([read.table_address] if read.table_address else [])}
    for address in addresses:
        answer = shared_starter_register.get(address.removeprefix(LOCAL_ORIGIN))
        assert answer.status_code == 200, answer.text
        kind = read.kind if address == (read.table_address or read.address) else ResponseKind.json
        assert answer.headers["Content-Type"].startswith(CONTENT_TYPES[kind])
    assert shlex.split(samples["curl"])[-1] == read.address


class Opened(BytesIO):
    """A response as `urllib` returns it."""

    def __init__(self, answer: Any) -> None:
        super().__init__(answer.content)
        self.headers = answer.headers


@pytest.mark.parametrize("name", MAIN_READS)
def test_every_sample_in_python_runs(
    shared_starter_register: Register, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    def send(request: Any, *_: Any, **__: Any) -> Opened:
        address = request if isinstance(request, str) else request.full_url
        return Opened(shared_starter_register.get(address.removeprefix(LOCAL_ORIGIN)))

    def retrieve(address: str, file: str) -> None:
        (tmp_path / file).write_bytes(send(address).read())

    monkeypatch.setattr(urllib.request, "urlopen", send)
    monkeypatch.setattr(urllib.request, "urlretrieve", retrieve)
    variables: dict[str, Any] = {}
    exec(dict(write_samples(READS[name]))["Python"], variables)  # noqa: S102 - our own sample
    read = READS[name]
    if read.kind in (ResponseKind.image, ResponseKind.archive):
        assert (tmp_path / read.file_name).stat().st_size > 100
    else:
        assert len(variables[read.variable]) > 0


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_is_served_and_its_links_lead_somewhere(shared_starter_register: Register, name: str) -> None:
    page = shared_starter_register.get(f"/docs/guides/{name}")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f'<h1 id="{name.strip()}">' in page.text
    for address in set(re.findall(r'href="(/[^"#]*)', page.text)):
        assert shared_starter_register.get(address).status_code == 200, address
    text = shared_starter_register.get(f"/docs/guides/{name}.md")
    assert text.text == (guides_folder() / f"{name}.md").read_text(encoding="utf-8")
    assert text.headers["Content-Type"] == "text/markdown; charset=utf-8"


def test_every_guide_is_named_where_people_and_programs_begin(shared_starter_register: Register) -> None:
    page, guide = (shared_starter_register.get(path).text for path in ("/docs", "/llms.txt"))
    first = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, (title, _text) in GUIDES.items():
        assert f'<a href="/docs/guides/{name}">{title}</a>' in page
        assert f"- [{title}](/docs/guides/{name}.md)" in guide
        assert f"(docs/guides/{name}.md)" in first


def test_a_guide_that_there_is_not_is_not_found(shared_starter_register: Register) -> None:
    for path in ("/docs/guides/follow-a-topik", "/docs/guides/follow-a-topik.md"):
        answer = shared_starter_register.get(path, headers={"Accept": "application/json"})
        assert (answer.status_code, answer.json()["hint"]) == (404, "did you mean `follow-a-topic`?")


def test_the_guides_are_those_that_were_promised() -> None:
    assert {title for title, _text in GUIDES.values()} == {
        "Put a live chart in an article",
        "Follow a topic",
        "Cite a figure",
        "Load your own data",
        "Correct a claim",
        "Feed Grafana",
        "Build a dashboard",
    }


def test_the_reference_may_send_requests_to_this_service_alone(shared_starter_register: Register) -> None:
    page = shared_starter_register.get("/docs/reference")
    policy = page.headers["Content-Security-Policy"]
    assert "connect-src 'self';" in policy
    assert "unsafe" not in policy
    assert "<script>" not in page.text
    assert 'data-openapi="/openapi.json"' in page.text
