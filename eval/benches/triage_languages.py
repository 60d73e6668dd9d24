"""The same fields by the language of the ticket: one Firstline and one word model, scored per language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eval.benches.frame import Bar, Cell, Row
from eval.benches.systems import lead_of, measured
from eval.benches.triage_rows import WORD_MODEL, FieldCases, not_behind_bar
from eval.peers.peers import PeerFailure, PeerResult
from eval.statistics import Array, macro_f1, mean
from models.text_features import read_ngrams
from triage.engine import TriageEngine


@dataclass(frozen=True)
class LanguageLead:
    """How far Firstline's macro-F1 is ahead of the word model's on one field in one language."""

    field: str
    language: str
    lead: Mapping[str, float]


def in_language(cases: FieldCases, guesses: Sequence[str], language: str) -> tuple[FieldCases, tuple[str, ...]]:
    """Return the cases of a language and the guesses for them; guesses: one for each of all cases."""
    places = [place for place, spoken in enumerate(cases.languages) if spoken == language]
    part = replace(
        cases,
        texts=tuple(cases.texts[place] for place in places),
        truth=tuple(cases.truth[place] for place in places),
        guesses=tuple(cases.guesses[place] for place in places),
        languages=tuple(cases.languages[place] for place in places),
    )
    return part, tuple(guesses[place] for place in places)


def language_rows(name: str, cases: FieldCases, peers: Mapping[str, PeerResult | PeerFailure]) -> list[Row]:
    """Return one row per language and system. A peer learnt from all rows, whatever their language."""
    said = {"Firstline": cases.guesses}
    said |= {peer: found.labels for peer, found in peers.items() if isinstance(found, PeerResult)}
    rows: list[Row] = []
    for language in sorted(set(cases.languages)):
        for system, guesses in said.items():
            part, theirs = in_language(cases, guesses, language)
            lead = None if system == "Firstline" else lead_of(macro_f1, part.pairs(part.guesses), part.pairs(theirs))
            rows.append(
                {
                    "table": f"{name}: by language",
                    "field": cases.field,
                    "system": system,
                    "language": language,
                    "n": len(part.truth),
                    "accuracy": measured(mean, part.right(theirs)),
                    "macro-F1": measured(macro_f1, part.pairs(theirs)),
                    "Firstline ahead by (macro-F1)": lead,
                }
            )
    return rows


def language_leads(rows: Sequence[Row]) -> list[LanguageLead]:
    """Return the leads over the word model among `language_rows`."""
    return [
        LanguageLead(str(row["field"]), str(row["language"]), {key: float(value or 0.0) for key, value in lead.items()})
        for row in rows
        if row["system"] == WORD_MODEL and isinstance(lead := row["Firstline ahead by (macro-F1)"], Mapping)
    ]


def language_bars(name: str, leads: Sequence[LanguageLead]) -> list[Bar]:
    """Return a bar for every lead (not behind beyond chance), and one for the surest of them (ahead beyond chance).

    The surest of several is ahead by luck more often than one is in 40; the bar does not allow for that.
    """
    if not leads:
        return []
    what = f"macro-F1 ahead of {WORD_MODEL}"
    bars = [not_behind_bar(f"{name}: {one.field} {one.language}, {what}", one.lead) for one in leads]
    best = max((one.lead for one in leads), key=lambda lead: lead["low"])
    surest = Bar(f"{name}: surest, {what}", best["value"], best["low"], best["high"], "low > 0", best["low"] > 0)
    return [*bars, surest]


def language_figures(rows: Sequence[Row]) -> dict[str, float]:
    """Return the macro-F1 of `language_rows` for the ledger."""
    return {
        f"{row['table']}: {row['field']}, {row['language']}, {row['system']}: macro-F1": float(found["value"] or 0.0)
        for row in rows
        if isinstance(found := row["macro-F1"], Mapping)
    }


def ranked_labels(engine: TriageEngine, field: str, texts: Sequence[str]) -> list[list[str]]:
    """Return a field's labels for every text, likeliest first: a suggestion of what is undecided lists four only."""
    head = engine.classifier.heads[field]
    vectors = engine.encoder.encode(list(texts))
    ranked = []
    for text, vector in zip(texts, vectors, strict=True):
        logits = head.logits(head.ngrams.row(read_ngrams(text)), vector)[0]
        ranked.append([head.head.labels[place] for place in np.argsort(-logits, kind="stable")])
    return ranked


def top_rows(name: str, cases: FieldCases, ranked: Sequence[Sequence[str]]) -> list[Row]:
    """Return how often the right label is among the first 1, 3 and 5, over all cases and per language."""
    languages = sorted(set(cases.languages))
    spoken = np.array(cases.languages)
    rows: list[Row] = []
    for language in ("all", *(languages if len(languages) > 1 else ())):
        inside = np.ones(len(spoken), dtype=bool) if language == "all" else spoken == language
        tops: dict[str, Cell] = {
            f"top-{top} accuracy": measured(mean, among_first(cases.truth, ranked, top)[inside]) for top in (1, 3, 5)
        }
        table = f"{name}: {cases.field}, the first guesses"
        rows.append({"table": table, "system": "Firstline", "language": language, "n": int(inside.sum()), **tops})
    return rows


def among_first(truth: Sequence[str], ranked: Sequence[Sequence[str]], top: int) -> Array:
    """Return 1 where the truth is among the first so many labels, else 0, shape (cases, 1)."""
    return np.array([[float(true in labels[:top])] for true, labels in zip(truth, ranked, strict=True)])
