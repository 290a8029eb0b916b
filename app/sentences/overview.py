"""The words of an overview of a question: titles of groups of figures, and the sentences at its head."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from app.comparison.question import Question
from app.comparison.statement import Statement
from app.sentences.dates import describe_date, describe_period, format_day
from app.sentences.figures import build_display, describe_rate
from app.sentences.phrases import (
    CategoryDetails,
    RecordNames,
    SourceDetails,
    capitalize_first,
    collapse_whitespace,
    join_with_and,
    label_source,
)
from app.sentences.units import describe_unit

DAYS_IN_MONTH = 30.44
DAYS_IN_YEAR = 365.25
LONGEST_AGE_IN_DAYS = 60
LONGEST_AGE_IN_MONTHS = 24
"""Up to so many days an age is stated in days, and up to so many months in months."""
MAX_NAMED_FIGURES = 3
MAX_NAMED_GROUPS = 3
"""So many figures or groups are named in one sentence at the head."""


def shorten_titles(titles: Sequence[str]) -> list[str]:
    """Return titles without the last part that all have in common, such as "since 24 February 2022", except the first.

    A title keeps its first part.
    """
    parts = [title.split(", ") for title in titles]
    if not parts:
        return []
    last = parts[0][-1]
    if not all(len(each) > 1 and each[-1] == last for each in parts):
        return list(titles)
    return [titles[0], *(", ".join(each[:-1]) for each in parts[1:])]


@dataclass(frozen=True, slots=True)
class GroupWords:
    """What the head of an overview says of one group: its title, its figures, and the number of its sources."""

    title: str
    is_on_question: bool
    current: Sequence[Statement]
    earlier: Sequence[Statement]
    sources: int


@dataclass(frozen=True, slots=True)
class PairWords:
    """What the head of an overview says of pairs of figures: how many are comparable, contradict, or are undecided.

    `on_question` counts the contradictions with a figure on the question, and `worst` is the sentence of one of them.
    """

    comparable: int
    contradictions: int
    on_question: int
    undecided: int
    worst: str | None = None


def describe_group(members: Sequence[Statement], question: Question, names: RecordNames) -> str:
    """Return what the figures of a group count, from when: "killed and wounded, since 24 February 2022".

    Subject and place are named only where they are not those of the question.
    """
    first = members[0]
    parts = [
        _describe_counted(members, question, names),
        names.name_subject(first.subject) if first.subject != question.subject else "",
        names.name_place(first.place) if first.place != question.place else "",
        *_describe_scope(first, names),
        _describe_base(first, names),
        "forecast" if first.is_forecast else "",
        describe_rate(first.aggregation, first.per),
        _describe_group_period(first),
    ]
    return ", ".join(part for part in parts if part)


def _describe_counted(members: Sequence[Statement], question: Question, names: RecordNames) -> str:
    slugs = Counter(member.category for member in members)
    slug = question.category if question.category in slugs else min(slugs, key=lambda slug: (-slugs[slug], slug))
    category = names.categories.get(slug) or CategoryDetails(slug)
    words = category.as_component if not category.details else collapse_whitespace(category.note or category.details)
    if category.form == "things" and category.noun and category.part:
        words = collapse_whitespace(f"{category.noun} {category.part}")  # "tanks captured" beside "tanks destroyed"
    if category.form == "lost" and category.noun and not category.details:
        words = collapse_whitespace(f"{category.noun} lost")
    if category.components is None and not category.note:
        words = f"{collapse_whitespace(category.name)} ({category.details})"
    match members[0].proposition:
        case "change":
            words = f"change of {words}"
        case "ratio":
            words = f"ratio of {words}"
    unit = describe_unit(members[0].unit)
    return f"{words} in {unit.label}" if unit.is_currency else words


def _describe_scope(statement: Statement, names: RecordNames) -> list[str]:
    notes = []
    for words, slugs in (("including", statement.includes), ("not counting", statement.excludes)):
        if slugs:
            notes.append(f"{words} {join_with_and([names.name_subject(slug) for slug in sorted(slugs)])}")
    return notes


def _describe_base(statement: Statement, names: RecordNames) -> str:
    base = names.name_base(statement.figure.relative_to)
    return f"relative to {base}" if base else ""


def _describe_group_period(statement: Statement) -> str:
    period = statement.period
    if statement.aggregation != "cumulative":
        return describe_period(
            period.edtf, statement.aggregation, statement.date, statement.date_edtf, is_forecast=statement.is_forecast
        )
    if period.start is None:
        return "since when was not said"
    return f"since {describe_date(period.edtf.partition('/')[0]).text}"


def write_lead(
    groups: Sequence[GroupWords],
    pairs: PairWords,
    without_number: int,
    names: RecordNames,
    parties: Collection[str] = (),
) -> list[str]:
    """Return the sentences at the head of an overview: what stands now, what contradicts, what counts something else.

    Args:
        groups: The groups, those on the question first.
        pairs: The numbers of pairs of figures.
        without_number: The number of claims with words only, such as "thousands".
        names: The names of records.
        parties: The sources that are a party to the dispute.
    """
    if not groups:
        claims = "1 claim has" if without_number == 1 else f"{without_number:,} claims have"
        words = [f"{claims} words without a number."] if without_number else []
        return ["No source has stated a number on this question.", *words]
    figures = sum(len(group.current) + len(group.earlier) for group in groups)
    conflicts = _describe_conflicts(figures, pairs, has_others=not all(group.is_on_question for group in groups))
    if not groups[0].is_on_question:
        # The largest group would look like the answer, so all groups are listed alike.
        others = _describe_others(groups, names, parties)
        return ["No source has stated a number on exactly this question.", *others, conflicts]
    return [*_describe_figures(groups[0], names, parties), conflicts, *_describe_others(groups[1:], names, parties)]


def _describe_figures(group: GroupWords, names: RecordNames, parties: Collection[str]) -> list[str]:
    verb = "the newest figure is" if len(group.current) == 1 else "the newest figures are"
    sentences = [f"{capitalize_first(group.title)}: {verb} {_list_figures(group.current, names, parties)}."]
    if group.earlier:
        sentences.append(f"Older: {_list_figures(group.earlier, names, parties)}.")
    return sentences


def _list_figures(statements: Sequence[Statement], names: RecordNames, parties: Collection[str]) -> str:
    shown = [describe_position(statement, names, parties) for statement in statements[:MAX_NAMED_FIGURES]]
    if others := len(statements) - len(shown):
        shown.append(f"{others} more")
    return join_with_and(shown)


def display_statement(statement: Statement, names: RecordNames) -> str:
    """Return the figure of a statement in English, with its hedge, its unit and its base by name."""
    base = names.name_base(statement.figure.relative_to)
    return build_display(
        statement.figure, statement.proposition, statement.unit, statement.aggregation, statement.per, base
    )


def describe_position(statement: Statement, names: RecordNames, parties: Collection[str] = ()) -> str:
    """Return a figure with its source and its end: "about 1 million persons (UK MoD, up to 12 June 2025)"."""
    figure = display_statement(statement, names)
    source = label_source(names.sources.get(statement.source) or SourceDetails(statement.source, statement.source))
    notes = [source, "a party" if statement.source in parties else "", describe_end(statement)]
    return f"{figure} ({', '.join(note for note in notes if note)})"


def describe_end(statement: Statement) -> str:
    """Return the end of a running total or a snapshot in words: "up to 12 June 2025"; empty for other figures."""
    end = statement.effective.earliest_end
    if end is None or statement.aggregation in {"within", "rate"}:
        return ""
    last = statement.effective.latest_end
    is_certain = last is None or last == end
    day = format_day(end) if is_certain else describe_date(statement.period.edtf.rpartition("/")[2]).text
    if statement.aggregation == "snapshot":
        return f"{'on' if is_certain else 'as of'} {day}"
    return f"up to {day}"


def _describe_conflicts(figures: int, pairs: PairWords, *, has_others: bool) -> str:
    if figures == 1:
        return "It is the only figure on record."
    if not pairs.comparable:
        subject = "The two figures cannot" if figures == 2 else f"No two of the {figures} figures can"  # noqa: PLR2004
        return f"{subject} be compared: each counts something else, or is for another period."
    if pairs.on_question:
        of_which = "on the question" if has_others else f"of the {figures} figures"
        sentence = f"{capitalize_first(_count_pairs(pairs.on_question))} {of_which} cannot both be true"
        if figures == 2 and not has_others:  # noqa: PLR2004 - "one pair of the 2"
            sentence = "The two figures cannot both be true"
        return f"{sentence}: {pairs.worst}" if pairs.worst else f"{sentence}."
    if pairs.contradictions:
        return (
            f"No figure on the question contradicts another; of those counted apart, "
            f"{_count_pairs(pairs.contradictions)} cannot both be true."
        )
    sentence = f"No two of the {figures} figures contradict each other"
    if figures == 2:  # noqa: PLR2004 - "no two of the 2"
        sentence = "The two figures do not contradict each other"
    if pairs.undecided:
        sentence += f"; on {_count_pairs(pairs.undecided)}, what was said does not suffice to decide"
    return f"{sentence}."


def _count_pairs(number: int) -> str:
    return "one pair" if number == 1 else f"{number:,} pairs"


def _describe_others(groups: Sequence[GroupWords], names: RecordNames, parties: Collection[str]) -> list[str]:
    """Return the sentence about figures that count something else."""
    named = [_describe_other(group, names, parties) for group in groups[:MAX_NAMED_GROUPS]]
    if len(groups) > len(named):
        named.append(f"{len(groups) - len(named)} more")
    return [f"Counted apart: {'; '.join(named)}."] if named else []


def _describe_other(group: GroupWords, names: RecordNames, parties: Collection[str]) -> str:
    """Return the title of a group with its newest figure, and with the number of its sources if there are several."""
    newest = describe_position(group.current[0], names, parties)
    if group.sources == 1:
        return f"{group.title}: {newest}"
    return f"{group.title}: {_count_sources(group.sources)}, newest {newest}"


def _count_sources(number: int) -> str:
    return "1 source" if number == 1 else f"{number} sources"


def describe_age(days: int | None) -> str:
    """Return an age in words: "12 days", "5 months", "3 years"; empty if it is unknown."""
    if days is None:
        return ""
    if days <= 0:
        return "0 days" if days == 0 else f"ends in {-days} days"
    if days <= LONGEST_AGE_IN_DAYS:
        return "1 day" if days == 1 else f"{days} days"
    months = round(days / DAYS_IN_MONTH)
    if months <= LONGEST_AGE_IN_MONTHS:
        return f"{months} months"
    years = int(days / DAYS_IN_YEAR)
    return f"{years} years" if years > 1 else f"{months} months"
