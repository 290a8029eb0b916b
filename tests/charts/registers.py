"""Registers of questions that are hard to draw, recorded by HTTP. All values, names and addresses are invented."""

from typing import Any

from tests.registers import Register
from tests.topics.domains import Domain, between, value

ARABIC_TITLE = ("كم عدد المتظاهرين الذين شاركوا في المسيرة الكبرى في العاصمة (حسب جميع المصادر) " * 5)[:299] + "؟"
HOSTILE = '<script>alert(1)</script> & "quoted" \' onload=alert(2) ]]> \\u202e'
TOPICS = (
    *("crowd", "burnt-area", "anomaly", "poll", "damage", "arrests", "extremes", "one", "empty", "words"),
    *("arabic", "hostile", "restated"),
)


def record_charts(register: Register) -> Domain:
    """Record all topics with their claims."""
    domain = Domain(register)
    domain.put_agencies()
    domain.put("sources", "agency-long", kind="ngo", interest="party", name="The " + "very " * 20 + "long agency")
    domain.put("sources", "agency-hostile", kind="ngo", interest="unknown", name=HOSTILE)
    domain.put("sources", "agency-arabic", kind="ngo", interest="unknown", name="وكالة الأنباء")
    domain.put("places", "country")
    domain.put("subjects", "people")
    categories: dict[str, dict[str, Any]] = {
        "crowd": {"unit": "persons"},
        "burnt-area": {"unit": "area", "non_decreasing": True},
        "anomaly": {"unit": "degrees-celsius"},
        "poll": {"unit": "percent"},
        "damage": {"unit": "currency"},
        "arrests": {"unit": "persons", "non_decreasing": True},
        "extremes": {"unit": "tonnes"},
    }
    for slug in TOPICS:
        domain.put("categories", slug, **categories.get(slug, {"unit": "persons"}))
        titles = {"arabic": ARABIC_TITLE, "hostile": HOSTILE}
        fields: dict[str, Any] = {"title": titles.get(slug, f"How much is {slug}?"), "category": slug}
        domain.put("topics", slug, **fields, subject="people", place="country")
    _record_claims(domain)
    return domain


def _record_claims(domain: Domain) -> None:
    where = {"subject": "people", "place": "country"}

    def say(source: str, printed: str, edtf: str, category: str, aggregation: str = "within", **fields: Any) -> str:
        return domain.say(source, printed, edtf, aggregation, category=category, **where, **fields)

    said: dict[str, Any] = {"date": "2025-03-16"}
    say("a", "up to 800,000", "2025-03-15", "crowd", **said)
    say("b", "107,000", "2025-03-15", "crowd", **said)
    say("x", "275,000–325,000", "2025-03-15", "crowd", **said)
    say("y", "a few hundred thousand", "2025-03-15", "crowd", figure={"value": None}, **said)
    say("long", "about 110,000", "2025-03-15", "crowd", **said)
    say("a", "1,000", "2025-06-01/2025-06-30", "burnt-area", figure=value(1000, unit="hectares"), date="2025-07-01")
    say("b", "2,471", "2025-06-01/2025-06-30", "burnt-area", figure=value(2471, unit="acres"), date="2025-07-01")
    say(
        "x",
        "11 km²",
        "2025-06-01/2025-06-30",
        "burnt-area",
        figure=value(11, unit="square-kilometer"),
        date="2025-07-02",
    )
    base = {"relative_to": "1951/1980"}
    say("a", "-0.4", "2024", "anomaly", figure=value(-0.4, **base), date="2025-01-10")
    say("b", "between -0.2 and 1.2", "2024", "anomaly", figure=between(-0.2, 1.2) | base, date="2025-01-11")
    say("x", "1.35", "2024", "anomaly", figure=value(1.35, **base), date="2025-01-12")
    for month, (one, two) in enumerate([(31, 35.5), (33, 34), (36, 33), (40, 31)], start=1):
        day = f"2025-0{month}-15"
        say("a", f"{one}%", day, "poll", "snapshot", figure=value(one), date=day)
        say("b", f"{two}%", day, "poll", "snapshot", figure=value(two), date=day)
    say("a", "EUR 10 billion", "2024", "damage", figure=value(10**10, unit="EUR"), date="2025-01-10")
    say("b", "USD 12 billion", "2024", "damage", figure=value(12 * 10**9, unit="USD"), date="2025-01-11")
    say("x", "at least EUR 8 billion", "2024", "damage", figure={"lower": 8 * 10**9, "unit": "EUR"}, date="2025-01-11")
    say(
        "a",
        "about 262 a month",
        "2023",
        "arrests",
        "rate",
        figure=value(262, approximate=True),
        period={"per": "month"},
        date="2024-01-05",
    )
    say("b", "9 a day", "2023", "arrests", "rate", figure=value(9), period={"per": "day"}, date="2024-01-05")
    say("x", "3,140", "2023", "arrests", date="2024-01-06")
    say("a", "-5", "2024", "extremes", figure=value(-5), date="2025-01-10")
    say("b", "1,000,000,000,000", "2024", "extremes", figure=value(10**12), date="2025-01-10")
    say("x", "0", "2024", "extremes", figure=value(0), date="2025-01-10")
    say("a", "12", "2024", "one", date="2025-01-10")
    say("a", "thousands", "2024", "words", figure={"value": None}, date="2025-01-10")
    say("arabic", "مئات", "2024", "words", figure={"value": None}, proposition="existence", date="2025-01-10")
    say("arabic", "1,200", "2024", "arabic", date="2025-01-10")
    say("hostile", "3,100", "2024", "hostile", date="2025-01-10")
    say("hostile", f"many {HOSTILE}", "2025", "hostile", figure={"value": None}, proposition="trend", date="2026-01-10")
    first = say("a", "5,080", "2023-01-01/2023-03-31", "restated", "cumulative", date="2023-04-01")
    second = say("a", "5,143", "2023-01-01/2023-03-31", "restated", "cumulative", date="2023-05-01")
    relation = {"type": "supersedes", "claim": first}
    answer = domain.register.write("POST", f"/v1/claims/{second}/relations", relation)
    assert answer.status_code == 201, answer.text
    say("a", "between 5,900 and 6,400", "2023-01-01/2023-06-30", "restated", "cumulative", date="2023-07-01")
    say("a", "at least 7,000", "2023-01-01/2023-09-30", "restated", "cumulative", date="2023-10-01")
    say("b", "about 4,000", "2023-01-01/2023-03-31", "restated", "cumulative", date="2023-04-01")
    say("b", "nearly 6,000", "2023-01-01/2023-06-30", "restated", "cumulative", date="2023-07-01")
    wrong = say("b", "9,999", "2023-01-01/2023-09-30", "restated", "cumulative", date="2023-10-01")
    body = {"reason": "A slip.", "retracted_on": "2023-10-05"}
    answer = domain.register.write("POST", f"/v1/claims/{wrong}/retraction", body, **{"If-Match": "*"})
    assert answer.status_code == 200, answer.text
