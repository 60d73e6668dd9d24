"""What reads like a reason for a person: learnt from a few made-up examples, on real n-gram features."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from models.hashing_encoder import HashingEncoder
from models.text_features import count_ngrams
from triage.cleaning import TicketText
from triage.desk_files import HistoryRow
from triage.drafting.handoff import HANDOFF_RULES, Evidence
from triage.drafting.policy import Policy, Topic
from triage.factors import TextWords
from triage.fit_wording import (
    ENOUGH_ORDINARY,
    EXAMPLES,
    LEAST,
    MAX_ORDINARY,
    Examples,
    fit_wording,
    ordinary_rows,
    read_examples,
)
from triage.generation_files import read_wording, write_wording
from triage.language import Language
from triage.learnt_wording import NOTHING, LearntWording, ReadsLike
from triage.penalties import LabelledTexts
from triage.tickets import Ticket

ENCODER = HashingEncoder()
WORDS = {
    "press": "editor column newspaper interview story reporter",
    "safety": "smoke burnt sparks flames shock singed",
    NOTHING: "till receipt printer invoice export button",
}


def texts_of(label: str, each: int, seed: int = 3) -> list[str]:
    rng = np.random.default_rng(seed)
    words = WORDS[label].split()
    return [f"about the {' and the '.join(rng.choice(words, 3, replace=False))} {number}" for number in range(each)]


def examples(each: int = 20) -> Examples:
    rows = [(text, label) for label in WORDS for text in texts_of(label, each)]
    labels = tuple(label for _, label in rows)
    return Examples(tuple(text for text, _ in rows), labels, np.array([label == NOTHING for label in labels]))


def tickets(texts: list[str]) -> LabelledTexts:
    return LabelledTexts(ENCODER.encode(texts), count_ngrams(texts), (NOTHING,) * len(texts))


def read(wording: LearntWording, text: str) -> ReadsLike:
    return wording.read(TextWords.of(text), ENCODER.encode([text])[0])


@pytest.fixture(scope="module")
def wording() -> LearntWording:
    return fit_wording(examples(), tickets(texts_of(NOTHING, 30, seed=4)), ENCODER, 0.05)[0]


def test_messages_are_told_from_ordinary_ones_and_named_by_their_reason(wording: LearntWording) -> None:
    calm = read(wording, "the receipt and the button of the till")
    assert calm.chance < wording.threshold
    assert calm.reasons == ()
    told = read(wording, "our editor wants the story for the newspaper")
    assert told.chance >= told.needed == wording.threshold >= LEAST
    assert told.reasons == ("press",)
    assert "editor" in told.words or "newspaper" in told.words or "story" in told.words
    assert f"({told.chance:.0%})" in told.evidence
    assert told.among(["safety"]) == ()


def test_reasons_with_much_of_the_chance_are_named_beside_the_likeliest(wording: LearntWording) -> None:
    text = "about the editor and the smoke and the column and the sparks"
    sure = read(wording, text)
    undecided = LearntWording(replace(wording.head, temperature=40.0), wording.ngrams, 0.0)
    both = read(undecided, text)
    assert len(sure.reasons) == 1
    assert set(both.reasons) == {"press", "safety"}
    assert both.reasons[0] == sure.reasons[0]
    assert both.among(["safety", "legal"]) == ("safety",)


def test_no_more_ordinary_tickets_are_flagged_than_may_be() -> None:
    noisy = [*texts_of(NOTHING, 95), *texts_of("safety", 5, seed=8)]
    _, strict = fit_wording(examples(), tickets(noisy), ENCODER, 0.0)
    _, loose = fit_wording(examples(), tickets(noisy), ENCODER, 0.05)
    assert strict.ordinary == loose.ordinary == 100 == ENOUGH_ORDINARY
    assert strict.flagged == 0
    assert strict.flagged <= loose.flagged <= 0.05
    assert strict.recognised <= loose.recognised
    assert strict.threshold >= loose.threshold
    assert "of 40 messages" in strict.sentence()


def test_without_a_history_the_examples_own_ordinary_tickets_judge() -> None:
    _, report = fit_wording(examples(), tickets([]), ENCODER, 0.05)
    assert report.ordinary == 20
    assert report.recognised > 0.8


def test_what_was_learnt_is_written_and_read_again(wording: LearntWording, tmp_path: Path) -> None:
    write_wording(tmp_path, wording)
    again = read_wording(tmp_path)
    assert again is not None
    text = "smoke and sparks in the story"
    assert read(again, text) == read(wording, text)
    write_wording(tmp_path, None)
    assert read_wording(tmp_path) is None


@pytest.mark.parametrize(
    ("rule", "reasons", "fires"),
    [
        ("human_requested", ("human_requested",), True),
        ("human_requested", ("legal",), False),
        ("sensitive_topic", ("legal", "human_requested"), True),
        ("sensitive_topic", ("human_requested",), False),
    ],
)
def test_rules_take_their_own_reasons_only(rule: str, reasons: tuple[str, ...], fires: bool) -> None:
    for chance in (0.5, 0.49):
        text = TicketText("", "The till.", "The till.")
        like = ReadsLike(chance, 0.5, reasons, "till")
        found = HANDOFF_RULES[rule](
            Evidence("request", text, Language("en", 1.0), ("en",), {}, reads_like=like), Policy()
        )
        assert (found is not None) == (fires and chance == 0.5)
        if found:
            assert found[0] == f"{reasons[0]}: the message as a whole reads like it (50%), above all “till”"
            assert found[1] == "The chance had been below 50%"


def test_a_topic_that_the_desk_left_out_hands_nothing_over() -> None:
    policy = Policy.model_validate({"rules": {"sensitive_topic": {"topics": ["legal"]}}})
    like = ReadsLike(0.9, 0.5, ("press",))
    text = TicketText("", "The till.", "The till.")
    evidence = Evidence("request", text, Language("en", 1.0), ("en",), {}, reads_like=like)
    assert HANDOFF_RULES["sensitive_topic"](evidence, policy) is None
    assert HANDOFF_RULES["sensitive_topic"](evidence, Policy()) is not None


def test_ordinary_tickets_are_those_that_no_rule_and_no_team_of_a_rule_took() -> None:
    texts = ["The till is slow", "Let me speak to a person", "My lawyer will write", "Odd mail", "Bonjour"]
    teams = ["books", "books", "books", "trust", None]
    history = [
        HistoryRow(ticket=Ticket(body=text), labels={"team": team} if team else {}, reply="", resolved=True)
        for text, team in zip(texts, teams, strict=True)
    ]
    assert ordinary_rows(history, texts, frozenset({"trust"})).tolist() == [0, 4]
    many = ["The till is slow"] * (MAX_ORDINARY + 1)
    assert len(ordinary_rows(history[:1] * len(many), many, frozenset())) == MAX_ORDINARY // 2 + 1
    assert ordinary_rows([], [], frozenset()).tolist() == []


def test_the_examples_that_come_along_hold_every_reason_in_four_languages() -> None:
    found = read_examples()
    counts = Counter(found.labels)
    assert set(counts) == {NOTHING, "human_requested", *get_args(Topic)}
    assert min(counts.values()) >= 300
    assert 0 < found.ordinary.sum() < counts[NOTHING]
    rows = [json.loads(line) for line in EXAMPLES.read_text(encoding="utf-8").splitlines()]
    assert {row["language"] for row in rows} == {"en", "de", "fr", "es"}
    said = [" ".join(row["text"].split()).casefold() for row in rows]
    assert len(set(said)) == len(said)


def test_no_example_is_a_message_that_judges_the_rules(project: Path) -> None:
    judging = (project / "tests" / "integration" / "handoff_unseen.jsonl").read_text(encoding="utf-8")
    unseen = {" ".join(json.loads(line)["text"].split()).casefold() for line in judging.splitlines()}
    assert not unseen & {" ".join(text.split()).casefold() for text in read_examples().texts}
