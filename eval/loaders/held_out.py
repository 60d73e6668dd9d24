"""Which labelled rows become cases where the data does not say so. Content decides, never the order of rows."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Literal

from eval.loaders.labelled_rows import LabelledRow

#: What the cases are: the test rows, or, while choices are still made, rows held out of the training rows.
HeldOut = Literal["test", "train"]
#: Of this many rows one is held out.
PARTS = 5


def content_hash(text: str, salt: str = "") -> str:
    """Return the SHA-256 of a text; white space and case do not count, so that exact duplicates stay together."""
    return sha256(f"{salt}{' '.join(text.split()).casefold()}".encode("utf-8", "surrogatepass")).hexdigest()


def divide(rows: Iterable[LabelledRow]) -> tuple[list[LabelledRow], list[LabelledRow]]:
    """Return (training rows, test rows) of data without a split: test is what hashes into the last fifth."""
    parts: tuple[list[LabelledRow], list[LabelledRow]] = ([], [])
    for row in rows:
        parts[int(content_hash(row.text)[:8], 16) * PARTS // 2**32 == PARTS - 1].append(row)
    return parts


def hold_out(rows: Sequence[LabelledRow]) -> tuple[list[LabelledRow], list[LabelledRow]]:
    """Return (training rows, rows held out of them): a fifth of the texts with each combination of labels.

    Of fewer than five such texts none is held out, so that every label keeps training rows. The hash is another one
    than that of `divide`, whose last fifth is gone from these rows already.
    """
    hashes = [content_hash(row.text, "held out of training\n") for row in rows]
    labels: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for digest, row in zip(hashes, rows, strict=True):
        labels[digest] |= set(row.labels.items())
    strata: dict[frozenset[tuple[str, str]], list[str]] = defaultdict(list)
    for digest in sorted(labels):
        strata[frozenset(labels[digest])].append(digest)
    held = {digest for stratum in strata.values() for digest in stratum[: len(stratum) // PARTS]}
    parts: tuple[list[LabelledRow], list[LabelledRow]] = ([], [])
    for digest, row in zip(hashes, rows, strict=True):
        parts[digest in held].append(row)
    return parts
