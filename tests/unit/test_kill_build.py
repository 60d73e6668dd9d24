"""The bench that kills builders: it comes to its end, and what it is there to find is found."""

import json
import random
import shutil
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from eval.benches.kill_build import examine, leftovers, main, revision_of
from eval.benches.kill_build_process import Builders, planned, small_desk
from eval.errors import BenchError
from triage.assembly import generations_of
from triage.desk_files import read_rules
from triage.generations import Generations

KILLS = 10
#: Where the bench works, below its `var`.
WORK = Path("bench") / "kill_build"


@pytest.fixture(scope="module")
def ran(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    var = tmp_path_factory.mktemp("kills")
    desk = small_desk(project / "desks" / "demo", var / "source")
    (desk / "history.jsonl").unlink()  # what is learned from it takes most of a build
    main(desk, var, KILLS, seed=3)
    return var


class Served:
    """The last two generations of the run, to be broken on purpose."""

    def __init__(self, ran: Path, work: Path) -> None:
        self.desk, self.var = ran / WORK / "desk", work / "var"
        settings = read_rules(self.desk).settings
        before = generations_of(settings, ran / WORK / "var")
        self.kept: Generations = generations_of(settings, self.var)
        self.kept.root.mkdir(parents=True)
        self.old, self.new = before.names()[-2:]
        for name in (self.old, self.new):
            shutil.copytree(before.root / name, self.kept.root / name)
        shutil.copyfile(before.root / "current", self.kept.root / "current")
        self.reported = {name: self.revision(name) for name in (self.old, self.new)}

    def revision(self, name: str) -> int:
        return revision_of(self.kept.open(name), self.desk, self.var)[0]

    def found(self) -> tuple[str, list[int]]:
        """Which generation was served, and how many problems there are of each kind: corrupt, lost, refused."""
        found = examine(self.kept, self.desk, self.var, self.reported)
        return found.name, [len(found.corrupt), len(found.lost), len(found.refused)]


@pytest.fixture
def served(ran: Path, tmp_path: Path) -> Served:
    return Served(ran, tmp_path)


def test_killed_builders_leave_nothing_corrupt_and_lose_nothing(ran: Path) -> None:
    found = json.loads((ran / "bench" / "kill_build.json").read_text(encoding="utf-8"))
    assert [(bar["value"], bar["holds"]) for bar in found["bars"]] == [(0, True), (0, True)]
    whole, *phases = found["rows"]
    assert whole["kills"] == sum(phase["kills"] for phase in phases) == KILLS
    assert (whole["corrupt"], whole["lost"], whole["refused"]) == (0, 0, 0)
    assert whole["generations"] >= whole["publishes reported"] >= 5  # those before and after all kills
    assert (whole["scratch folders at most"] <= 1, whole["after the last build"]) == (True, 0)


def test_what_is_sound_is_no_problem(served: Served) -> None:
    assert served.found() == (served.new, [0, 0, 0])
    assert served.reported[served.old] < served.reported[served.new]


def test_a_damaged_generation_is_refused_and_its_revision_lost(served: Served) -> None:
    path = max((served.kept.root / served.new).glob("*.jsonl"), key=lambda path: path.stat().st_size)
    path.write_bytes(path.read_bytes()[:-1])
    assert served.found() == (served.old, [0, 1, 1])


def test_nothing_to_serve_is_corrupt(served: Served) -> None:
    for name in served.reported:
        (served.kept.root / name / "manifest.json").write_bytes(b"")
    assert served.found() == ("", [1, 0, 2])


def test_files_of_two_builds_are_corrupt_however_right_their_hashes(served: Served) -> None:
    folder = served.kept.root / served.new
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    texts = [name for name in manifest["files"] if name.endswith(("documents.jsonl", "passages.jsonl"))]
    assert len(texts) >= 2
    for name in texts:
        shutil.copyfile(served.kept.root / served.old / name, folder / name)
        data = (folder / name).read_bytes()
        manifest["files"][name] = {"sha256": sha256(data).hexdigest(), "bytes": len(data)}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    name, (corrupt, lost, refused) = served.found()
    assert (name, refused) == (served.new, 0)
    assert corrupt >= 1
    assert lost == 1  # what words find is the older text, or nothing


def test_a_file_that_no_manifest_names_is_corrupt(served: Served) -> None:
    (served.kept.root / served.new / "half").write_text("half", encoding="utf-8")
    assert served.found() == (served.new, [1, 0, 0])


def test_a_revision_other_than_the_reported_one_is_corrupt(served: Served) -> None:
    served.reported[served.new] -= 1
    assert served.found() == (served.new, [1, 0, 0])


def test_an_older_generation_served_is_a_loss(served: Served) -> None:
    (served.kept.root / "current").write_text(f"{served.old}\n", encoding="utf-8")
    assert served.found() == (served.old, [0, 1, 0])


def test_an_older_generation_gone_is_a_loss(served: Served) -> None:
    shutil.rmtree(served.kept.root / served.old)
    assert served.found() == (served.new, [0, 1, 0])


def test_leftovers_are_counted_by_kind(served: Served) -> None:
    assert leftovers(served.kept.root) == Counter(scratch=0, files=0)
    (served.kept.root / ".building-x").mkdir()
    (served.kept.root / ".current.x").touch()
    assert leftovers(served.kept.root) == Counter(scratch=1, files=1)


def test_moments_follow_the_seed_and_half_of_them_aim_at_the_publish() -> None:
    first, again, other = (planned(100, random.Random(seed)) for seed in (7, 7, 8))
    assert first == again != other
    assert Counter(kill.since for kill in first) == {"building": 50, "publishing": 25, "switching": 25}
    assert all(0 <= kill.share < 1 and kill.build in (0, 1) for kill in first)


def test_a_desk_that_cannot_be_built_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Builders(tmp_path / "none", tmp_path / "var") as builders:
        assert builders.word("building") == ["building", "1"]
        with pytest.raises(BenchError, match="to say publishing and said: gone"):
            builders.word("publishing")
    assert "none" in capfd.readouterr().err
