"""The cost of takedowns in a register of CLAIMS claims, and of reads meanwhile, as CPU time and waiting time.

python -m benchmarks.takedowns --claims 1000000 --databases "sqlite postgresql"
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import func, make_url, select

from app.database.engine import Database
from app.database.erasure import erase_deleted_content
from app.database.tables import CitationVersion, ClaimVersion, SourceVersion, columns_of
from app.database.transaction import WriteTransaction, write_transaction
from app.settings import Settings
from app.takedown.claims import take_down_claims
from app.takedown.documents import take_down_documents
from app.takedown.sources import take_down_source
from benchmarks.postgresql import postgresql_server
from tests.plans.synthetic_register import fill_register
from tests.registers import migrate

READ_PAUSE_SECONDS = 0.01


def main() -> None:
    """Measure on the databases that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=1_000_000)
    parser.add_argument("--databases", default="sqlite")
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        for dialect in arguments.databases.split():
            with _open_url(dialect, Path(folder)) as url:
                migrate(url)
                fill_register(url, arguments.claims)
                _measure(dialect, Database(Settings(DATABASE_URL=url)))  # type: ignore[call-arg]


@contextmanager
def _open_url(dialect: str, folder: Path) -> Iterator[str]:
    if dialect == "sqlite":
        yield f"sqlite:///{folder / 'register.db'}"
        return
    with postgresql_server(core=0) as server:
        name = f"takedowns_{uuid4().hex}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        address = make_url(server).set(drivername="postgresql+psycopg", database=name)
        yield address.render_as_string(hide_password=False)
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _measure(dialect: str, database: Database) -> None:
    claim, citation, source = (columns_of(table) for table in (ClaimVersion, CitationVersion, SourceVersion))
    with database.read() as session:
        is_standing = (claim.until_seq.is_(None), claim.status == "asserted")
        id_ = session.execute(select(claim.id).where(*is_standing).limit(1).offset(50)).scalar_one()
        document = session.execute(select(citation.document).limit(1).offset(1_000)).scalar_one()
        counted = select(claim.source, func.count()).where(*is_standing).group_by(claim.source)
        slugs = sorted(session.execute(counted).all(), key=lambda row: row[1])
        known = set(session.execute(select(source.slug)).scalars())
    slugs = [row for row in slugs if row[0] in known]
    small, large = slugs[len(slugs) // 2], slugs[-1]
    _run(dialect, database, "a claim", lambda log: take_down_claims(log, [id_], "An order."))
    _run(dialect, database, "a document", lambda log: take_down_documents(log, [document], "An order."))
    for slug, number in (small, large):
        name = f"a source with {number:,} claims"
        _run(dialect, database, name, lambda log, slug=slug: take_down_source(log, slug, "An order.", claims=False))


def _run(dialect: str, database: Database, name: str, operation: Callable[[WriteTransaction], object]) -> None:
    with _reading(database) as waits:
        started_at, cpu = time.perf_counter(), time.process_time()
        with write_transaction(database, "bench") as transaction:
            operation(transaction)
        written = time.perf_counter() - started_at
        erase_deleted_content(database)
        total, cpu = time.perf_counter() - started_at, time.process_time() - cpu
    print(
        f"{dialect:<11} {name:<32} transaction {written:7.2f} s, with files {total:7.2f} s, CPU {cpu:7.2f} s; "
        f"{len(waits)} reads meanwhile: median {statistics.median(waits) * 1000:.1f} ms, max {max(waits) * 1000:.1f} ms",
        flush=True,
    )


@contextmanager
def _reading(database: Database) -> Iterator[list[float]]:
    """Read the newest claims again and again during the block, and yield the durations in seconds."""
    waits: list[float] = []
    stop = Event()
    claim = columns_of(ClaimVersion)
    statement = select(claim.id).where(claim.until_seq.is_(None)).order_by(claim.seq.desc()).limit(50)

    def read() -> None:
        while not stop.is_set():
            started_at = time.perf_counter()
            with database.read() as session:
                session.execute(statement).all()
            waits.append(time.perf_counter() - started_at)
            time.sleep(READ_PAUSE_SECONDS)

    thread = Thread(target=read)
    thread.start()
    time.sleep(0.1)
    try:
        yield waits
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    main()
