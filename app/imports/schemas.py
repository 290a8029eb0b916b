"""Schemas of imports: the query, the report and the record."""

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, Field

from app.enums import ImportStatus
from app.http.schema_types import Day, Output, UtcTime
from app.vocabulary.schemas import SelfLink

EXAMPLE_IMPORT_ID = "01a1f640-bc00-7942-b648-86578d874731"


class ImportedFile(Output):
    """A file that was imported."""

    name: str = Field(description="The file's name.", examples=["personnel.json"])
    sha256: str = Field(
        description="The SHA-256 of the file's bytes; for a folder, of its files' hashes.",
        examples=["dcd5f44a01f8d7f5f0ad6a9b61b1dd1b14f4a7c76f26a5f37d0c44f7e6a4e1c2"],
    )
    bytes: int = Field(description="The file's size in bytes.", examples=[116221])
    rows: int = Field(description="The number of rows that were read.", examples=[1406])
    format: str = Field(description="The file's format.", examples=["json"])
    encoding: str | None = Field(description="The detected text encoding; null for binary formats.", examples=["utf-8"])
    delimiter: str | None = Field(description="The delimiter of a delimited file.", examples=[","])
    columns: list[str] | None = Field(
        description="The names of the columns; null for files that belong to no series.",
        examples=[["date", "personnel"]],
    )


class Counts(Output):
    """The number of rows, and of claims by outcome."""

    rows: int = Field(description="Rows read.", examples=[1406])
    rows_skipped: int = Field(description="Rows that the mapping skips.", examples=[0])
    rows_refused: int = Field(description="Rows that break a rule and are not imported.", examples=[0])
    new: int = Field(description="New claims.", examples=[1468])
    cited: int = Field(
        description="Claims that existed already and get a citation from another document.", examples=[0]
    )
    changed: int = Field(
        description="Rows that differ from the same row of an earlier file; the claim is superseded or corrected.",
        examples=[1],
    )
    unchanged: int = Field(description="Claims that existed already, cited from the same document.", examples=[0])
    differs: int = Field(
        description="Rows that differ from the same row of an earlier file; this is only reported.", examples=[0]
    )
    older: int = Field(description="Rows for which the register has newer data.", examples=[0])
    retracted: int = Field(description="Rows whose claim was retracted; they are not recorded again.", examples=[0])
    removed: int = Field(description="Rows whose claim was taken down; they are not recorded again.", examples=[0])
    vanished: int = Field(description="Rows of earlier files of the series that this file does not have.", examples=[0])


class SmellRow(Output):
    """The location of a row."""

    file: str = Field(description="The file's name.", examples=["personnel.json"])
    line: int = Field(description="The line, element or sheet row, counted from 1.", examples=[677])


class SmellCard(Output):
    """A data-quality warning: an anomaly that a data editor should check. The data are recorded as they are."""

    kind: str = Field(description="The kind of warning; GET /v1/vocabulary defines each.", examples=["total_falls"])
    rows: list[SmellRow] = Field(description="The rows of the anomaly.")
    detail: str = Field(
        description="A description of the anomaly, with its numbers.",
        examples=["The running total of tanks-lost falls from 3,799 (2023-05-27) to 3,797 (2023-05-28)."],
    )


class RefusedRow(Output):
    """A row that breaks a rule and is not imported."""

    file: str = Field(description="The file's name.", examples=["claims.csv"])
    line: int = Field(description="The line, element or sheet row, counted from 1.", examples=[3])
    reasons: list[str] = Field(
        description="The reasons, with the expected values.",
        examples=[["category: There is no category `killd`. (did you mean `killed`?)"]],
    )


class ImportFacts(Output):
    """The files and the result of an import."""

    mapping: str = Field(description="The mapping's name; `native` for exported claims files.", examples=["native"])
    series: str | None = Field(
        description="The series that the rows belong to.", examples=["general-staff-a-personnel"]
    )
    files: list[ImportedFile] = Field(description="The imported files.")
    counts: Counts = Field(description="Rows and claims in numbers.")
    smell_counts: dict[str, int] = Field(
        description="The number of data-quality warnings of each kind.", examples=[{"total_falls": 1}]
    )
    smells: list[SmellCard] = Field(description="The first 200 data-quality warnings, with their rows.")
    left_out: dict[str, int] = Field(
        description="Claims that a long import left out, by reason.",
        examples=[{"conflict": 2}],
    )


class ImportReport(ImportFacts):
    """The result of a request to import, recorded or not."""

    id: str | None = Field(description="The import's id; null if nothing is recorded.", examples=[EXAMPLE_IMPORT_ID])
    dry_run: bool = Field(description="Whether this was a dry run.", examples=[False])
    skipped: dict[str, int] = Field(
        description="The number of skipped rows for each reason.", examples=[{"carried forward": 795}]
    )
    without_claim: dict[str, int] = Field(
        description="The number of rows that made no claim for each reason, without the skipped ones.",
        examples=[{"no figure for POW": 4}],
    )
    differing_texts: dict[str, int] = Field(
        description="The fields beside the statement, such as the note, that rows of a series give otherwise than the "
        'recorded claims, each with the number of claims. They stay as they are; `on_change = "fix"` corrects the '
        "wording, the note and the derivation of claims that nobody has corrected.",
        examples=[{"citations.quote": 2}],
    )
    unread_columns: list[str] = Field(
        description="The columns of the files that nothing in the mapping reads.", examples=[["ground robotic systems"]]
    )
    missing_columns: list[str] = Field(
        description="The columns and paths that the mapping reads and no row has, in sentences.",
        examples=[["No row has the path `verified.killed`, which `claims.killed.figure.printed` names."]],
    )
    ignored: dict[str, int] = Field(
        description="The fields that rows of an exported file state and that are not taken, such as the `seq` of "
        "another register, each with the number of claims.",
        examples=[{"recorded_at": 12, "seq": 12}],
    )
    examples: dict[str, list[str]] = Field(
        description="The first examples of each outcome; of `new` the sentences of the first claims of each kind.",
        examples=[{"changed": ["personnel.json, line 37: ua-general-staff: about 17800 casualties"]}],
    )
    refused: list[RefusedRow] = Field(description="The first 100 refused rows, with the reasons.")
    links: SelfLink | None = Field(description="The import's address; null if nothing is recorded.")


class Import(ImportFacts):
    """An import that changed the register: its actor, time, files and result."""

    id: str = Field(description="The import's id.", examples=[EXAMPLE_IMPORT_ID])
    actor: str = Field(description="The name of the API key that imported the files.", examples=["desk"])
    vintage: date | None = Field(description="The day of the files, if they have one.", examples=["2025-01-01"])
    recorded_at: UtcTime = Field(
        description="The time at which the import was published.", examples=["2026-11-20T10:00:00Z"]
    )
    seq: int = Field(description="The `seq` of the change that recorded the import; its claims follow.", examples=[512])
    status: ImportStatus = Field(
        description="How far the import is.",
        examples=["published"],
    )
    rows_published: int = Field(
        description="Rows that are published.",
        examples=[1406],
    )
    links: SelfLink = Field(description="The import's address.")


class ReportFormat(StrEnum):
    """The formats of the result of an import."""

    json = "json"
    xlsx = "xlsx"


class ImportQuery(BaseModel):
    """Options of an import."""

    mapping: str | None = Field(
        default=None,
        max_length=80,
        description="The name of a mapping of the service; without one, the file is a filled-in sheet, or an exported "
        "claims CSV or NDJSON.",
        examples=["general-staff-a-personnel"],
    )
    dry_run: bool = Field(
        default=False, description="Report what the import would do, and record nothing.", examples=[True]
    )
    keep_going: bool = Field(
        default=False, description="Import the valid rows although others are refused.", examples=[True]
    )
    strict: bool = Field(default=False, description="Refuse rows with data-quality warnings.", examples=[True])
    report: ReportFormat = Field(
        default=ReportFormat.json,
        description="`xlsx` returns the refused rows as a spreadsheet that can be corrected and imported, with a "
        "column that says why, and the counts on a second sheet. The status is the same.",
        examples=["xlsx"],
    )
    vintage: Day | None = Field(
        default=None, description="The day of the file, if its name does not give it.", examples=["2025-01-01"]
    )
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="The file's name, if the body is the file itself; its extension gives the format.",
        examples=["personnel.json"],
    )
