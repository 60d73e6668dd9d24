from datetime import UTC, datetime
from typing import Any

from triage.cleaning import read_text
from triage.thread import MAX_READ, Said, answered_by, read_thread
from triage.tickets import Message, Ticket

AT = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)


def ticket(*messages: tuple[str, str], **more: Any) -> Ticket:
    followed = tuple(Message.model_validate({"author": author, "text": text}) for author, text in messages)
    return Ticket(subject="Till", body="It is stuck.\n\n-- \nJo", messages=followed, **more)


def thread(*messages: tuple[str, str]) -> list[Said]:
    found = ticket(*messages)
    return list(read_thread(found, read_text(found)))


def test_a_thread_numbers_messages_as_they_stand_and_leaves_out_what_nobody_said() -> None:
    assert thread() == [Said(1, "customer", "It is stuck.")]
    assert thread(
        ("bot", "A robot here"), ("agent", "Which till?\n\n> It is stuck."), ("customer", "The left one")
    ) == [
        Said(1, "customer", "It is stuck."),
        Said(3, "agent", "Which till?"),
        Said(4, "customer", "The left one"),
    ]


def test_of_a_long_thread_the_opening_and_the_newest_messages_are_read() -> None:
    found = thread(*[("customer", f"message {number}") for number in range(2, 102)])
    assert len(found) == MAX_READ
    assert [one.number for one in found[:2]] == [1, 101 - MAX_READ + 2]
    assert found[-1] == Said(101, "customer", "message 101")


def test_the_last_word_of_an_agent_answers() -> None:
    replied = Message(author="agent", text="Pull the plug.", created_at=AT)
    assert answered_by(ticket().model_copy(update={"messages": (replied,)})) == (
        "an agent replied on 20 Nov 2026 at 09:05 UTC (message 2), and the customer has not written since"
    )
    assert answered_by(ticket(("agent", "Pull the plug."), ("system", "Status: pending"))).startswith(
        "an agent replied ("
    )


def test_notes_bots_and_earlier_replies_answer_nobody() -> None:
    note = Message(author="agent", text="Ask Ruth", public=False)
    assert answered_by(ticket()) == ""
    assert answered_by(ticket().model_copy(update={"messages": (note,)})) == ""
    assert answered_by(ticket(("bot", "We got your message"))) == ""
    assert answered_by(ticket(("agent", "Pull the plug."), ("customer", "Did that."))) == ""
