"""Cursors of lists that are sorted by time and id: where the next page begins, as one opaque text."""

import base64
import json
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query

from serve.errors import InvalidRequest

Cursor = Annotated[str | None, Query(max_length=900, description="`next` of the page before, as it is")]
NO_CURSOR = "cursor: not one that this list gave out; begin without a cursor"


def cursor_of(at: datetime, id: str) -> str:
    """Return the cursor of the row with this time, which is aware, and this id."""
    told = json.dumps([at.astimezone(UTC).isoformat(), id], ensure_ascii=False)
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """Return time and id of a cursor; raise `InvalidRequest` for a text that `cursor_of` did not make."""
    try:
        at, id = json.loads(base64.b64decode(f"{cursor}{'=' * (-len(cursor) % 4)}", altchars=b"-_", validate=True))
        moment = datetime.fromisoformat(at)
        if cursor_of(moment, id) != cursor or "\0" in id:
            raise ValueError("written otherwise")
        id.encode()  # half a character could not be looked for
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise InvalidRequest(NO_CURSOR) from error
    return moment, id
