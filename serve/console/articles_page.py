"""Knowledge: which articles there are, what they look like, and how they are written, published and taken away."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from models.errors import EncoderFullError
from retrieval.articles import Article, to_document
from retrieval.errors import ArticleError
from serve.api.articles import ArticleId
from serve.console.article_draft import Draft, version_in
from serve.console.differences import differences
from serve.console.markdown_view import as_html
from serve.console.shell import ConsoleRoute, Form, Reading, Visit, Writing
from serve.console.would_answer import WouldAnswer, would_answer
from serve.edit_articles import PUBLISH, may_see, remove_article, seen_article, write_article
from serve.errors import InvalidRequest, NotAllowed, PreconditionFailed
from serve.storage.article_history import Version, versions_of
from serve.storage.article_store import StoredArticle

router = APIRouter(prefix="/console/articles", include_in_schema=False, route_class=ConsoleRoute)

READ, WRITE = "knowledge:read", "knowledge:write"
SHOWN = 50
#: Articles that are read at a time while those that match are looked for.
BATCH = 200
#: Versions that an article's page names.
VERSIONS = 20
#: How an article stands: published as it is, published with a newer draft, or never published.
STATES = ("served", "behind", "never")


@router.get("")
def articles(
    visit: Reading,
    q: Annotated[str, Query(max_length=200)] = "",
    audience: Annotated[str, Query(max_length=20)] = "",
    status: Annotated[str, Query(max_length=20)] = "",
    done: str = "",
    after: Annotated[str, Query(max_length=64)] = "",
) -> HTMLResponse:
    """The desk's articles by id."""
    visit.need(READ)
    found: list[StoredArticle] = []
    for stored in _all(visit, after):
        one = stored.article
        told = f"{one.id} {one.title}".casefold()
        is_wanted = audience in ("", one.audience) and status in ("", state_of(stored))
        if is_wanted and all(word in told for word in q.casefold().split()):
            found.append(stored)
        if len(found) > SHOWN:
            break
    following = found[SHOWN - 1].article.id if len(found) > SHOWN else None
    return visit.page(
        "articles.html",
        rows=[(stored, state_of(stored)) for stored in found[:SHOWN]],
        q=q,
        audience=audience,
        state=status,
        states=STATES,
        is_first=not after,
        following=following,
        done=_known(visit, done),
    )


@router.get("/new")
def new(visit: Reading) -> HTMLResponse:
    """The editor, empty."""
    visit.need(WRITE)
    return _editor(visit, Draft(audience="internal" if visit.may("internal") else "public"))


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
    try:
        if do not in ("draft", "published"):
            asked = do == "answers"
            return _editor(visit, draft, asked=asked, near=_would_answer(visit, draft) if asked else None)
        article = draft.article(do, visit)
        write_article(visit.services, visit.session.caller, article, draft.version)
    except PreconditionFailed:
        return _overtaken(visit, draft)
    except EncoderFullError:
        return _editor(visit, draft, 429, visit.t("error.busy"))
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
        state=state_of(stored),
        versions=_versions(visit, article_id),
        may_write=visit.may(WRITE),
        may_remove=visit.may(WRITE) and (stored.published is None or visit.may(PUBLISH)),
        asked=asked,
        near=near,
        done=_known(visit, done),
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
    remove_article(visit.services, visit.session.caller, article_id, version_in(form))
    return RedirectResponse("/console/articles?done=removed", 303)


def state_of(stored: StoredArticle) -> str:
    """Return how an article stands, one of `STATES`."""
    if stored.published is None:
        return "never"
    return "behind" if stored.published < stored.latest else "served"


def _known(visit: Visit, done: str) -> str:
    return done if f"articles.done.{done}" in visit.t.known else ""


def _all(visit: Visit, after: str) -> Iterator[StoredArticle]:
    """Yield the articles that somebody may see, by id."""
    while batch := visit.services.stores.articles.list(visit.desk, BATCH, after):
        yield from (stored for stored in batch if may_see(visit.session.caller, stored))
        after = batch[-1].article.id


def _versions(visit: Visit, article_id: str) -> list[Version]:
    """Return the versions of an article that somebody may see."""
    found = versions_of(visit.services.stores.database, visit.desk, article_id, VERSIONS)
    return [one for one in found if one.audience == "public" or visit.may("internal")]


def _would_answer(visit: Visit, draft: Draft) -> WouldAnswer | None:
    """Return what a text would answer; None where it says nothing that could be looked for."""
    one = Article(draft.id or "new", draft.title or "new", draft.markdown, status="published")
    try:
        to_document(one)
        encoded = visit.services.desks[visit.desk].encoded(one)
    except ArticleError:
        return None
    return would_answer(visit.services.stores.database, visit.desk, encoded, visit.now)


def _overtaken(visit: Visit, draft: Draft) -> HTMLResponse:
    """The editor where somebody was faster: what was written, what became of the article, and a way on from there."""
    articles = visit.services.stores.articles
    theirs = articles.get(visit.desk, draft.id)
    if theirs is None or not may_see(visit.session.caller, theirs):
        return _editor(visit, replace(draft, version=0), 412, visit.t("articles.gone"))
    if not draft.version:
        # Whoever goes on as with `faster` would write over an article that they never meant.
        return _editor(visit, draft, 412, visit.t("articles.taken"), theirs=theirs)
    began = articles.get(visit.desk, draft.id, draft.version)
    is_seen = began is not None and may_see(visit.session.caller, began)
    before = f"{began.article.title}\n\n{began.article.markdown}" if began and is_seen else ""
    changes = differences(before, f"{theirs.article.title}\n\n{theirs.article.markdown}")
    going_on = replace(draft, version=theirs.latest)
    return _editor(visit, going_on, 412, visit.t("articles.faster"), theirs=theirs, changes=changes)


def _editor(visit: Visit, draft: Draft, status: int = 200, problem: str = "", **more: Any) -> HTMLResponse:
    shown = {"asked": False, "near": None, "theirs": None, "changes": ()} | more
    return visit.page(
        "article_edit.html",
        status,
        draft=draft,
        html=as_html(draft.markdown),
        problem=problem,
        audiences=("internal", "public") if visit.may("internal") else ("public",),
        may_publish=visit.may(PUBLISH),
        **shown,
    )
