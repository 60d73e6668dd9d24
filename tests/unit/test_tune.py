"""Curves of thresholds, settings for targets, and a proposal that leaves the rest of a policy alone."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from eval_builders import case

from eval.replay.summary import share
from eval.tune.fields import field_curve, wanted_error
from eval.tune.handoffs import DIALS, HandoffCurve, HandoffPoint, best_for, point, setting, turned
from eval.tune.proposal import difference, proposed
from triage.drafting.policy import Policy
from triage.held_out import HeldOut

POLICY = """# Errors, with reasons.
[fields]
category = { max_error = 0.10 }  # agreed in May

[rules.urgent_priority]
# cross-validated
min_chance = 0.3
"""


def held_out(n: int = 400) -> HeldOut:
    """Rows of which the surest are the most often right."""
    draw = np.random.default_rng(4)
    sureness = draw.uniform(0, 5, n)
    right = draw.uniform(size=n) < 1 / (1 + np.exp(-sureness))
    logits = np.stack([sureness, np.zeros(n)], axis=1).astype(np.float32)
    return HeldOut(("a", "b"), np.arange(n), np.where(right, 0, 1), logits, 1.0)


def test_the_more_error_is_stated_the_more_is_decided() -> None:
    curve = field_curve("category", held_out(), 0.1)
    coverages = [one.coverage.value for one in curve.points]
    assert coverages == sorted(coverages, key=lambda value: value or 0)
    assert coverages[0] == 0
    assert coverages[-1] == 1
    for one in curve.points:
        assert (one.threshold is None) == (one.error.value is None)
        assert one.error.value is None or one.error.value <= one.max_error
    assert curve.now == next(one for one in curve.points if one.max_error == 0.1)


def test_the_smallest_error_that_decides_enough_is_wanted() -> None:
    curve = field_curve("category", held_out(), 0.1)
    wanted = wanted_error(curve, 0.9)
    assert wanted is not None
    assert (wanted.coverage.value or 0) >= 0.9
    assert all((one.coverage.value or 0) < 0.9 for one in curve.points if one.max_error < wanted.max_error)
    nothing = HeldOut(("a", "b"), *(np.zeros(0, dtype=np.int64),) * 2, np.zeros((0, 2), dtype=np.float32), 1.0)
    assert wanted_error(field_curve("category", nothing, 0.1), 0.5) is None


@pytest.mark.parametrize("dial", DIALS)
def test_a_threshold_is_turned_alone(dial: str) -> None:
    changed = turned(Policy(), dial, 0.42)
    assert setting(changed, dial) == 0.42
    assert turned(changed, dial, setting(Policy(), dial)) == Policy()


def test_cases_are_counted_where_they_say_what_was_needed() -> None:
    cases = [case(handoff=True), case(handoff=True), case(handoff=False), case(answerable=True), case()]
    found = point(0.3, cases, ["handoff", "draft", "handoff", "draft", "handoff"])
    assert (found.precision.value, found.precision.n) == (0.5, 2)
    assert (found.recall.value, found.recall.n) == (0.5, 2)
    assert (found.drafted.value, found.drafted.n) == (1.0, 1)


def test_of_the_settings_that_reach_a_target_the_one_with_most_drafts_is_best() -> None:
    points = tuple(
        HandoffPoint(value, share(precision, 10), share(recall, 10), share(drafted, 10))
        for value, precision, recall, drafted in ((0.1, 9, 7, 8), (0.2, 8, 9, 6), (0.3, 7, 9, 6), (0.4, 6, 10, 2))
    )
    curve = HandoffCurve("urgent_priority.min_chance", points[2], points)
    chosen = [best_for(curve, lambda one: one.recall, target) for target in (0.5, 0.9, 1.0)]
    assert [one and one.value for one in chosen] == [0.1, 0.3, 0.4]
    assert best_for(curve, lambda one: one.precision, 0.95) is None


def test_a_proposal_changes_what_it_must_and_keeps_every_comment(project: Path) -> None:
    settings = {
        ("fields", "category", "max_error"): 0.05,
        ("fields", "team", "max_error"): 0.2,
        ("rules", "urgent_priority", "min_chance"): 0.4,
        ("rules", "no_supporting_article", "min_chance"): 0.5,
    }
    text = proposed(POLICY, settings)
    values = tomllib.loads(text)
    assert values["fields"]["category"]["max_error"] == 0.05
    assert values["fields"]["team"]["max_error"] == 0.2
    assert values["rules"]["urgent_priority"]["min_chance"] == 0.4
    assert values["rules"]["no_supporting_article"]["min_chance"] == 0.5
    for comment in ("# Errors, with reasons.", "# agreed in May", "# cross-validated"):
        assert comment in text
    demo = (project / "desks/demo/policy.toml").read_text(encoding="utf-8")
    changed = proposed(demo, settings)
    Policy.model_validate(tomllib.loads(changed))
    lines = difference(demo, changed).splitlines()[2:]
    assert sum(line[0] in "+-" for line in lines) == 8
    assert proposed(POLICY, {}) == POLICY
    assert difference(POLICY, POLICY) == ""
