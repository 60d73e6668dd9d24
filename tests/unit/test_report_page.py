import re
from collections import Counter
from datetime import UTC, datetime
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from eval.cases import Case
from eval.measure import collect, measure
from eval.metrics.all_metrics import all_metrics
from eval.outcomes import Outcome
from eval.report.write_report import report_page, write_report
from eval.run_record import OUTCOMES, CaseSet, Header, Run, begin, finish
from triage.suggestions import (
    Alternative,
    ArticleHit,
    Draft,
    DraftSentence,
    Handoff,
    HandoffReason,
    Prediction,
    Suggestion,
    Support,
    Versions,
    Why,
)
from triage.tickets import Ticket

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
VERSIONS = Versions(
    engine="1.2.3", encoder="hashing:64", generation="000001", knowledge_revision=0, policy="p", taxonomy="t"
)
EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)> \u202eevil $x ${body} é中"
VOID = {"meta", "wbr", "br", "path", "use"}
SECTIONS = ["figures", "fields", "confusion", "retrieval", "handoff", "latency", "slices", "worst"]


class Page(HTMLParser):
    """Reads a page strictly: every element is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


def hit(name: str, score: float = 0.5) -> ArticleHit:
    why = Why(dense=score, lexical=0, terms=())
    return ArticleHit(article_id=name, revision=1, audience="public", title=f"On {name}", score=score, passage="x",
                      start=0, end=1, why=why)  # fmt: skip


def draft(cited: str, text: str) -> Draft:
    support = (Support(article_id=cited, start=0, end=1, score=1),)
    return Draft(text=text, sentences=(DraftSentence(text=text, role="fact", support=support),), source="articles")


def guess(label: str, confidence: float = 0.8, decided: bool = True) -> Prediction:
    other = Alternative(value=label, confidence=confidence)
    value = label if decided else None
    return Prediction(value=value, confidence=confidence, decided=decided, alternatives=() if decided else (other,))


def suggestion(category: Prediction, **changes: Any) -> Suggestion:
    plain: dict[str, Any] = {
        **{"id": "s", "ticket_id": None, "kind": "request", "kind_evidence": "", "language": "en", "due": None},
        **{"fields": {"category": category}, "disposition": "open", "versions": VERSIONS, "timing_ms": {}},
    }
    return Suggestion(**{**plain, **changes})


def outcome(
    id: str, found: Suggestion | None, body: str = "Where is it?", error: str | None = None, **expect: Any
) -> Outcome:
    return Outcome(Case(id=id, ticket=Ticket(body=body), expect=expect), found, error, 0.02)


def run_of(folder: Path, outcomes: list[Outcome], labels: tuple[str, ...] = ("red", "blue"), desk: str = "toys") -> Run:
    cases = CaseSet(file="cases.jsonl", sha256="0" * 64, n=len(outcomes))
    fields = {"category": dict.fromkeys(labels, 5)}
    header = Header(desk=desk, at=NOW, seed=3, cases=cases, versions=VERSIONS, fields=fields, machine={"cores": 2})
    begin(folder, header)
    (folder / OUTCOMES).write_text("".join(each.as_line() for each in outcomes), encoding="utf-8")
    metrics = all_metrics(fields)
    return finish(folder, header, measure(collect(outcomes, metrics, fields["category"]), metrics, 3))


def mixed() -> list[Outcome]:
    reasons = (HandoffReason(code="low_confidence", severity="low", evidence="e", would_change="w"),)
    handed = {"disposition": "handoff", "handoff": Handoff(reasons=reasons, team=None, summary="s")}
    return [
        outcome("right", suggestion(guess("red")), category="red", handoff=False, kind="request"),
        outcome("sure", suggestion(guess("blue", 0.97)), category="red"),
        outcome("less-sure", suggestion(guess("blue", 0.61, decided=False)), category="red"),
        outcome("handed", suggestion(guess("red"), **handed), category="red", handoff=True),
        outcome("too-careful", suggestion(guess("red"), **handed), handoff=False),
        outcome("missed-plain", suggestion(guess("red")), handoff=True),
        outcome("missed-grave", suggestion(guess("red")), handoff=True, handoff_reasons=["sensitive_topic"]),
        outcome("found", suggestion(guess("red"), articles=(hit("kb-1"), hit("kb-2"))), articles=["kb-2"]),
        outcome("unfound", suggestion(guess("red"), articles=(hit("kb-1", 0.73),)), articles=["kb-9"]),
        outcome(
            "miscited",
            suggestion(guess("red"), disposition="draft", draft=draft("kb-1", "Turn it."), articles=(hit("kb-4"),)),
            articles=["kb-4"],
        ),
        outcome("broken", None, error="ValueError at engine.py:1", category="red", body="b" * 900),
    ]


@pytest.fixture(scope="module")
def mixed_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_of(tmp_path_factory.mktemp("mixed"), mixed())


@pytest.fixture(scope="module")
def mixed_page(mixed_run: Run) -> str:
    return report_page(mixed_run)


def part_of(page: str, section: str) -> str:
    return page[page.index(f'<section id="{section}"') :].split("</section>", 1)[0]


def words_of(page: str, section: str) -> str:
    return Page(part_of(page, section) + "</section>").text


def test_the_page_has_its_sections_in_order_and_says_what_was_run(tmp_path: Path) -> None:
    written = write_report(run_of(tmp_path, mixed()))
    assert written == tmp_path / "report.html"
    page = written.read_text(encoding="utf-8")
    read = Page(page)
    assert re.findall(r'<section id="(\w+)"', page) == SECTIONS
    assert [link.removeprefix("#") for tag, name, link in read.attributes if (tag, name) == ("a", "href")] == SECTIONS
    assert ("html", "lang", "en") in read.attributes
    head = words_of(page, "figures")
    for stated in ("toys", "2026-11-20 10:00 UTC", "hashing:64", "000001", "1.2.3", "seed 3", "cores 2", "cases 11"):
        assert stated in head
    levels = [int(tag[1]) for tag in read.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_figures_stand_with_interval_and_n_and_unscored_is_no_zero(mixed_run: Run, mixed_page: str) -> None:
    head = words_of(mixed_page, "figures")
    accuracy = mixed_run["category.accuracy"]
    assert f"decided or not {accuracy.value:.3f} {accuracy.low:.3f} – {accuracy.high:.3f}, n 5" in head
    assert mixed_run["answerable.auroc"].value is None
    assert "that is not not scored n 0" in head


def test_the_worst_cases_come_worst_first_with_evidence(mixed_page: str) -> None:
    words = words_of(mixed_page, "worst")
    order = ["broken ValueError at engine.py:1", "missed-grave sensitive", "missed-plain came: open",
             "sure category: red → blue at 97%", "less-sure category: red → blue at 61%",
             "unfound expected kb-9; first: kb-1 at 0.730", "miscited expected kb-4; cited kb-1"]  # fmt: skip
    at = [words.index(line) for line in order]
    assert at == sorted(at)
    assert "decided no, left to a person" in words
    assert "On kb-1 0.730" in words
    assert "Turn it." in words
    assert "b" * 600 + "…" in words
    assert "b" * 601 not in words


def test_reasons_are_split_by_need_and_missed_handoffs_named(mixed_page: str) -> None:
    assert "low_confidence 1 1 0" in words_of(mixed_page, "handoff")
    assert "missed-grave sensitive missed-plain" in words_of(mixed_page, "handoff")


def test_confused_pairs_have_count_and_share_of_the_truth(mixed_page: str) -> None:
    assert "red blue 2 0.400" in words_of(mixed_page, "confusion")


def test_search_is_shown_rank_by_rank(mixed_run: Run, mixed_page: str) -> None:
    words = words_of(mixed_page, "retrieval")
    first = mixed_run["retrieval.hit_at_1"]
    assert f"1 0.333 {first.low:.3f} – {first.high:.3f} 2 0.667" in words


def test_text_from_outside_stays_text(tmp_path: Path) -> None:
    found = {"articles": (hit(EVIL),), "disposition": "draft", "draft": draft(EVIL, EVIL), "kind_evidence": EVIL}
    outcomes = [
        outcome(f"{EVIL}{number}", suggestion(guess(f"b{EVIL}"), **found), body=EVIL, category=f"a{EVIL}",
                articles=["kb-1"], handoff=True)
        for number in range(3)
    ] + [outcome("broken", None, error=EVIL, body=EVIL, reply=EVIL)]  # fmt: skip
    page = report_page(run_of(tmp_path, outcomes, labels=(f"a{EVIL}", f"b{EVIL}"), desk=EVIL))
    read = Page(page)
    assert not {"script", "img", "iframe", "link", "object"} & set(read.tags)
    assert not [name for _, name, _ in read.attributes if name.startswith("on")]
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 10
    # Turned text stands in elements that keep its direction to themselves.
    assert f"<bdi>{escape(EVIL)}0</bdi>" in page
    assert f'<pre dir="auto">{escape(EVIL)}</pre>' in page


@pytest.mark.parametrize("outcomes", [mixed(), mixed()[:1]], ids=["mixed", "one"])
def test_the_page_fetches_nothing_and_its_ids_are_its_own(tmp_path: Path, outcomes: list[Outcome]) -> None:
    page = report_page(run_of(tmp_path, outcomes))
    read = Page(page)
    ids = read.values("id")
    assert [id for id, count in Counter(ids).items() if count > 1] == []
    assert not read.values("src")
    assert {link.removeprefix("#") for link in read.values("href")} <= set(ids)
    assert set(re.findall(r"url\(([^)]*)\)", page)) <= {f"#{id}" for id in ids}
    assert "@import" not in page
    assert "http:" not in page
    assert "https:" not in page
    svgs = read.tags.count("svg")
    assert svgs == len([1 for tag, name, value in read.attributes if (tag, name, value) == ("svg", "role", "img")])
    assert svgs == len([1 for tag, name, value in read.attributes if (tag, name) == ("svg", "aria-label") and value])


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    run = run_of(tmp_path, mixed())
    first = write_report(run).read_bytes()
    assert write_report(Run.open(tmp_path)).read_bytes() == first


def test_sections_without_cases_say_so(tmp_path: Path) -> None:
    page = report_page(run_of(tmp_path, [outcome("only", suggestion(guess("red")))]))
    for section, said in {
        "fields": "No case carries the field category.",
        "confusion": "No case carries the field category.",
        "retrieval": "No case carries the articles that answer it.",
        "handoff": "No case carries a reason for a handoff",
        "slices": "No case carries a slice",
        "worst": "No case carries an exception.",
    }.items():
        assert said in words_of(page, section)
        assert "<svg" not in part_of(page, section)
    assert "<svg" in part_of(page, "latency")


def test_a_run_of_exceptions_alone_is_a_report_too(tmp_path: Path) -> None:
    outcomes = [
        outcome(f"c{number}", None, error="KeyError", category="red", articles=["kb-1"], handoff=True)
        for number in range(12)
    ]
    page = report_page(run_of(tmp_path, outcomes))
    Page(page)
    assert "No case carries the field category and a suggestion" in words_of(page, "fields")
    assert "No case carries a suggestion" in words_of(page, "latency")
    assert "The worst 8 of 12." in words_of(page, "worst")
    assert "12 needed a person" in words_of(page, "handoff")


def test_a_slice_below_the_whole_is_marked(tmp_path: Path) -> None:
    outcomes = [
        Outcome(
            Case(
                id=str(number),
                ticket=Ticket(body="x", channel="chat" if number < 30 else "email"),
                expect={"category": "red"},
            ),
            suggestion(guess("blue" if number < 25 else "red")),
        )
        for number in range(200)
    ]
    words = words_of(report_page(run_of(tmp_path, outcomes)), "slices")
    assert "channel=chat ▼ worse 0.167" in words
    assert words.count("▼") == 1
