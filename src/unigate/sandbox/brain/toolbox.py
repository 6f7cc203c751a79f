"""Chooses tools for a prompt and writes their arguments."""

# ruff: noqa: RUF001 - Chinese punctuation is meant

import json
import re

from unigate.sandbox.brain import seeds
from unigate.sandbox.brain.hints import Hints, names, unmarked, words
from unigate.sandbox.brain.prompt import Prompt, Tool, ToolCall, Turn
from unigate.sandbox.brain.schema import instance

_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[\u3400-\u9fff]")
_SEVERAL = re.compile(r"\band\b|\bthen\b|[;,&]|和|与|及|、|，|；")
#: What Chinese questions usually ask of tools that are described in English.
_CHINESE = {
    "天气": ("weather",),
    "时间": ("time",),
    "几点": ("time",),
    "邮件": ("email", "mail"),
    "搜索": ("search",),
    "查找": ("search", "find"),
    "计算": ("calculate", "calculator"),
    "翻译": ("translate",),
    "股": ("stock",),
    "新闻": ("new",),
    "汇率": ("exchange", "currency"),
    "日历": ("calendar",),
    "日程": ("calendar", "schedule"),
    "订单": ("order",),
    "价格": ("price",),
}
#: Most calls in one answer.
_MOST = 4


def answered(prompt: Prompt) -> tuple[Turn, ...]:
    """The results of tools that stand at the end of a conversation."""
    found: list[Turn] = []
    for turn in reversed(prompt.turns):
        if turn.role != "tool":
            break
        found.append(turn)
    return tuple(reversed(found))


def calls(prompt: Prompt, index: int) -> tuple[ToolCall, ...]:
    """The calls that the model makes now; empty: it answers with text."""
    choosing = prompt.choosing
    tools = [t for t in prompt.tools if choosing.only is None or t.name in choosing.only]
    if choosing.mode == "none" or not tools or (choosing.mode == "auto" and answered(prompt)):
        return ()
    asked = prompt.last("user")
    text = unmarked(asked.text) if asked else ""
    scored = [(_score(tool, text), -place, tool) for place, tool in enumerate(tools)]
    best = sorted((s for s in scored if s[0] > 0), key=lambda s: s[:2], reverse=True)
    if not best:
        if choosing.mode == "auto":
            return ()
        best = [max(scored, key=lambda s: s[:2])]
    several = choosing.parallel and _SEVERAL.search(text) is not None
    wanted = [tool for score, _, tool in best if several and 2 * score >= best[0][0]][:_MOST] or [best[0][2]]
    wanted.sort(key=tools.index)
    subjects: list[str | None] = [None]
    if len(wanted) == 1 and several and _takes_one_text(wanted[0]):
        subjects = [*names(text)[:_MOST]] or [None]
    made: list[ToolCall] = []
    for tool in wanted:
        for subject in subjects:
            source = seeds.dice(prompt.seed, index, tool.name, len(made))
            hints = Hints(text, source)
            if subject:
                hints.prefer(subject)
            identity = "call_" + seeds.letters(source, 24)
            arguments = _arguments(tool, hints, source, text)
            made.append(ToolCall(id=identity, name=tool.name, arguments=arguments, custom=tool.custom))
    return tuple(made)


def _score(tool: Tool, text: str) -> int:
    """How well a tool fits a text: words in common, those of its name counting three times."""
    asked = {_stem(word.lower()) for word in words(text)}
    asked |= {meant for word, meanings in _CHINESE.items() if word in text for meant in meanings}
    name = {_stem(part.lower()) for part in _PARTS.findall(tool.name)}
    told = {_stem(word.lower()) for word in words(tool.description)}
    if tool.name.lower() in text.lower():
        return 100
    return 3 * len(asked & name) + len(asked & (told - name))


def _stem(word: str) -> str:
    """A word without its commonest endings."""
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 3:
            return word[: -len(ending)]
    return word


def _takes_one_text(tool: Tool) -> bool:
    """Whether a tool has exactly one required text without a choice, such as a city."""
    properties = tool.schema.get("properties") or {}
    free = [
        name
        for name in tool.schema.get("required") or ()
        if isinstance(properties.get(name), dict)
        and properties[name].get("type") == "string"
        and "enum" not in properties[name]
    ]
    return not tool.custom and len(free) == 1


def _arguments(tool: Tool, hints: Hints, source: seeds.Dice, text: str) -> str:
    if tool.custom:
        return (hints.named or [text or "hello"])[0]
    required = set(tool.schema.get("required") or ())
    properties = tool.schema.get("properties") or {}
    kept = {
        name: part
        for name, part in properties.items()
        if name in required or (isinstance(part, dict) and part.get("enum") and hints.fitting(part["enum"]) is not None)
    }
    schema = {**tool.schema, "type": "object", "properties": kept}
    return json.dumps(instance(schema, source, hints), ensure_ascii=False, separators=(",", ":"))
