"""What must hold of comparisons and measurements, whatever the outcomes."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from eval_builders import FIELDS, LABELS, measured, run_of, some_outcomes, values_of
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.cases import Case
from eval.compare_runs import compare_runs
from eval.gates import Gate, Gates
from eval.outcomes import Outcome
from triage.suggestions import Suggestion

seeds = st.integers(0, 10_000)
sizes = st.integers(1, 25)
GATED = (
    "category.accuracy",
    "category.macro_f1",
    "category.error_when_decided",
    "retrieval.ndcg_at_10",
    "answerable.auroc",
    "handoff.missed_rate",
    "draft.supported_sentences",
)
GATES = Gates(gate=tuple(Gate(metric=name) for name in GATED), never=("handoff.sensitive_topic.recall",))
UNBOUNDED = ("latency.",)
#: Bins of equal mass, coverage steps and interpolated percentiles do depend on how many cases there are.
SIZED = ("category.ece", "category.aurc", "latency.p95_ms")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compared")


def other_answers(outcomes: Sequence[Outcome], seed: int) -> list[Outcome]:
    """The same cases with the suggestions of others."""
    answers = random.Random(seed).sample(outcomes, len(outcomes))
    return [
        Outcome(one.case, other.suggestion, other.error, other.seconds)
        for one, other in zip(outcomes, answers, strict=True)
    ]


@given(seeds, sizes)
@settings(max_examples=12, deadline=None)
def test_a_run_never_fails_against_itself(folder: Path, seed: int, size: int) -> None:
    run = run_of(fresh(folder), some_outcomes(seed, size))
    found = compare_runs(run, run, GATES)
    assert not found.fails
    assert found.flips == found.broken == found.changed == ()
    assert all(entry.difference in (None, 0.0) for entry in found.differences)


@given(seeds, sizes)
@settings(max_examples=12, deadline=None)
def test_the_other_way_round_everything_is_the_other_way_round(folder: Path, seed: int, size: int) -> None:
    outcomes = some_outcomes(seed, size)
    first, second = run_of(fresh(folder), outcomes), run_of(fresh(folder), other_answers(outcomes, seed))
    there, back = compare_runs(first, second, GATES), compare_runs(second, first, GATES)
    for one, other in zip(there.differences, back.differences, strict=True):
        assert (one.before, one.after, one.n) == (other.after, other.before, other.n)
        if one.difference is None or one.low is None or one.high is None:
            assert other.difference is None
            continue
        assert (one.difference, one.low, one.high) == pytest.approx((-other.difference, -other.high, -other.low))  # type: ignore[operator]
        assert one.low <= one.difference <= one.high
        assert not (one.fails and other.fails)
    turned = {(flip.metric, flip.case, not flip.lost) for flip in back.flips}
    assert {(flip.metric, flip.case, flip.lost) for flip in there.flips} == turned


def fresh(folder: Path) -> Path:
    return folder / str(sum(1 for _ in folder.iterdir()))


@given(seeds, sizes)
@settings(max_examples=25, deadline=None)
def test_the_order_of_cases_does_not_matter(seed: int, size: int) -> None:
    outcomes = some_outcomes(seed, size)
    shuffled = random.Random(seed).sample(outcomes, len(outcomes))
    assert values_of(shuffled) == pytest.approx(values_of(outcomes), abs=1e-9)


@given(seeds, sizes)
@settings(max_examples=25, deadline=None)
def test_every_case_twice_gives_the_same_values(seed: int, size: int) -> None:
    outcomes = some_outcomes(seed, size)
    once, twice = values_of(outcomes), values_of([*outcomes, *outcomes])
    assert {name: value for name, value in twice.items() if name not in SIZED} == pytest.approx(
        {name: value for name, value in once.items() if name not in SIZED}, abs=1e-9
    )


@given(seeds, sizes, st.permutations(LABELS))
@settings(max_examples=25, deadline=None)
def test_other_names_for_classes_give_the_same_values(seed: int, size: int, names: list[str]) -> None:
    outcomes = some_outcomes(seed, size)
    renamed = [renamed_outcome(outcome, dict(zip(LABELS, names, strict=True))) for outcome in outcomes]
    assert values_of(renamed) == pytest.approx(values_of(outcomes), abs=1e-9)
    more = {"category": {**FIELDS["category"], "a label that never occurs": 0}}
    assert values_of(outcomes, more) == pytest.approx(values_of(outcomes), abs=1e-9)


def renamed_outcome(outcome: Outcome, names: dict[str, str]) -> Outcome:
    expect = outcome.case.expect
    if "category" in expect:
        expect = expect | {"category": names[expect["category"]]}
    found = outcome.suggestion
    if found is not None:
        values = found.model_dump(mode="json")
        category = values["fields"]["category"]
        category["value"] = names.get(category["value"])
        for other in category["alternatives"]:
            other["value"] = names[other["value"]]
        found = Suggestion.model_validate(values)
    case = Case.model_validate(outcome.case.model_dump(mode="json", exclude_defaults=True) | {"expect": expect})
    return Outcome(case, found, outcome.error, outcome.seconds, outcome.reply_similarity)


@given(seeds, sizes)
@settings(max_examples=25, deadline=None)
def test_values_lie_in_their_bounds(seed: int, size: int) -> None:
    for name, value in values_of(some_outcomes(seed, size)).items():
        assert 0 <= value <= (float("inf") if name.startswith(UNBOUNDED) else 1), name


@pytest.mark.parametrize(("seed", "size"), [(0, 1), (1, 2), (2, 9), (3, 60)])
def test_measurements_hold_their_values_and_count_every_case(seed: int, size: int) -> None:
    outcomes = some_outcomes(seed, size)
    for entry in measured(outcomes):
        if entry.slice is None:
            assert entry.n + entry.unscored == size, entry
        assert (entry.value is None) == (entry.low is None) == (entry.high is None) == (entry.n == 0), entry
        if entry.value is not None and not entry.name.startswith(UNBOUNDED):
            assert entry.low is not None
            assert entry.high is not None
            assert 0 <= entry.low <= entry.value <= entry.high <= 1, entry
