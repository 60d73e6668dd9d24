"""The command line as people use it: real processes, good and bad input."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

FIRSTLINE = str(Path(sys.executable).with_name("firstline"))


def run(*arguments: str, cwd: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([FIRSTLINE, *arguments], cwd=cwd, input=stdin, capture_output=True, timeout=120)


def one_sentence(done: subprocess.CompletedProcess[bytes]) -> str:
    error = done.stderr.decode()
    assert done.returncode == 2, error
    assert "Traceback" not in error
    assert error.startswith("firstline: ")
    assert error.count("\n") == 1
    return error


def test_suggest_prints_one_suggestion_as_json(project: Path, demo_var: Path) -> None:
    done = run("suggest", "desks/demo", "--var", str(demo_var), "--subject", "New phone, codes gone",
               "--body", "No codes in the app on my new phone. How do I move them?", "--json", cwd=project)  # fmt: skip
    assert done.returncode == 0, done.stderr
    suggestion = json.loads(done.stdout)
    assert suggestion["disposition"] == "draft"
    assert all(sentence["support"] for sentence in suggestion["draft"]["sentences"] if sentence["role"] == "fact")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("draft", "Every fact stands in: kb-102"),
        ("handoff", "human_requested (high)"),
        ("no_reply", "Auto-Submitted: auto-replied"),
    ],
)
def test_suggest_prints_for_people(project: Path, demo_var: Path, name: str, words: str) -> None:
    ticket = (project / f"desks/demo/tickets/{name}.json").read_bytes()
    done = run("suggest", "desks/demo", "--var", str(demo_var), "--ticket", "-", cwd=project, stdin=ticket)
    assert done.returncode == 0, done.stderr
    assert words in done.stdout.decode()


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        ((), b"", "no ticket was given"),
        (("--ticket", "missing.json"), b"", "missing.json: the file cannot be read"),
        (("--ticket", "-"), b"{", "not JSON"),
        (("--ticket", "-"), b"[]", "the ticket"),
        (("--ticket", "-"), b'{"body":"hi","colour":"red"}', "colour"),
        (("--ticket", "-"), b'{"channel":"email"}', "a ticket needs a subject or a body"),
        (("--ticket", "-"), b'{"body":"' + b"a" * 5_000_000 + b'"}', "larger than 1 MB"),
        (("--ticket", "-"), b'{"body":"hi","attributes":{"x":NaN}}', "attributes"),
        (("--ticket", "-", "--body", "x"), b"{}", "given twice"),
        (("--ticket", "-"), b"\xff\xfe", "not JSON"),
    ],
)
def test_a_bad_ticket_is_one_sentence(
    project: Path, demo_var: Path, arguments: tuple[str, ...], stdin: bytes, words: str
) -> None:
    assert words in one_sentence(
        run("suggest", "desks/demo", "--var", str(demo_var), *arguments, cwd=project, stdin=stdin)
    )


def test_a_desk_without_generation_names_the_remedy(project: Path, tmp_path: Path) -> None:
    error = one_sentence(run("suggest", "desks/demo", "--var", str(tmp_path), "--body", "hi", cwd=project))
    assert "run `firstline build`" in error


@pytest.mark.parametrize("command", ["build", "suggest"])
def test_a_missing_desk_is_one_sentence(project: Path, tmp_path: Path, command: str) -> None:
    extra = ["--body", "hi"] if command == "suggest" else []
    error = one_sentence(run(command, "desks/none", "--var", str(tmp_path), *extra, cwd=project))
    assert "there is no such desk folder" in error


BREAKS: Mapping[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "history row without a label": (
        lambda desk: append(desk / "history.jsonl", '{"id":"H-999","body":"hello"}'),
        ("history.jsonl:211:", "the row has no label", 'add "labels"'),
    ),
    "unknown label": (
        lambda desk: append(desk / "history.jsonl", '{"body":"hello","labels":{"category":"weather"}}'),
        ("history.jsonl:211:", "unknown category 'weather'", "taxonomy.toml"),
    ),
    "unknown field": (
        lambda desk: append(desk / "history.jsonl", '{"body":"hello","labels":{"mood":"good"}}'),
        ("history.jsonl:211:", "unknown field 'mood'"),
    ),
    "policy with an unknown rule": (
        lambda desk: append(desk / "policy.toml", "[rules.full_moon]\non = true"),
        ("policy.toml:", "unknown key rules.full_moon", "remove it"),
    ),
    "broken toml": (
        lambda desk: append(desk / "desk.toml", "name = = 3"),
        ("desk.toml:", "not TOML"),
    ),
}


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def append(path: Path, line: str) -> None:
    path.write_text(f"{path.read_text(encoding='utf-8').rstrip()}\n{line}\n", encoding="utf-8")


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_desk_is_one_sentence_and_builds_nothing(
    name: str, project: Path, tmp_path: Path, desk_copy: Callable[[], Path]
) -> None:
    breaks, words = BREAKS[name]
    desk = desk_copy()
    breaks(desk)
    error = one_sentence(run("build", str(desk), "--var", str(tmp_path / "var"), cwd=project))
    assert all(word in error for word in words), error
    assert not (tmp_path / "var" / "generations").exists()


def test_a_broken_article_is_named_and_the_others_are_built(
    project: Path, tmp_path: Path, desk_copy: Callable[[], Path]
) -> None:
    desk = desk_copy()
    replace_in(next(desk.glob("articles/kb-102*")), 'title: "', 'titel: "')
    done = run("build", str(desk), "--var", str(tmp_path / "var"), cwd=project)
    assert done.returncode == 0
    assert re.search(r"kb-102[^\n]*:1: unknown key 'titel'[^\n]*it is left out", done.stderr.decode())
    assert "(1 unpublished left out, 1 broken left out)" in " ".join(done.stdout.decode().split())


def test_a_build_that_was_done_is_not_done_again(project: Path, tmp_path: Path, desk_copy: Callable[[], Path]) -> None:
    desk, var = desk_copy(), tmp_path / "var"
    for _ in range(2):
        assert run("build", str(desk), "--var", str(var), "--if-missing", cwd=project).returncode == 0
    assert sorted(path.name for path in (var / "generations" / "demo").iterdir()) == ["000001", "current"]
    replace_in(desk / "policy.toml", "min_chance = 0.35", "min_chance = 0.4")
    warned = run("suggest", str(desk), "--var", str(var), "--body", "cannot log in", cwd=project)
    assert "policy.toml changed since the build" in warned.stderr.decode()
    assert run("build", str(desk), "--var", str(var), "--if-missing", cwd=project).returncode == 0
    assert (var / "generations" / "demo" / "current").read_text(encoding="utf-8") == "000002\n"


def test_an_edited_article_is_noticed(project: Path, tmp_path: Path, desk_copy: Callable[[], Path]) -> None:
    desk, var = desk_copy(), tmp_path / "var"
    assert run("build", str(desk), "--var", str(var), cwd=project).returncode == 0
    article = next(desk.glob("articles/kb-101*"))
    replace_in(article, "60 minutes", "90 minutes")
    done = run("suggest", str(desk), "--var", str(var), "--body", "cannot log in", cwd=project)
    assert done.returncode == 0
    assert f"{article} changed since the build; run `firstline build" in done.stderr.decode()


def test_a_damaged_generation_is_refused_and_the_one_before_serves(
    project: Path, tmp_path: Path, desk_copy: Callable[[], Path]
) -> None:
    desk, var = desk_copy(), tmp_path / "var"
    for _ in range(2):
        assert run("build", str(desk), "--var", str(var), cwd=project).returncode == 0
    index = var / "generations/demo/000002/articles.faiss"
    damaged = bytearray(index.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    index.write_bytes(damaged)
    done = run("suggest", str(desk), "--var", str(var), "--body", "cannot log in", "--json", cwd=project)
    assert done.returncode == 0
    assert "articles.faiss is missing or damaged" in done.stderr.decode()
    assert json.loads(done.stdout)["versions"]["generation"] == "000001"
    listed = run("generations", "list", str(desk), "--var", str(var), cwd=project).stdout.decode()
    assert "articles.faiss is missing or damaged" in listed
    assert "44 articles" in listed
    back = run("generations", "rollback", str(desk), "--var", str(var), cwd=project)
    assert "served from generation 000001" in back.stdout.decode()
    gone = run("generations", "purge", str(desk), "--var", str(var), "--keep", "1", cwd=project)
    assert gone.stdout.decode() == "nothing to remove\n"
    assert sorted(path.name for path in (var / "generations/demo").iterdir()) == ["000001", "000002", "current"]


def test_keys_are_made_for_known_scopes_only(project: Path, tmp_path: Path) -> None:
    made = run("keys", "create", "desks/demo", "--var", str(tmp_path), "--scope", "triage", cwd=project)
    assert made.stdout.decode().startswith("fl_")
    assert "unknown scope 'king'" in one_sentence(
        run("keys", "create", "desks/demo", "--var", str(tmp_path), "--scope", "king", cwd=project)
    )
    assert made.stdout.strip() not in (tmp_path / "firstline.db").read_bytes()


def test_an_eval_run_writes_what_was_run(project: Path, demo_var: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = run("eval", "run", "desks/demo", "--var", str(demo_var), "--out", str(out), cwd=project)
    assert done.returncode == 0, done.stderr
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["run"]["cases"]["n"] == 100
    measured = {entry["name"]: entry for entry in record["measurements"]}
    assert measured["draft.supported_sentences"]["value"] == 1.0
    assert measured["draft.rate_on_answerable"]["low"] <= measured["draft.rate_on_answerable"]["value"]
    assert len((out / "outcomes.jsonl").read_text(encoding="utf-8").splitlines()) == 100


def test_eval_refuses_a_case_that_expects_the_unknown(project: Path, demo_var: Path, tmp_path: Path) -> None:
    cases = tmp_path / "cases.jsonl"
    cases.write_text('{"id":"1","ticket":{"body":"x"},"expect":{"articles":["kb-000"]}}\n', encoding="utf-8")
    error = one_sentence(
        run(
            "eval",
            "run",
            "desks/demo",
            "--var",
            str(demo_var),
            "--cases",
            str(cases),
            "--out",
            str(tmp_path),
            cwd=project,
        )
    )
    assert "cases.jsonl:1: expects an unknown article 'kb-000'" in error
