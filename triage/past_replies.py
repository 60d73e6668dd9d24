"""What was answered before: past tickets with their replies, and saved replies, searched as articles are."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.protocols import FloatArray, TextEncoder
from retrieval.dense_index import DenseIndex
from retrieval.documents import Document, Hit, Passage
from retrieval.fusion import identifiers
from retrieval.lexical_index import LexicalIndex
from retrieval.search import PassageSearch
from triage.desk_files import HistoryRow
from triage.outcome import why_found
from triage.suggestions import MacroHit, SimilarTicket

MAX_SIMILAR = 3
#: The cosine from which on a past ticket is shown; one that holds an identifier of the question is shown anyway.
MIN_SIMILAR = 0.5
MAX_MACROS = 3
#: Off-topic questions reach .27 with the demo's saved replies; a quarter of the right ones lie below .32.
MIN_MACRO = 0.3
#: The newest past tickets, as many as heads learn from.
MAX_PAST = 50_000
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True)
class PastReplies:
    """Resolved tickets of the desk with the reply each got, and the desk's saved replies."""

    tickets: PassageSearch
    replies: Mapping[str, str]
    macros: PassageSearch

    def similar(self, query: str, vector: FloatArray) -> tuple[SimilarTicket, ...]:
        """Return the past tickets most like a question, for its text and unit vector of shape (dimension,)."""
        named = set(identifiers(query))
        return tuple(
            SimilarTicket(
                ticket_id=hit.document.id,
                score=round(hit.score, 4),
                reply=self.replies[hit.document.id],
                why=why_found(hit),
            )
            for hit in self.tickets.find(query, vector, MAX_SIMILAR)
            if hit.dense >= MIN_SIMILAR or not named.isdisjoint(hit.terms)
        )

    def saved(self, query: str, vector: FloatArray) -> tuple[MacroHit, ...]:
        """Return the saved replies that may suit a question, best first, placeholders and all."""
        hits = self.macros.find(query, vector, MAX_MACROS)
        return tuple(_macro_hit(hit) for hit in hits if hit.dense >= MIN_MACRO)


def build_past_replies(
    history: Sequence[HistoryRow],
    texts: Sequence[str],
    vectors: FloatArray,
    macros: Sequence[Document],
    encoder: TextEncoder,
) -> PastReplies:
    """Index the resolved tickets that got a reply, by texts and vectors in the history's order, and the macros."""
    rows = [row for row, past in enumerate(history) if past.resolved and past.reply][-MAX_PAST:]
    names = _names([history[row].ticket.id for row in rows], rows)
    asked = [
        Document(name, history[row].ticket.subject or "", texts[row], ()) for name, row in zip(names, rows, strict=True)
    ]
    about = [f"{macro.title}\n{_PLACEHOLDER.sub('', macro.text)}" for macro in macros]
    return PastReplies(
        _search_whole(asked, [one.text for one in asked], np.ascontiguousarray(vectors[rows])),
        {name: history[row].reply for name, row in zip(names, rows, strict=True)},
        _search_whole(macros, about, encoder.encode(about)),
    )


def _search_whole(documents: Sequence[Document], texts: Sequence[str], vectors: FloatArray) -> PassageSearch:
    """Return a search in which every document is one passage, found by its text and its row of the vectors."""
    passages = [Passage(f"{one.id}#0", one.id, (), 0, len(one.text), one.text) for one in documents]
    by_id = {one.id: one for one in documents}
    return PassageSearch(by_id, passages, DenseIndex.build(vectors), LexicalIndex.build(list(texts)))


def _names(ids: Sequence[str | None], rows: Sequence[int]) -> list[str]:
    """Return a name for each ticket: its id, or its line where it has none or shares one."""
    known: set[str] = set()
    names = []
    for id, row in zip(ids, rows, strict=True):
        name = id if id and id not in known else f"line-{row + 1}"
        known.add(name)
        names.append(name)
    return names


def _macro_hit(hit: Hit) -> MacroHit:
    return MacroHit(
        macro_id=hit.document.id,
        title=hit.document.title,
        score=round(hit.score, 4),
        text=hit.document.text,
        why=why_found(hit),
    )
