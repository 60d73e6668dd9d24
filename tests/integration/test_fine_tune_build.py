"""`firstline build --fine-tune` on the demo desk, with an encoder that is tuned in seconds."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny_encoder import make_tiny_encoder

from models.encoder_folders import find_encoder_folder
from models.errors import EncoderError, FineTuneError
from models.finetune_data import FineTuneSettings
from models.openvino_encoder import OpenVinoEncoder
from models.sentence_encoder import SentenceEncoder
from triage.assembly import build_engine, encoder_for_build, generations_of, is_built
from triage.build import build_generation
from triage.desk_files import read_desk
from triage.tune import FIELD, tune_encoder

QUICK = FineTuneSettings(epochs=1, patience=1, held_out_share=0.25, max_tokens=32)


@pytest.fixture
def desk(desk_copy: Callable[[], Path], tmp_path: Path) -> Path:
    make_tiny_encoder(tmp_path / "tiny")
    folder = desk_copy()
    settings = folder / "desk.toml"
    text = settings.read_text(encoding="utf-8").replace(
        'encoder = "hashing"', 'encoder = "../tiny"\nprecision = "fp32"'
    )
    settings.write_text(text, encoding="utf-8")
    return folder


def test_only_tickets_that_were_kept_out_may_judge(desk: Path, tmp_path: Path) -> None:
    tuned = tune_encoder(read_desk(desk), tmp_path / "encoders", settings=QUICK)
    base = find_encoder_folder(str(tmp_path / "tiny"))
    if tuned.report.improved:
        assert tuned.judging == frozenset(tuned.report.held_out)
        assert 30 < len(tuned.judging) < 80
        assert tuned.folder.weights_sha256 != base.weights_sha256
    else:
        assert (tuned.judging, tuned.folder.weights_sha256) == (None, base.weights_sha256)
    assert f"on {len(tuned.report.held_out)} held-out tickets" in tuned.text


def test_the_command_builds_a_desk_that_is_served_with_its_own_encoder(desk: Path, tmp_path: Path) -> None:
    var = tmp_path / "var"
    command = [str(Path(sys.executable).with_name("firstline")), "build", str(desk), "--fine-tune", "--var", str(var)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    found = re.search(r"(fine-tuned on|fine-tuning on) category(: accuracy| did not help)", said)
    assert found, said
    manifest = json.loads(next(var.glob("generations/demo/000001/manifest.json")).read_text(encoding="utf-8"))
    engine = build_engine(desk, var)
    assert isinstance(engine.encoder, OpenVinoEncoder)
    assert engine.encoder.identity == manifest["encoder"]["identity"]
    if found.group(1) == "fine-tuned on":
        tuned = find_encoder_folder(str(var / "encoders" / "tuned-demo"))
        assert engine.encoder.identity == f"openvino-fp32:{tuned.mark}"


def test_a_desk_without_labelled_tickets_cannot_be_tuned(desk: Path, tmp_path: Path) -> None:
    (desk / "history.jsonl").unlink()
    with pytest.raises(FineTuneError, match=f"needs past tickets with a {FIELD}"):
        tune_encoder(read_desk(desk), tmp_path / "encoders")


def test_a_desk_whose_export_is_gone_counts_as_not_built(desk: Path, tmp_path: Path) -> None:
    var = tmp_path / "var"
    checked = read_desk(desk)
    generations = generations_of(checked.rules.settings, var)
    build_generation(checked, encoder_for_build(checked, var), generations, datetime(2026, 11, 20, tzinfo=UTC))
    assert is_built(desk, var)
    shutil.rmtree(var / "encoders")
    assert not is_built(desk, var)
    with pytest.raises(EncoderError, match="run `firstline build` to export it again"):
        build_engine(desk, var)


def test_an_encoder_that_does_not_export_is_left_to_torch_and_said_so(desk: Path, tmp_path: Path) -> None:
    weights = load_file(tmp_path / "tiny" / "model.safetensors")
    nothing = {name: np.full_like(array, np.nan) for name, array in weights.items()}
    save_file(nothing, tmp_path / "tiny" / "model.safetensors")
    told: list[str] = []
    checked, var = read_desk(desk), tmp_path / "var"
    assert isinstance(encoder_for_build(checked, var, told.append), SentenceEncoder)
    (sentence,) = told
    assert sentence.endswith("torch runs it instead, which starts later and takes longer")
    with pytest.raises(EncoderError):
        encoder_for_build(checked, var, told.append, find_encoder_folder(str(tmp_path / "tiny")))
