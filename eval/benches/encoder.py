"""The encoder: how fast, how exact, how large, beside sentence-transformers and other runtimes, all in one run.

Reads the training rows of Banking77 and the Exchange articles under ``$DATA``, and no test row.
"""

import gzip
import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from tokenizers import Tokenizer

from eval.benches.encoder_cost import LENGTHS, Served, cost_rows, served
from eval.benches.encoder_process import footprint
from eval.benches.encoder_quality import Material, Quality, article_pairs, batch_difference, cosines, judge
from eval.benches.encoder_quality import loss_in_points as loss
from eval.benches.encoder_systems import BASELINES, NAMES, OPENVINO_FP32, OPENVINO_INT8, REFERENCE, Encode, Workplace
from eval.benches.encoder_systems import systems as open_systems
from eval.benches.frame import Bar, Row, data_folder, write_bench
from eval.loaders import load
from models.encoder_folders import PACKAGED, find_encoder_folder

TOKENS = (12, 60, 250)
REPEATS, SINGLES, BATCH = 5, 16, 32
CALIBRATION_EACH = 20
MAX_ARTICLES = 600
SEED = 20
#: What our own default is called in the bars.
OURS = OPENVINO_INT8


def main(desk: Path, var: Path) -> None:
    """Run the bench."""
    started = time.monotonic()
    history = load("banking77", data_folder("banking77")).history
    texts = [str(row.get("body") or row.get("subject")) for row in history]
    labels = [str(row["labels"]["category"]) for row in history]
    with gzip.open(next(data_folder("kb_exchange").glob("articles.jsonl.gz")), "rt", encoding="utf-8") as file:
        pairs = article_pairs([json.loads(line) for line in file])[:MAX_ARTICLES]
    # What calibrates int8 is not what judges it; rows come label by label, so every so many is taken.
    judging = [row for row in range(len(texts)) if row % CALIBRATION_EACH]
    place = Workplace(var / "bench" / "encoders", texts[::CALIBRATION_EACH])
    material = Material([texts[row] for row in judging], [labels[row] for row in judging], pairs)
    print(f"{len(material.texts)} labelled training texts, {len(pairs)} articles; loading {len(NAMES)} systems")
    opened = open_systems(place)
    samples = texts_of_lengths((*TOKENS, *LENGTHS), material.texts)
    times = time_all(opened, {length: samples[length] for length in TOKENS})
    quality = {name: judge_aloud(name, encode, material) for name, encode in opened.items() if name != BASELINES[0]}
    mixed = [text for length in (*TOKENS, *LENGTHS) for text in samples[length][:30]]
    differences = {name: batch_difference(encode, mixed) for name, encode in opened.items()}
    del opened
    rows = [*speed_rows(times), *quality_rows(quality, differences), *footprint_rows(place.cache)]
    exported = next(place.cache.glob("openvino-int8-*-bench"))
    rows += cost_rows(exported, {length: samples[length] for length in LENGTHS})
    runs = [served(desk, var, tickets_of(desk)) for _ in range(REPEATS)]
    write_bench("encoder", started, rows, [*speed_bars(times), *loss_bars(quality), *serve_bars(runs)], var / "bench")


def texts_of_lengths(lengths: Sequence[int], source: Sequence[str], count: int = 64) -> dict[int, list[str]]:
    """Return texts of exactly so many tokens, special ones included, made of real texts drawn one after the other."""
    tokenizer = Tokenizer.from_file(str(find_encoder_folder(PACKAGED).path / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    draws = np.random.default_rng(SEED)
    found: dict[int, list[str]] = {length: [] for length in lengths}
    for length, made in found.items():
        while len(made) < count:
            ids: list[int] = []
            while len(ids) < length - 2:
                ids += tokenizer.encode(source[int(draws.integers(len(source)))], add_special_tokens=False).ids
            text = tokenizer.decode(ids[: length - 2])
            if len(tokenizer.encode(text).ids) == length:  # words that were cut may be read otherwise
                made.append(text)
    return found


#: By system and length: seconds of single texts, and texts per second of each batch.
Times = Mapping[str, Mapping[int, tuple[list[float], list[float]]]]


def time_all(opened: Mapping[str, Encode], samples: Mapping[int, Sequence[str]]) -> Times:
    """Time every system in turns, so that what disturbs the machine disturbs all."""
    times: dict[str, dict[int, tuple[list[float], list[float]]]] = defaultdict(lambda: defaultdict(lambda: ([], [])))
    for repeat in range(REPEATS + 1):
        for length, texts in samples.items():
            for name, encode in opened.items():
                singles, batches = times[name][length] if repeat else ([], [])  # the first round warms up
                encode(texts[-1:])
                for text in texts[:SINGLES]:
                    start = time.perf_counter()
                    encode([text])
                    singles.append(time.perf_counter() - start)
                start = time.perf_counter()
                encode(texts[:BATCH])
                batches.append(BATCH / (time.perf_counter() - start))
        print(f"timed: round {repeat} of {REPEATS}")
    return times


def judge_aloud(name: str, encode: Encode, material: Material) -> Quality:
    """Judge a system and say so: it takes about a minute."""
    print(f"quality: {name}")
    return judge(encode, material)


def speed_rows(times: Times) -> list[Row]:
    """Return a row per system: single texts and batches, by tokens."""
    rows: list[Row] = []
    for name, by_length in times.items():
        row: dict[str, float | str] = {"table": f"Speed (single text ms p50 / p95; texts/s, {BATCH} at once)"}
        row["system"] = name
        for length, (singles, batches) in by_length.items():
            p50, p95 = np.percentile(singles, [50, 95]) * 1e3
            row[f"{length} tokens"] = f"{p50:.1f} / {p95:.1f}"
            row[f"{length} tokens, texts/s"] = float(median(batches))
        rows.append(row)
    return rows


def quality_rows(quality: Mapping[str, Quality], differences: Mapping[str, float]) -> list[Row]:
    """Return a row per system: closeness to torch, independence of batches, held-out accuracy, hits."""
    reference = quality[REFERENCE]
    rows: list[Row] = []
    for name, found in quality.items():
        average, first = cosines(found.vectors, reference.vectors)
        row: dict[str, float | str] = {"table": "Exactness (training rows; beside sentence-transformers in fp32)"}
        row |= {
            "system": name,
            "cosine mean": f"{average:.5f}",
            "cosine 1st percentile": f"{first:.5f}",
            "alone against batch": f"{differences[name]:.0e}",
            "Banking77 accuracy, 5 folds": f"{found.correct.mean():.4f}",
            "own article among 5": f"{found.found.mean():.4f}",
        }
        rows.append(row)
    return rows


def footprint_rows(cache: Path) -> list[Row]:
    """Return a row per system: start and memory in a process of its own."""
    rows: list[Row] = []
    for name in NAMES:
        runs = [footprint(name, cache) for _ in range(3)]
        rows.append(
            {
                "table": "A process that encodes (medians of 3)",
                "system": name,
                "first vector after s": round(median(run.start_s for run in runs), 2),
                "resident MiB": round(median(run.loaded_mib for run in runs)),
                "after 320 texts, MiB": round(median(run.worked_mib for run in runs)),
            }
        )
    return rows


def speed_bars(times: Times) -> list[Bar]:
    """Hold our default against the better of torch's thread settings; the spread is over repeats."""

    def singles(name: str) -> list[float]:
        seconds = times[name][60][0]
        return [median(seconds[start : start + SINGLES]) for start in range(0, len(seconds), SINGLES)]

    best = min(BASELINES, key=lambda name: median(singles(name)))
    ratios = [theirs / ours for theirs, ours in zip(singles(best), singles(OURS), strict=True)]
    bars = [_ratio("single ticket of 60 tokens, times faster", ratios, 5.0)]
    for length in TOKENS:
        best = max(BASELINES, key=lambda name: median(times[name][length][1]))
        pairs = zip(times[OURS][length][1], times[best][length][1], strict=True)
        bars.append(_ratio(f"batches at {length} tokens, times faster", [ours / theirs for ours, theirs in pairs], 1.8))
    return bars


def loss_bars(quality: Mapping[str, Quality]) -> list[Bar]:
    """Hold what int8 loses against fp32, in points."""
    before, after = quality[OPENVINO_FP32], quality[OURS]
    accuracy, hits = loss(before.correct, after.correct), loss(before.found, after.found)
    return [
        Bar("int8 loses, points of held-out accuracy", *accuracy, "<= 0.3", accuracy[0] <= 0.3),
        Bar("int8 loses, points of hit@5", *hits, "<= 0.5", hits[0] <= 0.5),
    ]


def serve_bars(runs: Sequence[Served]) -> list[Bar]:
    """Hold the serving process against its bars: medians, with the least and the most."""
    measured = {
        "serving, start to ready, s": ([run.ready_s for run in runs], 3.0),
        "serving, resident MB when ready": ([run.ready_mib * 2**20 / 1e6 for run in runs], 350.0),
        f"serving, resident MB after {runs[0].tickets} suggestions": (
            [run.worked_mib * 2**20 / 1e6 for run in runs],
            350.0,
        ),
    }
    return [
        Bar(name, median(values), min(values), max(values), f"<= {limit:g}", median(values) <= limit)
        for name, (values, limit) in measured.items()
    ]


def tickets_of(desk: Path) -> list[bytes]:
    """Return the tickets of a desk's cases as request bodies."""
    lines = (desk / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.dumps(json.loads(line)["ticket"]).encode() for line in lines if line.strip()]


def _ratio(name: str, ratios: Sequence[float], target: float) -> Bar:
    return Bar(name, median(ratios), min(ratios), max(ratios), f">= {target:g}", median(ratios) >= target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path("var"))
