"""A ticket's messages in their order, numbered as a note points at them, and whether the last word is the desk's."""

from dataclasses import dataclass
from typing import Literal

from triage.cleaning import TicketText, clean
from triage.tickets import Message, Ticket

#: Of a long thread the opening and the newest messages are read.
MAX_READ = 20


@dataclass(frozen=True)
class Said:
    """One message. number: 1 for the opening message, 2 for the first that followed; text: without quoted mail."""

    number: int
    author: Literal["customer", "agent"]
    text: str


def read_thread(ticket: Ticket, text: TicketText) -> tuple[Said, ...]:
    """Return what customer and agents wrote to each other, the opening first; at most `MAX_READ` messages of it."""
    followed = [(number, message) for number, message in enumerate(ticket.messages, 2) if _is_reply(message)]
    if not followed:
        return (Said(1, "customer", text.latest),)
    said = [Said(1, "customer", clean(ticket.body or ""))]
    for number, message in followed[1 - MAX_READ :]:
        said.append(Said(number, "agent" if message.author == "agent" else "customer", clean(message.text)))
    return tuple(said)


def answered_by(ticket: Ticket) -> str:
    """Say which reply of an agent the customer has not written back to; nothing where the last word is theirs.

    Notes that customers do not see answer nobody, nor do bots.
    """
    followed = [(number, message) for number, message in enumerate(ticket.messages, 2) if _is_reply(message)]
    if not followed or followed[-1][1].author != "agent":
        return ""
    number, message = followed[-1]
    when = f" on {message.created_at:%d %b %Y at %H:%M %Z}" if message.created_at else ""
    return f"an agent replied{when} (message {number}), and the customer has not written since"


def _is_reply(message: Message) -> bool:
    return message.author == "customer" or (message.author == "agent" and message.public)
