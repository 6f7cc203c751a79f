"""Streams: each piece goes to the caller as it comes, watched for usage; the end waits for the journal.

A stream that breaks ends with the dialect's own error event and without a clean end. A caller who leaves cancels
the upstream request. Both are charged for what went out.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from unigate.base.clock import monotonic
from unigate.base.errors import GatewayError, NoFunds, StoreUnavailable, StreamBroken, UpstreamError
from unigate.dialects import Kept, streams
from unigate.relay.attempts import Opened, served_conditions
from unigate.relay.call import Call
from unigate.relay.holding import Plan
from unigate.relay.keeping import Copy
from unigate.relay.services import Services
from unigate.relay.settling import headers, record
from unigate.spec.record import End
from unigate.spec.usage import Usage

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
        "_opening",
        "_plan",
        "_settled",
        "_spoken",
        "_svc",
        "_watch",
        "_write",
    )

    def __init__(self, call: Call, svc: Services, plan: Plan, opened: Opened) -> None:
        assert opened.watch is not None
        assert streams(call.dialect)
        self._call = call
        self._spoken = call.dialect
        self._svc = svc
        self._plan = plan
        self._candidate = opened.candidate
        self._answer = opened.answer
        self._watch = opened.watch
        self._opening = opened.opening
        self._write: Callable[[bytes], bool] = call.x.write
        #: What went out, where it is to be kept.
        self._copy: Copy | None = None
        self._first = monotonic()
        #: Output tokens above which the hold is extended.
        self._enough = _enough(plan.output_tokens)
        self._settled = False

    async def run(self) -> None:
        """Carry the stream to its end and settle it, whatever happens."""
        x = self._call.x
        x.start(200, headers(self._call, self._candidate, b"text/event-stream; charset=utf-8", None), None)
        if self._call.keep_days:
            self._write = self._copy = Copy(x.write)
        try:
            for piece in self._opening:
                self._write(piece)
            await self._carry()
        except asyncio.CancelledError:
            self._settle("caller_left", self._so_far())
            raise
        except UpstreamError as error:
            self._svc.router.failed(self._candidate, error, delivered=True)
            self._break("upstream_broken", error)
        except GatewayError as error:
            self._break("out_of_funds" if isinstance(error, NoFunds) else "failed", error)
        except BaseException:
            self._settle("failed", self._so_far())
            raise
        finally:
            if not self._answer.complete:
                self._answer.abort()

    async def _carry(self) -> None:
        """Pass pieces on until the dialect's end; then settle, and read what is left of the answer."""
        x, watch = self._call.x, self._watch
        while not watch.done:
            if watch.error is not None:
                raise StreamBroken(detail=watch.error.decode("utf-8", "replace"))
            if not await self._answer.pour(self._pass):
                break
            await x.drain()
            if watch.output_tokens > self._enough:
                await self._extend()
        if not watch.done:
            if watch.error is not None:
                raise StreamBroken(detail=watch.error.decode("utf-8", "replace"))
            if rest := watch.finish():
                self._write(rest)
            if not watch.finished:
                raise StreamBroken
        served_conditions(self._call, watch.service_tier)
        if self._call.facts.stored and (kept := cast(Kept, watch).id):
            await self._svc.bindings.keep(self._call, self._candidate, kept)
        self._settle("empty" if watch.empty else "completed", watch.usage or self._estimated())
        await self._rest()

    def _pass(self, piece: bytes) -> bool:
        """Let the caller have a piece. True where there is something to be waited for before the next, or nothing more."""
        watch = self._watch
        out = watch.feed(piece)
        full = self._write(out) if out else False
        return full or watch.done or watch.output_tokens > self._enough or watch.error is not None

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
        conditions = self._call.facts.conditions
        wanted = plan.quote.bound(plan.input_tokens, plan.output_tokens + more, conditions)
        if not plan.hold.grow(wanted - plan.hold.amount):
            await plan.hold.grow_slow(wanted - plan.hold.amount)
        plan.output_tokens += more
        self._enough = _enough(plan.output_tokens)

    def _estimated(self) -> Usage:
        return self._call.dialect.estimate(self._call.asked, self._watch)

    def _so_far(self) -> Usage:
        """What went out of a stream that did not end: told by the provider if it was, else counted by us."""
        if not self._watch.content:
            return Usage()
        return self._watch.usage or self._estimated()

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
            ending = self._watch.ending if end in ("completed", "empty") else b""
            self._svc.keeper.keep(call, 200, self._copy.answer + ending)
        call.x.promised = True
        self._plan.hold.settle(made, self._finish if end in ("completed", "empty") else self._nothing)

    def _finish(self, kept: bool) -> None:
        x = self._call.x
        if not kept:
            x.write(self._spoken.write_stream_error(StoreUnavailable(), self._call.id, self._watch))
            x.cut()
            return
        if ending := self._watch.ending:
            x.write(ending)
        x.end()

    def _nothing(self, kept: bool) -> None:
        """A broken stream has said all that it will say."""

    def _break(self, end: End, error: GatewayError) -> None:
        """End with the dialect's error event; the connection is closed without the mark of a complete answer."""
        self._settle(end, self._so_far(), error.code)
        x = self._call.x
        x.write(self._spoken.write_stream_error(error, self._call.id, self._watch))
        x.cut()


def _enough(held: int) -> int:
    """Of so many output tokens that are held, how many may go out before more are."""
    return held * (EXTEND_BELOW - 1) // EXTEND_BELOW
