"""Takes pictures of every page of the console: light and dark, 1280 and 390 wide."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from browser_console import Console, demo_console, sign_in
from browser_fill import fill
from browser_reasons import EVERY_REASON, add_every_reason
from browser_tickets import ALL, HANDED_OVER
from playwright.sync_api import sync_playwright

PAGES = {
    "queue": "/console",
    "queue-empty": "/console?q=nothing+is+like+this",
    **{f"ticket-{ticket['id']}": f"/console/tickets/{ticket['id']}" for ticket in (*ALL, *HANDED_OVER)},
    "ticket-every-reason": f"/console/tickets/{EVERY_REASON}",
    "articles": "/console/articles",
    "article": "/console/articles/kb-102?answers=1",
    "article-edit": "/console/articles/kb-102/edit",
    "insights": "/console/insights?days=7",
    "corrections": "/console/corrections",
    "not-found": "/console/tickets/none-such",
}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def main(out: Path) -> None:
    """Fill a desk of its own, and write the pictures into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    folder, project = Path(tempfile.mkdtemp(prefix="firstline-console-")), Path.cwd()
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        raise SystemExit("Chromium is missing: install it (Debian: apt-get install chromium), or name it in CHROMIUM")
    with demo_console(project, project / "var", folder) as console, sync_playwright() as playwright:
        add_every_reason(console, fill(console))
        _decide(console)
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for theme in ("light", "dark"):
            for width in (1280, 390):
                size = {"width": width, "height": 900}
                context = browser.new_context(
                    base_url=console.service.address,
                    color_scheme=theme,
                    viewport=size,  # type: ignore[arg-type]
                )
                page = context.new_page()
                page.goto("/console/sign-in")
                page.screenshot(path=out / f"sign-in-{theme}-{width}.png", full_page=True)
                sign_in(page, console.key)
                for name, address in PAGES.items():
                    page.goto(address)
                    page.screenshot(path=out / f"{name}-{theme}-{width}.png", full_page=True)
                context.close()
        browser.close()
    shutil.rmtree(folder)
    print(f"{4 * (len(PAGES) + 1)} pictures are in {out}")


def _decide(console: Console) -> None:
    """Decide on some drafts, so that corrections and insights have something to show."""
    rows = console.call("GET", "/v1/tickets?limit=50")["items"]
    for row in rows:
        id = row["ticket"]["id"]
        if id in ("T-114", "T-115", "T-103"):
            made = console.suggest({**row["ticket"], "set_fields": {}})
            said = {"verdict": "accepted", "agent": "Ann Lee"}
            if id == "T-103" and made["draft"]:
                text = made["draft"]["text"].replace("Drop the file in.", "Drop the file in, at most 5 MB.")
                said = {"verdict": "edited", "agent": "Ben Ode", "final_text": text, "fields": {"team": "books"}}
            console.call("POST", f"/v1/suggestions/{made['id']}/feedback", said)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
