"""The first question that a person may ask who takes over, by the reason for it."""

import re
from collections.abc import Mapping, Sequence

from triage.suggestions import HandoffReason, Prediction

#: In the order of the rules; a reason without one needs an answer rather than a question.
QUESTIONS: Mapping[str, str] = {
    "human_requested": "when, and on which number, may we call you?",
    "angry_customer": "what would put this right for you?",
    "urgent_priority": "who cannot work now, and since when?",
    "empty_message": "what can we help you with?",
    "attachment_needed": "what does the attachment say, in its own words?",
    "account_specific": "which order, invoice or account is it about?",
    "repeat_contact": "what has changed since you last wrote?",
    "out_of_scope": "what would you like us to do for you?",
    "no_supporting_article": "what exactly did you do, and what did you see?",
    "several_questions_unanswered": "which of your questions is the most urgent?",
}
#: Of a sensitive topic what matters first.
BY_TOPIC: Mapping[str, str] = {
    "self_harm": "are you safe right now, and is somebody with you?",
    "safety": "is anybody hurt, and is the thing switched off?",
    "security_incident": "when did you first notice it, and can you still sign in?",
    "harassment": "who did this and when, and do you feel safe now?",
    "legal": "which date does the letter name, if any?",
    "discrimination": "what happened, where and when?",
    "payment_dispute": "which charge is it: date, amount, last four digits?",
    "data_protection": "which data, and how may we make sure that it is you?",
    "press": "for whom do you write, and by when do you need an answer?",
}
_TOPIC = re.compile("|".join(BY_TOPIC))


def first_question(reasons: Sequence[HandoffReason], fields: Mapping[str, Prediction]) -> str:
    """Return the question that the gravest reason with one suggests; nothing where none does."""
    for reason in reasons:
        if reason.code == "sensitive_topic" and (found := _TOPIC.search(reason.evidence)):
            return BY_TOPIC[found.group()]
        if reason.code == "low_confidence":
            return _which(fields)
        if reason.code in QUESTIONS:
            return QUESTIONS[reason.code]
    return ""


def _which(fields: Mapping[str, Prediction]) -> str:
    """Ask which of the two likeliest labels of the first undecided field it is."""
    for prediction in fields.values():
        if not prediction.decided and len(prediction.alternatives) > 1:
            first, second = (other.value.replace("_", " ") for other in prediction.alternatives[:2])
            return f"is it about {first}, or about {second}?"
    return ""
