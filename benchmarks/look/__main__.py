"""Opens every page in Chromium, in two themes and three widths, tests it with axe, and saves pictures of it.

    .bench/look/bin/python -m benchmarks.look --server .venv/bin/python
    .bench/look/bin/python -m benchmarks.look --server .venv/bin/python --only topic,embed --themes dark --widths 320

It starts the service twice: with the starter claims, and with a register of what is hard to show
(`benchmarks/look/hard_cases.py`). The exit status is 1 if anything was found. Chromium is that of the system.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.look.checks import Observer, check_frames, check_keyboard, check_page
from benchmarks.look.hard_cases import HardCases
from benchmarks.look.newspaper import serve_newspaper
from benchmarks.look.service import Service

FOLDER = Path(".bench/look")
WIDTHS = (320, 768, 1280)
THEMES = ("light", "dark")
VIEWPORT_HEIGHT = 900
MAX_PICTURE_HEIGHT = 12_000
"""Chromium draws no higher pictures than 16,384 pixels."""
FRAME_DRAWING_MILLISECONDS = 1_000
BROWSER_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
TOPICS = ("russian-casualties", "north-korean-killed", "world-pandemic-deaths")
CLAIM_FILTER = "/v1/claims?topic=russian-casualties&source=ua-general-staff&known_on=2025-06-12&limit=1"

# Swagger UI is a program of others: these are its own elements, which no setting changes.
REFERENCE_EXCLUDED = ("#reference",)


@dataclass(frozen=True, slots=True)
class Target:
    """A page to open: its name in the files, its address, its status, and the parts of it that axe leaves out."""

    name: str
    address: str
    status: int = 200
    excluded: tuple[str, ...] = ()


def list_starter_targets(service: Service, newspaper: str) -> list[Target]:
    """Return the pages of the register with the starter claims."""
    claim = service.get(CLAIM_FILTER)["data"][0]
    document = claim["citations"][0]["document"]["id"]
    paths = {
        "home": "/",
        "search": "/?q=killed",
        "search-nothing": "/?q=xyzzy",
        "about": "/about",
        **{f"topic-{slug}": f"/topics/{slug}" for slug in TOPICS},
        "topic-known-on": f"/topics/{TOPICS[0]}?known_on=2025-06-12&tolerance=0.01",
        "claim": f"/claims/{claim['id']}",
        "source": "/sources/csis",
        "document": f"/documents/{document}",
        "docs": "/docs",
        "guide": "/docs/guides/cite-a-figure",
        "embed-topic": f"/embed/topics/{TOPICS[0]}",
        "embed-claim": f"/embed/claims/{claim['id']}",
    }
    return [
        *(Target(name, service.address + path) for name, path in paths.items()),
        Target("error", f"{service.address}/topics/nothing", 404),
        Target("reference", f"{service.address}/docs/reference", excluded=REFERENCE_EXCLUDED),
        Target("newspaper", newspaper, excluded=("iframe",)),
    ]


class Look:
    """Opens the pages and prints what it finds."""

    def __init__(self, browser: Browser, origins: tuple[str, ...], ignored: re.Pattern[str] | None) -> None:
        self._browser = browser
        self._origins = origins
        self._ignored = ignored
        self.findings = 0

    def open_all(self, targets: Sequence[Target], widths: Sequence[int], themes: Sequence[str]) -> None:
        """Open every page, and check it in each width and theme, and as it is printed."""
        with self._browser.new_context(reduced_motion="reduce") as context:
            page = context.new_page()
            observer = Observer(self._origins, self._ignored)
            observer.attach(page)
            for target in targets:
                observer.expect(target.address, target.status)
                page.set_viewport_size({"width": widths[0], "height": VIEWPORT_HEIGHT})
                page.goto(target.address, wait_until="networkidle")
                for width in widths:
                    page.set_viewport_size({"width": width, "height": VIEWPORT_HEIGHT})
                    for theme in themes:
                        page.emulate_media(color_scheme=theme)
                        self._report(f"{target.name} {width} {theme}", self._check(page, target, width, theme))
                if not target.excluded:
                    self._report(target.name, check_keyboard(page))
                self._report(target.name, observer.findings)
                page.emulate_media(color_scheme=THEMES[-1])
                page.pdf(path=FOLDER / "pictures" / f"{target.name}.pdf", format="A4", prefer_css_page_size=True)

    def _check(self, page: Page, target: Target, width: int, theme: str) -> list[str]:
        found = [*check_page(page, width, target.excluded), *check_frames(page)]
        height = min(page.evaluate("document.documentElement.scrollHeight"), MAX_PICTURE_HEIGHT)
        if len(page.frames) > 1:  # Chromium draws frames only where the window shows them
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(FRAME_DRAWING_MILLISECONDS)
        page.screenshot(
            path=FOLDER / "pictures" / f"{target.name}-{width}-{theme}.png",
            full_page=True,
            clip={"x": 0, "y": 0, "width": width, "height": height},
        )
        return found

    def _report(self, name: str, findings: Sequence[str]) -> None:
        for finding in findings:
            print(f"{name}: {finding}", flush=True)
        self.findings += len(findings)


def main() -> int:
    """Run the command."""
    arguments = _read_arguments()
    began = time.monotonic()
    (FOLDER / "pictures").mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        starter = stack.enter_context(Service(arguments.server, FOLDER, "starter", starter=True))
        hard = stack.enter_context(Service(arguments.server, FOLDER, "hard", starter=False))
        cases = HardCases(hard)
        cases.record()
        claim = starter.get(CLAIM_FILTER)["data"][0]["id"]
        frame = starter.get(f"/oembed?maxwidth=280&url={starter.address}/topics/{TOPICS[1]}")["html"]
        newspaper = stack.enter_context(serve_newspaper(starter.address, TOPICS[0], claim, frame))
        targets = [
            *list_starter_targets(starter, newspaper),
            *(Target(name, hard.address + path) for name, path in cases.pages().items()),
        ]
        if arguments.only:
            targets = [each for each in targets if any(each.name.startswith(name) for name in arguments.only)]
        browser = stack.enter_context(sync_playwright()).chromium.launch(
            executable_path=arguments.chromium, args=list(BROWSER_ARGUMENTS)
        )
        stack.callback(browser.close)
        origins = (starter.address, hard.address, newspaper)
        look = Look(browser, origins, re.compile(arguments.ignore) if arguments.ignore else None)
        look.open_all(targets, arguments.widths, arguments.themes)
    pictures = len(targets) * len(arguments.widths) * len(arguments.themes)
    print(f"{len(targets)} pages, {pictures} pictures: {look.findings} findings, {time.monotonic() - began:.0f} s")
    print(f"The pictures are in {FOLDER / 'pictures'}.")
    return 1 if look.findings else 0


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default=sys.executable, help="the Python of the service")
    parser.add_argument("--chromium", default=os.environ.get("CHROMIUM", "/usr/bin/chromium"), help="the browser")
    parser.add_argument("--only", type=_split, default=[], help="the pages whose names begin so, such as topic,embed")
    parser.add_argument("--widths", type=lambda text: [int(part) for part in _split(text)], default=list(WIDTHS))
    parser.add_argument("--themes", type=_split, default=list(THEMES))
    parser.add_argument("--ignore", help="a pattern of addresses whose errors do not count")
    return parser.parse_args()


def _split(text: str) -> list[str]:
    return text.replace(",", " ").split()


if __name__ == "__main__":
    sys.exit(main())
