"""Fine-tuning helps or says that it did not, goes on after a kill, and leaves a folder that can be loaded."""

import json
import os
import pickle
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_encoder import make_tiny_encoder

from models.artifact_files import sha256_of_file
from models.encoder_folders import EncoderFolder, find_encoder_folder
from models.finetune import finetune
from models.finetune_checkpoints import HASHES, WorkFolder
from models.finetune_data import MIN_ROWS, FineTuneError, FineTuneSettings, LabelledRows, fingerprint, split_rows
from models.finetune_measure import ridge_accuracy
from models.finetune_objectives import SLICE, OneRowPerLabel, in_slices, partners
from models.finetune_trainer import load_encoder

TOPICS = {
    "billing": ("invoice", "refund", "payment", "card", "money", "amount"),
    "login": ("password", "account", "sign", "log", "locked", "link"),
    "delivery": ("parcel", "courier", "tracking", "delivery", "neighbour", "arrived"),
    "bugs": ("app", "crashes", "error", "printer", "report", "update"),
}
FILLERS = ("please", "the", "my", "is", "wrong", "want", "help", "when", "how", "do", "it", "has", "for", "not", "you")
QUICK = FineTuneSettings(
    objective="classification", epochs=3, batch_size=16, learning_rate=1e-2, held_out_share=0.25, device="cpu"
)
#: So small that nothing changes.
STILL = replace(QUICK, learning_rate=1e-12)


def made_up_desk(rows_per_label: int = 30, seed: int = 0) -> LabelledRows:
    """Each text holds one word that tells its label, among words that do not."""
    draw = random.Random(seed)
    rows: dict[str, str] = {}
    for label, words in TOPICS.items():
        while list(rows.values()).count(label) < rows_per_label:
            text = [*draw.sample(FILLERS, 3), draw.choice(words)]
            draw.shuffle(text)
            rows[" ".join(text)] = label
    return LabelledRows(tuple(rows), tuple(rows.values()))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """These matrices are so small that threads only wait for each other."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> EncoderFolder:
    return find_encoder_folder(str(make_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny")))


class Killed(BaseException):
    """Nothing in the code expects it, so it ends a run as a kill does."""


def kill_at(step: str, done: int) -> Callable[[str, int, int], None]:
    def progress(name: str, now: int, total: int) -> None:
        if (name, now) == (step, done):
            raise Killed

    return progress


@pytest.mark.parametrize(
    "settings", [QUICK, replace(QUICK, objective="contrastive", epochs=2)], ids=lambda settings: settings.objective
)
def test_tuning_raises_the_held_out_accuracy_and_leaves_a_folder(
    base: EncoderFolder, tmp_path: Path, settings: FineTuneSettings, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[str, int, int]] = []
    rows, out = made_up_desk(), tmp_path / "tuned"
    report = finetune(base, rows, out, settings, lambda *call: seen.append(call), clock=iter([10.0, 12.5]).__next__)

    assert report.improved
    assert report.after >= report.before + 0.1
    assert (report.folder, report.epochs, report.seconds, report.resumed) == (out, settings.epochs, 2.5, False)
    assert (report.rows, report.labels, report.device, report.notes) == (88, 4, "cpu-fp32", ())
    steps = [(done, total) for step, done, total in seen if step == "fine-tune"]
    assert steps == [(done, steps[-1][1]) for done in range(1, steps[-1][1] + 1)]
    assert list(tmp_path.iterdir()) == [out]
    assert capfd.readouterr() == ("", "")

    found = find_encoder_folder(str(out))
    assert found.weights_sha256 == report.weights_sha256 != base.weights_sha256
    vectors = load_vectors(out, list(rows.texts[:3]))
    assert (vectors.shape, vectors.dtype) == ((3, 32), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert {path.name for path in out.rglob("*") if path.suffix in (".bin", ".pt", ".pth", ".md")} == set()


def load_vectors(folder: Path, texts: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    return np.asarray(SentenceTransformer(str(folder), device="cpu", local_files_only=True).encode(texts))


def test_texts_are_cut_shorter_for_the_training_alone(base: EncoderFolder, tmp_path: Path) -> None:
    finetune(base, made_up_desk(), tmp_path / "tuned", replace(QUICK, max_tokens=8))
    long = "please refund the payment " * 4
    vectors = load_vectors(tmp_path / "tuned", [long, long + "parcel", "parcel " * 70, "parcel " * 90])
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3  # 17 tokens are read
    np.testing.assert_allclose(vectors[2], vectors[3], atol=1e-6)  # and no more than the encoder's own 64
    assert (tmp_path / "tuned" / "tokenizer.json").read_text() == (base.path / "tokenizer.json").read_text()


def test_the_card_says_what_was_done(base: EncoderFolder, tmp_path: Path) -> None:
    rows = made_up_desk()
    report = finetune(base, rows, tmp_path / "tuned", QUICK)
    card = json.loads((tmp_path / "tuned" / "firstline.json").read_text(encoding="utf-8"))
    assert card["base"] == {"name": "tiny", "weights_sha256": base.weights_sha256}
    assert card["weights_sha256"] == sha256_of_file(tmp_path / "tuned" / "model.safetensors")
    assert card["fingerprint"] == fingerprint(base.weights_sha256, rows, QUICK)
    assert card["settings"]["objective"] == "classification"
    assert (card["rows"], card["labels"], card["epochs"]) == (88, sorted(TOPICS), 3)
    assert (card["before"], card["after"], card["improved"]) == (report.before, report.after, True)
    assert tuple(card["held_out"]) == report.held_out
    assert (card["device"], card["precision"], card["resumed"]) == ("cpu", "fp32", False)
    assert set(card["versions"]) == {"accelerate", "sentence-transformers", "torch", "transformers"}
    assert not any(text in json.dumps(card) for text in rows.texts)


def test_the_accuracies_are_those_of_the_two_folders(base: EncoderFolder, tmp_path: Path) -> None:
    """Measured again from outside: the untuned and the published folder give what the report says."""
    rows = made_up_desk()
    report = finetune(base, rows, tmp_path / "tuned", QUICK)
    known = rows.pick(row for row in range(len(rows.texts)) if row not in report.held_out)
    unseen = rows.pick(report.held_out)
    for folder, expected in ((base.path, report.before), (tmp_path / "tuned", report.after)):
        vectors = [load_vectors(folder, list(part.texts)) for part in (known, unseen)]
        assert ridge_accuracy(vectors[0], known.labels, vectors[1], unseen.labels) == expected


def test_the_same_seed_gives_the_same_weights_and_the_process_keeps_its_own_randomness(
    base: EncoderFolder, tmp_path: Path
) -> None:
    random.seed(5)
    expected = random.random()
    random.seed(5)
    first = finetune(base, made_up_desk(), tmp_path / "one", QUICK)
    assert random.random() == expected
    again = finetune(base, made_up_desk(), tmp_path / "two", QUICK)
    other = finetune(base, made_up_desk(), tmp_path / "three", replace(QUICK, seed=1))
    assert first.weights_sha256 == again.weights_sha256 != other.weights_sha256


def test_a_finished_run_is_not_repeated_and_another_one_replaces_it(base: EncoderFolder, tmp_path: Path) -> None:
    out = tmp_path / "tuned"
    first = finetune(base, made_up_desk(), out, QUICK)
    assert finetune(base, made_up_desk(), out, QUICK, kill_at("measure", 0)) == first
    second = finetune(base, made_up_desk(seed=1), out, QUICK)
    assert second.weights_sha256 == find_encoder_folder(str(out)).weights_sha256 != first.weights_sha256
    (out / "model.safetensors").write_bytes(b"damaged")
    assert finetune(base, made_up_desk(seed=1), out, QUICK) == replace(second, seconds=pytest.approx(0, abs=1e9))
    assert find_encoder_folder(str(out)).weights_sha256 == second.weights_sha256


def test_early_stopping_stops_and_what_did_not_improve_is_not_published(base: EncoderFolder, tmp_path: Path) -> None:
    settings = replace(STILL, epochs=9, patience=2)
    report = finetune(base, made_up_desk(), tmp_path / "tuned", settings)
    assert (report.improved, report.folder, report.weights_sha256) == (False, None, "")
    assert report.after == report.before
    assert report.epochs == 3  # the first, and two that were no better
    assert not (tmp_path / "tuned").exists()
    assert finetune(base, made_up_desk(), tmp_path / "tuned", settings, kill_at("measure", 0)) == report


def test_a_loss_that_is_no_number_stops_the_run(base: EncoderFolder, tmp_path: Path) -> None:
    with pytest.raises(FineTuneError, match=r"diverged.*nothing was published.*smaller learning_rate"):
        finetune(base, made_up_desk(), tmp_path / "tuned", replace(QUICK, learning_rate=1e30))
    assert not (tmp_path / "tuned").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from models.encoder_folders import find_encoder_folder
from models.finetune import finetune
from test_finetune import QUICK, made_up_desk

STEPS = 6
def progress(step, done, total):
    if step == "fine-tune" and done == STEPS + 2:
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    finetune(find_encoder_folder(sys.argv[1]), made_up_desk(), Path(sys.argv[2]), QUICK, progress)
"""


def test_a_killed_run_goes_on_to_the_very_weights_of_one_that_was_not(base: EncoderFolder, tmp_path: Path) -> None:
    rows, out = made_up_desk(), tmp_path / "tuned"
    whole = finetune(base, rows, tmp_path / "whole", QUICK)
    done = run_script(tmp_path, KILLED, str(base.path), str(out))
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not out.exists()
    work = WorkFolder(tmp_path / ".tuned.work")
    assert [path.name for path in work.checkpoints.glob("checkpoint-*")] == ["checkpoint-6"]

    first_step: list[int] = []
    report = finetune(
        base, rows, out, QUICK, lambda step, done, total: first_step.append(done) if step == "fine-tune" else None
    )
    assert first_step[0] == 7
    assert report.resumed
    assert report.weights_sha256 == whole.weights_sha256 == find_encoder_folder(str(out)).weights_sha256
    assert (report.before, report.after, report.epochs) == (whole.before, whole.after, whole.epochs)
    assert not work.folder.exists()


def run_script(folder: Path, source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(source, encoding="utf-8")
    unit = Path(__file__).resolve().parent
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    return subprocess.run(
        [sys.executable, str(script), *arguments, str(unit.parent.parent), str(unit.parent), str(unit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )


def interrupted(base: EncoderFolder, out: Path, settings: FineTuneSettings = QUICK) -> WorkFolder:
    """Stop a run in its second epoch, after its first checkpoint."""
    with pytest.raises(Killed):
        finetune(base, made_up_desk(), out, settings, kill_at("fine-tune", 8))
    return WorkFolder(out.parent / f".{out.name}.work")


def test_a_damaged_checkpoint_is_not_used(base: EncoderFolder, tmp_path: Path) -> None:
    work = interrupted(base, tmp_path / "tuned")
    checkpoint = work.checkpoints / "checkpoint-6"
    data = bytearray((checkpoint / "optimizer.pt").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (checkpoint / "optimizer.pt").write_bytes(data)
    report = finetune(base, made_up_desk(), tmp_path / "tuned", QUICK)
    assert (report.resumed, report.improved) == (False, True)


def test_a_checkpoint_without_its_hashes_was_broken_off(base: EncoderFolder, tmp_path: Path) -> None:
    work = interrupted(base, tmp_path / "tuned")
    assert work.last_whole() == work.checkpoints / "checkpoint-6"
    (work.checkpoints / "checkpoint-6" / HASHES).unlink()
    assert work.last_whole() is None
    assert list(work.checkpoints.glob("checkpoint-*")) == []


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_nothing_in_a_checkpoint_is_unpickled(base: EncoderFolder, tmp_path: Path, name: str) -> None:
    import torch

    work = interrupted(base, tmp_path / "tuned")
    checkpoint, mark = work.checkpoints / "checkpoint-6", tmp_path / "mark"
    assert not (checkpoint / "training_args.bin").exists()
    torch.save(Payload(mark), checkpoint / name)
    (checkpoint / HASHES).unlink()
    work.seal(checkpoint)
    with pytest.raises(FineTuneError) as caught:
        finetune(base, made_up_desk(), tmp_path / "tuned", QUICK)
    assert isinstance(caught.value.__cause__, pickle.UnpicklingError)
    assert not mark.exists()


def test_other_rows_or_settings_start_anew(base: EncoderFolder, tmp_path: Path) -> None:
    interrupted(base, tmp_path / "tuned")
    assert not finetune(base, made_up_desk(seed=1), tmp_path / "tuned", QUICK).resumed
    interrupted(base, tmp_path / "second")
    assert not finetune(base, made_up_desk(), tmp_path / "second", replace(QUICK, epochs=2)).resumed


def test_a_run_killed_after_its_last_epoch_trains_no_further(base: EncoderFolder, tmp_path: Path) -> None:
    measured: list[int] = []

    def kill_at_the_last_measure(step: str, done: int, total: int) -> None:
        measured.extend([done] if step == "measure" and not done else [])
        if len(measured) == 5:  # the base, three epochs, and the best of them
            raise Killed

    settings = replace(STILL, epochs=9, patience=2)
    with pytest.raises(Killed):
        finetune(base, made_up_desk(), tmp_path / "tuned", settings, kill_at_the_last_measure)
    report = finetune(base, made_up_desk(), tmp_path / "tuned", settings, kill_at("fine-tune", 19))
    assert (report.resumed, report.epochs) == (True, 3)


NO_SOCKET = """
import sys
opened = []
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.bind")
sys.addaudithook(lambda event, arguments: opened.append(event) if event in NETWORK else None)
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from dataclasses import replace
from models.encoder_folders import find_encoder_folder
from models.finetune import finetune
from test_finetune import QUICK, made_up_desk

if __name__ == "__main__":
    base = find_encoder_folder(sys.argv[1])
    for objective in ("contrastive", "classification"):
        settings = replace(QUICK, epochs=1, objective=objective)
        finetune(base, made_up_desk(10), Path(sys.argv[2]) / objective, settings)
    print(opened, end="")
"""


def test_no_socket_is_used_and_nothing_is_printed(base: EncoderFolder, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    done = run_script(tmp_path, NO_SOCKET, str(base.path), str(tmp_path / "out"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]", "")


@contextmanager
def small_files_only(size: int) -> Iterator[None]:
    """Let no file of this process grow past `size` bytes, as a full disk would."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("size", [50_000, 150_000], ids=["weights", "optimiser"])
def test_a_disk_that_fills_up_is_said_plainly_and_the_run_can_go_on(
    base: EncoderFolder, tmp_path: Path, size: int
) -> None:
    with small_files_only(size), pytest.raises(FineTuneError, match=r"cannot be written to its end; is the disk full"):
        finetune(base, made_up_desk(), tmp_path / "tuned", QUICK)
    assert not (tmp_path / "tuned").exists()
    assert finetune(base, made_up_desk(), tmp_path / "tuned", QUICK).improved


def test_a_disk_that_is_too_small_is_refused_before_the_work(tmp_path: Path) -> None:
    WorkFolder(tmp_path).refuse_small_disk(1_000)
    with pytest.raises(FineTuneError, match="MiB free, fine-tuning this encoder needs"):
        WorkFolder(tmp_path).refuse_small_disk(shutil.disk_usage(tmp_path).total)


def test_a_folder_in_use_is_refused(base: EncoderFolder, tmp_path: Path) -> None:
    held = WorkFolder(tmp_path / ".tuned.work")
    with held.of_run("another"), pytest.raises(FineTuneError, match="in use by another run"):
        finetune(base, made_up_desk(), tmp_path / "tuned", QUICK)


def test_a_folder_that_was_not_made_here_is_not_replaced(base: EncoderFolder, tmp_path: Path) -> None:
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FineTuneError, match="exists and is no encoder that was tuned here"):
        finetune(base, made_up_desk(), tmp_path / "tuned", QUICK)


def test_a_base_that_cannot_be_trained_is_refused(tmp_path: Path) -> None:
    folder = make_tiny_encoder(tmp_path / "tiny")
    (folder / "config.json").write_text('{"model_type": "unheard-of"}', encoding="utf-8")
    with pytest.raises(FineTuneError, match="encoder 'tiny' cannot be loaded for training"):
        finetune(find_encoder_folder(str(folder)), made_up_desk(), tmp_path / "tuned", QUICK)


def test_a_gpu_that_is_not_there_is_refused(base: EncoderFolder, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(FineTuneError, match="torch sees no GPU here"):
        finetune(base, made_up_desk(), tmp_path / "tuned", replace(QUICK, device="cuda"))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"objective": "regression"}, "objective is contrastive or classification"),
        ({"epochs": 0}, "epochs is 1 or more"),
        ({"batch_size": 7}, "batch_size is even, 4 or more"),
        ({"batch_size": 2}, "batch_size is even, 4 or more"),
        ({"learning_rate": float("nan")}, "learning_rate is above 0"),
        ({"warmup_share": 1.0}, "warmup_share lies between 0 and 1"),
        ({"patience": 0}, "patience is 1 or more"),
        ({"device": "tpu"}, "device is auto, cpu or cuda"),
        ({"max_tokens": 4}, "max_tokens is 8 or more"),
        ({"held_out_share": 0.0}, "held_out_share lies between 0 and 0.5"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(changes: dict[str, object], rule: str) -> None:
    with pytest.raises(FineTuneError) as caught:
        replace(QUICK, **changes)
    assert str(caught.value) == f"fine-tuning settings: {rule}"


def labelled(*labels: str) -> LabelledRows:
    return LabelledRows(tuple(f"text {row}" for row in range(len(labels))), labels)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (labelled(*"ab" * 14), "28 different texts whose label has another one; fine-tuning needs 30"),
        (labelled(*"a" * 40), "all rows have one label"),
        (labelled(*"a" * 40, "b"), "all rows have one label"),
        (labelled(*"abcdefghijklmnopqrst" * 2), "no label has 3 rows"),
        (LabelledRows(("same",) * 60, tuple("ab" * 30)), "0 different texts"),
        (LabelledRows((" ",) * 60, tuple("ab" * 30)), "0 different texts"),
    ],
    ids=["few", "one label", "one label but for one row", "no label with three rows", "one text", "blank"],
)
def test_too_few_rows_are_refused_with_what_is_needed(rows: LabelledRows, words: str) -> None:
    with pytest.raises(FineTuneError) as caught:
        split_rows(rows, 0.1, 0)
    assert words in str(caught.value)


def test_texts_without_labels_are_refused() -> None:
    with pytest.raises(FineTuneError, match="2 texts with 1 labels"):
        LabelledRows(("a", "b"), ("x",))


def test_the_split_keeps_a_share_of_each_label_out_and_says_what_it_left_out() -> None:
    labels = ("big",) * 80 + ("small",) * 10 + ("three",) * 3 + ("two",) * 2 + ("one",)
    rows = LabelledRows((*(f"text {row}" for row in range(len(labels))), "", "TEXT  0"), (*labels, "big", "small"))
    split = split_rows(rows, 0.2, 0)
    held_out = [rows.labels[row] for row in split.held_out]
    assert {label: held_out.count(label) for label in set(held_out)} == {"big": 16, "small": 2, "three": 1}
    assert set(split.train).isdisjoint(split.held_out)
    assert len(split.train) + len(split.held_out) == 95
    assert "one" not in {rows.labels[row] for row in split.train}
    assert split.notes == (
        "1 rows without text left out",
        "1 repeated texts left out",
        "1 labels with one row left out",
    )
    assert split == split_rows(rows, 0.2, 0) != split_rows(rows, 0.2, 1)
    assert len(split.train) >= MIN_ROWS


def test_the_rows_kept_out_are_capped() -> None:
    rows = LabelledRows(tuple(map(str, range(50_000))), tuple("ab" * 25_000))
    assert len(split_rows(rows, 0.1, 0).held_out) == 2_000


def test_a_fingerprint_tells_rows_labels_weights_and_settings_apart() -> None:
    keys = [
        fingerprint("w", LabelledRows(("ab", "c"), ("x", "y")), QUICK),
        fingerprint("v", LabelledRows(("ab", "c"), ("x", "y")), QUICK),
        fingerprint("w", LabelledRows(("a", "bc"), ("x", "y")), QUICK),
        fingerprint("w", LabelledRows(("ab", "c"), ("y", "x")), QUICK),
        fingerprint("w", LabelledRows(("ab", "c"), ("x", "y")), replace(QUICK, seed=1)),
        fingerprint("w", LabelledRows(("ab\udc80", "c"), ("x", "y")), QUICK),
    ]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("counts", [(5, 5, 5), (40, 3, 2, 2), (1, 1), (7, 6, 1, 1, 1, 1), (100, 100)])
def test_no_batch_holds_a_label_twice_and_no_row_comes_twice(counts: tuple[int, ...]) -> None:
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    plan = OneRowPerLabel(labels, 4, seed=3)
    for epoch in range(3):
        batches = list(plan.batches(epoch))
        assert len(batches) == len(plan)
        assert all(2 <= len(batch) <= 4 for batch in batches)
        assert all(len({labels[row] for row in batch}) == len(batch) for batch in batches)
        used = [row for batch in batches for row in batch]
        assert len(used) == len(set(used))
        # Only what has nothing left to be told apart from stays out, and the next epoch draws others.
        assert len({labels[row] for row in set(range(len(labels))) - set(used)}) <= 1
    assert list(plan.batches(0)) == list(plan.batches(0))
    assert len(plan) < 3 or list(plan.batches(0)) != list(plan.batches(1))


def test_partners_have_the_same_label_and_are_others() -> None:
    labels = [0, 0, 1, 1, 1]
    for seed in range(5):
        chosen = partners(labels, seed)
        assert all(labels[other] == labels[row] and other != row for row, other in enumerate(chosen))


@pytest.mark.parametrize("side", ["right", "left"])
def test_slices_of_like_length_embed_a_batch_as_the_encoder_does(base: EncoderFolder, side: str) -> None:
    import torch

    model = load_encoder(base.path, "cpu", base.name).eval()
    model.tokenizer.padding_side = side
    texts = [" ".join(FILLERS[: 1 + 7 * number % len(FILLERS)]) for number in range(2 * SLICE + 3)]
    features = model.preprocess(texts)
    widths: list[int] = []
    model.register_forward_pre_hook(lambda _, given: widths.append(given[0]["input_ids"].shape[1]))
    with torch.no_grad():
        sliced = in_slices(model)(features)["sentence_embedding"]
        whole = model(dict(features))["sentence_embedding"]
    assert torch.allclose(sliced, whole, atol=1e-5)
    assert len(widths) == 4
    assert (widths[0] < widths[-1]) == (side == "right")
