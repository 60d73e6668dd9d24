"""When the pages of the console are of use with 10,000 tickets stored, what they weigh, and what shifts."""

import os
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from browser_console import demo_console, sign_in
from browser_fill import fill
from playwright.sync_api import Page, sync_playwright

from eval.benches.frame import Bar, Row, write_bench

TICKETS = int(os.environ.get("TICKETS", "10000"))
LOOKS, SEED = 60, 20
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
#: Milliseconds at p95 until the ticket page is of use; bytes that a page may weigh.
SOON, LIGHT = 300.0, 100_000
WATCH = """window.shifts = 0;
new PerformanceObserver(list => { for (const one of list.getEntries()) window.shifts += one.value; })
  .observe({type: "layout-shift", buffered: true});"""
#: Of use: the document is there with its scripts, which is when keys work, and something has been painted.
OF_USE = """() => {
  const page = performance.getEntriesByType("navigation")[0];
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return [page.responseEnd, Math.max(page.domContentLoadedEventEnd, paint ? paint.startTime : 0)];
}"""


def main() -> None:
    """Measure, print a table, and write ``var/bench/console.json``."""
    started = time.monotonic()
    folder, project = Path(tempfile.mkdtemp(prefix="firstline-console-")), Path.cwd()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        raise SystemExit("Chromium is missing: install it (Debian: apt-get install chromium), or name it in CHROMIUM")
    with demo_console(project, project / "var", folder) as console, sync_playwright() as playwright:
        fill(console, TICKETS)
        print(f"{TICKETS:,} tickets are stored", flush=True)
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(base_url=console.service.address)
        sign_in(page, console.key)
        draw = random.Random(SEED)
        pages = {
            "queue": ["/console"] * LOOKS,
            "queue, the last page by age": ["/console?order=newest&team=books"] * LOOKS,
            "queue, searched": ["/console?q=statement"] * LOOKS,
            "ticket": [f"/console/tickets/C-{draw.randrange(TICKETS):05d}" for _ in range(LOOKS)],
            "articles": ["/console/articles"] * 20,
            "insights": ["/console/insights?days=28"] * 20,
        }
        found = {name: [_look(page, address) for address in addresses] for name, addresses in pages.items()}
        browser.close()
    rows: list[Row] = [_row(name, looks) for name, looks in found.items()]
    write_bench("console", started, rows, _bars(found), project / "var" / "bench")
    shutil.rmtree(folder)


def _look(page: Page, address: str) -> dict[str, float]:
    client = page.context.new_cdp_session(page)
    client.send("Network.enable")
    sizes: list[int] = []
    client.on("Network.loadingFinished", lambda said: sizes.append(said["encodedDataLength"]))
    page.goto(address, wait_until="load")
    page.evaluate(WATCH)
    page.wait_for_timeout(80)
    answered, of_use = page.evaluate(OF_USE)
    found: dict[str, float] = {"answered": answered, "of_use": of_use, "bytes": float(sum(sizes))}
    found["shift"] = page.evaluate("window.shifts")
    client.detach()
    return found


def _row(name: str, looks: list[dict[str, float]]) -> Row:
    def at(key: str, share: float) -> float:
        return round(float(np.quantile([look[key] for look in looks], share)), 1)

    row: dict[str, Any] = {
        "table": f"{TICKETS:,} tickets, one worker, a fresh page each time",
        "system": name,
        "n": len(looks),
        "answered, ms p50": at("answered", 0.5),
        "of use, ms p50": at("of_use", 0.5),
        "of use, ms p95": at("of_use", 0.95),
        "KB": round(max(look["bytes"] for look in looks) / 1000, 1),
        "shift": max(look["shift"] for look in looks),
    }
    return row


def _bars(found: dict[str, list[dict[str, float]]]) -> list[Bar]:
    times = [look["of_use"] for look in found["ticket"]]
    draw = np.random.default_rng(SEED)
    again = [float(np.quantile(draw.choice(times, len(times)), 0.95)) for _ in range(2_000)]
    p95, low, high = float(np.quantile(times, 0.95)), *map(float, np.quantile(again, (0.025, 0.975)))
    weight = max(look["bytes"] for looks in found.values() for look in looks)
    shift = max(look["shift"] for looks in found.values() for look in looks)
    mean = statistics.mean(look["bytes"] for looks in found.values() for look in looks)
    return [
        Bar(f"ticket page of use, ms at p95, {TICKETS:,} tickets", p95, low, high, f"<= {SOON:g}", p95 <= SOON),
        Bar("the heaviest page, bytes (mean to heaviest)", weight, mean, weight, f"< {LIGHT:,}", weight < LIGHT),
        Bar("layout shift at most", shift, shift, shift, "0", shift == 0),
    ]


if __name__ == "__main__":
    main()
