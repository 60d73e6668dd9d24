"""The serving encoder refuses what was not exported, and cuts its batches right."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import EncoderError, WeightsError
from models.onnx_encoder import FORMAT, OnnxEncoder, batches_by_length, printable, read_card


@pytest.fixture
def exported(onnx_encoder: OnnxEncoder, demo_var: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of the exported folder, for breaking on purpose."""
    assert onnx_encoder.dimension == 384
    folder = tmp_path / "copy"
    shutil.copytree(next((demo_var / "encoders").glob("onnx-fp32-53aa*")), folder)
    yield folder
    shutil.rmtree(folder)


def flip_byte(path: Path) -> None:
    middle = path.stat().st_size // 2
    with path.open("r+b") as file:
        file.seek(middle)
        byte = file.read(1)[0]
        file.seek(middle)
        file.write(bytes([byte ^ 0xFF]))


def write_export(folder: Path, **changes: object) -> Path:
    """A folder with a card that is right about files that are no model."""
    files = {"model.onnx": b"no graph", "tokenizer.json": b"{}"}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    card = {"format": FORMAT, "identity": "onnx-fp32:0", "dimension": 4, "max_tokens": 8, "files": hashes} | changes
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def test_a_flipped_byte_in_the_graph_is_refused(exported: Path) -> None:
    flip_byte(exported / "model.onnx")
    with pytest.raises(WeightsError) as caught:
        OnnxEncoder(exported)
    assert str(caught.value) == (
        f"{exported / 'model.onnx'} is missing or is not the file that was exported; "
        "remove the folder and run `firstline build` to export it again"
    )


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_changed_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    flip_byte(write_export(tmp_path) / name)
    with pytest.raises(WeightsError, match=f"{name} is missing or is not the file that was exported"):
        OnnxEncoder(tmp_path)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_missing_file_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (write_export(tmp_path) / name).unlink()
    with pytest.raises(WeightsError, match=f"{name} is missing or is not the file that was exported"):
        OnnxEncoder(tmp_path)


def test_a_graph_that_onnx_runtime_cannot_load_is_an_encoder_error(tmp_path: Path) -> None:
    with pytest.raises(EncoderError):
        OnnxEncoder(write_export(tmp_path))


def test_a_card_without_hashes_is_an_encoder_error(tmp_path: Path) -> None:
    write_export(tmp_path)
    (tmp_path / "card.json").write_text(json.dumps({"format": FORMAT}), encoding="utf-8")
    with pytest.raises(EncoderError):
        OnnxEncoder(tmp_path)


@pytest.mark.parametrize("card", ['{"format": "onnx-encoder/2"}', "{}", "[]", '"onnx-encoder/1"', "null"])
def test_an_unknown_card_format_is_refused(tmp_path: Path, card: str) -> None:
    (tmp_path / "card.json").write_text(card, encoding="utf-8")
    with pytest.raises(EncoderError) as caught:
        read_card(tmp_path)
    assert str(caught.value) == f"{tmp_path}: unknown export format; remove the folder and build again"


@pytest.mark.parametrize("card", [None, "", '{"format": '])
def test_a_missing_or_damaged_card_is_refused(tmp_path: Path, card: str | None) -> None:
    if card is not None:
        (tmp_path / "card.json").write_text(card, encoding="utf-8")
    with pytest.raises(EncoderError) as caught:
        OnnxEncoder(tmp_path)
    assert str(caught.value) == f"{tmp_path} holds no exported encoder; run `firstline build` to export it"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 512), max_size=200), st.integers(1, 4096))
def test_batches_hold_every_row_once_and_stay_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = batches_by_length(lengths, budget)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[row] for row in batch)
        assert padded <= budget or len(batch) == 1


def test_batches_go_from_short_to_long_and_are_filled() -> None:
    assert batches_by_length([5, 2, 9, 2, 3], 6) == [[1, 3], [4], [0], [2]]
    assert batches_by_length([2, 2, 2, 2], 6) == [[0, 1, 2], [3]]
    assert batches_by_length([], 6) == []


@pytest.mark.parametrize(
    ("text", "expected"), [("plain", "plain"), ("a\ud800b", "a?b"), ("😀 Grüße", "😀 Grüße"), ("", "")]
)
def test_only_lone_surrogates_are_replaced(text: str, expected: str) -> None:
    assert printable(text) == expected
