"""What a desk's days add up to: acceptance, errors, reasons, times. Pure; every share has its interval and its n."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median, quantiles

from serve.storage.insight_store import Decision, Observed, Opinion, TicketLife

#: Standard deviations of a 95 % interval.
Z = 1.959964
#: Fewer cases are not enough to tell.
ENOUGH = 5
#: The same person about the same category within this time has come again.
AGAIN = timedelta(days=14)
NO_ARTICLE = "no_supporting_article"


@dataclass(frozen=True)
class Share:
    """A share of n cases with Wilson's 95 % interval (1927); value, low, high are 0 to 1, None where n is 0."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    @property
    def is_enough(self) -> bool:
        """Whether there are cases enough to tell."""
        return self.n >= ENOUGH


Cell = str | int | float | Share | None


@dataclass(frozen=True)
class Table:
    """A table. name: by which it is asked for; columns: names of their texts; rows: a cell for each column."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Period:
    """Some days until a moment, and as many before."""

    until: datetime
    days: int

    @property
    def since(self) -> datetime:
        """When it begins."""
        return self.until - timedelta(days=self.days)

    @property
    def before(self) -> datetime:
        """When the period before begins."""
        return self.since - timedelta(days=self.days)

    def holds(self, at: datetime | None) -> bool:
        """Tell whether a moment lies in it."""
        return at is not None and self.since <= at <= self.until

    def bins(self) -> list[tuple[datetime, datetime]]:
        """Return its days, or its weeks where there are more than 31 days."""
        step = timedelta(days=1 if self.days <= 31 else 7)
        starts = [self.since + step * number for number in range(math.ceil(timedelta(days=self.days) / step))]
        return [(start, min(start + step, self.until)) for start in starts]


def share(count: int, n: int) -> Share:
    """Return count of n as a share."""
    if not n:
        return Share(None, None, None, 0)
    p, z2 = count / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Share(p, max(0.0, min(p, middle - half)), min(1.0, max(p, middle + half)), n)


def newest_opinions(seen: Observed, period: Period) -> list[tuple[Opinion, Decision]]:
    """Return the newest word on each draft of a period, with what it was said of; what had no draft is left out."""
    by_id = {one.id: one for one in seen.decisions}
    newest = {one.suggestion_id: one for one in seen.opinions if period.holds(one.at)}
    pairs = ((one, by_id.get(id)) for id, one in newest.items())
    return [(one, made) for one, made in pairs if made is not None and made.facts["source"] is not None]


def acceptance(seen: Observed, period: Period, by: str) -> Table:
    """Return how drafts fared. by: `all`, `category`, `article` or `version`."""
    groups: dict[str, list[str]] = defaultdict(list)
    keys: Mapping[str, Callable[[Decision], Iterable[str]]] = {
        "all": lambda made: ("",),
        "category": lambda made: (str(made.facts["fields"].get("category", {}).get("best", "–")),),
        "article": lambda made: (str(cited[0]) for cited in made.facts["cited"]),
        "version": lambda made: (f"{made.facts['generation']}",),
    }
    for one, made in newest_opinions(seen, period):
        for key in keys[by](made):
            groups[key].append(one.verdict)
    rows = tuple(
        (key, share(len(said) - said.count("rejected"), len(said)), share(said.count("accepted"), len(said)))
        for key, said in sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    )
    return Table(f"acceptance_by_{by}", (by, "used", "unchanged"), rows)


def edits(seen: Observed, period: Period) -> Table:
    """Return which sorts of edit there were, as shares of the drafts that were sent."""
    sent = [one for one, _ in newest_opinions(seen, period) if one.verdict != "rejected"]
    counts = Counter(kind for one in sent for kind in one.kinds)
    return Table("edits", ("edit", "share"), tuple((kind, share(n, len(sent))) for kind, n in counts.most_common()))


def rejections(seen: Observed, period: Period) -> Table:
    """Return why drafts were rejected."""
    said = [one for one, _ in newest_opinions(seen, period) if one.verdict == "rejected"]
    counts = Counter((one.reason or "other").split(":")[0] for one in said)
    return Table(
        "rejections", ("rejection", "share"), tuple((why, share(n, len(said))) for why, n in counts.most_common())
    )


def effort(seen: Observed, period: Period) -> Table:
    """Return what drafts save: share of words that were kept, and seconds to a decision; medians."""
    said = [one for one, _ in newest_opinions(seen, period)]
    kept = [one.kept for one in said if one.kept is not None and one.verdict != "rejected"]
    took = [one.seconds for one in said if one.seconds is not None]
    return Table(
        "effort",
        ("measure", "median", "ninth", "n"),
        (("kept_words", *_spread(kept), len(kept)), ("seconds", *_spread(took), len(took))),
    )


def field_table(seen: Observed, period: Period, field: str) -> Table:
    """Return a field over time: how often it was decided, and how often that was wrong.

    Wrong is what a person set otherwise. Only tickets that a person has looked at are asked: one on which somebody gave
    a verdict or set a value.
    """
    by_hand = {one.id: one.by_hand for one in seen.tickets}
    looked_at = {one.suggestion_id: one.fields for one in seen.opinions}
    rows = []
    for start, end in period.bins():
        made = [one for one in seen.decisions if start <= one.at < end and field in one.facts["fields"]]
        decided = [one for one in made if one.facts["fields"][field]["value"] is not None]
        judged = [one for one in decided if one.id in looked_at or by_hand.get(one.ticket_id or "")]
        wrong = 0
        for one in judged:
            told = {**by_hand.get(one.ticket_id or "", {}), **looked_at.get(one.id, {})}
            wrong += told.get(field, one.facts["fields"][field]["value"]) != one.facts["fields"][field]["value"]
        rows.append((f"{start:%Y-%m-%d}", share(len(decided), len(made)), share(wrong, len(judged))))
    return Table(f"field_{field}", ("from", "decided", "wrong"), tuple(rows))


def reasons(seen: Observed, period: Period) -> Table:
    """Return which rules handed tickets over, as shares of all suggestions."""
    made = [one for one in seen.decisions if period.holds(one.at)]
    counts = Counter(code for one in made for code in one.facts["reasons"])
    return Table("reasons", ("reason", "share"), tuple((code, share(n, len(made))) for code, n in counts.most_common()))


def times(seen: Observed, period: Period) -> Table:
    """Return hours to the first reply and to the solution, of tickets opened in the period; medians and 90 %."""
    opened = [one for one in seen.tickets if period.holds(one.wrote_at)]
    first = [_hours(one.first_reply_at, one) for one in opened if one.first_reply_at]
    solved = [_hours(one.resolved_at, one) for one in opened if one.resolved_at]
    return Table(
        "times",
        ("measure", "median", "ninth", "n"),
        (("first_reply", *_spread(first), len(first)), ("resolution", *_spread(solved), len(solved))),
    )


def service(seen: Observed, period: Period) -> Table:
    """Return shares of tickets opened in the period: replies and solutions in time, solved at once, come again.

    What is not due yet counts for nothing. Solved at once: resolved, with one suggestion or none. Come again: the same
    person about the same category within 14 days before.
    """
    opened = [one for one in seen.tickets if period.holds(one.wrote_at)]
    made = Counter(one.ticket_id for one in seen.decisions)
    solved = [one for one in opened if one.resolved_at]
    known = [one for one in opened if one.requester and one.category]
    again = sum(any(_came_before(one, other) for other in mine) for one, mine in _by_requester(seen, known))
    return Table(
        "service",
        ("measure", "share"),
        (
            ("respond_in_time", _in_time(opened, period, lambda one: (one.first_reply_at, one.respond_by))),
            ("resolve_in_time", _in_time(opened, period, lambda one: (one.resolved_at, one.resolve_by))),
            ("first_contact", share(sum(made[one.id] <= 1 for one in solved), len(solved))),
            ("repeat_contact", share(again, len(known))),
        ),
    )


def backlog(seen: Observed, period: Period) -> Table:
    """Return how many tickets were open at the end of each day or week, and how many came and were solved."""
    rows = []
    for start, end in period.bins():
        waiting = sum(
            one.wrote_at < end and (one.resolved_at is None or one.resolved_at >= end) for one in seen.tickets
        )
        came = sum(start <= one.wrote_at < end for one in seen.tickets)
        done = sum(one.resolved_at is not None and start <= one.resolved_at < end for one in seen.tickets)
        rows.append((f"{start:%Y-%m-%d}", waiting, came, done))
    return Table("backlog", ("from", "open", "came", "solved"), tuple(rows))


def volume(seen: Observed, period: Period) -> Table:
    """Return tickets by category, beside the period before; the change is a share of that."""
    now = Counter(one.category or "–" for one in seen.tickets if period.holds(one.wrote_at))
    then = Counter(one.category or "–" for one in seen.tickets if period.before <= one.wrote_at < period.since)
    rows = [
        (name, now[name], then[name], round((now[name] - then[name]) / then[name], 3) if then[name] else None)
        for name in sorted(now | then, key=lambda name: (-now[name], name))
    ]
    return Table("volume", ("category", "now", "before", "change"), tuple(rows))


def articles(seen: Observed, period: Period, published: Mapping[str, str]) -> Table:
    """Return what became of each article's drafts; published: titles by id, those that no draft cited last."""
    cited = Counter(
        str(id) for one in seen.decisions if period.holds(one.at) for id, _ in one.facts["cited"]
    )  # fmt: skip
    fared: dict[str, Counter[str]] = defaultdict(Counter)
    for one, made in newest_opinions(seen, period):
        for id, _ in made.facts["cited"]:
            fared[str(id)][one.verdict] += 1
    ids = sorted({*published, *cited}, key=lambda id: (-fared[id]["rejected"], -cited[id], id))
    verdicts = ("accepted", "edited", "rejected")
    rows: list[tuple[Cell, ...]] = []
    for id in ids:
        rows.append((id, published.get(id, "–"), cited[id], *(fared[id][verdict] for verdict in verdicts)))
    return Table("articles", ("article", "title", "cited", "accepted", "edited", "rejected"), tuple(rows))


def without_article(seen: Observed, period: Period) -> list[str]:
    """Return the ids of the suggestions that no article answered, newest first."""
    found = [one for one in seen.decisions if period.holds(one.at) and NO_ARTICLE in one.facts["reasons"]]
    return [one.id for one in reversed(found)]


def _spread(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Return the median, and what nine of ten stay below."""
    if len(values) < ENOUGH:
        return None, None
    return round(median(values), 2), round(quantiles(values, n=10, method="inclusive")[-1], 2)


def _hours(at: datetime | None, one: TicketLife) -> float:
    return max(0.0, (at - one.wrote_at).total_seconds() / 3600) if at else 0.0


def _in_time(
    opened: Sequence[TicketLife],
    period: Period,
    of: Callable[[TicketLife], tuple[datetime | None, datetime | None]],
) -> Share:
    """Return the share that was done by its time, of those that were done or are overdue."""
    pairs = [(done, due) for done, due in map(of, opened) if due is not None and (done or due <= period.until)]
    return share(sum(done is not None and done <= due for done, due in pairs), len(pairs))


def _by_requester(seen: Observed, known: Sequence[TicketLife]) -> Iterable[tuple[TicketLife, list[TicketLife]]]:
    theirs: dict[str, list[TicketLife]] = defaultdict(list)
    for one in seen.tickets:
        theirs[one.requester].append(one)
    return ((one, theirs[one.requester]) for one in known)


def _came_before(one: TicketLife, other: TicketLife) -> bool:
    same = other.id != one.id and other.category == one.category
    return same and timedelta() <= one.wrote_at - other.wrote_at <= AGAIN
