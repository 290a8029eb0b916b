"""Reads back what the forms of a chart contain, as plain data."""

import re
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from tests.registers import Register

SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Drawn:
    """A figure as it was drawn: the claim, the mark and its numbers."""

    claim: str
    mark: str
    value: float | None
    lower: float | None
    upper: float | None


def parse_svg(text: str) -> ET.Element:
    """Return the root of an SVG. Raises an error if it is not well-formed."""
    return ET.fromstring(text)  # noqa: S314 - our own output


def figures_of_svg(root: ET.Element) -> list[Drawn]:
    return [
        Drawn(
            each.attrib["data-claim"],
            each.attrib["data-mark"],
            *(
                None if (text := each.get(f"data-{name}")) is None else float(text)
                for name in ("value", "lower", "upper")
            ),
        )
        for each in root.iter(f"{SVG}g")
        if "data-claim" in each.attrib
    ]


def figures_of_vega(spec: dict[str, Any]) -> list[Drawn]:
    return [
        Drawn(row["claim"], row["mark"], row["value"], row["lower"], row["upper"]) for row in spec["data"]["values"]
    ]


def texts_of_svg(root: ET.Element) -> str:
    """Return all visible texts, without the spaces at which lines may be broken."""
    found = [
        "".join(part for part in (each.text, *(child.tail for child in each)) if part)
        for each in root.iter(f"{SVG}text")
    ]
    return squeeze(" ".join(found))


def squeeze(text: str) -> str:
    """Return a text without spaces and marks of direction."""
    return re.sub("[\\s\u200f]", "", text)


def read_chart(register: Register, topic: str, suffix: str = "svg", **parameters: Any) -> Any:
    """Return the response with a chart."""
    answer = register.get(f"/v1/topics/{topic}/chart.{suffix}", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer
