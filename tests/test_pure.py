"""The packages of pure functions import neither the web framework nor the database."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PURE_FOLDERS = ("comparison", "sentences", "imports/quality")
PURE = [
    *sorted(str(path.relative_to(ROOT)) for folder in PURE_FOLDERS for path in (ROOT / "app" / folder).glob("*.py")),
    "app/references/bibliography.py",
    "app/http/serializers.py",
]
FORBIDDEN = {"fastapi", "starlette", "pydantic", "sqlalchemy", "sqlmodel", "alembic"}


@cache
def list_imports(path: Path, root: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(path.relative_to(root).parts[: -node.level]) + "." if node.level else ""
            module = package + (node.module or "")
            # `from app.claims import x` may import a module or a name.
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


@cache
def file_of(module: str, root: Path) -> Path | None:
    place = root.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def list_all_imports(path: Path, root: Path = ROOT) -> set[str]:
    """Return everything that a file imports, directly or through other files of the project."""
    found: set[str] = set()
    # Importing a module imports its parent packages.
    pending = [path, *(each / "__init__.py" for each in path.parents if each != root and each.is_relative_to(root))]
    seen: set[Path] = set()
    while pending:
        current = pending.pop()
        seen.add(current)
        names = list_imports(current, root)
        packages = {".".join(name.split(".")[:depth]) for name in names for depth in range(1, name.count(".") + 1)}
        found |= names
        own = {file_of(name, root) for name in names | packages if name.startswith("app")}
        pending += [each for each in own if each is not None and each not in seen]
    return {name.split(".")[0] for name in found}


@pytest.mark.parametrize("path", PURE)
def test_what_is_pure_reaches_neither_the_web_nor_the_database(path: str) -> None:
    assert not list_all_imports(ROOT / path) & FORBIDDEN


def test_the_guard_would_see_a_forbidden_import(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()
    (tmp_path / "app" / "rule.py").write_text("from app import store\n", encoding="utf-8")
    (tmp_path / "app" / "store.py").write_text("import sqlalchemy.orm\nfrom . import rule\n", encoding="utf-8")
    assert "sqlalchemy" in list_all_imports(tmp_path / "app" / "rule.py", tmp_path)
