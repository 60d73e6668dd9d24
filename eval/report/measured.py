"""Sections made of measurements: the main figures, and the slices against the whole."""

from collections.abc import Iterable, Sequence

from eval.measurement import Measurement
from eval.report.markup import Html, card, facts, folded, grid, note, plain, section, table, text
from eval.run_record import Header, Run

#: What a metric says, by its name without the field or reason that it is about.
MEANINGS = {
    "kind.accuracy": "requests told from mail that wants no answer",
    "accuracy": "best guess right, decided or not",
    "macro_f1": "F1, every label counting the same",
    "top3_accuracy": "right label among the best three",
    "top5_accuracy": "right label among the best five",
    "ece": "gap between confidence and share right; lower is better",
    "coverage": "share of cases that is decided",
    "error_when_decided": "wrong among the decided; lower is better",
    "aurc": "error averaged over all coverages; lower is better",
    "hit_at_1": "an expected article is first",
    "hit_at_5": "an expected article among the first 5",
    "hit_at_10": "an expected article among the first 10",
    "recall_at_5": "share of the expected articles among the first 5",
    "mrr_at_10": "mean of 1 / rank of the first expected article",
    "ndcg_at_10": "discounted gain of the first 10",
    "auroc": "chance that an answerable case scores above one that is not",
    "abstained_on_unanswerable": "no draft where no article answers",
    "abstained_on_answerable": "no draft though an article answers; lower is better",
    "precision": "handoffs that were called for",
    "recall": "cases for a person that reached one",
    "missed_rate": "cases for a person that did not reach one; lower is better",
    "rate_on_answerable": "answerable cases that got a draft",
    "cites_expected_article": "drafts that cite an expected article",
    "supported_sentences": "stated facts that stand in an article",
    "unsupported_facts": "drafts with a fact that stands nowhere; lower is better",
    "rouge_l": "word overlap with a person's reply",
    "kept_ratio": "words of the draft that a person's reply keeps",
    "similarity": "nearness to a person's reply",
    "p50_ms": "half of the suggestions took at most so long",
    "p95_ms": "95 of 100 suggestions took at most so long",
    "tickets_per_second": "one after another",
}
MAIN = (
    "kind.accuracy",
    *("retrieval.hit_at_1", "retrieval.hit_at_5", "answerable.auroc"),
    *("handoff.precision", "handoff.recall", "draft.rate_on_answerable", "draft.cites_expected_article"),
    *("draft.supported_sentences", "latency.p50_ms", "latency.p95_ms"),
)
MAIN_OF_FIELD = ("accuracy", "coverage", "error_when_decided")
SLICED = ("retrieval.hit_at_5", "handoff.recall", "draft.rate_on_answerable")


def head_section(run: Run) -> Html:
    """Return what was run, and the figures to look at first."""
    by_name = {entry.name: entry for entry in run.overall}
    names = (*MAIN[:1], *(f"{field}.{name}" for field in run.header.fields for name in MAIN_OF_FIELD), *MAIN[1:])
    main = [by_name[name] for name in names if name in by_name]
    rest = [entry for entry in run.overall if entry.name.startswith(("kind.", "draft.")) and entry not in main]
    return section(
        "figures",
        "Main figures",
        "What came out over all cases. Each figure stands with its 95 % interval and n, the number of cases behind it.",
        grid(card(facts(_stated(run.header))), measured_card("The figures to look at first", main, wide=True)),
        folded(plain("Further figures of drafts and of the kind of message"), grid(measured_card("Further", rest))),
    )


def measured_card(caption: str, entries: Iterable[Measurement], wide: bool = False) -> Html:
    """Return measurements as a table in a box of the grid."""
    rows = [[_named(entry), _cell(entry, None)] for entry in entries]
    return card(table(caption, ("figure", "value, 95 % interval, n"), rows), wide=wide)


def slice_section(run: Run) -> Html:
    """Return the key figures of every slice, those marked that are worse than the whole beyond their interval."""
    whole = {entry.name: entry for entry in run.overall if entry.value is not None}
    named = (*(f"{field}.accuracy" for field in run.header.fields), *SLICED)
    columns = [name for name in named if name in whole]
    slices = {(entry.slice, entry.name): entry for entry in run.measurements if entry.slice is not None}
    names = list(dict.fromkeys(name for name, _ in slices))
    rows = [[plain("all cases"), *(_cell(whole[column], None) for column in columns)]]
    rows += [[text(name), *(_cell(slices.get((name, column)), whole[column]) for column in columns)] for name in names]
    content = (
        table("Key figures by slice, with interval and n", ("slice", *columns), rows)
        if names and columns
        else note("No case carries a slice that sets it apart: there is one language, channel and length.")
    )
    return section(
        "slices",
        "Slices",
        "Parts of the cases, measured by themselves. Marked “worse”: the slice's whole interval lies below the figure "
        "of all cases. Of forty figures, up to one is marked by chance.",
        content,
    )


def figure_text(value: float, name: str = "") -> str:
    """Write a value as everywhere in the harness: three digits, times and rates with one."""
    return f"{value:.{1 if name.startswith('latency.') else 3}f}"


def _stated(header: Header) -> Sequence[tuple[str, Html]]:
    versions = header.versions.model_dump()
    return (
        ("desk", text(header.desk)),
        ("date", plain(f"{header.at:%Y-%m-%d %H:%M %Z}")),
        ("cases", plain(f"{header.cases.n:,}")),
        ("file of cases", text(f"{header.cases.file} (sha256 {header.cases.sha256[:12]})")),
        ("seed", plain(header.seed)),
        *((name.replace("_", " "), text(value)) for name, value in versions.items()),
        *((name.replace("_", " "), text(value)) for name, value in header.machine.items()),
    )


def _named(entry: Measurement) -> Html:
    # The name may break after a dot or an underscore.
    name = text(entry.name).replace(".", ".<wbr>").replace("_", "_<wbr>")
    return Html(f'<span class="named"><span>{name}</span><small>{plain(_meaning(entry.name))}</small></span>')


def _meaning(name: str) -> str:
    room, _, last = name.partition(".")
    if room == "handoff" and "." in last:
        reason = last.endswith(".precision")
        return "times it was given that called for it" if reason else "cases calling for it that got it"
    return MEANINGS.get(name) or MEANINGS.get(last, "")


def _value(entry: Measurement) -> Html:
    return plain("not scored" if entry.value is None else figure_text(entry.value, entry.name))


def _interval(entry: Measurement) -> Html:
    if entry.low is None or entry.high is None:
        return plain("no interval")
    return plain(f"{figure_text(entry.low, entry.name)} – {figure_text(entry.high, entry.name)}")


def _cell(entry: Measurement | None, whole: Measurement | None) -> Html:
    if entry is None or entry.value is None:
        return Html('<span class="measured soft">not scored<small>n 0</small></span>')
    worse = whole is not None and whole.value is not None and entry.high is not None and entry.high < whole.value
    value = f'<strong class="worse">▼ worse {_value(entry)}</strong>' if worse else _value(entry)
    return Html(f'<span class="measured">{value}<small>{_interval(entry)}, n {entry.n:,}</small></span>')
