"""How well documents answer a query: by the share of the query's runs of three characters that stand in them.

Nothing is learned: who uses other words for the same thing is found by nobody here.
"""

from collections.abc import Sequence

_RUN = 3
#: No document is quite hopeless or quite perfect.
_LEAST, _SPAN = 0.0001, 0.9998


def score(query: str, document: str) -> float:
    """From 0 to 1."""
    wanted = _runs(query)
    share = len(wanted & _runs(document)) / len(wanted)
    return round(_LEAST + _SPAN * share, 7)


def ranked(query: str, documents: Sequence[str]) -> list[tuple[int, float]]:
    """Places and scores of documents, the best first, equals by their place."""
    rows = [(place, score(query, document)) for place, document in enumerate(documents)]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def _runs(text: str) -> frozenset[str]:
    plain = " ".join(text.casefold().split())
    return frozenset(plain[at : at + _RUN] for at in range(max(1, len(plain) - _RUN + 1)))
