"""Deltas of the data package: applied to a copy, they give it every row of the register, also after takedowns."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.claims.counts.stored import rebuild_counts, update_counts
from app.database.engine import Database
from app.database.tables import VERSION_TABLES, Change, ClaimCount, table_of
from app.database.transaction import write_transaction
from app.imports.readers.options import FileRefused
from app.register import delta as deltas
from app.register.restore import apply_delta, read_package_state, replace_register
from tests.examples import make_unique_claim_body, record_example_vocabulary, submit_claim
from tests.registers import DatabaseCopies, Register, make_settings, open_database


class Copy:
    """A copy of a register in a file of SQLite, which follows it by deltas."""

    def __init__(self, register: Register, folder: Path) -> None:
        self.register = register
        self.path = folder / "package.zip"
        self.database = open_database(make_settings(DatabaseCopies(folder, None).create_template("empty")))

    def fetch(self, **parameters: Any) -> bool:
        answer = self.register.get("/v1/export", params=parameters)
        self.path.write_bytes(answer.content)
        return bool(answer.status_code == 200)

    def position(self) -> int:
        with self.database.read() as session:
            return int(
                session.execute(select(table_of(Change).c.seq).order_by(table_of(Change).c.seq.desc())).scalar() or 0
            )

    def begin(self) -> None:
        assert self.fetch()
        replace_register(self.database, self.path)

    def follow(self) -> int:
        """Follow to the latest state; return the number of whole packages that this took."""
        whole = 0
        while self.fetch(after=f"1:{self.position()}"):
            is_delta = read_package_state(self.path)[2] is not None
            (apply_delta if is_delta else replace_register)(self.database, self.path)
            whole += not is_delta
        return whole

    def rows(self, database: Database, table: Any) -> list[dict[str, Any]]:
        """Return the rows of a table without what a package leaves out; an empty text is null there."""
        hidden = {"fingerprint", "words"}
        with database.read() as session:
            statement = select(table).order_by(*table.primary_key.columns)
            rows = [dict(row) for row in session.execute(statement).mappings()]
        return [
            {name: None if value == "" else value for name, value in row.items() if name not in hidden} for row in rows
        ]

    def assert_equal(self) -> None:
        for table in (table_of(Change), *map(table_of, VERSION_TABLES.values())):
            assert self.rows(self.database, table) == self.rows(self.register.database, table)
        assert self.fetch()
        content, name = self.path.read_bytes(), "again.zip"
        other = Copy(self.register, self.path.parent)
        other.path = self.path.with_name(name)
        other.begin()
        assert other.path.read_bytes() == content
        other.database.close()
        with write_transaction(self.database, "test") as transaction:
            statement = select(table_of(ClaimCount)).order_by(*table_of(ClaimCount).primary_key.columns)
            update_counts(transaction)
            kept = transaction.session.execute(statement).all()
            rebuild_counts(transaction)
            assert transaction.session.execute(statement).all() == kept


@pytest.fixture
def copied(starter_register: Register, tmp_path: Path) -> Iterator[Copy]:
    record_example_vocabulary(starter_register)
    copied = Copy(starter_register, tmp_path)
    copied.begin()
    yield copied
    copied.database.close()


def write(register: Register, method: str, path: str, body: Any) -> Any:
    answer = register.write(method, path, body, **{"If-Match": "*"})
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def test_a_delta_gives_a_copy_every_row(copied: Copy) -> None:
    register = copied.register
    first, second = (submit_claim(register, make_unique_claim_body(note=note)) for note in ("one", "two"))
    assert copied.follow() == 0
    copied.assert_equal()
    write(register, "POST", f"/v1/claims/{first['id']}/retraction", {"reason": "A slip.", "retracted_on": "2026-11-01"})
    assessment = {"level": "low", "rationale": "A guess.", "assessor": "Desk"}
    write(register, "POST", f"/v1/claims/{second['id']}/assessments", assessment)
    assert copied.follow() == 0
    copied.assert_equal()


def test_what_was_taken_down_is_erased_from_the_copy(copied: Copy) -> None:
    register = copied.register
    claim = submit_claim(register, make_unique_claim_body(note="Xylophone words."))
    write(
        register,
        "POST",
        f"/v1/claims/{claim['id']}/assessments",
        {"level": "low", "rationale": "Zeugma.", "assessor": "D"},
    )
    assert copied.follow() == 0
    write(register, "POST", f"/v1/claims/{claim['id']}/takedown", {"reason": "A court."})
    document = write(register, "POST", "/v1/documents", {"title": "A page"})["id"]
    write(register, "POST", f"/v1/documents/{document}/takedown", {"reason": "A court."})
    assert copied.follow() == 0
    copied.assert_equal()
    with copied.database.read() as session:
        for table in VERSION_TABLES.values():
            text = str(session.execute(select(table_of(table))).all())
            assert "Xylophone" not in text
            assert "Zeugma" not in text


def test_the_takedown_of_a_source_and_a_long_transaction_need_the_whole_package(
    copied: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    register = copied.register
    write(register, "POST", "/v1/sources/mediazona/takedown", {"reason": "A court."})
    assert copied.follow() == 1
    copied.assert_equal()
    monkeypatch.setattr(deltas, "MAX_CHANGES", 0)
    submit_claim(register, make_unique_claim_body())
    assert copied.follow() == 1
    copied.assert_equal()


def test_a_long_delta_is_paged_at_the_ends_of_transactions(copied: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deltas, "PAGE_CHANGES", 3)
    start = copied.position()
    for _ in range(5):
        submit_claim(copied.register, make_unique_claim_body())
    assert copied.fetch(after=start)
    _, until, after = read_package_state(copied.path)
    assert after == start
    assert until < copied.register.get("/v1/register").json()["seq"]
    assert copied.follow() == 0
    copied.assert_equal()


def test_a_delta_that_does_not_follow_is_refused(copied: Copy) -> None:
    submit_claim(copied.register, make_unique_claim_body())
    assert copied.fetch(after=copied.position() - 1)
    with pytest.raises(FileRefused, match="follows seq"):
        apply_delta(copied.database, copied.path)


def test_positions_are_checked(copied: Copy) -> None:
    get = copied.register.get
    assert get("/v1/export", params={"after": copied.position()}).status_code == 204
    assert get("/v1/export", params={"after": 10**9}).status_code == 422
    assert get("/v1/export", params={"after": "x"}).status_code == 422
