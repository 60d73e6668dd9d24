"""Drafts: whether the check of support catches faults, how near drafts are to what people wrote, and handoff.

The sentences are our own, about articles that nothing was developed on: half of them stand in their article, half hold
one planted fault, and half of each are in other words than the article's.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from eval.benches.drafting_handoff import UNSEEN, wording_rows
from eval.benches.drafting_redaction import SETS, redaction_rows
from eval.benches.drafting_replies import reply_rows
from eval.benches.frame import Bar, Row, data_folder, write_bench
from eval.benches.ledger import LEDGER
from eval.benches.systems import note_look
from eval.loaders import load
from eval.loaders.write_desk import write_desk
from models.protocols import TextEncoder
from models.recent_vectors import RecentVectors
from retrieval.article_files import read_articles
from retrieval.documents import Document, Hit
from retrieval.passages import split_into_passages
from retrieval.plain_text import to_plain_text
from triage.assembly import build_engine
from triage.drafting.support import SupportCheck
from triage.risk import proportion_interval

SET = Path("tests/integration/support_set")
#: Faults that stand in a letter or a digit, and those that lie in what is meant.
LITERAL = ("number", "unit", "date", "price", "link", "name", "code", "promise")
MEANT = ("negation", "condition", "actor", "generality", "order")
#: What is to be caught of each, and how often supported sentences may be taken for faulty, by style.
CAUGHT = {"literal": 0.95, "meant": 0.80}
FALSE_ALARMS = {"verbatim": 0.05, "paraphrase": 0.12}


@dataclass(frozen=True)
class Judged:
    """A sentence, what is wrong with it (None: nothing), how it is worded, and whether the check took it."""

    fault: str | None
    style: str
    passed: bool


def main(desk: Path, var: Path, folder: Path = SET, ledger: Path = LEDGER) -> None:
    """Run the bench."""
    started = time.monotonic()
    engine = build_engine(desk, var)
    encoder = engine.encoder
    judged = judge(folder, encoder)
    data = write_desk(load("wixqa", data_folder("wixqa")), var / "bench" / "drafting" / "desk")
    rows, bars, figures = reply_rows("wixqa", data.folder, var, encoder)
    note_look(ledger, datetime.now(UTC).date(), "wixqa: drafts", "all questions", data, figures)
    wording, held = wording_rows(UNSEEN, engine)
    rows = [*fault_rows(judged), *alarm_rows(judged), *rows, *wording, *redaction_rows(SETS)]
    bars = [*fault_bars(judged), *alarm_bars(judged), *bars, *held]
    write_bench("drafting", started, rows, bars, var / "bench")


def judge(folder: Path, encoder: TextEncoder) -> list[Judged]:
    """Hold every sentence of a set against its article."""
    known = RecentVectors(encoder)
    documents = read_articles(folder / "articles")
    checks = {document.id: SupportCheck(hits_of(document), known, encoder.encode) for document in documents}
    rows = [json.loads(line) for line in (folder / "sentences.jsonl").read_text(encoding="utf-8").splitlines()]
    articles = {document.id: _markdown(folder, document.id) for document in documents}
    replies = [as_in_a_reply(row["text"], row["of"], articles[row["article"]]) for row in rows]
    found = [checks[row["article"]](reply) is not None for row, reply in zip(rows, replies, strict=True)]
    return [Judged(row["fault"], row["style"], passed) for row, passed in zip(rows, found, strict=True)]


def _markdown(folder: Path, article: str) -> str:
    return (folder / "articles" / f"{article}.md").read_text(encoding="utf-8")


def hits_of(document: Document) -> list[Hit]:
    """Return all passages of an article, as if they had been found."""
    return [Hit(passage, document, 1.0, 1.0, 0.0, ()) for passage in split_into_passages(document)]


def as_in_a_reply(markdown: str, of: str, article: str) -> str:
    """Return a sentence without marks of Markdown; a row of a table as the writer gives it, with the table's headings.

    of: the row or sentence of the article that it is made from; article: the article's Markdown.
    """
    if not markdown.startswith("|"):
        return to_plain_text(markdown)[0].strip()
    lines = article.splitlines()
    place = lines.index(of.strip())
    head = next(number for number in range(place, -1, -1) if number == 0 or not lines[number - 1].startswith("|"))
    return to_plain_text("\n".join([*lines[head : head + 2], markdown]))[0].strip()


def fault_rows(judged: Sequence[Judged]) -> list[Row]:
    """Return for every kind of fault how many are caught, by style."""
    rows: list[Row] = []
    for fault in (*LITERAL, *MEANT):
        own = [one for one in judged if one.fault == fault]
        styles = {style: _share([one for one in own if one.style == style]) for style in FALSE_ALARMS}
        rows.append({"table": "Faults caught", "fault": fault, "n": len(own), "caught": _share(own), **styles})
    return rows


def alarm_rows(judged: Sequence[Judged]) -> list[Row]:
    """Return how many supported sentences are taken for faulty, by style."""
    return [
        {"table": "Supported sentences taken for faulty", "style": style, "n": len(own), "false alarms": _share(own)}
        for style in FALSE_ALARMS
        for own in [[one for one in judged if one.fault is None and one.style == style]]
    ]


def fault_bars(judged: Sequence[Judged]) -> list[Bar]:
    """Hold what is caught against what should be."""
    groups = {"literal": LITERAL, "meant": MEANT}
    return [
        _bar(f"faults caught, {name}", [one for one in judged if one.fault in groups[name]], least, at_least=True)
        for name, least in CAUGHT.items()
    ]


def alarm_bars(judged: Sequence[Judged]) -> list[Bar]:
    """Hold false alarms against what may be."""
    return [
        _bar(
            f"false alarms, {style}",
            [one for one in judged if one.fault is None and one.style == style],
            most,
            at_least=False,
        )
        for style, most in FALSE_ALARMS.items()
    ]


def _share(judged: Sequence[Judged]) -> dict[str, float]:
    stopped = sum(not one.passed for one in judged)
    low, high = proportion_interval(stopped, len(judged))
    return {"value": stopped / max(1, len(judged)), "low": low, "high": high}


def _bar(name: str, judged: Sequence[Judged], target: float, at_least: bool) -> Bar:
    found = _share(judged)
    holds = found["value"] >= target if at_least else found["value"] <= target
    return Bar(name, found["value"], found["low"], found["high"], f"{'>=' if at_least else '<='} {target:g}", holds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m eval.benches.drafting")
    parser.add_argument("desk", nargs="?", type=Path, default=Path("desks/demo"), metavar="DESK")
    parser.add_argument("--var", type=Path, default=Path("var"), help="where the bench writes its file")
    given = parser.parse_args()
    main(given.desk, given.var)
