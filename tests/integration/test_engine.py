"""A ticket through every room, on the demo desk with the packaged encoder."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from triage.drafting.policy import Rules
from triage.engine import TriageEngine
from triage.history import InMemoryHistory, PastContact
from triage.suggestion_text import suggestion_text
from triage.suggestions import Suggestion
from triage.tickets import Message, Requester, Ticket

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def suggest(engine: TriageEngine, **ticket: object) -> Suggestion:
    return engine.suggest(Ticket.model_validate(ticket), "s-1", NOW)


def demo_ticket(project: Path, name: str) -> Ticket:
    return Ticket.model_validate_json((project / f"desks/demo/tickets/{name}.json").read_bytes())


@pytest.mark.parametrize("name", ["draft", "handoff", "no_reply"])
def test_the_demo_tickets_come_out_as_they_are_named(demo_engine: TriageEngine, project: Path, name: str) -> None:
    assert demo_engine.suggest(demo_ticket(project, name), "s-1", NOW).disposition == name


def test_every_fact_of_a_draft_stands_where_it_says(demo_engine: TriageEngine, project: Path) -> None:
    suggestion = demo_engine.suggest(demo_ticket(project, "draft"), "s-1", NOW)
    assert suggestion.draft is not None
    facts = [sentence for sentence in suggestion.draft.sentences if sentence.role == "fact"]
    assert facts
    for fact in facts:
        (support,) = fact.support
        document = demo_engine.search.documents[support.article_id]
        assert document.audience == "public"
        assert " ".join(document.text[support.start : support.end].split()) == fact.text
        assert fact.text in suggestion.draft.text


def test_a_request_for_a_person_hands_off_with_its_evidence(demo_engine: TriageEngine) -> None:
    suggestion = suggest(demo_engine, subject="Cannot log in", body="Can I speak to a real person about this please")
    assert suggestion.disposition == "handoff"
    assert suggestion.handoff is not None
    (reason,) = [found for found in suggestion.handoff.reasons if found.code == "human_requested"]
    assert "speak to a real person" in reason.evidence
    assert suggestion.draft is None


def test_reasons_are_all_kept_and_the_gravest_leads(demo_engine: TriageEngine, project: Path) -> None:
    suggestion = demo_engine.suggest(demo_ticket(project, "handoff"), "s-1", NOW)
    assert suggestion.handoff is not None
    codes = [reason.code for reason in suggestion.handoff.reasons]
    assert codes[:2] == ["sensitive_topic", "human_requested"]
    assert suggestion.handoff.team == "trust"
    assert len(suggestion.handoff.summary.split()) <= 120


@pytest.mark.parametrize(
    ("ticket", "code"),
    [
        (
            {
                "subject": "Anmeldung",
                "body": "Guten Tag, ich kann mich seit gestern nicht mehr anmelden, bitte um Hilfe.",
            },
            "unsupported_language",
        ),
        ({"subject": "", "body": "  \u200b "}, "empty_message"),
        ({"subject": "", "body": "😀😀😀"}, "empty_message"),
        (
            {"subject": "sourdough", "body": "Which flour is best for a sourdough starter in a cold kitchen?"},
            "no_supporting_article",
        ),
        (
            {
                "subject": "help",
                "body": "our card machine is down, we cannot take payments and the queue is out the door",
            },
            "urgent_priority",
        ),
        ({"subject": "x", "body": "y"}, "low_confidence"),
    ],
)
def test_each_rule_of_the_policy_fires(demo_engine: TriageEngine, ticket: dict[str, str], code: str) -> None:
    suggestion = suggest(demo_engine, **ticket)
    assert suggestion.disposition == "handoff"
    assert suggestion.handoff is not None
    reasons = {reason.code: reason for reason in suggestion.handoff.reasons}
    assert code in reasons
    assert reasons[code].would_change


def test_the_chance_of_an_answer_is_told(demo_engine: TriageEngine, project: Path) -> None:
    asked = demo_engine.suggest(demo_ticket(project, "draft"), "s-1", NOW).answerability
    strange = suggest(demo_engine, subject="sourdough", body="Which flour is best for a sourdough?").answerability
    assert asked is not None
    assert strange is not None
    assert strange < 0.2 < 0.5 < asked
    assert suggest(demo_engine, body="   ").answerability is None


def test_a_rule_that_is_switched_off_stays_silent(demo_engine: TriageEngine) -> None:
    rules = demo_engine.rules
    off = rules.policy.rules.human_requested.model_copy(update={"on": False})
    policy = rules.policy.model_copy(update={"rules": rules.policy.rules.model_copy(update={"human_requested": off})})
    engine = replace(demo_engine, rules=replace(rules, policy=policy))
    suggestion = suggest(engine, subject="hello", body="Please let me talk to a human being about the two-step codes")
    codes = [reason.code for reason in suggestion.handoff.reasons] if suggestion.handoff else []
    assert "human_requested" not in codes


def test_the_fast_path_searches_nothing_and_says_open(demo_engine: TriageEngine, project: Path) -> None:
    suggestion = demo_engine.triage(demo_ticket(project, "draft"), "s-1", NOW)
    assert suggestion.disposition == "open"
    assert suggestion.articles == ()
    assert suggestion.answerability is None
    assert set(suggestion.timing_ms) == {"classify"}
    assert demo_engine.triage(demo_ticket(project, "handoff"), "s-1", NOW).disposition == "handoff"
    assert demo_engine.triage(demo_ticket(project, "no_reply"), "s-1", NOW).disposition == "no_reply"


def test_internal_and_draft_articles_never_reach_a_customer(demo_engine: TriageEngine) -> None:
    suggestion = suggest(
        demo_engine,
        subject="Kestrel references",
        body="Payments from Kestrel Business arrive without the reference line.",
    )
    assert any(hit.audience == "internal" for hit in suggestion.articles)
    assert suggestion.disposition == "handoff"
    assert "kb-905" not in demo_engine.search.documents
    assert all(hit.audience == "public" for hit in demo_engine.find_articles("Kestrel references", 50, internal=False))
    assert any(hit.audience == "internal" for hit in demo_engine.find_articles("Kestrel references", 5, internal=True))


def test_only_the_customers_words_count_in_a_thread(demo_engine: TriageEngine) -> None:
    agent = Message(author="agent", text="Shall I let you speak to a person, or has your solicitor written?")
    customer = Message(author="customer", text="I still do not get the code, the phone is new.")
    ticket = Ticket(subject="two-step code", body="The code is refused.", messages=(agent, customer))
    suggestion = demo_engine.suggest(ticket, "s-1", NOW)
    codes = [reason.code for reason in suggestion.handoff.reasons] if suggestion.handoff else []
    assert not {"human_requested", "sensitive_topic"} & set(codes)


def test_thanks_with_a_question_is_answered_and_thanks_alone_is_not(demo_engine: TriageEngine) -> None:
    assert suggest(demo_engine, subject="Re: invoice", body="Perfect, thank you Beth, all sorted now.").kind == "thanks"
    asked = suggest(demo_engine, subject="Re: invoice", body="Thanks Beth! How do I put my logo on it?")
    assert asked.kind == "request"


def test_the_same_ticket_gives_the_same_suggestion(demo_engine: TriageEngine, project: Path) -> None:
    def decided(name: str) -> dict[str, object]:
        suggestion = demo_engine.suggest(demo_ticket(project, name), "s-1", NOW)
        return suggestion.model_dump(exclude={"timing_ms"})

    for name in ("draft", "handoff", "no_reply"):
        assert decided(name) == decided(name)


def test_the_sla_counts_working_time(demo_engine: TriageEngine) -> None:
    # Friday 17:30 in London: a normal ticket has half an hour left today, Saturday gives four hours.
    ticket = Ticket.model_validate(
        {"subject": "logo", "body": "How do I put my logo on an invoice?", "created_at": "2026-11-20T17:30:00Z"}
    )
    late = demo_engine.suggest(ticket, "s-1", datetime(2026, 11, 20, 17, 31, tzinfo=UTC))
    assert late.due is not None
    target = demo_engine.rules.settings.sla[late.fields["priority"].best].respond_hours
    assert late.due.respond_by == demo_engine.calendar.add(datetime(2026, 11, 20, 17, 30, tzinfo=UTC), target)
    assert late.due.respond_by > datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


def test_the_shape_is_the_one_on_the_wire(demo_engine: TriageEngine, project: Path) -> None:
    shape = json.loads(demo_engine.suggest(demo_ticket(project, "draft"), "s-1", NOW).model_dump_json())
    expected = {"id", "ticket_id", "version", "kind", "language", "fields", "due", "disposition", "articles", "similar",
                "draft", "handoff", "route", "history", "versions", "timing_ms"}  # fmt: skip
    assert expected <= set(shape)
    assert set(shape["fields"]) == {"category", "priority", "team"}
    assert {"value", "confidence", "decided", "alternatives", "factors"} == set(shape["fields"]["category"])
    assert {"article_id", "revision", "audience", "title", "score", "passage", "why"} <= set(shape["articles"][0])
    assert {"text", "sentences", "source", "warnings"} == set(shape["draft"])
    versions = {"engine", "encoder", "generation", "knowledge_revision", "policy", "taxonomy"}
    assert versions == set(shape["versions"])


def test_a_greeting_never_carries_a_hostile_name(demo_engine: TriageEngine) -> None:
    ticket = Ticket(
        subject="New phone, codes gone",
        body="No codes in the app on my new phone. How do I move them?",
        requester=Requester(name="https://evil.example/{name}"),
    )
    suggestion = demo_engine.suggest(ticket, "s-1", NOW)
    assert suggestion.draft is not None
    assert suggestion.draft.text.startswith("Hello,\n")


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Sourdough", "My starter does not rise any more, which flour should I take?"),
        ("Boiler", "The heating in our flat has been cold for two days, please send a plumber"),
        ("Visa", "How do I apply for a working visa for Canada?"),
    ],
)
def test_a_ticket_about_something_else_is_left_open_and_handed_over(
    demo_engine: TriageEngine, subject: str, body: str
) -> None:
    found = demo_engine.suggest(Ticket(subject=subject, body=body), "s", NOW)
    assert found.disposition == "handoff"
    assert found.handoff is not None
    assert "out_of_scope" in [reason.code for reason in found.handoff.reasons]
    assert found.novelty is not None
    assert found.novelty > 0.5
    assert not any(prediction.decided for prediction in found.fields.values())


def test_who_writes_again_about_the_same_thing_gets_no_second_draft(demo_engine: TriageEngine, project: Path) -> None:
    first = demo_ticket(project, "draft")
    again = Ticket(
        id="T-2",
        subject="Still locked out after my phone change",
        body="I wrote about this already: on the new phone the code app is empty and I cannot log in.",
        requester=Requester(email="JO@bun.example"),
    )
    other = again.model_copy(update={"subject": "Logo", "body": "How do I put my logo on an invoice?"})
    history = InMemoryHistory()
    past = PastContact("T-1", NOW - timedelta(days=2), demo_engine.vector_of(first))
    history.add(Requester(email="jo@bun.example"), past)
    knowing = replace(demo_engine, history=history)

    found = knowing.suggest(again, "s-1", NOW)
    assert found.disposition == "handoff"
    assert found.handoff is not None
    assert "repeat_contact" in [reason.code for reason in found.handoff.reasons]
    assert found.history is not None
    assert [repeat.ticket_id for repeat in found.history.repeat_of] == ["T-1"]
    assert (found.fields["team"].best, found.handoff.team) == ("frontline", "books")
    assert demo_engine.suggest(again, "s-1", NOW).history is None
    assert knowing.suggest(other, "s-1", NOW).history is None
    assert Suggestion.model_validate_json(found.model_dump_json()) == found


def test_what_made_a_ticket_pressing_stands_in_its_priority(demo_engine: TriageEngine) -> None:
    calm = demo_engine.triage(Ticket(subject="Labels", body="How do I print labels for new stock?"), "s", NOW)
    body = "The till takes no payment, nobody can work and the whole shop stands still. Customers are queueing."
    pressing = demo_engine.triage(Ticket(subject="Till down", body=body), "s", NOW)
    axes = {"impact", "urgency"}
    assert not axes & {factor.effect.split()[0] for factor in calm.fields["priority"].factors}
    told = pressing.fields["priority"]
    assert told.best == "urgent"
    assert axes <= {factor.effect.split()[0] for factor in told.factors}
    assert all(factor.evidence for factor in told.factors)
    assert pressing.novelty is not None
    assert pressing.novelty < 0.5


def test_an_incident_shows_how_many_wrote_the_same(demo_engine: TriageEngine) -> None:
    history = InMemoryHistory()
    body = "The card reader says no connection since this morning and the queue is growing."
    for number in range(12):
        ticket = Ticket(id=f"T-{number}", body=f"{body} We are shop {number}.")
        contact = PastContact(f"T-{number}", NOW - timedelta(minutes=number), demo_engine.vector_of(ticket))
        history.add(Requester(id=f"r-{number}"), contact)
    engine = replace(demo_engine, history=history)
    said = suggest(engine, id="T-99", body=body, requester={"id": "r-3"}).history
    assert said is not None
    assert (said.duplicate_count, len(said.duplicates)) == (12, 10)
    assert all(one.score >= 0.75 for one in said.duplicates)
    assert {one.ticket_id for one in said.duplicates if one.same_requester} <= {"T-3"}
    other = suggest(engine, id="T-98", body="How do I put my logo on an invoice?").history
    assert other is None


ODD_MAIL = {
    "subject": "odd mail",
    "body": "An odd mail says it is from Brindle and asks for my six digit code. Is it yours?",
}


def with_saved_replies(engine: TriageEngine, **drafting: object) -> TriageEngine:
    """The engine of a desk on which no article is ever sure enough, and no other rule is on."""
    rules = Rules.model_validate({name: {"on": name == "no_supporting_article"} for name in Rules.model_fields})
    unsure = rules.no_supporting_article.model_copy(update={"min_chance": 1.0})
    policy = engine.rules.policy.model_copy(
        update={"rules": rules.model_copy(update={"no_supporting_article": unsure})}
    )
    settings = engine.rules.settings
    settings = settings.model_copy(update={"drafting": settings.drafting.model_copy(update=drafting)})
    return replace(engine, rules=replace(engine.rules, policy=policy, settings=settings))


def test_where_no_article_answers_a_saved_reply_may(demo_engine: TriageEngine) -> None:
    found = suggest(with_saved_replies(demo_engine, macro_similarity=0.3), **ODD_MAIL, requester={"name": "Jo Finch"})
    assert found.macros[0].macro_id == "phishing_received"
    assert "Jo Finch" in found.macros[0].text
    assert "{agent_name}" in found.macros[0].text
    assert found.disposition == "draft"
    assert found.draft is not None
    assert found.draft.source == "macro"
    assert "{" not in found.draft.text
    for off in ({"macro_similarity": 0.99}, {"macro_similarity": 0.3, "macros": False}):
        none = suggest(with_saved_replies(demo_engine, **off), **ODD_MAIL)
        assert none.handoff is not None
        assert [reason.code for reason in none.handoff.reasons] == ["no_supporting_article"]


def test_several_questions_are_not_answered_by_one_saved_reply(demo_engine: TriageEngine) -> None:
    two = f"{ODD_MAIL['body']} Where do I report such a mail? How do I add a second till to our shop?"
    found = suggest(with_saved_replies(demo_engine, macro_similarity=0.3), subject="odd mail", body=two)
    assert found.draft is None


def test_an_agents_last_word_is_not_talked_over(demo_engine: TriageEngine, project: Path) -> None:
    ticket = demo_ticket(project, "draft")
    reply = Message(author="agent", text="Did that work?", created_at=NOW)
    answered = demo_engine.suggest(ticket.model_copy(update={"messages": (reply,)}), "s-1", NOW)
    assert (answered.disposition, answered.kind, answered.route) == ("no_reply", "request", None)
    assert answered.due is not None
    assert answered.answered is not None
    assert "(message 2)" in answered.answered
    assert "An agent replied" in suggestion_text(ticket, answered)
    overturned = ticket.model_copy(update={"messages": (reply,), "set_fields": {"kind": "request"}})
    assert demo_engine.suggest(overturned, "s-1", NOW).disposition == "draft"
    again = (reply, Message(author="customer", text="No, it did not.", created_at=NOW))
    wrote = demo_engine.suggest(ticket.model_copy(update={"messages": again}), "s-1", NOW)
    assert wrote.answered is None
    assert wrote.disposition != "no_reply"


def test_a_message_without_a_known_phrase_is_read_as_a_whole(demo_engine: TriageEngine) -> None:
    body = "The charger got so hot last night that the shelf under it is black, and it smells burnt in the whole shop."
    found = suggest(demo_engine, subject="charger", body=body)
    assert found.handoff is not None
    (reason,) = [one for one in found.handoff.reasons if one.code == "sensitive_topic"]
    assert reason.evidence.startswith("safety")
    quiet = replace(demo_engine, classifier=replace(demo_engine.classifier, wording=None))
    assert quiet.read(Ticket(subject="charger", body=body), NOW).reads_like is None
