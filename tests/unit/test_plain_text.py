"""Markdown into plain text: what a reader of a quote sees, and where it lies."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.plain_text import LONGEST_BLOCK, to_plain_text


def blocks_of(markdown: str) -> list[tuple[str, str]]:
    """Kind and text of every block."""
    text, blocks = to_plain_text(markdown)
    return [(block.kind, text[block.start : block.end]) for block in blocks]


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("Two\nlines.\n\nNext.", [("paragraph", "Two lines."), ("paragraph", "Next.")]),
        ("*a* **b** `c` ***d***", [("paragraph", "a b c d")]),
        (r"5 \* 3 &amp; 4 < 20", [("paragraph", "5 * 3 & 4 < 20")]),
        ("<b>bold</b> <your name> if a < b and c>d", [("paragraph", "bold <your name> if a < b and c>d")]),
        ("`<b>` <i title='x'>x</i>", [("paragraph", "<b> x")]),
        ("a <!-- say this --> b\n\n<!-- and\n\nthat -->\n\nc", [("paragraph", "a b"), ("paragraph", "c")]),
        ("go <script>alert(1)</script>[on](javascript:x()) <img src=i onerror=x>", [("paragraph", "go on")]),
        ("<script>\n\nalert(1)\n</script>\n\ngo", [("paragraph", "go")]),
        ("```\n<b>c</b>\n```", [("code", "<b>c</b>")]),
        ("> Quoted\n> words", [("paragraph", "Quoted words")]),
        ("before\n\n---\n\nafter", [("paragraph", "before"), ("paragraph", "after")]),
        ("1. one\n2. two", [("step", "1. one"), ("step", "2. two")]),
        ("7. seven\n7. eight", [("step", "7. seven"), ("step", "8. eight")]),
        ("0) zero\n1) one", [("step", "0. zero"), ("step", "1. one")]),
        ("* a\n* b", [("bullet", "- a"), ("bullet", "- b")]),
        ("1. a\n\n   more\n\n2. b", [("step", "1. a"), ("paragraph", "more"), ("step", "2. b")]),
        (
            "3. a\n4. b\n   - c\n     1. d\n     2. e\n   - f\n5. g",
            [
                ("step", "3. a"),
                ("step", "4. b"),
                ("bullet", "- c"),
                ("step", "1. d"),
                ("step", "2. e"),
                ("bullet", "- f"),
                ("step", "5. g"),
            ],
        ),
        ("- a\n\nafter", [("bullet", "- a"), ("paragraph", "after")]),
        ("```sh\nrun me\n\ntwice\n```", [("code", "run me\n\ntwice")]),
        ("    indented code", [("code", "indented code")]),
        ("> [!NOTE]\n> Look [!TIP]", [("paragraph", "Note: Look [!TIP]")]),
        ("a<br/>b <BR> c", [("paragraph", "a b c")]),
        ("|a|b|\n|-|-|", [("row", "a – b")]),
        ("<table>\n<tr><th>a</th><th>b</th></tr>\n<tr><td>c</td><td>*d*</td></tr>\n</table>", [("row", "c – b: *d*")]),
        ("a <table><tr><td>b</td></tr></table>", [("paragraph", "a b")]),
        (f"<table>{'<div>' * 300}a</table>", [("paragraph", "a")]),
        ("", []),
        ("# Only a heading", []),
    ],
)
def test_blocks(markdown: str, expected: list[tuple[str, str]]) -> None:
    assert blocks_of(markdown) == expected


@pytest.mark.parametrize("markdown", ["- a\n-\n\nafter", "- a\n- ```\n  code\n  ```\n\nafter"])
def test_a_list_item_without_words_does_not_mark_what_comes_after_the_list(markdown: str) -> None:
    assert blocks_of(markdown)[-1] == ("paragraph", "after")


def test_code_keeps_the_indentation_of_its_first_line() -> None:
    assert blocks_of("```\n  till:\n    port: 1\n```") == [("code", "  till:\n    port: 1")]


@pytest.mark.parametrize("markdown", ["> " * 30 + "deep words", "- " * 30 + "deep words"])
def test_words_nested_too_deep_are_shown_as_text_and_not_lost(markdown: str) -> None:
    assert "deep words" in to_plain_text(markdown)[0]


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("[the guide](https://help.example/a)", "the guide (https://help.example/a)"),
        ("[**bold** guide](https://help.example/a) now", "bold guide (https://help.example/a) now"),
        ("[help.example/a](https://help.example/a)", "help.example/a"),
        ("<https://help.example/a>", "https://help.example/a"),
        ("<desk@help.example>", "desk@help.example"),
        ("[write to us](mailto:desk@help.example)", "write to us (mailto:desk@help.example)"),
        (
            "[one](https://a.example) and [two](https://b.example)",
            "one (https://a.example) and two (https://b.example)",
        ),
        ("see ![a picture](https://a.example/p.png) here", "see here"),
    ],
)
def test_a_link_keeps_its_words_and_its_target(markdown: str, expected: str) -> None:
    assert blocks_of(markdown) == [("paragraph", expected)]


def test_a_table_row_can_be_read_without_its_table() -> None:
    table = (
        "| Plan | Price | Users |\n|---|---|---|\n| Starter | 9 EUR | 2 |\n| **Shop** | | 5 |\n| | | |\n| | 3 EUR | |"
    )
    assert blocks_of(table) == [
        ("row", "Starter – Price: 9 EUR; Users: 2"),
        ("row", "Shop – Users: 5"),
        ("row", "Price: 3 EUR"),
    ]


def test_headings_stand_in_the_text_and_above_their_blocks() -> None:
    text, blocks = to_plain_text("Top\n\n# A *b*\n\none\n\n### C\n\ntwo\n\n## D\n\nthree\n\nE\n=\n\nfour")
    assert text == "Top\n\nA b\none\n\nC\ntwo\n\nD\nthree\n\nE\nfour\n"
    assert [block.headings for block in blocks] == [(), ("A b",), ("A b", "C"), ("A b", "D"), ("E",)]


def test_an_empty_heading_ends_the_one_above() -> None:
    text, blocks = to_plain_text("# A\n\none\n\n#\n\ntwo")
    assert (text, [block.headings for block in blocks]) == ("A\none\ntwo\n", [("A",), ()])


def test_a_long_block_is_several_that_end_with_sentences_or_lines() -> None:
    sentence = " ".join(["word"] * 99) + " end."
    text, blocks = to_plain_text(" ".join([sentence] * 5))
    assert [len(text[block.start : block.end].split()) for block in blocks] == [200, 200, 100]
    assert all(text[block.start : block.end].endswith("end.") for block in blocks)
    kinds = [block.kind for block in to_plain_text(f"1. {' '.join([sentence] * 5)}")[1]]
    assert kinds == ["step", "paragraph", "paragraph"]
    text, blocks = to_plain_text("```\n" + "run this now\n" * 100 + "```")
    assert [text[block.start : block.end].count("\n") for block in blocks] == [89, 9]
    assert [block.kind for block in blocks] == ["code", "code"]


def test_what_cannot_be_cut_stays_whole() -> None:
    assert len(blocks_of(" ".join(["word"] * (LONGEST_BLOCK + 50)))) == 1


def test_reading_takes_time_linear_in_the_text() -> None:
    text, blocks = to_plain_text("- word word\n" * 8_000)
    assert (len(blocks), len(text)) == (8_000, 96_000)


MARKS = ("# ", "## ", "- ", "1. ", "5) ", "> ", "    ", "```\n", "---\n", "|a|b|\n|-|-|\n|c|d|\n", "*", "**", "`", "\\")
WORDS = ("\n", "\n\n", "word", " ", "ü🙂", "<b>", "&amp;", "[x](https://x.example)", "![i](u)", "\t", "\x00", "\u2028")
pieces = st.sampled_from(MARKS + WORDS)


@settings(max_examples=50, deadline=None)
@given(st.lists(pieces, max_size=40).map("".join) | st.text(max_size=80))
def test_spans_lie_in_the_text_in_order_without_overlap(markdown: str) -> None:
    text, blocks = to_plain_text(markdown)
    end = 0
    for block in blocks:
        assert end <= block.start < block.end <= len(text)
        assert text[block.start : block.end].strip()
        end = block.end
    assert to_plain_text(markdown) == (text, blocks)
