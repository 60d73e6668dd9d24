"""Entity tags: who has seen which version."""

import pytest

from serve.errors import InvalidRequest, PreconditionFailed
from serve.etags import NOTHING, check_if_match, etag, unchanged, version_of


def test_a_tag_comes_back_as_the_version_that_it_was_given_for() -> None:
    assert [version_of(etag(version)) for version in (0, 1, 3, 999_999_999)] == [0, 1, 3, 999_999_999]


@pytest.mark.parametrize("header", [None, "*", " * ", '"3"', ' "3" ', 'W/"3"'])
def test_a_change_of_the_version_that_was_seen_goes_through(header: str | None) -> None:
    check_if_match(header, 3)


@pytest.mark.parametrize("header", ['"2"', '"4"', 'W/"33"', '"0"'])
def test_a_change_of_another_version_is_refused_with_both_numbers(header: str) -> None:
    with pytest.raises(PreconditionFailed, match=rf"at version 3, not {header.strip('W/')[1:-1]};"):
        check_if_match(header, 3)


@pytest.mark.parametrize(
    "header",
    ["", "3", '"3', '""', '"-3"', '"3", "4"', '"3.0"', '"٣"', '"1234567890"', 'w/"3"', '"3"x', '"' + "9" * 9_999],
)
def test_a_tag_that_nobody_gave_is_told_as_such(header: str) -> None:
    with pytest.raises(InvalidRequest, match="not an ETag of this service"):
        check_if_match(header, 3)


def test_what_must_not_be_there_yet_is_version_nought() -> None:
    assert version_of(None, "*") == NOTHING
    assert version_of('"3"', " * ") == NOTHING
    with pytest.raises(InvalidRequest, match=r"only \* can be asked for"):
        version_of(None, '"3"')


@pytest.mark.parametrize("header", ['"3"', 'W/"3"', '"1", "3"', '"abc","3" , "x"', "*", " *"])
def test_a_reader_that_has_the_version_needs_no_body(header: str) -> None:
    assert unchanged(header, 3)


@pytest.mark.parametrize("header", [None, "", "3", '"2"', '"33"', '"3', '"abc"', '"1", "2"', '" 3"'])
def test_a_reader_that_has_none_or_another_gets_the_body(header: str | None) -> None:
    assert not unchanged(header, 3)
