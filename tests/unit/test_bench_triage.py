"""The triage bench: draws, the mixed stream, languages apart, and what is kept of sets that did not run."""

from collections import Counter
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from eval.benches.frame import Bar
from eval.benches.ledger import read_ledger
from eval.benches.systems import note_checksum
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
from eval.errors import BenchError
from eval.loaders.loaded import Loaded
from eval.outcomes import Outcome
from eval.peers.results import PeerFailure, PeerResult
from triage.suggestions import Alternative, Handoff, HandoffReason, Prediction, Suggestion, Versions


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


def test_a_set_that_the_bench_does_not_have_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="'nothing'"):
        triage_main(["nothing"], tmp_path, tmp_path / "ledger.jsonl")


def test_a_look_that_took_several_desks_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    note_checksum(path, date(2026, 2, 2), ("s", "test"), "c0ffee", {"Firstline, seed 0": 0.51239})
    (look,) = read_ledger(path)
    assert (look.data, look.figures) == ("c0ffee", {"Firstline, seed 0": 0.5124})
