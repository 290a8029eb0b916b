"""Bodies that the register takes, and a small world to record them in."""

from copy import deepcopy
from itertools import count
from typing import Any

from tests.registers import Register

PERIOD = {"edtf": "2022-02-24/2025-06-12", "aggregation": "cumulative"}
_numbers = count(1)


def figure(printed: str = "1,351", **numbers: Any) -> dict[str, Any]:
    return {"as_printed": printed, **(numbers or {"value": 1351})}


def citation(url: str = "https://example.org/report", **more: Any) -> dict[str, Any]:
    return {"document": {"url": url, "title": "The report", "publisher": "paper"}, **more}


def claim(**changes: Any) -> dict[str, Any]:
    """The smallest claim that the register takes, with `changes`."""
    body: dict[str, Any] = {
        "category": "killed",
        "subject": "army",
        "place": "war",
        "modality": "estimate",
        "figure": figure(),
        "period": PERIOD,
        "date": "2025-06-12",
        "source": "ministry",
        "citations": [citation()],
    }
    return deepcopy(body | changes)


def numbered(**changes: Any) -> dict[str, Any]:
    """A claim that no other one equals."""
    number = next(_numbers)
    return claim(figure=figure(str(number), value=number), **changes)


def source(name: str = "A source", **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "media", "interest": "independent", **more}


def category(name: str = "Killed", **more: Any) -> dict[str, Any]:
    return {"name": name, "definition": "What is counted.", "unit": "persons", "non_decreasing": True, **more}


def topic(**changes: Any) -> dict[str, Any]:
    body = {"title": "How many?", "category": "casualties", "subject": "army", "place": "war"}
    return body | changes


def furnish(register: Register) -> None:
    """Record the words that the bodies above refer to."""
    put = {
        "/v1/categories/killed": category(),
        "/v1/categories/killed-named": category(parent="killed"),
        "/v1/categories/wounded": category("Wounded"),
        "/v1/categories/casualties": category("Casualties", components=["killed", "wounded"]),
        "/v1/categories/survived": category("Survived", non_decreasing=False),
        "/v1/subjects/army": {"name": "The army"},
        "/v1/subjects/brigade": {"name": "A brigade", "parents": ["army"]},
        "/v1/subjects/militia": {"name": "The militia"},
        "/v1/places/war": {"name": "The war"},
        "/v1/places/front": {"name": "The front", "parents": ["war"]},
        "/v1/sources/ministry": source("The ministry", kind="government", interest="party"),
        "/v1/sources/minister": source("The minister", kind="individual", interest="party", speaks_for="ministry"),
        "/v1/sources/institute": source("The institute", kind="research"),
        "/v1/sources/agency": source("The agency"),
        "/v1/sources/paper": source("The paper"),
    }
    for path, body in put.items():
        answer = register.write("PUT", path, body)
        assert answer.status_code == 201, answer.text


def recorded(register: Register, body: dict[str, Any]) -> dict[str, Any]:
    """The claim that was made of `body`."""
    answer = register.write("POST", "/v1/claims", body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def seq_of(register: Register) -> int:
    seq: int = register.get("/health/ready").json()["seq"]
    return seq


def assert_problem(answer: Any, status: int, code: str | None = None) -> dict[str, Any]:
    """The problem that `answer` is (RFC 9457), which must be one with this status."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:500]}"
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem.keys() >= {"type", "title", "status", "code", "detail", "hint", "errors", "request_id"}
    assert problem["request_id"] == answer.headers["x-request-id"]
    if code is not None:
        assert problem["code"] == code, problem
    return problem


def every_page(register: Register, path: str, limit: int, **parameters: Any) -> list[list[dict[str, Any]]]:
    """All pages of a list, following `meta.next_cursor`."""
    pages: list[list[dict[str, Any]]] = []
    cursor: str | None = None
    while cursor is not None or not pages:
        asked = {**parameters, "limit": limit} | ({"cursor": cursor} if cursor else {})
        answer = register.get(path, params=asked)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        pages.append(body["data"])
        cursor = body["meta"]["next_cursor"]
        assert len(pages) < 2000, "the walk does not end"
    return pages


def every_row(register: Register, path: str, limit: int = 1000, **parameters: Any) -> list[dict[str, Any]]:
    return [row for page in every_page(register, path, limit, **parameters) for row in page]
