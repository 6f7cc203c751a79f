"""What is learnt from how a try went: parking, probing back, and what a failure means for its call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from unigate.base.errors import UpstreamError, UpstreamRefused
from unigate.routing.candidates import Candidate
from unigate.routing.failures import Row, Verdict, parked_for, row_of
from unigate.routing.health import FAILING, ChannelHealth, CredentialHealth, Rules
from unigate.spec.channel import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something the operator is told: `channel.` or `credential.`, `parked` or `recovered`."""

    kind: str
    channel: Channel
    #: The credential's id, "" where it is about the channel.
    credential: str
    reason: str
    #: For how long it is parked at first.
    seconds: float = 0.0
    #: It stays so until a call has worked; else its time only has to run out.
    gated: bool = True


class Judge:
    """Applies the failure table to the health of channels and credentials."""

    __slots__ = ("_clock", "_draw", "_notify", "_rules", "_table")

    def __init__(
        self,
        rules: Rules,
        table: Sequence[Row],
        clock: Callable[[], float],
        draw: Callable[[], float],
        notify: Callable[[Event], None] | None,
    ) -> None:
        self._rules = rules
        self._table = table
        self._clock = clock
        self._draw = draw
        self._notify = notify

    def failed(self, candidate: Candidate, failure: UpstreamError, *, delivered: bool) -> Verdict:
        """A try failed: gives its place back, keeps what it says of the channel, and says what follows.

        A refusal `aside` says nothing of it: neither what may be called nor whether it is well.
        """
        row = row_of(failure, self._table)
        if not candidate.taken:
            return Verdict(row, try_next=False)
        candidate.done()
        if isinstance(failure, UpstreamRefused) and failure.aside:
            return self._verdict(candidate, row, 0.0, delivered=delivered)
        health, owner, now = candidate.health, candidate.owner, self._clock()
        parking = health if row.parks == "channel" else owner
        # Calls that were on their way together when it was parked count as one failure.
        level = max(0, parking.level - (parking.waits(now) > 0))
        seconds = parked_for(row, failure.retry_after, level) if row.parks != "nothing" else 0.0
        if row.blames:
            self._count(health, row, now)
            # What the vendor says of the time goes before what we make of it.
            if not seconds and (candidate.probes or self._failing(health)):
                seconds = self._park_failing(health, row, now)
        else:
            # An answer that is about the caller or the credential proves that the channel itself is well.
            health.failures = 0
            self._lift_channel(candidate)
        if row.parks != "nothing" and seconds and parking.park(now, seconds, row.name, gated=row.gated):
            parked = owner if row.parks == "credential" else None
            self._tell("parked", health, parked, row.name, seconds, gated=row.gated)
        health.look()
        return self._verdict(candidate, row, seconds, delivered=delivered)

    def recovered(self, candidate: Candidate) -> None:
        """A good answer: lift what it proves to be well; calls that were on their way before prove nothing."""
        health, owner = candidate.health, candidate.owner
        self._lift_channel(candidate)
        if candidate.probes and owner.parked:
            reason = owner.reason
            owner.lift()
            self._tell("recovered", health, owner, reason)
        if not health.parked:
            health.level = 0
        if not owner.parked:
            owner.level = 0
        health.look()

    def _lift_channel(self, candidate: Candidate) -> None:
        health = candidate.health
        if not candidate.probes or not health.parked:
            return
        reason = health.reason
        health.lift()
        health.level = 0
        # What failed before must not park it again at the next failure.
        health.good = health.bad = 0.0
        self._tell("recovered", health, None, reason)

    def _count(self, health: ChannelHealth, row: Row, now: float) -> None:
        """Count a failure against a channel."""
        health.decay(now)
        health.bad += 1.0
        health.failures += 1
        health.last_failure = row.name

    def _failing(self, health: ChannelHealth) -> bool:
        """Whether a channel has failed so often that it is better left alone."""
        rules, calls = self._rules, health.good + health.bad
        return health.failures >= rules.failures or (calls >= rules.samples and health.bad > calls * rules.error_rate)

    def _park_failing(self, health: ChannelHealth, row: Row, now: float) -> float:
        """Park a channel by our own judgement; for how many seconds from now."""
        if health.parked and now < health.until:
            return health.until - now
        rules = self._rules
        pause = min(rules.first_pause * 2.0 ** min(health.level, 30), rules.longest_pause)
        if health.park(now, pause, FAILING, gated=True):
            self._tell("parked", health, None, row.name, pause)
        return pause

    def _verdict(self, candidate: Candidate, row: Row, parked: float, *, delivered: bool) -> Verdict:
        """What follows for the call: whether a candidate is left, and the pause before it."""
        tour = candidate.tour
        if tour is None or delivered or row.next == "nothing":
            return Verdict(row, try_next=False, parked=parked)
        if row.next == "channel":
            tour.passed.append(candidate.health)
        tour.tries += 1
        if all(health in tour.passed for health in tour.order[candidate.at + 1 :]):
            return Verdict(row, try_next=False, parked=parked)
        pause = 0.0
        if row.backoff:
            rules = self._rules
            longest = min(rules.backoff_first * 2.0 ** (tour.tries - 1), rules.backoff_longest)
            pause = min(longest * (0.5 + self._draw() / 2), rules.backoff_total - tour.paused)
            tour.paused += pause
        return Verdict(row, try_next=True, pause=pause, parked=parked)

    def _tell(
        self,
        what: str,
        health: ChannelHealth,
        owner: CredentialHealth | None,
        reason: str,
        seconds: float = 0.0,
        *,
        gated: bool = True,
    ) -> None:
        """Tell the operator of what has changed."""
        if self._notify is None:
            return
        kind = f"credential.{what}" if owner is not None else f"channel.{what}"
        credential = owner.credential.id if owner is not None else ""
        channel = health.channel
        self._notify(
            Event(kind=kind, channel=channel, credential=credential, reason=reason, seconds=seconds, gated=gated)
        )
