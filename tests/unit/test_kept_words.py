import random
import time
from difflib import SequenceMatcher

import pytest

from serve.kept_words import MAX_WORDS, kept_ratio, longest_common


@pytest.mark.parametrize(
    ("draft", "final", "kept"),
    [
        ("Sign in, then choose Reset.", "sign in then choose reset", 1.0),
        ("one two three four", "one two and then four", 0.75),
        ("one two three four", "four three two one", 0.25),
        ("one two", "", 0.0),
        ("… — !", "one", None),
        ("Straße öffnen", "STRASSE ÖFFNEN", 1.0),
        ("a a a a", "a", 0.25),
    ],
)
def test_words_that_stand_in_the_same_order_are_kept(draft: str, final: str, kept: float | None) -> None:
    assert kept_ratio(draft, final) == kept


def test_the_longest_common_part_is_at_least_what_difflib_finds() -> None:
    chance = random.Random(7)
    for _ in range(300):
        first, second = (
            [str(chance.randrange(6)) for _ in range(chance.randrange(1, 40))],
            [str(chance.randrange(6)) for _ in range(chance.randrange(1, 40))],
        )
        blocks = SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
        assert sum(block.size for block in blocks) <= longest_common(first, second) <= min(len(first), len(second))
        assert longest_common(first, second) == by_table(first, second)


def by_table(first: list[str], second: list[str]) -> int:
    row = [0] * (len(second) + 1)
    for word in first:
        before = list(row)
        for place, other in enumerate(second, start=1):
            row[place] = before[place - 1] + 1 if word == other else max(before[place], row[place - 1])
    return row[-1]


def test_long_texts_are_judged_by_their_beginning_and_in_no_time() -> None:
    words = " ".join(f"w{number % 50}" for number in range(60_000))
    began = time.process_time()
    assert kept_ratio(words, words) == 1.0
    assert kept_ratio(words, "x " * MAX_WORDS + words) == 0.0
    assert time.process_time() - began < 1
