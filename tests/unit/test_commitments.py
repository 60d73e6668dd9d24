"""What a draft must not promise on its own."""

import pytest

from triage.drafting.commitments import ungranted


@pytest.mark.parametrize(
    ("sentence", "source", "found"),
    [
        ("We will refund the payment.", "Payments are taken on the 1st.", ("refund", "we will")),
        ("You get your money back.", "Approved refunds go to your card.", ()),
        ("We'll refund the difference.", "We don't refund the difference.", ("refund",)),
        ("We do not refund part months.", "We do not refund part months.", ()),
        ("We do not refund part months.", "Payments are taken on the 1st.", ()),
        ("We'll ring you back today.", "Ring us on weekdays.", ("callback", "deadline", "we will")),
        ("It is done by the next working day.", "It is done within 5 working days.", ("deadline",)),
        ("We guarantee that it works.", "It usually works.", ("guarantee",)),
        ("You get a credit of £10.", "Billing may grant a credit.", ()),
        ("We will look into it.", "Write to us with the number.", ("we will",)),
        ("We will look into it.", "We look into every report.", ()),
        ("Open Settings.", "Open Settings.", ()),
    ],
)
def test_a_promise_must_be_made_by_the_source(sentence: str, source: str, found: tuple[str, ...]) -> None:
    assert ungranted(sentence, source) == found
