"""The console's texts: the same in every language, and every one that a page names is there."""

import re
import string
from pathlib import Path

import pytest

from serve.console.texts import preferred, read_texts

TEXTS = read_texts()
CONSOLE = Path(__file__).parents[2] / "serve" / "console"
PAGES = [*CONSOLE.glob("templates/*.html"), *CONSOLE.glob("*.py")]


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_language_says_the_same_things() -> None:
    assert {"en", "de"} <= set(TEXTS)
    for texts in TEXTS.values():
        assert set(texts.known) == set(TEXTS["en"].known)
        for name, text in texts.known.items():
            assert text.strip()
            assert fields(text) == fields(TEXTS["en"].known[name]), name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_text_that_a_page_names_is_there(path: Path) -> None:
    told = path.read_text(encoding="utf-8")
    named = set(re.findall(r"""\bt\(\s*["']([a-z_0-9.]+)["']\s*[,)]""", told))
    named |= {
        f"{name}.{form}"
        for name in re.findall(r"""t\.count\(\s*["']([a-z_0-9.]+)["']""", told)
        for form in ("one", "many")
    }
    assert named <= set(TEXTS["en"].known)


def test_every_rule_and_reason_has_its_words() -> None:
    from serve.console.ticket_page import REJECTIONS
    from triage.drafting.handoff import HANDOFF_RULES
    from triage.edits import KINDS

    known = TEXTS["en"].known
    assert {f"reason.{code}" for code in HANDOFF_RULES} <= set(known)
    assert {f"rejection.{name}" for name in REJECTIONS} <= set(known)
    assert {f"edit.{kind}" for kind in KINDS} <= set(known)


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "en"), ("de", "de"), ("fr, de;q=0.5", "de"), ("en;q=0.1, de-CH;q=0.9", "de"), ("*", "en"), ("de;q=x", "en")],
)
def test_a_browser_gets_the_language_that_it_likes_best(header: str, language: str) -> None:
    assert preferred(header, TEXTS).language == language


def test_a_number_of_things_is_put_well() -> None:
    assert TEXTS["en"].count("ticket.thread", 1) == "One message"
    assert TEXTS["en"].count("ticket.thread", 40) == "40 messages"
    assert TEXTS["en"].name_of("reason", "no_such_code") == "no such code"
