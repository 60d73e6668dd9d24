"""What can go wrong in `eval`.

EvalError
└── CaseError      a case cannot be read, or expects a label or article that the desk does not have
"""

from pathlib import Path


class EvalError(Exception):
    """Root of the errors of this package."""


class CaseError(EvalError):
    """A case is not right."""

    def __init__(self, path: Path, line: int | None, problem: str, remedy: str) -> None:
        where = f"{path}:{line}" if line else str(path)
        super().__init__(f"{where}: {problem}; {remedy}")
