"""Leases: a takedown waits until each holder has acknowledged it, or its lease has ended."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from app.database import lease_keeper, leases
from app.database.engine import Database
from app.database.lease_keeper import LeaseKeeper
from app.database.leases import (
    Holder,
    LogPosition,
    end_lease,
    list_leases,
    read_head,
    read_time,
    read_waiting_takedowns,
    renew_lease,
    wait_for_acknowledgements,
)
from app.database.tables import Lease, LeaseServer
from app.enums import LeaseKind
from app.errors import LeaseLimit, Unavailable
from tests.registers import Register

HOLDERS = [Holder(f"0197b0c2-7d3e-7cc1-9f0a-{number:012}", LeaseKind.process, "host 1", 30.0) for number in range(9)]


def renew(database: Database, holder: Holder, acknowledged: LogPosition) -> bool:
    with database.write() as session:
        return renew_lease(session, holder, acknowledged)


def take_down(register: Register, title: str = "A document") -> LogPosition:
    """Take a document down in a process without a lease, and return the change, without waiting for anybody."""
    document = register.write("POST", "/v1/documents", {"title": title}).json()["id"]
    answer = register.write("POST", f"/v1/documents/{document}/takedown", {"reason": "a court order"})
    assert answer.status_code == 200
    with register.database.read_primary() as session:
        return read_head(session).takedown


def expire(database: Database, holder: Holder) -> None:
    with database.write() as session:
        now = read_time(session)
        session.execute(update(Lease).where(Lease.id == holder.id).values(expires_at=now))  # type: ignore[arg-type]


@pytest.fixture
def unwaited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let takedowns over HTTP not wait."""
    monkeypatch.setattr("app.takedown.routes.wait_for_acknowledgements", lambda *_: None, raising=False)


class _Pauses(list[float]):
    """Stands in for the module `time`: time passes only in pauses. `action` runs after each, if a test sets it."""

    action: Callable[[], object] = staticmethod(lambda: None)

    def monotonic(self) -> float:
        return sum(self)

    def sleep(self, seconds: float) -> None:
        self.append(seconds)
        self.action()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> _Pauses:
    """The pauses of a takedown that waits."""
    pauses = _Pauses()
    monkeypatch.setattr(leases, "time", pauses)
    return pauses


@pytest.mark.usefixtures("unwaited")
def test_a_lease_is_renewed_only_after_the_last_takedown_is_acknowledged(register: Register) -> None:
    database, [holder, *_] = register.database, HOLDERS
    assert renew(database, holder, LogPosition(1, 0))
    takedown = take_down(register)
    assert not renew(database, holder, LogPosition(1, 0))
    with database.read_primary() as session:
        assert read_waiting_takedowns(session, LogPosition(1, 0), 9) == [takedown.seq]
        assert read_waiting_takedowns(session, takedown, 9) == []
        [lease] = list_leases(session)
        assert (lease.epoch, lease.acknowledged) == (1, 0)
        before = lease.expires_at
    assert renew(database, holder, takedown)
    with database.read_primary() as session:
        [lease] = list_leases(session)
        assert (lease.epoch, lease.acknowledged) == (1, takedown.seq)
        assert lease.expires_at > before
        assert lease.kind is LeaseKind.process
    with database.write() as session:
        assert end_lease(session, holder.id)
        assert not end_lease(session, holder.id)


@pytest.mark.usefixtures("unwaited")
def test_a_holder_without_a_lease_gets_none_before_it_has_acknowledged(register: Register) -> None:
    database, [holder, *_] = register.database, HOLDERS
    take_down(register)
    assert not renew(database, holder, LogPosition(1, 0))
    with database.read_primary() as session:
        assert list_leases(session, at=read_time(session)) == []


@pytest.mark.usefixtures("unwaited")
def test_a_takedown_waits_for_the_acknowledgement_or_the_end_of_each_lease(register: Register, waits: _Pauses) -> None:
    database, [first, second, *_] = register.database, HOLDERS
    for holder in (first, second):
        renew(database, holder, LogPosition(1, 0))
    takedown = take_down(register)

    def go_on() -> None:
        if len(waits) == 3:
            renew(database, first, takedown)
        elif len(waits) == 5:
            expire(database, second)

    waits.action = go_on
    wait_for_acknowledgements(database, 30.0)
    assert len(waits) == 5
    wait_for_acknowledgements(database, 30.0)
    assert len(waits) == 5


@pytest.mark.usefixtures("unwaited")
def test_a_takedown_waits_at_most_for_the_longest_lease(register: Register, waits: _Pauses) -> None:
    database, [holder, *_] = register.database, HOLDERS
    long = Holder(holder.id, holder.kind, holder.name, 60.0)
    renew(database, long, LogPosition(1, 0))
    take_down(register)
    wait_for_acknowledgements(database, 30.0)
    assert 61.0 < sum(waits) < 61.2


@pytest.mark.parametrize("database_copies", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("unwaited")
def test_on_another_server_a_takedown_waits_for_leases_whose_rows_are_missing(
    register: Register, waits: _Pauses
) -> None:
    database = register.database
    take_down(register)
    wait_for_acknowledgements(database, 30.0)
    assert not waits  # the first server of a register has no other before it
    with database.write() as session:
        session.execute(update(LeaseServer).values(server="00000001 1700000000"))
    wait_for_acknowledgements(database, 30.0)
    assert 30.9 < sum(waits) < 31.2
    with database.write() as session:  # met by the renewal of a lease, a while ago
        since = read_time(session) - timedelta(seconds=40)
        session.execute(update(LeaseServer).values(since=since))
    waits.clear()
    wait_for_acknowledgements(database, 30.0)
    assert not waits


@pytest.mark.usefixtures("unwaited")
def test_an_acknowledgement_of_an_earlier_epoch_does_not_count(register: Register, waits: _Pauses) -> None:
    database, [holder, *_] = register.database, HOLDERS
    takedown = take_down(register)
    assert renew(database, holder, LogPosition(takedown.epoch, 10_000))
    with database.write() as session:
        statement = "INSERT INTO epoch (number, forked_seq, at) SELECT 2, 0, at FROM epoch WHERE number = 1"
        session.execute(text(statement))
    assert not renew(database, holder, LogPosition(1, 10_000))
    with database.read_primary() as reading:
        assert read_waiting_takedowns(reading, LogPosition(1, 10_000), 9) == [takedown.seq]

    def go_on() -> None:
        renew(database, holder, LogPosition(2, takedown.seq))

    waits.action = go_on
    wait_for_acknowledgements(database, 30.0)
    assert len(waits) == 1


@pytest.mark.usefixtures("unwaited")
def test_a_promotion_during_the_wait_is_told(register: Register, waits: _Pauses) -> None:
    database, [holder, *_] = register.database, HOLDERS
    renew(database, holder, LogPosition(1, 0))
    take_down(register)

    def promote() -> None:
        with database.write() as session:
            statement = "INSERT INTO epoch (number, forked_seq, at) SELECT 2, 0, at FROM epoch WHERE number = 1"
            session.execute(text(statement))

    waits.action = promote
    with pytest.raises(Unavailable):
        wait_for_acknowledgements(database, 30.0)


def test_the_number_of_mirrors_is_limited(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "MAX_REMOTE_LEASES", 2)
    mirrors = [Holder(each.id, LeaseKind.mirror, "a mirror", 30.0) for each in HOLDERS]
    assert renew(register.database, mirrors[0], LogPosition(1, 0))
    assert renew(register.database, mirrors[1], LogPosition(1, 0))
    with pytest.raises(LeaseLimit):
        renew(register.database, mirrors[2], LogPosition(1, 0))
    assert renew(register.database, mirrors[1], LogPosition(1, 0))
    assert renew(register.database, HOLDERS[3], LogPosition(1, 0))  # a process is no mirror
    with register.database.write() as session:
        end_lease(session, mirrors[0].id)
    assert renew(register.database, mirrors[2], LogPosition(1, 0))


class _Clock:
    """The clock of a keeper, which a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(lease_keeper, "read_clock", lambda: self.now)


@pytest.mark.usefixtures("unwaited")
def test_a_keeper_renews_forgets_and_acknowledges(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock(monkeypatch)
    forgotten: list[LogPosition] = []
    keeper = LeaseKeeper(register.database, 30.0, forgotten.append)
    assert not keeper.is_held()
    keeper.keep()
    assert keeper.is_held()
    assert forgotten == [LogPosition(1, 0)]
    clock.now += 29.9
    assert keeper.is_held()
    clock.now += 0.2
    assert not keeper.is_held()  # it was frozen
    keeper.keep()
    assert keeper.is_held()
    takedown = take_down(register)
    keeper.keep()
    assert forgotten == [LogPosition(1, 0), takedown]
    with register.database.read_primary() as session:
        [lease] = list_leases(session)
        assert (lease.epoch, lease.acknowledged) == (takedown.epoch, takedown.seq)
    keeper.close()
    assert not keeper.is_held()


@pytest.mark.usefixtures("unwaited")
def test_a_keeper_does_not_rely_on_a_renewal_that_a_takedown_may_have_missed(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    _Clock(monkeypatch)
    forgotten: list[LogPosition] = []
    keeper = LeaseKeeper(register.database, 30.0, forgotten.append)
    look = keeper._look
    looks: list[Any] = []

    def look_after_a_takedown() -> Any:
        looks.append(None)
        if len(looks) == 2:
            take_down(register)  # between the renewal and the look after it
        return look()

    monkeypatch.setattr(keeper, "_look", look_after_a_takedown)
    keeper.keep()
    assert not keeper.is_held()
    keeper.keep()
    assert keeper.is_held()
    assert len(forgotten) == 2
    keeper.close()


@pytest.mark.usefixtures("unwaited")
def test_a_keeper_that_cannot_forget_does_not_acknowledge(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    _Clock(monkeypatch)

    def fail(_takedown: LogPosition) -> None:
        raise TimeoutError

    keeper = LeaseKeeper(register.database, 30.0, fail)
    with pytest.raises(TimeoutError):
        keeper.keep()
    with register.database.read_primary() as session:
        assert list_leases(session) == []
    keeper.close()


def test_a_started_keeper_ends_its_lease(register: Register) -> None:
    keeper = LeaseKeeper(register.database, 30.0, lambda _takedown: None)
    keeper.start()
    assert keeper.is_held()
    with register.database.read_primary() as session:
        assert [lease.kind for lease in list_leases(session)] == [LeaseKind.process]
    keeper.close()
    with register.database.read_primary() as session:
        assert list_leases(session) == []
