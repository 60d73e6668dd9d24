"""What a change came to, counted: dispositions, fields, reasons, load, and which differences come first."""

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.errors import DataError
from eval.replay.decided import Pair, Said, flip_of
from eval.replay.past import read_past
from eval.replay.replay_page import replay_page
from eval.replay.replay_text import replay_json, replay_text
from eval.replay.summary import NOBODY, Summary, summarise
from triage.suggestions import Disposition, HandoffReason
from triage.taxonomy import read_taxonomy

PRIORITIES = ("urgent", "high", "normal", "low")
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def reason(code: str, severity: str = "medium") -> HandoffReason:
    return HandoffReason.model_validate(
        {"code": code, "severity": severity, "evidence": f"“{code} <b>”", "would_change": "Otherwise"}
    )


def said(
    disposition: Disposition = "draft",
    reasons: tuple[HandoffReason, ...] = (),
    team: str | None = "books",
    **fields: str | None,
) -> Said:
    return Said(disposition, team, fields, fields, reasons)


def pair(before: Said, after: Said, truth: dict[str, str] | None = None, handoff: bool | None = None) -> Pair:
    return Pair("T-1", "a <script> subject", NOON, truth or {}, handoff, before, after)


LEGAL = reason("sensitive_topic", "critical")
UNSURE = reason("low_confidence", "medium")


def weight(before: Said, after: Said, truth: dict[str, str] | None = None, handoff: bool | None = None) -> int:
    flip = flip_of(pair(before, after, truth, handoff), PRIORITIES)
    return flip.weight if flip else 0


def test_the_same_decision_is_no_difference() -> None:
    assert flip_of(pair(said(category="vat"), said(category="vat")), PRIORITIES) is None


def test_what_could_be_worst_weighs_most() -> None:
    stopped, drafted = said("handoff", (LEGAL,)), said("draft")
    ordered = [
        weight(stopped, drafted, handoff=True),
        weight(stopped, drafted),
        weight(said(category="vat"), said(category="till"), {"category": "vat"}),
        weight(said("handoff", (UNSURE,)), drafted),
        weight(drafted, said("handoff", (UNSURE,))),
        weight(said(team="books"), said(team="trust")),
        weight(said(category="vat"), said(category="till")),
        weight(said(category="vat"), said(category=None)),
        weight(said(category=None), said(category="vat")),
        weight(said("handoff", (UNSURE, LEGAL)), said("handoff", (LEGAL,))),
    ]
    assert ordered == sorted(ordered, reverse=True)
    assert len(set(ordered)) == len(ordered)


def test_a_priority_weighs_by_its_steps_down_only() -> None:
    down = [weight(said(priority="urgent"), said(priority=other)) for other in ("high", "normal", "low")]
    assert down == sorted(set(down))
    assert weight(said(priority="low"), said(priority="urgent")) < down[0]


def test_every_difference_is_said_in_words() -> None:
    before = said("handoff", (LEGAL,), "trust", category="vat", priority="high")
    found = flip_of(pair(before, said("draft", (), "books", category=None, priority="low"), handoff=True), PRIORITIES)
    assert found is not None
    assert found.what == (
        "handoff → draft: without sensitive_topic, where a person was needed",
        "priority: high → low",
        "goes to books instead of trust",
        "category: vat → open",
    )


DISPOSITIONS = st.sampled_from(["draft", "handoff", "no_reply"])
LABELS = st.sampled_from(["vat", "till", None])
SAID = st.builds(
    lambda disposition, value, team: said(disposition, (UNSURE,) * (disposition == "handoff"), team, category=value),
    DISPOSITIONS,
    LABELS,
    st.sampled_from(["books", "trust", None]),
)
PAIRS = st.lists(
    st.builds(pair, SAID, SAID, st.sampled_from([{}, {"category": "vat"}]), st.sampled_from([True, False, None]))
)


def mirrored(found: Pair) -> Pair:
    return Pair(found.id, found.about, found.at, found.truth, found.handoff, found.after, found.before)


@given(PAIRS)
def test_counts_add_up_and_the_way_back_is_the_mirror(pairs: list[Pair]) -> None:
    there, back = (summarise(some, PRIORITIES, BERLIN) for some in (pairs, [mirrored(one) for one in pairs]))
    assert there.tickets == sum(there.dispositions.values()) == sum(both[0] for both in there.load.values())
    assert sum(both[1] for both in there.hours.values()) == len(pairs)
    assert {hour for hour, _ in there.hours} <= {13}
    assert len(there.flips) == len(back.flips)
    assert back.reasons == {code: (after, before) for code, (before, after) in there.reasons.items()}
    for name, one in there.fields.items():
        assert one.coverage == back.fields[name].coverage[::-1]
        assert (one.changed, one.broken, one.mended) == (
            back.fields[name].changed,
            back.fields[name].mended,
            back.fields[name].broken,
        )


@pytest.fixture
def found() -> Summary:
    pairs = [
        pair(said("handoff", (LEGAL,), "trust", category="vat"), said("draft", category="till"), {"category": "vat"}),
        pair(said(category="vat"), said(category="vat"), {"category": "vat"}, handoff=False),
        pair(said("no_reply", (), None), said("no_reply", (), None)),
    ]
    return summarise(pairs, PRIORITIES, BERLIN, ["T-9: KeyError in engine.py:10"])


def test_the_terminal_shows_counts_and_the_worst_first(found: Summary) -> None:
    text = replay_text(found)
    for part in ("3 tickets, 1 of them", "handoff → draft", "1 newly wrong", "trust", NOBODY, "T-9: KeyError"):
        assert part in text
    assert text.index("without sensitive_topic") < text.index("before: sensitive_topic")


def test_the_page_escapes_what_tickets_say_and_names_every_difference(found: Summary) -> None:
    page = replay_page(found, "Brindle <i>", "policy.toml")
    assert "<script>" not in page
    assert "<i>" not in page
    assert "a &lt;script&gt; subject" in page
    assert "13:00" in page


def test_the_json_holds_everything(found: Summary) -> None:
    values = json.loads(replay_json(found, {"desk": "demo"}))
    assert values["desk"] == "demo"
    assert values["flips"][0]["pair"]["before"]["disposition"] == "handoff"
    assert {"before": "handoff", "after": "draft", "tickets": 1} in values["dispositions"]
    assert values["hours"][0]["hour"] == 13


def test_history_cases_and_bare_tickets_are_read(tmp_path: Path, project: Path) -> None:
    taxonomy = read_taxonomy(project / "desks/demo/taxonomy.toml")
    rows = [
        {"id": "H-1", "body": "x", "labels": {"category": "vat", "team": "gone"}, "reply": "y", "resolved": True},
        {"id": "c", "ticket": {"id": "C-1", "body": "x"}, "expect": {"category": "till", "handoff": True}},
        {"body": "only that"},
    ]
    path = tmp_path / "past.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    read = read_past(path, taxonomy)
    assert [(one.ticket.id, dict(one.truth), one.handoff) for one in read] == [
        ("H-1", {"category": "vat"}, None),
        ("C-1", {"category": "till"}, True),
        (None, {}, None),
    ]
    for bad in ("", '{"id": 1}', '{"body": "x", "labels": 3}', "[]"):
        path.write_text(bad, encoding="utf-8")
        with pytest.raises(DataError):
            read_past(path, taxonomy)
