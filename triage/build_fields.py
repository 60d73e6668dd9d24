"""Everything a build learns of a desk's fields: heads, the matrix's weight, open languages, and what is new."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse

from models.protocols import FloatArray, IntArray, Progress, TextEncoder, no_progress
from models.text_features import count_ngrams
from triage.desk_files import Desk
from triage.fit import FittedField, fit_field
from triage.fit_novelty import NoveltyReport, fit_novelty
from triage.fit_priority import with_matrix
from triage.fit_wording import WordingReport, fit_wording, ordinary_rows, read_examples
from triage.folds import ALL_JUDGE, FoldPlan, thinned
from triage.label_errors import with_label_errors
from triage.language import detect
from triage.language_gate import languages_of, with_languages
from triage.learnt_wording import NOTHING, LearntWording
from triage.novelty import Novelty
from triage.penalties import LabelledTexts, Penalty

#: The field whose labels say what the desk's tickets can be about.
SCOPE_FIELD = "category"


@dataclass(frozen=True)
class FieldTrainer:
    """Learns fields from a desk's history and label descriptions.

    texts: of the past tickets, as the classifier sees them; vectors: theirs, shape (history, dimension); plan: the
    folds of the history on which everything is chosen.
    """

    desk: Desk
    encoder: TextEncoder
    texts: Sequence[str]
    vectors: FloatArray
    plan: FoldPlan = ALL_JUDGE

    def fit_all(
        self, progress: Progress = no_progress
    ) -> tuple[dict[str, FittedField], tuple[Novelty, NoveltyReport] | None]:
        """Return every field of the taxonomy, fitted, and what tells tickets like none of the past ones."""
        fitted = {}
        fields = list(self.desk.rules.taxonomy.fields)
        for number, field in enumerate(fields):
            fitted[field] = self.fit(field)
            progress("fit fields", number + 1, len(fields))
        return fitted, self.novelty(fitted[SCOPE_FIELD].report.penalty)

    def wording(self, progress: Progress = no_progress) -> tuple[LearntWording, WordingReport] | None:
        """Return what tells messages that a person must take over, where the policy wants it."""
        policy = self.desk.rules.policy
        if not policy.wording.on:
            return None
        teams = {policy.rules.sensitive_topic.team, policy.rules.human_requested.team} - {None}
        rows = ordinary_rows(self.desk.history, self.texts, teams)
        texts = [self.texts[row] for row in rows]
        tickets = LabelledTexts(self.vectors[rows], count_ngrams(texts), (NOTHING,) * len(texts))
        return fit_wording(read_examples(), tickets, self.encoder, policy.wording.flag_at_most, progress)

    def fit(self, field: str) -> FittedField:
        """Return one field; its held-out rows are counted through the whole history."""
        rows, max_error = self._rows(field), self.desk.rules.policy.max_error(field)
        fitted = fit_field(field, self._labels(field), *self._examples(field), max_error, self._plan(rows))
        fitted = replace(fitted, held_out=fitted.held_out.of_history(rows))
        if field == "priority":
            tickets = [past.ticket for past in self.desk.history]
            fitted = with_matrix(fitted, self.desk.rules.priority_scale, tickets, max_error)
        fitted = with_label_errors(fitted, self.desk.rules.policy.label_errors(field), max_error)
        return with_languages(fitted, self._languages, self.desk.rules.settings.languages, max_error)

    def novelty(self, penalty: Penalty) -> tuple[Novelty, NoveltyReport] | None:
        """Return what tells tickets like none of the past ones, where the policy wants it and history can teach it."""
        rule = self.desk.rules.policy.rules.out_of_scope
        if not rule.on:
            return None
        plan, examples = self._plan(self._rows(SCOPE_FIELD)), self._examples(SCOPE_FIELD)
        return fit_novelty(SCOPE_FIELD, self._labels(SCOPE_FIELD), examples, penalty, rule.flag_at_most, plan)

    def _labels(self, field: str) -> tuple[str, ...]:
        return tuple(self.desk.rules.taxonomy.fields[field])

    def _rows(self, field: str) -> IntArray:
        """Return the rows of the history that a field learns from."""
        rows = [row for row, past in enumerate(self.desk.history) if field in past.labels]
        labels = np.array([self.desk.history[row].labels[field] for row in rows])
        return thinned(np.array(rows, dtype=np.int64), labels)

    def _plan(self, rows: IntArray) -> FoldPlan:
        return self.plan.among([int(row) for row in rows])

    def _examples(self, field: str) -> tuple[LabelledTexts, LabelledTexts]:
        """Return the history of a field and the descriptions of its labels."""
        rows = self._rows(field)
        named = tuple(self.desk.history[row].labels[field] for row in rows)
        labels = self.desk.rules.taxonomy.fields[field]
        told = [(name, text) for name, label in labels.items() for text in (label.description, *label.examples)]
        texts = [text for _, text in told]
        described = LabelledTexts(self.encoder.encode(texts), count_ngrams(texts), tuple(name for name, _ in told))
        known, counts = self._counts
        return LabelledTexts(self.vectors[rows], counts[np.searchsorted(known, rows)], named), described

    @cached_property
    def _counts(self) -> tuple[IntArray, sparse.csr_matrix]:
        """Rows that some field learns from, ascending, and their n-grams."""
        none = np.zeros(0, dtype=np.int64)
        rows = np.unique(np.concatenate([none, *(self._rows(field) for field in self.desk.rules.taxonomy.fields)]))
        return rows, count_ngrams([self.texts[row] for row in rows])

    @cached_property
    def _languages(self) -> tuple[str, ...] | None:
        return languages_of(self.desk.history, self.texts, self.desk.rules.settings.languages, detect)
