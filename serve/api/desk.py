"""What this desk knows, and whether the service is well."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends

from serve.security.callers import caller_with
from serve.security.keys import Caller
from serve.services import Services, services_of
from triage.suggestions import Versions
from triage.taxonomy import Team
from triage.tickets import WireModel

router = APIRouter()


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


class Health(WireModel):
    """Whether the service is well."""

    status: Literal["ok"] = "ok"


@router.get("/v1/desk", tags=["desk"])
def desk(
    services: Annotated[Services, Depends(services_of)], caller: Annotated[Caller, Depends(caller_with("triage"))]
) -> DeskInfo:
    """The desk's labels with their descriptions, and the versions that decide."""
    engine = services.engines[caller.desk]
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


@router.get("/health/live", tags=["health"])
async def live() -> Health:
    """The process answers."""
    return Health()


@router.get("/health/ready", tags=["health"])
def ready(services: Annotated[Services, Depends(services_of)]) -> Health:
    """Desks are loaded and the database answers; 503 where it does not."""
    services.database.ping()
    return Health()
