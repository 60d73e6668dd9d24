"""The service as a process of its own, with one small desk, for tests that stop it, kill it and read its log."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from conftest import build_desk
from eval_builders import without_wording

from serve.security.keys import SCOPES, KeyOptions, KeyStore, new_key
from serve.storage.database import Database

DEADLINE = 60
SCRIPT = """
import json, sys
from pathlib import Path
from serve.errors import ServeError
from serve.run_server import ServeSettings, run_server
from triage.errors import TriageError
given = json.loads(sys.argv[1])
desk, var, database = (given.pop(name) for name in ("desk", "var", "database"))
settings = ServeSettings([Path(desk)], Path(var), database, "127.0.0.1", 0, **given)
try:
    run_server(settings, False, lambda address, key: print(address, flush=True))
except (ServeError, TriageError) as error:
    print(error)
    sys.exit(2)
"""


@dataclass(frozen=True)
class Home:
    """A folder with a built desk, its var and a database."""

    folder: Path

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.folder / 'service.db'}"

    def new_key(self, per_minute: int | None = None) -> str:
        """A key for everything, that is good for ever."""
        database, key = Database.open(self.database_url), new_key()
        options = KeyOptions(per_minute=per_minute)
        KeyStore(database).add(key, "demo", SCOPES, datetime.now(UTC), datetime(2100, 1, 1, tzinfo=UTC), options)
        database.close()
        return key


def make_home(project: Path, folder: Path) -> Home:
    """A home with the demo desk without its history, which builds in a second, and an encoder without weights."""
    desk = folder / "desk"
    shutil.copytree(project / "desks" / "demo", desk, ignore=shutil.ignore_patterns("history.jsonl"))
    rules = desk / "desk.toml"
    text = rules.read_text(encoding="utf-8").replace('encoder = "all-MiniLM-L6-v2"', 'encoder = "hashing"')
    rules.write_text(text, encoding="utf-8")
    build_desk(without_wording(desk), folder / "var")
    return Home(folder)


@dataclass(frozen=True)
class Service:
    """A running service. log: the file that its standard error goes to."""

    process: subprocess.Popen[str]
    address: str
    log: Path

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        host, port = self.address.removeprefix("http://").split(":")
        return host, int(port)

    def client(self, **options: object) -> httpx.Client:
        return httpx.Client(base_url=self.address, timeout=DEADLINE, verify=False, **options)  # type: ignore[arg-type]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    def lines(self) -> list[dict[str, object]]:
        """What was logged; fails where a line is not JSON."""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


def start(home: Home, log: Path, **settings: object) -> subprocess.Popen[str]:
    """Start a service; its address, or why there is none, comes on standard output."""
    given = {"desk": str(home.folder / "desk"), "var": str(home.folder / "var"), "database": home.database_url}
    with log.open("w", encoding="utf-8") as errors:
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, json.dumps(given | settings)],
            stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True,
            cwd=Path(__file__).parent.parent, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip


@contextmanager
def serving(home: Home, log: Path, **settings: object) -> Iterator[Service]:
    """A service that accepts requests; all of its processes are killed in the end, where any is left."""
    process = start(home, log, **settings)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://"), (address, log.read_text(encoding="utf-8"))
        yield Service(process, address, log)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
