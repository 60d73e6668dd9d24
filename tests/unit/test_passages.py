"""Passages: runs of blocks under one heading, none longer than it may be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.documents import Block, Document, Passage
from retrieval.passages import MAX_WORDS, PassageLimits, split_into_passages, text_to_encode
from retrieval.plain_text import to_plain_text

#: A numbered procedure is kept whole up to this many words.
PROCEDURE = 3 * MAX_WORDS


def words(count: int) -> str:
    return " ".join(["word"] * count)


def document_of(markdown: str) -> Document:
    text, blocks = to_plain_text(markdown)
    return Document("kb-1", "Tills", text, blocks)


def sizes(markdown: str) -> list[int]:
    return [len(passage.text.split()) for passage in split_into_passages(document_of(markdown))]


def test_a_section_is_one_passage_with_its_headings_and_span() -> None:
    document = document_of("Intro.\n\n# Open\n\nTurn it on.\n\nWait.\n\n## Safely\n\nLook.")
    passages = split_into_passages(document)
    assert passages == [
        Passage("kb-1#1", "kb-1", (), 0, 6, "Intro."),
        Passage("kb-1#2", "kb-1", ("Open",), 13, 30, "Turn it on.\nWait."),
        Passage("kb-1#3", "kb-1", ("Open", "Safely"), 39, 44, "Look."),
    ]
    assert all(document.text[passage.start : passage.end] == passage.text for passage in passages)


def test_a_document_without_blocks_has_no_passages() -> None:
    assert split_into_passages(document_of("# Only a heading")) == []


def test_a_long_section_is_cut_between_blocks_at_the_limit() -> None:
    half = MAX_WORDS // 2
    assert sizes(f"{words(half)}\n\n{words(MAX_WORDS - half)}") == [MAX_WORDS]
    assert sizes(f"{words(half)}\n\n{words(MAX_WORDS - half + 1)}") == [half, MAX_WORDS - half + 1]


def test_a_single_long_block_stays_whole() -> None:
    assert sizes(f"{words(5)}\n\n{words(PROCEDURE + 99)}\n\n{words(5)}") == [5, PROCEDURE + 99, 5]


def test_a_procedure_is_kept_whole_up_to_three_times_the_limit() -> None:
    steps = "\n".join(f"{number}. {words(PROCEDURE // 10 - 1)}" for number in range(1, 11))  # a number is a word
    assert sizes(steps) == [PROCEDURE]
    assert sizes(f"{steps}\n11. end") == [PROCEDURE, 2]


def test_a_procedure_that_does_not_fit_behind_its_introduction_begins_a_passage() -> None:
    assert sizes(f"{words(MAX_WORDS - 10)}\n\n1. {words(60)}\n2. {words(60)}\n3. {words(60)}") == [MAX_WORDS - 10, 183]


def test_a_remark_stays_with_its_procedure_and_what_follows_begins_a_passage() -> None:
    assert sizes(f"1. {words(99)}\n2. {words(99)}\n\n{words(10)}\n\n{words(11)}") == [210, 11]


@pytest.mark.parametrize("between", ["   - {}", "\n   {}\n", "   1. {}"], ids=["bullet", "paragraph", "nested step"])
def test_a_procedure_whose_steps_hold_more_than_a_line_is_kept_whole(between: str) -> None:
    steps = "\n".join(f"{number}. {words(19)}\n" + between.format(words(19)) for number in range(1, 7))
    assert len(sizes(steps)) == 1


def test_a_procedure_that_fits_is_kept_whole_with_its_lead() -> None:
    steps = "\n".join(f"{number}. {words(29)}" for number in range(1, 9))  # 240 words
    passages = split_into_passages(document_of(f"{words(60)}\n\nTo reset the till:\n\n{steps}"))
    assert [len(passage.text.split()) for passage in passages] == [60, 244]
    assert passages[1].text.startswith("To reset the till:\n1. ")
    assert [passage.headings for passage in passages] == [(), ()]


def test_the_parts_of_a_long_procedure_keep_their_numbers_and_the_lead() -> None:
    steps = "\n".join(f"{number}. {words(59)}" for number in range(1, 13))
    passages = split_into_passages(document_of(f"# Till\n\nIt helps. To reset it:\n\n{steps}\n\nDone."))
    assert [passage.headings for passage in passages] == [("Till",), *[("Till", "To reset it:")] * 2]
    assert [passage.text[:2] for passage in passages] == ["It", "5.", "9."]


@pytest.mark.parametrize("before", ["", "It helps.\n\n", f"{words(60)}:\n\n", "## Now:\n\n"])
def test_without_a_short_lead_nothing_is_put_above_the_parts(before: str) -> None:
    steps = "\n".join(f"{number}. {words(59)}" for number in range(1, 13))
    passages = split_into_passages(document_of(f"{before}{steps}"))
    assert all(passage.headings in ((), ("Now:",)) for passage in passages)


def test_a_second_procedure_has_its_own_lead() -> None:
    first = "\n".join(f"{number}. {words(59)}" for number in range(1, 6))
    markdown = f"To open:\n\n{first}\n\nTo close:\n\n{first}"
    leads = {passage.text[:2]: passage.headings for passage in split_into_passages(document_of(markdown))}
    assert leads == {"To": (), "5.": ("To open:",), "4.": ("To close:",)}


def test_limits_are_parameters() -> None:
    document = document_of(f"{words(10)}\n\n{words(10)}")
    assert len(split_into_passages(document, PassageLimits(words=10))) == 2
    assert len(split_into_passages(document, PassageLimits(words=20))) == 1


def test_a_section_of_very_many_blocks_is_cut_in_time() -> None:
    # Minutes in quadratic time.
    assert len(split_into_passages(document_from([("bullet", 1, 0)] * 20_000 + [("step", 1, 0)]))) > 200


PIECES = st.sampled_from(
    (
        "Words here: and there.",
        "1. one\n2. two\n\n   more",
        "- a\n- b",
        "```\nrun\n  it\n```",
        "|a|b|\n|-|-|\n|c|d|\n|e||",
        words(120),
        f"1. {words(150)}\n2. {words(150)}",
        "> [!NOTE]\n> q",
        "To do so:",
        "[a](https://x.example)",
    )
)
HEADINGS = st.sampled_from(["# A", "## B", "### C", "# D:"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(HEADINGS, st.lists(PIECES, min_size=1, max_size=6)), max_size=6))
def test_no_letter_of_an_article_is_lost(sections: list[tuple[str, list[str]]]) -> None:
    markdown = "\n\n".join("\n\n".join([heading, *pieces]) for heading, pieces in sections)
    document = document_of(markdown)
    passages = split_into_passages(document)
    covered = bytearray(len(document.text))
    for passage in passages:
        covered[passage.start : passage.end] = b"\x01" * (passage.end - passage.start)
    left = "".join(sign if not held else "\n" for sign, held in zip(document.text, covered, strict=True))
    # Headings alone stand outside the passages, and each is above one.
    above = {heading for passage in passages for heading in passage.headings}
    assert {line for line in left.splitlines() if line.strip()} <= above


def test_an_index_sees_title_and_headings_first() -> None:
    document = document_of("# Open\n\n## Safely\n\nLook.")
    assert text_to_encode(document, split_into_passages(document)[0]) == "Tills\nOpen\nSafely\nLook."


kinds = st.sampled_from(["paragraph", "step", "step", "bullet", "row", "code"])
drawn_blocks = st.lists(st.tuples(kinds, st.integers(1, 200), st.integers(0, 2)), max_size=25)


def document_from(drawn: list[tuple[str, int, int]]) -> Document:
    text, blocks = "", []
    for kind, count, section in drawn:
        start = len(text)
        text += words(count)
        blocks.append(Block(kind, start, len(text), (f"section {section}",)))  # type: ignore[arg-type]
        text += "\n"
    return Document("kb-1", "Tills", text, tuple(blocks))


@settings(max_examples=50, deadline=None)
@given(drawn_blocks)
def test_passages_hold_every_block_once_in_order_and_respect_the_limit(drawn: list[tuple[str, int, int]]) -> None:
    document = document_from(drawn)
    held: list[Block] = []
    for number, passage in enumerate(split_into_passages(document), 1):
        inside = [block for block in document.blocks if passage.start <= block.start and block.end <= passage.end]
        held += inside
        size = len(passage.text.split())
        assert passage.id == f"kb-1#{number}"
        assert passage.text == document.text[passage.start : passage.end]
        assert {block.headings for block in inside} == {passage.headings[: len(inside[0].headings)]}
        assert len(passage.headings) <= len(inside[0].headings) + 1
        assert (inside[0].start, inside[-1].end) == (passage.start, passage.end)
        # What goes on with a procedure that was cut is held to the procedure's limit.
        procedure = any(block.kind == "step" for block in held if block.headings == inside[0].headings)
        limit = PROCEDURE if procedure else MAX_WORDS
        assert size <= limit or len(inside) == 1
    assert held == list(document.blocks)
