"""If the answer of PostgreSQL to a commit is lost, the response says what was recorded, and nothing is done twice."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import text

from app.database import transaction
from app.database.engine import Database
from app.database.lost_commits import LOCK_CLOCK
from app.errors import Unavailable
from app.sources.queries import put_source
from app.sources.schemas import SourceInput
from tests.examples import assert_problem, make_source_body, read_latest_seq
from tests.postgresql_proxy import Cut, PostgresqlProxy, postgresql_proxy
from tests.registers import Register, create_keys, make_settings, open_database, serve

pytestmark = pytest.mark.parametrize("database_copies", ["postgresql"], indirect=True)

CONCURRENT_WRITES = 24


@dataclass
class Lossy:
    """A register whose database is behind a proxy."""

    register: Register
    proxy: PostgresqlProxy

    def cut(self, cuts: int, when: Cut, *, stays_away: bool = False) -> None:
        self.proxy.cut, self.proxy.cuts, self.proxy.is_away_after_cut = when, cuts, stays_away

    def post(self, title: str, **headers: str) -> Any:
        return self.register.write("POST", "/v1/documents", {"title": title}, **headers)

    def titles(self) -> list[str]:
        return sorted(each["title"] for each in self.register.get("/v1/documents?limit=100").json()["data"])


@pytest.fixture
def lossy(make_database: Callable[[str], str]) -> Iterator[Lossy]:
    with postgresql_proxy(make_database("empty")) as (proxy, url):
        settings = make_settings(url).model_copy(update={"deadline": 4.0})
        database = open_database(settings)
        with serve(settings, database, create_keys(url)) as register:
            yield Lossy(register, proxy)
        database.close()


def assert_log_has_no_gaps(register: Register) -> None:
    with register.database.read() as session:
        log = session.execute(text("SELECT seq FROM change ORDER BY seq")).scalars().all()
    assert list(log) == list(range(1, read_latest_seq(register) + 1))


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "one"}])
def test_a_write_whose_answer_is_lost_gets_its_response(lossy: Lossy, headers: dict[str, str]) -> None:
    lossy.cut(1, "after")
    answer = lossy.post("recorded", **headers)
    assert answer.status_code == 201
    assert lossy.proxy.cut_count == 1
    assert lossy.register.get(answer.headers["location"]).json()["title"] == "recorded"
    if headers:
        again = lossy.post("recorded", **headers)
        assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert lossy.titles() == ["recorded"]


def test_a_write_that_did_not_arrive_is_not_recorded(lossy: Lossy) -> None:
    assert lossy.post("before").status_code == 201
    lossy.cut(1, "before")
    problem = assert_problem(lossy.post("lost"), 503, "unavailable")
    assert "Nothing was recorded" in problem["detail"]
    assert lossy.proxy.cut_count == 1
    assert lossy.post("after").status_code == 201
    assert lossy.titles() == ["after", "before"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_concurrent_writes_whose_answers_are_lost_are_recorded_once_or_not_at_all(lossy: Lossy, when: Cut) -> None:
    lossy.cut(3, when)

    def write(number: int) -> Any:
        headers = {"Idempotency-Key": f"key-{number}"} if number % 3 else {}
        answer = lossy.post(f"document {number}", **headers)
        while answer.status_code == 503:
            assert_problem(answer, 503, "unavailable")
            answer = lossy.post(f"document {number}", **headers)
        return answer

    with ThreadPoolExecutor(CONCURRENT_WRITES) as pool:
        answers = list(pool.map(write, range(CONCURRENT_WRITES)))
    assert [each.status_code for each in answers] == [201] * CONCURRENT_WRITES
    assert 1 <= lossy.proxy.cut_count <= 3  # the writes share few commits
    assert lossy.titles() == sorted(f"document {number}" for number in range(CONCURRENT_WRITES))
    assert len({each.headers["location"] for each in answers}) == CONCURRENT_WRITES
    assert_log_has_no_gaps(lossy.register)


@pytest.mark.parametrize("when", ["before", "after"])
def test_without_an_answer_from_the_database_the_outcome_is_unknown(lossy: Lossy, when: Cut) -> None:
    lossy.cut(1, when, stays_away=True)
    answer = lossy.post("perhaps")
    problem = assert_problem(answer, 503, "outcome_unknown")
    assert "Location" in problem["hint"]
    assert answer.headers["retry-after"]
    lossy.proxy.is_away = False
    assert lossy.register.get(answer.headers["location"]).status_code == (200 if when == "after" else 404)

    lossy.cut(1, when, stays_away=True)
    answer = lossy.post("again", **{"Idempotency-Key": "one"})
    assert "Idempotency-Key" in assert_problem(answer, 503, "outcome_unknown")["hint"]
    assert "location" not in answer.headers
    lossy.proxy.is_away = False
    again = lossy.post("again", **{"Idempotency-Key": "one"})
    assert again.status_code == 201
    assert (again.headers.get("idempotency-replayed") == "true") is (when == "after")
    assert lossy.titles() == (["again", "perhaps"] if when == "after" else ["again"])


def test_a_change_names_the_address_of_its_record(lossy: Lossy) -> None:
    location = lossy.post("as it was").headers["location"]
    path = re.sub("^https?://[^/]+", "", location)
    lossy.cut(1, "after", stays_away=True)
    body = {"event": "transcription_fix", "reason": "Read again.", "changes": {"title": "as it is"}}
    answer = lossy.register.write("PATCH", path, body, **{"If-Match": '"1"'})
    assert_problem(answer, 503, "outcome_unknown")
    lossy.proxy.is_away = False
    assert answer.headers["location"] == location
    assert lossy.register.get(location).json()["revision"] == 2


def test_on_another_timeline_only_a_mark_that_is_there_is_certain(
    lossy: Lossy, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = LOCK_CLOCK.replace("substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)", "'0000000F'")
    assert elsewhere != LOCK_CLOCK
    monkeypatch.setattr("app.database.transaction.LOCK_CLOCK", elsewhere)  # the transaction began there
    lossy.cut(1, "after")
    assert lossy.post("recorded").status_code == 201
    lossy.cut(1, "before")
    assert_problem(lossy.post("lost"), 503, "outcome_unknown")
    assert lossy.titles() == ["recorded"]


@pytest.mark.parametrize(("when", "error"), [("after", None), ("before", Unavailable)])
def test_a_transaction_of_a_command_finds_out_too(lossy: Lossy, when: Cut, error: type[Exception] | None) -> None:
    database: Database = lossy.register.database
    lossy.cut(1, when)
    before = read_latest_seq(lossy.register)
    with (
        nullcontext() if error is None else pytest.raises(error),
        transaction.write_transaction(database, "desk") as write,
    ):
        put_source(write, "source", SourceInput.model_validate(make_source_body()))
    assert read_latest_seq(lossy.register) == before + (error is None)


def test_marks_are_removed(lossy: Lossy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "MARKS_KEPT", 5)
    for number in range(23):
        assert lossy.post(str(number)).status_code == 201
    with lossy.register.database.read() as session:
        seqs = session.execute(text("SELECT seq FROM commit_mark ORDER BY seq")).scalars().all()
    assert list(seqs) == list(range(16, 24))
