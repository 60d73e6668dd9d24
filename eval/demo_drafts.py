"""Twenty drafts beside their sources, for a person to read: ``make demo-drafts``."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from triage.assembly import build_engine
from triage.desk_files import read_desk
from triage.engine import TriageEngine
from triage.suggestions import Draft
from triage.tickets import Ticket

COUNT = 20
LINE = "─" * 100


def main(desk: Path, var: Path = Path("var")) -> None:
    """Print drafts for past tickets, spread over the history."""
    engine = build_engine(desk, var)
    history = read_desk(desk).history
    spread = (row.ticket for start in range(COUNT) for row in history[start::COUNT])
    for number, (ticket, draft) in enumerate(islice(drafted(engine, spread), COUNT), 1):
        print(f"{LINE}\n{number}. {ticket.subject or '(no subject)'}\n\n{(ticket.body or '').strip()}\n")
        print("\n".join(f"    │ {line}" for line in draft.text.splitlines()))
        print(f"\n{sources(engine, draft)}")


def drafted(engine: TriageEngine, tickets: Iterator[Ticket]) -> Iterator[tuple[Ticket, Draft]]:
    """Yield the tickets that get a draft, each with it."""
    for ticket in tickets:
        draft = engine.suggest(ticket, "draft", datetime.now(UTC)).draft
        if draft is not None:
            yield ticket, draft


def sources(engine: TriageEngine, draft: Draft) -> str:
    """Return each fact with the words of its source, where these are not the same."""
    lines = []
    for sentence in draft.sentences:
        for support in sentence.support:
            told = engine.search.documents[support.article_id].text[support.start : support.end]
            same = " ".join(told.split()) == " ".join(sentence.text.split())
            lines.append(f"  {support.article_id} {support.start}-{support.end}" + ("" if same else f": {told!r}"))
    return "\n".join(dict.fromkeys(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
