"""The money of a realtime session: what is held before each response and each transcription, and taken when it is done.

Between responses one hold waits that the next one can be paid from; a session without it ends. Each response and each
transcription is a record of its own, so that usage and ledger stay exact however long a session lasts. Must not know what
passes on the wire.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from unigate.access.limits import Admission
from unigate.base import ids
from unigate.base.clock import monotonic, now_ms
from unigate.base.errors import NoFunds, StoreUnavailable
from unigate.billing.bank import Hold
from unigate.billing.prices import Quote
from unigate.relay.call import Call
from unigate.relay.services import Services
from unigate.routing.choice import Candidate
from unigate.spec.record import End, Record
from unigate.spec.usage import Usage

#: Seconds after which a hold that nothing was paid from is taken anew: none outlives the longest call.
RENEW = 300.0
#: Input is held for in steps of so many tokens.
STEP = 1024
_NOTHING = Usage()
#: Units of a transcription: sound or text is read, text is written.
_WRITTEN = frozenset({"input", "cached_input", "audio_input", "cached_audio_input", "output"})


@dataclass(frozen=True, slots=True)
class Reach:
    """What a response may come to."""

    #: Tokens that it reads, at most.
    tokens: int
    #: The units that these are, and those of what it says.
    among: frozenset[str]

    def bound(self, quote: Quote, output_tokens: int) -> int:
        """The most that it costs with so much output, in nano-USD."""
        return quote.bound(self.tokens, output_tokens, {}, among=self.among)

    def affordable(self, quote: Quote, amount: int) -> int:
        """How many tokens of output an amount pays; 0 where not even one."""
        return quote.output_affordable(amount, self.tokens, {}, among=self.among)


class Window:
    """A hold, what it was made for, and what was counted meanwhile."""

    __slots__ = (
        "at",
        "began",
        "first",
        "hold",
        "model",
        "ms",
        "output_tokens",
        "quote",
        "reach",
        "sound",
        "words",
    )

    def __init__(self, hold: Hold, quote: Quote, model: str, reach: Reach, output_tokens: int) -> None:
        self.hold = hold
        self.quote = quote
        #: The public name of the model that is paid.
        self.model = model
        self.reach = reach
        self.output_tokens = output_tokens
        #: Milliseconds since 1970, and monotonic: when it was taken, then when the response began; its first content.
        self.at = now_ms()
        self.began = monotonic()
        self.first: float | None = None
        #: Of what went out: tokens of text, and characters of sound.
        self.words = self.sound = 0
        #: Of the sound that is written down: milliseconds at most.
        self.ms = 0

    def begin(self) -> None:
        """The response begins now."""
        self.at, self.began = now_ms(), monotonic()


class Till:
    """What one session holds and pays."""

    def __init__(self, call: Call, svc: Services, quote: Quote, admission: Admission) -> None:
        self._call = call
        self._svc = svc
        self._quote = quote
        self._admission = admission
        #: Who serves the session, once that is known.
        self.candidate: Candidate | None = None
        #: What the next response is paid from.
        self.idle: Window | None = None
        #: Responses under way by id, and transcriptions by the item that they are of.
        self.active: dict[str, Window] = {}
        self.writing: dict[str, Window] = {}

    @property
    def busy(self) -> bool:
        """Something is under way that will have to be paid."""
        return bool(self.active or self.writing)

    @property
    def most_output(self) -> int:
        """Output tokens that are held for at first."""
        svc, held = self._svc, self._svc.settings.hold.output_tokens
        model = svc.models.get(self._call.facts.model)
        limit = (model.output_limit if model is not None else None) or held
        return limit if svc.bank.careful(self._call.key) else min(limit, held)

    async def ready(self, reach: Reach) -> None:
        """See that the next response can be paid. Raises NoFunds, StoreUnavailable."""
        if self.idle is None:
            self.idle = await self._take(self._quote, self._call.facts.model, _stepped(reach))

    async def cover(self, reach: Reach) -> None:
        """The next response may come to so much: hold for it. Raises NoFunds, StoreUnavailable."""
        idle = self.idle
        if idle is None:
            return
        if reach.among < idle.reach.among:
            # It cannot become as dear as was thought: the same money pays more of it.
            idle.reach = Reach(idle.reach.tokens, reach.among)
            affordable = idle.reach.affordable(idle.quote, idle.hold.amount)
            idle.output_tokens = max(idle.output_tokens, min(affordable, self.most_output))
        if reach.tokens <= idle.reach.tokens and reach.among <= idle.reach.among:
            return
        wanted = _stepped(Reach(max(reach.tokens, idle.reach.tokens), reach.among))
        more = wanted.bound(idle.quote, idle.output_tokens) - idle.hold.amount
        try:
            if more > 0 and not idle.hold.grow(more):
                await idle.hold.grow_slow(more)
        except NoFunds:
            # Less output, then; the vendor is not told, but what goes out is counted.
            idle.output_tokens = wanted.affordable(idle.quote, idle.hold.amount)
            if not idle.output_tokens:
                raise
        idle.reach = wanted

    async def renew(self, reach: Reach) -> None:
        """Take the waiting hold anew where it is old. Raises NoFunds, StoreUnavailable."""
        idle = self.idle
        if idle is not None and monotonic() - idle.began >= RENEW:
            self.idle = None
            idle.hold.release()
            await self.ready(reach)

    async def begin(self, response_id: str, reach: Reach) -> None:
        """A response begins. Raises NoFunds, StoreUnavailable where nothing waits for it and nothing can be held."""
        await self.ready(reach)
        window, self.idle = self.idle, None
        assert window is not None
        window.begin()
        self.active[response_id] = window

    async def spoke(self, response_id: str, words: int, sound: int, tokens: Callable[[int], int]) -> None:
        """Some of a response went out. Raises NoFunds where it has become longer than what can be paid."""
        window = self.active.get(response_id)
        if window is None:
            return
        if window.first is None:
            window.first = monotonic()
        window.words += words
        window.sound += sound
        if window.words + tokens(window.sound) > window.output_tokens:
            more = self._svc.settings.hold.output_tokens
            wanted = window.reach.bound(window.quote, window.output_tokens + more) - window.hold.amount
            if wanted > 0 and not window.hold.grow(wanted):
                await window.hold.grow_slow(wanted)
            window.output_tokens += more

    async def answered(self, response_id: str, usage: Usage, end: End) -> None:
        """A response has ended: take what it costs. Raises StoreUnavailable where that could not be kept."""
        window = self.active.pop(response_id, None)
        if window is None:
            await self.ready(Reach(usage.input_tokens, frozenset(usage.units)))
            window, self.idle = self.idle, None
            assert window is not None
        await self._kept(window, usage, end, response_id)

    async def write(self, item_id: str, quote: Quote, model: str, ms: int, tokens: int) -> None:
        """Sound of so many milliseconds, or tokens, is to be written down. Raises NoFunds, StoreUnavailable."""
        if item_id in self.writing:
            return
        by_time, _ = quote.cost(Usage({"milliseconds": ms}), {})
        window = await self._take(quote, model, Reach(tokens, _WRITTEN), tokens + STEP, least=by_time)
        window.ms = ms
        self.writing[item_id] = window

    async def written(self, item_id: str, usage: Usage, end: End) -> None:
        """It was written down, or could not be: take what it costs. Raises StoreUnavailable."""
        window = self.writing.pop(item_id, None)
        if window is not None:
            await self._kept(window, usage, end, item_id)

    def close(self, end: End, estimated: Callable[[Window], Usage], written: Callable[[Window], Usage]) -> None:
        """The session is over: what is still under way is charged for what went out, and the rest given back."""
        for response_id, window in self.active.items():
            usage = estimated(window) if window.words or window.sound else _NOTHING
            self._settle(window, usage, end, response_id, _ignore)
        for item_id, window in self.writing.items():
            usage = written(window) if window.words else _NOTHING
            self._settle(window, usage, end, item_id, _ignore)
        self.active.clear()
        self.writing.clear()
        if self.idle is not None:
            self.idle.hold.release()
            self.idle = None

    async def _take(self, quote: Quote, model: str, reach: Reach, output_tokens: int = 0, *, least: int = 0) -> Window:
        """A hold for so much, or for what is left; at least one token of output must be paid by it."""
        output_tokens = output_tokens or self.most_output
        bank, key = self._svc.bank, self._call.key
        amount = max(reach.bound(quote, output_tokens), least)
        hold = bank.hold(key, amount)
        if hold is None:
            hold = await bank.hold_slow(key, amount, max(reach.bound(quote, 1), least))
        if hold.amount < amount:
            output_tokens = max(1, reach.affordable(quote, hold.amount))
        return Window(hold, quote, model, reach, output_tokens)

    async def _kept(self, window: Window, usage: Usage, end: End, upstream_id: str) -> None:
        """Settle, and wait until the record is kept."""
        told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def tell(kept: bool) -> None:
            if not told.done():
                told.set_result(kept)

        self._settle(window, usage, end, upstream_id, tell)
        if not await told:
            raise StoreUnavailable

    def _settle(self, window: Window, usage: Usage, end: End, upstream_id: str, then: Callable[[bool], None]) -> None:
        row = self._row(window, usage, end, upstream_id)
        self._svc.ended(self._call, row, self.candidate)
        if self._call.key.tpm and usage.tokens:
            self._admission.used(usage.tokens)
        window.hold.settle(row, then)

    def _row(self, window: Window, usage: Usage, end: End, upstream_id: str) -> Record:
        call, candidate, now = self._call, self.candidate, monotonic()
        key = call.key
        cost, price = window.quote.cost(usage, {}) if usage.units else (0, "")
        same = window.model == call.facts.model
        return Record(
            ids.new("req"),
            window.at,
            key.user_id,
            key.id,
            key.group.name,
            call.operation.name,
            window.model,
            candidate.route.channel.id if candidate is not None else "",
            candidate.route.model if candidate is not None and same else window.model,
            200,
            end,
            True,
            usage.estimated,
            usage.units,
            cost,
            int(((window.first or now) - window.began) * 1_000_000),
            int((now - window.began) * 1_000_000),
            0,
            price,
            window.quote.multiplier,
            [],
            request_id_upstream=upstream_id[:200],
        )


def _stepped(reach: Reach) -> Reach:
    return Reach(-(-max(reach.tokens, 1) // STEP) * STEP, reach.among)


def _ignore(kept: bool) -> None:
    """Nobody waits for it any more."""
