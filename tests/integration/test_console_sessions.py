"""Signing in to the console, and what nobody gets at without it (T14), nor across desks (T8)."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from two_desks import CANARY, LATER, TwoDesks, two_desks

from serve.console.shell import COOKIE
from serve.console.sign_in import own_page
from serve.console.static_files import STATIC, VERSION
from serve.security.keys import id_of, new_key
from serve.services import utc_now

OWN = {"Origin": "http://desk.example", "Sec-Fetch-Site": "same-origin"}
ELSEWHERE = (
    {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://elsewhere.example"},
    {"Origin": "http://desk.example.elsewhere.example", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "http://desk.example", "Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {},
)


@pytest.fixture(scope="module")
def desks(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoDesks]:
    with two_desks(project, tmp_path_factory.mktemp("console")) as made:
        yield made


def session(desks: TwoDesks, desk: str = "demo", *scopes: str) -> str:
    """The token of somebody who is signed in to a desk, with all scopes or some."""
    key = desks.keys[desk]
    if scopes:
        key = new_key()
        desks.services.keys.add(key, desk, scopes, utc_now(), LATER)
    caller = desks.services.keys.find(key, utc_now())
    assert caller is not None
    return desks.services.stores.sessions.open(caller, "Ann", utc_now())


def call(desks: TwoDesks, method: str, path: str, token: str = "", **options: Any) -> Any:
    headers = {**OWN, **options.pop("headers", {}), **({"Cookie": f"{COOKIE}={token}"} if token else {})}
    return desks.client.request(method, path, headers=headers, follow_redirects=False, **options)


def console_routes(desks: TwoDesks, method: str) -> list[str]:
    """The address of every page, or of everything that pages post to, with the first desk's ids."""
    ids = {**desks.ids, "version": VERSION, "name": "console.css", "table": "acceptance", "rest": "x"}
    found = [
        route.path.replace(":path", "").format(**ids)
        for route in _routes(desks.client.app)
        if route.path.startswith("/console") and method in (route.methods or ())
    ]
    assert len(found) >= 5
    return found


def _routes(app: Any) -> list[APIRoute]:
    found = []
    for route in app.routes:
        if isinstance(route, APIRoute):
            found.append(route)
        elif hasattr(route, "effective_candidates"):  # routers are kept whole
            found += [one for one in route.effective_candidates() if hasattr(one, "path")]
    return found


def test_a_key_is_exchanged_for_a_cookie_that_no_script_reads(desks: TwoDesks) -> None:
    form = {"key": f" {desks.keys['demo']} ", "agent": "Ann", "next": "/console?q=vat"}
    answer = call(desks, "POST", "/console/sign-in", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console?q=vat")
    name, *flags = [part.strip().lower() for part in answer.headers["set-cookie"].split(";")]
    assert name.startswith("__host-firstline=")
    assert {"httponly", "secure", "samesite=lax", "path=/", "max-age=43200"} <= set(flags)
    assert not [flag for flag in flags if flag.startswith("domain")]
    assert desks.keys["demo"] not in str(answer.headers)


def test_every_sign_in_gives_a_new_session_and_ends_the_one_before(desks: TwoDesks) -> None:
    old = session(desks)
    answer = call(desks, "POST", "/console/sign-in", old, data={"key": desks.keys["demo"], "agent": "Ann"})
    new = answer.headers["set-cookie"].split(";")[0].partition("=")[2]
    assert new != old
    assert call(desks, "GET", "/console", old).status_code == 303
    assert call(desks, "GET", "/console", new).status_code == 200
    # A session that somebody planted is not taken over, either.
    assert call(desks, "GET", "/console", "planted").status_code == 303


@pytest.mark.parametrize("key", ["", "nonsense", new_key()])
def test_without_a_key_nobody_comes_in(desks: TwoDesks, key: str) -> None:
    answer = call(desks, "POST", "/console/sign-in", data={"key": key, "agent": "Ann"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "No desk that is served here has this key" in answer.text


def test_a_key_for_programs_alone_does_not_open_the_console(desks: TwoDesks) -> None:
    key = new_key()
    desks.services.keys.add(key, "demo", ["triage"], utc_now(), LATER)
    answer = call(desks, "POST", "/console/sign-in", data={"key": key, "agent": "Ann"})
    assert answer.status_code == 401
    assert "lacks the scope" in answer.text


def test_a_session_ends_with_its_key_with_signing_out_and_after_a_day(desks: TwoDesks) -> None:
    key = new_key()
    desks.services.keys.add(key, "demo", ["suggest"], utc_now(), LATER)
    caller = desks.services.keys.find(key, utc_now())
    assert caller is not None
    store = desks.services.stores.sessions
    token, other = store.open(caller, "Ann", utc_now()), store.open(caller, "Ben", utc_now())
    assert call(desks, "GET", "/console", token).status_code == 200
    assert call(desks, "POST", "/console/sign-out", token).status_code == 303
    assert call(desks, "GET", "/console", token).status_code == 303
    assert store.find(other, utc_now() + timedelta(hours=13)) is None
    assert call(desks, "GET", "/console", other).status_code == 200
    desks.services.keys.revoke("demo", id_of(key), utc_now())
    store._known.clear()  # what is believed for half a second
    assert call(desks, "GET", "/console", other).status_code == 303


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_another_sites_page_changes_nothing(desks: TwoDesks, headers: dict[str, str]) -> None:
    token = session(desks)
    before = desks.services.tickets.get("demo", "T-1")
    for path in console_routes(desks, "POST"):
        sent = {"Cookie": f"{COOKIE}={token}", "Content-Type": "application/x-www-form-urlencoded", **headers}
        answer = desks.client.post(path, content=b"status=solved", headers=sent, follow_redirects=False)
        assert answer.status_code == 403, path
    assert desks.services.tickets.get("demo", "T-1") == before


def test_without_a_session_no_page_says_anything(desks: TwoDesks) -> None:
    open_to_all = ("/console/sign-in", f"{STATIC}/console.css")
    for path in console_routes(desks, "GET"):
        answer = call(desks, "GET", path)
        if path not in open_to_all:
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/console/sign-in?next=")
    for path in console_routes(desks, "POST"):
        if path != "/console/sign-in":
            assert call(desks, "POST", path, data={"status": "solved"}).status_code in (303, 401), path


def test_another_desk_sees_nothing_of_the_first(desks: TwoDesks) -> None:
    """T8: every page, with the ids of what the first desk holds."""
    token = session(desks, "other")
    for path in console_routes(desks, "GET"):
        answer = call(desks, "GET", path, token)
        assert CANARY not in answer.text, path
        if desks.ids["ticket_id"] in path or desks.ids["article_id"] in path:
            assert answer.status_code == 404, path
    before = desks.services.tickets.get("demo", "T-1")
    for path in console_routes(desks, "POST"):
        form = {
            "status": "solved",
            "team": "trust",
            "verdict": "accept",
            "text": "x",
            "suggestion": desks.ids["suggestion_id"],
        }
        answer = call(desks, "POST", path, token, data=form)
        assert CANARY not in answer.text, path
        token = session(desks, "other")
    assert desks.services.tickets.get("demo", "T-1") == before


@pytest.mark.parametrize(
    ("address", "led_to"),
    [
        ("/console", "/console"),
        ("/console/tickets/T-1?q=a%20b", "/console/tickets/T-1?q=a%20b"),
        ("https://elsewhere.example", "/console"),
        ("//elsewhere.example/console", "/console"),
        ("/console//elsewhere.example", "/console"),
        ("/console\\elsewhere.example", "/console"),
        ("/console/../v1/desk", "/console"),
        ("/consoleelsewhere", "/console"),
        ("javascript:alert(1)", "/console"),
        ("/console/sign-out", "/console"),
        ("/console\r\nSet-Cookie: a=b", "/console"),
        ("", "/console"),
    ],
)
def test_signing_in_leads_nowhere_but_to_the_console(address: str, led_to: str) -> None:
    assert own_page(address) == led_to


def test_a_form_is_read_as_forms_are_and_as_nothing_else(desks: TwoDesks) -> None:
    token = session(desks)
    for kind, body in (
        ("multipart/form-data; boundary=x", b"--x--"),
        ("application/json", b'{"status": "solved"}'),
        ("application/x-www-form-urlencoded", b"&".join([b"a=b"] * 501)),
        ("application/x-www-form-urlencoded", b"\xff\xfe"),
        ("application/x-www-form-urlencoded", b"status=burnt"),
    ):
        answer = call(desks, "POST", "/console/tickets/T-1/status", token, content=body, headers={"Content-Type": kind})
        assert answer.status_code == 422, (kind, body[:20])


def test_an_agent_gets_no_further_than_their_key(desks: TwoDesks) -> None:
    token = session(desks, "demo", "suggest")
    form = {"verdict": "accept", "text": "x", "suggestion": desks.ids["suggestion_id"]}
    answer = call(desks, "POST", "/console/tickets/T-1/decision", token, data=form)
    assert answer.status_code == 403
    assert "feedback" in answer.text


def test_pages_come_in_the_language_that_a_browser_asks_for(desks: TwoDesks) -> None:
    token = session(desks)
    for asked, heading in (
        ("de-AT,de;q=0.9,en;q=0.5", "Eingang"),
        ("fr,en;q=0.3", "Queue"),
        ("x;q=y", "Queue"),
        ("", "Queue"),
    ):
        page = call(desks, "GET", "/console", token, headers={"Accept-Language": asked}).text
        assert f"<h1>{heading}</h1>" in page
