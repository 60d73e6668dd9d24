"""What the wording rules look for beyond single clauses: shouting, words of one's own, text that was only quoted."""

from collections.abc import Collection, Iterator

from triage.cleaning import MAX_WATCHED, TicketText, normalise
from triage.drafting.clauses import LANGUAGES, Match, find_wording
from triage.quoted_mail import bare_words

#: Fewer letters than this shout nothing: "VAT" and "PDF" are words.
MIN_SHOUTED = 10
SHOUTED_SHARE = 0.8
SHOUTS = ("!!", "!?", "?!")


def anger(text: TicketText, shouting: bool) -> Iterator[Match]:
    """Yield angry wording; milder words only where their clause is shouted, and only if `shouting` counts."""
    milder = []
    for match in find_wording(text.watched, "angry_customer", LANGUAGES):
        if match.topic == "said":
            yield match
        else:
            milder.append(match)
    if shouting and milder:
        plain = " ".join(normalise(text.watched).replace("’", "'").replace("‘", "'").replace("_", " ").split())
        yield from (match for match in dict.fromkeys(milder) if is_shouted(match.clause, plain))


def is_shouted(clause: str, text: str) -> bool:
    """Tell whether a clause is in capitals, or followed by several marks in the single-spaced text it is from."""
    letters = [character for character in clause if character.isalpha()]
    capitals = sum(letter.isupper() for letter in letters)
    if len(letters) >= MIN_SHOUTED and capitals >= SHOUTED_SHARE * len(letters):
        return True
    return any(clause + mark in text for mark in SHOUTS)


def own_case(text: TicketText, topics: Collection[str]) -> Iterator[Match]:
    """Yield what only somebody who sees the customer's account or order can answer."""
    found = find_wording(text.watched, "account_specific", LANGUAGES)
    return (match for match in found if match.topic in topics)


def points_at_attachment(text: TicketText, words: int) -> tuple[Match, int] | None:
    """Return wording that points at something attached, and the count of words beside it; None where they suffice."""
    said = f"{text.subject}\n{bare_words(text.newest, text.sender) or text.latest}"[:MAX_WATCHED]
    count = len(said.split())
    if count >= words:
        return None
    match = next(find_wording(said, "attachment_needed", LANGUAGES), None)
    return (match, count) if match else None


def addressed_to_machine(text: TicketText, topics: Collection[str]) -> Iterator[Match]:
    """Yield wording that gives orders to a machine, in quoted mail and in the remains of markup, too."""
    known = frozenset(text.watched.split("\n"))
    quoted = "\n".join(line for line in text.newest.split("\n") if line not in known)[:MAX_WATCHED]
    for part in (text.watched, quoted):
        if part.strip():
            found = find_wording(part, "hostile_instructions", LANGUAGES)
            yield from (match for match in found if match.topic in topics)
