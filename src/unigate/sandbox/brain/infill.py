"""Words that lead from one text to another: what a model writes between a prompt and its suffix."""

# ruff: noqa: RUF001 - Chinese punctuation is meant

import re

from unigate.sandbox.brain.hints import unmarked, words
from unigate.sandbox.brain.seeds import Dice

_CHINESE = re.compile(r"[\u3400-\u9fff]")
_ENGLISH_FORMS = (
    "and so, after a little while, {before} led to {after}",
    "which is how {before} and {after} came together",
    "then, step by step, from {before} to {after}",
)
_CHINESE_FORMS = ("就这样，从{before}慢慢到了{after}", "后来，{before}和{after}连在了一起")


def between(prompt: str, suffix: str, source: Dice) -> str:
    """What stands between both; it names a word of each."""
    before, after = unmarked(prompt), unmarked(suffix)
    chinese = bool(_CHINESE.search(before[-80:] or after[:80]))
    first = "".join(words(before)[-2:]) if chinese else next(reversed(words(before)), "the beginning")
    last = "".join(words(after)[:2]) if chinese else next(iter(words(after)), "the end")
    form = source.choice(_CHINESE_FORMS if chinese else _ENGLISH_FORMS)
    text = form.format(before=first, after=last)
    start = "" if chinese or not prompt or prompt[-1].isspace() else " "
    end = "" if chinese or not suffix or suffix[0].isspace() or suffix[0] in ".,;:!?" else " "
    return f"{start}{text}{end}"
