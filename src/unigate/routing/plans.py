"""Which channels can serve a model for a group and an operation at all: worked out once, kept until channels change."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter

from unigate.routing.health import FAILING, ChannelHealth
from unigate.spec.channel import Channel, Route
from unigate.spec.operation import Operation


def upstream_name(models: Mapping[str, str], model: str) -> str | None:
    """The name of a public model at a channel; None where the channel does not serve it.

    The exact name wins, then the longest pattern that ends in `*`, then `*` alone. A pattern's value that ends in `*`
    takes over what the pattern's `*` stood for (`"fast-*": "gpt-*"`); an empty one means the name as it is.
    """
    if "*" in model:
        return None
    exact = models.get(model)
    if exact is not None:
        return exact or model
    best = ""
    for pattern in models:
        if pattern.endswith("*") and model.startswith(pattern[:-1]) and len(pattern) > len(best):
            best = pattern
    if not best:
        return None
    value = models[best]
    if value.endswith("*"):
        return value[:-1] + model[len(best) - 1 :]
    return value or model


def nearness(models: Mapping[str, str], model: str) -> int:
    """How closely a channel that serves a model names it: most by its own name, then by a long pattern; -1: it does not."""
    if model in models:
        return len(model) + 1
    fitting = (len(pattern) - 1 for pattern in models if pattern.endswith("*") and model.startswith(pattern[:-1]))
    return max(fitting, default=-1)


class Site:
    """A channel that can serve a plan's calls, and how."""

    __slots__ = ("health", "route")

    def __init__(self, health: ChannelHealth, model: str) -> None:
        self.health = health
        self.route = Route(health.channel, model)


class Plan:
    """All sites for one model, group and operation; `tiers` by priority, highest first."""

    __slots__ = ("only", "sites", "tiers")

    def __init__(self, sites: Iterable[Site]) -> None:
        self.sites = tuple(sites)
        enabled = [site for site in self.sites if site.health.channel.enabled]
        priorities = sorted({site.health.channel.priority for site in enabled}, reverse=True)
        self.tiers = tuple(
            tuple(site for site in enabled if site.health.channel.priority == priority) for priority in priorities
        )
        #: The one site, where there is no choice.
        self.only = enabled[0] if len(enabled) == 1 else None


def refusal(channel: Channel, model: str, group: str, operation: Operation) -> str:
    """Why a channel can't serve such calls whatever its health: a reason of `explain`, or "" where it can."""
    if group not in channel.groups:
        return "not_in_group"
    if upstream_name(channel.models, model) is None:
        return "model_not_served"
    if not channel.provider.serves(operation):
        return "dialect_not_spoken"
    return ""


def make_plan(channels: Iterable[ChannelHealth], model: str, group: str, operation: Operation) -> Plan:
    """The plan for a model, group and operation; disabled channels stand among its sites, but in no tier."""
    sites = []
    for health in channels:
        if not refusal(health.channel, model, group, operation):
            name = upstream_name(health.channel.models, model)
            assert name is not None
            sites.append(Site(health, name))
    return Plan(sites)


def offering_plan(channels: Iterable[ChannelHealth], group: str, operation: Operation) -> Plan:
    """The plan for calls of an operation that name no model: all channels of the group whose provider has it."""
    return Plan(
        Site(health, "")
        for health in channels
        if group in health.channel.groups and health.channel.provider.serves(operation)
    )


def weight(health: ChannelHealth, now: float, least_share: float) -> float:
    """A channel's weight, lowered by its measured error rate."""
    if not health.bad:
        return float(health.channel.weight)
    return health.channel.weight * max(least_share, (1.0 - health.error_rate(now)) ** 2)


def shuffled(sites: Sequence[Site], weights: Sequence[float], draw: Callable[[], float]) -> list[Site]:
    """Sites in a random order in which each comes first with a probability proportional to its weight.

    (Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006.) Those of weight 0 come last.
    """
    drawn = [
        (-math.log(1.0 - draw()) / weight if weight > 0 else math.inf, site)
        for site, weight in zip(sites, weights, strict=True)
    ]
    drawn.sort(key=itemgetter(0))
    return [site for _, site in drawn]


def usable(site: Site, now: float) -> bool:
    """Whether a call may go there now, as far as the channel itself is concerned."""
    health = site.health
    if health.clear:
        return health.in_flight < health.most
    return health.usable(now) and not health.full(now)


def last_resort(health: ChannelHealth, now: float) -> bool:
    """Whether a parked channel may be tried since there is no other.

    Only where it was parked by our own judgement: to refuse all calls would do no better than to try. Where the vendor
    said "later" or refused the credential, it stays parked.
    """
    return health.parked and health.reason == FAILING and not health.full(now)
