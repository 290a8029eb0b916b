"""Mirrors hold leases over HTTP with a key of their role, and operators list and revoke them."""

from typing import Any

import pytest
from click.testing import CliRunner

from app.cli import main
from app.database import leases
from app.database.leases import list_leases, read_time
from app.enums import LeaseKind, Role
from tests.examples import assert_problem
from tests.registers import Register


def hold(register: Register, role: str = "mirror", **body: Any) -> Any:
    return register.write("POST", "/v1/leases", body, role)


def take_down(register: Register) -> int:
    document = register.write("POST", "/v1/documents", {"title": "A document"}).json()["id"]
    answer = register.write("POST", f"/v1/documents/{document}/takedown", {"reason": "a court order"})
    assert answer.status_code == 200
    seq: int = register.get("/v1/changes?limit=9").json()["data"][-1]["seq"]
    return seq


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let takedowns not wait, and note that they would."""
    found: list[str] = []
    monkeypatch.setattr("app.takedown.routes.wait_for_acknowledgements", lambda *_: found.append("a takedown"))
    return found


def test_a_mirror_holds_a_lease_and_acknowledges_takedowns(register: Register, waits: list[str]) -> None:
    created = hold(register)
    assert created.status_code == 200
    assert created.headers["cache-control"] == "private, no-store"
    lease = created.json()
    assert lease == {"id": lease["id"], "held": True, "seconds": 30.0, "epoch": 1, "seq": 0, "takedowns": []}
    seq = take_down(register)
    assert waits == ["a takedown"]
    waiting = hold(register, id=lease["id"]).json()
    assert (waiting["held"], waiting["takedowns"], waiting["seq"]) == (False, [seq], seq)
    assert hold(register, id=lease["id"], acknowledged=seq - 1).json()["held"] is False
    renewed = hold(register, id=lease["id"], acknowledged=seq).json()
    assert (renewed["held"], renewed["takedowns"]) == (True, [])
    assert hold(register, id=lease["id"], acknowledged=seq, epoch=2).json()["held"] is True  # not beyond the register
    with register.database.read_primary() as session:
        [row] = list_leases(session)
        assert (row.holder, row.kind, row.acknowledged) == ("mirror-key", LeaseKind.mirror, seq)


def test_a_repeated_takedown_waits_as_well(register: Register, waits: list[str]) -> None:
    document = register.write("POST", "/v1/documents", {"title": "A document"}).json()["id"]
    source = {"name": "The institute", "kind": "think_tank", "interest": "independent"}
    assert register.write("PUT", "/v1/sources/institute", source).status_code == 201
    for path, status in ((f"/v1/documents/{document}", 410), ("/v1/sources/institute", 404)):
        waits.clear()
        first = register.write("POST", f"{path}/takedown", {"reason": "a court order"})
        assert (first.status_code, len(waits)) == (200, 1)
        repeated = register.write("POST", f"{path}/takedown", {"reason": "a court order"})
        assert (repeated.status_code, len(waits)) == (status, 2), path


@pytest.mark.usefixtures("waits")
def test_an_acknowledgement_counts_only_up_to_the_latest_change(register: Register) -> None:
    lease = hold(register, acknowledged=10**18 - 1, epoch=10**9 - 1).json()
    assert lease["held"] is True
    seq = take_down(register)
    with register.database.read_primary() as session:
        [row] = list_leases(session)
        assert (row.epoch, row.acknowledged) < (1, seq)


@pytest.mark.parametrize("role", [role.value for role in Role if role is not Role.mirror])
def test_other_roles_hold_no_leases(register: Register, role: str) -> None:
    assert_problem(hold(register, role), 403, "forbidden")


def test_a_mirror_may_do_nothing_else(register: Register) -> None:
    assert_problem(register.write("POST", "/v1/documents", {"title": "A document"}, "mirror"), 403, "forbidden")
    assert_problem(register.client.get("/v1/keys", headers=register.keys["mirror"]), 403, "forbidden")
    assert register.client.get("/v1/claims", headers=register.keys["mirror"]).status_code == 200
    assert_problem(register.client.post("/v1/leases", json={}), 401, "unauthorized")


def test_a_lease_that_is_not_there_is_not_renewed(register: Register) -> None:
    problem = assert_problem(hold(register, id="0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60"), 404, "not_found")
    assert "without `id`" in problem["hint"]


@pytest.mark.parametrize("body", [{"acknowledged": -1}, {"acknowledged": 10**18}, {"epoch": 0}, {"id": "x"}])
def test_a_lease_with_invalid_values_is_refused(register: Register, body: dict[str, Any]) -> None:
    assert_problem(hold(register, **body), 422, "invalid_request")


def test_the_limit_of_a_register_is_told(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "MAX_REMOTE_LEASES", 1)
    lease = hold(register).json()
    problem = assert_problem(hold(register), 409, "lease_limit")
    assert "counterclaim lease" in problem["hint"]
    assert hold(register, id=lease["id"]).status_code == 200


def run(register: Register, *arguments: str, code: int = 0) -> str:
    url = register.database.url.render_as_string(hide_password=False)
    done = CliRunner().invoke(main, ["lease", *arguments], env={"DATABASE_URL": url})
    assert done.exit_code == code, done.output
    return done.output


def test_operators_list_and_revoke_leases(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "MAX_REMOTE_LEASES", 1)
    lease = hold(register).json()["id"]
    [line] = run(register, "list").splitlines()
    assert line.split("\t")[:3] == [lease, "mirror", "mirror-key"]
    assert "ends in 3" in line
    assert line.endswith("acknowledged 1:0")
    assert "Revoked" in run(register, "revoke", lease)
    assert "\trevoked, ends in " in run(register, "list")
    assert_problem(hold(register, id=lease), 404, "not_found")
    with register.database.read_primary() as session:  # a takedown waits for it
        assert len(list_leases(session, at=read_time(session))) == 1
    assert_problem(hold(register), 409, "lease_limit")
    assert "There is no lease" in run(register, "revoke", "x", code=1)
    assert "There is no lease" in run(register, "revoke", "0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60", code=1)


def test_a_lease_of_a_process_is_not_revoked(register: Register) -> None:
    holder = leases.Holder("0197b0c2-7d3e-7cc1-9f0a-2b6c1d4e5f60", LeaseKind.process, "host 1", 30.0)
    with register.database.write() as session:
        leases.renew_lease(session, holder, leases.LogPosition(1, 0))
    assert "Stop the process" in run(register, "revoke", holder.id, code=1)
