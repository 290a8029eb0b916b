"""Valid request bodies, the vocabulary that they refer to, and helpers to send and check requests."""

from copy import deepcopy
from itertools import count
from typing import Any

from sqlalchemy import select

from app.database.tables import Clock, columns_of
from app.database.transaction import write_transaction
from app.sources.queries import put_source
from app.sources.schemas import SourceInput
from app.vocabulary.records import put_category, put_place, put_subject
from app.vocabulary.schemas import CategoryInput, PlaceInput, SubjectInput
from tests.recorded_rows import record_once
from tests.registers import Register

PERIOD_BODY = {"edtf": "2022-02-24/2025-06-12", "aggregation": "cumulative"}
_claim_numbers = count(20_001)


def make_figure_body(printed: str = "1,351", **numbers: Any) -> dict[str, Any]:
    return {"as_printed": printed, **(numbers or {"value": 1351})}


def make_citation_body(url: str = "https://example.org/report", **more: Any) -> dict[str, Any]:
    return {"document": {"url": url, "title": "The report", "publisher": "paper"}, **more}


def make_claim_body(**changes: Any) -> dict[str, Any]:
    """Return the smallest valid claim, with `changes`."""
    body: dict[str, Any] = {
        "category": "killed",
        "subject": "army",
        "place": "war",
        "modality": "estimate",
        "figure": make_figure_body(),
        "period": PERIOD_BODY,
        "date": "2025-06-12",
        "source": "ministry",
        "citations": [make_citation_body()],
    }
    return deepcopy(body | changes)


def make_unique_claim_body(**changes: Any) -> dict[str, Any]:
    """Return a claim that differs from all others."""
    number = next(_claim_numbers)
    return make_claim_body(figure=make_figure_body(str(number), value=number), **changes)


def make_source_body(name: str = "A source", **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "media", "interest": "independent", **more}


def make_category_body(name: str = "Killed", **more: Any) -> dict[str, Any]:
    return {"name": name, "definition": "What is counted.", "unit": "persons", "non_decreasing": True, **more}


def make_topic_body(**changes: Any) -> dict[str, Any]:
    body = {"title": "How many?", "category": "casualties", "subject": "army", "place": "war"}
    return body | changes


def record_example_vocabulary(register: Register) -> None:
    """Record the vocabulary that the bodies above refer to, in one transaction."""
    record_once(register, _record_example_vocabulary)


def _record_example_vocabulary(register: Register) -> None:
    categories = {
        "killed": make_category_body(),
        "killed-named": make_category_body(parent="killed"),
        "wounded": make_category_body("Wounded"),
        "casualties": make_category_body("Casualties", components=["killed", "wounded"]),
        "survived": make_category_body("Survived", non_decreasing=False),
    }
    subjects = {"army": [], "brigade": ["army"], "militia": []}
    places = {"war": [], "front": ["war"]}
    sources = {
        "ministry": make_source_body("The ministry", kind="government", interest="party"),
        "minister": make_source_body("The minister", kind="individual", interest="party", speaks_for="ministry"),
        "institute": make_source_body("The institute", kind="research"),
        "agency": make_source_body("The agency"),
        "paper": make_source_body("The paper"),
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


def submit_claim(register: Register, body: dict[str, Any]) -> dict[str, Any]:
    """Submit a claim and return it as recorded."""
    answer = register.write("POST", "/v1/claims", body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def correct_claim(register: Register, claim: dict[str, Any], **changes: Any) -> Any:
    """Send a correction of a claim and return the response."""
    body = {"event": "transcription_fix", "reason": "Read again.", "changes": changes}
    return register.write("PATCH", claim["links"]["self"], body, **{"If-Match": "*"})


def read_latest_seq(register: Register) -> int:
    with register.database.read_primary() as session:
        seq: int = session.execute(select(columns_of(Clock).seq)).scalar_one()
    return seq


def assert_problem(answer: Any, status: int, code: str | None = None) -> dict[str, Any]:
    """Return the problem (RFC 9457) in `answer`, after checking its status and code."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:500]}"
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem.keys() >= {"type", "title", "status", "code", "detail", "hint", "errors", "request_id"}
    assert problem["request_id"] == answer.headers["x-request-id"]
    if code is not None:
        assert problem["code"] == code, problem
    return problem


def read_all_pages(register: Register, path: str, limit: int, **parameters: Any) -> list[list[dict[str, Any]]]:
    """Return the rows of all pages of a list, following `meta.next_cursor`."""
    pages: list[list[dict[str, Any]]] = []
    cursor: str | None = None
    while cursor is not None or not pages:
        asked = {**parameters, "limit": limit} | ({"cursor": cursor} if cursor else {})
        answer = register.get(path, params=asked)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        pages.append(body["data"])
        cursor = body["meta"]["next_cursor"]
        assert len(pages) < 2000, "the list does not end"
    return pages


def read_all_rows(register: Register, path: str, limit: int = 1000, **parameters: Any) -> list[dict[str, Any]]:
    return [row for page in read_all_pages(register, path, limit, **parameters) for row in page]
