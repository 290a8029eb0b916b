"""`q` finds words in wording, quotes, notes and names, regardless of accents, in any script, and in past states."""

from typing import Any

import pytest

from tests.registers import Register


def search_claims(register: Register, question: str, **more: str) -> list[dict[str, Any]]:
    answer = register.client.get("/v1/claims", params={"limit": "1000", "q": question, **more})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["data"]
    return rows


@pytest.mark.parametrize(
    ("question", "source"),
    [("mediazona", "mediazona-bbc"), ("MEDIAZONA", "mediazona-bbc"), ("Center Strategic", "csis")],
)
def test_names_are_found(shared_starter_register: Register, question: str, source: str) -> None:
    rows = search_claims(shared_starter_register, question)
    assert rows
    assert source in {row["source"]["slug"] for row in rows}


def test_every_word_must_be_found_somewhere(shared_starter_register: Register) -> None:
    both = {row["id"] for row in search_claims(shared_starter_register, "mediazona killed")}
    assert both == {row["id"] for row in search_claims(shared_starter_register, "mediazona")} & {
        row["id"] for row in search_claims(shared_starter_register, "killed")
    }
    assert both


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("Втрати за Генштабом: понад мільйон", "генштабом"),
        ("Ещё одна оценка", "еще"),
        ("Un émissaire zélé", "emissaire zele"),
        ("tinatayang napatay", "TINATAYANG"),
        ("Straße", "strasse"),
        ("20万186人の名前を確認", "20万186人の名前を確認"),
    ],
)
def test_any_script_is_found_with_and_without_accents(starter_register: Register, written: str, asked: str) -> None:
    claim = starter_register.get("/v1/claims?limit=1").json()["data"][0]
    seq = starter_register.get("/health/ready").json()["seq"]
    document = claim["citations"][0]["document"]["id"]
    cited = starter_register.write(
        "POST", f"/v1/claims/{claim['id']}/citations", {"document": document, "quote": written}
    )
    assert cited.status_code == 201, cited.text
    assert [row["id"] for row in search_claims(starter_register, asked)] == [claim["id"]]
    assert search_claims(starter_register, asked, recorded_as_of=f"seq:{seq}") == []


def test_a_search_as_of_then_knows_the_names_of_then(starter_register: Register) -> None:
    seq = starter_register.get("/health/ready").json()["seq"]
    source = {"name": "Zweihander Institute", "kind": "think_tank", "interest": "independent"}
    assert starter_register.write("PUT", "/v1/sources/csis", source).status_code == 200
    assert {row["source"]["slug"] for row in search_claims(starter_register, "zweihander")} == {"csis"}
    then = f"seq:{seq}"
    assert search_claims(starter_register, "zweihander", recorded_as_of=then) == []
    assert "csis" in {
        row["source"]["slug"] for row in search_claims(starter_register, "strategic", recorded_as_of=then)
    }
    assert "csis" not in {row["source"]["slug"] for row in search_claims(starter_register, "strategic")}


@pytest.mark.parametrize("question", ['"', "NEAR(", "* OR *", "a:b", "') OR 1=1 --", "%", "col1 : x", "-", "\\"])
def test_no_question_is_a_query_language(shared_starter_register: Register, question: str) -> None:
    answer = shared_starter_register.client.get("/v1/claims", params={"q": question})
    assert answer.status_code in {200, 422}
    if answer.status_code == 422:
        assert answer.json()["errors"][0]["pointer"] == "#/q"
