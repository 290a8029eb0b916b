"""Every enumeration of the contract: its words and what each of them means."""

from enum import Enum
from typing import Self


class DescribedEnum(str, Enum):
    """A word with a definition: `SourceKind.media.definition`."""

    definition: str

    def __new__(cls, word: str, definition: str = "") -> Self:
        """Make the member from its word, and keep the definition beside it."""
        term = str.__new__(cls, word)
        term._value_ = word
        term.definition = definition
        return term

    def __str__(self) -> str:
        """The word itself, as it stands in URLs, JSON and CSV."""
        return str(self.value)


class Proposition(DescribedEnum):
    """What kind of statement a claim makes."""

    quantity = "quantity", "States how many, or how much."
    ratio = "ratio", "States a proportion: `value` to `out_of`, against `relative_to`."
    peak_period = (
        "peak_period",
        "States when something was at its highest; the period is the statement, there is no figure.",
    )
    trend = "trend", "States that something rose, fell or stayed, without a figure."
    existence = "existence", "States that something happened or exists, without a figure."
    denial = "denial", "Denies what another claim says, without a figure of its own."


class Modality(DescribedEnum):
    """How the source holds what it says."""

    count = "count", "Counted or registered one by one."  # type: ignore[assignment] # the contract's word, not str.count
    estimate = "estimate", "Estimated or assessed."
    forecast = "forecast", "Expected for a time still to come when it was said. Never compared with what has happened."
    allegation = "allegation", "Said without giving any ground."


class Derivation(DescribedEnum):
    """What a figure rests on."""

    own = "own", "The source's own counting or assessment."
    derived = "derived", "Rests on what others said; relations tell on whom."
    unknown = "unknown", "The source does not say."


class FigureKind(DescribedEnum):
    """The shape of a figure, derived from its numbers."""

    plain = "plain", "One number as printed; not a promise of exactness."
    approximate = "approximate", "One number, said to be about right. No width is invented."
    range = "range", "A lower and an upper number."
    lower_bound = "lower_bound", "At least, or more than, a number."
    upper_bound = "upper_bound", "At most, nearly, or less than, a number."
    vague = "vague", "Words without a number, such as `thousands more`. Kept out of all arithmetic."
    none = "none", "The claim states no figure."


class Aggregation(DescribedEnum):
    """How a figure relates to its period."""

    cumulative = "cumulative", "A running total since the start of the period."
    within = "within", "The total for that period."
    snapshot = "snapshot", "The state at the end of the period."
    rate = "rate", "A rate per day over the period."


class Status(DescribedEnum):
    """Whether a claim stands."""

    asserted = "asserted", "It stands as its source said it."
    retracted = "retracted", "Its source took it back on `retracted_on`. It stays visible."
    removed = "removed", "Taken down. Only a tombstone is left: id, times, category, subject and place."


class SourceKind(DescribedEnum):
    """What a source is."""

    government = "government", "A government, ministry, head of state or their spokespeople."
    military = "military", "Armed forces or their general staff."
    intelligence = "intelligence", "An intelligence service."
    intergovernmental = "intergovernmental", "An organisation of states, such as the UN or NATO."
    think_tank = "think_tank", "A policy research institute."
    research = "research", "Researchers, statisticians, academic work."
    media = "media", "A newspaper, broadcaster or agency."
    ngo = "ngo", "A non-governmental organisation."
    individual = "individual", "A named person who speaks for themselves."
    witness = "witness", "Somebody who was there, named or not."
    dataset = "dataset", "A data set that is kept as such."
    unknown = "unknown", "Nobody can say who it is."


class Interest(DescribedEnum):
    """Where a source stands in the dispute."""

    party = "party", "A party to the dispute."
    aligned = "aligned", "Supports one of the parties."
    independent = "independent", "Neither a party nor aligned with one."
    unknown = "unknown", "Not established."


class CitationRole(DescribedEnum):
    """How a document stands to the claim."""

    original = "original", "The claimant's own publication."
    relay = "relay", "Somebody else reports what the claimant said."


class Fidelity(DescribedEnum):
    """How faithfully a document repeats what was said."""

    verbatim = "verbatim", "Word for word."
    paraphrase = "paraphrase", "In other words, with the figure intact."
    rounded = "rounded", "With the figure rounded."
    distorted = "distorted", "With a different figure or a different meaning."


class Level(DescribedEnum):
    """An editor's confidence in a claim. Never computed."""

    high = "high", "The editor would print it without a hedge."
    moderate = "moderate", "The editor would print it with its source."
    low = "low", "The editor would print it only beside other figures."


class Reliability(DescribedEnum):
    """Reliability of the source, on the Admiralty scale (NATO AJP-2.1, STANAG 2511)."""

    A = "A", "Completely reliable."
    B = "B", "Usually reliable."
    C = "C", "Fairly reliable."
    D = "D", "Not usually reliable."
    E = "E", "Unreliable."
    F = "F", "Reliability cannot be judged: neither bad nor unassessed."


class Credibility(DescribedEnum):
    """Credibility of the information, on the Admiralty scale (NATO AJP-2.1, STANAG 2511)."""

    confirmed = "1", "Confirmed by other sources."
    probable = "2", "Probably true."
    possible = "3", "Possibly true."
    doubtful = "4", "Doubtful."
    improbable = "5", "Improbable."
    unjudged = "6", "Truth cannot be judged: neither bad nor unassessed."


class RelationType(DescribedEnum):
    """How one claim stands to another, as somebody asserted it."""

    corroborates = "corroborates", "Is said to support the other. Never a higher score."
    disputes = "disputes", "Rejects the other."
    repeats = "repeats", "Says the same again, perhaps rounded."
    based_on = "based_on", "Rests on the other, wholly or in part."
    part_of = "part_of", "Counts a part of what the other counts (`of which`)."
    supersedes = "supersedes", "Is the same source's newer word on the same thing."


class RelationScope(DescribedEnum):
    """What a relation is about."""

    level = "level", "The size of the figure."
    trend = "trend", "Its direction."
    existence = "existence", "That it happened at all."


class Independence(DescribedEnum):
    """Whether two related claims have separate grounds."""

    independent = "independent", "Separate grounds."
    shared_basis = "shared_basis", "The same ground underneath."
    unknown = "unknown", "Not established."


class Role(DescribedEnum):
    """What an API key may do. Each role may do what the ones before it may."""

    contributor = "contributor", "Add claims, citations and documents."
    editor = "editor", "Also keep sources, vocabularies and topics, and assess claims."
    admin = "admin", "Also keep keys and take claims down."


class Verdict(DescribedEnum):
    """What can be said of two positions."""

    agree = "agree", "One figure lies inside the other, for the same end of period."
    no_conflict = "no_conflict", "Both can be true at once."
    contradict = "contradict", "They cannot both be true."
    undetermined = "undetermined", "What was said does not suffice to decide."
    not_comparable = "not_comparable", "They do not speak of the same thing; the reasons say why."


class Reason(DescribedEnum):
    """Why a verdict is what it is, in the order in which reasons are given."""

    transcription_conflict = "transcription_conflict", "Two transcriptions of one utterance give different figures."
    subject_differs = "subject_differs", "They speak of different people or forces."
    place_differs = "place_differs", "They speak of different places."
    unit_differs = "unit_differs", "They count in different units."
    base_differs = "base_differs", "One is a share, a ratio or relative to a base that the other does not have."
    modality_differs = "modality_differs", "A forecast is not compared with what has happened."
    aggregation_differs = (
        "aggregation_differs",
        "One is a running total, the other a total for a period, a state or a rate.",
    )
    window_differs = "window_differs", "They cover different periods."
    window_unknown = "window_unknown", "The period of one has no known start."
    components_differ = "components_differ", "They add up different things."
    components_unstated = "components_unstated", "A source does not say what its figure adds up."
    scope_differs = "scope_differs", "They include or exclude different groups."
    no_figure = "no_figure", "One states no figure."
    scope_unstated = (
        "scope_unstated",
        "Only one says which groups it includes or excludes; they can no longer contradict.",
    )
    part_of_whole = "part_of_whole", "One counts a part of what the other counts: a floor, never a rival."
    approximate = "approximate", "The figures differ, but one is only approximate; a tolerance would decide."
    probabilistic = "probabilistic", "The result rests on a range that holds with a stated probability."
    dates_differ = "dates_differ", "Their periods end on different days, and a running total can have grown in between."
    end_uncertain = "end_uncertain", "The day on which a period ends is not known well enough to decide."
    open_end = "open_end", "They overlap, and one has no known end."
    partial_overlap = "partial_overlap", "They overlap in part."
    vague = "vague", "A figure is given only in words."


class Outcome(DescribedEnum):
    """What an import makes of a claim that a row gives."""

    new = "new", "A new claim."
    cited = "cited", "The claim exists already, and gets a new citation from this document."
    changed = "changed", "A row of an earlier file says something else now: the claim is superseded or repaired."
    unchanged = "unchanged", "The claim exists already, and is cited from this document."
    differs = "differs", "A row of an earlier file says something else now; the mapping only reports it."
    older = "older", "The register has a later state of this row: the file is older, or somebody repaired the claim."
    retracted = "retracted", "The claim of this row was retracted; it is not recorded again."
    removed = "removed", "The claim of this row was taken down; it is not recorded again."
    refused = "refused", "The row breaks a rule; the reasons are listed."


class SmellKind(DescribedEnum):
    """What is odd about rows of an import."""

    total_falls = "total_falls", "A running total is lower than the one before it: restated, or mistyped."
    duplicate_date = "duplicate_date", "One series has several figures for one date."
    day_contradicts_date = "day_contradicts_date", "A row's day number counts to another date than the one it gives."
    digit_slip = "digit_slip", "A figure is out of line with its neighbours, and one digit would put it in line."
    jump = "jump", "A figure, or the growth of a running total, is more than ten times the usual."
    transcriptions_differ = (
        "transcriptions_differ",
        "Two transcriptions of one source's series give different figures for one date.",
    )
    number_in_label = "number_in_label", "A label carries a number, so that it changes whenever the number does."
    bound_equals_estimate = "bound_equals_estimate", "A bound is the estimate itself: perhaps copied into its place."
    estimate_outside_bounds = "estimate_outside_bounds", "An estimate lies outside of its own bounds."
    dates_missing = "dates_missing", "An otherwise regular series leaves dates out."


ALL_ENUMS: tuple[type[DescribedEnum], ...] = (
    Proposition,
    Modality,
    Derivation,
    FigureKind,
    Aggregation,
    Status,
    SourceKind,
    Interest,
    CitationRole,
    Fidelity,
    Level,
    Reliability,
    Credibility,
    RelationType,
    RelationScope,
    Independence,
    Role,
    Verdict,
    Reason,
    Outcome,
    SmellKind,
)
"""All enumerations, in the order in which `/v1/vocabulary` lists them."""
