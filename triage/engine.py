"""The one place that orders the steps from a ticket to a suggestion."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from time import perf_counter

from models.protocols import GENERATION_SECONDS, FloatArray, TextEncoder, TextGenerator
from retrieval.answerability import Answerability
from retrieval.documents import Hit
from retrieval.search import PassageSearch
from triage.business_hours import Calendar
from triage.classify import TicketClassifier, by_rule, undecided
from triage.cleaning import TicketText, read_text
from triage.desk_files import DeskRules
from triage.drafting.asked import Asked, questions_in, unanswered, with_subject
from triage.drafting.compose import Addressee, Voice
from triage.drafting.handoff import Evidence, decide_handoff
from triage.drafting.saved_replies import CUSTOMER, Saved, fill, from_saved
from triage.drafting.writer import Matter, Writer, Written
from triage.history import NoHistory, Recorded, TicketHistory, duplicates_of, repeats_of
from triage.language import UNKNOWN, Detector, Language
from triage.message_kind import MessageKind, message_kind
from triage.outcome import (
    Decision,
    Outcome,
    Reading,
    anyone,
    article_hit,
    articles_of,
    best_internal,
    disposition,
    is_public,
    no_draft,
    waiting_since,
)
from triage.past_replies import PastReplies
from triage.set_values import REQUEST, SetValues, values_set
from triage.suggestion_parts import due_of, handoff_of, history_of, route_of
from triage.suggestions import (
    ArticleHit,
    Draft,
    Duplicate,
    HandoffReason,
    HistorySaid,
    MacroHit,
    RepeatOf,
    Suggestion,
    Versions,
)
from triage.thread import answered_by
from triage.tickets import Ticket

#: The encoder's window is far smaller; what is beyond cannot move a vector and need not be tokenised.
MAX_ENCODED = 4_000
#: Passages that are found, and how many of the best a draft is written from.
SEARCH_DEPTH = 30
MAX_DUPLICATES = 10
DRAFT_DEPTH = 20


@dataclass(frozen=True)
class TriageEngine:
    """Everything needed to answer a ticket, immutable; safe from many threads."""

    encoder: TextEncoder
    classifier: TicketClassifier
    search: PassageSearch
    answerable: Answerability
    past: PastReplies
    rules: DeskRules
    detect_language: Detector
    versions: Versions
    timer: Callable[[], float] = perf_counter
    history: TicketHistory = field(default_factory=NoHistory)
    generator: TextGenerator | None = None

    def suggest(self, ticket: Ticket, suggestion_id: str, now: datetime) -> Suggestion:
        """Return the whole suggestion: a draft, or a handoff with its reasons, or no reply with its reason.

        Raises `TicketError` where a value that a person set is none of the desk's.
        """
        return self.decide(ticket, suggestion_id, now).suggestion

    def decide(self, ticket: Ticket, suggestion_id: str, now: datetime, recorded: Recorded | None = None) -> Decision:
        """Return the whole suggestion as `suggest` does, with the vectors that it was made from.

        recorded: vectors and history of an earlier decision, which are taken as they are.
        """
        clock = Clock(self.timer)
        reading = self.read(ticket, now, recorded=recorded)
        clock.lap("classify")
        outcome = Outcome()
        if not reading.wants_no_reply:
            found = self.find(reading)
            clock.lap("search")
            outcome = self.conclude(reading, found)
            clock.lap("draft")
        return Decision(self.suggestion(reading, outcome, suggestion_id, now, clock.laps), reading.vectors)

    def classified_again(self, reading: Reading) -> Reading:
        """Return a reading with its fields as this engine sees them; all else is as the engine said that made it."""
        if reading.vectors is None:
            return reading
        text = text_to_classify(reading.text)
        found = self.classifier.classify(
            text, reading.vectors[0], reading.settled, reading.opinion, reading.language.code
        )
        return replace(reading, fields=found.fields, novelty=found.novelty, reads_like=found.reads_like)

    def conclude(self, reading: Reading, found: Outcome) -> Outcome:
        """Return what was found with a draft, or with the reasons why there is none.

        found: of `find`; where it holds what was written, by an engine with the same voice and rules for drafts, that
        is not written again.
        """
        written, draft, reasons = self._draft_or_reasons(reading, found)
        return replace(found, written=written, draft=draft, reasons=reasons)

    def triage(self, ticket: Ticket, suggestion_id: str, now: datetime) -> Suggestion:
        """Return kind, fields, due, and every handoff rule that needs no search: the fast path."""
        return self.decide_triage(ticket, suggestion_id, now).suggestion

    def decide_triage(
        self, ticket: Ticket, suggestion_id: str, now: datetime, recorded: Recorded | None = None
    ) -> Decision:
        """Return what `triage` does, with the vectors that it was made from; recorded: as for `decide`."""
        clock = Clock(self.timer)
        reading = self.read(ticket, now, to_search=False, recorded=recorded)
        reasons = () if reading.wants_no_reply else decide_handoff(self._evidence(reading), self.rules.policy)
        clock.lap("classify")
        suggestion = self.suggestion(reading, Outcome(reasons=reasons), suggestion_id, now, clock.laps)
        return Decision(suggestion, reading.vectors)

    def read(self, ticket: Ticket, now: datetime, to_search: bool = True, recorded: Recorded | None = None) -> Reading:
        """Clean, gate, detect and classify a ticket: one encoder pass, none for a ticket without a word.

        to_search: whether the reading's vector must be that of the question; else it may be that of all words.
        Raises `TicketError`.
        """
        text, values = read_text(ticket), values_set(ticket, recorded or self.history, self.rules.taxonomy)
        follow_up = any(message.author == "customer" for message in ticket.messages)
        kind = message_kind(text, ticket.headers, follow_up)
        if values.is_request and kind.kind not in (REQUEST, "empty"):
            kind = MessageKind("request", f"a person set it to request; the gate said {kind.kind} ({kind.evidence})")
        if kind.kind == "empty":
            return self._unread(ticket, text, kind, values)
        language = self.detect_language(text_to_search(text), self.rules.settings.languages)
        if language.code == UNKNOWN and ticket.language:
            language = Language(ticket.language.lower()[:2], 0.0)
        texts = [text_to_classify(text)]
        if to_search and text_to_search(text) != texts[0]:
            texts.append(text_to_search(text))
        vectors = self._vectors(texts, recorded)
        said = recorded.history if recorded else self._history(ticket, kind, vectors[0], now)
        said = said.model_copy(update={"set_fields": dict(values.known), "outdated": dict(values.outdated)})
        local = now.astimezone(self.calendar.zone)
        opinion = self.rules.priority_scale.opinion(ticket, text, local, said.repeat_of)
        settled = {**self.rules.routing.decide(ticket, text), **values.settled}
        found = self.classifier.classify(texts[0], vectors[0], settled, opinion, language.code)
        judged = (found.fields, vectors[-1], found.novelty, found.reads_like)
        answered = "" if values.is_request else answered_by(ticket)
        return Reading(ticket, text, kind, language, *judged, said, values.values, answered, vectors, settled, opinion)

    def vector_of(self, ticket: Ticket) -> FloatArray | None:
        """Return the vector by which tickets are compared with a requester's others; None for one without a word."""
        words = text_to_classify(read_text(ticket))
        return self.encoder.encode([words])[0] if words.strip() else None

    def find_articles(self, query: str, limit: int, internal: bool) -> list[ArticleHit]:
        """Search the knowledge base; internal articles only where the caller may see them."""
        vector = self.encoder.encode([query[:MAX_ENCODED]])[0]
        hits = self.search.find(query[:MAX_ENCODED], vector, limit, anyone if internal else is_public)
        return [article_hit(hit) for hit in hits]

    def _unread(self, ticket: Ticket, text: TicketText, kind: MessageKind, values: SetValues) -> Reading:
        """Return the reading of a ticket without a word: only what a person set is known."""
        settled = values.settled
        fields = {
            name: by_rule(*settled[name]) if name in settled else undecided(labels)
            for name, labels in self.rules.taxonomy.fields.items()
        }
        said = HistorySaid(set_fields=dict(values.known), outdated=dict(values.outdated))
        nothing = Language(UNKNOWN, 0.0)
        known, answered = values.values, "" if values.is_request else answered_by(ticket)
        return Reading(ticket, text, kind, nothing, fields, None, history=said, set_fields=known, answered=answered)

    def _vectors(self, texts: Sequence[str], recorded: Recorded | None) -> FloatArray:
        """Return unit vectors of shape (texts, dimension): those of the record where there is one that fits."""
        shape = (len(texts), self.encoder.dimension)
        if recorded is not None and recorded.vectors is not None and recorded.vectors.shape == shape:
            return recorded.vectors
        return self.encoder.encode(texts)

    def _history(self, ticket: Ticket, kind: MessageKind, vector: FloatArray, now: datetime) -> HistorySaid:
        """Return what the desk's records say of other tickets; nothing for a message that is no request."""
        if kind.kind != "request":
            return HistorySaid()
        same, count = self._duplicates(ticket, vector, now)
        repeats = self._repeats(ticket, vector, now)
        return HistorySaid(repeat_of=repeats, duplicates=same, duplicate_count=count)

    def _repeats(self, ticket: Ticket, vector: FloatArray, now: datetime) -> tuple[RepeatOf, ...]:
        """Return the requester's other tickets about the same matter, from before they wrote this."""
        rule, until = self.rules.policy.rules.repeat_contact, waiting_since(ticket, now)
        if not rule.on:
            return ()
        contacts = self.history.contacts(ticket, until - timedelta(days=rule.days), until)
        return repeats_of(ticket.id, vector, contacts, until, rule)

    def _duplicates(self, ticket: Ticket, vector: FloatArray, now: datetime) -> tuple[tuple[Duplicate, ...], int]:
        """Return the open tickets that say the same, the most alike first, and how many there are."""
        rule, until = self.rules.policy.duplicates, waiting_since(ticket, now)
        if not rule.on:
            return (), 0
        since = until - timedelta(hours=rule.hours)
        open_tickets = self.history.open_tickets(since, until, vector, rule.similarity)
        own = {contact.ticket_id for contact in self.history.contacts(ticket, since, until)} if open_tickets else set()
        found = duplicates_of(ticket.id, vector, open_tickets, own, rule)
        return found[:MAX_DUPLICATES], len(found)

    def find(self, reading: Reading) -> Outcome:
        """Return what the knowledge base and the past hold for a ticket, and the chance that it answers."""
        if reading.vector is None:
            return Outcome()
        query = text_to_search(reading.text)
        hits = self.search.find(query, reading.vector, SEARCH_DEPTH)
        whole = self._asked(query, query, reading.vector, hits)
        return Outcome(
            hits=hits,
            similar=self.past.similar(query, reading.vector),
            macros=self._macros(reading, query, reading.vector),
            chance=whole.chance,
            asked=(whole, *self._questions(reading.text)),
        )

    def _macros(self, reading: Reading, query: str, vector: FloatArray) -> tuple[MacroHit, ...]:
        """Return the saved replies that may suit, with what the ticket says in their placeholders."""
        known = {CUSTOMER: reading.ticket.requester.name, **reading.ticket.attributes}
        found = self.past.saved(query, vector)
        return tuple(hit.model_copy(update={"text": fill(hit.text, known)}) for hit in found)

    def _questions(self, text: TicketText) -> Iterator[Asked]:
        """Yield the questions of a message that asks several, each with what is found for it."""
        questions = questions_in(text.latest)
        queries = [with_subject(question, text.subject)[:MAX_ENCODED] for question in questions]
        vectors = self.encoder.encode(queries) if queries else ()
        for question, query, vector in zip(questions, queries, vectors, strict=True):
            yield self._asked(question, query, vector, self.search.find(query, vector, SEARCH_DEPTH))

    def _asked(self, words: str, query: str, vector: FloatArray, hits: Sequence[Hit]) -> Asked:
        public = tuple(hit for hit in hits if is_public(hit.document))
        chance = self.answerable.chance(query, public, self.search.lexical.weight_of)
        return Asked(words, vector, public[:DRAFT_DEPTH], chance)

    def _draft_or_reasons(
        self, reading: Reading, found: Outcome
    ) -> tuple[Written | None, Draft | None, tuple[HandoffReason, ...]]:
        public = found.asked[0].hits if found.asked else ()
        to = Addressee(reading.ticket.requester.name, reading.text.subject)
        ready = self._ready_reply(found, to)
        left = unanswered(found.asked[1:], self.rules.policy.rules.several_questions_unanswered.min_chance)
        evidence = replace(
            self._evidence(reading),
            hits=public,
            internal=best_internal(found.hits[:DRAFT_DEPTH]),
            chance=found.chance,
            ready_reply=ready is not None,
            questions=len(found.asked[1:]),
            unanswered=tuple(question.words for question in left),
        )
        reasons = decide_handoff(evidence, self.rules.policy)
        if reasons or ready:
            return found.written, None if reasons else ready, reasons
        matter = Matter(found.asked, left, to, reading.text.everything)
        nothing = Written(None, "there was no public passage to write from")
        written = found.written or (self.writer.write(matter) if public else nothing)
        evidence = replace(evidence, rejected_draft=written.problem, conflict=written.conflict)
        reasons = decide_handoff(evidence, self.rules.policy)
        if written.draft is None:
            # Where every rule is switched off and there is still nothing to show, a person takes over all the same.
            return written, None, reasons or (no_draft(written.problem),)
        return written, None if reasons else self.writer.improve(written.draft, matter), reasons

    def _ready_reply(self, found: Outcome, to: Addressee) -> Draft | None:
        """Return a draft from what the desk wrote before, where no article answers and one thing is asked."""
        settings, rule = self.rules.settings.drafting, self.rules.policy.rules.no_supporting_article
        if len(found.asked) != 1 or found.chance is None or found.chance >= rule.min_chance:
            return None
        macros = found.macros if settings.macros else ()
        likeness = (settings.macro_similarity, settings.past_similarity)
        return from_saved(Saved(macros, found.similar, *likeness, settings.past_replies), to, self.writer.voice)

    def _evidence(self, reading: Reading) -> Evidence:
        return Evidence(
            kind=reading.kind.kind,
            text=reading.text,
            language=reading.language,
            desk_languages=self.rules.settings.languages,
            fields=reading.fields,
            novelty=reading.novelty,
            reads_like=reading.reads_like,
            repeats=reading.history.repeat_of,
            tags=frozenset((*reading.ticket.requester.tags, *reading.ticket.tags)),
        )

    def suggestion(
        self, reading: Reading, outcome: Outcome, suggestion_id: str, now: datetime, laps: Mapping[str, float]
    ) -> Suggestion:
        """Return a reading and what came of it in the shape of the wire; laps: seconds by step."""
        route = route_of(reading, outcome, self.rules, self.calendar, now)
        return Suggestion(
            id=suggestion_id,
            ticket_id=reading.ticket.id,
            kind=reading.kind.kind,
            kind_evidence=reading.kind.evidence,
            answered=reading.answered or None,
            language=reading.language.code,
            fields=dict(reading.fields),
            novelty=reading.novelty.chance if reading.novelty else None,
            answerability=None if outcome.chance is None else round(outcome.chance, 4),
            due=due_of(reading, self.rules, self.calendar, now),
            disposition=disposition(reading, outcome),
            articles=articles_of(outcome.hits),
            similar=outcome.similar,
            macros=outcome.macros,
            draft=outcome.draft,
            handoff=handoff_of(reading, outcome, route),
            route=route,
            history=history_of(reading),
            versions=self.versions,
            timing_ms={name: round(seconds * 1000, 2) for name, seconds in laps.items()},
        )

    @cached_property
    def writer(self) -> Writer:
        """What drafts are written by."""
        settings, similarity = self.rules.settings, self.rules.policy.rules.conflicting_articles.similarity
        voice = Voice(**settings.drafting.model_dump(include=set(Voice.__dataclass_fields__)))
        seconds = settings.drafting.model.seconds if settings.drafting.model else GENERATION_SECONDS
        return Writer(settings.name, voice, self.encoder, similarity, self.generator, seconds)

    @cached_property
    def calendar(self) -> Calendar:
        """The desk's business hours."""
        return self.rules.settings.calendar


class Clock:
    """Measures the steps of one ticket, in seconds."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._last = timer()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """End a step."""
        now = self._timer()
        self.laps[name], self._last = now - self._last, now


def text_to_classify(text: TicketText) -> str:
    """Return what the classifier sees: all of the customer's words, as far as the encoder can use them."""
    return text.everything[:MAX_ENCODED]


def text_to_search(text: TicketText) -> str:
    """Return what is searched for: the subject and the newest message."""
    return text.question[:MAX_ENCODED]
