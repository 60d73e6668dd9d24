"""Teaches a desk's search from its own past tickets: how far shared words count, and when what was found answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.protocols import Progress, TextEncoder, no_progress
from retrieval.answerability import Answerability
from retrieval.fit_answerability import Report, fit_answerability
from retrieval.fusion import Fusion, fit_fusion
from retrieval.questions import Question, judged, off_topic_texts, questions_from_replies
from retrieval.search import PassageSearch
from triage.cleaning import read_text
from triage.desk_files import HistoryRow
from triage.engine import MAX_ENCODED, text_to_search
from triage.outcome import is_public

#: More past tickets with a reply change the weights little, and each costs an encoder pass for its reply.
MAX_TAUGHT = 1_000


@dataclass(frozen=True)
class SearchReport:
    """What past tickets taught: how many had a reply that leans on one article, the weights of words, and how well
    questions that have an answer were told from those that have none (None: too few to say)."""

    questions: int
    fusion: Fusion
    answers: Report | None

    def sentence(self) -> str:
        """The outcome in words."""
        told = f"Search: {self.questions} past tickets have a reply that leans on one article"
        if self.answers is None:
            return f"{told}; how words count, and when an article answers, is as it comes with Firstline"
        found, whose = self.answers, "the desk's own weights" if self.answers.own else "the weights of the demo desk"
        return (
            f"{told}; {whose} tell {found.n[0]} questions with an answer from {found.n[1]} without: "
            f"AUROC {found.auroc:.3f}, by the nearest passage alone {found.by_nearness:.3f}; "
            f"ECE {found.calibration_error:.3f}"
        )


def teach_search(
    search: PassageSearch, history: Sequence[HistoryRow], encoder: TextEncoder, progress: Progress = no_progress
) -> tuple[PassageSearch, Answerability, SearchReport]:
    """Return the search with its weights learnt, what tells the chance of an answer, and how good both are.

    The chance is that of a public answer: a question whose article is internal counts as one that has none.
    """
    rows = _rows_to_learn_from(history) if search.passages else []
    asked = [text_to_search(read_text(history[row].ticket)) for row in rows]
    replies = [history[row].reply[:MAX_ENCODED] for row in rows]
    strange = off_topic_texts() if rows else []
    vectors = encoder.encode([*asked, *replies, *strange], progress)
    told = list(zip([*asked, *replies, *strange], vectors, strict=True))
    known = questions_from_replies(search, told[: len(rows)], told[len(rows) : 2 * len(rows)])
    search = replace(search, fusion=fit_fusion(judged(search, known)))
    others = [Question(text, vector, frozenset()) for text, vector in told[2 * len(rows) :]]
    answerable, report = fit_answerability(search, [*known, *others], is_public)
    return search, answerable, SearchReport(len(known), search.fusion, report)


def _rows_to_learn_from(history: Sequence[HistoryRow]) -> list[int]:
    """Return rows that were resolved with a reply, `MAX_TAUGHT` at most, drawn evenly over all of the history."""
    rows = [row for row, past in enumerate(history) if past.resolved and past.reply]
    if len(rows) <= MAX_TAUGHT:
        return rows
    return [rows[place * len(rows) // MAX_TAUGHT] for place in range(MAX_TAUGHT)]
