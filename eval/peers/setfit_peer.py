"""SetFit, run by the interpreter of its own environment.

``python -m eval.peers.setfit_peer TASK_FOLDER OUT.json --encoder FOLDER [--num-iterations N]``. Imports SetFit and, of
ours, only what needs the standard library. Reference: Tunstall et al., 2022, "Efficient Few-Shot Learning Without
Prompts", https://arxiv.org/abs/2209.11055.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from eval.errors import BenchError, EvalError
from eval.peers.measuring import Answers, Setting, measure_peer, write_report
from eval.peers.tasks import ClassifyTask, Example, read_task

BATCH_SIZE = 16
EPOCHS = 1
SEED = 20
#: The head is the one that the plain encoder gets too (C = 10 where the library's own is 1), so that what the two
#: differ by is the fine-tuning.
HEAD: dict[str, float] = {"C": 10, "max_iter": 1000}
#: The library holds every pair of training texts in memory, about 4.5 million for so many; it is for few examples.
MAX_EXAMPLES = 3000


class SetFit:
    """Contrastive fine-tuning of the encoder on pairs of examples, then logistic regression on its vectors.

    num_iterations: so many pairs with the same label and so many with another are drawn per example, from 1.
    """

    packages = ("setfit", "sentence-transformers", "transformers", "torch", "scikit-learn")

    def __init__(self, encoder: Path, num_iterations: int) -> None:
        from setfit import SetFitModel  # type: ignore[import-not-found]

        self._model = SetFitModel.from_pretrained(str(encoder), device="cpu", local_files_only=True, head_params=HEAD)
        self._num_iterations = num_iterations

    @property
    def settings(self) -> Mapping[str, Setting]:
        """What the library was told."""
        return {
            "num_iterations": self._num_iterations,
            "batch_size": BATCH_SIZE,
            "epochs": EPOCHS,
            "seed": SEED,
            "C": HEAD["C"],
        }

    def fit(self, examples: Sequence[Example]) -> None:
        """Train; raise `BenchError` for more examples than the library can pair."""
        from datasets import Dataset
        from setfit import Trainer, TrainingArguments

        if len(examples) > MAX_EXAMPLES:
            raise BenchError(f"setfit: {len(examples)} examples are too many; give it at most {MAX_EXAMPLES}")
        rows = {"text": [each.text for each in examples], "label": [each.label for each in examples]}
        with tempfile.TemporaryDirectory() as folder:
            settings = TrainingArguments(
                output_dir=folder,
                batch_size=BATCH_SIZE,
                num_epochs=EPOCHS,
                num_iterations=self._num_iterations,
                seed=SEED,
                save_strategy="no",
                report_to="none",
                show_progress_bar=False,
            )
            Trainer(model=self._model, args=settings, train_dataset=Dataset.from_dict(rows)).train()

    def answer(self, queries: Sequence[str]) -> Answers:
        """Return the likeliest label and its probability."""
        shares = self._model.predict_proba(list(queries), as_numpy=True, show_progress_bar=False)
        labels = self._model.model_head.classes_[shares.argmax(axis=1)]
        return Answers([str(label) for label in labels], [round(float(share), 6) for share in shares.max(axis=1)])


def main(arguments: Sequence[str]) -> None:
    """Run SetFit on a task folder; raise `EvalError` where the task is not right."""
    parser = argparse.ArgumentParser(prog="setfit_peer")
    parser.add_argument("task", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--num-iterations", type=int, default=5)
    given = parser.parse_args(arguments)
    task = read_task(given.task)
    if not isinstance(task, ClassifyTask):
        raise BenchError("setfit is not for a search task; give it texts with labels")
    measured = measure_peer(lambda: SetFit(given.encoder, given.num_iterations), task.examples, task.queries)
    write_report("setfit", measured, given.out)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except EvalError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
