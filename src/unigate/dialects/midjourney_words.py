"""Banned words: found in a prompt as whole words, whatever their case."""

import re
from collections.abc import Sequence
from functools import lru_cache

from unigate.dialects.midjourney_errors import BANNED, Refused


def check(prompt: str, words: object) -> None:
    """Refused with the number 24 where the prompt has one of the words (a list of texts)."""
    if not isinstance(words, list) or not words or not prompt:
        return
    found = _pattern(tuple(words)).search(prompt)
    if found is not None:
        raise Refused("可能包含敏感词", BANNED, properties={"promptEn": prompt, "bannedWord": found[0]})


@lru_cache(maxsize=4)
def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    """One expression for all of them. Only Latin letters bound a word: Chinese is written without spaces."""
    longest_first = sorted((re.escape(word.strip()) for word in words if word.strip()), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(longest_first) or '(?!)'})(?!\w)", re.IGNORECASE | re.ASCII)
