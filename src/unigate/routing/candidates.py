"""Candidate: a route with a credential, for one try of one call."""

from collections.abc import Callable

from unigate.routing.health import ChannelHealth, CredentialHealth
from unigate.routing.plans import Site
from unigate.spec.channel import Route
from unigate.spec.provider import Credential

_FRESH, _TAKEN, _OVER = 0, 1, 2


class Tour:
    """What the candidates of one call know of each other; only where there are several."""

    __slots__ = ("order", "passed", "paused", "tries")

    def __init__(self) -> None:
        #: The candidates' channels, in order.
        self.order: list[ChannelHealth] = []
        #: Channels that this call need not try again.
        self.passed: list[ChannelHealth] = []
        self.tries = 0
        self.paused = 0.0


class Candidate:
    """A route with a credential, for one try of one call. Take it before sending; `done` gives it back, once.

    Callers look at `route`, `credential` and `places`; the rest is for the router.
    """

    __slots__ = (
        "_clock",
        "_holds_channel",
        "_holds_credential",
        "_state",
        "at",
        "credential",
        "forced",
        "health",
        "owner",
        "probes",
        "route",
        "tour",
    )

    def __init__(
        self, site: Site, owner: CredentialHealth, clock: Callable[[], float], tour: Tour | None = None, at: int = 0
    ) -> None:
        self.route: Route = site.route
        self.credential: Credential = owner.credential
        self.health = site.health
        self.owner = owner
        self.tour = tour
        #: Its place in the tour.
        self.at = at
        #: Offered though its channel is parked, since there is no other.
        self.forced = False
        #: Taken while its channel or credential was parked: how it goes says whether that is over.
        self.probes = False
        self._clock = clock
        self._state = _FRESH

    @staticmethod
    def reordered(candidates: "list[Candidate]") -> "list[Candidate]":
        """All candidates of one call, none of them taken yet, to be tried in this order."""
        tour = candidates[0].tour
        if tour is not None:
            tour.order = [candidate.health for candidate in candidates]
            for at, candidate in enumerate(candidates):
                candidate.at = at
        return candidates

    @property
    def taken(self) -> bool:
        """Whether it occupies a place at its channel."""
        return self._state == _TAKEN

    @property
    def places(self) -> int:
        """How many calls its channel takes at a time, in this process."""
        return self.health.most

    def take(self) -> bool:
        """Occupy a place at the channel; False where it is no longer free, or an earlier try made it pointless."""
        health = self.health
        if self._state != _FRESH or health.in_flight >= health.most:
            return False
        if self.tour is not None and health in self.tour.passed:
            return False
        if not health.clear and not self._admitted():
            return False
        self._state = _TAKEN
        health.in_flight += 1
        self.owner.in_flight += 1
        return True

    def done(self) -> None:
        """Give the place back, whatever came of it; further calls do nothing."""
        if self._state != _TAKEN:
            return
        self._state = _OVER
        self.health.in_flight -= 1
        self.owner.in_flight -= 1
        if self.probes:
            if self._holds_channel:
                self.health.probing = False
            if self._holds_credential:
                self.owner.probing = False

    def _admitted(self) -> bool:
        """The look at everything that is not in order with the channel; books its minute and its probe."""
        health, owner, now = self.health, self.owner, self._clock()
        if not self.forced and not health.usable(now):
            return False
        if not owner.usable(now):
            return False
        if health.minute is not None:
            if health.minute.full(now):
                return False
            health.minute.add(now)
        if health.parked or owner.parked:
            self.probes = True
            self._holds_channel = health.parked and not health.probing
            self._holds_credential = owner.parked
            health.probing = health.parked
            owner.probing = owner.parked
        return True
