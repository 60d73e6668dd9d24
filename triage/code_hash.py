"""Which code reads, learns and indexes: what an earlier build made is taken over from the very same alone."""

import hashlib
from functools import cache
from pathlib import Path

ROOMS = ("models", "retrieval", "triage")
SUFFIXES = (".py", ".toml", ".jsonl")


@cache
def code_hash() -> str:
    """Return a hash of the code that reads and learns, and of its tables and examples."""
    found = hashlib.sha256()
    root = Path(__file__).parents[1]
    for path in sorted(path for room in ROOMS for path in (root / room).rglob("*") if path.suffix in SUFFIXES):
        found.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()
