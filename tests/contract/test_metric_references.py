"""Every metric agrees with an implementation that is not ours."""

import numpy as np
import pytest
from eval_builders import FIELDS, LABELS, article, case, failed, guessing, prediction, suggestion, values_of
from ir_measures import RR, R, ScoredDoc, Success, calc_aggregate, nDCG
from ir_measures import Qrel as Judged
from rouge_score.rouge_scorer import RougeScorer
from scipy.stats import binomtest, norm
from scipy.stats import t as student
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score, top_k_accuracy_score

from eval.gates import Gate
from eval.metrics.metric import Metric
from eval.outcomes import Outcome
from eval.paired_tests import Difference, Pair, difference_of, holm
from eval.resampling import Resamples, share_interval, value_of
from eval.statistics import aurc, auroc, ece, macro_f1, mean
from triage.suggestions import Draft, DraftSentence

near = pytest.approx
SEEDS = range(5)


def random_guesses(seed: int, n: int = 60) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    # The last label is never true, the first never guessed: both still count in the macro average where they occur.
    return [str(x) for x in rng.choice(LABELS[:3], n)], [str(x) for x in rng.choice(LABELS[1:], n)]


@pytest.mark.parametrize("seed", SEEDS)
def test_accuracy_and_macro_f1_are_those_of_scikit_learn(seed: int) -> None:
    truth, guess = random_guesses(seed)
    found = values_of([Outcome(case(category=t), guessing(g)) for t, g in zip(truth, guess, strict=True)])
    assert found["category.accuracy"] == near(accuracy_score(truth, guess), abs=1e-12)
    assert found["category.macro_f1"] == near(f1_score(truth, guess, average="macro"), abs=1e-12)


def test_macro_f1_with_failures_is_that_of_a_guess_which_is_no_class() -> None:
    truth, guess = random_guesses(7)
    kept = [number % 4 > 0 for number in range(len(truth))]
    outcomes = [
        Outcome(case(category=t), guessing(g)) if ok else failed(category=t)
        for t, g, ok in zip(truth, guess, kept, strict=True)
    ]
    seen = [g if ok else "nothing" for g, ok in zip(guess, kept, strict=True)]
    expected = f1_score(truth, seen, average="macro", labels=LABELS)
    assert values_of(outcomes)["category.macro_f1"] == near(expected, abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("decided", [True, False])
def test_top_3_accuracy_is_that_of_scikit_learn(seed: int, decided: bool) -> None:
    rng = np.random.default_rng(seed)
    labels = [f"l{number}" for number in range(6)]
    chances = rng.dirichlet(np.ones(6), size=50)
    truth = [labels[number] for number in rng.integers(6, size=50)]
    outcomes = []
    for row, label in zip(chances, truth, strict=True):
        ranked = [labels[number] for number in np.argsort(-row)]
        fields = {"category": prediction(ranked[0], decided, others=ranked[1:])}
        outcomes.append(Outcome(case(category=label), suggestion(fields=fields)))
    found = values_of(outcomes, {"category": dict.fromkeys(labels, 0)})
    assert found["category.top3_accuracy"] == near(top_k_accuracy_score(truth, chances, k=3, labels=labels), abs=1e-12)
    assert found["category.top5_accuracy"] == near(top_k_accuracy_score(truth, chances, k=5, labels=labels), abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_auroc_is_that_of_scikit_learn_ties_and_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    positive = rng.random(80) < 0.4
    score = np.round(rng.random(80) * 0.8 + positive * 0.2, 1)
    outcomes = [
        Outcome(case(answerable=bool(p)), suggestion(answerability=s, articles=(article("a", 0.5),)))
        for p, s in zip(positive, score, strict=True)
    ]
    assert values_of(outcomes)["answerable.auroc"] == near(roc_auc_score(positive, score), abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_retrieval_is_that_of_trec_eval(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = np.array([f"kb-{number}" for number in range(30)])
    outcomes, judged, ranked = [], [], []
    for query in range(40):
        relevant = rng.choice(names, rng.integers(1, 15), replace=False).tolist()
        hits = rng.choice(names, rng.integers(0, 11), replace=False).tolist()
        outcomes.append(Outcome(case(articles=relevant), suggestion(articles=tuple(article(name) for name in hits))))
        judged += [Judged(str(query), name, 1) for name in relevant]
        ranked += [ScoredDoc(str(query), name, float(100 - rank)) for rank, name in enumerate(hits)]
    theirs = calc_aggregate([Success @ 1, Success @ 5, Success @ 10, R @ 5, RR @ 10, nDCG @ 10], judged, ranked)
    ours = values_of(outcomes)
    names_of = {"hit_at_1": Success @ 1, "hit_at_5": Success @ 5, "hit_at_10": Success @ 10, "recall_at_5": R @ 5}
    for name, measure in {**names_of, "mrr_at_10": RR @ 10, "ndcg_at_10": nDCG @ 10}.items():
        assert ours[f"retrieval.{name}"] == near(theirs[measure], abs=1e-9), name


def test_overlap_is_that_of_rouge_score() -> None:
    reply = "Pull the plug, wait ten seconds, then start the till again."
    facts = ("Pull the plug out.", "Start the till again after ten seconds.")
    sentences = (
        DraftSentence(text="Hello,", role="greeting"),
        *(DraftSentence(text=fact, role="fact") for fact in facts),
        DraftSentence(text="Wait for us.", role="closing"),
    )
    written = Draft(text="whole", sentences=sentences, source="articles")
    found = values_of([Outcome(case(reply=reply), suggestion(draft=written))])
    theirs = RougeScorer(["rougeL"]).score(reply, " ".join(facts))["rougeL"]
    assert found["draft.rouge_l"] == near(theirs.fmeasure, abs=1e-12)
    assert found["draft.kept_ratio"] == near(theirs.precision, abs=1e-12)


def plain_ece(confidence: list[float], right: list[int], bins: int = 15) -> float:
    """Bins of equal mass, the first ones larger by one where the cases do not divide; no ties."""
    ranked = sorted(zip(confidence, right, strict=True))
    size, more = divmod(len(ranked), bins)
    total, start = 0.0, 0
    for number in range(bins):
        stop = start + size + (number < more)
        part = ranked[start:stop]
        total += abs(sum(c for c, _ in part) - sum(r for _, r in part))
        start = stop
    return total / len(ranked)


@pytest.mark.parametrize("n", [1, 7, 15, 16, 44, 45, 200])
def test_ece_is_that_of_a_plain_loop(n: int) -> None:
    rng = np.random.default_rng(n)
    confidence = rng.permutation(n) / n
    right = (rng.random(n) < confidence).astype(float)
    expected = plain_ece(confidence.tolist(), right.astype(int).tolist())
    assert value_of(ece, np.column_stack((confidence, right))) == near(expected, abs=1e-12)


def test_ece_worked_by_hand() -> None:
    # Two cases, each a bin of its own: |0.9 - 1| and |0.6 - 0|, half each.
    assert value_of(ece, np.array([[0.9, 1.0], [0.6, 0.0]])) == near(0.35, abs=1e-12)
    # Thirty cases, two to a bin, all at 0.5 and every other one right: calibrated.
    assert value_of(ece, np.array([[0.5, 1.0], [0.5, 0.0]] * 15)) == near(0.0, abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 17, 100])
def test_aurc_is_that_of_a_plain_loop(n: int) -> None:
    rng = np.random.default_rng(n)
    confidence, right = rng.permutation(n) / n, (rng.random(n) < 0.6).astype(float)
    ranked = sorted(zip(confidence, right, strict=True), reverse=True)
    risks = [sum(1 - r for _, r in ranked[:k]) / k for k in range(1, n + 1)]
    assert value_of(aurc, np.column_stack((confidence, right))) == near(sum(risks) / n, abs=1e-12)


def test_aurc_worked_by_hand() -> None:
    # Sorted by confidence: right, wrong, right. The risks are 0, 1/2 and 1/3.
    assert value_of(aurc, np.array([[0.7, 1.0], [0.9, 1.0], [0.8, 0.0]])) == near(5 / 18, abs=1e-12)
    # Tied cases cannot be told apart: half wrong at every coverage.
    assert value_of(aurc, np.array([[0.8, 1.0], [0.8, 0.0]])) == near(0.5, abs=1e-12)


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (0, 5), (5, 0), (1, 0), (9, 3), (3, 9), (40, 22)])
def test_mcnemar_is_the_exact_binomial_test(lost: int, won: int) -> None:
    before = np.array([1.0] * lost + [0.0] * won + [1.0] * 100)[:, None]
    after = np.array([0.0] * lost + [1.0] * won + [1.0] * 100)[:, None]
    cases = np.arange(len(before))
    pair = Pair(Metric("m", "made up", lambda outcome: None), (cases, cases), (before, after))
    resamples = Resamples([str(number) for number in cases], 20)
    found = difference_of(pair, Gate(metric="m"), resamples, 0.05)
    expected = binomtest(lost, lost + won, alternative="greater").pvalue if lost + won else 1.0
    assert found.test == "McNemar"
    assert found.p_value == near(expected, abs=1e-12)


def test_holm_worked_by_hand() -> None:
    p_values = (0.01, 0.04, 0.03, 0.005)
    found = holm([Difference(Gate(metric=f"m{p}"), 9, p_value=p) for p in p_values], 0.05)
    assert [entry.adjusted for entry in found] == near([0.03, 0.06, 0.06, 0.02])
    assert [entry.fails for entry in found] == [True, False, False, True]


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (5, 5), (1, 7), (30, 40), (999, 1000)])
def test_a_share_of_separate_cases_has_the_interval_of_wilson(hits: int, n: int) -> None:
    value = hits / n
    # Resamples whose spread is that of n independent cases.
    spread = np.sqrt(value * (1 - value) / n) * np.sqrt((n - 1) / n)
    low, high = share_interval(value, np.array([value - spread, value + spread]), n)
    level = 2 * norm.cdf(student.ppf(0.975, n - 1)) - 1  # the same form with Student's quantile
    theirs = binomtest(hits, n).proportion_ci(level, method="wilson")
    assert (low, high) == near((theirs.low, theirs.high), abs=1e-9)


def test_drawn_resamples_come_close_to_wilson() -> None:
    rows = np.array([1.0] * 60 + [0.0] * 140)[:, None]
    drawn = Resamples([str(number) for number in range(200)], 20)
    low, high = share_interval(0.3, drawn.of(mean, np.arange(200), rows), 200)
    theirs = binomtest(60, 200).proportion_ci(0.95, method="wilson")
    assert (low, high) == near((theirs.low, theirs.high), abs=0.006)


def test_weights_are_repeats_in_the_references_too() -> None:
    rng = np.random.default_rng(3)
    weights = rng.integers(0, 4, size=50).astype(np.uint8)
    truth, guess = rng.integers(4, size=50), rng.integers(4, size=50)
    score, positive = np.round(rng.random(50), 1), rng.random(50) < 0.5
    f1 = macro_f1(np.column_stack((truth, guess)).astype(float), weights[None])
    area = auroc(np.column_stack((score, positive)), weights[None])
    assert f1[0] == near(f1_score(truth.repeat(weights), guess.repeat(weights), average="macro"), abs=1e-12)
    assert area[0] == near(roc_auc_score(positive.repeat(weights), score.repeat(weights)), abs=1e-12)


def test_three_hundred_classes_are_no_trouble() -> None:
    rng = np.random.default_rng(5)
    labels = {f"l{number}": 0 for number in range(300)}
    truth, guess = ([f"l{number}" for number in rng.integers(300, size=900)] for _ in range(2))
    outcomes = [Outcome(case(category=t), guessing(g)) for t, g in zip(truth, guess, strict=True)]
    found = values_of(outcomes, {**FIELDS, "category": labels})
    assert found["category.macro_f1"] == near(f1_score(truth, guess, average="macro"), abs=1e-12)
