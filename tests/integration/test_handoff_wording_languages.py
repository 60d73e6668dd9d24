"""Requests for a person and sensitive topics in German, French and Spanish: what the phrases find, half of it unseen.

The phrases were written with the odd ids in view: those must all be right. The even ids were scored once, at the end;
their floors are what was found then: 55 of 69 fire as meant (German 16, French 17, Spanish 22 of 23 each), and 4 of 66
near misses fire (German 2, French 2, Spanish none).
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.cleaning import read_text
from triage.drafting.clauses import LANGUAGES, find_wording
from triage.drafting.handoff import HANDOFF_RULES, Evidence
from triage.drafting.policy import Policy
from triage.language import Language
from triage.tickets import Ticket

RULES = ("human_requested", "sensitive_topic")
WRITTEN_IN = ("de", "fr", "es")
FIRING = {
    "Bitte rufen Sie mich zurück": "human_requested",
    "Ich möchte mit einem Mitarbeiter sprechen": "human_requested",
    "Unser Konto wurde gehackt": "sensitive_topic",
    "Ich will nicht mehr leben": "sensitive_topic",
    "Rappelez-moi svp": "human_requested",
    "Je voudrais parler à un conseiller": "human_requested",
    "Je vais porter plainte contre vous": "sensitive_topic",
    "Merci de supprimer toutes mes données personnelles": "sensitive_topic",
    "Llámenme esta tarde": "human_requested",
    "Quiero hablar con una persona": "human_requested",
    "Vamos a emprender acciones legales": "sensitive_topic",
    "Pienso en quitarme la vida": "sensitive_topic",
}
HOSTILE = [
    "nicht nötig",
    "kein Rückruf",
    "ein Rückruf ist nicht nötig",
    "den Verstand",
    "pas besoin",
    "pas besoin de me rappeler",
    "de rire",
    "ne me rappelez pas",
    "no hace falta",
    "no hace falta que me llamen",
    "de risa",
    "\n\nAm Montag schrieb Brindle <help@brindle.example>:\n> Haben Sie es noch einmal versucht?",
    "<p>danke</p>",
    "a" * 2_000,
]
separators = st.sampled_from([" ", "\n", ". ", ", ", " - ", "\n\n"])
suffixes = st.one_of(st.text(max_size=60), st.sampled_from(HOSTILE), st.lists(st.sampled_from(HOSTILE)).map(" ".join))


def fired(text: str, subject: str | None = None) -> list[str]:
    """Return those of the two rules that fire on a ticket."""
    evidence = Evidence("request", read_text(Ticket(subject=subject, body=text)), Language("en", 1.0), ("en",), {})
    return [rule for rule in RULES if HANDOFF_RULES[rule](evidence, Policy()) is not None]


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def rows(project: Path) -> list[dict[str, Any]]:
    return read_lines(project / "tests/integration/handoff_wording_languages.jsonl")


def half(rows: list[dict[str, Any]], odd: bool) -> list[dict[str, Any]]:
    """Return the rows with odd ids, or those with even ones."""
    return [row for row in rows if int(row["id"].partition("-")[2]) % 2 == odd]


@pytest.mark.parametrize("language", WRITTEN_IN)
def test_every_language_has_messages_that_fire_and_near_misses(rows: list[dict[str, Any]], language: str) -> None:
    for odd in (True, False):
        reasons = [row["reasons"] for row in half(rows, odd) if row["language"] == language]
        assert min(sum(rule in found for found in reasons) for rule in RULES) >= 7
        assert reasons.count([]) >= 22


def test_what_the_phrases_were_written_with_is_all_right(rows: list[dict[str, Any]]) -> None:
    assert [row["id"] for row in half(rows, odd=True) if fired(row["text"]) != sorted(row["reasons"])] == []


def test_messages_that_nobody_had_in_view_keep_what_was_found(rows: list[dict[str, Any]]) -> None:
    unseen = half(rows, odd=False)
    meant = [set(row["reasons"]) <= set(fired(row["text"])) for row in unseen if row["reasons"]]
    near = [bool(fired(row["text"])) for row in unseen if not row["reasons"]]
    assert sum(meant) >= 55
    assert sum(near) <= 4


@pytest.mark.parametrize(
    "text",
    [
        "Ich brauche keinen Rückruf",
        "Sie brauchen mich nicht anzurufen",
        "Kein Grund, mich anzurufen",
        "Ich möchte nicht mit einem Mitarbeiter sprechen",
        "Wir sind eine Anwaltskanzlei",
        "Pas besoin de me rappeler",
        "Ne me rappelez pas",
        "Je ne veux pas parler à un conseiller",
        "Nous sommes un cabinet d'avocats",
        "No hace falta que me llamen",
        "No es necesario que me devuelvan la llamada",
        "No quiero hablar con un agente",
        "Somos un bufete de abogados",
    ],
)
def test_a_wish_that_is_taken_back_and_the_customers_own_trade_are_no_reason(text: str) -> None:
    assert fired(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Ich möchte keine Artikel mehr, ich möchte mit einem Menschen sprechen",
        "Es ist nicht nötig zu antworten, aber rufen Sie mich bitte an",
        "Je ne veux pas un article, je veux parler à quelqu'un",
        "No quiero otro enlace, quiero hablar con una persona",
    ],
)
def test_a_negation_in_another_clause_takes_nothing_back(text: str) -> None:
    assert fired(text) == ["human_requested"]


@pytest.mark.parametrize(("text", "rule"), FIRING.items())
def test_wording_is_found(text: str, rule: str) -> None:
    assert fired(text) == [rule]


@given(st.sampled_from(sorted(FIRING)), separators, suffixes)
@settings(max_examples=50, deadline=None)
def test_t19_no_suffix_takes_away_what_fired(text: str, separator: str, suffix: str) -> None:
    assert FIRING[text] in fired(text + separator + suffix)


def test_no_english_message_fires_for_a_phrase_of_another_language(project: Path) -> None:
    texts = [row["text"] for row in read_lines(project / "tests/integration/handoff_wording.jsonl")]
    for row in read_lines(project / "desks/demo/history.jsonl"):
        texts.append(f"{row['subject']}\n{row['body']}")
    for text in texts:
        for rule in RULES:
            english = {match.topic for match in find_wording(text, rule)}
            assert {match.topic for match in find_wording(text, rule, LANGUAGES)} == english
