"""Starts the service: takes the port, opens desks and database, in one process or in several, and says where it is."""

import gc
import importlib.metadata
import logging
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import uvicorn
from anyio import to_thread
from fastapi import FastAPI

from models.errors import ModelsError
from retrieval.errors import RetrievalError
from serve import metrics
from serve.app import AppLimits, create_app
from serve.errors import ServeError, StartError
from serve.gauges import Gauges
from serve.http_protocol import Deadlines, protocol_with
from serve.logs import LogFormat, configure_logging, fault, format_for
from serve.open_services import Watching, open_services
from serve.readiness import CloseWhenDraining, Readiness
from serve.request_log import RequestLog
from serve.security.keys import SCOPES, KeyStore, new_key
from serve.server import BACKLOG, GRACE, DrainingServer, Hooks, address_of, bind
from serve.services import Services, random_id, utc_now
from serve.storage.database import Database
from serve.workers import Crew, Supervisor, WorkerEnd
from triage.desk_files import read_rules
from triage.errors import TriageError
from triage.tickets import Ticket

#: How long the key lives that `serve --with-key` makes.
KEY_LIFE = timedelta(hours=12)
#: Requests that are worked on at a time, in a thread each: more make none of them faster, and keep the event loop from
#: its turn. As many again, and more, may wait for one; whoever comes then is turned away at once.
THREADS = 10
IN_FLIGHT = 128
#: Seconds beyond all others after which a worker that does not stop is killed.
MARGIN = 5.0
#: An English text, and one whose language takes a look at n-grams.
FIRST_WORDS = ("I cannot sign in, how do I get a new password?", "Passwort vergessen, neuer Code")
#: What these say is a sentence for whoever starts the service.
TOLD = (ModelsError, RetrievalError, ServeError, TriageError)

log = logging.getLogger("firstline.serve")


@dataclass(frozen=True)
class ServeSettings:
    """Where to listen, what to serve, and how.

    workers: processes; drain_seconds: between "not ready" and the end of listening; log_format: None for text on a
    terminal and JSON elsewhere; allowed_hosts: host names that requests may name, none for any; max_in_flight: requests
    that a process works on at a time.
    """

    desks: Sequence[Path]
    var: Path
    database_url: str
    host: str
    port: int
    workers: int = 1
    drain_seconds: float = 5.0
    log_format: LogFormat | None = None
    allowed_hosts: tuple[str, ...] = ()
    max_in_flight: int = IN_FLIGHT


def run_server(settings: ServeSettings, with_key: bool, announce: Callable[[str, str | None], None]) -> None:
    """Serve until a signal; `announce` is called with address and key once all workers accept requests.

    Raises `StartError`, or what is wrong with a desk, where the service cannot start.
    """
    configure_logging(format_for(settings.log_format, sys.stderr.isatty()))
    with bind(settings.host, settings.port) as listener:
        key = prepare_database(settings, with_key)
        opened = partial(announce, address_of(listener), key)
        if settings.workers == 1:
            serve_here(settings, listener, opened, None)
        else:
            gc.enable()
            serve_by_workers(settings, listener, opened)


def prepare_database(settings: ServeSettings, with_key: bool) -> str | None:
    """Bring the database up to date before anybody uses it, and make the first desk's key, where one is wanted."""
    if settings.workers > 1 and settings.database_url in ("sqlite://", "sqlite:///:memory:"):
        raise StartError("workers cannot share a database in memory; give --database a file, or one worker")
    database = Database.open(settings.database_url)
    try:
        if not with_key:
            return None
        key, now = new_key(), utc_now()
        desk = read_rules(settings.desks[0]).settings.id
        KeyStore(database).add(key, desk, SCOPES, now, now + KEY_LIFE)
        return key
    finally:
        database.close()


def serve_here(
    settings: ServeSettings, listener: socket.socket, opened: Callable[[], None], parent: WorkerEnd | None
) -> None:
    """Serve in this process until it is told to stop; parent: whom a worker listens to."""
    gauges, readiness = Gauges(), Readiness()
    watching = Watching(metrics.observe_suggestion, gauges.looked_at)
    gc.disable()  # what is made now stays: looking through it again and again costs a sixth of the start
    services = open_services(settings.desks, settings.var, settings.database_url, watching)
    try:
        warm_up(services)
        gc.freeze()
        gc.enable()
        metrics.set_build(importlib.metadata.version("firstline"))
        app = application(services, readiness, AppLimits(settings.allowed_hosts, settings.max_in_flight, 2 * THREADS))
        hooks = Hooks(partial(begin, opened), partial(gauges.set, services))
        server = DrainingServer(uvicorn_config(app), readiness, hooks, settings.drain_seconds, parent is not None)
        if parent is not None:
            told = (server.hurry, server.drain)
            threading.Thread(target=parent.wait_for_parent, args=told, name="parent", daemon=True).start()
        server.run(sockets=[listener])
    finally:
        gc.enable()
        services.close()


def warm_up(services: Services) -> None:
    """Have every desk read a ticket: what is loaded on first use is loaded now, not by fifty first requests at once.

    No draft is written: that could ask a language model.
    """
    for desk in services.desks:
        engine = services.engine(desk)
        for words in FIRST_WORDS:
            engine.triage(Ticket(subject=words), "first", services.now())
            engine.find_articles(words, 1, False)


def application(services: Services, readiness: Readiness, limits: AppLimits | None = None) -> FastAPI:
    """Return the application with what surrounds all of it: the outermost is added last."""
    app = create_app(services, importlib.metadata.version("firstline"), limits)
    app.state.readiness = readiness
    app.add_middleware(CloseWhenDraining, readiness=readiness)
    app.add_middleware(RequestLog, new_id=random_id)
    return app


def uvicorn_config(app: FastAPI) -> uvicorn.Config:
    """Return how HTTP is spoken. Logs are `serve.logs`' to write, and requests are logged by `RequestLog`."""
    return uvicorn.Config(
        app,
        http=protocol_with(Deadlines()),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE,
    )


def serve_by_workers(settings: ServeSettings, listener: socket.socket, opened: Callable[[], None]) -> None:
    """Serve in processes of their own until a signal. Their numbers lie in a folder that this port alone uses."""
    host, port = listener.getsockname()[:2]
    folder = settings.var / "metrics" / f"{host.replace(':', '.')}-{port}"
    metrics.clear_folder(folder)
    os.environ[metrics.FOLDER_VARIABLE] = str(folder.resolve())
    crew = Crew(
        settings.workers,
        partial(work, settings, listener),
        patience=settings.drain_seconds + GRACE + MARGIN,
        before=lambda place: os.environ.__setitem__(metrics.WORKER_VARIABLE, str(place)),
        after=partial(metrics.forget_worker, folder),
    )
    try:
        Supervisor(crew, opened).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def work(settings: ServeSettings, listener: socket.socket, place: int, parent: WorkerEnd) -> None:
    """Serve as one of several; what keeps it from starting is told to the parent in a sentence."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure_logging(format_for(settings.log_format, sys.stderr.isatty()))
    try:
        serve_here(settings, listener, parent.ready, parent)
    except TOLD as error:
        parent.failed(str(error))
        sys.exit(1)
    except Exception as error:
        log.error("worker %s ended by an error", place, extra=fault(error))
        parent.failed(f"a worker could not start ({type(error).__name__}); the log says where")
        sys.exit(1)


def begin(opened: Callable[[], None]) -> None:
    """Be ready for requests, then say so."""
    allow_threads()
    log.info("requests are accepted")
    opened()


def allow_threads(count: int = THREADS) -> None:
    """Let this event loop work on so many requests at a time; a thread is started only when it is needed."""
    to_thread.current_default_thread_limiter().total_tokens = count
