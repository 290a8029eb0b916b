"""A replica of a register that is built from its change log, and a reader of the register for comparison."""

from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import orjson

from tests.history.servers import RESPONSE_TIMEOUT_SECONDS, ServerGroup

CLAIM_ANNOTATION_KINDS = ("citation", "assessment", "relation")
LIST_PATHS = {
    "source": "sources",
    "document": "documents",
    "category": "categories",
    "subject": "subjects",
    "place": "places",
    "topic": "topics",
}
CLAIM_FIELDS = (
    "id",
    "status",
    "retracted_on",
    "import_id",
    "category",
    "subject",
    "place",
    "proposition",
    "modality",
    "derivation",
    "date",
    "date_edtf",
    "said_at",
    "includes",
    "excludes",
    "note",
)
FIGURE_FIELDS = (
    "as_printed",
    "language",
    "value",
    "lower",
    "upper",
    "lower_inclusive",
    "upper_inclusive",
    "approximate",
    "coverage",
    "out_of",
    "relative_to",
    "wording_differs",
)
CITATION_FIELDS = (
    "id",
    "role",
    "via",
    "fidelity",
    "quote",
    "quote_language",
    "translation",
    "locator",
    "gap",
    "withdrawn_on",
)

Records = dict[tuple[str, str], dict[str, Any]]


@dataclass
class ChangeFollower:
    """Applies changes in order. After the last one it contains the same records as the register."""

    records: Records = field(default_factory=dict)
    seqs: list[int] = field(default_factory=list)
    times: list[str] = field(default_factory=list)

    @property
    def seq(self) -> int:
        """The `seq` of the last change that was applied."""
        return self.seqs[-1] if self.seqs else 0

    def apply(self, change: dict[str, Any]) -> None:
        """Apply one change."""
        self.seqs.append(change["seq"])
        self.times.append(change["at"])
        kind, id_, data = change["kind"], change["id"], change["data"]
        if kind != "claim":
            self._put(kind, id_, data)
        elif data is None:
            self._drop(id_, *CLAIM_ANNOTATION_KINDS)
            self._put(kind, id_, None)
        else:
            self._drop(id_, "citation")
            citations = data.pop("citations")
            self._put(kind, id_, data)
            for each in citations:
                self._put("citation", each["id"], {"claim": id_, **each})

    def _put(self, kind: str, id_: str, data: dict[str, Any] | None) -> None:
        if data is None:
            self.records.pop((kind, id_), None)
        else:
            self.records[kind, id_] = data

    def _drop(self, claim: str, *kinds: str) -> None:
        """Remove the records that belong to a claim."""
        self.records = {
            key: data for key, data in self.records.items() if not (key[0] in kinds and data["claim"] == claim)
        }


class ChangeStream:
    """One connection to the stream of changes."""

    def __init__(self, port: int, last: int) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=RESPONSE_TIMEOUT_SECONDS)
        self.connection.request("GET", "/v1/changes/stream?after=0", headers={"Last-Event-ID": str(last)})
        self.lines = self.connection.getresponse()
        assert self.lines.status == 200

    def read_change(self) -> dict[str, Any]:
        """Return the next change. Keep-alive comments are skipped."""
        id_, event, data = None, None, None
        while (line := self.lines.readline()) != b"":
            name, _, value = line.rstrip(b"\r\n").partition(b": ")
            match name:
                case b"id":
                    id_ = int(value)
                case b"event":
                    event = value
                case b"data":
                    data = value
                case b"" if data is not None:
                    change: dict[str, Any] = orjson.loads(data)
                    assert (event, id_) == (b"change", change["seq"])
                    return change
        raise EOFError("the server ended the stream")

    def close(self) -> None:
        """Close the connection."""
        self.lines.close()
        self.connection.close()


def read_records(fleet: ServerGroup, like: Records) -> Records:
    """Return all records that the register serves, with the fields of the records in `like`."""
    found: Records = {}
    for kind, path in LIST_PATHS.items():
        names = next((list(data) for key, data in like.items() if key[0] == kind), [])
        for row in fleet.get(f"/v1/{path}?limit=1000")["data"]:
            key = row["id"] if kind == "document" else row["slug"]
            # A document that was taken down is not listed.
            found[kind, key] = {name: row[name] if name != "removed" else False for name in names}
    page = fleet.get("/v1/claims?limit=1000")
    assert page["meta"]["next_cursor"] is None
    for card in page["data"]:
        id_ = card["id"]
        found["claim", id_] = {
            **{name: card[name] for name in CLAIM_FIELDS},
            "source": card["source"]["slug"],
            # A claim in the unit of its category has none of its own.
            "figure": {name: card["figure"][name] for name in FIGURE_FIELDS}
            | {
                "unit": None
                if (unit := card["figure"]["unit"]) == found["category", card["category"]]["unit"]
                else unit
            },
            "period": {name: card["period"][name] for name in ("edtf", "aggregation", "per")},
        }
        for cited in card["citations"]:
            shown = {name: cited[name] for name in CITATION_FIELDS}
            found["citation", cited["id"]] = {"claim": id_, "document": cited["document"]["id"], **shown}
        for kind in ("assessment", "relation"):
            for row in fleet.get(f"/v1/claims/{id_}/{kind}s?limit=1000")["data"]:
                found[kind, row["id"]] = {
                    name: value for name, value in row.items() if name not in ("recorded_at", "seq")
                }
    return found
