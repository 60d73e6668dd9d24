"""Long lists, a page at a time: a cursor says where the next page begins, whatever changes meanwhile."""

from typing import Annotated, Generic, TypeVar

from fastapi import Query

from triage.tickets import WireModel

Item = TypeVar("Item")

Limit = Annotated[int, Query(ge=1, le=200, description="How many at most")]


class Page(WireModel, Generic[Item]):
    """A page of a list. next: the cursor of the page behind, null on the last one."""

    items: tuple[Item, ...]
    next: str | None = None
