"""WixQA (Cohen et al., 2025): questions of site owners, experts' answers, and the articles these stand on."""

from pathlib import Path

from eval.errors import DataError
from eval.loaders.article_set import add_articles
from eval.loaders.knowledge import Knowledge
from eval.loaders.loaded import Loaded
from eval.loaders.source_files import find, read_json_lines, text_at, texts_at
from triage.cleaning import safe_unicode

NAME = "wixqa"


def load(source: Path, distractors: Path | None = None, max_distractors: int | None = None) -> Loaded:
    """Read a folder of the corpus and the questions; raise `DataError`.

    Files: ``corpus.jsonl`` or ``wix_kb_corpus.jsonl``, and ``queries.jsonl`` or ``test.jsonl``. distractors: an article
    set whose first `max_distractors` articles (all where None) join the corpus, for without them every article answers
    something.
    """
    corpus = find(source, "corpus.jsonl", "wix_kb_corpus.jsonl", "wix_kb_corpus/wix_kb_corpus.jsonl")
    queries = find(source, "queries.jsonl", "test.jsonl", "wixqa_expertwritten/test.jsonl")
    if max_distractors is not None and distractors is None:
        raise DataError(source, None, "there is nothing to take distractors from", "name their file or folder too")
    if max_distractors is not None and max_distractors < 0:
        raise DataError(source, None, f"there cannot be {max_distractors} distractors", "give a number from 0 up")
    knowledge = Knowledge()
    add_articles(knowledge, corpus)
    sources = [corpus, queries]
    if distractors is not None:
        sources += add_articles(knowledge, distractors, max_distractors)
    for line, value in read_json_lines(queries, ("question", "answer", "article_ids")):
        articles = knowledge.known(queries, line, texts_at(queries, line, value, "article_ids"))
        expect = {
            "articles": articles,
            "answerable": True,
            "reply": safe_unicode(text_at(queries, line, value, "answer")),
        }
        case_id = text_at(queries, line, value, "id") if "id" in value else f"question-{line}"
        knowledge.add_question(queries, line, case_id, text_at(queries, line, value, "question"), expect)
    return knowledge.loaded(NAME, sources, queries)
