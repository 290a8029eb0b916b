"""The benchmarks cover every read route, and the hand-written peer stays small and independent of the application."""

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from app.main import create_app
from app.settings import Settings
from benchmarks.read_routes import READ_ROUTES

PEERS = Path(__file__).parent.parent.parent / "benchmarks" / "peers"
MAX_PEER_LINES = 80


def list_read_routes(tmp_path: Path) -> set[str]:
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path / 'none.db'}"))
    routes: list[Any] = [route for route in app.routes if isinstance(route, APIRoute)]
    return {route.path for route in routes if "GET" in route.methods}


def test_every_read_route_has_a_row_in_the_benchmarks(tmp_path: Path) -> None:
    assert list_read_routes(tmp_path) == set(READ_ROUTES)


@pytest.mark.parametrize("path", sorted(PEERS.glob("hand_written*.py")), ids=lambda path: path.stem)
def test_the_hand_written_peer_imports_nothing_of_the_application(path: Path) -> None:
    assert not re.search(r"^\s*(?:from|import) app\b", path.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", ["hand_written", "hand_written_statements", "hand_written_topics"])
def test_the_reads_of_the_hand_written_peer_stay_short(name: str) -> None:
    lines = (PEERS / f"{name}.py").read_text(encoding="utf-8").splitlines()
    assert sum(bool(line.strip()) for line in lines) <= MAX_PEER_LINES
