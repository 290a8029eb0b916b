"""A claim is recorded completely, or refused with all its faults."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tests.examples import (
    PERIOD_BODY,
    assert_problem,
    make_citation_body,
    make_claim_body,
    make_figure_body,
    make_unique_claim_body,
    read_all_rows,
    read_latest_seq,
    record_example_vocabulary,
    submit_claim,
)
from tests.registers import Register

TOMORROW = (datetime.now(UTC).date() + timedelta(days=2)).isoformat()


@pytest.fixture(scope="module")
def desk(database_copies: Any) -> Iterator[Register]:
    """A register with a vocabulary and one claim, for requests that are refused and change nothing."""
    from tests.registers import open_register  # noqa: PLC0415 - used only by this fixture

    for register in open_register(database_copies.create_copy("empty")):
        record_example_vocabulary(register)
        submit_claim(register, make_claim_body())
        yield register


# The table of wordings in section 3 of the contract: words, numbers given, kind, what else is stored.
WORDINGS: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("1,351", {"value": 1351}, "plain", {"approximate": False}),
    ("approximately 1,149", {"value": 1149, "approximate": True}, "approximate", {"lower": None, "upper": None}),
    ("surpassed one million", {"lower": 1000000, "lower_inclusive": False}, "lower_bound", {"value": None}),
    ("over 950,000", {"lower": 950000, "lower_inclusive": False}, "lower_bound", {"upper_inclusive": None}),
    ("at least 300", {"lower": 300}, "lower_bound", {"lower_inclusive": True}),
    ("up to 250,000", {"upper": 250000}, "upper_bound", {"upper_inclusive": True, "lower": None}),
    (
        "nearly 950,000",
        {"upper": 950000, "upper_inclusive": False, "approximate": True},
        "upper_bound",
        {"value": None, "lower": None},
    ),
    ("60,000–70,000", {"lower": 60000, "upper": 70000}, "range", {"value": None, "coverage": None}),
    (
        "60,000–70,000, best guess 66,000, with 95% confidence",
        {"lower": 60000, "upper": 70000, "value": 66000, "coverage": 0.95},
        "range",
        {"value": 66000, "coverage": 0.95},
    ),
    ("thousands more", {}, "vague", {"value": None, "lower": None, "upper": None}),
    ("12 of the 100 survived", {"value": 12, "out_of": 100}, "plain", {"out_of": 100, "unit": "persons"}),
    ("−0.2 °C against 1951–1980", {"value": -0.2, "relative_to": "1951-1980"}, "plain", {"relative_to": "1951-1980"}),
]


def test_every_wording_of_the_contract_comes_back_as_it_was_stored(register: Register) -> None:
    record_example_vocabulary(register)
    for words, numbers, kind, more in WORDINGS:
        category = "survived" if (numbers.get("value") or 0) < 0 else "killed"
        made = submit_claim(register, make_claim_body(category=category, figure={"as_printed": words, **numbers}))
        assert made["figure"]["as_printed"] == words
        assert made["figure"]["kind"] == kind
        assert made["figure"].items() >= {**numbers, **more}.items()
        assert register.get(made["links"]["self"]).json() == made
    assert len(read_all_rows(register, "/v1/claims")) == len(WORDINGS)


def test_a_ratio_names_what_it_is_measured_against(register: Register) -> None:
    record_example_vocabulary(register)
    printed = {"as_printed": "one to five", "value": 1, "out_of": 5, "relative_to": "militia"}
    made = submit_claim(register, make_claim_body(proposition="ratio", figure=printed))
    assert made["figure"].items() >= printed.items()
    left_out = {key: value for key, value in printed.items() if key != "value"}
    again = register.write("POST", "/v1/claims", make_claim_body(proposition="ratio", figure=left_out))
    assert_problem(again, 409, "duplicate_claim")  # the wording states it
    for name in ("out_of", "relative_to"):
        short = {key: value for key, value in printed.items() if key != name}
        refused = register.write("POST", "/v1/claims", make_claim_body(proposition="ratio", figure=short))
        pointer = assert_problem(refused, 422)["errors"][0]["pointer"]
        assert pointer in (f"#/figure/{name}", "#/figure/out_of")


def test_a_statement_without_a_figure_has_the_kind_none(register: Register) -> None:
    record_example_vocabulary(register)
    words = {"as_printed": "the heaviest losses fell in September–November 2024"}
    period = {"edtf": "2024-09/2024-11", "aggregation": "within"}
    for proposition in ("peak_period", "trend", "existence", "denial"):
        made = submit_claim(register, make_claim_body(proposition=proposition, figure=words, period=period))
        assert made["figure"]["kind"] == "none"
        assert (made["period"]["start"], made["period"]["end"]) == ("2024-09-01", "2024-11-30")
        refused = register.write(
            "POST", "/v1/claims", make_claim_body(proposition=proposition, figure=make_figure_body())
        )
        assert assert_problem(refused, 422)["errors"][0]["pointer"] == "#/figure/value"


def test_the_smallest_claim_gets_nothing_that_nobody_said(register: Register) -> None:
    record_example_vocabulary(register)
    answer = register.write("POST", "/v1/claims", make_claim_body(date=None), role="contributor")
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["location"] == made["links"]["self"]
    assert answer.headers["etag"].startswith('"1-')
    citation_id, document_id = made["citations"][0].pop("id"), made["citations"][0]["document"].pop("id")
    assert citation_id != document_id
    expected = {
        "revision": 1,
        "status": "asserted",
        "category": "killed",
        "subject": "army",
        "place": "war",
        "proposition": "quantity",
        "modality": "estimate",
        "derivation": "unknown",
        "figure": {
            "as_printed": "1,351",
            "language": None,
            "kind": "plain",
            "value": 1351,
            "lower": None,
            "upper": None,
            "lower_inclusive": None,
            "upper_inclusive": None,
            "approximate": False,
            "coverage": None,
            "out_of": None,
            "relative_to": None,
            "relative_to_kind": None,
            "unit": "persons",
            "display": "1,351 persons",
            "wording_differs": None,
        },
        "period": {**PERIOD_BODY, "start": "2022-02-24", "end": "2025-06-12", "per": None},
        "date": None,
        "date_edtf": None,
        "said_at": None,
        "source": {
            "slug": "ministry",
            "name": "The ministry",
            "short_name": None,
            "kind": "government",
            "interest": "party",
            "terms": None,
        },
        "confidence": None,
        "includes": [],
        "excludes": [],
        "citations": [
            {
                "document": {
                    "title": "The report",
                    "publisher": "paper",
                    "publisher_name": "The paper",
                    "url": "https://example.org/report",
                    "archive_url": None,
                    "published_on": None,
                    "language": None,
                    "terms": None,
                    "content_sha256": None,
                },
                "leading": True,
                "role": "relay",
                "via": [],
                "fidelity": "paraphrase",
                "quote": None,
                "quote_language": None,
                "translation": None,
                "locator": None,
                "gap": None,
                "withdrawn_on": None,
            }
        ],
        "note": None,
        "retracted_on": None,
        "recorded_until": None,
    }
    assert made.items() >= expected.items()


FULL = make_claim_body(
    derivation="derived",
    figure={
        "as_printed": "60,000–70,000",
        "lower": 60000,
        "upper": 70000,
        "lower_inclusive": True,
        "upper_inclusive": True,
        "value": 66000,
        "coverage": 0.95,
        "kind": "range",
        "unit": "persons",
    },
    date_edtf="2025-06",
    date="2025-06-12",
    source={"slug": "ministry", "name": "as it is served"},
    includes=["militia"],
    excludes=["brigade"],
    note="Читай уважно.",
    citations=[
        {
            "document": {
                "url": "https://example.org/full",
                "title": "Звіт",
                "publisher": "ministry",
                "published_on": "2025-06-13",
                "language": "uk",
                "archive_url": "https://web.archive.org/x",
                "content_sha256": "0" * 64,
                "retrieved_at": "2025-06-14T10:00:00+02:00",
                "terms": "CC BY 4.0",
            },
            "via": ["agency", "paper"],
            "fidelity": "verbatim",
            "quote": "Втратили від шістдесяти до сімдесяти тисяч.",
            "quote_language": "uk",
            "translation": "sixty thousand",
            "locator": "paragraph 1",
            "gap": "The agency's text was not seen.",
            "withdrawn_on": "2025-07-01",
        }
    ],
    confidence={
        "level": "low",
        "reliability": "C",
        "credibility": "3",
        "stated": "likely",
        "assessor": "desk",
        "assessed_on": "2025-06-20",
        "rationale": "A party counts.",
    },
)


def test_a_claim_with_everything_keeps_everything(register: Register) -> None:
    record_example_vocabulary(register)
    made = submit_claim(register, FULL)
    assert made["figure"].items() >= FULL["figure"].items()
    same = ("derivation", "date", "date_edtf", "includes", "excludes", "note", "confidence")
    assert {name: made[name] for name in same} == {name: FULL[name] for name in same}
    given, cited = FULL["citations"][0], made["citations"][0]
    assert cited["role"] == "original"
    assert {k: v for k, v in cited.items() if k in given and k != "document"} == {
        k: v for k, v in given.items() if k != "document"
    }
    document = register.get(f"/v1/documents/{cited['document']['id']}").json()
    assert document.items() >= {**given["document"], "retrieved_at": "2025-06-14T08:00:00Z"}.items()
    assessments = read_all_rows(register, f"{made['links']['assessments']}")
    assert [each["rationale"] for each in assessments] == ["A party counts."]


def change_field(path: str, value: Any) -> dict[str, Any]:
    """Return a claim with one field changed, at a `path` like `figure/value`; `...` removes it."""
    body: Any = make_claim_body(note="Changed.")
    *way, last = (int(step) if step.isdigit() else step for step in path.split("/"))
    inner = body
    for step in way:
        inner = inner[step]
    if value is ...:
        del inner[last]
    elif isinstance(inner, list):
        inner.insert(int(last), value)
    else:
        inner[last] = value
    return dict(body)


BOUNDS = {"as_printed": "2-1", "lower": 2, "upper": 1}
NO_ID = "0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60"
REFUSED: list[tuple[str, Any, str, str | None]] = [
    # path, new value, pointer, a part of the hint (None: not checked)
    ("figure", BOUNDS, "#/figure/lower", "Swap"),
    ("figure", {"value": 5}, "#/figure/as_printed", None),
    ("figure", {"as_printed": "", "value": 5}, "#/figure/as_printed", None),
    ("figure", {"as_printed": " \u00a0\t", "value": 5}, "#/figure/as_printed", None),
    ("figure", {"as_printed": "1.200"}, "#/figure/as_printed", "say the `language`"),
    ("figure", {"as_printed": "1 million 340"}, "#/figure/as_printed", "write the number in digits"),
    ("figure", {"as_printed": "over 950,000", "kind": "vague"}, "#/figure/kind", "leave `kind` out"),
    ("figure", {"as_printed": "5", "value": 5, "kind": "range"}, "#/figure/kind", None),
    ("figure", {"as_printed": "5", "value": 5, "kind": "rang"}, "#/figure/kind", "range"),
    ("figure", {"as_printed": "5", "value": 5, "unit": "tanks"}, "#/figure/unit", "leave `unit` out"),
    ("figure", {"as_printed": "5", "value": 5, "lower_inclusive": True}, "#/figure/lower_inclusive", None),
    ("figure", {"as_printed": "1-5", "lower": 1, "upper": 5, "value": 7}, "#/figure/value", None),
    ("figure", {"as_printed": "1-5", "lower": 1, "upper": 5, "coverage": 95}, "#/figure/coverage", None),
    ("figure", {"as_printed": "1-5", "lower": 1, "upper": 5, "coverage": 0}, "#/figure/coverage", None),
    ("figure", {"as_printed": "5", "value": 5, "relative_to": " "}, "#/figure/relative_to", None),
    ("figure", {"as_printed": "5", "valeu": 5}, "#/figure/valeu", "`value`"),
    ("figure/value", 1234567890123456, "#/figure/value", None),
    ("figure/value", 0.1234567890123456, "#/figure/value", None),
    ("figure/value", 10**18, "#/figure/value", None),
    ("figure/value", -(10**18), "#/figure/value", None),
    ("figure/value", 2**63, "#/figure/value", None),
    ("figure/value", 10**300, "#/figure/value", None),
    ("figure/value", "1351", "#/figure/value", None),
    ("figure/value", True, "#/figure/value", None),
    ("figure/value", [1351], "#/figure/value", None),
    ("figure/out_of", "100", "#/figure/out_of", None),
    ("figure/approximate", "perhaps", "#/figure/approximate", None),
    ("figure", None, "#/figure", None),
    ("figure", "1,351", "#/figure", None),
    ("figure", ..., "#/figure", None),
    ("period/edtf", "2025-02-30", "#/period/edtf", None),
    ("period/edtf", "2025-13", "#/period/edtf", None),
    ("period/edtf", "2025-06-12/2022-02-24", "#/period/edtf", "ends before"),
    ("period/edtf", "12.06.2025", "#/period/edtf", "2025-06-12"),
    ("period/edtf", "", "#/period/edtf", None),
    ("period/edtf", "/", "#/period/edtf", "../.."),
    ("period/aggregation", "total", "#/period/aggregation", None),
    ("period", ..., "#/period", None),
    ("date", "2025-02-30", "#/date", None),
    ("date", "12.06.2025", "#/date", None),
    ("date", 20250612, "#/date", None),
    ("date", "2025-06-12T00:00:00", "#/date", None),
    ("date", TOMORROW, "#/date", None),
    ("date_edtf", "2025-07", "#/date", None),
    ("date_edtf", "9998", "#/date_edtf", None),
    ("date_edtf", "2022/2023", "#/date", "within"),
    ("date_edtf", "June 2025", "#/date_edtf", None),
    ("category", "kiled", "#/category", "`killed`"),
    ("category", "Killed", "#/category", None),
    ("category", "", "#/category", None),
    ("category", "a" * 81, "#/category", None),
    ("category", ..., "#/category", None),
    ("subject", "amry", "#/subject", "`army`"),
    ("place", "wars", "#/place", "`war`"),
    ("source", "ministri", "#/source", "`ministry`"),
    ("source", {"slug": "ministri"}, "#/source", "`ministry`"),
    ("source", {"name": "The ministry"}, "#/source", None),
    ("source", None, "#/source", None),
    ("includes", ["milita"], "#/includes/0", "`militia`"),
    ("excludes", ["brigade", "brigad"], "#/excludes/1", "`brigade`"),
    ("includes", "militia", "#/includes", None),
    ("includes", ["militia"] * 51, "#/includes", None),
    ("modality", "guess", "#/modality", None),
    ("modality", "estimat", "#/modality", "`estimate`"),
    ("proposition", "number", "#/proposition", None),
    ("derivation", 5, "#/derivation", None),
    ("citations", [], "#/citations", None),
    ("citations", ..., "#/citations", None),
    ("citations", [{}], "#/citations/0/document", None),
    ("citations", [{"document": {}}], "#/citations/0/document/title", None),
    ("citations", [{"document": {"id": NO_ID}}], "#/citations/0/document/id", None),
    ("citations", [{"document": NO_ID}], "#/citations/0/document/id", None),
    ("citations", [{"document": "x"}], "#/citations/0/document/id", None),
    ("citations/1", make_citation_body(via=["agenci"]), "#/citations/1/via/0", "`agency`"),
    ("citations/0/document/publisher", "papre", "#/citations/0/document/publisher", "`paper`"),
    ("citations/0/document/url", "example.org", "#/citations/0/document/url", None),
    ("citations/0/document/url", "javascript:alert(1)", "#/citations/0/document/url", None),
    ("citations/0/document/language", "Ukrainian (old)", "#/citations/0/document/language", None),
    ("citations/0/document/content_sha256", "abc", "#/citations/0/document/content_sha256", None),
    ("citations/0/document/published_on", "2025-02-30", "#/citations/0/document/published_on", None),
    ("citations/0/document/retrieved_at", "noon", "#/citations/0/document/retrieved_at", None),
    (
        "citations/0/document/retrieved_at",
        "9999-12-31T23:59:59-14:00",
        "#/citations/0/document/retrieved_at",
        None,
    ),
    ("citations/0/qoute", "x", "#/citations/0/qoute", "`quote`"),
    ("citations/0/fidelity", "exact", "#/citations/0/fidelity", None),
    ("citations/0/quote", "x" * 5_001, "#/citations/0/quote", None),
    ("note", "x" * 200_000, "#/note", None),
    ("note", "NUL\0", "#/note", None),
    ("note", 5, "#/note", None),
    ("figure/as_printed", "1\0", "#/figure/as_printed", None),
    ("figure/relative_to", "1\0", "#/figure/relative_to", None),
    ("category", "killed\0", "#/category", None),
    ("period/edtf", "2025\0", "#/period/edtf", None),
    ("date_edtf", "2025\0", "#/date_edtf", None),
    ("citations/0/quote", "\0", "#/citations/0/quote", None),
    ("citations/0/locator", "a\0b", "#/citations/0/locator", None),
    ("citations/0/gap", "a\0b", "#/citations/0/gap", None),
    ("citations/0/document/title", "a\0b", "#/citations/0/document/title", None),
    ("citations/0/document/url", "https://example.org/\0", "#/citations/0/document/url", None),
    ("citations/0/document/terms", "a\0b", "#/citations/0/document/terms", None),
    ("citations/0/document/id", "a\0b", "#/citations/0/document/id", None),
    ("confidence", {"level": "low"}, "#/confidence/rationale", None),
    ("confidence", {"level": "medium", "rationale": "x"}, "#/confidence/level", None),
    ("confidence", {"reliability": "G", "rationale": "x"}, "#/confidence/reliability", None),
    ("confidence", {"credibility": 3, "rationale": "x"}, "#/confidence/credibility", None),
    ("confidence", {"rationale": "x", "assessor": "a" * 81}, "#/confidence/assessor", None),
    ("confidence", {"rationale": "x\0"}, "#/confidence/rationale", None),
    ("confidence", {"rationale": "x", "assessed_on": "0000-00-00"}, "#/confidence/assessed_on", None),
    ("catgory", "killed", "#/catgory", "`category`"),
    ("id", NO_ID, "#/id", None),
    ("a/b~c", 1, "#/a~1b~0c", None),
]


@pytest.mark.parametrize(
    ("path", "value", "pointer", "hint"), REFUSED, ids=[f"{p}={str(v)[:40]}" for p, v, _, _ in REFUSED]
)
def test_what_breaks_the_contract_is_refused_where_it_stands_and_nothing_is_written(
    desk: Register, path: str, value: Any, pointer: str, hint: str | None
) -> None:
    body = {**make_claim_body(), path: value} if path == "a/b~c" else change_field(path, value)
    before = read_latest_seq(desk)
    problem = assert_problem(desk.write("POST", "/v1/claims", body), 422)
    found = {error["pointer"]: error for error in problem["errors"]}
    assert pointer in found, problem
    assert all(error["location"] == "body" for error in problem["errors"])
    if hint is not None:
        assert hint in f"{found[pointer]['hint']} {found[pointer]['detail']}"
    assert read_latest_seq(desk) == before


def test_everything_that_is_wrong_is_told_at_once(desk: Register) -> None:
    body = make_claim_body(
        category="kiled", subject="amry", figure=BOUNDS, period={"edtf": "x", "aggregation": "within"}
    )
    problem = assert_problem(desk.write("POST", "/v1/claims", body), 422)
    pointers = {error["pointer"] for error in problem["errors"]}
    assert pointers == {"#/category", "#/subject", "#/figure/lower", "#/period/edtf"}


def test_a_thousand_things_that_are_wrong_are_refused_quickly(desk: Register) -> None:
    for count in (900, 20_000):
        body = make_claim_body() | {f"unknown-{number}": 1 for number in range(count)}
        started = time.process_time()
        answer = desk.write("POST", "/v1/claims", body)
        cpu_seconds = time.process_time() - started
        problem = assert_problem(answer, 422)
        assert len(problem["errors"]) <= 100
        assert problem["errors"] or "keys" in problem["detail"]
        assert cpu_seconds < 5


def post_bytes(register: Register, body: bytes, **headers: str) -> Any:
    sent = {"Content-Type": "application/json", **register.keys["admin"], **headers}
    return register.post("/v1/claims", content=body, headers=sent)


NUMBER_LITERALS = ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1" * 5000, "1" * 400, "1e15000"]


@pytest.mark.parametrize("literal", NUMBER_LITERALS, ids=[text[:12] for text in NUMBER_LITERALS])
@pytest.mark.parametrize("field", ["value", "lower", "coverage", "out_of"])
def test_a_number_that_json_cannot_carry_is_refused(desk: Register, literal: str, field: str) -> None:
    import json  # noqa: PLC0415 - used only here

    text = json.dumps(make_claim_body(figure={"as_printed": "5", field: 4242})).replace("4242", literal)
    before = read_latest_seq(desk)
    assert_problem(post_bytes(desk, text.encode()), 422)
    assert read_latest_seq(desk) == before


BODIES = {
    "empty": b"",
    "blank": b"  ",
    "no JSON": b"category=killed",
    "half": b'{"category": "killed"',
    "null": b"null",
    "list": b"[]",
    "text": b'"killed"',
    "number": b"5",
    "empty object": b"{}",
    "no UTF-8": b'{"category": "\xff\xfe"}',
    "UTF-16": '{"category": "killed"}'.encode("utf-16"),
    "deep list": b"[" * 100_000,
    "deep object": b'{"figure":' * 50_000 + b"1" + b"}" * 50_000,
    "lone surrogate": b'{"note": "\\ud800"}',
    "lone surrogate as a field": b'{"\\udfff": 1}',
    "NUL as a field": b'{"a\\u0000": 1}',
    "long field": b'{"' + b"a" * 200_000 + b'": 1}',
    "byte order mark": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_is_no_claim_is_refused(desk: Register, body: bytes) -> None:
    before = read_latest_seq(desk)
    problem = assert_problem(post_bytes(desk, body), 422)
    assert problem["errors"] or problem["detail"]
    assert len(problem["detail"]) < 1_000
    assert read_latest_seq(desk) == before


SURROGATE = "\\ud800"


@pytest.mark.parametrize(
    "path", ["note", "category", "figure/as_printed", "citations/0/quote", "citations/0/document/url", "modality"]
)
def test_a_lone_surrogate_is_refused_in_every_text(desk: Register, path: str) -> None:
    import json  # noqa: PLC0415 - used only here

    text = json.dumps(change_field(path, "https://e.org/SURROGATE")).replace("SURROGATE", SURROGATE)
    problem = assert_problem(post_bytes(desk, text.encode()), 422)
    assert problem["errors"][0]["pointer"] == f"#/{path}"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_of_another_type_is_415(desk: Register, kind: str) -> None:
    problem = assert_problem(post_bytes(desk, b"{}", **{"Content-Type": kind}), 415, "unsupported_media_type")
    assert "application/json" in problem["hint"]
    assert_problem(desk.post("/v1/claims", headers=desk.keys["admin"]), 415)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/ld+json"])
def test_json_may_be_called_by_its_other_names(desk: Register, kind: str) -> None:
    assert_problem(post_bytes(desk, b"{}", **{"Content-Type": kind}), 422, "invalid_request")


def test_a_body_larger_than_is_read_is_413(desk: Register) -> None:
    before = read_latest_seq(desk)
    huge = b'{"note": "' + b"x" * desk.settings.max_body_bytes + b'"}'
    problem = assert_problem(post_bytes(desk, huge), 413, "content_too_large")
    assert problem["detail"]

    def dripped() -> Iterator[bytes]:
        for start in range(0, len(huge), 65_536):
            yield huge[start : start + 65_536]

    headers = {"Content-Type": "application/json", **desk.keys["admin"]}
    assert_problem(desk.post("/v1/claims", content=dripped(), headers=headers), 413, "content_too_large")
    assert read_latest_seq(desk) == before


def test_the_same_statement_is_one_claim_however_it_was_printed(register: Register) -> None:
    record_example_vocabulary(register)
    body = make_claim_body(figure=make_figure_body("1,000,340", value=1000340), includes=["militia", "brigade"])
    first = submit_claim(register, body)
    before = read_latest_seq(register)
    for again in (
        body,
        make_claim_body(figure=make_figure_body("1 000 340", value=1000340), includes=["brigade", "militia"]),
        make_claim_body(
            figure=make_figure_body("1.000.340", value=1000340.0), includes=["militia", "brigade"], note="Another note."
        ),
        make_claim_body(
            figure=make_figure_body("1,000,340", value=1000340),
            includes=["militia", "brigade"],
            citations=[make_citation_body("https://example.org/another")],
        ),
    ):
        answer = register.write("POST", "/v1/claims", again)
        problem = assert_problem(answer, 409, "duplicate_claim")
        assert problem["links"] == {"claim": first["links"]["self"]}
        assert problem["claim"] == first["id"]
        assert first["links"]["self"] in answer.headers["link"]
        assert "citations" in problem["hint"]
    assert read_latest_seq(register) == before
    for other in (
        {**body, "date": "2025-06-13"},
        {**body, "source": "minister"},
        {**body, "excludes": ["brigade"], "includes": ["militia"]},
        {**body, "modality": "count"},
        {**body, "figure": {**body["figure"], "approximate": True}},
        {**body, "figure": make_figure_body("more than 1,000,340", lower=1000340)},
        {**body, "period": {**PERIOD_BODY, "aggregation": "within"}},
    ):
        submit_claim(register, other)


def test_words_tell_claims_apart_only_where_there_are_no_numbers(register: Register) -> None:
    record_example_vocabulary(register)
    submit_claim(register, make_claim_body(figure={"as_printed": "thousands more"}))
    again = register.write("POST", "/v1/claims", make_claim_body(figure={"as_printed": "Thousands   more"}))
    assert_problem(again, 409)
    submit_claim(register, make_claim_body(figure={"as_printed": "hundreds"}))


HALF_KNOWN = [
    ("2022-03", None, "2022-03-31"),
    ("2022", None, "2022-12-31"),
    ("2022-03-05~", None, "2022-03-05"),
    ("2022-03", "2022-03-20", "2022-03-20"),
    ("2022-03", "2022-04-20", "2022-03-31"),
    ("2022-21", None, "2022-05-31"),
]


def test_a_half_known_date_is_the_last_day_it_can_mean_but_not_after_publication(register: Register) -> None:
    record_example_vocabulary(register)
    for number, (edtf, published, said_on) in enumerate(HALF_KNOWN):
        document = {"title": f"Document {number}", "published_on": published}
        made = submit_claim(
            register, make_unique_claim_body(date=None, date_edtf=edtf, citations=[{"document": document}])
        )
        assert (made["date"], made["date_edtf"]) == (said_on, edtf)
        for day, known in ((date.fromisoformat(said_on), True), (date.fromisoformat(said_on) - timedelta(1), False)):
            found = {row["id"] for row in read_all_rows(register, "/v1/claims", known_on=str(day))}
            assert (made["id"] in found) is known


def test_a_half_known_date_is_never_later_than_the_recording(register: Register) -> None:
    record_example_vocabulary(register)
    today = datetime.now(UTC).date()
    made = submit_claim(register, make_unique_claim_body(date=None, date_edtf=str(today.year)))
    assert made["date"] == today.isoformat()
    last = date(today.year, 12, 31)
    if last > today:
        refused = register.write(
            "POST", "/v1/claims", make_unique_claim_body(date=str(last), date_edtf=str(today.year))
        )
        assert assert_problem(refused, 422)["errors"][0]["pointer"] == "#/date"


def test_the_role_of_a_citation_follows_from_who_published_it(register: Register) -> None:
    record_example_vocabulary(register)
    published = [
        ("ministry", "original"),
        ("minister", "original"),
        ("paper", "relay"),
        (None, "relay"),
    ]
    cited = [{"document": {"title": f"By {publisher}", "publisher": publisher}} for publisher, _ in published] + [
        {"document": {"title": "Said otherwise", "publisher": "paper"}, "role": "original"}
    ]
    made = submit_claim(register, make_claim_body(citations=cited))
    assert [each["role"] for each in made["citations"]] == [role for _, role in published] + ["original"]


def test_ten_outlets_that_repeat_a_figure_are_citations_of_one_claim(register: Register) -> None:
    record_example_vocabulary(register)
    made = submit_claim(register, make_claim_body())
    path = f"{made['links']['self']}/citations"
    for number in range(3):
        more = {"document": {"title": f"Outlet {number}", "publisher": "paper"}, "via": ["agency"], "quote": "1,351"}
        answer = register.write("POST", path, more, role="contributor")
        assert answer.status_code == 201
        assert answer.json()["revision"] == 1
        assert len(answer.json()["citations"]) == number + 2
    titles = [each["document"]["title"] for each in register.get(made["links"]["self"]).json()["citations"]]
    assert titles == ["The report", "Outlet 0", "Outlet 1", "Outlet 2"]
    assert len(read_all_rows(register, "/v1/claims")) == 1
    before = read_latest_seq(register)
    for body, pointer in (
        ({"document": {}}, "#/document/title"),
        ({"document": {"title": "x"}, "via": ["agenci"]}, "#/via/0"),
        ({"document": {"title": "x", "publisher": "papre"}}, "#/document/publisher"),
        ({"document": NO_ID}, "#/document/id"),
        ({}, "#/document"),
    ):
        assert assert_problem(register.write("POST", path, body), 422)["errors"][0]["pointer"] == pointer
    for unknown in (NO_ID, "x", "%00"):
        body = {"document": {"title": "x"}}
        assert_problem(register.write("POST", f"/v1/claims/{unknown}/citations", body), 404)
    assert read_latest_seq(register) == before


def test_of_one_edition_there_is_one_document(register: Register) -> None:
    record_example_vocabulary(register)
    body = {"url": "https://example.org/one", "title": "One", "published_on": "2025-06-12"}
    first = register.write("POST", "/v1/documents", body, role="contributor")
    assert first.status_code == 201
    assert first.headers["location"] == first.json()["links"]["self"]
    before = read_latest_seq(register)
    again = register.write("POST", "/v1/documents", body)
    assert (again.status_code, again.json()) == (200, first.json())
    differs = register.write("POST", "/v1/documents", {**body, "title": "Another title"})
    assert assert_problem(differs, 409, "document_differs")["document"]["title"] == "One"
    assert read_latest_seq(register) == before
    made = submit_claim(
        register, make_unique_claim_body(citations=[{"document": {"url": "https://example.org/one", "title": "One"}}])
    )
    assert made["citations"][0]["document"]["id"] == first.json()["id"]
    twice = [
        make_citation_body("https://example.org/two"),
        make_citation_body("https://example.org/two", locator="page 2"),
    ]
    made = submit_claim(register, make_unique_claim_body(citations=twice))
    assert len({each["document"]["id"] for each in made["citations"]}) == 1
    for reference in (first.json()["id"], {"id": first.json()["id"]}):
        made = submit_claim(register, make_unique_claim_body(citations=[{"document": reference}]))
        assert made["citations"][0]["document"]["title"] == "One"
    printed = [register.write("POST", "/v1/documents", {"title": title}).json()["id"] for title in ("A book", "B", "B")]
    assert printed[0] != printed[1] == printed[2]
    assert len(read_all_rows(register, "/v1/documents")) == 4


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"title": "x", "publisher": "nobody"}, "#/publisher"),
        ({"url": "https://example.org"}, "#/title"),
        ({"title": ""}, "#/title"),
        ({"title": "x", "url": "ftp://example.org"}, "#/url"),
        ({"title": "x", "url": "https://" + "e" * 2_000}, "#/url"),
        ({"title": "x", "titel": "y"}, "#/titel"),
    ],
)
def test_a_document_that_breaks_the_contract_is_refused(desk: Register, body: dict[str, Any], pointer: str) -> None:
    before = read_latest_seq(desk)
    problem = assert_problem(desk.write("POST", "/v1/documents", body), 422)
    assert problem["errors"][0]["pointer"] == pointer
    assert read_latest_seq(desk) == before


def test_only_an_editor_assesses(register: Register) -> None:
    record_example_vocabulary(register)
    body = make_unique_claim_body(confidence={"level": "low", "rationale": "A party counts."})
    before = read_latest_seq(register)
    assert_problem(register.write("POST", "/v1/claims", body, role="contributor"), 403, "forbidden")
    assert read_latest_seq(register) == before
    made = register.write("POST", "/v1/claims", body, role="editor").json()
    assert made["confidence"]["assessor"] == "editor-key"
    assert made["confidence"]["assessed_on"] == datetime.now(UTC).date().isoformat()
