"""Every block of code in the documentation is run, or read as what it says it is.

The words behind the three ticks say what a block is: ``sh`` and ``python`` are run, in the order of the page, in a
folder with a small desk; ``toml policy.toml`` becomes part of that desk; ``jsonl FILE`` lies there before the first
command; ``sh host`` sets up a machine and is only read; others are held against what they show.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import tomlkit
from conftest import build_desk, copy_demo
from eval_builders import without_wording
from served_process import Home, serving

import firstline
from eval.cases import Case
from eval.gates import read_gates
from serve.services import Stores
from serve.storage.database import Database
from triage.desk_files import read_desk, read_rules
from triage.suggestions import HistorySaid, Route
from triage.tickets import Ticket

PROJECT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "deploy/README.md", *sorted(str(p.relative_to(PROJECT)) for p in PROJECT.glob("docs/**/*.md"))]
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
DESK_FILES = ("policy.toml", "desk.toml", "taxonomy.toml", "routing.toml")
#: What a page's commands find beside the desk.
KEY_ID = "2bfkgssx"


@dataclass(frozen=True)
class Block:
    """A fenced block. info: the words behind the ticks."""

    info: str
    text: str


def blocks_of(page: str) -> list[Block]:
    text = (PROJECT / page).read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        cut = len(match["indent"])
        found.append(Block(match["info"].strip(), "".join(f"{line[cut:]}\n" for line in match["text"].splitlines())))
    assert text.count("```") == 2 * len(found), f"{page}: a fence is not closed, or not read"
    return found


WITH_CODE = [page for page in PAGES if blocks_of(page)]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a part of the demo desk, built twice with the encoder that needs no weights, and its baseline."""
    folder = tmp_path_factory.mktemp("docs")
    desk = folder / "desks" / "demo"
    copy_demo(PROJECT, desk)
    shorten(desk / "cases.jsonl", every=4)
    build_desk(desk, folder / "var")
    build_desk(desk, folder / "var")
    shutil.rmtree(desk / "baseline")
    run(["firstline", "eval", "baseline", "desks/demo"], folder, {})
    return folder


def shorten(path: Path, every: int) -> None:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[::every]), encoding="utf-8")


@pytest.fixture
def place(built: Path, tmp_path: Path) -> Path:
    """A folder for one page, with all that its commands name."""
    folder = tmp_path / "place"
    shutil.copytree(built, folder)
    rows = read_desk(folder / "desks" / "demo").history[:60]
    with (folder / "export.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["id", "subject", "body", "Type", "Queue", "Priority", "Answer"])
        for number, row in enumerate(rows):
            said = [row.ticket.subject or "", row.ticket.body or ""]
            lines.writerow(
                [number, *said, *(row.labels.get(n, "") for n in ("category", "team", "priority")), row.reply]
            )
    (folder / "export.jsonl").write_text(
        json.dumps({"id": "reset", "title": "Reset", "markdown": "Open the link.", "audience": "public"}) + "\n"
    )
    policy = (folder / "desks" / "demo" / "policy.toml").read_text(encoding="utf-8")
    (folder / "new-policy.toml").write_text(policy.replace("max_error = 0.10", "max_error = 0.20"), encoding="utf-8")
    return folder


def mydesk(place: Path) -> None:
    """A small desk of one's own."""
    copy_demo(PROJECT, place / "mydesk")
    shorten(place / "mydesk" / "history.jsonl", every=4)


def stored_tickets(place: Path) -> None:
    database = Database.open(f"sqlite:///{place / 'var' / 'firstline.db'}")
    for number in range(3):
        ticket = Ticket(id=f"T-{number}", body=f"The printer in shop {number} prints nothing.")
        Stores.of(database).tickets.put("demo", ticket, None, datetime.now(UTC))
    database.close()


def banking77(place: Path) -> None:
    folder = place / "data" / "banking77"
    folder.mkdir(parents=True)
    for name in ("train.csv", "test.csv"):
        rows = [f"my card number {n} is {word},card_{word}" for n in range(12) for word in ("lost", "late", "blocked")]
        (folder / name).write_text("\n".join(["text,category", *rows]) + "\n")
    (folder / "categories.json").write_text('["card_lost", "card_late", "card_blocked"]')


def first_and_second_run(place: Path) -> None:
    """The gates of the page compare two runs."""
    shutil.copytree(place / "var" / "runs" / "before", place / "var" / "runs" / "after")


def without_weights(place: Path) -> None:
    """The packaged encoder would be exported and calibrated for each desk anew: minutes."""
    settings = place / "mydesk" / "desk.toml"
    text = settings.read_text(encoding="utf-8")
    if 'encoder = "hashing"' not in text:
        settings.write_text(f'encoder = "hashing"\n{text}', encoding="utf-8")
        without_wording(place / "mydesk")


#: What has to be there before a page's first command, and before the one that begins with these words.
GIVEN: dict[str, Callable[[Path], None]] = {
    "docs/audit.md": mydesk,
    "docs/knowledge.md": mydesk,
    "docs/what-if.md": stored_tickets,
    "docs/measuring.md": banking77,
}
BEFORE: dict[str, Callable[[Path], None]] = {
    "firstline eval compare var/runs/before var/runs/after --gates": first_and_second_run,
    "firstline build mydesk": without_weights,
}


def environment(**more: str) -> dict[str, str]:
    """Commands are found as after the installation; nothing is asked of a network."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(PROJECT), **more}


def run(command: list[str], place: Path, more: dict[str, str]) -> str:
    env = environment(**more)
    found = shutil.which(command[0], path=env["PATH"]) or command[0]
    done = subprocess.run([found, *command[1:]], cwd=place, capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Where a page talks to a service: its address and a key."""
    page = request.node.callspec.params["page"]
    if not any("$FIRSTLINE" in block.text for block in blocks_of(page)):
        yield {}
        return
    place: Path = request.getfixturevalue("place")
    home = Home(tmp_path / "served")
    shutil.copytree(place / "desks" / "demo", home.folder / "desk")
    shutil.copytree(place / "var", home.folder / "var")
    with serving(home, tmp_path / "log") as running:
        yield {"FIRSTLINE": running.address, "KEY": home.new_key()}


@dataclass
class Reading:
    """A page that is being read: where, with what variables, and what its last command printed."""

    place: Path
    variables: dict[str, str]
    shown: str = ""

    def read(self, block: Block) -> None:
        """Do with a block what it says it is."""
        kind, _, name = block.info.partition(" ")
        if block.info == "sh":
            for words, prepare in BEFORE.items():
                if block.text.startswith(words):
                    prepare(self.place)
            text = with_key(block.text, self.place)
            self.shown = run(["bash", "-euo", "pipefail", "-c", text], self.place, self.variables)
        elif kind == "python":
            run([sys.executable, "-c", block.text], self.place, self.variables)
        elif kind == "toml" and name in DESK_FILES:
            add_to_desk(self.place / "desks" / "demo", name, block.text)
        else:
            CHECKS[block.info](block.text, self.shown, self.place)


@pytest.mark.parametrize("page", WITH_CODE)
def test_the_blocks_of_a_page_run(page: str, place: Path, service: dict[str, str]) -> None:
    blocks = blocks_of(page)
    for block in blocks:
        if block.info in ("jsonl tickets.jsonl", "toml gates.toml"):
            (place / block.info.split()[1]).write_text(block.text, encoding="utf-8")
    if given := GIVEN.get(page):
        given(place)
    reading = Reading(place, service)
    for block in blocks:
        reading.read(block)


def with_key(text: str, place: Path) -> str:
    """Put the id of a key that there is in the place of the page's."""
    if KEY_ID not in text:
        return text
    made = "firstline keys create desks/demo; firstline keys list desks/demo"
    listed = run(["bash", "-c", made], place, {})
    found = re.search(r"^(\w{8})\b", listed, re.MULTILINE)
    assert found, listed
    return text.replace(KEY_ID, found[1])


def is_for_a_machine(text: str, shown: str, place: Path) -> None:
    """What sets up a machine is not run: it is read by the shell, and names only what there is."""
    subprocess.run(["bash", "-n", "-c", text], check=True)
    targets = re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)) <= set(targets)
    commands = {command.callback.__name__ for command in firstline.app.registered_commands if command.callback}
    named = set(re.findall(r"(?:^|/)firstline ([a-z]+)\b", text, re.MULTILINE))
    assert named <= commands | {group.name for group in firstline.app.registered_groups}
    for path in re.findall(r"\b(deploy/[\w./-]+|constraints\.txt)", text):
        assert (PROJECT / path).exists() or path.startswith("deploy/secrets"), path


def add_to_desk(desk: Path, name: str, text: str) -> None:
    """Make a fragment part of the desk: it must be understood there."""
    path = desk / name
    whole = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap() if path.exists() else {}
    path.write_text(tomlkit.dumps(merged(whole, tomlkit.parse(text).unwrap())), encoding="utf-8")
    read_rules(desk)


def merged(whole: dict[str, object], part: dict[str, object]) -> dict[str, object]:
    for key, value in part.items():
        mine = whole.get(key)
        whole[key] = merged(mine, value) if isinstance(mine, dict) and isinstance(value, dict) else value
    return whole


def is_an_article(text: str, shown: str, place: Path) -> None:
    (place / "desks" / "demo" / "articles" / "shown.md").write_text(text, encoding="utf-8")
    assert "reset-password" in {article.id for article in read_desk(place / "desks" / "demo").articles}


def is_what_was_printed(text: str, shown: str, place: Path) -> None:
    """The first line, the last one, and the fields of those between; how sure they are varies with the encoder."""
    lines, printed = text.splitlines(), shown.splitlines()
    assert (lines[0], lines[-1]) == (printed[0], printed[-1])
    assert [line.split()[0] for line in lines[1:4]] == [line.split()[0] for line in printed[1:4]]


def is_the_refused_line(text: str, shown: str, place: Path) -> None:
    rows = [json.loads(line) for line in (place / "suggestions.jsonl").read_text(encoding="utf-8").splitlines()]
    assert json.loads(text) in rows


def is_a_case(text: str, shown: str, place: Path) -> None:
    Case.model_validate(json.loads(text))


def is_of_a_suggestion(text: str, shown: str, place: Path) -> None:
    part = json.loads(text)
    Route.model_validate(part["route"])
    HistorySaid.model_validate(part["history"])


def is_a_note(text: str, shown: str, place: Path) -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in PROJECT.glob("triage/drafting/*.py"))
    for line in text.splitlines():
        assert f"{line.split(':')[0]}:" in source, line


CHECKS: dict[str, Callable[[str, str, Path], object]] = {
    "sh host": is_for_a_machine,
    "markdown article": is_an_article,
    "text suggestion": is_what_was_printed,
    "text note": is_a_note,
    "json refused": is_the_refused_line,
    "json case": is_a_case,
    "json suggestion": is_of_a_suggestion,
    "jsonl tickets.jsonl": lambda text, shown, place: [json.loads(line) for line in text.splitlines()],
    "toml gates.toml": lambda text, shown, place: read_gates(place / "gates.toml"),
}


def test_every_page_of_the_handbook_is_reached_from_its_first_page() -> None:
    docs = PROJECT / "docs"
    index = (docs / "README.md").read_text(encoding="utf-8")
    linked = {(docs / target).resolve() for target in re.findall(r"\]\(([^)#]+)\)", index)}
    assert {path for path in docs.glob("**/*.md") if path.name != "README.md"} <= linked


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file(page: str) -> None:
    text = (PROJECT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        assert target.startswith("http") or ((PROJECT / page).parent / target).exists(), target


def test_no_target_of_make_is_taken_for_a_folder() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)", makefile, re.MULTILINE)
    assert phony
    named = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    assert named - set(phony[1].replace("\\", "").split()) == set()
