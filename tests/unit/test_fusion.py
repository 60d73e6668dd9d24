"""The weights of shared words: what they do to a score, how they are learnt, and what an identifier is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.fusion import (
    DEFAULT,
    ENOUGH,
    HALF,
    LONG,
    MAX_IDENTIFIERS,
    TOP,
    Candidates,
    Fusion,
    Judged,
    cross_fit,
    fit_fusion,
    identifiers,
    lifted,
)

#: One passage is near and shares nothing, one is farther and shares words.
NEAR, WORDED = 0, 1


def candidates(dense: list[float], lexical: list[float], words: int = 10) -> Candidates:
    rows = np.arange(len(dense), dtype=np.int64)
    return Candidates(rows, np.array(dense, dtype=np.float32), np.array(lexical, dtype=np.float32), words)


def questions(count: int, words_right: bool, length: int = 20, seed: int = 0) -> list[Judged]:
    """Return questions over ten passages, of which either the nearest or the best worded one is right."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        dense, lexical = random.uniform(0.2, 0.4, 10), random.uniform(0, 4, 10)
        dense[NEAR] += 0.1
        lexical[WORDED] += 8
        relevant = np.zeros(10, dtype=bool)
        relevant[WORDED if words_right else NEAR] = True
        found.append(Judged(candidates(dense.tolist(), lexical.tolist(), length), relevant))
    return found


def share_first(fusion: Fusion, judged: list[Judged]) -> float:
    return float(np.mean([one.relevant[fusion.scores(one.candidates).argmax()] for one in judged]))


def test_a_score_is_the_cosine_and_what_shared_words_add() -> None:
    fusion = Fusion(always=0.2, by_length=0.4)
    scores = fusion.scores(candidates([0.5, 0.5], [0.0, HALF], words=LONG))
    assert scores.tolist() == pytest.approx([0.5, 0.5 + 0.6 / 2])


numbers = st.floats(0, 60, allow_subnormal=False)


@settings(max_examples=60, deadline=None)
@given(st.floats(-1, 1, allow_subnormal=False), numbers, numbers, st.integers(0, 5_000))
def test_more_shared_words_never_lower_a_score_and_longer_questions_never_weigh_them_less(
    dense: float, few: float, more: float, words: int
) -> None:
    few, more = sorted((few, more))
    low, high = DEFAULT.scores(candidates([dense, dense], [few, more], words)).tolist()
    assert np.float32(dense) <= low + 1e-9 <= high + 2e-9
    assert DEFAULT.weight(words) <= DEFAULT.weight(words + 1)


def test_the_weights_are_learnt_from_what_was_right() -> None:
    by_words, by_meaning = questions(80, words_right=True), questions(80, words_right=False)
    learnt = fit_fusion(by_words)
    assert learnt.weight(20) > DEFAULT.weight(20) > fit_fusion(by_meaning).weight(20) >= 0
    held_out = questions(200, words_right=True, seed=1)
    assert share_first(learnt, held_out) > share_first(Fusion(0.0, 0.0), held_out) + 0.5


def test_where_long_questions_are_told_by_words_and_short_ones_by_meaning_length_takes_the_weight() -> None:
    mixed = questions(80, words_right=True, length=60) + questions(80, words_right=False, length=3, seed=2)
    learnt = fit_fusion(mixed, Fusion(always=0.3, by_length=0.0))
    assert learnt.by_length > learnt.always
    assert share_first(learnt, mixed) > share_first(Fusion(learnt.weight(14), 0.0), mixed)


def test_learning_twice_gives_the_same_and_the_order_of_questions_hardly_matters() -> None:
    judged = questions(60, words_right=True)
    assert fit_fusion(judged) == fit_fusion(judged)
    assert fit_fusion(judged[::-1]).weight(20) == pytest.approx(fit_fusion(judged).weight(20), abs=1e-3)


def test_too_few_questions_that_tell_anything_keep_the_bundled_weights() -> None:
    telling = questions(ENOUGH - 1, words_right=True)
    nothing = [replace(one, relevant=np.zeros(10, dtype=bool)) for one in questions(50, words_right=True)]
    everything = [replace(one, relevant=np.ones(10, dtype=bool)) for one in questions(50, words_right=True)]
    assert fit_fusion([*telling, *nothing, *everything]) is DEFAULT
    assert fit_fusion(questions(ENOUGH, words_right=True)) != DEFAULT
    assert fit_fusion([]) is DEFAULT


def test_cross_fitting_never_learns_from_a_question_s_own_group() -> None:
    judged = questions(50, words_right=True)
    groups = [f"group {number // 5}" for number in range(50)]
    before = cross_fit(judged, groups)
    changed = [
        replace(one, relevant=one.relevant[::-1].copy()) if group == "group 3" else one
        for one, group in zip(judged, groups, strict=True)
    ]
    after = cross_fit(changed, groups)
    for one, other, group in zip(before, after, groups, strict=True):
        if group == "group 3":
            assert one == other
    assert before != after
    assert len({before[row] for row in range(15, 20)}) == 1


def test_cross_fitting_nothing_and_one_group() -> None:
    assert cross_fit([], []) == []
    assert cross_fit(questions(40, words_right=True), ["one"] * 40) == [DEFAULT] * 40


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("It says BR-77120 on a grey page", ["br-77120"]),
        ("TAX_PERIOD_NOT_ENDED, again!", ["tax_period_not_ended"]),
        ("run GetMailbox or get-MailboxDatabase", ["getmailbox", "get-mailboxdatabase"]),
        ("order 1234567 and error 0x800ccc0e", ["1234567", "0x800ccc0e"]),
        ("br-77120 BR-77120", ["br-77120"]),
        ("VAT3 and SKU7a", ["vat3", "sku7a"]),
        ("on the 30th at 4pm, 250ml of a 9-inch one, 30-day", []),
        ("£3.40, 11,400 lines, error 503 in 2026, 612.15", []),
        ("A two-step sign-in, e-mail, HMRC PLEASE HELP", []),
        ("the brindle.example page", []),
        ("", []),
        ("🙂 _ __ -", []),
    ],
)
def test_identifiers_are_told_from_words_quantities_and_prices(query: str, found: list[str]) -> None:
    assert identifiers(query) == found


def test_only_the_first_identifiers_of_a_query_count() -> None:
    assert identifiers(" ".join(f"BR-{number}" for number in range(100))) == [
        f"br-{number}" for number in range(MAX_IDENTIFIERS)
    ]


def flags(*held: int, size: int = 8) -> np.ndarray:  # type: ignore[type-arg]
    found = np.zeros(size, dtype=bool)
    found[list(held)] = True
    return found


@pytest.mark.parametrize(
    ("held", "order"),
    [
        ([flags(6)], [0, 1, 6, 2, 3, 4, 5, 7]),
        ([flags(1, 6)], [0, 1, 2, 3, 4, 5, 6, 7]),
        ([flags(6), flags(7)], [0, 7, 6, 1, 2, 3, 4, 5]),
        ([flags(2), flags(7)], [0, 7, 2, 1, 3, 4, 5, 6]),
        ([flags(5), flags(6), flags(7)], [7, 6, 5, 0, 1, 2, 3, 4]),
        ([flags(4), flags(5), flags(6), flags(7)], [6, 5, 4, 0, 1, 2, 3, 7]),
        ([flags(0, 1, 2), flags(7)], [0, 1, 7, 2, 3, 4, 5, 6]),
        ([flags()], [0, 1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_a_holder_takes_the_lowest_free_place_at_the_top(held: list[np.ndarray], order: list[int]) -> None:  # type: ignore[type-arg]
    assert lifted(list(range(8)), held) == order


@settings(max_examples=80, deadline=None)
@given(st.permutations(range(8)), st.lists(st.sets(st.integers(0, 7)), max_size=MAX_IDENTIFIERS))
def test_lifting_loses_nothing_and_serves_as_many_identifiers_as_there_are_places(
    order: list[int], held: list[set[int]]
) -> None:
    after = lifted(list(order), [flags(*one) for one in held])
    assert sorted(after) == list(range(8))
    served = sum(bool(one & set(after[:TOP])) for one in held)
    assert served >= sum(bool(one & set(order[:TOP])) for one in held)
    if len(held) <= TOP:
        assert served == sum(bool(one) for one in held)
