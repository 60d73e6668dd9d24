"""The desk's matrix: from points of impact and of urgency to a priority label, written by the desk or derived."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from pydantic import Field, model_validator

from triage.priority import PriorityFactor
from triage.priority_wording import Axis
from triage.toml_files import FileModel

#: The derived matrix has a row for each of these points of impact and a column for each of these of urgency.
IMPACTS = (0, 1, 2, 3)
URGENCIES = (-1, 0, 1, 2, 3)


class MatrixRow(FileModel):
    """The labels from so many points of impact on, one for each column of urgency."""

    impact: int
    labels: tuple[str, ...] = Field(min_length=1)


class PriorityMatrix(FileModel):
    """``[priority.matrix]``: a column holds from its points of urgency on, a row from its points of impact on.

    The first column and the first row hold for everything below them too.
    """

    urgency: tuple[int, ...] = Field(min_length=1)
    rows: tuple[MatrixRow, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_a_rectangle_in_order(self) -> "PriorityMatrix":
        impacts = [row.impact for row in self.rows]
        for axis, points in (("urgency", self.urgency), ("impact", impacts)):
            if any(earlier >= later for earlier, later in pairwise(points)):
                raise ValueError(f"points of {axis} must rise, and they are {', '.join(map(str, points))}")
        for row in self.rows:
            if len(row.labels) != len(self.urgency):
                raise ValueError(
                    f"the row of impact {row.impact} has {len(row.labels)} labels for {len(self.urgency)} columns of"
                    " urgency; give each column one label"
                )
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label that the matrix names, each once, in reading order."""
        return tuple(dict.fromkeys(label for row in self.rows for label in row.labels))

    def at(self, impact: int, urgency: int) -> str:
        """Return the label for points of impact and urgency."""
        return self.rows[_last_from([row.impact for row in self.rows], impact)].labels[
            _last_from(self.urgency, urgency)
        ]


def matrix_label(factors: Sequence[PriorityFactor], matrix: PriorityMatrix | None) -> str | None:
    """Return the label for all factors together; None where there is no factor or no matrix."""
    if matrix is None or not factors:
        return None
    return matrix.at(_points(factors, "impact"), _points(factors, "urgency"))


def ranked_labels(
    labels: Sequence[str], order: Sequence[str] = (), targets: Mapping[str, tuple[float, float]] | None = None
) -> tuple[str, ...] | None:
    """Return a field's labels, the least pressing first, or None where nothing ranks them.

    order: all labels as the desk ranks them, the most pressing first, or nothing. targets: hours to (respond, resolve)
    by label; the shorter, the more pressing. They rank only where each label has some and no two have the same.
    """
    if order:
        return tuple(reversed(order))
    hours = targets or {}
    if not set(labels) <= set(hours) or len({hours[label] for label in labels}) < len(labels):
        return None
    return tuple(sorted(labels, key=lambda label: hours[label], reverse=True))


def default_matrix(ranked: Sequence[str] | None) -> PriorityMatrix | None:
    """Return a matrix for labels ranked from the least pressing; None where there are not two of them.

    Nothing special stands just below the middle of the labels (of four: the second). Every two points lead one label
    up, the first point included; a point less than none leads one down.
    """
    if ranked is None or len(ranked) < 2:
        return None
    usual = (len(ranked) - 1) // 2

    def label(points: int) -> str:
        steps = (points + 1) // 2 if points >= 0 else -1
        return ranked[min(max(usual + steps, 0), len(ranked) - 1)]

    rows = tuple(
        MatrixRow(impact=impact, labels=tuple(label(impact + urgency) for urgency in URGENCIES)) for impact in IMPACTS
    )
    return PriorityMatrix(urgency=URGENCIES, rows=rows)


def _points(factors: Sequence[PriorityFactor], axis: Axis) -> int:
    return sum(factor.points for factor in factors if factor.axis == axis)


def _last_from(thresholds: Sequence[int], points: int) -> int:
    """Return the place of the last threshold that points reach; the first where they reach none."""
    return max((place for place, threshold in enumerate(thresholds) if points >= threshold), default=0)
