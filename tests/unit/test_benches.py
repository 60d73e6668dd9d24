"""What benches share: tables, bars, the ledger, the page, and the cuts that they make of public data."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

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
from eval.benches.systems import check_exceptions, note_checksum
from eval.benches.triage import SETS
from eval.benches.triage import main as triage_main
from eval.benches.triage_few import Drawn, draw_per_label, in_scope, over_draws, seed_row
from eval.benches.triage_file import Kept, merged, rows_of_run
from eval.benches.triage_languages import (
    LanguageLead,
    among_first,
    in_language,
    language_bars,
    language_leads,
    language_rows,
    top_rows,
)
from eval.benches.triage_rows import FieldCases, SetResult
from eval.benches.triage_scope import error_when_decided, has_both, mixed_bar, mixed_row, mixed_stream, told_apart
from eval.cases import Case
from eval.errors import BenchError, DataError
from eval.loaders.loaded import Loaded, LoadedArticle
from eval.measurement import Measurement
from eval.outcomes import Outcome
from eval.peers.results import PeerFailure, PeerResult
from models.encoder_folders import packaged_folder
from models.protocols import FloatArray
from triage.held_out import HeldOut
from triage.suggestions import Alternative, Handoff, HandoffReason, Prediction, Suggestion, Versions


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


def history_of(labels: str) -> list[dict[str, Any]]:
    return [{"id": str(n), "labels": {"category": label}} for n, label in enumerate(labels)]


def test_a_draw_has_so_many_rows_of_each_label_in_file_order_and_a_seed_repeats_it() -> None:
    history = history_of("ab" * 50 + "ccc")
    drawn = draw_per_label(history, 10, seed=1)
    assert Counter(row["labels"]["category"] for row in drawn) == {"a": 10, "b": 10, "c": 3}
    places = [int(row["id"]) for row in drawn]
    assert places == sorted(set(places))
    assert drawn == draw_per_label(history, 10, seed=1)
    assert drawn != draw_per_label(history, 10, seed=2)
    assert draw_per_label(history, 200, seed=1) == history


def test_a_new_desk_is_asked_in_scope_only() -> None:
    cases = [{"id": "1", "expect": {"category": "a"}}, {"id": "2", "expect": {"handoff": True}}]
    assert [case["id"] for case in in_scope(Loaded("s", ["en"], {}, [], [], cases, [])).cases] == ["1"]


def test_draws_are_told_by_their_mean_and_how_much_they_differ() -> None:
    found = over_draws([0.80, 0.81, 0.82, 0.83, 0.84], is_share=True)
    half = 2.776 * 0.015811 / 5**0.5  # Student's quantile with 4 degrees of freedom, standard deviation of the draws
    assert found["value"] == pytest.approx(0.82)
    assert (found["low"], found["high"]) == pytest.approx((0.82 - half, 0.82 + half), abs=1e-4)
    assert over_draws([0.0, 0.04], is_share=True)["low"] == 0
    assert (over_draws([0.0, 0.04], is_share=False)["low"] or 0) < 0
    assert over_draws([0.5], is_share=True) == {"value": 0.5, "low": None, "high": None}


def test_a_system_of_several_draws_is_one_row() -> None:
    drawn = [Drawn("s", seed, {"accuracy": 0.8 + seed / 100, "ECE": None}) for seed in range(3)]
    row = seed_row("t", drawn)
    assert (row["draws"], row["accuracy, least to most"], row["ECE"]) == (3, "0.800–0.820", None)


def stream_outcome(number: int, expected: str | None, value: str | None, flagged: bool, novelty: float) -> Outcome:
    """A case in scope (or out of it: None), the category that is decided for it, and whether it is handed over."""
    ticket = {"id": str(number), "body": "x"}
    case = Case.model_validate(
        {
            "id": str(number),
            "ticket": ticket,
            "expect": {"handoff": True} if expected is None else {"category": expected},
        }
    )
    best = Alternative(value=value or "a", confidence=0.9)
    category = Prediction(value=value, confidence=0.9, decided=value is not None, alternatives=() if value else (best,))
    reason = HandoffReason(code="out_of_scope", severity="medium", evidence="e", would_change="w")
    found = Suggestion(
        id=str(number),
        ticket_id=None,
        kind="request",
        kind_evidence="",
        language="en",
        fields={"category": category},
        novelty=novelty,
        due=None,
        disposition="handoff" if flagged else "open",
        handoff=Handoff(reasons=(reason,), team=None, summary="") if flagged else None,
        versions=Versions(engine="1", encoder="e", generation="g", knowledge_revision=0, policy="p", taxonomy="t"),
        timing_ms={},
    )
    return Outcome(case, found)


def test_whatever_is_decided_out_of_scope_is_wrong() -> None:
    outcomes = [
        *(stream_outcome(n, "a", "a", flagged=False, novelty=0.1) for n in range(6)),  # right
        stream_outcome(6, "b", "a", flagged=False, novelty=0.2),  # wrong
        stream_outcome(7, "b", None, flagged=True, novelty=0.7),  # in scope and flagged
        stream_outcome(8, None, "a", flagged=False, novelty=0.3),  # out of scope and decided
        stream_outcome(9, None, None, flagged=True, novelty=0.9),
        stream_outcome(10, None, None, flagged=True, novelty=0.8),
        stream_outcome(11, None, None, flagged=False, novelty=0.5),
        replace(stream_outcome(12, "a", None, flagged=False, novelty=0.5), suggestion=None),  # an exception
    ]
    stream = mixed_stream(outcomes)
    error = error_when_decided(stream)
    assert error is not None
    assert error["value"] == pytest.approx(2 / 8)
    assert mixed_bar("s", stream, 0.25).holds
    assert not mixed_bar("s", stream, 0.05).holds
    row = mixed_row("s", stream)
    expected = {
        "decided": 8 / 13,
        "decided, in scope": 7 / 9,
        "decided, out of scope": 1 / 4,
        "flagged, in scope": 1 / 9,
        "flagged, out of scope": 2 / 4,
    }
    assert {name: value_of_cell(row[name]) for name in expected} == pytest.approx(expected)
    assert (row["n"], row["out of scope"]) == (13, 4)
    # Of 8 in scope that were read and 4 out of it, 30 of 32 pairs stand in the right order.
    assert told_apart(outcomes)["value"] == pytest.approx(30 / 32)
    assert has_both(outcomes)
    assert not has_both(outcomes[:7])


def value_of_cell(cell: object) -> object:
    return cell["value"] if isinstance(cell, dict) else None


def test_a_stream_of_which_nothing_is_decided_has_shown_nothing() -> None:
    stream = mixed_stream([stream_outcome(n, None, None, flagged=True, novelty=0.9) for n in range(3)])
    assert error_when_decided(stream) is None
    assert not mixed_bar("s", stream, 0.05).holds


def two_languages(right_in: str) -> tuple[FieldCases, PeerResult]:
    """Firstline is right in one language, the word model in the other; both half the time elsewhere."""
    truth, languages = ("a", "b") * 60, ("de",) * 60 + ("en",) * 60
    half = tuple("a" for _ in truth)
    ours = tuple(
        true if spoken == right_in else guess for true, spoken, guess in zip(truth, languages, half, strict=True)
    )
    theirs = tuple(
        guess if spoken == right_in else true for true, spoken, guess in zip(truth, languages, half, strict=True)
    )
    cases = FieldCases("team", ("a", "b"), ("x",) * 120, truth, ours, languages)
    return cases, PeerResult("tfidf_lr", theirs, None, 0, 0, 0, 0, {}, {})


def test_languages_are_scored_apart() -> None:
    cases, peer = two_languages("de")
    rows = language_rows("s", cases, {"tfidf_lr": peer, "knn": PeerFailure("knn", "no")})
    found = {(row["language"], row["system"]): value_of_cell(row["macro-F1"]) for row in rows}
    assert found == {
        ("de", "Firstline"): 1.0,
        ("de", "tfidf_lr"): pytest.approx(1 / 3),
        ("en", "Firstline"): pytest.approx(1 / 3),
        ("en", "tfidf_lr"): 1.0,
    }
    leads = {one.language: one.lead for one in language_leads(rows)}
    assert leads["de"]["value"] == pytest.approx(2 / 3)
    assert leads["en"]["value"] == pytest.approx(-2 / 3)
    held = {bar.name: bar.holds for bar in language_bars("s", language_leads(rows))}
    assert list(held.values()) == [True, False, True]
    part, guesses = in_language(cases, peer.labels, "en")
    assert part.truth == guesses == ("a", "b") * 30


def test_no_better_than_chance_is_not_behind_and_not_ahead() -> None:
    even = [LanguageLead("team", "de", {"value": -0.01, "low": -0.03, "high": 0.01})]
    assert [bar.holds for bar in language_bars("s", even)] == [True, False]
    assert language_bars("s", []) == []


def test_the_first_guesses_are_counted_over_all_and_by_language() -> None:
    assert among_first(("a", "b"), (["a", "b"], ["c", "a", "b"]), 2).tolist() == [[1.0], [0.0]]
    cases, _ = two_languages("de")
    rows = top_rows("s", cases, [["a", "b"]] * 120)
    assert [(row["language"], row["n"]) for row in rows] == [("all", 120), ("de", 60), ("en", 60)]
    assert [value_of_cell(rows[0][f"top-{top} accuracy"]) for top in (1, 3, 5)] == [0.5, 1.0, 1.0]


def test_sets_that_did_not_run_keep_their_rows_bars_and_day() -> None:
    ran = {"table": "clinc150: category", "system": "Firstline", "accuracy": 0.9}
    bar = Bar("clinc150: accuracy", 0.9, 0.8, 1.0, ">= 0.9", True)
    earlier = {
        "rows": [
            {"table": "banking77: category", "system": "old", "measured": "2026-01-01"},
            {"run": "banking77", "measured": "2026-01-01", "seconds": 60.0},
            {"table": "clinc150: category", "system": "replaced"},
            {"table": "clinc150: a table of before", "system": "replaced"},
            {"table": "a set of before: category", "system": "gone"},
        ],
        "bars": [asdict(Bar("banking77: ECE", 0.1, 0.0, 0.2, "<= 0.02", False)), asdict(bar)],
    }
    new = Kept(rows_of_run("clinc150", SetResult([ran], [], {}, "c"), date(2026, 2, 2), 30.0), [bar])
    whole = merged(earlier, new, ["clinc150"], list(SETS))
    assert [(row.get("system"), row["measured"]) for row in whole.rows] == [
        ("old", "2026-01-01"),
        (None, "2026-01-01"),
        ("Firstline", "2026-02-02"),
        (None, "2026-02-02"),
    ]
    assert [one.name for one in whole.bars] == ["banking77: ECE", "clinc150: accuracy"]
    assert whole.seconds == 90
    assert merged({}, new, ["clinc150"], list(SETS)).rows == new.rows


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


def test_a_set_that_the_bench_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="'nothing'"):
        triage_main(["nothing"], tmp_path, tmp_path / "ledger.jsonl")


def test_a_run_that_answered_nothing_is_no_figure(capsys: pytest.CaptureFixture[str]) -> None:
    check_exceptions("s", [None, None])
    assert not capsys.readouterr().out
    check_exceptions("s", [None, "KeyError at x.py:1"])
    assert "1 of 2 cases" in capsys.readouterr().out
    with pytest.raises(BenchError, match="on every case"):
        check_exceptions("s", ["KeyError at x.py:1"] * 2)


def test_a_look_that_took_several_desks_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    note_checksum(path, date(2026, 2, 2), ("s", "test"), "c0ffee", {"Firstline, seed 0": 0.51239})
    (look,) = read_ledger(path)
    assert (look.data, look.figures) == ("c0ffee", {"Firstline, seed 0": 0.5124})


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
