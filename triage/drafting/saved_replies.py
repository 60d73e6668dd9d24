"""A draft from what the desk wrote before: a saved reply whose placeholders are filled, or a past ticket's reply.

Only where no article answers. A saved reply that tells what somebody did or will do is left to agents: no draft knows
whether that is so. Past replies were written to other customers: their names and details go first.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retrieval.fusion import identifiers
from triage.drafting.commitments import PROMISES, WE_WILL
from triage.drafting.compose import Addressee, Voice, greeting, lay_out, thanks
from triage.drafting.redaction import redact
from triage.suggestions import Draft, DraftSentence, MacroHit, SimilarTicket, Support

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
#: A desk's own name for who asks, in a saved reply.
CUSTOMER = "customer_name"
#: The writer speaks of themselves, or of what the desk has done.
SELF = re.compile(
    r"\b(?:I|me|my|mine)\b|\bI['’]|\b[Ww]e(?:['’]ve| have| had| did| sent| set| changed| added| made| gave| found)\b"
)
OPENING = re.compile(r"(?:hi|hello|hey|dear|good (?:morning|afternoon|evening))\b[^\n]{0,60},?\s*$", re.I)
SIGN_OFF = re.compile(r"(?:(?:kind|best|warm) )?(?:regards|wishes)|yours\b|cheers|thanks,?$|sincerely", re.I)
GAP = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class Saved:
    """What a draft may be made from. macro_similarity, past_similarity: cosines; past: whether past replies may be."""

    macros: Sequence[MacroHit]
    similar: Sequence[SimilarTicket]
    macro_similarity: float
    past_similarity: float
    past: bool


def fill(text: str, values: Mapping[str, object]) -> str:
    """Return a saved reply with those of its placeholders filled that are known; the others stay for the agent."""
    known = {name: str(value) for name, value in values.items() if value not in (None, "")}
    return PLACEHOLDER.sub(lambda found: known.get(found.group(1), found.group()), text)


def from_saved(saved: Saved, to: Addressee, voice: Voice) -> Draft | None:
    """Return a draft from the best saved or past reply that may be one, or None."""
    for macro in saved.macros[:1]:
        if macro.why.dense >= saved.macro_similarity and (parts := _body(macro.text)):
            return _draft(parts, f"macro:{macro.macro_id}", macro.text, to, voice, "macro")
    for past in saved.similar[:1] if saved.past else ():
        if past.why.dense >= saved.past_similarity and (parts := _body(past.reply)) and _is_nobodys(past.reply, parts):
            return _draft(parts, f"ticket:{past.ticket_id}", past.reply, to, voice, "history")
    return None


def _body(reply: str) -> list[str]:
    """Return the paragraphs of a reply without greeting and sign-off; none where it may not be a draft."""
    parts = [part.strip() for part in GAP.split(reply) if part.strip()]
    if parts and OPENING.match(parts[0]):
        parts = parts[1:]
    while parts and (SIGN_OFF.match(parts[-1]) or len(parts[-1].split()) <= 3 or "{agent_name}" in parts[-1]):
        parts = parts[:-1]
    text = "\n".join(parts)
    promised = WE_WILL.search(text) or any(pattern.search(text) for pattern in PROMISES.values())
    return [] if PLACEHOLDER.search(text) or SELF.search(text) or promised else parts


def _is_nobodys(reply: str, parts: Sequence[str]) -> bool:
    """Tell whether a past reply's paragraphs say nothing of the customer whom it was written to."""
    body, opening = "\n".join(parts), GAP.split(reply)[0]
    named = [word.strip(",.!") for word in opening.split()[1:]] if OPENING.match(opening.strip()) else []
    mentions = any(len(name) > 1 and re.search(rf"\b{re.escape(name)}\b", body) for name in named)
    return not mentions and not identifiers(body) and redact(body, names=named)[0] == body


def _draft(parts: Sequence[str], source_id: str, text: str, to: Addressee, voice: Voice, source: str) -> Draft:
    sentences = [
        DraftSentence(text=greeting(to.name, voice), role="greeting"),
        DraftSentence(text=thanks(to.subject), role="lead"),
    ]
    for part in parts:
        start = text.index(part)
        support = Support(article_id=source_id, start=start, end=start + len(part), score=1.0)
        sentences.append(DraftSentence(text=part, role="fact", support=(support,)))
    sentences += [DraftSentence(text=line, role="closing") for line in (voice.closing, voice.signature) if line]
    return Draft.model_validate({"text": lay_out(sentences), "sentences": tuple(sentences), "source": source})
