"""A person's right to be forgotten."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from serve.erase_requester import DeskHome, Erased, ErasureOrder, erase_requester
from serve.security.callers import caller_with
from serve.security.keys import Caller
from serve.services import Services, services_of
from serve.strict_json import StrictJsonRoute
from triage.tickets import Requester, WireModel

#: At least one character that can be seen, and none that is a control.
VISIBLE = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
router = APIRouter(prefix="/v1/requesters", tags=["data protection"], route_class=StrictJsonRoute)


class ErasedInfo(WireModel):
    """What was removed.

    tickets: their ids; removed: rows by what they are; files: rows of the desk's files that still hold them, by file;
    generations: those that hold what was learnt of them; overwritten: whether the database holds no bytes of what was
    removed any more; to_do: what somebody still has to do, in sentences.
    """

    tickets: tuple[str, ...]
    removed: dict[str, int]
    files: dict[str, int]
    generations: tuple[str, ...]
    overwritten: bool
    to_do: tuple[str, ...]


@router.delete("/{requester_id}")
def delete_requester(
    requester_id: Annotated[str, Path(pattern=VISIBLE, max_length=128)],
    services: Annotated[Services, Depends(services_of)],
    caller: Annotated[Caller, Depends(caller_with("admin"))],
    overwrite: Annotated[
        bool, Query(description="Also overwrite the place they had in the database: nobody can write meanwhile")
    ] = True,
) -> ErasedInfo:
    """Erase a requester by id: tickets, messages, suggestions, feedback, kept answers and vectors of their words.

    Files of the desk's folder and generations that hold them are named, and stay: see `to_do`. The same again does no
    harm.
    """
    place = services.desks[caller.desk].place
    order = ErasureOrder(services.now(), caller.key_id, overwrite=overwrite)
    home = DeskHome(caller.desk, place.folder, place.var)
    return info_of(erase_requester(services.stores.database, home, Requester(id=requester_id), order))


def info_of(done: Erased) -> ErasedInfo:
    """Return what is told of an erasure."""
    return ErasedInfo(
        tickets=done.found.tickets,
        removed=done.counts,
        files={} if done.files_done else done.rows,
        generations=done.generations,
        overwritten=done.overwritten,
        to_do=done.to_do,
    )
