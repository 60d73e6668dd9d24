"""The promises of the house: what is imported when, which way imports run, and what never appears in the code."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ("models", "retrieval", "triage", "serve", "eval")
HEAVY = ("torch", "transformers", "sentence_transformers", "faiss", "openvino", "sklearn", "scipy", "fastapi")


def modules_after(code: str, cwd: Path) -> set[str]:
    script = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], cwd=cwd, capture_output=True, text=True, check=True)
    return set(found.stdout.split())


def test_the_command_line_starts_without_heavy_imports(project: Path) -> None:
    code = "import sys\nfrom typer.testing import CliRunner\nimport firstline\n"
    code += "assert CliRunner().invoke(firstline.app, ['--help']).exit_code == 0"
    assert not modules_after(code, project) & {*HEAVY, "numpy", "pydantic"}


def test_a_served_desk_needs_neither_torch_nor_transformers(project: Path, demo_var: Path, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom datetime import datetime, UTC\n"
        "from serve.open_services import open_services\nfrom triage.tickets import Ticket\n"
        f"services = open_services([Path('desks/demo')], Path({str(demo_var)!r}), 'sqlite:///{tmp_path}/x.db')\n"
        "engine = services.engine('demo')\n"
        "assert engine.suggest(Ticket(subject='New phone, codes gone'), 'x', datetime.now(UTC))\n"
        "services.close()"
    )
    assert not modules_after(code, project) & {
        "torch",
        "transformers",
        "sentence_transformers",
        "sklearn",
        "nncf",
        "onnxruntime",
        "openvino_telemetry.main",
    }


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("eval/cases.py", "import serve.errors", "Imports run one way"),
        ("retrieval/search.py", "import triage.errors", "Imports run one way"),
        ("triage/engine.py", "import torch", "Only models touches the learning runtimes"),
        ("serve/app.py", "import faiss", "Only retrieval touches the search libraries"),
    ],
)
def test_the_import_contracts_catch_a_planted_import(
    project: Path, tmp_path: Path, module: str, line: str, contract: str
) -> None:
    for package in PACKAGES:
        shutil.copytree(project / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(project / "pyproject.toml", tmp_path)
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    sound = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path)})
    assert sound.returncode == 0, sound.stdout
    planted = tmp_path / module
    planted.write_text(f"{planted.read_text(encoding='utf-8')}\n{line}  # planted\n", encoding="utf-8")
    broken = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path)})
    assert broken.returncode == 1
    assert f"{contract}" in broken.stdout
    assert "BROKEN" in broken.stdout


def test_nothing_unpickles_and_nothing_trusts_remote_code(project: Path) -> None:
    banned = {"pickle", "joblib", "dill", "shelve", "marshal"}
    for path in [project / "firstline.py", *(file for name in PACKAGES for file in (project / name).rglob("*.py"))]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                assert not {alias.name.split(".")[0] for alias in node.names} & banned, path
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] not in banned, path
            elif isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in {"torch.load", "yaml.load", "eval", "exec"}, f"{path}:{node.lineno}"
            elif isinstance(node, ast.keyword) and node.arg in {"trust_remote_code", "allow_pickle"}:
                assert ast.unparse(node.value) == "False", f"{path}:{node.value.lineno}"


def test_every_error_class_stands_in_the_tree_of_its_room(project: Path) -> None:
    for package in PACKAGES:
        tree = ast.parse((project / package / "errors.py").read_text(encoding="utf-8"))
        drawn = ast.get_docstring(tree) or ""
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                assert node.name in drawn, f"{package}.errors.{node.name} is not drawn"


def test_the_readme_names_every_command_reason_scope_and_route(project: Path) -> None:
    from fastapi.routing import APIRoute

    import firstline
    from eval.commands import app as eval_commands
    from serve.app import ROUTERS
    from serve.security.keys import SCOPES
    from triage.drafting.handoff import HANDOFF_RULES

    readme = (project / "README.md").read_text(encoding="utf-8")
    commands = [command.callback.__name__ for command in firstline.app.registered_commands if command.callback]
    commands += [f"eval {command.name}" for command in eval_commands.registered_commands]
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    for word in (*commands, *HANDOFF_RULES, *SCOPES, *(route.path for route in routes if route.include_in_schema)):
        assert word in readme, f"the README does not name {word}"
    manual = (project / "docs/console.md").read_text(encoding="utf-8")
    pages = {route.path for route in routes if not route.include_in_schema and "GET" in route.methods}
    for page in pages - {"/console/static/{version}/{name}", "/console/{rest:path}"}:
        assert f"`{page}" in manual, f"docs/console.md does not name {page}"
