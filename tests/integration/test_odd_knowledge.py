"""Desks whose articles are not as one would wish: each is built and asked, or refused with a sentence."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import build_desk

from retrieval.plain_text import LONGEST_TEXT
from triage.assembly import build_engine
from triage.build import BuildReport
from triage.desk_files import read_desk
from triage.engine import TriageEngine
from triage.errors import DeskFileError
from triage.suggestions import Suggestion
from triage.tickets import Ticket

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
Files = dict[str, str | bytes]
MakeDesk = Callable[[Files], Path]
Build = Callable[[Files], tuple[BuildReport, TriageEngine]]


def article(id: str, body: str, title: str = "Reset the till") -> str:
    return f"---\nid: {id}\ntitle: {title}\naudience: public\nstatus: published\n---\n{body}"


TILL = article("till", "Press the reset button below the drawer of the till.\n")


@pytest.fixture
def desk_of(desk_copy: Callable[[], Path]) -> MakeDesk:
    """Returns a function that makes a desk with such article files and no past tickets."""

    def make(files: Files) -> Path:
        folder = desk_copy()
        (folder / "history.jsonl").unlink()
        for path in (folder / "articles").iterdir():
            path.unlink()
        for name, data in files.items():
            (folder / "articles" / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return folder

    return make


@pytest.fixture
def built(desk_of: MakeDesk, tmp_path: Path) -> Build:
    """Returns a function that builds a desk with such article files, and opens its engine."""

    def build(files: Files) -> tuple[BuildReport, TriageEngine]:
        folder = desk_of(files)
        return build_desk(folder, tmp_path / "var"), build_engine(folder, tmp_path / "var")

    return build


def ask(engine: TriageEngine, body: str) -> Suggestion:
    return engine.suggest(Ticket(body=body), "s", NOW)


def reasons(suggestion: Suggestion) -> set[str]:
    return {reason.code for reason in suggestion.handoff.reasons} if suggestion.handoff else set()


def found(suggestion: Suggestion) -> list[str]:
    return [one.article_id for one in suggestion.articles]


@pytest.mark.parametrize(
    "files",
    [{}, {"a.md": "---\nid: a\ntitle: Reset the till\n---\nPress the reset button of the till.\n"}],
    ids=["no file", "only a draft"],
)
def test_without_published_knowledge_a_person_answers_and_is_told_why(built: Build, files: Files) -> None:
    report, engine = built(files)
    assert (report.articles, report.passages, report.drafts_left_out) == (0, 0, len(files))
    suggestion = ask(engine, "How do I reset the till?")
    assert (suggestion.disposition, found(suggestion), suggestion.draft) == ("handoff", [], None)
    assert "no_supporting_article" in reasons(suggestion)


def test_an_article_of_one_word_is_built_and_found_by_it(built: Build) -> None:
    report, engine = built({"a.md": article("a", "Drawer", "T"), "b.md": TILL.replace("drawer", "lid")})
    assert (report.articles, report.passages) == (2, 2)
    assert found(ask(engine, "Where is the drawer?"))[0] == "a"


def test_a_large_article_leaves_the_small_one_findable_and_is_quoted_in_part(built: Build) -> None:
    report, engine = built({"a.md": TILL, "b.md": article("large", "ledger journal postings " * 12_000, "Ledger")})
    assert report.articles == 2
    assert report.passages > 50
    assert found(ask(engine, "How do I reset the till?"))[0] == "till"
    (large,) = (one for one in ask(engine, "ledger journal").articles if one.article_id == "large")
    assert len(large.passage) <= LONGEST_TEXT


def test_broken_articles_are_left_out_and_counted_and_the_sound_one_is_found(built: Build) -> None:
    report, engine = built(
        {
            "a.md": TILL,
            "b.md": article("till", "Another text under an id that is taken.\n"),
            "c.md": "no front matter",
            "d.md": article("d", "Words.").replace("status:", "audience: internal\nstatus:"),
            "e.md": article("e", "# Only a heading\n"),
            "f.md": b"---\nid: f\ntitle: F\n---\ncaf\xe9\n",
            "g.md": "---\nid: g\ntitle: G\n".encode("utf-16"),
        }
    )
    assert (report.articles, report.refused) == (1, 6)
    assert found(ask(engine, "How do I reset the till?")) == ["till"]


def test_each_broken_article_of_a_desk_is_named_with_its_line_and_remedy(
    desk_of: MakeDesk,
) -> None:
    desk = read_desk(desk_of({"a.md": TILL, "b.md": TILL, "c.md": "no front matter", "d.md": article("d", "")}))
    assert [(error.path.name, error.line, error.problem) for error in desk.refused] == [
        ("b.md", 1, "the id 'till' is a.md's already"),
        ("c.md", 1, "there is no front matter"),
        ("d.md", 7, "the article has no text"),
    ]
    assert all(error.remedy for error in desk.refused)


def test_a_desk_of_broken_articles_only_is_refused_with_the_first(built: Build) -> None:
    with pytest.raises(DeskFileError, match=r"a\.md:1: there is no front matter; begin the file with"):
        built({"a.md": "words", "b.md": b"\xff"})


@pytest.mark.parametrize(
    ("body", "kind", "reason", "articles"),
    [
        ("the", "request", "no_supporting_article", []),
        ("🙂🙃🙂", "empty", "empty_message", []),
        ("\u202e\u200b", "empty", "empty_message", []),
        ("How do I reset the till? " + "word " * 20_000, "request", "long_message", ["till"]),
        ("How do I reset the till? " + " ".join(f"W-{n}" for n in range(20_000)), "request", "long_message", ["till"]),
    ],
    ids=["one stop word", "emoji", "invisible", "20,000 words", "20,000 identifiers"],
)
def test_an_odd_question_goes_to_a_person_with_its_reason(
    built: Build, body: str, kind: str, reason: str, articles: list[str]
) -> None:
    _, engine = built({"a.md": TILL})
    suggestion = ask(engine, body)
    assert (suggestion.kind, suggestion.disposition, found(suggestion)) == (kind, "handoff", articles)
    assert suggestion.draft is None
    assert reason in reasons(suggestion)


def test_broken_tables_reach_a_suggestion_as_rows_without_tags(built: Build) -> None:
    table = "<table>\n<tr><th>Plan<th>Price</tr>\n\n<tr><td>Shop<td>9 pounds a month</tr>\n"
    _, engine = built({"a.md": article("a", f"{table}\n|Plan|Till|\n|-|-|\n|Shop|two|three|\n|Solo\n", "Plans")})
    (plans,) = ask(engine, "What is the price of the plan Shop a month?").articles
    assert plans.passage == "Plan – Price\nShop – 9 pounds a month\nShop – Till: two\nSolo"
