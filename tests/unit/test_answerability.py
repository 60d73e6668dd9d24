"""The chance of an answer: its signals, how it is learnt, and that it survives bad input."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_search import ENCODER, document, search_over

from retrieval.answerability import Answerability, Weights, bundled_weights, signals
from retrieval.documents import Hit
from retrieval.errors import DamagedIndexError
from retrieval.fit_answerability import ENOUGH, examples_of, fit_answerability, report_of
from retrieval.questions import Question, judged, off_topic_texts, questions_from_replies
from retrieval.search import PassageSearch

THINGS = ("kettle", "ladder", "violin", "anchor", "pillow", "hammer", "saddle", "candle", "bucket", "mirror")
DEEDS = ("repair", "return", "order", "clean", "store", "insure")
NAMES = list(Weights.__dataclass_fields__)[1:]


@pytest.fixture(scope="module")
def search() -> PassageSearch:
    return search_over(
        [
            document(
                f"{thing}-{deed}", f"{deed} a {thing}", f"To {deed} the {thing}, ask the {deed} desk about a {thing}."
            )
            for thing in THINGS
            for deed in DEEDS
        ]
    )


def asked(text: str, *articles: str, group: str = "") -> Question:
    return Question(text, ENCODER.encode([text])[0], frozenset(articles), group)


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    known = [
        asked(f"How would somebody {deed} his old {thing} today?", f"{thing}-{deed}", group=thing)
        for thing in THINGS
        for deed in DEEDS
    ]
    return [*known, *(asked(text) for text in off_topic_texts())]


@pytest.fixture(scope="module")
def own(search: PassageSearch, questions: list[Question]) -> Answerability:
    return fit_answerability(search, questions)[0]


def chance(teller: Answerability, search: PassageSearch, text: str, hidden: str = "") -> float:
    hits = search.find(text, ENCODER.encode([text])[0], 30, lambda document: document.id != hidden)
    return teller.chance(text, hits, search.lexical.weight_of)


def named(found: object) -> dict[str, float]:
    assert isinstance(found, np.ndarray)
    return dict(zip(NAMES, found.tolist(), strict=True))


def test_the_signals_say_what_was_found(search: PassageSearch) -> None:
    query = "repair the kettle quickly"
    hits = search.find(query, ENCODER.encode([query])[0], 30)
    found = named(signals(query, hits, search.lexical.weight_of))
    assert found["nearness"] == pytest.approx(max(hit.dense for hit in hits))
    assert found["shared"] == pytest.approx(np.log1p(max(hit.lexical for hit in hits)))
    assert found["length"] == pytest.approx(np.log1p(3))
    assert found["agreement"] == 1.0
    assert found["lead"] > 0
    weigh = search.lexical.weight_of
    known = weigh("repair") + weigh("kettle")
    assert found["coverage"] == pytest.approx(known / (known + weigh("quickly")))


def test_words_that_stand_in_few_passages_weigh_more_and_unknown_ones_most(search: PassageSearch) -> None:
    weigh = search.lexical.weight_of
    assert weigh("kettle") == pytest.approx(np.log(1 + (60 - 6 + 0.5) / (6 + 0.5)))
    assert weigh("unheard") > weigh("kettle") > weigh("repair") > weigh("desk") > 0


def test_the_order_of_the_hits_does_not_matter(search: PassageSearch) -> None:
    query = "clean a mirror"
    hits = search.find(query, ENCODER.encode([query])[0], 30)
    np.testing.assert_allclose(
        np.asarray(signals(query, hits, search.lexical.weight_of)),
        np.asarray(signals(query, hits[::-1], search.lexical.weight_of)),
        rtol=1e-6,
    )


def test_learning_tells_a_question_with_its_article_from_the_same_without(
    search: PassageSearch, own: Answerability
) -> None:
    query = "Could somebody insure this old anchor today?"
    there, hidden = chance(own, search, query), chance(own, search, query, hidden="anchor-insure")
    assert there > 0.5 > hidden
    assert chance(own, search, "Which train goes to Annecy on a Sunday?") < hidden


def test_the_report_is_of_questions_that_were_not_learnt_from(search: PassageSearch, questions: list[Question]) -> None:
    _, report = fit_answerability(search, questions)
    assert report is not None
    assert report.own
    assert report.n == (60, 60 + len(off_topic_texts()))
    assert report.auroc > 0.9
    shuffled = np.random.default_rng(0).permutation(60)
    nonsense = [replace(questions[row], articles=questions[other].articles) for row, other in enumerate(shuffled)]
    _, blind = fit_answerability(search, nonsense)
    assert blind is not None
    assert 0.3 < blind.auroc < 0.7


def test_chances_are_calibrated_on_held_out_questions(search: PassageSearch, questions: list[Question]) -> None:
    _, report = fit_answerability(search, questions)
    assert report is not None
    assert report.calibration_error < 0.15


def test_with_few_questions_the_bundled_weights_stand(search: PassageSearch, questions: list[Question]) -> None:
    few = questions[: ENOUGH - 1]
    teller, report = fit_answerability(search, few)
    assert teller.weights is bundled_weights()
    assert report is not None
    assert not report.own
    assert report == report_of(examples_of(search, few), bundled_weights())


@pytest.mark.parametrize("rows", [slice(0, 0), slice(60, 70)], ids=["none at all", "none with an answer"])
def test_questions_of_one_kind_teach_nothing(search: PassageSearch, questions: list[Question], rows: slice) -> None:
    teller, report = fit_answerability(search, questions[rows])
    assert teller.weights is bundled_weights()
    assert report is None


def test_an_empty_knowledge_base_has_no_chance() -> None:
    empty = search_over([])
    teller, report = fit_answerability(empty, [asked("repair a kettle", "kettle-repair")])
    assert report is None
    assert teller.chance("repair a kettle", [], empty.lexical.weight_of) == 0.0
    assert empty.lexical.weight_of("kettle") > 0


def test_a_knowledge_base_of_one_article_gives_a_chance() -> None:
    alone = search_over([document("only", "Kettle", "Repair the kettle.")])
    teller = Answerability(bundled_weights())
    assert 0 < chance(teller, alone, "repair the kettle") < 1


@pytest.mark.parametrize("query", ["", "the", "🙂", " \n", "?!"])
def test_a_query_without_a_word_of_weight_has_no_chance(search: PassageSearch, own: Answerability, query: str) -> None:
    hits = search.find("kettle", ENCODER.encode(["kettle"])[0], 30)
    assert own.chance(query, hits, search.lexical.weight_of) == 0.0


def test_a_query_of_20_000_words_gets_a_chance(search: PassageSearch, own: Answerability) -> None:
    query = "repair kettle " + " ".join(f"word{number}" for number in range(20_000))
    assert 0 <= chance(own, search, query) < 0.5


word = st.sampled_from(["kettle", "repair", "ladder", "order", "quickly", "the", "🙂", "BR-77120", "unheard"])


@settings(max_examples=50, deadline=None)
@given(st.lists(word, max_size=8).map(" ".join), st.integers(0, 30))
def test_a_chance_is_a_chance(search: PassageSearch, query: str, limit: int) -> None:
    hits: list[Hit] = search.find(query, ENCODER.encode([query])[0], limit) if query else []
    assert 0 <= Answerability(bundled_weights()).chance(query, hits, search.lexical.weight_of) <= 1


def test_a_card_gives_the_same_chances(search: PassageSearch, own: Answerability) -> None:
    read = Answerability.from_card(own.as_card())
    assert read == own
    assert chance(read, search, "store a saddle") == chance(own, search, "store a saddle")


@pytest.mark.parametrize("missing", ["constant", "coverage", "length"])
def test_a_damaged_card_is_refused(own: Answerability, missing: str) -> None:
    card = own.as_card()
    del card[missing]
    with pytest.raises(DamagedIndexError, match="build the desk again"):
        Answerability.from_card(card)
    with pytest.raises(DamagedIndexError, match="build the desk again"):
        Answerability.from_card(own.as_card() | {missing: None})


def test_the_bundled_weights_speak_for_near_leading_and_shared() -> None:
    weights = asdict(bundled_weights())
    assert all(weights[name] > 0 for name in ("nearness", "lead", "shared", "coverage", "agreement"))


def test_a_reply_names_its_article_only_where_meaning_and_words_agree(search: PassageSearch) -> None:
    tickets = ["my thing whistles", "it is late", "hm"]
    replies = ["You can repair the kettle at the repair desk.", "Thank you for your patience.", "🙂"]
    found = questions_from_replies(
        search,
        list(zip(tickets, ENCODER.encode(tickets), strict=True)),
        list(zip(replies, ENCODER.encode(replies), strict=True)),
    )
    assert [(one.text, one.articles) for one in found] == [("my thing whistles", frozenset({"kettle-repair"}))]


def test_judged_marks_the_passages_of_the_articles(search: PassageSearch) -> None:
    [one] = judged(search, [asked("repair a kettle", "kettle-repair")])
    marked = {search.passages[row].document_id for row in one.candidates.rows[one.relevant]}
    assert marked == {"kettle-repair"}
    assert len(one.candidates.rows) == len(one.relevant) > 1
