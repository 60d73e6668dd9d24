"""Help centres' exports: what each of their keys becomes, and that nothing is shown to customers by a guess."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from retrieval.article_folder import ArticlesRead, ReadChoices, read_source
from retrieval.article_records import Unstated
from retrieval.documents import Document
from retrieval.help_center import VENDORS, vendor_of

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
HTML = "<p>Press <b>Reset</b>.</p><ol><li>Wait</li><li>Look</li></ol>"
TEXT = "Press Reset.\n1. Wait\n2. Look\n"

ZENDESK: dict[str, Any] = {
    "id": 360001,
    "title": "Reset the till",
    "body": HTML,
    "locale": "en-us",
    "source_locale": "en-us",
    "draft": False,
    "label_names": ["till", "reset"],
    "section_id": 7,
    "author_id": 42,
    "edited_at": "2026-03-01T09:00:00Z",
    "updated_at": "2026-04-01T09:00:00Z",
    "user_segment_id": None,
}
FRESHDESK: dict[str, Any] = {
    "id": 51,
    "title": "Reset the till",
    "description": HTML,
    "description_text": "Press Reset. Wait Look",
    "status": 2,
    "type": 1,
    "folder_id": 9,
    "agent_id": 42,
    "tags": ["till"],
    "updated_at": "2026-03-01T09:00:00Z",
    "hierarchy": [{"level": 0, "type": "category", "data": {"id": 1, "name": "Tills", "language": "de"}}],
}
INTERCOM: dict[str, Any] = {
    "type": "article",
    "id": "6871118",
    "workspace_id": "w",
    "title": "Reset the till",
    "description": "For shops",
    "body": HTML,
    "author_id": 42,
    "state": "published",
    "updated_at": 1772355600,
    "default_locale": "en",
}
ANSWER: dict[str, Any] = {
    "id": 3,
    "category_id": 1,
    "published_at": "2026-03-01T09:00:00.000Z",
    "internal_at": None,
    "archived_at": None,
    "updated_at": "2026-03-01T09:00:00.000Z",
    "published_by_id": 42,
    "translation_ids": [5],
    "tags": ["till"],
}


def bundle(answer: dict[str, Any], category: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "id": 3,
        "assets": {
            "KnowledgeBase": {"1": {"id": 1, "active": True}},
            "KnowledgeBaseCategory": {"1": {"id": 1, "knowledge_base_id": 1, **(category or {})}},
            "KnowledgeBaseLocale": {"1": {"id": 1, "system_locale_id": 8}},
            "Locale": {"8": {"id": 8, "locale": "en-us"}},
            "KnowledgeBaseAnswer": {"3": answer},
            "KnowledgeBaseAnswerTranslation": {
                "5": {"id": 5, "title": "Reset the till", "kb_locale_id": 1, "answer_id": 3, "content_id": 6}
            },
            "KnowledgeBaseAnswerTranslationContent": {"6": {"id": 6, "body": HTML}},
        },
    }


def read(folder: Path, *values: object, unstated: Unstated | None = None) -> ArticlesRead:
    path = folder / "export.jsonl"
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values), encoding="utf-8")
    return read_source(path, ReadChoices(NOW, unstated or Unstated()))


def only(folder: Path, *values: object, unstated: Unstated | None = None) -> Document:
    found = read(folder, *values, unstated=unstated)
    assert not found.refusals
    (document,) = found.documents
    return document


def said(document: Document) -> tuple[str, str]:
    return document.audience, document.status


def test_zendesk(tmp_path: Path) -> None:
    document = only(tmp_path, {"count": 1, "articles": [ZENDESK]})
    assert (document.id, document.title, document.text) == ("360001", "Reset the till", TEXT)
    assert said(document) == ("public", "published")
    assert (document.locale, document.updated, document.owner) == ("en-us", "2026-03-01", "42")
    assert document.tags == ("till", "reset")


@pytest.mark.parametrize(
    ("change", "audience", "status"),
    [
        ({"user_segment_id": 5}, "internal", "published"),
        ({"user_segment_id": None, "user_segment_ids": [5]}, "internal", "published"),
        ({"user_segment_id": None, "user_segment_ids": []}, "public", "published"),
        ({"user_segment_id": ""}, "internal", "published"),
        ({"draft": True}, "public", "draft"),
        ({"draft": "perhaps"}, "public", "draft"),
        ({"draft": None}, "public", "draft"),
    ],
)
def test_zendesk_shows_only_what_everybody_may_see(
    tmp_path: Path, change: dict[str, Any], audience: str, status: str
) -> None:
    assert said(only(tmp_path, ZENDESK | change)) == (audience, status)


def test_zendesk_without_a_word_on_it_is_internal_and_a_draft(tmp_path: Path) -> None:
    silent = {key: value for key, value in ZENDESK.items() if key not in ("user_segment_id", "draft")}
    assert said(only(tmp_path, silent)) == ("internal", "draft")
    assert said(only(tmp_path, silent, unstated=Unstated("public", "published"))) == ("public", "published")


def test_zendesk_translations_are_articles_of_their_own(tmp_path: Path) -> None:
    german = {"locale": "de", "title": "Kasse", "body": "<p>Warten</p>", "draft": True}
    found = read(tmp_path, ZENDESK | {"translations": [german, {"locale": "en-us", "title": "x", "body": "y"}]})
    assert [(one.id, one.locale, one.status) for one in found.documents] == [
        ("360001", "en-us", "published"),
        ("360001-de", "de", "draft"),
    ]


def test_freshdesk_goes_by_its_folder(tmp_path: Path) -> None:
    document = only(tmp_path, {"id": 9, "name": "Tills", "visibility": 1}, FRESHDESK)
    assert (document.id, document.text, document.locale, document.owner) == ("51", TEXT, "de", "42")
    assert (said(document), document.updated, document.tags) == (("public", "published"), "2026-03-01", ("till",))


@pytest.mark.parametrize(
    ("change", "audience", "status"),
    [
        ({}, "internal", "published"),
        ({"status": 1}, "internal", "draft"),
        ({"status": 3}, "internal", "draft"),
        ({"status": None}, "internal", "draft"),
        ({"folder": {"visibility": 1}}, "public", "published"),
        ({"folder_visibility": 1}, "public", "published"),
        *(({"folder_visibility": visibility}, "internal", "published") for visibility in range(2, 9)),
    ],
)
def test_freshdesk_shows_only_what_all_users_may_see(
    tmp_path: Path, change: dict[str, Any], audience: str, status: str
) -> None:
    assert said(only(tmp_path, FRESHDESK | change)) == (audience, status)


def test_intercom(tmp_path: Path) -> None:
    document = only(tmp_path, {"type": "list", "data": [INTERCOM]})
    assert (document.id, document.text) == ("6871118", f"For shops\n{TEXT}")
    assert said(document) == ("public", "published")
    assert (document.locale, document.updated, document.owner) == ("en", "2026-03-01", "42")


@pytest.mark.parametrize(
    ("change", "audience", "status"),
    [
        ({"state": "draft"}, "public", "draft"),
        ({"state": "reviewed"}, "public", "draft"),
        ({"type": "internal_article"}, "internal", "published"),
        ({"type": None}, "internal", "published"),
        ({"content_segment_ids": [4]}, "internal", "published"),
    ],
)
def test_intercom_shows_only_articles_of_the_help_center(
    tmp_path: Path, change: dict[str, Any], audience: str, status: str
) -> None:
    assert said(only(tmp_path, INTERCOM | change)) == (audience, status)


def test_intercom_translations(tmp_path: Path) -> None:
    french = {"type": "article_content", "title": "Caisse", "body": "<p>Attendez</p>", "state": "draft"}
    own = {"type": "article_content", "title": "Reset", "body": HTML, "state": "published"}
    translated = {"type": "article_translated_content", "fr": french, "en": own, "de": None}
    found = read(tmp_path, INTERCOM | {"translated_content": translated})
    assert [(one.id, one.locale, *said(one)) for one in found.documents] == [
        ("6871118", "en", "public", "published"),
        ("6871118-fr", "fr", "public", "draft"),
    ]


def test_zammad_assets(tmp_path: Path) -> None:
    document = only(tmp_path, bundle(ANSWER))
    assert (document.id, document.title, document.text) == ("3-en-us", "Reset the till", TEXT)
    assert (said(document), document.locale, document.owner) == (("public", "published"), "en-us", "42")


def test_zammad_answers_with_their_translations(tmp_path: Path) -> None:
    texts = [
        {"locale": "de", "title": "Kasse", "content": {"body": HTML}},
        {"locale": "en", "title": "Till", "body": HTML},
    ]
    found = read(tmp_path, ANSWER | {"translations": texts})
    assert [(one.id, one.title, *said(one)) for one in found.documents] == [
        ("3-de", "Kasse", "public", "published"),
        ("3-en", "Till", "public", "published"),
    ]


@pytest.mark.parametrize(
    ("change", "audience", "status"),
    [
        ({"published_at": None}, "internal", "draft"),
        ({"published_at": None, "internal_at": "2026-03-01T09:00:00Z"}, "internal", "published"),
        ({"published_at": "2027-01-01T00:00:00Z"}, "internal", "draft"),
        ({"published_at": "soon"}, "internal", "draft"),
        ({"archived_at": "2026-04-01T09:00:00Z"}, "internal", "draft"),
        ({"archived_at": "some time"}, "internal", "draft"),
        ({"archived_at": "2027-01-01T00:00:00Z"}, "public", "published"),
    ],
)
def test_zammad_goes_by_the_times(tmp_path: Path, change: dict[str, Any], audience: str, status: str) -> None:
    assert said(only(tmp_path, bundle(ANSWER | change))) == (audience, status)


def test_zammad_categories_with_permissions_are_not_for_everybody(tmp_path: Path) -> None:
    closed = {"permissions_effective": [{"role_id": 1, "access": "reader"}]}
    assert said(only(tmp_path, bundle(ANSWER, closed))) == ("internal", "published")


def test_zammad_without_contents_is_refused_and_told_where_to_get_them(tmp_path: Path) -> None:
    without = bundle(ANSWER)
    del without["assets"]["KnowledgeBaseAnswerTranslationContent"]
    (refusal,) = read(tmp_path, without).refusals
    assert "the article has no body; export it with its text (Zammad: https://docs.zammad.org/" in str(refusal)


@pytest.mark.parametrize(
    ("record", "name"),
    [(ZENDESK, "Zendesk"), (FRESHDESK, "Freshdesk"), (INTERCOM, "Intercom"), ({"id": "a", "body": "b"}, "Firstline")],
)
def test_a_record_is_known_by_its_keys(record: dict[str, Any], name: str) -> None:
    assert vendor_of(record).name == name
    assert all(vendor.source.startswith("https://") for vendor in VENDORS)


@pytest.mark.parametrize(
    ("keys", "audience", "status"),
    [
        ({}, "internal", "draft"),
        ({"audience": "Public", "status": "published"}, "public", "published"),
        ({"audience": "customers", "status": "live"}, "internal", "draft"),
        ({"audience": "public", "status": "archived"}, "internal", "draft"),
        ({"audience": "public", "status": "published", "archived": True}, "internal", "draft"),
    ],
)
def test_own_records_are_shown_only_where_they_say_so(
    tmp_path: Path, keys: dict[str, Any], audience: str, status: str
) -> None:
    assert said(only(tmp_path, {"id": "a", "title": "T", "text": "Words.", **keys})) == (audience, status)


def test_a_body_may_be_markdown_html_or_plain(tmp_path: Path) -> None:
    bodies = [{"markdown": "**a** *b*"}, {"html": "<p>a b</p>"}, {"body": "<p>a b</p>"}, {"text": "a *b* <c"}]
    found = read(tmp_path, *({"id": f"n{n}", "title": "T", **body} for n, body in enumerate(bodies)))
    assert [document.text for document in found.documents] == ["a b\n", "a b\n", "a b\n", "a *b* <c\n"]


def test_csv_of_a_help_center(tmp_path: Path) -> None:
    out = io.StringIO(newline="")
    keys = [key for key in FRESHDESK if key not in ("hierarchy", "type")]
    csv.writer(out).writerows([[*keys, "folder_visibility"], [*(FRESHDESK[key] for key in keys), "1"]])
    path = tmp_path / "export.csv"
    path.write_bytes(out.getvalue().encode("utf-8-sig"))
    (document,) = read_source(path, ReadChoices(NOW)).documents
    assert (said(document), document.text) == (("public", "published"), TEXT)


def test_hostile_values_stay_text(tmp_path: Path) -> None:
    record = ZENDESK | {
        "id": "../../etc/passwd",
        "title": "a\ud800\x00b\n---\nstatus: published",
        "body": "<script>alert(1)</script><p onclick=x>Words \x00\ud800</p><a href='javascript:x'>y</a>",
        "label_names": {"a": [1]},
        "updated_at": 10**30,
        "edited_at": "x",
        "author_id": ["z"],
    }
    document = only(tmp_path, record)
    assert document.id.startswith("etc-passwd-")
    assert document.title == "a?b --- status: published"
    assert document.text == "Words ?\ny\n"
    assert (document.tags, document.updated, document.owner) == ((), "", "")
