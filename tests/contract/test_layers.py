"""The packages of the application are layers: each imports only from those before it."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LAYERS = (
    ("__init__", "allocator", "enums", "errors", "logs", "runtime_folder", "settings", "terms"),
    ("comparison",),
    ("sentences",),
    ("database",),
    ("cache",),
    ("http",),
    ("vocabulary",),
    ("sources",),
    ("claims",),
    ("topics",),
    ("charts",),
    ("references",),
    ("changes",),
    ("feeds",),
    ("imports",),
    ("takedown",),
    ("purge",),
    ("leases",),
    ("register",),
    ("keys",),
    ("pages",),
    ("starter",),
    ("mirror",),
    ("main", "cli", "server", "offload_process", "__main__"),
)
"""The packages in their order. Those on one line may import each other."""

PURE_PACKAGES = {"comparison": {"enums"}, "sentences": {"enums", "comparison"}}
"""Packages of pure functions, and the only packages that each may import."""

LEVELS = {package: level for level, packages in enumerate(LAYERS) for package in packages}
MODULES = sorted((ROOT / "app").rglob("*.py"))


@cache
def imported_names(module: Path) -> list[tuple[str, str]]:
    """Return the package and the name of every import from the application, also of those inside functions."""
    found: list[tuple[str, str]] = []
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            if node.module == "app":
                found += ((alias.name if alias.name in LEVELS else "__init__", alias.name) for alias in node.names)
            elif node.module is not None and node.module.startswith("app."):
                found += ((node.module.split(".")[1], alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            names = (alias.name.split(".") for alias in node.names if alias.name.startswith("app."))
            found += ((parts[1], parts[-1]) for parts in names)
    return found


def package_of(module: Path) -> str:
    return module.relative_to(ROOT / "app").parts[0].removesuffix(".py")


@pytest.mark.parametrize("package", sorted(LEVELS))
def test_a_package_imports_only_from_those_before_it(package: str) -> None:
    for module in MODULES:
        if package_of(module) == package:
            for imported, name in imported_names(module):
                where = f"{module.relative_to(ROOT)} imports {name} from {imported}"
                assert LEVELS[imported] <= LEVELS[package], where
                assert imported in PURE_PACKAGES.get(package, LEVELS) or imported == package, where


def test_every_package_has_its_layer() -> None:
    assert {package_of(module) for module in MODULES} == set(LEVELS)


def test_no_package_imports_a_private_name_of_another() -> None:
    for module in MODULES:
        for imported, name in imported_names(module):
            is_private = name.startswith("_") and not name.startswith("__")
            assert not is_private or imported == package_of(module), f"{module.relative_to(ROOT)} imports {name}"


def test_the_database_does_not_know_the_web_framework() -> None:
    for module in (ROOT / "app" / "database").rglob("*.py"):
        assert "fastapi" not in module.read_text(encoding="utf-8"), module
