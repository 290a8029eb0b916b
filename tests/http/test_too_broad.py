"""Whether a request is too broad is decided by counted rows: the same status and body on both databases."""

import sqlite3
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from app.changes import queries as changes
from app.charts import side_by_side
from app.claims.counts import queries as counts
from app.claims.search import planner
from app.database.faults import DatabaseFault, classify
from app.topics import candidates, timeline
from app.topics import queries as topics
from tests.examples import assert_problem, make_category_body, make_topic_body, record_example_vocabulary
from tests.registers import Register

QUESTION = "category=killed&subject=russian-personnel"
THEN = f"recorded_as_of={quote('2100-01-01T00:00:00Z')}"


def read_refusal(register: Register, address: str) -> tuple[str, str]:
    """Return the detail and hint of a refusal, which has nothing else that depends on the request."""
    problem = assert_problem(register.get(address), 422, "query_too_broad")
    assert problem["errors"] == []
    return problem["detail"], problem["hint"]


@pytest.fixture
def few_series(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (candidates, topics):
        monkeypatch.setattr(module, "MAX_SERIES", 12)


@pytest.fixture
def few_past_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (candidates, topics):
        monkeypatch.setattr(module, "MAX_PAST_CLAIMS", 20)


@pytest.fixture
def few_counted_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no lookup of more than twenty claims be counted, as in a register with a million of them."""
    monkeypatch.setattr(counts, "MAX_SCANNED_CLAIMS", -1)
    monkeypatch.setattr(planner, "MAX_LOOKUP_CLAIMS", 20)
    for name in ("COUNT_LIMITS", "FULL_TEXT_COUNT_LIMITS"):
        monkeypatch.setattr(planner, name, (20,))


@pytest.mark.usefixtures("few_series")
def test_questions_with_many_series_are_refused(shared_starter_register: Register) -> None:
    detail = "This question is too broad. It has more than 12 series of claims."
    address = "/v1/side-by-side?category=killed&tolerance=0.3"
    assert read_refusal(shared_starter_register, address) == (
        detail,
        "set `subject` or `place` or `aggregation`",
    )
    for name in ("side-by-side", "brief", "chart.svg", "chart.vl.json", "side-by-side.csv"):
        address = f"/v1/topics/russian-casualties/{name}?tolerance=0.3"
        assert read_refusal(shared_starter_register, address)[0] == detail
    page = shared_starter_register.get("/topics/russian-casualties?tolerance=0.3", headers={"accept": "text/html"})
    assert page.status_code == 422
    assert "more than 12 series" in page.text


def test_the_number_of_series_decides_exactly(
    shared_starter_register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses = []
    for limit in range(1, 120):
        monkeypatch.setattr(candidates, "MAX_SERIES", limit)
        address = f"/v1/side-by-side?category=killed&tolerance=0.3&window={limit}"
        statuses.append(shared_starter_register.get(address).status_code)
    first = statuses.index(200)
    assert first > 3
    assert set(statuses[:first]) == {422}
    assert set(statuses[first:]) == {200}
    rows = shared_starter_register.get("/v1/claims?category=killed&limit=1000").json()["data"]
    assert 0 < first + 1 <= len(rows)
    assert first + 1 == 41


def test_comparisons_that_list_many_claims_are_refused(
    shared_starter_register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "MAX_COMPARED_CLAIMS", 4)
    address = "/v1/topics/russian-casualties/side-by-side?tolerance=0.31"
    detail = "This question is too broad. It would list more than 4 claims."
    assert read_refusal(shared_starter_register, address)[0] == detail
    # The summary of a topic lists none.
    assert shared_starter_register.get("/v1/topics/russian-casualties?known_on=2025-05-01").status_code == 200


@pytest.mark.usefixtures("few_past_claims")
def test_past_states_with_many_claims_are_refused(shared_starter_register: Register) -> None:
    detail = "This question is too broad. In a past state of the register it would read more than 20 claims."
    for path in ("", "/side-by-side", "/brief", "/chart.svg", "/timeline"):
        address = f"/v1/topics/russian-casualties{path}?recorded_as_of=seq:400"
        found = read_refusal(shared_starter_register, f"{address}&total=true" if path == "/timeline" else address)
        assert found[0] == detail
        assert found[1].startswith("omit `recorded_as_of`")
    assert read_refusal(shared_starter_register, "/v1/topics?recorded_as_of=seq:401&limit=30") == (
        "The summaries of these topics would read more than 20 claims.",
        "set a smaller `limit`, or omit `recorded_as_of`",
    )
    assert read_refusal(shared_starter_register, "/v1/topics?recorded_as_of=seq:401&limit=2&sort=claims")[1] == (
        "omit `sort`, or omit `recorded_as_of`"
    )
    assert shared_starter_register.get("/v1/topics?limit=5").status_code == 200
    assert shared_starter_register.get("/v1/topics/russian-casualties/timeline?recorded_as_of=seq:400").is_success


@pytest.mark.usefixtures("few_series")
def test_topics_as_known_on_a_day_are_refused_if_they_have_many_series(shared_starter_register: Register) -> None:
    assert read_refusal(shared_starter_register, "/v1/topics?known_on=2025-06-13&limit=20") == (
        "The summaries of these topics would read more than 12 series of claims.",
        "set a smaller `limit`, or omit `known_on`",
    )


@pytest.mark.usefixtures("few_counted_claims")
def test_totals_of_many_claims_are_refused(shared_starter_register: Register) -> None:
    detail = "There are too many claims to count."
    for filters, missing in (
        ("value_min=1", "`source` or `topic` or `category` or a short `date_from`–`date_to`"),
        ("q=russian", "`source` or `topic` or `category` or a short `date_from`–`date_to`"),
        ("period_from=1990-01-01&category=killed", "`source` or `topic` or a short `date_from`–`date_to`"),
    ):
        address = f"/v1/claims?{filters}&total=true&limit=3"
        assert read_refusal(shared_starter_register, address) == (detail, f"leave `total` out, or add {missing}")
    # These are known from stored counts.
    for filters in ("", "category=killed&", "modality=estimate&", "confidence=high&"):
        answer = shared_starter_register.get(f"/v1/claims?{filters}total=true&limit=999").json()
        assert answer["meta"]["total"] == len(answer["data"]) > 0
    answer = shared_starter_register.get("/v1/claims?q=the&limit=3")
    assert answer.status_code == 200


def test_totals_of_filtered_changes_are_refused_in_a_long_log(
    shared_starter_register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = shared_starter_register.get("/v1/changes?kind=claim&total=true&limit=2").json()["meta"]["total"]
    latest = shared_starter_register.get("/v1/register").json()["seq"]
    monkeypatch.setattr(changes, "MAX_COUNTED_CHANGES", 50)
    for filters in ("kind=claim", "topic=russian-casualties"):
        assert read_refusal(shared_starter_register, f"/v1/changes?{filters}&total=true&limit=3") == (
            "There are more than 50 changes after 0, too many to count some of them.",
            "leave `total` out, or set a later `after`",
        )
        address = f"/v1/changes?{filters}&total=true&limit=3&after={latest - 50}"
        assert shared_starter_register.get(address).json()["meta"]["total"] <= 50
    assert counted < latest
    assert shared_starter_register.get("/v1/changes?total=true&limit=3").json()["meta"]["total"] == latest
    assert shared_starter_register.get("/v1/changes?total=true&limit=3&after=10").json()["meta"]["total"] == latest - 10


def test_a_topic_on_very_many_questions_is_refused_and_no_error(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has a limit for the parts of a statement, which a timeline exceeded from 250 questions on."""
    record_example_vocabulary(register)
    for n in range(300):
        body = make_category_body(f"Part {n}", parent="casualties")
        assert register.write("PUT", f"/v1/categories/part-{n}", body).status_code == 201
    assert register.write("PUT", "/v1/topics/wide", make_topic_body()).status_code == 201
    assert read_refusal(register, "/v1/topics/wide/timeline")[0].endswith(
        f"It has more than {timeline.MAX_QUESTIONS} combinations of category, subject and place."
    )
    for path in ("", "/side-by-side", "/brief", "/claims", "/feed.atom", "/chart.svg"):
        assert register.get(f"/v1/topics/wide{path}").status_code == 200
    monkeypatch.setattr(candidates, "MAX_SERIES", 300)
    assert read_refusal(register, "/v1/topics/wide/side-by-side?tolerance=0.1") == (
        "This question is too broad. It has more than 300 questions.",
        "set `aggregation`, or set `narrower=false`",
    )


def test_a_chart_with_more_groups_than_rows_leaves_groups_out(
    shared_starter_register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "MAX_ROWS", 1)
    assert shared_starter_register.get("/v1/topics/russian-casualties/chart.svg?tolerance=0.17").status_code == 200


class _Timeout(psycopg.errors.QueryCanceled):
    """What PostgreSQL raises at `statement_timeout`."""


def _interrupted(dialect: str) -> Exception:
    if dialect == "postgresql":
        return _Timeout("canceling statement due to statement timeout")
    error: Any = sqlite3.OperationalError("interrupted")
    error.sqlite_errorcode = sqlite3.SQLITE_INTERRUPT
    return error  # type: ignore[no-any-return]


def test_a_statement_over_the_time_limit_is_told_as_503(
    shared_starter_register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OperationalError("SELECT", {}, _interrupted(shared_starter_register.database.dialect))
    assert classify(error) is DatabaseFault.late

    def interrupt(*_: object, **__: object) -> None:
        raise error

    for target, address in (
        ("app.claims.routes.find_claims", "/v1/claims?limit=17&q=the"),
        ("app.claims.queries.count_matching", "/v1/claims?limit=18&total=true"),
        ("app.topics.side_by_side.load_candidates", "/v1/side-by-side?category=killed&tolerance=0.77"),
        ("app.claims.counts.routes.count_claims", "/v1/claims/counts?by=year&category=killed"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(target, interrupt)
            answer = shared_starter_register.get(address)
        problem = assert_problem(answer, 503, "unavailable")
        assert (problem["reason"], answer.headers["retry-after"]) == ("late", "2")
        assert problem["hint"] == "try again, or add filters to narrow the query"
