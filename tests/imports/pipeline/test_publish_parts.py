"""A long import is published in several transactions: what readers and writers see, and what an interruption leaves."""

import csv
import io
import multiprocessing
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import DataError, OperationalError

from app.database.engine import Database
from app.database.lost_commits import not_recorded
from app.database.tables import (
    ClaimVersion,
    ImportedRow,
    ImportPart,
    ImportStep,
    ImportVersion,
    PublishingImport,
    table_of,
)
from app.database.transaction import write_transaction
from app.enums import LeftOutReason
from app.errors import CopyFailed
from app.imports.mappings.native import NativeRowMapper
from app.imports.pipeline import prepare, publish, publish_parts, publishing_state, stored_parts
from app.imports.pipeline.encoders import RowEncoders
from app.imports.pipeline.prepare import ImportRequest, import_attempts
from app.imports.pipeline.publish import RegisterChanged
from app.imports.pipeline.publish_parts import finish_interrupted_imports
from app.imports.pipeline.publishing_state import discard_parts
from app.imports.pipeline.recheck import PartCheck
from app.imports.pipeline.run import run_import
from app.imports.pipeline.stored_parts import RowConverter, StoredClaim, StoredPart, column_names
from app.main import create_app
from app.register.copy import copy_register
from app.register.invariants import find_breaches
from app.settings import Settings
from tests.client import ApplicationClient
from tests.examples import (
    make_category_body,
    make_citation_body,
    make_claim_body,
    make_figure_body,
    read_all_rows,
    record_example_vocabulary,
    submit_claim,
)
from tests.imports.import_helpers import (
    format_csv,
    import_daily,
    import_native,
    native_row,
    nonzero_counts,
    numbers,
    post_file,
)
from tests.registers import Register, make_settings, open_register
from tests.test_cli import wait_until

ROWS = 23
REASON = {"reason": "The court has ordered it."}
DAYS = {f"2025-06-{day:02}": (100 + day, 300 + day) for day in range(1, 13)}


class Interrupted(Exception):
    """The process ends."""


@pytest.fixture(autouse=True)
def _short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a short file be a long import, of which each transaction publishes five claims."""
    monkeypatch.setattr(publish_parts, "MAX_CLAIMS_AT_ONCE", 10)
    monkeypatch.setattr(publish_parts, "FIRST_PARTS", 1)
    monkeypatch.setattr(publish_parts, "MAX_PARTS", 1)
    monkeypatch.setattr(publish_parts, "PAUSE_SECONDS", {"sqlite": 0.0, "postgresql": 0.0})
    monkeypatch.setattr(publish_parts, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(stored_parts, "CLAIMS_PER_PART", 5)
    monkeypatch.setattr(prepare, "MAX_BATCH_ROWS", 5)


@pytest.fixture
def desk(register: Register) -> Register:
    record_example_vocabulary(register)
    return register


def rows(**more: str) -> list[dict[str, str]]:
    return [native_row(number, **more) for number in range(1, ROWS + 1)]


def own_pages() -> list[dict[str, str]]:
    """Rows of which each has a document of its own."""
    return [native_row(number, document_url=f"https://example.org/{number}") for number in range(1, ROWS + 1)]


def count(register: Register, table: Any) -> int:
    with register.database.read_primary() as session:
        return int(session.execute(select(func.count()).select_from(table_of(table))).scalar_one())


def claims(register: Register) -> list[dict[str, Any]]:
    return read_all_rows(register, "/v1/claims")


def read_record(register: Register) -> dict[str, Any]:
    [record] = register.get("/v1/imports").json()["data"]
    return dict(record)


def import_until(register: Register, path: Path, transactions: int, *given: dict[str, Any]) -> None:
    """Begin an import, and interrupt it after some of the transactions that publish its parts."""
    path.write_text(format_csv(*given), encoding="utf-8", newline="")
    with pytest.raises(Interrupted):
        run_import(register.database, ImportRequest([path], NativeRowMapper(), check=interrupt(transactions)), "desk")


def interrupt(transactions: int) -> Callable[[], None]:
    """Return a check that raises after some of the transactions that publish."""
    calls = 0

    def check() -> None:
        nonlocal calls
        if _is_publishing:
            calls += 1
            if calls == transactions:
                raise Interrupted

    return check


_is_publishing = False


@pytest.fixture(autouse=True)
def _note_publishing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Note when the parts of an import are published, for `interrupt`."""
    run = publish_parts._Publisher.run

    def run_noted(publisher: publish_parts._Publisher) -> None:
        global _is_publishing  # noqa: PLW0603 - one test at a time
        _is_publishing = True
        try:
            run(publisher)
        finally:
            _is_publishing = False

    monkeypatch.setattr(publish_parts._Publisher, "run", run_noted)


def assert_finished(register: Register) -> None:
    assert list(find_breaches(register.database)) == []
    assert count(register, PublishingImport) == count(register, ImportPart) == 0
    seqs = [change["seq"] for change in read_all_rows(register, "/v1/changes")]
    assert seqs == list(range(1, seqs[-1] + 1))
    record = read_record(register)
    assert (record["status"], record["rows_published"]) == ("published", record["counts"]["rows"])


def test_a_long_import_is_published_in_steps_and_its_record_says_how_far_it_was(desk: Register, tmp_path: Path) -> None:
    result = import_native(desk, tmp_path / "claims.csv", *own_pages())
    assert nonzero_counts(result) == {"rows": ROWS, "new": ROWS}
    assert_finished(desk)
    assert len(claims(desk)) == ROWS
    with desk.database.read_primary() as session:
        step = table_of(ImportStep).c
        steps = session.execute(select(step.last_seq, step.rows, step.is_final).order_by(step.first_seq)).all()
    assert [(rows_, final) for _, rows_, final in steps] == [
        (0, False),
        (5, False),
        (10, False),
        (15, False),
        (20, False),
        (ROWS, True),
    ]
    for seq, published, final in steps:
        past = desk.get(f"/v1/imports/{result.id}?recorded_as_of=seq:{seq}").json()
        assert (past["status"], past["rows_published"]) == ("published" if final else "publishing", published)
        page = desk.get(f"/v1/claims?limit=1&total=true&recorded_as_of=seq:{seq}").json()
        assert page["meta"]["total"] == published
    [row] = csv.DictReader(io.StringIO(desk.get("/v1/imports.csv").text))
    assert (row["status"], row["rows_published"], list(row)[-2:]) == (
        "published",
        str(ROWS),
        ["status", "rows_published"],
    )
    assert nonzero_counts(import_native(desk, tmp_path / "claims.csv", *own_pages())) == {
        "rows": ROWS,
        "unchanged": ROWS,
    }


def test_an_import_of_few_claims_is_one_transaction(desk: Register, tmp_path: Path) -> None:
    import_native(desk, tmp_path / "claims.csv", native_row(1), native_row(2))
    assert count(desk, ImportStep) == 0
    assert (read_record(desk)["status"], read_record(desk)["rows_published"]) == ("published", 2)


@pytest.mark.parametrize("transactions", [1, 3])
def test_an_interrupted_import_is_finished_by_another_process(
    desk: Register, tmp_path: Path, transactions: int
) -> None:
    import_until(desk, tmp_path / "claims.csv", transactions, *own_pages())
    record = read_record(desk)
    assert (record["status"], record["rows_published"]) == ("publishing", 5 * transactions)
    published = claims(desk)
    assert len(published) == 5 * transactions
    assert list(find_breaches(desk.database)) == []
    other = Database(desk.settings)
    assert finish_interrupted_imports(other) == 1
    assert finish_interrupted_imports(other) == 0
    other.close()
    assert_finished(desk)
    assert len(claims(desk)) == ROWS
    assert [claim for claim in claims(desk) if claim["id"] in {each["id"] for each in published}] == published


def test_a_transaction_that_fails_in_the_middle_publishes_nothing_twice(
    desk: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    write = publish.write_claims

    def fail(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        written = write(*given)
        if calls == 3:
            raise Interrupted
        return written

    monkeypatch.setattr(publish_parts, "write_claims", fail)
    with pytest.raises(Interrupted):
        import_native(desk, tmp_path / "claims.csv", *rows())
    assert len(claims(desk)) == 10
    finish_interrupted_imports(desk.database)
    assert_finished(desk)
    assert len(claims(desk)) == ROWS


def test_the_next_start_finishes_an_import(desk: Register, tmp_path: Path) -> None:
    import_until(desk, tmp_path / "claims.csv", 2, *rows())
    with ApplicationClient(create_app(desk.settings, is_worker=True)) as client:
        wait_until(lambda: client.get("/v1/imports").json()["data"][0]["status"] == "published")
    assert_finished(desk)
    assert len(claims(desk)) == ROWS


def test_an_import_whose_process_is_alive_is_left_to_it(
    desk: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_parts, "release_lease", lambda *_: None)  # as after a kill
    import_until(desk, tmp_path / "claims.csv", 2, *rows())
    assert finish_interrupted_imports(desk.database) == 0
    monkeypatch.setattr(publishing_state, "LEASE_SECONDS", -1.0)
    assert finish_interrupted_imports(desk.database) == 1
    assert_finished(desk)


def test_parts_that_were_stored_before_anything_was_recorded_are_discarded(
    desk: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_parts, "begin_import", lambda *_: pytest.fail("it is interrupted here"))
    monkeypatch.setattr(publish_parts, "discard_parts", lambda *_: None)  # as after a kill
    with pytest.raises(pytest.fail.Exception):
        import_native(desk, tmp_path / "claims.csv", *rows())
    assert count(desk, ImportPart) == 5
    assert desk.get("/v1/imports").json()["data"] == []
    monkeypatch.undo()
    monkeypatch.setattr(publishing_state, "LEASE_SECONDS", -1.0)
    assert finish_interrupted_imports(desk.database) == 0
    assert count(desk, PublishingImport) == count(desk, ImportPart) == 0
    assert claims(desk) == []


def test_an_import_that_is_killed_is_finished(
    make_database: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_parts, "PAUSE_SECONDS", {"sqlite": 0.2, "postgresql": 0.2})
    monkeypatch.setattr(publishing_state, "LEASE_SECONDS", -1.0)
    settings = make_settings(make_database("empty"))
    for register in open_register(settings.database_url):
        record_example_vocabulary(register)
    path = tmp_path / "claims.csv"
    path.write_text(format_csv(*own_pages()), encoding="utf-8", newline="")
    child = multiprocessing.get_context("fork").Process(target=_import_alone, args=(settings, path))
    child.start()
    database = Database(settings)

    def count_claims() -> int:
        with database.read_primary() as session:
            return int(session.execute(select(func.count()).select_from(table_of(ClaimVersion))).scalar_one())

    wait_until(lambda: count_claims() > 0)
    child.kill()
    child.join()
    assert 0 < count_claims() < ROWS
    assert list(find_breaches(database)) == []
    assert finish_interrupted_imports(database) == 1
    assert count_claims() == ROWS
    assert list(find_breaches(database)) == []
    database.close()


def _import_alone(settings: Settings, path: Path) -> None:
    run_import(Database(settings), ImportRequest([path], NativeRowMapper()), "desk")


def finish(register: Register) -> dict[str, Any]:
    """Finish an interrupted import, and return what it left out."""
    assert finish_interrupted_imports(register.database) == 1
    assert_finished(register)
    record = read_record(register)
    left_out = record["left_out"]
    assert record["counts"]["new"] == ROWS - sum(left_out.values())
    return dict(left_out)


def test_what_others_record_meanwhile_is_not_recorded_twice(desk: Register, tmp_path: Path) -> None:
    import_until(desk, tmp_path / "claims.csv", 2, *own_pages())
    made = submit_claim(desk, make_claim_body(figure=make_figure_body("21", value=21)))
    submit_claim(desk, make_claim_body(figure=make_figure_body("77", value=77)))
    assert finish(desk) == {"already_recorded": 1}
    assert len(claims(desk)) == ROWS + 1
    assert [claim["id"] for claim in claims(desk) if claim["figure"]["value"] == 21] == [made["id"]]
    again = import_native(desk, tmp_path / "claims.csv", *own_pages())
    assert nonzero_counts(again) == {"rows": ROWS, "unchanged": ROWS - 1, "cited": 1}


def test_others_write_between_two_transactions(desk: Register, tmp_path: Path) -> None:
    path = tmp_path / "claims.csv"
    path.write_text(format_csv(*own_pages()), encoding="utf-8", newline="")
    written: list[int] = []

    def write() -> None:
        if _is_publishing:
            value = 20 + len(written)
            submit_claim(desk, make_claim_body(figure=make_figure_body(str(value), value=value)))
            written.append(value)

    result = run_import(desk.database, ImportRequest([path], NativeRowMapper(), check=write), "desk")
    assert written == [20, 21, 22, 23]
    assert result.left_out == {"already_recorded": 4}
    assert nonzero_counts(result) == {"rows": ROWS, "new": ROWS - 4}
    assert len(claims(desk)) == ROWS
    assert_finished(desk)


def test_a_document_that_another_writer_records_meanwhile_is_recorded_once(desk: Register, tmp_path: Path) -> None:
    import_until(desk, tmp_path / "claims.csv", 2, *own_pages())
    body = make_claim_body(
        figure=make_figure_body("77", value=77), citations=[make_citation_body("https://example.org/20")]
    )
    submit_claim(desk, body)
    assert finish(desk) == {"document_changed": 1}
    again = import_native(desk, tmp_path / "claims.csv", *own_pages())
    assert nonzero_counts(again) == {"rows": ROWS, "unchanged": ROWS - 1, "new": 1}
    assert len(read_all_rows(desk, "/v1/documents", url="https://example.org/20")) == 1


def test_the_claims_of_a_source_that_is_taken_down_meanwhile_are_left_out(desk: Register, tmp_path: Path) -> None:
    given = [row | {"source": "institute"} if number in {2, 11, 20} else row for number, row in enumerate(own_pages())]
    import_until(desk, tmp_path / "claims.csv", 2, *given)
    assert desk.write("POST", "/v1/sources/institute/takedown", REASON).status_code == 200
    assert finish(desk) == {"source_removed": 2}
    assert {claim["source"]["slug"] for claim in claims(desk)} == {"ministry", "removed-1"}
    dump = "\n".join(str(change) for change in read_all_rows(desk, "/v1/changes"))
    assert "institute" not in dump


def test_a_document_that_is_taken_down_meanwhile_is_not_cited_again(desk: Register, tmp_path: Path) -> None:
    import_until(desk, tmp_path / "claims.csv", 2, *rows())
    [document] = read_all_rows(desk, "/v1/documents")
    assert desk.write("POST", f"/v1/documents/{document['id']}/takedown", REASON).status_code == 200
    assert finish(desk) == {"document_changed": ROWS - 10}


def test_a_category_that_is_changed_meanwhile_takes_no_claim_that_was_checked_before(
    desk: Register, tmp_path: Path
) -> None:
    given = [row | {"category": "wounded"} if number > 19 else row for number, row in enumerate(rows())]
    import_until(desk, tmp_path / "claims.csv", 2, *given)
    named = make_category_body("Other words")
    assert desk.write("PUT", "/v1/categories/killed", named).status_code == 200
    changed = make_category_body("Wounded", additive=True, non_decreasing=False)
    assert desk.write("PUT", "/v1/categories/wounded", changed).status_code == 200
    assert finish(desk) == {"category_changed": 3}


def test_a_claim_that_is_taken_down_meanwhile_gets_no_citation(desk: Register, tmp_path: Path) -> None:
    import_native(desk, tmp_path / "first.csv", native_row(20), native_row(21))
    given = rows(document_url="https://example.org/other")
    path = tmp_path / "claims.csv"
    path.write_text(format_csv(*given), encoding="utf-8", newline="")
    with pytest.raises(Interrupted):
        run_import(desk.database, ImportRequest([path], NativeRowMapper(), check=interrupt(2)), "desk")
    recorded = {claim["figure"]["value"]: claim["id"] for claim in claims(desk)}
    assert desk.write("POST", f"/v1/claims/{recorded[20]}/takedown", REASON).status_code == 200
    correction = {"event": "transcription_fix", "reason": "A slip.", "changes": {"note": "As printed."}}
    answer = desk.write("PATCH", f"/v1/claims/{recorded[21]}", correction, **{"If-Match": '"1"'})
    assert answer.status_code == 200
    finish_interrupted_imports(desk.database)
    record = desk.get("/v1/imports").json()["data"][0]
    assert record["left_out"] == {"claim_changed": 1}
    assert record["counts"]["cited"] == 1
    assert list(find_breaches(desk.database)) == []


def test_what_only_the_database_refuses_is_left_out_alone(
    desk: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_until(desk, tmp_path / "claims.csv", 2, *rows())
    submit_claim(desk, make_claim_body(figure=make_figure_body("21", value=21)))
    monkeypatch.setattr(PartCheck, "find_left_out", lambda *_: {})
    monkeypatch.setattr(PartCheck, "drop_documents", lambda _check, part: list(part.documents))
    assert finish(desk) == {"conflict": 1}
    assert len(claims(desk)) == ROWS


def test_a_conflict_before_anything_is_recorded_prepares_the_import_again(desk: Register, tmp_path: Path) -> None:
    file = tmp_path / "claims.csv"
    file.write_text(format_csv(*rows()), encoding="utf-8", newline="")
    attempts = 0
    for prepared in import_attempts(desk.database, ImportRequest([file], NativeRowMapper()), "desk"):
        attempts += 1
        if attempts == 1:
            submit_claim(desk, make_claim_body(figure=make_figure_body("21", value=21)))
        if publish_parts.publish_prepared(desk.database, prepared):
            break
    assert attempts == 2
    assert nonzero_counts(prepared.result) == {"rows": ROWS, "new": ROWS - 1, "unchanged": 1}
    assert_finished(desk)


def test_imports_of_a_series_wait_for_one_that_is_being_published(desk: Register, tmp_path: Path) -> None:
    days = {name: DAYS[name] for name in list(DAYS)[:3]}
    with pytest.raises(Interrupted):
        import_daily(desk, tmp_path / "asof-2025-06-12.json", DAYS, check=interrupt(2))
    assert read_record(desk)["status"] == "publishing"
    assert count(desk, ImportedRow) == 10
    result = import_daily(desk, tmp_path / "asof-2025-06-13.json", days)  # it finishes the other one first
    assert nonzero_counts(result) == {"rows": 3, "unchanged": 6, "vanished": 18}
    assert count(desk, ImportedRow) == 24
    assert list(find_breaches(desk.database)) == []
    relations = [change for change in read_all_rows(desk, "/v1/changes") if change["kind"] == "relation"]
    assert len(relations) == len(DAYS)


def test_a_newer_file_of_a_series_is_published_in_steps(desk: Register, tmp_path: Path) -> None:
    import_daily(desk, tmp_path / "asof-2025-06-12.json", DAYS)
    newer = {day: (dead + 1, all_) for day, (dead, all_) in DAYS.items()}
    for policy in ("supersede", "fix"):
        newer = {day: (dead + 1, all_) for day, (dead, all_) in newer.items()}
        day = 13 if policy == "supersede" else 14
        result = import_daily(desk, tmp_path / f"asof-2025-06-{day}.json", newer, policy)
        assert nonzero_counts(result) == {"rows": 12, "changed": 12, "unchanged": 12}
        assert result.left_out == {}
        assert list(find_breaches(desk.database)) == []
    assert sorted({claim["revision"] for claim in claims(desk)}) == [1, 2]


def test_an_interrupted_request_gets_its_answer_when_it_is_sent_again(
    desk: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_some = publish_parts._Publisher._publish
    calls = 0

    def fail(*given: Any, **more: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Interrupted
        return publish_some(*given, **more)

    monkeypatch.setattr(publish_parts._Publisher, "_publish", fail)
    content = format_csv(*own_pages())
    headers = desk.keys["editor"] | {"Content-Type": "text/csv", "Idempotency-Key": "long"}
    assert desk.post("/v1/imports", content=content, headers=headers).status_code == 500
    record = read_record(desk)
    assert record["status"] == "publishing"
    submit_claim(desk, make_claim_body(figure=make_figure_body("21", value=21)))
    other = desk.post("/v1/imports", content=format_csv(native_row(1)), headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    answer = desk.post("/v1/imports", content=content, headers=headers)
    assert (answer.status_code, answer.headers["idempotency-replayed"]) == (201, "true")
    assert answer.json()["id"] == record["id"]
    assert answer.json()["left_out"] == {"already_recorded": 1}
    assert answer.json()["counts"] == read_record(desk)["counts"]
    assert answer.headers["location"] == f"/v1/imports/{record['id']}"
    assert_finished(desk)


def test_a_takedown_erases_the_answer_to_an_import_that_is_being_published(
    desk: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_some = publish_parts._Publisher._publish
    calls = 0

    def fail(*given: Any, **more: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Interrupted
        return publish_some(*given, **more)

    monkeypatch.setattr(publish_parts._Publisher, "_publish", fail)
    headers = desk.keys["editor"] | {"Content-Type": "text/csv", "Idempotency-Key": "long"}
    content = format_csv(*own_pages())
    desk.post("/v1/imports", content=content, headers=headers)
    claim = claims(desk)[0]
    assert desk.write("POST", f"/v1/claims/{claim['id']}/takedown", REASON).status_code == 200
    assert desk.post("/v1/imports", content=content, headers=headers).status_code == 410
    assert_finished(desk)


def test_a_long_request_is_answered_as_a_short_one(desk: Register) -> None:
    headers = desk.keys["editor"] | {"Content-Type": "text/csv", "Idempotency-Key": "long"}
    content = format_csv(*own_pages())
    answer = desk.post("/v1/imports", content=content, headers=headers)
    assert answer.status_code == 201, answer.text
    assert numbers(answer) == {"rows": ROWS, "new": ROWS}
    assert answer.json()["left_out"] == {}
    again = desk.post("/v1/imports", content=content, headers=headers)
    assert (again.json(), again.headers["etag"]) == (answer.json(), answer.headers["etag"])
    assert numbers(post_file(desk, content)) == {"rows": ROWS, "unchanged": ROWS}
    assert_finished(desk)


def test_a_server_that_stops_leaves_the_rest_to_the_next_one(desk: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_some = publish_parts._Publisher._publish
    application: Any = desk.client.app
    shutdown = application.state.shutdown

    def stop(*given: Any, **more: Any) -> int:
        shutdown.is_stopping = True
        return publish_some(*given, **more)

    monkeypatch.setattr(publish_parts._Publisher, "_publish", stop)
    answer = post_file(desk, format_csv(*rows()))
    shutdown.is_stopping = False
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    record = read_record(desk)
    assert record["id"] in answer.json()["hint"]
    monkeypatch.undo()
    assert finish_interrupted_imports(desk.database) == 1
    assert len(claims(desk)) == ROWS


def test_a_server_that_stops_before_anything_is_recorded_says_so(
    desk: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    application: Any = desk.client.app
    shutdown = application.state.shutdown

    def stop(*given: Any) -> bool:
        shutdown.is_stopping = True
        return publishing_state.add_parts(*given)

    monkeypatch.setattr(publish_parts, "MAX_STORED_BYTES", 1)
    monkeypatch.setattr(publish_parts, "add_parts", stop)
    answer = post_file(desk, format_csv(*rows()))
    shutdown.is_stopping = False
    assert (answer.status_code, answer.json()["hint"]) == (503, "send the request again")
    assert desk.get("/v1/imports").json()["data"] == []
    assert count(desk, PublishingImport) == count(desk, ImportPart) == 0


def fail_after(calls: int, error: Exception, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, which raises after some calls."""
    made = 0

    def call(*given: Any, **more: Any) -> Any:
        nonlocal made
        made += 1
        if made > calls:
            raise error
        return function(*given, **more)

    return call


def full_disk(register: Register) -> OperationalError:
    if register.database.dialect == "sqlite":
        error: Any = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
    else:
        error = psycopg.errors.DiskFull("could not extend file")
    return OperationalError("INSERT", {}, error)


@pytest.mark.parametrize("error", [full_disk, lambda _: not_recorded(), lambda _: RegisterChanged()])
def test_a_request_whose_import_fails_in_the_middle_is_told_that_a_part_is_recorded(
    desk: Register, monkeypatch: pytest.MonkeyPatch, error: Callable[[Register], Exception]
) -> None:
    fail = fail_after(2, error(desk), publish_parts._Publisher._publish_next)
    monkeypatch.setattr(publish_parts._Publisher, "_publish_next", fail)
    answer = post_file(desk, format_csv(*rows()))
    problem = answer.json()
    record = read_record(desk)
    assert (answer.status_code, problem["code"], record["rows_published"]) == (503, "unavailable", 10)
    assert "othing" not in problem["detail"]
    assert record["id"] in problem["hint"]
    assert problem.get("reason") == ("full" if error is full_disk else None)
    desk.database.full_at = None
    monkeypatch.undo()
    assert finish_interrupted_imports(desk.database) == 1
    assert_finished(desk)
    assert len(claims(desk)) == ROWS


def test_parts_are_kept_if_a_lost_transaction_has_begun_the_import(
    desk: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_parts, "begin_import", lambda *_: pytest.fail("it is interrupted here"))
    monkeypatch.setattr(publish_parts, "discard_parts", lambda *_: None)  # as after a kill
    with pytest.raises(pytest.fail.Exception):
        import_native(desk, tmp_path / "claims.csv", *rows())
    state = table_of(PublishingImport)
    with desk.database.read_primary() as session:
        import_id, owner = session.execute(select(state.c.import_id, state.c.owner)).one()
    with write_transaction(desk.database, "desk") as transaction:
        transaction.session.execute(update(state).values(is_begun=True))
        thread = Thread(target=discard_parts, args=(desk.database, import_id, owner))
        thread.start()
        thread.join(0.3)
    thread.join()
    assert count(desk, ImportPart) == 5


def test_a_part_that_a_lost_transaction_has_published_is_not_split(
    desk: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = publish_parts._Publisher._read_parts
    answers: list[Any] = []

    def read_stale(publisher: publish_parts._Publisher) -> Any:
        answers.append(answers[1] if len(answers) == 2 else read(publisher))
        return answers[-1]

    monkeypatch.setattr(publish_parts._Publisher, "_read_parts", read_stale)
    result = import_native(desk, tmp_path / "claims.csv", *own_pages())
    assert result.left_out == {}
    assert len(claims(desk)) == ROWS
    assert_finished(desk)


def test_a_part_that_is_published_by_the_time_it_is_split_is_not_stored_again(desk: Register, tmp_path: Path) -> None:
    import_until(desk, tmp_path / "claims.csv", 2, *rows())
    state = table_of(PublishingImport).c
    with desk.database.read_primary() as session:
        import_id, owner = session.execute(select(state.import_id, state.owner)).one()
    publisher = publish_parts._Publisher(desk.database, import_id, owner, lambda: None)
    [part], _ = publisher._read_parts()
    assert publisher._publish_next()
    publisher._split([part], RegisterChanged())
    assert count(desk, ImportPart) == 2
    publisher.run()
    assert_finished(desk)
    assert len(claims(desk)) == ROWS


def test_parts_that_another_process_has_discarded_are_not_added_to(
    desk: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added: list[bool] = []

    def add_and_sleep(*given: Any) -> bool:
        added.append(publishing_state.add_parts(*given))
        if len(added) == 1:
            with monkeypatch.context() as patch:
                patch.setattr(publishing_state, "LEASE_SECONDS", -1.0)
                assert finish_interrupted_imports(desk.database) == 0
        return added[-1]

    monkeypatch.setattr(publish_parts, "MAX_STORED_BYTES", 1)
    monkeypatch.setattr(publish_parts, "add_parts", add_and_sleep)
    import_native(desk, tmp_path / "claims.csv", *rows())
    assert added == [True, False, True, True, True, True, True]
    assert len(claims(desk)) == ROWS
    assert_finished(desk)


@pytest.mark.parametrize("error", [full_disk, lambda _: RegisterChanged()])
def test_an_import_waits_for_another_one_that_cannot_be_finished_yet(
    desk: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Callable[[Register], Exception]
) -> None:
    import_until(desk, tmp_path / "claims.csv", 2, *own_pages())
    publish_next = publish_parts._Publisher._publish_next
    failures = [error(desk) for _ in range(publish_parts.MAX_FAILURES + 1)]

    def fail(publisher: publish_parts._Publisher) -> bool:
        if failures:
            raise failures.pop()
        return publish_next(publisher)

    monkeypatch.setattr(publish_parts._Publisher, "_publish_next", fail)
    result = import_native(desk, tmp_path / "other.csv", *[native_row(number) for number in range(101, 101 + ROWS)])
    assert nonzero_counts(result) == {"rows": ROWS, "new": ROWS}
    assert len(claims(desk)) == 2 * ROWS
    assert count(desk, PublishingImport) == count(desk, ImportPart) == 0


def test_a_value_that_the_database_cannot_store_is_left_out_alone(
    desk: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_until(desk, tmp_path / "claims.csv", 2, *rows())
    write = publish.write_claims
    refused: list[str] = []

    def refuse(bulk: Any, pending: list[tuple[str, Any]], *more: Any) -> Any:
        if not refused:
            refused.append(pending[1][0])
        if refused[0] in [claim for claim, _ in pending]:
            raise DataError("INSERT", {}, ValueError("out of range"))
        return write(bulk, pending, *more)

    monkeypatch.setattr(publish_parts, "write_claims", refuse)
    assert finish(desk) == {"conflict": 1}
    assert len(claims(desk)) == ROWS - 1


def test_a_takedown_renames_the_series_of_an_import_that_is_being_published(desk: Register, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        import_daily(desk, tmp_path / "asof-2025-06-12.json", DAYS, check=interrupt(2))
    source = claims(desk)[0]["source"]["slug"]
    row, imported, state = table_of(ImportedRow), table_of(ImportVersion), table_of(PublishingImport)
    with desk.database.write() as session:
        for table in (row, imported, state):
            session.execute(update(table).values(series=f"{source}-daily"))
    assert desk.write("POST", f"/v1/sources/{source}/takedown", REASON).status_code == 200
    with desk.database.read_primary() as session:
        for table in (row, imported, state):
            assert set(session.execute(select(table.c.series)).scalars()) <= {"removed-1-daily"}, table
        assert session.execute(select(state.c.series)).scalar() == "removed-1-daily"
    finish_interrupted_imports(desk.database)
    assert list(find_breaches(desk.database)) == []


def test_a_feed_has_one_entry_for_a_long_import(desk: Register, tmp_path: Path) -> None:
    desk.write("PUT", "/v1/topics/dead", {"title": "How?", "category": "killed", "subject": "army", "place": "war"})
    import_until(desk, tmp_path / "claims.csv", 2, *rows())
    made = submit_claim(desk, make_claim_body(figure=make_figure_body("77", value=77)))
    finish(desk)
    for path in ("/v1/topics/dead/feed.json", "/v1/feed.json"):
        answer = desk.get(path)
        if answer.status_code == 404:
            continue
        titles = [item["title"] for item in answer.json()["items"]]
        assert len(titles) == 2, titles
        assert titles[0].startswith("Imported")
        assert made["id"] in answer.text


def test_a_register_is_not_copied_while_an_import_is_published(
    desk: Register, tmp_path: Path, make_database: Callable[[str], str]
) -> None:
    import_until(desk, tmp_path / "claims.csv", 2, *rows())
    target = Database(make_settings(make_database("empty")))
    with pytest.raises(CopyFailed, match="being published"):
        copy_register(desk.database, target, "Copy")
    finish_interrupted_imports(desk.database)
    copy_register(desk.database, target, "Copy")
    target.close()


def test_columns_that_a_release_added_are_null_in_stored_rows(register: Register) -> None:
    encoders = RowEncoders.for_database(register.database)
    names = column_names(encoders)
    stored = {**names, "claim": [name for name in names["claim"] if name != "note"]}
    values = list(range(len(stored["claim"])))
    part = StoredPart(0, [], [StoredClaim(0, "new", None, "id", {"claim": values})], [])
    [converted] = RowConverter(stored, encoders).convert(part).claims
    row = dict(zip(names["claim"], converted.writes["claim"], strict=True))
    assert row.pop("note") is None
    assert row == dict(zip(stored["claim"], values, strict=True))


def test_reasons_for_leaving_claims_out_are_in_the_vocabulary(register: Register) -> None:
    listed = register.get("/v1/vocabulary?limit=1000").text
    assert all(reason.value in listed for reason in LeftOutReason)
