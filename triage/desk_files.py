"""Reads and checks a whole desk folder before anything is built from it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from models.artifact_files import sha256_of_file
from retrieval.article_files import NOTHING_KNOWN, read_articles
from retrieval.documents import Document
from retrieval.errors import ArticleError
from triage.business_hours import BusinessHours, Calendar
from triage.desk_mentions import check_mentions
from triage.drafting.policy import Policy, read_policy
from triage.errors import DeskFileError
from triage.fault_text import first_fault
from triage.macro_files import read_macro
from triage.priority_opinion import PriorityScale
from triage.routing import Routing, read_routing
from triage.taxonomy import Taxonomy, read_taxonomy
from triage.tickets import Ticket
from triage.toml_files import FileModel, read_toml

HISTORY = "history.jsonl"
#: What people corrected in the service and a lead approved: rows of the same shape.
CORRECTIONS = "corrections.jsonl"
RULE_FILES = ("desk.toml", "taxonomy.toml", "policy.toml", "routing.toml")
MAX_LINE = 1_000_000


class SlaTarget(FileModel):
    """Working hours until a first reply and until a solution."""

    respond_hours: float = Field(gt=0, le=10_000)
    resolve_hours: float = Field(gt=0, le=10_000)


class ModelSettings(FileModel):
    """A language model that drafts: ``[drafting.model]`` of desk.toml. Without it drafts quote the articles.

    kind: ``openai`` for any endpoint that is compatible, with base_url, model, and the name of the environment variable
    that holds the key; ``transformers`` for a folder with weights, beside desk.toml or absolute. loopback: the endpoint
    may be on this machine, and http. seconds: for everything, tries included; tokens_per_day: in and out together.
    """

    kind: Literal["openai", "transformers"]
    base_url: str = ""
    model: str = ""
    key_variable: str = ""
    json_mode: Literal["none", "object", "schema"] = "none"
    loopback: bool = False
    folder: str = ""
    seconds: float = Field(default=20, gt=0, le=120)
    tokens_per_day: int = Field(default=1_000_000, ge=1)

    @model_validator(mode="after")
    def _complete(self) -> "ModelSettings":
        wanted = ("base_url", "model") if self.kind == "openai" else ("folder",)
        missing = [name for name in wanted if not getattr(self, name)]
        if missing:
            raise ValueError(f"a model of kind {self.kind!r} needs {' and '.join(missing)}")
        return self


class DraftingSettings(FileModel):
    """The desk's voice, what drafts may be made from beside articles, and the language model, if any.

    macros: saved replies whose placeholders can all be filled, from a cosine of macro_similarity on. past_replies: off
    unless the desk wants it, since they were written to other customers; from past_similarity on.
    """

    greeting: str = "Hello {name},"
    greeting_unnamed: str = "Hello,"
    closing: str = "Just reply to this message if anything is still unclear."
    signature: str = ""
    max_words: int = Field(default=180, ge=40, le=600)
    macros: bool = True
    macro_similarity: float = Field(default=0.65, ge=-1, le=1)
    past_replies: bool = False
    past_similarity: float = Field(default=0.85, ge=-1, le=1)
    model: ModelSettings | None = None

    @field_validator("greeting", "greeting_unnamed", "closing", "signature")
    @classmethod
    def _known_placeholders(cls, value: str, info: ValidationInfo) -> str:
        left = value.replace("{name}", "") if info.field_name == "greeting" else value
        if "{" in left or "}" in left:
            raise ValueError(f"{value!r} has a placeholder that is not filled; only greeting may use {{name}}")
        return value


class DeskSettings(FileModel):
    """``desk.toml``."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    name: str = Field(min_length=1)
    languages: tuple[str, ...] = Field(default=("en",), min_length=1)
    encoder: str = "all-MiniLM-L6-v2"
    precision: Literal["int8", "fp32"] = "int8"
    timezone: str = "UTC"
    hours: dict[str, str] = {"mon-fri": "09:00-17:00"}
    holidays: tuple[date, ...] = ()
    sla: dict[str, SlaTarget] = {}
    drafting: DraftingSettings = DraftingSettings()
    generations_kept: int = Field(default=5, ge=1)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no time zone {value!r}; write for instance Europe/London") from error
        return value

    @field_validator("hours")
    @classmethod
    def _readable_hours(cls, value: dict[str, str]) -> dict[str, str]:
        BusinessHours.parse(value)
        return value

    @property
    def calendar(self) -> Calendar:
        """The desk's business hours."""
        return Calendar(BusinessHours.parse(self.hours), ZoneInfo(self.timezone), frozenset(self.holidays))


@dataclass(frozen=True)
class HistoryRow:
    """A past ticket with its labels and the reply it got; file, line: where it stands, line 0 where that is unknown."""

    ticket: Ticket
    labels: dict[str, str]
    reply: str
    resolved: bool
    line: int = 0
    file: str = HISTORY


@dataclass(frozen=True)
class DeskRules:
    """The settings and rule files of a desk."""

    settings: DeskSettings
    taxonomy: Taxonomy
    policy: Policy
    routing: Routing

    @cached_property
    def priority_scale(self) -> PriorityScale:
        """The desk's priorities, ranked, with their matrix."""
        hours = {label: (target.respond_hours, target.resolve_hours) for label, target in self.settings.sla.items()}
        return PriorityScale.of(self.taxonomy.priority, hours)


@dataclass(frozen=True)
class Desk:
    """A desk folder, read and checked.

    refused: what is wrong with each article that is left out; knowledge_revision: of the database that the articles are
    from, 0 where they are the folder's.
    """

    folder: Path
    rules: DeskRules
    articles: tuple[Document, ...]
    macros: tuple[Document, ...]
    history: tuple[HistoryRow, ...]
    refused: tuple[ArticleError, ...] = ()
    knowledge_revision: int = 0


def hashes_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a desk folder that a build reads, by name."""
    paths = (
        [folder / name for name in (*RULE_FILES, HISTORY, CORRECTIONS)]
        + sorted(folder.glob("articles/*.md"))
        + sorted(folder.glob("macros/*.md"))
    )
    # A name that is not UTF-8 could not be written into a manifest.
    names = {path: str(path.relative_to(folder)).encode("utf-8", "replace").decode() for path in paths}
    return {name: sha256_of_file(path) for path, name in names.items() if path.is_file()}


def read_desk(folder: Path, known: Mapping[str, Document] = NOTHING_KNOWN) -> Desk:
    """Read every file of a desk folder. Raises `DeskFileError` at the first thing that is not right.

    A broken article is left out and listed, as long as there is a sound one. known: see `read_articles`.
    """
    rules = read_rules(folder)
    refused: list[ArticleError] = []
    try:
        articles = read_articles(folder / "articles", refused.append, known)
        if refused and not articles:
            raise refused[0]
        macros = [read_macro(path) for path in sorted((folder / "macros").glob("*.md"))]
    except ArticleError as error:
        raise DeskFileError(error.path, error.line, error.problem, error.remedy) from error
    if not articles and not (folder / "articles").is_dir():
        remedy = "add Markdown files, or an empty folder for a desk that has no knowledge yet"
        raise DeskFileError(folder / "articles", None, "there is no article", remedy)
    history = tuple(read_past_tickets(folder, rules.taxonomy))
    return Desk(folder, rules, tuple(articles), tuple(macros), history, tuple(refused))


def read_rules(folder: Path) -> DeskRules:
    """Read the four TOML files of a desk folder (or of a generation) and check them against each other."""
    if not folder.is_dir():
        raise DeskFileError(folder, None, "there is no such desk folder", "name a folder that holds desk.toml")
    settings = read_toml(folder / "desk.toml", DeskSettings)
    taxonomy = read_taxonomy(folder / "taxonomy.toml")
    policy = read_policy(folder / "policy.toml")
    routing = read_routing(folder / "routing.toml")
    check_mentions(folder, tuple(settings.sla), taxonomy, policy, routing)
    return DeskRules(settings, taxonomy, policy, routing)


def read_past_tickets(folder: Path, taxonomy: Taxonomy) -> Iterator[HistoryRow]:
    """Yield the rows of history.jsonl as corrections.jsonl has them, then the corrections of other tickets.

    Of a ticket that stands in both the correction's labels, and its reply where it has one, come before the row's; the
    ticket is the row's, since a correction was masked. Raises `DeskFileError`.
    """
    corrections = list(read_history(folder / CORRECTIONS, taxonomy))
    of_ticket: dict[str | None, HistoryRow] = {row.ticket.id: row for row in corrections if row.ticket.id is not None}
    used = set[str | None]()
    for row in read_history(folder / HISTORY, taxonomy):
        correction = of_ticket.get(row.ticket.id)
        if correction is not None:
            used.add(row.ticket.id)
            row = _corrected(row, correction)
        yield row
    yield from (row for row in corrections if row.ticket.id not in used)


def _corrected(row: HistoryRow, correction: HistoryRow) -> HistoryRow:
    return replace(
        row,
        labels={**row.labels, **correction.labels},
        reply=correction.reply or row.reply,
        resolved=correction.resolved or row.resolved,
    )


def read_history(path: Path, taxonomy: Taxonomy) -> Iterator[HistoryRow]:
    """Yield labelled past tickets of one file; a missing file has none. Raises `DeskFileError`."""
    if not path.exists():
        return
    seen: dict[str, int] = {}
    for line, value in read_json_lines(path):
        row = _history_row(path, line, value, taxonomy)
        if row.ticket.id is not None:
            if row.ticket.id in seen:
                problem = f"the id {row.ticket.id!r} stands on line {seen[row.ticket.id]} already"
                raise DeskFileError(path, line, problem, "give one of them another id")
            seen[row.ticket.id] = line
        yield row


def _history_row(path: Path, line: int, value: dict[str, Any], taxonomy: Taxonomy) -> HistoryRow:
    labels = value.pop("labels", None)
    if not isinstance(labels, dict) or not labels:
        raise DeskFileError(path, line, "the row has no label", 'add "labels": {"category": "…"}')
    for field, label in labels.items():
        if problem := taxonomy.problem_with(str(field), str(label)):
            raise DeskFileError(path, line, *problem)
    reply, resolved = value.pop("reply", ""), value.pop("resolved", False)
    if not isinstance(reply, str) or not isinstance(resolved, bool):
        raise DeskFileError(path, line, "reply or resolved is of the wrong type", "write a string and true or false")
    ticket = parse_ticket(path, line, value)
    told = {str(field): str(label) for field, label in labels.items()}
    return HistoryRow(ticket, told, reply, resolved, line, path.name)


def parse_ticket(path: Path, line: int, value: Any) -> Ticket:
    """Validate a ticket from a file; raise `DeskFileError` naming the key."""
    try:
        return Ticket.model_validate(value)
    except ValidationError as error:
        raise DeskFileError(path, line, first_fault(error, "the ticket"), "correct the ticket") from error


def read_json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) of a JSON Lines file, blank lines skipped; raise `DeskFileError`."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if raw.strip():
                    yield number, _json_object(path, number, raw)
    except OSError as error:
        raise DeskFileError(path, None, f"the file cannot be read ({error.strerror})", "check its name") from error


def _json_object(path: Path, number: int, raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_LINE:
        raise DeskFileError(path, number, "the line is longer than 1 MB", "shorten the ticket")
    try:
        value = json.loads(raw, parse_constant=_refuse_constant, object_pairs_hook=_no_double_keys)
    except (ValueError, RecursionError) as error:
        raise DeskFileError(path, number, f"not JSON ({error})", "write one object per line, in UTF-8") from error
    if not isinstance(value, dict):
        raise DeskFileError(path, number, "not a JSON object", "write one object per line")
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _no_double_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return value
