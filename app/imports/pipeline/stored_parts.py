"""The stored form of the parts of a long import: compressed JSON, from the staging file to the table `import_part`."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from app.database.row_encoding import EncodedRow
from app.imports.pipeline.encoders import RowEncoders
from app.imports.pipeline.staging import StagingFile

CLAIMS_PER_PART = 250
"""The claims of a part. A transaction publishes as many parts as its time allows."""

BYTES_PER_PART = 1_000_000
"""The size of a part before its compression, after which no further claim is added."""

NUMBERS_PER_PART = 1_000
"""The distance between the numbers of parts, so that the claims of a part can become parts of their own."""

COMPRESSION_LEVEL = 1


@dataclass(frozen=True, slots=True)
class StoredClaim:
    """A claim of a row with the rows to write for it."""

    row_number: int
    outcome: str
    fingerprint: str | None
    """Half of the fingerprint that the claim has after the import; None where the row is only reported."""
    claim: str
    writes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part of an import: documents, claims and relations, in the order in which they are written."""

    number: int
    documents: Sequence[dict[str, Any]]
    claims: Sequence[StoredClaim]
    relations: Sequence[tuple[str, str, str, str | None]]


def encode_parts(staging: StagingFile) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the content of each part of what is staged."""
    for position, content in enumerate(staging.encoded_parts(CLAIMS_PER_PART, BYTES_PER_PART)):
        yield position * NUMBERS_PER_PART, zlib.compress(content, COMPRESSION_LEVEL)


def decode_part(number: int, content: bytes) -> StoredPart:
    """Return a stored part."""
    documents, claims, relations = orjson.loads(zlib.decompress(content))
    return StoredPart(number, documents, [StoredClaim(*each) for each in claims], [tuple(each) for each in relations])


def split_part(part: StoredPart) -> Iterator[tuple[int, bytes]]:
    """Yield a part for each claim of a part, which together contain the same.

    The documents are in the first one and the relations in the last one, as in the whole part.
    """
    for position, each in enumerate(part.claims):
        claim = [each.row_number, each.outcome, each.fingerprint, each.claim, each.writes]
        documents = part.documents if position == 0 else []
        relations = part.relations if position == len(part.claims) - 1 else []
        yield part.number + position, zlib.compress(orjson.dumps([documents, [claim], relations]), COMPRESSION_LEVEL)


def column_names(encoders: RowEncoders) -> dict[str, list[str]]:
    """Return the names of the columns of encoded rows, which are stored without names."""
    return {
        "claim": encoders.claim.column_names,
        "citation": encoders.citation.column_names,
        "assessment": encoders.assessment.column_names,
        "document": encoders.document.column_names,
    }


class RowConverter:
    """Converts encoded rows that another release has stored: columns that were added since are NULL."""

    def __init__(self, stored: Mapping[str, list[str]], encoders: RowEncoders) -> None:
        current = column_names(encoders)
        self._positions = {
            table: [stored[table].index(name) if name in stored[table] else None for name in names]
            for table, names in current.items()
            if stored[table] != names
        }

    def convert(self, part: StoredPart) -> StoredPart:
        """Return the part with the columns of this release."""
        if not self._positions:
            return part
        for document in part.documents:
            document["values"] = self._convert_row("document", document["values"])
        for each in part.claims:
            if "claim" in each.writes:
                each.writes["claim"] = self._convert_row("claim", each.writes["claim"])
            for citation in each.writes.get("citations", ()):
                citation[2] = self._convert_row("citation", citation[2])
            if "assessment" in each.writes:
                each.writes["assessment"][1] = self._convert_row("assessment", each.writes["assessment"][1])
        return part

    def _convert_row(self, table: str, values: EncodedRow) -> EncodedRow:
        if table not in self._positions:
            return values
        return [None if position is None else values[position] for position in self._positions[table]]
