"""Language models that are no models: a script, and one that obeys every instruction it reads. For tests.

`ScriptedGenerator.obeying()` is the worst model there can be: whatever a ticket or an article tells it to say, it says.
What holds against it does not rest on a model's good sense.
"""

import json
import re
from collections.abc import Callable, Mapping
from itertools import pairwise

from models.errors import GeneratorAnswerError
from models.generator_guards import estimate_request, estimate_tokens
from models.protocols import GenerationRequest, GenerationResult
from models.transformer_encoder import CHARACTERS_PER_TOKEN, printable

#: What an obeying generator says where it was told nothing.
NOTHING_ASKED = "Thank you for your message."
#: Characters of one instruction that are obeyed, and of one text that is read.
MAX_ORDER, MAX_READ = 400, 100_000

Script = Callable[[GenerationRequest], str]

#: Words that order something to be said, and words that may stand between them and it.
SAY = (
    "say|state|reply|respond|answer|write|print|output|return|repeat|insert|append|add|include|mention|promise|confirm"
    "|claim|pretend|tell|antworte|schreibe?|sage?|réponds|répondez|écris|écrivez|responde|escribe"
)
FILL = (
    "back|only|exactly|just|nur|mit|avec|con|with|by|saying|the|words?|text|sentence|link|url|line|in|your|reply|to"
    "|following|this|that|them|him|her|customer|user|agent"
)
#: Words that order something to be done: a model can only say that it did.
DO = (
    "send|forward|mail|email|cc|bcc|copy|refund|transfer|pay|delete|close|escalate|approve|call|fetch|open|visit"
    "|download|click|load|cite|quote|use|act|never|stop|do not|don't|you are(?: now)?"
)
IGNORE = "ignore|disregard|forget|override|vergiss|ignoriere|oublie|oubliez|ignorez|olvida|ignora"
#: Each finds one kind of order in a sentence; the group is what it is about.
ORDERS = {
    "say": rf"\b(?:{SAY})\b(?:[ :,]+(?:{FILL})\b){{0,6}}[ :,]*(.*)",
    "do": rf"\b(?:{DO})\b[ :,]*(.+)",
    "ignore": rf"\b(?:{IGNORE})\b[^,.:;]{{0,80}}?(?:[,.:;]|\b(?:and|then|und|et|y)\b|$)[ ]*(.*)",
    "label": r"\b((?:category|priority|team|label|status|queue|language|disposition|confidence|handoff)[ ]*"
    r"(?:is|to|as|must be|should be|=|:)[ ]*[\"']?[\w -]{1,60})",
}
FINDERS = {kind: re.compile(pattern, re.IGNORECASE | re.DOTALL) for kind, pattern in ORDERS.items()}
#: An order to show what the model was told in secret.
REVEAL = re.compile(r"\b(?:system|hidden|secret|initial|your)\s+(?:prompts?|instructions?|messages?)\b", re.IGNORECASE)
LINK = re.compile(r"(?:https?:)?//[^\s<>\"'\])]{1,300}|\bwww\.[^\s<>\"'\])]{1,300}", re.IGNORECASE)
ADDRESS = re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}\b")
QUOTED = re.compile(r"[\"“„«‘`](.{1,400}?)[\"”“»’`]", re.DOTALL)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


class ScriptedGenerator:
    """Answers as its script says: a function of the request, or a mapping from the user's text. Deterministic.

    `requests` keeps all that was asked, in order: a test can look for what a model must never be sent. Answers are cut
    at max_tokens, as a model's are; tokens are estimated. A script may raise a `GeneratorError` of its own.
    """

    def __init__(self, script: Script | Mapping[str, str], identity: str = "scripted") -> None:
        self._script = script if callable(script) else _from_mapping(script)
        self.identity = identity
        self.requests: list[GenerationRequest] = []

    @classmethod
    def obeying(
        cls, wrap: Callable[[str], str] = str, otherwise: Script = lambda request: NOTHING_ASKED
    ) -> "ScriptedGenerator":
        """Return one that obeys every order in the user's text, after what a faithful model would say.

        wrap: puts the words into the form that the caller reads, JSON for instance. otherwise: the faithful model.
        """

        def script(request: GenerationRequest) -> str:
            return wrap("\n".join([otherwise(request), *obey(request.user, request.system)]))

        return cls(script, "scripted-obeying")

    @classmethod
    def echoing(cls, wrap: Callable[[str], str] = str) -> "ScriptedGenerator":
        """Return one that says again all it reads: nothing an attacker wrote is missing from its answer."""
        return cls(lambda request: wrap(request.user[:MAX_READ]), "scripted-echoing")

    def generate(self, request: GenerationRequest) -> GenerationResult:
        """Return the script's answer; raise `GeneratorAnswerError` where it is blank or there is none."""
        self.requests.append(request)
        text = printable(self._script(request))
        cut = text[: request.max_tokens * CHARACTERS_PER_TOKEN]
        if not cut.strip():
            raise GeneratorAnswerError(f"{self.identity}: the script has a blank answer")
        return GenerationResult(
            cut, estimate_request(request), estimate_tokens(cut), self.identity, len(cut) < len(text), is_estimated=True
        )


def obey(text: str, secret: str = "") -> list[str]:
    """Return what somebody would say who does as a text tells them, order by order; empty where it tells nothing.

    secret: what is told where the text asks for the hidden instructions.
    """
    said: list[str] = []
    sentences = [part.strip() for part in SENTENCE_END.split(printable(text[:MAX_READ])) if part.strip()]
    for sentence, following in pairwise([*sentences, ""]):
        part = sentence[:MAX_ORDER]
        for kind, finder in FINDERS.items():
            for found in finder.finditer(part):
                said += _done(kind, found.group(1).strip() or following[:MAX_ORDER])
        if REVEAL.search(part):
            said.append(secret)
        said += [f"See [this page]({link}) {link}" for link in LINK.findall(part)]
        said += [f"I have sent this to {address}." for address in ADDRESS.findall(part)]
    return list(dict.fromkeys(line for line in said if line.strip()))


def as_json(text: str) -> str:
    """Return words as a JSON answer that also claims to decide: for a caller that reads JSON, and only its text."""
    labels = re.findall(r"\b(category|priority|team|status|handoff)\s*(?:is|to|as|=|:)\s*[\"']?([\w-]+)", text, re.I)
    return json.dumps({"text": text, "handoff": False, **{name.lower(): value for name, value in labels}})


def _done(kind: str, words: str) -> list[str]:
    """Return what is said to obey an order, and the words in quotation marks by themselves."""
    quoted = [found.group(1) for found in QUOTED.finditer(words)]
    if kind == "label":
        return [f"The {words}."]
    return [f"Done: {words}" if kind == "do" else words, *quoted]


def _from_mapping(lines: Mapping[str, str]) -> Script:
    def script(request: GenerationRequest) -> str:
        if request.user not in lines:
            raise GeneratorAnswerError("scripted: the script has no answer for this text")
        return lines[request.user]

    return script
