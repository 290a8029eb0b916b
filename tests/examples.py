"""Bodies that the register takes, and a small world to record them in."""

from copy import deepcopy
from itertools import count
from typing import Any

from app.database.transaction import write_transaction
from app.sources.queries import put_source
from app.sources.schemas import SourceInput
from app.vocabulary.records import put_category, put_place, put_subject
from app.vocabulary.schemas import CategoryInput, PlaceInput, SubjectInput
from tests.registers import Register

PERIOD = {"edtf": "2022-02-24/2025-06-12", "aggregation": "cumulative"}
_numbers = count(20_001)


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
    """Record the words that the bodies above refer to, in one transaction."""
    categories = {
        "killed": category(),
        "killed-named": category(parent="killed"),
        "wounded": category("Wounded"),
        "casualties": category("Casualties", components=["killed", "wounded"]),
        "survived": category("Survived", non_decreasing=False),
    }
    subjects = {"army": [], "brigade": ["army"], "militia": []}
    places = {"war": [], "front": ["war"]}
    sources = {
        "ministry": source("The ministry", kind="government", interest="party"),
        "minister": source("The minister", kind="individual", interest="party", speaks_for="ministry"),
        "institute": source("The institute", kind="research"),
        "agency": source("The agency"),
        "paper": source("The paper"),
    }
    with write_transaction(register.database, "desk") as log:
        for slug, body in categories.items():
            put_category(log, slug, CategoryInput(**body))
        for slug, parents in subjects.items():
            put_subject(log, slug, SubjectInput(name=f"The {slug}", parents=parents))
        for slug, parents in places.items():
            put_place(log, slug, PlaceInput(name=f"The {slug}", parents=parents))
        for slug, body in sources.items():
            put_source(log, slug, SourceInput(**body))


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
