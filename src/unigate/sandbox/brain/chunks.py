"""Cuts a text into pieces that overlap, for searching in it."""

from unigate.sandbox.brain import tokens


def cut(text: str, size: int, overlap: int) -> tuple[str, ...]:
    """Chunks of at most so many tokens, each beginning with the last ones of the chunk before; `overlap` < `size`."""
    pieces = tokens.pieces(text)
    step = size - overlap
    last = max(1, len(pieces) - overlap)
    return tuple("".join(pieces[at : at + size]) for at in range(0, last, step)) if text.strip() else ()
