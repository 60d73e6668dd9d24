"""Writes the reference of handoff reasons and of measures out of the code: ``python -m eval.reference``."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eval.metrics.all_metrics import all_metrics
from triage.drafting.handoff import HANDOFF_RULES
from triage.drafting.policy import RulePolicy, Rules

#: Stand for all fields, and for all reasons.
FIELD, REASON = "<field>", "<reason>"

HANDOFF_HEAD = """# Handoff reasons

Made from the code (`make reference`). A ticket goes to a person where any of these rules fires; all that fire are
shown, the gravest first, each with its evidence and with what would have changed it. Each can be set in `policy.toml`,
under `[rules.<reason>]`: `on`, `severity` (`critical`, `high`, `medium`, `low`), and `team`, the team that takes over
instead of the predicted one.

| reason | fires where | severity |
|---|---|---|
"""
MEASURES_HEAD = """# Measures

Made from the code (`make reference`). What `firstline eval run` measures, each with a 95 % interval and the number of
cases that it counts; what a case does not settle is not counted. See [measuring](../measuring.md).

| measure | says | better |
|---|---|---|
"""


def handoff_page() -> str:
    """Return the page of handoff reasons: what each means, how grave it is, and what a desk can set."""
    rules: dict[str, RulePolicy] = {code: Rules.model_fields[code].default for code in HANDOFF_RULES}
    table = [f"| [`{code}`](#{code}) | {_meaning(rule)[0]} | {rule.severity} |" for code, rule in rules.items()]
    sections = (line for code, rule in rules.items() for line in _section(code, rule))
    return HANDOFF_HEAD + "\n".join([*table, *sections]) + "\n"


def measures_page() -> str:
    """Return the page of what an evaluation measures."""
    rows: dict[str, str] = {}
    for metric in all_metrics({FIELD: ("one",)}):
        name = re.sub(rf"^handoff\.(?:{'|'.join(HANDOFF_RULES)})\.", f"handoff.{REASON}.", metric.name)
        rows[name] = f"| `{name}` | {metric.means} | {'lower' if metric.lower_is_better else 'higher'} |\n"
    return MEASURES_HEAD + "".join(rows.values())


def _section(code: str, rule: RulePolicy) -> Iterator[str]:
    """Yield a rule's lines; its docstring says what it means, then what its settings do, then what else is to say."""
    first, *others = _meaning(rule)
    own = [name for name in type(rule).model_fields if name not in RulePolicy.model_fields]
    told = others.pop(0) if own else ""
    yield from ("", f"## {code}", "", f"{first}.")
    if own:
        yield from ("", "| setting | default | means |", "|---|---|---|")
    for name in own:
        # "days: so far back; similarity: …", as the docstring of the rule says it.
        found = re.search(rf"\b{name}: (.*?)(?:; \w+: |\.$)", told)
        if found is None:
            raise LookupError(f"the docstring of {type(rule).__name__} does not say what {name} means")
        yield f"| `{name}` | {_shown(getattr(rule, name))} | {found[1]} |"
    for paragraph in others:
        yield from ("", paragraph)


def _meaning(rule: RulePolicy) -> list[str]:
    """Return the paragraphs of what a rule says of itself, the first without its full stop."""
    first, *others = (" ".join(part.split()) for part in (type(rule).__doc__ or "").strip().split("\n\n"))
    return [first.rstrip("."), *others]


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"`{part}`" for part in value)
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


PAGES = {"handoff-reasons.md": handoff_page, "measures.md": measures_page}

if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference")
    folder.mkdir(parents=True, exist_ok=True)
    for file, page in PAGES.items():
        (folder / file).write_text(page(), encoding="utf-8")
