"""Moderations in OpenAI's form: each text gets a judgement, a list of parts gets one together.

Of pictures only the words in a linked address are looked at. https://platform.openai.com/docs/api-reference/moderations
"""

from dataclasses import dataclass
from typing import Any

from unigate.sandbox.brain import harm, seeds
from unigate.sandbox.forms import checks, openai_messages, openai_named, openai_request
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model
from unigate.sandbox.serving.answer import Answer, Object, Whole
from unigate.sandbox.serving.face import Call, Handler

_USUAL = "omni-moderation-latest"
#: Categories that older models do not know.
_NEWER = frozenset({"illicit", "illicit/violent"})


@dataclass(frozen=True, slots=True)
class _Given:
    """What is judged together: a text, and words that pictures are known by (None: there is no picture)."""

    text: str
    seen: str | None = None


def moderations(manner: Manner) -> Handler:
    """POST /moderations."""

    async def handle(call: Call) -> Answer:
        """Answer with a judgement for each input."""
        body = openai_request.decode(call.body)
        model = openai_named.model(manner, call, body, "harm", _USUAL)
        given = [] if "empty" in call.fault else _read(body.get("input"), model)
        identity = seeds.hexadecimal(seeds.dice(openai_request.seed(body), call.number, "modr"), 32)
        return Whole(
            payload={
                "id": f"modr-{identity}",
                "model": model.snapshot or model.name,
                "results": [_judged(one, model) for one in given],
            },
            indent=manner.indent,
            usage={"call": 1},
            model=model.name,
            pace=model.pace,
        )

    return handle


def _read(value: Any, model: Model) -> list[_Given]:
    if value is None:
        raise checks.missing("input")
    if isinstance(value, str):
        return [_Given(value)]
    listed = checks.listed(value, "input", "strings", least=1)
    if isinstance(listed[0], dict):
        return [_together(listed, model)]
    for place, item in enumerate(listed):
        if not isinstance(item, str):
            raise checks.wrong_type(f"input[{place}]", "a string", item)
    return [_Given(text) for text in listed]


def _together(parts: list[Any], model: Model) -> _Given:
    texts: list[str] = []
    seen: list[str] = []
    for place, item in enumerate(parts):
        param = f"input[{place}]"
        part = checks.mapping(item, param)
        if checks.one_of(part.get("type"), f"{param}.type", ("text", "image_url")) == "text":
            texts.append(checks.text(part, "text", f"{param}.text", required=True))
            continue
        if not model.sees:
            raise checks.refuse("This model does not support image inputs.", param, "invalid_value")
        inner = checks.mapping(part.get("image_url"), f"{param}.image_url")
        linked = openai_messages.picture(inner, param).width is None
        seen.append(inner["url"] if linked else "")
    return _Given("\n".join(texts), "\n".join(seen) if seen else None)


def _judged(given: _Given, model: Model) -> Object:
    text = harm.scores(given.text)
    seen = harm.scores(_words(given.seen)) if given.seen is not None else None
    categories: Object = {}
    scores: Object = {}
    applied: Object = {}
    for name in harm.CATEGORIES:
        if not model.sees and name in _NEWER:
            categories[name], scores[name], applied[name] = None, 0.0, []
            continue
        score, applied[name] = text[name], ["text"] if given.text or seen is None else []
        if seen is not None and name in harm.SEEN:
            score = max(score, seen[name])
            applied[name].append("image")
        categories[name], scores[name] = score >= harm.APPLIES, score
    return {
        "flagged": any(categories.values()),
        "categories": categories,
        "category_scores": scores,
        "category_applied_input_types": applied,
    }


def _words(address: str) -> str:
    """An address as words."""
    return "".join(letter if letter.isalnum() else " " for letter in address)
