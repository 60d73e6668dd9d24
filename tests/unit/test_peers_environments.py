"""An environment is made once, again when its requirements change, and never left half made."""

import subprocess
from pathlib import Path

import pytest

from eval.errors import BenchError
from eval.peers.environments import MARKER, ensure_environment


def test_an_environment_is_made_once_for_its_requirements(tmp_path: Path) -> None:
    folder, requirements, told = tmp_path / "echo", tmp_path / "echo.txt", list[str]()
    requirements.write_text("# nothing\n", encoding="utf-8")
    python = ensure_environment(folder, requirements, told.append)
    done = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True)
    assert done.stdout.strip() == str(folder)
    assert told[0] == f"making {folder} with the packages of echo.txt (minutes, once)"

    (folder / "kept").touch()
    told.clear()
    assert ensure_environment(folder, requirements, told.append) == python
    assert told == []
    assert (folder / "kept").exists()

    requirements.write_text("# nothing, said otherwise\n", encoding="utf-8")
    assert ensure_environment(folder, requirements, told.append) == python
    assert not (folder / "kept").exists()


def test_a_failed_installation_ends_with_pip_s_last_line_and_is_tried_again(tmp_path: Path) -> None:
    folder, requirements, told = tmp_path / "echo", tmp_path / "echo.txt", list[str]()
    requirements.write_text(f"{tmp_path / 'no-such-package-1.0.tar.gz'}\n", encoding="utf-8")
    for _ in range(2):
        told.clear()
        with pytest.raises(BenchError, match=r"pip failed in making an environment: ERROR: .*no-such-package"):
            ensure_environment(folder, requirements, told.append)
        assert told[0].startswith("making ")
        assert not (folder / MARKER).exists()


def test_setfit_s_requirements_are_pinned_one_by_one(project: Path) -> None:
    lines = (project / "eval/peers/setfit.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(line.count("==") == 1 and "+" not in line for line in pins)
    assert {"setfit==1.2.0", "torch==2.13.0"} <= set(pins)
