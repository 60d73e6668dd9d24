"""The worst cases with their evidence: what was asked, what was expected, and what came."""

from collections.abc import Callable, Iterable

from eval.outcomes import Outcome
from eval.report.markup import Html, block, facts, folded, join, note, part, plain, section, table, text
from eval.report.worst_cases import MOST, Worst, WorstCases, cited_articles, is_sensitive
from triage.suggestions import Prediction, Suggestion, percent

#: Letters of a ticket that are shown.
MOST_LETTERS = 600
NO_SUGGESTION = "none: an exception was raised"


def worst_section(worst: WorstCases) -> Html:
    """Return the worst cases of each kind, each folded away."""
    kinds = (
        ("Exceptions", worst.exceptions, _exception, "an exception"),
        ("Missed handoffs", worst.missed_handoffs, _missed_handoff, "a handoff that was missed"),
        ("Confidently wrong fields", worst.wrong_fields, _wrong_field, "a field that was guessed wrong"),
        ("Expected article not found", worst.unfound_articles, _unfound, "an article missing from the first 10"),
        (
            "Drafts that cite another article",
            worst.other_citations,
            _other_citation,
            "a draft that cites another article",
        ),
    )
    return section(
        "worst",
        "Worst cases",
        f"The cases to read first, at most {MOST} of a kind: what was asked, what was expected, and what came.",
        *(part(title, _cases(found, show, what)) for title, found, show, what in kinds),
    )


Show = Callable[[Outcome, str], tuple[str, Html]]


def _cases(worst: Worst, show: Show, what: str) -> Html:
    if not worst.offered:
        return note(f"No case carries {what}.")
    shown = [_case(outcome, *show(outcome, about)) for outcome, about in worst]
    return join([note(f"The worst {len(shown)} of {worst.offered:,}."), *shown])


def _case(outcome: Outcome, line: str, evidence: Html) -> Html:
    ticket = outcome.case.ticket
    asked = "\n\n".join(said for said in (ticket.subject, ticket.body) if said)
    cut = asked if len(asked) <= MOST_LETTERS else f"{asked[:MOST_LETTERS]}…"
    summary = Html(f'{text(outcome.case.id)} <span class="soft">{text(line)}</span>')
    return folded(summary, block(cut or "(blank)"), evidence)


def _exception(outcome: Outcome, about: str) -> tuple[str, Html]:
    raised = outcome.error or "unknown"
    return raised, facts([("raised", text(raised)), ("expected", _expectations(outcome))])


def _missed_handoff(outcome: Outcome, about: str) -> tuple[str, Html]:
    expected, found = outcome.case.expect.get("handoff_reasons", []), outcome.suggestion
    line = ("sensitive; " if is_sensitive(outcome) else "") + (f"came: {found.disposition}" if found else NO_SUGGESTION)
    pairs = [
        ("expected", text(f"handoff ({', '.join(expected) or 'reasons not stated'})")),
        ("came", text(f"{found.kind}, {found.disposition}" if found else NO_SUGGESTION)),
        ("kind because", text(found.kind_evidence if found else "–")),
    ]
    return line, join([facts(pairs), *_draft(found)])


def _wrong_field(outcome: Outcome, field: str) -> tuple[str, Html]:
    found = outcome.suggestion
    if found is None:
        raise ValueError("a wrong field belongs to a suggestion")
    prediction, truth = found.fields[field], outcome.case.expect[field]
    pairs = [
        ("field", text(field)),
        ("expected", text(truth)),
        ("came", text(f"{prediction.best} at {percent(prediction.confidence)}")),
        ("decided", plain("yes" if prediction.decided else "no, left to a person")),
        ("considered", _alternatives(prediction)),
        ("because", join([text(f"{each.name}: {each.evidence}") for each in prediction.factors], "; ") or plain("–")),
    ]
    return f"{field}: {truth} → {prediction.best} at {percent(prediction.confidence)}", facts(pairs)


def _unfound(outcome: Outcome, about: str) -> tuple[str, Html]:
    expected = ", ".join(outcome.case.expect["articles"])
    hits = outcome.suggestion.articles if outcome.suggestion else ()
    rows = [
        [plain(rank), text(hit.article_id), text(hit.title), plain(f"{hit.score:.3f}")]
        for rank, hit in enumerate(hits[:10], start=1)
    ]
    found = (
        table("Found instead", ("rank", "article", "title", "score"), rows, words=3)
        if rows
        else note("Nothing was found.")
    )
    best = f"; first: {hits[0].article_id} at {hits[0].score:.3f}" if hits else "; nothing found"
    return f"expected {expected}{best}", join([facts([("expected", text(expected))]), found])


def _other_citation(outcome: Outcome, about: str) -> tuple[str, Html]:
    found, expected = outcome.suggestion, ", ".join(outcome.case.expect["articles"])
    cited = ", ".join(cited_articles(found.draft)) if found and found.draft else ""
    pairs = [("expected", text(expected)), ("cited", text(cited or "nothing"))]
    return f"expected {expected}; cited {cited or 'nothing'}", join([facts(pairs), *_draft(found)])


def _draft(found: Suggestion | None) -> Iterable[Html]:
    return () if found is None or found.draft is None else (note("The draft:"), block(found.draft.text))


def _alternatives(prediction: Prediction) -> Html:
    listed = (text(f"{each.value} {each.confidence:.3f}") for each in prediction.alternatives)
    return join(listed, ", ") or plain("no other")


def _expectations(outcome: Outcome) -> Html:
    return join([text(f"{key}: {value}") for key, value in outcome.case.expect.items() if key != "reply"], "; ")
