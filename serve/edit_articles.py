"""Changes articles: one way for the API and for the console, with the same scopes and the same errors."""

from dataclasses import dataclass

from retrieval.articles import Article, to_document
from retrieval.errors import ArticleError
from serve.errors import InvalidRequest, NotAllowed, NotFound, PreconditionFailed
from serve.security.keys import Caller
from serve.services import Services
from serve.storage.article_store import Change, StoredArticle

PUBLISH = "knowledge:publish"
#: What nobody may be told of an article that they may not see: not even that it is there.
NO_ARTICLE = "This desk has no such article."


@dataclass(frozen=True)
class Written:
    """A version as it was stored; is_new: whether the desk had no article by that id."""

    stored: StoredArticle
    is_new: bool


def write_article(
    services: Services, caller: Caller, article: Article, if_version: int | None, must_exist: bool = False
) -> Written:
    """Store a new version; one with the status published is searched from now on.

    if_version: the newest version that the caller knows of, None for whatever it is. Raises `NotAllowed`,
    `InvalidRequest` for what is no article, `PreconditionFailed` where somebody was faster.
    """
    desk = services.desks[caller.desk]
    if article.status == "published" and PUBLISH not in caller.scopes:
        raise NotAllowed(f"This key lacks the scope {PUBLISH!r}; send the status draft, or ask for a key that has it.")
    try:
        to_document(article)
        encoded = desk.encoded(article) if article.status == "published" else None
    except ArticleError as error:
        raise InvalidRequest(f"markdown: {error.problem}; {error.remedy}") from error
    known = services.stores.articles.get(caller.desk, article.id)
    if known is not None and not may_see(caller, known):
        raise NotAllowed("An internal article has this id; take another, or ask for a key with the scope 'internal'.")
    if must_exist and known is None:
        raise PreconditionFailed("the desk has no such article; leave out If-Match to create it")
    change = Change(caller.key_id, services.now(), if_version)
    return Written(services.stores.articles.put(caller.desk, article, encoded, change), known is None)


def remove_article(services: Services, caller: Caller, article_id: str, if_version: int | None) -> None:
    """Take an article away, and keep its versions. Raises `NotFound`, `NotAllowed` or `PreconditionFailed`."""
    stored = services.stores.articles.get(caller.desk, article_id)
    if stored is None or not may_see(caller, stored):
        raise NotFound(NO_ARTICLE)
    if stored.published is not None and PUBLISH not in caller.scopes:
        raise NotAllowed(
            f"This key lacks the scope {PUBLISH!r}, and the article is published; ask for one that has it."
        )
    change = Change(caller.key_id, services.now(), if_version)
    if not services.stores.articles.delete(caller.desk, article_id, change):
        raise NotFound(NO_ARTICLE)


def seen_article(services: Services, caller: Caller, article_id: str, version: int | None = None) -> StoredArticle:
    """Return an article's newest version, or one by number. Raises `NotFound` where the caller may not see it.

    What was made internal is so in all its versions.
    """
    articles = services.stores.articles
    newest = stored = articles.get(caller.desk, article_id)
    if version is not None:
        stored = articles.get(caller.desk, article_id, version)
    if newest is None or stored is None or not (may_see(caller, newest) and may_see(caller, stored)):
        raise NotFound(NO_ARTICLE)
    return stored


def may_see(caller: Caller, stored: StoredArticle) -> bool:
    """Tell whether a caller may see a version: internal ones take the scope `internal`."""
    return stored.article.audience == "public" or "internal" in caller.scopes
