"""Which passage supports which sentence. A fact that stands in no cited passage does not stay in a draft."""

import re
from collections.abc import Sequence

from retrieval.documents import Passage
from triage.drafting.compose import lay_out
from triage.suggestions import Draft, DraftSentence, Support

#: A draft that loses more than this share of its facts is not shown at all.
MAX_LOST = 0.34


def find_support(sentence: str, passages: Sequence[Passage]) -> Support | None:
    """Return where a sentence stands, word for word with white space folded, or None.

    The span counts characters of the article's plain text. A verbatim sentence scores 1.
    """
    words = sentence.split()
    if not words:
        return None
    # Whole words only: "send 25" does not stand in "send 250".
    pattern = re.compile(r"(?<!\w)" + r"\s+".join(map(re.escape, words)) + r"(?!\w)")
    for passage in passages:
        if match := pattern.search(passage.text):
            start = passage.start + match.start()
            return Support(article_id=passage.document_id, start=start, end=start + len(match.group()), score=1.0)
    return None


def check_draft(draft: Draft, passages: Sequence[Passage]) -> tuple[Draft | None, str | None]:
    """Return (the draft with only supported facts, None), or (None, why) where too little of it stands.

    Every fact's support is looked up again in the passages: what the writer claims counts for nothing.
    """
    facts = [sentence for sentence in draft.sentences if sentence.role == "fact"]
    kept = [_checked(sentence, passages) for sentence in draft.sentences]
    standing = [sentence for sentence in kept if sentence is not None]
    lost = len(draft.sentences) - len(standing)
    if not facts:
        return None, "the draft stated no fact"
    if lost == len(facts) or lost / len(facts) > MAX_LOST:
        return None, f"{lost} of {len(facts)} sentences stood in no cited passage"
    warnings = draft.warnings + (("unsupported_sentences_dropped",) if lost else ())
    update = {"text": lay_out(standing), "sentences": tuple(standing), "warnings": warnings}
    return draft.model_copy(update=update), None


def _checked(sentence: DraftSentence, passages: Sequence[Passage]) -> DraftSentence | None:
    if sentence.role != "fact":
        return sentence
    support = find_support(sentence.text, passages)
    if support is None:
        return None
    return sentence.model_copy(update={"support": (support,)})
