"""Fixtures: real parts only. What is slow to make is made once a session."""

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from eval_builders import without_wording
from postgres import fresh_database, postgres_server

import models.egress
from models.openvino_encoder import OpenVinoEncoder
from triage.assembly import build_engine, encoder_for_build, generations_of
from triage.build import BuildReport, build_generation
from triage.desk_files import read_desk
from triage.engine import TriageEngine

PROJECT = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
#: Exports are named by the hash of their weights, so tests may share the project's.
ENCODERS = PROJECT / "var" / "encoders"

#: No test may reach another machine, whatever it does wrong.
models.egress.ALLOW_REMOTE = False
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


def build_desk(folder: Path, var: Path) -> BuildReport:
    desk = read_desk(folder)
    return build_generation(desk, encoder_for_build(desk, var), generations_of(desk.rules.settings, var), NOW)


def var_with_encoders(folder: Path) -> Path:
    """A fresh `var` that shares the exported encoder."""
    ENCODERS.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "encoders").symlink_to(ENCODERS)
    return folder


@pytest.fixture(scope="session")
def demo_var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo desk, built with the packaged encoder."""
    var = var_with_encoders(tmp_path_factory.mktemp("demo") / "var")
    build_desk(PROJECT / "desks" / "demo", var)
    return var


@pytest.fixture(scope="session")
def demo_engine(demo_var: Path) -> TriageEngine:
    return build_engine(PROJECT / "desks" / "demo", demo_var)


@pytest.fixture(scope="session")
def openvino_encoder(demo_var: Path) -> OpenVinoEncoder:
    return OpenVinoEncoder(next((demo_var / "encoders").glob("openvino-int8-53aa51172d14-*-demo")))


@pytest.fixture
def desk_copy(tmp_path: Path) -> Callable[[], Path]:
    """Returns a function that copies the demo desk, with the encoder that needs no weights, for breaking on purpose."""

    return lambda: copy_demo(PROJECT, tmp_path / "desk")


def copy_demo(project: Path, folder: Path) -> Path:
    """Copy the demo desk, with the encoder that needs no weights."""
    shutil.copytree(project / "desks" / "demo", folder)
    settings = folder / "desk.toml"
    text = settings.read_text(encoding="utf-8").replace('encoder = "all-MiniLM-L6-v2"', 'encoder = "hashing"')
    settings.write_text(text, encoding="utf-8")
    return without_wording(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL server.

    Its folder is not pytest's: another run would close that folder to the user that the server runs as.
    """
    with TemporaryDirectory(prefix="firstline-postgres-") as folder, postgres_server(Path(folder)) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database; a test that asks for it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'firstline.db'}"
    else:
        with fresh_database(request.getfixturevalue("postgres")) as url:
            yield url
