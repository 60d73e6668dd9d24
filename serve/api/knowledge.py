"""Knowledge search."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import ConfigDict, Field

from serve.errors import NotAllowed
from serve.security.callers import caller_with
from serve.security.keys import Caller
from serve.services import Services, services_of
from serve.strict_json import StrictJsonRoute
from triage.suggestions import ArticleHit
from triage.tickets import Text, WireModel

router = APIRouter(prefix="/v1", tags=["knowledge"], route_class=StrictJsonRoute)


class SearchRequest(WireModel):
    """A question; internal articles only where the key may see them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"query": "how do I get a refund", "limit": 3}]})

    query: Text
    limit: int = Field(default=5, ge=1, le=50)
    audience: Literal["public", "internal"] = "public"


class SearchAnswer(WireModel):
    """The passages found, best first; none for a query without a word to search for."""

    hits: tuple[ArticleHit, ...]


@router.post("/search")
def search(
    request: SearchRequest,
    services: Annotated[Services, Depends(services_of)],
    caller: Annotated[Caller, Depends(caller_with("knowledge:read"))],
) -> SearchAnswer:
    """Find passages; `audience: internal` searches public and internal articles."""
    internal = request.audience == "internal"
    if internal and "internal" not in caller.scopes:
        raise NotAllowed("This key lacks the scope 'internal'; search with audience public.")
    hits = services.engine(caller.desk).find_articles(request.query, request.limit, internal)
    return SearchAnswer(hits=tuple(hits))
