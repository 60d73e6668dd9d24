"""The fused ranking: what may be seen, in one order, with its reasons."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.hashing_encoder import HashingEncoder
from retrieval.dense_index import DenseIndex
from retrieval.documents import Block, Document, Hit
from retrieval.lexical_index import LexicalIndex
from retrieval.passages import split_into_passages, text_to_encode
from retrieval.search import LEXICAL_HALF, LEXICAL_WEIGHT, PassageSearch

ENCODER = HashingEncoder()
ARTICLES = {
    "feed": ("Bank feed", "The bank feed stopped with BR-77120."),
    "till": ("Close the till", "The till closed after midnight."),
    "vat": ("VAT return", "HMRC refused the return of the quarter."),
    "bank": ("Connect a bank", "Choose your bank and sign in."),
}


def document(id: str, title: str, text: str, audience: str = "public") -> Document:
    return Document(id, title, text, (Block("paragraph", 0, len(text), ()),), audience)  # type: ignore[arg-type]


def search_over(documents: Sequence[Document]) -> PassageSearch:
    pairs = [(document, passage) for document in documents for passage in split_into_passages(document)]
    texts = [text_to_encode(document, passage) for document, passage in pairs]
    return PassageSearch(
        {document.id: document for document in documents},
        [passage for _, passage in pairs],
        DenseIndex.build(ENCODER.encode(texts)),
        LexicalIndex.build(texts),
    )


def find(search: PassageSearch, query: str, **options: object) -> list[Hit]:
    return search.find(query, ENCODER.encode([query])[0], **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def search() -> PassageSearch:
    return search_over([document(id, title, text) for id, (title, text) in ARTICLES.items()])


@pytest.mark.parametrize(
    ("query", "best"), [("BR-77120", "feed"), ("the till closed", "till"), ("HMRC refused it", "vat")]
)
def test_the_passage_that_holds_the_words_is_first(search: PassageSearch, query: str, best: str) -> None:
    assert find(search, query)[0].document.id == best


def test_a_hit_says_why_it_was_found(search: PassageSearch) -> None:
    query = "Bank feed: br-77120 yesterday"
    hit = find(search, query)[0]
    text = text_to_encode(hit.document, hit.passage)
    assert hit.passage.document_id == hit.document.id == "feed"
    assert hit.dense == pytest.approx(float(ENCODER.encode([text])[0] @ ENCODER.encode([query])[0]), abs=1e-5)
    assert hit.lexical == pytest.approx(float(search.lexical.scores(query)[0]))
    assert hit.dense > 0
    assert hit.lexical > 0
    assert hit.score == pytest.approx(hit.dense + LEXICAL_WEIGHT * hit.lexical / (hit.lexical + LEXICAL_HALF))


def test_terms_are_the_words_of_the_query_in_its_order(search: PassageSearch) -> None:
    hit = find(search, "stopped: the yesterday feed, bank bank")[0]
    assert hit.terms == ("stopped", "feed", "bank")


@pytest.mark.parametrize("query", ["the", "Please!", "can you", "🙂", "", " \n", "?!…"])
def test_a_query_without_a_word_of_weight_gives_no_hits(search: PassageSearch, query: str) -> None:
    assert find(search, query) == []


def test_no_passages_give_no_hits() -> None:
    assert find(search_over([]), "bank") == []


@pytest.mark.parametrize(("limit", "count"), [(0, 0), (1, 1), (3, 3), (10, 4)])
def test_the_limit_is_respected_and_cuts_the_end(search: PassageSearch, limit: int, count: int) -> None:
    assert find(search, "bank feed", limit=limit) == find(search, "bank feed", limit=99)[:count]
    assert len(find(search, "bank feed", limit=limit)) == count


word = st.sampled_from(["bank", "feed", "till", "vat", "return", "br-77120", "the", "quarter", "midnight", "🙂"])


@settings(max_examples=50, deadline=None)
@given(st.lists(word, min_size=1, max_size=6).map(" ".join), st.sets(st.sampled_from(sorted(ARTICLES))))
def test_a_filtered_document_never_appears_and_the_others_keep_their_order(query: str, hidden: set[str]) -> None:
    search = search_over([document(id, title, text) for id, (title, text) in ARTICLES.items()])
    everything = find(search, query)
    seen = find(search, query, allowed=lambda document: document.id not in hidden)
    assert [hit.document.id for hit in seen] == [hit.document.id for hit in everything if hit.document.id not in hidden]
    assert all(first.score >= second.score for first, second in pairwise(everything))


def test_nothing_allowed_gives_no_hits(search: PassageSearch) -> None:
    assert find(search, "bank", allowed=lambda document: False) == []


def test_many_better_passages_that_may_not_be_seen_take_no_place() -> None:
    secret = [document(f"secret-{number}", "Bank feed", "The bank feed stopped.", "internal") for number in range(120)]
    search = search_over([*secret, document("open", "Bank", "A feed of the bank, for all to read and to renew.")])
    hits = find(search, "The bank feed stopped", allowed=lambda document: document.audience == "public")
    assert [hit.document.id for hit in hits] == ["open"]


def test_equal_passages_come_in_the_order_of_their_ids_however_they_are_stored() -> None:
    equal = [document(f"kb-{letter}", "Bank feed", "The bank feed stopped.") for letter in "gbfaced"]
    for documents in (equal, equal[::-1], equal[3:] + equal[:3]):
        hits = find(search_over(documents), "why has the bank feed stopped", limit=5)
        assert [hit.document.id for hit in hits] == ["kb-a", "kb-b", "kb-c", "kb-d", "kb-e"]
