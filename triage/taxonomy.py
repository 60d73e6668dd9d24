"""The fields of a desk and their labels: what they mean, and what hangs on them."""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from triage.business_hours import BusinessHours
from triage.priority_matrix import PriorityMatrix
from triage.toml_files import FileModel, read_toml

#: Fields that every desk has.
REQUIRED_FIELDS = ("category", "priority", "team")


#: What expectations and measurements are called; a field of the same name could not be told from them.
TAKEN_NAMES = frozenset(
    ("kind", "articles", "answerable", "handoff", "handoff_reasons", "reply", "retrieval", "draft", "latency")
)


class Label(FileModel):
    """One value of a field. Description and examples teach the classifier before there is any history."""

    description: str = Field(min_length=1)
    examples: tuple[str, ...] = ()


class Team(Label):
    """A label of the field `team`: tier 1 answers first; `next` is where it escalates, `escalation` whom to ask.

    hours: when it is there, else in the desk's hours; skills: what a routing rule may ask for.
    """

    tier: int = Field(default=1, ge=1, le=9)
    hours: BusinessHours | None = None
    skills: tuple[str, ...] = ()
    next: str | None = None
    escalation: str | None = None

    @field_validator("hours", mode="before")
    @classmethod
    def _parse_hours(cls, value: Any) -> Any:
        return BusinessHours.parse(value) if isinstance(value, Mapping) else value


class TaxonomyField(FileModel):
    """A field with its labels, in the order of the file."""

    description: str = ""
    labels: dict[str, Label] = Field(min_length=1)


class PriorityField(TaxonomyField):
    """The field `priority`.

    order: its labels, the most pressing first; matrix: what impact and urgency make of it; vip_tags: the requesters'
    tags that count as impact.
    """

    order: tuple[str, ...] = ()
    matrix: PriorityMatrix | None = None
    vip_tags: tuple[str, ...] = ("vip",)

    @model_validator(mode="after")
    def _labels_exist(self) -> "PriorityField":
        labels = ", ".join(self.labels)
        if self.order and sorted(self.order) != sorted(self.labels):
            raise ValueError(f"order must name each label once, the most pressing first: {labels}")
        unknown = [label for label in (self.matrix.labels if self.matrix else ()) if label not in self.labels]
        if unknown:
            raise ValueError(f"the matrix names {unknown[0]!r}, which is no priority; use {labels}")
        return self


class TeamField(FileModel):
    """The field `team`."""

    description: str = ""
    labels: dict[str, Team] = Field(min_length=1)


class Taxonomy(FileModel):
    """All fields of a desk; `category`, `priority` and `team` always."""

    category: TaxonomyField
    priority: PriorityField
    team: TeamField
    more: dict[str, TaxonomyField] = {}

    @model_validator(mode="before")
    @classmethod
    def _gather_further_fields(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        given = values.get("more")
        if isinstance(given, dict) and "labels" in given and set(given) <= set(TaxonomyField.model_fields):
            raise ValueError("a field cannot be called 'more', which stands for all others; rename it")
        if "more" in values:
            return values
        further = {name: value for name, value in values.items() if name not in REQUIRED_FIELDS}
        return {name: value for name, value in values.items() if name in REQUIRED_FIELDS} | {"more": further}

    @field_validator("more")
    @classmethod
    def _no_other_meaning(cls, value: dict[str, TaxonomyField]) -> dict[str, TaxonomyField]:
        if taken := sorted(set(value) & TAKEN_NAMES):
            raise ValueError(f"a field cannot be called {taken[0]!r}, which stands for something else; rename it")
        return value

    @model_validator(mode="after")
    def _next_teams_exist(self) -> "Taxonomy":
        for name, team in self.team.labels.items():
            if team.next is not None and team.next not in self.team.labels:
                raise ValueError(f"team {name} names {team.next!r} as next, which is no team")
        for name in self.team.labels:
            path = [name]
            while (following := self.team.labels[path[-1]].next) is not None:
                if following in path:
                    circle = " -> ".join([*path[path.index(following) :], following])
                    raise ValueError(
                        f"the teams lead back to themselves ({circle}); end the path with one without next"
                    )
                path.append(following)
        return self

    @property
    def fields(self) -> dict[str, dict[str, Label]]:
        """Labels by field, in file order."""
        return {
            "category": dict(self.category.labels),
            "priority": dict(self.priority.labels),
            "team": dict(self.team.labels),
            **{name: dict(field.labels) for name, field in self.more.items()},
        }

    def problem_with(self, field: str, label: str) -> tuple[str, str] | None:
        """Return (problem, remedy) where a field or label is unknown, else None."""
        if field not in self.fields:
            return f"unknown field {field!r}", f"use one of {', '.join(self.fields)}, or add it to taxonomy.toml"
        if label not in self.fields[field]:
            labels = ", ".join(self.fields[field])
            return f"unknown {field} {label!r}", f"use one of {labels}, or add it to taxonomy.toml"
        return None

    def problem_with_skills(self, skills: Collection[str]) -> tuple[str, str] | None:
        """Return (problem, remedy) where no team has a skill, or none has all of them, else None."""
        known = dict.fromkeys(skill for team in self.team.labels.values() for skill in team.skills)
        unknown = [skill for skill in skills if skill not in known]
        if unknown:
            use = f"use one of {', '.join(known)}, or add" if known else "add"
            return f"unknown skill {unknown[0]!r}", f"{use} it to the skills of a team in taxonomy.toml"
        if not any(set(skills) <= set(team.skills) for team in self.team.labels.values()):
            return f"no team has all the skills {', '.join(skills)}", "add them to one team, or split the rule"
        return None


def read_taxonomy(path: Path) -> Taxonomy:
    """Read ``taxonomy.toml``; raise `DeskFileError`."""
    return read_toml(path, Taxonomy)


def version_of(path: Path) -> str:
    """Return the version of a rule file: "sha256:" and the first 12 hex digits of its bytes' hash."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
