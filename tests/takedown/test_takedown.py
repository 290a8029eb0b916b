"""Takedowns of claims and sources: no word is left in any response, past state, log or database file."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, select

from app.database.erasure import is_erasure_pending, vacuum
from app.database.tables import ImportedRow, StoredAnswer, columns_of
from app.database.transaction import write_transaction
from tests.examples import (
    assert_problem,
    make_citation_body,
    make_source_body,
    make_topic_body,
    make_unique_claim_body,
    read_latest_seq,
    record_example_vocabulary,
    submit_claim,
)
from tests.imports.import_helpers import format_csv, native_row
from tests.registers import Register

WORD = "oryctolagus"
SLUG = "zebrina-vulpecula"
NAME = "Zebrina Vulpecula"
REASON = {"reason": "A court order."}


def list_database_files(register: Register) -> Iterator[Path]:
    url = make_url(register.settings.database_url)
    if url.get_backend_name() == "sqlite":
        path = Path(str(url.database))
        yield from (file for file in (path, Path(f"{path}-wal")) if file.exists())
        return
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as connection:
        connection.autocommit = True
        connection.execute("CHECKPOINT")
        row = connection.execute(
            "SELECT current_setting('data_directory'), oid FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        assert row is not None
        files = connection.execute(
            "SELECT pg_relation_filepath(oid) FROM pg_class WHERE relfilenode <> 0 OR relname = 'pg_statistic'"
        ).fetchall()
    yield from (Path(row[0]) / file for (file,) in files if file is not None)


def count_in_files(register: Register, text: str) -> int:
    """Count the occurrences of a text in the files of the database, in any case of letters."""
    return sum(file.read_bytes().lower().count(text.lower().encode()) for file in list_database_files(register))


def collect_statistics(register: Register) -> None:
    """Let PostgreSQL copy frequent values of each column into its statistics, as it does by itself now and then."""
    with register.database.write_engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()


def find_in_responses(register: Register, text: str, paths: list[str]) -> list[str]:
    return [path for path in paths if text.lower() in register.get(path).text.lower()]


def all_paths(seq: int, *further: str) -> list[str]:
    lists = ["claims", "claims.csv", "sources", "documents", "changes", "imports", "topics", "claims?status=removed"]
    lists += [f"topics/deaths/{name}" for name in ("side-by-side", "timeline", "feed.atom")]
    current = [f"/v1/{path}" for path in lists]
    past = [
        f"/v1/{path}{'&' if '?' in path else '?'}recorded_as_of=seq:{seq}"
        for path in lists
        if not path.startswith(("changes", "topics/deaths/feed"))
    ]
    return [*current, *past, *further]


@pytest.fixture
def busy_register(register: Register) -> Register:
    """A register with a topic, several claims and the words of a takedown in every field that has words."""
    record_example_vocabulary(register)
    source = make_source_body(NAME, description=f"{NAME}, who reports.", url=f"https://{SLUG}.example/")
    assert register.write("PUT", f"/v1/sources/{SLUG}", source).status_code == 201
    topic = make_topic_body(category="killed", interests={SLUG: "party"})
    assert register.write("PUT", "/v1/topics/deaths", topic).status_code == 201
    for _ in range(20):
        submit_claim(register, make_unique_claim_body())
    return register


def record_words(register: Register) -> dict[str, Any]:
    """Record a claim with `WORD` in its texts, and change, assess, relate and retract it."""
    citation = make_citation_body(
        **dict.fromkeys(("quote", "translation", "locator", "gap"), f"{WORD} of it"), fidelity="paraphrase"
    )
    body = make_unique_claim_body(note=f"A note on {WORD}.", citations=[citation], source="institute")
    made = register.write("POST", "/v1/claims", body, **{"Idempotency-Key": "first"}).json()
    other = submit_claim(register, make_unique_claim_body())
    path = f"/v1/claims/{made['id']}"
    change = {"event": "relay_correction", "reason": f"{WORD}.", "changes": {"note": f"Another note on {WORD}."}}
    match = {"If-Match": "*"}
    assert register.write("PATCH", path, change, **match).status_code == 200
    assessment = {"level": "low", "rationale": f"{WORD}.", "stated": WORD}
    assert register.write("POST", f"{path}/assessments", assessment).status_code == 201
    relation = {"type": "corroborates", "claim": other["id"], "note": WORD, "quote": WORD}
    assert register.write("POST", f"{path}/relations", relation).status_code == 201
    back = {"type": "repeats", "claim": made["id"], "note": WORD, "quote": WORD}
    related = register.write("POST", f"/v1/claims/{other['id']}/relations", back)
    assert related.status_code == 201
    withdrawal = {"reason": f"{WORD} again."}
    assert register.write("POST", f"/v1/relations/{related.json()['id']}/withdrawal", withdrawal).status_code == 200
    retraction = {"reason": f"{WORD}.", "retracted_on": "2025-07-01"}
    assert register.write("POST", f"{path}/retraction", retraction, **match).status_code == 200
    result: dict[str, Any] = made
    return result


def test_no_word_of_a_claim_is_left(busy_register: Register) -> None:
    register = busy_register
    made = record_words(register)
    seq = read_latest_seq(register)
    paths = all_paths(seq, f"/v1/claims/{made['id']}/revisions", f"/v1/claims?q={WORD}&fields=note")
    assert find_in_responses(register, WORD, paths)
    if register.database.dialect == "postgresql":
        collect_statistics(register)
    assert count_in_files(register, WORD) > 0
    answer = register.write("POST", f"/v1/claims/{made['id']}/takedown", REASON)
    assert answer.status_code == 200, answer.text
    assert find_in_responses(register, WORD, [path for path in paths if "q=" not in path]) == []
    assert register.get(f"/v1/claims?q={WORD}").json()["data"] == []
    replayed = register.write("POST", "/v1/claims", {}, **{"Idempotency-Key": "first"})
    assert WORD not in replayed.text
    if register.database.dialect == "postgresql":
        vacuum(register.database)
    assert count_in_files(register, WORD) == 0
    assert not is_erasure_pending(register.database)


@pytest.mark.parametrize("claims", [False, True])
def test_no_name_of_a_source_is_left(busy_register: Register, *, claims: bool) -> None:
    register = busy_register
    own = submit_claim(register, make_unique_claim_body(source=SLUG, modality="count"))
    published = {"document": {"title": "Another", "publisher": SLUG}}
    relayed = submit_claim(register, make_unique_claim_body(citations=[make_citation_body(via=[SLUG]), published]))
    relation = {"type": "based_on", "source": SLUG, "asserted_by": SLUG}
    assert register.write("POST", f"/v1/claims/{relayed['id']}/relations", relation).status_code == 201
    speaker = make_source_body("The speaker", speaks_for=SLUG)
    assert register.write("PUT", "/v1/sources/speaker", speaker).status_code == 201
    seq = read_latest_seq(register)
    paths = all_paths(seq, f"/v1/claims/{relayed['id']}", f"/v1/claims/{relayed['id']}/relations")
    paths += [f"/v1/claims/{relayed['id']}/citation", "/v1/sources/speaker"]
    assert find_in_responses(register, SLUG, paths)
    answer = register.write("POST", f"/v1/sources/{SLUG}/takedown?claims={str(claims).lower()}", REASON)
    assert answer.status_code == 200, answer.text
    removed = answer.json()
    assert (removed["slug"], removed["name"], removed["kind"]) == ("removed-1", "Removed source 1", "media")
    for text in (SLUG, NAME):
        assert find_in_responses(register, text, paths) == []
    assert_problem(register.get(f"/v1/sources/{SLUG}"), 404)
    if claims:
        assert register.get(f"/v1/claims/{own['id']}").status_code == 410
    else:
        assert register.get(f"/v1/claims/{own['id']}").json()["source"]["slug"] == "removed-1"
        assert register.get("/v1/claims?source=removed-1").json()["meta"]["count"] == 1
        positions = register.get("/v1/topics/deaths/side-by-side").json()["positions"]
        assert "removed-1" in {position["source"]["slug"] for position in positions}
    first, second = register.get(f"/v1/claims/{relayed['id']}").json()["citations"]
    assert (first["via"], second["document"]["publisher"]) == (["removed-1"], "removed-1")
    assert register.get("/v1/sources/speaker").json()["speaks_for"] == "removed-1"
    assert register.get("/v1/topics/deaths").json()["interests"] == {"removed-1": "party"}
    if register.database.dialect == "postgresql":
        vacuum(register.database)
    for text in (SLUG, NAME):
        assert count_in_files(register, text) == 0


def test_a_source_that_was_taken_down_is_not_recorded_again(busy_register: Register) -> None:
    assert busy_register.write("POST", f"/v1/sources/{SLUG}/takedown", REASON).status_code == 200
    assert_problem(busy_register.write("PUT", f"/v1/sources/{SLUG}", make_source_body()), 410, "removed")
    assert_problem(busy_register.write("PUT", "/v1/sources/removed-2", make_source_body()), 422)
    assert busy_register.write("PUT", f"/v1/sources/{SLUG}-2", make_source_body()).status_code == 201
    answer = busy_register.write("POST", f"/v1/sources/{SLUG}-2/takedown", REASON)
    assert answer.json()["slug"] == "removed-2"


def test_no_word_of_a_document_is_left_and_its_claims_stay(busy_register: Register) -> None:
    register = busy_register
    page = {
        "url": f"https://{WORD}.example/page",
        "title": f"{WORD} counted",
        "publisher": "paper",
        "published_on": "2025-06-12",
    }
    citation = make_citation_body(
        document=page, quote=f"{WORD} was counted", translation=f"{WORD} it was", locator=WORD
    )
    claim = make_unique_claim_body(citations=[citation, make_citation_body()])
    made = submit_claim(register, claim)
    document = made["citations"][0]["document"]["id"]
    path = f"/v1/documents/{document}"
    change = {"event": "transcription_fix", "reason": f"{WORD}.", "changes": {"title": f"{WORD} counted twice"}}
    assert register.write("PATCH", path, change, **{"If-Match": "*"}).status_code == 200
    relation = {"type": "based_on", "source": "agency", "document": document, "quote": WORD}
    assert register.write("POST", f"/v1/claims/{made['id']}/relations", relation).status_code == 201
    alone = submit_claim(register, make_unique_claim_body(citations=[{"document": document}]))
    file = register.get("/v1/claims.csv").content
    paths = all_paths(read_latest_seq(register), f"/v1/claims/{made['id']}", f"{path}/revisions", path)
    assert find_in_responses(register, WORD, paths)
    answer = register.write("POST", f"{path}/takedown", REASON)
    assert (answer.status_code, answer.json()["status"]) == (200, "removed"), answer.text
    assert find_in_responses(register, WORD, paths) == []
    assert_problem(register.get(path), 410, "removed")
    assert_problem(register.get(f"{path}/revisions"), 410, "removed")
    citations = register.get(f"/v1/claims/{made['id']}").json()["citations"]
    erased = next(each for each in citations if each["document"]["id"] == document)
    assert (erased["document"]["title"], erased["quote"], erased["leading"]) == ("Removed document", None, False)
    assert erased["gap"] == "The document was taken down."
    sentence = register.get(f"/v1/claims/{alone['id']}/citation.txt").text
    assert sentence.strip().endswith(", according to a document that was taken down.")
    if register.database.dialect == "postgresql":
        vacuum(register.database)
    assert count_in_files(register, WORD) == 0
    headers = register.keys["admin"] | {"Content-Type": "text/csv"}
    again = register.client.request("POST", "/v1/imports", content=file, headers=headers)
    assert again.status_code == 200, again.json()["counts"]
    counts = {name: number for name, number in again.json()["counts"].items() if number}
    assert counts == {"rows": 22, "unchanged": 21, "differs": 1}
    assert_problem(register.write("POST", "/v1/documents", page), 409)
    assert_problem(register.write("POST", "/v1/claims", make_unique_claim_body(citations=[citation])), 409)
    assert_problem(
        register.write("POST", "/v1/claims", make_unique_claim_body(citations=[{"document": document}])), 409
    )


def test_a_document_that_only_the_claim_cites_is_taken_down_with_it(busy_register: Register) -> None:
    own, shared = {"title": WORD}, {"title": "Shared by two", "url": "https://example.org/shared"}
    cited = [make_citation_body(document=own), make_citation_body(document=shared)]
    made = submit_claim(busy_register, make_unique_claim_body(citations=cited))
    submit_claim(busy_register, make_unique_claim_body(citations=[make_citation_body(document=shared)]))
    ids = [citation["document"]["id"] for citation in made["citations"]]
    assert busy_register.write("POST", f"/v1/claims/{made['id']}/takedown", REASON).status_code == 200
    assert [busy_register.get(f"/v1/documents/{id_}").status_code for id_ in ids] == [410, 200]
    assert find_in_responses(busy_register, WORD, ["/v1/documents", "/v1/changes?limit=1000"]) == []


def test_a_short_slug_is_not_replaced_within_the_names_of_others(register: Register) -> None:
    record_example_vocabulary(register)
    assert register.write("PUT", "/v1/sources/un", make_source_body("Named")).status_code == 201
    rows = [submit_claim(register, make_unique_claim_body(source=source)) for source in ("un", "institute")]
    with write_transaction(register.database, "desk") as log:
        seq = log.snapshot.seq
        for series, claim in (("un-hungary", rows[0]), ("hungary-un", rows[1])):
            key: dict[str, Any] = {"key": "1", "print": "p", "written": "w", "vintage": date(2025, 6, 12), "seq": seq}
            log.session.add(ImportedRow(series=series, claim=claim["id"], **key))
        log.session.flush()
    assert register.write("POST", "/v1/sources/un/takedown", REASON).status_code == 200
    with register.database.read() as session:
        names = set(session.execute(select(columns_of(ImportedRow).series)).scalars())
    assert names == {"removed-1-hungary", "hungary-un"}
    assert_problem(register.write("POST", "/v1/sources/removed-1/takedown", REASON), 410, "removed")


def post_with_key(register: Register, path: str, content: str, key: str) -> Any:
    headers = register.keys["admin"] | {"Content-Type": "text/csv", "Idempotency-Key": key}
    return register.client.request("POST", path, content=content.encode(), headers=headers)


def test_no_stored_response_keeps_what_was_taken_down(busy_register: Register) -> None:
    register = busy_register
    source = make_source_body(NAME)
    path = f"/v1/sources/{SLUG}"
    for key, name in (("put", f"{NAME} & Sons"), ("again", NAME)):
        assert register.write("PUT", path, {**source, "name": name}, **{"Idempotency-Key": key}).status_code == 200
    row = native_row(77, source=SLUG, document_title=WORD, quote=f"{WORD} said 77", note=WORD)
    refused = {**row, "as_printed": "78", "category": WORD}
    recorded = post_with_key(register, f"/v1/imports?keep_going=true&name={SLUG}.csv", format_csv(row, refused), "new")
    assert recorded.status_code == 201, recorded.text
    assert WORD in recorded.text
    (claim,) = register.get(f"/v1/claims?source={SLUG}").json()["data"]
    takedown = register.write("POST", f"/v1/claims/{claim['id']}/takedown", REASON, **{"Idempotency-Key": "claim"})
    assert takedown.status_code == 200
    assert register.write("POST", f"{path}/takedown", REASON, **{"Idempotency-Key": "source"}).status_code == 200
    replayed = register.write("POST", f"{path}/takedown", REASON, **{"Idempotency-Key": "source"})
    assert (replayed.status_code, replayed.headers["idempotency-replayed"]) == (200, "true")
    assert_problem(register.write("PUT", path, source, **{"Idempotency-Key": "again"}), 410, "removed")
    if register.database.dialect == "postgresql":
        vacuum(register.database)
    with register.database.read() as session:
        stored = [str(row) for row in session.execute(select(*columns_of(StoredAnswer))).all()]
    assert len(stored) == 5
    for text in (SLUG, NAME, WORD):
        assert not any(text in row for row in stored)
