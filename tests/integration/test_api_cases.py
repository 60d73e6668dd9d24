"""The served API against its own description: Schemathesis makes requests of every sort, and all its checks hold.

`make test-service` makes far more of them than a plain run of the tests.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from served_process import make_home, serving

EXAMPLES = int(os.environ.get("API_EXAMPLES", "5"))


def test_every_answer_is_one_that_the_description_knows(project: Path, tmp_path: Path) -> None:
    home = make_home(project, tmp_path)
    key = home.new_key(per_minute=1_000_000)
    with serving(home, tmp_path / "service.log") as service:
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "--config-file", str(project / "tests" / "schemathesis.toml"),
            "run", str(project / "openapi.json"), "--url", service.address, "-H", f"Authorization: Bearer {key}",
            "--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--checks", "all",
            "--continue-on-failure", "--seed", "20", "--no-color",
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=1_800)
        print(done.stdout[-2_000:])
        made = re.search(r"([\d,]+) generated", done.stdout)
        assert made is not None, done.stdout[-2_000:] + done.stderr[-2_000:]
        assert done.returncode == 0, re.sub(r"(.)\1{99,}", r"\1[…]\1", done.stdout)[-12_000:]
        assert int(made.group(1).replace(",", "")) >= 500
        assert not [line for line in service.lines() if line.get("status") == 500]
