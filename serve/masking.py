"""Tickets without personal data, to be written into files."""

from collections.abc import Iterable, Sequence

from triage.drafting.redaction import NOTHING, redact
from triage.tickets import Message, Requester, Ticket


class Masking:
    """Replaces personal data in one text after the other: the same characters by the same placeholder.

    names: people who are known to be spoken of. What is not recognised stays; no way leads back.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names, self._known = names, NOTHING

    def __call__(self, text: str) -> str:
        """Return the text with placeholders, the same for what was met before."""
        hidden, self._known = redact(text, self._known, self._names)
        return hidden


def masked_ticket(ticket: Ticket, others: Iterable[str] = ()) -> tuple[Ticket, Masking]:
    """Return the ticket with typed placeholders for personal data, and the masking for what belongs to it.

    others: names beside the requester's. Requester and headers go but for the requester's tags; ids and tags of the
    ticket stay, and what a person set does not.
    """
    name = ticket.requester.name
    hide = Masking([*([name] if name else []), *sorted(others)])
    thread = tuple(
        Message(author=said.author, text=hide(said.text), created_at=said.created_at, public=said.public)
        for said in ticket.messages
    )
    attributes = {key: hide(value) if isinstance(value, str) else value for key, value in ticket.attributes.items()}
    shown = ticket.model_copy(
        update={
            "subject": None if ticket.subject is None else hide(ticket.subject),
            "body": None if ticket.body is None else hide(ticket.body),
            "requester": Requester(tags=ticket.requester.tags),
            "messages": thread,
            "headers": {},
            "attributes": attributes,
            "set_fields": {},
        }
    )
    return shown, hide
