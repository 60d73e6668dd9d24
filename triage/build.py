"""A desk folder into a generation: heads, thresholds, indexes, and a report that says how good they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from models.artifact_files import write_json
from models.linear_head import calm_fits
from models.protocols import FloatArray, Progress, TextEncoder, no_progress
from models.text_features import count_ngrams
from retrieval.dense_index import DenseIndex
from retrieval.documents import Document
from retrieval.lexical_index import LexicalIndex
from retrieval.passages import split_into_passages, text_to_encode
from retrieval.search import PassageSearch
from triage.classify import FieldHead
from triage.cleaning import read_text
from triage.desk_files import RULE_FILES, Desk, HistoryRow, hashes_of
from triage.engine import text_to_classify
from triage.fit import ALL_JUDGE, FieldReport, FoldPlan, LabelledTexts, fit_field
from triage.generation_files import PastReplies, copy_rules, write_heads, write_past_replies, write_search
from triage.generations import Generation, Generations


@dataclass(frozen=True)
class BuildReport:
    """What a build found out."""

    generation: str
    articles: int
    passages: int
    drafts_left_out: int
    history: int
    fields: tuple[FieldReport, ...]


def build_generation(
    desk: Desk,
    encoder: TextEncoder,
    generations: Generations,
    now: datetime,
    progress: Progress = no_progress,
    plan: FoldPlan = ALL_JUDGE,
) -> BuildReport:
    """Train, calibrate and index a desk, and publish the result as its current generation.

    plan: the folds of the history on which penalty, temperature and threshold are chosen.
    """
    search, left_out = build_search(desk.articles, encoder, progress)
    texts = [text_to_classify(read_text(row.ticket)) for row in desk.history]
    history_vectors = encoder.encode(texts, _named(progress, "encode past tickets"))
    with calm_fits():
        heads, reports = build_heads(desk, encoder, texts, history_vectors, progress, plan)
    past = build_past_replies(desk.history, history_vectors)

    def write(folder: Path) -> dict[str, Any]:
        write_heads(folder, heads)
        write_search(folder, search)
        write_past_replies(folder, past)
        copy_rules(desk.folder, folder, RULE_FILES)
        write_json(folder / "report.json", {"fields": {report.field: report.as_json() for report in reports}})
        return {
            "desk": desk.rules.settings.id,
            "sources": hashes_of(desk.folder),
            "created_at": now.isoformat(),
            "seed": plan.seed,
            "encoder": {"identity": encoder.identity, "dimension": encoder.dimension},
            "knowledge_revision": 0,
            "counts": {
                "articles": len(search.documents),
                "passages": len(search.passages),
                "history": len(desk.history),
            },
        }

    generation: Generation = generations.publish(write)
    return BuildReport(
        generation.name, len(search.documents), len(search.passages), left_out, len(desk.history), tuple(reports)
    )


def build_search(
    articles: Sequence[Document], encoder: TextEncoder, progress: Progress = no_progress
) -> tuple[PassageSearch, int]:
    """Index every published article; return the search and how many drafts were left out."""
    published = [document for document in articles if document.status == "published"]
    passages = [passage for document in published for passage in split_into_passages(document)]
    documents = {document.id: document for document in published}
    texts = [text_to_encode(documents[passage.document_id], passage) for passage in passages]
    vectors = encoder.encode(texts, _named(progress, "encode articles"))
    search = PassageSearch(documents, passages, DenseIndex.build(vectors), LexicalIndex.build(texts))
    return search, len(articles) - len(published)


def build_heads(
    desk: Desk,
    encoder: TextEncoder,
    texts: Sequence[str],
    vectors: FloatArray,
    progress: Progress = no_progress,
    plan: FoldPlan = ALL_JUDGE,
) -> tuple[dict[str, FieldHead], list[FieldReport]]:
    """Fit a head per field of the taxonomy on history and label descriptions."""
    heads, reports = {}, []
    counts = count_ngrams(texts)
    fields = desk.rules.taxonomy.fields
    for number, (field, labels) in enumerate(fields.items()):
        rows = [row for row, past in enumerate(desk.history) if field in past.labels]
        named = tuple(desk.history[row].labels[field] for row in rows)
        history = LabelledTexts(vectors[rows], counts[rows], named)
        told = [(name, text) for name, label in labels.items() for text in (label.description, *label.examples)]
        told_texts = [text for _, text in told]
        described = LabelledTexts(encoder.encode(told_texts), count_ngrams(told_texts), tuple(name for name, _ in told))
        max_error = desk.rules.policy.max_error(field)
        heads[field], report = fit_field(field, tuple(labels), history, described, max_error, plan.among(rows))
        reports.append(report)
        progress("fit fields", number + 1, len(fields))
    return heads, reports


def build_past_replies(history: Sequence[HistoryRow], vectors: FloatArray) -> PastReplies:
    """Index the resolved tickets that got a reply."""
    rows = [row for row, past in enumerate(history) if past.resolved and past.reply]
    tickets = tuple((history[row].ticket.id or f"line-{row + 1}", history[row].reply) for row in rows)
    return PastReplies(DenseIndex.build(np.ascontiguousarray(vectors[rows])), tickets)


def _named(progress: Progress, step: str) -> Progress:
    return lambda _, done, total: progress(step, done, total)
