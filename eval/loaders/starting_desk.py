"""A desk for somebody who has no export yet: few labels, each said in a sentence, to be changed by hand."""

from collections.abc import Mapping
from types import MappingProxyType

from eval.loaders.loaded import Loaded

LABELS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "category": {
            "question": "How something works, where to find it, what it costs",
            "problem": "Something is broken, slow, or shows an error",
            "account": "Signing in, passwords, users and their rights",
            "billing": "Invoices, payments, refunds, cancelling",
        },
        "priority": {
            "low": "A wish, or a question without haste",
            "normal": "Somebody is held up a little",
            "high": "Somebody cannot work on",
            "urgent": "Nobody can work, or data or money are at stake",
        },
        "team": {"support": "Everybody who answers tickets"},
    }
)


def starting_desk(name: str, title: str) -> Loaded:
    """Return a desk without history, cases and articles, whose descriptions are proposals."""
    return Loaded(
        name=name,
        languages=("en",),
        fields={field: list(labels) for field, labels in LABELS.items()},
        articles=(),
        history=(),
        cases=(),
        sources=(),
        title=title,
        descriptions=LABELS,
    )
