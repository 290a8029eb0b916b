"""Builds the printable sentence of a claim: claimant, date, qualification, figure, period and publisher.

Pure functions: the input is the response object of a claim and the names of the records that it refers to. If its
category has `in_text`, the sentence reads as a reporter writes it. Else it is neutral: "The Interior Ministry estimated
107,000 protesters on 15 March 2025 (protest of 15 March 2025 in Belgrade)".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.comparison.leading import REMOVED_DOCUMENT_TITLE, find_leading
from app.sentences.claim_names import ClaimNames, JsonObject
from app.sentences.dates import describe_limit, describe_statement_date, format_day
from app.sentences.figures import (
    describe_figure,
    describe_rate,
    describe_ratio,
    describe_relative_figure,
    quote_text,
)
from app.sentences.main_clause import MainClauseBuilder, has_two_sides
from app.sentences.phrases import (
    RecordNames,
    SourceDetails,
    capitalize_first,
    collapse_whitespace,
    is_person,
    join_fragments,
    join_with_and,
    label_source,
    mention_source,
    name_base,
)
from app.sentences.wording_note import describe_wording_difference


@dataclass(frozen=True, slots=True)
class ClaimText:
    """The texts of a claim: sentence, short form and figure."""

    sentence: str
    short_form: str
    figure: str
    citation: JsonObject | None
    """The citation that the sentence mentions."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """The claim that replaced another claim, as the sentence of the other one mentions it.

    `claim` is its response object, None if it was taken down: nothing of it is printed then.
    """

    claim: JsonObject | None


def write_claim_text(claim: JsonObject, names: ClaimNames, replacement: Replacement | None = None) -> ClaimText:
    """Return the printable sentence, short form and figure of a claim (a response object).

    If a later claim of the same source replaced it, all three say so.
    """
    builder = MainClauseBuilder(claim, names)
    citation = find_leading(claim["citations"])
    claimant = mention_source(names.find_source(claim["source"]["slug"]))
    content = builder.build_content(capitalize_first(str(claimant)))
    sentence = join_fragments([content + _describe_outlet(citation, claim, names) + _describe_retraction(claim)])
    sentence = re.sub(r"([.!?])\.$", r"\1", f"{sentence.rstrip(' ,;')}.")
    sentence = join_fragments([sentence, describe_wording_difference(claim["figure"])])
    sentence += _describe_bases(claim, names)
    if replacement is not None:
        sentence = f"{sentence} {_describe_replacement(replacement, claim, names)}"
    is_superseded = replacement is not None
    short_form = builder.build_short_form() + _describe_marks(claim, names, is_superseded=is_superseded)
    return ClaimText(sentence, short_form, format_figure_cell(claim, names, is_superseded=is_superseded), citation)


def format_figure_cell(claim: JsonObject, names: ClaimNames, *, is_superseded: bool = False) -> str:
    """Return the figure for a spreadsheet cell: number and qualification, and in brackets what a reader must know."""
    period = claim["period"]
    limit = describe_limit(
        period["edtf"],
        str(period["aggregation"]),
        claim["date"],
        claim["date_edtf"],
        is_forecast=claim["modality"] == "forecast",
    )
    marks = _describe_marks(claim, names, limit, is_superseded=is_superseded)
    return describe_figure_briefly(claim, names) + marks


def describe_figure_briefly(claim: JsonObject, names: ClaimNames | RecordNames) -> str:
    """Return the figure of a claim in few words: number and qualification, "a day" for a rate.

    `names` name the record that a change or a ratio is relative to.
    """
    figure, proposition = claim["figure"], str(claim["proposition"])
    if proposition == "ratio" and has_two_sides(claim):
        return describe_ratio(figure)
    rate = describe_rate(str(claim["period"]["aggregation"]), claim["period"]["per"])
    if proposition == "quantity" or (proposition == "ratio" and figure["out_of"] is not None):
        return describe_figure(figure, proposition).cell_text(rate)
    if proposition in {"change", "ratio"}:
        base = name_base(figure["relative_to"], names.subjects, names.categories)
        return describe_relative_figure(figure, proposition, base, rate)
    return collapse_whitespace(figure["as_printed"])


def _describe_marks(claim: JsonObject, names: ClaimNames, limit: str = "", *, is_superseded: bool = False) -> str:
    """Return what a reader of the bare figure must know, in brackets: " (forecast; superseded)"."""
    bases = [label_source(names.find_source(slug)) for slug in (*names.bases, *names.repeated_sources)]
    marks = [
        limit,
        "forecast" if claim["modality"] == "forecast" else "",
        f"based on {join_with_and(bases)}" if bases else "",
        "retracted" if claim["status"] == "retracted" else "",
        "superseded" if is_superseded else "",
    ]
    return f" ({'; '.join(mark for mark in marks if mark)})" if any(marks) else ""


def _describe_bases(claim: JsonObject, names: ClaimNames) -> str:
    """Return a sentence on whose figures a claim rests: " This is based on a figure from Agency A."."""
    sentences = []
    for verb, slugs in (("is based on", names.bases), ("repeats", names.repeated_sources)):
        sources = [mention_source(names.find_source(slug)).text for slug in slugs]
        if sources:
            figure = "a figure" if len(sources) == 1 else "figures"
            sentences.append(f" This {verb} {figure} from {join_with_and(sources)}.")
    if not sentences and claim.get("derivation") == "derived":
        return " This is based on figures from others."
    return "".join(sentences)


def _describe_outlet(citation: JsonObject | None, claim: JsonObject, names: ClaimNames) -> str:
    """Return the publisher and the citation chain; empty if the claimant published the document."""
    if citation is None:
        return ""
    document = citation["document"]
    fidelity_notes = {"rounded": "rounding the figure", "distorted": "changing the figure or what it means"}
    notes = [fidelity_notes[fidelity]] if (fidelity := str(citation["fidelity"])) in fidelity_notes else []
    chain = [names.find_source(slug) for slug in citation["via"] if slug != document["publisher"]]
    notes += [_describe_chain(chain)] if chain else []
    withdrawal = ""
    if citation["withdrawn_on"] is not None:
        withdrawal = f"in a report that it took back on {format_day(citation['withdrawn_on'])}"
    if document["publisher"] is None and document["title"] == REMOVED_DOCUMENT_TITLE:
        return ", according to a document that was taken down"
    if document["publisher"] is None:
        return f", according to {quote_text(document['title'])}" + "".join(f", {note}" for note in notes)
    outlet = names.find_source(document["publisher"])
    if outlet.slug == claim["source"]["slug"] and not notes and not withdrawal:
        return ""
    mention = mention_source(outlet)
    if citation["role"] == "original":
        clause = (
            "in its own publication" if outlet.slug == claim["source"]["slug"] else f"as published by {mention.text}"
        )
    elif outlet.kind == "dataset":
        clause = f"according to {mention.text}"
    else:
        clause = f"{mention} reported"
    return f", {join_fragments([clause, withdrawal])}" + "".join(f", {note}" for note in notes)


def _describe_chain(chain: Sequence[SourceDetails]) -> str:
    """Return the chain from the document back to the claimant: "citing an agency, which cited a lawmaker"."""
    nearest, *others = reversed(chain)
    text = f"citing {mention_source(nearest).text}"
    previous = nearest
    for source in others:
        text += f", {'who' if is_person(previous) else 'which'} cited {mention_source(source).text}"
        previous = source
    return text


def _describe_retraction(claim: JsonObject) -> str:
    if claim["status"] != "retracted":
        return ""
    day = claim["retracted_on"]
    return "; the claim was later retracted by its source" + (f", on {format_day(day)}" if day else "")


def _describe_replacement(replacement: Replacement, claim: JsonObject, names: ClaimNames) -> str:
    """Return a sentence on the claim that replaced `claim`: "Agency A later gave 5,143 (5 January 2018)."."""
    newer = replacement.claim
    source = names.find_source((newer or claim)["source"]["slug"])
    claimant = capitalize_first(str(mention_source(source)))
    if newer is None:
        return f"{claimant} later replaced this figure."
    day = describe_statement_date(newer["date"], newer["date_edtf"])
    text = f"{claimant} later gave {describe_figure_briefly(newer, names)} ({day.text if day else 'undated'})"
    if newer["status"] != "retracted":
        return f"{text}."
    retracted_on = newer["retracted_on"]
    return f"{text}; this replacement was withdrawn{f' on {format_day(retracted_on)}' if retracted_on else ''}."
