"""Learns which messages a person must take over, from examples that come with Firstline and the desk's own tickets."""

import json
import os
from collections.abc import Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.calibration import fit_temperature
from models.linear_head import FloatMatrix, softmax
from models.protocols import Progress, TextEncoder, no_progress
from models.text_features import count_ngrams
from triage.desk_files import HistoryRow
from triage.drafting.clauses import find_wording
from triage.folds import SEED, stratified_folds
from triage.learnt_wording import NOTHING, LearntWording
from triage.penalties import Fold, LabelledTexts, Penalty, fit_head

#: Messages that say a reason, that nearly say it, and ordinary ones, written for this by several people.
EXAMPLES = Path(__file__).with_name("wording_examples.jsonl")
ORDINARY = "none"
#: Cross-validation on the examples, one writer's held out at a time, is flat around it.
PENALTY = Penalty(scale=2.0, strength=30.0)
#: Fits on thousands of rows take a while, and three folds say nearly what five do.
FOLDS = 3
#: Past tickets that stand for ordinary ones; more take longer and teach hardly more.
MAX_ORDINARY = 2_000
#: With fewer of them, the examples' own ordinary tickets judge with them how many would be flagged.
ENOUGH_ORDINARY = 100
#: A message with a lower chance is never flagged: not to see one who needs a person is worse than a draft less, but the
#: examples say that at .3 one flag in ten is wrong already.
LEAST = 0.3


@dataclass(frozen=True)
class WordingReport:
    """How well examples were told that the head had not seen: the share of `messages` that is flagged, while `flagged`
    of `ordinary` tickets are."""

    recognised: float
    messages: int
    flagged: float
    ordinary: int
    threshold: float

    def sentence(self) -> str:
        """Say it in one line."""
        return (
            f"Wording that hands over: of {self.messages:,} messages {self.recognised:.0%} are recognised, "
            f"at {self.flagged:.0%} of {self.ordinary:,} ordinary tickets"
        )


@dataclass(frozen=True)
class Examples:
    """Messages with their labels: a reason, or `NOTHING`; ordinary: which of them are everyday tickets."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    ordinary: NDArray[np.bool_]


def read_examples(path: Path = EXAMPLES) -> Examples:
    """Read the examples that come with Firstline."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    labels = tuple(row["reason"] if row["fires"] else NOTHING for row in rows)
    return Examples(tuple(row["text"] for row in rows), labels, np.array([row["reason"] == ORDINARY for row in rows]))


def ordinary_rows(history: Sequence[HistoryRow], texts: Sequence[str], teams: Set[str | None]) -> NDArray[np.int64]:
    """Return rows of the history that needed nobody in particular: no phrase of the rules stands in them, and they did
    not go to the teams that the rules hand over to."""
    step = -(-len(texts) // MAX_ORDINARY) or 1
    return np.array(
        [
            row
            for row in range(0, len(texts), step)
            if history[row].labels.get("team") not in teams and not _has_phrase(texts[row])
        ],
        dtype=np.int64,
    )


def fit_wording(
    examples: Examples,
    tickets: LabelledTexts,
    encoder: TextEncoder,
    flag_at_most: float,
    progress: Progress = no_progress,
) -> tuple[LearntWording, WordingReport]:
    """Fit a head on the examples and on a desk's ordinary tickets, all labelled `NOTHING`.

    Temperature and threshold come from folds of both: at most `flag_at_most` of the ordinary tickets lie above the
    threshold, and it is no lower than `LEAST`.
    """
    vectors = encoder.encode(examples.texts, progress)
    rows = LabelledTexts(vectors, count_ngrams(examples.texts), examples.labels) + tickets
    labels = tuple(sorted({*rows.labels}))
    targets = np.array([labels.index(label) for label in rows.labels], dtype=np.int64)
    own = np.arange(len(targets)) >= len(examples.texts)
    ordinary = own if own.sum() >= ENOUGH_ORDINARY else own | np.append(examples.ordinary, own[own])
    logits = _held_out(rows, labels, stratified_folds(targets, SEED) % FOLDS)
    temperature = fit_temperature(logits, targets)
    chances = 1 - softmax(logits / temperature)[:, labels.index(NOTHING)]
    ranked = np.sort(chances[ordinary])[::-1]
    threshold = max(LEAST, float(np.nextafter(ranked[int(flag_at_most * len(ranked))], 2.0)))
    head, weights = fit_head(labels, rows, PENALTY)
    firing = chances[targets != labels.index(NOTHING)]
    report = WordingReport(
        recognised=float((firing >= threshold).mean()),
        messages=len(firing),
        flagged=float((ranked >= threshold).mean()),
        ordinary=len(ranked),
        threshold=threshold,
    )
    return LearntWording(replace(head, temperature=temperature), weights, threshold), report


def _held_out(rows: LabelledTexts, labels: Sequence[str], folds: NDArray[np.int64]) -> FloatMatrix:
    """Return the logits of every row by a head that did not see it; the fits run side by side, as they may."""
    logits = np.zeros((len(folds), len(labels)))

    def judge(number: int) -> None:
        unseen = np.flatnonzero(folds == number)
        fold = Fold(labels, rows.take(np.flatnonzero(folds != number)), rows.take(unseen))
        logits[unseen] = fold.logits_at(PENALTY)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        list(threads.map(judge, range(FOLDS)))
    return logits


def _has_phrase(text: str) -> bool:
    return any(next(find_wording(text, rule), None) for rule in ("human_requested", "sensitive_topic"))
