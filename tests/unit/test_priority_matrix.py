"""The matrix of impact and urgency: as the desk writes it, as it is derived, and what is wrong with one."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from triage.errors import DeskFileError
from triage.priority import PriorityFactor
from triage.priority_matrix import PriorityMatrix, default_matrix, matrix_label, ranked_labels
from triage.taxonomy import read_taxonomy

RANKED = ("low", "normal", "high", "urgent")
DEMO = Path(__file__).parents[2] / "desks" / "demo" / "taxonomy.toml"
points = st.integers(-4, 9)


def matrix(**changed: object) -> PriorityMatrix:
    rows = [{"impact": 0, "labels": ["low", "normal", "high"]}, {"impact": 2, "labels": ["normal", "high", "urgent"]}]
    return PriorityMatrix.model_validate({"urgency": [-1, 0, 2], "rows": rows} | changed)


def factor(axis: str, number: int) -> PriorityFactor:
    return PriorityFactor("some", axis, number, "words")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("impact", "urgency", "label"),
    [
        (0, -1, "low"),
        (0, 0, "normal"),
        (1, 1, "normal"),
        (0, 2, "high"),
        (2, -1, "normal"),
        (9, 9, "urgent"),
        (-3, -5, "low"),
    ],
)
def test_a_row_and_a_column_hold_from_their_points_on(impact: int, urgency: int, label: str) -> None:
    assert matrix().at(impact, urgency) == label


def test_points_of_an_axis_add_up() -> None:
    factors = [factor("urgency", 3), factor("urgency", -1), factor("impact", 1)]
    assert matrix_label(factors, matrix()) == "high"
    assert matrix_label([*factors, factor("impact", 1)], matrix()) == "urgent"


def test_nothing_found_or_no_matrix_says_nothing() -> None:
    assert matrix_label([], matrix()) is None
    assert matrix_label([factor("impact", 3)], None) is None


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"urgency": [0, 0, 2]}, "points of urgency must rise, and they are 0, 0, 2"),
        ({"urgency": [-1, 0]}, "the row of impact 0 has 3 labels for 2 columns of urgency; give each column one label"),
        (
            {"rows": [{"impact": 1, "labels": ["a"]}, {"impact": 1, "labels": ["b"]}], "urgency": [0]},
            "points of impact must",
        ),
        ({"rows": []}, "at least 1 item"),
        ({"columns": 3}, "Extra inputs"),
    ],
)
def test_a_matrix_that_is_no_rectangle_in_order_is_refused(changed: dict[str, object], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        matrix(**changed)


def taxonomy_with(folder: Path, old: str, new: str) -> Path:
    text = DEMO.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = folder / "taxonomy.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            '["high", "urgent", "urgent", "urgent"]',
            '["high", "urgent", "urgent", "argent"]',
            "the matrix names 'argent', which is no priority; use urgent, high, normal, low",
        ),
        (
            '["high", "urgent", "urgent", "urgent"]',
            '["high", "urgent", "urgent"]',
            "the row of impact 3 has 3 labels for 4 columns",
        ),
        ("urgency = [-1, 0, 1, 3]", "urgency = [-1, 1, 0, 3]", "points of urgency must rise"),
        ("[priority.matrix]", 'order = ["urgent", "low"]\n[priority.matrix]', "unknown key priority.labels.low.order"),
        (
            'How soon a person must act"',
            'How soon"\norder = ["urgent", "low"]',
            "order must name each label once, the most pressing first: urgent, high, normal, low",
        ),
        ("[priority.matrix]", "[category.matrix]", "unknown key category.matrix"),
    ],
)
def test_a_wrong_matrix_is_said_with_file_line_and_remedy(tmp_path: Path, old: str, new: str, fault: str) -> None:
    path = taxonomy_with(tmp_path, old, new)
    with pytest.raises(DeskFileError, match=re.escape(fault)) as caught:
        read_taxonomy(path)
    assert caught.value.path == path
    assert caught.value.line is not None


def test_the_matrix_is_optional(tmp_path: Path) -> None:
    text = DEMO.read_text(encoding="utf-8")
    start, end = text.index("[priority.matrix]"), text.index("[team]")
    path = tmp_path / "taxonomy.toml"
    path.write_text(text[:start] + text[end:], encoding="utf-8")
    assert read_taxonomy(path).priority.matrix is None


def test_order_ranks_before_targets_do() -> None:
    targets = {"urgent": (1.0, 4.0), "high": (4.0, 10.0), "normal": (8.0, 30.0), "low": (20.0, 60.0)}
    labels = ("high", "low", "normal", "urgent")
    assert ranked_labels(labels, targets=targets) == RANKED
    assert ranked_labels(labels, order=("low", "normal", "high", "urgent"), targets=targets) == RANKED[::-1]


def test_equal_first_targets_are_ranked_by_the_second_and_equal_pairs_by_nothing() -> None:
    assert ranked_labels(("p1", "p2"), targets={"p1": (1, 9), "p2": (1, 4)}) == ("p1", "p2")
    assert ranked_labels(("p1", "p2"), targets={"p1": (1, 4), "p2": (1, 4)}) is None


def test_labels_without_targets_are_not_ranked() -> None:
    assert ranked_labels(("a", "b")) is None
    assert ranked_labels(("a", "b"), targets={"a": (1, 2)}) is None
    assert default_matrix(None) is None
    assert default_matrix(("only",)) is None


@pytest.mark.parametrize(
    ("impact", "urgency", "label"),
    [
        (0, -1, "low"),
        (0, 0, "normal"),
        (0, 1, "high"),
        (2, 0, "high"),
        (0, 3, "urgent"),
        (2, 2, "urgent"),
        (3, -1, "high"),
    ],
)
def test_the_derived_matrix_of_four_labels(impact: int, urgency: int, label: str) -> None:
    derived = default_matrix(RANKED)
    assert derived is not None
    assert derived.at(impact, urgency) == label


@given(st.integers(2, 7), points, points, st.integers(0, 3), st.sampled_from(["impact", "urgency"]))
def test_more_points_never_lower_the_rank(labels: int, impact: int, urgency: int, more: int, axis: str) -> None:
    ranked = tuple(f"p{number}" for number in range(labels))
    demo = read_taxonomy(DEMO).priority.matrix
    for table, ranks in ((default_matrix(ranked), ranked), (demo, RANKED)):
        factors = [factor("impact", impact), factor("urgency", urgency)]
        before, after = matrix_label(factors, table), matrix_label([*factors, factor(axis, more)], table)
        assert ranks.index(str(after)) >= ranks.index(str(before))


@pytest.mark.parametrize("labels", range(2, 8))
def test_the_derived_matrix_reaches_both_ends(labels: int) -> None:
    ranked = tuple(f"p{number}" for number in range(labels))
    derived = default_matrix(ranked)
    assert derived is not None
    assert derived.at(3, 3) == ranked[-1]
    assert derived.at(0, -1) == ranked[max(0, (labels - 1) // 2 - 1)]
