"""Environments of their own for peers whose packages are not ours."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from eval.errors import BenchError

#: Lies in an environment that is whole: the SHA-256 of the requirement file it was made from.
MARKER = ".requirements-sha256"


def ensure_environment(folder: Path, requirements: Path, report: Callable[[str], None]) -> Path:
    """Return the interpreter of an environment with these requirements, and make it where there is none yet.

    It is made again when the requirement file changes, and when an earlier attempt was cut off. `report` gets lines
    for people while pip works. Raises `BenchError` with pip's last line where the installation fails.
    """
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    marker = folder / MARKER
    python = folder / "bin" / "python"
    if marker.is_file() and marker.read_text(encoding="ascii") == wanted and python.exists():
        return python
    report(f"making {folder} with the packages of {requirements.name} (minutes, once)")
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)], report)
    # Our own pip installs into it (--python): none has to be unpacked there first.
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--no-input"]
    _run([*pip, "install", "--progress-bar", "off", "--requirement", str(requirements)], report)
    marker.write_text(wanted, encoding="ascii")
    return python


def _run(command: list[str], report: Callable[[str], None]) -> None:
    """Run a command to its end, reporting its lines; raise `BenchError` with the last one where it fails."""
    last = "it said nothing"
    with subprocess.Popen(  # noqa: S603 - our own interpreter, our own arguments
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            if line.strip():
                last = line.strip()
                report(last)
    if process.returncode:
        raise BenchError(f"{command[2]} failed in making an environment: {last}")
