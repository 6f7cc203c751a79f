"""The order in which a model decides what to do: obey a marker, call tools, fill a schema, or write."""

# ruff: noqa: RUF001 - Chinese punctuation is meant

import json
import re
from dataclasses import dataclass

from unigate.sandbox.brain import prose, seeds, toolbox
from unigate.sandbox.brain.hints import Hints
from unigate.sandbox.brain.prompt import Prompt, ToolCall
from unigate.sandbox.brain.schema import instance

_REPLY = re.compile(r"\[\[reply:([^\]]*)\]\]")
_TOKENS = re.compile(r"\[\[tokens:(\d{1,6})\]\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """What one answer says, before it is cut to limits."""

    text: str = ""
    refusal: str = ""
    calls: tuple[ToolCall, ...] = ()
    #: The vendor's filter stopped the answer.
    filtered: bool = False


def think(prompt: Prompt, index: int) -> Thought:
    """The answer number `index` to a prompt."""
    asked = prompt.last("user")
    text = asked.text if asked else ""
    zh = prose.chinese(prompt)
    if "[[refuse]]" in text:
        return Thought(refusal="很抱歉，我不能协助处理这个请求。" if zh else "I'm sorry, I can't help with that.")
    if found := _REPLY.search(text):
        return Thought(text=found[1])
    if made := toolbox.calls(prompt, index):
        return Thought(calls=made)
    if found := _TOKENS.search(text):
        return Thought(text=prose.long(int(found[1]), seeds.dice(prompt.seed, index, "long"), zh=zh))
    filtered = "[[filter]]" in text
    if prompt.schema is not None:
        source = seeds.dice(prompt.seed, index, "schema")
        value = instance(prompt.schema, source, Hints(text, source))
        return Thought(text=json.dumps(value, ensure_ascii=False, separators=(",", ":")), filtered=filtered)
    if prompt.prediction is not None:
        return Thought(text=_edited(prompt.prediction, text), filtered=filtered)
    if results := toolbox.answered(prompt):
        return Thought(text=prose.from_tools(prompt, results, index), filtered=filtered)
    return Thought(text=prose.answer(prompt, index), filtered=filtered)


_REPLACE = re.compile(
    r"\b(?:replace|rename|change)\b[^\n]*?[\"“'`]([^\"”'`\n]+)[\"”'`]\s*(?:with|by|to|into)\s*[\"“'`]([^\"”'`\n]*)[\"”'`]"
    r"|把[“「\"`]([^”」\"`\n]+)[”」\"`](?:改成|换成|替换为|改为)[“「\"`]([^”」\"`\n]*)[”」\"`]",
    re.IGNORECASE,
)


def _edited(expected: str, text: str) -> str:
    """The expected text with the replacement that the prompt asks for; else as it is."""
    found = _REPLACE.search(text)
    if not found:
        return expected
    old, new = (found[1], found[2]) if found[1] else (found[3], found[4])
    return expected.replace(old, new or "")
