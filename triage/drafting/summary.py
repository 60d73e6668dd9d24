"""The note that a person gets with a handoff: from the thread, each line pointing at the message it is from."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from retrieval.documents import Hit
from retrieval.fusion import identifiers
from triage.cleaning import TicketText
from triage.drafting.clauses import LANGUAGES, Match, find_wording
from triage.drafting.first_question import first_question
from triage.drafting.redaction import PLACEHOLDER, Redactions, redact, restore
from triage.drafting.wording import anger
from triage.suggestions import HandoffReason, Prediction, Route, percent
from triage.thread import Said

MAX_WORDS = 120
#: Words of each line, so that together they stay under the limit.
WANT, TRIED, KNOWN, FOUND, ASK = 28, 20, 12, 14, 18
#: A question of fewer words does not say what it is about.
BARE = 10
#: A way that takes more words than this is not told here.
MAX_ROUTE = 30
#: Of one line, for texts without spaces.
MAX_CHARACTERS = 400
#: What a note says of the customer's feelings, the strongest first; the rule or wording that shows it.
MOODS = ("angry", "afraid", "disappointed", "confused", "patient")
#: Kinds of placeholders that stay in a note: nobody should read those again. The look for them takes a millisecond,
#: so that it is only taken where a text may hold one.
SECRETS = ("{CARD", "{IBAN", "{KEY", "{ID")
_MAY_HOLD = re.compile(r"\d{4}|\d[ -]\d{3}|[\w+/-]{20}|pass|pwd|\bpin\b|kennw|secret|token|key|clave|contrase", re.I)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_WISH = re.compile(
    r"\?$|\b(?:please|can (?:you|i|we)|could (?:you|i|we)|would like|i'd like|(?:i|we) (?:want|need|wish|demand|expect)"
    r"|how (?:do|can|to)|bitte|k(?:ö|oe)nn(?:en|ten) sie|ich (?:m(?:ö|oe)chte|brauche|will|h(?:ä|ae)tte)|wir brauchen"
    r"|s'il vous pla[iî]t|pouvez-vous|pourriez-vous|je (?:voudrais|souhaite|veux|demande)|por favor"
    r"|(?:quiero|quisiera|necesito|queremos|necesitamos|solicito)|(?:puede|pueden|podr[ií]a|podr[ií]an))\b",
    re.I,
)
_GREETING = re.compile(
    r"(?:hi|hello|hey|dear|good (?:morning|afternoon|evening)|hallo|guten|liebe[rs]?|sehr geehrte\w*|moin|bonjour|salut"
    r"|hola|buen[oa]s|estimad[oa]s?)\b",
    re.I,
)


@dataclass(frozen=True)
class Matter:
    """What a note is written from. hits: the public passages found, best first."""

    subject: str
    thread: Sequence[Said]
    fields: Mapping[str, Prediction]
    reasons: Sequence[HandoffReason]
    hits: Sequence[Hit] = ()
    attributes: Mapping[str, object] | None = None


def write_summary(matter: Matter, route: Route | None = None) -> str:
    """Return a note of at most 120 words, one line per matter, in the customer's words where they are known.

    A number in brackets names the message that a line is from, 1 being the opening. route: who takes the ticket; told
    where it is short and says more than a team's name.
    """
    lines = [_wants(matter), *_tried(matter.thread), *_known(matter), *_mood(matter.thread)]
    lines.append(f"Handed over because: {', '.join(reason.code for reason in matter.reasons)}.")
    titles = list(dict.fromkeys(f"“{hit.document.title}”" for hit in matter.hits))[:2]
    lines.append(shorten(f"Nearest articles: {', '.join(titles)}.", FOUND) if titles else "No article found.")
    if question := first_question(matter.reasons, matter.fields):
        lines.append(shorten(f"Ask first: {question}", ASK))
    if (way := _way(route)) and len(way.split()) <= MAX_ROUTE:
        lines.append(way)
    return _masked("\n".join(shorten_lines(lines, MAX_WORDS)))


def shorten(text: str, words: int) -> str:
    """Cut a text after a number of words, with an ellipsis."""
    parts = text.split()
    cut = text if len(parts) <= words else " ".join(parts[:words]) + " …"
    return cut if len(cut) <= MAX_CHARACTERS else cut[:MAX_CHARACTERS] + " …"


def shorten_lines(lines: Sequence[str], words: int) -> list[str]:
    """Keep whole lines while their words fit; the line that does not fit is cut."""
    kept: list[str] = []
    for line in lines:
        left = words - sum(len(other.split()) for other in kept)
        if left <= 1:
            break
        kept.append(shorten(line, left - 1))
    return kept


def _wants(matter: Matter) -> str:
    """Say what is wanted: the sentences of the newest message that ask for something, else its first ones."""
    newest = [one for one in matter.thread if one.author == "customer" and one.text.strip()][-1:]
    for said in newest:
        sentences = [" ".join(part.split()) for part in _SENTENCE.split(said.text)]
        sentences = [part for part in sentences if part and not _greets(part)] or sentences
        asking = [part for part in sentences if _WISH.search(part)] or sentences
        if len(" ".join(asking).split()) < BARE and asking != sentences:  # "Which one?" needs what was said before it
            asking = [part for part in sentences if part not in asking][:1] + asking
        return f"Customer wants: {shorten(' '.join(asking), WANT)} [{said.number}]"
    return f"Customer wants: {shorten(matter.subject or '(nothing to read)', WANT)} [1]"


def _greets(sentence: str) -> bool:
    return bool(_GREETING.match(sentence)) and len(sentence.split()) <= 4


def _tried(thread: Sequence[Said]) -> Iterator[str]:
    """Yield what the customer says they tried, and what agents wrote already: their last reply."""
    for said in thread:
        clauses = dict.fromkeys(match.clause for match in find_wording(said.text, "tried", LANGUAGES))
        if said.author == "customer" and clauses:
            yield f"Tried: {shorten('; '.join(clauses), TRIED)} [{said.number}]"
            break
    replies = [said for said in thread if said.author == "agent" and said.text.strip()]
    if replies:
        yield f"We wrote: {shorten(' '.join(replies[-1].text.split()), TRIED)} [{replies[-1].number}]"


def _known(matter: Matter) -> Iterator[str]:
    """Yield the triage, and what names the matter exactly, where the customer says it."""
    guesses = [f"{prediction.best} ({_sure(prediction)})" for prediction in matter.fields.values()]
    named: list[str] = []
    for said in matter.thread:
        found = [_as_written(word, said.text) for word in identifiers(_nameless(said.text))]
        found = [word for word in found if word not in " ".join(named)]
        if said.author == "customer" and found:
            named.append(f"{', '.join(found)} [{said.number}]")
    named += [f"{key} {value}" for key, value in (matter.attributes or {}).items() if value not in (None, "")]
    if guesses:
        yield f"Triage: {'; '.join(guesses)}."
    if named:
        yield shorten(f"Named: {'; '.join(named)}", KNOWN)
    elif matter.thread[0].text.strip():
        yield "Missing: any number, code or product by which to look it up."


def _as_written(word: str, text: str) -> str:
    found = re.search(re.escape(word), text, re.I)
    return found.group() if found else word


def _nameless(text: str) -> str:
    """Return a text without personal data, which names a person and not the matter."""
    return PLACEHOLDER.sub(" ", redact(text)[0]) if _MAY_HOLD.search(text) else text


def _masked(note: str) -> str:
    """Return a note with placeholders for cards, accounts, keys and passwords."""
    if not _MAY_HOLD.search(note):
        return note
    text, known = redact(note)
    told = {name: value for name, value in known.values.items() if not name.startswith(SECRETS)}
    return restore(text, Redactions(told)).text


def _mood(thread: Sequence[Said]) -> Iterator[str]:
    """Yield the customer's strongest feeling in a word, with the words that show it."""
    found = [
        (MOODS.index(mood), said.number, match.clause)
        for said in thread
        if said.author == "customer"
        for mood, match in _feelings(said.text)
    ]
    if found:
        mood, number, clause = min(found, key=lambda one: (one[0], -one[1]))
        yield f"Mood: {MOODS[mood]} (“{shorten(clause, 8)}”) [{number}]"


def _feelings(text: str) -> Iterator[tuple[str, Match]]:
    for match in anger(TicketText("", text, text), shouting=True):
        yield MOODS[0], match
    for match in find_wording(text, "mood", LANGUAGES):
        yield match.topic, match


def _way(route: Route | None) -> str:
    if route is None or not (route.steps or route.person):
        return ""
    ask = f", ask {route.person}" if route.person else ""
    return "Route: " + "; ".join([*(step.why for step in route.steps), f"{route.team} takes it{ask}."])


def _sure(prediction: Prediction) -> str:
    sure = percent(prediction.confidence)
    return sure if prediction.decided else f"unsure, {sure}"
