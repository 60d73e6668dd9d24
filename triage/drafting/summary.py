"""The note that a person gets with a handoff: what is wanted, what is known, what was found."""

from collections.abc import Mapping, Sequence

from retrieval.documents import Hit
from triage.cleaning import TicketText
from triage.suggestions import HandoffReason, Prediction, Route, percent

MAX_WORDS = 120
MAX_WANT = 45
#: A way that takes more words than this is not told here.
MAX_ROUTE = 30
#: Of one line, for texts without spaces.
MAX_CHARACTERS = 600


def write_summary(
    text: TicketText,
    fields: Mapping[str, Prediction],
    reasons: Sequence[HandoffReason],
    hits: Sequence[Hit],
    route: Route | None = None,
) -> str:
    """Return a note of at most 120 words, one line per matter, in the customer's words where they are known.

    route: who takes the ticket; told where it is short and says more than a team's name.
    """
    want = " ".join(text.latest.split()) or text.subject or "(nothing to read)"
    lines = [f"Customer writes: {shorten(want, MAX_WANT)}"]
    known = [_known(field, prediction) for field, prediction in fields.items()]
    lines.append(f"Triage: {'; '.join(known)}.")
    lines.append(f"Handed over because: {', '.join(reason.code for reason in reasons)}.")
    titles = list(dict.fromkeys(f"“{hit.document.title}”" for hit in hits))[:2]
    lines.append(f"Nearest articles: {', '.join(titles)}." if titles else "No article was looked up or found.")
    if (way := _way(route)) and len(way.split()) <= MAX_ROUTE:
        lines.append(way)
    return "\n".join(shorten_lines(lines, MAX_WORDS))


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


def _way(route: Route | None) -> str:
    if route is None or not (route.steps or route.person):
        return ""
    ask = f", ask {route.person}" if route.person else ""
    return "Route: " + "; ".join([*(step.why for step in route.steps), f"{route.team} takes it{ask}."])


def _known(field: str, prediction: Prediction) -> str:
    sure = percent(prediction.confidence)
    return f"{field} {prediction.best} ({sure if prediction.decided else f'unsure, {sure}'})"
