"""Builders are killed at moments drawn from a seed, most of them while they publish; what is served afterwards?

Every build of a small copy of a desk carries a revision number in one article. After each kill the current generation
is opened and searched as the service does it: it must be sound, and not older than the last one whose publish was
reported as done. A kill is that of a process, not of the machine: what the disk loses in a power cut is not tried.
"""

import argparse
import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from statistics import median

from eval.benches.frame import Bar, Row, write_bench
from eval.benches.kill_build_process import REVISED, STEPS, Builders, Kill, article_of, code_of, planned, small_desk
from eval.errors import BenchError
from retrieval.passages import text_to_encode
from triage.assembly import engine_of, generations_of
from triage.desk_files import read_rules
from triage.engine import TriageEngine
from triage.errors import GenerationError
from triage.generations import MANIFEST, Generation, Generations

#: Builds that tell how long one takes, before the first kill.
MEASURED = 3
#: More builds than a builder lives to do.
ENOUGH = 50
QUESTION = "Which revision of the knowledge is this?"
CODE = re.compile(r"KBREV-(\d{6})")
#: How long it takes, at most, from the new folder's name to the pointer to it.
SWITCH_S = 0.008


@dataclass(frozen=True)
class Found:
    """What was served: the generation's name and revision, and everything that was wrong."""

    name: str = ""
    revision: int = 0
    corrupt: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


@dataclass
class Tally:
    """What was seen. reported: the revision of every generation whose publish was said to be done; known: those that
    there were after the last kill; begun: the last revision that was begun."""

    reported: dict[str, int] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    begun: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    most_left: Counter[str] = field(default_factory=Counter)
    corrupt: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def hear(self, said: Sequence[Sequence[str]]) -> None:
        """Take in what a builder said."""
        for kind, *words in said:
            if kind == "building":
                self.begun = int(words[0])
            if kind == "published":
                self.reported[words[1]] = int(words[0])

    def add(self, when: str, found: Found) -> None:
        """Take in what was found, and say what is wrong that was not known."""
        for kind in ("corrupt", "lost", "refused"):
            for problem in (new for new in getattr(found, kind) if new not in getattr(self, kind)):
                getattr(self, kind).append(problem)
                print(f"{when}: {kind}: {problem}", flush=True)


def main(desk: Path, var: Path, kills: int = 500, seed: int = 7) -> None:
    """Run the bench."""
    started = time.monotonic()
    work = var / "bench" / "kill_build"
    shutil.rmtree(work, ignore_errors=True)
    folder, own = small_desk(desk, work / "desk"), work / "var"
    kept = generations_of(read_rules(folder).settings, own)
    tally, draw = Tally(), random.Random(seed)  # noqa: S311 - moments, no secret
    with Builders(folder, own) as builders:
        tally.hear([builders.word(step) for step in STEPS])
        lengths = measured(builders, tally)
        print(f"a build takes {lengths['building']:.2f} s, its publish {lengths['publishing']:.3f} s", flush=True)
        for number, kill in enumerate(planned(kills, draw), start=1):
            said = killed(builders, kill, lengths, tally, kept)
            tally.phases[phase_of(said, kept, tally)] += 1
            # The current one, and another by chance: a build must leave the others as they are.
            for name in ("", draw.choice(sorted(tally.reported))):
                tally.add(f"kill {number}", examine(kept, folder, own, tally.reported, name))
            tally.most_left |= leftovers(kept.root)
            if number % 50 == 0:
                print(f"{number} kills, {len(tally.reported)} publishes reported", flush=True)
        tally.hear(list(builders.whole_builds(tally.begun + 1, 1)))
    for name in ("", *kept.names()):
        tally.add("after all kills", examine(kept, folder, own, tally.reported, name))
    bars = [zero("corrupt generations served", len(tally.corrupt)), zero("published ones lost", len(tally.lost))]
    write_bench("kill_build", started, rows_of(tally, kept), bars, var / "bench")


def measured(builders: Builders, tally: Tally) -> dict[str, float]:
    """Return the median seconds of a build and of its publish, and `SWITCH_S`."""
    times: dict[str, list[float]] = {step: [] for step in STEPS}
    for line in builders.whole_builds(tally.begun + 1, MEASURED):
        tally.hear([line])
        times[line[0]].append(time.perf_counter())
    lengths = {
        step: median(end - start for start, end in zip(times[step], times["published"], strict=True))
        for step in ("building", "publishing")
    }
    return {**lengths, "switching": SWITCH_S}


def killed(builders: Builders, kill: Kill, lengths: Mapping[str, float], tally: Tally, kept: Generations) -> list[str]:
    """Start a builder and kill it as planned; return the last that it said."""
    builders.start(tally.begun + 1, ENOUGH)
    step, waits = "publishing" if kill.since == "switching" else kill.since, kill.build
    while (line := builders.word(*STEPS))[0] != step or waits:
        tally.hear([line])
        waits -= line[0] == step
    before, latest = len(kept.names()), time.perf_counter() + 1
    while kill.since == "switching" and len(kept.names()) == before and time.perf_counter() < latest:
        time.sleep(0.0002)
    time.sleep(kill.share * lengths[kill.since])
    tally.hear(said := [line, *builders.kill()])
    return said[-1]


def phase_of(said: Sequence[str], kept: Generations, tally: Tally) -> str:
    """Say where a kill fell, by the builder's last word and by what it left."""
    names = {*kept.names()}
    new, tally.known = names - tally.known - {*tally.reported}, names
    if said[0] != "publishing":
        return "while building" if said[0] == "building" else "between builds"
    if any(kept.root.glob(".building-*")):
        return "publish: files being written"
    if not new:
        return "publish: before the first file"
    return "publish: switched, not reported" if kept.current_name() in new else "publish: whole, not switched to"


def examine(kept: Generations, desk: Path, var: Path, reported: Mapping[str, int], name: str = "") -> Found:
    """Open a generation, or without a name the current one as the service does, and hold it against what is known.

    reported: the revision of every generation whose publish was said to be done.
    """
    refused: list[str] = []
    try:
        generation = kept.open(name) if name else kept.open_current(refused.append)
    except GenerationError as error:
        return Found(name, corrupt=(str(error),), refused=tuple(refused))
    revision, corrupt = revision_of(generation, desk, var)
    if reported.get(generation.name, revision) != revision:
        corrupt.append(f"{generation.name} holds revision {revision}, not {reported[generation.name]}")
    lost = [f"{gone}, which was published, is gone" for gone in sorted({*reported} - {*kept.names()})]
    last = max(reported.values(), default=0)
    if revision < last and not name:
        lost.append(f"{generation.name} is served with revision {revision}, and {last} was published")
    return Found(generation.name, revision, tuple(corrupt), tuple(lost), tuple(refused))


def revision_of(generation: Generation, folder: Path, var: Path) -> tuple[int, list[str]]:
    """Return the revision that a search of a generation finds (0 for none), and what is wrong with it."""
    problems = [f"{generation.folder / name} is not as the manifest says" for name in differing(generation)]
    try:
        revision = searched(engine_of(generation, folder, var))
    except Exception as error:  # whatever it is, the service would not start
        return 0, [*problems, f"{generation.folder} cannot be searched: {error!r}"]
    if generation.manifest["sources"].get(REVISED) != sha256(article_of(revision).encode()).hexdigest():
        problems.append(f"{generation.folder} was not built from the revision {revision} that it holds")
    return revision, problems


def searched(engine: TriageEngine) -> int:
    """Return the revision that a search finds. Raises `BenchError` where words, vectors and texts are not of one."""
    found = engine.search.find(QUESTION, engine.encoder.encode([QUESTION])[0])
    said = next((CODE.search(hit.passage.text) for hit in found if hit.document.id == "revision"), None)
    if not said:
        raise BenchError("no article says which revision it is")
    code = code_of(int(said[1]))
    hit = engine.search.find(code, engine.encoder.encode([code])[0])[0]
    row = [passage.id for passage in engine.search.passages].index(hit.passage.id)
    vector = engine.encoder.encode([text_to_encode(hit.document, hit.passage)])[0]
    if hit.document.id != "revision" or hit.lexical <= 0 or engine.search.dense.search(vector[None], 1)[1][0][0] != row:
        raise BenchError(f"the indexes do not hold {code}, which the articles do")
    return int(said[1])


def differing(generation: Generation) -> list[str]:
    """Return the files that are not in the manifest, not on the disk, or not the same in both."""
    folder, listed = generation.folder, generation.manifest["files"]
    there = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    del there[MANIFEST]
    sums = {name: sha256(path.read_bytes()).hexdigest() for name, path in there.items()}
    return sorted(name for name in {*listed, *sums} if sums.get(name) != listed.get(name, {}).get("sha256"))


def leftovers(root: Path) -> Counter[str]:
    """Count what killed builders left beside the generations: scratch folders, and files half written."""
    names = [path.name for path in root.iterdir() if path.name.startswith(".")]
    scratch = sum(name.startswith(".building-") for name in names)
    return Counter(scratch=scratch, files=len(names) - scratch)


def rows_of(tally: Tally, kept: Generations) -> list[Row]:
    """Return the tables."""
    kills, left = sum(tally.phases.values()), leftovers(kept.root)
    whole: Row = {
        "table": "Builders killed",
        "kills": kills,
        "in publish": sum(count for phase, count in tally.phases.items() if phase.startswith("publish")),
        "publishes reported": len(tally.reported),
        "generations": len(kept.names()),
        "corrupt": len(tally.corrupt),
        "lost": len(tally.lost),
        "refused": len(tally.refused),
        "scratch folders at most": tally.most_left["scratch"],
        "after the last build": left["scratch"],
        "temporary files at most": tally.most_left["files"],
        "files after the last build": left["files"],
    }
    fell: list[Row] = [
        {"table": "Where the kills fell", "system": phase, "kills": count}
        for phase, count in sorted(tally.phases.items())
    ]
    return [whole, *fell]


def zero(name: str, count: int) -> Bar:
    """Hold a count against none."""
    return Bar(name, float(count), float(count), float(count), "0", not count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m eval.benches.kill_build")
    parser.add_argument("desk", nargs="?", type=Path, default=Path("desks/demo"), metavar="DESK")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--var", type=Path, default=Path("var"), help="where the bench works and writes its file")
    given = parser.parse_args()
    main(given.desk, given.var, given.kills, given.seed)
