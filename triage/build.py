"""A desk folder into a generation: heads, thresholds, indexes, and a report that says how good they are."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from models.artifact_files import write_json
from models.protocols import Progress, TextEncoder, no_progress
from retrieval.answerability import Answerability
from retrieval.dense_index import DenseIndex
from retrieval.documents import Document
from retrieval.lexical_index import LexicalIndex
from retrieval.passages import split_into_passages, text_to_encode
from retrieval.search import PassageSearch
from triage.build_fields import FieldTrainer
from triage.cleaning import read_text
from triage.code_hash import code_hash
from triage.desk_files import RULE_FILES, Desk, hashes_of
from triage.engine import text_to_classify
from triage.fit import FieldReport
from triage.fit_novelty import NoveltyReport
from triage.fit_search import SearchReport, teach_search
from triage.fit_wording import WordingReport
from triage.folds import ALL_JUDGE, FoldPlan
from triage.generation_files import (
    copy_rules,
    write_past_replies,
    write_search,
)
from triage.generations import Generations
from triage.learnt_fields import LearntFields, key_of, learn_fields, taken_over
from triage.past_replies import PastReplies, build_past_replies


@dataclass(frozen=True)
class BuildReport:
    """What a build found out. needed: the fields without which the desk's policy lets no reply be drafted."""

    generation: str
    articles: int
    passages: int
    drafts_left_out: int
    refused: int
    history: int
    fields: tuple[FieldReport, ...]
    languages: tuple[str, ...]
    needed: tuple[str, ...]
    index: str
    novelty: NoveltyReport | None = None
    wording: WordingReport | None = None
    search: SearchReport | None = None


def build_generation(
    desk: Desk,
    encoder: TextEncoder,
    generations: Generations,
    now: datetime,
    progress: Progress = no_progress,
    plan: FoldPlan = ALL_JUDGE,
) -> BuildReport:
    """Train, calibrate and index a desk, and publish the result as its current generation.

    plan: the folds of the history on which penalty, temperature and threshold are chosen. What the present generation
    learnt of the fields is taken over where it would be learnt from the same files, by the same encoder and code.
    """
    sources = hashes_of(desk.folder)
    key = key_of(sources, encoder.identity, plan)
    search, left_out = build_search(desk.articles, encoder, progress)
    texts = [text_to_classify(read_text(row.ticket)) for row in desk.history]
    vectors = encoder.encode(texts, _named(progress, "encode past tickets"))
    fields = taken_over(generations.sound_current(), key)
    fields = fields or learn_fields(FieldTrainer(desk, encoder, texts, vectors, plan), progress)
    search, answerable, taught = teach_search(search, desk.history, encoder, _named(progress, "encode past replies"))
    past = build_past_replies(desk.history, texts, vectors, desk.macros, encoder)
    parts = Parts(fields, search, answerable, taught, past)

    def write(folder: Path) -> dict[str, Any]:
        parts.write(folder)
        copy_rules(desk.folder, folder, RULE_FILES)
        made = {"created_at": now.isoformat(), "seed": plan.seed, "sources": sources}
        made |= {"code": code_hash(), "fields_key": key}
        return made | facts_of(desk, encoder, search)

    generation = generations.publish(write)
    return BuildReport(
        generation.name,
        len(search.documents),
        len(search.passages),
        left_out,
        len(desk.refused),
        len(desk.history),
        fields.reports,
        desk.rules.settings.languages,
        desk.rules.policy.draft.needs,
        str(search.dense.card),
        fields.novelty,
        fields.wording,
        taught,
    )


@dataclass(frozen=True)
class Parts:
    """All that a build makes, and what it found out about it."""

    fields: LearntFields
    search: PassageSearch
    answerable: Answerability
    taught: SearchReport
    past: PastReplies

    def write(self, folder: Path) -> None:
        """Write everything into an empty folder, with a report that people and programs can read."""
        self.fields.write_into(folder)
        write_search(folder, self.search)
        write_json(folder / "answerability.json", self.answerable.as_card())
        write_past_replies(folder, self.past)
        told = {report.field: report.as_json() for report in self.fields.reports}
        rest = {"novelty": self.fields.novelty, "wording": self.fields.wording, "search": self.taught}
        found = {name: asdict(report) if report else None for name, report in rest.items()}
        write_json(folder / "report.json", {"fields": told, **found})


def facts_of(desk: Desk, encoder: TextEncoder, search: PassageSearch) -> dict[str, Any]:
    """Return what the manifest says of a desk, its encoder and its knowledge."""
    return {
        "desk": desk.rules.settings.id,
        "encoder": {"identity": encoder.identity, "dimension": encoder.dimension},
        "knowledge_revision": desk.knowledge_revision,
        "counts": {
            "articles": len(search.documents),
            "passages": len(search.passages),
            "history": len(desk.history),
        },
    }


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


def _named(progress: Progress, step: str) -> Progress:
    return lambda _, done, total: progress(step, done, total)
