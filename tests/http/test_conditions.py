"""Conditions of requests: one ETag per representation, strong comparison of `If-Match`, and no write if one fails."""

import re
from typing import Any

import pytest

from tests.contract.examples import EXAMPLE_CLAIM_ID, PREPARATORY_REQUESTS, WITHDRAWAL_LISTS, body_of, path_of
from tests.examples import (
    assert_problem,
    make_category_body,
    make_citation_body,
    make_claim_body,
    make_source_body,
    make_topic_body,
    make_unique_claim_body,
    read_latest_seq,
    record_example_vocabulary,
    submit_claim,
)
from tests.http.operations import OPERATIONS
from tests.registers import Register, role_for

PUTS: dict[str, dict[str, Any]] = {
    "/v1/sources/paper": make_source_body("A new name"),
    "/v1/categories/survived": make_category_body("A new name", non_decreasing=False),
    "/v1/subjects/army": {"name": "A new name"},
    "/v1/places/war": {"name": "A new name"},
    "/v1/topics/t": make_topic_body(title="A new title"),
}


@pytest.fixture
def desk(register: Register) -> Register:
    record_example_vocabulary(register)
    assert register.write("PUT", "/v1/topics/t", make_topic_body()).status_code == 201
    return register


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_the_tag_of_a_get_is_accepted_and_that_of_the_put_is_that_of_the_next_get(
    desk: Register, encoding: str
) -> None:
    for path, body in PUTS.items():
        tag = desk.get(path, headers={"Accept-Encoding": encoding}).headers["etag"]
        assert re.fullmatch(r'"1-[0-9a-f]{24}(-gzip)?"', tag)
        answer = desk.write("PUT", path, body, **{"If-Match": tag})
        assert answer.status_code == 200, (path, answer.text)
        current = desk.get(path, headers={"Accept-Encoding": "identity"})
        assert answer.headers["etag"] == current.headers["etag"], path
        assert answer.content == current.content
        before = read_latest_seq(desk)
        refused = desk.write("PUT", path, {**body, "definition": "x"}, **{"If-Match": tag})
        assert refused.status_code in (412, 422)
        refused = desk.write("PUT", path, body, **{"If-Match": tag})
        assert_problem(refused, 412, "stale_revision")
        assert refused.headers["etag"] == (current.headers["etag"] if "topics" not in path else refused.headers["etag"])
        assert read_latest_seq(desk) == before


@pytest.mark.parametrize("condition", ['W/"1-x"', "1", '"', "W/1", '"*"', '"7"', '"7-x"', 'W/"1"', "'1'", "x", ""])
def test_a_weak_or_malformed_tag_never_matches(desk: Register, condition: str) -> None:
    claim = submit_claim(desk, make_claim_body())
    before = read_latest_seq(desk)
    for path, body in PUTS.items():
        assert_problem(desk.write("PUT", path, body, **{"If-Match": condition}), 412)
    address = claim["links"]["self"]
    change = {"event": "transcription_fix", "reason": "x", "changes": {"note": "x"}}
    assert_problem(desk.write("PATCH", address, change, **{"If-Match": condition}), 412)
    assert_problem(
        desk.write("POST", f"{address}/citations", make_citation_body("https://ex.org/b"), **{"If-Match": condition}),
        412,
    )
    assert read_latest_seq(desk) == before


def test_of_a_claim_the_revision_in_the_tag_counts(desk: Register) -> None:
    claim = submit_claim(desk, make_claim_body())
    address = claim["links"]["self"]
    tag = desk.get(address).headers["etag"]
    assert desk.write("POST", f"{address}/citations", make_citation_body("https://ex.org/b")).status_code == 201
    assert desk.get(address).headers["etag"] != tag
    change = {"event": "transcription_fix", "reason": "x", "changes": {"note": "x"}}
    answer = desk.write("PATCH", address, change, **{"If-Match": tag})
    assert answer.status_code == 200
    assert answer.headers["etag"] == desk.get(address).headers["etag"]
    stale = desk.write("PATCH", address, change, **{"If-Match": tag})
    assert_problem(stale, 412)
    assert answer.headers["etag"].startswith(stale.headers["etag"][:-1])


def test_of_a_record_the_whole_tag_counts(desk: Register) -> None:
    for path, body in PUTS.items():
        if "topics" not in path:
            assert_problem(desk.write("PUT", path, body, **{"If-Match": '"1-wronghash"'}), 412)


def test_a_condition_on_a_record_that_is_not_there(desk: Register) -> None:
    before = read_latest_seq(desk)
    for path, body in PUTS.items():
        absent = path.rpartition("/")[0] + "/absent"
        for condition in ("*", '"1"'):
            assert_problem(desk.write("PUT", absent, body, **{"If-Match": condition}), 412)
        assert desk.get(absent).status_code == 404
        assert desk.write("PUT", path, body, **{"If-None-Match": '"another"'}).status_code == 200
    assert read_latest_seq(desk) == before + len(PUTS)
    assert desk.write("PUT", "/v1/sources/new", make_source_body(), **{"If-None-Match": "*"}).status_code == 201


def test_no_write_is_done_or_answered_304_if_the_record_must_not_exist(starter_register: Register) -> None:
    register = starter_register
    checked = 0
    for method, path, operation in OPERATIONS:
        if method == "get":
            continue
        name = operation["operationId"]
        for verb, before, body in PREPARATORY_REQUESTS.get(name, []):
            assert register.write(verb, path_of(before, operation), body, **{"If-Match": "*"}).status_code == 200
        address = path_of(path, operation)
        if name in WITHDRAWAL_LISTS:
            rows = register.get(f"/v1/claims/{EXAMPLE_CLAIM_ID}/{WITHDRAWAL_LISTS[name]}").json()["data"]
            address = path.format(id=rows[0]["id"])
        sent = body_of(operation)
        headers = register.keys[role_for(path)] | sent.pop("headers", {})
        headers |= {"If-Match": "*", "If-None-Match": "*"}
        seq = read_latest_seq(register)
        answer = register.request(method.upper(), address, headers=headers, **sent)
        assert_problem(answer, 412)
        assert read_latest_seq(register) == seq, name
        headers |= {"If-Match": '"999"', "If-None-Match": '"x"'}
        assert_problem(register.request(method.upper(), address, headers=headers, **sent), 412)
        assert read_latest_seq(register) == seq, name
        checked += 1
    assert checked >= 15


def test_a_read_with_a_false_if_match_is_refused(shared_starter_register: Register) -> None:
    for path in ("/v1/sources/csis", "/v1/claims?limit=1", "/v1/claims.csv", f"/v1/claims/{EXAMPLE_CLAIM_ID}"):
        answer = shared_starter_register.get(path)
        tag = answer.headers["etag"]
        assert shared_starter_register.get(path, headers={"If-Match": f'"x", {tag}'}).status_code == 200
        assert shared_starter_register.get(path, headers={"If-Match": "*"}).status_code == 200
        for false in ('"x"', f"W/{tag}"):
            assert_problem(shared_starter_register.get(path, headers={"If-Match": false}), 412)


def test_a_304_has_the_tag_that_the_200_would_have(shared_starter_register: Register) -> None:
    for path in ("/v1/claims?limit=5", "/v1/claims.csv", "/openapi.json"):
        tags = {}
        for encoding in ("gzip", "zstd", "identity"):
            headers = {"Accept-Encoding": encoding}
            tags[encoding] = shared_starter_register.get(path, headers=headers).headers["etag"]
        assert len(set(tags.values())) == 3
        for encoding, expected in tags.items():
            for other, tag in tags.items():
                headers = {"Accept-Encoding": encoding, "If-None-Match": tag}
                answer = shared_starter_register.get(path, headers=headers)
                assert answer.status_code == (304 if encoding == other else 200)
                assert answer.headers["etag"] == expected


def test_a_key_with_another_condition_belongs_to_another_request(desk: Register) -> None:
    address = submit_claim(desk, make_claim_body())["links"]["self"]
    change = {"event": "transcription_fix", "reason": "x", "changes": {"note": "x"}}
    key = {"Idempotency-Key": "k-1"}
    assert desk.write("PATCH", address, change, **key, **{"If-Match": '"1"'}).status_code == 200
    again = desk.write("PATCH", address, change, **key, **{"If-Match": '"1"'})
    assert again.headers["idempotency-replayed"] == "true"
    for condition in ({"If-Match": '"99"'}, {"If-Match": '"2"'}, {}):
        assert_problem(desk.write("PATCH", address, change, **key, **condition), 422, "key_reused")
    body = make_unique_claim_body()
    assert desk.write("POST", "/v1/claims", body, **{"Idempotency-Key": "k-2"}).status_code == 201
    assert_problem(
        desk.write("POST", "/v1/claims", body, **{"Idempotency-Key": "k-2", "If-Match": "*"}), 422, "key_reused"
    )


def test_a_key_with_another_query_belongs_to_another_request(desk: Register) -> None:
    claim = submit_claim(desk, make_claim_body())
    key = {"Idempotency-Key": "k-1"}
    address = "/v1/sources/ministry/takedown"
    assert desk.write("POST", address, {"reason": "x"}, **key).status_code == 200
    assert desk.write("POST", address, {"reason": "x"}, **key).headers["idempotency-replayed"] == "true"
    assert_problem(desk.write("POST", f"{address}?claims=true", {"reason": "x"}, **key), 422, "key_reused")
    assert desk.get(claim["links"]["self"]).status_code == 200
