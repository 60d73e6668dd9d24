"""What was answered before: past tickets and saved replies, searched as articles are, and kept over a write."""

from pathlib import Path

import pytest
from small_search import ENCODER

from retrieval.documents import Document
from triage.cleaning import read_text
from triage.desk_files import HistoryRow
from triage.engine import text_to_classify
from triage.generation_files import read_past_replies, write_past_replies
from triage.past_replies import MAX_MACROS, MAX_SIMILAR, PastReplies, build_past_replies
from triage.tickets import Ticket


def row(id: str | None, body: str, reply: str = "Done.", resolved: bool = True) -> HistoryRow:
    return HistoryRow(Ticket(id=id, body=body), {}, reply, resolved)


HISTORY = [
    row("A", "the till prints blank receipts", "Turn the paper roll over."),
    row("B", "the import stops with BR-77120 each evening", "Split the file."),
    row("C", "the till prints nothing", ""),
    row("D", "the till prints too much", resolved=False),
    row("A", "our invoices lack the new logo", "Upload it again."),
    row(None, "refund for the second month please", "Refunded."),
]
MACROS = [
    Document("refund", "Refund granted", "Dear {customer_name}, the refund for {month} is on its way.", ()),
    Document("roll", "Blank receipts", "Hello {customer_name}, turn the paper roll of the till over.", ()),
]


def built(history: list[HistoryRow] = HISTORY, macros: list[Document] = MACROS) -> PastReplies:
    texts = [text_to_classify(read_text(past.ticket)) for past in history]
    return build_past_replies(history, texts, ENCODER.encode(texts), macros, ENCODER)


PAST = built()


def similar(past: PastReplies, query: str) -> list[str]:
    return [found.ticket_id for found in past.similar(query, ENCODER.encode([query])[0])]


def saved(past: PastReplies, query: str) -> list[str]:
    return [found.macro_id for found in past.saved(query, ENCODER.encode([query])[0])]


def test_the_ticket_most_like_it_comes_with_its_reply_and_why() -> None:
    query = "till prints blank receipts"
    best = PAST.similar(query, ENCODER.encode([query])[0])[0]
    assert (best.ticket_id, best.reply) == ("A", "Turn the paper roll over.")
    assert set(best.why.terms) == {"till", "prints", "blank", "receipts"}
    assert best.why.dense > 0.5
    assert best.why.lexical > 0


def test_a_ticket_without_a_reply_or_still_open_is_never_shown() -> None:
    assert set(PAST.replies) == {"A", "B", "line-5", "line-6"}
    assert not {"C", "D"} & set(similar(PAST, "the till prints nothing, the till prints too much"))


def test_an_error_number_finds_its_ticket_whatever_else_is_said() -> None:
    query = "good morning, somebody upstairs saw BR-77120 on a screen while making tea, what now"
    assert similar(PAST, query) == ["B"]


def test_tickets_that_share_an_id_or_have_none_are_named_by_their_lines() -> None:
    assert similar(PAST, "our invoices lack the new logo") == ["line-5"]
    assert similar(PAST, "refund for the second month please") == ["line-6"]


def test_saved_replies_are_found_by_their_words_and_keep_their_placeholders() -> None:
    query = "a refund for the month"
    best = PAST.saved(query, ENCODER.encode([query])[0])[0]
    assert (best.macro_id, best.title) == ("refund", "Refund granted")
    assert best.text == MACROS[0].text
    assert saved(PAST, "customer name") == []


@pytest.mark.parametrize("query", ["", "the", "😀", "sourdough starter flour"])
def test_a_question_that_nothing_is_like_gets_nothing(query: str) -> None:
    assert similar(PAST, query) == saved(PAST, query) == []


def test_no_more_than_a_few_are_shown() -> None:
    many = built(
        [row(f"T-{number}", f"the till prints blank receipts {number}") for number in range(9)],
        [Document(f"m-{number}", "Blank receipts", f"receipts of the till {number}", ()) for number in range(9)],
    )
    assert len(similar(many, "the till prints blank receipts")) == MAX_SIMILAR
    assert len(saved(many, "blank receipts of the till")) == MAX_MACROS


def test_a_desk_without_past_tickets_or_saved_replies_has_neither() -> None:
    nothing = built([], [])
    assert similar(nothing, "till prints blank receipts") == saved(nothing, "refund") == []


def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    write_past_replies(tmp_path, PAST)
    again = read_past_replies(tmp_path, ENCODER.dimension)
    assert (again.replies, again.macros.documents) == (PAST.replies, PAST.macros.documents)
    for query in ("till prints blank receipts", "BR-77120", "refund for the month"):
        vector = ENCODER.encode([query])[0]
        assert again.similar(query, vector) == PAST.similar(query, vector)
        assert again.saved(query, vector) == PAST.saved(query, vector)
