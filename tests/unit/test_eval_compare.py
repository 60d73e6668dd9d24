"""Two runs, case by case: what is tested, what fails, and what cannot be compared."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from eval_builders import (
    VERSIONS,
    article,
    case,
    failed,
    guessing,
    handed_over,
    prediction,
    right_and_wrong,
    run_of,
    some_outcomes,
    suggestion,
)

from eval.compare_runs import Comparison, Flip, compare_runs
from eval.comparison_text import comparison_json, comparison_text
from eval.errors import ComparisonError, RunError
from eval.gates import DEFAULT_GATES, Gate, Gates, read_gates
from eval.outcomes import Outcome

ACCURACY = Gate(metric="category.accuracy")


def compared(folder: Path, before: Sequence[Outcome], after: Sequence[Outcome], gates: Gates) -> Comparison:
    return compare_runs(run_of(folder / "before", before), run_of(folder / "after", after), gates)


def gated(*gates: Gate, **more: object) -> Gates:
    return Gates.model_validate({"gate": gates, **more})


def ids(flips: Iterable[Flip], lost: bool) -> set[str]:
    return {flip.case for flip in flips if flip.lost == lost}


def test_a_loss_beyond_chance_fails_and_names_its_cases(tmp_path: Path) -> None:
    before, after = right_and_wrong([1] * 100), right_and_wrong([0] * 8 + [1] * 92)
    found = compared(tmp_path, before, after, gated(ACCURACY))
    (difference,) = found.differences
    assert (difference.before, difference.after, difference.n, difference.test) == (1.0, 0.92, 100, "McNemar")
    assert difference.difference == pytest.approx(-0.08)
    assert difference.p_value == pytest.approx(0.5**8)
    assert found.fails
    assert difference.fails
    assert ids(found.flips, lost=True) == {f"c-{number:04d}" for number in range(8)}
    text = comparison_text(found)
    assert "WORSE" in text
    assert "FAILS: worse: category.accuracy" in text


def test_a_loss_within_chance_passes_and_its_flips_are_shown(tmp_path: Path) -> None:
    found = compared(tmp_path, right_and_wrong([1] * 9), right_and_wrong([0, 0, 0, *[1] * 6]), gated(ACCURACY))
    assert not found.fails
    assert len(found.flips) == 3
    assert "No gate fails" in comparison_text(found)


def test_a_gain_never_fails(tmp_path: Path) -> None:
    found = compared(tmp_path, right_and_wrong([0] * 50), right_and_wrong([1] * 50), gated(ACCURACY))
    assert not found.fails
    assert found.differences[0].difference == 1.0
    assert found.differences[0].p_value == 1.0
    assert len(ids(found.flips, lost=False)) == 50


def test_lower_is_better_turns_loss_and_gain_round(tmp_path: Path) -> None:
    gate = Gate(metric="category.error_when_decided")
    found = compared(tmp_path, right_and_wrong([1] * 60), right_and_wrong([0] * 20 + [1] * 40), gated(gate))
    assert found.fails
    assert found.differences[0].difference == pytest.approx(1 / 3)
    assert len(ids(found.flips, lost=True)) == 20


def test_no_case_of_a_never_metric_may_be_lost(tmp_path: Path) -> None:
    expect = {"handoff": True, "handoff_reasons": ["sensitive_topic"]}
    before = [Outcome(case(f"c-{n}", **expect), handed_over("sensitive_topic")) for n in range(40)]
    after = [*before[:-1], Outcome(before[-1].case, handed_over("low_confidence"))]
    found = compared(tmp_path, before, after, Gates(never=("handoff.sensitive_topic.recall",)))
    assert found.fails
    assert found.broken == (Flip("handoff.sensitive_topic.recall", "c-39", True),)
    assert "c-39" in comparison_text(found)
    won = compare_runs(*(run_of(tmp_path / name, rows) for name, rows in (("a", after), ("b", before))), found_gates())
    assert not won.fails


def found_gates() -> Gates:
    return Gates(never=("handoff.sensitive_topic.recall",))


def test_a_tolerance_lets_a_loss_of_its_size_pass(tmp_path: Path) -> None:
    before, after = right_and_wrong([1] * 200), right_and_wrong([0] * 12 + [1] * 188)
    gates = gated(ACCURACY, Gate(metric="category.accuracy", worse_by=0.06))
    strict, tolerant = compared(tmp_path, before, after, gates).differences
    assert strict.fails
    assert (tolerant.fails, tolerant.test) == (False, "bootstrap")
    assert tolerant.p_value is not None
    assert tolerant.p_value > 0.4


def test_a_huge_tolerance_never_fails(tmp_path: Path) -> None:
    gate = Gate(metric="category.accuracy", worse_by=1e300)
    found = compared(tmp_path, right_and_wrong([1] * 50), right_and_wrong([0] * 50), gated(gate))
    assert not found.fails
    assert found.differences[0].p_value == 1.0


def test_variation_from_build_to_build_widens_the_interval(tmp_path: Path) -> None:
    before, after = right_and_wrong([1] * 200), right_and_wrong([0] * 12 + [1] * 188)
    steady, varying = (Gate(metric="category.accuracy", build_sd=sd) for sd in (0.0, 0.05))
    one, other = compared(tmp_path, before, after, gated(steady, varying)).differences
    assert (one.fails, other.fails) == (True, False)
    assert one.low is not None
    assert other.low is not None
    assert other.low < one.low - 0.05


def test_the_same_metric_twice_is_two_tests(tmp_path: Path) -> None:
    gates = gated(ACCURACY, Gate(metric="category.accuracy", worse_by=0.5))
    found = compared(tmp_path, right_and_wrong([1] * 20), right_and_wrong([0] * 7 + [1] * 13), gates)
    assert len(found.differences) == 2
    assert found.differences[0].adjusted == pytest.approx(2 * 0.5**7)
    assert len(found.flips) == 7


@pytest.mark.parametrize("same_group", [True, False])
def test_one_group_is_no_evidence_and_no_crash(tmp_path: Path, same_group: bool) -> None:
    n, group = (30, "thread") if same_group else (1, None)
    found = compared(tmp_path, right_and_wrong([1] * n, group), right_and_wrong([0] * n, group), gated(ACCURACY))
    assert not found.fails
    assert found.differences[0].difference == -1.0
    assert json.loads(comparison_json(found))["fails"] is False
    assert "category.accuracy" in comparison_text(found)


def test_cases_of_one_requester_are_not_counted_as_many(tmp_path: Path) -> None:
    before = [
        outcome for n in range(6) for outcome in right_and_wrong_of(group=f"g-{n}", start=n * 20, results=[1] * 20)
    ]
    after = right_and_wrong_of("g-0", 0, [0] * 20) + before[20:]
    found = compared(tmp_path, before, after, gated(ACCURACY))
    assert found.differences[0].test == "bootstrap"
    assert not found.fails  # one customer of six, not twenty cases of a hundred and twenty


def right_and_wrong_of(group: str, start: int, results: Sequence[int]) -> list[Outcome]:
    return [
        Outcome(case(f"c-{start + n}", group, category="till"), guessing("till" if right else "vat"))
        for n, right in enumerate(results)
    ]


def test_a_metric_that_is_not_determined_hides_no_other(tmp_path: Path) -> None:
    def row(n: int, right: bool) -> Outcome:
        return Outcome(case(f"c-{n}", category="till", answerable=True), guessing("till" if right else "vat"))

    before, after = [row(n, True) for n in range(50)], [row(n, n > 20) for n in range(50)]
    gates = gated(Gate(metric="answerable.auroc"), ACCURACY, Gate(metric="answerable.auroc", worse_by=0.1))
    found = compared(tmp_path, before, after, gates)
    undetermined, accuracy, _ = found.differences
    assert undetermined.before is None
    assert undetermined.p_value is None
    assert accuracy.fails
    assert accuracy.adjusted == pytest.approx(0.5**21)
    assert "nan" not in comparison_text(found)
    assert "NaN" not in comparison_json(found)


def test_a_case_that_one_run_alone_scores_counts_there(tmp_path: Path) -> None:
    decided, open_ = guessing("vat"), suggestion(fields={"category": prediction("vat", decided=False)})
    before = [Outcome(case(f"c-{n}", category="till"), open_) for n in range(40)]
    after = [Outcome(case(f"c-{n}", category="till"), decided) for n in range(40)]
    half = [*after[:20], *before[20:]]
    found = compared(tmp_path, half, after, gated(Gate(metric="category.error_when_decided")))
    (difference,) = found.differences
    assert (difference.n, difference.before, difference.after, difference.test) == (40, 1.0, 1.0, "bootstrap")
    assert found.flips == ()


def test_a_metric_without_a_scored_case_is_not_scored(tmp_path: Path) -> None:
    rows = right_and_wrong([1] * 10)
    found = compared(tmp_path, rows, rows, gated(Gate(metric="handoff.recall"), ACCURACY))
    assert (found.differences[0].before, found.differences[0].n) == (None, 0)
    assert not found.fails
    assert found.unscored == ("handoff.recall",)
    assert "not scored" in comparison_text(found)


def test_runs_whose_every_case_raised_compare(tmp_path: Path) -> None:
    rows = [failed(f"c-{n}", category="till", articles=["a"], handoff=True) for n in range(10)]
    assert not compared(tmp_path, rows, rows, read_gates_for_one_field()).fails
    sound = right_and_wrong([1] * 40)
    broken = [Outcome(outcome.case, None, "ValueError at x.py:1") for outcome in sound]
    assert compare_runs(run_of(tmp_path / "a", sound), run_of(tmp_path / "b", broken), gated(ACCURACY)).fails


def read_gates_for_one_field() -> Gates:
    stated = read_gates(DEFAULT_GATES)
    return stated.model_copy(update={"gate": tuple(gate for gate in stated.gate if gate.metric[:5] != "team.")})


def test_a_slice_is_gated_by_its_name(tmp_path: Path) -> None:
    def rows(results: Sequence[int]) -> list[Outcome]:
        channels = ["web" if number % 2 else "app" for number in range(len(results))]
        return [
            Outcome(outcome.case.model_copy(update={"slice": {"channel": channel}}), outcome.suggestion)
            for outcome, channel in zip(right_and_wrong(results), channels, strict=True)
        ]

    before, after = rows([1] * 60), rows([number % 2 for number in range(60)])
    gates = gated(*(Gate(metric="category.accuracy", slice=f"channel={name}") for name in ("web", "app")))
    web, app = compared(tmp_path, before, after, gates).differences
    assert (web.n, web.difference, web.fails) == (30, 0.0, False)
    assert (app.n, app.difference, app.fails) == (30, -1.0, True)
    unknown = gated(Gate(metric="category.accuracy", slice="channel=fax"))
    with pytest.raises(ComparisonError, match="names the slice 'channel=fax'; the runs have channel=app, channel=web"):
        compare_runs(run_of(tmp_path / "c", before), run_of(tmp_path / "d", after), unknown)


def test_the_order_of_the_later_run_does_not_matter(tmp_path: Path) -> None:
    before, after = some_outcomes(1, 30), some_outcomes(1, 30)[::-1]
    gates = gated(ACCURACY, Gate(metric="category.macro_f1"), Gate(metric="retrieval.ndcg_at_10"))
    found = compared(tmp_path, before, after, gates)
    assert all(difference.difference == pytest.approx(0, abs=1e-12) for difference in found.differences)
    assert found.flips == ()
    rows, worse = right_and_wrong([1] * 30), right_and_wrong([0] * 9 + [1] * 21)
    (there,), (turned,) = (
        compare_runs(
            run_of(tmp_path / f"{name} a", rows), run_of(tmp_path / f"{name} b", after), gated(ACCURACY)
        ).differences
        for name, after in (("there", worse), ("turned", worse[::-1]))
    )
    assert there == turned
    assert turned.test == "McNemar"


def test_what_was_changed_is_named(tmp_path: Path) -> None:
    rows = right_and_wrong([1, 0])
    after = run_of(tmp_path / "b", rows, versions=VERSIONS.model_copy(update={"generation": "000002"}))
    found = compare_runs(run_of(tmp_path / "a", rows), after, gated(ACCURACY))
    assert found.changed == ("generation 000001 → 000002",)
    assert "generation 000001 → 000002" in comparison_text(found)


def test_a_label_more_is_no_other_case(tmp_path: Path) -> None:
    rows = right_and_wrong([1] * 5)
    fields = {"category": {"till": 0, "new": 3, "vat": 1}}
    more = [*rows[:4], Outcome(rows[4].case, guessing("new"))]
    after = run_of(tmp_path / "b", more, fields=fields)
    found = compare_runs(run_of(tmp_path / "a", rows), after, gated(ACCURACY, Gate(metric="category.macro_f1")))
    assert found.differences[0].difference == pytest.approx(-0.2)


@pytest.mark.parametrize(
    "after",
    [
        right_and_wrong([1] * 4),
        [*right_and_wrong([1] * 4), Outcome(case("other", category="till"), guessing("till"))],
        [*right_and_wrong([1] * 4), Outcome(case("c-0004", category="vat"), guessing("till"))],
        [*right_and_wrong([1] * 4), Outcome(case("c-0004", "thread", category="till"), guessing("till"))],
    ],
    ids=["one fewer", "another id", "a changed expectation", "a changed group"],
)
def test_runs_over_different_cases_are_refused(tmp_path: Path, after: list[Outcome]) -> None:
    with pytest.raises(ComparisonError, match=r"are over different cases: .* run both over the same file"):
        compared(tmp_path, right_and_wrong([1] * 5), after, gated(ACCURACY))


def test_a_metric_that_there_is_not_is_refused(tmp_path: Path) -> None:
    rows = right_and_wrong([1])
    with pytest.raises(ComparisonError, match=r"names 'category\.acuracy', which is no metric; use one of"):
        compared(tmp_path, rows, rows, gated(Gate(metric="category.acuracy")))
    with pytest.raises(ComparisonError, match="names 'x', which is no metric"):
        compare_runs(run_of(tmp_path / "a", rows), run_of(tmp_path / "b", rows), Gates(never=("x",)))


def test_outcomes_that_do_not_fit_their_run_are_refused(tmp_path: Path) -> None:
    rows = right_and_wrong([1] * 5)
    for name, lines in (("doubled", [*rows, rows[0]]), ("missing", rows[:3])):
        run = run_of(tmp_path / name, rows)
        (run.folder / "outcomes.jsonl").write_text("".join(row.as_line() for row in lines), encoding="utf-8")
        with pytest.raises(RunError, match=r"outcomes\.jsonl"):
            compare_runs(run, run, gated(ACCURACY))


def test_search_is_compared_too(tmp_path: Path) -> None:
    def row(n: int, *names: str) -> Outcome:
        return Outcome(case(f"c-{n}", articles=["a"]), suggestion(articles=tuple(map(article, names))))

    before, after = [row(n, "a", "b") for n in range(40)], [row(n, "b", "a") for n in range(40)]
    gates = gated(*(Gate(metric=f"retrieval.{name}") for name in ("hit_at_1", "hit_at_5", "mrr_at_10")))
    first, fifth, reciprocal = compared(tmp_path, before, after, gates).differences
    assert (first.fails, fifth.fails, reciprocal.fails) == (True, False, True)
    assert reciprocal.difference == pytest.approx(-0.5)


def test_half_of_a_case_is_lost_too(tmp_path: Path) -> None:
    def row(n: int, *names: str) -> Outcome:
        return Outcome(case(f"c-{n}", articles=["a"]), suggestion(articles=tuple(map(article, names))))

    before = [row(n, "a", "b") for n in range(40)]
    after = [row(0, "b", "a"), *before[1:]]
    never = Gates(never=("retrieval.mrr_at_10",))
    first, second = run_of(tmp_path / "before", before), run_of(tmp_path / "after", after)
    assert compare_runs(first, second, never).broken == (Flip("retrieval.mrr_at_10", "c-0", True),)
    assert not compare_runs(second, first, never).fails


@pytest.mark.parametrize("name", ["category.macro_f1", "category.ece", "latency.p95_ms"])
def test_a_metric_without_single_cases_cannot_be_a_never(tmp_path: Path, name: str) -> None:
    run = run_of(tmp_path / "run", right_and_wrong([1]))
    with pytest.raises(ComparisonError, match=f"never names '{name}', which has no single cases to lose"):
        compare_runs(run, run, Gates(never=(name,)))
