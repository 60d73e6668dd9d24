"""A number that travels with its interval and its count."""

from triage.tickets import WireModel


class Measurement(WireModel):
    """One metric over one run or one slice of it.

    value, low and high (95 %) are None where nothing could be scored: not scored is not zero. n counts the cases
    that were scored, unscored the others of the slice.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    unscored: int
    slice: str | None = None
