"""What a peer brought back, checked before anything is scored."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from eval.peers.measuring import RANKING_LENGTH, Setting
from eval.peers.tasks import ClassifyTask, SearchTask, Task
from triage.fault_text import first_fault

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class PeerFailure:
    """A peer that brought no result back, and why: one sentence for the bench's table."""

    peer: str
    reason: str

    def __str__(self) -> str:
        return f"not run: {self.reason}"


@dataclass(frozen=True)
class PeerResult:
    """A peer's answers, one per query in the task's order, and what they cost (see `measure_peer`)."""

    peer: str
    answers: tuple[str, ...] | tuple[tuple[str, ...], ...]
    confidence: tuple[Share, ...] | None
    load_seconds: Amount
    fit_seconds: Amount
    milliseconds_per_query: Amount
    peak_mib: Amount
    versions: dict[str, str]
    settings: dict[str, Setting]

    @property
    def labels(self) -> tuple[str, ...]:
        """A classifier's answers; empty for a searcher."""
        return tuple(answer for answer in self.answers if isinstance(answer, str))

    @property
    def rankings(self) -> tuple[tuple[str, ...], ...]:
        """A searcher's answers, document ids with the best first, 10 at most; empty for a classifier."""
        return tuple(answer for answer in self.answers if not isinstance(answer, str))


def read_result(peer: str, path: Path, task: Task) -> PeerResult | PeerFailure:
    """Read a peer's report and hold it against the task; what does not fit makes it a failure."""
    try:
        result = TypeAdapter(PeerResult).validate_json(path.read_bytes())
    except OSError as error:
        return PeerFailure(peer, f"it wrote no result ({error.strerror})")
    except ValidationError as error:
        return PeerFailure(peer, f"its result is not well formed: {first_fault(error, 'the result')}")
    problem = _problem_with(peer, result, task)
    return PeerFailure(peer, f"its result does not fit the task: {problem}") if problem else result


def _problem_with(peer: str, result: PeerResult, task: Task) -> str | None:
    if result.peer != peer:
        return f"it calls itself {result.peer!r}"
    if len(result.answers) != len(task.queries):
        return f"{len(result.answers)} answers to {len(task.queries)} queries"
    if result.confidence is not None and len(result.confidence) != len(task.queries):
        return f"{len(result.confidence)} confidences for {len(task.queries)} queries"
    return _label_problem(result, task) if isinstance(task, ClassifyTask) else _ranking_problem(result, task)


def _label_problem(result: PeerResult, task: ClassifyTask) -> str | None:
    known = {example.label for example in task.examples}
    strange = next((answer for answer in result.answers if answer not in known), None)
    return None if strange is None else f"{strange!r} is no label of the task"


def _ranking_problem(result: PeerResult, task: SearchTask) -> str | None:
    known = {document.id for document in task.documents}
    for answer in result.answers:
        if isinstance(answer, str):
            return f"{answer!r} is a text, not a ranking"
        if not known.issuperset(answer):
            return f"{next(entry for entry in answer if entry not in known)!r} is no document of the task"
        if len(set(answer)) < len(answer) or len(answer) > RANKING_LENGTH:
            return f"a ranking has a document twice, or more than {RANKING_LENGTH}"
    return None
