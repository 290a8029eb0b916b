"""The `counterclaim` command: serve, migrate, load, and keep keys."""

import socket
import sys
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from app import __version__
from app.database.api_keys import create_key, list_keys, revoke_key
from app.database.engine import Database, SchemaStale, alembic_config
from app.enums import Role
from app.errors import Problem
from app.imports.readers.options import FileRefused, MappingRefused
from app.settings import InvalidSettings, Settings, read_settings


class MigrationFailed(Exception):
    """Alembic says why."""


def cli_errors(action: Callable[..., None]) -> Callable[..., None]:
    """Turn the failures that an operator can mend into one clear line."""

    @wraps(action)
    def tell(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as it is
        try:
            action(*args, **kwargs)
        except (InvalidSettings, SchemaStale, MigrationFailed, FileRefused, MappingRefused, Problem) as fault:
            raise click.ClickException(str(fault)) from None
        except SQLAlchemyError as fault:
            raise click.ClickException(f"The database cannot be used: {str(fault).splitlines()[0]}") from None

    return tell


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Counterclaim: contested numbers, side by side. Settings come from the environment; see docs/settings.md."""


@main.command()
@click.option("--host", help="The address to listen on (COUNTERCLAIM_HOST).")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on (COUNTERCLAIM_PORT).")
@click.option("--workers", type=click.IntRange(1, 64), help="How many processes serve it (COUNTERCLAIM_WORKERS).")
@click.option("--starter", is_flag=True, help="First migrate, and load the starter claims (COUNTERCLAIM_STARTER).")
@cli_errors
def serve(host: str | None, port: int | None, workers: int | None, *, starter: bool) -> None:
    """Serve the register. Refuses to start on a database that another release has made."""
    from app.server import serve_in_process, serve_in_processes  # noqa: PLC0415 - the other commands start without the web

    settings = read_settings()
    host, port, workers = host or settings.host, port or settings.port, workers or settings.workers
    if starter or settings.starter:
        _migrate()
        _load_starter(settings)
    database = _open_database(settings)
    with database.read() as session:
        has_key = any(key.revoked_at is None for key in list_keys(session))
    database.close()
    listening = _open_socket(host, port)
    address = settings.base_url or f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 - compared
    click.echo(f"Explore the API            {address}/docs")
    click.echo(f"Five numbers side by side  {address}/v1/topics/russian-casualties/side-by-side?known_on=2025-06-12")
    click.echo(f"The same as a spreadsheet  {address}/v1/topics/russian-casualties/claims.csv")
    if not has_key:
        click.echo("Make the first API key     counterclaim key create NAME --role editor")
        click.echo("with Docker Compose        docker compose exec api counterclaim key create NAME --role editor")
    if workers == 1:
        serve_in_process(settings, listening)
    else:
        serve_in_processes(settings, listening, workers)


@main.command()
@cli_errors
def migrate() -> None:
    """Bring the database to this release's schema. Harmless when it is there already."""
    read_settings()
    _migrate()


def _migrate() -> None:
    from alembic.util.exc import CommandError  # noqa: PLC0415 - nothing else needs Alembic

    from alembic import command  # noqa: PLC0415

    try:
        command.upgrade(alembic_config(), "head")
    except CommandError as fault:
        raise MigrationFailed(str(fault)) from None
    click.echo("The schema is up to date.")


@main.command()
@cli_errors
def starter() -> None:
    """Load the starter claims that are not there yet."""
    _load_starter(read_settings())


def _load_starter(settings: Settings) -> None:
    from app.starter.load import load_starter  # noqa: PLC0415 - the other commands start without the rules

    database = _open_database(settings)
    click.echo(f"{load_starter(database)} starter claims loaded.")
    database.close()


@main.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--mapping", "-m", help="A mapping: a TOML file, or the name of a shipped one.")
@click.option("--inspect", is_flag=True, help="Look at an unknown file and print a draft mapping to start from.")
@click.option("--dry-run", is_flag=True, help="Report what the import would do, and record nothing.")
@click.option("--keep-going", is_flag=True, help="Import the valid rows, and write the refused ones to a file beside.")
@click.option("--strict", is_flag=True, help="Refuse rows with data-quality warnings.")
@click.option("--limit", type=click.IntRange(min=1), help="Read only so many rows.")
@click.option("--vintage", type=click.DateTime(["%Y-%m-%d"]), help="The day of the file, if its name does not give it.")
@click.option("--as", "actor", default="operator", show_default=True, help="The name under which it is recorded.")
@cli_errors
def import_(
    files: tuple[Path, ...],
    mapping: str | None,
    actor: str,
    *,
    inspect: bool,
    dry_run: bool,
    keep_going: bool,
    strict: bool,
    limit: int | None,
    vintage: datetime | None,
) -> None:
    """Turn the rows of FILES (also folders, zip and gzip) into claims: all of them, or none. See docs/imports.md."""
    from app.imports import command as imports  # noqa: PLC0415 - the other commands start without the rules

    if inspect:
        imports.inspect_file(files[0])
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
            limit=limit,
            vintage=vintage,
        )
    finally:
        database.close()


@main.group()
def key() -> None:
    """Make, list and revoke the keys that may write."""


@key.command("create")
@click.argument("name")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), default=Role.contributor.value, show_default=True
)
@cli_errors
def key_create(name: str, role: str) -> None:
    """Make a key called NAME and print it: the only time that it is shown."""
    database = _open_database(read_settings())
    with database.write() as session:
        made = create_key(session, name, Role(role))
    database.close()
    click.echo(made)
    click.echo(f"This is the only time the key is shown. `{name}` may write as {role}.", err=True)


@key.command("list")
@cli_errors
def key_list() -> None:
    """List every key there is or was."""
    database = _open_database(read_settings())
    with database.read() as session:
        for each in list_keys(session):
            state = f"revoked {each.revoked_at:%Y-%m-%d}" if each.revoked_at else "stands"
            click.echo(f"{each.name}\t{each.role}\tmade {each.created_at:%Y-%m-%d}\t{state}")
    database.close()


@key.command("revoke")
@click.argument("name")
@cli_errors
def key_revoke(name: str) -> None:
    """Revoke every key called NAME at once."""
    database = _open_database(read_settings())
    revoked = revoke_key(database, name)
    database.close()
    if not revoked:
        raise click.ClickException(f"No key called `{name}` stands.")
    click.echo(f"{revoked} revoked.")


def _open_socket(host: str, port: int) -> socket.socket:
    """Take the port before anything is printed: the links that `serve` shows have to work."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as fault:
        hint = "Choose another port with --port or COUNTERCLAIM_PORT."
        raise click.ClickException(f"Cannot listen on {host}:{port}: {fault.strerror}. {hint}") from None


def _open_database(settings: Settings) -> Database:
    database = Database(settings)
    database.check_schema()
    return database


if __name__ == "__main__":
    sys.exit(main())
