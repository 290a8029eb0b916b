"""The documentation is complete, its links work, and its examples give the response that is shown."""

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.contract.examples import iterate_operations, suffixes_of
from tests.contract.reference import DOCS, PAGE_TABLES, fill_tables
from tests.registers import Register

ROOT = DOCS.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^```\w+ (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
"""A named code block is a file, which the commands of its page can send."""

REST = "…"


@dataclass
class Example:
    """A `curl` command of the documentation, and the response that is shown below it."""

    command: str
    shown: str
    method: str = "GET"
    address: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    form: list[tuple[str, tuple[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        method = None
        words = iter(shlex.split(self.command.replace("\\\n", " ")))
        assert next(words) == "curl", self.command
        for word in words:
            match word:
                case "-H":
                    name, _, value = next(words).partition(": ")
                    self.headers[name] = value
                case "-d":
                    self.method, self.body = "POST", next(words)
                case "--data-binary":
                    self.method, self.body = "POST", self.files[next(words).removeprefix("@")]
                case "-F":
                    name, _, file = next(words).partition("=@")
                    self.method = "POST"
                    self.form.append((name, (file, self.files[file])))
                case "-X":
                    method = next(words)
                case _:
                    assert not word.startswith("-"), f"teach this test {word}"
                    assert urlsplit(word).netloc == "127.0.0.1:8000", word
                    self.address = word.removeprefix("http://127.0.0.1:8000")
        self.method = method or self.method

    def send(self, register: Register) -> str:
        key = register.keys["editor"]["Authorization"].removeprefix("Bearer ")
        headers = {name: value.replace("$KEY", key) for name, value in self.headers.items()}
        sent: dict[str, Any] = {"files": self.form} if self.form else {"content": self.body}
        answer = register.request(self.method, self.address, headers=headers, **sent)
        assert answer.status_code < 400 or "status" in self.shown, answer.text  # an error is shown as one
        return str(answer.text)


def examples(page: Path) -> list[Example]:
    found = []
    text = page.read_text(encoding="utf-8")
    files = dict(FILE.findall(text))
    for block in CONSOLE.findall(text):
        assert block.startswith("$ "), block
        lines = block[2:].splitlines()
        size = next(n for n in range(1, len(lines) + 1) if _is_whole("\n".join(lines[:n])))
        found.append(Example("\n".join(lines[:size]), "\n".join(lines[size:]), files=files))
    return found


def _is_whole(command: str) -> bool:
    try:
        shlex.split(command)
    except ValueError:
        return False
    return not command.endswith("\\")


EXAMPLES = [(page, example) for page in PAGES for example in examples(page)]


def assert_shown(shown: Any, given: Any, path: str = "$") -> None:
    """Assert that `given` matches `shown`, in which `…` matches anything."""
    match shown:
        case dict():
            wanted = {name: value for name, value in shown.items() if name != REST}
            assert isinstance(given, dict), path
            assert wanted.keys() <= given.keys() if REST in shown else wanted.keys() == given.keys(), path
            for name, value in wanted.items():
                assert_shown(value, given[name], f"{path}.{name}")
        case list() if shown and shown[0] == REST:
            assert any(_is_shown(shown[1:], given[start:][: len(shown) - 1]) for start in range(len(given))), path
        case list():
            assert isinstance(given, list), path
            assert len(shown) == len(given), path
            for number, (one, two) in enumerate(zip(shown, given, strict=True)):
                assert_shown(one, two, f"{path}[{number}]")
        case _:
            assert shown in (REST, given), path


def _is_shown(shown: Any, given: Any) -> bool:
    try:
        assert_shown(shown, given)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize(
    ("page", "example"), [pytest.param(*each, id=f"{each[0].name}-{n}") for n, each in enumerate(EXAMPLES)]
)
def test_every_example_gives_the_answer_shown(starter_register: Register, page: Path, example: Example) -> None:
    answer = example.send(starter_register)
    if example.shown.startswith(("{", "[")) and ".ndjson" not in example.address:  # a file is compared line by line
        assert_shown(json.loads(example.shown), json.loads(answer))
        return
    shown, given = example.shown.splitlines(), answer.splitlines()
    if shown[-1] == REST:
        shown = shown[:-1]
        given = given[: len(shown)]
    assert given == shown, page


def test_the_first_page_has_examples() -> None:
    assert len(examples(ROOT / "README.md")) >= 3


@pytest.mark.parametrize("name", PAGE_TABLES)
def test_the_documentation_names_all_that_there_is(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    assert text == fill_tables(name, text), "something is new or gone: run `make openapi`, which writes the tables too"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_the_documentation_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).is_file(), target


def test_every_page_is_reached_from_the_first() -> None:
    first = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in DOCS.glob("*.md"):
        assert f"docs/{page.name}" in first


@pytest.mark.parametrize("command", ["serve", "test", "check"])
def test_the_commands_of_the_first_page_exist(command: str) -> None:
    assert f"make {command}" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^{command}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_every_address_that_is_named_is_served(shared_starter_register: Register) -> None:
    document = shared_starter_register.get("/openapi.json").json()
    paths = [
        path + suffix for _, path, operation in iterate_operations(document) for suffix in ("", *suffixes_of(operation))
    ]
    patterns = [re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path))) for path in paths]
    for page in PAGES:
        for named in re.findall(
            r"`(?:GET |POST |PUT |PATCH )?(/(?:v1|health)/[^`?…]*)`", page.read_text(encoding="utf-8")
        ):
            assert any(pattern.fullmatch(named) for pattern in patterns), f"{page.name}: {named}"


def test_every_decision_is_listed() -> None:
    index = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    for page in DOCS.glob("decisions/[0-9]*.md"):
        assert f"({page.name})" in index


MODULES = [path for folder in ("app", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]


def test_every_module_that_is_named_exists() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md"), *MODULES]
    for page in pages:
        for name in re.findall(r"`((?:app|tests|benchmarks)/[a-z_/]+\.py)`", page.read_text(encoding="utf-8")):
            assert (ROOT / name).is_file(), f"{page.relative_to(ROOT)} names {name}"
