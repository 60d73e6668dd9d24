"""Factors of priority: what is found, what is taken back, and what time makes of it."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.cleaning import TicketText, read_text
from triage.drafting.handoff import Evidence, urgent_priority
from triage.drafting.policy import Policy
from triage.language import Language
from triage.priority import PriorityFactor, asked_at, find_factors
from triage.suggestions import Alternative, Factor, Prediction, RepeatOf
from triage.tickets import Message, Requester, Ticket

#: A Monday noon.
NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)


def factors(body: str, subject: str = "", now: datetime = NOW, **more: object) -> dict[str, PriorityFactor]:
    ticket = Ticket.model_validate({"subject": subject, "body": body, **more})
    found = find_factors(ticket, read_text(ticket), now)
    assert len({factor.name for factor in found}) == len(found)
    return {factor.name: factor for factor in found}


def urgency_of(body: str, **more: object) -> int:
    return sum(factor.points for factor in factors(body, **more).values() if factor.axis == "urgency")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Nobody can log in since nine", "everybody"),
        ("Everyone is thrown out of the program", "everybody"),
        ("The whole shop stands around", "everybody"),
        ("Niemand kann sich anmelden", "everybody"),
        ("Das ganze Büro wartet", "everybody"),
        ("Our team cannot open the board", "team"),
        ("Mehrere Kollegen sehen nur eine leere Seite", "team"),
        ("It is only me, the others are happy", "one_person"),
        ("Das ist nur bei mir so", "one_person"),
        ("We cannot take any payments", "trading_stopped"),
        ("customers are queueing at the counter", "trading_stopped"),
        ("Kunden stehen Schlange", "trading_stopped"),
        ("Wir können nichts verkaufen", "trading_stopped"),
        ("I cannot work like this", "work_stopped"),
        ("The server is down", "work_stopped"),
        ("Wir können nicht arbeiten", "work_stopped"),
        ("Der Server ist komplett ausgefallen", "work_stopped"),
        ("For now we use paper", "workaround"),
        ("Das kann noch warten", "workaround"),
        ("There are sparks from the card reader", "safety"),
        ("Der Drucker raucht", "safety"),
        ("We were hacked", "security"),
        ("Wir wurden gehackt", "security"),
        ("You charged me twice", "money_wrong"),
        ("Der Betrag wurde doppelt abgebucht", "money_wrong"),
        ("We are losing £1,200.50 a day", "money_wrong"),
        ("All my invoices are gone", "data_lost"),
        ("Unsere Dateien sind verschwunden", "data_lost"),
        ("This is urgent", "urgent_words"),
        ("Bitte dringend ansehen", "urgent_words"),
        ("Whenever you have time", "no_haste"),
        ("Wenn Sie mal Zeit haben", "no_haste"),
        ("This is the third time I write to you", "repeat_contact"),
        ("Ich schreibe zum dritten Mal", "repeat_contact"),
    ],
)
def test_wording_is_found_with_the_customers_own_words(text: str, name: str) -> None:
    found = factors(text)
    assert name in found
    assert found[name].evidence in text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("It is not urgent", "urgent_words"),
        ("This isn't at all urgent", "urgent_words"),
        ("Das ist nicht dringend", "urgent_words"),
        ("Es eilt nicht", "urgent_words"),
        ("There is no need to treat it as urgent", "urgent_words"),
        ("Nobody is blocked", "work_stopped"),
        ("The site is not down", "work_stopped"),
        ("Niemand ist blockiert", "work_stopped"),
        ("We have not lost any data", "data_lost"),
        ("It does not affect the whole company", "everybody"),
        ("What happens if the whole shop is offline", "everybody"),
        ("Nobody was injured", "safety"),
        ("It cannot wait any longer", "workaround"),
        ("it is not sorted and does not work again", "works_again"),
        ("It stopped working again", "works_again"),
        ("Tell me when it is fixed", "works_again"),
        ("I am down £65 and it went down £2,000", "work_stopped"),
    ],
)
def test_negation_and_other_meanings_do_not_fire(text: str, name: str) -> None:
    assert name not in factors(text)


@pytest.mark.parametrize("text", ["not urgent", "nicht dringend", "no rush", "keine Eile", "Es eilt nicht", "no hurry"])
def test_said_to_be_in_no_hurry_lowers_urgency(text: str) -> None:
    assert urgency_of(text) == -1


def test_negation_elsewhere_takes_nothing_back() -> None:
    assert "urgent_words" in factors("The till does not print, this is urgent")
    assert "deadline" in factors("It is not working, the return is due today")


def test_works_again_in_the_newest_message_takes_back_that_work_is_stopped() -> None:
    down = {"author": "customer", "text": "The system is down and we can't take payments"}
    up = {"author": "customer", "text": "It works again now"}
    assert {"work_stopped", "trading_stopped", "works_again"} & set(factors("Hello there", messages=[down, up])) == {
        "works_again"
    }
    again = factors("Hello there", messages=[down, up, down])
    assert "trading_stopped" in again
    assert "works_again" not in again


def test_the_same_matter_counts_once() -> None:
    found = factors("Nobody can log in, our team is waiting. We are locked out and cannot take payments")
    assert {"everybody", "trading_stopped"} <= set(found)
    assert {"team", "work_stopped"}.isdisjoint(found)


def test_quoted_mail_and_agents_words_do_not_count() -> None:
    quoted = "Thank you, that is all I wanted to know.\n\n> This is urgent, nobody can log in"
    agent = {"author": "agent", "text": "Is it urgent? Is everyone locked out?"}
    assert factors(quoted) == {}
    assert factors("How do I print labels", messages=[agent]) == {}


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("The return is due today", 3),
        ("I need this by 5 pm", 3),
        ("Must go out tonight", 3),
        ("within 2 hours please, deadline", 3),
        ("Das muss heute noch raus", 3),
        ("Die Frist läuft bis 17 Uhr", 3),
        ("It is due tomorrow", 2),
        ("by 9 am", 2),
        ("Wir brauchen das bis morgen", 2),
        ("Due on Friday", 1),
        ("by 5 pm on Friday", 1),
        ("by 20 November", 1),
        ("Submit before 20/11/2026", 1),
        ("bis zum 20.11.", 1),
        ("bis zum 20. November", 1),
        ("Spätestens am Freitag", 1),
        ("by the 20th", 1),
        ("needed in 3 days", 1),
        ("Friday is the deadline", 1),
        ("due by the end of the week", 1),
        ("I can't file by tonight", 3),
        ("We only have until Friday", 1),
    ],
)
def test_a_deadline_counts_by_the_days_that_are_left(text: str, points: int) -> None:
    deadline = factors(text)["deadline"]
    assert (deadline.axis, deadline.points) == ("urgency", points)
    assert deadline.evidence in text


@pytest.mark.parametrize(
    "text",
    [
        "It stopped today",
        "It has been like this since Monday",
        "I rang you on Friday",
        "It happens every Friday",
        "Invoices were due on 1 November",
        "It was due by 2026-11-01",
        "Form is due at the end of March",
        "It does not need to be done today",
        "It is not due by Friday",
        "Muss nicht heute sein",
        "We need 24/7 support",
        "You must refund £5.11",
        "by 31 February",
        "needs 99/99/9999",
    ],
)
def test_no_deadline(text: str) -> None:
    assert "deadline" not in factors(text)


def test_days_count_from_when_the_words_were_written_and_pass() -> None:
    written = "2026-11-16T09:00:00Z"
    body = "The return is due on Friday"
    found = [factors(body, created_at=written, now=NOW + timedelta(days=days)).get("deadline") for days in (0, 3, 4, 5)]
    assert [deadline.points if deadline else None for deadline in found] == [1, 2, 3, None]


def test_what_an_earlier_message_called_today_has_passed() -> None:
    reply = {"author": "customer", "text": "Any thoughts on this?", "created_at": "2026-11-16T11:00:00Z"}
    old = factors("It is due today", created_at="2026-11-15T09:00:00Z", messages=[reply])
    new = factors(
        "A question", created_at="2026-11-15T09:00:00Z", messages=[reply | {"text": "It is due today, you know"}]
    )
    assert "deadline" not in old
    assert new["deadline"].points == 3


def test_days_are_those_of_the_zone_of_now() -> None:
    late = datetime(2026, 11, 16, 23, 30, tzinfo=UTC)
    body = "due on Tuesday"
    assert factors(body, now=late)["deadline"].points == 2
    assert factors(body, now=late.astimezone(timezone(timedelta(hours=1))))["deadline"].points == 3


def test_the_nearest_of_several_deadlines_counts() -> None:
    assert factors("The list is due on Friday. The return is due tomorrow")["deadline"].evidence == "due tomorrow"


def test_tags_are_those_that_the_desk_names() -> None:
    ticket = Ticket(body="How do I print labels", requester=Requester(tags=("VIP", "gold")))
    text = read_text(ticket)
    assert find_factors(ticket, text, NOW) == (PriorityFactor("vip", "impact", 1, "tag VIP"),)
    assert [factor.evidence for factor in find_factors(ticket, text, NOW, {"gold"})] == ["tag gold"]
    assert find_factors(ticket, text, NOW, ()) == ()


@pytest.mark.parametrize(("days", "points"), [(0, None), (1, None), (2, 1), (4, 1), (5, 2), (30, 2), (4_000, None)])
def test_time_waited(days: int, points: int | None) -> None:
    found = factors("How do I print labels", created_at=(NOW - timedelta(days=days)).isoformat())
    assert (found["waiting"].points if points else found.get("waiting")) == points
    if points:
        assert found["waiting"].evidence == f"waiting {days} days"


def test_only_a_public_answer_of_an_agent_ends_the_wait() -> None:
    def waiting(*messages: Message) -> str | None:
        ticket = Ticket(body="Labels", created_at=NOW - timedelta(days=9), messages=messages)
        found = {factor.name: factor for factor in find_factors(ticket, read_text(ticket), NOW)}
        return found["waiting"].evidence if "waiting" in found else None

    answer = Message(author="agent", text="Like this", created_at=NOW - timedelta(days=8))
    more = Message(author="customer", text="And now", created_at=NOW - timedelta(days=3))
    assert waiting() == "waiting 9 days"
    assert waiting(answer.model_copy(update={"public": False})) == "waiting 9 days"
    assert waiting(Message(author="bot", text="Got it")) == "waiting 9 days"
    assert waiting(answer) is None
    assert waiting(answer, more, more.model_copy(update={"created_at": NOW})) == "waiting 3 days"


def test_a_past_ticket_is_judged_when_it_was_asked() -> None:
    asked = NOW - timedelta(days=100)
    ticket = Ticket(body="Due on Friday", created_at=asked)
    [deadline] = find_factors(ticket, read_text(ticket), asked_at(ticket))
    assert (asked_at(ticket), deadline.points) == (asked, 1)
    undated = Ticket(body="Due on Friday")
    assert asked_at(undated) == asked_at(Ticket(body="x"))
    assert find_factors(undated, read_text(undated), asked_at(undated))[0].name == "deadline"


def test_on_the_wire() -> None:
    deadline = factors("Return is due tomorrow")["deadline"]
    assert deadline.on_the_wire == Factor(name="deadline", effect="urgency +2", evidence="due tomorrow")


PARTS = ["due", "by", "today", "31.12.", "5 pm", "99:99", "not", "urgent", "the whole shop", "nobody can", "ist", "bis"]


@given(
    st.one_of(st.text(max_size=200), st.lists(st.sampled_from(PARTS), max_size=30).map(" ".join)),
    st.datetimes(timezones=st.just(UTC)) | st.none(),
)
@settings(max_examples=150, deadline=None)
def test_any_text_and_date_give_known_factors_with_evidence(body: str, created_at: datetime | None) -> None:
    ticket = Ticket(body=body, created_at=created_at)
    for factor in find_factors(ticket, read_text(ticket), NOW.astimezone(timezone(timedelta(hours=-9)))):
        assert factor.axis in ("impact", "urgency")
        assert factor.points != 0
        assert factor.evidence


@pytest.mark.parametrize(
    "piece", ["the whole ", "not so very ", "due ", "1.1.", "can't do any ", "a", "due by 9 am today ", "£1,000 lost "]
)
def test_cost_grows_with_length_and_no_faster(piece: str) -> None:
    def seconds(length: int) -> float:
        ticket = Ticket(body=(piece * (length // len(piece)))[:length])
        text = read_text(ticket)
        start = time.perf_counter()
        find_factors(ticket, text, NOW)
        return time.perf_counter() - start

    short = min(seconds(2_500) for _ in range(3))
    assert seconds(20_000) < 40 * short + 0.05


def test_a_repeat_in_the_records_counts_once_with_what_the_customer_says_of_it() -> None:
    repeats = [RepeatOf(ticket_id=name, at=NOW - timedelta(days=2), score=0.83) for name in ("T-12", "T-11")]
    calm, chasing = Ticket(body="How do I print a label?"), Ticket(body="This is the third message I have sent.")
    [said] = find_factors(chasing, read_text(chasing), NOW)
    for ticket in (calm, chasing):
        [known] = find_factors(ticket, read_text(ticket), NOW, repeats=repeats)
        assert (known.name, known.axis, known.points) == (said.name, said.axis, said.points)
        assert known.evidence.endswith("as T-12 (0.83 alike)")
    assert find_factors(calm, read_text(calm), NOW) == ()


def test_an_agents_first_answer_does_not_move_a_deadline() -> None:
    ticket = Ticket(subject="Due by Friday", body="It must go out tomorrow.", created_at=NOW - timedelta(days=1))
    answered = ticket.model_copy(update={"messages": (Message(author="agent", text="Fine."),)})
    for asked in (ticket, answered):
        [deadline] = find_factors(asked, read_text(asked), NOW)
        assert (deadline.name, deadline.points) == ("deadline", 3)


def test_what_is_told_of_an_urgent_ticket_is_only_what_speaks_for_it() -> None:
    effects = {
        "waiting": "urgency +1",
        "words": "+normal",
        "similar": "+urgent",
        "rule": "= urgent",
        "scope": "undecided",
    }
    factors = tuple(Factor(name=name, effect=effect, evidence="said") for name, effect in effects.items())
    chances = tuple(Alternative(value=value, confidence=0.5) for value in ("normal", "urgent"))
    prediction = Prediction(value=None, confidence=0.5, decided=False, alternatives=chances, factors=factors)
    evidence = Evidence("request", TicketText("", "", ""), Language("en", 1.0), ("en",), {"priority": prediction})
    found = urgent_priority(evidence, Policy())
    assert found is not None
    assert found[0] == "priority urgent at 50% (waiting: said; similar: said; rule: said)"
