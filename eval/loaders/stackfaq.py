"""StackFAQ (Karan and Šnajder, 2018): questions over the frequently asked ones of Stack Exchange, in other words."""

from pathlib import Path

from eval.loaders.knowledge import Knowledge, as_markdown
from eval.loaders.loaded import Loaded, LoadedArticle
from eval.loaders.source_files import find, read_json_lines, text_at, texts_at

NAME = "stackfaq"


def load(source: Path) -> Loaded:
    """Read a folder of ``faqs.jsonl`` (`id`, `question`, `answers`) and ``queries.jsonl`` (`id`, `text`, `relevant`).

    A question with all its answers is an article; the other wordings are cases. Raises `DataError`.
    """
    faqs, queries = find(source, "faqs.jsonl"), find(source, "queries.jsonl")
    knowledge = Knowledge()
    for line, value in read_json_lines(faqs, ("id", "question", "answers")):
        text = as_markdown("\n".join(texts_at(faqs, line, value, "answers")))
        article = LoadedArticle(text_at(faqs, line, value, "id"), text_at(faqs, line, value, "question"), text)
        knowledge.add_article(faqs, line, article)
    for line, value in read_json_lines(queries, ("id", "text", "relevant")):
        expect = {"articles": knowledge.known(queries, line, texts_at(queries, line, value, "relevant"))}
        question = text_at(queries, line, value, "text")
        knowledge.add_question(queries, line, text_at(queries, line, value, "id"), question, expect)
    return knowledge.loaded(NAME, (faqs, queries), queries)
