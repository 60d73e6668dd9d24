"""What an encoder learns from: the loss of each objective, and which rows stand in a batch together."""

import heapq
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from models.finetune_data import FineTuneSettings, LabelledRows

#: Each text meets this many partners of its label in turn, one per epoch.
PARTNERS = 4
#: Texts of like length are encoded so many at a time.
SLICE = 16
#: For cosine distances, which lie between 0 and 2.
TRIPLET_MARGIN = 0.3


def make_objective(rows: LabelledRows, settings: FineTuneSettings, model: Any) -> tuple[Any, Any, Any]:
    """Return the dataset, the loss and the batch sampler of the objective."""
    from datasets import Dataset
    from sentence_transformers.sentence_transformer import losses
    from sentence_transformers.sentence_transformer.training_args import BatchSamplers

    numbers = {label: number for number, label in enumerate(sorted(set(rows.labels)))}
    labels = [numbers[label] for label in rows.labels]
    # A GPU loses more by many small passes than by padding.
    encoder = in_slices(model) if model.device.type == "cpu" else model
    if settings.objective == "classification":
        distance = losses.BatchHardTripletLossDistanceFunction.cosine_distance
        loss = losses.BatchAllTripletLoss(encoder, distance_metric=distance, margin=TRIPLET_MARGIN)
        return Dataset.from_dict({"text": list(rows.texts), "label": labels}), loss, BatchSamplers.GROUP_BY_LABEL
    chosen = [row for turn in range(PARTNERS) for row in partners(labels, settings.seed + turn)]
    pairs = {"text": list(rows.texts) * PARTNERS, "partner": [rows.texts[row] for row in chosen]}
    loss = losses.MultipleNegativesRankingLoss(
        encoder, directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction"
    )
    return Dataset.from_dict(pairs), loss, _pair_sampler(labels, settings)


def in_slices(model: Any) -> Any:
    """Return a module that embeds a batch as the encoder does, slice by slice, texts of like length together.

    A batch is as wide as its longest text: where most are short, most of the work is on padding. Batches of 128 from
    Banking77's training rows take a third of the processor time so.
    """
    import torch

    class InSlices(torch.nn.Module):  # type: ignore[misc]
        """The encoder, for a loss."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = model

        def forward(self, features: dict[str, Any]) -> dict[str, Any]:
            lengths = features["attention_mask"].sum(dim=1)
            order = torch.argsort(lengths, stable=True)
            found = [self._embed(features, rows, int(lengths[rows].max())) for rows in order.split(SLICE)]
            return {"sentence_embedding": torch.cat(found)[torch.argsort(order)]}

        def _embed(self, features: dict[str, Any], rows: Any, width: int) -> Any:
            whole = features["attention_mask"].shape
            padded = features["attention_mask"][rows, width:].any()
            kept = whole[1] if padded else width  # an encoder that pads on the left keeps its padding
            narrow = {
                name: value[rows, :kept] if getattr(value, "shape", None) == whole else value
                for name, value in features.items()
            }
            return self.encoder(narrow)["sentence_embedding"]

    return InSlices()


def _pair_sampler(labels: list[int], settings: FineTuneSettings) -> Any:
    """Return what the trainer calls for its batch sampler."""
    from sentence_transformers.base.sampler import DefaultBatchSampler

    plan = OneRowPerLabel(labels, settings.batch_size, settings.seed)

    class PairSampler(DefaultBatchSampler):  # type: ignore[misc]
        """`OneRowPerLabel` over the texts, each epoch with the next of their partners."""

        def __len__(self) -> int:
            return len(plan)

        def __iter__(self) -> Iterator[list[int]]:
            offset = self.epoch % PARTNERS * len(labels)
            return ([row + offset for row in batch] for batch in plan.batches(self.epoch))

    return PairSampler


class OneRowPerLabel:
    """Batches of row numbers in which each label stands at most once.

    With in-batch negatives, a second pair of one label would be pushed away from its own kind. The labels with the
    most rows left are served first, so that a large label does not remain alone at the end; what does remain alone
    has nothing to be told apart from and is left out of that epoch; the next one draws
    other rows. The number of batches does not depend on chance.
    """

    def __init__(self, labels: Sequence[int], batch_size: int, seed: int) -> None:
        self._rows: dict[int, list[int]] = defaultdict(list)
        for row, label in enumerate(labels):
            self._rows[label].append(row)
        self._size = min(batch_size, len(self._rows))
        self._seed = seed
        self._count = sum(1 for _ in self._label_sets(random.Random(seed)))  # noqa: S311 - an order, no secret

    def __len__(self) -> int:
        return self._count

    def batches(self, epoch: int) -> Iterator[list[int]]:
        """Return the batches of this epoch: every row at most once."""
        draw = random.Random(f"{self._seed}:{epoch}")  # noqa: S311 - an order, no secret
        rows = {label: draw.sample(members, len(members)) for label, members in self._rows.items()}
        sets = list(self._label_sets(draw))
        draw.shuffle(sets)
        for labels in sets:
            yield [rows[label].pop() for label in labels]

    def _label_sets(self, draw: random.Random) -> Iterator[list[int]]:
        """Return which labels share a batch; equal counts are ordered by chance."""
        heap = [(-len(rows), draw.random(), label) for label, rows in self._rows.items()]
        heapq.heapify(heap)
        while len(heap) > 1:
            chosen = [heapq.heappop(heap) for _ in range(min(self._size, len(heap)))]
            yield [label for _, _, label in chosen]
            for left, _, label in chosen:
                if left + 1:
                    heapq.heappush(heap, (left + 1, draw.random(), label))


def partners(labels: Sequence[int], seed: int) -> list[int]:
    """Return for each row another row of its label, by chance; each label needs two rows."""
    members: dict[int, list[int]] = defaultdict(list)
    for row, label in enumerate(labels):
        members[label].append(row)
    draw = random.Random(seed)  # noqa: S311 - an order, no secret
    chosen = []
    for row, label in enumerate(labels):
        other = draw.choice(members[label])
        while other == row:
            other = draw.choice(members[label])
        chosen.append(other)
    return chosen
