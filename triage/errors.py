"""What can go wrong in `triage`.

TriageError
├── DeskFileError     a file of a desk folder is missing, unreadable or contradicts another; names file, line, remedy
├── TicketFileError   a ticket or case file given on the command line cannot be read
├── TicketError       a ticket names a field or a label that the desk does not have
├── BulkError         the files of a bulk run cannot be used, or belong to another run
└── GenerationError   a generation is missing, damaged, or was built by other code or another encoder
"""

from pathlib import Path


class TriageError(Exception):
    """Root of the errors of this package."""


class DeskFileError(TriageError):
    """A file of a desk folder is not right."""

    def __init__(self, path: Path, line: int | None, problem: str, remedy: str) -> None:
        where = f"{path}:{line}" if line else str(path)
        super().__init__(f"{where}: {problem}; {remedy}")
        self.path, self.line, self.problem, self.remedy = path, line, problem, remedy


class TicketFileError(TriageError):
    """A ticket file is missing, too large, or not a ticket."""


class TicketError(TriageError):
    """What a ticket says does not fit the desk; the text names field and label, and the remedy."""


class BulkError(TriageError):
    """A bulk run cannot begin or go on with these files."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem}; {remedy}")


class GenerationError(TriageError):
    """No generation can be served from this folder."""
