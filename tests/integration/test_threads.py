"""A thread is read anew with every message: only the customer's words count, and what a person set stays.

On the demo desk with the encoder that needs no weights, so that whatever Hypothesis writes is read in an instant.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import build_desk
from eval_builders import without_wording
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.assembly import build_engine
from triage.drafting.handoff import HANDOFF_RULES
from triage.engine import TriageEngine
from triage.errors import TicketError
from triage.history import InMemoryHistory, PastContact
from triage.suggestion_text import suggestion_text
from triage.suggestions import Factor, HistorySaid, RepeatOf, Suggestion
from triage.tickets import Message, Requester, Ticket

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
NIGHT = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
#: What a person may set on the demo desk.
VALUES = (("category", "till"), ("category", "privacy"), ("priority", "low"), ("team", "frontline"), ("team", "trust"))
#: So many past tickets are enough for every part of the engine, and quick to learn from.
ROWS = 80
JO = Requester(id="c-7", name="Jo", email="jo@bun.example")
SAID = (
    "The code from my phone is refused.",
    "How do I put my logo on an invoice?",
    "Nobody can work and the whole shop stands still.",
    "The VAT return is refused, can I speak to a person?",
    "My solicitor will write to you about the phishing mail.",
    "Thanks, all sorted now!",
    "It is due on Friday.",
    "Ich kann mich seit gestern nicht mehr anmelden, bitte um Hilfe.",
    "",
)
#: What would move something if a customer had written it.
ANSWERED = (
    "Shall I let you speak to a person, or has your solicitor written about the data breach?",
    "Urgent: nobody can work, the card machine is down, the VAT return is due today. This is the third mail.",
    "Thanks!",
    "Out of office: I am away until Monday.",
    "Die Rechnung wurde storniert, vielen Dank für Ihre Geduld und bis bald.",
    "Best flour for a sourdough starter in a cold kitchen",
    "",
)


@pytest.fixture(scope="module")
def engine(project: Path, tmp_path_factory: pytest.TempPathFactory) -> TriageEngine:
    folder = tmp_path_factory.mktemp("threads")
    desk = folder / "desk"
    shutil.copytree(project / "desks" / "demo", desk)
    text = (desk / "desk.toml").read_text(encoding="utf-8")
    (desk / "desk.toml").write_text(text.replace('encoder = "all-MiniLM-L6-v2"', 'encoder = "hashing"'), "utf-8")
    rows = (desk / "history.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (desk / "history.jsonl").write_text("".join(rows[:ROWS]), "utf-8")
    build_desk(without_wording(desk), folder / "var")
    engine = build_engine(desk, folder / "var")
    assert engine.classifier.novelty is not None
    assert engine.classifier.heads["priority"].matrix_weight > 0
    return engine


#: Asks the engine; has a short name where Hypothesis tells a failure, which an engine has not.
Ask = Callable[[Ticket, datetime], Suggestion]


@pytest.fixture(scope="module")
def suggest(engine: TriageEngine) -> Ask:
    def ask(ticket: Ticket, now: datetime) -> Suggestion:
        return engine.suggest(ticket, "s", now)

    return ask


@pytest.fixture(scope="module")
def triage(engine: TriageEngine) -> Ask:
    def ask(ticket: Ticket, now: datetime) -> Suggestion:
        return engine.triage(ticket, "s", now)

    return ask


def shape(found: Suggestion) -> dict[str, Any]:
    """All of a suggestion but its times, the open tickets that say the same, and the note, which tells the thread."""
    said = found.history and found.history.model_copy(update={"duplicates": (), "duplicate_count": 0})
    handoff = found.handoff and found.handoff.model_copy(update={"summary": ""})
    bare = found.model_copy(update={"history": None if said == HistorySaid() else said, "handoff": handoff})
    return bare.model_dump(exclude={"timing_ms"})


def codes(found: Suggestion) -> list[str]:
    return [reason.code for reason in found.handoff.reasons] if found.handoff else []


times = st.none() | st.integers(0, 8 * 24).map(lambda hours: NOW - timedelta(hours=hours))
customers = st.builds(Message, author=st.just("customer"), text=st.sampled_from(SAID), created_at=times)
others = st.sampled_from(ANSWERED) | st.text(max_size=60)
silent = st.one_of(
    st.builds(Message, author=st.sampled_from(("bot", "system")), text=others, created_at=times),
    st.builds(Message, author=st.just("agent"), text=others, created_at=times, public=st.just(False)),
)
answers = st.builds(Message, author=st.just("agent"), text=others, created_at=times)
tickets = st.builds(
    Ticket,
    id=st.just("T-9"),
    subject=st.sampled_from(("", "Till", "VAT return", "Re: invoice")),
    body=st.sampled_from(SAID),
    created_at=times,
    messages=st.lists(customers, max_size=3).map(tuple),
)


@st.composite
def threads(draw: st.DrawFn, inserted: st.SearchStrategy[Message], dated: bool = True) -> tuple[Ticket, Ticket]:
    """A ticket, and the same with messages put in anywhere."""
    ticket = draw(tickets if dated else tickets.map(without_dates))
    messages = list(ticket.messages)
    for place, message in draw(st.lists(st.tuples(st.integers(0, 3), inserted), min_size=1, max_size=4)):
        messages.insert(place, message)
    return ticket, ticket.model_copy(update={"messages": tuple(messages)})


def without_dates(ticket: Ticket) -> Ticket:
    messages = tuple(message.model_copy(update={"created_at": None}) for message in ticket.messages)
    return ticket.model_copy(update={"created_at": None, "messages": messages})


def overturned(ticket: Ticket) -> Ticket:
    """A ticket of which a person says that somebody waits for an answer, whoever wrote last."""
    return ticket.model_copy(update={"set_fields": {"kind": "request"}})


def pressing(found: Suggestion) -> dict[str, Factor]:
    """The factors of impact and urgency; others tell what speaks for the priority that came of it."""
    factors = found.fields["priority"].factors
    return {factor.name: factor for factor in factors if factor.effect.split()[0] in ("impact", "urgency")}


def without_waiting(found: Suggestion) -> dict[str, Any]:
    """What an agent's answer may not move."""
    kept = shape(found)
    for moving in ("due", "handoff", "disposition", "draft", "articles", "similar", "route"):
        del kept[moving]
    kept["fields"].pop("priority")
    kept["reasons"] = list(shape(found)["handoff"]["reasons"]) if found.handoff else []
    kept["reasons"] = [reason for reason in kept["reasons"] if reason["code"] != "urgent_priority"]
    return kept


@given(threads(silent))
@settings(max_examples=60, deadline=None)
def test_what_bots_systems_and_private_notes_say_changes_nothing(suggest: Ask, thread: tuple[Ticket, Ticket]) -> None:
    ticket, more = thread
    assert shape(suggest(more, NOW)) == shape(suggest(ticket, NOW))


@given(threads(answers | silent))
@settings(max_examples=60, deadline=None)
def test_an_agents_answer_moves_the_wait_and_nothing_else(triage: Ask, thread: tuple[Ticket, Ticket]) -> None:
    ticket, more = thread
    before, after = triage(ticket, NOW), triage(more, NOW)
    if after.answered:
        assert (after.handoff, after.draft, after.disposition) == (None, None, "no_reply")
        after = triage(overturned(more), NOW)
        before = triage(overturned(ticket), NOW)
    assert without_waiting(after) == without_waiting(before)
    said, answered = pressing(before), pressing(after)
    waits = said.pop("waiting", None), answered.pop("waiting", None)
    assert said == answered
    if waits[0] == waits[1]:
        assert shape(after) == shape(before)


@given(threads(answers | silent, dated=False))
@settings(max_examples=40, deadline=None)
def test_without_dates_an_agents_answer_moves_nothing_at_all(suggest: Ask, thread: tuple[Ticket, Ticket]) -> None:
    ticket, more = (overturned(one) if suggest(thread[1], NOW).answered else one for one in thread)
    assert shape(suggest(more, NOW)) == shape(suggest(ticket, NOW))


def test_an_answer_ends_the_wait_and_the_customers_next_message_may_change_everything(engine: TriageEngine) -> None:
    first = Ticket(subject="Till", body="The day sheet is out by ten pounds.", created_at=NOW - timedelta(days=6))
    answer = Message(author="agent", text="We look into it.", created_at=NOW - timedelta(days=1))
    again = Message(author="customer", text="Nobody can work. I want to speak to a person!", created_at=NOW)
    waiting, answered, worse = (
        engine.triage(first.model_copy(update={"messages": messages}), "s", NOW)
        for messages in ((), (answer,), (answer, again))
    )
    assert list(pressing(waiting)) == ["waiting"]
    assert pressing(answered) == {}
    assert waiting.due is not None
    assert answered.due is not None
    assert "human_requested" in codes(worse)
    assert "human_requested" not in codes(answered)
    assert list(pressing(worse)) == ["everybody"]


@given(
    threads(answers | silent | customers),
    st.lists(st.sampled_from(VALUES), min_size=1).map(dict),
    st.sampled_from((NOW, NIGHT)),
)
@settings(max_examples=40, deadline=None)
def test_what_a_person_set_stands_whatever_is_written_later(
    triage: Ask, thread: tuple[Ticket, Ticket], values: dict[str, str], moment: datetime
) -> None:
    found = triage(thread[1].model_copy(update={"set_fields": values}), moment)
    for field, label in values.items():
        prediction = found.fields[field]
        assert (prediction.value, prediction.confidence, prediction.decided) == (label, 1.0, True)
        assert [factor.name for factor in prediction.factors] == ["set_by_person"]
    if "team" in values and found.route:
        assert found.route.team == values["team"]
        assert found.handoff is None or found.handoff.team == values["team"]


def written(engine: TriageEngine, *earlier: tuple[str, str, float]) -> TriageEngine:
    """The engine with a history of Jo's tickets: (id, body, days ago)."""
    history = InMemoryHistory()
    for name, body, days in earlier:
        vector = engine.vector_of(Ticket(subject="Logo", body=body))
        history.add(JO, PastContact(name, NOW - timedelta(days=days), vector))
    return replace(engine, history=history)


LOGO = "How do I put my logo on an invoice? I have tried it twice."


def logo(**more: Any) -> Ticket:
    return Ticket(id="T-9", subject="Logo", body=LOGO, requester=JO, **more)


def test_who_writes_again_about_the_same_gets_a_person_one_team_further(engine: TriageEngine) -> None:
    before = engine.triage(logo(set_fields={}), "s", NOW)
    found = written(engine, ("T-12", f"{LOGO} Please help.", 2), ("T-13", "The till is stuck and beeps", 1)).triage(
        logo(), "s", NOW
    )
    assert before.history is None
    assert found.history is not None
    (repeat,) = found.history.repeat_of
    assert (repeat.ticket_id, repeat.at) == ("T-12", NOW - timedelta(days=2))
    assert found.handoff is not None
    (reason,) = [reason for reason in found.handoff.reasons if reason.code == "repeat_contact"]
    assert reason.evidence == f"wrote about this on 18 Nov as T-12 ({repeat.score:.2f} alike)"
    assert "within 7 days" in reason.would_change
    assert before.route is not None
    assert found.route is not None
    team, teams = before.route.team, engine.rules.taxonomy.team.labels
    assert found.fields["team"] == before.fields["team"]
    assert found.route.team == found.handoff.team == (teams[team].next or team)
    assert found.route.person == teams[found.route.team].escalation
    assert any("wrote 2 times about this in 7 days" in step.why for step in found.route.steps)
    assert "repeat_contact" in [factor.name for factor in found.fields["priority"].factors]
    assert "wrote 2 times" in found.handoff.summary
    assert "wrote 2 times" in suggestion_text(logo(), found)


@pytest.mark.parametrize(
    ("ticket", "history"),
    [
        (logo().model_copy(update={"requester": Requester(name="Jo")}), [("T-12", LOGO, 2)]),
        (logo().model_copy(update={"id": "T-12"}), [("T-12", LOGO, 2)]),
        (logo(), [("T-12", LOGO, 8)]),
        (logo(), [("T-12", LOGO, -1)]),
        (logo(created_at=NOW - timedelta(days=3)), [("T-12", LOGO, 2)]),
        (logo(), [("T-12", "The till is stuck and beeps", 2)]),
        (logo().model_copy(update={"body": "Thanks, all sorted now!", "subject": ""}), [("T-12", LOGO, 2)]),
    ],
)
def test_what_is_no_repeat_changes_nothing(
    engine: TriageEngine, ticket: Ticket, history: Sequence[tuple[str, str, float]]
) -> None:
    assert shape(written(engine, *history).suggest(ticket, "s", NOW)) == shape(engine.suggest(ticket, "s", NOW))


def test_thanks_for_the_second_time_are_no_repeat(engine: TriageEngine) -> None:
    thanks = Ticket(id="T-9", subject="Logo", body="Thanks, all sorted now!", requester=JO)
    thanks = thanks.model_copy(update={"messages": (Message(author="customer", text=thanks.body or ""),)})
    history = InMemoryHistory()
    history.add(JO, PastContact("T-12", NOW - timedelta(days=2), engine.vector_of(thanks)))
    found = replace(engine, history=history).suggest(thanks, "s", NOW)
    assert (found.kind, found.history) == ("thanks", None)


def test_a_repeat_does_not_take_a_ticket_from_the_team_that_a_person_chose(engine: TriageEngine) -> None:
    found = written(engine, ("T-12", LOGO, 2)).triage(logo(set_fields={"team": "frontline"}), "s", NOW)
    assert found.route is not None
    assert (found.route.team, found.route.person) == ("frontline", "Moira Kettle")
    assert [step.why for step in found.route.steps] == [
        "wrote 2 times about this in 7 days; it stays there: a person set the team"
    ]


def test_with_the_rule_off_nobody_looks_for_repeats(engine: TriageEngine) -> None:
    rules = engine.rules.policy.rules
    off = rules.model_copy(update={"repeat_contact": rules.repeat_contact.model_copy(update={"on": False})})
    policy = engine.rules.policy.model_copy(update={"rules": off})
    silent = replace(written(engine, ("T-12", LOGO, 2)), rules=replace(engine.rules, policy=policy))
    assert shape(silent.suggest(logo(), "s", NOW)) == shape(engine.suggest(logo(), "s", NOW))


def test_both_paths_see_the_same_repeats(engine: TriageEngine) -> None:
    knowing = written(engine, ("T-12", LOGO, 2))
    messages = (Message(author="customer", text="Still nothing on the invoice, no logo, no answer."),)
    ticket = logo(messages=messages)
    assert knowing.suggest(ticket, "s", NOW).history == knowing.triage(ticket, "s", NOW).history is not None


def test_a_history_may_hold_what_a_person_set(engine: TriageEngine) -> None:
    history = InMemoryHistory()
    history.set_values("T-9", {"team": "trust", "category": "gone"})
    found = replace(engine, history=history).triage(logo(), "s", NOW)
    assert found.fields["team"].value == "trust"
    assert found.history is not None
    assert (found.history.set_fields, found.history.outdated) == ({"team": "trust"}, {"category": "gone"})
    own = replace(engine, history=history).triage(logo(set_fields={"team": "books"}), "s", NOW)
    assert own.fields["team"].value == "books"


def test_a_person_may_set_what_the_model_must_not_decide(engine: TriageEngine) -> None:
    values = {"category": "privacy", "team": "trust", "priority": "low"}
    for body in ("😀", "Ich kann mich seit gestern nicht mehr anmelden, bitte um Hilfe.", "Which flour for sourdough?"):
        found = engine.triage(Ticket(body=body, set_fields=values), "s", NOW)
        assert {field: prediction.value for field, prediction in found.fields.items()} == values
        assert "low_confidence" not in codes(found)


def test_a_rule_does_not_undo_what_a_person_set(engine: TriageEngine) -> None:
    ticket = Ticket(subject="Phishing", body="Our VAT return shows a phishing mail", set_fields={"team": "frontline"})
    found = engine.triage(ticket, "s", NOW)
    assert (found.fields["category"].value, found.fields["team"].value) == ("privacy", "frontline")
    assert found.route is not None
    assert found.route.team == "frontline"


THANKS = "Thanks, that did it!"


def test_a_person_may_overturn_the_gate_and_the_answer_says_what_it_was(engine: TriageEngine) -> None:
    assert engine.suggest(Ticket(body=THANKS), "s", NOW).disposition == "no_reply"
    for found in (
        engine.suggest(Ticket(body=THANKS, set_fields={"kind": "request"}), "s", NOW),
        engine.triage(Ticket(body=THANKS, set_fields={"kind": "request"}), "s", NOW),
    ):
        assert found.kind == "request"
        assert found.disposition in ("handoff", "draft", "open")
        assert found.kind_evidence.startswith("a person set it to request; the gate said thanks (")


def test_a_history_may_hold_that_a_ticket_is_a_request_and_nothing_else_of_its_kind(engine: TriageEngine) -> None:
    history = InMemoryHistory()
    history.set_values("T-9", {"kind": "request"})
    history.set_values("T-8", {"kind": "thanks"})
    knowing = replace(engine, history=history)
    assert knowing.triage(Ticket(id="T-9", body=THANKS), "s", NOW).kind == "request"
    asked = knowing.triage(Ticket(id="T-8", body="Where is my invoice?"), "s", NOW)
    assert asked.kind == "request"
    assert asked.history is not None
    assert asked.history.outdated == {"kind": "thanks"}


def test_nobody_makes_words_where_there_are_none(engine: TriageEngine) -> None:
    found = engine.suggest(Ticket(body="", set_fields={"kind": "request"}), "s", NOW)
    assert (found.kind, found.disposition) == ("empty", "handoff")


@pytest.mark.parametrize("fields", [{"team": "boks"}, {"queue": "x"}, {"kind": "thanks"}])
def test_a_value_that_the_desk_does_not_have_is_an_error(engine: TriageEngine, fields: dict[str, str]) -> None:
    for body in ("hello", "", "Thanks!"):
        with pytest.raises(TicketError, match=f"set_fields.{next(iter(fields))}: unknown"):
            engine.suggest(Ticket(body=body, set_fields=fields), "s", NOW)


def test_a_team_that_the_policy_names_also_falls_along_its_path_at_night(engine: TriageEngine) -> None:
    breach = Ticket(subject="Account", body="A stranger has hacked our account and changed the bank details")
    by_day, by_night = engine.triage(breach, "s", NOW), engine.triage(breach, "s", NIGHT)
    assert by_day.route is not None
    assert by_night.route is not None
    assert "sensitive_topic" in codes(by_day)
    assert (by_day.route.team, by_day.route.person, by_day.route.opens_at) == ("trust", "Ruth Abara", None)
    assert (by_night.route.team, by_night.route.person) == ("trust", "Ruth Abara")
    assert by_night.route.opens_at == datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert [step.why for step in by_night.route.steps] == ["trust is closed until Mon 09:00"]
    assert by_night.handoff is not None
    assert "ask Ruth Abara" in by_night.handoff.summary
    assert "opens 23 Nov 2026 09:00 UTC, ask Ruth Abara" in suggestion_text(breach, by_night)

    rules = engine.rules.taxonomy.team
    labels = rules.labels | {"trust": rules.labels["trust"].model_copy(update={"next": "night"})}
    labels["night"] = labels["trust"].model_copy(update={"next": None, "hours": None, "escalation": "Nia"})
    taxonomy = engine.rules.taxonomy.model_copy(update={"team": rules.model_copy(update={"labels": labels})})
    evening = datetime(2026, 11, 20, 17, 30, tzinfo=UTC)  # trust has gone, the desk is open until 18:00
    awake = replace(engine, rules=replace(engine.rules, taxonomy=taxonomy)).triage(breach, "s", evening)
    assert awake.handoff is not None
    assert awake.handoff.team == "night"
    assert awake.route is not None
    assert (awake.route.person, awake.route.opens_at) == ("Nia", None)


def test_a_person_who_set_the_team_is_told_of_the_policys_own(engine: TriageEngine) -> None:
    breach = Ticket(body="A stranger has hacked our account", set_fields={"team": "books"})
    found = engine.triage(breach, "s", NOW)
    assert found.handoff is not None
    assert found.route is not None
    assert found.handoff.team == found.route.team == "books"
    assert found.route.person == "Gareth Lowe"
    assert found.route.steps[0].why == "the policy names trust for sensitive_topic; a person set books"


def test_a_rule_may_ask_for_a_team_that_can_do_the_work(engine: TriageEngine) -> None:
    found = engine.triage(Ticket(subject="A question", body="Is the card reader blue?"), "s", NOW)
    assert found.route is not None
    assert found.route.team == "integrations"
    assert found.handoff is None or found.handoff.team == "integrations"


def test_where_nobody_answers_there_is_no_route(engine: TriageEngine) -> None:
    thanks = engine.suggest(Ticket(subject="Re: invoice", body="Perfect, thank you Beth, all sorted now."), "s", NOW)
    assert (thanks.disposition, thanks.route) == ("no_reply", None)
    for body in ("", LOGO):
        assert engine.suggest(Ticket(body=body), "s", NOW).route is not None


def test_the_gates_of_the_wire_are_only_added_to(engine: TriageEngine) -> None:
    found = engine.suggest(logo(), "s", NOW)
    older = found.model_dump(mode="json", exclude={"route", "history"})
    assert Suggestion.model_validate(older).model_copy(update={"route": found.route}) == found
    assert RepeatOf.model_fields.keys() == {"ticket_id", "at", "score"}
    assert "repeat_contact" in HANDOFF_RULES
