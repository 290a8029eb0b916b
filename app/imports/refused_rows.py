"""Files of refused rows, in a shape in which they can be corrected and imported again."""

import csv
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from app.imports.mappings.native import REFUSED_COLUMNS, REFUSED_FIELD
from app.imports.readers.options import FileRow


class RefusedRowWriter:
    """Writes refused rows with their reasons next to the imported file.

    Rows of text cells go to CSV, one file for each set of columns, other rows to NDJSON. No existing file is
    overwritten.
    """

    def __init__(self, input_path: Path) -> None:
        self.paths: list[Path] = []
        self._written: list[Path] = []
        self._input_path = input_path
        self._files = ExitStack()
        self._writers: dict[tuple[str, ...], Callable[[dict[str, Any]], object]] = {}

    def close(self) -> None:
        """Close the files. Of one that an earlier run wrote already, keep only that."""
        self._files.close()
        for path in list(self._written):
            earlier = [each for each in self._numbered_paths(path.suffix[1:]) if each.exists() and each != path]
            same = next((each for each in earlier if each.read_bytes() == path.read_bytes()), None)
            if same is not None:
                path.unlink()
                self._written.remove(path)
                self.paths[self.paths.index(path)] = same

    def _numbered_paths(self, suffix: str) -> Iterator[Path]:
        """Yield the paths of files of refused rows, up to the first that does not exist."""
        name = self._input_path.name.split(".")[0]
        for number in count(1):
            path = self._input_path.with_name(f"{name}-refused{f'-{number}' if number > 1 else ''}.{suffix}")
            yield path
            if not path.exists():
                return

    def write(self, row: FileRow, reasons: list[str]) -> None:
        """Add a row with the reasons for which it is refused."""
        data = {name: value for name, value in row.data.items() if name not in (*REFUSED_COLUMNS, REFUSED_FIELD)}
        columns: tuple[str, ...] = ()
        if all(isinstance(value, str) for value in data.values()):
            record = {**data, "import_line": f"{row.file}:{row.line}", "import_reason": " | ".join(reasons)}
            columns = tuple(record)
        else:
            record = {**data, REFUSED_FIELD: {"file": row.file, "line": row.line, "reasons": reasons}}
        if columns not in self._writers:
            self._writers[columns] = self._open_writer(columns)
        self._writers[columns](record)

    def has_earlier_file(self, suffix: str) -> bool:
        """Return whether an earlier run wrote refused rows next to the imported file."""
        return next(self._numbered_paths(suffix)).exists()

    def _open_writer(self, columns: tuple[str, ...]) -> Callable[[dict[str, Any]], object]:
        """Open a CSV file with these columns, or an NDJSON file if there are none."""
        path = self.unused_path("csv" if columns else "ndjson")
        self._written.append(path)
        file = self._files.enter_context(path.open("w", encoding="utf-8", newline=""))
        if columns:
            writer = csv.DictWriter(file, columns, lineterminator="\r\n")
            writer.writeheader()
            return writer.writerow
        return lambda record: file.write(orjson.dumps(record, option=orjson.OPT_NON_STR_KEYS).decode() + "\n")

    def unused_path(self, suffix: str) -> Path:
        """Return a path next to the imported file where no file exists yet."""
        *_, path = self._numbered_paths(suffix)
        self.paths.append(path)
        return path
