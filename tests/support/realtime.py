"""A caller of the realtime API over a bare WebSocket, and what a session costs by the prices below."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from support.stage import Stage
from unigate.sandbox.brain.sound import tone

#: Seconds for anything that must happen.
BOUND = 60.0
PRICES = """
prices:
  - {model: gpt-realtime, input: 1, cached_input: 0.5, audio_input: 10, cached_audio_input: 2, output: 4, audio_output: 20}
  - {model: talk, input: 1, cached_input: 0.5, audio_input: 10, cached_audio_input: 2, output: 4, audio_output: 20}
  - {model: gpt-4o-transcribe, input: 2, audio_input: 6, output: 8}
  - {model: whisper-1, per_minute: 0.006}
"""
#: Nano-USD per unit, as the prices above have it.
RATES = {
    "input": 1000,
    "cached_input": 500,
    "audio_input": 10_000,
    "cached_audio_input": 2000,
    "output": 4000,
    "audio_output": 20_000,
}


class Talker:
    """One session."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.seen: list[dict[str, Any]] = []

    async def say(self, kind: str, **values: object) -> None:
        """Send an event."""
        await self.socket.send(json.dumps({"type": kind, **values}))

    async def ask(self, text: str, **response: object) -> None:
        """Put a text in, and ask for a response."""
        part = {"type": "input_text", "text": text}
        await self.say("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
        await self.say("response.create", **({"response": response} if response else {}))

    async def next(self) -> dict[str, Any]:
        """The next event."""
        async with asyncio.timeout(BOUND):
            event: dict[str, Any] = json.loads(await self.socket.recv())
        self.seen.append(event)
        return event

    async def until(self, kind: str) -> dict[str, Any]:
        """The next event of a type; what came before it stands in `seen`."""
        while (event := await self.next())["type"] != kind:
            pass
        return event

    async def answer(self, text: str, **response: object) -> dict[str, Any]:
        """The response to a text, once it is done."""
        await self.ask(text, **response)
        found: dict[str, Any] = (await self.until("response.done"))["response"]
        return found

    async def closed(self) -> tuple[int, str]:
        """Read to the end; with which code and reason it was closed."""
        try:
            while True:
                await self.next()
        except ConnectionClosed as end:
            told = end.rcvd
            return (told.code, told.reason) if told is not None else (1006, "")

    def types(self) -> list[str]:
        """The types of all events seen."""
        return [event["type"] for event in self.seen]


@asynccontextmanager
async def talking(
    stage: Stage, *, key: str = "", model: str = "gpt-realtime", query: str = "", text_only: bool = True, **options: Any
) -> AsyncIterator[Talker]:
    """A session; its first event was read."""
    headers = {"authorization": f"Bearer {key or stage.key}", **options.pop("headers", {})}
    if key == "-":
        del headers["authorization"]
    url = f"{stage.url.replace('http', 'ws')}/v1/realtime?{query or f'model={model}'}"
    try:
        socket = await connect(
            url, additional_headers=headers, max_size=None, open_timeout=BOUND, ping_interval=None, **options
        )
    except InvalidStatus:
        for _ in range(5):  # what was aborted closes in the turns that follow
            await asyncio.sleep(0)
        raise
    async with socket:
        talker = Talker(socket)
        await talker.next()
        if text_only:
            await talker.say("session.update", session={"type": "realtime", "output_modalities": ["text"]})
            await talker.until("session.updated")
        yield talker


def spoken(ms: int) -> str:
    """So much of somebody who speaks, in base64."""
    return base64.b64encode(tone(ms, 300)).decode()


def silence(ms: int) -> str:
    """So much of nobody who does."""
    return base64.b64encode(bytes(48 * ms)).decode()


def cost(usage: dict[str, Any]) -> int:
    """What a response's usage costs in nano-USD, computed by hand from what the vendor told."""
    given, said = usage["input_token_details"], usage["output_token_details"]
    cached = given["cached_tokens_details"]
    units = {
        "input": given["text_tokens"] - cached["text_tokens"],
        "cached_input": cached["text_tokens"],
        "audio_input": given["audio_tokens"] - cached["audio_tokens"],
        "cached_audio_input": cached["audio_tokens"],
        "output": said["text_tokens"],
        "audio_output": said["audio_tokens"],
    }
    return sum(RATES[unit] * count for unit, count in units.items())
