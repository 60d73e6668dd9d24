"""The text-triggered rules on the set that their phrases were developed with: a floor against going back."""

import json
from pathlib import Path

from triage.drafting.clauses import find_wording


def test_the_phrases_keep_what_they_have_learned(project: Path) -> None:
    lines = (project / "tests/integration/handoff_wording.jsonl").read_text(encoding="utf-8").splitlines()
    caught = missed = false_alarms = near_misses = 0
    for line in lines:
        row = json.loads(line)
        found = {match.topic for match in find_wording(row["text"], "sensitive_topic")}
        found |= {"human_requested" for _ in find_wording(row["text"], "human_requested")}
        if row["expect"] is None:
            near_misses += 1
            false_alarms += bool(found)
        else:
            caught += row["expect"] in found
            missed += row["expect"] not in found
    assert caught / (caught + missed) >= 0.90
    assert false_alarms / near_misses <= 0.10
