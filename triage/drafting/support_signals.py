"""What speaks for and against a sentence beside the window of its sources that says most of it."""

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher

import numpy as np

from models.protocols import FloatArray
from triage.drafting.alignment import FUNCTION, Aligned, content_words, literals_of, opposites_of, plain_words
from triage.drafting.commitments import ungranted

_NEGATIONS = (
    "not no never none nobody nothing neither nor without unable impossible nowhere hardly except instead refuse "
    "refuses refused forbidden stop stops avoid prevents unless"
)
_CONDITIONS = "if unless until once when whenever provided while where after before case"
NEGATIONS, CONDITIONS = frozenset(_NEGATIONS.split()), frozenset(_CONDITIONS.split())
LIMITS = re.compile(
    r"\b(?:only|up to|at least|at most|no more than|less than|more than|maximum|minimum|most|some|usually|often"
    r"|sometimes|may|might|normally|generally|about|around|almost|just|solely|except|mainly|typically|limited"
    r"|as many as|no longer than|no later than|within|roughly|nearly|other than|apart from)\b"
)
UNIVERSALS = re.compile(
    r"\b(?:all|every|always|any|each|whole|entire|entirely|everyone|everything|anyone|never|exactly|must|any time"
    r"|whenever|wherever|completely|guaranteed|full|fully)\b"
)
#: A capital inside a sentence: a product, a plan, a menu.
NAME = re.compile(r"(?<=[a-z,;:’'\d] )[A-Z][\w-]+")
QUOTED = re.compile(r"[“\"„«](.{1,80}?)[”\"“»]")
#: Two steps of a way through menus: "Settings > Billing".
MENU = re.compile(r"([A-Z][\w’'-]*(?: [\w’'-]+){0,3}) > (?=([A-Z][\w’'-]*(?: [A-Z]?[\w’'-]+){0,2}))")
#: A sentence of which so many words stand in the window in the same order quotes it, right or wrong.
QUOTING = 0.8
#: A negation reaches so many words.
REACH = 6
ARTICLES = frozenset({"a", "an", "the"})
SIGNALS = (
    "coverage, weak words less", "coverage", "weakest word", "second weakest", "words not found", "likeness",
    "negated otherwise", "odd negations", "conditions lost", "conditions new", "limits lost", "limits new",
    "universals new", "universals lost", "opposites", "promises", "literals not in window", "literals not in passages",
    "left over", "in order", "misquoted words", "dropped words", "turned round", "names not in window",
    "names not in passages", "we instead of another", "length", "misquoted negation", "misquoted limit",
    "misquoted condition", "misquoted opposite", "misquoted literal", "quotes not in passages",
)  # fmt: skip


def signals(aligned: Aligned, passages: str, ticket: str = "") -> FloatArray:
    """Return what `SIGNALS` names, float32 of shape (33,).

    passages: the text of all that is cited; ticket: what the customer wrote, whose literals may be repeated.
    """
    said, told = plain_words(aligned.sentence), plain_words(aligned.text)
    near = np.sort(aligned.near)
    counts = _cues(said, told)
    opposite = sum(
        1 for word in set(said) - set(told) if any(one in told and one not in said for one in opposites_of(word))
    )
    in_window, in_passages = _literals_missing(aligned, passages, ticket)
    order, inserted, dropped = _differences(said, told)
    quoting = order >= QUOTING
    we = bool({"we", "our", "us"} & set(said)) and not {"we", "our", "us"} & set(told)
    negations = abs(_count(said, NEGATIONS) - _count(told, NEGATIONS))
    conditions, limits = counts[0] + counts[1], sum(counts[2:])
    promises = len(ungranted(aligned.sentence, aligned.text))
    found = [
        float(near.mean()), float(aligned.near @ aligned.weights), float(near[0]), float(near[min(1, len(near) - 1)]),
        int((near < 0.5).sum()), aligned.alike, _negated_otherwise(said, told), negations % 2, *counts, opposite,
        promises, in_window, in_passages, aligned.left, order, quoting * inserted, quoting * dropped,
        _turned_round(aligned), *_names_missing(aligned, passages), we, len(said), quoting * negations,
        quoting * limits, quoting * conditions, quoting * opposite, quoting * in_window,
        _quotes_missing(aligned, passages),
    ]  # fmt: skip
    return np.array(found, dtype=np.float32)


def _count(words: Sequence[str], wanted: frozenset[str]) -> int:
    return sum(word in wanted for word in words)


def _cues(said: Sequence[str], told: Sequence[str]) -> list[int]:
    """Return how many conditions, limits and universals were lost or are new (universals: new first)."""
    conditions = _count(told, CONDITIONS) - _count(said, CONDITIONS)
    found = [max(0, conditions), max(0, -conditions)]
    sentence, window = " ".join(said), " ".join(told)
    for pattern, new_first in ((LIMITS, False), (UNIVERSALS, True)):
        own, its = Counter(pattern.findall(sentence)), Counter(pattern.findall(window))
        lost, new = (its - own).total(), (own - its).total()
        found += [new, lost] if new_first else [lost, new]
    return found


def _literals_missing(aligned: Aligned, passages: str, ticket: str) -> tuple[int, int]:
    wanted = literals_of(aligned.sentence)
    above = literals_of(aligned.above)
    window = literals_of(aligned.text) | above
    # A link or an address that only the ticket holds is never repeated: a customer could place it in a reply.
    own = {literal for literal in literals_of(ticket) if literal[0] != "link"}
    return len(wanted - window), len(wanted - window - literals_of(passages) - own)


def _differences(said: Sequence[str], told: Sequence[str]) -> tuple[float, int, int]:
    """Return the share of a sentence's words that the window has in order, and how many it adds and drops between."""
    matcher = SequenceMatcher(None, said, told, autojunk=False)
    blocks = [block for block in matcher.get_matching_blocks() if block.size]
    first, last = (blocks[0].b, blocks[-1].b + blocks[-1].size) if blocks else (0, 0)
    inserted = dropped = 0
    for operation, start, end, its_start, its_end in matcher.get_opcodes():
        if operation != "equal":
            inserted += sum(word not in ARTICLES for word in said[start:end])
            dropped += sum(
                word not in ARTICLES
                for place, word in enumerate(told[its_start:its_end], its_start)
                if first <= place < last
            )
    return sum(block.size for block in blocks) / max(1, len(said)), inserted, dropped


def _negated_otherwise(said: Sequence[str], told: Sequence[str]) -> float:
    """Return the share of the content words of both that a negation reaches in one of them only."""
    own, its = _negated(said), _negated(told)
    common = {word for word in said if word not in FUNCTION} & set(told)
    return sum((word in own) != (word in its) for word in common) / max(1, len(common))


def _negated(words: Sequence[str]) -> set[str]:
    return {
        word
        for place, negation in enumerate(words)
        if negation in NEGATIONS
        for word in words[place + 1 : place + 1 + REACH]
        if word not in FUNCTION
    }


def _turned_round(aligned: Aligned) -> float:
    """Return the share of pairs of content words that stand in the other order in the window."""
    window = content_words(aligned.text)
    places = [window.index(word) for word in content_words(aligned.sentence) if word in window]
    pairs = len(places) * (len(places) - 1) // 2
    turned = sum(places[one] > places[two] for one in range(len(places)) for two in range(one + 1, len(places)))
    return turned / max(1, pairs)


def _names_missing(aligned: Aligned, passages: str) -> tuple[int, int]:
    names = [name.lower() for name in NAME.findall(aligned.sentence)]
    window = set(plain_words(f"{aligned.text} {aligned.above}"))
    everything = window | set(plain_words(passages))
    parts = {part for word in window for part in word.split("-")}
    return sum(name not in window | parts for name in names), sum(name not in everything for name in names)


def _quotes_missing(aligned: Aligned, passages: str) -> int:
    """Return how many quoted words, and steps of ways through menus, no passage has."""
    told = f"{passages} {aligned.above}"
    plain = " ".join(plain_words(told))
    quotes = sum(" ".join(plain_words(quote)) not in plain for quote in QUOTED.findall(aligned.sentence))
    steps = {(one.split()[-1], other.split()[0]) for one, other in MENU.findall(told)}
    return quotes + sum(
        (one.split()[-1], other.split()[0]) not in steps for one, other in MENU.findall(aligned.sentence)
    )
