"""Streams: each piece goes to the caller as it comes, watched for usage; the end waits for the journal.

A stream that breaks ends with the dialect's own error event and without a clean end. A caller who leaves cancels
the upstream request. Both are charged for what went out.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import structlog

from unigate.base.clock import monotonic
from unigate.base.errors import GatewayError, NoFunds, StoreUnavailable, StreamBroken, UpstreamError
from unigate.dialects import Kept, StreamingDialect
from unigate.relay import chat_pictures, references
from unigate.relay.attempts import Opened, served_conditions
from unigate.relay.call import Call
from unigate.relay.holding import Plan
from unigate.relay.keeping import Copy
from unigate.relay.services import Services
from unigate.relay.settling import headers, record, used
from unigate.spec.record import End
from unigate.spec.usage import Usage
from unigate.store.spool import Spooled

log: Any = structlog.get_logger("unigate.relay")
_EVENTS = b"text/event-stream; charset=utf-8"
_BYTES = b"application/octet-stream"
#: The hold is extended when less than this share (one in so many) of the held output is left.
EXTEND_BELOW = 4
#: How long the rest of an answer is awaited behind the dialect's end.
REST_SECONDS = 1.0


class Stream:
    """One stream on its way from a provider to a caller."""

    __slots__ = (
        "_answer",
        "_call",
        "_candidate",
        "_copy",
        "_enough",
        "_first",
        "_held",
        "_last",
        "_looks",
        "_measured",
        "_names",
        "_opening",
        "_plan",
        "_raw",
        "_settled",
        "_svc",
        "_watch",
        "_write",
    )

    def __init__(self, call: Call, svc: Services, plan: Plan, opened: Opened) -> None:
        assert opened.watch is not None
        self._call = call
        self._svc = svc
        self._plan = plan
        self._candidate = opened.candidate
        self._answer = opened.answer
        self._watch = opened.watch
        self._opening = opened.opening
        self._write: Callable[[bytes], bool] = call.x.write
        self._raw = opened.raw
        #: All that went out, where it is to be measured.
        self._measured: Spooled | None = None
        if opened.raw is not None and opened.raw.measure is not None:
            self._measured = svc.spool.file()
            self._write = self._send
        #: What went out, where it is to be kept.
        self._copy: Copy | None = None
        self._first = monotonic()
        #: Output tokens above which the hold is extended.
        self._enough = _enough(plan.output_tokens)
        #: Events with pictures in them, which are to become links.
        self._held: bytes | None = None
        self._looks = call.operation.family == "chat"
        #: What is kept may be named in it by the provider's ids.
        self._names = opened.raw is None and (call.named is not None or call.facts.containers)
        self._last: bytes | None = None
        self._settled = False

    async def run(self) -> None:
        """Carry the stream to its end and settle it, whatever happens."""
        x, call_pictures = self._call.x, self._call.pictures
        kind = _EVENTS if self._raw is None else self._answer.header(b"content-type") or _BYTES
        x.start(200, headers(self._call, self._candidate, kind, None), None)
        if self._call.keep_days and self._raw is None:
            self._write = self._copy = Copy(x.write)
        try:
            if call_pictures is not None:
                self._write = call_pictures.passing(self._write)
            for piece in self._opening:
                await self._say(piece)
            await self._carry()
        except asyncio.CancelledError:
            self._answer.abort()
            self._settle("caller_left", await self._so_far())
            raise
        except UpstreamError as error:
            self._svc.router.failed(self._candidate, error, delivered=True)
            await self._break("upstream_broken", error)
        except GatewayError as error:
            await self._break("out_of_funds" if isinstance(error, NoFunds) else "failed", error)
        except BaseException:
            self._settle("failed", await self._so_far())
            raise
        finally:
            if not self._answer.complete:
                self._answer.abort()
            if not self._settled:  # counting what went out was cancelled too
                self._settle("caller_left", self._estimated())
            if self._measured is not None:
                self._measured.close()

    async def _carry(self) -> None:
        """Pass pieces on until the dialect's end; then settle, and read what is left of the answer."""
        x, watch = self._call.x, self._watch
        while not watch.done:
            if watch.error is not None:
                raise StreamBroken(detail=watch.error.decode("utf-8", "replace"))
            more = await self._answer.pour(self._pass)
            if self._held is not None:
                held, self._held = self._held, None
                await self._say(held)
            if not more:
                break
            await x.drain()
            if self._measured is not None and self._measured.full:
                await self._spool(self._measured)
            if watch.output_tokens > self._enough:
                await self._extend()
        if not watch.done:
            if watch.error is not None:
                raise StreamBroken(detail=watch.error.decode("utf-8", "replace"))
            if rest := watch.finish():
                await self._say(rest)
            if not watch.finished or (self._raw is not None and self._answer.end == "cut"):
                raise StreamBroken
        served_conditions(self._call, watch.service_tier)
        if self._call.facts.stored and (kept := cast(Kept, watch).id):
            await self._svc.bindings.keep(self._call, self._candidate, kept)
        if self._names:
            self._last = await references.told(self._call, self._svc, self._candidate, watch.ending)
        self._settle("empty" if watch.empty else "completed", await self._counted())
        await self._rest()

    def _pass(self, piece: bytes) -> bool:
        """Let the caller have a piece. True where there is something to be waited for before the next, or nothing more."""
        watch = self._watch
        out = watch.feed(piece)
        if self._held is not None or (self._looks and chat_pictures.MARK in out) or (self._names and _names(out)):
            self._held = (self._held or b"") + out
            return True
        full = self._write(out) if out else False
        return full or watch.done or watch.output_tokens > self._enough or watch.error is not None

    async def _say(self, events: bytes) -> None:
        """Let the caller have whole events, with links in place of pictures."""
        if self._looks and chat_pictures.MARK in events:
            events = await chat_pictures.in_events(self._call, self._svc, events)
        if self._names:
            events = await references.told(self._call, self._svc, self._candidate, events)
        self._write(events)

    def _send(self, piece: bytes) -> bool:
        """Write to the caller, and to what is measured; True where one of them is to be waited for."""
        full = self._call.x.write(piece)
        if self._measured is None:
            return full
        self._measured.add(piece)
        return full or self._measured.full

    async def _rest(self) -> None:
        """Read past the dialect's end, so that the connection can be used again; nothing there concerns the caller."""
        with suppress(UpstreamError, TimeoutError):
            async with asyncio.timeout(REST_SECONDS):
                while await self._answer.piece() is not None:
                    pass

    async def _extend(self) -> None:
        """Hold as much output again; NoFunds where the money is used up."""
        plan = self._plan
        if plan.lowered is not None:
            self._enough = 1 << 40  # the provider was told where to stop
            return
        more = self._svc.settings.hold.output_tokens * self._call.facts.count
        facts = self._call.facts
        wanted = plan.quote.bound(plan.input_tokens, plan.output_tokens + more, facts.conditions, facts.units)
        if not plan.hold.grow(wanted - plan.hold.amount):
            await plan.hold.grow_slow(wanted - plan.hold.amount)
        plan.output_tokens += more
        self._enough = _enough(plan.output_tokens)

    def _estimated(self) -> Usage:
        return used(self._call, None, self._watch)

    async def _so_far(self) -> Usage:
        """What went out of a stream that did not end."""
        return await self._counted() if self._watch.content else Usage()

    async def _counted(self) -> Usage:
        """What went out: told by the provider if it was, else measured or counted by us."""
        usage = used(self._call, self._watch.usage or await self._measure(), self._watch)
        return chat_pictures.with_pictures(self._call, usage)

    async def _measure(self) -> Usage | None:
        """What the bytes that went out say of themselves."""
        file, raw = self._measured, self._raw
        if file is None or raw is None or raw.measure is None:
            return None
        try:
            if not file.at_hand:
                await file.write()
            return await self._svc.spool.run(raw.measure, file)
        except Exception:
            log.exception("an answer could not be measured", request_id=self._call.id)
            return None

    async def _spool(self, file: Spooled) -> None:
        """Take a copy to the disk; where that fails, nothing is measured."""
        try:
            await file.write()
        except StoreUnavailable as error:
            log.warning("an answer is not measured", request_id=self._call.id, detail=error.detail)
            self._measured = None
            file.close()

    def _settle(self, end: End, usage: Usage, error: str = "") -> None:
        """Settle once; the caller's last bytes follow when the record is kept."""
        if self._settled:
            return
        self._settled = True
        call = self._call
        if end == "empty":
            usage = Usage()
        made = record(call, self._plan, self._candidate, usage, end=end, status=200, first=self._first, error=error)
        self._svc.ended(call, made, self._candidate)
        if self._copy is not None:
            ending = self._ending if end in ("completed", "empty") else b""
            self._svc.keeper.keep(call, 200, self._copy.answer + ending)
        elif call.keep_days:
            self._svc.keeper.keep(call, 200, b"")  # bytes that nobody could read there
        call.x.promised = True
        self._plan.hold.settle(made, self._finish if end in ("completed", "empty") else self._nothing)

    def _finish(self, kept: bool) -> None:
        x = self._call.x
        if not kept:
            self._cut(StoreUnavailable())
            return
        if ending := self._ending:
            x.write(ending)
        x.end()

    @property
    def _ending(self) -> bytes:
        """The last events, as the caller gets them."""
        return self._watch.ending if self._last is None else self._last

    def _nothing(self, kept: bool) -> None:
        """A broken stream has said all that it will say."""

    async def _break(self, end: End, error: GatewayError) -> None:
        self._settle(end, await self._so_far(), error.code)
        self._cut(error)

    def _cut(self, error: GatewayError) -> None:
        """End with the dialect's error event; the connection is closed without the mark of a complete answer."""
        call = self._call
        if self._raw is None:
            call.x.write(cast(StreamingDialect, call.dialect).write_stream_error(error, call.id, self._watch))
        call.x.cut()


def _names(events: bytes) -> bool:
    """Whether events may name what is kept."""
    return b"file" in events or b"container_id" in events


def _enough(held: int) -> int:
    """Of so many output tokens that are held, how many may go out before more are."""
    return held * (EXTEND_BELOW - 1) // EXTEND_BELOW
