"""Reads one ticket from JSON text."""

import json

from pydantic import ValidationError

from triage.errors import TicketFileError
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
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        key = ".".join(str(part) for part in fault["loc"]) or "the ticket"
        raise TicketFileError(f"{where}: {key}: {fault['msg']}; correct the ticket") from error
