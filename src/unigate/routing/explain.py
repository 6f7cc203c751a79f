"""Why each channel would or would not be chosen for a call, as values; for the command line and the console.

It looks at the same plan and health as the choice itself, and changes nothing but what time has changed anyway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from unigate.routing.choice import Router
from unigate.routing.health import ChannelHealth, CredentialHealth
from unigate.routing.plans import last_resort, refusal, upstream_name, weight
from unigate.spec.operation import Operation

Reason = Literal[
    "chosen",  # offered first, with probability `share`
    "probing_back",  # offered to one call at a time, to see whether it is well again
    "last_resort",  # parked as failing, and tried all the same since there is no other
    "priority_lower",  # tried only after all of a higher priority
    "not_in_group",
    "model_not_served",
    "dialect_not_spoken",
    "disabled",
    "parked",
    "full",
    "rate_full",
    "no_credential",
    "credentials_parked",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedCredential:
    """One credential of a channel."""

    id: str
    usable: bool
    #: Why it is parked, "" where it is not.
    reason: str
    #: Seconds until it may be tried again.
    waits: float
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One channel: whether it may serve such a call now, why or why not, and what is known of it."""

    channel: str
    name: str
    #: Whether a call would be offered it at all, be it as the last.
    offered: bool
    reason: Reason
    #: One sentence for people.
    text: str
    priority: int
    #: The probability to be tried first.
    share: float
    upstream_model: str | None
    error_rate: float
    #: Moving average of seconds to a good answer.
    seconds: float
    in_flight: int
    #: Seconds for which it is parked.
    waits: float
    credentials: tuple[ExplainedCredential, ...]


def explain(router: Router, model: str, group: str, operation: Operation) -> list[Explained]:
    """All channels, those offered first, in the order in which they would be tried."""
    now = router.now()
    found = [(health, _reason(health, model, group, operation, now)) for health in router.health.values()]
    if not any(reason in ("chosen", "probing_back") for _, reason in found):
        found = [
            (health, "last_resort" if reason == "parked" and _serves_last(health, now) else reason)
            for health, reason in found
        ]
    offered = [health for health, reason in found if reason in ("chosen", "probing_back", "last_resort")]
    best = max((health.channel.priority for health in offered), default=0)
    shares = _shares(router, [health for health in offered if health.channel.priority == best], now)
    explained = []
    for health, found_reason in found:
        later = found_reason in ("chosen", "probing_back") and health.channel.priority < best
        reason: Reason = "priority_lower" if later else found_reason
        explained.append(_explained(health, reason, model, shares.get(health.channel.id, 0.0), now))
    explained.sort(key=lambda one: (not one.offered, -one.priority, -one.share, one.name))
    return explained


def _reason(health: ChannelHealth, model: str, group: str, operation: Operation, now: float) -> Reason:
    """What decides about one channel, regardless of the others."""
    channel = health.channel
    match refusal(channel, model, group, operation):
        case "not_in_group":
            return "not_in_group"
        case "model_not_served":
            return "model_not_served"
        case "dialect_not_spoken":
            return "dialect_not_spoken"
    if not channel.enabled:
        return "disabled"
    if not health.credentials:
        return "no_credential"
    if not health.usable(now):
        return "parked"
    if health.in_flight >= health.most:
        return "full"
    if health.full(now):
        return "rate_full"
    if not any(credential.usable(now) for credential in health.credentials):
        return "credentials_parked"
    return "probing_back" if health.parked else "chosen"


def _serves_last(health: ChannelHealth, now: float) -> bool:
    return last_resort(health, now) and any(credential.usable(now) for credential in health.credentials)


def _shares(router: Router, tier: Sequence[ChannelHealth], now: float) -> dict[str, float]:
    """Each channel's probability to come first within a tier."""
    weights = [weight(health, now, router.rules.least_share) for health in tier]
    total = sum(weights)
    if not total:
        return {health.channel.id: 1.0 / len(tier) for health in tier}
    return {health.channel.id: one / total for health, one in zip(tier, weights, strict=True)}


def _explained(health: ChannelHealth, reason: Reason, model: str, share: float, now: float) -> Explained:
    channel = health.channel
    return Explained(
        channel=channel.id,
        name=channel.name,
        offered=reason in ("chosen", "probing_back", "last_resort", "priority_lower"),
        reason=reason,
        text=_text(health, reason, model, share, now),
        priority=channel.priority,
        share=share,
        upstream_model=upstream_name(channel.models, model),
        error_rate=health.error_rate(now),
        seconds=health.seconds,
        in_flight=health.in_flight,
        waits=health.waits(now),
        credentials=tuple(_credential(credential, now) for credential in health.credentials),
    )


def _credential(health: CredentialHealth, now: float) -> ExplainedCredential:
    usable = health.usable(now)
    return ExplainedCredential(
        id=health.credential.id,
        usable=usable,
        reason=health.reason,
        waits=health.waits(now),
        in_flight=health.in_flight,
    )


_TEXTS: Mapping[Reason, str] = {
    "chosen": "tried first with a probability of {share:.0%}",
    "probing_back": "was parked ({why}); one call at a time tries whether it is well again",
    "last_resort": "parked for another {waits:.0f} s ({why}), but tried since there is no other",
    "priority_lower": "its priority {priority} is lower; tried after the others",
    "not_in_group": "not for this group; for {groups}",
    "model_not_served": "does not serve {model}",
    "dialect_not_spoken": "provider {provider} does not offer this operation",
    "disabled": "disabled",
    "parked": "parked for another {waits:.0f} s ({why})",
    "full": "{in_flight} calls in flight, its limit",
    "rate_full": "its calls per minute are used up",
    "no_credential": "has no credential",
    "credentials_parked": "all its credentials are parked ({reasons})",
}


def _text(health: ChannelHealth, reason: Reason, model: str, share: float, now: float) -> str:
    """One sentence that says why."""
    channel = health.channel
    waits = health.waits(now)
    if reason == "parked" and not waits:
        return f"parked ({health.reason}); a probe is on its way"
    return _TEXTS[reason].format(
        share=share,
        why=f"{health.reason}: {health.last_failure}" if health.last_failure else health.reason,
        waits=waits,
        priority=channel.priority,
        groups=", ".join(sorted(channel.groups)) or "none",
        model=model,
        provider=channel.provider.name,
        in_flight=health.in_flight,
        reasons=", ".join(sorted({owner.reason for owner in health.credentials if owner.reason})),
    )
