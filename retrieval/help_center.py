"""Articles as help centres hand them out: which of their keys says what, and who may read an article.

`VENDORS` is the whole of what is known of each, to be checked against the page that `source` names. Where an export
does not say that everybody may read an article, that stays open here (None), and nothing open is shown to customers.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from retrieval.documents import Audience, Status

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a record is judged by besides itself: the time, and the visibility of Freshdesk's folders by id."""

    now: datetime
    folders: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Vendor:
    """Where one kind of export keeps things.

    marks: a record that has all keys of one of these is of this kind. html, markdown, either: the keys that may hold
    the body, and what it is written in; the first one that is there counts, as with all keys here. translations: the
    same article in other languages.
    """

    name: str
    source: str
    marks: tuple[frozenset[str], ...]
    audience: Callable[[Record, Surroundings], Audience | None]
    status: Callable[[Record, Surroundings], Status | None]
    locale: tuple[str, ...]
    updated: tuple[str, ...]
    owner: tuple[str, ...]
    tags: tuple[str, ...]
    html: tuple[str, ...] = ()
    markdown: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    description: tuple[str, ...] = ()
    translations: Callable[[Record], Iterator[Record]] = lambda record: iter(())


def flag(value: object) -> bool | None:
    """Return true or false where a value says so, as JSON or as a cell of a table."""
    return {"true": True, "false": False}.get(str(value).casefold())


def zendesk_audience(record: Record, _around: Surroundings) -> Audience | None:
    """`user_segment_id` null, or `user_segment_ids` [], is everybody; a missing key says nothing."""
    said = [record[key] for key in ("user_segment_id", "user_segment_ids") if key in record]
    if not said or "" in said:
        return None
    return "public" if all(value is None or value == [] for value in said) else "internal"


def zendesk_status(record: Record, _around: Surroundings) -> Status | None:
    """`draft` is true or false."""
    draft = flag(record.get("draft"))
    return None if draft is None else ("draft" if draft else "published")


def zendesk_translations(record: Record) -> Iterator[Record]:
    """`translations` (side-loaded) hold locale, title, body and draft of each language."""
    for translation in as_records(record.get("translations")):
        locale = translation.get("locale")
        if locale and locale != record.get("locale"):
            own = {key: translation.get(key) for key in ("title", "body", "draft", "locale")}
            yield {**record, "translations": [], **own, "id": f"{record.get('id')}-{locale}"}


def freshdesk_audience(record: Record, around: Surroundings) -> Audience | None:
    """The folder decides: `visibility` 1 is all users; 2 to 7 are parts of them, or agents."""
    folder = record.get("folder")
    said = record.get("folder_visibility", folder.get("visibility") if isinstance(folder, Mapping) else None)
    if said is None:
        said = around.folders.get(str(record.get("folder_id")))
    return None if said in (None, "") else ("public" if str(said) == "1" else "internal")


def freshdesk_status(record: Record, _around: Surroundings) -> Status | None:
    """`status` 1 is a draft, 2 is published."""
    return _status({"1": "draft", "2": "published"}, record.get("status"))


def intercom_audience(record: Record, _around: Surroundings) -> Audience | None:
    """`type` is "article" for the help centre and "internal_article" for the team; segments narrow it down."""
    kind = record.get("type")
    if kind == "internal_article" or record.get("content_segment_ids"):
        return "internal"
    return "public" if kind in ("article", "article_content") else None


def intercom_status(record: Record, _around: Surroundings) -> Status | None:
    """`state` is published or draft."""
    return _status({"published": "published", "draft": "draft"}, record.get("state"))


def intercom_translations(record: Record) -> Iterator[Record]:
    """`translated_content` holds an `article_content` by language; the default language is the article itself."""
    translated = record.get("translated_content")
    for locale, content in translated.items() if isinstance(translated, Mapping) else ():
        if isinstance(content, Mapping) and content.get("body") and locale != record.get("default_locale"):
            kept = {key: record.get(key) for key in ("content_segment_ids", "tags")}
            yield {**kept, **content, "locale": locale, "id": f"{record.get('id')}-{locale}"}


def zammad_audience(record: Record, around: Surroundings) -> Audience | None:
    """Published and not archived is everybody's, unless the category or the whole knowledge base is closed."""
    public = _passed(record, "published_at", around) and not _passed(record, "archived_at", around)
    return "public" if public and not record.get("restricted") else "internal"


def zammad_status(record: Record, around: Surroundings) -> Status | None:
    """`published_at` or `internal_at` has passed, and `archived_at` has not."""
    shown = any(_passed(record, key, around) for key in ("published_at", "internal_at"))
    return "published" if shown and not _passed(record, "archived_at", around) else "draft"


def zammad_translations(record: Record) -> Iterator[Record]:
    """`translations` hold locale, title and `content.body` of each language."""
    for number, translation in enumerate(as_records(record.get("translations")), 1):
        content = translation.get("content")
        body = content.get("body") if isinstance(content, Mapping) else translation.get("body")
        locale = translation.get("locale") or ""
        own = {"title": translation.get("title"), "body": body, "locale": locale}
        yield {**record, "translations": [], **own, "id": f"{record.get('id')}-{locale or number}"}


def own_audience(record: Record, _around: Surroundings) -> Audience | None:
    """`audience` is public; anything else that is said is not."""
    said = str(record.get("audience") or "").strip().casefold()
    if archived(record):
        return "internal"
    return None if not said else ("public" if said == "public" else "internal")


def own_status(record: Record, _around: Surroundings) -> Status | None:
    """`status` is published; anything else that is said is not."""
    said = str(record.get("status") or "").strip().casefold()
    if archived(record):
        return "draft"
    return None if not said else ("published" if said == "published" else "draft")


def archived(record: Record) -> bool:
    """Tell whether an article was put away."""
    return flag(record.get("archived")) is True or str(record.get("status")).strip().casefold() == "archived"


VENDORS = (
    Vendor(
        name="Zammad",
        source="https://docs.zammad.org/en/latest/api/knowledgebase/answers.html",
        marks=tuple(frozenset(("translations", key)) for key in ("published_at", "internal_at", "archived_at")),
        audience=zammad_audience,
        status=zammad_status,
        html=("body",),
        locale=("locale",),
        updated=("updated_at",),
        owner=("published_by_id", "internal_by_id", "updated_by_id"),
        tags=("tags",),
        translations=zammad_translations,
    ),
    Vendor(
        name="Zendesk",
        source="https://developer.zendesk.com/api-reference/help_center/help-center-api/articles/",
        marks=tuple(
            frozenset(("body", key)) for key in ("section_id", "label_names", "user_segment_id", "permission_group_id")
        ),
        audience=zendesk_audience,
        status=zendesk_status,
        html=("body",),
        locale=("locale", "source_locale"),
        updated=("edited_at", "updated_at"),
        owner=("author_id",),
        tags=("label_names",),
        translations=zendesk_translations,
    ),
    Vendor(
        name="Freshdesk",
        source="https://developers.freshdesk.com/api/#solution_article_attributes",
        marks=(frozenset(("description", "description_text")), frozenset(("description", "folder_id"))),
        audience=freshdesk_audience,
        status=freshdesk_status,
        html=("description",),
        locale=("language",),
        updated=("updated_at", "modified_at"),
        owner=("agent_id",),
        tags=("tags",),
    ),
    Vendor(
        name="Intercom",
        source="https://developers.intercom.com/docs/references/rest-api/api.intercom.io/articles/article",
        marks=(frozenset(("body", "state")), frozenset(("body", "author_id", "workspace_id"))),
        audience=intercom_audience,
        status=intercom_status,
        html=("body",),
        locale=("locale", "default_locale"),
        updated=("updated_at",),
        owner=("author_id", "owner_id"),
        tags=("tags",),
        description=("description",),
        translations=intercom_translations,
    ),
)

#: The keys of Firstline's own exports, with names that others use for the same things.
OWN = Vendor(
    name="Firstline",
    source="docs/knowledge.md",
    marks=(),
    audience=own_audience,
    status=own_status,
    markdown=("markdown",),
    html=("html", "body_html"),
    either=("body", "text", "contents", "content"),
    locale=("locale", "language"),
    updated=("updated", "updated_at"),
    owner=("owner", "author"),
    tags=("tags", "labels"),
    description=("description",),
)


def vendor_of(record: Record) -> Vendor:
    """Return the kind of export that a record is from, by its keys."""
    if "markdown" in record or "html" in record:
        return OWN
    return next((vendor for vendor in VENDORS if any(mark <= record.keys() for mark in vendor.marks)), OWN)


def records_in(value: object) -> Iterator[Record]:
    """Yield the records in what an export holds: a list, a page of an API, an asset bundle, or one record.

    What is no record is yielded as it is, for the caller to refuse.
    """
    if isinstance(value, list):
        for entry in value:
            yield from records_in(entry)
    elif not isinstance(value, Mapping):
        yield {"": value}
    elif isinstance(bundle := value.get("assets", value), Mapping) and "KnowledgeBaseAnswer" in bundle:
        yield from zammad_answers(bundle)
    elif pages := [value[key] for key in ("folders", "articles", "data") if isinstance(value.get(key), list)]:
        for page in pages:
            yield from records_in(page)
    elif isinstance(value.get("article"), Mapping):
        yield value["article"]
    else:
        yield value


def is_folder(record: Record) -> bool:
    """Tell whether a record is one of Freshdesk's folders."""
    return "visibility" in record and "name" in record and "title" not in record


def zammad_answers(bundle: Record) -> Iterator[Record]:
    """Yield the answers of Zammad's asset bundle with their translations in them."""
    contents, categories = (
        _assets(bundle, "KnowledgeBaseAnswerTranslationContent"),
        _assets(bundle, "KnowledgeBaseCategory"),
    )
    locales, names = _assets(bundle, "KnowledgeBaseLocale"), _assets(bundle, "Locale")
    translations: dict[str, list[Record]] = {}
    for translation in _assets(bundle, "KnowledgeBaseAnswerTranslation").values():
        system = str(locales.get(str(translation.get("kb_locale_id")), {}).get("system_locale_id"))
        content = contents.get(str(translation.get("content_id", translation.get("id"))), {})
        found = {**translation, "locale": names.get(system, {}).get("locale"), "content": content}
        translations.setdefault(str(translation.get("answer_id")), []).append(found)
    for number, answer in _assets(bundle, "KnowledgeBaseAnswer").items():
        category = categories.get(str(answer.get("category_id")), {})
        base = _assets(bundle, "KnowledgeBase").get(str(category.get("knowledge_base_id")), {})
        restricted = bool(category.get("permissions_effective")) or base.get("active") is False
        own = {"translations": translations.get(number, []), "restricted": restricted, "published_at": None}
        yield {**own, **answer, **{key: own[key] for key in ("translations", "restricted")}}


def as_records(value: object) -> list[Record]:
    """Return the objects in a list, or none where it is no list."""
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _assets(bundle: Record, name: str) -> dict[str, Record]:
    held = bundle.get(name)
    items = held.items() if isinstance(held, Mapping) else ()
    return {str(number): asset for number, asset in items if isinstance(asset, Mapping)}


def _status(names: Mapping[str, Status], said: object) -> Status | None:
    return None if said in (None, "") else names.get(str(said), "draft")


def _passed(record: Record, key: str, around: Surroundings) -> bool:
    """Tell whether a time has come; one that cannot be read has not, unless it would put an article away."""
    said = record.get(key)
    if not said:
        return False
    try:
        time = datetime.fromisoformat(str(said))
    except ValueError:
        return key == "archived_at"
    return time.replace(tzinfo=time.tzinfo or around.now.tzinfo) <= around.now
