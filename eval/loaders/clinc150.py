"""CLINC150 (Larson et al., 2019): 150 intents in 10 domains, and queries that belong to none of them."""

from pathlib import Path
from typing import Any

from eval.errors import DataError
from eval.loaders.held_out import HeldOut, hold_out
from eval.loaders.labelled_rows import LabelledRow, RowReader, check_ticket
from eval.loaders.loaded import Loaded, counted, labels_by_field
from eval.loaders.source_files import find, read_json, texts_at
from triage.cleaning import safe_unicode

NAME = "clinc150"
OUT_OF_SCOPE = {"handoff": True, "handoff_reasons": ["out_of_scope"]}


def load(source: Path, held_out: HeldOut = "test") -> Loaded:
    """Read a folder of ``data_full.json`` and ``domains.json``; raise `DataError`.

    `train` is history: intent is category, domain is team. Cases are `test`, and `oos_test` as handoffs out of scope;
    with held_out "train" a fifth of `train`, with `oos_train` and `oos_val`. Queries out of scope are never history,
    for they have no label. `val` is not used.
    """
    path, domains = find(source, "data_full.json"), find(source, "domains.json")
    data, teams = read_json(path), _domain_by_intent(domains)
    reader = RowReader(path)
    outside = ("oos_train", "oos_val") if held_out == "train" else ("oos_test",)
    history = _rows(reader, data, "train", teams)
    if held_out == "train":
        history, cases = hold_out(history)
    else:
        cases = _rows(reader, data, "test", teams)
    unused = {"val", "oos_train", "oos_val"} - set(outside)
    return Loaded(
        name=NAME,
        languages=("en",),
        fields=labels_by_field(row.labels for row in (*history, *cases)),
        articles=(),
        history=[row.as_history() for row in history],
        cases=[row.as_case() for row in cases] + _out_of_scope(reader, data, outside),
        sources=(path, domains),
        left_out=counted(reader.left_out, {split: len(data.get(split, ())) for split in unused}),
    )


def _domain_by_intent(path: Path) -> dict[str, str]:
    domains = read_json(path)
    return {intent: domain for domain in domains for intent in texts_at(path, None, domains, domain)}


def _pairs(path: Path, data: dict[str, Any], split: str) -> list[tuple[str, str]]:
    pairs = data.get(split)
    if not isinstance(pairs, list):
        raise DataError(path, None, f"there is no list {split!r}", "give the file data_full.json of CLINC150")
    for number, pair in enumerate(pairs, start=1):
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise DataError(path, None, f"entry {number} of {split!r} is no pair", 'write ["text", "intent"]')
    return [(text, intent) for text, intent in pairs]


def _rows(reader: RowReader, data: dict[str, Any], split: str, teams: dict[str, str]) -> list[LabelledRow]:
    rows = []
    for number, (text, intent) in enumerate(_pairs(reader.path, data, split), start=1):
        if intent not in teams:
            problem = f"entry {number} of {split!r} has the intent {intent!r}, which domains.json does not name"
            raise DataError(reader.path, None, problem, "add it to one of the domains")
        ticket = {"id": f"{split}-{number}", "body": text}
        rows.append(reader.row(None, ticket, {"category": intent, "team": teams[intent]}))
    return reader.kept(rows)


def _out_of_scope(reader: RowReader, data: dict[str, Any], splits: tuple[str, ...]) -> list[dict[str, Any]]:
    cases = []
    for split in splits:
        for number, (text, _) in enumerate(_pairs(reader.path, data, split), start=1):
            ticket = {"id": f"{split}-{number}", "body": safe_unicode(text)}
            if not text.strip():
                reader.left_out["blank_texts"] += 1
                continue
            check_ticket(reader.path, None, ticket)
            cases.append({"id": ticket["id"], "ticket": ticket, "expect": OUT_OF_SCOPE})
    return cases
