"""What labels that are only codes may stand for: the words that tell their tickets from the others."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from eval.loaders.rule_files import in_words
from triage.telling_words import telling_words

#: Words that say no more than that a code follows.
EMPTY_WORDS = (
    "cat|category|categories|kat|kategorie|label|class|klasse|type|typ|art|group|gruppe|queue|team|topic|thema|intent"
    "|code|number|nummer|no|nr|id|bucket|cluster|prio|priority"
)
CODE = re.compile(rf"(?:(?:{EMPTY_WORDS}|[^\W\d_]{{0,3}})[\W_]*)?\d[\d\W_]*[^\W\d_]?|[^\W\d_]|[\W_]+", re.IGNORECASE)


def is_code(label: str) -> bool:
    """Return whether a label is a code rather than words: "3", "B2", "cat_07"; but not "IT" or "billing"."""
    return CODE.fullmatch(label.strip()) is not None


def proposed_descriptions(history: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return a description by field and label, for labels that are codes.

    history: rows of ``history.jsonl``, and never cases: a description teaches the classifier. A code of which no word
    is telling keeps itself as its description.
    """
    texts: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in history:
        text = f"{row.get('subject', '')}\n{row.get('body', '')}"
        for field, label in row["labels"].items():
            texts[field][label].append(text)
    found = {}
    for field, by_label in texts.items():
        if codes := sorted(filter(is_code, by_label)):
            words = telling_words(by_label)
            found[field] = {label: ", ".join(words[label]) or in_words(label) for label in codes}
    return found
