"""No name of any data stands in a module: how records read in sentences is data, and not code."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

APP = Path(__file__).parents[2] / "app"
STARTER = APP / "starter"
MAPPINGS = APP / "imports" / "mappings" / "shipped"
EXAMPLES = ("schemas.py", "schema.py")
"""The examples of the API use names of the starter data."""


@cache
def read_names() -> frozenset[str]:
    """Return the names of all records of the starter data and of the shipped mappings."""
    tables = [
        tomllib.loads((STARTER / f"{kind}.toml").read_text("utf-8")) for kind in ("sources", "places", "subjects")
    ]
    for path in MAPPINGS.glob("*.toml"):
        mapping = tomllib.loads(path.read_text("utf-8"))
        tables += [mapping.get(kind, {}) for kind in ("sources", "places", "subjects")]
    words = {record[field] for table in tables for record in table.values() for field in FIELDS if record.get(field)}
    return frozenset(name for word in words for name in (word, word.partition(" (")[0]) if name[:1].isupper())


def find_names(text: str) -> list[str]:
    """Return the names of the data in a text."""
    return compile_names().findall(text)


@cache
def compile_names() -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(sorted(map(re.escape, read_names()), key=len, reverse=True))})\b")


FIELDS = ("name", "short_name")
"""Not `in_text` of places and subjects, which hold plain words such as `worldwide`."""


def read_texts(path: Path) -> Iterator[str]:
    """Yield the string constants of a module, without docstrings and examples."""
    tree = ast.parse(path.read_text("utf-8"))
    left_out: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            left_out.add(node.value)
        if isinstance(node, ast.Call):
            left_out |= {
                part
                for keyword in node.keywords
                if keyword.arg in {"examples", "example", "description", "json_schema_extra"}
                for part in ast.walk(keyword.value)
            }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in left_out:
            yield node.value


def test_no_module_knows_a_name_of_the_data() -> None:
    names = read_names()
    assert {"Russian forces", "Oryx", "CSIS", "Kursk Oblast", "Gaza Strip"} <= names
    modules = [path for path in APP.rglob("*.py") if STARTER not in path.parents and path.name not in EXAMPLES]
    for path in modules:
        for text in read_texts(path):
            assert not find_names(text), (path, text)


def test_sentences_are_built_without_a_table_of_names() -> None:
    for path in (APP / "sentences").iterdir():
        if path.suffix in {".py", ".toml", ".json"}:
            text = path.read_text("utf-8")
            assert not find_names(text), path
    assert not list((APP / "sentences").glob("*.toml"))
