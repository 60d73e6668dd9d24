"""A new desk: ten past tickets per label, drawn five times, and none at all."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eval.benches.frame import Cell, Row, figure
from eval.benches.systems import FirstlineOnDesk, run_on
from eval.benches.triage_rows import (
    FieldCases,
    Places,
    SetResult,
    accuracies,
    ask_peers,
    our_row,
    peer_row,
    slug,
)
from eval.loaders.loaded import Loaded
from eval.loaders.write_desk import checksum_of
from eval.peers.peers import PeerFailure, PeerResult
from eval.resampling import quantile_for

FIELD = "category"
SHOTS = 10
SEEDS = range(5)
PEERS = ("tfidf_lr", "embedding_lr")
#: Takes minutes, and so has the first draw only, on the set of fewer labels.
SLOW_PEERS: Mapping[str, tuple[str, ...]] = {"banking77, 10 per label": ("setfit",)}
#: The figures of a draw, and whether they are shares.
FIGURES = {
    "accuracy": True,
    "macro-F1": True,
    "ECE": True,
    "decided": True,
    "wrong when decided": True,
    "Firstline ahead by": False,
}


@dataclass(frozen=True)
class Drawn:
    """What a system came to on one draw: figures by name, None where there was none."""

    system: str
    seed: int
    figures: Mapping[str, float | None]


def few_shot_set(name: str, loaded: Loaded, places: Places) -> SetResult:
    """Measure `SHOTS` past tickets per label, a desk for every seed, over the cases that are in scope.

    Every draw is a desk of its own, its encoder calibrated on its own texts, as whoever has these tickets would get it.
    """
    whole, table = in_scope(loaded), f"{name}: {FIELD}"
    drawn: list[Drawn] = []
    failures: dict[str, PeerFailure] = {}
    for seed in SEEDS:
        few = replace(whole, history=draw_per_label(whole.history, SHOTS, seed))
        ours = run_on(few, f"{slug(name)}-seed-{seed}", places.work, places.var)
        cases = FieldCases.of(ours.run, FIELD, list(ours.run.outcomes()))
        peers = (*PEERS, *(SLOW_PEERS.get(name, ()) if seed == SEEDS[0] else ()))
        found = ask_peers(f"{table}-seed-{seed}", peers, cases.task(ours.data.folder), places)
        drawn.append(our_draw(seed, ours))
        for peer, result in found.items():
            if isinstance(result, PeerResult):
                drawn.append(peer_draw(seed, result, cases))
            else:
                failures[peer] = result
    rows = [seed_row(table, [one for one in drawn if one.system == system]) for system in systems_in(drawn)]
    rows += [{"table": table, "system": peer, "draws": str(found)} for peer, found in failures.items()]
    figures = {f"{table}: {one.system}, seed {one.seed}": accuracy_of(one) for one in drawn}
    return SetResult(rows, [], figures, checksum_of(whole))


def descriptions_set(name: str, loaded: Loaded, places: Places) -> SetResult:
    """Measure a desk without any past ticket: it knows its labels' names, in words, and nothing else."""
    bare = replace(in_scope(loaded), history=[])
    ours = run_on(bare, slug(name), places.work, places.var)
    cases = FieldCases.of(ours.run, FIELD, list(ours.run.outcomes()))
    row = our_row(f"{name}: {FIELD}", ours, cases)
    shown = {column: cell for column, cell in row.items() if column != "Firstline ahead by"}
    rows = [shown | {"top-3 accuracy": figure(ours.run[f"{FIELD}.top3_accuracy"])}]
    return SetResult(rows, [], accuracies(rows), checksum_of(bare))


def in_scope(loaded: Loaded) -> Loaded:
    """Return a set with those of its cases that have a label."""
    return replace(loaded, cases=[case for case in loaded.cases if FIELD in case["expect"]])


def draw_per_label(history: Sequence[dict[str, Any]], shots: int, seed: int) -> list[dict[str, Any]]:
    """Draw so many rows of each category without replacement, or all where it has fewer; kept in file order.

    NumPy's default generator with the seed permutes each label's rows, the labels by name: the first ones are taken.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(history):
        places[row["labels"][FIELD]].append(place)
    random = np.random.default_rng(seed)
    drawn = [int(place) for label in sorted(places) for place in random.permutation(places[label])[:shots]]
    return [history[place] for place in sorted(drawn)]


def our_draw(seed: int, ours: FirstlineOnDesk) -> Drawn:
    """Return Firstline's figures on one draw."""
    metrics = {
        "accuracy": "accuracy",
        "macro-F1": "macro_f1",
        "ECE": "ece",
        "decided": "coverage",
        "wrong when decided": "error_when_decided",
    }
    return Drawn("Firstline", seed, {shown: ours.run[f"{FIELD}.{name}"].value for shown, name in metrics.items()})


def peer_draw(seed: int, found: PeerResult, cases: FieldCases) -> Drawn:
    """Return a peer's figures on one draw."""
    row = peer_row("", found, cases)
    cells = {name: cell for name in FIGURES if isinstance(cell := row.get(name), Mapping)}
    return Drawn(found.peer, seed, {name: cell["value"] for name, cell in cells.items()})


def systems_in(drawn: Sequence[Drawn]) -> list[str]:
    """Return the systems in the order in which they first stand there."""
    return list(dict.fromkeys(one.system for one in drawn))


def accuracy_of(one: Drawn) -> float:
    """Return the accuracy of a draw."""
    return float(one.figures["accuracy"] or 0.0)


def seed_row(table: str, drawn: Sequence[Drawn]) -> Row:
    """Return a system's row: means over its draws with their intervals, and the least and most accuracy."""
    accuracy = [accuracy_of(one) for one in drawn]
    row: dict[str, Cell] = {"table": table, "system": drawn[0].system, "draws": len(drawn)}
    for name, is_share in FIGURES.items():
        values = [value for one in drawn if (value := one.figures.get(name)) is not None]
        row[name] = over_draws(values, is_share) if values else None
    return row | {"accuracy, least to most": f"{min(accuracy):.3f}–{max(accuracy):.3f}"}


def over_draws(values: Sequence[float], is_share: bool) -> dict[str, float | None]:
    """Return the mean of draws with its 95 % interval by Student's t, which a share keeps within [0, 1].

    It says how much the draw of the past tickets matters; the cases are the same in all. One draw has no interval.
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return {"value": mean, "low": None, "high": None}
    half = quantile_for(len(values)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    low, high = mean - half, mean + half
    return {"value": mean, "low": max(low, 0.0) if is_share else low, "high": min(high, 1.0) if is_share else high}
