"""The fast path of `POST /v1/claims` gives the same responses as the standard path, which handles unusual requests."""

import gc
import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.claims.lookups import CachedReferenceLookup
from tests.examples import (
    make_citation_body,
    make_claim_body,
    make_figure_body,
    make_unique_claim_body,
    read_latest_seq,
    record_example_vocabulary,
)
from tests.registers import Register

LONG = {"Content-Encoding": "identity"}
"""A header that has no effect on claims and that only the standard path evaluates."""

FLEETING = {"x-request-id", "x-register-seq", "etag", "location", "content-length"}


def post(register: Register, body: Any, headers: dict[str, str], role: str = "contributor") -> Any:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {"Content-Type": "application/json"}
    return register.post("/v1/claims", content=sent, headers=kind | register.keys[role] | headers)


def comparable_parts(answer: Any) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body, without values that differ in each response."""
    card = answer.json()
    fleeting = [str(card[name]) for name in ("id", "request_id", "recorded_at") if card.get(name)]
    fleeting += [cited["id"] for cited in card.get("citations", [])]
    text = answer.text.replace(f'"seq":{card.get("seq")}', "")
    for each in fleeting:
        text = text.replace(each, "")
    return answer.status_code, {name: answer.headers[name] for name in answer.headers if name not in FLEETING}, text


PLAIN: list[dict[str, Any]] = [
    {},
    {"note": "Séjourné said so.", "date_edtf": "2025-06", "date": None},
    {
        "proposition": "quantity",
        "modality": "forecast",
        "period": {"edtf": "2025", "aggregation": "within"},
        "includes": ["brigade"],
        "excludes": [],
    },
    {"citations": [make_citation_body("https://example.org/other", quote="So many.", fidelity="verbatim")]},
    {"confidence": {"level": "low", "rationale": "It was not counted."}},
]


@pytest.mark.parametrize("changes", PLAIN)
def test_a_new_claim_is_answered_alike_on_both_ways(register: Register, changes: dict[str, Any]) -> None:
    record_example_vocabulary(register)
    post(register, make_unique_claim_body(), {})  # so that the document exists for both
    post(register, make_unique_claim_body(**changes), {}, "editor")
    answers = []
    for value, way in ((12_001, {}), (12_002, LONG)):
        body = make_claim_body(**changes) | {"figure": make_figure_body("So many", value=value)}
        answer = post(register, body, way, "editor")
        assert answer.headers["x-register-seq"] == str(read_latest_seq(register))
        status, headers, text = comparable_parts(answer)
        answers.append((status, headers, text.replace(str(value), "").replace(f"{value:,}", "")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 201


@pytest.fixture(scope="module")
def desk(database_copies: Any) -> Iterator[Register]:
    """A register with a vocabulary and one claim, for requests that are refused."""
    from tests.registers import open_register  # noqa: PLC0415 - used only by this fixture

    for register in open_register(database_copies.create_copy("empty")):
        record_example_vocabulary(register)
        assert post(register, make_claim_body(), {}).status_code == 201
        yield register


REFUSED: list[tuple[Any, dict[str, str], int]] = [
    (make_claim_body(), {}, 409),
    (make_claim_body(category="unheard-of"), {}, 422),
    (make_claim_body(unheard_of=1), {}, 422),
    (make_claim_body(figure=make_figure_body("5", value=float("nan"))), {}, 422),
    (make_claim_body(figure=make_figure_body("5", value=10**30)), {}, 422),
    (b"", {}, 422),
    (b"{", {}, 422),
    (b"null", {}, 422),
    (b"\xff", {}, 422),
    (b"[" * 100_000, {}, 422),
    (make_unique_claim_body(), {"Content-Type": "text/plain"}, 415),
    (make_unique_claim_body(), {"Idempotency-Key": ""}, 422),
    (make_unique_claim_body(), {"Idempotency-Key": "x" * 256}, 422),
    (make_unique_claim_body(), {"Authorization": "Bearer cc_unknown"}, 401),
    (make_unique_claim_body(), {"Authorization": ""}, 401),
    (make_unique_claim_body(confidence={"level": "low", "rationale": "Why not."}), {}, 403),
    (make_unique_claim_body(), {"X-Register-Seq": "999999"}, 503),
]


@pytest.mark.parametrize(("body", "headers", "status"), REFUSED)
def test_what_is_refused_is_refused_alike_on_both_ways(
    desk: Register, body: Any, headers: dict[str, str], status: int
) -> None:
    before = read_latest_seq(desk)
    answers = [comparable_parts(post(desk, body, headers | way)) for way in ({}, LONG)]
    assert answers[0] == answers[1]
    assert answers[0][0] == status
    assert read_latest_seq(desk) == before


def test_one_key_has_one_answer_on_both_ways(register: Register) -> None:
    record_example_vocabulary(register)
    body = make_unique_claim_body()
    first, *again = (post(register, body, {"Idempotency-Key": "mine"} | way) for way in ({}, LONG, {}))
    assert first.status_code == 201
    assert "Idempotency-Replayed" not in first.headers
    for each in again:
        assert each.headers["Idempotency-Replayed"] == "true"
        assert each.content == first.content
        assert each.headers["etag"] == first.headers["etag"]
    assert post(register, make_unique_claim_body(), {"Idempotency-Key": "mine"}).json()["code"] == "key_reused"


def test_a_body_of_unknown_length_and_in_pieces_is_recorded(register: Register) -> None:
    record_example_vocabulary(register)
    sent = json.dumps(make_unique_claim_body()).encode()
    headers = {"Content-Type": "application/json"} | register.keys["contributor"]
    pieces = (sent[start : start + 50] for start in range(0, len(sent), 50))
    assert register.post("/v1/claims", content=pieces, headers=headers).status_code == 201


def test_what_a_process_remembers_of_documents_is_bounded(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.claims.lookups.MAX_CACHED_DOCUMENTS", 5)
    record_example_vocabulary(register)
    gc.collect()
    known = {id(each) for each in gc.get_objects() if isinstance(each, CachedReferenceLookup)}
    for number in range(20):
        body = make_unique_claim_body(citations=[make_citation_body(f"https://example.org/{number}")])
        assert post(register, body, {}).status_code == 201
    gc.collect()
    lookups = [each for each in gc.get_objects() if isinstance(each, CachedReferenceLookup) and id(each) not in known]
    assert lookups
    assert sum(len(vars(each)["_documents_by_id"]) for each in lookups) <= 6
