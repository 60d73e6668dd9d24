"""A ticket as it arrives, on the wire and in files alike."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StrictBool,
    model_validator,
)
from pydantic_core import PydanticKnownError

from triage.cleaning import safe_unicode

MAX_TEXT = 200_000
NUMBER = re.compile(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")


def _up_to(longest: int) -> BeforeValidator:
    """Make text safe where it is no longer than so many characters, counted as they were sent."""

    def safe(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if len(value) > longest:
            raise PydanticKnownError("string_too_long", {"max_length": longest})
        return safe_unicode(value)

    return BeforeValidator(safe)


def _no_number(value: Any) -> Any:
    """Refuse a number of seconds or milliseconds, of which nobody could tell which is meant."""
    if isinstance(value, int | float) or (isinstance(value, str) and NUMBER.fullmatch(value.strip())):
        raise ValueError("a time is written as 2026-11-21T10:00:00Z, not as a number")
    return value


#: An aware time, as RFC 3339 writes it.
Moment = Annotated[AwareDatetime, BeforeValidator(_no_number)]
#: Any text from outside: lone surrogates replaced, NUL and other control characters dropped, before anything else.
Text = Annotated[str, _up_to(MAX_TEXT), Field(max_length=MAX_TEXT)]
HeaderText = Annotated[str, _up_to(20_000), Field(max_length=20_000)]
ShortText = Annotated[str, _up_to(1_000), Field(max_length=1_000)]
Name = Annotated[str, _up_to(128), Field(min_length=1, max_length=128)]


class WireModel(BaseModel):
    """Base of all wire shapes: frozen, and an unknown key is an error rather than a loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Requester(WireModel):
    """Who asks."""

    id: Name | None = None
    name: ShortText | None = None
    email: ShortText | None = None
    tags: tuple[Name, ...] = Field(default=(), max_length=100)


class Message(WireModel):
    """What followed the opening message."""

    author: Literal["customer", "agent", "bot", "system"]
    text: Text
    created_at: Moment | None = None
    public: StrictBool = True


class Ticket(WireModel):
    """A ticket. `subject` and `body` are the opening message, `messages` what followed, in order.

    set_fields: label by field, of what a person has set; these are never overwritten. ``{"kind": "request"}`` says that
    somebody wants an answer, whatever the gate says.
    """

    id: Name | None = None
    subject: ShortText | None = None
    body: Text | None = None
    channel: Name | None = None
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")] | None = None
    created_at: Moment | None = None
    requester: Requester = Requester()
    messages: tuple[Message, ...] = Field(default=(), max_length=500)
    headers: dict[Name, HeaderText] = Field(default={}, max_length=200)
    tags: tuple[Name, ...] = Field(default=(), max_length=100)
    attributes: dict[Name, bool | int | FiniteFloat | ShortText | None] = Field(default={}, max_length=100)
    set_fields: dict[Name, Name] = Field(default={}, max_length=100)

    @model_validator(mode="after")
    def _has_text(self) -> "Ticket":
        if self.subject is None and self.body is None:
            raise ValueError("a ticket needs a subject or a body; send at least one of them, blank if it was blank")
        return self
