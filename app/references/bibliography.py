"""References for bibliographies: the document that a claim was read in and our record of it, as CSL-JSON and BibTeX."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from app.sentences.dates import format_day
from app.sentences.phrases import SourceDetails, capitalize_first, collapse_whitespace, mention_source
from app.sentences.sentence import ClaimNames, ClaimText, JsonObject

CslItem = dict[str, Any]

REGISTER_NAME: Final = "Counterclaim"
_CSL_TYPES: Final = {
    "media": "article-newspaper",
    "dataset": "dataset",
    "think_tank": "report",
    "research": "report",
    "intergovernmental": "report",
}
_BIBTEX_ESCAPES: Final = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
}


def build_document_item(card: JsonObject, names: ClaimNames, cited: ClaimText) -> CslItem | None:
    """The document that the sentence leads to, as a CSL item; the sentence is its note.

    Type and variables are those of the CSL input schema 1.0.2. An author is given only where the claimant published
    the document: who relays a claim is not its author, and who makes it did not write the report.
    """
    citation = cited.citation
    if citation is None:
        return None
    document = citation["document"]
    publisher = names.find_source(document["publisher"]) if document["publisher"] else None
    original = citation["role"] == "original"
    item: CslItem = {
        "id": f"document-{document['id']}",
        "type": _choose_csl_type(publisher, original=original, online=document["url"] is not None),
        "title": collapse_whitespace(document["title"]),
        "author": [{"literal": collapse_whitespace(names.find_source(card["source"]["slug"]).name)}]
        if original
        else None,
        "container-title": collapse_whitespace(publisher.name) if publisher else None,
        "issued": _csl_date(document["published_on"]),
        "URL": document["url"],
        "archive_location": document["archive_url"],
        "language": document["language"],
        "note": cited.sentence,
    }
    return {name: value for name, value in item.items() if value is not None}


def build_record_item(card: JsonObject, cited: ClaimText, address: str) -> CslItem:
    """Our record of the claim, dated to its revision, as a CSL item. `address` is empty where it has no public one."""
    item: CslItem = {
        "id": f"claim-{card['id']}",
        "type": "entry",
        "title": cited.short_form,
        "container-title": REGISTER_NAME,
        "version": f"revision {card['revision']}",
        "issued": _csl_date(card["recorded_at"].date()),
        "URL": address,
        "language": "en",
        "note": cited.sentence,
    }
    return {name: value for name, value in item.items() if value}


def _choose_csl_type(publisher: SourceDetails | None, *, original: bool, online: bool) -> str:
    found = _CSL_TYPES.get(publisher.kind, "") if publisher else ""
    if found == "report" and not original:
        found = ""
    return found or ("webpage" if online else "document")


def _csl_date(day: date | None) -> CslItem | None:
    return None if day is None else {"date-parts": [[day.year, day.month, day.day]]}


def format_bibtex(items: Sequence[CslItem]) -> str:
    """The same items as BibTeX entries, in UTF-8.

    `@misc` has no required field: a report without a known author or day stays one.
    """
    return "\n".join(_format_entry(item) for item in items)


def _format_entry(item: Mapping[str, Any]) -> str:
    issued = date(*item["issued"]["date-parts"][0]) if "issued" in item else None
    fields = {
        "title": f"{{{escape_bibtex(item['title'])}}}",
        # Twice in braces: a body is not a person with a first and a last name.
        "author": f"{{{escape_bibtex(item['author'][0]['literal'])}}}" if "author" in item else "",
        "howpublished": escape_bibtex(item.get("container-title", "")),
        "edition": escape_bibtex(item.get("version", "")),
        "year": str(issued.year) if issued else "",
        "month": str(issued.month) if issued else "",
        "day": str(issued.day) if issued else "",
        "url": _escape_url(item.get("URL", "")),
        "archiveurl": _escape_url(item.get("archive_location", "")),
        "language": escape_bibtex(item.get("language", "")),
        "note": escape_bibtex(item["note"]),
    }
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@misc{{{_citation_key(item, issued)},\n" + ",\n".join(lines) + "\n}\n"


def _citation_key(item: Mapping[str, Any], issued: date | None) -> str:
    kind, _, id_ = str(item["id"]).partition("-")
    named = re.sub(r"[^a-z0-9]+", "", item.get("container-title", "").casefold().encode("ascii", "ignore").decode())
    return "-".join(part for part in (named or kind, str(issued.year) if issued else "nd", id_[-12:]) if part)


def escape_bibtex(text: str) -> str:
    """Text for a BibTeX field: what TeX would take as a command is spelled out, and braces stay balanced.

    BibTeX counts braces behind a backslash too, so that an escaped brace would still end the field.
    """
    return "".join(_BIBTEX_ESCAPES.get(character, character) for character in collapse_whitespace(text))


def _escape_url(url: str) -> str:
    """An address for a `url` field, which is read as it stands: only what would end the field is percent-encoded."""
    return url.replace("\\", "%5C").replace("{", "%7B").replace("}", "%7D")


def list_caveats(card: JsonObject, names: ClaimNames, cited: ClaimText) -> list[str]:
    """What the sentence has no room for: links of the chain that were not seen, other outlets' slips, the note."""
    found = []
    if cited.citation is not None and cited.citation["gap"]:
        found.append(cited.citation["gap"])
    for citation in card["citations"]:
        publisher = citation["document"]["publisher"]
        if citation is cited.citation or publisher is None:
            continue
        outlet = capitalize_first(mention_source(names.find_source(publisher)).text)
        if citation["withdrawn_on"] is not None:
            found.append(f"{outlet} took its report back on {format_day(citation['withdrawn_on'])}.")
        elif citation["fidelity"] == "distorted":
            found.append(f"{outlet} changes the figure or what it means. {citation['gap'] or ''}".strip())
    if card["note"]:
        found.append(card["note"])
    return [collapse_whitespace(text) for text in found]
