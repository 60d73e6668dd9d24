"""What of an article answers: runs of blocks that belong together, chosen by meaning, given in the article's order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.protocols import FloatArray
from retrieval.documents import Block, Hit
from triage.drafting.asked import Asked

#: A run is taken when it scores so much of the best one's score; at most so many runs of so many passages.
NEAR, MOST_RUNS, MOST_PASSAGES = 0.7, 4, 4
#: A sentence of more words does not go along with the list that follows it.
LEAD_WORDS = 40
LISTED = ("step", "bullet")

Vectors = Callable[[Sequence[str]], FloatArray]


@dataclass(frozen=True)
class Run:
    """A procedure, a list, a paragraph or a table row of a passage, whole."""

    hit: Hit
    blocks: tuple[Block, ...]

    @cached_property
    def text(self) -> str:
        """Its words."""
        return self.hit.document.text[self.blocks[0].start : self.blocks[-1].end]

    @cached_property
    def in_context(self) -> str:
        """Its words under the headings, since a section leaves its subject unsaid."""
        return "\n".join((*self.hit.passage.headings, self.text))

    @property
    def words(self) -> int:
        """How many words it has."""
        return len(self.text.split())


def runs_of(hit: Hit) -> Iterator[Run]:
    """Yield the runs of a passage in order: steps and bullets stay together, with the sentence that leads to them."""
    blocks = [block for block in hit.document.blocks if hit.passage.start <= block.start < hit.passage.end]
    run: list[Block] = []
    for place, block in enumerate(blocks):
        if run and not _goes_on(hit.document.text, run, blocks[place:]):
            yield Run(hit, tuple(run))
            run = []
        run.append(block)
    if run:
        yield Run(hit, tuple(run))


def _goes_on(text: str, run: Sequence[Block], rest: Sequence[Block]) -> bool:
    """Tell whether the first of the blocks that are left belongs to a run."""
    block, last = rest[0], run[-1]
    if any(one.kind == "step" for one in run):
        # What stands between two steps belongs to them; what follows the last may be another matter.
        following = next((one for one in rest if one.kind == "step"), None)
        return following is not None and not text.startswith("1. ", following.start)
    if block.kind not in LISTED:
        return False
    leads = len(run) == 1 and last.kind == "paragraph" and len(text[last.start : last.end].split()) <= LEAD_WORDS
    return last.kind == block.kind or (leads and (block.kind == "step" or text[: last.end].rstrip().endswith(":")))


def choose_runs(asked: Sequence[Asked], hits: Sequence[Hit], vectors: Vectors, budget: int) -> list[Run]:
    """Return the runs to quote, in the article's order: the best one and those that are nearly as near.

    asked: the whole message first, then its questions; hits: passages of one article, best first, at least one; budget:
    words, which the best run may exceed. A run scores by its passage, by the message and by the question nearest to it.
    """
    runs = [run for hit in hits[:MOST_PASSAGES] for run in runs_of(hit)]
    told = np.stack([one.vector for one in asked])
    near = vectors([run.in_context for run in runs]) @ told.T
    scores = near[:, 0] + near.max(axis=1) + np.array([run.hit.score for run in runs])
    order = np.argsort(-scores, kind="stable").tolist()
    chosen: list[int] = []
    for number in order:
        if len(chosen) == MOST_RUNS or scores[number] < NEAR * scores[order[0]]:
            break
        if not chosen or sum(runs[one].words for one in (*chosen, number)) <= budget:
            chosen.append(number)
    return sorted((runs[number] for number in chosen), key=lambda run: run.blocks[0].start)
