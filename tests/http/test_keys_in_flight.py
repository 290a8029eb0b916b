"""409 `key_in_flight` is told only where another request with that very Idempotency-Key is being processed."""

import asyncio
import os
import time
from collections.abc import Iterator
from multiprocessing import get_context
from typing import Any

import pytest

from app.errors import KeyInFlight
from app.http.counter_table import create_shared_file, shared_file
from app.http.idempotency import stored_path
from app.http.keys_in_flight import KEYS_IN_FLIGHT, KeysInFlight
from app.runtime_folder import create_runtime_folder
from tests.examples import assert_problem
from tests.registers import Register

PATH = "/v1/documents"


@pytest.fixture
def hasty_register(register: Register) -> Iterator[Register]:
    """A register whose requests have short deadlines."""
    app: Any = register.client.app
    before, app.cache_middleware.deadline_seconds = app.cache_middleware.deadline_seconds, 1.0
    yield register
    app.cache_middleware.deadline_seconds = before


def post(register: Register, key: str, role: str = "contributor") -> Any:
    return register.write("POST", PATH, {"title": "x"}, role=role, **{"Idempotency-Key": key})


class Holder:
    """Another request that has a key."""

    def __init__(self, register: Register, key: str, path: str = PATH, actor: str = "contributor-key") -> None:
        self.keys = register.database.caches[KEYS_IN_FLIGHT]
        portal: Any = register.client.portal
        self.position = portal.call(self.keys.acquire, (actor, stored_path(path), key), float("inf"))

    def release(self) -> None:
        self.keys.release(self.position)


def test_only_the_very_key_is_in_flight(hasty_register: Register) -> None:
    holder = Holder(hasty_register, "one")
    problem = assert_problem(refused := post(hasty_register, "one"), 409, "key_in_flight")
    assert problem["detail"] == "A request with this Idempotency-Key is still being processed."
    assert refused.headers["retry-after"] == "2"
    assert post(hasty_register, "two").status_code == 201
    assert post(hasty_register, "one", role="editor").status_code == 200  # the key of another actor
    holder.release()
    assert post(hasty_register, "one").status_code == 200
    holder = Holder(hasty_register, "one")
    assert_problem(post(hasty_register, "one"), 409, "key_in_flight")
    holder.release()


def test_a_request_waits_for_the_one_with_its_key(register: Register) -> None:
    holder = Holder(register, "one")

    async def release() -> None:
        holder.release()

    async def release_soon() -> None:
        asyncio.get_running_loop().call_later(0.1, holder.release)

    register.client.portal.call(release_soon)  # type: ignore[union-attr] # open
    assert post(register, "one").status_code == 201
    again = post(register, "one")
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    register.client.portal.call(release)  # type: ignore[union-attr] # a key that nobody holds


def test_an_import_waits_for_its_key_too(hasty_register: Register) -> None:
    headers = hasty_register.keys["editor"] | {"Content-Type": "text/csv", "Idempotency-Key": "one"}
    holder = Holder(hasty_register, "one", "/v1/imports", "editor-key")
    assert_problem(hasty_register.post("/v1/imports", content=b"x", headers=headers), 409, "key_in_flight")
    holder.release()
    for _ in range(2):  # a file without rows is refused each time, and holds its key no longer
        assert hasty_register.post("/v1/imports", content=b"x", headers=headers).status_code == 422


async def hold(keys: KeysInFlight, expires_at: float = 0.0) -> int:
    return await keys.acquire(("actor", "path", "key"), expires_at)


def hold_in_worker(connection: Any) -> None:
    """Hold a key in another worker until it is told to end."""
    asyncio.run(hold(KeysInFlight(shared_file())))
    connection.send(os.getpid())
    time.sleep(60)


def test_workers_know_the_keys_of_each_other() -> None:
    with create_runtime_folder():
        create_shared_file()
        keys = KeysInFlight(shared_file())
        ours, theirs = get_context("fork").Pipe()
        worker = get_context("fork").Process(target=hold_in_worker, args=(theirs,))
        worker.start()
        assert ours.recv() == worker.pid
        with pytest.raises(KeyInFlight):
            asyncio.run(hold(keys))
        worker.kill()
        worker.join()
        position = asyncio.run(hold(keys))  # a worker that is killed holds nothing
        with pytest.raises(KeyInFlight):
            asyncio.run(hold(keys))
        keys.release(position)
        asyncio.run(hold(keys))
