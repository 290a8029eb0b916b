"""What is recorded already is a 409 with a link to it, and nothing is recorded twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.examples import (
    assert_problem,
    make_category_body,
    make_citation_body,
    make_claim_body,
    make_source_body,
    make_topic_body,
    make_unique_claim_body,
    read_latest_seq,
    submit_claim,
)
from tests.registers import Register

TOMORROW = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()


@pytest.mark.parametrize("name", ["includes", "excludes"])
def test_a_repeated_slug_makes_no_second_claim(desk: Register, name: str) -> None:
    submit_claim(desk, make_claim_body(**{name: ["militia"]}))
    before = read_latest_seq(desk)
    for slugs in (["militia", "militia"], ["militia"] * 50):
        problem = assert_problem(desk.write("POST", "/v1/claims", make_claim_body(**{name: slugs})), 422)
        assert problem["errors"][0]["pointer"] == f"#/{name}/1"
    problem = assert_problem(desk.write("POST", "/v1/claims", make_claim_body(**{name: ["army"]})), 422)
    assert problem["errors"][0]["pointer"] == f"#/{name}/0"
    assert read_latest_seq(desk) == before


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/v1/categories/sum", make_category_body(components=["killed", "wounded", "killed"]), "#/components/2"),
        ("/v1/subjects/new", {"name": "x", "parents": ["army", "army"]}, "#/parents/1"),
        ("/v1/places/new", {"name": "x", "parents": ["war", "front", "war"]}, "#/parents/2"),
        (
            "/v1/claims",
            make_claim_body(citations=[make_citation_body(via=["agency", "agency"])]),
            "#/citations/0/via/1",
        ),
        ("/v1/claims", make_claim_body(citations=[make_citation_body()] * 2), "#/citations/1"),
    ],
)
def test_nothing_is_listed_twice_in_a_body(desk: Register, path: str, body: dict[str, Any], pointer: str) -> None:
    method = "POST" if path == "/v1/claims" else "PUT"
    problem = assert_problem(desk.write(method, path, body), 422)
    assert [each["pointer"] for each in problem["errors"]] == [pointer]


def post_twice(desk: Register, path: str, body: dict[str, Any], address: str) -> dict[str, Any]:
    """Send `body` twice, and check that the second time it is refused with a link. Return the first answer."""
    first = desk.write("POST", path, body)
    assert first.status_code == 201, first.text
    before = read_latest_seq(desk)
    again = desk.write("POST", path, body)
    problem = assert_problem(again, 409, "duplicate_record")
    assert again.headers["link"] == f'<{address}>; rel="related"'
    assert address in problem["links"].values()
    assert read_latest_seq(desk) == before
    made: dict[str, Any] = first.json()
    return made


def test_the_same_relation_again_is_a_conflict_until_it_is_withdrawn(desk: Register) -> None:
    first, second = submit_claim(desk, make_claim_body()), submit_claim(desk, make_unique_claim_body())
    path = f"{first['links']['self']}/relations"
    body = {"type": "based_on", "claim": second["id"]}
    made = post_twice(desk, path, body, path)
    assert_problem(desk.write("POST", path, body | {"note": "another note"}), 409, "duplicate_record")
    assert desk.write("POST", path, body | {"scope": "trend"}).status_code == 201
    assert desk.write("POST", path, body | {"asserted_by": "paper"}).status_code == 201
    assert desk.write("POST", f"/v1/relations/{made['id']}/withdrawal", {"reason": "x"}).status_code == 200
    assert desk.write("POST", path, body).status_code == 201


def test_a_relation_that_contradicts_one_of_the_same_source_is_a_conflict(desk: Register) -> None:
    claims = [submit_claim(desk, make_claim_body()), submit_claim(desk, make_unique_claim_body())]
    claims.append(submit_claim(desk, make_unique_claim_body()))
    first, second, third = ({"id": claim["id"], "path": f"{claim['links']['self']}/relations"} for claim in claims)

    def relate(origin: dict[str, str], type_: str, **target: str) -> Any:
        return desk.write("POST", origin["path"], {"type": type_, **target})

    part = relate(first, "part_of", claim=second["id"])
    assert part.status_code == relate(second, "part_of", claim=third["id"]).status_code == 201
    before = read_latest_seq(desk)
    for claim in (second, third):
        problem = assert_problem(relate(claim, "part_of", claim=first["id"]), 409, "relation_contradicts")
        assert problem["links"]["relations"].endswith(first["path"] if claim is second else second["path"])
    assert read_latest_seq(desk) == before
    assert relate(second, "part_of", claim=first["id"], asserted_by="paper").status_code == 201
    assert desk.write("POST", f"/v1/relations/{part.json()['id']}/withdrawal", {"reason": "x"}).status_code == 200
    assert relate(second, "part_of", claim=first["id"]).status_code == 201

    for type_, opposite in (("disputes", "corroborates"), ("corroborates", "disputes")):
        target = {"claim": third["id"], "asserted_by": "agency" if type_ == "disputes" else "institute"}
        assert relate(first, type_, **target).status_code == 201
        assert_problem(relate(first, opposite, **target), 409, "relation_contradicts")
        assert_problem(relate(third, opposite, **target | {"claim": first["id"]}), 409, "relation_contradicts")
        assert relate(first, opposite, **target, scope="trend").status_code == 201
    assert relate(first, "disputes", source="paper").status_code == 201
    assert relate(first, "corroborates", source="agency").status_code == 201
    assert_problem(relate(first, "corroborates", source="paper"), 409, "relation_contradicts")


def test_a_claim_has_no_relation_to_its_own_source(desk: Register) -> None:
    path = f"{submit_claim(desk, make_claim_body())['links']['self']}/relations"
    for kind in ("based_on", "repeats", "corroborates", "disputes", "part_of"):
        problem = assert_problem(desk.write("POST", path, {"type": kind, "source": "ministry"}), 422)
        assert problem["errors"][0]["pointer"] == "#/source"
    post_twice(desk, path, {"type": "based_on", "source": "institute"}, path)


def test_the_same_citation_again_is_a_conflict(desk: Register) -> None:
    claim = submit_claim(desk, make_claim_body())
    path, address = f"{claim['links']['self']}/citations", claim["links"]["self"]
    assert_problem(desk.write("POST", path, make_citation_body()), 409, "duplicate_record")
    post_twice(desk, path, make_citation_body("https://example.org/other"), address)
    post_twice(desk, path, make_citation_body(quote="1,351 were killed"), address)
    assert_problem(desk.write("POST", path, make_citation_body(role="original")), 409, "duplicate_record")


def test_the_same_assessment_again_is_a_conflict(desk: Register) -> None:
    address = submit_claim(desk, make_claim_body())["links"]["self"]
    path, body = f"{address}/assessments", {"level": "low", "rationale": "A party."}
    made = post_twice(desk, path, body, path)
    assert desk.write("POST", path, body | {"rationale": "Another reason."}).status_code == 201
    assert desk.write("POST", f"/v1/assessments/{made['id']}/withdrawal", {"reason": "x"}).status_code == 200
    assert desk.write("POST", path, body).status_code == 201


def test_nothing_is_dated_in_the_future_or_before_what_it_is_about(desk: Register) -> None:
    claim = submit_claim(desk, make_claim_body())
    address, before = claim["links"]["self"], read_latest_seq(desk)
    dated = make_citation_body("https://example.org/b")
    dated["document"]["published_on"] = "2025-06-20"
    assessment = {"level": "low", "rationale": "x"}
    cases: list[tuple[str, dict[str, Any], str]] = [
        *(
            (f"{address}/assessments", assessment | {"assessed_on": day}, "#/assessed_on")
            for day in ("9999-12-31", TOMORROW, "0001-01-01", "2025-06-11")
        ),
        *(
            (f"{address}/citations", dated | {"withdrawn_on": day}, "#/withdrawn_on")
            for day in ("9999-12-31", TOMORROW, "0001-01-01", "2025-06-19")
        ),
        (f"{address}/retraction", {"reason": "x", "retracted_on": TOMORROW}, "#/retracted_on"),
        ("/v1/claims", make_unique_claim_body(confidence=assessment | {"assessed_on": "2025-06-11"}), "#/confidence/"),
        ("/v1/claims", make_unique_claim_body(citations=[dated | {"withdrawn_on": "2025-06-19"}]), "#/citations/0/"),
        ("/v1/documents", {"title": "x", "retrieved_at": f"{TOMORROW}T00:00:00Z"}, "#/retrieved_at"),
    ]
    for path, body, pointer in cases:
        problem = assert_problem(desk.write("POST", path, body, **{"If-Match": "*"}), 422)
        assert problem["errors"][0]["pointer"].startswith(pointer), problem
    assert read_latest_seq(desk) == before
    assert desk.write("POST", f"{address}/assessments", assessment | {"assessed_on": "2025-06-12"}).status_code == 201


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/sources/paper", make_source_body("The paper")), ("/v1/topics/t", make_topic_body())],
)
def test_an_identical_record_writes_nothing(desk: Register, path: str, body: dict[str, Any]) -> None:
    assert desk.write("PUT", path, body).status_code in (200, 201)
    before = read_latest_seq(desk)
    assert desk.write("PUT", path, body).status_code == 200
    assert read_latest_seq(desk) == before
