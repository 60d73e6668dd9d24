"""What must hold of every statistic and interval, whatever the cases."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.gates import Gate
from eval.paired_tests import Difference, holm
from eval.resampling import Resamples, share_interval, value_of
from eval.statistics import (
    Array,
    Statistic,
    aurc,
    auroc,
    ece,
    macro_f1,
    mean,
    quantile,
    rate,
    risk_at_coverage,
)

shares = st.integers(0, 20).map(lambda twentieth: twentieth / 20)
flags = st.sampled_from([0.0, 1.0])


def rows_of(*columns: st.SearchStrategy[float]) -> st.SearchStrategy[Array]:
    return st.lists(st.tuples(*columns), min_size=1, max_size=40).map(lambda rows: np.array(rows, dtype=np.float64))


classes = rows_of(st.integers(0, 6).map(float), st.integers(-1, 6).map(float))
scored = rows_of(shares, flags)
anything = rows_of(st.floats(0, 1))
seconds = rows_of(st.floats(0.001, 1_000))
STATISTICS: dict[str, tuple[Statistic, st.SearchStrategy[Array]]] = {
    "mean": (mean, anything),
    "macro_f1": (macro_f1, classes),
    "auroc": (auroc, scored),
    "ece": (ece, scored),
    "aurc": (aurc, scored),
    "median": (quantile(0.5), seconds),
    "p95": (quantile(0.95), seconds),
    "rate": (rate, seconds),
}
every_statistic = pytest.mark.parametrize("name", STATISTICS)
#: Bins of equal mass, coverage steps and interpolated percentiles do depend on how many cases there are.
SIZELESS = ("mean", "macro_f1", "auroc", "median", "rate")


def same(one: float, other: float) -> bool:
    return bool(np.isclose(one, other, rtol=1e-9, atol=1e-12, equal_nan=True))


def check(name: str, holds: Callable[[Statistic, Array, np.random.Generator], bool]) -> None:
    statistic, strategy = STATISTICS[name]

    @given(strategy, st.integers(0, 2**32 - 1))
    @settings(max_examples=40, deadline=None)
    def inner(rows: Array, seed: int) -> None:
        assert holds(statistic, rows, np.random.default_rng(seed))

    inner()


@every_statistic
def test_a_weight_is_a_repeat(name: str) -> None:
    def holds(statistic: Statistic, rows: Array, rng: np.random.Generator) -> bool:
        weights = rng.integers(0, 4, size=(3, len(rows))).astype(np.uint8)
        found = statistic(rows, weights)
        repeated = [rows[np.repeat(np.arange(len(rows)), weight)] for weight in weights]
        expected = [value_of(statistic, part) if len(part) else np.nan for part in repeated]
        return found.shape == (3,) and all(same(a, b) for a, b in zip(found, expected, strict=True))

    check(name, holds)


@every_statistic
def test_a_value_does_not_depend_on_the_order_of_cases(name: str) -> None:
    check(
        name, lambda statistic, rows, rng: same(value_of(statistic, rng.permutation(rows)), value_of(statistic, rows))
    )


@pytest.mark.parametrize("name", SIZELESS)
def test_every_case_twice_gives_the_same_value(name: str) -> None:
    check(
        name, lambda statistic, rows, rng: same(value_of(statistic, rows.repeat(2, axis=0)), value_of(statistic, rows))
    )


@pytest.mark.parametrize("name", ["mean", "macro_f1", "auroc", "ece", "aurc"])
def test_a_bounded_value_is_in_bounds_or_undetermined(name: str) -> None:
    def holds(statistic: Statistic, rows: Array, rng: np.random.Generator) -> bool:
        value = value_of(statistic, rows)
        return bool(np.isnan(value)) or 0 <= value <= 1

    check(name, holds)


@every_statistic
def test_no_case_drawn_is_nan_and_not_zero(name: str) -> None:
    def holds(statistic: Statistic, rows: Array, rng: np.random.Generator) -> bool:
        return bool(np.isnan(statistic(rows, np.zeros((1, len(rows)), dtype=np.uint8))[0]))

    check(name, holds)


@pytest.mark.parametrize("name", ["mean", "macro_f1", "auroc", "ece", "aurc"])
def test_an_interval_holds_its_value(name: str) -> None:
    def holds(statistic: Statistic, rows: Array, rng: np.random.Generator) -> bool:
        value = value_of(statistic, rows)
        if np.isnan(value):
            return True
        names = [str(number) for number in rng.integers(1, len(rows) + 1, size=len(rows))]
        drawn, cases = Resamples(names, 20, trials=50), np.arange(len(rows))
        low, high = share_interval(value, drawn.of(statistic, cases, rows), drawn.groups_among(cases))
        return 0 <= low <= value <= high <= 1

    check(name, holds)


@given(st.integers(0, 20), st.integers(2, 2_000))
def test_an_interval_holds_its_value_where_resamples_agree(twentieth: int, groups: int) -> None:
    value = twentieth / 20
    low, high = share_interval(value, np.full(100, value), groups)
    assert 0 <= low <= value <= high <= 1
    assert high - low > 1 / (groups + 4)


@given(classes, st.permutations(range(7)))
@settings(deadline=None)
def test_other_numbers_for_classes_give_the_same_f1(rows: Array, numbers: list[int]) -> None:
    renamed = np.array([*numbers, -1], dtype=np.float64)[rows.astype(int)]
    assert same(value_of(macro_f1, renamed), value_of(macro_f1, rows))


@given(scored)
def test_turning_scores_round_turns_the_area_round(rows: Array) -> None:
    area, turned = value_of(auroc, rows), value_of(auroc, rows * [-1, 1])
    assert np.isnan(area) == np.isnan(turned)
    assert np.isnan(area) or same(area + turned, 1)


@given(scored)
def test_at_full_coverage_the_risk_is_the_error(rows: Array) -> None:
    risk = risk_at_coverage(rows)
    assert risk.shape == (len(rows),)
    assert same(risk[-1], 1 - rows[:, 1].mean())


@given(rows_of(flags), st.data())
def test_one_more_right_never_lowers_accuracy(rows: Array, data: st.DataObject) -> None:
    better = rows.copy()
    better[data.draw(st.integers(0, len(rows) - 1)), 0] = 1.0
    assert value_of(mean, better) >= value_of(mean, rows)


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=30), st.integers(0, 99))
@settings(deadline=None)
def test_a_group_is_drawn_as_one_and_as_many_groups_as_there_are(groups: list[str], seed: int) -> None:
    drawn = Resamples(groups, seed, trials=20)
    first = {name: groups.index(name) for name in groups}
    assert drawn.weights.shape == (20, len(groups))
    for number, name in enumerate(groups):
        assert (drawn.weights[:, number] == drawn.weights[:, first[name]]).all()
    assert (drawn.weights[:, sorted(first.values())].sum(axis=1) == len(first)).all()


@given(st.lists(st.none() | st.floats(0, 1), max_size=12), st.floats(0.001, 0.5))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values: list[float | None], rate: float) -> None:
    given_ = [Difference(Gate(metric=f"m{row}"), 9, p_value=p) for row, p in enumerate(p_values)]
    found = holm(given_, rate)
    assert [entry.gate for entry in found] == [entry.gate for entry in given_]
    tested = sorted((e.p_value, e.adjusted) for e in found if e.p_value is not None and e.adjusted is not None)
    assert len(tested) == sum(p is not None for p in p_values)
    assert all(p <= adjusted <= 1 for p, adjusted in tested)
    assert [adjusted for _, adjusted in tested] == sorted(adjusted for _, adjusted in tested)
    assert all(not entry.fails for entry in found if entry.p_value is None)
    # Where nothing passes the first and hardest step, nothing fails at all.
    lowest = min((p for p, _ in tested), default=1.0)
    assert any(entry.fails for entry in found) == (min(1.0, lowest * len(tested)) <= rate and bool(tested))
