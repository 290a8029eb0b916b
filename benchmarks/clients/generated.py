"""Generates clients of the committed OpenAPI document, checks their types, and makes a typed call with each."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs" / "openapi.json"
NODE = HERE / "node"
TIMEOUT_SECONDS = 600
CALLED = "3"
"""What each client prints: the number of claims on the page that it reads."""

Check = tuple[str, str, Callable[[], str]]


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    """Run a command and return what it prints. Raises `AssertionError` with its last lines if it fails."""
    done = subprocess.run(
        list(map(str, command)),
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=TIMEOUT_SECONDS,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-300:]
    return done.stdout + done.stderr


class Generators:
    """The checks: linters of the document, generators of clients, and programs that run in Node.js."""

    def __init__(self, address: str, folder: Path, node: Path) -> None:
        """Take the address of the service, a folder for the clients, and the folder of the packages of Node.js."""
        self.address, self.folder = address, folder
        self.binaries = node / "node_modules" / ".bin"
        self.work = folder / "node"
        if self.binaries.exists():
            shutil.copytree(NODE, self.work)
            (self.work / "node_modules").symlink_to(node / "node_modules")

    def checks(self) -> list[Check]:
        """Return the program, the line and the check of each."""
        return [
            ("Spectral", "spectral lint openapi.json  # extends: spectral:oas", self._in_node(self._spectral)),
            ("Redocly", "redocly lint --extends=recommended openapi.json", self._in_node(self._redocly)),
            (
                "openapi-typescript",
                "openapi-typescript openapi.json -o api.ts",
                self._in_node(lambda: self._typescript("openapi-typescript")),
            ),
            ("hey-api", "openapi-ts -i openapi.json -o client", self._in_node(lambda: self._typescript("hey-api"))),
            (
                "openapi-python-client",
                "openapi-python-client generate --path openapi.json --config openapi-python-client.yml",
                self._python,
            ),
            ("openapi-generator", "openapi-generator-cli generate -g r -i openapi.json", self._r),
            *(
                (name, line, self._in_node(lambda program=program: self._program(program)))
                for name, program, line in (
                    ("Datawrapper", "datawrapper", "dw.dataset.delimited({url: '…/timeline.csv'})"),
                    ("Flourish", "flourish", "createInterpreter()(rows.map(row => row.date))  // of …/timeline.csv"),
                    ("Observable Plot", "plot", "Plot.dot(d3.csvParse(text, d3.autoType), {x: 'date', …})"),
                    ("Citation.js", "citation", "new Cite(text)  // of …/citation.csl.json and …/citation.bib"),
                )
            ),
        ]

    def _in_node(self, check: Callable[[], str]) -> Callable[[], str]:
        return check if self.binaries.exists() else lambda: "not run: Node.js is not installed"

    def _spectral(self) -> str:
        ruleset = self.folder / "spectral.yaml"
        ruleset.write_text('extends: ["spectral:oas"]\n', encoding="utf-8")
        command = [self.binaries / "spectral", "lint", DOCUMENT, "-r", ruleset, "--fail-severity", "warn"]
        assert "No results" in run(*command)
        return "0 errors, 0 warnings"

    def _redocly(self) -> str:
        written = run(self.binaries / "redocly", "lint", "--extends=recommended", "--format=json", DOCUMENT)
        totals = json.loads(written[written.index("{") : written.rindex("}") + 1])["totals"]
        assert (totals["errors"], totals["warnings"]) == (0, 0), totals
        return "0 errors, 0 warnings"

    def _typescript(self, name: str) -> str:
        generated = self.work / "generated"
        generated.mkdir(exist_ok=True)
        if name == "openapi-typescript":
            run(self.binaries / "openapi-typescript", DOCUMENT, "-o", generated / "api.ts")
        else:
            run(self.binaries / "openapi-ts", "-i", DOCUMENT, "-o", generated / "hey-api", cwd=self.work)
        options = json.loads((NODE / "tsconfig.json").read_bytes()) | {"files": [f"{name}.ts"]}
        (self.work / "tsconfig.json").write_text(json.dumps(options), encoding="utf-8")
        run(self.binaries / "tsc", "-p", self.work)
        called = run(self.binaries / "jiti", self.work / f"{name}.ts", self.address, cwd=self.work)
        assert called.strip() == CALLED, called
        return "compiles with `tsc --strict`; a typed call returned 3 claims"

    def _python(self) -> str:
        client = self.folder / "counterclaim_client"
        generator = Path(sys.executable).with_name("openapi-python-client")
        config = HERE / "openapi-python-client.yml"
        command = [generator, "generate", "--path", DOCUMENT, "--output-path", client, "--meta", "none"]
        written = run(*command, "--config", config)
        assert "WARNING" not in written, written[:300]
        operations = [each for item in json.loads(DOCUMENT.read_bytes())["paths"].values() for each in item.values()]
        generated = {each.stem for each in (client / "api").rglob("*.py")}
        missing = {each["operationId"] for each in operations} - generated
        assert not missing, missing
        typed = HERE / "typed.py"
        run(sys.executable, "-m", "mypy", "--cache-dir", self.folder / "mypy", typed, cwd=self.folder)
        called = run(sys.executable, typed, self.address, PYTHONPATH=str(self.folder))
        assert called.strip() == CALLED, called
        return f"no warning, all {len(operations)} operations; mypy accepts it; a typed call returned 3 claims"

    def _r(self) -> str:
        if shutil.which("Rscript") is None or shutil.which("java") is None:
            return "not run: R or Java is not installed"
        client, library = self.folder / "r", self.folder / "r-library"
        library.mkdir()
        generator = Path(sys.executable).with_name("openapi-generator-cli")
        names = "--additional-properties=packageName=counterclaim"
        run(generator, "generate", "-g", "r", "-i", DOCUMENT, "-o", client, names)
        run("R", "CMD", "INSTALL", "--no-docs", "--no-byte-compile", "-l", library, client)
        called = run("Rscript", HERE / "client.R", library, self.address)
        assert called.split()[-1] == "russian-casualties", called
        return "the package installs; a typed call returned a `Topic`"

    def _program(self, program: str) -> str:
        return run("node", self.work / "programs.mjs", f"{self.address}/v1", program).strip()
