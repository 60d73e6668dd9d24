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


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"markdown": "   "}, "markdown: the article has no text"),
        ({"markdown": "<div>" * 3_000}, "markdown: "),
        ({"title": ""}, "title: "),
        ({"audience": "everybody"}, "audience: "),
        ({"colour": "red"}, "colour: unknown key"),
    ],
)
def test_what_is_no_article_is_refused(desks: TwoDesks, change: dict[str, str], told: str) -> None:
    answer = desks.call("demo", "PUT", "/v1/articles/zebra-6", ARTICLE | change)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert told in answer.json()["detail"]
    assert desks.call("demo", "GET", "/v1/articles/zebra-6").status_code == 404


def test_a_list_is_read_page_by_page(desks: TwoDesks) -> None:
    ids, cursor = [], ""
    while cursor is not None:
        page = desks.call("demo", "GET", f"/v1/articles?limit=7&cursor={cursor}").json()
        ids += [article["id"] for article in page["items"]]
        cursor = page["next"]
    assert ids == sorted(set(ids))
    assert len(ids) > 40
