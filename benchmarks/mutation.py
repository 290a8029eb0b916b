"""Mutation test of the comparison rules: how many small faults in `app/comparison` do its tests find?

Each mutant changes one comparison, boolean operator, constant, arithmetic operator, condition or return value of one
function. The tests are collected once. For each mutant, a forked child replaces the code of the function in place and
runs the tests of `tests/comparison`, those of the mutated module first, until one fails. Property tests run with fewer
examples and without shrinking.

    python -m benchmarks.mutation                        # all rules
    python -m benchmarks.mutation rounding spread        # some modules
    python -m benchmarks.mutation --again survivors.txt  # the mutants that an earlier run printed as survivors
"""

import argparse
import ast
import copy
import gc
import importlib
import io
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "app.comparison"
MODULES = (
    *(
        "effective_period",
        "hierarchy",
        "measure",
        "rounding",
        "comparability",
        "verdicts",
        "positions",
        "groups",
        "spread",
    ),
    *("verdict_counts", "supersession", "origins", "relative_base", "units", "series_key"),
)
EXAMPLES = 25
"""The number of examples of each property test."""

SECONDS_PER_MUTANT = 240
"""A mutant that runs longer counts as killed: it made a loop endless."""

OWN_TESTS = {
    "test_verdict_counts.py": "verdict_counts",
    "test_supersession.py": "supersession",
    "test_origins.py": "origins",
    "test_series_key.py": "series_key",
}
"""Tests that run only for the mutants of one module, which needs no others."""

UNRELATED_TESTS = frozenset({"test_wording.py", "test_figure.py", "test_period.py"})

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}
_FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any"}


def describe(node: ast.AST) -> str:
    return ast.unparse(node).replace("\n", " ")[:90]


def mutate(node: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Yield the mutants of one node, each with a description."""
    mutant: Any
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            mutant = copy.deepcopy(node)
            mutant.ops[index] = _COMPARISONS[type(operator)]()
            yield mutant, f"{describe(node)} -> {describe(mutant)}"
    elif isinstance(node, ast.BoolOp):
        mutant = copy.deepcopy(node)
        mutant.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield mutant, f"{describe(node)} -> {describe(mutant)}"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand, f"{describe(node)} -> {describe(node.operand)}"
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        mutant = copy.deepcopy(node)
        mutant.op = _OPERATORS[type(node.op)]()
        yield mutant, f"{describe(node)} -> {describe(mutant)}"
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        value = not node.value if isinstance(node.value, bool) else node.value + 1
        yield ast.Constant(value), f"{node.value!r} -> {value!r}"
    elif isinstance(node, ast.If | ast.IfExp):
        mutant = copy.deepcopy(node)
        mutant.test = ast.UnaryOp(ast.Not(), node.test)
        yield mutant, f"if {describe(node.test)} -> if not"
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield ast.Return(ast.Constant(None)), f"{describe(node)} -> return None"
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
        mutant = copy.deepcopy(node)
        mutant.func = ast.Name(_FUNCTIONS[node.func.id], ast.Load())
        yield mutant, f"{describe(node)} -> {_FUNCTIONS[node.func.id]}"


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


class _Replacement(ast.NodeTransformer):
    """Replaces the node at a position (in the order of a depth-first walk) by a mutant."""

    def __init__(self, replace: dict[int, ast.AST]) -> None:
        self.replace = replace

    def visit(self, node: ast.AST) -> Any:
        if id(node) in self.replace:
            return ast.copy_location(self.replace[id(node)], node)
        return self.generic_visit(node)


def list_mutants(tree: ast.Module) -> Iterator[tuple[str, int, str, ast.Module]]:
    """Yield the function, the line, a description and the tree of each mutant."""
    for function, name in _functions(tree):
        for node in _walk_body(function):
            for mutant, text in mutate(node):
                changed = _Replacement({id(node): mutant}).visit(_shallow_copy(tree, node))
                yield name, getattr(node, "lineno", function.lineno), text, ast.fix_missing_locations(changed)


def _shallow_copy(tree: ast.Module, keep: ast.AST) -> ast.Module:
    """Return a copy of the tree that has the node `keep` itself, so that it is found by its identity."""
    return copy.deepcopy(tree, {id(keep): keep})


def _functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, str]]:
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            yield statement, statement.name
        elif isinstance(statement, ast.ClassDef):
            for member in statement.body:
                if isinstance(member, ast.FunctionDef):
                    yield member, f"{statement.name}.{member.name}"


def _walk_body(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Walk the statements of a function, without annotations and error messages."""
    pending: list[ast.AST] = list(reversed([*function.args.defaults, *function.body]))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Raise):
            continue
        yield node
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.AnnAssign):
            children = [] if node.value is None else [node.value]
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            # A type such as set[Reason]() has nothing to mutate.
            children = [node.slice] if node.value.id not in {"set", "frozenset", "dict", "Counter", "list"} else []
        pending.extend(reversed(children))


def find_code(code: CodeType, name: str) -> CodeType:
    for part in name.split("."):
        code = next(each for each in code.co_consts if isinstance(each, CodeType) and each.co_name == part)
    return code


def find_function(module: ModuleType, name: str) -> FunctionType:
    found: Any = module
    for part in name.split("."):
        found = vars(found)[part] if not isinstance(found, ModuleType) else getattr(found, part)
    found = getattr(found, "__wrapped__", found)
    found = found.fget if isinstance(found, property) else found
    return found if isinstance(found, FunctionType) else found.__func__


class Runner:
    """Collects the tests once, and runs them against each mutant in a forked child."""

    def __init__(self, modules: list[str], workers: int, budget: float, again: set[str] | None) -> None:
        self.modules = modules
        self.again = again
        self.workers = workers
        self.deadline = time.monotonic() + budget
        self.survivors: list[str] = []
        self.killed = self.skipped = 0

    def pytest_configure(self) -> None:
        from hypothesis import Phase, settings  # noqa: PLC0415 - pytest rewrites what it loads

        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("mutation", phases=phases, derandomize=True, database=None, deadline=None)
        settings.load_profile("mutation")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        for item in session.items:
            _limit_examples(item)
        # In this process, so that the children find what the tests cache.
        if not all(self._run_tests(session, module) for module in {self.modules[0], self.modules[-1]}):
            pytest.exit("the tests fail without any mutant", 1)
        pending = [(module, mutant) for module in self.modules for mutant in self._load(module)]
        running: dict[int, str] = {}
        for module, (name, line, text, tree) in pending:
            label = f"{module}.py:{line} {name}: {text}"
            if self.again is not None and _without_line(label) not in self.again:
                continue
            if time.monotonic() > self.deadline:
                self.skipped += 1
                continue
            while len(running) >= self.workers:
                self._wait(running)
            pid = os.fork()
            if not pid:
                _run_child(lambda m=module, n=name, t=tree: self._try(session, m, n, t))  # type: ignore[misc]
            running[pid] = label
        while running:
            self._wait(running)
        return True

    def _load(self, module: str) -> Iterator[tuple[str, int, str, ast.Module]]:
        path = ROOT / PACKAGE.replace(".", "/") / f"{module}.py"
        return list_mutants(ast.parse(path.read_text(encoding="utf-8")))

    def _wait(self, running: dict[int, str]) -> None:
        pid, status = os.wait()
        label = running.pop(pid)
        if os.waitstatus_to_exitcode(status):
            self.killed += 1
        else:
            self.survivors.append(label)
            print("survived:", label, flush=True)

    def _try(self, session: pytest.Session, module: str, name: str, tree: ast.Module) -> bool:
        """Return whether all tests pass with the mutant."""
        target = importlib.import_module(f"{PACKAGE}.{module}")
        function = find_function(target, name)
        function.__code__ = find_code(compile(tree, function.__code__.co_filename, "exec"), name)
        _clear_caches()
        return self._run_tests(session, module)

    @staticmethod
    def _run_tests(session: pytest.Session, module: str) -> bool:
        """Return whether all tests for a module pass."""
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            return not any(report.failed for item in _order(session.items, module) for report in pytest_reports(item))


def _without_line(label: str) -> str:
    """Return a mutant without its line, which changes as the module does."""
    return re.sub(r":\d+ ", " ", label, count=1)


def _clear_caches() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith(PACKAGE):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
    from app.comparison.hierarchy import Hierarchy  # noqa: PLC0415 - after the collection

    gc.unfreeze()  # the session of the tests freezes what it collected, and `gc.get_objects` leaves that out
    for each in gc.get_objects():
        if isinstance(each, Hierarchy):
            each._relations.clear()  # noqa: SLF001
            each._atoms.clear()  # noqa: SLF001


def pytest_reports(item: pytest.Item) -> list[pytest.TestReport]:
    from _pytest.runner import runtestprotocol  # noqa: PLC0415

    return runtestprotocol(item, log=False, nextitem=None)


def _order(items: list[pytest.Item], module: str) -> list[pytest.Item]:
    """Return the tests for a module: its own first, then those without random examples, then the others."""

    def rank(item: pytest.Item) -> tuple[bool, bool]:
        is_property = hasattr(getattr(item, "obj", None), "hypothesis")
        return is_property, item.path.name != f"test_{module}.py"

    if module in OWN_TESTS.values():
        chosen = [each for each in items if OWN_TESTS.get(each.path.name) == module]
    else:
        chosen = [each for each in items if each.path.name not in OWN_TESTS]
    return sorted(chosen, key=rank)


def _limit_examples(item: pytest.Item) -> None:
    from hypothesis import settings  # noqa: PLC0415

    test = getattr(item, "obj", None)
    used = getattr(test, "_hypothesis_internal_use_settings", None)
    if used is not None:
        limited = settings(used, max_examples=min(used.max_examples, EXAMPLES))
        test._hypothesis_internal_use_settings = limited  # type: ignore[union-attr]  # noqa: SLF001


def _run_child(attempt: Callable[[], bool]) -> None:
    """Run a mutant in this forked child and leave with 0 if it survives."""
    signal.signal(signal.SIGALRM, lambda *_: os._exit(2))
    signal.alarm(SECONDS_PER_MUTANT)
    survived = False
    try:
        survived = attempt()
    finally:
        os._exit(0 if survived else 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", default=MODULES, help="modules of app/comparison")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--budget", type=float, default=900.0, help="seconds; later mutants are skipped")
    parser.add_argument("--again", type=Path, help="a file with the output of an earlier run")
    arguments = parser.parse_args()
    again = None
    if arguments.again is not None:
        lines = arguments.again.read_text(encoding="utf-8").splitlines()
        again = {_without_line(line.removeprefix("survived: ")) for line in lines if line.startswith("survived: ")}
    sys.path.insert(0, str(ROOT))
    runner = Runner(list(arguments.modules), arguments.workers, arguments.budget, again)
    paths = [
        str(path) for path in sorted((ROOT / "tests/comparison").glob("test_*.py")) if path.name not in UNRELATED_TESTS
    ]
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-p", "no:randomly", "--no-header", "--capture=no"]
    pytest.main([*options, *paths], plugins=[runner])
    total = runner.killed + len(runner.survivors)
    print(f"{runner.killed} of {total} mutants killed ({runner.killed / max(total, 1):.1%}), {runner.skipped} skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
