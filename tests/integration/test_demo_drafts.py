"""Drafts printed beside their sources."""

from pathlib import Path

from eval.demo_drafts import drafted, sources
from triage.desk_files import read_desk
from triage.engine import TriageEngine


def test_drafts_come_with_the_place_of_every_fact(demo_engine: TriageEngine, project: Path) -> None:
    tickets = (row.ticket for row in read_desk(project / "desks/demo").history[:12])
    found = list(drafted(demo_engine, tickets))
    assert len(found) >= 3
    for _, draft in found:
        facts = [sentence for sentence in draft.sentences if sentence.role == "fact"]
        told = sources(demo_engine, draft)
        assert len(told.splitlines()) <= len(facts)
        assert all(f"{fact.support[0].article_id} {fact.support[0].start}-" in told for fact in facts)
        assert ":" not in told  # quoted word for word
