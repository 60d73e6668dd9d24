"""A desk whose engine a test has chosen, in the place of a served one."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FixedDesk:
    """What routes ask of a desk."""

    id: str
    engine: Any
