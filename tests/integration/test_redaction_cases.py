"""Redaction over a set of short messages from many countries: what must go, and what looks like it and must stay.

The first batch was written before the rules, by the same hand; the second after them, to break them. What the rules
reached on each before any rule was mended stands in `FIRST`; `REACHED` is what they reach since. A line of this set
that a rule was mended for says nothing about lines nobody has seen.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from eval.benches.drafting_redaction import Found, redacted_spans
from triage.drafting.redaction import redact, restore

CASES = Path(__file__).parent / "redaction_cases.jsonl"
#: By kind: how many spans came out right, how many were found, how many must be. First looks, batches 1 and 2 together.
FIRST = {
    "EMAIL": (24, 25, 24),
    "CARD": (24, 24, 24),
    "IBAN": (19, 19, 19),
    "PHONE": (76, 89, 79),
    "ADDRESS": (28, 31, 35),
    "KEY": (27, 28, 34),
    "ID": (24, 24, 25),
    "NAME": (3, 3, 4),
}
REACHED = {
    "EMAIL": (24, 24, 24),
    "CARD": (24, 24, 24),
    "IBAN": (19, 19, 19),
    "PHONE": (79, 80, 79),
    "ADDRESS": (35, 36, 35),
    "KEY": (34, 34, 34),
    "ID": (24, 24, 25),
    "NAME": (4, 4, 4),
}


@cache
def cases() -> tuple[dict[str, Any], ...]:
    return tuple(map(json.loads, CASES.read_text(encoding="utf-8").splitlines()))


@cache
def scored() -> tuple[frozenset[Found], frozenset[Found]]:
    """What must go, and what went."""
    wanted = {Found(case["id"], span["kind"], span["start"], span["end"]) for case in cases() for span in case["spans"]}
    return frozenset(wanted), frozenset(found for case in cases() for found in redacted_spans(case["id"], case["text"]))


@pytest.mark.parametrize("kind", REACHED)
def test_precision_and_recall_per_kind_stay_what_they_are(kind: str) -> None:
    wanted, found = ({one for one in side if one.kind == kind} for side in scored())
    right, called, are = REACHED[kind]
    assert len(wanted) == are
    assert len(wanted & found) / len(wanted) >= right / are, sorted(wanted - found)
    assert len(wanted & found) / len(found) >= right / called, sorted(found - wanted)
    assert right / are >= FIRST[kind][0] / FIRST[kind][2]


def test_no_kind_goes_that_the_set_does_not_know() -> None:
    assert {one.kind for one in scored()[1]} <= set(REACHED)


def test_what_only_looks_like_personal_data_stays() -> None:
    stays = {case["id"] for case in cases() if not case["spans"]}
    # "5 Star road, M1 2AB" is written as an address is.
    assert {one.case for one in scored()[1]} & stays == {"r-459"}


def test_no_character_of_a_card_or_an_iban_is_left() -> None:
    """Spans may be drawn wider than the set draws them, never narrower."""
    for wanted in (one for one in scored()[0] if one.kind in ("CARD", "IBAN")):
        assert any(
            found.case == wanted.case and found.start <= wanted.start and found.end >= wanted.end
            for found in scored()[1]
        )


def test_the_set_is_what_it_says() -> None:
    assert len(cases()) >= 250
    assert sum(not case["spans"] for case in cases()) >= len(cases()) / 2
    assert len({case["country"] for case in cases() if case["spans"]}) >= 10
    assert len({case["text"] for case in cases()}) == len(cases())
    for case in cases():
        for span in case["spans"]:
            assert case["text"][span["start"] : span["end"]].strip()


def test_every_text_comes_back_whole() -> None:
    for case in cases():
        assert restore(*redact(case["text"])).text == case["text"]
