"""Writes a draft, with a language model where there is one and without where it fails, and holds it to its sources."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from models.errors import GeneratorError
from models.protocols import GENERATION_SECONDS, TextEncoder, TextGenerator
from models.recent_vectors import RecentVectors
from retrieval.documents import Hit
from triage.drafting.asked import Asked
from triage.drafting.compose import Addressee, Voice, compose
from triage.drafting.conflicts import Conflict, find_conflict
from triage.drafting.generate import MOST_PASSAGES, Brief, generate
from triage.drafting.support import SupportCheck, check_draft
from triage.suggestions import Draft

log = logging.getLogger("firstline")


@dataclass(frozen=True)
class Matter:
    """What a reply is about: the whole message and its questions, those without an answer, and the customer's words.

    asked: the message first, its passages public and at least one, then its questions where it asks several.
    """

    asked: tuple[Asked, ...]
    unanswered: tuple[Asked, ...]
    to: Addressee
    ticket: str

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The passages found for the whole message."""
        return self.asked[0].hits


@dataclass(frozen=True)
class Written:
    """A draft that stands, or the problem with the one that did not; conflict: an article that says otherwise."""

    draft: Draft | None
    problem: str | None = None
    conflict: Conflict | None = None


@dataclass(frozen=True)
class Writer:
    """Drafts for one desk; safe from many threads. similarity: see `find_conflict`."""

    desk: str
    voice: Voice
    encoder: TextEncoder
    similarity: float
    generator: TextGenerator | None = None
    seconds: float = GENERATION_SECONDS
    notify: Callable[[str], None] = log.warning

    def write(self, matter: Matter) -> Written:
        """Return a draft that quotes the articles, whose every fact stands there, or why there is none.

        Whether a person takes over is decided by this one: no model has a say in it.
        """
        written, cited = compose(matter.asked, matter.to, self.voice, self._known, matter.unanswered)
        draft, problem = check_draft(written, SupportCheck(cited, self._known, self.encoder.encode, matter.ticket))
        if draft is None:
            return Written(None, problem)
        return Written(draft, None, find_conflict(draft.sentences, matter.hits, self._known, self.similarity))

    def improve(self, draft: Draft, matter: Matter) -> Draft:
        """Return a language model's draft where there is a model and what it writes stands, else the one given.

        A warning tells that the model failed, or that too little of its words stood in the passages.
        """
        if self.generator is None:
            return draft
        proposed, warnings = self._proposed(matter, self.generator)
        return proposed or draft.model_copy(update={"warnings": (*draft.warnings, *warnings)})

    def _proposed(self, matter: Matter, generator: TextGenerator) -> tuple[Draft | None, tuple[str, ...]]:
        """Return what of a model's draft stands, or None and the warning that says why not."""
        hits = matter.hits[:MOST_PASSAGES]
        try:
            proposed = generate(Brief(self.desk, matter.ticket, hits, matter.to), self.voice, generator, self.seconds)
        except GeneratorError as error:
            self.notify(f"{type(error).__name__}: {error}")
            return None, ("model_unavailable",)
        draft, _ = check_draft(proposed, SupportCheck(hits, self._known, self.encoder.encode, matter.ticket))
        return (draft, ()) if draft else (None, ("model_unsupported",))

    @cached_property
    def _known(self) -> RecentVectors:
        """Vectors of the parts of articles."""
        return RecentVectors(self.encoder)
