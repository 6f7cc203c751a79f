"""Rate limits of keys: requests per minute, tokens per minute, calls at once. Decided in memory, without waiting.

Token buckets in integers: a bucket holds what one minute allows and refills steadily. Tokens are reserved by an
estimate when a call is admitted and corrected when it ends; a call that used more than was there leaves a debt that
the next calls wait for. So over any time, what was admitted is at most one bucket and what the time refilled, plus
what single calls used beyond their estimate. This module knows no sockets: `limiter` shares it among workers.
"""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple, Self

from unigate.base.errors import TooMany
from unigate.spec.caller import Key

Headers = tuple[tuple[bytes, bytes], ...]
Refused = Literal["", "requests", "tokens", "concurrency"]

_MINUTE: Final = 60_000_000_000
_MS: Final = 1_000_000
_SECOND: Final = 1000
_NONE: Final = (0, 0, 0)
#: Suggested wait where only the end of another call is awaited; milliseconds.
_CONCURRENCY_WAIT_MS: Final = 1000
#: Buckets kept before those that are full again are dropped; a full one is as good as none.
_SWEEP: Final = 1024


class Standing(NamedTuple):
    """A decision with what stands in the headers: limits and what remains of them, waits in ms; limit 0 = none."""

    refused: Refused = ""
    wait_ms: int = 0
    request_limit: int = 0
    requests_left: int = 0
    requests_reset_ms: int = 0
    token_limit: int = 0
    tokens_left: int = 0
    tokens_reset_ms: int = 0


class Bucket:
    """Tokens that refill by `rate` a minute up to `rate`. Levels in token-nanominutes, so that nothing is rounded."""

    __slots__ = ("_at", "_level", "rate")

    def __init__(self, rate: int, now: int) -> None:
        self.rate = rate
        self._level = rate * _MINUTE
        self._at = now

    def change(self, rate: int, now: int) -> None:
        """Another rate holds from now on; what was used stays used."""
        if rate != self.rate:
            self.refill(now)
            self._level += (rate - self.rate) * _MINUTE
            self.rate = rate

    def wait(self, amount: int, now: int) -> int:
        """Nanoseconds until `amount` is there; more than the bucket holds waits until it is full."""
        rate = self.rate
        passed = now - self._at
        if passed > 0:
            # As in `refill`, once more in place: this is the hot path.
            self._at = now
            self._level = min(self._level + passed * rate, rate * _MINUTE)
        short = (min(rate, amount)) * _MINUTE - self._level
        return -(-short // rate) if short > 0 else 0

    def take(self, amount: int) -> None:
        """Take it, be it there or not; a negative amount gives back."""
        self._level -= amount * _MINUTE
        if amount < 0:
            self._level = min(self._level, self.rate * _MINUTE)

    def numbers(self) -> tuple[int, int, int]:
        """For the headers, as of the last look: the limit, whole tokens that are there, ms until it is full again."""
        rate, level = self.rate, self._level
        missing = rate * _MINUTE - level
        return rate, level // _MINUTE if level > 0 else 0, -(-missing // (rate * _MS))

    def full(self, now: int) -> bool:
        """Whether nothing is remembered in it."""
        self.refill(now)
        return self._level >= self.rate * _MINUTE

    def refill(self, now: int) -> None:
        """Add what the time since the last look has brought."""
        passed = now - self._at
        if passed > 0:
            self._at = now
            self._level = min(self._level + passed * self.rate, self.rate * _MINUTE)


class _KeyState:
    __slots__ = ("in_flight", "requests", "tokens")

    def __init__(self) -> None:
        self.requests: Bucket | None = None
        self.tokens: Bucket | None = None
        self.in_flight = 0


class Buckets:
    """The state of all limited keys, and the decisions. Values in, values out: usable in a worker and in a limiter."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock = clock_ns
        self._states: dict[str, _KeyState] = {}
        self._sweep_at = _SWEEP

    def __len__(self) -> int:
        """Keys that something is remembered of."""
        return len(self._states)

    def in_flight(self, key_id: str) -> int:
        """Calls of a key that were admitted and have not ended; kept for keys with a limit of them."""
        state = self._states.get(key_id)
        return state.in_flight if state is not None else 0

    def admit(self, key_id: str, limits: tuple[int, int, int], tokens: int) -> Standing:
        """Decide about one call of a key with `limits` (rpm, tpm, concurrency; 0 = none); all or nothing is taken."""
        rpm, tpm, concurrency = limits
        now = self._clock()
        state = self._states.get(key_id) or self._new(key_id, now)
        requests, reserve = state.requests, state.tokens
        if (requests.rate if requests is not None else 0) != rpm:
            requests = state.requests = _fit(requests, rpm, now)
        if (reserve.rate if reserve is not None else 0) != tpm:
            reserve = state.tokens = _fit(reserve, tpm, now)
        refused: Refused = ""
        wait = 0
        if concurrency and state.in_flight >= concurrency:
            refused, wait = "concurrency", _CONCURRENCY_WAIT_MS * _MS
        if requests is not None and (longer := requests.wait(1, now)) > wait:
            refused, wait = "requests", longer
        if reserve is not None and tokens and (longer := reserve.wait(tokens, now)) > wait:
            refused, wait = "tokens", longer
        if not refused:
            if concurrency:
                state.in_flight += 1
            if requests is not None:
                requests.take(1)
            if reserve is not None:
                reserve.take(tokens)
        return Standing(
            refused,
            -(-wait // _MS),
            *(requests.numbers() if requests is not None else _NONE),
            *(reserve.numbers() if reserve is not None else _NONE),
        )

    def resume(self, key_id: str, limits: tuple[int, int, int]) -> None:
        """Count a call that was admitted elsewhere and is on its way, whatever the limits say."""
        now = self._clock()
        state = self._states.get(key_id) or self._new(key_id, now)
        state.tokens = _fit(state.tokens, limits[1], now)
        if limits[2]:
            state.in_flight += 1

    def done(self, key_id: str, *, concurrency: bool, unused: int) -> None:
        """A call ended: `concurrency` if it occupied a place, `unused` tokens of its estimate (negative: used more)."""
        state = self._states.get(key_id)
        if state is None:
            return
        if concurrency and state.in_flight > 0:
            state.in_flight -= 1
        if unused and state.tokens is not None:
            state.tokens.refill(self._clock())
            state.tokens.take(-unused)

    def used(self, key_id: str, tokens: int) -> None:
        """A call that goes on used so many tokens beside its estimate."""
        self.done(key_id, concurrency=False, unused=-tokens)

    def _new(self, key_id: str, now: int) -> _KeyState:
        if len(self._states) >= self._sweep_at:
            self._states = {name: state for name, state in self._states.items() if not _idle(state, now)}
            self._sweep_at = max(_SWEEP, 2 * len(self._states))
        state = self._states[key_id] = _KeyState()
        return state


class Admission:
    """One admitted call. `done` once when it has ended; `headers` tell the caller where the key stands."""

    __slots__ = ("standing",)

    def __init__(self, standing: Standing) -> None:
        self.standing = standing

    def headers(self) -> Headers:
        """OpenAI's `x-ratelimit-*` headers, for the limits that the key has."""
        return rate_headers(self.standing)

    def used(self, tokens: int) -> None:
        """A call that lasts has used so many tokens, beside what was estimated; `done` does not count them again."""

    def done(self, tokens: int | None = None) -> None:
        """The call has ended and used so many tokens (None: as many as estimated). Only the first call counts."""

    def __enter__(self) -> Self:
        """For use with `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release it, at the estimate unless `done` was called before."""
        self.done()


#: For keys without limits: costs nothing and needs no `done`.
UNLIMITED: Final = Admission(Standing())


class _LocalAdmission(Admission):
    __slots__ = ("_buckets", "_concurrency", "_key", "_reserved")

    def __init__(self, standing: Standing, buckets: Buckets, key: str, reserved: int, *, concurrency: bool) -> None:
        self.standing = standing
        self._buckets: Buckets | None = buckets
        self._key = key
        self._reserved = reserved
        self._concurrency = concurrency

    def used(self, tokens: int) -> None:
        if self._buckets is not None:
            self._buckets.used(self._key, tokens)

    def done(self, tokens: int | None = None) -> None:
        buckets = self._buckets
        if buckets is not None:
            self._buckets = None
            unused = self._reserved - tokens if tokens is not None else 0
            buckets.done(self._key, concurrency=self._concurrency, unused=unused)


class Limits:
    """The in-process form: for one worker, and for several while the limiter is away (`share` of them)."""

    def __init__(self, clock_ns: Callable[[], int], *, share: int = 1) -> None:
        """`clock_ns`: monotonic nanoseconds. `share`: each limit is divided by it, to at least 1."""
        self.buckets = Buckets(clock_ns)
        self._share = share

    def admit(self, key: Key, tokens: int) -> Admission:
        """Admit a call that is estimated to use `tokens`, or raise TooMany."""
        if not (key.rpm or key.tpm or key.concurrency):
            return UNLIMITED
        limits = limits_of(key, self._share)
        standing = self.buckets.admit(key.id, limits, tokens)
        if standing.refused:
            raise too_many(standing, limits)
        return _LocalAdmission(standing, self.buckets, key.id, tokens, concurrency=limits[2] > 0)

    async def take(self, key: Key, tokens: int) -> Admission:
        """The same as `admit`, in the form that the shared limiter has too; never suspends."""
        return self.admit(key, tokens)


def limits_of(key: Key, share: int = 1) -> tuple[int, int, int]:
    """A key's requests per minute, tokens per minute and concurrency, or one share of them; 0 = none."""
    if share == 1:
        return key.rpm, key.tpm, key.concurrency
    return (
        max(1, key.rpm // share) if key.rpm else 0,
        max(1, key.tpm // share) if key.tpm else 0,
        max(1, key.concurrency // share) if key.concurrency else 0,
    )


def too_many(standing: Standing, limits: tuple[int, int, int]) -> TooMany:
    """The caller's error for a refusal: `retry_after` in seconds, the headers with it."""
    rpm, tpm, concurrency = limits
    what = {
        "requests": f"{rpm} requests per minute",
        "tokens": f"{tpm} tokens per minute",
        "concurrency": f"{concurrency} calls at once",
    }[standing.refused]
    wait = max(1, standing.wait_ms)
    return TooMany(
        f"Rate limit of this key reached ({what}). Please try again in {duration(wait)}.",
        retry_after=wait / _SECOND,
        headers=((b"retry-after-ms", b"%d" % wait), *rate_headers(standing)),
    )


def rate_headers(standing: Standing) -> Headers:
    """`x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, as OpenAI's API reference names them."""
    made: Headers = ()
    if standing.request_limit:
        made = (
            (b"x-ratelimit-limit-requests", b"%d" % standing.request_limit),
            (b"x-ratelimit-remaining-requests", b"%d" % standing.requests_left),
            (b"x-ratelimit-reset-requests", duration(standing.requests_reset_ms).encode()),
        )
    if standing.token_limit:
        made += (
            (b"x-ratelimit-limit-tokens", b"%d" % standing.token_limit),
            (b"x-ratelimit-remaining-tokens", b"%d" % standing.tokens_left),
            (b"x-ratelimit-reset-tokens", duration(standing.tokens_reset_ms).encode()),
        )
    return made


def duration(ms: int) -> str:
    """Milliseconds as OpenAI writes a time to wait: `20ms`, `1s`, `8.64s`, `6m0s`, `1h0m30s`."""
    if 0 < ms < _SECOND:
        return f"{ms}ms"
    seconds, rest = divmod(ms, _SECOND)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{rest:03d}".rstrip("0") if rest else ""
    head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{head}{seconds}{fraction}s"


def _fit(bucket: Bucket | None, rate: int, now: int) -> Bucket | None:
    """The bucket for a rate, which may have changed since it was made."""
    if not rate:
        return None
    if bucket is None:
        return Bucket(rate, now)
    bucket.change(rate, now)
    return bucket


def _idle(state: _KeyState, now: int) -> bool:
    return (
        not state.in_flight
        and (state.requests is None or state.requests.full(now))
        and (state.tokens is None or state.tokens.full(now))
    )
