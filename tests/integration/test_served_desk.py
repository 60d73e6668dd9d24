"""A desk as a process serves it: the folder adopted, edits live, generations swapped, compacted, and looked back at."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import build_desk
from eval_builders import without_wording

from models.protocols import TextEncoder
from retrieval.articles import Article
from serve.compactor import Compactor
from serve.follower import Follower
from serve.served_desk import DeskPlace, ServedDesk, adopt_folder
from serve.storage.article_store import ArticleStore, Change
from serve.storage.database import Database
from serve.storage.leases import Leases
from triage.errors import GenerationError
from triage.history import NoHistory
from triage.tickets import Ticket

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ME = Change("key-1", NOW)
#: Words that no article of the demo desk holds.
ODD = Article("kb-new", "Zebra crossings", "Zebra crossings are painted on quokka Tuesdays.", "public", "published")


@dataclass(frozen=True)
class Place:
    desk: Path
    var: Path
    store: ArticleStore

    def served(self) -> ServedDesk:
        adopt_folder(self.desk, "demo", self.store, NOW)
        return ServedDesk(
            DeskPlace(self.desk, self.var, self.store, lambda _, opened: opened(), lambda desk, encoder: NoHistory())
        )

    def put(self, served: ServedDesk, article: Article) -> int:
        encoded = served.encoded(article) if article.status == "published" else None
        return self.store.put("demo", article, encoded, ME).latest


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, project: Path) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("served")
    shutil.copytree(project / "desks" / "demo", root / "desk")
    settings = root / "desk" / "desk.toml"
    settings.write_text(settings.read_text().replace('encoder = "all-MiniLM-L6-v2"', 'encoder = "hashing"'))
    build_desk(without_wording(root / "desk"), root / "var")
    return root / "desk", root / "var"


@pytest.fixture
def place(built: tuple[Path, Path], tmp_path: Path) -> Iterator[Place]:
    desk, var = (Path(shutil.copytree(one, tmp_path / one.name)) for one in built)
    database = Database.open(f"sqlite:///{tmp_path / 'firstline.db'}")
    yield Place(desk, var, ArticleStore(database))
    database.close()


def found(served: ServedDesk, query: str) -> list[str]:
    return [hit.article_id for hit in served.engine.find_articles(query, 5, True)]


def test_a_folder_that_is_as_it_was_built_changes_nothing(place: Place) -> None:
    served = place.served()
    assert served.engine.versions.knowledge_revision == 1
    assert served.live.snapshot.changed == 0
    assert not served.refresh()


def test_a_file_that_changed_since_the_build_is_served_as_it_is_now(place: Place) -> None:
    (place.desk / "articles" / "new.md").write_text(
        "---\nid: kb-new\ntitle: Zebra crossings\naudience: public\nstatus: published\n---\n\nQuokka Tuesdays.\n"
    )
    removed = sorted((place.desk / "articles").glob("*.md"))[0]
    removed_id = removed.read_text().split("id: ")[1].split("\n")[0]
    removed.unlink()
    served = place.served()
    assert "kb-new" in found(served, "quokka tuesdays")
    assert removed_id not in served.engine.search.documents


def test_an_edit_shows_and_what_is_deleted_is_gone(place: Place) -> None:
    served = place.served()
    place.put(served, ODD)
    assert "kb-new" not in found(served, "quokka tuesdays")
    assert served.refresh()
    assert found(served, "quokka tuesdays")[0] == "kb-new"
    assert served.engine.versions.knowledge_revision == 2
    place.store.delete("demo", "kb-new", ME)
    assert served.refresh()
    assert "kb-new" not in found(served, "quokka tuesdays")


def test_a_draft_is_never_found(place: Place) -> None:
    served = place.served()
    place.put(served, replace(ODD, status="draft"))
    served.refresh()
    assert "kb-new" not in found(served, "quokka tuesdays")


def test_a_request_keeps_what_it_began_with(place: Place) -> None:
    served = place.served()
    place.put(served, ODD)
    served.refresh()
    engine = served.engine
    place.store.delete("demo", "kb-new", ME)
    served.refresh()
    assert [hit.article_id for hit in engine.find_articles("quokka tuesdays", 1, True)] == ["kb-new"]
    assert "kb-new" not in found(served, "quokka tuesdays")


def test_a_new_process_serves_the_edits(place: Place) -> None:
    place.put(place.served(), ODD)
    assert found(place.served(), "quokka tuesdays")[0] == "kb-new"


def test_a_generation_with_the_edits_is_taken_up_and_edits_outlive_a_rollback(place: Place) -> None:
    served = place.served()
    place.put(served, ODD)
    served.refresh()
    made = served.compacted(NOW)
    assert (made.name, made.manifest["knowledge_revision"]) == ("000002", 2)
    assert served.refresh()
    assert served.engine.versions.generation == "000002"
    assert served.live.snapshot.changed == 0
    assert found(served, "quokka tuesdays")[0] == "kb-new"
    place.store.delete("demo", "kb-new", ME)
    served._generations.roll_back("000001")
    assert served.refresh()
    assert served.engine.versions.generation == "000001"
    assert "kb-new" not in found(served, "quokka tuesdays")
    place.put(served, ODD)
    served.refresh()
    assert found(served, "quokka tuesdays")[0] == "kb-new"


def test_a_compacted_generation_finds_what_the_live_one_found(place: Place) -> None:
    served = place.served()
    place.put(served, ODD)
    served.refresh()
    queries = ("quokka tuesdays", "move to a new phone", "refund for a payment", "printer does not print receipts")
    before = [served.engine.find_articles(query, 5, True) for query in queries]
    served.compacted(NOW)
    served.refresh()
    after = [served.engine.find_articles(query, 5, True) for query in queries]
    assert [[hit.article_id for hit in hits] for hits in after] == [[hit.article_id for hit in hits] for hits in before]


def test_a_generation_that_is_damaged_is_refused_and_the_old_one_serves(place: Place) -> None:
    served = place.served()
    made = served.compacted(NOW)
    (made.folder / "articles.faiss").write_bytes(b"damaged")
    assert not served.refuses_current
    served.refresh()
    served.refresh()
    assert served.engine.versions.generation == "000001"
    assert served.refuses_current
    served._generations.roll_back("000001")
    served.refresh()
    assert served.engine.versions.generation == "000001"
    assert not served.refuses_current


def test_a_sound_generation_in_the_place_of_a_refused_one_is_taken_up(place: Place) -> None:
    served = place.served()
    made = served.compacted(NOW)
    (made.folder / "articles.faiss").write_bytes(b"damaged")
    served.refresh()
    assert not served.serves_current
    served._generations.roll_back("000001")
    shutil.rmtree(made.folder)
    assert served.compacted(NOW).name == made.name
    served.refresh()
    assert served.engine.versions.generation == made.name
    assert served.serves_current


def test_a_desk_is_not_compacted_again_and_again_beside_a_refused_generation(place: Place) -> None:
    served, now = place.served(), [NOW]
    for number in range(30):
        place.put(served, replace(ODD, id=f"kb-new-{number}"))
    served.refresh()
    made = served.compacted(NOW)
    (made.folder / "articles.faiss").write_bytes(b"damaged")
    served.refresh()
    mine = Compactor(Leases(place.store._database), "me", lambda: now[0])
    mine.look_at(served)
    mine.stop()
    assert served._generations.names() == ["000001", "000002"]
    assert not mine._running


def test_what_could_not_be_compacted_is_tried_again_after_a_pause(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, now, tries = place.served(), [NOW], []
    for number in range(30):
        place.put(served, replace(ODD, id=f"kb-new-{number}"))
    served.refresh()

    def fail(moment: datetime) -> None:
        tries.append(moment)
        raise OSError

    monkeypatch.setattr(served, "compacted", fail)
    mine = Compactor(Leases(place.store._database), "me", lambda: now[0])
    for minutes in (0, 0, 0.5, 1, 1.5, 2):
        now[0] = NOW + timedelta(minutes=minutes)
        mine.look_at(served)
        mine.stop()
    assert [(moment - NOW).total_seconds() for moment in tries] == [0, 60, 120]


def test_a_new_generation_opens_no_encoder_that_is_known(place: Place) -> None:
    opened: list[str] = []

    def share(identity: str, open_it: Callable[[], TextEncoder]) -> TextEncoder:
        opened.append(identity)
        return known if len(opened) > 1 else open_it()

    served = ServedDesk(DeskPlace(place.desk, place.var, place.store, share, lambda desk, encoder: NoHistory()))
    known = served.engine.encoder
    served.compacted(NOW)
    served.refresh()
    assert served.engine.versions.generation == "000002"
    assert served.engine.encoder is known
    assert len(set(opened)) == 1 < len(opened)


def test_of_two_processes_one_compacts(place: Place) -> None:
    served = place.served()
    for number in range(30):
        place.put(served, replace(ODD, id=f"kb-new-{number}"))
    served.refresh()
    assert served.live.needs_compaction
    leases = Leases(place.store._database)
    assert leases.take("demo", "another", NOW, NOW - NOW.replace(year=2025))
    mine = Compactor(leases, "me", lambda: NOW)
    mine.look_at(served)
    assert served._generations.names() == ["000001"]
    leases.give_back("demo", "another")
    mine.look_at(served)
    mine.stop()
    assert served._generations.names() == ["000001", "000002"]
    served.refresh()
    assert not served.live.needs_compaction


def test_a_thread_follows_within_a_second(place: Place) -> None:
    from time import monotonic, sleep

    served = place.served()
    follower = Follower([served])
    follower.start()
    try:
        place.put(served, ODD)
        began = monotonic()
        while "kb-new" not in served.engine.search.documents and monotonic() < began + 10:
            sleep(0.01)
        assert found(served, "quokka tuesdays")[0] == "kb-new"
    finally:
        follower.stop()


def test_an_earlier_moment_can_be_asked_again(place: Place) -> None:
    served = place.served()
    ticket = Ticket(subject="Zebra crossings", body="On which days are zebra crossings painted, quokka Tuesdays?")
    place.put(served, ODD)
    served.refresh()
    before = served.engine.suggest(ticket, "s", NOW)
    place.put(served, replace(ODD, markdown="On Fridays."))
    served.compacted(NOW)
    served.refresh()
    assert served.engine.versions.knowledge_revision == 3
    again = served.engine_at("000001", 2).suggest(ticket, "s", NOW)
    assert again.model_dump(exclude={"timing_ms"}) == before.model_dump(exclude={"timing_ms"})
    with pytest.raises(GenerationError, match="000007 of desk demo is no longer there"):
        served.engine_at("000007", 2)


def test_vectors_are_stored_with_what_they_are_of(place: Place) -> None:
    served = place.served()
    place.put(served, ODD)
    article = place.store.get("demo", "kb-new")
    assert article is not None
    encoder = served.engine.encoder
    assert place.store.vectors("demo", article.article, encoder.identity, encoder.dimension) is not None


def test_a_build_of_a_served_desk_reads_the_database(place: Place) -> None:
    served = place.served()
    place.put(served, ODD)
    database = str(place.store._database._engine.url)
    command = [sys.executable, "-m", "firstline", "build", str(place.desk), "--var", str(place.var)]
    done = subprocess.run([*command, "--database", database], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "the articles are those of the database, at revision 2" in " ".join(done.stderr.split())
    assert served.refresh()
    assert (served.engine.versions.generation, served.engine.versions.knowledge_revision) == ("000002", 2)
    assert served.live.snapshot.changed == 0
    assert found(served, "quokka tuesdays")[0] == "kb-new"


def test_a_build_from_the_folder_takes_no_edit_back(place: Place) -> None:
    served = place.served()
    place.put(served, ODD)
    build_desk(place.desk, place.var)
    assert served.refresh()
    assert served.engine.versions.generation == "000002"
    assert found(served, "quokka tuesdays")[0] == "kb-new"
