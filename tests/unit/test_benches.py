"""What benches share: tables, bars, the ledger, the page, and the cuts that they make of public data."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from eval.benches.encoder import OURS, TOKENS, speed_bars, texts_of_lengths
from eval.benches.encoder_quality import article_pairs, batch_difference, loss_in_points, own_article_found
from eval.benches.encoder_systems import BASELINES
from eval.benches.frame import Bar, at_least, between, data_folder, tables_text, write_bench
from eval.benches.ledger import LEDGER, Look, read_ledger, record_look
from eval.benches.page import main as write_page
from eval.benches.retrieval import half_answered
from eval.benches.stated_risk import Resplit, outcome_of, resplit
from eval.benches.systems import check_exceptions
from eval.benches.triage_file import rows_of_run
from eval.benches.triage_rows import SetResult
from eval.errors import BenchError, DataError
from eval.loaders.loaded import Loaded, LoadedArticle
from eval.measurement import Measurement
from models.encoder_folders import packaged_folder
from models.protocols import FloatArray
from triage.held_out import HeldOut


def test_a_table_names_its_rows_first_and_shows_what_was_not_measured() -> None:
    rows = [
        {"table": "t", "accuracy": {"value": 0.5, "low": 0.25, "high": 0.75}, "system": "ours"},
        {"table": "t", "system": "theirs", "accuracy": None},
    ]
    lines = tables_text(rows).splitlines()
    assert lines[0] == "**t**"
    assert [cell.strip() for cell in lines[2].strip("|").split("|")] == ["system", "accuracy"]
    assert "0.500 (0.250–0.750)" in lines[4]
    assert [cell.strip() for cell in lines[5].strip("|").split("|")] == ["theirs", "–"]


def test_bars_hold_or_are_missed() -> None:
    found = Measurement(name="m", value=0.5, low=0.4, high=0.6, n=9, unscored=0)
    assert at_least("m", found, 0.5).holds
    assert not at_least("m", found, 0.51).holds
    assert not between("m", 0.98, (0.9, 1.0), (0.93, 0.97)).holds
    unscored = Measurement(name="m", value=None, low=None, high=None, n=0, unscored=9)
    with pytest.raises(BenchError, match="no case carries"):
        at_least("m", unscored, 0.5)


def test_data_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA", str(tmp_path))
    with pytest.raises(BenchError, match="DATA="):
        data_folder("banking77")


def test_the_ledger_counts_every_look(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    look = Look(date=date(2026, 11, 22), set="s", split="test", kind="bench", what="w", figures={"a": 0.5}, data="d")
    record_look(look, path)
    record_look(look, path)
    assert read_ledger(path) == [look, look]
    path.write_text('{"set": "s"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=":1: "):
        read_ledger(path)


def test_the_ledger_that_comes_along_begins_with_the_trials() -> None:
    looks = read_ledger(LEDGER)
    assert [look.kind for look in looks[:10]] == ["trial"] * 10
    assert all(look.figures for look in looks)


def test_the_page_shows_tables_bars_published_figures_and_looks(tmp_path: Path) -> None:
    rows = [
        {"table": "banking77: category", "system": "Firstline", "accuracy": {"value": 0.9, "low": 0.8, "high": 1.0}}
    ]
    write_bench("triage", 0.0, rows, [Bar("a bar", 1.0, 0.9, 1.0, ">= 1", True)], tmp_path)
    write_page(tmp_path, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    for words in ("0.900 (0.800–1.000)", "a bar", "Casanueva", "wixqa", "TaDaa"):
        assert words in page
    assert json.loads((tmp_path / "triage.json").read_text(encoding="utf-8"))["rows"] == rows


def test_no_bench_is_no_page(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="make bench"):
        write_page(tmp_path, tmp_path / "page.md")


def test_the_section_of_a_bench_that_was_not_run_here_stays_as_it_is(tmp_path: Path) -> None:
    page, here = tmp_path / "page.md", tmp_path / "here"
    write_bench("fast_path", 0.0, [{"table": "CPU", "n": 41}], [], tmp_path)
    write_page(tmp_path, page)
    write_bench("triage", 0.0, [{"table": "banking77: category", "n": 7}], [], here)
    for _ in range(2):
        write_page(here, page)
    said = page.read_text(encoding="utf-8")
    assert said.count("| 41 |") == said.count("## What triage costs beside the encoder") == 1
    assert said.index("banking77: category") < said.index("| 41 |")


def test_the_page_says_when_a_table_was_measured(tmp_path: Path) -> None:
    rows = rows_of_run(
        "clinc150", SetResult([{"table": "clinc150: category", "n": 7}], [], {}, "c"), date(2026, 2, 2), 1
    )
    write_bench("triage", 0.0, rows, [], tmp_path)
    write_page(tmp_path, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "Measured on 2026-02-02." in page
    assert "SNGP" in page
    assert "| measured" not in page


def test_a_run_that_answered_nothing_is_no_figure(capsys: pytest.CaptureFixture[str]) -> None:
    check_exceptions("s", [None, None])
    assert not capsys.readouterr().out
    check_exceptions("s", [None, "KeyError at x.py:1"])
    assert "1 of 2 cases" in capsys.readouterr().out
    with pytest.raises(BenchError, match="on every case"):
        check_exceptions("s", ["KeyError at x.py:1"] * 2)


def test_half_of_the_answers_go_and_their_questions_become_unanswerable() -> None:
    articles = [LoadedArticle(f"a{n}", "t", "x") for n in range(40)]
    cases = [{"id": f"q{n}", "ticket": {"body": "x"}, "expect": {"articles": [f"a{n}"]}} for n in range(40)]
    left = half_answered(Loaded("wixqa", ["en"], {}, articles, [], cases, []))
    kept = {article.id for article in left.articles}
    assert 10 < len(kept) < 30
    for number, case in enumerate(left.cases):
        expected = {"articles": [f"a{number}"], "answerable": True} if f"a{number}" in kept else {"answerable": False}
        assert case["expect"] == expected


def test_texts_have_exactly_the_tokens_asked_for() -> None:
    source = ["The till is empty.", "My card was charged twice, please help.", "Where is the parcel?"]
    found = texts_of_lengths((8, 20), source, count=5)
    tokenizer = Tokenizer.from_file(str(packaged_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    assert {length: {len(tokenizer.encode(text).ids) for text in texts} for length, texts in found.items()} == {
        8: {8},
        20: {20},
    }


def test_an_own_article_is_found_where_fewer_than_five_are_nearer() -> None:
    questions = np.eye(7, dtype=np.float32)
    bodies = np.eye(7, dtype=np.float32)
    bodies[0], bodies[1:6, 0] = 0, 1  # five others are nearer to the first question than its own
    assert own_article_found(questions, bodies).tolist() == [False] + [True] * 6


def test_a_loss_is_told_in_points_with_its_interval() -> None:
    before = np.array([True] * 90 + [False] * 10)
    after = np.array([True] * 80 + [False] * 20)
    points, low, high = loss_in_points(before, after)
    assert points == pytest.approx(10)
    assert low < 10 < high


def test_a_vector_that_depends_on_its_batch_is_seen() -> None:
    def alone(texts: Sequence[str]) -> FloatArray:
        return np.ones((len(texts), 2), dtype=np.float32)

    def shifting(texts: Sequence[str]) -> FloatArray:
        return np.full((len(texts), 2), len(texts), dtype=np.float32)

    assert batch_difference(alone, ["a"] * 5, 4) == 0
    assert batch_difference(shifting, ["a"] * 5, 4) == 3


def test_articles_become_questions_and_bodies_without_the_title() -> None:
    body = "Open the settings and choose the tax rate of each product. " * 5
    rows = [
        {"description": "How to set the rate of a product", "markdown": f"# Rates\n{body}"},
        {"description": "too short", "markdown": body},
        {"description": "An article that says next to nothing", "markdown": "# Title\nNothing."},
        {"description": None, "markdown": None},
    ]
    ((question, text),) = article_pairs(rows)
    assert question == "How to set the rate of a product"
    assert text.startswith("Open the settings")


def test_a_default_is_held_against_the_better_of_two_baselines() -> None:
    slow, fast, ours = ([0.1] * 48, [10.0, 10.0]), ([0.05] * 48, [30.0, 30.0]), ([0.01] * 48, [60.0, 60.0])
    found = zip((*BASELINES, OURS), (slow, fast, ours), strict=True)
    times = {name: dict.fromkeys(TOKENS, value) for name, value in found}
    bars = {bar.name: bar for bar in speed_bars(times)}
    assert bars["single ticket of 60 tokens, times faster"].value == pytest.approx(5)
    assert bars["batches at 12 tokens, times faster"].value == pytest.approx(2)


def made_up_held_out(error: float, count: int = 4_000) -> HeldOut:
    """Two labels; the first is guessed always, and wrong for a share of the rows, whatever the confidence says."""
    rng = np.random.default_rng(4)
    logits = np.column_stack([rng.uniform(1, 4, count), np.zeros(count)]).astype(np.float32)
    targets = (rng.random(count) < error).astype(np.int64)
    return HeldOut(("a", "b"), np.arange(count, dtype=np.int64), targets, logits, 1.0)


def test_a_resplit_decides_where_the_error_allows_it_and_nothing_else() -> None:
    fine = resplit(made_up_held_out(0.02), 0.05, 1)
    assert fine.coverage > 0.9
    assert fine.error < 0.05
    assert resplit(made_up_held_out(0.30), 0.05, 1) == Resplit(0.0, 0.0)


def test_a_bar_of_stated_risk_is_missed_only_beyond_chance() -> None:
    kept = [Resplit(0.95, 0.04)] * 190 + [Resplit(0.95, 0.06)] * 10
    row, bars = outcome_of("banking77", 0.05, 8_000, kept)
    assert row["exceeded"] == {"value": 0.05, "low": bars[0].low, "high": bars[0].high}
    assert [bar.holds for bar in bars] == [True, True]
    broken = [Resplit(0.85, 0.06)] * 60 + [Resplit(0.85, 0.04)] * 140
    assert [bar.holds for bar in outcome_of("banking77", 0.05, 8_000, broken)[1]] == [False, False]
    assert len(outcome_of("clinc150", 0.05, 8_000, broken)[1]) == 1
