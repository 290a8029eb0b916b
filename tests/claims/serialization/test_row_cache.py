"""The row cache returns rendered claims until a change affects them."""

from app.claims.serialization.row_cache import CLAIM_ROWS
from tests.examples import (
    make_claim_body,
    make_source_body,
    make_unique_claim_body,
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register


def read_claims(register: Register, path: str) -> tuple[int, int, list[dict[str, object]]]:
    """Return the numbers of cache hits and misses of a response, and its claims."""
    kept = register.database.caches[CLAIM_ROWS]
    hits, misses = kept.hits, kept.misses
    found = register.get(path).json()["data"]
    return kept.hits - hits, kept.misses - misses, found


def test_another_page_with_the_same_claims_is_not_written_again(register: Register) -> None:
    record_example_vocabulary(register)
    for n in range(3):
        submit_claim(register, make_unique_claim_body(note=f"The {n}th."))
    first = read_claims(register, "/v1/claims?limit=10")
    again = read_claims(register, f"/v1/claims?limit=11&category={first[2][0]['category']}")
    assert (first[:2], again[:2]) == ((0, 3), (3, 0))
    assert again[2] == first[2]
    flat = read_claims(register, "/v1/claims?limit=12&fields=id,value")
    assert flat[:2] == (0, 3), "another layout has its own texts"


def test_a_change_forgets_the_claims_that_it_changes(register: Register) -> None:
    record_example_vocabulary(register)
    one, other = (submit_claim(register, make_claim_body(figure={"as_printed": f"{n}", "value": n})) for n in (5, 6))
    assert read_claims(register, "/v1/claims?limit=10")[:2] == (0, 2)

    document = {"document": {"url": "https://example.org/again", "title": "Again"}}
    register.write("POST", f"/v1/claims/{one['id']}/citations", document)
    hits, misses, found = read_claims(register, "/v1/claims?limit=11")
    assert (hits, misses) == (1, 1)
    assert sorted(len(each["citations"]) for each in found) == [1, 2]  # type: ignore[arg-type]

    register.write("PUT", f"/v1/sources/{other['source']['slug']}", make_source_body("A new name"), **{"If-Match": "*"})
    hits, misses, found = read_claims(register, "/v1/claims?limit=12")
    assert (hits, misses) == (0, 2)
    assert {each["source"]["name"] for each in found} == {"A new name"}  # type: ignore[index]


def test_who_asks_for_a_day_before_a_retraction_gets_what_stood_then(register: Register) -> None:
    record_example_vocabulary(register)
    id_ = submit_claim(register, make_claim_body())["id"]
    body = {"reason": "Taken back.", "retracted_on": "2025-07-01"}
    assert register.write("POST", f"/v1/claims/{id_}/retraction", body, **{"If-Match": '"1"'}).status_code == 200
    states = [
        read_claims(register, f"/v1/claims?limit=10{known_on}")[2][0]["status"]
        for known_on in (
            "",
            "&known_on=2025-06-30",
            "&known_on=2025-07-01",
            "&known_on=2025-06-29",
            "&status=retracted",
        )
    ]
    assert states == ["retracted", "asserted", "retracted", "asserted", "retracted"]
