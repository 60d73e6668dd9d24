"""Labels with a stated error of their own."""

import numpy as np
import pytest
from made_up_heads import LABELS, fitted

from models.linear_head import LinearHead
from triage.drafting.policy import FieldPolicy, Policy
from triage.held_out import HeldOut
from triage.label_errors import with_label_errors

MAX_ERROR = 0.2


def two_guesses(wrong_first: int, wrong_second: int, each: int = 200) -> HeldOut:
    """The first and the second label are guessed equally often, with as many errors each; confidences rise by row."""
    guessed = np.repeat([0, 1], each)
    logits = np.zeros((2 * each, 4), dtype=np.float32)
    logits[np.arange(2 * each), guessed] = np.tile(np.linspace(3, 6, each), 2)
    targets = guessed.copy()
    targets[:wrong_first], targets[each : each + wrong_second] = 2, 2
    return HeldOut(LABELS, np.arange(2 * each, dtype=np.int64), targets, logits, 1.0)


def test_a_strict_label_gets_a_higher_threshold_and_the_others_keep_theirs() -> None:
    before = fitted(two_guesses(30, 30))
    after = with_label_errors(before, {LABELS[0]: 0.03}, MAX_ERROR)
    strict, rest = after.head.label_thresholds[LABELS[0]], after.head.threshold
    assert strict is not None
    assert rest is not None
    assert strict > rest
    assert after.report.label_risks[LABELS[0]].max_error == 0.03
    assert after.report.risk.n == 200
    between = (strict + rest) / 2
    assert not after.head.decides(LABELS[0], between)
    assert after.head.decides(LABELS[1], between)


def test_a_label_that_cannot_keep_its_error_is_never_decided() -> None:
    after = with_label_errors(fitted(two_guesses(0, 0, each=20)), {LABELS[0]: 0.01}, MAX_ERROR)
    assert after.head.label_thresholds == {LABELS[0]: None}
    assert not after.head.decides(LABELS[0], 1.0)
    assert after.head.decides(LABELS[1], 1.0)


def test_without_such_labels_nothing_changes() -> None:
    before = fitted(two_guesses(3, 3))
    assert with_label_errors(before, {}, MAX_ERROR) is before


def test_the_prediction_follows_the_label() -> None:
    after = with_label_errors(fitted(two_guesses(30, 30)), {LABELS[0]: 0.03}, MAX_ERROR)
    assert isinstance(after.head.head, LinearHead)
    for place, decided in ((0, False), (1, True)):
        logits = np.zeros((1, 4))
        logits[0, place] = 3.2  # between the two thresholds
        assert after.head.predict(logits).decided is decided


@pytest.mark.parametrize("error", [0.0, 1.0])
def test_an_error_is_between_nothing_and_everything(error: float) -> None:
    with pytest.raises(ValueError, match="labels"):
        FieldPolicy.model_validate({"labels": {"urgent": error}})


def test_the_policy_names_its_labels() -> None:
    policy = Policy.model_validate({"fields": {"priority": {"max_error": 0.2, "labels": {"urgent": 0.05}}}})
    assert policy.label_errors("priority") == {"urgent": 0.05}
    assert policy.label_errors("team") == {}
    assert ("fields.priority.labels.urgent", "priority", "urgent") in policy.mentions()
