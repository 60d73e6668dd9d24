"""What can go wrong in `retrieval`.

RetrievalError
├── ArticleError       an article cannot be read; carries the file, the line and the remedy
├── DeepMarkupError    the HTML of an article is nested too deep
└── DamagedIndexError  an index is missing, damaged, or was built by another encoder
"""

from pathlib import Path


class RetrievalError(Exception):
    """Root of the errors of this package."""


class ArticleError(RetrievalError):
    """An article file is missing something, or cannot be read."""

    def __init__(self, path: Path, line: int, problem: str, remedy: str) -> None:
        super().__init__(f"{path}:{line}: {problem}; {remedy}")
        self.path, self.line, self.problem, self.remedy = path, line, problem, remedy


class DeepMarkupError(RetrievalError):
    """Markup is nested deeper than can be read in good time."""


class DamagedIndexError(RetrievalError):
    """An index is missing, damaged, or of another encoder or dimension."""
