"""The short form of `make torture`: a register that is killed, loses its power or cannot write keeps what it said."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.operate.service import Service
from benchmarks.torture.kills import kill_repeatedly
from benchmarks.torture.power import cut_power, record_writes
from benchmarks.torture.preload import create_preload, find_compiler
from benchmarks.torture.servers import PATIENT, ForkedService
from benchmarks.torture.storage import STORAGE_FULL, write_during
from benchmarks.torture.writes import list_faults
from tests.registers import create_keys

KILLS, RECORDED, CUTS, FAILED = 2, 25, 60, 12


def key_of(url: str) -> str:
    return create_keys(url)["admin"]["Authorization"].removeprefix("Bearer ")


def test_kills_lose_and_double_nothing(make_database: Callable[[str], str], tmp_path: Path) -> None:
    url = make_database("starter")
    service = ForkedService(url, tmp_path, settings=dict(PATIENT), key=key_of(url))
    try:
        found = kill_repeatedly(service, KILLS)
    finally:
        service.stop()
    assert list_faults(found) == []
    assert found["acknowledged"] >= KILLS


@pytest.mark.skipif(find_compiler() is None, reason="there is no C compiler")
def test_a_loss_of_power_and_failing_writes_lose_nothing(
    make_database: Callable[[str], str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """One server is recorded, and then cannot write. If the disk ignores syncs, writes are lost: they matter."""
    if "postgresql" in request.node.callspec.id:
        pytest.skip("PostgreSQL syncs its files itself")
    (disk := tmp_path / "disk").mkdir()
    Path(make_database("starter").removeprefix("sqlite:///")).rename(disk / "register.db")
    url = f"sqlite:///{disk}/register.db"
    service = Service(url, tmp_path, settings=dict(PATIENT), key=key_of(url))
    try:
        files, recording, journal = record_writes(service, RECORDED, tmp_path, stops=False)
        preload = create_preload(tmp_path, disk)
        for number, code in ((errno.ENOSPC, STORAGE_FULL), (errno.EIO, "503 outcome_unknown")):
            failed = write_during(service, preload.failing(20, number), FAILED, prefix=code)
            assert failed["faults"] == []
            assert code in failed["answers"]
    finally:
        service.stop()
    assert journal.faults == []
    found = cut_power(str(disk), files, recording, CUTS, tmp_path / "state")
    assert (found["cuts"], found["lost"], found["faults"]) == (CUTS, 0, [])
    assert cut_power(str(disk), files, recording, CUTS, tmp_path / "state", ignores_syncs=True)["lost"] > 0
