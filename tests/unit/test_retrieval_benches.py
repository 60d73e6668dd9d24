"""The bench of fusion and answers: its groups, and its rows over a small knowledge base."""

import numpy as np
import pytest

from eval.benches.grouped import Groups, linked
from eval.benches.retrieval_answers import NEAREST, OURS, TELLTALE, TFIDF, answer_rows, elsewhere_rows
from eval.benches.retrieval_fusion import AskedDesk, fusion_rows
from models.hashing_encoder import HashingEncoder
from retrieval.dense_index import DenseIndex
from retrieval.documents import Block, Document
from retrieval.lexical_index import LexicalIndex
from retrieval.passages import split_into_passages, text_to_encode
from retrieval.questions import Question
from retrieval.search import PassageSearch

ENCODER = HashingEncoder()
THINGS = ("kettle", "ladder", "violin", "anchor", "pillow", "hammer")


@pytest.fixture(scope="module")
def asked() -> AskedDesk:
    texts = {thing: f"Ask the desk to mend the {thing}." for thing in THINGS}
    texts["elsewhere"] = "Trains go to Annecy on Sundays."
    documents = [Document(id, id, text, (Block("paragraph", 0, len(text), ()),)) for id, text in texts.items()]
    passages = [passage for document in documents for passage in split_into_passages(document)]
    told = [text_to_encode(document, passage) for document, passage in zip(documents, passages, strict=True)]
    search = PassageSearch(
        {document.id: document for document in documents},
        passages,
        DenseIndex.build(ENCODER.encode(told)),
        LexicalIndex.build(told),
    )
    queries = [f"mend my {thing} today" for thing in THINGS]
    questions = tuple(
        Question(query, vector, frozenset({thing}), thing)
        for query, vector, thing in zip(queries, ENCODER.encode(queries), THINGS, strict=True)
    )
    return AskedDesk("things", search, questions)


def test_sets_that_share_a_member_are_linked_also_over_a_third() -> None:
    names = linked([{"a"}, {"b", "c"}, {"d"}, {"c", "a"}, {"d", "e"}])
    assert names[0] == names[1] == names[3]
    assert names[2] == names[4] != names[0]
    assert linked([]) == []


def test_rewordings_of_one_question_count_as_one() -> None:
    rows = np.repeat([[1.0], [0.0], [1.0], [1.0]], 5, axis=0)
    alone, together = Groups([str(row) for row in range(20)]), Groups([str(row // 5) for row in range(20)])
    assert alone.share(rows)["value"] == together.share(rows)["value"] == 0.75
    assert (together.share(rows)["low"] or 0) < (alone.share(rows)["low"] or 0)
    lead = together.lead(rows, np.zeros((20, 1)))
    assert lead["value"] == 0.75
    assert lead["low"] < 0.75 < lead["high"]


def test_fusion_rows_compare_every_way_with_the_better_single_one(asked: AskedDesk) -> None:
    rows, bars, figures = fusion_rows(asked)
    assert [row["system"] for row in rows] == [
        "BM25 alone",
        "dense alone",
        "fused, bundled weights",
        "fused, cross-fitted",
    ]
    assert figures["fused, bundled weights: hit@1"] == 1.0
    assert [bar.holds for bar in bars] == [False, False]  # both single ways find all of it


def test_hidden_articles_lower_the_chance_and_other_articles_more(asked: AskedDesk) -> None:
    rows, bars, figures = answer_rows(asked)
    assert [row["system"] for row in rows] == [OURS, NEAREST, TFIDF, TELLTALE]
    assert figures[f"{OURS}: AUROC"] == 1.0
    assert bars[0].holds
    _, _, elsewhere = elsewhere_rows(asked, {"elsewhere"})
    assert elsewhere[f"{OURS}: AUROC"] == elsewhere[f"{NEAREST}: AUROC"] == 1.0
    assert elsewhere[f"{TFIDF}: AUROC"] == 1.0
