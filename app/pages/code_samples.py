"""How programs send a read: the same address as a command, in four languages, and as formulas of spreadsheets.

Every sample is made from the address of the read and the kind of its response. None is written by hand.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit


class ResponseKind(StrEnum):
    """What a program does with a response."""

    table = "table"
    """Rows, of which a file can be had too."""
    json = "json"
    text = "text"
    image = "image"
    archive = "archive"


TABLE_SUFFIX: Final = ".csv"
SUFFIX_PATTERN: Final = re.compile(r"`(\.\w+)`")
FILES_PHRASE: Final = "As a file:"
"""What stands before the suffixes in the description of an operation."""

MEDIA_KINDS: Final = {
    "application/json": ResponseKind.json,
    "application/zip": ResponseKind.archive,
    "image/png": ResponseKind.image,
    "image/svg+xml": ResponseKind.image,
}


@dataclass(frozen=True)
class Read:
    """A read with its whole address, and that of the same rows as a CSV file if there is one."""

    name: str
    variable: str
    """The variable of a program that takes the response."""
    address: str
    kind: ResponseKind
    table_address: str | None = None

    @property
    def file_name(self) -> str:
        """The name of the file that takes the response."""
        name = urlsplit(self.address).path.rpartition("/")[2]
        return f"{name}.zip" if self.kind is ResponseKind.archive else name


def suffixes_of(operation: dict[str, Any]) -> list[str]:
    """Return the suffixes with which an operation of the OpenAPI document answers with a file."""
    return SUFFIX_PATTERN.findall(operation["description"].partition(FILES_PHRASE)[2])


def describe_read(operation: dict[str, Any], template: str, path: str, query: str, origin: str) -> Read:
    """Return a read of an operation of the OpenAPI document, at `path`: the template with its parameters filled in."""
    end = f"?{query}" if query else ""
    media_type = next(iter(operation["responses"]["200"]["content"]))
    kind = MEDIA_KINDS.get(media_type, ResponseKind.json if media_type.endswith("json") else ResponseKind.text)
    table = None
    if TABLE_SUFFIX in suffixes_of(operation):
        kind, table = ResponseKind.table, f"{origin}{path}{TABLE_SUFFIX}{end}"
    return Read(operation["operationId"], _name_variable(template), f"{origin}{path}{end}", kind, table)


def _name_variable(template: str) -> str:
    """Return the name of a variable for what is read: `claims`, `claim`, `side_by_side`."""
    *_, last = (part for part in template.split("/") if not part.startswith("{"))
    name = last.partition(".")[0].replace("-", "_")
    return name.removesuffix("s") if template.endswith("}") else name


def write_samples(read: Read) -> list[tuple[str, str]]:
    """Return the programs that can send a read, each with what is to be copied."""
    writers = (_write_curl, _write_python, _write_r, _write_javascript, _write_sheets, _write_power_query)
    written = ((name, writer(read)) for name, writer in zip(PROGRAMS, writers, strict=True))
    return [(name, sample) for name, sample in written if sample]


PROGRAMS: Final = ("curl", "Python", "R", "JavaScript", "Google Sheets", "Power Query")


def _write_curl(read: Read) -> str:
    option = f"-o {read.file_name} " if read.kind in (ResponseKind.image, ResponseKind.archive) else ""
    return f"curl {option}'{read.address}'"


def _write_python(read: Read) -> str:
    match read.kind:
        case ResponseKind.table:
            return f'import pandas\n\n{read.variable} = pandas.read_csv("{read.table_address}")'
        case ResponseKind.json:
            ending = f"{read.variable} = json.load(response)"
        case ResponseKind.text:
            ending = f"{read.variable} = response.read().decode()"
        case _:
            return f'from urllib.request import urlretrieve\n\nurlretrieve("{read.address}", "{read.file_name}")'
    modules = "import json\nimport urllib.request" if read.kind is ResponseKind.json else "import urllib.request"
    return f'{modules}\n\nwith urllib.request.urlopen("{read.address}") as response:\n    {ending}'


def _write_r(read: Read) -> str:
    match read.kind:
        case ResponseKind.table:
            return f'{read.variable} <- read.csv("{read.table_address}")'
        case ResponseKind.json:
            return f'{read.variable} <- jsonlite::fromJSON("{read.address}")'
        case ResponseKind.text:
            return f'{read.variable} <- readLines("{read.address}")'
        case _:
            return f'download.file("{read.address}", "{read.file_name}", mode = "wb")'


def _write_javascript(read: Read) -> str:
    methods = {ResponseKind.text: "text", ResponseKind.image: "blob", ResponseKind.archive: "blob"}
    method = methods.get(read.kind, "json")
    return f'const response = await fetch("{read.address}");\nconst {read.variable} = await response.{method}();'


def _write_sheets(read: Read) -> str:
    """Return a formula. Google Sheets reads no JSON by itself, and no SVG."""
    if read.kind is ResponseKind.image and urlsplit(read.address).path.endswith(".png"):
        return f'=IMAGE("{read.address}")'
    address = read.table_address or (read.address if read.kind is ResponseKind.text else None)
    return f'=IMPORTDATA("{address}")' if address else ""


def _write_power_query(read: Read) -> str:
    match read.kind:
        case ResponseKind.table:
            options = '[Delimiter = ",", Encoding = 65001, QuoteStyle = QuoteStyle.Csv]'
            source = f'Csv.Document(Web.Contents("{read.table_address}"), {options})'
            return f"let\n  Source = {source},\n  Rows = Table.PromoteHeaders(Source)\nin\n  Rows"
        case ResponseKind.json:
            return f'Json.Document(Web.Contents("{read.address}"))'
        case ResponseKind.text:
            return f'Text.FromBinary(Web.Contents("{read.address}"), 65001)'
        case _:
            return f'Web.Contents("{read.address}")'
