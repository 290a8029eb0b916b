"""Words the entries of a feed: what happened, and what was before. Pure functions of rows, names and texts."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from app.claims.serialization.input_fields import claim_as_input, plain_figure_numbers
from app.enums import Modality, RelationType
from app.feeds.change_details import REPAIRS, ChangeDetails, Row
from app.feeds.latest_changes import ClaimChange, ImportedChanges
from app.references.queries import DescribedClaim
from app.sentences.dates import describe_date, format_day
from app.sentences.figures import quote_text
from app.sentences.phrases import (
    RecordNames,
    capitalize_first,
    collapse_whitespace,
    join_with_and,
    label_source,
    mention_source,
)
from app.sentences.sentence import describe_figure_briefly

MAX_REASON_CHARACTERS: Final = 100
"""A longer reason is only in the text of an entry, not in its title."""

MAX_NAMED_FILES: Final = 3

EVENTS: Final = {
    ("claim", "created"): "New",
    ("claim", "transcription_fix"): "Corrected",
    ("claim", "relay_correction"): "Report corrected",
    ("claim", "retraction"): "Retracted",
    ("claim", "reinstatement"): "No longer retracted",
    ("claim", "takedown"): "Taken down",
    ("citation", "created"): "Cited again",
    ("citation", "marked"): "Leading citation chosen",
    ("citation", "unmarked"): "Leading citation no longer chosen",
    ("assessment", "created"): "Assessed",
    ("assessment", "withdrawal"): "Assessment withdrawn",
    ("relation", "created"): "Related",
    ("relation", "withdrawal"): "Relation withdrawn",
}
"""What each change is called, by its kind and action."""

SUPERSESSIONS: Final = {"created": "Superseded", "withdrawal": "Supersession withdrawn"}
"""The names of changes of a relation `supersedes`, which the figures of both claims follow."""

RELATION_VERBS: Final = {
    RelationType.corroborates: ("now corroborates", "corroborates"),
    RelationType.disputes: ("now disputes", "disputes"),
    RelationType.repeats: ("repeats", "repeats"),
    RelationType.based_on: ("now rests on", "rests on"),
    RelationType.part_of: ("counts a part of", "counts a part of"),
    RelationType.supersedes: ("replaces", "replaces"),
}
"""The verb of a relation that is new, and of one that was withdrawn."""

FIGURE_NOUNS: Final = {
    Modality.count: "count",
    Modality.estimate: "estimate",
    Modality.forecast: "forecast",
    Modality.allegation: "claim",
}

IMPORT_COUNTS: Final = {
    ("claim", "created"): ("new claim", "new claims"),
    ("claim", "transcription_fix"): ("correction", "corrections"),
    ("citation", "created"): ("further citation", "further citations"),
    ("assessment", "created"): ("assessment", "assessments"),
    ("relation", "created"): ("relation", "relations"),
}
"""What an import writes in a topic, in the order of an entry."""

TOTAL_COUNTS: Final = {
    "new": ("new claim", "new claims"),
    "changed": ("changed row", "changed rows"),
    "cited": ("further citation", "further citations"),
}
"""The counts of a whole import that an entry names, in its order."""

FIELD_WORDS: Final = {
    "includes": "what it includes",
    "excludes": "what it excludes",
    "said_at": "hour",
    "figure": "qualification of the figure",
    "derivation": "derivation",
    "note": "note",
    "modality": "kind of statement",
    "proposition": "kind of figure",
}


class EntryWords:
    """The titles and texts of entries, from the names of all records and the texts of the claims."""

    def __init__(self, names: RecordNames, claims: Mapping[str, DescribedClaim], details: ChangeDetails) -> None:
        self._names = names
        self._claims = claims
        self._details = details

    def describe(self, change: ClaimChange) -> tuple[str, str]:
        """Return the title and the text of the entry of a change."""
        event = EVENTS[change.kind, change.action]
        described = self._claims[change.claim]
        if described.claim is None or described.text is None:  # it was taken down: nothing of it is printed
            return f"{event}: a claim", _with_reason("This claim was taken down.", event, change.reason)
        sentence, short_form = described.text.sentence, described.text.short_form
        match change.kind:
            case "claim" if change.action in REPAIRS:
                title = self._describe_repair(change, described.claim, event)
                return f"{title}. {short_form}", _with_reason(sentence, event, change.reason)
            case "claim" if change.action == "retraction":
                row = self._details.claims.get(change.seq)
                day = None if row is None else row["retracted_on"]
                title = event if day is None else f"{event} on {format_day(day)}"
                return f"{title}: {short_form}", _with_reason(sentence, title, change.reason)
            case "relation":
                return self._describe_relation(change, described.claim, sentence, short_form)
            case "assessment":
                title, more = self._describe_assessment(change, event)
                return f"{title}: {short_form}", _with_reason(sentence + more, event, change.reason)
            case "citation":
                title = self._describe_citation(change, event)
                return f"{title}: {short_form}", _with_reason(sentence, event, change.reason)
        return f"{event}: {short_form}", _with_reason(sentence, event, change.reason)

    def find_dependencies(self, change: ClaimChange) -> frozenset[str]:
        """Return the ids of the claims that the entry of a change depends on."""
        row = self._details.relations.get(change.seq)
        own = self._claims[change.claim].depends_on
        return own if row is None or row["to_claim"] is None else own | self._claims[row["to_claim"]].depends_on

    def _describe_repair(self, change: ClaimChange, claim: Mapping[str, Any], event: str) -> str:
        """Return what a correction changed: "Corrected: 777,123 → 777,321, two digits were swapped"."""
        before, after = self._details.previous_claims.get(change.seq), self._details.claims.get(change.seq)
        if before is None or after is None:
            return event
        differences = join_with_and(list(self._list_differences(before, after, claim)) or ["citations"])
        return f"{event}: {differences}{_as_remark(change.reason)}"

    def _list_differences(self, before: Row, after: Row, claim: Mapping[str, Any]) -> Iterator[str]:
        """Yield what differs between two versions of a claim: the values before and after, or the name of a field."""
        old, new = claim_as_input(before), claim_as_input(after)
        figures = [_brief_figure(row, claim, self._names) for row in (before, after)]
        differing = {name for name in new if old[name] != new[name]}
        if figures[0] != figures[1]:
            differing -= {"figure", "proposition"}
            yield f"{figures[0]} → {figures[1]}"
        for name, of_row in (
            ("source", lambda row: self._label(row["source"])),
            ("category", lambda row: self._names.name_category(row["category"])),
            ("subject", lambda row: self._names.name_subject(row["subject"])),
            ("place", lambda row: self._names.name_place(row["place"])),
            ("date_edtf", _describe_day),
            ("period", _describe_stored_period),
        ):
            if name in differing and of_row(before) != of_row(after):
                differing -= {name}
                words = {"date_edtf": "date"}.get(name, name)
                yield f"{words} {of_row(before)} → {of_row(after)}"
        if "date" in differing and before["date_edtf"] != after["date_edtf"]:
            differing -= {"date"}
        for name in sorted(differing):
            yield FIELD_WORDS.get(name, name.replace("_edtf", "").replace("_", " "))

    def _describe_relation(
        self, change: ClaimChange, claim: Mapping[str, Any], sentence: str, short_form: str
    ) -> tuple[str, str]:
        """Return the entry of a relation: "CSIS now rests on the Economist's count"."""
        event = EVENTS[change.kind, change.action]
        row = self._details.relations.get(change.seq)
        if row is None:
            return f"{event}: {short_form}", _with_reason(sentence, event, change.reason)
        type_, is_new = RelationType(row["type"]), change.action == "created"
        target = None if row["to_claim"] is None else self._claims[row["to_claim"]]
        if type_ is RelationType.supersedes:
            event = SUPERSESSIONS[change.action]
            if target is not None and target.claim is not None and target.text is not None:
                event += f" {self._brief(target.claim)} → {self._brief(claim)}"
                sentence = f"{sentence} Before: {target.text.sentence}"
            return f"{event}: {short_form}", _with_reason(sentence, event, change.reason)
        verb = RELATION_VERBS[type_][0 if is_new else 1]
        words = f"{self._mention(claim['source']['slug'])} {verb} {self._name_target(row, target, claim)}"
        title = capitalize_first(words) if is_new else f"No longer on record: {words}"
        return f"{title}: {short_form}", _with_reason(sentence, title, change.reason)

    def _name_target(self, row: Row, target: DescribedClaim | None, claim: Mapping[str, Any]) -> str:
        """Return what a relation leads to: "the Economist's count of 5,080"."""
        if row["to_source"] is not None:
            return f"figures from {self._mention(row['to_source'])}"
        if target is None or target.claim is None:
            return "a claim that was taken down"
        figure = self._brief(target.claim)
        noun = FIGURE_NOUNS[Modality(target.claim["modality"])]
        source = target.claim["source"]["slug"]
        is_own = source == claim["source"]["slug"]
        owner = "its own" if is_own else _possessive(self._mention(source))
        return f"{owner} {noun}" if str(target.claim["proposition"]) == "denial" else f"{owner} {noun} of {figure}"

    def _describe_assessment(self, change: ClaimChange, event: str) -> tuple[str, str]:
        """Return the grades before and after, and the rationale as a sentence."""
        row, earlier = self._details.assessments.get(change.seq), self._details.earlier_assessments.get(change.seq)
        if row is None:
            return event, ""
        title = f"{event}, {_describe_grades(row)}"
        if change.action == "created" and earlier is not None and _describe_grades(earlier) != _describe_grades(row):
            title += f", before {_describe_grades(earlier)}"
        rationale = collapse_whitespace(row["rationale"]).rstrip(".")
        return title, f" {row['assessor']}: {rationale}." if rationale else ""

    def _describe_citation(self, change: ClaimChange, event: str) -> str:
        """Return where the claim can be read: "Also published by Forces News"."""
        row = self._details.citations.get(change.seq)
        if row is None:
            return event
        place = self._mention(row["publisher"]) if row["publisher"] else quote_text(row["title"])
        if change.action != "created":
            return f"{event}, {place}"
        return f"Also published by {place}" if row["publisher"] else f"Also in {place}"

    def _brief(self, claim: Mapping[str, Any]) -> str:
        return describe_figure_briefly(claim, self._names)

    def _mention(self, slug: str) -> str:
        source = self._names.sources.get(slug)
        return slug if source is None else mention_source(source).text

    def _label(self, slug: str) -> str:
        source = self._names.sources.get(slug)
        return slug if source is None else label_source(source)


def describe_import(
    imported: ImportedChanges, counts: Counter[tuple[str, str]] | None, *, is_complete: bool
) -> tuple[str, str]:
    """Return the title and text of an import: what it wrote in the topic of `counts`, or in the register if None.

    Without `is_complete`, there are more changes than those of `counts`.
    """
    totals = [_count(imported.totals.get(name, 0), *words) for name, words in TOTAL_COUNTS.items()]
    whole = join_with_and([words for words in totals if words]) or "changes"
    if counts is None:
        words = whole
    else:
        known = [_count(counts[key], *words) for key, words in IMPORT_COUNTS.items()]
        others = sum(count for key, count in counts.items() if key not in IMPORT_COUNTS)
        words = join_with_and([each for each in (*known, _count(others, "other change", "other changes")) if each])
        words = words if is_complete else f"at least {words}"
    names = [str(file["name"]) for file in imported.files]
    more = len(names) - MAX_NAMED_FILES
    files = join_with_and([*names[:MAX_NAMED_FILES], *([_count(more, "more file", "more files")] if more > 0 else [])])
    text = f"{imported.actor} imported {files or 'files'} (mapping {imported.mapping}): {words}"
    return f"Imported: {words}", f"{text}." if counts is None or words == whole else f"{text}, of {whole} in all."


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}" if number else ""


def _with_reason(text: str, event: str, reason: str | None) -> str:
    return text if reason is None else f"{text} ({event}: {reason})"


def _as_remark(reason: str | None) -> str:
    """Return a reason to follow in a title: ", two digits were swapped"; nothing if it is long."""
    words = collapse_whitespace(reason or "").rstrip(".")
    if not words or len(words) > MAX_REASON_CHARACTERS:
        return ""
    is_acronym = re.match(r"\w*[A-Z]", words[1:]) is not None
    return f", {words}" if is_acronym else f", {words[0].lower()}{words[1:]}"


def _possessive(name: str) -> str:
    return f"{name}'" if name.endswith("s") else f"{name}'s"


def _describe_grades(row: Row) -> str:
    """Return the grades of an assessment: "confidence low", "B2"."""
    grades = "".join(str(row[name]) for name in ("reliability", "credibility") if row[name] is not None)
    parts: Sequence[str] = [f"confidence {row['level']}" if row["level"] is not None else "", grades]
    return " and ".join(part for part in parts if part) or "without a grade"


def _brief_figure(row: Row, claim: Mapping[str, Any], names: RecordNames) -> str:
    """Return the figure of a version of a claim in few words."""
    fields = ("as_printed", "lower_inclusive", "upper_inclusive", "approximate", "relative_to")
    figure = {name: row[name] for name in fields} | plain_figure_numbers(row)
    figure["unit"] = row["unit"] or claim["figure"]["unit"]
    period = {"aggregation": row["aggregation"], "per": row["per"]}
    return describe_figure_briefly({"figure": figure, "proposition": row["proposition"], "period": period}, names)


def _describe_day(row: Row) -> str:
    return "unknown" if row["date_edtf"] is None else describe_edtf(row["date_edtf"])


def _describe_stored_period(row: Row) -> str:
    unit = f" a {row['per']}" if row["per"] is not None else ""
    return f"{describe_edtf(row['period'])} ({row['aggregation']}{unit})"


def describe_edtf(edtf: str) -> str:
    """Return a date or an interval in words: "3 June 2025", "24 February 2022 to 3 June 2025"."""
    begin, slash, finish = edtf.partition("/")
    if not slash:
        return describe_date(begin).text
    ends = ["an unknown start" if begin in ("", "..") else describe_date(begin).text]
    ends.append("an open end" if finish in ("", "..") else describe_date(finish).text)
    return " to ".join(ends)
