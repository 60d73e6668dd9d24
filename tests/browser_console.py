"""The demo desk, served to a browser by a real process, and how somebody signs in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from served_process import Home, Service, serving

from serve.security.keys import DEFAULT_SCOPES, KeyStore, new_key
from serve.storage.database import Database

if TYPE_CHECKING:
    from playwright.sync_api import Page


@dataclass(frozen=True)
class Console:
    """A desk that is served. key: of a lead; weak: of an agent, who may neither approve nor publish."""

    service: Service
    home: Home
    key: str
    weak: str

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        with self.service.client() as client:
            answer = client.request(method, path, json=body, headers={"Authorization": f"Bearer {self.key}"})
        assert answer.status_code < 300, answer.text
        return dict(answer.json())

    def suggest(self, ticket: dict[str, Any]) -> dict[str, Any]:
        return self.call("POST", "/v1/suggestions", ticket)


@contextmanager
def demo_console(project: Path, demo_var: Path, folder: Path) -> Iterator[Console]:
    """A desk without tickets."""
    (folder / "desk").symlink_to(project / "desks" / "demo")
    (folder / "var").symlink_to(demo_var)
    home = Home(folder)
    key, weak = home.new_key(per_minute=1_000_000), new_key()
    database = Database.open(home.database_url)
    KeyStore(database).add(weak, "demo", DEFAULT_SCOPES, datetime.now(UTC), datetime(2100, 1, 1, tzinfo=UTC))
    database.close()
    with serving(home, folder / "service.log") as service:
        yield Console(service, home, key, weak)
        lines = service.lines()
    assert not [line for line in lines if line.get("status") == 500], lines[-5:]


def sign_in(page: "Page", key: str, agent: str = "Ann Lee") -> None:
    page.goto("/console")
    page.get_by_label("Your name").fill(agent)
    page.get_by_label("Key", exact=True).fill(key)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Queue").wait_for()
