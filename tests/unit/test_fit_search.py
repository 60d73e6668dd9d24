"""What a desk's search learns from past tickets, and that what it learnt is what is served."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
from small_search import ENCODER, document, search_over

from models.artifact_files import read_json
from retrieval.answerability import bundled_weights
from retrieval.documents import Document
from retrieval.fusion import DEFAULT
from retrieval.questions import off_topic_texts
from triage.desk_files import HistoryRow
from triage.engine import TriageEngine
from triage.fit_search import MAX_TAUGHT, teach_search
from triage.generations import Generations
from triage.tickets import Ticket

THINGS = ("kettle", "ladder", "violin", "anchor", "pillow", "hammer", "saddle", "candle", "bucket", "mirror")
DEEDS = ("repair", "return", "order", "clean", "store", "insure", "paint")
PAIRS = [(thing, deed) for thing in THINGS for deed in DEEDS]


def article(thing: str, deed: str, **changes: object) -> Document:
    return document(
        f"{thing}-{deed}",
        f"{deed} a {thing}",
        f"To {deed} the {thing}, ask the {deed} desk about a {thing}.",
        **changes,
    )


def past(thing: str, deed: str, number: int, resolved: bool = True) -> HistoryRow:
    ticket = Ticket(id=f"t-{number}", subject=f"my old {thing}", body=f"How would somebody {deed} it, the {thing}?")
    return HistoryRow(ticket, {}, f"To {deed} the {thing}, ask the {deed} desk about a {thing}.", resolved)


ARTICLES = [article(thing, deed) for thing, deed in PAIRS]
HISTORY = [past(thing, deed, number) for number, (thing, deed) in enumerate(PAIRS)]


def test_replies_that_lean_on_an_article_teach_weights_of_the_desks_own() -> None:
    search, answerable, report = teach_search(search_over(ARTICLES), HISTORY, ENCODER)
    assert report.questions == len(PAIRS)
    assert search.fusion == report.fusion != DEFAULT
    assert report.answers is not None
    assert report.answers.own
    assert report.answers.n == (len(PAIRS), len(PAIRS) + len(off_topic_texts()))
    assert answerable.weights != bundled_weights()
    assert "70 questions with an answer" in report.sentence()


@pytest.mark.parametrize(
    ("articles", "history"),
    [
        (ARTICLES, []),
        ([], HISTORY),
        (ARTICLES, HISTORY[:5]),
        (ARTICLES, [past(*pair, number, resolved=False) for number, pair in enumerate(PAIRS)]),
        (ARTICLES, [HistoryRow(Ticket(body="x"), {}, "", True)] * 80),
    ],
    ids=["no history", "no article", "too few", "none resolved", "no replies"],
)
def test_where_there_is_nothing_to_learn_from_the_bundled_weights_stand(
    articles: Sequence[Document], history: Sequence[HistoryRow]
) -> None:
    search, answerable, report = teach_search(search_over(articles), history, ENCODER)
    assert search.fusion == DEFAULT
    assert answerable.weights == bundled_weights()
    assert report.sentence()


def test_a_question_that_only_an_internal_article_answers_counts_as_unanswered() -> None:
    inside = [article(thing, deed, audience="internal" if deed == "paint" else "public") for thing, deed in PAIRS]
    _, _, report = teach_search(search_over(inside), HISTORY, ENCODER)
    assert report.answers is not None
    answered = len(PAIRS) - len(THINGS)
    assert report.answers.n == (answered, answered + len(THINGS) + len(off_topic_texts()))


def test_of_a_long_history_so_many_tickets_are_asked_drawn_evenly() -> None:
    encoded: list[str] = []

    class Counting:
        identity, dimension = ENCODER.identity, ENCODER.dimension

        def encode(self, texts: Sequence[str], progress: object = None) -> object:
            encoded.extend(texts)
            return ENCODER.encode(texts)

    long = HISTORY * 30
    teach_search(search_over(ARTICLES), long, Counting())  # type: ignore[arg-type]
    assert len(encoded) == 2 * MAX_TAUGHT + len(off_topic_texts())
    assert len(set(encoded[:MAX_TAUGHT])) == len(PAIRS)


def test_what_was_learnt_is_what_is_served(demo_engine: TriageEngine, demo_var: Path) -> None:
    folder = Generations(demo_var / "generations" / "demo").open_current(pytest.fail).folder
    told = read_json(folder / "report.json")["search"]
    assert told["questions"] > 100
    assert asdict(demo_engine.search.fusion) == told["fusion"] == read_json(folder / "articles.fusion.json")
    assert told["answers"]["own"]
    assert json.loads((folder / "answerability.json").read_bytes()) == asdict(demo_engine.answerable.weights)
