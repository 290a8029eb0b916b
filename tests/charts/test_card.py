"""The card of a topic: a picture of a fixed size for previews of links."""

import struct
from xml.etree import ElementTree as ET

from tests.registers import Register

CARD = "/v1/topics/russian-casualties/chart"


def test_a_card_is_a_picture_of_the_size_that_other_sites_expect(shared_starter_register: Register) -> None:
    answer = shared_starter_register.get(f"{CARD}.png?view=card")
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", answer.content[16:24]) == (1200, 630)


def test_a_card_shows_the_question_and_the_newest_figures(shared_starter_register: Register) -> None:
    answer = shared_starter_register.get(f"{CARD}.svg?view=card&known_on=2025-06-12")
    root = ET.fromstring(answer.text)  # noqa: S314 - our own response
    texts = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]
    shown = "\n".join(texts)
    brief = shared_starter_register.get("/v1/topics/russian-casualties/brief?known_on=2025-06-12").json()
    for position in brief["groups"][0]["current"]:
        assert position["figure"]["display"] in shown
    assert "2 pairs of figures cannot both be true." in shown
    assert (
        shared_starter_register.get("/v1/topics/russian-casualties-heaviest-months/chart.png?view=card").status_code
        == 200
    )


def test_a_card_is_no_specification(shared_starter_register: Register) -> None:
    answer = shared_starter_register.get(f"{CARD}.vl.json?view=card")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/view")
