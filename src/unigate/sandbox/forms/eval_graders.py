"""Graders of evals: texts with places to fill in, and whether an answer passes.

Strings and likeness are really compared; labels and scores are given by a model of the sandbox. No code is run.
https://platform.openai.com/docs/guides/graders
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import msgspec

from unigate.sandbox.forms import checks, platform
from unigate.sandbox.serving.answer import Object, encode

#: Asks a model: its name, messages, and the schema of its answer; gives that, None where it was refused.
Ask = Callable[[str, list[Object], Object], Awaitable[Object | None]]

KINDS = ("string_check", "text_similarity", "label_model", "score_model")
_OPERATIONS: dict[str, Callable[[str, str], bool]] = {
    "eq": lambda given, wanted: given == wanted,
    "ne": lambda given, wanted: given != wanted,
    "like": lambda given, wanted: wanted in given,
    "ilike": lambda given, wanted: wanted.casefold() in given.casefold(),
}
_RUNS = {f"rouge_{length}": length for length in range(1, 6)}
_METRICS = ("fuzzy_match", *_RUNS)
_PLACE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")
_COMPARED = 10_000
_FURTHEST = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """What a grader says of an answer."""

    score: float
    passed: bool


def checked(value: Any, at: str) -> Object:
    """A grader as it is kept, with an id."""
    given = checks.mapping(value, at)
    kind = checks.text(given, "type", f"{at}.type", required=True)
    if kind == "python":
        raise checks.refuse("The sandbox runs no code: graders of type 'python' are not available.", f"{at}.type")
    checks.one_of(kind, f"{at}.type", KINDS)
    name = checks.text(given, "name", f"{at}.name", required=True)
    if kind in ("string_check", "text_similarity"):
        for part in ("input", "reference"):
            checks.text(given, part, f"{at}.{part}", required=True)
    else:
        checks.text(given, "model", f"{at}.model", required=True)
        checks.listed(given.get("input"), f"{at}.input", least=1)
    if kind == "string_check":
        checks.one_of(given.get("operation"), f"{at}.operation", _OPERATIONS)
    elif kind == "text_similarity":
        checks.one_of(given.get("evaluation_metric"), f"{at}.evaluation_metric", _METRICS)
        checks.number(given, "pass_threshold", 0, 1)
    elif kind == "score_model":
        checks.number(given, "pass_threshold", -_FURTHEST, _FURTHEST)
        ends = checks.listed(checks.given(given, "range", [0, 1]), f"{at}.range", "numbers", least=2, most=2)
        if not all(checks.number({"end": end}, "end", -_FURTHEST, _FURTHEST) is not None for end in ends):
            raise checks.wrong_type(f"{at}.range", "an array of numbers", None)
    elif kind == "label_model":
        labels = checks.listed(given.get("labels"), f"{at}.labels", "strings", least=1)
        for place, label in enumerate(checks.listed(given.get("passing_labels"), f"{at}.passing_labels", "strings")):
            checks.one_of(label, f"{at}.passing_labels[{place}]", [str(one) for one in labels])
    return {**given, "id": platform.hex_id(f"{name}-", 32)}


def filled(text: str, names: Object) -> str:
    """A text with what `{{item...}}` and `{{sample...}}` name in their places; empty where there is nothing such."""

    def named(found: re.Match[str]) -> str:
        value: Any = names
        for step in found[1].split("."):
            value = value.get(step) if isinstance(value, dict) else None
        return "" if value is None else value if isinstance(value, str) else encode(value).decode()

    return _PLACE.sub(named, text)


def messages(template: list[Any], names: Object) -> list[Object]:
    """Messages with their places filled in, each with a text."""
    made = []
    for one in template:
        content = one.get("content") if isinstance(one, dict) else None
        if isinstance(content, dict):
            content = content.get("text")
        role = one.get("role", "user") if isinstance(one, dict) else "user"
        made.append({"role": role, "content": filled(str(content or ""), names)})
    return made


async def grade(grader: Object, names: Object, ask: Ask) -> Grade:
    """What a grader says; `names` are `item` and `sample`."""
    kind = grader["type"]
    if kind == "string_check":
        given, wanted = filled(grader["input"], names), filled(grader["reference"], names)
        passed = _OPERATIONS[grader["operation"]](given, wanted)
        return Grade(score=float(passed), passed=passed)
    if kind == "text_similarity":
        given, wanted = filled(grader["input"], names), filled(grader["reference"], names)
        score = likeness(given, wanted, grader["evaluation_metric"])
        return Grade(score=score, passed=score >= (grader.get("pass_threshold") or 0))
    said = await ask(grader["model"], messages(grader["input"], names), _schema(grader))
    if kind == "label_model":
        passed = bool(said) and (said or {}).get("label") in grader["passing_labels"]
        return Grade(score=float(passed), passed=passed)
    low, high = grader.get("range") or (0, 1)
    score = min(max(float((said or {}).get("result", low)), low), high)
    return Grade(score=score, passed=said is not None and score >= (grader.get("pass_threshold") or 0))


def _schema(grader: Object) -> Object:
    if grader["type"] == "label_model":
        properties: Object = {"label": {"type": "string", "enum": grader["labels"]}}
    else:
        properties = {"result": {"type": "number"}}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def likeness(given: str, wanted: str, metric: str) -> float:
    """How alike two texts are, from 0 to 1: by characters, or by runs of so many words (their F1)."""
    if metric == "fuzzy_match":
        return round(SequenceMatcher(None, given[:_COMPARED], wanted[:_COMPARED], autojunk=False).ratio(), 4)
    ours, theirs = (_runs(text, _RUNS[metric]) for text in (given, wanted))
    shared = sum((ours & theirs).values())
    total = sum(ours.values()) + sum(theirs.values())
    return round(2 * shared / total, 4) if total else 0.0


def _runs(text: str, length: int) -> Counter[tuple[str, ...]]:
    words = text.casefold().split()[:_COMPARED]
    return Counter(tuple(words[at : at + length]) for at in range(len(words) - length + 1))


def decoded(text: str) -> Object | None:
    """An answer in JSON; None where it is none."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
