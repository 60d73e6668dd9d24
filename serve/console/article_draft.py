"""What stands in the editor of an article, and which article it says."""

import re
from dataclasses import dataclass

from pydantic import ValidationError

from retrieval.articles import ID, Article
from serve.api.articles import ArticleBody
from serve.console.shell import Visit
from serve.errors import InvalidRequest
from serve.storage.article_store import StoredArticle

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
        return cls(**known, version=version_in(form) or 0)

    @classmethod
    def of_article(cls, stored: StoredArticle) -> "Draft":
        """Return an article's newest version."""
        one = stored.article
        return cls(
            one.id, one.title, one.markdown, one.audience, one.locale, one.owner, ", ".join(one.tags), stored.latest
        )

    def article(self, status: str, visit: Visit) -> Article:
        """Return the article that it says; raise `InvalidRequest` in the words of whoever wrote it."""
        if not ID.fullmatch(self.id):
            raise InvalidRequest(visit.t("articles.bad_id"))
        if not self.markdown.strip():
            raise InvalidRequest(visit.t("articles.wrong.markdown"))
        given = {name: getattr(self, name) for name in ("title", "markdown", "audience", "locale", "owner")}
        tags = [tag.strip() for tag in self.tags.split(",") if tag.strip()]
        try:
            body = ArticleBody.model_validate({**given, "tags": tags, "status": status})
        except ValidationError as error:
            field = error.errors(include_url=False, include_input=False)[0]["loc"][0]
            raise InvalidRequest(visit.t(f"articles.wrong.{field}")) from error
        return Article(self.id, **body.model_dump() | {"updated": visit.now.date().isoformat()})


def version_in(form: dict[str, str]) -> int | None:
    """Return the version that a form was made for; None where it names none."""
    version = form.get("version", "")
    return int(version) if NUMBER.fullmatch(version) else None
