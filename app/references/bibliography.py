"""References for bibliographies: the document of a claim and its record in the register, as CSL-JSON and BibTeX."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from app.sentences.claim_names import ClaimNames, JsonObject
from app.sentences.dates import format_day
from app.sentences.phrases import SourceDetails, capitalize_first, collapse_whitespace, mention_source
from app.sentences.sentence import ClaimText

CslItem = dict[str, Any]

REGISTER_NAME: Final = "Counterclaim"
_CSL_TYPES: Final = {
    "media": "article-newspaper",
    "dataset": "dataset",
    "think_tank": "report",
    "research": "report",
    "intergovernmental": "report",
}
_KNOWN_ON: Final = "-known-on-"
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


def build_document_item(
    claim: JsonObject, names: ClaimNames, text: ClaimText, *, known_on: str | None = None
) -> CslItem | None:
    """Return the document that the sentence cites as a CSL item, with the sentence as its note.

    The sentence depends on `known_on`, the day or moment of the request, so the id contains it.

    Types and variables follow the CSL input schema 1.0.2. The item has an author only if the claimant published the
    document: otherwise the claimant did not write the report, and the publisher did not make the claim.
    """
    citation = text.citation
    if citation is None:
        return None
    document = citation["document"]
    publisher = names.find_source(document["publisher"]) if document["publisher"] else None
    original = citation["role"] == "original"
    item: CslItem = {
        # Not only the document: several claims can be read in it, each with its own note.
        "id": f"document-{document['id']}-claim-{claim['id']}{_known_on_suffix(known_on)}",
        "type": _choose_csl_type(publisher, original=original, online=document["url"] is not None),
        "title": collapse_whitespace(document["title"]),
        "author": [{"literal": collapse_whitespace(names.find_source(claim["source"]["slug"]).name)}]
        if original
        else None,
        "container-title": collapse_whitespace(publisher.name) if publisher else None,
        "issued": _csl_date(document["published_on"]),
        "URL": document["url"],
        "archive_location": document["archive_url"],
        "language": document["language"],
        "note": text.sentence,
    }
    return {name: value for name, value in item.items() if value is not None}


def build_record_item(claim: JsonObject, text: ClaimText, address: str, *, known_on: str | None = None) -> CslItem:
    """Return the record of the claim as a CSL item, dated to its revision. `address` is "" without a public URL."""
    item: CslItem = {
        "id": f"claim-{claim['id']}-r{claim['revision']}{_known_on_suffix(known_on)}",
        "type": "entry",
        "title": text.short_form,
        "container-title": REGISTER_NAME,
        "version": f"revision {claim['revision']}",
        "issued": _csl_date(claim["recorded_at"].date()),
        "URL": address,
        "language": "en",
        "note": text.sentence,
    }
    return {name: value for name, value in item.items() if value}


def _known_on_suffix(known_on: str | None) -> str:
    return f"{_KNOWN_ON}{known_on}" if known_on else ""


def _choose_csl_type(publisher: SourceDetails | None, *, original: bool, online: bool) -> str:
    csl_type = _CSL_TYPES.get(publisher.kind, "") if publisher else ""
    if csl_type == "report" and not original:
        csl_type = ""
    return csl_type or ("webpage" if online else "document")


def _csl_date(day: date | None) -> CslItem | None:
    return None if day is None else {"date-parts": [[day.year, day.month, day.day]]}


def format_bibtex(items: Sequence[CslItem]) -> str:
    """Return CSL items as BibTeX entries, in UTF-8.

    The entries are `@misc`, which has no required field, because author and day may be unknown.
    """
    return "\n".join(_format_entry(item) for item in items)


def _format_entry(item: Mapping[str, Any]) -> str:
    issued = date(*item["issued"]["date-parts"][0]) if "issued" in item else None
    fields = {
        "title": f"{{{escape_bibtex(item['title'])}}}",
        # Double braces: BibTeX would split the name of an organisation into first and last name.
        "author": f"{{{escape_bibtex(item['author'][0]['literal'])}}}" if "author" in item else "",
        "howpublished": escape_bibtex(item.get("container-title", "")),
        "version": escape_bibtex(item.get("version", "")),
        "year": str(issued.year) if issued else "n.d.",
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
    """Return a key that is unique and stable: it contains the end of each id that the item has."""
    identity, _, known_on = str(item["id"]).partition(_KNOWN_ON)
    kind, _, rest = identity.partition("-")
    document, _, claim = rest.partition("-claim-")
    id_, _, revision = document.partition("-r")
    container = re.sub(r"[^a-z0-9]+", "", item.get("container-title", "").casefold().encode("ascii", "ignore").decode())
    year = str(issued.year) if issued else "nd"
    moment = re.sub(r"[^0-9tz-]", "", known_on.casefold())
    parts = (container or kind, year, id_[-12:], claim[-12:], revision and f"r{revision}", moment and f"known-{moment}")
    return "-".join(part for part in parts if part)


def escape_bibtex(text: str) -> str:
    """Escape text for a BibTeX field: characters with a meaning in TeX become commands.

    Braces become commands too, because BibTeX counts a brace after a backslash, which could end the field.
    """
    return "".join(_BIBTEX_ESCAPES.get(character, character) for character in collapse_whitespace(text))


def _escape_url(url: str) -> str:
    """Percent-encode the characters of a URL that could end a BibTeX field. BibTeX reads the others verbatim."""
    return url.replace("\\", "%5C").replace("{", "%7B").replace("}", "%7D")


def list_caveats(claim: JsonObject, names: ClaimNames, text: ClaimText) -> list[str]:
    """Return the limits that the sentence does not state: unchecked links, reports of other outlets, and the note."""
    caveats = []
    if text.citation is not None and text.citation["gap"]:
        caveats.append(text.citation["gap"])
    for citation in claim["citations"]:
        publisher = citation["document"]["publisher"]
        if citation is text.citation or publisher is None:
            continue
        outlet = capitalize_first(mention_source(names.find_source(publisher)).text)
        if citation["withdrawn_on"] is not None:
            caveats.append(f"{outlet} withdrew its report on {format_day(citation['withdrawn_on'])}.")
        elif citation["fidelity"] == "distorted":
            caveats.append(f"{outlet} changes the figure or its meaning. {citation['gap'] or ''}".strip())
    if claim["note"]:
        caveats.append(claim["note"])
    return [collapse_whitespace(caveat) for caveat in caveats]
