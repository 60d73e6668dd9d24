"""Builders of cases, suggestions, outcomes and finished runs: what the tests of `eval` are written with."""

import random
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eval.cases import Case
from eval.measure import collect, measure
from eval.measurement import Measurement
from eval.metrics.all_metrics import all_metrics
from eval.outcomes import Outcome
from eval.resampling import value_of
from eval.run_record import OUTCOMES, CaseSet, Header, Run, begin, finish
from triage.suggestions import (
    Alternative,
    ArticleHit,
    Draft,
    DraftSentence,
    Handoff,
    HandoffReason,
    Prediction,
    Suggestion,
    Support,
    Versions,
    Why,
)
from triage.tickets import Requester, Ticket

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
VERSIONS = Versions(
    engine="e", encoder="hashing:64", generation="000001", knowledge_revision=0, policy="p", taxonomy="t"
)
LABELS = ("till", "vat", "stock", "outage")
FIELDS: dict[str, dict[str, int]] = {"category": {"till": 0, "vat": 5, "stock": 40, "outage": 200}}


def case(id: str = "c", group: str | None = None, **expect: Any) -> Case:
    return Case(id=id, ticket=Ticket(body="The till is stuck."), expect=expect, group=group)


def asked_by(requester: str, id: str, **expect: Any) -> Case:
    return Case(id=id, ticket=Ticket(body="x", requester=Requester(id=requester)), expect=expect)


def prediction(best: str, decided: bool = True, confidence: float = 0.5, others: Sequence[str] = ()) -> Prediction:
    ranked = others if decided else [best, *others]
    alternatives = tuple(Alternative(value=label, confidence=confidence / 2) for label in ranked)
    return Prediction(
        value=best if decided else None, confidence=confidence, decided=decided, alternatives=alternatives
    )


def article(name: str, score: float = 1.0) -> ArticleHit:
    return ArticleHit(
        article_id=name,
        revision=1,
        audience="public",
        title=name,
        score=score,
        passage="x",
        start=0,
        end=1,
        why=Why(dense=1, lexical=0, terms=()),
    )


def suggestion(**changes: Any) -> Suggestion:
    plain: dict[str, Any] = {
        "id": "s",
        "ticket_id": None,
        "kind": "request",
        "kind_evidence": "",
        "language": "en",
        "fields": {"category": prediction("till")},
        "due": None,
        "disposition": "draft",
        "versions": VERSIONS,
        "timing_ms": {},
    }
    return Suggestion(**plain | changes)


def guessing(label: str, confidence: float = 0.5, decided: bool = True) -> Suggestion:
    return suggestion(fields={"category": prediction(label, decided, confidence)})


def draft(*supported: bool, text: str = "x", source: str = "a") -> Draft:
    support = (Support(article_id=source, start=0, end=1, score=1),)
    facts = tuple(DraftSentence(text=text, role="fact", support=support if stands else ()) for stands in supported)
    return Draft(text=text, sentences=(DraftSentence(text="Hello,", role="greeting"), *facts), source="articles")


def handed_over(*codes: str) -> Suggestion:
    reasons = tuple(HandoffReason(code=code, severity="high", evidence="", would_change="") for code in codes)
    return suggestion(disposition="handoff", handoff=Handoff(reasons=reasons, team=None, summary=""))


def failed(id: str = "c", **expect: Any) -> Outcome:
    return Outcome(case(id, **expect), None, "ValueError at engine.py:7")


def right_and_wrong(results: Iterable[bool | int], group: str | None = None) -> list[Outcome]:
    """One case per result, numbered, whose category is guessed rightly or not."""
    return [
        Outcome(case(f"c-{number:04d}", group, category="till"), guessing("till" if right else "vat"))
        for number, right in enumerate(results)
    ]


def measured(outcomes: Sequence[Outcome], fields: Mapping[str, Mapping[str, int]] = FIELDS) -> list[Measurement]:
    metrics = all_metrics(fields)
    return measure(collect(outcomes, metrics, fields["category"]), metrics, 20)


def entry_of(name: str, *outcomes: Outcome, slice: str | None = None) -> Measurement:
    """One metric of some outcomes, with its interval."""
    metrics = [metric for metric in all_metrics(FIELDS) if metric.name == name]
    found = measure(collect(outcomes, metrics, FIELDS["category"]), metrics, 20)
    [entry] = [entry for entry in found if entry.slice == slice]
    return entry


def values_of(outcomes: Sequence[Outcome], fields: Mapping[str, Mapping[str, int]] = FIELDS) -> dict[str, float]:
    """Every metric that is scored, without intervals: what many examples can be tried on."""
    metrics = all_metrics(fields)
    scores = collect(outcomes, metrics, fields["category"])
    found: dict[str, float] = {}
    for metric in metrics:
        cases, rows = scores.by_metric[metric.name].arrays()
        if len(cases) and (value := value_of(metric.statistic, rows)) == value:
            found[metric.name] = value
    return found


def header_of(n: int, fields: Mapping[str, Mapping[str, int]] = FIELDS, **changes: Any) -> Header:
    plain: dict[str, Any] = {
        "desk": "demo",
        "at": NOW,
        "seed": 20,
        "cases": CaseSet(file="cases.jsonl", sha256="0" * 64, n=n),
        "versions": VERSIONS,
        "fields": fields,
        "machine": {},
    }
    return Header(**plain | changes)


def run_of(folder: Path, outcomes: Sequence[Outcome], **changes: Any) -> Run:
    """Write outcomes as a finished run, without measurements."""
    header = header_of(len(outcomes), **changes)
    begin(folder, header)
    (folder / OUTCOMES).write_text("".join(outcome.as_line() for outcome in outcomes), encoding="utf-8")
    return finish(folder, header, ())


def small_desk(project: Path, folder: Path) -> Path:
    """Copy the demo desk with the encoder that needs no weights and without its history: it builds in seconds."""
    shutil.copytree(project / "desks" / "demo", folder, ignore=shutil.ignore_patterns("history.jsonl"))
    settings = folder / "desk.toml"
    text = settings.read_text(encoding="utf-8").replace('encoder = "all-MiniLM-L6-v2"', 'encoder = "hashing"')
    settings.write_text(text, encoding="utf-8")
    return without_wording(folder)


def without_wording(folder: Path) -> Path:
    """Keep a desk's builds from learning wording of thousands of examples: the whole demo desk's build does that."""
    policy = folder / "policy.toml"
    lines = policy.read_text(encoding="utf-8").replace("[wording]\n", "[wording]\non = false\n")
    policy.write_text(lines if "[wording]" in lines else f"{lines}\n[wording]\non = false\n", encoding="utf-8")
    return folder


def some_outcomes(seed: int, n: int) -> list[Outcome]:
    """Outcomes of every sort: right, wrong, undecided, failed; with drafts, handoffs and articles."""
    draw = random.Random(seed)
    return [_some_outcome(draw, f"c-{number:04d}") for number in range(n)]


def _some_outcome(draw: random.Random, id: str) -> Outcome:
    articles = draw.sample("abcdefghijklmn", draw.randint(0, 10))
    expect = {
        "category": draw.choice(LABELS),
        "kind": draw.choice(("request", "thanks")),
        "articles": draw.sample("abcdefghijklmnop", draw.randint(1, 4)),
        "answerable": draw.random() < 0.6,
        "handoff": draw.random() < 0.3,
        "handoff_reasons": draw.sample(("sensitive_topic", "human_requested", "low_confidence"), draw.randint(0, 2)),
        "reply": draw.choice(("Pull the plug and wait.", "Send the form again.", "Ask your bank.")),
    }
    carried = {key: value for key, value in expect.items() if draw.random() < 0.8}
    asked = asked_by(f"r-{draw.randint(1, 30)}", id, **carried)
    if draw.random() < 0.1:
        return Outcome(asked, None, "ValueError at engine.py:7", draw.random())
    changes: dict[str, Any] = {
        "kind": draw.choice(("request", "thanks")),
        "fields": {
            "category": prediction(draw.choice(LABELS), draw.random() < 0.6, round(draw.random(), 2), LABELS[:2])
        },
        "articles": tuple(article(name, round(draw.random(), 2)) for name in articles),
    }
    if draw.random() < 0.3:
        reason = HandoffReason(code="sensitive_topic", severity="high", evidence="", would_change="")
        changes |= {"disposition": "handoff", "handoff": Handoff(reasons=(reason,), team=None, summary="")}
    elif draw.random() < 0.7:
        changes["draft"] = draft(*(draw.random() < 0.8 for _ in range(3)), text="Wait and ask your bank.")
    return Outcome(asked, suggestion(**changes), None, draw.random(), round(draw.uniform(-0.2, 1), 4))
