"""Which language a text is in, offline."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

LETTERS = re.compile(r"[^\W\d_]")
#: Another language is believed when it is so sure, and so far ahead of each language that is spoken here …
MIN_CONFIDENCE = 0.5
MIN_LEAD = 0.4
#: … and, below this many letters, all but certain: "reset link expired" looks Malay to n-grams.
SHORT, SHORT_LEAD = 90, 0.8
#: Fewer letters than this say nothing, unless they are of another script.
MIN_LETTERS = 20
#: Words that hardly any other language writes; two of them settle a short text.
_ENGLISH = (
    "the is my how what you to of and it can this not are have with for your does where when would please i we our "
    "from has was i'm it's isn't don't can't"
)
ENGLISH = frozenset(_ENGLISH.split())
MAX_CHARACTERS = 2_000
#: The code where the language cannot be told.
UNKNOWN = "und"


@dataclass(frozen=True, slots=True)
class Language:
    """An ISO 639-1 code, or "und" where it cannot be told, with the detector's own confidence in [0, 1]."""

    code: str
    confidence: float


#: Called with a text and the codes of the languages that the desk speaks.
Detector = Callable[[str, Sequence[str]], Language]


def detect(text: str, spoken: Sequence[str] = ("en",)) -> Language:
    """Return the language of a text by lingua's n-grams.

    A language that the desk speaks needs no proof but to be first or near; another one has to lead clearly, else the
    text is "und". Text without letters is "und". Two words that only English has settle it at once, at confidence 1.
    """
    sample = text[:MAX_CHARACTERS]
    letters = LETTERS.findall(sample)
    if not letters:
        return Language(UNKNOWN, 0.0)
    if "en" in spoken and len(ENGLISH & set(sample.lower().replace("’", "'").split())) >= 2:
        return Language("en", 1.0)
    chances = {
        found.language.iso_code_639_1.name.lower(): float(found.value)
        for found in _lingua().compute_language_confidence_values(sample)
    }
    best = max(chances, key=lambda code: chances[code])
    ours = max((chances.get(code, 0.0) for code in spoken), default=0.0)
    foreign_script = len(letters) >= 4 and sum(ord(letter) > 0x24F for letter in letters) > len(letters) / 2
    if len(letters) < MIN_LETTERS and not foreign_script:
        return Language(UNKNOWN, chances[best])
    lead = MIN_LEAD if len(letters) >= SHORT or foreign_script else SHORT_LEAD
    if best in spoken or (chances[best] >= MIN_CONFIDENCE and chances[best] - ours >= lead):
        return Language(best, chances[best])
    return Language(UNKNOWN, chances[best])


def is_closed(languages: Sequence[str] | None, code: str) -> bool:
    """Tell whether a field may not decide in a language; one that cannot be told is not held against a ticket."""
    return languages is not None and code != UNKNOWN and code not in languages


@cache
def _lingua() -> Any:
    from lingua import LanguageDetectorBuilder

    # The low-accuracy models are right on a sentence and small enough to keep in every worker (17 MB).
    return LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()
