"""Every enumeration of the API, with the definition of each value."""

from enum import Enum
from typing import Self


class DescribedEnum(str, Enum):
    """An enumeration whose values have definitions: `SourceKind.media.definition`."""

    definition: str
    _value_: str

    def __new__(cls, value: str, definition: str = "") -> Self:
        """Create the member from its value, and store the definition on it."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.definition = definition
        return member

    def __str__(self) -> str:
        """Return the value as it appears in URLs, JSON and CSV."""
        return self._value_


class Proposition(DescribedEnum):
    """The kind of statement that a claim makes."""

    quantity = "quantity", "States how many, or how much."
    ratio = (
        "ratio",
        "States a proportion: `value` in `out_of`, `value` to `out_of` against `relative_to`, or `value` times that.",
    )
    change = (
        "change",
        "States a change against `relative_to`, in percent or in the unit of the category; below zero for less.",
    )
    peak_period = (
        "peak_period",
        "States when something was at its highest; the period is the statement, there is no figure.",
    )
    trend = "trend", "States that something rose, fell or stayed, without a figure."
    existence = "existence", "States that something happened or exists, without a figure."
    denial = "denial", "Denies another claim, without a figure of its own."


class Modality(DescribedEnum):
    """How a source presents its statement: counted, estimated, expected or alleged."""

    count = "count", "Counted or registered one by one."  # type: ignore[assignment] # the value of the API, not str.count
    estimate = "estimate", "Estimated or assessed."
    forecast = "forecast", "Expected for a time after the statement. Compared with other forecasts only."
    allegation = "allegation", "Stated without evidence or method."


class Derivation(DescribedEnum):
    """The basis of a figure: the source's own work, or other sources."""

    own = "own", "The source's own counting or assessment."
    derived = "derived", "Based on claims of other sources; relations name them."
    unknown = "unknown", "The source does not state it."


class FigureKind(DescribedEnum):
    """The form of a figure, derived from its numbers."""

    plain = "plain", "One number as printed; it need not be exact."
    approximate = "approximate", "One number that the source calls approximate. No error margin is added."
    range = "range", "A lower and an upper number."
    lower_bound = "lower_bound", "At least, more than, or just over a number."
    upper_bound = "upper_bound", "At most, less than, or nearly a number."
    vague = "vague", "Words without a number, such as `thousands more`. Excluded from all arithmetic."
    none = "none", "The claim states no figure."


class Aggregation(DescribedEnum):
    """How a figure relates to its period."""

    cumulative = "cumulative", "A running total since the start of the period."
    within = "within", "The total for that period."
    snapshot = "snapshot", "The state at the end of the period."
    rate = "rate", "A rate over the period; `per` states the unit of time."


class TextForm(DescribedEnum):
    """How a category reads in a sentence."""

    people = "people", "300 members of the group had been killed: `past`, `future` and `part`."
    suffered = "suffered", "The group had suffered 300 casualties: `noun`."
    lost = "lost", "The group had lost 300 tanks: `noun`."
    things = "things", "300 tanks of the group had been destroyed: `noun`, `past`, `future` and `part`."
    there = "there", "There had been 300 deaths among the group: `noun`."


class Per(DescribedEnum):
    """The unit of time of a rate, as its source states it. Rates are never converted."""

    hour = "hour", "An hour."
    day = "day", "A day."
    week = "week", "A week."
    month = "month", "A month."
    year = "year", "A year."


class RelativeToKind(DescribedEnum):
    """What the base of a relative figure is."""

    period = "period", "A period in EDTF, such as `2022` or `1951–1980`."
    subject = "subject", "A recorded subject, by slug."
    category = "category", "A recorded category, by slug."
    words = "words", "Other words. Two bases in words are the same if they differ only in letter case and spaces."


class Status(DescribedEnum):
    """Whether a claim is current, retracted or removed."""

    asserted = "asserted", "Current: its source has not retracted it."
    retracted = "retracted", "Its source retracted it on `retracted_on`. It stays visible."
    removed = "removed", "Taken down. Only a tombstone remains: id, times, category, subject and place."


class SourceKind(DescribedEnum):
    """The kind of a source."""

    government = "government", "A government, ministry, head of state or their spokespeople."
    military = "military", "Armed forces or their general staff."
    intelligence = "intelligence", "An intelligence service."
    intergovernmental = "intergovernmental", "An organisation whose members are states."
    think_tank = "think_tank", "A policy research institute."
    research = "research", "Researchers, statisticians, academic work."
    media = "media", "A newspaper, broadcaster or agency."
    ngo = "ngo", "A non-governmental organisation."
    individual = "individual", "A named person who speaks for themselves."
    witness = "witness", "A person who was present, named or anonymous."
    dataset = "dataset", "A data set that is maintained as such."
    unknown = "unknown", "The kind of source is not known."


class Interest(DescribedEnum):
    """The position of a source towards the parties of the dispute."""

    party = "party", "A party to the dispute."
    aligned = "aligned", "Supports one of the parties."
    independent = "independent", "Neither a party nor aligned with one."
    unknown = "unknown", "Not established."


class Narrower(DescribedEnum):
    """A field of a topic whose narrower values belong to the topic too."""

    category = "category", "Narrower categories, as parts of the category."
    subject = "subject", "Subjects that are part of the subject."
    place = "place", "Places within the place."


class CitationRole(DescribedEnum):
    """Whether a document is the claimant's own publication or a report by others."""

    original = "original", "The claimant's own publication."
    relay = "relay", "Another publisher reports the claimant's statement."


class Fidelity(DescribedEnum):
    """How faithfully a document repeats the claimant's statement."""

    verbatim = "verbatim", "Word for word."
    paraphrase = "paraphrase", "In other words, with the same figure."
    rounded = "rounded", "With the figure rounded."
    distorted = "distorted", "With a different figure or a different meaning."


class Level(DescribedEnum):
    """An editor's confidence in a claim. Never computed."""

    high = "high", "The editor would print it without qualification."
    moderate = "moderate", "The editor would print it with attribution."
    low = "low", "The editor would print it only together with other figures."


class Reliability(DescribedEnum):
    """Reliability of the source, on the Admiralty scale (NATO AJP-2.1, STANAG 2511)."""

    A = "A", "Completely reliable."
    B = "B", "Usually reliable."
    C = "C", "Fairly reliable."
    D = "D", "Not usually reliable."
    E = "E", "Unreliable."
    F = "F", "Reliability cannot be judged. This is neither a bad grade nor a missing one."


class Credibility(DescribedEnum):
    """Credibility of the information, on the Admiralty scale (NATO AJP-2.1, STANAG 2511)."""

    confirmed = "1", "Confirmed by other sources."
    probable = "2", "Probably true."
    possible = "3", "Possibly true."
    doubtful = "4", "Doubtful."
    improbable = "5", "Improbable."
    unjudged = "6", "Truth cannot be judged. This is neither a bad grade nor a missing one."


class RelationType(DescribedEnum):
    """How one claim relates to another, as a source or the editors assert it."""

    corroborates = "corroborates", "Supports the other claim. It does not raise any score."
    disputes = "disputes", "Rejects the other claim."
    repeats = "repeats", "Repeats the other claim, possibly rounded."
    based_on = "based_on", "Is based on the other claim, wholly or in part."
    part_of = "part_of", "Counts a part of what the other claim counts (`of which`)."
    supersedes = (
        "supersedes",
        "Replaces an older claim of the same source with the same category, subject, place, proposition and period.",
    )


class RelationScope(DescribedEnum):
    """The aspect of a claim that a relation refers to."""

    level = "level", "The size of the figure."
    trend = "trend", "The direction of change."
    existence = "existence", "Whether the event happened at all."


class Independence(DescribedEnum):
    """Whether two related claims have separate evidence."""

    independent = "independent", "Separate evidence."
    shared_basis = "shared_basis", "The same underlying evidence."
    unknown = "unknown", "Not established."


class Role(DescribedEnum):
    """The rights of an API key. Each role includes the rights of the roles before it; only `mirror` stands alone."""

    contributor = "contributor", "Add claims, citations and documents."
    editor = "editor", "Also correct, retract, relate and assess claims, and maintain sources, vocabularies and topics."
    admin = "admin", "Also take claims down."
    mirror = "mirror", "Only hold leases: for mirrors and for caches, for which takedowns wait."


class LeaseKind(DescribedEnum):
    """Who holds a lease."""

    process = "process", "A process of the service."
    purger = "purger", "A process that purges a shared cache."
    mirror = "mirror", "A mirror or a cache elsewhere, which renews its lease over HTTP."


class Verdict(DescribedEnum):
    """The result of comparing two positions."""

    agree = "agree", "One figure lies within the other, or they differ only by rounding, for the same end of period."
    no_conflict = "no_conflict", "Both can be true at once."
    contradict = "contradict", "They cannot both be true."
    undetermined = "undetermined", "The statements do not suffice to decide."
    not_comparable = "not_comparable", "They do not measure the same thing; the reasons say why."


class Reason(DescribedEnum):
    """A reason for a verdict. The members are in the order in which reasons are listed."""

    transcription_conflict = "transcription_conflict", "Two transcriptions of one statement give different figures."
    one_utterance = "one_utterance", "Both are wordings of one statement of one source."
    superseded = "superseded", "The source replaced one of them by the other."
    proposition_differs = (
        "proposition_differs",
        "They are different kinds of statement, such as a quantity and a change.",
    )
    subject_differs = "subject_differs", "They are about different subjects."
    place_differs = "place_differs", "They refer to different places."
    unit_differs = "unit_differs", "They count in different units. Currencies are never converted."
    base_differs = (
        "base_differs",
        "They are shares of different wholes or relative to different bases, or only one of them is.",
    )
    modality_differs = "modality_differs", "One is a forecast, the other is not."
    aggregation_differs = (
        "aggregation_differs",
        "They are not of one kind: a total over a period, the state on a day, or a rate.",
    )
    rate_differs = "rate_differs", "They are rates per different units of time."
    rate_unstated = "rate_unstated", "The unit of time of a rate is not stated."
    window_differs = "window_differs", "They are for different periods or days."
    window_unknown = "window_unknown", "The start or the end of a period is not known."
    components_differ = "components_differ", "They count different things, or add up different components."
    components_unstated = "components_unstated", "A source does not state the components of its figure."
    scope_differs = "scope_differs", "They include or exclude different groups."
    no_figure = "no_figure", "One of them states no figure."
    scope_unstated = (
        "scope_unstated",
        "Only one states whether it includes a group, so a contradiction cannot be established.",
    )
    one_source = "one_source", "Both are statements of one source about one period on one day."
    disjoint = "disjoint", "The figures for the same end have no number in common."
    falls = "falls", "A total that can only grow is larger at an earlier moment than at a later one."
    part_of_whole = (
        "part_of_whole",
        "One counts a part of what the other counts. It contradicts the other only if it is larger and ends no later.",
    )
    period_within = "period_within", "The period of one lies within the period of the other."
    same_day = (
        "same_day",
        "One source gave several totals up to the day on which it stated them, and their hours are not all known.",
    )
    hours_unknown = (
        "hours_unknown",
        "The hour at which a total ends is not known, and it can have grown that day.",
    )
    approximate = (
        "approximate",
        "Whether the figures conflict depends on how exact an approximate figure is; a tolerance can decide.",
    )
    rounded = "rounded", "They differ by no more than the rounding of a printed number."
    unit_converted = "unit_converted", "Their units were converted exactly."
    probabilistic = "probabilistic", "The result depends on a range that holds with a stated probability."
    dates_differ = "dates_differ", "Their periods end at different times, and the figure can have changed in between."
    start_uncertain = "start_uncertain", "The day on which a period starts is not known well enough to decide."
    end_uncertain = "end_uncertain", "The day on which a period ends is not known well enough to decide."
    open_end = "open_end", "They overlap, and a range has no known end."
    partial_overlap = "partial_overlap", "They overlap, and neither lies within the other."
    vague = "vague", "A figure is stated only in words."
    date_unknown = (
        "date_unknown",
        "The day of the statement is not known, so that it is left out for a given `known_on`.",
    )


class WordingRefusal(DescribedEnum):
    """Why the wording of a figure is not read."""

    too_long = "too_long", "It is a sentence, and not the words of one figure."
    no_figure = "no_figure", "It states no number."
    no_number = "no_number", "Its digits are no number, such as `1,23` in English."
    words_not_understood = "words_not_understood", "It has words that the reader does not know; the refusal lists them."
    ambiguous_separator = "ambiguous_separator", "A point or comma can be a decimal sign and separate thousands."
    ambiguous_word = "ambiguous_word", "A word has two meanings, such as `m` for millions and metres."
    ambiguous_range = "ambiguous_range", "It can be a range and something else: two years, a ratio, a short form."
    ambiguous_multiple = "ambiguous_multiple", "`three times more` can be three times as many, and four times."
    language_needed = "language_needed", "It has another meaning in another language."
    two_figures = "two_figures", "It has two numbers that do not belong together, or that can be one number."
    sign_or_bullet = "sign_or_bullet", "Its first sign can be a minus and a bullet."
    rate = "rate", "It is a rate, and not a number of the unit."
    rate_not_supported = (
        "rate_not_supported",
        "It is a rate in another unit of time than an hour, day, week, month or year.",
    )
    change = "change", "It states a change, and not a number of the unit."
    share = "share", "It is a share or a multiple, and not a number of the unit."
    unit_differs = "unit_differs", "It names another unit or currency than the given one."
    fraction_of_whole_units = "fraction_of_whole_units", "A fraction of something that is counted in whole units."
    out_of_range = "out_of_range", "Its number has too many digits, or its numbers contradict each other."


class Outcome(DescribedEnum):
    """The outcome of a claim from an imported row."""

    new = "new", "A new claim."
    cited = "cited", "The claim exists already, and gets a new citation from this document."
    changed = "changed", "The row differs from the same row of an earlier file: the claim is superseded or corrected."
    unchanged = "unchanged", "The claim exists already, and is cited from this document."
    differs = (
        "differs",
        "The row differs from the recorded claim, or from the same row of an earlier file; this is only reported.",
    )
    older = "older", "The register has newer data: from a newer file, or from a correction of the claim."
    retracted = "retracted", "The claim of this row was retracted; it is not recorded again."
    removed = "removed", "The claim of this row was taken down; it is not recorded again."
    refused = "refused", "The row breaks a rule; the reasons are listed."


class SmellKind(DescribedEnum):
    """The kind of an anomaly (data-quality warning) in imported rows."""

    total_falls = "total_falls", "A running total is lower than the previous one: revised, or mistyped."
    duplicate_date = "duplicate_date", "A time series has several figures for one date."
    day_contradicts_date = "day_contradicts_date", "The day number of a row does not match its date."
    digit_slip = (
        "digit_slip",
        "A figure is not between its neighbours, but would be with one digit changed, swapped, added or removed.",
    )
    jump = "jump", "A figure, or the growth of a running total, is more than ten times the usual size."
    transcriptions_differ = (
        "transcriptions_differ",
        "Two transcriptions of one statement give different figures.",
    )
    number_in_label = "number_in_label", "A label contains a number, so it changes whenever the number changes."
    bound_equals_estimate = "bound_equals_estimate", "A bound equals the estimate; it may have been copied."
    estimate_outside_bounds = "estimate_outside_bounds", "An estimate is outside its own bounds."
    dates_missing = "dates_missing", "Dates are missing from an otherwise regular time series."
    columns_differ = "columns_differ", "A file of a series has other columns than the last one."


class ImportStatus(DescribedEnum):
    """How far an import is."""

    publishing = "publishing", "A long import of which a part can be read already; the rest follows."
    published = "published", "All of its rows are recorded, apart from those that were left out."


class LeftOutReason(DescribedEnum):
    """Why a claim of a long import was left out: somebody changed the register while it was being published."""

    already_recorded = "already_recorded", "The claim, its id or its citation was recorded meanwhile."
    claim_changed = "claim_changed", "The recorded claim that the row belongs to was corrected or withdrawn meanwhile."
    document_changed = "document_changed", "Its document was taken down meanwhile, or recorded by somebody else."
    source_removed = "source_removed", "A source that it names was taken down meanwhile."
    category_changed = "category_changed", "Its category was changed meanwhile in what its figures depend on."
    conflict = "conflict", "It contradicts a rule or another record of the register as it was by then."


ALL_ENUMS: tuple[type[DescribedEnum], ...] = (
    Proposition,
    Modality,
    Derivation,
    FigureKind,
    Aggregation,
    Per,
    TextForm,
    RelativeToKind,
    Status,
    SourceKind,
    Interest,
    Narrower,
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
    WordingRefusal,
    Outcome,
    SmellKind,
    ImportStatus,
    LeftOutReason,
)
"""All enumerations, in the order in which `/v1/vocabulary` lists them."""
