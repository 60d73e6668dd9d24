"""Every page of the console, in both themes: WCAG by axe-core, weight, layout shift, and how soon it is of use."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser_console import Console, sign_in
from browser_fill import fill
from browser_reasons import EVERY_REASON, add_every_reason
from browser_tickets import ALL, HANDED_OVER, STATEMENT
from playwright.sync_api import BrowserContext, Page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
#: WCAG 2.2 at levels A and AA, and what axe-core calls good practice.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
TICKETS = [f"/console/tickets/{ticket['id']}" for ticket in (*ALL, *HANDED_OVER)]
PAGES = [
    "/console",
    "/console?q=nothing+is+like+this",
    "/console?status=all&order=newest",
    *TICKETS,
    f"/console/tickets/{EVERY_REASON}",
    "/console/tickets/none-such",
    "/console/articles",
    "/console/articles/kb-102",
    "/console/articles/kb-102/edit",
    "/console/articles/new",
    "/console/insights",
    "/console/corrections",
    "/console/sign-in",
]
#: Bytes that a page may weigh, with all that it loads.
MAX_WEIGHT = 100_000


@pytest.fixture(scope="module", autouse=True)
def filled(console: Console) -> None:
    """Tickets of all sorts, some of them decided."""
    made = {one["ticket_id"]: one for one in fill(console)}
    add_every_reason(console, list(made.values()))
    said = {"verdict": "edited", "final_text": "Hello Gwen, upload a CSV.", "fields": {"team": "books"}, "agent": "Ann"}
    console.call("POST", f"/v1/suggestions/{made[STATEMENT['id']]['id']}/feedback", said)
    console.call("POST", "/v1/tickets/T-102/messages", {"author": "customer", "text": "And now it came twice."})


@pytest.fixture(params=["light", "dark"])
def themed(request: pytest.FixtureRequest, chromium: "Browser", console: Console) -> Iterator[Page]:
    """A page on which a lead is signed in, in one theme."""
    with chromium.new_context(base_url=console.service.address, color_scheme=request.param) as context:
        page = context.new_page()
        sign_in(page, console.key)
        yield page


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is missing: run `make axe`, which needs npm")
def test_axe_finds_nothing(themed: Page) -> None:
    found: list[str] = []
    for width in (1280, 360):
        themed.set_viewport_size({"width": width, "height": 900})
        for address in PAGES:
            themed.goto(address)
            themed.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            themed.evaluate(AXE.read_text(encoding="utf-8"))
            result: dict[str, Any] = themed.evaluate(
                "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES
            )
            found += [
                f"{address} at {width}: {one['id']}: {node['target']}: {node['failureSummary']}"
                for one in result["violations"]
                for node in one["nodes"]
            ]
    assert not found, "\n".join(found[:20])


def test_nothing_sticks_out_of_a_narrow_page(themed: Page) -> None:
    themed.set_viewport_size({"width": 360, "height": 800})
    for address in PAGES:
        themed.goto(address)
        wide = themed.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, f"{address} is {wide} wide"


def test_pages_are_light_and_do_not_shift(signed_in: Page, context: BrowserContext) -> None:
    page = signed_in
    watch = """() => {
      window.shifts = 0;
      new PerformanceObserver(list => { for (const one of list.getEntries()) window.shifts += one.value; })
        .observe({type: "layout-shift", buffered: true});
    }"""
    for address in PAGES:
        client = context.new_cdp_session(page)
        client.send("Network.enable")
        client.send("Network.setCacheDisabled", {"cacheDisabled": True})
        sizes: list[int] = []
        client.on("Network.loadingFinished", lambda said, sizes=sizes: sizes.append(said["encodedDataLength"]))
        page.goto(address, wait_until="networkidle")
        page.evaluate(watch)
        page.wait_for_timeout(100)
        assert sum(sizes) < MAX_WEIGHT, f"{address} weighs {sum(sizes)} bytes"
        assert page.evaluate("window.shifts") == 0, address
        client.detach()
