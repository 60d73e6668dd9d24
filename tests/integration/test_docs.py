"""The documentation is run, and names all there is."""

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from eval.gates import DEFAULT_GATES, read_gates
from eval.loaders import LOADERS
from eval.metrics.all_metrics import all_metrics
from eval.reference import PAGES, handoff_page
from models.encoder_folders import PACKAGED
from models.finetune import finetune
from serve.reference import PAGE as SERVICE_METRICS
from serve.reference import metrics_page
from triage.desk_files import DeskSettings
from triage.drafting.handoff import HANDOFF_RULES
from triage.drafting.policy import Policy, Rules
from triage.taxonomy import PriorityField


@pytest.fixture
def measuring(project: Path) -> str:
    return (project / "docs" / "measuring.md").read_text(encoding="utf-8")


def block(text: str, language: str) -> str:
    found = re.search(rf"```{language}(?: \S+)?\n(.*?)```", text, flags=re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_five_lines_of_python_run(measuring: str, project: Path, tmp_path: Path, demo_var: Path) -> None:
    code = block(measuring, "python")
    assert len([line for line in code.splitlines() if line]) == 5
    (tmp_path / "desks").symlink_to(project / "desks")
    (tmp_path / "var").mkdir()
    for made in ("generations", "encoders"):
        (tmp_path / "var" / made).symlink_to(demo_var / made)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    value, fails = done.stdout.split()
    assert 0 < float(value) <= 1
    assert fails == "False"


def test_the_example_of_an_encoder_runs_and_is_what_a_desk_may_say(project: Path, tmp_path: Path) -> None:
    text = (project / "docs" / "encoders.md").read_text(encoding="utf-8")
    settings = DeskSettings.model_validate({"id": "desk", "name": "Desk", **tomllib.loads(block(text, "toml"))})
    assert (settings.encoder, settings.precision) == (PACKAGED, "int8")
    code = block(text, "python")
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (call,) = re.findall(r"^# report = (.*?)  +#", code, flags=re.MULTILINE)
    finetune_call = ast.parse(call).body[0]
    assert isinstance(finetune_call, ast.Expr)
    assert isinstance(finetune_call.value, ast.Call)
    assert len(finetune_call.value.args) <= len(inspect.signature(finetune).parameters)


def test_the_gates_of_the_example_are_gates(measuring: str, tmp_path: Path) -> None:
    path = tmp_path / "gates.toml"
    path.write_text(block(measuring, "toml"), encoding="utf-8")
    assert len(read_gates(path).gate) == 3


def test_every_format_is_named(measuring: str) -> None:
    assert [name for name in LOADERS if f"`{name}`" not in measuring] == []


def test_the_reference_is_what_the_code_says(project: Path) -> None:
    folder = project / "docs" / "reference"
    made = {name: page() for name, page in PAGES.items()} | {SERVICE_METRICS: metrics_page()}
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == made, "run `make reference`"


def test_every_reason_and_every_setting_of_it_is_explained() -> None:
    page = handoff_page()
    for code in HANDOFF_RULES:
        assert f"\n## {code}\n" in page
        for name in type(Rules.model_fields[code].default).model_fields:
            assert f"`{name}`" in page


def test_the_default_gates_name_metrics_that_there_are() -> None:
    known = {metric.name for metric in all_metrics({field: ["one"] for field in ("category", "priority", "team")})}
    gates = read_gates(DEFAULT_GATES)
    assert {*(gate.metric for gate in gates.gate), *gates.never} <= known


def test_what_a_desk_may_state_is_understood_as_it_is_told(project: Path) -> None:
    policy, priority = re.findall(
        r"```toml \S+\n(.*?)```", (project / "docs" / "deciding.md").read_text(encoding="utf-8"), flags=re.DOTALL
    )
    stated = Policy.model_validate(tomllib.loads(policy))
    assert (stated.max_error("priority"), stated.label_errors("priority")) == (0.2, {"urgent": 0.1})
    assert stated.rules.out_of_scope.flag_at_most == 0.05
    told = tomllib.loads(priority)["priority"]
    labels = {name: {"description": name} for name in told["order"]}
    field = PriorityField.model_validate({**told, "labels": labels})
    assert field.matrix is not None
    assert (field.matrix.at(0, 0), field.matrix.at(3, 0), field.matrix.at(0, -1)) == ("normal", "urgent", "low")
