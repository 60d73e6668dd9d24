"""A ticket and its suggestion as a page shows them: plain text in parts. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from retrieval.documents import Document
from serve.storage.ticket_life import StoredTicket
from triage.cleaning import clean, normalise, without_markup
from triage.drafting.redaction import NOTHING, PLACEHOLDER, Redactions, redact, restore
from triage.quoted_mail import announcement
from triage.suggestions import Alternative, DraftSentence, Factor, Suggestion

#: What stands between such marks in a reason's evidence was said in the ticket.
QUOTED = re.compile("“([^”]{3,300})”")
#: What nobody needs to read in order to answer, and anybody could misuse.
SECRETS = ("CARD", "IBAN", "KEY")
#: A message is shown up to here; what is longer can be had in the help desk itself.
MAX_MESSAGE = 20_000
#: What is longer scrolls in a frame of its own, so that the draft stays near.
LONG_PART = 4_000
#: Characters of a source before and behind the sentence that leans on it.
AROUND = 160

Mark = Literal["", "evidence", "card", "iban", "key"]


@dataclass(frozen=True)
class FieldView:
    """A field. value: as a person set it, else as it was decided, None where it is open; best: the likeliest."""

    name: str
    value: str | None
    by_hand: bool
    best: str | None
    confidence: float
    alternatives: tuple[Alternative, ...] = ()
    factors: tuple[Factor, ...] = ()


@dataclass(frozen=True)
class Piece:
    """Some characters of a message. mark: evidence of a reason, or a secret that is hidden until it is asked for."""

    text: str
    mark: Mark = ""


@dataclass(frozen=True)
class Part:
    """Some lines of a message: the writer's own, or quoted from an older mail."""

    is_quoted: bool
    pieces: tuple[Piece, ...]

    @property
    def is_long(self) -> bool:
        """Tell whether it scrolls in a frame of its own."""
        return sum(len(piece.text) for piece in self.pieces) > LONG_PART


@dataclass(frozen=True)
class MessageView:
    """A message. number: 1 for the opening one; is_new: whether it came after the suggestion; is_cut: has more."""

    number: int
    author: str
    public: bool
    at: datetime | None
    parts: tuple[Part, ...]
    is_new: bool = False
    is_cut: bool = False


@dataclass(frozen=True)
class Source:
    """Where a sentence stands in an article: the characters it leans on, and some before and behind."""

    article_id: str
    title: str
    before: str
    text: str
    behind: str


@dataclass(frozen=True)
class SentenceView:
    """A sentence of a draft. is_open: it states a fact that no source has."""

    text: str
    role: str
    starts_line: bool
    sources: tuple[Source, ...]
    is_open: bool


def fields_of(stored: StoredTicket, said: Suggestion | None) -> list[FieldView]:
    """Return the fields of a ticket in the order of the suggestion; those a person set where there is none."""
    by_hand = stored.set_fields
    if said is None:
        return [FieldView(name, label, True, label, 1.0) for name, label in by_hand.items()]
    return [
        FieldView(
            name,
            by_hand.get(name, found.value),
            name in by_hand,
            found.best,
            1.0 if name in by_hand else found.confidence,
            found.alternatives,
            found.factors,
        )
        for name, found in said.fields.items()
    ]


def thread_of(stored: StoredTicket, said: Suggestion | None, known: int) -> list[MessageView]:
    """Return the messages, the opening one first. known: how many messages the suggestion was made of, beside that."""
    ticket = stored.ticket
    quotes = _quotes(said)
    views, hidden = [], NOTHING
    opening = [(1, "customer", True, stored.wrote_at, ticket.body or "")]
    followed = [(at, one.author, one.public, one.created_at, one.text) for at, one in enumerate(ticket.messages, 2)]
    for number, author, public, at, text in [*opening, *followed]:
        parts, hidden = _parts(text, quotes if author == "customer" else (), hidden)
        is_new = said is not None and author == "customer" and number > known + 1
        views.append(MessageView(number, author, public, at, parts, is_new, len(text) > MAX_MESSAGE))
    return views


def excerpt_of(stored: StoredTicket, length: int) -> str:
    """Return the beginning of what the customer wrote on one line, "" for nothing; secrets are left out."""
    return _one_line(clean((stored.ticket.body or "")[: 4 * length]), length)


def title_of(stored: StoredTicket, length: int = 300) -> str:
    """Return the subject on one line; secrets are left out."""
    return _one_line(normalise((stored.ticket.subject or "")[:length]), length)


def subject_of(stored: StoredTicket, said: Suggestion | None) -> tuple[Piece, ...]:
    """Return the subject, with what is evidence in it, and without secrets."""
    shown, hidden = redact(normalise(stored.ticket.subject or ""))
    return tuple(_pieces(shown, _quotes(said), hidden))


def _one_line(text: str, length: int) -> str:
    shown, hidden = redact(text)
    told = "".join("…" if piece.mark else piece.text for piece in _pieces(shown, (), hidden))
    return " ".join(told.split())[:length]


def draft_of(said: Suggestion, documents: Mapping[str, Document]) -> list[SentenceView]:
    """Return the draft's sentences with their sources, as far as those are still what they were."""
    if said.draft is None:
        return []
    return [_sentence(one, said, documents) for one in said.draft.sentences]


def _sentence(one: DraftSentence, said: Suggestion, documents: Mapping[str, Document]) -> SentenceView:
    revisions = {hit.article_id: hit.revision for hit in said.articles}
    sources = []
    for support in one.support:
        document = documents.get(support.article_id)
        if document is None or document.revision != revisions.get(support.article_id, document.revision):
            sources.append(Source(support.article_id, document.title if document else support.article_id, "", "", ""))
            continue
        text = document.text
        before, behind = text[max(0, support.start - AROUND) : support.start], text[support.end : support.end + AROUND]
        sources.append(
            Source(document.id, document.title, before.lstrip(), text[support.start : support.end], behind.rstrip())
        )
    from_articles = said.draft is not None and said.draft.source in ("articles", "model")
    is_open = one.role == "fact" and not one.support and from_articles
    return SentenceView(one.text, one.role, one.starts_line, tuple(sources), is_open)


def _quotes(said: Suggestion | None) -> tuple[str, ...]:
    """Return what the reasons quote from the ticket, the longest first."""
    reasons = said.handoff.reasons if said is not None and said.handoff is not None else ()
    found = {quote.strip(" …") for reason in reasons for quote in QUOTED.findall(reason.evidence)}
    return tuple(sorted(found, key=lambda quote: (-len(quote), quote)))


def _parts(text: str, quotes: Sequence[str], hidden: Redactions) -> tuple[tuple[Part, ...], Redactions]:
    shown, hidden = redact(without_markup(normalise(text[:MAX_MESSAGE])), hidden)
    lines = [(is_quoted, list(_pieces(part, quotes, hidden))) for is_quoted, part in _folded(shown)]
    return tuple(Part(is_quoted, tuple(pieces)) for is_quoted, pieces in lines), hidden


def _folded(text: str) -> Iterator[tuple[bool, str]]:
    """Yield runs of lines that are the writer's own, or quoted, in turn."""
    lines = text.split("\n")
    at = announcement(lines)
    marked = at is not None and any(line.lstrip().startswith(">") for line in lines[at + 1 :])
    run: list[str] = []
    was_quoted = False
    for number, line in enumerate(lines):
        below = at is not None and number >= at and (not marked or number == at)
        is_quoted = below or line.lstrip().startswith(">") or (was_quoted and not line.strip())
        if is_quoted != was_quoted and run:
            yield was_quoted, "\n".join(run).strip("\n")
            run = []
        was_quoted = is_quoted
        run.append(line)
    if run:
        yield was_quoted, "\n".join(run).strip("\n")


def _pieces(text: str, quotes: Sequence[str], hidden: Redactions) -> Iterator[Piece]:
    """Yield the pieces of a text in which personal data has been replaced: secrets stay so, all else is put back."""
    last = 0
    for match in PLACEHOLDER.finditer(text):
        kind = match.group()[1:].split("_")[0]
        if kind in SECRETS and match.group() in hidden.values:
            yield from _marked(restore(text[last : match.start()], hidden).text, quotes)
            yield Piece(hidden.values[match.group()], kind.lower())  # type: ignore[arg-type]
            last = match.end()
    yield from _marked(restore(text[last:], hidden).text, quotes)


def _marked(text: str, quotes: Sequence[str]) -> Iterator[Piece]:
    """Yield a text in pieces, those that a reason quotes marked."""
    if not quotes:
        if text:
            yield Piece(text)
        return
    wanted = re.compile("|".join(r"\s+".join(map(re.escape, quote.split())) for quote in quotes), re.I)
    last = 0
    for match in wanted.finditer(text):
        if match.start() > last:
            yield Piece(text[last : match.start()])
        yield Piece(match.group(), "evidence")
        last = match.end()
    if last < len(text):
        yield Piece(text[last:])
