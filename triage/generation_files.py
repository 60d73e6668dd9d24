"""What lies in a generation, and how it is written and read: heads, documents, passages, indexes, past tickets."""

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from models.artifact_files import read_arrays, read_json, write_arrays, write_json
from models.linear_head import LinearHead
from models.text_features import NgramWeights
from retrieval.dense_index import DenseIndex
from retrieval.documents import Block, Document, Passage
from retrieval.fusion import Fusion
from retrieval.lexical_index import LexicalIndex
from retrieval.search import PassageSearch
from triage.classify import FieldHead, TicketClassifier
from triage.code_hash import code_hash
from triage.generations import Generation
from triage.learnt_wording import LearntWording
from triage.novelty import Novelty
from triage.past_replies import PastReplies

#: What is learnt of the fields lies in a folder of its own.
FIELDS = "fields"
ARTICLES = "articles"
HEAD_ARRAYS = ("weights", "bias", "columns", "idf")


def write_heads(folder: Path, heads: Mapping[str, FieldHead]) -> None:
    """Write one npz of weights and one card for all fields."""
    arrays: dict[str, Any] = {}
    card: dict[str, Any] = {}
    for number, (field, field_head) in enumerate(heads.items()):
        head = field_head.head
        arrays |= {f"weights_{number}": head.weights, f"bias_{number}": head.bias}
        arrays |= {f"columns_{number}": field_head.ngrams.columns, f"idf_{number}": field_head.ngrams.idf}
        card[field] = {
            "number": number,
            "labels": list(head.labels),
            "temperature": head.temperature,
            "threshold": field_head.threshold,
            "matrix_weight": field_head.matrix_weight,
            "languages": field_head.languages,
            "label_thresholds": dict(field_head.label_thresholds),
        }
    write_arrays(folder / "heads.npz", arrays)
    write_json(folder / "heads.json", {"order": list(heads), "fields": card})


def read_heads(folder: Path, dimension: int) -> TicketClassifier:
    """Read what `write_heads`, `write_novelty` and `write_wording` wrote."""
    arrays, card = read_arrays(folder / "heads.npz"), read_json(folder / "heads.json")
    heads = {}
    for field in card["order"]:
        entry = card["fields"][field]
        weights, bias, columns, idf = (arrays[f"{name}_{entry['number']}"] for name in HEAD_ARRAYS)
        head = LinearHead(tuple(entry["labels"]), weights, bias, entry["temperature"])
        languages = None if entry["languages"] is None else tuple(entry["languages"])
        heads[field] = FieldHead(
            head,
            NgramWeights(columns, idf),
            entry["threshold"],
            entry["matrix_weight"],
            languages,
            entry["label_thresholds"],
        )
    return TicketClassifier(heads, read_novelty(folder, dimension), read_wording(folder))


def write_wording(folder: Path, wording: LearntWording | None) -> None:
    """Write what tells messages that a person must take over; where there is nothing, a card that says so."""
    if wording is None:
        write_json(folder / "wording.json", None)
        return
    head = wording.head
    card = {"labels": list(head.labels), "temperature": head.temperature, "threshold": wording.threshold}
    write_json(folder / "wording.json", card)
    parts = (head.weights, head.bias, wording.ngrams.columns, wording.ngrams.idf)
    write_arrays(folder / "wording.npz", dict(zip(HEAD_ARRAYS, parts, strict=True)))


def read_wording(folder: Path) -> LearntWording | None:
    """Read what `write_wording` wrote."""
    card = read_json(folder / "wording.json")
    if card is None:
        return None
    arrays = read_arrays(folder / "wording.npz")
    weights, bias, columns, idf = (arrays[name] for name in HEAD_ARRAYS)
    head = LinearHead(tuple(card["labels"]), weights, bias, card["temperature"])
    return LearntWording(head, NgramWeights(columns, idf), card["threshold"])


def write_novelty(folder: Path, novelty: Novelty | None) -> None:
    """Write what tells tickets that are like no past one; where there is none, a card that says so."""
    if novelty is None:
        write_json(folder / "novelty.json", None)
        return
    card = {
        "field": novelty.field,
        "rows": len(novelty.known),
        "weights": novelty.weights,
        "threshold": novelty.threshold,
    }
    write_json(folder / "novelty.json", card | {"labels": novelty.labels})
    write_arrays(folder / "known.npz", {"codes": novelty.codes.astype(np.int32)})
    novelty.known.save(folder / "known.faiss")


def read_novelty(folder: Path, dimension: int) -> Novelty | None:
    """Read what `write_novelty` wrote."""
    card = read_json(folder / "novelty.json")
    if card is None:
        return None
    known = DenseIndex.load(folder / "known.faiss", card["rows"], dimension)
    constant, similarity, energy = card["weights"]
    codes = read_arrays(folder / "known.npz")["codes"].astype(np.int64)
    weights = (constant, similarity, energy)
    return Novelty(card["field"], known, weights, card["threshold"], tuple(card["labels"]), codes)


def write_search(folder: Path, search: PassageSearch, kind: str = ARTICLES) -> None:
    """Write documents, passages, both indexes and how they are fused; kind: what the files' names begin with."""
    write_rows(folder / f"{kind}.documents.jsonl", (_row(document) for document in search.documents.values()))
    # A passage's text is a span of its document's.
    write_rows(folder / f"{kind}.passages.jsonl", ({**_row(one), "text": None} for one in search.passages))
    search.dense.save(folder / f"{kind}.faiss")
    search.lexical.save(folder / f"{kind}.bm25")
    write_json(folder / f"{kind}.fusion.json", asdict(search.fusion))


def read_search(folder: Path, dimension: int, kind: str = ARTICLES) -> PassageSearch:
    """Read what `write_search` wrote."""
    documents = {row["id"]: _document(row) for row in read_rows(folder / f"{kind}.documents.jsonl")}
    passages = [_passage(row, documents) for row in read_rows(folder / f"{kind}.passages.jsonl")]
    return PassageSearch(
        documents,
        passages,
        DenseIndex.load(folder / f"{kind}.faiss", len(passages), dimension),
        LexicalIndex.load(folder / f"{kind}.bm25", len(passages)),
        Fusion(**read_json(folder / f"{kind}.fusion.json")),
    )


def articles_read_before(generation: Generation | None) -> dict[str, Document]:
    """Return a generation's articles by the SHA-256 of their files; none where other code read them."""
    if generation is None or generation.manifest.get("code") != code_hash():
        return {}
    documents = map(_document, read_rows(generation.folder / f"{ARTICLES}.documents.jsonl"))
    return {document.source: document for document in documents if document.source}


def write_past_replies(folder: Path, past: PastReplies) -> None:
    """Write past tickets, their replies, and saved replies."""
    write_search(folder, past.tickets, "past")
    write_search(folder, past.macros, "macros")
    write_rows(
        folder / "past.replies.jsonl", ({"id": ticket, "reply": reply} for ticket, reply in past.replies.items())
    )


def read_past_replies(folder: Path, dimension: int) -> PastReplies:
    """Read what `write_past_replies` wrote."""
    replies = {row["id"]: row["reply"] for row in read_rows(folder / "past.replies.jsonl")}
    return PastReplies(read_search(folder, dimension, "past"), replies, read_search(folder, dimension, "macros"))


def copy_rules(desk: Path, folder: Path, names: Iterable[str]) -> None:
    """Copy the desk's rule files, so that a generation stands on its own."""
    for name in names:
        if (desk / name).exists():
            shutil.copyfile(desk / name, folder / name)


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write JSON Lines."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read JSON Lines that this module wrote."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _row(value: Document | Passage | Block) -> dict[str, Any]:
    """Return the parts of a frozen value by name: what `asdict` gives, in a fifth of its time."""
    parts = {name: getattr(value, name) for name in value.__slots__}
    return {**parts, "blocks": [_row(block) for block in value.blocks]} if isinstance(value, Document) else parts


def _document(row: dict[str, Any]) -> Document:
    blocks = tuple(Block(**block | {"headings": tuple(block["headings"])}) for block in row["blocks"])
    return Document(**row | {"blocks": blocks, "tags": tuple(row["tags"])})


def _passage(row: dict[str, Any], documents: Mapping[str, Document]) -> Passage:
    text = documents[row["document_id"]].text[row["start"] : row["end"]]
    return Passage(**row | {"headings": tuple(row["headings"]), "text": text})
