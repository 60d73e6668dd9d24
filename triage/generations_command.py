"""``firstline generations``: what a desk has built, the way back, and what may go."""

from pathlib import Path

from triage.assembly import generations_of
from triage.desk_files import read_rules
from triage.errors import GenerationError
from triage.generations import Generations

BYTES_PER_MB = 1_000_000


def list_generations(desk: Path, var: Path) -> str:
    """Return a line for each generation, oldest first: number, when, what is in it, whether it is sound."""
    generations = _of(desk, var)
    current = generations.current_name()
    lines = [f"{'*' if name == current else ' '} {_line(generations, name)}" for name in generations.names()]
    return "\n".join([*lines, "* is served"]) if lines else f"{desk} has not been built; run `firstline build {desk}`"


def roll_back(desk: Path, var: Path, name: str | None) -> str:
    """Serve an older generation from the next start on, and say so. Raises `GenerationError`."""
    found = _of(desk, var).roll_back(name)
    return f"{desk} is served from generation {found.name} from the next start on; the next build replaces it"


def purge(desk: Path, var: Path, keep: int) -> str:
    """Remove old generations and say which."""
    removed = _of(desk, var).purge(keep)
    return f"removed: {', '.join(removed)}" if removed else "nothing to remove"


def _of(desk: Path, var: Path) -> Generations:
    generations = generations_of(read_rules(desk).settings, var)
    if not generations.root.is_dir():
        raise GenerationError(f"{desk} has not been built; run `firstline build {desk}`")
    return generations


def _line(generations: Generations, name: str) -> str:
    try:
        manifest = generations.open(name).manifest
    except GenerationError as error:
        return f"{name}  {error}"
    size = sum(facts["bytes"] for facts in manifest["files"].values()) / BYTES_PER_MB
    counts = ", ".join(f"{count:,} {what}" for what, count in manifest.get("counts", {}).items())
    return f"{name}  {manifest.get('created_at', '')[:19]}  {size:,.1f} MB  {counts}"
