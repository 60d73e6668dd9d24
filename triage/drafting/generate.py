"""The writer with a language model: its words are a proposal, and pass the same checks as any others.

The prompt is a versioned file; ticket and passages are marked as material in it. Personal data of the ticket becomes
placeholders before it leaves, and comes back afterwards. What the model says of its sources counts for nothing.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.errors import GeneratorAnswerError
from models.protocols import GENERATION_SECONDS, GenerationRequest, TextGenerator
from retrieval.documents import Hit
from triage.cleaning import normalise
from triage.drafting.clauses import LANGUAGES, find_wording
from triage.drafting.compose import STEP, Addressee, Voice, greeting, lay_out, within
from triage.drafting.redaction import NOTHING, Redactions, redact, restore
from triage.suggestions import Draft, DraftSentence

PROMPT = "reply-1"
#: So many passages go into the prompt, so much of a ticket, and so long a sentence comes back.
MOST_PASSAGES, MOST_TICKET, LONGEST_SENTENCE, MOST_SENTENCES = 6, 4_000, 600, 30
#: Tokens of an answer for each word that a reply may have: JSON and the sources take their share.
TOKENS_PER_WORD = 4
#: How often over a model may write what it was asked for; of what is longer, the rest is not read.
MOST_OVER = 2
#: Where a sentence may end, whatever comes next; what is no longer than this is only shortened by its stop.
SENTENCE_GAP = re.compile(r"(?<=[.!?…])[\"”’)]{0,3}\s+")
SHORT_PART = 5
#: What could be taken for the prompt's own marks.
MARK = re.compile(r"</?\s{0,20}(?:ticket|passage)\b[^<>]{0,400}>?", re.I)


class _Sentence(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    text: str = Field(min_length=1, max_length=LONGEST_SENTENCE)
    passages: tuple[int, ...] = ()


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    sentences: tuple[_Sentence, ...] = Field(max_length=MOST_SENTENCES)


SCHEMA = json.dumps(_Answer.model_json_schema())


@dataclass(frozen=True)
class Brief:
    """What a model is asked to write about. ticket: the customer's words; hits: public passages, best first."""

    desk: str
    ticket: str
    hits: tuple[Hit, ...]
    to: Addressee


def generate(brief: Brief, voice: Voice, generator: TextGenerator, seconds: float = GENERATION_SECONDS) -> Draft:
    """Return the model's draft, unchecked. Raises `GeneratorError` where there is none or it cannot be read.

    Names and other personal data of the ticket leave as placeholders; a sentence with a placeholder that was never
    given out, with the prompt's own marks, or that gives orders to a machine, is left out.
    """
    ticket, known = redact(brief.ticket[:MOST_TICKET], NOTHING, [brief.to.name] if brief.to.name else [])
    request = request_for(brief, ticket, voice, seconds)
    answer = read_answer(generator.generate(request).text)
    parts = list(_readable(answer, known))
    facts = [
        DraftSentence(text=one, role="fact", starts_line=bool(STEP.match(one)) or not at)
        for at, one in enumerate(parts)
    ]
    sentences = within(facts, voice.max_words * MOST_OVER)
    if not sentences:
        raise GeneratorAnswerError("the model wrote nothing; the draft is made from the articles without it")
    around = [
        DraftSentence(text=greeting(brief.to.name, voice), role="greeting"),
        *sentences,
        *(DraftSentence(text=text, role="closing") for text in (voice.closing, voice.signature) if text),
    ]
    return Draft(text=lay_out(around), sentences=tuple(around), source="model")


def _readable(answer: _Answer, known: Redactions) -> Iterator[str]:
    """Yield the sentences of an answer, with personal data put back, that may be checked at all."""
    for sentence in answer.sentences:
        restored = restore(sentence.text, known)
        text = " ".join(normalise(restored.text).split())
        if not restored.unknown and len(text) <= LONGEST_SENTENCE and not MARK.search(text):
            yield from (part for part in one_by_one(text) if not _gives_orders(part))


def _gives_orders(sentence: str) -> bool:
    return any(True for _ in find_wording(sentence, "hostile_instructions", LANGUAGES))


def one_by_one(text: str) -> list[str]:
    """Return the sentences that a model gave as one: each must stand by itself, and none may hide behind another."""
    parts: list[str] = []
    for part in filter(None, SENTENCE_GAP.split(text)):
        if parts and len(parts[-1]) <= SHORT_PART:  # "1." or "e.g." is none
            parts[-1] += f" {part}"
        else:
            parts.append(part)
    return parts


def request_for(brief: Brief, ticket: str, voice: Voice, seconds: float) -> GenerationRequest:
    """Return what a model is asked; ticket: without personal data."""
    system, user = prompt(PROMPT)
    passages = "\n\n".join(
        f'<passage number="{number}" article="{material(hit.document.title)}">\n{material(hit.passage.text)}\n'
        "</passage>"
        for number, hit in enumerate(brief.hits[:MOST_PASSAGES], 1)
    )
    return GenerationRequest(
        system=system.substitute(desk=material(brief.desk), max_words=voice.max_words),
        user=user.substitute(ticket=material(ticket), passages=passages),
        max_tokens=voice.max_words * TOKENS_PER_WORD,
        deadline_seconds=seconds,
        schema=SCHEMA,
        accept=read_answer,
    )


def material(text: str) -> str:
    """Return a text that cannot end the marks around it."""
    return MARK.sub(" ", normalise(text)).replace('"', "”")


def read_answer(text: str) -> _Answer:
    """Return what a model answered, in a fence or without; raise `GeneratorAnswerError` for anything else."""
    plain = text.strip()
    if plain.startswith("```") and plain.endswith("```"):
        plain = plain[3:-3].removeprefix("json")
    try:
        return _Answer.model_validate_json(plain.strip())
    except ValidationError as error:
        raise GeneratorAnswerError("the model did not answer with sentences as JSON; try another model") from error


@cache
def prompt(name: str) -> tuple[Template, Template]:
    """Return the system and the user part of a prompt that ships with Firstline."""
    folder = Path(__file__).with_name("prompts")
    system, user = ((folder / f"{name}.{part}.txt").read_text(encoding="utf-8") for part in ("system", "user"))
    return Template(system), Template(user)
