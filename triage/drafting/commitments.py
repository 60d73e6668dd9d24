"""What a sentence promises on the desk's behalf: only what the cited passage grants may stand in a draft."""

import re

_PROMISES = {
    "refund": (
        r"\brefund|\bmoney back\b|\breimburs|\b(?:pay|paid|give|send) (?:it |you |this |that )?back\b"
        r"|\breturn(?:s|ed)? (?:the |your )(?:money|payment)"
    ),
    "credit": (
        r"\bcredit(?:s|ed)?\b|\bvoucher|\bdiscount|\bgoodwill|\bcompensat|\bwaiv|\bfree of charge\b"
        r"|\bat no (?:extra )?(?:cost|charge)\b|\bfor free\b|\bon us\b"
    ),
    "callback": (
        r"\b(?:call|ring|phone|telephone)(?:s|ed|ing)? (?:you|back)\b|\bcall-?back|\bgive you a (?:call|ring)\b"
    ),
    "guarantee": r"\bguarant|\bpromis|\bwe assure\b|\brest assured\b|\bwithout fail\b",
    "replacement": r"\breplac(?:e|es|ed|ing|ement)\b|\b(?:send|post|ship|get) you a new\b|\bexchang",
    "deadline": (
        r"\b(?:by|before) (?:the )?(?:next (?:working |business )?(?:day|morning)|end of (?:the )?day)\b"
        r"|\bsame (?:working |business )?day\b|\btoday\b|\btonight\b|\btomorrow\b|\bovernight\b|\bwithin the hour\b"
        r"|\b(?:next|first) working day\b"
    ),
    "extension": r"\bextend|\bextra (?:day|week|month)s?\b|\blonger trial\b",
}
#: One expression for each kind of promise: it must be met in the source as well.
PROMISES = {kind: re.compile(expression, re.I) for kind, expression in _PROMISES.items()}
#: The desk says that it will do something: the source must say so, of the desk.
WE_WILL = re.compile(
    r"\b(?:we|i|our (?:team|staff|engineers?|advisers?))\b(?:['’]ll| will| shall| are going to|['’]re going to"
    r"| can arrange| have (?:already )?(?:arranged|asked|passed|refunded|credited|escalated))",
    re.I,
)
WE_DO = re.compile(r"\b(?:we|our (?:team|staff|engineers?|advisers?)|support|adviser|engineer)\b", re.I)
#: What is not granted is named in the source, too: "we do not refund part months".
DENIED = re.compile(r"(?:\b(?:not|no|never|without|cannot|nor)\b|n['’]t\b)[^.;:!?\n]{0,30}$", re.I)


def ungranted(sentence: str, source: str) -> tuple[str, ...]:
    """Return the kinds of promise that a sentence makes and its source does not."""
    found = [kind for kind, pattern in PROMISES.items() if _states(pattern, sentence) and not _states(pattern, source)]
    if WE_WILL.search(sentence) and not WE_DO.search(source):
        found.append("we will")
    return tuple(found)


def _states(pattern: re.Pattern[str], text: str) -> bool:
    """Tell whether a promise stands in a text without a negation shortly before it."""
    return any(not DENIED.search(text[: match.start()]) for match in pattern.finditer(text))
