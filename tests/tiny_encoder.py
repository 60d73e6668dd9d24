"""Makes a sentence-transformers folder small enough to train within a test: real parts, random weights."""

import json
import re
from pathlib import Path

#: Their words are the vocabulary; other words are cut into letters.
SENTENCES = (
    "The invoice shows the wrong amount and I want my money back.",
    "Please refund the payment, the card was charged twice.",
    "I cannot log in, the password reset link has expired.",
    "The account is locked after too many sign in attempts.",
    "My parcel has not arrived and the tracking number is wrong.",
    "The courier left the delivery at a neighbour's door.",
    "The app crashes with an error when I open the report.",
    "The printer does not answer after the latest update.",
    "How do I change the email address of my profile?",
    "Thank you for the quick help, the problem is solved.",
    "The day sheet of the till is empty after midnight.",
    "Please cancel the order before it leaves the store.",
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MAX_TOKENS = 64


def make_tiny_encoder(folder: Path, seed: int = 0) -> Path:
    """Write a BERT of 2 layers and width 32 with mean pooling and normalisation; equal seeds give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder)
    write_weights(folder, seed)
    kinds = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (path, kind) in enumerate(kinds)
    ]
    write_json(folder / "modules.json", modules)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": MAX_TOKENS, "do_lower_case": False})
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True})
    (folder / "2_Normalize").mkdir(exist_ok=True)
    return folder


def vocabulary() -> dict[str, int]:
    """Every word of `SENTENCES`, and the letters and digits that other words are cut into."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = set(re.findall(r"[a-z]+|[^a-z\s]", " ".join(SENTENCES).lower()))
    pieces = [*SPECIAL, *sorted(words | set(letters) | {f"##{letter}" for letter in letters})]
    return {piece: number for number, piece in enumerate(pieces)}


def write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordPiece
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer
    from tokenizers.processors import TemplateProcessing

    # The library's own trainer breaks ties by chance, so that two runs would give two vocabularies.
    tokenizer = Tokenizer(WordPiece(vocabulary(), unk_token="[UNK]"))
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    card = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": MAX_TOKENS}
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    write_json(folder / "tokenizer_config.json", card | dict(zip(names, SPECIAL, strict=True)))


def write_weights(folder: Path, seed: int) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=len(vocabulary()),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=MAX_TOKENS,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BertModel(config)
    config.architectures = ["BertModel"]
    config.save_pretrained(folder)
    save_file(model.state_dict(), folder / "model.safetensors", metadata={"format": "pt"})


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")
