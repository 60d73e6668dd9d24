"""The rule files of a desk that is made from data."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from triage.taxonomy import REQUIRED_FIELDS

#: The one label of a field that the data does not have.
ONLY_LABEL = {"category": "question", "priority": "normal", "team": "everyone"}
#: Priorities for which a person should look first, most pressing first. "high" is none: it is often a third of a queue.
PRESSING = ("emergency", "critical", "urgent", "blocker")
MAX_ERROR = 0.05
PROPOSED = "# proposed: please correct"

#: What the maker of a desk of their own should know can be set.
MORE_SETTINGS = """
# timezone = "Europe/London"
# hours = { mon-fri = "09:00-17:00" }
# holidays = [2026-12-25]

# Working hours until the first reply and until a solution, by priority.
# [sla]
# normal = { respond_hours = 8, resolve_hours = 30 }

# [drafting]
# greeting = "Hello {name},"
# signature = "Kind regards,\\nyour support"
"""
NO_RULES = "# The data names no rules: all is left to the classifier.\n"
EXAMPLE_RULE = """# Rules that are asked before the classifier, in order; the first that sets a field wins.

# [[rules]]
# name = "outage"
# keywords = ["nobody can log in", "everything is down"]
# set = { priority = "…" }
"""


def fields_of(fields: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Return the fields of a desk: those that all desks have (with one label where the data has none), then more."""
    required = {name: fields.get(name) or (ONLY_LABEL[name],) for name in REQUIRED_FIELDS}
    return required | {name: labels for name, labels in fields.items() if name not in required and labels}


def desk_toml(desk_id: str, name: str, languages: Sequence[str]) -> str:
    """Return ``desk.toml``; hours, time zone, encoder and voice are the defaults."""
    spoken = ", ".join(map(toml_text, languages))
    return f"id = {toml_text(desk_id)}\nname = {toml_text(name)}\nlanguages = [{spoken}]\n"


def taxonomy_toml(
    fields: Mapping[str, Sequence[str]], proposed: Mapping[str, Mapping[str, str]] = MappingProxyType({})
) -> str:
    """Return ``taxonomy.toml``; a label's description is what is proposed for it, marked so, or the label in words."""
    tables = [
        f"[{toml_key(field)}.labels.{toml_key(label)}]\n{_description(label, proposed.get(field, {}).get(label))}\n"
        for field, labels in fields.items()
        for label in labels
    ]
    return "\n".join(tables)


def policy_toml(fields: Mapping[str, Sequence[str]], has_history: bool = True) -> str:
    """Return ``policy.toml``: every field may err on 5 % of what it decides.

    A draft needs the category, where there are several and a history to decide it from. A pressing priority is handed
    off, where the data names one.
    """
    errors = "".join(f"{toml_key(field)} = {{ max_error = {MAX_ERROR} }}\n" for field in fields)
    needs = '["category"]' if has_history and len(fields["category"]) > 1 else "[]"
    named = {label.casefold(): label for label in reversed(fields["priority"])}
    pressing = next((named[word] for word in PRESSING if word in named), None)
    label, on = (fields["priority"][0], "false") if pressing is None else (pressing, "true")
    urgent = f"[rules.urgent_priority]\non = {on}\nlabel = {toml_text(label)}\n"
    return f"[fields]\n{errors}\n[draft]\nneeds = {needs}\n\n{urgent}"


def _description(label: str, proposed: str | None) -> str:
    if proposed is None:
        return f"description = {toml_text(in_words(label))}"
    return f"description = {toml_text(proposed)}  {PROPOSED}"


def in_words(label: str) -> str:
    """Return a label as words: "card_arrival" is "card arrival"."""
    return " ".join(label.replace("_", " ").split()) or label


def plain_letters(text: str) -> str:
    """Return a text in lower case and without accents: "Priorität" is "prioritat"."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def toml_key(name: str) -> str:
    """Return a TOML key, quoted where it must be."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_text(name)


def toml_text(text: str) -> str:
    """Return a TOML basic string.

    JSON's escapes are TOML's; but TOML takes no surrogate pairs, hence no ASCII, and wants DEL escaped.
    """
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
