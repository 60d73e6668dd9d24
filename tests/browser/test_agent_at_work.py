"""An agent works through tickets by keyboard alone, and sees what a hostile customer sent without harm."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from browser_console import Console, sign_in
from browser_tickets import BOOKKEEPER, HOSTILE, LEGAL, QUOTED, RECURRING, SECRETS, STATEMENT
from playwright.sync_api import BrowserContext, Page, expect

from serve.storage.database import Database
from serve.storage.ticket_store import TicketStore
from triage.tickets import Ticket


@pytest.fixture(autouse=True)
def tickets(console: Console) -> None:
    """Six tickets, as if they had just come in."""
    for ticket in (BOOKKEEPER, RECURRING, STATEMENT, LEGAL, HOSTILE, SECRETS):
        console.call(
            "PUT", f"/v1/tickets/{ticket['id']}", {**ticket, "status": "open", "messages": [], "set_fields": {}}
        )
        console.suggest(ticket)


def verdicts(console: Console, ticket_id: str) -> list[dict[str, Any]]:
    items = console.call("GET", "/v1/feedback?limit=50")["items"]
    assert isinstance(items, list)
    return [item for item in items if item["ticket_id"] == ticket_id]


def open_by_keyboard(page: Page, ticket: dict[str, Any]) -> None:
    """From the queue to a ticket: j until it has the focus, then enter."""
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.get_by_role("heading", name="Queue").wait_for()
    for _ in range(20):
        page.keyboard.press("j")
        if page.evaluate("document.activeElement.textContent").strip().startswith(ticket["subject"][:20]):
            page.keyboard.press("Enter")
            page.wait_for_url(f"**/console/tickets/{ticket['id']}*")
            return
    raise AssertionError(f"{ticket['id']} was not reached")


def test_three_tickets_are_worked_by_keyboard_alone(signed_in: Page, console: Console) -> None:
    page = signed_in
    # Accept: the text is on the clipboard, the ticket is answered.
    open_by_keyboard(page, BOOKKEEPER)
    draft = page.locator("#text").input_value()
    assert "Hello Sam" in draft
    page.keyboard.press("a")
    expect(page.locator("#done")).to_contain_text("Accepted")
    assert page.evaluate("navigator.clipboard.readText()").replace("\r\n", "\n") == draft
    assert console.call("GET", "/v1/tickets/T-114")["status"] == "pending"
    # Edit: the difference is kept.
    open_by_keyboard(page, STATEMENT)
    page.keyboard.press("e")
    page.keyboard.press("Control+End")
    page.keyboard.type("\nP.S. Call us on extension 42 if the file is refused.")
    expect(page.locator("#accept")).to_have_text("Accept as edited and copy")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#done")).to_contain_text("Accepted as edited")
    [said] = verdicts(console, "T-103")
    assert said["verdict"] == "edited"
    assert said["edit"]["kinds"] == ["added_step"]
    assert said["agent"] == "Ann Lee"
    assert 0 <= said["seconds"] < 60
    # Reject, with a reason.
    open_by_keyboard(page, RECURRING)
    page.keyboard.press("x")
    page.keyboard.type("the tone")
    page.keyboard.press("Tab")
    page.keyboard.type("too stiff")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#done")).to_contain_text("Rejected")
    [said] = verdicts(console, "T-115")
    assert (said["verdict"], said["reason"]) == ("rejected", "tone: too stiff")
    assert console.call("GET", "/v1/tickets/T-115")["status"] == "open"
    # And take it back.
    page.keyboard.press("z")
    expect(page.locator("#done")).to_contain_text("Taken back")
    assert verdicts(console, "T-115") == []
    expect(page.locator("#text")).to_be_visible()


def test_a_customer_who_writes_meanwhile_is_noticed_and_a_new_suggestion_is_one_key_away(
    signed_in: Page, console: Console
) -> None:
    page = signed_in
    page.goto("/console/tickets/T-114")
    expect(page.locator("#stale")).to_be_hidden()
    news = {"author": "customer", "text": "Forget it, how do I upload a bank statement instead?"}
    console.call("POST", "/v1/tickets/T-114/messages", news)
    expect(page.locator("#stale")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="has written again").last).to_be_visible()
    page.keyboard.press("n")
    expect(page.locator("#done")).to_contain_text("new suggestion")
    expect(page.locator("#stale")).to_be_hidden()
    expect(page.locator(".thread")).to_contain_text("Forget it")


def test_a_new_ticket_shows_up_without_the_list_moving(signed_in: Page, console: Console) -> None:
    page = signed_in
    page.keyboard.press("j")
    page.keyboard.press("j")
    before = page.evaluate("document.activeElement.href")
    console.suggest(QUOTED)
    expect(page.locator("#fresh a")).to_be_visible()
    assert page.evaluate("document.activeElement.href") == before
    page.keyboard.press("r")
    expect(page.locator("#queue")).to_contain_text("Invoice reminders")


def test_a_hostile_ticket_runs_nothing_and_reaches_nobody(signed_in: Page) -> None:
    """T3, T4: the fixtures fail on a script error, a dialog, or a request to another host."""
    page = signed_in
    page.goto("/console/tickets/T-105")
    expect(page.locator(".thread")).to_contain_text("Ignore all previous instructions")
    expect(page.locator("h1")).to_contain_text("<script>")
    assert page.locator("main script, main iframe, main img, main svg, main [onload], main [onerror]").count() == 0
    assert page.locator("main a[href^='javascript'], main a[href*='canary']").count() == 0
    page.goto("/console?q=canary")
    expect(page.locator("#queue")).to_contain_text("<script>")
    page.wait_for_timeout(500)


def test_the_evidence_is_marked_and_secrets_are_hidden_until_asked_for(signed_in: Page) -> None:
    page = signed_in
    page.goto("/console/tickets/T-104")
    expect(page.locator(".reasons")).to_contain_text("A sensitive topic")
    expect(page.locator(".thread mark", has_text="solicitor")).to_be_visible()
    page.goto("/console/tickets/T-106")
    secret = page.locator(".thread .secret").first
    expect(secret).to_contain_text("hidden")
    assert "4111" not in page.inner_text("main")
    secret.locator("summary").click()
    expect(page.locator(".thread")).to_contain_text("4111 1111 1111 1111")


def test_each_sentence_shows_its_source_on_focus(signed_in: Page) -> None:
    page = signed_in
    page.goto("/console/tickets/T-103")
    sentence = page.locator(".sentence").first
    expect(sentence.locator(".source")).to_be_hidden()
    sentence.locator("span[tabindex]").focus()
    expect(sentence.locator(".source")).to_be_visible()
    expect(sentence.locator(".source mark")).not_to_be_empty()
    page.keyboard.press("Escape")
    expect(sentence.locator(".source")).to_be_hidden()


def test_another_desks_ticket_is_not_there(signed_in: Page, console: Console) -> None:
    database = Database.open(console.home.database_url)
    TicketStore(database).put("other", Ticket(id="T-900", body="quokka"), None, datetime.now(UTC))
    database.close()
    answer = signed_in.goto("/console/tickets/T-900")
    assert answer is not None
    assert answer.status == 404
    expect(signed_in.get_by_role("heading", name="There is nothing here")).to_be_visible()


def test_signing_out_ends_the_session_in_every_window(signed_in: Page, context: BrowserContext) -> None:
    [cookie] = context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["secure"], cookie["sameSite"], cookie["path"]) == (
        "__Host-firstline", True, True, "Lax", "/",
    )  # fmt: skip
    signed_in.get_by_role("button", name="Sign out").click()
    expect(signed_in).to_have_url(re.compile("/console/sign-in"))
    context.add_cookies([cookie])
    signed_in.goto("/console")
    expect(signed_in).to_have_url(re.compile("/console/sign-in"))


def test_what_was_written_survives_a_session_that_ended(page: Page, console: Console, context: BrowserContext) -> None:
    sign_in(page, console.key)
    page.goto("/console/tickets/T-103")
    page.locator("#text").fill("My own words for Gwen.")
    context.clear_cookies()
    page.locator("#accept").click()
    expect(page.get_by_role("heading", name="You are signed out")).to_be_visible()
    sign_in(page, console.key)
    page.goto("/console/tickets/T-103")
    expect(page.locator("#text")).to_have_value("My own words for Gwen.")


def test_without_javascript_it_reads_accepts_and_rejects(chromium: Any, console: Console) -> None:
    with chromium.new_context(base_url=console.service.address, java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, console.key, "Ben Ode")
        page.get_by_role("link", name=STATEMENT["subject"]).click()
        page.get_by_role("button", name="Accept and copy").click()
        expect(page.locator("#done")).to_contain_text("Accepted")
        page.get_by_role("button", name="Take it back").click()
        expect(page.locator("#done")).to_contain_text("Taken back")
        page.locator("#reject summary").click()
        page.get_by_label("Why?").select_option("wrong_fact")
        page.get_by_role("button", name="Reject", exact=True).click()
        expect(page.locator("#done")).to_contain_text("Rejected")
    assert verdicts(console, "T-103")[0]["reason"] == "wrong_fact"
