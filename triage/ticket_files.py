"""Reads one ticket from JSON text."""

import json

from pydantic import ValidationError

from triage.errors import TicketFileError
from triage.fault_text import first_fault
from triage.tickets import Ticket

MAX_BYTES = 1_000_000


def parse_ticket_text(data: str | bytes, where: str) -> Ticket:
    """Return the ticket in a JSON text; raise `TicketFileError` naming what is wrong and where."""
    if len(data) > MAX_BYTES:
        raise TicketFileError(f"{where}: larger than 1 MB; shorten the ticket")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise TicketFileError(f"{where}: not JSON ({error}); write one ticket as a JSON object") from error
    try:
        return Ticket.model_validate(value)
    except ValidationError as error:
        raise TicketFileError(f"{where}: {first_fault(error, 'the ticket')}; correct the ticket") from error
