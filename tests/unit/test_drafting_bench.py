"""The bench of drafts: its set is what it says, and a check that takes everything or nothing is told so."""

import json
from pathlib import Path

import pytest

from eval.benches.drafting import (
    LITERAL,
    MEANT,
    SET,
    Judged,
    alarm_bars,
    as_in_a_reply,
    fault_bars,
    fault_rows,
    judge,
)
from models.hashing_encoder import HashingEncoder


@pytest.mark.parametrize("passed", [True, False])
def test_a_check_that_always_says_the_same_misses_a_bar(passed: bool) -> None:
    faults = [Judged(fault, "verbatim", passed) for fault in (*LITERAL, *MEANT)]
    sound = [Judged(None, style, passed) for style in ("verbatim", "paraphrase")]
    assert [bar.holds for bar in fault_bars(faults)] == [not passed] * 2
    assert [bar.holds for bar in alarm_bars(sound)] == [passed] * 2
    assert {row["fault"] for row in fault_rows(faults)} == {*LITERAL, *MEANT}


def test_a_row_is_put_as_a_reply_has_it() -> None:
    article = "# T\n\n| plan | price |\n|---|---|\n| Corner | £9 |\n| Counter | £19 |\n"
    assert as_in_a_reply("| Counter | £29 |", "| Counter | £19 |", article) == "Counter – price: £29"
    assert as_in_a_reply("1. Press **Renew**.", "", article) == "1. Press Renew."


def test_the_set_is_balanced_and_true_to_its_articles(project: Path) -> None:
    rows = [json.loads(line) for line in (project / SET / "sentences.jsonl").read_text("utf-8").splitlines()]
    assert sum(row["supported"] for row in rows) == sum(not row["supported"] for row in rows) >= 500
    assert len({row["id"] for row in rows}) == len(rows)
    articles = {path.stem: path.read_text("utf-8") for path in (project / SET / "articles").glob("*.md")}
    for row in rows:
        assert (row["fault"] is None) == row["supported"]
        assert "".join(row["of"].split()) in "".join(articles[row["article"]].split()), row["id"]


def test_quotations_pass_and_their_faults_do_not_whatever_the_encoder(project: Path) -> None:
    judged = judge(project / SET, HashingEncoder())
    quoted = [one for one in judged if one.style == "verbatim"]
    assert sum(one.passed for one in quoted if one.fault is None) / 252 > 0.95
    caught = [not one.passed for one in quoted if one.fault in ("number", "price", "link", "code", "unit", "date")]
    assert sum(caught) / len(caught) > 0.95
