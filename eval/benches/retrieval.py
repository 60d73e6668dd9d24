"""Search on public data: the present engine and its peers, over the same questions; what fusing words and meaning
brings; and whether search knows that nothing answers.

Reads WixQA, StackFAQ and the Exchange articles (as distractors) under ``$DATA``. Every run is a look at their test
questions, and is written into the ledger.
"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np

from eval.benches.frame import Bar, Row, data_folder, figure, write_bench
from eval.benches.ledger import LEDGER
from eval.benches.retrieval_answers import answer_rows, elsewhere_rows
from eval.benches.retrieval_fusion import ask_desk, fusion_rows
from eval.benches.systems import FirstlineOnDesk, lead_of, measured, note_look, run_on, try_peer
from eval.loaders import load
from eval.loaders.loaded import Loaded
from eval.loaders.write_desk import write_desk
from eval.metrics.retrieval import hit_at, ndcg_at, reciprocal_rank_at
from eval.outcomes import Outcome
from eval.peers.peers import SEARCHERS, PeerFailure, PeerResult
from eval.peers.tasks import SearchTask, TaskDocument
from eval.statistics import Array, mean
from triage.cleaning import read_text
from triage.desk_files import read_desk
from triage.engine import text_to_search

DISTRACTORS = 300
METRICS: dict[str, Callable[[Sequence[str], set[str]], float]] = {
    "hit@1": lambda ranked, relevant: hit_at(1, ranked, relevant),
    "hit@5": lambda ranked, relevant: hit_at(5, ranked, relevant),
    "hit@10": lambda ranked, relevant: hit_at(10, ranked, relevant),
    "MRR@10": lambda ranked, relevant: reciprocal_rank_at(10, ranked, relevant),
    "nDCG@10": lambda ranked, relevant: ndcg_at(10, ranked, relevant),
}
#: With every distractor there are some 33,000 passages: fusion and answers only.
LARGE = "wixqa + all distractors"
#: Our own desk, whose questions nobody need count looks at.
DEMO = "demo desk"
SETS = ("wixqa", "wixqa + distractors", "stackfaq", "wixqa, half its articles gone", LARGE, DEMO)


#: Where things are made, where looks are noted, and when.
Made = tuple[Path, Path, datetime]


def main(wanted: Sequence[str], var: Path, ledger: Path = LEDGER) -> None:
    """Run the bench over all sets, or those that are named."""
    started, now = time.monotonic(), datetime.now(UTC)
    work = var / "bench" / "retrieval"
    rows: list[Row] = []
    bars: list[Bar] = []
    for name in wanted or SETS:
        found, held = demo_rows(var) if name == DEMO else set_rows(name, work, (var, ledger, now))
        rows += found
        bars += held
    write_bench("retrieval", started, rows, bars, var / "bench")


def demo_rows(var: Path) -> tuple[list[Row], list[Bar]]:
    """Return rows and bars of fusion and of answers over the demo desk's own cases."""
    asked = ask_desk(DEMO, Path("desks/demo"), var)
    (fused, held, _), (told, kept, _) = fusion_rows(asked), answer_rows(asked)
    return [*fused, *told], [*held, *kept]


def set_rows(name: str, work: Path, made: Made) -> tuple[list[Row], list[Bar]]:
    """Return all rows and bars of a public set."""
    loaded = load_set(name)
    rows = [] if name == LARGE else ranked_rows(name, loaded, work, made)
    if "gone" in name:
        return rows, []
    fused, bars = fused_rows(name, loaded, work, made)
    return [*rows, *fused], bars


def ranked_rows(name: str, loaded: Loaded, work: Path, made: Made) -> list[Row]:
    """Build and run a set with the commands that a user has, and its peers; note the look."""
    var, ledger, now = made
    ours = run_on(loaded, folder_of(name), work, var)
    outcomes = list(ours.run.outcomes())
    found = [] if "gone" in name else search_rows(name, ours, outcomes, work)
    figures = {str(row["system"]): value_in(row, "hit@1") for row in found if "hit@1" in row}
    abstained = ours.run["answerable.auroc"].value
    note_look(ledger, now.date(), name, "all questions", ours.data, figures or {"answerable.auroc": abstained or 0.0})
    return found or [answerable_row(name, ours)]


def fused_rows(name: str, loaded: Loaded, work: Path, made: Made) -> tuple[list[Row], list[Bar]]:
    """Return rows and bars of fusion and of answers over a set; note the look."""
    var, ledger, now = made
    data = write_desk(loaded, work / folder_of(name) / "desk")
    asked = ask_desk(name, data.folder, var)
    parts = [fusion_rows(asked), answer_rows(asked)]
    elsewhere = set(asked.search.documents).difference(*(question.articles for question in asked.questions))
    if "distractors" in name:
        parts.append(elsewhere_rows(asked, elsewhere))
    figures = {
        f"{number}: {what}": value for number, (_, _, told) in enumerate(parts, 1) for what, value in told.items()
    }
    note_look(ledger, now.date(), f"{name}: fusion, answers", "all questions", data, figures)
    return [row for rows, _, _ in parts for row in rows], [bar for _, bars, _ in parts for bar in bars]


def folder_of(name: str) -> str:
    """Return a set's name as that of a folder."""
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def load_set(name: str) -> Loaded:
    """Load a set from ``$DATA``."""
    if name == "stackfaq":
        return load("stackfaq", data_folder("stackfaq"))
    if name == "wixqa":
        return load("wixqa", data_folder("wixqa"))
    articles = next(data_folder("kb_exchange").glob("articles.jsonl*"))
    most = None if name == LARGE else DISTRACTORS
    loaded = load("wixqa", data_folder("wixqa"), distractors=articles, max_distractors=most)
    return half_answered(loaded) if "gone" in name else loaded


def half_answered(loaded: Loaded) -> Loaded:
    """Take away half of the articles that answer, by the hash of their ids: half of the questions have no answer."""
    expected = {article for case in loaded.cases for article in case["expect"]["articles"]}
    gone = {article for article in expected if sha256(article.encode()).digest()[0] % 2}
    cases = [{**case, "expect": _left(case["expect"]["articles"], gone)} for case in loaded.cases]
    return replace(loaded, articles=[article for article in loaded.articles if article.id not in gone], cases=cases)


def _left(articles: Sequence[str], gone: set[str]) -> dict[str, object]:
    left = [article for article in articles if article not in gone]
    return {"articles": left, "answerable": True} if left else {"answerable": False}


def search_rows(name: str, ours: FirstlineOnDesk, outcomes: Sequence[Outcome], work: Path) -> list[Row]:
    """Return one row per system."""
    relevant = [set(outcome.case.expect["articles"]) for outcome in outcomes]
    ranked = [
        [hit.article_id for hit in outcome.suggestion.articles] if outcome.suggestion else [] for outcome in outcomes
    ]
    names = {
        "hit@1": "hit_at_1",
        "hit@5": "hit_at_5",
        "hit@10": "hit_at_10",
        "MRR@10": "mrr_at_10",
        "nDCG@10": "ndcg_at_10",
    }
    figures = {shown: figure(ours.run[f"retrieval.{metric}"]) for shown, metric in names.items()}
    rows: list[Row] = [
        {
            "table": name,
            "system": "Firstline",
            "n": len(outcomes),
            **figures,
            "Firstline ahead by (nDCG@10)": None,
            **ours.cost(),
        }
    ]
    task = SearchTask(documents_of(ours.data.folder), tuple(text_to_search(read_text(o.case.ticket)) for o in outcomes))
    for peer in SEARCHERS:
        found = try_peer(peer, task, work / "peers" / name.replace(" ", "-"), work.parents[1])
        rows.append(peer_row(name, found, relevant, ranked))
    return rows


def peer_row(
    name: str, found: PeerResult | PeerFailure, relevant: Sequence[set[str]], ours: Sequence[Sequence[str]]
) -> Row:
    """Return a peer's row; ours: what Firstline ranked."""
    if isinstance(found, PeerFailure):
        return {"table": name, "system": found.peer, "n": str(found)}
    figures = {shown: measured(mean, scores(metric, found.rankings, relevant)) for shown, metric in METRICS.items()}
    ndcg = METRICS["nDCG@10"]
    return {
        "table": name,
        "system": found.peer,
        "n": len(relevant),
        **figures,
        "Firstline ahead by (nDCG@10)": lead_of(
            mean, scores(ndcg, ours, relevant), scores(ndcg, found.rankings, relevant)
        ),
        "fit s": round(found.fit_seconds, 1),
        "ms per query": found.milliseconds_per_query,
        "peak MiB": round(found.peak_mib),
    }


def scores(
    metric: Callable[[Sequence[str], set[str]], float], ranked: Sequence[Sequence[str]], relevant: Sequence[set[str]]
) -> Array:
    """Return a metric of every question, shape (questions, 1)."""
    return np.array([[metric(ids, wanted)] for ids, wanted in zip(ranked, relevant, strict=True)], dtype=np.float64)


def answerable_row(name: str, ours: FirstlineOnDesk) -> Row:
    """Return how well Firstline knows that nothing answers."""
    return {
        "table": name,
        "system": "Firstline",
        "n": ours.run["answerable.auroc"].n,
        "AUROC of the chance": figure(ours.run["answerable.auroc"]),
        "abstained, no answer there": figure(ours.run["answerable.abstained_on_unanswerable"]),
        "abstained, answer there": figure(ours.run["answerable.abstained_on_answerable"]),
        "hit@5, answer there": figure(ours.run["retrieval.hit_at_5"]),
    }


def documents_of(desk: Path) -> tuple[TaskDocument, ...]:
    """Return the desk's articles as plain text, as Firstline reads them."""
    return tuple(TaskDocument(article.id, article.title, article.text) for article in read_desk(desk).articles)


def value_in(row: Row, column: str) -> float:
    """Return a figure of a row."""
    cell = row[column]
    return float(cell["value"]) if isinstance(cell, dict) else float("nan")


if __name__ == "__main__":
    main(sys.argv[1:], Path("var"))
