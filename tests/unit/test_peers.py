"""The peers that are cheap to run, on tasks small enough to check by hand, and what is measured of them."""

from collections.abc import Callable, Iterator, Sequence

import pytest

from eval.peers.classifiers import Majority, TfidfLogisticRegression
from eval.peers.measuring import TIMED_QUERIES, Answers, Peer, measure_peer, peak_mib
from eval.peers.searchers import Bm25, TfidfCosine
from eval.peers.tasks import Example, TaskDocument

EXAMPLES = (
    Example("the till drawer is stuck", "till"),
    Example("my till will not open", "till"),
    Example("the till prints no receipt", "till"),
    Example("which rate of tax applies", "vat"),
    Example("the tax return is wrong", "vat"),
)
DOCUMENTS = (
    TaskDocument("kb-till", "Open the till", "Turn the key of the till drawer to the left."),
    TaskDocument("kb-vat", "Tax rates", "Food is taxed at the lower rate. Other goods at the full rate."),
    TaskDocument("kb-staff", "New colleagues", "Invite colleagues under Settings."),
)


def test_majority_answers_with_the_most_frequent_label_and_its_share() -> None:
    peer = Majority()
    peer.fit(EXAMPLES)
    assert peer.answer(["tax", "till"]) == Answers(["till", "till"], [0.6, 0.6])


def test_majority_takes_the_first_of_equally_frequent_labels() -> None:
    peer = Majority()
    peer.fit([Example("a", "vat"), Example("b", "till")])
    assert peer.answer(["x"]).values == ["vat"]


def test_tfidf_lr_learns_words() -> None:
    peer = TfidfLogisticRegression()
    peer.fit(EXAMPLES)
    answers = peer.answer(["stuck till", "tax rate", "nothing known at all"])
    assert answers.values[:2] == ["till", "vat"]
    assert answers.confidence is not None
    assert all(0.5 <= share <= 1 for share in answers.confidence)
    assert answers.confidence[2] < min(answers.confidence[:2])


def test_tfidf_lr_refuses_a_single_label() -> None:
    with pytest.raises(ValueError, match="at least 2 classes"):
        TfidfLogisticRegression().fit(EXAMPLES[:3])


@pytest.mark.parametrize("make", [TfidfCosine, Bm25])
def test_a_searcher_puts_the_document_with_the_words_first(make: Callable[[], Peer[TaskDocument]]) -> None:
    peer = make()
    peer.fit(DOCUMENTS)
    answers = peer.answer(["the drawer of the till", "tax on goods", "invite colleagues", "xyzzy"])
    assert [ranking[:1] for ranking in answers.values] == [["kb-till"], ["kb-vat"], ["kb-staff"], []]
    assert answers.confidence is None


@pytest.mark.parametrize("make", [TfidfCosine, Bm25])
def test_a_ranking_has_ten_documents_at_most(make: Callable[[], Peer[TaskDocument]]) -> None:
    peer = make()
    peer.fit([TaskDocument(f"kb-{n}", "Tills", f"till number{n}") for n in range(12)] + list(DOCUMENTS))
    (ranking,) = peer.answer(["till number3"]).values
    assert ranking[0] == "kb-3"
    assert len(ranking) == len(set(ranking)) == 10


@pytest.mark.parametrize("make", [TfidfCosine, Bm25])
def test_a_query_is_answered_by_itself(make: Callable[[], Peer[TaskDocument]]) -> None:
    peer = make()
    peer.fit(DOCUMENTS)
    queries = ["the drawer of the till", "tax on goods", "", "invite colleagues to the till"]
    assert [peer.answer([query]).values[0] for query in queries] == peer.answer(queries).values


class Echo:
    """Repeats the query; keeps count of how it was asked."""

    packages = ("numpy",)
    settings = {"loud": False}

    def __init__(self) -> None:
        self.asked: list[int] = []

    def fit(self, material: Sequence[str]) -> None:
        """Learn nothing."""

    def answer(self, queries: Sequence[str]) -> Answers:
        self.asked.append(len(queries))
        return Answers(list(queries), None)


def ticking(*moments: float) -> Callable[[], float]:
    times: Iterator[float] = iter(moments)
    return lambda: next(times)


def test_the_clock_is_read_around_each_step() -> None:
    clock = ticking(0, 2, 5, 10, 10.001, 20, 20.003, 30, 30.5)
    found = measure_peer(Echo, ["x"], ["a", "b", "c"], clock)
    assert found["load_seconds"] == 2
    assert found["fit_seconds"] == 3
    assert found["milliseconds_per_query"] == 3  # the median of 1, 3 and 500
    assert found["answers"] == ["a", "b", "c"]
    assert found["settings"] == {"loud": False}
    assert set(found["versions"]) == {"python", "numpy"}  # type: ignore[call-overload]


def test_queries_are_timed_one_at_a_time_and_not_all_of_many() -> None:
    peer = Echo()
    measure_peer(lambda: peer, ["x"], ["q"] * (TIMED_QUERIES + 50))
    assert peer.asked == [TIMED_QUERIES + 50] + [1] * TIMED_QUERIES


def test_the_peak_counts_what_was_held_and_let_go() -> None:
    before = peak_mib()
    held = bytearray(b"x" * int((before + 64) * 2**20))
    del held
    assert before + 60 < peak_mib()
