"""What this desk knows."""

from typing import Annotated

from fastapi import APIRouter, Depends

from serve.security.callers import caller_with
from serve.security.keys import Caller
from serve.services import Services, services_of
from serve.strict_json import StrictJsonRoute
from triage.suggestions import Versions
from triage.taxonomy import Team
from triage.tickets import WireModel

router = APIRouter(route_class=StrictJsonRoute)


class LabelInfo(WireModel):
    """A label and what it means; teams also carry their tier and whom to ask."""

    value: str
    description: str
    tier: int | None = None
    next: str | None = None
    escalation: str | None = None


class DeskInfo(WireModel):
    """The desk behind a key."""

    id: str
    name: str
    languages: tuple[str, ...]
    fields: dict[str, tuple[LabelInfo, ...]]
    articles: int
    versions: Versions


@router.get("/v1/desk", tags=["desk"])
def get_desk(
    services: Annotated[Services, Depends(services_of)], caller: Annotated[Caller, Depends(caller_with("triage"))]
) -> DeskInfo:
    """The desk's labels with their descriptions, and the versions that decide."""
    engine = services.engine(caller.desk)
    fields = {
        field: tuple(
            LabelInfo(
                value=value,
                description=label.description,
                tier=label.tier if isinstance(label, Team) else None,
                next=label.next if isinstance(label, Team) else None,
                escalation=label.escalation if isinstance(label, Team) else None,
            )
            for value, label in labels.items()
        )
        for field, labels in engine.rules.taxonomy.fields.items()
    }
    settings = engine.rules.settings
    return DeskInfo(
        id=settings.id,
        name=settings.name,
        languages=settings.languages,
        fields=fields,
        articles=len(engine.search.documents),
        versions=engine.versions,
    )
