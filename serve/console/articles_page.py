"""Knowledge: which articles there are, what they look like, and how they are written, published and taken away."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from retrieval.articles import ID, Article, to_document
from retrieval.errors import ArticleError
from serve.api.articles import ArticleBody, ArticleId
from serve.console.markdown_view import as_html
from serve.console.shell import ConsoleRoute, Form, Reading, Visit, Writing
from serve.console.would_answer import WouldAnswer, would_answer
from serve.edit_articles import PUBLISH, may_see, remove_article, seen_article, write_article
from serve.errors import InvalidRequest, NotAllowed, PreconditionFailed
from serve.storage.article_store import StoredArticle

router = APIRouter(prefix="/console/articles", include_in_schema=False, route_class=ConsoleRoute)

READ, WRITE = "knowledge:read", "knowledge:write"
SHOWN = 50
#: Articles that are read at a time while those that match are looked for.
BATCH = 200
#: A number of a version, as a form sends it.
NUMBER = re.compile(r"\d{1,9}")


@dataclass(frozen=True)
class Draft:
    """What stands in the editor. version: the newest that its writer has seen, 0 for a new article."""

    id: str = ""
    title: str = ""
    markdown: str = ""
    audience: str = "internal"
    locale: str = "en"
    owner: str = ""
    tags: str = ""
    version: int = 0

    @classmethod
    def of_form(cls, form: dict[str, str]) -> "Draft":
        """Return what a form holds."""
        names = ("id", "title", "markdown", "audience", "locale", "owner", "tags")
        known = {name: form[name] for name in names if name in form}
        version = form.get("version", "")
        return cls(**known, version=int(version) if NUMBER.fullmatch(version) else 0)

    @classmethod
    def of_article(cls, stored: StoredArticle) -> "Draft":
        """Return an article's newest version."""
        one = stored.article
        return cls(
            one.id, one.title, one.markdown, one.audience, one.locale, one.owner, ", ".join(one.tags), stored.latest
        )

    def article(self, status: str, visit: Visit) -> Article:
        """Return the article that it says; raise `InvalidRequest`."""
        if not re.fullmatch(ID.pattern, self.id):
            raise InvalidRequest(visit.t("articles.bad_id"))
        given = {name: getattr(self, name) for name in ("title", "markdown", "audience", "locale", "owner")}
        tags = [tag.strip() for tag in self.tags.split(",") if tag.strip()]
        try:
            body = ArticleBody.model_validate({**given, "tags": tags, "status": status})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise InvalidRequest(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        return Article(self.id, **body.model_dump() | {"updated": visit.now.date().isoformat()})


@router.get("")
def articles(
    visit: Reading,
    q: Annotated[str, Query(max_length=200)] = "",
    audience: Annotated[str, Query(max_length=20)] = "",
    after: Annotated[str, Query(max_length=64)] = "",
) -> HTMLResponse:
    """The desk's articles by id."""
    visit.need(READ)
    found: list[StoredArticle] = []
    for stored in _all(visit, after):
        one = stored.article
        if all(word in f"{one.id} {one.title}".casefold() for word in q.casefold().split()) and (
            audience in ("", one.audience)
        ):
            found.append(stored)
        if len(found) > SHOWN:
            break
    following = found[SHOWN - 1].article.id if len(found) > SHOWN else None
    return visit.page("articles.html", rows=found[:SHOWN], q=q, audience=audience, following=following)


@router.get("/new")
def new(visit: Reading) -> HTMLResponse:
    """The editor, empty."""
    visit.need(WRITE)
    return _editor(visit, Draft())


@router.post("/preview")
def preview(visit: Writing, form: Form) -> Response:
    """What a text looks like, as a part of a page: for the editor's script."""
    visit.need(READ)
    return HTMLResponse(str(as_html(form.get("markdown", ""))))


@router.post("/write")
def write(visit: Writing, form: Form) -> Response:
    """Save what stands in the editor, publish it, or only look at it; where it cannot be saved it comes back."""
    visit.need(WRITE)
    draft, do = Draft.of_form(form), form.get("do", "")
    if do not in ("draft", "published"):
        asked = do == "answers"
        return _editor(visit, draft, asked=asked, near=_would_answer(visit, draft) if asked else None)
    try:
        article = draft.article(do, visit)
        write_article(visit.services, visit.session.caller, article, draft.version)
    except PreconditionFailed:
        theirs = visit.services.stores.articles.get(visit.desk, draft.id)
        seen = theirs if theirs and may_see(visit.session.caller, theirs) else None
        return _editor(visit, draft, 412, visit.t("articles.faster"), theirs=seen)
    except (InvalidRequest, NotAllowed) as error:
        return _editor(visit, draft, 403 if isinstance(error, NotAllowed) else 422, str(error))
    return RedirectResponse(f"/console/articles/{quote(draft.id, safe='')}?done={do}", 303)


@router.get("/{article_id}")
def article(
    article_id: ArticleId,
    visit: Reading,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    answers: str = "",
    done: str = "",
) -> HTMLResponse:
    """An article as it is read, and where it stands."""
    visit.need(READ)
    stored = seen_article(visit.services, visit.session.caller, article_id, version)
    asked = answers == "1"
    near = _would_answer(visit, Draft.of_article(stored)) if asked else None
    return visit.page(
        "article.html",
        stored=stored,
        html=as_html(stored.article.markdown),
        may_write=visit.may(WRITE),
        may_remove=visit.may(WRITE) and (stored.published is None or visit.may(PUBLISH)),
        asked=asked,
        near=near,
        done=done if f"articles.done.{done}" in visit.t.known else "",
    )


@router.get("/{article_id}/edit")
def edit(article_id: ArticleId, visit: Reading) -> HTMLResponse:
    """The editor, with an article's newest version."""
    visit.need(WRITE)
    return _editor(visit, Draft.of_article(seen_article(visit.services, visit.session.caller, article_id)))


@router.get("/{article_id}/remove")
def ask_to_remove(article_id: ArticleId, visit: Reading) -> HTMLResponse:
    """Ask once more."""
    visit.need(WRITE)
    return visit.page("article_remove.html", stored=seen_article(visit.services, visit.session.caller, article_id))


@router.post("/{article_id}/remove")
def remove(article_id: ArticleId, visit: Writing, form: Form) -> RedirectResponse:
    """Take an article away; its versions are kept."""
    visit.need(WRITE)
    version = form.get("version", "")
    remove_article(
        visit.services, visit.session.caller, article_id, int(version) if NUMBER.fullmatch(version) else None
    )
    return RedirectResponse("/console/articles", 303)


def _all(visit: Visit, after: str) -> Iterator[StoredArticle]:
    """Yield the articles that somebody may see, by id."""
    while batch := visit.services.stores.articles.list(visit.desk, BATCH, after):
        yield from (stored for stored in batch if may_see(visit.session.caller, stored))
        after = batch[-1].article.id


def _would_answer(visit: Visit, draft: Draft) -> WouldAnswer | None:
    """Return what a text would answer; None where it says nothing that could be looked for."""
    one = Article(draft.id or "new", draft.title or "new", draft.markdown, status="published")
    try:
        to_document(one)
        encoded = visit.services.desks[visit.desk].encoded(one)
    except ArticleError:
        return None
    return would_answer(visit.services.stores.database, visit.desk, encoded, visit.now)


def _editor(visit: Visit, draft: Draft, status: int = 200, problem: str = "", **more: Any) -> HTMLResponse:
    shown = {"asked": False, "near": None, "theirs": None} | more
    html, may_publish = as_html(draft.markdown), visit.may(PUBLISH)
    return visit.page(
        "article_edit.html", status, draft=draft, html=html, problem=problem, may_publish=may_publish, **shown
    )
