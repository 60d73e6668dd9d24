"""``gates.toml``: what a change must not make worse."""

from pathlib import Path

from pydantic import Field, FiniteFloat

from eval.errors import GateError
from triage.errors import DeskFileError
from triage.toml_files import FileModel, read_toml

DEFAULT_GATES = Path(__file__).with_name("default_gates.toml")


class Gate(FileModel):
    """A metric that must not get worse.

    worse_by: a loss that is accepted, in the metric's own unit; build_sd: by how much the metric varies from one build
    of the same desk to the next (standard deviation), so that chance in training is not taken for a regression.
    """

    metric: str
    worse_by: FiniteFloat = Field(default=0.0, ge=0)
    build_sd: FiniteFloat = Field(default=0.0, ge=0)
    slice: str | None = None

    @property
    def name(self) -> str:
        """Metric and slice, as people read them."""
        return f"{self.metric} [{self.slice}]" if self.slice else self.metric


class Gates(FileModel):
    """All gates of a comparison.

    error_rate: the chance, over all gates together, that a change which makes nothing worse fails; never: metrics of
    which no single case may be newly lost, with no room for chance; silenced: a handoff reason that was given on so
    many cases and is given on none fails too, and so does a rule that was switched off (0: they do not).
    """

    error_rate: float = Field(default=0.05, gt=0, lt=0.5)
    gate: tuple[Gate, ...] = ()
    never: tuple[str, ...] = ()
    silenced: int = Field(default=0, ge=0)


def read_gates(path: Path) -> Gates:
    """Read a gates file. Raises `GateError`."""
    if not path.is_file():
        raise GateError(path, None, "there is no such file", "name a TOML file of gates")
    try:
        gates = read_toml(path, Gates)
    except DeskFileError as error:
        raise GateError(error.path, error.line, error.problem, error.remedy) from error
    if not gates.gate and not gates.never and not gates.silenced:
        raise GateError(
            path, None, "there is no gate in the file", 'write for instance [[gate]] metric = "kind.accuracy"'
        )
    return gates
