from datetime import UTC, datetime, timedelta

import pytest

from triage.outcome import waiting_since
from triage.tickets import Message, Ticket

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
MONDAY = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)


def test_the_clock_starts_with_the_customers_newest_message() -> None:
    messages = (
        Message(author="customer", text="Still stuck.", created_at=MONDAY + timedelta(days=1)),
        Message(author="agent", text="We look.", created_at=MONDAY + timedelta(days=2)),
    )
    ticket = Ticket(body="The till is stuck.", created_at=MONDAY, messages=messages)
    assert waiting_since(ticket, NOW) == MONDAY + timedelta(days=1)


def test_an_answer_by_an_agent_does_not_move_the_start() -> None:
    messages = (Message(author="agent", text="We look.", created_at=MONDAY + timedelta(days=2)),)
    assert waiting_since(Ticket(body="Stuck.", created_at=MONDAY, messages=messages), NOW) == MONDAY


@pytest.mark.parametrize(
    "when", [None, datetime(9999, 12, 31, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC), NOW + timedelta(minutes=10)]
)
def test_a_time_that_cannot_be_counts_as_now(when: datetime | None) -> None:
    assert waiting_since(Ticket(body="Stuck.", created_at=when), NOW) == NOW
