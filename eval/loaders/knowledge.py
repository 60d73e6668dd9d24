"""Articles and the questions that they should answer, as a loader comes upon them."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from eval.errors import DataError
from eval.loaders.labelled_rows import check_ticket
from eval.loaders.loaded import Loaded, LoadedArticle, counted
from retrieval.plain_text import to_plain_text
from triage.cleaning import safe_unicode

INLINE_MARK = re.compile(r"[\\`*_\[\]<&]")
LEADING_MARK = re.compile(r"[#>+=~|-]|\d+(?=[.)])")
#: A body whose beginning holds a sentence need not be parsed whole to know that it holds one.
BEGINNING = 2_000


class Knowledge:
    """Collects articles and questions over them.

    `left_out` counts what cannot be used: a question or an article without words, and a mention of such an article. An
    id that stands twice, or that no article has, is a `DataError`.
    """

    def __init__(self) -> None:
        self.articles: dict[str, LoadedArticle] = {}
        self.cases: dict[str, dict[str, Any]] = {}
        self.left_out: Counter[str] = Counter()
        self._blank: set[str] = set()

    def add_article(self, path: Path, line: int | None, article: LoadedArticle) -> None:
        """Add an article; one without a title is called by its id."""
        if article.id in self.articles or article.id in self._blank:
            raise DataError(path, line, f"the article id {article.id!r} stands twice", "give one of them another id")
        if not article.id.strip():
            raise DataError(path, line, "the article's id is blank", "give every article an id")
        if not any(to_plain_text(text)[1] for text in (article.text[:BEGINNING], article.text)):
            self.left_out["blank_articles"] += 1
            self._blank.add(article.id)
            return
        title = article.title if article.title.strip() else article.id
        self.articles[article.id] = LoadedArticle(article.id, title, article.text)

    def known(self, path: Path, line: int, ids: Iterable[str]) -> list[str]:
        """Return article ids, each once, without those of blank articles; raise `DataError` for an unknown one."""
        found = []
        for article_id in dict.fromkeys(ids):
            if article_id in self._blank:
                self.left_out["mentions_of_blank_articles"] += 1
            elif article_id in self.articles:
                found.append(article_id)
            else:
                problem = f"no article has the id {article_id!r}"
                raise DataError(path, line, problem, "give the corpus that belongs to the questions")
        return found

    def add_question(self, path: Path, line: int, case_id: str, question: str, expect: dict[str, Any]) -> None:
        """Add a question as a case; `expect` names its `articles`, and a question without any is left out."""
        ticket = {"id": safe_unicode(case_id), "body": safe_unicode(question)}
        if not question.strip() or not expect["articles"]:
            self.left_out["questions_without_article" if question.strip() else "blank_texts"] += 1
            return
        check_ticket(path, line, ticket)
        if ticket["id"] in self.cases:
            raise DataError(path, line, f"the id {case_id!r} stands twice", "give one of them another id")
        self.cases[ticket["id"]] = {"id": ticket["id"], "ticket": ticket, "expect": expect}

    def loaded(self, name: str, sources: Sequence[Path], questions: Path | None = None) -> Loaded:
        """Return all of it; raise `DataError` where no article, or no question of the file `questions`, is left."""
        if not self.articles:
            raise DataError(sources[0], None, "there is no article with words in it", "check that it is the right file")
        if questions is not None and not self.cases:
            raise DataError(questions, None, "there is no question that can be used", "check that it is the right file")
        return Loaded(
            name=name,
            languages=("en",),
            fields={},
            articles=list(self.articles.values()),
            history=(),
            cases=list(self.cases.values()),
            sources=sources,
            left_out=counted(self.left_out),
        )


def as_markdown(plain: str) -> str:
    """Return Markdown that reads as a plain text does: each line a paragraph, and nothing taken for markup."""
    return "\n\n".join(_as_paragraph(line.strip()) for line in plain.splitlines() if line.strip())


def _as_paragraph(line: str) -> str:
    words = INLINE_MARK.sub(r"\\\g<0>", line)
    start = LEADING_MARK.match(words)
    if start is None:
        return words
    # The dot after a number is what makes a list; elsewhere it is the first sign of the line.
    at = start.end() if start.group().isdigit() else 0
    return f"{words[:at]}\\{words[at:]}"
