"""Labels that a desk may lack: topics among the tickets that it finds out of scope."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.protocols import FloatArray
from triage.telling_words import telling_words

#: Mean cosine distance up to which topics are joined. Tickets of eight labels that a public set was stripped of, three
#: times over, among 40 others: at 0.45 seven of the eight came back, 97 % of a topic's tickets of one label, and no
#: topic of the others; at 0.55 topics were mixed.
FARTHEST = 0.45
FEWEST_TICKETS = 3
#: So many of the last tickets are looked at: distances between all of them are kept at once (100 MB).
MOST_TICKETS = 5_000
BLOCK = 1_000
REST = ""


@dataclass(frozen=True)
class Topic:
    """A group of tickets that may deserve a label.

    words: the most telling first, may be empty; tickets: positions, the most typical first; cohesion: mean cosine to
    the nearest ticket of the group; nearest_known: mean cosine to the nearest known example.
    """

    words: tuple[str, ...]
    tickets: tuple[int, ...]
    cohesion: float
    nearest_known: float


def propose_labels(
    vectors: FloatArray, texts: Sequence[str], known_vectors: FloatArray, known_texts: Sequence[str] = ()
) -> list[Topic]:
    """Return topics among out-of-scope tickets, the largest first.

    vectors: unit rows of shape (tickets, dimension); texts: as many; known_vectors: examples that have a label, unit
    rows; known_texts: some of theirs, so that common words name no topic. Clusters of average linkage are kept that
    have three tickets and whose tickets are nearer to one another than to any known example.
    """
    skipped = max(0, len(vectors) - MOST_TICKETS)
    vectors, texts = vectors[skipped:], texts[skipped:]
    if len(vectors) < FEWEST_TICKETS:
        return []
    clusters = cluster(vectors)
    known = nearest_cosine(vectors, known_vectors)
    kept: list[tuple[NDArray[np.int64], float, float]] = []
    for number in np.unique(clusters):
        places = np.flatnonzero(clusters == number)
        if len(places) < FEWEST_TICKETS:
            continue
        cohesion, resemblance = _cohesion(vectors[places]), float(known[places].mean())
        if cohesion > resemblance:
            kept.append((places[_typical(vectors[places])], cohesion, resemblance))
    words = _words([places for places, _, _ in kept], texts, known_texts)
    topics = [
        Topic(tuple(words[number]), tuple(int(place) + skipped for place in places), cohesion, resemblance)
        for number, (places, cohesion, resemblance) in enumerate(kept)
    ]
    return sorted(topics, key=lambda topic: (-len(topic.tickets), topic.tickets))


def cluster(vectors: FloatArray) -> NDArray[np.int64]:
    """Return a cluster number per unit vector: agglomerative, average linkage, cut at a mean distance."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    distances = np.maximum(pdist(vectors, "cosine"), 0.0)  # rounding goes below 0
    return np.asarray(fcluster(linkage(distances, "average"), FARTHEST, "distance"), dtype=np.int64)


def nearest_cosine(vectors: FloatArray, known: FloatArray) -> FloatArray:
    """Return the cosine of each unit vector to the nearest known one, -1 where none is known."""
    nearest = np.full(len(vectors), -1.0, dtype=np.float32)
    for start in range(0, len(known), BLOCK):
        nearest = np.maximum(nearest, (vectors @ known[start : start + BLOCK].T).max(axis=1))
    return nearest


def _cohesion(vectors: FloatArray) -> float:
    between = vectors @ vectors.T
    np.fill_diagonal(between, -1.0)
    return float(between.max(axis=1).mean())


def _typical(vectors: FloatArray) -> NDArray[np.int64]:
    return np.argsort(-(vectors @ vectors.sum(axis=0)), kind="stable")


def _words(groups: Sequence[NDArray[np.int64]], texts: Sequence[str], known_texts: Sequence[str]) -> list[list[str]]:
    """Return the words that tell each group from the others, from the other tickets, and from known ones."""
    said = {str(number): [texts[place] for place in places] for number, places in enumerate(groups)}
    taken = {int(place) for places in groups for place in places}
    rest = [*(text for place, text in enumerate(texts) if place not in taken), *known_texts]
    found = telling_words({**said, REST: rest} if rest else said)
    return [found[number] for number in said]
