"""The desks are believable: enough of everything, no two texts alike, and their cases expect what exists."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from eval.cases import load_cases
from models.openvino_encoder import OpenVinoEncoder
from triage.desk_files import Desk, read_desk

RUN = 8
#: Everyday openings and closings that many people write in the same words.
GREETINGS = re.compile(r"(?im)^(?:hi|hello|dear|hiya|morning|good (?:morning|afternoon|evening))\b.*$")


@dataclass(frozen=True)
class Sizes:
    """What a desk must have: least articles and past tickets; drafts, macros and cases exactly."""

    articles: int
    history: int
    drafts: int
    macros: int
    cases: int


SIZES = {"demo": Sizes(36, 200, 1, 12, 100), "it": Sizes(30, 150, 0, 8, 80)}


@pytest.fixture(scope="module", params=SIZES)
def desk(project: Path, request: pytest.FixtureRequest) -> Desk:
    return read_desk(project / "desks" / request.param)


def test_there_is_enough_of_everything(desk: Desk) -> None:
    sizes = SIZES[desk.folder.name]
    assert len(desk.articles) >= sizes.articles
    assert {article.audience for article in desk.articles} == {"public", "internal"}
    assert sum(article.status == "draft" for article in desk.articles) == sizes.drafts
    assert len(desk.macros) == sizes.macros
    fields = desk.rules.taxonomy.fields
    assert 8 <= len(fields["category"]) <= 10
    assert len(fields["priority"]) == 4
    assert 5 <= len(fields["team"]) <= 6
    assert all(team.tier and team.hours and team.description for team in desk.rules.taxonomy.team.labels.values())
    assert len(desk.history) >= sizes.history
    assert all(row.reply and set(row.labels) == {"category", "priority", "team"} for row in desk.history)
    assert desk.rules.routing.rules
    assert len((desk.folder / "cases.jsonl").read_text(encoding="utf-8").splitlines()) == sizes.cases


def test_a_desk_of_two_languages_is_written_in_both(project: Path) -> None:
    desk = read_desk(project / "desks" / "it")
    assert desk.rules.settings.languages == ("en", "de")
    for code in ("en", "de"):
        assert sum(article.locale == code for article in desk.articles) >= 10
        assert sum(row.ticket.language == code for row in desk.history) >= 50


def test_articles_are_150_to_500_words(desk: Desk) -> None:
    sizes = {article.id: len(article.text.split()) for article in desk.articles}
    assert not {name: size for name, size in sizes.items() if not 150 <= size <= 500}


def test_two_articles_of_the_demo_contradict_each_other_on_purpose(project: Path) -> None:
    desk = read_desk(project / "desks" / "demo")
    by_id = {article.id: article.text for article in desk.articles}
    assert "bill" in by_id["kb-703"]
    assert "approv" in by_id["kb-703"]
    assert "deliver" in by_id["kb-704"]
    assert "receiv" in by_id["kb-704"]


def test_few_history_tickets_have_a_near_twin(desk: Desk, openvino_encoder: OpenVinoEncoder) -> None:
    texts = [f"{row.ticket.subject or ''}\n{row.ticket.body or ''}".strip() for row in desk.history]
    vectors = openvino_encoder.encode(texts)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -1)
    assert float((likeness.max(axis=1) > 0.85).mean()) <= 0.05


def test_no_two_texts_share_a_run_of_eight_words(desk: Desk) -> None:
    texts: dict[str, str] = {article.id: article.text for article in (*desk.articles, *desk.macros)}
    for row in desk.history:
        texts[f"{row.ticket.id}"] = f"{row.ticket.subject}\n{row.ticket.body}"
        texts[f"{row.ticket.id} reply"] = row.reply
    for line in (desk.folder / "cases.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        ticket = case["ticket"]
        messages = "\n".join(message["text"] for message in ticket.get("messages", []))
        texts[case["id"]] = f"{ticket.get('subject')}\n{ticket.get('body')}\n{messages}"
        texts[f"{case['id']} reply"] = case["expect"].get("reply", "")
    places = defaultdict(set)
    for name, text in texts.items():
        words = re.findall(r"[\w']+", GREETINGS.sub("", text).lower())
        for start in range(len(words) - RUN + 1):
            places[" ".join(words[start : start + RUN])].add(name)
    assert {run: names for run, names in places.items() if len(names) > 1} == {}


def test_the_cases_expect_only_what_the_desk_has(desk: Desk) -> None:
    published = [article.id for article in desk.articles if article.status == "published"]
    cases = load_cases(desk.folder / "cases.jsonl", desk.rules.taxonomy, published)
    assert {"answerable", "unanswerable", "must_hand_off", "thanks", "auto_reply", "bounce"} <= {
        case.slice["type"] for case in cases
    }


def test_only_example_addresses_are_used(desk: Desk) -> None:
    for path in desk.folder.rglob("*.*"):
        if path.suffix == ".gz":
            continue
        text = path.read_text(encoding="utf-8")
        hosts = re.findall(r"(?:https?://|@)([a-z0-9.-]+\.[a-z]{2,})", text, flags=re.I)
        assert {host for host in hosts if not host.lower().rstrip(".").endswith(".example")} == set(), path
