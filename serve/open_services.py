"""Opens what a process serves: database, desks, keys, and the threads that keep desks up to date."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from models.micro_batch import MicroBatcher
from models.protocols import TextEncoder
from serve.compactor import Compactor
from serve.errors import StartError
from serve.follower import Follower
from serve.memory import Sweeper, give_back
from serve.security.rate_limits import RateLimiter
from serve.served_desk import DeskPlace, ServedDesk, adopt_folder
from serve.services import Services, Stores, utc_now
from serve.storage.database import Database
from serve.storage.leases import Leases
from serve.storage.stored_history import StoredHistory
from triage.desk_files import read_rules
from triage.suggestions import Suggestion


@dataclass(frozen=True)
class Watching:
    """Who is told of what a process does: of each suggestion with its desk, and of each desk after each look at it."""

    on_suggestion: Callable[[str, Suggestion], None] = lambda desk, suggestion: None
    on_look: Callable[[ServedDesk], None] = lambda desk: None


def open_services(folders: Sequence[Path], var: Path, database_url: str, watching: Watching | None = None) -> Services:
    """Load every desk and open the database, and begin to follow changes. `Services.close` ends all of it.

    Desks with the same encoder share one, and its passes. Raises `StartError`, or what a desk that cannot be served
    raises.
    """
    database = Database.open(database_url)
    try:
        return _open(folders, var, database, watching or Watching())
    except BaseException:
        database.close()
        raise


def _open(folders: Sequence[Path], var: Path, database: Database, watching: Watching) -> Services:
    stores, encoders, histories = Stores.of(database), Encoders(), Histories(database)
    desks: dict[str, ServedDesk] = {}
    for folder in folders:
        id = read_rules(folder).settings.id
        if id in desks:
            raise StartError(f"two desks have the id {id!r}; change one in its desk.toml")
        adopt_folder(folder, id, stores.articles, utc_now())
        desks[id] = ServedDesk(DeskPlace(folder, var, stores.articles, encoders.share, histories.of))
    compactor = Compactor(Leases(database), f"{os.getpid()}-{os.urandom(4).hex()}", utc_now)

    sweeper = Sweeper()

    def after(desk: ServedDesk) -> None:
        histories.of(desk.id, desk.engine.encoder).refresh()
        compactor.look_at(desk)
        if sweeper.is_due(desk.id, desk.engine.versions.generation):
            give_back()
        watching.on_look(desk)

    follower = Follower(list(desks.values()), after)
    services = Services(
        desks,
        stores,
        RateLimiter(database),
        on_suggestion=watching.on_suggestion,
        closing=(follower.stop, compactor.stop, encoders.close, database.close),
    )
    follower.start()
    return services


class Histories:
    """What each desk knows of its tickets, by encoder: kept, so that a new generation finds open tickets in memory."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[str, str], StoredHistory] = {}

    def of(self, desk: str, encoder: TextEncoder) -> StoredHistory:
        """Return a desk's history for vectors of an encoder."""
        key = desk, encoder.identity
        if key not in self._known:
            self._known[key] = StoredHistory(self._database, desk, encoder)
        return self._known[key]


class Encoders:
    """One batcher for each encoder, whichever desk brings it."""

    def __init__(self) -> None:
        self._known: dict[str, MicroBatcher] = {}
        self._lock = Lock()

    def share(self, identity: str, opened: Callable[[], TextEncoder]) -> TextEncoder:
        """Return the batcher over the encoder of an identity, which is opened where nobody has brought it yet."""
        with self._lock:
            if identity not in self._known:
                self._known[identity] = MicroBatcher(opened())
            return self._known[identity]

    def close(self) -> None:
        """Stop all of them; what waits is answered first."""
        for batcher in self._known.values():
            batcher.close()
