"""The fused ranking: what may be seen, in one order, with its reasons."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_search import ENCODER, document, search_over

from retrieval.documents import Hit
from retrieval.errors import DamagedIndexError
from retrieval.fusion import HALF, TOP, Fusion
from retrieval.lexical_index import tokenize
from retrieval.passages import text_to_encode
from retrieval.search import PassageSearch

ARTICLES = {
    "feed": ("Bank feed", "The bank feed stopped with BR-77120."),
    "till": ("Close the till", "The till closed after midnight."),
    "vat": ("VAT return", "HMRC refused the return of the quarter."),
    "bank": ("Connect a bank", "Choose your bank and sign in."),
}


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
    added = search.fusion.weight(len(tokenize(query))) * hit.lexical / (hit.lexical + HALF)
    assert hit.score == pytest.approx(hit.dense + added, abs=1e-5)


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


#: No identifier: one is moved up to the first places, wherever it would stand.
word = st.sampled_from(["bank", "feed", "till", "vat", "return", "the", "quarter", "midnight", "🙂"])


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
    secret = [
        document(f"secret-{number}", "Bank feed", "The bank feed stopped.", audience="internal")
        for number in range(120)
    ]
    search = search_over([*secret, document("open", "Bank", "A feed of the bank, for all to read and to renew.")])
    hits = find(search, "The bank feed stopped", allowed=lambda document: document.audience == "public")
    assert [hit.document.id for hit in hits] == ["open"]


def test_equal_passages_come_in_the_order_of_their_ids_however_they_are_stored() -> None:
    equal = [document(f"kb-{letter}", "Bank feed", "The bank feed stopped.") for letter in "gbfaced"]
    for documents in (equal, equal[::-1], equal[3:] + equal[:3]):
        hits = find(search_over(documents), "why has the bank feed stopped", limit=5)
        assert [hit.document.id for hit in hits] == ["kb-a", "kb-b", "kb-c", "kb-d", "kb-e"]


CODES = ["BR-77120", "TAX_PERIOD_NOT_ENDED", "0x800ccc0e", "GetMailbox", "8821345"]
sentence = st.lists(
    st.sampled_from(["bank", "feed", "till", "return", "br", "77120", "tax", "period", "ended", "refused", "midnight"]),
    min_size=3,
    max_size=12,
).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(sentence, min_size=4, max_size=9), st.lists(st.sampled_from(CODES), min_size=1, max_size=3), sentence)
def test_an_identifier_that_stands_in_a_passage_brings_one_to_the_first_three(
    texts: list[str], codes: list[str], told: str
) -> None:
    told = told.replace("77120", "")  # that would be a fourth
    holders = [f"Nothing but {code} stands here, among other things." for code in dict.fromkeys(codes)]
    search = search_over([document(f"kb-{number}", "", text) for number, text in enumerate([*texts, *holders])])
    # Meaning alone, and towards something else: the worst case.
    search = replace(search, fusion=Fusion(0.0, 0.0))
    hits = search.find(f"{told} {' '.join(codes)}", ENCODER.encode([texts[0]])[0], limit=99)
    for code in codes:
        assert any(code.lower() in tokenize(hit.passage.text) for hit in hits[:TOP])
    assert all(first.score >= second.score for first, second in pairwise(hits))


def test_an_identifier_is_found_whole_not_by_its_parts() -> None:
    parts = [document(f"part-{number}", "", "br 77120 br 77120 feed") for number in range(5)]
    whole = document("whole", "", "A long page about many other things of the shop, and in the end BR-77120 too.")
    search = replace(search_over([*parts, whole]), fusion=Fusion(0.0, 0.0))
    assert "whole" in [hit.document.id for hit in find(search, "br feed BR-77120")[:TOP]]
    hidden = find(search, "br feed BR-77120", allowed=lambda document: document.id != "whole")
    assert [hit.document.id for hit in hidden] == [part.id for part in parts]


def test_an_identifier_that_nobody_writes_about_changes_nothing(search: PassageSearch) -> None:
    told = ENCODER.encode(["the bank feed"])[0]
    plain = [hit.document.id for hit in search.find("the bank feed", told)]
    assert [hit.document.id for hit in search.find("the bank feed ZZ-99999", told)] == plain


def test_the_fusion_decides_between_meaning_and_words() -> None:
    search = search_over([document("near", "", "till till till"), document("worded", "", "quarter refused by HMRC")])
    towards = ENCODER.encode(["till till till"])[0]
    for weight, best in ((0.0, "near"), (20.0, "worded")):
        fused = replace(search, fusion=Fusion(weight, 0.0))
        assert fused.find("the quarter was refused", towards)[0].document.id == best


def test_candidates_are_the_rows_that_find_ranks(search: PassageSearch) -> None:
    query = "bank feed"
    vector = ENCODER.encode([query])[0]
    found = search.candidates(query, vector)
    hits = search.find(query, vector, limit=99)
    assert sorted(search.passages[row].id for row in found.rows) == sorted(hit.passage.id for hit in hits)
    assert found.words == 2
    assert len(search_over([]).candidates(query, vector).rows) == 0


def test_20_000_words_are_searched_like_a_few(search: PassageSearch) -> None:
    query = "The bank feed stopped with BR-77120. " + " ".join(f"word{number} midnight" for number in range(10_000))
    hits = find(search, query)
    assert "feed" in [hit.document.id for hit in hits[:TOP]]
    assert all(np.isfinite(hit.score) for hit in hits)


@pytest.mark.parametrize("value", [0.0, float("nan"), 3.0])
def test_a_vector_that_is_no_unit_vector_is_refused(search: PassageSearch, value: float) -> None:
    with pytest.raises(DamagedIndexError):
        search.find("bank", np.full(ENCODER.dimension, value, dtype=np.float32))


def test_more_passages_of_one_score_than_are_sorted_at_first_come_in_order() -> None:
    equal = [document(f"kb-{number:04}", "", "The bank feed stopped.") for number in range(900)]
    search = search_over(equal)
    hits = find(search, "bank feed", limit=3, allowed=lambda document: document.id >= "kb-0850")
    assert [hit.document.id for hit in hits] == ["kb-0850", "kb-0851", "kb-0852"]
