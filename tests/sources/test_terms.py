"""Terms of use of sources and documents: where they stand, and that they are checked and erased."""

import csv
import io
from typing import Any

from tests.examples import (
    assert_problem,
    make_citation_body,
    make_claim_body,
    make_source_body,
    record_example_vocabulary,
    submit_claim,
)
from tests.imports.import_helpers import numbers, post_file
from tests.registers import Register

SHA256 = "9f86d081884c7d65" * 4
MINISTRY = make_source_body("The ministry", kind="government", interest="party")


def record_claim(register: Register, **document: Any) -> dict[str, Any]:
    """Record a claim of a source with terms, with a quote from its own page."""
    record_example_vocabulary(register)
    put = register.write("PUT", "/v1/sources/ministry", MINISTRY | {"terms": "cc by 4.0"})
    assert put.json()["terms"] == "CC-BY-4.0", put.text
    citation = make_citation_body(quote="1,351 soldiers")
    citation["document"] |= {"publisher": "ministry", **document}
    return submit_claim(register, make_claim_body(citations=[citation]))


def test_terms_stand_in_json_and_files(register: Register) -> None:
    claim = record_claim(register, terms="Ask the press office", content_sha256=SHA256)
    again = register.get(claim["links"]["self"]).json()
    assert again == claim
    assert claim["source"]["terms"] == "CC-BY-4.0"
    document = claim["citations"][0]["document"]
    assert (document["terms"], document["content_sha256"]) == ("Ask the press office", SHA256)
    cited = register.get(claim["links"]["citation"]).json()["document"]
    assert (cited["terms"], cited["content_sha256"]) == ("Ask the press office", SHA256)
    [row] = csv.DictReader(io.StringIO(register.get("/v1/claims.csv").text))
    assert [row[name] for name in ("source_terms", "document_terms", "document_sha256")] == [
        "CC-BY-4.0",
        "Ask the press office",
        SHA256,
    ]
    rows = csv.DictReader(io.StringIO(register.get("/v1/sources.csv").text))
    assert {row["slug"]: row["terms"] for row in rows}["ministry"] == "CC-BY-4.0"
    exported = register.get("/v1/claims.csv").content
    assert numbers(post_file(register, exported, "text/csv", "contributor")) == {"rows": 1, "unchanged": 1}


def test_all_columns_are_flat_json_too(register: Register) -> None:
    record_claim(register, terms="CC-BY-4.0")
    header = register.get("/v1/claims.csv").text.partition("\r\n")[0]
    [row] = register.get("/v1/claims", params={"fields": header}).json()["data"]
    assert ",".join(row) == header
    assert row["document_terms"] == "CC-BY-4.0"


def test_terms_stand_beside_the_words_on_pages(register: Register) -> None:
    claim = record_claim(register)
    address = "https://spdx.org/licenses/CC-BY-4.0.html"
    link = f'<a class="outside" href="{address}" rel="license noopener nofollow external">'
    page = register.get(f"/claims/{claim['id']}", headers={"Accept": "text/html"}).text
    assert f'</blockquote> <small class="terms">Terms: {link}CC-BY-4.0</a></small>' in page
    page = register.get("/sources/ministry", headers={"Accept": "text/html"}).text
    assert f"<div><dt>Terms</dt><dd>{link}CC-BY-4.0</a></dd></div>" in page
    assert f'1,351 soldiers</q> <small class="terms">Terms: {link}' in page


def test_the_words_of_another_publisher_are_not_under_the_terms_of_the_source(register: Register) -> None:
    claim = record_claim(register, publisher="paper")
    page = register.get(f"/claims/{claim['id']}", headers={"Accept": "text/html"}).text
    assert "Terms:" not in page


def test_other_terms_of_a_source_are_refused(register: Register) -> None:
    answer = register.write("PUT", "/v1/sources/desk", make_source_body(terms="CC-BY-4"))
    [error] = assert_problem(answer, 422)["errors"]
    assert (error["pointer"], error["hint"]) == ("#/terms", "did you mean `CC-BY-4.0`?")
    assert error["detail"].startswith("Expected an identifier of the SPDX License List such as CC-BY-4.0")


def test_a_takedown_of_a_source_erases_its_terms(register: Register) -> None:
    record_claim(register)
    answer = register.write("POST", "/v1/sources/ministry/takedown", {"reason": "A person."})
    assert answer.status_code == 200, answer.text
    assert register.get("/v1/sources/removed-1").json()["terms"] is None
    assert register.get("/v1/claims").json()["data"][0]["source"]["terms"] is None
