import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.errors import DataError
from eval.loaders import article_set, beir, stackfaq, wixqa
from eval.loaders.knowledge import as_markdown
from eval.loaders.loaded import Loaded
from retrieval.plain_text import to_plain_text

CORPUS = [
    {"id": "a1", "title": "Paying", "text": "Paying\nUse a *card*."},
    {"id": "a2", "title": "Shipping", "contents": "Two days."},
]
QUESTIONS = [{"id": "q1", "question": "How do I pay?", "answer": "By card.", "article_ids": ["a1", "a2", "a1"]}]


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def fault(read: Callable[[], Loaded]) -> str:
    with pytest.raises(DataError) as caught:
        read()
    return str(caught.value)


@pytest.fixture
def wix(tmp_path: Path) -> Path:
    lines(tmp_path / "corpus.jsonl", *CORPUS)
    lines(tmp_path / "queries.jsonl", *QUESTIONS)
    return tmp_path


def test_wixqa_is_articles_and_cases(wix: Path) -> None:
    loaded = wixqa.load(wix)
    assert [(article.id, article.title, article.text) for article in loaded.articles] == [
        ("a1", "Paying", r"Use a \*card\*."),
        ("a2", "Shipping", "Two days."),
    ]
    assert loaded.cases == [
        {
            "id": "q1",
            "ticket": {"id": "q1", "body": "How do I pay?"},
            "expect": {"articles": ["a1", "a2"], "answerable": True, "reply": "By card."},
        }
    ]


def test_wixqa_reads_the_names_of_the_original(tmp_path: Path) -> None:
    lines(tmp_path / "wix_kb_corpus" / "wix_kb_corpus.jsonl", *CORPUS)
    question = {key: value for key, value in QUESTIONS[0].items() if key != "id"}
    lines(tmp_path / "wixqa_expertwritten" / "test.jsonl", question)
    assert [case["id"] for case in wixqa.load(tmp_path).cases] == ["question-1"]


def test_the_first_distractors_join_the_corpus(wix: Path) -> None:
    others = [
        {"id": f"docs/{number}.md", "title": "T", "description": "A list.", "markdown": "- x"} for number in (1, 2)
    ]
    distractors = lines(wix / "others" / "articles.jsonl", *others)
    loaded = wixqa.load(wix, distractors, 1)
    assert [article.id for article in loaded.articles] == ["a1", "a2", "docs/1.md"]
    assert loaded.articles[2].text == "A list.\n\n- x"
    assert loaded.sources[2] == distractors
    assert len(wixqa.load(wix, distractors).articles) == 4
    assert fault(lambda: wixqa.load(wix, max_distractors=3)).startswith(f"{wix}: there is nothing to take distractors")
    assert fault(lambda: wixqa.load(wix, distractors, -1)).startswith(f"{wix}: there cannot be -1 distractors")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"article_ids": ["a9"]}, "no article has the id 'a9'; give the corpus that belongs to the questions"),
        ({"article_ids": "a1"}, "article_ids is not a list of texts"),
        ({"answer": 5}, "answer is not a text"),
        ({"question": None}, "question is missing"),
        ({}, "the id 'q1' stands twice; give one of them another id"),
        ({"id": "q" * 200}, "id: String should have at most 128"),
    ],
)
def test_a_fault_in_a_question_is_named(wix: Path, change: dict[str, Any], said: str) -> None:
    path = lines(wix / "queries.jsonl", QUESTIONS[0], QUESTIONS[0] | change)
    assert fault(lambda: wixqa.load(wix)).startswith(f"{path}:2: {said}")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (CORPUS[0], "the article id 'a1' stands twice; give one of them another id"),
        ({"id": "a3", "title": "T"}, "the article has no body; give it one of the keys markdown, text, body, contents"),
        ({"id": "a3", "title": 5, "text": "x"}, "title is not a text"),
        ({"id": " ", "title": "T", "text": "x"}, "the article's id is blank; give every article an id"),
    ],
)
def test_a_fault_in_an_article_is_named(wix: Path, row: dict[str, Any], said: str) -> None:
    path = lines(wix / "corpus.jsonl", *CORPUS, row)
    assert fault(lambda: wixqa.load(wix)).startswith(f"{path}:3: {said}")


def test_what_has_no_words_is_left_out_and_counted(wix: Path) -> None:
    lines(wix / "corpus.jsonl", *CORPUS, {"id": "a3", "title": "Empty", "markdown": "# Empty\n\n---\n"})
    again = QUESTIONS[0] | {"id": "q2", "article_ids": ["a3"]}
    lines(wix / "queries.jsonl", QUESTIONS[0], again, QUESTIONS[0] | {"id": "q3", "question": "\n"})
    loaded = wixqa.load(wix)
    assert (len(loaded.articles), len(loaded.cases)) == (2, 1)
    assert loaded.left_out == {
        "blank_articles": 1,
        "blank_texts": 1,
        "mentions_of_blank_articles": 1,
        "questions_without_article": 1,
    }


def test_files_in_which_nothing_can_be_used_are_refused(wix: Path) -> None:
    queries = lines(wix / "queries.jsonl")
    assert fault(lambda: wixqa.load(wix)).startswith(f"{queries}: there is no question that can be used")
    corpus = lines(wix / "corpus.jsonl", {"id": "a1", "title": "T", "text": ""})
    assert fault(lambda: article_set.load(corpus)).startswith(f"{corpus}: there is no article with words in it")
    empty = lines(wix / "empty.jsonl")
    assert fault(lambda: article_set.load(empty)).startswith(f"{empty}: there is no article; name a folder")


def test_stackfaq_is_a_question_with_its_answers(tmp_path: Path) -> None:
    lines(tmp_path / "faqs.jsonl", {"id": "f1", "question": "How to strike?", "answers": ["Use <s>.", "1. Or ~~x~~"]})
    lines(tmp_path / "queries.jsonl", {"id": "q1", "text": "striking out", "relevant": ["f1"]})
    loaded = stackfaq.load(tmp_path)
    assert loaded.articles[0].title == "How to strike?"
    assert to_plain_text(loaded.articles[0].text)[0] == "Use <s>.\n1. Or ~~x~~\n"
    assert loaded.cases[0]["expect"] == {"articles": ["f1"]}


@pytest.fixture
def thesis(tmp_path: Path) -> Path:
    corpus = [{"_id": "d1", "title": "", "text": "Bees dance."}, {"_id": "d2", "title": "Ants", "text": ""}]
    lines(tmp_path / "corpus.jsonl", *corpus)
    lines(tmp_path / "queries.jsonl", {"_id": "1", "text": "who dances"}, {"_id": "2", "text": "who sings"})
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\td1\t2\n1\td2\t1\n2\td1\t0\n")
    return tmp_path


def test_beir_keeps_the_queries_that_are_judged_relevant(thesis: Path) -> None:
    loaded = beir.load(thesis)
    assert [(article.title, article.text) for article in loaded.articles] == [("d1", "Bees dance."), ("Ants", "Ants")]
    assert [(case["id"], case["expect"]) for case in loaded.cases] == [("1", {"articles": ["d1", "d2"]})]
    assert loaded.left_out == {"questions_without_article": 1}
    assert [path.name for path in loaded.sources] == ["corpus.jsonl", "queries.jsonl", "test.tsv"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1\td9\t1", ":2: no article has the id 'd9'; give the corpus"),
        ("1\td1\tyes", ":2: the score 'yes' is no number; write 0, 1 or more"),
        ("1 d1 1", ":2: the record has 1 values, and the header 3"),
        ("9\td1\t1", ": queries.jsonl has no query '9'; give both of one data set"),
    ],
)
def test_a_fault_in_a_judgement_is_named(thesis: Path, row: str, said: str) -> None:
    path = thesis / "qrels" / "dev.tsv"
    path.write_text(f"query-id\tcorpus-id\tscore\n{row}\n")
    assert fault(lambda: beir.load(thesis, split="dev")).startswith(f"{path}{said}")


def test_an_article_set_may_be_a_folder_of_markdown(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.md").write_text("---\nid: kb-1\ntitle: 'Paying: how'\nms.date: 1\n---\nBy card.\n", encoding="utf-8")
    (tmp_path / "b.md").write_text("---\nid: kb-2\naudience: internal\n---\nSecret.\n", encoding="utf-8")
    (tmp_path / "deep" / "c d.md").write_text("# Shipping #\n\nTwo days.\n", encoding="utf-8")
    loaded = article_set.load(tmp_path)
    assert [(article.id, article.title) for article in loaded.articles] == [
        ("kb-1", "Paying: how"),
        ("deep/c d.md", "Shipping"),
    ]
    assert loaded.left_out == {"articles_not_public": 1}
    assert [path.name for path in loaded.sources] == ["a.md", "c d.md"]
    broken = tmp_path / "d.md"
    broken.write_text("---\ntitle: a: b\n---\nText.\n", encoding="utf-8")
    assert fault(lambda: article_set.load(tmp_path)).startswith(f"{broken}:2: the front matter does not parse")


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.sampled_from("#*_`-+.>|~=<&[]()\\!1 \n")))
def test_plain_text_reads_the_same_as_markdown(text: str) -> None:
    assert to_plain_text(as_markdown(text))[0].split() == text.split()
