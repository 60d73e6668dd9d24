"""What every text encoder promises, asked of each."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from models.embedding_cache import EmbeddingCache
from models.encoder_export import ExportPlan, exported_folder
from models.encoder_folders import PACKAGED, find_encoder_folder
from models.hashing_encoder import HashingEncoder
from models.micro_batch import MicroBatcher
from models.openvino_encoder import OpenVinoEncoder, find_export
from models.protocols import TextEncoder
from models.sentence_encoder import SentenceEncoder

ODD_TEXTS = {
    "empty": "",
    "blank": " \n\t ",
    "emoji": "🙂🧾",
    "lone surrogate": "till \ud83d broken",
    "only a surrogate": "\udfff",
    "control characters": "a\x00b\x07c",
    "one word of 100,000 letters": "x" * 100_000,
    "100,000 characters": ("Invoice 12 is missing from the day sheet. " * 3_000)[:100_000],
}
TEXTS = ("ok", "The till closed after midnight and the day sheet is empty.", "Grüße, 1.234,50 € fehlen. " * 30)


@pytest.fixture(scope="module")
def torch_encoder() -> SentenceEncoder:
    return SentenceEncoder(find_encoder_folder(PACKAGED))


@pytest.fixture(scope="module")
def fp32_folder(demo_var: Path) -> Path:
    return exported_folder(ExportPlan(find_encoder_folder(PACKAGED), "fp32", "demo"), demo_var / "encoders")


@pytest.fixture(params=["hashing", "cached", "batched", "torch", "fp32", "int8"])
def encoder(request: pytest.FixtureRequest) -> Iterator[TextEncoder]:
    if request.param == "batched":
        with MicroBatcher(HashingEncoder()) as batched:
            yield batched
    elif request.param in ("hashing", "cached"):
        yield HashingEncoder() if request.param == "hashing" else EmbeddingCache(HashingEncoder())
    elif request.param == "fp32":
        yield OpenVinoEncoder(request.getfixturevalue("fp32_folder"))
    else:
        yield request.getfixturevalue({"torch": "torch_encoder", "int8": "openvino_encoder"}[request.param])


@pytest.fixture
def twin(encoder: TextEncoder, request: pytest.FixtureRequest) -> TextEncoder:
    """A second encoder, made anew from the same weights."""
    if isinstance(encoder, OpenVinoEncoder):
        encoders: Path = request.getfixturevalue("demo_var") / "encoders"
        return OpenVinoEncoder(find_export(encoders, encoder.identity), threads=1)
    return encoder if isinstance(encoder, SentenceEncoder) else HashingEncoder()


class TestTextEncoder:
    def test_gives_one_float32_row_per_text(self, encoder: TextEncoder) -> None:
        vectors = encoder.encode(TEXTS)
        assert vectors.shape == (len(TEXTS), encoder.dimension)
        assert vectors.dtype == np.float32

    def test_no_texts_give_no_rows(self, encoder: TextEncoder) -> None:
        vectors = encoder.encode([])
        assert vectors.shape == (0, encoder.dimension)
        assert vectors.dtype == np.float32

    @pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS.keys())
    def test_odd_texts_give_finite_unit_vectors(self, encoder: TextEncoder, text: str) -> None:
        vectors = encoder.encode([text])
        assert np.isfinite(vectors).all()
        assert np.linalg.norm(vectors, axis=1) == pytest.approx([1.0], abs=1e-5)

    def test_a_megabyte_has_a_vector(self, encoder: TextEncoder) -> None:
        (vector,) = encoder.encode(["Invoice 12 is missing from the day sheet. " * 25_000])
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)

    def test_a_text_has_the_same_vector_alone_and_in_any_batch(self, encoder: TextEncoder) -> None:
        texts = [*TEXTS, *ODD_TEXTS.values()]
        alone = np.vstack([encoder.encode([text]) for text in texts])
        assert np.abs(encoder.encode(texts) - alone).max() <= 1e-5
        assert np.abs(encoder.encode(texts[::-1])[::-1] - alone).max() <= 1e-5

    def test_rows_come_in_the_order_of_the_texts(self, encoder: TextEncoder) -> None:
        long, short = TEXTS[2], TEXTS[0]
        vectors = encoder.encode([long, short, long])
        assert np.abs(vectors[0] - vectors[2]).max() <= 1e-5
        assert np.abs(vectors[0] - vectors[1]).max() > 0.01

    def test_texts_of_every_length_have_the_same_vector_alone_and_in_any_batch(self, encoder: TextEncoder) -> None:
        words = " ".join(text for text in ODD_TEXTS.values() if len(text) < 100) + " " + " ".join(TEXTS)
        texts = [words[start : start + 5 + 17 * number] for number, start in enumerate(range(0, 600, 30))]
        alone = np.vstack([encoder.encode([text]) for text in texts])
        assert np.abs(encoder.encode(texts) - alone).max() <= 1e-5

    def test_shared_words_bring_texts_closer(self, encoder: TextEncoder) -> None:
        first, near, far = encoder.encode(["reset my password", "password reset", "the tomato harvest failed"])
        assert first @ near > first @ far + 0.2

    def test_equal_weights_give_equal_identities_and_vectors(self, encoder: TextEncoder, twin: TextEncoder) -> None:
        assert (twin.identity, twin.dimension) == (encoder.identity, encoder.dimension)
        assert np.abs(twin.encode(TEXTS) - encoder.encode(TEXTS)).max() <= 1e-5

    def test_identity_names_the_kind_and_the_weights(self, encoder: TextEncoder) -> None:
        assert re.fullmatch(
            r"hashing:256|(torch-fp32|openvino-fp32|openvino-int8):53aa51172d14(-\w{8}){1,2}", encoder.identity
        )
        before = encoder.identity
        encoder.encode(TEXTS)
        assert encoder.identity == before

    def test_progress_rises_to_the_number_of_texts(self, encoder: TextEncoder) -> None:
        calls: list[tuple[str, int, int]] = []
        encoder.encode(TEXTS, lambda *call: calls.append(call))
        done = [call[1] for call in calls]
        assert calls[-1] == ("encode", len(TEXTS), len(TEXTS))
        assert done == sorted(set(done))


def test_a_cache_asks_for_every_text_once() -> None:
    asked: list[int] = []
    cache = EmbeddingCache(HashingEncoder())
    for texts in (["till", "vat", "till"], ["vat", "stock"], ["till"]):
        cache.encode(texts, lambda step, done, total: asked.append(total))
    assert asked == [2, 1]


def test_another_dimension_is_another_identity() -> None:
    small = HashingEncoder(64)
    assert small.identity == "hashing:64"
    assert small.encode(["till"]).shape == (1, 64)
