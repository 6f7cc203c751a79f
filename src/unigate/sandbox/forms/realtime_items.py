"""The conversation of a realtime session: its items, what the model sees of them, and how many tokens they are."""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from unigate.sandbox.brain import tokens
from unigate.sandbox.brain.prompt import Choosing, Prompt, Tool, ToolCall, Turn
from unigate.sandbox.forms import checks
from unigate.sandbox.forms.realtime_sound import milliseconds, transcript
from unigate.sandbox.serving.answer import Object

#: Milliseconds of sound per token: the caller's, and the model's.
HEARD, SAID = 100, 50
_PICTURE = 85
_FRAME = 4
_KINDS = ("message", "function_call", "function_call_output")
_ROLES = ("user", "assistant", "system")
_CACHED_IN_STEPS = 64


@dataclass(slots=True)
class Item:
    """One item: as it is shown, and what it counts."""

    shown: Object
    #: What the model understands of it.
    heard: str = ""
    #: Tokens of text, sound and pictures.
    text: int = 0
    audio: int = 0
    image: int = 0
    #: Milliseconds of sound.
    ms: int = 0

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.shown["id"])


def spoken(item_id: str, data: bytes, kind: str) -> Item:
    """An item of the caller's sound."""
    ms = milliseconds(data, kind)
    shown = {
        "id": item_id,
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    return Item(shown, heard=transcript(ms), text=0, audio=-(-ms // HEARD), ms=ms)


def read(item_id: str, told: object, kind: str) -> Item:
    """An item that the caller puts in; VendorError."""
    item = dict(checks.mapping(told, "item"))
    if "type" not in item:
        raise checks.refuse("Missing required parameter: 'item.type'.", "item.type", "missing_required_parameter")
    what = checks.one_of(item["type"], "item.type", _KINDS)
    shown: Object = {
        "id": item.get("id") or item_id,
        **{k: v for k, v in item.items() if k != "id"},
        "status": "completed",
    }
    made = Item(shown, text=_FRAME)
    if what != "message":
        value = item.get("output" if what == "function_call_output" else "arguments")
        if not isinstance(value, str):
            field = "output" if what == "function_call_output" else "arguments"
            raise checks.refuse(
                f"Missing required parameter: 'item.{field}'.", f"item.{field}", "missing_required_parameter"
            )
        made.heard = value
        made.text += tokens.count(value)
        return made
    checks.one_of(item.get("role"), "item.role", _ROLES)
    parts = checks.listed(item.get("content"), "item.content")
    shown["content"] = [
        _part(made, checks.mapping(part, f"item.content[{at}]"), at, kind) for at, part in enumerate(parts)
    ]
    return made


def _part(item: Item, part: Object, at: int, kind: str) -> Object:
    where = f"item.content[{at}]"
    what = checks.one_of(
        part.get("type"),
        f"{where}.type",
        ("input_text", "input_audio", "input_image", "text", "output_text", "output_audio", "audio"),
    )
    if what in {"input_text", "text", "output_text"}:
        said = checks.text(part, "text", f"{where}.text", required=True)
        item.heard = f"{item.heard} {said}".strip()
        item.text += tokens.count(said)
        return part
    if what == "input_image":
        item.image += _PICTURE
        return part
    try:
        data = base64.b64decode(part.get("audio") or "", validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise checks.refuse(
            f"Invalid '{where}.audio': it is not valid base64.", f"{where}.audio", "invalid_value"
        ) from None
    ms = milliseconds(data, kind)
    item.ms += ms
    item.audio += -(-ms // HEARD)
    item.heard = f"{item.heard} {part.get('transcript') or transcript(ms)}".strip()
    return {"type": what, "transcript": part.get("transcript")}


class Conversation:
    """All items, in their order."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        #: What the last response read: tokens of text, sound and pictures.
        self._read = (0, 0, 0)

    def last(self) -> str | None:
        """The id of the last item."""
        return self.items[-1].id if self.items else None

    def find(self, item_id: object) -> Item:
        """The item of that id; VendorError."""
        found = next((item for item in self.items if item.id == item_id), None)
        if found is None:
            raise checks.refuse(f"Error: the item with id '{item_id}' does not exist.", "item_id", "item_not_found")
        return found

    def prompt(self, instructions: str, tools: list[Any], choice: object) -> Prompt:
        """What the model sees."""
        turns = [Turn(role="system", text=instructions)] if instructions else []
        turns += [_turn(item) for item in self.items]
        return Prompt(
            turns=tuple(turns), tools=tuple(_tool(tool) for tool in tools if "name" in tool), choosing=_choosing(choice)
        )

    def usage(self, instructions: str, tools: list[Any], output: tuple[int, int]) -> Object:
        """The usage of a response that reads all of it and says so many tokens of text and sound."""
        text = tokens.count(instructions) + sum(item.text for item in self.items)
        text += sum(tokens.count(json.dumps(tool)) for tool in tools)
        audio, image = sum(item.audio for item in self.items), sum(item.image for item in self.items)
        now = (text, audio, image)
        cached = [
            min(before, here) // _CACHED_IN_STEPS * _CACHED_IN_STEPS
            for before, here in zip(self._read, now, strict=True)
        ]
        self._read = now
        total, said = text + audio + image, sum(output)
        return {
            "total_tokens": total + said,
            "input_tokens": total,
            "output_tokens": said,
            "input_token_details": {
                "text_tokens": text,
                "audio_tokens": audio,
                "image_tokens": image,
                "cached_tokens": sum(cached),
                "cached_tokens_details": {
                    "text_tokens": cached[0],
                    "audio_tokens": cached[1],
                    "image_tokens": cached[2],
                },
            },
            "output_token_details": {"text_tokens": output[0], "audio_tokens": output[1]},
        }


def _turn(item: Item) -> Turn:
    shown = item.shown
    if shown["type"] == "function_call":
        call = ToolCall(id=str(shown.get("call_id")), name=str(shown.get("name")), arguments=item.heard)
        return Turn(role="assistant", calls=(call,))
    if shown["type"] == "function_call_output":
        return Turn(role="tool", text=item.heard, answers=str(shown.get("call_id")))
    role = shown["role"]
    return Turn(role=role, text=item.heard)


def _tool(told: Object) -> Tool:
    return Tool(
        name=told["name"],
        description=told.get("description") or "",
        schema=told.get("parameters") or {"type": "object"},
    )


def _choosing(told: object) -> Choosing:
    if isinstance(told, dict) and isinstance(told.get("name"), str):
        return Choosing(mode="required", only=frozenset({told["name"]}))
    if told == "required":
        return Choosing(mode="required")
    return Choosing(mode="none") if told == "none" else Choosing()
