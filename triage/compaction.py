"""A generation with the knowledge of today: what was learnt stays, the indexes are built anew."""

import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.article_changes import ChangedArticle
from retrieval.dense_index import DenseIndex
from retrieval.lexical_index import LexicalIndex
from retrieval.passages import text_to_encode
from retrieval.search import PassageSearch
from triage.generation_files import ARTICLES, read_search, write_search
from triage.generations import MANIFEST, Generation, Generations


def compact(
    base: Generation, articles: Sequence[ChangedArticle], revision: int, generations: Generations, now: datetime
) -> Generation:
    """Publish a generation that serves these articles, all that are published as of a revision of the knowledge.

    Heads, thresholds, past replies, and the weights of search and answerability are those of `base`: they are learnt
    from tickets, by `build`. Raises `GenerationError` where `base` is no longer the current generation.
    """
    dimension = base.manifest["encoder"]["dimension"]
    known = read_search(base.folder, dimension)
    passages = [passage for article in articles for passage in article.passages]
    documents = {article.document.id: article.document for article in articles}
    nothing = np.zeros((0, dimension), dtype=np.float32)
    vectors = np.concatenate([nothing, *(article.vectors for article in articles)])
    texts = [text_to_encode(documents[passage.document_id], passage) for passage in passages]
    search = PassageSearch(documents, passages, DenseIndex.build(vectors), LexicalIndex.build(texts), known.fusion)

    def write(folder: Path) -> dict[str, Any]:
        for path in base.folder.rglob("*"):
            name = path.relative_to(base.folder)
            if path.is_file() and not str(name).startswith(f"{ARTICLES}.") and str(name) != MANIFEST:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, folder / name)
        write_search(folder, search)
        counts = {**base.manifest["counts"], "articles": len(documents), "passages": len(passages)}
        told = {key: value for key, value in base.manifest.items() if key not in ("files", "format")}
        return told | {
            "knowledge_revision": revision,
            "counts": counts,
            "created_at": now.isoformat(),
            "compacted_from": base.name,
        }

    return generations.publish(write, only_after=base.name)
