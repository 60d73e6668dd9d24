from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from triage.suggestions import (
    Alternative,
    ArticleHit,
    Draft,
    DraftSentence,
    Due,
    Factor,
    Handoff,
    HandoffReason,
    Prediction,
    SimilarTicket,
    Suggestion,
    Support,
    Versions,
    Why,
    percent,
)

OTHERS = (Alternative(value="vat", confidence=0.2), Alternative(value="stock", confidence=0.1))
DECIDED = Prediction(value="till", confidence=0.7, decided=True, alternatives=OTHERS)
OPEN = Prediction(value=None, confidence=0.2, decided=False, alternatives=OTHERS)


@pytest.mark.parametrize(
    ("confidence", "said"),
    [(0.41, "41%"), (0.934, "93%"), (0.99, "99%"), (0.9901, "over 99%"), (0.996, "over 99%"), (1.0, "over 99%")],
)
def test_no_confidence_is_said_to_be_certain(confidence: float, said: str) -> None:
    assert percent(confidence) == said


def test_best_is_the_value_or_the_first_alternative() -> None:
    assert (DECIDED.best, OPEN.best) == ("till", "vat")


@pytest.mark.parametrize(("label", "chance"), [("till", 0.7), ("vat", 0.2), ("stock", 0.1), ("other", 0.0)])
def test_the_chance_of_a_label_is_found_wherever_it_is_listed(label: str, chance: float) -> None:
    assert DECIDED.chance_of(label) == chance
    assert OPEN.chance_of(label) == (0.0 if label == "till" else chance)


@pytest.mark.parametrize("confidence", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_confidence_that_is_no_chance_is_refused(confidence: float) -> None:
    with pytest.raises(ValidationError, match="confidence"):
        Prediction(value="till", confidence=confidence, decided=True)


def whole() -> Suggestion:
    support = Support(article_id="kb-1", start=3, end=9, score=1.0)
    return Suggestion(
        id="S-1",
        ticket_id=None,
        kind="request",
        kind_evidence="nothing says otherwise",
        language="en",
        fields={
            "category": DECIDED,
            "team": OPEN.model_copy(update={"factors": (Factor(name="r", effect="= x", evidence="y"),)}),
        },
        due=Due(respond_by=datetime(2026, 11, 20, 10, tzinfo=UTC), resolve_by=datetime(2026, 11, 21, 10, tzinfo=UTC)),
        disposition="draft",
        articles=(
            ArticleHit(
                article_id="kb-1",
                revision=2,
                audience="public",
                title="Tills – “new”",
                score=0.7,
                passage="Café\nopen",
                start=0,
                end=9,
                why=Why(dense=0.6, lexical=4.1, terms=("till",)),
            ),
        ),
        similar=(
            SimilarTicket(ticket_id="H-1", score=0.9, reply="Done.", why=Why(dense=0.9, lexical=2.0, terms=("till",))),
        ),
        draft=Draft(
            text="x",
            sentences=(DraftSentence(text="x", role="fact", support=(support,)),),
            source="articles",
            warnings=("w",),
        ),
        handoff=Handoff(
            reasons=(HandoffReason(code="c", severity="high", evidence="e", would_change="w"),),
            team="books",
            summary="s",
        ),
        versions=Versions(
            engine="0.1.0", encoder="hashing:256", generation="000001", knowledge_revision=0, policy="p", taxonomy="t"
        ),
        timing_ms={"classify": 1.25},
    )


def test_a_suggestion_comes_back_whole_from_json() -> None:
    suggestion = whole()
    assert Suggestion.model_validate_json(suggestion.model_dump_json()) == suggestion
    assert Suggestion.model_validate(suggestion.model_dump(mode="json")) == suggestion


def test_a_suggestion_says_its_version_and_is_frozen() -> None:
    suggestion = whole()
    assert suggestion.model_dump(mode="json")["version"] == 1
    with pytest.raises(ValidationError, match="frozen"):
        suggestion.disposition = "open"


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Suggestion.model_validate(whole().model_dump() | {"send_now": True})
