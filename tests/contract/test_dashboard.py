"""The requests of the example dashboard are answered, and the fields that it reads exist."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.registers import Register

PAGE = (Path(__file__).parents[2] / "docs" / "examples" / "dashboard.html").read_text(encoding="utf-8")
SCRIPT = PAGE.partition('<script type="module">')[2].partition("</script>")[0]
VIEWS = dict(re.findall(r'^  (\w+): "(/v1/[^"]+)",$', SCRIPT, re.MULTILINE))
MAX_LINES = 110
MAX_BYTES = 60_000
"""Maximum size of the views of one question, without compression."""


def read(register: Register, name: str, **parameters: str) -> Any:
    address = VIEWS[name].format(topic="russian-casualties")
    path, _, query = address.partition("?")
    parts = [*filter(None, query.split("&")), *(f"{key}={value}" for key, value in parameters.items())]
    answer = register.get(f"{path}?{'&'.join(parts)}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    return answer.json()


def fields_read(variable: str) -> set[str]:
    """Return the fields of a variable that the script reads, without methods of JavaScript."""
    found = set(re.findall(rf"(?<!form\.)\b{variable}\.(\w+)", SCRIPT))
    return found - {"insertCell", "day", "low", "high", "link"}


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_is_served_with_what_the_page_adds(shared_starter_register: Register, name: str) -> None:
    more = {"known_on": "2025-06-12", "seq": "1"}
    if name in ("timeline", "counts"):
        more["confidence_min"] = "low"
    if name != "topics":
        read(shared_starter_register, name, **more)
    read(shared_starter_register, name)


def test_the_fields_that_the_page_reads_exist(shared_starter_register: Register) -> None:
    assert set(VIEWS) == {"topics", "topic", "timeline", "sides", "counts"}
    topic = read(shared_starter_register, "topic")
    assert fields_read("topic") <= set(topic)
    assert fields_read("topic") <= set(read(shared_starter_register, "topics")["data"][0])
    assert {"lower", "upper", "unit"} <= set(topic["spread"])
    assert fields_read("row") <= set(read(shared_starter_register, "timeline")[0])
    position = read(shared_starter_register, "sides")["positions"][0]
    assert fields_read("position") <= set(position)
    assert fields_read("claim") <= set(position["claim"])
    assert {"name", "short_name"} <= set(position["source"])
    counts = read(shared_starter_register, "counts")["data"]
    assert all(fields_read("count") <= set(row) for rows in counts.values() for row in rows)
    change = shared_starter_register.get("/v1/changes?shape=served&limit=1").json()["data"][0]
    assert fields_read("change") <= set(change)
    assert fields_read("transaction") == {"seq", "changes", "more", "at"}


def test_the_page_is_small_and_names_one_other_origin() -> None:
    assert len(SCRIPT.splitlines()) <= MAX_LINES
    origins = {urlsplit(each).netloc for each in re.findall(r"https?://[^\"'` ]+", PAGE)}
    assert origins == {"cdn.jsdelivr.net", "127.0.0.1:8000"}


def test_the_views_are_small(shared_starter_register: Register) -> None:
    sizes = [
        len(shared_starter_register.get(address.format(topic="russian-casualties")).content)
        for name, address in VIEWS.items()
        if name not in ("topics", "timeline")
    ]
    assert sum(sizes) <= MAX_BYTES
