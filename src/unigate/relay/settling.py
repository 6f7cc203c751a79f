"""The end of a call: its record, its cost, its headers.

A call is settled once. What is charged is what was delivered: an error or an empty answer is free, a stream that
broke or whose caller left is charged for what went out.
"""

from typing import Any

from unigate.base.clock import monotonic
from unigate.base.money import format_usd
from unigate.dialects import meters
from unigate.relay.call import Call
from unigate.relay.holding import Plan
from unigate.routing.choice import Candidate
from unigate.spec.caller import Key
from unigate.spec.channel import Channel
from unigate.spec.record import End, Record
from unigate.spec.usage import Usage

NO_USAGE = Usage()
Header = tuple[bytes, bytes]


def used(call: Call, told: Usage | None, seen: Any) -> Usage:
    """What a call used: as the provider told it, or as the dialect counts it."""
    spoken = call.dialect
    if meters(spoken):
        return spoken.used(call.facts, told, seen)
    return told or spoken.estimate(call.asked, seen)


def record(
    call: Call,
    plan: Plan | None,
    candidate: Candidate | None,
    usage: Usage,
    *,
    end: End,
    status: int,
    first: float | None = None,
    error: str = "",
) -> Record:
    """The row of a call that ended now. Only a call with a plan, a candidate and usage costs anything."""
    now = monotonic()
    cost, price = 0, ""
    multiplier = 0
    if plan is not None:
        multiplier = plan.quote.multiplier
        if usage.units:
            call.usage = usage
            cost, price = plan.quote.cost(usage, call.facts.conditions)
    started = call.x.started
    total = now - started
    # Of a stream our own share is told as of its first content: what comes after is the provider's pace.
    own = (total if first is None else first - started) - call.upstream_seconds
    key = call.key
    return Record(
        call.id if plan is not None else call.failed_id,
        call.at,
        key.user_id,
        key.id,
        key.group.name,
        call.operation.name,
        call.facts.model,
        candidate.route.channel.id if candidate is not None else "",
        candidate.route.model if candidate is not None else "",
        status,
        end,
        call.facts.stream,
        usage.estimated,
        usage.units,
        cost,
        int(((first or now) - started) * 1_000_000),
        int(total * 1_000_000),
        int(own * 1_000_000),
        price,
        multiplier,
        call.attempts,
        error=error,
    )


def headers(call: Call, candidate: Candidate, content_type: bytes, cost: int | None) -> list[Header]:
    """The reply's headers; `cost` None where it is not known yet (streams)."""
    own = monotonic() - call.x.started - call.upstream_seconds
    made = [
        (b"content-type", content_type),
        (b"x-request-id", call.id.encode()),
        (b"x-unigate-overhead-ms", b"%.3f" % (own * 1000)),
    ]
    if cost is not None:
        made.append((b"x-unigate-cost", format_usd(cost).encode()))
    if call.key.role != "user":
        made.append((b"x-unigate-channel", candidate.route.channel.name.encode()))
    days = call.keep_days = kept_days(call.key, candidate.route.channel)
    if days:
        made.append((b"x-unigate-kept", b"%d" % days))
    if call.marks:
        made += call.marks
    return made


def kept_days(key: Key, channel: Channel) -> int:
    """Days for which prompt and answer are kept: as the key or the channel's option says, the longer of both."""
    told = channel.options.get("keep_days", 0)
    return max(key.keep_days, told) if isinstance(told, int) else key.keep_days
