"""Search over a handful of articles, with the hashing encoder."""

from collections.abc import Sequence
from typing import Any

from models.hashing_encoder import HashingEncoder
from retrieval.dense_index import DenseIndex
from retrieval.documents import Block, Document
from retrieval.lexical_index import LexicalIndex
from retrieval.passages import split_into_passages, text_to_encode
from retrieval.search import PassageSearch

ENCODER = HashingEncoder()


def search_over(documents: Sequence[Document]) -> PassageSearch:
    pairs = [(document, passage) for document in documents for passage in split_into_passages(document)]
    texts = [text_to_encode(document, passage) for document, passage in pairs]
    return PassageSearch(
        {document.id: document for document in documents},
        [passage for _, passage in pairs],
        DenseIndex.build(ENCODER.encode(texts)),
        LexicalIndex.build(texts),
    )


def document(id: str, title: str, text: str, **changes: Any) -> Document:
    return Document(id, title, text, (Block("paragraph", 0, len(text), ()),), **changes)
