"""The choice of a channel and credential for each call, and what is learnt from how it went.

The way of a call: `routes` gives its candidates, best first; `take` one, send, then `worked` or `failed`, and `done`
when its answer has ended. The hot path is one channel in good health: it looks at nothing else.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence

from unigate.base.clock import monotonic
from unigate.base.errors import ChannelOff, GatewayError, NoChannel, NotFound, UpstreamError
from unigate.routing.candidates import Candidate, Tour
from unigate.routing.failures import TABLE, Row, Verdict, rate_limited, shortest
from unigate.routing.health import ChannelHealth, CredentialHealth, Rules
from unigate.routing.judging import Event, Judge
from unigate.routing.plans import (
    Plan,
    Site,
    last_resort,
    make_plan,
    offering_plan,
    refusal,
    shuffled,
    upstream_name,
    usable,
    weight,
)
from unigate.spec.binding import Binding
from unigate.spec.channel import Channel, Route
from unigate.spec.operation import Operation

__all__ = ["Candidate", "Event", "Router", "Rules", "Verdict"]

#: Plans kept; model names come from callers, so that they must not grow without end.
KEPT_PLANS = 4096
#: Credentials of one channel that are offered before the next channel's.
_IN_A_ROW = 2
#: Of a name from callers, what an error repeats.
_NAME = 200


class Router:
    """All channels with their health. One per worker process; not for several threads."""

    def __init__(
        self,
        channels: Sequence[Channel] = (),
        *,
        rules: Rules | None = None,
        table: Sequence[Row] = TABLE,
        clock: Callable[[], float] = monotonic,
        draw: Callable[[], float] | None = None,
        notify: Callable[[Event], None] | None = None,
    ) -> None:
        """`clock` in seconds, never backwards; `draw` gives random numbers in [0, 1); `notify` must not raise."""
        self.rules = rules or Rules()
        self._clock = clock
        self._draw = draw or random.Random().random  # noqa: S311 - spreads load, guards nothing
        self._judge = Judge(self.rules, table, clock, self._draw, notify)
        self._plans: dict[tuple[str, str, str], Plan] = {}
        self._channels: dict[str, ChannelHealth] = {}
        self.replace(channels)

    @property
    def health(self) -> Mapping[str, ChannelHealth]:
        """Health by channel id, to look at."""
        return self._channels

    def now(self) -> float:
        """The router's clock, in seconds."""
        return self._clock()

    def replace(self, channels: Sequence[Channel]) -> None:
        """Take over changed channels; the health of those that stayed is kept, calls in flight too."""
        known, now = self._channels, self._clock()
        self._channels = {}
        for channel in channels:
            health = known.get(channel.id)
            if health is None:
                self._channels[channel.id] = ChannelHealth(channel, self.rules, now)
                continue
            told = health.channel.unparked
            health.configure(channel, self.rules.workers)
            self._channels[channel.id] = health
            for id, at in channel.unparked.items():
                if at > told.get(id, 0):
                    self.unpark(channel.id, None if id == channel.id else id)
        self._plans.clear()

    def models(self, group: str, known: Iterable[str] = ()) -> set[str]:
        """Public names that enabled channels serve for a group; patterns stand for the `known` names they match."""
        names: set[str] = set()
        known = tuple(known)
        for health in self._channels.values():
            channel = health.channel
            if channel.enabled and group in channel.groups:
                names.update(name for name in channel.models if not name.endswith("*"))
                if any(name.endswith("*") for name in channel.models):
                    names.update(name for name in known if upstream_name(channel.models, name) is not None)
        return names

    def routes(self, model: str, group: str, operation: Operation) -> list[Candidate]:
        """Candidates for a call, best first, at least one.

        NotFound (`model_not_found`) where no channel of the group serves the model, whatever its state; NoChannel where
        all that do are disabled, parked or full; TooMany where providers limit the rate of all of them.
        """
        plan = self._plans.get((model, group, operation.name))
        if plan is None:
            plan = self._plan(model, group, operation)
        only = plan.only
        if only is not None:
            health = only.health
            if health.clear and health.in_flight < health.most:
                credentials = health.credentials
                if len(credentials) == 1:
                    return [Candidate(only, credentials[0], self._clock)]
        return self._choose(plan)

    def offering(self, group: str, operation: Operation) -> list[Candidate]:
        """Candidates for a call that names no model, best first, at least one: by all channels that offer the operation.

        NotFound where none does, whatever its state; else as `routes`.
        """
        plan = offering_plan(self._channels.values(), group, operation)
        if not plan.sites:
            raise NotFound(f"No channel offers {operation.path}.")
        return self._choose(plan)

    def busy(self, model: str, group: str, operation: Operation) -> list[Channel]:
        """The channels that would serve such a call if only they had a free place."""
        plan = self._plans.get((model, group, operation.name)) or self._plan(model, group, operation)
        now = self._clock()
        healths = [site.health for tier in plan.tiers for site in tier]
        return [health.channel for health in healths if not health.parked and health.full(now)]

    def served(self, model: str, group: str, operation: Operation) -> list[Route]:
        """By which routes such calls may ever go, whatever the state of their channels; NotFound as in `routes`."""
        plan = self._plans.get((model, group, operation.name)) or self._plan(model, group, operation)
        return [site.route for site in plan.sites]

    def pinned(self, place: Binding, model: str, group: str, operation: Operation) -> list[Candidate]:
        """The one candidate for a call that goes on from something that only one channel knows.

        NotFound (`model_not_found`) where no channel of the group serves the model, or that channel does not; ChannelOff
        where it is gone or disabled.
        """
        plan = self._plans.get((model, group, operation.name)) or self._plan(model, group, operation)
        for site in plan.sites:
            if site.health.channel.id == place.channel_id:
                return [self._pin(site, place)]
        if place.channel_id in self._channels:
            raise NotFound(
                f"The model '{model}' is not served where the {place.kind.replace('_', ' ')} is kept that this call goes on from.",
                code="model_not_found",
                param="model",
            )
        raise _gone(place)

    def bound(self, place: Binding) -> Candidate:
        """The candidate for a call about something that only one channel knows, whatever that serves by now; ChannelOff."""
        health = self._channels.get(place.channel_id)
        if health is None:
            raise _gone(place)
        return self._pin(Site(health, upstream_name(health.channel.models, place.model) or place.model), place)

    def _pin(self, site: Site, place: Binding) -> Candidate:
        """The channel's credential that knows the thing; where that was replaced, what the channel has now."""
        health = site.health
        known = [owner for owner in health.credentials if owner.credential.id == place.credential_id]
        owner = next(iter(known or health.credentials), None)
        if owner is None or not health.channel.enabled:
            raise _gone(place)
        candidate = Candidate(site, owner, self._clock)
        candidate.forced = last_resort(health, self._clock())
        return candidate

    def worked(self, candidate: Candidate, seconds: float) -> None:
        """The provider gave a good answer (in a stream: the first of it) after `seconds`. The place stays taken."""
        health = candidate.health
        now = self._clock()
        if now >= health.decays_at:
            health.decay(now)
        health.good += 1.0
        health.failures = 0
        health.seconds += (seconds - health.seconds) * 0.1
        if not health.clear:
            self._judge.recovered(candidate)

    def failed(self, candidate: Candidate, failure: UpstreamError, *, delivered: bool = False) -> Verdict:
        """A try failed: gives its place back, and says what follows.

        `delivered`: content has gone out to the caller, so that nothing further can be tried.
        """
        return self._judge.failed(candidate, failure, delivered=delivered)

    def unpark(self, channel_id: str, credential_id: str | None = None) -> bool:
        """The operator's word that a channel, or one credential of it, is well again; False where there is none."""
        health = self._channels.get(channel_id)
        if health is None:
            return False
        found = credential_id is None
        if credential_id is None:
            health.forget(self._clock())
        for credential in health.credentials:
            if credential_id is None or credential.credential.id == credential_id:
                credential.lift()
                credential.level = 0
                found = True
        health.look()
        return found

    def _plan(self, model: str, group: str, operation: Operation) -> Plan:
        plan = make_plan(self._channels.values(), model, group, operation)
        if not plan.sites:
            channels = [health.channel for health in self._channels.values()]
            served = any(refusal(c, model, group, operation) == "dialect_not_spoken" for c in channels)
            unknown = f"The model '{model[:_NAME]}' does not exist, or you do not have access to it."
            told = f"No channel of the model '{model[:_NAME]}' offers {operation.path}." if served else unknown
            raise NotFound(told, code="model_not_found", param="model")
        if len(self._plans) >= KEPT_PLANS:
            self._plans.clear()
        self._plans[model, group, operation.name] = plan
        return plan

    def _choose(self, plan: Plan) -> list[Candidate]:
        """The choice in full: by priority, then by weight, each channel with its usable credentials."""
        now = self._clock()
        ordered: list[tuple[Site, Sequence[CredentialHealth]]] = []
        for tier in plan.tiers:
            sites: Sequence[Site] = [site for site in tier if usable(site, now)]
            if len(sites) > 1:
                least = self.rules.least_share
                sites = shuffled(sites, [weight(site.health, now, least) for site in sites], self._draw)
            ordered += [(site, credentials) for site in sites if (credentials := self._turn(site.health, now))]
        if ordered:
            return self._offer(ordered)
        for tier in plan.tiers:
            for site in tier:
                # The vendor's word on a credential stands, even here.
                if last_resort(site.health, now) and (credentials := self._turn(site.health, now)):
                    ordered.append((site, credentials))
        if not ordered:
            raise self._nothing(plan, now)
        candidates = self._offer(ordered)
        for candidate in candidates:
            candidate.forced = True
        return candidates

    def _turn(self, health: ChannelHealth, now: float) -> Sequence[CredentialHealth]:
        """The channel's usable credentials, beginning with the one whose turn it is."""
        every: Sequence[CredentialHealth] = health.credentials
        if len(every) > 1:
            at = health.turn = (health.turn + 1) % len(every)
            every = (*every[at:], *every[:at])
        if health.clear:
            return every
        every = [credential for credential in every if credential.usable(now)]
        health.look()
        return every

    def _offer(self, ordered: list[tuple[Site, Sequence[CredentialHealth]]]) -> list[Candidate]:
        """Candidates of one call: a few credentials of each channel, then what is left of them."""
        clock = self._clock
        if len(ordered) == 1 and len(ordered[0][1]) == 1:
            return [Candidate(ordered[0][0], ordered[0][1][0], clock)]
        most = self.rules.candidates
        pairs = [(site, credential) for site, some in ordered[:most] for credential in some[:_IN_A_ROW]]
        if len(pairs) < most:
            pairs += [(site, credential) for site, some in ordered for credential in some[_IN_A_ROW:]]
        tour = Tour()
        candidates = []
        for at, (site, credential) in enumerate(pairs[:most]):
            tour.order.append(site.health)
            candidates.append(Candidate(site, credential, clock, tour, at))
        return candidates

    def _nothing(self, plan: Plan, now: float) -> GatewayError:
        """The error where no channel is free: all limited by their vendors, or something else."""
        waits: list[float] = []
        limited = bool(plan.tiers)
        for site in plan.sites:
            health = site.health
            if not health.channel.enabled:
                continue
            if health.parked:
                limited = False
                waits.append(health.waits(now))
            elif health.full(now):
                limited = False
                waits.append(health.minute.waits(now) if health.minute is not None else 0.0)
            else:
                waits += [credential.waits(now) for credential in health.credentials]
                limited = limited and all(c.parked and c.reason == "rate_limited" for c in health.credentials)
                limited = limited and bool(health.credentials)
        # Where only the end of some call is awaited, a second is as good a guess as any.
        wait = (shortest(waits) or 1.0) if waits else None
        return rate_limited(wait, "all parked") if limited else NoChannel(retry_after=wait)


def _gone(place: Binding) -> ChannelOff:
    return ChannelOff(detail=f"the channel or the credential that knows a {place.kind} is gone or disabled")
