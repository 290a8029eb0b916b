"""Measure `counterclaim migrate` on a register of an older commit: time, CPU time, memory and size.

    python -m benchmarks.upgrade --claims 1000000 --databases "sqlite postgresql" --save

The register is filled by the code of that commit, whose migrations are the first five. It is made once in `.bench`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from shutil import copyfile

import psycopg
from sqlalchemy import make_url

from benchmarks.postgresql import CACHE_FOLDER, database_server

ROOT = Path(__file__).parent.parent
OLD_COMMIT = "d13bfd8"
"""The last commit with the schema of the first release (migration 0005)."""

FOLDER = CACHE_FOLDER / "upgrade"
FILL = """
import sys
from tests.plans.synthetic_register import fill_register
from tests.registers import migrate
migrate(sys.argv[1])
fill_register(sys.argv[1], int(sys.argv[2]))
"""


def old_code() -> Path:
    """Return a folder with the code of the old commit."""
    folder = FOLDER / OLD_COMMIT
    if not folder.exists():
        folder.mkdir(parents=True)
        archive = subprocess.run(["git", "archive", OLD_COMMIT], cwd=ROOT, capture_output=True, check=True)
        subprocess.run(["tar", "x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def fill(url: str, claims: int) -> None:
    """Fill an old register."""
    code = old_code()
    environment = os.environ | {"PYTHONPATH": str(code)}
    subprocess.run([sys.executable, "-c", FILL, url, str(claims)], cwd=code, env=environment, check=True)


def migrate(url: str) -> dict[str, float]:
    """Migrate a register with the code of this tree, and return what that took, without the server of PostgreSQL."""
    environment = os.environ | {"DATABASE_URL": url, "PYTHONPATH": str(ROOT)}
    started = time.monotonic()
    child = subprocess.Popen([sys.executable, "-m", "app", "migrate"], cwd=ROOT, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit("the migration failed")
    return {
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "max_memory_mb": round(usage.ru_maxrss / 1000),
    }


def measure_sqlite(claims: int) -> dict[str, float]:
    """Migrate a copy of an old file."""
    old, new = FOLDER / f"old_{claims}.db", FOLDER / "work.db"
    if not old.exists():
        making = FOLDER / "making.db"
        making.unlink(missing_ok=True)
        FOLDER.mkdir(parents=True, exist_ok=True)
        fill(f"sqlite:///{making}", claims)
        making.rename(old)
    copyfile(old, new)
    result = migrate(f"sqlite:///{new}")
    result |= {"mb_before": round(old.stat().st_size / 1e6), "mb_after": round(new.stat().st_size / 1e6)}
    new.unlink()
    return result


def measure_postgresql(server: str, claims: int) -> dict[str, float]:
    """Migrate an old database."""
    name = "counterclaim_upgrade"
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
        fill(url, claims)
        sizes = [_size(connection, name)]
        result = migrate(url)
        sizes.append(_size(connection, name))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    return result | {"mb_before": sizes[0], "mb_after": sizes[1]}


def _size(connection: psycopg.Connection, name: str) -> float:
    row = connection.execute("SELECT pg_database_size(%s)", [name]).fetchone()
    return round(row[0] / 1e6) if row else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=1_000_000)
    parser.add_argument("--databases", default="sqlite")
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    results = {"claims": options.claims, "from": OLD_COMMIT}
    for kind in options.databases.split():
        with database_server(kind) as server:
            measured = measure_sqlite(options.claims) if server is None else measure_postgresql(server, options.claims)
        results[kind] = measured
        print(kind, json.dumps(measured))
    if options.save:
        (ROOT / "benchmarks" / "results" / "upgrade.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
