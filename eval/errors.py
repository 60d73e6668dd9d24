"""What can go wrong in `eval`.

EvalError
├── FileFault          something in a file is not right: where, what, and the remedy
│   ├── CaseError      a case cannot be read, or expects a label or article that the desk does not have
│   ├── DataError      public data or an export cannot be read
│   ├── GateError      gates.toml cannot be read, or names a metric that the runs do not have
│   └── RunError       a run's folder is missing, unfinished, damaged, or belongs to another run
├── ComparisonError    two runs cannot be compared: they are over different cases
├── TuneError          a target names what the desk does not have
└── BenchError         a bench cannot run: its data or desk is not there
"""

from pathlib import Path


class EvalError(Exception):
    """Root of the errors of this package."""


class FileFault(EvalError):
    """Something in a file is not right."""

    def __init__(self, path: Path, line: int | None, problem: str, remedy: str) -> None:
        self.path, self.line, self.problem, self.remedy = path, line, problem, remedy
        where = f"{path}:{line}" if line else str(path)
        super().__init__(f"{where}: {problem}; {remedy}")


class CaseError(FileFault):
    """A case is not right."""


class DataError(FileFault):
    """Public data or an export is not right."""


class GateError(FileFault):
    """A gates file is not right."""


class RunError(FileFault):
    """A run's folder is not right."""


class ComparisonError(EvalError):
    """Two runs cannot be compared."""


class TuneError(EvalError):
    """A target for thresholds is not one of the desk's."""


class BenchError(EvalError):
    """A bench cannot run."""
