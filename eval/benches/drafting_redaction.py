"""How much personal data becomes a placeholder, and how much of what does is none."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from eval.benches.frame import Row
from triage.drafting.redaction import PLACEHOLDER, redact
from triage.risk import proportion_interval

#: The first is the one that the rules were developed on; nobody who wrote the second had seen a rule.
SETS = {
    "developed on": Path("tests/integration/redaction_cases.jsonl"),
    "unseen": Path("tests/integration/redaction_unseen.jsonl"),
}


class Found(NamedTuple):
    """Which message, what kind, and where in its text."""

    case: str
    kind: str
    start: int
    end: int


def redaction_rows(sets: Mapping[str, Path]) -> list[Row]:
    """Return recall and precision per kind for each set of messages."""
    rows = []
    for name, path in sets.items():
        cases = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        wanted = {
            Found(case["id"], *map(span.get, ("kind", "start", "end"))) for case in cases for span in case["spans"]
        }
        found = {one for case in cases for one in redacted_spans(case["id"], case["text"])}
        for kind in (*sorted({one.kind for one in wanted | found}), "all"):
            of_kind = [{one for one in side if kind in (one.kind, "all")} for side in (wanted, found)]
            rows.append(_row(name, kind, *of_kind))
    return rows


def redacted_spans(case: str, text: str) -> Iterator[Found]:
    """Yield where the values of a text's placeholders stood."""
    redacted, redactions = redact(text)
    shift = 0
    for match in PLACEHOLDER.finditer(redacted):
        value, start = redactions.values[match.group()], match.start() + shift
        yield Found(case, match.group()[1:].split("_")[0], start, start + len(value))
        shift += len(value) - len(match.group())


def _row(name: str, kind: str, wanted: set[Found], found: set[Found]) -> Row:
    """Return one row. covered: of what must go, what went with no character left, whatever it was taken for."""
    covered = [any(_covers(other, one) for other in found) for one in wanted]
    return {
        "table": f"Personal data ({name})",
        "kind": kind,
        "n": len(wanted),
        "recall": _share([one in found for one in wanted]),
        "gone whole": _share(covered),
        "placeholders": len(found),
        "precision": _share([one in wanted for one in found]),
    }


def _covers(found: Found, wanted: Found) -> bool:
    return found.case == wanted.case and found.start <= wanted.start and found.end >= wanted.end


def _share(truths: Sequence[bool]) -> dict[str, Any]:
    low, high = proportion_interval(sum(truths), len(truths))
    return {"value": sum(truths) / max(1, len(truths)), "low": low, "high": high}
