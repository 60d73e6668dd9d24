"""In which languages a field may decide: where held-out tickets in that language keep the stated error."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from triage.desk_files import HistoryRow
from triage.fit import FittedField
from triage.language import Detector
from triage.risk import ASSURANCE, upper_error_bound

Mask = NDArray[np.bool_]


def languages_of(
    history: Sequence[HistoryRow], texts: Sequence[str], spoken: Sequence[str], detect: Detector
) -> tuple[str, ...] | None:
    """Return each past ticket's language: as it says itself, else as detected; None for a desk of one language.

    There the field's own threshold says all, and tickets in other languages are closed.
    """
    if len(spoken) == 1:
        return None
    return tuple(
        row.ticket.language.lower()[:2] if row.ticket.language else detect(text, spoken).code
        for row, text in zip(history, texts, strict=True)
    )


def with_languages(
    fitted: FittedField, languages: Sequence[str] | None, spoken: Sequence[str], max_error: float
) -> FittedField:
    """Return a field with the languages in which it may decide.

    languages: of the desk's history, row by row, or None where there is one only. A language is open where the tickets
    in it that would be decided keep `max_error` by a bound of their own, with the assurance of the threshold; the
    language of most tickets is, by the threshold itself.
    """
    if fitted.head.threshold is None and not any(fitted.head.label_thresholds.values()):
        return fitted
    if languages is None:
        found = tuple(spoken)
    else:
        chances = fitted.held_out.chances()
        guessed = chances.argmax(axis=1)
        right = guessed == fitted.held_out.targets
        labels = [fitted.held_out.labels[place] for place in guessed]
        decided = np.array(list(map(fitted.head.decides, labels, chances.max(axis=1))), dtype=bool)
        named = np.array([languages[row] for row in fitted.held_out.rows])
        found = tuple(code for code in spoken if _is_open(named == code, decided, right, max_error))
    return replace(fitted, head=replace(fitted.head, languages=found), report=replace(fitted.report, languages=found))


def _is_open(rows: Mask, decided: Mask, right: Mask, max_error: float) -> bool:
    if 2 * rows.sum() > len(rows):
        return True
    count = np.array([(rows & decided).sum()])
    wrong = np.array([(rows & decided & ~right).sum()])
    return bool(count[0] > 0 and upper_error_bound(wrong, count, 1 - ASSURANCE)[0] <= max_error)
