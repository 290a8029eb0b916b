"""The `counterclaim` command: serve, migrate, load the starter claims, check, import files, and manage API keys."""

import os
import socket
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from functools import wraps
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click
from sqlalchemy import case, select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from app import __version__
from app.database.api_keys import create_key, list_keys, revoke_key
from app.database.engine import Database, SchemaStale, alembic_config
from app.database.erasure import erase_deleted_content, is_erasure_pending
from app.database.erasure import vacuum as rebuild_files
from app.database.tables import TopicVersion, columns_of
from app.enums import Role
from app.errors import Problem
from app.imports.readers.options import FileRefused, MappingRefused
from app.settings import InvalidSettings, Settings, environment_variable, read_settings

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
        except (InvalidSettings, SchemaStale, MigrationFailed, FileRefused, MappingRefused, Problem) as error:
            raise click.ClickException(str(error)) from None
        except SQLAlchemyError as error:
            raise click.ClickException(f"The database cannot be used: {str(error).splitlines()[0]}") from None

    return wrapper


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
    host, port, workers = host or settings.host, port or settings.port, workers or settings.workers
    if starter or settings.starter:
        _migrate()
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
    """Migrate the database to the schema of this release. Has no effect if it has that schema."""
    read_settings()
    _migrate()


def _migrate() -> None:
    from alembic.util.exc import CommandError  # noqa: PLC0415 - needed only here

    from alembic import command  # noqa: PLC0415

    try:
        command.upgrade(alembic_config(), "head")
    except CommandError as error:
        raise MigrationFailed(str(error)) from None
    click.echo("The schema is up to date.")


@main.command()
@cli_errors
def starter() -> None:
    """Load the starter claims that do not exist yet."""
    _load_starter(read_settings())


@main.command()
@cli_errors
def check() -> None:
    """List recorded claims that break a rule for new claims, one a line: the id, the rule, and what is wrong."""
    from app.claims.check import find_claim_breaches  # noqa: PLC0415 - the other commands do not need it

    database = _open_database(read_settings())
    count = 0
    for breach in find_claim_breaches(database):
        click.echo(f"{breach.claim}\t{breach.rule}\t{breach.detail}")
        count += 1
    database.close()
    click.echo(f"{count} found.")


@main.command()
@cli_errors
def vacuum() -> None:
    """Rebuild the database files, so that nothing that was taken down is left in them. Writes wait meanwhile."""
    database = _open_database(read_settings())
    rebuild_files(database)
    database.close()
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
@cli_errors
def key_create(name: str, role: str) -> None:
    """Create a key called NAME and print it. It cannot be shown again."""
    database = _open_database(read_settings())
    with database.write() as session:
        new_key = create_key(session, name, Role(role))
    database.close()
    click.echo(new_key)
    click.echo(f"The key cannot be shown again. `{name}` has the role {role}.", err=True)


@key.command("list")
@cli_errors
def key_list() -> None:
    """List all keys, including revoked ones."""
    database = _open_database(read_settings())
    with database.read_primary() as session:
        for api_key in list_keys(session):
            state = f"revoked {api_key.revoked_at:%Y-%m-%d}" if api_key.revoked_at else "active"
            click.echo(f"{api_key.name}\t{api_key.role}\tcreated {api_key.created_at:%Y-%m-%d}\t{state}")
    database.close()


@key.command("revoke")
@click.argument("name")
@cli_errors
def key_revoke(name: str) -> None:
    """Revoke every key called NAME."""
    database = _open_database(read_settings())
    revoked = revoke_key(database, name)
    database.close()
    if not revoked:
        raise click.ClickException(f"There is no active key called `{name}`.")
    click.echo(f"{revoked} revoked.")


def _choose_topic(session: Session) -> str | None:
    """Return a topic for an example: that of the starter claims, else the first one; None if there is none."""
    columns = columns_of(TopicVersion)
    is_other = case((columns.slug == STARTER_TOPIC, 0), else_=1)
    statement = select(columns.slug).where(columns.until_seq.is_(None)).order_by(is_other, columns.slug).limit(1)
    slug: str | None = session.execute(statement).scalar()
    return slug


def _local_address(host: str, port: int) -> str:
    """Return the address of the service on this machine."""
    name = "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host  # noqa: S104 - compared
    return f"http://{name}:{port}"


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
        hint = "Choose another port with --port or COUNTERCLAIM_PORT."
        raise click.ClickException(f"Cannot listen on {host}:{port}: {error.strerror}. {hint}") from None


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
