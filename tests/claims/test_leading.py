"""The leading citation of a claim: in JSON, files and sentences, and as an editor marks it."""

import csv
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from app.claims.serialization.row_cache import CLAIM_ROWS
from app.enums import SourceKind
from tests.examples import (
    assert_problem,
    make_source_body,
    make_unique_claim_body,
    read_latest_seq,
    record_example_vocabulary,
    submit_claim,
)
from tests.imports.import_helpers import numbers, post_file
from tests.registers import Register, open_register


@pytest.fixture
def desk(register: Register) -> Register:
    record_example_vocabulary(register)
    for kind in SourceKind:
        body = make_source_body(f"The {kind.value}", kind=kind.value)
        assert register.write("PUT", f"/v1/sources/the-{kind.value.replace('_', '-')}", body).status_code == 201
    return register


def cite(title: str, publisher: str | None = None, day: str | None = None, **more: Any) -> dict[str, Any]:
    document = {"title": title, "publisher": publisher, "published_on": day, "url": f"https://example.org/{title}"}
    return {"document": document, **more}


def leading_title(claim: dict[str, Any]) -> str:
    [title] = [each["document"]["title"] for each in claim["citations"] if each["leading"]]
    return str(title)


def read_leading_title(desk: Register, claim: dict[str, Any], **query: Any) -> str:
    """Return the title of the leading citation, which must be the same in every form."""
    path = claim["links"]["self"]
    read = desk.get(path, params=query).json()
    title = leading_title(read)
    listed = desk.get("/v1/claims", params={**query, "limit": 1000}).json()["data"]
    assert next(each for each in listed if each["id"] == claim["id"])["citations"] == read["citations"]
    for suffix in ("ndjson", "csv"):
        text = desk.get(f"/v1/claims.{suffix}", params=query).text
        if suffix == "csv":
            row = next(each for each in csv.DictReader(text.splitlines()) if each["id"] == claim["id"])
            assert (row["document_title"], row["document_url"]) == (title, f"https://example.org/{title}")
    fields = {"fields": "id,document_title,publisher", "limit": 1000, **query}
    flat = desk.get("/v1/claims", params=fields).json()["data"]
    assert next(each for each in flat if each["id"] == claim["id"])["document_title"] == title
    assert desk.get(f"{path}/citation", params=query).json()["document"]["title"] == title
    assert f"/{title}" in desk.get(f"{path}/citation.bib", params=query).text
    return title


CITATIONS = [
    cite("a", None),
    cite("b", "the-witness"),
    cite("c", "the-dataset"),
    cite("d", "the-think-tank", "2025-06-20"),
    cite("e", "the-military", "2025-06-14"),
    cite("f", "the-media", "2025-06-20"),
    cite("g", "the-media", "2025-06-14"),
    cite("h", "the-unknown", "2025-06-20", fidelity="verbatim"),
    cite("i", "the-individual", "2025-06-20", role="original"),
]
"""Each leads before those in front of it."""


def test_the_citation_leads_that_an_editor_would_print(desk: Register) -> None:
    claims = [
        submit_claim(desk, make_unique_claim_body(citations=CITATIONS[:number], date="2025-06-12"))
        for number in range(1, len(CITATIONS) + 1)
    ]
    assert [leading_title(claim) for claim in claims] == list("abcdefghi")
    assert [read_leading_title(desk, claim) for claim in claims] == list("abcdefghi")
    assert [read_leading_title(desk, claims[i], known_on="2025-06-14") for i in (0, 4, 5, 8)] == ["a", "e", "e", "g"]
    assert [read_leading_title(desk, claims[i], known_on="2025-06-13") for i in (0, 3, 8)] == ["a", "c", "c"]
    assert read_leading_title(desk, claims[8]) == "i"


def test_a_new_citation_and_a_new_kind_of_publisher_change_which_leads(desk: Register) -> None:
    claim = submit_claim(desk, make_unique_claim_body(citations=[cite("a", "the-dataset"), cite("b", "the-witness")]))
    assert read_leading_title(desk, claim) == "a"
    path = f"{claim['links']['self']}/citations"
    answer = desk.write("POST", path, cite("c", "the-ngo", withdrawn_on="2025-07-01"))
    assert leading_title(answer.json()) == "a"
    assert read_leading_title(desk, claim) == "a"
    assert leading_title(desk.write("POST", path, cite("d", "the-government")).json()) == "d"
    assert read_leading_title(desk, claim) == "d"
    seq = read_latest_seq(desk)
    desk.write("PUT", "/v1/sources/the-dataset", make_source_body("The dataset", kind="media"))
    assert read_leading_title(desk, claim) == "a"
    assert read_leading_title(desk, claim, recorded_as_of=f"seq:{seq}") == "d"
    assert desk.database.caches[CLAIM_ROWS].seq


def mark_citation(desk: Register, citation: dict[str, Any], *, leading: bool = True, **more: Any) -> Any:
    return desk.write("PATCH", f"/v1/citations/{citation['id']}", {"leading": leading, **more})


def test_an_editor_marks_the_leading_citation(desk: Register) -> None:
    cited = [cite("a", "the-media", "2025-06-20"), cite("b", "the-dataset"), cite("c", "the-witness")]
    claim = submit_claim(desk, make_unique_claim_body(citations=cited))
    a, b, c = claim["citations"]
    seq = read_latest_seq(desk)
    assert read_leading_title(desk, claim) == "a"
    answer = mark_citation(desk, b, reason="The table itself.")
    assert (answer.status_code, leading_title(answer.json())) == (200, "b")
    assert read_leading_title(desk, claim) == "b"
    first = read_latest_seq(desk)
    assert mark_citation(desk, b).json() == answer.json()
    assert read_latest_seq(desk) == first == seq + 1
    assert leading_title(mark_citation(desk, c).json()) == "c"
    assert read_leading_title(desk, claim) == "c"
    changes = desk.get("/v1/changes", params={"after": seq}).json()["data"]
    assert [
        (each["kind"], each["id"], each["action"], each["reason"], each["data"].get("marked")) for each in changes
    ] == [
        ("citation", b["id"], "marked", "The table itself.", True),
        ("citation", b["id"], "unmarked", None, None),
        ("citation", c["id"], "marked", None, True),
    ]
    assert {each["claim"] for each in changes} == {claim["id"]}
    assert read_leading_title(desk, claim, recorded_as_of=f"seq:{seq}") == "a"
    assert read_leading_title(desk, claim, recorded_as_of=f"seq:{first}") == "b"
    assert leading_title(mark_citation(desk, c, leading=False).json()) == "a"
    assert read_leading_title(desk, claim) == "a"
    before = read_latest_seq(desk)
    assert mark_citation(desk, a, leading=False).status_code == 200
    assert read_latest_seq(desk) == before
    assert desk.get(claim["links"]["self"]).json()["revision"] == 1


def test_a_mark_stays_through_a_correction_and_not_over_a_withdrawal(desk: Register) -> None:
    claim = submit_claim(desk, make_unique_claim_body(citations=[cite("a", "the-media"), cite("b", "the-dataset")]))
    a, b = ({"id": each["id"], "document": each["document"]["id"]} for each in claim["citations"])
    mark_citation(desk, claim["citations"][1])
    body = {"event": "transcription_fix", "reason": "Page.", "changes": {"citations": [a, {**b, "locator": "p. 2"}]}}
    answer = desk.write("PATCH", claim["links"]["self"], body, **{"If-Match": "*"})
    assert (answer.status_code, leading_title(answer.json())) == (200, "b")
    body["changes"] = {"citations": [a, {**b, "withdrawn_on": "2025-07-01"}]}
    assert leading_title(desk.write("PATCH", claim["links"]["self"], body, **{"If-Match": "*"}).json()) == "a"
    assert read_leading_title(desk, claim, known_on="2025-06-30") == "b"
    assert read_leading_title(desk, claim, known_on=date(2025, 7, 1).isoformat()) == "a"


def test_who_may_mark_which_citation(desk: Register) -> None:
    claim = submit_claim(desk, make_unique_claim_body(citations=[cite("a"), cite("b")]))
    path = f"/v1/citations/{claim['citations'][1]['id']}"
    before = read_latest_seq(desk)
    assert_problem(desk.request("PATCH", path, json={"leading": True}), 401)
    assert_problem(desk.write("PATCH", path, {"leading": True}, role="contributor"), 403)
    assert_problem(desk.write("PATCH", path, {"leading": "maybe"}), 422)
    assert_problem(desk.write("PATCH", path, {}), 422)
    assert_problem(desk.write("PATCH", path, {"leading": True}, **{"If-Match": '"2"'}), 412, "stale_revision")
    for unknown in ("0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60", "x", claim["id"]):
        assert_problem(desk.write("PATCH", f"/v1/citations/{unknown}", {"leading": True}), 404)
    assert read_latest_seq(desk) == before
    assert desk.write("PATCH", path, {"leading": True}, **{"If-Match": '"1"'}, role="editor").status_code == 200


def test_exported_claims_bring_the_citation_that_leads(desk: Register, make_database: Callable[[str], str]) -> None:
    cited = [cite("a", "the-media", "2025-06-20"), cite("b", "the-dataset"), cite("c", "the-witness")]
    claims = [submit_claim(desk, make_unique_claim_body(citations=cited)) for _ in range(2)]
    mark_citation(desk, claims[1]["citations"][2])
    file = desk.get("/v1/claims.ndjson?sort=recorded").content
    before = read_latest_seq(desk)
    assert numbers(post_file(desk, file, "application/x-ndjson")) == {"rows": 2, "unchanged": 2}
    assert read_latest_seq(desk) == before
    for other in open_register(make_database("empty")):
        record_example_vocabulary(other)
        for kind in ("media", "dataset", "witness"):
            other.write("PUT", f"/v1/sources/the-{kind}", make_source_body(f"The {kind}", kind=kind))
        assert post_file(other, file, "application/x-ndjson", "contributor").status_code == 403
        assert numbers(post_file(other, file, "application/x-ndjson")) == {"rows": 2, "new": 2}
        assert [read_leading_title(other, claim) for claim in claims] == ["a", "c"]
