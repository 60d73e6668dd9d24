"""The folder layout of BEIR (Thakur et al., 2021), which most public retrieval sets come in."""

from collections import defaultdict
from pathlib import Path

from eval.errors import DataError
from eval.loaders.knowledge import Knowledge, as_markdown
from eval.loaders.loaded import Loaded, LoadedArticle
from eval.loaders.source_files import find, read_csv, read_json_lines, text_at

NAME = "beir"


def load(source: Path, split: str = "test") -> Loaded:
    """Read ``corpus.jsonl``, ``queries.jsonl`` and ``qrels/<split>.tsv``; raise `DataError`.

    A judgement with a score above 0 is relevant. Queries without such a one in this split are left out. An entry of the
    corpus that has only a title has it as its text.
    """
    corpus, queries = find(source, "corpus.jsonl"), find(source, "queries.jsonl")
    qrels = find(source, f"qrels/{split}.tsv")
    knowledge = Knowledge()
    for line, value in read_json_lines(corpus, ("_id", "text")):
        title = text_at(corpus, line, value, "title") if "title" in value else ""
        text = as_markdown(text_at(corpus, line, value, "text")) or as_markdown(title)
        knowledge.add_article(corpus, line, LoadedArticle(text_at(corpus, line, value, "_id"), title, text))
    relevant = _relevant(qrels, knowledge)
    for line, value in read_json_lines(queries, ("_id", "text")):
        query_id = text_at(queries, line, value, "_id")
        expect = {"articles": list(dict.fromkeys(relevant.pop(query_id, ())))}
        knowledge.add_question(queries, line, query_id, text_at(queries, line, value, "text"), expect)
    if relevant:
        problem = f"{queries.name} has no query {next(iter(relevant))!r}"
        raise DataError(qrels, None, problem, "give both of one data set")
    return knowledge.loaded(NAME, (corpus, queries, qrels), queries)


def _relevant(path: Path, knowledge: Knowledge) -> dict[str, list[str]]:
    relevant: dict[str, list[str]] = defaultdict(list)
    for line, row in read_csv(path, ("query-id", "corpus-id", "score"), "\t"):
        try:
            score = float(row["score"])
        except ValueError as error:
            raise DataError(path, line, f"the score {row['score']!r} is no number", "write 0, 1 or more") from error
        if score > 0:
            relevant[row["query-id"]] += knowledge.known(path, line, [row["corpus-id"]])
    return relevant
