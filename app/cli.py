"""The `counterclaim` command: serve, migrate, load the starter claims, check, import files, manage keys and leases."""

import errno
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import wraps
from ipaddress import ip_address
from pathlib import Path
from threading import Event
from typing import Any

import click
from sqlalchemy import case, make_url, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from app import __version__
from app.database.api_keys import create_key, list_keys, revoke_key_by_id
from app.database.engine import Database, SchemaStale, alembic_config
from app.database.erasure import erase_deleted_content, is_erasure_pending
from app.database.erasure import vacuum as rebuild_files
from app.database.faults import DatabaseFault, classify
from app.database.leases import list_leases, read_time, revoke_lease
from app.database.migration_lock import MigrationNeedsDirectConnection, migration_lock
from app.database.tables import ApiKey, TopicVersion, columns_of
from app.database.transaction import write_transaction
from app.enums import LeaseKind, Role
from app.errors import BackupFailed, CopyFailed, MirrorFailed, Problem, PurgeFailed, SnapshotFailed, shorten
from app.imports.readers.options import FileRefused, MappingRefused
from app.settings import (
    InvalidSettings,
    Settings,
    environment_variable,
    normalize_database_url,
    normalize_host,
    read_settings,
)

STARTER_TOPIC = "russian-casualties"
"""The topic of the starter claims that `serve` names if it is there."""


class MigrationFailed(Exception):
    """A migration failed, for the reason that Alembic reports."""


def cli_errors(function: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command so that errors an operator can correct are one line instead of a traceback."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the arguments of the command
        try:
            function(*args, **kwargs)
        except FileRefused as error:
            raise click.ClickException(f"{error} ({error.hint})" if error.hint else str(error)) from None
        except (InvalidSettings, SchemaStale, MigrationFailed, MappingRefused, Problem) as error:
            raise click.ClickException(str(error)) from None
        except (BackupFailed, CopyFailed, MirrorFailed, PurgeFailed, SnapshotFailed) as error:
            raise click.ClickException(str(error)) from None
        except SQLAlchemyError as error:
            raise click.ClickException(_describe_database_error(error)) from None

    return wrapper


def _describe_database_error(error: SQLAlchemyError) -> str:
    """Return what is wrong with the database, with its name if it is a file."""
    message = str(getattr(error, "orig", None) or error).strip().splitlines()[0].rstrip(".")
    try:
        url = make_url(read_settings().database_url)
    except InvalidSettings:
        return f"The database cannot be used: {message}."
    name = (
        str(url.database)
        if url.get_backend_name() == "sqlite"
        else str(url.host or url.query.get("host") or url.database)
    )
    if classify(error) is DatabaseFault.damaged:
        return f"The database {name} is damaged: {message}. Restore a backup: see docs/operating.md."
    return f"The database {name} cannot be used: {message}."


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Counterclaim: contested numbers, side by side. Settings come from the environment; see docs/settings.md."""


@main.command()
@click.option("--host", help="The address to listen on (COUNTERCLAIM_HOST).")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on (COUNTERCLAIM_PORT).")
@click.option("--workers", type=click.IntRange(1, 64), help="The number of processes (COUNTERCLAIM_WORKERS).")
@click.option("--starter", is_flag=True, help="First migrate and load the starter claims (COUNTERCLAIM_STARTER).")
@cli_errors
def serve(host: str | None, port: int | None, workers: int | None, *, starter: bool) -> None:
    """Serve the register. Does not start if the database schema is not that of this release."""
    from app.server import serve_in_process, serve_in_processes  # noqa: PLC0415 - the other commands do not need the web framework

    settings = read_settings()
    try:
        host = normalize_host(host) if host else settings.host
    except ValueError as error:
        raise click.ClickException(f"--host {host}: {error}.") from None
    port, workers = port or settings.port, workers or settings.workers
    if starter or settings.starter:
        _migrate(settings)
        _load_starter(settings)
    database = _open_database(settings)
    with database.read_primary() as session:
        has_key = any(key.revoked_at is None for key in list_keys(session))
        topic = _choose_topic(session)
    if is_erasure_pending(database):  # the last process ended between a takedown and the erasure of the files
        erase_deleted_content(database)
    database.close()
    server_socket = _open_socket(host, port)
    address = settings.base_url or _local_address(host, port)
    if not settings.base_url and _is_loopback(host):
        # Only this machine can read the addresses, so they are known. Worker processes inherit the setting.
        os.environ[environment_variable("base_url")] = address
        settings = read_settings()
    click.echo(f"Open the first page        {address}/")
    click.echo(f"Explore the API            {address}/docs")
    if topic is not None:
        click.echo(f"Numbers side by side       {address}/v1/topics/{topic}/side-by-side")
        click.echo(f"The same as a spreadsheet  {address}/v1/topics/{topic}/claims.csv")
    if not has_key:
        click.echo("Create the first API key   counterclaim key create NAME --role editor")
        click.echo("with Docker Compose        docker compose exec api counterclaim key create NAME --role editor")
    if workers == 1:
        serve_in_process(settings, server_socket)
    else:
        serve_in_processes(settings, server_socket, workers)


@main.command()
@cli_errors
def migrate() -> None:
    """Migrate the database to the schema of this release. Has no effect if it has that schema.

    Several at the same time wait for one another.
    """
    _migrate(read_settings())


def _migrate(settings: Settings) -> None:
    from alembic.util.exc import CommandError  # noqa: PLC0415 - needed only here

    from alembic import command  # noqa: PLC0415

    try:
        with closing(Database(settings)) as database, migration_lock(database):
            if (newer := database.newer_schema()) is not None:
                raise MigrationFailed(newer)
            command.upgrade(alembic_config(), "head")
    except CommandError as error:
        raise MigrationFailed(str(error)) from None
    except MigrationNeedsDirectConnection:
        detail = "DATABASE_URL is the address of a connection pooler. Migrate with the address of PostgreSQL itself."
        raise MigrationFailed(detail) from None
    click.echo("The schema is up to date.")


@main.command()
@cli_errors
def starter() -> None:
    """Load the starter claims that do not exist yet."""
    _load_starter(read_settings())


@main.command()
@cli_errors
def check() -> None:
    """Read everything, and list what breaks an invariant of a register or a rule for new claims, one a line.

    A line has the id of a claim, or `register`, then the rule and what is wrong. The exit status is 1 if an invariant
    does not hold: the files are damaged, or rows contradict each other. If all hold, a register that was not ready
    because of damage is ready again.
    """
    from app.claims.check import find_claim_breaches  # noqa: PLC0415 - the other commands do not need it
    from app.register.invariants import find_breaches  # noqa: PLC0415 - as above

    database = Database(read_settings())
    with closing(database):
        database.check_file()
        broken = 0
        for found in find_breaches(database):
            click.echo(f"register\t{found.invariant}\t{found.detail}")
            broken += 1
        if broken:
            database.damage.write(f"`counterclaim check` has found {broken} invariants that do not hold.")
            raise click.ClickException(f"{broken} invariants do not hold. See docs/operating.md.")
        count = 0
        for breach in find_claim_breaches(database):
            click.echo(f"{breach.claim}\t{breach.rule}\t{breach.detail}")
            count += 1
        database.damage.clear()
        if database.dialect == "postgresql":
            with database.read_primary() as session:
                if session.execute(text("SHOW data_checksums")).scalar() != "on":
                    click.echo("PostgreSQL has no data checksums: see docs/operating.md.", err=True)
    click.echo(f"{count} found.")


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--keep", type=click.IntRange(min=1), help="How many backups of the register stay in FOLDER.")
@cli_errors
def backup(folder: Path, keep: int | None) -> None:
    """Write a backup into FOLDER, also while the register is served, and print its path."""
    from app.register.backup import back_up  # noqa: PLC0415 - the other commands do not need it

    with closing(_open_database(read_settings())) as database:
        click.echo(back_up(database, folder, keep))


@main.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@cli_errors
def restore(file: Path) -> None:
    """Replace the register by the backup FILE. Nobody may serve it meanwhile."""
    from app.register.backup import restore as restore_backup  # noqa: PLC0415 - the other commands do not need it

    result = restore_backup(read_settings(), file)
    click.echo(f"The register is at seq {result.mark.seq}.")
    if result.epoch is not None:
        click.echo(f"It has the new epoch {result.epoch.number}.")
    if result.takedowns:
        click.echo(f"{result.takedowns} takedowns after the backup were repeated.")
    if result.previous is not None:
        click.echo(f"The file before is {result.previous}: it may contain what was taken down. Remove it.")


@main.command()
@cli_errors
def epoch() -> None:
    """Begin a new epoch, where history forked unnoticed. Nobody may serve meanwhile."""
    from app.database.epochs import begin_epoch  # noqa: PLC0415 - the other commands do not need it

    with closing(_open_database(read_settings())) as database, database.write() as session:
        begun = begin_epoch(session)
    click.echo(f"Epoch {begun.number} begins after seq {begun.forked_seq}.")


@main.command("copy")
@click.argument("target")
@cli_errors
def copy_(target: str) -> None:
    """Copy the register with its keys to the database at the URL TARGET, which is migrated and empty."""
    from app.register.copy import copy_register  # noqa: PLC0415 - the other commands do not need it

    settings = read_settings()
    try:
        url = normalize_database_url(target)
    except ValueError as error:
        raise click.ClickException(f"TARGET: {error}.") from None
    other = settings.model_copy(update={"database_url": url, "database_read_url": ""})
    with closing(_open_database(settings)) as source, closing(_open_database(other)) as database:
        mark = copy_register(source, database, settings.title)
    click.echo(f"Copied the register {mark.id} at seq {mark.seq}.")


@main.command()
@click.argument("target")
@cli_errors
def snapshot(target: str) -> None:
    """Write the tables as Parquet files to TARGET: a folder, or s3://BUCKET/PREFIX (see docs/files.md)."""
    from app.http.parquet import is_available  # noqa: PLC0415 - the other commands do not need it
    from app.register.package import read_state  # noqa: PLC0415 - as above
    from app.register.snapshot import write_snapshot  # noqa: PLC0415 - as above

    if not is_available():
        raise click.ClickException("Snapshots are written by pyarrow. Run: pip install 'counterclaim[parquet]'")
    settings = read_settings()
    with closing(_open_database(settings)) as database:
        state = read_state(database, settings.title, settings.terms or None)
        for path in write_snapshot(database, state, target):
            click.echo(path)
    click.echo(f"The snapshot of the register {state.id} at seq {state.seq} is complete.")


@main.command()
@click.argument("origin")
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("mirror.db"),
    show_default=True,
    help="The SQLite file of the mirror.",
)
@click.option("--host", help="The address to listen on (COUNTERCLAIM_HOST).")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on (COUNTERCLAIM_PORT).")
@click.option("--offline", is_flag=True, help="Go on when ORIGIN cannot be reached, and say so in each answer.")
@cli_errors
def mirror(origin: str, file: Path, host: str | None, port: int | None, *, offline: bool) -> None:
    """Serve a read-only copy of the register at the URL ORIGIN, which follows it (see docs/mirrors.md).

    COUNTERCLAIM_MIRROR_KEY is a key of the role `mirror`, created at ORIGIN; only with --offline it may be missing.
    """
    from app.mirror.command import open_mirror  # noqa: PLC0415 - the other commands do not need it
    from app.server import serve_in_process  # noqa: PLC0415 - as above

    os.environ["DATABASE_URL"] = f"sqlite:///{file.absolute()}"
    os.environ.pop("DATABASE_READ_URL", None)
    settings = read_settings()
    try:
        host = normalize_host(host) if host else settings.host
    except ValueError as error:
        raise click.ClickException(f"--host {host}: {error}.") from None
    port = port or settings.port
    _migrate(settings)
    gateway, settings = open_mirror(settings, origin, file, serves_offline=offline)
    server_socket = _open_socket(host, port)
    click.echo(f"The mirror is at seq {gateway.follower.position.seq}: {_local_address(host, port)}/")
    serve_in_process(settings, server_socket, gateway)


@main.command()
@click.option(
    "--to", "url", required=True, metavar="URL", help="The address of the cache, such as http://127.0.0.1:6081."
)
@cli_errors
def purge(url: str) -> None:
    """Purge a shared cache of what changes, until SIGTERM or Ctrl-C (see docs/operating.md)."""
    from app.purge.cache_client import CacheClient  # noqa: PLC0415 - the other commands do not need it
    from app.purge.purger import Purger  # noqa: PLC0415 - as above

    settings = read_settings().model_copy(update={"database_read_url": ""})  # a replica may lag
    cache, stop = CacheClient(url), Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with closing(_open_database(settings)) as database:
        purger = Purger(database, cache, settings.lease)
        purger.start()
        click.echo(f"Purging {url}.")
        purger.run(stop)


@main.command()
@cli_errors
def vacuum() -> None:
    """Rebuild the files, without what was taken down, the full-text index and the counts. Writes wait meanwhile."""
    from app.claims.counts.stored import rebuild_counts  # noqa: PLC0415 - the other commands do not need it

    with closing(_open_database(read_settings())) as database:
        with write_transaction(database, "vacuum") as transaction:
            rebuild_counts(transaction)
        rebuild_files(database)
    click.echo("The database files are rebuilt.")


def _load_starter(settings: Settings) -> None:
    from app.starter.load import load_starter  # noqa: PLC0415 - the other commands do not need it

    database = _open_database(settings)
    click.echo(f"{load_starter(database)} starter claims loaded.")
    database.close()


@main.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--mapping", "-m", help="A mapping: a TOML file, or the name of a built-in mapping.")
@click.option("--inspect", is_flag=True, help="Print a draft mapping for a file with an unknown layout.")
@click.option("--dry-run", is_flag=True, help="Report what the import would do, and record nothing.")
@click.option(
    "--keep-going", is_flag=True, help="Import the valid rows, and write the refused rows to a separate file."
)
@click.option("--strict", is_flag=True, help="Refuse rows with data-quality warnings.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the refused rows, with the reasons, to this XLSX file.",
)
@click.option("--limit", type=click.IntRange(min=1), help="The maximum number of rows to read.")
@click.option("--vintage", type=click.DateTime(["%Y-%m-%d"]), help="The day of the file, if its name does not give it.")
@click.option("--as", "actor", default="operator", show_default=True, help="The actor name to record for the import.")
@click.pass_context
@cli_errors
def import_(
    context: click.Context,
    files: tuple[str, ...],
    mapping: str | None,
    actor: str,
    *,
    inspect: bool,
    dry_run: bool,
    keep_going: bool,
    strict: bool,
    report: Path | None,
    limit: int | None,
    vintage: datetime | None,
) -> None:
    """Import the rows of FILES as claims, all of them or none: files, folders, zip, gzip, or - for standard input.

    See docs/imports.md. The data package of a register (`/v1/export`) is restored into an empty register: see
    docs/files.md.
    """
    from app.imports import command as imports  # noqa: PLC0415 - the other commands do not need it
    from app.register.restore import is_package, restore_package  # noqa: PLC0415 - as above

    imports.refuse_addresses(files, context)
    if len(files) == 1 and is_package(package := Path(files[0])):
        with closing(_open_database(read_settings())) as database:
            counts = restore_package(database, package)
        click.echo(f"Restored {counts['change']} changes of {counts['claim']} versions of claims.")
        return
    if inspect:
        imports.inspect_file(files[0], mapping)
        return
    database = _open_database(read_settings())
    try:
        imports.import_files(
            database,
            files,
            mapping,
            actor,
            dry_run=dry_run,
            keep_going=keep_going,
            strict=strict,
            report=report,
            limit=limit,
            vintage=vintage,
        )
    finally:
        database.close()


@main.group()
def key() -> None:
    """Create, list and revoke API keys for writing."""


@key.command("create")
@click.argument("name")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), default=Role.contributor.value, show_default=True
)
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="The day (UTC) from which the key is refused.")
@cli_errors
def key_create(name: str, role: str, expires: datetime | None) -> None:
    """Create a key called NAME and print it. It cannot be shown again. The name is public, in the change log."""
    database = _open_database(read_settings())
    expires_at = None if expires is None else expires.replace(tzinfo=UTC)
    with closing(database), database.write() as session:
        new_key = create_key(session, name, Role(role), expires_at=expires_at)
    click.echo(new_key)
    click.echo(f"The key cannot be shown again. `{name}` has the role {role}.", err=True)


@key.command("list")
@cli_errors
def key_list() -> None:
    """List all keys, including revoked ones."""
    database = _open_database(read_settings())
    with database.read_primary() as session:
        for api_key in list_keys(session):
            used = f"last used {api_key.last_used_at:%Y-%m-%d}" if api_key.last_used_at else "never used"
            click.echo(
                f"{api_key.name}\t{api_key.role}\tcreated {api_key.created_at:%Y-%m-%d}\t{_state_of(api_key)}"
                f"\t{used}\t{api_key.id}"
            )
    database.close()


def _state_of(api_key: ApiKey) -> str:
    if api_key.revoked_at:
        return f"revoked {api_key.revoked_at:%Y-%m-%d}"
    if api_key.expires_at is None:
        return "active"
    return f"{'expired' if api_key.expires_at <= datetime.now(UTC) else 'expires'} {api_key.expires_at:%Y-%m-%d}"


@key.command("revoke")
@click.argument("key")
@click.option("--all", "revokes_all", is_flag=True, help="Revoke all keys of that name.")
@cli_errors
def key_revoke(key: str, *, revokes_all: bool) -> None:
    """Revoke KEY: the id of a key, or its name if no other valid key has that name."""
    with closing(_open_database(read_settings())) as database:
        with database.read_primary() as session:
            valid = [each for each in list_keys(session) if each.revoked_at is None and key in (each.id, each.name)]
        if not valid:
            raise click.ClickException(f"There is no active key called `{key}`.")
        if len(valid) > 1 and not revokes_all:
            ids = ", ".join(each.id for each in valid)
            raise click.ClickException(
                f"{len(valid)} keys are called `{key}`. Name one by its id ({ids}), or add --all."
            )
        for each in valid:
            revoke_key_by_id(database, each.id)
    click.echo(f"{len(valid)} revoked.")


@main.group()
def lease() -> None:
    """List and revoke leases: those for whom a takedown waits, such as processes and mirrors."""


@lease.command("list")
@cli_errors
def lease_list() -> None:
    """List the leases, also those that have ended within the last hour."""
    with closing(_open_database(read_settings())) as database, database.read_primary() as session:
        now = read_time(session)
        for each in list_leases(session):
            seconds = (each.expires_at - now).total_seconds()
            state = f"ends in {seconds:.0f} s" if seconds > 0 else "ended"
            if each.kind is LeaseKind.mirror and each.key is None:
                state = f"revoked, {state}"
            acknowledged = f"acknowledged {each.epoch}:{each.acknowledged}"
            click.echo(f"{each.id}\t{each.kind}\t{each.holder}\t{state}\t{acknowledged}")


@lease.command("revoke")
@click.argument("lease")
@cli_errors
def lease_revoke(lease: str) -> None:
    """Let the mirror with the lease LEASE, by its id, not renew it. A takedown waits until it has ended.

    The mirror can get another one while its API key is valid.
    """
    with closing(_open_database(read_settings())) as database, database.write() as session:
        revoked = revoke_lease(session, lease)
        if revoked is None:
            raise click.ClickException(f"There is no lease `{shorten(lease)}`. `counterclaim lease list` lists them.")
        if revoked.kind is not LeaseKind.mirror:
            raise click.ClickException("The lease is that of a process on your machines. Stop the process.")
    click.echo("Revoked. To shut the mirror out, also revoke its key: counterclaim key revoke")


def _choose_topic(session: Session) -> str | None:
    """Return a topic for an example: that of the starter claims, else the first one; None if there is none."""
    columns = columns_of(TopicVersion)
    is_other = case((columns.slug == STARTER_TOPIC, 0), else_=1)
    statement = select(columns.slug).where(columns.until_seq.is_(None)).order_by(is_other, columns.slug).limit(1)
    slug: str | None = session.execute(statement).scalar()
    return slug


def _local_address(host: str, port: int) -> str:
    """Return the address of the service on this machine."""
    # All addresses of the machine include the loopback address; a browser cannot open `0.0.0.0` or `::` everywhere.
    return f"http://{_host_and_port({'0.0.0.0': '127.0.0.1', '::': '::1'}.get(host, host), port)}"  # noqa: S104 - compared


def _host_and_port(host: str, port: int) -> str:
    """Return a host and a port as they stand in a URL (RFC 3986; RFC 6874 for the zone of an IPv6 address)."""
    return f"[{host.replace('%', '%25')}]:{port}" if ":" in host else f"{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _open_socket(host: str, port: int) -> socket.socket:
    """Bind the port before `serve` prints links to it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        hint = PORT_HINTS.get(error.errno or 0, "Set an address of this machine with --host or COUNTERCLAIM_HOST.")
        reason = (error.strerror or str(error)).partition(" (while ")[0]
        raise click.ClickException(f"Cannot listen on {_host_and_port(host, port)}: {reason}. {hint}") from None


PORT_HINTS = {
    errno.EADDRINUSE: "Choose another port with --port or COUNTERCLAIM_PORT.",
    errno.EACCES: "Choose a port above 1023 with --port or COUNTERCLAIM_PORT.",
}
"""What helps if the port cannot be opened. Any other error is about the address."""


def _open_database(settings: Settings) -> Database:
    database = Database(settings)
    try:
        database.check_schema()
    except Exception:
        database.close()
        raise
    return database


if __name__ == "__main__":
    sys.exit(main())
