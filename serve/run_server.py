"""Starts the service: opens desks and database, takes the port, says where it is."""

import importlib.metadata
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import uvicorn
from anyio import to_thread

from models.micro_batch import MAX_CALLS, MAX_WAITING, MicroBatcher
from serve.app import create_app
from serve.errors import StartError
from serve.security.keys import SCOPES, KeyStore, new_key
from serve.services import Services, utc_now
from serve.storage.database import Database
from serve.storage.suggestion_store import SuggestionStore
from triage.assembly import build_engine
from triage.desk_files import read_rules
from triage.engine import TriageEngine

#: How long the key lives that `serve --with-key` makes.
KEY_LIFE = timedelta(hours=12)
#: Requests that are worked on at a time. With fewer threads than places before an encoder nobody would ever be told
#: that it is busy: requests would queue for a thread instead, without an end.
THREADS = MAX_WAITING + 2 * MAX_CALLS


@dataclass(frozen=True)
class ServeSettings:
    """Where to listen and what to serve."""

    desks: Sequence[Path]
    var: Path
    database_url: str
    host: str
    port: int


def open_services(settings: ServeSettings) -> Services:
    """Load every desk and open the database. Desks with the same encoder share one, and its passes."""
    engines: dict[str, TriageEngine] = {}
    encoders: dict[str, MicroBatcher] = {}
    for folder in settings.desks:
        engine = build_engine(folder, settings.var)
        if engine.rules.settings.id in engines:
            raise StartError(f"two desks have the id {engine.rules.settings.id!r}; change one in its desk.toml")
        encoder = encoders.setdefault(engine.encoder.identity, MicroBatcher(engine.encoder))
        engines[engine.rules.settings.id] = replace(engine, encoder=encoder)
    database = Database.open(settings.database_url)
    return Services(engines, database, SuggestionStore(database), KeyStore(database), encoders=tuple(encoders.values()))


def run_server(settings: ServeSettings, with_key: bool, announce: Callable[[str, str | None], None]) -> None:
    """Serve until a signal; `announce` is called with address and key once the port is open."""
    refuse_taken_port(settings.host, settings.port)
    services = open_services(settings)
    desk = next(iter(services.engines))
    key = new_key() if with_key else None
    if key:
        services.keys.add(key, desk, SCOPES, services.now(), services.now() + KEY_LIFE)
    app = create_app(services, importlib.metadata.version("firstline"))
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, log_level="warning", server_header=False, date_header=True
    )
    address = f"http://{f'[{settings.host}]' if ':' in settings.host else settings.host}:{settings.port}"
    try:
        _Server(config, lambda: announce(address, key)).run()
    finally:
        services.close()


def refuse_taken_port(host: str, port: int) -> None:
    """Raise `StartError` where the port cannot be had, before anything slow is loaded."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartError(f"{host}:{port} cannot be used ({error.strerror}); choose another with --port") from error


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        allow_threads()
        await super().startup(sockets)
        if not self.should_exit:
            self._ready()


def allow_threads() -> None:
    """Let this event loop work on `THREADS` requests at a time; a thread is started only when it is needed."""
    to_thread.current_default_thread_limiter().total_tokens = THREADS


def create_key(desk: Path, database_url: str, scopes: Sequence[str] | None, days: int) -> str:
    """Make a key for a desk folder's desk without serving it; raise `StartError` for an unknown scope."""
    unknown = sorted(set(scopes or ()) - set(SCOPES))
    if unknown:
        raise StartError(f"unknown scope {unknown[0]!r}; use {', '.join(SCOPES)}")
    settings = read_rules(desk).settings
    database = Database.open(database_url)
    try:
        key, now = new_key(), utc_now()
        KeyStore(database).add(key, settings.id, scopes or SCOPES, now, now + timedelta(days=days))
    finally:
        database.close()
    return key
