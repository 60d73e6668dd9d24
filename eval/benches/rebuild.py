"""What a desk's knowledge costs to build: beside the encoder alone, and again after one article was changed.

Reads the Exchange articles under ``$DATA``: a sample of them, spread over all, or with ``--all`` every one. The encoder
alone gets the same passages' texts in the same process, in turns with the builds.
"""

import argparse
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from eval.benches.frame import Bar, Row, data_folder, write_bench
from eval.benches.measured_process import Taken, run_firstline
from eval.errors import BenchError
from eval.loaders import load
from eval.loaders.write_desk import write_desk
from models.protocols import FloatArray, TextEncoder
from retrieval.article_files import read_articles
from retrieval.dense_index import DenseIndex
from retrieval.lexical_index import LexicalIndex
from retrieval.passages import split_into_passages, text_to_encode
from triage.assembly import encoder_for_build, encoders_in
from triage.build import build_search
from triage.desk_files import read_desk

SAMPLE, ROUNDS = 400, 3
#: Of what the encoder alone does in a second, so much at least; seconds for a build after one change, at most.
SHARE, REBUILD_S = 0.9, 5.0
#: The encoder's own first passes are slower.
WARM = 64

Timer = Callable[[], float]


@dataclass(frozen=True)
class Round:
    """Seconds, all on the same articles: of the encoder alone, of `build_search`, and of what comes beside it."""

    encode: float
    build: float
    parse: float
    cut: float
    dense: float
    lexical: float

    @property
    def share(self) -> float:
        """The speed of building an index, as a share of the encoder's."""
        return self.encode / self.build

    @property
    def share_with_parsing(self) -> float:
        """The same, with the reading of the articles' files."""
        return self.encode / (self.parse + self.build)


@dataclass(frozen=True)
class Measured:
    """Rounds over so many articles and passages."""

    articles: int
    passages: int
    rounds: tuple[Round, ...]

    def seconds(self, part: str) -> float:
        """Return the median of a part."""
        return float(median(getattr(each, part) for each in self.rounds))


def main(desk: Path, var: Path, most: int | None = SAMPLE, rounds: int = ROUNDS) -> None:
    """Run the bench. most: take so many articles; None: all."""
    started = time.monotonic()
    work = var / "bench" / "rebuild"
    shutil.rmtree(work, ignore_errors=True)
    exchange, own = exchange_desk(work / "exchange", most), own_var(work / "var", var)
    encoder = encoder_for_build(read_desk(exchange), own)
    found = measure(exchange, encoder, rounds)
    rows, bars = [beside_encoder(found), *parts(found)], speed_bars(found)
    copy = work / "demo"
    shutil.copytree(desk, copy)
    for name, folder in (desk.name, copy), (f"{found.articles:,} Exchange articles", exchange):
        first, again = rebuilt(folder, own, work, rounds)
        rows.append(rebuild_row(name, first, again))
        bars.append(rebuild_bar(name, again))
    write_bench("rebuild", started, rows, bars, var / "bench")


def exchange_desk(folder: Path, most: int | None) -> Path:
    """Write a desk of Exchange articles, so many of them, evenly over all, and no history."""
    loaded = load("article_set", data_folder("kb_exchange") / "articles.jsonl.gz")
    count = min(most or len(loaded.articles), len(loaded.articles))
    articles = [loaded.articles[place * len(loaded.articles) // count] for place in range(count)]
    write_desk(replace(loaded, articles=articles), folder)
    return folder


def own_var(folder: Path, var: Path) -> Path:
    """Return a place for what is built here, vectors too; encoders that were exported before are shared."""
    encoders_in(var).mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True)
    encoders_in(folder).symlink_to(encoders_in(var).resolve())
    return folder


def measure(folder: Path, encoder: TextEncoder, rounds: int, timer: Timer = time.perf_counter) -> Measured:
    """Build the search over a desk's articles, and encode the same texts without it, in turns."""
    documents = [document for document in read_articles(folder / "articles") if document.status == "published"]
    pairs = [(document, passage) for document in documents for passage in split_into_passages(document)]
    texts = [text_to_encode(document, passage) for document, passage in pairs]
    if not texts:
        raise BenchError(f"{folder}: there is no published article; name a desk that has some")
    encoder.encode(texts[:WARM])
    vectors: list[FloatArray] = []

    def encode_alone() -> None:
        vectors[:] = [encoder.encode(texts)]

    def seconds(work: Callable[[], object]) -> float:
        start = timer()
        work()
        return timer() - start

    found = []
    for number in range(rounds):
        print(f"{len(documents):,} articles, {len(texts):,} passages: round {number + 1} of {rounds}", flush=True)
        # Each goes first in turn: a machine that gets slower meanwhile favours neither.
        ways = {"encode": encode_alone, "build": lambda: build_search(documents, encoder)}
        order = list(ways) if number % 2 else list(reversed(ways))
        took = {way: seconds(ways[way]) for way in order}
        found.append(
            Round(
                encode=took["encode"],
                build=took["build"],
                parse=seconds(lambda: read_articles(folder / "articles")),
                cut=seconds(lambda: [split_into_passages(document) for document in documents]),
                dense=seconds(lambda: DenseIndex.build(vectors[0])),
                lexical=seconds(lambda: LexicalIndex.build(texts)),
            )
        )
    return Measured(len(documents), len(texts), tuple(found))


def beside_encoder(found: Measured) -> Row:
    """Return the speeds."""
    build, parse = found.seconds("build"), found.seconds("parse")
    return {
        "table": "Building an index beside the encoder alone",
        "system": "Exchange articles",
        "articles": found.articles,
        "passages": found.passages,
        "encoder, passages/s": found.passages / found.seconds("encode"),
        "index, passages/s": found.passages / build,
        "files to index, passages/s": found.passages / (build + parse),
        "files to index, articles/s": found.articles / (build + parse),
    }


def parts(found: Measured) -> list[Row]:
    """Return where the time goes, each part measured by itself; the share is of their sum."""
    names = {
        "parse": "read and parse the files",
        "cut": "cut into passages",
        "encode": "encode",
        "dense": "index of vectors",
        "lexical": "index of words",
    }
    whole = sum(found.seconds(part) for part in names)
    return [
        {
            "table": "Where the time of an index goes",
            "system": name,
            "s": round(found.seconds(part), 3),
            "share of all %": round(100 * found.seconds(part) / whole, 1),
        }
        for part, name in names.items()
    ]


def speed_bars(found: Measured) -> list[Bar]:
    """Hold the build's speed against the encoder's; what parsing adds is printed."""
    shares = sorted(each.share for each in found.rounds)
    parsed = sorted(each.share_with_parsing for each in found.rounds)
    value = median(shares)
    return [
        Bar("build, as a share of the encoder's speed", value, shares[0], shares[-1], f">= {SHARE:g}", value >= SHARE),
        Bar("the same, with parsing", median(parsed), parsed[0], parsed[-1], "printed", True),
    ]


def rebuilt(folder: Path, var: Path, work: Path, rounds: int) -> tuple[Taken, list[Taken]]:
    """Build a desk, then change an article and build again, so many times: each time a process of its own."""
    command = ["build", str(folder), "--var", str(var)]
    print(f"{folder.name}: building, then {rounds} times after a change", flush=True)
    first = run_firstline(command, work / f"{folder.name}.log")
    again = []
    for number in range(rounds):
        change_an_article(folder, number)
        again.append(run_firstline(command, work / f"{folder.name}-{number}.log"))
    return first, again


def change_an_article(folder: Path, number: int) -> Path:
    """Add a sentence to a published article, and return its file. Raises `BenchError` where there is none."""
    for path in sorted((folder / "articles").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if "\nstatus: published\n" in text:
            path.write_text(f"{text.rstrip()}\n\nThis page was checked again, for the time {number + 1}.\n", "utf-8")
            return path
    raise BenchError(f"{folder}: there is no published article; name a desk that has some")


def rebuild_row(name: str, first: Taken, again: Sequence[Taken]) -> Row:
    """Return what builds took."""
    return {
        "table": "firstline build, the whole process",
        "system": name,
        "first s": round(first.seconds, 2),
        "after one change s": round(median(taken.seconds for taken in again), 2),
        "peak MiB": round(max(taken.peak_mib for taken in again)),
    }


def rebuild_bar(name: str, again: Sequence[Taken]) -> Bar:
    """Hold the builds after a change against what a person waits for."""
    times = sorted(taken.seconds for taken in again)
    value = median(times)
    label = f"build after one change, s: {name}"
    return Bar(label, value, times[0], times[-1], f"< {REBUILD_S:g}", value < REBUILD_S)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m eval.benches.rebuild")
    parser.add_argument("desk", nargs="?", type=Path, default=Path("desks/demo"), metavar="DESK")
    parser.add_argument("--articles", type=int, default=SAMPLE, help="how many Exchange articles")
    parser.add_argument("--all", action="store_true", help="all Exchange articles")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--var", type=Path, default=Path("var"), help="where the bench works and writes its file")
    given = parser.parse_args()
    main(given.desk, given.var, None if given.all else given.articles, given.rounds)
