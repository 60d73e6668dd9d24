"""Runs and comparisons as people make them: a real desk, real files, the real command line."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import build_desk
from eval_builders import case, guessing, handed_over, right_and_wrong, run_of, small_desk

import firstline
from eval.compare_runs import compare_runs
from eval.errors import CaseError, RunError
from eval.gates import Gate, Gates
from eval.outcomes import Outcome
from eval.run_record import FINISHED, OUTCOMES, UNFINISHED, Run, clear
from eval.run_suite import evaluate
from models.hashing_encoder import HashingEncoder
from models.protocols import FloatArray, Progress, no_progress
from triage.assembly import build_engine
from triage.engine import TriageEngine

Rows = list[dict[str, Any]]
MACRO_F1_AND_SIMILARITY = Gates(gate=(Gate(metric="category.macro_f1"), Gate(metric="draft.similarity")))
PRIVATE = "my sister's pin is 4711"
ASKED = (
    ("Cannot log in", "The code from my phone is refused since this morning.", "account_access", "kb-101"),
    ("Balance sheet", "Where do I find the balance sheet for the accountant?", "reports", None),
    ("Charged twice", "You took the money for May two times.", "subscription", None),
    ("Bank feed", "The feed from my bank has stopped on Monday.", "bank_feeds", None),
    ("VAT", "Which rate do I charge on hot pies?", "vat", None),
    ("Stock", "My product list does not import.", "stock", None),
)


@pytest.fixture(scope="module")
def desk(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_desk(project, tmp_path_factory.mktemp("eval") / "desk")


@pytest.fixture(scope="module")
def var(desk: Path) -> Path:
    build_desk(desk, desk.parent / "var")
    return desk.parent / "var"


@pytest.fixture(scope="module")
def engine(desk: Path, var: Path) -> TriageEngine:
    return build_engine(desk, var)


@pytest.fixture(scope="module")
def cases(desk: Path) -> Path:
    return written(desk.parent / "cases.jsonl", case_rows())


@pytest.fixture(scope="module")
def whole(desk: Path, engine: TriageEngine, cases: Path) -> Run:
    """A run that nothing interrupted. Read it, change nothing."""
    return evaluate(desk, desk.parent / "whole", cases, engine)


def case_rows() -> Rows:
    rows: Rows = []
    for number, (subject, body, category, article) in enumerate(ASKED * 2):
        expect: dict[str, Any] = {"category": category, "kind": "request", "handoff": False, "answerable": True}
        if article:
            expect |= {"articles": [article], "reply": "Ask for a new link and use it within the hour."}
        ticket = {"subject": subject, "body": f"{body} ({number})", "channel": ("email", "chat", "web")[number % 3]}
        rows.append({"id": f"Fall-{number:02d} ü", "ticket": ticket, "expect": expect})
    return rows


def written(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


class SpoiltEncoder(HashingEncoder):
    """Fails on texts that hold a word, with the customer's words in what it says."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self.word = word

    def encode(self, texts: Sequence[str], progress: Progress = no_progress) -> FloatArray:
        for text in texts:
            if self.word in text:
                raise ArithmeticError(f"cannot encode {text!r}")
        return super().encode(texts, progress)


def interrupt_after(count: int) -> Progress:
    def progress(step: str, done: int, total: int) -> None:
        if (step, done) == ("cases", count):
            raise KeyboardInterrupt

    return progress


def lasting(run: Run) -> list[object]:
    """The measurements that do not depend on the speed of the machine."""
    return [entry for entry in run.measurements if not entry.name.startswith("latency.")]


def test_a_run_says_what_was_run(whole: Run, cases: Path, engine: TriageEngine) -> None:
    header = whole.header
    assert (header.desk, header.seed, header.versions) == ("demo", 20, engine.versions)
    assert (header.cases.file, header.cases.n) == ("cases.jsonl", 12)
    assert header.fields["category"]["vat"] == 0
    assert sorted(path.name for path in whole.folder.iterdir()) == [OUTCOMES, FINISHED]
    assert [outcome.case.id for outcome in whole.outcomes()] == [row["id"] for row in case_rows()]
    assert whole["category.accuracy"].n == 12
    assert whole["retrieval.hit_at_5"].n == 2
    assert whole["retrieval.hit_at_5"].unscored == 10
    assert whole["handoff.recall"].value is None
    assert Run.open(whole.folder) == whole
    with pytest.raises(KeyError, match=r"category\.acuracy is no metric of this run; it has kind\.accuracy"):
        whole["category.acuracy"]


def test_slices_are_named_and_counted(whole: Run) -> None:
    found = {entry.slice: entry for entry in whole.measurements if entry.name == "category.accuracy"}
    counted = {name: (entry.n, entry.unscored) for name, entry in found.items()}
    assert counted[None] == (12, 0)
    assert {name: counted[f"channel={name}"] for name in ("email", "chat", "web")} == dict.fromkeys(
        ("email", "chat", "web"), (4, 0)
    )
    assert not any(name and name.startswith(("language=", "class_size=")) for name in found)  # one value each
    assert not any(entry.slice for entry in whole.measurements if entry.name.endswith((".ece", ".aurc", "_ms")))


def test_an_exception_is_an_outcome_and_its_words_stay_out(desk: Path, engine: TriageEngine, tmp_path: Path) -> None:
    rows = case_rows()[:3]
    rows[1]["ticket"]["body"] = f"spoilt: {PRIVATE}"
    spoilt = replace(engine, encoder=SpoiltEncoder("spoilt"))
    run = evaluate(desk, tmp_path / "run", written(tmp_path / "cases.jsonl", rows), spoilt)
    errors = [outcome.error for outcome in run.outcomes()]
    assert [error is None for error in errors] == [True, False, True]
    assert errors[1] is not None
    assert errors[1].startswith("ArithmeticError at test_eval_run.py:")
    # The ticket is kept, as part of the case; the exception's text, which repeats it, is not.
    text = (run.folder / OUTCOMES).read_text(encoding="utf-8")
    assert text.count(PRIVATE) == 1
    assert "cannot encode" not in text
    assert run["category.accuracy"].n == 3
    assert run["latency.p50_ms"].n == 2


def test_a_run_whose_every_case_raised_is_a_run(desk: Path, engine: TriageEngine, tmp_path: Path) -> None:
    run = evaluate(
        desk, tmp_path / "run", written(tmp_path / "c.jsonl", case_rows()), replace(engine, encoder=SpoiltEncoder(""))
    )
    assert run["category.accuracy"].value == 0
    assert run["latency.p50_ms"].value is None
    assert run["draft.supported_sentences"].value is None


def test_a_reply_that_cannot_be_encoded_loses_no_suggestion(desk: Path, engine: TriageEngine, tmp_path: Path) -> None:
    rows = case_rows()[:1]
    rows[0]["expect"]["reply"] = "spoilt"
    run = evaluate(
        desk, tmp_path / "run", written(tmp_path / "c.jsonl", rows), replace(engine, encoder=SpoiltEncoder("spoilt"))
    )
    (outcome,) = run.outcomes()
    assert outcome.suggestion is not None
    assert outcome.reply_similarity is None


@pytest.mark.parametrize("left", ["half a line", "whole lines", "half a character", "nothing", "no file"])
def test_an_interrupted_run_goes_on_to_the_same_measurements(
    desk: Path, engine: TriageEngine, cases: Path, whole: Run, tmp_path: Path, left: str
) -> None:
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        evaluate(desk, out, cases, engine, progress=interrupt_after(7))
    assert sorted(path.name for path in out.iterdir()) == [OUTCOMES, UNFINISHED]
    with pytest.raises(RunError, match="the run has not finished"):
        Run.open(out)
    path = out / OUTCOMES
    written_so_far = path.read_bytes()
    kept = {
        "half a line": written_so_far[:-40],
        "whole lines": written_so_far,
        "half a character": written_so_far + '{"case": {"id": "ü'.encode()[:-1],
        "nothing": b"",
        "no file": None,
    }[left]
    if kept is None:
        path.unlink()
    else:
        path.write_bytes(kept)
    again: list[int] = []
    run = evaluate(
        desk, out, cases, engine, progress=lambda step, done, _: again.append(done) if step == "cases" else None
    )
    assert again[0] == {"half a line": 7, "whole lines": 8, "half a character": 8}.get(left, 1)
    assert lasting(run) == lasting(whole)
    assert [outcome.case.id for outcome in run.outcomes()] == [outcome.case.id for outcome in whole.outcomes()]


def test_only_the_same_run_goes_on(desk: Path, engine: TriageEngine, cases: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        evaluate(desk, out, cases, engine, progress=interrupt_after(2))
    before = (out / OUTCOMES).read_bytes()
    other_build = replace(engine, versions=engine.versions.model_copy(update={"generation": "000009"}))
    other_cases = written(tmp_path / "cases.jsonl", case_rows()[:4])
    attempts: tuple[Callable[[], Run], ...] = (
        lambda: evaluate(desk, out, cases, engine, seed=21),
        lambda: evaluate(desk, out, cases, other_build),
        lambda: evaluate(desk, out, other_cases, engine),
    )
    for attempt in attempts:
        with pytest.raises(RunError, match="an interrupted run of other cases, another build or another seed is here"):
            attempt()
    assert (out / OUTCOMES).read_bytes() == before


def test_a_finished_run_is_replaced_only_on_demand(
    desk: Path, engine: TriageEngine, cases: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    few = written(tmp_path / "few.jsonl", case_rows()[:2])
    evaluate(desk, out, few, engine)
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match="a finished run is here already; name another folder, or add --overwrite"):
        evaluate(desk, out, few, engine)
    clear(out)
    assert [path.name for path in out.iterdir()] == ["notes.txt"]
    assert evaluate(desk, out, few, engine).header.cases.n == 2


def damaged(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text, encoding="utf-8") and None


def changed(name: str, change: Callable[[Any], object], line: int | None = None) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / name
        lines = path.read_text(encoding="utf-8").splitlines() if line else [path.read_text(encoding="utf-8")]
        values = json.loads(lines[(line or 1) - 1])
        change(values)
        lines[(line or 1) - 1] = json.dumps(values)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    return apply


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "run.json is no JSON": (damaged(FINISHED, "{"), "run.json: the file cannot be read"),
    "run.json is a list": (damaged(FINISHED, "[]"), "run.json: this is no run"),
    "run.json is empty": (damaged(FINISHED, "{}"), "run.json: this is no run"),
    "a header without a seed": (changed(FINISHED, lambda run: run["run"].pop("seed")), "run.json: seed: is missing"),
    "a measurement without a name": (
        changed(FINISHED, lambda run: run.update(measurements=[{"value": 1}])),
        "run.json: name: is missing",
    ),
    "half a line": (damaged(OUTCOMES, '{"case": '), "outcomes.jsonl:1: this is no outcome of a run"),
    "a blank line": (damaged(OUTCOMES, "\n"), "outcomes.jsonl:1: "),
    "a list": (damaged(OUTCOMES, "[]\n"), "outcomes.jsonl:1: this is no outcome of a run"),
    "no error": (changed(OUTCOMES, lambda row: row.pop("error"), 2), "outcomes.jsonl:2: this is no outcome of a run"),
    "a time that is none": (changed(OUTCOMES, lambda row: row.update(seconds=None), 3), "outcomes.jsonl:3: "),
    "a likeness that is none": (
        changed(OUTCOMES, lambda row: row.update(reply_similarity="x"), 1),
        "outcomes.jsonl:1: ",
    ),
    "a case without a ticket": (
        changed(OUTCOMES, lambda row: row["case"].pop("ticket"), 2),
        "outcomes.jsonl:2: ticket: is missing",
    ),
    "a suggestion of another shape": (
        changed(OUTCOMES, lambda row: row["suggestion"].update(colour="red"), 2),
        "outcomes.jsonl:2: colour: unknown key",
    ),
    "a suggestion without the field": (
        changed(OUTCOMES, lambda row: row["suggestion"].update(fields={}), 2),
        "outcomes.jsonl",
    ),
    "a guess of nothing": (
        changed(OUTCOMES, lambda row: row["suggestion"]["fields"]["category"].update(value=None, alternatives=[]), 2),
        "outcomes.jsonl",
    ),
    "a label that there is not": (
        changed(OUTCOMES, lambda row: row["case"]["expect"].update(category="weather"), 2),
        "outcomes.jsonl",
    ),
    "a likeness that is not finite": (
        changed(OUTCOMES, lambda row: row.update(reply_similarity=float("nan")), 1),
        "outcomes.jsonl:1: ",
    ),
    "a nest without end": (damaged(OUTCOMES, "[" * 100_000), "outcomes.jsonl:1: "),
    "run.json is a nest without end": (damaged(FINISHED, "[" * 100_000), "run.json: the file cannot be read"),
    "no outcomes": (lambda folder: (folder / OUTCOMES).unlink(), "outcomes.jsonl: the outcomes cannot be read"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_run_is_refused_by_file_and_line(tmp_path: Path, name: str) -> None:
    damage, said = DAMAGES[name]
    folder = run_of(tmp_path / "run", right_and_wrong([1, 0, 1])).folder
    damage(folder)
    with pytest.raises(RunError) as caught:
        compare_runs(Run.open(folder), Run.open(folder), MACRO_F1_AND_SIMILARITY)
    assert str(folder / said.partition(":")[0]) in str(caught.value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"expect": {"category": "weather"}}, ":1: expects unknown category 'weather'"),
        ({"expect": {"articles": ["kb-000"]}}, ":1: expects an unknown article 'kb-000'"),
        ({"expect": {"priority": 1}}, ":1: priority is not a text"),
        (None, ": there is no case in the file"),
        ({"id": "Fall-01 ü"}, ":2: the id 'Fall-01 ü' stands twice"),
    ],
)
def test_cases_that_are_wrong_start_no_run(
    desk: Path, engine: TriageEngine, tmp_path: Path, change: dict[str, Any] | None, said: str
) -> None:
    rows = case_rows()
    path = written(tmp_path / "cases.jsonl", [] if change is None else [rows[0] | change, rows[1]])
    with pytest.raises(CaseError) as caught:
        evaluate(desk, tmp_path / "run", path, engine)
    assert f"{path}{said}" in str(caught.value)
    assert not (tmp_path / "run").exists()


# The command line. In this process, which spares a second for each; two tests start a real one.


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["firstline", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            firstline.main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return call


Cli = Callable[..., tuple[int, str, str]]


def one_sentence(done: tuple[int, str, str]) -> str:
    code, _, error = done
    assert code == 2, error
    assert "Traceback" not in error
    assert error.startswith("firstline: ")
    assert error.count("\n") == 1
    return error


def gates_file(folder: Path, text: str) -> Path:
    path = folder / "gates.toml"
    path.write_text(text, encoding="utf-8")
    return path


ACCURACY = '[[gate]]\nmetric = "category.accuracy"\n'


def test_a_run_from_the_command_line(cli: Cli, desk: Path, var: Path, cases: Path, whole: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ("eval", "run", desk, "--var", var, "--cases", cases, "--out", out)
    code, said, error = cli(*arguments)
    assert (code, error) == (0, "")
    assert f"Written to {out / 'run.json'}" in said
    assert "handoff.recall" in said
    assert lasting(Run.open(out)) == lasting(whole)
    assert "a finished run is here already" in one_sentence(cli(*arguments))
    typo = one_sentence(cli("eval", "run", desk, "--var", var, "--out", out, "--cases", "typo.jsonl", "--overwrite"))
    assert "typo.jsonl: the file cannot be read" in typo
    assert Run.open(out).header.cases.n == 12  # what was there still is
    assert cli(*arguments, "--overwrite")[0] == 0


def test_a_folder_that_cannot_be_is_one_sentence(cli: Cli, desk: Path, var: Path, cases: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    error = one_sentence(cli("eval", "run", desk, "--var", var, "--cases", cases, "--out", tmp_path / "file"))
    assert str(tmp_path / "file") in error


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A run, a worse one and a better one over the same cases."""
    results = ([1] * 80 + [0] * 20, [1] * 60 + [0] * 40, [1] * 90 + [0] * 10)
    named = zip(("before", "worse", "better"), results, strict=True)
    before, worse, better = (run_of(tmp_path / name, right_and_wrong(rows)).folder for name, rows in named)
    return before, worse, better


def test_a_gate_that_fails_is_exit_code_1(cli: Cli, runs: tuple[Path, Path, Path], tmp_path: Path) -> None:
    before, worse, better = runs
    gates = gates_file(tmp_path, ACCURACY)
    code, said, _ = cli("eval", "compare", before, worse, "--gates", gates)
    assert code == 1
    assert "FAILS: worse: category.accuracy" in said
    assert cli("eval", "compare", before, better, "--gates", gates)[0] == 0
    assert cli("eval", "compare", before, before, "--gates", gates)[0] == 0


def test_a_lost_case_of_a_never_metric_is_exit_code_1(cli: Cli, tmp_path: Path) -> None:
    asked = [case(f"c-{n}", handoff=True, handoff_reasons=["sensitive_topic"]) for n in range(30)]
    kept, lost = handed_over("sensitive_topic"), handed_over("low_confidence")
    before = run_of(tmp_path / "before", [Outcome(one, kept) for one in asked])
    after = run_of(tmp_path / "after", [Outcome(one, lost if one.id == "c-7" else kept) for one in asked])
    gates = gates_file(tmp_path, 'never = ["handoff.sensitive_topic.recall"]\n')
    code, said, _ = cli("eval", "compare", before.folder, after.folder, "--gates", gates)
    assert code == 1
    assert "newly lost cases: handoff.sensitive_topic.recall" in said


def test_a_comparison_as_json(cli: Cli, runs: tuple[Path, Path, Path], tmp_path: Path) -> None:
    gates = gates_file(tmp_path, ACCURACY)
    code, said, _ = cli("eval", "compare", runs[0], runs[1], "--gates", gates, "--json")
    found = json.loads(said)
    assert (code, found["fails"]) == (1, True)
    (difference,) = found["differences"]
    assert difference["gate"]["metric"] == "category.accuracy"
    assert difference["difference"] == pytest.approx(-0.2)
    assert len(found["flips"]) == 20
    assert set(found["flips"][0]) == {"metric", "case", "lost"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[gate]]\nmetric = "category.acuracy"\n', "'category.acuracy', which is no metric"),
        ('never = ["handoff.acuracy"]\n', "'handoff.acuracy', which is no metric"),
        (ACCURACY + 'slice = "language=xx"\n', "names the slice 'language=xx'; the runs have none"),
        ('never = ["category.macro_f1"]\n', "category.macro_f1"),
        ("# nothing\n", "gates.toml: there is no gate in the file"),
        (ACCURACY + "worse_by = = 1\n", "gates.toml:3: not TOML"),
        (ACCURACY + "wurst = 1\n", "gates.toml:3: unknown key gate.0.wurst"),
        ("error_rate = 0\n" + ACCURACY, "gates.toml:1: error_rate: Input should be greater than 0"),
        ('[[gate]]\nmetric = "handoff.recall"\n', "no case of these runs is scored on handoff.recall"),
        (ACCURACY + '[[gate]]\nmetric = "answerable.auroc"\n', "scored on answerable.auroc"),
        ('never = ["handoff.human_requested.recall"]\n', "scored on handoff.human_requested.recall"),
    ],
)
def test_gates_that_cannot_be_held_are_one_sentence(
    cli: Cli, runs: tuple[Path, Path, Path], tmp_path: Path, text: str, said: str
) -> None:
    error = one_sentence(cli("eval", "compare", runs[0], runs[1], "--gates", gates_file(tmp_path, text)))
    assert said in error


def test_a_slice_in_which_nothing_is_scored_is_one_sentence(cli: Cli, tmp_path: Path) -> None:
    def row(number: int, channel: str, **expect: Any) -> Outcome:
        asked = case(f"{channel}-{number}", **expect).model_copy(update={"slice": {"channel": channel}})
        return Outcome(asked, handed_over("human_requested"))

    rows = [row(n, "app", handoff=True) for n in range(5)] + [row(n, "web") for n in range(5)]
    before, after = (run_of(tmp_path / name, rows).folder for name in ("before", "after"))
    gate = '[[gate]]\nmetric = "handoff.recall"\nslice = "channel={}"\n'
    assert cli("eval", "compare", before, after, "--gates", gates_file(tmp_path, gate.format("app")))[0] == 0
    error = one_sentence(cli("eval", "compare", before, after, "--gates", gates_file(tmp_path, gate.format("web"))))
    assert "handoff.recall" in error


def test_a_gates_file_that_is_not_there_is_one_sentence(cli: Cli, runs: tuple[Path, Path, Path]) -> None:
    assert "none.toml: there is no such file" in one_sentence(cli("eval", "compare", *runs[:2], "--gates", "none.toml"))


def test_runs_that_cannot_be_compared_are_one_sentence(cli: Cli, runs: tuple[Path, Path, Path], tmp_path: Path) -> None:
    before = runs[0]
    assert "none: there is no run here" in one_sentence(cli("eval", "compare", before, tmp_path / "none"))
    unfinished = run_of(tmp_path / "unfinished", right_and_wrong([1])).folder
    (unfinished / FINISHED).rename(unfinished / UNFINISHED)
    assert "unfinished: the run has not finished" in one_sentence(cli("eval", "compare", unfinished, before))
    gates = gates_file(tmp_path, ACCURACY)
    few = run_of(tmp_path / "few", right_and_wrong([1] * 99)).folder
    assert "are over different cases" in one_sentence(cli("eval", "compare", before, few, "--gates", gates))
    rows = right_and_wrong([1] * 100)
    rows[3] = Outcome(case("c-0003", category="vat"), guessing("vat"))
    other = run_of(tmp_path / "other", rows).folder
    error = one_sentence(cli("eval", "compare", before, other, "--gates", gates))
    assert "are over different cases: 1 are in one run only or have changed, such as 'c-0003'" in error


def test_the_gates_that_come_along_pass_over_what_is_not_scored(cli: Cli, whole: Run) -> None:
    code, said, error = cli("eval", "compare", whole.folder, whole.folder)
    assert (code, error) == (0, "")
    recall = next(line for line in said.splitlines() if line.startswith("handoff.recall"))
    assert "not scored" in recall
    assert "No gate fails" in said


def test_real_processes_say_the_same(runs: tuple[Path, Path, Path], tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("firstline")), "eval", "compare", str(runs[0])]
    gates = ["--gates", str(gates_file(tmp_path, ACCURACY))]
    codes = {}
    for other in (str(runs[0]), str(runs[1]), str(tmp_path / "none")):
        done = subprocess.run([*command, other, *gates], capture_output=True, timeout=120)
        assert b"Traceback" not in done.stderr
        codes[Path(other).name] = done.returncode
    assert codes == {"before": 0, "worse": 1, "none": 2}
