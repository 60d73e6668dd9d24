"""How drafts are changed: by hand-written edits of the sort that agents make, and by laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.edits import KINDS, edit_of
from triage.suggestions import Draft, DraftSentence

GREETING, LEAD = "Hello Sam,", "Thanks for getting in touch."
FACTS = (
    "Open Settings > People and choose Invite.",
    "The link in the mail works for 7 days.",
    "A Bookkeeper cannot see the bank page.",
)
CLOSING, SIGNATURE = "If that does not help, just reply to this message.", "Kind regards,\nBrindle support"
TEXT = "\n\n".join((GREETING, LEAD, "\n".join(FACTS), CLOSING, SIGNATURE))
DRAFT = Draft(
    text=TEXT,
    sentences=(
        DraftSentence(text=GREETING, role="greeting"),
        DraftSentence(text=LEAD, role="lead"),
        *(DraftSentence(text=fact, role="fact") for fact in FACTS),
        DraftSentence(text=CLOSING, role="closing"),
        DraftSentence(text=SIGNATURE, role="closing"),
    ),
    source="articles",
)


def swapped(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new)


CASES = {
    "nothing": (TEXT, ()),
    "only space": ("  " + TEXT.replace("\n\n", "\n\n\n") + " \n", ()),
    "windows line ends": (TEXT.replace("\n", "\r\n"), ()),
    "a number": (swapped("7 days", "14 days"), ("fact",)),
    "a number in words": (swapped("7 days", "ten days"), ("fact",)),
    "a not": (swapped("works for", "does not work for"), ("fact",)),
    "a not taken away": (swapped("cannot see", "can see"), ("fact",)),
    "a menu": (swapped("Settings > People", "Settings > Team"), ("fact",)),
    "a link added within": (swapped("Open Settings", "At app.brindle.example open Settings"), ("fact",)),
    "who": (swapped("A Bookkeeper cannot", "You cannot"), ("fact",)),
    "politer": (swapped("Open Settings", "Please open Settings"), ("tone",)),
    "another word": (swapped("Thanks for getting in touch.", "Thanks for your message."), ("tone",)),
    "the lead left out": (swapped(LEAD, ""), ("tone",)),
    "the offer left out": (swapped(CLOSING, ""), ("tone",)),
    "sorry put in front": (swapped(LEAD, f"I'm so sorry about the trouble. {LEAD}"), ("tone",)),
    "Danke": (swapped(LEAD, f"{LEAD} Vielen Dank für Ihre Geduld."), ("tone",)),
    "sorry, with a promise": (swapped(LEAD, f"{LEAD} We are sorry, and pay back £20."), ("added_step",)),
    "a step": (swapped(FACTS[1], f"{FACTS[1]}\nThen ask her to set a password of her own."), ("added_step",)),
    "a postscript": (f"{TEXT}\nP.S. Call extension 42.", ("added_step",)),
    "a step as a list": (swapped(FACTS[1], f"{FACTS[1]}\n- Check the spam folder as well"), ("added_step",)),
    "a claim less": (swapped(FACTS[2], ""), ("removed_claim",)),
    "a claim for another": (
        swapped(FACTS[2], "Roles are explained on the help pages."),
        ("added_step", "removed_claim"),
    ),
    "another name": (swapped("Hello Sam,", "Hello Samira,"), ("identity",)),
    "no greeting": (swapped("Hello Sam,\n\n", ""), ("identity",)),
    "another signature": (swapped("Brindle support", "Moira Kettle, Brindle"), ("identity",)),
    "a German greeting": (swapped("Hello Sam,", "Guten Tag Frau Okoye,"), ("identity",)),
    "a name and a number": (swapped("Sam,", "Samira,").replace("7 days", "3 days"), ("fact", "identity")),
    "all of it": ("No.", ("added_step", "removed_claim", "identity")),
    "nothing left": ("", ("tone", "removed_claim", "identity")),
    "lines in another order": (swapped("\n".join(FACTS), "\n".join(reversed(FACTS))), ("tone",)),
    "an emoji": (swapped("touch.", "touch 🙂."), ("tone",)),
}


@pytest.mark.parametrize("name", CASES)
def test_kinds_of_an_edit(name: str) -> None:
    final, kinds = CASES[name]
    found = edit_of(DRAFT, final).kinds
    expected = tuple(kind for kind in KINDS if kind in kinds)
    if name == "all of it":
        assert {"removed_claim", "identity"} <= set(found)
    else:
        assert found == expected


def test_numbers_of_an_edit() -> None:
    edit = edit_of(DRAFT, swapped("7 days", "14 days"))
    assert (edit.distance, edit.kept_sentences, edit.sentences) == (2, 7, 8)
    assert edit.similarity == pytest.approx(1 - 2 / (len(TEXT) + 1), abs=1e-4)


def test_huge_texts_are_judged_by_their_beginning() -> None:
    assert edit_of(DRAFT, "word. " * 30_000).distance <= 20_000


@given(st.text(max_size=300))
def test_any_text_has_an_edit_within_bounds(final: str) -> None:
    edit = edit_of(DRAFT, final)
    assert 0 <= edit.kept_sentences <= edit.sentences
    assert 0 <= edit.similarity <= 1
    assert list(edit.kinds) == [kind for kind in KINDS if kind in edit.kinds]


@given(st.integers(100, 10**6))
def test_a_sentence_with_a_number_that_nobody_had_is_an_added_step(number: int) -> None:
    final = swapped(CLOSING, f"{CLOSING} The reference to quote is {number}.")
    assert "added_step" in edit_of(DRAFT, final).kinds


@given(st.permutations(range(len(FACTS))))
def test_a_draft_is_no_edit_of_itself(order: list[int]) -> None:
    facts = "\n".join(FACTS[at] for at in order)
    draft = DRAFT.model_copy(update={"text": TEXT.replace("\n".join(FACTS), facts)})
    edit = edit_of(draft, draft.text)
    assert (edit.distance, edit.kinds, edit.kept_sentences) == (0, (), edit.sentences)
