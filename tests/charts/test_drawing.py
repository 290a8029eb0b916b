"""What is drawn: marks, axes, texts and colours. The database makes no difference here, so it is SQLite."""

import struct
from collections.abc import Iterator

import pytest

from app.charts.description import Theme
from app.charts.style import style_of
from tests.charts.readers import SVG, figures_of_svg, parse_svg, read_chart, texts_of_svg
from tests.charts.registers import ARABIC_TITLE, HOSTILE, TOPICS, record_charts
from tests.registers import DatabaseCopies, Register, open_register
from tests.topics.domains import Domain

STARTER_TOPICS = ("russian-casualties", "north-korean-casualties", "world-pandemic-deaths")
VIEWS = ("side-by-side", "timeline")


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> DatabaseCopies:
    made = DatabaseCopies(tmp_path_factory.mktemp("charts"), None)
    made.create_template("empty")
    return made


@pytest.fixture(scope="module")
def charts(copies: DatabaseCopies) -> Iterator[Domain]:
    """A register with the questions that are hard to draw. Tests must not write to it."""
    for register in open_register(copies.create_copy("empty")):
        yield record_charts(register)


@pytest.fixture(scope="module")
def starter(copies: DatabaseCopies) -> Iterator[Register]:
    """The starter register. Tests must not write to it."""
    yield from open_register(copies.create_copy("starter"))


def test_a_mark_tells_each_kind_of_figure(charts: Domain) -> None:
    marks = {each.mark: each for each in figures_of_svg(parse_svg(read_chart(charts.register, "crowd").text))}
    assert marks.keys() == {"point", "approximate", "range", "upper_bound", "words"}
    assert marks["upper_bound"].upper == 800_000
    assert marks["upper_bound"].lower is None
    assert (marks["range"].lower, marks["range"].value, marks["range"].upper) == (275_000, None, 325_000)


def test_areas_share_an_axis_after_conversion_and_currencies_do_not(charts: Domain) -> None:
    spec = read_chart(charts.register, "burnt-area", "vl.json").json()
    values = {row["figure"]: row["value"] for row in spec["data"]["values"]}
    assert values["1,000 hectares"] == 10
    assert values["11"] == 11
    assert values["2,471 acres"] == pytest.approx(10, rel=1e-3)
    assert "converted" in spec["vconcat"][0]["encoding"]["x"]["axis"]["title"]
    titles = [
        view["encoding"]["x"]["axis"]["title"]
        for view in read_chart(charts.register, "damage", "vl.json").json()["vconcat"]
    ]
    assert titles == ["euros", "US dollars"]
    titles = [
        view["encoding"]["x"]["axis"]["title"]
        for view in read_chart(charts.register, "arrests", "vl.json").json()["vconcat"]
    ]
    assert sorted(titles) == ["persons", "persons a day", "persons a month"]


def test_an_axis_is_linear_from_zero_unless_it_spans_fifty_times(starter: Register) -> None:
    spec = read_chart(starter, "north-korean-casualties", "vl.json").json()
    scale = spec["vconcat"][0]["encoding"]["x"]["scale"]
    assert (scale["type"], scale["domain"][0]) == ("linear", 0)
    scale = read_chart(starter, "russian-killed", "vl.json").json()["vconcat"][0]["encoding"]["x"]["scale"]
    assert scale["type"] == "log"
    text = texts_of_svg(parse_svg(read_chart(starter, "russian-killed").text))
    assert "logarithmicscale" in text
    linear = read_chart(starter, "russian-killed", "vl.json", scale="linear").json()
    assert linear["vconcat"][0]["encoding"]["x"]["scale"]["domain"][0] == 0


def test_a_logarithmic_axis_of_zero_is_refused(charts: Domain) -> None:
    for suffix in ("svg", "png", "vl.json"):
        answer = charts.register.get(f"/v1/topics/extremes/chart.{suffix}", params={"scale": "log"})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "#/scale"
    assert charts.register.get("/v1/topics/empty/chart.svg?scale=log").status_code == 200


@pytest.mark.parametrize("view", VIEWS)
def test_no_stored_text_runs(charts: Domain, view: str) -> None:
    for topic in ("hostile", "arabic"):
        text = read_chart(charts.register, topic, view=view).text
        root = parse_svg(text)
        tags = {each.tag.removeprefix(SVG) for each in root.iter()}
        assert tags <= {
            *("svg", "title", "desc", "style", "defs", "linearGradient", "stop", "g", "text", "line", "rect"),
            *("circle", "path"),
        }
        for element in root.iter():
            assert not any(name.startswith("on") or name == "style" or "href" in name for name in element.attrib)
        style = root.find(f"{SVG}style")
        assert style is not None
        assert style.text == style_of(Theme.auto)
    root = parse_svg(read_chart(charts.register, "hostile", view=view).text)
    assert root.findtext(f"{SVG}title") == HOSTILE
    root = parse_svg(read_chart(charts.register, "arabic", view=view).text)
    assert root.findtext(f"{SVG}title") == ARABIC_TITLE


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_leaves_the_picture_at_any_width(charts: Domain, starter: Register, view: str) -> None:
    for register, topics in ((charts.register, TOPICS), (starter, STARTER_TOPICS)):
        for topic in topics:
            for width in (320, 480, 720, 1600):
                root = parse_svg(read_chart(register, topic, view=view, width=width).text)
                height = float(root.attrib["height"])
                assert root.attrib["width"] == str(width)
                for text in root.iter(f"{SVG}text"):
                    assert 0 <= float(text.attrib["x"]) <= width, (topic, width, text.text)
                    assert 0 <= float(text.attrib["y"]) <= height, (topic, width, text.text)


def test_themes_differ_in_their_style_alone(starter: Register) -> None:
    texts = {
        theme: read_chart(starter, "russian-killed", theme=theme.value).text.replace(style_of(theme), "")
        for theme in Theme
    }
    assert len(set(texts.values())) == 1
    assert len({style_of(theme) for theme in Theme}) == 3


def test_a_png_has_two_pixels_for_each_pixel_of_the_chart(charts: Domain) -> None:
    for topic, width in (("crowd", 320), ("arabic", 720), ("empty", 320)):
        root = parse_svg(read_chart(charts.register, topic, width=width).text)
        answer = read_chart(charts.register, topic, "png", width=width)
        assert answer.headers["content-type"] == "image/png"
        assert answer.content[:8] == b"\x89PNG\r\n\x1a\n"
        size = struct.unpack(">II", answer.content[16:24])
        assert size == (2 * width, 2 * int(root.attrib["height"]))


def test_no_line_crosses_the_letters_of_a_heading(charts: Domain) -> None:
    for topic in TOPICS:
        root = parse_svg(read_chart(charts.register, topic, view="side-by-side").text)
        headings = [each for each in root.iter(f"{SVG}text") if "cc-heading" in each.get("class", "")]
        groups = [each for each in headings if not "".join(each.itertext()).startswith("Cannot both")]
        assert all("cc-halo" in each.get("class", "") for each in groups), topic
