"""Knowledge: articles put, read and taken away, live in every worker within a second."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import AwareDatetime, ConfigDict, Field, JsonValue, field_validator

from retrieval.articles import ID, MAX_BYTES, Article
from retrieval.markdown_text import readable
from serve.api.pages import Limit, Page
from serve.api.problems import problems
from serve.edit_articles import may_see, remove_article, seen_article, write_article
from serve.etags import etag, version_of
from serve.security.callers import caller_with
from serve.security.keys import Caller
from serve.services import Services, services_of
from serve.storage.article_store import StoredArticle
from serve.strict_json import StrictJsonRoute
from triage.cleaning import safe_unicode
from triage.tickets import Name, ShortText, WireModel

router = APIRouter(prefix="/v1/articles", tags=["knowledge"], route_class=StrictJsonRoute)

Served = Annotated[Services, Depends(services_of)]
Reader = Annotated[Caller, Depends(caller_with("knowledge:read"))]
Writer = Annotated[Caller, Depends(caller_with("knowledge:write"))]
ArticleId = Annotated[str, Path(pattern=f"^{ID.pattern}$", description="Letters, digits, dot, dash, underscore")]
EXAMPLE: dict[str, JsonValue] = {
    "title": "Move to a new phone",
    "markdown": "1. Sign in with your password.\n2. Choose **Use a recovery code**.",
    "audience": "public",
    "status": "published",
}


class ArticleBody(WireModel):
    """An article as it is written. Nobody sees a draft; customers see public ones only."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    title: Annotated[ShortText, Field(min_length=1)]
    markdown: Annotated[str, Field(max_length=MAX_BYTES, description="The article's text, in Markdown")]
    audience: Literal["public", "internal"] = "internal"
    status: Literal["published", "draft"] = "draft"
    locale: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")] = "en"
    owner: ShortText = ""
    tags: tuple[Name, ...] = Field(default=(), max_length=100)

    @field_validator("markdown", mode="before")
    @classmethod
    def _safe(cls, value: object) -> object:
        return readable(safe_unicode(value)) if isinstance(value, str) else value

    @field_validator("title")
    @classmethod
    def _is_seen(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("an article needs a title that can be seen")
        return value


class ArticleRecord(ArticleBody):
    """An article as it is stored.

    version: this one's number; latest: the newest; published: the one that is searched, null where none is.
    """

    id: str
    version: int
    latest: int
    published: int | None
    updated_at: AwareDatetime


@router.put(
    "/{article_id}",
    responses={201: {"model": ArticleRecord, "description": "The desk had no article by that id."}, **problems(412)},
)
def put_article(
    article_id: ArticleId,
    body: ArticleBody,
    services: Served,
    caller: Writer,
    response: Response,
    if_match: Annotated[str | None, Header(description="The ETag that was read: 412 where somebody was faster")] = None,
) -> ArticleRecord:
    """Store a new version of an article, 201 where the desk had none by that id.

    With the status published, which takes the scope `knowledge:publish`, it is searched from now on. A draft is kept
    beside the version that is published, which stays as it is.
    """
    article = Article(article_id, **body.model_dump() | {"updated": services.now().date().isoformat()})
    written = write_article(services, caller, article, version_of(if_match), must_exist=if_match is not None)
    stored = written.stored
    response.status_code = 201 if written.is_new else 200
    response.headers["ETag"] = etag(stored.latest)
    return record_of(stored)


@router.get("/{article_id}", responses=problems(404))
def get_article(
    article_id: ArticleId,
    services: Served,
    caller: Reader,
    response: Response,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="An earlier version")] = None,
) -> ArticleRecord:
    """The newest version of an article, or an earlier one."""
    stored = seen_article(services, caller, article_id, version)
    response.headers["ETag"] = etag(stored.latest)
    return record_of(stored)


@router.get("")
def list_articles(
    services: Served,
    caller: Reader,
    limit: Limit = 50,
    cursor: Annotated[str, Query(pattern=f"^({ID.pattern})?$", description="`next` of the page before")] = "",
) -> Page[ArticleRecord]:
    """The newest versions of all articles, by id; internal ones for keys that may see them."""
    found: list[StoredArticle] = []
    more = True
    # On until the page is full: `next` must not be the id of an article that the caller may not see.
    while more and len(found) <= limit:
        batch = services.stores.articles.list(caller.desk, limit + 1, cursor)
        found += [stored for stored in batch if may_see(caller, stored)]
        more, cursor = len(batch) > limit, batch[-1].article.id if batch else cursor
    following = found[limit - 1].article.id if len(found) > limit else None
    return Page(items=tuple(map(record_of, found[:limit])), next=following)


@router.delete("/{article_id}", status_code=204, responses=problems(404, 412))
def delete_article(
    article_id: ArticleId,
    services: Served,
    caller: Writer,
    if_match: Annotated[str | None, Header(description="The ETag that was read")] = None,
) -> None:
    """Take an article away. One that is published takes the scope `knowledge:publish`."""
    remove_article(services, caller, article_id, version_of(if_match))


def record_of(stored: StoredArticle) -> ArticleRecord:
    """Return a stored version in the shape of the wire."""
    article = stored.article
    return ArticleRecord(
        id=article.id,
        title=article.title,
        markdown=article.markdown,
        audience=article.audience,
        status=article.status,
        locale=article.locale,
        owner=article.owner,
        tags=article.tags,
        version=article.revision,
        latest=stored.latest,
        published=stored.published,
        updated_at=stored.updated_at,
    )
