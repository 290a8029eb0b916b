"""Imports as they are served."""

from datetime import date

from pydantic import BaseModel, Field

from app.http.schema_types import Day, Output, UtcTime
from app.vocabulary.schemas import SelfLink

EXAMPLE_IMPORT_ID = "01a1f640-bc00-7942-b648-86578d874731"


class ImportedFile(Output):
    """A file as it was read."""

    name: str = Field(description="Its name.", examples=["personnel.json"])
    sha256: str = Field(
        description="The SHA-256 of its bytes; of a folder, that of its files' hashes.",
        examples=["dcd5f44a01f8d7f5f0ad6a9b61b1dd1b14f4a7c76f26a5f37d0c44f7e6a4e1c2"],
    )
    bytes: int = Field(description="Its size.", examples=[116221])
    rows: int = Field(description="How many rows were read.", examples=[1406])
    format: str = Field(description="Its format.", examples=["json"])
    encoding: str | None = Field(description="The encoding that was found.", examples=["utf-8"])
    delimiter: str | None = Field(description="What parts its cells, where it has cells.", examples=[","])


class Counts(Output):
    """What became of the rows, and of the claims that they give."""

    rows: int = Field(description="Rows read.", examples=[1406])
    rows_skipped: int = Field(description="Rows that hold no claim, as the mapping says.", examples=[0])
    rows_refused: int = Field(description="Rows that break a rule.", examples=[0])
    new: int = Field(description="New claims.", examples=[1468])
    cited: int = Field(description="Claims that stood already, and are cited from one more document.", examples=[0])
    changed: int = Field(description="Rows that are known and say something else now.", examples=[1])
    unchanged: int = Field(description="Claims that stood already, with this document.", examples=[0])
    differs: int = Field(description="Rows that are known, say something else, and were only reported.", examples=[0])
    older: int = Field(description="Rows of which the register has a later state.", examples=[0])
    retracted: int = Field(description="Rows whose claim was retracted; they are not recorded again.", examples=[0])
    removed: int = Field(description="Rows whose claim was taken down; they are not recorded again.", examples=[0])
    vanished: int = Field(description="Rows of earlier files of the series that this one lacks.", examples=[0])


class SmellRow(Output):
    """Where a row stands."""

    file: str = Field(description="The file.", examples=["personnel.json"])
    line: int = Field(description="Its line, or the number of the element or sheet row, from 1.", examples=[677])


class SmellCard(Output):
    """Something that a data editor would look at twice. Nothing was changed for it."""

    kind: str = Field(description="What it is; /v1/vocabulary defines each.", examples=["total_falls"])
    rows: list[SmellRow] = Field(description="The rows that it is seen in.")
    detail: str = Field(
        description="What was seen, with its numbers.",
        examples=["The running total of tanks-lost falls from 3,799 (2023-05-27) to 3,797 (2023-05-28)."],
    )


class RefusedRow(Output):
    """A row that breaks a rule."""

    file: str = Field(description="The file.", examples=["claims.csv"])
    line: int = Field(description="Its line, or the number of the element or sheet row, from 1.", examples=[3])
    reasons: list[str] = Field(
        description="What is wrong, and what would work.",
        examples=[["category: There is no category `killd`. (did you mean `killed`?)"]],
    )


class ImportFacts(Output):
    """What an import read and what came of it."""

    mapping: str = Field(description="The mapping's name; `native` for the register's own files.", examples=["native"])
    series: str | None = Field(
        description="The series that the rows belong to.", examples=["general-staff-a-personnel"]
    )
    files: list[ImportedFile] = Field(description="What was read.")
    counts: Counts = Field(description="What became of it.")
    smell_counts: dict[str, int] = Field(
        description="How often each thing smells that a data editor would look at twice.", examples=[{"total_falls": 1}]
    )
    smells: list[SmellCard] = Field(description="The first 200 of them, with their rows.")


class ImportReport(ImportFacts):
    """What came of a request to import, recorded or not."""

    id: str | None = Field(
        description="The import's id; null where nothing was recorded.", examples=[EXAMPLE_IMPORT_ID]
    )
    dry_run: bool = Field(description="Whether it was only tried.", examples=[False])
    skipped: dict[str, int] = Field(
        description="Why rows were skipped, and how many for each reason.", examples=[{"carried forward": 795}]
    )
    examples: dict[str, list[str]] = Field(
        description="For each outcome, its first examples.",
        examples=[{"changed": ["personnel.json, line 37: ua-general-staff: about 17800 casualties"]}],
    )
    refused: list[RefusedRow] = Field(description="The first 100 refused rows and why.")
    links: SelfLink | None = Field(description="The import's address; null where nothing was recorded.")


class Import(ImportFacts):
    """An import that changed the register: who, when, from which files, and what came of it."""

    id: str = Field(description="Its id.", examples=[EXAMPLE_IMPORT_ID])
    actor: str = Field(description="Who imported, by the name of the key.", examples=["desk"])
    vintage: date | None = Field(description="The day of the files, where they have one.", examples=["2025-01-01"])
    recorded_at: UtcTime = Field(description="When it was published.", examples=["2026-11-20T10:00:00Z"])
    seq: int = Field(description="The change that recorded it; its claims follow.", examples=[512])
    links: SelfLink = Field(description="Its address.")


class ImportQuery(BaseModel):
    """How a file is imported."""

    mapping: str | None = Field(
        default=None,
        max_length=80,
        description="A mapping that comes with the service, by name; without one, the register's own CSV or NDJSON.",
        examples=["general-staff-a-personnel"],
    )
    dry_run: bool = Field(default=False, description="Tell what would come of it; record nothing.", examples=[True])
    keep_going: bool = Field(
        default=False, description="Import the good rows although others are refused.", examples=[True]
    )
    strict: bool = Field(default=False, description="Refuse rows that smell.", examples=[True])
    vintage: Day | None = Field(
        default=None, description="The day of the file, if its name does not say it.", examples=["2025-01-01"]
    )
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="The file's name, where the body is the file itself; its ending says the format.",
        examples=["personnel.json"],
    )
