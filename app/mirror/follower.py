"""Follows the origin of a mirror, in a thread: fetches its changes twice a second, and holds a lease for takedowns.

See `docs/decisions/0080-mirrors.md`. The thread is the only writer of the file.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Final

from sqlalchemy import func, select

from app.database.engine import Database
from app.database.epochs import latest_epoch
from app.database.erasure import is_erasure_pending
from app.database.lease_keeper import RENEWALS_PER_LEASE, RETRY_SECONDS, read_clock
from app.database.leases import LogPosition
from app.database.tables import TAKEDOWN_CHANGE, Change, Clock, RegisterIdentity, columns_of
from app.errors import MirrorFailed
from app.logs import log_once
from app.mirror.origin import Origin, OriginForked, OriginUnreachable
from app.register.restore import apply_delta, read_package_state, replace_register
from app.takedown.files import erase_files

POLL_SECONDS: Final = 0.5
"""The time between two looks at the origin."""

CLOSE_SECONDS = 1.0

CONTACT_SECONDS = 5.0
"""The time after which the last contact is noted in a file again."""

Forget = Callable[[int], None]
"""Forgets every copy of what was read before a `seq`."""


class Follower:
    """Keeps a mirror equal to its origin. Any thread may ask whether the mirror may answer."""

    def __init__(
        self, database: Database, origin: Origin, path: Path, contact: Path, seconds: float, *, has_key: bool
    ) -> None:
        """Follow `origin` with the register in `database`.

        Args:
            database: The file of the mirror.
            origin: The register that is mirrored.
            path: The file in which packages are stored while they are read.
            contact: A file whose time is that of the last contact, also after the process has ended.
            seconds: For how long an answer of the origin counts if there is no key, and thus no lease.
            has_key: Whether the mirror holds leases.
        """
        self.position = LogPosition(1, 0)
        """The latest change that the mirror has."""
        self.contact_at = datetime.fromtimestamp(contact.stat().st_mtime, UTC)
        """When the origin has last confirmed that the mirror may serve what it has."""
        self._database = database
        self._origin = origin
        self._path = path
        self._contact = contact
        self._contact_noted_at = 0.0
        self._seconds = seconds
        self._has_key = has_key
        self._lease: str | None = None
        self._held_until = 0.0
        self._renew_at = 0.0
        self._has_register = False
        self._is_outdated = False
        self._forget: Forget = lambda _: None
        self._stop = Event()
        self._thread: Thread | None = None
        self._read_position()
        self._has_register = self.position.seq > 0

    def is_held(self) -> bool:
        """Return whether the lease is held; without a key, whether the origin has answered recently."""
        return read_clock() < self._held_until

    @property
    def is_forked(self) -> bool:
        """Whether the mirror has changes that the origin does not have, and is about to read everything again."""
        return self._is_outdated

    def load(self) -> None:
        """Read the register if the mirror is empty, and get the lease, before the mirror is served.

        Raises:
            OriginUnreachable: The origin does not answer, and the mirror is empty.
            MirrorFailed: The origin is another register, or refuses the key.
        """
        try:
            self.step()
        except OriginUnreachable:
            if not self._has_register:
                raise

    def start(self, forget: Forget) -> None:
        """Follow the origin in a thread. `forget` is called there after takedowns, before they are acknowledged."""
        self._forget = forget
        self._thread = Thread(target=self._run, daemon=True, name="mirror")
        self._thread.start()

    def close(self) -> None:
        """Follow no more, and serve nothing."""
        self._stop.set()
        self._held_until = 0.0
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)
        self._origin.close()
        self._database.close()
        self._path.unlink(missing_ok=True)

    def step(self) -> bool:
        """Fetch the next changes, and renew the lease if it is time; return whether there may be more.

        Raises:
            OriginUnreachable: There is no answer now.
            MirrorFailed: The origin is another register.
        """
        started_at = read_clock()
        try:
            has_changes = self._origin.fetch_changes(self._path, self._next_position())
        except OriginForked:
            self._is_outdated, self._held_until = True, 0.0
            return True
        if has_changes:
            self._apply()
        if not self._has_key:
            self._note_contact(started_at + self._seconds)
        elif read_clock() >= self._renew_at:
            self._renew()
        return has_changes

    def _next_position(self) -> LogPosition | None:
        return self.position if self._has_register and not self._is_outdated else None

    def _apply(self) -> None:
        """Write what was fetched to the file, and forget what was taken down."""
        register, _, after = read_package_state(self._path)
        with self._database.read() as session:
            known: str = session.execute(select(columns_of(RegisterIdentity).register_id)).scalar_one()
        if self._has_register and register != known:
            detail = f"The origin is the register {register}, the file is a mirror of {known}."
            raise MirrorFailed(f"{detail} Name another file.")
        (replace_register if after is None else apply_delta)(self._database, self._path)
        self._path.unlink(missing_ok=True)
        is_whole, self._is_outdated, self._has_register = after is None, False, True
        self._read_position()
        if is_whole or is_erasure_pending(self._database):
            self._forget(self.position.seq if is_whole else self._read_takedown())
            erase_files(self._database)
            self._renew_at = 0.0

    def _read_takedown(self) -> int:
        with self._database.read() as session:
            return session.execute(select(func.max(columns_of(Change).seq)).where(TAKEDOWN_CHANGE)).scalar() or 0

    def _read_position(self) -> None:
        with self._database.read() as session:
            seq: int = session.execute(select(columns_of(Clock).seq)).scalar_one()
            self.position = LogPosition(latest_epoch(session), seq)

    def _renew(self) -> None:
        started_at = read_clock()
        answer = self._origin.renew_lease(self._lease, self.position)
        if answer is None:  # it was revoked, or has ended long ago
            self._lease, self._held_until = None, 0.0
            return
        self._lease = answer.id
        if answer.held:
            self._renew_at = started_at + answer.seconds / RENEWALS_PER_LEASE
            self._note_contact(started_at + answer.seconds)

    def _note_contact(self, held_until: float) -> None:
        if not self._stop.is_set():
            self._held_until, self.contact_at = held_until, datetime.now(UTC)
            if read_clock() > self._contact_noted_at + CONTACT_SECONDS:
                self._contact_noted_at = read_clock()
                os.utime(self._contact)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._stop.wait(self._try_to_step())

    def _try_to_step(self) -> float:
        """Follow the origin, and return the seconds until the next step."""
        try:
            return 0.0 if self.step() else POLL_SECONDS
        except (OriginUnreachable, MirrorFailed) as error:
            log_once("the origin cannot be followed: %s", error, error=error, cause="mirror")
        except Exception as error:  # noqa: BLE001 - without the thread, the mirror would end
            log_once("the mirror cannot be written: %s", error, error=error, cause="mirror")
        return RETRY_SECONDS
