"""Runs cases through the production engine and measures what came out: `evaluate` is the whole of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

from eval.cases import Case, load_cases
from eval.errors import RunError
from eval.machine import machine
from eval.measure import Scores, collect, measure
from eval.measurement import Measurement
from eval.metrics.all_metrics import all_metrics
from eval.metrics.drafting import facts_of
from eval.metrics.metric import Metric
from eval.outcomes import Outcome
from eval.run_record import OUTCOMES, CaseSet, Header, Run, begin, finish
from models.artifact_files import sha256_of_file
from models.protocols import Progress, no_progress
from retrieval.article_files import article_ids
from triage.assembly import build_engine
from triage.desk_files import read_past_tickets
from triage.engine import TriageEngine
from triage.fault_text import where_raised

SEED = 20


def evaluate(
    desk: Path,
    out: Path,
    cases: Path | None = None,
    engine: TriageEngine | None = None,
    seed: int = SEED,
    progress: Progress = no_progress,
) -> Run:
    """Run a desk's cases (by default ``DESK/cases.jsonl``) and write the run to a folder.

    engine: by default the desk's current generation under ``var``. The same call goes on with a run that was
    interrupted. Raises `CaseError`, `RunError`, and what `build_engine` raises.
    """
    engine = engine or build_engine(desk, Path("var"))
    path = cases or desk / "cases.jsonl"
    loaded = load_cases(path, engine.rules.taxonomy, known_articles(desk, engine))
    header = Header(
        desk=engine.rules.settings.id,
        at=datetime.now(UTC),
        seed=seed,
        cases=CaseSet(file=path.name, sha256=sha256_of_file(path), n=len(loaded)),
        versions=engine.versions,
        fields=past_tickets(desk, engine),
        rules=tuple(code for code, rule in engine.rules.policy.rules if rule.on),
        machine=machine(),
    )
    header, done = begin(out, header)
    write_outcomes(engine, loaded, out / OUTCOMES, (header.at, done), progress)
    return finish(out, header, measurements_of(Run(out, header, ()), progress))


def measurements_of(run: Run, progress: Progress = no_progress) -> list[Measurement]:
    """Measure a run's outcomes."""
    metrics = all_metrics(run.header.fields)
    progress("measure", 0, 1)
    found = measure(score(run, metrics), metrics, run.header.seed)
    progress("measure", 1, 1)
    return found


def score(run: Run, metrics: Sequence[Metric]) -> Scores:
    """Score a run's outcomes. Raises `RunError` where they do not fit the run."""
    try:
        return collect(run.outcomes(), metrics, run.header.fields.get("category", {}))
    except (KeyError, IndexError) as error:
        problem = f"an outcome has not what the run's fields ask for ({error})"
        raise RunError(run.folder / OUTCOMES, None, problem, "run the cases again") from error


def write_outcomes(
    engine: TriageEngine, cases: Sequence[Case], path: Path, state: tuple[datetime, Sequence[str]], progress: Progress
) -> None:
    """Append the outcome of every case that is not done yet, each as soon as it is there; state: clock and ids done."""
    now, done = state
    finished = set(done)
    left = [case for case in cases if case.id not in finished]
    with path.open("a", encoding="utf-8") as file:
        for number, outcome in enumerate(outcomes_of(engine, left, now), start=len(done) + 1):
            file.write(outcome.as_line())
            file.flush()
            progress("cases", number, len(cases))


def outcomes_of(engine: TriageEngine, cases: Sequence[Case], now: datetime) -> Iterator[Outcome]:
    """Suggest for every case; an exception is an outcome, not the end of the run."""
    for case in cases[:1]:
        # What is loaded on first use is not the first ticket's time.
        with suppress(Exception):
            engine.suggest(case.ticket, case.id, now)
    for case in cases:
        start = perf_counter()
        try:
            suggestion = engine.suggest(case.ticket, case.id, now)
        except Exception as error:  # whatever the engine raises is what is being measured
            yield Outcome(case, None, where_raised(error), perf_counter() - start)
        else:
            seconds = perf_counter() - start
            outcome = Outcome(case, suggestion, None, seconds)
            yield Outcome(case, suggestion, None, seconds, reply_similarity(engine, outcome))


def reply_similarity(engine: TriageEngine, outcome: Outcome) -> float | None:
    """Return the cosine of a draft's facts to the expected reply, None where one of them is missing."""
    reply = outcome.case.expect.get("reply")
    draft = outcome.suggestion.draft if outcome.suggestion else None
    if not reply or draft is None:
        return None
    try:
        first, second = engine.encoder.encode([facts_of(draft), reply])
    except Exception:  # the suggestion is what counts; a reply that cannot be encoded must not lose it
        return None
    return round(float(first @ second), 4)


def known_articles(desk: Path, engine: TriageEngine) -> set[str]:
    """Return the articles that a case may expect: all of the desk's, so that one which is not searched is a miss."""
    return article_ids(desk / "articles") | set(engine.search.documents)


def past_tickets(desk: Path, engine: TriageEngine) -> dict[str, dict[str, int]]:
    """Return by field and label how many past tickets the desk has."""
    taxonomy = engine.rules.taxonomy
    counts: Mapping[str, Counter[str]] = {field: Counter() for field in taxonomy.fields}
    for row in read_past_tickets(desk, taxonomy):
        for field, label in row.labels.items():
            counts[field][label] += 1
    return {field: {label: counts[field][label] for label in labels} for field, labels in taxonomy.fields.items()}
