"""Gives memory back: what a desk held before a swap lies scattered over the allocator's arenas, one for each thread."""

import ctypes
import gc
from functools import cache

#: Looks, a quarter of a second each, after which requests that began before a swap have long been answered.
LOOKS = 20


def give_back() -> None:
    """Collect garbage, and have glibc hand free pages to the system; another allocator keeps what it has."""
    gc.collect()
    if trim := _malloc_trim():
        trim(0)


@cache
def _malloc_trim() -> "ctypes._NamedFuncPointer | None":
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return None


class Sweeper:
    """Tells when a swap of generations is long enough ago to sweep up behind it."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}
        self._left: dict[str, int] = {}

    def is_due(self, desk: str, generation: str) -> bool:
        """Return, once for every swap of a desk, True: at the look that is `LOOKS` behind the last one."""
        if self._seen.setdefault(desk, generation) != generation:
            self._seen[desk], self._left[desk] = generation, LOOKS
            return False
        if desk not in self._left:
            return False
        self._left[desk] -= 1
        return self._left[desk] == 0 and self._left.pop(desk) == 0
