"""Sections about whole tickets: what search found, why a person took over, and how long it took."""

import numpy as np

from eval.report.curves import RANKS, hit_rates, share_by_time, spread
from eval.report.evidence import NEEDS, Evidence
from eval.report.markup import Html, card, figure, grid, join, listing, note, part, plain, section, table, text
from eval.report.measured import figure_text, measured_card
from eval.report.plots import hit_plot, latency_plot, reason_plot
from eval.run_record import Run

#: Missed handoffs named by id.
MOST_IDS = 200
MARKS = {"p50": 0.50, "p95": 0.95}
#: Rows of the table of latencies.
MOST_ROWS = 20


def retrieval_section(run: Run, evidence: Evidence) -> Html:
    """Return how often an expected article was among the first k."""
    return section(
        "retrieval",
        "Retrieval by rank",
        "How far down the list one has to look for an article that answers; bars are 95 % intervals.",
        grid(_hits(run, evidence), _measured(run, "Figures of search", "retrieval.", "answerable.")),
    )


def handoff_section(run: Run, evidence: Evidence) -> Html:
    """Return the reasons given, and the handoffs missed."""
    return section(
        "handoff",
        "Handoff",
        "Why a person was asked to take over, by whether the case needed one.",
        grid(_reasons(evidence), _measured(run, "Figures of handoff", "handoff.")),
        part("Missed handoffs", _missed(evidence)),
    )


def latency_section(run: Run, evidence: Evidence) -> Html:
    """Return how long suggestions took."""
    return section(
        "latency",
        "Latency",
        "Milliseconds per suggestion, one after another on the machine of the run; exceptions are left out.",
        grid(_latencies(evidence), _measured(run, "Figures of latency", "latency.")),
    )


def _measured(run: Run, caption: str, *starts: str) -> Html:
    return measured_card(caption, (entry for entry in run.overall if entry.name.startswith(starts)), wide=True)


def _hits(run: Run, evidence: Evidence) -> Html:
    if not evidence.ranks:
        return card(note("No case carries the articles that answer it."))
    rates = hit_rates(evidence.ranks)
    known = {int(entry.name.rpartition("_")[2]): entry for entry in run.overall if ".hit_at_" in entry.name and entry.n}
    rows = [
        [plain(rank), plain(figure_text(rate)),
         plain(f"{known[rank].low:.3f} – {known[rank].high:.3f}" if rank in known else "")]
        for rank, rate in zip(RANKS, rates, strict=True)
    ]  # fmt: skip
    return figure(
        "Found by rank.",
        f"Share of the {len(evidence.ranks)} cases that name articles with one of them among the first k.",
        hit_plot("hits", "Share of cases with an expected article among the first k, for k from 1 to 10", rates, known),
        table("Found by rank", ("rank", "found by that rank", "95 % interval"), rows),
    )


def _reasons(evidence: Evidence) -> Html:
    codes = {code for code, _ in evidence.reasons}
    if not codes:
        return card(note("No case carries a reason for a handoff: none was given."))
    unordered = {code: [evidence.reasons[code, need] for need in NEEDS] for code in codes}
    counts = dict(sorted(unordered.items(), key=lambda entry: (-sum(entry[1]), entry[0])))
    rows = [[text(code), *(plain(count) for count in found)] for code, found in counts.items()]
    return figure(
        "Reasons given.",
        "A case may have several. Colours tell whether a person was needed, was not, or the case does not say.",
        reason_plot("reasons", "Reasons for handoff by number of cases, split by whether a person was needed", counts),
        table("Reasons given", ("reason", *NEEDS), rows),
    )


def _missed(evidence: Evidence) -> Html:
    if not evidence.missed:
        return note("No case that states a need for a person missed one.")
    ordered = sorted(evidence.missed, key=lambda entry: not entry[1])
    items = [Html(f"{text(id)}{' <strong>sensitive</strong>' if sensitive else ''}") for id, sensitive in ordered]
    more = len(items) - MOST_IDS
    said = note(f"{len(items)} needed a person and did not reach one; the sensitive ones come first.")
    rest = [note(f"And {more:,} more; outcomes.jsonl has them all.")] if more > 0 else []
    return join([said, Html(f'<div class="ids">{listing(items[:MOST_IDS])}</div>'), *rest])


def _latencies(evidence: Evidence) -> Html:
    if not evidence.milliseconds:
        return card(note("No case carries a suggestion: every one raised an exception."))
    curve = share_by_time(evidence.milliseconds)
    marks = {name: float(np.quantile(evidence.milliseconds, share)) for name, share in MARKS.items()}
    rows = [[plain(f"{curve[1][at]:.3f}"), plain(f"{curve[0][at]:,.1f}")] for at in spread(len(curve[0]), MOST_ROWS)]
    return figure(
        "Time per suggestion.",
        f"Share of {len(evidence.milliseconds)} suggestions that took at most so long.",
        latency_plot("latency", "Share of suggestions by milliseconds taken, with median and 95th percentile", curve,
                     marks),
        table("Time per suggestion", ("share", "milliseconds at most"), rows, words=0),
    )  # fmt: skip
