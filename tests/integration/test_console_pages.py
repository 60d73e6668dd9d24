"""The console's pages as a browser without scripts asks for them: articles, corrections, insights."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from two_desks import CANARY, LATER, TwoDesks, two_desks

from serve.console.shell import COOKIE
from serve.security.keys import new_key
from serve.services import utc_now

OWN = {"Origin": "http://desk.example", "Sec-Fetch-Site": "same-origin"}
ARTICLE = {"id": "kb-new", "title": "Quokkas in the shop", "markdown": "Feed them at noon.", "audience": "public"}


@pytest.fixture(scope="module")
def desks(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoDesks]:
    with two_desks(project, tmp_path_factory.mktemp("pages")) as made:
        yield made


class Agent:
    """Somebody who is signed in."""

    def __init__(self, desks: TwoDesks, *scopes: str, desk: str = "demo") -> None:
        key = desks.keys[desk]
        if scopes:
            key = new_key()
            desks.services.keys.add(key, desk, scopes, utc_now(), LATER)
        caller = desks.services.keys.find(key, utc_now())
        assert caller is not None
        token = desks.services.stores.sessions.open(caller, "Ann", utc_now())
        self._client, self._headers = desks.client, {**OWN, "Cookie": f"{COOKIE}={token}"}

    def get(self, path: str) -> Any:
        return self._client.get(path, headers=self._headers, follow_redirects=False)

    def post(self, path: str, **form: object) -> Any:
        return self._client.post(path, data=form, headers=self._headers, follow_redirects=False)


@pytest.fixture
def lead(desks: TwoDesks) -> Agent:
    return Agent(desks)


def test_articles_are_listed_searched_and_read(lead: Agent) -> None:
    page = lead.get("/console/articles").text
    assert page.count('scope="row"') >= 40
    assert "kb-101" in page
    assert "kb-101" not in lead.get("/console/articles?after=kb-101").text
    found = lead.get("/console/articles?q=two-step").text
    assert "kb-102" in found
    assert "kb-205" not in found
    assert "Scan the QR code" in lead.get("/console/articles/kb-102").text
    assert lead.get("/console/articles/none-such").status_code == 404


def test_internal_articles_are_for_those_who_may_see_them(desks: TwoDesks, lead: Agent) -> None:
    outsider = Agent(desks, "suggest", "knowledge:read", "knowledge:write")
    assert "kb-307" in lead.get("/console/articles?audience=internal").text
    assert "kb-307" not in outsider.get("/console/articles?audience=internal").text
    for path in ("/console/articles/kb-307", "/console/articles/kb-307/edit", "/console/articles/kb-307/remove"):
        assert outsider.get(path).status_code == 404
    assert Agent(desks, "suggest").get("/console/articles").status_code == 403


def test_an_article_is_drafted_published_found_stale_and_taken_away(desks: TwoDesks, lead: Agent) -> None:
    writer = Agent(desks, "suggest", "knowledge:read", "knowledge:write", "internal")
    assert writer.post("/console/articles/write", **ARTICLE, do="draft").headers["location"].endswith("?done=draft")
    refused = writer.post("/console/articles/write", **ARTICLE, do="published", version=1)
    assert refused.status_code == 403
    assert "Feed them at noon." in refused.text
    assert 'value="published"' not in writer.get("/console/articles/kb-new/edit").text
    done = lead.post("/console/articles/write", **ARTICLE, do="published", version=1)
    assert done.headers["location"] == "/console/articles/kb-new?done=published"
    assert "Published." in lead.get(done.headers["location"]).text
    # Somebody who began before that loses nothing, and sees what changed.
    late = writer.post("/console/articles/write", **{**ARTICLE, "markdown": "At nine."}, do="draft", version=1)
    assert late.status_code == 412
    assert "At nine." in late.text
    assert "Feed them at noon." in late.text
    assert 'name="version" value="2"' in late.text
    assert "Take away “Quokkas" in lead.get("/console/articles/kb-new/remove").text
    assert writer.post("/console/articles/kb-new/remove", version=2).status_code == 403
    assert lead.post("/console/articles/kb-new/remove", version=1).status_code == 412
    assert lead.post("/console/articles/kb-new/remove", version=2).status_code == 303
    assert lead.get("/console/articles/kb-new").status_code == 404


def test_a_preview_is_safe_and_what_cannot_be_saved_comes_back(lead: Agent) -> None:
    part = lead.post(
        "/console/articles/preview", markdown="**a** <script>alert(1)</script> ![x](//canary.example)"
    ).text
    assert "<strong>a</strong>" in part
    assert "<script" not in part
    assert "<img" not in part
    looked = lead.post("/console/articles/write", **{**ARTICLE, "markdown": "# Seen"}, do="look")
    assert "<h2>Seen</h2>" in looked.text
    for wrong in ({"id": "../x"}, {"title": " "}, {"markdown": ""}, {"audience": "all"}, {"locale": "??"}):
        answer = lead.post("/console/articles/write", **{**ARTICLE, **wrong}, do="draft")
        assert answer.status_code == 422, wrong
        assert 'role="alert"' in answer.text


def test_an_article_tells_which_recent_tickets_it_would_answer(desks: TwoDesks, lead: Agent) -> None:
    asked = {"id": "T-quokka", "subject": "quokka food", "body": "What do quokkas in the shop eat at noon?"}
    desks.call("demo", "POST", "/v1/suggestions", asked)
    text = {**ARTICLE, "markdown": "What do quokkas in the shop eat? Feed quokkas in the shop at noon."}
    page = lead.post("/console/articles/write", **text, do="answers").text
    assert "quokka food" in page
    assert re.search(r"near to \d+ of \d+ tickets", page)
    empty = lead.post("/console/articles/write", **{**ARTICLE, "markdown": ""}, do="answers").text
    assert "no text yet" in empty


def test_corrections_wait_for_a_lead_are_approved_and_withdrawn(desks: TwoDesks, lead: Agent) -> None:
    said = {"verdict": "edited", "final_text": "Hello Gwen.", "fields": {"team": "books"}, "agent": "Ben Ode"}
    suggestion = desks.ids["suggestion_id"]
    given = desks.call("demo", "POST", f"/v1/suggestions/{suggestion}/feedback", said).json()["id"]
    page = lead.get("/console/corrections").text
    assert "Ben Ode" in page
    assert "<ins>books</ins>" in page
    assert lead.post(f"/console/corrections/{given}", do="approve").status_code == 303
    assert "Ben Ode" not in lead.get("/console/corrections").text
    assert "Ben Ode" in lead.get("/console/corrections?approved=1").text
    assert lead.post(f"/console/corrections/{given}", do="withdraw").status_code == 303
    assert "Ben Ode" in lead.get("/console/corrections").text
    assert lead.post(f"/console/corrections/{given}", do="eat").status_code == 422
    assert lead.post("/console/corrections/none-such", do="approve").status_code == 404
    agent = Agent(desks, "suggest", "feedback")
    assert agent.get("/console/corrections").status_code == 403
    assert agent.post(f"/console/corrections/{given}", do="approve").status_code == 403
    assert "/console/corrections" not in agent.get("/console").text


def test_a_dangerous_rejection_waits_for_a_lead_and_a_harmless_one_does_not(desks: TwoDesks, lead: Agent) -> None:
    address = f"/v1/suggestions/{desks.ids['suggestion_id']}/feedback"
    for agent, reason in (("Ida Fact", "wrong_fact: the limit is 90"), ("Per Son", "needs_person"), ("To Ne", "tone")):
        said = {"verdict": "rejected", "reason": reason, "agent": agent}
        assert desks.call("demo", "POST", address, said).status_code == 201
    page = lead.get("/console/corrections").text
    assert [name in page for name in ("Ida Fact", "Per Son", "To Ne")] == [True, True, False]
    assert "a fact is wrong" in page


def test_insights_show_every_table_and_hand_it_out_as_csv(desks: TwoDesks, lead: Agent) -> None:
    page = lead.get("/console/insights?days=7")
    assert page.status_code == 200
    names = re.findall(r"/console/insights/([a-z_]+)\.csv", page.text)
    assert len(names) == len(set(names)) >= 16
    for name in names:
        answer = lead.get(f"/console/insights/{name}.csv?days=7")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.reader(io.StringIO(answer.text)))
        assert len({len(row) for row in rows}) == 1, name
    assert lead.get("/console/insights/none.csv").status_code == 404
    assert lead.get("/console/insights?days=0").status_code == 422
    assert CANARY not in Agent(desks, desk="other").get("/console/insights").text


def test_who_may_not_decide_sees_the_draft_and_no_buttons(desks: TwoDesks, lead: Agent) -> None:
    asked = {"id": "T-read", "subject": "Bank statement", "body": "How do I upload a bank statement?"}
    assert desks.call("demo", "POST", "/v1/suggestions", asked).status_code == 201
    assert 'name="verdict"' in lead.get("/console/tickets/T-read").text
    page = Agent(desks, "suggest").get("/console/tickets/T-read").text
    assert 'name="verdict"' not in page
    assert "/console/articles" not in page.split("</header>")[0]


def test_nothing_is_accepted_over_a_message_that_was_not_shown(desks: TwoDesks, lead: Agent) -> None:
    asked = {"id": "T-heard", "subject": "Bank statement", "body": "How do I upload a bank statement?"}
    made = desks.call("demo", "POST", "/v1/suggestions", asked).json()["id"]
    desks.call("demo", "POST", "/v1/tickets/T-heard/messages", {"author": "customer", "text": "Forget it."})
    form = {"verdict": "accept", "text": "Hello, choose Upload.", "suggestion": made}
    answer = lead.post("/console/tickets/T-heard/decision", **form, heard=0)
    assert answer.status_code == 412
    assert "wrote again" in answer.text
    assert desks.services.feedback.of_suggestion("demo", made) is None
    assert lead.post("/console/tickets/T-heard/decision", **form, heard=1).status_code == 303
    said = desks.services.feedback.of_suggestion("demo", made)
    assert said is not None
    assert (said.verdict, said.agent) == ("edited", "Ann")


@pytest.mark.parametrize(
    "form",
    [
        {"verdict": "reject"},
        {"verdict": "reject", "reason": "because"},
        {"verdict": "accept", "text": "  "},
        {"verdict": "perhaps", "text": "x"},
        {"verdict": "accept", "text": "x", "since": "soon"},
        {},
    ],
)
def test_half_a_decision_is_none(desks: TwoDesks, lead: Agent, form: dict[str, str]) -> None:
    suggestion = desks.ids["suggestion_id"]
    before = desks.services.feedback.of_suggestion("demo", suggestion)
    assert lead.post("/console/tickets/T-1/decision", suggestion=suggestion, **form).status_code == 422
    assert desks.services.feedback.of_suggestion("demo", suggestion) == before


def test_fields_and_status_are_set_by_a_person(desks: TwoDesks, lead: Agent) -> None:
    assert lead.post("/console/tickets/T-1/fields", team="trust", category="", color="red").status_code == 303
    stored = desks.services.tickets.get("demo", "T-1")
    assert stored is not None
    assert stored.set_fields["team"] == "trust"
    assert "color" not in stored.set_fields
    assert "set by a person" in lead.get("/console/tickets/T-1").text
    assert lead.post("/console/tickets/T-1/fields", team="kitchen").status_code == 422
    assert lead.post("/console/tickets/T-1/status", status="solved").status_code == 303
    assert "T-1<" not in lead.get("/console").text
    assert lead.post("/console/tickets/T-1/status", status="open").status_code == 303
    for since in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "2026-11-23T10:00:00"):
        assert lead.get(f"/console/queue/news?since={since}").status_code == 200
