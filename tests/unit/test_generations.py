import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from triage.errors import GenerationError
from triage.generations import FORMAT, Generations

Damage = Callable[[Path], object]


def write(word: str) -> Callable[[Path], dict[str, Any]]:
    def into(folder: Path) -> dict[str, Any]:
        (folder / "index").mkdir()
        (folder / "index" / "words.bin").write_bytes(word.encode())
        (folder / "heads.json").write_text(json.dumps({"word": word}), encoding="utf-8")
        encoder = {"identity": "hashing:256", "dimension": 256}
        return {"word": word, "encoder": encoder, "knowledge_revision": 0}

    return into


def fail(folder: Path) -> dict[str, Any]:
    (folder / "half").write_text("half", encoding="utf-8")
    raise OSError("disk full")


def entries(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


@pytest.fixture
def generations(tmp_path: Path) -> Generations:
    kept = Generations(tmp_path / "generations" / "demo")
    kept.publish(write("one"))
    kept.publish(write("two"))
    return kept


def test_published_folders_are_numbered_and_the_last_is_current(generations: Generations) -> None:
    third = generations.publish(write("three"))
    assert third.name == "000003"
    assert generations.names() == ["000001", "000002", "000003"]
    assert generations.current_name() == "000003"
    assert entries(generations.root) == ["000001", "000002", "000003", "current"]


def test_the_manifest_holds_the_facts_and_every_file(generations: Generations) -> None:
    manifest = generations.open("000002").manifest
    assert (manifest["format"], manifest["word"]) == (FORMAT, "two")
    assert {name: entry["bytes"] for name, entry in manifest["files"].items()} == {
        "heads.json": 15,
        "index/words.bin": 3,
    }
    assert generations.publish(write("three")).manifest["word"] == "three"


def test_nothing_published_is_nothing(tmp_path: Path) -> None:
    none = Generations(tmp_path / "none")
    assert (none.names(), none.current_name()) == ([], "")
    with pytest.raises(GenerationError, match="no generation can be served; run `firstline build`"):
        none.open_current(print)


def test_a_failing_write_publishes_nothing_and_leaves_nothing(generations: Generations) -> None:
    before = entries(generations.root)
    with pytest.raises(OSError, match="disk full"):
        generations.publish(fail)
    assert entries(generations.root) == before
    assert generations.current_name() == "000002"


def test_facts_that_are_no_json_publish_nothing(generations: Generations) -> None:
    with pytest.raises(ValueError, match="JSON"):
        generations.publish(lambda folder: {"accuracy": float("nan")})
    assert entries(generations.root) == ["000001", "000002", "current"]


def test_what_a_killed_build_left_is_never_read_and_removed_by_the_next(generations: Generations) -> None:
    left = generations.root / ".building-x1"
    left.mkdir()
    write("left")(left)
    assert generations.names() == ["000001", "000002"]
    generations.publish(write("three"))
    assert entries(generations.root) == ["000001", "000002", "000003", "current"]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [flip, truncate, Path.unlink])
@pytest.mark.parametrize("name", ["heads.json", "index/words.bin"])
def test_a_damaged_file_falls_back_to_the_older_generation_and_says_so(
    generations: Generations, damage: Damage, name: str
) -> None:
    damage(generations.root / "000002" / name)
    refused: list[str] = []
    assert generations.open_current(refused.append).name == "000001"
    [said] = refused
    assert said == f"{generations.root / '000002' / name} is missing or damaged; build again or roll back"


def rewrite(change: Callable[[dict[str, Any]], Any]) -> Damage:
    def damage(path: Path) -> None:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(change(manifest)), encoding="utf-8")

    return damage


MANIFESTS: dict[str, Damage] = {
    "truncated to half": lambda path: path.write_bytes(path.read_bytes()[:60]),
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe"),
    "a list": rewrite(lambda manifest: [manifest]),
    "of another format": rewrite(lambda manifest: manifest | {"format": "firstline-generation/0"}),
    "without files": rewrite(lambda manifest: {key: manifest[key] for key in manifest if key != "files"}),
    "files a list": rewrite(lambda manifest: manifest | {"files": list(manifest["files"])}),
    "a file without hash": rewrite(lambda manifest: manifest | {"files": {"heads.json": {"bytes": 15}}}),
    "a file without size": rewrite(lambda manifest: manifest | {"files": {"heads.json": {"sha256": "00"}}}),
}


@pytest.mark.parametrize("damage", MANIFESTS.values(), ids=MANIFESTS)
def test_a_damaged_manifest_falls_back_to_the_older_generation_and_says_so(
    generations: Generations, damage: Damage
) -> None:
    damage(generations.root / "000002" / "manifest.json")
    refused: list[str] = []
    assert generations.open_current(refused.append).name == "000001"
    assert len(refused) == 1
    assert "000002" in refused[0]


@pytest.mark.parametrize("bit", [0, 5])
def test_a_flipped_bit_of_the_manifest_never_raises_anything_else(generations: Generations, bit: int) -> None:
    path = generations.root / "000002" / "manifest.json"
    sound = path.read_bytes()
    for position in range(len(sound)):
        path.write_bytes(sound[:position] + bytes([sound[position] ^ (1 << bit)]) + sound[position + 1 :])
        assert generations.open_current(lambda said: None).name in ("000001", "000002"), position


def test_several_damaged_generations_are_told_newest_first(generations: Generations) -> None:
    generations.publish(write("three"))
    for name in ("000003", "000002"):
        flip(generations.root / name / "heads.json")
    refused: list[str] = []
    assert generations.open_current(refused.append).name == "000001"
    assert ["000003" in said for said in refused] == [True, False]


def test_nothing_sound_is_an_error_with_a_remedy(generations: Generations) -> None:
    for name in generations.names():
        truncate(generations.root / name / "heads.json")
    refused: list[str] = []
    with pytest.raises(GenerationError, match=r"demo: no generation can be served; run `firstline build`"):
        generations.open_current(refused.append)
    assert len(refused) == 2


def test_a_rolled_back_desk_never_serves_what_came_later(generations: Generations) -> None:
    (generations.root / "current").write_text("000001\n", encoding="utf-8")
    assert generations.open_current(print).name == "000001"
    flip(generations.root / "000001" / "heads.json")
    with pytest.raises(GenerationError):
        generations.open_current(lambda said: None)


@pytest.mark.parametrize("pointer", [None, b"", b"\xff\xfe", b"000009\n"])
def test_a_damaged_pointer_still_serves_the_newest_sound_generation(
    generations: Generations, pointer: bytes | None
) -> None:
    path = generations.root / "current"
    path.unlink() if pointer is None else path.write_bytes(pointer)
    assert generations.open_current(lambda said: None).name == "000002"


def test_a_roll_back_takes_the_sound_one_before_and_a_build_counts_on(generations: Generations) -> None:
    generations.publish(write("three"))
    flip(generations.root / "000002" / "heads.json")
    assert generations.roll_back().name == "000001"
    assert generations.open_current(pytest.fail).manifest["word"] == "one"
    with pytest.raises(GenerationError, match="no sound generation before 000001"):
        generations.roll_back()
    assert generations.publish(write("four")).name == "000004"
    assert generations.current_name() == "000004"


def test_a_roll_back_by_name_goes_either_way_and_refuses_what_is_damaged(generations: Generations) -> None:
    assert generations.roll_back("000001").name == "000001"
    assert generations.roll_back("000002").name == generations.current_name() == "000002"
    flip(generations.root / "000001" / "heads.json")
    with pytest.raises(GenerationError, match="damaged"):
        generations.roll_back("000001")
    with pytest.raises(GenerationError, match="no generation '7'"):
        generations.roll_back("7")
    assert generations.current_name() == "000002"


@pytest.mark.parametrize(("keep", "left"), [(1, ["000002", "000005"]), (3, ["000002", "000003", "000004", "000005"])])
def test_a_purge_keeps_the_newest_and_what_is_served(generations: Generations, keep: int, left: list[str]) -> None:
    for word in ("three", "four", "five"):
        generations.publish(write(word))
    generations.roll_back("000002")
    generations.purge(keep)
    assert entries(generations.root) == [*left, "current"]
    assert generations.open_current(pytest.fail).manifest["word"] == "two"
    assert generations.purge(9) == []


def test_what_killed_processes_left_beside_the_pointer_is_removed(generations: Generations) -> None:
    (generations.root / ".current.x1").write_text("000009", encoding="utf-8")
    (generations.root / ".building-purged-000001").mkdir()
    generations.purge(5)
    assert entries(generations.root) == ["000001", "000002", "current"]
