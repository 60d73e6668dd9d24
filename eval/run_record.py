"""A run is a folder that says what was run: ``run.json`` and ``outcomes.jsonl``."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from eval.measurement import Measurement
from eval.run_suite import Outcome
from models.artifact_files import sha256_of_file, write_bytes_atomically, write_json
from triage.suggestions import Versions


def write_run(
    out: Path,
    cases: Path,
    versions: Versions,
    now: datetime,
    outcomes: Sequence[Outcome],
    measurements: Sequence[Measurement],
) -> None:
    """Write a run; `run.json` comes last, so that a folder with it is whole."""
    out.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps(
            {
                "case": outcome.case.id,
                "error": outcome.error,
                "suggestion": outcome.suggestion.model_dump(mode="json") if outcome.suggestion else None,
            },
            ensure_ascii=False,
        )
        for outcome in outcomes
    ]
    write_bytes_atomically(out / "outcomes.jsonl", ("\n".join(lines) + "\n").encode())
    run = {
        "at": now.isoformat(),
        "cases": {"file": cases.name, "sha256": sha256_of_file(cases), "n": len(outcomes)},
        "versions": versions.model_dump(),
    }
    write_json(out / "run.json", {"run": run, "measurements": [asdict(entry) for entry in measurements]})
