"""The limiter as workers see it: one interface, served in the process or by the limiter process over a Unix socket.

Several workers share one limiter process (`limiter_server`). A worker sends each decision as a small frame, many at
once without waiting for each other, and waits for an answer only within a bound. While the limiter is away (starting,
stuck, dead), the worker **serves from buckets of its own with the key's limit divided by the number of workers**, and
counts it (`served_locally`): limits then still hold roughly, and a lost helper process does not stop all calls.
It reconnects by itself and tells the new limiter which calls are on their way.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Final, Protocol, cast

import msgspec

from unigate.access.limiter_frames import Done, Frames, Hello, Resume, Take, Used, answers, frame
from unigate.access.limits import UNLIMITED, Admission, Limits, Standing, limits_of, too_many
from unigate.spec.caller import Key

#: Decisions that one worker awaits at once; beyond, it serves from its own buckets.
MAX_PENDING: Final = 10_000
_GRACE: Final = 0.02
_FIRST_PAUSE: Final = 0.05


class Limiter(Protocol):
    """Decides about calls: `Limits` in one worker, `SharedLimits` in each of several."""

    def admit(self, key: Key, tokens: int) -> Admission | None:
        """The same at once, or None where `take` has to ask somebody."""
        ...

    async def take(self, key: Key, tokens: int) -> Admission:
        """Admit a call that is estimated to use `tokens`, or raise TooMany."""
        ...


class SharedAdmission(Admission):
    """A call that the limiter process admitted."""

    __slots__ = ("_limiter", "key_id", "limits", "number", "tokens")

    def __init__(self, standing: Standing, limiter: "SharedLimits", number: int, asked: Take) -> None:
        self.standing = standing
        self._limiter: SharedLimits | None = limiter
        self.number = number
        self.key_id = asked.key
        self.limits = (asked.rpm, asked.tpm, asked.concurrency)
        self.tokens = asked.tokens

    def used(self, tokens: int) -> None:
        """A call that lasts has used so many tokens, beside what was estimated."""
        if self._limiter is not None:
            self._limiter.used(self, tokens)

    def done(self, tokens: int | None = None) -> None:
        """The call has ended and used so many tokens (None: as many as estimated). Only the first call counts."""
        limiter = self._limiter
        if limiter is not None:
            self._limiter = None
            limiter.ended(self, tokens)


class _Wire(asyncio.Protocol):
    """One connection to the limiter. Nothing is trusted that is too long or not of the expected shape."""

    def __init__(self, limiter: "SharedLimits") -> None:
        self.limiter = limiter
        self.transport: asyncio.Transport | None = None
        self.lost = asyncio.Event()
        #: Whether the limiter answered the hello; waited for by one task only.
        self.greeted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.paused = False
        self._frames = Frames()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            for payload in self._frames.feed(data):
                self.limiter.answered(self, *answers.decode(payload))
        except (ValueError, msgspec.DecodeError):
            self.abort()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False

    def connection_lost(self, _exc: Exception | None) -> None:
        self.transport = None
        self.lost.set()
        self.answered_hello(works=False)
        self.limiter.dropped(self)

    def answered_hello(self, *, works: bool) -> None:
        """The limiter works, or will not say so any more."""
        if not self.greeted.done():
            self.greeted.set_result(works)

    def abort(self) -> None:
        """Give the connection up."""
        if self.transport is not None:
            self.transport.abort()


class SharedLimits:
    """A worker's side of the limiter. Made inside the worker's event loop; `start` it once."""

    def __init__(self, path: str, *, workers: int, clock_ns: Callable[[], int], patience: float = 0.25) -> None:
        """`path`: the limiter's socket. `patience`: seconds that one decision may take before it is made locally."""
        self._path = path
        self._patience = patience
        self._local = Limits(clock_ns, share=max(1, workers))
        self._wire: _Wire | None = None
        self._ready = asyncio.Event()
        self._number = 0
        self._pending: dict[int, tuple[asyncio.Future[Standing | None], Take, float]] = {}
        self._open: dict[int, SharedAdmission] = {}
        self._out = bytearray()
        self._overdue = 0
        self._sweeper: asyncio.TimerHandle | None = None
        self._keeper: asyncio.Task[None] | None = None
        #: Calls decided here because the limiter did not answer; for the metric.
        self.served_locally = 0

    @property
    def connected(self) -> bool:
        """Whether the limiter answers."""
        return self._ready.is_set()

    async def start(self, wait: float = 2.0) -> None:
        """Begin to keep a connection; waits for the first one up to `wait` seconds, and goes on without it."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._ready.wait()

    async def close(self) -> None:
        """End the connection; what is still asked is decided locally."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._wire is not None:
            self._flush()
            if self._wire.transport is not None:
                self._wire.transport.close()
            await self._wire.lost.wait()

    def admit(self, key: Key, tokens: int) -> Admission | None:  # noqa: ARG002 - see Limiter
        """A key without limits is admitted at once."""
        return None if key.rpm or key.tpm or key.concurrency else UNLIMITED

    async def take(self, key: Key, tokens: int) -> Admission:
        """Admit a call that is estimated to use `tokens`, or raise TooMany. At most `patience` seconds."""
        if not (key.rpm or key.tpm or key.concurrency):
            return UNLIMITED
        wire = self._wire
        if wire is None or wire.paused or not self._ready.is_set() or len(self._pending) >= MAX_PENDING:
            return self._locally(key, tokens)
        self._number = number = self._number + 1
        limits = limits_of(key)
        asked = Take(number, key.id, *limits, tokens)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Standing | None] = loop.create_future()
        self._pending[number] = (answer, asked, loop.time() + self._patience)
        self._send(asked)
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._patience, self._sweep)
        try:
            standing = await answer
        except asyncio.CancelledError:
            # The caller left. Where the answer is already here, nobody else would give the place back.
            if answer.done() and not answer.cancelled() and (standing := answer.result()) and not standing.refused:
                self._send(Done(number, 0))
            raise
        finally:
            self._pending.pop(number, None)
        if standing is None:
            return self._locally(key, tokens)
        if standing.refused:
            raise too_many(standing, limits)
        admission = self._open[number] = SharedAdmission(standing, self, number, asked)
        return admission

    def used(self, admission: SharedAdmission, tokens: int) -> None:
        """An admitted call goes on (called by its admission)."""
        if admission.number in self._open and self._wire is not None:
            self._send(Used(admission.number, tokens))

    def ended(self, admission: SharedAdmission, tokens: int | None) -> None:
        """An admitted call has ended (called by its admission)."""
        if self._open.pop(admission.number, None) is not None and self._wire is not None:
            self._send(Done(admission.number, admission.tokens if tokens is None else tokens))

    def answered(self, wire: _Wire, number: int, standing: Standing) -> None:
        """The limiter's decision; one that nobody awaits any more is given back."""
        if wire is not self._wire:
            return  # what that connection still brings, the limiter gave back when it ended
        if number == 0:
            self._ready.set()
            wire.answered_hello(works=True)
            return
        pending = self._pending.pop(number, None)
        if pending is not None and not pending[0].done():
            pending[0].set_result(standing)
        elif not standing.refused:
            self._send(Done(number, 0))

    def dropped(self, wire: _Wire) -> None:
        """The connection is gone: whatever was asked is decided locally."""
        if wire is not self._wire:
            return
        self._wire = None
        self._ready.clear()
        self._out.clear()
        pending, self._pending = self._pending, {}
        for answer, _, _ in pending.values():
            if not answer.done():
                answer.set_result(None)

    def _locally(self, key: Key, tokens: int) -> Admission:
        self.served_locally += 1
        return self._local.admit(key, tokens)

    def _send(self, message: Take | Done | Resume | Hello | Used) -> None:
        """Put a message into this turn's write."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out += frame(message)

    def _flush(self) -> None:
        if self._out and self._wire is not None and self._wire.transport is not None:
            self._wire.transport.write(bytes(self._out))
        self._out.clear()

    def _sweep(self) -> None:
        """Give up on a limiter that let a decision wait too long: it is stuck, and all further calls go past it."""
        self._sweeper = None
        if not self._pending:
            return
        # Decisions are asked in order and have the same patience: the first is the oldest.
        loop = asyncio.get_running_loop()
        number, (_, _, deadline) = next(iter(self._pending.items()))
        if deadline > loop.time():
            self._sweeper = loop.call_at(deadline, self._sweep)
        elif number != self._overdue:
            # Perhaps it was us who were late, and the answer lies in the socket: read once more.
            self._overdue = number
            self._sweeper = loop.call_later(_GRACE, self._sweep)
        elif self._wire is not None:
            wire = self._wire
            self.dropped(wire)
            wire.abort()

    async def _keep(self) -> None:
        """Connect, and again whenever the connection is lost, with growing pauses."""
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE
        while True:
            try:
                _, wire = await loop.create_unix_connection(lambda: _Wire(self), self._path)
            except OSError:
                pass
            else:
                self._greet(wire)
                if await self._greeted(wire):
                    pause = _FIRST_PAUSE
                    await wire.lost.wait()
                wire.abort()
                self.dropped(wire)
            await asyncio.sleep(pause * (0.5 + random.random() / 2))  # noqa: S311 - spreads workers, guards nothing
            pause = min(pause * 2, 1.0)

    def _greet(self, wire: _Wire) -> None:
        """Say hello, which the limiter answers when it works, and name the calls that are on their way."""
        self._wire = wire
        self._out.clear()
        self._send(Hello())
        for number, admission in self._open.items():
            self._send(Resume(number, admission.key_id, *admission.limits, admission.tokens))

    async def _greeted(self, wire: _Wire) -> bool:
        """Whether the limiter answered in time; a stuck one still accepts connections."""
        try:
            async with asyncio.timeout(max(1.0, self._patience)):
                return await wire.greeted
        except TimeoutError:
            return False
