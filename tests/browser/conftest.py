"""A real Chromium, and the demo desk served to it by a real process."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser_console import Console, demo_console, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

#: Debian's; another by CHROMIUM.
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = "Chromium is missing: install it (Debian: apt-get install chromium), or name it in CHROMIUM"
#: No connection of its own: what goes out is the page's doing.
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser these tests are left out, unless it was said that there must be one."""
    if CHROMIUM is None and os.environ.get("BROWSER") != "required":
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture(scope="session")
def chromium() -> "Iterator[Browser]":
    assert CHROMIUM is not None, MISSING
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=20_000)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def console(project: Path, demo_var: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A desk without tickets; each module has its own."""
    with demo_console(project, demo_var, tmp_path_factory.mktemp("console")) as console:
        yield console


@pytest.fixture
def context(chromium: "Browser", console: Console) -> "Iterator[BrowserContext]":
    """A window of its own; fails where the page asked another host for anything, or a script of it went wrong."""
    strangers: list[str] = []
    with chromium.new_context(base_url=console.service.address, viewport={"width": 1280, "height": 900}) as context:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.on("request", lambda request: strangers.append(request.url))
        context.set_default_timeout(15_000)
        yield context
    elsewhere = [url for url in strangers if not url.startswith((console.service.address, "data:", "blob:", "about:"))]
    assert not elsewhere, elsewhere


@pytest.fixture
def page(context: "BrowserContext") -> "Iterator[Page]":
    """A page that nobody is signed in on."""
    page, faults = context.new_page(), list[str]()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}"))
    yield page
    expected = ("status of 4",)  # what a test asks for on purpose
    assert not [fault for fault in faults if not any(known in fault for known in expected)], faults


@pytest.fixture
def signed_in(page: "Page", console: Console) -> "Page":
    """A page on which a lead is signed in."""
    sign_in(page, console.key)
    return page
