"""A register of what is hard to show: long titles in Arabic, many positions, negative, vague and withdrawn figures.

All sources, values and addresses are invented.
"""

from datetime import date, timedelta
from typing import Any

from benchmarks.look.service import Service

ARABIC_TITLE = ("كم عدد الأشخاص الذين نزحوا من منازلهم بسبب الفيضانات في المنطقة الشمالية منذ بداية العام؟ " * 5)[:300]
CYRILLIC_TITLE = "Сколько человек, по данным разных источников, пострадало от наводнения?"
HOSTILE_TITLE = 'How many <script>alert(1)</script> & "quotes" \' were counted?'
POSITIONS = 100
LARGEST = 10**12


class HardCases:
    """Records the register by HTTP, and names the pages that show it."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.claims: dict[str, str] = {}

    def record(self) -> None:
        """Record vocabulary, sources, topics and claims."""
        self._put("categories", "displaced", unit="persons", definition="People who left their homes.")
        self._put("categories", "balance", unit="persons", definition="Arrivals less departures.", additive=False)
        self._put("subjects", "people")
        self._put("places", "north")
        self._put("places", "south", name="Юг")
        self._put("sources", "agency", kind="ngo", interest="independent", name="الوكالة المستقلة للإحصاء")
        self._put(
            "sources", "ministry", kind="government", interest="party", name="Министерство по чрезвычайным ситуациям"
        )
        self._put("sources", "hostile", kind="unknown", interest="unknown", name="<img src=x onerror=alert(1)>")
        for number in range(POSITIONS):
            interest = ("party", "aligned", "independent", "unknown")[number % 4]
            self._put("sources", f"bureau-{number}", kind="ngo", interest=interest)
        self._topic("displaced-north", ARABIC_TITLE, "displaced", "north")
        self._topic("displaced-south", CYRILLIC_TITLE, "displaced", "south")
        self._topic("balance", HOSTILE_TITLE, "balance", "north")
        self._topic("balance-south", "What was the balance in the south?", "balance", "south")
        self._topic("nothing-said", "What has nobody stated yet?", "displaced", "north", since="2025-01-01")
        self._record_many()
        self._record_changed()
        self._record_negative()
        self._record_vague()

    def pages(self) -> dict[str, str]:
        """Return the pages with a name for each."""
        return {
            "hard-home": "/",
            "hard-arabic": "/topics/displaced-north",
            "hard-cyrillic": "/topics/displaced-south",
            "hard-negative": "/topics/balance",
            "hard-vague": "/topics/balance-south",
            "hard-empty": "/topics/nothing-said",
            "hard-retracted": f"/claims/{self.claims['retracted']}",
            "hard-superseded": f"/claims/{self.claims['superseded']}",
            "hard-source": "/sources/agency",
            "hard-hostile-source": "/sources/hostile",
            "hard-embed": "/embed/topics/displaced-north",
            "hard-embed-empty": "/embed/topics/nothing-said",
        }

    def _record_many(self) -> None:
        for number in range(POSITIONS):
            end = date(2021, 1, 1) + timedelta(days=3 * number)
            self._say(f"bureau-{number}", f"{10_000 + 137 * number:,}", {"value": 10_000 + 137 * number}, end=end)
        arabic = {"as_printed": "أكثر من 1200 نازح", "language": "ar", "lower": 1200, "lower_inclusive": False}
        quote = "أعلنت الوكالة أن أكثر من 1200 شخص غادروا منازلهم."
        self.claims["arabic"] = self._say("agency", "", arabic, end=date(2021, 3, 1), quote=quote, quote_language="ar")
        self._say("hostile", "<b>5</b> 20,000", {"value": 20_000}, end=date(2021, 2, 1))

    def _record_changed(self) -> None:
        place = "south"
        first = self._say("ministry", "1,500", {"value": 1500}, end=date(2021, 2, 1), place=place)
        second = self._say("ministry", "1,700", {"value": 1700}, end=date(2021, 2, 1), place=place, date="2021-02-03")
        third = self._say("ministry", "9,999", {"value": 9999}, end=date(2021, 2, 3), place=place)
        self._say("agency", "between 800 and 1,100", {"lower": 800, "upper": 1100}, end=date(2021, 2, 2), place=place)
        relation = {"type": "supersedes", "claim": first}
        self._service.write("POST", f"/v1/claims/{second}/relations", relation)
        retraction = {"reason": "The ministry withdrew the figure.", "retracted_on": "2021-02-05"}
        self._service.write("POST", f"/v1/claims/{third}/retraction", retraction, If_Match='"1"')
        self.claims |= {"superseded": first, "retracted": third}

    def _record_negative(self) -> None:
        for source, figure in (
            ("bureau-1", {"as_printed": "-5", "value": -5}),
            ("bureau-2", {"as_printed": "between -20 and 40", "lower": -20, "upper": 40}),
            ("bureau-3", {"as_printed": "a trillion", "value": LARGEST}),
            ("agency", {"as_printed": "about 0.5 million", "value": 500_000, "approximate": True}),
        ):
            self._say(source, "", figure, end=date(2021, 2, 1), category="balance")

    def _record_vague(self) -> None:
        for source, printed in (("bureau-1", "thousands more"), ("bureau-2", "a great many")):
            figure = {"as_printed": printed, "kind": "vague"}
            self._say(source, "", figure, end=None, category="balance", place="south")

    def _say(self, source: str, printed: str, figure: dict[str, Any], *, end: date | None, **more: Any) -> str:
        citation = {"document": {"url": f"https://example.org/{source}", "title": "A page", "publisher": "agency"}}
        for name in ("quote", "quote_language"):
            if name in more:
                citation[name] = more.pop(name)
        claim = {
            "category": "displaced",
            "subject": "people",
            "place": "north",
            "modality": "count",
            "source": source,
            "figure": {"as_printed": printed} | figure,
            "period": {"edtf": f"2021-01-01/{end or '..'}", "aggregation": "cumulative"},
            "date": None if end is None else end.isoformat(),
            "citations": [citation],
            **more,
        }
        return str(self._service.write("POST", "/v1/claims", claim)["id"])

    def _put(self, collection: str, slug: str, **fields: Any) -> None:
        record = {"name": slug.replace("-", " ").capitalize()}
        if collection == "categories":
            record |= {"non_decreasing": False}
        self._service.write("PUT", f"/v1/{collection}/{slug}", record | fields)

    def _topic(self, slug: str, title: str, category: str, place: str, **fields: Any) -> None:
        topic = {"title": title, "category": category, "subject": "people", "place": place, **fields}
        self._service.write("PUT", f"/v1/topics/{slug}", topic)
