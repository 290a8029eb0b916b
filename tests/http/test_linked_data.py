"""Linked data: schema.org and PROV, with the context in the document."""

import json
from typing import Any

import pytest

from app.http.linked_data import CONTEXT
from tests.contract.examples import EXAMPLE_CLAIM_ID
from tests.examples import assert_problem
from tests.http.test_xlsx import LISTS
from tests.registers import Register

JSON_LD = "application/ld+json"


def find_nodes(value: Any) -> list[dict[str, Any]]:
    """Return all objects of a document, at any depth."""
    if isinstance(value, list):
        return [node for each in value for node in find_nodes(each)]
    if not isinstance(value, dict):
        return []
    return [value, *(node for name, each in value.items() if name != "@context" for node in find_nodes(each))]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_is_a_data_set_and_one_object_for_each_row(shared_starter_register: Register, path: str) -> None:
    answer = shared_starter_register.get(f"{path}.jsonld")
    assert answer.headers["content-type"] == JSON_LD
    document = answer.json()
    assert document["@context"] == CONTEXT
    dataset, *rows = document["@graph"]
    assert (dataset["@type"], dataset["name"]) == ("Dataset", "Counterclaim")
    assert dataset["@id"] == answer.headers["content-location"]
    assert len(rows) == shared_starter_register.get(f"{path}.ndjson").text.count("\n")
    prefixes = {name for node in find_nodes(document["@graph"]) for name in node if ":" in name}
    assert {name.partition(":")[0] for name in prefixes} <= {"prov"}
    assert all("@type" in node or set(node) == {"@id"} for node in find_nodes(document["@graph"]))


def test_a_claim_names_its_source_its_documents_and_its_figure(shared_starter_register: Register) -> None:
    claim = shared_starter_register.get(f"/v1/claims/{EXAMPLE_CLAIM_ID}").json()
    answer = shared_starter_register.get(f"/v1/claims/{EXAMPLE_CLAIM_ID}.jsonld")
    node = answer.json()
    assert (answer.headers["content-type"], node["@id"]) == (JSON_LD, claim["links"]["self"])
    assert node["@type"] == ["Claim", "prov:Entity"]
    assert node["text"] == claim["figure"]["as_printed"]
    assert node["mainEntity"]["value"] == claim["figure"]["value"]
    assert node["author"]["name"] == claim["source"]["name"]
    assert node["prov:wasAttributedTo"] == {"@id": f"/v1/sources/{claim['source']['slug']}"}
    documents = [f"/v1/documents/{citation['document']['id']}" for citation in claim["citations"]]
    assert [part["isPartOf"]["@id"] for part in node["appearance"]] == documents
    assert [each["@id"] for each in node["prov:wasDerivedFrom"]] == documents
    assert answer.headers["etag"].startswith(f'"{claim["revision"]}-')
    assert_problem(shared_starter_register.get("/v1/claims/nothing.jsonld"), 404)


def test_only_a_claim_that_an_editor_assessed_has_a_review(shared_starter_register: Register) -> None:
    claims = {
        claim["links"]["self"]: claim
        for claim in map(json.loads, shared_starter_register.get("/v1/claims.ndjson").text.splitlines())
    }
    rows = shared_starter_register.get("/v1/claims.jsonld").json()["@graph"][1:]
    reviewed = 0
    for row in rows:
        confidence = claims[row["@id"]]["confidence"]
        grades = {} if confidence is None else {confidence[name] for name in ("level", "reliability", "credibility")}
        assert ("review" in row) == bool(set(grades) - {None})
        if "review" in row:
            reviewed += 1
            assert row["review"]["@type"] == "ClaimReview"
            assert row["review"]["itemReviewed"] == {"@id": row["@id"]}
            assert row["review"]["reviewBody"] == confidence["rationale"]
    assert 0 < reviewed < len(rows) or reviewed == len(rows)


def test_what_has_no_linked_data_says_so(shared_starter_register: Register) -> None:
    problem = assert_problem(shared_starter_register.get("/v1/categories.jsonld"), 406, "not_acceptable")
    assert problem["hint"] == "the formats are json, csv, ndjson, xlsx and parquet"
    assert_problem(shared_starter_register.get("/v1/claims.jsonld", params={"fields": "id"}), 422)


def test_a_tombstone_has_no_content(starter_register: Register) -> None:
    answer = starter_register.write("POST", f"/v1/claims/{EXAMPLE_CLAIM_ID}/takedown", {"reason": "By order."})
    assert answer.status_code == 200
    rows = starter_register.get("/v1/claims.jsonld", params={"status": "removed"}).json()["@graph"][1:]
    assert [set(row) for row in rows] == [{"@id", "@type", "creativeWorkStatus"}]
    assert_problem(starter_register.get(f"/v1/claims/{EXAMPLE_CLAIM_ID}.jsonld"), 410)
