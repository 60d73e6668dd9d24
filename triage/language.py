"""Which language a text is in, offline."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

LETTERS = re.compile(r"[^\W\d_]")
#: Below this a text is too short to contradict the desk's own language.
MIN_LETTERS = 25
MIN_CONFIDENCE = 0.6
MAX_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Language:
    """An ISO 639-1 code, or "und" where it cannot be told, with the detector's own confidence in [0, 1]."""

    code: str
    confidence: float


Detector = Callable[[str], Language]


def detect(text: str) -> Language:
    """Return the language of a text by lingua's n-grams; "und" for short or undecidable text."""
    sample = text[:MAX_CHARACTERS]
    letters = len(LETTERS.findall(sample))
    if letters == 0:
        return Language("und", 0.0)
    best = _lingua().compute_language_confidence_values(sample)[0]
    confidence = float(best.value)
    foreign_script = letters >= 4 and sum(ord(letter) > 0x24F for letter in LETTERS.findall(sample)) > letters / 2
    if (letters < MIN_LETTERS and not foreign_script and confidence < 0.9) or confidence < MIN_CONFIDENCE / 2:
        return Language("und", confidence)
    return Language(best.language.iso_code_639_1.name.lower(), confidence)


@cache
def _lingua() -> Any:
    from lingua import LanguageDetectorBuilder

    # The low-accuracy models are right on a sentence and small enough to keep in every worker (17 MB).
    return LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()
