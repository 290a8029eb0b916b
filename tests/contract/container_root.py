"""Runs a command as a container would: with its own root, as one user, with only the environment that is passed.

It is started as root in a separate mount namespace (`unshare --mount`) with a JSON object as its argument. It cannot
import modules of the project, because they are not visible inside.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SYSTEM = ("/bin", "/sbin", "/lib", "/lib64", "/usr", "/etc")


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)  # noqa: S607 - found as a shell finds it


def bind(source: str, target: Path, *, read_only: bool = True) -> None:
    if Path(source).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    mount("--bind", source, str(target))
    if read_only:
        mount("-o", "remount,bind,ro", str(target))


def make_root(root: Path, spec: dict[str, Any]) -> None:
    """Mount the image, the volumes and the temporary file systems of the service, then make the root read-only."""
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(root))
    for path in SYSTEM:
        if Path(path).is_symlink():
            (root / path[1:]).symlink_to(Path(path).readlink())
        elif Path(path).is_dir():
            bind(path, root / path[1:])
    for path in ("/dev", "/proc"):
        (root / path[1:]).mkdir()
        mount("--rbind", path, str(root / path[1:]))
    for path in ("/tmp", "/var/tmp"):  # noqa: S108 - as in the image
        (root / path[1:]).mkdir(parents=True)
        (root / path[1:]).chmod(0o1777)
    for source, target in spec["image"].items():
        bind(source, root / target[1:])
    for source, target in spec["volumes"].items():
        bind(source, root / target[1:], read_only=spec["read_only_volumes"])
    (root / spec["workdir"][1:]).mkdir(parents=True, exist_ok=True)
    for each in spec["tmpfs"]:
        path, _, options = each.partition(":")
        (root / path[1:]).mkdir(parents=True, exist_ok=True)
        mount("-t", "tmpfs", *(["-o", options] if options else []), "tmpfs", str(root / path[1:]))
    if spec["read_only"]:
        mount("-o", "remount,ro", str(root))


def main() -> None:
    spec = json.loads(sys.argv[1])
    make_root(Path(spec["root"]), spec)
    os.chroot(spec["root"])
    os.chdir(spec["workdir"])
    os.setgroups([])
    os.setgid(spec["uid"])
    os.setuid(spec["uid"])
    os.execvpe(spec["command"][0], spec["command"], spec["environment"])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
