"""The rule that nothing answers: by the chance, by a floor on the cosine, and by internal articles that lie nearer."""

import pytest
from small_search import ENCODER, document, search_over

from retrieval.documents import Hit
from retrieval.search import PassageSearch
from triage.cleaning import TicketText
from triage.drafting.handoff import Evidence, no_supporting_article
from triage.drafting.policy import NoSupportingArticle, Policy, Rules
from triage.language import Language

QUERY = "repair the kettle"


@pytest.fixture(scope="module")
def search() -> PassageSearch:
    return search_over(
        [
            document("public", "Mending", "To repair things, see the desk."),
            document("inside", "Kettle", "Repair the kettle.", audience="internal"),
        ]
    )


def hit(search: PassageSearch, id: str) -> Hit:
    (found,) = search.find(QUERY, ENCODER.encode([QUERY])[0], 1, lambda document: document.id == id)
    return found


def said(chance: float | None, hits: tuple[Hit, ...] | None, internal: Hit | None = None, **rule: float) -> str | None:
    text = TicketText("", QUERY, QUERY)
    evidence = Evidence("request", text, Language("en", 1.0), ("en",), {}, hits=hits, internal=internal, chance=chance)
    found = no_supporting_article(evidence, Policy(rules=Rules(no_supporting_article=NoSupportingArticle(**rule))))
    return found and " | ".join(found)


def test_a_low_chance_hands_over_and_says_what_was_nearest(search: PassageSearch) -> None:
    told = said(0.349, (hit(search, "public"),))
    assert told is not None
    assert told.startswith("a chance of 34.9% that a public article answers; nearest: “Mending”")
    assert told.endswith("The chance had been 35% or more")
    assert said(0.35, (hit(search, "public"),)) is None


def test_the_chance_that_is_asked_for_is_the_desks(search: PassageSearch) -> None:
    assert said(0.6, (hit(search, "public"),), min_chance=0.7)
    assert said(0.1, (hit(search, "public"),), min_chance=0.05) is None


def test_a_floor_on_the_cosine_holds_beside_the_chance(search: PassageSearch) -> None:
    public = hit(search, "public")
    told = said(0.9, (public,), min_score=public.dense + 0.01)
    assert told is not None
    assert f"had a similarity of {public.dense + 0.01:.3f}" in told
    assert said(0.9, (public,), min_score=public.dense - 0.01) is None


def test_an_internal_article_that_is_ahead_hands_over_whatever_the_chance(search: PassageSearch) -> None:
    public, inside = hit(search, "public"), hit(search, "inside")
    told = said(0.99, (public,), inside)
    assert told is not None
    assert "an internal article is nearest" in told
    assert "Kettle" not in told
    assert said(0.99, (public,), inside, internal_lead=1.5) is None


def test_nothing_found_hands_over_and_no_search_is_silent() -> None:
    assert said(0.0, ()) is not None
    assert said(None, None) is None


def test_without_a_chance_the_cosine_alone_decides(search: PassageSearch) -> None:
    assert said(None, (hit(search, "public"),)) is None
