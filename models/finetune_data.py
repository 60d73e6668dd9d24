"""What an encoder is tuned on: labelled rows, the settings, and the rows that are kept out of the training."""

import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from models.errors import FineTuneError

#: Fewer rows than this say nothing about which encoder is better.
MIN_ROWS = 30
#: Held-out rows are encoded after every epoch: past this many they only cost time.
MAX_HELD_OUT = 2_000
#: A training row needs a partner of its label, a label gives up a row only from this many on.
ROWS_TO_SHARE = 3


@dataclass(frozen=True)
class LabelledRows:
    """Texts with one label each, in one order. Raises `FineTuneError` where the counts differ."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.labels):
            raise FineTuneError(f"{len(self.texts)} texts with {len(self.labels)} labels; give one label per text")

    def pick(self, rows: Iterable[int]) -> "LabelledRows":
        """Return the rows of these numbers, in the order given."""
        kept = list(rows)
        return LabelledRows(tuple(self.texts[row] for row in kept), tuple(self.labels[row] for row in kept))


@dataclass(frozen=True)
class FineTuneSettings:
    """How an encoder is tuned.

    objective: ``contrastive`` draws two texts of one label together and away from the other labels of the batch
        (MultipleNegativesRankingLoss on batches that hold no label twice, so it wants ten labels or more);
        ``classification`` trains single texts with their class (BatchAllTripletLoss, which sentence-transformers
        offers for that) at half the cost per row.
    epochs: at most; batch_size: pairs or texts, even, 4 or more; learning_rate: the peak, reached after
    warmup_share of all steps and falling to 0; patience: epochs without a better held-out accuracy before it stops;
    device: ``auto`` takes a GPU where there is one; max_tokens: longer texts are cut while training;
    held_out_share: rows kept out of the training, per label. Raises `FineTuneError`.
    """

    objective: Literal["contrastive", "classification"] = "classification"
    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 5e-5
    warmup_share: float = 0.1
    patience: int = 3
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    max_tokens: int = 128
    held_out_share: float = 0.1

    def __post_init__(self) -> None:
        wrong = {
            "objective is contrastive or classification": self.objective not in ("contrastive", "classification"),
            "epochs is 1 or more": self.epochs < 1,
            "batch_size is even, 4 or more": self.batch_size < 4 or self.batch_size % 2 == 1,
            "learning_rate is above 0": not self.learning_rate > 0,
            "warmup_share lies between 0 and 1": not 0 <= self.warmup_share < 1,
            "patience is 1 or more": self.patience < 1,
            "device is auto, cpu or cuda": self.device not in ("auto", "cpu", "cuda"),
            "max_tokens is 8 or more": self.max_tokens < 8,
            "held_out_share lies between 0 and 0.5": not 0 < self.held_out_share <= 0.5,
        }
        if broken := [rule for rule, fails in wrong.items() if fails]:
            raise FineTuneError(f"fine-tuning settings: {'; '.join(broken)}")


@dataclass(frozen=True)
class Split:
    """Row numbers of `LabelledRows`: those trained on and those kept out, and what was left out with the reason."""

    train: tuple[int, ...]
    held_out: tuple[int, ...]
    notes: tuple[str, ...]


def split_rows(rows: LabelledRows, share: float, seed: int) -> Split:
    """Keep a share of each label's rows out, by seed; equal texts count once, so none stands on both sides.

    Raises `FineTuneError` where too little is left: at least `MIN_ROWS` rows, two labels, and a label of three rows.
    """
    kept, notes = _usable_rows(rows)
    by_label: dict[str, list[int]] = defaultdict(list)
    for row in kept:
        by_label[rows.labels[row]].append(row)
    if single := [label for label, members in by_label.items() if len(members) < 2]:
        notes.append(f"{len(single)} labels with one row left out")
        for label in single:
            del by_label[label]
    _refuse_too_few(by_label)
    share = min(share, MAX_HELD_OUT / len(kept))
    held_out: list[int] = []
    draw = random.Random(seed)  # noqa: S311 - a split, no secret
    for label in sorted(by_label):
        members = by_label[label]
        if len(members) >= ROWS_TO_SHARE:
            count = min(max(1, round(share * len(members))), len(members) - 2)
            held_out += draw.sample(members, count)
    kept_out = set(held_out)
    train = sorted(row for members in by_label.values() for row in members if row not in kept_out)
    return Split(tuple(train), tuple(sorted(held_out)), tuple(notes))


def _usable_rows(rows: LabelledRows) -> tuple[list[int], list[str]]:
    """Return one row per text that says something; where equal texts have several labels, the commonest holds."""
    same: dict[str, list[int]] = defaultdict(list)
    for row, text in enumerate(rows.texts):
        same[" ".join(text.split()).casefold()].append(row)
    blank = len(same.pop("", []))
    kept = []
    for members in same.values():
        label = Counter(rows.labels[row] for row in members).most_common(1)[0][0]
        kept.append(next(row for row in members if rows.labels[row] == label))
    notes = [f"{blank} rows without text left out"] if blank else []
    if repeated := len(rows.texts) - blank - len(kept):
        notes.append(f"{repeated} repeated texts left out")
    return sorted(kept), notes


def _refuse_too_few(by_label: dict[str, list[int]]) -> None:
    count = sum(map(len, by_label.values()))
    if count < MIN_ROWS:
        raise FineTuneError(
            f"{count} different texts whose label has another one; fine-tuning needs {MIN_ROWS}: "
            "add labelled tickets, or build without --fine-tune"
        )
    if len(by_label) < 2:
        raise FineTuneError(
            "all rows have one label; fine-tuning needs two labels with two rows each: "
            "add labelled tickets of other labels, or build without --fine-tune"
        )
    if not any(len(members) >= ROWS_TO_SHARE for members in by_label.values()):
        raise FineTuneError(
            f"no label has {ROWS_TO_SHARE} rows, so none can be kept out to measure with; "
            "add labelled tickets, or build without --fine-tune"
        )


def fingerprint(weights_sha256: str, rows: LabelledRows, settings: FineTuneSettings) -> str:
    """Return the SHA-256 of all that a run depends on: equal fingerprints may go on from each other's checkpoints."""
    digest = hashlib.sha256(json.dumps([weights_sha256, asdict(settings)], sort_keys=True).encode())
    for pair in zip(rows.texts, rows.labels, strict=True):
        for value in pair:
            data = value.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
