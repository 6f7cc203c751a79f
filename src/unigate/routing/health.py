"""How channels and their credentials are doing: error rates, parking and probing back, calls in flight, calls a minute.

Only bookkeeping: what a failure means stands in `failures`, who is chosen in `choice`. Times are seconds of a
monotonic clock that is handed in with each call.
"""

from dataclasses import dataclass
from typing import Final

from unigate.spec.channel import Channel
from unigate.spec.provider import Credential

#: Stands for "no limit" in comparisons.
UNLIMITED: Final = 1 << 60
#: Seconds that `Minute` keeps apart: 60 whole ones and the one that has begun.
_SECONDS: Final = 61
#: Reason of a channel parked by our own judgement, in contrast to the vendor's word.
FAILING: Final = "failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Numbers of routing; times in seconds."""

    #: A channel is parked after so many blaming failures in a row..
    failures: int = 5
    #: .. or when more than this share of its latest calls failed, once there were enough of them.
    error_rate: float = 0.5
    samples: float = 20.0
    #: A call counts half after this time.
    half_life: float = 30.0
    #: Parking of a failing channel: the first pause, doubled with each failed probe.
    first_pause: float = 1.0
    longest_pause: float = 60.0
    #: Pause before a further try of the same call: jittered, doubled, capped singly and in all.
    backoff_first: float = 0.02
    backoff_longest: float = 0.5
    backoff_total: float = 1.0
    #: Candidates offered to one call at most.
    candidates: int = 8
    #: A channel's measured error rate lowers its weight to no less than this share, so that it is measured on.
    least_share: float = 0.05
    #: Among how many workers a channel's limits are divided.
    workers: int = 1


class Parking:
    """Whether something may be used; the common part of channels and credentials."""

    __slots__ = ("gated", "level", "parked", "probing", "reason", "until")

    def __init__(self) -> None:
        self.parked = False
        self.until = 0.0
        self.reason = ""
        #: After `until` one call at a time may try it, until one worked.
        self.gated = False
        #: A call that tries it is on its way.
        self.probing = False
        #: Times that it was parked in a row without a call that worked.
        self.level = 0

    def usable(self, now: float) -> bool:
        """Whether a call may use it now; lifts a parking that only had to run out."""
        if not self.parked:
            return True
        if now < self.until:
            return False
        if self.gated:
            return not self.probing
        self.lift()
        return True

    def park(self, now: float, seconds: float, reason: str, *, gated: bool) -> bool:
        """Park it, or prolong its parking; whether it was usable before.

        Failures of calls that were already on their way when it was parked don't raise the level.
        """
        waiting = self.parked and now < self.until
        if not waiting:
            self.level += 1
        if not waiting or now + seconds > self.until:
            self.until = now + seconds
            self.reason = reason
            self.gated = gated
        fresh = not self.parked
        self.parked = True
        return fresh

    def lift(self) -> None:
        """Back in use. The level stays until a call has worked."""
        self.parked = self.gated = self.probing = False
        self.until = 0.0
        self.reason = ""

    def waits(self, now: float) -> float:
        """Seconds until it may be used; 0 where it may, or where only a probe is awaited."""
        return max(0.0, self.until - now) if self.parked else 0.0


class CredentialHealth(Parking):
    """One credential of a channel."""

    __slots__ = ("credential", "in_flight")

    def __init__(self, credential: Credential) -> None:
        super().__init__()
        self.credential = credential
        self.in_flight = 0


class Minute:
    """Calls of the last minute, counted by the second.

    Never lets more than `most` through in any 60 seconds, and at most one second later than it could.
    """

    __slots__ = ("_counts", "_second", "most", "total")

    def __init__(self, most: int) -> None:
        self.most = most
        self.total = 0
        self._counts = [0] * _SECONDS
        self._second = 0

    def full(self, now: float) -> bool:
        """Whether the minute is used up."""
        self._turn(now)
        return self.total >= self.most

    def add(self, now: float) -> None:
        """Count one call."""
        self._turn(now)
        self._counts[self._second % _SECONDS] += 1
        self.total += 1

    def waits(self, now: float) -> float:
        """Seconds until a call fits."""
        self._turn(now)
        if self.total < self.most:
            return 0.0
        over = self.total - self.most + 1
        for age in range(_SECONDS - 1, -1, -1):
            over -= self._counts[(self._second - age) % _SECONDS]
            if over <= 0:
                return max(0.001, self._second - age + _SECONDS - now)
        return float(_SECONDS)

    def _turn(self, now: float) -> None:
        second = int(now)
        passed = second - self._second
        if passed <= 0:
            return
        if passed >= _SECONDS:
            self._counts = [0] * _SECONDS
            self.total = 0
        else:
            for at in range(self._second + 1, second + 1):
                self.total -= self._counts[at % _SECONDS]
                self._counts[at % _SECONDS] = 0
        self._second = second


class ChannelHealth(Parking):
    """One channel with its credentials. `clear` says that nothing but `most` has to be looked at."""

    __slots__ = (
        "_half_life",
        "bad",
        "channel",
        "clear",
        "credentials",
        "decays_at",
        "failures",
        "good",
        "in_flight",
        "last_failure",
        "minute",
        "most",
        "seconds",
        "turn",
    )

    def __init__(self, channel: Channel, rules: Rules, now: float) -> None:
        super().__init__()
        self._half_life = rules.half_life
        self.in_flight = 0
        #: Which credential's turn it is.
        self.turn = 0
        self.minute: Minute | None = None
        self.credentials: tuple[CredentialHealth, ...] = ()
        self.channel = channel
        self.forget(now)
        self.configure(channel, rules.workers)

    def configure(self, channel: Channel, workers: int) -> None:
        """Take over a channel's configuration; health of what stayed the same is kept."""
        if channel.base_url != self.channel.base_url or channel.provider.name != self.channel.provider.name:
            self.forget(self.decays_at)
        known = {kept.credential.id: kept for kept in self.credentials}
        self.credentials = tuple(_kept(known.get(c.id), c) for c in channel.credentials)
        self.channel = channel
        self.most = share(channel.concurrency, workers) or UNLIMITED
        rpm = share(channel.rpm, workers)
        if not rpm:
            self.minute = None
        elif self.minute is None:
            self.minute = Minute(rpm)
        else:
            self.minute.most = rpm
        self.look()

    def forget(self, now: float) -> None:
        """Start with a clean slate: another address, or the operator's word."""
        self.lift()
        self.level = 0
        self.failures = 0
        self.good = 0.0
        self.bad = 0.0
        self.seconds = 0.0
        self.last_failure = ""
        self.decays_at = now + 1.0

    def look(self) -> None:
        """Find out anew whether the short way may be taken."""
        self.clear = (
            not self.parked
            and not self.level
            and self.minute is None
            and bool(self.credentials)
            and not any(credential.parked or credential.level for credential in self.credentials)
        )

    def full(self, now: float) -> bool:
        """Whether one of the channel's own limits is reached."""
        return self.in_flight >= self.most or (self.minute is not None and self.minute.full(now))

    def decay(self, now: float) -> None:
        """Let calls that are past weigh less; done about once a second."""
        passed = now - self.decays_at + 1.0
        if passed < 1.0:
            return
        factor = 0.5 ** (passed / self._half_life)
        self.good *= factor
        self.bad *= factor
        self.decays_at = now + 1.0

    def error_rate(self, now: float) -> float:
        """Share of the latest calls that failed; few calls say little, so two good ones are added."""
        self.decay(now)
        return self.bad / (self.good + self.bad + 2.0)


def _kept(known: CredentialHealth | None, credential: Credential) -> CredentialHealth:
    """Health of a credential; a new secret under an old id starts afresh."""
    if known is None:
        return CredentialHealth(credential)
    if known.credential.secret != credential.secret or known.credential.parts != credential.parts:
        known.lift()
        known.level = 0
    known.credential = credential
    return known


def share(limit: int, workers: int) -> int:
    """One worker's part of a limit (0 = none), at least 1."""
    return max(1, limit // workers) if limit else 0
