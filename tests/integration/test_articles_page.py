"""Knowledge in the console: who is overtaken loses nothing, who may not see learns nothing, versions are kept."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from two_desks import CANARY, LATER, TwoDesks, two_desks

from serve.console.shell import COOKIE
from serve.security.keys import new_key
from serve.services import utc_now
from serve.storage.tables import suggestions, tickets

OWN = {"Origin": "http://desk.example", "Sec-Fetch-Site": "same-origin"}
WRITE = "/console/articles/write"
ARTICLE = {"title": "Numbats at the till", "markdown": "Numbats may ring up termites.", "audience": "public"}
WRITER = ("suggest", "knowledge:read", "knowledge:write")


@pytest.fixture(scope="module")
def desks(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoDesks]:
    with two_desks(project, tmp_path_factory.mktemp("articles-page")) as made:
        yield made


class Agent:
    """Somebody who is signed in, with all scopes or some."""

    def __init__(self, desks: TwoDesks, *scopes: str, desk: str = "demo") -> None:
        key = desks.keys[desk]
        if scopes:
            key = new_key()
            desks.services.keys.add(key, desk, scopes, utc_now(), LATER)
        caller = desks.services.keys.find(key, utc_now())
        assert caller is not None
        token = desks.services.stores.sessions.open(caller, "Ann", utc_now())
        self._client, self._headers = desks.client, {"Cookie": f"{COOKIE}={token}"}

    def get(self, path: str, **headers: str) -> Any:
        return self._client.get(path, headers=self._headers | headers, follow_redirects=False)

    def post(self, path: str, **form: object) -> Any:
        return self._client.post(path, data=form, headers=self._headers | OWN, follow_redirects=False)

    def post_from_nowhere(self, path: str, **form: object) -> Any:
        return self._client.post(path, data=form, headers=self._headers, follow_redirects=False)


@pytest.fixture
def lead(desks: TwoDesks) -> Agent:
    return Agent(desks)


def version_in(page: str) -> int:
    found = re.search(r'name="version" value="(\d+)"', page)
    assert found
    return int(found.group(1))


def test_who_takes_an_id_that_is_taken_writes_over_nothing(lead: Agent) -> None:
    assert lead.post(WRITE, **ARTICLE, id="numbat-1", do="published").status_code == 303
    answer = lead.post(WRITE, **ARTICLE | {"markdown": "Quite another."}, id="numbat-1", do="draft")
    assert answer.status_code == 412
    assert "already" in answer.text
    assert "Quite another." in answer.text
    # Sent once more as the page came back it is still refused; with another id it is kept.
    assert version_in(answer.text) == 0
    assert lead.post(WRITE, **ARTICLE, id="numbat-1", do="draft", version=0).status_code == 412
    assert lead.post(WRITE, **ARTICLE, id="numbat-2", do="draft", version=0).status_code == 303


def test_who_writes_on_in_an_article_that_was_taken_away_can_save_it_anew(lead: Agent) -> None:
    lead.post(WRITE, **ARTICLE, id="numbat-3", do="draft")
    lead.post("/console/articles/numbat-3/remove", version=1)
    answer = lead.post(WRITE, **ARTICLE, id="numbat-3", do="draft", version=1)
    assert answer.status_code == 412
    assert "took the article away" in answer.text
    assert ARTICLE["markdown"] in answer.text
    again = lead.post(WRITE, **ARTICLE, id="numbat-3", do="draft", version=version_in(answer.text))
    assert again.status_code == 303


def test_who_is_overtaken_sees_what_changed_since_and_goes_on_from_there(lead: Agent) -> None:
    lead.post(WRITE, **ARTICLE, id="numbat-4", do="draft")
    lead.post(WRITE, **ARTICLE | {"markdown": "Numbats may ring up ants."}, id="numbat-4", do="draft", version=1)
    mine = ARTICLE | {"markdown": "\n  Numbats nap at noon. </textarea><script>alert(1)</script>"}
    answer = lead.post(WRITE, **mine, id="numbat-4", do="draft", version=1)
    assert answer.status_code == 412
    assert "<del>termites.</del><ins>ants.</ins>" in answer.text
    assert ">\n\n  Numbats nap at noon. &lt;/textarea&gt;" in answer.text  # a browser drops the first line break
    assert "<script>alert" not in answer.text
    assert version_in(answer.text) == 2
    assert lead.post(WRITE, **mine, id="numbat-4", do="draft", version=2).status_code == 303


def test_all_versions_are_named_and_can_be_read(desks: TwoDesks, lead: Agent) -> None:
    for version, (do, text) in enumerate([("published", "One."), ("draft", "Two."), ("draft", "Three.")]):
        given = ARTICLE | {"markdown": text, "tags": "till, ants", "owner": "Moira Kettle"}
        assert lead.post(WRITE, **given, id="numbat-5", do=do, version=version).status_code == 303
    page = lead.get("/console/articles/numbat-5").text
    assert [int(found) for found in re.findall(r"\?version=(\d)", page)] == [3, 2, 1]
    assert "Three." in page
    assert "version 1 is published, a draft is newer" in page
    assert page.count("searched now") == 1
    assert '<span class="tag">ants</span>' in page
    assert "Moira Kettle" in page
    assert "One." in lead.get("/console/articles/numbat-5?version=1").text
    assert lead.get("/console/articles/numbat-5?version=4").status_code == 404
    listed = lead.get("/console/articles?status=behind").text
    assert "numbat-5" in listed
    assert "kb-101" not in listed
    assert "numbat-5" not in lead.get("/console/articles?status=never").text


def test_an_earlier_version_that_was_internal_stays_so(desks: TwoDesks, lead: Agent) -> None:
    lead.post(WRITE, **ARTICLE | {"audience": "internal"}, id="numbat-6", do="draft")
    lead.post(WRITE, **ARTICLE, id="numbat-6", do="draft", version=1)
    lead.post(WRITE, **ARTICLE, id="numbat-6", do="draft", version=2)
    outsider = Agent(desks, *WRITER)
    page = outsider.get("/console/articles/numbat-6").text
    assert [int(found) for found in re.findall(r"\?version=(\d)", page)] == [3, 2]
    assert outsider.get("/console/articles/numbat-6?version=1").status_code == 404


def test_who_may_not_see_internal_articles_is_not_led_to_write_one(desks: TwoDesks, lead: Agent) -> None:
    assert 'value="internal"' not in Agent(desks, *WRITER).get("/console/articles/new").text
    assert '<option value="internal" selected>' in lead.get("/console/articles/new").text


def test_mistakes_are_told_in_the_language_of_who_made_them(lead: Agent) -> None:
    for wrong in ({"title": " "}, {"markdown": " "}, {"audience": "all"}, {"locale": "??"}, {"tags": "a" * 2_000}):
        answer = lead.post(WRITE, **ARTICLE | wrong, id="numbat-7", do="draft")
        assert answer.status_code == 422
        told = re.search(r'role="alert">([^<]+)<', answer.text)
        assert told
        assert "String" not in told.group(1)
    page = lead.get("/console/articles/kb-102", **{"Accept-Language": "de"}).text
    assert "Zuständig: Moira Kettle" in page


def test_other_desks_articles_are_not_there(desks: TwoDesks) -> None:
    other = Agent(desks, desk="other")
    for path in ("", "/edit", "/remove", "?answers=1"):
        assert other.get(f"/console/articles/kb-canary{path}").status_code == 404
    assert other.post("/console/articles/kb-canary/remove", version=1).status_code == 404
    text = {**ARTICLE, "markdown": f"My {CANARY} prints nothing."}
    assert "T-1" not in other.post(WRITE, **text, id="x", do="answers").text


def test_nothing_is_changed_from_elsewhere_nor_without_the_scope(desks: TwoDesks, lead: Agent) -> None:
    for path in (WRITE, "/console/articles/preview", "/console/articles/kb-canary/remove"):
        assert lead.post_from_nowhere(path, **ARTICLE, id="numbat-8", do="draft").status_code == 403
    reader = Agent(desks, "suggest", "knowledge:read")
    for path in ("/console/articles/new", "/console/articles/kb-102/edit", "/console/articles/kb-102/remove"):
        assert reader.get(path).status_code == 403
    assert reader.post(WRITE, **ARTICLE, id="numbat-8", do="draft").status_code == 403
    page = reader.get("/console/articles/kb-102").text
    assert "/edit" not in page
    assert "/remove" not in page
    assert "/new" not in reader.get("/console/articles").text
    assert lead.get("/console/articles/numbat-8").status_code == 404


def test_a_confirmed_removal_is_told(lead: Agent) -> None:
    lead.post(WRITE, **ARTICLE, id="numbat-9", do="draft")
    done = lead.post("/console/articles/numbat-9/remove", version=1).headers["location"]
    page = lead.get(done).text
    assert 'role="status"><p>Taken away.' in page
    assert "numbat-9" not in page


def test_recent_tickets_are_found_with_how_they_stand_and_old_ones_are_not(desks: TwoDesks, lead: Agent) -> None:
    words = "Does anybody iron the socks of bandicoots?"
    for name in ("T-numbat", "T-old", "T-before"):
        desks.call("demo", "POST", "/v1/suggestions", {"id": name, "subject": f"{name} asks", "body": words})
    with desks.services.stores.database.writing() as connection:
        old = update(tickets).where(tickets.c.id == "T-old")
        connection.execute(old.values(wrote_at=utc_now() - timedelta(days=29)))
        # As rows were before facts were kept apart.
        connection.execute(update(suggestions).where(suggestions.c.ticket_id == "T-before").values(facts=None))
    lead.post(WRITE, **ARTICLE | {"markdown": words}, id="numbat-10", do="draft")
    page = lead.get("/console/articles/numbat-10?answers=1").text
    assert 'href="/console/tickets/T-numbat">T-numbat asks</a>' in page
    assert "T-before asks" in page
    assert "T-old" not in page
    assert re.search(r"alike \(\d\.\d\d\)", page)
    near = re.search(r"near to (\d+) of (\d+) tickets", page)
    assert near
    assert 2 <= int(near.group(1)) <= int(near.group(2))
    assert "no article answers it" in page
