"""Checks a desk's rule files against each other: what one of them names, the taxonomy must have."""

from collections.abc import Collection
from pathlib import Path

from triage.drafting.policy import Policy
from triage.errors import DeskFileError
from triage.routing import Routing, settings_of, skills_of
from triage.taxonomy import Taxonomy
from triage.toml_files import line_of


def check_mentions(
    folder: Path, priorities: Collection[str], taxonomy: Taxonomy, policy: Policy, routing: Routing
) -> None:
    """Raise `DeskFileError` for a field, label or skill that a file names and the taxonomy does not have.

    priorities: those that ``desk.toml`` gives an SLA target.
    """
    mentions = [
        *(("routing.toml", f"rules.{n - 1}.set.{field}", field, label) for n, field, label in settings_of(routing)),
        *(("policy.toml", key, field, label) for key, field, label in policy.mentions()),
        *(("desk.toml", f"sla.{priority}", "priority", priority) for priority in priorities),
    ]
    for name, key, field, label in mentions:
        known = next(iter(taxonomy.fields.get(field, {"": None})))
        if problem := taxonomy.problem_with(field, label if label is not None else known):
            raise _fault(folder / name, key, *problem)
    for number, skills in skills_of(routing):
        if problem := taxonomy.problem_with_skills(skills):
            raise _fault(folder / "routing.toml", f"rules.{number - 1}.skills", *problem)


def _fault(path: Path, key: str, problem: str, remedy: str) -> DeskFileError:
    return DeskFileError(path, line_of(path.read_text(encoding="utf-8"), key.split(".")), problem, remedy)
