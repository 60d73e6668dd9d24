from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.drafting.compose import Addressee, Voice
from triage.drafting.saved_replies import Saved, fill, from_saved
from triage.suggestions import Draft, MacroHit, SimilarTicket, Why

VOICE = Voice("Hello {name},", "Hello,", "Just reply.", "The desk", 180)
JO = Addressee("Jo Finch", "Odd mail")
BODY = "Nobody at the desk asks for a code. Delete such a mail."


def why(dense: float) -> Why:
    return Why(dense=dense, lexical=0.0, terms=())


def macro(text: str, dense: float = 0.7) -> MacroHit:
    return MacroHit(macro_id="odd_mail", title="Odd mail", score=0.5, text=text, why=why(dense))


def past(reply: str, dense: float = 0.9) -> SimilarTicket:
    return SimilarTicket(ticket_id="T-4", score=0.5, reply=reply, why=why(dense))


def drafted(*found: MacroHit | SimilarTicket, **more: Any) -> Draft | None:
    macros = [one for one in found if isinstance(one, MacroHit)]
    similar = [one for one in found if isinstance(one, SimilarTicket)]
    return from_saved(Saved(macros, similar, 0.65, 0.85, more.get("past", True)), JO, VOICE)


def test_placeholders_are_filled_with_what_is_known_and_others_stay() -> None:
    values = {"customer_name": "Jo", "plan": None, "seats": 3, "note": "{customer_name}"}
    assert fill("Dear {customer_name}, {seats} seats on {plan}, {note} {Odd}", values) == (
        "Dear Jo, 3 seats on {plan}, {customer_name} {Odd}"
    )


def test_a_saved_reply_becomes_a_draft_in_the_desks_voice_with_its_place() -> None:
    text = f"Dear {{customer_name}},\n\n{BODY}\n\nThen change the password.\n\nKind regards,\n{{agent_name}}, the desk"
    filled = fill(text, {"customer_name": "Jo"})
    draft = drafted(macro(filled))
    assert draft is not None
    assert draft.source == "macro"
    assert draft.text == (
        f"Hello Jo,\n\nThanks for getting in touch about “Odd mail”.\n\n{BODY}\nThen change the password.\n\n"
        "Just reply.\n\nThe desk"
    )
    facts = [one for one in draft.sentences if one.role == "fact"]
    for fact in facts:
        (support,) = fact.support
        assert support.article_id == "macro:odd_mail"
        assert filled[support.start : support.end] == fact.text


@pytest.mark.parametrize(
    "body",
    [
        "Use {reset_link} to begin.",
        "I have checked it.",
        "We've sent a link.",
        "We will call you back.",
        "Your money back comes in three days.",
        "Let me know how it goes.",
        "",
    ],
)
def test_what_is_not_filled_or_tells_what_somebody_did_is_no_draft(body: str) -> None:
    assert drafted(macro(f"Hello,\n\n{body}\n\nRegards,\nthe desk")) is None


def test_only_the_best_that_is_near_enough_is_one() -> None:
    assert drafted(macro(BODY, 0.64)) is None
    assert drafted(macro("I did it."), macro(BODY)) is None
    assert drafted() is None


def test_a_past_reply_is_one_only_where_the_desk_wants_it() -> None:
    draft = drafted(past(f"Hi Ann,\n\n{BODY}\n\nCheers\nRuth"))
    assert draft is not None
    assert draft.source == "history"
    assert "Ann" not in draft.text
    assert "Ruth" not in draft.text
    assert drafted(past(BODY), past=False) is None
    assert drafted(past(BODY, 0.84)) is None
    found = drafted(macro(BODY), past("Something else. Entirely so."))
    assert found is not None
    assert found.source == "macro"


@pytest.mark.parametrize(
    "body",
    [
        "Ann, nobody asks for a code.",
        "Mail it to ann@shop.example then.",
        "Call 020 7946 0123 for that.",
        "Order BR-77120 left today's shelf.",
    ],
)
def test_a_past_reply_with_somebodys_details_is_none(body: str) -> None:
    assert drafted(past(f"Hi Ann,\n\n{body}")) is None
    assert drafted(past(f"Hi Ann,\n\n{BODY}")) is not None


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_breaks_it_and_no_placeholder_gets_through(saved: str, reply: str) -> None:
    draft = drafted(macro(saved), past(reply))
    if draft:
        assert "{customer_name}" not in draft.text
        assert all(one.support for one in draft.sentences if one.role == "fact")
