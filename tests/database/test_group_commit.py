"""Writes that share a transaction: one that fails has no effect, and the others are committed."""

import asyncio
from typing import Any

from sqlalchemy import text

from app.claims.create import record_claim
from app.claims.schemas import ClaimInput
from app.database.group_commit import GROUP_COMMITTER
from app.database.transaction import WriteTransaction
from app.errors import DuplicateClaim, InvalidRequest
from tests.examples import make_claim_body, make_figure_body
from tests.registers import Register


class Broken(Exception):
    """An unexpected error."""


def make_claim_input(value: int, **changes: Any) -> ClaimInput:
    cited = [{"document": {"url": f"https://example.org/{value}", "title": "A page"}}]
    body = make_claim_body(figure=make_figure_body(str(value), value=value), citations=cited, **changes)
    return ClaimInput.model_validate(body)


def write_all(register: Register, acts: list[Any]) -> list[Any]:
    async def run() -> list[Any]:
        waiting = register.database.caches[GROUP_COMMITTER]
        return list(await asyncio.gather(*(waiting.write("desk", act) for act in acts), return_exceptions=True))

    return asyncio.run(run())


def claim_writer(value: int, **changes: Any) -> Any:
    return lambda log: record_claim(log, make_claim_input(value, **changes))["id"]


def read_seqs(register: Register) -> tuple[list[int], int]:
    with register.database.read() as session:
        log = session.execute(text("SELECT seq FROM change ORDER BY seq")).scalars().all()
        return list(log), session.execute(text("SELECT seq FROM clock")).scalar_one()


def test_what_is_refused_leaves_no_trace_among_the_others(desk: Register) -> None:
    good = [claim_writer(value) for value in range(100)]
    bad = [claim_writer(200, category="unheard-of"), claim_writer(7), claim_writer(7, note="The same.")]
    mixed = [*good[:50], *bad, *good[50:]]
    told = write_all(desk, mixed)
    made = [each for each in told if isinstance(each, str)]
    assert len(made) == len(set(made)) == 100
    assert sorted(type(each).__name__ for each in told if not isinstance(each, str)) == [
        DuplicateClaim.__name__,
        DuplicateClaim.__name__,
        InvalidRequest.__name__,
    ]
    for id_ in made:
        assert desk.get(f"/v1/claims/{id_}").status_code == 200
    log, head = read_seqs(desk)
    assert log == list(range(1, head + 1))


def test_one_that_breaks_in_the_middle_takes_nobody_with_it(desk: Register) -> None:
    def breaks(log: WriteTransaction) -> None:
        record_claim(log, make_claim_input(999))
        log.flush()
        raise Broken

    def clashes(log: WriteTransaction) -> None:
        record_claim(log, make_claim_input(998))
        log.session.execute(text("INSERT INTO clock (id, seq, at) VALUES (1, 0, '2026-01-01')"))

    told = write_all(desk, [claim_writer(1), breaks, claim_writer(2), clashes, claim_writer(3), claim_writer(1)])
    assert [isinstance(each, str) for each in told] == [True, False, True, False, True, False]
    assert isinstance(told[1], Broken)
    assert isinstance(told[5], DuplicateClaim)
    found = desk.get("/v1/claims").json()["data"]
    assert sorted(each["figure"]["value"] for each in found) == [1, 2, 3]
    log, head = read_seqs(desk)
    assert log == list(range(1, head + 1))
    assert write_all(desk, [claim_writer(999)])[0]


def test_a_word_that_changed_shows_in_the_next_answer(desk: Register) -> None:
    def answer(value: int) -> dict[str, Any]:
        return dict(write_all(desk, [lambda log: record_claim(log, make_claim_input(value))])[0])

    assert answer(1)["source"]["name"] == "The ministry"
    changed = {"name": "The ministry of war", "kind": "government", "interest": "party"}
    assert desk.write("PUT", "/v1/sources/ministry", changed).status_code == 200
    assert answer(2)["source"]["name"] == "The ministry of war"
    # Simulate a change by another process, of which this process has no notice.
    other = Register(desk.settings, type(desk.database)(desk.settings), desk.client, desk.keys)
    told = write_all(other, [lambda log: record_claim(log, make_claim_input(3))["source"]["name"]])
    assert told == ["The ministry of war"]
    assert desk.write("PUT", "/v1/sources/ministry", {**changed, "name": "The ministry"}).status_code == 200
    assert write_all(other, [lambda log: record_claim(log, make_claim_input(4))["source"]["name"]]) == ["The ministry"]
    other.database.close()
