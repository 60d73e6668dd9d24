"""The vectors of texts that are asked for again and again, such as an article's: the latest ones, in memory."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import numpy as np

from models.protocols import FloatArray, TextEncoder

#: Some 30 MB of vectors of 384 numbers.
MOST = 20_000


class RecentVectors:
    """Asks an encoder for every text once, and forgets those that were asked for longest ago. Safe from many threads.

    For texts of the desk's own, not of customers: what is kept here is not erased with a ticket.
    """

    def __init__(self, encoder: TextEncoder, most: int = MOST) -> None:
        self._encoder, self._most = encoder, most
        self._known: OrderedDict[str, FloatArray] = OrderedDict()
        self._lock = Lock()

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Return unit vectors of shape (len(texts), dimension)."""
        if not texts:
            return np.zeros((0, self._encoder.dimension), dtype=np.float32)
        with self._lock:
            found = {text: self._known[text] for text in texts if text in self._known}
        new = [text for text in dict.fromkeys(texts) if text not in found]
        if new:
            found |= zip(new, self._encoder.encode(new), strict=True)
        with self._lock:
            for text in texts:
                self._known[text] = found[text]
                self._known.move_to_end(text)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return np.stack([found[text] for text in texts])
