"""Whether the rules see that a person must take over, in wording that nobody knew who wrote them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from eval.benches.frame import Bar, Row
from triage.cleaning import TicketText
from triage.drafting.handoff import HANDOFF_RULES, Evidence
from triage.drafting.policy import Policy, Topic
from triage.engine import TriageEngine
from triage.language import Language
from triage.risk import proportion_interval

UNSEEN = Path("tests/integration/handoff_unseen.jsonl")
LANGUAGES = ("en", "de", "fr", "es")
RULES = frozenset({"human_requested", "sensitive_topic"})
RECALL, PRECISION = 0.95, 0.90


@dataclass(frozen=True)
class Wording:
    """A message; reason: what it is about, or nearly; fires: whether it is; handed_over: whether a rule fired."""

    reason: str
    language: str
    fires: bool
    handed_over: bool


def wording_rows(path: Path, engine: TriageEngine) -> tuple[list[Row], list[Bar]]:
    """Return rows by reason and by language, and the bars."""
    judged = judge_wording(path, engine)
    groups = {name: [one for one in judged if one.reason == name] for name in ("human_requested", *get_args(Topic))}
    groups |= {language: [one for one in judged if one.language == language] for language in LANGUAGES}
    rows = [_row(name, group) for name, group in {**groups, "all": judged}.items()]
    fired = [one for one in judged if one.handed_over]
    found = [
        ("handoff on unseen wording: recall", [one.handed_over for one in judged if one.fires], RECALL),
        ("handoff on unseen wording: precision", [one.fires for one in fired], PRECISION),
    ]
    return rows, [_bar(name, truths, least) for name, truths, least in found]


def judge_wording(path: Path, engine: TriageEngine) -> list[Wording]:
    """Put every message through the rules that ask for a person and that watch over topics, phrases and learnt."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Wording(row["reason"], row["language"], row["fires"], hands_over(row["text"], engine)) for row in rows]


def hands_over(text: str, engine: TriageEngine) -> bool:
    """Tell whether one of the rules fires on a message."""
    read = engine.classifier.classify(text, engine.encoder.encode([text])[0]).reads_like
    evidence = Evidence("request", TicketText("", text, text), Language("en", 1.0), LANGUAGES, {}, reads_like=read)
    return any(HANDOFF_RULES[name](evidence, Policy()) for name in RULES)


def _row(name: str, judged: Sequence[Wording]) -> Row:
    firing, near = [one for one in judged if one.fires], [one for one in judged if not one.fires]
    return {
        "table": "Handoff on unseen wording",
        "reason": name,
        "n": len(firing),
        "recall": _share([one.handed_over for one in firing]),
        "near misses": len(near),
        "handed over": _share([one.handed_over for one in near]),
    }


def _share(truths: Sequence[bool]) -> dict[str, float]:
    low, high = proportion_interval(sum(truths), len(truths))
    return {"value": sum(truths) / max(1, len(truths)), "low": low, "high": high}


def _bar(name: str, truths: Sequence[bool], least: float) -> Bar:
    found = _share(truths)
    return Bar(name, found["value"], found["low"], found["high"], f">= {least:g}", found["value"] >= least)
