"""How good an encoder is on rows that it was not trained on."""

from typing import Any

import numpy as np

from models.errors import FineTuneError
from models.finetune_data import LabelledRows
from models.protocols import FloatArray, Progress

METRIC = "held_out_accuracy"


def make_evaluator(known: LabelledRows, unseen: LabelledRows, progress: Progress) -> Any:
    """Return a sentence-transformers evaluator: the accuracy of a ridge classifier on the rows kept out.

    The classifier is fitted on the embeddings of the training rows, as the desk's own heads are; it has one closed
    solution, so that two encoders are compared without luck.
    """
    # The base class is imported with torch, so the class is made here.
    from sentence_transformers.base.evaluation import BaseEvaluator

    class HeldOutAccuracy(BaseEvaluator):  # type: ignore[misc]
        """Accuracy on rows that are never trained on."""

        def __init__(self) -> None:
            super().__init__()
            self.primary_metric = METRIC

        def __call__(
            self, model: Any, output_path: str | None = None, epoch: float = -1, steps: int = -1
        ) -> dict[str, float]:
            progress("measure", 0, 1)
            vectors = [_encode(model, part.texts) for part in (known, unseen)]
            progress("measure", 1, 1)
            return {METRIC: ridge_accuracy(vectors[0], known.labels, vectors[1], unseen.labels)}

    return HeldOutAccuracy()


def _encode(model: Any, texts: tuple[str, ...]) -> FloatArray:
    vectors = model.encode(list(texts), batch_size=64, normalize_embeddings=True, show_progress_bar=False)
    vectors = np.asarray(vectors, dtype=np.float32)
    if not np.isfinite(vectors).all():
        raise diverged()
    return vectors


def ridge_accuracy(
    known: FloatArray, known_labels: tuple[str, ...], unseen: FloatArray, unseen_labels: tuple[str, ...]
) -> float:
    """Return the share of unseen rows that a ridge classifier on the known ones gets right.

    known, unseen: float32 of shape (rows, dimension), rows of norm 1.
    """
    from sklearn.linear_model import RidgeClassifier

    guesses = RidgeClassifier(alpha=1.0, solver="cholesky").fit(known, list(known_labels)).predict(unseen)
    return float(np.mean(guesses == np.asarray(unseen_labels)))


def diverged() -> FineTuneError:
    """Return the error for a loss or a vector that is no longer a number."""
    return FineTuneError(
        "fine-tuning diverged: the loss or the vectors are no longer finite; nothing was published, "
        "set a smaller learning_rate (2e-5 is usual)"
    )
