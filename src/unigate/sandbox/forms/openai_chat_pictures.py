"""Models that chat in pictures: `gpt-4-all` names them in Markdown, `sandbox-image-chat` sends them as OpenRouter does.

https://openrouter.ai/docs/features/multimodal/image-generation. `sandbox-refuse` refuses everything.
"""

import asyncio
import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from unigate.sandbox.brain import seeds, tokens
from unigate.sandbox.brain.hints import unmarked
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.models import Model
from unigate.sandbox.forms.openai_request import Asked
from unigate.sandbox.forms.outcome import Choice, Outcome
from unigate.sandbox.media import draw, files
from unigate.sandbox.serving.answer import Event, Object, VendorError
from unigate.sandbox.serving.face import Call

_MARKDOWN = frozenset({"gpt-4-all", "gpt-4o-image"})
_INLINE = re.compile(r"sandbox-image-chat|.*-image(?:-preview)?")
_REFUSES = "sandbox-refuse"
_SIZE = re.compile(r"(\d{2,4})x(\d{2,4})")


def refuse(asked: Asked) -> None:
    """Refuse what a model refuses that refuses everything."""
    if asked.model.name == _REFUSES:
        told = "Your request was rejected as a result of our safety system."
        raise VendorError(400, told, code="content_policy_violation")


def draws(model: Model) -> bool:
    """Whether a model answers with pictures."""
    return model.name in _MARKDOWN or _INLINE.fullmatch(model.name) is not None


def accept(body: Object, model: Model) -> None:
    """Let a model that draws be asked for pictures by `modalities`."""
    asked = body.get("modalities")
    if draws(model) and isinstance(asked, list):
        body["modalities"] = [one for one in asked if one != "image"] or ["text"]


async def answered(call: Call, asked: Asked, manner: Manner) -> tuple[tuple[Choice, ...], Manner]:
    """What is said, and how it is written."""
    turn = asked.prompt.last("user")
    prompt = turn.text if turn is not None else ""
    found = _SIZE.fullmatch(str(asked.body.get("size", "")))
    size = (int(found[1]), int(found[2])) if found else (512, 512)
    loop = asyncio.get_running_loop()
    made = [
        await loop.run_in_executor(
            call.world.studio, partial(_picture, prompt, size, seeds.seed(f"{prompt}{at}".encode()))
        )
        for at in range(asked.count)
    ]
    if asked.model.name in _MARKDOWN:
        origin = f"http://{call.headers.get('host', '127.0.0.1')}"
        texts = [f"Here it is.\n\n![image]({files.url(origin, call.world.files.put(one, 'png').name)})" for one in made]
        return tuple(_choice(at, text) for at, text in enumerate(texts)), manner
    addresses = ["data:image/png;base64," + base64.b64encode(one).decode() for one in made]
    choices = tuple(_choice(at, f"A picture of {unmarked(prompt).strip()}.") for at in range(asked.count))
    return choices, replace(manner, whole=partial(_whole, addresses), events=partial(_events, addresses))


def _picture(prompt: str, size: tuple[int, int], seed: int) -> bytes:
    return draw.encode(draw.draw(prompt, *size, seed=seed), "png")


def _choice(index: int, text: str) -> Choice:
    return Choice(index=index, content=tuple(tokens.pieces(text)))


def _image(address: str) -> list[Object]:
    return [{"type": "image_url", "image_url": {"url": address}, "index": 0}]


def _whole(addresses: list[str], answer: Object, _outcome: Outcome) -> Object:
    for choice in answer["choices"]:
        choice["message"]["images"] = _image(addresses[choice["index"]])
    return answer


def _events(addresses: list[str], events: Iterator[Event], _outcome: Outcome) -> Iterator[Event]:
    """The picture comes when all is said, before the answer ends."""
    for event in events:
        if event.part == "finish" and isinstance(event.data, dict):
            index = event.data["choices"][0]["index"]
            delta = {"role": "assistant", "content": "", "images": _image(addresses[index])}
            listed = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}
            yield Event({**event.data, "choices": [listed]}, "content", 1)
        yield event
