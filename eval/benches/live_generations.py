"""Sound generations that take turns, and bad ones, for the bench that changes knowledge under load."""

import re
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

from eval.benches.service_process import Place, run_command
from models.artifact_files import read_json, write_json
from models.errors import ArtifactError
from triage.assembly import generations_of
from triage.desk_files import read_rules
from triage.generations import MANIFEST, SCRATCH, Generations

#: What is wrong with a bad generation, one after the other.
DAMAGES = ("a byte flipped", "a file cut", "a file gone", "the manifest cut", "a file empty, as the manifest says")
#: Large enough that no compaction purges the two that were built.
KEPT = 10_000


class TakingTurns(Generations):
    """Generations that know where each comes from, and take in a bad one."""

    def line_of(self, name: str) -> list[str]:
        """Return a generation and those that it was compacted from, the built one last; "" ends what is not known."""
        line = [name]
        try:
            while earlier := read_json(self.root / line[-1] / MANIFEST).get("compacted_from"):
                line.append(earlier)
        except ArtifactError:
            line.append("")
        return line

    def put_bad(self, damage: str) -> tuple[str, str]:
        """Make a damaged copy of the current generation the current one; return the names of both."""
        with self._only_builder():
            sound, bad, scratch = self.current_name(), f"{int(self.names()[-1]) + 1:06d}", self.root / f"{SCRATCH}bad"
            shutil.copytree(self.root / sound, scratch)
            _damage(scratch, damage)
            scratch.rename(self.root / bad)
            self._point_to(bad)
        return sound, bad

    def mend(self, sound: str, bad: str) -> str:
        """Take a bad generation away and publish a copy of a sound one, most likely by its number; return the name."""
        self.roll_back(sound)
        shutil.rmtree(self.root / bad)

        def write(folder: Path) -> dict[str, Any]:
            shutil.copytree(self.root / sound, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(MANIFEST))
            told = {key: fact for key, fact in self.open(sound).manifest.items() if key not in ("files", "format")}
            return told | {"compacted_from": sound}

        return self.publish(write).name


def place_of(desk: Path, encoders: Path, folder: Path) -> Place:
    """Return a copy of a desk without its history, to be built in another folder with the encoders that there are."""
    place = Place(folder / "desk", folder / "var", f"sqlite:///{folder}/live.db")
    shutil.copytree(desk, place.desk, ignore=shutil.ignore_patterns("history.jsonl"))
    for path in (encoders, place.var):
        path.mkdir(parents=True, exist_ok=True)
    (place.var / "encoders").symlink_to(encoders.resolve())  # to export one takes minutes
    policy, settings = place.desk / "policy.toml", place.desk / "desk.toml"
    # To learn wording takes a minute. Without a history no field is decided, and drafts must not wait for that.
    text = re.sub(r"(?m)^\[wording\]\n(on = .*\n)?", "[wording]\non = false\n", policy.read_text(encoding="utf-8"))
    policy.write_text(re.sub(r"(?m)^needs = .*$", "needs = []", text), encoding="utf-8")
    text = re.sub(r"(?m)^generations_kept.*\n", "", settings.read_text(encoding="utf-8"))
    settings.write_text(f"generations_kept = {KEPT}\n{text}", encoding="utf-8")
    return place


def build(place: Place, hours: int) -> str:
    """Build with a first reply promised in so many hours and an article that says so; return the generation's name."""
    settings = place.desk / "desk.toml"
    text = re.sub(r"respond_hours = [\d.]+", f"respond_hours = {hours}", settings.read_text(encoding="utf-8"))
    settings.write_text(text, encoding="utf-8")
    with min((place.desk / "articles").glob("*.md")).open("a", encoding="utf-8") as file:
        file.write(f"\n\nA first reply takes {hours} hours.\n")
    run_command("build", str(place.desk), "--var", str(place.var))
    name = turns_of(place).current_name()
    print(f"generation {name} is built: a first reply in {hours} h", flush=True)
    return name


def turns_of(place: Place) -> TakingTurns:
    """Return the generations of a place."""
    return TakingTurns(generations_of(read_rules(place.desk).settings, place.var).root)


def _damage(folder: Path, damage: str) -> None:
    file = folder / (MANIFEST if "manifest cut" in damage else "articles.faiss")
    held, half = file.read_bytes(), file.stat().st_size // 2
    if "gone" in damage:
        file.unlink()
    elif "flipped" in damage:
        file.write_bytes(held[:half] + bytes([held[half] ^ 255]) + held[half + 1 :])
    else:
        file.write_bytes(held[:half] if "cut" in damage else b"")
    if "as the manifest says" in damage:
        told = read_json(folder / MANIFEST)
        told["files"][file.name] = {"sha256": sha256(b"").hexdigest(), "bytes": 0}
        write_json(folder / MANIFEST, told)
