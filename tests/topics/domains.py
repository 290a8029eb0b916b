"""Small registers of other domains, recorded by HTTP: a sea route, floods, crowds and an earthquake.

All values, names and addresses are invented.
"""

from itertools import count
from typing import Any

from app.comparison.wording import parse_wording
from tests.recorded_rows import record_once
from tests.registers import Register

_page_numbers = count(1)

NUMBERS = ("value", "lower", "upper", "lower_inclusive", "upper_inclusive", "approximate")
AGENCIES = ("a", "b", "x", "y", "z")


class Domain:
    """Records the vocabulary and the claims of a domain by HTTP, and compares them."""

    def __init__(self, register: Register) -> None:
        self.register = register

    def put_agencies(self) -> None:
        """Record the sources."""
        for slug in AGENCIES:
            self.put("sources", f"agency-{slug}", kind="ngo", interest="independent")

    def put(self, collection: str, slug: str, **fields: Any) -> None:
        """Record a slug record, with a name from its slug."""
        named: dict[str, Any] = {"title" if collection == "topics" else "name": slug.replace("-", " ").capitalize()}
        if collection == "categories":
            named |= {"definition": "What is counted.", "non_decreasing": False}
        answer = self.register.write("PUT", f"/v1/{collection}/{slug}", named | fields)
        assert answer.status_code in {200, 201}, answer.text

    def say(self, source: str, printed: str, edtf: str, aggregation: str = "within", **fields: Any) -> str:
        """Record a claim of a source and return its id. `fields` are those of a claim, and `figure` and `period`."""
        answer = self.try_to_say(source, printed, edtf, aggregation, **fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def try_to_say(self, source: str, printed: str, edtf: str, aggregation: str = "within", **fields: Any) -> Any:
        """Send a claim of a source and return the answer. Numbers that are not given are those of the wording."""
        figure = {"as_printed": printed} | (fields.pop("figure", None) or _numbers_of(printed))
        period = {"edtf": edtf, "aggregation": aggregation} | fields.pop("period", {})
        document = {"url": f"https://example.org/{next(_page_numbers)}", "title": "A page", "publisher": "agency-x"}
        body = {"source": f"agency-{source}", "modality": "estimate", "figure": figure, "period": period}
        return self.register.write("POST", "/v1/claims", body | {"citations": [{"document": document}]} | fields)

    def compare(self, a: str, b: str, **parameters: str) -> dict[str, Any]:
        """Return the comparison of two claims, after checking that their order does not matter."""
        answers = [
            self.register.get("/v1/compare", params={"a": one, "b": two} | parameters) for one, two in ((a, b), (b, a))
        ]
        assert answers[0].status_code == 200, answers[0].text
        pair, mirrored = (answer.json() for answer in answers)
        same = ("verdict", "reasons", "above", "gap", "ratio")
        assert {name: pair[name] for name in same} == {name: mirrored[name] for name in same}
        found: dict[str, Any] = pair
        return found

    def verdict(self, a: str, b: str, **parameters: str) -> tuple[str, set[str]]:
        """Return the verdict on two claims, with its reasons."""
        pair = self.compare(a, b, **parameters)
        return pair["verdict"], set(pair["reasons"])

    def side_by_side(self, topic: str | None = None, **parameters: str) -> dict[str, Any]:
        """Return the side-by-side of a topic or of filters."""
        path = "/v1/side-by-side" if topic is None else f"/v1/topics/{topic}/side-by-side"
        answer = self.register.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


def _numbers_of(printed: str) -> dict[str, Any]:
    figure = parse_wording(printed)
    return {} if figure is None else {name: getattr(figure, name) for name in NUMBERS}


def value(number: float, **more: Any) -> dict[str, Any]:
    return {"value": number, **more}


def between(lower: float, upper: float) -> dict[str, Any]:
    return {"lower": lower, "upper": upper}


def record_sea_route(register: Register) -> Domain:
    record_once(register, _record_sea_route)
    return Domain(register)


def _record_sea_route(register: Register) -> None:
    domain = Domain(register)
    domain.put_agencies()
    for slug, parents in {"sea": [], "west": ["sea"], "central": ["sea"], "east": ["sea"]}.items():
        domain.put("places", slug, parents=parents)
    domain.put("subjects", "travellers")
    domain.put("subjects", "children", parents=["travellers"])
    for slug in ("dead", "missing"):
        domain.put("categories", slug, unit="persons", non_decreasing=True)
    components = ["dead", "missing"]
    domain.put("categories", "dead-and-missing", unit="persons", non_decreasing=True, components=components)


def record_flood(register: Register) -> Domain:
    record_once(register, _record_flood)
    return Domain(register)


def _record_flood(register: Register) -> None:
    domain = Domain(register)
    domain.put_agencies()
    domain.put("places", "country")
    domain.put("places", "region", parents=["country"])
    domain.put("subjects", "people")
    domain.put("categories", "damage", unit="currency", additive=True)
    domain.put("categories", "income-lost", unit="currency")
    domain.put("categories", "burnt-area", unit="area")
    domain.put("categories", "unemployment", unit="percent")
    domain.put("categories", "excess-deaths", unit="persons", non_decreasing=False)
    domain.put("categories", "drowned", unit="persons", non_decreasing=True)
