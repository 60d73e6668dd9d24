"""The life of an article over HTTP: drafts, publishing, versions, who may see and change it (T2)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from two_desks import LATER, NOW, TwoDesks, two_desks

from serve.security.keys import new_key

WORDS = "Zebra crossings are painted on wombat Wednesdays."
ARTICLE = {"title": "Zebra crossings", "markdown": WORDS, "audience": "public", "status": "published"}
QUERY = {"query": "on which days are zebra crossings painted, wombat Wednesdays?", "limit": 50}


@pytest.fixture(scope="module")
def desks(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoDesks]:
    with two_desks(project, tmp_path_factory.mktemp("articles")) as made:
        yield made


def key_with(desks: TwoDesks, *scopes: str) -> str:
    key = new_key()
    desks.services.keys.add(key, "demo", scopes, NOW, LATER)
    return key


def found(desks: TwoDesks, **more: object) -> list[str]:
    desks.services.desks["demo"].refresh()
    return [hit["passage"] for hit in desks.call("demo", "POST", "/v1/search", QUERY | more).json()["hits"]]


def test_an_article_is_put_read_changed_and_taken_away(desks: TwoDesks) -> None:
    path = "/v1/articles/zebra-1"
    made = desks.call("demo", "PUT", path, ARTICLE)
    assert (made.status_code, made.headers["ETag"], made.json()["published"]) == (201, '"1"', 1)
    assert WORDS in found(desks)
    changed = desks.call("demo", "PUT", path, ARTICLE | {"markdown": "On wombat Fridays."})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"2"')
    assert "On wombat Fridays." in found(desks)
    assert WORDS not in found(desks)
    assert desks.call("demo", "GET", f"{path}?version=1").json()["markdown"] == WORDS
    assert desks.call("demo", "DELETE", path).status_code == 204
    assert desks.call("demo", "GET", path).status_code == 404
    assert desks.call("demo", "DELETE", path).status_code == 404
    assert "On wombat Fridays." not in found(desks)


def test_a_draft_is_never_found_until_it_is_published(desks: TwoDesks) -> None:
    path = "/v1/articles/zebra-2"
    assert desks.call("demo", "PUT", path, ARTICLE | {"status": "draft"}).json()["published"] is None
    assert WORDS not in found(desks, audience="internal")
    ticket = {"subject": "Zebra crossings", "body": QUERY["query"]}
    made = desks.call("demo", "POST", "/v1/suggestions", ticket).json()
    assert "zebra-2" not in [hit["article_id"] for hit in made["articles"]]
    desks.call("demo", "PUT", path, ARTICLE)
    assert WORDS in found(desks)
    again = desks.call("demo", "POST", "/v1/suggestions", ticket).json()
    assert again["articles"][0]["article_id"] == "zebra-2"
    assert again["versions"]["knowledge_revision"] > made["versions"]["knowledge_revision"]


def test_who_may_not_publish_leaves_what_is_published_as_it_is(desks: TwoDesks) -> None:
    path, writer = "/v1/articles/zebra-3", key_with(desks, "knowledge:write", "knowledge:read")
    desks.call("demo", "PUT", path, ARTICLE)
    assert desks.call("demo", "PUT", path, ARTICLE | {"markdown": "Never."}, writer).status_code == 403
    assert desks.call("demo", "DELETE", path, key=writer).status_code == 403
    draft = desks.call("demo", "PUT", path, ARTICLE | {"markdown": "Never.", "status": "draft"}, writer).json()
    assert (draft["version"], draft["published"]) == (2, 1)
    assert WORDS in found(desks)
    assert "Never." not in found(desks)


def test_internal_articles_take_the_scope_internal(desks: TwoDesks) -> None:
    path, reader = "/v1/articles/zebra-4", key_with(desks, "knowledge:read", "knowledge:write", "knowledge:publish")
    desks.call("demo", "PUT", path, ARTICLE | {"audience": "internal", "markdown": "For wombats only."})
    assert desks.call("demo", "GET", path, key=reader).status_code == 404
    assert desks.call("demo", "DELETE", path, key=reader).status_code == 404
    assert desks.call("demo", "PUT", path, ARTICLE, reader).status_code == 403
    assert "For wombats only." not in desks.call("demo", "GET", "/v1/articles?limit=200", key=reader).text
    assert "For wombats only." in desks.call("demo", "GET", "/v1/articles?limit=200").text
    assert "For wombats only." in found(desks, audience="internal")
    assert "For wombats only." not in found(desks)


def test_whoever_was_slower_is_told(desks: TwoDesks) -> None:
    path, key = "/v1/articles/zebra-5", desks.keys["demo"]
    etag = desks.call("demo", "PUT", path, ARTICLE).headers["ETag"]
    headers = {"Authorization": f"Bearer {key}", "If-Match": etag}
    assert desks.client.put(path, json=ARTICLE, headers=headers).status_code == 200
    late = desks.client.put(path, json=ARTICLE, headers=headers)
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert desks.client.delete(path, headers=headers).status_code == 412


def test_what_is_not_there_has_no_version_to_match(desks: TwoDesks) -> None:
    path, key = "/v1/articles/zebra-7", desks.keys["demo"]
    for tag in ("*", '"1"'):
        answer = desks.client.put(path, json=ARTICLE, headers={"Authorization": f"Bearer {key}", "If-Match": tag})
        assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert desks.call("demo", "GET", path).status_code == 404


def test_an_article_that_was_taken_away_is_made_anew(desks: TwoDesks) -> None:
    path = "/v1/articles/zebra-8"
    desks.call("demo", "PUT", path, ARTICLE)
    desks.call("demo", "DELETE", path)
    again = desks.call("demo", "PUT", path, ARTICLE | {"status": "draft"})
    assert (again.status_code, again.headers["ETag"], again.json()["published"]) == (201, '"2"', None)
    desks.services.desks["demo"].refresh()
    assert "zebra-8" not in desks.call("demo", "POST", "/v1/search", QUERY).text


def test_what_was_made_internal_is_so_in_its_public_versions_too(desks: TwoDesks) -> None:
    path, reader = "/v1/articles/zebra-9", key_with(desks, "knowledge:read")
    desks.call("demo", "PUT", path, ARTICLE)
    assert desks.call("demo", "GET", f"{path}?version=1", key=reader).status_code == 200
    desks.call("demo", "PUT", path, ARTICLE | {"audience": "internal"})
    for query in ("", "?version=1", "?version=2", "?version=3"):
        assert desks.call("demo", "GET", path + query, key=reader).status_code == 404
    assert desks.call("demo", "GET", f"{path}?version=1").status_code == 200


def test_a_suggestion_goes_on_naming_what_is_published_beside_a_draft(desks: TwoDesks) -> None:
    path, words = "/v1/articles/zebra-10", "Lanterns are lit at the lagoon on numbat nights."
    desks.call("demo", "PUT", path, ARTICLE | {"title": "Lanterns", "markdown": words})
    desks.call("demo", "PUT", path, ARTICLE | {"title": "Lanterns", "markdown": "Never lit.", "status": "draft"})
    desks.services.desks["demo"].refresh()
    ticket = {"subject": "Lanterns", "body": "When are lanterns lit at the lagoon, on numbat nights?"}
    made = desks.call("demo", "POST", "/v1/suggestions", ticket)
    named = next(hit for hit in made.json()["articles"] if hit["article_id"] == "zebra-10")
    assert (named["revision"], named["passage"]) == (1, words)
    assert "Never lit." not in made.text
    assert desks.call("demo", "GET", path).json()["markdown"] == "Never lit."


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"markdown": "   "}, "markdown: the article has no text"),
        ({"markdown": "<div>" * 3_000}, "markdown: "),
        ({"markdown": ""}, "markdown: the article has no text"),
        ({"title": ""}, "title: "),
        ({"title": " \t "}, "title: "),
        ({"status": "archived"}, "status: "),
        ({"locale": "English"}, "locale: "),
        ({"audience": "everybody"}, "audience: "),
        ({"colour": "red"}, "colour: unknown key"),
    ],
)
def test_what_is_no_article_is_refused(desks: TwoDesks, change: dict[str, str], told: str) -> None:
    answer = desks.call("demo", "PUT", "/v1/articles/zebra-6", ARTICLE | change)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert told in answer.json()["detail"]
    assert desks.call("demo", "GET", "/v1/articles/zebra-6").status_code == 404


def test_what_is_no_id_of_an_article_is_refused(desks: TwoDesks) -> None:
    for id in (".hidden", "a b", "x" * 65, "ü"):
        assert desks.call("demo", "PUT", f"/v1/articles/{id}", ARTICLE).status_code == 422


def walk(desks: TwoDesks, size: int, key: str | None = None) -> list[str]:
    """The ids of a list read page by page; all pages but the last are full."""
    ids: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = desks.call("demo", "GET", f"/v1/articles?limit={size}&cursor={cursor}", key=key).json()
        ids += [article["id"] for article in page["items"]]
        cursor = page["next"]
        assert len(page["items"]) == size or cursor is None
        assert cursor in (None, ids[-1])
    return ids


def test_a_list_is_read_page_by_page(desks: TwoDesks) -> None:
    for number in range(8):
        inside = ARTICLE | {"audience": "internal", "markdown": f"For wombats {number}."}
        desks.call("demo", "PUT", f"/v1/articles/inside-{number}", inside)
    ids = walk(desks, 7)
    assert ids == sorted(set(ids)) == walk(desks, len(ids)) == walk(desks, 200)
    assert len(ids) > 40
    public = walk(desks, 3, key_with(desks, "knowledge:read"))
    assert public == [
        id for id in ids if desks.call("demo", "GET", f"/v1/articles/{id}").json()["audience"] == "public"
    ]
    assert 0 < len(public) <= len(ids) - 8
