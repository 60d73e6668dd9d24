"""The bench of what a desk's knowledge costs to build, on a clock that only the encoder moves."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from eval.benches.kill_build_process import small_desk
from eval.benches.measured_process import Taken
from eval.benches.rebuild import (
    Measured,
    Round,
    beside_encoder,
    change_an_article,
    exchange_desk,
    measure,
    own_var,
    parts,
    rebuild_bar,
    rebuilt,
    speed_bars,
)
from eval.errors import BenchError
from models.hashing_encoder import HashingEncoder
from models.protocols import FloatArray, Progress, no_progress
from triage.assembly import generations_of
from triage.desk_files import read_desk, read_rules


class ClockedEncoder(HashingEncoder):
    """Each text takes a second of a clock of its own."""

    now = 0.0

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        self.now += len(texts)
        return super().encode(texts, progress)


@pytest.fixture
def desk(project: Path, tmp_path: Path) -> Path:
    folder = small_desk(project / "desks" / "demo", tmp_path / "desk")
    (folder / "history.jsonl").unlink()  # what is learned from it takes most of a build
    return folder


def test_a_build_that_encodes_each_text_once_has_the_speed_of_the_encoder(desk: Path) -> None:
    encoder = ClockedEncoder()
    found = measure(desk, encoder, 2, lambda: encoder.now)
    alone = Round(encode=found.passages, build=found.passages, parse=0, cut=0, dense=0, lexical=0)
    assert found.rounds == (alone, alone)
    assert (found.articles, found.passages > 4) == (4, True)
    assert [bar.value for bar in speed_bars(found)] == [1, 1]
    assert beside_encoder(found)["index, passages/s"] == 1


def test_speeds_are_held_against_the_encoder_by_their_median() -> None:
    rounds = [Round(encode=8, build=build, parse=2, cut=1, dense=1, lexical=0) for build in (8, 10, 16)]
    found = Measured(1, 16, tuple(rounds))
    without, parsed = speed_bars(found)
    assert (without.value, without.low, without.high, without.holds) == (0.8, 0.5, 1, False)
    assert parsed.value == pytest.approx(8 / 12)
    assert speed_bars(Measured(1, 16, tuple(rounds[:1])))[0].holds
    assert [row["share of all %"] for row in parts(found)] == [16.7, 8.3, 66.7, 8.3, 0]


def test_an_empty_desk_is_told(desk: Path) -> None:
    for path in (desk / "articles").iterdir():
        path.unlink()
    with pytest.raises(BenchError, match="no published article"):
        measure(desk, HashingEncoder(), 1)
    with pytest.raises(BenchError, match="no published article"):
        change_an_article(desk, 0)


def test_a_change_is_of_one_article_and_new_each_time(desk: Path) -> None:
    before = {document.id: document.text for document in read_desk(desk).articles}
    path = change_an_article(desk, 0)
    once = {document.id: document.text for document in read_desk(desk).articles}
    assert [id for id in before if before[id] != once[id]] == [path.name[:6]]
    change_an_article(desk, 1)
    assert {document.id: document.text for document in read_desk(desk).articles} != once


def test_a_rebuild_is_of_the_changed_article(desk: Path, tmp_path: Path) -> None:
    var = own_var(tmp_path / "own", tmp_path / "var")
    assert (var / "encoders").resolve() == tmp_path / "var" / "encoders"
    first, [again] = rebuilt(desk, var, tmp_path, 1)
    assert min(first.seconds, again.seconds, again.peak_mib) > 0
    kept = generations_of(read_rules(desk).settings, var)
    before, after = (kept.open(name).manifest["sources"] for name in kept.names())
    assert [name for name in after if before[name] != after[name]] == [
        f"articles/{min(path.name for path in (desk / 'articles').iterdir())}"
    ]


def test_a_rebuild_must_take_less_than_five_seconds() -> None:
    assert rebuild_bar("demo", [Taken(4.9, 1), Taken(9.0, 1), Taken(1.0, 1)]).holds
    assert not rebuild_bar("demo", [Taken(5.0, 1)]).holds


def test_a_sample_of_the_exchange_articles_is_spread_over_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "kb_exchange"
    folder.mkdir()
    lines = [json.dumps({"id": f"a{n}", "title": f"Title {n}", "markdown": f"Words {n}."}) for n in range(9)]
    (folder / "articles.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    monkeypatch.setenv("DATA", str(tmp_path))
    sample = read_desk(exchange_desk(tmp_path / "some", 3))
    assert [document.id for document in sample.articles] == ["a0", "a3", "a6"]
    assert len(read_desk(exchange_desk(tmp_path / "every", None)).articles) == 9
