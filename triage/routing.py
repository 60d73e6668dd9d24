"""The desk's own rules, asked before the model: ordered, first match per field wins, each shown as a factor."""

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, model_validator

from triage.cleaning import TicketText, normalise
from triage.tickets import Ticket
from triage.toml_files import FileModel, read_toml


class RoutingRule(FileModel):
    """All conditions that are given must hold; the fields in `set` are then decided.

    keywords: any of these words or phrases, whole words, case folded. tag: of the ticket. segment: a requester tag.
    skills: what the team that takes the ticket must be able to do, all of them.
    """

    name: str = Field(min_length=1)
    keywords: tuple[str, ...] = ()
    tag: str | None = None
    segment: str | None = None
    channel: str | None = None
    set: dict[str, str] = {}
    skills: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_condition(self) -> "RoutingRule":
        given = [*self.keywords, *(value for value in (self.tag, self.segment, self.channel) if value is not None)]
        if not given or not all(value.strip() for value in given):
            raise ValueError("a rule needs keywords, tag, segment or channel, and none of them blank")
        if not self.set and not self.skills:
            raise ValueError("a rule needs set, skills or both; without either it does nothing")
        return self

    def evidence(self, ticket: Ticket, text: TicketText) -> str | None:
        """Return what made the rule fire, or None."""
        found: list[str] = []
        for wanted, has, what in (
            (self.tag, ticket.tags, "tag"),
            (self.segment, ticket.requester.tags, "segment"),
            (self.channel, (ticket.channel or "",), "channel"),
        ):
            if wanted is not None:
                if wanted not in has:
                    return None
                found.append(f"{what} {wanted}")
        if self.keywords:
            words = "|".join(r"\s+".join(map(re.escape, _folded(keyword).split())) for keyword in self.keywords)
            match = re.search(rf"(?<!\w)(?:{words})(?!\w)", _folded(text.everything), re.I)
            if match is None:
                return None
            found.append(" ".join(match.group().split()))
        return "; ".join(found)


def _folded(text: str) -> str:
    return normalise(text).replace("’", "'").replace("‘", "'")


class Routing(FileModel):
    """The rules in order."""

    rules: tuple[RoutingRule, ...] = ()

    def decide(self, ticket: Ticket, text: TicketText) -> Mapping[str, tuple[str, str, str]]:
        """Return (label, rule name, evidence) for each field that a rule decides."""
        decided: dict[str, tuple[str, str, str]] = {}
        for rule in self.rules:
            if not rule.set.keys() <= decided.keys():
                evidence = rule.evidence(ticket, text)
                if evidence is not None:
                    decided = {field: (label, rule.name, evidence) for field, label in rule.set.items()} | decided
        return decided

    def needs(self, ticket: Ticket, text: TicketText) -> Mapping[str, str]:
        """Return the skills that the ticket asks for, each with the name of the first rule that says so."""
        asked: dict[str, str] = {}
        for rule in self.rules:
            if not set(rule.skills) <= asked.keys() and rule.evidence(ticket, text) is not None:
                asked = dict.fromkeys(rule.skills, rule.name) | asked
        return asked


def read_routing(path: Path) -> Routing:
    """Read ``routing.toml``; a desk without the file has no rules. Raises `DeskFileError`."""
    return read_toml(path, Routing) if path.exists() else Routing()


def skills_of(routing: Routing) -> list[tuple[int, tuple[str, ...]]]:
    """Return (rule number from 1, skills) of every rule that asks for some, for checking against the taxonomy."""
    return [(number, rule.skills) for number, rule in enumerate(routing.rules, 1) if rule.skills]


def settings_of(routing: Routing) -> list[tuple[int, str, str]]:
    """Return (rule number from 1, field, label) of everything the rules may set, for checking against the taxonomy."""
    return [(number, field, label) for number, rule in enumerate(routing.rules, 1) for field, label in rule.set.items()]
