from pathlib import Path

import pytest

from eval.errors import GateError
from eval.gates import DEFAULT_GATES, Gate, Gates, read_gates
from eval.metrics.all_metrics import all_metrics


def written(folder: Path, text: str) -> Path:
    path = folder / "gates.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_gates_is_read(tmp_path: Path) -> None:
    text = 'error_rate = 0.1\nnever = ["a"]\n[[gate]]\nmetric = "b"\nworse_by = 0.02\nbuild_sd = 0.01\nslice = "x=y"\n'
    gate = Gate(metric="b", worse_by=0.02, build_sd=0.01, slice="x=y")
    assert read_gates(written(tmp_path, text)) == Gates(error_rate=0.1, gate=(gate,), never=("a",))


def test_the_gates_that_come_along_name_metrics_that_there_are() -> None:
    gates = read_gates(DEFAULT_GATES)
    names = {metric.name for metric in all_metrics({"category": [], "priority": [], "team": []})}
    assert {gate.metric for gate in gates.gate} | set(gates.never) <= names
    assert len(gates.gate) >= 5
    assert gates.error_rate == 0.05


GATE = '[[gate]]\nmetric = "kind.accuracy"\n'


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", None, "there is no gate in the file"),
        ("error_rate = 0.1\n", None, "there is no gate in the file"),
        (GATE + "worse_by = = 1\n", 3, "not TOML"),
        (GATE + "worse_by = -0.1\n", 3, "worse_by: Input should be greater than or equal to 0"),
        (GATE + "worse_by = inf\n", 3, "worse_by: Input should be a finite number"),
        (GATE + "build_sd = nan\n", 3, "build_sd: Input should be a finite number"),
        (GATE + "margin = 1\n", 3, "unknown key gate.0.margin"),
        ("[[gate]]\nworse_by = 0.1\n", 1, "gate.0.metric is missing"),
        ("error_rate = 0\n" + GATE, 1, "error_rate: Input should be greater than 0 (it is 0)"),
        ("error_rate = 0.5\n" + GATE, 1, "error_rate: Input should be less than 0.5"),
        ("error_rate = nan\n" + GATE, 1, "error_rate: "),
    ],
)
def test_a_file_that_is_wrong_is_refused_at_its_line(tmp_path: Path, text: str, line: int | None, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(GateError) as caught:
        read_gates(path)
    assert str(caught.value).startswith(f"{path}:{line}: " if line else f"{path}: ")
    assert said in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GateError, match=r"gates\.toml: there is no such file; name a TOML file of gates"):
        read_gates(tmp_path / "gates.toml")
