"""Anger, own cases, attachments and orders to a machine, on the set that their phrases were developed with: a floor."""

import json
from pathlib import Path
from typing import Any

import pytest

from triage.cleaning import read_text
from triage.drafting.clauses import LANGUAGES
from triage.drafting.handoff import HANDOFF_RULES, Evidence
from triage.drafting.policy import Policy
from triage.language import Language
from triage.tickets import Ticket

RULES = ("angry_customer", "account_specific", "attachment_needed", "hostile_instructions")


@pytest.fixture(scope="module")
def rows(project: Path) -> list[dict[str, Any]]:
    lines = (project / "tests/integration/handoff_more_wording.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def fires(rule: str, text: str) -> bool:
    read = read_text(Ticket(body=text))
    return HANDOFF_RULES[rule](Evidence("request", read, Language("en", 1.0), ("en",), {}), Policy()) is not None


@pytest.mark.parametrize("rule", RULES)
def test_the_phrases_keep_what_they_have_learned(rows: list[dict[str, Any]], rule: str) -> None:
    meant = [fires(rule, row["text"]) for row in rows if row["rule"] == rule and row["fires"]]
    near = [fires(rule, row["text"]) for row in rows if row["rule"] == rule and not row["fires"]]
    assert min(len(meant), len(near)) >= 40
    assert sum(meant) / len(meant) >= 0.95
    assert sum(near) / len(near) <= 0.03


@pytest.mark.parametrize("rule", RULES)
def test_every_language_has_wordings_and_near_misses(rows: list[dict[str, Any]], rule: str) -> None:
    for language in LANGUAGES:
        counted = [row["fires"] for row in rows if row["rule"] == rule and row["language"] == language]
        assert min(sum(counted), len(counted) - sum(counted)) >= 8
