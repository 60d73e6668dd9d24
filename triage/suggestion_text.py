"""A suggestion as a person reads it in a terminal."""

from datetime import UTC

from triage.suggestions import Prediction, Route, Suggestion, percent
from triage.tickets import Ticket

TITLES = {"draft": "DRAFT READY", "handoff": "NEEDS A PERSON", "no_reply": "NO REPLY NEEDED", "open": "TRIAGED"}
#: What a draft's warnings say.
WARNINGS = {
    "model_unavailable": "the language model failed or was late; the draft quotes the articles instead",
    "model_unsupported": "too little of what the model wrote stands in the articles, which the draft quotes instead",
    "unsupported_sentences_dropped": "sentences that stand in no article were left out",
}


def suggestion_text(ticket: Ticket, suggestion: Suggestion) -> str:
    """Return the ticket's first words, the fields, and the draft or the reasons, as plain text."""
    first = " ".join((ticket.subject or ticket.body or "(blank)").split())[:90]
    lines = [f"{TITLES[suggestion.disposition]} · {first}"]
    lines += [f"  {field:<10} {_prediction(prediction)}" for field, prediction in suggestion.fields.items()]
    if suggestion.due:
        lines.append(f"  reply due  {suggestion.due.respond_by:%d %b %Y %H:%M} UTC")
    if suggestion.route:
        lines += _route(suggestion.route)
    if suggestion.disposition == "no_reply":
        said = suggestion.answered or f"this is {suggestion.kind.replace('_', ' ')} ({suggestion.kind_evidence})"
        lines += ["", f"{said[0].upper()}{said[1:]}."]
    if suggestion.handoff:
        lines += ["", f"Handed to {suggestion.handoff.team}, because:"]
        for reason in suggestion.handoff.reasons:
            lines.append(f"  - {reason.code} ({reason.severity}): {reason.evidence}")
            lines.append(f"    otherwise if: {reason.would_change}")
        lines += ["", "Note for the next person:", *_indented(suggestion.handoff.summary)]
    if suggestion.draft:
        lines += ["", "Draft:", *_indented(suggestion.draft.text), ""]
        sources = {s.article_id for sentence in suggestion.draft.sentences for s in sentence.support}
        lines.append(f"Every fact stands in: {', '.join(sorted(sources))}")
        lines += [f"Note: {WARNINGS.get(warning, warning)}" for warning in suggestion.draft.warnings]
    elif suggestion.articles:
        near = ", ".join(f"{hit.article_id} “{hit.title}” ({hit.score:.2f})" for hit in suggestion.articles[:3])
        lines += ["", f"Articles: {near}"]
    return "\n".join(lines)


def _route(route: Route) -> list[str]:
    """Return who takes the ticket, whom to ask there, when they open, and each step of the way."""
    when = f"opens {route.opens_at.astimezone(UTC):%d %b %Y %H:%M} UTC" if route.opens_at else "open now"
    ask = (f"ask {route.person}",) if route.person else ()
    return [
        f"  {'goes to':<10} {', '.join((route.team, when, *ask))}",
        *(f"  {'':<10} {step.why}" for step in route.steps),
    ]


def _prediction(prediction: Prediction) -> str:
    sure = percent(prediction.confidence)
    why = "".join(f"  [{factor.name}: {factor.evidence}]" for factor in prediction.factors)
    return (
        f"{prediction.value} ({sure}){why}" if prediction.decided else f"undecided, perhaps {prediction.best} ({sure})"
    )


def _indented(text: str) -> list[str]:
    return [f"  | {line}".rstrip() for line in text.splitlines()]
