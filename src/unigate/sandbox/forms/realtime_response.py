"""One response of a realtime session: what it says, as the events in which it is said, in today's names or the beta's."""

import asyncio
import base64
from dataclasses import dataclass, field
from typing import Any

from unigate.sandbox.brain import tokens
from unigate.sandbox.brain.prompt import ToolCall
from unigate.sandbox.brain.think import Thought, think
from unigate.sandbox.forms import realtime_config, realtime_sound
from unigate.sandbox.forms.realtime_config import Config
from unigate.sandbox.forms.realtime_items import SAID, Conversation, Item
from unigate.sandbox.forms.realtime_line import Line
from unigate.sandbox.serving.answer import Object

#: Tokens in one delta of sound.
_GROUP = 4
_MOST = 4096
#: Settings of a response -> their names in the beta.
_BETA = {"output_modalities": "modalities", "max_output_tokens": "max_response_output_tokens"}


@dataclass(slots=True)
class Response:
    """A response while it is made."""

    id: str
    config: Config
    #: As the caller asked for this one.
    told: Object
    conversation: Conversation
    #: It belongs to the session's conversation.
    kept: bool
    #: Why it is to end early: `client_cancelled`, `turn_detected`.
    stopped: str = ""
    text: int = 0
    audio: int = 0
    items: list[Item] = field(default_factory=list)

    def setting(self, name: str) -> Any:
        """A setting of this response."""
        for key in (name, _BETA.get(name, name)):
            if key in self.told:
                value = self.told[key]
                return ["audio"] if name == "output_modalities" and "audio" in value else value
        return self.config.kept[name]

    @property
    def voice(self) -> tuple[str, str]:
        """Format of its sound, and whose voice it is."""
        out = self.config.kept["audio"]["output"]
        return str(out["format"]["type"]), str(out["voice"])

    def shown(self, status: str, details: Object | None = None, usage: Object | None = None) -> Object:
        """The response as an event shows it."""
        base: Object = {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": [item.shown for item in self.items],
            "conversation_id": "conv_sandbox" if self.kept else None,
            "usage": usage,
            "metadata": self.told.get("metadata"),
        }
        if self.config.beta:
            return {
                **base,
                "modalities": ["text", "audio"] if self.setting("output_modalities") == ["audio"] else ["text"],
            }
        most = self.setting("max_output_tokens")
        return {**base, "output_modalities": self.setting("output_modalities"), "max_output_tokens": most}


async def respond(response: Response, line: Line) -> None:
    """Make it, event by event, until its end."""
    await line.send("response.created", response=response.shown("in_progress"))
    prompt = response.conversation.prompt(
        str(response.setting("instructions")), response.setting("tools"), response.setting("tool_choice")
    )
    thought = think(prompt, 0)
    cut = ""
    if line.fault_status:
        await _fail(response, line)
        return
    if not line.empty:
        for call in thought.calls:
            await _call(response, line, call)
        if not thought.calls:
            cut = await _say(response, line, thought)
    status, details = "completed", None
    if response.stopped:
        status, details = "cancelled", {"type": "cancelled", "reason": response.stopped}
    elif cut:
        status, details = "incomplete", {"type": "incomplete", "reason": cut}
    usage = response.conversation.usage(
        str(response.setting("instructions")), response.setting("tools"), (response.text, response.audio)
    )
    if response.kept:
        response.conversation.items += response.items
    line.used(usage)
    await line.done(response.shown(status, details, None if line.silent_usage else usage))


async def _fail(response: Response, line: Line) -> None:
    """End it as the vendor's own failures end."""
    error = {"type": "server_error", "code": None, "message": "The server had an error while processing your request."}
    await line.done(response.shown("failed", {"type": "failed", "error": error}, None))


async def _say(response: Response, line: Line, thought: Thought) -> str:
    """Say a text, in writing or aloud; why it was cut, if it was."""
    aloud = response.setting("output_modalities") == ["audio"]
    beta = response.config.beta
    kind = ("audio" if aloud else "text") if beta else ("output_audio" if aloud else "output_text")
    shown: Object = {
        "id": line.name("item"),
        "type": "message",
        "status": "in_progress",
        "role": "assistant",
        "content": [],
    }
    item = Item(shown, text=0)
    where = {"response_id": response.id, "item_id": item.id, "output_index": len(response.items), "content_index": 0}
    previous = response.conversation.last()
    await line.send(
        "response.output_item.added", response_id=response.id, output_index=where["output_index"], item=shown
    )
    if response.kept:
        await line.send(line.added, previous_item_id=previous, item=shown)
    empty: Object = {"type": "audio", "transcript": ""} if aloud else {"type": "text", "text": ""}
    await line.send("response.content_part.added", **where, part=empty)
    said, cut = await _deltas(response, line, thought.refusal or thought.text, where, kind, aloud=aloud)
    part: Object = {"type": kind, "transcript": said} if aloud else {"type": kind, "text": said}
    if aloud:
        await line.send(f"response.{kind}.done", **where)
        await line.send(f"response.{kind}_transcript.done", **where, transcript=said)
    else:
        await line.send(f"response.{kind}.done", **where, text=said)
    await line.send(
        "response.content_part.done", **where, part={**empty, **{k: v for k, v in part.items() if k != "type"}}
    )
    item.shown = {**shown, "status": "incomplete" if cut or response.stopped else "completed", "content": [part]}
    item.heard = said
    item.text, item.audio = (0, response.audio) if aloud else (response.text, 0)
    response.items.append(item)
    await line.send(
        "response.output_item.done", response_id=response.id, output_index=where["output_index"], item=item.shown
    )
    if response.kept and not beta:
        await line.send("conversation.item.done", previous_item_id=previous, item=item.shown)
    return cut or ("content_filter" if thought.filtered else "")


async def _deltas(
    response: Response, line: Line, text: str, where: Object, kind: str, *, aloud: bool
) -> tuple[str, str]:
    """Send a text piece by piece; what of it was said, and why it was cut."""
    pieces, most = tokens.pieces(text), response.setting("max_output_tokens")
    left = _MOST if most == "inf" else int(most)
    format_, voice = response.voice
    each = 1 + (realtime_sound.PER_TOKEN // SAID if aloud else 0)
    said: list[str] = []
    for at in range(0, len(pieces), _GROUP if aloud else 1):
        group = pieces[at : at + (_GROUP if aloud else 1)]
        group = group[: left // each]
        if response.stopped or not group:
            return "".join(said), "" if response.stopped else "max_output_tokens"
        left -= len(group) * each
        words = "".join(group)
        response.text += len(group)
        said.append(words)
        if aloud:
            data = realtime_sound.speech(len(group), format_, voice)
            response.audio += len(group) * realtime_sound.PER_TOKEN // SAID
            await line.content(len(group), f"response.{kind}_transcript.delta", **where, delta=words)
            await line.content(0, f"response.{kind}.delta", **where, delta=base64.b64encode(data).decode())
        else:
            await line.content(len(group), f"response.{kind}.delta", **where, delta=words)
        await asyncio.sleep(0)
    return "".join(said), ""


async def _call(response: Response, line: Line, call: ToolCall) -> None:
    """Call a function."""
    shown: Object = {
        "id": line.name("item"),
        "type": "function_call",
        "status": "in_progress",
        "name": call.name,
        "call_id": call.id,
        "arguments": "",
    }
    at = len(response.items)
    where = {"response_id": response.id, "item_id": shown["id"], "output_index": at, "call_id": call.id}
    await line.send("response.output_item.added", response_id=response.id, output_index=at, item=shown)
    for piece in tokens.pieces(call.arguments):
        response.text += 1
        await line.content(1, "response.function_call_arguments.delta", **where, delta=piece)
    await line.send("response.function_call_arguments.done", **where, name=call.name, arguments=call.arguments)
    item = Item({**shown, "status": "completed", "arguments": call.arguments}, heard=call.arguments, text=response.text)
    response.items.append(item)
    await line.send("response.output_item.done", response_id=response.id, output_index=at, item=item.shown)


def checked(told: Object, config: Config) -> None:
    """VendorError for what a single response may not have."""
    made: Object = dict(config.kept)
    for name in ("output_modalities", "max_output_tokens", "tools"):
        for key in (_BETA.get(name, name), name):
            if key in told:
                made[name] = told[key]
    realtime_config.check_output(made, "response")
