"""What is checked of a page in the browser: rules of axe, requests, errors, width, and what the keyboard reaches."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Request, Response

MAX_TABS = 40
"""The keyboard test stops after so many elements."""
NARROW_WIDTH = 320

LISTEN_FOR_VIOLATIONS = """
window.policyViolations = [];
addEventListener("securitypolicyviolation",
  (event) => window.policyViolations.push(`${event.effectiveDirective} ${event.blockedURI}`));
"""
FOCUS_STATE = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const style = getComputedStyle(element), box = element.getBoundingClientRect();
  return {
    name: `${element.tagName.toLowerCase()} ${(element.textContent || element.name || "").trim().slice(0, 40)}`,
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
    visible: box.width > 1 && box.height > 1 && box.bottom > 0 && box.top < innerHeight,
  };
}"""


@dataclass
class Observer:
    """Collects what a page requests and what its console says, until it is read."""

    origins: tuple[str, ...]
    ignored: re.Pattern[str] | None
    findings: list[str] = field(default_factory=list)
    _expected: tuple[str, int] = ("", 200)

    def attach(self, page: Page) -> None:
        """Listen to a page."""
        page.add_init_script(LISTEN_FOR_VIOLATIONS)
        page.on("request", self._request)
        page.on("response", self._response)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.findings.append(f"error in a script: {error}"))

    def expect(self, address: str, status: int) -> None:
        """Expect a status for the page itself, and forget what was found before."""
        self._expected = (address, status)
        self.findings.clear()

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob", "about"} and f"{parts.scheme}://{parts.netloc}" not in self.origins:
            self.findings.append(f"requests another host: {request.url}")

    def _response(self, response: Response) -> None:
        address, status = self._expected
        expected = status if response.url == address else 200
        if response.status != expected and response.status not in {304, 308} and not self._is_ignored(response.url):
            self.findings.append(f"{response.url} answers {response.status}")

    def _console(self, message: ConsoleMessage) -> None:
        # Responses with an error are reported above.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.findings.append(f"console: {message.text}")

    def _is_ignored(self, url: str) -> bool:
        return self.ignored is not None and self.ignored.search(url) is not None


def check_page(page: Page, width: int, excluded: tuple[str, ...]) -> list[str]:
    """Return what is wrong with the page that is open. Elements that match a selector of `excluded` are not tested."""
    found = [f"content security policy: {each}" for each in page.evaluate("window.policyViolations")]
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if overflow > 0:
        found.append(f"scrolls sideways by {overflow} pixels at {width}: {_find_widest(page)}")
    context = {"exclude": [[selector] for selector in excluded]} if excluded else None
    results = Axe().run(page, context=context, options={"resultTypes": ["violations"]}).response
    # A heading of an excluded part is not seen.
    skipped = {"page-has-heading-one"} if excluded else set()
    return found + [_describe_violation(each) for each in results["violations"] if each["id"] not in skipped]


def check_frames(page: Page) -> list[str]:
    """Return the frames in elements of cards that are not as high as the card. A plain frame scrolls."""
    found = []
    for frame in page.frames[1:]:
        if frame.frame_element().evaluate("(frame) => !frame.parentElement.tagName.startsWith('COUNTERCLAIM')"):
            continue
        hidden = frame.evaluate("document.documentElement.scrollHeight - innerHeight")
        if hidden > 0:
            found.append(f"{hidden} pixels of {frame.url} are hidden")
    return found


def check_keyboard(page: Page) -> list[str]:
    """Return what is wrong with the elements that the key Tab reaches: each needs an outline and has to be in view."""
    found = []
    for _ in range(MAX_TABS):
        page.keyboard.press("Tab")
        state = page.evaluate(FOCUS_STATE)
        if state is None:
            break
        if not state["outlined"]:
            found.append(f"no outline on focus: {state['name']}")
        if not state["visible"]:
            found.append(f"out of view on focus: {state['name']}")
    return found


def _describe_violation(violation: dict[str, Any]) -> str:
    nodes = violation["nodes"]
    shown = "; ".join(
        f"{' '.join(map(str, node['target']))} {node['failureSummary'].splitlines()[-1].strip()}" for node in nodes[:3]
    )
    return f"axe {violation['id']} ({violation['impact']}, {len(nodes)} elements): {violation['help']}: {shown}"


def _find_widest(page: Page) -> str:
    return str(
        page.evaluate(
            """() => {
  const width = document.documentElement.clientWidth;
  const wide = [...document.querySelectorAll("body *")].filter((each) => each.getBoundingClientRect().right > width + 1);
  return wide.slice(0, 3).map((each) => `${each.tagName.toLowerCase()}.${each.className}`).join(", ");
}"""
        )
    )
