"""Two desks in one app, each with a key of all scopes, and one of everything stored for the first."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from served_process import make_home

from serve.app import create_app
from serve.open_services import open_services
from serve.security.keys import SCOPES, new_key
from serve.services import Services

NOW, LATER = datetime(2026, 11, 22, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
#: Stands in everything that the first desk holds, and nowhere else.
CANARY = "quokkamarmalade"


@dataclass(frozen=True)
class TwoDesks:
    """keys: by desk; ids: of what the first desk holds, by the name of the path's parameter."""

    client: TestClient
    services: Services
    keys: dict[str, str]
    ids: dict[str, str]

    def call(self, desk: str, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {key or self.keys[desk]}"}
        return self.client.request(method, path, json=body, headers=headers)


@contextmanager
def two_desks(project: Path, folder: Path) -> Iterator[TwoDesks]:
    home = make_home(project, folder)
    other = Path(shutil.copytree(home.folder / "desk", home.folder / "other"))
    settings = other / "desk.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace('id = "demo"', 'id = "other"'), encoding="utf-8")
    generations = home.folder / "var" / "generations"
    shutil.copytree(generations / "demo", generations / "other")
    for rules in (generations / "other").glob("*/desk.toml"):
        same_hash_later(rules)
    services = open_services([home.folder / "desk", other], home.folder / "var", home.database_url)
    try:
        keys = {desk: new_key() for desk in ("demo", "other")}
        for desk, key in keys.items():
            services.keys.add(key, desk, SCOPES, NOW, LATER)
        client = TestClient(create_app(services, "0"), base_url="http://desk.example")
        made = TwoDesks(client, services, keys, {})
        fill(made)
        yield made
    finally:
        services.close()


def same_hash_later(rules: Path) -> None:
    """Give a copied generation its own desk's name, and its manifest the hash of that."""
    from models.artifact_files import sha256_of_file

    rules.write_text(rules.read_text(encoding="utf-8").replace('id = "demo"', 'id = "other"'), encoding="utf-8")
    manifest = rules.parent / "manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    told["files"]["desk.toml"] = {"sha256": sha256_of_file(rules), "bytes": rules.stat().st_size}
    manifest.write_text(json.dumps(told), encoding="utf-8")


def fill(desks: TwoDesks) -> None:
    """Store one of everything for the first desk."""
    words = f"My {CANARY} prints nothing."
    ticket = {"id": "T-1", "subject": CANARY, "body": words, "requester": {"id": "c-1", "name": CANARY}}
    made = desks.call("demo", "POST", "/v1/suggestions", ticket).json()
    desks.call("demo", "POST", "/v1/tickets/T-1/messages", {"author": "customer", "text": words})
    said = {"verdict": "rejected", "reason": CANARY}
    given = desks.call("demo", "POST", f"/v1/suggestions/{made['id']}/feedback", said).json()
    article = {"title": CANARY, "markdown": words, "audience": "public", "status": "published"}
    assert desks.call("demo", "PUT", "/v1/articles/kb-canary", article).status_code == 201
    for desk in desks.services.desks.values():
        desk.refresh()
    ids = {"suggestion_id": made["id"], "decision_id": made["id"], "ticket_id": "T-1", "feedback_id": given["id"]}
    desks.ids.update(ids, article_id="kb-canary", requester_id="c-1")
