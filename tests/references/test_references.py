"""Citations of a claim as a sentence, a reference and a cell, for the state that was read."""

import re
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from app.references.bibliography import (
    build_document_item,
    build_record_item,
    escape_bibtex,
    format_bibtex,
    list_caveats,
)
from app.sentences.sentence import write_claim_text
from app.starter.load import starter_id
from tests.examples import (
    make_citation_body,
    make_unique_claim_body,
    read_all_rows,
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register
from tests.sentences.claim_factories import make_citation, make_claim, make_names
from tests.sentences.starter_sentences import SENTENCES_FILE, read_sentences

CSIS = starter_id("csis-2025-06-03")
EXAMPLE = (
    "CSIS estimated on 3 June 2025 that Russian forces had suffered over 950,000 casualties (killed and wounded) in "
    "Ukraine since 24 February 2022, the Kyiv Independent reported."
)
BASES = " This is based on figures from the UK Ministry of Defence and the United States Department of Defense."
BASES_IN_CELL = "based on UK Ministry of Defence and United States Department of Defense"
FORMS = ("citation", "citation.txt", "citation.csl.json", "citation.bib", "figure.txt")


class CslName(BaseModel, extra="forbid"):
    literal: str


class CslDate(BaseModel, extra="forbid"):
    date_parts: list[Annotated[list[int], Field(min_length=1, max_length=3)]] = Field(
        alias="date-parts", min_length=1, max_length=2
    )


class CslItem(BaseModel, extra="forbid"):
    """The types of the variables that are used, from the CSL input schema 1.0.2."""

    id: str
    type: Literal["article-newspaper", "dataset", "document", "entry", "report", "webpage"]
    title: Annotated[str, Field(min_length=1)]
    note: Annotated[str, Field(min_length=1)]
    author: list[CslName] = []
    container_title: str = Field(default="", alias="container-title")
    issued: CslDate | None = None
    url: str = Field(default="", alias="URL")
    archive_location: str = ""
    language: str = ""
    version: str = ""


CSL = TypeAdapter(list[CslItem])


@pytest.fixture(scope="module")
def claims(shared_starter_register: Register) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = shared_starter_register.get("/v1/claims?limit=1000").json()["data"]
    return rows


def get(register: Register, path: str, **more: Any) -> Any:
    answer = register.get(path, **more)
    assert answer.status_code == 200, answer.text
    return answer


def test_the_sentence_of_the_contract(shared_starter_register: Register) -> None:
    answer = get(shared_starter_register, f"/v1/claims/{CSIS}/citation.txt")
    assert answer.text == f"{EXAMPLE}{BASES}\n"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert get(shared_starter_register, f"/v1/claims/{CSIS}/figure.txt").text == f"over 950,000 ({BASES_IN_CELL})"


def test_the_citation_says_what_it_rests_on(shared_starter_register: Register) -> None:
    claim = get(shared_starter_register, f"/v1/claims/{CSIS}").json()
    body = get(shared_starter_register, claim["links"]["citation"]).json()
    assert (body["claim"], body["revision"], body["recorded_at"]) == (CSIS, 1, claim["recorded_at"])
    assert (body["sentence"], body["language"]) == (EXAMPLE + BASES, "en")
    assert body["figure"] == f"over 950,000 ({BASES_IN_CELL})"
    assert body["short"].startswith("CSIS, 3 June 2025: over 950,000 casualties")
    assert body["document"]["publisher"] == "kyiv-independent"
    assert body["csl"]["URL"] == body["document"]["url"]
    assert any("nearly" in caveat for caveat in body["caveats"])
    assert get(shared_starter_register, body["links"]["permanent"]).json() == body
    for name in ("text", "csl", "bibtex", "figure", "claim"):
        get(shared_starter_register, body["links"][name])


def test_every_starter_claim_has_a_sentence_that_a_reader_can_judge(shared_starter_register: Register) -> None:
    told = read_sentences(shared_starter_register)
    assert told == SENTENCES_FILE.read_text(encoding="utf-8").splitlines(), (
        "the sentences changed: run `python -m tests.sentences.starter_sentences`, and read the difference"
    )


def test_every_starter_sentence_keeps_claimant_and_figure(
    shared_starter_register: Register, claims: list[dict[str, Any]]
) -> None:
    for claim in claims:
        body = get(shared_starter_register, f"/v1/claims/{claim['id']}/citation").json()
        sentence = body["sentence"]
        assert re.search(r"[^.]\.$", sentence), sentence
        assert not re.search(r"None|  |\n| [,.;]|\(\)|“”", sentence), sentence
        claimant = sentence.casefold().split(" on ")[0]
        name = claim["source"]["name"].partition(" (")[0].partition(",")[0].casefold()
        assert set(name.split()) & set(claimant.split()) or claim["source"]["slug"] in claimant, sentence
        figure = claim["figure"]
        if figure["kind"] == "none":
            assert claim["proposition"] == "peak_period" or f"“{figure['as_printed']}”" in sentence
            continue
        assert body["figure"].partition(" (")[0].removesuffix(" a day") in sentence
        if figure["kind"] in ("lower_bound", "upper_bound"):
            assert re.match(r"over|more than|at least|nearly|almost|as many as|up to", body["figure"]), body["figure"]
        if figure["kind"] == "approximate":
            assert re.match(r"about|around|approximately|roughly|some", body["figure"]), body["figure"]


def test_csl_json_is_what_the_schema_asks_for(shared_starter_register: Register, claims: list[dict[str, Any]]) -> None:
    for claim in claims:
        answer = get(shared_starter_register, f"/v1/claims/{claim['id']}/citation.csl.json")
        assert answer.headers["content-type"] == "application/vnd.citationstyles.csl+json"
        items = answer.json()
        CSL.validate_python(items, strict=True)
        assert len({item["id"] for item in items}) == len(items) == 2
        assert items[1]["version"] == "revision 1"


def test_only_the_claimants_own_document_has_it_as_author() -> None:
    own, relayed = make_claim(citations=[make_citation("csis", role="original")]), make_claim()
    item = build_document_item(own, make_names(own), write_claim_text(own, make_names(own)))
    assert item is not None
    assert item["author"] == [{"literal": "Center for Strategic and International Studies"}]
    assert item["type"] == "report"
    other = build_document_item(relayed, make_names(relayed), write_claim_text(relayed, make_names(relayed)))
    assert other is not None
    assert (other["type"], "author" in other, "issued" in other) == ("article-newspaper", False, False)


def test_the_record_is_linked_only_where_it_has_a_public_address() -> None:
    made = make_claim()
    told = write_claim_text(made, make_names(made))
    assert "URL" not in build_record_item(made, told, "")
    assert build_record_item(made, told, "https://claims.example.org/v1/x")["URL"] == "https://claims.example.org/v1/x"


def test_bibtex_is_escaped_and_balanced() -> None:
    document = {
        "title": r"50% of {A_B} & C#1 ~ $5 \ ^ “é”" + "\n next",
        "url": "https://example.org/a_b?c=1%20&d={x}\\y#z",
    }
    made = make_claim(citations=[make_citation("csis", role="original", document=document)])
    told = write_claim_text(made, make_names(made))
    item = build_document_item(made, make_names(made), told)
    assert item is not None
    text = format_bibtex([item, build_record_item(made, told, "")])
    assert (
        r"title = {{50\% of \textbraceleft{}A\_B\textbraceright{} \& C\#1 \textasciitilde{} \$5 \textbackslash{}"
        r" \textasciicircum{} “é” next}}"
    ) in text
    assert "url = {https://example.org/a_b?c=1%20&d=%7Bx%7D%5Cy#z}" in text
    assert "author = {{Center for Strategic and International Studies}}" in text
    depth = 0
    for character in text:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0
    keys = re.findall(r"^@misc\{([a-z0-9-]+),$", text, re.MULTILINE)
    assert len(set(keys)) == len(keys) == 2
    assert escape_bibtex("a\tb") == "a b"


def test_bibtex_of_every_starter_claim_has_two_entries(
    shared_starter_register: Register, claims: list[dict[str, Any]]
) -> None:
    for claim in claims[::7]:
        answer = get(shared_starter_register, f"/v1/claims/{claim['id']}/citation.bib")
        assert answer.headers["content-type"] == "application/x-bibtex; charset=utf-8"
        assert answer.text.count("\n@misc{") + answer.text.startswith("@misc{") == 2


def test_a_key_and_an_id_stand_for_one_content_in_the_whole_register(starter_register: Register) -> None:
    register = starter_register
    record_example_vocabulary(register)
    shared = make_citation_body("https://example.org/shared")
    made = [submit_claim(register, make_unique_claim_body(citations=[shared])) for _ in range(3)]
    undated = {"title": "A page without a day"}
    made += [submit_claim(register, make_unique_claim_body(citations=[{"document": undated}])) for _ in range(2)]
    retraction = {"reason": "Taken back.", "retracted_on": "2026-11-01"}
    address = f"/v1/claims/{made[0]['id']}/retraction"
    assert register.write("POST", address, retraction, **{"If-Match": "*"}).status_code == 200
    entries: dict[str, set[str]] = {}
    items: dict[str, set[str]] = {}
    states = ("?known_on=2026-10-01", "?known_on=2026-10-01T08:00:00%2B03:00", "?known_on=2026-12-01")
    for number, claim in enumerate(read_all_rows(register, "/v1/claims", sort="-recorded")):
        is_read_in_all_states = number % 20 == 0 or number < len(made)
        for query in ("", *states) if is_read_in_all_states else ("",):
            path = f"/v1/claims/{claim['id']}/citation"
            answer = register.get(f"{path}.bib{query}")
            if query and answer.status_code == 404:
                continue  # it had not been said by then
            assert answer.status_code == 200, answer.text
            for entry in re.split(r"^(?=@misc\{)", answer.text, flags=re.MULTILINE)[1:]:
                entries.setdefault(entry.split(",")[0], set()).add(entry)
            for item in get(register, f"{path}.csl.json{query}").json() if is_read_in_all_states else ():
                items.setdefault(item["id"], set()).add(str(sorted(item.items())))
    assert len(entries) >= len(items) >= 2 * len(made)
    assert [key for key, contents in entries.items() if len(contents) > 1] == []
    assert [id_ for id_, contents in items.items() if len(contents) > 1] == []


def test_what_the_sentence_has_no_room_for_is_listed() -> None:
    others = [
        make_citation("ap", fidelity="distorted", gap="Prints it as killed."),
        make_citation("reuters", fidelity="rounded"),
    ]
    made = make_claim(citations=[make_citation(gap="Undated."), *others], note="A floor.")
    found = list_caveats(made, make_names(made), write_claim_text(made, make_names(made)))
    assert found == [
        "Undated.",
        "The Associated Press changes the figure or its meaning. Prints it as killed.",
        "A floor.",
    ]


@pytest.mark.parametrize("form", FORMS)
def test_an_answer_that_the_client_has_is_not_sent_again(shared_starter_register: Register, form: str) -> None:
    answer = get(shared_starter_register, f"/v1/claims/{CSIS}/{form}")
    assert answer.headers["etag"].startswith('"1-')
    again = shared_starter_register.get(f"/v1/claims/{CSIS}/{form}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("form", FORMS)
def test_what_is_not_there_is_a_problem(shared_starter_register: Register, form: str) -> None:
    for path, status in (
        (f"/v1/claims/nothing/{form}", 404),
        (f"/v1/claims/{CSIS}/{form}?recorded_as_of=seq:0", 404),
        (f"/v1/claims/{CSIS}/{form}?recorded_as_of=seq:999999", 422),
        (f"/v1/claims/{CSIS}/{form}?known=2025-06-12", 422),
        (f"/v1/claims/{CSIS}/{form}?known_on=yesterday", 422),
    ):
        answer = shared_starter_register.get(path)
        assert answer.status_code == status, path
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_citation_stays_as_it_was_read_whatever_is_changed_later(starter_register: Register) -> None:
    address = f"/v1/claims/{CSIS}/citation"
    before = get(starter_register, address)
    permanent = before.json()["links"]["permanent"]
    kept = {form: get(starter_register, permanent.replace("citation", form, 1)).content for form in FORMS}
    source = starter_register.get("/v1/sources/csis").json()
    renamed = {name: source[name] for name in ("kind", "interest", "url", "description")} | {"name": "CSIS, Washington"}
    assert starter_register.write("PUT", "/v1/sources/csis", renamed).status_code == 200
    taken = {"reason": "The institute took it back.", "retracted_on": "2025-07-01"}
    retracted = starter_register.write("POST", f"/v1/claims/{CSIS}/retraction", taken, **{"If-Match": "*"})
    assert retracted.status_code == 200, retracted.text
    now = get(starter_register, address).json()
    told = EXAMPLE.replace("CSIS", "CSIS, Washington,", 1).removesuffix(".")
    assert now["sentence"] == f"{told}; the claim was later retracted by its source, on 1 July 2025.{BASES}"
    assert (now["revision"], now["status"]) == (2, "retracted")
    assert get(starter_register, f"/v1/claims/{CSIS}/figure.txt").text == f"over 950,000 ({BASES_IN_CELL}; retracted)"
    assert "retracted" not in get(starter_register, f"{address}.txt?known_on=2025-06-30").text
    for form, content in kept.items():
        assert get(starter_register, permanent.replace("citation", form, 1)).content == content
    assert get(starter_register, permanent).content == before.content


def test_an_unrelated_change_leaves_the_citation_as_it_is(starter_register: Register) -> None:
    address = f"/v1/claims/{CSIS}/citation"
    before = get(starter_register, address)
    other = starter_register.get("/v1/sources/gchq").json()
    renamed = {name: other[name] for name in ("kind", "interest")} | {"name": "Cheltenham"}
    assert starter_register.write("PUT", "/v1/sources/gchq", renamed).status_code == 200
    assert get(starter_register, address).headers["etag"] == before.headers["etag"]


@pytest.mark.parametrize("form", FORMS)
def test_a_claim_that_was_taken_down_is_gone_in_every_form(starter_register: Register, form: str) -> None:
    taken = starter_register.write("POST", f"/v1/claims/{CSIS}/takedown", {"reason": "By order."}, **{"If-Match": "*"})
    assert taken.status_code == 200, taken.text
    for query in ("", "?recorded_as_of=seq:400"):
        answer = starter_register.get(f"/v1/claims/{CSIS}/{form}{query}")
        assert answer.status_code == 410, answer.text
        assert "950,000" not in answer.text
