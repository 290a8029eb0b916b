"""Requests that would be costly to check are refused for their size, and say so."""

from typing import Any

import pytest

from app.errors import InvalidRequest
from app.http.accept import MAX_ELEMENTS, parse_quality_values
from app.http.json_body import MAX_ITEMS, parse_json
from app.http.parameters import MAX_PARAMETERS
from tests.examples import assert_problem, make_claim_body
from tests.registers import Register


def test_a_query_has_at_most_so_many_parameters(shared_starter_register: Register) -> None:
    get = shared_starter_register.get
    for path in ("/v1/claims", "/v1/claims.csv", "/v1/sources", "/v1/topics/russian-casualties/side-by-side"):
        problem = assert_problem(get(f"{path}?{'&'.join(['utm_x=1'] * (MAX_PARAMETERS + 1))}"), 422, "invalid_request")
        assert problem["detail"] == f"The query has 501 parameters; expected at most {MAX_PARAMETERS}."
        unknown = get(f"{path}?{'&'.join(f'x{number}=1' for number in range(MAX_PARAMETERS + 7))}")
        problem = assert_problem(unknown, 422, "unknown_parameter")
        assert (len(problem["errors"]), problem["error_count"]) == (20, MAX_PARAMETERS + 7)
    answer = get("/v1/claims?" + "&".join(["source=csis"] * MAX_PARAMETERS))
    assert answer.status_code == 200


def test_lists_of_a_body_have_at_most_so_many_items(shared_starter_register: Register) -> None:
    too_many: list[dict[str, Any]] = [
        {"includes": ["x"] * (MAX_ITEMS + 1)},
        {"citations": [{}] * (MAX_ITEMS + 1)},
        {"x": [[[]] * MAX_ITEMS]},
    ]
    for more in too_many:
        body = make_claim_body() | more
        for method, path in (("POST", "/v1/claims"), ("PUT", "/v1/sources/new"), ("POST", "/v1/documents")):
            problem = assert_problem(shared_starter_register.write(method, path, body), 422, "invalid_request")
            assert problem["detail"] == "The lists of the body have more than 5,000 items."
    assert parse_json(b"[" + b"1," * (MAX_ITEMS - 1) + b"1]") == [1] * MAX_ITEMS
    with pytest.raises(InvalidRequest):
        parse_json(b"[" + b"1," * MAX_ITEMS + b"1]")


def test_a_text_that_is_too_long_is_refused_wherever_its_control_character_is(
    shared_starter_register: Register,
) -> None:
    for note in ("x" * 30_000 + "\x01", "\x01" + "x" * 30_000, "x" * 4_999 + "\x01"):
        body = make_claim_body(note=note)
        assert_problem(shared_starter_register.write("POST", "/v1/claims", body), 422, "invalid_request")


def test_only_the_first_elements_of_a_header_are_read() -> None:
    elements = [f"a/b{number}" for number in range(MAX_ELEMENTS + 5)]
    assert list(parse_quality_values(",".join(elements))) == elements[:MAX_ELEMENTS]
    assert parse_quality_values("x/y" + ";" * 10_000) == {"x/y": 1.0}
