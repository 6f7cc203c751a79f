"""The realtime API on its WebSocket: a session that hears, answers, and says what is wrong in the vendor's words.

https://platform.openai.com/docs/api-reference/realtime-client-events
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from unigate.sandbox.forms import checks
from unigate.sandbox.forms.manner import Manner
from unigate.sandbox.forms.realtime_config import Config
from unigate.sandbox.forms.realtime_items import HEARD, Conversation, read, spoken
from unigate.sandbox.forms.realtime_line import Line
from unigate.sandbox.forms.realtime_response import Response, checked, respond
from unigate.sandbox.forms.realtime_sound import milliseconds, speaks
from unigate.sandbox.serving.answer import Object, VendorError
from unigate.sandbox.serving.line import CallerLeft
from unigate.sandbox.serving.socket import Meeting, Talk

#: The least sound that can be committed, in milliseconds.
_LEAST = 100
_SECRETS = "realtime secret"


def talk(manner: Manner) -> Talk:
    """GET /realtime."""

    async def serve(meeting: Meeting) -> None:
        """Serve one session."""
        told = meeting.world.shelf.get(meeting.credential, _SECRETS)
        bound: Object = told if isinstance(told, dict) else {}
        if meeting.credential.startswith("ek_") and not bound:
            raise VendorError(401, "Invalid or expired client secret.", code="invalid_client_secret")
        writes = meeting.query.get("intent") == "transcription" or bound.get("type") == "transcription"
        model = meeting.query.get("model") or bound.get("model") or ("" if not writes else "gpt-4o-transcribe")
        if not model:
            raise VendorError(400, "You must provide a model parameter.", code="missing_model")
        found = manner.models.find(model)
        if not writes and (found is None or (found.kind != "realtime" and found.owner != "sandbox")):
            raise manner.no_model(model)
        beta = (
            "realtime=v1" in meeting.headers.get("openai-beta", "") or "openai-beta.realtime-v1" in meeting.subprotocols
        )
        await meeting.wire.accept("realtime" if "realtime" in meeting.subprotocols else None)
        session = Session(meeting, found.snapshot or model if found else model, beta=beta, writes=writes)
        if bound:
            session.config.beta, kept = False, session.config.beta
            session.config.update({"type": "realtime", **bound})
            session.config.beta = kept
        await session.run()

    return serve


def keep_secret(world: Any, secret: str, session: Object) -> None:
    """Remember what a short-lived secret is bound to."""
    world.shelf.put(secret, _SECRETS, session)


class Session:
    """One session."""

    def __init__(self, meeting: Meeting, model: str, *, beta: bool, writes: bool) -> None:
        self._meeting = meeting
        self._line = Line(meeting, beta=beta)
        self.config = Config(self._line.name("sess"), model, beta=beta, writes=writes)
        self._beta = beta
        self._kind = "transcription_session" if writes and beta else "session"
        self._conversation = Conversation()
        self._buffer = bytearray()
        #: Somebody speaks; milliseconds of silence since, and of sound in all.
        self._speaking = False
        self._silence = self._passed = 0
        self._responses: dict[str, tuple[Response, asyncio.Task[None]]] = {}
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._known: Mapping[str, Callable[[Object], Awaitable[None]]] = {
            "session.update": self._update,
            "transcription_session.update": self._update,
            "conversation.item.create": self._create,
            "conversation.item.retrieve": self._retrieve,
            "conversation.item.truncate": self._truncate,
            "conversation.item.delete": self._delete,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "response.create": self._respond,
            "response.cancel": self._cancel,
        }

    async def run(self) -> None:
        """Serve it until the caller closes, or a fault does."""
        await self._line.send(f"{self._kind}.created", session=self.config.shown())
        hearing = asyncio.get_running_loop().create_task(self._hear())
        try:
            await asyncio.wait([hearing, self._broken], return_when=asyncio.FIRST_COMPLETED)
            if self._broken.done():
                self._broken.result()
            hearing.result()
            if any(not task.done() for _, task in self._responses.values()):
                raise CallerLeft
        finally:
            tasks = [hearing, *(task for _, task in self._responses.values())]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self) -> None:
        async for message in self._meeting.wire.messages():
            event: Any = None
            try:
                event = json.loads(message) if isinstance(message, str) else None
                if not isinstance(event, dict):
                    raise VendorError(
                        400, "Invalid event: it must be a JSON object in a text frame.", code="invalid_json"
                    )
                await self._take(event)
            except ValueError:
                wrong = VendorError(400, "We could not parse the JSON of this event.", code="invalid_json")
                await self._line.error(wrong)
            except VendorError as error:
                await self._line.error(error, event.get("event_id") if isinstance(event, dict) else None)

    async def _take(self, event: Object) -> None:
        kind = event.get("type")
        if kind is None:
            raise checks.refuse("Missing required parameter: 'type'.", "type", "missing_required_parameter")
        known = self._known.get(kind) if isinstance(kind, str) else None
        if known is None:
            told = ", ".join(f"'{name}'" for name in self._known)
            raise checks.refuse(f"Invalid value: '{kind}'. Supported values are: {told}.", "type", "invalid_value")
        await known(event)

    # Configuration and items.

    async def _update(self, event: Object) -> None:
        self.config.update(event.get("session"))
        await self._line.send(f"{self._kind}.updated", session=self.config.shown())

    async def _create(self, event: Object) -> None:
        item = read(self._line.name("item"), event.get("item"), self.config.input_format)
        previous = self._conversation.last()
        self._conversation.items.append(item)
        self._line.heed(item.heard)
        await self._added(previous, item.shown)

    async def _added(self, previous: str | None, shown: Object) -> None:
        await self._line.send(self._line.added, previous_item_id=previous, item=shown)
        if not self._beta:
            await self._line.send("conversation.item.done", previous_item_id=previous, item=shown)

    async def _retrieve(self, event: Object) -> None:
        await self._line.send("conversation.item.retrieved", item=self._conversation.find(event.get("item_id")).shown)

    async def _truncate(self, event: Object) -> None:
        item = self._conversation.find(event.get("item_id"))
        item.audio = min(item.audio, (checks.integer(event, "audio_end_ms", 0, None) or 0) // HEARD)
        told = {name: event.get(name) for name in ("item_id", "content_index", "audio_end_ms")}
        await self._line.send("conversation.item.truncated", **told)

    async def _delete(self, event: Object) -> None:
        self._conversation.items.remove(self._conversation.find(event.get("item_id")))
        await self._line.send("conversation.item.deleted", item_id=event["item_id"])

    # Sound.

    async def _append(self, event: Object) -> None:
        try:
            data = base64.b64decode(event.get("audio") or b"", validate=True)
        except (binascii.Error, ValueError, TypeError):
            data = b""
        if not data:
            told = "Invalid 'audio': it must be base64-encoded sound in the session's input format."
            raise checks.refuse(told, "audio", "invalid_value")
        self._buffer += data
        self._passed += milliseconds(data, self.config.input_format)
        if (turns := self.config.heard["turn_detection"]) is not None:
            await self._detect(data, turns)

    async def _detect(self, data: bytes, turns: Object) -> None:
        """Tell when somebody begins to speak, and when they have said all."""
        kind = self.config.input_format
        if speaks(data, kind):
            self._silence = 0
            if not self._speaking:
                self._speaking = True
                if turns.get("interrupt_response", True):
                    for response, _ in self._responses.values():
                        response.stopped = response.stopped or "turn_detected"
                await self._line.send(
                    "input_audio_buffer.speech_started", audio_start_ms=self._passed, item_id=self._line.name("item")
                )
            return
        self._silence += milliseconds(data, kind)
        if self._speaking and self._silence >= int(turns.get("silence_duration_ms", 200)):
            self._speaking, self._silence = False, 0
            await self._line.send("input_audio_buffer.speech_stopped", audio_end_ms=self._passed, item_id=None)
            await self._committed()
            if turns.get("create_response", True) and not self.config.writes:
                await self._answer({})

    async def _commit(self, _event: Object) -> None:
        ms = milliseconds(bytes(self._buffer), self.config.input_format)
        if ms < _LEAST:
            told = f"Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has {ms}.00ms of audio."
            raise checks.refuse(told, None, "input_audio_buffer_commit_empty")
        await self._committed()

    async def _clear(self, _event: Object) -> None:
        self._buffer.clear()
        await self._line.send("input_audio_buffer.cleared")

    async def _committed(self) -> None:
        """What was heard becomes an item, and is written down where that is wanted."""
        item = spoken(self._line.name("item"), bytes(self._buffer), self.config.input_format)
        self._buffer.clear()
        previous = self._conversation.last()
        self._conversation.items.append(item)
        await self._line.send("input_audio_buffer.committed", previous_item_id=previous, item_id=item.id)
        await self._added(previous, item.shown)
        if writer := self.config.writer:
            await self._write_down(item.id, item.heard, item.ms, writer)

    async def _write_down(self, item_id: str, said: str, ms: int, writer: str) -> None:
        name = "conversation.item.input_audio_transcription."
        for word in said.split(" "):
            await self._line.send(f"{name}delta", item_id=item_id, content_index=0, delta=f"{word} ")
        usage: Object = {"type": "duration", "seconds": ms / 1000}
        if "whisper" not in writer:
            heard, words = -(-ms // HEARD), len(said.split(" ")) + 2
            details = {"text_tokens": 0, "audio_tokens": heard}
            usage = {"type": "tokens", "total_tokens": heard + words, "input_tokens": heard, "output_tokens": words}
            usage["input_token_details"] = details
        if "missing-usage" in self._line.fault:
            usage = {}
        await self._line.send(f"{name}completed", item_id=item_id, content_index=0, transcript=said, usage=usage)

    # Responses.

    async def _respond(self, event: Object) -> None:
        if self.config.writes:
            raise checks.refuse("This session only transcribes: it makes no responses.", "type", "invalid_value")
        told = checks.mapping(event.get("response") or {}, "response")
        await self._answer(told)

    async def _answer(self, told: Object) -> None:
        checked(told, self.config)
        outside = told.get("conversation") == "none"
        under_way = [r for r, task in self._responses.values() if r.kept and not task.done()]
        if under_way and not outside:
            said = f"Conversation already has an active response in progress: {under_way[0].id}. Wait until the response is finished before creating a new one."
            raise checks.refuse(said, None, "conversation_already_has_active_response")
        conversation = self._conversation
        if "input" in told:
            conversation = Conversation()
            for given in checks.listed(told["input"], "response.input"):
                conversation.items.append(read(self._line.name("item"), given, self.config.input_format))
        response = Response(self._line.name("resp"), self.config, told, conversation, kept=not outside)
        task = asyncio.get_running_loop().create_task(self._make(response))
        self._responses = {known: pair for known, pair in self._responses.items() if not pair[1].done()}
        self._responses[response.id] = (response, task)

    async def _make(self, response: Response) -> None:
        try:
            await respond(response, self._line)
        except Exception as error:  # noqa: BLE001 - it is raised where the session is served
            if not self._broken.done():
                self._broken.set_exception(error)

    async def _cancel(self, event: Object) -> None:
        wanted = event.get("response_id")
        found = [r for r, task in self._responses.values() if not task.done() and wanted in (None, r.id)]
        if not found:
            raise checks.refuse("Cancellation failed: no active response found", None, "response_cancel_not_active")
        for response in found:
            response.stopped = response.stopped or "client_cancelled"
