import tomllib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.loaders.proposed_names import is_code, proposed_descriptions, telling_words
from eval.loaders.rule_files import taxonomy_toml
from triage.taxonomy import Taxonomy

CARDS = [f"Hello, my bank card never arrived, order {word}" for word in ("one", "two", "three", "four", "five", "six")]
LOGINS = [f"Hello, I cannot reset the password, case {word}" for word in ("one", "two", "three", "four", "five", "six")]


def history(labels: Sequence[tuple[str, Sequence[str]]], field: str = "category") -> list[dict[str, Any]]:
    return [{"body": text, "labels": {field: label}} for label, texts in labels for text in texts]


@pytest.mark.parametrize("label", ["3", "07", "B2", "cat_07", "category 5", "7.1", "A", "K-12", "P1", "Label_3", "#4"])
def test_a_code_says_nothing(label: str) -> None:
    assert is_code(label)


@pytest.mark.parametrize(
    "label", ["IT", "HR", "billing", "card_arrival", "Tier 2", "2nd level", "Größe", "Windows 11", ""]
)
def test_words_speak_for_themselves(label: str) -> None:
    assert not is_code(label)


def test_a_code_is_described_by_the_words_that_tell_its_tickets_from_the_others() -> None:
    found = proposed_descriptions(history([("3", CARDS), ("B2", LOGINS)]))
    assert set(found["category"]) == {"3", "B2"}
    assert "bank card" in found["category"]["3"]
    assert "password" in found["category"]["B2"]
    for said in found["category"].values():
        assert "hello" not in said
        assert "one" not in said.split(", ")


def test_labels_in_words_get_no_proposal_and_still_tell_codes_apart() -> None:
    found = proposed_descriptions(history([("7", CARDS), ("login", LOGINS)]))
    assert [*found["category"]] == ["7"]
    assert proposed_descriptions(history([("card", CARDS), ("login", LOGINS)])) == {}


def test_a_code_of_which_nothing_is_telling_keeps_itself() -> None:
    assert proposed_descriptions(history([("1", CARDS)])) == {"category": {"1": "1"}}
    assert proposed_descriptions(history([("cat_1", CARDS[:2]), ("cat_2", LOGINS[:2])]))["category"]["cat_1"] == "cat 1"


def test_what_only_one_or_two_tickets_say_is_never_shown() -> None:
    texts = [*CARDS, "Hello, Mrs Winterbottom again", "Mrs Winterbottom here"]
    assert "winterbottom" not in " ".join(telling_words({"1": texts, "2": LOGINS})["1"])


def test_a_large_label_outvotes_no_small_one() -> None:
    words = telling_words({"1": CARDS, "2": [f"{text} {n}" for text in LOGINS for n in range(80)]})
    assert "bank card" in words["1"]
    assert "password" in " ".join(words["2"])


def test_proposals_are_marked_in_the_taxonomy_and_words_are_not() -> None:
    proposed = proposed_descriptions(history([("3", CARDS), ("login", LOGINS)]))
    text = taxonomy_toml({"category": ["3", "login"], "priority": ["normal"], "team": ["everyone"]}, proposed)
    assert text.count("# proposed: please correct") == 1
    labels = Taxonomy.model_validate(tomllib.loads(text)).fields["category"]
    assert labels["3"].description == proposed["category"]["3"]
    assert labels["login"].description == "login"


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from(["1", "2", "A3"]),
        st.lists(st.text(max_size=40), min_size=1, max_size=8),
        min_size=1,
        max_size=3,
    )
)
def test_the_order_of_tickets_changes_nothing(texts: dict[str, list[str]]) -> None:
    words = telling_words(texts)
    assert words == telling_words({label: some[::-1] for label, some in reversed(texts.items())})
    assert all(len(found) <= 5 and len(found) == len(set(found)) for found in words.values())
