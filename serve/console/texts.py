"""What the console says, one file per language: every word of a page comes from there, so that another is one file."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("languages")
#: Spoken where a browser asks for none that there is.
DEFAULT = "en"


@dataclass(frozen=True)
class Texts:
    """The texts of one language, by names such as `queue.title`."""

    language: str
    known: Mapping[str, str]

    def __call__(self, name: str, **values: object) -> str:
        """Return a text with its values put in. Raises `KeyError` for a name that the language has not."""
        return self.known[name].format(**values) if values else self.known[name]

    def count(self, name: str, count: int, **values: object) -> str:
        """Return a text for a number of things: `name.one` for one, else `name.many`."""
        return self(f"{name}.{'one' if count == 1 else 'many'}", count=count, **values)

    def name_of(self, group: str, value: str) -> str:
        """Return the text for a value of a known set, or the value in readable form where it is one of a desk's own."""
        return self.known.get(f"{group}.{value}") or value.replace("_", " ")


def read_texts(folder: Path = FOLDER) -> dict[str, Texts]:
    """Return the texts of every language, by its tag."""
    found = {}
    for path in sorted(folder.glob("*.toml")):
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        found[path.stem] = Texts(path.stem, dict(_flat(told)))
    return found


def _flat(told: Mapping[str, Any], prefix: str = "") -> Sequence[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in told.items():
        pairs += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(f"{prefix}{name}", value)]
    return pairs


def preferred(header: str, known: Mapping[str, Texts]) -> Texts:
    """Return the texts in the language that a browser likes best of those known (`Accept-Language`, RFC 9110)."""
    wanted: list[tuple[float, str]] = []
    for part in header[:1_000].split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((-float(weight or 1), tag.split("-")[0].lower()))
        except ValueError:
            continue
    return next((known[tag] for _, tag in sorted(wanted, key=lambda pair: pair[0]) if tag in known), known[DEFAULT])
