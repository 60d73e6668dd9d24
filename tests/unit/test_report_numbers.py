import random

import numpy as np
import pytest
from scipy.stats import binomtest

from eval.cases import Case
from eval.outcomes import Outcome
from eval.report.curves import hit_rates, reliability_bins, risk_curve, share_by_time, spread
from eval.report.evidence import FieldEvidence
from eval.report.inline_svg import GOOD, VARIABLES, inline_svg
from eval.report.worst_cases import MOST, Worst
from eval.statistics import ece, risk_at_coverage
from triage.suggestions import Alternative, Prediction
from triage.tickets import Ticket


def rows(n: int, ties: bool = False) -> np.ndarray:
    drawn = np.random.default_rng(1)
    confidence = drawn.random(n).round(1 if ties else 8)
    return np.column_stack([confidence, drawn.random(n) < confidence]).astype(float)


@pytest.mark.parametrize("ties", [False, True])
def test_the_bins_of_the_diagram_are_those_of_the_calibration_error(ties: bool) -> None:
    cases = rows(407, ties)
    bins = reliability_bins(cases)
    assert len(bins) == 15
    gap = sum(each.n * abs(each.confidence - each.right) for each in bins) / 407
    assert gap == pytest.approx(float(ece(cases, np.ones((1, 407), dtype=np.uint8))[0]))


@pytest.mark.parametrize(("n", "bins"), [(0, 0), (1, 1), (15, 1), (16, 2), (119, 14), (120, 15), (5_000, 15)])
def test_few_cases_get_fewer_bins(n: int, bins: int) -> None:
    found = reliability_bins(rows(n))
    assert len(found) == bins
    assert sum(each.n for each in found) == n
    assert all(0 <= each.low < each.high <= 1 for each in found)


@pytest.mark.parametrize(("right", "n"), [(0, 9), (4, 9), (9, 9), (1, 1)])
def test_the_interval_of_a_bin_is_wilsons(right: int, n: int) -> None:
    only = reliability_bins(np.array([[0.9, float(number < right)] for number in range(n)]))[0]
    wilson = binomtest(right, n).proportion_ci(method="wilson")
    assert (only.low, only.high) == pytest.approx((wilson.low, wilson.high), abs=1e-6)


def test_a_long_risk_curve_is_thinned_and_keeps_its_end() -> None:
    cases = rows(3_000)
    coverage, risk = risk_curve(cases)
    assert len(coverage) == 200
    assert coverage[-1] == 1
    assert risk[-1] == pytest.approx(1 - cases[:, 1].mean())
    assert risk[7] == risk_at_coverage(cases)[round(coverage[7] * 3_000) - 1]


def test_spread_numbers_end_with_the_last() -> None:
    assert list(spread(3, 10)) == [0, 1, 2]
    assert list(spread(10, 5)) == [1, 3, 5, 7, 9]
    assert list(spread(0, 5)) == []


def test_a_hit_counts_from_its_rank_on_and_a_miss_never() -> None:
    assert hit_rates([1, 3, 0, 11]) == [0.25, 0.25, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]


def test_shares_by_time_rise_to_one() -> None:
    times, shares = share_by_time([30.0, 10.0, 20.0])
    assert list(times) == [10, 20, 30]
    assert list(shares) == pytest.approx([1 / 3, 2 / 3, 1])


def test_a_field_counts_exceptions_as_wrong_and_undecided() -> None:
    field = FieldEvidence()
    undecided = Prediction(
        value=None, confidence=0.6, decided=False, alternatives=(Alternative(value="b", confidence=0.6),)
    )
    field.add("a", Prediction(value="a", confidence=0.9, decided=True))
    field.add("a", undecided)
    field.add("a", None)
    assert field.all_rows().tolist() == [[0.9, 1], [0.6, 0], [0, 0]]
    assert field.answered_rows().tolist() == [[0.9, 1], [0.6, 0]]
    assert field.decides() == pytest.approx((1 / 3, 0))
    assert dict(field.confused) == {("a", "b"): 1}


def test_the_worst_are_kept_whatever_the_order_and_of_equals_the_earlier() -> None:
    badness = [number // 2 for number in range(60)]
    random.Random(4).shuffle(badness)
    worst = Worst()
    for number, bad in enumerate(badness):
        worst.offer(bad, Outcome(Case(id=str(number), ticket=Ticket(body="x"), expect={}), None))
    kept = [int(outcome.case.id) for outcome, _ in worst]
    assert kept == sorted(range(60), key=lambda number: (-badness[number], number))[:MOST]
    assert worst.offered == 60


def test_an_svg_takes_the_colours_of_the_page_and_ids_of_its_own() -> None:
    def draw(axes: object) -> None:
        axes.plot([0, 1], [0, 1], color=GOOD, marker="o")
        axes.set_title("$\\frac{<b>&")

    first, second = (inline_svg(name, 'shows "x"', draw) for name in ("one", "two"))
    assert first.replace("one-", "two-") == second
    assert "var(--good)" in first
    assert not any(color in first for color in VARIABLES)
    assert "$\\frac{&lt;b&gt;&amp;" in first
    assert 'role="img" aria-label="shows &quot;x&quot;"' in first
    for outside in ("http", "<?xml", "<!", "DejaVu", "Matplotlib"):
        assert outside not in first
