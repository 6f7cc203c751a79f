"""A realtime session while it lasts: events pass in both directions as they came, and are heeded where they cost.

Who is slow is waited for, on both sides. However it ends, what was said is paid: a response that nobody hears any more is
cancelled at the provider, whose last word tells what it cost; only where that word does not come we count ourselves.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from unigate.base import ids
from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import GatewayError, InvalidKey, NoFunds, StoreUnavailable, StreamBroken
from unigate.base.websocket import ABNORMAL, Message, WebSocket
from unigate.dialects import openai_realtime as spoken
from unigate.dialects import openai_realtime_events as events
from unigate.dialects.openai_realtime_context import HEARD, Context
from unigate.dialects.openai_realtime_events import VendorEvent
from unigate.relay.call import Call
from unigate.relay.realtime_models import Models
from unigate.relay.realtime_money import Reach, Till, Window
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.spec.caller import Key
from unigate.spec.record import End
from unigate.spec.usage import Usage

#: Close codes of our own: the server restarts, the caller may not go on, something failed, come again later.
RESTART, NOT_ALLOWED, FAILED, LATER = 1012, 1008, 1011, 1013
NO_STATUS = 1005
#: Seconds between two looks at keys and limits of time.
LOOK = 1.0
#: Seconds for a provider's last word on a response that was cancelled.
LAST_WORD = 5.0
#: Of the model's context where that is not known.
UNKNOWN_CONTEXT = 128_000


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a session ends, and what both sides are told."""

    end: End
    code: int
    reason: str = ""
    #: Told to the caller in an event before.
    error: GatewayError | None = None


class SessionExpired(GatewayError):
    """The session has reached its longest time."""

    kind = "invalid_request_error"
    default_code = "session_expired"


class Session:
    """One session between a caller and a provider."""

    def __init__(
        self, call: Call, svc: Services, till: Till, candidate: Candidate, known: Callable[[], Awaitable[Key | None]]
    ) -> None:
        """`known`: the caller's key as it is now, None where there is none any more."""
        self._call = call
        self._svc = svc
        self._till = till
        self._candidate = candidate
        self._known = known
        self._models = Models(call, svc, candidate)
        self._context = Context()
        self._moved = self._began = monotonic()
        #: Nobody listens any more.
        self._mute = False
        #: Why it is to end, where what the vendor said was the reason: the rest of that is still heard.
        self._stopped: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._caller: WebSocket
        self._vendor: WebSocket

    async def run(self, caller: WebSocket, vendor: WebSocket) -> Ending:
        """Serve it to its end; everything is settled then, also where this is cancelled."""
        self._caller, self._vendor = caller, vendor
        loop = asyncio.get_running_loop()
        hearing = loop.create_task(self._guarded(self._from_vendor()))
        others = [loop.create_task(self._guarded(work)) for work in (self._from_caller(), self._watch())]
        ending = Ending("failed", FAILED)
        try:
            ends: list[asyncio.Future[Ending]] = [self._stopped, *others, hearing]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            ending = next(end for end in ends if end.done()).result()
            for task in others:
                task.cancel()
            await self._finish(ending, hearing)
        except asyncio.CancelledError:
            ending = Ending("caller_left", RESTART, "the server restarts")
            raise
        finally:
            for task in (hearing, *others):
                task.cancel()
            self._till.close(ending.end, self._estimated, self._written)
            caller.close(ending.code, ending.reason)
            vendor.close(_passable(ending.code))
            await asyncio.gather(hearing, *others, return_exceptions=True)
        return ending

    async def _finish(self, ending: Ending, hearing: "asyncio.Task[Ending]") -> None:
        """Tell the caller, and let the provider say what is not paid yet."""
        self._mute = True
        if ending.error is not None:
            self._complain(ending.error)
        self._caller.close(ending.code, ending.reason)
        for response_id in self._till.active:
            self._vendor.send(Message(spoken.cancel_event(response_id)))
        end = monotonic() + LAST_WORD
        while self._till.busy and not hearing.done() and self._vendor.open and (left := end - monotonic()) > 0:
            await asyncio.wait([hearing], timeout=min(left, 0.05))

    async def _guarded(self, work: Awaitable[Ending]) -> Ending:
        """What an error of the gateway's own makes of the session."""
        try:
            return await work
        except GatewayError as error:
            return _ending_of(error)

    def _stop(self, error: GatewayError) -> None:
        """It cannot go on; nobody is told any more what the vendor says, but it is heard."""
        self._mute = True
        if not self._stopped.done():
            self._stopped.set_result(_ending_of(error))

    def _complain(self, error: GatewayError, about: object = None) -> None:
        """Tell the caller what is wrong."""
        self._caller.send(Message(spoken.error_event(error, self._call.id, ids.new("event"), about)))

    # From the caller.

    async def _from_caller(self) -> Ending:
        caller, vendor = self._caller, self._vendor
        while (message := await caller.receive()) is not None:
            self._moved = monotonic()
            data = message.data
            if message.text and (event := events.read_caller(data)) is not None:
                if event.type in events.UPDATES:
                    try:
                        data = self._models.update(data, event)
                    except GatewayError as error:
                        self._complain(error, event.event_id)
                        continue
                self._context.asked(event)
                await self._till.cover(self._reach())
            if vendor.send(Message(data, message.text)):
                await vendor.drain()
        code, reason = caller.closed
        return Ending("caller_left" if self._till.busy else "completed", code, reason)

    # From the vendor.

    async def _from_vendor(self) -> Ending:
        caller, vendor = self._caller, self._vendor
        while (message := await vendor.receive()) is not None:
            self._moved = monotonic()
            event = events.read_vendor(message.data) if message.text else None
            try:
                if event is not None:
                    await self._heed(event)
                if not self._mute and caller.send(message):
                    await caller.drain()
                if event is not None and event.type == "response.done" and not self._mute:
                    await self._till.ready(self._reach())
            except GatewayError as error:
                self._stop(error)
        code, reason = vendor.closed
        if code == ABNORMAL:
            self._svc.router.failed(self._candidate, StreamBroken(), delivered=True)
            return Ending("upstream_broken", FAILED, "upstream_error", StreamBroken())
        return Ending("upstream_broken" if self._till.busy else "completed", code, reason)

    async def _heed(self, event: VendorEvent) -> None:
        """What an event of the vendor means for the money."""
        till, context = self._till, self._context
        if event.sound or event.words:
            if not self._mute:
                await till.spoke(event.response_id, event.words, event.sound, context.spoken)
        elif event.type == "response.created":
            await self._begun(events.read_response(event.response).id)
        elif event.type == "response.done":
            await self._answered(events.read_response(event.response))
        elif event.tells_session:
            facts = events.read_session(event.session)
            self._models.told(facts)
            context.configured(event, facts)
            await till.cover(self._reach())
        elif event.type == "input_audio_buffer.committed":
            ms = context.committed()
            if (written := self._models.writes) is not None:
                await till.write(event.item_id, written.quote, written.model, ms, ms * HEARD // 1000 + 1)
        elif event.transcribed:
            await self._transcribed(event)
        elif event.type.endswith("input_audio_transcription.delta"):
            window = till.writing.get(event.item_id)
            if window is not None:
                window.words += max(len(memoryview(event.delta)) // 4, 1)

    async def _begun(self, response_id: str) -> None:
        """A response begins; one that can't be paid is stopped."""
        self._context.began()
        try:
            await self._till.begin(response_id, self._reach())
        except GatewayError:
            self._vendor.send(Message(spoken.cancel_event(response_id)))
            raise

    async def _answered(self, response: events.Answered) -> None:
        """A response is done: what it cost, and what it leaves for the next one to read."""
        window = self._till.active.get(response.id)
        told = events.read_usage(response.usage)
        if response.status == "failed":
            await self._till.answered(response.id, Usage(), "failed")
            return
        usage = told or (self._estimated(window) if window is not None else Usage())
        if told is not None:
            self._context.answered(told, response.conversation_id is not None)
        if not usage.output_tokens:
            await self._till.answered(response.id, Usage(), "empty")
            return
        await self._till.answered(response.id, usage, "canceled" if response.status == "cancelled" else "completed")

    async def _transcribed(self, event: VendorEvent) -> None:
        """What the caller said was written down, or could not be."""
        window = self._till.writing.get(event.item_id)
        usage = events.read_transcription_usage(event.usage)
        if event.transcribed == "failed":
            await self._till.written(event.item_id, Usage(), "failed")
            return
        if window is None:
            if (written := self._models.writes) is None:
                return
            await self._till.write(event.item_id, written.quote, written.model, 0, 1)
            window = self._till.writing[event.item_id]
        if usage is None:
            window.words = max(window.words, len(event.transcript or "") // 4)
            usage = self._written(window)
        await self._till.written(event.item_id, usage, "completed")

    def _estimated(self, window: Window) -> Usage:
        return self._context.estimated(window.words, window.sound)

    def _written(self, window: Window) -> Usage:
        """Usage of a transcription that does not tell, in all units in which one may be priced."""
        units = {"audio_input": window.ms * HEARD // 1000, "output": window.words, "milliseconds": window.ms}
        return Usage({unit: count for unit, count in units.items() if count}, estimated=True)

    def _reach(self) -> Reach:
        """What the next response may come to."""
        model = self._svc.models.get(self._call.facts.model)
        limit = (model.input_limit if model is not None else None) or UNKNOWN_CONTEXT
        context = self._context
        return Reach(limit if context.open else min(context.most, limit), context.units)

    # Time.

    async def _watch(self) -> Ending:
        """Look now and then whether the session may go on, and whether both sides are there."""
        bounds = self._svc.settings.realtime
        while True:
            await asyncio.sleep(LOOK)
            now = monotonic()
            self._caller.look(now)
            self._vendor.look(now)
            if self._caller.retired and not self._till.busy:
                return Ending("completed", RESTART, "the server restarts")
            if now - self._began >= bounds.session_seconds:
                told = f"Your session hit the maximum duration of {bounds.session_seconds / 60:g} minutes."
                return Ending("completed", NOT_ALLOWED, "session_expired", SessionExpired(told))
            if now - self._moved >= bounds.idle_seconds and not self._till.busy:
                told = f"Nothing was said for {bounds.idle_seconds:g} seconds."
                return Ending("completed", NOT_ALLOWED, "session_idle", SessionExpired(told, code="session_idle"))
            await self._check()
            await self._till.renew(self._reach())

    async def _check(self) -> None:
        """Whether the key may still do what it does; InvalidKey, Forbidden."""
        call = self._call
        try:
            key = await self._known()
        except StoreUnavailable:
            return  # nobody knows; calls that are served meanwhile go on as well
        if key is None:
            raise InvalidKey
        self._svc.keys.check(key, call.facts.model, call.x.client, now_ms(), call.operation)
        call.key = key


def _ending_of(error: GatewayError) -> Ending:
    """What an error of the gateway's own makes of a session."""
    if isinstance(error, NoFunds):
        return Ending("out_of_funds", NOT_ALLOWED, "insufficient_quota", error)
    return Ending("failed", LATER if isinstance(error, StoreUnavailable) else NOT_ALLOWED, error.code, error)


def _passable(code: int) -> int:
    """A close code as it may be sent."""
    return 1000 if code in (NO_STATUS, ABNORMAL) else code
