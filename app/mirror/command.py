"""Opens a mirror for `counterclaim mirror`: checks the origin, and reads the register the first time."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from app.database.engine import Database
from app.errors import MirrorFailed
from app.mirror.follower import Follower
from app.mirror.gateway import MirrorGateway
from app.mirror.origin import (
    Origin,
    OriginDescription,
    OriginUnreachable,
    description_path,
    package_path,
)
from app.settings import Settings, environment_variable, read_settings


def open_mirror(
    settings: Settings, address: str, file: Path, *, serves_offline: bool
) -> tuple[MirrorGateway, Settings]:
    """Return a mirror of the register at `address`, and the settings with which it answers like that.

    The settings are also those of the child processes, which read the environment.

    Raises:
        MirrorFailed: It cannot be mirrored, or not be reached the first time.
    """
    _check_address(address)
    if not settings.mirror_key and not serves_offline:
        raise MirrorFailed(
            "Set COUNTERCLAIM_MIRROR_KEY to a key of the role `mirror`, which `counterclaim key create NAME --role "
            "mirror` creates at the origin, or add --offline: then takedowns do not wait for this mirror."
        )
    origin = Origin(address, settings.mirror_key)
    try:
        described = _describe(origin, description_path(file))
    except MirrorFailed:
        origin.close()
        raise
    for name in ("base_url", "title", "terms"):
        os.environ[environment_variable(name)] = getattr(described, name)
    settings = read_settings()
    database = Database(settings)
    has_key, contact = bool(settings.mirror_key), description_path(file)
    follower = Follower(database, origin, package_path(file), contact, settings.lease, has_key=has_key)
    try:
        follower.load()
    except (OriginUnreachable, MirrorFailed) as error:
        follower.close()
        raise MirrorFailed(str(error)) from None
    return MirrorGateway(follower, described.base_url or origin.address, serves_offline=serves_offline), settings


def _check_address(address: str) -> None:
    try:
        parts = urlsplit(address)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or parts.query or parts.fragment or parts.username is not None or not address.isprintable():
        raise MirrorFailed(
            "ORIGIN: expected an address like https://register.example, without a user, query or fragment."
        )


def _describe(origin: Origin, path: Path) -> OriginDescription:
    """Return what the origin says about itself, or has said when it could be reached."""
    stored = OriginDescription.load(path)
    if stored is not None and stored.address != origin.address:
        raise MirrorFailed(f"The file is a mirror of {stored.address}. Name another file with --file.")
    try:
        described = origin.describe()
    except OriginUnreachable as error:
        if stored is None:
            raise MirrorFailed(f"{error}.") from None
        return stored
    if stored is not None and stored.register != described.register:
        raise MirrorFailed(
            f"{origin.address} is another register than the one in the file. Name another file with --file."
        )
    described.store(path)
    return described
