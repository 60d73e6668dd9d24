"""Exports of tiny encoders with real parts: what comes out, what is refused, and that nothing calls home."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_encoder import make_tiny_encoder

from models.encoder_export import ExportPlan, calibration_split, exported_folder
from models.encoder_folders import EncoderFolder, find_encoder_folder
from models.errors import EncoderError, WeightsError
from models.openvino_encoder import FORMAT, OpenVinoEncoder, find_export, openvino, read_card
from models.sentence_encoder import SentenceEncoder

LONG = "A subject\n" + "the order has not arrived and the card was charged " * 30
TEXTS = ["ok", "The printer does not answer.", LONG]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> EncoderFolder:
    return find_encoder_folder(str(make_tiny_encoder(tmp_path_factory.mktemp("tiny") / "folder")))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("encoders")


@pytest.fixture(scope="module")
def fp32(tiny: EncoderFolder, cache: Path) -> Path:
    return exported_folder(ExportPlan(tiny, "fp32", "desk"), cache)


@pytest.fixture(scope="module")
def int8(tiny: EncoderFolder, cache: Path) -> Path:
    return exported_folder(ExportPlan(tiny, "int8", "desk", TEXTS), cache)


@pytest.fixture
def broken(fp32: Path, tmp_path: Path) -> Path:
    """A copy of the export, for breaking on purpose."""
    return Path(shutil.copytree(fp32, tmp_path / "copy"))


def test_fp32_gives_the_vectors_of_torch(tiny: EncoderFolder, fp32: Path) -> None:
    reference = SentenceEncoder(tiny)
    exported = OpenVinoEncoder(fp32)
    assert np.abs(exported.encode(TEXTS) - reference.encode(TEXTS)).max() < 1e-5
    assert exported.identity == f"openvino-fp32:{tiny.mark}"
    assert exported.window == reference.window


def test_int8_stays_close_and_a_vector_is_the_same_alone_and_in_a_batch(tiny: EncoderFolder, int8: Path) -> None:
    exported = OpenVinoEncoder(int8)
    vectors = exported.encode(TEXTS)
    assert (vectors * SentenceEncoder(tiny).encode(TEXTS)).sum(axis=1).min() > 0.99
    assert np.abs(np.vstack([exported.encode([text]) for text in TEXTS]) - vectors).max() < 1e-5
    assert exported.identity.startswith(f"openvino-int8:{tiny.mark}-")


def test_int8_reads_its_embedding_tables_in_place_as_float16(int8: Path) -> None:
    graph = openvino().Core().read_model(int8 / "model.xml")
    tables = [node.input_value(0).get_node() for node in graph.get_ops() if node.get_type_name() == "Gather"]
    converted = [table.input_value(0) for table in tables if table.get_type_name() == "Convert"]
    assert {str(table.get_element_type()) for table in converted} == {"<Type: 'float16'>"}
    assert max(table.get_shape()[0] for table in converted) == len(
        json.loads((int8 / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    )


def test_an_export_is_made_once(tiny: EncoderFolder, cache: Path, int8: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in int8.iterdir()}
    assert exported_folder(ExportPlan(tiny, "int8", "desk", ["other texts"]), cache) == int8
    assert {path.name: path.stat().st_mtime_ns for path in int8.iterdir()} == before
    assert sorted(path.name for path in cache.iterdir() if path.name.startswith(".export")) == []


def test_an_export_is_found_by_what_it_gives(cache: Path, fp32: Path, int8: Path) -> None:
    for folder in (fp32, int8):
        assert find_export(cache, read_card(folder)["identity"]) == folder
    with pytest.raises(EncoderError, match=r"openvino-fp32:none is not in .*; run `firstline build`"):
        find_export(cache, "openvino-fp32:none")


def test_other_pooling_is_exported_as_it_is(tmp_path: Path) -> None:
    mean = find_encoder_folder(str(make_tiny_encoder(tmp_path / "cls")))
    folder = mean.path
    pooling = {"word_embedding_dimension": 32, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling), encoding="utf-8")
    found = find_encoder_folder(str(folder))
    assert (found.weights_sha256, found.mark == mean.mark) == (mean.weights_sha256, False)
    exported = OpenVinoEncoder(exported_folder(ExportPlan(found, "fp32", "desk"), tmp_path / "cache"))
    assert np.abs(exported.encode(TEXTS) - SentenceEncoder(found).encode(TEXTS)).max() < 1e-5


def test_a_folder_without_a_tokenizer_is_refused_by_name(tmp_path: Path) -> None:
    (make_tiny_encoder(tmp_path / "tiny") / "tokenizer.json").unlink()
    with pytest.raises(WeightsError, match=r"tokenizer\.json is missing; name a sentence-transformers folder"):
        find_encoder_folder(str(tmp_path / "tiny"))


def test_weights_that_give_no_numbers_are_not_exported(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = make_tiny_encoder(tmp_path / "tiny")
    weights = load_file(folder / "model.safetensors")
    save_file({name: np.full_like(array, np.nan) for name, array in weights.items()}, folder / "model.safetensors")
    with pytest.raises(EncoderError, match="not finite"):
        exported_folder(ExportPlan(find_encoder_folder(str(folder)), "fp32", "desk"), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_damaged_weights_are_refused_by_name(tmp_path: Path) -> None:
    folder = make_tiny_encoder(tmp_path / "tiny")
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(b"\xff" * 8 + data[8:])
    with pytest.raises(EncoderError, match="cannot be loaded from"):
        SentenceEncoder(find_encoder_folder(str(folder)))


def flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("name", ["model.bin", "model.xml", "tokenizer.json"])
def test_a_flipped_bit_in_an_export_is_refused_by_name(broken: Path, name: str) -> None:
    flip_byte(broken / name)
    with pytest.raises(WeightsError, match=rf"{name} is missing or is not the file that was exported; remove"):
        OpenVinoEncoder(broken)


@pytest.mark.parametrize("name", ["model.bin", "model.xml", "tokenizer.json"])
def test_a_missing_file_is_refused_by_name(broken: Path, name: str) -> None:
    (broken / name).unlink()
    with pytest.raises(WeightsError, match=rf"{name} is missing or is not the file that was exported"):
        OpenVinoEncoder(broken)


def test_a_graph_that_openvino_cannot_load_is_an_encoder_error(broken: Path) -> None:
    (broken / "model.xml").write_bytes(b"<net/>")
    card = json.loads((broken / "card.json").read_text(encoding="utf-8"))
    card["files"]["model.xml"] = hashlib.sha256(b"<net/>").hexdigest()
    (broken / "card.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(EncoderError, match="the exported encoder cannot be loaded; remove it and build again"):
        OpenVinoEncoder(broken)


def test_another_dimension_than_the_card_says_is_refused(broken: Path) -> None:
    card = json.loads((broken / "card.json").read_text(encoding="utf-8"))
    (broken / "card.json").write_text(json.dumps(card | {"dimension": 31}), encoding="utf-8")
    with pytest.raises(EncoderError, match=r"shape \(1, 32\), expected \(1, 31\)"):
        OpenVinoEncoder(broken).encode(["ok"])


@pytest.mark.parametrize("card", ['{"format": "onnx-encoder/1"}', "{}", "[]", "null", json.dumps({"format": FORMAT})])
def test_an_unknown_card_is_refused(tmp_path: Path, card: str) -> None:
    (tmp_path / "card.json").write_text(card, encoding="utf-8")
    with pytest.raises(EncoderError, match="unknown export format; remove the folder and build again"):
        read_card(tmp_path)


@pytest.mark.parametrize("card", [None, "", '{"format": '])
def test_a_missing_or_damaged_card_is_refused(tmp_path: Path, card: str | None) -> None:
    if card is not None:
        (tmp_path / "card.json").write_text(card, encoding="utf-8")
    with pytest.raises(EncoderError, match="holds no exported encoder; run `firstline build` to export it"):
        OpenVinoEncoder(tmp_path)


def test_calibration_takes_the_desk_and_the_sample_and_keeps_judges_apart() -> None:
    own = [f"a ticket of this desk, number {number}" for number in range(5_000)]
    calibrating, judging = calibration_split(own)
    assert not set(calibrating) & set(judging)
    assert 3 * len(judging) < len(calibrating) < 360
    for part in (calibrating, judging):
        share = sum(text in own for text in part) / len(part)
        assert 0.3 < share < 0.7
    alone, judges = calibration_split([])
    assert len(alone) + len(judges) == 180


CALLS_HOME = """
import sys
calls = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen", "os.posix_spawn"):
        calls.append((event, str(arguments)[:200]))
sys.addaudithook(watch)
from pathlib import Path
from models.encoder_export import ExportPlan, exported_folder
from models.encoder_folders import find_encoder_folder
from models.openvino_encoder import OpenVinoEncoder
folder = exported_folder(ExportPlan(find_encoder_folder(sys.argv[1]), "int8", "desk"), Path(sys.argv[2]))
OpenVinoEncoder(folder).encode(["ok"])
print([call for call in calls if "socket" in call[0] or "telemetry" in call[1]])
print("openvino_telemetry" in sys.modules and sys.modules["openvino_telemetry"] is not None)
"""


def test_export_and_use_report_to_nobody(tiny: EncoderFolder, tmp_path: Path, project: Path) -> None:
    command = [sys.executable, "-c", CALLS_HOME, str(tiny.path), str(tmp_path)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "False"]
