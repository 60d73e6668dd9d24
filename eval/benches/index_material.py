"""Real passages for the benches of search at scale: the Exchange articles under ``$DATA``, cut and encoded."""

import gzip
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from eval.benches.frame import data_folder
from eval.errors import BenchError
from models.protocols import FloatArray, Progress, TextEncoder
from retrieval.article_folder import ReadChoices, read_source
from retrieval.documents import Document, Passage
from retrieval.passages import split_into_passages, text_to_encode

QUESTIONS = 1_000


@dataclass(frozen=True)
class Real:
    """Real passages with their vectors, and questions: the articles' own summaries, which are not indexed."""

    documents: dict[str, Document]
    passages: list[Passage]
    texts: list[str]
    vectors: FloatArray
    questions: list[str]
    asked: FloatArray


def read_real(encoder: TextEncoder, most: int | None) -> Real:
    """Read and encode the Exchange articles. Raises `BenchError` where one cannot be read."""
    path = data_folder("kb_exchange") / "articles.jsonl.gz"
    read = read_source(path, ReadChoices(datetime.now(UTC)))
    if read.refusals:
        raise BenchError(f"{read.refusals[0]}")
    documents = {document.id: replace(document, status="published") for document in read.documents[:most]}
    passages = [passage for document in documents.values() for passage in split_into_passages(document)]
    texts = [text_to_encode(documents[passage.document_id], passage) for passage in passages]
    with gzip.open(path, "rt", encoding="utf-8") as file:
        summaries = [str(json.loads(line).get("description") or "") for line in file][:most]
    questions = [text.removeprefix("Summary: ") for text in summaries if len(text.split()) > 3][:QUESTIONS]
    print(
        f"{len(documents):,} articles, {len(passages):,} passages, {len(questions):,} questions; encoding", flush=True
    )
    return Real(documents, passages, texts, encoder.encode(texts, _every(5_000)), questions, encoder.encode(questions))


def _every(texts: int) -> Progress:
    """Return a progress that prints a line for every so many texts."""
    printed = [0]

    def progress(step: str, done: int, total: int) -> None:
        if done // texts > printed[0]:
            printed[0] = done // texts
            print(f"{step}: {done:,} of {total:,}", flush=True)

    return progress
